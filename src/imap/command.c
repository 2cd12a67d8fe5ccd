/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/command.h"

#include "password.h"

#include <string.h>
#include <time.h>

#define MAX_DESCRIPTION 2000

struct _ImapCommand {
  GPtrArray *pieces; /* GString: all but the first begin with a literal's bytes */
  GArray *literals;  /* gsize: how many of them, for each piece but the first */
  GString *log;
  gboolean secret;
  gboolean bad_allowed;
};

static void
piece_free (gpointer data)
{
  g_string_free (data, TRUE);
}

ImapCommand *
imap_command_new (const char *name)
{
  ImapCommand *command;

  g_return_val_if_fail (strpbrk (name, "\r\n") == NULL, NULL);
  command = g_new0 (ImapCommand, 1);
  command->pieces = g_ptr_array_new_with_free_func (piece_free);
  command->literals = g_array_new (FALSE, FALSE, sizeof (gsize));
  command->log = g_string_new (name);
  g_ptr_array_add (command->pieces, g_string_new (name));
  return command;
}

void
imap_command_free (ImapCommand *command)
{
  if (command == NULL)
    return;
  for (guint i = 0; command->secret && i < command->pieces->len; i++) {
    GString *piece = g_ptr_array_index (command->pieces, i);
    explicit_bzero (piece->str, piece->len);
  }
  g_ptr_array_unref (command->pieces);
  g_array_unref (command->literals);
  g_string_free (command->log, TRUE);
  g_free (command);
}

static GString *
last_piece (ImapCommand *command)
{
  return g_ptr_array_index (command->pieces, command->pieces->len - 1);
}

/* Kept only as far as it will be shown. */
static void
log_text (ImapCommand *command, const char *text)
{
  if (command->log->len <= MAX_DESCRIPTION)
    g_string_append_len (command->log, text, strnlen (text, MAX_DESCRIPTION + 1));
}

/* Once or more for each message that is copied: no format. */
static void
append_word (ImapCommand *command, const char *text, gssize length)
{
  GString *piece = last_piece (command);

  g_string_append_c (piece, ' ');
  g_string_append_len (piece, text, length);
  log_text (command, " ");
  log_text (command, text);
}

void
imap_command_raw (ImapCommand *command, const char *text)
{
  g_return_if_fail (strpbrk (text, "\r\n") == NULL);
  append_word (command, text, -1);
}

void
imap_command_raw_printf (ImapCommand *command, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  imap_command_raw (command, text);
}

static gboolean
is_atom_char (char c)
{
  return c > 0x20 && c < 0x7f && strchr ("(){%*\"\\]", c) == NULL;
}

/* Narrower than the grammar: what some server might take for syntax is quoted. */
static gboolean
is_plain_atom (const char *text)
{
  const char *p = text;

  while (*p != '\0' && is_atom_char (*p) && strchr ("[}~", *p) == NULL)
    p++;
  return p > text && *p == '\0' && g_ascii_strcasecmp (text, "NIL") != 0;
}

/* Control characters other than CR and LF might be quoted too, but would then be in the log. */
static gboolean
is_quotable (const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    if (*p < 0x20 || *p > 0x7e)
      return FALSE;
  return TRUE;
}

static char *
quote (const char *text)
{
  char *quoted = g_malloc (2 * strlen (text) + 3);
  char *q = quoted;

  *q++ = '"';
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\')
      *q++ = '\\';
    *q++ = *p;
  }
  *q++ = '"';
  *q = '\0';
  return quoted;
}

/* The argument, and its form for the log. (transfer full) */
static char *
append_astring (ImapCommand *command, const char *text)
{
  const gsize length = strlen (text);
  GString *piece = last_piece (command);

  g_string_append_c (piece, ' ');
  if (is_plain_atom (text)) {
    g_string_append (piece, text);
    return g_strdup (text);
  }
  if (is_quotable (text)) {
    char *quoted = quote (text);
    g_string_append (piece, quoted);
    return quoted;
  }
  g_array_append_val (command->literals, length);
  g_ptr_array_add (command->pieces, g_string_new (text));
  return g_strdup_printf ("{%" G_GSIZE_FORMAT "}", length);
}

void
imap_command_astring (ImapCommand *command, const char *text)
{
  g_autofree char *shown = append_astring (command, text);

  log_text (command, " ");
  log_text (command, shown);
}

/* The last piece, moved once to where @more bytes fit: nothing secret is in it yet that a later
 * move would leave behind. */
static void
make_room (ImapCommand *command, gsize more)
{
  GString **place = (GString **)&command->pieces->pdata[command->pieces->len - 1];
  GString *larger = g_string_sized_new ((*place)->len + more);

  g_string_append_len (larger, (*place)->str, (*place)->len);
  piece_free (*place);
  *place = larger;
}

void
imap_command_secret (ImapCommand *command, const char *text)
{
  make_room (command, 2 * strlen (text) + 4);
  command->secret = TRUE;
  secret_wipe (append_astring (command, text));
  log_text (command, " ***");
}

static gboolean
is_valid_flag (const char *text, gsize length)
{
  gsize i = length > 0 && *text == '\\' ? 1 : 0;

  if (i == length || (length == 7 && g_ascii_strncasecmp (text, "\\Recent", length) == 0))
    return FALSE;
  while (i < length && is_atom_char (text[i]))
    i++;
  return i == length;
}

gboolean
imap_flag_is_valid (const char *text)
{
  return is_valid_flag (text, strlen (text));
}

gboolean
imap_command_flags (ImapCommand *command, const char *text)
{
  g_autoptr (GString) list = g_string_new ("(");
  gboolean whole = TRUE;

  for (const char *flag = text + strspn (text, " "), *end; *flag != '\0';
       flag = end + strspn (end, " ")) {
    end = flag + strcspn (flag, " ");
    if (!is_valid_flag (flag, (gsize)(end - flag))) {
      whole = FALSE;
      continue;
    }
    if (list->len > 1)
      g_string_append_c (list, ' ');
    g_string_append_len (list, flag, end - flag);
  }
  g_string_append_c (list, ')');
  append_word (command, list->str, (gssize)list->len);
  return whole;
}

void
imap_command_uids (ImapCommand *command, const UidSet *set)
{
  g_autofree char *text = NULL;

  g_return_if_fail (!uid_set_is_empty (set));
  text = uid_set_to_string (set);
  imap_command_raw (command, text);
}

static void
put_digits (char *text, guint n, int number)
{
  for (; n-- > 0; number /= 10)
    text[n] = (char)('0' + number % 10);
}

char *
imap_format_date_time (gint64 seconds)
{
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t clamped = CLAMP (seconds, 1, G_MAXINT32);
  char *text = g_strdup ("\" 0-Jan-0000 00:00:00 +0000\"");
  struct tm tm;

  gmtime_r (&clamped, &tm);
  put_digits (text + 1, 2, tm.tm_mday);
  if (text[1] == '0')
    text[1] = ' ';
  memcpy (text + 4, months[tm.tm_mon], 3);
  put_digits (text + 8, 4, tm.tm_year + 1900);
  put_digits (text + 13, 2, tm.tm_hour);
  put_digits (text + 16, 2, tm.tm_min);
  put_digits (text + 19, 2, tm.tm_sec);
  return text;
}

gsize
imap_command_n_pieces (const ImapCommand *command)
{
  return command->pieces->len;
}

gboolean
imap_command_is_secret (const ImapCommand *command)
{
  return command->secret;
}

static void
wipe_bytes (gpointer data)
{
  secret_wipe_string (data);
}

GBytes *
imap_command_piece (const ImapCommand *command, gsize i, gboolean literal_plus)
{
  const GString *piece;
  GString *text;

  g_return_val_if_fail (i < command->pieces->len, NULL);
  piece = g_ptr_array_index (command->pieces, i);
  text = g_string_sized_new (piece->len + 40);
  g_string_append_len (text, piece->str, piece->len);
  if (i < command->literals->len)
    g_string_append_printf (text, "{%" G_GSIZE_FORMAT "%s}\r\n",
                            g_array_index (command->literals, gsize, i), literal_plus ? "+" : "");
  return command->secret ? g_bytes_new_with_free_func (text->str, text->len, wipe_bytes, text)
                         : g_string_free_to_bytes (text);
}

char *
imap_command_describe (const ImapCommand *command)
{
  if (command->log->len <= MAX_DESCRIPTION)
    return g_strdup (command->log->str);
  return g_strdup_printf ("%.*s...", MAX_DESCRIPTION - 3, command->log->str);
}

void
imap_command_allow_bad (ImapCommand *command)
{
  command->bad_allowed = TRUE;
}

gboolean
imap_command_bad_allowed (const ImapCommand *command)
{
  return command->bad_allowed;
}
