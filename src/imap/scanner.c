/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/scanner.h"

#include <string.h>

#define NONE         G_MAXUINT32
#define KEEP         (64 * 1024) /* bytes of an array that are worth keeping for the next response */
#define DELIMITER(c) ((c) == ' ' || (c) == '(' || (c) == ')' || (c) == '"' || (c) == '\0')

typedef struct {
  const char *name;
  ImapResponseType type;
  ImapScanMode mode;
  gboolean numbered, tagged;
} Kind;

static const Kind kinds[] = {
    {"FETCH", IMAP_RESPONSE_FETCH, IMAP_SCAN_NODES, TRUE, FALSE},
    {"OK", IMAP_RESPONSE_OK, IMAP_SCAN_TEXT, FALSE, TRUE},
    {"NO", IMAP_RESPONSE_NO, IMAP_SCAN_TEXT, FALSE, TRUE},
    {"BAD", IMAP_RESPONSE_BAD, IMAP_SCAN_TEXT, FALSE, TRUE},
    {"PREAUTH", IMAP_RESPONSE_PREAUTH, IMAP_SCAN_TEXT, FALSE, FALSE},
    {"BYE", IMAP_RESPONSE_BYE, IMAP_SCAN_TEXT, FALSE, FALSE},
    {"CAPABILITY", IMAP_RESPONSE_CAPABILITY, IMAP_SCAN_TEXT, FALSE, FALSE},
    {"ENABLED", IMAP_RESPONSE_ENABLED, IMAP_SCAN_TEXT, FALSE, FALSE},
    {"FLAGS", IMAP_RESPONSE_FLAGS, IMAP_SCAN_NODES, FALSE, FALSE},
    {"LIST", IMAP_RESPONSE_LIST, IMAP_SCAN_NODES, FALSE, FALSE},
    {"STATUS", IMAP_RESPONSE_STATUS, IMAP_SCAN_NODES, FALSE, FALSE},
    {"NAMESPACE", IMAP_RESPONSE_NAMESPACE, IMAP_SCAN_NODES, FALSE, FALSE},
    {"EXISTS", IMAP_RESPONSE_EXISTS, IMAP_SCAN_NODES, TRUE, FALSE},
    {"RECENT", IMAP_RESPONSE_RECENT, IMAP_SCAN_NODES, TRUE, FALSE},
    {"EXPUNGE", IMAP_RESPONSE_EXPUNGE, IMAP_SCAN_NODES, TRUE, FALSE},
    {"VANISHED", IMAP_RESPONSE_VANISHED, IMAP_SCAN_NODES, FALSE, FALSE},
    {"SEARCH", IMAP_RESPONSE_SEARCH, IMAP_SCAN_SKIP, FALSE, FALSE},
    {"ESEARCH", IMAP_RESPONSE_ESEARCH, IMAP_SCAN_NODES, FALSE, FALSE},
};

void
imap_scanner_init (ImapScanner *scanner, guint max_nesting)
{
  *scanner = (ImapScanner){.max_nesting = max_nesting, .tag = -1, .list = NONE};
  scanner->text = g_byte_array_new ();
}

void
imap_scanner_clear (ImapScanner *scanner)
{
  g_byte_array_unref (scanner->text);
  g_free (scanner->nodes);
  g_free (scanner->reason);
}

void
imap_scanner_reset (ImapScanner *scanner)
{
  GByteArray *text = scanner->text;
  ImapNode *nodes = scanner->nodes;
  guint room = scanner->room;
  guint max_nesting = scanner->max_nesting;

  if (text->len > KEEP || room * sizeof (ImapNode) > KEEP) {
    imap_scanner_clear (scanner);
    imap_scanner_init (scanner, max_nesting);
    return;
  }
  g_free (scanner->reason);
  g_byte_array_set_size (text, 0);
  *scanner = (ImapScanner){.text = text,
                           .nodes = nodes,
                           .room = room,
                           .max_nesting = max_nesting,
                           .tag = -1,
                           .list = NONE};
}

gboolean
imap_scanner_fail (ImapScanner *scanner, const char *format, ...)
{
  va_list arguments;

  g_free (scanner->reason);
  va_start (arguments, format);
  scanner->reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return FALSE;
}

static ImapScanResult
failed (ImapScanner *scanner, const char *reason)
{
  imap_scanner_fail (scanner, "%s", reason);
  return IMAP_SCAN_ERROR;
}

/* The beginning: tag, number, name. */

static gboolean
tag_is_valid (const char *tag, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isgraph (tag[i]) || strchr ("(){%*\"\\+", tag[i]))
      return FALSE;
  return length > 0;
}

static guint32
skip_spaces (ImapScanner *scanner, guint32 at)
{
  return at + strspn ((char *)scanner->text->data + at, " ");
}

static const Kind *
find_kind (const char *name, gsize length)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (!g_ascii_strncasecmp (kinds[i].name, name, length) && !kinds[i].name[length])
      return &kinds[i];
  return NULL;
}

/* The word at @at is the name of a response; @digits is the one before it, where that is a number.
 */
static gboolean
begin_named (ImapScanner *scanner, guint32 at, const char *digits, gsize n_digits)
{
  char *name = (char *)scanner->text->data + at;
  gsize length = strcspn (name, " (");
  const Kind *kind = find_kind (name, length);
  guint64 number = 0;

  if (length == 0)
    return imap_scanner_fail (scanner, "a response without a name");
  scanner->name = at;
  scanner->name_length = length;
  scanner->rest = skip_spaces (scanner, at + length);
  scanner->type = kind ? kind->type : IMAP_RESPONSE_OTHER;
  scanner->mode = kind ? kind->mode : IMAP_SCAN_SKIP;
  if (!kind)
    return TRUE;
  if (kind->numbered != (digits != NULL))
    return imap_scanner_fail (scanner, "%s %s a number", kind->name,
                              kind->numbered ? "without" : "with");
  if (digits && !imap_parse_number (digits, n_digits, G_MAXUINT32, &number))
    return imap_scanner_fail (scanner, "%s with a number that is out of range", kind->name);
  scanner->number = number;
  return TRUE;
}

static gboolean
begin_untagged (ImapScanner *scanner, guint32 at)
{
  const char *word = (char *)scanner->text->data + at;
  gsize n_digits = strspn (word, "0123456789");

  if (n_digits > 0 && (word[n_digits] == ' ' || word[n_digits] == '\0'))
    return begin_named (scanner, skip_spaces (scanner, at + n_digits), word, n_digits);
  return begin_named (scanner, at, NULL, 0);
}

static gboolean
begin_tagged (ImapScanner *scanner, gsize length)
{
  char *text = (char *)scanner->text->data;
  guint32 at = skip_spaces (scanner, length);
  const Kind *kind = find_kind (text + at, strcspn (text + at, " "));

  if (!tag_is_valid (text, length))
    return imap_scanner_fail (scanner, "no tag at the beginning of the line");
  if (!kind || !kind->tagged)
    return imap_scanner_fail (scanner, "neither OK, NO nor BAD behind the tag");
  if (!begin_named (scanner, at, NULL, 0))
    return FALSE;
  text[length] = '\0';
  scanner->tag = 0;
  return TRUE;
}

static gboolean
begin (ImapScanner *scanner)
{
  const char *text = (char *)scanner->text->data;
  gsize length = strcspn (text, " ");

  scanner->begun = TRUE;
  if (length == 1 && *text == '+') {
    scanner->type = IMAP_RESPONSE_CONTINUATION;
    scanner->mode = IMAP_SCAN_TEXT;
    scanner->rest = length + (text[length] == ' ');
    return TRUE;
  }
  if (length == 1 && *text == '*')
    return begin_untagged (scanner, skip_spaces (scanner, length));
  return begin_tagged (scanner, length);
}

gboolean
imap_scanner_segment (ImapScanner *scanner, const guint8 *bytes, gsize length)
{
  GByteArray *text = scanner->text;
  gboolean first = !scanner->begun;

  if (memchr (bytes, '\0', length))
    return imap_scanner_fail (scanner, "a NUL byte");
  scanner->segment = scanner->position = text->len;
  scanner->end = scanner->segment + length;
  g_byte_array_append (text, bytes, length);
  g_byte_array_append (text, (const guint8 *)"", 1);
  if (first && !begin (scanner))
    return FALSE;
  if (first)
    scanner->position = MIN (scanner->rest, scanner->end);
  if (scanner->mode == IMAP_SCAN_NODES && memchr (bytes, '\r', length))
    return imap_scanner_fail (scanner, "a CR that ends no line");
  return TRUE;
}

/* Nodes */

static gboolean
at_item_name (const ImapScanner *scanner)
{
  return scanner->depth == 1 && scanner->type == IMAP_RESPONSE_FETCH && !(scanner->items & 1);
}

static gboolean
at_item_value (const ImapScanner *scanner, ImapItemKind kind)
{
  return scanner->depth == 1 && scanner->type == IMAP_RESPONSE_FETCH && (scanner->items & 1) &&
         scanner->kind == kind;
}

static void
push (ImapScanner *scanner, ImapNodeType type, guint32 offset, guint32 length)
{
  if (at_item_name (scanner))
    scanner->kind = type == IMAP_NODE_ATOM
                        ? imap_item_kind ((char *)scanner->text->data + offset, length)
                        : IMAP_ITEM_PLAIN;
  if (scanner->depth == 1)
    scanner->items++;
  if (scanner->n_nodes == scanner->room) {
    scanner->room = MAX (64, 2 * scanner->room);
    scanner->nodes = g_renew (ImapNode, scanner->nodes, scanner->room);
  }
  scanner->nodes[scanner->n_nodes] = (ImapNode){type, offset, length, scanner->n_nodes + 1};
  scanner->n_nodes++;
}

static gboolean
open_list (ImapScanner *scanner)
{
  guint32 parent = scanner->list;

  if (scanner->depth >= scanner->max_nesting)
    return imap_scanner_fail (scanner, "more than %u nested parentheses", scanner->max_nesting);
  push (scanner, IMAP_NODE_LIST, scanner->position, 0);
  scanner->list = scanner->n_nodes - 1;
  scanner->nodes[scanner->list].next = parent;
  if (scanner->depth++ == 0)
    scanner->items = 0;
  scanner->position++;
  return TRUE;
}

static gboolean
close_list (ImapScanner *scanner)
{
  ImapNode *list;

  if (scanner->depth == 0)
    return imap_scanner_fail (scanner, "a parenthesis that closes nothing");
  list = &scanner->nodes[scanner->list];
  scanner->list = list->next;
  list->next = scanner->n_nodes;
  scanner->depth--;
  scanner->position++;
  return TRUE;
}

/* "{12}", "{12+}" at the end of the segment; @text is behind the brace. */
static gboolean
parse_literal (const char *text, const char *end, guint64 *size)
{
  gsize length = strspn (text, "0123456789");
  const char *brace = text + length + (text[length] == '+');

  return *brace == '}' && brace + 1 == end && imap_parse_number (text, length, G_MAXINT64, size);
}

static ImapScanResult
scan_literal (ImapScanner *scanner, guint32 brace)
{
  const char *text = (char *)scanner->text->data;

  if (!parse_literal (text + brace + 1, text + scanner->end, &scanner->size))
    return failed (scanner, "a literal without a proper length");
  scanner->position = scanner->end;
  if (at_item_value (scanner, IMAP_ITEM_BODY)) {
    if (scanner->body)
      return failed (scanner, "two bodies in one FETCH");
    scanner->body = TRUE;
    scanner->body_binary = brace > 0 && text[brace - 1] == '~';
    return IMAP_SCAN_BODY;
  }
  scanner->literal = scanner->text->len;
  scanner->literal_kept = !scanner->in_section;
  scanner->literal_binary = at_item_value (scanner, IMAP_ITEM_SECTION);
  return IMAP_SCAN_LITERAL;
}

static ImapScanResult
scan_quoted (ImapScanner *scanner)
{
  char *text = (char *)scanner->text->data;
  guint32 start = scanner->position + 1, from = start, to = start;

  for (;; from++) {
    if (text[from] == '"')
      break;
    if (text[from] == '\\')
      from++;
    if (from >= scanner->end)
      return failed (scanner, "a quoted string that does not end");
    text[to++] = text[from];
  }
  scanner->quote = scanner->position;
  scanner->position = from + 1;
  if (!at_item_value (scanner, IMAP_ITEM_BODY)) {
    push (scanner, IMAP_NODE_STRING, start, to - start);
    return IMAP_SCAN_CONTINUE;
  }
  if (scanner->body)
    return failed (scanner, "two bodies in one FETCH");
  scanner->body = TRUE;
  scanner->body_offset = start;
  scanner->size = to - start;
  return IMAP_SCAN_QUOTED_BODY;
}

static guint32
skip_quoted (const ImapScanner *scanner, guint32 at)
{
  const char *text = (char *)scanner->text->data;

  for (at++; at < scanner->end && text[at] != '"'; at++)
    if (text[at] == '\\')
      at++;
  return MIN (at, scanner->end);
}

/* From behind the bracket to the end of the name. A section may hold anything that a line can. */
static ImapScanResult
scan_section (ImapScanner *scanner)
{
  const char *text = (char *)scanner->text->data;
  guint32 at = scanner->position;
  guint64 size;

  for (; at < scanner->end && (text[at] != ']' || scanner->section_depth > 0); at++) {
    if (text[at] == '"')
      at = skip_quoted (scanner, at);
    else if (text[at] == '(')
      scanner->section_depth++;
    else if (text[at] == ')' && scanner->section_depth > 0)
      scanner->section_depth--;
    else if (text[at] == '{' && parse_literal (text + at + 1, text + scanner->end, &size))
      return scan_literal (scanner, at);
  }
  if (at >= scanner->end)
    return failed (scanner, "a section that does not end");
  for (at++; !DELIMITER (text[at]); at++)
    ;
  scanner->position = at;
  scanner->in_section = FALSE;
  push (scanner, IMAP_NODE_ATOM, scanner->section, at - scanner->section);
  return IMAP_SCAN_CONTINUE;
}

static ImapScanResult
scan_atom (ImapScanner *scanner)
{
  const char *text = (char *)scanner->text->data;
  guint32 start = scanner->position, at = start;
  gboolean name = at_item_name (scanner);

  for (; !DELIMITER (text[at]); at++) {
    if (text[at] == '[' && name) {
      scanner->in_section = TRUE;
      scanner->section = start;
      scanner->section_depth = 0;
      scanner->position = at + 1;
      return scan_section (scanner);
    }
  }
  scanner->position = at;
  push (scanner, IMAP_NODE_ATOM, start, at - start);
  return IMAP_SCAN_CONTINUE;
}

static ImapScanResult
scan_node (ImapScanner *scanner)
{
  const char *text = (char *)scanner->text->data + scanner->position;

  switch (*text) {
  case ' ':
    scanner->position++;
    return IMAP_SCAN_CONTINUE;
  case '(':
    return open_list (scanner) ? IMAP_SCAN_CONTINUE : IMAP_SCAN_ERROR;
  case ')':
    return close_list (scanner) ? IMAP_SCAN_CONTINUE : IMAP_SCAN_ERROR;
  case '"':
    return scan_quoted (scanner);
  case '{':
    return scan_literal (scanner, scanner->position);
  case '~':
    if (text[1] == '{')
      return scan_literal (scanner, scanner->position + 1);
    G_GNUC_FALLTHROUGH;
  default:
    return scan_atom (scanner);
  }
}

static ImapScanResult
scan_nodes (ImapScanner *scanner)
{
  ImapScanResult result = IMAP_SCAN_CONTINUE;

  if (scanner->in_section)
    result = scan_section (scanner);
  while (result == IMAP_SCAN_CONTINUE && scanner->position < scanner->end)
    result = scan_node (scanner);
  if (result != IMAP_SCAN_CONTINUE)
    return result;
  if (scanner->depth > 0)
    return failed (scanner, "a parenthesis that is not closed");
  return IMAP_SCAN_END;
}

/* What is of no use is skipped whatever it is, but a literal at its end must be skipped with it. */
static ImapScanResult
scan_skipped (ImapScanner *scanner)
{
  const char *text = (char *)scanner->text->data;
  const char *brace = memrchr (text + scanner->position, '{', scanner->end - scanner->position);

  scanner->position = scanner->end;
  if (!brace || !parse_literal (brace + 1, text + scanner->end, &scanner->size))
    return IMAP_SCAN_END;
  scanner->literal_kept = FALSE;
  scanner->literal_binary = TRUE;
  return IMAP_SCAN_LITERAL;
}

ImapScanResult
imap_scanner_run (ImapScanner *scanner)
{
  switch (scanner->mode) {
  case IMAP_SCAN_TEXT:
    return IMAP_SCAN_END;
  case IMAP_SCAN_NODES:
    return scan_nodes (scanner);
  case IMAP_SCAN_SKIP:
    return scan_skipped (scanner);
  }
  g_return_val_if_reached (IMAP_SCAN_ERROR);
}

gboolean
imap_scanner_rescan (ImapScanner *scanner)
{
  if (scanner->segment > 0 || scanner->n_nodes > 0)
    return FALSE;
  scanner->position = MIN (scanner->rest, scanner->end);
  if (scan_nodes (scanner) == IMAP_SCAN_END)
    return TRUE;
  g_clear_pointer (&scanner->reason, g_free);
  return FALSE;
}

gboolean
imap_scanner_literal (ImapScanner *scanner, const guint8 *bytes, gsize length)
{
  if (!scanner->literal_binary && memchr (bytes, '\0', length))
    return imap_scanner_fail (scanner, "a NUL byte in a literal");
  if (scanner->literal_kept)
    g_byte_array_append (scanner->text, bytes, length);
  return TRUE;
}

void
imap_scanner_literal_end (ImapScanner *scanner)
{
  guint32 length = scanner->text->len - scanner->literal;

  if (!scanner->literal_kept)
    return;
  g_byte_array_append (scanner->text, (const guint8 *)"", 1);
  push (scanner, IMAP_NODE_STRING, scanner->literal, length);
}

void
imap_scanner_body_end (ImapScanner *scanner)
{
  push (scanner, IMAP_NODE_BODY, 0, 0);
}
