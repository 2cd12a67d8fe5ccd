/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/choice.h"

G_BEGIN_DECLS

/* Step 1 of a pass: lists both trees, asks the pure function what it comes to, answers its
 * questions, does what it decides, and saves the result. */

/* What @choice includes is created where it is missing; what it does not mean is left alone.
 * @trees[side]: what was listed (TreeNode), by then without what the decisions changed. (transfer
 * full) */
gboolean
sync_tree_run (SyncEngine *engine, SyncChoice *choice, GPtrArray *trees[N_SIDES], GError **error);

G_END_DECLS
