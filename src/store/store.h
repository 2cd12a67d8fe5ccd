/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "errors.h"
#include "flags.h"
#include "records.h"

G_BEGIN_DECLS

/* The database of one account (design, section 6). Opened, used and closed in the account's thread
 * alone. Records are plain structs; nothing here knows why they are kept.
 *
 * Every function that writes must run between store_begin() and store_commit(); one that fails
 * leaves the transaction to be rolled back. Errors are IMAPSYNC_ERROR_DATABASE, _DISK_FULL or
 * _LOCKED and name the file. Functions that return arrays return empty ones for nothing, NULL only
 * for an error. */
typedef struct _Store Store;

/* Whom the pairs belong to: with other servers than these they are not believed. */
typedef struct {
  char *type;     /* "imap" and "imaps" are one and the same here: "imap"; or "tunnel", "store" */
  char *host;     /* lower case; or the command, or the folder */
  guint port;     /* 0 without a network; 143 and 993 are the same */
  char *username; /* "" for none */
} StoreIdentity;

/* Opens or creates @path (0600) and its folder (0700), after taking the lock file PATH.lock (fcntl;
 * IMAPSYNC_ERROR_LOCKED names the pid that holds it). Migrates an older schema, refuses a newer or
 * corrupt one, or one of another account (message says which servers it belongs to), and leaves
 * such a file untouched. */
Store *store_open (const char *path, const StoreIdentity identity[N_SIDES], GError **error);
void store_close (Store *store);

/* The same on a copy that is private and goes with store_close(): whatever is written, @path and
 * its folder stay as they are. A database that does not exist yet is an empty copy. @path is locked
 * while it is read. */
Store *store_open_copy (const char *path, const StoreIdentity identity[N_SIDES], GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Store, store_close)

/* The account's distinct flag lists, numbered as in the database. New lists are saved with the
 * transaction that first uses them. Owned by the store. */
FlagTable *store_flags (Store *store);

gboolean store_begin (Store *store, GError **error);

/* Around many questions in a row, so that not each of them looks at the file anew. Nothing is
 * written in between. Within a transaction they do nothing. */
void store_begin_reading (Store *store);
void store_end_reading (Store *store);
gboolean store_commit (Store *store, GError **error);
void store_rollback (Store *store);

/* How many transactions with changes were committed since the store was opened (R8). */
guint64 store_writes (Store *store);

/* --- mailboxes --- */

typedef struct {
  gint64 id;  /* 0: not stored yet */
  char *name; /* program's form: see imap/mailbox-name.h */
  struct {
    guint32 uidvalidity;   /* 0: never synchronized on this side */
    guint32 uidnext;       /* R2: every UID below is paired, held or gone */
    guint64 highestmodseq; /* R3: every change up to it is on the other side or held; 0: none is */
    gboolean listed;       /* it was in this side's last agreed tree */
    gboolean subscribed;
    char *mailboxid; /* RFC 8474, or NULL */
  } side[N_SIDES];
} StoreMailbox;

void store_mailbox_free (StoreMailbox *mailbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreMailbox, store_mailbox_free)

GPtrArray *store_mailboxes (Store *store, GError **error); /* element-type StoreMailbox, by name */
/* Inserts (id 0, which it sets) or updates everything but the pairs. Like all that save, it writes
 * nothing where the database says the same already (R8). */
gboolean store_mailbox_save (Store *store, StoreMailbox *mailbox, GError **error);
/* With its pairs, intents and holds. */
gboolean store_mailbox_delete (Store *store, gint64 mailbox, GError **error);

/* --- pairs --- */

typedef struct {
  guint32 uid[N_SIDES];
  FlagsId flags;         /* what both sides agreed on last */
  guint64 guid[N_SIDES]; /* 64 bits of the server's own id of the message; 0: none */
} StorePair;

/* A pair whose UID is already in a pair is an error: nothing may be paired twice. */
gboolean
store_pairs_insert (Store *store, gint64 mailbox, const StorePair *pairs, gsize n, GError **error);
/* To change or delete a pair that is not there is no error. */
gboolean store_pair_set_flags (Store *store, gint64 mailbox, Side by, guint32 uid, FlagsId flags,
                               GError **error);
gboolean store_pair_delete (Store *store, gint64 mailbox, Side by, guint32 uid, GError **error);
gboolean store_pairs_delete_all (Store *store, gint64 mailbox, GError **error);

/* The pairs with first <= uid[by] <= last, ascending by that UID, appended to @pairs (element-type
 * StorePair). */
gboolean store_pairs_range (Store *store, gint64 mailbox, Side by, guint32 first, guint32 last,
                            GArray *pairs, GError **error);
gboolean store_pair_find (Store *store, gint64 mailbox, Side by, guint32 uid, StorePair *pair,
                          gboolean *found, GError **error);
/* The last pair below @uid that has a guid of @by; only a few are looked at. */
gboolean store_pair_witness (Store *store, gint64 mailbox, Side by, guint32 uid, StorePair *pair,
                             gboolean *found, GError **error);
gboolean store_pairs_count (Store *store, gint64 mailbox, guint64 *count, GError **error);

/* Where a message with @guid of @side is paired: (mailbox, pair), at most @max. */
typedef struct {
  gint64 mailbox;
  StorePair pair;
} StorePlace;
GArray *store_places_of_guid (Store *store, Side side, guint64 guid, guint max, GError **error);

/* --- intents (R9) --- */

typedef enum {
  STORE_INTENT_COPY = 1,    /* messages uids of the other side, with flags, are appended to side */
  STORE_INTENT_FLAGS = 2,   /* the flags of uids on side become flags */
  STORE_INTENT_EXPUNGE = 3, /* uids on side get \Deleted and are expunged */
  STORE_INTENT_CREATE = 4,  /* name is created on side */
  STORE_INTENT_DELETE = 5,  /* name is deleted on side */
  STORE_INTENT_RENAME = 6,  /* name becomes new_name on side */
  STORE_INTENT_SUBSCRIBE = 7,
  STORE_INTENT_UNSUBSCRIBE = 8,
} StoreIntentKind;

typedef struct {
  gint64 id; /* 0: not stored yet */
  StoreIntentKind kind;
  gint64 mailbox;       /* 0 for the tree's */
  Side side;            /* where the effect is */
  char *uids;           /* "1:3,7", UidSet's text; NULL for the tree's */
  GBytes *descriptions; /* of a copy's messages: what sync/landed.h makes of them; or NULL */
  FlagsId flags;
  guint32 uidvalidity; /* of side, when the intent was written */
  guint32 uidnext;     /* of side: what was appended lies at or above it */
  char *name;          /* the tree's, program's form */
  char *new_name;
} StoreIntent;

void store_intent_free (StoreIntent *intent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreIntent, store_intent_free)

gboolean store_intent_insert (Store *store, StoreIntent *intent, GError **error); /* sets id */
gboolean store_intent_delete (Store *store, gint64 id, GError **error);
gboolean store_intents_delete (Store *store, gint64 mailbox,
                               GError **error); /* all of a mailbox; 0: the tree's */
GPtrArray *store_intents (Store *store, gint64 mailbox,
                          GError **error); /* 0: the tree's; element-type StoreIntent */
/* Mailboxes (gint64) that have an open intent. */
GArray *store_intent_mailboxes (Store *store, GError **error);

/* --- holds (R7) --- */

typedef enum {
  STORE_HOLD_REFUSED = 1,    /* the other side will not take the message */
  STORE_HOLD_UNREADABLE = 2, /* this side cannot give it */
  STORE_HOLD_FLAGS = 3,      /* side refuses flags for its uid */
  STORE_HOLD_EXPUNGE = 4,    /* side refuses to expunge its uid */
  STORE_HOLD_UNSTABLE = 5,   /* planned three times in one run */
  STORE_HOLD_CUT = 7,        /* the connection ended while it was copied: attempts times */
  STORE_HOLD_MAILBOX = 6,    /* the mailbox as a whole (uid 0): reason says why */
  STORE_HOLD_METERED = 8,    /* too large for a metered network */
} StoreHoldKind;

typedef struct {
  gint64 id;
  gint64 mailbox;
  Side side;   /* whose UID it is */
  guint32 uid; /* 0: the mailbox */
  StoreHoldKind kind;
  char *reason;    /* the server's words */
  gint64 since;    /* seconds since 1970 */
  gint64 retry_at; /* 0: only when something changes */
  guint attempts;
} StoreHold;

void store_hold_free (StoreHold *hold);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreHold, store_hold_free)

/* Inserts, or updates the one with the same mailbox, side, uid and kind; sets id. One that is told
 * anew (id 0) keeps its since, and sets @hold's to it. */
gboolean store_hold_save (Store *store, StoreHold *hold, GError **error);
gboolean store_hold_delete (Store *store, gint64 id, GError **error);
GPtrArray *store_holds (Store *store, gint64 mailbox, GError **error); /* 0: all */

/* Keywords and flags that a side refused in a mailbox (FlagMask.refused); 0 for none. */
gboolean
store_refused_flags (Store *store, gint64 mailbox, Side side, FlagsId *flags, GError **error);
gboolean
store_set_refused_flags (Store *store, gint64 mailbox, Side side, FlagsId flags, GError **error);

/* --- what a server refuses to do with its tree (R7, R8) --- */

typedef struct {
  StoreIntentKind kind; /* one of the tree's */
  Side side;
  char *name; /* program's form */
  char *new_name;
  char *reason;    /* the server's words */
  gint64 retry_at; /* seconds since 1970: until then it is not tried again */
} StoreRefusal;

void store_refusal_free (StoreRefusal *refusal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreRefusal, store_refusal_free)

/* Inserts, or updates the one with the same kind, side and names. */
gboolean store_refusal_save (Store *store, const StoreRefusal *refusal, GError **error);
/* Those that are about @name: a person wants it to be tried again. */
gboolean store_refusals_forget (Store *store, const char *name, GError **error);
/* Those whose time has come. */
gboolean store_refusals_expire (Store *store, gint64 now, GError **error);
/* Those whose time has not come; element-type StoreRefusal. */
GPtrArray *store_refusals (Store *store, gint64 now, GError **error);

/* --- conflicts still open --- */

typedef struct {
  gint64 id;
  gint64 time;   /* seconds since 1970 */
  char *kind;    /* "flags", "delete-vs-change", ...: see the D-Bus interface */
  char *mailbox; /* program's form */
  guint32 uid[N_SIDES];
  char *details; /* "key=value" lines, values escaped by g_strescape() */
  char *choice;  /* what Resolve chose and the next pass will do; NULL: open */
} StoreConflict;

void store_conflict_free (StoreConflict *conflict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreConflict, store_conflict_free)

/* Inserts, or updates the open one of the same kind, mailbox and UIDs; sets id. One that is told
 * anew (id 0) keeps its time, and sets @conflict's to it, and its choice where @conflict has none.
 * At most 1,000 are kept, the oldest go. */
gboolean store_conflict_save (Store *store, StoreConflict *conflict, GError **error);
gboolean store_conflict_delete (Store *store, gint64 id, GError **error);
GPtrArray *store_conflicts (Store *store, GError **error); /* by id */

/* --- settings --- */

/* NULL without an error: not set. (transfer full) */
char *store_setting (Store *store, const char *key, GError **error);
gboolean store_set_setting (Store *store, const char *key, const char *value,
                            GError **error); /* NULL removes */

G_END_DECLS
