/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 5: what is confirmed goes into the database, in transactions of many records. An error of
 * the database is kept in engine->fatal and ends the run at the next wait. */

/* Both servers are known to hold it (R1). */
void sync_commit_pair (SyncEngine *engine, SyncMailbox *mailbox, const StorePair *pair);
/* Both sides' absence was seen. */
void sync_commit_forget (SyncEngine *engine, SyncMailbox *mailbox, const StorePair *pair);
/* Both sides report @flags, as far as they can hold them. */
void sync_commit_flags (SyncEngine *engine, SyncMailbox *mailbox, guint32 local_uid, FlagsId flags);
void sync_commit_hold (SyncEngine *engine, StoreHold *hold);
void sync_commit_refused_flags (SyncEngine *engine, SyncMailbox *mailbox, Side side, FlagsId flags);
void sync_commit_conflict (SyncEngine *engine, StoreConflict *conflict);

gboolean sync_commit_drop_hold (SyncEngine *engine, gint64 id);
gboolean sync_commit_drop_conflict (SyncEngine *engine, gint64 id);

/* The part of the plan that needs no server, the intents for its effects in the place of older
 * ones (R9), all in one transaction. FALSE: engine->fatal is set. */
gboolean sync_commit_plan (SyncEngine *engine, SyncMailbox *mailbox);

/* Every consequence of what the deltas told is confirmed: the numbers of both go into the database
 * (R2, R3), the intents go. Writes nothing where nothing changed (R8). */
void sync_commit_settled (SyncEngine *engine, SyncMailbox *mailbox, gboolean save_numbers);

/* Ends the open transaction, if one is open. */
gboolean sync_commit_flush (SyncEngine *engine);
/* The same when it is large or old enough. */
void sync_commit_maybe_flush (SyncEngine *engine);

G_END_DECLS
