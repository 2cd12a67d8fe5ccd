/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* Passwords from the Secret Service of the session (gnome-keyring, KWallet, KeePassXC).
 *
 * What they are found by: see secret-item.h. store-password.h makes one, and so does
 * `secret-tool store --label=... application imapsync account ID side remote`.
 * Nothing here prompts but secrets_unlock(); nothing that may prompt is ever cancelled, which
 * gnome-keyring does not survive. Without a bus or a service there are no passwords, and nothing
 * fails. */
typedef struct _Secrets Secrets;

/* What secrets_want() found; once for each, and again whenever the answer is another one.
 * @password NULL: there is none, or, if @locked, it cannot be read now. */
typedef void (*SecretsAnswer) (const char *account, Side side, Password *password, gboolean locked,
                               gpointer data);

Secrets *secrets_new (SecretsAnswer answer, gpointer data);
/* No answer comes after it. */
void secrets_free (Secrets *secrets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secrets, secrets_free)

/* Answers now, and whenever it changes until secrets_forget(). Asking again answers again. */
void secrets_want (Secrets *secrets, const char *account, Side side);
void secrets_forget (Secrets *secrets, const char *account);

/* There is a session bus again. */
void secrets_reconnect (Secrets *secrets);

/* @error NULL: nothing that @account wants is locked any more. Else BUS_ERROR_KEYRING. */
typedef void (*SecretsUnlocked) (const GError *error, gpointer data);

/* Asks the user to unlock what @account wants: one prompt at a time, for all accounts. */
void secrets_unlock (Secrets *secrets, const char *account, SecretsUnlocked done, gpointer data);

G_END_DECLS
