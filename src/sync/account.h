/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"

G_BEGIN_DECLS

/* One account at work: what the service knows of the engine.
 *
 * The account has a thread and a GMainContext of its own (design, section 3). All functions here
 * belong to the thread of the default GMainContext and return at once, but for _free(), which waits
 * for the thread's end; the listener is called on that context, never from inside one of them. What
 * crosses between the threads is copied: neither side ever sees the other's data.
 *
 * What goes wrong is logged by the engine, one sentence each; the result says only which exit
 * status that means. */
typedef enum {
  SYNC_STAY,    /* synchronize, then follow changes until _stop() */
  SYNC_ONESHOT, /* end as soon as all is synchronized */
  SYNC_REPAIR,  /* the same, by a full comparison of both servers with the database */
} SyncMode;

typedef struct {
  SyncMode mode;
  char **mailboxes; /* NULL-terminated, UTF-8 arguments, the local delimiter between the levels; or
                       NULL: each subscribed mailbox */
  char **resolutions; /* NULL-terminated, "ID:CHOICE" of open conflicts, written down before the
                         pass; or NULL. Not with SYNC_STAY. */
  gboolean dry_run;   /* print what a pass would do, and write nothing on a server or in the
                         database; not with SYNC_STAY */
  gboolean trace;     /* the traffic of all sessions as debug messages, without literals and
                         credentials */
} SyncRequest;

/* In the order of severity; also the exit status of the program. */
typedef enum {
  SYNC_RESULT_OK = 0,         /* all in sync */
  SYNC_RESULT_PARTIAL = 1,    /* something is held, failed, or was left when _stop() came */
  SYNC_RESULT_CONFIG = 2,     /* the configuration or the database cannot be used as it is */
  SYNC_RESULT_CONNECTION = 3, /* no connection or no login */
  SYNC_RESULT_LOCKED = 4,     /* another process holds the database */
} SyncResult;

typedef struct {
  const char *phase; /* "connect", "list", "gather", "plan", "apply", "confirm"; static */
  guint percent;     /* 0 to 100, of the running pass */
  guint64 messages_done;
  guint64 messages_total; /* 0: not known yet, or nothing to copy */
  guint64 bytes_done;
  guint64 bytes_total;
} SyncProgress;

/* The property Status of the D-Bus interface, from best to worst. */
typedef enum {
  SYNC_STATUS_WATCHING,
  SYNC_STATUS_SYNCING,
  SYNC_STATUS_CONNECTING,
  SYNC_STATUS_PAUSED,
  SYNC_STATUS_OFFLINE,
  SYNC_STATUS_KEYRING_LOCKED,
  SYNC_STATUS_AUTH_FAILED,
  SYNC_STATUS_ERROR,
} SyncStatus;

/* "watching", "syncing", ...: static. */
const char *sync_status_name (SyncStatus status);

/* What an account looks like at one moment. Immutable; belongs to whoever it is given to, for the
 * time of the call. */
typedef struct {
  SyncStatus status;
  const char *error_code; /* imapsync_error_code(), "" for none */
  const char *error_message;
  gint64 last_sync;    /* seconds since 1970, 0: never */
  guint progress;      /* percent */
  guint64 remaining;   /* messages that the running pass has still to copy */
  gint64 paused_until; /* seconds since 1970; 0: not paused, or until Resume */
  gint64 next_try;     /* seconds since 1970; 0: none is planned */
  guint mailboxes;     /* that are synchronized */
  guint64 messages;    /* pairs in the database */
  guint conflicts;     /* open */
  guint held;          /* refused by one side */
  guint waiting;       /* for a network that is not metered */
} SyncSnapshot;

/* What one pass did: the figures of SyncFinished. Everything is counted by the side where the
 * effect was. */
typedef struct {
  gboolean ok;
  guint64 copied[N_SIDES];
  guint64 moved[N_SIDES];
  guint64 flags[N_SIDES];
  guint64 expunged[N_SIDES];
  guint64 bytes[N_SIDES];
  double seconds;
  guint64 problems;
  guint64 new_mail; /* unread messages that came to the remote server; 0 unless it is asked for */
} SyncReport;

/* One open conflict. Strings are valid during the call. */
typedef struct {
  guint64 id;
  gint64 time; /* seconds since 1970 */
  const char *kind;
  const char *mailbox; /* for people: local delimiter */
  guint64 uid[N_SIDES];
  const char *details; /* "key=value" lines, values escaped by g_strescape() */
} SyncConflictRecord;

typedef struct _SyncAccount SyncAccount;

/* Any may be NULL. All are called on the default main context. */
typedef struct {
  /* @progress is valid during the call alone. */
  void (*progress) (SyncAccount *account, const SyncProgress *progress, gpointer data);
  /* Once, and the last call. */
  void (*finished) (SyncAccount *account, SyncResult result, gpointer data);
  /* Whenever anything in it changed; progress at most twenty times a second. */
  void (*changed) (SyncAccount *account, const SyncSnapshot *snapshot, gpointer data);
  /* A pass ended. */
  void (*passed) (SyncAccount *account, const SyncReport *report, gpointer data);
  /* A conflict came up; one was resolved or became outdated. */
  void (*conflict) (SyncAccount *account, const SyncConflictRecord *conflict, gpointer data);
  void (*resolved) (SyncAccount *account, guint64 id, gpointer data);
  /* A password is needed that neither the configuration nor a command gives: ask, without any
   * prompt, and answer with sync_account_set_password(). NULL here: the account says that none is
   * configured. */
  void (*password_wanted) (SyncAccount *account, Side side, gpointer data);
} SyncListener;

/* Where all servers of @configs (AccountConfig) want the same of TLS, the process offers nothing
 * else. Once, before the first thread is started. */
void sync_accounts_agree (const GPtrArray *configs);

/* @config, @request and @listener are copied. Nothing happens before _start(). */
SyncAccount *sync_account_new (const AccountConfig *config, const SyncRequest *request,
                               const SyncListener *listener, gpointer data);

/* Starts the thread: database first, then both connections. */
void sync_account_start (SyncAccount *account);

/* Ends what is going on in a consistent state: finished() follows within two seconds. May be called
 * more than once, and after the end. */
void sync_account_stop (SyncAccount *account);

/* After finished(), but not from inside it; or without a _start(). Joins the thread. */
void sync_account_free (SyncAccount *account);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncAccount, sync_account_free)

/* --- commands of an account that stays (SYNC_STAY): all return at once --- */

/* Called once on the default main context; @error is NULL for success. */
typedef void (*SyncDone) (SyncAccount *account, const SyncReport *report, const GError *error,
                          gpointer data);

/* A pass now, of @mailboxes (UTF-8, local delimiter; NULL or empty: all), also when a next try was
 * planned for later or the login had failed. @done (may be NULL) when that pass, or the one that
 * was running and covers it, ended. While paused: IMAPSYNC_ERROR_CONFIG "paused". @repair: as
 * --repair. */
void sync_account_sync (SyncAccount *account, const char *const *mailboxes, gboolean repair,
                        SyncDone done, gpointer data);

/* Finishes the command in flight, closes the connections; kept in the database. @until: seconds
 * since 1970, 0: until _resume(). */
void sync_account_pause (SyncAccount *account, gint64 until);
/* Also where it waits because the network is metered: it goes on until there is another one. */
void sync_account_resume (SyncAccount *account);

/* What there is between this machine and the servers of an account; from worst to best. */
typedef enum {
  SYNC_NETWORK_NONE,    /* nothing is tried */
  SYNC_NETWORK_PORTAL,  /* likewise: a captive portal wants a login first */
  SYNC_NETWORK_METERED, /* the configuration says what is done */
  SYNC_NETWORK_FULL,
} SyncNetwork;

/* It came or changed. An account whose servers are both on this machine does not care. */
void sync_account_network (SyncAccount *account, SyncNetwork network);
/* The machine is about to sleep (TRUE), or woke up (FALSE). */
void sync_account_sleep (SyncAccount *account, gboolean sleeping);

/* The answer to password_wanted(). NULL: @locked says why there is none. */
void
sync_account_set_password (SyncAccount *account, Side side, Password *password, gboolean locked);

typedef void (*SyncConflictsDone) (SyncAccount *account, const SyncConflictRecord *conflicts,
                                   gsize n, const GError *error, gpointer data);
void sync_account_list_conflicts (SyncAccount *account, SyncConflictsDone done, gpointer data);

/* @choice as in the D-Bus interface; one that the kind does not have is IMAPSYNC_ERROR_CONFIG. */
void sync_account_resolve (SyncAccount *account, guint64 id, const char *choice, SyncDone done,
                           gpointer data);

G_END_DECLS
