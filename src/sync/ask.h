/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 3 of a pass, around the pure planner: gives it what the database has, finds out what it
 * asks, and calls it again, until each mailbox of @work (SyncMailbox) has a plan without questions
 * or has failed. */
gboolean sync_ask_plans (SyncEngine *engine, GPtrArray *work, GError **error);

G_END_DECLS
