/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "bus.h"

#include "account-object.h"
#include "bus-names.h"
#include "imapsync-dbus.h"
#include "pace.h"
#include "session-bus.h"

#define RETRY_MAX 60  /* seconds */
#define FLUSH     300 /* milliseconds */

struct _Bus {
  BusHandlers handlers;
  gpointer data;
  GDBusConnection *connection;
  ImapsyncService *root;
  Pace *pace;
  GDBusObjectManagerServer *objects;
  guint name;
  guint retry;
  guint delay; /* seconds, of the next retry */
  gboolean left;
  GCancellable *cancellable;
};

static void connect_bus (Bus *self);

/* --- methods of the root object -------------------------------------------------------------- */

static gboolean
on_sync (ImapsyncService *root, GDBusMethodInvocation *invocation, gpointer data)
{
  Bus *self = data;

  self->handlers.sync (self->data);
  imapsync_service_complete_sync (root, invocation);
  return TRUE;
}

static gboolean
on_pause (ImapsyncService *root, GDBusMethodInvocation *invocation, gpointer data)
{
  Bus *self = data;

  self->handlers.pause (0, self->data);
  imapsync_service_complete_pause (root, invocation);
  return TRUE;
}

static gboolean
on_pause_until (ImapsyncService *root, GDBusMethodInvocation *invocation, guint64 time,
                gpointer data)
{
  Bus *self = data;
  g_autoptr (GError) error = NULL;

  if (!account_check_time (time, &error)) {
    bus_return_error (invocation, error);
    return TRUE;
  }
  self->handlers.pause ((gint64)time, self->data);
  imapsync_service_complete_pause_until (root, invocation);
  return TRUE;
}

static gboolean
on_resume (ImapsyncService *root, GDBusMethodInvocation *invocation, gpointer data)
{
  Bus *self = data;

  self->handlers.resume (self->data);
  imapsync_service_complete_resume (root, invocation);
  return TRUE;
}

static gboolean
on_reload (ImapsyncService *root, GDBusMethodInvocation *invocation, gpointer data)
{
  Bus *self = data;

  self->handlers.reload (invocation, self->data);
  return TRUE;
}

void
bus_complete_reload (GDBusMethodInvocation *invocation)
{
  g_dbus_method_invocation_return_value (invocation, NULL);
}

/* --- the connection -------------------------------------------------------------------------- */

static gboolean
on_retry (gpointer data)
{
  Bus *self = data;

  self->retry = 0;
  connect_bus (self);
  return G_SOURCE_REMOVE;
}

static void
try_later (Bus *self)
{
  if (self->left || self->retry != 0)
    return;
  self->retry = g_timeout_add_seconds (self->delay, on_retry, self);
  self->delay = MIN (self->delay * 2, RETRY_MAX);
}

static void
disconnect (Bus *self)
{
  g_clear_handle_id (&self->name, g_bus_unown_name);
  g_dbus_object_manager_server_set_connection (self->objects, NULL);
  if (g_dbus_interface_skeleton_get_connection (G_DBUS_INTERFACE_SKELETON (self->root)) != NULL)
    g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (self->root));
  if (self->connection != NULL)
    g_signal_handlers_disconnect_by_data (self->connection, self);
  g_clear_object (&self->connection);
}

static void
on_closed (GDBusConnection *connection, gboolean remote, GError *error, gpointer data)
{
  Bus *self = data;

  g_message ("the session bus went away; the work goes on without it");
  disconnect (self);
  try_later (self);
  self->handlers.state (BUS_ABSENT, self->data);
}

static void
on_name_acquired (GDBusConnection *connection, const char *name, gpointer data)
{
  Bus *self = data;

  self->delay = 1;
  self->handlers.state (BUS_OWNED, self->data);
}

static void
on_name_lost (GDBusConnection *connection, const char *name, gpointer data)
{
  Bus *self = data;

  if (connection != NULL && !g_dbus_connection_is_closed (connection))
    self->handlers.state (BUS_TAKEN, self->data);
}

static gboolean export(Bus *self, GError **error)
{
  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->root), self->connection,
                                         BUS_PATH, error))
    return FALSE;
  g_dbus_object_manager_server_set_connection (self->objects, self->connection);
  return TRUE;
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GCancellable) cancellable = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = bus_connect_finish (result, &error);
  Bus *self = g_object_get_data (G_OBJECT (cancellable), "bus");

  if (g_cancellable_is_cancelled (cancellable))
    return;
  self->connection = g_steal_pointer (&connection);
  if (self->connection == NULL || !export(self, &error)) {
    if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) && self->delay == 1)
      g_message ("the session bus cannot be used: %s", error->message);
    disconnect (self);
    if (bus_is_known ())
      try_later (self);
    self->handlers.state (BUS_ABSENT, self->data);
    return;
  }
  g_signal_connect (self->connection, "closed", G_CALLBACK (on_closed), self);
  self->name =
      g_bus_own_name_on_connection (self->connection, BUS_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                    on_name_acquired, on_name_lost, self, NULL);
}

static void
connect_bus (Bus *self)
{
  bus_connect (G_BUS_TYPE_SESSION, on_connected, g_object_ref (self->cancellable));
}

/* --- public ---------------------------------------------------------------------------------- */

Bus *
bus_new (const BusHandlers *handlers, gpointer data)
{
  static const char *const none[] = {NULL};
  Bus *self = g_new0 (Bus, 1);

  self->handlers = *handlers;
  self->data = data;
  self->delay = 1;
  self->cancellable = g_cancellable_new ();
  g_object_set_data (G_OBJECT (self->cancellable), "bus", self);
  self->objects = g_dbus_object_manager_server_new (BUS_PATH);
  self->root = imapsync_service_skeleton_new ();
  g_object_set (self->root, "version", PACKAGE_VERSION, "accounts", none, "status",
                sync_status_name (SYNC_STATUS_CONNECTING), NULL);
  g_object_connect (self->root, "signal::handle-sync", on_sync, self, "signal::handle-pause",
                    on_pause, self, "signal::handle-pause-until", on_pause_until, self,
                    "signal::handle-resume", on_resume, self, "signal::handle-reload", on_reload,
                    self, NULL);
  self->pace = pace_new (G_DBUS_INTERFACE_SKELETON (self->root));
  return self;
}

void
bus_leave (Bus *self)
{
  self->left = TRUE;
  g_clear_handle_id (&self->retry, g_source_remove);
  disconnect (self);
}

static void
on_flushed (GObject *source, GAsyncResult *result, gpointer data)
{
  guint *timer = data;
  g_clear_handle_id (timer, g_source_remove);
}

static gboolean
on_flush_late (gpointer data)
{
  guint *timer = data;

  *timer = 0;
  return G_SOURCE_REMOVE;
}

/* A bus that does not read must not keep us from our end. */
static void
flush (Bus *self)
{
  static guint timer; /* outlives the call where it is late */

  timer = g_timeout_add (FLUSH, on_flush_late, &timer);
  g_dbus_connection_flush (self->connection, NULL, on_flushed, &timer);
  while (timer != 0)
    g_main_context_iteration (NULL, TRUE);
}

void
bus_free (Bus *self)
{
  if (self == NULL)
    return;
  g_cancellable_cancel (self->cancellable);
  g_signal_handlers_disconnect_by_data (self->root, self);
  if (self->connection != NULL && !g_dbus_connection_is_closed (self->connection))
    flush (self);
  bus_leave (self);
  pace_free (self->pace);
  g_object_unref (self->root);
  g_object_unref (self->objects);
  g_object_unref (self->cancellable);
  g_free (self);
}

void
bus_start (Bus *self)
{
  connect_bus (self);
}

GDBusConnection *
bus_connection (Bus *self)
{
  return self->connection;
}

void
bus_add (Bus *self, GDBusObjectSkeleton *object)
{
  g_dbus_object_manager_server_export (self->objects, object);
}

void
bus_remove (Bus *self, GDBusObjectSkeleton *object)
{
  g_dbus_object_manager_server_unexport (self->objects,
                                         g_dbus_object_get_object_path (G_DBUS_OBJECT (object)));
}

void
bus_set_summary (Bus *self, const char *const *paths, SyncStatus worst, guint conflicts)
{
  g_object_set (self->root, "accounts", paths, "status", sync_status_name (worst), "conflicts",
                conflicts, NULL);
  pace_changed (self->pace);
}
