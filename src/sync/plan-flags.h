/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

G_BEGIN_DECLS

/* How two flag lists become one: the part of the planner that knows about masks, intents and
 * unions. Private to the planner. */
typedef struct {
  FlagsId flags[N_SIDES];    /* as they are */
  FlagsId base;              /* what both are compared with */
  FlagsId agreed;            /* what both shall be, each as far as it can */
  FlagsId list[N_SIDES];     /* what a STORE would have to say */
  gboolean differs[N_SIDES]; /* that side is not there yet */
  gboolean conflict;         /* both changed, and not to the same */
} SyncFlagMerge;

/* An intent with its UIDs parsed: what parsed_intents holds. */
typedef struct {
  StoreIntentKind kind;
  Side side;
  UidSet *uids; /* NULL: they are no longer what they were */
  FlagsId flags;
} SyncParsedIntent;

GArray *sync_parse_intents (const SyncPlanInput *in);

/* The flags of the intent of @kind that names @uid on @side (STORE_INTENT_COPY: @uid of the other
 * side). */
gboolean sync_find_intent (const SyncPlanInput *in, StoreIntentKind kind, Side side, guint32 uid,
                           FlagsId *flags);

/* Something was to be copied to @side, and which messages of the other side it was is not known any
 * more. */
gboolean sync_has_void_copies (const SyncPlanInput *in, Side side);

/* @message[side]: what the delta says, NULL where nothing changed since the saved state. */
void sync_flags_merge_pair (const SyncPlanInput *in, const StorePair *pair,
                            const SyncMessage *const message[N_SIDES], SyncFlagMerge *merge);

/* For a pair just found by identity: an intent to copy names the base, else the pair it was before
 * (@old), else there is none and the union is taken silently. */
void sync_flags_merge_match (const SyncPlanInput *in, const SyncMatch *match, const StorePair *old,
                             const SyncMessage *const message[N_SIDES], SyncFlagMerge *merge);

/* What both agreed on of @pair when @flags of @side are our own doing, of a pass that was cut: what
 * it meant to store. Else what is saved. */
FlagsId sync_flags_base (const SyncPlanInput *in, Side side, const StorePair *pair, FlagsId flags);

/* Do @flags of a message on @side differ from the agreed ones by more than what we did ourselves?
 */
gboolean
sync_flags_were_changed (const SyncPlanInput *in, Side side, const StorePair *pair, FlagsId flags);

G_END_DECLS
