/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-private.h"

#include <string.h>

/* Who is who: finds each saved mailbox on each side, by proof (R6). */

static gboolean
ids_equal (const TreeEntity *entity, const TreePlace *place)
{
  const char *id = entity->saved->side[place->side].mailboxid;

  return id != NULL && g_strcmp0 (id, place->listed->mailboxid) == 0;
}

static gboolean
ids_differ (const TreeEntity *entity, const TreePlace *place)
{
  const char *id = entity->saved->side[place->side].mailboxid;

  return id != NULL && place->listed->mailboxid != NULL &&
         strcmp (id, place->listed->mailboxid) != 0;
}

/* Known and equal. */
static gboolean
numbers_equal (const TreeEntity *entity, const TreePlace *place)
{
  return place->listed->uidvalidity != 0 &&
         entity->saved->side[place->side].uidvalidity == place->listed->uidvalidity;
}

static gboolean
numbers_differ (const TreeEntity *entity, const TreePlace *place)
{
  guint32 uidvalidity = entity->saved->side[place->side].uidvalidity;

  return uidvalidity != 0 && place->listed->uidvalidity != 0 &&
         uidvalidity != place->listed->uidvalidity;
}

static void
claim (TreeEntity *entity, TreePlace *place)
{
  entity->place[place->side] = place;
  entity->presence[place->side] = place->unsure ? TREE_UNSURE : TREE_PRESENT;
  place->entity = entity;
  entity->renumbered[place->side] = numbers_differ (entity, place);
}

static gboolean
is_dissolved (TreeContext *tree, const TreeEntity *entity, Side side)
{
  return tree_fact (tree, TREE_FACT_DISSOLVED, side, entity->saved->id, NULL, NULL) != 0;
}

/* What a server lists without numbers may be nothing at all: Dovecot goes on listing a deleted
 * mailbox that has children. */
static void
check_places (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);
    TreeEntity *home = g_hash_table_lookup (tree->by_saved, place->name);
    TreeAnswer answer;

    if (!place->real || place->listed->uidvalidity != 0 || place->listed->unusable)
      continue;
    answer =
        tree_ask (tree, TREE_ASK_EXISTS, side, place->name, home != NULL ? home->saved->id : 0);
    place->real = answer != TREE_ANSWER_NO;
    place->unsure = answer != TREE_ANSWER_NO && answer != TREE_ANSWER_YES;
  }
}

static TreeHome
look_home (TreeContext *tree, const TreeEntity *entity, Side side)
{
  const char *name = entity->saved->name;
  const TreePlace *place = tree_place_at (tree, side, name);

  if (place == NULL || place->entity != NULL)
    return TREE_HOME_EMPTY;
  if (!entity->saved->side[side].listed || strcmp (name, "INBOX") == 0 || ids_equal (entity, place))
    return TREE_HOME_HERE;
  if (place->unsure)
    return TREE_HOME_RENUMBERED;
  if (entity->saved->side[side].uidvalidity == 0)
    return TREE_HOME_NAME;
  if (ids_differ (entity, place))
    return TREE_HOME_OTHER;
  if (!numbers_differ (entity, place))
    return TREE_HOME_HERE;
  return place->listed->recreated ? TREE_HOME_OTHER : TREE_HOME_RENUMBERED;
}

/* The middle name of a swap that an interrupted pass began, or what moved along to below it. */
static void
match_steps (TreeContext *tree, TreeEntity *entity, Side side)
{
  g_autoptr (GPtrArray) names = tree_intended_names (tree, side, entity->saved->name);

  for (guint i = 0; names != NULL && i < names->len && entity->place[side] == NULL; i++) {
    const char *name = g_ptr_array_index (names, i);
    TreePlace *place = tree_place_at (tree, side, name);

    if (place != NULL && place->entity == NULL && tree_name_is_step (name) &&
        !ids_differ (entity, place) && !numbers_differ (entity, place))
      claim (entity, place);
  }
}

/* A swap's middle name is where an interrupted pass of ours put it, and nobody else: after all that
 * its numbers prove. */
static void
match_own_step (TreeContext *tree, TreeEntity *entity, Side side)
{
  for (guint i = 0; i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);
    TreePlace *place;

    if (intent->kind != TREE_RENAME || intent->side != side || !intent->temporary ||
        intent->saved_id != entity->saved->id || !tree_name_is_step (intent->new_name))
      continue;
    place = tree_place_at (tree, side, intent->new_name);
    if (place != NULL && place->entity == NULL && entity->place[side] == NULL)
      claim (entity, place);
  }
}

static void
match_home (TreeContext *tree, TreeEntity *entity, Side side)
{
  if (entity->place[side] != NULL)
    return;
  entity->home[side] = look_home (tree, entity, side);
  if (entity->home[side] == TREE_HOME_HERE)
    claim (entity, tree_place_at (tree, side, entity->saved->name));
}

/* Never synchronized: there is nothing but the name to go by. */
static void
match_name (TreeContext *tree, TreeEntity *entity, Side side)
{
  TreePlace *place = tree_place_at (tree, side, entity->saved->name);

  if (entity->home[side] == TREE_HOME_NAME && entity->place[side] == NULL && place != NULL &&
      place->entity == NULL && !is_dissolved (tree, entity, side))
    claim (entity, place);
}

/* Renumbered while an interrupted pass of ours moved it, and nothing is left where it was. */
static void
match_intended (TreeContext *tree, TreeEntity *entity, Side side)
{
  g_autoptr (GPtrArray) names = NULL;

  if (entity->place[side] != NULL || tree_place_at (tree, side, entity->saved->name) != NULL ||
      is_dissolved (tree, entity, side))
    return;
  names = tree_intended_names (tree, side, entity->saved->name);
  for (guint i = names != NULL ? names->len : 0; i-- > 0 && entity->place[side] == NULL;) {
    TreePlace *place = tree_place_at (tree, side, g_ptr_array_index (names, i));

    if (place != NULL && place->entity == NULL && !ids_differ (entity, place))
      claim (entity, place);
  }
}

/* What others share under this name now is not ours, and INBOX does not move. */
static gboolean
may_have_moved (TreeContext *tree, const TreeEntity *entity, Side side)
{
  if (entity->place[side] != NULL || !entity->saved->side[side].listed ||
      strcmp (entity->saved->name, "INBOX") == 0 || is_dissolved (tree, entity, side))
    return FALSE;
  return !tree_is_shared (tree, entity->saved);
}

static gboolean
may_be_new_place (const TreePlace *place)
{
  return place->real && place->entity == NULL && strcmp (place->name, "INBOX") != 0;
}

static gboolean
proved_by_intent (TreeContext *tree, const TreeEntity *entity, const TreePlace *place)
{
  g_autoptr (GPtrArray) names = NULL;

  if (ids_differ (entity, place) || !numbers_equal (entity, place))
    return FALSE;
  names = tree_intended_names (tree, place->side, entity->saved->name);
  return names != NULL && g_ptr_array_find_with_equal_func (names, place->name, g_str_equal, NULL);
}

/* RENAME keeps UIDVALIDITY; an old name remembered from before something else does not count. */
static gboolean
proved_by_old_name (TreeContext *tree, const TreeEntity *entity, const TreePlace *place)
{
  return place->listed->renamed_from_known && !ids_differ (entity, place) &&
         !numbers_differ (entity, place) &&
         g_strcmp0 (place->listed->old_name, entity->saved->name) == 0;
}

/* UIDVALIDITY alone proves nothing: numbers that did not fall, and messages that lie there. */
static gboolean
proved_by_messages (TreeContext *tree, TreeEntity *entity, TreePlace *place)
{
  const TreeNode *node = place->listed;
  Side side = place->side;
  TreeAnswer answer;

  if (!numbers_equal (entity, place) || ids_differ (entity, place) || entity->saved->pairs == 0 ||
      node->messages == 0 || node->uidnext < entity->saved->side[side].uidnext ||
      (node->highestmodseq != 0 && node->highestmodseq < entity->saved->side[side].highestmodseq))
    return FALSE;
  answer = tree_ask (tree, TREE_ASK_IDENTITY, side, place->name, entity->saved->id);
  /* Two of them, the old one only hidden from LIST, would be a copy and no rename. */
  if (answer == TREE_ANSWER_YES && tree_place_at (tree, side, entity->saved->name) == NULL &&
      tree_ask (tree, TREE_ASK_EXISTS, side, entity->saved->name, entity->saved->id) !=
          TREE_ANSWER_NO)
    answer = TREE_ANSWER_UNKNOWN;
  if (answer == TREE_ANSWER_NONE || answer == TREE_ANSWER_UNKNOWN) {
    entity->maybe_elsewhere[side] = TRUE;
    place->unsure = TRUE;
  }
  return answer == TREE_ANSWER_YES;
}

static void
match_by_id (TreeContext *tree, Side side)
{
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);

    if (place->listed->mailboxid != NULL && may_be_new_place (place))
      g_hash_table_insert (by_id, place->listed->mailboxid, place);
  }
  for (guint i = 0; g_hash_table_size (by_id) > 0 && i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    const char *id = entity->saved->side[side].mailboxid;
    TreePlace *place = id != NULL ? g_hash_table_lookup (by_id, id) : NULL;

    if (place != NULL && place->entity == NULL && may_have_moved (tree, entity, side))
      claim (entity, place);
  }
}

static void
match_elsewhere (TreeContext *tree, Side side,
                 gboolean (*proved) (TreeContext *, const TreeEntity *, const TreePlace *))
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->place[side] != NULL || !may_have_moved (tree, entity, side))
      continue;
    for (guint j = 0; j < tree->places[side]->len && entity->place[side] == NULL; j++) {
      TreePlace *place = g_ptr_array_index (tree->places[side], j);

      if (may_be_new_place (place) && proved (tree, entity, place))
        claim (entity, place);
    }
  }
}

static void
match_by_messages (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    TreeEntity *entity = g_ptr_array_index (tree->entities, i);

    if (entity->place[side] != NULL || !may_have_moved (tree, entity, side))
      continue;
    for (guint j = 0; j < tree->places[side]->len && entity->place[side] == NULL; j++) {
      TreePlace *place = g_ptr_array_index (tree->places[side], j);

      if (may_be_new_place (place) && proved_by_messages (tree, entity, place)) {
        place->unsure = FALSE;
        claim (entity, place);
      }
    }
  }
}

/* A mailbox of ours which only the LIST of what is subscribed shows, or only STATUS. */
static gboolean
leaves_out (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->entities->len; i++) {
    const TreeEntity *entity = g_ptr_array_index (tree->entities, i);
    const TreePlace *place;

    if (entity->saved == NULL || !entity->saved->side[side].listed)
      continue;
    place = tree_place_at (tree, side, entity->saved->name);
    if (place != NULL ? place->listed->left_out && strcmp (place->name, "INBOX") != 0
                      : tree_fact (tree, TREE_FACT_ANSWER + TREE_ASK_EXISTS, side, 0,
                                   entity->saved->name, NULL) == TREE_ANSWER_YES)
      return TRUE;
  }
  return FALSE;
}

/* A LIST without INBOX is no list, and one that leaves mailboxes out may leave out the new name of
 * what seems to be gone: Dovecot 2.3 with a damaged list index, right after a RENAME. */
static gboolean
is_list_believed (TreeContext *tree, Side side)
{
  const TreeEntity *inbox = g_hash_table_lookup (tree->by_saved, "INBOX");

  return (inbox == NULL || !inbox->saved->side[side].listed ||
          tree_place_at (tree, side, "INBOX") != NULL) &&
         !leaves_out (tree, side);
}

/* An interrupted pass may have taken it to a name that LIST does not show. */
static gboolean
may_be_hidden (TreeContext *tree, const TreeEntity *entity, Side side)
{
  gboolean hidden = FALSE;

  for (guint i = 0; tree->input->intents != NULL && i < tree->input->intents->len; i++) {
    const TreeAction *intent = g_ptr_array_index (tree->input->intents, i);

    if (intent->kind == TREE_RENAME && intent->side == side &&
        intent->saved_id == entity->saved->id && !tree_place_at (tree, side, intent->new_name))
      hidden |= tree_ask (tree, TREE_ASK_EXISTS, side, intent->new_name, entity->saved->id) !=
                TREE_ANSWER_NO;
  }
  return hidden;
}

static TreePresence
ask_whether_gone (TreeContext *tree, const TreeEntity *entity, Side side)
{
  const char *name = entity->saved->name;

  if (strcmp (name, "INBOX") == 0 || !is_list_believed (tree, side))
    return TREE_UNSURE;
  if (tree_ask (tree, TREE_ASK_EXISTS, side, name, entity->saved->id) != TREE_ANSWER_NO)
    return TREE_UNSURE;
  return entity->maybe_elsewhere[side] || may_be_hidden (tree, entity, side) ? TREE_UNSURE
                                                                             : TREE_GONE;
}

static void
settle (TreeContext *tree, TreeEntity *entity, Side side)
{
  TreePlace *place = tree_place_at (tree, side, entity->saved->name);
  gboolean free = place != NULL && place->entity == NULL;

  if (entity->place[side] != NULL)
    return;
  if (!entity->saved->side[side].listed)
    entity->presence[side] = TREE_ABSENT;
  else if (is_dissolved (tree, entity, side))
    entity->presence[side] = TREE_GONE; /* it was found elsewhere */
  else if (tree_is_shared (tree, entity->saved))
    entity->presence[side] = TREE_UNSURE;
  else if (place == NULL)
    entity->presence[side] = ask_whether_gone (tree, entity, side);
  else if (entity->maybe_elsewhere[side])
    entity->presence[side] = TREE_UNSURE;
  else if (!free || entity->home[side] == TREE_HOME_OTHER)
    entity->presence[side] =
        may_be_hidden (tree, entity, side) ? TREE_UNSURE : TREE_GONE; /* it is another's name */
  else
    claim (entity, place);
}

/* Where nobody knows whether a mailbox is the one that was here, its home is not new either. */
static void
doubt_home (TreeContext *tree, const TreeEntity *entity, Side side)
{
  TreePlace *place = tree_place_at (tree, side, entity->saved->name);

  if (entity->presence[side] == TREE_UNSURE && place != NULL && place->entity == NULL)
    place->unsure = TRUE;
}

static void
add_new (TreeContext *tree, Side side)
{
  for (guint i = 0; i < tree->places[side]->len; i++) {
    TreePlace *place = g_ptr_array_index (tree->places[side], i);
    TreePlace *twin;
    TreeEntity *entity;

    if (!place->real || place->entity != NULL)
      continue;
    entity = tree_new_entity (tree, NULL);
    entity->place[side] = place;
    place->entity = entity;
    twin = place->listed->unusable ? NULL : tree_place_at (tree, side_other (side), place->name);
    if (twin != NULL && twin->entity == NULL) {
      entity->place[side_other (side)] = twin;
      twin->entity = entity;
    }
    for (Side s = 0; s < N_SIDES; s++)
      if (entity->place[s] != NULL)
        entity->presence[s] = entity->place[s]->unsure ? TREE_UNSURE : TREE_PRESENT;
  }
}

static void
for_each_saved (TreeContext *tree, Side side, void (*step) (TreeContext *, TreeEntity *, Side))
{
  for (guint i = 0; i < tree->entities->len; i++)
    step (tree, g_ptr_array_index (tree->entities, i), side);
}

void
tree_match (TreeContext *tree)
{
  for (Side side = 0; side < N_SIDES; side++) {
    check_places (tree, side);
    if (tree->input->intents != NULL) {
      for_each_saved (tree, side, match_steps);
    }
    for_each_saved (tree, side, match_home);
    match_by_id (tree, side);
    for_each_saved (tree, side, match_name);
    if (tree->input->intents != NULL)
      match_elsewhere (tree, side, proved_by_intent);
    match_elsewhere (tree, side, proved_by_old_name);
    match_by_messages (tree, side);
    if (tree->input->intents != NULL) {
      for_each_saved (tree, side, match_own_step);
      for_each_saved (tree, side, match_intended);
    }
    for_each_saved (tree, side, settle);
    for (guint i = 0; i < tree->entities->len; i++)
      doubt_home (tree, g_ptr_array_index (tree->entities, i), side);
  }
  for (Side side = 0; side < N_SIDES; side++)
    add_new (tree, side);
}
