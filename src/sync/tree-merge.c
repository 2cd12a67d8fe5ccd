/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* Who gives way where two mailboxes want one name, and who has to wait for a third. */

/* Two new ones, one on each side: one and the same. */
static gboolean
join_new (TreeEntity *one, TreeEntity *two)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (one->place[side] != NULL && two->place[side] != NULL)
      return FALSE;
  if (one->saved != NULL || two->saved != NULL)
    return FALSE;
  for (Side side = 0; side < N_SIDES; side++)
    if (two->place[side] != NULL) {
      one->place[side] = g_steal_pointer (&two->place[side]);
      one->place[side]->entity = one;
      one->presence[side] = TREE_PRESENT;
    }
  two->fate = TREE_LOST;
  return TRUE;
}

/* The rename that took it to @target does not count: what lies there is a new mailbox, merged with
 * the other side's of that name. */
static gboolean
dissolve (TreeContext *tree, const TreeEntity *entity, const char *target)
{
  gboolean done = FALSE;

  for (Side side = 0; entity->saved != NULL && side < N_SIDES; side++)
    if (entity->place[side] != NULL && strcmp (entity->place[side]->name, target) == 0 &&
        strcmp (entity->saved->name, target) != 0)
      done |= tree_add_fact (tree, TREE_FACT_DISSOLVED, side, entity->saved->id, NULL, NULL, 1);
  tree->again |= done;
  return done;
}

/* Comes back where the other side made a new one of that name: into that. */
static gboolean
attach (TreeEntity *entity, TreeEntity *other)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->saved != NULL && other->saved == NULL && entity->place[side] == NULL &&
        other->place[side] != NULL && other->place[side_other (side)] == NULL) {
      entity->place[side] = g_steal_pointer (&other->place[side]);
      entity->place[side]->entity = entity;
      entity->presence[side] = TREE_PRESENT;
      entity->fresh[side] = TRUE;
      other->fate = TREE_LOST;
      return TRUE;
    }
  return FALSE;
}

/* Its parent would take it to a name that is taken: it stays where it is. */
static gboolean
detach (TreeContext *tree, const TreeEntity *entity, const char *target)
{
  if (entity->saved != NULL && entity->leads == N_SIDES) {
    gboolean done = strcmp (entity->saved->name, target) != 0 &&
                    tree_add_fact (tree, TREE_FACT_ABSOLUTE, 0, entity->saved->id, NULL, NULL, 1);

    tree->again |= done;
    return done;
  }
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = entity->place[side];

    if (place != NULL && strcmp (place->name, target) != 0 &&
        (entity->saved == NULL || entity->leads == (int)side) &&
        tree_add_fact (tree, TREE_FACT_ABSOLUTE, side, 0, place->name, NULL, 1)) {
      tree->again = TRUE;
      return TRUE;
    }
  }
  return FALSE;
}

/* Half done by an interrupted pass, and what it was to become is taken: it keeps what it has. */
static gboolean
keep_name (TreeContext *tree, const TreeEntity *entity, const char *target)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = entity->place[side];

    if (entity->saved != NULL && place != NULL && strcmp (place->name, target) != 0 &&
        tree_add_fact (tree, TREE_FACT_NAMED, side, 0, place->name, NULL, 1)) {
      tree->again = TRUE;
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
resolve (TreeContext *tree, TreeEntity *one, TreeEntity *two)
{
  gboolean dissolved;

  if (join_new (one, two))
    return TRUE;
  dissolved = dissolve (tree, one, one->target);
  dissolved |= dissolve (tree, two, one->target);
  if (dissolved || attach (one, two) || attach (two, one) || detach (tree, one, one->target) ||
      detach (tree, two, one->target) || keep_name (tree, one, one->target) ||
      keep_name (tree, two, one->target))
    return TRUE;
  tree_hold (tree, one);
  tree_hold (tree, two);
  return FALSE;
}

static void
resolve_all (TreeContext *tree)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < tree->entities->len && !tree->again; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i), *rival;

    if (entity->fate != TREE_KEEP)
      continue;
    rival = g_hash_table_lookup (wanted, entity->target);
    if (rival != NULL)
      resolve (tree, rival, entity);
    if (rival == NULL || rival->fate != TREE_KEEP)
      g_hash_table_insert (wanted, (char *)entity->target, entity);
  }
}

static gboolean
is_left (const TreeEntity *entity)
{
  return entity->fate == TREE_LEAVE || entity->fate == TREE_FREEZE;
}

/* One that must not be moved lies below it. */
static gboolean
holds_frozen (const TreeContext *tree, const TreePlace *place)
{
  for (guint i = 0; i < tree->places[place->side]->len; i++) {
    const TreePlace *other = g_ptr_array_index (tree->places[place->side], i);

    if (other->real && other->entity->fate == TREE_FREEZE &&
        tree_name_is_below (other->name, place->name))
      return TRUE;
  }
  return FALSE;
}

/* A parent that is there on the other side only, and nobody knows where to. */
static gboolean
parent_is_frozen (const TreeContext *tree, Side side, const char *target)
{
  g_autoptr (GString) above = g_string_new (target);

  while (tree_name_parent (above)) {
    const TreePlace *other = tree_place_at (tree, side_other (side), above->str);

    if (other != NULL && other->entity->fate == TREE_FREEZE &&
        tree_place_at (tree, side, above->str) == NULL)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_blocked_on (const TreeContext *tree, const TreeEntity *entity, Side side)
{
  const TreePlace *place = entity->place[side];
  const TreePlace *there = tree_place_at (tree, side, entity->target);

  if (place != NULL && strcmp (place->name, entity->target) == 0)
    return FALSE;
  return (there != NULL && there != place && is_left (there->entity)) ||
         (place != NULL && holds_frozen (tree, place)) ||
         parent_is_frozen (tree, side, entity->target);
}

static gboolean
is_blocked (const TreeContext *tree, const TreeEntity *entity)
{
  const TreeEntity *namesake = g_hash_table_lookup (tree->by_saved, entity->target);

  if (namesake != NULL && namesake != entity && is_left (namesake))
    return TRUE;
  return is_blocked_on (tree, entity, SIDE_LOCAL) || is_blocked_on (tree, entity, SIDE_REMOTE);
}

void
tree_merge (TreeContext *tree)
{
  resolve_all (tree);
  for (guint i = 0; i < tree->entities->len && !tree->again; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->fate == TREE_KEEP && is_blocked (tree, entity))
      entity->busy = TRUE;
  }
  for (guint i = 0; i < tree->entities->len && !tree->again; i++)
    if (((TreeEntity *)g_ptr_array_index (tree->entities, i))->busy) {
      /* All that are found in this round, not only the first. */
      for (; i < tree->entities->len; i++) {
        TreeEntity *entity = g_ptr_array_index (tree->entities, i);

        if (entity->busy)
          tree_hold (tree, entity);
      }
    }
}
