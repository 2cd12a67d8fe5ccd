/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "log-account.h"

static GPrivate account_id = G_PRIVATE_INIT (g_free);

void
log_account_set (const char *id)
{
  g_private_replace (&account_id, g_strdup (id));
}

const char *
log_account_get (void)
{
  return g_private_get (&account_id);
}
