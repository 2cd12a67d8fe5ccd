/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

void
store_refusal_free (StoreRefusal *refusal)
{
  if (refusal == NULL)
    return;
  g_free (refusal->name);
  g_free (refusal->new_name);
  g_free (refusal->reason);
  g_free (refusal);
}

gboolean
store_refusal_save (Store *store, const StoreRefusal *refusal, GError **error)
{
  g_autoptr (StoreQuery) query = store_query (
      store,
      "INSERT INTO refusal (kind, side, retry_at, name, new_name, reason)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET (retry_at, reason) = (?3, ?6)",
      error);

  if (query == NULL)
    return FALSE;
  store_bind_ints (query, STORE_INTS (refusal->kind, refusal->side, refusal->retry_at));
  store_bind_text (query, 4, refusal->name);
  store_bind_text (query, 5, refusal->new_name != NULL ? refusal->new_name : "");
  store_bind_text (query, 6, refusal->reason);
  return store_query_run (store, query, error);
}

gboolean
store_refusals_forget (Store *store, const char *name, GError **error)
{
  g_autoptr (StoreQuery) query =
      store_query (store, "DELETE FROM refusal WHERE ?1 IN (name, new_name)", error);

  if (query == NULL)
    return FALSE;
  store_bind_text (query, 1, name);
  return store_query_run (store, query, error);
}

gboolean
store_refusals_expire (Store *store, gint64 now, GError **error)
{
  return store_run_ints (store, "DELETE FROM refusal WHERE retry_at <= ?", STORE_INTS (now), error);
}

static StoreRefusal *
read_refusal (StoreQuery *query)
{
  StoreRefusal *refusal = g_new0 (StoreRefusal, 1);

  refusal->kind = (StoreIntentKind)sqlite3_column_int (query, 0);
  refusal->side = (Side)sqlite3_column_int (query, 1);
  refusal->retry_at = sqlite3_column_int64 (query, 2);
  refusal->name = store_column_text (query, 3);
  refusal->new_name = store_column_text (query, 4);
  if (*refusal->new_name == '\0')
    g_clear_pointer (&refusal->new_name, g_free);
  refusal->reason = store_column_text (query, 5);
  return refusal;
}

GPtrArray *
store_refusals (Store *store, gint64 now, GError **error)
{
  g_autoptr (GPtrArray) refusals =
      g_ptr_array_new_with_free_func ((GDestroyNotify)store_refusal_free);
  g_autoptr (StoreQuery) query =
      store_query (store,
                   "SELECT kind, side, retry_at, name, new_name, reason FROM refusal"
                   " WHERE retry_at > ? ORDER BY kind, side, name, new_name",
                   error);
  g_autoptr (GError) local_error = NULL;

  if (query == NULL)
    return NULL;
  store_bind_ints (query, STORE_INTS (now));
  while (store_query_next (store, query, &local_error))
    g_ptr_array_add (refusals, read_refusal (query));
  if (local_error == NULL)
    return g_steal_pointer (&refusals);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}
