/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/choice.h"

#include <string.h>

#define INBOX "INBOX"

struct _SyncChoice {
  SyncEngine *engine;
  const char *const *names;
  GPtrArray *const *trees;
  char **patterns;     /* of list-mailbox, in the program's form; NULL: not looked at yet */
  GHashTable *parents; /* names above something subscribed; NULL: not looked at yet */
  GPtrArray *done;     /* char*: names that are no more, by this run's doing */
};

SyncChoice *
sync_choice_new (SyncEngine *engine, const char *const *names, GPtrArray *const trees[N_SIDES])
{
  SyncChoice *choice = g_new0 (SyncChoice, 1);

  choice->engine = engine;
  choice->names = names;
  choice->trees = trees;
  choice->done = g_ptr_array_new_with_free_func (g_free);
  return choice;
}

void
sync_choice_free (SyncChoice *choice)
{
  if (choice == NULL)
    return;
  g_strfreev (choice->patterns);
  g_clear_pointer (&choice->parents, g_hash_table_unref);
  g_ptr_array_unref (choice->done);
  g_free (choice);
}

/* --- patterns -------------------------------------------------------------------------------- */

/* at[i]: what went before may have matched the first i bytes of @name. */
static void
step (gboolean *at, const char *name, gsize length, char wanted)
{
  if (wanted == '*' || wanted == '%') {
    for (gsize i = 0; i < length; i++)
      at[i + 1] |= at[i] && (wanted == '*' || name[i] != MAILBOX_NAME_SEPARATOR);
    return;
  }
  for (gsize i = length; i > 0; i--)
    at[i] = at[i - 1] && name[i - 1] == wanted;
  at[0] = FALSE;
}

gboolean
sync_choice_match (const char *pattern, const char *name, char delimiter)
{
  const gsize length = strlen (name), inbox = strlen (INBOX);
  g_autofree gboolean *at = g_new0 (gboolean, length + 1);
  const gboolean is_inbox = g_str_has_prefix (name, INBOX) &&
                            (name[inbox] == '\0' || name[inbox] == MAILBOX_NAME_SEPARATOR);

  at[0] = TRUE;
  /* INBOX has no case. */
  if (is_inbox && g_ascii_strncasecmp (pattern, INBOX, inbox) == 0) {
    at[0] = FALSE;
    at[inbox] = TRUE;
    pattern += inbox;
  }
  for (; *pattern != '\0'; pattern++)
    step (at, name, length,
          delimiter != 0 && *pattern == delimiter ? MAILBOX_NAME_SEPARATOR : *pattern);
  return at[length];
}

/* Modified UTF-7, which is ASCII, where it is that; else it is text as it stands. */
static char *
decode_pattern (const char *pattern)
{
  const char separator[] = {MAILBOX_NAME_SEPARATOR, '\0'};
  g_auto (GStrv) levels = g_strsplit (pattern, separator, -1);

  for (char **level = levels; *level != NULL; level++) {
    char *decoded = mailbox_name_decode (*level, NULL);

    if (decoded == NULL)
      continue;
    g_free (*level);
    *level = decoded;
  }
  return g_strjoinv (separator, levels);
}

static gboolean
is_listed (SyncChoice *choice, const char *name)
{
  char *const *list = choice->engine->config->list_mailbox;
  const char delimiter = choice->engine->peer[SIDE_LOCAL]->naming.delimiter;

  if (list == NULL)
    return TRUE;
  if (choice->patterns == NULL) {
    choice->patterns = g_new0 (char *, g_strv_length ((char **)list) + 1);
    for (gsize i = 0; list[i] != NULL; i++)
      choice->patterns[i] = decode_pattern (list[i]);
  }
  for (char **pattern = choice->patterns; *pattern != NULL; pattern++) {
    if (sync_choice_match (*pattern, name, delimiter))
      return TRUE;
  }
  return FALSE;
}

/* --- ignore-mailbox -------------------------------------------------------------------------- */

/* InterIMAP's form of a name: NUL between its levels. */
static gboolean
match_regex (const GRegex *regex, const char *text)
{
  const gsize length = strlen (text);
  g_autofree char *subject = g_memdup2 (text, length + 1);

  for (gsize i = 0; i < length; i++) {
    if (subject[i] == MAILBOX_NAME_SEPARATOR)
      subject[i] = '\0';
  }
  return g_regex_match_full (regex, subject, length, 0, 0, NULL, NULL);
}

/* As people read the name, and in modified UTF-7, as InterIMAP does. */
static gboolean
is_ignored (SyncChoice *choice, const char *name)
{
  const GRegex *regex = choice->engine->config->ignore_mailbox;
  const char separator[] = {MAILBOX_NAME_SEPARATOR, '\0'};
  g_auto (GStrv) levels = NULL;
  g_autofree char *encoded = NULL;

  if (regex == NULL)
    return FALSE;
  if (match_regex (regex, name))
    return TRUE;
  levels = g_strsplit (name, separator, -1);
  for (char **level = levels; *level != NULL; level++) {
    char *text = mailbox_name_encode (*level);

    g_free (*level);
    *level = text;
  }
  encoded = g_strjoinv (separator, levels);
  return match_regex (regex, encoded);
}

/* --- what is meant --------------------------------------------------------------------------- */

gboolean
sync_choice_means (SyncChoice *choice, const char *name)
{
  if (choice->names == NULL)
    return is_listed (choice, name) && !is_ignored (choice, name);
  for (const char *const *one = choice->names; *one != NULL; one++) {
    if (sync_choice_match (*one, name, 0))
      return TRUE;
  }
  return FALSE;
}

gboolean
sync_choice_is_whole (const SyncChoice *choice)
{
  return choice->names == NULL;
}

static void
add_parents (GHashTable *parents, const char *name)
{
  for (const char *p = strchr (name, MAILBOX_NAME_SEPARATOR); p != NULL;
       p = strchr (p + 1, MAILBOX_NAME_SEPARATOR))
    g_hash_table_add (parents, g_strndup (name, p - name));
}

/* RECURSIVEMATCH (RFC 5258, section 3.5): what has something subscribed below it. */
static gboolean
is_parent (SyncChoice *choice, const char *name)
{
  if (choice->parents == NULL) {
    choice->parents = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    for (Side side = 0; side < N_SIDES; side++) {
      for (guint i = 0; choice->trees[side] != NULL && i < choice->trees[side]->len; i++) {
        const TreeNode *node = g_ptr_array_index (choice->trees[side], i);

        if (node->subscribed && !node->unusable)
          add_parents (choice->parents, node->name);
      }
    }
  }
  return g_hash_table_contains (choice->parents, name);
}

gboolean
sync_choice_includes (SyncChoice *choice, const char *name, gboolean subscribed)
{
  const guint select = choice->engine->config->select;

  if (!sync_choice_means (choice, name))
    return FALSE;
  if (choice->names != NULL || subscribed || !(select & ACCOUNT_SELECT_SUBSCRIBED))
    return TRUE;
  return select & ACCOUNT_SELECT_RECURSIVEMATCH && is_parent (choice, name);
}

void
sync_choice_note_done (SyncChoice *choice, const char *name)
{
  g_ptr_array_add (choice->done, g_strdup (name));
}

gboolean
sync_choice_did (const SyncChoice *choice, const char *pattern)
{
  for (guint i = 0; i < choice->done->len; i++) {
    if (sync_choice_match (pattern, g_ptr_array_index (choice->done, i), 0))
      return TRUE;
  }
  return FALSE;
}
