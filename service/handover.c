/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "handover.h"

#include "bus-names.h"
#include "imapsync-dbus.h"
#include "session-bus.h"

#include <stdlib.h>
#include <unistd.h>

#define PATIENCE 5000 /* milliseconds for what is answered at once */
#define DAEMON   "org.freedesktop.DBus"

gboolean
handover_is_activated (void)
{
  const char *systemd = g_getenv ("SYSTEMD_EXEC_PID");

  if (systemd != NULL && g_ascii_strtoull (systemd, NULL, 10) == (guint64)getpid ())
    return TRUE;
  /* The variable is inherited by shells in a terminal program that was activated itself. */
  return g_getenv ("DBUS_STARTER_BUS_TYPE") != NULL && !isatty (STDIN_FILENO);
}

/* --- who has what ---------------------------------------------------------------------------- */

static guint32
owner_pid (GDBusConnection *connection)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      connection, DAEMON, "/org/freedesktop/DBus", DAEMON, "GetConnectionUnixProcessID",
      g_variant_new ("(s)", BUS_NAME), G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NO_AUTO_START,
      PATIENCE, NULL, NULL);
  guint32 pid = 0;

  if (reply != NULL)
    g_variant_get (reply, "(u)", &pid);
  return pid;
}

/* {object path: {interface: {property: value}}}; NULL without an owner. */
static GVariant *
owner_objects (GDBusConnection *connection)
{
  return g_dbus_connection_call_sync (connection, BUS_NAME, BUS_PATH,
                                      "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                      NULL, G_VARIANT_TYPE ("(a{oa{sa{sv}}})"),
                                      G_DBUS_CALL_FLAGS_NO_AUTO_START, PATIENCE, NULL, NULL);
}

static char *
real_path (const char *path)
{
  char *real = realpath (path, NULL);
  char *copy = g_strdup (real != NULL ? real : path);

  free (real);
  return copy;
}

/* The object that has the database of @config. (transfer full) */
static char *
find_object (GVariant *objects, const AccountConfig *config)
{
  g_autofree char *wanted = real_path (config->database);
  g_autoptr (GVariantIter) iter = NULL;
  const char *path;
  GVariant *interfaces;

  g_variant_get (objects, "(a{oa{sa{sv}}})", &iter);
  while (g_variant_iter_next (iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
    g_autoptr (GVariant) owned = g_steal_pointer (&interfaces);
    g_autoptr (GVariant) properties =
        g_variant_lookup_value (owned, BUS_NAME ".Account", G_VARIANT_TYPE_VARDICT);
    g_autofree char *real = NULL;
    const char *database;

    if (properties == NULL || !g_variant_lookup (properties, "Database", "&s", &database))
      continue;
    real = real_path (database);
    if (g_str_equal (real, wanted))
      return g_strdup (path);
  }
  return NULL;
}

GPtrArray *
handover_find (GDBusConnection *connection, GPtrArray *configs, guint32 *pid)
{
  g_autoptr (GVariant) objects = owner_objects (connection);
  g_autoptr (GPtrArray) found = g_ptr_array_new ();

  *pid = owner_pid (connection);
  for (guint i = 0; objects != NULL && i < configs->len; i++) {
    g_autofree char *path = find_object (objects, g_ptr_array_index (configs, i));
    if (path != NULL)
      g_ptr_array_add (found, g_ptr_array_index (configs, i));
  }
  return found->len > 0 ? g_steal_pointer (&found) : NULL;
}

/* --- a pass over the bus --------------------------------------------------------------------- */

typedef struct {
  GPtrArray *configs; /* to take out of when done */
  guint pending;
  SyncResult result;
} Handover;

typedef struct {
  Handover *handover;
  const AccountConfig *config;
  char *path; /* of the owner's object */
} Pass;

static void
pass_free (Pass *pass)
{
  g_free (pass->path);
  g_free (pass);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pass, pass_free)

static guint64
figure (GVariant *figures, const char *what, Side side)
{
  g_autofree char *key = g_strdup_printf ("%s-%s", what, side_name (side));
  guint64 value = 0;

  g_variant_lookup (figures, key, "t", &value);
  return value;
}

static void
tell_figures (const AccountConfig *config, GVariant *figures)
{
  static const char *const names[] = {"copied", "moved", "flags", "expunged"};
  g_autoptr (GString) text = g_string_new (NULL);
  double seconds = 0;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_string_append_printf (text, "%s%s %" G_GUINT64_FORMAT " local, %" G_GUINT64_FORMAT " remote",
                            i > 0 ? "; " : "", names[i], figure (figures, names[i], SIDE_LOCAL),
                            figure (figures, names[i], SIDE_REMOTE));
  g_variant_lookup (figures, "seconds", "d", &seconds);
  g_message ("%s: %s; in %.1f s", config->id, text->str, seconds);
}

static SyncResult
result_of (const GError *error)
{
  if (error->domain != BUS_ERROR)
    return SYNC_RESULT_CONNECTION;
  switch ((BusError)error->code) {
  case BUS_ERROR_INVALID_ARGUMENT:
  case BUS_ERROR_CONFIG:
  case BUS_ERROR_DATABASE:
  case BUS_ERROR_DISK_FULL:
    return SYNC_RESULT_CONFIG;
  case BUS_ERROR_LOCKED:
    return SYNC_RESULT_LOCKED;
  case BUS_ERROR_PAUSED:
    return SYNC_RESULT_PARTIAL;
  default:
    return SYNC_RESULT_CONNECTION;
  }
}

/* The owner ended before it was done: then the work is ours. */
static gboolean
is_gone (const GError *error)
{
  return error->domain == G_DBUS_ERROR || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
         g_error_matches (error, BUS_ERROR, BUS_ERROR_ENDED);
}

static guint
count_held (GDBusConnection *connection, const char *path)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      connection, BUS_NAME, path, "org.freedesktop.DBus.Properties", "Get",
      g_variant_new ("(ss)", BUS_NAME ".Account", "Held"), G_VARIANT_TYPE ("(v)"),
      G_DBUS_CALL_FLAGS_NO_AUTO_START, PATIENCE, NULL, NULL);
  g_autoptr (GVariant) value = NULL;

  if (reply == NULL)
    return 0;
  g_variant_get (reply, "(v)", &value);
  return g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32) ? g_variant_get_uint32 (value) : 0;
}

static SyncResult
judge (GDBusConnection *connection, const char *path, const AccountConfig *config,
       GVariant *figures)
{
  guint held = count_held (connection, path);
  guint64 problems = 0;

  g_variant_lookup (figures, "problems", "t", &problems);
  if (problems > 0)
    g_warning ("%s: problems: %" G_GUINT64_FORMAT "; the log of the running imapsync has them",
               config->id, problems);
  if (held > 0)
    g_warning ("%s: held, since one side refuses: %u; the conflicts on the bus say what",
               config->id, held);
  return problems > 0 || held > 0 ? SYNC_RESULT_PARTIAL : SYNC_RESULT_OK;
}

static void
on_passed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Pass) pass = data;
  Handover *handover = pass->handover;
  GDBusConnection *connection = G_DBUS_CONNECTION (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (connection, result, &error);
  SyncResult outcome;

  handover->pending--;
  if (reply != NULL) {
    g_autoptr (GVariant) figures = g_variant_get_child_value (reply, 0);
    tell_figures (pass->config, figures);
    outcome = judge (connection, pass->path, pass->config, figures);
  } else if (is_gone (error)) {
    g_message ("%s: the running imapsync ended meanwhile", pass->config->id);
    return;
  } else {
    g_dbus_error_strip_remote_error (error);
    g_warning ("%s: %s", pass->config->id, error->message);
    outcome = result_of (error);
  }
  handover->result = MAX (handover->result, outcome);
  g_ptr_array_remove (handover->configs, (gpointer)pass->config);
}

static void
start_pass (GDBusConnection *connection, Pass *pass, const SyncRequest *request)
{
  static const char *const all[] = {NULL};
  const char *const *mailboxes =
      request->mailboxes != NULL ? (const char *const *)request->mailboxes : all;
  const char *method = request->mode == SYNC_REPAIR ? "RepairAndWait" : "SyncAndWait";

  g_dbus_connection_call (connection, BUS_NAME, pass->path, BUS_NAME ".Account", method,
                          g_variant_new ("(^as)", mailboxes), G_VARIANT_TYPE ("(a{sv})"),
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, G_MAXINT, NULL, on_passed, pass);
}

/* What the command line chose; answered before the pass is asked for. */
static gboolean
resolve (GDBusConnection *connection, const char *path, const SyncRequest *request, GError **error)
{
  for (gsize i = 0; request->resolutions != NULL && request->resolutions[i] != NULL; i++) {
    char *choice;
    guint64 id = g_ascii_strtoull (request->resolutions[i], &choice, 10);
    g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
        connection, BUS_NAME, path, BUS_NAME ".Account", "Resolve",
        g_variant_new ("(ts)", id, *choice == ':' ? choice + 1 : choice), NULL,
        G_DBUS_CALL_FLAGS_NO_AUTO_START, PATIENCE, NULL, error);

    if (reply == NULL)
      return FALSE;
  }
  return TRUE;
}

/* FALSE: the answer is the account's result; nothing more is to be done for it. */
static gboolean
resolve_first (GDBusConnection *connection, Handover *handover, const AccountConfig *config,
               const char *path, const SyncRequest *request)
{
  g_autoptr (GError) error = NULL;

  if (resolve (connection, path, request, &error))
    return TRUE;
  g_dbus_error_strip_remote_error (error);
  g_warning ("%s: %s", config->id, error->message);
  handover->result = MAX (handover->result, result_of (error));
  return FALSE;
}

SyncResult
handover_run (GDBusConnection *connection, GPtrArray *configs, const SyncRequest *request)
{
  g_autoptr (GVariant) objects = owner_objects (connection);
  Handover handover = {configs, 0, SYNC_RESULT_OK};

  bus_error_quark (); /* before the first error comes: GDBus translates names that it knows */
  for (guint i = 0; objects != NULL && i < configs->len; i++) {
    const AccountConfig *config = g_ptr_array_index (configs, i);
    g_autofree char *path = find_object (objects, config);
    Pass *pass;

    if (path == NULL)
      continue;
    if (!resolve_first (connection, &handover, config, path, request)) {
      g_ptr_array_remove_index (configs, i--);
      continue;
    }
    pass = g_new0 (Pass, 1);
    *pass = (Pass){&handover, config, g_steal_pointer (&path)};
    handover.pending++;
    start_pass (connection, pass, request);
  }
  while (handover.pending > 0)
    g_main_context_iteration (NULL, TRUE);
  return handover.result;
}

/* --- for a program that ends by itself ------------------------------------------------------- */

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  GAsyncResult **slot = data;
  *slot = g_object_ref (result);
}

static GDBusConnection *
connect_to_bus (void)
{
  g_autoptr (GAsyncResult) result = NULL;

  bus_connect (G_BUS_TYPE_SESSION, on_connected, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return bus_connect_finish (result, NULL);
}

SyncResult
handover_try (GPtrArray *configs, const SyncRequest *request)
{
  g_autoptr (GDBusConnection) connection = connect_to_bus ();
  g_autoptr (GPtrArray) found = NULL;
  guint32 pid;

  if (connection == NULL)
    return SYNC_RESULT_OK;
  found = handover_find (connection, configs, &pid);
  if (found == NULL)
    return SYNC_RESULT_OK;
  g_message ("process %" G_GUINT32_FORMAT " has %s already and does the work", pid,
             found->len == 1 ? ((AccountConfig *)g_ptr_array_index (found, 0))->id
                             : "these accounts");
  return handover_run (connection, configs, request);
}
