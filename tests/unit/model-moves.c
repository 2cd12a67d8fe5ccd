/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model-run.h"

/* --- moves ----------------------------------------------------------------------------------- */

/* The active mailboxes. */
static GArray *
make_boxes (Model *m, Moves *moves)
{
  GArray *boxes = g_array_new (FALSE, TRUE, sizeof (SyncMoveBox));

  for (guint i = 0; i < m->n_boxes; i++) {
    Run *run = &moves->run[i];
    SyncMoveBox box = {.mailbox = run, .plan = run->plan};

    for (Side side = 0; side < N_SIDES; side++)
      box.delta[side] = run->delta[side];
    run->awaited = FALSE;
    if (run->active)
      g_array_append_val (boxes, box);
  }
  return boxes;
}

static SyncMoveBox *
find_box (GArray *boxes, gconstpointer run)
{
  for (guint i = 0; i < boxes->len; i++) {
    if (g_array_index (boxes, SyncMoveBox, i).mailbox == run)
      return &g_array_index (boxes, SyncMoveBox, i);
  }
  return NULL;
}

static void
keep_stuck (Model *m, Moves *moves, GArray *boxes)
{
  for (guint i = 0; i < moves->stuck->len; i++) {
    StuckMove *stuck = &g_array_index (moves->stuck, StuckMove, i);
    Side side = side_other (stuck->origin);
    SyncMoveBox *from = find_box (boxes, stuck->from), *to = find_box (boxes, stuck->to);
    g_autoptr (UidSet) uids = uid_set_new ();

    model_enter (m, stuck->to->box);
    if (to != NULL)
      to->refused[stuck->origin] = TRUE;
    stuck->over |= model_pair (m, stuck->origin, stuck->new_uid) != NULL ||
                   sync_delta_is_gone (stuck->to->delta[stuck->origin], stuck->new_uid);
    if (stuck->over || from == NULL || stuck->old_uid == 0 ||
        sync_delta_is_gone (from->delta[side], stuck->old_uid))
      continue;
    uid_set_add (uids, stuck->old_uid);
    sync_moves_keep (from, side, uids);
    stuck->from->awaited = TRUE;
  }
}

static guint
identity_of (Model *m, const Run *run, Side side, guint32 uid)
{
  guint before = model_enter (m, run->box);
  const ModelMessage *message = model_find (m, side, uid);

  model_enter (m, before);
  return message != NULL ? message->id : MODEL_IDS;
}

/* R5 where a server's id is missing; only what is alone of its kind. */
static void
link_identities (Model *m, GArray *boxes, Side origin, GArray *links)
{
  Side target = side_other (origin);
  SyncMoveLink gone[MODEL_IDS + 1] = {{0}};
  guint n_gone[MODEL_IDS + 1] = {0}, n_new[MODEL_IDS + 1] = {0};

  for (guint i = 0; i < boxes->len; i++) {
    const SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);

    for (guint j = 0; j < box->plan->expunge[target]->len; j++) {
      const StorePair *pair = &g_array_index (box->plan->expunge[target], StorePair, j);
      guint id = identity_of (m, box->mailbox, target, pair->uid[target]);

      if (pair->guid[origin] != 0 || !sync_move_can_leave (box, target, pair))
        continue;
      n_gone[id]++;
      gone[id] =
          (SyncMoveLink){.source = box->mailbox, .from = box, .pair = *pair, .flags = pair->flags};
    }
    for (guint j = 0; j < box->plan->copy[origin]->len; j++)
      n_new[identity_of (m, box->mailbox, origin,
                         g_array_index (box->plan->copy[origin], SyncMessage, j).uid)]++;
  }
  for (guint i = 0; i < boxes->len; i++) {
    const SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);

    for (guint j = 0; j < box->plan->copy[origin]->len; j++) {
      guint32 uid = g_array_index (box->plan->copy[origin], SyncMessage, j).uid;
      guint id = identity_of (m, box->mailbox, origin, uid);

      if (id == MODEL_IDS || n_gone[id] != 1 || n_new[id] != 1 || box->refused[origin])
        continue;
      gone[id].to = box;
      gone[id].uid = uid;
      gone[id].flags =
          sync_move_flags (model_flag_table (), gone[id].from, box, gone[id].pair.flags);
      g_array_append_val (links, gone[id]);
    }
  }
}

static gboolean
is_linked (const GArray *links, const GArray *moves, const SyncMoveLink *link, Side target)
{
  for (guint i = 0; i < links->len; i++) {
    const SyncMoveLink *other = &g_array_index (links, SyncMoveLink, i);

    if (other->to == link->to && other->source == link->source &&
        other->pair.uid[target] == link->pair.uid[target])
      return TRUE;
  }
  for (guint i = 0; i < moves->len; i++) {
    const SyncMove *move = &g_array_index (moves, SyncMove, i);

    if (move->source == link->source && move->pair.uid[target] == link->pair.uid[target])
      return TRUE;
  }
  return FALSE;
}

/* What both servers have somewhere else. */
static gboolean
find_place (Model *m, Moves *moves, GArray *boxes, Side origin, const SyncMessage *message,
            const GArray *links, SyncMoveLink *link)
{
  Side target = side_other (origin);

  for (guint i = 0; i < m->n_boxes; i++) {
    const SyncMoveBox *box = find_box (boxes, &moves->run[i]);
    const GArray *pairs = m->box[i].db.pairs;

    for (guint j = 0; j < pairs->len; j++) {
      const StorePair *pair = &g_array_index (pairs, StorePair, j);

      FlagsId flags = pair->flags;

      link->source = &moves->run[i];
      link->pair = *pair;
      if (pair->guid[origin] != message->guid ||
          is_linked (links, link->to->plan->move[origin], link, target))
        continue;
      if (box != NULL &&
          (box->plan->reset || sync_delta_is_gone (box->delta[target], pair->uid[target]) ||
           !sync_move_can_leave (box, target, pair)))
        continue;
      flags = flag_table_minus (model_flag_table (), flags, m->box[i].db.refused[origin]);
      flags = flag_table_minus (model_flag_table (), flags, m->box[i].db.refused[target]);
      link->flags = sync_move_flags (model_flag_table (), box, link->to, flags);
      return TRUE;
    }
  }
  return FALSE;
}

static void
link_copies (Model *m, Moves *moves, GArray *boxes, Side origin, GArray *links)
{
  for (guint i = 0; i < boxes->len; i++) {
    const SyncMoveBox *box = &g_array_index (boxes, SyncMoveBox, i);

    for (guint j = 0; j < box->plan->copy[origin]->len; j++) {
      const SyncMessage *message = &g_array_index (box->plan->copy[origin], SyncMessage, j);
      SyncMoveLink link = {.to = box, .uid = message->uid};

      if (message->guid != 0 && !box->refused[origin] &&
          find_place (m, moves, boxes, origin, message, links, &link))
        g_array_append_val (links, link);
    }
  }
}

void
model_plan_moves (Model *m, Moves *moves)
{
  g_autoptr (GArray) boxes = make_boxes (m, moves);
  const SyncMoveBox *first = (const SyncMoveBox *)(gpointer)boxes->data;

  keep_stuck (m, moves, boxes);
  for (Side origin = 0; origin < N_SIDES; origin++) {
    g_autoptr (GArray) links = sync_moves_by_guid (model_flag_table (), first, boxes->len, origin);

    sync_moves_take (first, boxes->len, origin, links);
    g_array_set_size (links, 0);
    link_identities (m, boxes, origin, links);
    sync_moves_take (first, boxes->len, origin, links);
    g_array_set_size (links, 0);
    link_copies (m, moves, boxes, origin, links);
    sync_moves_take (first, boxes->len, origin, links);
  }
}
