/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "flags.h"

#include <string.h>

static void
test_lists_are_sets (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();
  static const char *const a[] = {"\\Seen", "work", "\\Flagged"};
  static const char *const b[] = {"WORK", "\\flagged", "\\Recent", "\\SEEN", "Work"};
  static const char *const c[] = {"\\Seen", "wor", "k", "\\Flagged"};
  static const char *const recent[] = {"\\RECENT"};
  FlagsId id = flag_table_intern (table, a, G_N_ELEMENTS (a));

  g_assert_cmpuint (id, ==, 1);
  g_assert_cmpuint (flag_table_intern (table, b, G_N_ELEMENTS (b)), ==, id);
  g_assert_cmpuint (flag_table_intern (table, c, G_N_ELEMENTS (c)), ==, 2);
  g_assert_cmpuint (flag_table_intern (table, NULL, 0), ==, 0);
  g_assert_cmpuint (flag_table_intern (table, recent, 1), ==, 0);
  g_assert_cmpuint (flag_table_max (table), ==, 2);
}

static void
test_text_keeps_the_first_spelling_and_is_sorted (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();
  FlagsId first = flag_table_intern_text (table, "Work \\Seen a1 $Junk");
  FlagsId second = flag_table_intern_text (table, "work ALPHA");

  g_assert_cmpstr (flag_table_text (table, 0), ==, "");
  g_assert_cmpstr (flag_table_text (table, first), ==, "$Junk \\Seen a1 Work");
  g_assert_cmpstr (flag_table_text (table, second), ==, "ALPHA Work");
  g_assert_cmpuint (flag_table_intern_text (table, flag_table_text (table, first)), ==, first);
  g_assert_cmpuint (flag_table_intern_text (table, ""), ==, 0);
  g_assert_cmpuint (flag_table_intern_text (table, "  work   alpha "), ==, second);
}

static void
test_contains (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();
  FlagsId id = flag_table_intern_text (table, "\\Seen work");

  flag_table_intern_text (table, "other");
  g_assert_true (flag_table_contains (table, id, "\\SEEN"));
  g_assert_true (flag_table_contains (table, id, "Work"));
  g_assert_false (flag_table_contains (table, id, "wor"));
  g_assert_false (flag_table_contains (table, id, "other"));
  g_assert_false (flag_table_contains (table, id, "unknown"));
  g_assert_false (flag_table_contains (table, id, ""));
  g_assert_false (flag_table_contains (table, 0, "work"));
}

static void
assert_masked (FlagTable *table, const char *list, const char *permitted, gboolean any_keyword,
               const char *refused, const char *expected)
{
  FlagMask mask = {any_keyword, flag_table_intern_text (table, permitted),
                   flag_table_intern_text (table, refused)};
  FlagsId id = flag_table_mask (table, flag_table_intern_text (table, list), &mask);

  g_assert_cmpstr (flag_table_text (table, id), ==, expected);
}

static void
test_mask (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();

  assert_masked (table, "\\Seen \\X a b", "\\Seen \\Deleted", FALSE, "", "\\Seen");
  assert_masked (table, "\\Seen \\X a b", "\\Seen \\Deleted", TRUE, "", "\\Seen a b");
  assert_masked (table, "\\Seen \\X a b", "\\SEEN B", FALSE, "", "\\Seen b");
  assert_masked (table, "\\Seen \\X a b", "\\Seen \\X a b", TRUE, "\\seen A", "\\X b");
  assert_masked (table, "a \\Seen", "", FALSE, "", "");
  assert_masked (table, "", "\\Seen", TRUE, "a", "");
}

static void
test_load_refuses_contradictions (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();

  g_assert_true (flag_table_load (table, 7, "\\Seen work"));
  g_assert_true (flag_table_load (table, 3, "\\Flagged"));
  g_assert_true (flag_table_load (table, 7, "WORK \\seen"));
  g_assert_true (flag_table_load (table, 0, ""));
  g_assert_false (flag_table_load (table, 7, "\\Draft"));
  g_assert_false (flag_table_load (table, 8, "\\Flagged"));
  g_assert_false (flag_table_load (table, 0, "\\Flagged"));
  g_assert_false (flag_table_load (table, 9, ""));
  g_assert_false (flag_table_load (table, G_MAXUINT32, "\\Answered"));
  g_assert_cmpuint (flag_table_max (table), ==, 7);
  g_assert_cmpuint (flag_table_intern_text (table, "\\Flagged"), ==, 3);
  g_assert_cmpuint (flag_table_intern_text (table, "new"), ==, 8);
  g_assert_cmpstr (flag_table_text (table, 7), ==, "\\Seen work");
}

/* A list as bits: flag i is "Fi". */
static FlagsId
intern_bits (FlagTable *table, guint64 bits)
{
  g_autoptr (GPtrArray) flags = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < 64; i++)
    if (bits >> i & 1)
      g_ptr_array_insert (flags, g_test_rand_int_range (0, flags->len + 1),
                          g_strdup_printf ("%c%u", g_test_rand_bit () ? 'f' : 'F', i));
  return flag_table_intern (table, (const char *const *)flags->pdata, flags->len);
}

static guint64
random_bits (void)
{
  guint64 bits = (guint64)(guint32)g_test_rand_int () << 32 | (guint32)g_test_rand_int ();
  /* mostly short lists, as in life */
  for (int i = g_test_rand_int_range (0, 5); i > 0; i--)
    bits &= (guint64)(guint32)g_test_rand_int () << 32 | (guint32)g_test_rand_int ();
  return bits;
}

static void
test_operations_agree_with_bits (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();

  for (guint round = 0; round < 10000; round++) {
    guint64 x = random_bits (), y = random_bits ();
    FlagsId a = intern_bits (table, x), b = intern_bits (table, y);

    g_assert_cmpuint (a == b, ==, x == y);
    g_assert_cmpuint (flag_table_union (table, a, b), ==, intern_bits (table, x | y));
    g_assert_cmpuint (flag_table_minus (table, a, b), ==, intern_bits (table, x & ~y));
    g_assert_cmpuint (flag_table_intersect (table, a, b), ==, intern_bits (table, x & y));
    g_assert_cmpuint (flag_table_union (table, a, a), ==, a);
    g_assert_cmpuint (flag_table_minus (table, a, a), ==, 0);
  }
}

/* What a server may send as one line: it must cost no more than its length. */
static void
test_long_lists (void)
{
  g_autoptr (FlagTable) table = flag_table_new ();
  g_autoptr (GString) up = g_string_new (NULL), down = g_string_new (NULL);
  FlagsId id;

  for (guint i = 0; i < 100000; i++) {
    g_string_append_printf (up, "k%u ", i);
    g_string_append_printf (down, "K%u ", 99999 - i);
  }
  id = flag_table_intern_text (table, up->str);
  g_assert_cmpuint (flag_table_intern_text (table, down->str), ==, id);
  g_assert_true (flag_table_contains (table, id, "k77777"));
  g_assert_cmpuint (strlen (flag_table_text (table, id)), ==, up->len - 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/flags/lists-are-sets", test_lists_are_sets);
  g_test_add_func ("/flags/text-keeps-the-first-spelling-and-is-sorted",
                   test_text_keeps_the_first_spelling_and_is_sorted);
  g_test_add_func ("/flags/contains", test_contains);
  g_test_add_func ("/flags/mask", test_mask);
  g_test_add_func ("/flags/load-refuses-contradictions", test_load_refuses_contradictions);
  g_test_add_func ("/flags/operations-agree-with-bits", test_operations_agree_with_bits);
  g_test_add_func ("/flags/long-lists", test_long_lists);
  return g_test_run ();
}
