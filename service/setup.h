/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"

G_BEGIN_DECLS

/* Where the password goes. */
typedef enum {
  SETUP_PASSWORD_ASK,     /* the keyring; where it does not take it, the user is asked */
  SETUP_PASSWORD_KEYRING, /* there or nowhere */
  SETUP_PASSWORD_FILE,    /* the configuration */
  SETUP_PASSWORD_NONE,    /* nowhere: it is given some other way later */
} SetupPassword;

/* What was answered beforehand; NULL is asked for where there is a terminal, else guessed. */
typedef struct {
  const char *address;
  const char *host; /* or HOST:PORT */
  const char *user;
  const char *name;       /* of the account */
  const char *autoconfig; /* URL */
  const char *ca_file;    /* NULL: public authorities */
  SetupPassword password;
  gboolean trace;
} SetupAnswers;

/* --setup: the first configuration of an account at a provider, with a local store. Looks at the
 * server before anything is written. */
SyncResult setup_run (const SetupAnswers *answers);

G_END_DECLS
