/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"

G_BEGIN_DECLS

/* The progress of all accounts in one line of a terminal: nothing for what takes less than a
 * second, then at most ten times a second. */
typedef struct _Progress Progress;

/* @accounts: how many there are. */
Progress *progress_new (guint accounts);

/* Takes the line away. */
void progress_free (Progress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Progress, progress_free)

void progress_update (Progress *progress, SyncAccount *account, const SyncProgress *state);

/* @account has nothing to do any more. */
void progress_remove (Progress *progress, SyncAccount *account);

/* The line for @states, SyncProgress each; @accounts of which the program has in all.
 * (transfer full) */
char *progress_text (const SyncProgress *states, guint n, guint accounts);

G_END_DECLS
