/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/response.h"

G_BEGIN_DECLS

/* Inside of the parser: cuts one response into nodes (atoms, strings, lists).
 *
 * A response arrives as segments, the parts of its line between literals. Each is looked at once,
 * when it is whole. Text and nodes live in two arrays that are used again for the next response;
 * nodes refer to text by offset. */

typedef enum {
  IMAP_NODE_ATOM,
  IMAP_NODE_STRING, /* quoted, without its quotes and backslashes, or a literal */
  IMAP_NODE_LIST,   /* its members follow, up to next */
  IMAP_NODE_BODY,   /* the value of BODY[]: its bytes went by */
} ImapNodeType;

typedef struct {
  ImapNodeType type;
  guint32 offset;
  guint32 length;
  guint32 next; /* index of the next sibling; of an open list, its parent */
} ImapNode;

/* What the rest of the line is, by the name of the response. */
typedef enum {
  IMAP_SCAN_TEXT,  /* anything; never a literal */
  IMAP_SCAN_NODES, /* atoms, strings, lists */
  IMAP_SCAN_SKIP,  /* anything, possibly with literals */
} ImapScanMode;

/* What comes next. */
typedef enum {
  IMAP_SCAN_ERROR,       /* reason says why */
  IMAP_SCAN_END,         /* the response is whole */
  IMAP_SCAN_LITERAL,     /* size bytes for imap_scanner_literal() */
  IMAP_SCAN_BODY,        /* size bytes that are a body, behind the segment */
  IMAP_SCAN_QUOTED_BODY, /* the same, in text at body_offset; the segment goes on */
  IMAP_SCAN_CONTINUE,    /* never returned: the segment goes on */
} ImapScanResult;

/* What the name of a FETCH item says about its value. */
typedef enum {
  IMAP_ITEM_PLAIN,
  IMAP_ITEM_BODY,    /* BODY[], BODY[]<0>, BINARY[], RFC822 */
  IMAP_ITEM_PART,    /* BODY[]<n>: some of the body */
  IMAP_ITEM_SECTION, /* BODY[HEADER] and the like, RFC822.HEADER */
} ImapItemKind;

typedef struct {
  GByteArray *text; /* the segments and literals, each with a NUL behind it */
  ImapNode *nodes;
  guint n_nodes, room; /* nodes that are there, and that have room */
  guint max_nesting;
  char *reason; /* of an error; for people, one clause */

  /* The beginning of the response */
  gboolean begun;
  ImapScanMode mode;
  ImapResponseType type;
  gint64 tag; /* offset; -1: none */
  guint32 name, name_length;
  guint32 number;
  guint32 rest; /* what follows the name */

  /* Where we are */
  guint32 segment, position, end;
  guint32 list, depth;  /* the open list; how many are open */
  guint32 items;        /* in the outermost list */
  ImapItemKind kind;    /* of the last name in the outermost list of a FETCH */
  gboolean body;        /* there was one */
  gboolean body_binary; /* as literal8, "~{12}" */

  /* BODY[HEADER.FIELDS (A "B" {1} */
  gboolean in_section;
  guint32 section, section_depth;

  guint64 size;        /* of the literal or body that comes next */
  guint32 body_offset; /* of a quoted one */
  guint32 quote;       /* where its opening quote was */
  gboolean literal_kept, literal_binary;
  guint32 literal; /* where the present one begins */
} ImapScanner;

void imap_scanner_init (ImapScanner *scanner, guint max_nesting);
void imap_scanner_clear (ImapScanner *scanner);

/* Makes ready for the next response. */
void imap_scanner_reset (ImapScanner *scanner);

/* Adds the segment, then imap_scanner_run() says what comes next. */
gboolean imap_scanner_segment (ImapScanner *scanner, const guint8 *bytes, gsize length);
ImapScanResult imap_scanner_run (ImapScanner *scanner);

/* Some bytes of a literal; its end. The end of a body. */
gboolean imap_scanner_literal (ImapScanner *scanner, const guint8 *bytes, gsize length);
void imap_scanner_literal_end (ImapScanner *scanner);
void imap_scanner_body_end (ImapScanner *scanner);

/* Looks at the one segment of a response of mode SKIP as nodes after all. FALSE: it has none. */
gboolean imap_scanner_rescan (ImapScanner *scanner);

/* Always FALSE. */
gboolean imap_scanner_fail (ImapScanner *scanner, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The node's text, NUL-terminated; only once everything before the present position was scanned. */
char *imap_scanner_text (ImapScanner *scanner, const ImapNode *node);

/* Walks siblings. */
typedef struct {
  const ImapNode *nodes;
  guint next, end;
} ImapCursor;

ImapCursor imap_cursor_root (const ImapScanner *scanner);
ImapCursor imap_cursor_members (const ImapScanner *scanner, const ImapNode *list);
const ImapNode *imap_cursor_next (ImapCursor *cursor);

gboolean imap_node_is (const ImapScanner *scanner, const ImapNode *node, const char *atom);
ImapItemKind imap_item_kind (const char *name, gsize length);

/* Digits only, at most @max. */
gboolean imap_parse_number (const char *text, gsize length, guint64 max, guint64 *number);

/* Adds @bytes as valid UTF-8 without control characters: what is neither becomes \xNN. */
void imap_append_escaped (GString *string, const char *bytes, gsize length);

G_END_DECLS
