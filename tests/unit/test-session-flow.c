/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-fixture.h"

#define NEEDED  "IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS IDLE "
#define ENABLED "C: a1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: a1 OK done\n"
#define PREAUTH "S: * PREAUTH [CAPABILITY " NEEDED "LITERAL+ MULTIAPPEND] hi\n" ENABLED
#define SLOW    "S: * PREAUTH [CAPABILITY " NEEDED "MULTIAPPEND] hi\n" ENABLED

#define MEGABYTE (1024 * 1024)

static ImapAppend *
begin (Fixture *fixture)
{
  return imap_session_append_begin (fixture->session, "Sent");
}

static void
message (ImapAppend *append, const char *text)
{
  imap_append_message (append, "\\Seen", 1000000000, strlen (text), FALSE);
  imap_append_data (append, (const guint8 *)text, strlen (text));
}

static void
finish (ImapAppend *append, Reply *reply)
{
  imap_append_finish (append, on_reply, reply, on_reply_destroyed);
}

/* Either side writes 20 MB before it reads. */
static void
test_both_directions_at_once (void)
{
  g_autofree guint8 *block = g_malloc0 (MEGABYTE);
  Fixture fixture;
  Reply fetch = {0}, append = {0};
  ImapAppend *message;

  fixture_init (&fixture);
  fixture_start (&fixture,
                 PREAUTH "C: a2 UID FETCH\n"
                         "FLOOD a2 20971520\n"
                         "C: a3 APPEND Sent () \" 9-Sep-2001 01:46:40 +0000\" {20971520+}\n"
                         "BYTES 20971520\nC: \n"
                         "S: a3 OK [APPENDUID 1 1] done\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "UID FETCH", &fetch);
  message = begin (&fixture);
  imap_append_message (message, "", 1000000000, 20 * MEGABYTE, FALSE);
  for (int i = 0; i < 20; i++)
    imap_append_data (message, block, MEGABYTE);
  g_assert_cmpuint (imap_session_unsent (fixture.session), >=, 20 * MEGABYTE);
  finish (message, &append);
  run_until (append.calls > 0);
  g_assert_no_error (append.error);
  g_assert_cmpint (append.code, ==, IMAP_CODE_APPENDUID);
  g_assert_cmpuint (fetch.calls, ==, 1);
  g_assert_cmpuint (fixture.body_bytes, ==, 20 * MEGABYTE);
  g_assert_cmpuint (fixture.body_size, ==, 20 * MEGABYTE);
  g_assert_cmpstr (fixture.events->str, ==, "body\nfetch 1\n");
  g_assert_cmpuint (fixture.drained, ==, 1);
  g_assert_cmpuint (imap_session_unsent (fixture.session), ==, 0);
  g_assert_cmpuint (imap_session_bytes_written (fixture.session), >, 20 * MEGABYTE);
  g_assert_cmpuint (imap_session_bytes_read (fixture.session), >, 20 * MEGABYTE);
  reply_clear (&fetch);
  reply_clear (&append);
  fixture_clear (&fixture);
}

static void
test_append_with_literal_plus (void)
{
  Fixture fixture;
  Reply append = {0}, noop = {0};
  ImapAppend *a;

  fixture_init (&fixture);
  fixture_start (&fixture,
                 PREAUTH "C: a2 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {3+}\n"
                         "C: one (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {5+}\n"
                         "C: three\n"
                         "C: a3 NOOP\n"
                         "S: a2 OK [APPENDUID 7 5:6] done\nS: a3 OK done\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  queue (&fixture, "NOOP", &noop);
  message (a, "one");
  imap_append_message (a, "\\Seen", 1000000000, 5, FALSE);
  for (int i = 0; i < 5; i++) {
    imap_append_data (a, (const guint8 *)"three" + i, 1);
    g_main_context_iteration (NULL, FALSE);
    g_assert_cmpuint (noop.calls, ==, 0);
  }
  finish (a, &append);
  run_until (noop.calls > 0);
  g_assert_cmpint (append.code, ==, IMAP_CODE_APPENDUID);
  g_assert_no_error (append.error);
  reply_clear (&append);
  reply_clear (&noop);
  fixture_clear (&fixture);
}

static void
test_append_that_waits_for_plus (void)
{
  Fixture fixture;
  Reply append = {0}, noop = {0};
  ImapAppend *a;

  fixture_init (&fixture);
  fixture_start (&fixture, SLOW "C: a2 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {3}\n"
                                "WAIT 50\nS: + go\n"
                                "C: one (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" ~{5}\n"
                                "WAIT 50\nS: + go\n"
                                "C: three\n"
                                "C: a3 NOOP\n"
                                "S: a3 OK done\nS: a2 OK done\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  message (a, "one");
  imap_append_message (a, "\\Seen", 1000000000, 5, TRUE);
  imap_append_data (a, (const guint8 *)"three", 5);
  finish (a, &append);
  queue (&fixture, "NOOP", &noop);
  run_until (append.calls > 0);
  g_assert_no_error (append.error);
  g_assert_cmpuint (noop.order, <, append.order);
  g_assert_cmpuint (imap_session_unsent (fixture.session), ==, 0);
  reply_clear (&append);
  reply_clear (&noop);
  fixture_clear (&fixture);
}

static void
test_append_refused_instead_of_plus (void)
{
  Fixture fixture;
  Reply append = {0}, noop = {0};
  ImapAppend *a;

  fixture_init (&fixture);
  fixture_start (&fixture, SLOW "C: a2 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {3}\n"
                                "S: a2 NO [OVERQUOTA] full\n"
                                "C: a3 NOOP\nS: a3 OK done\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  queue (&fixture, "NOOP", &noop);
  message (a, "one");
  /* The line is free for others, though the caller goes on. */
  run_until (noop.calls > 0);
  message (a, "three");
  message (a, "four");
  g_assert_cmpuint (imap_session_unsent (fixture.session), ==, 0);
  finish (a, &append);
  g_assert_cmpuint (append.calls, ==, 0);
  run_until (append.calls > 0);
  g_assert_error (append.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
  g_assert_nonnull (strstr (append.error->message, "[OVERQUOTA] full"));
  g_assert_true (append.tagged);
  g_assert_cmpint (append.code, ==, IMAP_CODE_OVERQUOTA);
  reply_clear (&append);
  reply_clear (&noop);
  fixture_clear (&fixture);
}

static void
test_append_refused_in_a_literal (void)
{
  Fixture fixture;
  Reply append = {0}, noop = {0};
  ImapAppend *a;

  fixture_init (&fixture);
  fixture_start (&fixture,
                 PREAUTH "C: a2 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {6+}\n"
                         "S: * 1 EXISTS\n"
                         "S: a2 NO [TRYCREATE] no such mailbox\n"
                         "C: onetwo\n" /* what was announced has to come, but no more */
                         "C: a3 NOOP\nS: a3 OK done\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  queue (&fixture, "NOOP", &noop);
  imap_append_message (a, "\\Seen", 1000000000, 6, FALSE);
  imap_append_data (a, (const guint8 *)"one", 3);
  run_until (fixture.events->len > 0 && imap_session_in_flight (fixture.session) == 1);
  imap_append_data (a, (const guint8 *)"two", 3);
  message (a, "three");
  finish (a, &append);
  run_until (noop.calls > 0 && append.calls > 0);
  g_assert_cmpint (append.code, ==, IMAP_CODE_TRYCREATE);
  g_assert_error (append.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
  g_assert_no_error (noop.error);
  reply_clear (&append);
  reply_clear (&noop);
  fixture_clear (&fixture);
}

static void
test_append_outlives_its_session (void)
{
  Fixture fixture;
  Reply cut = {0}, first = {0}, late = {0};
  ImapAppend *a, *b;

  fixture_init (&fixture);
  fixture_start (&fixture, SLOW "C: a2 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {3}\n"
                                "S: * BYE enough\n");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  message (a, "one");
  finish (a, &first);
  b = begin (&fixture);
  message (b, "one");
  fixture_run_error (&fixture, IMAPSYNC_ERROR_REFUSED, "enough");
  g_assert_cmpuint (first.calls, ==, 1);
  g_assert_error (first.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED);
  g_assert_cmpuint (imap_session_unsent (fixture.session), ==, 0);
  message (b, "two");
  finish (b, &cut);
  g_assert_cmpuint (cut.calls, ==, 0);
  run_until (cut.calls > 0);
  g_assert_error (cut.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED);

  a = begin (&fixture);
  b = begin (&fixture);
  message (a, "one");
  finish (a, &late);
  run_until (late.calls > 0);
  g_assert_false (late.tagged);
  g_clear_pointer (&fixture.session, imap_session_unref);
  message (b, "one");
  reply_clear (&cut);
  imap_append_finish (b, on_reply, &cut, on_reply_destroyed);
  g_assert_cmpuint (cut.calls, ==, 0);
  g_assert_cmpuint (cut.destroyed, ==, 1);
  reply_clear (&first);
  reply_clear (&late);
  fixture_clear (&fixture);
}

/* Whatever the reason: the server must not store half a message. */
static void
test_append_cut_short_ends_the_session (void)
{
  Fixture fixture;
  Reply reply = {0};
  ImapAppend *a;

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 APPEND Sent () \" 9-Sep-2001 01:46:40 +0000\" {9+}\n"
                                   "BYTES 3\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  imap_append_message (a, "", 1000000000, 9, FALSE);
  imap_append_data (a, (const guint8 *)"one", 3);
  run_until (imap_session_unsent (fixture.session) == 0);
  finish (a, &reply);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_PROTOCOL, "\"APPEND Sent\" was broken off, 6 bytes");
  g_assert_cmpuint (reply.calls, ==, 1);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
pause_at_first (Fixture *fixture, gsize length)
{
  fixture->on_body = NULL;
  imap_session_pause_reading (fixture->session);
}

static void
test_pause_holds_the_server_back (void)
{
  const guint64 size = 64 * MEGABYTE;
  Fixture fixture;
  Reply reply = {0};
  guint64 got, sent, before;

  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture.on_body = pause_at_first;
  fixture_start (&fixture, PREAUTH "C: a2 UID FETCH\nFLOOD a2 67108864\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "UID FETCH", &reply);
  run_until (fixture.body_bytes > 0);
  got = fixture.body_bytes;
  g_assert_cmpuint (got, <=, 128 * 1024);
  /* Longer than the timeout, which rests. */
  before = 0;
  for (int i = 0; i < 30; i++) {
    g_usleep (50 * 1000);
    g_main_context_iteration (NULL, FALSE);
    before = i == 15 ? script_bytes_sent (&fixture.script) : before;
  }
  sent = script_bytes_sent (&fixture.script);
  g_assert_cmpuint (fixture.body_bytes, ==, got);
  g_assert_cmpuint (sent, <, size);
  g_assert_cmpuint (sent, ==, before);
  imap_session_resume_reading (fixture.session);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  g_assert_cmpuint (fixture.body_bytes, ==, size);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

/* One session's body is the other's APPEND. */
typedef struct {
  Fixture from;
  Fixture to;
  ImapAppend *append;
  gboolean paused;
  gsize most;
} Pump;

static void
pump_body (Fixture *fixture, gsize length)
{
  static const guint8 bytes[128 * 1024];
  Pump *pump = (gpointer)((char *)fixture - G_STRUCT_OFFSET (Pump, from));
  gsize unsent;

  imap_append_data (pump->append, bytes, length);
  unsent = imap_session_unsent (pump->to.session);
  pump->most = MAX (pump->most, unsent);
  if (unsent >= IMAP_SESSION_HIGH_WATER && !pump->paused) {
    pump->paused = TRUE;
    imap_session_pause_reading (pump->from.session);
  }
}

static void
pump_drained (ImapSession *session, gpointer data)
{
  Pump *pump = (gpointer)((char *)data - G_STRUCT_OFFSET (Pump, to));

  pump->to.drained++;
  if (!pump->paused)
    return;
  pump->paused = FALSE;
  imap_session_resume_reading (pump->from.session);
}

static void
test_a_large_message_streams_through (void)
{
  g_autofree Pump *pump = g_new0 (Pump, 1);
  Reply fetch = {0}, append = {0};

  fixture_init (&pump->from);
  fixture_init (&pump->to);
  pump->from.on_body = pump_body;
  pump->to.receiver.drained = pump_drained;
  fixture_start (&pump->from, PREAUTH "C: a2 UID FETCH\nFLOOD a2 209715200\nEOF");
  fixture_start (&pump->to,
                 PREAUTH "C: a2 APPEND Sent () \" 9-Sep-2001 01:46:40 +0000\" {209715200+}\n"
                         "BYTES 5000000\nWAIT 200\n"
                         "BYTES 204715200\nC: \nS: a2 OK done\nEOF");
  fixture_run_ready (&pump->from);
  fixture_run_ready (&pump->to);
  pump->append = begin (&pump->to);
  imap_append_message (pump->append, "", 1000000000, 200 * MEGABYTE, FALSE);
  queue (&pump->from, "UID FETCH", &fetch);
  run_until (fetch.calls > 0);
  finish (pump->append, &append);
  run_until (append.calls > 0);
  g_assert_no_error (fetch.error);
  g_assert_no_error (append.error);
  g_assert_cmpuint (pump->to.drained, >, 0);
  g_assert_cmpuint (pump->most, <, IMAP_SESSION_HIGH_WATER + 256 * 1024);
  reply_clear (&fetch);
  reply_clear (&append);
  fixture_clear (&pump->from);
  fixture_clear (&pump->to);
}

static void
close_in_callback (Fixture *fixture, const ImapResponse *response)
{
  imap_session_close (fixture->session);
  imap_session_close (fixture->session);
}

static void
drop_in_callback (Fixture *fixture, const ImapResponse *response)
{
  g_clear_pointer (&fixture->session, imap_session_unref);
}

static void
test_callbacks_may_close (void)
{
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture.on_untagged = close_in_callback;
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nS- * 1 EXISTS|* 2 EXISTS|a2 OK done|\nEOF");
  queue (&fixture, "NOOP", &reply);
  run_until (fixture.closed > 0);
  g_assert_cmpstr (fixture.events->str, ==, "exists 1\n");
  g_assert_cmpuint (reply.calls, ==, 1);
  g_assert_error (reply.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (imap_session_error (fixture.session));
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
test_callbacks_may_drop_the_session (void)
{
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture.on_untagged = drop_in_callback;
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nS- * 1 EXISTS|* 2 EXISTS|a2 OK done|\nEOF");
  queue (&fixture, "NOOP", &reply);
  run_until (fixture.session == NULL);
  g_assert_cmpstr (fixture.events->str, ==, "exists 1\n");
  g_assert_cmpuint (reply.calls, ==, 0);
  g_assert_cmpuint (reply.destroyed, ==, 1);
  g_assert_cmpuint (fixture.closed, ==, 0);
  fixture_clear (&fixture);
}

static void
on_reply_queue_more (ImapSession *session, const ImapResponse *tagged, const GError *error,
                     gpointer data)
{
  imap_session_queue (session, imap_command_new ("CHECK"), on_reply, data, on_reply_destroyed);
}

static void
test_callbacks_may_queue (void)
{
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nS: a2 OK done\nC: a3 CHECK\nS: a3 OK done\nEOF");
  imap_session_queue (fixture.session, imap_command_new ("NOOP"), on_reply_queue_more, &reply,
                      NULL);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

static void
test_close_calls_nothing_from_inside (void)
{
  Fixture fixture;
  Reply reply = {0};

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &reply);
  while (imap_session_unsent (fixture.session) > 0 ||
         imap_session_bytes_written (fixture.session) < 25)
    g_main_context_iteration (NULL, FALSE);
  imap_session_close (fixture.session);
  g_assert_cmpuint (reply.calls, ==, 0);
  g_assert_cmpuint (fixture.closed, ==, 0);
  run_until (fixture.closed > 0);
  g_assert_cmpuint (reply.calls, ==, 1);
  g_assert_error (reply.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  reply_clear (&reply);
  fixture_clear (&fixture);
}

/* IDLE has no destroy function. */
static void
idle_clear (Reply *idle)
{
  idle->destroyed = idle->calls;
  reply_clear (idle);
}

static void
test_idle_ends_for_a_command (void)
{
  Fixture fixture;
  Reply idle = {0}, before = {0}, after = {0};

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nWAIT 30\nS: a2 OK done\n"
                                   "C: a3 IDLE\nS: + idling\nS: * 5 EXISTS\n"
                                   "C: DONE\nS: a3 OK done\n"
                                   "C: a4 CHECK\nS: a4 OK done\n"
                                   "C: a5 IDLE\nWAIT 30\nS: + idling\nC: DONE\nS: a5 OK done\n"
                                   "C: a6 IDLE\nS: a6 NO not now\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &before);
  imap_session_idle (fixture.session, on_reply, &idle);
  run_until (fixture.events->len > 0);
  g_assert_cmpuint (before.calls, ==, 1);
  g_assert_cmpuint (idle.calls, ==, 0);
  queue (&fixture, "CHECK", &after);
  run_until (after.calls > 0);
  g_assert_cmpuint (idle.order, <, after.order);
  g_assert_no_error (idle.error);
  reply_clear (&after);
  reply_clear (&before);
  idle_clear (&idle);

  /* Ended before it began: DONE all the same waits for "+". */
  imap_session_idle (fixture.session, on_reply, &idle);
  imap_session_idle_done (fixture.session);
  run_until (idle.calls > 0);
  g_assert_no_error (idle.error);
  idle_clear (&idle);

  imap_session_idle (fixture.session, on_reply, &idle);
  run_until (idle.calls > 0);
  g_assert_error (idle.error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
  idle_clear (&idle);
  fixture_clear (&fixture);
}

static void
test_silence_is_right_while_idle (void)
{
  Fixture fixture;
  Reply idle = {0};

  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture_start (&fixture,
                 PREAUTH "C: a2 IDLE\nS: + idling\nWAIT 1500\nS: * 5 EXISTS\nC: DONE\nEOF");
  fixture_run_ready (&fixture);
  imap_session_idle (fixture.session, on_reply, &idle);
  run_until (fixture.events->len > 0);
  imap_session_idle_done (fixture.session);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_TIMEOUT, "IDLE");
  idle_clear (&idle);
  fixture_clear (&fixture);
}

/* The program did not run for longer than the timeout: the answer is there when it looks. */
static void
test_standing_still_is_no_silence (void)
{
  Fixture fixture;
  Reply noop = {0};
  guint64 before;

  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nS: a2 OK done\nEOF");
  fixture_run_ready (&fixture);
  before = imap_session_bytes_written (fixture.session);
  imap_session_queue (fixture.session, imap_command_new ("NOOP"), on_reply, &noop,
                      on_reply_destroyed);
  while (imap_session_bytes_written (fixture.session) == before)
    g_main_context_iteration (NULL, TRUE);
  g_usleep (1500 * 1000);
  run_until (noop.calls > 0);
  g_assert_no_error (noop.error);
  reply_clear (&noop);
  fixture_clear (&fixture);
}

/* What the kernel took long ago still goes out, while the server has nothing to say. */
static void
test_a_slow_line_is_no_silence (void)
{
  const gsize size = 3 * MEGABYTE;
  g_autofree guint8 *block = g_malloc0 (size);
  GString *script = g_string_new (PREAUTH);
  Fixture fixture;
  Reply reply = {0};
  ImapAppend *a;

  g_string_append (script, "C: a2 APPEND Sent () \" 9-Sep-2001 01:46:40 +0000\" {3145728+}\n");
  for (int i = 0; i < 24; i++)
    g_string_append (script, "BYTES 131072\nWAIT 150\n");
  g_string_append (script, "C: \nS: a2 OK done\nEOF");
  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture.script.receive_buffer = 65536;
  fixture_start (&fixture, script->str);
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  imap_append_message (a, "", 1000000000, size, FALSE);
  imap_append_data (a, block, size);
  finish (a, &reply);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  reply_clear (&reply);
  fixture_clear (&fixture);
  g_string_free (script, TRUE);
}

static void
test_login_has_deadlines (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture_start (&fixture, "EOF");
  fixture_run_error (&fixture, IMAPSYNC_ERROR_TIMEOUT, "no greeting within 1 seconds");
  fixture_clear (&fixture);

  /* A byte now and then does not help. */
  fixture_init (&fixture);
  fixture.server->timeout = 1;
  fixture_start (&fixture, "S: * OK hi\nC: a1 CAPABILITY\nS: * OK wait\nWAIT 400\nS: * OK wait\n"
                           "WAIT 400\nS: * OK wait\nWAIT 400\nEOF");
  fixture_run_error (&fixture, IMAPSYNC_ERROR_TIMEOUT, "no login within 1 seconds");
  fixture_clear (&fixture);
}

static void
test_logout (void)
{
  Fixture fixture;
  Reply noop = {0}, late = {0};

  fixture_init (&fixture);
  fixture_start (&fixture, PREAUTH "C: a2 NOOP\nWAIT 20\nS: a2 OK done\nC: a3 LOGOUT\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "NOOP", &noop);
  imap_session_logout (fixture.session);
  queue (&fixture, "NOOP", &late);
  run_until (fixture.closed > 0);
  g_assert_null (imap_session_error (fixture.session));
  g_assert_no_error (noop.error);
  g_assert_error (late.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  reply_clear (&noop);
  reply_clear (&late);
  fixture_clear (&fixture);
}

static void
test_a_literal_waits_for_plus (void)
{
  Fixture fixture;
  Reply first = {0}, second = {0};
  ImapCommand *command = imap_command_new ("STATUS");

  fixture_init (&fixture);
  fixture_start (&fixture, SLOW "C: a2 STATUS {3}\nWAIT 30\nS: + go\nC: \xc3\xa9t {3}\n"
                                "S: + go\nC: \xc3\xa9u (UIDNEXT)\nC: a3 NOOP\n"
                                "S: a2 OK done\nS: a3 OK done\nEOF");
  fixture_run_ready (&fixture);
  imap_command_astring (command, "\xc3\xa9t");
  imap_command_astring (command, "\xc3\xa9u");
  imap_command_raw (command, "(UIDNEXT)");
  imap_session_queue (fixture.session, command, on_reply, &first, on_reply_destroyed);
  queue (&fixture, "NOOP", &second);
  run_until (second.calls > 0);
  g_assert_no_error (first.error);
  reply_clear (&first);
  reply_clear (&second);
  fixture_clear (&fixture);
}

/* 3000 commands: never more than a thousand of them unanswered. */
static void
test_the_pipeline_has_a_cap (void)
{
  GString *script = g_string_new (PREAUTH);
  g_autofree Reply *replies = g_new0 (Reply, 3000);
  Fixture fixture;
  guint calls = 0;

  for (int i = 0; i < 3000; i++) {
    g_string_append_printf (script, "C: a%d NOOP\n", i + 2);
    if ((i + 1) % 1000 == 0)
      for (int j = i - 999; j <= i; j++)
        g_string_append_printf (script, "S: a%d OK done\n", j + 2);
  }
  g_string_append (script, "EOF");
  fixture_init (&fixture);
  fixture_start (&fixture, script->str);
  fixture_run_ready (&fixture);
  for (int i = 0; i < 3000; i++)
    queue (&fixture, "NOOP", &replies[i]);
  run_until (replies[2999].calls > 0);
  for (int i = 0; i < 3000; i++) {
    calls += replies[i].calls;
    reply_clear (&replies[i]);
  }
  g_assert_cmpuint (calls, ==, 3000);
  fixture_clear (&fixture);
  g_string_free (script, TRUE);
}

static GString *logged;

static GLogWriterOutput
log_writer (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  const char *domain = "", *text = "";

  for (gsize i = 0; i < n_fields; i++) {
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      text = fields[i].value;
    else if (strcmp (fields[i].key, "GLIB_DOMAIN") == 0)
      domain = fields[i].value;
  }
  if (logged != NULL && strcmp (domain, "imapsync-imap") == 0)
    g_string_append_printf (logged, "%s\n", text);
  return logged != NULL && (level & G_LOG_LEVEL_DEBUG)
             ? G_LOG_WRITER_HANDLED
             : g_log_writer_default (level, fields, n_fields, NULL);
}

static void
test_the_log_shows_no_secret (void)
{
  Fixture fixture;
  Reply reply = {0};
  ImapAppend *a;

  logged = g_string_new (NULL);
  imap_session_set_trace (TRUE);
  fixture_init (&fixture);
  fixture_start (&fixture, "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] hello\n"
                           "C: a1 AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: dXNlcg==\n"
                           "S: + UGFzc3dvcmQ6\nC: c2VjcmV0\n"
                           "S: a1 OK [CAPABILITY " NEEDED "LITERAL+] in\n"
                           "C: a2 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: a2 OK done\n"
                           "C: a3 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {7+}\n"
                           "C: private\n"
                           "FLOOD a3 7\nEOF");
  fixture_run_ready (&fixture);
  a = begin (&fixture);
  message (a, "private");
  finish (a, &reply);
  run_until (reply.calls > 0);
  imap_session_set_trace (FALSE);
  g_assert_cmpstr (logged->str, ==,
                   "remote S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] hello\n"
                   "remote C: a1 AUTHENTICATE LOGIN\n"
                   "remote S: + VXNlcm5hbWU6\n"
                   "remote C: ***\n"
                   "remote S: + UGFzc3dvcmQ6\n"
                   "remote C: ***\n"
                   "remote S: a1 OK [CAPABILITY " NEEDED "LITERAL+] in\n"
                   "remote C: a2 ENABLE QRESYNC\n"
                   "remote S: * ENABLED QRESYNC\n"
                   "remote S: a2 OK done\n"
                   "remote C: a3 APPEND Sent (\\Seen) \" 9-Sep-2001 01:46:40 +0000\" {7+}\n"
                   "remote S: * 1 FETCH (UID 1 BODY[] {7})\n"
                   "remote S: a3 OK done\n");
  reply_clear (&reply);
  fixture_clear (&fixture);
  g_string_free (g_steal_pointer (&logged), TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (log_writer, NULL, NULL);
  g_test_add_func ("/flow/both-directions-at-once", test_both_directions_at_once);
  g_test_add_func ("/flow/append-with-literal-plus", test_append_with_literal_plus);
  g_test_add_func ("/flow/append-that-waits-for-plus", test_append_that_waits_for_plus);
  g_test_add_func ("/flow/append-refused-instead-of-plus", test_append_refused_instead_of_plus);
  g_test_add_func ("/flow/append-refused-in-a-literal", test_append_refused_in_a_literal);
  g_test_add_func ("/flow/append-outlives-its-session", test_append_outlives_its_session);
  g_test_add_func ("/flow/append-cut-short-ends-the-session",
                   test_append_cut_short_ends_the_session);
  g_test_add_func ("/flow/pause-holds-the-server-back", test_pause_holds_the_server_back);
  g_test_add_func ("/flow/a-large-message-streams-through", test_a_large_message_streams_through);
  g_test_add_func ("/flow/callbacks-may-close", test_callbacks_may_close);
  g_test_add_func ("/flow/callbacks-may-drop-the-session", test_callbacks_may_drop_the_session);
  g_test_add_func ("/flow/callbacks-may-queue", test_callbacks_may_queue);
  g_test_add_func ("/flow/close-calls-nothing-from-inside", test_close_calls_nothing_from_inside);
  g_test_add_func ("/flow/idle-ends-for-a-command", test_idle_ends_for_a_command);
  g_test_add_func ("/flow/silence-is-right-while-idle", test_silence_is_right_while_idle);
  g_test_add_func ("/flow/standing-still-is-no-silence", test_standing_still_is_no_silence);
  g_test_add_func ("/flow/a-slow-line-is-no-silence", test_a_slow_line_is_no_silence);
  g_test_add_func ("/flow/login-has-deadlines", test_login_has_deadlines);
  g_test_add_func ("/flow/logout", test_logout);
  g_test_add_func ("/flow/a-literal-waits-for-plus", test_a_literal_waits_for_plus);
  g_test_add_func ("/flow/the-pipeline-has-a-cap", test_the_pipeline_has_a_cap);
  g_test_add_func ("/flow/the-log-shows-no-secret", test_the_log_shows_no_secret);
  return g_test_run ();
}
