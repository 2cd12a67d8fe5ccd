/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* Mailbox names, and the one form that both servers' names are brought to.
 *
 * On the wire a name is modified UTF-7 (RFC 3501, section 5.1.3), its levels joined by the server's
 * delimiter, under the prefix of the personal namespace (RFC 2342). Inside the program it is UTF-8,
 * its levels joined by MAILBOX_NAME_SEPARATOR, a byte that no server allows in a name, without any
 * prefix; a first level INBOX, whatever its case, is "INBOX". Two servers with other delimiters and
 * prefixes so speak of the same mailbox by the same string.
 *
 * A reference (the option list-reference) takes the place of the prefix: all names are below it,
 * INBOX too, which is then a mailbox as any other.
 *
 * Where a server has more personal namespaces than that one ("Archive."), their names keep their
 * prefix as levels, and go back to where they came from: "Archive.x" is "x" below "Archive", there
 * and on the other server. Names in shared namespaces, of other users or of everybody, have no form
 * at all. */

/* A namespace beside the one that the prefix belongs to. */
typedef struct {
  char *prefix; /* on the wire's form: "Archive." */
  char *root;   /* the same in the program's form, without a delimiter behind; NULL: it has none */
  char delimiter;  /* 0: NIL */
  gboolean shared; /* of other users, or of everybody */
} MailboxNamespace;

MailboxNamespace *mailbox_namespace_new (const char *prefix, char delimiter, gboolean shared);
void mailbox_namespace_free (MailboxNamespace *space);

/* How one server writes names. */
typedef struct {
  char delimiter;        /* 0: NIL, the server has no hierarchy */
  char *prefix;          /* of the personal namespace, on the wire's form ("INBOX."); "" for none */
  gboolean is_reference; /* @prefix is one */
  GPtrArray *others;     /* MailboxNamespace; NULL: there are none */
} MailboxNaming;

void mailbox_naming_clear (MailboxNaming *naming);

/* The other namespace that the wire name @wire is in: the one with the longest prefix. NULL: none,
 * it is in the one that @naming->prefix belongs to, or nowhere. (transfer none) */
const MailboxNamespace *mailbox_naming_find (const MailboxNaming *naming, const char *wire);

/* Whether @name, in the program's form, would be in a shared namespace there. */
gboolean mailbox_naming_shares (const MailboxNaming *naming, const char *name);

/* Modified UTF-7 to UTF-8. NULL with IMAPSYNC_ERROR_PROTOCOL where @wire is no valid, canonical
 * modified UTF-7: 8-bit bytes, printable characters in base64, superfluous shifts, lone surrogates,
 * NUL. (transfer full) */
char *mailbox_name_decode (const char *wire, GError **error);

/* UTF-8 (must be valid) to modified UTF-7. (transfer full) */
char *mailbox_name_encode (const char *utf8);

/* A name from LIST or STATUS to the program's form. IMAPSYNC_ERROR_PROTOCOL for a name that cannot
 * be brought there: bad UTF-7, control characters, empty levels. With a prefix such as "INBOX.",
 * INBOX stays INBOX and "INBOX.x" is "x"; a wire name whose form would be that of another mailbox
 * ("INBOX.INBOX"; "INBOX.Archive.x" beside the namespace "Archive."), and one that is in no
 * personal namespace, is an error too. (transfer full) */
char *mailbox_name_from_wire (const MailboxNaming *naming, const char *wire, GError **error);

/* The other way. A level that holds this server's delimiter cannot be written, nor can what would
 * be in a shared namespace: IMAPSYNC_ERROR_COMMAND whose message names mailbox and reason.
 * (transfer full) */
char *mailbox_name_to_wire (const MailboxNaming *naming, const char *name, GError **error);

/* For people, logs and arguments: the levels joined by @delimiter ('/' where it is 0); characters
 * that are not printable are escaped as \xNN. (transfer full) */
char *mailbox_name_display (const char *name, char delimiter);

/* The other way, for an argument: UTF-8 with @delimiter between its levels (0: there is one).
 * IMAPSYNC_ERROR_CONFIG for bad UTF-8, control characters and empty levels. (transfer full) */
char *mailbox_name_from_argument (const char *argument, char delimiter, GError **error);

G_END_DECLS
