/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/ask.h"

#include "sync/complete.h"
#include "sync/gather.h"
#include "sync/list.h"
#include "sync/repair.h"

#include <string.h>

#define MAX_QUESTIONS 8
/* R9: how long a cut APPEND may still be landing. */
#define LANDING_TIME (1100 * G_TIME_SPAN_MILLISECOND)

static int
compare_pairs (gconstpointer a, gconstpointer b)
{
  guint32 x = ((const StorePair *)a)->uid[SIDE_LOCAL];
  guint32 y = ((const StorePair *)b)->uid[SIDE_LOCAL];

  return x < y ? -1 : x > y;
}

static void
unique_pairs (GArray *pairs)
{
  guint kept = 0;

  g_array_sort (pairs, compare_pairs);
  for (guint i = 0; i < pairs->len; i++) {
    StorePair *pair = &g_array_index (pairs, StorePair, i);

    if (kept > 0 &&
        g_array_index (pairs, StorePair, kept - 1).uid[SIDE_LOCAL] == pair->uid[SIDE_LOCAL])
      continue;
    g_array_index (pairs, StorePair, kept++) = *pair;
  }
  g_array_set_size (pairs, kept);
}

/* Reading over a few pairs that nobody asked for is cheaper than another question. */
#define MAX_GAP 16

/* The pairs of those of @uids that lie between two. */
static gboolean
load_span (SyncEngine *engine, SyncMailbox *mailbox, Side side, const UidSet *uids, guint32 first,
           guint32 last, GError **error)
{
  GArray *pairs = mailbox->pairs;
  guint kept = pairs->len;

  if (!store_pairs_range (engine->store, mailbox->saved->id, side, first, last, pairs, error))
    return FALSE;
  for (guint i = kept; i < pairs->len; i++) {
    const StorePair pair = g_array_index (pairs, StorePair, i);

    if (uid_set_contains (uids, pair.uid[side]))
      g_array_index (pairs, StorePair, kept++) = pair;
  }
  g_array_set_size (pairs, kept);
  return TRUE;
}

static gboolean
load_touched (SyncEngine *engine, SyncMailbox *mailbox, Side side, GError **error)
{
  const SyncDelta *delta = mailbox->side[side].delta;
  g_autoptr (UidSet) uids = uid_set_copy (delta->vanished);
  const UidRange *ranges;
  gsize n;

  for (guint i = 0; i < delta->messages->len; i++)
    uid_set_add (uids, g_array_index (delta->messages, SyncMessage, i).uid);
  ranges = uid_set_ranges (uids, &n);
  for (gsize i = 0, last; i < n; i = last + 1) {
    for (last = i; last + 1 < n && ranges[last + 1].first - ranges[last].last <= MAX_GAP; last++)
      ;
    if (!load_span (engine, mailbox, side, uids, ranges[i].first, ranges[last].last, error))
      return FALSE;
  }
  return TRUE;
}

/* What the planner wants to see of the database. */
static gboolean
load_records (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  gint64 id = mailbox->saved->id;

  g_clear_pointer (&mailbox->pairs, g_array_unref);
  g_clear_pointer (&mailbox->intents, g_ptr_array_unref);
  mailbox->pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  mailbox->intents = store_intents (engine->store, id, error);
  if (mailbox->intents == NULL || !store_pairs_count (engine->store, id, &mailbox->n_pairs, error))
    return FALSE;
  if (mailbox->n_pairs == 0)
    return TRUE;
  if (mailbox->side[SIDE_LOCAL].delta->full || mailbox->side[SIDE_REMOTE].delta->full)
    return store_pairs_range (engine->store, id, SIDE_LOCAL, 1, G_MAXUINT32, mailbox->pairs, error);
  for (Side side = 0; side < N_SIDES; side++) {
    if (!load_touched (engine, mailbox, side, error))
      return FALSE;
  }
  unique_pairs (mailbox->pairs);
  return TRUE;
}

/* The answer that a person gave to a mass-deletion of this mailbox. */
static gboolean
load_answers (SyncEngine *engine, SyncMailbox *mailbox, SyncMassAnswer mass[N_SIDES],
              GError **error)
{
  g_autoptr (GPtrArray) conflicts = store_conflicts (engine->store, error);

  if (conflicts == NULL)
    return FALSE;
  for (guint i = 0; i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);
    gboolean remote =
        conflict->details != NULL && strstr (conflict->details, "gone-on=remote") != NULL;

    if (!g_str_equal (conflict->kind, "mass-deletion") || conflict->choice == NULL ||
        !g_str_equal (conflict->mailbox, mailbox->name))
      continue;
    if (g_str_equal (conflict->choice, "apply"))
      mass[remote ? SIDE_REMOTE : SIDE_LOCAL] = SYNC_MASS_APPLY;
    else if (g_str_equal (conflict->choice, "restore"))
      mass[remote ? SIDE_REMOTE : SIDE_LOCAL] = SYNC_MASS_RESTORE;
  }
  return TRUE;
}

static gboolean
plan (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  SyncPlanInput input = {
      .mailbox = mailbox->display,
      .flags = engine->flags,
      .holds = mailbox->holds,
      .matched = mailbox->matched,
      .matches = mailbox->matches,
      .asked_twice = mailbox->regathered,
  };

  if (!load_records (engine, mailbox, error) || !load_answers (engine, mailbox, input.mass, error))
    return FALSE;
  input.pairs = mailbox->pairs;
  input.n_pairs = mailbox->n_pairs;
  input.intents = mailbox->intents;
  for (Side side = 0; side < N_SIDES; side++) {
    input.delta[side] = mailbox->side[side].delta;
    input.confirmed[side] = mailbox->side[side].confirmed;
    input.restless[side] = mailbox->side[side].planned[1];
  }
  g_clear_pointer (&mailbox->plan, sync_plan_free);
  mailbox->plan = sync_plan_mailbox (&input);
  return TRUE;
}

static gboolean
needs_description (const SyncMailbox *mailbox)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const GArray *copy = mailbox->plan->copy[side];

    for (guint i = 0; i < copy->len; i++) {
      if (!g_array_index (copy, SyncMessage, i).described)
        return TRUE;
    }
  }
  return FALSE;
}

/* What has to be found out before a plan can be. */
typedef struct {
  GPtrArray *gather;
  GPtrArray *describe;
  GPtrArray *match;
  GPtrArray *confirm;
  gboolean again;
} Questions;

static void
sort_question (Questions *questions, SyncMailbox *mailbox)
{
  const SyncPlan *plan_ = mailbox->plan;

  for (Side side = 0; side < N_SIDES; side++)
    mailbox->side[side].full |= plan_->need_full[side];
  if (plan_->need_full[SIDE_LOCAL] || plan_->need_full[SIDE_REMOTE]) {
    g_ptr_array_add (questions->gather, mailbox);
  } else if (plan_->need_confirm[SIDE_LOCAL] || plan_->need_confirm[SIDE_REMOTE]) {
    g_ptr_array_add (questions->confirm, mailbox);
  } else if (plan_->need_match) {
    g_ptr_array_add (questions->match, mailbox);
  } else if (plan_->need_again) {
    mailbox->regathered = TRUE;
    mailbox->matched = FALSE;
    questions->again = TRUE;
    g_ptr_array_add (questions->gather, mailbox);
  } else if (needs_description (mailbox)) {
    g_ptr_array_add (questions->describe, mailbox);
  }
}

static void
forget_answers (GPtrArray *mailboxes)
{
  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    mailbox->matched = FALSE;
    for (Side side = 0; side < N_SIDES; side++) {
      mailbox->side[side].confirmed = FALSE;
      mailbox->side[side].expect_new = TRUE;
    }
  }
}

/* R6: a VANISHED of everything may mean that the mailbox was renamed away. */
static gboolean
confirm_empty (SyncEngine *engine, SyncMailbox *mailbox, GError **error)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = mailbox->side[side].delta;
    TreeNode node = {0};
    gboolean answered, refused;

    if (!mailbox->plan->need_confirm[side])
      continue;
    if (!sync_list_status (engine, side, mailbox->side[side].wire, &node, &answered, &refused,
                           error))
      return FALSE;
    if (answered && node.uidvalidity == delta->uidvalidity && node.messages == 0 &&
        node.uidnext >= delta->uidnext && node.highestmodseq >= delta->highestmodseq)
      mailbox->side[side].confirmed = TRUE;
    else
      sync_mailbox_fail (engine, mailbox, side,
                         "all its messages vanished, but it is not the same empty mailbox now");
  }
  return TRUE;
}

static gboolean
answer_questions (SyncEngine *engine, Questions *questions, GError **error)
{
  if (questions->again && !sync_wait_until (engine, engine->connected + LANDING_TIME, error))
    return FALSE;
  if (questions->gather->len > 0) {
    forget_answers (questions->gather);
    if (!sync_gather (engine, questions->gather, error) ||
        !sync_complete_lists (engine, questions->gather, error))
      return FALSE;
  }
  if (questions->describe->len > 0 &&
      !sync_gather_descriptions (engine, questions->describe, error))
    return FALSE;
  if (questions->match->len > 0 && !sync_gather_identities (engine, questions->match, error))
    return FALSE;
  for (guint i = 0; i < questions->confirm->len; i++) {
    if (!confirm_empty (engine, g_ptr_array_index (questions->confirm, i), error))
      return FALSE;
  }
  return sync_check_store (engine, error);
}

gboolean
sync_ask_plans (SyncEngine *engine, GPtrArray *work, GError **error)
{
  g_autoptr (GPtrArray) open = g_ptr_array_copy (work, NULL, NULL);

  if (!sync_complete_lists (engine, work, error) ||
      (engine->repair && !sync_repair_examine (engine, work, error)))
    return FALSE;
  for (guint round = 0; open->len > 0; round++) {
    g_autoptr (GPtrArray) gather = g_ptr_array_new ();
    g_autoptr (GPtrArray) describe = g_ptr_array_new ();
    g_autoptr (GPtrArray) match = g_ptr_array_new ();
    g_autoptr (GPtrArray) confirm = g_ptr_array_new ();
    Questions questions = {gather, describe, match, confirm, FALSE};

    for (guint i = 0; i < open->len; i++) {
      SyncMailbox *mailbox = g_ptr_array_index (open, i);

      if (mailbox->failed)
        continue;
      if (!plan (engine, mailbox, error))
        return FALSE;
      if (round < MAX_QUESTIONS)
        sort_question (&questions, mailbox);
      else if (sync_plan_has_question (mailbox->plan) || needs_description (mailbox))
        sync_mailbox_fail (engine, mailbox, SIDE_REMOTE, "the servers contradict themselves");
    }
    if (!answer_questions (engine, &questions, error))
      return FALSE;
    g_ptr_array_set_size (open, 0);
    g_ptr_array_extend (open, gather, NULL, NULL);
    g_ptr_array_extend (open, describe, NULL, NULL);
    g_ptr_array_extend (open, match, NULL, NULL);
    g_ptr_array_extend (open, confirm, NULL, NULL);
  }
  return TRUE;
}
