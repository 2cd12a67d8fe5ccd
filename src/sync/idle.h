/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* One more connection to a server, which has one mailbox open to read and IDLE on (RFC 2177), and
 * nothing else to do: an extra. It lives on the engine's context beside the two sessions; whatever
 * happens to it is told to nobody but the log, and it comes back by itself, ever later. A server
 * that refuses it, as one does that counts connections, is left alone for an hour. */
typedef struct _SyncIdle SyncIdle;

typedef struct {
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
} SyncIdleNumbers;

typedef struct {
  /* Something changed; @modseq is the change's own where the server told it, else 0. */
  void (*changed) (SyncIdle *idle, guint64 modseq, gpointer data);
  /* The mailbox was opened anew: its numbers are fresh. */
  void (*looked) (SyncIdle *idle, gpointer data);
} SyncIdleFuncs;

/* @name: program's form; @wire: as the server writes it. The password is in the engine's
 * configuration. Connects at once. */
SyncIdle *sync_idle_new (SyncEngine *engine, Side side, const char *name, const char *wire,
                         const SyncIdleFuncs *funcs, gpointer data);
/* Ends the connection, without waiting for anything. */
void sync_idle_free (SyncIdle *idle);

/* Asks for the numbers again, over its own connection; nothing where that is not up. */
void sync_idle_look (SyncIdle *idle);

Side sync_idle_side (const SyncIdle *idle);
const char *sync_idle_name (const SyncIdle *idle);
const char *sync_idle_wire (const SyncIdle *idle);

/* NULL before the first look. */
const SyncIdleNumbers *sync_idle_numbers (const SyncIdle *idle);

G_END_DECLS
