/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/idle.h"

#define FIRST_DELAY 30        /* seconds */
#define LAST_DELAY  (15 * 60) /* of a connection that did well for a while */
#define REFUSAL     (60 * 60) /* of one that the server did not want */
#define WHILE       60
/* Servers end IDLE after 30 minutes (RFC 2177), and routers forget sooner. */
#define RENEWAL (15 * 60)

struct _SyncIdle {
  SyncEngine *engine;
  Side side;
  char *name;
  char *wire;
  const SyncIdleFuncs *funcs;
  gpointer data;
  ImapSession *session; /* NULL: waits for the next try */
  GSource *timer;       /* of the next try, or of the renewal */
  gboolean begun;       /* the session was ready */
  gboolean looking;     /* EXAMINE is not answered */
  gboolean again;       /* and was asked for once more */
  gint64 opened;        /* monotonic, of the first EXAMINE; 0: it never came to that */
  guint failures;
  SyncIdleNumbers fresh, numbers;
};

static void connect_session (SyncIdle *idle);
static void examine (SyncIdle *idle);

/* --- time ------------------------------------------------------------------------------------ */

static void
set_timer (SyncIdle *idle, guint seconds)
{
  double jitter = g_random_double_range (0.8, 1);

  g_source_set_ready_time (idle->timer,
                           g_get_monotonic_time () + (gint64)(seconds * jitter * G_USEC_PER_SEC));
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  g_source_set_ready_time (source, -1);
  return callback (data);
}

static GSourceFuncs timer_funcs = {.dispatch = timer_dispatch};

static gboolean
on_timer (gpointer data)
{
  SyncIdle *idle = data;

  if (idle->session == NULL)
    connect_session (idle);
  else
    sync_idle_look (idle);
  return G_SOURCE_CONTINUE;
}

static GSource *
make_timer (SyncIdle *idle)
{
  GSource *timer = g_source_new (&timer_funcs, sizeof (GSource));

  g_source_set_callback (timer, on_timer, idle, NULL);
  g_source_attach (timer, idle->engine->context);
  return timer;
}

/* --- the connection -------------------------------------------------------------------------- */

/* Where the account's own connections stand, one that never came to its mailbox was not wanted:
 * most servers count. */
static guint
delay_of (SyncIdle *idle)
{
  if (idle->opened == 0)
    return REFUSAL;
  if (g_get_monotonic_time () - idle->opened > WHILE * G_USEC_PER_SEC)
    idle->failures = 0;
  return MIN (LAST_DELAY, FIRST_DELAY << MIN (idle->failures, 8));
}

static void
give_up_for_now (SyncIdle *idle, const GError *error)
{
  guint delay = delay_of (idle);

  g_info ("the connection that watches %s on the %s server ended, and is tried again in %u "
          "seconds: %s",
          idle->name, side_name (idle->side), delay,
          error != NULL ? error->message : "it was closed");
  idle->failures++;
  idle->opened = 0;
  idle->begun = idle->looking = FALSE;
  g_clear_pointer (&idle->session, imap_session_unref);
  set_timer (idle, delay);
}

/* The server has no use for it: LOGOUT, and that for long. */
static void
leave (SyncIdle *idle, const char *why)
{
  g_info ("%s on the %s server cannot be watched: %s", idle->name, side_name (idle->side), why);
  idle->opened = 0;
  imap_session_logout (idle->session);
}

static void
on_state_changed (ImapSession *session, gpointer data)
{
  SyncIdle *idle = data;

  if (session != idle->session)
    return;
  if (imap_session_state (session) == IMAP_SESSION_CLOSED) {
    give_up_for_now (idle, imap_session_error (session));
  } else if (imap_session_state (session) == IMAP_SESSION_READY && !idle->begun) {
    idle->begun = TRUE;
    examine (idle);
  }
}

static void
take_code (SyncIdle *idle, const ImapCode *code)
{
  if (code->type == IMAP_CODE_UIDVALIDITY)
    idle->fresh.uidvalidity = code->number;
  else if (code->type == IMAP_CODE_UIDNEXT)
    idle->fresh.uidnext = code->number;
  else if (code->type == IMAP_CODE_HIGHESTMODSEQ)
    idle->fresh.highestmodseq = code->number;
}

static void
on_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  SyncIdle *idle = data;
  gboolean change = response->type == IMAP_RESPONSE_EXISTS ||
                    response->type == IMAP_RESPONSE_FETCH ||
                    response->type == IMAP_RESPONSE_VANISHED;

  if (response->type == IMAP_RESPONSE_OK && idle->looking)
    take_code (idle, &response->code);
  else if (change && !idle->looking && idle->numbers.uidvalidity != 0)
    idle->funcs->changed (idle, response->type == IMAP_RESPONSE_FETCH ? response->fetch.modseq : 0,
                          idle->data);
}

static const ImapReceiver receiver = {
    .untagged = on_untagged,
    .state_changed = on_state_changed,
};

static void
connect_session (SyncIdle *idle)
{
  idle->session = imap_session_new (idle->engine->config->server[idle->side], &receiver, idle);
  imap_session_connect (idle->session);
}

/* --- the mailbox ----------------------------------------------------------------------------- */

static void
on_idle_ended (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  SyncIdle *idle = data;

  if (session == idle->session && tagged != NULL && (error != NULL || !idle->looking))
    leave (idle, error != NULL ? error->message : "the server ended IDLE by itself");
}

static void
on_examined (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  SyncIdle *idle = data;

  if (session != idle->session || tagged == NULL)
    return;
  idle->looking = FALSE;
  if (error != NULL) {
    leave (idle, error->message);
    return;
  }
  if (idle->opened == 0)
    idle->opened = g_get_monotonic_time ();
  idle->numbers = idle->fresh;
  set_timer (idle, RENEWAL);
  if (idle->again) {
    examine (idle);
    return;
  }
  imap_session_idle (session, on_idle_ended, idle);
  idle->funcs->looked (idle, idle->data);
}

static void
examine (SyncIdle *idle)
{
  ImapCommand *command = imap_command_new ("EXAMINE");

  imap_command_astring (command, idle->wire);
  idle->looking = TRUE;
  idle->again = FALSE;
  memset (&idle->fresh, 0, sizeof idle->fresh);
  imap_session_queue (idle->session, command, on_examined, idle, NULL);
}

void
sync_idle_look (SyncIdle *idle)
{
  if (idle->session == NULL || imap_session_state (idle->session) != IMAP_SESSION_READY)
    return;
  if (idle->looking)
    idle->again = TRUE;
  else
    examine (idle);
}

/* --- from outside ---------------------------------------------------------------------------- */

SyncIdle *
sync_idle_new (SyncEngine *engine, Side side, const char *name, const char *wire,
               const SyncIdleFuncs *funcs, gpointer data)
{
  SyncIdle *idle = g_new0 (SyncIdle, 1);

  idle->engine = engine;
  idle->side = side;
  idle->name = g_strdup (name);
  idle->wire = g_strdup (wire);
  idle->funcs = funcs;
  idle->data = data;
  idle->timer = make_timer (idle);
  connect_session (idle);
  return idle;
}

void
sync_idle_free (SyncIdle *idle)
{
  if (idle == NULL)
    return;
  g_source_destroy (idle->timer);
  g_source_unref (idle->timer);
  g_clear_pointer (&idle->session, imap_session_unref);
  g_free (idle->name);
  g_free (idle->wire);
  g_free (idle);
}

Side
sync_idle_side (const SyncIdle *idle)
{
  return idle->side;
}

const char *
sync_idle_name (const SyncIdle *idle)
{
  return idle->name;
}

const char *
sync_idle_wire (const SyncIdle *idle)
{
  return idle->wire;
}

const SyncIdleNumbers *
sync_idle_numbers (const SyncIdle *idle)
{
  return idle->numbers.uidvalidity != 0 ? &idle->numbers : NULL;
}
