/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "log-account.h"
#include "log.h"
#include "options.h"
#include "progress.h"
#include "run.h"
#include "sync/import.h"
#include "sync/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in place of the engine: an account does what its id says ---- */

struct _SyncAccount {
  char *id;
  SyncMode mode;
  char *mailboxes;
  SyncListener listener;
  gpointer data;
  guint source;
  gint64 begun;
  guint late; /* updates after the line must be there */
  SyncResult result;
};

void
sync_accounts_agree (const GPtrArray *configs)
{
}

gboolean
import_interimap (const AccountConfig *config, const char *path, ImportFigures *figures,
                  GError **error)
{
  *figures = (ImportFigures){0};
  return TRUE;
}

Inspection *
inspection_new (void)
{
  return g_new0 (Inspection, 1);
}

void
inspection_free (Inspection *inspection)
{
  g_free (inspection);
}

Inspection *
inspect_server (const ServerSettings *server, gboolean trace)
{
  return inspection_new ();
}

SyncAccount *
sync_account_new (const AccountConfig *config, const SyncRequest *request,
                  const SyncListener *listener, gpointer data)
{
  SyncAccount *account = g_new0 (SyncAccount, 1);

  account->id = g_strdup (config->id);
  account->mode = request->mode;
  account->mailboxes =
      request->mailboxes != NULL ? g_strjoinv ("|", request->mailboxes) : g_strdup ("subscribed");
  account->listener = *listener;
  account->data = data;
  return account;
}

static gboolean
finish (gpointer data)
{
  SyncAccount *account = data;

  account->source = 0;
  account->listener.finished (account, account->result, account->data);
  return G_SOURCE_REMOVE;
}

static gboolean
work_long (gpointer data)
{
  SyncAccount *account = data;
  gint64 elapsed = g_get_monotonic_time () - account->begun;
  SyncProgress progress = {"apply", (guint)(elapsed / 20000), 12, 34, 5000000, 7000000};

  if (elapsed > 1600000 && account->late > 5)
    return finish (account);
  if (elapsed > 1050000 && ++account->late == 5)
    g_message ("half way\n\033[1mthrough");
  account->listener.progress (account, &progress, account->data);
  return G_SOURCE_CONTINUE;
}

void
sync_account_start (SyncAccount *account)
{
  static const char *const results[] = {"ok", "partial", "config", "connection", "locked"};

  log_account_set (account->id);
  g_message ("mode %d, %s", account->mode, account->mailboxes);
  log_account_set (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++) {
    if (g_str_equal (account->id, results[i])) {
      account->result = i;
      account->source = g_idle_add (finish, account);
    }
  }
  if (g_str_equal (account->id, "long")) {
    account->begun = g_get_monotonic_time ();
    account->source = g_timeout_add (1, work_long, account);
  }
  if (g_str_equal (account->id, "chatty")) {
    g_debug ("a debug message");
    g_info ("an info");
    g_message ("a message");
    g_warning ("a warning");
    g_log ("GLib-GIO", G_LOG_LEVEL_DEBUG, "a library's debug message");
    g_log ("GLib-GIO", G_LOG_LEVEL_MESSAGE, "a library's message");
    g_log ("GLib-GIO", G_LOG_LEVEL_WARNING, "a library's warning");
    account->source = g_idle_add (finish, account);
  }
}

void
sync_account_stop (SyncAccount *account)
{
  g_message ("stopping");
  account->result = SYNC_RESULT_PARTIAL;
  if (g_str_equal (account->id, "stay"))
    account->source = g_idle_add (finish, account);
}

void
sync_account_free (SyncAccount *account)
{
  g_clear_handle_id (&account->source, g_source_remove);
  g_free (account->id);
  g_free (account->mailboxes);
  g_free (account);
}

/* What only the bus asks for: tests/bus has an engine for that. */

const char *
sync_status_name (SyncStatus status)
{
  return "watching";
}

void
sync_account_sync (SyncAccount *account, const char *const *mailboxes, gboolean repair,
                   SyncDone done, gpointer data)
{
}

void
sync_account_pause (SyncAccount *account, gint64 until)
{
}

void
sync_account_resume (SyncAccount *account)
{
}

void
sync_account_network (SyncAccount *account, SyncNetwork network)
{
}

void
sync_account_sleep (SyncAccount *account, gboolean sleeping)
{
}

void
sync_account_set_password (SyncAccount *account, Side side, Password *password, gboolean locked)
{
}

void
sync_account_list_conflicts (SyncAccount *account, SyncConflictsDone done, gpointer data)
{
}

void
sync_account_resolve (SyncAccount *account, guint64 id, const char *choice, SyncDone done,
                      gpointer data)
{
}

/* ---- a run of the program in a process of its own ---- */

static char *home;

typedef struct {
  int status; /* as waitpid() tells it */
  char *out;
  char *err;
} Outcome;

static void
outcome_clear (Outcome *outcome)
{
  g_free (outcome->out);
  g_free (outcome->err);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

static pid_t
spawn (const char *const *argv, int out, int err)
{
  pid_t pid;

  fflush (stdout);
  fflush (stderr);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    dup2 (out, STDOUT_FILENO);
    dup2 (err, STDERR_FILENO);
    /* g_test_init() made warnings fatal and took the log over. */
    g_log_set_always_fatal (G_LOG_FATAL_MASK);
    g_log_set_default_handler (g_log_default_handler, NULL);
    exit (run (g_strv_length ((char **)argv), argv));
  }
  close (err);
  return pid;
}

/* Reads to the end; sends SIGTERM to @pid as often as @signals says, each time @err says something
 * that ends in a new line. */
static char *
read_to_end (int fd, pid_t pid, guint signals)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char bytes[4096];
  gssize got;

  /* The other end of a terminal goes away with EIO. */
  while ((got = read (fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR)) {
    g_string_append_len (text, bytes, MAX (got, 0));
    if (signals > 0 && g_str_has_suffix (text->str, "\n")) {
      kill (pid, SIGTERM);
      signals--;
    }
  }
  close (fd);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
run_program (Outcome *outcome, guint signals, gboolean on_terminal, const char *const *argv)
{
  g_autofree char *path = g_build_filename (home, "stdout", NULL);
  int out = g_creat (path, 0600), err[2];
  pid_t pid;

  g_assert_cmpint (out, >=, 0);
  if (on_terminal)
    g_assert_cmpint (openpty (&err[0], &err[1], NULL, NULL, NULL), ==, 0);
  else
    g_assert_cmpint (pipe (err), ==, 0);
  pid = spawn (argv, out, err[1]);
  close (out);
  outcome->err = read_to_end (err[0], pid, signals);
  g_assert_cmpint (waitpid (pid, &outcome->status, 0), ==, pid);
  g_assert_true (g_file_get_contents (path, &outcome->out, NULL, NULL));
}

#define RUN(outcome, ...)                                                                          \
  run_program (outcome, 0, FALSE, (const char *const[]){"imapsync", __VA_ARGS__, NULL})

static void
assert_run (const char *const *argv, int status, const char *out, const char *err)
{
  g_auto (Outcome) outcome = {0};

  run_program (&outcome, 0, FALSE, argv);
  g_assert_true (WIFEXITED (outcome.status));
  g_assert_cmpstr (outcome.err, ==, err);
  g_assert_cmpstr (outcome.out, ==, out);
  g_assert_cmpint (WEXITSTATUS (outcome.status), ==, status);
}

#define ASSERT_RUN(status, out, err, ...)                                                          \
  assert_run ((const char *const[]){"imapsync", ##__VA_ARGS__, NULL}, status, out, err)

#define SEE_HELP "imapsync: \"imapsync --help\" shows what there is\n"

static void
test_exit_status_is_the_result (void)
{
  ASSERT_RUN (0, "", "imapsync: mode 0, subscribed\n", "--config=ok");
  ASSERT_RUN (1, "", "imapsync: mode 0, subscribed\n", "--config=partial");
  ASSERT_RUN (2, "", "imapsync: mode 0, subscribed\n", "--config=config");
  ASSERT_RUN (3, "", "imapsync: mode 0, subscribed\n", "--config=connection");
  ASSERT_RUN (4, "", "imapsync: mode 0, subscribed\n", "--config=locked");
}

static void
test_several_accounts_have_the_worst_result_and_are_named (void)
{
  ASSERT_RUN (3, "",
              "imapsync: connection: mode 1, subscribed\n"
              "imapsync: ok: mode 1, subscribed\n"
              "imapsync: partial: mode 1, subscribed\n",
              "-1", "--config=connection", "--config", "ok", "--config=partial");
}

static void
test_arguments_reach_the_engine (void)
{
  ASSERT_RUN (0, "", "imapsync: mode 1, INBOX|Lists/a b|-x\n", "INBOX", "--oneshot", "--config=ok",
              "Lists/a b", "--", "-x");
  ASSERT_RUN (0, "", "imapsync: mode 2, subscribed\n", "--repair", "-1", "--config=ok");
}

static void
test_levels (void)
{
  ASSERT_RUN (0, "",
              "imapsync: mode 0, subscribed\n"
              "imapsync: an info\n"
              "imapsync: a message\n"
              "imapsync: a warning\n"
              "imapsync: GLib-GIO: a library's warning\n",
              "--config=chatty");
  ASSERT_RUN (0, "",
              "imapsync: a warning\n"
              "imapsync: GLib-GIO: a library's warning\n",
              "--config=chatty", "-q");
  ASSERT_RUN (0, "",
              "imapsync: mode 0, subscribed\n"
              "imapsync: a debug message\n"
              "imapsync: an info\n"
              "imapsync: a message\n"
              "imapsync: a warning\n"
              "imapsync: GLib-GIO: a library's warning\n",
              "--config=chatty", "--debug");
}

static void
test_quiet_is_silent_when_all_is_well (void)
{
  ASSERT_RUN (0, "", "", "--quiet", "--config=ok");
  ASSERT_RUN (0, "", "", "-q1", "--config=ok");
}

static void
test_usage_errors (void)
{
  static const struct {
    const char *argument;
    const char *error;
  } cases[] = {
      {"--onshot", "unknown option \"--onshot\"; did you mean \"--oneshot\"?"},
      {"--conf=x", "unknown option \"--conf\"; did you mean \"--config\"?"},
      {"--quite", "unknown option \"--quite\"; did you mean \"--quiet\"?"},
      {"-debug", "unknown option \"-debug\"; did you mean \"--debug\"?"},
      {"-v", "unknown option \"-v\"; did you mean \"--version\"?"},
      {"-r", "unknown option \"-r\"; did you mean \"--repair\"?"},
      {"--quiet=no", "option --quiet takes no value"},
      {"--config", "option --config needs a value"},
      {"--config=", "option --config needs a value"},
      {"", "an argument is empty, which is no mailbox's name"},
      {"Entw\xfcrfe", "mailbox \"Entw\xef\xbf\xbdrfe\" is not named in UTF-8"},
      {"--help\n\033[2J=1", "unknown option \"--help\\n\\x1b[2J\"; did you mean \"--help\"?"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *expected = g_strdup_printf ("imapsync: %s\n" SEE_HELP, cases[i].error);
    ASSERT_RUN (2, "", expected, cases[i].argument);
  }
}

static void
test_help_and_version_are_all_that_standard_output_gets (void)
{
  g_auto (Outcome) help = {0};
  g_auto (Outcome) letter = {0};

  RUN (&help, "--help");
  RUN (&letter, "-qh", "--nonsense");
  g_assert_true (g_str_has_prefix (help.out, "Usage: imapsync [OPTION...] [MAILBOX...]\n"));
  for (const char *const *name =
           (const char *const[]){"\n      --config=FILE  another", "\n  -1, --oneshot ",
                                 "\n      --repair ", "\n  -q, --quiet ", "\n      --debug ",
                                 "\n  -h, --help ", "\n      --version ", "\nExit status: ", NULL};
       *name != NULL; name++)
    g_assert_cmpstr (strstr (help.out, *name), !=, NULL);
  g_assert_cmpstr (help.err, ==, "");
  g_assert_cmpint (help.status, ==, 0);
  g_assert_cmpstr (letter.out, ==, help.out);
  g_assert_cmpint (letter.status, ==, 0);
  ASSERT_RUN (0, "imapsync " PACKAGE_VERSION "\n", "", "--version");
}

static void
test_closed_streams_are_not_taken_by_files (void)
{
  pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
      close (fd);
    g_log_set_default_handler (g_log_default_handler, NULL);
    g_log_set_always_fatal (G_LOG_FATAL_MASK);
    status = run (2, (const char *const[]){"imapsync", "--version", NULL});
    _exit (status == 2 && open (home, O_RDONLY) > STDERR_FILENO ? 0 : 1);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static void
test_configuration_errors (void)
{
  g_autofree char *missing = g_strdup_printf (
      "imapsync: %s/config/imapsync: there is no such file or folder; the shortest configuration "
      "is\n"
      "imapsync: [local]\nimapsync: type=tunnel\nimapsync: command=/usr/lib/dovecot/imap\n"
      "imapsync: [remote]\nimapsync: host=imap.example.org\n"
      "imapsync: username=me@example.org\nimapsync: password=secret\n",
      home);
  g_autofree char *wrong = g_strdup_printf (
      "imapsync: %s/config/wrong:1: unknown option \"hots\"; did you mean \"host\"?\n", home);

  assert_run ((const char *const[]){"imapsync", NULL}, 2, "", missing);
  ASSERT_RUN (2, "", wrong, "--config=wrong", "--quiet");
}

static void
test_signal_stops_the_accounts (void)
{
  g_auto (Outcome) outcome = {0};

  run_program (&outcome, 1, FALSE, (const char *const[]){"imapsync", "--config=stay", NULL});
  g_assert_cmpstr (outcome.err, ==,
                   "imapsync: mode 0, subscribed\n"
                   "imapsync: stopping\n");
  g_assert_true (WIFEXITED (outcome.status));
  g_assert_cmpint (WEXITSTATUS (outcome.status), ==, 1);
}

static void
test_second_signal_ends_at_once (void)
{
  g_auto (Outcome) outcome = {0};

  run_program (&outcome, 2, FALSE, (const char *const[]){"imapsync", "--config=stubborn", NULL});
  g_assert_true (WIFSIGNALED (outcome.status));
  g_assert_cmpint (WTERMSIG (outcome.status), ==, SIGTERM);
}

static guint
count (const char *text, const char *part)
{
  guint n = 0;

  for (const char *p = strstr (text, part); p != NULL; p = strstr (p + strlen (part), part))
    n++;
  return n;
}

static void
test_progress_on_a_terminal (void)
{
  g_auto (Outcome) outcome = {0};
  g_auto (Outcome) quick = {0};
  gint64 begun = g_get_monotonic_time ();
  guint most;

  g_setenv ("TERM", "xterm", TRUE);
  run_program (&outcome, 0, TRUE, (const char *const[]){"imapsync", "--config=long", NULL});
  g_test_message ("%s", outcome.err);
  /* Ten a second but for the first one, and one more below the message. */
  most = (g_get_monotonic_time () - begun - G_USEC_PER_SEC) / (G_USEC_PER_SEC / 10) + 2;
  g_assert_cmpint (count (outcome.err, "synchronizing"), >=, 2);
  g_assert_cmpint (count (outcome.err, "synchronizing"), <=, most);
  g_assert_nonnull (strstr (outcome.err, " %, 12 of 34 messages, 5.0"));
  g_assert_nonnull (
      strstr (outcome.err, "\r\033[Kimapsync: half way\\n\\x1b[1mthrough\r\nsynchronizing"));
  g_assert_true (g_str_has_suffix (outcome.err, "\r\033[K"));

  /* A run that takes no time shows none. */
  run_program (&quick, 0, TRUE, (const char *const[]){"imapsync", "--config=ok", NULL});
  g_assert_cmpstr (quick.err, ==, "imapsync: mode 0, subscribed\r\n");
}

static void
test_no_progress_in_a_file_or_when_quiet (void)
{
  g_auto (Outcome) file = {0};
  g_auto (Outcome) quiet = {0};

  RUN (&file, "--config=long");
  g_assert_cmpstr (file.err, ==,
                   "imapsync: mode 0, subscribed\n"
                   "imapsync: half way\\n\\x1b[1mthrough\n");
  run_program (&quiet, 0, TRUE, (const char *const[]){"imapsync", "-q", "--config=long", NULL});
  g_assert_cmpstr (quiet.err, ==, "");
}

/* ---- pure parts ---- */

static void
test_what_a_server_says_cannot_forge_a_line (void)
{
  static const char *const cases[][2] = {
      {"plain \\Seen \xc3\xa9 \xe6\x97\xa5", "plain \\Seen \xc3\xa9 \xe6\x97\xa5"},
      {"a\nimapsync: b\r\tc", "a\\nimapsync: b\\r\\tc"},
      {"\033[2J\a\x7f", "\\x1b[2J\\x07\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\u{9b}31m"},                                       /* CSI as one character */
      {"\xe2\x80\xa8|\xe2\x80\xae", "\\u{2028}|\\u{202e}"}, /* line separator, RLO */
      {"bad \xff\xc3 utf8 \xe2\x82", "bad \\xff\\xc3 utf8 \\xe2\\x82"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *escaped = log_escape (cases[i][0]);
    g_assert_cmpstr (escaped, ==, cases[i][1]);
  }
}

static void
test_line_names_account_and_library (void)
{
  static const struct {
    GLogLevelFlags level;
    const char *domain;
    const char *account;
    const char *line;
  } cases[] = {
      {G_LOG_LEVEL_WARNING, "imapsync-imap", NULL, "imapsync: x\n"},
      {G_LOG_LEVEL_DEBUG, NULL, "work", "imapsync: work: x\n"},
      {G_LOG_LEVEL_WARNING, "GLib", "wo\nrk", "imapsync: wo\\nrk: GLib: x\n"},
      {G_LOG_LEVEL_CRITICAL, "imapsync-sync", NULL, "imapsync: imapsync-sync: x\n"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *line = log_format (cases[i].level, cases[i].domain, cases[i].account, "x");
    g_assert_cmpstr (line, ==, cases[i].line);
  }
}

static void
test_status_fits_the_terminal (void)
{
  static const struct {
    const char *text;
    guint columns;
    const char *fitting;
  } cases[] = {
      {"abc", 3, "abc"},
      {"abcd", 3, "abc"},
      {"\xc3\xa9\xc3\xa9", 1, "\xc3\xa9"},
      {"a\xe6\x97\xa5\xe6\x97\xa5", 4, "a\xe6\x97\xa5"}, /* two columns each */
      {"", 3, ""},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *fitting = log_fit (cases[i].text, cases[i].columns);
    g_assert_cmpstr (fitting, ==, cases[i].fitting);
  }
}

static void
test_progress_of_several_accounts_is_one_line (void)
{
  const SyncProgress states[] = {
      {"apply", 50, 1, 10, 1000, 3000},
      {"list", 0, 0, 0, 0, 0},
      {"list", 10, 0, 0, 0, 0},
  };
  g_autofree char *none = progress_text (NULL, 0, 2);
  g_autofree char *one = progress_text (states, 1, 1);
  g_autofree char *mixed = progress_text (states, 2, 3);
  g_autofree char *same = progress_text (states + 1, 2, 2);

  g_strdelimit (one, "\xc2\xa0", ' '); /* g_format_size() puts no-break spaces in */
  g_assert_cmpstr (none, ==, "");
  g_assert_true (g_str_has_prefix (one, "synchronizing 50 %, 1 of 10 messages, 1.0"));
  g_assert_true (g_str_has_prefix (mixed, "2 of 3 accounts: synchronizing 25 %, 1 of 10 messages"));
  g_assert_cmpstr (same, ==, "2 of 2 accounts: listing mailboxes 5 %");
}

static void
put (const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (home, "config", name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
set_up_home (void)
{
  static const char *const accounts[] = {"ok",   "partial", "config",   "connection", "locked",
                                         "stay", "long",    "stubborn", "chatty"};
  g_autofree char *config = NULL;

  home = g_dir_make_tmp ("imapsync-test-XXXXXX", NULL);
  g_assert_nonnull (home);
  config = g_build_filename (home, "config", NULL);
  g_assert_cmpint (g_mkdir (config, 0700), ==, 0);
  g_setenv ("XDG_CONFIG_HOME", config, TRUE);
  g_setenv ("XDG_DATA_HOME", home, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (accounts); i++) {
    g_autofree char *text = g_strdup_printf (
        "database=%s.db\n[local]\ntype=tunnel\ncommand=x\n[remote]\n", accounts[i]);
    put (accounts[i], text);
  }
  put ("wrong", "hots=x\n");
}

static void
tear_down_home (void)
{
  g_autofree char *config = g_build_filename (home, "config", NULL);
  g_autofree char *out = g_build_filename (home, "stdout", NULL);
  g_autoptr (GDir) folder = g_dir_open (config, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *path = g_build_filename (config, name, NULL);
    g_remove (path);
  }
  g_remove (out);
  g_rmdir (config);
  g_rmdir (home);
  g_free (home);
}

int
main (int argc, char **argv)
{
  int status;

  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_setenv ("DBUS_SESSION_BUS_ADDRESS", "", TRUE);
  set_up_home ();
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/service/run/exit-status-is-the-result", test_exit_status_is_the_result);
  g_test_add_func ("/service/run/several-accounts-have-the-worst-result-and-are-named",
                   test_several_accounts_have_the_worst_result_and_are_named);
  g_test_add_func ("/service/run/arguments-reach-the-engine", test_arguments_reach_the_engine);
  g_test_add_func ("/service/run/levels", test_levels);
  g_test_add_func ("/service/run/quiet-is-silent-when-all-is-well",
                   test_quiet_is_silent_when_all_is_well);
  g_test_add_func ("/service/run/usage-errors", test_usage_errors);
  g_test_add_func ("/service/run/help-and-version",
                   test_help_and_version_are_all_that_standard_output_gets);
  g_test_add_func ("/service/run/closed-streams-are-not-taken-by-files",
                   test_closed_streams_are_not_taken_by_files);
  g_test_add_func ("/service/run/configuration-errors", test_configuration_errors);
  g_test_add_func ("/service/run/signal-stops-the-accounts", test_signal_stops_the_accounts);
  g_test_add_func ("/service/run/second-signal-ends-at-once", test_second_signal_ends_at_once);
  g_test_add_func ("/service/run/progress-on-a-terminal", test_progress_on_a_terminal);
  g_test_add_func ("/service/run/no-progress-in-a-file-or-when-quiet",
                   test_no_progress_in_a_file_or_when_quiet);
  g_test_add_func ("/service/log/what-a-server-says-cannot-forge-a-line",
                   test_what_a_server_says_cannot_forge_a_line);
  g_test_add_func ("/service/log/line-names-account-and-library",
                   test_line_names_account_and_library);
  g_test_add_func ("/service/log/status-fits-the-terminal", test_status_fits_the_terminal);
  g_test_add_func ("/service/progress/several-accounts-are-one-line",
                   test_progress_of_several_accounts_is_one_line);
  status = g_test_run ();
  tear_down_home ();
  return status;
}
