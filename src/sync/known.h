/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"
#include "sync/idle.h"

G_BEGIN_DECLS

/* What is known of a mailbox on one side since the last pass over it; a notice with other numbers
 * marks it. A mailbox that no pass gets along with would be marked for ever: so each notice counts
 * once. */
typedef struct {
  char *name; /* program's form */
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
  gint64 exists;        /* -1: not known */
  gint64 passed;        /* monotonic: the end of the last pass that selected it; 0: none did */
  ImapStatus status;    /* the last one that counted; without strings */
  SyncIdleNumbers idle; /* the same of a connection that watches it */
} SyncKnown;

/* wire name -> SyncKnown */
GHashTable *sync_known_table_new (void);

/* INBOX in any case. NULL: not among them. */
SyncKnown *sync_known_find (GHashTable *table, const char *wire);

/* After a run: the numbers of engine->mailboxes into *@table; @whole: and no others. The wire names
 * of those that were selected are added to @touched. */
void sync_known_learn (GHashTable **table, const SyncEngine *engine, Side side, gboolean whole,
                       GPtrArray *touched);

/* TRUE: it is news. */
gboolean sync_known_take_status (SyncKnown *known, const ImapStatus *status);
gboolean sync_known_take_numbers (SyncKnown *known, const SyncIdleNumbers *numbers);

G_END_DECLS
