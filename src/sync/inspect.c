/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/inspect.h"

#include "imap/local-store.h"
#include "imap/mailbox-name.h"
#include "imap/session.h"

#include <string.h>

typedef struct {
  Inspection *inspection;
  GHashTable *index; /* wire name -> InspectedMailbox */
  guint pending;
} Look;

static void
mailbox_free (gpointer data)
{
  InspectedMailbox *mailbox = data;

  g_free (mailbox->name);
  g_free (mailbox);
}

Inspection *
inspection_new (void)
{
  Inspection *inspection = g_new0 (Inspection, 1);

  inspection->mailboxes = g_ptr_array_new_with_free_func (mailbox_free);
  return inspection;
}

void
inspection_free (Inspection *inspection)
{
  if (inspection == NULL)
    return;
  g_clear_error (&inspection->error);
  g_free (inspection->capabilities);
  g_free (inspection->subject);
  g_free (inspection->issuer);
  g_free (inspection->expires);
  g_free (inspection->fingerprint);
  g_ptr_array_unref (inspection->mailboxes);
  g_free (inspection);
}

static InspectedMailbox *
find_mailbox (Look *look, const char *wire)
{
  InspectedMailbox *mailbox = g_hash_table_lookup (look->index, wire);
  g_autofree char *decoded = NULL;

  if (mailbox != NULL)
    return mailbox;
  mailbox = g_new0 (InspectedMailbox, 1);
  decoded = mailbox_name_decode (wire, NULL);
  mailbox->name = mailbox_name_display (decoded != NULL ? decoded : wire, 0);
  g_hash_table_insert (look->index, g_strdup (wire), mailbox);
  g_ptr_array_add (look->inspection->mailboxes, mailbox);
  return mailbox;
}

static void
on_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  Look *look = data;
  InspectedMailbox *mailbox;

  if (response->type == IMAP_RESPONSE_LIST) {
    mailbox = find_mailbox (look, response->list.mailbox);
    mailbox->selectable =
        (response->list.flags & (IMAP_LIST_NOSELECT | IMAP_LIST_NONEXISTENT)) == 0;
    mailbox->subscribed = (response->list.flags & IMAP_LIST_SUBSCRIBED) != 0;
  } else if (response->type == IMAP_RESPONSE_STATUS) {
    mailbox = find_mailbox (look, response->status.mailbox);
    mailbox->messages = response->status.messages;
    mailbox->has_size = (response->status.items & IMAP_STATUS_SIZE) != 0;
    mailbox->size = response->status.size;
  }
}

static void
on_listed (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Look *look = data;

  look->pending--;
  if (error != NULL && look->inspection->error == NULL)
    look->inspection->error = g_error_copy (error);
}

static gboolean
offers (ImapSession *session, const char *word)
{
  g_auto (GStrv) words = g_strsplit (imap_session_capability_words (session), " ", -1);

  for (char **one = words; *one != NULL; one++) {
    if (g_ascii_strcasecmp (*one, word) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
queue_list (Look *look, ImapSession *session)
{
  ImapCommand *command = imap_command_new ("LIST");

  imap_command_raw (command, "\"\" \"*\"");
  imap_command_raw_printf (command, "RETURN (SUBSCRIBED STATUS (MESSAGES%s))",
                           offers (session, "STATUS=SIZE") ? " SIZE" : "");
  look->pending++;
  imap_session_queue (session, command, on_listed, look, NULL);
}

static const char *
name_version (GTlsProtocolVersion version)
{
  if (version == G_TLS_PROTOCOL_VERSION_TLS_1_3)
    return "TLS 1.3";
  return version == G_TLS_PROTOCOL_VERSION_TLS_1_2 ? "TLS 1.2" : "TLS";
}

static void
describe_certificate (Inspection *inspection, ImapSession *session)
{
  GTlsProtocolVersion version;
  GTlsCertificate *certificate = imap_session_certificate (session, &version);
  g_autoptr (GByteArray) der = NULL;
  g_autoptr (GDateTime) end = NULL;
  g_autofree char *digest = NULL;

  if (certificate == NULL)
    return;
  inspection->tls = name_version (version);
  inspection->subject = g_tls_certificate_get_subject_name (certificate);
  inspection->issuer = g_tls_certificate_get_issuer_name (certificate);
  end = g_tls_certificate_get_not_valid_after (certificate);
  inspection->expires = end != NULL ? g_date_time_format (end, "%Y-%m-%d") : NULL;
  g_object_get (certificate, "certificate", &der, NULL);
  if (der == NULL)
    return;
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, der->data, der->len);
  inspection->fingerprint = g_strconcat ("sha256$", digest, NULL);
}

static int
compare_mailboxes (gconstpointer a, gconstpointer b)
{
  const InspectedMailbox *x = *(InspectedMailbox *const *)a, *y = *(InspectedMailbox *const *)b;
  gboolean x_is_inbox = g_ascii_strcasecmp (x->name, "INBOX") == 0;
  gboolean y_is_inbox = g_ascii_strcasecmp (y->name, "INBOX") == 0;

  return x_is_inbox != y_is_inbox ? (x_is_inbox ? -1 : 1) : g_utf8_collate (x->name, y->name);
}

static void
talk (Look *look, GMainContext *context, ImapSession *session)
{
  imap_session_connect (session);
  while (imap_session_state (session) == IMAP_SESSION_CONNECTING)
    g_main_context_iteration (context, TRUE);
  if (imap_session_state (session) == IMAP_SESSION_READY)
    queue_list (look, session);
  while (look->pending > 0)
    g_main_context_iteration (context, TRUE);
  if (imap_session_state (session) == IMAP_SESSION_READY) {
    imap_session_logout (session);
    while (imap_session_state (session) != IMAP_SESSION_CLOSED)
      g_main_context_iteration (context, TRUE);
  }
}

static void
look_at (const ServerSettings *server, Inspection *inspection, GMainContext *context)
{
  static const ImapReceiver receiver = {.untagged = on_untagged};
  g_autoptr (GHashTable) index = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Look look = {.inspection = inspection, .index = index};
  ImapSession *session = imap_session_new (server, &receiver, &look);

  talk (&look, context, session);
  if (inspection->error == NULL && imap_session_error (session) != NULL)
    inspection->error = g_error_copy (imap_session_error (session));
  inspection->capabilities = g_strdup (imap_session_capability_words (session));
  describe_certificate (inspection, session);
  g_ptr_array_sort (inspection->mailboxes, compare_mailboxes);
  imap_session_unref (session);
}

Inspection *
inspect_server (const ServerSettings *server, gboolean trace)
{
  Inspection *inspection = inspection_new ();
  g_autoptr (GMainContext) context = g_main_context_new ();
  gboolean exists = TRUE;

  if (server->type == SERVER_STORE && !local_store_check (server, &exists, &inspection->error))
    return inspection;
  if (!exists) {
    inspection->is_new = TRUE;
    return inspection;
  }
  imap_session_set_trace (trace);
  g_main_context_push_thread_default (context);
  look_at (server, inspection, context);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
  return inspection;
}
