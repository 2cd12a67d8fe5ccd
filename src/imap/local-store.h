/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* Mail that is kept on this machine without a server: Dovecot's imap program, started for each
 * connection, with a configuration of its own in the store's folder. No daemon, no port, nothing of
 * a Dovecot that may run besides. */

/* A colon-separated list of folders to look for Dovecot's programs in, instead of the usual ones.
 */
#define LOCAL_STORE_PATH_VARIABLE "IMAPSYNC_DOVECOT_PATH"

/* Dovecot's imap program; NULL and an error that names the package where there is none. (transfer
 * full) */
char *local_store_program (GError **error);

/* Whether all is there that a store needs, which is made by local_store_prepare(); *@exists: it was
 * made. Writes nothing. */
gboolean local_store_check (const ServerSettings *server, gboolean *exists, GError **error);

/* Makes the folders (0700) and writes dovecot.conf where it is not what it has to be. Returns the
 * shell command that speaks IMAP for @server (type SERVER_STORE). Errors are IMAPSYNC_ERROR_CONFIG
 * or _DISK_FULL. (transfer full) */
char *local_store_prepare (const ServerSettings *server, GError **error);

G_END_DECLS
