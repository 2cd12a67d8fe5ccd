/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-run-private.h"

#include "log-account.h"
#include "sync/commit.h"
#include "sync/conflict.h"

static char *
display (SyncTreeRun *run, const char *name)
{
  return mailbox_name_display (name, run->engine->peer[SIDE_LOCAL]->naming.delimiter);
}

/* FALSE: an earlier pass of this run has said the same. */
static gboolean
is_news (SyncTreeRun *run, const char *kind, const char *name, Side side)
{
  return g_hash_table_add (run->told, g_strdup_printf ("%s %d %s", kind, side, name));
}

static gint64
save (SyncTreeRun *run, const char *kind, const char *name, Side side, const char *reason)
{
  g_autoptr (GString) details = g_string_new (NULL);
  const guint32 none[N_SIDES] = {0, 0};

  g_string_append_printf (details, "side=%s\n", side_name (side));
  if (reason != NULL) {
    g_autofree char *escaped = g_strescape (reason, NULL);

    g_string_append_printf (details, "reason=%s\n", escaped);
  }
  return sync_conflict_save (run->engine, kind, name, none, details->str);
}

void
sync_tree_tell_name (SyncTreeRun *run, const char *name, Side side, const char *reason)
{
  run->troubled = TRUE;
  g_hash_table_add (run->named, g_strdup (name));
  save (run, "mailbox-name", name, side, reason);
  if (!is_news (run, "mailbox-name", name, side))
    return;
  g_warning ("the %s server: %s", side_name (side), reason);
  run->engine->figures.problems++;
}

void
sync_tree_tell_unusable (SyncTreeRun *run)
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
        sync_tree_tell_name (run, shown, side, error->message);
    }
  }
}

void
sync_tree_tell_shared (SyncTreeRun *run)
{
  for (guint i = 0; i < run->saved->len; i++) {
    const StoreMailbox *saved = g_ptr_array_index (run->saved, i);

    for (Side side = 0; side < N_SIDES; side++) {
      g_autoptr (GError) error = NULL;
      g_autofree char *wire =
          mailbox_name_to_wire (&run->engine->peer[side]->naming, saved->name, &error);
      const TreeNode *node;

      if (wire != NULL)
        continue;
      node = sync_tree_find_node (run->trees[side_other (side)], saved->name);
      if (node != NULL && node->selectable &&
          sync_choice_includes (run->choice, saved->name, node->subscribed))
        sync_tree_tell_name (run, saved->name, side, error->message);
    }
  }
}

/* The server's own words, where it was asked. */
static const char *
find_reason (SyncTreeRun *run, const TreeConflict *conflict)
{
  for (guint i = 0; i < run->refusals->len; i++) {
    const StoreRefusal *refusal = g_ptr_array_index (run->refusals, i);
    const char *name = refusal->new_name != NULL ? refusal->new_name : refusal->name;

    if (refusal->side == conflict->side && g_str_equal (name, conflict->name) &&
        refusal->reason != NULL)
      return refusal->reason;
  }
  return conflict->reason;
}

static void
tell_refused (SyncTreeRun *run, const TreeConflict *conflict)
{
  g_autofree char *name = display (run, conflict->name), *reason = NULL;

  /* A name that cannot be written there: told with its reason. */
  if (g_hash_table_contains (run->named, conflict->name))
    return;
  reason = g_strdup_printf ("%s: %s", name, find_reason (run, conflict));
  sync_tree_tell_name (run, conflict->name, conflict->side, reason);
}

/* The deletion of most mailboxes waits for an answer, and so do all of them. */
static void
tell_mass_deletion (SyncTreeRun *run, const TreeConflict *conflict)
{
  gint64 id = save (run, conflict->kind, conflict->name, conflict->side, conflict->reason);

  run->troubled = TRUE;
  if (!is_news (run, conflict->kind, conflict->name, conflict->side))
    return;
  g_warning ("%s on the %s side, more than can be believed without proof: none is deleted until "
             "you say so; --resolve=%" G_GINT64_FORMAT ":apply deletes them on the %s side too, "
             "--resolve=%" G_GINT64_FORMAT ":restore makes them again",
             conflict->reason, side_name (conflict->side), id,
             side_name (side_other (conflict->side)), id);
  run->engine->figures.problems++;
}

static void
tell_conflict (SyncTreeRun *run, const TreeConflict *conflict)
{
  g_autofree char *name = display (run, conflict->name);

  save (run, conflict->kind, conflict->name, conflict->side, NULL);
  if (!is_news (run, conflict->kind, conflict->name, conflict->side))
    return;
  log_mailbox_warning (name, "%s", conflict->reason);
  run->engine->figures.problems++;
}

void
sync_tree_tell_conflicts (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->conflicts->len; i++) {
    const TreeConflict *conflict = g_ptr_array_index (run->plan->conflicts, i);

    if (g_str_equal (conflict->kind, "mass-deletion"))
      tell_mass_deletion (run, conflict);
    else if (!sync_choice_means (run->choice, conflict->name))
      continue;
    else if (g_str_equal (conflict->kind, "mailbox-name"))
      tell_refused (run, conflict);
    else
      tell_conflict (run, conflict);
  }
}

static void
tell_list (SyncTreeRun *run, Side side, const StoreMailbox *mailbox)
{
  const TreeNode *node = sync_tree_find_node (run->trees[side], mailbox->name);
  g_autofree char *name = display (run, mailbox->name);

  if (node != NULL && (!node->left_out || g_str_equal (mailbox->name, "INBOX")))
    return;
  run->troubled = TRUE;
  if (!is_news (run, "list", "", side))
    return;
  if (node == NULL)
    g_warning ("the %s server lists no INBOX: what else is missing there is left alone",
               side_name (side));
  else
    g_warning ("the %s server leaves out of its LIST what it has, %s for one: what is missing "
               "there is left alone",
               side_name (side), name);
}

/* Lists that the planner does not believe. */
void
sync_tree_tell_lists (SyncTreeRun *run)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (GHashTable) left_out = g_hash_table_new (g_str_hash, g_str_equal);

    for (guint i = 0; i < run->trees[side]->len; i++) {
      const TreeNode *node = g_ptr_array_index (run->trees[side], i);

      if (node->left_out)
        g_hash_table_add (left_out, node->name);
    }
    for (guint i = 0; i < run->saved->len; i++) {
      const StoreMailbox *mailbox = g_ptr_array_index (run->saved, i);

      if (mailbox->side[side].listed &&
          (g_str_equal (mailbox->name, "INBOX") || g_hash_table_contains (left_out, mailbox->name)))
        tell_list (run, side, mailbox);
    }
  }
}

void
sync_tree_tell_unsure (SyncTreeRun *run, const TreeQuestion *question)
{
  const TreeNode *node = sync_tree_find_node (run->trees[question->side], question->name);
  g_autofree char *name = display (run, question->name);
  const char *why = "does not say whether it exists";

  if (question->kind != TREE_ASK_EXISTS || question->answer == TREE_ANSWER_NO ||
      (question->answer == TREE_ANSWER_YES && node != NULL && node->selectable) ||
      !sync_choice_means (run->choice, question->name))
    return;
  if (question->answer == TREE_ANSWER_YES)
    why = "does not list it, and yet it exists";
  run->troubled = TRUE;
  if (is_news (run, "unsure", question->name, question->side))
    log_mailbox_warning (name, "the %s server %s: it is left alone", side_name (question->side),
                         why);
}

void
sync_tree_tell_action (SyncTreeRun *run, const TreeAction *action)
{
  static const char *const words[] = {
      [TREE_CREATE] = "is created",           [TREE_RENAME] = "is renamed",
      [TREE_DELETE] = "is deleted",           [TREE_SUBSCRIBE] = "is subscribed",
      [TREE_UNSUBSCRIBE] = "is unsubscribed",
  };
  g_autofree char *name = display (run, action->name);
  g_autofree char *new_name = action->new_name != NULL ? display (run, action->new_name) : NULL;

  log_mailbox_message (name, "%s on the %s server%s%s", words[action->kind],
                       side_name (action->side), new_name != NULL ? ", to " : "",
                       new_name != NULL ? new_name : "");
}

/* --- conflicts that are over ----------------------------------------------------------------- */

static gboolean
is_waiting (SyncTreeRun *run)
{
  for (guint i = 0; i < run->plan->conflicts->len; i++) {
    const TreeConflict *conflict = g_ptr_array_index (run->plan->conflicts, i);

    if (g_str_equal (conflict->kind, "mass-deletion"))
      return TRUE;
  }
  return FALSE;
}

void
sync_tree_sweep_conflicts (SyncTreeRun *run)
{
  SyncEngine *engine = run->engine;

  sync_conflict_sweep_names (engine, run->named);
  for (guint i = 0; i < run->conflicts->len && !is_waiting (run); i++) {
    const StoreConflict *conflict = g_ptr_array_index (run->conflicts, i);

    if (g_str_equal (conflict->kind, "mass-deletion") && *conflict->mailbox == '\0')
      sync_conflict_drop (engine, conflict->id);
  }
  for (guint i = 0; i < run->wished->len; i++)
    sync_conflict_drop (engine, g_array_index (run->wished, gint64, i));
}
