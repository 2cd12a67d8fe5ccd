/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

/* Each case states what both sides and the database have, and the plan as one line of words. The
 * line leaves out what is not the case's point: agreed flags are checked by settled(), which does
 * what the plan says and plans again. */

typedef struct {
  FlagTable *flags;
  SyncDelta *delta[N_SIDES];
  GArray *pairs;
  GPtrArray *intents;
  GByteArray *descriptions; /* of the last intent */
  gint64 described;         /* the last one's date */
  GPtrArray *holds;
  GArray *matches;
  UidSet *restless[N_SIDES];
  gint64 exists[N_SIDES]; /* -1: what fits */
  gint64 n_pairs;         /* -1: those named */
  SyncPlanInput input;
  SyncPlan *plan;
} Case;

#define L      SIDE_LOCAL
#define R      SIDE_REMOTE
#define SYSTEM "\\Answered \\Deleted \\Draft \\Flagged \\Seen"

Case *case_new (void);
void case_free (Case *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Case, case_free)

FlagsId flags_of (Case *c, const char *text);

/* Messages and pairs are named in ascending order of (local) UID. */
void message (Case *c, Side side, guint32 uid, const char *flags);
void pair (Case *c, guint32 local, guint32 remote, const char *flags);
void gone (Case *c, Side side, guint32 uid);
void full (Case *c, Side side, SyncTrust trust);
void match (Case *c, guint32 local, guint32 remote);
void intent (Case *c, StoreIntentKind kind, Side side, const char *uids, const char *flags);
/* What the last intent says of @uid; in ascending order, each once. */
void describe_intent (Case *c, guint32 uid, guint64 size, gint64 date);
/* A message that was described. */
void arrived (Case *c, Side side, guint32 uid, const char *flags, guint64 size, gint64 date);
void hold (Case *c, Side side, guint32 uid, StoreHoldKind kind);

/* Plans. */
void plan (Case *c);
/* Plans, and compares with the line of words. */
void expect (Case *c, const char *expected);
/* Carries the plan out as if nobody else were there, and proves that the next one is empty. */
void settled (Case *c);
