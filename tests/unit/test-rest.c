/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/gate.h"
#include "sync/idle.h"
#include "sync/known.h"
#include "sync/poll.h"

#include "session-fixture.h"

#define NEEDED "IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS IDLE"
#define PREAUTH                                                                                    \
  "S: * PREAUTH [CAPABILITY " NEEDED "] hi\nC: a1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\n"          \
  "S: a1 OK done\n"
#define NUMBERS "S: * 2 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: * OK [UIDNEXT 3] x\n"

/* --- back-off -------------------------------------------------------------------------------- */

static void
assert_delay (const SyncGate *gate, double seconds)
{
  double delay = (double)(gate->next_try - g_get_monotonic_time ()) / G_USEC_PER_SEC;

  g_assert_cmpfloat (delay, <=, seconds * 1.3 + 0.01);
  g_assert_cmpfloat (delay, >=, seconds * 0.7 - 1);
}

static void
test_an_outage_takes_a_third_longer (void)
{
  SyncGate gate = {0};
  const gint64 now = g_get_monotonic_time ();

  gate.up = now - 3600 * G_TIME_SPAN_SECOND;
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 2);
  g_assert_cmpint (gate.since, >=, now);
  gate.since = now - 4 * G_TIME_SPAN_SECOND;
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 2);
  gate.since = now - 60 * G_TIME_SPAN_SECOND;
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 15);
  gate.since = now - 24 * 3600 * G_TIME_SPAN_SECOND;
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 900);
  sync_gate_forget_failures (&gate);
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 2);
}

static void
test_what_never_lasts_is_tried_ever_later (void)
{
  static const guint seconds[] = {4, 8, 16, 32, 64};
  SyncGate gate = {0};

  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    sync_gate_passed (&gate);
    sync_gate_delay (&gate, TRUE);
    assert_delay (&gate, seconds[i]);
  }
  gate.up = g_get_monotonic_time () - 11 * G_TIME_SPAN_SECOND;
  sync_gate_delay (&gate, TRUE);
  assert_delay (&gate, 2);
}

static void
test_what_does_not_mend_is_tried_ever_later (void)
{
  static const guint seconds[] = {5, 10, 20, 40, 80, 160, 320, 640, 900, 900};
  SyncGate gate = {0};

  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    sync_gate_delay (&gate, FALSE);
    assert_delay (&gate, seconds[i]);
  }
}

/* --- looking by itself ----------------------------------------------------------------------- */

static void
test_polls_follow_what_happens (void)
{
  static const guint seconds[] = {5, 10, 20, 40, 60, 60};
  const gint64 now = 1000 * G_TIME_SPAN_SECOND;
  SyncPoll poll = {0};

  g_assert_cmpint (sync_poll_next (&poll, 60), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    sync_poll_passed (&poll, now, TRUE, FALSE, FALSE);
    g_assert_cmpint (sync_poll_next (&poll, 60), ==, now + seconds[i] * G_TIME_SPAN_SECOND);
    g_assert_cmpint (sync_poll_next (&poll, 1), ==, now + G_TIME_SPAN_SECOND);
    g_assert_cmpint (sync_poll_next (&poll, 0), ==, now + 300 * G_TIME_SPAN_SECOND);
  }
  /* A pass over what a notice marked is a change, and no LIST. */
  sync_poll_passed (&poll, now + 1, FALSE, FALSE, TRUE);
  g_assert_cmpint (sync_poll_next (&poll, 60), ==, now + 5 * G_TIME_SPAN_SECOND);
  /* Who wants it rarely gets it rarely. */
  g_assert_cmpint (sync_poll_next (&poll, 1200), ==, now + 100 * G_TIME_SPAN_SECOND);
  g_assert_cmpint (sync_poll_next (&poll, 24 * 60 * 60), ==, now + 300 * G_TIME_SPAN_SECOND);
  sync_poll_hurry (&poll);
  g_assert_cmpint (sync_poll_next (&poll, 0), ==, 0);
}

static void
test_everything_is_compared_once_a_day (void)
{
  const gint64 now = G_TIME_SPAN_DAY, day = G_TIME_SPAN_DAY;
  SyncPoll poll = {0};

  g_assert_false (sync_poll_wants_check (&poll, now));
  sync_poll_passed (&poll, now, TRUE, FALSE, FALSE);
  g_assert_false (sync_poll_wants_check (&poll, now + day));
  g_assert_true (sync_poll_wants_check (&poll, now + day + 1));
  sync_poll_passed (&poll, now + day + 1, FALSE, FALSE, TRUE);
  g_assert_true (sync_poll_wants_check (&poll, now + day + 1));
  sync_poll_passed (&poll, now + day + 1, TRUE, TRUE, FALSE);
  g_assert_false (sync_poll_wants_check (&poll, now + day + 2));
}

/* --- notices --------------------------------------------------------------------------------- */

static SyncKnown
known_box (void)
{
  return (SyncKnown){.uidvalidity = 7, .uidnext = 10, .highestmodseq = 50, .exists = 4};
}

static void
test_what_a_status_says_counts_once (void)
{
  SyncKnown known = known_box ();
  ImapStatus status = {.items = IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_UIDNEXT |
                                IMAP_STATUS_HIGHESTMODSEQ | IMAP_STATUS_MESSAGES,
                       .uidvalidity = 7,
                       .uidnext = 10,
                       .highestmodseq = 50,
                       .messages = 4};
  ImapStatus partial = {.items = IMAP_STATUS_HIGHESTMODSEQ, .highestmodseq = 51};

  g_assert_false (sync_known_take_status (&known, &status));
  /* An expunge whose MODSEQ a SELECT told before the message was gone. */
  status.messages = 3;
  g_assert_true (sync_known_take_status (&known, &status));
  g_assert_false (sync_known_take_status (&known, &status));
  g_assert_true (sync_known_take_status (&known, &partial));
  known.exists = -1;
  g_assert_false (sync_known_take_status (&known, &status));
  partial.highestmodseq = 50;
  g_assert_false (sync_known_take_status (&known, &partial));
}

static void
test_old_numbers_are_no_news (void)
{
  SyncKnown known = known_box ();
  SyncIdleNumbers numbers = {7, 9, 49};

  g_assert_false (sync_known_take_numbers (&known, &numbers));
  numbers.highestmodseq = 51;
  g_assert_true (sync_known_take_numbers (&known, &numbers));
  g_assert_false (sync_known_take_numbers (&known, &numbers));
  numbers.uidvalidity = 8;
  g_assert_true (sync_known_take_numbers (&known, &numbers));
}

/* --- a connection for IDLE ------------------------------------------------------------------- */

typedef struct {
  Fixture fixture;
  AccountConfig config;
  SyncEngine engine;
  SyncIdle *idle;
  guint looked, changed;
  guint64 modseq;
} Watcher;

static void
on_changed (SyncIdle *idle, guint64 modseq, gpointer data)
{
  Watcher *watcher = data;

  watcher->changed++;
  watcher->modseq = modseq;
}

static void
on_looked (SyncIdle *idle, gpointer data)
{
  ((Watcher *)data)->looked++;
}

static const SyncIdleFuncs watcher_funcs = {.changed = on_changed, .looked = on_looked};

static void
watcher_start (Watcher *watcher, const char *script)
{
  memset (watcher, 0, sizeof *watcher);
  fixture_init (&watcher->fixture);
  script_start (&watcher->fixture.script, script);
  watcher->fixture.server->port = watcher->fixture.script.port;
  watcher->config.server[SIDE_REMOTE] = watcher->fixture.server;
  watcher->engine.config = &watcher->config;
  watcher->idle =
      sync_idle_new (&watcher->engine, SIDE_REMOTE, "Box", "Box", &watcher_funcs, watcher);
}

static void
watcher_clear (Watcher *watcher)
{
  sync_idle_free (watcher->idle);
  fixture_clear (&watcher->fixture);
}

static void
test_it_tells_and_looks_again (void)
{
  Watcher watcher;
  const SyncIdleNumbers *numbers;

  watcher_start (&watcher, PREAUTH "C: a2 EXAMINE Box\n" NUMBERS
                                   "S: * OK [HIGHESTMODSEQ 40] x\nS: a2 OK done\n"
                                   "C: a3 IDLE\nS: + idling\nS: * OK Still here\nS: * 0 RECENT\n"
                                   "S: * 1 FETCH (UID 1 FLAGS () MODSEQ (41))\n"
                                   "C: DONE\nS: * 3 EXISTS\nS: a3 OK done\n"
                                   "C: a4 EXAMINE Box\nS: * OK [CLOSED] x\n" NUMBERS
                                   "S: * OK [HIGHESTMODSEQ 41] x\nS: a4 OK done\n"
                                   "C: a5 IDLE\nS: + idling\nS: * VANISHED 1\nEOF");
  g_assert_null (sync_idle_numbers (watcher.idle));
  run_until (watcher.changed > 0);
  g_assert_cmpuint (watcher.looked, ==, 1);
  g_assert_cmpuint (watcher.modseq, ==, 41);
  numbers = sync_idle_numbers (watcher.idle);
  g_assert_cmpuint (numbers->uidvalidity, ==, 7);
  g_assert_cmpuint (numbers->uidnext, ==, 3);
  g_assert_cmpuint (numbers->highestmodseq, ==, 40);
  sync_idle_look (watcher.idle);
  run_until (watcher.changed > 1);
  /* What comes while it looks is in the numbers. */
  g_assert_cmpuint (watcher.looked, ==, 2);
  g_assert_cmpuint (watcher.changed, ==, 2);
  g_assert_cmpuint (watcher.modseq, ==, 0);
  g_assert_cmpuint (numbers->highestmodseq, ==, 41);
  watcher_clear (&watcher);
}

/* An end, a refused mailbox, a refused login: nobody but the log is told, and nothing is tried at
 * once. The answer to LOGOUT is not waited for, so the server cannot be sure to say it. A second
 * connection would break the script. */
static void
test_an_end_is_nobodys_business (void)
{
  static const char *const scripts[] = {
      PREAUTH "C: a2 EXAMINE Box\nS: a2 NO [NONEXISTENT] no\nC: a3 LOGOUT\nEOF",
      PREAUTH "C: a2 EXAMINE Box\n" NUMBERS "S: a2 OK done\nC: a3 IDLE\nS: a3 NO not now\n"
              "C: a4 LOGOUT\nEOF",
      "S: * BYE [UNAVAILABLE] too many connections",
      PREAUTH "C: a2 EXAMINE Box\n" NUMBERS "S: a2 OK done\nC: a3 IDLE\nS: + idling\n"
              "S: * BYE going down",
  };

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++) {
    Watcher watcher;

    watcher_start (&watcher, scripts[i]);
    run_until (g_atomic_int_get (&watcher.fixture.script.done));
    for (guint j = 0; j < 20; j++) {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (5000);
    }
    g_assert_cmpuint (watcher.changed, ==, 0);
    sync_idle_look (watcher.idle);
    watcher_clear (&watcher);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rest/an-outage-takes-a-third-longer", test_an_outage_takes_a_third_longer);
  g_test_add_func ("/rest/what-never-lasts-is-tried-ever-later",
                   test_what_never_lasts_is_tried_ever_later);
  g_test_add_func ("/rest/what-does-not-mend-is-tried-ever-later",
                   test_what_does_not_mend_is_tried_ever_later);
  g_test_add_func ("/rest/polls-follow-what-happens", test_polls_follow_what_happens);
  g_test_add_func ("/rest/everything-is-compared-once-a-day",
                   test_everything_is_compared_once_a_day);
  g_test_add_func ("/rest/what-a-status-says-counts-once", test_what_a_status_says_counts_once);
  g_test_add_func ("/rest/old-numbers-are-no-news", test_old_numbers_are_no_news);
  g_test_add_func ("/rest/idle-tells-and-looks-again", test_it_tells_and_looks_again);
  g_test_add_func ("/rest/an-end-of-idle-is-nobodys-business", test_an_end_is_nobodys_business);
  return g_test_run ();
}
