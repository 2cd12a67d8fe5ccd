/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A record lock (fcntl) names its holder and goes with the process, however that ends. But it does
 * not keep a process from itself: a second open() here would get it too, and its close() would lose
 * it for both. So this process writes down what it holds. The file stays when the lock goes: to
 * remove it would let two processes lock two files of one name. */
struct _StoreLock {
  char *path;
  char *note; /* of the last close; NULL: none */
  int fd;
};

static GMutex held_mutex;
static GHashTable *held; /* path of each lock that this process has */

static gboolean
reserve (const char *path)
{
  gboolean ours;

  g_mutex_lock (&held_mutex);
  if (held == NULL)
    held = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  ours = !g_hash_table_contains (held, path);
  if (ours)
    g_hash_table_add (held, g_strdup (path));
  g_mutex_unlock (&held_mutex);
  return ours;
}

static void
unreserve (const char *path)
{
  g_mutex_lock (&held_mutex);
  g_hash_table_remove (held, path);
  g_mutex_unlock (&held_mutex);
}

static int
open_lock_file (const char *path)
{
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd >= 0 && fchmod (fd, 0600) != 0) {
    int saved = errno;

    g_close (fd, NULL);
    errno = saved;
    return -1;
  }
  if (fd < 0 && errno == EEXIST)
    fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  return fd;
}

static void
set_locked (GError **error, const char *file, gint64 pid)
{
  if (pid > 0)
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_LOCKED,
                 "The database %s is in use by process %" G_GINT64_FORMAT
                 "; stop that one first, or let it do the work",
                 file, pid);
  else
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_LOCKED,
                 "The database %s is in use by a process on another machine", file);
}

/* The holder is gone between the two calls now and then; it may also be on another machine (NFS),
 * where only the text of the file says which it is. */
static gboolean
lock_fd (int fd, const char *file, GError **error)
{
  char text[32] = {0};

  for (guint attempt = 0; attempt < 10; attempt++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl (fd, F_SETLK, &lock) == 0)
      return TRUE;
    if (errno != EACCES && errno != EAGAIN && errno != EINTR) {
      store_set_errno (error, file, "cannot be locked", errno);
      return FALSE;
    }
    if (fcntl (fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
      if (lock.l_pid <= 0 && pread (fd, text, sizeof text - 1, 0) > 0)
        lock.l_pid = (pid_t)g_ascii_strtoll (text, NULL, 10);
      set_locked (error, file, lock.l_pid);
      return FALSE;
    }
  }
  set_locked (error, file, 0);
  return FALSE;
}

/* The pid is for people and scripts, the note saves time; the lock is what counts, so a full disk
 * does not matter here. */
static void
write_text (int fd, const char *note)
{
  g_autofree char *text = g_strdup_printf ("%ld\n%s", (long)getpid (), note);

  if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
    g_debug ("The lock file could not be written: %s", g_strerror (errno));
}

/* What is behind the first line. */
static char *
read_note (int fd)
{
  char text[256] = {0};
  const char *end;

  if (pread (fd, text, sizeof text - 1, 0) <= 0 || (end = strchr (text, '\n')) == NULL)
    return NULL;
  return end[1] != '\0' ? g_strdup (end + 1) : NULL;
}

/* A copy is another file, even one of the same size in the same tick of the clock. */
static char *
describe_file (const char *file)
{
  struct stat status;

  if (stat (file, &status) != 0)
    return NULL;
  return g_strdup_printf ("closed: inode %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
                          " bytes, %" G_GINT64_FORMAT ".%09ld\n",
                          (guint64)status.st_ino, (guint64)status.st_size,
                          (gint64)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void
store_lock_note (StoreLock *lock, const char *file)
{
  g_autofree char *note = describe_file (file);

  if (note != NULL)
    write_text (lock->fd, note);
}

gboolean
store_lock_has_note (const StoreLock *lock, const char *file)
{
  g_autofree char *note = describe_file (file);

  return note != NULL && g_strcmp0 (note, lock->note) == 0;
}

StoreLock *
store_lock_take (const char *file, GError **error)
{
  g_autofree char *path = g_strconcat (file, ".lock", NULL);
  StoreLock *lock;
  int fd;

  if (!reserve (path)) {
    set_locked (error, file, getpid ());
    return NULL;
  }
  fd = open_lock_file (path);
  if (fd < 0) {
    store_set_errno (error, path, "cannot be opened for writing", errno);
    unreserve (path);
    return NULL;
  }
  if (!lock_fd (fd, file, error)) {
    g_close (fd, NULL);
    unreserve (path);
    return NULL;
  }
  lock = g_new0 (StoreLock, 1);
  lock->note = read_note (fd);
  write_text (fd, "");
  lock->path = g_steal_pointer (&path);
  lock->fd = fd;
  return lock;
}

void
store_lock_release (StoreLock *lock)
{
  if (lock == NULL)
    return;
  g_close (lock->fd, NULL);
  unreserve (lock->path);
  g_free (lock->path);
  g_free (lock->note);
  g_free (lock);
}
