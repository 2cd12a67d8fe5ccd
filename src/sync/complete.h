/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* R2: a FETCH that omits a message proves nothing. Where a full delta of @mailboxes has fewer
 * messages than EXISTS said, UID SEARCH tells which of the others are there all the same: those
 * with a pair are taken for unchanged, those without are held. A server that will not tell is left
 * alone with that mailbox. */
gboolean sync_complete_lists (SyncEngine *engine, GPtrArray *mailboxes, GError **error);

G_END_DECLS
