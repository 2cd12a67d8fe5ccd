/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "secret-item.h"

/* A locked gnome-keyring that was never open shows no schema: to ask for its name would find
 * nothing. */
const SecretSchema secret_item_schema = {
    "org.imapsync.Sync1.Password",
    SECRET_SCHEMA_DONT_MATCH_NAME,
    {
        {"application", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {"account", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {"side", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {NULL, 0},
    },
};

GHashTable *
secret_item_attributes (const char *account, Side side)
{
  return secret_attributes_build (&secret_item_schema, "application", PACKAGE_NAME, "account",
                                  account, "side", side_name (side), NULL);
}
