/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/pass.h"

#include "log-account.h"
#include "sync/apply.h"
#include "sync/ask.h"
#include "sync/collect.h"
#include "sync/commit.h"
#include "sync/conflict.h"
#include "sync/describe.h"
#include "sync/dry-run.h"
#include "sync/figures.h"
#include "sync/gather.h"
#include "sync/light.h"
#include "sync/move.h"
#include "sync/space.h"
#include "sync/tree-run.h"

#define MAX_ROUNDS 5

static void
set_phase (SyncEngine *engine, const char *phase)
{
  engine->phase = phase;
  if (engine->progress != NULL)
    engine->progress (engine, engine->progress_data);
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
    for (guint i = 0; i < plan_->move[side]->len; i++)
      uid_set_add (now, g_array_index (plan_->move[side], SyncMove, i).message.uid);
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
    mailbox->side[side].exists = delta->exists;
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
  if (!mailbox->failed && !mailbox->unconfirmed && !mailbox->plan->waiting) {
    advance (mailbox);
    /* The next delta does not tell of who is gone once more. */
    sync_conflict_sweep_holds (engine, mailbox);
    sync_commit_settled (engine, mailbox, FALSE);
    return;
  }
  sync_gather_forget (engine, mailbox);
  if (mailbox->failed)
    return;
  /* What was done is in the database; what was not is told again by a gather from the old numbers.
   */
  mailbox->regathered = TRUE;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].uidvalidity = mailbox->saved->side[side].uidvalidity;
    mailbox->side[side].uidnext = mailbox->saved->side[side].uidnext;
    mailbox->side[side].highestmodseq = mailbox->saved->side[side].highestmodseq;
    mailbox->side[side].exists = -1;
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
    if (!sync_collect_holds (engine, mailbox, held, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_renumbered (const SyncMailbox *mailbox)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (mailbox->saved->side[side].uidvalidity != 0 && mailbox->side[side].delta != NULL &&
        mailbox->side[side].delta->uidvalidity != mailbox->saved->side[side].uidvalidity)
      return TRUE;
  return FALSE;
}

/* Was it deleted and made anew, or renumbered? The trees tell, and what NOTIFY says meanwhile: a
 * selected mailbox's end is told only when it is left. */
static void
leave_renumbered (SyncEngine *engine, GPtrArray *work)
{
  for (guint i = work->len; i > 0; i--) {
    SyncMailbox *mailbox = g_ptr_array_index (work, i - 1);

    if (mailbox->failed || !is_renumbered (mailbox))
      continue;
    mailbox->dirty = FALSE;
    engine->look_again = TRUE;
    g_ptr_array_remove_index (work, i - 1);
  }
}

static gboolean
run_round (SyncEngine *engine, GPtrArray *work, GError **error)
{
  g_autoptr (GPtrArray) effects = g_ptr_array_new ();
  gboolean ok;

  set_phase (engine, "gather");
  if (!reload_holds (engine, work, error) || !sync_gather (engine, work, error) ||
      !sync_check_store (engine, error))
    return FALSE;
  if (engine->marked)
    leave_renumbered (engine, work);
  set_phase (engine, "plan");
  if (!sync_ask_plans (engine, work, error) || !sync_move_plan (engine, work, error))
    return FALSE;
  for (guint i = 0; i < work->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (work, i);

    if (mailbox->failed)
      continue;
    sync_light_hold (engine, mailbox);
    sync_space_hold_back (engine, mailbox);
    mailbox->figures.matched += mailbox->plan->pairs->len;
    sync_conflict_tell_plan (engine, mailbox);
    if (engine->dry_run) {
      sync_dry_run_count (mailbox);
      mailbox->dirty = FALSE;
      engine->incomplete |= mailbox->plan->waiting;
      continue;
    }
    count_planned (mailbox);
    if (!sync_commit_plan (engine, mailbox))
      break;
    if (sync_plan_has_effect (mailbox->plan))
      g_ptr_array_add (effects, mailbox);
    else if (sync_move_is_awaited (engine, mailbox))
      finish_round (engine, mailbox);
    else
      settle (engine, mailbox);
  }
  if (!sync_commit_flush (engine))
    return sync_check_store (engine, error);
  if (effects->len == 0)
    return TRUE;
  set_phase (engine, "apply");
  ok = sync_apply (engine, effects, error);
  for (guint i = 0; i < effects->len && ok; i++)
    finish_round (engine, g_ptr_array_index (effects, i));
  ok = ok && sync_describe_tell (engine, TRUE, error);
  return sync_commit_flush (engine) && ok && sync_check_store (engine, error);
}

/* --- the run --------------------------------------------------------------------------------- */

/* Somebody keeps changing it, or a server does not do what it says. */
static void
tell_unsettled (SyncEngine *engine)
{
  g_autoptr (GPtrArray) dirty = dirty_mailboxes (engine);

  for (guint i = 0; i < dirty->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (dirty, i);

    if (!mailbox->unconfirmed)
      continue;
    log_mailbox_warning (mailbox->display, "not everything could be synchronized in %d rounds",
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
  return ok && sync_check_store (engine, error);
}

static gboolean
run_whole (SyncEngine *engine, const char *const *mailboxes, GError **error)
{
  GPtrArray *trees[N_SIDES] = {NULL, NULL};
  g_autoptr (SyncChoice) choice = sync_choice_new (engine, mailboxes, trees);
  gboolean ok;

  set_phase (engine, "list");
  ok = sync_tree_run (engine, choice, trees, error) &&
       sync_collect_listed (engine, choice, mailboxes, trees, error);
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&trees[side], g_ptr_array_unref);
  return ok && run_rounds (engine, error);
}

static gboolean
run (SyncEngine *engine, const char *const *names, gboolean marked, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  gboolean ok;

  memset (&engine->figures, 0, sizeof engine->figures);
  engine->incomplete = FALSE;
  engine->marked = marked;
  engine->look_again = FALSE;
  engine->short_of_space = FALSE;
  engine->messages_done = engine->messages_total = 0;
  engine->bytes_done = engine->bytes_total = 0;
  g_clear_pointer (&engine->mailboxes, g_ptr_array_unref);
  engine->mailboxes = g_ptr_array_new_with_free_func ((GDestroyNotify)sync_mailbox_free);
  g_clear_pointer (&engine->stuck, g_array_unref);
  ok = marked ? sync_collect_marked (engine, names, error) && run_rounds (engine, error)
              : run_whole (engine, names, error);
  sync_gather_forget (engine, NULL);
  ok = sync_describe_tell (engine, ok, ok ? error : NULL) && ok;
  /* What was confirmed before something failed is confirmed. */
  if (!sync_commit_flush (engine) && ok) {
    sync_check_store (engine, error);
    ok = FALSE;
  }
  engine->seconds = (double)(g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  if (!engine->dry_run)
    sync_figures_tell (engine, marked);
  else if (ok)
    sync_dry_run_tell (engine);
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

/* " (--resolve=7:retry ...)", by which a person can have it tried again; "" where it is not asked.
 */
static char *
describe_choice (GPtrArray *conflicts, const StoreMailbox *mailbox, const StoreHold *hold)
{
  for (guint i = 0; conflicts != NULL && i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (g_strcmp0 (conflict->mailbox, mailbox->name) == 0 && hold->uid != 0 &&
        conflict->uid[hold->side] == hold->uid && conflict->uid[side_other (hold->side)] == 0)
      return g_strdup_printf (" (--resolve=%" G_GINT64_FORMAT ":retry tries it again)",
                              conflict->id);
  }
  return g_strdup ("");
}

guint
sync_tell_holds (SyncEngine *engine)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) all = store_holds (engine->store, 0, &error);
  g_autoptr (GPtrArray) mailboxes = NULL;
  g_autoptr (GPtrArray) conflicts = NULL;
  guint count = 0;

  if (all == NULL || all->len == 0)
    return 0;
  mailboxes = store_mailboxes (engine->store, &error);
  conflicts = store_conflicts (engine->store, NULL);
  for (guint i = 0; mailboxes != NULL && i < mailboxes->len; i++) {
    const StoreMailbox *mailbox = g_ptr_array_index (mailboxes, i);
    g_autoptr (GPtrArray) holds = store_holds (engine->store, mailbox->id, &error);
    g_autofree char *display =
        mailbox_name_display (mailbox->name, engine->peer[SIDE_LOCAL]->naming.delimiter);

    for (guint j = 0; holds != NULL && j < holds->len; j++, count++) {
      const StoreHold *hold = g_ptr_array_index (holds, j);

      g_autofree char *choice = describe_choice (conflicts, mailbox, hold);

      log_mailbox_warning (display, "%s UID %u is still held: %s%s", side_name (hold->side),
                           hold->uid, hold->reason, choice);
    }
  }
  return count;
}
