/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/choice.h"

G_BEGIN_DECLS

/* Says, for each of @mailboxes (arguments, in the program's form; or NULL) that stands for none of
 * engine->mailboxes, why: there is none, or it waits, and for what. @choice is what was made of
 * them, @trees what was listed. Not for those that this run has deleted or renamed. */
gboolean sync_named_tell (SyncEngine *engine, SyncChoice *choice, const char *const *mailboxes,
                          GPtrArray *const trees[N_SIDES], GError **error);

G_END_DECLS
