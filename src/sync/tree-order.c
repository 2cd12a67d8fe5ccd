/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* The commands for one side, in an order that works: each is played on a model of the side's tree,
 * where RENAME takes the children along, before the next is chosen. */

static const char *
target_of (const TreePlace *place)
{
  return place->entity->fate == TREE_KEEP ? place->entity->target : NULL;
}

static gboolean
is_to_delete (const TreePlace *place)
{
  return place->entity->fate == TREE_DROP && place->now != NULL;
}

static gboolean
is_to_move (const TreePlace *place)
{
  const char *target = target_of (place);

  return target != NULL && strcmp (place->now, target) != 0;
}

static gboolean
has_children (const TreeContext *tree, const TreePlace *place)
{
  for (guint i = 0; i < tree->places[place->side]->len; i++) {
    const TreePlace *other = g_ptr_array_index (tree->places[place->side], i);

    if (other->real && other->now != NULL && tree_name_is_below (other->now, place->now))
      return TRUE;
  }
  return FALSE;
}

static void
play_rename (TreeContext *tree, Side side, const char *from, const char *to)
{
  g_autoptr (GPtrArray) moved = g_ptr_array_new ();

  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && place->now != NULL && !place->listed->unusable &&
        (strcmp (place->now, from) == 0 || tree_name_is_below (place->now, from))) {
      g_autofree char *name = tree_name_move (place->now, from, to);

      g_hash_table_remove (tree->by_now[side], place->now);
      place->now = tree_intern (tree, name);
      g_ptr_array_add (moved, place);
    }
  }
  for (guint i = 0; i < moved->len; i++) {
    TreePlace *place = g_ptr_array_index (moved, i);

    g_hash_table_insert (tree->by_now[side], (char *)place->now, place);
  }
}

/* A server that does not know children below @name will not take any. */
static gboolean
is_impossible (const TreeContext *tree, Side side, const char *name)
{
  g_autoptr (GString) above = g_string_new (name);

  while (tree_name_parent (above)) {
    const TreePlace *place = g_hash_table_lookup (tree->by_now[side], above->str);

    if (place != NULL && place->listed != NULL && place->listed->no_inferiors)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_refused (TreeContext *tree, TreeActionKind kind, Side side, const char *name,
            const char *new_name)
{
  return tree_fact (tree, TREE_FACT_REFUSED + (int)kind, side, 0, name, new_name) != 0;
}

static void
hold_for_name (TreeContext *tree, TreeEntity *entity, Side side, const char *reason)
{
  if (tree_hold (tree, entity))
    tree_add_conflict (tree->lasting, "mailbox-name", entity->target, side, reason);
}

/* A rename that a server refuses is done as creation and, when that is done, deletion. */
static void
give_up_rename (TreeContext *tree, TreePlace *place)
{
  TreeEntity *entity = place->entity;
  Side other = side_other (place->side);
  const TreePlace *there = entity->place[other];

  if (there == NULL || strcmp (there->name, entity->target) != 0 ||
      strcmp (entity->saved->name, entity->target) == 0 ||
      is_refused (tree, TREE_CREATE, place->side, entity->target, NULL) ||
      is_impossible (tree, place->side, entity->target)) {
    hold_for_name (tree, entity, place->side, "the server refuses to rename it to this");
    return;
  }
  tree_add_fact (tree, TREE_FACT_DISSOLVED, other, entity->saved->id, NULL, NULL, 1);
  tree_add_fact (tree, TREE_FACT_WAITS, 0, entity->saved->id, NULL, NULL, 1);
  tree->again = TRUE;
}

static void
move_to (TreeContext *tree, TreePlace *place, const char *to)
{
  TreeAction *action;

  if (is_refused (tree, TREE_RENAME, place->side, place->now, to) ||
      is_refused (tree, TREE_RENAME, place->side, NULL, target_of (place)) ||
      is_impossible (tree, place->side, to)) {
    if (place->entity->saved != NULL)
      give_up_rename (tree, place);
    else
      tree_hold (tree, place->entity);
    return;
  }
  action = tree_add_action (tree, TREE_RENAME, place->side, place->entity, place->now, to);
  action->temporary = tree_name_is_step (to) || tree_name_is_step (place->now);
  play_rename (tree, place->side, action->name, to);
}

static void
delete_it (TreeContext *tree, TreePlace *place)
{
  if (is_refused (tree, TREE_DELETE, place->side, place->now, NULL)) {
    tree_hold (tree, place->entity);
    return;
  }
  tree_add_action (tree, TREE_DELETE, place->side, place->entity, place->now, NULL);
  g_hash_table_remove (tree->by_now[place->side], place->now);
  place->now = NULL;
}

/* Leaf first. @anyway: also those whose children stay. */
static gboolean
delete_next (TreeContext *tree, Side side, gboolean anyway)
{
  TreePlace *best = NULL;

  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && is_to_delete (place) &&
        (best == NULL || tree_name_depth (place->now) > tree_name_depth (best->now)) &&
        (anyway || !has_children (tree, place)))
      best = place;
  }
  if (best != NULL)
    delete_it (tree, best);
  return best != NULL;
}

static gboolean
is_to_create (const TreeEntity *entity, Side side)
{
  return entity->fate == TREE_KEEP && entity->place[side] == NULL && !entity->created[side];
}

static void
create_it (TreeContext *tree, Side side, TreeEntity *entity)
{
  static const TreeNode nothing_listed = {.selectable = TRUE};
  TreeAction *action;
  TreePlace *place;

  if (is_refused (tree, TREE_CREATE, side, entity->target, NULL) ||
      is_impossible (tree, side, entity->target)) {
    hold_for_name (tree, entity, side, "the server refuses to create it");
    return;
  }
  action = tree_add_action (tree, TREE_CREATE, side, entity, entity->target, NULL);
  action->subscribed[SIDE_LOCAL] = action->subscribed[SIDE_REMOTE] =
      tree_wishes_subscription (tree, entity);
  entity->created[side] = TRUE;
  place = g_new0 (TreePlace, 1);
  place->listed = &nothing_listed;
  place->name = place->now = entity->target;
  place->side = side;
  place->real = TRUE;
  place->entity = entity;
  g_ptr_array_add (tree->places[side], place);
  g_hash_table_insert (tree->by_now[side], (char *)place->now, place);
}

/* Nobody who moves, goes or is made is, or will be, at a name above @target. */
static gboolean
is_way_clear (const TreeContext *tree, Side side, const TreePlace *place, const char *target)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    const TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (is_to_create (entity, side) && tree_name_is_below (target, entity->target))
      return FALSE;
  }
  for (guint i = 0; i < tree->places[side]->len; i++) {
    const TreePlace *other = g_ptr_array_index (tree->places[side], i);

    if (!other->real || other == place || other->now == NULL)
      continue;
    if ((is_to_move (other) || is_to_delete (other)) && tree_name_is_below (target, other->now))
      return FALSE;
    if (is_to_move (other) && tree_name_is_below (target, target_of (other)) &&
        (place == NULL || !tree_name_is_below (place->now, target_of (other))))
      return FALSE;
  }
  return TRUE;
}

/* Whom a child of @mover would meet when it moves along; NULL: nobody. */
static const TreePlace *
met_by (const TreeContext *tree, const TreePlace *mover, const TreePlace *child)
{
  g_autofree char *name = NULL;
  const TreePlace *met;

  if (!child->real || child->now == NULL || child->listed->unusable ||
      !tree_name_is_below (child->now, mover->now))
    return NULL;
  name = tree_name_move (child->now, mover->now, target_of (mover));
  met = g_hash_table_lookup (tree->by_now[mover->side], name);
  return met != NULL && !tree_name_is_below (met->now, mover->now) ? met : NULL;
}

static gboolean
children_can_move (const TreeContext *tree, const TreePlace *place)
{
  for (guint i = 0; i < tree->places[place->side]->len; i++)
    if (met_by (tree, place, g_ptr_array_index (tree->places[place->side], i)) != NULL)
      return FALSE;
  return TRUE;
}

static gboolean
can_move (const TreeContext *tree, const TreePlace *place)
{
  const char *target = target_of (place);

  return !g_hash_table_contains (tree->by_now[place->side], target) &&
         !tree_name_is_below (target, place->now) && !tree_name_is_below (place->now, target) &&
         is_way_clear (tree, place->side, place, target) && children_can_move (tree, place);
}

static gboolean
move_next (TreeContext *tree, Side side)
{
  TreePlace *best = NULL;

  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && place->now != NULL && is_to_move (place) &&
        (best == NULL ||
         tree_name_depth (target_of (place)) < tree_name_depth (target_of (best))) &&
        can_move (tree, place))
      best = place;
  }
  if (best != NULL)
    move_to (tree, best, target_of (best));
  return best != NULL;
}

/* It meets another's child, or as a child would meet another. */
static gboolean
is_met (const TreeContext *tree, const TreePlace *place, const TreePlace *mover)
{
  if (met_by (tree, mover, place) != NULL)
    return TRUE;
  if (!tree_name_is_below (place->now, target_of (mover)))
    return FALSE;
  for (guint i = 0; i < tree->places[place->side]->len; i++)
    if (met_by (tree, mover, g_ptr_array_index (tree->places[place->side], i)) == place)
      return TRUE;
  return FALSE;
}

/* Below one that is to be deleted. */
static gboolean
is_below_doomed (const TreeContext *tree, const TreePlace *place)
{
  for (guint i = 0; i < tree->places[place->side]->len; i++) {
    const TreePlace *other = g_ptr_array_index (tree->places[place->side], i);

    if (other->real && other != place && is_to_delete (other) &&
        tree_name_is_below (place->now, other->now))
      return TRUE;
  }
  return FALSE;
}

/* It stands in the way of one of @movers, or in its own. */
static gboolean
is_in_the_way (const TreeContext *tree, const TreePlace *place, const GPtrArray *movers)
{
  const char *target = target_of (place);

  if (target == NULL)
    return FALSE;
  if (tree_name_is_below (target, place->now) || tree_name_is_below (place->now, target))
    return TRUE;
  for (guint i = 0; i < movers->len; i++) {
    const TreePlace *other = g_ptr_array_index (movers, i);

    if (other != place &&
        (strcmp (target_of (other), place->now) == 0 ||
         tree_name_is_below (target_of (other), place->now) || is_met (tree, place, other)))
      return is_to_move (place) || met_by (tree, other, place) != NULL;
  }
  return is_to_move (place) && is_below_doomed (tree, place);
}

/* Those whose names are not yet what they shall be. (transfer container) */
static GPtrArray *
find_movers (const TreeContext *tree, Side side)
{
  GPtrArray *movers = g_ptr_array_new ();

  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && place->now != NULL && is_to_move (place))
      g_ptr_array_add (movers, place);
  }
  return movers;
}

/* A swap, or a mailbox that moves above or below itself: one goes by a middle name. */
static gboolean
step_aside (TreeContext *tree, Side side)
{
  g_autoptr (GPtrArray) movers = find_movers (tree, side);

  for (guint i = 0; movers->len > 0 && i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && place->now != NULL && !place->stepped &&
        is_in_the_way (tree, place, movers)) {
      place->stepped = TRUE;
      move_to (tree, place, tree_step_name (tree));
      return TRUE;
    }
  }
  return FALSE;
}

/* The next to be made: the shallowest, when nobody is or will be at its name or above. */
static gboolean
create_next (TreeContext *tree, Side side)
{
  TreeEntity *best = NULL;

  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (is_to_create (entity, side) &&
        (best == NULL || tree_name_depth (entity->target) < tree_name_depth (best->target)) &&
        !g_hash_table_contains (tree->by_now[side], entity->target) &&
        is_way_clear (tree, side, NULL, entity->target))
      best = entity;
  }
  if (best != NULL)
    create_it (tree, side, best);
  return best != NULL;
}

/* Nothing fits: those that are left wait for another pass. */
static void
hold_stuck (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && place->now != NULL && is_to_move (place))
      tree_hold (tree, place->entity);
  }
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (is_to_create (entity, side))
      tree_hold (tree, entity);
  }
}

void
tree_order (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->real && !place->listed->unusable)
      g_hash_table_insert (tree->by_now[side], (char *)place->now, place);
  }
  while (!tree->again &&
         (delete_next (tree, side, FALSE) || move_next (tree, side) || create_next (tree, side) ||
          step_aside (tree, side) || delete_next (tree, side, TRUE)))
    ;
  if (!tree->again)
    hold_stuck (tree, side);
}
