/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/repair.h"

#include "log-account.h"
#include "sync/commit.h"
#include "sync/match.h"

static gboolean
is_there (const SyncMailbox *mailbox, Side side, guint32 uid)
{
  return !sync_delta_is_gone (mailbox->side[side].delta, uid);
}

static FlagsId
masked (SyncEngine *engine, const SyncMailbox *mailbox, FlagsId flags)
{
  for (Side side = 0; side < N_SIDES; side++)
    flags = flag_table_mask (engine->flags, flags, &mailbox->side[side].delta->mask);
  return flags;
}

static void
tell_gone (const SyncMailbox *mailbox, const StorePair *pair)
{
  gboolean there[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++)
    there[side] = is_there (mailbox, side, pair->uid[side]);
  if (!there[SIDE_LOCAL] && !there[SIDE_REMOTE])
    log_mailbox_message (
        mailbox->display,
        "the database knows a message (local UID %u, remote UID %u) that is on neither "
        "server",
        pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE]);
  for (Side side = 0; side < N_SIDES; side++) {
    Side other = side_other (side);

    if (there[side] && !there[other])
      log_mailbox_message (mailbox->display, "%s UID %u has lost its counterpart, %s UID %u",
                           side_name (side), pair->uid[side], side_name (other), pair->uid[other]);
  }
}

static void
tell_flags (SyncEngine *engine, const SyncMailbox *mailbox, const StorePair *pair)
{
  const SyncMessage *local =
      sync_delta_find (mailbox->side[SIDE_LOCAL].delta, pair->uid[SIDE_LOCAL]);
  const SyncMessage *remote =
      sync_delta_find (mailbox->side[SIDE_REMOTE].delta, pair->uid[SIDE_REMOTE]);
  FlagsId agreed = masked (engine, mailbox, pair->flags);

  if (local == NULL || remote == NULL ||
      (masked (engine, mailbox, local->flags) == agreed &&
       masked (engine, mailbox, remote->flags) == agreed))
    return;
  log_mailbox_message (
      mailbox->display,
      "the flags of local UID %u are (%s), of remote UID %u (%s), and in the database "
      "(%s)",
      pair->uid[SIDE_LOCAL], flag_table_text (engine->flags, local->flags), pair->uid[SIDE_REMOTE],
      flag_table_text (engine->flags, remote->flags), flag_table_text (engine->flags, pair->flags));
}

/* Not those above the saved UIDNEXT: they are new, which is no anomaly. */
static void
tell_unpaired (const SyncMailbox *mailbox, Side side, const UidSet *paired)
{
  const GArray *messages = mailbox->side[side].delta->messages;
  g_autoptr (UidSet) held = uid_set_new ();

  for (guint i = 0; i < mailbox->holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (mailbox->holds, i);

    if (hold->side == side)
      uid_set_add (held, hold->uid);
  }
  for (guint i = 0; i < messages->len; i++) {
    guint32 uid = g_array_index (messages, SyncMessage, i).uid;

    if (uid < mailbox->saved->side[side].uidnext && !uid_set_contains (paired, uid) &&
        !uid_set_contains (held, uid) &&
        (mailbox->due[side] == NULL || !uid_set_contains (mailbox->due[side], uid)))
      log_mailbox_message (mailbox->display, "%s UID %u is missing in the database",
                           side_name (side), uid);
  }
}

static void
tell_anomalies (SyncEngine *engine, const SyncMailbox *mailbox, const GArray *pairs)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (UidSet) paired = uid_set_new ();

    for (guint i = 0; i < pairs->len; i++)
      uid_set_add (paired, g_array_index (pairs, StorePair, i).uid[side]);
    tell_unpaired (mailbox, side, paired);
  }
  for (guint i = 0; i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);

    tell_gone (mailbox, pair);
    tell_flags (engine, mailbox, pair);
  }
}

static gboolean
drop_wrong_pairs (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs, GError **error)
{
  g_autoptr (GArray) both = g_array_new (FALSE, FALSE, sizeof (StorePair));
  g_autoptr (GArray) wrong = g_array_new (FALSE, FALSE, sizeof (StorePair));

  for (guint i = 0; i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);

    if (is_there (mailbox, SIDE_LOCAL, pair->uid[SIDE_LOCAL]) &&
        is_there (mailbox, SIDE_REMOTE, pair->uid[SIDE_REMOTE]))
      g_array_append_val (both, *pair);
  }
  if (!sync_gather_wrong_pairs (engine, mailbox, both, wrong, error))
    return FALSE;
  for (guint i = 0; i < wrong->len; i++) {
    const StorePair *pair = &g_array_index (wrong, StorePair, i);

    log_mailbox_message (mailbox->display,
                         "local UID %u and remote UID %u are two messages, and one in the database",
                         pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE]);
    sync_commit_forget (engine, mailbox, pair);
  }
  return sync_commit_flush (engine);
}

static gboolean
examine (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));

  /* Numbers that are not believed are told of by the plan, and everything is matched again. */
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = mailbox->side[side].delta;

    if (!delta->full || delta->trust == SYNC_TRUST_NONE ||
        mailbox->saved->side[side].uidvalidity == 0)
      return TRUE;
  }
  if (!store_pairs_range (engine->store, mailbox->saved->id, SIDE_LOCAL, 1, G_MAXUINT32, pairs,
                          error))
    return FALSE;
  tell_anomalies (engine, mailbox, pairs);
  return drop_wrong_pairs (engine, mailbox, pairs, error);
}

gboolean
sync_repair_examine (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    /* In the first round; later ones see what was done. */
    if (!mailbox->failed && mailbox->plan == NULL && !examine (engine, mailbox, error))
      return FALSE;
  }
  return TRUE;
}
