/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/live-store.h"

#include "sync/commit.h"

static void
fill_identity (StoreIdentity *identity, const ServerSettings *server)
{
  if (server_type_is_network (server->type)) {
    identity->type = g_strdup ("imap");
    identity->host = g_ascii_strdown (server->host, -1);
    /* 143 and 993 are two doors of one house. */
    identity->port = server->port == 993 ? 143 : server->port;
  } else {
    gboolean tunnel = server->type == SERVER_TUNNEL;

    identity->type = g_strdup (tunnel ? "tunnel" : "store");
    identity->host = g_strdup (tunnel ? server->command : server->store_folder);
    identity->port = 0;
  }
  identity->username = g_strdup (server->username != NULL ? server->username : "");
  /* Another branch of the tree has other mailboxes. */
  if (server->list_reference != NULL) {
    g_autofree char *username = identity->username;
    identity->username = g_strdup_printf ("%s, below %s", username, server->list_reference);
  }
}

Store *
sync_live_open_store (const AccountConfig *config, gboolean copy, GError **error)
{
  StoreIdentity identity[N_SIDES];
  Store *store;

  for (Side side = 0; side < N_SIDES; side++)
    fill_identity (&identity[side], config->server[side]);
  store = copy ? store_open_copy (config->database, identity, error)
               : store_open (config->database, identity, error);
  for (Side side = 0; side < N_SIDES; side++) {
    g_free (identity[side].type);
    g_free (identity[side].host);
    g_free (identity[side].username);
  }
  return store;
}

static gboolean
count_messages (Store *store, GPtrArray *mailboxes, guint64 *messages, GError **error)
{
  gboolean ok = TRUE;

  *messages = 0;
  store_begin_reading (store);
  for (guint i = 0; ok && i < mailboxes->len; i++) {
    const StoreMailbox *mailbox = g_ptr_array_index (mailboxes, i);
    guint64 count = 0;

    ok = store_pairs_count (store, mailbox->id, &count, error);
    *messages += count;
  }
  store_end_reading (store);
  return ok;
}

gboolean
sync_live_count (Store *store, SyncLiveCounts *counts, GError **error)
{
  g_autoptr (GPtrArray) mailboxes = store_mailboxes (store, error);
  g_autoptr (GPtrArray) conflicts = NULL;
  g_autoptr (GPtrArray) holds = NULL;

  if (mailboxes == NULL || (conflicts = store_conflicts (store, error)) == NULL ||
      (holds = store_holds (store, 0, error)) == NULL)
    return FALSE;
  counts->conflicts = conflicts->len;
  counts->waiting = 0;
  for (guint i = 0; i < holds->len; i++)
    counts->waiting += ((StoreHold *)g_ptr_array_index (holds, i))->kind == STORE_HOLD_METERED;
  counts->held = holds->len - counts->waiting;
  return count_messages (store, mailboxes, &counts->messages, error);
}

/* --- pause ----------------------------------------------------------------------------------- */

gboolean
sync_live_load_pause (Store *store, gint64 *until)
{
  g_autofree char *value = store_setting (store, "paused-until", NULL);

  *until = value != NULL ? g_ascii_strtoll (value, NULL, 10) : 0;
  return value != NULL;
}

void
sync_live_save_pause (Store *store, gboolean paused, gint64 until)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value = g_strdup_printf ("%" G_GINT64_FORMAT, until);

  if (store == NULL)
    return;
  if (!store_begin (store, &error) ||
      !store_set_setting (store, "paused-until", paused ? value : NULL, &error) ||
      !store_commit (store, &error)) {
    store_rollback (store);
    g_warning ("%s", error->message);
  }
}

/* --- conflicts ------------------------------------------------------------------------------- */

SyncConflictRecord *
sync_live_make_record (SyncEngine *engine, const StoreConflict *conflict)
{
  SyncConflictRecord *record = g_new0 (SyncConflictRecord, 1);
  char delimiter =
      engine->peer[SIDE_LOCAL] != NULL ? engine->peer[SIDE_LOCAL]->naming.delimiter : '/';

  record->id = conflict->id;
  record->time = conflict->time;
  record->kind = g_strdup (conflict->kind);
  record->mailbox = mailbox_name_display (conflict->mailbox, delimiter);
  record->details = g_strdup (conflict->details != NULL ? conflict->details : "");
  for (Side side = 0; side < N_SIDES; side++)
    record->uid[side] = conflict->uid[side];
  return record;
}

void
sync_conflict_record_free (SyncConflictRecord *record)
{
  if (record == NULL)
    return;
  g_free ((char *)record->kind);
  g_free ((char *)record->mailbox);
  g_free ((char *)record->details);
  g_free (record);
}

GPtrArray *
sync_live_load_conflicts (SyncEngine *engine, GError **error)
{
  g_autoptr (GPtrArray) stored = NULL;
  GPtrArray *records;

  if (engine->store == NULL) {
    g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                         "the database is not open");
    return NULL;
  }
  if ((stored = store_conflicts (engine->store, error)) == NULL)
    return NULL;
  records = g_ptr_array_new_with_free_func ((GDestroyNotify)sync_conflict_record_free);
  for (guint i = 0; i < stored->len; i++)
    g_ptr_array_add (records, sync_live_make_record (engine, g_ptr_array_index (stored, i)));
  return records;
}

/* The choices of each kind, as the D-Bus interface lists them. */
static const struct {
  const char *kind;
  const char *choices[4];
} kinds[] = {
    {"flags", {"dismiss"}},
    {"delete-vs-change", {"dismiss"}},
    {"mailbox-delete-vs-change", {"keep", "delete"}},
    {"mass-deletion", {"apply", "restore", "later"}},
    {"refused", {"retry", "skip"}},
    {"unreadable", {"retry", "skip"}},
    {"read-only", {"retry", "dismiss"}},
    {"uidvalidity", {"dismiss"}},
    {"mailbox-name", {"retry", "dismiss"}},
};

static gboolean
check_choice (const StoreConflict *conflict, const char *choice, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree char *list = NULL;

    if (!g_str_equal (kinds[i].kind, conflict->kind))
      continue;
    if (g_strv_contains ((const char *const *)kinds[i].choices, choice))
      return TRUE;
    list = g_strjoinv (", ", (char **)kinds[i].choices);
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "a conflict of the kind %s has no choice \"%s\", only: %s", conflict->kind, choice,
                 list);
    return FALSE;
  }
  return TRUE;
}

static StoreConflict *
find_conflict (GPtrArray *conflicts, guint64 id, GError **error)
{
  for (guint i = 0; i < conflicts->len; i++) {
    StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if ((guint64)conflict->id == id)
      return conflict;
  }
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "there is no open conflict %" G_GUINT64_FORMAT, id);
  return NULL;
}

/* A held message is tried again by the next pass (retry), or never by itself (skip). */
static gboolean
change_hold (Store *store, const StoreConflict *conflict, gboolean retry, GError **error)
{
  g_autoptr (GPtrArray) holds = store_holds (store, 0, error);
  g_autoptr (GPtrArray) mailboxes = store_mailboxes (store, error);

  if (holds == NULL || mailboxes == NULL)
    return FALSE;
  for (guint i = 0; i < mailboxes->len; i++) {
    const StoreMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    if (!g_str_equal (mailbox->name, conflict->mailbox))
      continue;
    for (guint j = 0; j < holds->len; j++) {
      StoreHold *hold = g_ptr_array_index (holds, j);

      if (hold->mailbox != mailbox->id || hold->uid == 0 || conflict->uid[hold->side] != hold->uid)
        continue;
      hold->retry_at = retry ? 1 : 0;
      if (!store_hold_save (store, hold, error))
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean
write_choice (Store *store, StoreConflict *conflict, const char *choice, gboolean *again,
              gboolean *gone, GError **error)
{
  gboolean later = g_str_equal (choice, "later");

  *again = !g_str_equal (choice, "dismiss") && !g_str_equal (choice, "skip") &&
           !g_str_equal (choice, "keep") && !later;
  *gone = FALSE;
  if (later)
    return TRUE;
  if (g_str_equal (conflict->kind, "mass-deletion") || g_str_equal (choice, "delete")) {
    g_free (conflict->choice);
    conflict->choice = g_strdup (choice);
    return store_conflict_save (store, conflict, error);
  }
  *gone = TRUE;
  if (g_str_equal (conflict->kind, "mailbox-name") && g_str_equal (choice, "retry") &&
      !store_refusals_forget (store, conflict->mailbox, error))
    return FALSE;
  if ((g_str_equal (choice, "retry") || g_str_equal (choice, "skip")) &&
      !change_hold (store, conflict, g_str_equal (choice, "retry"), error))
    return FALSE;
  return store_conflict_delete (store, conflict->id, error);
}

gboolean
sync_live_choose (SyncEngine *engine, guint64 id, const char *choice, gboolean *again,
                  gboolean *gone, GError **error)
{
  g_autoptr (GPtrArray) conflicts = NULL;
  StoreConflict *conflict;

  if (engine->store == NULL) {
    g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE,
                         "the database is not open");
    return FALSE;
  }
  /* A pass may be in the middle of its own transaction. */
  if (!sync_commit_flush (engine) || (conflicts = store_conflicts (engine->store, error)) == NULL ||
      (conflict = find_conflict (conflicts, id, error)) == NULL ||
      !check_choice (conflict, choice, error) || !store_begin (engine->store, error))
    return FALSE;
  if (!write_choice (engine->store, conflict, choice, again, gone, error)) {
    store_rollback (engine->store);
    return FALSE;
  }
  return store_commit (engine->store, error);
}
