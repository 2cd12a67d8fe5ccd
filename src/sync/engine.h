/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"
#include "imap/mailbox-name.h"
#include "imap/session.h"
#include "store/store.h"
#include "sync/delta.h"
#include "sync/plan.h"
#include "sync/tree.h"

G_BEGIN_DECLS

/* The engine of one account (design, section 3).
 *
 * Everything here runs in the account's thread, on the account's own GMainContext, which nothing
 * else uses. The algorithm is straight-line code: it queues commands on the two sessions, each
 * counted in a SyncWait, and then drives the context until all are answered. A session that ends
 * answers all its commands with its error, so waiting always ends; stopping is ending the sessions.
 *
 * Only main-thread code calls in, by g_main_context_invoke() on the context; state goes out the
 * same way, in copies. */
typedef struct _SyncEngine SyncEngine;
typedef struct _SyncPeer SyncPeer;
typedef struct _SyncSelection SyncSelection;

/* What one run did; everything is counted by the side where the effect was. */
typedef struct {
  guint64 copied[N_SIDES];
  guint64 flags[N_SIDES];
  guint64 expunged[N_SIDES];
  guint64 bytes[N_SIDES]; /* of message bodies copied there */
  guint64 matched;        /* pairs found by identity */
  guint64 new_mail;       /* unread messages that are new on the remote server, where it is asked */
  guint64 problems;       /* conflicts and refusals */
} SyncFigures;

/* One mailbox of a run. */
typedef struct {
  char *name;          /* program's form */
  char *display;       /* for people: the local delimiter between its levels */
  StoreMailbox *saved; /* what the database has; written by commit only */
  gboolean dirty;      /* needs (another) round */
  gboolean touched;    /* was selected in this run */
  gboolean failed;     /* R7: left alone for the rest of the run; a message was logged */
  gboolean regathered; /* intents of an interrupted pass were asked for a second time */
  gboolean matched;    /* identity was asked in this round; result in matches */
  GArray *matches;     /* SyncMatch */
  gboolean
      unconfirmed; /* an effect of this round has no proof: gather from the saved numbers again */
  GPtrArray *intents;   /* StoreIntent left by an interrupted pass */
  GPtrArray *holds;     /* StoreHold that are not due */
  UidSet *due[N_SIDES]; /* held UIDs that shall be tried again */
  GArray *pairs;        /* StorePair, for the planner */
  guint64 n_pairs;
  SyncPlan *plan;
  SyncFigures figures;
  struct {
    char *wire; /* as that server writes the name; NULL: it is not there */
    /* The numbers that the next gather starts from: the saved ones, later those of the last
     * gather whose every consequence is confirmed. */
    guint32 uidvalidity;
    guint32 uidnext;
    guint64 highestmodseq;
    gint64 exists;       /* messages there at those numbers; -1: not known */
    gboolean full;       /* gather everything */
    gboolean expect_new; /* ask for the description of new messages in the same round trip */
    gboolean confirmed;  /* a fresh STATUS says that it is really empty */
    SyncDelta *delta;
    UidSet *planned[2]; /* UIDs that an effect was planned for once, twice in this run */
    FlagsId sent;       /* all flags that were stored or appended there with an OK in this run */
    FlagsId sent_last;  /* the last list among them */
  } side[N_SIDES];
} SyncMailbox;

void sync_mailbox_free (SyncMailbox *mailbox);

struct _SyncEngine {
  const AccountConfig *config;
  GMainContext *context;
  Store *store;
  FlagTable *flags; /* the store's */
  SyncPeer *peer[N_SIDES];
  gboolean stopping;
  gboolean interrupted; /* this run is to end: a pause, sleep, no network */
  gboolean repair;
  gboolean dry_run;     /* nothing is done, but told on standard output: sync/dry-run.h */
  gboolean light;       /* the network is metered: large messages wait */
  gboolean full_check;  /* compare everything, once in a while */
  gboolean marked;      /* this run is over marked mailboxes: nobody has looked at the trees */
  gboolean look_again;  /* a name stands for another mailbox than it did: somebody has to */
  gint64 connected;     /* monotonic, microseconds: when both sides were first asked in this run */
  GPtrArray *mailboxes; /* SyncMailbox of this run */
  GPtrArray *ahead;     /* what the next gather asked already: gather.c */
  GArray *stuck;        /* moves that a server refused in this run: move.c; or NULL */
  SyncFigures figures;
  guint commit_pending; /* records in the open transaction */
  gint64 commit_since;
  GError *fatal; /* of the database: ends the run */
  void (*progress) (SyncEngine *engine, gpointer data);
  gpointer progress_data;
  gint64 progress_posted; /* monotonic */
  const char *phase_posted;
  double seconds;          /* of the last run */
  gboolean incomplete;     /* something could not be synchronized */
  gboolean short_of_space; /* it was told in this run */
  /* gint64: saved mailboxes whose names may stand for others, by the last look at the trees; or
   * NULL. */
  GHashTable *unsettled;
  void (*conflict) (SyncEngine *engine, const StoreConflict *conflict, gpointer data);
  void (*resolved) (SyncEngine *engine, gint64 id, gpointer data);
  gpointer conflict_data;
  GArray *untold; /* gint64: conflicts that @conflict is still to be called for; see describe.h */
  const char *phase;
  guint64 messages_total, messages_done;
  guint64 bytes_total, bytes_done;
};

/* --- waiting --- */

typedef struct {
  SyncEngine *engine;
  guint pending;
  GError *error; /* the first that came of a session's end */
} SyncWait;

/* Iterates until nothing is pending. FALSE when a session ended, the database failed or the engine
 * is stopping. Clears @wait. */
gboolean sync_wait (SyncWait *wait, GError **error);

/* FALSE, and why, when the run cannot go on: a session ended, the database failed, it is to stop.
 */
gboolean sync_check (SyncEngine *engine, GError **error);

/* FALSE when the database failed. */
gboolean sync_check_store (SyncEngine *engine, GError **error);

/* The same as sync_wait() until @deadline (monotonic, microseconds) or the engine stops. */
gboolean sync_wait_until (SyncEngine *engine, gint64 deadline, GError **error);

/* --- one server --- */

/* Who receives what belongs to a selected mailbox. Any may be NULL. */
typedef struct {
  void (*fetch) (SyncSelection *selection, const ImapFetch *fetch, gpointer data);
  void (*vanished) (SyncSelection *selection, const UidSet *uids, gpointer data);
  void (*found) (SyncSelection *selection, const UidSet *uids, gpointer data); /* UID SEARCH */
  void (*exists) (SyncSelection *selection, gpointer data); /* after the SELECT */
  void (*body_begin) (SyncSelection *selection, const ImapFetch *fetch, guint64 size,
                      gpointer data);
  void (*body_data) (SyncSelection *selection, const guint8 *bytes, gsize length, gpointer data);
  void (*body_end) (SyncSelection *selection, gpointer data);
} SyncSelectionFuncs;

/* One SELECT and what it told. Untagged data is given to the selection that it belongs to: what
 * comes after [CLOSED] is the next one's (RFC 7162, section 3.2.11). */
struct _SyncSelection {
  SyncPeer *peer;
  SyncMailbox *mailbox;
  const SyncSelectionFuncs *funcs;
  gpointer data;
  SyncWait *wait;
  gboolean answered;
  gboolean begun;
  GError *error; /* the server refused */
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
  guint32 exists;
  gboolean read_only;
  gboolean nomodseq;
  gboolean uidnotsticky;
  gboolean has_permanentflags;
  FlagMask mask;
  FlagsId listed; /* FLAGS */
};

SyncSelection *sync_selection_ref (SyncSelection *selection);
void sync_selection_unref (SyncSelection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncSelection, sync_selection_unref)

/* Gives up the caller's reference and its interest: what still comes for it is dropped. */
void sync_selection_release (SyncSelection **selection);

struct _SyncPeer {
  SyncEngine *engine;
  Side side;
  ImapSession *session;
  MailboxNaming naming;
  GQueue selections;      /* SyncSelection queued and not begun */
  SyncSelection *current; /* whose data comes in */
  SyncSelection *last;    /* what will be selected when all that is queued is done */
  SyncSelection *body;    /* whose body comes in */
  GPtrArray *listing;     /* SyncListed: collects LIST and STATUS, see list.c */
  GHashTable *listing_index;
  gboolean listed_all; /* the first of the two LIST is answered */
  GHashTable *heard;   /* wire name -> SyncHeard: what NOTIFY told of names, see list.c */
  void (*drained) (SyncPeer *peer, gpointer data);
  gpointer drained_data;
  /* LIST, STATUS and OK with a code that nobody asked for. */
  void (*notice) (SyncPeer *peer, const ImapResponse *response, gpointer data);
  gpointer notice_data;
};

SyncPeer *sync_peer_new (SyncEngine *engine, Side side);
void sync_peer_free (SyncPeer *peer);

/* Queues a command counted in @wait. @completion may be NULL: then a NO is logged and that is all.
 */
void sync_peer_queue (SyncPeer *peer, SyncWait *wait, ImapCommand *command,
                      ImapCompletion completion, gpointer data, GDestroyNotify destroy);

/* The same for a command that is pipelined behind a SELECT: BAD is an answer, not the end. */
void sync_peer_queue_selected (SyncPeer *peer, SyncWait *wait, ImapCommand *command,
                               ImapCompletion completion, gpointer data, GDestroyNotify destroy);

/* Queues SELECT of @mailbox; with @highestmodseq > 0 as SELECT (QRESYNC (...)). (transfer full) */
SyncSelection *sync_peer_select (SyncPeer *peer, SyncWait *wait, SyncMailbox *mailbox,
                                 guint32 uidvalidity, guint64 highestmodseq,
                                 const SyncSelectionFuncs *funcs, gpointer data);

/* Queues UNSELECT: nothing is selected then. */
void sync_peer_unselect (SyncPeer *peer, SyncWait *wait);

/* What FETCH has to name besides to get the server's own id: " X-GUID", " EMAILID" or "". */
const char *sync_peer_guid_item (SyncPeer *peer);

/* 64 bits of a server's own id of a message. */
guint64 sync_guid_hash (const char *guid);

/* @flags went to @side, which said OK: the next gather sees whether it has kept them. */
void sync_note_sent (SyncEngine *engine, SyncMailbox *mailbox, Side side, FlagsId flags);

/* A fetch's flags as a number. */
FlagsId sync_intern_flags (SyncEngine *engine, const ImapFetch *fetch);

G_END_DECLS
