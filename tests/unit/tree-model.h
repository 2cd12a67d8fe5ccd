/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/tree.h"

#include <string.h>

/* A model of two servers, their users, and the engine that carries out what tree_plan() decides.
 * Shared by the named cases and the random ones. Names are written with '/' in tests. */

typedef struct {
  guint32 uid;
  guint content;
  gboolean changed; /* flags, since they were agreed on */
} Mail;

typedef struct {
  char *name;
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 modseq;
  GArray *mail;
  char *id;
  guint mailbox;  /* which one it is, on whichever side: RENAME keeps it, the engine's CREATE copies
                     it */
  char *old_name; /* NOTIFY */
  gboolean recreated;
  gboolean ours; /* made by the engine */
} Box;

typedef struct {
  Side side;
  gboolean cyrus;  /* makes parents as real mailboxes, deletes none that has children */
  gboolean ids;    /* MAILBOXID */
  gboolean notify; /* OLDNAME, \NonExistent */
  gboolean strict; /* no RENAME onto a level that has children (Dovecot's fs layout) */
  gboolean mute;   /* will not say what exists */
  GPtrArray *boxes;
  GHashTable *subscribed;
  GHashTable *hidden; /* left out of LIST */
  GHashTable *ghosts; /* deleted with children: listed all the same, by Dovecot */
} Server;

typedef struct {
  guint content;
  guint32 uid[N_SIDES];
} ModelPair;

typedef struct {
  TreeSaved *tree;
  GArray *pairs;
} Saved;

typedef struct {
  Server server[N_SIDES];
  GPtrArray *saved;
  GPtrArray *intents;
  GPtrArray *refused;
  GHashTable *deleted; /* contents that a user deleted */
  GHashTable *touched; /* mailboxes that a user deleted or renamed */
  GPtrArray *shared[N_SIDES];
  GHashTable *unsettled; /* saved numbers */
  const char *forbidden; /* the remote server takes no name with this level */
  guint32 next;
  gint64 next_id;
  gboolean apply, restore;
  guint crash_after;    /* commands; 0: never */
  guint fail_one_in;    /* transient failures */
  guint deliver_one_in; /* mail that arrives just before a DELETE */
  GRand *rand;
  GString *log;
  gboolean trace;
} World;

/* --- names --- */

/* Program's form of "a/b"; lives long enough for one call. */
static inline const char *
n (const char *text)
{
  static char buffers[16][128];
  static guint next;
  char *buffer = buffers[next++ % 16];

  g_strlcpy (buffer, text, sizeof buffers[0]);
  return g_strdelimit (buffer, "/", '\x1f');
}

static inline char *
shown (const char *name)
{
  return g_strdelimit (g_strdup (name), "\x1f", '/');
}

static inline gboolean
is_below (const char *name, const char *parent)
{
  return g_str_has_prefix (name, parent) && name[strlen (parent)] == '\x1f';
}

/* --- servers --- */

static inline void
box_free (gpointer data)
{
  Box *box = data;

  g_free (box->name);
  g_free (box->id);
  g_free (box->old_name);
  g_array_unref (box->mail);
  g_free (box);
}

static inline Box *
box_at (Server *server, const char *name)
{
  for (guint i = 0; i < server->boxes->len; i++) {
    Box *box = g_ptr_array_index (server->boxes, i);

    if (strcmp (box->name, name) == 0)
      return box;
  }
  return NULL;
}

static inline gboolean
has_children (Server *server, const char *name)
{
  for (guint i = 0; i < server->boxes->len; i++)
    if (is_below (((Box *)g_ptr_array_index (server->boxes, i))->name, name))
      return TRUE;
  return FALSE;
}

static inline Box *
server_make (World *world, Side side, const char *name)
{
  Server *server = &world->server[side];
  Box *box = g_new0 (Box, 1);

  box->name = g_strdup (name);
  box->uidvalidity = ++world->next;
  box->uidnext = 1;
  box->modseq = 1;
  box->mail = g_array_new (FALSE, FALSE, sizeof (Mail));
  box->mailbox = world->next;
  box->id = server->ids ? g_strdup_printf ("id%u", world->next) : NULL;
  g_ptr_array_add (server->boxes, box);
  g_hash_table_remove (server->ghosts, name);
  return box;
}

static inline gboolean
is_forbidden (World *world, Side side, const char *name)
{
  return side == SIDE_REMOTE && world->forbidden != NULL && strstr (name, world->forbidden) != NULL;
}

static inline void
make_parents (World *world, Side side, const char *name)
{
  if (!world->server[side].cyrus)
    return;
  for (const char *end = strchr (name, '\x1f'); end != NULL; end = strchr (end + 1, '\x1f')) {
    g_autofree char *parent = g_strndup (name, end - name);

    if (box_at (&world->server[side], parent) == NULL)
      server_make (world, side, parent);
  }
}

static inline Box *
server_create (World *world, Side side, const char *name)
{
  if (box_at (&world->server[side], name) != NULL || is_forbidden (world, side, name))
    return NULL;
  make_parents (world, side, name);
  return server_make (world, side, name);
}

static inline gboolean
server_delete (World *world, Side side, const char *name)
{
  Server *server = &world->server[side];
  Box *box = box_at (server, name);

  if (box == NULL || strcmp (name, "INBOX") == 0 || (server->cyrus && has_children (server, name)))
    return FALSE;
  if (!server->cyrus && !server->strict && has_children (server, name))
    g_hash_table_add (server->ghosts, g_strdup (name));
  g_ptr_array_remove_fast (server->boxes, box);
  return TRUE;
}

static inline gboolean
server_rename (World *world, Side side, const char *from, const char *to)
{
  Server *server = &world->server[side];

  if ((box_at (server, from) == NULL && (server->cyrus || !has_children (server, from))) ||
      strcmp (from, "INBOX") == 0 || box_at (server, to) != NULL || strcmp (from, to) == 0 ||
      is_below (to, from) || is_forbidden (world, side, to) ||
      (server->strict && has_children (server, to)))
    return FALSE;
  for (guint i = 0; i < server->boxes->len; i++) {
    const char *name = ((Box *)g_ptr_array_index (server->boxes, i))->name;
    g_autofree char *moved =
        is_below (name, from) ? g_strconcat (to, name + strlen (from), NULL) : NULL;

    if (moved != NULL && box_at (server, moved) != NULL)
      return FALSE;
  }
  for (guint i = 0; i < server->boxes->len; i++) {
    Box *box = g_ptr_array_index (server->boxes, i);

    if (strcmp (box->name, from) == 0 || is_below (box->name, from)) {
      char *moved = g_strconcat (to, box->name + strlen (from), NULL);

      g_hash_table_remove (server->ghosts, moved);
      g_free (box->name);
      box->name = moved;
    }
  }
  make_parents (world, side, to);
  return TRUE;
}

/* --- users --- */

static inline guint
user_append (World *world, Side side, const char *name)
{
  Box *box = box_at (&world->server[side], name);
  Mail mail = {box->uidnext++, ++world->next, FALSE};

  g_array_append_val (box->mail, mail);
  box->modseq++;
  return mail.content;
}

static inline void
user_flag (World *world, Side side, const char *name)
{
  Box *box = box_at (&world->server[side], name);

  if (box->mail->len > 0)
    g_array_index (box->mail, Mail, 0).changed = TRUE;
  box->modseq++;
}

static inline void
user_expunge (World *world, Side side, const char *name)
{
  Box *box = box_at (&world->server[side], name);

  if (box->mail->len == 0)
    return;
  g_hash_table_add (world->deleted, GUINT_TO_POINTER (g_array_index (box->mail, Mail, 0).content));
  g_array_remove_index (box->mail, 0);
  box->modseq++;
}

static inline Saved *
saved_at (World *world, const char *name)
{
  for (guint i = 0; i < world->saved->len; i++) {
    Saved *saved = g_ptr_array_index (world->saved, i);

    if (strcmp (saved->tree->name, name) == 0)
      return saved;
  }
  return NULL;
}

static inline gboolean
user_create (World *world, Side side, const char *name)
{
  Box *box = server_create (world, side, name);
  Saved *saved = saved_at (world, name);

  /* NOTIFY: the saved one's \NonExistent, or its OLDNAME, went before. */
  if (box != NULL && saved != NULL && world->server[side].notify)
    box->recreated = TRUE;
  return box != NULL;
}

static inline gboolean
user_delete (World *world, Side side, const char *name)
{
  Box *box = box_at (&world->server[side], name);
  g_autoptr (GArray) mail = box != NULL ? g_array_ref (box->mail) : NULL;
  guint mailbox = box != NULL ? box->mailbox : 0;

  if (!server_delete (world, side, name))
    return FALSE;
  for (guint i = 0; i < mail->len; i++)
    g_hash_table_add (world->deleted, GUINT_TO_POINTER (g_array_index (mail, Mail, i).content));
  g_hash_table_add (world->touched, GUINT_TO_POINTER (mailbox));
  return TRUE;
}

static inline gboolean
user_rename (World *world, Side side, const char *from, const char *to)
{
  Server *server = &world->server[side];
  g_autoptr (GPtrArray) before = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < server->boxes->len; i++)
    g_ptr_array_add (before, g_strdup (((Box *)g_ptr_array_index (server->boxes, i))->name));
  if (!server_rename (world, side, from, to))
    return FALSE;
  for (guint i = 0; i < before->len; i++) {
    Box *box = g_ptr_array_index (server->boxes, i);
    const char *name = g_ptr_array_index (before, i);

    if (strcmp (name, box->name) == 0)
      continue;
    g_hash_table_add (world->touched, GUINT_TO_POINTER (box->mailbox));
    if (server->notify && box->old_name == NULL && !box->recreated &&
        saved_at (world, name) != NULL)
      box->old_name = g_strdup (name);
    box->recreated = FALSE;
  }
  return TRUE;
}

static inline void
user_subscribe (World *world, Side side, const char *name, gboolean subscribe)
{
  if (subscribe)
    g_hash_table_add (world->server[side].subscribed, g_strdup (name));
  else
    g_hash_table_remove (world->server[side].subscribed, name);
}

/* The server gave the mailbox another UIDVALIDITY. */
static inline void
renumber (World *world, Side side, const char *name)
{
  Box *box = box_at (&world->server[side], name);

  box->uidvalidity = ++world->next;
  for (guint i = 0; i < box->mail->len; i++)
    g_array_index (box->mail, Mail, i).uid = i + 1;
  box->uidnext = box->mail->len + 1;
}

/* --- the world --- */

static inline void
saved_free (gpointer data)
{
  Saved *saved = data;

  tree_saved_free (saved->tree);
  g_array_unref (saved->pairs);
  g_free (saved);
}

static inline World *
world_new (guint32 seed)
{
  World *world = g_new0 (World, 1);

  for (Side side = 0; side < N_SIDES; side++) {
    Server *server = &world->server[side];

    server->side = side;
    server->boxes = g_ptr_array_new_with_free_func (box_free);
    server->subscribed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    server->hidden = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    server->ghosts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    world->shared[side] = g_ptr_array_new ();
  }
  world->saved = g_ptr_array_new_with_free_func (saved_free);
  world->intents = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  world->refused = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_action_free);
  world->deleted = g_hash_table_new (NULL, NULL);
  world->touched = g_hash_table_new (NULL, NULL);
  world->unsettled = g_hash_table_new (NULL, NULL);
  world->rand = g_rand_new_with_seed (seed);
  world->log = g_string_new (NULL);
  world->apply = TRUE;
  return world;
}

static inline void
world_free (World *world)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_ptr_array_unref (world->server[side].boxes);
    g_hash_table_unref (world->server[side].subscribed);
    g_hash_table_unref (world->server[side].hidden);
    g_hash_table_unref (world->server[side].ghosts);
    g_ptr_array_unref (world->shared[side]);
  }
  g_ptr_array_unref (world->saved);
  g_ptr_array_unref (world->intents);
  g_ptr_array_unref (world->refused);
  g_hash_table_unref (world->deleted);
  g_hash_table_unref (world->touched);
  g_hash_table_unref (world->unsettled);
  g_rand_free (world->rand);
  g_string_free (world->log, TRUE);
  g_free (world);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)

static inline gboolean
one_in (World *world, guint n_times)
{
  return n_times > 0 && g_rand_int_range (world->rand, 0, (gint32)n_times) == 0;
}

/* --- what the engine tells and asks --- */

static inline TreeNode *
add_node (World *world, Server *server, GPtrArray *nodes, const char *name)
{
  TreeNode *node = g_new0 (TreeNode, 1);

  node->name = g_strdup (name);
  node->personal = TRUE;
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
      world->restore};
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

/* R6: whatever is deleted here was deleted, or renamed, by somebody there. */
static inline void
check_delete (World *world, Side side, const Box *box, const Saved *saved)
{
  gboolean unknown = saved == NULL || saved->tree->side[side].uidvalidity == 0;
  Server *other = &world->server[side_other (side)];

  if (!g_hash_table_contains (world->touched, GUINT_TO_POINTER (box->mailbox)) &&
      !((box->ours || unknown) && box->mail->len == 0))
    g_error ("%s: mailbox %s would be deleted, which nobody deleted", side_name (side), box->name);
  for (guint i = 0; i < box->mail->len; i++) {
    guint content = g_array_index (box->mail, Mail, i).content;
    gboolean found = g_hash_table_contains (world->deleted, GUINT_TO_POINTER (content));

    for (guint j = 0; j < other->boxes->len && !found; j++) {
      Box *there = g_ptr_array_index (other->boxes, j);

      for (guint k = 0; k < there->mail->len && !found; k++)
        found = g_array_index (there->mail, Mail, k).content == content;
    }
    if (!found)
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
