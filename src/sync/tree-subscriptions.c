/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* Subscriptions belong to names, not to mailboxes: they survive DELETE, and RENAME leaves them
 * behind. Here they move along with the mailbox. */

static gboolean
is_listed_subscribed (const TreeContext *tree, Side side, const char *name)
{
  const TreePlace *place = g_hash_table_lookup (tree->by_name[side], name);

  return place != NULL && place->listed->subscribed;
}

/* What the name's subscription would be if nobody had touched it since it was saved. */
static gboolean
was_subscribed (const TreeContext *tree, const TreeEntity *entity, Side side)
{
  const TreeEntity *owner = g_hash_table_lookup (tree->by_saved, entity->place[side]->name);

  return owner != NULL && owner->saved->side[side].subscribed;
}

/* The other side's, where an interrupted pass was about to take it over (R9). */
static gboolean
is_echo (const TreeContext *tree, const TreeEntity *entity, gboolean *wish)
{
  gboolean ours[N_SIDES] = {FALSE, FALSE};

  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    if ((intent->kind == TREE_SUBSCRIBE || intent->kind == TREE_UNSUBSCRIBE) &&
        strcmp (intent->name, entity->target) == 0)
      ours[intent->side] = TRUE;
  }
  for (Side side = 0; side < N_SIDES; side++)
    if (ours[side] && !ours[side_other (side)] && entity->place[side_other (side)] != NULL &&
        strcmp (entity->place[side_other (side)]->name, entity->target) == 0) {
      *wish = entity->place[side_other (side)]->listed->subscribed;
      return TRUE;
    }
  return FALSE;
}

/* Was about to be when a pass was interrupted, which may have moved it since (R9). */
static gboolean
is_intended (const TreeContext *tree, const TreeEntity *entity)
{
  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    if (intent->kind == TREE_SUBSCRIBE && strcmp (intent->name, entity->target) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
tree_wishes_subscription (const TreeContext *tree, const TreeEntity *entity)
{
  gboolean changed[N_SIDES], now[N_SIDES], wish;

  if (entity->saved != NULL && is_echo (tree, entity, &wish))
    return wish;
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = entity->place[side];

    now[side] = place != NULL && place->listed->subscribed;
    changed[side] = place != NULL && entity->saved != NULL &&
                    !now[side] != !was_subscribed (tree, entity, side);
  }
  if (entity->saved == NULL && is_intended (tree, entity))
    return TRUE;
  if (entity->saved == NULL || (changed[SIDE_LOCAL] && changed[SIDE_REMOTE]))
    return now[SIDE_LOCAL] || now[SIDE_REMOTE];
  for (Side side = 0; side < N_SIDES; side++)
    if (changed[side])
      return now[side];
  return entity->saved->side[SIDE_LOCAL].subscribed || entity->saved->side[SIDE_REMOTE].subscribed;
}

static gboolean
is_refused (TreeContext *tree, TreeActionKind kind, Side side, const char *name)
{
  return tree_fact (tree, TREE_FACT_REFUSED + (int)kind, side, 0, name, NULL) != 0;
}

/* LIST does not tell the subscription of a name that nobody has at the moment. */
static gboolean
is_unknown (const TreeContext *tree, Side side, const char *name)
{
  const TreeEntity *owner = g_hash_table_lookup (tree->by_saved, name);

  return !g_hash_table_contains (tree->by_name[side], name) && owner != NULL &&
         owner->saved->side[side].subscribed;
}

void
tree_subscribe (TreeContext *tree, const TreeEntity *entity, gboolean subscribed[N_SIDES])
{
  gboolean wish = tree_wishes_subscription (tree, entity);

  for (Side side = 0; side < N_SIDES; side++) {
    gboolean now = is_listed_subscribed (tree, side, entity->target);
    TreeActionKind kind = wish ? TREE_SUBSCRIBE : TREE_UNSUBSCRIBE;

    subscribed[side] = now;
    if ((!now == !wish && !is_unknown (tree, side, entity->target)) ||
        is_refused (tree, kind, side, entity->target))
      continue;
    tree_add_action (tree, kind, side, entity, entity->target, NULL);
    subscribed[side] = wish;
  }
}

static void
unsubscribe_left (TreeContext *tree, Side side, const TreeEntity *entity, const char *name,
                  gboolean known)
{
  if ((known || is_listed_subscribed (tree, side, name)) &&
      !g_hash_table_contains (tree->by_now[side], name) &&
      !is_refused (tree, TREE_UNSUBSCRIBE, side, name))
    tree_add_action (tree, TREE_UNSUBSCRIBE, side, entity, name, NULL);
}

/* A new one whose parent is renamed by us. */
static gboolean
is_taken_along (const TreeEntity *entity, Side side)
{
  const TreePlace *place = entity->place[side];

  return entity->saved == NULL && entity->fate == TREE_KEEP && place != NULL &&
         strcmp (place->name, entity->target) != 0;
}

/* Names that nobody has any more. */
void
tree_unsubscribe_left (TreeContext *tree)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    const TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    const TreeSaved *saved = entity->saved;

    for (Side side = 0; side < N_SIDES; side++) {
      const TreePlace *place = entity->place[side];

      if (saved != NULL && entity->fate == TREE_KEEP && strcmp (saved->name, entity->target) != 0)
        unsubscribe_left (tree, side, entity, saved->name, saved->side[side].subscribed);
      else if ((entity->fate == TREE_DROP && place != NULL) || is_taken_along (entity, side))
        unsubscribe_left (tree, side, entity, place->name, FALSE);
    }
  }
}
