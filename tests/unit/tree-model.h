/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "tree-servers.h"

/* A model of the engine that carries out what tree_plan() decides on two model servers. Shared by
 * the named cases and the random ones. */

/* --- what the engine tells and asks --- */

static inline TreeNode *
add_node (World *world, Server *server, GPtrArray *nodes, const char *name)
{
  TreeNode *node = g_new0 (TreeNode, 1);

  node->name = g_strdup (name);
  node->subscribed = g_hash_table_contains (server->subscribed, name);
  g_ptr_array_add (nodes, node);
  return node;
}

static inline void
add_levels (World *world, Server *server, GPtrArray *nodes, GHashTable *seen, const char *name)
{
  for (const char *end = strchr (name, '\x1f'); end != NULL; end = strchr (end + 1, '\x1f')) {
    char *parent = g_strndup (name, end - name);

    if (box_at (server, parent) == NULL && !g_hash_table_contains (seen, parent))
      add_node (world, server, nodes, parent)->selectable =
          g_hash_table_contains (server->ghosts, parent);
    g_hash_table_add (seen, parent);
  }
}

static inline GPtrArray *
server_list (World *world, Server *server)
{
  GPtrArray *nodes = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_node_free);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < server->boxes->len; i++) {
    Box *box = g_ptr_array_index (server->boxes, i);
    TreeNode *node;

    if (g_hash_table_contains (server->hidden, box->name))
      continue;
    node = add_node (world, server, nodes, box->name);
    node->selectable = TRUE;
    node->uidvalidity = box->uidvalidity;
    node->uidnext = box->uidnext;
    node->highestmodseq = box->modseq;
    node->messages = box->mail->len;
    node->mailboxid = g_strdup (box->id);
    node->renamed_from_known = box->old_name != NULL;
    node->old_name = g_strdup (box->old_name);
    node->recreated = box->recreated;
    add_levels (world, server, nodes, seen, box->name);
  }
  return nodes;
}

static inline Saved *
saved_by_id (World *world, gint64 id)
{
  for (guint i = 0; i < world->saved->len; i++) {
    Saved *saved = g_ptr_array_index (world->saved, i);

    if (saved->tree->id == id)
      return saved;
  }
  return NULL;
}

static inline const ModelPair *
pair_of (const Saved *saved, Side side, guint32 uid)
{
  for (guint i = 0; i < saved->pairs->len; i++) {
    const ModelPair *pair = &g_array_index (saved->pairs, ModelPair, i);

    if (pair->uid[side] == uid)
      return pair;
  }
  return NULL;
}

static inline gboolean
is_same (const Saved *saved, Side side, const Box *box)
{
  for (guint i = 0; i < box->mail->len; i++) {
    const Mail *mail = &g_array_index (box->mail, Mail, i);
    const ModelPair *pair = pair_of (saved, side, mail->uid);

    if (pair != NULL && pair->content == mail->content)
      return TRUE;
  }
  return FALSE;
}

static inline gboolean
has_news (const Saved *saved, Side side, const Box *box)
{
  for (guint i = 0; i < box->mail->len; i++) {
    const Mail *mail = &g_array_index (box->mail, Mail, i);

    if (mail->changed || pair_of (saved, side, mail->uid) == NULL)
      return TRUE;
  }
  return FALSE;
}

static inline void
answer (World *world, TreeQuestion *question)
{
  Server *server = &world->server[question->side];
  Box *box = box_at (server, question->name);
  Saved *saved = saved_by_id (world, question->saved_id);
  gboolean yes = FALSE;

  g_assert_true (question->kind == TREE_ASK_EXISTS || saved != NULL);
  if (question->kind == TREE_ASK_EXISTS)
    yes = box != NULL;
  else if (question->kind == TREE_ASK_IDENTITY)
    yes = box != NULL && is_same (saved, question->side, box);
  else
    yes = box != NULL && has_news (saved, question->side, box);
  question->answer = server->mute ? TREE_ANSWER_UNKNOWN : yes ? TREE_ANSWER_YES : TREE_ANSWER_NO;
}

/* Plans until there are no questions. @questions: how many were asked. */
static inline TreePlan *
world_plan (World *world, guint *questions)
{
  g_autoptr (GPtrArray) answers =
      g_ptr_array_new_with_free_func ((GDestroyNotify)tree_question_free);
  g_autoptr (GPtrArray) saved = g_ptr_array_new ();
  TreeInput input = {
      {server_list (world, &world->server[0]), server_list (world, &world->server[1])},
      saved,
      answers,
      {world->shared[0], world->shared[1]},
      world->intents,
      world->refused,
      world->apply,
      world->restore,
      world->asked};
  TreePlan *plan;

  for (guint i = 0; i < world->saved->len; i++)
    g_ptr_array_add (saved, ((Saved *)g_ptr_array_index (world->saved, i))->tree);
  for (guint calls = 1;; calls++) {
    plan = tree_plan (&input);
    if (plan->questions->len == 0)
      break;
    g_assert_cmpuint (calls, <, 12);
    g_assert_cmpuint (plan->actions->len, ==, 0);
    for (guint i = 0; i < plan->questions->len; i++)
      answer (world, g_ptr_array_index (plan->questions, i));
    g_ptr_array_extend_and_steal (answers, g_steal_pointer (&plan->questions));
    plan->questions = g_ptr_array_new ();
    tree_plan_free (plan);
  }
  if (questions != NULL)
    *questions = answers->len;
  for (Side side = 0; side < N_SIDES; side++)
    g_ptr_array_unref (input.listed[side]);
  return plan;
}

static inline char *
action_text (const TreeAction *action)
{
  static const char *const verbs[] = {"CREATE",      "RENAME", "DELETE", "SUBSCRIBE",
                                      "UNSUBSCRIBE", "save",   "forget", "reset"};
  g_autoptr (GString) text = g_string_new (NULL);

  if (action->kind < TREE_SAVE)
    g_string_append_printf (text, "%s ", side_name (action->side));
  g_string_append_printf (text, "%s %s", verbs[action->kind], action->name);
  if (action->new_name != NULL)
    g_string_append_printf (text, " -> %s", action->new_name);
  return shown (text->str);
}

/* "remote RENAME a -> b; save a -> b": what a plan says, and its conflicts after a "!". */
static inline char *
plan_text (const TreePlan *plan)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < plan->actions->len; i++) {
    g_autofree char *one = action_text (g_ptr_array_index (plan->actions, i));

    g_string_append_printf (text, "%s%s", text->len > 0 ? "; " : "", one);
  }
  for (guint i = 0; i < plan->conflicts->len; i++) {
    const TreeConflict *conflict = g_ptr_array_index (plan->conflicts, i);
    g_autofree char *name = shown (conflict->name);

    g_string_append_printf (text, "%s! %s %s%s%s", text->len > 0 ? "; " : "", conflict->kind,
                            side_name (conflict->side), *name != '\0' ? " " : "", name);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* --- what the engine does --- */

/* Does any mailbox but @except hold it, on whichever side? */
static inline gboolean
has_other_copy (World *world, const Box *except, guint content)
{
  for (Side side = 0; side < N_SIDES; side++)
    for (guint i = 0; i < world->server[side].boxes->len; i++) {
      const Box *box = g_ptr_array_index (world->server[side].boxes, i);

      for (guint j = 0; box != except && j < box->mail->len; j++)
        if (g_array_index (box->mail, Mail, j).content == content)
          return TRUE;
    }
  return FALSE;
}

/* R6: whatever is deleted here was deleted, or renamed, by somebody there; and no message goes that
 * nobody deleted and that is nowhere else. That it is on both sides again is seen at the end. */
static inline void
check_delete (World *world, Side side, const Box *box, const Saved *saved)
{
  gboolean unknown = saved == NULL || saved->tree->side[side].uidvalidity == 0;

  if (!g_hash_table_contains (world->touched, GUINT_TO_POINTER (box->mailbox)) &&
      !((box->ours || unknown) && box->mail->len == 0))
    g_error ("%s: mailbox %s would be deleted, which nobody deleted", side_name (side), box->name);
  for (guint i = 0; i < box->mail->len; i++) {
    guint content = g_array_index (box->mail, Mail, i).content;

    if (!g_hash_table_contains (world->deleted, GUINT_TO_POINTER (content)) &&
        !has_other_copy (world, box, content))
      g_error ("%s: message %u in %s would be lost", side_name (side), content, box->name);
  }
}

static inline gboolean
do_delete (World *world, const TreeAction *action)
{
  Box *box = box_at (&world->server[action->side], action->name);
  Saved *saved = saved_by_id (world, action->saved_id);

  if (box == NULL)
    return FALSE;
  if (one_in (world, world->deliver_one_in))
    user_append (world, action->side, action->name);
  else
    check_delete (world, action->side, box, saved);
  for (guint i = box->mail->len; saved != NULL && i-- > 0;)
    if (pair_of (saved, action->side, g_array_index (box->mail, Mail, i).uid) != NULL)
      g_array_remove_index (box->mail, i);
  return box->mail->len == 0 && server_delete (world, action->side, action->name);
}

static inline gboolean
do_create (World *world, const TreeAction *action)
{
  Box *there = box_at (&world->server[side_other (action->side)], action->name);
  Box *box = server_create (world, action->side, action->name);

  if (box != NULL && there != NULL)
    box->mailbox = there->mailbox;
  if (box != NULL)
    box->ours = TRUE;
  return box != NULL;
}

static inline gboolean
do_command (World *world, const TreeAction *action)
{
  switch (action->kind) {
  case TREE_CREATE:
    return do_create (world, action);
  case TREE_RENAME:
    return server_rename (world, action->side, action->name, action->new_name);
  case TREE_DELETE:
    return do_delete (world, action);
  case TREE_SUBSCRIBE:
  case TREE_UNSUBSCRIBE:
    user_subscribe (world, action->side, action->name, action->kind == TREE_SUBSCRIBE);
    return TRUE;
  case TREE_SAVE:
  case TREE_FORGET:
  case TREE_RESET:
  default:
    g_assert_not_reached ();
  }
}

static inline void
save_listed (World *world, Saved *saved, const TreeAction *action)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const Box *box = box_at (&world->server[side], saved->tree->name);

    saved->tree->side[side].listed = TRUE;
    saved->tree->side[side].subscribed = action->subscribed[side];
    if (box != NULL) {
      g_free (saved->tree->side[side].mailboxid);
      saved->tree->side[side].mailboxid = g_strdup (box->id);
    }
  }
}

/* From now on they are one and the same. */
static inline void
join_mailboxes (World *world, const char *name)
{
  Box *local = box_at (&world->server[0], name), *remote = box_at (&world->server[1], name);

  if (local == NULL || remote == NULL || local->mailbox == remote->mailbox)
    return;
  if (g_hash_table_contains (world->touched, GUINT_TO_POINTER (remote->mailbox)))
    g_hash_table_add (world->touched, GUINT_TO_POINTER (local->mailbox));
  remote->mailbox = local->mailbox;
}

static inline void
do_save (World *world, const TreeAction *action)
{
  Saved *saved = saved_by_id (world, action->saved_id);

  if (saved == NULL) {
    g_assert_cmpint (action->saved_id, ==, 0);
    g_assert_null (saved_at (world, action->name));
    saved = g_new0 (Saved, 1);
    saved->tree = g_new0 (TreeSaved, 1);
    saved->tree->id = ++world->next_id;
    saved->tree->name = g_strdup (action->name);
    saved->pairs = g_array_new (FALSE, FALSE, sizeof (ModelPair));
    g_ptr_array_add (world->saved, saved);
  } else if (action->new_name != NULL) {
    g_assert_cmpstr (saved->tree->name, ==, action->name);
    g_assert_null (saved_at (world, action->new_name));
    g_free (saved->tree->name);
    saved->tree->name = g_strdup (action->new_name);
  }
  save_listed (world, saved, action);
  join_mailboxes (world, saved->tree->name);
}

static inline void
do_reset (World *world, const TreeAction *action)
{
  Saved *saved = saved_by_id (world, action->saved_id);

  g_array_set_size (saved->pairs, 0);
  saved->tree->pairs = 0;
  for (Side side = 0; side < N_SIDES; side++) {
    saved->tree->side[side].uidnext = 0;
    saved->tree->side[side].highestmodseq = 0;
    if (!action->fresh[side])
      continue;
    saved->tree->side[side].uidvalidity = 0;
    g_clear_pointer (&saved->tree->side[side].mailboxid, g_free);
  }
}

static inline void
do_record (World *world, const TreeAction *action)
{
  if (action->kind == TREE_SAVE)
    do_save (world, action);
  else if (action->kind == TREE_RESET)
    do_reset (world, action);
  else
    g_ptr_array_remove (world->saved, saved_by_id (world, action->saved_id));
}

static inline TreeAction *
action_copy (const TreeAction *action)
{
  TreeAction *copy = g_memdup2 (action, sizeof *action);

  copy->name = g_strdup (action->name);
  copy->new_name = g_strdup (action->new_name);
  return copy;
}

/* For good: the same would be refused tomorrow. */
static inline gboolean
is_refusal (World *world, const TreeAction *action)
{
  const char *name = action->new_name != NULL ? action->new_name : action->name;

  if (action->kind == TREE_DELETE)
    return world->server[action->side].cyrus &&
           has_children (&world->server[action->side], action->name);
  return is_forbidden (world, action->side, name) ||
         (action->kind == TREE_RENAME && world->server[action->side].strict &&
          has_children (&world->server[action->side], name));
}

static inline gboolean
is_void (const TreeAction *action, const GPtrArray *failed)
{
  for (guint i = 0; i < failed->len; i++)
    if (tree_action_depends (action, g_ptr_array_index (failed, i)))
      return TRUE;
  return FALSE;
}

/* FALSE: killed on the way. */
static inline gboolean
do_commands (World *world, const TreePlan *plan, GPtrArray *failed)
{
  guint commands = 0;

  for (guint i = 0; i < plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (plan->actions, i);

    if (action->kind >= TREE_SAVE)
      continue;
    if (is_void (action, failed)) {
      g_ptr_array_add (failed, action);
      continue;
    }
    if (world->crash_after > 0 && ++commands >= world->crash_after)
      return FALSE;
    if (!one_in (world, world->fail_one_in) && do_command (world, action))
      continue;
    g_ptr_array_add (failed, action);
    if (is_refusal (world, action))
      g_ptr_array_add (world->refused, action_copy (action));
  }
  return world->crash_after == 0;
}

/* Carries a plan out. FALSE: killed on the way. */
static inline gboolean
world_apply (World *world, TreePlan *plan)
{
  g_autoptr (GPtrArray) failed = g_ptr_array_new ();

  for (guint i = 0; i < plan->actions->len; i++) {
    const TreeAction *action = g_ptr_array_index (plan->actions, i);

    if (action->kind < TREE_SAVE)
      g_ptr_array_add (world->intents, action_copy (action));
  }
  if (!do_commands (world, plan, failed))
    return FALSE;
  tree_plan_settle (plan, failed);
  for (guint i = 0; i < plan->actions->len; i++) {
    TreeAction *action = g_ptr_array_index (plan->actions, i);

    if (action->kind >= TREE_SAVE && !g_ptr_array_find (failed, action, NULL))
      do_record (world, action);
  }
  for (guint i = world->intents->len; i-- > 0;)
    if (!tree_plan_keeps_intent (plan, failed, g_ptr_array_index (world->intents, i)))
      g_ptr_array_remove_index (world->intents, i);
  world->asked = FALSE;
  for (guint i = 0; i < plan->conflicts->len; i++)
    world->asked |= strcmp (((TreeConflict *)g_ptr_array_index (plan->conflicts, i))->kind,
                            "mass-deletion") == 0;
  g_hash_table_remove_all (world->unsettled);
  for (guint i = 0; i < plan->unsettled->len; i++)
    g_hash_table_add (world->unsettled,
                      GINT_TO_POINTER ((gint)g_array_index (plan->unsettled, gint64, i)));
  return TRUE;
}

/* --- the messages --- */

static inline Mail *
mail_at (Box *box, guint32 uid)
{
  for (guint i = 0; i < box->mail->len; i++)
    if (g_array_index (box->mail, Mail, i).uid == uid)
      return &g_array_index (box->mail, Mail, i);
  return NULL;
}

static inline void
drop_mail (Box *box, guint32 uid)
{
  for (guint i = 0; i < box->mail->len; i++)
    if (g_array_index (box->mail, Mail, i).uid == uid) {
      g_array_remove_index (box->mail, i);
      return;
    }
}

static inline void
sync_pairs (World *world, Saved *saved, Box *box[N_SIDES])
{
  for (guint i = saved->pairs->len; i-- > 0;) {
    ModelPair pair = g_array_index (saved->pairs, ModelPair, i);
    Mail *mail[N_SIDES] = {mail_at (box[0], pair.uid[0]), mail_at (box[1], pair.uid[1])};

    for (Side side = 0; side < N_SIDES; side++)
      if (mail[side] != NULL && mail[side]->content != pair.content)
        g_error ("%s: a pair of other messages in %s", side_name (side), box[side]->name);
    if (mail[0] != NULL && mail[1] != NULL) {
      mail[0]->changed = mail[1]->changed = FALSE;
      continue;
    }
    for (Side side = 0; side < N_SIDES; side++)
      if (mail[side] != NULL) {
        if (!g_hash_table_contains (world->deleted, GUINT_TO_POINTER (pair.content)))
          g_error ("%s: message %u in %s would be expunged, which nobody expunged",
                   side_name (side), pair.content, box[side]->name);
        drop_mail (box[side], pair.uid[side]);
      }
    g_array_remove_index (saved->pairs, i);
  }
}

static inline void
copy_new (World *world, Saved *saved, Box *box[N_SIDES], Side from)
{
  Side to = side_other (from);

  for (guint i = 0; i < box[from]->mail->len; i++) {
    Mail *mail = &g_array_index (box[from]->mail, Mail, i);
    ModelPair pair = {mail->content, {0, 0}};

    if (pair_of (saved, from, mail->uid) != NULL)
      continue;
    mail->changed = FALSE;
    pair.uid[from] = mail->uid;
    for (guint j = 0; j < box[to]->mail->len && pair.uid[to] == 0; j++) {
      const Mail *other = &g_array_index (box[to]->mail, Mail, j);

      if (other->content == mail->content && pair_of (saved, to, other->uid) == NULL)
        pair.uid[to] = other->uid;
    }
    if (pair.uid[to] == 0) {
      Mail copy = {box[to]->uidnext++, mail->content, FALSE};

      pair.uid[to] = copy.uid;
      g_array_append_val (box[to]->mail, copy);
      box[to]->modseq++;
    }
    g_array_append_val (saved->pairs, pair);
  }
}

static inline void
world_sync (World *world)
{
  for (guint i = 0; i < world->saved->len; i++) {
    Saved *saved = g_ptr_array_index (world->saved, i);
    Box *box[N_SIDES] = {box_at (&world->server[0], saved->tree->name),
                         box_at (&world->server[1], saved->tree->name)};

    if (box[0] == NULL || box[1] == NULL ||
        g_hash_table_contains (world->unsettled, GINT_TO_POINTER ((gint)saved->tree->id)))
      continue;
    for (Side side = 0; side < N_SIDES; side++)
      if (saved->tree->side[side].uidvalidity != box[side]->uidvalidity)
        g_array_set_size (saved->pairs, 0);
    sync_pairs (world, saved, box);
    join_mailboxes (world, saved->tree->name);
    copy_new (world, saved, box, SIDE_LOCAL);
    copy_new (world, saved, box, SIDE_REMOTE);
    saved->tree->pairs = saved->pairs->len;
    for (Side side = 0; side < N_SIDES; side++) {
      saved->tree->side[side].uidvalidity = box[side]->uidvalidity;
      saved->tree->side[side].uidnext = box[side]->uidnext;
      saved->tree->side[side].highestmodseq = box[side]->modseq;
      if (saved->tree->side[side].mailboxid == NULL)
        saved->tree->side[side].mailboxid = g_strdup (box[side]->id);
      box[side]->recreated = FALSE;
      g_clear_pointer (&box[side]->old_name, g_free);
    }
  }
}

/* --- comparing --- */

static inline int
compare_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* "a a/b* c": the mailboxes, the subscribed ones with a star. */
static inline char *
tree_text (Server *server)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < server->boxes->len; i++) {
    const char *name = ((Box *)g_ptr_array_index (server->boxes, i))->name;
    g_autofree char *one = shown (name);

    g_ptr_array_add (
        names,
        g_strconcat (one, g_hash_table_contains (server->subscribed, name) ? "*" : "", NULL));
  }
  g_ptr_array_sort (names, compare_text);
  for (guint i = 0; i < names->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", (char *)g_ptr_array_index (names, i));
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static inline gboolean
holds (Server *server, guint content)
{
  for (guint i = 0; i < server->boxes->len; i++) {
    const Box *box = g_ptr_array_index (server->boxes, i);

    for (guint j = 0; j < box->mail->len; j++)
      if (g_array_index (box->mail, Mail, j).content == content)
        return TRUE;
  }
  return FALSE;
}
