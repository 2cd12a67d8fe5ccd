/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/live.h"

#include "sync/connect.h"
#include "sync/figures.h"
#include "sync/gate.h"
#include "sync/live-store.h"
#include "sync/pass.h"
#include "sync/poll.h"
#include "sync/request.h"
#include "sync/watch.h"

#define SETTLE_TIME   (30 * G_TIME_SPAN_MILLISECOND) /* bursts of notices make one pass */
#define PASSWORD_TIME (60 * G_TIME_SPAN_SECOND)

struct _SyncLive {
  AccountConfig *config;
  SyncMode mode;
  char **mailboxes;
  char **resolutions;
  SyncLiveFuncs funcs;
  gpointer data;
  SyncEngine engine;
  SyncWatch *watch;
  SyncGate gate;
  GPtrArray *requests; /* SyncPassRequest: covered by the next pass that begins */
  SyncReport report;

  SyncPoll poll;
  gboolean password_asked[N_SIDES], password_answered[N_SIDES], keyring_locked;

  SyncStatus status;
  GError *error;
  gint64 last_sync;
  guint n_mailboxes;
  SyncLiveCounts counts;
};

/* --- telling --------------------------------------------------------------------------------- */

static guint64
remaining_of (const SyncLive *live)
{
  const SyncEngine *engine = &live->engine;

  return live->status == SYNC_STATUS_SYNCING && engine->messages_done < engine->messages_total
             ? engine->messages_total - engine->messages_done
             : 0;
}

static gint64
now_seconds (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

static void
tell (SyncLive *live)
{
  SyncSnapshot snapshot = {
      .status = live->status,
      .error_code = live->error != NULL ? imapsync_error_code (live->error) : "",
      .error_message = live->error != NULL ? live->error->message : "",
      .last_sync = live->last_sync,
      .progress = live->status == SYNC_STATUS_SYNCING ? sync_figures_percent (&live->engine) : 0,
      .remaining = remaining_of (live),
      .paused_until = live->gate.paused ? live->gate.paused_until : 0,
      .mailboxes = live->n_mailboxes,
      .messages = live->counts.messages,
      .conflicts = live->counts.conflicts,
      .held = live->counts.held,
      .waiting = live->counts.waiting,
  };

  if (live->gate.next_try > 0 && live->status != SYNC_STATUS_SYNCING)
    snapshot.next_try =
        now_seconds () + MAX (0, live->gate.next_try - g_get_monotonic_time ()) / G_USEC_PER_SEC;
  if (live->funcs.changed != NULL)
    live->funcs.changed (&snapshot, live->data);
}

static void
set_status (SyncLive *live, SyncStatus status)
{
  if (live->status == status)
    return;
  live->status = status;
  tell (live);
}

static void
on_progress (SyncEngine *engine, gpointer data)
{
  static const gint64 interval = 50 * G_TIME_SPAN_MILLISECOND;
  SyncLive *live = data;
  gint64 now = g_get_monotonic_time ();
  SyncProgress progress = {engine->phase,         sync_figures_percent (engine),
                           engine->messages_done, engine->messages_total,
                           engine->bytes_done,    engine->bytes_total};

  if (now - engine->progress_posted < interval && engine->phase == engine->phase_posted)
    return;
  engine->progress_posted = now;
  engine->phase_posted = engine->phase;
  if (live->funcs.progress != NULL)
    live->funcs.progress (&progress, live->data);
  if (live->mode == SYNC_STAY)
    tell (live);
}

static void
on_conflict (SyncEngine *engine, const StoreConflict *conflict, gpointer data)
{
  SyncLive *live = data;
  g_autoptr (SyncConflictRecord) record = sync_live_make_record (engine, conflict);

  live->counts.conflicts++;
  if (live->funcs.conflict != NULL)
    live->funcs.conflict (record, live->data);
}

static void
on_resolved (SyncEngine *engine, gint64 id, gpointer data)
{
  SyncLive *live = data;

  live->counts.conflicts -= live->counts.conflicts > 0;
  if (live->funcs.resolved != NULL)
    live->funcs.resolved (id, live->data);
}

static void
recount (SyncLive *live)
{
  g_autoptr (GError) error = NULL;

  if (!sync_live_count (live->engine.store, &live->counts, &error))
    g_warning ("%s", error->message);
}

static void
finish_requests (SyncLive *live, GPtrArray *requests, const GError *error)
{
  for (guint i = 0; i < requests->len; i++) {
    const SyncPassRequest *request = g_ptr_array_index (requests, i);

    if (request->tag != NULL && live->funcs.done != NULL)
      live->funcs.done (request->tag, &live->report, error, live->data);
  }
  g_ptr_array_set_size (requests, 0);
}

/* --- waiting --------------------------------------------------------------------------------- */

static void
end_pause (SyncLive *live)
{
  live->gate.paused = FALSE;
  live->gate.paused_until = 0;
  live->gate.kicked = TRUE;
  sync_live_save_pause (live->engine.store, FALSE, 0);
  tell (live);
}

/* What keeps it from being connected, if anything does. */
static SyncGateState
look_at_gate (SyncLive *live)
{
  if (sync_gate_is_overdue (&live->gate))
    end_pause (live);
  return sync_gate_state (&live->gate);
}

static gboolean
must_disconnect (SyncLive *live)
{
  return live->engine.stopping || look_at_gate (live) != SYNC_GATE_OPEN;
}

/* The status of an account that waits at its gate, with the reason where it is none of the person's
 * own doing. */
static void
tell_gate (SyncLive *live, SyncGateState state)
{
  SyncStatus status = state == SYNC_GATE_PAUSED || state == SYNC_GATE_METERED ? SYNC_STATUS_PAUSED
                                                                              : SYNC_STATUS_OFFLINE;
  GError *error = NULL;

  if (state == SYNC_GATE_PORTAL)
    error = g_error_new_literal (IMAPSYNC_ERROR, IMAPSYNC_ERROR_PORTAL,
                                 "the network wants a login before it lets anything through");
  else if (state == SYNC_GATE_METERED)
    error = g_error_new_literal (IMAPSYNC_ERROR, IMAPSYNC_ERROR_METERED,
                                 "the network is metered, and the configuration says to wait");
  if (live->status == status && g_strcmp0 (live->error != NULL ? live->error->message : NULL,
                                           error != NULL ? error->message : NULL) == 0) {
    g_clear_error (&error);
    return;
  }
  g_clear_error (&live->error);
  live->error = error;
  live->status = status;
  if (error != NULL)
    g_message ("%s", error->message);
  tell (live);
}

/* What this account has to wait for before it tries; when that may change by itself, @until. */
static gboolean
may_connect (SyncLive *live, gint64 *until)
{
  gint64 now = g_get_monotonic_time ();
  SyncGateState state;

  *until = 0;
  if (live->mode != SYNC_STAY)
    return TRUE;
  state = look_at_gate (live);
  if (state != SYNC_GATE_OPEN) {
    tell_gate (live, state);
    if (live->gate.paused && live->gate.paused_until > 0)
      *until = now + (live->gate.paused_until - now_seconds ()) * G_USEC_PER_SEC;
    return FALSE;
  }
  if (live->gate.kicked)
    return TRUE;
  if (live->status == SYNC_STATUS_AUTH_FAILED || live->status == SYNC_STATUS_KEYRING_LOCKED)
    return FALSE;
  *until = live->gate.next_try;
  return live->gate.next_try <= now;
}

/* FALSE: stopped. */
static gboolean
wait_until_allowed (SyncLive *live)
{
  gint64 until;

  while (!live->engine.stopping) {
    if (may_connect (live, &until)) {
      if (g_error_matches (live->error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PORTAL) ||
          g_error_matches (live->error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_METERED))
        g_clear_error (&live->error);
      live->gate.kicked = FALSE;
      live->gate.next_try = 0;
      return TRUE;
    }
    sync_iterate_until (&live->engine, until);
  }
  return FALSE;
}

/* --- connecting ------------------------------------------------------------------------------ */

static gboolean
lacks_password (const SyncLive *live, Side side)
{
  return server_settings_lacks_password (live->config->server[side]) &&
         live->funcs.password_wanted != NULL;
}

static gboolean
get_passwords (SyncLive *live, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + PASSWORD_TIME;

  live->keyring_locked = FALSE;
  for (Side side = 0; side < N_SIDES; side++) {
    live->password_answered[side] = !lacks_password (live, side);
    if (!live->password_answered[side])
      live->funcs.password_wanted (side, live->data);
  }
  while (!live->engine.stopping && g_get_monotonic_time () < deadline &&
         !(live->password_answered[SIDE_LOCAL] && live->password_answered[SIDE_REMOTE]))
    sync_iterate_until (&live->engine, deadline);
  for (Side side = 0; side < N_SIDES; side++) {
    if (!lacks_password (live, side))
      continue;
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_KEYRING,
                 live->keyring_locked
                     ? "the keyring with the password of the %s server is locked"
                     : "there is no password for the %s server: neither in the configuration nor "
                       "in the keyring",
                 side_name (side));
    return FALSE;
  }
  return TRUE;
}

static gboolean
connect_both (SyncLive *live, GError **error)
{
  live->engine.interrupted = FALSE;
  return get_passwords (live, error) && sync_connect_both (&live->engine, error);
}

static void
disconnect_both (SyncLive *live)
{
  g_clear_pointer (&live->watch, sync_watch_free);
  sync_disconnect_both (&live->engine);
}

/* --- passes ---------------------------------------------------------------------------------- */

static void
fill_report (SyncLive *live, gboolean ok)
{
  const SyncEngine *engine = &live->engine;
  const SyncFigures *figures = &engine->figures;

  memset (&live->report, 0, sizeof live->report);
  live->report.ok = ok && !engine->incomplete;
  for (Side side = 0; side < N_SIDES; side++) {
    live->report.copied[side] = figures->copied[side];
    live->report.flags[side] = figures->flags[side];
    live->report.expunged[side] = figures->expunged[side];
    live->report.bytes[side] = figures->bytes[side];
  }
  live->report.problems = figures->problems;
  live->report.new_mail = figures->new_mail;
  live->report.seconds = engine->seconds;
}

static void
after_pass (SyncLive *live, gboolean ok)
{
  fill_report (live, ok);
  recount (live);
  if (ok && !live->engine.incomplete)
    live->last_sync = now_seconds ();
  if (live->funcs.passed != NULL)
    live->funcs.passed (&live->report, live->data);
}

static void
after_poll (SyncLive *live, gboolean everything)
{
  const SyncEngine *engine = &live->engine;

  sync_poll_passed (&live->poll, g_get_monotonic_time (), everything, engine->full_check,
                    !sync_figures_is_zero (&engine->figures));
}

/* A pass with a LIST: over everything, or over what was asked for. */
static gboolean
run_whole (SyncLive *live, gboolean everything, GError **error)
{
  SyncEngine *engine = &live->engine;
  g_autoptr (GPtrArray) requests = g_steal_pointer (&live->requests);
  g_auto (GStrv) names = NULL;
  GError *failure = NULL;
  gboolean ok, all;

  live->requests = sync_requests_new ();
  engine->repair = live->mode == SYNC_REPAIR || sync_requests_want_repair (requests);
  engine->full_check = sync_poll_wants_check (&live->poll, g_get_monotonic_time ());
  ok = sync_requests_names (engine, requests, everything, live->mailboxes, &names, &failure) &&
       sync_run (engine, (const char *const *)names, &failure);
  after_pass (live, ok);
  if (ok && live->watch != NULL)
    sync_watch_learn (live->watch, names == NULL || live->mailboxes != NULL);
  all = names == NULL || (everything && live->mailboxes != NULL);
  if (ok)
    after_poll (live, all);
  if (ok && all)
    live->n_mailboxes = engine->mailboxes->len;
  finish_requests (live, requests, failure);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return ok;
}

static gboolean
run_marked (SyncLive *live, GError **error)
{
  gboolean all, ok;
  g_auto (GStrv) names = sync_watch_take (live->watch, &all);

  if (all)
    return run_whole (live, TRUE, error);
  live->engine.repair = live->engine.full_check = FALSE;
  ok = sync_run_marked (&live->engine, (const char *const *)names, error);
  after_pass (live, ok);
  if (ok) {
    if (live->engine.look_again)
      sync_watch_mark_all (live->watch);
    sync_watch_learn (live->watch, FALSE);
    after_poll (live, FALSE);
  }
  return ok;
}

static gint64
next_poll (SyncLive *live)
{
  return sync_poll_next (&live->poll, sync_watch_poll_interval (live->watch, live->config->poll));
}

/* At rest until there is something to do. */
static gboolean
rest (SyncLive *live, GError **error)
{
  gint64 settle = 0;

  if (!sync_watch_start (live->watch, error))
    return FALSE;
  if (!sync_watch_is_marked (live->watch))
    set_status (live, SYNC_STATUS_WATCHING);
  tell (live);
  while (!must_disconnect (live) && live->requests->len == 0) {
    gint64 now = g_get_monotonic_time ();

    if (!sync_check (&live->engine, error))
      return FALSE;
    if (sync_watch_is_marked (live->watch) && settle == 0)
      settle = now + SETTLE_TIME;
    if ((settle > 0 && now >= settle) || now >= next_poll (live))
      break;
    sync_iterate_until (&live->engine, settle > 0 ? settle : next_poll (live));
  }
  sync_watch_end (live->watch);
  return TRUE;
}

/* Until it is to disconnect (TRUE) or something failed. */
static gboolean
follow (SyncLive *live, GError **error)
{
  live->watch = sync_watch_new (&live->engine);
  set_status (live, SYNC_STATUS_SYNCING);
  if (!run_whole (live, live->requests->len == 0, error))
    return FALSE;
  sync_gate_passed (&live->gate);
  g_clear_error (&live->error);
  while (!must_disconnect (live)) {
    if (!rest (live, error))
      return FALSE;
    if (must_disconnect (live))
      break;
    set_status (live, SYNC_STATUS_SYNCING);
    if (live->requests->len > 0) {
      if (!run_whole (live, FALSE, error))
        return FALSE;
    } else if (sync_watch_is_marked (live->watch)) {
      if (!run_marked (live, error))
        return FALSE;
    } else if (!run_whole (live, TRUE, error)) {
      return FALSE;
    }
  }
  return TRUE;
}

/* --- failing --------------------------------------------------------------------------------- */

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

static void
take_failure (SyncLive *live, GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
    g_error_free (error);
    return;
  }
  g_clear_error (&live->error);
  live->error = error;
  g_clear_error (&live->engine.fatal);
  if (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_KEYRING))
    live->status = live->keyring_locked ? SYNC_STATUS_KEYRING_LOCKED : SYNC_STATUS_AUTH_FAILED;
  else if (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_AUTH))
    live->status = SYNC_STATUS_AUTH_FAILED;
  else
    live->status = imapsync_error_is_transient (error) ? SYNC_STATUS_OFFLINE : SYNC_STATUS_ERROR;
  if (live->status == SYNC_STATUS_OFFLINE || live->status == SYNC_STATUS_ERROR)
    sync_gate_delay (&live->gate, live->status == SYNC_STATUS_OFFLINE);
  g_warning ("%s", error->message);
  tell (live);
}

static SyncResult
run_once (SyncLive *live)
{
  GError *error = NULL;
  guint held = 0;

  set_status (live, SYNC_STATUS_SYNCING);
  if (connect_both (live, &error) && run_whole (live, TRUE, &error))
    held = sync_tell_holds (&live->engine);
  disconnect_both (live);
  if (error != NULL) {
    SyncResult result = live->engine.stopping ? SYNC_RESULT_PARTIAL : result_of (error);

    if (!live->engine.stopping)
      g_warning ("%s", error->message);
    g_error_free (error);
    return result;
  }
  return held > 0 || live->engine.incomplete ? SYNC_RESULT_PARTIAL : SYNC_RESULT_OK;
}

static SyncResult
run_on (SyncLive *live)
{
  while (wait_until_allowed (live)) {
    GError *error = NULL;

    set_status (live, SYNC_STATUS_CONNECTING);
    if (connect_both (live, &error))
      follow (live, &error);
    disconnect_both (live);
    if (error != NULL) {
      finish_requests (live, live->requests, error);
      take_failure (live, error);
    }
  }
  return SYNC_RESULT_OK;
}

/* What the command line chose. The pass that follows does it. */
static gboolean
take_resolutions (SyncLive *live, GError **error)
{
  for (gsize i = 0; live->resolutions != NULL && live->resolutions[i] != NULL; i++) {
    char *choice;
    guint64 id = g_ascii_strtoull (live->resolutions[i], &choice, 10);
    gboolean again, gone;

    if (!sync_live_choose (&live->engine, id, *choice == ':' ? choice + 1 : choice, &again, &gone,
                           error))
      return FALSE;
  }
  return TRUE;
}

static void
fail_early (SyncLive *live, GError *error)
{
  g_warning ("%s", error->message);
  live->status = SYNC_STATUS_ERROR;
  live->error = error;
  tell (live);
}

/* Until there is room for it, where somebody stays to see that. FALSE without an error: stopped. */
static gboolean
open_store (SyncLive *live, GError **error)
{
  SyncEngine *engine = &live->engine;
  gboolean paused = live->gate.paused;

  while ((engine->store = sync_live_open_store (live->config, engine->dry_run, error)) == NULL) {
    if (live->mode != SYNC_STAY ||
        !g_error_matches (*error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_DISK_FULL))
      return FALSE;
    finish_requests (live, live->requests, *error);
    take_failure (live, g_steal_pointer (error));
    while (!engine->stopping && !live->gate.kicked && g_get_monotonic_time () < live->gate.next_try)
      sync_iterate_until (&live->engine, live->gate.next_try);
    live->gate.kicked = FALSE;
    if (engine->stopping) {
      g_clear_error (&live->error);
      return FALSE;
    }
  }
  engine->flags = store_flags (engine->store);
  g_clear_error (&live->error);
  live->status = SYNC_STATUS_CONNECTING;
  live->gate.next_try = 0;
  if (live->gate.paused && !paused)
    sync_live_save_pause (engine->store, TRUE, live->gate.paused_until);
  else
    live->gate.paused = sync_live_load_pause (engine->store, &live->gate.paused_until);
  return TRUE;
}

SyncResult
sync_live_run (SyncLive *live)
{
  SyncEngine *engine = &live->engine;
  g_autoptr (GError) error = NULL;
  SyncResult result;

  if (!open_store (live, &error) || !take_resolutions (live, &error)) {
    if (error != NULL)
      fail_early (live, g_steal_pointer (&error));
    g_clear_pointer (&engine->store, store_close);
    return live->error != NULL ? result_of (live->error) : SYNC_RESULT_OK;
  }
  recount (live);
  result = live->mode == SYNC_STAY ? run_on (live) : run_once (live);
  g_clear_pointer (&engine->mailboxes, g_ptr_array_unref);
  g_clear_pointer (&engine->stuck, g_array_unref);
  g_clear_pointer (&engine->unsettled, g_hash_table_unref);
  g_clear_error (&engine->fatal);
  g_clear_pointer (&engine->store, store_close);
  return result;
}

/* --- being told ------------------------------------------------------------------------------ */

SyncLive *
sync_live_new (AccountConfig *config, GMainContext *context, SyncMode mode, char **mailboxes,
               const SyncLiveFuncs *funcs, gpointer data)
{
  SyncLive *live = g_new0 (SyncLive, 1);

  live->config = config;
  live->mode = mode;
  live->mailboxes = mailboxes != NULL && mailboxes[0] != NULL ? g_strdupv (mailboxes) : NULL;
  live->funcs = *funcs;
  live->data = data;
  live->requests = sync_requests_new ();
  live->status = SYNC_STATUS_CONNECTING;
  sync_gate_init (&live->gate, config);
  live->engine.config = config;
  live->engine.context = context;
  live->engine.progress = on_progress;
  live->engine.progress_data = live;
  live->engine.conflict = on_conflict;
  live->engine.resolved = on_resolved;
  live->engine.conflict_data = live;
  live->engine.untold = g_array_new (FALSE, FALSE, sizeof (gint64));
  return live;
}

void
sync_live_free (SyncLive *live)
{
  if (live == NULL)
    return;
  g_ptr_array_unref (live->requests);
  g_array_unref (live->engine.untold);
  g_clear_error (&live->error);
  g_strfreev (live->mailboxes);
  g_strfreev (live->resolutions);
  account_config_free (live->config);
  g_free (live);
}

void
sync_live_set_resolutions (SyncLive *live, char **resolutions)
{
  g_strfreev (live->resolutions);
  live->resolutions = g_strdupv (resolutions);
}

void
sync_live_set_dry_run (SyncLive *live)
{
  live->engine.dry_run = TRUE;
}

void
sync_live_stop (SyncLive *live)
{
  live->engine.stopping = TRUE;
}

void
sync_live_sync (SyncLive *live, char **mailboxes, gboolean repair, gpointer request)
{
  SyncGateState state = sync_gate_state (&live->gate);

  sync_requests_add (live->requests, mailboxes, repair, request);
  live->gate.kicked = TRUE;
  if (state == SYNC_GATE_PAUSED || state == SYNC_GATE_METERED) {
    g_autoptr (GError) error = g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                                            "the account %s is paused", live->config->id);

    live->gate.kicked = FALSE;
    memset (&live->report, 0, sizeof live->report);
    finish_requests (live, live->requests, error);
  }
}

void
sync_live_pause (SyncLive *live, gint64 until)
{
  live->gate.paused = TRUE;
  live->gate.paused_until = until;
  sync_live_save_pause (live->engine.store, TRUE, until);
  live->engine.interrupted = TRUE;
  tell (live);
}

void
sync_live_resume (SyncLive *live)
{
  live->gate.despite = live->gate.network == SYNC_NETWORK_METERED;
  if (live->gate.paused)
    end_pause (live);
  else if (live->status == SYNC_STATUS_PAUSED)
    live->gate.kicked = TRUE;
}

void
sync_live_network (SyncLive *live, SyncNetwork network)
{
  gboolean light = live->engine.light;
  gboolean changed = sync_gate_set_network (&live->gate, network);

  live->engine.light = sync_gate_is_light (&live->gate);
  if (live->gate.paused)
    return;
  if (sync_gate_state (&live->gate) != SYNC_GATE_OPEN) {
    live->engine.interrupted = TRUE;
    return;
  }
  if (live->status == SYNC_STATUS_OFFLINE)
    sync_gate_forget_failures (&live->gate);
  /* A connection of the old network may be dead and not know it: a LIST finds out. */
  if (changed)
    sync_poll_hurry (&live->poll);
  if (light && !live->engine.light && live->counts.waiting > 0)
    sync_live_sync (live, NULL, FALSE, NULL);
}

void
sync_live_sleep (SyncLive *live, gboolean sleeping)
{
  sync_gate_set_sleeping (&live->gate, sleeping);
  live->engine.interrupted |= sleeping;
}

void
sync_live_set_password (SyncLive *live, Side side, Password *password, gboolean locked)
{
  ServerSettings *server = live->config->server[side];

  live->password_answered[side] = TRUE;
  live->keyring_locked |= locked;
  if (password == NULL)
    return;
  password_unref (server->password);
  server->password = password_ref (password);
  /* It came unasked for: somebody unlocked the keyring or stored another one. */
  if (live->status == SYNC_STATUS_KEYRING_LOCKED || live->status == SYNC_STATUS_AUTH_FAILED)
    live->gate.kicked = TRUE;
}

GPtrArray *
sync_live_conflicts (SyncLive *live, GError **error)
{
  return sync_live_load_conflicts (&live->engine, error);
}

gboolean
sync_live_resolve (SyncLive *live, guint64 id, const char *choice, GError **error)
{
  gboolean again = FALSE, gone = FALSE;

  if (!sync_live_choose (&live->engine, id, choice, &again, &gone, error))
    return FALSE;
  if (gone)
    on_resolved (&live->engine, (gint64)id, live);
  if (again)
    sync_live_sync (live, NULL, FALSE, NULL);
  recount (live);
  tell (live);
  return TRUE;
}
