/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "run.h"

#include "log.h"
#include "options.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
  GMainLoop *loop;
  GPtrArray *accounts; /* SyncAccount */
  Progress *progress;
  guint running;
  SyncResult result; /* the worst so far */
  gboolean stopping;
} Run;

static void
on_progress (SyncAccount *account, const SyncProgress *state, gpointer data)
{
  Run *self = data;
  progress_update (self->progress, account, state);
}

static void
on_finished (SyncAccount *account, SyncResult result, gpointer data)
{
  Run *self = data;

  progress_remove (self->progress, account);
  self->result = MAX (self->result, result);
  if (--self->running == 0)
    g_main_loop_quit (self->loop);
}

static gboolean
on_signal (Run *self, int number)
{
  if (self->stopping) {
    log_set_status (NULL);
    /* So that whoever waits for us sees what it was. */
    signal (number, SIG_DFL);
    raise (number);
  }
  self->stopping = TRUE;
  for (guint i = 0; i < self->accounts->len; i++)
    sync_account_stop (g_ptr_array_index (self->accounts, i));
  return G_SOURCE_CONTINUE;
}

static gboolean
on_sigint (gpointer data)
{
  return on_signal (data, SIGINT);
}

static gboolean
on_sigterm (gpointer data)
{
  return on_signal (data, SIGTERM);
}

/* A configuration error may carry an example in lines of its own. */
static void
log_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    g_warning ("%s", *line);
}

static SyncResult
run_accounts (GPtrArray *configs, const SyncRequest *request)
{
  static const SyncListener listener = {on_progress, on_finished};
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GPtrArray) accounts =
      g_ptr_array_new_with_free_func ((GDestroyNotify)sync_account_free);
  g_autoptr (Progress) progress = progress_new (configs->len);
  Run self = {loop, accounts, progress, configs->len, SYNC_RESULT_OK, FALSE};
  guint sigint = g_unix_signal_add (SIGINT, on_sigint, &self);
  guint sigterm = g_unix_signal_add (SIGTERM, on_sigterm, &self);

  for (guint i = 0; i < configs->len; i++)
    g_ptr_array_add (accounts,
                     sync_account_new (g_ptr_array_index (configs, i), request, &listener, &self));
  for (guint i = 0; i < accounts->len; i++)
    sync_account_start (g_ptr_array_index (accounts, i));
  g_main_loop_run (loop);
  g_source_remove (sigint);
  g_source_remove (sigterm);
  return self.result;
}

static int
print (const char *text)
{
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return SYNC_RESULT_OK;
  g_warning ("standard output: %s", g_strerror (errno));
  return SYNC_RESULT_CONFIG;
}

/* Else the first file that is opened takes the number of a closed standard stream, and messages go
 * into the database. For reading only, so that writing what was asked for still fails. */
static void
fill_standard_streams (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close (fd);
}

int
run (int argc, const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Options) options = options_parse (argc, argv, &error);
  g_autoptr (GPtrArray) configs = NULL;

  fill_standard_streams ();
  log_start (options != NULL ? options->level : LOG_LEVEL_NORMAL);
  /* A tunnel or a reader that goes away is an error of a write, not our end. */
  signal (SIGPIPE, SIG_IGN);
  if (options == NULL) {
    g_warning ("%s", error->message);
    g_warning ("%s", _ ("\"imapsync --help\" shows what there is"));
    return SYNC_RESULT_CONFIG;
  }
  if (options->help) {
    g_autofree char *help = options_help ();
    return print (help);
  }
  if (options->version)
    return print (PACKAGE_NAME " " PACKAGE_VERSION "\n");
  configs = account_configs_load ((const char *const *)options->configs->pdata, &error);
  if (configs == NULL) {
    log_lines (error->message);
    return SYNC_RESULT_CONFIG;
  }
  log_show_accounts (configs->len > 1);
  return run_accounts (configs, &options->request);
}
