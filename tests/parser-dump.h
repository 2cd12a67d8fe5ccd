/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/parser.h"

#include <stdlib.h>
#include <string.h>

/* What a parser says about some bytes, as text that can be compared: one line for each event, the
 * pieces of a body joined. Used by the unit test and the fuzz target. */

static inline void
dump_string (GString *to, const char *name, const char *string)
{
  g_autofree char *escaped = string ? g_strescape (string, NULL) : NULL;

  if (string)
    g_string_append_printf (to, " %s=\"%s\"", name, escaped);
}

static inline void
dump_bytes (GString *to, const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    if (g_ascii_isprint (bytes[i]) && bytes[i] != '\\')
      g_string_append_c (to, bytes[i]);
    else
      g_string_append_printf (to, "\\%03o", bytes[i]);
  }
}

static inline void
dump_strings (GString *to, const char *name, const char *const *strings, gsize n)
{
  if (!strings)
    return;
  g_string_append_printf (to, " %s=(", name);
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (to, "%s%s", i > 0 ? " " : "", strings[i]);
  g_string_append_c (to, ')');
}

static inline void
dump_set (GString *to, const char *name, const UidSet *set)
{
  g_autofree char *text = set ? uid_set_to_string (set) : NULL;

  if (set)
    g_string_append_printf (to, " %s=%s", name, text);
}

static inline void
dump_char (GString *to, const char *name, char c)
{
  if (c)
    g_string_append_printf (to, " %s=%c", name, c);
}

static inline void
dump_status (GString *to, const ImapResponse *response)
{
  const ImapCode *code = &response->code;

  if (code->type != IMAP_CODE_NONE)
    g_string_append_printf (to, " [%s%s", code->type == IMAP_CODE_UNKNOWN ? "?" : "", code->name);
  if (code->number)
    g_string_append_printf (to, " %" G_GUINT64_FORMAT, code->number);
  dump_set (to, "set", code->set);
  dump_string (to, "uids", code->uids[0]);
  dump_string (to, "to", code->uids[1]);
  dump_string (to, "id", code->id);
  dump_strings (to, "words", response->words, response->n_words);
  g_string_append_printf (to, "%s %s", code->type != IMAP_CODE_NONE ? "]" : "", response->text);
}

static inline void
dump_list (GString *to, const ImapList *list)
{
  static const char *const names[] = {"noselect",      "nonexistent", "noinferiors", "haschildren",
                                      "hasnochildren", "subscribed",  "remote"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (list->flags & (1u << i))
      g_string_append_printf (to, " %s", names[i]);
  dump_char (to, "delimiter", list->delimiter);
  dump_string (to, "mailbox", list->mailbox);
  dump_string (to, "oldname", list->oldname);
}

static inline void
dump_mailbox_status (GString *to, const ImapStatus *status)
{
  dump_string (to, "mailbox", status->mailbox);
  if (status->items & IMAP_STATUS_MESSAGES)
    g_string_append_printf (to, " messages=%u", status->messages);
  if (status->items & IMAP_STATUS_UIDNEXT)
    g_string_append_printf (to, " uidnext=%u", status->uidnext);
  if (status->items & IMAP_STATUS_UIDVALIDITY)
    g_string_append_printf (to, " uidvalidity=%u", status->uidvalidity);
  if (status->items & IMAP_STATUS_UNSEEN)
    g_string_append_printf (to, " unseen=%u", status->unseen);
  if (status->items & IMAP_STATUS_HIGHESTMODSEQ)
    g_string_append_printf (to, " highestmodseq=%" G_GUINT64_FORMAT, status->highestmodseq);
  if (status->items & IMAP_STATUS_MAILBOXID)
    dump_string (to, "mailboxid", status->mailboxid);
}

static inline void
dump_fetch (GString *to, const ImapFetch *fetch)
{
  g_string_append_printf (to, " %u uid=%u", fetch->seq, fetch->uid);
  if (fetch->items & IMAP_FETCH_FLAGS)
    dump_strings (to, "flags", fetch->flags, fetch->n_flags);
  if (fetch->items & IMAP_FETCH_MODSEQ)
    g_string_append_printf (to, " modseq=%" G_GUINT64_FORMAT, fetch->modseq);
  if (fetch->items & IMAP_FETCH_INTERNALDATE)
    g_string_append_printf (to, " date=%" G_GINT64_FORMAT, fetch->internaldate);
  if (fetch->items & IMAP_FETCH_SIZE)
    g_string_append_printf (to, " size=%" G_GUINT64_FORMAT, fetch->size);
  if (fetch->items & IMAP_FETCH_GUID)
    dump_string (to, "guid", fetch->guid);
  if (fetch->items & IMAP_FETCH_HEADER) {
    g_string_append (to, " header=");
    dump_bytes (to, fetch->header, fetch->header_length);
  }
  if (fetch->items & IMAP_FETCH_BODY)
    g_string_append (to, " body");
  if (fetch->items & IMAP_FETCH_NIL)
    g_string_append (to, " nil");
}

static inline void
dump_namespace (GString *to, const ImapNamespace *namespace)
{
  dump_string (to, "prefix", namespace->prefix);
  dump_char (to, "delimiter", namespace->delimiter);
  for (gsize i = 0; i < namespace->n_others; i++) {
    dump_string (to, namespace->others[i].shared ? "shared" : "personal",
                 namespace->others[i].prefix);
    dump_char (to, "delimiter", namespace->others[i].delimiter);
  }
}

static inline void
dump_esearch (GString *to, const ImapESearch *esearch)
{
  dump_string (to, "tag", esearch->tag);
  if (esearch->uid)
    g_string_append (to, " uid");
  dump_set (to, "all", esearch->all);
  if (esearch->count != G_MAXUINT64)
    g_string_append_printf (to, " count=%" G_GUINT64_FORMAT, esearch->count);
  if (esearch->modseq)
    g_string_append_printf (to, " modseq=%" G_GUINT64_FORMAT, esearch->modseq);
}

static inline void
dump_response (GString *to, const ImapResponse *response)
{
  static const char *const names[] = {
      "+",       "OK",    "NO",       "BAD",    "PREAUTH",   "BYE",    "CAPABILITY",
      "ENABLED", "FLAGS", "LIST",     "STATUS", "NAMESPACE", "EXISTS", "RECENT",
      "EXPUNGE", "FETCH", "VANISHED", "SEARCH", "ESEARCH",   "OTHER",
  };

  if (response->tag)
    g_string_append_printf (to, "%s ", response->tag);
  g_string_append (to, names[response->type]);
  switch (response->type) {
  case IMAP_RESPONSE_OK:
  case IMAP_RESPONSE_NO:
  case IMAP_RESPONSE_BAD:
  case IMAP_RESPONSE_PREAUTH:
  case IMAP_RESPONSE_BYE:
    dump_status (to, response);
    break;
  case IMAP_RESPONSE_CONTINUATION:
  case IMAP_RESPONSE_OTHER:
    g_string_append_printf (to, " %s", response->text);
    dump_strings (to, "words", response->words, response->n_words);
    break;
  case IMAP_RESPONSE_CAPABILITY:
  case IMAP_RESPONSE_ENABLED:
  case IMAP_RESPONSE_FLAGS:
    dump_strings (to, "words", response->words, response->n_words);
    break;
  case IMAP_RESPONSE_LIST:
    dump_list (to, &response->list);
    break;
  case IMAP_RESPONSE_STATUS:
    dump_mailbox_status (to, &response->status);
    break;
  case IMAP_RESPONSE_NAMESPACE:
    dump_namespace (to, &response->namespace);
    break;
  case IMAP_RESPONSE_EXISTS:
  case IMAP_RESPONSE_RECENT:
  case IMAP_RESPONSE_EXPUNGE:
    g_string_append_printf (to, " %u", response->number);
    break;
  case IMAP_RESPONSE_FETCH:
    dump_fetch (to, &response->fetch);
    break;
  case IMAP_RESPONSE_VANISHED:
    g_string_append (to, response->vanished.earlier ? " earlier" : "");
    dump_set (to, "uids", response->vanished.uids);
    break;
  case IMAP_RESPONSE_SEARCH:
    break;
  case IMAP_RESPONSE_ESEARCH:
    dump_esearch (to, &response->esearch);
    break;
  }
}

/* What the contract promises of every response. */
static inline void
dump_check (const ImapResponse *response)
{
  g_assert_true (!response->text || g_utf8_validate (response->text, -1, NULL));
  g_assert_true ((response->code.type == IMAP_CODE_NONE) == (response->code.name == NULL));
  for (gsize i = 0; i < response->n_words; i++)
    g_assert_true (response->words[i] != NULL);
  if (response->type != IMAP_RESPONSE_FETCH)
    return;
  g_assert_cmpuint (response->fetch.seq, >, 0);
  g_assert_cmpuint (response->fetch.modseq, <=, G_MAXINT64);
  for (gsize i = 0; i < response->fetch.n_flags; i++)
    g_assert_true (response->fetch.flags[i][0] != '\0' &&
                   !strpbrk (response->fetch.flags[i], " (){\"%*\r\n"));
}

typedef struct {
  ImapParser *parser;
  GString *events;
  gboolean in_data, lines, dead;
} Dump;

static inline void
dump_event (Dump *dump, ImapParserEvent event, const ImapParserOutput *out, const GError *error)
{
  if (dump->in_data && event != IMAP_PARSER_BODY_DATA) {
    g_string_append_c (dump->events, '\n');
    dump->in_data = FALSE;
  }
  if (event == IMAP_PARSER_RESPONSE || event == IMAP_PARSER_BODY_BEGIN)
    dump_check (&out->response);
  if (dump->lines)
    g_assert_true (g_utf8_validate (imap_parser_line (dump->parser), -1, NULL));
  switch (event) {
  case IMAP_PARSER_MORE:
    g_assert_not_reached ();
  case IMAP_PARSER_RESPONSE:
    dump_response (dump->events, &out->response);
    if (dump->lines)
      g_string_append_printf (dump->events, "\n<%s>", imap_parser_line (dump->parser));
    break;
  case IMAP_PARSER_BODY_BEGIN:
    g_string_append_printf (dump->events, "begin %" G_GUINT64_FORMAT " ", out->body_size);
    dump_response (dump->events, &out->response);
    if (dump->lines)
      g_string_append_printf (dump->events, "\n<%s>", imap_parser_line (dump->parser));
    break;
  case IMAP_PARSER_BODY_DATA:
    if (!dump->in_data)
      g_string_append (dump->events, "data ");
    dump->in_data = TRUE;
    dump_bytes (dump->events, out->data, out->length);
    return;
  case IMAP_PARSER_BODY_END:
    g_string_append (dump->events, "end");
    break;
  case IMAP_PARSER_ERROR:
    g_string_append_printf (dump->events, "error %s", error->message);
    dump->dead = TRUE;
    break;
  }
  g_string_append_c (dump->events, '\n');
}

/* Offers one piece of the input, as a copy of exactly its size, until the parser wants more. */
static inline void
dump_feed (Dump *dump, const guint8 *bytes, gsize length)
{
  guint8 *copy = malloc (MAX (length, 1));
  gsize at = 0, consumed;
  ImapParserEvent event = IMAP_PARSER_RESPONSE;

  memcpy (copy, bytes, length);
  while (!dump->dead) {
    g_autoptr (GError) error = NULL;
    ImapParserOutput out;

    event = imap_parser_next (dump->parser, copy + at, length - at, &consumed, &out, &error);
    g_assert_cmpuint (consumed, <=, length - at);
    at += consumed;
    if (event == IMAP_PARSER_RESPONSE)
      g_assert_true (consumed == 0 || copy[at - 1] == '\n');
    if (event == IMAP_PARSER_MORE)
      break;
    dump_event (dump, event, &out, error);
  }
  g_assert_true (dump->dead || at == length);
  free (copy);
}

static inline void
dump_begin (Dump *dump, const ImapParserLimits *limits, gboolean lines)
{
  *dump = (Dump){.parser = imap_parser_new (limits), .events = g_string_new (NULL), .lines = lines};
}

/* (transfer full) */
static inline char *
dump_finish (Dump *dump)
{
  imap_parser_free (dump->parser);
  if (dump->in_data)
    g_string_append_c (dump->events, '\n');
  return g_string_free (g_steal_pointer (&dump->events), FALSE);
}
