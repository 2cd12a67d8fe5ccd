/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 2 of a pass: what changed in @mailboxes (SyncMailbox) on both sides, everything pipelined.
 * Fills side[].delta. A mailbox that a server will not select fails alone. */
gboolean sync_gather (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

/* Asks @side for the next gather of @mailboxes before the effects of the present round, all of
 * which are on their way, are confirmed. sync_gather() then takes the answers instead of asking. */
void sync_gather_ahead (SyncEngine *engine, GPtrArray *mailboxes, Side side, SyncWait *wait);

/* Drops what was asked ahead for @mailbox, or for all (NULL): it is to start from other numbers. */
void sync_gather_forget (SyncEngine *engine, const SyncMailbox *mailbox);

/* The same for one side alone, where the other does not have the mailbox. */
gboolean sync_gather_side (SyncEngine *engine, SyncMailbox *mailbox, Side side, GError **error);

/* Asks for date, size and id of the messages of the deltas that are not described and have no pair
 * (mailbox->pairs is loaded). */
gboolean sync_gather_descriptions (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

/* R5: identifies plan->unpaired of each of @mailboxes and fills matches. */
gboolean sync_gather_identities (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

/* R7: leaves the mailbox alone for the rest of this run, and says why. */
void sync_mailbox_fail (SyncEngine *engine, SyncMailbox *mailbox, Side side, const char *why);

G_END_DECLS
