/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#define SIDE_COLUMNS(side)                                                                         \
  side "_uidvalidity, " side "_uidnext, " side "_highestmodseq, " side "_listed, " side            \
       "_subscribed, " side "_mailboxid"
#define COLUMNS    "name, " SIDE_COLUMNS ("local") ", " SIDE_COLUMNS ("remote")
#define PARAMETERS "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14"

void
store_mailbox_free (StoreMailbox *mailbox)
{
  if (mailbox == NULL)
    return;
  g_free (mailbox->name);
  for (Side side = 0; side < N_SIDES; side++)
    g_free (mailbox->side[side].mailboxid);
  g_free (mailbox);
}

static StoreMailbox *
read_mailbox (StoreQuery *query)
{
  StoreMailbox *mailbox = g_new0 (StoreMailbox, 1);

  mailbox->id = sqlite3_column_int64 (query, 0);
  mailbox->name = store_column_text (query, 1);
  for (Side side = 0; side < N_SIDES; side++) {
    int column = 2 + 6 * (int)side;

    mailbox->side[side].uidvalidity = (guint32)sqlite3_column_int64 (query, column);
    mailbox->side[side].uidnext = (guint32)sqlite3_column_int64 (query, column + 1);
    mailbox->side[side].highestmodseq = (guint64)sqlite3_column_int64 (query, column + 2);
    mailbox->side[side].listed = sqlite3_column_int (query, column + 3) != 0;
    mailbox->side[side].subscribed = sqlite3_column_int (query, column + 4) != 0;
    mailbox->side[side].mailboxid = store_column_text (query, column + 5);
  }
  return mailbox;
}

GPtrArray *
store_mailboxes (Store *store, GError **error)
{
  g_autoptr (GPtrArray) mailboxes =
      g_ptr_array_new_with_free_func ((GDestroyNotify)store_mailbox_free);
  g_autoptr (StoreQuery) query =
      store_query (store, "SELECT id, " COLUMNS " FROM mailbox ORDER BY name", error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  while (store_query_next (store, query, &local_error))
    g_ptr_array_add (mailboxes, read_mailbox (query));
  if (local_error == NULL)
    return g_steal_pointer (&mailboxes);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

/* Parameter 1 is the caller's: the id. */
static void
bind_mailbox (StoreQuery *query, const StoreMailbox *mailbox)
{
  store_bind_text (query, 2, mailbox->name);
  for (Side side = 0; side < N_SIDES; side++) {
    int parameter = 3 + 6 * (int)side;

    sqlite3_bind_int64 (query, parameter, mailbox->side[side].uidvalidity);
    sqlite3_bind_int64 (query, parameter + 1, mailbox->side[side].uidnext);
    sqlite3_bind_int64 (query, parameter + 2, (gint64)mailbox->side[side].highestmodseq);
    sqlite3_bind_int64 (query, parameter + 3, mailbox->side[side].listed != FALSE);
    sqlite3_bind_int64 (query, parameter + 4, mailbox->side[side].subscribed != FALSE);
    store_bind_text (query, parameter + 5, mailbox->side[side].mailboxid);
  }
}

static gboolean
mailbox_exists (Store *store, gint64 id, GError **error)
{
  g_autoptr (StoreQuery) query = store_query (store, "SELECT 1 FROM mailbox WHERE id = ?", error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (id));
  if (store_query_next (store, query, &local_error))
    return TRUE;
  if (local_error == NULL)
    g_set_error (&local_error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The database %s has no mailbox %" G_GINT64_FORMAT, store->file, id);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* What is there already is not written again (R8). */
gboolean
store_mailbox_save (Store *store, StoreMailbox *mailbox, GError **error)
{
  g_autoptr (StoreQuery) query = NULL;

  if (mailbox->id == 0)
    query = store_query (store, "INSERT INTO mailbox (id, " COLUMNS ") VALUES (?1, " PARAMETERS ")",
                         error);
  else
    query = store_query (store,
                         "UPDATE mailbox SET (" COLUMNS ") = (" PARAMETERS ")"
                         " WHERE id = ?1 AND (" COLUMNS ") IS NOT (" PARAMETERS ")",
                         error);
  if (query == NULL)
    return FALSE;
  store_bind_id (query, 1, mailbox->id);
  bind_mailbox (query, mailbox);
  if (!store_query_run (store, query, error)) {
    g_prefix_error (error, "Mailbox %s: ", mailbox->name);
    return FALSE;
  }
  if (mailbox->id != 0)
    return sqlite3_changes (store->db) > 0 || mailbox_exists (store, mailbox->id, error);
  mailbox->id = sqlite3_last_insert_rowid (store->db);
  return TRUE;
}

gboolean
store_mailbox_delete (Store *store, gint64 mailbox, GError **error)
{
  g_hash_table_remove (store->counts, &mailbox);
  return store_run_ints (store, "DELETE FROM mailbox WHERE id = ?", STORE_INTS (mailbox), error);
}

/* --- flags that a side refused --- */

gboolean
store_refused_flags (Store *store, gint64 mailbox, Side side, FlagsId *flags, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store, "SELECT flags FROM refused WHERE mailbox = ? AND side = ?", error);
  g_autoptr (GError) local_error = NULL;

  *flags = 0;
  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (mailbox, side));
  if (store_query_next (store, query, &local_error))
    return store_column_flags (store, query, 0, flags, error);
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
store_set_refused_flags (Store *store, gint64 mailbox, Side side, FlagsId flags, GError **error)
{
  if (flags == 0)
    return store_run_ints (store, "DELETE FROM refused WHERE mailbox = ? AND side = ?",
                           STORE_INTS (mailbox, side), error);
  return store_save_flags (store, flags, error) &&
         store_run_ints (store,
                         "INSERT INTO refused (mailbox, side, flags) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT DO UPDATE SET flags = ?3 WHERE flags <> ?3",
                         STORE_INTS (mailbox, side, flags), error);
}
