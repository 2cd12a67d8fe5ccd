/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/choice.h"

G_BEGIN_DECLS

/* Which mailboxes a run is about, and which of them need work. Fills engine->mailboxes. */

/* Those of the saved tree that @choice includes; @mailboxes: what it was made of. One is dirty when
 * what LIST told of it (TreeNode in
 * @trees) is not what was saved, when an intent is open, or a hold is due. */
gboolean sync_collect_listed (SyncEngine *engine, SyncChoice *choice, const char *const *mailboxes,
                              GPtrArray *trees[N_SIDES], GError **error);

/* Without a LIST: those that @names names, as far as they are in the saved tree; all dirty. */
gboolean sync_collect_marked (SyncEngine *engine, const char *const *names, GError **error);

/* The mailbox @id of the saved tree, whatever this run is about; NULL without an error: it is not
 * on both sides. Where the run has none, it is added to engine->mailboxes, and needs no work. */
SyncMailbox *sync_collect_other (SyncEngine *engine, gint64 id, GError **error);

/* Splits what is held in @mailbox into what is to be left alone (holds) and what is to be tried
 * again (due); @held: how many messages of each side are held. */
gboolean sync_collect_holds (SyncEngine *engine, SyncMailbox *mailbox, guint64 held[N_SIDES],
                             GError **error);

G_END_DECLS
