/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plan-case.h"

#include "sync/landed.h"

#include <string.h>

FlagsId
flags_of (Case *c, const char *text)
{
  return flag_table_intern_text (c->flags, text);
}

Case *
case_new (void)
{
  Case *c = g_new0 (Case, 1);

  c->flags = flag_table_new ();
  c->pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  c->intents = g_ptr_array_new_with_free_func ((GDestroyNotify)store_intent_free);
  c->holds = g_ptr_array_new_with_free_func ((GDestroyNotify)store_hold_free);
  c->matches = g_array_new (FALSE, FALSE, sizeof (SyncMatch));
  c->n_pairs = -1;
  for (Side side = 0; side < N_SIDES; side++) {
    SyncDelta *delta = sync_delta_new ();

    delta->uidvalidity = 100 + side;
    delta->uidnext = 1000;
    delta->highestmodseq = 5000;
    delta->trust = SYNC_TRUST_PROVED;
    delta->mask =
        (FlagMask){.any_keyword = TRUE, .permitted = flag_table_intern_text (c->flags, SYSTEM)};
    c->delta[side] = delta;
    c->restless[side] = uid_set_new ();
    c->exists[side] = -1;
  }
  return c;
}

void
case_free (Case *c)
{
  g_clear_pointer (&c->plan, sync_plan_free);
  for (Side side = 0; side < N_SIDES; side++) {
    sync_delta_free (c->delta[side]);
    uid_set_free (c->restless[side]);
  }
  g_array_unref (c->pairs);
  g_array_unref (c->matches);
  g_ptr_array_unref (c->intents);
  g_clear_pointer (&c->descriptions, g_byte_array_unref);
  g_ptr_array_unref (c->holds);
  flag_table_free (c->flags);
  g_free (c);
}

void
message (Case *c, Side side, guint32 uid, const char *flags)
{
  SyncMessage m = {.uid = uid, .flags = flags_of (c, flags)};

  g_array_append_val (c->delta[side]->messages, m);
}

void
pair (Case *c, guint32 local, guint32 remote, const char *flags)
{
  StorePair p = {.uid = {local, remote}, .flags = flags_of (c, flags)};

  g_array_append_val (c->pairs, p);
}

void
gone (Case *c, Side side, guint32 uid)
{
  uid_set_add (c->delta[side]->vanished, uid);
}

void
full (Case *c, Side side, SyncTrust trust)
{
  c->delta[side]->full = TRUE;
  c->delta[side]->trust = trust;
}

void
match (Case *c, guint32 local, guint32 remote)
{
  SyncMatch m = {{local, remote}};

  g_array_append_val (c->matches, m);
}

void
intent (Case *c, StoreIntentKind kind, Side side, const char *uids, const char *flags)
{
  StoreIntent *i = g_new0 (StoreIntent, 1);

  i->id = c->intents->len + 1;
  i->kind = kind;
  i->mailbox = 1;
  i->side = side;
  i->uids = g_strdup (uids);
  i->flags = flags_of (c, flags);
  i->uidvalidity = c->delta[side]->uidvalidity;
  i->uidnext = 500;
  g_ptr_array_add (c->intents, i);
}

void
describe_intent (Case *c, guint32 uid, guint64 size, gint64 date)
{
  StoreIntent *i = g_ptr_array_index (c->intents, c->intents->len - 1);
  SyncMessage m = {.uid = uid, .described = TRUE, .size = size, .internaldate = date};

  if (c->descriptions == NULL)
    c->descriptions = g_byte_array_new ();
  sync_landed_describe (c->descriptions, &m, &c->described);
  g_clear_pointer (&i->descriptions, g_bytes_unref);
  i->descriptions = g_bytes_new (c->descriptions->data, c->descriptions->len);
}

void
arrived (Case *c, Side side, guint32 uid, const char *flags, guint64 size, gint64 date)
{
  SyncMessage m = {.uid = uid,
                   .flags = flags_of (c, flags),
                   .described = TRUE,
                   .size = size,
                   .internaldate = date};

  g_array_append_val (c->delta[side]->messages, m);
}

void
hold (Case *c, Side side, guint32 uid, StoreHoldKind kind)
{
  StoreHold *h = g_new0 (StoreHold, 1);

  h->id = c->holds->len + 1;
  h->mailbox = 1;
  h->side = side;
  h->uid = uid;
  h->kind = kind;
  h->reason = g_strdup ("NO");
  g_ptr_array_add (c->holds, h);
}

static gboolean
is_held (Case *c, Side side, guint32 uid)
{
  for (guint i = 0; i < c->holds->len; i++) {
    StoreHold *h = g_ptr_array_index (c->holds, i);

    if (h->side == side && h->uid == uid)
      return TRUE;
  }
  return FALSE;
}

static StorePair *
find_pair (GArray *pairs, Side side, guint32 uid)
{
  for (guint i = 0; i < pairs->len; i++) {
    StorePair *p = &g_array_index (pairs, StorePair, i);

    if (p->uid[side] == uid)
      return p;
  }
  return NULL;
}

/* The EXISTS that goes with the rest. */
static guint32
count (Case *c, Side side)
{
  SyncDelta *delta = c->delta[side];
  guint n = 0;

  if (delta->full)
    return delta->messages->len;
  for (guint i = 0; i < c->pairs->len; i++)
    n += !sync_delta_is_gone (delta, g_array_index (c->pairs, StorePair, i).uid[side]);
  for (guint i = 0; i < c->holds->len; i++) {
    StoreHold *h = g_ptr_array_index (c->holds, i);

    n += h->side == side && !sync_delta_is_gone (delta, h->uid) &&
         find_pair (c->pairs, side, h->uid) == NULL;
  }
  for (guint i = 0; i < delta->messages->len; i++) {
    guint32 uid = g_array_index (delta->messages, SyncMessage, i).uid;

    n += find_pair (c->pairs, side, uid) == NULL && !is_held (c, side, uid);
  }
  return n;
}

void
plan (Case *c)
{
  SyncPlanInput *input = &c->input;

  input->mailbox = "INBOX";
  input->flags = c->flags;
  input->pairs = c->pairs;
  input->n_pairs = c->n_pairs < 0 ? c->pairs->len : (guint64)c->n_pairs;
  input->intents = c->intents;
  input->holds = c->holds;
  input->matches = input->matched ? c->matches : NULL;
  for (Side side = 0; side < N_SIDES; side++) {
    c->delta[side]->exists = c->exists[side] < 0 ? count (c, side) : (guint32)c->exists[side];
    input->delta[side] = c->delta[side];
    input->restless[side] = uid_set_is_empty (c->restless[side]) ? NULL : c->restless[side];
  }
  g_clear_pointer (&c->plan, sync_plan_free);
  c->plan = sync_plan_mailbox (input);
}

static void
describe_pairs (GString *s, const char *what, GArray *pairs)
{
  for (guint i = 0; i < pairs->len; i++) {
    StorePair *p = &g_array_index (pairs, StorePair, i);

    g_string_append_printf (s, "; %s %u=%u", what, p->uid[L], p->uid[R]);
  }
}

static void
describe_questions (Case *c, GString *s)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (c->plan->need_full[side])
      g_string_append_printf (s, "; full %s", side_name (side));
    if (c->plan->need_confirm[side])
      g_string_append_printf (s, "; confirm %s", side_name (side));
  }
  if (c->plan->need_again)
    g_string_append (s, "; again");
  if (c->plan->need_match) {
    g_autofree char *local = uid_set_to_string (c->plan->unpaired[L]);
    g_autofree char *remote = uid_set_to_string (c->plan->unpaired[R]);

    g_string_append_printf (s, "; match %s with %s", local, remote);
  }
}

static void
describe_flags (Case *c, GString *s)
{
  for (guint i = 0; i < c->plan->flags->len; i++) {
    SyncFlagChange *f = &g_array_index (c->plan->flags, SyncFlagChange, i);

    g_string_append_printf (s, "; flags %u=%u", f->uid[L], f->uid[R]);
    if (!f->send[L] && !f->send[R])
      g_string_append_printf (s, " agreed (%s)", flag_table_text (c->flags, f->agreed));
    for (Side side = 0; side < N_SIDES; side++) {
      if (f->send[side])
        g_string_append_printf (s, " to %s (%s)", side_name (side),
                                flag_table_text (c->flags, f->list[side]));
    }
  }
}

static void
describe_conflicts (Case *c, GString *s)
{
  for (guint i = 0; i < c->plan->conflicts->len; i++) {
    SyncConflict *k = g_ptr_array_index (c->plan->conflicts, i);

    g_string_append_printf (s, "; conflict %s", k->kind);
    if (strcmp (k->kind, "flags") == 0)
      g_string_append_printf (
          s, " %u=%u (%s)+(%s)=(%s)", k->uid[L], k->uid[R], flag_table_text (c->flags, k->flags[L]),
          flag_table_text (c->flags, k->flags[R]), flag_table_text (c->flags, k->result));
    else
      g_string_append_printf (s, " %s", side_name (k->side));
    if (strcmp (k->kind, "delete-vs-change") == 0)
      g_string_append_printf (s, " %u=%u", k->uid[L], k->uid[R]);
    if (strcmp (k->kind, "mass-deletion") == 0)
      g_string_append_printf (s, " %" G_GUINT64_FORMAT, k->count);
  }
}

static char *
describe (Case *c)
{
  GString *s = g_string_new (NULL);
  SyncPlan *p = c->plan;

  describe_questions (c, s);
  if (!sync_plan_has_question (p)) {
    if (p->reset)
      g_string_append (s, "; reset");
    describe_pairs (s, "pair", p->pairs);
    describe_pairs (s, "forget", p->forget);
    describe_flags (c, s);
    for (Side side = 0; side < N_SIDES; side++) {
      g_autofree char *what = g_strconcat ("expunge ", side_name (side), NULL);

      describe_pairs (s, what, p->expunge[side]);
    }
    for (Side side = 0; side < N_SIDES; side++) {
      for (guint i = 0; i < p->copy[side]->len; i++) {
        SyncMessage *m = &g_array_index (p->copy[side], SyncMessage, i);

        g_string_append_printf (s, "; copy %s %u (%s)", side_name (side), m->uid,
                                flag_table_text (c->flags, m->flags));
      }
    }
    describe_conflicts (c, s);
    if (p->waiting)
      g_string_append (s, "; waiting");
  }
  if (s->len == 0)
    g_string_append (s, "; nothing");
  g_string_erase (s, 0, 2);
  return g_string_free (s, FALSE);
}

void
expect (Case *c, const char *expected)
{
  g_autofree char *got = NULL;

  plan (c);
  got = describe (c);
  g_assert_cmpstr (got, ==, expected);
}

/* --- doing what the plan says --- */

static void
store_flags_at (Case *c, Side side, guint32 uid, FlagsId list)
{
  SyncMessage *m = sync_delta_find (c->delta[side], uid);
  FlagsId kept = flag_table_mask (c->flags, list, &c->delta[side]->mask);

  g_assert_cmpuint (kept, ==, list); /* nothing is sent that the side cannot keep */
  if (m != NULL) {
    m->flags = kept;
  } else {
    SyncMessage changed = {.uid = uid, .flags = kept};
    guint at = 0;

    while (at < c->delta[side]->messages->len &&
           g_array_index (c->delta[side]->messages, SyncMessage, at).uid < uid)
      at++;
    g_array_insert_val (c->delta[side]->messages, at, changed);
  }
}

static void
drop_pair (Case *c, const StorePair *p)
{
  for (guint i = 0; i < c->pairs->len; i++) {
    if (g_array_index (c->pairs, StorePair, i).uid[L] == p->uid[L] &&
        g_array_index (c->pairs, StorePair, i).uid[R] == p->uid[R]) {
      g_array_remove_index (c->pairs, i);
      return;
    }
  }
  g_assert_not_reached ();
}

static void
remove_message (Case *c, Side side, guint32 uid)
{
  for (guint i = 0; i < c->delta[side]->messages->len; i++) {
    if (g_array_index (c->delta[side]->messages, SyncMessage, i).uid == uid) {
      g_array_remove_index (c->delta[side]->messages, i);
      break;
    }
  }
  uid_set_add (c->delta[side]->vanished, uid);
}

static int
by_local (gconstpointer a, gconstpointer b)
{
  const StorePair *x = a, *y = b;

  return (x->uid[L] > y->uid[L]) - (x->uid[L] < y->uid[L]);
}

static void
insert_pair (Case *c, const StorePair *p)
{
  g_assert_null (find_pair (c->pairs, L, p->uid[L]));
  g_assert_null (find_pair (c->pairs, R, p->uid[R]));
  g_array_append_vals (c->pairs, p, 1);
  g_array_sort (c->pairs, by_local);
}

static void
do_copies (Case *c, Side from)
{
  for (guint i = 0; i < c->plan->copy[from]->len; i++) {
    SyncMessage m = g_array_index (c->plan->copy[from], SyncMessage, i);
    SyncDelta *to = c->delta[side_other (from)];
    SyncMessage copy = {.uid = to->uidnext++,
                        .flags = flag_table_mask (c->flags, m.flags, &to->mask)};
    StorePair p = {.flags = m.flags};

    p.uid[from] = m.uid;
    p.uid[side_other (from)] = copy.uid;
    g_array_append_val (to->messages, copy);
    insert_pair (c, &p);
  }
}

void
settled (Case *c)
{
  SyncPlan *p = c->plan;

  if (p->reset)
    g_array_set_size (c->pairs, 0);
  for (guint i = 0; i < p->forget->len; i++)
    drop_pair (c, &g_array_index (p->forget, StorePair, i));
  for (guint i = 0; i < p->pairs->len; i++)
    insert_pair (c, &g_array_index (p->pairs, StorePair, i));
  for (guint i = 0; i < p->flags->len; i++) {
    SyncFlagChange *f = &g_array_index (p->flags, SyncFlagChange, i);
    StorePair *changed = find_pair (c->pairs, L, f->uid[L]);

    g_assert_nonnull (changed);
    changed->flags = f->agreed;
    for (Side side = 0; side < N_SIDES; side++) {
      if (f->send[side])
        store_flags_at (c, side, f->uid[side], f->list[side]);
    }
  }
  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < p->expunge[side]->len; i++) {
      StorePair *e = &g_array_index (p->expunge[side], StorePair, i);

      remove_message (c, side, e->uid[side]);
      drop_pair (c, e);
    }
  }
  do_copies (c, L);
  do_copies (c, R);
  for (Side side = 0; side < N_SIDES; side++) {
    c->delta[side]->trust = SYNC_TRUST_PROVED;
    c->exists[side] = -1;
  }
  g_ptr_array_set_size (c->intents, 0);
  c->n_pairs = -1;
  c->input = (SyncPlanInput){0};
  expect (c, "nothing");
  g_assert_true (sync_plan_is_empty (c->plan));
}
