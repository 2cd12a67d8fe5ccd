/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "errors.h"
#include "imap/command.h"
#include "imap/response.h"
#include "records.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* One IMAP connection, from the first packet to LOGOUT.
 *
 * Lives on the thread-default GMainContext of the thread that made it, and calls back only from
 * that context, never from inside a function of this header. All I/O is non-blocking; reading and
 * writing go on at the same time. It keeps no mailbox state.
 *
 * Commands go out in the order they were queued, as many at a time as the caps of pipelining allow,
 * but for those that need the connection for themselves (IDLE, STARTTLS, AUTHENTICATE, COMPRESS).
 * Untagged data goes to the receiver in the order of the wire; tagged replies go to their command's
 * completion by tag (Dovecot answers out of order).
 *
 * A BAD, an unknown tag, a parse error, a BYE, an end of file or silence ends the session: every
 * completion is then called once with the error (tagged == NULL), then closed(). A tagged NO does
 * not end it; nor does a BAD to an APPEND, or to a command with imap_command_allow_bad(): its
 * completion gets an IMAPSYNC_ERROR_COMMAND, as for NO.
 *
 * Dropping the last reference closes the connection silently: of what is open only the destroy
 * functions are called. */
typedef struct _ImapSession ImapSession;

typedef enum {
  IMAP_SESSION_CONNECTING,
  /* Authenticated; ID and ENABLE QRESYNC are on their way, and commands go out right behind them.
   * No completion is called with an answer before QRESYNC is known to be enabled. */
  IMAP_SESSION_READY,
  IMAP_SESSION_CLOSED, /* imap_session_error() says why; NULL after a LOGOUT or _close() of ours */
} ImapSessionState;

typedef enum {
  IMAP_CAP_APPENDLIMIT = 1 << 0,
  IMAP_CAP_BINARY = 1 << 1,
  IMAP_CAP_COMPRESS_DEFLATE = 1 << 2,
  IMAP_CAP_CONDSTORE = 1 << 3,
  IMAP_CAP_ENABLE = 1 << 4,
  IMAP_CAP_ESEARCH = 1 << 5,
  IMAP_CAP_ID = 1 << 6,
  IMAP_CAP_IDLE = 1 << 7,
  IMAP_CAP_LIST_EXTENDED = 1 << 8,
  IMAP_CAP_LIST_STATUS = 1 << 9,
  IMAP_CAP_LITERAL_PLUS = 1 << 10,
  IMAP_CAP_LOGINDISABLED = 1 << 11,
  IMAP_CAP_MOVE = 1 << 12,
  IMAP_CAP_MULTIAPPEND = 1 << 13,
  IMAP_CAP_NAMESPACE = 1 << 14,
  IMAP_CAP_NOTIFY = 1 << 15,
  IMAP_CAP_OBJECTID = 1 << 16,
  IMAP_CAP_QRESYNC = 1 << 17,
  IMAP_CAP_SASL_IR = 1 << 18,
  IMAP_CAP_SPECIAL_USE = 1 << 19,
  IMAP_CAP_STARTTLS = 1 << 20,
  IMAP_CAP_UIDPLUS = 1 << 21,
  IMAP_CAP_UNSELECT = 1 << 22,
  /* No capability: the answer to ID says Dovecot, which has FETCH X-GUID. Known with the first
   * completion, as servers answer ID at once; one that does not is asked for no X-GUID. */
  IMAP_CAP_X_GUID = 1 << 23,
} ImapCapability;

/* Who receives what comes untagged. Pointers in a response are valid during the call alone. */
typedef struct {
  /* Every untagged response but those of the login; a FETCH with a body after its body_end. */
  void (*untagged) (ImapSession *session, const ImapResponse *response, gpointer data);
  /* A BODY[] begins: what the FETCH said so far (uid may still be 0), and how many bytes come. */
  void (*body_begin) (ImapSession *session, const ImapFetch *fetch, guint64 size, gpointer data);
  void (*body_data) (ImapSession *session, const guint8 *bytes, gsize length, gpointer data);
  void (*body_end) (ImapSession *session, gpointer data);
  /* What waits to be written fell below half of IMAP_SESSION_HIGH_WATER. */
  void (*drained) (ImapSession *session, gpointer data);
  /* CONNECTING to READY, or anything to CLOSED. */
  void (*state_changed) (ImapSession *session, gpointer data);
} ImapReceiver;

#define IMAP_SESSION_HIGH_WATER (512 * 1024) /* bytes that wait to be written */

/* @tagged is NULL when the session ended before the answer came, and @error then says why; else
 * @error is NULL for OK, and IMAPSYNC_ERROR_COMMAND with the server's words for NO. */
typedef void (*ImapCompletion) (ImapSession *session, const ImapResponse *tagged,
                                const GError *error, gpointer data);

/* @server is copied. @receiver must outlive the session. Nothing happens before _connect(). */
ImapSession *imap_session_new (const ServerSettings *server, const ImapReceiver *receiver,
                               gpointer receiver_data);
ImapSession *imap_session_ref (ImapSession *session);
void imap_session_unref (ImapSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImapSession, imap_session_unref)

/* Starts connecting: socket or command, TLS, greeting, STARTTLS, login, the required capabilities
 * (ENABLE, QRESYNC, LIST-EXTENDED, LIST-STATUS, UIDPLUS; one that is missing is named in the
 * IMAPSYNC_ERROR_CAPABILITY), ID where offered, ENABLE QRESYNC. One login attempt, never a second.
 */
void imap_session_connect (ImapSession *session);

ImapSessionState imap_session_state (ImapSession *session);
const GError *imap_session_error (ImapSession *session);
Side imap_session_side (ImapSession *session);
gboolean imap_session_has (ImapSession *session, ImapCapability capability);

/* What the server said it can do, separated by spaces; "" before it did. */
const char *imap_session_capability_words (ImapSession *session);

/* The certificate that the server showed, and the version of TLS; NULL without TLS. Stays after the
 * end. */
GTlsCertificate *imap_session_certificate (ImapSession *session, GTlsProtocolVersion *version);

/* Queues @command (transfer full). @completion may be NULL. @destroy is called on @data afterwards,
 * in every case. */
void imap_session_queue (ImapSession *session, ImapCommand *command, ImapCompletion completion,
                         gpointer data, GDestroyNotify destroy);

/* IDLE (RFC 2177): begins when everything before it is answered; @completion when it ended. Any
 * command queued meanwhile, or _idle_done(), ends it with DONE (after the "+"). */
void imap_session_idle (ImapSession *session, ImapCompletion completion, gpointer data);
void imap_session_idle_done (ImapSession *session);

/* One (MULTI)APPEND (RFC 3502) whose messages come while it is being sent. From _begin() to
 * _finish() nothing else is written behind it. A message is one _message(), then exactly
 * @size bytes of _data() in any pieces. More than one message only where MULTIAPPEND is offered.
 * After the session ended or the server refused early, all of these are accepted and go nowhere.
 * @flags: FlagTable's text. @date: seconds since 1970. @bytes are copied. */
typedef struct _ImapAppend ImapAppend;

ImapAppend *imap_session_append_begin (ImapSession *session, const char *wire_mailbox);
void imap_append_message (ImapAppend *append, const char *flags, gint64 date, guint64 size,
                          gboolean binary /* ~{n}: the message holds NUL */);
void imap_append_data (ImapAppend *append, const guint8 *bytes, gsize length);
/* Ends the command and gives @append back to the session. When the last message is short of its
 * bytes, nothing but ending the session keeps the server from storing it: that is what happens. */
void imap_append_finish (ImapAppend *append, ImapCompletion completion, gpointer data,
                         GDestroyNotify destroy);

/* Bytes accepted that the socket has not taken yet. */
gsize imap_session_unsent (ImapSession *session);
/* Commands queued or sent, and not answered. */
guint imap_session_in_flight (ImapSession *session);

/* Back-pressure: while paused nothing is read from the socket (what was read is still delivered).
 * Counts; the silence timer rests. */
void imap_session_pause_reading (ImapSession *session);
void imap_session_resume_reading (ImapSession *session);

/* Bytes since the beginning, on the wire's side of TLS and compression is not counted: IMAP bytes.
 */
guint64 imap_session_bytes_read (ImapSession *session);
guint64 imap_session_bytes_written (ImapSession *session);

/* LOGOUT behind what is queued, then CLOSED without an error: as soon as all else is answered and
 * LOGOUT is on its way, for a tunnel when that has ended. */
void imap_session_logout (ImapSession *session);
/* At once and without blocking; completions get G_IO_ERROR_CANCELLED. */
void imap_session_close (ImapSession *session);
/* The same because of @error (transfer full), which is the session's then. */
void imap_session_abort (ImapSession *session, GError *error);

/* For --debug: one g_debug() line for each line sent and received, without literals and secrets.
 * For all sessions of the process. */
void imap_session_set_trace (gboolean on);

G_END_DECLS
