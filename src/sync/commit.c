/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/commit.h"

#include "sync/landed.h"

#define MAX_PENDING 1000                            /* records in one transaction */
#define MAX_AGE     (200 * G_TIME_SPAN_MILLISECOND) /* how long a confirmation may wait for others */

/* By its address: an argument may be read before the one beside it has set it. */
static gboolean
check (SyncEngine *engine, gboolean ok, GError **error)
{
  if (ok)
    return TRUE;
  if (engine->fatal == NULL)
    engine->fatal = g_steal_pointer (error);
  else
    g_clear_error (error);
  store_rollback (engine->store);
  engine->commit_pending = 0;
  return FALSE;
}

static gboolean
begin (SyncEngine *engine)
{
  GError *error = NULL;

  if (engine->fatal != NULL)
    return FALSE;
  if (engine->commit_pending++ > 0)
    return TRUE;
  engine->commit_since = g_get_monotonic_time ();
  return check (engine, store_begin (engine->store, &error), &error);
}

gboolean
sync_commit_flush (SyncEngine *engine)
{
  GError *error = NULL;

  if (engine->commit_pending == 0)
    return engine->fatal == NULL;
  engine->commit_pending = 0;
  return check (engine, store_commit (engine->store, &error), &error);
}

void
sync_commit_maybe_flush (SyncEngine *engine)
{
  if (engine->commit_pending >= MAX_PENDING ||
      (engine->commit_pending > 0 && g_get_monotonic_time () - engine->commit_since > MAX_AGE))
    sync_commit_flush (engine);
}

void
sync_commit_pair (SyncEngine *engine, SyncMailbox *mailbox, const StorePair *pair)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine, store_pairs_insert (engine->store, mailbox->saved->id, pair, 1, &error), &error);
  sync_commit_maybe_flush (engine);
}

void
sync_commit_forget (SyncEngine *engine, SyncMailbox *mailbox, const StorePair *pair)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine,
           store_pair_delete (engine->store, mailbox->saved->id, SIDE_LOCAL, pair->uid[SIDE_LOCAL],
                              &error),
           &error);
  sync_commit_maybe_flush (engine);
}

void
sync_commit_flags (SyncEngine *engine, SyncMailbox *mailbox, guint32 local_uid, FlagsId flags)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine,
           store_pair_set_flags (engine->store, mailbox->saved->id, SIDE_LOCAL, local_uid, flags,
                                 &error),
           &error);
  sync_commit_maybe_flush (engine);
}

void
sync_commit_hold (SyncEngine *engine, StoreHold *hold)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine, store_hold_save (engine->store, hold, &error), &error);
}

void
sync_commit_refused_flags (SyncEngine *engine, SyncMailbox *mailbox, Side side, FlagsId flags)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine, store_set_refused_flags (engine->store, mailbox->saved->id, side, flags, &error),
           &error);
}

void
sync_commit_conflict (SyncEngine *engine, StoreConflict *conflict)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine, store_conflict_save (engine->store, conflict, &error), &error);
}

gboolean
sync_commit_drop_hold (SyncEngine *engine, gint64 id)
{
  GError *error = NULL;

  return begin (engine) && check (engine, store_hold_delete (engine->store, id, &error), &error);
}

gboolean
sync_commit_drop_conflict (SyncEngine *engine, gint64 id)
{
  GError *error = NULL;

  return begin (engine) &&
         check (engine, store_conflict_delete (engine->store, id, &error), &error);
}

/* --- the plan -------------------------------------------------------------------------------- */

/* Intents by side and flag list: a UID set costs little, a row for each message would not. */
typedef struct {
  StoreIntentKind kind;
  Side side;
  FlagsId flags;
  UidSet *uids;
  GByteArray *descriptions; /* of a copy's; or NULL */
  gint64 date;              /* of the last description */
} IntentGroup;

static void
intent_group_clear (gpointer data)
{
  IntentGroup *group = data;

  uid_set_free (group->uids);
  g_clear_pointer (&group->descriptions, g_byte_array_unref);
}

static IntentGroup *
intent_group (GArray *groups, StoreIntentKind kind, Side side, FlagsId flags)
{
  IntentGroup group = {.kind = kind, .side = side, .flags = flags};

  for (guint i = groups->len; i > 0; i--) {
    IntentGroup *known = &g_array_index (groups, IntentGroup, i - 1);

    if (known->kind == kind && known->side == side && known->flags == flags)
      return known;
  }
  group.uids = uid_set_new ();
  g_array_append_val (groups, group);
  return &g_array_index (groups, IntentGroup, groups->len - 1);
}

static void
add_intent (GArray *groups, StoreIntentKind kind, Side side, FlagsId flags, guint32 uid)
{
  uid_set_add (intent_group (groups, kind, side, flags)->uids, uid);
}

/* In ascending order of their UIDs, as the descriptions have to be. */
static void
add_copy (GArray *groups, Side origin, FlagsId flags, const SyncMessage *message)
{
  IntentGroup *group = intent_group (groups, STORE_INTENT_COPY, side_other (origin), flags);

  if (group->descriptions == NULL)
    group->descriptions = g_byte_array_new ();
  uid_set_add (group->uids, message->uid);
  sync_landed_describe (group->descriptions, message, &group->date);
}

static const SyncMove *
move_at (const SyncPlan *plan, Side origin, guint i)
{
  const GArray *moves = plan->move[origin];

  return i < moves->len ? &g_array_index (moves, SyncMove, i) : NULL;
}

/* Two lists in ascending order become one. */
static void
add_copies (GArray *groups, const SyncPlan *plan, Side origin)
{
  const GArray *copies = plan->copy[origin];
  const SyncMove *move = move_at (plan, origin, 0);
  guint n = 0;

  for (guint i = 0; i < copies->len; i++) {
    const SyncMessage *copy = &g_array_index (copies, SyncMessage, i);

    for (; move != NULL && move->message.uid < copy->uid; move = move_at (plan, origin, ++n))
      add_copy (groups, origin, move->flags, &move->message);
    add_copy (groups, origin, copy->flags, copy);
  }
  for (; move != NULL; move = move_at (plan, origin, ++n))
    add_copy (groups, origin, move->flags, &move->message);
}

static GArray *
group_intents (const SyncPlan *plan)
{
  GArray *groups = g_array_new (FALSE, FALSE, sizeof (IntentGroup));

  g_array_set_clear_func (groups, intent_group_clear);
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < plan->expunge[side]->len; i++)
      add_intent (groups, STORE_INTENT_EXPUNGE, side, 0,
                  g_array_index (plan->expunge[side], StorePair, i).uid[side]);
    add_copies (groups, plan, side);
    for (guint i = 0; i < plan->flags->len; i++) {
      const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);

      if (change->send[side])
        add_intent (groups, STORE_INTENT_FLAGS, side, change->agreed, change->uid[side]);
    }
  }
  return groups;
}

static gboolean
write_intents (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  g_autoptr (GArray) groups = group_intents (mailbox->plan);

  if (!store_intents_delete (engine->store, mailbox->saved->id, error))
    return FALSE;
  for (guint i = 0; i < groups->len; i++) {
    IntentGroup *group = &g_array_index (groups, IntentGroup, i);
    const SyncDelta *delta = mailbox->side[group->side].delta;
    g_autofree char *uids = uid_set_to_string (group->uids);
    g_autoptr (GBytes) descriptions =
        group->descriptions != NULL
            ? g_byte_array_free_to_bytes (g_steal_pointer (&group->descriptions))
            : NULL;
    StoreIntent intent = {
        .kind = group->kind,
        .mailbox = mailbox->saved->id,
        .side = group->side,
        .uids = uids,
        .descriptions = descriptions,
        .flags = group->flags,
        .uidvalidity = delta->uidvalidity,
        .uidnext = delta->uidnext,
    };

    if (!store_intent_insert (engine->store, &intent, error))
      return FALSE;
  }
  return TRUE;
}

/* What is now known to be common ground. A change that needs no STORE is done by writing it down;
 * one that does starts from its base, should it be interrupted. */
static gboolean
write_flags (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  const GArray *flags = mailbox->plan->flags;

  for (guint i = 0; i < flags->len; i++) {
    const SyncFlagChange *change = &g_array_index (flags, SyncFlagChange, i);
    gboolean sends = change->send[SIDE_LOCAL] || change->send[SIDE_REMOTE];
    FlagsId known = sends ? change->base : change->agreed;

    if (known != change->saved &&
        !store_pair_set_flags (engine->store, mailbox->saved->id, SIDE_LOCAL,
                               change->uid[SIDE_LOCAL], known, error))
      return FALSE;
  }
  return TRUE;
}

/* A pair means nothing without its UIDVALIDITY, so that is saved before the first of them; the
 * other numbers wait until all is done. */
static gboolean
write_uidvalidity (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  gboolean changed = FALSE;

  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = mailbox->side[side].delta;
    gboolean renumbered =
        mailbox->plan->reset || mailbox->saved->side[side].uidvalidity != delta->uidvalidity;

    /* A HIGHESTMODSEQ that fell is forgotten at once: our own STOREs would lift it past the saved
     * one, and after an interruption nothing would tell that it ever fell. */
    if (!renumbered && delta->highestmodseq >= mailbox->saved->side[side].highestmodseq)
      continue;
    mailbox->saved->side[side].uidvalidity = delta->uidvalidity;
    mailbox->saved->side[side].highestmodseq = 0;
    if (renumbered)
      mailbox->saved->side[side].uidnext = 0;
    mailbox->side[side].highestmodseq = 0;
    changed = TRUE;
  }
  return !changed || store_mailbox_save (engine->store, mailbox->saved, error);
}

/* A hold names a UID, and means nothing when the UIDs were given anew. */
static gboolean
drop_holds (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  g_autoptr (GPtrArray) holds = store_holds (engine->store, mailbox->saved->id, error);

  if (holds == NULL)
    return FALSE;
  for (guint i = 0; i < holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (holds, i);

    if (hold->uid != 0 && !store_hold_delete (engine->store, hold->id, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
write_plan (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  const SyncPlan *plan = mailbox->plan;
  gint64 id = mailbox->saved->id;

  if (!write_uidvalidity (engine, mailbox, error) ||
      (plan->reset && (!store_pairs_delete_all (engine->store, id, error) ||
                       !drop_holds (engine, mailbox, error))))
    return FALSE;
  for (guint i = 0; i < plan->forget->len; i++) {
    if (!store_pair_delete (engine->store, id, SIDE_LOCAL,
                            g_array_index (plan->forget, StorePair, i).uid[SIDE_LOCAL], error))
      return FALSE;
  }
  return store_pairs_insert (engine->store, id, (const StorePair *)(gpointer)plan->pairs->data,
                             plan->pairs->len, error) &&
         write_flags (engine, mailbox, error) && write_intents (engine, mailbox, error);
}

gboolean
sync_commit_plan (SyncEngine *engine, SyncMailbox *mailbox)
{
  const SyncPlan *plan = mailbox->plan;
  GError *error = NULL;

  if (!sync_plan_has_effect (plan) && !plan->reset && plan->pairs->len == 0 &&
      plan->forget->len == 0 && plan->flags->len == 0)
    return TRUE;
  return begin (engine) && check (engine, write_plan (engine, mailbox, &error), &error);
}

static gboolean
write_settled (SyncEngine *engine, SyncMailbox *mailbox, gboolean save_numbers, GError **error)
{
  gboolean changed = FALSE;

  for (Side side = 0; side < N_SIDES && save_numbers; side++) {
    const SyncDelta *delta = mailbox->side[side].delta;

    changed |= mailbox->saved->side[side].uidvalidity != delta->uidvalidity ||
               mailbox->saved->side[side].uidnext != delta->uidnext ||
               mailbox->saved->side[side].highestmodseq != delta->highestmodseq;
    mailbox->saved->side[side].uidvalidity = delta->uidvalidity;
    mailbox->saved->side[side].uidnext = delta->uidnext;
    mailbox->saved->side[side].highestmodseq = delta->highestmodseq;
  }
  if (changed && !store_mailbox_save (engine->store, mailbox->saved, error))
    return FALSE;
  return store_intents_delete (engine->store, mailbox->saved->id, error);
}

void
sync_commit_settled (SyncEngine *engine, SyncMailbox *mailbox, gboolean save_numbers)
{
  GError *error = NULL;

  if (begin (engine))
    check (engine, write_settled (engine, mailbox, save_numbers, &error), &error);
}
