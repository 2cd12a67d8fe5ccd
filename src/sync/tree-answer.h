/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Finds out what the tree function asks, and sets the answer of each of @questions (TreeQuestion).
 * @saved: StoreMailbox; @answers: of earlier questions. FALSE only when a session ended; a server
 * that will not say is TREE_ANSWER_UNKNOWN. */
gboolean sync_tree_answer (SyncEngine *engine, GPtrArray *saved, GPtrArray *questions,
                           const GPtrArray *answers, GError **error);

/* A mailbox record to select, for questions and deletions: not one of the run's. (transfer full) */
SyncMailbox *
sync_tree_mailbox (SyncEngine *engine, const StoreMailbox *saved, const char *const names[N_SIDES]);

/* The saved mailbox of that id, or NULL. */
StoreMailbox *sync_tree_find_saved (GPtrArray *saved, gint64 id);

/* Looks whether @name on @side, which was deleted on the other side, holds anything but the paired
 * messages of @saved, their flags as agreed or with our \Deleted. @mailbox (transfer full) has that
 * side's full delta, which ties what is done next to what was seen. */
gboolean sync_tree_examine (SyncEngine *engine, const StoreMailbox *saved, Side side,
                            const char *name, SyncMailbox **mailbox, TreeAnswer *changed,
                            GError **error);

G_END_DECLS
