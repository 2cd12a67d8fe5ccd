/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "applet.h"

#include "dbusmenu.h"
#include "icons.h"
#include "notifications.h"
#include "service-model.h"
#include "status-notifier.h"
#include "wording.h"

#include <glib-unix.h>
#include <stdlib.h>

enum {
  REFRESH_INTERVAL = 500, /* milliseconds: so often, not more, the panel is told of progress */
  BUS_ATTEMPTS = 6,       /* the session ended, when the bus has not come back after these */
};

/* All between "session" and the end lives as long as a connection to the bus. */
typedef struct {
  GMainLoop *loop;
  int status;
  guint attempt;
  guint retry_timer;

  GDBusConnection *bus;
  gulong closed_handler;
  guint name;
  gboolean is_owner;
  ServiceModel *service;
  DBusMenu *menu;
  StatusNotifier *item;
  Notifications *notifications;
  MenuIds *ids;
  guint refresh_timer;
  gint64 refreshed; /* monotonic, milliseconds */
  guint again_timer;
} Applet;

/* --- from the state to what is shown --------------------------------------------------------- */

static void refresh (Applet *applet);

static gboolean
on_again (gpointer data)
{
  Applet *applet = data;

  applet->again_timer = 0;
  refresh (applet);
  return G_SOURCE_REMOVE;
}

static void
refresh_notifications (Applet *applet, const State *state, Clock now)
{
  guint again_in;
  GPtrArray *wanted = notify_policy (state, now, &again_in);

  g_clear_handle_id (&applet->again_timer, g_source_remove);
  if (again_in > 0)
    applet->again_timer = g_timeout_add_seconds (again_in, on_again, applet);
  notifications_show (applet->notifications, wanted);
}

static void
refresh_item (Applet *applet, const State *state, Clock now)
{
  const Account *worst;
  Mood mood = state_mood (state, &worst);
  g_autofree char *title = wording_summary_lasting (state, now);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < state->accounts->len && state->accounts->len > 1; i++) {
    const Account *account = g_ptr_array_index (state->accounts, i);
    g_autofree char *phrase = wording_account_lasting (account, now);

    g_string_append_printf (text, "%s%s: %s", i > 0 ? "\n" : "", account->name, phrase);
  }
  status_notifier_show (applet->item, mood, title, text->str);
}

static void
refresh (Applet *applet)
{
  const State *state = service_model_state (applet->service);
  Clock now = clock_now ();

  applet->refreshed = g_get_monotonic_time () / 1000;
  refresh_item (applet, state, now);
  dbusmenu_refresh (applet->menu);
  refresh_notifications (applet, state, now);
}

static gboolean
on_refresh (gpointer data)
{
  Applet *applet = data;

  applet->refresh_timer = 0;
  refresh (applet);
  return G_SOURCE_REMOVE;
}

static void
on_changed (gpointer data)
{
  Applet *applet = data;
  gint64 next = applet->refreshed + REFRESH_INTERVAL - g_get_monotonic_time () / 1000;

  if (applet->refresh_timer == 0)
    applet->refresh_timer =
        g_timeout_add ((guint)CLAMP (next, 0, REFRESH_INTERVAL), on_refresh, applet);
}

static MenuItem *
build_menu (gpointer data)
{
  Applet *applet = data;

  return menu_model_build (service_model_state (applet->service), clock_now (), applet->ids);
}

/* --- from a click to the service ------------------------------------------------------------- */

static void
on_action (const Action *action, gpointer data)
{
  Applet *applet = data;

  if (action->verb == VERB_QUIT)
    g_main_loop_quit (applet->loop);
  else
    service_model_act (applet->service, action);
}

static void
on_activated (gpointer data)
{
  Applet *applet = data;
  g_autoptr (Action) action = action_new (VERB_SYNC, NULL);

  service_model_act (applet->service, action);
}

static void
on_notice_closed (const Notice *notice, gpointer data)
{
  Applet *applet = data;

  if (g_str_equal (notice->kind, NOTICE_NEW_MAIL))
    service_model_forget_new_mail (applet->service, notice->path);
}

/* --- the session's bus ----------------------------------------------------------------------- */

static void connect_bus (Applet *applet);

static void
begin_session (Applet *applet)
{
  static const DBusMenuFuncs menu = {build_menu, on_action};
  static const NotificationsFuncs notifications = {on_action, on_notice_closed};

  applet->ids = menu_ids_new ();
  applet->service = service_model_new (applet->bus, on_changed, applet);
  applet->menu = dbusmenu_new (applet->bus, &menu, applet);
  applet->item = status_notifier_new (applet->bus, DBUSMENU_PATH, on_activated, applet);
  applet->notifications = notifications_new (applet->bus, &notifications, applet);
  refresh (applet);
}

static void
end_session (Applet *applet)
{
  g_clear_handle_id (&applet->refresh_timer, g_source_remove);
  g_clear_handle_id (&applet->again_timer, g_source_remove);
  g_clear_pointer (&applet->notifications, notifications_free);
  g_clear_pointer (&applet->item, status_notifier_free);
  g_clear_pointer (&applet->menu, dbusmenu_free);
  g_clear_pointer (&applet->service, service_model_free);
  g_clear_pointer (&applet->ids, menu_ids_free);
  g_clear_handle_id (&applet->name, g_bus_unown_name);
  if (applet->bus != NULL)
    g_signal_handler_disconnect (applet->bus, applet->closed_handler);
  g_clear_object (&applet->bus);
}

static gboolean
on_retry (gpointer data)
{
  Applet *applet = data;

  applet->retry_timer = 0;
  connect_bus (applet);
  return G_SOURCE_REMOVE;
}

static void
retry (Applet *applet)
{
  if (applet->attempt == BUS_ATTEMPTS) {
    g_main_loop_quit (applet->loop);
    return;
  }
  applet->retry_timer = g_timeout_add_seconds (1U << applet->attempt, on_retry, applet);
  applet->attempt++;
}

static gboolean
on_lost (gpointer data)
{
  Applet *applet = data;

  end_session (applet);
  retry (applet);
  return G_SOURCE_REMOVE;
}

static void
on_closed (GDBusConnection *bus, gboolean vanished, GError *error, gpointer data)
{
  g_idle_add (on_lost, data); /* not from within the connection's own signal */
}

static void
on_name_acquired (GDBusConnection *bus, const char *name, gpointer data)
{
  Applet *applet = data;

  applet->attempt = 0;
  begin_session (applet);
}

static void
on_name_lost (GDBusConnection *bus, const char *name, gpointer data)
{
  Applet *applet = data;

  if (bus == NULL || g_dbus_connection_is_closed (bus))
    return; /* on_closed() knows */
  g_message ("another instance is at work");
  g_main_loop_quit (applet->loop);
}

static void
on_bus (GObject *source, GAsyncResult *result, gpointer data)
{
  Applet *applet = data;
  g_autoptr (GError) error = NULL;

  applet->bus = g_bus_get_finish (result, &error);
  if (applet->bus == NULL) {
    if (applet->status != EXIT_SUCCESS) {
      g_warning ("there is no session bus: %s", error->message);
      g_main_loop_quit (applet->loop);
    } else {
      retry (applet);
    }
    return;
  }
  applet->status = EXIT_SUCCESS;
  g_dbus_connection_set_exit_on_close (applet->bus, FALSE);
  applet->closed_handler = g_signal_connect (applet->bus, "closed", G_CALLBACK (on_closed), applet);
  if (g_dbus_connection_is_closed (applet->bus)) {
    on_lost (applet);
    return;
  }
  applet->name =
      g_bus_own_name_on_connection (applet->bus, APPLET_ID, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                    on_name_acquired, on_name_lost, applet, NULL);
}

static void
connect_bus (Applet *applet)
{
  g_bus_get (G_BUS_TYPE_SESSION, NULL, on_bus, applet);
}

static gboolean
on_terminate (gpointer data)
{
  Applet *applet = data;

  g_main_loop_quit (applet->loop);
  return G_SOURCE_CONTINUE;
}

int
applet_run (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Applet applet = {.loop = loop, .status = EXIT_FAILURE};
  guint terminate[] = {
      g_unix_signal_add (SIGTERM, on_terminate, &applet),
      g_unix_signal_add (SIGINT, on_terminate, &applet),
      g_unix_signal_add (SIGHUP, on_terminate, &applet),
  };

  connect_bus (&applet);
  g_main_loop_run (loop);
  for (guint i = 0; i < G_N_ELEMENTS (terminate); i++)
    g_source_remove (terminate[i]);
  g_clear_handle_id (&applet.retry_timer, g_source_remove);
  end_session (&applet);
  return applet.status;
}
