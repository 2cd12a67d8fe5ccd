/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Which account a line of the log is about: set once at the beginning of an account's thread, read
 * by whoever writes the log in that same thread. */

/* @id is copied; NULL: none. */
void log_account_set (const char *id);

/* What was set in this thread, or NULL. */
const char *log_account_get (void);

G_END_DECLS
