/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/move.h"

#include "sync/collect.h"
#include "sync/conflict.h"
#include "sync/gather.h"
#include "sync/match.h"
#include "sync/plan-moves.h"

#define MAX_PLACES 8 /* in how many mailboxes the same message is looked for */

/* A move that the other server refused: the message has to be sent, and the old one stays until it
 * has arrived. */
typedef struct {
  SyncMailbox *from, *to;
  Side origin;
  guint32 old_uid; /* in from, on the other side */
  guint32 new_uid; /* in to, of the origin */
  gboolean over;   /* it has arrived, or is no more */
} StuckMove;

/* --- what was refused before ----------------------------------------------------------------- */

void
sync_move_note_refused (SyncEngine *engine, SyncMailbox *to, Side origin, const SyncMove *move)
{
  StuckMove stuck = {
      .from = move->source, .to = to, .origin = origin, .new_uid = move->message.uid};

  if (move->expunge)
    stuck.old_uid = move->pair.uid[side_other (origin)];
  if (engine->stuck == NULL)
    engine->stuck = g_array_new (FALSE, FALSE, sizeof (StuckMove));
  g_array_append_val (engine->stuck, stuck);
}

static gboolean
is_held (const SyncMailbox *mailbox, Side side, guint32 uid)
{
  for (guint i = 0; mailbox->holds != NULL && i < mailbox->holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (mailbox->holds, i);

    if (hold->side == side && hold->uid == uid && hold->kind != STORE_HOLD_FLAGS &&
        hold->kind != STORE_HOLD_EXPUNGE)
      return TRUE;
  }
  return FALSE;
}

/* The new message cannot be had on the other side: then the old one is all there is. */
static void
hold_old (SyncEngine *engine, const StuckMove *stuck)
{
  g_autofree char *reason =
      g_strdup_printf ("it was moved to %s, which takes it not", stuck->to->display);

  sync_conflict_hold (engine, stuck->from, side_other (stuck->origin), stuck->old_uid,
                      STORE_HOLD_EXPUNGE, 0, reason);
}

/* FALSE: it is over, the message has arrived or is no more. */
static gboolean
is_still_stuck (SyncEngine *engine, const StuckMove *stuck)
{
  const SyncDelta *delta = stuck->to->side[stuck->origin].delta;
  StorePair pair;
  gboolean found = FALSE;
  GError *error = NULL;

  if (!store_pair_find (engine->store, stuck->to->saved->id, stuck->origin, stuck->new_uid, &pair,
                        &found, &error)) {
    g_clear_error (&engine->fatal);
    engine->fatal = error;
  }
  return !found && (delta == NULL || !sync_delta_is_gone (delta, stuck->new_uid));
}

gboolean
sync_move_is_awaited (SyncEngine *engine, const SyncMailbox *mailbox)
{
  for (guint i = 0; engine->stuck != NULL && i < engine->stuck->len; i++) {
    const StuckMove *stuck = &g_array_index (engine->stuck, StuckMove, i);

    if (stuck->from == mailbox && stuck->old_uid != 0 && !stuck->over && !stuck->to->failed &&
        !is_held (stuck->to, stuck->origin, stuck->new_uid))
      return TRUE;
  }
  return FALSE;
}

static SyncMoveBox *
find_box (GArray *boxes, const SyncMailbox *mailbox)
{
  for (guint i = 0; i < boxes->len; i++) {
    SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);

    if (box->mailbox == mailbox)
      return box;
  }
  return NULL;
}

static void
keep_old (SyncEngine *engine, GArray *boxes, const StuckMove *stuck)
{
  Side side = side_other (stuck->origin);
  const SyncMoveBox *box = find_box (boxes, stuck->from);
  g_autoptr (UidSet) uids = uid_set_new ();

  if (stuck->old_uid == 0 || box == NULL || sync_delta_is_gone (box->delta[side], stuck->old_uid))
    return;
  uid_set_add (uids, stuck->old_uid);
  sync_moves_keep (box, side, uids);
  if (is_held (stuck->to, stuck->origin, stuck->new_uid))
    hold_old (engine, stuck);
}

static void
apply_stuck (SyncEngine *engine, GArray *boxes)
{
  for (guint i = 0; engine->stuck != NULL && i < engine->stuck->len; i++) {
    StuckMove *stuck = &g_array_index (engine->stuck, StuckMove, i);
    SyncMoveBox *box = find_box (boxes, stuck->to);

    if (box != NULL)
      box->refused[stuck->origin] = TRUE;
    stuck->over |= !is_still_stuck (engine, stuck);
    if (!stuck->over)
      keep_old (engine, boxes, stuck);
  }
}

static void
take_links (SyncEngine *engine, GArray *boxes, Side origin, const GArray *links)
{
  sync_moves_take ((const SyncMoveBox *)(gpointer)boxes->data, boxes->len, origin, links);
  for (guint i = 0; i < links->len; i++) {
    const SyncMoveLink *link = &g_array_index (links, SyncMoveLink, i);
    StuckMove stuck = {
        .from = link->source,
        .to = link->to->mailbox,
        .origin = origin,
        .old_uid = link->pair.uid[side_other (origin)],
        .new_uid = link->uid,
    };

    if (link->held && !engine->dry_run)
      hold_old (engine, &stuck);
  }
}

/* --- by identity ----------------------------------------------------------------------------- */

/* A message whose identity is asked for, as sync_identity_match() wants them numbered. */
typedef struct {
  const SyncMoveBox *box;
  StorePair pair;      /* gone */
  SyncMessage message; /* new */
  SyncIdentity identity;
  gboolean held; /* new, and held */
  gboolean known;
} Candidate;

typedef struct {
  GArray *gone; /* Candidate */
  GArray *new;
} Candidates;

/* Only where a server's id is missing: with it, sync_moves_by_guid() has said all there is. */
static void
collect_gone (GArray *boxes, Side origin, GArray *gone)
{
  Side target = side_other (origin);

  for (guint i = 0; i < boxes->len; i++) {
    const SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);
    const GArray *expunge = box->plan->expunge[target];

    for (guint j = 0; j < expunge->len; j++) {
      Candidate candidate = {.box = box, .pair = g_array_index (expunge, StorePair, j)};

      if (candidate.pair.guid[origin] == 0 && sync_move_can_leave (box, target, &candidate.pair))
        g_array_append_val (gone, candidate);
    }
  }
}

static guint
count_new (GArray *boxes, Side origin)
{
  guint count = 0;

  for (guint i = 0; i < boxes->len; i++) {
    const SyncPlan *plan = g_array_index (boxes, SyncMoveBox, i).plan;

    count += plan->copy[origin]->len + plan->held[origin]->len;
  }
  return count;
}

static void
add_new (const SyncMoveBox *box, const GArray *messages, gboolean held, GHashTable *sizes,
         Side origin, GArray *new)
{
  for (guint i = 0; i < messages->len; i++) {
    Candidate candidate = {
        .box = box, .message = g_array_index (messages, SyncMessage, i), .held = held};

    if (g_hash_table_contains (sizes, &candidate.message.size) && !box->refused[origin])
      g_array_append_val (new, candidate);
  }
}

/* What has the size of one that is gone. */
static void
collect_new (GArray *boxes, Side origin, const GArray *gone, GArray *new)
{
  g_autoptr (GHashTable) sizes = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < gone->len; i++) {
    const Candidate *candidate = &g_array_index (gone, Candidate, i);

    if (candidate->known)
      g_hash_table_add (sizes, (gpointer)&candidate->identity.size);
  }
  for (guint i = 0; i < boxes->len && g_hash_table_size (sizes) > 0; i++) {
    const SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);

    add_new (box, box->plan->copy[origin], FALSE, sizes, origin, new);
    add_new (box, box->plan->held[origin], TRUE, sizes, origin, new);
  }
}

/* One for each mailbox; @candidates come mailbox by mailbox. */
static void
enquire (const GArray *candidates, Side side, GPtrArray *enquiries)
{
  SyncEnquiry *enquiry = NULL;

  for (guint i = 0; i < candidates->len; i++) {
    const Candidate *candidate = &g_array_index (candidates, Candidate, i);

    if (enquiry == NULL || enquiry->mailbox != candidate->box->mailbox) {
      enquiry = sync_enquiry_new (candidate->box->mailbox, side);
      g_ptr_array_add (enquiries, enquiry);
    }
    uid_set_add (enquiry->uids, candidate->pair.uid[side] != 0 ? candidate->pair.uid[side]
                                                               : candidate->message.uid);
  }
}

static int
compare_uid (gconstpointer a, gconstpointer b)
{
  const SyncIdentity *x = a, *y = b;

  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
take_answers (GArray *candidates, Side side, GPtrArray *enquiries)
{
  for (guint i = 0; i < candidates->len; i++) {
    Candidate *candidate = &g_array_index (candidates, Candidate, i);
    SyncIdentity key = {.uid = candidate->pair.uid[side] != 0 ? candidate->pair.uid[side]
                                                              : candidate->message.uid};

    for (guint j = 0; j < enquiries->len && !candidate->known; j++) {
      const SyncEnquiry *enquiry = g_ptr_array_index (enquiries, j);
      guint index;

      if (enquiry->mailbox != candidate->box->mailbox || enquiry->side != side ||
          !g_array_binary_search (enquiry->identities, &key, compare_uid, &index))
        continue;
      candidate->identity = g_array_index (enquiry->identities, SyncIdentity, index);
      candidate->known = TRUE;
    }
  }
}

/* The place in @candidates stands for the UID, as several mailboxes are looked at together. */
static GArray *
number_identities (const GArray *candidates)
{
  GArray *identities = g_array_new (FALSE, TRUE, sizeof (SyncIdentity));

  for (guint i = 0; i < candidates->len; i++) {
    const Candidate *candidate = &g_array_index (candidates, Candidate, i);
    SyncIdentity identity = candidate->identity;

    identity.uid = i + 1;
    if (candidate->known)
      g_array_append_val (identities, identity);
  }
  return identities;
}

/* Where only the text could tell, sending it is as good as reading it. */
static GArray *
match_candidates (SyncEngine *engine, const Candidates *candidates)
{
  GArray *links = g_array_new (FALSE, TRUE, sizeof (SyncMoveLink));
  g_autoptr (GArray) gone = number_identities (candidates->gone);
  g_autoptr (GArray) new = number_identities (candidates->new);
  g_autoptr (GArray) matches = g_array_new (FALSE, FALSE, sizeof (SyncMatch));
  g_autoptr (UidSet) undecided_gone = uid_set_new ();
  g_autoptr (UidSet) undecided_new = uid_set_new ();
  const GArray *identities[N_SIDES] = {gone, new};
  UidSet *undecided[N_SIDES] = {undecided_gone, undecided_new};

  sync_identity_match (identities, matches, undecided);
  for (guint i = 0; i < matches->len; i++) {
    const SyncMatch *match = &g_array_index (matches, SyncMatch, i);
    const Candidate *a = &g_array_index (candidates->gone, Candidate, match->uid[0] - 1);
    const Candidate *b = &g_array_index (candidates->new, Candidate, match->uid[1] - 1);
    SyncMoveLink link = {
        .to = b->box,
        .uid = b->message.uid,
        .source = a->box->mailbox,
        .from = a->box,
        .pair = a->pair,
        .flags = sync_move_flags (engine->flags, a->box, b->box, a->pair.flags),
        .held = b->held,
    };

    g_array_append_val (links, link);
  }
  return links;
}

static void
candidates_clear (Candidates *candidates)
{
  for (Side origin = 0; origin < N_SIDES; origin++) {
    g_array_unref (candidates[origin].gone);
    g_array_unref (candidates[origin].new);
  }
}

static gboolean
identify (SyncEngine *engine, GArray *boxes, Candidates *candidates, GError **error)
{
  g_autoptr (GPtrArray) of_gone =
      g_ptr_array_new_with_free_func ((GDestroyNotify)sync_enquiry_free);
  g_autoptr (GPtrArray) of_new = g_ptr_array_new_with_free_func ((GDestroyNotify)sync_enquiry_free);

  for (Side origin = 0; origin < N_SIDES; origin++)
    enquire (candidates[origin].gone, side_other (origin), of_gone);
  if (of_gone->len == 0)
    return TRUE;
  if (!sync_gather_enquiries (engine, of_gone, error))
    return FALSE;
  for (Side origin = 0; origin < N_SIDES; origin++) {
    take_answers (candidates[origin].gone, side_other (origin), of_gone);
    collect_new (boxes, origin, candidates[origin].gone, candidates[origin].new);
    enquire (candidates[origin].new, origin, of_new);
  }
  if (of_new->len == 0)
    return TRUE;
  if (!sync_gather_enquiries (engine, of_new, error))
    return FALSE;
  for (Side origin = 0; origin < N_SIDES; origin++) {
    g_autoptr (GArray) links = NULL;

    take_answers (candidates[origin].new, origin, of_new);
    links = match_candidates (engine, &candidates[origin]);
    take_links (engine, boxes, origin, links);
  }
  return TRUE;
}

static gboolean
find_by_identity (SyncEngine *engine, GArray *boxes, GError **error)
{
  Candidates candidates[N_SIDES];
  gboolean ok;

  for (Side origin = 0; origin < N_SIDES; origin++) {
    candidates[origin].gone = g_array_new (FALSE, TRUE, sizeof (Candidate));
    candidates[origin].new = g_array_new (FALSE, TRUE, sizeof (Candidate));
    if (count_new (boxes, origin) > 0)
      collect_gone (boxes, origin, candidates[origin].gone);
  }
  ok = identify (engine, boxes, candidates, error);
  candidates_clear (candidates);
  return ok;
}

/* --- copies of what both have ---------------------------------------------------------------- */

/* What was agreed of the message that is copied. It may have been a move, whose other half is yet
 * to be seen: so what was changed on one side alone is a change of the new one too. */
static FlagsId
flags_of_place (SyncEngine *engine, const SyncMoveBox *box, const SyncMoveLink *link)
{
  const SyncMailbox *source = link->source;
  FlagsId flags = link->pair.flags, refused = 0;

  for (Side side = 0; side < N_SIDES; side++) {
    if (store_refused_flags (engine->store, source->saved->id, side, &refused, NULL))
      flags = flag_table_minus (engine->flags, flags, refused);
  }
  return sync_move_flags (engine->flags, box, link->to, flags);
}

static gboolean
find_place (SyncEngine *engine, GArray *boxes, Side origin, const StorePlace *place,
            SyncMoveLink *link, GError **error)
{
  Side target = side_other (origin);
  SyncMailbox *source = sync_collect_other (engine, place->mailbox, error);
  const SyncMoveBox *box = source != NULL ? find_box (boxes, source) : NULL;

  if (source == NULL || (box == NULL && source->dirty))
    return FALSE;
  if (box != NULL &&
      (box->plan->reset || sync_delta_is_gone (box->delta[target], place->pair.uid[target]) ||
       !sync_move_can_leave (box, target, &place->pair)))
    return FALSE;
  link->source = source;
  link->pair = place->pair;
  link->flags = flags_of_place (engine, box, link);
  return TRUE;
}

/* Once for each mailbox that it goes to: COPY makes one of one. */
static gboolean
is_taken (const GArray *links, const SyncMoveLink *link, Side target)
{
  for (guint i = links->len; i > 0; i--) {
    const SyncMoveLink *other = &g_array_index (links, SyncMoveLink, i - 1);

    if (other->to != link->to)
      return FALSE; /* they come mailbox by mailbox */
    if (other->source == link->source && other->pair.uid[target] == link->pair.uid[target])
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_moved_there (const SyncMoveBox *to, const SyncMoveLink *link, Side origin)
{
  const GArray *moves = to->plan->move[origin];
  Side target = side_other (origin);

  for (guint i = 0; i < moves->len; i++) {
    const SyncMove *move = &g_array_index (moves, SyncMove, i);

    if (move->source == link->source && move->pair.uid[target] == link->pair.uid[target])
      return TRUE;
  }
  return FALSE;
}

static gboolean
link_copy (SyncEngine *engine, GArray *boxes, const SyncMoveBox *to, Side origin,
           const SyncMessage *message, GArray *links, GError **error)
{
  g_autoptr (GArray) places =
      store_places_of_guid (engine->store, origin, message->guid, MAX_PLACES, error);

  for (guint i = 0; places != NULL && i < places->len; i++) {
    SyncMoveLink link = {.to = to, .uid = message->uid};
    g_autoptr (GError) failed = NULL;

    if (!find_place (engine, boxes, origin, &g_array_index (places, StorePlace, i), &link,
                     &failed)) {
      if (failed == NULL)
        continue;
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
    if (is_taken (links, &link, side_other (origin)) || is_moved_there (to, &link, origin))
      continue;
    g_array_append_val (links, link);
    break;
  }
  return places != NULL;
}

static gboolean
has_pairs (SyncEngine *engine)
{
  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);

    if (mailbox->n_pairs > 0 || mailbox->saved->side[SIDE_LOCAL].uidvalidity != 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
find_copies (SyncEngine *engine, GArray *boxes, GError **error)
{
  if (!has_pairs (engine))
    return TRUE;
  for (Side origin = 0; origin < N_SIDES; origin++) {
    g_autoptr (GArray) links = g_array_new (FALSE, TRUE, sizeof (SyncMoveLink));

    for (guint i = 0; i < boxes->len; i++) {
      const SyncMoveBox *to = &g_array_index (boxes, SyncMoveBox, i);
      const GArray *copy = to->plan->copy[origin];

      for (guint j = 0; j < copy->len; j++) {
        const SyncMessage *message = &g_array_index (copy, SyncMessage, j);

        if (message->guid != 0 && !to->refused[origin] &&
            !link_copy (engine, boxes, to, origin, message, links, error))
          return FALSE;
      }
    }
    take_links (engine, boxes, origin, links);
  }
  return TRUE;
}

/* --- the plan -------------------------------------------------------------------------------- */

static GArray *
make_boxes (GPtrArray *work)
{
  GArray *boxes = g_array_new (FALSE, TRUE, sizeof (SyncMoveBox));

  for (guint i = 0; i < work->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (work, i);
    SyncMoveBox box = {.mailbox = mailbox, .plan = mailbox->plan};

    for (Side side = 0; side < N_SIDES; side++)
      box.delta[side] = mailbox->side[side].delta;
    if (!mailbox->failed)
      g_array_append_val (boxes, box);
  }
  return boxes;
}

static gboolean
has_new (GArray *boxes)
{
  return count_new (boxes, SIDE_LOCAL) + count_new (boxes, SIDE_REMOTE) > 0;
}

gboolean
sync_move_plan (SyncEngine *engine, GPtrArray *work, GError **error)
{
  g_autoptr (GArray) boxes = make_boxes (work);
  const SyncMoveBox *first = (const SyncMoveBox *)(gpointer)boxes->data;

  apply_stuck (engine, boxes);
  if (!has_new (boxes))
    return sync_check_store (engine, error);
  for (Side origin = 0; origin < N_SIDES; origin++) {
    g_autoptr (GArray) links = sync_moves_by_guid (engine->flags, first, boxes->len, origin);

    take_links (engine, boxes, origin, links);
  }
  return find_by_identity (engine, boxes, error) && find_copies (engine, boxes, error) &&
         sync_check_store (engine, error);
}
