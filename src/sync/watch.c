/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/watch.h"

#define MAX_ASKED 50 /* mailboxes; above that a whole LIST is cheaper */

#define NOTIFY_EVENTS "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"

typedef struct {
  char *name;
  guint32 uidvalidity;
  guint32 uidnext;
  guint64 highestmodseq;
} Known;

struct _SyncWatch {
  SyncEngine *engine;
  GHashTable *known[N_SIDES]; /* wire name -> Known */
  GHashTable *marked;         /* program's form */
  gboolean all;
  gboolean notifies[N_SIDES]; /* NOTIFY is on */
  gboolean idles[N_SIDES];
  gboolean no_notify[N_SIDES];
  GPtrArray *touched[N_SIDES];  /* wire names */
  SyncSelection *idle[N_SIDES]; /* INBOX, for IDLE */
  SyncWait wait;
};

static void
known_free (gpointer data)
{
  Known *known = data;

  g_free (known->name);
  g_free (known);
}

SyncWatch *
sync_watch_new (SyncEngine *engine)
{
  SyncWatch *watch = g_new0 (SyncWatch, 1);

  watch->engine = engine;
  watch->wait.engine = engine;
  watch->marked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (Side side = 0; side < N_SIDES; side++) {
    watch->known[side] = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, known_free);
    watch->touched[side] = g_ptr_array_new_with_free_func (g_free);
  }
  return watch;
}

void
sync_watch_free (SyncWatch *watch)
{
  if (watch == NULL)
    return;
  g_hash_table_unref (watch->marked);
  for (Side side = 0; side < N_SIDES; side++) {
    if (watch->engine->peer[side] != NULL) {
      watch->engine->peer[side]->notice = NULL;
      watch->engine->peer[side]->notice_data = NULL;
    }
    sync_selection_release (&watch->idle[side]);
    g_hash_table_unref (watch->known[side]);
    g_ptr_array_unref (watch->touched[side]);
  }
  g_free (watch);
}

/* --- marks ----------------------------------------------------------------------------------- */

static void
mark (SyncWatch *watch, const char *name)
{
  g_hash_table_add (watch->marked, g_strdup (name));
}

gboolean
sync_watch_is_marked (const SyncWatch *watch)
{
  return watch->all || g_hash_table_size (watch->marked) > 0;
}

gboolean
sync_watch_all_marked (const SyncWatch *watch)
{
  return watch->all;
}

char **
sync_watch_take (SyncWatch *watch, gboolean *all)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, watch->marked);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_strv_builder_add (names, key);
  g_hash_table_remove_all (watch->marked);
  *all = watch->all;
  watch->all = FALSE;
  return g_strv_builder_end (names);
}

/* --- notices --------------------------------------------------------------------------------- */

static Known *
find_known (SyncWatch *watch, Side side, const char *wire)
{
  return g_hash_table_lookup (watch->known[side],
                              g_ascii_strcasecmp (wire, "INBOX") == 0 ? "INBOX" : wire);
}

static void
take_status (SyncWatch *watch, Side side, const ImapStatus *status)
{
  const Known *known = find_known (watch, side, status->mailbox);

  if (known == NULL)
    return;
  if ((status->items & IMAP_STATUS_UIDVALIDITY && status->uidvalidity != known->uidvalidity) ||
      (status->items & IMAP_STATUS_UIDNEXT && status->uidnext != known->uidnext) ||
      (status->items & IMAP_STATUS_HIGHESTMODSEQ && status->highestmodseq != known->highestmodseq))
    mark (watch, known->name);
}

/* Unasked for LIST, STATUS and whatever else the server has to say. */
static void
on_notice (SyncPeer *peer, const ImapResponse *response, gpointer data)
{
  SyncWatch *watch = data;

  if (response->type == IMAP_RESPONSE_STATUS)
    take_status (watch, peer->side, &response->status);
  else if (response->type == IMAP_RESPONSE_LIST)
    watch->all = TRUE;
  else if (response->code.type == IMAP_CODE_NOTIFICATIONOVERFLOW) {
    /* The server has given up NOTIFY (RFC 5465, section 5.8); Dovecot wants a NONE before another
     * SET. */
    watch->notifies[peer->side] = FALSE;
    watch->all = TRUE;
  }
}

/* What comes while INBOX is selected for IDLE. */
static void
on_idle_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  SyncWatch *watch = data;

  if (selection->answered)
    mark (watch, "INBOX");
}

static void
on_idle_vanished (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  on_idle_fetch (selection, NULL, data);
}

static void
on_idle_exists (SyncSelection *selection, gpointer data)
{
  on_idle_fetch (selection, NULL, data);
}

static const SyncSelectionFuncs idle_funcs = {
    .fetch = on_idle_fetch,
    .vanished = on_idle_vanished,
    .exists = on_idle_exists,
};

/* --- what is known --------------------------------------------------------------------------- */

void
sync_watch_learn (SyncWatch *watch, gboolean whole)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (whole)
      g_hash_table_remove_all (watch->known[side]);
    g_ptr_array_set_size (watch->touched[side], 0);
    for (guint i = 0; i < watch->engine->mailboxes->len; i++) {
      const SyncMailbox *mailbox = g_ptr_array_index (watch->engine->mailboxes, i);
      const char *wire = mailbox->side[side].wire;
      Known *known;

      if (wire == NULL || mailbox->failed)
        continue;
      known = g_new0 (Known, 1);
      known->name = g_strdup (mailbox->name);
      known->uidvalidity = mailbox->side[side].uidvalidity;
      known->uidnext = mailbox->side[side].uidnext;
      known->highestmodseq = mailbox->side[side].highestmodseq;
      g_hash_table_replace (watch->known[side],
                            g_strdup (g_ascii_strcasecmp (wire, "INBOX") == 0 ? "INBOX" : wire),
                            known);
      if (mailbox->touched)
        g_ptr_array_add (watch->touched[side], g_strdup (wire));
    }
  }
}

/* --- resting --------------------------------------------------------------------------------- */

static void
queue_unselect (SyncWatch *watch, SyncPeer *peer)
{
  if (peer->last == NULL || !imap_session_has (peer->session, IMAP_CAP_UNSELECT))
    return;
  sync_peer_unselect (peer, &watch->wait);
}

static void
queue_status (SyncWatch *watch, SyncPeer *peer)
{
  GPtrArray *touched = watch->touched[peer->side];

  if (touched->len > MAX_ASKED)
    watch->all = TRUE;
  for (guint i = 0; i < touched->len && touched->len <= MAX_ASKED; i++) {
    ImapCommand *command = imap_command_new ("STATUS");

    imap_command_astring (command, g_ptr_array_index (touched, i));
    imap_command_raw (command, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ)");
    sync_peer_queue (peer, &watch->wait, command, NULL, NULL, NULL);
  }
  g_ptr_array_set_size (touched, 0);
}

typedef struct {
  SyncWatch *watch;
  Side side;
} Notify;

static void
on_notify (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Notify *notify = data;

  if (error == NULL) {
    notify->watch->notifies[notify->side] = TRUE;
  } else if (tagged != NULL) {
    g_info ("the %s server does not notify: %s", side_name (notify->side), error->message);
    notify->watch->no_notify[notify->side] = TRUE;
  }
}

/* Never a second SET without a NONE: Dovecot goes silent then. SELECTED as it is without NOTIFY,
 * else nothing is told of a selected mailbox, not even our own expunges. */
static void
queue_notify (SyncWatch *watch, SyncPeer *peer)
{
  ImapCommand *none = imap_command_new ("NOTIFY NONE");
  ImapCommand *set = imap_command_new (
      "NOTIFY SET STATUS (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL " NOTIFY_EVENTS
      ")");
  Notify *notify = g_new0 (Notify, 1);

  notify->watch = watch;
  notify->side = peer->side;
  imap_command_allow_bad (none);
  imap_command_allow_bad (set);
  sync_peer_queue (peer, &watch->wait, none, NULL, NULL, NULL);
  sync_peer_queue (peer, &watch->wait, set, on_notify, notify, g_free);
}

static gboolean
may_notify (const SyncWatch *watch, const SyncPeer *peer)
{
  return imap_session_has (peer->session, IMAP_CAP_NOTIFY) && !watch->no_notify[peer->side];
}

static void
on_idle_ended (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  /* It ends when the next command is queued; if the session ended, whoever looks at it sees that.
   */
}

static gboolean
start_idle (SyncWatch *watch, SyncPeer *peer, GError **error)
{
  SyncMailbox *inbox = NULL;
  SyncSelection *selection;

  for (guint i = 0; i < watch->engine->mailboxes->len && inbox == NULL; i++) {
    inbox = g_ptr_array_index (watch->engine->mailboxes, i);
    if (!g_str_equal (inbox->name, "INBOX") || inbox->failed)
      inbox = NULL;
  }
  if (inbox != NULL) {
    Known *known = find_known (watch, peer->side, "INBOX");

    selection = sync_peer_select (peer, &watch->wait, inbox, 0, 0, &idle_funcs, watch);
    if (!sync_wait (&watch->wait, error)) {
      sync_selection_release (&selection);
      return FALSE;
    }
    if (known != NULL && selection->error == NULL &&
        (selection->uidnext != known->uidnext || selection->highestmodseq != known->highestmodseq))
      mark (watch, "INBOX");
    sync_selection_release (&watch->idle[peer->side]);
    watch->idle[peer->side] = selection;
  }
  if (peer->last == NULL)
    return TRUE;
  imap_session_idle (peer->session, on_idle_ended, NULL);
  watch->idles[peer->side] = TRUE;
  return TRUE;
}

gboolean
sync_watch_start (SyncWatch *watch, GError **error)
{
  for (Side side = 0; side < N_SIDES; side++) {
    SyncPeer *peer = watch->engine->peer[side];

    peer->notice = on_notice;
    peer->notice_data = watch;
    queue_unselect (watch, peer);
    queue_status (watch, peer);
    if (may_notify (watch, peer) && !watch->notifies[side])
      queue_notify (watch, peer);
  }
  if (!sync_wait (&watch->wait, error))
    return FALSE;
  for (Side side = 0; side < N_SIDES; side++) {
    SyncPeer *peer = watch->engine->peer[side];

    watch->idles[side] = FALSE;
    if (!sync_watch_is_marked (watch) && !watch->notifies[side] &&
        imap_session_has (peer->session, IMAP_CAP_IDLE) && !start_idle (watch, peer, error))
      return FALSE;
  }
  return TRUE;
}

guint
sync_watch_poll_interval (const SyncWatch *watch, guint configured)
{
  /* A mail program that writes into the store's folder itself tells nobody. */
  gboolean store = watch->engine->config->server[SIDE_LOCAL]->type == SERVER_STORE;

  return watch->notifies[SIDE_LOCAL] && watch->notifies[SIDE_REMOTE] && !store ? 0 : configured;
}
