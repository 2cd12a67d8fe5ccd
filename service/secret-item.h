/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

#include <libsecret/secret.h>

G_BEGIN_DECLS

/* What our passwords are filed under in the Secret Service: application=imapsync, account=ID,
 * side=local|remote, whatever program put them there. */

extern const SecretSchema secret_item_schema;

/* (transfer full) */
GHashTable *secret_item_attributes (const char *account, Side side);

G_END_DECLS
