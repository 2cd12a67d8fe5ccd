/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/scanner.h"

#include <string.h>

char *
imap_scanner_text (ImapScanner *scanner, const ImapNode *node)
{
  char *text = (char *)scanner->text->data + node->offset;

  /* What stands there is a delimiter that has been seen. */
  text[node->length] = '\0';
  return text;
}

ImapCursor
imap_cursor_root (const ImapScanner *scanner)
{
  return (ImapCursor){scanner->nodes, 0, scanner->n_nodes};
}

ImapCursor
imap_cursor_members (const ImapScanner *scanner, const ImapNode *list)
{
  ImapCursor cursor = imap_cursor_root (scanner);
  guint index = list - cursor.nodes;

  if (list->type != IMAP_NODE_LIST)
    cursor.end = 0;
  else if (list->next > index) /* else it is still open */
    cursor.end = MIN (list->next, cursor.end);
  cursor.next = index + 1;
  return cursor;
}

const ImapNode *
imap_cursor_next (ImapCursor *cursor)
{
  const ImapNode *node;

  if (cursor->next >= cursor->end)
    return NULL;
  node = &cursor->nodes[cursor->next];
  cursor->next = node->next > cursor->next ? node->next : cursor->end;
  return node;
}

gboolean
imap_node_is (const ImapScanner *scanner, const ImapNode *node, const char *atom)
{
  const char *text = (char *)scanner->text->data + node->offset;

  /* Most of them differ in their first letter already. */
  return node->type == IMAP_NODE_ATOM && ((*text ^ *atom) & ~0x20) == 0 &&
         strlen (atom) == node->length && !g_ascii_strncasecmp (text, atom, node->length);
}

ImapItemKind
imap_item_kind (const char *name, gsize length)
{
  const char *section = NULL;

  if (length < 6 || ((*name | 0x20) != 'b' && (*name | 0x20) != 'r'))
    return IMAP_ITEM_PLAIN;
  if (!g_ascii_strncasecmp (name, "BODY[", 5))
    section = name + 5;
  else if (length > 7 && !g_ascii_strncasecmp (name, "BINARY[", 7))
    section = name + 7;
  else if (length == 6 && !g_ascii_strncasecmp (name, "RFC822", 6))
    return IMAP_ITEM_BODY;
  else if (length == 13 && !g_ascii_strncasecmp (name, "RFC822.HEADER", 13))
    return IMAP_ITEM_SECTION;
  if (!section)
    return IMAP_ITEM_PLAIN;
  if (*section != ']')
    return IMAP_ITEM_SECTION;
  length -= section + 1 - name;
  if (length == 0 || (length == 3 && !strncmp (section + 1, "<0>", 3)))
    return IMAP_ITEM_BODY;
  return IMAP_ITEM_PART;
}

gboolean
imap_parse_number (const char *text, gsize length, guint64 max, guint64 *number)
{
  guint64 value = 0;

  if (length == 0)
    return FALSE;
  for (gsize i = 0; i < length; i++) {
    guint digit = (guint)(text[i] - '0');

    if (digit > 9 || digit > max || value > (max - digit) / 10)
      return FALSE;
    value = value * 10 + digit;
  }
  *number = value;
  return TRUE;
}

void
imap_append_escaped (GString *string, const char *bytes, gsize length)
{
  const char *end = bytes + length;

  while (bytes < end) {
    gsize plain = 0, size = 1;
    gunichar c;

    while (bytes + plain < end && bytes[plain] >= ' ' && bytes[plain] < 0x7f)
      plain++;
    g_string_append_len (string, bytes, plain);
    if ((bytes += plain) == end)
      break;
    c = g_utf8_get_char_validated (bytes, end - bytes);
    if (c < (gunichar)-2)
      size = g_unichar_to_utf8 (c, NULL);
    if (c < (gunichar)-2 && g_unichar_isprint (c))
      g_string_append_len (string, bytes, size);
    else
      for (gsize i = 0; i < size; i++)
        g_string_append_printf (string, "\\x%02x", (guint8)bytes[i]);
    bytes += size;
  }
}
