/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fuzz.h"
#include "imap/session.h"
#include "listener.h"
#include "script-transport.h"

#include <string.h>

/* A whole session against a server that says what the input has, in turns: see script-transport.h.
 * The session has to end with an error or without, each command has to be answered for once, and
 * all that the server hears has to be commands: also when names, flags, dates and messages of its
 * own go back to it, as they would go to another server. */

#define MAX_COMMANDS 24

typedef struct {
  guint64 body; /* bytes to come */
  guint asked, answered;
} Client;

static void
on_reply (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Client *client = data;

  g_assert_true (tagged != NULL || error != NULL);
  client->answered++;
}

static void
ask (ImapSession *session, Client *client, ImapCommand *command)
{
  client->asked++;
  imap_session_queue (session, command, on_reply, client, NULL);
}

static void
ask_select (ImapSession *session, Client *client, const char *mailbox)
{
  ImapCommand *command = imap_command_new ("SELECT");

  imap_command_astring (command, mailbox);
  ask (session, client, command);
}

static void
ask_flags (ImapSession *session, Client *client, const ImapFetch *fetch)
{
  ImapCommand *command = imap_command_new ("UID STORE");
  g_autoptr (UidSet) uids = uid_set_new ();
  g_autoptr (GString) flags = g_string_new (NULL);

  uid_set_add (uids, fetch->uid);
  for (gsize i = 0; i < fetch->n_flags; i++)
    g_string_append_printf (flags, "%s%s", i > 0 ? " " : "", fetch->flags[i]);
  imap_command_uids (command, uids);
  imap_command_raw (command, "+FLAGS.SILENT");
  imap_command_flags (command, flags->str);
  ask (session, client, command);
}

static void
ask_append (ImapSession *session, Client *client, const char *mailbox, const char *flags,
            gint64 date)
{
  ImapAppend *append = imap_session_append_begin (session, mailbox);

  client->asked++;
  imap_append_message (append, flags, date, 2, FALSE);
  imap_append_data (append, (const guint8 *)"\r\n", 2);
  imap_append_finish (append, on_reply, client, NULL);
}

static void
on_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  Client *client = data;

  if (client->asked >= MAX_COMMANDS)
    return;
  if (response->type == IMAP_RESPONSE_LIST)
    ask_select (session, client, response->list.mailbox);
  else if (response->type == IMAP_RESPONSE_STATUS)
    ask_append (session, client, response->status.mailbox, "", response->status.highestmodseq);
  else if (response->type == IMAP_RESPONSE_FETCH && response->fetch.uid > 0)
    ask_flags (session, client, &response->fetch);
  else if (response->type == IMAP_RESPONSE_FLAGS && response->n_words > 0)
    ask_append (session, client, "INBOX", response->words[0], 0);
  else if (response->type == IMAP_RESPONSE_EXISTS)
    imap_session_logout (session);
}

static void
on_body_begin (ImapSession *session, const ImapFetch *fetch, guint64 size, gpointer data)
{
  ((Client *)data)->body = size;
}

static void
on_body_data (ImapSession *session, const guint8 *bytes, gsize length, gpointer data)
{
  Client *client = data;

  g_assert_cmpuint (length, <=, client->body);
  client->body -= length;
}

static void
on_body_end (ImapSession *session, gpointer data)
{
  g_assert_cmpuint (((Client *)data)->body, ==, 0);
}

static void
ask_first (ImapSession *session, Client *client)
{
  static const char *const names[] = {"NOOP", "NAMESPACE", "CHECK"};

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    ask (session, client, imap_command_new (names[i]));
  ask_append (session, client, "INBOX", "\\Seen", 1);
  client->asked++;
  imap_session_idle (session, on_reply, client);
}

/* The first byte of the input. */
static ServerSettings *
settings_of (guint8 choice, ScriptOptions *options)
{
  ServerSettings *server = server_settings_new (SIDE_REMOTE);

  server->type = (choice & 3) == 2 ? SERVER_IMAPS : (choice & 3) == 3 ? SERVER_TUNNEL : SERVER_IMAP;
  server->starttls = (choice & 3) == 0;
  server->compress = (choice & 4) != 0;
  options->dribble = (choice & 8) != 0;
  options->slow = (choice & 16) != 0;
  if (server->type == SERVER_TUNNEL) {
    g_clear_pointer (&server->host, g_free);
    server->command = g_strdup ("tunnel");
  }
  server->username = g_strdup ("user");
  server->password = password_new ("secret");
  return server;
}

static ListenerMode
mode_of (const ServerSettings *server)
{
  if (server->type != SERVER_IMAP)
    return LISTENER_PRIVATE;
  return server->starttls ? LISTENER_BEFORE_TLS : LISTENER_EXPOSED;
}

/* What the server tells people is not for whoever waits for the fuzzer. */
static GLogWriterOutput
log_fatal (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  return level & G_LOG_LEVEL_ERROR ? g_log_writer_default (level, fields, n_fields, data)
                                   : G_LOG_WRITER_HANDLED;
}

static void
hush (void)
{
  static gboolean done;

  if (!done)
    g_log_set_writer_func (log_fatal, NULL, NULL);
  done = TRUE;
}

static void
run_to_the_end (ImapSession *session, GMainContext *context)
{
  while (imap_session_state (session) != IMAP_SESSION_CLOSED) {
    while (g_main_context_iteration (context, FALSE))
      ;
    if (imap_session_state (session) != IMAP_SESSION_CLOSED && !script_next_turn ())
      g_error ("the server has gone, and the session stays");
  }
}

/* What the server says itself may come back; in base64 too. */
static gboolean
knows_the_password (const uint8_t *data, size_t size)
{
  return memmem (data, size, "secret", 6) != NULL || memmem (data, size, "c2VjcmV0", 8) != NULL;
}

static void
check_error (const GError *error)
{
  if (error == NULL)
    return;
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strstr (error->message, "secret"));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const ImapReceiver receiver = {
      .untagged = on_untagged,
      .body_begin = on_body_begin,
      .body_data = on_body_data,
      .body_end = on_body_end,
  };
  ScriptOptions options;
  g_autoptr (ServerSettings) server = settings_of (size > 0 ? data[0] : 0, &options);
  g_autoptr (GMainContext) context = g_main_context_new ();
  ImapSession *session;
  Client client = {0};

  if (knows_the_password (data, size))
    return 0;
  hush ();
  g_main_context_push_thread_default (context);
  script_begin (data + MIN (size, 1), size - MIN (size, 1), &options);
  listener_begin (mode_of (server));
  session = imap_session_new (server, &receiver, &client);
  ask_first (session, &client);
  imap_session_connect (session);
  run_to_the_end (session, context);
  check_error (imap_session_error (session));
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (client.answered, ==, client.asked);
  imap_session_unref (session);
  listener_end ();
  script_end ();
  g_main_context_pop_thread_default (context);
  return 0;
}
