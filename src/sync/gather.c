/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/gather.h"

#include "log-account.h"
#include "sync/conflict.h"

#define MAX_SET_LENGTH 8000 /* RFC 7162, section 4: lines of at most 8192 bytes */

/* One mailbox on one side while it is asked. */
typedef struct {
  SyncMailbox *mailbox;
  Side side;
  SyncDelta *delta;
  SyncSelection *selection;
  GHashTable
      *late; /* UID -> index + 1 in delta->messages, when they do not come in ascending order */
} Probe;

static void
probe_free (gpointer data)
{
  Probe *probe = data;

  sync_selection_release (&probe->selection);
  sync_delta_free (probe->delta);
  g_clear_pointer (&probe->late, g_hash_table_unref);
  g_free (probe);
}

void
sync_mailbox_fail (SyncEngine *engine, SyncMailbox *mailbox, Side side, const char *why)
{
  if (mailbox->failed)
    return;
  log_mailbox_warning (mailbox->display, "cannot be synchronized: the %s server: %s",
                       side_name (side), why);
  mailbox->failed = TRUE;
  mailbox->dirty = FALSE;
  mailbox->figures.problems++;
  engine->incomplete = TRUE;
}

/* --- receiving ------------------------------------------------------------------------------- */

static SyncMessage *
probe_message (Probe *probe, guint32 uid)
{
  GArray *messages = probe->delta->messages;
  SyncMessage message = {.uid = uid};
  SyncMessage *last = NULL;

  if (messages->len > 0)
    last = &g_array_index (messages, SyncMessage, messages->len - 1);
  if (last != NULL && last->uid == uid)
    return last;
  if ((last == NULL || last->uid < uid) && probe->late == NULL) {
    g_array_append_val (messages, message);
    return &g_array_index (messages, SyncMessage, messages->len - 1);
  }
  if (probe->late == NULL && (last = sync_delta_find (probe->delta, uid)) != NULL)
    return last;
  if (probe->late == NULL) {
    probe->late = g_hash_table_new (NULL, NULL);
    for (guint i = 0; i < messages->len; i++)
      g_hash_table_insert (probe->late,
                           GUINT_TO_POINTER (g_array_index (messages, SyncMessage, i).uid),
                           GUINT_TO_POINTER (i + 1));
  }
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (probe->late, GUINT_TO_POINTER (uid)));
  if (index == 0) {
    g_array_append_val (messages, message);
    index = messages->len;
    g_hash_table_insert (probe->late, GUINT_TO_POINTER (uid), GUINT_TO_POINTER (index));
  }
  return &g_array_index (messages, SyncMessage, index - 1);
}

static void
on_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  Probe *probe = data;
  SyncMessage *message;
  ImapFetchItems described = IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE;

  /* Without UID or FLAGS it says nothing that we could keep (a MODSEQ alone, our own echo). */
  if (fetch->uid == 0 || !(fetch->items & (IMAP_FETCH_FLAGS | IMAP_FETCH_SIZE)))
    return;
  if (uid_set_contains (probe->delta->vanished, fetch->uid))
    return;
  message = probe_message (probe, fetch->uid);
  if (fetch->items & IMAP_FETCH_FLAGS)
    message->flags = sync_intern_flags (selection->peer->engine, fetch);
  if ((fetch->items & described) == described) {
    message->described = TRUE;
    message->internaldate = fetch->internaldate;
    message->size = fetch->size;
    if (fetch->items & IMAP_FETCH_GUID)
      message->guid = sync_guid_hash (fetch->guid);
  }
}

static void
on_vanished (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  Probe *probe = data;

  uid_set_union (probe->delta->vanished, uids);
}

static const SyncSelectionFuncs probe_funcs = {
    .fetch = on_fetch,
    .vanished = on_vanished,
};

/* --- asking ---------------------------------------------------------------------------------- */

static void
queue_fetch (SyncPeer *peer, SyncWait *wait, const char *set)
{
  ImapCommand *command = imap_command_new ("UID FETCH");

  imap_command_raw (command, set);
  imap_command_raw_printf (command, "(UID FLAGS INTERNALDATE RFC822.SIZE%s)",
                           sync_peer_guid_item (peer));
  sync_peer_queue_selected (peer, wait, command, NULL, NULL, NULL);
}

static void
queue_fetch_uids (SyncPeer *peer, SyncWait *wait, const UidSet *uids)
{
  g_autoptr (GPtrArray) sets = uid_set_split (uids, MAX_SET_LENGTH);

  for (guint i = 0; i < sets->len; i++)
    queue_fetch (peer, wait, g_ptr_array_index (sets, i));
}

static gboolean
is_full (const SyncMailbox *mailbox, Side side)
{
  return mailbox->side[side].full || mailbox->side[side].highestmodseq == 0 ||
         mailbox->side[side].uidvalidity == 0;
}

/* R6: what a backup that was put back took away from UIDNEXT, new mail may have given it again. So
 * the last message whose id on that server is known is asked for along with the new ones; by
 * another id the planner sees that UIDs mean other messages now. 0: there is none. */
static guint32
find_witness (SyncEngine *engine, const Probe *probe)
{
  const SyncMailbox *mailbox = probe->mailbox;
  StorePair pair;
  gboolean found = FALSE;
  GError *error = NULL;

  if (mailbox->saved->id == 0 || *sync_peer_guid_item (engine->peer[probe->side]) == '\0')
    return 0;
  if (!store_pair_witness (engine->store, mailbox->saved->id, probe->side,
                           mailbox->side[probe->side].uidnext, &pair, &found, &error)) {
    g_clear_error (&engine->fatal);
    engine->fatal = error;
  }
  return found ? pair.uid[probe->side] : 0;
}

static void
queue_news (SyncEngine *engine, SyncWait *wait, const Probe *probe)
{
  g_autoptr (UidSet) uids = uid_set_new ();
  guint32 witness = find_witness (engine, probe);

  if (witness > 0)
    uid_set_add (uids, witness);
  if (probe->mailbox->side[probe->side].expect_new)
    uid_set_add_range (uids, MAX (probe->mailbox->side[probe->side].uidnext, 1), G_MAXUINT32);
  queue_fetch_uids (engine->peer[probe->side], wait, uids);
}

static void
queue_probe (SyncEngine *engine, SyncWait *wait, Probe *probe)
{
  SyncMailbox *mailbox = probe->mailbox;
  SyncPeer *peer = engine->peer[probe->side];
  guint32 uidvalidity = mailbox->side[probe->side].uidvalidity;

  if (is_full (mailbox, probe->side)) {
    probe->delta->full = TRUE;
    probe->selection = sync_peer_select (peer, wait, mailbox, 0, 0, &probe_funcs, probe);
    queue_fetch (peer, wait, "1:4294967295");
    return;
  }
  probe->selection =
      sync_peer_select (peer, wait, mailbox, uidvalidity, mailbox->side[probe->side].highestmodseq,
                        &probe_funcs, probe);
  queue_news (engine, wait, probe);
  if (mailbox->due[probe->side] != NULL)
    queue_fetch_uids (peer, wait, mailbox->due[probe->side]);
}

static int
compare_messages (gconstpointer a, gconstpointer b)
{
  const SyncMessage *x = a, *y = b;

  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Pairs lie above the saved UIDNEXT while a copy runs; UIDNEXT can never be below one of them. */
static gboolean
is_below_pairs (SyncEngine *engine, const Probe *probe)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  GError *error = NULL;

  if (probe->mailbox->saved->id == 0)
    return FALSE;
  if (!store_pairs_range (engine->store, probe->mailbox->saved->id, probe->side,
                          probe->delta->uidnext, G_MAXUINT32, pairs, &error)) {
    g_clear_error (&engine->fatal);
    engine->fatal = error;
  }
  return pairs->len > 0;
}

/* R6: do the numbers go on from where we left? FALSE when everything has to be listed: a
 * HIGHESTMODSEQ that fell means that the server answered nothing of what we asked. */
static gboolean
judge_numbers (SyncEngine *engine, Probe *probe)
{
  const SyncMailbox *mailbox = probe->mailbox;
  guint32 uidvalidity = mailbox->side[probe->side].uidvalidity;
  guint32 uidnext = mailbox->side[probe->side].uidnext;
  guint64 highestmodseq = mailbox->side[probe->side].highestmodseq;
  SyncDelta *delta = probe->delta;

  delta->trust = SYNC_TRUST_PROVED;
  if (uidvalidity == 0)
    return TRUE; /* nothing was saved: nothing is contradicted */
  if (delta->uidvalidity != uidvalidity || delta->uidnext < uidnext ||
      is_below_pairs (engine, probe))
    delta->trust = SYNC_TRUST_NONE;
  else if (highestmodseq > 0 && (delta->full || delta->highestmodseq < highestmodseq))
    delta->trust = SYNC_TRUST_INFERRED;
  return delta->trust == SYNC_TRUST_PROVED || delta->full;
}

static void
take_selection (SyncEngine *engine, Probe *probe)
{
  SyncSelection *selection = probe->selection;
  SyncDelta *delta = probe->delta;

  delta->uidvalidity = selection->uidvalidity;
  delta->uidnext = selection->uidnext;
  delta->highestmodseq = selection->nomodseq ? 0 : selection->highestmodseq;
  delta->exists = selection->exists;
  delta->read_only = selection->read_only;
  delta->mask = selection->mask;
  delta->listed = selection->listed;
  if (probe->late != NULL)
    g_array_sort (delta->messages, compare_messages);
}

/* A keyword that the server took with an OK and that it does not know now was not kept: that is no
 * change of its owner's. */
static void
find_dropped (SyncEngine *engine, SyncMailbox *mailbox, Side side)
{
  const SyncDelta *delta = mailbox->side[side].delta;
  FlagsId dropped =
      flag_table_minus (engine->flags, mailbox->side[side].sent,
                        flag_table_union (engine->flags, delta->listed, delta->mask.refused));

  for (guint i = 0; i < delta->messages->len && dropped != 0; i++)
    dropped = flag_table_minus (engine->flags, dropped,
                                g_array_index (delta->messages, SyncMessage, i).flags);
  if (dropped != 0)
    sync_conflict_refuse_keywords (engine, mailbox, side, dropped,
                                   "it says OK and does not keep them");
}

/* Takes what came in; TRUE when this side has to be asked again, for everything. */
static gboolean
finish_probe (SyncEngine *engine, Probe *probe)
{
  SyncMailbox *mailbox = probe->mailbox;
  SyncSelection *selection = probe->selection;
  FlagsId refused = 0;
  g_autoptr (GError) error = NULL;

  if (selection->error != NULL) {
    sync_mailbox_fail (engine, mailbox, probe->side, selection->error->message);
    return FALSE;
  }
  if (selection->uidnotsticky || selection->uidvalidity == 0 || selection->uidnext == 0) {
    sync_mailbox_fail (engine, mailbox, probe->side,
                       selection->uidnotsticky ? "its UIDs do not last (UIDNOTSTICKY)"
                                               : "it tells no UIDVALIDITY or no UIDNEXT");
    return FALSE;
  }
  take_selection (engine, probe);
  if (mailbox->saved->id != 0 &&
      !store_refused_flags (engine->store, mailbox->saved->id, probe->side, &refused, &error))
    g_propagate_error (&engine->fatal, g_steal_pointer (&error));
  probe->delta->mask.refused = refused;
  if (!judge_numbers (engine, probe)) {
    mailbox->side[probe->side].full = TRUE;
    return TRUE;
  }
  g_clear_pointer (&mailbox->side[probe->side].delta, sync_delta_free);
  mailbox->side[probe->side].delta = g_steal_pointer (&probe->delta);
  find_dropped (engine, mailbox, probe->side);
  return FALSE;
}

static void
add_probe (GPtrArray *probes, SyncMailbox *mailbox, Side side)
{
  Probe *probe = g_new0 (Probe, 1);

  probe->mailbox = mailbox;
  probe->side = side;
  probe->delta = sync_delta_new ();
  g_ptr_array_add (probes, probe);
}

/* One probe of each side in @sides of each mailbox; those to be asked again are left in @again. */
static gboolean
run_probes (SyncEngine *engine, GPtrArray *probes, GPtrArray *again, GError **error)
{
  SyncWait wait = {.engine = engine};

  for (guint i = 0; i < probes->len; i++) {
    Probe *probe = g_ptr_array_index (probes, i);

    if (probe->selection == NULL)
      queue_probe (engine, &wait, probe);
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < probes->len; i++) {
    Probe *probe = g_ptr_array_index (probes, i);

    if (finish_probe (engine, probe))
      add_probe (again, probe->mailbox, probe->side);
  }
  return TRUE;
}

/* --- ahead ----------------------------------------------------------------------------------- */

/* Asks @side from the numbers that the plan was made from, which are the next gather's if all that
 * is on its way is confirmed. */
static void
queue_ahead (SyncEngine *engine, SyncWait *wait, SyncMailbox *mailbox, Side side)
{
  const SyncDelta *delta = mailbox->side[side].delta;

  if (mailbox->failed || mailbox->unconfirmed || delta == NULL || delta->uidvalidity == 0 ||
      delta->highestmodseq == 0)
    return;
  add_probe (engine->ahead, mailbox, side);
  Probe *probe = g_ptr_array_index (engine->ahead, engine->ahead->len - 1);
  probe->selection = sync_peer_select (engine->peer[side], wait, mailbox, delta->uidvalidity,
                                       delta->highestmodseq, &probe_funcs, probe);
}

void
sync_gather_ahead (SyncEngine *engine, GPtrArray *mailboxes, Side side, SyncWait *wait)
{
  if (engine->ahead == NULL)
    engine->ahead = g_ptr_array_new_with_free_func (probe_free);
  for (guint i = 0; i < mailboxes->len; i++)
    queue_ahead (engine, wait, g_ptr_array_index (mailboxes, i), side);
}

void
sync_gather_forget (SyncEngine *engine, const SyncMailbox *mailbox)
{
  for (guint i = engine->ahead != NULL ? engine->ahead->len : 0; i > 0; i--) {
    const Probe *probe = g_ptr_array_index (engine->ahead, i - 1);

    if (mailbox == NULL || probe->mailbox == mailbox)
      g_ptr_array_remove_index_fast (engine->ahead, i - 1);
  }
}

/* What was asked ahead, unless there is more to ask now. */
static gboolean
is_answered (const Probe *probe)
{
  const SyncMailbox *mailbox = probe->mailbox;

  return probe->selection->answered && !is_full (mailbox, probe->side) &&
         !mailbox->side[probe->side].expect_new && mailbox->due[probe->side] == NULL;
}

/* Moves the answers of @mailboxes' to @probes; the rest is dropped. */
static void
take_ahead (SyncEngine *engine, GHashTable *open, GPtrArray *probes)
{
  g_autoptr (GPtrArray) ahead = g_steal_pointer (&engine->ahead);

  while (ahead != NULL && ahead->len > 0) {
    Probe *probe = g_ptr_array_steal_index_fast (ahead, ahead->len - 1);
    guint sides = GPOINTER_TO_UINT (g_hash_table_lookup (open, probe->mailbox));

    if (sides & 1u << probe->side && is_answered (probe)) {
      g_hash_table_insert (open, probe->mailbox, GUINT_TO_POINTER (sides & ~(1u << probe->side)));
      g_ptr_array_add (probes, probe);
    } else {
      probe_free (probe);
    }
  }
}

/* (transfer full) @probes */
static gboolean
finish_probes (SyncEngine *engine, GPtrArray *first, GError **error)
{
  g_autoptr (GPtrArray) probes = first;

  while (probes->len > 0) {
    g_autoptr (GPtrArray) again = g_ptr_array_new_with_free_func (probe_free);

    if (!run_probes (engine, probes, again, error))
      return FALSE;
    g_ptr_array_unref (probes);
    probes = g_steal_pointer (&again);
  }
  return TRUE;
}

gboolean
sync_gather (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  GPtrArray *probes = g_ptr_array_new_with_free_func (probe_free);
  g_autoptr (GHashTable) open = g_hash_table_new (NULL, NULL); /* SyncMailbox -> bits of sides */

  for (guint i = 0; i < mailboxes->len; i++)
    g_hash_table_insert (open, g_ptr_array_index (mailboxes, i),
                         GUINT_TO_POINTER ((1u << N_SIDES) - 1));
  take_ahead (engine, open, probes);
  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);
    guint sides = GPOINTER_TO_UINT (g_hash_table_lookup (open, mailbox));

    for (Side side = 0; side < N_SIDES; side++) {
      if (sides & 1u << side)
        add_probe (probes, mailbox, side);
    }
  }
  return finish_probes (engine, probes, error);
}

gboolean
sync_gather_side (SyncEngine *engine, SyncMailbox *mailbox, Side side, GError **error)
{
  GPtrArray *probes = g_ptr_array_new_with_free_func (probe_free);

  add_probe (probes, mailbox, side);
  return finish_probes (engine, probes, error);
}

/* --- descriptions ---------------------------------------------------------------------------- */

static UidSet *
undescribed (const SyncMailbox *mailbox, Side side)
{
  const SyncDelta *delta = mailbox->side[side].delta;
  UidSet *uids = uid_set_new ();

  for (guint i = 0; i < delta->messages->len; i++) {
    const SyncMessage *message = &g_array_index (delta->messages, SyncMessage, i);

    if (!message->described && !uid_set_contains (delta->vanished, message->uid))
      uid_set_add (uids, message->uid);
  }
  for (guint i = 0; i < mailbox->pairs->len && !uid_set_is_empty (uids); i++) {
    guint32 uid = g_array_index (mailbox->pairs, StorePair, i).uid[side];

    uid_set_remove_range (uids, uid, uid);
  }
  return uids;
}

/* The second answer is added to the first delta, whose numbers stay the ones to save. */
static void
add_descriptions (SyncDelta *delta, const SyncDelta *more)
{
  uid_set_union (delta->vanished, more->vanished);
  for (guint i = 0; i < more->messages->len; i++) {
    const SyncMessage *message = &g_array_index (more->messages, SyncMessage, i);
    SyncMessage *known = sync_delta_find (delta, message->uid);

    if (known != NULL && message->described)
      *known = *message;
  }
}

gboolean
sync_gather_descriptions (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  g_autoptr (GPtrArray) probes = g_ptr_array_new_with_free_func (probe_free);
  SyncWait wait = {.engine = engine};

  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    for (Side side = 0; side < N_SIDES && !mailbox->failed; side++) {
      g_autoptr (UidSet) uids = undescribed (mailbox, side);
      Probe *probe;

      if (uid_set_is_empty (uids))
        continue;
      probe = g_new0 (Probe, 1);
      probe->mailbox = mailbox;
      probe->side = side;
      probe->delta = sync_delta_new ();
      g_ptr_array_add (probes, probe);
      probe->selection =
          sync_peer_select (engine->peer[side], &wait, mailbox, 0, 0, &probe_funcs, probe);
      queue_fetch_uids (engine->peer[side], &wait, uids);
    }
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < probes->len; i++) {
    Probe *probe = g_ptr_array_index (probes, i);
    SyncDelta *delta = probe->mailbox->side[probe->side].delta;

    if (probe->selection->error == NULL && probe->selection->uidvalidity == delta->uidvalidity) {
      if (probe->late != NULL)
        g_array_sort (probe->delta->messages, compare_messages);
      add_descriptions (delta, probe->delta);
    }
  }
  return TRUE;
}
