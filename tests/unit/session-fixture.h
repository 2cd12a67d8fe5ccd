/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/session.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A scripted server in a thread of its own on a free loopback port, and a session whose events are
 * written down. The script is lines:
 *   S: text          sends the line
 *   S- text          sends it without CRLF; "|" stands for LF
 *   C: text          expects exactly this line
 *   BYTES n          reads n bytes
 *   FLOOD tag n      writes n bytes as the body of a FETCH, and the tagged OK, before it reads on
 *   TLS              becomes a TLS server
 *   TLS-REFUSED      the same, but the client must not like it
 *   WAIT ms
 *   EOF              expects the end of the client's bytes
 *   CUT              ends the connection below TLS
 *   NEXT             closes, and takes the next connection
 * At its end the connection is closed. */
typedef struct {
  const char *script;
  GTlsCertificate *certificate;
  GSocketListener *listener;
  guint16 port;
  GThread *thread;
  GCancellable *cancellable;
  int receive_buffer;
  gboolean any_end; /* the client may go away at any time */
  char *failure;
  gint done;   /* atomic */
  GMutex lock; /* protects: */
  guint64 bytes_sent;
} Script;

typedef struct {
  GIOStream *stream;
  GDataInputStream *input;
} Peer;

static inline void
peer_open (Peer *peer, GIOStream *stream)
{
  peer->stream = stream;
  peer->input = g_data_input_stream_new (g_io_stream_get_input_stream (stream));
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (peer->input), FALSE);
  g_data_input_stream_set_newline_type (peer->input, G_DATA_STREAM_NEWLINE_TYPE_CR_LF);
}

static inline void
peer_close (Peer *peer)
{
  g_clear_object (&peer->input);
  if (peer->stream != NULL)
    g_io_stream_close (peer->stream, NULL, NULL);
  g_clear_object (&peer->stream);
}

static inline gboolean
peer_send (Peer *peer, const char *text, gsize length, GError **error)
{
  return g_output_stream_write_all (g_io_stream_get_output_stream (peer->stream), text, length,
                                    NULL, NULL, error);
}

static inline gboolean
peer_expect (Script *script, Peer *peer, const char *expected, GError **error)
{
  g_autofree char *line = g_data_input_stream_read_line (peer->input, NULL, NULL, error);

  if (line != NULL && strcmp (line, expected) == 0)
    return TRUE;
  script->failure =
      g_strdup_printf ("expected \"%s\", got \"%s\"", expected, line != NULL ? line : "(end)");
  return FALSE;
}

static inline gboolean
peer_flood (Script *script, Peer *peer, const char *arguments, GError **error)
{
  char tag[20];
  guint64 size;
  g_autofree char *head = NULL;
  g_autofree char *tail = NULL;
  g_autofree char *block = g_malloc (65536);
  gboolean ok;

  g_assert_cmpint (sscanf (arguments, "%19s %" G_GUINT64_FORMAT, tag, &size), ==, 2);
  head = g_strdup_printf ("* 1 FETCH (UID 1 BODY[] {%" G_GUINT64_FORMAT "}\r\n", size);
  tail = g_strdup_printf (")\r\n%s OK done\r\n", tag);
  memset (block, 'x', 65536);
  ok = peer_send (peer, head, strlen (head), error);
  while (ok && size > 0) {
    gsize part = MIN (size, 65536);

    ok = peer_send (peer, block, part, error);
    size -= part;
    g_mutex_lock (&script->lock);
    script->bytes_sent += part;
    g_mutex_unlock (&script->lock);
  }
  return ok && peer_send (peer, tail, strlen (tail), error);
}

static inline gboolean
peer_start_tls (Script *script, Peer *peer, GError **error)
{
  GIOStream *tls = g_tls_server_connection_new (peer->stream, script->certificate, error);

  if (tls == NULL)
    return FALSE;
  g_clear_object (&peer->input);
  g_clear_object (&peer->stream);
  peer_open (peer, tls);
  return g_tls_connection_handshake (G_TLS_CONNECTION (tls), NULL, error);
}

static inline gboolean
peer_next (Script *script, Peer *peer, GError **error)
{
  GSocketConnection *connection;

  peer_close (peer);
  connection = g_socket_listener_accept (script->listener, NULL, script->cancellable, error);
  if (connection == NULL)
    return FALSE;
  g_socket_set_timeout (g_socket_connection_get_socket (connection), 20);
  if (script->receive_buffer != 0)
    g_socket_set_option (g_socket_connection_get_socket (connection), SOL_SOCKET, SO_RCVBUF,
                         script->receive_buffer, NULL);
  peer_open (peer, G_IO_STREAM (connection));
  return TRUE;
}

static inline gboolean
peer_step (Script *script, Peer *peer, const char *step, GError **error)
{
  g_autofree char *line = NULL;
  gssize skipped;
  char byte;

  if (g_str_has_prefix (step, "S: ")) {
    line = g_strconcat (step + 3, "\r\n", NULL);
    return peer_send (peer, line, strlen (line), error);
  }
  if (g_str_has_prefix (step, "S- ")) {
    line = g_strdelimit (g_strdup (step + 3), "|", '\n');
    return peer_send (peer, line, strlen (line), error);
  }
  if (g_str_has_prefix (step, "C: "))
    return peer_expect (script, peer, step + 3, error);
  if (g_str_has_prefix (step, "BYTES ")) {
    for (guint64 n = g_ascii_strtoull (step + 6, NULL, 10); n > 0; n -= skipped) {
      skipped = g_input_stream_skip (G_INPUT_STREAM (peer->input), n, NULL, error);
      if (skipped <= 0)
        return FALSE;
    }
    return TRUE;
  }
  if (g_str_has_prefix (step, "FLOOD "))
    return peer_flood (script, peer, step + 6, error);
  if (g_str_has_prefix (step, "WAIT ")) {
    g_usleep (g_ascii_strtoull (step + 5, NULL, 10) * 1000);
    return TRUE;
  }
  if (strcmp (step, "TLS") == 0)
    return peer_start_tls (script, peer, error);
  if (strcmp (step, "TLS-REFUSED") == 0) {
    if (peer_start_tls (script, peer, NULL))
      script->failure = g_strdup ("the client accepted this certificate");
    return script->failure == NULL;
  }
  if (strcmp (step, "CUT") == 0) {
    g_autoptr (GIOStream) base = NULL;

    g_object_get (peer->stream, "base-io-stream", &base, NULL);
    return g_socket_shutdown (g_socket_connection_get_socket (G_SOCKET_CONNECTION (base)), FALSE,
                              TRUE, error);
  }
  if (strcmp (step, "NEXT") == 0)
    return peer_next (script, peer, error);
  if (strcmp (step, "EOF") == 0) {
    gssize n = g_input_stream_read (G_INPUT_STREAM (peer->input), &byte, 1, NULL, NULL);

    if (n > 0)
      script->failure = g_strdup_printf ("expected nothing more, got '%c'...", byte);
    return n <= 0;
  }
  g_error ("no step: %s", step);
}

static inline gpointer
script_thread (gpointer data)
{
  Script *script = data;
  g_auto (GStrv) steps = g_strsplit (script->script, "\n", -1);
  g_autoptr (GError) error = NULL;
  Peer peer = {NULL, NULL};
  gboolean ok = peer_next (script, &peer, &error);

  for (char **step = steps; ok && *step != NULL; step++) {
    if (**step == '\0')
      continue;
    ok = peer_step (script, &peer, *step, &error);
    if (!ok && script->failure == NULL)
      script->failure =
          g_strdup_printf ("at \"%s\": %s", *step, error != NULL ? error->message : "end of file");
  }
  if (!ok && script->failure == NULL)
    script->failure = g_strdup (error != NULL ? error->message : "failed");
  peer_close (&peer);
  g_atomic_int_set (&script->done, TRUE);
  return NULL;
}

static inline void
script_start (Script *script, const char *text)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) error = NULL;

  script->script = text;
  script->listener = g_socket_listener_new ();
  script->cancellable = g_cancellable_new ();
  g_mutex_init (&script->lock);
  g_socket_listener_add_address (script->listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP,
                                 NULL, &bound, &error);
  g_assert_no_error (error);
  script->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  script->thread = g_thread_new ("script", script_thread, script);
}

static inline guint64
script_bytes_sent (Script *script)
{
  guint64 n;

  g_mutex_lock (&script->lock);
  n = script->bytes_sent;
  g_mutex_unlock (&script->lock);
  return n;
}

/* The answer to one command. */
typedef struct {
  guint calls;
  gboolean tagged;
  ImapCodeType code;
  char *text;
  GError *error;
  guint destroyed;
  guint order;
} Reply;

typedef struct _Fixture Fixture;
struct _Fixture {
  Script script;
  ServerSettings *server;
  ImapReceiver receiver;
  ImapSession *session;
  GString *events; /* untagged responses and states, one letter or word each */
  guint64 body_bytes;
  guint64 body_size;
  guint drained;
  guint closed;
  guint replies;
  void (*on_untagged) (Fixture *fixture, const ImapResponse *response);
  void (*on_body) (Fixture *fixture, gsize length);
};

static inline void
fixture_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  Fixture *fixture = data;

  switch (response->type) {
  case IMAP_RESPONSE_EXISTS:
    g_string_append_printf (fixture->events, "exists %u\n", response->number);
    break;
  case IMAP_RESPONSE_FETCH:
    g_string_append_printf (fixture->events, "fetch %u\n", response->fetch.uid);
    break;
  default:
    g_string_append_printf (fixture->events, "%s%s\n",
                            response->type == IMAP_RESPONSE_OK ? "ok " : "other ",
                            response->text != NULL ? response->text : "");
  }
  if (fixture->on_untagged != NULL)
    fixture->on_untagged (fixture, response);
}

static inline void
fixture_body_begin (ImapSession *session, const ImapFetch *fetch, guint64 size, gpointer data)
{
  Fixture *fixture = data;

  fixture->body_size = size;
}

static inline void
fixture_body_data (ImapSession *session, const guint8 *bytes, gsize length, gpointer data)
{
  Fixture *fixture = data;

  fixture->body_bytes += length;
  if (fixture->on_body != NULL)
    fixture->on_body (fixture, length);
}

static inline void
fixture_body_end (ImapSession *session, gpointer data)
{
  Fixture *fixture = data;

  g_string_append_printf (fixture->events, "body\n");
}

static inline void
fixture_drained (ImapSession *session, gpointer data)
{
  Fixture *fixture = data;

  fixture->drained++;
}

static inline void
fixture_state (ImapSession *session, gpointer data)
{
  Fixture *fixture = data;

  fixture->closed += imap_session_state (session) == IMAP_SESSION_CLOSED;
}

static inline void
fixture_init (Fixture *fixture)
{
  memset (fixture, 0, sizeof *fixture);
  fixture->server = server_settings_new (SIDE_REMOTE);
  fixture->server->type = SERVER_IMAP;
  fixture->server->starttls = FALSE;
  fixture->server->username = g_strdup ("user");
  fixture->server->password = password_new ("secret");
  fixture->server->timeout = 20;
  g_free (fixture->server->host);
  fixture->server->host = g_strdup ("127.0.0.1");
  fixture->events = g_string_new (NULL);
  fixture->receiver = (ImapReceiver){
      .untagged = fixture_untagged,
      .body_begin = fixture_body_begin,
      .body_data = fixture_body_data,
      .body_end = fixture_body_end,
      .drained = fixture_drained,
      .state_changed = fixture_state,
  };
}

static inline void
fixture_start (Fixture *fixture, const char *text)
{
  if (text != NULL) {
    script_start (&fixture->script, text);
    fixture->server->port = fixture->script.port;
  }
  fixture->session = imap_session_new (fixture->server, &fixture->receiver, fixture);
  imap_session_connect (fixture->session);
}

/* Runs the context until @condition is true; fails after 30 s. */
#define run_until(condition)                                                                       \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 give_up_ = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;                               \
    guint wake_ = g_timeout_add (50, fixture_tick, NULL);                                          \
    while (!(condition)) {                                                                         \
      if (g_get_monotonic_time () > give_up_)                                                      \
        g_error ("%s:%d: never came: %s", __FILE__, __LINE__, #condition);                         \
      g_main_context_iteration (NULL, TRUE);                                                       \
    }                                                                                              \
    g_source_remove (wake_);                                                                       \
  }                                                                                                \
  G_STMT_END

static inline gboolean
fixture_tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static inline void
fixture_run_ready (Fixture *fixture)
{
  /* READY comes before the answers to ID and ENABLE, which it is ready after. */
  run_until (imap_session_state (fixture->session) != IMAP_SESSION_CONNECTING &&
             imap_session_in_flight (fixture->session) == 0);
  g_assert_no_error (imap_session_error (fixture->session));
  g_assert_cmpint (imap_session_state (fixture->session), ==, IMAP_SESSION_READY);
}

/* Runs to the end, which has to be this error; its message has to have @text. */
static inline void
fixture_run_error (Fixture *fixture, int code, const char *text)
{
  const GError *error;

  run_until (fixture->closed > 0);
  error = imap_session_error (fixture->session);
  g_assert_error (error, IMAPSYNC_ERROR, code);
  g_test_message ("%s", error->message);
  if (strstr (error->message, text) == NULL)
    g_error ("expected \"...%s...\", got \"%s\"", text, error->message);
  g_assert_null (strstr (error->message, "secret"));
}

static inline void
fixture_clear (Fixture *fixture)
{
  Script *script = &fixture->script;

  if (fixture->session != NULL) {
    imap_session_close (fixture->session);
    imap_session_unref (fixture->session);
  }
  for (int i = 0; i < 50 && g_main_context_iteration (NULL, FALSE); i++)
    ;
  if (script->thread != NULL) {
    if (script->any_end)
      g_cancellable_cancel (script->cancellable);
    /* A handshake that was given up closes its socket from the context. */
    run_until (g_atomic_int_get (&script->done));
    g_thread_join (script->thread);
    g_socket_listener_close (script->listener);
    g_clear_object (&script->listener);
    g_mutex_clear (&script->lock);
    g_clear_object (&script->cancellable);
    if (script->failure != NULL && !script->any_end)
      g_error ("the server: %s", script->failure);
    g_free (script->failure);
  }
  g_clear_object (&script->certificate);
  g_string_free (fixture->events, TRUE);
  server_settings_free (fixture->server);
}

static guint reply_order;

static inline void
on_reply (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Reply *reply = data;

  reply->calls++;
  reply->order = ++reply_order;
  reply->tagged = tagged != NULL;
  if (tagged != NULL) {
    reply->code = tagged->code.type;
    reply->text = g_strdup (tagged->text);
  }
  reply->error = error != NULL ? g_error_copy (error) : NULL;
}

static inline void
on_reply_destroyed (gpointer data)
{
  Reply *reply = data;

  reply->destroyed++;
}

static inline void
reply_clear (Reply *reply)
{
  g_assert_cmpuint (reply->destroyed, ==, reply->calls);
  g_clear_error (&reply->error);
  g_clear_pointer (&reply->text, g_free);
  memset (reply, 0, sizeof *reply);
}

static inline void
queue (Fixture *fixture, const char *name, Reply *reply)
{
  imap_session_queue (fixture->session, imap_command_new (name), on_reply, reply,
                      on_reply_destroyed);
}
