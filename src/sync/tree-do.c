/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-run-private.h"

#include "log-account.h"
#include "sync/apply.h"
#include "sync/figures.h"
#include "sync/list.h"
#include "sync/tree-answer.h"

#define REFUSED_FOR (24 * 60 * 60) /* seconds: then it is tried once more */

/* --- the trees as they become ---------------------------------------------------------------- */

static TreeNode *
add_node (GPtrArray *tree, const char *name)
{
  TreeNode *node = g_new0 (TreeNode, 1);

  node->name = g_strdup (name);
  g_ptr_array_add (tree, node);
  return node;
}

/* Some servers make what is missing above it, without a word. */
static void
expect_parents (SyncTreeRun *run, GPtrArray *tree, const char *name)
{
  for (const char *end = strchr (name, MAILBOX_NAME_SEPARATOR); end != NULL;
       end = strchr (end + 1, MAILBOX_NAME_SEPARATOR)) {
    g_autofree char *above = g_strndup (name, end - name);
    const TreeNode *node = sync_tree_find_node (tree, above);

    run->again |= node == NULL || !node->selectable;
  }
}

/* It may have been listed as the \NonExistent parent of others. Its MAILBOXID is saved now: else
 * the next run would find it (R8). */
static void
note_created (SyncTreeRun *run, const TreeAction *action, const ImapCode *code)
{
  GPtrArray *tree = run->trees[action->side];
  TreeNode *node = sync_tree_find_node (tree, action->name);

  if (node == NULL)
    node = add_node (tree, action->name);
  node->selectable = TRUE;
  expect_parents (run, tree, action->name);
  if (code->type != IMAP_CODE_MAILBOXID)
    return;
  g_free (node->mailboxid);
  node->mailboxid = g_strdup (code->id);
}

static void
drop_level (GPtrArray *tree, const char *name)
{
  for (guint i = tree->len; i-- > 0;) {
    const TreeNode *node = g_ptr_array_index (tree, i);

    if (!node->unusable && g_str_equal (node->name, name))
      g_ptr_array_remove_index (tree, i);
  }
}

/* With its children. */
static void
note_renamed (SyncTreeRun *run, const TreeAction *action)
{
  GPtrArray *tree = run->trees[action->side];
  const gsize length = strlen (action->name);

  drop_level (tree, action->new_name);
  for (guint i = 0; i < tree->len; i++) {
    TreeNode *node = g_ptr_array_index (tree, i);
    char *name;

    if (node->unusable || strncmp (node->name, action->name, length) != 0 ||
        (node->name[length] != '\0' && node->name[length] != MAILBOX_NAME_SEPARATOR))
      continue;
    name = g_strconcat (action->new_name, node->name + length, NULL);
    g_free (node->name);
    node->name = name;
    node->highestmodseq = 0; /* Cyrus counts it up: the next run must not be the one that sees it */
  }
  if (!action->temporary)
    expect_parents (run, tree, action->new_name);
}

static void
note_done (SyncTreeRun *run, const TreeAction *action, const ImapResponse *tagged)
{
  if (action->kind == TREE_RENAME || action->kind == TREE_DELETE)
    sync_choice_note_done (run->choice, action->name);
  if (action->kind == TREE_CREATE)
    note_created (run, action, &tagged->code);
  else if (action->kind == TREE_RENAME)
    note_renamed (run, action);
  else if (action->kind == TREE_DELETE)
    drop_level (run->trees[action->side], action->name);
}

/* --- what was not done ----------------------------------------------------------------------- */

typedef enum {
  FAILURE_REFUSED, /* for good */
  FAILURE_MOVED,   /* others have changed the tree meanwhile */
  FAILURE_TROUBLE, /* it may go well the next time */
} Failure;

static Failure
judge_failure (ImapCodeType code)
{
  switch (code) {
  case IMAP_CODE_NONEXISTENT:
  case IMAP_CODE_TRYCREATE:
    return FAILURE_MOVED;
  case IMAP_CODE_CONTACTADMIN:
  case IMAP_CODE_INUSE:
  case IMAP_CODE_SERVERBUG:
  case IMAP_CODE_UNAVAILABLE:
    return FAILURE_TROUBLE;
  default:
    return FAILURE_REFUSED;
  }
}

/* R8: not asked for again at each run. */
static void
note_refusal (SyncTreeRun *run, const TreeAction *action, const char *reason)
{
  StoreRefusal *refusal = g_new0 (StoreRefusal, 1);
  StoreIntent intent;

  sync_tree_fill_intent (&intent, action);
  refusal->kind = intent.kind;
  refusal->side = action->side;
  refusal->name = g_strdup (action->name);
  refusal->new_name = g_strdup (action->new_name);
  refusal->reason = g_strdup (reason);
  refusal->retry_at = g_get_real_time () / G_USEC_PER_SEC + REFUSED_FOR;
  g_ptr_array_add (run->refusing, refusal);
}

static void
note_failure (SyncTreeRun *run, TreeAction *action, const ImapResponse *tagged, const GError *error)
{
  const Side side = action->side;
  Failure failure = judge_failure (tagged->code.type);
  g_autofree char *name =
      mailbox_name_display (action->name, run->engine->peer[SIDE_LOCAL]->naming.delimiter);
  /* What it waited for failed while it was on its way: told already. */
  gboolean was_void = sync_tree_is_void (run, action);

  g_ptr_array_add (run->failed, action);
  if (was_void)
    return;
  run->again |= failure != FAILURE_TROUBLE;
  run->troubled = TRUE;
  if (failure == FAILURE_REFUSED)
    note_refusal (run, action, error->message);
  if (failure != FAILURE_TROUBLE) {
    log_mailbox_info (name, "the %s server: %s", side_name (side), error->message);
    return;
  }
  log_mailbox_warning (name, "the %s server: %s", side_name (side), error->message);
  run->engine->figures.problems++;
}

typedef struct {
  SyncTreeRun *run;
  TreeAction *action;
} Doing;

static void
on_done (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Doing *doing = data;
  const TreeAction *action = doing->action;

  if (tagged == NULL)
    return;
  if (error == NULL)
    note_done (doing->run, action, tagged);
  else if ((action->kind == TREE_CREATE && tagged->code.type == IMAP_CODE_ALREADYEXISTS) ||
           (action->kind == TREE_UNSUBSCRIBE &&
            sync_tree_find_node (doing->run->trees[action->side], action->name) == NULL))
    doing->run->again |= action->kind == TREE_CREATE;
  else
    note_failure (doing->run, doing->action, tagged, error);
}

/* --- commands -------------------------------------------------------------------------------- */

static gboolean
is_pipelined (const TreeAction *action)
{
  return action->kind != TREE_RENAME && action->kind != TREE_DELETE;
}

static void
queue_action (SyncTreeRun *run, SyncWait *wait, TreeAction *action)
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
    run->troubled = TRUE;
    g_ptr_array_add (run->failed, action);
    return;
  }
  sync_tree_tell_action (run, action);
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

/* The saved mailbox on the sides where it is to be deleted: mostly one, both when a person wants
 * that. */
typedef struct {
  SyncMailbox *mailbox[N_SIDES];
  gboolean changed;
} Doomed;

static void
doomed_clear (Doomed *doomed)
{
  for (Side side = 0; side < N_SIDES; side++)
    sync_mailbox_free (doomed->mailbox[side]);
}

static gboolean
examine_all (SyncTreeRun *run, const StoreMailbox *saved, Doomed *doomed, GError **error)
{
  for (guint i = 0; i < run->plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (run->plan->actions, i);
    TreeAnswer changed;

    if (action->kind != TREE_DELETE || action->saved_id != saved->id)
      continue;
    if (!sync_tree_examine (run->engine, saved, action->side, action->name,
                            &doomed->mailbox[action->side], &changed, error))
      return FALSE;
    doomed->changed |= changed != TREE_ANSWER_NO;
  }
  return TRUE;
}

/* The pairs go with the messages of one side: both sides' UIDs are read before. */
static gboolean
expunge_all (SyncTreeRun *run, const StoreMailbox *saved, Doomed *doomed, GError **error)
{
  SyncEngine *engine = run->engine;

  for (Side side = 0; side < N_SIDES; side++) {
    SyncMailbox *mailbox = doomed->mailbox[side];

    if (mailbox == NULL)
      continue;
    mailbox->plan = sync_plan_new ();
    mailbox->side[side_other (side)].delta = sync_delta_new ();
    if (!store_pairs_range (engine->store, saved->id, side, 1, G_MAXUINT32,
                            mailbox->plan->expunge[side], error))
      return FALSE;
  }
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (GPtrArray) mailboxes = g_ptr_array_new ();

    if (doomed->mailbox[side] == NULL)
      continue;
    g_ptr_array_add (mailboxes, doomed->mailbox[side]);
    if (!sync_apply (engine, mailboxes, error))
      return FALSE;
    sync_figures_add (&engine->figures, &doomed->mailbox[side]->figures);
  }
  return TRUE;
}

/* Takes the paired messages out of a mailbox that is to be deleted, unless there is anything else
 * in it. One that an interrupted pass of ours made and that was never saved has none. */
static gboolean
empty_mailbox (SyncTreeRun *run, const TreeAction *action, GError **error)
{
  const StoreMailbox *saved = sync_tree_find_saved (run->saved, action->saved_id);
  Doomed doomed = {0};
  gboolean ok;

  for (guint i = 0; i < run->emptied->len; i++) {
    if (g_array_index (run->emptied, gint64, i) == action->saved_id)
      return TRUE;
  }
  if (saved == NULL)
    return TRUE;
  g_array_append_val (run->emptied, action->saved_id);
  ok = examine_all (run, saved, &doomed, error) &&
       (doomed.changed || expunge_all (run, saved, &doomed, error));
  doomed_clear (&doomed);
  return ok;
}

/* What was never saved was never read, either: a STATUS of Cyrus 3.6 may speak of a mailbox that
 * had the name before. */
static gboolean
select_empty (SyncTreeRun *run, const TreeAction *action, gboolean *empty, GError **error)
{
  static const SyncSelectionFuncs nothing = {NULL};
  SyncEngine *engine = run->engine;
  SyncPeer *peer = engine->peer[action->side];
  SyncWait wait = {.engine = engine};
  StoreMailbox saved = {.name = action->name};
  const char *names[N_SIDES] = {action->name, action->name};
  SyncMailbox *mailbox = sync_tree_mailbox (engine, &saved, names);
  SyncSelection *selection;
  gboolean ok = TRUE;

  *empty = FALSE;
  if (mailbox->side[action->side].wire != NULL) {
    selection = sync_peer_select (peer, &wait, mailbox, 0, 0, &nothing, NULL);
    sync_peer_unselect (peer, &wait);
    ok = sync_wait (&wait, error);
    *empty = ok && selection->error == NULL && selection->exists == 0;
    sync_selection_release (&selection);
  }
  sync_mailbox_free (mailbox);
  return ok;
}

/* Whether anything is left in it: mail that came meanwhile survives. STATUS of a mailbox that is
 * selected would tell what the session has seen of it, and no more. */
static gboolean
is_empty (SyncTreeRun *run, const TreeAction *action, gboolean *empty, GError **error)
{
  SyncEngine *engine = run->engine;
  SyncPeer *peer = engine->peer[action->side];
  SyncWait wait = {.engine = engine};
  g_autofree char *wire = mailbox_name_to_wire (&peer->naming, action->name, NULL);
  TreeNode node = {0};
  gboolean answered = FALSE, refused;

  *empty = FALSE;
  if (peer->current != NULL)
    sync_peer_unselect (peer, &wait);
  if (!sync_wait (&wait, error))
    return FALSE;
  if (action->saved_id == 0) {
    if (!select_empty (run, action, empty, error))
      return FALSE;
    if (!*empty)
      return TRUE;
    *empty = FALSE;
  }
  if (wire != NULL &&
      !sync_list_status (engine, action->side, wire, &node, &answered, &refused, error))
    return FALSE;
  *empty = answered && node.messages == 0;
  return TRUE;
}

/* Creations and subscriptions go out together; a rename or a deletion waits for what was before it
 * and is waited for. */
gboolean
sync_tree_do (SyncTreeRun *run, GError **error)
{
  SyncWait wait = {.engine = run->engine};

  for (guint i = 0; i < run->plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (run->plan->actions, i);

    if (!sync_tree_is_command (action))
      continue;
    if (!is_pipelined (action) && !sync_wait (&wait, error))
      return FALSE;
    if (sync_tree_is_void (run, action)) {
      g_ptr_array_add (run->failed, action);
      continue;
    }
    if (action->kind == TREE_DELETE) {
      gboolean empty;

      if (!empty_mailbox (run, action, error) || !is_empty (run, action, &empty, error))
        return FALSE;
      if (!empty) {
        g_ptr_array_add (run->failed, action);
        run->again = TRUE;
        continue;
      }
    }
    queue_action (run, &wait, action);
    if (!is_pipelined (action) && !sync_wait (&wait, error))
      return FALSE;
  }
  return sync_wait (&wait, error);
}
