/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"

G_BEGIN_DECLS

/* Asks for the password of @config's @side and puts it into the default keyring, in the place of
 * the one that was there; a locked keyring is asked to unlock, as somebody waits here. Blocks.
 * FALSE with an IMAPSYNC_ERROR_CONFIG for what was typed, an IMAPSYNC_ERROR_KEYRING for a keyring
 * that is not there, or stays locked. */
gboolean store_password (const AccountConfig *config, Side side, GError **error);

/* The same with a @password that is known already. */
gboolean
store_password_value (const AccountConfig *config, Side side, Password *password, GError **error);

G_END_DECLS
