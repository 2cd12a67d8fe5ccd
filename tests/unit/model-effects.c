/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model-run.h"

/* --- effects --------------------------------------------------------------------------------- */

typedef enum {
  EFFECT_DELETED, /* UID STORE +FLAGS (\Deleted) */
  EFFECT_FLAGS,   /* UID STORE FLAGS */
  EFFECT_APPEND,
  EFFECT_COPY,    /* UID COPY */
  EFFECT_EXPUNGE, /* UID EXPUNGE: the second chain */
} EffectKind;

typedef struct {
  Run *run; /* whose plan it is of */
  EffectKind kind;
  Side side;
  guint index; /* in the plan's expunge[side], flags, copy[other], move[other] */
} Effect;

static void
note_planned (Run *run, Side side, guint32 uid)
{
  uid_set_add (run->planned[side][uid_set_contains (run->planned[side][0], uid)], uid);
}

static void
do_deleted (Run *run, const Effect *effect, GArray *second)
{
  const StorePair *pair =
      &g_array_index (run->plan->expunge[effect->side], StorePair, effect->index);
  ModelMessage *message = model_find (run->m, effect->side, pair->uid[effect->side]);
  Effect expunge = {run, EFFECT_EXPUNGE, effect->side, effect->index};

  model_trace (run->m, "STORE +\\Deleted %s %u", side_name (effect->side), pair->uid[effect->side]);
  if (message != NULL && message->modseq > run->delta[effect->side]->highestmodseq) {
    model_trace (run->m, "  MODIFIED");
    run->unconfirmed = TRUE;
    return;
  }
  if (message != NULL)
    model_store (run->m, effect->side, message, message->flags | MODEL_DELETED);
  g_array_append_val (second, expunge);
}

static void
do_flags (Run *run, const Effect *effect)
{
  Model *m = run->m;
  Side side = effect->side;
  SyncFlagChange *change = &g_array_index (run->plan->flags, SyncFlagChange, effect->index);
  ModelMessage *message = model_find (m, side, change->uid[side]);
  guint list = model_bits (change->list[side]);
  guint dropped = 0;

  model_trace (m, "STORE %s %u (%s)", side_name (side), change->uid[side], model_text (list));
  if (list & ~(model_keeps (&m->server[side]) | m->server[side].drops))
    model_fail (m, "%s is sent a flag that it does not offer to keep", side_name (side));
  if (message != NULL && message->modseq > run->delta[side]->highestmodseq) {
    model_trace (m, "  MODIFIED");
    run->unconfirmed = TRUE;
    return;
  }
  if (message != NULL) {
    model_store (m, side, message, list);
    dropped = list & ~message->flags;
  }
  /* Agreed is only what was stored: it may have been moved meanwhile. */
  if (run->moves->crashed || message == NULL)
    return;
  m->db->refused[side] = model_flags (model_bits (m->db->refused[side]) | dropped);
  change->send[side] = FALSE;
  if (!change->send[side_other (side)])
    model_pair_set_flags (m, change, change->agreed);
}

static void
do_append (Run *run, const Effect *effect)
{
  Model *m = run->m;
  Side from = side_other (effect->side);
  const SyncMessage *copy = &g_array_index (run->plan->copy[from], SyncMessage, effect->index);
  const ModelMessage *source = model_find (m, from, copy->uid);
  guint flags = model_bits (
      flag_table_mask (model_flag_table (), copy->flags, &run->delta[effect->side]->mask));
  StorePair pair = {.flags = copy->flags};
  guint dropped;

  model_trace (m, "APPEND %s of %s %u", side_name (effect->side), side_name (from), copy->uid);
  if (source == NULL) {
    run->unconfirmed = TRUE;
    return;
  }
  if (model_refuses (&m->server[effect->side], source->id)) {
    model_trace (m, "  NO");
    if (!run->moves->crashed)
      model_save_hold (run, from, copy->uid, STORE_HOLD_REFUSED);
    return;
  }
  /* What only this side had of it goes with the old one. */
  m->history[source->id].blurred |=
      m->history[source->id].moved[SIDE_LOCAL] + m->history[source->id].moved[SIDE_REMOTE] > 0;
  if (run->moves->crashed && model_chance (m, 2)) {
    ModelMessage late = {.id = source->id, .flags = flags, .modseq = m->runs};

    model_trace (m, "  cut off, may land later");
    g_array_append_val (m->server[effect->side].landing, late);
  } else {
    pair.uid[from] = copy->uid;
    pair.uid[effect->side] = model_append (m, effect->side, source->id, flags, TRUE, 0);
    pair.guid[from] = copy->guid;
    dropped = flags & ~model_keeps (&m->server[effect->side]);
    if (run->moves->crashed)
      return;
    m->db->refused[effect->side] =
        model_flags (model_bits (m->db->refused[effect->side]) | dropped);
    if (m->server[effect->side].appenduid)
      model_pair_insert (m, &pair);
    else
      run->unconfirmed = TRUE;
  }
}

static void
do_expunge (Run *run, const Effect *effect)
{
  Model *m = run->m;
  const StorePair *pair =
      &g_array_index (run->plan->expunge[effect->side], StorePair, effect->index);
  const ModelMessage *message = model_find (m, effect->side, pair->uid[effect->side]);

  model_trace (m, "UID EXPUNGE %s %u", side_name (effect->side), pair->uid[effect->side]);
  if (message != NULL && !(message->flags & MODEL_DELETED)) {
    run->unconfirmed = TRUE;
    return;
  }
  if (message != NULL) {
    const ModelHistory *h = &m->history[message->id];

    if (h->expunged[SIDE_LOCAL] + h->expunged[SIDE_REMOTE] + h->moved[SIDE_LOCAL] +
            h->moved[SIDE_REMOTE] ==
        0)
      model_fail (m, "message %u is expunged, and no client did so", message->id);
    model_expunge (m, effect->side, pair->uid[effect->side]);
  }
  if (!run->moves->crashed)
    model_pair_delete (m, pair);
}

static void
add_stuck (Run *run, Side origin, const SyncMove *move)
{
  StuckMove stuck = {move->source, run, origin, 0, move->message.uid};

  if (move->expunge)
    stuck.old_uid = move->pair.uid[side_other (origin)];
  run->unconfirmed = stuck.from->unconfirmed = TRUE;
  g_array_append_val (run->moves->stuck, stuck);
}

static void
queue_moved (const SyncMove *move, Side side, GArray *second)
{
  Run *source = move->source;
  const GArray *expunge = source->plan->expunge[side];

  for (guint i = 0; move->expunge && i < expunge->len; i++) {
    Effect effect = {source, EFFECT_DELETED, side, i};

    if (g_array_index (expunge, StorePair, i).uid[side] == move->pair.uid[side])
      g_array_append_val (second, effect);
  }
}

static void
do_copy (Run *run, const Effect *effect, GArray *second)
{
  Model *m = run->m;
  Side side = effect->side, from = side_other (side);
  const SyncMove *move = &g_array_index (run->plan->move[from], SyncMove, effect->index);
  const Run *source = move->source;
  const ModelMessage *message;
  StorePair pair = {.flags = move->flags};
  ModelMessage copy;

  model_enter (m, source->box);
  message = model_find (m, side, move->pair.uid[side]);
  copy = message != NULL ? *message : (ModelMessage){0};
  model_enter (m, run->box);
  model_trace (m, "COPY %s %u of %u to %u", side_name (side), move->pair.uid[side], source->box,
               run->box);
  if (message == NULL || m->server[side].no_copy) {
    model_trace (m, "  NO");
    add_stuck (run, from, move);
    return;
  }
  if (run->moves->crashed && model_chance (m, 2)) {
    ModelMessage late = {.id = copy.id, .flags = copy.flags, .modseq = m->runs, .guid = copy.guid};

    model_trace (m, "  cut off, may land later");
    g_array_append_val (m->server[side].landing, late);
    m->history[copy.id].exempt |= model_find (m, from, move->message.uid) == NULL;
    return;
  }
  /* R4's exception: the original goes, and the answer is lost. */
  if (model_find (m, from, move->message.uid) == NULL &&
      (run->moves->crashed || !m->server[side].appenduid))
    m->history[copy.id].exempt = TRUE;
  pair.uid[from] = move->message.uid;
  pair.uid[side] = model_append (m, side, copy.id, copy.flags, TRUE, copy.guid);
  pair.guid[from] = move->message.guid;
  pair.guid[side] = move->pair.guid[side];
  if (run->moves->crashed)
    return;
  if (!m->server[side].appenduid) {
    add_stuck (run, from, move);
    return;
  }
  model_pair_insert (m, &pair);
  run->unconfirmed |= move->message.flags != move->flags;
  queue_moved (move, side, second);
}

static void
do_effect (const Effect *effect, GArray *second)
{
  Run *run = effect->run;

  model_enter (run->m, run->box);
  if (run->m->server[effect->side].read_only)
    model_fail (run->m, "%s is read-only and is written to", side_name (effect->side));
  if (effect->kind == EFFECT_DELETED)
    do_deleted (run, effect, second);
  else if (effect->kind == EFFECT_FLAGS)
    do_flags (run, effect);
  else if (effect->kind == EFFECT_APPEND)
    do_append (run, effect);
  else if (effect->kind == EFFECT_COPY)
    do_copy (run, effect, second);
  else
    do_expunge (run, effect);
}

/* Two connections: each in its order, both at once. After a crash what was sent already may still
 * be done, and nobody hears of it. */
static void
do_effects (Model *m, Moves *moves, GArray *queue[N_SIDES], GArray *second[N_SIDES])
{
  guint next[N_SIDES] = {0, 0};
  gboolean cut[N_SIDES] = {FALSE, FALSE};

  while (m->failure == NULL) {
    Side side = model_random (m, N_SIDES);
    Effect effect;

    if (next[side] == queue[side]->len || cut[side])
      side = side_other (side);
    if (next[side] == queue[side]->len || cut[side])
      return;
    effect = g_array_index (queue[side], Effect, next[side]);
    if (!moves->crashed && model_boundary (m)) {
      model_trace (m, "CRASH");
      moves->crashed = TRUE;
    }
    if (moves->crashed && model_chance (m, 2)) {
      cut[side] = TRUE;
      continue;
    }
    next[side]++;
    do_effect (&effect, second[side]);
  }
}

/* Its expunge waits for the copy. */
static gboolean
is_moved (Moves *moves, const Run *run, Side side, guint32 uid)
{
  for (guint i = 0; i < run->m->n_boxes; i++) {
    const SyncPlan *plan = moves->run[i].active ? moves->run[i].plan : NULL;

    for (guint j = 0; plan != NULL && j < plan->move[side_other (side)]->len; j++) {
      const SyncMove *move = &g_array_index (plan->move[side_other (side)], SyncMove, j);

      if (move->source == run && move->expunge && move->pair.uid[side] == uid)
        return TRUE;
    }
  }
  return FALSE;
}

static void
queue_copies (Run *run, GArray *queue[N_SIDES])
{
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < run->plan->move[side]->len; i++) {
      Effect effect = {run, EFFECT_COPY, side_other (side), i};

      g_array_append_val (queue[side_other (side)], effect);
      note_planned (run, side, g_array_index (run->plan->move[side], SyncMove, i).message.uid);
    }
  }
}

static void
queue_first_chain (Run *run, GArray *queue[N_SIDES])
{
  const SyncPlan *plan = run->plan;

  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < plan->expunge[side]->len; i++) {
      Effect effect = {run, EFFECT_DELETED, side, i};
      guint32 uid = g_array_index (plan->expunge[side], StorePair, i).uid[side];

      note_planned (run, side, uid);
      if (!is_moved (run->moves, run, side, uid))
        g_array_append_val (queue[side], effect);
    }
    for (guint i = 0; i < plan->flags->len; i++) {
      Effect effect = {run, EFFECT_FLAGS, side, i};
      const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);

      if (!change->send[side])
        continue;
      g_array_append_val (queue[side], effect);
      note_planned (run, side, change->uid[side]);
    }
    for (guint i = 0; i < plan->copy[side]->len; i++) {
      Effect effect = {run, EFFECT_APPEND, side_other (side), i};

      g_array_append_val (queue[side_other (side)], effect);
      note_planned (run, side, g_array_index (plan->copy[side], SyncMessage, i).uid);
    }
  }
}

void
model_apply (Model *m, Moves *moves)
{
  GArray *queue[N_SIDES], *second[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++) {
    queue[side] = g_array_new (FALSE, FALSE, sizeof (Effect));
    second[side] = g_array_new (FALSE, FALSE, sizeof (Effect));
  }
  /* UID COPY before everything that changes what is copied. */
  for (guint i = 0; i < m->n_boxes; i++) {
    if (moves->run[i].active && sync_plan_has_effect (moves->run[i].plan))
      queue_copies (&moves->run[i], queue);
  }
  for (guint i = 0; i < m->n_boxes; i++) {
    if (moves->run[i].active && sync_plan_has_effect (moves->run[i].plan))
      queue_first_chain (&moves->run[i], queue);
  }
  do_effects (m, moves, queue, second);
  if (!moves->crashed)
    do_effects (m, moves, second, second);
  for (Side side = 0; side < N_SIDES; side++) {
    g_array_unref (queue[side]);
    g_array_unref (second[side]);
  }
}
