/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Where tests kill the process: what has an effect outside of it is counted, and at number
 * $IMAPSYNC_KILL_AT, or at the first called $IMAPSYNC_KILL_NAMED, it dies of SIGKILL, after
 * @before. Only imapsync-killable is built with IMAPSYNC_TEST_EFFECTS; in the program that is
 * installed nothing of it remains. */
#ifdef IMAPSYNC_TEST_EFFECTS

/* Counts one; TRUE when it is the last. */
gboolean effect_count (const char *name);
void effect_die (void) G_GNUC_NORETURN;

#define EFFECT(name, before)                                                                       \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (effect_count (name)) {                                                                     \
      before;                                                                                      \
      effect_die ();                                                                               \
    }                                                                                              \
  }                                                                                                \
  G_STMT_END

#else

#define EFFECT(name, before) ((void)0)

#endif
