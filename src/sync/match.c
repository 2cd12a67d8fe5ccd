/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/match.h"

#include "sync/gather.h"
#include "sync/identity.h"

#define MAX_SET_LENGTH 8000

/* The messages of one mailbox on one side that shall be identified. */
typedef struct {
  SyncMailbox *mailbox;
  Side side;
  GArray *identities; /* SyncIdentity, ascending UID */
  SyncSelection *selection;
  SyncDigest *digest; /* of the body that comes in */
  guint8 digested[32];
} Suspects;

static void
suspects_free (gpointer data)
{
  Suspects *suspects = data;

  sync_selection_release (&suspects->selection);
  g_array_unref (suspects->identities);
  if (suspects->digest != NULL)
    sync_digest_finish (suspects->digest, suspects->digested);
  g_free (suspects);
}

static Suspects *
suspects_new (SyncMailbox *mailbox, Side side, const UidSet *uids)
{
  Suspects *suspects = g_new0 (Suspects, 1);
  UidIter iter;
  guint32 uid;

  suspects->mailbox = mailbox;
  suspects->side = side;
  suspects->identities = g_array_new (FALSE, TRUE, sizeof (SyncIdentity));
  uid_iter_init (&iter, uids);
  while (uid_iter_next (&iter, &uid)) {
    SyncIdentity identity = {.uid = uid};

    g_array_append_val (suspects->identities, identity);
  }
  return suspects;
}

static int
compare_uid (gconstpointer a, gconstpointer b)
{
  const SyncIdentity *x = a, *y = b;

  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static SyncIdentity *
suspects_find (Suspects *suspects, guint32 uid)
{
  SyncIdentity key = {.uid = uid};
  guint index;

  if (!g_array_binary_search (suspects->identities, &key, compare_uid, &index))
    return NULL;
  return &g_array_index (suspects->identities, SyncIdentity, index);
}

static void
on_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  Suspects *suspects = data;
  SyncIdentity *identity = suspects_find (suspects, fetch->uid);

  if (identity == NULL)
    return;
  if (fetch->items & IMAP_FETCH_HEADER)
    identity->message_id = sync_message_id_hash (fetch->header, fetch->header_length);
  if (fetch->items & IMAP_FETCH_SIZE)
    identity->size = fetch->size;
  if (fetch->items & IMAP_FETCH_INTERNALDATE)
    identity->date = fetch->internaldate;
  if (fetch->items & IMAP_FETCH_GUID)
    identity->guid = sync_guid_hash (fetch->guid);
  if (fetch->items & IMAP_FETCH_BODY && !(fetch->items & IMAP_FETCH_NIL)) {
    memcpy (identity->digest, suspects->digested, sizeof identity->digest);
    identity->digested = TRUE;
  }
}

static void
on_body_begin (SyncSelection *selection, const ImapFetch *fetch, guint64 size, gpointer data)
{
  Suspects *suspects = data;

  suspects->digest = sync_digest_new ();
}

static void
on_body_data (SyncSelection *selection, const guint8 *bytes, gsize length, gpointer data)
{
  Suspects *suspects = data;

  if (suspects->digest != NULL)
    sync_digest_update (suspects->digest, bytes, length);
}

static void
on_body_end (SyncSelection *selection, gpointer data)
{
  Suspects *suspects = data;

  if (suspects->digest != NULL)
    sync_digest_finish (g_steal_pointer (&suspects->digest), suspects->digested);
}

static const SyncSelectionFuncs suspects_funcs = {
    .fetch = on_fetch,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
};

static void
queue_fetch (SyncEngine *engine, SyncWait *wait, Suspects *suspects, const UidSet *uids,
             const char *items)
{
  SyncPeer *peer = engine->peer[suspects->side];
  g_autoptr (GPtrArray) sets = uid_set_split (uids, MAX_SET_LENGTH);

  if (sets->len == 0)
    return;
  sync_selection_release (&suspects->selection);
  suspects->selection =
      sync_peer_select (peer, wait, suspects->mailbox, 0, 0, &suspects_funcs, suspects);
  for (guint i = 0; i < sets->len; i++) {
    ImapCommand *command = imap_command_new ("UID FETCH");

    imap_command_raw (command, g_ptr_array_index (sets, i));
    imap_command_raw (command, items);
    sync_peer_queue_selected (peer, wait, command, NULL, NULL, NULL);
  }
}

/* The UIDs mean what they meant only in the mailbox that the delta is of. */
static gboolean
is_believable (const Suspects *suspects)
{
  const SyncSelection *selection = suspects->selection;

  return selection == NULL ||
         (selection->error == NULL &&
          selection->uidvalidity == suspects->mailbox->side[suspects->side].delta->uidvalidity);
}

static void
match (Suspects *const suspects[N_SIDES], UidSet *undecided[N_SIDES])
{
  SyncMailbox *mailbox = suspects[SIDE_LOCAL]->mailbox;
  const GArray *identities[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++) {
    identities[side] = suspects[side]->identities;
    uid_set_clear (undecided[side]);
  }
  g_array_set_size (mailbox->matches, 0);
  sync_identity_match (identities, mailbox->matches, undecided);
}

static void
finish_mailbox (SyncEngine *engine, Suspects *const suspects[N_SIDES])
{
  SyncMailbox *mailbox = suspects[SIDE_LOCAL]->mailbox;

  mailbox->matched = TRUE;
  for (Side side = 0; side < N_SIDES; side++) {
    if (!is_believable (suspects[side]))
      sync_mailbox_fail (engine, mailbox, side, "it changed while it was read");
  }
}

/* Asks for all but the text of @uids. */
static Suspects *
queue_suspects (SyncEngine *engine, SyncWait *wait, SyncMailbox *mailbox, Side side,
                const UidSet *uids)
{
  Suspects *suspects = suspects_new (mailbox, side, uids);
  g_autofree char *items =
      g_strdup_printf ("(UID INTERNALDATE RFC822.SIZE%s BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])",
                       sync_peer_guid_item (engine->peer[side]));

  queue_fetch (engine, wait, suspects, uids, items);
  return suspects;
}

gboolean
sync_gather_identities (SyncEngine *engine, GPtrArray *mailboxes, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (suspects_free);
  g_autoptr (UidSet) undecided_local = uid_set_new ();
  g_autoptr (UidSet) undecided_remote = uid_set_new ();
  UidSet *undecided[N_SIDES] = {undecided_local, undecided_remote};
  SyncWait wait = {.engine = engine};

  for (guint i = 0; i < mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (mailboxes, i);

    g_clear_pointer (&mailbox->matches, g_array_unref);
    mailbox->matches = g_array_new (FALSE, FALSE, sizeof (SyncMatch));
    for (Side side = 0; side < N_SIDES; side++) {
      g_ptr_array_add (
          all, queue_suspects (engine, &wait, mailbox, side, mailbox->plan->unpaired[side]));
    }
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < all->len; i += N_SIDES) {
    Suspects *suspects[N_SIDES] = {g_ptr_array_index (all, i), g_ptr_array_index (all, i + 1)};

    if (!is_believable (suspects[SIDE_LOCAL]) || !is_believable (suspects[SIDE_REMOTE]))
      continue;
    match (suspects, undecided);
    for (Side side = 0; side < N_SIDES; side++)
      queue_fetch (engine, &wait, suspects[side], undecided[side], "(UID BODY.PEEK[])");
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < all->len; i += N_SIDES) {
    Suspects *suspects[N_SIDES] = {g_ptr_array_index (all, i), g_ptr_array_index (all, i + 1)};

    match (suspects, undecided);
    finish_mailbox (engine, suspects);
  }
  return TRUE;
}

/* --- what they are --------------------------------------------------------------------------- */

SyncEnquiry *
sync_enquiry_new (SyncMailbox *mailbox, Side side)
{
  SyncEnquiry *enquiry = g_new0 (SyncEnquiry, 1);

  enquiry->mailbox = mailbox;
  enquiry->side = side;
  enquiry->uids = uid_set_new ();
  enquiry->identities = g_array_new (FALSE, TRUE, sizeof (SyncIdentity));
  return enquiry;
}

void
sync_enquiry_free (SyncEnquiry *enquiry)
{
  uid_set_free (enquiry->uids);
  g_array_unref (enquiry->identities);
  g_free (enquiry);
}

gboolean
sync_gather_enquiries (SyncEngine *engine, GPtrArray *enquiries, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (suspects_free);
  SyncWait wait = {.engine = engine};

  for (guint i = 0; i < enquiries->len; i++) {
    const SyncEnquiry *enquiry = g_ptr_array_index (enquiries, i);

    g_ptr_array_add (
        all, queue_suspects (engine, &wait, enquiry->mailbox, enquiry->side, enquiry->uids));
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  for (guint i = 0; i < enquiries->len; i++) {
    SyncEnquiry *enquiry = g_ptr_array_index (enquiries, i);
    const Suspects *suspects = g_ptr_array_index (all, i);

    for (guint j = 0; is_believable (suspects) && j < suspects->identities->len; j++) {
      const SyncIdentity *identity = &g_array_index (suspects->identities, SyncIdentity, j);

      if (identity->size > 0)
        g_array_append_vals (enquiry->identities, identity, 1);
    }
  }
  return TRUE;
}

/* --- pairs that are none --------------------------------------------------------------------- */

static gboolean
is_described (Suspects *const suspects[N_SIDES], const StorePair *pair)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncIdentity *identity = suspects_find (suspects[side], pair->uid[side]);

    if (identity == NULL || identity->size == 0)
      return FALSE;
  }
  return TRUE;
}

static SyncIdentityVerdict
compare_pair (Suspects *const suspects[N_SIDES], const StorePair *pair)
{
  /* What was not told is no proof of anything. */
  if (!is_described (suspects, pair))
    return SYNC_IDENTITY_SAME;
  return sync_identity_compare (suspects_find (suspects[SIDE_LOCAL], pair->uid[SIDE_LOCAL]),
                                suspects_find (suspects[SIDE_REMOTE], pair->uid[SIDE_REMOTE]));
}

static void
sort_pairs (Suspects *const suspects[N_SIDES], const GArray *pairs, GArray *wrong,
            UidSet *undecided[N_SIDES])
{
  for (guint i = 0; i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);
    SyncIdentityVerdict verdict = compare_pair (suspects, pair);

    if (verdict == SYNC_IDENTITY_OTHER)
      g_array_append_val (wrong, *pair);
    for (Side side = 0; side < N_SIDES && verdict == SYNC_IDENTITY_UNDECIDED; side++)
      uid_set_add (undecided[side], pair->uid[side]);
  }
}

/* Fetches what is needed to compare the messages of @pairs. FALSE in *@told: a mailbox is not what
 * it was. */
static gboolean
gather_pairs (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs, GPtrArray *all,
              gboolean *told, GError **error)
{
  g_autoptr (GArray) wrong = g_array_new (FALSE, FALSE, sizeof (StorePair));
  g_autoptr (UidSet) local = uid_set_new ();
  g_autoptr (UidSet) remote = uid_set_new ();
  UidSet *uids[N_SIDES] = {local, remote};
  Suspects *suspects[N_SIDES];
  SyncWait wait = {.engine = engine};

  *told = FALSE;
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < pairs->len; i++)
      uid_set_add (uids[side], g_array_index (pairs, StorePair, i).uid[side]);
    suspects[side] = queue_suspects (engine, &wait, mailbox, side, uids[side]);
    g_ptr_array_add (all, suspects[side]);
    uid_set_clear (uids[side]);
  }
  if (!sync_wait (&wait, error))
    return FALSE;
  if (!is_believable (suspects[SIDE_LOCAL]) || !is_believable (suspects[SIDE_REMOTE]))
    return TRUE;
  sort_pairs (suspects, pairs, wrong, uids);
  for (Side side = 0; side < N_SIDES; side++)
    queue_fetch (engine, &wait, suspects[side], uids[side], "(UID BODY.PEEK[])");
  if (!sync_wait (&wait, error))
    return FALSE;
  *told = is_believable (suspects[SIDE_LOCAL]) && is_believable (suspects[SIDE_REMOTE]);
  return TRUE;
}

gboolean
sync_gather_wrong_pairs (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs,
                         GArray *wrong, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (suspects_free);
  g_autoptr (UidSet) local = uid_set_new ();
  g_autoptr (UidSet) remote = uid_set_new ();
  UidSet *undecided[N_SIDES] = {local, remote};
  gboolean told;

  if (!gather_pairs (engine, mailbox, pairs, all, &told, error))
    return FALSE;
  if (told)
    sort_pairs ((Suspects *const *)all->pdata, pairs, wrong, undecided);
  return TRUE;
}

gboolean
sync_gather_sample (SyncEngine *engine, SyncMailbox *mailbox, const GArray *pairs, guint *same,
                    guint *other, gboolean *told, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (suspects_free);
  Suspects *const *suspects;

  *same = *other = 0;
  if (!gather_pairs (engine, mailbox, pairs, all, told, error))
    return FALSE;
  suspects = (Suspects *const *)all->pdata;
  for (guint i = 0; *told && i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);

    if (!is_described (suspects, pair))
      continue;
    if (compare_pair (suspects, pair) == SYNC_IDENTITY_SAME)
      (*same)++;
    else
      (*other)++;
  }
  return TRUE;
}

gboolean
sync_gather_guids (SyncEngine *engine, SyncMailbox *mailbox, Side side, const GArray *pairs,
                   guint *same, GError **error)
{
  g_autoptr (UidSet) uids = uid_set_new ();
  SyncWait wait = {.engine = engine};
  Suspects *suspects;
  gboolean ok;

  *same = 0;
  for (guint i = 0; i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);

    if (pair->guid[side] != 0)
      uid_set_add (uids, pair->uid[side]);
  }
  if (uid_set_is_empty (uids) || *sync_peer_guid_item (engine->peer[side]) == '\0')
    return TRUE;
  suspects = queue_suspects (engine, &wait, mailbox, side, uids);
  ok = sync_wait (&wait, error);
  for (guint i = 0; ok && is_believable (suspects) && i < pairs->len; i++) {
    const StorePair *pair = &g_array_index (pairs, StorePair, i);
    const SyncIdentity *identity = suspects_find (suspects, pair->uid[side]);

    *same += identity != NULL && identity->guid != 0 && identity->guid == pair->guid[side];
  }
  suspects_free (suspects);
  return ok;
}
