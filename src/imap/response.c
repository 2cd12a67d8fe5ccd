/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/response-build.h"

#include <string.h>

#define KEEP 1024 /* strings that are worth keeping room for */

typedef gboolean (*Build) (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response);

void
imap_builder_init (ImapBuilder *builder)
{
  builder->strings = g_ptr_array_new ();
  builder->namespaces = g_array_new (FALSE, TRUE, sizeof (ImapOtherNamespace));
  builder->set = NULL;
  builder->empty = uid_set_new ();
  builder->text = g_string_new (NULL);
}

void
imap_builder_clear (ImapBuilder *builder)
{
  g_ptr_array_unref (builder->strings);
  g_array_unref (builder->namespaces);
  g_clear_pointer (&builder->set, uid_set_free);
  uid_set_free (builder->empty);
  g_string_free (builder->text, TRUE);
}

void
imap_builder_reset (ImapBuilder *builder)
{
  if (builder->strings->len > KEEP || builder->namespaces->len > KEEP ||
      builder->text->len > KEEP) {
    imap_builder_clear (builder);
    imap_builder_init (builder);
  }
  g_clear_pointer (&builder->set, uid_set_free);
}

gboolean
imap_build_number (ImapScanner *scanner, const ImapNode *node, const char *what, guint64 min,
                   guint64 max, guint64 *number)
{
  if (!node || node->type != IMAP_NODE_ATOM)
    return imap_scanner_fail (scanner, "%s is no number", what);
  if (!imap_parse_number ((char *)scanner->text->data + node->offset, node->length, max, number) ||
      *number < min)
    return imap_scanner_fail (scanner,
                              "%s is no number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                              what, min, max);
  return TRUE;
}

static gboolean
build_number32 (ImapScanner *scanner, const ImapNode *node, const char *what, guint32 min,
                guint32 *number)
{
  guint64 value;

  if (!imap_build_number (scanner, node, what, min, G_MAXUINT32, &value))
    return FALSE;
  *number = value;
  return TRUE;
}

gboolean
imap_build_set (ImapBuilder *builder, ImapScanner *scanner, const char *text, const char *what,
                const UidSet **set)
{
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&builder->set, uid_set_free);
  *set = builder->set = uid_set_parse (text, -1, &error);
  return *set || imap_scanner_fail (scanner, "%s: %s", what, error->message);
}

gboolean
imap_build_flag_is_valid (const char *flag, gboolean star)
{
  const char *c = flag;

  if (star && !strcmp (flag, "\\*"))
    return TRUE;
  c += *c == '\\';
  if (*c == '\0')
    return FALSE;
  for (; *c; c++)
    if (!g_ascii_isgraph (*c) || *c == '(' || *c == ')' || *c == '{' || *c == '%' || *c == '*' ||
        *c == '"' || *c == '\\')
      return FALSE;
  return TRUE;
}

gboolean
imap_build_flags (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *node, gboolean star)
{
  ImapCursor cursor;
  const ImapNode *member;

  if (!node || node->type != IMAP_NODE_LIST)
    return imap_scanner_fail (scanner, "FLAGS is no list");
  g_ptr_array_set_size (builder->strings, 0);
  cursor = imap_cursor_members (scanner, node);
  while ((member = imap_cursor_next (&cursor))) {
    char *flag = member->type == IMAP_NODE_ATOM ? imap_scanner_text (scanner, member) : NULL;

    if (!flag || !imap_build_flag_is_valid (flag, star))
      return imap_scanner_fail (scanner, "a flag that cannot be one");
    g_ptr_array_add (builder->strings, flag);
  }
  g_ptr_array_add (builder->strings, NULL);
  return TRUE;
}

/* A string in a place where an atom is one too, whatever it spells. */
static const char *
build_astring (ImapScanner *scanner, const ImapNode *node)
{
  if (!node || (node->type != IMAP_NODE_ATOM && node->type != IMAP_NODE_STRING))
    return NULL;
  return imap_scanner_text (scanner, node);
}

gboolean
imap_id_is_valid (const char *id)
{
  const char *c = id;

  while (g_ascii_isgraph (*c))
    c++;
  return c > id && *c == '\0';
}

const char *
imap_build_id (ImapScanner *scanner, const ImapNode *node)
{
  const char *id;

  if (node && node->type == IMAP_NODE_LIST) {
    ImapCursor cursor = imap_cursor_members (scanner, node);

    node = imap_cursor_next (&cursor);
    if (imap_cursor_next (&cursor))
      return NULL;
  }
  id = build_astring (scanner, node);
  return id && imap_id_is_valid (id) ? id : NULL;
}

static gboolean
nothing_left (ImapScanner *scanner, ImapCursor *cursor, const char *what)
{
  return !imap_cursor_next (cursor) || imap_scanner_fail (scanner, "something behind the %s", what);
}

/* Words up to the end of the line. */
static gboolean
build_words (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  char *word = (char *)scanner->text->data + scanner->rest;

  g_ptr_array_set_size (builder->strings, 0);
  while (*(word += strspn (word, " "))) {
    char *end = word + strcspn (word, " ");

    if (*end)
      *end++ = '\0';
    if (imap_id_is_valid (word))
      g_ptr_array_add (builder->strings, word);
    word = end;
  }
  response->n_words = builder->strings->len;
  g_ptr_array_add (builder->strings, NULL);
  response->words = (const char *const *)builder->strings->pdata;
  return TRUE;
}

static gboolean
build_flags (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner);

  if (!imap_build_flags (builder, scanner, imap_cursor_next (&cursor), TRUE))
    return FALSE;
  response->words = (const char *const *)builder->strings->pdata;
  response->n_words = builder->strings->len - 1;
  return nothing_left (scanner, &cursor, "flags");
}

/* LIST */

static ImapListFlags
list_flag (const ImapScanner *scanner, const ImapNode *node)
{
  static const struct {
    const char *name;
    ImapListFlags flags;
  } names[] = {
      {"\\Noselect", IMAP_LIST_NOSELECT},
      {"\\NonExistent", IMAP_LIST_NONEXISTENT | IMAP_LIST_NOSELECT},
      {"\\Noinferiors", IMAP_LIST_NOINFERIORS},
      {"\\HasChildren", IMAP_LIST_HASCHILDREN},
      {"\\HasNoChildren", IMAP_LIST_HASNOCHILDREN},
      {"\\Subscribed", IMAP_LIST_SUBSCRIBED},
      {"\\Remote", IMAP_LIST_REMOTE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (imap_node_is (scanner, node, names[i].name))
      return names[i].flags;
  return 0;
}

static gboolean
build_delimiter (ImapScanner *scanner, const ImapNode *node, char *delimiter)
{
  const char *text = build_astring (scanner, node);

  *delimiter = '\0';
  if (text && imap_node_is (scanner, node, "NIL"))
    return TRUE;
  if (!text || node->length > 1 || (*text && !g_ascii_isprint (*text)))
    return imap_scanner_fail (scanner, "a hierarchy delimiter that is no single character");
  *delimiter = *text;
  return TRUE;
}

/* ("OLDNAME" (name) "CHILDINFO" ("SUBSCRIBED")) */
static gboolean
build_list_extended (ImapScanner *scanner, const ImapNode *node, ImapList *list)
{
  ImapCursor cursor = imap_cursor_members (scanner, node);
  const ImapNode *item, *value;

  if (node->type != IMAP_NODE_LIST)
    return imap_scanner_fail (scanner, "something behind the mailbox's name");
  while ((item = imap_cursor_next (&cursor)) && (value = imap_cursor_next (&cursor))) {
    const char *name = build_astring (scanner, item);
    ImapCursor old = imap_cursor_members (scanner, value);

    if (!name || g_ascii_strcasecmp (name, "OLDNAME"))
      continue;
    list->oldname = build_astring (scanner, imap_cursor_next (&old));
    if (!list->oldname)
      return imap_scanner_fail (scanner, "OLDNAME without a name");
  }
  return TRUE;
}

static gboolean
build_list (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner), members;
  ImapList *list = &response->list;
  const ImapNode *node = imap_cursor_next (&cursor), *member;

  if (!node || node->type != IMAP_NODE_LIST)
    return imap_scanner_fail (scanner, "LIST without attributes");
  members = imap_cursor_members (scanner, node);
  while ((member = imap_cursor_next (&members)))
    list->flags |= list_flag (scanner, member);
  if (!build_delimiter (scanner, imap_cursor_next (&cursor), &list->delimiter))
    return FALSE;
  list->mailbox = build_astring (scanner, imap_cursor_next (&cursor));
  if (!list->mailbox)
    return imap_scanner_fail (scanner, "LIST without a mailbox");
  if ((node = imap_cursor_next (&cursor)) && !build_list_extended (scanner, node, list))
    return FALSE;
  return nothing_left (scanner, &cursor, "LIST");
}

/* STATUS */

static gboolean
build_status_item (ImapScanner *scanner, const ImapNode *name, const ImapNode *value,
                   ImapStatus *status)
{
  struct {
    const char *name;
    ImapStatusItems item;
    guint32 min;
    guint32 *number;
  } numbers[] = {
      {"MESSAGES", IMAP_STATUS_MESSAGES, 0, &status->messages},
      {"UIDNEXT", IMAP_STATUS_UIDNEXT, 1, &status->uidnext},
      {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY, 1, &status->uidvalidity},
      {"UNSEEN", IMAP_STATUS_UNSEEN, 0, &status->unseen},
  };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (imap_node_is (scanner, name, numbers[i].name)) {
      status->items |= numbers[i].item;
      return build_number32 (scanner, value, numbers[i].name, numbers[i].min, numbers[i].number);
    }
  if (imap_node_is (scanner, name, "HIGHESTMODSEQ")) {
    status->items |= IMAP_STATUS_HIGHESTMODSEQ;
    return imap_build_number (scanner, value, "HIGHESTMODSEQ", 0, IMAP_MODSEQ_MAX,
                              &status->highestmodseq);
  }
  if (imap_node_is (scanner, name, "SIZE")) {
    status->items |= IMAP_STATUS_SIZE;
    return imap_build_number (scanner, value, "SIZE", 0, G_MAXINT64, &status->size);
  }
  if (imap_node_is (scanner, name, "MAILBOXID") && value->type == IMAP_NODE_LIST) {
    status->items |= IMAP_STATUS_MAILBOXID;
    status->mailboxid = imap_build_id (scanner, value);
    return status->mailboxid || imap_scanner_fail (scanner, "MAILBOXID without an id");
  }
  return TRUE;
}

static gboolean
build_mailbox_status (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner), items;
  ImapStatus *status = &response->status;
  const ImapNode *node, *name, *value;

  status->mailbox = build_astring (scanner, imap_cursor_next (&cursor));
  if (!status->mailbox)
    return imap_scanner_fail (scanner, "STATUS without a mailbox");
  node = imap_cursor_next (&cursor);
  if (!node || node->type != IMAP_NODE_LIST)
    return imap_scanner_fail (scanner, "STATUS without items");
  items = imap_cursor_members (scanner, node);
  while ((name = imap_cursor_next (&items))) {
    if (name->type != IMAP_NODE_ATOM || !(value = imap_cursor_next (&items)))
      return imap_scanner_fail (scanner, "an item of STATUS without name or value");
    if (!build_status_item (scanner, name, value, status))
      return FALSE;
  }
  return nothing_left (scanner, &cursor, "STATUS");
}

/* NAMESPACE: three times NIL or ((prefix delimiter extensions...)...) */

static gboolean
build_namespaces (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *kind,
                  gboolean personal, ImapNamespace *first)
{
  ImapCursor cursor = imap_cursor_members (scanner, kind), members;
  const ImapNode *node;

  if (kind->type != IMAP_NODE_LIST && !imap_node_is (scanner, kind, "NIL"))
    return imap_scanner_fail (scanner, "namespaces that are no list");
  while ((node = imap_cursor_next (&cursor))) {
    ImapOtherNamespace one = {.shared = !personal};

    members = imap_cursor_members (scanner, node);
    one.prefix = build_astring (scanner, imap_cursor_next (&members));
    if (!one.prefix)
      return imap_scanner_fail (scanner, "a namespace without a prefix");
    if (!build_delimiter (scanner, imap_cursor_next (&members), &one.delimiter))
      return FALSE;
    if (personal && !first->prefix) {
      first->prefix = one.prefix;
      first->delimiter = one.delimiter;
    } else {
      g_array_append_val (builder->namespaces, one);
    }
  }
  return TRUE;
}

static gboolean
build_namespace (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner);
  const ImapNode *kind;
  gboolean personal = TRUE;

  if (scanner->n_nodes == 0)
    return imap_scanner_fail (scanner, "NAMESPACE without namespaces");
  g_array_set_size (builder->namespaces, 0);
  while ((kind = imap_cursor_next (&cursor))) {
    if (!build_namespaces (builder, scanner, kind, personal, &response->namespace))
      return FALSE;
    personal = FALSE;
  }
  response->namespace.others = (gpointer)builder->namespaces->data;
  response->namespace.n_others = builder->namespaces->len;
  if (!response->namespace.prefix)
    response->namespace.prefix = "";
  return TRUE;
}

/* VANISHED, ESEARCH and the rest */

static gboolean
build_vanished (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner);
  const ImapNode *node = imap_cursor_next (&cursor);

  if (node && node->type == IMAP_NODE_LIST) {
    ImapCursor members = imap_cursor_members (scanner, node);
    const ImapNode *earlier = imap_cursor_next (&members);

    if (!earlier || !imap_node_is (scanner, earlier, "EARLIER") || imap_cursor_next (&members))
      return imap_scanner_fail (scanner, "VANISHED with something else than (EARLIER)");
    response->vanished.earlier = TRUE;
    node = imap_cursor_next (&cursor);
  }
  if (!node || node->type != IMAP_NODE_ATOM)
    return imap_scanner_fail (scanner, "VANISHED without UIDs");
  return imap_build_set (builder, scanner, imap_scanner_text (scanner, node), "VANISHED",
                         &response->vanished.uids) &&
         nothing_left (scanner, &cursor, "UIDs");
}

static gboolean
build_correlator (ImapScanner *scanner, const ImapNode *node, ImapESearch *esearch)
{
  ImapCursor members = imap_cursor_members (scanner, node);
  const char *name = build_astring (scanner, imap_cursor_next (&members));

  esearch->tag = build_astring (scanner, imap_cursor_next (&members));
  return (name && !g_ascii_strcasecmp (name, "TAG") && esearch->tag) ||
         imap_scanner_fail (scanner, "ESEARCH with something else than (TAG \"...\")");
}

static gboolean
build_esearch (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner);
  ImapESearch *esearch = &response->esearch;
  const ImapNode *node, *value;
  gboolean ok = TRUE;

  esearch->all = builder->empty;
  esearch->count = G_MAXUINT64;
  node = imap_cursor_next (&cursor);
  if (node && node->type == IMAP_NODE_LIST) {
    if (!build_correlator (scanner, node, esearch))
      return FALSE;
    node = imap_cursor_next (&cursor);
  }
  if (node && imap_node_is (scanner, node, "UID")) {
    esearch->uid = TRUE;
    node = imap_cursor_next (&cursor);
  }
  for (; node && ok; node = imap_cursor_next (&cursor)) {
    value = imap_cursor_next (&cursor);
    if (node->type != IMAP_NODE_ATOM || !value)
      return imap_scanner_fail (scanner, "an item of ESEARCH without name or value");
    if (imap_node_is (scanner, node, "ALL"))
      ok = value->type == IMAP_NODE_ATOM
               ? imap_build_set (builder, scanner, imap_scanner_text (scanner, value),
                                 "ALL of ESEARCH", &esearch->all)
               : imap_scanner_fail (scanner, "ALL of ESEARCH is no set");
    else if (imap_node_is (scanner, node, "COUNT"))
      ok = imap_build_number (scanner, value, "COUNT", 0, G_MAXUINT32, &esearch->count);
    else if (imap_node_is (scanner, node, "MODSEQ"))
      ok = imap_build_number (scanner, value, "MODSEQ", 0, IMAP_MODSEQ_MAX, &esearch->modseq);
  }
  return ok;
}

/* EXISTS, RECENT, EXPUNGE: the scanner has the number. */
static gboolean
build_numbered (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor = imap_cursor_root (scanner);

  response->number = scanner->number;
  if (scanner->type == IMAP_RESPONSE_EXPUNGE && response->number == 0)
    return imap_scanner_fail (scanner, "EXPUNGE of message 0");
  return nothing_left (scanner, &cursor, "response");
}

static gboolean
build_text (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  const char *text = (char *)scanner->text->data + scanner->rest;

  g_string_truncate (builder->text, 0);
  imap_append_escaped (builder->text, text, strlen (text));
  response->text = builder->text->str;
  return TRUE;
}

static gboolean
build_nothing (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  return TRUE;
}

/* ID ("name" "Dovecot" "version" NIL) as words, where it can be read. */
static void
build_id_words (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  ImapCursor cursor, members;
  const ImapNode *list, *node;

  g_ptr_array_set_size (builder->strings, 0);
  if (!imap_scanner_rescan (scanner))
    return;
  cursor = imap_cursor_root (scanner);
  if (!(list = imap_cursor_next (&cursor)))
    return;
  members = imap_cursor_members (scanner, list);
  while ((node = imap_cursor_next (&members))) {
    const char *word = imap_node_is (scanner, node, "NIL") ? "" : build_astring (scanner, node);

    g_ptr_array_add (builder->strings, (gpointer)(word ? word : ""));
  }
  response->n_words = builder->strings->len;
  g_ptr_array_add (builder->strings, NULL);
  response->words = (const char *const *)builder->strings->pdata;
}

static gboolean
build_other (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  const char *name = (char *)scanner->text->data + scanner->name;

  g_string_truncate (builder->text, 0);
  imap_append_escaped (builder->text, name, scanner->name_length);
  g_string_ascii_up (builder->text);
  response->text = builder->text->str;
  if (!strcmp (response->text, "ID"))
    build_id_words (builder, scanner, response);
  return TRUE;
}

gboolean
imap_build_response (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response)
{
  static const Build builds[] = {
      [IMAP_RESPONSE_CONTINUATION] = build_text,     [IMAP_RESPONSE_OK] = imap_build_status,
      [IMAP_RESPONSE_NO] = imap_build_status,        [IMAP_RESPONSE_BAD] = imap_build_status,
      [IMAP_RESPONSE_PREAUTH] = imap_build_status,   [IMAP_RESPONSE_BYE] = imap_build_status,
      [IMAP_RESPONSE_CAPABILITY] = build_words,      [IMAP_RESPONSE_ENABLED] = build_words,
      [IMAP_RESPONSE_FLAGS] = build_flags,           [IMAP_RESPONSE_LIST] = build_list,
      [IMAP_RESPONSE_STATUS] = build_mailbox_status, [IMAP_RESPONSE_NAMESPACE] = build_namespace,
      [IMAP_RESPONSE_EXISTS] = build_numbered,       [IMAP_RESPONSE_RECENT] = build_numbered,
      [IMAP_RESPONSE_EXPUNGE] = build_numbered,      [IMAP_RESPONSE_FETCH] = imap_build_fetch,
      [IMAP_RESPONSE_VANISHED] = build_vanished,     [IMAP_RESPONSE_SEARCH] = build_nothing,
      [IMAP_RESPONSE_ESEARCH] = build_esearch,       [IMAP_RESPONSE_OTHER] = build_other,
  };

  *response = (ImapResponse){.type = scanner->type};
  if (scanner->tag >= 0)
    response->tag = (char *)scanner->text->data + scanner->tag;
  return builds[scanner->type](builder, scanner, response);
}
