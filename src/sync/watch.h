/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Both connections at rest, with nothing selected, told by the servers what changes: NOTIFY where
 * it is offered (RFC 5465), else IDLE on the first mailbox of the option idle; what neither can
 * tell is polled. Others of that option, and a store's, have connections of their own (idle.h). A
 * notice marks a mailbox when its numbers are not those that the last gather saw; so an echo of
 * what we did marks nothing. */
typedef struct _SyncWatch SyncWatch;

SyncWatch *sync_watch_new (SyncEngine *engine);
void sync_watch_free (SyncWatch *watch);

/* After each run: takes the numbers of engine->mailboxes for known. @whole: the run was over all
 * mailboxes, others are forgotten. */
void sync_watch_learn (SyncWatch *watch, gboolean whole);

/* Puts both sessions to rest and turns notices on. What the run touched is asked for once more: it
 * was selected, and nothing tells of changes to a selected mailbox. */
gboolean sync_watch_start (SyncWatch *watch, GError **error);
/* The rest is over: what changes now may be our own doing. */
void sync_watch_end (SyncWatch *watch);

/* Marks: names (program's form) that need a pass, or everything. */
gboolean sync_watch_is_marked (const SyncWatch *watch);
void sync_watch_mark_all (SyncWatch *watch);
gboolean sync_watch_all_marked (const SyncWatch *watch);
/* The marked names, and takes the marks off. (transfer full) NULL-terminated. */
char **sync_watch_take (SyncWatch *watch, gboolean *all);

/* Seconds between polls that this pair of servers needs: 0 when both push everything. */
guint sync_watch_poll_interval (const SyncWatch *watch, guint configured);

G_END_DECLS
