/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/tree.h"

#include <string.h>

/* A model of two servers and their users. Names are written with '/' in tests. */

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
  gboolean asked;       /* about a mass deletion, and nobody has answered */
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
