/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-bus.h"

#include <sys/stat.h>

#define PATIENCE 5 /* seconds */

gboolean
bus_is_known (void)
{
  const char *address = g_getenv ("DBUS_SESSION_BUS_ADDRESS");
  g_autofree char *path = g_build_filename (g_get_user_runtime_dir (), "bus", NULL);
  struct stat info;

  if (address != NULL)
    return *address != '\0';
  return stat (path, &info) == 0 && S_ISSOCK (info.st_mode);
}

static void
finish (GTask *task, GDBusConnection *connection, GError *error)
{
  guint *timer = g_task_get_task_data (task);

  g_clear_handle_id (timer, g_source_remove);
  if (connection == NULL) {
    g_task_return_error (task, error);
    return;
  }
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_task_return_pointer (task, connection, g_object_unref);
}

static void
on_private (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_finish (result, &error);

  finish (task, connection, error);
}

/* GLib hands out its one connection as long as somebody holds it, also when it is closed. */
static void
connect_privately (GTask *task, GBusType type)
{
  GError *error = NULL;
  g_autofree char *address = g_dbus_address_get_for_bus_sync (type, NULL, &error);

  if (address == NULL) {
    finish (task, NULL, error);
    g_object_unref (task);
    return;
  }
  g_dbus_connection_new_for_address (address,
                                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                         G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                     NULL, g_task_get_cancellable (task), on_private, task);
}

static void
on_shared (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  g_autoptr (GDBusConnection) connection = g_bus_get_finish (result, &error);

  if (connection == NULL || !g_dbus_connection_is_closed (connection))
    finish (task, g_steal_pointer (&connection), error);
  else
    connect_privately (g_steal_pointer (&task),
                       GPOINTER_TO_INT (g_object_get_data (G_OBJECT (task), "bus-type")));
}

static gboolean
on_late (gpointer data)
{
  GTask *task = data;
  guint *timer = g_task_get_task_data (task);

  *timer = 0;
  g_cancellable_cancel (g_task_get_cancellable (task));
  return G_SOURCE_REMOVE;
}

void
bus_connect (GBusType type, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  guint *timer = g_new0 (guint, 1);

  g_task_set_task_data (task, timer, g_free);
  g_object_set_data (G_OBJECT (task), "bus-type", GINT_TO_POINTER (type));
  if (type == G_BUS_TYPE_SESSION && !bus_is_known ()) {
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "there is no session bus");
    g_object_unref (task);
    return;
  }
  *timer = g_timeout_add_seconds (PATIENCE, on_late, task);
  g_bus_get (type, cancellable, on_shared, task);
}

GDBusConnection *
bus_connect_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
