/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- errors --- */

#define CHOOSE_ANOTHER "name another file in \"database\", or move this one away"

static gboolean
is_disk_full (int errnum)
{
  return errnum == ENOSPC || errnum == EDQUOT;
}

static void
set_disk_full (GError **error, const char *file)
{
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL,
               "No space is left on the disk for the database %s", file);
}

void
store_set_errno (GError **error, const char *file, const char *what, int errnum)
{
  if (is_disk_full (errnum))
    set_disk_full (error, file);
  else
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE, "The database file %s %s: %s",
                 file, what, g_strerror (errnum));
}

/* The servers are the truth and R5 finds the pairs again, so starting afresh costs time alone. */
void
store_set_damaged (GError **error, const char *file, const char *why)
{
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "The database %s is damaged (%s); move it away and synchronize again: messages that "
               "both servers have are recognized, not copied",
               file, why);
}

void
store_set_error (GError **error, const char *file, sqlite3 *db, int rc)
{
  int errnum = db != NULL ? sqlite3_system_errno (db) : 0;
  const char *message = db != NULL ? sqlite3_errmsg (db) : sqlite3_errstr (rc);

  switch (rc & 0xff) {
  case SQLITE_FULL:
    set_disk_full (error, file);
    return;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_PROTOCOL:
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_LOCKED,
                 "The database %s is in use by another program", file);
    return;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    store_set_damaged (error, file, message);
    return;
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
    if (errnum != 0) {
      store_set_errno (error, file, "cannot be read or written", errnum);
      return;
    }
    break;
  default:
    break;
  }
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
               "The database %s cannot be read or written: %s", file, message);
}

/* --- folder --- */

/* 0700 whatever the umask; what is there stays as it is. */
static gboolean
make_folder (const char *folder)
{
  g_autofree char *parent = NULL;

  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  if (g_mkdir (folder, 0700) == 0)
    return g_chmod (folder, 0700) == 0;
  if (errno == EEXIST)
    errno = ENOTDIR;
  if (errno != ENOENT)
    return FALSE;
  parent = g_path_get_dirname (folder);
  if (g_str_equal (parent, folder) || !make_folder (parent))
    return FALSE;
  return g_mkdir (folder, 0700) == 0 && g_chmod (folder, 0700) == 0;
}

char *
store_file_resolve (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  char *real, *file;

  if (*path == '\0' || g_str_has_suffix (path, "/")) {
    store_set_errno (error, path, "cannot be opened", EISDIR);
    return NULL;
  }
  if (!make_folder (folder)) {
    store_set_errno (error, path, "cannot be opened, its folder cannot be created", errno);
    return NULL;
  }
  real = realpath (path, NULL);
  if (real == NULL && errno == ENOENT) {
    real = realpath (folder, NULL);
    if (real != NULL) {
      file = g_build_filename (real, name, NULL);
      free (real);
      return file;
    }
  }
  if (real == NULL) {
    store_set_errno (error, path, "cannot be opened", errno);
    return NULL;
  }
  file = g_strdup (real);
  free (real);
  return file;
}

/* --- file --- */

static const char *const log_suffixes[] = {"-wal", "-journal", "-shm"};

static goffset
size_of (const char *file, const char *suffix)
{
  g_autofree char *path = g_strconcat (file, suffix, NULL);
  GStatBuf status;

  return g_stat (path, &status) == 0 ? status.st_size : 0;
}

/* SQLite takes a page that ends early for one that ends in zeros. While there is a log, the file
 * may end anywhere: the log has the rest. */
static gboolean
has_whole_pages (const guint8 *header, goffset size)
{
  guint page = (guint)header[16] << 8 | header[17];

  return size % (page <= 1 ? 65536 : page) == 0;
}

static gboolean
check_header (const char *file, int fd, goffset size, StoreFileState state, GError **error)
{
  static const char magic[16] = "SQLite format 3";
  guint8 header[100];
  guint32 version, application;
  gssize n = pread (fd, header, sizeof header, 0);

  if (n < 0) {
    store_set_errno (error, file, "cannot be read", errno);
    return FALSE;
  }
  if (n < (gssize)sizeof magic || memcmp (header, magic, sizeof magic) != 0) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "The file %s is not a database; " CHOOSE_ANOTHER, file);
    return FALSE;
  }
  if (n < (gssize)sizeof header || (state == STORE_FILE_CLEAN && !has_whole_pages (header, size))) {
    store_set_damaged (error, file, "its end is missing");
    return FALSE;
  }
  memcpy (&version, header + 60, 4);
  memcpy (&application, header + 68, 4);
  return store_schema_check (file, GUINT32_FROM_BE (application), (gint32)GUINT32_FROM_BE (version),
                             error);
}

static gboolean
check_open_file (const char *file, int fd, StoreFileState *state, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (file);
  struct stat status;

  if (fstat (fd, &status) != 0) {
    store_set_errno (error, file, "cannot be read", errno);
    return FALSE;
  }
  if (faccessat (AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0) {
    store_set_errno (error, file, "cannot be used, its folder is not writable", errno);
    return FALSE;
  }
  if (status.st_size == 0) {
    *state = STORE_FILE_ABSENT;
    if (size_of (file, "-wal") == 0)
      return TRUE;
    store_set_damaged (error, file, "it is empty, but its log is not");
    return FALSE;
  }
  *state = size_of (file, "-wal") > 0 || size_of (file, "-journal") > 0 ? STORE_FILE_UNCLEAN
                                                                        : STORE_FILE_CLEAN;
  return check_header (file, fd, status.st_size, *state, error);
}

gboolean
store_file_check (const char *file, StoreFileState *state, GError **error)
{
  GStatBuf status;
  gboolean good;
  int fd;

  *state = STORE_FILE_ABSENT;
  if (g_stat (file, &status) != 0) {
    if (errno == ENOENT)
      return TRUE;
    store_set_errno (error, file, "cannot be read", errno);
    return FALSE;
  }
  if (!S_ISREG (status.st_mode)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                 "%s is %s, not a database; name a file in \"database\"", file,
                 S_ISDIR (status.st_mode) ? "a folder" : "no regular file");
    return FALSE;
  }
  fd = open (file, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    store_set_errno (error, file, "cannot be opened for writing", errno);
    return FALSE;
  }
  good = check_open_file (file, fd, state, error);
  g_close (fd, NULL);
  return good;
}

void
store_file_restrict (const char *file)
{
  g_autofree char *wal = g_strconcat (file, "-wal", NULL);
  const char *const paths[] = {file, wal};
  GStatBuf status;

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    if (g_stat (paths[i], &status) == 0 && (status.st_mode & 07777) != 0600 &&
        g_chmod (paths[i], 0600) != 0)
      g_warning ("%s may be read by others, and that cannot be changed: %s", paths[i],
                 g_strerror (errno));
}

void
store_file_remove_logs (const char *file)
{
  for (gsize i = 0; i < G_N_ELEMENTS (log_suffixes); i++) {
    g_autofree char *path = g_strconcat (file, log_suffixes[i], NULL);

    g_unlink (path);
  }
}

gboolean
store_file_create (const char *file, GError **error)
{
  int fd = open (file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean good = fd >= 0 && fchmod (fd, 0600) == 0;

  if (!good)
    store_set_errno (error, file, "cannot be created", errno);
  if (fd >= 0)
    g_close (fd, NULL);
  return good;
}

gboolean
store_file_rename (const char *from, const char *to, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (to);
  int fd;

  if (g_rename (from, to) != 0) {
    store_set_errno (error, to, "cannot be created", errno);
    return FALSE;
  }
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync (fd);
    g_close (fd, NULL);
  }
  return TRUE;
}
