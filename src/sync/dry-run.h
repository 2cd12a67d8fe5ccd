/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* What a pass would do, for --dry-run: from the plans of the very same planners, in words on
 * standard output. Nothing is sent that changes a server (mailboxes are opened with EXAMINE), and
 * the engine's database is a copy. */

/* A change of the mailbox tree; @messages: in the mailbox that it is about. */
void sync_dry_run_tell_action (SyncEngine *engine, const TreeAction *action, guint64 messages);

/* Fills @mailbox->figures with what its plan would do. */
void sync_dry_run_count (SyncMailbox *mailbox);

/* Each mailbox that would change, and the sum. */
void sync_dry_run_tell (SyncEngine *engine);

G_END_DECLS
