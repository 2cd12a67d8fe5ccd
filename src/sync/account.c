/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/account.h"

#include "log-account.h"
#include "sync/engine.h"
#include "sync/list.h"
#include "sync/pass.h"

/* What crosses between the threads: the main thread owns the SyncAccount; the account's thread
 * works on its engine, which nobody else touches, and posts copies. `stopping` goes the other way
 * by a source on the engine's context. */
struct _SyncAccount {
  AccountConfig *config;
  SyncMode mode;
  char **mailboxes;
  SyncListener listener;
  gpointer data;
  GMainContext *context; /* the account's */
  GThread *thread;
  gboolean finished;
  SyncEngine engine; /* the thread's alone while it runs */
};

typedef struct {
  SyncAccount *account;
  SyncProgress progress;
  SyncResult result;
} Message;

/* --- the account's thread -------------------------------------------------------------------- */

static gboolean
deliver_progress (gpointer data)
{
  Message *message = data;

  if (!message->account->finished && message->account->listener.progress != NULL)
    message->account->listener.progress (message->account, &message->progress,
                                         message->account->data);
  return G_SOURCE_REMOVE;
}

static gboolean
deliver_finished (gpointer data)
{
  Message *message = data;

  message->account->finished = TRUE;
  if (message->account->listener.finished != NULL)
    message->account->listener.finished (message->account, message->result, message->account->data);
  return G_SOURCE_REMOVE;
}

static void
post (SyncAccount *account, GSourceFunc deliver, const Message *message)
{
  g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT, deliver,
                              g_memdup2 (message, sizeof *message), g_free);
}

static guint
percent_of (const SyncEngine *engine)
{
  /* A message costs a server about as much as some kilobytes. */
  guint64 total = engine->bytes_total + engine->messages_total * 4096;
  guint64 done = engine->bytes_done + engine->messages_done * 4096;

  return total > 0 ? (guint)MIN (100, done * 100 / total) : 0;
}

static void
on_progress (SyncEngine *engine, gpointer data)
{
  static const gint64 interval = 50 * G_TIME_SPAN_MILLISECOND;
  SyncAccount *account = data;
  gint64 now = g_get_monotonic_time ();
  Message message = {
      .account = account,
      .progress = {.phase = engine->phase,
                   .percent = percent_of (engine),
                   .messages_done = engine->messages_done,
                   .messages_total = engine->messages_total,
                   .bytes_done = engine->bytes_done,
                   .bytes_total = engine->bytes_total},
  };

  if (now - engine->progress_posted < interval && engine->phase == engine->phase_posted)
    return;
  engine->progress_posted = now;
  engine->phase_posted = engine->phase;
  post (account, deliver_progress, &message);
}

static void
fill_identity (StoreIdentity *identity, const ServerSettings *server)
{
  gboolean tunnel = server->type == SERVER_TUNNEL;

  identity->type = g_strdup (tunnel ? "tunnel" : "imap");
  identity->host = tunnel ? g_strdup (server->command) : g_ascii_strdown (server->host, -1);
  identity->port = tunnel || server->port == 993 ? 143 : server->port;
  if (tunnel)
    identity->port = 0;
  identity->username = g_strdup (server->username != NULL ? server->username : "");
}

static Store *
open_store (const AccountConfig *config, GError **error)
{
  StoreIdentity identity[N_SIDES];
  Store *store;

  for (Side side = 0; side < N_SIDES; side++)
    fill_identity (&identity[side], config->server[side]);
  store = store_open (config->database, identity, error);
  for (Side side = 0; side < N_SIDES; side++) {
    g_free (identity[side].type);
    g_free (identity[side].host);
    g_free (identity[side].username);
  }
  return store;
}

static gboolean
both_ready (SyncEngine *engine)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (imap_session_state (engine->peer[side]->session) != IMAP_SESSION_READY)
      return FALSE;
  }
  return TRUE;
}

static gboolean
connect_both (SyncEngine *engine, GError **error)
{
  engine->phase = "connect";
  on_progress (engine, engine->progress_data);
  for (Side side = 0; side < N_SIDES; side++) {
    engine->peer[side] = sync_peer_new (engine, side);
    imap_session_connect (engine->peer[side]->session);
  }
  while (!both_ready (engine)) {
    if (!sync_check (engine, error))
      return FALSE;
    g_main_context_iteration (engine->context, TRUE);
  }
  engine->connected = g_get_monotonic_time ();
  return sync_check (engine, error);
}

static void
disconnect_both (SyncEngine *engine)
{
  gint64 deadline = g_get_monotonic_time () + G_TIME_SPAN_SECOND;
  g_autoptr (GSource) timer = g_timeout_source_new (1000);

  g_source_set_dummy_callback (timer);
  g_source_attach (timer, engine->context);
  for (Side side = 0; side < N_SIDES; side++) {
    if (engine->peer[side] != NULL && !engine->stopping &&
        imap_session_state (engine->peer[side]->session) == IMAP_SESSION_READY)
      imap_session_logout (engine->peer[side]->session);
    else if (engine->peer[side] != NULL)
      imap_session_close (engine->peer[side]->session);
  }
  for (Side side = 0; side < N_SIDES; side++) {
    while (engine->peer[side] != NULL && g_get_monotonic_time () < deadline &&
           imap_session_state (engine->peer[side]->session) != IMAP_SESSION_CLOSED)
      g_main_context_iteration (engine->context, TRUE);
    if (engine->peer[side] != NULL)
      imap_session_close (engine->peer[side]->session);
  }
  g_source_destroy (timer);
  /* What the sessions still have to say to nobody. */
  while (g_main_context_iteration (engine->context, FALSE))
    ;
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&engine->peer[side], sync_peer_free);
}

/* MAILBOX arguments have the local delimiter, which only the server tells. */
static char **
parse_mailboxes (SyncAccount *account, GError **error)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  char delimiter = '/';

  if (account->mailboxes == NULL || account->mailboxes[0] == NULL)
    return NULL;
  if (!sync_learn_delimiter (&account->engine, &delimiter, error))
    return NULL;
  for (gsize i = 0; account->mailboxes[i] != NULL; i++) {
    g_autofree char *name = mailbox_name_from_argument (account->mailboxes[i], delimiter, error);

    if (name == NULL)
      return NULL;
    g_strv_builder_add (builder, name);
  }
  return g_strv_builder_end (builder);
}

static gboolean
run_once (SyncAccount *account, GError **error)
{
  SyncEngine *engine = &account->engine;
  g_auto (GStrv) mailboxes = NULL;
  GError *failure = NULL;

  mailboxes = parse_mailboxes (account, &failure);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return sync_run (engine, (const char *const *)mailboxes, error);
}

static SyncResult
result_of (const GError *error)
{
  if (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_LOCKED))
    return SYNC_RESULT_LOCKED;
  if (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DATABASE) ||
      g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL) ||
      g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG))
    return SYNC_RESULT_CONFIG;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return SYNC_RESULT_PARTIAL;
  return SYNC_RESULT_CONNECTION;
}

static SyncResult
run_account (SyncAccount *account)
{
  SyncEngine *engine = &account->engine;
  g_autoptr (GError) error = NULL;
  gboolean ok;
  guint held = 0;

  engine->store = open_store (account->config, &error);
  ok = engine->store != NULL;
  if (ok) {
    engine->flags = store_flags (engine->store);
    ok = connect_both (engine, &error) && run_once (account, &error);
    if (ok && engine->peer[SIDE_LOCAL] != NULL)
      held = sync_tell_holds (engine);
    disconnect_both (engine);
  }
  if (!ok && !engine->stopping)
    g_warning ("%s", error->message);
  g_clear_pointer (&engine->mailboxes, g_ptr_array_unref);
  g_clear_pointer (&engine->store, store_close);
  if (!ok)
    return engine->stopping ? SYNC_RESULT_PARTIAL : result_of (error);
  return held > 0 || engine->incomplete ? SYNC_RESULT_PARTIAL : SYNC_RESULT_OK;
}

static gpointer
account_thread (gpointer data)
{
  SyncAccount *account = data;
  Message message = {.account = account};

  log_account_set (account->config->id);
  g_main_context_push_thread_default (account->context);
  message.result = run_account (account);
  g_clear_error (&account->engine.fatal);
  g_main_context_pop_thread_default (account->context);
  post (account, deliver_finished, &message);
  return NULL;
}

/* --- the main thread ------------------------------------------------------------------------- */

SyncAccount *
sync_account_new (const AccountConfig *config, const SyncRequest *request,
                  const SyncListener *listener, gpointer data)
{
  SyncAccount *account = g_new0 (SyncAccount, 1);

  account->config = account_config_copy (config);
  account->mode = request->mode;
  imap_session_set_trace (request->trace);
  account->mailboxes = g_strdupv (request->mailboxes);
  account->listener = *listener;
  account->data = data;
  account->context = g_main_context_new ();
  account->engine.config = account->config;
  account->engine.context = account->context;
  account->engine.repair = request->mode == SYNC_REPAIR;
  account->engine.progress = on_progress;
  account->engine.progress_data = account;
  return account;
}

void
sync_account_start (SyncAccount *account)
{
  g_return_if_fail (account->thread == NULL);

  account->thread = g_thread_new (account->config->id, account_thread, account);
}

static gboolean
stop_engine (gpointer data)
{
  SyncAccount *account = data;

  account->engine.stopping = TRUE;
  return G_SOURCE_REMOVE;
}

void
sync_account_stop (SyncAccount *account)
{
  g_autoptr (GSource) source = NULL;

  if (account->thread == NULL || account->finished)
    return;
  /* Not g_main_context_invoke(): it would run here if the thread happened not to own its context.
   */
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, stop_engine, account, NULL);
  g_source_attach (source, account->context);
}

void
sync_account_free (SyncAccount *account)
{
  if (account == NULL)
    return;
  if (account->thread != NULL)
    g_thread_join (account->thread);
  g_main_context_unref (account->context);
  account_config_free (account->config);
  g_strfreev (account->mailboxes);
  g_free (account);
}
