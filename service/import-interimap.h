/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"
#include "sync/import.h"

G_BEGIN_DECLS

/* --import-interimap: makes a configuration and a database from InterIMAP's. @path is its
 * configuration, NULL the usual one; @name the new account's, NULL: after the file. */
SyncResult import_interimap_run (const char *path, const char *name);

/* InterIMAP's configuration in our words, with a comment for what has no counterpart.
 * IMAPSYNC_ERROR_CONFIG. *@database: the file name it gives for its database, or NULL. (transfer
 * full) */
char *import_interimap_convert (const char *path, char **database, GError **error);

G_END_DECLS
