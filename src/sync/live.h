/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"
#include "sync/engine.h"

G_BEGIN_DECLS

/* The life of one account, in its thread: connect, pass, watch, and again; pauses, back-off, and
 * what it is told from outside. All functions belong to the account's thread; the calls back are
 * made there too. */
typedef struct _SyncLive SyncLive;

typedef struct {
  void (*progress) (const SyncProgress *progress, gpointer data);
  void (*changed) (const SyncSnapshot *snapshot, gpointer data);
  void (*passed) (const SyncReport *report, gpointer data);
  void (*conflict) (const SyncConflictRecord *conflict, gpointer data);
  void (*resolved) (guint64 id, gpointer data);
  /* NULL: nobody can be asked. */
  void (*password_wanted) (Side side, gpointer data);
  /* @request as given to sync_live_sync(). */
  void (*done) (gpointer request, const SyncReport *report, const GError *error, gpointer data);
} SyncLiveFuncs;

/* @config is taken over, and changed: passwords that come later are put into it. @mailboxes: UTF-8
 * arguments or NULL. */
SyncLive *sync_live_new (AccountConfig *config, GMainContext *context, SyncMode mode,
                         char **mailboxes, const SyncLiveFuncs *funcs, gpointer data);
void sync_live_free (SyncLive *live);

/* "ID:CHOICE", to be chosen before anything else; NULL for none. */
void sync_live_set_resolutions (SyncLive *live, char **resolutions);

/* Before it runs, and not one that stays: a pass that only says what it would do. */
void sync_live_set_dry_run (SyncLive *live);

/* Until it is done or stopped. */
SyncResult sync_live_run (SyncLive *live);

void sync_live_stop (SyncLive *live);
/* (transfer full) @mailboxes, NULL for all; @request may be NULL. */
void sync_live_sync (SyncLive *live, char **mailboxes, gboolean repair, gpointer request);
void sync_live_pause (SyncLive *live, gint64 until);
void sync_live_resume (SyncLive *live);
void sync_live_network (SyncLive *live, SyncNetwork network);
void sync_live_sleep (SyncLive *live, gboolean sleeping);
void sync_live_set_password (SyncLive *live, Side side, Password *password, gboolean locked);
/* (element-type SyncConflictRecord) (transfer full); strings belong to the array's records. */
GPtrArray *sync_live_conflicts (SyncLive *live, GError **error);
gboolean sync_live_resolve (SyncLive *live, guint64 id, const char *choice, GError **error);

void sync_conflict_record_free (SyncConflictRecord *record);

G_END_DECLS
