/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "applet-fixture.h"
#include "conflict-kinds.h"
#include "wording.h"

#include <locale.h>
#include <string.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static void
test_ago (void)
{
  static const struct {
    gint64 seconds;
    const char *text;
  } cases[] = {
      {-5, "just now"},           {0, "just now"},
      {59, "just now"},           {60, "1 minute ago"},
      {125, "2 minutes ago"},     {HOUR - 1, "59 minutes ago"},
      {HOUR, "1 hour ago"},       {2 * HOUR + 59 * MINUTE, "2 hours ago"},
      {12 * HOUR, "02:05"},       {15 * HOUR, "yesterday at 23:05"},
      {2 * DAY, "Sunday, 14:05"}, {6 * DAY, "Wednesday, 14:05"},
      {7 * DAY, "07/07/20"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_takes (cases[i].text, wording_ago (NOW - cases[i].seconds, NOW));
}

static void
test_clock (void)
{
  assert_takes ("14:04", wording_clock (NOW - 60, NOW));
  assert_takes ("23:59", wording_clock (NOW - 5 * MINUTE + 9 * HOUR + 59 * MINUTE, NOW));
  assert_takes ("tomorrow at 00:05", wording_clock (NOW + 10 * HOUR, NOW));
  assert_takes ("Thursday, 14:05", wording_clock (NOW + 2 * DAY, NOW));
  assert_takes ("08/14/20", wording_clock (NOW + 31 * DAY, NOW));
  assert_takes ("?", wording_clock (G_MAXINT64 / 2, NOW));
}

static void
assert_summary (const State *state, const char *expected)
{
  assert_takes (expected, wording_summary (state, now));
}

static void
test_summary_of_one (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work;

  state->life = LIFE_STARTING;
  assert_summary (state, "Starting…");
  state->life = LIFE_ABSENT;
  assert_summary (state, "imapsync is not running");
  state->life = LIFE_RUNNING;
  assert_summary (state, "No account is configured");
  work = fixture_add (state, "work", STATUS_CONNECTING);
  assert_summary (state, "Connecting…");
  fixture_set (work, STATUS_SYNCING, "", AWAKE);
  assert_summary (state, "Synchronizing…");
  work->progress = 40;
  assert_summary (state, "Synchronizing, 40 %");
  work->remaining = 312;
  assert_summary (state, "Copying 312 messages, 40 %");
  work->remaining = 1;
  assert_summary (state, "Copying 1 message, 40 %");
  fixture_set (work, STATUS_WATCHING, "", AWAKE);
  assert_summary (state, "All mail in sync");
  work->last_sync = NOW - 125;
  assert_summary (state, "All mail in sync, 2 minutes ago");
  fixture_set (work, STATUS_OFFLINE, "", AWAKE);
  assert_summary (state, "Offline, last in sync 2 minutes ago");
  fixture_set (work, STATUS_ERROR, "dns", AWAKE);
  assert_summary (state, "work: the server cannot be reached");
  fixture_set (work, STATUS_AUTH_FAILED, "auth", AWAKE);
  assert_summary (state, "work: password refused");
  fixture_set (work, STATUS_CONNECTING, "", AWAKE);
  assert_summary (state, "work: connecting…");
  fixture_set (work, STATUS_PAUSED, "", AWAKE);
  assert_summary (state, "Paused");
  work->paused_until = NOW + HOUR;
  assert_summary (state, "Paused until 15:05");
  fixture_set (work, STATUS_WATCHING, "", AWAKE);
  work->held = 2;
  assert_summary (state, "work: 2 messages could not be synchronized");
  fixture_conflict (work, 1, "mass-deletion", "INBOX");
  assert_summary (state, "work: many messages vanished, waiting for your answer");
}

static void
test_summary_of_many (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);
  Account *private = fixture_add (state, "private", STATUS_WATCHING);

  work->last_sync = NOW - 30;
  private->last_sync = NOW - 2 * HOUR;
  assert_summary (state, "All mail in sync, 2 hours ago");
  assert_takes ("All mail in sync, 12:05", wording_summary_lasting (state, now));
  fixture_set (private, STATUS_SYNCING, "", AWAKE);
  assert_summary (state, "private: synchronizing…");
  fixture_set (work, STATUS_PAUSED, "", AWAKE);
  assert_summary (state, "work: paused");
  fixture_set (private, STATUS_PAUSED, "", AWAKE);
  assert_summary (state, "Paused");
  fixture_set (private, STATUS_OFFLINE, "", AWAKE);
  assert_summary (state, "private: offline, last in sync 2 hours ago");
  fixture_set (work, STATUS_OFFLINE, "", AWAKE);
  assert_summary (state, "Offline, last in sync 2 hours ago");
  private->last_sync = 0;
  assert_summary (state, "Offline");
  fixture_set (work, STATUS_ERROR, "certificate", AWAKE);
  assert_summary (state, "work: the server’s certificate is not trusted");
}

/* What network there is: the service tells it as a code beside the status. */
static void
test_networks (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);

  work->last_sync = NOW - 125;
  fixture_set (work, STATUS_OFFLINE, "portal", AWAKE);
  assert_summary (state, "work: this network asks for a login");
  assert_takes ("This network asks for a login", wording_trouble (work));
  fixture_set (work, STATUS_OFFLINE, "refused", AWAKE);
  assert_summary (state, "work: the server cannot be reached");
  fixture_set (work, STATUS_OFFLINE, "", AWAKE);
  assert_summary (state, "Offline, last in sync 2 minutes ago");
  fixture_set (work, STATUS_PAUSED, "metered", AWAKE);
  assert_summary (state, "Paused: the network is metered");
  assert_takes ("paused, the network is metered", wording_account (work, now));
  fixture_set (work, STATUS_WATCHING, "", AWAKE);
  work->waiting = 1;
  assert_summary (state, "1 large message waits for a network that is not metered");
  work->waiting = 3;
  assert_takes ("3 large messages wait for a network that is not metered",
                wording_account (work, now));
  g_assert_cmpint (account_mood (work), ==, MOOD_PAUSED);
  fixture_set (work, STATUS_SYNCING, "", AWAKE);
  assert_summary (state, "Synchronizing…");
}

static void
test_every_error_code_has_words (void)
{
  static const char *const codes[] = {
      "certificate", "auth",     "keyring",  "dns",       "refused", "timeout",        "portal",
      "capability",  "protocol", "database", "disk-full", "config",  "from the future"};
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);

  g_assert_null (wording_trouble (work));
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++) {
    g_autofree char *title = NULL;
    g_autofree char *body = NULL;
    g_autofree char *phrase = NULL;

    fixture_set (work, STATUS_ERROR, codes[i], AWAKE);
    title = wording_trouble (work);
    body = wording_trouble_body (work);
    phrase = wording_account (work, now);
    g_assert_cmpuint (strlen (title), >, 5);
    g_assert_cmpuint (strlen (body), >, 10);
    g_assert_true (g_str_has_suffix (body, "."));
    g_assert_false (g_str_has_suffix (phrase, "."));
    g_assert_null (strstr (phrase, "in sync"));
  }
}

static void
test_every_conflict_has_words (void)
{
  static const char *const kinds[] = {
      "flags",          "delete-vs-change", "mailbox-delete-vs-change",
      "mass-deletion",  "refused",          "unreadable",
      "read-only",      "uidvalidity",      "mailbox-name",
      "from the future"};
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    Conflict *conflict = fixture_conflict (work, i, kinds[i], "Box");
    const char *const *choices = conflict_choices (kinds[i]);
    g_autofree char *one = wording_conflict_title (conflict, 1);
    g_autofree char *many = wording_conflict_title (conflict, 5);
    g_autofree char *sentence = wording_conflict (work, conflict);

    g_assert_cmpuint (strlen (one), >, 5);
    g_assert_cmpuint (strlen (many), >, 5);
    g_assert_nonnull (strstr (sentence, "“Box”"));
    g_assert_nonnull (choices[0]);
    for (guint j = 0; choices[j] != NULL; j++)
      g_assert_cmpuint (strlen (wording_choice (kinds[i], choices[j])), >, 3);
  }
}

static void
test_servers_in_conflicts (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);
  Conflict *conflict = fixture_conflict (work, 1, "uidvalidity", "Box");

  conflict->side = g_strdup ("remote");
  assert_takes ("“Box” got new numbers on mail.example.org; its messages were recognized, nothing "
                "is lost.",
                wording_conflict (work, conflict));
  g_free (conflict->side);
  conflict->side = g_strdup ("local");
  g_free (work->local);
  work->local = g_strdup ("tunnel /usr/lib/dovecot/imap");
  assert_takes ("“Box” got new numbers on the local server; its messages were recognized, nothing "
                "is lost.",
                wording_conflict (work, conflict));
}

int
main (int argc, char **argv)
{
  fixture_init ();
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/applet/wording/ago", test_ago);
  g_test_add_func ("/applet/wording/clock", test_clock);
  g_test_add_func ("/applet/wording/summary-of-one", test_summary_of_one);
  g_test_add_func ("/applet/wording/summary-of-many", test_summary_of_many);
  g_test_add_func ("/applet/wording/networks", test_networks);
  g_test_add_func ("/applet/wording/every-error-code-has-words", test_every_error_code_has_words);
  g_test_add_func ("/applet/wording/every-conflict-has-words", test_every_conflict_has_words);
  g_test_add_func ("/applet/wording/servers-in-conflicts", test_servers_in_conflicts);
  return g_test_run ();
}
