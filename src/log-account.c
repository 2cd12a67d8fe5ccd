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

static int info_hidden;

void
log_set_info (gboolean shown)
{
  g_atomic_int_set (&info_hidden, !shown);
}

gboolean
log_shows_info (void)
{
  return !g_atomic_int_get (&info_hidden);
}

void
log_mailbox (const char *domain, GLogLevelFlags level, const char *mailbox, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (level == G_LOG_LEVEL_INFO && !log_shows_info ())
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_log_structured (domain, level, LOG_FIELD_MAILBOX, mailbox, "MESSAGE", "%s: %s", mailbox, text);
}
