/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/light.h"

#include "log-account.h"
#include "sync/commit.h"

#define MAX_SIZE (1024 * 1024) /* bytes */

static void
hold (SyncEngine *engine, SyncMailbox *mailbox, Side side, guint32 uid)
{
  StoreHold record = {
      .mailbox = mailbox->saved->id,
      .side = side,
      .uid = uid,
      .kind = STORE_HOLD_METERED,
      .reason = (char *)"it is larger than 1 MiB, and the network is metered",
      .since = g_get_real_time () / G_USEC_PER_SEC,
  };

  sync_commit_hold (engine, &record);
}

void
sync_light_hold (SyncEngine *engine, SyncMailbox *mailbox)
{
  guint n = 0;

  if (!engine->light)
    return;
  for (Side side = 0; side < N_SIDES; side++) {
    GArray *copy = mailbox->plan->copy[side];

    for (guint i = copy->len; i-- > 0;) {
      const SyncMessage *message = &g_array_index (copy, SyncMessage, i);

      if (message->size <= MAX_SIZE)
        continue;
      hold (engine, mailbox, side, message->uid);
      g_array_remove_index (copy, i);
      n++;
    }
  }
  if (n > 0)
    log_mailbox_message (
        mailbox->display,
        "messages larger than 1 MiB, which wait until the network is not metered: %u", n);
}
