/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "menu-model.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define DBUSMENU_PATH "/org/imapsync/Applet/Menu"

typedef struct {
  MenuItem *(*build) (gpointer data); /* the menu as it is at this moment */
  void (*activated) (const Action *action, gpointer data);
} DBusMenuFuncs;

/* A menu on the bus (com.canonical.dbusmenu), which a panel draws. */
typedef struct _DBusMenu DBusMenu;

/* NULL when the path is taken: a programmer's error. */
DBusMenu *dbusmenu_new (GDBusConnection *bus, const DBusMenuFuncs *funcs, gpointer data);
void dbusmenu_free (DBusMenu *menu);

/* Tells the panel what is another since the last time; an open menu changes in place.
 * TRUE: items came or went. */
gboolean dbusmenu_refresh (DBusMenu *menu);

G_END_DECLS
