/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-run.h"

#include "log-account.h"
#include "sync/apply.h"
#include "sync/commit.h"
#include "sync/conflict.h"
#include "sync/dry-run.h"
#include "sync/figures.h"
#include "sync/list.h"
#include "sync/tree-answer.h"

#define MAX_QUESTIONS 50 /* rounds of them */

typedef struct {
  SyncEngine *engine;
  SyncChoice *choice;
  GPtrArray **trees;
  GPtrArray *saved;  /* StoreMailbox */
  GPtrArray *failed; /* TreeAction (not owned): not done, with all that depends on it */
  GHashTable *named; /* what a conflict "mailbox-name" of this run is about */
  TreePlan *plan;
} TreeRun;

/* --- input ----------------------------------------------------------------------------------- */

static TreeSaved *
make_saved (SyncEngine *engine, const StoreMailbox *mailbox, GError **error)
{
  TreeSaved *saved = g_new0 (TreeSaved, 1);

  saved->id = mailbox->id;
  saved->name = g_strdup (mailbox->name);
  for (Side side = 0; side < N_SIDES; side++) {
    saved->side[side].listed = mailbox->side[side].listed;
    saved->side[side].subscribed = mailbox->side[side].subscribed;
    saved->side[side].uidvalidity = mailbox->side[side].uidvalidity;
    saved->side[side].uidnext = mailbox->side[side].uidnext;
    saved->side[side].highestmodseq = mailbox->side[side].highestmodseq;
    saved->side[side].mailboxid = g_strdup (mailbox->side[side].mailboxid);
  }
  if (!store_pairs_count (engine->store, mailbox->id, &saved->pairs, error)) {
    tree_saved_free (saved);
    return NULL;
  }
  return saved;
}

static const struct {
  StoreIntentKind intent;
  TreeActionKind action;
} intent_kinds[] = {
    {STORE_INTENT_CREATE, TREE_CREATE},           {STORE_INTENT_DELETE, TREE_DELETE},
    {STORE_INTENT_RENAME, TREE_RENAME},           {STORE_INTENT_SUBSCRIBE, TREE_SUBSCRIBE},
    {STORE_INTENT_UNSUBSCRIBE, TREE_UNSUBSCRIBE},
};

static GPtrArray *
load_intents (SyncEngine *engine, GError **error)
{
  g_autoptr (GPtrArray) stored = store_intents (engine->store, 0, error);
  GPtrArray *actions;

  if (stored == NULL)
    return NULL;
  actions = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  for (guint i = 0; i < stored->len; i++) {
    const StoreIntent *intent = g_ptr_array_index (stored, i);

    for (gsize k = 0; k < G_N_ELEMENTS (intent_kinds); k++) {
      TreeAction *action;

      if (intent_kinds[k].intent != intent->kind)
        continue;
      action = g_new0 (TreeAction, 1);
      action->kind = intent_kinds[k].action;
      action->side = intent->side;
      action->name = g_strdup (intent->name);
      action->new_name = g_strdup (intent->new_name);
      action->temporary = intent->uidnext != 0;
      action->saved_id = intent->uidvalidity;
      g_ptr_array_add (actions, action);
    }
  }
  return actions;
}

static GPtrArray *
make_shared (SyncPeer *peer)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const MailboxNaming *naming = &peer->naming;

  for (guint i = 0; i < peer->shared->len; i++) {
    g_autofree char *prefix = g_strdup (g_ptr_array_index (peer->shared, i));
    gsize length = strlen (prefix);
    char *name;

    if (length > 0 && prefix[length - 1] == naming->delimiter)
      prefix[length - 1] = '\0';
    if ((name = mailbox_name_from_wire (naming, prefix, NULL)) != NULL)
      g_ptr_array_add (names, name);
  }
  return names;
}

/* --- the plan -------------------------------------------------------------------------------- */

/* Asks until nothing is left to be asked. */
static gboolean
make_plan (TreeRun *run, TreeInput *input, GError **error)
{
  for (guint round = 0; round < MAX_QUESTIONS; round++) {
    g_clear_pointer (&run->plan, tree_plan_free);
    run->plan = tree_plan (input);
    if (run->plan->questions->len == 0)
      return TRUE;
    while (run->plan->questions->len > 0) {
      TreeQuestion *question = g_ptr_array_steal_index (run->plan->questions, 0);

      g_ptr_array_add (input->answers, question);
      if (!sync_tree_answer (run->engine, run->saved, question, error))
        return FALSE;
    }
  }
  g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                       "the mailbox trees do not settle: the servers contradict themselves");
  return FALSE;
}

static TreeNode *
find_node (GPtrArray *tree, const char *name)
{
  for (guint i = 0; i < tree->len; i++) {
    TreeNode *node = g_ptr_array_index (tree, i);

    if (g_str_equal (node->name, name))
      return node;
  }
  return NULL;
}

static gboolean
is_planned (TreeRun *run, const TreeAction *wanted)
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
add_left_over (TreeRun *run, GPtrArray *intents)
{
  for (guint i = 0; i < intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (intents, i);
    TreeAction *action;

    if (intent->kind != TREE_UNSUBSCRIBE || is_planned (run, intent) ||
        find_node (run->trees[intent->side], intent->name) != NULL)
      continue;
    action = g_new0 (TreeAction, 1);
    action->kind = TREE_UNSUBSCRIBE;
    action->side = intent->side;
    action->name = g_strdup (intent->name);
    g_ptr_array_add (run->plan->actions, action);
  }
}

static gboolean
load_and_plan (TreeRun *run, GError **error)
{
  SyncEngine *engine = run->engine;
  g_autoptr (GPtrArray) saved = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_saved_free);
  g_autoptr (GPtrArray) answers =
      g_ptr_array_new_with_free_func ((GDestroyNotify)tree_question_free);
  g_autoptr (GPtrArray) intents = load_intents (engine, error);
  g_autoptr (GPtrArray) shared_local = make_shared (engine->peer[SIDE_LOCAL]);
  g_autoptr (GPtrArray) shared_remote = make_shared (engine->peer[SIDE_REMOTE]);
  TreeInput input = {
      .listed = {run->trees[SIDE_LOCAL], run->trees[SIDE_REMOTE]},
      .saved = saved,
      .answers = answers,
      .shared = {shared_local, shared_remote},
      .intents = intents,
  };

  if (intents == NULL)
    return FALSE;
  for (guint i = 0; i < run->saved->len; i++) {
    TreeSaved *one = make_saved (engine, g_ptr_array_index (run->saved, i), error);

    if (one == NULL)
      return FALSE;
    g_ptr_array_add (saved, one);
  }
  if (!make_plan (run, &input, error))
    return FALSE;
  add_left_over (run, intents);
  return TRUE;
}

/* R7: only what has such a name is left out. @name: program's form, or fit to be shown. */
static void
tell_name (TreeRun *run, const char *name, Side side, const char *reason)
{
  g_autofree char *escaped = g_strescape (reason, NULL);
  g_autofree char *details = g_strdup_printf ("side=%s\nreason=%s\n", side_name (side), escaped);
  const guint32 none[N_SIDES] = {0, 0};

  g_warning ("the %s server: %s", side_name (side), reason);
  g_hash_table_add (run->named, g_strdup (name));
  sync_conflict_save (run->engine, "mailbox-name", name, none, details);
  run->engine->figures.problems++;
  run->engine->incomplete = TRUE;
}

/* Mailboxes that would be synchronized if they had other names. */
static void
tell_unusable (TreeRun *run)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const MailboxNaming *naming = &run->engine->peer[side]->naming;

    for (guint i = 0; i < run->trees[side]->len; i++) {
      const TreeNode *node = g_ptr_array_index (run->trees[side], i);
      g_autofree char *levels = g_strdup (node->name), *shown = NULL, *name = NULL;
      g_autoptr (GError) error = NULL;

      if (!node->unusable || !node->selectable)
        continue;
      if (naming->delimiter != 0)
        g_strdelimit (levels, (char[]){naming->delimiter, '\0'}, MAILBOX_NAME_SEPARATOR);
      if (!sync_choice_includes (run->choice, levels, node->subscribed))
        continue;
      shown = mailbox_name_display (node->name, 0);
      name = mailbox_name_from_wire (naming, node->name, &error);
      if (name == NULL)
        tell_name (run, shown, side, error->message);
    }
  }
}

static void
tell_conflicts (TreeRun *run)
{
  for (guint i = 0; i < run->plan->conflicts->len; i++) {
    const TreeConflict *conflict = g_ptr_array_index (run->plan->conflicts, i);
    g_autofree char *display =
        mailbox_name_display (conflict->name, run->engine->peer[SIDE_LOCAL]->naming.delimiter);
    g_autofree char *details = g_strdup_printf ("side=%s\n", side_name (conflict->side));
    const guint32 none[N_SIDES] = {0, 0};

    if (!sync_choice_means (run->choice, conflict->name))
      continue;
    log_mailbox_warning (display, "%s", conflict->reason);
    if (g_str_equal (conflict->kind, "mailbox-name"))
      g_hash_table_add (run->named, g_strdup (conflict->name));
    sync_conflict_save (run->engine, conflict->kind, conflict->name, none, details);
    run->engine->figures.problems++;
  }
}

/* --- doing it -------------------------------------------------------------------------------- */

static gboolean
is_server_action (const TreeAction *action)
{
  return action->kind != TREE_SAVE && action->kind != TREE_FORGET && action->kind != TREE_RESET;
}

static gboolean
is_void (TreeRun *run, const TreeAction *action)
{
  for (guint i = 0; i < run->failed->len; i++) {
    const TreeAction *failed = g_ptr_array_index (run->failed, i);

    if (failed == action || tree_action_depends (action, failed))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_meant (TreeRun *run, const TreeAction *action)
{
  return sync_choice_means (run->choice, action->name) ||
         (action->new_name != NULL && sync_choice_means (run->choice, action->new_name));
}

/* Whether that server can have such a name at all: told, if not. */
static gboolean
can_be_named (TreeRun *run, const TreeAction *action)
{
  const char *name = action->new_name != NULL ? action->new_name : action->name;
  g_autoptr (GError) error = NULL;
  g_autofree char *wire =
      mailbox_name_to_wire (&run->engine->peer[action->side]->naming, name, &error);

  if (wire == NULL)
    tell_name (run, name, action->side, error->message);
  return wire != NULL;
}

/* A mailbox that is not meant is left alone: even what is saved of it stays as it is, so that it is
 * judged by that when it is meant again. One that is not to be copied is not created either. */
static void
leave_out_unselected (TreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    const TreeNode *node;

    if (is_void (run, action) || (!action->temporary && !is_meant (run, action))) {
      g_ptr_array_add (run->failed, action);
      continue;
    }
    if (action->kind == TREE_RENAME && !can_be_named (run, action))
      g_ptr_array_add (run->failed, action);
    if (action->kind != TREE_CREATE)
      continue;
    node = find_node (run->trees[side_other (action->side)], action->name);
    if (!sync_choice_includes (run->choice, action->name, node != NULL && node->subscribed) ||
        !can_be_named (run, action))
      g_ptr_array_add (run->failed, action);
  }
}

static gboolean
write_intents (TreeRun *run)
{
  SyncEngine *engine = run->engine;
  gboolean any = FALSE;

  if (!sync_commit_flush (engine) || !store_begin (engine->store, &engine->fatal))
    return FALSE;
  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    StoreIntent intent = {.side = action->side,
                          .name = action->name,
                          .new_name = action->new_name,
                          .uidvalidity = action->saved_id,
                          .uidnext = action->temporary};

    if (!is_server_action (action) || is_void (run, action))
      continue;
    for (gsize k = 0; k < G_N_ELEMENTS (intent_kinds); k++) {
      if (intent_kinds[k].action == action->kind)
        intent.kind = intent_kinds[k].intent;
    }
    any = TRUE;
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

/* It may have been listed as the \NonExistent parent of others. Its MAILBOXID is saved now: else
 * the next run would find it (R8). */
static void
note_created (TreeRun *run, const TreeAction *action, const ImapCode *code)
{
  TreeNode *node = find_node (run->trees[action->side], action->name);

  if (node == NULL) {
    node = g_new0 (TreeNode, 1);
    node->name = g_strdup (action->name);
    node->personal = TRUE;
    g_ptr_array_add (run->trees[action->side], node);
  }
  node->selectable = TRUE;
  if (code->type != IMAP_CODE_MAILBOXID)
    return;
  g_free (node->mailboxid);
  node->mailboxid = g_strdup (code->id);
}

typedef struct {
  TreeRun *run;
  TreeAction *action;
} Doing;

/* Servers have no code for it; what has another reason mostly says so. */
static gboolean
is_about_the_name (const TreeAction *action, const ImapResponse *tagged)
{
  return (action->kind == TREE_CREATE || action->kind == TREE_RENAME) &&
         (tagged->code.type == IMAP_CODE_NONE || tagged->code.type == IMAP_CODE_CANNOT);
}

static void
on_done (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Doing *doing = data;
  const TreeAction *action = doing->action;
  SyncEngine *engine = doing->run->engine;
  g_autofree char *display = NULL;

  if (error == NULL && action->kind == TREE_CREATE)
    note_created (doing->run, action, &tagged->code);
  if (error == NULL || tagged == NULL || action->kind == TREE_UNSUBSCRIBE)
    return;
  if (action->kind == TREE_CREATE && tagged->code.type == IMAP_CODE_ALREADYEXISTS)
    return;
  /* What it waited for failed while it was on its way: told already. */
  if (is_void (doing->run, action)) {
    g_ptr_array_add (doing->run->failed, doing->action);
    return;
  }
  g_ptr_array_add (doing->run->failed, doing->action);
  display = mailbox_name_display (action->name, engine->peer[SIDE_LOCAL]->naming.delimiter);
  if (is_about_the_name (action, tagged)) {
    g_autofree char *reason = g_strdup_printf ("%s: %s", display, error->message);

    tell_name (doing->run, action->name, action->side, reason);
    return;
  }
  log_mailbox_warning (display, "the %s server: %s", side_name (action->side), error->message);
  engine->figures.problems++;
  engine->incomplete = TRUE;
}

static gboolean
is_pipelined (const TreeAction *action)
{
  return action->kind != TREE_RENAME && action->kind != TREE_DELETE;
}

static void
tell_action (TreeRun *run, const TreeAction *action)
{
  static const char *const words[] = {
      [TREE_CREATE] = "is created",           [TREE_RENAME] = "is renamed",
      [TREE_DELETE] = "is deleted",           [TREE_SUBSCRIBE] = "is subscribed",
      [TREE_UNSUBSCRIBE] = "is unsubscribed",
  };
  char delimiter = run->engine->peer[SIDE_LOCAL]->naming.delimiter;
  g_autofree char *name = mailbox_name_display (action->name, delimiter);
  g_autofree char *new_name =
      action->new_name != NULL ? mailbox_name_display (action->new_name, delimiter) : NULL;

  log_mailbox_message (name, "%s on the %s server%s%s", words[action->kind],
                       side_name (action->side), new_name != NULL ? ", to " : "",
                       new_name != NULL ? new_name : "");
}

static void
queue_action (TreeRun *run, SyncWait *wait, TreeAction *action)
{
  static const char *const commands[] = {
      [TREE_CREATE] = "CREATE",       [TREE_RENAME] = "RENAME",           [TREE_DELETE] = "DELETE",
      [TREE_SUBSCRIBE] = "SUBSCRIBE", [TREE_UNSUBSCRIBE] = "UNSUBSCRIBE",
  };
  SyncPeer *peer = run->engine->peer[action->side];
  g_autoptr (GError) error = NULL;
  g_autofree char *wire = mailbox_name_to_wire (&peer->naming, action->name, &error);
  g_autofree char *new_wire = NULL;
  ImapCommand *command;
  Doing *doing;

  if (wire != NULL && action->kind == TREE_RENAME)
    new_wire = mailbox_name_to_wire (&peer->naming, action->new_name, &error);
  if (error != NULL) {
    g_warning ("%s", error->message);
    run->engine->figures.problems++;
    run->engine->incomplete = TRUE;
    g_ptr_array_add (run->failed, action);
    return;
  }
  tell_action (run, action);
  /* Dovecot hangs up on whoever deletes the mailbox that is selected. */
  if (!is_pipelined (action) && peer->current != NULL)
    sync_peer_unselect (peer, wait);
  command = imap_command_new (commands[action->kind]);
  imap_command_astring (command, wire);
  if (new_wire != NULL)
    imap_command_astring (command, new_wire);
  doing = g_new0 (Doing, 1);
  doing->run = run;
  doing->action = action;
  sync_peer_queue (peer, wait, command, on_done, doing, g_free);
}

static gboolean
expunge_all (TreeRun *run, SyncMailbox *mailbox, Side side, GError **error)
{
  SyncEngine *engine = run->engine;
  g_autoptr (GPtrArray) mailboxes = g_ptr_array_new ();

  mailbox->plan = sync_plan_new ();
  mailbox->side[side_other (side)].delta = sync_delta_new ();
  if (!store_pairs_range (engine->store, mailbox->saved->id, side, 1, G_MAXUINT32,
                          mailbox->plan->expunge[side], error))
    return FALSE;
  g_ptr_array_add (mailboxes, mailbox);
  if (!sync_apply (engine, mailboxes, error))
    return FALSE;
  sync_figures_add (&engine->figures, &mailbox->figures);
  return TRUE;
}

/* Takes the paired messages out of a mailbox that is to be deleted, unless there is anything else
 * in it, and looks whether anything is left: mail that came meanwhile survives. */
static gboolean
empty_mailbox (TreeRun *run, TreeAction *action, gboolean *is_empty, GError **error)
{
  SyncEngine *engine = run->engine;
  const StoreMailbox *saved = sync_tree_find_saved (run->saved, action->saved_id);
  SyncMailbox *mailbox;
  TreeAnswer changed;
  TreeNode node = {0};
  gboolean answered = FALSE, refused, ok;

  *is_empty = FALSE;
  if (saved == NULL)
    return TRUE;
  ok = sync_tree_examine (engine, saved, action->side, action->name, &mailbox, &changed, error);
  if (ok && changed == TREE_ANSWER_NO)
    ok = expunge_all (run, mailbox, action->side, error) &&
         sync_list_status (engine, action->side, mailbox->side[action->side].wire, &node, &answered,
                           &refused, error);
  sync_mailbox_free (mailbox);
  *is_empty = ok && answered && node.messages == 0;
  return ok;
}

/* Creations and subscriptions go out together; a rename or a deletion waits for what was before it
 * and is waited for. */
static gboolean
do_actions (TreeRun *run, GError **error)
{
  SyncWait wait = {.engine = run->engine};

  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (!is_server_action (action))
      continue;
    if (!is_pipelined (action) && !sync_wait (&wait, error))
      return FALSE;
    if (is_void (run, action)) {
      g_ptr_array_add (run->failed, action);
      continue;
    }
    if (action->kind == TREE_DELETE) {
      gboolean is_empty;

      if (!empty_mailbox (run, action, &is_empty, error))
        return FALSE;
      if (!is_empty) {
        g_ptr_array_add (run->failed, action);
        continue;
      }
    }
    queue_action (run, &wait, action);
    if (!is_pipelined (action) && !sync_wait (&wait, error))
      return FALSE;
  }
  return sync_wait (&wait, error);
}

/* The same in a dry run: it is told, and everything that builds on it is left out. */
static void
tell_actions (TreeRun *run)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    const Side side = action->kind == TREE_CREATE ? side_other (action->side) : action->side;
    const TreeNode *node = find_node (run->trees[side], action->name);

    if (!is_server_action (action))
      continue;
    if (!is_void (run, action) && !action->temporary)
      sync_dry_run_tell_action (run->engine, action, node != NULL ? node->messages : 0);
    g_ptr_array_add (run->failed, action);
  }
}

/* --- saving it ------------------------------------------------------------------------------- */

static gboolean
save_mailbox (TreeRun *run, const TreeAction *action, GError **error)
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
    const TreeNode *node = find_node (run->trees[side], name);

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
reset_mailbox (TreeRun *run, const TreeAction *action, GError **error)
{
  StoreMailbox *mailbox = sync_tree_find_saved (run->saved, action->saved_id);

  if (mailbox == NULL)
    return TRUE;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].uidvalidity = 0;
    mailbox->side[side].uidnext = 0;
    mailbox->side[side].highestmodseq = 0;
    g_clear_pointer (&mailbox->side[side].mailboxid, g_free);
  }
  return store_pairs_delete_all (run->engine->store, mailbox->id, error) &&
         store_mailbox_save (run->engine->store, mailbox, error);
}

static gboolean
save_actions (TreeRun *run, GError **error)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    gboolean ok = TRUE;

    if (is_server_action (action) || is_void (run, action))
      continue;
    if (action->kind == TREE_SAVE)
      ok = save_mailbox (run, action, error);
    else if (action->kind == TREE_RESET)
      ok = reset_mailbox (run, action, error);
    else
      ok = store_mailbox_delete (run->engine->store, action->saved_id, error);
    if (!ok)
      return FALSE;
  }
  return store_intents_delete (run->engine->store, 0, error);
}

static gboolean
save (TreeRun *run)
{
  SyncEngine *engine = run->engine;

  if (!sync_commit_flush (engine) || !store_begin (engine->store, &engine->fatal))
    return FALSE;
  if (!save_actions (run, &engine->fatal)) {
    store_rollback (engine->store);
    return FALSE;
  }
  return store_commit (engine->store, &engine->fatal);
}

gboolean
sync_tree_run (SyncEngine *engine, SyncChoice *choice, GPtrArray *trees[N_SIDES], GError **error)
{
  TreeRun run = {.engine = engine, .choice = choice, .trees = trees};
  gboolean ok = FALSE;

  trees[SIDE_LOCAL] = trees[SIDE_REMOTE] = NULL;
  if (!sync_list (engine, trees, error))
    return FALSE;
  run.named = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  run.failed = g_ptr_array_new ();
  run.saved = store_mailboxes (engine->store, error);
  if (run.saved != NULL && load_and_plan (&run, error)) {
    tell_unusable (&run);
    tell_conflicts (&run);
    leave_out_unselected (&run);
    if (engine->dry_run) {
      tell_actions (&run);
      ok = save (&run);
    } else {
      ok = write_intents (&run) && do_actions (&run, error) && save (&run);
    }
    if (ok && sync_choice_is_whole (choice))
      sync_conflict_sweep_names (engine, run.named);
  }
  if (engine->fatal != NULL && (error == NULL || *error == NULL))
    g_propagate_error (error, g_error_copy (engine->fatal));
  g_clear_pointer (&run.plan, tree_plan_free);
  g_clear_pointer (&run.saved, g_ptr_array_unref);
  g_hash_table_unref (run.named);
  g_ptr_array_unref (run.failed);
  return ok;
}
