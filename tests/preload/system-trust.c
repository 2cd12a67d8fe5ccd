/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another system's CA certificates for a program that is started with this as LD_PRELOAD: what
 * $SYSTEM_TRUST names is read in place of Debian's file, as GnuTLS opens it. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_FILE "/etc/ssl/certs/ca-certificates.crt"

#define DEFINE_FOPEN(name)                                                                         \
  FILE *name (const char *path, const char *mode)                                                  \
  {                                                                                                \
    FILE *(*real) (const char *, const char *) = dlsym (RTLD_NEXT, #name);                         \
    const char *wanted = getenv ("SYSTEM_TRUST");                                                  \
                                                                                                   \
    return real (wanted != NULL && strcmp (path, SYSTEM_FILE) == 0 ? wanted : path, mode);         \
  }

DEFINE_FOPEN (fopen)
DEFINE_FOPEN (fopen64)
