/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/watch.h"

#include "sync/idle.h"
#include "sync/known.h"

#define MAX_ASKED 50 /* mailboxes; above that a whole LIST is cheaper */
/* So long after a pass over a mailbox a connection that watches it may still tell what we did. */
#define ECHO_TIME (3 * G_TIME_SPAN_SECOND)

#define NOTIFY_EVENTS "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"

/* A server that gives up NOTIFY so often is not asked for it again on this connection. */
#define MAX_OVERFLOWS 3

struct _SyncWatch {
  SyncEngine *engine;
  GHashTable *known[N_SIDES]; /* wire name -> SyncKnown */
  GHashTable *marked;         /* program's form */
  gboolean all;
  gboolean notifies[N_SIDES]; /* NOTIFY is on */
  guint overflows[N_SIDES];   /* how often the server has given it up */
  gboolean no_notify[N_SIDES];
  gboolean resting;
  GPtrArray *touched[N_SIDES];  /* wire names */
  SyncMailbox *open[N_SIDES];   /* where the session itself rests in IDLE */
  SyncSelection *idle[N_SIDES]; /* of it */
  GPtrArray *idlers;            /* SyncIdle: connections of their own */
  SyncWait wait;
};

SyncWatch *
sync_watch_new (SyncEngine *engine)
{
  SyncWatch *watch = g_new0 (SyncWatch, 1);

  watch->engine = engine;
  watch->wait.engine = engine;
  watch->marked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  watch->idlers = g_ptr_array_new_with_free_func ((GDestroyNotify)sync_idle_free);
  for (Side side = 0; side < N_SIDES; side++) {
    watch->known[side] = sync_known_table_new ();
    watch->touched[side] = g_ptr_array_new_with_free_func (g_free);
  }
  return watch;
}

void
sync_watch_free (SyncWatch *watch)
{
  if (watch == NULL)
    return;
  g_ptr_array_unref (watch->idlers);
  g_hash_table_unref (watch->marked);
  for (Side side = 0; side < N_SIDES; side++) {
    if (watch->engine->peer[side] != NULL) {
      watch->engine->peer[side]->notice = NULL;
      watch->engine->peer[side]->notice_data = NULL;
    }
    sync_selection_release (&watch->idle[side]);
    g_clear_pointer (&watch->open[side], sync_mailbox_free);
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

void
sync_watch_mark_all (SyncWatch *watch)
{
  watch->all = TRUE;
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

static SyncKnown *
find_known (const SyncWatch *watch, Side side, const char *wire)
{
  return sync_known_find (watch->known[side], wire);
}

static void
take_status (SyncWatch *watch, Side side, const ImapStatus *status)
{
  SyncKnown *known = find_known (watch, side, status->mailbox);

  if (known != NULL && sync_known_take_status (known, status))
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
    if (++watch->overflows[peer->side] == MAX_OVERFLOWS)
      watch->no_notify[peer->side] = TRUE;
    watch->all = TRUE;
  }
}

/* What comes while a mailbox is selected for IDLE. */
static void
on_idle_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  SyncWatch *watch = data;

  if (selection->answered)
    mark (watch, selection->mailbox->name);
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

/* --- notices of connections that do nothing but IDLE ------------------------------------------ */

static void
compare_idle (SyncWatch *watch, const SyncIdle *idle)
{
  SyncKnown *known = find_known (watch, sync_idle_side (idle), sync_idle_wire (idle));
  const SyncIdleNumbers *numbers = sync_idle_numbers (idle);

  if (known != NULL && numbers != NULL && sync_known_take_numbers (known, numbers))
    mark (watch, known->name);
}

static void
on_idle_looked (SyncIdle *idle, gpointer data)
{
  SyncWatch *watch = data;

  if (watch->resting)
    compare_idle (watch, idle);
}

/* In a pass, and right after one, it may be ourselves who changed it: the numbers will tell. */
static void
on_idle_changed (SyncIdle *idle, guint64 modseq, gpointer data)
{
  SyncWatch *watch = data;
  const SyncKnown *known = find_known (watch, sync_idle_side (idle), sync_idle_wire (idle));

  if (known == NULL || (modseq > 0 && modseq <= known->highestmodseq))
    return;
  if (!watch->resting || g_get_monotonic_time () < known->passed + ECHO_TIME)
    sync_idle_look (idle);
  else
    mark (watch, known->name);
}

static const SyncIdleFuncs idler_funcs = {
    .changed = on_idle_changed,
    .looked = on_idle_looked,
};

/* --- what is known --------------------------------------------------------------------------- */

void
sync_watch_learn (SyncWatch *watch, gboolean whole)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_ptr_array_set_size (watch->touched[side], 0);
    sync_known_learn (&watch->known[side], watch->engine, side, whole, watch->touched[side]);
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
    imap_command_raw (command, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)");
    sync_peer_queue (peer, &watch->wait, command, NULL, NULL, NULL);
  }
  g_ptr_array_set_size (touched, 0);
}

typedef struct {
  SyncWatch *watch;
  Side side;
  guint before; /* overflows: there may be another one before the answer */
} Notify;

static void
on_notify (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Notify *notify = data;

  if (error == NULL) {
    notify->watch->notifies[notify->side] =
        notify->watch->overflows[notify->side] == notify->before;
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
  notify->before = watch->overflows[peer->side];
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

/* The n-th mailbox to be watched by IDLE that @side has; NULL: there are no more. */
static const char *
watched (SyncWatch *watch, Side side, guint n)
{
  for (char **name = watch->engine->config->idle; *name != NULL; name++) {
    GHashTableIter iter;
    gpointer wire, known;

    g_hash_table_iter_init (&iter, watch->known[side]);
    while (g_hash_table_iter_next (&iter, &wire, &known)) {
      if (g_str_equal (((SyncKnown *)known)->name, *name) && n-- == 0)
        return wire;
    }
  }
  return NULL;
}

static gboolean
select_for_idle (SyncWatch *watch, SyncPeer *peer, const char *wire, GError **error)
{
  const SyncKnown *known = find_known (watch, peer->side, wire);
  SyncMailbox *mailbox = g_new0 (SyncMailbox, 1);
  SyncSelection *selection;
  gboolean ok;

  sync_selection_release (&watch->idle[peer->side]);
  g_clear_pointer (&watch->open[peer->side], sync_mailbox_free);
  watch->open[peer->side] = mailbox;
  mailbox->name = g_strdup (known->name);
  mailbox->display = mailbox_name_display (known->name, peer->naming.delimiter);
  mailbox->side[peer->side].wire = g_strdup (wire);
  selection = sync_peer_select (peer, &watch->wait, mailbox, 0, 0, &idle_funcs, watch);
  watch->idle[peer->side] = selection;
  ok = sync_wait (&watch->wait, error);
  if (ok && selection->error == NULL &&
      (selection->uidnext != known->uidnext || selection->highestmodseq != known->highestmodseq))
    mark (watch, known->name);
  return ok;
}

/* The session itself, in the first of the mailboxes. */
static gboolean
start_idle (SyncWatch *watch, SyncPeer *peer, GError **error)
{
  const char *wire = watched (watch, peer->side, 0);

  if (wire == NULL)
    return TRUE;
  if (!select_for_idle (watch, peer, wire, error))
    return FALSE;
  if (watch->idle[peer->side]->error == NULL)
    imap_session_idle (peer->session, on_idle_ended, NULL);
  return TRUE;
}

/* Which of them need a connection of their own: those that nothing else tells of. A NOTIFY tells as
 * soon as IDLE does, unless somebody thinks otherwise; but a store is written to by programs that
 * go around its server, and of them only IDLE knows. */
static guint
first_idler (const SyncWatch *watch, Side side)
{
  const AccountConfig *config = watch->engine->config;
  SyncPeer *peer = watch->engine->peer[side];

  if (!imap_session_has (peer->session, IMAP_CAP_IDLE))
    return G_MAXUINT;
  if (!watch->notifies[side])
    return 1;
  return config->idle_chosen || config->server[side]->type == SERVER_STORE ? 0 : G_MAXUINT;
}

/* Their names on the wire, in the order of the configuration; strings belong to @watch. */
static GPtrArray *
idler_wires (SyncWatch *watch, Side side)
{
  GPtrArray *wires = g_ptr_array_new ();
  const char *wire;

  for (guint n = first_idler (watch, side);
       n != G_MAXUINT && (wire = watched (watch, side, n)) != NULL; n++)
    g_ptr_array_add (wires, (char *)wire);
  return wires;
}

static gboolean
has_idler (const SyncWatch *watch, Side side, const char *wire)
{
  for (guint i = 0; i < watch->idlers->len; i++) {
    const SyncIdle *idle = g_ptr_array_index (watch->idlers, i);

    if (sync_idle_side (idle) == side && g_str_equal (sync_idle_wire (idle), wire))
      return TRUE;
  }
  return FALSE;
}

static void
update_idlers (SyncWatch *watch, Side side)
{
  g_autoptr (GPtrArray) wires = idler_wires (watch, side);

  for (guint i = watch->idlers->len; i > 0; i--) {
    const SyncIdle *idle = g_ptr_array_index (watch->idlers, i - 1);

    if (sync_idle_side (idle) == side &&
        !g_ptr_array_find_with_equal_func (wires, sync_idle_wire (idle), g_str_equal, NULL))
      g_ptr_array_remove_index (watch->idlers, i - 1);
  }
  for (guint i = 0; i < wires->len; i++) {
    const char *wire = g_ptr_array_index (wires, i);

    if (!has_idler (watch, side, wire))
      g_ptr_array_add (watch->idlers,
                       sync_idle_new (watch->engine, side, find_known (watch, side, wire)->name,
                                      wire, &idler_funcs, watch));
  }
}

/* What they said during the pass. */
static void
compare_idlers (SyncWatch *watch)
{
  for (guint i = 0; i < watch->idlers->len; i++) {
    SyncIdle *idle = g_ptr_array_index (watch->idlers, i);
    const SyncKnown *known = find_known (watch, sync_idle_side (idle), sync_idle_wire (idle));
    const SyncIdleNumbers *numbers = sync_idle_numbers (idle);

    if (known != NULL && numbers != NULL && numbers->uidvalidity != known->uidvalidity)
      sync_idle_look (idle);
    else
      compare_idle (watch, idle);
  }
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

    if (!sync_watch_is_marked (watch) && !watch->notifies[side] &&
        imap_session_has (peer->session, IMAP_CAP_IDLE) && !start_idle (watch, peer, error))
      return FALSE;
    update_idlers (watch, side);
  }
  watch->resting = TRUE;
  compare_idlers (watch);
  return TRUE;
}

void
sync_watch_end (SyncWatch *watch)
{
  watch->resting = FALSE;
}

guint
sync_watch_poll_interval (const SyncWatch *watch, guint configured)
{
  /* A mail program that writes into the store's folder itself tells nobody. */
  gboolean store = watch->engine->config->server[SIDE_LOCAL]->type == SERVER_STORE;

  return watch->notifies[SIDE_LOCAL] && watch->notifies[SIDE_REMOTE] && !store ? 0 : configured;
}
