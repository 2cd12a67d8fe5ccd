/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/plan.h"

#include "sync/landed.h"
#include "sync/plan-flags.h"

/* The state of one call. */
typedef struct {
  const SyncPlanInput *in;
  SyncPlan *plan;
  UidSet *paired[N_SIDES];       /* UIDs that a believed or a new pair names */
  UidSet *gone[N_SIDES];         /* UIDs of pairs whose message is gone on that side alone */
  UidSet *held[N_SIDES];         /* not to be copied from there */
  UidSet *held_flags[N_SIDES];   /* takes no STORE */
  UidSet *held_expunge[N_SIDES]; /* takes no EXPUNGE */
  GHashTable *old[N_SIDES];      /* on reset: pairs by the UID of the side that is still believed */
} Planner;

SyncPlan *
sync_plan_new (void)
{
  SyncPlan *plan = g_new0 (SyncPlan, 1);

  plan->pairs = g_array_new (FALSE, TRUE, sizeof (StorePair));
  plan->forget = g_array_new (FALSE, TRUE, sizeof (StorePair));
  plan->flags = g_array_new (FALSE, TRUE, sizeof (SyncFlagChange));
  plan->conflicts = g_ptr_array_new_with_free_func (g_free);
  for (Side side = 0; side < N_SIDES; side++) {
    plan->unpaired[side] = uid_set_new ();
    plan->expunge[side] = g_array_new (FALSE, TRUE, sizeof (StorePair));
    plan->copy[side] = g_array_new (FALSE, TRUE, sizeof (SyncMessage));
    plan->move[side] = g_array_new (FALSE, TRUE, sizeof (SyncMove));
    plan->held[side] = g_array_new (FALSE, TRUE, sizeof (SyncMessage));
    plan->marked[side] = uid_set_new ();
    plan->unstable[side] = uid_set_new ();
  }
  return plan;
}

void
sync_plan_free (SyncPlan *plan)
{
  if (plan == NULL)
    return;
  g_array_unref (plan->pairs);
  g_array_unref (plan->forget);
  g_array_unref (plan->flags);
  g_ptr_array_unref (plan->conflicts);
  for (Side side = 0; side < N_SIDES; side++) {
    uid_set_free (plan->unpaired[side]);
    g_array_unref (plan->expunge[side]);
    g_array_unref (plan->copy[side]);
    g_array_unref (plan->move[side]);
    g_array_unref (plan->held[side]);
    uid_set_free (plan->marked[side]);
    uid_set_free (plan->unstable[side]);
  }
  g_free (plan);
}

gboolean
sync_plan_has_question (const SyncPlan *plan)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (plan->need_full[side] || plan->need_confirm[side])
      return TRUE;
  }
  return plan->need_match || plan->need_again;
}

gboolean
sync_plan_has_effect (const SyncPlan *plan)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (plan->expunge[side]->len > 0 || plan->copy[side]->len > 0 || plan->move[side]->len > 0)
      return TRUE;
  }
  for (guint i = 0; i < plan->flags->len; i++) {
    const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);

    if (change->send[SIDE_LOCAL] || change->send[SIDE_REMOTE])
      return TRUE;
  }
  return FALSE;
}

gboolean
sync_plan_is_empty (const SyncPlan *plan)
{
  return !sync_plan_has_question (plan) && !sync_plan_has_effect (plan) && !plan->reset &&
         plan->pairs->len == 0 && plan->forget->len == 0 && plan->flags->len == 0 &&
         plan->conflicts->len == 0 && uid_set_is_empty (plan->unstable[SIDE_LOCAL]) &&
         uid_set_is_empty (plan->unstable[SIDE_REMOTE]);
}

static SyncConflict *
add_conflict (Planner *p, const char *kind, Side side)
{
  SyncConflict *conflict = g_new0 (SyncConflict, 1);

  conflict->kind = kind;
  conflict->side = side;
  g_ptr_array_add (p->plan->conflicts, conflict);
  return conflict;
}

/* One "read-only" for each side is enough. */
static void
add_read_only_conflict (Planner *p, Side side)
{
  for (guint i = 0; i < p->plan->conflicts->len; i++) {
    const SyncConflict *conflict = g_ptr_array_index (p->plan->conflicts, i);

    if (conflict->side == side && g_str_equal (conflict->kind, "read-only"))
      return;
  }
  add_conflict (p, "read-only", side);
}

/* --- what the database says ------------------------------------------------------------------ */

static void
planner_load_holds (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    p->paired[side] = uid_set_new ();
    p->gone[side] = uid_set_new ();
    p->held[side] = uid_set_new ();
    p->held_flags[side] = uid_set_new ();
    p->held_expunge[side] = uid_set_new ();
  }
  for (guint i = 0; p->in->holds != NULL && i < p->in->holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (p->in->holds, i);

    /* Once renumbered, its UID is another message's; and the other side may be another server. */
    if (hold->uid == 0 || p->plan->reset)
      continue;
    if (hold->kind == STORE_HOLD_FLAGS)
      uid_set_add (p->held_flags[hold->side], hold->uid);
    else if (hold->kind == STORE_HOLD_EXPUNGE)
      uid_set_add (p->held_expunge[hold->side], hold->uid);
    else
      uid_set_add (p->held[hold->side], hold->uid);
  }
}

static void
planner_clear (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    uid_set_free (p->paired[side]);
    uid_set_free (p->gone[side]);
    uid_set_free (p->held[side]);
    uid_set_free (p->held_flags[side]);
    uid_set_free (p->held_expunge[side]);
    g_clear_pointer (&p->old[side], g_hash_table_unref);
  }
}

static int
compare_uids (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

  return x < y ? -1 : x > y;
}

/* Adds in ascending order, which is cheap for a set; pairs are only sorted by their local UID. */
static void
add_paired (Planner *p, Side side, const GArray *pairs)
{
  g_autoptr (GArray) uids = g_array_sized_new (FALSE, FALSE, sizeof (guint32), pairs->len);
  guint32 last = 0;
  gboolean sorted = TRUE;

  for (guint i = 0; i < pairs->len; i++) {
    guint32 uid = g_array_index (pairs, StorePair, i).uid[side];

    sorted = sorted && uid >= last;
    last = uid;
    g_array_append_val (uids, uid);
  }
  if (!sorted)
    g_array_sort (uids, compare_uids);
  for (guint i = 0; i < uids->len; i++)
    uid_set_add (p->paired[side], g_array_index (uids, guint32, i));
}

/* FALSE where effects on it were planned too often already. What is left undone is told again only
 * by a gather from the old numbers. */
static gboolean
may_plan (Planner *p, Side side, guint32 uid)
{
  if (p->in->restless[side] != NULL && uid_set_contains (p->in->restless[side], uid)) {
    uid_set_add (p->plan->unstable[side], uid);
    p->plan->waiting = TRUE;
    return FALSE;
  }
  return TRUE;
}

/* Neither side of a restless pair is written to: half of a merge is none. */
static gboolean
may_plan_pair (Planner *p, const guint32 uid[N_SIDES])
{
  return may_plan (p, SIDE_LOCAL, uid[SIDE_LOCAL]) && may_plan (p, SIDE_REMOTE, uid[SIDE_REMOTE]);
}

/* --- R6: is what we see complete? ------------------------------------------------------------ */

static guint64
count_gone_pairs (Planner *p, Side side)
{
  guint64 count = 0;

  for (guint i = 0; i < p->in->pairs->len; i++)
    count += sync_delta_is_gone (p->in->delta[side],
                                 g_array_index (p->in->pairs, StorePair, i).uid[side]);
  return count;
}

static guint64
count_unpaired (Planner *p, Side side)
{
  const SyncDelta *delta = p->in->delta[side];
  guint64 count = 0;
  UidIter iter;
  guint32 uid;

  for (guint i = 0; i < delta->messages->len; i++) {
    uid = g_array_index (delta->messages, SyncMessage, i).uid;
    count += !uid_set_contains (p->paired[side], uid) && !uid_set_contains (delta->vanished, uid);
  }
  uid_iter_init (&iter, p->held[side]);
  while (uid_iter_next (&iter, &uid))
    count += !uid_set_contains (p->paired[side], uid) && sync_delta_find (delta, uid) == NULL &&
             !uid_set_contains (delta->vanished, uid);
  return count;
}

/* EXISTS unlike our count: something was never told to us. */
static void
ask_for_full_list (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = p->in->delta[side];

    if (delta->full)
      continue;
    if (p->plan->reset ||
        p->in->n_pairs - count_gone_pairs (p, side) + count_unpaired (p, side) != delta->exists)
      p->plan->need_full[side] = TRUE;
  }
}

/* --- flags ----------------------------------------------------------------------------------- */

static void
tell_flag_conflict (Planner *p, const SyncFlagMerge *merge, const guint32 uid[N_SIDES])
{
  SyncConflict *conflict = add_conflict (p, "flags", SIDE_LOCAL);

  for (Side side = 0; side < N_SIDES; side++) {
    conflict->uid[side] = uid[side];
    conflict->flags[side] = merge->flags[side];
  }
  conflict->result = merge->agreed;
}

static void
plan_flags (Planner *p, const guint32 uid[N_SIDES], SyncFlagMerge *merge, FlagsId saved)
{
  SyncFlagChange change = {.base = merge->base, .agreed = merge->agreed, .saved = saved};

  for (Side side = 0; side < N_SIDES; side++) {
    change.uid[side] = uid[side];
    change.list[side] = merge->list[side];
    change.old[side] = merge->flags[side];
    if (!merge->differs[side])
      continue;
    if (p->in->delta[side]->read_only || uid_set_contains (p->held_flags[side], uid[side])) {
      if (p->in->delta[side]->read_only)
        add_read_only_conflict (p, side);
      p->plan->waiting = TRUE;
      return;
    }
    if (!may_plan_pair (p, uid))
      return;
    change.send[side] = TRUE;
  }
  if (merge->conflict)
    tell_flag_conflict (p, merge, uid);
  if (change.send[SIDE_LOCAL] || change.send[SIDE_REMOTE] || merge->agreed != saved ||
      merge->base != saved)
    g_array_append_val (p->plan->flags, change);
}

/* --- pairs ----------------------------------------------------------------------------------- */

static void
plan_expunge (Planner *p, const StorePair *pair, Side side)
{
  const SyncDelta *delta = p->in->delta[side];
  const SyncMessage *message = sync_delta_find (delta, pair->uid[side]);
  StorePair expunge = *pair;

  if (delta->read_only || uid_set_contains (p->held_expunge[side], pair->uid[side])) {
    if (delta->read_only)
      add_read_only_conflict (p, side);
    p->plan->waiting = TRUE;
    return;
  }
  if (!may_plan (p, side, pair->uid[side]))
    return;
  if (message != NULL)
    expunge.flags = sync_flags_base (p->in, side, pair, message->flags);
  g_array_append_val (p->plan->expunge[side], expunge);
  if (message != NULL && flag_table_contains (p->in->flags, message->flags, "\\Deleted") &&
      !flag_table_contains (p->in->flags, expunge.flags, "\\Deleted"))
    uid_set_add (p->plan->marked[side], pair->uid[side]);
  if (message != NULL && sync_flags_were_changed (p->in, side, pair, message->flags)) {
    SyncConflict *conflict = add_conflict (p, "delete-vs-change", side_other (side));

    conflict->uid[SIDE_LOCAL] = pair->uid[SIDE_LOCAL];
    conflict->uid[SIDE_REMOTE] = pair->uid[SIDE_REMOTE];
    conflict->flags[side] = message->flags;
    conflict->flags[side_other (side)] = pair->flags;
    conflict->result = pair->flags;
  }
}

static void
plan_pair_flags (Planner *p, const StorePair *pair)
{
  const SyncMessage *message[N_SIDES];
  SyncFlagMerge merge = {0};

  for (Side side = 0; side < N_SIDES; side++)
    message[side] = sync_delta_find (p->in->delta[side], pair->uid[side]);
  if (message[SIDE_LOCAL] == NULL && message[SIDE_REMOTE] == NULL)
    return;
  sync_flags_merge_pair (p->in, pair, message, &merge);
  plan_flags (p, pair->uid, &merge, pair->flags);
}

static void
plan_pairs (Planner *p)
{
  for (guint i = 0; i < p->in->pairs->len; i++) {
    const StorePair *pair = &g_array_index (p->in->pairs, StorePair, i);
    gboolean gone[N_SIDES];

    for (Side side = 0; side < N_SIDES; side++)
      gone[side] = sync_delta_is_gone (p->in->delta[side], pair->uid[side]);
    if (gone[SIDE_LOCAL] && gone[SIDE_REMOTE])
      g_array_append_val (p->plan->forget, *pair);
    else if (gone[SIDE_LOCAL] || gone[SIDE_REMOTE])
      uid_set_add (p->gone[gone[SIDE_LOCAL] ? SIDE_LOCAL : SIDE_REMOTE],
                   pair->uid[gone[SIDE_LOCAL] ? SIDE_LOCAL : SIDE_REMOTE]);
    else
      plan_pair_flags (p, pair);
  }
}

/* What a side's deletions come to: R6. */
typedef enum {
  DELETIONS_MIRROR,
  DELETIONS_RESTORE,
  DELETIONS_WAIT,
} Deletions;

static Deletions
judge_deletions (Planner *p, Side side)
{
  const SyncDelta *delta = p->in->delta[side];
  guint64 count = uid_set_count (p->gone[side]);

  if (count == 0)
    return DELETIONS_MIRROR;
  if (delta->trust == SYNC_TRUST_PROVED) {
    if (count + p->plan->forget->len < p->in->n_pairs || p->in->confirmed[side])
      return DELETIONS_MIRROR;
    if (delta->exists == 0) {
      p->plan->need_confirm[side] = TRUE;
      return DELETIONS_WAIT;
    }
    return DELETIONS_MIRROR;
  }
  if (count <= MAX (20, p->in->n_pairs / 10) || p->in->mass[side] == SYNC_MASS_APPLY)
    return DELETIONS_MIRROR;
  if (p->in->mass[side] == SYNC_MASS_RESTORE) {
    /* What is to be copied back has to be known, changed or not. */
    p->plan->need_full[side_other (side)] = !p->in->delta[side_other (side)]->full;
    return DELETIONS_RESTORE;
  }
  add_conflict (p, "mass-deletion", side)->count = count;
  p->plan->waiting = TRUE;
  return DELETIONS_WAIT;
}

static void
plan_deletions (Planner *p)
{
  Deletions verdict[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++)
    verdict[side] = judge_deletions (p, side);
  for (guint i = 0; i < p->in->pairs->len; i++) {
    const StorePair *pair = &g_array_index (p->in->pairs, StorePair, i);

    for (Side side = 0; side < N_SIDES; side++) {
      if (!uid_set_contains (p->gone[side], pair->uid[side]))
        continue;
      if (verdict[side] == DELETIONS_MIRROR)
        plan_expunge (p, pair, side_other (side));
      else if (verdict[side] == DELETIONS_RESTORE) {
        g_array_append_val (p->plan->forget, *pair);
        uid_set_remove_range (p->paired[side_other (side)], pair->uid[side_other (side)],
                              pair->uid[side_other (side)]);
      }
    }
  }
}

/* --- messages without a pair ----------------------------------------------------------------- */

static gboolean
is_unpaired (Planner *p, Side side, const SyncMessage *message)
{
  return !uid_set_contains (p->paired[side], message->uid) &&
         !uid_set_contains (p->in->delta[side]->vanished, message->uid);
}

static gboolean
collect_unpaired (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const GArray *messages = p->in->delta[side]->messages;

    for (guint i = 0; i < messages->len; i++) {
      const SyncMessage *message = &g_array_index (messages, SyncMessage, i);

      if (is_unpaired (p, side, message))
        uid_set_add (p->plan->unpaired[side], message->uid);
    }
  }
  return !uid_set_is_empty (p->plan->unpaired[SIDE_LOCAL]) &&
         !uid_set_is_empty (p->plan->unpaired[SIDE_REMOTE]);
}

/* What the message was paired to when the other side's numbers were still believed. */
static const StorePair *
find_old_pair (Planner *p, const SyncMatch *match)
{
  for (Side side = 0; side < N_SIDES; side++) {
    gpointer pair = NULL;

    if (p->old[side] != NULL)
      pair = g_hash_table_lookup (p->old[side], GUINT_TO_POINTER (match->uid[side]));
    if (pair != NULL)
      return pair;
  }
  return NULL;
}

static void
planner_load_old_pairs (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (p->in->delta[side]->trust == SYNC_TRUST_NONE)
      continue;
    p->old[side] = g_hash_table_new (NULL, NULL);
    for (guint i = 0; i < p->in->pairs->len; i++) {
      StorePair *pair = &g_array_index (p->in->pairs, StorePair, i);

      g_hash_table_insert (p->old[side], GUINT_TO_POINTER (pair->uid[side]), pair);
    }
  }
}

static void
plan_matches (Planner *p)
{
  for (guint i = 0; p->in->matches != NULL && i < p->in->matches->len; i++) {
    const SyncMatch *match = &g_array_index (p->in->matches, SyncMatch, i);
    const StorePair *old = find_old_pair (p, match);
    const SyncMessage *message[N_SIDES];
    StorePair pair = {0};
    SyncFlagMerge merge = {0};

    for (Side side = 0; side < N_SIDES; side++) {
      message[side] = sync_delta_find (p->in->delta[side], match->uid[side]);
      if (message[side] == NULL || !is_unpaired (p, side, message[side]))
        break;
      pair.uid[side] = match->uid[side];
      pair.guid[side] = message[side]->guid;
    }
    if (pair.uid[SIDE_LOCAL] == 0 || pair.uid[SIDE_REMOTE] == 0)
      continue;
    sync_flags_merge_match (p->in, match, old, message, &merge);
    pair.flags = merge.base;
    g_array_append_val (p->plan->pairs, pair);
    for (Side side = 0; side < N_SIDES; side++)
      uid_set_add (p->paired[side], pair.uid[side]);
    plan_flags (p, pair.uid, &merge, pair.flags);
  }
}

static GArray *
unpaired_messages (Planner *p, Side side)
{
  const GArray *messages = p->in->delta[side]->messages;
  GArray *unpaired = g_array_new (FALSE, TRUE, sizeof (SyncMessage));

  for (guint i = 0; i < messages->len; i++) {
    const SyncMessage *message = &g_array_index (messages, SyncMessage, i);

    if (is_unpaired (p, side, message))
      g_array_append_vals (unpaired, message, 1);
  }
  return unpaired;
}

/* Its pair is written down as if the other side had confirmed it in time, and so the deletion is
 * mirrored like any other, also when that is cut off as well. */
static void
plan_landed_copy (Planner *p, Side origin, const SyncMatch *match)
{
  Side target = side_other (origin);
  const SyncMessage *copy = sync_delta_find (p->in->delta[target], match->uid[target]);
  StorePair pair = {0};

  for (Side side = 0; side < N_SIDES; side++) {
    pair.uid[side] = match->uid[side];
    uid_set_add (p->paired[side], match->uid[side]);
  }
  sync_find_intent (p->in, STORE_INTENT_COPY, target, match->uid[origin], &pair.flags);
  pair.guid[target] = copy->guid;
  g_array_append_val (p->plan->pairs, pair);
  plan_expunge (p, &pair, target);
}

/* Copies that arrived from @origin without our knowing, and whose originals were expunged since. */
static void
plan_landed (Planner *p, Side origin)
{
  g_autoptr (GArray) departed =
      p->plan->reset ? NULL
                     : sync_landed_departed (p->in, origin, p->paired[origin], p->held[origin]);
  g_autoptr (GArray) candidates = NULL;
  g_autoptr (GArray) rivals = NULL;
  g_autoptr (GArray) matches = g_array_new (FALSE, FALSE, sizeof (SyncMatch));

  if (departed == NULL)
    return;
  if (!p->in->asked_twice) {
    p->plan->need_again = TRUE;
    return;
  }
  candidates = unpaired_messages (p, side_other (origin));
  rivals = unpaired_messages (p, origin);
  sync_landed_match (departed, origin, candidates, rivals, matches);
  if (matches->len > 0 && p->in->delta[origin]->exists == 0 && !p->in->confirmed[origin]) {
    p->plan->need_confirm[origin] = TRUE;
    return;
  }
  for (guint i = 0; i < matches->len; i++)
    plan_landed_copy (p, origin, &g_array_index (matches, SyncMatch, i));
}

/* A message that an intent names may be on the other side already, or still be on its way. */
static gboolean
is_intended (Planner *p, Side origin, guint32 uid)
{
  FlagsId flags;

  return sync_has_void_copies (p->in, side_other (origin)) ||
         sync_find_intent (p->in, STORE_INTENT_COPY, side_other (origin), uid, &flags);
}

static void
plan_copies (Planner *p, Side origin)
{
  const GArray *messages = p->in->delta[origin]->messages;

  for (guint i = 0; i < messages->len; i++) {
    const SyncMessage *message = &g_array_index (messages, SyncMessage, i);

    if (!is_unpaired (p, origin, message))
      continue;
    if (uid_set_contains (p->held[origin], message->uid)) {
      g_array_append_val (p->plan->held[origin], *message);
      continue;
    }
    if (p->in->delta[side_other (origin)]->read_only) {
      add_read_only_conflict (p, side_other (origin));
      p->plan->waiting = TRUE;
      return;
    }
    if (!may_plan (p, origin, message->uid))
      continue;
    if (!p->in->asked_twice && is_intended (p, origin, message->uid))
      p->plan->need_again = TRUE;
    g_array_append_val (p->plan->copy[origin], *message);
  }
}

static gboolean
is_another_message (const SyncPlanInput *in, Side side, const StorePair *pair)
{
  const SyncMessage *message =
      pair->guid[side] != 0 ? sync_delta_find (in->delta[side], pair->uid[side]) : NULL;

  return message != NULL && message->described && message->guid != 0 &&
         message->guid != pair->guid[side];
}

/* R6: a pair's UID that the server has yet to give was given by another one, before a backup was
 * put back. The saved UIDNEXT does not tell while a pass that was cut off has gone beyond it. Nor
 * when new mail has carried UIDNEXT past it: then the message has another id. */
static SyncTrust
judge_trust (const SyncPlanInput *in, Side side)
{
  for (guint i = 0; i < in->pairs->len; i++) {
    const StorePair *pair = &g_array_index (in->pairs, StorePair, i);

    if (pair->uid[side] >= in->delta[side]->uidnext || is_another_message (in, side, pair))
      return SYNC_TRUST_NONE;
  }
  return in->delta[side]->trust;
}

static gboolean
is_distrusted (const Planner *p, Side side)
{
  return p->in->delta[side]->trust == SYNC_TRUST_NONE;
}

static void
plan_changes (Planner *p)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (is_distrusted (p, side) && p->in->n_pairs > 0)
      add_conflict (p, "uidvalidity", side);
  }
  if (!p->plan->reset) {
    plan_pairs (p);
    plan_deletions (p);
  }
  if (collect_unpaired (p) && !p->in->matched) {
    p->plan->need_match = TRUE;
    return;
  }
  plan_matches (p);
  plan_landed (p, SIDE_LOCAL);
  plan_landed (p, SIDE_REMOTE);
  plan_copies (p, SIDE_LOCAL);
  plan_copies (p, SIDE_REMOTE);
}

SyncPlan *
sync_plan_mailbox (const SyncPlanInput *input)
{
  SyncPlanInput in = *input;
  SyncDelta delta[N_SIDES];
  g_autoptr (GArray) intents = NULL;
  Planner p = {.in = &in, .plan = sync_plan_new ()};

  for (Side side = 0; side < N_SIDES; side++) {
    delta[side] = *input->delta[side];
    delta[side].trust = judge_trust (input, side);
    in.delta[side] = &delta[side];
  }
  in.parsed_intents = intents = sync_parse_intents (&in);
  p.plan->reset = is_distrusted (&p, SIDE_LOCAL) || is_distrusted (&p, SIDE_REMOTE);
  planner_load_holds (&p);
  if (p.plan->reset) {
    planner_load_old_pairs (&p);
  } else {
    for (Side side = 0; side < N_SIDES; side++)
      add_paired (&p, side, in.pairs);
  }
  ask_for_full_list (&p);
  if (!sync_plan_has_question (p.plan))
    plan_changes (&p);
  planner_clear (&p);
  return p.plan;
}
