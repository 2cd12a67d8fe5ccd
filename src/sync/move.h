/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Which moves and copies the servers can make themselves (design, section "Moves"). */

/* Finds among the plans of @work what need not be sent (SyncPlan.move): messages that vanished in
 * one mailbox and appeared in another, and copies of messages that both servers have. By the
 * servers' own ids, else as in R5, without reading a text. */
gboolean sync_move_plan (SyncEngine *engine, GPtrArray *work, GError **error);

/* Something in @mailbox stays only until it has arrived elsewhere. */
gboolean sync_move_is_awaited (SyncEngine *engine, const SyncMailbox *mailbox);

/* A server would not make the copy, or did not say so: the message is sent in the next round, and
 * what was moved stays where it was until then. */
void
sync_move_note_refused (SyncEngine *engine, SyncMailbox *to, Side origin, const SyncMove *move);

G_END_DECLS
