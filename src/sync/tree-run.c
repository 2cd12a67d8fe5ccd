/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-run.h"

#include "sync/commit.h"
#include "sync/dry-run.h"
#include "sync/list.h"
#include "sync/tree-answer.h"
#include "sync/tree-run-private.h"

#define MAX_QUESTIONS 50 /* rounds of them */
#define MAX_PASSES    5

TreeNode *
sync_tree_find_node (GPtrArray *tree, const char *name)
{
  for (guint i = 0; i < tree->len; i++) {
    TreeNode *node = g_ptr_array_index (tree, i);

    if (g_str_equal (node->name, name))
      return node;
  }
  return NULL;
}

gboolean
sync_tree_is_command (const TreeAction *action)
{
  return action->kind != TREE_SAVE && action->kind != TREE_FORGET && action->kind != TREE_RESET;
}

gboolean
sync_tree_is_void (SyncTreeRun *run, const TreeAction *action)
{
  for (guint i = 0; i < run->failed->len; i++) {
    const TreeAction *failed = g_ptr_array_index (run->failed, i);

    if (failed == action || tree_action_depends (action, failed))
      return TRUE;
  }
  return FALSE;
}

/* --- the plan -------------------------------------------------------------------------------- */

/* Asks until nothing is left to be asked. */
static gboolean
make_plan (SyncTreeRun *run, TreeInput *input, GError **error)
{
  for (guint round = 0; round < MAX_QUESTIONS; round++) {
    g_clear_pointer (&run->plan, tree_plan_free);
    run->plan = tree_plan (input);
    if (run->plan->questions->len == 0)
      return TRUE;
    if (!sync_tree_answer (run->engine, run->saved, run->plan->questions, input->answers, error))
      return FALSE;
    while (run->plan->questions->len > 0) {
      TreeQuestion *question = g_ptr_array_steal_index (run->plan->questions, 0);

      sync_tree_tell_unsure (run, question);
      g_ptr_array_add (input->answers, question);
    }
  }
  g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                       "the mailbox trees do not settle: the servers contradict themselves");
  return FALSE;
}

static gboolean
is_included (SyncTreeRun *run, const TreeAction *action)
{
  return sync_choice_includes (run->choice, action->name, action->subscribed[SIDE_LOCAL]);
}

/* Of the mailbox that @creation would make, and of no other. A parent may be about to take along
 * the one on the other side: its subscription goes with it all the same. */
static gboolean
is_of_same (const TreeAction *action, const TreeAction *creation)
{
  if ((action->kind == TREE_SUBSCRIBE || action->kind == TREE_UNSUBSCRIBE) &&
      action->side != creation->side)
    return FALSE;
  if (creation->saved_id != 0)
    return action->saved_id == creation->saved_id;
  return action->saved_id == 0 && action->new_name == NULL &&
         g_str_equal (action->name, creation->name);
}

/* What is not to be copied is not created either, and nothing is recorded of it. */
static void
leave_out_creation (SyncTreeRun *run, const TreeAction *creation)
{
  GPtrArray *actions = run->plan->actions;
  g_autofree char *name = g_strdup (creation->name);
  const TreeAction same = {.side = creation->side, .saved_id = creation->saved_id, .name = name};

  if (same.saved_id != 0)
    g_array_append_val (run->plan->unsettled, same.saved_id);
  for (guint i = actions->len; i-- > 0;) {
    if (is_of_same (g_ptr_array_index (actions, i), &same))
      g_ptr_array_remove_index (actions, i);
  }
}

static void
leave_out_creations (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len;) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (action->kind != TREE_CREATE || is_included (run, action)) {
      i++;
      continue;
    }
    leave_out_creation (run, action);
    i = 0;
  }
}

static gboolean
is_named (SyncTreeRun *run, const TreeAction *action)
{
  return action->temporary || sync_choice_means (run->choice, action->name) ||
         (action->new_name != NULL && sync_choice_means (run->choice, action->new_name));
}

/* A mailbox that is meant may get a name that is not: that takes the subscriptions along. */
static gboolean
is_meant (SyncTreeRun *run, const TreeAction *action)
{
  if (is_named (run, action))
    return TRUE;
  for (guint i = 0; action->saved_id != 0 && i < run->plan->actions->len; i++) {
    const TreeAction *other = g_ptr_array_index (run->plan->actions, i);

    if (other->kind == TREE_RENAME && other->saved_id == action->saved_id &&
        sync_choice_means (run->choice, other->name))
      return TRUE;
  }
  return FALSE;
}

/* A mailbox that is not meant is left alone: even what is saved of it stays as it is, so that it is
 * judged by that when it is meant again. */
static void
leave_out_unmeant (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (sync_tree_is_void (run, action) || !is_meant (run, action))
      g_ptr_array_add (run->failed, action);
  }
}

/* A name that a server cannot have at all is refused before it is asked. TRUE: there is one. */
static gboolean
refuse_unwritable (SyncTreeRun *run)
{
  gboolean any = FALSE;

  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    const char *name = action->new_name != NULL ? action->new_name : action->name;
    g_autoptr (GError) reason = NULL;
    g_autofree char *wire = NULL;
    TreeAction *refused;

    if ((action->kind != TREE_CREATE && action->kind != TREE_RENAME) || !is_meant (run, action))
      continue;
    wire = mailbox_name_to_wire (&run->engine->peer[action->side]->naming, name, &reason);
    if (wire != NULL)
      continue;
    sync_tree_tell_name (run, name, action->side, reason->message);
    refused = g_new0 (TreeAction, 1);
    refused->kind = action->kind;
    refused->side = action->side;
    refused->name = g_strdup (action->name);
    refused->new_name = g_strdup (action->new_name);
    g_ptr_array_add (run->refused, refused);
    any = TRUE;
  }
  return any;
}

static TreeAction *
add_action (SyncTreeRun *run, TreeActionKind kind, Side side, const StoreMailbox *saved,
            const char *name)
{
  TreeAction *action = g_new0 (TreeAction, 1);

  action->kind = kind;
  action->side = side;
  action->saved_id = saved != NULL ? saved->id : 0;
  action->name = g_strdup (name);
  g_ptr_array_add (run->plan->actions, action);
  return action;
}

static gboolean
is_unsettled (SyncTreeRun *run, gint64 saved_id)
{
  for (guint i = 0; i < run->plan->unsettled->len; i++) {
    if (g_array_index (run->plan->unsettled, gint64, i) == saved_id)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_in_plan (SyncTreeRun *run, gint64 saved_id)
{
  if (is_unsettled (run, saved_id))
    return TRUE;
  for (guint i = 0; i < run->plan->actions->len; i++) {
    if (((const TreeAction *)g_ptr_array_index (run->plan->actions, i))->saved_id == saved_id)
      return TRUE;
  }
  return FALSE;
}

static const StoreMailbox *
find_saved_name (SyncTreeRun *run, const char *name)
{
  for (guint i = 0; i < run->saved->len; i++) {
    const StoreMailbox *mailbox = g_ptr_array_index (run->saved, i);

    if (g_str_equal (mailbox->name, name))
      return mailbox;
  }
  return NULL;
}

/* One that came back, because it was deleted here and changed there: a person wants it to go. */
static void
add_wished_deletions (SyncTreeRun *run)
{
  for (guint i = 0; i < run->conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (run->conflicts, i);
    const StoreMailbox *saved;

    if (!g_str_equal (conflict->kind, "mailbox-delete-vs-change") ||
        g_strcmp0 (conflict->choice, "delete") != 0)
      continue;
    saved = find_saved_name (run, conflict->mailbox);
    if (saved != NULL && is_in_plan (run, saved->id))
      continue;
    g_array_append_val (run->wished, conflict->id);
    if (saved == NULL)
      continue;
    for (Side side = 0; side < N_SIDES; side++)
      add_action (run, TREE_DELETE, side, saved, saved->name);
    add_action (run, TREE_FORGET, SIDE_LOCAL, saved, saved->name);
  }
}

static gboolean
is_planned (SyncTreeRun *run, const TreeAction *wanted)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (action->kind == wanted->kind && action->side == wanted->side &&
        g_str_equal (action->name, wanted->name))
      return TRUE;
  }
  return FALSE;
}

/* A subscription outlives its mailbox. Of one that an interrupted pass has deleted nothing but the
 * intent speaks any more. */
static void
add_left_over (SyncTreeRun *run)
{
  for (guint i = 0; i < run->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (run->intents, i);

    if (intent->kind == TREE_UNSUBSCRIBE && !is_unsettled (run, intent->saved_id) &&
        !is_planned (run, intent) &&
        sync_tree_find_node (run->trees[intent->side], intent->name) == NULL)
      add_action (run, TREE_UNSUBSCRIBE, intent->side, NULL, intent->name);
  }
}

static gboolean
load_and_plan (SyncTreeRun *run, GError **error)
{
  TreeInput input = {0};
  gboolean ok = sync_tree_load (run, &input, error);

  while (ok && (ok = make_plan (run, &input, error))) {
    leave_out_creations (run);
    if (!refuse_unwritable (run))
      break;
  }
  sync_tree_input_clear (&input);
  if (!ok)
    return FALSE;
  leave_out_unmeant (run);
  add_wished_deletions (run);
  add_left_over (run);
  return TRUE;
}

/* What a dry run says instead of doing it. */
static void
tell_commands (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    const Side side = action->kind == TREE_CREATE ? side_other (action->side) : action->side;
    const TreeNode *node = sync_tree_find_node (run->trees[side], action->name);

    if (!sync_tree_is_command (action))
      continue;
    if (!sync_tree_is_void (run, action) && !action->temporary)
      sync_dry_run_tell_action (run->engine, action, node != NULL ? node->messages : 0);
    if (action->kind != TREE_SUBSCRIBE && action->kind != TREE_UNSUBSCRIBE)
      g_ptr_array_add (run->failed, action);
  }
}

/* --- intents and results --------------------------------------------------------------------- */

static gboolean
write_intents (SyncTreeRun *run)
{
  SyncEngine *engine = run->engine;
  gboolean any = FALSE;

  if (!sync_commit_flush (engine) || !store_begin (engine->store, &engine->fatal))
    return FALSE;
  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    StoreIntent intent;

    if (!sync_tree_is_command (action) || sync_tree_is_void (run, action))
      continue;
    any = TRUE;
    sync_tree_fill_intent (&intent, action);
    if (!store_intent_insert (engine->store, &intent, &engine->fatal)) {
      store_rollback (engine->store);
      return FALSE;
    }
  }
  if (!any) {
    store_rollback (engine->store);
    return TRUE;
  }
  return store_commit (engine->store, &engine->fatal);
}

static gboolean
save_mailbox (SyncTreeRun *run, const TreeAction *action, GError **error)
{
  StoreMailbox *mailbox = sync_tree_find_saved (run->saved, action->saved_id);
  const char *name = action->new_name != NULL ? action->new_name : action->name;

  if (mailbox == NULL) {
    mailbox = g_new0 (StoreMailbox, 1);
    g_ptr_array_add (run->saved, mailbox);
  }
  if (g_strcmp0 (mailbox->name, name) != 0) {
    g_free (mailbox->name);
    mailbox->name = g_strdup (name);
  }
  for (Side side = 0; side < N_SIDES; side++) {
    const TreeNode *node = sync_tree_find_node (run->trees[side], name);

    mailbox->side[side].listed = TRUE;
    mailbox->side[side].subscribed = action->subscribed[side];
    if (node != NULL && node->mailboxid != NULL) {
      g_free (mailbox->side[side].mailboxid);
      mailbox->side[side].mailboxid = g_strdup (node->mailboxid);
    }
  }
  return store_mailbox_save (run->engine->store, mailbox, error);
}

static gboolean
reset_mailbox (SyncTreeRun *run, const TreeAction *action, GError **error)
{
  StoreMailbox *mailbox = sync_tree_find_saved (run->saved, action->saved_id);

  if (mailbox == NULL)
    return TRUE;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].uidnext = 0;
    mailbox->side[side].highestmodseq = 0;
    if (!action->fresh[side])
      continue;
    mailbox->side[side].uidvalidity = 0;
    g_clear_pointer (&mailbox->side[side].mailboxid, g_free);
  }
  return store_pairs_delete_all (run->engine->store, mailbox->id, error) &&
         store_mailbox_save (run->engine->store, mailbox, error);
}

static gboolean
save_action (SyncTreeRun *run, const TreeAction *action, GError **error)
{
  switch (action->kind) {
  case TREE_SAVE:
    return save_mailbox (run, action, error);
  case TREE_RESET:
    return reset_mailbox (run, action, error);
  case TREE_FORGET:
    return store_mailbox_delete (run->engine->store, action->saved_id, error);
  case TREE_CREATE:
  case TREE_RENAME:
  case TREE_DELETE:
  case TREE_SUBSCRIBE:
  case TREE_UNSUBSCRIBE:
  default:
    return TRUE;
  }
}

static gboolean
drop_intents (SyncTreeRun *run, GError **error)
{
  g_autoptr (GPtrArray) intents = store_intents (run->engine->store, 0, error);

  for (guint i = 0; intents != NULL && i < intents->len; i++) {
    const StoreIntent *intent = g_ptr_array_index (intents, i);
    TreeAction *action = sync_tree_action_of_intent (intent);
    gboolean keep = action != NULL && tree_plan_keeps_intent (run->plan, run->failed, action);

    tree_action_free (action);
    if (!keep && !store_intent_delete (run->engine->store, intent->id, error))
      return FALSE;
  }
  return intents != NULL;
}

static gboolean
save_refusals (SyncTreeRun *run, GError **error)
{
  Store *store = run->engine->store;

  if (run->plan->actions->len > 0 &&
      !store_refusals_expire (store, g_get_real_time () / G_USEC_PER_SEC, error))
    return FALSE;
  for (guint i = 0; i < run->refusing->len; i++) {
    if (!store_refusal_save (store, g_ptr_array_index (run->refusing, i), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
save_all (SyncTreeRun *run, GError **error)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (!g_ptr_array_find (run->failed, action, NULL) && !save_action (run, action, error))
      return FALSE;
  }
  return save_refusals (run, error) && drop_intents (run, error);
}

static gboolean
save (SyncTreeRun *run)
{
  SyncEngine *engine = run->engine;

  if (!sync_commit_flush (engine) || !store_begin (engine->store, &engine->fatal))
    return FALSE;
  if (!save_all (run, &engine->fatal)) {
    store_rollback (engine->store);
    return FALSE;
  }
  return store_commit (engine->store, &engine->fatal);
}

static void
note_unsettled (SyncTreeRun *run)
{
  GHashTable *set = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  const GArray *unsettled = run->plan->unsettled;

  for (guint i = 0; i < unsettled->len; i++)
    g_hash_table_add (set, g_memdup2 (&g_array_index (unsettled, gint64, i), sizeof (gint64)));
  g_clear_pointer (&run->engine->unsettled, g_hash_table_unref);
  run->engine->unsettled = set;
}

/* --- passes ---------------------------------------------------------------------------------- */

static gboolean
has_done_anything (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (sync_tree_is_command (action) && !g_ptr_array_find (run->failed, action, NULL))
      return TRUE;
  }
  return FALSE;
}

static void
begin_pass (SyncTreeRun *run)
{
  run->again = run->troubled = FALSE;
  run->failed = g_ptr_array_new ();
  run->refusing = g_ptr_array_new_with_free_func ((GDestroyNotify)store_refusal_free);
  run->named = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  run->emptied = g_array_new (FALSE, FALSE, sizeof (gint64));
  run->wished = g_array_new (FALSE, FALSE, sizeof (gint64));
}

static void
end_pass (SyncTreeRun *run)
{
  g_clear_pointer (&run->plan, tree_plan_free);
  g_clear_pointer (&run->saved, g_ptr_array_unref);
  g_clear_pointer (&run->intents, g_ptr_array_unref);
  g_clear_pointer (&run->refused, g_ptr_array_unref);
  g_clear_pointer (&run->refusals, g_ptr_array_unref);
  g_clear_pointer (&run->conflicts, g_ptr_array_unref);
  g_clear_pointer (&run->failed, g_ptr_array_unref);
  g_clear_pointer (&run->refusing, g_ptr_array_unref);
  g_clear_pointer (&run->named, g_hash_table_unref);
  g_clear_pointer (&run->emptied, g_array_unref);
  g_clear_pointer (&run->wished, g_array_unref);
}

/* Once. */
static gboolean
run_pass (SyncTreeRun *run, GError **error)
{
  SyncEngine *engine = run->engine;

  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&run->trees[side], g_ptr_array_unref);
  if (!sync_list (engine, run->trees, error))
    return FALSE;
  sync_tree_tell_unusable (run);
  if (!load_and_plan (run, error))
    return FALSE;
  sync_tree_tell_lists (run);
  sync_tree_tell_shared (run);
  sync_tree_tell_conflicts (run);
  if (engine->dry_run)
    tell_commands (run);
  else if (!write_intents (run) || !sync_tree_do (run, error))
    return FALSE;
  tree_plan_settle (run->plan, run->failed);
  note_unsettled (run);
  return save (run);
}

/* The last one. */
static void
finish (SyncTreeRun *run)
{
  SyncEngine *engine = run->engine;

  engine->incomplete |= run->troubled;
  if (!sync_choice_is_whole (run->choice))
    return;
  sync_tree_sweep_conflicts (run);
  for (Side side = 0; side < N_SIDES && run->failed->len == 0; side++)
    sync_list_forget_heard (engine->peer[side]);
}

/* One is enough when everything goes as planned. */
gboolean
sync_tree_run (SyncEngine *engine, SyncChoice *choice, GPtrArray *trees[N_SIDES], GError **error)
{
  SyncTreeRun run = {.engine = engine, .choice = choice, .trees = trees};
  gboolean ok = TRUE, unforeseen = FALSE;

  trees[SIDE_LOCAL] = trees[SIDE_REMOTE] = NULL;
  run.told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint pass = 0; ok && pass < MAX_PASSES; pass++) {
    begin_pass (&run);
    ok = run_pass (&run, error);
    unforeseen |= run.again;
    if (ok &&
        ((!run.again && !(unforeseen && has_done_anything (&run))) || pass == MAX_PASSES - 1)) {
      finish (&run);
      pass = MAX_PASSES;
    }
    end_pass (&run);
  }
  if (engine->fatal != NULL && (error == NULL || *error == NULL))
    g_propagate_error (error, g_error_copy (engine->fatal));
  g_hash_table_unref (run.told);
  return ok;
}
