/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "run.h"

#include "check.h"
#include "handover.h"
#include "import-interimap.h"
#include "log.h"
#include "options.h"
#include "service.h"
#include "setup.h"
#include "store-password.h"
#include "sync/account.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* A configuration error may carry an example in lines of its own. */
static void
log_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    g_warning ("%s", *line);
}

static SyncResult
run_accounts (const char *const *paths, GPtrArray *configs, const SyncRequest *request)
{
  g_autoptr (Service) service = NULL;
  SyncResult others = SYNC_RESULT_OK, ours;

  /* A dry run is about a copy of the database, which whoever has it cannot make. */
  if (request->mode != SYNC_STAY && !request->dry_run)
    others = handover_try (configs, request);
  if (configs->len == 0)
    return others;
  service = service_new (paths, configs, request);
  ours = service_run (service);
  return MAX (others, ours);
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

static int
run_store_password (GPtrArray *configs, Side side)
{
  g_autoptr (GError) error = NULL;

  if (configs->len > 1) {
    g_warning ("%s", _ ("--store-password is about one account: --config=FILE says which"));
    return SYNC_RESULT_CONFIG;
  }
  if (store_password (g_ptr_array_index (configs, 0), side, &error))
    return SYNC_RESULT_OK;
  g_warning ("%s", error->message);
  return g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG) ? SYNC_RESULT_CONFIG
                                                                        : SYNC_RESULT_CONNECTION;
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
  if (options->setup) {
    const SetupAnswers answers = {
        .address = options->address,
        .host = options->host,
        .user = options->user,
        .name = options->name,
        .autoconfig = options->autoconfig,
        .ca_file = options->ca_file,
        .password = options->password_in,
        .trace = options->request.trace,
    };

    return setup_run (&answers);
  }
  if (options->import_interimap)
    return import_interimap_run (options->interimap, options->name);
  configs = account_configs_load ((const char *const *)options->configs->pdata, &error);
  if (configs == NULL) {
    log_lines (error->message);
    return SYNC_RESULT_CONFIG;
  }
  if (options->stores_password)
    return run_store_password (configs, options->side);
  if (configs->len > 1 && options->request.resolutions != NULL) {
    g_warning ("%s", _ ("--resolve is about one account: --config=FILE says which"));
    return SYNC_RESULT_CONFIG;
  }
  log_show_accounts (configs->len > 1);
  sync_accounts_agree (configs);
  if (options->check)
    return check_accounts (configs, options->request.trace);
  return run_accounts ((const char *const *)options->configs->pdata, configs, &options->request);
}
