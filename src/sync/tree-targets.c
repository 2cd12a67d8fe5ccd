/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* What each mailbox shall be called. A name counts from the parent mailbox, so that a parent
 * renamed on one side takes along what was created or renamed below it on the other. */

static const char *target_of (TreeContext *tree, TreeEntity *entity);

static const char *
join (TreeContext *tree, const char *parent, const char *rest)
{
  g_autofree char *name = g_strconcat (parent, rest, NULL);

  return tree_intern (tree, name);
}

/* @name as it is on @side, with what the mailboxes above it shall be called. NULL: they wait for
 * this one themselves. */
static const char *
relocate (TreeContext *tree, Side side, const char *name)
{
  g_autoptr (GString) above = g_string_new (name);

  while (tree_name_parent (above)) {
    TreePlace *place = tree_place_at (tree, side, above->str);
    const char *target;

    if (place == NULL || place->entity == NULL || place->entity->fate != TREE_KEEP)
      continue;
    target = target_of (tree, place->entity);
    return target != NULL ? join (tree, target, name + above->len) : NULL;
  }
  return name;
}

static gboolean
is_split (const TreeEntity *entity)
{
  return entity->place[SIDE_LOCAL] != NULL && entity->place[SIDE_REMOTE] != NULL &&
         strcmp (entity->place[SIDE_LOCAL]->name, entity->place[SIDE_REMOTE]->name) != 0;
}

/* Its saved name, with what the mailboxes above it shall be called. */
static const char *
relocate_saved (TreeContext *tree, TreeEntity *entity)
{
  const char *name = entity->saved->name;
  g_autoptr (GString) above = g_string_new (name);

  if (tree_fact (tree, TREE_FACT_ABSOLUTE, 0, entity->saved->id, NULL, NULL) != 0)
    return name;
  while (tree_name_parent (above)) {
    TreeEntity *ancestor = g_hash_table_lookup (tree->by_saved, above->str);
    const char *target;

    if (ancestor == NULL)
      continue;
    if (ancestor->fate == TREE_KEEP) {
      target = target_of (tree, ancestor);
      return target != NULL ? join (tree, target, name + above->len) : NULL;
    }
    if (is_split (ancestor) && is_split (entity)) {
      tree_hold (tree, entity); /* follows it when it moves again */
      return name;
    }
  }
  return name;
}

static gboolean
is_absolute (TreeContext *tree, const TreePlace *place)
{
  return tree_fact (tree, TREE_FACT_ABSOLUTE, place->side, 0, place->name, NULL) != 0;
}

static gboolean
is_free_for (const TreeContext *tree, const TreeEntity *entity, const char *name)
{
  const TreeEntity *namesake = g_hash_table_lookup (tree->by_saved, name);

  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = tree_place_at (tree, side, name);

    if (place != NULL && place->entity != entity)
      return FALSE;
  }
  return namesake == NULL || namesake == entity;
}

/* Came back while it was under a swap's middle name, which is none for a mailbox: its old name, or
 * one like it. */
static const char *
leave_step (TreeContext *tree, const TreeEntity *entity, const char *name)
{
  const char *free = name;

  if (!is_free_for (tree, entity, free) && entity->saved != NULL)
    free = entity->saved->name;
  for (guint i = 2; !is_free_for (tree, entity, free); i++) {
    g_autofree char *other = g_strdup_printf ("%s-%u", name, i);

    free = tree_intern (tree, other);
  }
  return free;
}

/* A new one that an interrupted pass moved out of the way: where it was going. */
static const char *
intended_name (TreeContext *tree, const TreePlace *place)
{
  g_autoptr (GPtrArray) names =
      tree_name_is_step (place->name) ? tree_intended_names (tree, place->side, place->name) : NULL;

  return names != NULL ? tree_intern (tree, g_ptr_array_index (names, names->len - 1))
                       : place->name;
}

static const char *
last_level (const char *name)
{
  const char *separator = strrchr (name, TREE_SEPARATOR);

  return separator != NULL ? separator + 1 : name;
}

static const char *
follow (TreeContext *tree, const TreeEntity *entity)
{
  Side side = entity->place[SIDE_LOCAL] != NULL ? SIDE_LOCAL : SIDE_REMOTE;
  const TreePlace *place;
  const char *name;

  if (entity->saved != NULL)
    side = (Side)entity->leads;
  place = entity->place[side];
  if (entity->saved != NULL && tree_name_is_step (place->name))
    return leave_step (tree, entity, entity->saved->name);
  if (is_absolute (tree, place) && !tree_name_is_step (place->name))
    return place->name;
  if (is_absolute (tree, place)) {
    name = intended_name (tree, place);
    return leave_step (tree, entity, tree_name_is_step (name) ? last_level (name) : name);
  }
  name = entity->saved == NULL ? intended_name (tree, place) : place->name;
  return strcmp (name, place->name) == 0 ? relocate (tree, side, name) : name;
}

static gboolean
is_on_step (const TreeEntity *entity)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->place[side] != NULL && tree_name_is_step (entity->place[side]->name))
      return TRUE;
  return FALSE;
}

static const char *
target_of (TreeContext *tree, TreeEntity *entity)
{
  const char *target;

  if (entity->target != NULL)
    return entity->target;
  if (entity->busy)
    return NULL;
  entity->busy = TRUE;
  if (entity->saved == NULL || entity->leads != N_SIDES)
    target = follow (tree, entity);
  else
    target = relocate_saved (tree, entity);
  if (target == NULL) /* moved into each other: as it is on the first side that has it */
    target = entity->place[SIDE_LOCAL] != NULL ? entity->place[SIDE_LOCAL]->name
                                               : entity->place[SIDE_REMOTE]->name;
  if (entity->came_back && entity->leads == N_SIDES && is_on_step (entity))
    target = leave_step (tree, entity, target);
  entity->busy = FALSE;
  entity->target = target;
  return target;
}

void
tree_find_targets (TreeContext *tree)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->fate == TREE_KEEP)
      target_of (tree, entity);
  }
}
