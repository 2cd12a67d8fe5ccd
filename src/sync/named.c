/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/named.h"

#include "log-account.h"
#include "sync/tree.h"

static gboolean
is_synchronized (const SyncEngine *engine, const char *pattern)
{
  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);

    if (sync_choice_match (pattern, mailbox->name, 0))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_shared (const SyncEngine *engine, const char *pattern)
{
  return mailbox_naming_shares (&engine->peer[SIDE_LOCAL]->naming, pattern) ||
         mailbox_naming_shares (&engine->peer[SIDE_REMOTE]->naming, pattern);
}

/* A mailbox of that name, else a level in others' names, else NULL. */
static const TreeNode *
find_listed (const SyncEngine *engine, GPtrArray *const trees[N_SIDES], const char *pattern)
{
  const TreeNode *level = NULL;

  for (Side side = 0; side < N_SIDES; side++) {
    const char delimiter = engine->peer[side]->naming.delimiter;

    for (guint i = 0; i < trees[side]->len; i++) {
      const TreeNode *node = g_ptr_array_index (trees[side], i);
      g_autofree char *levels = g_strdup (node->name);

      if (node->unusable && delimiter != 0)
        g_strdelimit (levels, (char[]){delimiter, '\0'}, MAILBOX_NAME_SEPARATOR);
      if (!sync_choice_match (pattern, levels, 0))
        continue;
      if (node->selectable)
        return node;
      level = node;
    }
  }
  return level;
}

/* Its own, else the one for which all deletions wait. */
static const StoreConflict *
find_conflict (const GPtrArray *conflicts, const char *pattern)
{
  const StoreConflict *all = NULL;

  for (guint i = 0; i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (conflict->uid[SIDE_LOCAL] != 0 || conflict->uid[SIDE_REMOTE] != 0)
      continue;
    if (*conflict->mailbox != '\0' && sync_choice_match (pattern, conflict->mailbox, 0))
      return conflict;
    if (*conflict->mailbox == '\0' && g_str_equal (conflict->kind, "mass-deletion"))
      all = conflict;
  }
  return all;
}

static void
tell_waiting (const GPtrArray *conflicts, const char *pattern, const char *display)
{
  const StoreConflict *conflict = find_conflict (conflicts, pattern);

  if (conflict != NULL)
    log_mailbox_warning (display,
                         "it is not synchronized, because of conflict %" G_GINT64_FORMAT " (%s)",
                         conflict->id, conflict->kind);
  else
    log_mailbox_warning (display, "it is not synchronized yet: it waits for other mailboxes");
}

static void
tell (SyncEngine *engine, GPtrArray *const trees[N_SIDES], const GPtrArray *conflicts,
      const char *pattern)
{
  const TreeNode *node = find_listed (engine, trees, pattern);
  g_autofree char *display =
      mailbox_name_display (pattern, engine->peer[SIDE_LOCAL]->naming.delimiter);

  if (node != NULL && node->selectable)
    tell_waiting (conflicts, pattern, display);
  else if (node != NULL)
    log_mailbox_warning (display, "it is no mailbox, only a level in the names of others");
  else if (is_shared (engine, pattern))
    log_mailbox_warning (display, "it is in a namespace that is shared with others: left alone");
  else
    log_mailbox_warning (display, "there is no such mailbox on either server");
  engine->figures.problems++;
  engine->incomplete = TRUE;
}

gboolean
sync_named_tell (SyncEngine *engine, SyncChoice *choice, const char *const *mailboxes,
                 GPtrArray *const trees[N_SIDES], GError **error)
{
  g_autoptr (GPtrArray) conflicts = NULL;

  for (gsize i = 0; mailboxes != NULL && mailboxes[i] != NULL; i++) {
    if (is_synchronized (engine, mailboxes[i]) || sync_choice_did (choice, mailboxes[i]))
      continue;
    if (conflicts == NULL && (conflicts = store_conflicts (engine->store, error)) == NULL)
      return FALSE;
    tell (engine, trees, conflicts, mailboxes[i]);
  }
  return TRUE;
}
