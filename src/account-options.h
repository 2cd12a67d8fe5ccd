/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config-file.h"
#include "records.h"

G_BEGIN_DECLS

/* What the options of a configuration are called, where they may stand and what they may say. */

/* That every section and option of @file has a name that is known there, and every option before
 * the first section a value that is right, whether or not a server will use it. */
gboolean account_options_check (const ConfigFile *file, GError **error);

/* Fills @server from its own section and from what stands before the first section. A default that
 * makes no sense for the server's type does not count; in its own section it is an error. */
gboolean account_options_apply (const ConfigFile *file, ServerSettings *server, GError **error);

/* The account's own option @name into @number, which stays as it is where the file has none. */
gboolean account_options_number (const ConfigFile *file, const char *name, guint smallest,
                                 guint largest, guint *number, GError **error);

/* The same for one of @names, whose index it is, and for YES or NO. */
gboolean account_options_name (const ConfigFile *file, const char *name, const char *const *names,
                               gsize n, guint *index, GError **error);
gboolean
account_options_boolean (const ConfigFile *file, const char *name, gboolean *value, GError **error);

/* @value as an absolute path: "~/" is the home folder, relative ones start from @base. */
char *account_options_path (const char *value, const char *base);

G_END_DECLS
