/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* What the saved tree becomes when all is done. Names are unique in it at each step. */

static void
forget_all (TreeContext *tree)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->saved != NULL && (entity->fate == TREE_LOST || entity->fate == TREE_DROP))
      tree_add_action (tree, TREE_FORGET, SIDE_LOCAL, entity, entity->saved->name, NULL);
  }
}

/* Already done by a pass before. */
static gboolean
has_memory (const TreeSaved *saved)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (saved->side[side].uidnext != 0 || saved->side[side].highestmodseq != 0)
      return TRUE;
  return saved->pairs > 0;
}

static gboolean
is_fresh (const TreeEntity *entity, Side side)
{
  return entity->fresh[side] || (entity->came_back && entity->presence[side] != TREE_PRESENT);
}

/* Not one that was merely renumbered: the pass sees that by itself, and to match its messages again
 * it needs the pairs, whose UIDs of the other side and whose agreed flags still hold. */
static gboolean
is_reset (const TreeEntity *entity)
{
  if (entity->saved == NULL || entity->fate == TREE_DROP || entity->fate == TREE_LOST)
    return FALSE;
  if (entity->rematch && has_memory (entity->saved))
    return TRUE;
  return entity->fate == TREE_KEEP &&
         (is_fresh (entity, SIDE_LOCAL) || is_fresh (entity, SIDE_REMOTE));
}

static void
reset_all (TreeContext *tree)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    TreeAction *action;

    if (!is_reset (entity))
      continue;
    action = tree_add_action (tree, TREE_RESET, SIDE_LOCAL, entity, entity->saved->name, NULL);
    for (Side side = 0; side < N_SIDES; side++)
      action->fresh[side] = entity->fate == TREE_KEEP && is_fresh (entity, side);
  }
}

static void
add_save (TreeContext *tree, const TreeEntity *entity, const char *name, const char *new_name,
          const gboolean subscribed[N_SIDES])
{
  TreeAction *action = tree_add_action (tree, TREE_SAVE, SIDE_LOCAL, entity, name, new_name);

  action->temporary = new_name != NULL && tree_name_is_step (new_name);
  for (Side side = 0; side < N_SIDES; side++)
    action->subscribed[side] = subscribed[side];
}

static gboolean
learns_id (const TreeEntity *entity, Side side)
{
  return entity->place[side] != NULL && entity->place[side]->listed->mailboxid != NULL &&
         g_strcmp0 (entity->place[side]->listed->mailboxid, entity->saved->side[side].mailboxid) !=
             0;
}

static gboolean
is_to_refresh (const TreeEntity *entity, const gboolean subscribed[N_SIDES])
{
  for (Side side = 0; side < N_SIDES; side++)
    if (!entity->saved->side[side].listed ||
        !entity->saved->side[side].subscribed != !subscribed[side] || learns_id (entity, side))
      return TRUE;
  return is_reset (entity);
}

typedef struct {
  TreeEntity *entity;
  const char *name; /* in the saved tree by now */
  gboolean subscribed[N_SIDES];
} Kept;

/* Renames whatever can be: one whose new name nobody has any more. */
static gboolean
save_next_rename (TreeContext *tree, GArray *renamed, GHashTable *taken)
{
  for (guint i = 0; i < renamed->len; i++) {
    Kept *one = &g_array_index (renamed, Kept, i);

    if (g_hash_table_contains (taken, one->entity->target))
      continue;
    add_save (tree, one->entity, one->name, one->entity->target, one->subscribed);
    g_hash_table_remove (taken, one->name);
    g_hash_table_add (taken, (char *)one->entity->target);
    g_array_remove_index (renamed, i);
    return TRUE;
  }
  return FALSE;
}

static void
save_renames (TreeContext *tree, GArray *renamed)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < tree->entities->len; i++) {
    const TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->saved != NULL && entity->fate != TREE_LOST && entity->fate != TREE_DROP)
      g_hash_table_add (taken, entity->saved->name);
  }
  while (renamed->len > 0)
    if (!save_next_rename (tree, renamed, taken)) {
      Kept *one = &g_array_index (renamed, Kept, 0);
      const char *step = tree_step_name (tree);

      add_save (tree, one->entity, one->name, step, one->subscribed);
      g_hash_table_remove (taken, one->name);
      one->name = step;
    }
}

static void
save_rest (TreeContext *tree, GArray *kept)
{
  for (guint i = 0; i < kept->len; i++) {
    const Kept *one = &g_array_index (kept, Kept, i);

    if (one->entity->saved == NULL)
      add_save (tree, one->entity, one->entity->target, NULL, one->subscribed);
    else if (strcmp (one->entity->saved->name, one->entity->target) == 0 &&
             is_to_refresh (one->entity, one->subscribed))
      add_save (tree, one->entity, one->entity->target, NULL, one->subscribed);
  }
}

/* What lies below its middle name has yet to find its own by the intents. */
static gboolean
is_on_step (const TreeEntity *entity)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->place[side] != NULL && tree_name_is_step (entity->place[side]->name))
      return TRUE;
  return FALSE;
}

static void
add_unsettled (TreePlan *plan, const TreeEntity *entity)
{
  g_array_append_val (plan->unsettled, entity->saved->id);
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = entity->place[side];

    if (place != NULL && strcmp (place->name, entity->saved->name) != 0)
      g_ptr_array_add (plan->away[side], g_strdup (place->name));
  }
}

void
tree_save (TreeContext *tree)
{
  g_autoptr (GArray) kept = g_array_new (FALSE, TRUE, sizeof (Kept));
  g_autoptr (GArray) renamed = g_array_new (FALSE, TRUE, sizeof (Kept));

  for (guint i = 0; i < tree->entities->len; i++) {
    Kept one = {g_ptr_array_index (tree->entities, i), NULL, {FALSE}};

    if (one.entity->fate != TREE_KEEP) {
      if (one.entity->saved != NULL && one.entity->fate != TREE_LOST &&
          (one.entity->fate != TREE_DROP || is_on_step (one.entity)))
        add_unsettled (tree->plan, one.entity);
      continue;
    }
    tree_subscribe (tree, one.entity, one.subscribed);
    one.name = one.entity->saved != NULL ? one.entity->saved->name : NULL;
    g_array_append_val (kept, one);
    if (one.name != NULL && strcmp (one.name, one.entity->target) != 0)
      g_array_append_val (renamed, one);
  }
  tree_unsubscribe_left (tree);
  forget_all (tree);
  reset_all (tree);
  save_renames (tree, renamed);
  save_rest (tree, kept);
}
