/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "tree-model.h"

/* What tree_plan() asks, and what it makes of the answers: single calls on plain records. */

typedef struct {
  GPtrArray *listed[N_SIDES], *saved, *answers;
} Records;

static TreeNode *
add_listed (Records *records, Side side, const char *name, guint32 uidvalidity)
{
  TreeNode *node = g_new0 (TreeNode, 1);

  node->name = g_strdup (n (name));
  node->selectable = TRUE;
  node->uidvalidity = uidvalidity;
  node->uidnext = 10;
  node->highestmodseq = 10;
  node->messages = 5;
  g_ptr_array_add (records->listed[side], node);
  return node;
}

static TreeSaved *
add_saved (Records *records, const char *name, guint32 uidvalidity)
{
  TreeSaved *saved = g_new0 (TreeSaved, 1);

  saved->id = records->saved->len + 1;
  saved->name = g_strdup (n (name));
  saved->pairs = 5;
  for (Side side = 0; side < N_SIDES; side++) {
    saved->side[side].listed = TRUE;
    saved->side[side].uidvalidity = uidvalidity;
    saved->side[side].uidnext = 10;
    saved->side[side].highestmodseq = 10;
  }
  g_ptr_array_add (records->saved, saved);
  return saved;
}

static void
records_init (Records *records)
{
  for (Side side = 0; side < N_SIDES; side++) {
    records->listed[side] = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_node_free);
    add_listed (records, side, "INBOX", 1);
  }
  records->saved = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_saved_free);
  records->answers = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_question_free);
  add_saved (records, "INBOX", 1);
}

static void
records_clear (Records *records)
{
  for (Side side = 0; side < N_SIDES; side++)
    g_ptr_array_unref (records->listed[side]);
  g_ptr_array_unref (records->saved);
  g_ptr_array_unref (records->answers);
}

static TreePlan *
plan_records (const Records *records)
{
  TreeInput input = {.listed = {records->listed[0], records->listed[1]},
                     .saved = records->saved,
                     .answers = records->answers};

  return tree_plan (&input);
}

static void
add_answer (Records *records, TreeQuestionKind kind, Side side, const char *name, gint64 id,
            TreeAnswer answer)
{
  TreeQuestion *question = g_new0 (TreeQuestion, 1);

  question->kind = kind;
  question->side = side;
  question->name = g_strdup (n (name));
  question->saved_id = id;
  question->answer = answer;
  g_ptr_array_add (records->answers, question);
}

/* "local exists a 2; remote changed b 3": what is asked. */
static void
expect_questions (const Records *records, const char *expected)
{
  static const char *const kinds[] = {"exists", "identity", "changed"};
  g_autoptr (TreePlan) plan = plan_records (records);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < plan->questions->len; i++) {
    const TreeQuestion *question = g_ptr_array_index (plan->questions, i);

    g_string_append_printf (text, "%s%s %s %s %" G_GINT64_FORMAT, i > 0 ? "; " : "",
                            side_name (question->side), kinds[question->kind], question->name,
                            question->saved_id);
    g_assert_cmpint (question->answer, ==, TREE_ANSWER_NONE);
  }
  g_assert_cmpstr (text->str, ==, expected);
  g_assert_true (*expected == '\0' || plan->actions->len == 0);
}

static void
expect_actions (const Records *records, const char *expected)
{
  g_autoptr (TreePlan) plan = plan_records (records);
  g_autofree char *text = plan_text (plan);

  g_assert_cmpuint (plan->questions->len, ==, 0);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_questions_of_a_rename (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "b", 7);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  expect_questions (&records, "local identity b 2; local exists a 2");
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "b", 2, TREE_ANSWER_YES);
  expect_actions (&records, "remote RENAME a -> b; save a -> b");
  records_clear (&records);
}

/* A sample that nobody could take decides nothing, neither about the old name nor the new one. */
static void
test_a_rename_that_nobody_could_prove (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "b", 7);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "b", 2, TREE_ANSWER_UNKNOWN);
  expect_actions (&records, "");
  records_clear (&records);
}

static void
test_a_copy_is_no_rename (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "b", 7);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_YES);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "b", 2, TREE_ANSWER_YES);
  expect_actions (&records, "");
  records_clear (&records);
}

static void
test_numbers_that_fell_prove_another (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "b", 7)->uidnext = 9;
  add_listed (&records, SIDE_LOCAL, "c", 7)->highestmodseq = 9;
  add_listed (&records, SIDE_REMOTE, "a", 7);
  expect_questions (&records, "local exists a 2");
  records_clear (&records);
}

static void
test_two_with_one_UIDVALIDITY (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "b", 7);
  add_listed (&records, SIDE_LOCAL, "c", 7);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  expect_questions (&records, "local identity b 2; local identity c 2; local exists a 2");
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "b", 2, TREE_ANSWER_NO);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "c", 2, TREE_ANSWER_YES);
  expect_actions (&records, "remote RENAME a -> c; remote CREATE b; save a -> c; save b");
  records_clear (&records);
}

/* Dovecot goes on listing a deleted mailbox that has children, without numbers. */
static void
test_listed_without_numbers (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "a", 0);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  expect_questions (&records, "local exists a 2");
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  expect_questions (&records, "remote changed a 2");
  add_answer (&records, TREE_ASK_CHANGED, SIDE_REMOTE, "a", 2, TREE_ANSWER_UNKNOWN);
  expect_actions (&records, "");
  records_clear (&records);
}

static void
test_more_messages_than_pairs_are_a_change (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7)->pairs = 4;
  add_listed (&records, SIDE_REMOTE, "a", 7);
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  expect_actions (&records, "local CREATE a; reset a; save a; ! mailbox-delete-vs-change local a");
  records_clear (&records);
}

static void
test_renamed_to_a_name_that_has_no_form (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "&bad", 7)->unusable = TRUE;
  add_listed (&records, SIDE_LOCAL, "&worse", 8)->unusable = TRUE;
  add_listed (&records, SIDE_REMOTE, "a", 7);
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_NO);
  add_answer (&records, TREE_ASK_IDENTITY, SIDE_LOCAL, "&bad", 2, TREE_ANSWER_YES);
  expect_actions (&records, "! mailbox-name local a");
  records_clear (&records);
}

static void
test_no_children_below_a_mailbox_that_takes_none (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_LOCAL, "a", 7);
  add_listed (&records, SIDE_LOCAL, "a/x", 8);
  add_listed (&records, SIDE_REMOTE, "a", 7)->no_inferiors = TRUE;
  expect_actions (&records, "! mailbox-name remote a/x");
  records_clear (&records);
}

static void
test_what_waits_is_unsettled (void)
{
  Records records;
  g_autoptr (TreePlan) plan = NULL;

  records_init (&records);
  add_saved (&records, "a", 7);
  add_listed (&records, SIDE_REMOTE, "a", 7);
  add_answer (&records, TREE_ASK_EXISTS, SIDE_LOCAL, "a", 2, TREE_ANSWER_UNKNOWN);
  plan = plan_records (&records);
  g_assert_cmpuint (plan->unsettled->len, ==, 1);
  g_assert_cmpint (g_array_index (plan->unsettled, gint64, 0), ==, 2);
  records_clear (&records);
}

/* The seat of a mailbox that was never synchronized is its name. */
static void
test_never_synchronized (void)
{
  Records records;

  records_init (&records);
  add_saved (&records, "a", 0)->pairs = 0;
  add_listed (&records, SIDE_LOCAL, "a", 7);
  add_listed (&records, SIDE_REMOTE, "a", 8);
  expect_actions (&records, "");
  records_clear (&records);
}

/* As long as nobody answered; new mailboxes do not make those that are gone few. */
static void
test_what_was_asked_waits_for_its_answer (void)
{
  Records records;
  TreeInput input = {0};
  TreePlan *plan;

  records_init (&records);
  for (guint i = 0; i < 4; i++) {
    const char *const names[] = {"a", "b", "c", "d"};

    add_saved (&records, names[i], 7 + i);
    add_listed (&records, SIDE_LOCAL, names[i], 7 + i);
    if (i > 0)
      add_listed (&records, SIDE_REMOTE, names[i], 7 + i);
  }
  add_answer (&records, TREE_ASK_EXISTS, SIDE_REMOTE, "a", 2, TREE_ANSWER_NO);
  input = (TreeInput){.listed = {records.listed[0], records.listed[1]},
                      .saved = records.saved,
                      .answers = records.answers,
                      .mass_deletion_asked = TRUE};
  plan = tree_plan (&input);
  g_assert_cmpuint (plan->actions->len, ==, 0);
  g_assert_cmpuint (plan->conflicts->len, ==, 1);
  tree_plan_free (plan);
  records_clear (&records);
}

static const struct {
  const char *name;
  void (*test) (void);
} tests[] = {
    {"questions-of-a-rename", test_questions_of_a_rename},
    {"a-rename-that-nobody-could-prove", test_a_rename_that_nobody_could_prove},
    {"a-copy-is-no-rename", test_a_copy_is_no_rename},
    {"numbers-that-fell-prove-another", test_numbers_that_fell_prove_another},
    {"two-with-one-UIDVALIDITY", test_two_with_one_UIDVALIDITY},
    {"listed-without-numbers", test_listed_without_numbers},
    {"more-messages-than-pairs-are-a-change", test_more_messages_than_pairs_are_a_change},
    {"renamed-to-a-name-that-has-no-form", test_renamed_to_a_name_that_has_no_form},
    {"no-children-below-one-that-takes-none", test_no_children_below_a_mailbox_that_takes_none},
    {"what-waits-is-unsettled", test_what_waits_is_unsettled},
    {"what-was-asked-waits-for-its-answer", test_what_was_asked_waits_for_its_answer},
    {"never-synchronized", test_never_synchronized},
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strconcat ("/tree/", tests[i].name, NULL);

    g_test_add_func (path, tests[i].test);
  }
  return g_test_run ();
}
