/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 1 of a pass: lists both trees, asks the pure function what it comes to, answers its
 * questions, does what it decides, and saves the result. */

/* Which mailboxes are copied (and so created where they are missing). */
typedef gboolean (*SyncSelector) (const char *name, gboolean subscribed, gpointer data);

/* @trees[side]: what was listed (TreeNode), by then without what the decisions changed. (transfer
 * full) */
gboolean sync_tree_run (SyncEngine *engine, SyncSelector selector, gpointer data,
                        GPtrArray *trees[N_SIDES], GError **error);

G_END_DECLS
