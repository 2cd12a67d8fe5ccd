/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "flags.h"
#include "imap/uid-set.h"
#include "records.h"

G_BEGIN_DECLS

/* What is known of one message on one side. */
typedef struct {
  guint32 uid;
  FlagsId flags;
  gboolean described;  /* the following three were asked for and told */
  gint64 internaldate; /* seconds since 1970 */
  guint64 size;        /* RFC822.SIZE, bytes */
  guint64 guid;        /* 64 bits of X-GUID or EMAILID; 0: none */
} SyncMessage;

/* R6: how far the numbers of this side are to be believed. */
typedef enum {
  SYNC_TRUST_PROVED,   /* UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ go on from what was saved; VANISHED
                          is a proof */
  SYNC_TRUST_INFERRED, /* UIDs are as saved, but it was found by comparing full lists: absent means
                          expunged, unless it is very many */
  SYNC_TRUST_NONE,     /* UIDVALIDITY changed or UIDNEXT fell: no UID means what it meant */
} SyncTrust;

/* What changed in one mailbox on one side since the saved state, whichever gatherer found out. */
typedef struct {
  guint32 uidvalidity;
  guint32 uidnext;       /* of the SELECT */
  guint64 highestmodseq; /* of the SELECT; 0: NOMODSEQ */
  guint32 exists;        /* of the SELECT */
  gboolean read_only;
  FlagMask mask;
  FlagsId listed; /* FLAGS of the SELECT */
  SyncTrust trust;
  gboolean full;    /* messages are all there are; what is absent is gone */
  GArray *messages; /* SyncMessage, ascending UID: changed, new, or all */
  UidSet *vanished; /* gone since; may name UIDs that never were ours */
} SyncDelta;

SyncDelta *sync_delta_new (void);
void sync_delta_free (SyncDelta *delta);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncDelta, sync_delta_free)

/* Binary search. NULL: not among the messages. */
SyncMessage *sync_delta_find (const SyncDelta *delta, guint32 uid);

/* Gone for certain: in vanished, or absent from a full list. */
gboolean sync_delta_is_gone (const SyncDelta *delta, guint32 uid);

G_END_DECLS
