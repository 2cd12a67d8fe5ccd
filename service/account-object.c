/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-object.h"

#include "bus-names.h"
#include "imapsync-dbus.h"
#include "pace.h"

#include <string.h>

struct _AccountObject {
  char *id;
  SyncAccount *account; /* NULL: at its end */
  Secrets *secrets;
  ImapsyncObjectSkeleton *skeleton;
  ImapsyncAccount *iface;
  Pace *pace;
  GHashTable *calls; /* Call: the engine has still to answer */
  SyncStatus status;
};

/* A method call that the engine answers. */
typedef struct {
  AccountObject *object;
  GDBusMethodInvocation *invocation; /* its reference goes with the reply */
  GVariant *(*reply) (const SyncReport *report);
  gboolean has_argument; /* whose fault a configuration error would be */
} Call;

/* --- replies --------------------------------------------------------------------------------- */

static void
add_count (GVariantBuilder *figures, const char *what, const guint64 *counts)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_autofree char *key = g_strdup_printf ("%s-%s", what, side_name (side));
    g_variant_builder_add (figures, "{sv}", key, g_variant_new_uint64 (counts[side]));
  }
}

GVariant *
account_figures (const SyncReport *report)
{
  GVariantBuilder figures;

  g_variant_builder_init (&figures, G_VARIANT_TYPE_VARDICT);
  add_count (&figures, "copied", report->copied);
  add_count (&figures, "moved", report->moved);
  add_count (&figures, "flags", report->flags);
  add_count (&figures, "expunged", report->expunged);
  add_count (&figures, "bytes", report->bytes);
  g_variant_builder_add (&figures, "{sv}", "seconds", g_variant_new_double (report->seconds));
  g_variant_builder_add (&figures, "{sv}", "problems", g_variant_new_uint64 (report->problems));
  g_variant_builder_add (&figures, "{sv}", "new-mail", g_variant_new_uint64 (report->new_mail));
  return g_variant_builder_end (&figures);
}

static GVariant *
reply_figures (const SyncReport *report)
{
  static const SyncReport nothing = {.ok = TRUE};
  return g_variant_new ("(@a{sv})", account_figures (report != NULL ? report : &nothing));
}

static GVariant *
reply_nothing (const SyncReport *report)
{
  return NULL;
}

static void
call_free (Call *call)
{
  g_hash_table_remove (call->object->calls, call);
  g_free (call);
}

static Call *
call_new (AccountObject *object, GDBusMethodInvocation *invocation,
          GVariant *(*reply) (const SyncReport *report), gboolean has_argument)
{
  Call *call = g_new0 (Call, 1);

  *call = (Call){object, invocation, reply, has_argument};
  g_hash_table_add (object->calls, call);
  return call;
}

static void
fail (GDBusMethodInvocation *invocation, BusError code, const char *message)
{
  g_dbus_method_invocation_return_error_literal (invocation, BUS_ERROR, code, message);
}

static void
return_failure (Call *call, const GError *error)
{
  if (!g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG))
    bus_return_error (call->invocation, error);
  else if (call->object->status == SYNC_STATUS_PAUSED && call->reply == reply_figures)
    fail (call->invocation, BUS_ERROR_PAUSED, "the account is paused");
  else if (call->has_argument)
    fail (call->invocation, BUS_ERROR_INVALID_ARGUMENT, error->message);
  else
    bus_return_error (call->invocation, error);
}

static void
on_done (SyncAccount *account, const SyncReport *report, const GError *error, gpointer data)
{
  Call *call = data;

  if (error != NULL)
    return_failure (call, error);
  else
    g_dbus_method_invocation_return_value (call->invocation, call->reply (report));
  call_free (call);
}

/* --- arguments ------------------------------------------------------------------------------- */

gboolean
account_check_time (guint64 time, GError **error)
{
  if (time == 0 || (time <= G_MAXINT64 && (gint64)time > g_get_real_time () / G_USEC_PER_SEC))
    return TRUE;
  g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT,
               "time %" G_GUINT64_FORMAT " is not in the future: seconds since 1970, or 0", time);
  return FALSE;
}

static gboolean
check_mailboxes (const char *const *mailboxes, GError **error)
{
  for (guint i = 0; mailboxes[i] != NULL; i++) {
    if (*mailboxes[i] != '\0')
      continue;
    g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT,
                 "mailboxes: number %u is empty, which is no mailbox's name", i + 1);
    return FALSE;
  }
  return TRUE;
}

/* Whether there is still an account to do something with; answers where there is not. */
static gboolean
check_alive (AccountObject *object, GDBusMethodInvocation *invocation)
{
  if (object->account != NULL)
    return TRUE;
  fail (invocation, BUS_ERROR_ENDED,
        "the account is not at work: its ErrorMessage or the log says why");
  return FALSE;
}

static gboolean
check_argument (AccountObject *object, GDBusMethodInvocation *invocation, gboolean ok,
                const GError *error)
{
  if (ok)
    return check_alive (object, invocation);
  bus_return_error (invocation, error);
  return FALSE;
}

/* --- methods --------------------------------------------------------------------------------- */

static gboolean
start_pass (AccountObject *object, GDBusMethodInvocation *invocation, const char *const *mailboxes,
            gboolean repair, gboolean wait)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = check_mailboxes (mailboxes, &error);
  Call *call = NULL;

  if (!check_argument (object, invocation, ok, error))
    return TRUE;
  if (object->status == SYNC_STATUS_PAUSED) {
    fail (invocation, BUS_ERROR_PAUSED, "the account is paused");
    return TRUE;
  }
  if (wait)
    call = call_new (object, invocation, reply_figures, *mailboxes != NULL);
  sync_account_sync (object->account, mailboxes, repair, wait ? on_done : NULL, call);
  if (!wait)
    g_dbus_method_invocation_return_value (invocation, NULL);
  return TRUE;
}

static gboolean
on_sync (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, const char *const *mailboxes,
         gpointer data)
{
  return start_pass (data, invocation, mailboxes, FALSE, FALSE);
}

static gboolean
on_sync_and_wait (ImapsyncAccount *iface, GDBusMethodInvocation *invocation,
                  const char *const *mailboxes, gpointer data)
{
  return start_pass (data, invocation, mailboxes, FALSE, TRUE);
}

static gboolean
on_repair (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, const char *const *mailboxes,
           gpointer data)
{
  return start_pass (data, invocation, mailboxes, TRUE, FALSE);
}

static gboolean
on_repair_and_wait (ImapsyncAccount *iface, GDBusMethodInvocation *invocation,
                    const char *const *mailboxes, gpointer data)
{
  return start_pass (data, invocation, mailboxes, TRUE, TRUE);
}

static gboolean
on_pause_until (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, guint64 time,
                gpointer data)
{
  AccountObject *object = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = account_check_time (time, &error);

  if (!check_argument (object, invocation, ok, error))
    return TRUE;
  sync_account_pause (object->account, (gint64)time);
  g_dbus_method_invocation_return_value (invocation, NULL);
  return TRUE;
}

static gboolean
on_pause (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, gpointer data)
{
  return on_pause_until (iface, invocation, 0, data);
}

static gboolean
on_resume (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, gpointer data)
{
  AccountObject *object = data;

  if (!check_alive (object, invocation))
    return TRUE;
  sync_account_resume (object->account);
  g_dbus_method_invocation_return_value (invocation, NULL);
  return TRUE;
}

static void
on_unlocked (const GError *error, gpointer data)
{
  GDBusMethodInvocation *invocation = data;

  if (error != NULL)
    bus_return_error (invocation, error);
  else
    g_dbus_method_invocation_return_value (invocation, NULL);
}

static gboolean
on_unlock_keyring (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, gpointer data)
{
  AccountObject *object = data;

  if (check_alive (object, invocation))
    secrets_unlock (object->secrets, object->id, on_unlocked, invocation);
  return TRUE;
}

/* --- conflicts ------------------------------------------------------------------------------- */

static void
add_detail (GVariantBuilder *details, const char *line)
{
  const char *equals = strchr (line, '=');
  g_autofree char *key = NULL;
  g_autofree char *plain = NULL;
  g_autofree char *value = NULL;

  if (equals == NULL || equals == line)
    return;
  key = g_strndup (line, equals - line);
  plain = g_strcompress (equals + 1);
  value = g_utf8_make_valid (plain, -1);
  if (g_utf8_validate (key, -1, NULL))
    g_variant_builder_add (details, "{sv}", key, g_variant_new_string (value));
}

GVariant *
account_details (const SyncConflictRecord *conflict)
{
  g_auto (GStrv) lines = g_strsplit (conflict->details != NULL ? conflict->details : "", "\n", -1);
  GVariantBuilder details;

  g_variant_builder_init (&details, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&details, "{sv}", "time",
                         g_variant_new_uint64 ((guint64)MAX (conflict->time, 0)));
  for (char **line = lines; *line != NULL; line++)
    add_detail (&details, *line);
  return g_variant_builder_end (&details);
}

static char *
valid (const char *text)
{
  return g_utf8_make_valid (text != NULL ? text : "", -1);
}

static void
on_conflicts (SyncAccount *account, const SyncConflictRecord *conflicts, gsize n,
              const GError *error, gpointer data)
{
  Call *call = data;
  GVariantBuilder list;

  if (error != NULL) {
    bus_return_error (call->invocation, error);
    call_free (call);
    return;
  }
  g_variant_builder_init (&list, G_VARIANT_TYPE ("a(tsstta{sv})"));
  for (gsize i = 0; i < n; i++) {
    g_autofree char *kind = valid (conflicts[i].kind);
    g_autofree char *mailbox = valid (conflicts[i].mailbox);

    g_variant_builder_add (&list, "(tsstt@a{sv})", conflicts[i].id, kind, mailbox,
                           conflicts[i].uid[SIDE_LOCAL], conflicts[i].uid[SIDE_REMOTE],
                           account_details (&conflicts[i]));
  }
  imapsync_account_complete_list_conflicts (call->object->iface, call->invocation,
                                            g_variant_builder_end (&list));
  call_free (call);
}

static gboolean
on_list_conflicts (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, gpointer data)
{
  AccountObject *object = data;

  if (check_alive (object, invocation))
    sync_account_list_conflicts (object->account, on_conflicts,
                                 call_new (object, invocation, reply_nothing, FALSE));
  return TRUE;
}

static gboolean
on_resolve (ImapsyncAccount *iface, GDBusMethodInvocation *invocation, guint64 id,
            const char *choice, gpointer data)
{
  AccountObject *object = data;
  g_autoptr (GError) error = NULL;

  if (*choice == '\0')
    g_set_error_literal (&error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "choice is empty");
  if (check_argument (object, invocation, error == NULL, error))
    sync_account_resolve (object->account, id, choice, on_done,
                          call_new (object, invocation, reply_nothing, TRUE));
  return TRUE;
}

/* --- what the engine tells ------------------------------------------------------------------- */

void
account_object_changed (AccountObject *object, const SyncSnapshot *snapshot)
{
  g_autofree char *message = valid (snapshot->error_message);

  object->status = snapshot->status;
  g_object_set (object->iface, "status", sync_status_name (snapshot->status), "error-code",
                snapshot->error_code != NULL ? snapshot->error_code : "", "error-message", message,
                "last-sync", (guint64)MAX (snapshot->last_sync, 0), "progress",
                MIN (snapshot->progress, 100), "remaining", snapshot->remaining, "paused-until",
                (guint64)MAX (snapshot->paused_until, 0), "next-try",
                (guint64)MAX (snapshot->next_try, 0), "mailboxes", snapshot->mailboxes, "messages",
                snapshot->messages, "conflicts", snapshot->conflicts, "held", snapshot->held,
                "waiting", snapshot->waiting, NULL);
  pace_changed (object->pace);
}

void
account_object_passed (AccountObject *object, const SyncReport *report)
{
  imapsync_account_emit_sync_finished (object->iface, report->ok, account_figures (report));
}

void
account_object_conflict (AccountObject *object, const SyncConflictRecord *conflict)
{
  g_autofree char *kind = valid (conflict->kind);
  g_autofree char *mailbox = valid (conflict->mailbox);

  imapsync_account_emit_conflict (object->iface, conflict->id, kind, mailbox,
                                  conflict->uid[SIDE_LOCAL], conflict->uid[SIDE_REMOTE],
                                  account_details (conflict));
}

void
account_object_resolved (AccountObject *object, guint64 id)
{
  imapsync_account_emit_conflict_resolved (object->iface, id);
}

/* An account that gave up has no status of its own any more. */
static void
tell_end (AccountObject *object, SyncResult result)
{
  static const struct {
    const char *code;
    const char *message;
  } ends[] = {
      [SYNC_RESULT_CONFIG] = {"config", "the configuration or the database cannot be used"},
      [SYNC_RESULT_CONNECTION] = {"", "no connection, or no login"},
      [SYNC_RESULT_LOCKED] = {"database", "another process holds the database"},
  };
  const char *code = imapsync_account_get_error_code (object->iface);
  const char *message = imapsync_account_get_error_message (object->iface);
  gboolean told = message != NULL && *message != '\0';

  if (result < SYNC_RESULT_CONFIG)
    return;
  object->status = SYNC_STATUS_ERROR;
  g_object_set (object->iface, "status", sync_status_name (SYNC_STATUS_ERROR), "error-code",
                told ? code : ends[result].code, "error-message",
                told ? message : ends[result].message, "progress", 0, "next-try", (guint64)0, NULL);
  pace_changed (object->pace);
}

void
account_object_ended (AccountObject *object, SyncResult result)
{
  GHashTableIter iter;
  gpointer call;

  object->account = NULL;
  g_hash_table_iter_init (&iter, object->calls);
  while (g_hash_table_iter_next (&iter, &call, NULL)) {
    fail (((Call *)call)->invocation, BUS_ERROR_ENDED, "the account ended meanwhile");
    g_hash_table_iter_remove (&iter);
    g_free (call);
  }
  tell_end (object, result);
}

SyncStatus
account_object_status (AccountObject *object)
{
  return object->status;
}

guint
account_object_conflicts (AccountObject *object)
{
  return imapsync_account_get_conflicts (object->iface);
}

/* --- life ------------------------------------------------------------------------------------ */

static void
connect_methods (AccountObject *object)
{
  g_object_connect (object->iface, "signal::handle-sync", on_sync, object,
                    "signal::handle-sync-and-wait", on_sync_and_wait, object,
                    "signal::handle-repair", on_repair, object, "signal::handle-repair-and-wait",
                    on_repair_and_wait, object, "signal::handle-pause", on_pause, object,
                    "signal::handle-pause-until", on_pause_until, object, "signal::handle-resume",
                    on_resume, object, "signal::handle-unlock-keyring", on_unlock_keyring, object,
                    "signal::handle-list-conflicts", on_list_conflicts, object,
                    "signal::handle-resolve", on_resolve, object, NULL);
}

static void
set_identity (AccountObject *object, const AccountConfig *config)
{
  g_autofree char *local = server_settings_describe (config->server[SIDE_LOCAL]);
  g_autofree char *remote = server_settings_describe (config->server[SIDE_REMOTE]);
  g_autofree char *valid_local = valid (local);
  g_autofree char *valid_remote = valid (remote);
  g_autofree char *database = g_filename_display_name (config->database);
  const char *username = config->server[SIDE_REMOTE]->username;

  /* A provider's user name mostly is the mail address, which says more than a file's name. */
  g_object_set (object->iface, "id", config->id, "name",
                username != NULL && strchr (username, '@') != NULL ? username : config->id, "local",
                valid_local, "remote", valid_remote, "database", database, "status",
                sync_status_name (SYNC_STATUS_CONNECTING), "error-code", "", "error-message", "",
                NULL);
  object->status = SYNC_STATUS_CONNECTING;
}

AccountObject *
account_object_new (const AccountConfig *config, SyncAccount *account, Secrets *secrets)
{
  AccountObject *object = g_new0 (AccountObject, 1);
  g_autofree char *path = bus_account_path (config->id);

  object->id = g_strdup (config->id);
  object->account = account;
  object->secrets = secrets;
  object->skeleton = imapsync_object_skeleton_new (path);
  object->iface = imapsync_account_skeleton_new ();
  object->calls = g_hash_table_new (NULL, NULL);
  set_identity (object, config);
  connect_methods (object);
  imapsync_object_skeleton_set_account (object->skeleton, object->iface);
  object->pace = pace_new (G_DBUS_INTERFACE_SKELETON (object->iface));
  return object;
}

void
account_object_free (AccountObject *object)
{
  if (object == NULL)
    return;
  g_signal_handlers_disconnect_by_data (object->iface, object);
  if (object->account != NULL)
    account_object_ended (object, SYNC_RESULT_OK);
  pace_free (object->pace);
  g_object_unref (object->iface);
  g_object_unref (object->skeleton);
  g_hash_table_unref (object->calls);
  g_free (object->id);
  g_free (object);
}

GDBusObjectSkeleton *
account_object_skeleton (AccountObject *object)
{
  return G_DBUS_OBJECT_SKELETON (object->skeleton);
}
