/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Streams the messages of the plans of @mailboxes from each side to the other, both ways at once,
 * and waits for everything in @wait, which may hold other commands already. Pairs are committed as
 * they are confirmed. @ahead: no effect follows, so the next gather is asked behind the last one.
 */
gboolean sync_copy (SyncEngine *engine, GPtrArray *mailboxes, SyncWait *wait, gboolean ahead,
                    GError **error);

G_END_DECLS
