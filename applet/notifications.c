/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "notifications.h"

#include "icons.h"

#include <libnotify/notify.h>

#define SERVER_NAME "org.freedesktop.Notifications"

/* GNOME's shell keeps three of an application, and drops older ones. */
enum { ALIVE = 3 };

struct _Notifications {
  GDBusConnection *bus;
  const NotificationsFuncs *funcs;
  gpointer data;
  guint watch;
  GPtrArray *wanted;  /* Notice */
  GHashTable *alive;  /* key -> Shown */
  GHashTable *closed; /* key -> Notice's serial, guint64 */
  gboolean asked;     /* for what follows */
  gboolean can_act;
  gboolean can_markup;
  gboolean nobody; /* to show anything, and the bus cannot start anybody */
};

/* One on the screen. */
typedef struct {
  Notifications *owner;
  Notice *notice;
  NotifyNotification *notification;
} Shown;

static void update (Notifications *notifications);

static void
shown_free (gpointer data)
{
  Shown *shown = data;

  g_signal_handlers_disconnect_by_data (shown->notification, shown);
  notify_notification_clear_actions (shown->notification);
  g_object_unref (shown->notification);
  notice_unref (shown->notice);
  g_free (shown);
}

/* --- what comes back ------------------------------------------------------------------------- */

static void
remember_closed (Notifications *notifications, const Notice *notice)
{
  g_hash_table_replace (notifications->closed, g_strdup (notice->key),
                        g_memdup2 (&notice->serial, sizeof notice->serial));
}

static void
on_closed (NotifyNotification *notification, gpointer data)
{
  Shown *shown = data;
  Notifications *owner = shown->owner;
  g_autofree char *key = g_strdup (shown->notice->key);

  remember_closed (owner, shown->notice);
  owner->funcs->closed (shown->notice, owner->data);
  g_hash_table_remove (owner->alive, key);
  update (owner);
}

static void
on_action (NotifyNotification *notification, char *key, gpointer data)
{
  Shown *shown = data;
  Notifications *owner = shown->owner;
  guint64 i = g_ascii_strtoull (key, NULL, 10); /* "default": 0 */
  const NoticeButton *button;
  g_autoptr (Action) action = NULL;

  if (i >= shown->notice->buttons->len)
    return;
  button = g_ptr_array_index (shown->notice->buttons, i);
  action = action_copy (button->action);
  owner->funcs->acted (action, owner->data);
}

/* --- showing --------------------------------------------------------------------------------- */

static void
ask_capabilities (Notifications *notifications)
{
  GList *list = notify_get_server_caps ();

  for (GList *l = list; l != NULL; l = l->next) {
    notifications->can_act |= g_str_equal (l->data, "actions");
    notifications->can_markup |= g_str_equal (l->data, "body-markup");
  }
  notifications->asked = TRUE;
  g_list_free_full (list, g_free);
}

static void
add_buttons (Shown *shown)
{
  const GPtrArray *buttons = shown->notice->buttons;

  notify_notification_clear_actions (shown->notification);
  if (!shown->owner->can_act)
    return;
  for (guint i = 0; i < buttons->len; i++) {
    const NoticeButton *button = g_ptr_array_index (buttons, i);
    g_autofree char *key = g_strdup_printf ("%u", i);

    if (i == 0 && shown->notice->click)
      notify_notification_add_action (shown->notification, "default", button->label, on_action,
                                      shown, NULL);
    notify_notification_add_action (shown->notification, key, button->label, on_action, shown,
                                    NULL);
  }
}

static char *
make_body (const Notifications *notifications, const Notice *notice)
{
  return notifications->can_markup ? g_markup_escape_text (notice->body, -1)
                                   : g_strdup (notice->body);
}

static void
set_hints (Shown *shown)
{
  const Notice *notice = shown->notice;
  NotifyNotification *notification = shown->notification;

  notify_notification_set_category (notification, notice->category);
  notify_notification_set_urgency (
      notification, notice->urgency == URGENCY_LOW ? NOTIFY_URGENCY_LOW : NOTIFY_URGENCY_NORMAL);
  notify_notification_set_timeout (notification,
                                   notice->lasting ? NOTIFY_EXPIRES_NEVER : NOTIFY_EXPIRES_DEFAULT);
  notify_notification_set_hint (notification, "desktop-entry", g_variant_new_string (APPLET_ID));
  notify_notification_set_hint (notification, "x-kde-origin-name",
                                g_variant_new_string (notice->account));
}

/* FALSE: it is not on the screen; to be tried again. */
static gboolean
show (Shown *shown)
{
  g_autoptr (GError) error = NULL;

  set_hints (shown);
  add_buttons (shown);
  if (notify_notification_show (shown->notification, &error))
    return TRUE;
  shown->owner->nobody = g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
  g_message ("a notification cannot be shown: %s", error->message);
  return FALSE;
}

/* --- what is wanted, and what is there ------------------------------------------------------- */

static void
open_notice (Notifications *notifications, Notice *notice)
{
  g_autofree char *body = make_body (notifications, notice);
  Shown *shown = g_new0 (Shown, 1);

  shown->owner = notifications;
  shown->notice = notice_ref (notice);
  shown->notification = notify_notification_new (notice->summary, body, APPLET_ID);
  g_signal_connect (shown->notification, "closed", G_CALLBACK (on_closed), shown);
  if (show (shown))
    g_hash_table_replace (notifications->alive, g_strdup (notice->key), shown);
  else
    shown_free (shown);
}

static gboolean
says_the_same (const Notice *a, const Notice *b)
{
  return g_str_equal (a->summary, b->summary) && g_str_equal (a->body, b->body) &&
         a->serial == b->serial && a->buttons->len == b->buttons->len;
}

static void
change_notice (Shown *shown, Notice *notice)
{
  g_autofree char *body = make_body (shown->owner, notice);
  gboolean same = says_the_same (shown->notice, notice);

  notice_unref (shown->notice);
  shown->notice = notice_ref (notice);
  if (same)
    return;
  notify_notification_update (shown->notification, notice->summary, body, APPLET_ID);
  show (shown);
}

static gboolean
is_closed (Notifications *notifications, const Notice *notice)
{
  const guint64 *serial = g_hash_table_lookup (notifications->closed, notice->key);

  return serial != NULL && notice->serial <= *serial;
}

/* A cause that is gone may come back, and is news again. */
static void
forget_closed (Notifications *notifications, GHashTable *causes)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, notifications->closed);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    if (!g_hash_table_contains (causes, key))
      g_hash_table_iter_remove (&iter);
  }
}

static void
withdraw (Notifications *notifications, GHashTable *chosen)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, notifications->alive);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    Shown *shown = value;

    if (g_hash_table_contains (chosen, key))
      continue;
    g_signal_handlers_disconnect_by_data (shown->notification, shown);
    notify_notification_close (shown->notification, NULL);
    g_hash_table_iter_remove (&iter);
  }
}

static void
show_chosen (Notifications *notifications, const GPtrArray *chosen)
{
  for (guint i = 0; i < chosen->len && !notifications->nobody; i++) {
    Notice *notice = g_ptr_array_index (chosen, i);
    Shown *shown = g_hash_table_lookup (notifications->alive, notice->key);

    if (!notifications->asked)
      ask_capabilities (notifications);
    if (shown != NULL)
      change_notice (shown, notice);
    else
      open_notice (notifications, notice);
  }
}

static void
update (Notifications *notifications)
{
  g_autoptr (GHashTable) causes = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) keys = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) wanted = g_ptr_array_ref (notifications->wanted);
  g_autoptr (GPtrArray) chosen = g_ptr_array_new ();

  for (guint i = 0; i < wanted->len; i++) {
    Notice *notice = g_ptr_array_index (wanted, i);

    g_hash_table_add (causes, notice->key);
    if (chosen->len == ALIVE || is_closed (notifications, notice))
      continue;
    g_hash_table_add (keys, notice->key);
    g_ptr_array_add (chosen, notice);
  }
  forget_closed (notifications, causes);
  withdraw (notifications, keys);
  show_chosen (notifications, chosen);
}

void
notifications_show (Notifications *notifications, GPtrArray *wanted)
{
  g_ptr_array_unref (notifications->wanted);
  notifications->wanted = wanted;
  update (notifications);
}

/* --- the server ------------------------------------------------------------------------------ */

static void
on_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
  Notifications *notifications = data;

  notifications->nobody = FALSE;
  update (notifications);
}

static void
on_vanished (GDBusConnection *bus, const char *name, gpointer data)
{
  Notifications *notifications = data;

  /* Its numbers mean nothing to the next one. */
  g_hash_table_remove_all (notifications->alive);
  notifications->asked = notifications->can_act = notifications->can_markup = FALSE;
}

Notifications *
notifications_new (GDBusConnection *bus, const NotificationsFuncs *funcs, gpointer data)
{
  Notifications *notifications = g_new0 (Notifications, 1);

  notify_init (PACKAGE_NAME);
  notifications->bus = g_object_ref (bus);
  notifications->funcs = funcs;
  notifications->data = data;
  notifications->wanted = g_ptr_array_new ();
  notifications->alive = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, shown_free);
  notifications->closed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  notifications->watch =
      g_bus_watch_name_on_connection (bus, SERVER_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared,
                                      on_vanished, notifications, NULL);
  return notifications;
}

void
notifications_free (Notifications *notifications)
{
  if (notifications == NULL)
    return;
  g_bus_unwatch_name (notifications->watch);
  if (!g_dbus_connection_is_closed (notifications->bus)) {
    g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);

    withdraw (notifications, none); /* buttons that nobody hears */
  }
  g_hash_table_unref (notifications->alive);
  g_hash_table_unref (notifications->closed);
  g_ptr_array_unref (notifications->wanted);
  g_object_unref (notifications->bus);
  g_free (notifications);
  notify_uninit ();
}
