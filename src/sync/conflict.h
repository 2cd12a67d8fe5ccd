/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Anything the user may want to know or decide: into the log, and into the database for the
 * service. */

/* Saves a conflict and tells of it, unless the very same is open already. @mailbox: program's form;
 * @details: "key=value" lines, values escaped by g_strescape(). Returns its id, by which a person
 * can resolve it; 0 where the database failed. */
gint64 sync_conflict_save (SyncEngine *engine, const char *kind, const char *mailbox,
                           const guint32 uid[N_SIDES], const char *details);

/* It is over. */
void sync_conflict_drop (SyncEngine *engine, gint64 id);

/* Takes back what the settled plan of @mailbox shows to be over: holds of messages that are paired
 * or gone, a mass-deletion that was decided. */
void sync_conflict_sweep (SyncEngine *engine, SyncMailbox *mailbox);
/* The holds alone, after a round whose plan had effects. */
void sync_conflict_sweep_holds (SyncEngine *engine, SyncMailbox *mailbox);

/* The same for names that no server could have: those in @still (a set) are as they were. */
void sync_conflict_sweep_names (SyncEngine *engine, GHashTable *still);

/* All of mailbox->plan's conflicts, those of flags as one. */
void sync_conflict_tell_plan (SyncEngine *engine, SyncMailbox *mailbox);

/* R7: @message of @origin cannot be copied; it is held with the server's words. @kind is
 * STORE_HOLD_REFUSED (by the other side), _UNREADABLE (on its own) or _UNSTABLE. */
void sync_conflict_hold (SyncEngine *engine, SyncMailbox *mailbox, Side origin, guint32 uid,
                         StoreHoldKind kind, gint64 retry_at, const char *reason);

/* The connection to @where ended while the message was on its way from @origin: it is tried again,
 * by itself and behind all others; after the third time it is held like any that is refused. */
void sync_conflict_strike (SyncEngine *engine, SyncMailbox *mailbox, Side origin, guint32 uid,
                           Side where);

/* @side refused @flags: whatever in them it had never heard of is not sent there again. FALSE when
 * there is nothing of that kind in them, so that it must have another reason. */
gboolean sync_conflict_refuse_keywords (SyncEngine *engine, SyncMailbox *mailbox, Side side,
                                        FlagsId flags, const char *reason);

G_END_DECLS
