/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "effect.h"
#include "imap/session-private.h"

#include <string.h>

/* An APPEND's bytes go straight to the session's output from the moment it is its turn. Before
 * that, and behind each literal that a server without LITERAL+ has to allow first, they are held
 * back in segments: one more goes out with each "+". */
struct _ImapAppend {
  guint refs;           /* the user's, until _finish(), and its entry's */
  ImapSession *session; /* NULL when it is gone */
  Entry *entry;         /* NULL when it is answered, or its session ended */
  char *mailbox;
  gboolean literal_plus;
  guint n_messages;
  guint64 left; /* bytes of the present message */

  GQueue held;      /* Output */
  GPtrArray *lines; /* for the log, until it is its turn */
  gboolean started;
  gboolean finished;
  gboolean whole;   /* its last CRLF is on the way */
  gboolean refused; /* while a literal is on its way: that has to be completed */
};

static void
output_free_data (gpointer data)
{
  output_free (data);
}

static void
append_drop_held (ImapAppend *append)
{
  for (GList *l = append->held.head; l != NULL; l = l->next)
    if (append->session != NULL)
      append->session->held -= output_size (l->data);
  g_queue_clear_full (&append->held, output_free_data);
}

void
append_unref (ImapAppend *append)
{
  if (--append->refs > 0)
    return;
  append_drop_held (append);
  g_clear_pointer (&append->lines, g_ptr_array_unref);
  g_free (append->mailbox);
  g_free (append);
}

char *
append_describe (const ImapAppend *append)
{
  g_autoptr (ImapCommand) command = imap_command_new ("APPEND");

  imap_command_astring (command, append->mailbox);
  return imap_command_describe (command);
}

gboolean
append_is_whole (const ImapAppend *append)
{
  return append->whole;
}

gboolean
append_is_finished (const ImapAppend *append)
{
  return append->finished;
}

ImapAppend *
imap_session_append_begin (ImapSession *session, const char *wire_mailbox)
{
  ImapAppend *append = g_new0 (ImapAppend, 1);

  append->refs = 1;
  append->session = session;
  append->mailbox = g_strdup (wire_mailbox);
  append->literal_plus =
      session->state == IMAP_SESSION_READY && imap_session_has (session, IMAP_CAP_LITERAL_PLUS);
  g_queue_init (&append->held);
  g_ptr_array_add (session->appends, append);
  if (session->state == IMAP_SESSION_CLOSED)
    return append;

  append->lines = g_ptr_array_new_with_free_func (g_free);
  g_queue_push_tail (&append->held, output_new ());
  append->entry = entry_new (ENTRY_APPEND, NULL);
  append->entry->append = append;
  append->refs++;
  g_queue_push_tail (&session->waiting, append->entry);
  session_schedule (session);
  return append;
}

/* What comes goes nowhere. */
static gboolean
append_is_deaf (const ImapAppend *append)
{
  return append->session == NULL || append->session->ending || append->entry == NULL ||
         append->whole;
}

static void
append_put (ImapAppend *append, const void *bytes, gsize length)
{
  Output *held = g_queue_peek_tail (&append->held);

  if (held == NULL) {
    session_put (append->session, bytes, length);
    return;
  }
  output_add (held, bytes, length);
  append->session->held += length;
  session_mark_full (append->session);
}

/* What follows waits for "+". */
static void
append_await_plus (ImapAppend *append)
{
  if (g_queue_is_empty (&append->held))
    append->session->plus = append->entry;
  g_queue_push_tail (&append->held, output_new ());
}

static void
append_log (ImapAppend *append, const ImapCommand *command, gboolean binary, guint64 size)
{
  g_autofree char *text = NULL;
  char *line;

  if (!session_is_traced ())
    return;
  text = imap_command_describe (command);
  line = g_strdup_printf ("%s %s{%" G_GUINT64_FORMAT "%s}", text, binary ? "~" : "", size,
                          append->literal_plus ? "+" : "");
  if (append->lines != NULL) {
    g_ptr_array_add (append->lines, line);
    return;
  }
  session_trace (append->session, 'C', "%s", line);
  g_free (line);
}

void
imap_append_message (ImapAppend *append, const char *flags, gint64 date, guint64 size,
                     gboolean binary)
{
  g_autoptr (ImapCommand) command = NULL;
  g_autofree char *date_time = imap_format_date_time (date);
  char literal[32];
  gsize n;

  if (append_is_deaf (append) || append->refused)
    return;
  g_return_if_fail (append->left == 0);

  command = imap_command_new (append->n_messages++ == 0 ? "APPEND" : "");
  if (append->n_messages == 1)
    imap_command_astring (command, append->mailbox);
  imap_command_flags (command, flags);
  imap_command_raw (command, date_time);
  n = imap_command_n_pieces (command);
  for (gsize i = 0; i < n; i++) {
    g_autoptr (GBytes) piece = imap_command_piece (command, i, append->literal_plus);

    append_put (append, g_bytes_get_data (piece, NULL), g_bytes_get_size (piece));
    if (i + 1 < n && !append->literal_plus)
      append_await_plus (append);
  }

  n = (gsize)g_snprintf (literal, sizeof literal, " %s{%" G_GUINT64_FORMAT "%s}\r\n",
                         binary ? "~" : "", size, append->literal_plus ? "+" : "");
  append_put (append, literal, n);
  append_log (append, command, binary, size);
  if (!append->literal_plus)
    append_await_plus (append);
  append->left = size;
}

/* The command's last CRLF; the line is free for others once that is not held back. */
static void
append_close (ImapAppend *append)
{
  append_put (append, "\r\n", 2);
  if (append->started && g_queue_is_empty (&append->held)) {
    append->whole = TRUE;
    append->session->append = NULL;
  }
  EFFECT ("append", session_write_all (append->session));
}

#ifdef IMAPSYNC_TEST_EFFECTS
/* In three pieces, after each of which it may be over. */
static void
append_put_data (ImapAppend *append, const guint8 *bytes, gsize length)
{
  static const char *const names[] = {"literal begun", "half a literal", "literal"};
  gsize ends[] = {MIN (length, 1), length / 2, length}, start = 0;

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    if (ends[i] <= start)
      continue;
    append_put (append, bytes + start, ends[i] - start);
    start = ends[i];
    EFFECT (names[i], session_write_all (append->session));
  }
}
#else
#define append_put_data append_put
#endif

void
imap_append_data (ImapAppend *append, const guint8 *bytes, gsize length)
{
  if (append_is_deaf (append))
    return;
  if (append->refused)
    length = MIN (length, append->left);
  g_return_if_fail (length <= append->left);

  append_put_data (append, bytes, length);
  append->left -= length;
  if (append->refused && append->left == 0)
    append_close (append);
}

/* Hands the entry to the pump, which tells the completion. */
static void
append_finish_late (ImapAppend *append, Entry *entry)
{
  g_queue_push_tail (&append->session->late, entry);
  session_schedule (append->session);
}

static void
append_finish_entry (ImapAppend *append, Entry *entry)
{
  ImapSession *session = append->session;

  if (append->entry == NULL) { /* the session is closed */
    append_finish_late (append, entry);
  } else if (entry->reply != NULL) {
    append->entry = NULL;
    append_finish_late (append, entry);
  } else if (append->n_messages == 0) {
    append->finished = TRUE;
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL, "an APPEND without a message");
  } else {
    append->finished = TRUE;
  }
}

void
imap_append_finish (ImapAppend *append, ImapCompletion completion, gpointer data,
                    GDestroyNotify destroy)
{
  ImapSession *session = append->session;
  Entry *entry = append->entry;

  if (session == NULL) {
    if (destroy != NULL)
      destroy (data);
    append_unref (append);
    return;
  }

  g_ptr_array_remove_fast (session->appends, append);
  if (!append_is_deaf (append) && append->left > 0) {
    g_autofree char *what = append_describe (append);

    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "\"%s\" was broken off, %" G_GUINT64_FORMAT " bytes before its end", what,
                         append->left);
  } else if (!append_is_deaf (append) && append->n_messages > 0) {
    append_close (append);
  }
  if (entry == NULL) {
    entry = entry_new (ENTRY_APPEND, NULL);
    entry->append = append;
    append->refs++;
  }
  entry->completion = completion;
  entry->data = data;
  entry->destroy = destroy;
  append_finish_entry (append, entry);
  append_unref (append);
}

void
append_start (ImapAppend *append)
{
  ImapSession *session = append->session;
  char tag[16];

  append->started = TRUE;
  g_snprintf (tag, sizeof tag, "a%u ", append->entry->number);
  for (guint i = 0; i < append->lines->len; i++)
    session_trace (session, 'C', "%s%s", i == 0 ? tag : "",
                   (char *)g_ptr_array_index (append->lines, i));
  g_clear_pointer (&append->lines, g_ptr_array_unref);
  append_continue (append);
}

void
append_continue (ImapAppend *append)
{
  ImapSession *session = append->session;
  g_autoptr (Output) next = g_queue_pop_head (&append->held);

  session->held -= output_size (next);
  output_take (session->output, next);
  session_schedule (session);
  if (!g_queue_is_empty (&append->held)) {
    session->plus = append->entry;
  } else if (append->finished) {
    append->whole = TRUE;
    session->append = NULL;
  }
}

static ImapResponse *
copy_refusal (const ImapResponse *tagged)
{
  ImapResponse *copy = g_new0 (ImapResponse, 1);

  copy->type = tagged->type;
  copy->text = g_strdup (tagged->text);
  copy->code.type = tagged->code.type;
  copy->code.name = g_strdup (tagged->code.name);
  return copy;
}

gboolean
append_refused (ImapAppend *append, const ImapResponse *tagged)
{
  ImapSession *session = append->session;

  append->refused = TRUE;
  if (session->plus == append->entry || append->n_messages == 0) {
    /* Instead of "+": the command is over, and nothing more of it may be sent. */
    append_drop_held (append);
    append->whole = TRUE;
    session->append = NULL;
    session_schedule (session);
  } else if (append->left == 0) {
    append_close (append);
  }
  if (append->finished)
    return FALSE;
  append->entry->reply = copy_refusal (tagged);
  return TRUE;
}

void
append_cut (ImapAppend *append)
{
  append_drop_held (append);
  append->entry = NULL;
}

void
append_forget_session (ImapAppend *append)
{
  Entry *entry = append->entry;

  append_drop_held (append);
  append->session = NULL;
  append->entry = NULL;
  /* One that is parked is in none of the session's queues. */
  if (entry != NULL && entry->reply != NULL)
    entry_free (entry);
}
