/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tests of the store share: a scratch folder, an identity, and asserts that say what went
 * wrong. */

#include "store/store-private.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const StoreIdentity us[N_SIDES] = {
    {(char *)"imap", (char *)"localhost", 143, (char *)"anna"},
    {(char *)"imap", (char *)"mail.example.org", 143, (char *)"anna@example.org"},
};

typedef struct {
  char *folder;
  char *path;
} Scratch;

static inline void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) && g_file_test (path, G_FILE_TEST_IS_DIR)) {
    g_chmod (path, 0700);
    dir = g_dir_open (path, 0, NULL);
    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
  }
  g_remove (path);
}

static inline void
scratch_set_up (Scratch *scratch, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  scratch->folder = g_dir_make_tmp ("imapsync-store-XXXXXX", &error);
  g_assert_no_error (error);
  scratch->path = g_build_filename (scratch->folder, "account.db", NULL);
}

static inline void
scratch_tear_down (Scratch *scratch, gconstpointer data)
{
  remove_tree (scratch->folder);
  g_free (scratch->folder);
  g_free (scratch->path);
}

static inline Store *
open_store (const char *path)
{
  g_autoptr (GError) error = NULL;
  Store *store = store_open (path, us, &error);

  g_assert_no_error (error);
  g_assert_nonnull (store);
  return store;
}

/* A call that has to succeed. */
#define OK(call)                                                                                   \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr (GError) error = NULL;                                                               \
    gboolean call_succeeded = (call);                                                              \
    g_assert_no_error (error);                                                                     \
    g_assert_true (call_succeeded);                                                                \
  }                                                                                                \
  G_STMT_END

/* A call that has to fail with @error_code and a sentence with @words in it. */
#define FAILS(call, error_code, words)                                                             \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr (GError) error = NULL;                                                               \
    gboolean call_succeeded = (call);                                                              \
    g_assert_error (error, IMAPSYNC_ERROR, error_code);                                            \
    g_assert_false (call_succeeded);                                                               \
    assert_contains (error->message, words);                                                       \
  }                                                                                                \
  G_STMT_END

#define BEGIN(store)  OK (store_begin (store, &error))
#define COMMIT(store) OK (store_commit (store, &error))

static inline void
assert_contains (const char *text, const char *words)
{
  if (strstr (text, words) == NULL)
    g_error ("expected \"%s\" in: %s", words, text);
}

/* In a transaction of the caller's. */
static inline gint64
add_mailbox (Store *store, const char *name)
{
  StoreMailbox mailbox = {.name = (char *)name};

  OK (store_mailbox_save (store, &mailbox, &error));
  g_assert_cmpint (mailbox.id, >, 0);
  return mailbox.id;
}

static inline void
add_pair (Store *store, gint64 mailbox, guint32 local, guint32 remote, const char *flags)
{
  StorePair pair = {{local, remote}, flag_table_intern_text (store_flags (store), flags), {0, 0}};

  OK (store_pairs_insert (store, mailbox, &pair, 1, &error));
}

static inline guint64
count_pairs (Store *store, gint64 mailbox)
{
  guint64 count = 0;

  OK (store_pairs_count (store, mailbox, &count, &error));
  return count;
}

/* What the database itself says to a query with one number, past all caches. */
static inline gint64
ask (Store *store, const char *sql)
{
  g_autoptr (sqlite3_stmt) statement = NULL;

  g_assert_cmpint (sqlite3_prepare_v2 (store->db, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  return sqlite3_column_int64 (statement, 0);
}

/* --- processes and files --- */

/* Runs @function in a process of its own; its exit status, or minus the signal that ended it. */
static inline int
in_child (void (*function) (const char *path), const char *path)
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    function (path);
    _exit (0);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return WIFSIGNALED (status) ? -WTERMSIG (status) : WEXITSTATUS (status);
}

static inline int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Name, mode, size and digest of all in @folder but lock files. */
static inline char *
snapshot (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GString *text = g_string_new (NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    if (!g_str_has_suffix (name, ".lock"))
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename (folder, names->pdata[i], NULL);
    g_autofree char *content = NULL, *digest = NULL;
    gsize length = 0;
    GStatBuf status;

    g_assert_cmpint (g_lstat (path, &status), ==, 0);
    if (S_ISREG (status.st_mode) && g_file_get_contents (path, &content, &length, NULL))
      digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guchar *)content, length);
    g_string_append_printf (text, "%s %o %" G_GSIZE_FORMAT " %s\n", (char *)names->pdata[i],
                            (guint)status.st_mode, length, digest);
  }
  return g_string_free (text, FALSE);
}

/* A mailbox (number 1), @n pairs. */
static inline void
make_database (const char *path, guint32 n)
{
  g_autoptr (Store) store = open_store (path);
  gint64 mailbox;

  BEGIN (store);
  mailbox = add_mailbox (store, "INBOX");
  g_assert_cmpint (mailbox, ==, 1);
  for (guint32 uid = 1; uid <= n; uid++)
    add_pair (store, mailbox, uid, uid, uid % 2 == 0 ? "\\Seen" : "");
  COMMIT (store);
}

static inline void
make_and_die (const char *path)
{
  Store *store = open_store (path);

  BEGIN (store);
  add_mailbox (store, "INBOX");
  COMMIT (store);
  kill (getpid (), SIGKILL);
}

/* A database whose last user was killed: it has a log. */
static inline void
make_unclean_database (const char *path)
{
  g_autofree char *wal = g_strconcat (path, "-wal", NULL);
  GStatBuf status;

  g_assert_cmpint (in_child (make_and_die, path), ==, -SIGKILL);
  g_assert_cmpint (g_stat (wal, &status), ==, 0);
  g_assert_cmpint (status.st_size, >, 0);
}

static inline void
copy_file (const char *from, const char *to, gsize length)
{
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (from, &content, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents (to, content, (gssize)MIN (size, length), &error);
  g_assert_no_error (error);
}

static inline gsize
size_of_file (const char *path)
{
  GStatBuf status;

  return g_stat (path, &status) == 0 ? (gsize)status.st_size : 0;
}

#define ADD(path, function)                                                                        \
  g_test_add (path, Scratch, NULL, scratch_set_up, function, scratch_tear_down)
