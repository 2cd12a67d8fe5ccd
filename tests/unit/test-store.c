/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store-fixture.h"

#define HUGE_NUMBER G_GUINT64_CONSTANT (0xfedcba9876543210)

static FlagsId
flags_of (Store *store, const char *text)
{
  return flag_table_intern_text (store_flags (store), text);
}

/* --- mailboxes --- */

static void
assert_mailbox_equal (const StoreMailbox *a, const StoreMailbox *b)
{
  g_assert_cmpint (a->id, ==, b->id);
  g_assert_cmpstr (a->name, ==, b->name);
  for (Side side = 0; side < N_SIDES; side++) {
    g_assert_cmpuint (a->side[side].uidvalidity, ==, b->side[side].uidvalidity);
    g_assert_cmpuint (a->side[side].uidnext, ==, b->side[side].uidnext);
    g_assert_cmpuint (a->side[side].highestmodseq, ==, b->side[side].highestmodseq);
    g_assert_cmpint (a->side[side].listed, ==, b->side[side].listed);
    g_assert_cmpint (a->side[side].subscribed, ==, b->side[side].subscribed);
    g_assert_cmpstr (a->side[side].mailboxid, ==, b->side[side].mailboxid);
  }
}

static void
test_mailboxes_come_back_as_saved (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GPtrArray) mailboxes = NULL;
  StoreMailbox sent = {.name = (char *)"Sent"};
  StoreMailbox inbox = {.name = (char *)"INBOX",
                        .side = {{G_MAXUINT32, 1, 2, TRUE, FALSE, (char *)"F1-ä"},
                                 {7, G_MAXUINT32, HUGE_NUMBER, FALSE, TRUE, NULL}}};

  mailboxes = store_mailboxes (store, NULL);
  g_assert_cmpuint (mailboxes->len, ==, 0);
  g_clear_pointer (&mailboxes, g_ptr_array_unref);
  BEGIN (store);
  OK (store_mailbox_save (store, &sent, &error));
  OK (store_mailbox_save (store, &inbox, &error));
  sent.side[SIDE_REMOTE].uidnext = 12;
  sent.side[SIDE_REMOTE].mailboxid = (char *)"F2";
  OK (store_mailbox_save (store, &sent, &error));
  COMMIT (store);
  g_clear_pointer (&store, store_close);

  store = open_store (scratch->path);
  mailboxes = store_mailboxes (store, NULL);
  g_assert_cmpuint (mailboxes->len, ==, 2);
  assert_mailbox_equal (mailboxes->pdata[0], &inbox);
  assert_mailbox_equal (mailboxes->pdata[1], &sent);
}

static void
test_mailbox_that_cannot_be_saved (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StoreMailbox unknown = {.id = 99, .name = (char *)"Nowhere"};
  StoreMailbox twice = {.name = (char *)"Twice"};

  BEGIN (store);
  FAILS (store_mailbox_save (store, &unknown, &error), IMAPSYNC_ERROR_DATABASE, "no mailbox 99");
  store_rollback (store);
  BEGIN (store);
  add_mailbox (store, "Twice");
  FAILS (store_mailbox_save (store, &twice, &error), IMAPSYNC_ERROR_DATABASE, "Twice");
  store_rollback (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM mailbox"), ==, 0);
}

static void
test_deleted_mailbox_takes_all_along (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  gint64 gone, kept;

  BEGIN (store);
  gone = add_mailbox (store, "Gone");
  kept = add_mailbox (store, "Kept");
  for (guint i = 0; i < 2; i++) {
    gint64 mailbox = i == 0 ? gone : kept;
    StoreIntent intent = {.kind = STORE_INTENT_COPY, .mailbox = mailbox, .uids = (char *)"1"};
    StoreHold hold = {.kind = STORE_HOLD_REFUSED, .mailbox = mailbox, .uid = 1};

    add_pair (store, mailbox, 1, 1, "\\Seen");
    OK (store_intent_insert (store, &intent, &error));
    OK (store_hold_save (store, &hold, &error));
    OK (store_set_refused_flags (store, mailbox, SIDE_LOCAL, flags_of (store, "a"), &error));
  }
  g_assert_cmpuint (count_pairs (store, gone), ==, 1);
  OK (store_mailbox_delete (store, gone, &error));
  COMMIT (store);
  g_assert_cmpuint (count_pairs (store, gone), ==, 0);
  g_assert_cmpuint (count_pairs (store, kept), ==, 1);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pair"), ==, 1);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM intent"), ==, 1);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM hold"), ==, 1);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM refused"), ==, 1);
  BEGIN (store);
  g_assert_cmpint (add_mailbox (store, "Gone"), >, kept);
  store_rollback (store);
}

/* --- pairs --- */

static void
assert_pair_equal (const StorePair *a, const StorePair *b)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_assert_cmpuint (a->uid[side], ==, b->uid[side]);
    g_assert_cmpuint (a->guid[side], ==, b->guid[side]);
  }
  g_assert_cmpuint (a->flags, ==, b->flags);
}

static void
test_pairs_are_found_from_both_sides (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StorePair pairs[] = {{{1, 30}, 0, {0, 0}},
                       {{20, 20}, 0, {HUGE_NUMBER, 0}},
                       {{G_MAXUINT32, 10}, 0, {0, HUGE_NUMBER}}};
  gint64 mailbox;

  pairs[1].flags = flags_of (store, "\\Seen");
  pairs[2].flags = flags_of (store, "\\Flagged keyword");
  BEGIN (store);
  mailbox = add_mailbox (store, "INBOX");
  OK (store_pairs_insert (store, mailbox, pairs, 3, &error));
  OK (store_pairs_insert (store, mailbox, NULL, 0, &error));
  COMMIT (store);
  g_assert_cmpuint (count_pairs (store, mailbox), ==, 3);
  for (Side side = 0; side < N_SIDES; side++)
    for (guint i = 0; i < 3; i++) {
      StorePair pair = {0};
      gboolean found;

      OK (store_pair_find (store, mailbox, side, pairs[i].uid[side], &pair, &found, &error));
      g_assert_true (found);
      assert_pair_equal (&pair, &pairs[i]);
      OK (store_pair_find (store, mailbox, side, 2, &pair, &found, &error));
      g_assert_false (found);
      OK (store_pair_find (store, mailbox + 1, side, 1, &pair, &found, &error));
      g_assert_false (found);
    }
}

static void
assert_range (Store *store, gint64 mailbox, Side by, guint32 first, guint32 last,
              const char *expected)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  g_autoptr (GString) text = g_string_new (NULL);

  OK (store_pairs_range (store, mailbox, by, first, last, pairs, &error));
  for (guint i = 0; i < pairs->len; i++)
    g_string_append_printf (text, "%s%u", i == 0 ? "" : " ",
                            g_array_index (pairs, StorePair, i).uid[by]);
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_ranges_of_pairs_ascend_by_the_side_asked (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  gint64 mailbox, other;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  other = add_mailbox (store, "B");
  add_pair (store, mailbox, 5, 100, "");
  add_pair (store, mailbox, 1, 300, "");
  add_pair (store, mailbox, 9, 200, "");
  add_pair (store, mailbox, G_MAXUINT32, G_MAXUINT32, "");
  add_pair (store, other, 6, 150, "");
  COMMIT (store);
  assert_range (store, mailbox, SIDE_LOCAL, 1, G_MAXUINT32, "1 5 9 4294967295");
  assert_range (store, mailbox, SIDE_REMOTE, 1, G_MAXUINT32, "100 200 300 4294967295");
  assert_range (store, mailbox, SIDE_LOCAL, 5, 9, "5 9");
  assert_range (store, mailbox, SIDE_LOCAL, 6, 8, "");
  assert_range (store, mailbox, SIDE_REMOTE, 200, 200, "200");
  assert_range (store, mailbox, SIDE_REMOTE, 300, 200, "");
  assert_range (store, other, SIDE_REMOTE, 0, G_MAXUINT32, "150");
}

static void
test_pairs_change_and_go (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StorePair pair = {0};
  gint64 mailbox;
  gboolean found;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  for (guint32 uid = 1; uid <= 6; uid++)
    add_pair (store, mailbox, uid, uid + 100, "");
  COMMIT (store);
  g_assert_cmpuint (count_pairs (store, mailbox), ==, 6);
  BEGIN (store);
  OK (store_pair_set_flags (store, mailbox, SIDE_LOCAL, 1, flags_of (store, "x"), &error));
  OK (store_pair_set_flags (store, mailbox, SIDE_REMOTE, 102, flags_of (store, "y"), &error));
  OK (store_pair_delete (store, mailbox, SIDE_LOCAL, 3, &error));
  OK (store_pair_delete (store, mailbox, SIDE_REMOTE, 104, &error));
  OK (store_pair_delete (store, mailbox, SIDE_REMOTE, 4, &error));
  OK (store_pair_set_flags (store, mailbox, SIDE_LOCAL, 77, flags_of (store, "z"), &error));
  g_assert_cmpuint (count_pairs (store, mailbox), ==, 4);
  COMMIT (store);
  OK (store_pair_find (store, mailbox, SIDE_REMOTE, 101, &pair, &found, &error));
  g_assert_cmpstr (flag_table_text (store_flags (store), pair.flags), ==, "x");
  OK (store_pair_find (store, mailbox, SIDE_LOCAL, 2, &pair, &found, &error));
  g_assert_cmpstr (flag_table_text (store_flags (store), pair.flags), ==, "y");
  assert_range (store, mailbox, SIDE_LOCAL, 1, 100, "1 2 5 6");
  BEGIN (store);
  OK (store_pairs_delete_all (store, mailbox, &error));
  g_assert_cmpuint (count_pairs (store, mailbox), ==, 0);
  store_rollback (store);
  g_assert_cmpuint (count_pairs (store, mailbox), ==, 4);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pair"), ==, 4);
}

static void
test_nothing_is_paired_twice (Scratch *scratch, gconstpointer data)
{
  static const StorePair bad[] = {
      {{1, 9}, 0, {0, 0}}, {{9, 101}, 0, {0, 0}}, {{0, 5}, 0, {0, 0}}, {{5, 0}, 0, {0, 0}}};
  static const char *const words[] = {"local UID 1 or", "remote UID 101 is paired", "", ""};
  g_autoptr (Store) store = open_store (scratch->path);
  StorePair good = {{50, 50}, 0, {0, 0}};
  gint64 mailbox;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  add_pair (store, mailbox, 1, 101, "");
  COMMIT (store);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    BEGIN (store);
    OK (store_pairs_insert (store, mailbox, &good, 1, &error));
    FAILS (store_pairs_insert (store, mailbox, &bad[i], 1, &error), IMAPSYNC_ERROR_DATABASE,
           words[i]);
    FAILS (store_pairs_insert (store, mailbox, &good, 1, &error), IMAPSYNC_ERROR_DATABASE,
           "failed transaction");
    FAILS (store_commit (store, &error), IMAPSYNC_ERROR_DATABASE, scratch->path);
    store_rollback (store);
    g_assert_cmpuint (count_pairs (store, mailbox), ==, 1);
    assert_range (store, mailbox, SIDE_LOCAL, 1, G_MAXUINT32, "1");
  }
  BEGIN (store);
  FAILS (store_pairs_insert (store, mailbox + 5, &good, 1, &error), IMAPSYNC_ERROR_DATABASE,
         "no mailbox");
  store_rollback (store);
}

static void
test_places_of_a_guid (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  gint64 mailboxes[3];
  g_autoptr (GArray) none = NULL, two = NULL, one = NULL, remote = NULL;
  StorePlace *place;

  BEGIN (store);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *name = g_strdup_printf ("M%u", i);
    StorePair pair = {{i + 1, i + 11}, 0, {i < 2 ? HUGE_NUMBER : 0, i == 2 ? 5 : 0}};

    mailboxes[i] = add_mailbox (store, name);
    OK (store_pairs_insert (store, mailboxes[i], &pair, 1, &error));
  }
  COMMIT (store);
  none = store_places_of_guid (store, SIDE_LOCAL, 0, 10, NULL);
  g_assert_cmpuint (none->len, ==, 0);
  two = store_places_of_guid (store, SIDE_LOCAL, HUGE_NUMBER, 10, NULL);
  g_assert_cmpuint (two->len, ==, 2);
  one = store_places_of_guid (store, SIDE_LOCAL, HUGE_NUMBER, 1, NULL);
  g_assert_cmpuint (one->len, ==, 1);
  remote = store_places_of_guid (store, SIDE_REMOTE, 5, 10, NULL);
  g_assert_cmpuint (remote->len, ==, 1);
  place = &g_array_index (remote, StorePlace, 0);
  g_assert_cmpint (place->mailbox, ==, mailboxes[2]);
  g_assert_cmpuint (place->pair.uid[SIDE_REMOTE], ==, 13);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pair WHERE local_guid IS NULL"), ==, 1);
}

static void
test_pair_of_a_missing_flag_list_is_damage (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  StorePair pair;
  gboolean found;
  gint64 mailbox;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  add_pair (store, mailbox, 1, 1, "");
  add_pair (store, mailbox, 2, 2, "");
  sqlite3_exec (store->db, "UPDATE pair SET flags = 4711 WHERE local_uid = 2", NULL, NULL, NULL);
  COMMIT (store);
  FAILS (store_pairs_range (store, mailbox, SIDE_LOCAL, 1, 9, pairs, &error),
         IMAPSYNC_ERROR_DATABASE, "damaged");
  g_assert_cmpuint (pairs->len, ==, 0);
  FAILS (store_pair_find (store, mailbox, SIDE_LOCAL, 2, &pair, &found, &error),
         IMAPSYNC_ERROR_DATABASE, "damaged");
  g_assert_false (found);
}

static void
test_a_witness_is_the_last_pair_with_an_id (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StorePair pairs[20] = {0}, found_pair = {0};
  gboolean found = FALSE;
  gint64 mailbox;

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    pairs[i].uid[SIDE_LOCAL] = i + 1;
    pairs[i].uid[SIDE_REMOTE] = 100 - i;
  }
  pairs[2].guid[SIDE_LOCAL] = pairs[15].guid[SIDE_LOCAL] = 7;
  pairs[17].guid[SIDE_REMOTE] = 8;
  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  OK (store_pairs_insert (store, mailbox, pairs, G_N_ELEMENTS (pairs), &error));
  COMMIT (store);
  OK (store_pair_witness (store, mailbox, SIDE_LOCAL, 21, &found_pair, &found, &error));
  g_assert_true (found);
  g_assert_cmpuint (found_pair.uid[SIDE_LOCAL], ==, 16);
  OK (store_pair_witness (store, mailbox, SIDE_LOCAL, 16, &found_pair, &found, &error));
  g_assert_false (found); /* too far below */
  OK (store_pair_witness (store, mailbox, SIDE_REMOTE, G_MAXUINT32, &found_pair, &found, &error));
  g_assert_false (found);
  OK (store_pair_witness (store, mailbox, SIDE_REMOTE, 84, &found_pair, &found, &error));
  g_assert_true (found);
  g_assert_cmpuint (found_pair.uid[SIDE_REMOTE], ==, 83);
  OK (store_pair_witness (store, mailbox + 1, SIDE_REMOTE, 84, &found_pair, &found, &error));
  g_assert_false (found);
}

/* --- intents, holds, refused flags --- */

static void
test_intents_come_back_as_written (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GPtrArray) tree = NULL, own = NULL, left = NULL;
  g_autoptr (GArray) open = NULL;
  StoreIntent rename = {.kind = STORE_INTENT_RENAME,
                        .side = SIDE_REMOTE,
                        .name = (char *)"A",
                        .new_name = (char *)"B"};
  StoreIntent copy = {.kind = STORE_INTENT_COPY,
                      .side = SIDE_REMOTE,
                      .uids = (char *)"1:4294967295",
                      .uidvalidity = G_MAXUINT32,
                      .uidnext = 17};
  static const char bytes[] = "\0\377'";
  g_autoptr (GBytes) descriptions = g_bytes_new_static (bytes, sizeof bytes);
  const StoreIntent *read;

  copy.flags = flags_of (store, "\\Seen");
  copy.descriptions = descriptions;
  BEGIN (store);
  copy.mailbox = add_mailbox (store, "A");
  add_mailbox (store, "B");
  OK (store_intent_insert (store, &rename, &error));
  OK (store_intent_insert (store, &copy, &error));
  OK (store_intent_insert (store, &copy, &error));
  COMMIT (store);
  g_clear_pointer (&store, store_close);

  store = open_store (scratch->path);
  tree = store_intents (store, 0, NULL);
  g_assert_cmpuint (tree->len, ==, 1);
  read = tree->pdata[0];
  g_assert_cmpint (read->id, ==, rename.id);
  g_assert_cmpint (read->kind, ==, STORE_INTENT_RENAME);
  g_assert_cmpint (read->mailbox, ==, 0);
  g_assert_null (read->uids);
  g_assert_null (read->descriptions);
  g_assert_cmpstr (read->name, ==, "A");
  g_assert_cmpstr (read->new_name, ==, "B");
  own = store_intents (store, copy.mailbox, NULL);
  g_assert_cmpuint (own->len, ==, 2);
  read = own->pdata[1];
  g_assert_cmpint (read->id, ==, copy.id);
  g_assert_cmpint (read->side, ==, SIDE_REMOTE);
  g_assert_cmpstr (read->uids, ==, "1:4294967295");
  g_assert_true (g_bytes_equal (read->descriptions, descriptions));
  g_assert_cmpstr (flag_table_text (store_flags (store), read->flags), ==, "\\Seen");
  g_assert_cmpuint (read->uidvalidity, ==, G_MAXUINT32);
  g_assert_cmpuint (read->uidnext, ==, 17);
  g_assert_null (read->name);
  open = store_intent_mailboxes (store, NULL);
  g_assert_cmpuint (open->len, ==, 1);
  g_assert_cmpint (g_array_index (open, gint64, 0), ==, copy.mailbox);

  BEGIN (store);
  OK (store_intent_delete (store, copy.id, &error));
  OK (store_intents_delete (store, 0, &error));
  left = store_intents (store, copy.mailbox, NULL);
  g_assert_cmpuint (left->len, ==, 1);
  OK (store_intents_delete (store, copy.mailbox, &error));
  COMMIT (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM intent"), ==, 0);
}

static void
test_a_hold_is_one_row_for_each_reason_to_hold (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GPtrArray) all = NULL, own = NULL;
  StoreHold hold = {.side = SIDE_REMOTE,
                    .uid = 7,
                    .kind = STORE_HOLD_REFUSED,
                    .reason = (char *)"[TOOBIG]",
                    .since = 1000,
                    .retry_at = 2000,
                    .attempts = 1};
  StoreHold again, other, tree = {.kind = STORE_HOLD_MAILBOX, .reason = (char *)"no"};
  const StoreHold *read;

  BEGIN (store);
  hold.mailbox = add_mailbox (store, "A");
  OK (store_hold_save (store, &hold, &error));
  again = hold;
  again.id = 0;
  again.reason = (char *)"[OVERQUOTA]";
  again.since = 1500;
  again.retry_at = 0;
  again.attempts = 2;
  OK (store_hold_save (store, &again, &error));
  other = hold;
  other.id = 0;
  other.kind = STORE_HOLD_FLAGS;
  OK (store_hold_save (store, &other, &error));
  for (guint i = 0; i < 2; i++) {
    tree.id = 0;
    OK (store_hold_save (store, &tree, &error));
  }
  COMMIT (store);
  g_assert_cmpint (again.id, ==, hold.id);
  g_assert_cmpint (other.id, !=, hold.id);
  all = store_holds (store, 0, NULL);
  g_assert_cmpuint (all->len, ==, 3);
  own = store_holds (store, hold.mailbox, NULL);
  g_assert_cmpuint (own->len, ==, 2);
  read = own->pdata[0];
  g_assert_cmpint (read->mailbox, ==, hold.mailbox);
  g_assert_cmpint (read->side, ==, SIDE_REMOTE);
  g_assert_cmpuint (read->uid, ==, 7);
  g_assert_cmpint (read->kind, ==, STORE_HOLD_REFUSED);
  g_assert_cmpstr (read->reason, ==, "[OVERQUOTA]");
  g_assert_cmpint (read->since, ==, 1000);
  g_assert_cmpint (read->retry_at, ==, 0);
  g_assert_cmpuint (read->attempts, ==, 2);
  BEGIN (store);
  OK (store_hold_delete (store, hold.id, &error));
  COMMIT (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM hold"), ==, 2);
}

static void
test_refused_flags_are_kept_by_mailbox_and_side (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  FlagsId first = flags_of (store, "junk"), second = flags_of (store, "junk $forwarded"), flags;
  gint64 mailbox;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  OK (store_refused_flags (store, mailbox, SIDE_LOCAL, &flags, &error));
  g_assert_cmpuint (flags, ==, 0);
  OK (store_set_refused_flags (store, mailbox, SIDE_LOCAL, first, &error));
  OK (store_set_refused_flags (store, mailbox, SIDE_LOCAL, second, &error));
  COMMIT (store);
  OK (store_refused_flags (store, mailbox, SIDE_LOCAL, &flags, &error));
  g_assert_cmpuint (flags, ==, second);
  OK (store_refused_flags (store, mailbox, SIDE_REMOTE, &flags, &error));
  g_assert_cmpuint (flags, ==, 0);
  BEGIN (store);
  OK (store_set_refused_flags (store, mailbox, SIDE_LOCAL, 0, &error));
  COMMIT (store);
  OK (store_refused_flags (store, mailbox, SIDE_LOCAL, &flags, &error));
  g_assert_cmpuint (flags, ==, 0);
}

/* --- conflicts and settings --- */

static void
test_a_conflict_told_again_is_the_same_one (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GPtrArray) conflicts = NULL;
  StoreConflict first = {.time = 100,
                         .kind = (char *)"flags",
                         .mailbox = (char *)"INBOX",
                         .uid = {1, 2},
                         .details = (char *)"a=b"};
  StoreConflict other = {.time = 150, .kind = (char *)"mass-deletion"};
  StoreConflict again = first;
  const StoreConflict *read;

  BEGIN (store);
  OK (store_conflict_save (store, &first, &error));
  OK (store_conflict_save (store, &other, &error));
  first.choice = (char *)"local";
  OK (store_conflict_save (store, &first, &error));
  COMMIT (store);
  BEGIN (store);
  again.time = 200;
  again.details = (char *)"a=c";
  OK (store_conflict_save (store, &again, &error));
  COMMIT (store);
  g_assert_cmpint (again.id, ==, first.id);
  g_assert_cmpint (again.time, ==, 100);
  conflicts = store_conflicts (store, NULL);
  g_assert_cmpuint (conflicts->len, ==, 2);
  read = conflicts->pdata[0];
  g_assert_cmpint (read->id, ==, first.id);
  g_assert_cmpint (read->time, ==, 100);
  g_assert_cmpstr (read->kind, ==, "flags");
  g_assert_cmpstr (read->mailbox, ==, "INBOX");
  g_assert_cmpuint (read->uid[SIDE_LOCAL], ==, 1);
  g_assert_cmpuint (read->uid[SIDE_REMOTE], ==, 2);
  g_assert_cmpstr (read->details, ==, "a=c");
  g_assert_cmpstr (read->choice, ==, "local");
  BEGIN (store);
  OK (store_conflict_delete (store, first.id, &error));
  OK (store_conflict_delete (store, other.id, &error));
  other.id = 0;
  OK (store_conflict_save (store, &other, &error));
  COMMIT (store);
  g_assert_cmpint (other.id, >, 2);
}

static guint
count_refusals (Store *store, gint64 now)
{
  g_autoptr (GPtrArray) refusals = NULL;

  OK ((refusals = store_refusals (store, now, &error)) != NULL);
  return refusals->len;
}

static void
test_refusals_until_their_time (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StoreRefusal create = {STORE_INTENT_CREATE, SIDE_REMOTE, (char *)"a", NULL, (char *)"no", 100};
  StoreRefusal rename = {STORE_INTENT_RENAME, SIDE_LOCAL,   (char *)"b",
                         (char *)"a",         (char *)"no", 200};
  g_autoptr (GPtrArray) refusals = NULL;

  OK (store_begin (store, &error));
  OK (store_refusal_save (store, &create, &error));
  create.retry_at = 150;
  create.reason = (char *)"still no";
  OK (store_refusal_save (store, &create, &error));
  OK (store_refusal_save (store, &rename, &error));
  OK (store_commit (store, &error));
  OK ((refusals = store_refusals (store, 149, &error)) != NULL);
  g_assert_cmpuint (refusals->len, ==, 2);
  g_assert_cmpstr (((StoreRefusal *)g_ptr_array_index (refusals, 0))->reason, ==, "still no");
  g_assert_null (((StoreRefusal *)g_ptr_array_index (refusals, 0))->new_name);
  g_assert_cmpstr (((StoreRefusal *)g_ptr_array_index (refusals, 1))->new_name, ==, "a");
  g_assert_cmpuint (count_refusals (store, 150), ==, 1);
  OK (store_begin (store, &error));
  OK (store_refusals_expire (store, 150, &error));
  OK (store_commit (store, &error));
  g_assert_cmpuint (count_refusals (store, 0), ==, 1);
  OK (store_begin (store, &error));
  OK (store_refusals_forget (store, "a", &error));
  OK (store_commit (store, &error));
  g_assert_cmpuint (count_refusals (store, 0), ==, 0);
}

static void
test_of_the_conflicts_the_newest_thousand_stay (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GPtrArray) conflicts = NULL;
  const StoreConflict *oldest;

  BEGIN (store);
  for (guint32 uid = 1; uid <= 1003; uid++) {
    StoreConflict conflict = {
        .time = uid, .kind = (char *)"flags", .mailbox = (char *)"A", .uid = {uid, uid}};

    OK (store_conflict_save (store, &conflict, &error));
  }
  COMMIT (store);
  conflicts = store_conflicts (store, NULL);
  g_assert_cmpuint (conflicts->len, ==, 1000);
  oldest = conflicts->pdata[0];
  g_assert_cmpuint (oldest->uid[SIDE_LOCAL], ==, 4);
}

static void
test_settings (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  g_autoptr (GError) local_error = NULL;
  g_autofree char *value = store_setting (store, "paused-until", &local_error);

  g_assert_no_error (local_error);
  g_assert_null (value);
  BEGIN (store);
  OK (store_set_setting (store, "paused-until", "1", &error));
  OK (store_set_setting (store, "paused-until", "", &error));
  COMMIT (store);
  value = store_setting (store, "paused-until", &local_error);
  g_assert_cmpstr (value, ==, "");
  BEGIN (store);
  OK (store_set_setting (store, "paused-until", NULL, &error));
  OK (store_set_setting (store, "never-set", NULL, &error));
  COMMIT (store);
  g_free (value);
  value = store_setting (store, "paused-until", &local_error);
  g_assert_null (value);
}

/* --- flag lists and transactions --- */

static void
test_flag_lists_keep_their_numbers (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  FlagsId unused = flags_of (store, "unused"), used = flags_of (store, "\\Seen Used");
  gint64 mailbox;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  add_pair (store, mailbox, 1, 1, "\\Seen Used");
  COMMIT (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM flag_list"), ==, 1);
  g_clear_pointer (&store, store_close);

  store = open_store (scratch->path);
  g_assert_cmpuint (flags_of (store, "used \\seen"), ==, used);
  g_assert_cmpstr (flag_table_text (store_flags (store), used), ==, "\\Seen Used");
  g_assert_cmpuint (flags_of (store, "something new"), >, used);
  g_assert_cmpuint (unused, !=, used);
}

static void
test_a_rolled_back_flag_list_is_saved_at_its_next_use (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  FlagsId flags;
  gint64 mailbox;
  StorePair pair;
  gboolean found;

  BEGIN (store);
  mailbox = add_mailbox (store, "A");
  COMMIT (store);
  BEGIN (store);
  add_pair (store, mailbox, 1, 1, "one two");
  store_rollback (store);
  g_assert_cmpint (ask (store, "SELECT count(*) FROM flag_list"), ==, 0);
  BEGIN (store);
  add_pair (store, mailbox, 2, 2, "two one");
  COMMIT (store);
  flags = flags_of (store, "one two");
  g_clear_pointer (&store, store_close);

  store = open_store (scratch->path);
  OK (store_pair_find (store, mailbox, SIDE_LOCAL, 2, &pair, &found, &error));
  g_assert_true (found);
  g_assert_cmpuint (pair.flags, ==, flags);
  g_assert_cmpstr (flag_table_text (store_flags (store), flags), ==, "one two");
}

/* R8: what says what the database says already writes nothing. */
static void
test_only_changes_count_as_writes (Scratch *scratch, gconstpointer data)
{
  g_autoptr (Store) store = open_store (scratch->path);
  StoreMailbox mailbox = {.name = (char *)"A", .side = {{1, 2, 3, TRUE, TRUE, NULL}}};
  StoreHold hold = {.uid = 1, .kind = STORE_HOLD_REFUSED, .reason = (char *)"no", .since = 5};
  StoreConflict conflict = {.kind = (char *)"refused", .mailbox = (char *)"A", .time = 5};
  FlagsId flags = flags_of (store, "x");

  g_assert_cmpuint (store_writes (store), ==, 0);
  for (guint i = 0; i < 3; i++) {
    hold.id = conflict.id = 0;
    conflict.time = hold.since = 5 + i;
    BEGIN (store);
    OK (store_mailbox_save (store, &mailbox, &error));
    hold.mailbox = mailbox.id;
    if (i == 0)
      add_pair (store, mailbox.id, 1, 1, "");
    OK (store_pair_set_flags (store, mailbox.id, SIDE_LOCAL, 1, flags, &error));
    OK (store_hold_save (store, &hold, &error));
    OK (store_conflict_save (store, &conflict, &error));
    OK (store_set_refused_flags (store, mailbox.id, SIDE_LOCAL, flags, &error));
    OK (store_set_setting (store, "k", "v", &error));
    COMMIT (store);
    g_assert_cmpuint (store_writes (store), ==, 1);
  }
  BEGIN (store);
  OK (store_pair_delete (store, mailbox.id, SIDE_LOCAL, 1, &error));
  store_rollback (store);
  g_assert_cmpuint (store_writes (store), ==, 1);
  store_rollback (store);
}

/* --- many --- */

static double
seconds_since (gint64 start)
{
  return (double)(g_get_monotonic_time () - start) / G_USEC_PER_SEC;
}

static void
insert_many (Store *store, gint64 mailbox, guint32 n, gboolean guids)
{
  static const char *const lists[] = {"\\Seen", "\\Answered \\Seen", "", "\\Seen $Junk"};
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  StorePair pairs[1000];
  guint32 local = 0, remote = 50000;

  for (guint32 done = 0; done < n; done += 1000) {
    BEGIN (store);
    for (guint i = 0; i < 1000; i++) {
      local += 1 + (guint32)g_rand_int_range (rand, 0, 3);
      remote += 1 + (guint32)g_rand_int_range (rand, 0, 2);
      pairs[i] = (StorePair){{local, remote}, flags_of (store, lists[i % 4]), {0, 0}};
      for (Side side = 0; guids && side < N_SIDES; side++)
        pairs[i].guid[side] = ((guint64)g_rand_int (rand) << 32) | g_rand_int (rand);
    }
    OK (store_pairs_insert (store, mailbox, pairs, 1000, &error));
    COMMIT (store);
  }
}

/* No query that has to be fast walks through all pairs. */
static void
assert_indexes_used (Store *store)
{
  GHashTableIter iter;
  gpointer sql, query;

  g_hash_table_iter_init (&iter, store->queries);
  while (g_hash_table_iter_next (&iter, &sql, &query))
    if (strstr (sql, "pair") != NULL &&
        sqlite3_stmt_status (query, SQLITE_STMTSTATUS_FULLSCAN_STEP, FALSE) != 0)
      g_error ("full scan by: %s", (const char *)sql);
}

static void
measure_many (Scratch *scratch, guint32 n, gboolean guids)
{
  g_autofree char *name = g_strdup_printf ("many-%d.db", guids);
  g_autofree char *path = g_build_filename (scratch->folder, name, NULL);
  g_autoptr (Store) store = open_store (path);
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  gint64 mailbox, start = g_get_monotonic_time ();
  double insert, open, range[N_SIDES], find, count, check;
  GStatBuf status;
  gint64 bytes;

  BEGIN (store);
  mailbox = add_mailbox (store, "Archive");
  COMMIT (store);
  insert_many (store, mailbox, n, guids);
  g_clear_pointer (&store, store_close);
  insert = seconds_since (start);
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  bytes = status.st_size;

  start = g_get_monotonic_time ();
  store = open_store (path);
  open = seconds_since (start);
  start = g_get_monotonic_time ();
  g_assert_cmpuint (count_pairs (store, mailbox), ==, n);
  count = seconds_since (start);
  for (Side side = 0; side < N_SIDES; side++) {
    g_array_set_size (pairs, 0);
    start = g_get_monotonic_time ();
    OK (store_pairs_range (store, mailbox, side, 1, G_MAXUINT32, pairs, &error));
    range[side] = seconds_since (start);
    g_assert_cmpuint (pairs->len, ==, n);
  }
  start = g_get_monotonic_time ();
  for (guint i = 0; i < n; i++) {
    const StorePair *expected = &g_array_index (pairs, StorePair, (guint)(i * 7919ULL % n));
    StorePair pair;
    gboolean found;

    OK (store_pair_find (store, mailbox, SIDE_REMOTE, expected->uid[SIDE_REMOTE], &pair, &found,
                         &error));
    g_assert_true (found);
    g_assert_cmpuint (pair.uid[SIDE_LOCAL], ==, expected->uid[SIDE_LOCAL]);
  }
  find = seconds_since (start);
  for (guint i = 0; i < 100; i++)
    for (Side side = 0; side < N_SIDES; side++) {
      const StorePair *expected = &g_array_index (pairs, StorePair, i);
      g_autoptr (GArray) places = store_places_of_guid (store, side, expected->guid[side], 2, NULL);

      g_assert_cmpuint (places->len, ==, guids ? 1 : 0);
    }
  assert_indexes_used (store);
  start = g_get_monotonic_time ();
  g_assert_cmpint (ask (store, "SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check = "
                               "'ok'"),
                   ==, 1);
  check = seconds_since (start);
  g_test_message ("%u pairs %s guids: %.1f bytes each; insert %.2f s, open %.3f s, count %.3f s, "
                  "all by local %.2f s, by remote %.2f s, each by remote UID %.2f s, check %.2f s",
                  n, guids ? "with" : "without", (double)bytes / n, insert, open, count,
                  range[SIDE_LOCAL], range[SIDE_REMOTE], find, check);
  g_assert_cmpint (bytes / n, <, guids ? 120 : 50);
}

/* A million with -m slow. */
static void
test_a_pair_is_small (Scratch *scratch, gconstpointer data)
{
  guint32 n = g_test_slow () ? 1000000 : 20000;

  measure_many (scratch, n, FALSE);
  measure_many (scratch, n, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/store/mailboxes/come-back-as-saved", test_mailboxes_come_back_as_saved);
  ADD ("/store/mailboxes/that-cannot-be-saved", test_mailbox_that_cannot_be_saved);
  ADD ("/store/mailboxes/deletion-takes-all-along", test_deleted_mailbox_takes_all_along);
  ADD ("/store/pairs/found-from-both-sides", test_pairs_are_found_from_both_sides);
  ADD ("/store/pairs/ranges", test_ranges_of_pairs_ascend_by_the_side_asked);
  ADD ("/store/pairs/change-and-go", test_pairs_change_and_go);
  ADD ("/store/pairs/never-twice", test_nothing_is_paired_twice);
  ADD ("/store/pairs/places-of-a-guid", test_places_of_a_guid);
  ADD ("/store/pairs/missing-flag-list-is-damage", test_pair_of_a_missing_flag_list_is_damage);
  ADD ("/store/pairs/small", test_a_pair_is_small);
  ADD ("/store/pairs/witness", test_a_witness_is_the_last_pair_with_an_id);
  ADD ("/store/intents", test_intents_come_back_as_written);
  ADD ("/store/holds", test_a_hold_is_one_row_for_each_reason_to_hold);
  ADD ("/store/refused-flags", test_refused_flags_are_kept_by_mailbox_and_side);
  ADD ("/store/refusals", test_refusals_until_their_time);
  ADD ("/store/conflicts/told-again", test_a_conflict_told_again_is_the_same_one);
  ADD ("/store/conflicts/at-most-a-thousand", test_of_the_conflicts_the_newest_thousand_stay);
  ADD ("/store/settings", test_settings);
  ADD ("/store/flags/numbers-last", test_flag_lists_keep_their_numbers);
  ADD ("/store/flags/rolled-back", test_a_rolled_back_flag_list_is_saved_at_its_next_use);
  ADD ("/store/writes", test_only_changes_count_as_writes);
  return g_test_run ();
}
