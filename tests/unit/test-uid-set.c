/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"
#include "imap/uid-set.h"

#include <string.h>

static void
assert_set (const UidSet *set, const char *expected)
{
  g_autofree char *text = uid_set_to_string (set);
  g_assert_cmpstr (text, ==, expected);
}

static UidSet *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  UidSet *set = uid_set_parse (text, -1, &error);

  g_assert_no_error (error);
  return set;
}

static void
test_parse_brings_ranges_into_order (void)
{
  static const char *const cases[][2] = {
      {"1", "1"},
      {"4294967295", "4294967295"},
      {"1:4294967295", "1:4294967295"},
      {"4294967295:1", "1:4294967295"},
      {"3:3", "3"},
      {"1,2,3", "1:3"},
      {"3,2,1", "1:3"},
      {"7,1:3", "1:3,7"},
      {"5:9,1:6,20,10", "1:10,20"},
      {"1:10,2:3", "1:10"},
      {"4294967295,4294967294,1", "1,4294967294:4294967295"},
      {"2:3,2:3,2", "2:3"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (UidSet) set = parse (cases[i][0]);
    assert_set (set, cases[i][1]);
  }
}

static void
test_parse_refuses_what_is_no_set (void)
{
  static const char *const cases[] = {
      "",   "0",   "*",    "1:*", "*:1",  "4294967296",   "99999999999999999999999999",
      "1,", ",1",  "1,,2", "1:",  ":1",   "1:2:3",        "1 ",
      " 1", "-1",  "+1",   "1:0", "0:1",  "01",           "1:02",
      "a",  "1;2", "1\n",  "1,a", "0x10", "1:4294967296", "\xff",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (UidSet) set = uid_set_parse (cases[i], -1, &error);

    g_test_message ("\"%s\"", cases[i]);
    g_assert_null (set);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
  }
}

static void
test_parse_honours_the_length (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UidSet) set = uid_set_parse ("12345", 3, &error);
  g_autoptr (UidSet) bad = NULL;

  g_assert_no_error (error);
  assert_set (set, "123");
  bad = uid_set_parse ("1\0002", 3, &error);
  g_assert_null (bad);
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
}

static void
test_extremes (void)
{
  g_autoptr (UidSet) all = uid_set_new_range (1, G_MAXUINT32);
  g_autoptr (UidSet) set = uid_set_copy (all);
  gsize n;

  g_assert_cmpuint (uid_set_count (all), ==, G_MAXUINT32);
  uid_set_ranges (all, &n);
  g_assert_cmpuint (n, ==, 1);
  g_assert_false (uid_set_contains (all, 0));
  g_assert_true (uid_set_contains (all, 1));
  g_assert_true (uid_set_contains (all, G_MAXUINT32));
  uid_set_remove_range (set, 2, G_MAXUINT32 - 1);
  assert_set (set, "1,4294967295");
  uid_set_subtract (all, set);
  assert_set (all, "2:4294967294");
  uid_set_add (all, G_MAXUINT32);
  uid_set_add (all, 1);
  uid_set_union (set, all);
  assert_set (set, "1:4294967295");
  uid_set_subtract (set, set);
  g_assert_true (uid_set_is_empty (set));
  g_assert_cmpuint (uid_set_min (set), ==, 0);
  g_assert_cmpuint (uid_set_max (set), ==, 0);
  assert_set (set, "");
}

static void
test_split_keeps_to_the_length (void)
{
  g_autoptr (UidSet) set = uid_set_new ();
  g_autoptr (UidSet) empty = uid_set_new ();
  g_autoptr (UidSet) joined = uid_set_new ();
  g_autoptr (GPtrArray) none = uid_set_split (empty, 21);
  g_autoptr (GPtrArray) tight = NULL;

  g_assert_cmpuint (none->len, ==, 0);
  for (guint32 i = 0; i < 1000; i++)
    uid_set_add_range (set, 4294000000u + i * 3, 4294000000u + i * 3 + g_test_rand_bit ());
  for (gsize length = 21; length < 200; length += 7) {
    g_autoptr (GPtrArray) strings = uid_set_split (set, length);

    uid_set_clear (joined);
    for (guint i = 0; i < strings->len; i++) {
      g_autoptr (UidSet) part = parse (strings->pdata[i]);

      g_assert_cmpuint (strlen (strings->pdata[i]), <=, length);
      uid_set_union (joined, part);
    }
    g_assert_true (uid_set_equal (joined, set));
  }
  uid_set_clear (set);
  uid_set_add_range (set, 4294967290u, 4294967295u);
  uid_set_add_range (set, 1, 2);
  tight = uid_set_split (set, 21);
  g_assert_cmpuint (tight->len, ==, 2);
}

static void
assert_list (const char *text, gsize max, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) list = uid_list_parse (text, -1, max, &error);
  g_autoptr (GString) got = g_string_new (NULL);

  if (expected == NULL) {
    g_assert_null (list);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    return;
  }
  g_assert_no_error (error);
  for (guint i = 0; i < list->len; i++)
    g_string_append_printf (got, "%s%u", i > 0 ? " " : "", g_array_index (list, guint32, i));
  g_assert_cmpstr (got->str, ==, expected);
}

static void
test_lists_keep_the_order_of_the_wire (void)
{
  assert_list ("304,319:320", 10, "304 319 320");
  assert_list ("5,3,4", 10, "5 3 4");
  assert_list ("4:2,1", 10, "2 3 4 1");
  assert_list ("10:8,3:1", 6, "8 9 10 1 2 3");
  assert_list ("4294967295", 1, "4294967295");
  assert_list ("4294967294:4294967295,1", 3, "4294967294 4294967295 1");
  assert_list ("1:3", 2, NULL);
  assert_list ("1", 0, NULL);
  assert_list ("1:4294967295", G_MAXUINT16, NULL);
  assert_list ("1,2,1", 10, NULL);
  assert_list ("1:5,3", 10, NULL);
  assert_list ("3,1:5", 10, NULL);
  assert_list ("", 10, NULL);
  assert_list ("1,", 10, NULL);
  assert_list ("0", 10, NULL);
  assert_list ("1:*", 10, NULL);
}

/* What a server may send as one line must not cost the square of its length. */
static void
test_hostile_sets_are_cheap (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (UidSet) set = NULL, sparse = uid_set_new ();
  gint64 start = g_get_monotonic_time ();

  for (guint32 uid = 400000; uid > 1; uid -= 2)
    g_string_append_printf (text, "%u,", uid);
  g_string_append_c (text, '1');
  set = parse (text->str);
  g_assert_cmpuint (uid_set_count (set), ==, 200001);
  for (guint32 i = 1; i <= 1000000; i++)
    uid_set_add (sparse, 2 * i);
  for (guint32 i = 1; i <= 1000000; i++)
    g_assert_false (uid_set_contains (sparse, 2 * i - 1));
  uid_set_subtract (sparse, set);
  uid_set_intersect (set, sparse);
  g_assert_cmpfloat ((g_get_monotonic_time () - start) / 1e6, <, 20.);
}

/* The model: one byte for each UID of a small window, which may lie at either end of all UIDs. */

#define WINDOW 96

typedef struct {
  UidSet *set;
  guint32 base;
  gboolean member[WINDOW];
} Model;

static void
random_range (guint *first, guint *last)
{
  guint length = g_test_rand_int_range (0, g_test_rand_bit () ? 3 : 40);

  *first = g_test_rand_int_range (0, WINDOW);
  *last = MIN (WINDOW - 1, *first + length);
}

static void
assert_model (const Model *model)
{
  g_autofree char *text = uid_set_to_string (model->set);
  g_autoptr (UidSet) copy = uid_set_copy (model->set);
  g_autoptr (UidSet) reparsed = *text != '\0' ? parse (text) : uid_set_new ();
  const UidRange *ranges;
  guint64 count = 0;
  gsize n;
  UidIter iter;
  guint32 uid;

  uid_iter_init (&iter, model->set);
  for (guint i = 0; i < WINDOW; i++) {
    if (uid_set_contains (model->set, model->base + i) != model->member[i])
      g_error ("UID %u: expected %d in \"%s\"", model->base + i, model->member[i], text);
    if (!model->member[i])
      continue;
    count++;
    g_assert_true (uid_iter_next (&iter, &uid));
    g_assert_cmpuint (uid, ==, model->base + i);
  }
  g_assert_false (uid_iter_next (&iter, &uid));
  g_assert_cmpuint (uid_set_count (model->set), ==, count);
  g_assert_true (uid_set_is_empty (model->set) == (count == 0));
  g_assert_true (uid_set_equal (model->set, copy));
  g_assert_true (uid_set_equal (model->set, reparsed));
  ranges = uid_set_ranges (model->set, &n);
  for (gsize i = 0; i < n; i++) {
    g_assert_cmpuint (ranges[i].first, <=, ranges[i].last);
    g_assert_true (i == 0 || (guint64)ranges[i - 1].last + 1 < ranges[i].first);
  }
  g_assert_cmpuint (uid_set_min (model->set), ==, n > 0 ? ranges[0].first : 0);
  g_assert_cmpuint (uid_set_max (model->set), ==, n > 0 ? ranges[n - 1].last : 0);
}

/* A second set with its members, of a few ranges or of many. */
static UidSet *
random_other (const Model *model, gboolean member[WINDOW])
{
  UidSet *other = uid_set_new ();

  memset (member, 0, WINDOW * sizeof *member);
  for (int i = g_test_rand_int_range (0, g_test_rand_bit () ? 3 : 30); i > 0; i--) {
    guint first, last;

    random_range (&first, &last);
    uid_set_add_range (other, model->base + first, model->base + last);
    for (guint j = first; j <= last; j++)
      member[j] = TRUE;
  }
  return other;
}

static void
step_range (Model *model, gboolean add)
{
  guint first, last;

  random_range (&first, &last);
  if (add)
    uid_set_add_range (model->set, model->base + first, model->base + last);
  else
    uid_set_remove_range (model->set, model->base + first, model->base + last);
  for (guint i = first; i <= last; i++)
    model->member[i] = add;
}

static void
step_other (Model *model, int operation)
{
  gboolean member[WINDOW];
  g_autoptr (UidSet) other = random_other (model, member);
  g_autoptr (UidSet) before = uid_set_copy (other);

  if (operation == 0)
    uid_set_union (model->set, other);
  else if (operation == 1)
    uid_set_subtract (model->set, other);
  else
    uid_set_intersect (model->set, other);
  g_assert_true (uid_set_equal (other, before));
  for (guint i = 0; i < WINDOW; i++)
    model->member[i] = operation == 0   ? model->member[i] || member[i]
                       : operation == 1 ? model->member[i] && !member[i]
                                        : model->member[i] && member[i];
}

static void
step (Model *model)
{
  int operation = g_test_rand_int_range (0, 100);
  guint i = g_test_rand_int_range (0, WINDOW);

  if (operation < 30) {
    uid_set_add (model->set, model->base + i);
    model->member[i] = TRUE;
  } else if (operation < 75) {
    step_range (model, operation < 50);
  } else if (operation < 99) {
    step_other (model, operation % 3);
  } else {
    uid_set_clear (model->set);
    memset (model->member, 0, sizeof model->member);
  }
}

static void
test_random_operations_agree_with_a_bitmap (void)
{
  static const guint32 bases[] = {1, 5000, G_MAXUINT32 - WINDOW + 1};

  for (guint i = 0; i < G_N_ELEMENTS (bases); i++) {
    Model model = {.set = uid_set_new (), .base = bases[i]};

    for (guint round = 0; round < 20000; round++) {
      step (&model);
      assert_model (&model);
    }
    uid_set_free (model.set);
  }
}

static void
test_random_texts_agree_with_a_bitmap (void)
{
  for (guint round = 0; round < 20000; round++) {
    g_autoptr (GString) text = g_string_new (NULL);
    Model model = {.base = 1};

    for (int i = g_test_rand_int_range (1, 20); i > 0; i--) {
      guint first, last;

      random_range (&first, &last);
      for (guint j = first; j <= last; j++)
        model.member[j] = TRUE;
      g_string_append_printf (text, "%s%u", text->len > 0 ? "," : "", first + 1);
      if (g_test_rand_bit ())
        g_string_append_printf (text, ":%u", last + 1);
      else if (first != last)
        g_string_append_printf (text, ",%u:%u", last + 1, first + 1);
    }
    model.set = parse (text->str);
    assert_model (&model);
    uid_set_free (model.set);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/uid-set/parse-brings-ranges-into-order", test_parse_brings_ranges_into_order);
  g_test_add_func ("/uid-set/parse-refuses-what-is-no-set", test_parse_refuses_what_is_no_set);
  g_test_add_func ("/uid-set/parse-honours-the-length", test_parse_honours_the_length);
  g_test_add_func ("/uid-set/extremes", test_extremes);
  g_test_add_func ("/uid-set/split-keeps-to-the-length", test_split_keeps_to_the_length);
  g_test_add_func ("/uid-set/lists-keep-the-order-of-the-wire",
                   test_lists_keep_the_order_of_the_wire);
  g_test_add_func ("/uid-set/hostile-sets-are-cheap", test_hostile_sets_are_cheap);
  g_test_add_func ("/uid-set/random-operations-agree-with-a-bitmap",
                   test_random_operations_agree_with_a_bitmap);
  g_test_add_func ("/uid-set/random-texts-agree-with-a-bitmap",
                   test_random_texts_agree_with_a_bitmap);
  return g_test_run ();
}
