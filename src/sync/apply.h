/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 4 of a pass: does what the plans of @mailboxes say, all at once, and commits what is
 * confirmed. mailbox->unconfirmed is set where anything has no proof.
 *
 * Two chains (design, section 5). First: SELECT, +FLAGS (\Deleted), the flag stores, all
 * UNCHANGEDSINCE the numbers of the plan; at the same time the copies. Second, when the first is
 * answered: SELECT, UID EXPUNGE of what is proved to be ours. */
gboolean sync_apply (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

G_END_DECLS
