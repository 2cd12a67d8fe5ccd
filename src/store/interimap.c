/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/interimap.h"

#include "store/store-private.h"

#define SCHEMA_VERSION 1

static void
mailbox_free (gpointer data)
{
  InterimapMailbox *mailbox = data;

  g_free (mailbox->name);
  g_array_unref (mailbox->pairs);
  g_free (mailbox);
}

static gboolean
fail (const char *path, const char *why, GError **error)
{
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "The database of InterIMAP %s cannot be read: %s", path, why);
  return FALSE;
}

static gboolean
check_version (sqlite3 *db, const char *path, GError **error)
{
  g_autoptr (sqlite3_stmt) query = NULL;

  if (sqlite3_prepare_v2 (db, "PRAGMA user_version", -1, &query, NULL) != SQLITE_OK ||
      sqlite3_step (query) != SQLITE_ROW)
    return fail (path, sqlite3_errmsg (db), error);
  if (sqlite3_column_int (query, 0) == SCHEMA_VERSION)
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "The database of InterIMAP %s has schema version %d, and only version %d is known; "
               "a run of InterIMAP 0.5 or newer brings it there",
               path, sqlite3_column_int (query, 0), SCHEMA_VERSION);
  return FALSE;
}

/* Levels are joined by NUL there. */
static char *
make_name (const void *blob, int length)
{
  char *name = g_strndup (blob, length);

  for (int i = 0; i < length; i++)
    name[i] = ((const char *)blob)[i] != '\0' ? ((const char *)blob)[i] : MAILBOX_NAME_SEPARATOR;
  return name;
}

static gboolean
is_uid (gint64 number)
{
  return number > 0 && number <= G_MAXUINT32;
}

static gboolean
load_pairs (sqlite3 *db, const char *path, gint64 idx, InterimapMailbox *mailbox, GError **error)
{
  static const char sql[] = "SELECT lUID, rUID FROM mapping WHERE idx = ? ORDER BY lUID";
  g_autoptr (sqlite3_stmt) query = NULL;
  int rc;

  if (sqlite3_prepare_v2 (db, sql, -1, &query, NULL) != SQLITE_OK)
    return fail (path, sqlite3_errmsg (db), error);
  sqlite3_bind_int64 (query, 1, idx);
  while ((rc = sqlite3_step (query)) == SQLITE_ROW) {
    gint64 local = sqlite3_column_int64 (query, 0), remote = sqlite3_column_int64 (query, 1);
    StorePair pair = {.uid = {(guint32)local, (guint32)remote}};

    if (!is_uid (local) || !is_uid (remote))
      return fail (path, "a UID is out of range", error);
    g_array_append_val (mailbox->pairs, pair);
  }
  return rc == SQLITE_DONE || fail (path, sqlite3_errmsg (db), error);
}

static InterimapMailbox *
make_mailbox (sqlite3_stmt *query)
{
  InterimapMailbox *mailbox = g_new0 (InterimapMailbox, 1);

  mailbox->name = make_name (sqlite3_column_blob (query, 1), sqlite3_column_bytes (query, 1));
  mailbox->subscribed = sqlite3_column_int (query, 2) != 0;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->uidvalidity[side] = (guint32)sqlite3_column_int64 (query, 3 + (int)side * 2);
    mailbox->uidnext[side] = (guint32)sqlite3_column_int64 (query, 4 + (int)side * 2);
  }
  mailbox->pairs = g_array_new (FALSE, TRUE, sizeof (StorePair));
  return mailbox;
}

static gboolean
load_mailboxes (sqlite3 *db, const char *path, GPtrArray *mailboxes, GError **error)
{
  static const char sql[] =
      "SELECT m.idx, m.mailbox, m.subscribed, l.UIDVALIDITY, l.UIDNEXT, r.UIDVALIDITY, r.UIDNEXT "
      "FROM mailboxes m JOIN local l ON l.idx = m.idx JOIN remote r ON r.idx = m.idx";
  g_autoptr (sqlite3_stmt) query = NULL;
  int rc;

  if (sqlite3_prepare_v2 (db, sql, -1, &query, NULL) != SQLITE_OK)
    return fail (path, sqlite3_errmsg (db), error);
  while ((rc = sqlite3_step (query)) == SQLITE_ROW) {
    InterimapMailbox *mailbox = make_mailbox (query);

    g_ptr_array_add (mailboxes, mailbox);
    if (!load_pairs (db, path, sqlite3_column_int64 (query, 0), mailbox, error))
      return FALSE;
  }
  return rc == SQLITE_DONE || fail (path, sqlite3_errmsg (db), error);
}

GPtrArray *
interimap_load (const char *path, GError **error)
{
  g_autoptr (GPtrArray) mailboxes = g_ptr_array_new_with_free_func (mailbox_free);
  g_autoptr (sqlite3) db = NULL;

  if (sqlite3_open_v2 (path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
    fail (path, sqlite3_errmsg (db), error);
    return NULL;
  }
  if (!check_version (db, path, error) || !load_mailboxes (db, path, mailboxes, error))
    return NULL;
  return g_steal_pointer (&mailboxes);
}
