/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

/* SQLite's own, without the shared memory, which it makes from the log. */
static const char *const parts[] = {"", "-wal", "-journal"};

#define COPY_NAME "copy.db"

void
store_copy_remove (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
  g_rmdir (folder);
}

static gboolean
copy_part (const char *from, const char *to, GError **error)
{
  g_autoptr (GFile) source = g_file_new_for_path (from);
  g_autoptr (GFile) target = g_file_new_for_path (to);
  g_autoptr (GError) reason = NULL;

  if (g_file_copy (source, target, G_FILE_COPY_TARGET_DEFAULT_PERMS, NULL, NULL, NULL, &reason) ||
      g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR,
               g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ? IMAPSYNC_ERROR_DISK_FULL
                                                                         : IMAPSYNC_ERROR_DATABASE,
               "The database %s cannot be copied to look at it: %s", from, reason->message);
  return FALSE;
}

static gboolean
copy_database (const char *path, const char *copy, GError **error)
{
  g_autofree char *real = NULL;
  StoreLock *lock;
  gboolean ok = TRUE;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  real = store_file_resolve (path, error);
  lock = real != NULL ? store_lock_take (real, error) : NULL;
  if (lock == NULL)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (parts) && ok; i++) {
    g_autofree char *from = g_strconcat (real, parts[i], NULL);
    g_autofree char *to = g_strconcat (copy, parts[i], NULL);

    ok = copy_part (from, to, error);
  }
  if (store_lock_has_note (lock, real))
    store_lock_note (lock, real);
  store_lock_release (lock);
  return ok;
}

Store *
store_open_copy (const char *path, const StoreIdentity identity[N_SIDES], GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autofree char *folder = g_dir_make_tmp ("imapsync-XXXXXX", &reason);
  g_autofree char *copy = NULL;
  Store *store = NULL;

  if (folder == NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "There is no place for a copy of the database %s: %s", path, reason->message);
    return NULL;
  }
  copy = g_build_filename (folder, COPY_NAME, NULL);
  if (copy_database (path, copy, error))
    store = store_open (copy, identity, error);
  if (store != NULL)
    store->scratch = g_steal_pointer (&folder);
  else
    store_copy_remove (folder);
  return store;
}
