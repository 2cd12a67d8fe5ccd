/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fuzz.h"
#include "imap/session.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A whole session, over a tunnel's pipe, against a server that says exactly the input, whatever we
 * say: it has to end with an error, or be ready, and never to send what is no command. */

static void
on_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  if (response->type == IMAP_RESPONSE_BYE)
    imap_session_close (session);
}

static void
on_body_begin (ImapSession *session, const ImapFetch *fetch, guint64 size, gpointer data)
{
  *(guint64 *)data = size;
}

static void
on_body_data (ImapSession *session, const guint8 *bytes, gsize length, gpointer data)
{
  guint64 *left = data;

  g_assert_cmpuint (length, <=, *left);
  *left -= length;
}

static void
on_body_end (ImapSession *session, gpointer data)
{
  g_assert_cmpuint (*(guint64 *)data, ==, 0);
}

static void
on_reply (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  guint *replies = data;

  g_assert_true (tagged != NULL || error != NULL);
  (*replies)++;
}

static void
queue_commands (ImapSession *session, guint *replies)
{
  static const char *const names[] = {"NOOP", "NAMESPACE", "CHECK"};
  ImapAppend *append;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    imap_session_queue (session, imap_command_new (names[i]), on_reply, replies, NULL);
  append = imap_session_append_begin (session, "INBOX");
  imap_append_message (append, "\\Seen", 1, 2, FALSE);
  imap_append_data (append, (const guint8 *)"hi", 2);
  imap_append_finish (append, on_reply, replies, NULL);
  imap_session_idle (session, on_reply, replies);
}

static char *
write_input (const uint8_t *data, size_t size, int *fd)
{
  char *path = g_strdup ("/tmp/imapsync-fuzz-XXXXXX");

  *fd = g_mkstemp (path);
  g_assert_cmpint (*fd, >=, 0);
  g_assert_cmpint (write (*fd, data, size), ==, (gssize)size);
  return path;
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
  g_autoptr (ServerSettings) server = server_settings_new (SIDE_REMOTE);
  g_autoptr (GMainContext) context = g_main_context_new ();
  ImapSession *session;
  guint64 left = 0;
  guint replies = 0;
  const guint expected = 5;
  int fd;
  g_autofree char *path = write_input (data, size, &fd);

  g_main_context_push_thread_default (context);
  server->type = SERVER_TUNNEL;
  server->command = g_strdup_printf ("exec cat %s", path);
  server->username = g_strdup ("user");
  server->password = g_strdup ("secret");
  server->timeout = 2;
  session = imap_session_new (server, &receiver, &left);
  queue_commands (session, &replies);
  imap_session_connect (session);
  while (imap_session_state (session) != IMAP_SESSION_CLOSED)
    g_main_context_iteration (context, TRUE);
  g_assert_cmpuint (replies, ==, expected);
  if (imap_session_error (session) != NULL) {
    g_assert_true (g_utf8_validate (imap_session_error (session)->message, -1, NULL));
    g_assert_null (strstr (imap_session_error (session)->message, "secret"));
  }
  imap_session_unref (session);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
  unlink (path);
  close (fd);
  return 0;
}
