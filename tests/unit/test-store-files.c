/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store-fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

/* Files that the store must not touch, files that it must keep private, and others that want them.
 */

/* --- helpers --- */

static void
assert_refused_as (Scratch *scratch, const StoreIdentity identity[N_SIDES], const char *words)
{
  g_autofree char *before = snapshot (scratch->folder), *after = NULL;
  g_autoptr (GError) error = NULL;
  Store *store = store_open (scratch->path, identity, &error);

  g_assert_null (store);
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE);
  assert_contains (error->message, words);
  assert_contains (error->message, scratch->path);
  after = snapshot (scratch->folder);
  g_assert_cmpstr (after, ==, before);
}

static void
assert_refused (Scratch *scratch, const char *words)
{
  assert_refused_as (scratch, us, words);
}

static void
run_sql (const char *path, const char *sql)
{
  g_autoptr (sqlite3) db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

/* --- files that are not ours to touch --- */

static void
test_what_is_no_database_is_refused (Scratch *scratch, gconstpointer data)
{
  g_assert_true (g_file_set_contents (scratch->path, "From: someone\n\nHello\n", -1, NULL));
  assert_refused (scratch, "is not a database");
  g_assert_true (g_file_set_contents (scratch->path, "S", -1, NULL));
  assert_refused (scratch, "is not a database");
  g_remove (scratch->path);
  g_assert_cmpint (g_mkdir (scratch->path, 0755), ==, 0);
  assert_refused (scratch, "a folder");
  g_remove (scratch->path);
  g_assert_cmpint (mkfifo (scratch->path, 0600), ==, 0);
  assert_refused (scratch, "no regular file");
}

static void
test_the_path_must_name_a_file (Scratch *scratch, gconstpointer data)
{
  g_autofree char *folder = g_strconcat (scratch->folder, "/x/", NULL);
  g_autofree char *below_file = g_build_filename (scratch->path, "sub", "x.db", NULL);
  g_autofree char *dangling = g_build_filename (scratch->folder, "dangling", NULL);
  g_autofree char *below_dangling = g_build_filename (dangling, "x.db", NULL);

  g_assert_cmpint (symlink ("/nonexistent/imapsync", dangling), ==, 0);
  g_assert_true (g_file_set_contents (scratch->path, "x", -1, NULL));
  FAILS (store_open ("", us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "cannot be opened");
  FAILS (store_open (folder, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, folder);
  FAILS (store_open (below_file, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "folder");
  FAILS (store_open (below_dangling, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "folder");
}

static void
test_another_programs_database_is_refused (Scratch *scratch, gconstpointer data)
{
  run_sql (scratch->path, "CREATE TABLE t (x)");
  assert_refused (scratch, "another program's");
  run_sql (scratch->path, "PRAGMA application_id = 17; PRAGMA journal_mode = WAL");
  assert_refused (scratch, "another program's");
}

static void
stamp_and_die (const char *path)
{
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "PRAGMA user_version = 99", NULL, NULL, NULL), ==, SQLITE_OK);
  kill (getpid (), SIGKILL);
}

static void
test_a_newer_database_is_refused (Scratch *scratch, gconstpointer data)
{
  make_database (scratch->path, 10);
  g_assert_cmpint (in_child (stamp_and_die, scratch->path), ==, -SIGKILL);
  assert_refused (scratch, "schema 99");
  run_sql (scratch->path, "PRAGMA wal_checkpoint(TRUNCATE)");
  assert_refused (scratch, "newer imapsync");
}

static void
test_a_version_that_never_was_is_damage (Scratch *scratch, gconstpointer data)
{
  make_database (scratch->path, 10);
  run_sql (scratch->path, "PRAGMA user_version = 0");
  assert_refused (scratch, "no schema version");
  run_sql (scratch->path, "PRAGMA user_version = -5");
  assert_refused (scratch, "no schema version");
}

static void
test_a_truncated_database_is_refused (Scratch *scratch, gconstpointer data)
{
  g_autofree char *whole = g_build_filename (scratch->folder, "whole", NULL);
  gsize size;

  make_database (whole, 2000);
  size = size_of_file (whole);
  for (gsize length = 16; length < size; length = length < 512 ? length * 2 : length + 4001) {
    copy_file (whole, scratch->path, length);
    assert_refused (scratch, "is damaged");
  }
  copy_file (whole, scratch->path, size - 1);
  assert_refused (scratch, "is damaged");
}

static void
test_an_emptied_database_is_refused_when_it_has_a_log (Scratch *scratch, gconstpointer data)
{
  make_unclean_database (scratch->path);
  g_assert_cmpint (truncate (scratch->path, 0), ==, 0);
  assert_refused (scratch, "its log is not");
}

static void
test_an_empty_file_becomes_a_database (Scratch *scratch, gconstpointer data)
{
  g_assert_true (g_file_set_contents (scratch->path, "", 0, NULL));
  make_database (scratch->path, 1);
}

static void
scribble (const char *path, gsize offset, gsize length)
{
  g_autofree char *garbage = g_malloc (length);
  int fd = g_open (path, O_WRONLY, 0);

  memset (garbage, 0xa5, length);
  g_assert_cmpint (pwrite (fd, garbage, length, (off_t)offset), ==, (gssize)length);
  g_close (fd, NULL);
}

static void
test_a_corrupt_page_is_refused (Scratch *scratch, gconstpointer data)
{
  g_autofree char *whole = g_build_filename (scratch->folder, "whole", NULL);
  gsize pages;

  make_database (whole, 2000);
  pages = size_of_file (whole) / 4096;
  for (gsize page = 1; page < pages; page++) {
    copy_file (whole, scratch->path, G_MAXSIZE);
    scribble (scratch->path, page * 4096, 64);
    assert_refused (scratch, "is damaged");
  }
}

static gboolean
is_noted (const char *path)
{
  StoreLock *lock = store_lock_take (path, NULL);
  gboolean noted = store_lock_has_note (lock, path);

  if (noted)
    store_lock_note (lock, path);
  store_lock_release (lock);
  return noted;
}

static void
test_only_what_nobody_touched_is_not_checked (Scratch *scratch, gconstpointer data)
{
  g_autofree char *copy = g_build_filename (scratch->folder, "copy", NULL);
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  Store *store;

  make_database (scratch->path, 2000);
  g_assert_true (is_noted (scratch->path));
  /* Each opening needs a close of its own. */
  store = open_store (scratch->path);
  scribble (scratch->path, 4096 * 4, 4096 * 4);
  sqlite3_db_release_memory (store->db);
  FAILS (store_pairs_range (store, 1, SIDE_LOCAL, 1, G_MAXUINT32, pairs, &error),
         IMAPSYNC_ERROR_DATABASE, "is damaged");
  store_close (store);
  g_assert_false (is_noted (scratch->path));
  assert_refused (scratch, "is damaged");
  g_unlink (scratch->path);
  make_database (scratch->path, 2000);
  copy_file (scratch->path, copy, G_MAXSIZE);
  g_assert_cmpint (g_rename (copy, scratch->path), ==, 0);
  g_assert_false (is_noted (scratch->path));
}

static void
test_a_page_that_goes_bad_later_is_an_error (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));

  make_database (scratch->path, 20000);
  store = open_store (scratch->path);
  scribble (scratch->path, 4096 * 4, size_of_file (scratch->path) - 4096 * 4);
  sqlite3_db_release_memory (store->db);
  FAILS (store_pairs_range (store, 1, SIDE_LOCAL, 1, G_MAXUINT32, pairs, &error),
         IMAPSYNC_ERROR_DATABASE, "is damaged");
  g_assert_cmpuint (pairs->len, ==, 0);
}

static void
contradict_and_die (const char *path)
{
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (
      sqlite3_exec (db, "INSERT INTO flag_list VALUES (7, '\\Seen')", NULL, NULL, NULL), ==, 0);
  kill (getpid (), SIGKILL);
}

static void
test_contradicting_flag_lists_are_damage (Scratch *scratch, gconstpointer data)
{
  make_database (scratch->path, 10);
  g_assert_cmpint (in_child (contradict_and_die, scratch->path), ==, -SIGKILL);
  assert_refused (scratch, "contradict");
  run_sql (scratch->path, "UPDATE flag_list SET id = 4000000000, flags = 'x' WHERE id = 7");
  assert_refused (scratch, "contradict");
  run_sql (scratch->path, "DELETE FROM flag_list WHERE id > 6; DELETE FROM identity");
  assert_refused (scratch, "whose it is");
}

static void
test_another_accounts_database_is_refused (Scratch *scratch, gconstpointer data)
{
  StoreIdentity other[N_SIDES];
  const struct {
    StoreIdentity remote;
    const char *words;
  } remotes[] = {
      {{(char *)"imap", (char *)"mail.example.com", 143, us[1].username},
       "not to anna@localhost and anna@example.org@mail.example.com;"},
      {{(char *)"imap", us[1].host, 1430, us[1].username}, "mail.example.org:1430"},
      {{(char *)"imap", us[1].host, 143, (char *)"Anna@example.org"}, "Anna@example.org"},
      {{(char *)"imap", us[1].host, 143, (char *)""}, "and mail.example.org"},
      {{(char *)"tunnel", us[1].host, 0, us[1].username}, "tunnel anna"},
  };

  for (guint clean = 0; clean < 2; clean++) {
    if (clean)
      make_database (scratch->path, 10);
    else
      make_unclean_database (scratch->path);
    for (guint i = 0; i < G_N_ELEMENTS (remotes); i++) {
      other[SIDE_LOCAL] = us[SIDE_LOCAL];
      other[SIDE_REMOTE] = remotes[i].remote;
      assert_refused_as (scratch, other, remotes[i].words);
    }
    other[SIDE_LOCAL] = us[SIDE_REMOTE];
    other[SIDE_REMOTE] = us[SIDE_LOCAL];
    assert_refused_as (scratch, other, "belongs to anna@localhost (local)");
    store_close (open_store (scratch->path));
    remove_tree (scratch->folder);
    g_assert_cmpint (g_mkdir (scratch->folder, 0700), ==, 0);
  }
}

static void
test_the_same_servers_otherwise_spelled_are_the_same (Scratch *scratch, gconstpointer data)
{
  StoreIdentity same[N_SIDES] = {
      us[SIDE_LOCAL], {(char *)"imaps", (char *)"MAIL.example.org", 993, us[SIDE_REMOTE].username}};
  StoreIdentity tunnels[N_SIDES] = {
      {(char *)"tunnel", (char *)"/usr/lib/dovecot/imap -o A=B", 0, NULL}, us[SIDE_REMOTE]};
  g_autofree char *other = g_build_filename (scratch->folder, "tunnel.db", NULL);
  Store *store;

  make_database (scratch->path, 10);
  store = store_open (scratch->path, same, NULL);
  g_assert_nonnull (store);
  store_close (store);
  for (guint i = 0; i < 2; i++) {
    store = store_open (other, tunnels, NULL);
    g_assert_nonnull (store);
    store_close (store);
  }
  tunnels[SIDE_LOCAL].host = (char *)"/usr/lib/dovecot/imap -o a=b";
  FAILS (store_open (other, tunnels, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "tunnel /usr/lib");
}

/* The version of a database that is made now. */
static gint64
ask_newest (const Scratch *scratch)
{
  g_autofree char *path = g_build_filename (scratch->folder, "new.db", NULL);
  g_autoptr (Store) store = open_store (path);

  return ask (store, "PRAGMA user_version");
}

/* What imapsync of the first version wrote after it had copied 71 messages in three mailboxes
 * between two Dovecots; only the servers' names were changed. */
static void
test_a_database_of_an_earlier_build_is_taken_over (Scratch *scratch, gconstpointer data)
{
  g_autofree char *old = g_test_build_filename (G_TEST_DIST, "data", "version-1.db", NULL);
  g_autoptr (Store) store = NULL;
  g_autoptr (GPtrArray) mailboxes = NULL;
  guint64 pairs = 0;
  StorePair pair = {0};
  gboolean found = FALSE;

  copy_file (old, scratch->path, G_MAXSSIZE);
  store = open_store (scratch->path);
  g_assert_cmpint (ask (store, "PRAGMA user_version"), ==, ask_newest (scratch));
  mailboxes = store_mailboxes (store, NULL);
  g_assert_cmpuint (mailboxes->len, ==, 3);
  for (guint i = 0; i < mailboxes->len; i++)
    pairs += count_pairs (store, ((StoreMailbox *)g_ptr_array_index (mailboxes, i))->id);
  g_assert_cmpuint (pairs, ==, 71);
  OK (store_pair_find (store, 1, SIDE_REMOTE, 2, &pair, &found, &error));
  g_assert_true (found);
  g_assert_cmpuint (pair.uid[SIDE_LOCAL], ==, 2);
  g_assert_cmpstr (flag_table_text (store_flags (store), pair.flags), ==, "\\Seen work");
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pragma_integrity_check"), ==, 1);
}

/* What one of the second version left when it was killed while it copied two messages. */
static void
test_an_interrupted_copy_of_an_earlier_build_is_known (Scratch *scratch, gconstpointer data)
{
  g_autofree char *old = g_test_build_filename (G_TEST_DIST, "data", "version-2.db", NULL);
  g_autoptr (Store) store = NULL;
  g_autoptr (GPtrArray) intents = NULL;
  const StoreIntent *intent;

  copy_file (old, scratch->path, G_MAXSSIZE);
  store = open_store (scratch->path);
  g_assert_cmpint (ask (store, "PRAGMA user_version"), ==, ask_newest (scratch));
  g_assert_cmpuint (count_pairs (store, 1), ==, 3);
  intents = store_intents (store, 1, NULL);
  g_assert_cmpuint (intents->len, ==, 1);
  intent = intents->pdata[0];
  g_assert_cmpint (intent->kind, ==, STORE_INTENT_COPY);
  g_assert_cmpstr (intent->uids, ==, "4:5");
  g_assert_cmpstr (flag_table_text (store_flags (store), intent->flags), ==, "\\Seen");
  g_assert_null (intent->descriptions);
}

/* --- permissions --- */

static guint
mode_of (const char *path, const char *suffix)
{
  g_autofree char *full = g_strconcat (path, suffix, NULL);
  GStatBuf status;

  g_assert_cmpint (g_stat (full, &status), ==, 0);
  return status.st_mode & 07777;
}

static void
test_files_are_private_whatever_the_umask (Scratch *scratch, gconstpointer data)
{
  static const mode_t masks[] = {0, 022, 0777};

  for (guint i = 0; i < G_N_ELEMENTS (masks); i++) {
    g_autofree char *top = g_strdup_printf ("%s/%u", scratch->folder, i);
    g_autofree char *folder = g_build_filename (top, "b", NULL);
    g_autofree char *path = g_build_filename (folder, "account.db", NULL);
    mode_t old = umask (masks[i]);
    g_autoptr (Store) store = open_store (path);

    BEGIN (store);
    add_mailbox (store, "A");
    COMMIT (store);
    umask (old);
    g_assert_cmpuint (mode_of (top, ""), ==, 0700);
    g_assert_cmpuint (mode_of (folder, ""), ==, 0700);
    g_assert_cmpuint (mode_of (path, ""), ==, 0600);
    g_assert_cmpuint (mode_of (path, "-wal"), ==, 0600);
    g_assert_cmpuint (mode_of (path, ".lock"), ==, 0600);
  }
}

static void
test_an_open_file_is_made_private (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;
  g_autofree char *shm = g_strconcat (scratch->path, "-shm", NULL);

  make_unclean_database (scratch->path);
  g_assert_cmpint (g_chmod (scratch->path, 0644), ==, 0);
  store = open_store (scratch->path);
  g_assert_cmpuint (mode_of (scratch->path, ""), ==, 0600);
  g_assert_cmpuint (mode_of (scratch->path, "-wal"), ==, 0600);
  g_assert_false (g_file_test (shm, G_FILE_TEST_EXISTS));
}

/* Root may write everywhere, so this is tried as nobody, to whom the files were given. */
static void
become_ordinary (void)
{
  if (geteuid () == 0) {
    g_assert_cmpint (setresgid (65534, 65534, 65534), ==, 0);
    g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
  }
}

static void
give_away (const char *path)
{
  if (geteuid () == 0)
    g_assert_cmpint (chown (path, 65534, 65534), ==, 0);
}

static void
open_without_permission (const char *path)
{
  become_ordinary ();
  FAILS (store_open (path, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "Permission denied");
  FAILS (store_open (path, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, path);
}

static void
test_without_permission_nothing_is_touched (Scratch *scratch, gconstpointer data)
{
  g_autofree char *lock = g_strconcat (scratch->path, ".lock", NULL);
  g_autofree char *below = g_build_filename (scratch->folder, "new", "x.db", NULL);
  g_autofree char *before = NULL, *after = NULL;

  make_database (scratch->path, 10);
  give_away (scratch->folder);
  give_away (scratch->path);
  give_away (lock);
  before = snapshot (scratch->folder);
  g_assert_cmpint (g_chmod (scratch->folder, 0500), ==, 0);
  g_assert_cmpint (in_child (open_without_permission, scratch->path), ==, 0);
  g_assert_cmpint (in_child (open_without_permission, below), ==, 0);
  g_assert_cmpint (g_chmod (lock, 0400), ==, 0);
  g_assert_cmpint (in_child (open_without_permission, scratch->path), ==, 0);
  g_assert_cmpint (g_chmod (scratch->folder, 0700), ==, 0);
  g_assert_cmpint (in_child (open_without_permission, scratch->path), ==, 0);
  g_assert_cmpint (g_chmod (lock, 0600), ==, 0);
  for (guint mode = 0; mode <= 0400; mode += 0400) {
    g_assert_cmpint (g_chmod (scratch->path, (int)mode), ==, 0);
    g_assert_cmpint (in_child (open_without_permission, scratch->path), ==, 0);
  }
  g_assert_cmpint (g_chmod (scratch->path, 0600), ==, 0);
  after = snapshot (scratch->folder);
  g_assert_cmpstr (after, ==, before);
}

/* --- a real small disk --- */

#define NOT_PERMITTED 77

static void
write_text (const char *path, const char *text)
{
  int fd = g_open (path, O_WRONLY, 0);

  if (fd < 0 || write (fd, text, strlen (text)) < 0)
    _exit (NOT_PERMITTED);
  g_close (fd, NULL);
}

static void
enter_namespace (void)
{
  g_autofree char *uids = g_strdup_printf ("0 %u 1", (guint)geteuid ());
  g_autofree char *gids = g_strdup_printf ("0 %u 1", (guint)getegid ());
  gboolean root = geteuid () == 0;

  if (unshare (root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
    _exit (NOT_PERMITTED);
  if (!root) {
    write_text ("/proc/self/setgroups", "deny");
    write_text ("/proc/self/uid_map", uids);
    write_text ("/proc/self/gid_map", gids);
  }
  if (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    _exit (NOT_PERMITTED);
}

static gboolean
write_200 (Store *store, guint32 first, GError **error)
{
  StorePair pairs[200];

  for (guint32 i = 0; i < G_N_ELEMENTS (pairs); i++)
    pairs[i] = (StorePair){{first + i, first + i}, 0, {0, 0}};
  return store_begin (store, error) &&
         store_pairs_insert (store, 1, pairs, G_N_ELEMENTS (pairs), error) &&
         store_commit (store, error);
}

static void
fill_disk (Store *store)
{
  g_autoptr (GError) error = NULL;
  guint32 written = 0;

  while (write_200 (store, 1000 + written, &error)) {
    written += 200;
    g_assert_cmpuint (written, <, 100000);
  }
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL);
  assert_contains (error->message, "No space");
  store_rollback (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pair"), ==, 10 + written);
}

static void
use_small_disk (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *full = g_build_filename (folder, "full", NULL);
  g_autofree char *other = g_build_filename (folder, "other.db", NULL);
  g_autofree char *text = g_strnfill (4096, 'x');
  Store *store;
  int fd;

  enter_namespace ();
  if (mount ("tmpfs", folder, "tmpfs", 0, "size=512k,mode=0700") != 0)
    _exit (NOT_PERMITTED);
  make_database (path, 10);
  store = open_store (path);
  fill_disk (store);
  BEGIN (store);
  OK (store_pair_delete (store, 1, SIDE_LOCAL, 1, &error));
  store_rollback (store);
  store_close (store);
  fd = g_open (full, O_WRONLY | O_CREAT, 0600);
  while (write (fd, text, 4096) > 0)
    ;
  g_close (fd, NULL);
  FAILS (store_open (other, us, &error) != NULL, IMAPSYNC_ERROR_DISK_FULL, other);
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
  g_assert_cmpint (mount (NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
  FAILS (store_open (path, us, &error) != NULL, IMAPSYNC_ERROR_DATABASE, "Read-only file system");
}

static void
test_a_small_and_a_read_only_disk (Scratch *scratch, gconstpointer data)
{
  int status = in_child (use_small_disk, scratch->path);

  if (status == NOT_PERMITTED)
    g_test_skip ("mounting is not permitted here");
  else
    g_assert_cmpint (status, ==, 0);
}

/* --- locks --- */

static int ready[2], finish[2];

static void
hold_the_lock (const char *path)
{
  Store *store = open_store (path);
  char byte = 'r';

  g_assert_cmpint (write (ready[1], &byte, 1), ==, 1);
  g_assert_cmpint (read (finish[0], &byte, 1), >=, 0);
  store_close (store);
}

static void
test_a_second_process_is_told_who_holds_the_lock (Scratch *scratch, gconstpointer data)
{
  g_autofree char *lock = g_strconcat (scratch->path, ".lock", NULL);
  g_autofree char *words = NULL, *content = NULL;
  char byte;
  int status;
  pid_t pid;

  g_assert_cmpint (pipe (ready), ==, 0);
  g_assert_cmpint (pipe (finish), ==, 0);
  pid = fork ();
  if (pid == 0) {
    hold_the_lock (scratch->path);
    _exit (0);
  }
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  words = g_strdup_printf ("process %d;", (int)pid);
  for (guint i = 0; i < 2; i++)
    FAILS (store_open (scratch->path, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, words);
  g_assert_true (g_file_get_contents (lock, &content, NULL, NULL));
  g_assert_cmpint (atoi (content), ==, pid);
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  store_close (open_store (scratch->path));
  for (guint i = 0; i < 2; i++) {
    close (ready[i]);
    close (finish[i]);
  }
}

static void
expect_locked (const char *path)
{
  g_autofree char *words = g_strdup_printf ("process %d;", (int)getppid ());
  g_autoptr (GError) local_error = NULL;

  /* What fork() copied of the parent's own list. */
  g_assert_null (store_open (path, us, &local_error));
  execl ("/proc/self/exe", "test-store-files", "--expect-locked", path, words, NULL);
  _exit (1);
}

static int
expect_locked_by (const char *path, const char *words)
{
  FAILS (store_open (path, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, words);
  return 0;
}

static void
test_a_process_does_not_take_its_own_lock_twice (Scratch *scratch, gconstpointer data)
{
  g_autofree char *link = g_strconcat (scratch->folder, "-link", NULL);
  g_autofree char *alias = g_build_filename (link, "account.db", NULL);
  g_autofree char *file_alias = g_build_filename (scratch->folder, "alias.db", NULL);
  g_autofree char *folder = g_path_get_dirname (scratch->path);
  g_autofree char *roundabout = g_build_filename (folder, ".", "account.db", NULL);
  Store *store = open_store (scratch->path);

  g_assert_cmpint (symlink (scratch->folder, link), ==, 0);
  g_assert_cmpint (symlink ("account.db", file_alias), ==, 0);
  FAILS (store_open (scratch->path, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, "in use by");
  FAILS (store_open (alias, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, "in use by");
  FAILS (store_open (file_alias, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, "in use by");
  FAILS (store_open (roundabout, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, "in use by");
  g_assert_cmpint (in_child (expect_locked, scratch->path), ==, 0);
  store_close (store);
  store_close (open_store (alias));
  store_close (open_store (file_alias));
  g_remove (link);
}

static void
test_another_program_that_reads_the_database (Scratch *scratch, gconstpointer data)
{
  g_autoptr (sqlite3) db = NULL;

  make_database (scratch->path, 10);
  g_assert_cmpint (sqlite3_open (scratch->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "BEGIN; SELECT * FROM pair", NULL, NULL, NULL), ==, 0);
  FAILS (store_open (scratch->path, us, &error) != NULL, IMAPSYNC_ERROR_LOCKED, "another program");
  g_clear_pointer (&db, sqlite3_close);
  store_close (open_store (scratch->path));
}

/* --- schema --- */

static int
migrate_good (sqlite3 *db)
{
  return sqlite3_exec (db, "CREATE TABLE added (x); INSERT INTO added VALUES (1)", NULL, NULL,
                       NULL);
}

static int
migrate_badly (sqlite3 *db)
{
  return sqlite3_exec (db, "CREATE TABLE half (x); DELETE FROM added; SELECT nonsense", NULL, NULL,
                       NULL);
}

static gint64
ask_file (const char *path, const char *sql)
{
  g_autoptr (sqlite3) db = NULL;
  g_autoptr (sqlite3_stmt) statement = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  return sqlite3_column_int64 (statement, 0);
}

static void
test_each_migration_is_whole_or_undone (Scratch *scratch, gconstpointer data)
{
  static const StoreMigration steps[] = {NULL,         NULL,          NULL,
                                         migrate_good, migrate_badly, migrate_good};
  g_autoptr (sqlite3) db = NULL;

  make_database (scratch->path, 10);
  g_assert_cmpint (sqlite3_open (scratch->path, &db), ==, SQLITE_OK);
  FAILS (store_schema_migrate (scratch->path, db, steps, 6, &error), IMAPSYNC_ERROR_DATABASE,
         scratch->path);
  g_assert_cmpint (ask_file (scratch->path, "PRAGMA user_version"), ==, 4);
  g_assert_cmpint (ask_file (scratch->path, "SELECT count(*) FROM added"), ==, 1);
  g_assert_cmpint (ask_file (scratch->path, "SELECT count(*) FROM sqlite_schema"
                                            " WHERE name = 'half'"),
                   ==, 0);
  OK (store_schema_migrate (scratch->path, db, steps, 4, &error));
  OK (store_schema_migrate (scratch->path, db, steps, 3, &error));
  g_assert_cmpint (ask_file (scratch->path, "PRAGMA user_version"), ==, 4);
}

int
main (int argc, char **argv)
{
  if (argc == 4 && g_str_equal (argv[1], "--expect-locked"))
    return expect_locked_by (argv[2], argv[3]);
  g_test_init (&argc, &argv, NULL);
  ADD ("/store/refuses/no-database", test_what_is_no_database_is_refused);
  ADD ("/store/refuses/no-file", test_the_path_must_name_a_file);
  ADD ("/store/refuses/another-programs", test_another_programs_database_is_refused);
  ADD ("/store/refuses/newer", test_a_newer_database_is_refused);
  ADD ("/store/refuses/no-version", test_a_version_that_never_was_is_damage);
  ADD ("/store/refuses/truncated", test_a_truncated_database_is_refused);
  ADD ("/store/refuses/emptied", test_an_emptied_database_is_refused_when_it_has_a_log);
  ADD ("/store/refuses/corrupt-page", test_a_corrupt_page_is_refused);
  ADD ("/store/refuses/corrupt-unless-untouched", test_only_what_nobody_touched_is_not_checked);
  ADD ("/store/refuses/corrupt-later", test_a_page_that_goes_bad_later_is_an_error);
  ADD ("/store/refuses/contradictions", test_contradicting_flag_lists_are_damage);
  ADD ("/store/refuses/another-accounts", test_another_accounts_database_is_refused);
  ADD ("/store/refuses/without-permission", test_without_permission_nothing_is_touched);
  ADD ("/store/accepts/empty-file", test_an_empty_file_becomes_a_database);
  ADD ("/store/accepts/same-servers", test_the_same_servers_otherwise_spelled_are_the_same);
  ADD ("/store/private/umask", test_files_are_private_whatever_the_umask);
  ADD ("/store/private/made-so", test_an_open_file_is_made_private);
  ADD ("/store/small-disk", test_a_small_and_a_read_only_disk);
  ADD ("/store/lock/second-process", test_a_second_process_is_told_who_holds_the_lock);
  ADD ("/store/lock/same-process", test_a_process_does_not_take_its_own_lock_twice);
  ADD ("/store/lock/another-program", test_another_program_that_reads_the_database);
  ADD ("/store/migrations/earlier-build", test_a_database_of_an_earlier_build_is_taken_over);
  ADD ("/store/migrations/interrupted-copy", test_an_interrupted_copy_of_an_earlier_build_is_known);
  ADD ("/store/migrations/whole", test_each_migration_is_whole_or_undone);
  return g_test_run ();
}
