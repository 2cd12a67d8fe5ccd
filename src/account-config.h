/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "errors.h"
#include "records.h"

G_BEGIN_DECLS

/* Words of list-select-opts. */
typedef enum {
  ACCOUNT_SELECT_SUBSCRIBED = 1 << 0, /* by default: only what is subscribed on either side */
  ACCOUNT_SELECT_REMOTE = 1 << 1,     /* also what other servers have: nobody can be referred to */
  ACCOUNT_SELECT_RECURSIVEMATCH = 1 << 2, /* and what is above it */
} AccountSelect;

/* What is done while the network counts bytes. */
typedef enum {
  ACCOUNT_METERED_FULL,
  ACCOUNT_METERED_LIGHT, /* large messages wait */
  ACCOUNT_METERED_PAUSE,
} AccountMetered;

/* One account: what its configuration file says, with every default filled in. */
typedef struct {
  char *path; /* the file it was read from, absolute */
  char *id;   /* the file's name without ".conf"; "imapsync" for the default file: stable, for logs
                 and D-Bus */
  char *database;       /* absolute path */
  guint poll;           /* seconds between polls where a server can push nothing */
  char **idle;          /* mailboxes to watch with IDLE, as in list_mailbox but without patterns */
  gboolean idle_chosen; /* the file says so: also where NOTIFY would do */
  AccountMetered metered;
  gboolean notify_new_mail; /* new mail is counted for whoever shows it */
  /* Which mailboxes are synchronized. */
  char **list_mailbox;    /* patterns with * and %, MAILBOX_NAME_SEPARATOR for \x00; NULL: all */
  guint select;           /* AccountSelect, or-ed */
  GRegex *ignore_mailbox; /* not those; NULL: none */
  ServerSettings *server[N_SIDES];
} AccountConfig;

AccountConfig *account_config_copy (const AccountConfig *config);
void account_config_free (AccountConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AccountConfig, account_config_free)

/* Reads @path. Any error is IMAPSYNC_ERROR_CONFIG: "FILE:LINE: what is wrong; did you mean X?". */
AccountConfig *account_config_load (const char *path, GError **error);

/* The same from @length bytes of @text; @path is only named. For tests and fuzzing. */
AccountConfig *
account_config_parse (const char *path, const char *text, gsize length, GError **error);

/* All accounts: @paths as given with --config (relative ones start from $XDG_CONFIG_HOME), or, when
 * empty, $XDG_CONFIG_HOME/imapsync, a file or a folder of *.conf. Two accounts with one database
 * are an error that names both files. (transfer full) (element-type AccountConfig) */
GPtrArray *account_configs_load (const char *const *paths, GError **error);

G_END_DECLS
