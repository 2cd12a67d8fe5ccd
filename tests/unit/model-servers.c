/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model.h"

#include <string.h>

static const char *const names[MODEL_FLAGS] = {"\\Seen", "\\Flagged", "\\Deleted", "Work", "Junk"};

/* --- chance, trace, verdict --- */

guint
model_random (Model *m, guint below)
{
  guint64 z = (m->random += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return (guint)((z ^ (z >> 31)) >> 33) % below;
}

gboolean
model_chance (Model *m, guint n)
{
  return n > 0 && model_random (m, n) == 0;
}

void
model_trace (Model *m, const char *format, ...)
{
  va_list args;

  if (m->trace == NULL)
    return;
  va_start (args, format);
  g_string_append_vprintf (m->trace, format, args);
  va_end (args);
  g_string_append_c (m->trace, '\n');
}

void
model_fail (Model *m, const char *format, ...)
{
  va_list args;

  if (m->failure != NULL)
    return;
  va_start (args, format);
  m->failure = g_strdup_vprintf (format, args);
  va_end (args);
  model_trace (m, "FAILED: %s", m->failure);
}

guint
model_enter (Model *m, guint box)
{
  guint before = m->at;

  m->at = box;
  m->server = m->box[box].server;
  m->db = &m->box[box].db;
  return before;
}

FlagTable *
model_flag_table (void)
{
  static FlagTable *table;

  if (table == NULL)
    table = flag_table_new ();
  return table;
}

FlagsId
model_flags (guint bits)
{
  static FlagsId known[1 << MODEL_FLAGS];

  if (bits != 0 && known[bits] == 0) {
    const char *flags[MODEL_FLAGS];
    gsize n = 0;

    for (guint i = 0; i < MODEL_FLAGS; i++) {
      if (bits & (1u << i))
        flags[n++] = names[i];
    }
    known[bits] = flag_table_intern (model_flag_table (), flags, n);
  }
  return known[bits];
}

guint
model_bits (FlagsId flags)
{
  guint bits = 0;

  for (guint i = 0; flags != 0 && i < MODEL_FLAGS; i++)
    bits |= flag_table_contains (model_flag_table (), flags, names[i]) ? 1u << i : 0;
  return bits;
}

const char *
model_text (guint bits)
{
  return flag_table_text (model_flag_table (), model_flags (bits));
}

/* --- servers --- */

static void
state_clear (ModelState *state)
{
  g_clear_pointer (&state->messages, g_array_unref);
  g_clear_pointer (&state->graves, g_array_unref);
}

void
model_server_init (Model *m, Side side)
{
  ModelServer *s = &m->server[side];

  s->state.messages = g_array_new (FALSE, FALSE, sizeof (ModelMessage));
  s->state.graves = g_array_new (FALSE, FALSE, sizeof (ModelGrave));
  s->state.uidvalidity = 7 + side;
  s->state.uidnext = side == SIDE_LOCAL ? 1 : 501;
  s->state.highestmodseq = 1000000;
  s->landing = g_array_new (FALSE, FALSE, sizeof (ModelMessage));
  s->any_keyword = TRUE;
  s->permanent = MODEL_SYSTEM;
  s->appenduid = TRUE;
}

void
model_server_clear (Model *m, Side side)
{
  state_clear (&m->server[side].state);
  state_clear (&m->server[side].backup);
  g_array_unref (m->server[side].landing);
}

guint
model_keeps (const ModelServer *server)
{
  return (server->permanent | (server->any_keyword ? MODEL_KEYWORDS : 0)) & ~server->drops;
}

gboolean
model_refuses (const ModelServer *server, guint id)
{
  return server->refuses > 0 && id % server->refuses == 0;
}

ModelMessage *
model_find (Model *m, Side side, guint32 uid)
{
  GArray *messages = m->server[side].state.messages;

  for (guint i = 0; i < messages->len; i++) {
    if (g_array_index (messages, ModelMessage, i).uid == uid)
      return &g_array_index (messages, ModelMessage, i);
  }
  return NULL;
}

guint32
model_append (Model *m, Side side, guint id, guint flags, gboolean ours, guint64 guid)
{
  ModelServer *s = &m->server[side];
  ModelMessage message = {
      .uid = s->state.uidnext++,
      .id = id,
      .flags = flags & model_keeps (s),
      .modseq = ++s->state.highestmodseq,
      .ours = ours,
      .guid = s->hashes   ? id + 1
              : guid != 0 ? guid
                          : ++m->guids + MODEL_IDS,
  };

  g_array_append_val (s->state.messages, message);
  model_trace (m, "  %s %u: message %u appears as %u (%s)", side_name (side), m->at, id,
               message.uid, model_text (message.flags));
  return message.uid;
}

void
model_store (Model *m, Side side, ModelMessage *message, guint flags)
{
  flags &= model_keeps (&m->server[side]);
  if (message->flags == flags)
    return;
  message->flags = flags;
  message->modseq = ++m->server[side].state.highestmodseq;
  model_trace (m, "  %s %u: message %u, %u, has (%s)", side_name (side), m->at, message->id,
               message->uid, model_text (flags));
}

void
model_expunge (Model *m, Side side, guint32 uid)
{
  ModelState *state = &m->server[side].state;
  ModelMessage *message = model_find (m, side, uid);
  ModelGrave grave = {.uid = uid, .modseq = ++state->highestmodseq};

  model_trace (m, "  %s %u: message %u, %u, is expunged", side_name (side), m->at, message->id,
               uid);
  g_array_append_val (state->graves, grave);
  g_array_remove_index (state->messages,
                        message - &g_array_index (state->messages, ModelMessage, 0));
}

static void
land (Model *m, guint run)
{
  for (Side side = 0; side < N_SIDES; side++) {
    GArray *landing = m->server[side].landing;

    while (landing->len > 0 &&
           (g_array_index (landing, ModelMessage, 0).modseq < run || model_chance (m, 6))) {
      ModelMessage message = g_array_index (landing, ModelMessage, 0);

      g_array_remove_index (landing, 0);
      model_trace (m, "a cut APPEND lands:");
      model_append (m, side, message.id, message.flags, TRUE, message.guid);
    }
  }
}

void
model_land (Model *m, guint run)
{
  guint before = m->at;

  for (guint i = 0; i < m->n_boxes; i++) {
    model_enter (m, i);
    land (m, run);
  }
  model_enter (m, before);
}

/* --- other clients --- */

static void
note_flags (Model *m, Side side, guint id, guint before, guint after)
{
  ModelHistory *h = &m->history[id];

  h->ever |= after & ~before;
  h->set[side] |= after & ~before;
  h->cleared[side] |= before & ~after;
  h->last[side] = (h->last[side] & ~(before ^ after)) | (after & ~before);
}

void
model_client_append (Model *m, Side side, guint id, guint flags)
{
  ModelServer *s = &m->server[side];

  model_trace (m, "a client appends:");
  model_append (m, side, id, flags, FALSE, 0);
  m->history[id].appended[side]++;
  note_flags (m, side, id, 0, flags & model_keeps (s));
}

/* Is there a copy of ours of @id on @side, or on the way there, that the database knows nothing of?
 */
static gboolean
has_lost_copy (Model *m, Side side, guint id)
{
  GArray *messages = m->server[side].state.messages, *landing = m->server[side].landing;

  for (guint i = 0; i < messages->len; i++) {
    const ModelMessage *message = &g_array_index (messages, ModelMessage, i);

    if (message->id == id && message->ours && model_partner (m, side, message->uid) == 0)
      return TRUE;
  }
  for (guint i = 0; i < landing->len; i++) {
    if (g_array_index (landing, ModelMessage, i).id == id)
      return TRUE;
  }
  return FALSE;
}

/* R4's exception, from both ends: the copy that nobody knows of, and its original. */
static void
note_loss (Model *m, Side side, const ModelMessage *message)
{
  if (model_partner (m, side, message->uid) == 0 &&
      (message->ours || has_lost_copy (m, side_other (side), message->id)))
    m->history[message->id].exempt = m->history[message->id].blurred = TRUE;
}

static void
client_expunges (Model *m, Side side, const ModelMessage *message)
{
  guint id = message->id;

  note_loss (m, side, message);
  m->history[id].expunged[side]++;
  model_trace (m, "a client expunges:%s", m->history[id].exempt ? " (of an unknown copy)" : "");
  model_expunge (m, side, message->uid);
}

static void
client_appends (Model *m, Side side)
{
  guint id = m->n_ids;

  if (model_chance (m, 4) && m->n_ids > 0)
    id = model_random (m, m->n_ids); /* a copy of one that is known */
  if (id >= MODEL_IDS || model_refuses (&m->server[side], id))
    return;
  m->n_ids = MAX (m->n_ids, id + 1);
  model_client_append (m, side, id,
                       model_random (m, 1 << MODEL_FLAGS) & model_random (m, 1 << MODEL_FLAGS));
}

/* To another mailbox, or to the same. */
static void
client_moves (Model *m, Side side, const ModelMessage *message)
{
  guint from = m->at, to = model_random (m, m->n_boxes);
  ModelMessage moved = *message;

  if (m->box[to].server[side].renumbered)
    return;
  note_loss (m, side, message);
  m->history[moved.id].moved[side]++;
  model_trace (m, "a client moves to %u:", to);
  model_expunge (m, side, moved.uid);
  model_enter (m, to);
  model_append (m, side, moved.id, moved.flags, FALSE, moved.guid);
  model_enter (m, from);
}

static void
client_copies (Model *m, Side side, const ModelMessage *message)
{
  guint from = m->at, to = model_random (m, m->n_boxes);
  ModelMessage copied = *message;

  if (m->box[to].server[side].renumbered)
    return;
  m->history[copied.id].appended[side]++;
  model_trace (m, "a client copies to %u:", to);
  model_enter (m, to);
  model_append (m, side, copied.id, copied.flags, FALSE, copied.guid);
  model_enter (m, from);
}

/* The engine has copied it already, and will expunge this one. */
static gboolean
is_one_of_two (Model *m, Side side, guint id)
{
  guint n = 0;

  for (guint i = 0; i < m->n_boxes; i++) {
    const GArray *messages = m->box[i].server[side].state.messages;

    for (guint j = 0; j < messages->len; j++)
      n += g_array_index (messages, ModelMessage, j).id == id;
    n += m->box[i].server[side].landing->len;
  }
  return n > 1;
}

static void
client_changes_flags (Model *m, Side side, ModelMessage *message)
{
  guint keeps = model_keeps (&m->server[side]);
  guint before = message->flags;
  guint flags = before ^ (1u << model_random (m, MODEL_FLAGS));

  if (model_chance (m, 4))
    flags ^= 1u << model_random (m, MODEL_FLAGS);
  flags &= keeps;
  if (flags == before)
    return;
  model_trace (m, "a client changes flags:");
  m->history[message->id].blurred |= is_one_of_two (m, side, message->id);
  model_store (m, side, message, flags);
  note_flags (m, side, message->id, before, message->flags);
}

static void
client_empties (Model *m, Side side)
{
  GArray *messages = m->server[side].state.messages;
  guint keep = model_chance (m, 2) ? 0 : model_random (m, 10);

  while (messages->len > keep)
    client_expunges (m, side,
                     &g_array_index (messages, ModelMessage, model_random (m, messages->len)));
}

static void
client_acts (Model *m)
{
  Side side = model_random (m, N_SIDES);
  GArray *messages = m->server[side].state.messages;
  guint what = model_random (m, 100);

  if (m->server[side].renumbered)
    return;
  if (m->many && model_chance (m, 12)) {
    client_empties (m, side);
  } else if (messages->len == 0 || what < 20) {
    client_appends (m, side);
  } else {
    ModelMessage *message =
        &g_array_index (messages, ModelMessage, model_random (m, messages->len));

    if (what < 40)
      client_expunges (m, side, message);
    else if (m->n_boxes > 1 && what < 60)
      client_moves (m, side, message);
    else if (m->n_boxes > 1 && what < 65)
      client_copies (m, side, message);
    else
      client_changes_flags (m, side, message);
  }
}

void
model_client_acts (Model *m)
{
  guint before = model_enter (m, m->n_boxes > 1 ? model_random (m, m->n_boxes) : 0);

  client_acts (m);
  model_enter (m, before);
}

/* --- what befalls servers --- */

static void
state_copy (ModelState *to, const ModelState *from)
{
  state_clear (to);
  *to = *from;
  to->messages = g_array_copy (from->messages);
  to->graves = g_array_copy (from->graves);
}

/* All messages have one and the same MODSEQ then, nothing is known of what was expunged. */
static void
rebuild_index (Model *m, Side side, guint64 highestmodseq)
{
  ModelServer *s = &m->server[side];

  model_trace (m, "%s loses its index", side_name (side));
  s->state.highestmodseq = highestmodseq;
  for (guint i = 0; i < s->state.messages->len; i++)
    g_array_index (s->state.messages, ModelMessage, i).modseq = s->state.highestmodseq;
  g_array_set_size (s->state.graves, 0);
  state_clear (&s->backup);
}

/* Either so far down that it is not reached again, or so little that a few changes later nobody
 * could see it: then nobody else acts before the engine came by. */
static void
lose_index (Model *m, Side side)
{
  ModelServer *s = &m->server[side];
  guint64 saved = m->db->saved[side].highestmodseq;

  if (s->renumbered)
    return;
  if (saved != 0 && model_chance (m, 2)) {
    rebuild_index (m, side, saved - 1 - model_random (m, 3));
    s->renumbered = TRUE;
  } else if (s->generation < 3) {
    guint64 highestmodseq = 1000000;

    for (guint i = 0; i <= s->generation; i++)
      highestmodseq /= 10;
    s->generation++;
    rebuild_index (m, side, highestmodseq);
  }
}

/* No VANISHED for what is gone; only the number of messages tells. */
static void
forget_graves (Model *m, Side side)
{
  if (m->db->saved[side].highestmodseq == 0)
    return;
  model_trace (m, "%s forgets what was expunged", side_name (side));
  g_array_set_size (m->server[side].state.graves, 0);
}

static void
renumber (Model *m, Side side)
{
  ModelServer *s = &m->server[side];

  if (s->renumbered)
    return;
  model_trace (m, "%s changes its UIDVALIDITY", side_name (side));
  s->state.uidvalidity += 10;
  s->state.highestmodseq++;
  for (guint i = 0; i < s->state.messages->len; i++) {
    g_array_index (s->state.messages, ModelMessage, i).uid = i + 1;
    g_array_index (s->state.messages, ModelMessage, i).modseq = s->state.highestmodseq;
  }
  s->state.uidnext = s->state.messages->len + 1;
  g_array_set_size (s->state.graves, 0);
  state_clear (&s->backup);
  m->renumbered[side] = m->ever_renumbered = TRUE;
}

/* Nobody has it any more. */
static gboolean
is_only_copy (Model *m, Side side, const ModelMessage *message)
{
  guint32 partner = model_partner (m, side, message->uid);
  const ModelMessage *other = partner != 0 ? model_find (m, side_other (side), partner) : NULL;

  return other == NULL || other->id != message->id;
}

/* Only a backup older than what was saved last: a younger one is nothing that anybody could see. */
static void
restore (Model *m, Side side)
{
  ModelServer *s = &m->server[side];

  if (s->backup.messages == NULL || s->backup.highestmodseq >= m->db->saved[side].highestmodseq)
    return;
  model_trace (m, "%s is put back to an older backup", side_name (side));
  for (guint i = 0; i < s->state.messages->len; i++) {
    const ModelMessage *message = &g_array_index (s->state.messages, ModelMessage, i);

    if (is_only_copy (m, side, message))
      m->history[message->id].lost++;
  }
  state_copy (&s->state, &s->backup);
  g_array_set_size (s->landing, 0);
  s->renumbered = TRUE;
  m->renumbered[side] = m->ever_restored = m->ever_renumbered = TRUE;
}

void
model_disrupts (Model *m)
{
  Side side = model_random (m, N_SIDES);
  guint before = model_enter (m, m->n_boxes > 1 ? model_random (m, m->n_boxes) : 0);

  switch (model_random (m, 5)) {
  case 0:
    lose_index (m, side);
    break;
  case 1:
    renumber (m, side);
    break;
  case 2:
    if (!m->server[side].renumbered)
      state_copy (&m->server[side].backup, &m->server[side].state);
    break;
  case 3:
    forget_graves (m, side);
    break;
  default:
    restore (m, side);
    break;
  }
  model_enter (m, before);
}

gboolean
model_boundary (Model *m)
{
  model_land (m, 0);
  while (model_chance (m, m->acts))
    model_client_acts (m);
  if (!model_chance (m, m->crashes))
    return FALSE;
  m->interrupted = m->ever_interrupted = TRUE;
  return TRUE;
}
