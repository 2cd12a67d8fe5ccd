/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store-fixture.h"

/* The store under fire: full disks, kills at every write, power cuts. */

/* --- a disk that can be told to fail --- */

typedef enum { DISK_GOOD, DISK_FULL, DISK_KILLS, DISK_WILL_NOT_SYNC } DiskFault;

static struct {
  DiskFault fault;
  int writes_left; /* until it fails */
  int syncs;
} disk;

typedef struct {
  sqlite3_io_methods methods;
  const sqlite3_io_methods *real;
} FileTail;

static sqlite3_vfs *real_vfs, faulty_vfs;

static FileTail *
tail_of (sqlite3_file *file)
{
  return (FileTail *)(gpointer)((char *)file + ((real_vfs->szOsFile + 15) & ~15));
}

/* A kill leaves half of what was to be written. */
static int
faulty_write (sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
  const sqlite3_io_methods *real = tail_of (file)->real;

  if ((disk.fault == DISK_FULL || disk.fault == DISK_KILLS) && disk.writes_left-- <= 0) {
    if (disk.fault == DISK_FULL)
      return SQLITE_FULL;
    real->xWrite (file, data, n / 2, offset);
    kill (getpid (), SIGKILL);
  }
  return real->xWrite (file, data, n, offset);
}

static int
faulty_sync (sqlite3_file *file, int flags)
{
  disk.syncs++;
  return disk.fault == DISK_WILL_NOT_SYNC ? SQLITE_IOERR_FSYNC
                                          : tail_of (file)->real->xSync (file, flags);
}

static int
faulty_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  int rc = real_vfs->xOpen (real_vfs, name, file, flags, out_flags);
  FileTail *tail = tail_of (file);

  if (file->pMethods == NULL)
    return rc;
  tail->real = file->pMethods;
  tail->methods = *tail->real;
  tail->methods.xWrite = faulty_write;
  tail->methods.xSync = faulty_sync;
  file->pMethods = &tail->methods;
  return rc;
}

static void
install_disk (void)
{
  real_vfs = sqlite3_vfs_find (NULL);
  faulty_vfs = *real_vfs;
  faulty_vfs.zName = "faulty";
  faulty_vfs.szOsFile = ((real_vfs->szOsFile + 15) & ~15) + (int)sizeof (FileTail);
  faulty_vfs.xOpen = faulty_open;
  g_assert_cmpint (sqlite3_vfs_register (&faulty_vfs, 1), ==, SQLITE_OK);
}

static void
set_disk (DiskFault fault, int writes_left)
{
  disk.fault = fault;
  disk.writes_left = writes_left;
}

/* --- full disks, kills and power cuts --- */

/* One intent, 300 pairs of a new flag list, all or nothing. */
static gboolean
write_all (Store *store, GError **error)
{
  FlagsId flags = flag_table_intern_text (store_flags (store), "\\Answered all or nothing");
  StoreIntent intent = {
      .kind = STORE_INTENT_COPY, .mailbox = 1, .uids = (char *)"1:300", .flags = flags};
  StorePair pairs[300];

  for (guint32 i = 0; i < G_N_ELEMENTS (pairs); i++)
    pairs[i] = (StorePair){{1000 + i, 9000 - i}, flags, {i + 1, 0}};
  return store_begin (store, error) && store_intent_insert (store, &intent, error) &&
         store_pairs_insert (store, 1, pairs, G_N_ELEMENTS (pairs), error) &&
         store_commit (store, error);
}

/* TRUE for all, FALSE for nothing; anything between fails. */
static gboolean
assert_all_or_nothing (Store *store)
{
  g_autoptr (GPtrArray) intents = store_intents (store, 1, NULL);
  guint64 pairs = count_pairs (store, 1);

  g_assert_cmpint (ask (store, "SELECT count(*) FROM pair"), ==, (gint64)pairs);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM flag_list"), ==, intents->len == 0 ? 1 : 2);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pragma_integrity_check"
                               " WHERE integrity_check = 'ok'"),
                   ==, 1);
  g_assert_cmpuint (pairs, ==, intents->len == 0 ? 10 : 310);
  return intents->len != 0;
}

static void
test_a_full_disk_undoes_the_transaction_alone (Scratch *scratch, gconstpointer data)
{
  guint failures = 0;

  make_database (scratch->path, 10);
  for (int n = 0;; n++) {
    g_autoptr (Store) store = open_store (scratch->path);
    g_autoptr (GError) local_error = NULL;
    gboolean good;

    set_disk (DISK_FULL, n);
    good = write_all (store, &local_error);
    set_disk (DISK_GOOD, 0);
    if (good)
      break;
    failures++;
    g_assert_error (local_error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL);
    assert_contains (local_error->message, scratch->path);
    store_rollback (store);
    g_assert_cmpuint (store_writes (store), ==, 0);
    g_assert_false (assert_all_or_nothing (store));
    OK (write_all (store, &error));
    g_assert_true (assert_all_or_nothing (store));
    BEGIN (store);
    OK (store_intents_delete (store, 1, &error));
    for (guint32 uid = 1000; uid < 1300; uid++)
      OK (store_pair_delete (store, 1, SIDE_LOCAL, uid, &error));
    sqlite3_exec (store->db, "DELETE FROM flag_list WHERE flags LIKE '%nothing%'", NULL, NULL,
                  NULL);
    COMMIT (store);
  }
  g_assert_cmpuint (failures, >, 5);
}

static void
test_a_full_disk_leaves_no_half_database (Scratch *scratch, gconstpointer data)
{
  guint failures = 0;

  for (int n = 0;; n++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *left = NULL;
    Store *store;

    set_disk (DISK_FULL, n);
    store = store_open (scratch->path, us, &error);
    set_disk (DISK_GOOD, 0);
    if (store != NULL) {
      store_close (store);
      break;
    }
    failures++;
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL);
    left = snapshot (scratch->folder);
    g_assert_cmpstr (left, ==, "");
  }
  g_assert_cmpuint (failures, >, 5);
}

static void
write_all_and_die (const char *path)
{
  Store *store = open_store (path);

  disk.fault = DISK_KILLS;
  OK (write_all (store, &error));
  store_close (store);
}

static void
test_killed_at_any_write_it_has_all_or_nothing (Scratch *scratch, gconstpointer data)
{
  g_autofree char *whole = g_build_filename (scratch->folder, "whole", NULL);
  guint had_all = 0, had_nothing = 0;
  int status;

  make_database (whole, 10);
  for (int n = 0;; n++) {
    g_autoptr (Store) store = NULL;

    copy_file (whole, scratch->path, G_MAXSIZE);
    disk.writes_left = n;
    status = in_child (write_all_and_die, scratch->path);
    store = open_store (scratch->path);
    if (assert_all_or_nothing (store))
      had_all++;
    else
      had_nothing++;
    if (status == 0)
      break;
    g_assert_cmpint (status, ==, -SIGKILL);
    g_assert_true (had_all == 0 || assert_all_or_nothing (store));
  }
  g_test_message ("%u kills left nothing, %u all", had_nothing, had_all - 1);
  g_assert_cmpuint (had_nothing, >, 5);
  g_assert_cmpuint (had_all, >, 5);
}

static void
create_and_die (const char *path)
{
  disk.fault = DISK_KILLS;
  store_close (open_store (path));
}

static void
test_killed_at_any_write_of_its_creation_it_is_created_again (Scratch *scratch, gconstpointer data)
{
  guint kills = 0;

  for (;; kills++) {
    g_autofree char *left = NULL;
    int status;

    disk.writes_left = (int)kills;
    status = in_child (create_and_die, scratch->path);
    make_database (scratch->path, 3);
    left = snapshot (scratch->folder);
    g_assert_true (g_str_has_prefix (left, "account.db 100600 "));
    g_assert_null (strstr (left, "account.db.new"));
    g_remove (scratch->path);
    if (status == 0)
      break;
    g_assert_cmpint (status, ==, -SIGKILL);
  }
  g_assert_cmpuint (kills, >, 5);
}

static void
die_in_transaction (const char *path)
{
  Store *store = open_store (path);

  BEGIN (store);
  add_mailbox (store, "Half");
  for (guint32 uid = 1; uid < 20000; uid++)
    add_pair (store, 1, 1000 + uid, 1000 + uid, "half");
  kill (getpid (), SIGKILL);
}

static void
test_killed_in_a_transaction_nothing_of_it_stays (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;

  make_database (scratch->path, 10);
  g_assert_cmpint (in_child (die_in_transaction, scratch->path), ==, -SIGKILL);
  store = open_store (scratch->path);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM mailbox"), ==, 1);
  g_assert_false (assert_all_or_nothing (store));
}

static void
leave_in_transaction (const char *path)
{
  Store *store = open_store (path);

  OK (write_all (store, &error));
  BEGIN (store);
  OK (store_pairs_delete_all (store, 1, &error));
  _exit (3);
}

static void
test_what_was_committed_stays_when_the_process_goes (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;

  make_database (scratch->path, 10);
  g_assert_cmpint (in_child (leave_in_transaction, scratch->path), ==, 3);
  store = open_store (scratch->path);
  g_assert_true (assert_all_or_nothing (store));
}

/* R9: effects follow an intent, so it is on the disk when the commit returns; a confirmation may
 * wait. */
static void
test_intents_are_flushed_confirmations_are_not (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;
  int syncs;

  make_database (scratch->path, 10);
  store = open_store (scratch->path);
  BEGIN (store);
  add_pair (store, 1, 50, 50, "");
  COMMIT (store);
  syncs = disk.syncs;
  BEGIN (store);
  add_pair (store, 1, 51, 51, "");
  COMMIT (store);
  g_assert_cmpint (disk.syncs, ==, syncs);
  OK (write_all (store, &error));
  g_assert_cmpint (disk.syncs, >, syncs);
  syncs = disk.syncs;
  BEGIN (store);
  OK (store_intents_delete (store, 1, &error));
  COMMIT (store);
  g_assert_cmpint (disk.syncs, ==, syncs);
}

static void
test_an_intent_that_cannot_be_flushed_is_an_error (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;
  StoreIntent intent = {.kind = STORE_INTENT_EXPUNGE, .mailbox = 1};

  make_database (scratch->path, 10);
  store = open_store (scratch->path);
  BEGIN (store);
  add_pair (store, 1, 50, 50, "");
  COMMIT (store);
  BEGIN (store);
  OK (store_intent_insert (store, &intent, &error));
  set_disk (DISK_WILL_NOT_SYNC, 0);
  FAILS (store_commit (store, &error), IMAPSYNC_ERROR_DATABASE, scratch->path);
  set_disk (DISK_GOOD, 0);
  store_rollback (store);
  BEGIN (store);
  OK (store_intents_delete (store, 1, &error));
  COMMIT (store);
}

static void
assert_readable (Store *store, guint n)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));

  OK (store_pairs_range (store, 1, SIDE_REMOTE, 1, G_MAXUINT32, pairs, &error));
  g_assert_cmpuint (pairs->len, ==, n);
}

/* A power cut: the log ends somewhere, or is one of some time ago. */
static void
test_any_beginning_of_the_log_is_a_state_that_was (Scratch *scratch, gconstpointer data)
{
  g_autofree char *wal = g_strconcat (scratch->path, "-wal", NULL);
  g_autofree char *copy = g_build_filename (scratch->folder, "copy.db", NULL);
  g_autofree char *copy_wal = g_strconcat (copy, "-wal", NULL);
  g_autoptr (Store) store = NULL;
  gint64 last = 10;
  gsize size;

  make_database (scratch->path, 10);
  store = open_store (scratch->path);
  for (guint32 i = 0; i < 4; i++) {
    BEGIN (store);
    add_pair (store, 1, 100 + i, 100 + i, i % 2 == 0 ? "some" : "other");
    COMMIT (store);
  }
  size = size_of_file (wal);
  for (gsize length = 0; length <= size; length += 509) {
    g_autoptr (Store) restored = NULL;
    gint64 pairs;

    if (length + 509 > size)
      length = size;
    copy_file (scratch->path, copy, G_MAXSIZE);
    copy_file (wal, copy_wal, length);
    restored = open_store (copy);
    pairs = ask (restored, "SELECT count(*) FROM pair");
    g_assert_cmpint (pairs, >=, last);
    g_assert_cmpint ((gint64)count_pairs (restored, 1), ==, pairs);
    assert_readable (restored, (guint)pairs);
    last = pairs;
  }
  g_assert_cmpint (last, ==, 14);
}

/* Somebody removed the database, not what lies beside it. */
static void
test_a_log_that_was_left_over_is_not_believed (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = NULL;

  make_unclean_database (scratch->path);
  g_assert_cmpint (g_remove (scratch->path), ==, 0);
  store = open_store (scratch->path);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM mailbox"), ==, 0);
}

static void
test_a_run_without_changes_leaves_the_file_as_it_is (Scratch *scratch, gconstpointer data)
{
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr (GPtrArray) mailboxes = NULL;
  g_autoptr (Store) store = NULL;

  make_database (scratch->path, 10);
  before = snapshot (scratch->folder);
  store = open_store (scratch->path);
  set_disk (DISK_FULL, 0);
  mailboxes = store_mailboxes (store, NULL);
  g_assert_cmpuint (mailboxes->len, ==, 1);
  BEGIN (store);
  OK (store_mailbox_save (store, mailboxes->pdata[0], &error));
  COMMIT (store);
  g_assert_cmpuint (store_writes (store), ==, 0);
  g_clear_pointer (&store, store_close);
  set_disk (DISK_GOOD, 0);
  after = snapshot (scratch->folder);
  g_assert_cmpstr (after, ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  install_disk ();
  ADD ("/store/full/transaction", test_a_full_disk_undoes_the_transaction_alone);
  ADD ("/store/full/creation", test_a_full_disk_leaves_no_half_database);
  ADD ("/store/killed/any-write", test_killed_at_any_write_it_has_all_or_nothing);
  ADD ("/store/killed/creation", test_killed_at_any_write_of_its_creation_it_is_created_again);
  ADD ("/store/killed/in-transaction", test_killed_in_a_transaction_nothing_of_it_stays);
  ADD ("/store/killed/after-commit", test_what_was_committed_stays_when_the_process_goes);
  ADD ("/store/power/intents-flushed", test_intents_are_flushed_confirmations_are_not);
  ADD ("/store/power/flush-fails", test_an_intent_that_cannot_be_flushed_is_an_error);
  ADD ("/store/power/log-cut", test_any_beginning_of_the_log_is_a_state_that_was);
  ADD ("/store/power/log-left-over", test_a_log_that_was_left_over_is_not_believed);
  ADD ("/store/nothing-to-do", test_a_run_without_changes_leaves_the_file_as_it_is);
  return g_test_run ();
}
