/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

G_BEGIN_DECLS

/* Moves as moves (design, section "Moves"): what the plans of several mailboxes mean together.
 * Pure.
 *
 * A plan for one mailbox copies what appeared there and expunges what vanished. Where both are the
 * same message, the other server has it already, and copies it itself: it goes from the plan's
 * copy[] to its move[]. */

/* One mailbox that has a plan without questions. */
typedef struct {
  gpointer mailbox; /* the caller's */
  SyncPlan *plan;
  const SyncDelta *delta[N_SIDES];
  gboolean refused[N_SIDES]; /* the other server refused to copy something of that side here: it is
                              * not asked again */
} SyncMoveBox;

/* Message @uid of @to is the one that @pair of the mailbox @source is about. */
typedef struct {
  const SyncMoveBox *to;
  guint32 uid;
  gpointer source;
  const SyncMoveBox *from; /* where @pair is to be expunged; NULL: it stays, this is a copy */
  StorePair pair;
  FlagsId flags; /* the copy will have them */
  gboolean held; /* the other side takes the message not: the old one is all that it has */
} SyncMoveLink;

/* @pair of @box, which is to be expunged on @side, can be copied there before: with a \Deleted that
 * may be our own it would be born as a message to delete. */
gboolean sync_move_can_leave (const SyncMoveBox *box, Side side, const StorePair *pair);

/* What can be said to be agreed on a message that had @flags at @from (or NULL) and is now in @to:
 * what a side could not hold there it has not cleared. */
FlagsId
sync_move_flags (FlagTable *table, const SyncMoveBox *from, const SyncMoveBox *to, FlagsId flags);

/* Messages of @origin that vanished from one of @boxes and appeared in another (or the same, as
 * another): SyncMoveLink, by the server's own ids, as multisets in UID order. (transfer full) */
GArray *sync_moves_by_guid (FlagTable *table, const SyncMoveBox *boxes, gsize n, Side origin);

/* Turns copies of @origin into moves; what is held stays where it was (sync_moves_keep()). Each
 * message may be linked once, and each pair once for each mailbox that it goes to. */
void sync_moves_take (const SyncMoveBox *boxes, gsize n, Side origin, const GArray *links);

/* Leaves the messages @uids of @side where they are, though their counterparts vanished: a new
 * gather from the old numbers will tell it again. */
void sync_moves_keep (const SyncMoveBox *box, Side side, const UidSet *uids);

G_END_DECLS
