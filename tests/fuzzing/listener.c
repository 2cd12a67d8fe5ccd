/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "listener.h"

#include <stdlib.h>
#include <string.h>

#define ATOM   "[!#$&-'+-\\[\\]^-z|}~]+"
#define STRING "(" ATOM "|\"([^\"\\\\]|\\\\[\"\\\\])*\"|\\{\\})"
#define FLAGS  "\\((\\\\?" ATOM "( \\\\?" ATOM ")*)?\\)"
#define DATE   "\"[ 0-9][0-9]-[A-Z][a-z]{2}-[0-9]{4} [0-9:]{8} \\+0000\""
#define BASE64 "[A-Za-z0-9+/]*=*"
#define COMMAND                                                                                    \
  "^a([0-9]+) (CAPABILITY|STARTTLS|COMPRESS DEFLATE|ID NIL|ENABLE QRESYNC|LOGOUT|NOOP|NAMESPACE|"  \
  "CHECK|IDLE|AUTHENTICATE [A-Z0-9-]+( " BASE64 ")?|SELECT " STRING "|UID STORE [0-9:,]+ "         \
  "\\+FLAGS\\.SILENT " FLAGS "|APPEND " STRING "( " FLAGS " " DATE " ~?\\{\\})+)$"

static struct {
  ListenerMode mode;
  GString *line;  /* the command so far; a literal is "{}" */
  gboolean cr;    /* the last byte was one */
  gsize literal;  /* bytes of it to come */
  char *previous; /* the last command, without tag */
  guint tag;
} self;

static GRegex *
compiled (const char *pattern, GRegex **regex)
{
  if (*regex == NULL)
    *regex = g_regex_new (pattern, G_REGEX_OPTIMIZE | G_REGEX_RAW, 0, NULL);
  g_assert_nonnull (*regex);
  return *regex;
}

void
listener_begin (ListenerMode mode)
{
  self.mode = mode;
  self.line = g_string_new (NULL);
  self.cr = FALSE;
  self.literal = 0;
  self.previous = g_strdup ("");
  self.tag = 0;
}

void
listener_end (void)
{
  g_string_free (self.line, TRUE);
  g_free (self.previous);
}

void
listener_set_mode (ListenerMode mode)
{
  self.mode = mode;
}

guint
listener_last_tag (void)
{
  return self.tag;
}

static void
check_secrets (const char *line)
{
  if (self.mode == LISTENER_PRIVATE)
    return;
  if (strstr (line, "secret") != NULL || strstr (line, "c2VjcmV0") != NULL)
    g_error ("everybody can read the password: %s", line);
  if (self.mode == LISTENER_BEFORE_TLS && !g_str_has_suffix (line, " CAPABILITY") &&
      !g_str_has_suffix (line, " STARTTLS"))
    g_error ("said before TLS: %s", line);
}

static void
check_command (const char *line)
{
  static GRegex *command_regex, *base64_regex;
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *number = NULL;

  check_secrets (line);
  if (!g_regex_match (compiled (COMMAND, &command_regex), line, 0, &match)) {
    if ((g_str_has_prefix (self.previous, "AUTHENTICATE ") &&
         g_regex_match (compiled ("^(\\*|" BASE64 ")$", &base64_regex), line, 0, NULL)) ||
        (g_str_equal (self.previous, "IDLE") && g_str_equal (line, "DONE")))
      return;
    g_error ("no command: %s", line);
  }
  number = g_match_info_fetch (match, 1);
  g_assert_cmpint (atoi (number), ==, self.tag + 1);
  self.tag++;
  g_free (self.previous);
  self.previous = g_strdup (strchr (line, ' ') + 1);
}

/* TRUE: bytes follow that are not of the line. */
static gboolean
begins_literal (GString *line, gsize *size)
{
  char *brace = line->len > 0 && line->str[line->len - 1] == '}' ? strrchr (line->str, '{') : NULL;
  char *end;

  if (brace == NULL || !g_ascii_isdigit (brace[1]))
    return FALSE;
  *size = strtoul (brace + 1, &end, 10);
  if (*end == '+')
    end++;
  if (end[0] != '}' || end[1] != '\0')
    return FALSE;
  g_string_truncate (line, brace - line->str);
  g_string_append (line, "{}");
  return TRUE;
}

static void
end_line (void)
{
  self.cr = FALSE;
  if (begins_literal (self.line, &self.literal))
    return;
  check_command (self.line->str);
  g_string_truncate (self.line, 0);
}

void
listener_feed (const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    const guint8 c = bytes[i];

    if (self.literal > 0) {
      self.literal--;
    } else if (self.cr) {
      g_assert_cmpuint (c, ==, '\n');
      end_line ();
    } else if (c == '\r') {
      self.cr = TRUE;
    } else {
      g_assert_true (c >= ' ' && c < 127);
      g_string_append_c (self.line, (char)c);
    }
  }
}
