/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "applet-fixture.h"
#include "notify-policy.h"

#include <locale.h>

/* The kinds, the most important first, separated by spaces. */
static char *
kinds_at (const State *state, gint64 awake, guint *again_in)
{
  g_autoptr (GPtrArray) notices = notify_policy (state, (Clock){NOW, awake}, again_in);
  GString *kinds = g_string_new (NULL);

  for (guint i = 0; i < notices->len; i++) {
    const Notice *notice = g_ptr_array_index (notices, i);

    g_string_append_printf (kinds, "%s%s", i > 0 ? " " : "", notice->kind);
  }
  return g_string_free (kinds, FALSE);
}

static void
assert_kinds (const State *state, gint64 awake, const char *kinds, guint again_in)
{
  guint again;

  assert_takes (kinds, kinds_at (state, awake, &again));
  g_assert_cmpuint (again, ==, again_in);
}

static void
test_offline_after_ten_minutes (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);

  assert_kinds (state, AWAKE, "", 0);
  fixture_set (work, STATUS_OFFLINE, "", AWAKE);
  assert_kinds (state, AWAKE, "", 600);
  /* tried again, another reason: it is the same absence */
  fixture_set (work, STATUS_CONNECTING, "", AWAKE + 100);
  fixture_set (work, STATUS_ERROR, "timeout", AWAKE + 200);
  assert_kinds (state, AWAKE + 300, "", 300);
  assert_kinds (state, AWAKE + 599, "", 1);
  assert_kinds (state, AWAKE + 600, "offline", 0);
  fixture_set (work, STATUS_CONNECTING, "", AWAKE + 700);
  assert_kinds (state, AWAKE + 700, "offline", 0);
  fixture_set (work, STATUS_SYNCING, "", AWAKE + 701);
  assert_kinds (state, AWAKE + 701, "", 0);
  fixture_set (work, STATUS_OFFLINE, "", AWAKE + 800);
  assert_kinds (state, AWAKE + 800, "", 600);
}

static void
test_an_absence_has_one_serial (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_OFFLINE);
  guint64 serial = 0;

  for (guint i = 0; i < 3; i++) {
    guint again;
    g_autoptr (GPtrArray) notices = notify_policy (state, (Clock){NOW, AWAKE + 900}, &again);
    const Notice *notice = g_ptr_array_index (notices, 0);

    if (i > 0)
      g_assert_cmpuint (notice->serial, ==, serial);
    serial = notice->serial;
    fixture_set (work, STATUS_CONNECTING, "", AWAKE + 901);
    fixture_set (work, i == 0 ? STATUS_ERROR : STATUS_OFFLINE, i == 0 ? "dns" : "", AWAKE + 902);
  }
}

static void
test_each_trouble (void)
{
  static const struct {
    Status status;
    const char *code;
    const char *kind;
  } cases[] = {
      {STATUS_AUTH_FAILED, "auth", "password"},
      {STATUS_ERROR, "certificate", "certificate"},
      {STATUS_ERROR, "capability", "error"},
      {STATUS_ERROR, "disk-full", "error"},
      {STATUS_ERROR, "config", "error"},
      {STATUS_ERROR, "from the future", "error"},
      {STATUS_WATCHING, "", ""},
      {STATUS_SYNCING, "", ""},
      {STATUS_PAUSED, "", ""},
      {STATUS_CONNECTING, "", ""},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (State) state = fixture_state ();
    Account *work = fixture_add (state, "work", STATUS_WATCHING);

    fixture_set (work, cases[i].status, cases[i].code, AWAKE);
    assert_kinds (state, AWAKE, cases[i].kind, 0);
    /* stays while it is tried again, goes when it worked */
    fixture_set (work, STATUS_CONNECTING, "", AWAKE + 1);
    assert_kinds (state, AWAKE + 1, cases[i].kind, 0);
    fixture_set (work, STATUS_SYNCING, "", AWAKE + 2);
    assert_kinds (state, AWAKE + 2, "", 0);
  }
}

static void
test_a_keyring_has_a_moment (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_KEYRING_LOCKED);

  assert_kinds (state, AWAKE + 1, "", 4);
  assert_kinds (state, AWAKE + 5, "keyring", 0);
  fixture_set (work, STATUS_WATCHING, "", AWAKE + 6);
  assert_kinds (state, AWAKE + 6, "", 0);
}

static void
test_the_most_important_first (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_AUTH_FAILED);
  Account *private = fixture_add (state, "private", STATUS_OFFLINE);

  work->new_mail = 1;
  fixture_conflict (work, 1, "flags", "INBOX");
  fixture_conflict (work, 2, "refused", "INBOX");
  fixture_conflict (private, 1, "mailbox-delete-vs-change", "INBOX");
  fixture_conflict (private, 2, "mass-deletion", "INBOX");
  assert_kinds (state, AWAKE + 600,
                "mass-deletion password mailbox-deleted refused offline changed new-mail", 0);
}

static void
test_conflicts_are_gathered (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "work", STATUS_WATCHING);
  g_autoptr (GPtrArray) notices = NULL;
  const Notice *notice;
  const NoticeButton *button;
  guint again;

  for (guint i = 1; i <= 5; i++)
    fixture_conflict (work, i, i % 2 == 0 ? "read-only" : "mailbox-name", "Box");
  notices = notify_policy (state, now, &again);
  g_assert_cmpuint (notices->len, ==, 1);
  notice = g_ptr_array_index (notices, 0);
  g_assert_cmpstr (notice->summary, ==, "work: 5 things to look at");
  g_assert_true (g_str_has_suffix (notice->body, "\nand 2 more"));
  g_assert_cmpuint (notice->serial, ==, 5);
  g_assert_true (notice->lasting);
  g_assert_cmpuint (notice->buttons->len, ==, 2);
  button = g_ptr_array_index (notice->buttons, 0);
  g_assert_cmpstr (button->action->choice, ==, "retry");
  g_assert_cmpuint (button->action->conflicts->len, ==, 5);
}

static void
test_buttons_are_three_at_most (void)
{
  static const char *const kinds[] = {
      "flags",         "delete-vs-change", "mailbox-delete-vs-change",
      "mass-deletion", "refused",          "unreadable",
      "read-only",     "uidvalidity",      "mailbox-name",
      "unknown"};

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autoptr (State) state = fixture_state ();
    g_autoptr (GPtrArray) notices = NULL;
    guint again;

    fixture_conflict (fixture_add (state, "work", STATUS_WATCHING), 1, kinds[i], "Box");
    notices = notify_policy (state, now, &again);
    g_assert_cmpuint (notices->len, ==, 1);
    g_assert_cmpuint (((const Notice *)g_ptr_array_index (notices, 0))->buttons->len, <=, 3);
  }
}

int
main (int argc, char **argv)
{
  fixture_init ();
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/applet/policy/offline-after-ten-minutes", test_offline_after_ten_minutes);
  g_test_add_func ("/applet/policy/an-absence-has-one-serial", test_an_absence_has_one_serial);
  g_test_add_func ("/applet/policy/each-trouble", test_each_trouble);
  g_test_add_func ("/applet/policy/a-keyring-has-a-moment", test_a_keyring_has_a_moment);
  g_test_add_func ("/applet/policy/the-most-important-first", test_the_most_important_first);
  g_test_add_func ("/applet/policy/conflicts-are-gathered", test_conflicts_are_gathered);
  g_test_add_func ("/applet/policy/buttons-are-three-at-most", test_buttons_are_three_at_most);
  return g_test_run ();
}
