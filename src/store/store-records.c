/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#define MAX_CONFLICTS "1000"

/* --- intents --- */

void
store_intent_free (StoreIntent *intent)
{
  if (intent == NULL)
    return;
  g_free (intent->uids);
  g_clear_pointer (&intent->descriptions, g_bytes_unref);
  g_free (intent->name);
  g_free (intent->new_name);
  g_free (intent);
}

gboolean
store_intent_insert (Store *store, StoreIntent *intent, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "INSERT INTO intent (kind, side, flags, uidvalidity, uidnext, mailbox, uids,"
                   " name, new_name, descriptions)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                   error);

  if (query == NULL || !store_save_flags (store, intent->flags, error))
    return FALSE;
  store_bind_ints (query, STORE_INTS (intent->kind, intent->side, intent->flags,
                                      intent->uidvalidity, intent->uidnext));
  store_bind_id (query, 6, intent->mailbox);
  store_bind_text (query, 7, intent->uids);
  store_bind_text (query, 8, intent->name);
  store_bind_text (query, 9, intent->new_name);
  store_bind_bytes (query, 10, intent->descriptions);
  if (!store_query_run (store, query, error))
    return FALSE;
  intent->id = sqlite3_last_insert_rowid (store->db);
  store->durable = TRUE;
  return TRUE;
}

gboolean
store_intent_delete (Store *store, gint64 id, GError **error)
{
  return store_run_ints (store, "DELETE FROM intent WHERE id = ?", STORE_INTS (id), error);
}

gboolean
store_intents_delete (Store *store, gint64 mailbox, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store, "DELETE FROM intent WHERE mailbox IS ?", error);

  if (query == NULL)
    return FALSE;
  store_bind_id (query, 1, mailbox);
  return store_query_run (store, query, error);
}

static gboolean
read_intent (Store *store, StoreQuery *query, GPtrArray *intents, GError **error)
{
  g_autoptr (StoreIntent) intent = g_new0 (StoreIntent, 1);

  intent->id = sqlite3_column_int64 (query, 0);
  intent->kind = (StoreIntentKind)sqlite3_column_int (query, 1);
  intent->mailbox = sqlite3_column_int64 (query, 2);
  intent->side = (Side)sqlite3_column_int (query, 3);
  intent->uids = store_column_text (query, 4);
  intent->uidvalidity = (guint32)sqlite3_column_int64 (query, 6);
  intent->uidnext = (guint32)sqlite3_column_int64 (query, 7);
  intent->name = store_column_text (query, 8);
  intent->new_name = store_column_text (query, 9);
  intent->descriptions = store_column_bytes (query, 10);
  if (!store_column_flags (store, query, 5, &intent->flags, error))
    return FALSE;
  g_ptr_array_add (intents, g_steal_pointer (&intent));
  return TRUE;
}

GPtrArray *
store_intents (Store *store, gint64 mailbox, GError **error)
{
  g_autoptr (GPtrArray) intents =
      g_ptr_array_new_with_free_func ((GDestroyNotify)store_intent_free);
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "SELECT id, kind, mailbox, side, uids, flags, uidvalidity, uidnext, name,"
                   " new_name, descriptions FROM intent WHERE mailbox IS ? ORDER BY id",
                   error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  store_bind_id (query, 1, mailbox);
  while (store_query_next (store, query, &local_error) &&
         read_intent (store, query, intents, &local_error))
    ;
  if (local_error == NULL)
    return g_steal_pointer (&intents);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

GArray *
store_intent_mailboxes (Store *store, GError **error)
{
  g_autoptr (GArray) mailboxes = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (StoreQuery) query = store_query (
      store, "SELECT DISTINCT mailbox FROM intent WHERE mailbox IS NOT NULL ORDER BY mailbox",
      error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  while (store_query_next (store, query, &local_error)) {
    gint64 mailbox = sqlite3_column_int64 (query, 0);

    g_array_append_val (mailboxes, mailbox);
  }
  if (local_error == NULL)
    return g_steal_pointer (&mailboxes);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

/* --- holds --- */

void
store_hold_free (StoreHold *hold)
{
  if (hold == NULL)
    return;
  g_free (hold->reason);
  g_free (hold);
}

static gboolean
find_hold (Store *store, StoreHold *hold, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "SELECT id, since FROM hold WHERE side = ?1 AND uid = ?2 AND kind = ?3"
                   " AND mailbox IS ?4",
                   error);
  g_autoptr (GError) local_error = NULL;
  gint64 given = hold->id;

  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (hold->side, hold->uid, hold->kind));
  store_bind_id (query, 4, hold->mailbox);
  hold->id = 0;
  if (store_query_next (store, query, &local_error)) {
    hold->id = sqlite3_column_int64 (query, 0);
    if (given == 0)
      hold->since = sqlite3_column_int64 (query, 1);
  }
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
store_hold_save (Store *store, StoreHold *hold, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;

  if (!find_hold (store, hold, error))
    return FALSE;
  if (hold->id == 0)
    query = store_query (store,
                         "INSERT INTO hold (side, uid, kind, since, retry_at, attempts, mailbox,"
                         " reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                         error);
  else
    query = store_query (store,
                         "UPDATE hold SET since = ?4, retry_at = ?5, attempts = ?6, reason = ?8"
                         " WHERE side = ?1 AND uid = ?2 AND kind = ?3 AND mailbox IS ?7 AND"
                         " (since, retry_at, attempts, reason) IS NOT (?4, ?5, ?6, ?8)",
                         error);
  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (hold->side, hold->uid, hold->kind, hold->since,
                                      hold->retry_at, hold->attempts));
  store_bind_id (query, 7, hold->mailbox);
  store_bind_text (query, 8, hold->reason);
  if (!store_query_run (store, query, error))
    return FALSE;
  if (hold->id == 0)
    hold->id = sqlite3_last_insert_rowid (store->db);
  return TRUE;
}

gboolean
store_hold_delete (Store *store, gint64 id, GError **error)
{
  return store_run_ints (store, "DELETE FROM hold WHERE id = ?", STORE_INTS (id), error);
}

static StoreHold *
read_hold (StoreQuery *query)
{
  StoreHold *hold = g_new0 (StoreHold, 1);

  hold->id = sqlite3_column_int64 (query, 0);
  hold->mailbox = sqlite3_column_int64 (query, 1);
  hold->side = (Side)sqlite3_column_int (query, 2);
  hold->uid = (guint32)sqlite3_column_int64 (query, 3);
  hold->kind = (StoreHoldKind)sqlite3_column_int (query, 4);
  hold->reason = store_column_text (query, 5);
  hold->since = sqlite3_column_int64 (query, 6);
  hold->retry_at = sqlite3_column_int64 (query, 7);
  hold->attempts = (guint)sqlite3_column_int64 (query, 8);
  return hold;
}

GPtrArray *
store_holds (Store *store, gint64 mailbox, GError **error)
{
  g_autoptr (GPtrArray) holds = g_ptr_array_new_with_free_func ((GDestroyNotify)store_hold_free);
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "SELECT id, mailbox, side, uid, kind, reason, since, retry_at, attempts"
                   " FROM hold WHERE ?1 = 0 OR mailbox = ?1 ORDER BY id",
                   error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  store_bind_ints (query, STORE_INTS (mailbox));
  while (store_query_next (store, query, &local_error))
    g_ptr_array_add (holds, read_hold (query));
  if (local_error == NULL)
    return g_steal_pointer (&holds);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

/* --- conflicts --- */

void
store_conflict_free (StoreConflict *conflict)
{
  if (conflict == NULL)
    return;
  g_free (conflict->kind);
  g_free (conflict->mailbox);
  g_free (conflict->details);
  g_free (conflict->choice);
  g_free (conflict);
}

/* By its id, else by what it is about: then it goes on since it began, and a choice that was made
 * for it stands. */
static gboolean
find_conflict (Store *store, StoreConflict *conflict, char **choice, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "SELECT id, time, choice FROM conflict WHERE id = ?1 OR (?1 = 0 AND"
                   " local_uid = ?2 AND remote_uid = ?3 AND kind = ?4 AND mailbox IS ?5)"
                   " ORDER BY id LIMIT 1",
                   error);
  g_autoptr (GError) local_error = NULL;
  gint64 given = conflict->id;

  if (query == NULL)
    return FALSE;
  store_bind_ints (query,
                   STORE_INTS (given, conflict->uid[SIDE_LOCAL], conflict->uid[SIDE_REMOTE]));
  store_bind_text (query, 4, conflict->kind);
  store_bind_text (query, 5, conflict->mailbox);
  conflict->id = 0;
  if (store_query_next (store, query, &local_error)) {
    conflict->id = sqlite3_column_int64 (query, 0);
    if (given == 0) {
      conflict->time = sqlite3_column_int64 (query, 1);
      if (*choice == NULL)
        *choice = store_column_text (query, 2);
    }
  }
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
drop_oldest_conflicts (Store *store, GError **error)
{
  return store_run_ints (store,
                         "DELETE FROM conflict WHERE id <="
                         " (SELECT id FROM conflict ORDER BY id DESC LIMIT 1 OFFSET " MAX_CONFLICTS
                         ")",
                         NULL, 0, error);
}

#define CONFLICT            "time, local_uid, remote_uid, kind, mailbox, details, choice"
#define CONFLICT_PARAMETERS "?2, ?3, ?4, ?5, ?6, ?7, ?8"

gboolean
store_conflict_save (Store *store, StoreConflict *conflict, GError **error)
{
  g_autofree char *choice = g_strdup (conflict->choice);
  g_autoptr (StoreQuery) query = NULL;
  gboolean is_new;

  if (!find_conflict (store, conflict, &choice, error))
    return FALSE;
  is_new = conflict->id == 0;
  if (is_new)
    query = store_query (
        store, "INSERT INTO conflict (id, " CONFLICT ") VALUES (?1, " CONFLICT_PARAMETERS ")",
        error);
  else
    query = store_query (store,
                         "UPDATE conflict SET (" CONFLICT ") = (" CONFLICT_PARAMETERS ")"
                         " WHERE id = ?1 AND (" CONFLICT ") IS NOT (" CONFLICT_PARAMETERS ")",
                         error);
  if (query == NULL)
    return FALSE;
  store_bind_ints (
      query, STORE_INTS (0, conflict->time, conflict->uid[SIDE_LOCAL], conflict->uid[SIDE_REMOTE]));
  store_bind_id (query, 1, conflict->id);
  store_bind_text (query, 5, conflict->kind);
  store_bind_text (query, 6, conflict->mailbox);
  store_bind_text (query, 7, conflict->details);
  store_bind_text (query, 8, choice);
  if (!store_query_run (store, query, error))
    return FALSE;
  if (!is_new)
    return TRUE;
  conflict->id = sqlite3_last_insert_rowid (store->db);
  return drop_oldest_conflicts (store, error);
}

gboolean
store_conflict_delete (Store *store, gint64 id, GError **error)
{
  return store_run_ints (store, "DELETE FROM conflict WHERE id = ?", STORE_INTS (id), error);
}

static StoreConflict *
read_conflict (StoreQuery *query)
{
  StoreConflict *conflict = g_new0 (StoreConflict, 1);

  conflict->id = sqlite3_column_int64 (query, 0);
  conflict->time = sqlite3_column_int64 (query, 1);
  conflict->uid[SIDE_LOCAL] = (guint32)sqlite3_column_int64 (query, 2);
  conflict->uid[SIDE_REMOTE] = (guint32)sqlite3_column_int64 (query, 3);
  conflict->kind = store_column_text (query, 4);
  conflict->mailbox = store_column_text (query, 5);
  conflict->details = store_column_text (query, 6);
  conflict->choice = store_column_text (query, 7);
  return conflict;
}

GPtrArray *
store_conflicts (Store *store, GError **error)
{
  g_autoptr (GPtrArray) conflicts =
      g_ptr_array_new_with_free_func ((GDestroyNotify)store_conflict_free);
  g_autoptr (StoreQuery) query =
      store_query (store, "SELECT id, " CONFLICT " FROM conflict ORDER BY id", error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  while (store_query_next (store, query, &local_error))
    g_ptr_array_add (conflicts, read_conflict (query));
  if (local_error == NULL)
    return g_steal_pointer (&conflicts);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

/* --- settings --- */

char *
store_setting (Store *store, const char *key, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store, "SELECT value FROM setting WHERE key = ?", error);

  if (query == NULL)
    return NULL;
  store_bind_text (query, 1, key);
  return store_query_next (store, query, error) ? store_column_text (query, 0) : NULL;
}

gboolean
store_set_setting (Store *store, const char *key, const char *value, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;

  if (value == NULL)
    query = store_query (store, "DELETE FROM setting WHERE key = ?1", error);
  else
    query = store_query (store,
                         "INSERT INTO setting (key, value) VALUES (?1, ?2)"
                         " ON CONFLICT DO UPDATE SET value = ?2 WHERE value <> ?2",
                         error);
  if (query == NULL)
    return FALSE;
  store_bind_text (query, 1, key);
  if (value != NULL)
    store_bind_text (query, 2, value);
  return store_query_run (store, query, error);
}
