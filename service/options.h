/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "log.h"
#include "setup.h"
#include "sync/account.h"

G_BEGIN_DECLS

/* What the command line asks for. */
typedef struct {
  GPtrArray *configs; /* file names as given, NULL-terminated */
  SyncRequest request;
  LogLevel level;
  gboolean import_interimap;
  char *interimap;          /* its configuration; NULL: the usual one */
  char *name;               /* of the account that is made; NULL: none was given */
  gboolean check;           /* look at the servers, and that is all */
  gboolean stores_password; /* of side */
  Side side;
  gboolean setup;
  char *address;
  char *host;
  char *user;
  char *autoconfig;
  char *ca_file;
  SetupPassword password_in;
  gboolean help;
  gboolean version;
} Options;

void options_free (Options *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Options, options_free)

/* @argv as main() has it. Options may stand behind arguments, "--" ends them; --help and --version
 * win over whatever else is wrong behind them. Errors are IMAPSYNC_ERROR_CONFIG, translated. */
Options *options_parse (int argc, const char *const *argv, GError **error);

/* The text of --help, in the user's language. (transfer full) */
char *options_help (void);

G_END_DECLS
