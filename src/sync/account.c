/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/account.h"

#include "imap/tls.h"
#include "log-account.h"
#include "sync/live.h"

#include <string.h>

/* What crosses between the threads.
 *
 * The main thread owns the SyncAccount; the account's thread has a SyncLive, which nobody else
 * touches. A command is a copied value with a source on the account's context; news are copied
 * values with a source on the default context. Never g_main_context_invoke(): it runs a function in
 * the calling thread when the context happens to have no owner, as before a main loop starts. */
struct _SyncAccount {
  SyncListener listener;
  gpointer data;
  GMainContext *context; /* the account's */
  GThread *thread;
  char *id;
  gboolean finished;
  gatomicrefcount refs; /* the owner's and one for each piece of news on its way */
  SyncLive *live;       /* the thread's alone while it runs */
};

static const char *const status_names[] = {
    [SYNC_STATUS_WATCHING] = "watching",       [SYNC_STATUS_SYNCING] = "syncing",
    [SYNC_STATUS_CONNECTING] = "connecting",   [SYNC_STATUS_PAUSED] = "paused",
    [SYNC_STATUS_OFFLINE] = "offline",         [SYNC_STATUS_KEYRING_LOCKED] = "keyring-locked",
    [SYNC_STATUS_AUTH_FAILED] = "auth-failed", [SYNC_STATUS_ERROR] = "error",
};

const char *
sync_status_name (SyncStatus status)
{
  return status_names[status];
}

static void
attach (GMainContext *context, GSourceFunc func, gpointer data, GDestroyNotify destroy)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, destroy);
  g_source_attach (source, context);
}

/* --- news, from the account's thread --------------------------------------------------------- */

typedef enum {
  NEWS_PROGRESS,
  NEWS_CHANGED,
  NEWS_PASSED,
  NEWS_CONFLICT,
  NEWS_RESOLVED,
  NEWS_PASSWORD,
  NEWS_DONE,
  NEWS_CONFLICTS,
  NEWS_FINISHED,
} NewsKind;

/* Whom an answer is for. */
typedef struct {
  SyncDone done;
  SyncConflictsDone conflicts_done;
  gpointer data;
} Tag;

typedef struct {
  SyncAccount *account;
  NewsKind kind;
  SyncProgress progress;
  SyncSnapshot snapshot;
  char *error_message; /* of the snapshot */
  SyncReport report;
  SyncConflictRecord *conflict;
  GPtrArray *conflicts;
  guint64 id;
  Side side;
  Tag *tag;
  GError *error;
  SyncResult result;
} News;

static void
account_unref (SyncAccount *account)
{
  if (!g_atomic_ref_count_dec (&account->refs))
    return;
  sync_live_free (account->live);
  g_main_context_unref (account->context);
  g_free (account->id);
  g_free (account);
}

static void
news_free (gpointer data)
{
  News *news = data;

  account_unref (news->account);
  g_free (news->error_message);
  sync_conflict_record_free (news->conflict);
  g_clear_pointer (&news->conflicts, g_ptr_array_unref);
  g_clear_error (&news->error);
  g_free (news->tag);
  g_free (news);
}

static void
deliver_conflicts (SyncAccount *account, const News *news)
{
  g_autoptr (GArray) records = g_array_new (FALSE, FALSE, sizeof (SyncConflictRecord));

  for (guint i = 0; news->conflicts != NULL && i < news->conflicts->len; i++)
    g_array_append_vals (records, g_ptr_array_index (news->conflicts, i), 1);
  news->tag->conflicts_done (account, (SyncConflictRecord *)(gpointer)records->data, records->len,
                             news->error, news->tag->data);
}

static gboolean
deliver (gpointer data)
{
  News *news = data;
  SyncAccount *account = news->account;
  const SyncListener *to = &account->listener;

  if (news->kind == NEWS_PROGRESS && to->progress != NULL)
    to->progress (account, &news->progress, account->data);
  else if (news->kind == NEWS_CHANGED && to->changed != NULL)
    to->changed (account, &news->snapshot, account->data);
  else if (news->kind == NEWS_PASSED && to->passed != NULL)
    to->passed (account, &news->report, account->data);
  else if (news->kind == NEWS_CONFLICT && to->conflict != NULL)
    to->conflict (account, news->conflict, account->data);
  else if (news->kind == NEWS_RESOLVED && to->resolved != NULL)
    to->resolved (account, news->id, account->data);
  else if (news->kind == NEWS_PASSWORD && to->password_wanted != NULL)
    to->password_wanted (account, news->side, account->data);
  else if (news->kind == NEWS_DONE && news->tag->done != NULL)
    news->tag->done (account, &news->report, news->error, news->tag->data);
  else if (news->kind == NEWS_CONFLICTS)
    deliver_conflicts (account, news);
  else if (news->kind == NEWS_FINISHED) {
    account->finished = TRUE;
    if (to->finished != NULL)
      to->finished (account, news->result, account->data);
  }
  return G_SOURCE_REMOVE;
}

static News *
news_new (SyncAccount *account, NewsKind kind)
{
  News *news = g_new0 (News, 1);

  g_atomic_ref_count_inc (&account->refs);
  news->account = account;
  news->kind = kind;
  return news;
}

static void
post (News *news)
{
  attach (NULL, deliver, news, news_free);
}

static void
on_progress (const SyncProgress *progress, gpointer data)
{
  News *news = news_new (data, NEWS_PROGRESS);

  news->progress = *progress;
  post (news);
}

static void
on_changed (const SyncSnapshot *snapshot, gpointer data)
{
  News *news = news_new (data, NEWS_CHANGED);

  news->snapshot = *snapshot;
  news->snapshot.error_message = news->error_message = g_strdup (snapshot->error_message);
  post (news);
}

static void
on_passed (const SyncReport *report, gpointer data)
{
  News *news = news_new (data, NEWS_PASSED);

  news->report = *report;
  post (news);
}

static void
on_conflict (const SyncConflictRecord *conflict, gpointer data)
{
  News *news = news_new (data, NEWS_CONFLICT);

  news->conflict = g_memdup2 (conflict, sizeof *conflict);
  news->conflict->kind = g_strdup (conflict->kind);
  news->conflict->mailbox = g_strdup (conflict->mailbox);
  news->conflict->details = g_strdup (conflict->details);
  post (news);
}

static void
on_resolved (guint64 id, gpointer data)
{
  News *news = news_new (data, NEWS_RESOLVED);

  news->id = id;
  post (news);
}

static void
on_password_wanted (Side side, gpointer data)
{
  News *news = news_new (data, NEWS_PASSWORD);

  news->side = side;
  post (news);
}

static void
on_done (gpointer request, const SyncReport *report, const GError *error, gpointer data)
{
  News *news = news_new (data, NEWS_DONE);

  news->tag = request;
  news->report = *report;
  news->error = error != NULL ? g_error_copy (error) : NULL;
  post (news);
}

static gpointer
account_thread (gpointer data)
{
  SyncAccount *account = data;
  News *news = news_new (account, NEWS_FINISHED);

  log_account_set (account->id);
  g_main_context_push_thread_default (account->context);
  news->result = sync_live_run (account->live);
  g_main_context_pop_thread_default (account->context);
  post (news);
  return NULL;
}

/* --- commands, from the main thread ---------------------------------------------------------- */

typedef enum {
  COMMAND_STOP,
  COMMAND_SYNC,
  COMMAND_PAUSE,
  COMMAND_RESUME,
  COMMAND_NETWORK,
  COMMAND_SLEEP,
  COMMAND_PASSWORD,
  COMMAND_CONFLICTS,
  COMMAND_RESOLVE,
} CommandKind;

typedef struct {
  SyncAccount *account;
  CommandKind kind;
  char **mailboxes;
  gboolean flag; /* repair, sleeping, locked */
  SyncNetwork network;
  gint64 until;
  Side side;
  char *text; /* choice */
  Password *password;
  guint64 id;
  Tag *tag;
} Command;

static void
command_free (gpointer data)
{
  Command *command = data;

  g_free (command->text);
  password_unref (command->password);
  g_strfreev (command->mailboxes);
  g_free (command->tag);
  g_free (command);
}

static void
list_conflicts (Command *command)
{
  News *news = news_new (command->account, NEWS_CONFLICTS);

  news->tag = g_steal_pointer (&command->tag);
  news->conflicts = sync_live_conflicts (command->account->live, &news->error);
  post (news);
}

static void
resolve (Command *command)
{
  News *news = news_new (command->account, NEWS_DONE);

  news->tag = g_steal_pointer (&command->tag);
  sync_live_resolve (command->account->live, command->id, command->text, &news->error);
  post (news);
}

static gboolean
execute (gpointer data)
{
  Command *command = data;
  SyncLive *live = command->account->live;

  switch (command->kind) {
  case COMMAND_STOP:
    sync_live_stop (live);
    break;
  case COMMAND_SYNC:
    sync_live_sync (live, g_steal_pointer (&command->mailboxes), command->flag,
                    g_steal_pointer (&command->tag));
    break;
  case COMMAND_PAUSE:
    sync_live_pause (live, command->until);
    break;
  case COMMAND_RESUME:
    sync_live_resume (live);
    break;
  case COMMAND_NETWORK:
    sync_live_network (live, command->network);
    break;
  case COMMAND_SLEEP:
    sync_live_sleep (live, command->flag);
    break;
  case COMMAND_PASSWORD:
    sync_live_set_password (live, command->side, command->password, command->flag);
    break;
  case COMMAND_CONFLICTS:
    list_conflicts (command);
    break;
  case COMMAND_RESOLVE:
    resolve (command);
    break;
  }
  return G_SOURCE_REMOVE;
}

static Command *
command_new (SyncAccount *account, CommandKind kind)
{
  Command *command = g_new0 (Command, 1);

  command->account = account;
  command->kind = kind;
  return command;
}

static Tag *
tag_new (SyncDone done, SyncConflictsDone conflicts_done, gpointer data)
{
  Tag *tag = g_new0 (Tag, 1);

  tag->done = done;
  tag->conflicts_done = conflicts_done;
  tag->data = data;
  return tag;
}

/* An account that has ended answers what waits for an answer with an error. */
static void
send (Command *command)
{
  SyncAccount *account = command->account;
  News *news;

  if (account->thread != NULL && !account->finished) {
    attach (account->context, execute, command, command_free);
    return;
  }
  if (command->tag != NULL) {
    news = news_new (account, command->tag->conflicts_done != NULL ? NEWS_CONFLICTS : NEWS_DONE);
    news->tag = g_steal_pointer (&command->tag);
    news->error = g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                               "the account %s is not running", account->id);
    post (news);
  }
  command_free (command);
}

void
sync_accounts_agree (const GPtrArray *configs)
{
  g_autoptr (GPtrArray) servers = g_ptr_array_new ();

  for (guint i = 0; i < configs->len; i++) {
    const AccountConfig *config = g_ptr_array_index (configs, i);

    for (Side side = 0; side < N_SIDES; side++)
      g_ptr_array_add (servers, config->server[side]);
  }
  tls_offer_only ((const ServerSettings *const *)servers->pdata, servers->len);
}

SyncAccount *
sync_account_new (const AccountConfig *config, const SyncRequest *request,
                  const SyncListener *listener, gpointer data)
{
  SyncAccount *account = g_new0 (SyncAccount, 1);
  const SyncLiveFuncs funcs = {
      .progress = on_progress,
      .changed = on_changed,
      .passed = on_passed,
      .conflict = on_conflict,
      .resolved = on_resolved,
      .password_wanted = listener->password_wanted != NULL ? on_password_wanted : NULL,
      .done = on_done,
  };

  g_atomic_ref_count_init (&account->refs);
  imap_session_set_trace (request->trace);
  account->listener = *listener;
  account->data = data;
  account->id = g_strdup (config->id);
  account->context = g_main_context_new ();
  account->live = sync_live_new (account_config_copy (config), account->context, request->mode,
                                 request->mailboxes, &funcs, account);
  sync_live_set_resolutions (account->live, request->resolutions);
  if (request->dry_run)
    sync_live_set_dry_run (account->live);
  return account;
}

void
sync_account_start (SyncAccount *account)
{
  g_return_if_fail (account->thread == NULL);

  account->thread = g_thread_new (account->id, account_thread, account);
}

void
sync_account_stop (SyncAccount *account)
{
  send (command_new (account, COMMAND_STOP));
}

void
sync_account_sync (SyncAccount *account, const char *const *mailboxes, gboolean repair,
                   SyncDone done, gpointer data)
{
  Command *command = command_new (account, COMMAND_SYNC);

  if (mailboxes != NULL && mailboxes[0] != NULL)
    command->mailboxes = g_strdupv ((char **)mailboxes);
  command->flag = repair;
  command->tag = tag_new (done, NULL, data);
  send (command);
}

void
sync_account_pause (SyncAccount *account, gint64 until)
{
  Command *command = command_new (account, COMMAND_PAUSE);

  command->until = until;
  send (command);
}

void
sync_account_resume (SyncAccount *account)
{
  send (command_new (account, COMMAND_RESUME));
}

void
sync_account_network (SyncAccount *account, SyncNetwork network)
{
  Command *command = command_new (account, COMMAND_NETWORK);

  command->network = network;
  send (command);
}

void
sync_account_sleep (SyncAccount *account, gboolean sleeping)
{
  Command *command = command_new (account, COMMAND_SLEEP);

  command->flag = sleeping;
  send (command);
}

void
sync_account_set_password (SyncAccount *account, Side side, Password *password, gboolean locked)
{
  Command *command = command_new (account, COMMAND_PASSWORD);

  command->side = side;
  command->password = password_ref (password);
  command->flag = locked;
  send (command);
}

void
sync_account_list_conflicts (SyncAccount *account, SyncConflictsDone done, gpointer data)
{
  Command *command = command_new (account, COMMAND_CONFLICTS);

  command->tag = tag_new (NULL, done, data);
  send (command);
}

void
sync_account_resolve (SyncAccount *account, guint64 id, const char *choice, SyncDone done,
                      gpointer data)
{
  Command *command = command_new (account, COMMAND_RESOLVE);

  command->id = id;
  command->text = g_strdup (choice);
  command->tag = tag_new (done, NULL, data);
  send (command);
}

void
sync_account_free (SyncAccount *account)
{
  if (account == NULL)
    return;
  if (account->thread != NULL)
    g_thread_join (account->thread);
  account->thread = NULL;
  memset (&account->listener, 0, sizeof account->listener);
  account_unref (account);
}
