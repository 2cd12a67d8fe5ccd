/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

G_BEGIN_DECLS

/* What the files of src/store share.
 *
 * Queries are prepared once per connection and kept: each is asked for by its (static) SQL text,
 * used, and given back by the autoptr, which resets it. One query is never in use twice. */
typedef sqlite3_stmt StoreQuery;
typedef struct _StoreLock StoreLock;

struct _Store {
  char *file;
  StoreLock *lock;
  char *scratch; /* folder of a copy, which goes with it; or NULL */
  sqlite3 *db;
  GHashTable *queries; /* const char * (static SQL), StoreQuery */
  GHashTable *counts;  /* mailbox (gint64), pairs (guint64): counting a million takes its time */
  FlagTable *flags;
  GByteArray *saved_flags; /* 1 at each FlagsId that the database has */
  GArray *new_flags;       /* FlagsId: saved in the transaction that is open */
  gboolean in_transaction;
  gboolean failed;  /* something in the open transaction did: it must not be committed */
  gboolean sound;   /* it opened, and nothing has failed since */
  gboolean durable; /* the open transaction holds an intent */
  int changes;      /* sqlite3_total_changes() when the transaction began */
  guint64 writes;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3, sqlite3_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

/* --- store.c: queries --- */

StoreQuery *store_query (Store *store, const char *sql, GError **error);
void store_query_done (StoreQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreQuery, store_query_done)

/* The next row of @query; FALSE at the end (no error) or for an error. */
gboolean store_query_next (Store *store, StoreQuery *query, GError **error);
/* Carries out @query, which writes: only within a transaction in which nothing failed. */
gboolean store_query_run (Store *store, StoreQuery *query, GError **error);

/* Binds integers from parameter 1 on; the arguments are converted to gint64. */
#define STORE_INTS(...)                                                                            \
  (const gint64[]){__VA_ARGS__}, sizeof ((const gint64[]){__VA_ARGS__}) / sizeof (gint64)
void store_bind_ints (StoreQuery *query, const gint64 *values, gsize n);
/* @text and @bytes are not copied: they have to live as long as the query is in use. NULL is NULL.
 */
void store_bind_text (StoreQuery *query, int parameter, const char *text);
void store_bind_bytes (StoreQuery *query, int parameter, GBytes *bytes);
/* 0 is NULL. */
void store_bind_id (StoreQuery *query, int parameter, gint64 id);
char *store_column_text (StoreQuery *query, int column);
GBytes *store_column_bytes (StoreQuery *query, int column);

/* A query that writes and has integers alone. */
gboolean
store_run_ints (Store *store, const char *sql, const gint64 *values, gsize n, GError **error);

/* Makes sure that the list @id is in the database when the open transaction is. */
gboolean store_save_flags (Store *store, FlagsId id, GError **error);
/* The list number in @column, which must be one that the database has. */
gboolean
store_column_flags (Store *store, StoreQuery *query, int column, FlagsId *id, GError **error);

/* --- store-file.c: the file, before SQLite sees it --- */

typedef enum {
  STORE_FILE_ABSENT,    /* or empty */
  STORE_FILE_UNTOUCHED, /* closed by us, and the same file since, as far as its metadata tell */
  STORE_FILE_CLEAN,     /* closed by its last user */
  STORE_FILE_UNCLEAN,   /* there is a log to recover from */
} StoreFileState;

/* The real path of @path, whose folder is created (0700) if need be. */
char *store_file_resolve (const char *path, GError **error);
/* Whether @file may be opened as a database of ours; it is read, never written. */
gboolean store_file_check (const char *file, StoreFileState *state, GError **error);
/* Mode 0600 for @file and its log. */
void store_file_restrict (const char *file);
/* Removes what SQLite keeps beside @file. */
void store_file_remove_logs (const char *file);
/* Creates @file, empty, 0600. */
gboolean store_file_create (const char *file, GError **error);
/* Moves @from to @to, for good. */
gboolean store_file_rename (const char *from, const char *to, GError **error);

/* The error for @errnum or for SQLite's @rc; @what is a clause: "cannot be opened". */
void store_set_errno (GError **error, const char *file, const char *what, int errnum);
void store_set_error (GError **error, const char *file, sqlite3 *db, int rc);
void store_set_damaged (GError **error, const char *file, const char *why);

/* --- store-copy.c --- */

/* Removes @folder, where a copy was. */
void store_copy_remove (const char *folder);

/* --- store-lock.c --- */

StoreLock *store_lock_take (const char *file, GError **error);
void store_lock_release (StoreLock *lock);
/* What is noted beside the lock of how the closed @file was left: its inode, its size and when it
 * was last written. It is good for one opening, as taking the lock removes it. */
void store_lock_note (StoreLock *lock, const char *file);
/* Whether @file is as the last note had it. */
gboolean store_lock_has_note (const StoreLock *lock, const char *file);

/* --- store-schema.c --- */

#define STORE_APPLICATION_ID 0x696d7379 /* "imsy" */

/* Brings the schema from the version before to its own; SQLite's result code. */
typedef int (*StoreMigration) (sqlite3 *db);

/* FALSE with the error for a file of another program or of a newer version of this one. */
gboolean
store_schema_check (const char *file, guint32 application_id, gint32 version, GError **error);
/* Each migration in a transaction of its own: migrations[n] makes version n + 1. */
gboolean store_schema_migrate (const char *file, sqlite3 *db, const StoreMigration *migrations,
                               gint32 n, GError **error);
/* Creates @file with the newest schema and @identity: whole, or not at all. */
gboolean
store_schema_create (const char *file, const StoreIdentity identity[N_SIDES], GError **error);
/* Opens @file, checks all there is to check without a write, then migrates. */
sqlite3 *store_schema_open (const char *file, StoreFileState state,
                            const StoreIdentity identity[N_SIDES], GError **error);

G_END_DECLS
