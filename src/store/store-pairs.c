/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#define MAX_WITNESSES "8"
#define PAIR          "local_uid, remote_uid, flags, local_guid, remote_guid"

/* --- how many --- */

static void
counts_add (Store *store, gint64 mailbox, gint64 change)
{
  guint64 *count = g_hash_table_lookup (store->counts, &mailbox);

  if (count != NULL)
    *count += (guint64)change;
}

gboolean
store_pairs_count (Store *store, gint64 mailbox, guint64 *count, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (StoreQuery) query = NULL;
  guint64 *known = g_hash_table_lookup (store->counts, &mailbox);

  if (known != NULL) {
    *count = *known;
    return TRUE;
  }
  query = store_query (store, "SELECT count(*) FROM pair WHERE mailbox = ?", error);
  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (mailbox));
  if (!store_query_next (store, query, &local_error)) {
    g_propagate_error (error, g_steal_pointer (&local_error));
    return FALSE;
  }
  *count = (guint64)sqlite3_column_int64 (query, 0);
  g_hash_table_insert (store->counts, g_memdup2 (&mailbox, sizeof mailbox),
                       g_memdup2 (count, sizeof *count));
  return TRUE;
}

/* --- writing --- */

static void
explain_insert (Store *store, gint64 mailbox, const StorePair *pair, GError **error)
{
  switch (sqlite3_extended_errcode (store->db)) {
  case SQLITE_CONSTRAINT_PRIMARYKEY:
  case SQLITE_CONSTRAINT_UNIQUE:
    g_clear_error (error);
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "In the database %s, mailbox %" G_GINT64_FORMAT
                 ", local UID %u or remote UID %u is paired already",
                 store->file, mailbox, pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE]);
    break;
  case SQLITE_CONSTRAINT_FOREIGNKEY:
    g_clear_error (error);
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The database %s has no mailbox %" G_GINT64_FORMAT, store->file, mailbox);
    break;
  default:
    break;
  }
}

gboolean
store_pairs_insert (Store *store, gint64 mailbox, const StorePair *pairs, gsize n, GError **error)
{
  g_autoptr (StoreQuery) query = store_query (
      store, "INSERT INTO pair (mailbox, " PAIR ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)", error);

  if (query == NULL)
    return FALSE;
  for (gsize i = 0; i < n; i++) {
    const StorePair *pair = &pairs[i];
    g_autoptr (GError) local_error = NULL;

    if (!store_save_flags (store, pair->flags, error))
      return FALSE;
    store_bind_ints (
        query, STORE_INTS (mailbox, pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE], pair->flags));
    store_bind_id (query, 5, (gint64)pair->guid[SIDE_LOCAL]);
    store_bind_id (query, 6, (gint64)pair->guid[SIDE_REMOTE]);
    if (!store_query_run (store, query, &local_error)) {
      explain_insert (store, mailbox, pair, &local_error);
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
    sqlite3_reset (query);
  }
  counts_add (store, mailbox, (gint64)n);
  return TRUE;
}

/* A list that is there already is not written again (R8). */
gboolean
store_pair_set_flags (Store *store, gint64 mailbox, Side by, guint32 uid, FlagsId flags,
                      GError **error)
{
  static const char *const sql[N_SIDES] = {
      "UPDATE pair SET flags = ?3 WHERE mailbox = ?1 AND local_uid = ?2 AND flags <> ?3",
      "UPDATE pair SET flags = ?3 WHERE mailbox = ?1 AND remote_uid = ?2 AND flags <> ?3",
  };

  return store_save_flags (store, flags, error) &&
         store_run_ints (store, sql[by], STORE_INTS (mailbox, uid, flags), error);
}

gboolean
store_pair_delete (Store *store, gint64 mailbox, Side by, guint32 uid, GError **error)
{
  static const char *const sql[N_SIDES] = {
      "DELETE FROM pair WHERE mailbox = ?1 AND local_uid = ?2",
      "DELETE FROM pair WHERE mailbox = ?1 AND remote_uid = ?2",
  };

  if (!store_run_ints (store, sql[by], STORE_INTS (mailbox, uid), error))
    return FALSE;
  counts_add (store, mailbox, -(gint64)sqlite3_changes (store->db));
  return TRUE;
}

gboolean
store_pairs_delete_all (Store *store, gint64 mailbox, GError **error)
{
  g_hash_table_remove (store->counts, &mailbox);
  return store_run_ints (store, "DELETE FROM pair WHERE mailbox = ?", STORE_INTS (mailbox), error);
}

/* --- reading --- */

static gboolean
read_pair (Store *store, StoreQuery *query, int column, StorePair *pair, GError **error)
{
  pair->uid[SIDE_LOCAL] = (guint32)sqlite3_column_int64 (query, column);
  pair->uid[SIDE_REMOTE] = (guint32)sqlite3_column_int64 (query, column + 1);
  pair->guid[SIDE_LOCAL] = (guint64)sqlite3_column_int64 (query, column + 3);
  pair->guid[SIDE_REMOTE] = (guint64)sqlite3_column_int64 (query, column + 4);
  return store_column_flags (store, query, column + 2, &pair->flags, error);
}

gboolean
store_pairs_range (Store *store, gint64 mailbox, Side by, guint32 first, guint32 last,
                   GArray *pairs, GError **error)
{
  static const char *const sql[N_SIDES] = {
      "SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND local_uid BETWEEN ?2 AND ?3"
      " ORDER BY local_uid",
      "SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND remote_uid BETWEEN ?2 AND ?3"
      " ORDER BY remote_uid",
  };
  g_autoptr (StoreQuery) query = store_query (store, sql[by], error);
  g_autoptr (GError) local_error = NULL;
  guint before = pairs->len;
  StorePair pair = {0};

  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (mailbox, first, last));
  while (store_query_next (store, query, &local_error) &&
         read_pair (store, query, 0, &pair, &local_error))
    g_array_append_val (pairs, pair);
  if (local_error == NULL)
    return TRUE;
  g_array_set_size (pairs, before);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
find_pair (Store *store, const char *sql, gint64 mailbox, guint32 uid, StorePair *pair,
           gboolean *found, GError **error)
{
  g_autoptr (StoreQuery) query = store_query (store, sql, error);
  g_autoptr (GError) local_error = NULL;

  *found = FALSE;
  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (mailbox, uid));
  *found = store_query_next (store, query, &local_error) &&
           read_pair (store, query, 0, pair, &local_error);
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
store_pair_find (Store *store, gint64 mailbox, Side by, guint32 uid, StorePair *pair,
                 gboolean *found, GError **error)
{
  static const char *const sql[N_SIDES] = {
      "SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND local_uid = ?2",
      "SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND remote_uid = ?2",
  };

  return find_pair (store, sql[by], mailbox, uid, pair, found, error);
}

gboolean
store_pair_witness (Store *store, gint64 mailbox, Side by, guint32 uid, StorePair *pair,
                    gboolean *found, GError **error)
{
  static const char *const sql[N_SIDES] = {
      "SELECT * FROM (SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND local_uid < ?2"
      " ORDER BY local_uid DESC LIMIT " MAX_WITNESSES ") WHERE local_guid IS NOT NULL LIMIT 1",
      "SELECT * FROM (SELECT " PAIR " FROM pair WHERE mailbox = ?1 AND remote_uid < ?2"
      " ORDER BY remote_uid DESC LIMIT " MAX_WITNESSES ") WHERE remote_guid IS NOT NULL LIMIT 1",
  };

  return find_pair (store, sql[by], mailbox, uid, pair, found, error);
}

/* The plus keeps SQLite from putting ?1 in the first term too, which would lose the index. */
GArray *
store_places_of_guid (Store *store, Side side, guint64 guid, guint max, GError **error)
{
  static const char *const sql[N_SIDES] = {
      "SELECT mailbox, " PAIR " FROM pair"
      " WHERE local_guid & 8388607 = ?1 & 8388607 AND +local_guid = ?1"
      " AND local_guid IS NOT NULL LIMIT ?2",
      "SELECT mailbox, " PAIR " FROM pair"
      " WHERE remote_guid & 8388607 = ?1 & 8388607 AND +remote_guid = ?1"
      " AND remote_guid IS NOT NULL LIMIT ?2",
  };
  g_autoptr (GArray) places = g_array_new (FALSE, TRUE, sizeof (StorePlace));
  g_autoptr (StoreQuery) query = NULL;
  g_autoptr (GError) local_error = NULL;
  StorePlace place = {0};

  if (guid == 0)
    return g_steal_pointer (&places);
  query = store_query (store, sql[side], error);
  if (query == NULL)
    return NULL;
  store_bind_ints (query, STORE_INTS ((gint64)guid, max));
  while (store_query_next (store, query, &local_error) &&
         read_pair (store, query, 1, &place.pair, &local_error)) {
    place.mailbox = sqlite3_column_int64 (query, 0);
    g_array_append_val (places, place);
  }
  if (local_error == NULL)
    return g_steal_pointer (&places);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}
