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

static const char *
follow (TreeContext *tree, const TreeEntity *entity)
{
  Side side = entity->place[SIDE_LOCAL] != NULL ? SIDE_LOCAL : SIDE_REMOTE;

  if (entity->saved != NULL)
    side = (Side)entity->leads;
  if (is_absolute (tree, entity->place[side]))
    return entity->place[side]->name;
  return relocate (tree, side, entity->place[side]->name);
}

/* Came back while it was under a swap's middle name: the old name, or else any. */
static const char *
leave_step (TreeContext *tree, const TreeEntity *entity, const char *name)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = tree_place_at (tree, side, name);

    if (place != NULL && place->entity != entity)
      return entity->place[SIDE_LOCAL] != NULL ? entity->place[SIDE_LOCAL]->name
                                               : entity->place[SIDE_REMOTE]->name;
  }
  return name;
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
  if (entity->came_back && entity->leads == N_SIDES)
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
