/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/session-private.h"

#include <string.h>

#define MAX_DESCRIPTION 120
#define OVERSLEPT_US    (200 * G_TIME_SPAN_MILLISECOND)
#define NUDGE_US        (1 * G_USEC_PER_SEC)

/* A source that runs when its ready time says so, and is put to sleep by running. */
typedef struct {
  GSource source;
  gint64 late; /* microseconds: how long after its time it runs */
} ReadySource;

static gboolean
ready_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  ((ReadySource *)source)->late = g_get_monotonic_time () - g_source_get_ready_time (source);
  g_source_set_ready_time (source, -1);
  return callback (data);
}

static GSourceFuncs ready_funcs = {.dispatch = ready_dispatch};

static GSource *
ready_source_new (GMainContext *context, GSourceFunc callback, gpointer data)
{
  GSource *source = g_source_new (&ready_funcs, sizeof (ReadySource));

  g_source_set_callback (source, callback, data, NULL);
  g_source_attach (source, context);
  return source;
}

/* A source that runs in the next iteration after it was asked to. A ready time would do too, but
 * each change of one wakes up the context, with a system call, although it is our own thread's. */
typedef struct {
  GSource source;
  gboolean due;
} DueSource;

static gboolean
due_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return ((DueSource *)source)->due;
}

static gboolean
due_check (GSource *source)
{
  return ((DueSource *)source)->due;
}

static gboolean
due_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  ((DueSource *)source)->due = FALSE;
  return callback (data);
}

static GSourceFuncs due_funcs = {due_prepare, due_check, due_dispatch, NULL, NULL, NULL};

static GSource *
due_source_new (GMainContext *context, GSourceFunc callback, gpointer data)
{
  GSource *source = g_source_new (&due_funcs, sizeof (DueSource));

  g_source_set_callback (source, callback, data, NULL);
  g_source_attach (source, context);
  return source;
}

Entry *
entry_new (EntryKind kind, ImapCommand *command)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->kind = kind;
  entry->command = command;
  return entry;
}

void
entry_free (Entry *entry)
{
  if (entry->destroy != NULL)
    entry->destroy (entry->data);
  imap_command_free (entry->command);
  if (entry->reply != NULL) {
    g_free ((char *)entry->reply->text);
    g_free ((char *)entry->reply->code.name);
    g_free (entry->reply);
  }
  g_clear_pointer (&entry->append, append_unref);
  g_free (entry);
}

char *
entry_describe (const Entry *entry)
{
  char *text = entry->append != NULL ? append_describe (entry->append)
                                     : imap_command_describe (entry->command);

  if (strlen (text) > MAX_DESCRIPTION)
    strcpy (text + MAX_DESCRIPTION - 3, "...");
  return text;
}

static GError *
refusal (ImapSession *session, const Entry *entry, const ImapResponse *tagged)
{
  g_autofree char *what = entry_describe (entry);
  const char *code = tagged->code.name;

  return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND, "%s: refused \"%s\": %s%s%s%s",
                      session->name, what, code != NULL ? "[" : "", code != NULL ? code : "",
                      code != NULL ? "] " : "", tagged->text != NULL ? tagged->text : "");
}

void
session_complete (ImapSession *session, Entry *entry, const ImapResponse *tagged)
{
  g_autoptr (GError) no = NULL;

  if (tagged != NULL && tagged->type != IMAP_RESPONSE_OK)
    no = refusal (session, entry, tagged);
  if (entry->completion != NULL && session->refs > session->holds)
    entry->completion (session, tagged, tagged != NULL ? no : session->end_error, entry->data);
  entry_free (entry);
}

/* Everything that is still open is told, in the order in which it was queued. */
static void
session_finish (ImapSession *session)
{
  Entry *entry;

  session->state = IMAP_SESSION_CLOSED;
  session->plus = session->exclusive = NULL;
  session->append = NULL;
  while ((entry = g_queue_pop_head (&session->sent)) != NULL ||
         (entry = g_queue_pop_head (&session->waiting)) != NULL) {
    if (entry->append != NULL && !append_is_finished (entry->append))
      append_cut (entry->append);
    session_complete (session, entry, NULL);
  }
  g_hash_table_remove_all (session->tags);
  if (session->refs > session->holds && session->receiver->state_changed != NULL)
    session->receiver->state_changed (session, session->receiver_data);
}

static void
session_call_late (ImapSession *session)
{
  GQueue late = session->late;
  Entry *entry;

  g_queue_init (&session->late);
  while ((entry = g_queue_pop_head (&late)) != NULL)
    session_complete (session, entry, entry->reply);
}

static gboolean
on_pump (gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  if (session->state != IMAP_SESSION_CLOSED && session->ending)
    session_finish (session);
  session_call_late (session);
  if (session_is_live (session)) {
    if (session->login == LOGIN_CONNECTING && session->transport == NULL &&
        login_has_password (session))
      login_connect (session);
    session_pump_wire (session);
  }
  session_release (session);
  return G_SOURCE_CONTINUE;
}

/* The server owes us something: answers, or taking what we write. While an APPEND waits for its
 * next bytes, or an IDLE for something to happen, it is right to be silent. */
static gboolean
session_is_owed (const ImapSession *session)
{
  guint owed = session->sent.length;

  if (session->state != IMAP_SESSION_READY || !session->io_open || session->paused > 0)
    return FALSE;
  if (output_size (session->output) > 0)
    return TRUE;
  if (session->append != NULL && (session->plus == NULL || session->plus->append == NULL))
    owed--;
  if (session->exclusive != NULL && session->exclusive->idling && !session->exclusive->done_sent)
    owed--;
  return owed > 0;
}

static gint64
session_timeout (const ImapSession *session)
{
  return (gint64)MAX (session->server->timeout, 1) * G_USEC_PER_SEC;
}

/* How long to wait for the next look at a silent server. */
static gint64
session_patience (const ImapSession *session)
{
  gint64 timeout = session_timeout (session);

  return transport_is_compressed (session->transport) ? MIN (timeout, NUDGE_US) : timeout;
}

void
session_update_timer (ImapSession *session)
{
  gboolean owed = session_is_owed (session);

  if (session->state != IMAP_SESSION_READY || session->write_error != NULL ||
      owed == session->silence_counts)
    return;
  session->silence_counts = owed;
  session->last_activity = g_get_monotonic_time ();
  session->unconfirmed = 0;
  g_source_set_ready_time (session->timer,
                           owed ? session->last_activity + session_patience (session) : -1);
}

void
session_set_stage (ImapSession *session, const char *stage)
{
  session->stage = stage;
  session->silence_counts = FALSE;
  g_source_set_ready_time (
      session->timer, stage != NULL ? g_get_monotonic_time () + session_timeout (session) : -1);
}

/* A large buffer in our kernel may take longer than the timeout to reach a server behind a slow
 * line, which has nothing to say until then: as long as it shrinks, all is well. */
static gboolean
session_confirms (ImapSession *session, gint64 now)
{
  const gsize before = session->unconfirmed;
  const gsize left = transport_unconfirmed (session->transport);

  session->unconfirmed = left;
  if (left < before) {
    session->last_activity = now;
    g_source_set_ready_time (session->timer, now + session_timeout (session));
    return TRUE;
  }
  if (before == 0 && left > 0) {
    g_source_set_ready_time (session->timer, now + session_timeout (session) / 4);
    return TRUE;
  }
  return FALSE;
}

/* A tunnel that hangs may have said why: "Passphrase:". (transfer full) */
static char *
session_last_words (const ImapSession *session)
{
  g_autofree char *words =
      session->transport != NULL ? transport_last_words (session->transport) : NULL;

  return words != NULL ? g_strconcat (": ", words, NULL) : g_strdup ("");
}

/* Cyrus (3.6.1) looks for its next command on the socket, though some may be left in what it has
 * not inflated yet: of many that come in one piece the last can stay there until it hears something
 * else. So it does, once for each silence. */
static void
session_nudge (ImapSession *session, gint64 now)
{
  if (!transport_is_compressed (session->transport) || session->nudged_at == session->bytes_read ||
      now - session->last_activity < session_patience (session) || session->sent.length == 0 ||
      output_size (session->output) > 0 || session->append != NULL || session->plus != NULL ||
      session->exclusive != NULL)
    return;
  session->nudged_at = session->bytes_read;
  session_send (session, entry_new (ENTRY_COMMAND, imap_command_new ("NOOP")));
}

static void
session_check_silence (ImapSession *session)
{
  gint64 now = g_get_monotonic_time ();
  gint64 due = session->last_activity + session_timeout (session);
  const Entry *first = g_queue_peek_head (&session->sent);
  g_autofree char *what = NULL;
  g_autofree char *words = NULL;

  if (now < due) {
    session->unconfirmed = 0;
    session_nudge (session, now);
    g_source_set_ready_time (session->timer, MIN (due, now + session_patience (session)));
    return;
  }
  if (session_confirms (session, now))
    return;
  if (session_is_leaving (session)) {
    session_fail (session, NULL);
    return;
  }
  what = first != NULL ? entry_describe (first) : g_strdup ("what was sent");
  words = session_last_words (session);
  session_fail_printf (session, IMAPSYNC_ERROR_TIMEOUT, "no answer to \"%s\" for %u seconds%s",
                       what, session->server->timeout, words);
}

static void
session_is_late (ImapSession *session)
{
  g_autofree char *words = session_last_words (session);

  session_fail_printf (session, IMAPSYNC_ERROR_TIMEOUT, "no %s within %u seconds%s", session->stage,
                       session->server->timeout, words);
}

/* It is us who did not run: a machine that stood still, a disk that took its time. What the server
 * said may be waiting to be read, or it stood still too. */
static gboolean
session_overslept (ImapSession *session)
{
  if (((ReadySource *)session->timer)->late < OVERSLEPT_US)
    return FALSE;
  session->last_activity = g_get_monotonic_time ();
  g_source_set_ready_time (session->timer, session->last_activity + session_timeout (session));
  return TRUE;
}

static gboolean
on_timer (gpointer data)
{
  ImapSession *session = data;

  if (session->ending || session_overslept (session))
    return G_SOURCE_CONTINUE;
  if (session->write_error != NULL)
    session_fail (session, g_steal_pointer (&session->write_error));
  else if (session->state == IMAP_SESSION_CONNECTING)
    session_is_late (session);
  else
    session_check_silence (session);
  return G_SOURCE_CONTINUE;
}

ImapSession *
imap_session_new (const ServerSettings *server, const ImapReceiver *receiver,
                  gpointer receiver_data)
{
  ImapSession *session = g_new0 (ImapSession, 1);

  session->refs = 1;
  session->context = g_main_context_ref_thread_default ();
  session->server = server_settings_copy (server);
  session->name = server_settings_describe (server);
  session->receiver = receiver;
  session->receiver_data = receiver_data;
  session->output = output_new ();
  session->auth_names = g_string_new (NULL);
  session->capability_words = g_string_new (NULL);
  session->tags = g_hash_table_new (NULL, NULL);
  session->appends = g_ptr_array_new ();
  g_queue_init (&session->waiting);
  g_queue_init (&session->sent);
  g_queue_init (&session->late);
  session->pump = due_source_new (session->context, on_pump, session);
  session->timer = ready_source_new (session->context, on_timer, session);
  return session;
}

ImapSession *
imap_session_ref (ImapSession *session)
{
  session->refs++;
  return session;
}

static void
session_destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
entry_free_data (gpointer data)
{
  entry_free (data);
}

static void
session_free (ImapSession *session)
{
  session_close_io (session);
  g_clear_pointer (&session->transport, transport_close);
  session_destroy_source (&session->pump);
  session_destroy_source (&session->timer);
  for (guint i = 0; i < session->appends->len; i++)
    append_forget_session (g_ptr_array_index (session->appends, i));
  g_ptr_array_unref (session->appends);
  g_queue_clear_full (&session->sent, entry_free_data);
  g_queue_clear_full (&session->waiting, entry_free_data);
  g_queue_clear_full (&session->late, entry_free_data);
  g_hash_table_unref (session->tags);
  g_clear_pointer (&session->parser, imap_parser_free);
  g_clear_pointer (&session->password_command, password_command_free);
  login_forget_secrets (session);
  g_string_free (session->auth_names, TRUE);
  g_string_free (session->capability_words, TRUE);
  g_clear_object (&session->certificate);
  output_free (session->output);
  g_free (session->buffer);
  g_free (session->bye);
  g_clear_error (&session->write_error);
  g_clear_error (&session->end_error);
  g_clear_error (&session->error);
  g_free (session->name);
  server_settings_free (session->server);
  g_main_context_unref (session->context);
  g_free (session);
}

void
imap_session_unref (ImapSession *session)
{
  if (--session->refs == 0)
    session_free (session);
}

void
session_hold (ImapSession *session)
{
  session->refs++;
  session->holds++;
}

void
session_release (ImapSession *session)
{
  session->holds--;
  imap_session_unref (session);
}

gboolean
session_is_live (const ImapSession *session)
{
  return !session->ending && session->refs > session->holds;
}

gboolean
session_is_leaving (const ImapSession *session)
{
  return session->exclusive != NULL && session->exclusive->kind == ENTRY_LOGOUT;
}

void
session_schedule (ImapSession *session)
{
  ((DueSource *)session->pump)->due = TRUE;
}

void
session_fail (ImapSession *session, GError *error)
{
  if (session->ending) {
    g_clear_error (&error);
    return;
  }
  session->ending = TRUE;
  session->error = error;
  session->end_error = error != NULL ? g_error_copy (error)
                                     : g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                                    "%s: the connection was closed", session->name);
  session_close_io (session);
  login_forget_secrets (session);
  g_clear_pointer (&session->password_command, password_command_free);
  g_clear_pointer (&session->transport, transport_close);
  g_source_set_ready_time (session->timer, -1);
  session_schedule (session);
}

void
session_fail_printf (ImapSession *session, ImapsyncError code, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *valid = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  /* A server's words may have been cut in the middle of a character. */
  valid = g_utf8_make_valid (login_shown (session, text) != NULL
                                 ? text
                                 : "what the server says is not shown, as it repeats the password",
                             -1);
  session_fail (session, g_error_new (IMAPSYNC_ERROR, code, "%s: %s", session->name, valid));
}

void
session_set_state (ImapSession *session, ImapSessionState state)
{
  session->state = state;
  if (session->receiver->state_changed != NULL)
    session->receiver->state_changed (session, session->receiver_data);
}

void
imap_session_connect (ImapSession *session)
{
  g_return_if_fail (session->login == LOGIN_NOT_STARTED);

  session->login = LOGIN_CONNECTING;
  session_schedule (session);
}

ImapSessionState
imap_session_state (ImapSession *session)
{
  return session->state;
}

const GError *
imap_session_error (ImapSession *session)
{
  return session->error;
}

const char *
imap_session_capability_words (ImapSession *session)
{
  return session->capability_words->str;
}

GTlsCertificate *
imap_session_certificate (ImapSession *session, GTlsProtocolVersion *version)
{
  *version = session->tls_version;
  return session->certificate;
}

Side
imap_session_side (ImapSession *session)
{
  return session->server->side;
}

gboolean
imap_session_has (ImapSession *session, ImapCapability capability)
{
  return (session->capabilities & capability) == capability;
}

static void
session_enqueue (ImapSession *session, Entry *entry)
{
  g_queue_push_tail (session->state == IMAP_SESSION_CLOSED ? &session->late : &session->waiting,
                     entry);
  session_schedule (session);
}

void
imap_session_queue (ImapSession *session, ImapCommand *command, ImapCompletion completion,
                    gpointer data, GDestroyNotify destroy)
{
  Entry *entry = entry_new (ENTRY_COMMAND, command);

  entry->completion = completion;
  entry->data = data;
  entry->destroy = destroy;
  session_enqueue (session, entry);
}

void
imap_session_idle (ImapSession *session, ImapCompletion completion, gpointer data)
{
  Entry *entry = entry_new (ENTRY_IDLE, imap_command_new ("IDLE"));

  entry->completion = completion;
  entry->data = data;
  session_enqueue (session, entry);
}

void
imap_session_idle_done (ImapSession *session)
{
  for (GList *l = session->waiting.head; l != NULL; l = l->next) {
    Entry *entry = l->data;

    entry->done_wanted = entry->kind == ENTRY_IDLE;
  }
  if (session->exclusive != NULL)
    session->exclusive->done_wanted = TRUE;
  session_schedule (session);
}

gsize
imap_session_unsent (ImapSession *session)
{
  return output_size (session->output) + session->held;
}

void
session_mark_full (ImapSession *session)
{
  if (imap_session_unsent (session) >= IMAP_SESSION_HIGH_WATER / 2)
    session->full = TRUE;
}

guint
imap_session_in_flight (ImapSession *session)
{
  return session->waiting.length +
         (session->state == IMAP_SESSION_READY ? session->sent.length : 0);
}

void
imap_session_pause_reading (ImapSession *session)
{
  if (session->paused++ > 0)
    return;
  session_destroy_source (&session->read_source);
  session_update_timer (session);
}

void
imap_session_resume_reading (ImapSession *session)
{
  g_return_if_fail (session->paused > 0);

  if (--session->paused > 0)
    return;
  session_watch_input (session);
  session_update_timer (session);
}

guint64
imap_session_bytes_read (ImapSession *session)
{
  return session->bytes_read;
}

guint64
imap_session_bytes_written (ImapSession *session)
{
  return session->bytes_written;
}

void
imap_session_logout (ImapSession *session)
{
  if (session->login == LOGIN_NOT_STARTED || session->ending)
    session_fail (session, NULL);
  else
    session_enqueue (session, entry_new (ENTRY_LOGOUT, imap_command_new ("LOGOUT")));
}

void
imap_session_close (ImapSession *session)
{
  session_fail (session, NULL);
}

void
imap_session_abort (ImapSession *session, GError *error)
{
  session_fail (session, error);
}
