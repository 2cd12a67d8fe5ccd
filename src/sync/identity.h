/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

G_BEGIN_DECLS

/* R5, the one mechanism: which messages without a pair are the same on both sides. Pure.
 *
 * In ranks, each matching what the one before left over, as multisets in UID order: equal server
 * ids prove (unequal ones prove nothing); then Message-ID with size and date; then, for those that
 * could still be the same, a digest of the normalized message. A Message-ID alone matches nothing.
 */

typedef struct {
  guint32 uid;
  guint64 guid;       /* SyncMessage.guid */
  guint64 message_id; /* sync_message_id_hash(); 0: has none */
  guint64 size;
  gint64 date;
  gboolean digested;
  guint8 digest[32];
} SyncIdentity;

/* @messages[side]: SyncIdentity, ascending UID. Appends SyncMatch to @matches. Where only a digest
 * can tell, the UIDs of those that have none are put in @undecided[side] (both empty: it is all
 * decided). */
void sync_identity_match (const GArray *const messages[N_SIDES], GArray *matches,
                          UidSet *undecided[N_SIDES]);

/* Of two that are said to be the same message. */
typedef enum {
  SYNC_IDENTITY_SAME,
  SYNC_IDENTITY_OTHER,
  SYNC_IDENTITY_UNDECIDED, /* only digests can tell */
} SyncIdentityVerdict;

SyncIdentityVerdict sync_identity_compare (const SyncIdentity *a, const SyncIdentity *b);

/* Of BODY[HEADER.FIELDS (MESSAGE-ID)]: 64 bits of the id, white space and folding apart; 0 for
 * none. */
guint64 sync_message_id_hash (const guint8 *header, gsize length);

/* The id itself for logs, on one line and escaped; "" for none. (transfer full) */
char *sync_message_id_text (const guint8 *header, gsize length);

/* A digest of a message as it would be after any server changed it in the ways that servers do:
 * line ends (CRLF, LF), 8-bit bytes in the header, NUL. */
typedef struct _SyncDigest SyncDigest;

SyncDigest *sync_digest_new (void);
void sync_digest_update (SyncDigest *digest, const guint8 *bytes, gsize length);
/* Frees @digest. */
void sync_digest_finish (SyncDigest *digest, guint8 out[32]);

G_END_DECLS
