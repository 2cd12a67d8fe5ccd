/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/live.h"

G_BEGIN_DECLS

/* What the life of an account keeps in its database, and reads from it for the service. */

typedef struct {
  guint64 messages; /* pairs */
  guint conflicts;
  guint held;    /* but for what */
  guint waiting; /* for a network that is not metered */
} SyncLiveCounts;

/* @copy: see store_open_copy(). */
Store *sync_live_open_store (const AccountConfig *config, gboolean copy, GError **error);
gboolean sync_live_count (Store *store, SyncLiveCounts *counts, GError **error);

/* TRUE: paused; @until as sync_account_pause(). */
gboolean sync_live_load_pause (Store *store, gint64 *until);
void sync_live_save_pause (Store *store, gboolean paused, gint64 until);

/* (transfer full) */
SyncConflictRecord *sync_live_make_record (SyncEngine *engine, const StoreConflict *conflict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncConflictRecord, sync_conflict_record_free)
GPtrArray *sync_live_load_conflicts (SyncEngine *engine, GError **error);

/* Carries out Resolve as far as the database goes. @again: a pass has to do the rest; @gone: the
 * conflict is over. */
gboolean sync_live_choose (SyncEngine *engine, guint64 id, const char *choice, gboolean *again,
                           gboolean *gone, GError **error);

G_END_DECLS
