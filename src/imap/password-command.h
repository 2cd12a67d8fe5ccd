/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A command that prints a password or a token on its first line, run by /bin/sh in a session of its
 * own while the thread-default GMainContext goes on. Its standard error is ours. */
typedef struct _PasswordCommand PasswordCommand;

/* Once: @secret, which is wiped afterwards; or an IMAPSYNC_ERROR_KEYRING, the end of a sentence
 * that begins with what failed. Never from inside a function of this header. */
typedef void (*PasswordCallback) (const char *secret, const GError *error, gpointer data);

PasswordCommand *password_command_start (const char *command, guint seconds,
                                         PasswordCallback callback, gpointer data);

/* Ends the command, if it still runs, and frees @command: no callback comes any more. */
void password_command_free (PasswordCommand *command);

G_END_DECLS
