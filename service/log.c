/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "log.h"

#include "log-account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ERASE "\r\033[K"

/* The one place of the process that writes to standard error. Messages come from every thread. */
static struct {
  GMutex mutex;
  gboolean started;
  LogLevel level;
  gboolean show_accounts;
  gboolean journal;
  gboolean terminal;
  char *status; /* what stands below the messages */
} the_log;

static gboolean
is_ours (const char *domain)
{
  return domain == NULL || g_str_has_prefix (domain, "imapsync");
}

gboolean
log_shows (LogLevel level, const char *domain, GLogLevelFlags message_level)
{
  const GLogLevelFlags always = G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING;

  if ((message_level & always) != 0)
    return TRUE;
  if (!is_ours (domain) || level == LOG_LEVEL_QUIET)
    return FALSE;
  return (message_level & G_LOG_LEVEL_DEBUG) == 0 || level == LOG_LEVEL_DEBUG;
}

/* Control characters, what separates lines or turns their direction, and what nobody can see. */
static gboolean
is_harmless (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  default:
    return TRUE;
  }
}

char *
log_escape (const char *text)
{
  GString *escaped = g_string_new (NULL);

  for (const char *p = text; *p != '\0';) {
    gunichar c = g_utf8_get_char_validated (p, -1);

    if (c == (gunichar)-1 || c == (gunichar)-2) {
      g_string_append_printf (escaped, "\\x%02x", (guint)(guchar)*p++);
      continue;
    }
    if (c == '\n')
      g_string_append (escaped, "\\n");
    else if (c == '\r')
      g_string_append (escaped, "\\r");
    else if (c == '\t')
      g_string_append (escaped, "\\t");
    else if (is_harmless (c))
      g_string_append_unichar (escaped, c);
    else
      g_string_append_printf (escaped, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
    p = g_utf8_next_char (p);
  }
  return g_string_free (escaped, FALSE);
}

char *
log_format (GLogLevelFlags level, const char *domain, const char *account, const char *message)
{
  GString *line = g_string_new (PACKAGE_NAME ": ");
  g_autofree char *escaped = log_escape (message);

  if (account != NULL) {
    g_autofree char *name = log_escape (account);
    g_string_append_printf (line, "%s: ", name);
  }
  /* A bug, here or in a library: whoever reports it has to say where it was seen. */
  if (!is_ours (domain) || (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0)
    g_string_append_printf (line, "%s: ", domain != NULL ? domain : "internal error");
  g_string_append_printf (line, "%s\n", escaped);
  return g_string_free (line, FALSE);
}

char *
log_fit (const char *text, guint columns)
{
  const char *end = text;
  guint used = 0;

  while (*end != '\0') {
    gunichar c = g_utf8_get_char (end);

    used += g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
    if (used > columns)
      break;
    end = g_utf8_next_char (end);
  }
  return g_strndup (text, end - text);
}

static void
draw_status (void)
{
  struct winsize size = {0};
  g_autofree char *fitting = NULL;

  if (the_log.status == NULL)
    return;
  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
    size.ws_col = 80;
  /* The last column stays free: some terminals begin a new line after it. */
  fitting = log_fit (the_log.status, size.ws_col - 1);
  fputs (fitting, stderr);
}

static void
write_line (const char *line)
{
  g_autofree char *whole = NULL;

  /* In one write, so that lines of other processes do not end up in its middle. */
  whole = g_strconcat (the_log.status != NULL ? ERASE : "", line, NULL);
  fputs (whole, stderr);
  draw_status ();
  fflush (stderr);
}

static gboolean
write_journal (GLogLevelFlags level, const char *account, const char *message,
               const GLogField *fields, gsize n)
{
  g_autofree GLogField *changed = g_new (GLogField, n + 2);
  gsize n_changed = 0;

  for (gsize i = 0; i < n; i++) {
    changed[n_changed] = fields[i];
    if (g_str_equal (fields[i].key, "MESSAGE"))
      changed[n_changed] = (GLogField){"MESSAGE", message, -1};
    n_changed++;
  }
  changed[n_changed++] = (GLogField){"SYSLOG_IDENTIFIER", PACKAGE_NAME, -1};
  if (account != NULL)
    changed[n_changed++] = (GLogField){"IMAPSYNC_ACCOUNT", account, -1};
  return g_log_writer_journald (level, changed, n_changed, NULL) == G_LOG_WRITER_HANDLED;
}

/* Fields need not end in NUL. */
static char *
find_field (const GLogField *fields, gsize n, const char *key)
{
  for (gsize i = 0; i < n; i++) {
    if (!g_str_equal (fields[i].key, key))
      continue;
    return fields[i].length < 0 ? g_strdup (fields[i].value)
                                : g_strndup (fields[i].value, fields[i].length);
  }
  return NULL;
}

static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
  g_autofree char *domain = find_field (fields, n, "GLIB_DOMAIN");
  g_autofree char *message = NULL;
  g_autofree char *line = NULL;
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&the_log.mutex);
  const char *account = the_log.show_accounts ? log_account_get () : NULL;

  if (!log_shows (the_log.level, domain, level))
    return G_LOG_WRITER_HANDLED;
  message = find_field (fields, n, "MESSAGE");
  if (message == NULL)
    return G_LOG_WRITER_UNHANDLED;
  if (the_log.journal) {
    g_autofree char *escaped = log_escape (message);
    if (write_journal (level, log_account_get (), escaped, fields, n))
      return G_LOG_WRITER_HANDLED;
  }
  line = log_format (level, domain, account, message);
  write_line (line);
  return G_LOG_WRITER_HANDLED;
}

void
log_start (LogLevel level)
{
  const char *terminal = g_getenv ("TERM");
  gboolean started;

  g_mutex_lock (&the_log.mutex);
  started = the_log.started;
  the_log.started = TRUE;
  the_log.level = level;
  the_log.journal = g_log_writer_is_journald (STDERR_FILENO);
  the_log.terminal = isatty (STDERR_FILENO) && g_strcmp0 (terminal, "dumb") != 0;
  g_mutex_unlock (&the_log.mutex);
  log_set_info (level != LOG_LEVEL_QUIET);
  if (!started)
    g_log_set_writer_func (write_log, NULL, NULL);
}

void
log_show_accounts (gboolean show)
{
  g_mutex_lock (&the_log.mutex);
  the_log.show_accounts = show;
  g_mutex_unlock (&the_log.mutex);
}

gboolean
log_has_status (void)
{
  /* Between the traffic of --debug it would only flicker. */
  return the_log.terminal && the_log.level == LOG_LEVEL_NORMAL;
}

void
log_set_status (const char *text)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = NULL;

  if (!log_has_status ())
    return;
  locker = g_mutex_locker_new (&the_log.mutex);
  if (the_log.status != NULL)
    fputs (ERASE, stderr);
  g_free (the_log.status);
  the_log.status = text != NULL ? log_escape (text) : NULL;
  draw_status ();
  fflush (stderr);
}
