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
  gboolean trace;   /* the traffic of all sessions as debug messages, without literals and
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

typedef struct _SyncAccount SyncAccount;

/* Either may be NULL. */
typedef struct {
  /* @progress is valid during the call alone. */
  void (*progress) (SyncAccount *account, const SyncProgress *progress, gpointer data);
  /* Once, and the last call. */
  void (*finished) (SyncAccount *account, SyncResult result, gpointer data);
} SyncListener;

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

G_END_DECLS
