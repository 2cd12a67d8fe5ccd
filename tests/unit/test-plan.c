/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plan-case.h"

/* --- new messages --- */

static void
test_copy_from_one_side_asks_nothing (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_INFERRED);
  full (c, R, SYNC_TRUST_INFERRED);
  message (c, L, 1, "\\Seen Work");
  message (c, L, 4, "");
  expect (c, "copy local 1 (\\Seen Work); copy local 4 ()");
  g_assert_true (sync_plan_has_effect (c->plan));
  g_assert_false (sync_plan_has_question (c->plan));
  settled (c);
}

static void
test_copy_both_ways_after_identity (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_INFERRED);
  full (c, R, SYNC_TRUST_INFERRED);
  message (c, L, 1, "\\Seen");
  message (c, L, 2, "");
  message (c, R, 7, "Work");
  expect (c, "match 1:2 with 7");
  g_assert_true (sync_plan_has_question (c->plan));
  c->input.matched = TRUE;
  expect (c, "copy local 1 (\\Seen); copy local 2 (); copy remote 7 (Work)");
  settled (c);
}

static void
test_matched_pairs_take_the_union_silently (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_INFERRED);
  full (c, R, SYNC_TRUST_INFERRED);
  message (c, L, 1, "\\Seen");
  message (c, L, 2, "\\Flagged");
  message (c, R, 1, "Work");
  message (c, R, 2, "\\Flagged");
  message (c, R, 3, "");
  c->input.matched = TRUE;
  match (c, 1, 1);
  match (c, 2, 2);
  plan (c);
  g_assert_cmpuint (c->plan->pairs->len, ==, 2);
  g_assert_cmpuint (c->plan->conflicts->len, ==, 0);
  g_assert_cmpuint (c->plan->copy[L]->len, ==, 0);
  g_assert_cmpuint (c->plan->copy[R]->len, ==, 1);
  settled (c);
  g_assert_cmpstr (flag_table_text (c->flags, sync_delta_find (c->delta[L], 1)->flags), ==,
                   "\\Seen Work");
  g_assert_cmpstr (flag_table_text (c->flags, sync_delta_find (c->delta[R], 1)->flags), ==,
                   "\\Seen Work");
}

static void
test_identity_is_asked_for_the_unpaired_only (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  pair (c, 2, 2, "");
  message (c, L, 2, "");
  message (c, L, 3, "");
  message (c, R, 3, "");
  message (c, R, 4, "");
  hold (c, R, 4, STORE_HOLD_REFUSED);
  expect (c, "match 3 with 3:4"); /* the held one may be what somebody put there meanwhile */
  c->input.matched = TRUE;
  match (c, 3, 3);
  expect (c, "pair 3=3");
}

/* --- flags --- */

static const struct {
  const char *name, *agreed, *local, *remote, *plan; /* NULL: not in the delta */
} flag_cases[] = {
    {"unchanged", "\\Seen", "\\Seen", "\\Seen", "nothing"},
    {"set-local", "", "\\Seen", NULL, "flags 1=7 to remote (\\Seen)"},
    {"set-remote", "", NULL, "Work", "flags 1=7 to local (Work)"},
    {"set-local-other-reported", "", "\\Seen", "", "flags 1=7 to remote (\\Seen)"},
    {"cleared-local", "\\Seen Work", "Work", NULL, "flags 1=7 to remote (Work)"},
    {"cleared-all-remote", "\\Seen Work", NULL, "", "flags 1=7 to local ()"},
    {"same-on-both", "", "\\Seen", "\\Seen", "flags 1=7 agreed (\\Seen)"},
    {"same-cleared-on-both", "\\Seen", "", "", "flags 1=7 agreed ()"},
    {"union", "", "\\Seen", "\\Flagged",
     "flags 1=7 to local (\\Flagged \\Seen) to remote (\\Flagged \\Seen); "
     "conflict flags 1=7 (\\Seen)+(\\Flagged)=(\\Flagged \\Seen)"},
    {"union-one-sends", "", "\\Seen", "\\Flagged \\Seen",
     "flags 1=7 to local (\\Flagged \\Seen); "
     "conflict flags 1=7 (\\Seen)+(\\Flagged \\Seen)=(\\Flagged \\Seen)"},
};

static void
test_flags (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, flag_cases[i].agreed);
  pair (c, 2, 8, "");
  if (flag_cases[i].local)
    message (c, L, 1, flag_cases[i].local);
  if (flag_cases[i].remote)
    message (c, R, 7, flag_cases[i].remote);
  expect (c, flag_cases[i].plan);
  settled (c);
}

/* What remote can keep is the system flags alone. */
static Case *
case_without_keywords (void)
{
  Case *c = case_new ();

  c->delta[R]->mask.any_keyword = FALSE;
  return c;
}

static void
test_keyword_survives_where_it_was_set (void)
{
  g_autoptr (Case) c = case_without_keywords ();

  pair (c, 1, 1, "");
  pair (c, 2, 2, "Work");
  pair (c, 3, 3, "Work");
  pair (c, 4, 4, "Work");
  message (c, L, 1, "Work");
  message (c, L, 3, "\\Seen Work");
  message (c, R, 2, "");
  message (c, R, 4, "\\Flagged");
  plan (c);
  g_assert_cmpuint (c->plan->conflicts->len, ==, 0);
  for (guint i = 0; i < c->plan->flags->len; i++) {
    SyncFlagChange *f = &g_array_index (c->plan->flags, SyncFlagChange, i);

    g_assert_cmpuint (f->uid[L], !=, 2);
    g_assert_cmpint (f->send[L], ==, f->uid[L] == 4);
    g_assert_cmpint (f->send[R], ==, f->uid[L] == 3);
    if (f->send[L]) /* it has what remote cannot hold */
      g_assert_cmpstr (flag_table_text (c->flags, f->list[L]), ==, "\\Flagged Work");
    if (f->send[R])
      g_assert_cmpstr (flag_table_text (c->flags, f->list[R]), ==, "\\Seen");
  }
  settled (c);
}

static void
test_keyword_goes_with_its_owner (void)
{
  g_autoptr (Case) c = case_without_keywords ();

  pair (c, 1, 1, "\\Seen Work");
  message (c, L, 1, "\\Seen");
  expect (c, "flags 1=1 agreed (\\Seen)");
  settled (c);
}

static void
test_flag_refused_before_is_not_sent (void)
{
  g_autoptr (Case) c = case_new ();

  c->delta[R]->mask.refused = flags_of (c, "Bad");
  pair (c, 1, 1, "");
  message (c, L, 1, "\\Seen bad");
  expect (c, "flags 1=1 to remote (\\Seen)");
  settled (c);
}

/* Both changed, each has what the other cannot hold. */
static void
test_union_leaves_each_its_own (void)
{
  g_autoptr (Case) c = case_new ();

  c->delta[L]->mask.refused = flags_of (c, "Blue");
  c->delta[R]->mask.refused = flags_of (c, "Red");
  pair (c, 1, 1, "Red Blue");
  message (c, L, 1, "Red \\Seen");
  message (c, R, 1, "Blue \\Flagged");
  expect (c,
          "flags 1=1 to local (\\Flagged \\Seen Red) to remote (\\Flagged \\Seen Blue); conflict "
          "flags 1=1 (\\Seen Red)+(\\Flagged Blue)=(\\Flagged \\Seen Blue Red)");
  settled (c);
}

static void
test_only_unstorable_changed_on_one_side_is_no_conflict (void)
{
  g_autoptr (Case) c = case_without_keywords ();

  pair (c, 1, 1, "");
  message (c, L, 1, "Work");
  message (c, R, 1, "\\Seen");
  expect (c, "flags 1=1 to local (\\Seen Work)");
  settled (c);
}

/* --- expunges --- */

static void
test_expunge_is_mirrored (void)
{
  g_autoptr (Case) c = case_new ();

  for (guint i = 1; i <= 4; i++)
    pair (c, i, i + 10, "");
  gone (c, L, 1);
  gone (c, R, 12);
  gone (c, L, 900); /* never ours */
  expect (c, "expunge local 2=12; expunge remote 1=11");
  settled (c);
}

static void
test_expunge_on_both_is_forgotten (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 11, "");
  pair (c, 2, 12, "");
  gone (c, L, 1);
  gone (c, R, 11);
  expect (c, "forget 1=11");
  g_assert_false (sync_plan_has_effect (c->plan));
  g_assert_false (sync_plan_is_empty (c->plan));
  settled (c);
}

static void
test_deletion_wins_over_change (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 11, "");
  pair (c, 2, 12, "\\Seen");
  pair (c, 3, 13, "");
  gone (c, L, 1);
  gone (c, L, 2);
  message (c, R, 11, "\\Flagged");
  message (c, R, 12, "\\Seen"); /* reported, but as it was */
  expect (c, "expunge remote 1=11; expunge remote 2=12; conflict delete-vs-change local 1=11");
  settled (c);
}

static void
test_everything_vanished_is_confirmed_first (void)
{
  g_autoptr (Case) c = case_new ();

  for (guint i = 1; i <= 3; i++) {
    pair (c, i, i, "");
    gone (c, R, i);
  }
  expect (c, "confirm remote");
  c->input.confirmed[R] = TRUE;
  expect (c, "expunge local 1=1; expunge local 2=2; expunge local 3=3");
  settled (c);
}

static void
test_everything_vanished_and_new_ones_came_needs_no_question (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  gone (c, R, 1);
  message (c, R, 2, "");
  expect (c, "expunge local 1=1; copy remote 2 ()");
}

static void
test_both_emptied_needs_no_question (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  gone (c, L, 1);
  gone (c, R, 1);
  expect (c, "forget 1=1");
}

static void
many (Case *c, guint n, guint n_gone, SyncTrust trust)
{
  full (c, L, trust);
  full (c, R, SYNC_TRUST_PROVED);
  for (guint i = 1; i <= n; i++) {
    pair (c, i, i, "");
    message (c, R, i, "");
    if (i > n_gone)
      message (c, L, i, "");
  }
}

static const struct {
  const char *name;
  guint n, gone;
  gboolean mass;
} mass_cases[] = {
    {"20-of-100", 100, 20, FALSE},
    {"21-of-100", 100, 21, TRUE},
    {"30-of-300", 300, 30, FALSE},
    {"31-of-300", 300, 31, TRUE},
};

static void
test_mass_deletion (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  guint n = mass_cases[i].n, n_gone = mass_cases[i].gone;
  g_autoptr (Case) c = case_new ();

  many (c, n, n_gone, SYNC_TRUST_INFERRED);
  plan (c);
  g_assert_false (sync_plan_has_question (c->plan));
  g_assert_cmpint (c->plan->waiting, ==, mass_cases[i].mass);
  g_assert_cmpuint (c->plan->expunge[R]->len, ==, mass_cases[i].mass ? 0 : n_gone);
  g_assert_cmpuint (c->plan->conflicts->len, ==, mass_cases[i].mass ? 1 : 0);
  g_assert_cmpuint (c->plan->copy[R]->len, ==, 0);
  if (mass_cases[i].mass) {
    SyncConflict *k = g_ptr_array_index (c->plan->conflicts, 0);

    g_assert_cmpstr (k->kind, ==, "mass-deletion");
    g_assert_cmpint (k->side, ==, L);
    g_assert_cmpuint (k->count, ==, n_gone);
    g_assert_false (sync_plan_has_effect (c->plan));
  }
}

static void
test_mass_deletion_waits_alone (void)
{
  g_autoptr (Case) c = case_new ();

  many (c, 100, 30, SYNC_TRUST_INFERRED);
  message (c, L, 200, "");
  sync_delta_find (c->delta[R], 90)->flags = flags_of (c, "\\Seen");
  expect (c, "flags 90=90 to local (\\Seen); copy local 200 (); conflict mass-deletion local 30; "
             "waiting");
}

static void
test_mass_deletion_applied (void)
{
  g_autoptr (Case) c = case_new ();

  many (c, 100, 21, SYNC_TRUST_INFERRED);
  c->input.mass[L] = SYNC_MASS_APPLY;
  plan (c);
  g_assert_false (c->plan->waiting);
  g_assert_cmpuint (c->plan->conflicts->len, ==, 0);
  g_assert_cmpuint (c->plan->expunge[R]->len, ==, 21);
  settled (c);
}

static void
test_mass_deletion_restored (void)
{
  g_autoptr (Case) c = case_new ();

  many (c, 100, 21, SYNC_TRUST_INFERRED);
  c->input.mass[L] = SYNC_MASS_RESTORE;
  plan (c);
  g_assert_false (c->plan->waiting);
  g_assert_cmpuint (c->plan->conflicts->len, ==, 0);
  g_assert_cmpuint (c->plan->expunge[R]->len, ==, 0);
  g_assert_cmpuint (c->plan->copy[R]->len, ==, 21);
  settled (c);
  g_assert_cmpuint (c->delta[L]->messages->len, ==, 100);
  g_assert_cmpuint (c->delta[R]->messages->len, ==, 100);
}

/* They did not change, so a delta does not name them. */
static void
test_mass_deletion_restored_asks_for_the_other_side (void)
{
  g_autoptr (Case) c = case_new ();

  many (c, 100, 21, SYNC_TRUST_INFERRED);
  c->delta[R]->full = FALSE;
  g_array_set_size (c->delta[R]->messages, 0);
  c->input.mass[L] = SYNC_MASS_RESTORE;
  expect (c, "full remote");
}

static void
test_proved_deletion_of_many_is_mirrored (void)
{
  g_autoptr (Case) c = case_new ();

  many (c, 100, 60, SYNC_TRUST_PROVED);
  plan (c);
  g_assert_false (c->plan->waiting);
  g_assert_cmpuint (c->plan->expunge[R]->len, ==, 60);
  settled (c);
}

/* --- numbers that are not believed --- */

static void
test_no_trust_asks_for_everything (void)
{
  g_autoptr (Case) c = case_new ();

  c->delta[L]->trust = SYNC_TRUST_NONE;
  pair (c, 1, 1, "");
  pair (c, 2, 2, "");
  expect (c, "full local; full remote");
  full (c, L, SYNC_TRUST_NONE);
  message (c, L, 101, "");
  message (c, L, 102, "");
  expect (c, "full remote");
  full (c, R, SYNC_TRUST_PROVED);
  message (c, R, 1, "");
  message (c, R, 2, "");
  expect (c, "match 101:102 with 1:2");
}

static void
test_no_trust_makes_pairs_anew (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_NONE);
  full (c, R, SYNC_TRUST_PROVED);
  pair (c, 1, 1, "\\Seen"); /* cleared on local: with the old pair's flags that is seen */
  pair (c, 2, 2, "");       /* set on remote */
  pair (c, 3, 3, "");       /* lost on local: comes back */
  pair (c, 4, 4, "");       /* gone on remote, still on local: comes back */
  message (c, L, 101, "");
  message (c, L, 102, "");
  message (c, L, 104, "");
  message (c, R, 1, "\\Seen");
  message (c, R, 2, "\\Flagged");
  message (c, R, 3, "");
  c->input.matched = TRUE;
  match (c, 101, 1);
  match (c, 102, 2);
  expect (c, "reset; pair 101=1; pair 102=2; flags 101=1 to remote (); "
             "flags 102=2 to local (\\Flagged); copy local 104 (); copy remote 3 (); "
             "conflict uidvalidity local");
  settled (c);
}

static void
test_no_trust_on_both_takes_the_union (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_NONE);
  full (c, R, SYNC_TRUST_NONE);
  pair (c, 1, 1, "\\Seen \\Flagged");
  message (c, L, 1, "");
  message (c, R, 1, "Work");
  c->input.matched = TRUE;
  match (c, 1, 1);
  expect (c, "reset; pair 1=1; flags 1=1 to local (Work); "
             "conflict uidvalidity local; conflict uidvalidity remote");
  settled (c);
}

/* A backup put back while a pass was cut off: the saved UIDNEXT is lower than both. */
static void
test_pair_above_uidnext_is_no_deletion (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_INFERRED);
  full (c, R, SYNC_TRUST_INFERRED);
  pair (c, 1, 1, "");
  pair (c, 2, 1000, "");
  message (c, L, 1, "");
  message (c, L, 2, "");
  message (c, R, 1, "");
  expect (c, "match 1:2 with 1");
  c->input.matched = TRUE;
  match (c, 1, 1);
  expect (c, "reset; pair 1=1; copy local 2 (); conflict uidvalidity remote");
}

/* A backup was put back, and new mail has carried UIDNEXT past the saved one. */
static void
test_pair_of_another_id_is_no_pair (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  pair (c, 2, 2, "");
  g_array_index (c->pairs, StorePair, 1).guid[R] = 77;
  arrived (c, R, 2, "\\Seen", 100, 1000);
  expect (c, "flags 2=2 to local (\\Seen)"); /* it tells no id */
  g_array_index (c->delta[R]->messages, SyncMessage, 0).guid = 77;
  expect (c, "flags 2=2 to local (\\Seen)");
  g_array_index (c->delta[R]->messages, SyncMessage, 0).guid = 78;
  expect (c, "full local; full remote");
}

static void
test_count_unlike_ours_asks_for_everything (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  pair (c, 2, 2, "");
  c->exists[R] = 1;
  expect (c, "full remote");
  c->exists[R] = 3;
  expect (c, "full remote");
}

static void
test_count_knows_pairs_that_are_not_named (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  gone (c, L, 1);
  message (c, R, 501, "");
  hold (c, L, 400, STORE_HOLD_REFUSED);
  c->n_pairs = 300;
  c->exists[L] = 300;
  c->exists[R] = 301;
  expect (c, "expunge remote 1=1; copy remote 501 ()");
}

/* --- intents --- */

static void
test_flag_cleared_by_its_owner_stays_cleared (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "");
  message (c, L, 1, "");
  message (c, R, 7, "\\Seen");
  intent (c, STORE_INTENT_FLAGS, R, "7", "\\Seen");
  expect (c, "flags 1=7 to remote ()");
  settled (c);
}

static void
test_flag_intent_done_is_no_change (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "");
  message (c, L, 1, "\\Seen");
  message (c, R, 7, "\\Seen");
  intent (c, STORE_INTENT_FLAGS, R, "5:9", "\\Seen");
  expect (c, "flags 1=7 agreed (\\Seen)");
  settled (c);
}

static void
test_flag_intent_not_done_is_planned_again (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "");
  message (c, L, 1, "\\Seen");
  intent (c, STORE_INTENT_FLAGS, R, "7", "\\Seen");
  expect (c, "flags 1=7 to remote (\\Seen)");
  settled (c);
}

/* Both had changed, remote has the union already, and local got one more since. */
static void
test_half_done_union_loses_nothing (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "");
  message (c, L, 1, "\\Seen Work");
  message (c, R, 7, "\\Flagged \\Seen");
  intent (c, STORE_INTENT_FLAGS, L, "1", "\\Flagged \\Seen");
  intent (c, STORE_INTENT_FLAGS, R, "7", "\\Flagged \\Seen");
  plan (c);
  settled (c);
  g_assert_cmpstr (flag_table_text (c->flags, sync_delta_find (c->delta[L], 1)->flags), ==,
                   "\\Flagged \\Seen Work");
  g_assert_cmpstr (flag_table_text (c->flags, sync_delta_find (c->delta[R], 7)->flags), ==,
                   "\\Flagged \\Seen Work");
}

static void
test_flag_intent_of_another_uidvalidity_is_void (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "");
  message (c, L, 1, "");
  message (c, R, 7, "\\Seen");
  intent (c, STORE_INTENT_FLAGS, R, "7", "\\Seen");
  c->delta[R]->uidvalidity++;
  expect (c, "flags 1=7 to local (\\Seen)");
  settled (c);
}

static void
test_deleted_flag_of_ours_is_an_echo (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 7, "\\Seen");
  pair (c, 2, 8, "");
  pair (c, 3, 9, "");
  gone (c, L, 1);
  gone (c, L, 2);
  message (c, R, 7, "\\Deleted \\Seen");
  message (c, R, 8, "\\Deleted");
  intent (c, STORE_INTENT_EXPUNGE, R, "7", "");
  expect (c, "expunge remote 1=7; expunge remote 2=8; conflict delete-vs-change local 2=8");
  settled (c);
}

static void
test_copy_intent_is_the_base_of_its_match (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 9, 9, "");
  message (c, L, 1, "");
  message (c, R, 600, "\\Seen");
  intent (c, STORE_INTENT_COPY, R, "1", "\\Seen");
  expect (c, "match 1 with 600");
  c->input.matched = TRUE;
  match (c, 1, 600);
  expect (c, "pair 1=600; flags 1=600 to remote ()");
  settled (c);
}

static void
test_copy_intent_masked_by_the_target (void)
{
  g_autoptr (Case) c = case_without_keywords ();

  pair (c, 9, 9, "");
  message (c, L, 1, "\\Seen Work");
  message (c, R, 600, "\\Seen");
  intent (c, STORE_INTENT_COPY, R, "1", "\\Seen Work");
  c->input.matched = TRUE;
  match (c, 1, 600);
  plan (c);
  settled (c);
  g_assert_cmpstr (flag_table_text (c->flags, sync_delta_find (c->delta[L], 1)->flags), ==,
                   "\\Seen Work");
}

static void
test_copy_intent_asks_twice (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 9, 9, "");
  message (c, L, 1, "");
  message (c, L, 2, "");
  intent (c, STORE_INTENT_COPY, R, "1", "");
  expect (c, "again");
  c->input.asked_twice = TRUE;
  expect (c, "copy local 1 (); copy local 2 ()");
  settled (c);
}

static void
test_copy_intent_unmatched_asks_twice (void)
{
  g_autoptr (Case) c = case_new ();

  message (c, L, 1, "");
  message (c, R, 600, "");
  intent (c, STORE_INTENT_COPY, R, "1", "");
  expect (c, "match 1 with 600");
  c->input.matched = TRUE;
  expect (c, "again");
  c->input.matched = FALSE;
  c->input.asked_twice = TRUE;
  expect (c, "match 1 with 600");
  c->input.matched = TRUE;
  expect (c, "copy local 1 (); copy remote 600 ()");
  settled (c);
}

/* What was to be copied has other UIDs now: it may be anything. */
static void
test_copy_intent_of_renumbered_messages_asks_twice (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_NONE);
  full (c, R, SYNC_TRUST_PROVED);
  message (c, L, 4, "");
  intent (c, STORE_INTENT_COPY, R, "1", "");
  expect (c, "again");
  c->input.asked_twice = TRUE;
  expect (c, "reset; copy local 4 ()");
}

static void
test_copy_intent_of_a_gone_source_asks_nothing (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 9, 9, "");
  gone (c, L, 1);
  intent (c, STORE_INTENT_COPY, R, "1", "");
  expect (c, "nothing");
}

/* --- copies whose originals are gone --- */

/* What was to be copied, and is gone now: on local, UID 1 of 100 bytes, UIDs 2 and 3 of 200. */
static Case *
departed_case (void)
{
  Case *c = case_new ();

  pair (c, 9, 9, "");
  for (guint32 uid = 1; uid <= 3; uid++)
    gone (c, L, uid);
  intent (c, STORE_INTENT_COPY, R, "1:3", "\\Seen");
  describe_intent (c, 1, 100, 1000);
  describe_intent (c, 2, 200, 900);
  describe_intent (c, 3, 200, 900);
  c->input.asked_twice = TRUE;
  return c;
}

static void
test_landed_copy_of_an_expunged_message_follows (void)
{
  g_autoptr (Case) c = departed_case ();

  arrived (c, R, 600, "\\Seen", 100, 1000);
  c->input.asked_twice = FALSE;
  expect (c, "again");
  c->input.asked_twice = TRUE;
  expect (c, "pair 1=600; expunge remote 1=600");
  settled (c);
}

static void
test_landed_copies_are_a_multiset (void)
{
  g_autoptr (Case) c = departed_case ();

  arrived (c, R, 600, "\\Seen", 200, 900);
  arrived (c, R, 601, "\\Seen", 200, 900);
  expect (c, "pair 2=600; pair 3=601; expunge remote 2=600; expunge remote 3=601");
  settled (c);
}

static void
test_more_of_them_than_were_to_be_copied_are_kept (void)
{
  g_autoptr (Case) c = departed_case ();

  for (guint32 uid = 600; uid <= 602; uid++)
    arrived (c, R, uid, "", 200, 900);
  arrived (c, R, 603, "\\Seen", 100, 1000);
  expect (c, "pair 1=603; expunge remote 1=603; copy remote 600 (); copy remote 601 (); "
             "copy remote 602 ()");
  settled (c);
}

/* Of two that look alike one is still there: whose copy it is cannot be told. */
static void
test_landed_copy_of_one_of_two_is_kept (void)
{
  g_autoptr (Case) c = departed_case ();

  arrived (c, L, 4, "", 100, 1000);
  arrived (c, R, 600, "\\Seen", 100, 1000);
  c->input.matched = TRUE;
  expect (c, "copy local 4 (); copy remote 600 (\\Seen)");
  match (c, 4, 600);
  expect (c, "pair 4=600; flags 4=600 to local (\\Seen)");
}

static void
test_what_only_looks_like_a_landed_copy_is_kept (void)
{
  g_autoptr (Case) c = departed_case ();

  arrived (c, R, 499, "", 100, 1000); /* was there before */
  arrived (c, R, 600, "", 100, 1001);
  arrived (c, R, 601, "", 101, 1000);
  message (c, R, 602, ""); /* nobody knows yet */
  expect (c, "copy remote 499 (); copy remote 600 (); copy remote 601 (); copy remote 602 ()");
  settled (c);
}

static void
test_landed_copy_that_was_changed_tells_a_conflict (void)
{
  g_autoptr (Case) c = departed_case ();

  arrived (c, R, 600, "\\Flagged \\Seen", 100, 1000);
  expect (c, "pair 1=600; expunge remote 1=600; conflict delete-vs-change local 1=600");
}

static void
test_landed_copy_of_a_lost_message_is_kept (void)
{
  static const char kept[] = "copy remote 600 (\\Seen)";
  g_autoptr (Case) c = departed_case ();

  arrived (c, R, 600, "\\Seen", 100, 1000);
  hold (c, L, 1, STORE_HOLD_REFUSED);
  expect (c, kept); /* it never went out */
  g_ptr_array_set_size (c->holds, 0);
  c->delta[L]->uidnext = 1;
  g_array_set_size (c->pairs, 0);
  expect (c, kept); /* a backup was put back */
  c->delta[L]->uidnext = 1000;
  c->delta[L]->trust = SYNC_TRUST_INFERRED;
  expect (c, kept);
  c->delta[L]->trust = SYNC_TRUST_PROVED;
  c->delta[R]->uidvalidity++;
  expect (c, kept);
  c->delta[R]->uidvalidity--;
  expect (c, "confirm local"); /* nothing else is there: renamed away? */
  c->input.confirmed[L] = TRUE;
  expect (c, "pair 1=600; expunge remote 1=600");
}

static void
test_landed_copy_in_a_full_list_follows (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_PROVED);
  full (c, R, SYNC_TRUST_PROVED);
  arrived (c, L, 2, "", 50, -5);
  intent (c, STORE_INTENT_COPY, R, "1:3", "");
  describe_intent (c, 1, G_MAXUINT32, -2);
  describe_intent (c, 2, 50, -5);
  describe_intent (c, 3, 70, G_MAXINT64);
  arrived (c, R, 500, "", G_MAXUINT32, -2);
  arrived (c, R, 501, "", 50, -5);
  arrived (c, R, 502, "", 70, G_MAXINT64);
  match (c, 2, 501);
  c->input.matched = c->input.asked_twice = TRUE;
  expect (c, "pair 2=501; pair 3=502; pair 1=500; expunge remote 3=502; expunge remote 1=500");
  settled (c);
}

/* A database may say anything. */
static void
test_torn_descriptions_describe_nothing (void)
{
  static const guint8 bad[][4] = {{0}, {0x80, 0x80}, {100}, {0xff, 0xff, 0xff, 0xff}};

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (Case) c = departed_case ();
    StoreIntent *torn = g_ptr_array_index (c->intents, 0);

    arrived (c, R, 600, "", 100, 1000);
    g_bytes_unref (torn->descriptions);
    torn->descriptions = g_bytes_new (bad[i], i == 3 ? 4 : i);
    expect (c, "copy remote 600 ()");
  }
}

/* --- what is left alone --- */

static void
test_held_copies_are_left_alone (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  message (c, L, 5, "");
  message (c, R, 6, "");
  message (c, R, 7, "");
  hold (c, L, 5, STORE_HOLD_REFUSED);
  hold (c, R, 6, STORE_HOLD_UNREADABLE);
  hold (c, R, 7, STORE_HOLD_UNSTABLE);
  c->input.matched = TRUE;
  expect (c, "nothing");
  g_assert_true (sync_plan_is_empty (c->plan));
}

/* The numbers stay: only a gather from the old ones tells the change again. */
static void
test_refused_stores_and_expunges_wait (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 2, 12, "");
  pair (c, 3, 13, "");
  message (c, L, 2, "\\Seen");
  gone (c, R, 13);
  hold (c, R, 12, STORE_HOLD_FLAGS);
  hold (c, L, 3, STORE_HOLD_EXPUNGE);
  expect (c, "waiting");
  g_assert_false (sync_plan_has_effect (c->plan));
}

static void
test_hold_of_a_renumbered_uid_is_another_message (void)
{
  g_autoptr (Case) c = case_new ();

  full (c, L, SYNC_TRUST_NONE);
  full (c, R, SYNC_TRUST_PROVED);
  message (c, L, 5, "");
  hold (c, L, 5, STORE_HOLD_REFUSED);
  expect (c, "reset; copy local 5 ()");
  c->delta[L]->trust = SYNC_TRUST_PROVED;
  c->delta[R]->trust = SYNC_TRUST_NONE;
  expect (c, "reset; copy local 5 ()");
}

static void
test_held_message_gone_is_no_mismatch (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 1, "");
  gone (c, L, 5);
  hold (c, L, 5, STORE_HOLD_REFUSED);
  expect (c, "nothing");
}

static void
test_restless_messages_become_unstable (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 11, "");
  pair (c, 2, 12, "");
  pair (c, 4, 14, "");
  message (c, L, 1, "\\Seen");
  message (c, L, 2, "\\Seen");
  message (c, L, 3, "");
  gone (c, L, 4);
  uid_set_add (c->restless[L], 3);
  uid_set_add (c->restless[R], 11);
  uid_set_add (c->restless[R], 14);
  expect (c, "flags 2=12 to remote (\\Seen); waiting");
  g_assert_true (uid_set_contains (c->plan->unstable[L], 3));
  g_assert_true (uid_set_contains (c->plan->unstable[R], 11));
  g_assert_true (uid_set_contains (c->plan->unstable[R], 14));
  g_assert_cmpuint (uid_set_count (c->plan->unstable[L]), ==, 1);
  g_assert_cmpuint (uid_set_count (c->plan->unstable[R]), ==, 2);
}

/* Half of a merge written is the other half lost. */
static void
test_restless_pair_is_written_to_on_neither_side (void)
{
  g_autoptr (Case) c = case_new ();

  pair (c, 1, 11, "");
  message (c, R, 11, "\\Seen");
  uid_set_add (c->restless[R], 11);
  expect (c, "waiting");
  g_assert_true (uid_set_contains (c->plan->unstable[R], 11));
}

static void
test_read_only_side_is_not_written_to (void)
{
  g_autoptr (Case) c = case_new ();

  c->delta[R]->read_only = TRUE;
  pair (c, 1, 1, "");
  pair (c, 2, 2, "");
  pair (c, 3, 3, "");
  pair (c, 4, 4, "");
  message (c, L, 1, "\\Seen");
  gone (c, L, 2);
  message (c, L, 10, "");
  message (c, R, 3, "\\Flagged");
  gone (c, R, 4);
  expect (c, "flags 3=3 to local (\\Flagged); expunge local 4=4; conflict read-only remote; "
             "waiting");
}

static void
test_read_only_side_with_nothing_for_it_is_no_conflict (void)
{
  g_autoptr (Case) c = case_new ();

  c->delta[R]->read_only = TRUE;
  c->delta[R]->mask = (FlagMask){0}; /* EXAMINE: PERMANENTFLAGS () */
  pair (c, 1, 1, "\\Seen Work");
  message (c, R, 1, "\\Seen Work");
  expect (c, "nothing");
}

#define ADD(path, function) g_test_add_func ("/plan/" path, test_##function)

static void
add_new_and_flags (void)
{
  ADD ("new/copy-from-one-side-asks-nothing", copy_from_one_side_asks_nothing);
  ADD ("new/copy-both-ways-after-identity", copy_both_ways_after_identity);
  ADD ("new/matched-pairs-take-the-union-silently", matched_pairs_take_the_union_silently);
  ADD ("new/identity-is-asked-for-the-unpaired-only", identity_is_asked_for_the_unpaired_only);
  for (guint i = 0; i < G_N_ELEMENTS (flag_cases); i++) {
    g_autofree char *path = g_strconcat ("/plan/flags/", flag_cases[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_flags);
  }
  ADD ("flags/keyword-survives-where-it-was-set", keyword_survives_where_it_was_set);
  ADD ("flags/keyword-goes-with-its-owner", keyword_goes_with_its_owner);
  ADD ("flags/refused-before-is-not-sent", flag_refused_before_is_not_sent);
  ADD ("flags/union-leaves-each-its-own", union_leaves_each_its_own);
  ADD ("flags/only-unstorable-changed-on-one-side-is-no-conflict",
       only_unstorable_changed_on_one_side_is_no_conflict);
}

static void
add_expunges (void)
{
  ADD ("expunge/is-mirrored", expunge_is_mirrored);
  ADD ("expunge/on-both-is-forgotten", expunge_on_both_is_forgotten);
  ADD ("expunge/deletion-wins-over-change", deletion_wins_over_change);
  ADD ("expunge/everything-vanished-is-confirmed-first", everything_vanished_is_confirmed_first);
  ADD ("expunge/everything-vanished-and-new-ones-came-needs-no-question",
       everything_vanished_and_new_ones_came_needs_no_question);
  ADD ("expunge/both-emptied-needs-no-question", both_emptied_needs_no_question);
  for (guint i = 0; i < G_N_ELEMENTS (mass_cases); i++) {
    g_autofree char *path = g_strconcat ("/plan/mass-deletion/", mass_cases[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_mass_deletion);
  }
  ADD ("mass-deletion/waits-alone", mass_deletion_waits_alone);
  ADD ("mass-deletion/applied", mass_deletion_applied);
  ADD ("mass-deletion/restored", mass_deletion_restored);
  ADD ("mass-deletion/restored-asks-for-the-other-side",
       mass_deletion_restored_asks_for_the_other_side);
  ADD ("mass-deletion/proved-is-mirrored", proved_deletion_of_many_is_mirrored);
}

static void
add_trust_and_intents (void)
{
  ADD ("trust/none-asks-for-everything", no_trust_asks_for_everything);
  ADD ("trust/none-makes-pairs-anew", no_trust_makes_pairs_anew);
  ADD ("trust/none-on-both-takes-the-union", no_trust_on_both_takes_the_union);
  ADD ("trust/pair-above-uidnext-is-no-deletion", pair_above_uidnext_is_no_deletion);
  ADD ("trust/another-id", pair_of_another_id_is_no_pair);
  ADD ("trust/count-unlike-ours-asks-for-everything", count_unlike_ours_asks_for_everything);
  ADD ("trust/count-knows-pairs-that-are-not-named", count_knows_pairs_that_are_not_named);
  ADD ("intent/flag-cleared-by-its-owner-stays-cleared", flag_cleared_by_its_owner_stays_cleared);
  ADD ("intent/flags-done-is-no-change", flag_intent_done_is_no_change);
  ADD ("intent/flags-not-done-is-planned-again", flag_intent_not_done_is_planned_again);
  ADD ("intent/half-done-union-loses-nothing", half_done_union_loses_nothing);
  ADD ("intent/of-another-uidvalidity-is-void", flag_intent_of_another_uidvalidity_is_void);
  ADD ("intent/deleted-flag-of-ours-is-an-echo", deleted_flag_of_ours_is_an_echo);
  ADD ("intent/copy-is-the-base-of-its-match", copy_intent_is_the_base_of_its_match);
  ADD ("intent/copy-masked-by-the-target", copy_intent_masked_by_the_target);
  ADD ("intent/copy-asks-twice", copy_intent_asks_twice);
  ADD ("intent/copy-unmatched-asks-twice", copy_intent_unmatched_asks_twice);
  ADD ("intent/copy-of-renumbered-messages-asks-twice",
       copy_intent_of_renumbered_messages_asks_twice);
  ADD ("intent/copy-of-a-gone-source-asks-nothing", copy_intent_of_a_gone_source_asks_nothing);
  ADD ("landed/follows", landed_copy_of_an_expunged_message_follows);
  ADD ("landed/multiset", landed_copies_are_a_multiset);
  ADD ("landed/too-many", more_of_them_than_were_to_be_copied_are_kept);
  ADD ("landed/one-of-two", landed_copy_of_one_of_two_is_kept);
  ADD ("landed/looks-like-it", what_only_looks_like_a_landed_copy_is_kept);
  ADD ("landed/changed", landed_copy_that_was_changed_tells_a_conflict);
  ADD ("landed/lost", landed_copy_of_a_lost_message_is_kept);
  ADD ("landed/full-list", landed_copy_in_a_full_list_follows);
  ADD ("landed/torn", torn_descriptions_describe_nothing);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_new_and_flags ();
  add_expunges ();
  add_trust_and_intents ();
  ADD ("left-alone/held-copies", held_copies_are_left_alone);
  ADD ("left-alone/refused-stores-and-expunges-wait", refused_stores_and_expunges_wait);
  ADD ("left-alone/held-message-gone-is-no-mismatch", held_message_gone_is_no_mismatch);
  ADD ("left-alone/hold-of-a-renumbered-uid-is-another-message",
       hold_of_a_renumbered_uid_is_another_message);
  ADD ("left-alone/restless-become-unstable", restless_messages_become_unstable);
  ADD ("left-alone/restless-pair-is-written-to-on-neither-side",
       restless_pair_is_written_to_on_neither_side);
  ADD ("left-alone/read-only-is-not-written-to", read_only_side_is_not_written_to);
  ADD ("left-alone/read-only-with-nothing-for-it-is-no-conflict",
       read_only_side_with_nothing_for_it_is_no_conflict);
  return g_test_run ();
}
