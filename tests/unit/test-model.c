/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model.h"

#include <stdlib.h>

/* Thousands of small stories about one or two mailboxes on two servers, each from one seed:
 * clients, crashes and lost indexes at every instant, then silence. In the silence one run must
 * make both sides equal with nothing lost, doubled or undone, and the next must find nothing to do.
 *
 * IMAPSYNC_MODEL_CASES=N  that many stories (default 50000)
 * IMAPSYNC_MODEL_SEED=N   this one alone, told in full */

#define DEFAULT_CASES 50000

/* --- a story's beginning --- */

/* All mailboxes of a server are alike. */
static void
set_up_server (Model *m, Side side)
{
  ModelServer *s = &m->box[0].server[side];

  for (guint i = 1; i < m->n_boxes; i++) {
    ModelServer *other = &m->box[i].server[side];

    other->permanent = s->permanent;
    other->any_keyword = s->any_keyword;
    other->drops = s->drops;
    other->appenduid = s->appenduid;
    other->refuses = s->refuses;
    other->guids = s->guids;
    other->hashes = s->hashes;
    other->no_copy = s->no_copy;
  }
}

static void
set_up_servers (Model *m)
{
  for (guint i = m->n_boxes; i > 0; i--) {
    model_enter (m, i - 1);
    for (Side side = 0; side < N_SIDES; side++)
      model_server_init (m, side);
  }
  for (Side side = 0; side < N_SIDES; side++) {
    ModelServer *s = &m->server[side];

    if (model_chance (m, 6)) {
      s->any_keyword = FALSE;
      s->permanent |= model_chance (m, 2) ? MODEL_WORK : 0;
    } else if (model_chance (m, 12)) {
      s->drops = MODEL_JUNK;
    }
    if (model_chance (m, 16))
      s->permanent &= ~MODEL_FLAGGED;
    s->appenduid = !model_chance (m, 4);
    if (model_chance (m, 10))
      s->refuses = 3;
    s->guids = m->n_boxes > 1 && !model_chance (m, 4);
    s->hashes = s->guids && model_chance (m, 3);
    s->no_copy = m->n_boxes > 1 && model_chance (m, 8);
    set_up_server (m, side);
  }
}

static void
fill_servers (Model *m)
{
  guint n = model_random (m, 5) + (m->many ? 22 + model_random (m, 12) : 0);

  for (m->n_ids = 0; m->n_ids < n; m->n_ids++) {
    guint id = m->n_ids;
    gboolean twins = model_chance (m, 3);
    Side first = model_random (m, N_SIDES);

    if (m->n_boxes > 1)
      model_enter (m, model_random (m, m->n_boxes));
    if (model_refuses (&m->server[first], id))
      continue;
    model_client_append (m, first, id, model_random (m, 1 << MODEL_FLAGS));
    if (!twins || model_refuses (&m->server[side_other (first)], id))
      continue;
    model_client_append (m, side_other (first), id, model_random (m, 1 << MODEL_FLAGS));
    m->history[id].twins = TRUE;
  }
}

static void
begin (Model *m, guint64 seed, gboolean trace)
{
  static const guint rates[] = {0, 2, 4, 16};

  *m = (Model){.seed = seed, .random = seed * 1000003, .trace = trace ? g_string_new (NULL) : NULL};
  m->many = model_chance (m, 64);
  m->n_boxes = 1 + seed % MODEL_BOXES;
  for (guint i = m->n_boxes; i > 0; i--) {
    model_enter (m, i - 1);
    model_database_init (m);
  }
  set_up_servers (m);
  fill_servers (m);
  m->acts = rates[model_random (m, G_N_ELEMENTS (rates))];
  m->crashes = rates[model_random (m, G_N_ELEMENTS (rates))] * 2;
}

static void
end (Model *m)
{
  for (guint i = 0; i < m->n_boxes; i++) {
    model_enter (m, i);
    for (Side side = 0; side < N_SIDES; side++)
      model_server_clear (m, side);
    model_database_clear (m);
  }
  if (m->trace != NULL)
    g_string_free (m->trace, TRUE);
  g_free (m->failure);
}

/* --- what has to hold --- */

/* The flags that both can hold, of all copies of @id on @side, in no order. */
static guint
collect (Model *m, Side side, guint id, guint mask, guint counts[1 << MODEL_FLAGS])
{
  GArray *messages = m->server[side].state.messages;
  guint n = 0;

  for (guint i = 0; i < messages->len; i++) {
    const ModelMessage *message = &g_array_index (messages, ModelMessage, i);

    if (message->id != id)
      continue;
    counts[message->flags & mask]++;
    n++;
  }
  return n;
}

static gboolean
is_refused (Model *m, guint id)
{
  return model_refuses (&m->server[SIDE_LOCAL], id) || model_refuses (&m->server[SIDE_REMOTE], id);
}

/* NULL: both sides have the same copies of @id with the same flags in the mailbox. */
static char *
difference_here (Model *m, guint id)
{
  guint counts[N_SIDES][1 << MODEL_FLAGS] = {{0}};
  guint mask = model_keeps (&m->server[SIDE_LOCAL]) & model_keeps (&m->server[SIDE_REMOTE]);
  guint n[N_SIDES];

  for (Side side = 0; side < N_SIDES; side++)
    n[side] = collect (m, side, id, mask, counts[side]);
  for (Side side = 0; side < N_SIDES; side++) {
    if (model_refuses (&m->server[side], id))
      return n[side] == 0 ? NULL : g_strdup_printf ("message %u is where it was refused", id);
  }
  if (n[SIDE_LOCAL] != n[SIDE_REMOTE])
    return g_strdup_printf ("message %u is %u times on local, %u times on remote", id,
                            n[SIDE_LOCAL], n[SIDE_REMOTE]);
  for (guint flags = 0; flags < 1 << MODEL_FLAGS; flags++) {
    if (counts[SIDE_LOCAL][flags] != counts[SIDE_REMOTE][flags])
      return g_strdup_printf ("message %u has (%s) %u times on local, %u times on remote", id,
                              model_text (flags), counts[SIDE_LOCAL][flags],
                              counts[SIDE_REMOTE][flags]);
  }
  return NULL;
}

/* The same, and all mailboxes are at rest. */
static char *
difference (Model *m, guint id)
{
  char *unequal = NULL;

  for (guint i = 0; i < m->n_boxes && unequal == NULL; i++) {
    guint before = model_enter (m, i);

    unequal = difference_here (m, id);
    model_enter (m, before);
  }
  return unequal;
}

static guint
copies (Model *m, guint id)
{
  guint counts[1 << MODEL_FLAGS] = {0}, n = 0;

  for (guint i = 0; i < m->n_boxes; i++) {
    guint before = model_enter (m, i);
    guint local = collect (m, SIDE_LOCAL, id, 0, counts);
    guint remote = collect (m, SIDE_REMOTE, id, 0, counts);

    n += MAX (local, remote);
    model_enter (m, before);
  }
  return n;
}

/* Each client's copy is one message, or two that were found to be one and the same; each client's
 * expunge takes one away, from both sides at once. A move is neither, but what was moved here is a
 * message for itself where it was expunged or moved there. */
static void
check_number (Model *m, guint id)
{
  const ModelHistory *h = &m->history[id];
  gint appended = h->appended[SIDE_LOCAL] + h->appended[SIDE_REMOTE];
  gint moved = h->moved[SIDE_LOCAL] + h->moved[SIDE_REMOTE];
  gint matched = MIN (h->appended[SIDE_LOCAL] + h->moved[SIDE_LOCAL],
                      h->appended[SIDE_REMOTE] + h->moved[SIDE_REMOTE]);
  gint expunged = h->expunged[SIDE_LOCAL] + h->expunged[SIDE_REMOTE];
  gint least = appended - matched - expunged - (gint)h->lost;
  gint most = appended - (gint)MAX (h->expunged[SIDE_LOCAL], h->expunged[SIDE_REMOTE]);
  gint n = copies (m, id);

  for (Side side = 0; side < N_SIDES; side++)
    most += MIN (h->moved[side], h->expunged[side_other (side)] + h->moved[side_other (side)]);
  if (h->exempt || m->ever_renumbered || m->mass == SYNC_MASS_RESTORE)
    most = appended + moved;
  if (h->twins && appended == 2 && expunged == 0 && moved == 0)
    most = 1;
  if (appended > 0 && expunged == 0 && h->lost == 0)
    least = MAX (least, 1);
  if (n < least)
    model_fail (m, "message %u is lost: %d copies, at least %d expected", id, n, least);
  if (n > most)
    model_fail (m, "message %u: %d copies, at most %d expected", id, n, most);
}

static guint
flags_of (Model *m, Side side, guint id)
{
  for (guint i = 0; i < m->n_boxes; i++) {
    GArray *messages = m->box[i].server[side].state.messages;

    for (guint j = 0; j < messages->len; j++) {
      if (g_array_index (messages, ModelMessage, j).id == id)
        return g_array_index (messages, ModelMessage, j).flags;
    }
  }
  return 0;
}

/* Moved by clients of one side, and whose message it is was never in doubt. */
static gboolean
is_move_traceable (Model *m, const ModelHistory *h)
{
  return (h->moved[SIDE_LOCAL] == 0 && h->moved[SIDE_REMOTE] == 0) ||
         ((h->moved[SIDE_LOCAL] == 0 || h->moved[SIDE_REMOTE] == 0) && !h->twins &&
          !m->ever_renumbered);
}

/* One message with one history: not one of several copies, and never expunged. */
static gboolean
is_traceable (Model *m, guint id)
{
  const ModelHistory *h = &m->history[id];
  guint appended = h->appended[SIDE_LOCAL] + h->appended[SIDE_REMOTE];

  return (appended == 1 || (appended == 2 && h->twins)) && h->expunged[SIDE_LOCAL] == 0 &&
         h->expunged[SIDE_REMOTE] == 0 && h->lost == 0 && !h->blurred && is_move_traceable (m, h) &&
         !is_refused (m, id) && copies (m, id) == 1;
}

static void
check_flag (Model *m, guint id, guint flag)
{
  const ModelHistory *h = &m->history[id];
  guint keeps[N_SIDES] = {model_keeps (&m->server[SIDE_LOCAL]),
                          model_keeps (&m->server[SIDE_REMOTE])};
  Side holder = keeps[SIDE_LOCAL] & flag ? SIDE_LOCAL : SIDE_REMOTE;
  gboolean both = (keeps[SIDE_LOCAL] & keeps[SIDE_REMOTE] & flag) != 0;
  guint final = flags_of (m, holder, id) & flag;
  guint set = (h->set[SIDE_LOCAL] | h->set[SIDE_REMOTE]) & flag;
  guint cleared = (h->cleared[SIDE_LOCAL] | h->cleared[SIDE_REMOTE]) & flag;
  /* With the UIDs of one side, or while something waited, went what an interrupted pass had noted;
   * with the UIDs of both, all. */
  gboolean lost[N_SIDES] = {m->renumbered[SIDE_LOCAL], m->renumbered[SIDE_REMOTE]};
  gboolean forgotten = (lost[SIDE_LOCAL] && lost[SIDE_REMOTE]) ||
                       ((lost[SIDE_LOCAL] || lost[SIDE_REMOTE] || m->waited) && m->interrupted);

  if (final != 0 && !(h->ever & flag))
    model_fail (m, "message %u has %s, which no client ever set", id, model_text (flag));
  if (!set && !cleared && final != (h->agreed & flag))
    model_fail (m, "message %u: %s was changed by no client", id, model_text (flag));
  if (set && !cleared && final == 0)
    model_fail (m, "message %u lost %s, which no client cleared", id, model_text (flag));
  for (Side side = 0; side < N_SIDES && !forgotten; side++) {
    Side other = side_other (side);
    gboolean alone = h->set[other] == 0 && h->cleared[other] == 0;

    if ((set || cleared) && (both ? alone : side == holder && alone) &&
        final != (h->last[side] & flag))
      model_fail (m, "message %u: only clients of %s changed it, and left it with%s %s", id,
                  side_name (side), h->last[side] & flag ? "" : "out", model_text (flag));
  }
}

static void
check_flags (Model *m, guint id)
{
  guint drops = m->server[SIDE_LOCAL].drops | m->server[SIDE_REMOTE].drops;

  /* A keyword that a server drops without a word looks like one that its client cleared, until the
   * answer of the first STORE is heard. */
  if (!is_traceable (m, id) || m->ever_restored || (drops != 0 && m->ever_interrupted))
    return;
  for (guint i = 0; i < MODEL_FLAGS; i++) {
    guint flag = 1u << i;

    if ((model_keeps (&m->server[SIDE_LOCAL]) | model_keeps (&m->server[SIDE_REMOTE])) & flag)
      check_flag (m, id, flag);
  }
}

static void
check_end (Model *m)
{
  for (guint id = 0; id < m->n_ids && m->failure == NULL; id++) {
    g_autofree char *unequal = difference (m, id);

    if (unequal != NULL)
      model_fail (m, "%s", unequal);
    check_number (m, id);
    check_flags (m, id);
  }
}

/* --- a story --- */

/* Both sides equal and at rest: flags are judged from here on. */
static void
maybe_agree (Model *m)
{
  for (guint id = 0; id < m->n_ids; id++) {
    g_autofree char *unequal = difference (m, id);

    if (unequal != NULL)
      return;
  }
  for (guint i = 0; i < m->n_boxes; i++) {
    const ModelServer *s = m->box[i].server;

    if (s[SIDE_LOCAL].landing->len + s[SIDE_REMOTE].landing->len > 0)
      return;
  }
  model_trace (m, "both sides are equal");
  check_end (m);
  for (guint id = 0; id < m->n_ids; id++) {
    ModelHistory *h = &m->history[id];

    h->agreed = flags_of (m, SIDE_LOCAL, id) | flags_of (m, SIDE_REMOTE, id);
    for (Side side = 0; side < N_SIDES; side++) {
      h->set[side] = h->cleared[side] = 0;
      h->last[side] = flags_of (m, side, id);
    }
  }
  m->interrupted = m->waited = m->renumbered[SIDE_LOCAL] = m->renumbered[SIDE_REMOTE] = FALSE;
}

static void
set_read_only (Model *m, Side side, gboolean read_only)
{
  for (guint i = 0; i < m->n_boxes; i++)
    m->box[i].server[side].read_only = read_only;
}

static guint
count_writes (const Model *m)
{
  guint writes = 0;

  for (guint i = 0; i < m->n_boxes; i++)
    writes += m->box[i].db.writes;
  return writes;
}

static void
tumult (Model *m)
{
  guint runs = 1 + model_random (m, 5);
  gboolean disrupted = model_chance (m, 4), read_only = model_chance (m, 16);

  /* What a read-only mailbox could keep is not to be known: its PERMANENTFLAGS is empty. */
  for (Side side = 0; side < N_SIDES; side++)
    read_only = read_only && model_keeps (&m->server[side]) == (1 << MODEL_FLAGS) - 1;

  for (guint i = 0; i < runs && m->failure == NULL; i++) {
    for (Side side = 0; side < N_SIDES; side++)
      set_read_only (m, side, read_only && model_chance (m, 3));
    if (m->many && m->mass == SYNC_MASS_ASK && model_chance (m, 4))
      m->mass = model_chance (m, 2) ? SYNC_MASS_APPLY : SYNC_MASS_RESTORE;
    for (guint n = model_random (m, 5); n > 0; n--)
      model_client_acts (m);
    while (disrupted && model_chance (m, 2))
      model_disrupts (m);
    model_run (m);
    if (m->quiet && m->failure == NULL)
      maybe_agree (m);
  }
}

static void
silence (Model *m)
{
  guint writes;

  model_trace (m, "=== silence");
  m->acts = m->crashes = 0;
  model_land (m, G_MAXUINT);
  set_read_only (m, SIDE_LOCAL, FALSE);
  set_read_only (m, SIDE_REMOTE, FALSE);
  if (m->mass == SYNC_MASS_ASK)
    m->mass = model_chance (m, 2) ? SYNC_MASS_APPLY : SYNC_MASS_RESTORE;
  if (!model_run (m))
    model_fail (m, "no rest after %u passes", m->passes);
  check_end (m);
  writes = count_writes (m);
  if (m->failure == NULL && (!model_run (m) || m->passes != 1 || m->asked))
    model_fail (m, "the next run has something to do");
  if (m->failure == NULL && count_writes (m) != writes)
    model_fail (m, "the next run writes to the database");
}

/* The first failure, or NULL. */
static char *
tell (guint64 seed, char **trace)
{
  Model m;
  char *failure;

  begin (&m, seed, trace != NULL);
  tumult (&m);
  if (m.failure == NULL)
    silence (&m);
  failure = g_steal_pointer (&m.failure);
  if (trace != NULL)
    *trace = g_string_free (g_steal_pointer (&m.trace), FALSE);
  end (&m);
  return failure;
}

static void
tell_in_full (guint64 seed)
{
  g_autofree char *trace = NULL;
  g_autofree char *failure = tell (seed, &trace);
  g_auto (GStrv) lines = g_strsplit (trace, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    g_test_message ("%s", lines[i]);
  if (failure != NULL) {
    g_test_message ("expected both sides equal and nothing lost, doubled or undone; got: %s; "
                    "alone: IMAPSYNC_MODEL_SEED=%" G_GUINT64_FORMAT,
                    failure, seed);
    g_test_fail ();
  }
}

static void
test_two_servers_become_equal (void)
{
  const char *cases = g_getenv ("IMAPSYNC_MODEL_CASES");
  const char *seed = g_getenv ("IMAPSYNC_MODEL_SEED");
  guint64 n = cases != NULL ? g_ascii_strtoull (cases, NULL, 10) : DEFAULT_CASES;
  guint failed = 0;

  if (seed != NULL) {
    tell_in_full (g_ascii_strtoull (seed, NULL, 10));
    return;
  }
  for (guint64 i = 1; i <= n && failed < 3; i++) {
    g_autofree char *failure = tell (i, NULL);

    if (failure != NULL) {
      failed++;
      tell_in_full (i);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/two-servers-become-equal", test_two_servers_become_equal);
  return g_test_run ();
}
