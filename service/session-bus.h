/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The connections to the buses of the session and the system: without them everything else works,
 * and losing them does not end the process, as GLib would. */

/* Connects; @callback always comes, within seconds. For the session bus only where one is known:
 * GLib would start one of its own. */
void bus_connect (GBusType type, GAsyncReadyCallback callback, gpointer data);

/* (transfer full) NULL without a bus; G_IO_ERROR_NOT_FOUND: there never was one. */
GDBusConnection *bus_connect_finish (GAsyncResult *result, GError **error);

/* Whether this session has a bus. */
gboolean bus_is_known (void);

G_END_DECLS
