/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-run-private.h"

/* --- intents --------------------------------------------------------------------------------- */

static const struct {
  StoreIntentKind intent;
  TreeActionKind action;
} kinds[] = {
    {STORE_INTENT_CREATE, TREE_CREATE},           {STORE_INTENT_DELETE, TREE_DELETE},
    {STORE_INTENT_RENAME, TREE_RENAME},           {STORE_INTENT_SUBSCRIBE, TREE_SUBSCRIBE},
    {STORE_INTENT_UNSUBSCRIBE, TREE_UNSUBSCRIBE},
};

static TreeAction *
make_action (StoreIntentKind kind, Side side, const char *name, const char *new_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    TreeAction *action;

    if (kinds[i].intent != kind)
      continue;
    action = g_new0 (TreeAction, 1);
    action->kind = kinds[i].action;
    action->side = side;
    action->name = g_strdup (name);
    action->new_name = g_strdup (new_name);
    return action;
  }
  return NULL;
}

TreeAction *
sync_tree_action_of_intent (const StoreIntent *intent)
{
  TreeAction *action = make_action (intent->kind, intent->side, intent->name, intent->new_name);

  if (action != NULL) {
    action->saved_id = intent->uidvalidity;
    action->temporary = intent->uidnext != 0;
  }
  return action;
}

void
sync_tree_fill_intent (StoreIntent *intent, const TreeAction *action)
{
  *intent = (StoreIntent){
      .side = action->side,
      .name = action->name,
      .new_name = action->new_name,
      .uidvalidity = (guint32)action->saved_id,
      .uidnext = action->temporary,
  };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (kinds[i].action == action->kind)
      intent->kind = kinds[i].intent;
  }
}

static gboolean
load_intents (SyncTreeRun *run, GError **error)
{
  g_autoptr (GPtrArray) stored = store_intents (run->engine->store, 0, error);

  run->intents = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  for (guint i = 0; stored != NULL && i < stored->len; i++) {
    TreeAction *action = sync_tree_action_of_intent (g_ptr_array_index (stored, i));

    if (action != NULL)
      g_ptr_array_add (run->intents, action);
  }
  return stored != NULL;
}

static gboolean
load_refused (SyncTreeRun *run, GError **error)
{
  run->refused = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  run->refusals = store_refusals (run->engine->store, g_get_real_time () / G_USEC_PER_SEC, error);
  for (guint i = 0; run->refusals != NULL && i < run->refusals->len; i++) {
    const StoreRefusal *refusal = g_ptr_array_index (run->refusals, i);
    TreeAction *action =
        make_action (refusal->kind, refusal->side, refusal->name, refusal->new_name);

    if (action != NULL)
      g_ptr_array_add (run->refused, action);
  }
  return run->refusals != NULL;
}

/* --- the saved tree -------------------------------------------------------------------------- */

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

static gboolean
load_saved (SyncTreeRun *run, GPtrArray *saved, GError **error)
{
  if ((run->saved = store_mailboxes (run->engine->store, error)) == NULL)
    return FALSE;
  for (guint i = 0; i < run->saved->len; i++) {
    TreeSaved *one = make_saved (run->engine, g_ptr_array_index (run->saved, i), error);

    if (one == NULL)
      return FALSE;
    g_ptr_array_add (saved, one);
  }
  return TRUE;
}

/* --- the rest -------------------------------------------------------------------------------- */

/* Names that would be in a shared namespace there. */
static GPtrArray *
make_shared (SyncPeer *peer)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const MailboxNaming *naming = &peer->naming;

  for (guint i = 0; naming->others != NULL && i < naming->others->len; i++) {
    const MailboxNamespace *space = g_ptr_array_index (naming->others, i);

    if (space->shared && space->root != NULL && mailbox_naming_shares (naming, space->root))
      g_ptr_array_add (names, g_strdup (space->root));
  }
  return names;
}

/* What a person chose about the deletion of most mailboxes: it has no mailbox's name. */
static gboolean
load_choices (SyncTreeRun *run, TreeInput *input, GError **error)
{
  if ((run->conflicts = store_conflicts (run->engine->store, error)) == NULL)
    return FALSE;
  for (guint i = 0; i < run->conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (run->conflicts, i);

    if (!g_str_equal (conflict->kind, "mass-deletion") || *conflict->mailbox != '\0')
      continue;
    input->mass_deletion_asked = TRUE;
    input->mass_deletion_applied = g_strcmp0 (conflict->choice, "apply") == 0;
    input->mass_deletion_restored = g_strcmp0 (conflict->choice, "restore") == 0;
  }
  return TRUE;
}

gboolean
sync_tree_load (SyncTreeRun *run, TreeInput *input, GError **error)
{
  input->saved = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_saved_free);
  input->answers = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_question_free);
  for (Side side = 0; side < N_SIDES; side++) {
    input->listed[side] = run->trees[side];
    input->shared[side] = make_shared (run->engine->peer[side]);
  }
  if (!load_saved (run, input->saved, error) || !load_intents (run, error) ||
      !load_refused (run, error) || !load_choices (run, input, error))
    return FALSE;
  input->intents = run->intents;
  input->refused = run->refused;
  return TRUE;
}

void
sync_tree_input_clear (TreeInput *input)
{
  g_clear_pointer (&input->saved, g_ptr_array_unref);
  g_clear_pointer (&input->answers, g_ptr_array_unref);
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&input->shared[side], g_ptr_array_unref);
}
