/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Both connections of an engine: up, and down. */

/* Until both sessions are ready; the passwords are there. */
gboolean sync_connect_both (SyncEngine *engine, GError **error);

/* LOGOUT where there is time for it; never longer than a second. */
void sync_disconnect_both (SyncEngine *engine);

/* Whatever comes next on the engine's context, but not longer than until @deadline (monotonic,
 * microseconds; 0: none). */
void sync_iterate_until (SyncEngine *engine, gint64 deadline);

G_END_DECLS
