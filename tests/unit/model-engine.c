/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model-run.h"

#include "sync/landed.h"

#include <string.h>

#define MAX_PASSES    5
#define MAX_QUESTIONS 12

/* What the real engine does around the planner (sync/gather.c, apply.c, commit.c), with no network
 * in between: gather, plan, one transaction for what the database alone needs and for the intents,
 * effects in two chains, confirmations. */

/* --- holds and intents ------------------------------------------------------------------------ */

static StoreHold *
find_hold (GPtrArray *holds, Side side, guint32 uid)
{
  for (guint i = 0; i < holds->len; i++) {
    StoreHold *hold = g_ptr_array_index (holds, i);

    if (hold->side == side && hold->uid == uid)
      return hold;
  }
  return NULL;
}

/* No longer due in this run either. */
void
model_save_hold (Run *run, Side side, guint32 uid, StoreHoldKind kind)
{
  Model *m = run->m;
  StoreHold *hold = find_hold (m->db->holds, side, uid);

  if (hold == NULL) {
    hold = g_new0 (StoreHold, 1);
    hold->id = 1;
    hold->mailbox = 1;
    hold->side = side;
    hold->uid = uid;
    g_ptr_array_add (m->db->holds, hold);
  }
  hold->kind = kind;
  m->db->writes++;
  if (find_hold (run->holds, side, uid) == NULL)
    g_ptr_array_add (run->holds, hold);
  model_trace (m, "  database: %s %u is held", side_name (side), uid);
}

static void
drop_hold (Run *run, StoreHold *hold)
{
  g_ptr_array_remove (run->holds, hold);
  g_ptr_array_remove (run->m->db->holds, hold);
  run->m->db->writes++;
}

static StoreIntent *
add_intent (Run *run, StoreIntentKind kind, Side side, guint32 uid, FlagsId flags)
{
  StoreIntent *intent = g_new0 (StoreIntent, 1);

  intent->id = run->m->db->intents->len + 1;
  intent->kind = kind;
  intent->mailbox = 1;
  intent->side = side;
  intent->uids = g_strdup_printf ("%u", uid);
  intent->flags = flags;
  intent->uidvalidity = run->delta[side]->uidvalidity;
  intent->uidnext = run->delta[side]->uidnext;
  g_ptr_array_add (run->m->db->intents, intent);
  return intent;
}

static void
add_copy_intent (Run *run, Side origin, const SyncMessage *message, FlagsId flags)
{
  StoreIntent *intent =
      add_intent (run, STORE_INTENT_COPY, side_other (origin), message->uid, flags);
  GByteArray *description = g_byte_array_new ();
  gint64 date = 0;

  sync_landed_describe (description, message, &date);
  intent->descriptions = g_byte_array_free_to_bytes (description);
}

/* --- gather ---------------------------------------------------------------------------------- */

static SyncDelta *
select_mailbox (Run *run, Side side, gboolean full)
{
  const ModelServer *server = &run->m->server[side];
  const ModelNumbers *base = &run->base[side];
  SyncDelta *delta = sync_delta_new ();
  gboolean known = base->uidvalidity == server->state.uidvalidity &&
                   base->highestmodseq <= server->state.highestmodseq;

  delta->uidvalidity = server->state.uidvalidity;
  delta->uidnext = server->state.uidnext;
  delta->highestmodseq = server->state.highestmodseq;
  delta->exists = server->state.messages->len;
  delta->read_only = server->read_only;
  delta->mask.any_keyword = server->any_keyword && !server->read_only;
  delta->mask.permitted = server->read_only ? 0 : model_flags (server->permanent);
  delta->mask.refused = run->m->db->refused[side];
  delta->full = full;
  for (guint i = 0; i < server->state.messages->len; i++) {
    const ModelMessage *message = &g_array_index (server->state.messages, ModelMessage, i);
    SyncMessage known_as = {
        .uid = message->uid,
        .flags = model_flags (message->flags),
        .guid = server->guids ? message->guid : 0,
        .described = TRUE,
        .size = message->id + 1,
    };

    if (full || (known && message->modseq > base->highestmodseq) || message->uid >= base->uidnext ||
        uid_set_contains (run->due[side], message->uid))
      g_array_append_val (delta->messages, known_as);
  }
  for (guint i = 0; !full && known && i < server->state.graves->len; i++) {
    const ModelGrave *grave = &g_array_index (server->state.graves, ModelGrave, i);

    if (grave->modseq > base->highestmodseq)
      uid_set_add (delta->vanished, grave->uid);
  }
  return delta;
}

static void
gather (Run *run, Side side, gboolean full)
{
  const ModelNumbers *base = &run->base[side];
  SyncDelta *delta;

  full = full || base->highestmodseq == 0 || base->uidvalidity == 0;
  for (;;) {
    delta = select_mailbox (run, side, full);
    delta->trust = SYNC_TRUST_PROVED;
    if (base->uidvalidity == 0)
      break;
    if (delta->uidvalidity != base->uidvalidity || delta->uidnext < base->uidnext)
      delta->trust = SYNC_TRUST_NONE;
    else if (delta->full || delta->highestmodseq < base->highestmodseq)
      delta->trust = SYNC_TRUST_INFERRED;
    if (delta->trust == SYNC_TRUST_PROVED || full)
      break;
    sync_delta_free (delta);
    full = TRUE;
  }
  model_trace (
      run->m, "gather %s %u: UIDVALIDITY %u UIDNEXT %u HIGHESTMODSEQ %u since %u/%u/%u%s%s",
      side_name (side), run->box, delta->uidvalidity, delta->uidnext, (guint)delta->highestmodseq,
      base->uidvalidity, base->uidnext, (guint)base->highestmodseq, delta->full ? ", all" : "",
      delta->trust == SYNC_TRUST_NONE       ? ", no trust"
      : delta->trust == SYNC_TRUST_INFERRED ? ", inferred"
                                            : "");
  sync_delta_free (run->delta[side]);
  run->delta[side] = delta;
}

static gboolean
touches (const SyncDelta *delta, guint32 uid)
{
  return uid_set_contains (delta->vanished, uid) || sync_delta_find (delta, uid) != NULL;
}

static void
load_pairs (Run *run)
{
  gboolean all = run->delta[SIDE_LOCAL]->full || run->delta[SIDE_REMOTE]->full;

  g_array_set_size (run->pairs, 0);
  for (guint i = 0; i < run->m->db->pairs->len; i++) {
    const StorePair *pair = &g_array_index (run->m->db->pairs, StorePair, i);

    if (all || touches (run->delta[SIDE_LOCAL], pair->uid[SIDE_LOCAL]) ||
        touches (run->delta[SIDE_REMOTE], pair->uid[SIDE_REMOTE]))
      g_array_append_vals (run->pairs, pair, 1);
  }
}

/* --- plan ------------------------------------------------------------------------------------ */

/* R5: as multisets, in UID order. */
static void
identify (Run *run)
{
  Model *m = run->m;
  g_autoptr (UidSet) left = uid_set_copy (run->plan->unpaired[SIDE_REMOTE]);
  UidIter iter, other;
  guint32 local, remote;

  g_array_set_size (run->matches, 0);
  uid_iter_init (&iter, run->plan->unpaired[SIDE_LOCAL]);
  while (uid_iter_next (&iter, &local)) {
    const ModelMessage *message = model_find (m, SIDE_LOCAL, local);
    gboolean found = FALSE;

    uid_iter_init (&other, left);
    while (message != NULL && !found && uid_iter_next (&other, &remote)) {
      const ModelMessage *candidate = model_find (m, SIDE_REMOTE, remote);

      found = candidate != NULL && candidate->id == message->id;
    }
    if (found) {
      SyncMatch match = {{local, remote}};

      g_array_append_val (run->matches, match);
      uid_set_remove_range (left, remote, remote);
      model_trace (m, "identified: %u=%u", local, remote);
    }
  }
}

/* What a fresh STATUS says. */
static gboolean
is_really_empty (Run *run, Side side)
{
  const ModelState *state = &run->m->server[side].state;

  return state->messages->len == 0 && state->uidvalidity == run->delta[side]->uidvalidity &&
         state->uidnext >= run->delta[side]->uidnext &&
         state->highestmodseq >= run->delta[side]->highestmodseq;
}

static void
call_planner (Run *run, SyncPlanInput *input)
{
  input->mailbox = "INBOX";
  input->flags = model_flag_table ();
  load_pairs (run);
  input->pairs = run->pairs;
  input->n_pairs = run->m->db->pairs->len;
  input->intents = run->intents;
  input->holds = run->holds;
  input->matches = run->matches;
  input->asked_twice = run->asked_twice;
  for (Side side = 0; side < N_SIDES; side++) {
    input->delta[side] = run->delta[side];
    input->restless[side] = run->planned[side][1];
    input->mass[side] = run->m->mass;
  }
  g_clear_pointer (&run->plan, sync_plan_free);
  run->plan = sync_plan_mailbox (input);
}

static void
gather_again (Run *run, SyncPlanInput *input, Side side, gboolean full)
{
  gather (run, side, full);
  input->matched = FALSE;
  g_array_set_size (run->matches, 0);
}

static void
answer_question (Run *run, SyncPlanInput *input)
{
  const SyncPlan *plan = run->plan;
  Model *m = run->m;

  if (plan->need_full[SIDE_LOCAL] || plan->need_full[SIDE_REMOTE]) {
    for (Side side = 0; side < N_SIDES; side++) {
      if (!plan->need_full[side])
        continue;
      if (run->delta[side]->full)
        model_fail (m, "%s is asked for all a second time", side_name (side));
      gather_again (run, input, side, TRUE);
    }
  } else if (plan->need_again) {
    model_trace (m, "asked again a second later");
    model_land (m, G_MAXUINT);
    run->asked_twice = TRUE;
    for (Side side = 0; side < N_SIDES; side++)
      gather_again (run, input, side, run->delta[side]->full);
  } else if (plan->need_match) {
    if (input->matched)
      model_fail (m, "identity is asked for a second time");
    input->matched = TRUE;
    identify (run);
  } else {
    for (Side side = 0; side < N_SIDES; side++) {
      if (!plan->need_confirm[side])
        continue;
      input->confirmed[side] = is_really_empty (run, side);
      if (!input->confirmed[side])
        gather_again (run, input, side, run->delta[side]->full);
    }
  }
}

/* FALSE: crashed, or the planner never has enough. */
static gboolean
make_plan (Run *run)
{
  SyncPlanInput input = {0};

  for (guint i = 0;; i++) {
    if (model_boundary (run->m))
      return FALSE;
    call_planner (run, &input);
    if (!sync_plan_has_question (run->plan))
      return TRUE;
    run->m->asked = TRUE;
    if (i == MAX_QUESTIONS) {
      model_fail (run->m, "the planner still has questions after %u answers", i);
      return FALSE;
    }
    answer_question (run, &input);
  }
}

static void
trace_plan (Run *run)
{
  Model *m = run->m;
  const SyncPlan *plan = run->plan;

  if (m->trace == NULL)
    return;
  model_trace (m, "plan %u:%s%s%s", run->box, plan->reset ? " reset" : "",
               plan->waiting ? " waiting" : "", sync_plan_is_empty (plan) ? " nothing" : "");
  for (guint i = 0; i < plan->pairs->len; i++)
    model_trace (m, "  match %u=%u", g_array_index (plan->pairs, StorePair, i).uid[0],
                 g_array_index (plan->pairs, StorePair, i).uid[1]);
  for (guint i = 0; i < plan->forget->len; i++)
    model_trace (m, "  forget %u=%u", g_array_index (plan->forget, StorePair, i).uid[0],
                 g_array_index (plan->forget, StorePair, i).uid[1]);
  for (guint i = 0; i < plan->flags->len; i++) {
    const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);

    model_trace (m, "  flags %u=%u (%s) -> (%s)%s%s", change->uid[0], change->uid[1],
                 model_text (model_bits (change->base)), model_text (model_bits (change->agreed)),
                 change->send[SIDE_LOCAL] ? " to local" : "",
                 change->send[SIDE_REMOTE] ? " to remote" : "");
  }
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < plan->expunge[side]->len; i++)
      model_trace (m, "  expunge %s %u", side_name (side),
                   g_array_index (plan->expunge[side], StorePair, i).uid[side]);
    for (guint i = 0; i < plan->copy[side]->len; i++)
      model_trace (m, "  copy %s %u", side_name (side),
                   g_array_index (plan->copy[side], SyncMessage, i).uid);
    for (guint i = 0; i < plan->move[side]->len; i++) {
      const SyncMove *move = &g_array_index (plan->move[side], SyncMove, i);

      model_trace (m, "  %s %s %u, it is %u=%u in %u", move->expunge ? "move" : "copy by COPY",
                   side_name (side), move->message.uid, move->pair.uid[0], move->pair.uid[1],
                   ((Run *)move->source)->box);
    }
  }
}

/* --- the transaction before the effects ------------------------------------------------------ */

static void
write_intents (Run *run)
{
  const SyncPlan *plan = run->plan;

  g_ptr_array_set_size (run->m->db->intents, 0);
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < plan->expunge[side]->len; i++)
      add_intent (run, STORE_INTENT_EXPUNGE, side,
                  g_array_index (plan->expunge[side], StorePair, i).uid[side], 0);
    for (guint i = 0; i < plan->copy[side]->len; i++)
      add_copy_intent (run, side, &g_array_index (plan->copy[side], SyncMessage, i),
                       g_array_index (plan->copy[side], SyncMessage, i).flags);
    for (guint i = 0; i < plan->move[side]->len; i++)
      add_copy_intent (run, side, &g_array_index (plan->move[side], SyncMove, i).message,
                       g_array_index (plan->move[side], SyncMove, i).flags);
    for (guint i = 0; i < plan->flags->len; i++) {
      const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);

      if (change->send[side])
        add_intent (run, STORE_INTENT_FLAGS, side, change->uid[side], change->agreed);
    }
  }
}

/* A pair is worth nothing without its UIDVALIDITY; numbers that are not believed must not be
 * believed after a crash either, when the server's own may have passed them. */
static void
write_uidvalidity (Run *run)
{
  Model *m = run->m;

  for (Side side = 0; side < N_SIDES; side++) {
    ModelNumbers *saved = &m->db->saved[side];

    if (saved->uidvalidity != run->delta[side]->uidvalidity || run->plan->reset)
      run->base[side] = *saved = (ModelNumbers){.uidvalidity = run->delta[side]->uidvalidity};
    else if (run->delta[side]->highestmodseq < saved->highestmodseq)
      run->base[side].highestmodseq = saved->highestmodseq = 0;
    if (run->delta[side]->trust != SYNC_TRUST_PROVED || run->plan->reset)
      m->server[side].renumbered = FALSE;
  }
}

static void
write_plan (Run *run)
{
  const SyncPlan *plan = run->plan;
  Model *m = run->m;

  write_uidvalidity (run);
  if (plan->reset) {
    while (m->db->holds->len > 0)
      drop_hold (run, g_ptr_array_index (m->db->holds, 0));
    g_array_set_size (m->db->pairs, 0);
    m->db->writes++;
  }
  for (guint i = 0; i < plan->forget->len; i++)
    model_pair_delete (m, &g_array_index (plan->forget, StorePair, i));
  for (guint i = 0; i < plan->pairs->len; i++)
    model_pair_insert (m, &g_array_index (plan->pairs, StorePair, i));
  for (guint i = 0; i < plan->flags->len; i++) {
    const SyncFlagChange *change = &g_array_index (plan->flags, SyncFlagChange, i);
    gboolean sends = change->send[SIDE_LOCAL] || change->send[SIDE_REMOTE];

    model_pair_set_flags (m, change, sends ? change->base : change->agreed);
  }
  for (Side side = 0; side < N_SIDES; side++) {
    UidIter iter;
    guint32 uid;

    uid_iter_init (&iter, plan->unstable[side]);
    while (uid_iter_next (&iter, &uid))
      model_save_hold (run, side, uid, STORE_HOLD_UNSTABLE);
  }
}

/* --- a run ----------------------------------------------------------------------------------- */

static void
take_numbers (ModelNumbers numbers[N_SIDES], Run *run)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const SyncDelta *delta = run->delta[side];

    numbers[side] = (ModelNumbers){delta->uidvalidity, delta->uidnext, delta->highestmodseq};
  }
}

static void
drop_done_holds (Run *run)
{
  for (guint i = run->m->db->holds->len; i > 0; i--) {
    StoreHold *hold = g_ptr_array_index (run->m->db->holds, i - 1);
    gboolean held = find_hold (run->holds, hold->side, hold->uid) != NULL;

    if (!held || sync_delta_is_gone (run->delta[hold->side], hold->uid))
      drop_hold (run, hold);
  }
}

/* Every consequence of what the deltas told is done. */
static void
settle (Run *run)
{
  Model *m = run->m;
  ModelNumbers numbers[N_SIDES];

  if (m->db->intents->len > 0) {
    g_ptr_array_set_size (m->db->intents, 0);
    m->db->writes++;
  }
  if (run->plan->waiting)
    return;
  drop_done_holds (run);
  take_numbers (numbers, run);
  if (memcmp (numbers, m->db->saved, sizeof numbers) != 0) {
    memcpy (m->db->saved, numbers, sizeof numbers);
    m->db->writes++;
    model_trace (m, "  database: numbers saved");
  }
  m->server[SIDE_LOCAL].renumbered = m->server[SIDE_REMOTE].renumbered = FALSE;
}

static void
copy_intents (Run *run)
{
  g_ptr_array_set_size (run->intents, 0);
  for (guint i = 0; i < run->m->db->intents->len; i++) {
    const StoreIntent *intent = g_ptr_array_index (run->m->db->intents, i);
    StoreIntent *copy = g_new0 (StoreIntent, 1);

    *copy = *intent;
    copy->uids = g_strdup (intent->uids);
    if (intent->descriptions != NULL)
      g_bytes_ref (intent->descriptions);
    g_ptr_array_add (run->intents, copy);
  }
}

/* FALSE: crashed. */
static gboolean
find_out (Run *run)
{
  Model *m = run->m;

  model_enter (m, run->box);
  run->unconfirmed = FALSE;
  copy_intents (run);
  for (Side side = 0; side < N_SIDES; side++) {
    if (model_boundary (m))
      return FALSE;
    gather (run, side, FALSE);
  }
  return make_plan (run);
}

/* The transaction before the effects. */
static void
commit (Run *run)
{
  Model *m = run->m;

  model_enter (m, run->box);
  trace_plan (run);
  m->waited |= run->plan->waiting;
  write_plan (run);
  if (sync_plan_has_effect (run->plan)) {
    write_intents (run);
  } else if (!run->awaited) {
    settle (run);
    run->active = FALSE;
  }
}

static void
confirm (Run *run)
{
  Model *m = run->m;

  model_enter (m, run->box);
  if (run->unconfirmed) {
    memcpy (run->base, m->db->saved, sizeof run->base);
    run->asked_twice = TRUE;
  } else if (run->plan->waiting) {
    memcpy (run->base, m->db->saved, sizeof run->base);
  } else {
    take_numbers (run->base, run);
    g_ptr_array_set_size (m->db->intents, 0);
  }
}

/* TRUE: at rest. */
static gboolean
pass (Model *m, Moves *moves, gboolean *again)
{
  for (guint i = 0; i < m->n_boxes; i++) {
    if (moves->run[i].active && !find_out (&moves->run[i]))
      return FALSE;
  }
  model_plan_moves (m, moves);
  if (model_boundary (m))
    return FALSE;
  for (guint i = 0; i < m->n_boxes; i++) {
    if (moves->run[i].active)
      commit (&moves->run[i]);
  }
  model_apply (m, moves);
  if (moves->crashed)
    return FALSE;
  for (guint i = 0; i < m->n_boxes; i++) {
    if (moves->run[i].active)
      confirm (&moves->run[i]);
    *again |= moves->run[i].active;
  }
  return !*again;
}

/* Which holds are tried again, and all that is to be asked for that. */
static void
split_holds (Run *run)
{
  Model *m = run->m;

  for (guint i = 0; i < m->db->holds->len; i++) {
    StoreHold *hold = g_ptr_array_index (m->db->holds, i);

    if (!(hold->kind == STORE_HOLD_UNSTABLE && (m->acts == 0 || model_chance (m, 2))) &&
        !(hold->kind == STORE_HOLD_REFUSED && m->acts > 0 && model_chance (m, 4))) {
      g_ptr_array_add (run->holds, hold);
      continue;
    }
    model_trace (m, "%s %u is held no longer", side_name (hold->side), hold->uid);
    uid_set_add (run->due[hold->side], hold->uid);
  }
}

static void
run_init (Run *run, Model *m, Moves *moves, guint box)
{
  model_enter (m, box);
  *run = (Run){.m = m, .box = box, .moves = moves, .active = TRUE};
  run->pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  run->matches = g_array_new (FALSE, FALSE, sizeof (SyncMatch));
  run->intents = g_ptr_array_new_with_free_func ((GDestroyNotify)store_intent_free);
  run->holds = g_ptr_array_new ();
  for (Side side = 0; side < N_SIDES; side++) {
    run->base[side] = m->db->saved[side];
    run->due[side] = uid_set_new ();
    run->planned[side][0] = uid_set_new ();
    run->planned[side][1] = uid_set_new ();
  }
  split_holds (run);
}

/* Nothing happened after the last gather. */
static gboolean
is_quiet (const Run *run)
{
  const ModelServer *servers = run->m->box[run->box].server;

  for (Side side = 0; side < N_SIDES; side++) {
    if (run->delta[side] == NULL ||
        run->delta[side]->highestmodseq != servers[side].state.highestmodseq)
      return FALSE;
  }
  return TRUE;
}

static void
run_clear (Run *run)
{
  for (Side side = 0; side < N_SIDES; side++) {
    sync_delta_free (run->delta[side]);
    uid_set_free (run->due[side]);
    uid_set_free (run->planned[side][0]);
    uid_set_free (run->planned[side][1]);
  }
  g_array_unref (run->pairs);
  g_array_unref (run->matches);
  g_ptr_array_unref (run->intents);
  g_ptr_array_unref (run->holds);
  sync_plan_free (run->plan);
}

gboolean
model_run (Model *m)
{
  Moves moves = {.stuck = g_array_new (FALSE, FALSE, sizeof (StuckMove))};
  gboolean again = TRUE, rest = FALSE;

  m->runs++;
  model_trace (m, "--- run %u", m->runs);
  for (guint i = 0; i < m->n_boxes; i++)
    run_init (&moves.run[i], m, &moves, i);
  m->asked = FALSE;
  for (m->passes = 0; m->passes < MAX_PASSES && again && m->failure == NULL; m->passes++) {
    again = FALSE;
    model_trace (m, "- pass %u", m->passes + 1);
    rest = pass (m, &moves, &again);
  }
  m->interrupted |= !rest;
  m->quiet = rest;
  for (guint i = 0; i < m->n_boxes; i++) {
    m->quiet = m->quiet && is_quiet (&moves.run[i]);
    run_clear (&moves.run[i]);
  }
  g_array_unref (moves.stuck);
  model_land (m, m->runs); /* a second has passed since the one before */
  return rest;
}
