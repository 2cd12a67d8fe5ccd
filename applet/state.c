/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "state.h"

#include <string.h>

Clock
clock_now (void)
{
  return (Clock){
      .wall = g_get_real_time () / G_USEC_PER_SEC,
      .awake = g_get_monotonic_time () / G_USEC_PER_SEC,
  };
}

/* --- records --------------------------------------------------------------------------------- */

Conflict *
conflict_new (guint64 id, const char *kind, const char *mailbox)
{
  Conflict *conflict = g_new0 (Conflict, 1);

  conflict->id = id;
  conflict->kind = g_strdup (kind);
  conflict->mailbox = g_strdup (mailbox);
  return conflict;
}

void
conflict_free (Conflict *conflict)
{
  g_free (conflict->kind);
  g_free (conflict->mailbox);
  g_free (conflict->side);
  g_free (conflict->reason);
  g_free (conflict->subject);
  g_free (conflict);
}

gboolean
conflict_is_waiting (const Conflict *conflict)
{
  static const char *const told[] = {"flags", "delete-vs-change", "mailbox-delete-vs-change",
                                     "uidvalidity", NULL};

  return !g_strv_contains (told, conflict->kind);
}

static void
account_free (gpointer data)
{
  Account *account = data;

  g_free (account->path);
  g_free (account->id);
  g_free (account->name);
  g_free (account->local);
  g_free (account->remote);
  g_free (account->error_code);
  g_free (account->error_message);
  g_free (account->trouble_code);
  g_ptr_array_unref (account->open);
  g_free (account);
}

State *
state_new (void)
{
  State *state = g_new0 (State, 1);

  state->accounts = g_ptr_array_new_with_free_func (account_free);
  return state;
}

void
state_free (State *state)
{
  if (state == NULL)
    return;
  g_ptr_array_unref (state->accounts);
  g_free (state);
}

Account *
state_add_account (State *state, const char *path)
{
  Account *account = g_new0 (Account, 1);
  const char *slash = strrchr (path, '/');

  account->path = g_strdup (path);
  account->id = g_strdup (slash != NULL ? slash + 1 : path);
  account->name = g_strdup (account->id);
  account->local = g_strdup ("");
  account->remote = g_strdup ("");
  account->error_code = g_strdup ("");
  account->error_message = g_strdup ("");
  account->trouble_code = g_strdup ("");
  account->open = g_ptr_array_new_with_free_func ((GDestroyNotify)conflict_free);
  g_ptr_array_add (state->accounts, account);
  return account;
}

static gint
find_index (const State *state, const char *path)
{
  for (guint i = 0; i < state->accounts->len; i++) {
    const Account *account = g_ptr_array_index (state->accounts, i);

    if (g_str_equal (account->path, path))
      return (gint)i;
  }
  return -1;
}

Account *
state_find_account (const State *state, const char *path)
{
  gint i = find_index (state, path);

  return i < 0 ? NULL : g_ptr_array_index (state->accounts, i);
}

void
state_remove_account (State *state, const char *path)
{
  gint i = find_index (state, path);

  if (i >= 0)
    g_ptr_array_remove_index (state->accounts, (guint)i);
}

static gint
compare_accounts (gconstpointer a, gconstpointer b)
{
  const Account *left = *(Account *const *)a, *right = *(Account *const *)b;
  gint order = g_utf8_collate (left->name, right->name);

  return order != 0 ? order : strcmp (left->path, right->path);
}

void
state_sort (State *state)
{
  g_ptr_array_sort (state->accounts, compare_accounts);
}

/* --- what they mean -------------------------------------------------------------------------- */

Status
status_from_name (const char *name)
{
  static const char *const names[] = {
      [STATUS_UNKNOWN] = "",
      [STATUS_OFFLINE] = "offline",
      [STATUS_CONNECTING] = "connecting",
      [STATUS_SYNCING] = "syncing",
      [STATUS_WATCHING] = "watching",
      [STATUS_PAUSED] = "paused",
      [STATUS_KEYRING_LOCKED] = "keyring-locked",
      [STATUS_AUTH_FAILED] = "auth-failed",
      [STATUS_ERROR] = "error",
  };

  for (guint i = 1; i < G_N_ELEMENTS (names); i++) {
    if (g_strcmp0 (name, names[i]) == 0)
      return (Status)i;
  }
  return STATUS_UNKNOWN;
}

static gboolean
mends_itself (Status status, const char *code)
{
  static const char *const codes[] = {"dns", "refused", "timeout", "portal", NULL};

  return status == STATUS_OFFLINE || (status == STATUS_ERROR && g_strv_contains (codes, code));
}

gboolean
account_is_unreached (const Account *account)
{
  return mends_itself (account->trouble, account->trouble_code);
}

static void
forget_trouble (Account *account)
{
  account->trouble = STATUS_UNKNOWN;
  g_free (account->trouble_code);
  account->trouble_code = g_strdup ("");
  account->unreached_since = 0;
}

void
account_note_status (Account *account, Status before, gint64 awake)
{
  gboolean again;

  switch (account->status) {
  case STATUS_WATCHING:
  case STATUS_SYNCING:
  case STATUS_PAUSED:
    forget_trouble (account);
    return;
  case STATUS_CONNECTING:
    return;
  case STATUS_UNKNOWN:
  case STATUS_OFFLINE:
  case STATUS_KEYRING_LOCKED:
  case STATUS_AUTH_FAILED:
  case STATUS_ERROR:
    break;
  }
  /* A password is only tried again when somebody asked for it, who wants to know the answer. */
  again = account->status == STATUS_AUTH_FAILED && before != STATUS_AUTH_FAILED;
  if (again || account->status != account->trouble ||
      !g_str_equal (account->error_code, account->trouble_code)) {
    account->trouble = account->status;
    g_free (account->trouble_code);
    account->trouble_code = g_strdup (account->error_code);
    account->trouble_since = awake;
    account->trouble_serial++;
  }
  if (!account_is_unreached (account))
    account->unreached_since = 0;
  else if (account->unreached_since == 0)
    account->unreached_since = MAX (awake, 1);
}

static gboolean
is_waiting (const Account *account)
{
  for (guint i = 0; i < account->open->len; i++) {
    if (conflict_is_waiting (g_ptr_array_index (account->open, i)))
      return TRUE;
  }
  return account->held > 0;
}

static Mood
mood_of_trouble (const Account *account)
{
  return account_is_unreached (account) ? MOOD_OFFLINE : MOOD_ATTENTION;
}

Mood
account_mood (const Account *account)
{
  switch (account->status) {
  case STATUS_PAUSED:
    return MOOD_PAUSED;
  case STATUS_SYNCING:
    return is_waiting (account) ? MOOD_ATTENTION : MOOD_SYNCING;
  case STATUS_WATCHING:
    if (is_waiting (account))
      return MOOD_ATTENTION;
    return account->waiting > 0 ? MOOD_PAUSED : MOOD_IN_SYNC;
  case STATUS_CONNECTING:
    if (account->trouble == STATUS_UNKNOWN)
      return is_waiting (account) ? MOOD_ATTENTION : MOOD_SYNCING;
    return mood_of_trouble (account);
  case STATUS_UNKNOWN:
  case STATUS_OFFLINE:
  case STATUS_KEYRING_LOCKED:
  case STATUS_AUTH_FAILED:
  case STATUS_ERROR:
    break;
  }
  return mood_of_trouble (account);
}

Mood
state_mood (const State *state, const Account **worst)
{
  Mood mood = MOOD_IN_SYNC;

  *worst = NULL;
  if (state->life == LIFE_STARTING)
    return MOOD_SYNCING;
  if (state->life == LIFE_ABSENT || state->accounts->len == 0)
    return MOOD_OFFLINE;
  for (guint i = 0; i < state->accounts->len; i++) {
    const Account *account = g_ptr_array_index (state->accounts, i);

    if (*worst == NULL || account_mood (account) > mood) {
      mood = account_mood (account);
      *worst = account;
    }
  }
  return mood;
}

guint
state_count_conflicts (const State *state)
{
  guint n = 0;

  for (guint i = 0; i < state->accounts->len; i++)
    n += ((const Account *)g_ptr_array_index (state->accounts, i))->open->len;
  return n;
}

guint
state_count_mood (const State *state, Mood mood)
{
  guint n = 0;

  for (guint i = 0; i < state->accounts->len; i++)
    n += account_mood (g_ptr_array_index (state->accounts, i)) == mood;
  return n;
}
