/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* A run: the pass of design section 5, over and over until one changes nothing, at most five times.
 *
 * @mailboxes: names in the program's form, or NULL for each subscribed mailbox. FALSE when a
 * connection or the database failed; what is wrong with one mailbox or message is logged and
 * counted in engine->figures.problems. */
gboolean sync_run (SyncEngine *engine, const char *const *mailboxes, GError **error);

/* The same without a LIST, for mailboxes that a notice named. */
gboolean sync_run_marked (SyncEngine *engine, const char *const *names, GError **error);

/* One line for each held message and mailbox of @store; how many there are. */
guint sync_tell_holds (SyncEngine *engine);

G_END_DECLS
