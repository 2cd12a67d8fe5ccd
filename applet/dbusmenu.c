/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "dbusmenu.h"

#include "tray-interfaces.h"

#include <string.h>

#define INTERFACE "com.canonical.dbusmenu"

enum {
  OPEN_INTERVAL = 20, /* seconds between refreshes of an open menu, whose times grow old */
  OPEN_TIMEOUT = 300, /* no panel keeps a menu open for so long; its "closed" was lost */
};

struct _DBusMenu {
  GDBusConnection *bus;
  const DBusMenuFuncs *funcs;
  gpointer data;
  guint object;
  MenuItem *root;
  guint revision;
  guint open_timer;
  guint open_for; /* seconds */
};

/* --- what an item says ----------------------------------------------------------------------- */

static gboolean
is_wanted (const char *name, const char *const *names)
{
  return names == NULL || names[0] == NULL || g_strv_contains (names, name);
}

/* a{sv}; what has its default is left out. */
static GVariant *
describe (const MenuItem *item, const char *const *names)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (item->label == NULL && is_wanted ("type", names))
    g_variant_builder_add (&builder, "{sv}", "type", g_variant_new_string ("separator"));
  if (item->label != NULL && is_wanted ("label", names))
    g_variant_builder_add (&builder, "{sv}", "label", g_variant_new_string (item->label));
  if (item->disabled && is_wanted ("enabled", names))
    g_variant_builder_add (&builder, "{sv}", "enabled", g_variant_new_boolean (FALSE));
  if (item->children != NULL && is_wanted ("children-display", names))
    g_variant_builder_add (&builder, "{sv}", "children-display", g_variant_new_string ("submenu"));
  if (item->spoken != NULL && is_wanted ("accessible-desc", names))
    g_variant_builder_add (&builder, "{sv}", "accessible-desc",
                           g_variant_new_string (item->spoken));
  return g_variant_builder_end (&builder);
}

/* (ia{sv}av) */
static GVariant *
describe_layout (const MenuItem *item, gint depth, const char *const *names)
{
  GVariantBuilder children;

  g_variant_builder_init (&children, G_VARIANT_TYPE ("av"));
  for (guint i = 0; item->children != NULL && depth != 0 && i < item->children->len; i++)
    g_variant_builder_add (&children, "v",
                           describe_layout (g_ptr_array_index (item->children, i),
                                            depth < 0 ? depth : depth - 1, names));
  return g_variant_new ("(i@a{sv}av)", item->id, describe (item, names), &children);
}

/* --- what is another ------------------------------------------------------------------------- */

static gboolean
has_same_items (const MenuItem *a, const MenuItem *b)
{
  guint n = a->children != NULL ? a->children->len : 0;

  if (n != (b->children != NULL ? b->children->len : 0))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const MenuItem *left = g_ptr_array_index (a->children, i);
    const MenuItem *right = g_ptr_array_index (b->children, i);

    if (left->id != right->id || (left->children == NULL) != (right->children == NULL))
      return FALSE;
  }
  return TRUE;
}

typedef struct {
  GVariantBuilder updated; /* a(ia{sv}) */
  GVariantBuilder removed; /* a(ias) */
  guint n;
  GArray *parents; /* gint32: of items that came or went */
} Changes;

static void
compare_item (Changes *changes, const MenuItem *before, const MenuItem *after)
{
  GVariantBuilder properties;
  gboolean enabled = before->disabled != after->disabled;
  gboolean label = g_strcmp0 (before->label, after->label) != 0;
  gboolean spoken = g_strcmp0 (before->spoken, after->spoken) != 0;

  if (!enabled && !label && !spoken)
    return;
  g_variant_builder_init (&properties, G_VARIANT_TYPE_VARDICT);
  if (label && after->label != NULL)
    g_variant_builder_add (&properties, "{sv}", "label", g_variant_new_string (after->label));
  if (enabled)
    g_variant_builder_add (&properties, "{sv}", "enabled",
                           g_variant_new_boolean (!after->disabled));
  if (spoken)
    g_variant_builder_add (&properties, "{sv}", "accessible-desc",
                           g_variant_new_string (after->spoken != NULL ? after->spoken : ""));
  g_variant_builder_add (&changes->updated, "(ia{sv})", after->id, &properties);
  changes->n++;
}

static const MenuItem *
find_child (const MenuItem *item, gint32 id)
{
  for (guint i = 0; item->children != NULL && i < item->children->len; i++) {
    const MenuItem *child = g_ptr_array_index (item->children, i);

    if (child->id == id)
      return child;
  }
  return NULL;
}

/* Also below items that came or went: GNOME's shell asks for a new layout then, but only believes
 * what it says of items that it has not seen before. */
static void
compare (Changes *changes, const MenuItem *before, const MenuItem *after)
{
  compare_item (changes, before, after);
  if (!has_same_items (before, after))
    g_array_append_val (changes->parents, after->id);
  for (guint i = 0; after->children != NULL && i < after->children->len; i++) {
    const MenuItem *child = g_ptr_array_index (after->children, i);
    const MenuItem *same = find_child (before, child->id);

    if (same != NULL)
      compare (changes, same, child);
  }
}

static void
emit (DBusMenu *menu, const char *name, GVariant *parameters)
{
  g_dbus_connection_emit_signal (menu->bus, NULL, DBUSMENU_PATH, INTERFACE, name, parameters, NULL);
}

gboolean
dbusmenu_refresh (DBusMenu *menu)
{
  g_autoptr (MenuItem) before = g_steal_pointer (&menu->root);
  g_autoptr (GArray) parents = g_array_new (FALSE, FALSE, sizeof (gint32));
  Changes changes = {.parents = parents};

  menu->root = menu->funcs->build (menu->data);
  g_variant_builder_init (&changes.updated, G_VARIANT_TYPE ("a(ia{sv})"));
  g_variant_builder_init (&changes.removed, G_VARIANT_TYPE ("a(ias)"));
  compare (&changes, before, menu->root);
  if (changes.n > 0) {
    emit (menu, "ItemsPropertiesUpdated",
          g_variant_new ("(a(ia{sv})a(ias))", &changes.updated, &changes.removed));
  } else {
    g_variant_builder_clear (&changes.updated);
    g_variant_builder_clear (&changes.removed);
  }
  menu->revision += parents->len > 0;
  for (guint i = 0; i < parents->len; i++)
    emit (menu, "LayoutUpdated",
          g_variant_new ("(ui)", menu->revision, g_array_index (parents, gint32, i)));
  return parents->len > 0;
}

/* --- what the panel asks --------------------------------------------------------------------- */

static void
fail (GDBusMethodInvocation *invocation, gint32 id)
{
  g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                         "no item has the number %d", id);
}

static void
get_layout (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autofree const char **names = NULL;
  const MenuItem *item;
  gint32 id, depth;

  dbusmenu_refresh (menu);
  g_variant_get (parameters, "(ii^a&s)", &id, &depth, &names);
  item = menu_item_find (menu->root, id);
  if (item == NULL)
    fail (invocation, id);
  else
    g_dbus_method_invocation_return_value (
        invocation,
        g_variant_new ("(u@(ia{sv}av))", menu->revision, describe_layout (item, depth, names)));
}

static void
describe_group (GVariantBuilder *list, const MenuItem *item, GVariant *ids,
                const char *const *names)
{
  gsize n;
  const gint32 *wanted = g_variant_get_fixed_array (ids, &n, sizeof (gint32));
  gboolean found = n == 0;

  for (gsize i = 0; i < n && !found; i++)
    found = wanted[i] == item->id;
  if (found)
    g_variant_builder_add (list, "(i@a{sv})", item->id, describe (item, names));
  for (guint i = 0; item->children != NULL && i < item->children->len; i++)
    describe_group (list, g_ptr_array_index (item->children, i), ids, names);
}

static void
get_group (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariant) ids = g_variant_get_child_value (parameters, 0);
  g_autofree const char **names = NULL;
  GVariantBuilder list;

  g_variant_get_child (parameters, 1, "^a&s", &names);
  g_variant_builder_init (&list, G_VARIANT_TYPE ("a(ia{sv})"));
  describe_group (&list, menu->root, ids, names);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(a(ia{sv}))", &list));
}

static GVariant *
default_property (const char *name)
{
  if (g_str_equal (name, "enabled") || g_str_equal (name, "visible"))
    return g_variant_ref_sink (g_variant_new_boolean (TRUE));
  if (g_str_equal (name, "type"))
    return g_variant_ref_sink (g_variant_new_string ("standard"));
  return g_variant_ref_sink (g_variant_new_string (""));
}

static void
get_property_of_item (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariant) all = NULL;
  g_autoptr (GVariant) value = NULL;
  const MenuItem *item;
  const char *name;
  gint32 id;

  g_variant_get (parameters, "(i&s)", &id, &name);
  item = menu_item_find (menu->root, id);
  if (item == NULL) {
    fail (invocation, id);
    return;
  }
  all = g_variant_ref_sink (describe (item, NULL));
  value = g_variant_lookup_value (all, name, NULL);
  if (value == NULL)
    value = default_property (name);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(v)", value));
}

static gboolean
on_open_timer (gpointer data)
{
  DBusMenu *menu = data;

  menu->open_for += OPEN_INTERVAL;
  dbusmenu_refresh (menu);
  if (menu->open_for < OPEN_TIMEOUT)
    return G_SOURCE_CONTINUE;
  menu->open_timer = 0;
  return G_SOURCE_REMOVE;
}

static void
set_open (DBusMenu *menu, gboolean open)
{
  g_clear_handle_id (&menu->open_timer, g_source_remove);
  menu->open_for = 0;
  if (open)
    menu->open_timer = g_timeout_add_seconds (OPEN_INTERVAL, on_open_timer, menu);
}

/* FALSE: no such item. */
static gboolean
handle_event (DBusMenu *menu, gint32 id, const char *event)
{
  const MenuItem *item = menu_item_find (menu->root, id);
  g_autoptr (Action) action = NULL;

  if (item == NULL)
    return FALSE;
  if (id == 0 && g_str_equal (event, "opened"))
    set_open (menu, TRUE);
  else if (id == 0 && g_str_equal (event, "closed"))
    set_open (menu, FALSE);
  if (!g_str_equal (event, "clicked") || item->disabled || item->action == NULL)
    return TRUE;
  action = action_copy (item->action); /* the item may be gone before the action is */
  menu->funcs->activated (action, menu->data);
  return TRUE;
}

static void
event (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  const char *name;
  gint32 id;

  g_variant_get_child (parameters, 0, "i", &id);
  g_variant_get_child (parameters, 1, "&s", &name);
  if (!handle_event (menu, id, name))
    fail (invocation, id);
  else
    g_dbus_method_invocation_return_value (invocation, NULL);
}

static void
event_group (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariantIter) iter = NULL;
  GVariantBuilder missing;
  const char *name;
  gint32 id;

  g_variant_builder_init (&missing, G_VARIANT_TYPE ("ai"));
  g_variant_get (parameters, "(a(isvu))", &iter);
  while (g_variant_iter_next (iter, "(i&svu)", &id, &name, NULL, NULL)) {
    if (!handle_event (menu, id, name))
      g_variant_builder_add (&missing, "i", id);
  }
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(ai)", &missing));
}

static void
about_to_show (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  gint32 id;
  gboolean changed = dbusmenu_refresh (menu);

  g_variant_get (parameters, "(i)", &id);
  if (menu_item_find (menu->root, id) == NULL)
    fail (invocation, id);
  else
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(b)", changed));
}

static void
about_to_show_group (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariantIter) iter = NULL;
  GVariantBuilder updated, missing;
  gboolean changed = dbusmenu_refresh (menu);
  gint32 id;

  g_variant_builder_init (&updated, G_VARIANT_TYPE ("ai"));
  g_variant_builder_init (&missing, G_VARIANT_TYPE ("ai"));
  g_variant_get (parameters, "(ai)", &iter);
  while (g_variant_iter_next (iter, "i", &id)) {
    if (menu_item_find (menu->root, id) == NULL)
      g_variant_builder_add (&missing, "i", id);
    else if (changed)
      g_variant_builder_add (&updated, "i", id);
  }
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(aiai)", &updated, &missing));
}

static void
on_call (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer data)
{
  static const struct {
    const char *name;
    void (*call) (DBusMenu *menu, GVariant *parameters, GDBusMethodInvocation *invocation);
  } methods[] = {
      {"GetLayout", get_layout},
      {"GetGroupProperties", get_group},
      {"GetProperty", get_property_of_item},
      {"Event", event},
      {"EventGroup", event_group},
      {"AboutToShow", about_to_show},
      {"AboutToShowGroup", about_to_show_group},
  };

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++) {
    if (g_str_equal (method, methods[i].name)) {
      methods[i].call (data, parameters, invocation);
      return;
    }
  }
}

static GVariant *
on_get_property (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                 const char *name, GError **error, gpointer data)
{
  if (g_str_equal (name, "Version"))
    return g_variant_new_uint32 (3);
  if (g_str_equal (name, "Status"))
    return g_variant_new_string ("normal");
  if (g_str_equal (name, "TextDirection"))
    return g_variant_new_string ("ltr");
  return g_variant_new_strv (NULL, 0); /* IconThemePath */
}

DBusMenu *
dbusmenu_new (GDBusConnection *bus, const DBusMenuFuncs *funcs, gpointer data)
{
  static const GDBusInterfaceVTable vtable = {.method_call = on_call,
                                              .get_property = on_get_property};
  g_autoptr (GError) error = NULL;
  DBusMenu *menu = g_new0 (DBusMenu, 1);

  menu->bus = g_object_ref (bus);
  menu->funcs = funcs;
  menu->data = data;
  menu->revision = 1;
  menu->root = funcs->build (data);
  menu->object = g_dbus_connection_register_object (
      bus, DBUSMENU_PATH, (GDBusInterfaceInfo *)&com_canonical_dbusmenu_interface, &vtable, menu,
      NULL, &error);
  if (menu->object == 0)
    g_critical ("the menu cannot be exported: %s", error->message);
  return menu;
}

void
dbusmenu_free (DBusMenu *menu)
{
  if (menu == NULL)
    return;
  set_open (menu, FALSE);
  if (menu->object != 0)
    g_dbus_connection_unregister_object (menu->bus, menu->object);
  menu_item_free (menu->root);
  g_object_unref (menu->bus);
  g_free (menu);
}
