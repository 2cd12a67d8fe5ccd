/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/plan.h"

/* One or two mailboxes on two IMAP servers, other people's clients, and an engine that crashes: all
 * in memory and driven by one seed, so that every run of a seed is the same run.
 *
 * A message's content is its identity, a small number; messages of one identity are copies that
 * nobody can tell apart. Flags are bits. */

#define MODEL_IDS      128
#define MODEL_FLAGS    5
#define MODEL_BOXES    2
#define MODEL_SEEN     (1u << 0)
#define MODEL_FLAGGED  (1u << 1)
#define MODEL_DELETED  (1u << 2)
#define MODEL_WORK     (1u << 3)
#define MODEL_JUNK     (1u << 4)
#define MODEL_SYSTEM   (MODEL_SEEN | MODEL_FLAGGED | MODEL_DELETED)
#define MODEL_KEYWORDS (MODEL_WORK | MODEL_JUNK)

typedef struct {
  guint32 uid;
  guint id;
  guint flags;
  guint64 modseq;
  gboolean ours; /* the engine made it */
  guint64 guid;  /* the server's own id: kept by COPY and MOVE */
} ModelMessage;

typedef struct {
  guint32 uid;
  guint64 modseq;
} ModelGrave;

typedef struct {
  GArray *messages; /* ModelMessage, ascending UID */
  GArray *graves;   /* ModelGrave: for VANISHED (EARLIER) */
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
} ModelState;

typedef struct {
  ModelState state;
  ModelState backup;    /* messages NULL: none */
  GArray *landing;      /* ModelMessage: APPENDs that were cut, still to land; modseq is the run */
  guint generation;     /* how often HIGHESTMODSEQ was lost */
  guint permanent;      /* flags that PERMANENTFLAGS names */
  gboolean any_keyword; /* PERMANENTFLAGS has \* */
  guint drops;          /* keywords that it takes with OK and does not keep */
  gboolean appenduid;   /* and COPYUID */
  gboolean guids;       /* it tells its own ids */
  gboolean hashes;      /* they are made of the content */
  gboolean no_copy;     /* it refuses UID COPY */
  guint refuses;        /* identities divisible by it; 0: none */
  gboolean read_only;
  gboolean renumbered; /* by a backup, and the engine has not noticed: nobody else acts here */
} ModelServer;

/* What clients did to the messages of one identity. */
typedef struct {
  guint appended[N_SIDES];
  guint expunged[N_SIDES];
  guint moved[N_SIDES];
  guint lost;       /* taken away by a backup put back, before there was a pair */
  gboolean twins;   /* on both sides from the start */
  gboolean blurred; /* flags of one of two copies were changed while the engine moved it */
  gboolean exempt;  /* the documented exception of R4: the expunge of one may be undone */
  guint ever;       /* flags that a client ever set */
  /* Since both sides were last seen equal and at rest: */
  guint agreed;
  guint set[N_SIDES];
  guint cleared[N_SIDES];
  guint last[N_SIDES]; /* how the side's own clients left what they touched */
} ModelHistory;

typedef struct {
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
} ModelNumbers;

/* The engine's database, which is all of it that survives a crash. */
typedef struct {
  GArray *pairs;      /* StorePair, ascending local UID */
  GPtrArray *intents; /* StoreIntent */
  GPtrArray *holds;   /* StoreHold */
  ModelNumbers saved[N_SIDES];
  FlagsId refused[N_SIDES];
  guint writes;
} ModelDatabase;

/* One mailbox, on both servers and in the database. */
typedef struct {
  ModelServer server[N_SIDES];
  ModelDatabase db;
} ModelBox;

typedef struct {
  guint64 seed;
  guint64 random;
  GString *trace; /* NULL: not wanted */
  char *failure;  /* the first */
  ModelBox box[MODEL_BOXES];
  guint n_boxes;
  guint at;            /* the mailbox that the next two are of: model_enter() */
  ModelServer *server; /* by side */
  ModelDatabase *db;
  guint64 guids; /* given */
  ModelHistory history[MODEL_IDS];
  guint n_ids;
  /* One in so many boundaries between two effects; 0: never. */
  guint acts, crashes;
  gboolean many;
  SyncMassAnswer mass;
  /* Since both sides were last seen equal and at rest: */
  gboolean interrupted, waited, renumbered[N_SIDES];
  /* Ever: */
  gboolean ever_renumbered, ever_restored, ever_interrupted;
  guint runs;
  guint passes;   /* of the last run */
  gboolean asked; /* the last run's planner had a question */
  gboolean quiet; /* nothing happened after the last run's last gather */
} Model;

/* --- chance, trace, verdict --- */

guint model_random (Model *m, guint below);
/* One in @n; never for 0. */
gboolean model_chance (Model *m, guint n);
void model_trace (Model *m, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Only the first counts. */
void model_fail (Model *m, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The mailbox that everything below is about from now on. Returns the one before. */
guint model_enter (Model *m, guint box);

FlagTable *model_flag_table (void);
FlagsId model_flags (guint bits);
guint model_bits (FlagsId flags);
const char *model_text (guint bits);

/* --- servers --- */

void model_server_init (Model *m, Side side);
void model_server_clear (Model *m, Side side);
/* What the side really keeps. */
guint model_keeps (const ModelServer *server);
gboolean model_refuses (const ModelServer *server, guint id);
ModelMessage *model_find (Model *m, Side side, guint32 uid);
/* @guid: of the message that it is a copy of; 0: a new one. */
guint32 model_append (Model *m, Side side, guint id, guint flags, gboolean ours, guint64 guid);
void model_store (Model *m, Side side, ModelMessage *message, guint flags);
void model_expunge (Model *m, Side side, guint32 uid);
/* Of the cut APPENDs those that were sent before @run land, of the others some by chance. */
void model_land (Model *m, guint run);

/* --- everybody else --- */

void model_client_append (Model *m, Side side, guint id, guint flags);
void model_client_acts (Model *m);
/* Between two runs: a lost index, a new UIDVALIDITY, a backup made or put back. */
void model_disrupts (Model *m);
/* Between two effects. TRUE: crashed. */
gboolean model_boundary (Model *m);

/* --- the engine's database --- */

void model_database_init (Model *m);
void model_database_clear (Model *m);
StorePair *model_pair (Model *m, Side side, guint32 uid);
/* The UID it is paired to; 0: none. */
guint32 model_partner (Model *m, Side side, guint32 uid);
void model_pair_insert (Model *m, const StorePair *pair);
void model_pair_delete (Model *m, const StorePair *pair);
void model_pair_set_flags (Model *m, const SyncFlagChange *change, FlagsId flags);

/* --- the engine --- */

/* One run. TRUE when it came to rest, in at most five passes. */
gboolean model_run (Model *m);
