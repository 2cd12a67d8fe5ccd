/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "effect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Effects of one account's thread: the tests that kill have one account. */
static guint64 count;

/* $IMAPSYNC_EFFECTS: a file that gets a line for each, which is how a test knows how many. */
static void
note (const char *name)
{
  const char *path = g_getenv ("IMAPSYNC_EFFECTS");
  FILE *file = path != NULL ? fopen (path, "a") : NULL;

  if (file == NULL)
    return;
  fprintf (file, "%s\n", name);
  fclose (file);
}

gboolean
effect_count (const char *name)
{
  static guint64 last;

  if (last == 0) {
    const char *wanted = g_getenv ("IMAPSYNC_KILL_AT");

    last = wanted != NULL ? g_ascii_strtoull (wanted, NULL, 10) : G_MAXUINT64;
  }
  note (name);
  if (g_strcmp0 (g_getenv ("IMAPSYNC_KILL_NAMED"), name) == 0)
    return TRUE;
  return ++count == last;
}

void
effect_die (void)
{
  kill (getpid (), SIGKILL);
  abort ();
}
