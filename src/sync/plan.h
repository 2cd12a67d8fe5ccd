/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/store.h"
#include "sync/delta.h"

G_BEGIN_DECLS

/* The plan of one mailbox as a pure function (design, section 5, step 3): what to do so that both
 * sides agree. No I/O; the flag table is the only thing it adds to.
 *
 * It may answer with questions instead: then nothing of the plan is to be done but to find out, and
 * to call it again. */

/* Both sides' UIDs of one and the same message, found by identity (R5). */
typedef struct {
  guint32 uid[N_SIDES];
} SyncMatch;

/* What was answered to conflict mass-deletion. */
typedef enum {
  SYNC_MASS_ASK,     /* nothing yet: wait */
  SYNC_MASS_APPLY,   /* expunge them on the other side */
  SYNC_MASS_RESTORE, /* copy them back */
} SyncMassAnswer;

typedef struct {
  const char *mailbox; /* for conflicts */
  FlagTable *flags;
  const SyncDelta *delta[N_SIDES];

  /* Ascending local UID: all pairs that one of the deltas touches; all there are where one is full.
   */
  const GArray *pairs;      /* StorePair */
  guint64 n_pairs;          /* that are in the database */
  const GPtrArray *intents; /* StoreIntent of this mailbox that an earlier, interrupted pass left */
  const GPtrArray *holds;   /* StoreHold of this mailbox that are not to be tried again now */

  /* Answers to questions of earlier calls. */
  gboolean matched;      /* identity was asked: */
  const GArray *matches; /* SyncMatch, its result; NULL for none */
  gboolean asked_twice;  /* both deltas are at least a second younger than the first connection of
                            this run */
  gboolean confirmed[N_SIDES]; /* a fresh STATUS says: the same mailbox, empty, numbers not lower */
  SyncMassAnswer mass[N_SIDES]; /* for messages gone on that side */

  /* UIDs that were planned twice already in this run: a third time they are held (R4: no
   * ping-pong). */
  const UidSet *restless[N_SIDES]; /* or NULL */

  const GArray *parsed_intents; /* the planner's own; leave it NULL */
} SyncPlanInput;

/* A pair whose agreed flags become @agreed; on the sides with @send by storing @list there. */
typedef struct {
  guint32 uid[N_SIDES];
  FlagsId base; /* proved to be what both sides agreed on: saved before the effects, so that a
                 * second interruption starts from there */
  FlagsId agreed;
  FlagsId saved; /* of the pair, in the database */
  FlagsId list[N_SIDES];
  FlagsId old[N_SIDES]; /* as they are */
  gboolean send[N_SIDES];
  guint8 stores[N_SIDES]; /* of the apply step: how many UID STOREs are to be confirmed */
} SyncFlagChange;

/* A message that need not be sent: the other server has it already, under another UID or in another
 * mailbox, and copies it itself (plan-moves.h). */
typedef struct {
  SyncMessage message; /* of the origin, as in copy[] */
  gpointer source;     /* the mailbox that has it: SyncMoveBox.mailbox */
  StorePair pair;      /* there; the UID of the other side is what is copied */
  FlagsId flags;       /* agreed for the new pair */
  gboolean expunge;    /* a move: the pair is in the source's expunge[], and must stay when the copy
                        * is refused */
} SyncMove;

typedef struct {
  const char *kind;     /* static: "flags", "delete-vs-change", "mass-deletion", "uidvalidity",
                           "read-only", "refused" */
  Side side;            /* where it was deleted, renumbered, refused */
  guint32 uid[N_SIDES]; /* 0: the mailbox */
  FlagsId
      flags[N_SIDES]; /* both lists as they were ("flags", "delete-vs-change": the changed one) */
  FlagsId result;
  guint64 count; /* "mass-deletion": how many */
} SyncConflict;

typedef struct {
  /* Questions; when one is set, nothing else below is to be acted on. */
  gboolean need_full[N_SIDES]; /* gather all of that side, and call again */
  gboolean need_match; /* both sides have messages without a pair: identity, and call again */
  gboolean need_again; /* a cut APPEND may still land: gather both again a second later */
  gboolean need_confirm[N_SIDES]; /* everything vanished: ask STATUS */
  UidSet *unpaired[N_SIDES];      /* with need_match: whom to identify */

  /* For the database alone. */
  gboolean reset; /* nothing that was saved of this mailbox is believed: all pairs and holds go, the
                   * numbers back to 0 (but UIDVALIDITY); pairs below take their place */
  GArray *pairs;  /* StorePair: matched by identity */
  GArray *forget; /* StorePair: gone on both sides */

  /* Effects. */
  GArray *expunge[N_SIDES]; /* StorePair whose message on that side is to go */
  GArray *flags; /* SyncFlagChange, also those that only the database needs (send nowhere) */
  GArray *copy[N_SIDES]; /* SyncMessage of that side, to be appended to the other; ascending UID */
  GArray
      *move[N_SIDES]; /* SyncMove of that side; ascending UID; the planner itself leaves it empty */

  GArray *held[N_SIDES];     /* SyncMessage: would be copied, were they not held */
  UidSet *marked[N_SIDES];   /* of expunge[]: have \\Deleted already, perhaps from us */
  UidSet *unstable[N_SIDES]; /* were restless: to be held */
  GPtrArray *conflicts;      /* SyncConflict */
  gboolean waiting;          /* something is left undone that only a new gather from the old numbers
                              * would tell again (mass-deletion, read-only): they must not be saved */
} SyncPlan;

/* An empty one. (transfer full) */
SyncPlan *sync_plan_new (void);
void sync_plan_free (SyncPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncPlan, sync_plan_free)

/* (transfer full) Never fails. */
SyncPlan *sync_plan_mailbox (const SyncPlanInput *input);

/* A question is open. */
gboolean sync_plan_has_question (const SyncPlan *plan);
/* It changes something on a server. */
gboolean sync_plan_has_effect (const SyncPlan *plan);
/* Neither, nor anything for the database but the numbers. */
gboolean sync_plan_is_empty (const SyncPlan *plan);

G_END_DECLS
