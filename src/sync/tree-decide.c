/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* What becomes of each mailbox: three-way, on the names from the parent mailbox, and deletions. */

/* At least so many, and more than half of all, wait for an answer (R6). */
#define MASS_DELETION 3

static gboolean
is_unusable (const TreeEntity *entity)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->place[side] != NULL && entity->place[side]->listed->unusable)
      return TRUE;
  return FALSE;
}

/* The side where it is while it is gone on the other. */
static gboolean
is_half_gone (const TreeEntity *entity, Side *there)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->presence[side] == TREE_PRESENT &&
        entity->presence[side_other (side)] == TREE_GONE) {
      *there = side;
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_dissolved (TreeContext *tree, const TreeEntity *entity)
{
  for (Side side = 0; side < N_SIDES; side++)
    if (tree_fact (tree, TREE_FACT_DISSOLVED, side, entity->saved->id, NULL, NULL) != 0)
      return TRUE;
  return FALSE;
}

/* Who was above it in the saved tree and has not gone from @side. */
static const TreeEntity *
saved_ancestor (const TreeContext *tree, Side side, const char *name, gsize *length)
{
  g_autoptr (GString) above = g_string_new (name);

  while (tree_name_parent (above)) {
    const TreeEntity *entity = g_hash_table_lookup (tree->by_saved, above->str);

    if (entity != NULL && entity->place[side] != NULL) {
      *length = above->len;
      return entity;
    }
  }
  return NULL;
}

/* Where it would be if only its parents had been renamed. */
static gboolean
is_expected (const TreeContext *tree, const TreeEntity *entity, Side side)
{
  const char *name = entity->saved->name;
  gsize length = 0;
  const TreeEntity *ancestor = saved_ancestor (tree, side, name, &length);
  g_autofree char *expected = NULL;

  if (ancestor == NULL)
    return strcmp (entity->place[side]->name, name) == 0;
  expected = g_strconcat (ancestor->place[side]->name, name + length, NULL);
  return strcmp (entity->place[side]->name, expected) == 0;
}

/* A side that equals an intent is an echo of it, and the other side's name was its reason (R9). */
static gboolean
is_echo (const TreeEntity *entity, Side side, GPtrArray *intended[N_SIDES])
{
  const char *name = entity->place[side]->name;
  GPtrArray *own = intended[side], *others = intended[side_other (side)];

  if (own != NULL)
    return strcmp (name, entity->saved->name) == 0 ||
           g_ptr_array_find_with_equal_func (own, name, g_str_equal, NULL);
  return others != NULL && strcmp (name, g_ptr_array_index (others, others->len - 1)) == 0;
}

static gboolean
is_named (TreeContext *tree, const TreePlace *place)
{
  return place != NULL && tree_fact (tree, TREE_FACT_NAMED, place->side, 0, place->name, NULL) != 0;
}

static gboolean
has_changed (TreeContext *tree, const TreeEntity *entity, Side side, GPtrArray *intended[N_SIDES])
{
  const char *name = entity->place[side]->name;

  if (is_named (tree, entity->place[side]))
    return TRUE;
  if (tree_name_is_step (name) || is_echo (entity, side, intended))
    return FALSE;
  if (intended[side_other (side)] != NULL && intended[side] == NULL &&
      strcmp (name, entity->saved->name) == 0)
    return TRUE; /* renamed back after we had taken the new name over */
  return !is_expected (tree, entity, side);
}

/* Which side says where it shall be. */
static int
find_leader (TreeContext *tree, const TreeEntity *entity, GPtrArray *intended[N_SIDES])
{
  for (Side side = 0; side < N_SIDES; side++)
    if (is_named (tree, entity->place[side]))
      return side;
  for (Side side = 0; side < N_SIDES; side++)
    if (entity->changed[side])
      return side;
  for (Side side = 0; side < N_SIDES; side++) {
    const TreePlace *place = entity->place[side];
    gboolean alone = entity->place[side_other (side)] == NULL;

    if (place == NULL || tree_name_is_step (place->name))
      continue;
    if (intended[side_other (side)] != NULL || (alone && intended[side] != NULL))
      return side;
  }
  return N_SIDES;
}

static void
find_changes (TreeContext *tree, TreeEntity *entity)
{
  GPtrArray *intended[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++)
    intended[side] = tree_intended_names (tree, side, entity->saved->name);
  for (Side side = 0; side < N_SIDES; side++)
    entity->changed[side] =
        entity->place[side] != NULL && has_changed (tree, entity, side, intended);
  entity->leads = find_leader (tree, entity, intended);
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&intended[side], g_ptr_array_unref);
}

/* An interrupted pass of ours may have emptied or deleted it on @side: no user did. */
static gboolean
is_half_deleted (const TreeContext *tree, const TreeEntity *entity, Side side)
{
  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    if (intent->kind == TREE_DELETE && intent->side == side && entity->saved != NULL &&
        (intent->saved_id == entity->saved->id ||
         (intent->saved_id == 0 && strcmp (intent->name, entity->saved->name) == 0)))
      return TRUE;
  }
  return FALSE;
}

/* Made by an interrupted pass of ours, and still empty: what it was made for may be deleted since.
 */
static TreeFate
decide_half_new (TreeContext *tree, const TreePlace *place)
{
  Side other = side_other (place->side);
  gboolean ours = FALSE;

  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    ours |= intent->kind == TREE_CREATE && intent->side == place->side &&
            strcmp (intent->name, place->name) == 0;
  }
  if (!ours || place->listed->messages > 0 || strcmp (place->name, "INBOX") == 0 ||
      tree_place_at (tree, other, place->name) != NULL)
    return TREE_KEEP;
  return tree_ask (tree, TREE_ASK_EXISTS, other, place->name, 0) == TREE_ANSWER_NO ? TREE_DROP
                                                                                   : TREE_LEAVE;
}

/* Below a mailbox in the middle of a swap that is not to be finished now: it has no name yet. */
static gboolean
is_on_the_way (const TreeContext *tree, const TreePlace *place)
{
  g_autoptr (GString) above = g_string_new (place != NULL ? place->name : "");

  if (!tree_name_is_step (above->str))
    return FALSE;
  while (tree_name_parent (above)) {
    const TreePlace *parent = tree_place_at (tree, place->side, above->str);

    if (parent != NULL && parent->entity->fate != TREE_KEEP && tree_name_is_step (above->str))
      return TRUE;
  }
  return FALSE;
}

static TreeFate
decide_new (TreeContext *tree, const TreeEntity *entity)
{
  const TreePlace *place = entity->place[SIDE_LOCAL];

  if (entity->presence[SIDE_LOCAL] == TREE_UNSURE || entity->presence[SIDE_REMOTE] == TREE_UNSURE)
    return TREE_FREEZE;
  if (place != NULL && entity->place[SIDE_REMOTE] != NULL)
    return TREE_KEEP;
  if (place == NULL)
    place = entity->place[SIDE_REMOTE];
  if (place->listed->unusable)
    return TREE_LEAVE;
  return decide_half_new (tree, place);
}

static TreeFate
decide_saved (TreeContext *tree, TreeEntity *entity)
{
  const TreePresence *presence = entity->presence;

  if (tree_is_shared (tree, entity->saved))
    return TREE_LEAVE;
  if (presence[SIDE_LOCAL] == TREE_UNSURE || presence[SIDE_REMOTE] == TREE_UNSURE)
    return TREE_FREEZE;
  if (presence[SIDE_LOCAL] != TREE_PRESENT && presence[SIDE_REMOTE] != TREE_PRESENT)
    return TREE_LOST;
  if (is_unusable (entity)) {
    tree_add_conflict (tree->plan->conflicts, "mailbox-name", entity->saved->name,
                       entity->place[SIDE_LOCAL] != NULL &&
                               entity->place[SIDE_LOCAL]->listed->unusable
                           ? SIDE_LOCAL
                           : SIDE_REMOTE,
                       "renamed to a name that cannot be brought to the other server");
    return TREE_LEAVE;
  }
  find_changes (tree, entity);
  return TREE_KEEP;
}

/* Why it may not be deleted on @there; NULL: nothing speaks against it. */
static const char *
reason_to_keep (TreeContext *tree, const TreeEntity *entity, Side there, TreeAnswer *answer)
{
  const TreePlace *place = entity->place[there];

  *answer = TREE_ANSWER_NO;
  if (tree_fact (tree, TREE_FACT_REFUSED + TREE_DELETE, there, 0, place->name, NULL) != 0)
    return "deleted there, and the other server refuses to delete it";
  if (is_half_deleted (tree, entity, side_other (there)))
    return "deleted there by an interrupted pass, still on the other side";
  if (entity->changed[there])
    return "deleted there, renamed on the other side";
  if (entity->renumbered[there])
    return "deleted there, renumbered or made anew on the other side";
  if (place->listed->messages == 0 && place->listed->uidvalidity != 0)
    return NULL;
  if (place->listed->messages <= entity->saved->pairs)
    *answer = tree_ask (tree, TREE_ASK_CHANGED, there, place->name, entity->saved->id);
  else
    *answer = TREE_ANSWER_YES;
  return *answer == TREE_ANSWER_YES ? "deleted there, changed on the other side" : NULL;
}

/* Whether what was deleted on the other side may be deleted on @there. */
static TreeFate
decide_half_gone (TreeContext *tree, TreeEntity *entity, Side there)
{
  TreeAnswer answer;
  const char *reason;

  if (tree_fact (tree, TREE_FACT_WAITS, 0, entity->saved->id, NULL, NULL) != 0)
    return TREE_LEAVE;
  reason = reason_to_keep (tree, entity, there, &answer);
  if (reason == NULL)
    return answer == TREE_ANSWER_NO ? TREE_DROP : TREE_LEAVE;
  entity->came_back = TRUE;
  tree_add_conflict (tree->plan->conflicts, "mailbox-delete-vs-change", entity->place[there]->name,
                     side_other (there), reason);
  return TREE_KEEP;
}

static guint
count_half_gone (TreeContext *tree, guint *n_saved, Side *first)
{
  guint n = 0;

  *n_saved = 0;
  for (guint i = 0; i < tree->entities->len; i++) {
    const TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    Side there;

    if (entity->saved == NULL)
      continue;
    (*n_saved)++;
    if (entity->fate == TREE_KEEP && is_half_gone (entity, &there) &&
        !is_dissolved (tree, entity) && n++ == 0)
      *first = side_other (there);
  }
  return n;
}

static gboolean
must_wait (TreeContext *tree)
{
  guint n_saved;
  Side side = SIDE_LOCAL;
  guint n = count_half_gone (tree, &n_saved, &side);

  gboolean many =
      (n >= MASS_DELETION && n * 2 > n_saved) || (n > 0 && tree->input->mass_deletion_asked);
  g_autofree char *reason = NULL;

  if (!many || tree->input->mass_deletion_applied || tree->input->mass_deletion_restored)
    return FALSE;
  reason = g_strdup_printf ("%u mailboxes are gone", n);
  tree_add_conflict (tree->plan->conflicts, "mass-deletion", "", side, reason);
  return TRUE;
}

static void
decide_deletions (TreeContext *tree)
{
  gboolean wait = must_wait (tree);
  gboolean restore = tree->input->mass_deletion_restored && !tree->input->mass_deletion_applied;

  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    Side there;

    if (entity->saved == NULL || entity->fate != TREE_KEEP || !is_half_gone (entity, &there))
      continue;
    if (strcmp (entity->saved->name, "INBOX") == 0 || wait)
      entity->fate = TREE_LEAVE;
    else if (restore && !is_dissolved (tree, entity))
      entity->came_back = TRUE;
    else
      entity->fate = decide_half_gone (tree, entity, there);
  }
}

void
tree_decide (TreeContext *tree)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    entity->fate = entity->saved != NULL ? decide_saved (tree, entity) : decide_new (tree, entity);
    entity->rematch =
        is_half_deleted (tree, entity, SIDE_LOCAL) || is_half_deleted (tree, entity, SIDE_REMOTE);
    if (entity->fate != TREE_FREEZE && tree_is_held (tree, entity))
      entity->fate = TREE_LEAVE;
  }
  decide_deletions (tree);
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->saved == NULL && entity->fate == TREE_KEEP &&
        (is_on_the_way (tree, entity->place[SIDE_LOCAL]) ||
         is_on_the_way (tree, entity->place[SIDE_REMOTE])))
      entity->fate = TREE_LEAVE;
  }
}
