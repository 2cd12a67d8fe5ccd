/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/poll.h"

#define SAFETY_INTERVAL (5 * 60)       /* a LIST, in case a notice was lost */
#define CHECK_INTERVAL  (24 * 60 * 60) /* everything compared */
#define SOONER          12             /* times, after a change */
#define SHORTEST        5

gint64
sync_poll_next (const SyncPoll *poll, guint needed)
{
  guint first = MAX (needed / SOONER, SHORTEST), seconds = SAFETY_INTERVAL;

  if (poll->listed == 0)
    return 0;
  if (needed > 0)
    seconds = MIN (seconds, MIN (needed, first << MIN (poll->quiet, SOONER)));
  return poll->listed + (gint64)seconds * G_USEC_PER_SEC;
}

gboolean
sync_poll_wants_check (const SyncPoll *poll, gint64 now)
{
  return poll->checked > 0 && now - poll->checked > (gint64)CHECK_INTERVAL * G_USEC_PER_SEC;
}

void
sync_poll_passed (SyncPoll *poll, gint64 now, gboolean everything, gboolean checked,
                  gboolean changed)
{
  if (changed)
    poll->quiet = 0;
  else if (everything && poll->listed > 0)
    poll->quiet++;
  if (!everything)
    return;
  poll->listed = now;
  if (checked || poll->checked == 0)
    poll->checked = now;
}

void
sync_poll_hurry (SyncPoll *poll)
{
  poll->listed = 0;
}
