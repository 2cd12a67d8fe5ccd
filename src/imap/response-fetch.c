/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/parser.h"
#include "imap/response-build.h"

#include <string.h>

typedef gboolean (*BuildItem) (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value,
                               ImapFetch *fetch);

static gboolean
build_uid (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  guint64 uid;

  if (!imap_build_number (scanner, value, "UID", 1, G_MAXUINT32, &uid))
    return FALSE;
  if (fetch->uid && fetch->uid != uid)
    return imap_scanner_fail (scanner, "two UIDs in one FETCH");
  fetch->uid = uid;
  return TRUE;
}

static gboolean
build_flags (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  if (!imap_build_flags (builder, scanner, value, FALSE))
    return FALSE;
  fetch->items |= IMAP_FETCH_FLAGS;
  fetch->flags = (const char *const *)builder->strings->pdata;
  fetch->n_flags = builder->strings->len - 1;
  return TRUE;
}

static gboolean
build_modseq (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  ImapCursor cursor = imap_cursor_members (scanner, value);

  fetch->items |= IMAP_FETCH_MODSEQ;
  if (!imap_build_number (scanner, imap_cursor_next (&cursor), "MODSEQ", 0, IMAP_MODSEQ_MAX,
                          &fetch->modseq))
    return FALSE;
  return !imap_cursor_next (&cursor) || imap_scanner_fail (scanner, "MODSEQ is more than one");
}

static gboolean
build_internaldate (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value,
                    ImapFetch *fetch)
{
  if (value->type != IMAP_NODE_STRING ||
      !imap_parse_date_time (imap_scanner_text (scanner, value), &fetch->internaldate))
    return imap_scanner_fail (scanner, "INTERNALDATE is no date and time");
  fetch->items |= IMAP_FETCH_INTERNALDATE;
  return TRUE;
}

static gboolean
build_size (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  fetch->items |= IMAP_FETCH_SIZE;
  return imap_build_number (scanner, value, "RFC822.SIZE", 0, G_MAXINT64, &fetch->size);
}

static gboolean
build_guid (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  if (imap_node_is (scanner, value, "NIL"))
    return TRUE;
  fetch->guid = imap_build_id (scanner, value);
  if (!fetch->guid)
    return imap_scanner_fail (scanner, "X-GUID or EMAILID without an id");
  fetch->items |= IMAP_FETCH_GUID;
  return TRUE;
}

static gboolean
build_section (ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  if (imap_node_is (scanner, value, "NIL"))
    return TRUE;
  if (value->type != IMAP_NODE_STRING)
    return imap_scanner_fail (scanner, "a section of a body is no string");
  fetch->items |= IMAP_FETCH_HEADER;
  fetch->header = (const guint8 *)imap_scanner_text (scanner, value);
  fetch->header_length = value->length;
  return TRUE;
}

static gboolean
build_body (ImapScanner *scanner, const ImapNode *value, ImapFetch *fetch)
{
  if (value->type == IMAP_NODE_BODY)
    fetch->items |= IMAP_FETCH_BODY;
  else if (imap_node_is (scanner, value, "NIL"))
    fetch->items |= IMAP_FETCH_NIL;
  else
    return imap_scanner_fail (scanner, "BODY[] is no string");
  return TRUE;
}

static gboolean
build_item (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *name, const ImapNode *value,
            ImapFetch *fetch)
{
  static const struct {
    const char *name;
    BuildItem build;
  } items[] = {
      {"UID", build_uid},          {"FLAGS", build_flags},
      {"MODSEQ", build_modseq},    {"INTERNALDATE", build_internaldate},
      {"RFC822.SIZE", build_size}, {"X-GUID", build_guid},
      {"EMAILID", build_guid},
  };

  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    if (imap_node_is (scanner, name, items[i].name))
      return items[i].build (builder, scanner, value, fetch);
  switch (imap_item_kind ((char *)scanner->text->data + name->offset, name->length)) {
  case IMAP_ITEM_BODY:
    return build_body (scanner, value, fetch);
  case IMAP_ITEM_SECTION:
    return build_section (scanner, value, fetch);
  case IMAP_ITEM_PART:
    return imap_scanner_fail (scanner, "a part of a body that nobody asked for");
  case IMAP_ITEM_PLAIN:
    return TRUE;
  }
  g_return_val_if_reached (FALSE);
}

gboolean
imap_build_fetch (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner), items;
  const ImapNode *node = imap_cursor_next (&cursor), *name, *value;
  gboolean whole = scanner->depth == 0;

  *response = (ImapResponse){.type = scanner->type};
  response->fetch.seq = scanner->number;
  if (scanner->number == 0)
    return imap_scanner_fail (scanner, "FETCH of message 0");
  if (!node || node->type != IMAP_NODE_LIST || imap_cursor_next (&cursor))
    return imap_scanner_fail (scanner, "FETCH is no single list");
  items = imap_cursor_members (scanner, node);
  while ((name = imap_cursor_next (&items))) {
    value = imap_cursor_next (&items);
    if (!value && !whole)
      break;
    if (name->type != IMAP_NODE_ATOM || !value)
      return imap_scanner_fail (scanner, "an item of FETCH without name or value");
    if (!build_item (builder, scanner, name, value, &response->fetch))
      return FALSE;
  }
  if (scanner->body && scanner->body_binary)
    response->fetch.items |= IMAP_FETCH_BINARY;
  return TRUE;
}
