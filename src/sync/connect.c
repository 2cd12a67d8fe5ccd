/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/connect.h"

void
sync_iterate_until (SyncEngine *engine, gint64 deadline)
{
  g_autoptr (GSource) timer = NULL;

  if (deadline > 0) {
    timer = g_timeout_source_new (0);
    g_source_set_ready_time (timer, deadline);
    g_source_set_dummy_callback (timer);
    g_source_attach (timer, engine->context);
  }
  g_main_context_iteration (engine->context, TRUE);
  if (timer != NULL)
    g_source_destroy (timer);
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

gboolean
sync_connect_both (SyncEngine *engine, GError **error)
{
  engine->phase = "connect";
  if (engine->progress != NULL)
    engine->progress (engine, engine->progress_data);
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

static gboolean
is_closed (SyncEngine *engine, Side side)
{
  return engine->peer[side] == NULL ||
         imap_session_state (engine->peer[side]->session) == IMAP_SESSION_CLOSED;
}

void
sync_disconnect_both (SyncEngine *engine)
{
  gint64 deadline = g_get_monotonic_time () + G_TIME_SPAN_SECOND;

  for (Side side = 0; side < N_SIDES; side++) {
    ImapSession *session = engine->peer[side] != NULL ? engine->peer[side]->session : NULL;

    if (session == NULL)
      continue;
    if (imap_session_state (session) == IMAP_SESSION_READY && !engine->stopping)
      imap_session_logout (session);
    else
      imap_session_close (session);
  }
  while (!(is_closed (engine, SIDE_LOCAL) && is_closed (engine, SIDE_REMOTE)) &&
         g_get_monotonic_time () < deadline)
    sync_iterate_until (engine, deadline);
  for (Side side = 0; side < N_SIDES; side++) {
    if (engine->peer[side] != NULL)
      imap_session_close (engine->peer[side]->session);
  }
  /* What the sessions still have to say to nobody. */
  while (g_main_context_iteration (engine->context, FALSE))
    ;
  for (Side side = 0; side < N_SIDES; side++)
    g_clear_pointer (&engine->peer[side], sync_peer_free);
}
