/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "effect.h"
#include "imap/session-private.h"

#include <string.h>

#define BUFFER_SIZE      (128 * 1024)
#define DISPATCH_BYTES   (256 * 1024) /* so that neither direction starves the other */
#define MAX_IN_FLIGHT    1000
#define MAX_BYTES_FLIGHT (256 * 1024)
#define LAST_WORDS_US    (1 * G_USEC_PER_SEC)
#define MAX_FOREIGN_TEXT 300

static gint trace_on;

void
imap_session_set_trace (gboolean on)
{
  g_atomic_int_set (&trace_on, on);
}

gboolean
session_is_traced (void)
{
  return g_atomic_int_get (&trace_on);
}

void
session_trace (ImapSession *session, char direction, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (!session_is_traced ())
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_debug ("%s %c: %s", side_name (session->server->side), direction, text);
}

void
session_put (ImapSession *session, const void *bytes, gsize length)
{
  output_add (session->output, bytes, length);
  session_mark_full (session);
  session_schedule (session);
}

void
session_put_secret (ImapSession *session, const void *bytes, gsize length)
{
  output_add_secret (session->output, bytes, length);
  session_mark_full (session);
  session_schedule (session);
}

/* From next_piece on, up to the next literal that has to be asked for. */
static void
send_pieces (ImapSession *session, Entry *entry)
{
  const gboolean literal_plus = imap_session_has (session, IMAP_CAP_LITERAL_PLUS);
  const gsize n = imap_command_n_pieces (entry->command);
  void (*const put) (ImapSession *, const void *, gsize) =
      imap_command_is_secret (entry->command) ? session_put_secret : session_put;

  do {
    g_autoptr (GBytes) piece =
        imap_command_piece (entry->command, entry->next_piece++, literal_plus);

    put (session, g_bytes_get_data (piece, NULL), g_bytes_get_size (piece));
    entry->bytes += g_bytes_get_size (piece);
    session->bytes_in_flight += g_bytes_get_size (piece);
  } while (entry->next_piece < n && literal_plus);

  if (entry->next_piece < n)
    session->plus = entry;
  else
    session_put (session, "\r\n", 2);
}

void
session_send (ImapSession *session, Entry *entry)
{
  char tag[16];

  entry->number = ++session->last_number;
  g_queue_push_tail (&session->sent, entry);
  g_hash_table_insert (session->tags, GUINT_TO_POINTER (entry->number), session->sent.tail);
  g_snprintf (tag, sizeof tag, "a%u ", entry->number);
  session_put (session, tag, strlen (tag));

  if (entry->kind == ENTRY_APPEND) {
    session->append = entry->append;
    append_start (entry->append);
    return;
  }
  if (session_is_traced ()) {
    g_autofree char *text = imap_command_describe (entry->command);

    session_trace (session, 'C', "%s%s", tag, text);
  }
  send_pieces (session, entry);
  if (entry->kind == ENTRY_IDLE || entry->kind == ENTRY_LOGOUT)
    session->exclusive = entry;
  if (entry->kind == ENTRY_IDLE)
    session->plus = entry;
  EFFECT ("command", session_write_all (session));
}

/* When a command may go out:
 * - an APPEND whose bytes still come, and a command that waits for "+", own the line;
 * - nothing goes behind IDLE, as servers take the next line for its DONE, nor behind LOGOUT;
 * - those two wait until everything before them is answered;
 * - the rest is limited by what is unanswered, which bounds our memory and the server's. */
static gboolean
may_send (const ImapSession *session, const Entry *entry)
{
  if (session->append != NULL || session->plus != NULL || session->exclusive != NULL)
    return FALSE;
  if (entry->kind == ENTRY_IDLE || entry->kind == ENTRY_LOGOUT)
    return session->sent.length == 0;
  return session->sent.length == 0 ||
         (session->sent.length < MAX_IN_FLIGHT && session->bytes_in_flight < MAX_BYTES_FLIGHT);
}

static void
end_idle (ImapSession *session)
{
  Entry *idle = session->exclusive;

  if (idle == NULL || !idle->idling || idle->done_sent ||
      (!idle->done_wanted && session->waiting.length == 0))
    return;
  idle->done_sent = TRUE;
  session_trace (session, 'C', "DONE");
  session_put (session, "DONE\r\n", 6);
}

static void
send_waiting (ImapSession *session)
{
  Entry *entry;

  if (session->state != IMAP_SESSION_READY)
    return;
  while ((entry = g_queue_peek_head (&session->waiting)) != NULL && may_send (session, entry))
    session_send (session, g_queue_pop_head (&session->waiting));
  end_idle (session);
}

static gboolean
on_writable (GObject *stream, gpointer data)
{
  ImapSession *session = data;

  g_clear_pointer (&session->write_source, g_source_unref);
  /* A full socket that has room again shows that the peer takes what we send. */
  session->last_activity = g_get_monotonic_time ();
  session_hold (session);
  session_pump_wire (session);
  session_release (session);
  return G_SOURCE_REMOVE;
}

static void
watch_output (ImapSession *session)
{
  session->write_source = transport_write_source (session->transport);
  g_source_set_callback (session->write_source, G_SOURCE_FUNC (on_writable), session, NULL);
  g_source_attach (session->write_source, session->context);
}

/* The server may have said why before it hung up. */
static void
write_failed (ImapSession *session, GError *error)
{
  if (session->read_source == NULL) {
    session_fail (session, error);
    return;
  }
  session->write_error = error;
  g_source_set_ready_time (session->timer, g_get_monotonic_time () + LAST_WORDS_US);
}

static void
write_output (ImapSession *session)
{
  gsize budget = DISPATCH_BYTES;
  const guint8 *bytes;
  gsize length;

  while (budget > 0 && (bytes = output_head (session->output, &length)) != NULL) {
    GError *error = NULL;
    gssize n = transport_write (session->transport, bytes, length, &error);

    if (n < 0) {
      if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
        write_failed (session, error);
        return;
      }
      g_error_free (error);
      watch_output (session);
      return;
    }
    session->bytes_written += n;
    output_advance (session->output, n);
    budget -= MIN (budget, (gsize)n);
  }
  if (output_size (session->output) > 0)
    session_schedule (session);
}

#ifdef IMAPSYNC_TEST_EFFECTS
void
session_write_all (ImapSession *session)
{
  for (guint tries = 0; output_size (session->output) > 0 && tries < 200; tries++) {
    write_output (session);
    g_usleep (1000);
  }
}
#endif

/* LOGOUT is the last word: everything else is answered, and a server's BYE is worth no round trip.
 * A tunnel's end is waited for, so that no program of ours is left behind. */
static gboolean
has_left (const ImapSession *session)
{
  return session_is_leaving (session) && server_type_is_network (session->server->type) &&
         session->sent.length == 1 && output_size (session->output) == 0 &&
         session->write_error == NULL;
}

void
session_pump_wire (ImapSession *session)
{
  if (!session->io_open || !session_is_live (session))
    return;
  send_waiting (session);
  if (session->write_source == NULL && session->write_error == NULL)
    write_output (session);
  if (session->ending)
    return;
  if (has_left (session)) {
    session_fail (session, NULL);
    return;
  }
  session_update_timer (session);
  if (session->full && imap_session_unsent (session) < IMAP_SESSION_HIGH_WATER / 2) {
    session->full = FALSE;
    if (session->receiver->drained != NULL)
      session->receiver->drained (session, session->receiver_data);
  }
}

static void
on_bye (ImapSession *session, const ImapResponse *response)
{
  if (session_is_leaving (session))
    return;
  session_fail_printf (session, IMAPSYNC_ERROR_REFUSED, "the server said goodbye: %.*s",
                       MAX_FOREIGN_TEXT, response->text != NULL ? response->text : "");
}

static void
on_continuation (ImapSession *session, const ImapResponse *response)
{
  Entry *entry = g_steal_pointer (&session->plus);

  if (entry == NULL) {
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server asks for more (\"+\") though nothing was announced");
    return;
  }
  switch (entry->kind) {
  case ENTRY_LOGIN:
    if (entry->next_piece < imap_command_n_pieces (entry->command))
      send_pieces (session, entry);
    else
      login_continue (session, entry, response->text);
    break;
  case ENTRY_IDLE:
    entry->idling = TRUE;
    break;
  case ENTRY_APPEND:
    append_continue (entry->append);
    break;
  case ENTRY_COMMAND:
  case ENTRY_LOGOUT:
    send_pieces (session, entry);
    break;
  }
}

static void
on_untagged (ImapSession *session, const ImapResponse *response)
{
  const char *const *words = response->words;

  if (response->type == IMAP_RESPONSE_CAPABILITY)
    login_set_capabilities (session, words, response->n_words);
  if (session->state == IMAP_SESSION_CONNECTING || response->type == IMAP_RESPONSE_ENABLED ||
      response->type == IMAP_RESPONSE_OTHER) {
    login_untagged (session, response);
    return;
  }
  if (response->type == IMAP_RESPONSE_BYE)
    on_bye (session, response);
  else if (response->type == IMAP_RESPONSE_BAD)
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server did not understand a command: %.*s", MAX_FOREIGN_TEXT,
                         response->text != NULL ? response->text : "");
  else if (session->receiver->untagged != NULL)
    session->receiver->untagged (session, response, session->receiver_data);
}

static GList *
find_tag (ImapSession *session, const char *tag)
{
  guint64 number;

  if (tag[0] != 'a' || !g_ascii_isdigit (tag[1]) ||
      !g_ascii_string_to_unsigned (tag + 1, 10, 1, G_MAXUINT, &number, NULL))
    return NULL;
  return g_hash_table_lookup (session->tags, GUINT_TO_POINTER ((guint)number));
}

static void
forget_sent (ImapSession *session, Entry *entry, GList *link)
{
  g_hash_table_remove (session->tags, GUINT_TO_POINTER (entry->number));
  g_queue_delete_link (&session->sent, link);
  session->bytes_in_flight -= entry->bytes;
  if (session->exclusive == entry)
    session->exclusive = NULL;
  if (session->plus == entry)
    session->plus = NULL;
}

/* TRUE for an OK to something that we have not said to its end. */
static gboolean
is_premature (const ImapSession *session, const Entry *entry, const ImapResponse *response)
{
  if (response->type != IMAP_RESPONSE_OK)
    return FALSE;
  /* Until the login is done nothing is pipelined: what still waits to be written is this command.
   */
  if (session->login < LOGIN_DONE && output_size (session->output) > 0)
    return TRUE;
  if (entry->append != NULL)
    return !append_is_whole (entry->append);
  return session->plus == entry && entry->next_piece < imap_command_n_pieces (entry->command);
}

/* APPEND: a flag that the server cannot parse is the fault of that one message. */
static gboolean
may_be_bad (const Entry *entry)
{
  return entry->kind == ENTRY_LOGIN || entry->kind == ENTRY_APPEND ||
         imap_command_bad_allowed (entry->command);
}

static void
on_tagged (ImapSession *session, const ImapResponse *response)
{
  GList *link = find_tag (session, response->tag);
  Entry *entry;
  gboolean premature;

  EFFECT ("reply", );
  if (link == NULL) {
    if (!login_try_pipes (session))
      session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                           "the server answered \"%.40s\", which nobody asked", response->tag);
    return;
  }
  entry = link->data;
  /* Whoever gets an answer may rely on what READY promises. */
  if (entry->kind != ENTRY_LOGIN && !session->qresync_enabled) {
    g_autofree char *what = entry_describe (entry);

    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server answered \"%s\" before it enabled QRESYNC", what);
    return;
  }
  premature = is_premature (session, entry, response);
  if (premature || (response->type == IMAP_RESPONSE_BAD && !may_be_bad (entry))) {
    g_autofree char *what = entry_describe (entry);

    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL, "the server answered %s to \"%s\": %.*s",
                         premature ? "OK before the end" : "BAD", what, MAX_FOREIGN_TEXT,
                         response->text != NULL ? response->text : "");
    return;
  }

  if (response->type == IMAP_RESPONSE_OK && response->code.type == IMAP_CODE_CAPABILITY)
    login_set_capabilities (session, response->words, response->n_words);
  if (entry->append != NULL && !append_is_whole (entry->append) &&
      append_refused (entry->append, response)) {
    forget_sent (session, entry, link);
    return;
  }
  forget_sent (session, entry, link);
  if (entry->kind == ENTRY_LOGIN) {
    entry->step (session, response);
    entry_free (entry);
  } else if (entry->kind == ENTRY_LOGOUT) {
    entry_free (entry);
    session_fail (session, NULL);
  } else {
    session_complete (session, entry, response);
  }
}

static void
trace_response (ImapSession *session, const ImapResponse *response)
{
  const char *line = imap_parser_line (session->parser);

  if (session->auth != NULL && response->tag == NULL &&
      response->type == IMAP_RESPONSE_CONTINUATION && imap_auth_hides_challenges (session->auth))
    line = "+ ***";
  else if (login_shown (session, line) == NULL)
    line = "***";
  session_trace (session, 'S', "%s", line);
}

/* RFC 9051, section 7.1: to be shown to the user. Not what comes where TLS is still to begin, from
 * whoever sits in between. */
static void
show_alert (ImapSession *session, const ImapResponse *response)
{
  const ServerSettings *server = session->server;

  if (server->type == SERVER_IMAP && server->starttls &&
      !transport_is_encrypted (session->transport))
    return;
  if (response->text != NULL && login_shown (session, response->text) != NULL)
    g_warning ("%s: the server says: %.*s", session->name, MAX_FOREIGN_TEXT, response->text);
}

static void
on_response (ImapSession *session, const ImapResponse *response)
{
  if (session_is_traced ())
    trace_response (session, response);
  if (response->code.type == IMAP_CODE_ALERT && response->type != IMAP_RESPONSE_BAD)
    show_alert (session, response);
  if (response->tag != NULL)
    on_tagged (session, response);
  else if (response->type == IMAP_RESPONSE_CONTINUATION)
    on_continuation (session, response);
  else
    on_untagged (session, response);
}

static void
on_body (ImapSession *session, ImapParserEvent event, const ImapParserOutput *out)
{
  const ImapReceiver *receiver = session->receiver;

  if (session->state != IMAP_SESSION_READY)
    return;
  if (event == IMAP_PARSER_BODY_BEGIN && receiver->body_begin != NULL)
    receiver->body_begin (session, &out->response.fetch, out->body_size, session->receiver_data);
  else if (event == IMAP_PARSER_BODY_DATA && receiver->body_data != NULL)
    receiver->body_data (session, out->data, out->length, session->receiver_data);
  else if (event == IMAP_PARSER_BODY_END && receiver->body_end != NULL)
    receiver->body_end (session, session->receiver_data);
}

static void
consume (ImapSession *session, const guint8 *bytes, gsize length)
{
  const guint epoch = session->epoch;

  while (session_is_live (session) && session->epoch == epoch) {
    g_autoptr (GError) error = NULL;
    ImapParserOutput out;
    gsize consumed;
    ImapParserEvent event =
        imap_parser_next (session->parser, bytes, length, &consumed, &out, &error);

    bytes += consumed;
    length -= consumed;
    session->unparsed = length;
    switch (event) {
    case IMAP_PARSER_MORE:
      return;
    case IMAP_PARSER_RESPONSE:
      on_response (session, &out.response);
      break;
    case IMAP_PARSER_BODY_BEGIN:
    case IMAP_PARSER_BODY_DATA:
    case IMAP_PARSER_BODY_END:
      on_body (session, event, &out);
      break;
    case IMAP_PARSER_ERROR:
      if (!login_try_pipes (session))
        session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL, "%c%s",
                             g_ascii_tolower (error->message[0]), error->message + 1);
      return;
    }
  }
}

static void
on_explained (Transport *transport, const GError *error, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  if (!login_broken_off (session) && !login_try_pipes (session))
    session_fail (session, g_error_copy (error));
  session_release (session);
}

static void
on_end_of_file (ImapSession *session)
{
  if (session_is_leaving (session)) {
    session_fail (session, NULL);
    return;
  }
  session_close_io (session);
  g_source_set_ready_time (session->timer, -1);
  transport_explain_end (session->transport, on_explained, session);
}

static void
on_broken_read (ImapSession *session, GError *error)
{
  if (session_is_leaving (session))
    g_clear_error (&error);
  session_fail (session, error);
}

static void
read_input (ImapSession *session)
{
  const guint epoch = session->epoch;
  gsize budget = DISPATCH_BYTES;

  while (budget > 0 && session_is_live (session) && session->epoch == epoch &&
         session->paused == 0) {
    GError *error = NULL;
    gssize n = transport_read (session->transport, session->buffer, BUFFER_SIZE, &error);

    if (n < 0) {
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        g_error_free (error);
      else
        on_broken_read (session, error);
      return;
    }
    if (n == 0) {
      on_end_of_file (session);
      return;
    }
    session->filled = n;
    session->bytes_read += n;
    session->last_activity = g_get_monotonic_time ();
    budget -= MIN (budget, (gsize)n);
    consume (session, session->buffer, n);
  }
}

static gboolean
on_readable (GObject *stream, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  read_input (session);
  session_pump_wire (session);
  session_release (session);
  return G_SOURCE_CONTINUE;
}

void
session_watch_input (ImapSession *session)
{
  if (!session->io_open || session->paused > 0 || session->read_source != NULL)
    return;
  session->read_source = transport_read_source (session->transport);
  g_source_set_callback (session->read_source, G_SOURCE_FUNC (on_readable), session, NULL);
  /* It does not; but a source that may is not taken off the poll for each call, and put back with
   * two more system calls. */
  g_source_set_can_recurse (session->read_source, TRUE);
  g_source_attach (session->read_source, session->context);
}

void
session_open_io (ImapSession *session)
{
  if (session->buffer == NULL)
    session->buffer = g_malloc (BUFFER_SIZE);
  g_clear_pointer (&session->parser, imap_parser_free);
  session->parser = imap_parser_new (NULL);
  session->io_open = TRUE;
  session_watch_input (session);
}

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

void
session_close_io (ImapSession *session)
{
  session->io_open = FALSE;
  session->epoch++;
  destroy_source (&session->read_source);
  destroy_source (&session->write_source);
}
