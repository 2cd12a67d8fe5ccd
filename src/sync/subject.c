/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/subject.h"

#include <string.h>

#define FIELD       "subject:"
#define MAX_LENGTH  200 /* characters */
#define MAX_CHARSET 40

/* Text with encoded words. Neighbours of the same charset are converted together: some programs cut
 * them in the middle of a character. */
typedef struct {
  GString *text;
  GString *bytes; /* decoded and not converted yet */
  char charset[MAX_CHARSET + 1];
} Decoder;

static void
flush (Decoder *decoder)
{
  g_autofree char *text = NULL;

  if (decoder->bytes->len == 0)
    return;
  text = g_convert (decoder->bytes->str, (gssize)decoder->bytes->len, "UTF-8", decoder->charset,
                    NULL, NULL, NULL);
  if (text == NULL)
    text = g_utf8_make_valid (decoder->bytes->str, (gssize)decoder->bytes->len);
  g_string_append (decoder->text, text);
  g_string_truncate (decoder->bytes, 0);
}

static void
decode_q (GString *bytes, const char *text, const char *end)
{
  for (; text < end; text++) {
    if (*text == '=' && end - text > 2 && g_ascii_isxdigit (text[1]) &&
        g_ascii_isxdigit (text[2])) {
      g_string_append_c (
          bytes, (char)(g_ascii_xdigit_value (text[1]) << 4 | g_ascii_xdigit_value (text[2])));
      text += 2;
    } else {
      g_string_append_c (bytes, *text == '_' ? ' ' : *text);
    }
  }
}

static void
decode_b (GString *bytes, const char *text, const char *end)
{
  g_autofree char *encoded = g_strndup (text, (gsize)(end - text));
  gsize length;
  g_autofree guchar *decoded = g_base64_decode (encoded, &length);

  g_string_append_len (bytes, (const char *)decoded, (gssize)length);
}

/* The charset's name up to the '?' that ends it; a language behind '*' (RFC 2231) does not matter.
 */
static const char *
read_charset (const char *p, char charset[MAX_CHARSET + 1])
{
  gsize length = strspn (p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");
  const char *end = p + length;

  if (length == 0 || length > MAX_CHARSET)
    return NULL;
  if (*end == '*')
    end += strcspn (end, "?");
  g_strlcpy (charset, p, length + 1);
  return *end == '?' ? end : NULL;
}

/* Takes the encoded word at @p and returns what is behind it; NULL: there is none. */
static const char *
take_word (Decoder *decoder, const char *p)
{
  char charset[MAX_CHARSET + 1];
  const char *mark, *end;
  char encoding;

  if (!g_str_has_prefix (p, "=?") || (mark = read_charset (p + 2, charset)) == NULL)
    return NULL;
  encoding = g_ascii_toupper (mark[1]);
  if ((encoding != 'B' && encoding != 'Q') || mark[2] != '?' ||
      (end = strstr (mark + 3, "?=")) == NULL)
    return NULL;
  if (g_ascii_strcasecmp (charset, decoder->charset) != 0)
    flush (decoder);
  g_strlcpy (decoder->charset, charset, sizeof decoder->charset);
  if (encoding == 'B')
    decode_b (decoder->bytes, mark + 3, end);
  else
    decode_q (decoder->bytes, mark + 3, end);
  return end + 2;
}

static char *
decode (const char *text)
{
  Decoder decoder = {g_string_new (NULL), g_string_new (NULL), ""};
  const char *p = text;

  while (*p != '\0') {
    const char *blank_end = p + strspn (p, " \t\r\n");
    const char *word = decoder.bytes->len > 0 ? blank_end : p;
    const char *after = take_word (&decoder, word);

    if (after != NULL) {
      p = after;
      continue;
    }
    flush (&decoder);
    g_string_append_c (decoder.text, *p++);
  }
  flush (&decoder);
  g_string_free (decoder.bytes, TRUE);
  return g_string_free (decoder.text, FALSE);
}

/* The field's body, NUL-terminated; other fields are not asked for, but a server may send them. */
static char *
find_field (const guint8 *header, gsize length)
{
  g_autofree char *text = g_strndup ((const char *)header, length);
  const char *line = text;

  while (line != NULL && g_ascii_strncasecmp (line, FIELD, strlen (FIELD)) != 0) {
    line = strchr (line, '\n');
    line = line != NULL ? line + 1 : NULL;
  }
  if (line == NULL)
    return g_strdup ("");
  line += strlen (FIELD);
  for (const char *end = strchr (line, '\n'); end != NULL; end = strchr (end + 1, '\n')) {
    if (end[1] != ' ' && end[1] != '\t')
      return g_strndup (line, (gsize)(end - line));
  }
  return g_strdup (line);
}

static gboolean
is_invisible (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_UNASSIGNED ||
         type == G_UNICODE_PRIVATE_USE || type == G_UNICODE_LINE_SEPARATOR ||
         type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *
sync_subject_text (const guint8 *header, gsize length)
{
  g_autofree char *field = find_field (header, length);
  g_autofree char *decoded = decode (field);
  g_autofree char *valid = g_utf8_make_valid (decoded, -1);
  GString *line = g_string_new (NULL);
  gboolean blank = FALSE;
  glong n = 0;

  for (const char *p = valid; *p != '\0' && n <= MAX_LENGTH; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (g_unichar_isspace (c) || is_invisible (c)) {
      blank |= g_unichar_isspace (c);
      continue;
    }
    if (n++ == MAX_LENGTH) {
      g_string_append (line, "…");
      break;
    }
    if (blank && line->len > 0)
      g_string_append_c (line, ' ');
    blank = FALSE;
    g_string_append_unichar (line, c);
  }
  return g_string_free (line, FALSE);
}
