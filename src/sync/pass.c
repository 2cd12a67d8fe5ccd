/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/pass.h"

#include "sync/apply.h"
#include "sync/commit.h"
#include "sync/conflict.h"
#include "sync/gather.h"
#include "sync/list.h"
#include "sync/tree-run.h"

#define MAX_ROUNDS    5
#define MAX_QUESTIONS 8
/* R9: how long a cut APPEND may still be landing. */
#define LANDING_TIME (1100 * G_TIME_SPAN_MILLISECOND)

static void
set_phase (SyncEngine *engine, const char *phase)
{
  engine->phase = phase;
  if (engine->progress != NULL)
    engine->progress (engine, engine->progress_data);
}

static gboolean
fatal (SyncEngine *engine, GError **error)
{
  if (engine->fatal == NULL)
    return FALSE;
  if (error != NULL && *error == NULL)
    g_propagate_error (error, g_error_copy (engine->fatal));
  return TRUE;
}

/* --- which mailboxes, and which of them need work -------------------------------------------- */

static gboolean
is_selected (const char *name, gboolean subscribed, gpointer data)
{
  const char *const *mailboxes = data;

  return mailboxes == NULL ? subscribed : g_strv_contains (mailboxes, name);
}

static TreeNode *
find_node (GHashTable *nodes, const char *name)
{
  return g_hash_table_lookup (nodes, name);
}

static GHashTable *
index_tree (GPtrArray *tree)
{
  GHashTable *nodes = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < tree->len; i++) {
    TreeNode *node = g_ptr_array_index (tree, i);

    if (!node->unusable)
      g_hash_table_insert (nodes, node->name, node);
  }
  return nodes;
}

static gboolean
numbers_differ (const SyncMailbox *mailbox, Side side, const TreeNode *node, guint64 expected)
{
  const StoreMailbox *saved = mailbox->saved;

  return node == NULL || node->uidvalidity == 0 || node->highestmodseq == 0 ||
         node->uidvalidity != saved->side[side].uidvalidity ||
         node->uidnext != saved->side[side].uidnext ||
         node->highestmodseq != saved->side[side].highestmodseq || node->messages != expected;
}

/* Splits what is held into what is to be left alone and what is to be tried again. */
static gboolean
load_holds (SyncEngine *engine, SyncMailbox *mailbox, guint64 held[N_SIDES], GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  held[SIDE_LOCAL] = held[SIDE_REMOTE] = 0;
  g_clear_pointer (&mailbox->holds, g_ptr_array_unref);
  mailbox->holds = store_holds (engine->store, mailbox->saved->id, error);
  if (mailbox->holds == NULL)
    return FALSE;
  for (guint i = 0; i < mailbox->holds->len;) {
    const StoreHold *hold = g_ptr_array_index (mailbox->holds, i);

    if (hold->uid != 0 && hold->kind != STORE_HOLD_FLAGS && hold->kind != STORE_HOLD_EXPUNGE)
      held[hold->side]++;
    if (hold->uid == 0 || (!engine->repair && (hold->retry_at == 0 || hold->retry_at > now))) {
      i++;
      continue;
    }
    if (mailbox->due[hold->side] == NULL)
      mailbox->due[hold->side] = uid_set_new ();
    uid_set_add (mailbox->due[hold->side], hold->uid);
    g_ptr_array_remove_index (mailbox->holds, i);
  }
  return TRUE;
}

static gboolean
judge (SyncEngine *engine, SyncMailbox *mailbox, GHashTable *nodes[N_SIDES],
       GHashTable *with_intents, GError **error)
{
  guint64 held[N_SIDES];

  if (!load_holds (engine, mailbox, held, error) ||
      !store_pairs_count (engine->store, mailbox->saved->id, &mailbox->n_pairs, error))
    return FALSE;
  mailbox->dirty = engine->repair || engine->full_check || mailbox->due[SIDE_LOCAL] != NULL ||
                   mailbox->due[SIDE_REMOTE] != NULL ||
                   g_hash_table_contains (with_intents, &mailbox->saved->id);
  for (Side side = 0; side < N_SIDES; side++) {
    const TreeNode *node = find_node (nodes[side], mailbox->name);

    mailbox->side[side].uidvalidity = mailbox->saved->side[side].uidvalidity;
    mailbox->side[side].uidnext = mailbox->saved->side[side].uidnext;
    mailbox->side[side].highestmodseq = mailbox->saved->side[side].highestmodseq;
    mailbox->side[side].full = engine->repair || engine->full_check;
    mailbox->side[side].expect_new =
        node == NULL || node->uidnext != mailbox->saved->side[side].uidnext;
    mailbox->dirty |= numbers_differ (mailbox, side, node, mailbox->n_pairs + held[side]);
  }
  return TRUE;
}

static SyncMailbox *
make_mailbox (SyncEngine *engine, StoreMailbox *saved)
{
  SyncMailbox *mailbox = g_new0 (SyncMailbox, 1);

  mailbox->name = g_strdup (saved->name);
  mailbox->display = mailbox_name_display (saved->name, engine->peer[SIDE_LOCAL]->naming.delimiter);
  mailbox->saved = saved;
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (GError) error = NULL;

    mailbox->side[side].wire =
        mailbox_name_to_wire (&engine->peer[side]->naming, saved->name, &error);
    if (error != NULL)
      sync_mailbox_fail (engine, mailbox, side, error->message);
  }
  return mailbox;
}

static gboolean
is_selectable (GHashTable *nodes[N_SIDES], const char *name)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const TreeNode *node = find_node (nodes[side], name);

    if (node != NULL && !node->selectable)
      return FALSE;
  }
  return TRUE;
}

static void
warn_about_unknown (SyncEngine *engine, const char *const *mailboxes)
{
  for (gsize i = 0; mailboxes != NULL && mailboxes[i] != NULL; i++) {
    gboolean found = FALSE;

    for (guint j = 0; j < engine->mailboxes->len; j++) {
      const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, j);

      found |= g_str_equal (mailbox->name, mailboxes[i]);
    }
    if (!found) {
      g_autofree char *display =
          mailbox_name_display (mailboxes[i], engine->peer[SIDE_LOCAL]->naming.delimiter);

      g_warning ("%s: there is no such mailbox on either server", display);
      engine->figures.problems++;
      engine->incomplete = TRUE;
    }
  }
}

static GHashTable *
mailboxes_with_intents (SyncEngine *engine, GError **error)
{
  g_autoptr (GArray) ids = store_intent_mailboxes (engine->store, error);
  GHashTable *set;

  if (ids == NULL)
    return NULL;
  set = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < ids->len; i++)
    g_hash_table_add (set, g_memdup2 (&g_array_index (ids, gint64, i), sizeof (gint64)));
  return set;
}

static gboolean
collect_mailboxes (SyncEngine *engine, const char *const *mailboxes, GPtrArray *trees[N_SIDES],
                   GError **error)
{
  g_autoptr (GPtrArray) saved = store_mailboxes (engine->store, error);
  g_autoptr (GHashTable) with_intents = NULL;
  g_autoptr (GHashTable) local = index_tree (trees[SIDE_LOCAL]);
  g_autoptr (GHashTable) remote = index_tree (trees[SIDE_REMOTE]);
  GHashTable *nodes[N_SIDES] = {local, remote};

  if (saved == NULL || (with_intents = mailboxes_with_intents (engine, error)) == NULL)
    return FALSE;
  while (saved->len > 0) {
    StoreMailbox *one = g_ptr_array_steal_index (saved, 0);
    gboolean subscribed = one->side[SIDE_LOCAL].subscribed || one->side[SIDE_REMOTE].subscribed;
    SyncMailbox *mailbox;

    if (!one->side[SIDE_LOCAL].listed || !one->side[SIDE_REMOTE].listed ||
        !is_selectable (nodes, one->name) ||
        !is_selected (one->name, subscribed, (gpointer)mailboxes)) {
      store_mailbox_free (one);
      continue;
    }
    mailbox = make_mailbox (engine, one);
    g_ptr_array_add (engine->mailboxes, mailbox);
    if (!mailbox->failed && !judge (engine, mailbox, nodes, with_intents, error))
      return FALSE;
  }
  warn_about_unknown (engine, mailboxes);
  return TRUE;
}

/* --- planning -------------------------------------------------------------------------------- */

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
  for (gsize i = 0; i < n; i++) {
    if (!store_pairs_range (engine->store, mailbox->saved->id, side, ranges[i].first,
                            ranges[i].last, mailbox->pairs, error))
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
    if (!sync_gather (engine, questions->gather, error))
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
  return !fatal (engine, error);
}

/* Plans each mailbox of @work until it has no question. */
static gboolean
plan_all (SyncEngine *engine, GPtrArray *work, GError **error)
{
  g_autoptr (GPtrArray) open = g_ptr_array_copy (work, NULL, NULL);

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

/* --- one round ------------------------------------------------------------------------------- */

/* R4 against ping-pong: a message that is planned for the third time in one run is held. */
static void
count_planned (SyncMailbox *mailbox)
{
  const SyncPlan *plan_ = mailbox->plan;

  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (UidSet) now = uid_set_new ();

    for (guint i = 0; i < plan_->expunge[side]->len; i++)
      uid_set_add (now, g_array_index (plan_->expunge[side], StorePair, i).uid[side]);
    for (guint i = 0; i < plan_->copy[side]->len; i++)
      uid_set_add (now, g_array_index (plan_->copy[side], SyncMessage, i).uid);
    for (guint i = 0; i < plan_->flags->len; i++) {
      const SyncFlagChange *change = &g_array_index (plan_->flags, SyncFlagChange, i);

      if (change->send[side])
        uid_set_add (now, change->uid[side]);
    }
    if (mailbox->side[side].planned[0] == NULL) {
      mailbox->side[side].planned[0] = g_steal_pointer (&now);
      mailbox->side[side].planned[1] = uid_set_new ();
      continue;
    }
    g_autoptr (UidSet) twice = uid_set_copy (now);
    uid_set_intersect (twice, mailbox->side[side].planned[0]);
    uid_set_union (mailbox->side[side].planned[1], twice);
    uid_set_union (mailbox->side[side].planned[0], now);
  }
}

/* The next gather starts where this one ended. */
static void
advance (SyncMailbox *mailbox)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = mailbox->side[side].delta;

    mailbox->side[side].uidvalidity = delta->uidvalidity;
    mailbox->side[side].uidnext = delta->uidnext;
    mailbox->side[side].highestmodseq = delta->highestmodseq;
    mailbox->side[side].full = FALSE;
    mailbox->side[side].expect_new = FALSE;
  }
}

/* Everything that the deltas told is on both sides, or held. */
static void
settle (SyncEngine *engine, SyncMailbox *mailbox)
{
  mailbox->dirty = FALSE;
  advance (mailbox);
  engine->incomplete |= mailbox->plan->waiting;
  sync_conflict_sweep (engine, mailbox);
  sync_commit_settled (engine, mailbox, !mailbox->plan->waiting);
}

static void
finish_round (SyncEngine *engine, SyncMailbox *mailbox)
{
  if (mailbox->failed)
    return;
  if (!mailbox->unconfirmed && !mailbox->plan->waiting) {
    advance (mailbox);
    sync_commit_settled (engine, mailbox, FALSE);
    return;
  }
  /* What was done is in the database; what was not is told again by a gather from the old numbers.
   */
  mailbox->regathered = TRUE;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].uidvalidity = mailbox->saved->side[side].uidvalidity;
    mailbox->side[side].uidnext = mailbox->saved->side[side].uidnext;
    mailbox->side[side].highestmodseq = mailbox->saved->side[side].highestmodseq;
    mailbox->side[side].full = engine->repair;
    mailbox->side[side].expect_new = TRUE;
  }
}

static GPtrArray *
dirty_mailboxes (SyncEngine *engine)
{
  GPtrArray *dirty = g_ptr_array_new ();

  for (guint i = 0; i < engine->mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);

    if (mailbox->dirty && !mailbox->failed)
      g_ptr_array_add (dirty, mailbox);
  }
  return dirty;
}

static gboolean
reload_holds (SyncEngine *engine, GPtrArray *work, GError **error)
{
  for (guint i = 0; i < work->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (work, i);
    guint64 held[N_SIDES];

    mailbox->touched = TRUE;
    mailbox->matched = FALSE;
    mailbox->unconfirmed = FALSE;
    for (Side side = 0; side < N_SIDES; side++) {
      mailbox->side[side].confirmed = FALSE;
      g_clear_pointer (&mailbox->due[side], uid_set_free);
    }
    if (!load_holds (engine, mailbox, held, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run_round (SyncEngine *engine, GPtrArray *work, GError **error)
{
  g_autoptr (GPtrArray) effects = g_ptr_array_new ();
  gboolean ok;

  set_phase (engine, "gather");
  if (!reload_holds (engine, work, error) || !sync_gather (engine, work, error) ||
      fatal (engine, error))
    return FALSE;
  set_phase (engine, "plan");
  if (!plan_all (engine, work, error))
    return FALSE;
  for (guint i = 0; i < work->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (work, i);

    if (mailbox->failed)
      continue;
    mailbox->figures.matched += mailbox->plan->pairs->len;
    sync_conflict_tell_plan (engine, mailbox);
    count_planned (mailbox);
    if (!sync_commit_plan (engine, mailbox))
      break;
    if (sync_plan_has_effect (mailbox->plan))
      g_ptr_array_add (effects, mailbox);
    else
      settle (engine, mailbox);
  }
  if (!sync_commit_flush (engine))
    return !fatal (engine, error);
  if (effects->len == 0)
    return TRUE;
  set_phase (engine, "apply");
  ok = sync_apply (engine, effects, error);
  for (guint i = 0; i < effects->len && ok; i++)
    finish_round (engine, g_ptr_array_index (effects, i));
  return sync_commit_flush (engine) && ok && !fatal (engine, error);
}

/* --- the run --------------------------------------------------------------------------------- */

static void
append_part (GString *line, const char *between, guint64 count, const char *what)
{
  if (count > 0)
    g_string_append_printf (line, "%s%" G_GUINT64_FORMAT " %s", between, count, what);
}

static void
append_side (GString *line, const SyncFigures *figures, Side side)
{
  gsize start;

  if (figures->copied[side] + figures->flags[side] + figures->expunged[side] == 0)
    return;
  g_string_append_printf (line, "%sto %s: ", line->len > 0 ? "; " : "", side_name (side));
  start = line->len;
  append_part (line, "", figures->copied[side], "copied");
  if (figures->copied[side] > 0) {
    g_autofree char *size = g_format_size_full (figures->bytes[side], G_FORMAT_SIZE_IEC_UNITS);

    g_string_append_printf (line, " (%s)", size);
  }
  append_part (line, line->len > start ? ", " : "", figures->flags[side], "flags changed");
  append_part (line, line->len > start ? ", " : "", figures->expunged[side], "expunged");
}

static void
append_figures (GString *line, const SyncFigures *figures)
{
  append_side (line, figures, SIDE_LOCAL);
  append_side (line, figures, SIDE_REMOTE);
  append_part (line, line->len > 0 ? "; " : "", figures->matched, "found on both sides");
  append_part (line, line->len > 0 ? "; problems: " : "problems: ", figures->problems, "");
  if (line->len > 0 && line->str[line->len - 1] == ' ')
    g_string_truncate (line, line->len - 1);
}

/* A pass that followed a notice and found only our own echo is not worth a line. */
static void
tell_figures (SyncEngine *engine, gboolean quiet)
{
  g_autoptr (GString) sum = g_string_new (NULL);
  guint changed = 0;

  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);
    g_autoptr (GString) line = g_string_new (NULL);

    if (sync_figures_is_zero (&mailbox->figures))
      continue;
    append_figures (line, &mailbox->figures);
    g_message ("%s: %s", mailbox->display, line->str);
    sync_figures_add (&engine->figures, &mailbox->figures);
    changed++;
  }
  if (quiet && sync_figures_is_zero (&engine->figures))
    return;
  append_figures (sum, &engine->figures);
  g_message ("%u of %u mailboxes changed%s%s in %.2f seconds", changed, engine->mailboxes->len,
             sum->len > 0 ? ": " : "", sum->str, engine->seconds);
}

/* Somebody keeps changing it, or a server does not do what it says. */
static void
tell_unsettled (SyncEngine *engine)
{
  g_autoptr (GPtrArray) dirty = dirty_mailboxes (engine);

  for (guint i = 0; i < dirty->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (dirty, i);

    if (!mailbox->unconfirmed)
      continue;
    g_warning ("%s: not everything could be synchronized in %d rounds", mailbox->display,
               MAX_ROUNDS);
    engine->incomplete = TRUE;
  }
}

static gboolean
run_rounds (SyncEngine *engine, GError **error)
{
  gboolean ok = TRUE;

  for (guint round = 0; ok && round < MAX_ROUNDS; round++) {
    g_autoptr (GPtrArray) work = dirty_mailboxes (engine);

    if (work->len == 0)
      break;
    ok = run_round (engine, work, error);
  }
  if (ok)
    tell_unsettled (engine);
  return ok && !fatal (engine, error);
}

static gboolean
run_whole (SyncEngine *engine, const char *const *mailboxes, GError **error)
{
  GPtrArray *trees[N_SIDES] = {NULL, NULL};
  gboolean ok;

  set_phase (engine, "list");
  ok = sync_tree_run (engine, is_selected, (gpointer)mailboxes, trees, error) &&
       collect_mailboxes (engine, mailboxes, trees, error);
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&trees[side], g_ptr_array_unref);
  return ok && run_rounds (engine, error);
}

/* Without a LIST: only what @names says, as far as it is in the saved tree. */
static gboolean
run_marked (SyncEngine *engine, const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) saved = store_mailboxes (engine->store, error);

  if (saved == NULL)
    return FALSE;
  while (saved->len > 0) {
    StoreMailbox *one = g_ptr_array_steal_index (saved, 0);
    SyncMailbox *mailbox;

    if (!g_strv_contains (names, one->name) || !one->side[SIDE_LOCAL].listed ||
        !one->side[SIDE_REMOTE].listed) {
      store_mailbox_free (one);
      continue;
    }
    mailbox = make_mailbox (engine, one);
    g_ptr_array_add (engine->mailboxes, mailbox);
    mailbox->dirty = !mailbox->failed;
    for (Side side = 0; side < N_SIDES; side++) {
      mailbox->side[side].uidvalidity = one->side[side].uidvalidity;
      mailbox->side[side].uidnext = one->side[side].uidnext;
      mailbox->side[side].highestmodseq = one->side[side].highestmodseq;
      mailbox->side[side].expect_new = TRUE;
    }
  }
  return run_rounds (engine, error);
}

static gboolean
run (SyncEngine *engine, const char *const *names, gboolean marked, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  gboolean ok;

  memset (&engine->figures, 0, sizeof engine->figures);
  engine->incomplete = FALSE;
  engine->messages_done = engine->messages_total = 0;
  engine->bytes_done = engine->bytes_total = 0;
  g_clear_pointer (&engine->mailboxes, g_ptr_array_unref);
  engine->mailboxes = g_ptr_array_new_with_free_func ((GDestroyNotify)sync_mailbox_free);
  ok = marked ? run_marked (engine, names, error) : run_whole (engine, names, error);
  /* What was confirmed before something failed is confirmed. */
  if (!sync_commit_flush (engine) && ok) {
    fatal (engine, error);
    ok = FALSE;
  }
  engine->seconds = (double)(g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  tell_figures (engine, marked);
  return ok;
}

gboolean
sync_run (SyncEngine *engine, const char *const *mailboxes, GError **error)
{
  return run (engine, mailboxes, FALSE, error);
}

gboolean
sync_run_marked (SyncEngine *engine, const char *const *names, GError **error)
{
  return run (engine, names, TRUE, error);
}

guint
sync_tell_holds (SyncEngine *engine)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) mailboxes = store_mailboxes (engine->store, &error);
  guint count = 0;

  for (guint i = 0; mailboxes != NULL && i < mailboxes->len; i++) {
    const StoreMailbox *mailbox = g_ptr_array_index (mailboxes, i);
    g_autoptr (GPtrArray) holds = store_holds (engine->store, mailbox->id, &error);
    g_autofree char *display =
        mailbox_name_display (mailbox->name, engine->peer[SIDE_LOCAL]->naming.delimiter);

    for (guint j = 0; holds != NULL && j < holds->len; j++, count++) {
      const StoreHold *hold = g_ptr_array_index (holds, j);

      g_warning ("%s: %s UID %u is still held: %s", display, side_name (hold->side), hold->uid,
                 hold->reason);
    }
  }
  return count;
}
