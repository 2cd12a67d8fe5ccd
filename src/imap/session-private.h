/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/auth.h"
#include "imap/output.h"
#include "imap/parser.h"
#include "imap/password-command.h"
#include "imap/session.h"
#include "imap/transport.h"

G_BEGIN_DECLS

/* The inside of a session, in four files: session.c is its life and its interface, session-wire.c
 * what is sent and what is read, session-login.c the way from greeting to READY, session-append.c
 * the streamed APPEND.
 *
 * Nothing here runs but from the session's own sources and the transport's callbacks; the public
 * functions only change the queues and make the pump source ready. Each of those entry points holds
 * the session, and after every call out asks session_is_live(): the callee may have closed it, or
 * dropped the last reference. */

typedef enum {
  ENTRY_COMMAND,
  ENTRY_APPEND,
  ENTRY_IDLE,
  ENTRY_LOGOUT,
  ENTRY_LOGIN, /* any command of the login */
} EntryKind;

typedef void (*LoginStep) (ImapSession *session, const ImapResponse *tagged);

/* One command, from the queue to its tagged reply. */
typedef struct {
  EntryKind kind;
  guint number;         /* of the tag; 0 before it is sent */
  ImapCommand *command; /* not for ENTRY_APPEND */
  gsize next_piece;     /* what goes out at the next "+" */
  gsize bytes;          /* what it counts for in the cap of pipelining */
  ImapAppend *append;
  LoginStep step;

  gboolean idling; /* "+" was seen */
  gboolean done_wanted;
  gboolean done_sent;

  ImapCompletion completion;
  gpointer data;
  GDestroyNotify destroy;

  ImapResponse *reply; /* a NO kept until imap_append_finish(), its strings owned by it */
} Entry;

typedef enum {
  LOGIN_NOT_STARTED,
  LOGIN_CONNECTING,
  LOGIN_GREETING,
  LOGIN_TALKING,
  LOGIN_AUTHENTICATED,
  LOGIN_DONE,
} LoginState;

struct _ImapSession {
  guint refs;
  guint holds; /* those of refs that are ours, for the time of a dispatch */
  GMainContext *context;
  ServerSettings *server;
  char *name; /* for errors */
  const ImapReceiver *receiver;
  gpointer receiver_data;

  ImapSessionState state;
  gboolean ending; /* the pump will make it CLOSED */
  GError *error;
  GError *end_error; /* what open completions are told */

  Transport *transport;
  gboolean io_open; /* reading and writing are allowed */
  guint epoch;      /* changes whenever the stream does: what was read before is stale */
  GSource *pump;
  GSource *timer;
  GSource *read_source;
  GSource *write_source;

  ImapParser *parser;
  guint8 *buffer;
  gsize filled;   /* of buffer */
  gsize unparsed; /* bytes behind the response that is being handled */
  guint paused;
  guint64 bytes_read;

  Output *output;
  gsize held;    /* bytes that appends keep until their turn or "+" */
  gboolean full; /* drained() is due when unsent falls below half of the mark */
  GError *write_error;
  guint64 bytes_written;

  GQueue waiting;   /* Entry: not sent yet */
  GQueue sent;      /* Entry: sent, in order */
  GHashTable *tags; /* number -> link in sent */
  GQueue late;      /* Entry: over, the completion is due */
  guint last_number;
  gsize bytes_in_flight;
  Entry *plus;        /* goes on at the next "+" */
  Entry *exclusive;   /* IDLE or LOGOUT: nothing goes behind it */
  ImapAppend *append; /* not yet written to its end: nothing goes behind it */
  GPtrArray *appends; /* all that the user still holds; not owned */

  gboolean silence_counts; /* the timer runs */
  gint64 last_activity;
  gsize unconfirmed; /* at the last look; 0: not looked yet */
  guint64 nudged_at; /* what of bytes_read a nudge came after */

  ImapCapability capabilities;
  gboolean capabilities_known; /* since the last STARTTLS or authentication */
  guint auth_offered;          /* bits of AuthMechanism */
  GString *auth_names;         /* all mechanisms, for people */
  GString *capability_words;   /* all that the server said last, as it said them */
  GTlsCertificate *certificate;
  GTlsProtocolVersion tls_version;

  LoginState login;
  const char *stage; /* what is overdue when the timer fires before READY */
  gboolean pipes;    /* the tunnel's second attempt */
  gboolean asked_capabilities;
  gboolean qresync_enabled;
  guint login_pending;
  ImapAuth *auth;
  AuthMechanism mechanism;
  PasswordCommand *password_command; /* runs */
  Password *password;                /* from it, until the login is done */
  gboolean asked_again;              /* a token was refused */
  char *bye;                         /* came while the login was not answered yet */
};

/* session.c */
void session_hold (ImapSession *session);
void session_release (ImapSession *session);
/* Calls out may go on: not ended, and somebody else still has a reference. */
gboolean session_is_live (const ImapSession *session);
/* LOGOUT was sent: the end of the connection is no error. */
gboolean session_is_leaving (const ImapSession *session);
/* Runs the pump in the next iteration of the context. */
void session_schedule (ImapSession *session);
/* Ends the session; @error (transfer full) may be NULL for an end of our own making. */
void session_fail (ImapSession *session, GError *error);
/* The same; the server's name and ": " are put in front. */
void session_fail_printf (ImapSession *session, ImapsyncError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void session_set_state (ImapSession *session, ImapSessionState state);
void session_update_timer (ImapSession *session);
void session_set_stage (ImapSession *session, const char *stage);
void session_mark_full (ImapSession *session);
Entry *entry_new (EntryKind kind, ImapCommand *command);
void entry_free (Entry *entry);
/* Hands the tagged reply, or the error that ended the session, to the completion; frees @entry. */
void session_complete (ImapSession *session, Entry *entry, const ImapResponse *tagged);
/* The command without secrets, short enough for an error. (transfer full) */
char *entry_describe (const Entry *entry);

/* session-wire.c */
void session_open_io (ImapSession *session);
void session_close_io (ImapSession *session);
void session_watch_input (ImapSession *session);
void session_pump_wire (ImapSession *session);
void session_send (ImapSession *session, Entry *entry);
#ifdef IMAPSYNC_TEST_EFFECTS
/* Blocks, until all that was said is on the wire, or the peer takes no more. */
void session_write_all (ImapSession *session);
#endif
void session_put (ImapSession *session, const void *bytes, gsize length);
/* What is wiped when it is written. */
void session_put_secret (ImapSession *session, const void *bytes, gsize length);
/* One line of --debug; nothing secret may come here. */
void session_trace (ImapSession *session, char direction, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
gboolean session_is_traced (void);

/* session-login.c */
void login_connect (ImapSession *session);
void login_untagged (ImapSession *session, const ImapResponse *response);
void login_continue (ImapSession *session, Entry *entry, const char *challenge);
/* Before login_connect(): gets the password from its command, if there is one; FALSE: later. */
gboolean login_has_password (ImapSession *session);
void login_set_capabilities (ImapSession *session, const char *const *words, gsize n_words);
/* What to show of @text, which the server said: NULL for what no log may have. */
const char *login_shown (const ImapSession *session, const char *text);
/* They are not needed any more: the next login gets them from where they come from. */
void login_forget_secrets (ImapSession *session);
/* After a BYE: ends the session, TRUE. */
gboolean login_broken_off (ImapSession *session);
/* What came is no greeting: TRUE if the tunnel is tried again over pipes. */
gboolean login_try_pipes (ImapSession *session);

/* session-append.c */
void append_start (ImapAppend *append);
void append_continue (ImapAppend *append);
gboolean append_is_whole (const ImapAppend *append);
gboolean append_is_finished (const ImapAppend *append);
/* A NO before the end. TRUE: the entry was kept for imap_append_finish(). */
gboolean append_refused (ImapAppend *append, const ImapResponse *tagged);
/* The session ended: what comes now goes nowhere. */
void append_cut (ImapAppend *append);
void append_forget_session (ImapAppend *append);
void append_unref (ImapAppend *append);
char *append_describe (const ImapAppend *append);

G_END_DECLS
