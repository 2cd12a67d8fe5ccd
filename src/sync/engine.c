/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/engine.h"

void
sync_mailbox_free (SyncMailbox *mailbox)
{
  if (mailbox == NULL)
    return;
  g_free (mailbox->name);
  g_free (mailbox->display);
  store_mailbox_free (mailbox->saved);
  g_clear_pointer (&mailbox->matches, g_array_unref);
  g_clear_pointer (&mailbox->intents, g_ptr_array_unref);
  g_clear_pointer (&mailbox->holds, g_ptr_array_unref);
  g_clear_pointer (&mailbox->pairs, g_array_unref);
  g_clear_pointer (&mailbox->plan, sync_plan_free);
  for (Side side = 0; side < N_SIDES; side++) {
    g_free (mailbox->side[side].wire);
    g_clear_pointer (&mailbox->due[side], uid_set_free);
    g_clear_pointer (&mailbox->side[side].delta, sync_delta_free);
    for (guint i = 0; i < G_N_ELEMENTS (mailbox->side[side].planned); i++)
      g_clear_pointer (&mailbox->side[side].planned[i], uid_set_free);
  }
  g_free (mailbox);
}

/* Why the run cannot go on; FALSE when it can. */
static gboolean
engine_failed (SyncEngine *engine, GError **error)
{
  if (engine->fatal != NULL) {
    g_propagate_error (error, g_error_copy (engine->fatal));
    return TRUE;
  }
  if (engine->stopping || engine->interrupted) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "stopped");
    return TRUE;
  }
  for (Side side = 0; side < N_SIDES; side++) {
    ImapSession *session = engine->peer[side] != NULL ? engine->peer[side]->session : NULL;

    if (session == NULL || imap_session_state (session) != IMAP_SESSION_CLOSED)
      continue;
    if (imap_session_error (session) != NULL)
      g_propagate_error (error, g_error_copy (imap_session_error (session)));
    else
      g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                   "the connection to the %s server is closed", side_name (side));
    return TRUE;
  }
  return FALSE;
}

gboolean
sync_check (SyncEngine *engine, GError **error)
{
  return !engine_failed (engine, error);
}

gboolean
sync_check_store (SyncEngine *engine, GError **error)
{
  if (engine->fatal == NULL)
    return TRUE;
  if (error != NULL && *error == NULL)
    g_propagate_error (error, g_error_copy (engine->fatal));
  return FALSE;
}

static void
close_sessions (SyncEngine *engine)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (engine->peer[side] != NULL)
      imap_session_close (engine->peer[side]->session);
  }
}

gboolean
sync_wait (SyncWait *wait, GError **error)
{
  SyncEngine *engine = wait->engine;
  g_autoptr (GError) ended = NULL;
  gboolean failed = FALSE;

  while (wait->pending > 0) {
    /* What one session cannot answer any more the other must not be waited for: every completion
     * points into what the caller is about to free, so all of them have to come in first. */
    if (!failed && engine_failed (engine, &ended)) {
      failed = TRUE;
      close_sessions (engine);
    }
    g_main_context_iteration (engine->context, TRUE);
  }
  if (!failed)
    failed = engine_failed (engine, &ended);
  if (failed)
    close_sessions (engine);
  if (wait->error != NULL && !failed) {
    failed = TRUE;
    ended = g_error_copy (wait->error);
  }
  g_clear_error (&wait->error);
  if (failed)
    g_propagate_error (error, g_steal_pointer (&ended));
  return !failed;
}

static gboolean
on_deadline (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

gboolean
sync_wait_until (SyncEngine *engine, gint64 deadline, GError **error)
{
  g_autoptr (GSource) source = g_timeout_source_new (0);
  gboolean over = FALSE, failed = FALSE;

  g_source_set_ready_time (source, deadline);
  g_source_set_callback (source, on_deadline, &over, NULL);
  g_source_attach (source, engine->context);
  while (!over && !(failed = engine_failed (engine, error)))
    g_main_context_iteration (engine->context, TRUE);
  g_source_destroy (source);
  return !failed;
}
