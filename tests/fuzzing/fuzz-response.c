/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "../parser-dump.h"
#include "fuzz.h"

/* What stands above the scanner: every input is a row of words of the language, so that it gets
 * past the syntax and down to where numbers, sets, codes and items are read. Each string is written
 * twice, quoted and as a literal, and has to mean the same. */

typedef enum { QUOTED, LITERALS } Way;

/* A byte of 128 or more is one of these; below, it is itself. */
static const char *const words[] = {
    "* OK [",
    "* NO [",
    "* BYE [",
    "* PREAUTH [",
    "a1 OK [",
    "a2 NO [",
    "* CAPABILITY ",
    "* ENABLED ",
    "* FLAGS (",
    "* LIST (",
    "* STATUS ",
    "* NAMESPACE ",
    "* VANISHED ",
    "* ESEARCH ",
    "* SEARCH ",
    "* ID (",
    "* QUOTA ",
    "* ",
    "+ ",
    " EXISTS",
    " RECENT",
    " EXPUNGE",
    " FETCH (",
    "UID ",
    "FLAGS (",
    "MODSEQ (",
    "INTERNALDATE ",
    "RFC822.SIZE ",
    "RFC822 ",
    "RFC822.HEADER ",
    "X-GUID ",
    "EMAILID (",
    "BODY[] ",
    "BODY[]<0> ",
    "BINARY[] ",
    "BODY[HEADER] ",
    "BODY[1.2] ",
    "BODY[HEADER.FIELDS (DATE)] ",
    "ENVELOPE (",
    "MESSAGES ",
    "UIDNEXT ",
    "UIDVALIDITY ",
    "UNSEEN ",
    "HIGHESTMODSEQ ",
    "MAILBOXID (",
    "NOMODSEQ",
    "APPENDUID ",
    "COPYUID ",
    "MODIFIED ",
    "PERMANENTFLAGS (",
    "CLOSED",
    "READ-ONLY",
    "READ-WRITE",
    "ALERT",
    "TRYCREATE",
    "CAPABILITY ",
    "(TAG \"a1\") ",
    "ALL ",
    "COUNT ",
    "MIN ",
    "(EARLIER) ",
    "(\"OLDNAME\" (",
    "\\Seen",
    "\\*",
    "\\Noselect",
    "\\NonExistent",
    "\\Subscribed",
    "\\Remote",
    "NIL",
    "\"/\" ",
    "1:*",
    "1:4294967295",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "\" 7-Jul-1996 02:44:25 -0700\"",
    "\"31-Feb-2026 99:99:99 +9999\"",
    "] ",
    ") ",
};

#define STRING   0xfd /* the next byte: how long; then its bytes */
#define LITERAL8 0xfe /* the same, "~{n}" */
#define LINE     0xff

typedef struct {
  const uint8_t *at, *end;
  Way way;
  gboolean text;      /* there are no strings in this line */
  gboolean may_begin; /* a string: behind a space or parenthesis that is in none */
  GString *out;
} Writer;

static gboolean
is_plain (guint8 c)
{
  return c != 0 && c != '"' && c != '\\' && c != '{' && c != '}' && c != '\r' && c != '\n';
}

static void
write_word (Writer *writer, const char *word)
{
  g_string_append (writer->out, word);
  writer->may_begin = g_str_has_suffix (word, " ") || g_str_has_suffix (word, "(");
}

static void
write_plain (Writer *writer, guint8 c)
{
  if (is_plain (c))
    write_word (writer, (const char[]){(char)c, '\0'});
}

static void
write_string (Writer *writer, gboolean literal8)
{
  gsize length = writer->at < writer->end ? *writer->at++ % 40 : 0;
  g_autoptr (GString) string = g_string_new (NULL);

  length = MIN (length, (gsize)(writer->end - writer->at));
  for (gsize i = 0; i < length; i++)
    if (is_plain (writer->at[i]))
      g_string_append_c (string, (char)writer->at[i]);
  writer->at += length;
  if (writer->text || !writer->may_begin)
    g_string_append (writer->out, string->str);
  else if (writer->way == LITERALS || literal8)
    g_string_append_printf (writer->out, "%s{%zu}\r\n%s", literal8 ? "~" : "", string->len,
                            string->str);
  else
    g_string_append_printf (writer->out, "\"%s\"", string->str);
  writer->may_begin = FALSE;
}

/* Of the others the rest is words, for people, or (ID) read only where it is one line. */
static gboolean
has_strings (const char *line)
{
  static const char *const names[] = {"LIST ", "STATUS ", "NAMESPACE ", "FETCH (", "ESEARCH "};

  if (line[0] != '*' || line[1] != ' ')
    return FALSE;
  line += 2;
  if (g_ascii_isdigit (*line)) {
    line += strspn (line, "0123456789");
    line += *line == ' ';
  }
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (line, names[i]))
      return TRUE;
  return FALSE;
}

static void
write_line (Writer *writer)
{
  const gsize begin = writer->out->len;

  writer->text = TRUE;
  while (writer->at < writer->end && *writer->at != LINE) {
    guint8 c = *writer->at++;

    if (c == STRING || c == LITERAL8)
      write_string (writer, c == LITERAL8);
    else if (c < 128)
      write_plain (writer, c);
    else
      write_word (writer, words[(c - 128) % G_N_ELEMENTS (words)]);
    writer->text = !has_strings (writer->out->str + begin);
  }
  writer->at += writer->at < writer->end ? 1 : 0;
  g_string_append (writer->out, "\r\n");
}

/* The same up to the first error, whose words show the line. */
static char *
run (const uint8_t *data, size_t size, Way way)
{
  Writer writer = {.at = data, .end = data + size, .way = way, .out = g_string_new (NULL)};
  Dump dump;
  char *error;

  while (writer.at < writer.end)
    write_line (&writer);
  dump_begin (&dump, NULL, FALSE);
  dump_feed (&dump, (const guint8 *)writer.out->str, writer.out->len);
  g_string_free (writer.out, TRUE);
  error = strstr (dump.events->str, "error ");
  if (dump.dead && error != NULL)
    g_string_truncate (dump.events, error - dump.events->str);
  return dump_finish (&dump);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *quoted = run (data, size, QUOTED);
  g_autofree char *literals = run (data, size, LITERALS);

  g_assert_cmpstr (quoted, ==, literals);
  return 0;
}
