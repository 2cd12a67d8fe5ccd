/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "service.h"

#include "account-object.h"
#include "bus-names.h"
#include "bus.h"
#include "config-file.h"
#include "handover.h"
#include "log.h"
#include "network.h"
#include "progress.h"
#include "secrets.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>

/* One account at work. */
typedef struct {
  Service *service;
  AccountConfig *config;
  char *digest; /* of what its configuration says */
  SyncAccount *account;
  AccountObject *object; /* NULL: the program ends by itself, and shows nothing */
  gboolean running;
  gboolean ended;
  SyncResult result; /* at its end */
  gboolean obsolete; /* ends, since the configuration has it no more, or otherwise */
  GCancellable *cancellable;
} Member;

struct _Service {
  GMainLoop *loop;
  char **paths;
  SyncRequest request;
  GPtrArray *wanted;  /* AccountConfig */
  GPtrArray *members; /* Member */
  GPtrArray *reloads; /* GDBusMethodInvocation: wait until the accounts are the wanted ones */
  Bus *bus;           /* NULL: the program ends by itself */
  Network *network;   /* likewise */
  Secrets *secrets;
  Progress *progress;
  SyncResult result; /* of what others did for us */
  gboolean started;
  gboolean stopping;
  guint settle;
  guint signals[3]; /* sources; 0: not ours */
};

static void settle_later (Service *self);

/* --- members --------------------------------------------------------------------------------- */

/* What the file says, without comments and layout: every option, also those of tomorrow. */
static char *
digest_config (const AccountConfig *config)
{
  g_autoptr (ConfigFile) file = config_file_load (config->path, NULL);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);

  for (guint i = 0; file != NULL && i < file->sections->len; i++) {
    const ConfigSection *section = g_ptr_array_index (file->sections, i);

    g_checksum_update (checksum, (const guchar *)section->name, strlen (section->name) + 1);
    for (guint j = 0; j < section->entries->len; j++) {
      const ConfigEntry *entry = g_ptr_array_index (section->entries, j);
      g_checksum_update (checksum, (const guchar *)entry->name, strlen (entry->name) + 1);
      g_checksum_update (checksum, (const guchar *)entry->value, strlen (entry->value) + 1);
    }
    g_checksum_update (checksum, (const guchar *)"", 1);
  }
  return g_strdup (g_checksum_get_string (checksum));
}

static void
member_free (gpointer data)
{
  Member *member = data;

  g_cancellable_cancel (member->cancellable);
  g_object_unref (member->cancellable);
  if (member->object != NULL)
    bus_remove (member->service->bus, account_object_skeleton (member->object));
  secrets_forget (member->service->secrets, member->config->id);
  sync_account_free (member->account);
  account_object_free (member->object);
  account_config_free (member->config);
  g_free (member->digest);
  g_free (member);
}

static Member *
find_member (Service *self, const char *id)
{
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (g_str_equal (member->config->id, id))
      return member;
  }
  return NULL;
}

static guint
count_running (Service *self)
{
  guint n = 0;

  for (guint i = 0; i < self->members->len; i++)
    n += ((Member *)g_ptr_array_index (self->members, i))->running ? 1 : 0;
  return n;
}

/* What the root object says of all accounts. */
static void
summarize (Service *self)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  SyncStatus worst = SYNC_STATUS_WATCHING;
  guint conflicts = 0;

  if (self->bus == NULL)
    return;
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    GDBusObject *object = G_DBUS_OBJECT (account_object_skeleton (member->object));

    g_ptr_array_add (paths, (gpointer)g_dbus_object_get_object_path (object));
    worst = MAX (worst, account_object_status (member->object));
    conflicts += account_object_conflicts (member->object);
  }
  g_ptr_array_add (paths, NULL);
  bus_set_summary (self->bus, (const char *const *)paths->pdata, worst, conflicts);
}

/* --- what the engine tells ------------------------------------------------------------------- */

static void
on_progress (SyncAccount *account, const SyncProgress *state, gpointer data)
{
  Member *member = data;
  progress_update (member->service->progress, account, state);
}

static void
on_finished (SyncAccount *account, SyncResult result, gpointer data)
{
  Member *member = data;
  Service *self = member->service;

  member->running = FALSE;
  member->ended = TRUE;
  member->result = result;
  progress_remove (self->progress, account);
  if (member->object != NULL)
    account_object_ended (member->object, result);
  summarize (self);
  settle_later (self);
}

static gboolean
all_asleep (Service *self)
{
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    SyncStatus status = account_object_status (member->object);

    if (member->running && status <= SYNC_STATUS_CONNECTING)
      return FALSE;
  }
  return TRUE;
}

static void
on_changed (SyncAccount *account, const SyncSnapshot *snapshot, gpointer data)
{
  Member *member = data;
  Service *self = member->service;

  if (member->object == NULL)
    return;
  account_object_changed (member->object, snapshot);
  /* Between two passes there is no progress to show. */
  if (snapshot->status != SYNC_STATUS_SYNCING && snapshot->status != SYNC_STATUS_CONNECTING)
    progress_remove (self->progress, account);
  summarize (self);
  if (self->network != NULL && all_asleep (self))
    network_ready_to_sleep (self->network);
}

static void
on_passed (SyncAccount *account, const SyncReport *report, gpointer data)
{
  Member *member = data;

  if (member->object != NULL)
    account_object_passed (member->object, report);
}

static void
on_conflict (SyncAccount *account, const SyncConflictRecord *conflict, gpointer data)
{
  Member *member = data;

  if (member->object != NULL)
    account_object_conflict (member->object, conflict);
}

static void
on_resolved (SyncAccount *account, guint64 id, gpointer data)
{
  Member *member = data;

  if (member->object != NULL)
    account_object_resolved (member->object, id);
}

static void
on_password_wanted (SyncAccount *account, Side side, gpointer data)
{
  Member *member = data;
  secrets_want (member->service->secrets, member->config->id, side);
}

static void
on_secret (const char *id, Side side, Password *password, gboolean locked, gpointer data)
{
  Member *member = find_member (data, id);

  if (member != NULL && member->running)
    sync_account_set_password (member->account, side, password, locked);
}

/* --- network and sleep ----------------------------------------------------------------------- */

static void
on_network (SyncNetwork network, gpointer data)
{
  Member *member = data;

  if (member->running)
    sync_account_network (member->account, network);
}

static void
ask_network (Member *member)
{
  network_ask (member->service->network, member->config, member->cancellable, on_network, member);
}

static void
on_network_changed (gpointer data)
{
  Service *self = data;

  for (guint i = 0; i < self->members->len; i++)
    ask_network (g_ptr_array_index (self->members, i));
}

static void
on_sleep (gboolean sleeping, gpointer data)
{
  Service *self = data;

  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->running)
      sync_account_sleep (member->account, sleeping);
  }
}

/* --- the accounts that are wanted ------------------------------------------------------------ */

static Member *
member_new (Service *self, const AccountConfig *config)
{
  static const SyncListener listener = {
      .progress = on_progress,
      .finished = on_finished,
      .changed = on_changed,
      .passed = on_passed,
      .conflict = on_conflict,
      .resolved = on_resolved,
      .password_wanted = on_password_wanted,
  };
  Member *member = g_new0 (Member, 1);

  member->service = self;
  member->config = account_config_copy (config);
  member->digest = digest_config (config);
  member->cancellable = g_cancellable_new ();
  member->account = sync_account_new (config, &self->request, &listener, member);
  if (self->bus != NULL) {
    member->object = account_object_new (config, member->account, self->secrets);
    bus_add (self->bus, account_object_skeleton (member->object));
  }
  return member;
}

static void
member_start (Member *member)
{
  member->running = TRUE;
  sync_account_start (member->account);
  if (member->service->network != NULL)
    ask_network (member);
}

/* Members in the order of the configuration; those that it did not have before are new. */
static void
make_members (Service *self)
{
  GPtrArray *members = g_ptr_array_new_with_free_func (member_free);

  for (guint i = 0; i < self->wanted->len; i++) {
    const AccountConfig *config = g_ptr_array_index (self->wanted, i);
    Member *member = find_member (self, config->id);

    g_ptr_array_add (members, member != NULL ? member : member_new (self, config));
  }
  g_ptr_array_set_free_func (self->members, NULL);
  g_ptr_array_unref (self->members);
  self->members = members;
}

static void
start_members (Service *self)
{
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (!member->running && !member->ended)
      member_start (member);
  }
}

static void
answer_reloads (Service *self)
{
  for (guint i = 0; i < self->reloads->len; i++)
    bus_complete_reload (g_ptr_array_index (self->reloads, i));
  g_ptr_array_set_size (self->reloads, 0);
}

/* Takes away what has ended and is not wanted; when nothing unwanted is left, starts what is
 * missing: two accounts with one database would be in each other's way. */
static gboolean
on_settle (gpointer data)
{
  Service *self = data;
  gboolean waiting = FALSE;

  self->settle = 0;
  for (guint i = self->members->len; i-- > 0;) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->obsolete && !member->running)
      g_ptr_array_remove_index (self->members, i);
    else
      waiting = waiting || member->obsolete;
  }
  if (self->started && !self->stopping && !waiting) {
    make_members (self);
    start_members (self);
    answer_reloads (self);
  }
  summarize (self);
  if (count_running (self) == 0)
    g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static void
settle_later (Service *self)
{
  if (self->settle == 0)
    self->settle = g_idle_add (on_settle, self);
}

/* --- the configuration, again ---------------------------------------------------------------- */

static gboolean
is_unchanged (const Member *member, const AccountConfig *config)
{
  g_autofree char *digest = digest_config (config);

  return !member->ended && g_str_equal (member->config->path, config->path) &&
         g_str_equal (member->config->database, config->database) &&
         g_str_equal (member->digest, digest);
}

static const AccountConfig *
find_config (GPtrArray *configs, const char *id)
{
  for (guint i = 0; i < configs->len; i++) {
    const AccountConfig *config = g_ptr_array_index (configs, i);
    if (g_str_equal (config->id, id))
      return config;
  }
  return NULL;
}

static void
retire (Member *member)
{
  if (member->obsolete)
    return;
  member->obsolete = TRUE;
  if (member->running)
    sync_account_stop (member->account);
}

static gboolean
reload (Service *self, GError **error)
{
  GPtrArray *wanted = account_configs_load ((const char *const *)self->paths, error);

  if (wanted == NULL)
    return FALSE;
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    const AccountConfig *config = find_config (wanted, member->config->id);

    if (config == NULL || !is_unchanged (member, config))
      retire (member);
  }
  g_ptr_array_unref (self->wanted);
  self->wanted = wanted;
  log_show_accounts (wanted->len > 1);
  g_message ("the configuration was read again");
  settle_later (self);
  return TRUE;
}

static gboolean
on_sighup (gpointer data)
{
  Service *self = data;
  g_autoptr (GError) error = NULL;

  if (!self->stopping && !reload (self, &error))
    g_warning ("the configuration stays as it was: %s", error->message);
  return G_SOURCE_CONTINUE;
}

/* --- the root object's methods --------------------------------------------------------------- */

static void
on_reload (GDBusMethodInvocation *invocation, gpointer data)
{
  Service *self = data;
  g_autoptr (GError) error = NULL;

  if (self->stopping)
    error = g_error_new_literal (BUS_ERROR, BUS_ERROR_ENDED, "imapsync is about to end");
  if (error != NULL || !reload (self, &error))
    bus_return_error (invocation, error);
  else
    g_ptr_array_add (self->reloads, invocation);
}

static void
on_sync_all (gpointer data)
{
  Service *self = data;

  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->running && account_object_status (member->object) != SYNC_STATUS_PAUSED)
      sync_account_sync (member->account, NULL, FALSE, NULL, NULL);
  }
}

static void
on_pause_all (gint64 until, gpointer data)
{
  Service *self = data;

  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->running)
      sync_account_pause (member->account, until);
  }
}

static void
on_resume_all (gpointer data)
{
  Service *self = data;

  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->running)
      sync_account_resume (member->account);
  }
}

/* --- beginning and end ----------------------------------------------------------------------- */

static void
start (Service *self)
{
  self->started = !self->stopping;
  settle_later (self);
}

/* All that we have to do is another process's already. */
static gboolean
is_done_by_other (Service *self, GDBusConnection *connection, guint32 pid)
{
  if (self->request.mailboxes != NULL) {
    self->result = handover_run (connection, self->wanted, &self->request);
    return self->wanted->len == 0;
  }
  if (handover_is_activated ()) {
    g_info ("process %" G_GUINT32_FORMAT " does the work already", pid);
    return TRUE;
  }
  g_warning ("process %" G_GUINT32_FORMAT " has %s already", pid,
             self->wanted->len == 1 ? "this account" : "these accounts");
  self->result = SYNC_RESULT_LOCKED;
  return TRUE;
}

static void
on_taken (Service *self)
{
  GDBusConnection *connection = bus_connection (self->bus);
  g_autoptr (GPtrArray) found = NULL;
  guint32 pid;

  found = handover_find (connection, self->wanted, &pid);
  if (!self->started && found != NULL && found->len == self->wanted->len &&
      is_done_by_other (self, connection, pid)) {
    g_main_loop_quit (self->loop);
    return;
  }
  g_warning ("process %" G_GUINT32_FORMAT " has the name %s on the session bus and other accounts: "
             "this one goes on without the bus",
             pid, BUS_NAME);
  bus_leave (self->bus);
  start (self);
}

static void
on_bus (BusState state, gpointer data)
{
  Service *self = data;

  if (state == BUS_TAKEN) {
    on_taken (self);
    return;
  }
  if (state == BUS_OWNED)
    secrets_reconnect (self->secrets);
  if (!self->started)
    start (self);
}

static gboolean
on_end (Service *self, int number)
{
  if (self->stopping) {
    log_set_status (NULL);
    /* So that whoever waits for us sees what it was. */
    signal (number, SIG_DFL);
    raise (number);
  }
  self->stopping = TRUE;
  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (member->running)
      sync_account_stop (member->account);
  }
  settle_later (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_sigint (gpointer data)
{
  return on_end (data, SIGINT);
}

static gboolean
on_sigterm (gpointer data)
{
  return on_end (data, SIGTERM);
}

static SyncResult
worst_result (Service *self)
{
  SyncResult worst = self->result;

  for (guint i = 0; i < self->members->len; i++) {
    Member *member = g_ptr_array_index (self->members, i);
    if (!member->obsolete)
      worst = MAX (worst, member->result);
  }
  return worst;
}

static void
set_up_session (Service *self)
{
  static const BusHandlers bus_handlers = {on_bus, on_sync_all, on_pause_all, on_resume_all,
                                           on_reload};
  static const NetworkListener network_listener = {on_network_changed, on_sleep};

  self->bus = bus_new (&bus_handlers, self);
  self->network = network_new (&network_listener, self);
}

Service *
service_new (const char *const *paths, GPtrArray *configs, const SyncRequest *request)
{
  Service *self = g_new0 (Service, 1);

  self->loop = g_main_loop_new (NULL, FALSE);
  self->paths = g_strdupv ((char **)paths);
  self->request = *request;
  self->request.mailboxes = g_strdupv (request->mailboxes);
  self->wanted = g_ptr_array_ref (configs);
  self->members = g_ptr_array_new_with_free_func (member_free);
  self->reloads = g_ptr_array_new ();
  self->secrets = secrets_new (on_secret, self);
  self->progress = progress_new (configs->len);
  if (request->mode == SYNC_STAY)
    set_up_session (self);
  self->signals[0] = g_unix_signal_add (SIGINT, on_sigint, self);
  self->signals[1] = g_unix_signal_add (SIGTERM, on_sigterm, self);
  if (request->mode == SYNC_STAY)
    self->signals[2] = g_unix_signal_add (SIGHUP, on_sighup, self);
  /* Before the name on the bus is ours: who asks then finds them. */
  make_members (self);
  return self;
}

void
service_free (Service *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (self->signals); i++)
    g_clear_handle_id (&self->signals[i], g_source_remove);
  g_clear_handle_id (&self->settle, g_source_remove);
  for (guint i = 0; i < self->reloads->len; i++)
    g_dbus_method_invocation_return_error_literal (g_ptr_array_index (self->reloads, i), BUS_ERROR,
                                                   BUS_ERROR_ENDED, "imapsync ended meanwhile");
  g_ptr_array_unref (self->reloads);
  g_ptr_array_unref (self->members);
  network_free (self->network);
  bus_free (self->bus);
  secrets_free (self->secrets);
  progress_free (self->progress);
  g_ptr_array_unref (self->wanted);
  g_strfreev (self->request.mailboxes);
  g_strfreev (self->paths);
  g_main_loop_unref (self->loop);
  g_free (self);
}

SyncResult
service_run (Service *self)
{
  if (self->bus != NULL)
    bus_start (self->bus);
  else
    start (self);
  g_main_loop_run (self->loop);
  return worst_result (self);
}
