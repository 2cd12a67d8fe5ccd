/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"
#include "sync/identity.h"

G_BEGIN_DECLS

/* What is to be found out of some messages of one mailbox on one side. */
typedef struct {
  SyncMailbox *mailbox;
  Side side;
  UidSet *uids;
  GArray *identities; /* the answer: SyncIdentity, ascending UID, those that were described */
} SyncEnquiry;

SyncEnquiry *sync_enquiry_new (SyncMailbox *mailbox, Side side);
void sync_enquiry_free (SyncEnquiry *enquiry);

/* Asks for date, size, server id and Message-ID of all messages of @enquiries (SyncEnquiry), all at
 * once. A mailbox that is another one now has no answers. */
gboolean sync_gather_enquiries (SyncEngine *engine, GPtrArray *enquiries, GError **error);

/* Appends to @wrong those of @pairs (StorePair, both of whose messages are there) that are two
 * different messages. */
gboolean sync_gather_wrong_pairs (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs,
                                  GArray *wrong, GError **error);

/* Of @pairs: how many are the same message on both sides, how many are two; the rest is not there
 * any more on one side. *@told FALSE: a mailbox cannot be selected or is another one. */
gboolean sync_gather_sample (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs,
                             guint *same, guint *other, gboolean *told, GError **error);

/* Of @pairs: how many of their messages on @side have the very id there that the pair says. */
gboolean sync_gather_guids (SyncEngine *engine, SyncMailbox *mailbox, Side side,
                            const GArray *pairs, guint *same, GError **error);

G_END_DECLS
