/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "effect.h"
#include "store/store-private.h"

#include <string.h>

/* Far more lists than any account has: a larger number is damage, not a list. */
#define MAX_FLAG_LISTS (1 << 22)

/* --- queries --- */

StoreQuery *
store_query (Store *store, const char *sql, GError **error)
{
  StoreQuery *query = g_hash_table_lookup (store->queries, sql);
  int rc;

  if (query != NULL)
    return query;
  rc = sqlite3_prepare_v3 (store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &query, NULL);
  if (rc != SQLITE_OK) {
    store->failed = store->in_transaction;
    store->sound = FALSE;
    store_set_error (error, store->file, store->db, rc);
    return NULL;
  }
  g_hash_table_insert (store->queries, (gpointer)sql, query);
  return query;
}

void
store_query_done (StoreQuery *query)
{
  sqlite3_reset (query);
  sqlite3_clear_bindings (query);
}

gboolean
store_query_next (Store *store, StoreQuery *query, GError **error)
{
  int rc = sqlite3_step (query);

  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    store->failed = store->in_transaction;
    store->sound = FALSE;
    store_set_error (error, store->file, store->db, rc);
  }
  return rc == SQLITE_ROW;
}

/* SQLite ends a transaction by itself after some errors (disk full); what follows would then be
 * committed piece by piece. */
static gboolean
can_write (Store *store, GError **error)
{
  g_return_val_if_fail (store->in_transaction, FALSE);

  if (!store->failed && !sqlite3_get_autocommit (store->db))
    return TRUE;
  store->failed = TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "Nothing more is written to the database %s until the failed transaction is undone",
               store->file);
  return FALSE;
}

gboolean
store_query_run (Store *store, StoreQuery *query, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!can_write (store, error))
    return FALSE;
  while (store_query_next (store, query, &local_error))
    ;
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

void
store_bind_ints (StoreQuery *query, const gint64 *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    sqlite3_bind_int64 (query, (int)i + 1, values[i]);
}

void
store_bind_text (StoreQuery *query, int parameter, const char *text)
{
  sqlite3_bind_text (query, parameter, text, -1, SQLITE_STATIC);
}

void
store_bind_bytes (StoreQuery *query, int parameter, GBytes *bytes)
{
  gsize length = 0;
  const void *data = bytes != NULL ? g_bytes_get_data (bytes, &length) : NULL;

  sqlite3_bind_blob64 (query, parameter, data, length, SQLITE_STATIC);
}

void
store_bind_id (StoreQuery *query, int parameter, gint64 id)
{
  if (id != 0)
    sqlite3_bind_int64 (query, parameter, id);
  else
    sqlite3_bind_null (query, parameter);
}

char *
store_column_text (StoreQuery *query, int column)
{
  return g_strdup ((const char *)sqlite3_column_text (query, column));
}

GBytes *
store_column_bytes (StoreQuery *query, int column)
{
  const void *data = sqlite3_column_blob (query, column);
  int length = sqlite3_column_bytes (query, column);

  return data != NULL ? g_bytes_new (data, (gsize)length) : NULL;
}

gboolean
store_run_ints (Store *store, const char *sql, const gint64 *values, gsize n, GError **error)
{
  g_autoptr (StoreQuery) query = store_query (store, sql, error);

  if (query == NULL)
    return FALSE;
  store_bind_ints (query, values, n);
  return store_query_run (store, query, error);
}

/* --- flag lists --- */

static void
set_saved (Store *store, FlagsId id, gboolean saved)
{
  guint old = store->saved_flags->len;

  if (id >= old) {
    g_byte_array_set_size (store->saved_flags, MAX (id + 1, 2 * old));
    memset (store->saved_flags->data + old, 0, store->saved_flags->len - old);
  }
  store->saved_flags->data[id] = saved ? 1 : 0;
}

static gboolean
is_saved (Store *store, gint64 id)
{
  return id == 0 || (id > 0 && id < store->saved_flags->len && store->saved_flags->data[id] != 0);
}

gboolean
store_save_flags (Store *store, FlagsId id, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;

  g_return_val_if_fail (id <= flag_table_max (store->flags), FALSE);

  if (is_saved (store, id))
    return TRUE;
  if (id >= MAX_FLAG_LISTS) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The database %s cannot hold more than %d lists of flags", store->file,
                 MAX_FLAG_LISTS);
    return FALSE;
  }
  query = store_query (store, "INSERT INTO flag_list (id, flags) VALUES (?, ?)", error);
  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (id));
  store_bind_text (query, 2, flag_table_text (store->flags, id));
  if (!store_query_run (store, query, error))
    return FALSE;
  set_saved (store, id, TRUE);
  g_array_append_val (store->new_flags, id);
  return TRUE;
}

gboolean
store_column_flags (Store *store, StoreQuery *query, int column, FlagsId *id, GError **error)
{
  gint64 value = sqlite3_column_int64 (query, column);

  if (!is_saved (store, value)) {
    store->sound = FALSE;
    store_set_damaged (error, store->file, "a list of flags is missing");
    return FALSE;
  }
  *id = (FlagsId)value;
  return TRUE;
}

static gboolean
load_flags (Store *store, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (StoreQuery) query =
      store_query (store, "SELECT id, flags FROM flag_list ORDER BY id", error);

  if (query == NULL)
    return FALSE;
  while (store_query_next (store, query, &local_error)) {
    gint64 id = sqlite3_column_int64 (query, 0);
    const char *text = (const char *)sqlite3_column_text (query, 1);

    if (id <= 0 || id >= MAX_FLAG_LISTS || text == NULL ||
        !flag_table_load (store->flags, (FlagsId)id, text)) {
      store_set_damaged (error, store->file, "its lists of flags contradict each other");
      return FALSE;
    }
    set_saved (store, (FlagsId)id, TRUE);
  }
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

FlagTable *
store_flags (Store *store)
{
  return store->flags;
}

/* --- open and close --- */

static void
free_query (gpointer query)
{
  sqlite3_finalize (query);
}

static Store *
store_new (void)
{
  Store *store = g_new0 (Store, 1);

  store->queries = g_hash_table_new_full (g_direct_hash, g_direct_equal, NULL, free_query);
  store->counts = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  store->flags = flag_table_new ();
  store->saved_flags = g_byte_array_new ();
  store->new_flags = g_array_new (FALSE, FALSE, sizeof (FlagsId));
  return store;
}

Store *
store_open (const char *path, const StoreIdentity identity[N_SIDES], GError **error)
{
  g_autoptr (Store) store = store_new ();
  StoreFileState state;

  g_return_val_if_fail (path != NULL && identity != NULL, NULL);

  store->file = store_file_resolve (path, error);
  if (store->file == NULL)
    return NULL;
  store->lock = store_lock_take (store->file, error);
  if (store->lock == NULL || !store_file_check (store->file, &state, error))
    return NULL;
  if (state == STORE_FILE_CLEAN && store_lock_has_note (store->lock, store->file))
    state = STORE_FILE_UNTOUCHED;
  if (state == STORE_FILE_ABSENT && !store_schema_create (store->file, identity, error))
    return NULL;
  store->db = store_schema_open (store->file, state, identity, error);
  if (store->db == NULL)
    return NULL;
  if (!load_flags (store, error)) {
    sqlite3_db_config (store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, state == STORE_FILE_UNCLEAN,
                       NULL);
    return NULL;
  }
  store->sound = TRUE;
  return g_steal_pointer (&store);
}

void
store_close (Store *store)
{
  if (store == NULL)
    return;
  store_rollback (store);
  g_hash_table_unref (store->queries);
  if (sqlite3_close (store->db) == SQLITE_OK && store->sound)
    store_lock_note (store->lock, store->file);
  store_lock_release (store->lock);
  if (store->scratch != NULL)
    store_copy_remove (store->scratch);
  g_free (store->scratch);
  g_hash_table_unref (store->counts);
  flag_table_free (store->flags);
  g_byte_array_unref (store->saved_flags);
  g_array_unref (store->new_flags);
  g_free (store->file);
  g_free (store);
}

/* --- transactions --- */

gboolean
store_begin (Store *store, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;
  int rc;

  g_return_val_if_fail (!store->in_transaction, FALSE);

  query = store_query (store, "BEGIN IMMEDIATE", error);
  if (query == NULL)
    return FALSE;
  rc = sqlite3_step (query);
  if (rc != SQLITE_DONE) {
    store->sound = FALSE;
    store_set_error (error, store->file, store->db, rc);
    return FALSE;
  }
  store->in_transaction = TRUE;
  store->changes = sqlite3_total_changes (store->db);
  return TRUE;
}

static void
run_for_reading (Store *store, const char *sql)
{
  g_autoptr (StoreQuery) query = store->in_transaction ? NULL : store_query (store, sql, NULL);

  if (query != NULL)
    sqlite3_step (query);
}

void
store_begin_reading (Store *store)
{
  run_for_reading (store, "BEGIN");
}

void
store_end_reading (Store *store)
{
  run_for_reading (store, "COMMIT");
}

/* Once a transaction with intents is committed, effects go out, so it must survive a power cut too
 * (R9). The log is flushed, which makes all that came before it durable as well. Transactions
 * without intents are not flushed: they confirm, and if the power takes them, the intents they
 * would have ended are still open, which is the same as a process killed between the effect and
 * its confirmation (R5). The user's own changes since then have not been mirrored, or an intent
 * would have been flushed first. */
static gboolean
flush_log (Store *store, GError **error)
{
  sqlite3_file *log = NULL;
  int rc = sqlite3_file_control (store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

  if (rc == SQLITE_OK && log != NULL && log->pMethods != NULL)
    rc = log->pMethods->xSync (log, SQLITE_SYNC_NORMAL);
  if (rc != SQLITE_OK) {
    store->sound = FALSE;
    store_set_error (error, store->file, NULL, rc);
  }
  return rc == SQLITE_OK;
}

static void
end_transaction (Store *store)
{
  store->in_transaction = store->failed = store->durable = FALSE;
  g_array_set_size (store->new_flags, 0);
}

gboolean
store_commit (Store *store, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;
  gboolean durable = store->durable;

  g_return_val_if_fail (store->in_transaction, FALSE);

  query = store_query (store, "COMMIT", error);
  if (query == NULL || !store_query_run (store, query, error))
    return FALSE;
  EFFECT ("commit", );
  if (sqlite3_total_changes (store->db) != store->changes)
    store->writes++;
  end_transaction (store);
  return !durable || flush_log (store, error);
}

void
store_rollback (Store *store)
{
  if (!store->in_transaction)
    return;
  for (guint i = 0; i < store->new_flags->len; i++)
    set_saved (store, g_array_index (store->new_flags, FlagsId, i), FALSE);
  g_hash_table_remove_all (store->counts);
  if (!sqlite3_get_autocommit (store->db))
    sqlite3_exec (store->db, "ROLLBACK", NULL, NULL, NULL);
  end_transaction (store);
}

guint64
store_writes (Store *store)
{
  return store->writes;
}
