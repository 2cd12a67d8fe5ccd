/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/plan-moves.h"

/* A pair that is to be expunged, or a message that is to be copied. */
typedef struct {
  guint64 guid;
  const SyncMoveBox *box;
  guint index; /* in the plan's expunge[], copy[] or held[] */
  gboolean held;
} Entry;

gboolean
sync_move_can_leave (const SyncMoveBox *box, Side side, const StorePair *pair)
{
  return !uid_set_contains (box->plan->marked[side], pair->uid[side]);
}

FlagsId
sync_move_flags (FlagTable *table, const SyncMoveBox *from, const SyncMoveBox *to, FlagsId flags)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (from != NULL && !from->delta[side]->read_only)
      flags = flag_table_mask (table, flags, &from->delta[side]->mask);
    if (!to->delta[side]->read_only)
      flags = flag_table_mask (table, flags, &to->delta[side]->mask);
  }
  return flags;
}

/* By id; then in the order of mailboxes and UIDs, what is held at last. */
static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = a, *y = b;

  if (x->guid != y->guid)
    return x->guid < y->guid ? -1 : 1;
  if (x->held != y->held)
    return x->held ? 1 : -1;
  if (x->box != y->box)
    return x->box < y->box ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static GArray *
collect_gone (const SyncMoveBox *boxes, gsize n, Side origin)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  Side target = side_other (origin);

  for (gsize i = 0; i < n; i++) {
    const GArray *expunge = boxes[i].plan->expunge[target];

    for (guint j = 0; j < expunge->len; j++) {
      const StorePair *pair = &g_array_index (expunge, StorePair, j);
      Entry entry = {pair->guid[origin], &boxes[i], j, FALSE};

      if (entry.guid != 0 && sync_move_can_leave (&boxes[i], target, pair))
        g_array_append_val (entries, entry);
    }
  }
  g_array_sort (entries, compare_entries);
  return entries;
}

static void
add_new (GArray *entries, const SyncMoveBox *box, const GArray *messages, Side origin,
         gboolean held)
{
  for (guint i = 0; i < messages->len; i++) {
    const SyncMessage *message = &g_array_index (messages, SyncMessage, i);
    Entry entry = {message->guid, box, i, held};

    if (entry.guid != 0 && !box->refused[origin])
      g_array_append_val (entries, entry);
  }
}

static GArray *
collect_new (const SyncMoveBox *boxes, gsize n, Side origin)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (Entry));

  for (gsize i = 0; i < n; i++) {
    add_new (entries, &boxes[i], boxes[i].plan->copy[origin], origin, FALSE);
    add_new (entries, &boxes[i], boxes[i].plan->held[origin], origin, TRUE);
  }
  g_array_sort (entries, compare_entries);
  return entries;
}

GArray *
sync_moves_by_guid (FlagTable *table, const SyncMoveBox *boxes, gsize n, Side origin)
{
  GArray *links = g_array_new (FALSE, TRUE, sizeof (SyncMoveLink));
  g_autoptr (GArray) gone = collect_gone (boxes, n, origin);
  g_autoptr (GArray) new = NULL;
  guint i = 0, j = 0;

  if (gone->len == 0)
    return links;
  new = collect_new (boxes, n, origin);
  while (i < gone->len && j < new->len) {
    const Entry *a = &g_array_index (gone, Entry, i), *b = &g_array_index (new, Entry, j);

    if (a->guid == b->guid) {
      const GArray *from = b->held ? b->box->plan->held[origin] : b->box->plan->copy[origin];
      SyncMoveLink link = {
          .to = b->box,
          .uid = g_array_index (from, SyncMessage, b->index).uid,
          .held = b->held,
          .source = a->box->mailbox,
          .from = a->box,
          .pair = g_array_index (a->box->plan->expunge[side_other (origin)], StorePair, a->index),
      };

      link.flags = sync_move_flags (table, a->box, b->box, link.pair.flags);
      g_array_append_val (links, link);
    }
    i += a->guid <= b->guid;
    j += b->guid <= a->guid;
  }
  return links;
}

static int
compare_moves (gconstpointer a, gconstpointer b)
{
  const SyncMove *x = a, *y = b;

  return x->message.uid < y->message.uid ? -1 : x->message.uid > y->message.uid;
}

/* The links to @box, by the UID that they are of. */
static GHashTable *
links_to (const SyncMoveBox *box, const GArray *links)
{
  GHashTable *by_uid = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < links->len; i++) {
    SyncMoveLink *link = &g_array_index (links, SyncMoveLink, i);

    if (link->to == box)
      g_hash_table_insert (by_uid, GUINT_TO_POINTER (link->uid), link);
  }
  return by_uid;
}

static void
take_links (const SyncMoveBox *box, Side origin, const GArray *links)
{
  g_autoptr (GHashTable) by_uid = links_to (box, links);
  GArray *copy = box->plan->copy[origin];
  guint kept = 0;

  if (g_hash_table_size (by_uid) == 0)
    return;
  for (guint i = 0; i < copy->len; i++) {
    SyncMessage message = g_array_index (copy, SyncMessage, i);
    const SyncMoveLink *link = g_hash_table_lookup (by_uid, GUINT_TO_POINTER (message.uid));

    if (link == NULL) {
      g_array_index (copy, SyncMessage, kept++) = message;
    } else {
      SyncMove move = {message, link->source, link->pair, link->flags, link->from != NULL};

      g_array_append_val (box->plan->move[origin], move);
    }
  }
  g_array_set_size (copy, kept);
  g_array_sort (box->plan->move[origin], compare_moves);
}

/* What was changed where it vanished from is not lost: the copy has it. */
static void
drop_conflicts (const SyncMoveBox *box, Side target, const GArray *links)
{
  g_autoptr (UidSet) moved = uid_set_new ();

  for (guint i = 0; i < links->len; i++) {
    const SyncMoveLink *link = &g_array_index (links, SyncMoveLink, i);

    if (link->from == box)
      uid_set_add (moved, link->pair.uid[target]);
  }
  for (guint i = box->plan->conflicts->len; i > 0 && !uid_set_is_empty (moved); i--) {
    const SyncConflict *conflict = g_ptr_array_index (box->plan->conflicts, i - 1);

    if (g_str_equal (conflict->kind, "delete-vs-change") && conflict->side != target &&
        uid_set_contains (moved, conflict->uid[target]))
      g_ptr_array_remove_index (box->plan->conflicts, i - 1);
  }
}

static void
keep_held (const SyncMoveBox *box, Side side, const GArray *links)
{
  g_autoptr (UidSet) kept = uid_set_new ();

  for (guint i = 0; i < links->len; i++) {
    const SyncMoveLink *link = &g_array_index (links, SyncMoveLink, i);

    if (link->held && link->from == box)
      uid_set_add (kept, link->pair.uid[side]);
  }
  sync_moves_keep (box, side, kept);
}

void
sync_moves_take (const SyncMoveBox *boxes, gsize n, Side origin, const GArray *links)
{
  for (gsize i = 0; i < n && links->len > 0; i++) {
    take_links (&boxes[i], origin, links);
    drop_conflicts (&boxes[i], side_other (origin), links);
    keep_held (&boxes[i], side_other (origin), links);
  }
}

void
sync_moves_keep (const SyncMoveBox *box, Side side, const UidSet *uids)
{
  GArray *expunge = box->plan->expunge[side];
  guint kept = 0;

  for (guint i = 0; i < expunge->len; i++) {
    StorePair pair = g_array_index (expunge, StorePair, i);

    if (uid_set_contains (uids, pair.uid[side]))
      box->plan->waiting = TRUE;
    else
      g_array_index (expunge, StorePair, kept++) = pair;
  }
  g_array_set_size (expunge, kept);
}
