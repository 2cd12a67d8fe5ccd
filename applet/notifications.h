/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "notify-policy.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
  void (*acted) (const Action *action, gpointer data);  /* a button was pressed */
  void (*closed) (const Notice *notice, gpointer data); /* by the person, or of old age */
} NotificationsFuncs;

/* Shows what the policy wants, through libnotify: each notification once, changed in place, gone
 * when its cause is. Blocks as long as libnotify waits for the desktop. */
typedef struct _Notifications Notifications;

Notifications *
notifications_new (GDBusConnection *bus, const NotificationsFuncs *funcs, gpointer data);
void notifications_free (Notifications *notifications);

/* Takes @wanted: Notice, the most important first. */
void notifications_show (Notifications *notifications, GPtrArray *wanted);

G_END_DECLS
