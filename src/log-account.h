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

/* Logs "MAILBOX: ..." at @level, with @mailbox (its name for people) as the field IMAPSYNC_MAILBOX,
 * by which a journal can be searched. Called by the macros. */
void log_mailbox (const char *domain, GLogLevelFlags level, const char *mailbox, const char *format,
                  ...) G_GNUC_PRINTF (4, 5);

/* Whether anybody gets to see messages of level info, so that what serves nothing else is not asked
 * of a server; TRUE until told otherwise. Any thread. */
void log_set_info (gboolean shown);
gboolean log_shows_info (void);

#define LOG_FIELD_MAILBOX "IMAPSYNC_MAILBOX"

#define log_mailbox_warning(mailbox, ...)                                                          \
  log_mailbox (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, mailbox, __VA_ARGS__)
#define log_mailbox_message(mailbox, ...)                                                          \
  log_mailbox (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, mailbox, __VA_ARGS__)
#define log_mailbox_info(mailbox, ...)                                                             \
  log_mailbox (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, mailbox, __VA_ARGS__)

G_END_DECLS
