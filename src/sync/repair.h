/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* --repair: what the database says of @mailboxes is compared with their full deltas of both sides.
 * Each anomaly is told in a line of its own, before anything is done about it. Pairs of two
 * different messages are dropped, so that both are matched again; everything else is the planner's,
 * as ever. */
gboolean sync_repair_examine (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

G_END_DECLS
