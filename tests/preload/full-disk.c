/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A full disk for a program that is started with this as LD_PRELOAD:
 *
 * $DISK_FREE   what statvfs() says to be free everywhere, in bytes
 * $DISK_ROOM   how many bytes may be written to files named *.db and *.db-*: then ENOSPC */
/* Each function by the name that it has in libc. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void *
next (const char *name)
{
  return dlsym (RTLD_NEXT, name);
}

#define DEFINE_STATVFS(name, type)                                                                 \
  int name (const char *path, struct type *info)                                                   \
  {                                                                                                \
    int (*real) (const char *, struct type *) = next (#name);                                      \
    const char *wanted = getenv ("DISK_FREE");                                                     \
    int status = real (path, info);                                                                \
                                                                                                   \
    if (status == 0 && wanted != NULL) {                                                           \
      info->f_frsize = 1;                                                                          \
      info->f_bavail = info->f_bfree = strtoull (wanted, NULL, 10);                                \
    }                                                                                              \
    return status;                                                                                 \
  }

DEFINE_STATVFS (statvfs, statvfs)
DEFINE_STATVFS (statvfs64, statvfs64)

static int
is_database (int fd)
{
  char link[64], path[4096];
  ssize_t length;
  const char *name;

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink (link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  name = strrchr (path, '/');
  return name != NULL && strstr (name, ".db") != NULL && strstr (name, ".lock") == NULL;
}

/* One thread writes the database. */
static int
has_room (int fd, size_t length)
{
  static unsigned long long room;
  static int known;
  const char *wanted = getenv ("DISK_ROOM");

  if (wanted == NULL || !is_database (fd))
    return 1;
  if (!known)
    room = strtoull (wanted, NULL, 10);
  known = 1;
  if (room < length) {
    room = 0;
    errno = ENOSPC;
    return 0;
  }
  room -= length;
  return 1;
}

#define DEFINE_PWRITE(name, offset_type)                                                           \
  ssize_t name (int fd, const void *bytes, size_t length, offset_type offset)                      \
  {                                                                                                \
    ssize_t (*real) (int, const void *, size_t, offset_type) = next (#name);                       \
                                                                                                   \
    return has_room (fd, length) ? real (fd, bytes, length, offset) : -1;                          \
  }

DEFINE_PWRITE (pwrite, off_t)
DEFINE_PWRITE (pwrite64, off64_t)

ssize_t
write (int fd, const void *bytes, size_t length)
{
  ssize_t (*real) (int, const void *, size_t) = next ("write");

  return has_room (fd, length) ? real (fd, bytes, length) : -1;
}
