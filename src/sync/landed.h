/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

G_BEGIN_DECLS

/* What an interrupted pass was about to copy may have arrived, or arrive yet, without a pair. If
 * the owner has expunged the original meanwhile, nothing is left to compare the copy with but what
 * the intent kept: date and size of each message. So the copy is known for what it is, and follows.
 */

/* Appends what is to be kept of @message to @descriptions, those of one intent. They go in
 * ascending order of their UIDs; *@date is that of the one before, 0 at first. */
void sync_landed_describe (GByteArray *descriptions, const SyncMessage *message, gint64 *date);

/* A message that is gone, was to be copied, and is not known to have arrived. */
typedef struct {
  guint32 uid;
  guint64 size;
  gint64 date;
  FlagsId flags; /* that it was to be copied with */
  guint32 from;  /* a copy of it has this UID or a higher one */
} SyncDeparted;

/* Those of @origin: named by an intent, in none of the pairs whose UIDs are @paired, not @held, and
 * expunged for certain (R6). NULL: none. */
GArray *sync_landed_departed (const SyncPlanInput *in, Side origin, const UidSet *paired,
                              const UidSet *held);

/* Which of @candidates (SyncMessage, of the other side) are copies of @departed: appends SyncMatch
 * to @matches. As multisets; where there are more candidates than departed ones of the same looks,
 * or one of @rivals (SyncMessage, what @origin still has without a pair) looks so too, none is. */
void sync_landed_match (GArray *departed, Side origin, const GArray *candidates,
                        const GArray *rivals, GArray *matches);

G_END_DECLS
