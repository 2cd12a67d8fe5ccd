/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Appends to @wrong those of @pairs (StorePair, both of whose messages are there) that are two
 * different messages. */
gboolean sync_gather_wrong_pairs (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs,
                                  GArray *wrong, GError **error);

/* Of @pairs: how many are the same message on both sides, how many are two; the rest is not there
 * any more on one side. *@told FALSE: a mailbox cannot be selected or is another one. */
gboolean sync_gather_sample (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs,
                             guint *same, guint *other, gboolean *told, GError **error);

G_END_DECLS
