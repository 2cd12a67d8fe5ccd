/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#include <glib/gstdio.h>
#include <string.h>

/* --- versions --- */

/* Version 1. The pair's key is the row itself, a guid of 0 is NULL and takes no byte, and the
 * indexes of guids hold 23 bits (three bytes) of each: random numbers fill a tree's pages badly and
 * touch one for each insert, so small is fast. The identity's table must keep its form for ever: it
 * is read before older files are migrated. Numbers of mailboxes, intents, holds and conflicts are
 * never given twice: others remember them. */
static const char version_1[] =
    "CREATE TABLE identity ("
    "  side INTEGER PRIMARY KEY CHECK (side IN (0, 1)),"
    "  type TEXT NOT NULL, host TEXT NOT NULL,"
    "  port INTEGER NOT NULL, username TEXT NOT NULL);"
    "CREATE TABLE flag_list ("
    "  id INTEGER PRIMARY KEY CHECK (id > 0), flags TEXT NOT NULL);"
    "CREATE TABLE mailbox ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    "  local_uidvalidity INTEGER NOT NULL, local_uidnext INTEGER NOT NULL,"
    "  local_highestmodseq INTEGER NOT NULL, local_listed INTEGER NOT NULL,"
    "  local_subscribed INTEGER NOT NULL, local_mailboxid TEXT,"
    "  remote_uidvalidity INTEGER NOT NULL, remote_uidnext INTEGER NOT NULL,"
    "  remote_highestmodseq INTEGER NOT NULL, remote_listed INTEGER NOT NULL,"
    "  remote_subscribed INTEGER NOT NULL, remote_mailboxid TEXT);"
    "CREATE TABLE pair ("
    "  mailbox INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,"
    "  local_uid INTEGER NOT NULL CHECK (local_uid BETWEEN 1 AND 4294967295),"
    "  remote_uid INTEGER NOT NULL CHECK (remote_uid BETWEEN 1 AND 4294967295),"
    "  flags INTEGER NOT NULL, local_guid INTEGER, remote_guid INTEGER,"
    "  PRIMARY KEY (mailbox, local_uid)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX pair_by_remote_uid ON pair (mailbox, remote_uid);"
    "CREATE INDEX pair_by_local_guid ON pair (local_guid & 8388607)"
    "  WHERE local_guid IS NOT NULL;"
    "CREATE INDEX pair_by_remote_guid ON pair (remote_guid & 8388607)"
    "  WHERE remote_guid IS NOT NULL;"
    "CREATE TABLE intent ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,"
    "  mailbox INTEGER REFERENCES mailbox ON DELETE CASCADE,"
    "  side INTEGER NOT NULL CHECK (side IN (0, 1)), uids TEXT, flags INTEGER NOT NULL,"
    "  uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, name TEXT, new_name TEXT);"
    "CREATE TABLE hold ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  mailbox INTEGER REFERENCES mailbox ON DELETE CASCADE,"
    "  side INTEGER NOT NULL CHECK (side IN (0, 1)), uid INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL, reason TEXT, since INTEGER NOT NULL,"
    "  retry_at INTEGER NOT NULL, attempts INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX hold_by_key ON hold (mailbox, side, uid, kind);"
    "CREATE TABLE refused ("
    "  mailbox INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,"
    "  side INTEGER NOT NULL CHECK (side IN (0, 1)), flags INTEGER NOT NULL,"
    "  PRIMARY KEY (mailbox, side)) WITHOUT ROWID;"
    "CREATE TABLE conflict ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, kind TEXT NOT NULL,"
    "  mailbox TEXT, local_uid INTEGER NOT NULL, remote_uid INTEGER NOT NULL,"
    "  details TEXT, choice TEXT);"
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

static int
migrate_to_1 (sqlite3 *db)
{
  int rc = sqlite3_exec (db, "PRAGMA application_id = " G_STRINGIFY (STORE_APPLICATION_ID), NULL,
                         NULL, NULL);

  return rc == SQLITE_OK ? sqlite3_exec (db, version_1, NULL, NULL, NULL) : rc;
}

/* Version 2: what a server refuses to do with its mailboxes is not asked of it at each run. */
static const char version_2[] =
    "CREATE TABLE refusal ("
    "  kind INTEGER NOT NULL, side INTEGER NOT NULL CHECK (side IN (0, 1)),"
    "  name TEXT NOT NULL, new_name TEXT NOT NULL, reason TEXT, retry_at INTEGER NOT NULL,"
    "  PRIMARY KEY (kind, side, name, new_name)) WITHOUT ROWID;";

static int
migrate_to_2 (sqlite3 *db)
{
  return sqlite3_exec (db, version_2, NULL, NULL, NULL);
}

/* Version 3: a copy whose original is gone is known by what the intent says of it. */
static int
migrate_to_3 (sqlite3 *db)
{
  return sqlite3_exec (db, "ALTER TABLE intent ADD COLUMN descriptions BLOB", NULL, NULL, NULL);
}

static const StoreMigration migrations[] = {migrate_to_1, migrate_to_2, migrate_to_3};

gboolean
store_schema_check (const char *file, guint32 application_id, gint32 version, GError **error)
{
  if (application_id != STORE_APPLICATION_ID) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The database %s is another program's; name another file in \"database\", or move "
                 "this one away",
                 file);
    return FALSE;
  }
  if (version > (gint32)G_N_ELEMENTS (migrations)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The database %s is of a newer imapsync (schema %d, known here are those up to "
                 "%d); use that one, or name another file in \"database\"",
                 file, version, (int)G_N_ELEMENTS (migrations));
    return FALSE;
  }
  if (version < 1) {
    store_set_damaged (error, file, "it has no schema version");
    return FALSE;
  }
  return TRUE;
}

/* --- small queries --- */

static gboolean
run (const char *file, sqlite3 *db, const char *sql, GError **error)
{
  int rc = sqlite3_exec (db, sql, NULL, NULL, NULL);

  if (rc != SQLITE_OK)
    store_set_error (error, file, db, rc);
  return rc == SQLITE_OK;
}

static gboolean
read_int (const char *file, sqlite3 *db, const char *sql, gint64 *value, GError **error)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc != SQLITE_ROW) {
    store_set_error (error, file, db, rc);
    return FALSE;
  }
  *value = sqlite3_column_int64 (statement, 0);
  return TRUE;
}

/* --- migrations --- */

static int
migrate (sqlite3 *db, StoreMigration migration, gint32 version)
{
  g_autofree char *stamp = g_strdup_printf ("PRAGMA user_version = %d", version);
  int rc = sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  if (rc == SQLITE_OK)
    rc = migration (db);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (db, stamp, NULL, NULL, NULL);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (db, "COMMIT", NULL, NULL, NULL);
  return rc;
}

gboolean
store_schema_migrate (const char *file, sqlite3 *db, const StoreMigration *steps, gint32 n,
                      GError **error)
{
  gint64 version;

  if (!read_int (file, db, "PRAGMA user_version", &version, error))
    return FALSE;
  for (gint32 i = (gint32)version; i < n; i++) {
    int rc = migrate (db, steps[i], i + 1);

    if (rc != SQLITE_OK) {
      store_set_error (error, file, db, rc);
      g_debug ("%s: the step to version %d of its tables failed: %s", file, i + 1,
               sqlite3_errmsg (db));
      if (!sqlite3_get_autocommit (db))
        sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
      return FALSE;
    }
  }
  return TRUE;
}

/* --- identity --- */

/* What may differ without another mailbox being meant: with or without TLS, letters of a host. */
static void
normalize (StoreIdentity *to, const StoreIdentity *from)
{
  gboolean tunnel = g_strcmp0 (from->type, "tunnel") == 0;

  to->type = g_strdup (g_strcmp0 (from->type, "imaps") == 0 ? "imap" : from->type);
  to->host = tunnel ? g_strdup (from->host) : g_ascii_strdown (from->host, -1);
  to->port = tunnel ? 0 : from->port == 993 ? 143 : from->port;
  to->username = g_strdup (from->username != NULL ? from->username : "");
}

static void
identity_clear (StoreIdentity *identity)
{
  g_free (identity->type);
  g_free (identity->host);
  g_free (identity->username);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StoreIdentity, identity_clear)

static char *
describe (const StoreIdentity *identity)
{
  GString *text = g_string_new (NULL);

  if (g_strcmp0 (identity->type, "imap") != 0)
    g_string_append_printf (text, "%s ", identity->type);
  if (identity->username[0] != '\0')
    g_string_append_printf (text, "%s@", identity->username);
  g_string_append (text, identity->host);
  if (identity->port != 0 && identity->port != 143)
    g_string_append_printf (text, ":%u", identity->port);
  return g_string_free (text, FALSE);
}

static gboolean
identity_equal (const StoreIdentity *a, const StoreIdentity *b)
{
  return g_str_equal (a->type, b->type) && g_str_equal (a->host, b->host) && a->port == b->port &&
         g_str_equal (a->username, b->username);
}

static gboolean
save_identity (const char *file, sqlite3 *db, Side side, const StoreIdentity *given, GError **error)
{
  g_auto (StoreIdentity) identity = {0};
  g_autoptr (sqlite3_stmt) statement = NULL;
  int rc =
      sqlite3_prepare_v2 (db, "INSERT INTO identity VALUES (?, ?, ?, ?, ?)", -1, &statement, NULL);

  normalize (&identity, given);
  if (rc == SQLITE_OK) {
    sqlite3_bind_int (statement, 1, side);
    store_bind_text (statement, 2, identity.type);
    store_bind_text (statement, 3, identity.host);
    sqlite3_bind_int64 (statement, 4, identity.port);
    store_bind_text (statement, 5, identity.username);
    rc = sqlite3_step (statement);
  }
  if (rc != SQLITE_DONE)
    store_set_error (error, file, db, rc);
  return rc == SQLITE_DONE;
}

static gboolean
read_identity (const char *file, sqlite3 *db, Side side, StoreIdentity *identity, GError **error)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  int rc = sqlite3_prepare_v2 (db, "SELECT type, host, port, username FROM identity WHERE side = ?",
                               -1, &statement, NULL);

  if (rc == SQLITE_OK) {
    sqlite3_bind_int (statement, 1, side);
    rc = sqlite3_step (statement);
  }
  if (rc == SQLITE_DONE) {
    store_set_damaged (error, file, "it does not say whose it is");
    return FALSE;
  }
  if (rc != SQLITE_ROW) {
    store_set_error (error, file, db, rc);
    return FALSE;
  }
  identity->type = g_strdup ((const char *)sqlite3_column_text (statement, 0));
  identity->host = g_strdup ((const char *)sqlite3_column_text (statement, 1));
  identity->port = (guint)sqlite3_column_int64 (statement, 2);
  identity->username = g_strdup ((const char *)sqlite3_column_text (statement, 3));
  return TRUE;
}

static gboolean
check_identity (const char *file, sqlite3 *db, const StoreIdentity given[N_SIDES], GError **error)
{
  g_auto (StoreIdentity) has_local = {0}, has_remote = {0}, local = {0}, remote = {0};
  g_autofree char *has_local_text = NULL, *has_remote_text = NULL, *local_text = NULL,
                  *remote_text = NULL;

  if (!read_identity (file, db, SIDE_LOCAL, &has_local, error) ||
      !read_identity (file, db, SIDE_REMOTE, &has_remote, error))
    return FALSE;
  normalize (&local, &given[SIDE_LOCAL]);
  normalize (&remote, &given[SIDE_REMOTE]);
  if (identity_equal (&has_local, &local) && identity_equal (&has_remote, &remote))
    return TRUE;
  has_local_text = describe (&has_local);
  has_remote_text = describe (&has_remote);
  local_text = describe (&local);
  remote_text = describe (&remote);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "The database %s belongs to %s (local) and %s (remote), not to %s and %s; name "
               "another file in \"database\", or move this one away",
               file, has_local_text, has_remote_text, local_text, remote_text);
  return FALSE;
}

/* --- creation --- */

static sqlite3 *
connect (const char *path, const char *file, GError **error)
{
  g_autoptr (sqlite3) db = NULL;
  int rc = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

  if (rc != SQLITE_OK) {
    store_set_error (error, file, db, rc);
    return NULL;
  }
  sqlite3_extended_result_codes (db, 1);
  sqlite3_busy_timeout (db, 1000);
  return g_steal_pointer (&db);
}

static gboolean
fill (const char *path, const char *file, const StoreIdentity identity[N_SIDES], GError **error)
{
  g_autoptr (sqlite3) db = connect (path, file, error);

  return db != NULL &&
         run (file, db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL", error) &&
         store_schema_migrate (file, db, migrations, G_N_ELEMENTS (migrations), error) &&
         save_identity (file, db, SIDE_LOCAL, &identity[SIDE_LOCAL], error) &&
         save_identity (file, db, SIDE_REMOTE, &identity[SIDE_REMOTE], error) &&
         run (file, db, "PRAGMA journal_mode = WAL", error);
}

/* Under another name until it is complete: a file of the right name always tells its version and
 * its owner in its first page, whatever ended the process or the power. The log of a database that
 * somebody removed must not be taken for this one's. */
gboolean
store_schema_create (const char *file, const StoreIdentity identity[N_SIDES], GError **error)
{
  g_autofree char *path = g_strconcat (file, ".new", NULL);
  gboolean good;

  g_unlink (path);
  store_file_remove_logs (path);
  good = store_file_create (path, error) && fill (path, file, identity, error);
  if (good) {
    store_file_remove_logs (file);
    good = store_file_rename (path, file, error);
  }
  if (!good) {
    g_unlink (path);
    store_file_remove_logs (path);
  }
  return good;
}

/* --- opening --- */

/* The same questions as store_file_check() asks of the file, now of file and log together. */
static gboolean
check_version (const char *file, sqlite3 *db, GError **error)
{
  gint64 application, version;

  return read_int (file, db, "PRAGMA application_id", &application, error) &&
         read_int (file, db, "PRAGMA user_version", &version, error) &&
         store_schema_check (file, (guint32)application, (gint32)version, error);
}

static gboolean
check_pages (const char *file, sqlite3 *db, GError **error)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  int rc = sqlite3_prepare_v2 (db, "PRAGMA quick_check(1)", -1, &statement, NULL);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc != SQLITE_ROW) {
    store_set_error (error, file, db, rc);
    return FALSE;
  }
  if (g_strcmp0 ((const char *)sqlite3_column_text (statement, 0), "ok") != 0) {
    store_set_damaged (error, file, (const char *)sqlite3_column_text (statement, 0));
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_all (const char *file, sqlite3 *db, StoreFileState state,
           const StoreIdentity identity[N_SIDES], GError **error)
{
  /* First of all: so SQLite keeps the log's index in its own memory, not in a file. */
  if (!run (file, db,
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
            "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
            "PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 2000;"
            "PRAGMA journal_size_limit = 8388608",
            error))
    return FALSE;
  if (!check_version (file, db, error) || !check_identity (file, db, identity, error))
    return FALSE;
  /* It takes a second for a million pairs: not worth it for what nobody touched. */
  return state == STORE_FILE_UNTOUCHED || check_pages (file, db, error);
}

/* synchronous = NORMAL: a power cut may take the last transactions, never their order or their
 * wholeness. store_commit() says why that is enough, and where it is not. */
static gboolean
make_ready (const char *file, sqlite3 *db, GError **error)
{
  gint64 version;

  if (!read_int (file, db, "PRAGMA user_version", &version, error) ||
      !run (file, db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", error))
    return FALSE;
  if (version < (gint64)G_N_ELEMENTS (migrations)) {
    if (!store_schema_migrate (file, db, migrations, G_N_ELEMENTS (migrations), error) ||
        !run (file, db, "PRAGMA wal_checkpoint(TRUNCATE)", error))
      return FALSE;
  }
  return run (file, db, "PRAGMA foreign_keys = ON", error);
}

sqlite3 *
store_schema_open (const char *file, StoreFileState state, const StoreIdentity identity[N_SIDES],
                   GError **error)
{
  g_autoptr (sqlite3) db = connect (file, file, error);

  if (db == NULL)
    return NULL;
  /* A refused file stays as it is: to close it must not carry its log over. */
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, state == STORE_FILE_UNCLEAN, NULL);
  if (!check_all (file, db, state, identity, error))
    return NULL;
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  store_file_restrict (file);
  return make_ready (file, db, error) ? g_steal_pointer (&db) : NULL;
}
