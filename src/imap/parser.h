/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/response.h"

G_BEGIN_DECLS

/* Bytes in, responses out. Resumable at any byte, no I/O, decides nothing.
 *
 * The caller hands over bytes as they come and calls imap_parser_next() until it wants more. The
 * body of a message (BODY[], also BINARY's literal8 form ~{n}, also as a quoted string) is never
 * kept: it goes by in pieces that point into the caller's bytes, between BODY_BEGIN and BODY_END;
 * everything else is collected within the limits. (A quoted body is collected like any other part
 * of a line, as its size must be known first, and then goes by.) A NUL byte is an error everywhere
 * but in a body and in the header of a FETCH. */

typedef struct {
  gsize max_line;    /* bytes of one response without its body literals; 1 MiB */
  gsize max_literal; /* bytes of one literal that is kept; 256 KiB; counts for max_line too */
  guint max_nesting; /* parentheses; 32 */
  guint64 max_body;  /* bytes of one body; 2^32-1 (RFC 9051, number64 is not for us) */
} ImapParserLimits;

extern const ImapParserLimits imap_parser_default_limits;

typedef enum {
  IMAP_PARSER_MORE,       /* everything was consumed; feed more */
  IMAP_PARSER_RESPONSE,   /* out->response is whole */
  IMAP_PARSER_BODY_BEGIN, /* out->response.fetch as far as it is known; out->body_size */
  IMAP_PARSER_BODY_DATA,  /* out->data, out->length */
  IMAP_PARSER_BODY_END,
  IMAP_PARSER_ERROR, /* final: the parser is of no more use */
} ImapParserEvent;

typedef struct {
  ImapResponse response;
  guint64 body_size;
  const guint8 *data;
  gsize length;
} ImapParserOutput;

typedef struct _ImapParser ImapParser;

ImapParser *imap_parser_new (const ImapParserLimits *limits); /* NULL: the defaults */
void imap_parser_free (ImapParser *parser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImapParser, imap_parser_free)

/* Reads from @bytes, sets @consumed (<= @length), returns what was found. The same bytes minus
 * @consumed are to be offered again, at once or together with later ones. What @out points to is
 * valid until the next call, and as long as @bytes are. An IMAPSYNC_ERROR_PROTOCOL says what was
 * wrong and shows the first 200 bytes of the line, escaped. Never reads beyond the CRLF that ends a
 * response (STARTTLS and COMPRESS depend on it). A lone LF ends a line too. */
ImapParserEvent imap_parser_next (ImapParser *parser, const guint8 *bytes, gsize length,
                                  gsize *consumed, ImapParserOutput *out, GError **error);

/* The line of the last response as received, literals as "{n}", escaped, for --debug. For a
 * response that is still going on (BODY_BEGIN) what there is of it. Valid as @out. */
const char *imap_parser_line (ImapParser *parser);

/* The only parser of date-time (RFC 9051): " 7-Jul-1996 02:44:25 -0700", one-digit days with or
 * without a space or zero. FALSE for nonsense. */
gboolean imap_parse_date_time (const char *text, gint64 *seconds);

G_END_DECLS
