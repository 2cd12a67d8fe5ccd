/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "new-config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

char *
new_config_path (const char *name, GError **error)
{
  g_autofree char *folder = g_build_filename (g_get_user_config_dir (), "imapsync", NULL);
  g_autofree char *file = g_strconcat (name, ".conf", NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);

  if (*name == '\0' || *name == '.' || strpbrk (name, "/:") != NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "\"%s\" is no name for an account: it becomes that of a file", name);
    return NULL;
  }
  if (g_file_test (folder, G_FILE_TEST_EXISTS) && !g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s is the file of one account: to have more, move it into a folder of that name, "
                 "as NAME.conf",
                 folder);
    return NULL;
  }
  if (g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s exists already: --name=NAME chooses another name", path);
    return NULL;
  }
  return g_steal_pointer (&path);
}

static gboolean
fail (const char *path, int errnum, GError **error)
{
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "%s cannot be written: %s", path,
               g_strerror (errnum));
  return FALSE;
}

gboolean
new_config_write (const char *path, const char *text, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  gsize length = strlen (text), done = 0;
  gboolean ok;
  int fd;

  if (g_mkdir_with_parents (folder, 0700) != 0)
    return fail (folder, errno, error);
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail (path, errno, error);
  while (done < length) {
    gssize n = write (fd, text + done, length - done);

    if (n < 0 && errno != EINTR)
      break;
    done += MAX (n, 0);
  }
  ok = done == length && fsync (fd) == 0;
  if (!ok) {
    fail (path, errno, error);
    g_unlink (path);
  }
  close (fd);
  return ok;
}
