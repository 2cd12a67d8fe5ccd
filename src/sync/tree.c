/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

static guint
fact_hash (gconstpointer pointer)
{
  const TreeFact *fact = pointer;
  guint hash = (guint)fact->kind * 31 + (guint)fact->side * 7 + (guint)fact->id * 131;

  if (fact->name != NULL)
    hash ^= g_str_hash (fact->name);
  return hash;
}

static gboolean
fact_equal (gconstpointer a, gconstpointer b)
{
  const TreeFact *one = a, *two = b;

  return one->kind == two->kind && one->side == two->side && one->id == two->id &&
         g_strcmp0 (one->name, two->name) == 0 && g_strcmp0 (one->other, two->other) == 0;
}

int
tree_fact (TreeContext *tree, int kind, Side side, gint64 id, const char *name, const char *other)
{
  TreeFact fact = {kind, side, id, name, other};

  return GPOINTER_TO_INT (g_hash_table_lookup (tree->facts, &fact));
}

gboolean
tree_add_fact (TreeContext *tree, int kind, Side side, gint64 id, const char *name,
               const char *other, int value)
{
  TreeFact *fact;

  if (tree_fact (tree, kind, side, id, name, other) != 0)
    return FALSE;
  fact = g_new (TreeFact, 1);
  *fact = (TreeFact){kind, side, id, name, other};
  g_hash_table_insert (tree->facts, fact, GINT_TO_POINTER (value));
  return TRUE;
}

TreeAnswer
tree_ask (TreeContext *tree, TreeQuestionKind kind, Side side, const char *name, gint64 saved_id)
{
  gint64 id = kind == TREE_ASK_EXISTS ? 0 : saved_id;
  TreeAnswer answer = tree_fact (tree, TREE_FACT_ANSWER + (int)kind, side, id, name, NULL);
  TreeQuestion *question;

  if (answer != TREE_ANSWER_NONE)
    return answer;
  for (guint i = 0; i < tree->plan->questions->len; i++) {
    question = g_ptr_array_index (tree->plan->questions, i);
    if (question->kind == kind && question->side == side && strcmp (question->name, name) == 0 &&
        (kind == TREE_ASK_EXISTS || question->saved_id == saved_id))
      return TREE_ANSWER_NONE;
  }
  question = g_new0 (TreeQuestion, 1);
  question->kind = kind;
  question->side = side;
  question->name = g_strdup (name);
  question->saved_id = saved_id;
  g_ptr_array_add (tree->plan->questions, question);
  return TREE_ANSWER_NONE;
}

TreeAction *
tree_add_action (TreeContext *tree, TreeActionKind kind, Side side, const TreeEntity *entity,
                 const char *name, const char *new_name)
{
  TreeAction *action = g_new0 (TreeAction, 1);

  action->kind = kind;
  action->side = side;
  action->saved_id = entity != NULL && entity->saved != NULL ? entity->saved->id : 0;
  action->name = g_strdup (name);
  action->new_name = g_strdup (new_name);
  g_ptr_array_add (tree->plan->actions, action);
  return action;
}

const char *
tree_intern (TreeContext *tree, const char *name)
{
  return g_string_chunk_insert_const (tree->strings, name);
}

/* A new mailbox has no number: it is known by where it is. */
static const TreePlace *
first_place (const TreeEntity *entity)
{
  return entity->place[SIDE_LOCAL] != NULL ? entity->place[SIDE_LOCAL] : entity->place[SIDE_REMOTE];
}

gboolean
tree_is_held (TreeContext *tree, const TreeEntity *entity)
{
  const TreePlace *place = first_place (entity);

  if (entity->saved != NULL)
    return tree_fact (tree, TREE_FACT_HELD, 0, entity->saved->id, NULL, NULL) != 0;
  return tree_fact (tree, TREE_FACT_HELD, place->side, 0, place->name, NULL) != 0;
}

gboolean
tree_hold (TreeContext *tree, const TreeEntity *entity)
{
  const TreePlace *place = first_place (entity);

  tree->again = TRUE;
  if (entity->saved != NULL)
    return tree_add_fact (tree, TREE_FACT_HELD, 0, entity->saved->id, NULL, NULL, 1);
  return tree_add_fact (tree, TREE_FACT_HELD, place->side, 0, place->name, NULL, 1);
}

gboolean
tree_is_shared_name (const TreeContext *tree, Side side, const char *name)
{
  GPtrArray *shared = tree->input->shared[side];

  for (guint i = 0; shared != NULL && i < shared->len; i++) {
    const char *prefix = g_ptr_array_index (shared, i);

    if (strcmp (name, prefix) == 0 || tree_name_is_below (name, prefix))
      return TRUE;
  }
  return FALSE;
}

gboolean
tree_is_shared (const TreeContext *tree, const TreeSaved *saved)
{
  return tree_is_shared_name (tree, SIDE_LOCAL, saved->name) ||
         tree_is_shared_name (tree, SIDE_REMOTE, saved->name);
}

static void
add_name (GPtrArray *names, char *name)
{
  guint at;

  if (g_ptr_array_find_with_equal_func (names, name, g_str_equal, &at))
    g_ptr_array_remove_index (names, at);
  g_ptr_array_add (names, name);
}

GPtrArray *
tree_intended_names (const TreeContext *tree, Side side, const char *name)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);
    guint n_names = names->len;
    char *moved;

    if (intent->kind != TREE_RENAME || intent->side != side)
      continue;
    /* Each may have been done or not: it may have started from any name that came before. */
    if ((moved = tree_name_move (name, intent->name, intent->new_name)) != NULL)
      add_name (names, moved);
    for (guint j = 0; j < MIN (n_names, names->len); j++)
      if ((moved = tree_name_move (g_ptr_array_index (names, j), intent->name, intent->new_name)) !=
          NULL) {
        add_name (names, moved);
        break;
      }
  }
  return names->len > 0 ? g_steal_pointer (&names) : NULL;
}

TreePlace *
tree_place_at (const TreeContext *tree, Side side, const char *name)
{
  TreePlace *place = g_hash_table_lookup (tree->by_name[side], name);

  return place != NULL && place->real ? place : NULL;
}

TreeEntity *
tree_new_entity (TreeContext *tree, const TreeSaved *saved)
{
  TreeEntity *entity = g_new0 (TreeEntity, 1);

  entity->saved = saved;
  g_ptr_array_add (tree->entities, entity);
  return entity;
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  const TreePlace *one = *(TreePlace *const *)a, *two = *(TreePlace *const *)b;

  return strcmp (one->name, two->name);
}

static int
compare_entities (gconstpointer a, gconstpointer b)
{
  const TreeEntity *one = *(TreeEntity *const *)a, *two = *(TreeEntity *const *)b;

  return strcmp (one->saved->name, two->saved->name);
}

static void
add_place (TreeContext *tree, Side side, const TreeNode *node)
{
  TreePlace *place;

  if (!node->unusable && (g_hash_table_contains (tree->by_name[side], node->name) ||
                          tree_is_shared_name (tree, side, node->name)))
    return;
  place = g_new0 (TreePlace, 1);
  place->listed = node;
  place->name = node->name;
  place->now = node->name;
  place->side = side;
  place->real = node->selectable;
  g_ptr_array_add (tree->places[side], place);
  if (!node->unusable)
    g_hash_table_insert (tree->by_name[side], (char *)place->name, place);
}

static void
begin_round (TreeContext *tree)
{
  const TreeInput *input = tree->input;

  tree->again = FALSE;
  tree->n_steps = 0;
  tree->plan = g_new0 (TreePlan, 1);
  tree->plan->actions = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  tree->plan->questions = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_question_free);
  tree->plan->conflicts = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_conflict_free);
  tree->plan->unsettled = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (Side side = 0; side < N_SIDES; side++)
    tree->plan->away[side] = g_ptr_array_new_with_free_func (g_free);
  tree->by_saved = g_hash_table_new (g_str_hash, g_str_equal);
  tree->entities = g_ptr_array_new_with_free_func (g_free);
  for (Side side = 0; side < N_SIDES; side++) {
    tree->places[side] = g_ptr_array_new_with_free_func (g_free);
    tree->by_name[side] = g_hash_table_new (g_str_hash, g_str_equal);
    tree->by_now[side] = g_hash_table_new (g_str_hash, g_str_equal);
    for (guint i = 0; i < input->listed[side]->len; i++)
      add_place (tree, side, g_ptr_array_index (input->listed[side], i));
    g_ptr_array_sort (tree->places[side], compare_places);
  }
  for (guint i = 0; i < input->saved->len; i++) {
    const TreeSaved *saved = g_ptr_array_index (input->saved, i);

    g_hash_table_insert (tree->by_saved, saved->name, tree_new_entity (tree, saved));
  }
  g_ptr_array_sort (tree->entities, compare_entities);
}

static void
end_round (TreeContext *tree)
{
  g_ptr_array_unref (tree->entities);
  g_hash_table_unref (tree->by_saved);
  for (Side side = 0; side < N_SIDES; side++) {
    g_ptr_array_unref (tree->places[side]);
    g_hash_table_unref (tree->by_name[side]);
    g_hash_table_unref (tree->by_now[side]);
  }
}

static gboolean
may_go_on (const TreeContext *tree)
{
  return !tree->again && tree->plan->questions->len == 0;
}

static void
play_round (TreeContext *tree)
{
  tree_match (tree);
  if (may_go_on (tree))
    tree_decide (tree);
  if (may_go_on (tree))
    tree_find_targets (tree);
  if (may_go_on (tree))
    tree_merge (tree);
  for (Side side = 0; side < N_SIDES; side++)
    if (may_go_on (tree))
      tree_order (tree, side);
  if (may_go_on (tree))
    tree_save (tree);
}

static void
begin (TreeContext *tree, const TreeInput *input)
{
  tree->input = input;
  tree->facts = g_hash_table_new_full (fact_hash, fact_equal, g_free, NULL);
  tree->strings = g_string_chunk_new (512);
  tree->lasting = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_conflict_free);
  for (guint i = 0; input->answers != NULL && i < input->answers->len; i++) {
    const TreeQuestion *answer = g_ptr_array_index (input->answers, i);

    tree_add_fact (tree, TREE_FACT_ANSWER + (int)answer->kind, answer->side,
                   answer->kind == TREE_ASK_EXISTS ? 0 : answer->saved_id, answer->name, NULL,
                   (int)answer->answer);
  }
  for (guint i = 0; input->refused != NULL && i < input->refused->len; i++) {
    const TreeAction *refused = g_ptr_array_index (input->refused, i);

    tree_add_fact (tree, TREE_FACT_REFUSED + (int)refused->kind, refused->side, 0, refused->name,
                   refused->new_name, 1);
    if (refused->kind == TREE_RENAME && tree_name_is_step (refused->name))
      tree_add_fact (tree, TREE_FACT_REFUSED + TREE_RENAME, refused->side, 0, NULL,
                     refused->new_name, 1);
  }
}

TreePlan *
tree_plan (const TreeInput *input)
{
  TreeContext tree = {0};

  begin (&tree, input);
  for (;;) {
    begin_round (&tree);
    play_round (&tree);
    end_round (&tree);
    if (!tree.again)
      break;
    tree_plan_free (tree.plan);
  }
  if (tree.plan->questions->len > 0) {
    g_ptr_array_set_size (tree.plan->actions, 0);
    g_ptr_array_set_size (tree.plan->conflicts, 0);
  } else {
    g_ptr_array_extend_and_steal (tree.plan->conflicts, g_steal_pointer (&tree.lasting));
  }
  g_clear_pointer (&tree.lasting, g_ptr_array_unref);
  g_string_chunk_free (tree.strings);
  g_hash_table_unref (tree.facts);
  return tree.plan;
}
