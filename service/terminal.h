/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "password.h"

G_BEGIN_DECLS

/* Asks for a secret in one line: on the terminal, behind @prompt and without showing what is typed;
 * where standard input is none, it is the first line of that. Blocks. What ends the program while
 * it asks leaves the terminal as it was.
 * IMAPSYNC_ERROR_CONFIG for nothing, for what is too long, or is no text in UTF-8. */
Password *terminal_ask_secret (const char *prompt, GError **error);

G_END_DECLS
