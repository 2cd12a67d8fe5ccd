/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fuzz.h"
#include "imap/uid-set.h"

#include <string.h>

#define MAX_LIST 1000

static void
check_text (const UidSet *set)
{
  g_autofree char *text = uid_set_to_string (set);
  g_autoptr (GPtrArray) parts = uid_set_split (set, 40);
  g_autoptr (UidSet) again = uid_set_parse (text, -1, NULL);
  g_autoptr (UidSet) joined = uid_set_new ();

  g_assert_true (again != NULL && uid_set_equal (set, again));
  for (guint i = 0; i < parts->len; i++) {
    g_autoptr (UidSet) part = uid_set_parse (parts->pdata[i], -1, NULL);

    g_assert_true (part != NULL && strlen (parts->pdata[i]) <= 40);
    uid_set_union (joined, part);
  }
  g_assert_true (uid_set_equal (set, joined));
}

static void
check_ranges (const UidSet *set)
{
  gsize n;
  const UidRange *ranges = uid_set_ranges (set, &n);

  g_assert_true (n > 0 && ranges[0].first >= 1);
  for (gsize i = 0; i < n; i++) {
    g_assert_true (ranges[i].first <= ranges[i].last);
    g_assert_true (i == 0 || (guint64)ranges[i - 1].last + 1 < ranges[i].first);
  }
}

/* A or B is (A without B) and (B without A) and (A and B), which have nothing in common. */
static void
check_algebra (const UidSet *a, const UidSet *b)
{
  g_autoptr (UidSet) all = uid_set_copy (a), only_a = uid_set_copy (a), only_b = uid_set_copy (b),
                     both = uid_set_copy (a);

  uid_set_union (all, b);
  uid_set_subtract (only_a, b);
  uid_set_subtract (only_b, a);
  uid_set_intersect (both, b);
  g_assert_cmpuint (uid_set_count (all), ==,
                    uid_set_count (only_a) + uid_set_count (only_b) + uid_set_count (both));
  uid_set_union (only_a, both);
  g_assert_true (uid_set_equal (only_a, a));
  uid_set_union (only_a, only_b);
  g_assert_true (uid_set_equal (only_a, all));
}

static void
check_list (const char *text, gsize length, const UidSet *set)
{
  g_autoptr (GArray) list = uid_list_parse (text, length, MAX_LIST, NULL);

  if (list == NULL)
    return;
  g_assert_true (set != NULL && list->len <= MAX_LIST);
  g_assert_cmpuint (list->len, ==, uid_set_count (set));
  for (guint i = 0; i < list->len; i++)
    g_assert_true (uid_set_contains (set, g_array_index (list, guint32, i)));
}

/* Two sets, "|" between them, or one and nothing. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const char *text = (const char *)data;
  const char *bar = size > 0 ? memchr (text, '|', size) : NULL;
  gsize length = bar != NULL ? (gsize)(bar - text) : size;
  g_autoptr (GError) error = NULL;
  g_autoptr (UidSet) a = uid_set_parse (text, length, &error);
  g_autoptr (UidSet) b = NULL;

  g_assert_true ((a == NULL) == (error != NULL));
  check_list (text, length, a);
  if (a == NULL)
    return 0;
  check_ranges (a);
  check_text (a);
  if (bar != NULL)
    b = uid_set_parse (bar + 1, size - length - 1, NULL);
  if (b != NULL)
    check_algebra (a, b);
  return 0;
}
