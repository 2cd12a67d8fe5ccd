/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/account.h"

#include "log-account.h"
#include "run.h"
#include "sync/import.h"
#include "sync/inspect.h"

#include <gio/gio.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* imapsync with an engine that does at once what a test asks for, by the names of mailboxes: so the
 * tests see every status, error and signal of the bus without a server that has to be ill. */
struct _SyncAccount {
  AccountConfig *config;
  SyncMode mode;
  SyncListener listener;
  gpointer data;
  SyncSnapshot snapshot;
  char *message;
  guint ticks;
  gboolean stopped;
};

static void say (SyncAccount *account, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
say (SyncAccount *account, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  log_account_set (account->config->id);
  g_message ("%s", text);
  log_account_set (NULL);
}

const char *
sync_status_name (SyncStatus status)
{
  static const char *const names[] = {"watching", "syncing",        "connecting",  "paused",
                                      "offline",  "keyring-locked", "auth-failed", "error"};
  return names[status];
}

static void
tell (SyncAccount *account, SyncStatus status)
{
  account->snapshot.status = status;
  if (account->listener.changed != NULL && !account->stopped)
    account->listener.changed (account, &account->snapshot, account->data);
}

void
sync_accounts_agree (const GPtrArray *configs)
{
}

gboolean
import_interimap (const AccountConfig *config, const char *path, ImportFigures *figures,
                  GError **error)
{
  *figures = (ImportFigures){0};
  return TRUE;
}

Inspection *
inspection_new (void)
{
  return g_new0 (Inspection, 1);
}

void
inspection_free (Inspection *inspection)
{
  g_free (inspection);
}

Inspection *
inspect_server (const ServerSettings *server, gboolean trace)
{
  return inspection_new ();
}

SyncAccount *
sync_account_new (const AccountConfig *config, const SyncRequest *request,
                  const SyncListener *listener, gpointer data)
{
  SyncAccount *account = g_new0 (SyncAccount, 1);

  account->config = account_config_copy (config);
  account->mode = request->mode;
  account->listener = *listener;
  account->data = data;
  account->snapshot = (SyncSnapshot){.error_code = "",
                                     .error_message = "",
                                     .last_sync = 1600000000,
                                     .mailboxes = 3,
                                     .messages = 1234,
                                     .conflicts = 2,
                                     .held = 1,
                                     .waiting = 4};
  return account;
}

static gboolean
finish (SyncAccount *account, SyncResult result)
{
  account->stopped = TRUE;
  account->listener.finished (account, result, account->data);
  return G_SOURCE_REMOVE;
}

static gboolean
begin (gpointer data)
{
  SyncAccount *account = data;
  gboolean asked = FALSE;

  if (account->mode != SYNC_STAY)
    return finish (account, SYNC_RESULT_OK);
  for (Side side = 0; side < N_SIDES; side++) {
    const ServerSettings *server = account->config->server[side];
    if (server->username == NULL || server->password != NULL)
      continue;
    asked = TRUE;
    account->listener.password_wanted (account, side, account->data);
  }
  tell (account, asked ? SYNC_STATUS_CONNECTING : SYNC_STATUS_WATCHING);
  return G_SOURCE_REMOVE;
}

void
sync_account_start (SyncAccount *account)
{
  say (account, "started, mode %d", account->mode);
  g_idle_add (begin, account);
}

static gboolean
stopped (gpointer data)
{
  return finish (data, SYNC_RESULT_OK);
}

void
sync_account_stop (SyncAccount *account)
{
  say (account, "stopping");
  if (!account->stopped)
    g_timeout_add (50, stopped, account);
}

void
sync_account_free (SyncAccount *account)
{
  while (g_source_remove_by_user_data (account))
    ;
  account_config_free (account->config);
  g_free (account->message);
  g_free (account);
}

/* --- commands -------------------------------------------------------------------------------- */

static gboolean
tick (gpointer data)
{
  SyncAccount *account = data;

  account->snapshot.progress = ++account->ticks / 3;
  account->snapshot.remaining = 300 - account->ticks;
  tell (account, account->ticks < 300 ? SYNC_STATUS_SYNCING : SYNC_STATUS_WATCHING);
  return account->ticks < 300;
}

static void
set_error (SyncAccount *account, const char *code)
{
  static char kept[64];

  g_strlcpy (kept, code, sizeof kept);
  account->snapshot.error_code = kept;
  account->snapshot.error_message = *code != '\0' ? "what \xff went wrong" : "";
  tell (account, *code != '\0' ? SYNC_STATUS_ERROR : SYNC_STATUS_WATCHING);
}

static GError *
error_named (const char *name)
{
  for (int code = 0; code <= IMAPSYNC_ERROR_DISK_FULL; code++) {
    g_autoptr (GError) error = g_error_new (IMAPSYNC_ERROR, code, "it failed: %s", name);
    if (g_str_equal (imapsync_error_code (error), name))
      return g_steal_pointer (&error);
  }
  return g_error_new (G_IO_ERROR, G_IO_ERROR_EXISTS, "it failed: %s", name);
}

static const SyncConflictRecord conflicts[] = {
    {7, 1600000001, "mass-deletion", "INBOX", {0, 0}, "messages=20\n"},
    {9,
     1600000002,
     "refused",
     "Lists/\xc3\xa4",
     {12, 0},
     "reason=too \\\"big\\\"\\nreally\nsize=9"},
    {18446744073709551615u, -5, "flags", "a", {1, 2}, "bad=\\377\nnothing\n=x\n"},
};

static const SyncReport figures = {.ok = TRUE,
                                   .copied = {1, 2},
                                   .moved = {3, 4},
                                   .flags = {5, 6},
                                   .expunged = {7, 8},
                                   .bytes = {9, 10},
                                   .seconds = 1.5,
                                   .problems = 11,
                                   .new_mail = 12};

typedef struct {
  SyncAccount *account;
  SyncDone done;
  gpointer data;
  GError *error;
} Answer;

static gboolean
answer (gpointer data)
{
  g_autofree Answer *self = data;

  if (self->done != NULL)
    self->done (self->account, self->error == NULL ? &figures : NULL, self->error, self->data);
  g_clear_error (&self->error);
  return G_SOURCE_REMOVE;
}

static void
answer_later (SyncAccount *account, SyncDone done, gpointer data, GError *error)
{
  Answer *self = g_new0 (Answer, 1);

  *self = (Answer){account, done, data, error};
  g_idle_add (answer, self);
}

static gboolean
act (SyncAccount *account, const char *name, GError **error)
{
  SyncReport report = figures;

  if (g_str_equal (name, "hang"))
    return FALSE;
  if (g_str_equal (name, "progress")) {
    account->ticks = 0;
    g_timeout_add (10, tick, account);
  } else if (g_str_equal (name, "conflict")) {
    account->listener.conflict (account, &conflicts[1], account->data);
  } else if (g_str_equal (name, "passed")) {
    account->listener.passed (account, &report, account->data);
  } else if (g_str_equal (name, "unwell")) {
    report.ok = FALSE;
    account->listener.passed (account, &report, account->data);
  } else if (g_str_has_prefix (name, "error=")) {
    set_error (account, name + strlen ("error="));
  } else if (g_str_has_prefix (name, "status=")) {
    tell (account, atoi (name + strlen ("status=")));
  } else if (g_str_has_prefix (name, "fail=")) {
    *error = error_named (name + strlen ("fail="));
  } else if (g_str_has_prefix (name, "end=")) {
    finish (account, atoi (name + strlen ("end=")));
    return FALSE;
  }
  return TRUE;
}

typedef struct {
  SyncAccount *account;
  char **mailboxes;
  SyncDone done;
  gpointer data;
} Pass;

static gboolean
do_pass (gpointer data)
{
  g_autofree Pass *pass = data;
  GError *error = NULL;
  gboolean over = TRUE;

  for (char **name = pass->mailboxes; name != NULL && *name != NULL && over; name++)
    over = act (pass->account, *name, &error);
  if (over)
    answer_later (pass->account, pass->done, pass->data, error);
  g_strfreev (pass->mailboxes);
  return G_SOURCE_REMOVE;
}

void
sync_account_sync (SyncAccount *account, const char *const *mailboxes, gboolean repair,
                   SyncDone done, gpointer data)
{
  g_autofree char *names =
      mailboxes != NULL && *mailboxes != NULL ? g_strjoinv ("|", (char **)mailboxes) : NULL;
  Pass *pass = g_new0 (Pass, 1);

  if (g_strcmp0 (names, "quietly") != 0)
    say (account, "%s %s", repair ? "repair" : "sync", names != NULL ? names : "all");
  *pass = (Pass){account, g_strdupv ((char **)mailboxes), done, data};
  g_idle_add (do_pass, pass);
}

void
sync_account_pause (SyncAccount *account, gint64 until)
{
  say (account, "pause %" G_GINT64_FORMAT, until);
  account->snapshot.paused_until = until;
  tell (account, SYNC_STATUS_PAUSED);
}

void
sync_account_resume (SyncAccount *account)
{
  say (account, "resume");
  account->snapshot.paused_until = 0;
  tell (account, SYNC_STATUS_WATCHING);
}

void
sync_account_network (SyncAccount *account, SyncNetwork network)
{
  static const char *const names[] = {"none", "portal", "metered", "full"};

  say (account, "network %s", names[network]);
}

void
sync_account_sleep (SyncAccount *account, gboolean sleeping)
{
  say (account, "sleep %d", sleeping);
  tell (account, sleeping ? SYNC_STATUS_OFFLINE : SYNC_STATUS_WATCHING);
}

void
sync_account_set_password (SyncAccount *account, Side side, Password *password, gboolean locked)
{
  say (account, "password of %s: %s%s", side_name (side),
       password != NULL ? password_text (password) : "none", locked ? ", locked" : "");
  tell (account, password != NULL ? SYNC_STATUS_WATCHING
                 : locked         ? SYNC_STATUS_KEYRING_LOCKED
                                  : SYNC_STATUS_AUTH_FAILED);
}

void
sync_account_list_conflicts (SyncAccount *account, SyncConflictsDone done, gpointer data)
{
  done (account, conflicts, G_N_ELEMENTS (conflicts), NULL, data);
}

void
sync_account_resolve (SyncAccount *account, guint64 id, const char *choice, SyncDone done,
                      gpointer data)
{
  GError *error = NULL;

  if (id != 7)
    error = g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                         "there is no conflict %" G_GUINT64_FORMAT, id);
  else if (!g_str_equal (choice, "apply"))
    error = g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "conflict 7 has no choice \"%s\"",
                         choice);
  if (error == NULL)
    account->listener.resolved (account, id, account->data);
  answer_later (account, done, data, error);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  return run (argc, (const char *const *)argv);
}
