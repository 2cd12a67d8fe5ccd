/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "status-notifier.h"

#include "icons.h"
#include "tray-interfaces.h"
#include "wording.h"

#include <string.h>

#define ITEM_PATH      "/StatusNotifierItem"
#define ITEM_INTERFACE "org.kde.StatusNotifierItem"
#define WATCHER_NAME   "org.kde.StatusNotifierWatcher"
#define WATCHER_PATH   "/StatusNotifierWatcher"

enum {
  VERIFY_AFTER = 2, /* seconds; doubled each time */
  ATTEMPTS = 5,
};

struct _StatusNotifier {
  GDBusConnection *bus;
  char *menu_path;
  void (*activated) (gpointer data);
  gpointer data;
  guint object;
  guint watch;
  guint attempt;
  guint verify_timer;
  GCancellable *cancellable;
  Mood mood;
  char *title;
  char *text;
};

/* --- the item -------------------------------------------------------------------------------- */

static const char *
status_of (const StatusNotifier *item)
{
  return item->mood == MOOD_ATTENTION ? "NeedsAttention" : "Active";
}

static GVariant *
no_pixmaps (void)
{
  return g_variant_new_array (G_VARIANT_TYPE ("(iiay)"), NULL, 0);
}

/* Panels take its text for markup. */
static GVariant *
tooltip (const StatusNotifier *item)
{
  g_autofree char *title = g_markup_escape_text (item->title, -1);
  g_autofree char *text = g_markup_escape_text (item->text, -1);

  return g_variant_new ("(s@a(iiay)ss)", icon_name (item->mood), no_pixmaps (), title, text);
}

static GVariant *
on_get_property (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                 const char *name, GError **error, gpointer data)
{
  const StatusNotifier *item = data;
  const struct {
    const char *name;
    const char *text;
  } texts[] = {
      {"Category", "Communications"},
      {"Id", APPLET_ID},
      {"Title", item->title},
      {"Status", status_of (item)},
      {"IconThemePath", icon_theme_path ()},
      {"IconName", icon_name (item->mood)},
      {"IconAccessibleDesc", wording_mood (item->mood)},
      {"AttentionIconName", icon_name (MOOD_ATTENTION)},
      {"AttentionAccessibleDesc", wording_mood (MOOD_ATTENTION)},
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    if (g_str_equal (name, texts[i].name))
      return g_variant_new_string (texts[i].text);
  }
  if (g_str_equal (name, "Menu"))
    return g_variant_new_object_path (item->menu_path);
  if (g_str_equal (name, "ItemIsMenu"))
    return g_variant_new_boolean (TRUE);
  if (g_str_equal (name, "WindowId"))
    return g_variant_new_int32 (0);
  if (g_str_equal (name, "XAyatanaOrderingIndex"))
    return g_variant_new_uint32 (0);
  if (g_str_equal (name, "ToolTip"))
    return tooltip (item);
  if (g_str_equal (name, "IconPixmap"))
    return icon_pixmaps (item->mood);
  if (g_str_equal (name, "AttentionIconPixmap"))
    return icon_pixmaps (MOOD_ATTENTION);
  if (g_str_equal (name, "OverlayIconPixmap"))
    return no_pixmaps ();
  return g_variant_new_string (""); /* what we do not use must be there all the same */
}

static void
on_call (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer data)
{
  StatusNotifier *item = data;

  g_dbus_method_invocation_return_value (invocation, NULL);
  if (g_str_has_suffix (method, "Activate"))
    item->activated (item->data);
}

static void
emit (StatusNotifier *item, const char *name, GVariant *parameters)
{
  g_dbus_connection_emit_signal (item->bus, NULL, ITEM_PATH, ITEM_INTERFACE, name, parameters,
                                 NULL);
}

void
status_notifier_show (StatusNotifier *item, Mood mood, const char *title, const char *text)
{
  gboolean mood_changed = mood != item->mood;

  if (!mood_changed && g_str_equal (title, item->title) && g_str_equal (text, item->text))
    return;
  item->mood = mood;
  g_free (item->title);
  item->title = g_strdup (title);
  g_free (item->text);
  item->text = g_strdup (text);
  if (mood_changed) {
    /* Xfce's panel forgets the attention icon that it got before it knew of the status. */
    emit (item, "NewStatus", g_variant_new ("(s)", status_of (item)));
    emit (item, "NewAttentionIcon", NULL);
    emit (item, "NewIcon", NULL);
  }
  emit (item, "NewTitle", NULL);
  emit (item, "NewToolTip", NULL);
}

/* --- the panel ------------------------------------------------------------------------------- */

static void register_item (StatusNotifier *item);

/* The strings differ from panel to panel, but all contain who we are. */
static gboolean
is_registered (StatusNotifier *item, GVariant *reply)
{
  g_autoptr (GVariant) value = NULL;
  g_autofree const char **items = NULL;
  const char *self = g_dbus_connection_get_unique_name (item->bus);
  gsize length = strlen (self);

  g_variant_get (reply, "(v)", &value);
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY))
    return FALSE;
  items = g_variant_get_strv (value, NULL);
  for (guint i = 0; items[i] != NULL; i++) {
    if (strncmp (items[i], self, length) == 0 && !g_ascii_isdigit (items[i][length]))
      return TRUE;
  }
  return FALSE;
}

static void
on_verified (GObject *source, GAsyncResult *result, gpointer data)
{
  StatusNotifier *item = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (reply == NULL || !is_registered (item, reply))
    register_item (item);
}

static gboolean
on_verify_timer (gpointer data)
{
  StatusNotifier *item = data;

  item->verify_timer = 0;
  g_dbus_connection_call (
      item->bus, WATCHER_NAME, WATCHER_PATH, "org.freedesktop.DBus.Properties", "Get",
      g_variant_new ("(ss)", WATCHER_NAME, "RegisteredStatusNotifierItems"), G_VARIANT_TYPE ("(v)"),
      G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, item->cancellable, on_verified, item);
  return G_SOURCE_REMOVE;
}

static void
on_registered (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_message ("the panel does not take the icon: %s", error->message);
}

/* By path: panels take a name by a longer way, on which some lose it. And some that answered well
 * have dropped the item a moment later. */
static void
register_item (StatusNotifier *item)
{
  if (item->attempt == ATTEMPTS) {
    g_message ("the panel does not show the icon");
    return;
  }
  g_dbus_connection_call (item->bus, WATCHER_NAME, WATCHER_PATH, WATCHER_NAME,
                          "RegisterStatusNotifierItem", g_variant_new ("(s)", ITEM_PATH), NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, item->cancellable, on_registered,
                          NULL);
  item->verify_timer = g_timeout_add_seconds (VERIFY_AFTER << item->attempt, on_verify_timer, item);
  item->attempt++;
}

static void
forget_panel (StatusNotifier *item)
{
  g_clear_handle_id (&item->verify_timer, g_source_remove);
  g_cancellable_cancel (item->cancellable);
  g_clear_object (&item->cancellable);
}

static void
on_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
  StatusNotifier *item = data;

  forget_panel (item);
  item->cancellable = g_cancellable_new ();
  item->attempt = 0;
  register_item (item);
}

static void
on_vanished (GDBusConnection *bus, const char *name, gpointer data)
{
  forget_panel (data);
}

StatusNotifier *
status_notifier_new (GDBusConnection *bus, const char *menu_path, void (*activated) (gpointer data),
                     gpointer data)
{
  static const GDBusInterfaceVTable vtable = {.method_call = on_call,
                                              .get_property = on_get_property};
  g_autoptr (GError) error = NULL;
  StatusNotifier *item = g_new0 (StatusNotifier, 1);

  item->bus = g_object_ref (bus);
  item->menu_path = g_strdup (menu_path);
  item->activated = activated;
  item->data = data;
  item->mood = MOOD_SYNCING;
  item->title = g_strdup (PACKAGE_NAME);
  item->text = g_strdup ("");
  item->object = g_dbus_connection_register_object (
      bus, ITEM_PATH, (GDBusInterfaceInfo *)&org_kde_status_notifier_item_interface, &vtable, item,
      NULL, &error);
  if (item->object == 0)
    g_critical ("the icon cannot be exported: %s", error->message);
  item->watch = g_bus_watch_name_on_connection (bus, WATCHER_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                on_appeared, on_vanished, item, NULL);
  return item;
}

void
status_notifier_free (StatusNotifier *item)
{
  if (item == NULL)
    return;
  g_bus_unwatch_name (item->watch);
  forget_panel (item);
  if (item->object != 0)
    g_dbus_connection_unregister_object (item->bus, item->object);
  g_free (item->menu_path);
  g_free (item->title);
  g_free (item->text);
  g_object_unref (item->bus);
  g_free (item);
}
