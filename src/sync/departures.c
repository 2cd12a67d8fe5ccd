/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/departures.h"

#include "log-account.h"
#include "sync/commit.h"
#include "sync/gather.h"
#include "sync/move.h"

#define MAX_SET_LENGTH 8000

struct _SyncDepartures {
  SyncEngine *engine;
  SyncMailbox *source;
  Side side;
  GPtrArray *mailboxes;     /* where to; owned by the caller */
  SyncSelection *selection; /* of the source */
  UidSet *moved;
  UidSet *arrived;
  GHashTable *foreign; /* SyncMailbox -> UidSet: copies that are not what was meant */
};

/* One UID COPY. */
typedef struct {
  SyncDepartures *departures;
  SyncMailbox *to;
  GHashTable *moves; /* UID here -> SyncMove of the plan */
} CopyCommand;

static void
copy_command_free (gpointer data)
{
  CopyCommand *copy = data;

  g_hash_table_unref (copy->moves);
  g_free (copy);
}

GPtrArray *
sync_departures_sources (GPtrArray *mailboxes, Side side)
{
  GPtrArray *sources = g_ptr_array_new ();

  for (guint i = 0; i < mailboxes->len; i++) {
    const SyncMailbox *to = g_ptr_array_index (mailboxes, i);
    const GArray *moves = to->plan->move[side_other (side)];

    for (guint j = 0; j < moves->len; j++) {
      SyncMailbox *source = g_array_index (moves, SyncMove, j).source;

      if (!g_ptr_array_find (sources, source, NULL))
        g_ptr_array_add (sources, source);
    }
  }
  return sources;
}

SyncDepartures *
sync_departures_new (SyncEngine *engine, GPtrArray *mailboxes, SyncMailbox *source, Side side)
{
  SyncDepartures *departures = g_new0 (SyncDepartures, 1);

  departures->engine = engine;
  departures->source = source;
  departures->side = side;
  departures->mailboxes = mailboxes;
  departures->moved = uid_set_new ();
  departures->arrived = uid_set_new ();
  departures->foreign = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)uid_set_free);
  for (guint i = 0; i < mailboxes->len; i++) {
    const SyncMailbox *to = g_ptr_array_index (mailboxes, i);
    const GArray *moves = to->plan->move[side_other (side)];

    for (guint j = 0; j < moves->len; j++) {
      const SyncMove *move = &g_array_index (moves, SyncMove, j);

      if (move->source == source && move->expunge)
        uid_set_add (departures->moved, move->pair.uid[side]);
    }
  }
  return departures;
}

void
sync_departures_free (SyncDepartures *departures)
{
  if (departures == NULL)
    return;
  uid_set_free (departures->moved);
  uid_set_free (departures->arrived);
  g_hash_table_unref (departures->foreign);
  g_clear_pointer (&departures->selection, sync_selection_unref);
  g_free (departures);
}

const UidSet *
sync_departures_moved (const SyncDepartures *departures)
{
  return departures->moved;
}

/* None of the command's is known to have arrived; what became of them tells the next gather, and
 * what did not arrive is sent then. */
static void
give_up (CopyCommand *copy)
{
  GHashTableIter iter;
  gpointer move;

  copy->to->unconfirmed = copy->departures->source->unconfirmed = TRUE;
  g_hash_table_iter_init (&iter, copy->moves);
  while (g_hash_table_iter_next (&iter, NULL, &move))
    sync_move_note_refused (copy->departures->engine, copy->to, side_other (copy->departures->side),
                            move);
}

/* The mailbox that was selected is the one that the pairs are of. */
static gboolean
is_meant (const SyncDepartures *departures)
{
  return departures->selection->error == NULL &&
         departures->selection->uidvalidity ==
             departures->source->saved->side[departures->side].uidvalidity;
}

static void
add_foreign (CopyCommand *copy, const GArray *uids)
{
  SyncDepartures *departures = copy->departures;
  UidSet *foreign = g_hash_table_lookup (departures->foreign, copy->to);

  if (foreign == NULL) {
    foreign = uid_set_new ();
    g_hash_table_insert (departures->foreign, copy->to, foreign);
  }
  for (guint i = 0; i < uids->len; i++)
    uid_set_add (foreign, g_array_index (uids, guint32, i));
}

static void
add_pair (CopyCommand *copy, const SyncMove *move, guint32 uid)
{
  SyncDepartures *departures = copy->departures;
  Side target = departures->side, origin = side_other (target);
  StorePair pair = {.flags = move->flags};

  pair.uid[origin] = move->message.uid;
  pair.uid[target] = uid;
  pair.guid[origin] = move->message.guid;
  pair.guid[target] = move->pair.guid[target];
  sync_commit_pair (departures->engine, copy->to, &pair);
  copy->to->figures.copied[target]++;
  if (move->expunge)
    uid_set_add (departures->arrived, move->pair.uid[target]);
  /* Its flags are merged by the next gather, which must tell them again. */
  if (move->message.flags != move->flags)
    copy->to->unconfirmed = TRUE;
}

/* R1: UIDs from and to in the order of the wire, as many as were asked for at most, of the mailbox
 * that was meant. */
static void
take_copies (CopyCommand *copy, const ImapResponse *tagged)
{
  const SyncDelta *delta = copy->to->side[copy->departures->side].delta;
  guint max = g_hash_table_size (copy->moves);
  g_autoptr (GArray) from = NULL;
  g_autoptr (GArray) to = NULL;

  if (tagged->code.type != IMAP_CODE_COPYUID || tagged->code.number != delta->uidvalidity)
    return;
  from = uid_list_parse (tagged->code.uids[0], -1, max, NULL);
  to = uid_list_parse (tagged->code.uids[1], -1, max, NULL);
  if (from == NULL || to == NULL || from->len != to->len)
    return;
  if (!is_meant (copy->departures)) {
    add_foreign (copy, to);
    return;
  }
  for (guint i = 0; i < from->len; i++) {
    gpointer key = GUINT_TO_POINTER (g_array_index (from, guint32, i));
    const SyncMove *move = g_hash_table_lookup (copy->moves, key);

    if (move == NULL)
      continue;
    add_pair (copy, move, g_array_index (to, guint32, i));
    g_hash_table_remove (copy->moves, key);
  }
}

static void
on_copied (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  CopyCommand *copy = data;
  SyncDepartures *departures = copy->departures;

  if (error == NULL) {
    take_copies (copy, tagged);
  } else if (tagged != NULL && (tagged->code.type == IMAP_CODE_TRYCREATE ||
                                tagged->code.type == IMAP_CODE_NONEXISTENT)) {
    sync_mailbox_fail (departures->engine, copy->to, departures->side, error->message);
  } else if (tagged != NULL && departures->selection->error == NULL) {
    log_mailbox_message (departures->source->display,
                         "the %s server will not copy messages to %s, they are sent: %s",
                         side_name (departures->side), copy->to->display, error->message);
  }
  if (g_hash_table_size (copy->moves) > 0)
    give_up (copy);
}

static void
queue_copy (SyncDepartures *departures, SyncWait *wait, SyncMailbox *to, const char *set,
            GHashTable *moves)
{
  ImapCommand *command = imap_command_new ("UID COPY");
  CopyCommand *copy = g_new0 (CopyCommand, 1);
  g_autoptr (UidSet) uids = uid_set_parse (set, -1, NULL);
  UidIter iter;
  guint32 uid;

  copy->departures = departures;
  copy->to = to;
  copy->moves = g_hash_table_new (NULL, NULL);
  uid_iter_init (&iter, uids);
  while (uid_iter_next (&iter, &uid))
    g_hash_table_insert (copy->moves, GUINT_TO_POINTER (uid),
                         g_hash_table_lookup (moves, GUINT_TO_POINTER (uid)));
  imap_command_raw (command, set);
  imap_command_astring (command, to->side[departures->side].wire);
  sync_peer_queue_selected (departures->engine->peer[departures->side], wait, command, on_copied,
                            copy, copy_command_free);
}

static void
queue_copies_to (SyncDepartures *departures, SyncWait *wait, SyncMailbox *to)
{
  GArray *all = to->plan->move[side_other (departures->side)];
  g_autoptr (GHashTable) moves = g_hash_table_new (NULL, NULL);
  g_autoptr (UidSet) uids = uid_set_new ();
  g_autoptr (GPtrArray) sets = NULL;

  for (guint i = 0; i < all->len; i++) {
    SyncMove *move = &g_array_index (all, SyncMove, i);
    guint32 uid = move->pair.uid[departures->side];

    if (move->source != departures->source)
      continue;
    uid_set_add (uids, uid);
    g_hash_table_insert (moves, GUINT_TO_POINTER (uid), move);
  }
  sets = uid_set_split (uids, MAX_SET_LENGTH);
  for (guint i = 0; i < sets->len; i++)
    queue_copy (departures, wait, to, g_ptr_array_index (sets, i), moves);
}

void
sync_departures_queue (SyncDepartures *departures, SyncWait *wait, SyncSelection *selection)
{
  departures->selection = sync_selection_ref (selection);
  for (guint i = 0; i < departures->mailboxes->len; i++)
    queue_copies_to (departures, wait, g_ptr_array_index (departures->mailboxes, i));
}

static void
take_back (SyncDepartures *departures, SyncWait *wait, SyncMailbox *to, const UidSet *uids)
{
  SyncPeer *peer = departures->engine->peer[departures->side];
  g_autoptr (GPtrArray) sets = uid_set_split (uids, MAX_SET_LENGTH);

  log_mailbox_warning (
      departures->source->display,
      "the mailbox on the %s server is another one now; what was copied to %s is taken back",
      side_name (departures->side), to->display);
  sync_selection_unref (sync_peer_select (peer, wait, to, 0, 0, NULL, NULL));
  for (guint i = 0; i < sets->len; i++) {
    ImapCommand *store = imap_command_new ("UID STORE"),
                *expunge = imap_command_new ("UID EXPUNGE");

    imap_command_raw (store, g_ptr_array_index (sets, i));
    imap_command_raw (store, "+FLAGS.SILENT (\\Deleted)");
    sync_peer_queue_selected (peer, wait, store, NULL, NULL, NULL);
    imap_command_raw (expunge, g_ptr_array_index (sets, i));
    sync_peer_queue_selected (peer, wait, expunge, NULL, NULL, NULL);
  }
}

const UidSet *
sync_departures_arrived (SyncDepartures *departures, SyncWait *wait)
{
  GHashTableIter iter;
  gpointer to, uids;

  g_hash_table_iter_init (&iter, departures->foreign);
  while (g_hash_table_iter_next (&iter, &to, &uids))
    take_back (departures, wait, to, uids);
  return departures->arrived;
}
