/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/copy.h"

#include "sync/commit.h"
#include "sync/conflict.h"
#include "sync/figures.h"
#include "sync/gather.h"

/* How it flows.
 *
 * The unit is a batch: one UID FETCH on the origin, one (MULTI)APPEND on the other side, which is
 * begun when the first body arrives. Fetches go out ahead, until WINDOW bytes are asked for and
 * have not come; while much waits to be written to the target, the origin is not read.
 *
 * Never is an APPEND begun on a session that has a FETCH unanswered: Dovecot (2.3.19) works on both
 * at once, and when the APPEND ends while the FETCH is stuck in the middle of a message it dies:
 * "client_command_free: assertion failed: (client->output_cmd_lock == NULL)". So the two ways take
 * turns, of SLICE bytes when both have work. That also makes the back-pressure safe: a target is
 * always read, so a server that waits for us to read waits for nobody else. */
#define MAX_BATCH_BYTES    (512 * 1024)
#define MAX_BATCH_MESSAGES 250
#define WINDOW             (8 * 1024 * 1024)
#define SLICE              (32 * 1024 * 1024)
#define RETRY_AFTER        (60 * 60) /* seconds: what quota or a limit refused */

typedef struct _Copier Copier;

/* One way of copying. */
typedef struct {
  Copier *copier;
  Side origin;
  GQueue todo;              /* Batch */
  GQueue active;            /* Batch whose FETCH is out */
  guint64 ahead;            /* bytes asked for, and not arrived */
  guint64 turn;             /* bytes started in this turn */
  SyncSelection *selection; /* the last SELECT of ours on the origin */
  struct _Batch *open;      /* whose APPEND is open on the other side */
  struct _Batch *receiving; /* whose body comes in */
  gboolean paused;          /* the origin is not read */
} Way;

typedef struct _Batch {
  Way *way;
  SyncMailbox *mailbox;
  GArray *messages; /* SyncMessage, ascending UID */
  guint64 bytes;
  SyncSelection *selection;
  ImapAppend *append;
  gboolean fetched;
  guint refs;
  guint current;   /* index of the message whose body comes in */
  guint8 *arrived; /* by index: its body came */
  GArray *sent;    /* guint: indices in the order in which they went into the APPEND */
} Batch;

/* What an APPEND's answer is about: the batch's, or one message's where MULTIAPPEND is not offered.
 */
typedef struct {
  Batch *batch;
  GArray *sent;
} Appended;

struct _Copier {
  SyncEngine *engine;
  GPtrArray *mailboxes;
  SyncWait *wait;
  Way way[N_SIDES];        /* by origin */
  gboolean asked[N_SIDES]; /* the next gather, ahead: once */
  gboolean held[N_SIDES];  /* it is not answered: as with a FETCH, no APPEND may begin there */
  GQueue struck;           /* Batch of one message each, during whose transfer the connection ended
                              once: one at a time, when everything else is done */
  GArray *cut[N_SIDES];    /* Cut, by origin: what was on its way when a connection ended */
};

typedef struct {
  SyncMailbox *mailbox;
  guint32 uid;
  gboolean sent; /* at least to the buffers; else it was being read */
} Cut;

static void pump (Copier *copier);
static void ask_ahead (Copier *copier);

/* --- batches --------------------------------------------------------------------------------- */

static Batch *
batch_new (Way *way, SyncMailbox *mailbox)
{
  Batch *batch = g_new0 (Batch, 1);

  batch->way = way;
  batch->mailbox = mailbox;
  batch->messages = g_array_new (FALSE, FALSE, sizeof (SyncMessage));
  batch->sent = g_array_new (FALSE, FALSE, sizeof (guint));
  batch->refs = 1;
  return batch;
}

static void
batch_unref (Batch *batch)
{
  if (--batch->refs > 0)
    return;
  g_array_unref (batch->messages);
  g_array_unref (batch->sent);
  g_clear_pointer (&batch->selection, sync_selection_unref);
  g_free (batch->arrived);
  g_free (batch);
}

static void
batch_add (Batch *batch, const SyncMessage *message)
{
  g_array_append_val (batch->messages, *message);
  batch->bytes += message->size;
}

static gboolean
batch_is_full (const Batch *batch, const SyncMessage *next)
{
  return batch->messages->len > 0 && (batch->messages->len >= MAX_BATCH_MESSAGES ||
                                      batch->bytes + next->size > MAX_BATCH_BYTES);
}

static UidSet *
batch_uids (const Batch *batch)
{
  UidSet *uids = uid_set_new ();

  for (guint i = 0; i < batch->messages->len; i++)
    uid_set_add (uids, g_array_index (batch->messages, SyncMessage, i).uid);
  return uids;
}

static int
compare_uid (gconstpointer a, gconstpointer b)
{
  const SyncMessage *x = a, *y = b;

  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* The messages of one mailbox; large ones alone, and behind the others. */
static void
plan_batches (Way *way, SyncMailbox *mailbox, GQueue *large)
{
  const GArray *messages = mailbox->plan->copy[way->origin];
  Batch *batch = NULL;

  for (guint i = 0; i < messages->len; i++) {
    const SyncMessage *message = &g_array_index (messages, SyncMessage, i);
    const UidSet *due = mailbox->due[way->origin];
    gboolean struck = due != NULL && uid_set_contains (due, message->uid);

    if (struck || message->size > MAX_BATCH_BYTES) {
      Batch *alone = batch_new (way, mailbox);

      batch_add (alone, message);
      g_queue_push_tail (struck ? &way->copier->struck : large, alone);
      continue;
    }
    if (batch == NULL || batch_is_full (batch, message)) {
      batch = batch_new (way, mailbox);
      g_queue_push_tail (&way->todo, batch);
    }
    batch_add (batch, message);
  }
}

/* Tries the @sent messages of @batch again in two halves, which finds the one that is refused. */
static void
bisect (Batch *batch, const GArray *sent)
{
  guint half = sent->len / 2;

  for (guint part = 0; part < 2; part++) {
    Batch *again = batch_new (batch->way, batch->mailbox);
    guint first = part == 0 ? half : 0, end = part == 0 ? sent->len : half;

    for (guint i = first; i < end; i++)
      batch_add (again,
                 &g_array_index (batch->messages, SyncMessage, g_array_index (sent, guint, i)));
    g_array_sort (again->messages, compare_uid);
    g_queue_push_head (&batch->way->todo, again);
  }
}

/* --- the append ------------------------------------------------------------------------------ */

static SyncPeer *
target_of (const Way *way)
{
  return way->copier->engine->peer[side_other (way->origin)];
}

static void
appended_free (gpointer data)
{
  Appended *appended = data;

  batch_unref (appended->batch);
  g_array_unref (appended->sent);
  g_free (appended);
}

static void
hold_refused (Batch *batch, const SyncMessage *message, const ImapResponse *tagged,
              const GError *error)
{
  SyncEngine *engine = batch->way->copier->engine;
  ImapCodeType code = tagged->code.type;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gboolean later = code == IMAP_CODE_OVERQUOTA || code == IMAP_CODE_UNAVAILABLE ||
                   code == IMAP_CODE_INUSE || code == IMAP_CODE_SERVERBUG;

  sync_conflict_hold (engine, batch->mailbox, batch->way->origin, message->uid, STORE_HOLD_REFUSED,
                      later ? now + RETRY_AFTER : 0, error->message);
}

static void
take_refusal (Appended *appended, const ImapResponse *tagged, const GError *error)
{
  Batch *batch = appended->batch;
  Side target = side_other (batch->way->origin);
  SyncEngine *engine = batch->way->copier->engine;
  const SyncMessage *message;

  batch->mailbox->unconfirmed = TRUE;
  if (tagged->code.type == IMAP_CODE_TRYCREATE || tagged->code.type == IMAP_CODE_NONEXISTENT) {
    sync_mailbox_fail (engine, batch->mailbox, target, error->message);
    return;
  }
  if (appended->sent->len > 1) {
    bisect (batch, appended->sent);
    return;
  }
  message = &g_array_index (batch->messages, SyncMessage, g_array_index (appended->sent, guint, 0));
  if (sync_conflict_refuse_keywords (engine, batch->mailbox, target, message->flags,
                                     error->message)) {
    Batch *again = batch_new (batch->way, batch->mailbox);

    batch_add (again, message);
    g_queue_push_head (&batch->way->todo, again);
    return;
  }
  hold_refused (batch, message, tagged, error);
}

/* R1: the right count and the right UIDVALIDITY, else identity has to tell in the next round. */
static GArray *
read_new_uids (const Batch *batch, const ImapResponse *tagged, guint count)
{
  const SyncDelta *delta = batch->mailbox->side[side_other (batch->way->origin)].delta;
  g_autoptr (GArray) uids = NULL;

  if (tagged->code.type != IMAP_CODE_APPENDUID || tagged->code.number != delta->uidvalidity)
    return NULL;
  uids = uid_list_parse (tagged->code.uids[0], -1, count, NULL);
  return uids != NULL && uids->len == count ? g_steal_pointer (&uids) : NULL;
}

static void
note_cut (const Batch *batch, guint index, gboolean sent)
{
  Cut cut = {batch->mailbox, g_array_index (batch->messages, SyncMessage, index).uid, sent};

  g_array_append_val (batch->way->copier->cut[batch->way->origin], cut);
}

static void
on_appended (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Appended *appended = data;
  Batch *batch = appended->batch;
  Copier *copier = batch->way->copier;
  Side origin = batch->way->origin, target = side_other (origin);
  g_autoptr (GArray) uids = NULL;

  copier->wait->pending--;
  if (tagged == NULL) {
    batch->mailbox->unconfirmed = TRUE;
    for (guint i = 0; i < appended->sent->len; i++)
      note_cut (batch, g_array_index (appended->sent, guint, i), TRUE);
    return;
  }
  if (error != NULL) {
    take_refusal (appended, tagged, error);
    pump (copier);
    return;
  }
  if ((uids = read_new_uids (batch, tagged, appended->sent->len)) == NULL)
    batch->mailbox->unconfirmed = TRUE;
  for (guint i = 0; i < appended->sent->len; i++) {
    const SyncMessage *message =
        &g_array_index (batch->messages, SyncMessage, g_array_index (appended->sent, guint, i));
    StorePair pair = {.flags = message->flags};

    batch->mailbox->figures.copied[target]++;
    batch->mailbox->figures.bytes[target] += message->size;
    batch->mailbox->figures.new_mail +=
        sync_figures_is_new_mail (copier->engine, batch->mailbox, target, message) ? 1 : 0;
    copier->engine->messages_done++;
    sync_note_sent (copier->engine, batch->mailbox, target, message->flags);
    if (uids == NULL)
      continue;
    pair.uid[origin] = message->uid;
    pair.uid[target] = g_array_index (uids, guint32, i);
    pair.guid[origin] = message->guid;
    sync_commit_pair (copier->engine, batch->mailbox, &pair);
  }
  if (copier->engine->progress != NULL)
    copier->engine->progress (copier->engine, copier->engine->progress_data);
  pump (copier);
}

/* Ends the batch's open APPEND, if it has one. */
static void
finish_append (Batch *batch)
{
  Way *way = batch->way;
  Appended *appended;

  if (batch->append == NULL)
    return;
  appended = g_new0 (Appended, 1);
  appended->batch = batch;
  appended->sent = g_steal_pointer (&batch->sent);
  batch->sent = g_array_new (FALSE, FALSE, sizeof (guint));
  batch->refs++;
  if (way->open == batch)
    way->open = NULL;
  way->copier->wait->pending++;
  imap_append_finish (g_steal_pointer (&batch->append), on_appended, appended, appended_free);
}

/* --- bodies ---------------------------------------------------------------------------------- */

static Batch *
find_batch (Way *way, const SyncSelection *selection, guint32 uid, guint *index)
{
  SyncMessage key = {.uid = uid};

  for (GList *item = way->active.head; item != NULL; item = item->next) {
    Batch *batch = item->data;

    if (batch->selection == selection && !batch->fetched &&
        g_array_binary_search (batch->messages, &key, compare_uid, index) &&
        !batch->arrived[*index])
      return batch;
  }
  return NULL;
}

static gboolean
is_planned_mailbox (const Batch *batch)
{
  const SyncSelection *selection = batch->selection;

  return selection->answered && selection->error == NULL &&
         selection->uidvalidity == batch->mailbox->side[batch->way->origin].delta->uidvalidity;
}

static void
on_body_begin (SyncSelection *selection, const ImapFetch *fetch, guint64 size, gpointer data)
{
  Way *way = data;
  SyncPeer *target = target_of (way);
  Side side = side_other (way->origin);
  const SyncMessage *message;
  Batch *batch;
  guint index;

  way->receiving = NULL;
  if (fetch->uid == 0 || (batch = find_batch (way, selection, fetch->uid, &index)) == NULL)
    return;
  batch->arrived[index] = TRUE;
  if (!is_planned_mailbox (batch))
    return;
  message = &g_array_index (batch->messages, SyncMessage, index);
  if (size == 0) {
    sync_conflict_hold (way->copier->engine, batch->mailbox, way->origin, message->uid,
                        STORE_HOLD_REFUSED, 0, "the message is empty");
    return;
  }
  if (way->open != NULL && way->open != batch)
    finish_append (way->open);
  if (batch->append == NULL) {
    batch->append = imap_session_append_begin (target->session, batch->mailbox->side[side].wire);
    way->open = batch;
  }
  batch->current = index;
  way->receiving = batch;
  g_array_append_val (batch->sent, index);
  imap_append_message (batch->append,
                       flag_table_text (way->copier->engine->flags,
                                        flag_table_mask (way->copier->engine->flags, message->flags,
                                                         &batch->mailbox->side[side].delta->mask)),
                       message->internaldate, size,
                       fetch->items & IMAP_FETCH_BINARY &&
                           imap_session_has (target->session, IMAP_CAP_BINARY));
}

static void
on_body_data (SyncSelection *selection, const guint8 *bytes, gsize length, gpointer data)
{
  Way *way = data;
  SyncEngine *engine = way->copier->engine;
  Batch *batch = way->receiving;

  way->ahead -= MIN (way->ahead, length);
  if (batch == NULL || batch->append == NULL)
    return;
  imap_append_data (batch->append, bytes, length);
  engine->bytes_done += length;
  if (!way->paused && imap_session_unsent (target_of (way)->session) > IMAP_SESSION_HIGH_WATER) {
    way->paused = TRUE;
    imap_session_pause_reading (engine->peer[way->origin]->session);
  }
  if (engine->progress != NULL)
    engine->progress (engine, engine->progress_data);
}

static void
on_drained (SyncPeer *peer, gpointer data)
{
  Copier *copier = data;
  Way *way = &copier->way[side_other (peer->side)];

  if (way->paused) {
    way->paused = FALSE;
    imap_session_resume_reading (copier->engine->peer[way->origin]->session);
  }
  pump (copier);
}

static gboolean
all_arrived (const Batch *batch)
{
  for (guint i = 0; i < batch->messages->len; i++) {
    if (!batch->arrived[i])
      return FALSE;
  }
  return TRUE;
}

static void
on_body_end (SyncSelection *selection, gpointer data)
{
  Way *way = data;
  Batch *batch = g_steal_pointer (&way->receiving);

  if (batch == NULL)
    return;
  /* Ascending UIDs: the last one is the last to come, but a server may think otherwise. */
  if (!imap_session_has (target_of (way)->session, IMAP_CAP_MULTIAPPEND) ||
      (batch->current + 1 == batch->messages->len && all_arrived (batch)))
    finish_append (batch);
}

static void
on_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  Way *way = data;
  Batch *batch;
  guint index;

  if (fetch->uid == 0 || !(fetch->items & IMAP_FETCH_NIL) ||
      (batch = find_batch (way, selection, fetch->uid, &index)) == NULL)
    return;
  batch->arrived[index] = TRUE;
  sync_conflict_hold (way->copier->engine, batch->mailbox, way->origin, fetch->uid,
                      STORE_HOLD_UNREADABLE, 0, "the server cannot give its text (NIL)");
}

static const SyncSelectionFuncs copy_funcs = {
    .fetch = on_fetch,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
};

/* --- fetching -------------------------------------------------------------------------------- */

/* Messages that the server would not give though it was asked for them alone. */
static void
take_unreadable (Batch *batch, const GError *error)
{
  g_autoptr (GArray) missing = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < batch->messages->len; i++) {
    if (!batch->arrived[i])
      g_array_append_val (missing, i);
  }
  batch->mailbox->unconfirmed = TRUE;
  if (missing->len == 0)
    return;
  if (batch->messages->len == 1)
    sync_conflict_hold (batch->way->copier->engine, batch->mailbox, batch->way->origin,
                        g_array_index (batch->messages, SyncMessage, 0).uid, STORE_HOLD_UNREADABLE,
                        g_get_real_time () / G_USEC_PER_SEC + RETRY_AFTER, error->message);
  else if (missing->len == 1) {
    Batch *again = batch_new (batch->way, batch->mailbox);

    batch_add (again,
               &g_array_index (batch->messages, SyncMessage, g_array_index (missing, guint, 0)));
    g_queue_push_head (&batch->way->todo, again);
  } else
    bisect (batch, missing);
}

/* The first FETCH that is not answered to its end is the one that the server was busy with. */
static void
note_unread (const Batch *batch)
{
  const GArray *cut = batch->way->copier->cut[batch->way->origin];

  for (guint i = 0; i < cut->len; i++) {
    if (!g_array_index (cut, Cut, i).sent)
      return;
  }
  if (batch->way->receiving == batch) {
    note_cut (batch, batch->current, FALSE);
    return;
  }
  for (guint i = 0; i < batch->messages->len; i++) {
    if (!batch->arrived[i]) {
      note_cut (batch, i, FALSE);
      return;
    }
  }
}

static void
on_fetched (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  Batch *batch = data;
  Way *way = batch->way;

  batch->fetched = TRUE;
  g_queue_remove (&way->active, batch);
  if (way->active.length == 0)
    way->ahead = 0;
  if (way->todo.length == 0 || way->turn >= SLICE)
    way->copier->way[side_other (way->origin)].turn = 0;
  if (tagged == NULL)
    note_unread (batch);
  if (way->receiving == batch)
    way->receiving = NULL;
  finish_append (batch);
  if (tagged != NULL && batch->selection->error != NULL)
    sync_mailbox_fail (way->copier->engine, batch->mailbox, way->origin,
                       batch->selection->error->message);
  else if (tagged != NULL && error != NULL)
    take_unreadable (batch, error);
  else if (!all_arrived (batch) || !is_planned_mailbox (batch))
    batch->mailbox->unconfirmed = TRUE; /* R2: a FETCH that omits one proves nothing */
  pump (way->copier);
}

static void
unref_batch (gpointer data)
{
  batch_unref (data);
}

static void
start_batch (Batch *batch)
{
  Way *way = batch->way;
  Copier *copier = way->copier;
  SyncPeer *peer = copier->engine->peer[way->origin];
  g_autoptr (UidSet) uids = batch_uids (batch);
  ImapCommand *command = imap_command_new ("UID FETCH");

  if (way->selection == NULL || peer->last != way->selection ||
      way->selection->mailbox != batch->mailbox) {
    g_clear_pointer (&way->selection, sync_selection_unref);
    way->selection = sync_peer_select (peer, copier->wait, batch->mailbox, 0, 0, &copy_funcs, way);
  }
  batch->selection = sync_selection_ref (way->selection);
  batch->arrived = g_new0 (guint8, batch->messages->len);
  imap_command_uids (command, uids);
  imap_command_raw (command, "(UID BODY.PEEK[])");
  way->ahead += batch->bytes;
  g_queue_push_tail (&way->active, batch);
  sync_peer_queue_selected (peer, copier->wait, command, on_fetched, batch, unref_batch);
}

/* A turn ends when nothing is left of it, or when it was long enough and the other way waits. */
static gboolean
may_start (const Way *way, const Batch *batch)
{
  const Way *other = &way->copier->way[side_other (way->origin)];

  if (way->copier->held[side_other (way->origin)] || other->active.length > 0 ||
      (other->todo.length > 0 && way->turn >= SLICE))
    return FALSE;
  return way->active.length == 0 || way->ahead + batch->bytes <= WINDOW;
}

static void
pump_way (Way *way)
{
  while (way->todo.length > 0) {
    Batch *batch = g_queue_peek_head (&way->todo);

    if (!batch->mailbox->failed && !may_start (way, batch))
      break;
    g_queue_pop_head (&way->todo);
    way->turn += batch->bytes;
    if (batch->mailbox->failed)
      batch_unref (batch);
    else
      start_batch (batch);
  }
}

static void
pump (Copier *copier)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (imap_session_state (copier->engine->peer[side]->session) != IMAP_SESSION_READY)
      return;
  }
  for (Side side = 0; side < N_SIDES; side++)
    pump_way (&copier->way[side]);
  /* Both have had their turn. */
  for (Side side = 0; side < N_SIDES; side++) {
    Way *way = &copier->way[side];

    if (way->active.length == 0 && copier->way[side_other (side)].active.length == 0 &&
        way->todo.length > 0) {
      way->turn = 0;
      pump_way (way);
    }
  }
  ask_ahead (copier);
}

/* The gather that confirms goes out right behind the last effect, a round trip earlier than when
 * its answer is waited for: on the origin behind the last FETCH, on the target behind the last
 * APPEND. */
static void
ask_ahead (Copier *copier)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const Way *from = &copier->way[side], *to = &copier->way[side_other (side)];

    if (copier->asked[side] || from->todo.length > 0 || to->todo.length > 0 ||
        to->active.length > 0 || to->open != NULL)
      continue;
    copier->asked[side] = copier->held[side] = TRUE;
    sync_gather_ahead (copier->engine, copier->mailboxes, side, copier->wait);
  }
}

/* FALSE: there is none left. */
static gboolean
start_struck (Copier *copier)
{
  while (copier->struck.length > 0) {
    Batch *batch = g_queue_pop_head (&copier->struck);

    if (!batch->mailbox->failed) {
      start_batch (batch);
      return TRUE;
    }
    batch_unref (batch);
  }
  return FALSE;
}

/* Until nothing is left to do: what was refused is tried again when all is answered. */
static gboolean
wait_for_all (Copier *copier, GError **error)
{
  while (sync_wait (copier->wait, error)) {
    for (Side side = 0; side < N_SIDES; side++)
      copier->held[side] = FALSE;
    pump (copier);
    if (copier->wait->pending == 0 && !start_struck (copier))
      return TRUE;
  }
  return FALSE;
}

/* Which of the connections ended by itself decides whom to suspect. */
static void
strike (Copier *copier)
{
  for (Side origin = 0; origin < N_SIDES; origin++) {
    for (guint i = 0; i < copier->cut[origin]->len; i++) {
      const Cut *cut = &g_array_index (copier->cut[origin], Cut, i);
      Side where = cut->sent ? side_other (origin) : origin;

      if (imap_session_error (copier->engine->peer[where]->session) != NULL)
        sync_conflict_strike (copier->engine, cut->mailbox, origin, cut->uid, where);
    }
  }
}

static void
count_total (SyncEngine *engine, const Way *way)
{
  for (const GList *item = way->todo.head; item != NULL; item = item->next) {
    const Batch *batch = item->data;

    engine->messages_total += batch->messages->len;
    engine->bytes_total += batch->bytes;
  }
}

gboolean
sync_copy (SyncEngine *engine, GPtrArray *mailboxes, SyncWait *wait, gboolean ahead, GError **error)
{
  Copier copier = {.engine = engine, .mailboxes = mailboxes, .wait = wait};
  gboolean ok;

  for (Side side = 0; side < N_SIDES; side++) {
    Way *way = &copier.way[side];
    GQueue large = G_QUEUE_INIT;

    way->copier = &copier;
    way->origin = side;
    copier.cut[side] = g_array_new (FALSE, FALSE, sizeof (Cut));
    for (guint i = 0; i < mailboxes->len; i++)
      plan_batches (way, g_ptr_array_index (mailboxes, i), &large);
    while (large.length > 0)
      g_queue_push_tail (&way->todo, g_queue_pop_head (&large));
    count_total (engine, way);
    engine->peer[side]->drained = on_drained;
    engine->peer[side]->drained_data = &copier;
    copier.asked[side] = !ahead;
  }
  for (Side side = 0; side < N_SIDES && copier.struck.length > 0; side++)
    copier.asked[side] = TRUE;
  pump (&copier);
  ok = wait_for_all (&copier, error);
  if (!ok)
    strike (&copier);
  g_queue_clear_full (&copier.struck, unref_batch);
  for (Side side = 0; side < N_SIDES; side++) {
    Way *way = &copier.way[side];

    if (way->paused)
      imap_session_resume_reading (engine->peer[side]->session);
    engine->peer[side]->drained = NULL;
    g_queue_clear_full (&way->todo, unref_batch);
    g_array_unref (copier.cut[side]);
    sync_selection_release (&way->selection);
  }
  return ok;
}
