/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-fixture.h"

#define NEEDED  "IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS IDLE "
#define CAPS    NEEDED "SASL-IR LITERAL+ MULTIAPPEND UNSELECT AUTH=PLAIN"
#define ENABLED "C: a1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: a1 OK done\n"
#define PREAUTH "S: * PREAUTH [CAPABILITY " CAPS "] hi\n" ENABLED
#define SLOW    "S: * PREAUTH [CAPABILITY " NEEDED "] hi\n" ENABLED

static void
expect_ready (const char *script)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_start (&fixture, script);
  fixture_run_ready (&fixture);
  fixture_clear (&fixture);
}

static void
expect_error (const char *script, int code, const char *text)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_start (&fixture, script);
  fixture_run_error (&fixture, code, text);
  fixture_clear (&fixture);
}

static void
test_login_with_initial_response (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_start (&fixture, "S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE AUTH=PLAIN] hello\n"
                           "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                           "S: a1 OK [CAPABILITY " CAPS " ID] in\n"
                           "C: a2 ID NIL\n"
                           "C: a3 ENABLE QRESYNC\n"
                           "S: * ID (\"name\" \"Dovecot\")\n"
                           "S: * ENABLED QRESYNC\n"
                           "S: a3 OK done\n"
                           "S: a2 OK done\n"
                           "EOF");
  fixture_run_ready (&fixture);
  g_assert_true (imap_session_has (fixture.session, IMAP_CAP_X_GUID));
  g_assert_true (imap_session_has (fixture.session, IMAP_CAP_CONDSTORE | IMAP_CAP_LITERAL_PLUS));
  g_assert_false (imap_session_has (fixture.session, IMAP_CAP_NOTIFY));
  g_assert_cmpstr (fixture.events->str, ==, "");
  fixture_clear (&fixture);
}

static void
test_login_forms (void)
{
  g_test_message ("PLAIN with a continuation; capabilities asked for before and after");
  expect_ready ("S: * OK hello\n"
                "C: a1 CAPABILITY\n"
                "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN\n"
                "S: a1 OK done\n"
                "C: a2 AUTHENTICATE PLAIN\n"
                "S: + \n"
                "C: AHVzZXIAc2VjcmV0\n"
                "S: a2 OK in\n"
                "C: a3 CAPABILITY\n"
                "S: * CAPABILITY " CAPS "\n"
                "S: a3 OK done\n"
                "C: a4 ENABLE QRESYNC\n"
                "S: * ENABLED QRESYNC CONDSTORE\n"
                "S: a4 OK done\nEOF");
  g_test_message ("LOGIN, the only one offered; capabilities untagged before the OK");
  expect_ready ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=CRAM-MD5 AUTH=LOGIN] hello\n"
                "C: a1 AUTHENTICATE LOGIN\n"
                "S: + VXNlcm5hbWU6\n"
                "C: dXNlcg==\n"
                "S: + UGFzc3dvcmQ6\n"
                "C: c2VjcmV0\n"
                "S: * CAPABILITY LOGINDISABLED " CAPS "\n"
                "S: a1 OK in\n"
                "C: a2 ENABLE QRESYNC\n"
                "S: * ENABLED QRESYNC\n"
                "S: a2 OK done\nEOF");
  g_test_message ("a short list in the greeting");
  expect_ready ("S: * OK [CAPABILITY IMAP4rev1 ID] hello\n"
                "C: a1 CAPABILITY\n"
                "S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\n"
                "S: a1 OK done\n"
                "C: a2 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                "S: a2 OK [CAPABILITY " CAPS "] in\n"
                "C: a3 ENABLE QRESYNC\n"
                "S: * ENABLED QRESYNC\n"
                "S: a3 OK done\nEOF");
  g_test_message ("PREAUTH");
  expect_ready (PREAUTH "EOF");
}

static void
test_greeting_errors (void)
{
  expect_error ("S: * BYE too busy\n", IMAPSYNC_ERROR_REFUSED, "too busy");
  expect_error ("S: HTTP/1.1 400 Bad Request\n", IMAPSYNC_ERROR_PROTOCOL, "127.0.0.1");
  expect_error ("S: * NO go away\n", IMAPSYNC_ERROR_PROTOCOL, "go away");
  expect_error ("S: a1 OK what\n", IMAPSYNC_ERROR_PROTOCOL, "a1");
  expect_error ("WAIT 1\n", IMAPSYNC_ERROR_REFUSED, "ended the connection");
}

static void
test_missing_capabilities_are_named (void)
{
  expect_error ("S: * PREAUTH [CAPABILITY IMAP4rev1 ENABLE CONDSTORE LIST-STATUS UIDPLUS] hi\nEOF",
                IMAPSYNC_ERROR_CAPABILITY, "QRESYNC, LIST-EXTENDED");
  expect_error ("S: * PREAUTH [CAPABILITY " CAPS "] hi\n"
                "C: a1 ENABLE QRESYNC\nS: * ENABLED\nS: a1 OK done\nEOF",
                IMAPSYNC_ERROR_CAPABILITY, "QRESYNC");
}

static void
test_login_is_tried_once (void)
{
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                "S: a1 NO [AUTHENTICATIONFAILED] Wrong password.\nEOF",
                IMAPSYNC_ERROR_AUTH, "[AUTHENTICATIONFAILED] Wrong password.");
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                "S: a1 BAD cannot do it\nEOF",
                IMAPSYNC_ERROR_AUTH, "cannot do it");
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                "S: a1 NO [UNAVAILABLE] Later.\nEOF",
                IMAPSYNC_ERROR_REFUSED, "Later.");
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                "S: + more\nEOF",
                IMAPSYNC_ERROR_PROTOCOL, "PLAIN");
}

static void
test_bye_in_the_login (void)
{
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\nS: * BYE overloaded\n",
                IMAPSYNC_ERROR_REFUSED, "overloaded");
  expect_error ("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n"
                "C: a1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\nS: * BYE that was wrong\n"
                "S: a1 NO [AUTHENTICATIONFAILED] wrong password\n",
                IMAPSYNC_ERROR_AUTH, "wrong password");
  expect_error ("S: * OK hello\nC: a1 CAPABILITY\nS: * BYE overloaded\nEOF", IMAPSYNC_ERROR_REFUSED,
                "overloaded");
}

static void
test_alerts_are_shown (void)
{
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture_start (&fixture,
                 PREAUTH "C: a2 NOOP\nS: * OK [ALERT] disk nearly full\nS: a2 OK done\nEOF");
  g_test_expect_message ("imapsync-imap", G_LOG_LEVEL_WARNING, "*says: disk nearly full");
  queue (&fixture, "NOOP", &reply);
  run_until (reply.calls > 0);
  g_test_assert_expected_messages ();
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
test_a_context_of_its_own (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  g_main_context_push_thread_default (context);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nS: a2 OK done\nEOF");
  g_main_context_pop_thread_default (context);
  queue (&fixture, "NOOP", &reply);
  while (reply.calls == 0)
    g_main_context_iteration (context, TRUE);
  g_assert_no_error (reply.error);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

/* After each number of iterations: closed, or dropped. */
static void
test_it_may_end_at_any_moment (void)
{
  for (guint i = 0; i < 60; i++) {
    const gboolean drop = i % 2 == 1;
    Fixture fixture;
    Reply reply = {0};

    fixture_init (&fixture);
    fixture.script.any_end = TRUE;
    fixture_start (&fixture, "S: * OK hello\nC: a1 CAPABILITY\n"
                             "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\nS: a1 OK done\n"
                             "C: a2 AUTHENTICATE PLAIN\nS: + \nC: AHVzZXIAc2VjcmV0\n"
                             "S: a2 OK [CAPABILITY " CAPS "] in\nC: a3 ENABLE QRESYNC\n"
                             "S: * ENABLED QRESYNC\nS: a3 OK done\nC: a4 NOOP\nS: a4 OK done\n"
                             "EOF");
    queue (&fixture, "NOOP", &reply);
    for (guint j = 0; j < i; j++)
      g_main_context_iteration (NULL, j % 8 != 7 && reply.calls == 0);
    if (drop) {
      g_clear_pointer (&fixture.session, imap_session_unref);
      g_assert_cmpuint (reply.destroyed, ==, 1);
      reply.calls = 1;
    } else {
      imap_session_close (fixture.session);
      run_until (fixture.closed > 0);
      g_assert_cmpuint (reply.calls, ==, 1);
    }
    reply_clear (&reply);
    fixture_clear (&fixture);
  }
}

static void
test_no_credentials_where_none_may_be (void)
{
  Fixture fixture;

  expect_error ("S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN] hello\nEOF",
                IMAPSYNC_ERROR_AUTH, "LOGINDISABLED");
  expect_error ("S: * OK hello\nC: a1 CAPABILITY\n"
                "S: * CAPABILITY IMAP4rev1 AUTH=CRAM-MD5 AUTH=XOAUTH2\nS: a1 OK done\nEOF",
                IMAPSYNC_ERROR_AUTH, "CRAM-MD5 XOAUTH2");

  fixture_init (&fixture);
  g_clear_pointer (&fixture.server->password, password_unref);
  fixture_start (&fixture, "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\nEOF");
  fixture_run_error (&fixture, IMAPSYNC_ERROR_CONFIG, "no password is configured in [remote]");
  fixture_clear (&fixture);

  fixture_init (&fixture);
  g_clear_pointer (&fixture.server->username, g_free);
  fixture_start (&fixture, "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\nEOF");
  fixture_run_error (&fixture, IMAPSYNC_ERROR_CONFIG, "no username");
  fixture_clear (&fixture);
}

static void
test_no_server (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.server->port = 1;
  fixture_start (&fixture, NULL);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_REFUSED, "127.0.0.1");
  fixture_clear (&fixture);

  fixture_init (&fixture);
  g_free (fixture.server->host);
  fixture.server->host = g_strdup ("no-such-host.invalid");
  fixture_start (&fixture, NULL);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_DNS, "no-such-host.invalid");
  fixture_clear (&fixture);
}

static void
test_replies_are_matched_by_tag (void)
{
  Fixture fixture;
  Reply replies[4] = {{0}};

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nC: a3 UNSELECT\nC: a4 CHECK\nC: a5 STATUS\n"
                                   "S: * 3 EXISTS\n"
                                   "S: a5 NO [NONEXISTENT] no such mailbox\n"
                                   "S: * 1 FETCH (UID 7 FLAGS ())\n"
                                   "S: a2 OK done\nS: a4 OK done\nS: a3 OK [CLOSED] done\nEOF");
  /* Before READY: they go out after the login, all in one. */
  queue (&fixture, "NOOP", &replies[0]);
  queue (&fixture, "UNSELECT", &replies[1]);
  queue (&fixture, "CHECK", &replies[2]);
  queue (&fixture, "STATUS", &replies[3]);
  g_assert_cmpuint (imap_session_in_flight (fixture.session), ==, 4);
  run_until (replies[1].calls > 0);

  g_assert_cmpuint (replies[3].order, <, replies[0].order);
  g_assert_cmpuint (replies[0].order, <, replies[2].order);
  g_assert_cmpuint (replies[2].order, <, replies[1].order);
  g_assert_no_error (replies[0].error);
  g_assert_cmpint (replies[1].code, ==, IMAP_CODE_CLOSED);
  g_assert_error (replies[3].error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
  g_assert_nonnull (strstr (replies[3].error->message, "[NONEXISTENT] no such mailbox"));
  g_assert_nonnull (strstr (replies[3].error->message, "STATUS"));
  g_assert_true (replies[3].tagged);
  g_assert_cmpstr (fixture.events->str, ==, "exists 3\nfetch 7\n");
  g_assert_cmpuint (imap_session_in_flight (fixture.session), ==, 0);
  g_assert_cmpuint (imap_session_unsent (fixture.session), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (replies); i++)
    reply_clear (&replies[i]);
  fixture_clear (&fixture);
}

/* @answer to the first of two commands ends the session; both are told once. */
static void
expect_end (const char *answer, int code, const char *text)
{
  g_autofree char *script = g_strconcat (PREAUTH "C: a2 NOOP\nC: a3 CHECK\n", answer, NULL);
  Fixture fixture;
  Reply first = {0}, second = {0};

  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture_start (&fixture, script);
  queue (&fixture, "NOOP", &first);
  queue (&fixture, "CHECK", &second);
  fixture_run_error (&fixture, code, text);
  g_assert_cmpuint (first.calls, ==, 1);
  g_assert_cmpuint (second.calls, ==, 1);
  g_assert_cmpuint (first.order, <, second.order);
  g_assert_false (first.tagged);
  g_assert_error (second.error, IMAPSYNC_ERROR, code);
  reply_clear (&first);
  reply_clear (&second);

  /* What comes later is told as well, and not from inside. */
  queue (&fixture, "NOOP", &first);
  g_assert_cmpuint (first.calls, ==, 0);
  run_until (first.calls > 0);
  g_assert_error (first.error, IMAPSYNC_ERROR, code);
  reply_clear (&first);
  g_assert_cmpuint (fixture.closed, ==, 1);
  fixture_clear (&fixture);
}

static void
test_what_ends_a_session (void)
{
  expect_end ("S: a2 BAD what was that\nEOF", IMAPSYNC_ERROR_PROTOCOL, "\"NOOP\": what was that");
  expect_end ("S: * BAD line too long\nEOF", IMAPSYNC_ERROR_PROTOCOL, "line too long");
  expect_end ("S: a99 OK done\nEOF", IMAPSYNC_ERROR_PROTOCOL, "a99");
  expect_end ("S: b2 OK done\nEOF", IMAPSYNC_ERROR_PROTOCOL, "b2");
  expect_end ("S: * BYE shutting down\n", IMAPSYNC_ERROR_REFUSED, "shutting down");
  expect_end ("WAIT 1", IMAPSYNC_ERROR_REFUSED, "ended the connection");
  expect_end ("S: * FETCH FETCH\nEOF", IMAPSYNC_ERROR_PROTOCOL, "FETCH");
  expect_end ("S: + go on\nEOF", IMAPSYNC_ERROR_PROTOCOL, "+");
  expect_end ("EOF", IMAPSYNC_ERROR_TIMEOUT, "\"NOOP\" for 1 seconds");
}

/* @answers: to ENABLE and NOOP, which are on the wire together. */
static void
expect_no_answer (const char *answers, int code, const char *text)
{
  g_autofree char *script = g_strconcat ("S: * PREAUTH [CAPABILITY " CAPS "] hi\n"
                                         "C: a1 ENABLE QRESYNC\nC: a2 NOOP\n",
                                         answers, "EOF", NULL);
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture_start (&fixture, script);
  queue (&fixture, "NOOP", &reply);
  fixture_run_error (&fixture, code, text);
  g_assert_cmpuint (reply.calls, ==, 1);
  g_assert_false (reply.tagged);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
test_no_answer_before_qresync (void)
{
  expect_no_answer ("S: a2 OK done\n", IMAPSYNC_ERROR_PROTOCOL, "before it enabled QRESYNC");
  expect_no_answer ("S- a2 NO no\r|* ENABLED QRESYNC\r|a1 OK\r|\n", IMAPSYNC_ERROR_PROTOCOL,
                    "\"NOOP\" before it enabled QRESYNC");
  expect_no_answer ("S: a1 OK done\nS: a2 OK done\n", IMAPSYNC_ERROR_CAPABILITY,
                    "did not enable it");
  expect_no_answer ("S: * ENABLED\nS: a1 NO no\nS: a2 OK done\n", IMAPSYNC_ERROR_PROTOCOL,
                    "refused ENABLE QRESYNC: no");
}

static void
test_id_tells_dovecot (void)
{
  static const char *const answers[] = {"S: * ID (\"name\" \"Dovecot\")\nS: a1 OK\n",
                                        "S: * ID (\"name\" \"Other\")\nS: a1 OK\n", "S: a1 NO\n",
                                        "S: * ID NIL\nS: a1 BAD what\n"};

  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++) {
    g_autofree char *script =
        g_strconcat ("S: * PREAUTH [CAPABILITY " CAPS " ID] hi\nC: a1 ID NIL\n"
                     "C: a2 ENABLE QRESYNC\nC: a3 NOOP\n",
                     answers[i], "S: * ENABLED QRESYNC\nS: a2 OK\nS: a3 OK\nEOF", NULL);
    Fixture fixture;
    Reply reply = {0};

    fixture_init (&fixture);
    fixture_start (&fixture, script);
    queue (&fixture, "NOOP", &reply);
    run_until (reply.calls > 0);
    g_assert_true (reply.tagged);
    g_assert_cmpint (imap_session_has (fixture.session, IMAP_CAP_X_GUID), ==, i == 0);
    reply_clear (&reply);
    fixture_clear (&fixture);
  }
}

static void
test_bad_where_it_is_allowed (void)
{
  Fixture fixture;
  Reply reply = {0};
  ImapCommand *command = imap_command_new ("UID FETCH");

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 UID FETCH\nS: a2 BAD No mailbox selected\nEOF");
  imap_command_allow_bad (command);
  imap_session_queue (fixture.session, command, on_reply, &reply, on_reply_destroyed);
  run_until (reply.calls > 0);
  g_assert_error (reply.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
  g_assert_cmpint (imap_session_state (fixture.session), ==, IMAP_SESSION_READY);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/login-with-initial-response", test_login_with_initial_response);
  g_test_add_func ("/session/login-forms", test_login_forms);
  g_test_add_func ("/session/greeting-errors", test_greeting_errors);
  g_test_add_func ("/session/missing-capabilities-are-named", test_missing_capabilities_are_named);
  g_test_add_func ("/session/login-is-tried-once", test_login_is_tried_once);
  g_test_add_func ("/session/no-credentials-where-none-may-be",
                   test_no_credentials_where_none_may_be);
  g_test_add_func ("/session/bye-in-the-login", test_bye_in_the_login);
  g_test_add_func ("/session/alerts-are-shown", test_alerts_are_shown);
  g_test_add_func ("/session/a-context-of-its-own", test_a_context_of_its_own);
  g_test_add_func ("/session/it-may-end-at-any-moment", test_it_may_end_at_any_moment);
  g_test_add_func ("/session/no-server", test_no_server);
  g_test_add_func ("/session/replies-are-matched-by-tag", test_replies_are_matched_by_tag);
  g_test_add_func ("/session/what-ends-a-session", test_what_ends_a_session);
  g_test_add_func ("/session/no-answer-before-qresync", test_no_answer_before_qresync);
  g_test_add_func ("/session/id-tells-dovecot", test_id_tells_dovecot);
  g_test_add_func ("/session/bad-where-it-is-allowed", test_bad_where_it_is_allowed);
  return g_test_run ();
}
