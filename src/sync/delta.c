/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/delta.h"

SyncDelta *
sync_delta_new (void)
{
  SyncDelta *delta = g_new0 (SyncDelta, 1);

  delta->messages = g_array_new (FALSE, TRUE, sizeof (SyncMessage));
  delta->vanished = uid_set_new ();
  return delta;
}

void
sync_delta_free (SyncDelta *delta)
{
  if (delta == NULL)
    return;
  g_array_unref (delta->messages);
  uid_set_free (delta->vanished);
  g_free (delta);
}

SyncMessage *
sync_delta_find (const SyncDelta *delta, guint32 uid)
{
  gsize low = 0, high = delta->messages->len;

  while (low < high) {
    gsize middle = low + (high - low) / 2;
    SyncMessage *message = &g_array_index (delta->messages, SyncMessage, middle);

    if (message->uid == uid)
      return message;
    if (message->uid < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

gboolean
sync_delta_is_gone (const SyncDelta *delta, guint32 uid)
{
  if (uid_set_contains (delta->vanished, uid))
    return TRUE;
  return delta->full && sync_delta_find (delta, uid) == NULL;
}
