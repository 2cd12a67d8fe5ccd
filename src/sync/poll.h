/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* When an account at rest looks by itself: every five minutes in case a notice was lost, and where
 * not everything is told as often as the configuration says, but up to twelve times as often while
 * things change. Times are monotonic microseconds. */
typedef struct {
  gint64 listed;  /* the last LIST of everything; 0: none yet, or not to be relied on */
  gint64 checked; /* the last full comparison */
  guint quiet;    /* such passes in a row that found nothing */
} SyncPoll;

/* @needed: seconds between polls; 0 where everything is told. */
gint64 sync_poll_next (const SyncPoll *poll, guint needed);

/* Once a day everything is compared. */
gboolean sync_poll_wants_check (const SyncPoll *poll, gint64 now);

/* After a pass; @everything: with a LIST of all. @changed: there was something to do. */
void sync_poll_passed (SyncPoll *poll, gint64 now, gboolean everything, gboolean checked,
                       gboolean changed);

/* The next look is now. */
void sync_poll_hurry (SyncPoll *poll);

G_END_DECLS
