/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOVECOT_IMAP "/usr/lib/dovecot/imap"
#define CAPS         "IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS LITERAL+"

static char *folder;

static void
start (Fixture *fixture, const char *command)
{
  fixture_init (fixture);
  fixture->server->type = SERVER_TUNNEL;
  fixture->server->command = g_strdup (command);
  fixture_start (fixture, NULL);
}

/* A shell script that plays the server; the first line says whether its input is a socket. */
static char *
write_script (const char *body)
{
  g_autofree char *path = g_build_filename (folder, "server.sh", NULL);

  g_assert_true (g_file_set_contents (path, body, -1, NULL));
  return g_strdup_printf ("/bin/sh %s", path);
}

static char *
read_file (const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char *contents = NULL;

  g_file_get_contents (path, &contents, NULL, NULL);
  g_unlink (path);
  return contents;
}

#define PLAY                                                                                       \
  "printf '* PREAUTH [CAPABILITY " CAPS "] hi\\r\\n'\n"                                            \
  "read line; printf '* ENABLED QRESYNC\\r\\na1 OK done\\r\\n'\n"

static void
test_socket_pair_is_tried_first (void)
{
  g_autofree char *command = NULL;
  g_autofree char *tries = NULL;
  g_autofree char *body = NULL;
  Fixture fixture;
  Reply reply = {0};

  body = g_strdup_printf ("test -S /dev/stdin && echo socket >>%s/tries\n" PLAY
                          "read line; printf 'a2 OK done\\r\\n'\n"
                          "read line; printf '* BYE bye\\r\\na3 OK done\\r\\n'\n",
                          folder);
  command = write_script (body);
  start (&fixture, command);
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &reply);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  imap_session_logout (fixture.session);
  run_until (fixture.closed > 0);
  g_assert_null (imap_session_error (fixture.session));
  tries = read_file ("tries");
  g_assert_cmpstr (tries, ==, "socket\n");
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
expect_pipes (const char *on_socket)
{
  g_autofree char *command = NULL;
  g_autofree char *tries = NULL;
  g_autofree char *body = NULL;
  Fixture fixture;

  body = g_strdup_printf ("echo try >>%s/tries\n"
                          "if test -S /dev/stdin; then %s; exit 0; fi\n" PLAY "read line\n",
                          folder, on_socket);
  command = write_script (body);
  start (&fixture, command);
  fixture_run_ready (&fixture);
  tries = read_file ("tries");
  g_assert_cmpstr (tries, ==, "try\ntry\n");
  fixture_clear (&fixture);
}

static void
test_pipes_where_a_socket_is_refused (void)
{
  expect_pipes ("printf '* BAD [ALERT] imap binary must not be started from inetd\\r\\n'");
  expect_pipes ("echo I want pipes");
  expect_pipes ("true");
  expect_pipes ("exit 3");
  expect_pipes ("printf '* BAD\\r\\n'; sleep 1");
}

static void
expect_error (const char *command, int code, const char *text)
{
  Fixture fixture;

  start (&fixture, command);
  fixture_run_error (&fixture, code, text);
  fixture_clear (&fixture);
}

static void
test_status_and_last_words_are_told (void)
{
  g_autofree char *tries = NULL;
  g_autofree char *body = NULL;

  expect_error ("echo one >&2; echo two >&2; exit 7", IMAPSYNC_ERROR_REFUSED,
                "ended with status 7: two");
  expect_error ("printf 'no newline' >&2; kill -9 $$", IMAPSYNC_ERROR_REFUSED,
                "was ended by signal 9: no newline");
  expect_error ("exec >&-; sleep 3", IMAPSYNC_ERROR_REFUSED, "closed its output");
  expect_error ("echo welcome; exec sleep 3", IMAPSYNC_ERROR_PROTOCOL, "welcome");

  /* Not run twice: a program that is not there will not be there over pipes. */
  body = g_strdup_printf ("echo try >>%s/tries; /no/such/program", folder);
  expect_error (body, IMAPSYNC_ERROR_REFUSED, "ended with status 127");
  tries = read_file ("tries");
  g_assert_cmpstr (tries, ==, "try\n");
}

static void
test_end_in_the_middle (void)
{
  g_autofree char *command = write_script (PLAY "read line; echo gone >&2; exit 5\n");
  Fixture fixture;
  Reply reply = {0};

  start (&fixture, command);
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &reply);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_REFUSED, "ended with status 5: gone");
  g_assert_error (reply.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static gboolean
is_alive (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int)pid);
  g_autofree char *stat = NULL;
  const char *state;

  if (!g_file_get_contents (path, &stat, NULL, NULL))
    return FALSE;
  state = strrchr (stat, ')');
  return state != NULL && state[2] != 'Z';
}

/* It neither reads its input nor listens to SIGTERM, and has a child of its own. */
static void
test_what_does_not_end_is_killed (void)
{
  g_autofree char *body = NULL;
  g_autofree char *command = NULL;
  g_autofree char *pids = NULL;
  g_auto (GStrv) lines = NULL;
  gint64 before;
  Fixture fixture;
  pid_t shell, child;

  body = g_strdup_printf (
      "trap '' TERM\nsleep 60 & echo $$ $! >%s/pids\n" PLAY "while :; do sleep 1; done\n", folder);
  command = write_script (body);
  start (&fixture, command);
  fixture_run_ready (&fixture);
  pids = read_file ("pids");
  lines = g_strsplit (pids, " ", -1);
  shell = atoi (lines[0]);
  child = atoi (lines[1]);
  g_assert_true (is_alive (shell) && is_alive (child));

  before = g_get_monotonic_time ();
  imap_session_close (fixture.session);
  run_until (fixture.closed > 0);
  g_assert_cmpint (g_get_monotonic_time () - before, <, G_USEC_PER_SEC);
  run_until (!is_alive (shell) && !is_alive (child));
  fixture_clear (&fixture);
}

static void
test_much_on_standard_error (void)
{
  g_autofree char *command = write_script (
      PLAY "read line; i=0; while [ $i -lt 20000 ]; do echo a line of chatter $i >&2; i=$((i+1)); "
           "done\nprintf 'a2 OK done\\r\\n'; read line; exit 4\n");
  Fixture fixture;
  Reply reply = {0};

  start (&fixture, command);
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &reply);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  reply_clear (&reply);
  queue (&fixture, "NOOP", &reply);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_REFUSED, "status 4: a line of chatter 19999");
  reply_clear (&reply);
  fixture_clear (&fixture);
}

/* A private Dovecot, without any daemon. (transfer full) */
static char *
dovecot_command (void)
{
  g_autofree char *home = g_build_filename (folder, "home", NULL);
  g_autofree char *conf = g_build_filename (folder, "dovecot.conf", NULL);
  g_autofree char *text = NULL;
  const struct passwd *nobody = getuid () == 0 ? getpwnam ("nobody") : NULL;

  g_assert_cmpint (g_mkdir_with_parents (home, 0755), ==, 0);
  text = g_strdup_printf ("mail_location = maildir:~/Maildir\nssl = no\nprotocols = imap\n%s",
                          nobody != NULL ? "mail_uid = nobody\nmail_gid = nogroup\n"
                                           "first_valid_uid = 1\n"
                                         : "");
  if (nobody != NULL) {
    g_assert_cmpint (chmod (folder, 0755), ==, 0);
    g_assert_cmpint (chown (home, nobody->pw_uid, nobody->pw_gid), ==, 0);
  }
  g_assert_true (g_file_set_contents (conf, text, -1, NULL));
  return g_strdup_printf ("exec env -i PATH=/usr/bin:/bin HOME=%s USER=me " DOVECOT_IMAP " -c %s",
                          home, conf);
}

static void
test_dovecot (void)
{
  static const char text[] = "Subject: one\r\n\r\nbody\r\n";
  g_autofree char *command = NULL;
  Fixture fixture;
  Reply append = {0}, select = {0}, fetch = {0};
  ImapAppend *message;

  if (!g_file_test (DOVECOT_IMAP, G_FILE_TEST_IS_EXECUTABLE)) {
    g_test_skip ("no Dovecot");
    return;
  }
  command = dovecot_command ();
  start (&fixture, command);
  fixture_run_ready (&fixture);
  g_assert_true (imap_session_has (fixture.session, IMAP_CAP_X_GUID));
  g_assert_true (imap_session_has (fixture.session, IMAP_CAP_NOTIFY | IMAP_CAP_MULTIAPPEND));

  message = imap_session_append_begin (fixture.session, "INBOX");
  for (int i = 0; i < 2; i++) {
    imap_append_message (message, "\\Seen", 1000000000, strlen (text), FALSE);
    imap_append_data (message, (const guint8 *)text, strlen (text));
  }
  imap_append_finish (message, on_reply, &append, on_reply_destroyed);
  queue (&fixture, "SELECT INBOX", &select);
  queue (&fixture, "UID FETCH 2 (FLAGS BODY.PEEK[])", &fetch);
  run_until (fetch.calls > 0);
  g_assert_no_error (append.error);
  g_assert_cmpint (append.code, ==, IMAP_CODE_APPENDUID);
  g_assert_no_error (select.error);
  g_assert_cmpint (select.code, ==, IMAP_CODE_READ_WRITE);
  g_assert_no_error (fetch.error);
  g_assert_cmpuint (fixture.body_bytes, ==, strlen (text));
  reply_clear (&append);
  reply_clear (&select);
  reply_clear (&fetch);
  imap_session_logout (fixture.session);
  run_until (fixture.closed > 0);
  g_assert_null (imap_session_error (fixture.session));
  fixture_clear (&fixture);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir =
      g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);

    remove_tree (child);
  }
  g_remove (path);
}

static void
drop_log (const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  g_log_set_handler ("imapsync-imap", G_LOG_LEVEL_DEBUG, drop_log, NULL);
  folder = g_dir_make_tmp ("imapsync-tunnel-XXXXXX", NULL);
  g_test_add_func ("/tunnel/socket-pair-is-tried-first", test_socket_pair_is_tried_first);
  g_test_add_func ("/tunnel/pipes-where-a-socket-is-refused", test_pipes_where_a_socket_is_refused);
  g_test_add_func ("/tunnel/status-and-last-words-are-told", test_status_and_last_words_are_told);
  g_test_add_func ("/tunnel/end-in-the-middle", test_end_in_the_middle);
  g_test_add_func ("/tunnel/what-does-not-end-is-killed", test_what_does_not_end_is_killed);
  g_test_add_func ("/tunnel/much-on-standard-error", test_much_on_standard_error);
  g_test_add_func ("/tunnel/dovecot", test_dovecot);
  status = g_test_run ();
  remove_tree (folder);
  g_free (folder);
  return status;
}
