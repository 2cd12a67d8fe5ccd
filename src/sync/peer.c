/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/engine.h"
#include "sync/list.h"

SyncSelection *
sync_selection_ref (SyncSelection *selection)
{
  return g_rc_box_acquire (selection);
}

static void
selection_clear (gpointer data)
{
  SyncSelection *selection = data;

  g_clear_error (&selection->error);
}

void
sync_selection_unref (SyncSelection *selection)
{
  g_rc_box_release_full (selection, selection_clear);
}

void
sync_selection_release (SyncSelection **selection)
{
  if (*selection == NULL)
    return;
  (*selection)->funcs = NULL;
  (*selection)->data = NULL;
  g_clear_pointer (selection, sync_selection_unref);
}

static void
set_current (SyncPeer *peer, SyncSelection *selection)
{
  g_clear_pointer (&peer->current, sync_selection_unref);
  if (selection != NULL)
    peer->current = sync_selection_ref (selection);
}

/* The next SELECT's data begins. */
static void
begin_next (SyncPeer *peer)
{
  SyncSelection *next = g_queue_pop_head (&peer->selections);

  set_current (peer, next);
  if (next != NULL) {
    next->begun = TRUE;
    sync_selection_unref (next);
  }
}

/* Where data of a mailbox goes. With nothing selected it is the next SELECT's. */
static SyncSelection *
selection_for_data (SyncPeer *peer)
{
  if (peer->current == NULL)
    begin_next (peer);
  return peer->current;
}

static void
take_code (SyncPeer *peer, const ImapResponse *response)
{
  SyncSelection *selection;

  if (response->code.type == IMAP_CODE_NOTIFICATIONOVERFLOW && peer->notice != NULL)
    peer->notice (peer, response, peer->notice_data);
  if (response->code.type == IMAP_CODE_CLOSED) {
    begin_next (peer);
    return;
  }
  if ((selection = selection_for_data (peer)) == NULL)
    return;
  switch (response->code.type) {
  case IMAP_CODE_UIDVALIDITY:
    selection->uidvalidity = response->code.number;
    break;
  case IMAP_CODE_UIDNEXT:
    if (!selection->answered)
      selection->uidnext = response->code.number;
    break;
  case IMAP_CODE_HIGHESTMODSEQ:
    /* After the SELECT it is a number that later changes are in: not the one to save. */
    if (!selection->answered)
      selection->highestmodseq = response->code.number;
    break;
  case IMAP_CODE_NOMODSEQ:
    selection->nomodseq = TRUE;
    break;
  case IMAP_CODE_UIDNOTSTICKY:
    selection->uidnotsticky = TRUE;
    break;
  case IMAP_CODE_PERMANENTFLAGS:
    selection->has_permanentflags = TRUE;
    selection->mask.any_keyword = FALSE;
    for (gsize i = 0; i < response->n_words; i++)
      selection->mask.any_keyword |= g_str_equal (response->words[i], "\\*");
    selection->mask.permitted =
        flag_table_intern (peer->engine->flags, response->words, response->n_words);
    break;
  default:
    break;
  }
}

static void
on_untagged (ImapSession *session, const ImapResponse *response, gpointer data)
{
  SyncPeer *peer = data;
  SyncSelection *selection;

  switch (response->type) {
  case IMAP_RESPONSE_LIST:
  case IMAP_RESPONSE_STATUS:
  case IMAP_RESPONSE_NAMESPACE:
    sync_list_receive (peer, response);
    break;
  case IMAP_RESPONSE_OK:
    take_code (peer, response);
    break;
  case IMAP_RESPONSE_NO:
    g_debug ("%s: %s", side_name (peer->side), response->text);
    break;
  case IMAP_RESPONSE_FLAGS:
    if ((selection = selection_for_data (peer)) != NULL)
      selection->listed =
          flag_table_intern (peer->engine->flags, response->words, response->n_words);
    break;
  case IMAP_RESPONSE_EXISTS:
    if ((selection = selection_for_data (peer)) == NULL)
      break;
    if (!selection->answered)
      selection->exists = response->number;
    else if (selection->funcs != NULL && selection->funcs->exists != NULL)
      selection->funcs->exists (selection, selection->data);
    break;
  case IMAP_RESPONSE_FETCH:
    selection = selection_for_data (peer);
    if (selection != NULL && selection->funcs != NULL && selection->funcs->fetch != NULL)
      selection->funcs->fetch (selection, &response->fetch, selection->data);
    break;
  case IMAP_RESPONSE_VANISHED:
    selection = selection_for_data (peer);
    if (selection != NULL && selection->funcs != NULL && selection->funcs->vanished != NULL)
      selection->funcs->vanished (selection, response->vanished.uids, selection->data);
    break;
  case IMAP_RESPONSE_ESEARCH:
    selection = selection_for_data (peer);
    if (selection != NULL && selection->funcs != NULL && selection->funcs->found != NULL &&
        response->esearch.uid && response->esearch.all != NULL)
      selection->funcs->found (selection, response->esearch.all, selection->data);
    break;
  default:
    break;
  }
}

static void
on_body_begin (ImapSession *session, const ImapFetch *fetch, guint64 size, gpointer data)
{
  SyncPeer *peer = data;
  SyncSelection *selection = selection_for_data (peer);

  g_clear_pointer (&peer->body, sync_selection_unref);
  if (selection == NULL || selection->funcs == NULL || selection->funcs->body_begin == NULL)
    return;
  peer->body = sync_selection_ref (selection);
  selection->funcs->body_begin (selection, fetch, size, selection->data);
}

static void
on_body_data (ImapSession *session, const guint8 *bytes, gsize length, gpointer data)
{
  SyncPeer *peer = data;

  if (peer->body != NULL && peer->body->funcs != NULL)
    peer->body->funcs->body_data (peer->body, bytes, length, peer->body->data);
}

static void
on_body_end (ImapSession *session, gpointer data)
{
  SyncPeer *peer = data;
  g_autoptr (SyncSelection) body = g_steal_pointer (&peer->body);

  if (body != NULL && body->funcs != NULL)
    body->funcs->body_end (body, body->data);
}

static void
on_drained (ImapSession *session, gpointer data)
{
  SyncPeer *peer = data;

  if (peer->drained != NULL)
    peer->drained (peer, peer->drained_data);
}

static void
on_state_changed (ImapSession *session, gpointer data)
{
  /* Whoever waits looks at the state after each iteration. */
}

static const ImapReceiver peer_receiver = {
    .untagged = on_untagged,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
    .drained = on_drained,
    .state_changed = on_state_changed,
};

SyncPeer *
sync_peer_new (SyncEngine *engine, Side side)
{
  SyncPeer *peer = g_new0 (SyncPeer, 1);

  peer->engine = engine;
  peer->side = side;
  peer->naming.prefix = g_strdup ("");
  g_queue_init (&peer->selections);
  peer->session = imap_session_new (engine->config->server[side], &peer_receiver, peer);
  return peer;
}

void
sync_peer_free (SyncPeer *peer)
{
  if (peer == NULL)
    return;
  imap_session_unref (peer->session);
  mailbox_naming_clear (&peer->naming);
  g_queue_clear_full (&peer->selections, (GDestroyNotify)sync_selection_unref);
  g_clear_pointer (&peer->current, sync_selection_unref);
  g_clear_pointer (&peer->last, sync_selection_unref);
  g_clear_pointer (&peer->body, sync_selection_unref);
  g_clear_pointer (&peer->listing, g_ptr_array_unref);
  g_clear_pointer (&peer->listing_index, g_hash_table_unref);
  g_clear_pointer (&peer->heard, g_hash_table_unref);
  g_free (peer);
}

/* --- commands that somebody waits for -------------------------------------------------------- */

typedef struct {
  SyncWait *wait;
  ImapCompletion completion;
  gpointer data;
  GDestroyNotify destroy;
} Counted;

static void
counted_free (gpointer data)
{
  Counted *counted = data;

  if (counted->destroy != NULL)
    counted->destroy (counted->data);
  g_free (counted);
}

static void
on_counted (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Counted *counted = data;

  counted->wait->pending--;
  if (tagged == NULL && counted->wait->error == NULL)
    counted->wait->error = g_error_copy (error);
  if (counted->completion != NULL)
    counted->completion (session, tagged, error, counted->data);
  else if (tagged != NULL && error != NULL)
    g_message ("%s", error->message);
}

void
sync_peer_queue (SyncPeer *peer, SyncWait *wait, ImapCommand *command, ImapCompletion completion,
                 gpointer data, GDestroyNotify destroy)
{
  Counted *counted = g_new0 (Counted, 1);

  counted->wait = wait;
  counted->completion = completion;
  counted->data = data;
  counted->destroy = destroy;
  wait->pending++;
  imap_session_queue (peer->session, command, on_counted, counted, counted_free);
}

void
sync_peer_queue_selected (SyncPeer *peer, SyncWait *wait, ImapCommand *command,
                          ImapCompletion completion, gpointer data, GDestroyNotify destroy)
{
  imap_command_allow_bad (command);
  sync_peer_queue (peer, wait, command, completion, data, destroy);
}

/* --- SELECT ---------------------------------------------------------------------------------- */

/* PERMANENTFLAGS may be left out: then all flags are permanent (RFC 9051, section 7.1). */
static void
complete_mask (SyncSelection *selection)
{
  if (selection->has_permanentflags)
    return;
  selection->mask.any_keyword = TRUE;
  selection->mask.permitted = selection->listed;
}

static void
on_selected (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  SyncSelection *selection = data;
  SyncPeer *peer = selection->peer;

  selection->answered = TRUE;
  if (error != NULL) {
    selection->error = g_error_copy (error);
    if (!selection->begun)
      g_queue_remove (&peer->selections, selection) ? sync_selection_unref (selection) : (void)0;
    if (peer->current == selection)
      set_current (peer, NULL);
    return;
  }
  if (!selection->begun && peer->current == NULL)
    begin_next (peer);
  if (peer->current != selection) {
    g_set_error (&selection->error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "the %s server selected %s without saying that the mailbox before is closed",
                 side_name (peer->side), selection->mailbox->display);
    imap_session_abort (session, g_error_copy (selection->error));
    return;
  }
  /* EXAMINE tells neither what is really read-only nor which flags a SELECT would offer. */
  if (peer->engine->dry_run)
    selection->has_permanentflags = FALSE;
  else
    selection->read_only = tagged->code.type == IMAP_CODE_READ_ONLY;
  complete_mask (selection);
}

static void
unref_selection (gpointer data)
{
  sync_selection_unref (data);
}

SyncSelection *
sync_peer_select (SyncPeer *peer, SyncWait *wait, SyncMailbox *mailbox, guint32 uidvalidity,
                  guint64 highestmodseq, const SyncSelectionFuncs *funcs, gpointer data)
{
  SyncSelection *selection = g_rc_box_new0 (SyncSelection);
  ImapCommand *command = imap_command_new (peer->engine->dry_run ? "EXAMINE" : "SELECT");

  selection->peer = peer;
  selection->mailbox = mailbox;
  selection->funcs = funcs;
  selection->data = data;
  imap_command_astring (command, mailbox->side[peer->side].wire);
  if (highestmodseq > 0)
    imap_command_raw_printf (command, "(QRESYNC (%u %" G_GUINT64_FORMAT "))", uidvalidity,
                             highestmodseq);
  g_queue_push_tail (&peer->selections, sync_selection_ref (selection));
  g_clear_pointer (&peer->last, sync_selection_unref);
  peer->last = sync_selection_ref (selection);
  sync_peer_queue (peer, wait, command, on_selected, sync_selection_ref (selection),
                   unref_selection);
  return selection;
}

static void
on_unselected (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  SyncPeer *peer = data;

  if (error == NULL && g_queue_is_empty (&peer->selections))
    set_current (peer, NULL);
}

void
sync_peer_unselect (SyncPeer *peer, SyncWait *wait)
{
  ImapCommand *command = imap_command_new ("UNSELECT");

  imap_command_allow_bad (command);
  g_clear_pointer (&peer->last, sync_selection_unref);
  sync_peer_queue (peer, wait, command, on_unselected, peer, NULL);
}

/* --- small things ---------------------------------------------------------------------------- */

const char *
sync_peer_guid_item (SyncPeer *peer)
{
  if (imap_session_has (peer->session, IMAP_CAP_OBJECTID))
    return " EMAILID";
  return imap_session_has (peer->session, IMAP_CAP_X_GUID) ? " X-GUID" : "";
}

guint64
sync_guid_hash (const char *guid)
{
  g_autoptr (GChecksum) checksum = NULL;
  guint8 digest[32];
  gsize length = sizeof digest;
  guint64 hash;

  if (guid == NULL || *guid == '\0')
    return 0;
  checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (checksum, (const guint8 *)guid, -1);
  g_checksum_get_digest (checksum, digest, &length);
  memcpy (&hash, digest, sizeof hash);
  return hash != 0 ? hash : 1;
}

void
sync_note_sent (SyncEngine *engine, SyncMailbox *mailbox, Side side, FlagsId flags)
{
  if (flags == mailbox->side[side].sent_last)
    return;
  mailbox->side[side].sent_last = flags;
  mailbox->side[side].sent = flag_table_union (engine->flags, mailbox->side[side].sent, flags);
}

FlagsId
sync_intern_flags (SyncEngine *engine, const ImapFetch *fetch)
{
  return flag_table_intern (engine->flags, fetch->flags, fetch->n_flags);
}
