/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "network.h"

#include "session-bus.h"

#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define BURST          1000 /* milliseconds: a change is told by several signals */
#define LAST_WORDS     1000 /* milliseconds between the news and the sleep */
#define LOGIND         "org.freedesktop.login1"
#define LOGIND_PATH    "/org/freedesktop/login1"
#define LOGIND_MANAGER LOGIND ".Manager"

struct _Network {
  NetworkListener listener;
  gpointer data;
  GNetworkMonitor *monitor;
  guint burst;
  GDBusConnection *system; /* NULL: none, or not yet */
  guint watch;
  guint signal;
  int inhibitor; /* file descriptor that delays the sleep; -1: none */
  guint last_words;
  gboolean sleeping;
  GCancellable *cancellable;
};

/* --- the network ----------------------------------------------------------------------------- */

static gboolean
on_burst (gpointer data)
{
  Network *self = data;

  self->burst = 0;
  self->listener.changed (self->data);
  return G_SOURCE_REMOVE;
}

static void
look_again (Network *self)
{
  if (self->burst == 0)
    self->burst = g_timeout_add (BURST, on_burst, self);
}

gboolean
network_is_here (const ServerSettings *server)
{
  g_autoptr (GInetAddress) address = NULL;

  if (!server_type_is_network (server->type) || server->host == NULL)
    return TRUE;
  if (g_ascii_strcasecmp (server->host, "localhost") == 0)
    return TRUE;
  address = g_inet_address_new_from_string (server->host);
  return address != NULL && g_inet_address_get_is_loopback (address);
}

/* One question: how each server that is not here can be reached. */
typedef struct {
  NetworkAnswer answer;
  gpointer data;
  GCancellable *cancellable;
  guint asked;
  SyncNetwork worst;
} Question;

static void
answer_part (Question *question, SyncNetwork network)
{
  question->worst = MIN (question->worst, network);
  if (--question->asked > 0)
    return;
  if (!g_cancellable_is_cancelled (question->cancellable))
    question->answer (question->worst, question->data);
  g_object_unref (question->cancellable);
  g_free (question);
}

static gboolean
on_answered (gpointer data)
{
  answer_part (data, SYNC_NETWORK_FULL);
  return G_SOURCE_REMOVE;
}

/* What it costs, where it leads anywhere. */
static SyncNetwork
network_there (GNetworkMonitor *monitor)
{
  if (g_network_monitor_get_connectivity (monitor) == G_NETWORK_CONNECTIVITY_PORTAL)
    return SYNC_NETWORK_PORTAL;
  return g_network_monitor_get_network_metered (monitor) ? SYNC_NETWORK_METERED : SYNC_NETWORK_FULL;
}

static void
on_reached (GObject *source, GAsyncResult *result, gpointer data)
{
  GNetworkMonitor *monitor = G_NETWORK_MONITOR (source);

  answer_part (data, g_network_monitor_can_reach_finish (monitor, result, NULL)
                         ? network_there (monitor)
                         : SYNC_NETWORK_NONE);
}

/* "Available" means a default route. A network of one's own without one may do for this server. */
static void
ask_for_server (Network *self, const ServerSettings *server, Question *question)
{
  g_autoptr (GSocketConnectable) address = NULL;

  if (network_is_here (server))
    return;
  question->asked++;
  question->worst = MIN (question->worst, network_there (self->monitor));
  if (g_network_monitor_get_network_available (self->monitor) ||
      question->worst == SYNC_NETWORK_PORTAL) {
    g_idle_add (on_answered, question);
    return;
  }
  address = g_network_address_new (server->host, server->port);
  g_network_monitor_can_reach_async (self->monitor, address, question->cancellable, on_reached,
                                     question);
}

void
network_ask (Network *self, const AccountConfig *config, GCancellable *cancellable,
             NetworkAnswer answer, gpointer data)
{
  Question *question = g_new0 (Question, 1);

  *question = (Question){answer, data, g_object_ref (cancellable), 1, SYNC_NETWORK_FULL};
  for (Side side = 0; side < N_SIDES; side++)
    ask_for_server (self, config->server[side], question);
  g_idle_add (on_answered, question);
}

/* --- sleep ----------------------------------------------------------------------------------- */

static void
let_sleep (Network *self)
{
  g_clear_handle_id (&self->last_words, g_source_remove);
  if (self->inhibitor >= 0)
    g_close (self->inhibitor, NULL);
  self->inhibitor = -1;
}

static void
on_inhibited (GObject *source, GAsyncResult *result, gpointer data)
{
  Network *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish (
      G_DBUS_CONNECTION (source), &fds, result, &error);
  gint32 index = -1;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (reply == NULL) {
    g_debug ("sleep cannot be delayed: %s", error->message);
    return;
  }
  g_variant_get (reply, "(h)", &index);
  let_sleep (self);
  if (fds != NULL && index >= 0 && index < g_unix_fd_list_get_length (fds))
    self->inhibitor = g_unix_fd_list_get (fds, index, NULL);
  if (self->sleeping)
    let_sleep (self);
}

static void
delay_sleep (Network *self)
{
  g_dbus_connection_call_with_unix_fd_list (
      self->system, LOGIND, LOGIND_PATH, LOGIND_MANAGER, "Inhibit",
      g_variant_new ("(ssss)", "sleep", PACKAGE_NAME, "Connections are closed first", "delay"),
      G_VARIANT_TYPE ("(h)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, self->cancellable,
      on_inhibited, self);
}

static gboolean
on_last_words (gpointer data)
{
  Network *self = data;

  self->last_words = 0;
  let_sleep (self);
  return G_SOURCE_REMOVE;
}

void
network_ready_to_sleep (Network *self)
{
  if (self->sleeping)
    let_sleep (self);
}

static void
on_prepare_for_sleep (GDBusConnection *connection, const char *sender, const char *path,
                      const char *iface, const char *name, GVariant *parameters, gpointer data)
{
  Network *self = data;
  gboolean sleeping;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(b)")))
    return;
  g_variant_get (parameters, "(b)", &sleeping);
  if (sleeping == self->sleeping)
    return;
  self->sleeping = sleeping;
  g_info (sleeping ? "the machine is about to sleep" : "the machine woke up");
  g_clear_handle_id (&self->last_words, g_source_remove);
  if (sleeping)
    self->last_words = g_timeout_add (LAST_WORDS, on_last_words, self);
  else
    delay_sleep (self);
  self->listener.sleep (sleeping, self->data);
}

static void
on_logind (GDBusConnection *connection, const char *name, const char *owner, gpointer data)
{
  delay_sleep (data);
}

static void
on_system_bus (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GDBusConnection) connection = bus_connect_finish (result, NULL);
  g_autoptr (GCancellable) cancellable = data;
  Network *self = g_object_get_data (G_OBJECT (cancellable), "network");

  /* A container has none, which is nothing to tell. */
  if (g_cancellable_is_cancelled (cancellable) || connection == NULL)
    return;
  self->system = g_steal_pointer (&connection);
  self->signal = g_dbus_connection_signal_subscribe (
      self->system, LOGIND, LOGIND_MANAGER, "PrepareForSleep", LOGIND_PATH, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, on_prepare_for_sleep, self, NULL);
  self->watch = g_bus_watch_name_on_connection (self->system, LOGIND, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                on_logind, NULL, self, NULL);
}

/* --- public ---------------------------------------------------------------------------------- */

Network *
network_new (const NetworkListener *listener, gpointer data)
{
  Network *self = g_new0 (Network, 1);

  self->listener = *listener;
  self->data = data;
  self->inhibitor = -1;
  self->cancellable = g_cancellable_new ();
  g_object_set_data (G_OBJECT (self->cancellable), "network", self);
  bus_connect (G_BUS_TYPE_SYSTEM, on_system_bus, g_object_ref (self->cancellable));
  self->monitor = g_object_ref (g_network_monitor_get_default ());
  g_signal_connect_swapped (self->monitor, "network-changed", G_CALLBACK (look_again), self);
  g_signal_connect_swapped (self->monitor, "notify", G_CALLBACK (look_again), self);
  return self;
}

void
network_free (Network *self)
{
  if (self == NULL)
    return;
  g_cancellable_cancel (self->cancellable);
  g_signal_handlers_disconnect_by_data (self->monitor, self);
  g_object_unref (self->monitor);
  if (self->system != NULL) {
    g_bus_unwatch_name (self->watch);
    g_dbus_connection_signal_unsubscribe (self->system, self->signal);
    g_object_unref (self->system);
  }
  let_sleep (self);
  g_clear_handle_id (&self->burst, g_source_remove);
  g_object_unref (self->cancellable);
  g_free (self);
}
