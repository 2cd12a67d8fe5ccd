/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model.h"

#include "sync/plan-moves.h"

/* One run of the model's engine: what its parts share. */

typedef struct _Moves Moves;

typedef struct {
  Model *m;
  guint box;
  Moves *moves;               /* of all mailboxes */
  gboolean active;            /* it needs work */
  ModelNumbers base[N_SIDES]; /* what the next gather starts from */
  SyncDelta *delta[N_SIDES];
  GArray *pairs;
  GArray *matches;
  GPtrArray *intents;          /* copies of the database's */
  GPtrArray *holds;            /* that are not due; owned by the database */
  UidSet *due[N_SIDES];        /* held UIDs that are tried again */
  UidSet *planned[N_SIDES][2]; /* once, twice in this run */
  SyncPlan *plan;
  gboolean asked_twice;
  gboolean unconfirmed;
  gboolean awaited; /* a message stays until it has arrived elsewhere */
} Run;

/* A move that the other server refused. */
typedef struct {
  Run *from, *to;
  Side origin;
  guint32 old_uid, new_uid;
  gboolean over;
} StuckMove;

/* What is common to all mailboxes of a run. */
struct _Moves {
  Run run[MODEL_BOXES];
  GArray *stuck;    /* StuckMove */
  gboolean crashed; /* nothing is heard any more */
};

void model_save_hold (Run *run, Side side, guint32 uid, StoreHoldKind kind);

/* What the servers can copy themselves, of all active mailboxes' plans. */
void model_plan_moves (Model *m, Moves *moves);

/* All effects of all active mailboxes' plans, in two chains. */
void model_apply (Model *m, Moves *moves);
