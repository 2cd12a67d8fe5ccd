/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/complete.h"

#include "sync/conflict.h"
#include "sync/gather.h"

#define RETRY_AFTER (60 * 60) /* seconds */

/* One side's search for what its FETCH left out. */
typedef struct {
  SyncMailbox *mailbox;
  Side side;
  SyncSelection *selection;
  UidSet *found;
} Search;

static void
search_free (gpointer data)
{
  Search *search = data;

  sync_selection_release (&search->selection);
  uid_set_free (search->found);
  g_free (search);
}

static void
on_found (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  Search *search = data;

  uid_set_union (search->found, uids);
}

static void
on_vanished (SyncSelection *selection, const UidSet *uids, gpointer data)
{
  Search *search = data;

  uid_set_union (search->mailbox->side[search->side].delta->vanished, uids);
}

static const SyncSelectionFuncs search_funcs = {
    .found = on_found,
    .vanished = on_vanished,
};

static UidSet *
known_uids (const SyncDelta *delta)
{
  UidSet *known = uid_set_copy (delta->vanished);

  for (guint i = 0; i < delta->messages->len; i++)
    uid_set_add (known, g_array_index (delta->messages, SyncMessage, i).uid);
  return known;
}

static gboolean
is_incomplete (const SyncMailbox *mailbox, Side side)
{
  const SyncDelta *delta = mailbox->side[side].delta;
  g_autoptr (UidSet) known = NULL;

  if (mailbox->failed || delta == NULL || !delta->full || delta->messages->len >= delta->exists)
    return FALSE;
  known = known_uids (delta);
  return uid_set_count (known) < delta->exists;
}

static Search *
queue_search (SyncEngine *engine, SyncWait *wait, SyncMailbox *mailbox, Side side)
{
  SyncPeer *peer = engine->peer[side];
  ImapCommand *command = imap_command_new ("UID SEARCH RETURN (ALL) ALL");
  Search *search = g_new0 (Search, 1);

  search->mailbox = mailbox;
  search->side = side;
  search->found = uid_set_new ();
  search->selection = sync_peer_select (peer, wait, mailbox, 0, 0, &search_funcs, search);
  sync_peer_queue_selected (peer, wait, command, NULL, NULL, NULL);
  return search;
}

/* Adds what is known of a message that the server has and does not describe. */
static gboolean
add_undescribed (SyncEngine *engine, Search *search, guint32 uid, GError **error)
{
  SyncMailbox *mailbox = search->mailbox;
  SyncMessage message = {.uid = uid};
  StorePair pair;
  gboolean found;

  if (!store_pair_find (engine->store, mailbox->saved->id, search->side, uid, &pair, &found, error))
    return FALSE;
  if (!found) {
    sync_conflict_hold (engine, mailbox, search->side, uid, STORE_HOLD_UNREADABLE,
                        g_get_real_time () / G_USEC_PER_SEC + RETRY_AFTER,
                        "the server has the message and does not describe it");
    return TRUE;
  }
  message.flags = pair.flags;
  g_array_append_val (mailbox->side[search->side].delta->messages, message);
  return TRUE;
}

static int
compare_uid (gconstpointer a, gconstpointer b)
{
  const SyncMessage *x = a, *y = b;

  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static gboolean
finish_search (SyncEngine *engine, Search *search, GError **error)
{
  SyncMailbox *mailbox = search->mailbox;
  SyncDelta *delta = mailbox->side[search->side].delta;
  g_autoptr (UidSet) known = known_uids (delta);
  UidIter iter;
  guint32 uid;

  if (search->selection->error != NULL || search->selection->uidvalidity != delta->uidvalidity ||
      (uid_set_is_empty (search->found) && search->selection->exists > 0)) {
    sync_mailbox_fail (engine, mailbox, search->side,
                       "it lists fewer messages than it says to have, and will not say which");
    return TRUE;
  }
  uid_set_subtract (search->found, known);
  uid_iter_init (&iter, search->found);
  while (uid_iter_next (&iter, &uid)) {
    /* What came after the list is the next gather's. */
    if (uid < delta->uidnext && !add_undescribed (engine, search, uid, error))
      return FALSE;
  }
  g_array_sort (delta->messages, compare_uid);
  return TRUE;
}

gboolean
sync_complete_lists (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  g_autoptr (GPtrArray) searches = g_ptr_array_new_with_free_func (search_free);
  SyncWait wait = {.engine = engine};

  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    for (Side side = 0; side < N_SIDES; side++) {
      if (!is_incomplete (mailbox, side))
        continue;
      if (imap_session_has (engine->peer[side]->session, IMAP_CAP_ESEARCH))
        g_ptr_array_add (searches, queue_search (engine, &wait, mailbox, side));
      else
        sync_mailbox_fail (engine, mailbox, side, "it lists fewer messages than it says to have");
    }
  }
  if (searches->len == 0)
    return TRUE;
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < searches->len; i++) {
    if (!finish_search (engine, g_ptr_array_index (searches, i), error))
      return FALSE;
  }
  return TRUE;
}
