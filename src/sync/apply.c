/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/apply.h"

#include "log-account.h"
#include "sync/commit.h"
#include "sync/conflict.h"
#include "sync/copy.h"
#include "sync/departures.h"
#include "sync/gather.h"
#include "sync/identity.h"

#define MAX_SET_LENGTH 8000

/* The changes of one mailbox on one side: stores and expunges. */
typedef struct {
  SyncEngine *engine;
  SyncMailbox *mailbox;
  Side side;
  SyncWait *wait;
  SyncSelection *selection; /* of the first chain */
  SyncSelection *second;
  GHashTable *expunge;        /* UID on this side -> StorePair of the plan */
  GHashTable *ids;            /* UID on this side -> Message-ID, for the log */
  UidSet *deleted;            /* got our \Deleted */
  SyncDepartures *departures; /* what the server itself copies elsewhere before; or NULL */
  UidSet *vanished;           /* since the gather, and not because of us */
  UidSet *gone;               /* VANISHED after it */
} Changes;

/* One UID STORE. */
typedef struct {
  Changes *changes;
  UidSet *uids;
  FlagsId flags;
  GArray *indices; /* guint into plan->flags; NULL for \Deleted */
} StoreCommand;

/* What a UID STORE does with its list. */
typedef enum {
  STORE_WHOLE,
  STORE_ADD,
  STORE_REMOVE,
  N_STORES,
} StoreWay;

static const char *const store_items[N_STORES] = {"FLAGS.SILENT", "+FLAGS.SILENT", "-FLAGS.SILENT"};

static void
changes_free (gpointer data)
{
  Changes *changes = data;

  sync_selection_release (&changes->selection);
  sync_selection_release (&changes->second);
  g_hash_table_unref (changes->expunge);
  g_hash_table_unref (changes->ids);
  uid_set_free (changes->deleted);
  uid_set_free (changes->gone);
  uid_set_free (changes->vanished);
  sync_departures_free (changes->departures);
  g_free (changes);
}

static void
store_free (gpointer data)
{
  StoreCommand *store = data;

  uid_set_free (store->uids);
  g_clear_pointer (&store->indices, g_array_unref);
  g_free (store);
}

/* --- the first chain ------------------------------------------------------------------------- */

static void
on_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  Changes *changes = data;

  if (fetch->items & IMAP_FETCH_HEADER && fetch->uid != 0)
    g_hash_table_insert (changes->ids, GUINT_TO_POINTER (fetch->uid),
                         sync_message_id_text (fetch->header, fetch->header_length));
}

static void
on_vanished_before (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  Changes *changes = data;

  uid_set_union (changes->vanished, uids);
}

static const SyncSelectionFuncs first_funcs = {
    .fetch = on_fetch,
    .vanished = on_vanished_before,
};

/* What the server left as it was, because somebody else changed it: planned again. */
static void
take_modified (StoreCommand *store, const ImapResponse *tagged)
{
  if (tagged->code.type != IMAP_CODE_MODIFIED || tagged->code.set == NULL)
    return;
  uid_set_subtract (store->uids, tagged->code.set);
  store->changes->mailbox->unconfirmed = TRUE;
}

static void
on_deleted (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  StoreCommand *store = data;
  SyncMailbox *mailbox = store->changes->mailbox;

  if (error != NULL) {
    mailbox->unconfirmed = TRUE;
    if (tagged != NULL)
      log_mailbox_warning (mailbox->display, "the %s server will not delete messages: %s",
                           side_name (store->changes->side), error->message);
    return;
  }
  take_modified (store, tagged);
  uid_set_union (store->changes->deleted, store->uids);
}

static void
refuse_flags (StoreCommand *store, const GError *error)
{
  Changes *changes = store->changes;

  if (!sync_conflict_refuse_keywords (changes->engine, changes->mailbox, changes->side,
                                      store->flags, error->message))
    log_mailbox_warning (changes->mailbox->display, "the %s server refuses flags: %s",
                         side_name (changes->side), error->message);
}

static void
on_stored (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  StoreCommand *store = data;
  Changes *changes = store->changes;
  SyncMailbox *mailbox = changes->mailbox;

  if (error != NULL ||
      changes->selection->uidvalidity != mailbox->side[changes->side].delta->uidvalidity) {
    mailbox->unconfirmed = TRUE;
    if (tagged != NULL && error != NULL)
      refuse_flags (store, error);
    return;
  }
  take_modified (store, tagged);
  for (guint i = 0; i < store->indices->len; i++) {
    SyncFlagChange *change = &g_array_index (mailbox->plan->flags, SyncFlagChange,
                                             g_array_index (store->indices, guint, i));

    if (!uid_set_contains (store->uids, change->uid[changes->side]) ||
        --change->stores[changes->side] > 0)
      continue;
    /* A STORE says OK to what is not there. It may have been moved, and then keeps what was agreed
     * before. */
    if (uid_set_contains (changes->vanished, change->uid[changes->side]))
      continue;
    sync_note_sent (changes->engine, mailbox, changes->side, change->list[changes->side]);
    change->send[changes->side] = FALSE;
    mailbox->figures.flags[changes->side]++;
    if (!change->send[side_other (changes->side)])
      sync_commit_flags (changes->engine, mailbox, change->uid[SIDE_LOCAL], change->agreed);
  }
}

/* UID STORE @set (UNCHANGEDSINCE n) ...; without MODSEQs there is no such protection to be had. */
static ImapCommand *
new_store (Changes *changes, const char *set)
{
  ImapCommand *command = imap_command_new ("UID STORE");
  guint64 highestmodseq = changes->mailbox->side[changes->side].delta->highestmodseq;

  imap_command_raw (command, set);
  if (highestmodseq > 0)
    imap_command_raw_printf (command, "(UNCHANGEDSINCE %" G_GUINT64_FORMAT ")", highestmodseq);
  return command;
}

static void
queue_store (Changes *changes, const char *set, StoreWay way, FlagsId flags, GArray *indices,
             ImapCompletion completion)
{
  ImapCommand *command = new_store (changes, set);
  StoreCommand *store = g_new0 (StoreCommand, 1);

  store->changes = changes;
  store->uids = uid_set_parse (set, -1, NULL);
  store->flags = flags;
  store->indices = indices != NULL ? g_array_ref (indices) : NULL;
  imap_command_raw (command, store_items[way]);
  imap_command_flags (command, flag_table_text (changes->engine->flags, flags));
  sync_peer_queue_selected (changes->engine->peer[changes->side], changes->wait, command,
                            completion, store, store_free);
}

/* What is expunged is logged with its Message-ID, where there is a log. */
static void
queue_message_ids (Changes *changes, const UidSet *uids)
{
  g_autoptr (GPtrArray) sets = NULL;

  if (!log_shows_info ())
    return;
  sets = uid_set_split (uids, MAX_SET_LENGTH);

  for (guint i = 0; i < sets->len; i++) {
    ImapCommand *command = imap_command_new ("UID FETCH");

    imap_command_raw (command, g_ptr_array_index (sets, i));
    imap_command_raw (command, "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])");
    sync_peer_queue_selected (changes->engine->peer[changes->side], changes->wait, command, NULL,
                              NULL, NULL);
  }
}

static void
queue_deletions (Changes *changes, const UidSet *uids)
{
  g_autoptr (GPtrArray) sets = uid_set_split (uids, MAX_SET_LENGTH);
  FlagsId deleted = flag_table_intern_text (changes->engine->flags, "\\Deleted");

  for (guint i = 0; i < sets->len; i++)
    queue_store (changes, g_ptr_array_index (sets, i), STORE_ADD, deleted, NULL, on_deleted);
}

typedef struct {
  UidSet *uids;
  GArray *indices;
} Group;

static void
group_free (gpointer data)
{
  Group *group = data;

  uid_set_free (group->uids);
  g_array_unref (group->indices);
  g_free (group);
}

static void
add_to_group (GHashTable *groups, FlagsId flags, guint32 uid, guint index)
{
  gpointer key = GUINT_TO_POINTER (flags);
  Group *group = g_hash_table_lookup (groups, key);

  if (group == NULL) {
    group = g_new0 (Group, 1);
    group->uids = uid_set_new ();
    group->indices = g_array_new (FALSE, FALSE, sizeof (guint));
    g_hash_table_insert (groups, key, group);
  }
  uid_set_add (group->uids, uid);
  g_array_append_val (group->indices, index);
}

/* A whole list would undo what another client did meanwhile, unless UNCHANGEDSINCE protects it, and
 * take away a keyword that has no place in a command. */
static gboolean
is_whole_list_safe (const Changes *changes, FlagsId list)
{
  g_auto (GStrv) flags = NULL;

  if (changes->mailbox->side[changes->side].delta->highestmodseq == 0)
    return FALSE;
  flags = g_strsplit (flag_table_text (changes->engine->flags, list), " ", -1);
  for (char **flag = flags; *flag != NULL; flag++) {
    if (**flag != '\0' && !imap_flag_is_valid (*flag))
      return FALSE;
  }
  return TRUE;
}

static void
group_change (const Changes *changes, SyncFlagChange *change, guint index, gboolean whole,
              GHashTable *const groups[N_STORES])
{
  FlagTable *table = changes->engine->flags;
  FlagsId list = change->list[changes->side];
  FlagsId old = flag_table_mask (table, change->old[changes->side],
                                 &changes->mailbox->side[changes->side].delta->mask);
  FlagsId part[N_STORES] = {list, flag_table_minus (table, list, old),
                            flag_table_minus (table, old, list)};
  guint8 *stores = &change->stores[changes->side];

  *stores = 0;
  for (StoreWay way = whole ? STORE_WHOLE : STORE_ADD; way < (whole ? STORE_ADD : N_STORES);
       way++) {
    if (!whole && part[way] == 0)
      continue;
    add_to_group (groups[way], part[way], change->uid[changes->side], index);
    ++*stores;
  }
}

/* One UID STORE for each distinct list. */
static void
group_changes (const Changes *changes, GHashTable *const groups[N_STORES])
{
  const GArray *flags = changes->mailbox->plan->flags;
  FlagsId last = 0;
  gboolean whole = is_whole_list_safe (changes, 0);

  for (guint i = 0; i < flags->len; i++) {
    SyncFlagChange *change = &g_array_index (flags, SyncFlagChange, i);

    if (!change->send[changes->side])
      continue;
    if (change->list[changes->side] != last)
      whole = is_whole_list_safe (changes, last = change->list[changes->side]);
    group_change (changes, change, i, whole, groups);
  }
}

static void
queue_flags (Changes *changes, StoreWay way, GHashTable *groups)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, groups);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    Group *group = value;
    g_autoptr (GPtrArray) sets = uid_set_split (group->uids, MAX_SET_LENGTH);

    for (guint i = 0; i < sets->len; i++)
      queue_store (changes, g_ptr_array_index (sets, i), way, GPOINTER_TO_UINT (key),
                   group->indices, on_stored);
  }
}

/* What the mailbox's own plan says; without one, messages are copied from it and that is all. */
static void
plan_changes (Changes *changes, GHashTable *groups[N_STORES], UidSet *expunge)
{
  const GArray *pairs = changes->mailbox->plan->expunge[changes->side];

  for (guint i = 0; i < pairs->len; i++) {
    StorePair *pair = &g_array_index (pairs, StorePair, i);

    uid_set_add (expunge, pair->uid[changes->side]);
    g_hash_table_insert (changes->expunge, GUINT_TO_POINTER (pair->uid[changes->side]), pair);
  }
  group_changes (changes, groups);
}

static void
select_first (Changes *changes, gboolean planned)
{
  const SyncDelta *delta = planned ? changes->mailbox->side[changes->side].delta : NULL;

  changes->selection =
      sync_peer_select (changes->engine->peer[changes->side], changes->wait, changes->mailbox,
                        delta != NULL ? delta->uidvalidity : 0,
                        delta != NULL ? delta->highestmodseq : 0, &first_funcs, changes);
}

/* UID COPY goes before everything that changes what is copied; what is moved gets its \Deleted when
 * the copy has arrived. */
static void
queue_first_chain (Changes *changes, gboolean planned)
{
  GHashTable *groups[N_STORES];
  g_autoptr (UidSet) uids = uid_set_new ();
  guint n_stores = 0;

  for (StoreWay way = 0; way < N_STORES; way++)
    groups[way] = g_hash_table_new_full (NULL, NULL, NULL, group_free);
  if (planned)
    plan_changes (changes, groups, uids);
  for (StoreWay way = 0; way < N_STORES; way++)
    n_stores += g_hash_table_size (groups[way]);
  if (n_stores > 0 || !uid_set_is_empty (uids) || changes->departures != NULL)
    select_first (changes, planned);
  if (changes->departures != NULL)
    sync_departures_queue (changes->departures, changes->wait, changes->selection);
  queue_message_ids (changes, uids);
  if (changes->departures != NULL)
    uid_set_subtract (uids, sync_departures_moved (changes->departures));
  queue_deletions (changes, uids);
  for (StoreWay way = 0; way < N_STORES; way++) {
    queue_flags (changes, way, groups[way]);
    g_hash_table_unref (groups[way]);
  }
}

/* --- the second chain ------------------------------------------------------------------------ */

/* R1's mirror: the pair goes when the absence of both was seen. */
static void
on_vanished (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  Changes *changes = data;
  SyncMailbox *mailbox = changes->mailbox;
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, changes->expunge);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    const StorePair *pair = value;
    guint32 uid = GPOINTER_TO_UINT (key);
    const char *id = g_hash_table_lookup (changes->ids, key);

    if (!uid_set_contains (uids, uid) || uid_set_contains (changes->gone, uid))
      continue;
    uid_set_add (changes->gone, uid);
    sync_commit_forget (changes->engine, mailbox, pair);
    if (!uid_set_contains (changes->deleted, uid))
      continue; /* somebody else did it meanwhile */
    log_mailbox_info (
        mailbox->display,
        "expunged on the %s server: UID %u (local UID %u, remote UID %u), Message-ID %s",
        side_name (changes->side), uid, pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE],
        id != NULL && *id != '\0' ? id : "none");
    mailbox->figures.expunged[changes->side]++;
  }
}

static const SyncSelectionFuncs second_funcs = {
    .vanished = on_vanished,
};

/* The mailbox that our \Deleted went to is the one that the plan was made of. */
static gboolean
is_planned_mailbox (const Changes *changes)
{
  const SyncSelection *selection = changes->selection;

  return selection->error == NULL && !selection->read_only &&
         selection->uidvalidity == changes->mailbox->side[changes->side].delta->uidvalidity;
}

/* What is moved, and has arrived where it goes. */
static UidSet *
arrived (Changes *changes)
{
  UidSet *uids;

  if (changes->departures == NULL)
    return uid_set_new ();
  uids = uid_set_copy (sync_departures_arrived (changes->departures, changes->wait));
  /* Expunged by somebody else meanwhile. */
  uid_set_subtract (uids, changes->gone);
  return uids;
}

static void
queue_second_chain (Changes *changes)
{
  SyncPeer *peer = changes->engine->peer[changes->side];
  gboolean proceed;
  g_autoptr (UidSet) moved = arrived (changes);
  g_autoptr (GPtrArray) sets = NULL;
  const SyncDelta *delta = changes->mailbox->side[changes->side].delta;

  if (changes->selection->error != NULL ||
      (uid_set_is_empty (changes->deleted) && uid_set_is_empty (moved)))
    return;
  if (!(proceed = is_planned_mailbox (changes)))
    uid_set_clear (moved);
  if (!proceed) {
    changes->mailbox->unconfirmed = TRUE;
    log_mailbox_warning (changes->mailbox->display,
                         "the mailbox on the %s server is another one now; \\Deleted is taken back",
                         side_name (changes->side));
  }
  changes->second = sync_peer_select (peer, changes->wait, changes->mailbox, delta->uidvalidity,
                                      proceed ? delta->highestmodseq : 0, &second_funcs, changes);
  queue_deletions (changes, moved);
  uid_set_union (changes->deleted, moved);
  sets = uid_set_split (changes->deleted, MAX_SET_LENGTH);
  for (guint i = 0; i < sets->len; i++) {
    ImapCommand *command = imap_command_new (proceed ? "UID EXPUNGE" : "UID STORE");

    imap_command_raw (command, g_ptr_array_index (sets, i));
    if (!proceed)
      imap_command_raw (command, "-FLAGS.SILENT (\\Deleted)");
    sync_peer_queue_selected (peer, changes->wait, command, NULL, NULL, NULL);
  }
}

/* --- all together ---------------------------------------------------------------------------- */

static Changes *
changes_new (SyncEngine *engine, SyncMailbox *mailbox, Side side, SyncWait *wait)
{
  Changes *changes = g_new0 (Changes, 1);

  changes->engine = engine;
  changes->mailbox = mailbox;
  changes->side = side;
  changes->wait = wait;
  changes->expunge = g_hash_table_new (NULL, NULL);
  changes->ids = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  changes->deleted = uid_set_new ();
  changes->gone = uid_set_new ();
  changes->vanished = uid_set_new ();
  return changes;
}

static void
finish_changes (Changes *changes)
{
  SyncMailbox *mailbox = changes->mailbox;

  if (changes->selection == NULL)
    return;
  if (changes->selection->error != NULL) {
    mailbox->unconfirmed = TRUE;
    log_mailbox_warning (mailbox->display, "the %s server: %s", side_name (changes->side),
                         changes->selection->error->message);
  }
  if (uid_set_count (changes->gone) < g_hash_table_size (changes->expunge))
    mailbox->unconfirmed = TRUE;
}

static Changes *
find_changes (GPtrArray *all, const SyncMailbox *mailbox, Side side)
{
  for (guint i = 0; i < all->len; i++) {
    Changes *changes = g_ptr_array_index (all, i);

    if (changes->mailbox == mailbox && changes->side == side)
      return changes;
  }
  return NULL;
}

/* Messages are also copied from mailboxes that have no plan. */
static void
add_departures (SyncEngine *engine, GPtrArray *mailboxes, GPtrArray *all, SyncWait *wait)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (GPtrArray) sources = sync_departures_sources (mailboxes, side);

    for (guint i = 0; i < sources->len; i++) {
      SyncMailbox *source = g_ptr_array_index (sources, i);
      Changes *changes = find_changes (all, source, side);

      if (changes == NULL) {
        changes = changes_new (engine, source, side, wait);
        g_ptr_array_add (all, changes);
      }
      changes->departures = sync_departures_new (engine, mailboxes, source, side);
    }
  }
}

gboolean
sync_apply (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (changes_free);
  SyncWait wait = {.engine = engine};
  gboolean ok, reads = FALSE;
  guint planned;

  for (guint i = 0; i < mailboxes->len; i++) {
    for (Side side = 0; side < N_SIDES; side++)
      g_ptr_array_add (all, changes_new (engine, g_ptr_array_index (mailboxes, i), side, &wait));
  }
  planned = all->len;
  add_departures (engine, mailboxes, all, &wait);
  for (guint i = 0; i < all->len; i++) {
    Changes *changes = g_ptr_array_index (all, i);

    queue_first_chain (changes, i < planned);
    reads |= g_hash_table_size (changes->expunge) > 0 || changes->departures != NULL;
  }
  /* What is read for the log must be answered before an APPEND may begin: see copy.c. */
  ok = !reads || sync_wait (&wait, error);
  ok = ok && sync_copy (engine, mailboxes, &wait, !reads, error);
  for (guint i = 0; ok && i < all->len; i++) {
    Changes *changes = g_ptr_array_index (all, i);

    if (changes->selection != NULL)
      queue_second_chain (changes);
  }
  for (Side side = 0; ok && reads && side < N_SIDES; side++)
    sync_gather_ahead (engine, mailboxes, side, &wait);
  ok = ok && sync_wait (&wait, error);
  for (guint i = 0; i < all->len; i++)
    finish_changes (g_ptr_array_index (all, i));
  /* What was confirmed before the end of a connection is confirmed. */
  return sync_commit_flush (engine) && ok;
}
