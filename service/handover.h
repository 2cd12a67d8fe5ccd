/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* Work for accounts that a process in this session has already: it is asked over the bus to do it.
 */

/* Which of @configs (AccountConfig) the process that owns the name has, by their databases; NULL
 * when there is none, it does not answer, or has none of them. *@pid: whose it is.
 * (transfer container) */
GPtrArray *handover_find (GDBusConnection *connection, GPtrArray *configs, guint32 *pid);

/* Has the owner make a pass over each of @configs as @request says, tells the figures, and returns
 * the worst result. What it could not be asked for, since it went away, is left in @configs, which
 * has the rest of the work then. Runs the default GMainContext. */
SyncResult
handover_run (GDBusConnection *connection, GPtrArray *configs, const SyncRequest *request);

/* The same for a program that ends by itself: looks for a bus and an owner, and takes out of
 * @configs what the owner did. */
SyncResult handover_try (GPtrArray *configs, const SyncRequest *request);

/* Whether this process was started by the bus or by systemd, not by a person. */
gboolean handover_is_activated (void);

G_END_DECLS
