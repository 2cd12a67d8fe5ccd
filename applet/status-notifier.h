/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "state.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* The item in the panel (org.kde.StatusNotifierItem). Waits for a panel, and follows its restarts;
 * without one nothing happens. */
typedef struct _StatusNotifier StatusNotifier;

/* @activated: clicked in a way that opens no menu. */
StatusNotifier *status_notifier_new (GDBusConnection *bus, const char *menu_path,
                                     void (*activated) (gpointer data), gpointer data);
void status_notifier_free (StatusNotifier *item);

/* @text: below @title where a panel shows both; one line for each account. */
void status_notifier_show (StatusNotifier *item, Mood mood, const char *title, const char *text);

G_END_DECLS
