/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All messages of the program, from every thread, to standard error or the journal.
 *
 * One message is one line: what a server, a file or a user put into it cannot begin another one, or
 * move the cursor. On a terminal a line of status may stand below the messages. */
typedef enum {
  LOG_LEVEL_QUIET,  /* warnings and errors */
  LOG_LEVEL_NORMAL, /* also messages and information of our own parts */
  LOG_LEVEL_DEBUG,  /* also the traffic with the servers */
} LogLevel;

/* Takes over GLib's log. Call again to change the level. */
void log_start (LogLevel level);

/* Whether lines begin with the account that they are about: there are several. */
void log_show_accounts (gboolean show);

/* Shows @text below the messages, in place of what was there; NULL: nothing. Only on a terminal. */
void log_set_status (const char *text);

/* Whether log_set_status() shows anything. */
gboolean log_has_status (void);

/* The line for one message, with its line end. @domain and @account may be NULL. (transfer full) */
char *
log_format (GLogLevelFlags level, const char *domain, const char *account, const char *message);

/* Whether @level shows messages of @domain at @message_level. */
gboolean log_shows (LogLevel level, const char *domain, GLogLevelFlags message_level);

/* @text with everything escaped that is not printable in one line. (transfer full) */
char *log_escape (const char *text);

/* The part of @text that fits into @columns of a terminal. (transfer full) */
char *log_fit (const char *text, guint columns);

G_END_DECLS
