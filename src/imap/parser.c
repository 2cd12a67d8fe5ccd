/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"
#include "imap/parser.h"
#include "imap/response-build.h"

#include <string.h>

#define KEEP    (64 * 1024) /* bytes of a line that are worth keeping for the next one */
#define EXCERPT 200         /* bytes of a line in an error */

typedef enum {
  STATE_LINE,    /* collects a segment */
  STATE_SCAN,    /* looks at it */
  STATE_LITERAL, /* collects a literal */
  STATE_BODY,    /* passes a body on, from the caller's bytes */
  STATE_QUOTED,  /* passes a body on that stands in the segment */
  STATE_DONE,    /* the response was handed out */
  STATE_FAILED,
} State;

struct _ImapParser {
  ImapParserLimits limits;
  State state;
  ImapScanner scanner;
  ImapBuilder builder;
  GByteArray *line; /* the segments as received, without CRLF and literals */
  gsize segment;    /* where in line the present one begins */
  gsize total;      /* bytes of the response but for its body */
  guint64 left;     /* of a literal or body */
  GString *shown;
  /* A body that came as a quoted string stands in line; it is shown as a literal. */
  gsize hidden, hidden_end;
  guint64 hidden_size;
};

typedef struct {
  const guint8 *bytes;
  gsize length;
  gsize used;
} Input;

const ImapParserLimits imap_parser_default_limits = {
    .max_line = 1024 * 1024,
    .max_literal = 256 * 1024,
    .max_nesting = 32,
    .max_body = G_MAXUINT32,
};

ImapParser *
imap_parser_new (const ImapParserLimits *limits)
{
  ImapParser *parser = g_new0 (ImapParser, 1);

  parser->limits = limits ? *limits : imap_parser_default_limits;
  /* Offsets have 32 bits. */
  parser->limits.max_line = MIN (parser->limits.max_line, G_MAXINT32 / 2);
  imap_scanner_init (&parser->scanner, parser->limits.max_nesting);
  imap_builder_init (&parser->builder);
  parser->line = g_byte_array_new ();
  parser->shown = g_string_new (NULL);
  return parser;
}

void
imap_parser_free (ImapParser *parser)
{
  if (!parser)
    return;
  imap_scanner_clear (&parser->scanner);
  imap_builder_clear (&parser->builder);
  g_byte_array_unref (parser->line);
  g_string_free (parser->shown, TRUE);
  g_free (parser);
}

/* Each step below returns TRUE with an event, or FALSE to go on with the next one. */

static gboolean
failed (ImapParser *parser, ImapParserEvent *event)
{
  parser->state = STATE_FAILED;
  *event = IMAP_PARSER_ERROR;
  return TRUE;
}

static void
reset (ImapParser *parser)
{
  imap_scanner_reset (&parser->scanner);
  imap_builder_reset (&parser->builder);
  if (parser->line->len > KEEP) {
    g_byte_array_unref (parser->line);
    parser->line = g_byte_array_new ();
  }
  g_byte_array_set_size (parser->line, 0);
  parser->segment = parser->total = parser->hidden = parser->hidden_end = 0;
  parser->state = STATE_LINE;
}

static gboolean
step_line (ImapParser *parser, Input *input, ImapParserEvent *event)
{
  const guint8 *bytes = input->bytes + input->used;
  gsize length = input->length - input->used, room = parser->limits.max_line - parser->total;
  const guint8 *newline = length > 0 ? memchr (bytes, '\n', length) : NULL;
  GByteArray *line = parser->line;
  gsize end;

  *event = IMAP_PARSER_MORE;
  if (length == 0)
    return TRUE;
  if (newline)
    length = newline + 1 - bytes;
  g_byte_array_append (line, bytes, MIN (length, room));
  input->used += MIN (length, room);
  if (length > room) {
    imap_scanner_fail (&parser->scanner, "a line of more than %" G_GSIZE_FORMAT " bytes",
                       parser->limits.max_line);
    return failed (parser, event);
  }
  parser->total += length;
  if (!newline)
    return TRUE;
  end = line->len - 1;
  if (end > parser->segment && line->data[end - 1] == '\r')
    end--;
  g_byte_array_set_size (line, end);
  parser->state = STATE_SCAN;
  return !imap_scanner_segment (&parser->scanner, line->data + parser->segment,
                                end - parser->segment) &&
         failed (parser, event);
}

static gboolean
begin_literal (ImapParser *parser, ImapParserEvent *event)
{
  guint64 size = parser->scanner.size;

  if (size > parser->limits.max_literal || size > parser->limits.max_line - parser->total) {
    imap_scanner_fail (&parser->scanner, "a literal of %" G_GUINT64_FORMAT " bytes, too many",
                       size);
    return failed (parser, event);
  }
  parser->total += size;
  parser->left = size;
  parser->state = STATE_LITERAL;
  return FALSE;
}

static gboolean
begin_body (ImapParser *parser, State state, ImapParserOutput *out, ImapParserEvent *event)
{
  ImapScanner *scanner = &parser->scanner;

  parser->left = out->body_size = scanner->size;
  if (state == STATE_QUOTED) {
    parser->hidden = parser->segment + scanner->quote - scanner->segment;
    parser->hidden_end = parser->segment + scanner->position - scanner->segment;
    parser->hidden_size = scanner->size;
  }
  if (scanner->size > parser->limits.max_body)
    imap_scanner_fail (scanner, "a body of %" G_GUINT64_FORMAT " bytes, too many", scanner->size);
  if (scanner->size > parser->limits.max_body ||
      !imap_build_fetch (&parser->builder, scanner, &out->response))
    return failed (parser, event);
  parser->state = state;
  *event = IMAP_PARSER_BODY_BEGIN;
  return TRUE;
}

static gboolean
step_scan (ImapParser *parser, ImapParserOutput *out, ImapParserEvent *event)
{
  switch (imap_scanner_run (&parser->scanner)) {
  case IMAP_SCAN_END:
    if (!imap_build_response (&parser->builder, &parser->scanner, &out->response))
      return failed (parser, event);
    parser->state = STATE_DONE;
    *event = IMAP_PARSER_RESPONSE;
    return TRUE;
  case IMAP_SCAN_LITERAL:
    return begin_literal (parser, event);
  case IMAP_SCAN_BODY:
    return begin_body (parser, STATE_BODY, out, event);
  case IMAP_SCAN_QUOTED_BODY:
    return begin_body (parser, STATE_QUOTED, out, event);
  case IMAP_SCAN_CONTINUE:
  case IMAP_SCAN_ERROR:
    break;
  }
  return failed (parser, event);
}

static gsize
take (ImapParser *parser, Input *input, const guint8 **bytes)
{
  gsize length = MIN (input->length - input->used, parser->left);

  *bytes = length > 0 ? input->bytes + input->used : NULL;
  input->used += length;
  parser->left -= length;
  return length;
}

static void
begin_segment (ImapParser *parser)
{
  parser->segment = parser->line->len;
  parser->state = STATE_LINE;
}

static gboolean
step_literal (ImapParser *parser, Input *input, ImapParserEvent *event)
{
  const guint8 *bytes;
  gsize length = take (parser, input, &bytes);

  *event = IMAP_PARSER_MORE;
  if (length > 0 && !imap_scanner_literal (&parser->scanner, bytes, length))
    return failed (parser, event);
  if (parser->left > 0)
    return TRUE;
  imap_scanner_literal_end (&parser->scanner);
  begin_segment (parser);
  return FALSE;
}

static gboolean
step_body (ImapParser *parser, Input *input, ImapParserOutput *out, ImapParserEvent *event)
{
  if (parser->left == 0) {
    imap_scanner_body_end (&parser->scanner);
    begin_segment (parser);
    *event = IMAP_PARSER_BODY_END;
    return TRUE;
  }
  out->length = take (parser, input, &out->data);
  *event = out->length > 0 ? IMAP_PARSER_BODY_DATA : IMAP_PARSER_MORE;
  return TRUE;
}

static gboolean
step_quoted (ImapParser *parser, ImapParserOutput *out, ImapParserEvent *event)
{
  if (parser->left == 0) {
    imap_scanner_body_end (&parser->scanner);
    parser->state = STATE_SCAN;
    *event = IMAP_PARSER_BODY_END;
    return TRUE;
  }
  out->data = parser->scanner.text->data + parser->scanner.body_offset;
  out->length = parser->left;
  parser->left = 0;
  *event = IMAP_PARSER_BODY_DATA;
  return TRUE;
}

static gboolean
step (ImapParser *parser, Input *input, ImapParserOutput *out, ImapParserEvent *event)
{
  switch (parser->state) {
  case STATE_LINE:
    return step_line (parser, input, event);
  case STATE_SCAN:
    return step_scan (parser, out, event);
  case STATE_LITERAL:
    return step_literal (parser, input, event);
  case STATE_BODY:
    return step_body (parser, input, out, event);
  case STATE_QUOTED:
    return step_quoted (parser, out, event);
  case STATE_DONE:
    reset (parser);
    return FALSE;
  case STATE_FAILED:
    break;
  }
  return failed (parser, event);
}

/* The line's first @max bytes, escaped. */
static void
show_line (ImapParser *parser, gsize max)
{
  const char *line = (char *)parser->line->data;
  gsize length = MIN (parser->line->len, max), hidden = MIN (parser->hidden, length);
  gsize hidden_end = MIN (parser->hidden_end, length);

  g_string_truncate (parser->shown, 0);
  imap_append_escaped (parser->shown, line, parser->hidden_end > 0 ? hidden : length);
  if (parser->hidden_end == 0 || hidden == length)
    return;
  g_string_append_printf (parser->shown, "{%" G_GUINT64_FORMAT "}", parser->hidden_size);
  imap_append_escaped (parser->shown, line + hidden_end, length - hidden_end);
}

const char *
imap_parser_line (ImapParser *parser)
{
  show_line (parser, G_MAXSIZE);
  return parser->shown->str;
}

ImapParserEvent
imap_parser_next (ImapParser *parser, const guint8 *bytes, gsize length, gsize *consumed,
                  ImapParserOutput *out, GError **error)
{
  Input input = {bytes, length, 0};
  ImapParserEvent event;

  memset (out, 0, sizeof *out);
  while (!step (parser, &input, out, &event))
    ;
  *consumed = input.used;
  if (event == IMAP_PARSER_ERROR) {
    show_line (parser, EXCERPT);
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "The server sent what makes no sense, %s: \"%s%s\"", parser->scanner.reason,
                 parser->shown->str, parser->line->len > EXCERPT ? "..." : "");
  }
  return event;
}
