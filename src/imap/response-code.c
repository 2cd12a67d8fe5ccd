/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/response-build.h"

#include <string.h>

/* What stands behind a code's name. */
typedef enum {
  DATA_IGNORED, /* anything, up to the first bracket */
  DATA_MODSEQ,  /* 0 to 2^63-1 */
  DATA_NUMBER,  /* 1 to 2^32-1 */
  DATA_SET,
  DATA_UIDS,  /* UIDVALIDITY and one or two lists of UIDs */
  DATA_ID,    /* (id) */
  DATA_FLAGS, /* (flag flag) */
  DATA_WORDS,
} Data;

typedef struct {
  const char *name;
  ImapCodeType type;
  Data data;
} Code;

static const Code codes[] = {
    {"ALERT", IMAP_CODE_ALERT, DATA_IGNORED},
    {"ALREADYEXISTS", IMAP_CODE_ALREADYEXISTS, DATA_IGNORED},
    {"APPENDUID", IMAP_CODE_APPENDUID, DATA_UIDS},
    {"AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED, DATA_IGNORED},
    {"AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED, DATA_IGNORED},
    {"BADEVENT", IMAP_CODE_BADEVENT, DATA_IGNORED},
    {"CANNOT", IMAP_CODE_CANNOT, DATA_IGNORED},
    {"CAPABILITY", IMAP_CODE_CAPABILITY, DATA_WORDS},
    {"CLIENTBUG", IMAP_CODE_CLIENTBUG, DATA_IGNORED},
    {"CLOSED", IMAP_CODE_CLOSED, DATA_IGNORED},
    {"CONTACTADMIN", IMAP_CODE_CONTACTADMIN, DATA_IGNORED},
    {"COPYUID", IMAP_CODE_COPYUID, DATA_UIDS},
    {"EXPIRED", IMAP_CODE_EXPIRED, DATA_IGNORED},
    {"HASCHILDREN", IMAP_CODE_HASCHILDREN, DATA_IGNORED},
    {"HIGHESTMODSEQ", IMAP_CODE_HIGHESTMODSEQ, DATA_MODSEQ},
    {"INUSE", IMAP_CODE_INUSE, DATA_IGNORED},
    {"LIMIT", IMAP_CODE_LIMIT, DATA_IGNORED},
    {"MAILBOXID", IMAP_CODE_MAILBOXID, DATA_ID},
    {"MODIFIED", IMAP_CODE_MODIFIED, DATA_SET},
    {"NOMODSEQ", IMAP_CODE_NOMODSEQ, DATA_IGNORED},
    {"NONEXISTENT", IMAP_CODE_NONEXISTENT, DATA_IGNORED},
    {"NOPERM", IMAP_CODE_NOPERM, DATA_IGNORED},
    {"NOTIFICATIONOVERFLOW", IMAP_CODE_NOTIFICATIONOVERFLOW, DATA_IGNORED},
    {"OVERQUOTA", IMAP_CODE_OVERQUOTA, DATA_IGNORED},
    {"PERMANENTFLAGS", IMAP_CODE_PERMANENTFLAGS, DATA_FLAGS},
    {"READ-ONLY", IMAP_CODE_READ_ONLY, DATA_IGNORED},
    {"READ-WRITE", IMAP_CODE_READ_WRITE, DATA_IGNORED},
    {"SERVERBUG", IMAP_CODE_SERVERBUG, DATA_IGNORED},
    {"TOOBIG", IMAP_CODE_TOOBIG, DATA_IGNORED},
    {"TRYCREATE", IMAP_CODE_TRYCREATE, DATA_IGNORED},
    {"UIDNEXT", IMAP_CODE_UIDNEXT, DATA_NUMBER},
    {"UIDNOTSTICKY", IMAP_CODE_UIDNOTSTICKY, DATA_IGNORED},
    {"UIDVALIDITY", IMAP_CODE_UIDVALIDITY, DATA_NUMBER},
    {"UNAVAILABLE", IMAP_CODE_UNAVAILABLE, DATA_IGNORED},
};

/* Where we are in "CODE data] text". What delimits is overwritten when it has been read. */
typedef struct {
  ImapBuilder *builder;
  ImapScanner *scanner;
  ImapResponse *response;
  char *at;
  char end; /* what ended the last word; NUL: the line */
} Reader;

/* The next word, which ends at one of @ends; NULL when there is none. */
static char *
next_word (Reader *reader, const char *ends)
{
  char *word = reader->at + strspn (reader->at, " ");
  gsize length = strcspn (word, ends);

  reader->end = word[length];
  reader->at = word + length + (reader->end ? 1 : 0);
  word[length] = '\0';
  return length > 0 ? word : NULL;
}

static char *
next_argument (Reader *reader)
{
  return reader->end == ' ' ? next_word (reader, " ]") : NULL;
}

static gboolean
read_number (Reader *reader, const char *name, guint64 min, guint64 max)
{
  ImapCode *code = &reader->response->code;
  const char *word = next_argument (reader);

  return (word && imap_parse_number (word, strlen (word), max, &code->number) &&
          code->number >= min) ||
         imap_scanner_fail (reader->scanner,
                            "%s is no number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                            name, min, max);
}

static gboolean
read_uids (Reader *reader, const char *name, guint n)
{
  const UidSet *checked;

  for (guint i = 0; i < n; i++) {
    const char *word = next_argument (reader);

    if (!word)
      return imap_scanner_fail (reader->scanner, "%s without UIDs", name);
    if (!imap_build_set (reader->builder, reader->scanner, word, name, &checked))
      return FALSE;
    reader->response->code.uids[i] = word;
  }
  return TRUE;
}

static gboolean
read_set (Reader *reader, const char *name)
{
  const char *word = next_argument (reader);

  if (!word)
    return imap_scanner_fail (reader->scanner, "%s without a set", name);
  return imap_build_set (reader->builder, reader->scanner, word, name, &reader->response->code.set);
}

static void
set_words (Reader *reader)
{
  GPtrArray *strings = reader->builder->strings;

  reader->response->n_words = strings->len;
  g_ptr_array_add (strings, NULL);
  reader->response->words = (const char *const *)strings->pdata;
}

static gboolean
read_words (Reader *reader)
{
  char *word;

  g_ptr_array_set_size (reader->builder->strings, 0);
  while ((word = next_argument (reader)))
    if (imap_id_is_valid (word))
      g_ptr_array_add (reader->builder->strings, word);
  set_words (reader);
  return TRUE;
}

/* Keywords may hold brackets, so what is in parentheses ends at a parenthesis. */
static gboolean
read_flags (Reader *reader, const char *name, gboolean flags)
{
  char *word;

  if (reader->end == ' ')
    reader->at += strspn (reader->at, " ");
  if (reader->end != ' ' || *reader->at != '(')
    return imap_scanner_fail (reader->scanner, "%s without a list", name);
  reader->at++;
  g_ptr_array_set_size (reader->builder->strings, 0);
  do {
    word = next_word (reader, " )");
    if (word && flags && !imap_build_flag_is_valid (word, TRUE))
      return imap_scanner_fail (reader->scanner, "a flag that cannot be one");
    if (word)
      g_ptr_array_add (reader->builder->strings, word);
  } while (reader->end == ' ');
  if (reader->end != ')')
    return imap_scanner_fail (reader->scanner, "%s with a list that is not closed", name);
  reader->end = ' ';
  return TRUE;
}

static gboolean
read_id (Reader *reader, const char *name)
{
  GPtrArray *strings = reader->builder->strings;

  if (!read_flags (reader, name, FALSE))
    return FALSE;
  if (strings->len != 1 || !imap_id_is_valid (strings->pdata[0]))
    return imap_scanner_fail (reader->scanner, "%s is no single id", name);
  reader->response->code.id = strings->pdata[0];
  return TRUE;
}

static gboolean
read_data (Reader *reader, const Code *code)
{
  switch (code->data) {
  case DATA_IGNORED:
    return TRUE;
  case DATA_MODSEQ:
    return read_number (reader, code->name, 0, IMAP_MODSEQ_MAX);
  case DATA_NUMBER:
    return read_number (reader, code->name, 1, G_MAXUINT32);
  case DATA_SET:
    return read_set (reader, code->name);
  case DATA_UIDS:
    return read_number (reader, code->name, 1, G_MAXUINT32) &&
           read_uids (reader, code->name, code->type == IMAP_CODE_COPYUID ? 2 : 1);
  case DATA_ID:
    return read_id (reader, code->name);
  case DATA_FLAGS:
    if (!read_flags (reader, code->name, TRUE))
      return FALSE;
    set_words (reader);
    return TRUE;
  case DATA_WORDS:
    return read_words (reader);
  }
  g_return_val_if_reached (FALSE);
}

/* To behind the bracket. */
static gboolean
read_end (Reader *reader, const Code *code)
{
  if (reader->end == ' ' && code && code->data != DATA_IGNORED) {
    if (next_word (reader, "]"))
      return imap_scanner_fail (reader->scanner, "%s with something behind it", code->name);
  } else if (reader->end == ' ') {
    next_word (reader, "]");
  }
  return reader->end == ']' ||
         imap_scanner_fail (reader->scanner, "%s that is not closed by a bracket",
                            code ? code->name : "a code");
}

static const Code *
find_code (const char *name, gsize length)
{
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    if (!g_ascii_strncasecmp (codes[i].name, name, length) && !codes[i].name[length])
      return &codes[i];
  return NULL;
}

/* Whether what follows a bracket is a code at all, and not text that happens to have brackets. */
static gboolean
is_code (const char *text, const Code *code, gsize length)
{
  if (length == 0)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return (code && code->data != DATA_IGNORED) || strchr (text, ']');
}

static gboolean
read_code (Reader *reader)
{
  ImapCode *code = &reader->response->code;
  gsize length = strcspn (reader->at + 1, " ]");
  const Code *known = find_code (reader->at + 1, length);
  char *name;

  if (!is_code (reader->at + 1, known, length))
    return TRUE;
  reader->at++;
  name = next_word (reader, " ]");
  for (char *c = name; *c; c++)
    *c = g_ascii_toupper (*c);
  code->name = name;
  code->type = known ? known->type : IMAP_CODE_UNKNOWN;
  return (!known || read_data (reader, known)) && read_end (reader, known);
}

gboolean
imap_build_status (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  Reader reader = {builder, scanner, response, (char *)scanner->text->data + scanner->rest, ' '};

  if (*reader.at == '[' && !read_code (&reader))
    return FALSE;
  if (response->code.type != IMAP_CODE_NONE)
    reader.at += strspn (reader.at, " ");
  g_string_truncate (builder->text, 0);
  imap_append_escaped (builder->text, reader.at, strlen (reader.at));
  response->text = builder->text->str;
  return TRUE;
}
