/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/scanner.h"

G_BEGIN_DECLS

/* Inside of the parser: from scanned nodes to an ImapResponse. Checks everything; a FALSE leaves
 * the reason in the scanner. What the response points to belongs to the scanner and the builder. */
typedef struct {
  GPtrArray *strings; /* words, flags; NULL-terminated, into the scanner's text */
  GArray *namespaces; /* ImapOtherNamespace */
  UidSet *set;
  UidSet *empty;
  GString *text;
} ImapBuilder;

void imap_builder_init (ImapBuilder *builder);
void imap_builder_clear (ImapBuilder *builder);

/* Drops what the last response needed. */
void imap_builder_reset (ImapBuilder *builder);

gboolean imap_build_response (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response);

/* Also for a FETCH that is not whole yet: what there is of it. */
gboolean imap_build_fetch (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response);

/* OK, NO, BAD, PREAUTH, BYE. */
gboolean imap_build_status (ImapBuilder *builder, ImapScanner *scanner, ImapResponse *response);

/* For the others of these: */

gboolean imap_build_number (ImapScanner *scanner, const ImapNode *node, const char *what,
                            guint64 min, guint64 max, guint64 *number);
gboolean imap_build_set (ImapBuilder *builder, ImapScanner *scanner, const char *text,
                         const char *what, const UidSet **set);

/* The members of a list as flags in strings; @star: "\*" may be among them. */
gboolean
imap_build_flags (ImapBuilder *builder, ImapScanner *scanner, const ImapNode *node, gboolean star);
gboolean imap_build_flag_is_valid (const char *flag, gboolean star);

/* Printable ASCII without spaces, and not empty. */
gboolean imap_id_is_valid (const char *id);

/* An atom or string, or the only member of a list of one. NULL: none of these, or no valid id. */
const char *imap_build_id (ImapScanner *scanner, const ImapNode *node);

#define IMAP_MODSEQ_MAX ((guint64)G_MAXINT64)

G_END_DECLS
