/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/mailbox-name.h"
#include "sync/tree-private.h"

#include <string.h>

G_STATIC_ASSERT (TREE_SEPARATOR == MAILBOX_NAME_SEPARATOR);

/* What a mailbox is called in the middle of a swap. It is known by its name too, because an intent
 * can be lost with a database. */
#define STEP_PREFIX "imapsync-swap-"

void
tree_node_free (TreeNode *node)
{
  if (node == NULL)
    return;
  g_free (node->name);
  g_free (node->old_name);
  g_free (node->mailboxid);
  g_free (node);
}

void
tree_saved_free (TreeSaved *saved)
{
  if (saved == NULL)
    return;
  g_free (saved->name);
  for (Side side = 0; side < N_SIDES; side++)
    g_free (saved->side[side].mailboxid);
  g_free (saved);
}

void
tree_question_free (TreeQuestion *question)
{
  if (question == NULL)
    return;
  g_free (question->name);
  g_free (question);
}

void
tree_action_free (TreeAction *action)
{
  if (action == NULL)
    return;
  g_free (action->name);
  g_free (action->new_name);
  g_free (action);
}

void
tree_conflict_free (TreeConflict *conflict)
{
  if (conflict == NULL)
    return;
  g_free (conflict->kind);
  g_free (conflict->name);
  g_free (conflict->reason);
  g_free (conflict);
}

void
tree_plan_free (TreePlan *plan)
{
  if (plan == NULL)
    return;
  g_ptr_array_unref (plan->actions);
  g_ptr_array_unref (plan->questions);
  g_ptr_array_unref (plan->conflicts);
  g_array_unref (plan->unsettled);
  for (Side side = 0; side < N_SIDES; side++)
    g_ptr_array_unref (plan->away[side]);
  g_free (plan);
}

gboolean
tree_name_is_below (const char *name, const char *ancestor)
{
  gsize length = strlen (ancestor);

  return strncmp (name, ancestor, length) == 0 && name[length] == TREE_SEPARATOR;
}

char *
tree_name_move (const char *name, const char *from, const char *to)
{
  if (strcmp (name, from) == 0)
    return g_strdup (to);
  return tree_name_is_below (name, from) ? g_strconcat (to, name + strlen (from), NULL) : NULL;
}

gboolean
tree_name_parent (GString *name)
{
  const char *separator = strrchr (name->str, TREE_SEPARATOR);

  if (separator == NULL)
    return FALSE;
  g_string_truncate (name, separator - name->str);
  return TRUE;
}

guint
tree_name_depth (const char *name)
{
  guint depth = 0;

  for (; *name != '\0'; name++)
    depth += *name == TREE_SEPARATOR;
  return depth;
}

gboolean
tree_name_is_step (const char *name)
{
  for (const char *level = name; level != NULL;) {
    const char *end = strchr (level, TREE_SEPARATOR);

    if (g_str_has_prefix (level, STEP_PREFIX)) {
      const char *digits = level + strlen (STEP_PREFIX);
      gsize n = strspn (digits, "0123456789");

      if (n > 0 && (digits[n] == '\0' || digits[n] == TREE_SEPARATOR))
        return TRUE;
    }
    level = end != NULL ? end + 1 : NULL;
  }
  return FALSE;
}

static gboolean
is_free (const TreeContext *tree, const char *name)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (g_hash_table_contains (tree->by_name[side], name) ||
        g_hash_table_contains (tree->by_now[side], name))
      return FALSE;
  /* Two swaps must not be taken for each other. */
  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    if (g_strcmp0 (intent->new_name, name) == 0)
      return FALSE;
  }
  return !g_hash_table_contains (tree->by_saved, name);
}

const char *
tree_step_name (TreeContext *tree)
{
  g_autofree char *name = NULL;

  do {
    g_free (name);
    name = g_strdup_printf (STEP_PREFIX "%u", ++tree->n_steps);
  } while (!is_free (tree, name));
  return tree_intern (tree, name);
}

static gboolean
is_on_server (TreeActionKind kind)
{
  return kind != TREE_SAVE && kind != TREE_FORGET && kind != TREE_RESET;
}

/* A rename that was not done leaves its children where they were; other commands have none. */
static gboolean
concerns (const char *name, const TreeAction *failed)
{
  const char *names[] = {failed->name, failed->new_name};

  if (name == NULL)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i] != NULL && (strcmp (name, names[i]) == 0 ||
                             (failed->kind == TREE_RENAME && tree_name_is_below (name, names[i]))))
      return TRUE;
  return FALSE;
}

gboolean
tree_action_depends (const TreeAction *action, const TreeAction *failed)
{
  if (action->saved_id != 0 && action->saved_id == failed->saved_id)
    return TRUE;
  if (action->kind == TREE_FORGET || action->kind == TREE_RESET ||
      (is_on_server (action->kind) && is_on_server (failed->kind) && action->side != failed->side))
    return FALSE;
  if (action->kind == TREE_DELETE && tree_name_is_below (failed->name, action->name))
    return TRUE; /* leaf first */
  return concerns (action->name, failed) || concerns (action->new_name, failed);
}

static gboolean
is_unsettled (const TreePlan *plan, gint64 id)
{
  for (guint i = 0; i < plan->unsettled->len; i++)
    if (g_array_index (plan->unsettled, gint64, i) == id)
      return TRUE;
  return FALSE;
}

/* Half of what is recorded about a mailbox is worse than nothing, so an action depends on later
 * ones too. */
static gboolean
is_void (const TreeAction *action, const GPtrArray *failed)
{
  for (guint i = 0; i < failed->len; i++)
    if (tree_action_depends (action, g_ptr_array_index (failed, i)))
      return TRUE;
  return FALSE;
}

void
tree_plan_settle (TreePlan *plan, GPtrArray *failed)
{
  gboolean again;

  do {
    again = FALSE;
    for (guint i = 0; i < plan->actions->len; i++) {
      TreeAction *action = g_ptr_array_index (plan->actions, i);

      if (is_on_server (action->kind) || g_ptr_array_find (failed, action, NULL) ||
          !is_void (action, failed))
        continue;
      g_ptr_array_add (failed, action);
      again = TRUE;
    }
  } while (again);
  for (guint i = 0; i < failed->len; i++) {
    gint64 id = ((const TreeAction *)g_ptr_array_index (failed, i))->saved_id;

    if (id != 0 && !is_unsettled (plan, id))
      g_array_append_val (plan->unsettled, id);
  }
}

static gboolean
is_at_or_below (const char *name, const char *ancestor)
{
  return strcmp (name, ancestor) == 0 || tree_name_is_below (name, ancestor);
}

/* Did the rename take something along that then could not be moved on? */
static gboolean
carried (const GPtrArray *failed, const TreeAction *intent)
{
  for (guint i = 0; intent->kind == TREE_RENAME && i < failed->len; i++) {
    const TreeAction *action = g_ptr_array_index (failed, i);

    if (action->kind == TREE_RENAME && action->side == intent->side &&
        (is_at_or_below (action->name, intent->name) ||
         is_at_or_below (action->name, intent->new_name)))
      return TRUE;
  }
  return FALSE;
}

/* Is by its new name, or below it, what could not be brought to where it belongs? */
static gboolean
leads_away (const TreePlan *plan, const TreeAction *intent)
{
  for (guint i = 0; intent->kind == TREE_RENAME && i < plan->away[intent->side]->len; i++)
    if (is_at_or_below (g_ptr_array_index (plan->away[intent->side], i), intent->new_name))
      return TRUE;
  return FALSE;
}

gboolean
tree_plan_keeps_intent (const TreePlan *plan, const GPtrArray *failed, const TreeAction *intent)
{
  if (carried (failed, intent) || leads_away (plan, intent) ||
      (intent->saved_id != 0 && is_unsettled (plan, intent->saved_id)))
    return TRUE;
  if (intent->saved_id != 0)
    return FALSE;
  for (guint i = 0; i < failed->len; i++) {
    const TreeAction *action = g_ptr_array_index (failed, i);

    if (action->saved_id == 0 &&
        (strcmp (action->name, intent->name) == 0 ||
         (intent->new_name != NULL && strcmp (action->name, intent->new_name) == 0)))
      return TRUE;
  }
  return FALSE;
}

void
tree_add_conflict (GPtrArray *conflicts, const char *kind, const char *name, Side side,
                   const char *reason)
{
  TreeConflict *conflict = g_new0 (TreeConflict, 1);

  conflict->kind = g_strdup (kind);
  conflict->name = g_strdup (name);
  conflict->side = side;
  conflict->reason = g_strdup (reason);
  g_ptr_array_add (conflicts, conflict);
}
