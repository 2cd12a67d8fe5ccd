/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* A message that is held has a size and a subject by which a person knows it. They have to be asked
 * for, which cannot be while messages are copied. So the conflicts of the kinds "refused" and
 * "unreadable" are written down at once and told a little later. */

/* Whether @kind is told by sync_describe_tell(). */
gboolean sync_describe_is_late (const char *kind);

/* Tells the conflicts in engine->untold; @ask: completed by what the servers say, each asked once
 * for all. FALSE when a connection or the database failed; they are told all the same. */
gboolean sync_describe_tell (SyncEngine *engine, gboolean ask, GError **error);

G_END_DECLS
