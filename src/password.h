/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A password or a token. It is in one place of memory, however many have it: a copy is another
 * reference, in any thread, and whoever lets go last wipes it. Never changes. */
typedef struct _Password Password;

Password *password_new (const char *text);

/* NULL stays NULL. */
Password *password_ref (Password *password);
void password_unref (Password *password);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Password, password_unref)

/* NULL for NULL; as long as somebody has @password. */
const char *password_text (const Password *password);
gboolean password_equal (const Password *a, const Password *b);

/* For everything else that has a secret in it for a moment, the answers of a login and lines of a
 * file: wipes the string @text, if there is one, and frees it. What is built up has to be as large
 * as it will be from the start, as memory that moves leaves copies behind. */
void secret_wipe (char *text);

/* The same for a GString. */
void secret_wipe_string (GString *text);

G_END_DECLS
