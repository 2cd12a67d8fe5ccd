/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/uid-set.h"

G_BEGIN_DECLS

/* The one encoder of everything that is sent: nothing from a server, a file or a person reaches the
 * wire but through these functions, which choose atom, quoted string or literal and let no CR, LF
 * or NUL through.
 *
 * A command is a list of pieces; between two pieces that a synchronizing literal separates the
 * session waits for "+". */
typedef struct _ImapCommand ImapCommand;

/* @name: the command without tag, from the program's own text: "UID FETCH". */
ImapCommand *imap_command_new (const char *name);
void imap_command_free (ImapCommand *command);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImapCommand, imap_command_free)

/* " " and the program's own text as it is: never anything from outside. */
void imap_command_raw (ImapCommand *command, const char *text);
void imap_command_raw_printf (ImapCommand *command, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* " " and an astring (RFC 9051): atom, else quoted, else (8-bit, CR, LF) literal. NUL is impossible
 * in the argument. */
void imap_command_astring (ImapCommand *command, const char *text);

/* The same, and every log shows "***" in its place; what is kept of it is wiped. */
void imap_command_secret (ImapCommand *command, const char *text);

/* " " and a parenthesized flag list of @text (flags separated by spaces, FlagTable's form). Flags
 * that cannot be written (not an atom: something crafted) are left out; TRUE if none was. */
gboolean imap_command_flags (ImapCommand *command, const char *text);

void imap_command_uids (ImapCommand *command, const UidSet *set);

/* @text may go into a flag list: "\" + atom or atom. */
gboolean imap_flag_is_valid (const char *text);

/* For APPEND: " 7-Jul-1996 02:44:25 +0000" in quotes; @seconds are clamped to 1..2^31-1, what both
 * Dovecot and Cyrus keep. (transfer full) */
char *imap_format_date_time (gint64 seconds);

/* A BAD to this command is an answer like NO, not the end of the session: for what is pipelined
 * behind a SELECT that may fail ("BAD No mailbox selected"). */
void imap_command_allow_bad (ImapCommand *command);
gboolean imap_command_bad_allowed (const ImapCommand *command);

/* What the session sends. A piece ends where a literal's bytes begin, with "{n}" or "{n+}" and
 * CRLF; the last one without its CRLF. The tag is put in front by the session. */
gboolean imap_command_is_secret (const ImapCommand *command);
gsize imap_command_n_pieces (const ImapCommand *command);
GBytes *imap_command_piece (const ImapCommand *command, gsize i,
                            gboolean literal_plus); /* (transfer full) */

/* The name and its arguments for the log: literals as {n}, secrets as ***, cut at 2000 bytes.
 * (transfer full) */
char *imap_command_describe (const ImapCommand *command);

G_END_DECLS
