/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"

G_BEGIN_DECLS

/* A configuration that the program itself writes: $XDG_CONFIG_HOME/imapsync/NAME.conf. Errors are
 * IMAPSYNC_ERROR_CONFIG. */

/* The path; an error where it is there already, the folder is a file, or @name is no name for one.
 * (transfer full) */
char *new_config_path (const char *name, GError **error);

/* Creates @path and its folder, 0600 and 0700, with @text, which has to be right. */
gboolean new_config_write (const char *path, const char *text, GError **error);

G_END_DECLS
