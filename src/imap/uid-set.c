/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/uid-set.h"

#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _UidSet {
  GArray *ranges; /* UidRange: ascending, with at least one UID missing between two of them */
};

#define MAX_RANGE_LENGTH 21 /* 4294967295:4294967295 */

static inline gsize
n_ranges (const UidSet *set)
{
  return set->ranges->len;
}

static inline UidRange *
range_at (const UidSet *set, gsize i)
{
  return &g_array_index (set->ranges, UidRange, i);
}

/* The first range that ends at @uid or above it; n_ranges() for none. */
static gsize
lower_bound (const UidSet *set, guint32 uid)
{
  gsize low = 0, high = n_ranges (set);

  while (low < high) {
    gsize middle = low + (high - low) / 2;

    if (range_at (set, middle)->last < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The first range that begins above @uid. */
static gsize
upper_bound (const UidSet *set, guint32 uid)
{
  gsize i = lower_bound (set, uid);
  return i < n_ranges (set) && range_at (set, i)->first <= uid ? i + 1 : i;
}

/* Puts @n ranges in the place of those from @from up to, not including, @to. */
static void
replace_ranges (UidSet *set, gsize from, gsize to, const UidRange *ranges, gsize n)
{
  gsize common = MIN (to - from, n);

  if (common > 0)
    memcpy (range_at (set, from), ranges, common * sizeof *ranges);
  if (n > common)
    g_array_insert_vals (set->ranges, from + common, ranges + common, n - common);
  else if (to > from + common)
    g_array_remove_range (set->ranges, from + common, to - from - common);
}

/* Adds to an array whose last range begins at or below @first. */
static void
append_sorted (GArray *ranges, UidRange range)
{
  UidRange *last = ranges->len > 0 ? &g_array_index (ranges, UidRange, ranges->len - 1) : NULL;

  if (last == NULL || last->last < range.first - 1)
    g_array_append_val (ranges, range);
  else
    last->last = MAX (last->last, range.last);
}

UidSet *
uid_set_new (void)
{
  UidSet *set = g_new (UidSet, 1);
  set->ranges = g_array_new (FALSE, FALSE, sizeof (UidRange));
  return set;
}

UidSet *
uid_set_new_range (guint32 first, guint32 last)
{
  UidSet *set = uid_set_new ();
  uid_set_add_range (set, first, last);
  return set;
}

UidSet *
uid_set_copy (const UidSet *set)
{
  UidSet *copy = uid_set_new ();
  g_array_append_vals (copy->ranges, set->ranges->data, set->ranges->len);
  return copy;
}

void
uid_set_free (UidSet *set)
{
  if (set == NULL)
    return;
  g_array_unref (set->ranges);
  g_free (set);
}

void
uid_set_add (UidSet *set, guint32 uid)
{
  uid_set_add_range (set, uid, uid);
}

void
uid_set_add_range (UidSet *set, guint32 first, guint32 last)
{
  UidRange merged = {first, last};
  gsize from, to, n = n_ranges (set);

  g_return_if_fail (first >= 1 && first <= last);
  if (n == 0 || range_at (set, n - 1)->first <= first) {
    append_sorted (set->ranges, merged);
    return;
  }
  /* Neighbours that merely touch are merged too; first - 1 may be 0, which is below all. */
  from = lower_bound (set, first - 1);
  to = upper_bound (set, last < G_MAXUINT32 ? last + 1 : last);
  if (from < to) {
    merged.first = MIN (first, range_at (set, from)->first);
    merged.last = MAX (last, range_at (set, to - 1)->last);
  }
  replace_ranges (set, from, to, &merged, 1);
}

void
uid_set_remove_range (UidSet *set, guint32 first, guint32 last)
{
  UidRange left[2];
  gsize from, to, n = 0;

  g_return_if_fail (first >= 1 && first <= last);
  from = lower_bound (set, first);
  to = upper_bound (set, last);
  if (from >= to)
    return;
  if (range_at (set, from)->first < first)
    left[n++] = (UidRange){range_at (set, from)->first, first - 1};
  if (range_at (set, to - 1)->last > last)
    left[n++] = (UidRange){last + 1, range_at (set, to - 1)->last};
  replace_ranges (set, from, to, left, n);
}

void
uid_set_clear (UidSet *set)
{
  g_array_set_size (set->ranges, 0);
}

static void
take_ranges (UidSet *set, GArray *ranges)
{
  g_array_unref (set->ranges);
  set->ranges = ranges;
}

void
uid_set_union (UidSet *set, const UidSet *other)
{
  gsize n = n_ranges (set), m = n_ranges (other), i = 0, j = 0;
  GArray *merged;

  if (set == other || m == 0)
    return;
  if (m == 1) {
    uid_set_add_range (set, range_at (other, 0)->first, range_at (other, 0)->last);
    return;
  }
  merged = g_array_sized_new (FALSE, FALSE, sizeof (UidRange), MAX (n, m));
  while (i < n || j < m) {
    gboolean from_set = j == m || (i < n && range_at (set, i)->first <= range_at (other, j)->first);
    append_sorted (merged, from_set ? *range_at (set, i++) : *range_at (other, j++));
  }
  take_ranges (set, merged);
}

void
uid_set_subtract (UidSet *set, const UidSet *other)
{
  gsize n = n_ranges (set), m = n_ranges (other), j = 0;
  GArray *rest;

  if (n == 0 || m == 0)
    return;
  if (m == 1 && set != other) {
    uid_set_remove_range (set, range_at (other, 0)->first, range_at (other, 0)->last);
    return;
  }
  rest = g_array_sized_new (FALSE, FALSE, sizeof (UidRange), n);
  for (gsize i = 0; i < n; i++) {
    UidRange r = *range_at (set, i);
    guint64 next = r.first;

    while (j < m && range_at (other, j)->last < next)
      j++;
    for (; j < m && range_at (other, j)->first <= r.last; j++) {
      const UidRange *hole = range_at (other, j);

      if (hole->first > next)
        append_sorted (rest, (UidRange){next, hole->first - 1});
      next = (guint64)hole->last + 1;
      if (next > r.last)
        break; /* the hole may reach into the next range */
    }
    if (next <= r.last)
      append_sorted (rest, (UidRange){next, r.last});
  }
  take_ranges (set, rest);
}

void
uid_set_intersect (UidSet *set, const UidSet *other)
{
  gsize n = n_ranges (set), m = n_ranges (other), i = 0, j = 0;
  GArray *common;

  if (set == other)
    return;
  common = g_array_sized_new (FALSE, FALSE, sizeof (UidRange), MIN (n, m));
  while (i < n && j < m) {
    UidRange a = *range_at (set, i), b = *range_at (other, j);
    UidRange both = {MAX (a.first, b.first), MIN (a.last, b.last)};

    if (both.first <= both.last)
      append_sorted (common, both);
    if (a.last < b.last)
      i++;
    else
      j++;
  }
  take_ranges (set, common);
}

gboolean
uid_set_contains (const UidSet *set, guint32 uid)
{
  gsize i = lower_bound (set, uid);
  return i < n_ranges (set) && range_at (set, i)->first <= uid;
}

gboolean
uid_set_is_empty (const UidSet *set)
{
  return n_ranges (set) == 0;
}

gboolean
uid_set_equal (const UidSet *a, const UidSet *b)
{
  gsize n = n_ranges (a);
  return n == n_ranges (b) &&
         (n == 0 || memcmp (range_at (a, 0), range_at (b, 0), n * sizeof (UidRange)) == 0);
}

guint64
uid_set_count (const UidSet *set)
{
  guint64 count = 0;

  for (gsize i = 0; i < n_ranges (set); i++)
    count += (guint64)range_at (set, i)->last - range_at (set, i)->first + 1;
  return count;
}

guint32
uid_set_min (const UidSet *set)
{
  return n_ranges (set) > 0 ? range_at (set, 0)->first : 0;
}

guint32
uid_set_max (const UidSet *set)
{
  return n_ranges (set) > 0 ? range_at (set, n_ranges (set) - 1)->last : 0;
}

const UidRange *
uid_set_ranges (const UidSet *set, gsize *n)
{
  *n = n_ranges (set);
  return (const UidRange *)(void *)set->ranges->data;
}

static gsize
format_range (char *buffer, const UidRange *range)
{
  int n = range->first == range->last
              ? snprintf (buffer, MAX_RANGE_LENGTH + 1, "%u", range->first)
              : snprintf (buffer, MAX_RANGE_LENGTH + 1, "%u:%u", range->first, range->last);
  return n;
}

/* The text of the ranges from @i on, as many as @max_length bytes hold; @i becomes the next. */
static char *
format_ranges (const UidSet *set, gsize *i, gsize max_length)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[MAX_RANGE_LENGTH + 1];

  for (; *i < n_ranges (set); (*i)++) {
    gsize length = format_range (buffer, range_at (set, *i));

    if (text->len > 0 && text->len + 1 + length > max_length)
      break;
    if (text->len > 0)
      g_string_append_c (text, ',');
    g_string_append_len (text, buffer, length);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
uid_set_to_string (const UidSet *set)
{
  gsize i = 0;
  return format_ranges (set, &i, G_MAXSIZE);
}

GPtrArray *
uid_set_split (const UidSet *set, gsize max_length)
{
  GPtrArray *strings = g_ptr_array_new_with_free_func (g_free);

  g_return_val_if_fail (max_length >= MAX_RANGE_LENGTH, strings);
  for (gsize i = 0; i < n_ranges (set);)
    g_ptr_array_add (strings, format_ranges (set, &i, max_length));
  return strings;
}

void
uid_iter_init (UidIter *iter, const UidSet *set)
{
  *iter = (UidIter){.set = set};
}

gboolean
uid_iter_next (UidIter *iter, guint32 *uid)
{
  const UidRange *range;

  if (iter->range >= n_ranges (iter->set))
    return FALSE;
  range = range_at (iter->set, iter->range);
  iter->next = MAX (iter->next, range->first);
  *uid = iter->next++;
  if (*uid == range->last)
    iter->range++;
  return TRUE;
}

static gboolean
scan_number (const char **p, const char *end, guint32 *number)
{
  guint64 value = 0;

  if (*p == end || **p < '1' || **p > '9')
    return FALSE;
  for (; *p < end && g_ascii_isdigit (**p); (*p)++) {
    value = value * 10 + (**p - '0');
    if (value > G_MAXUINT32)
      return FALSE;
  }
  *number = value;
  return TRUE;
}

/* One range and the comma behind it, unless it is the last. */
static gboolean
scan_range (const char **p, const char *end, UidRange *range)
{
  guint32 a, b;

  if (!scan_number (p, end, &a))
    return FALSE;
  b = a;
  if (*p < end && **p == ':') {
    (*p)++;
    if (!scan_number (p, end, &b))
      return FALSE;
  }
  *range = (UidRange){MIN (a, b), MAX (a, b)};
  if (*p == end)
    return TRUE;
  return *(*p)++ == ',' && *p < end;
}

static gboolean
fail (GError **error, const char *text, gsize length, const char *why)
{
  const gsize shown = MIN (length, 100);
  g_autofree char *bytes = g_strndup (text, shown);
  g_autofree char *escaped = g_strescape (bytes, NULL);

  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL, "\"%s\"%s %s", escaped,
               shown < length ? "..." : "", why);
  return FALSE;
}

static int
compare_ranges (gconstpointer a, gconstpointer b)
{
  const UidRange *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

/* Sorts what came in the order of the wire, all at once: a set from an evil server must not cost
 * the square of its length. */
static void
normalize (UidSet *set)
{
  GArray *sorted = g_array_sized_new (FALSE, FALSE, sizeof (UidRange), n_ranges (set));

  qsort (set->ranges->data, n_ranges (set), sizeof (UidRange), compare_ranges);
  for (gsize i = 0; i < n_ranges (set); i++)
    append_sorted (sorted, *range_at (set, i));
  take_ranges (set, sorted);
}

UidSet *
uid_set_parse (const char *text, gssize length, GError **error)
{
  g_autoptr (UidSet) set = uid_set_new ();
  const char *p = text, *end = text + (length < 0 ? strlen (text) : (gsize)length);
  gboolean sorted = TRUE;

  do {
    UidRange range;

    if (!scan_range (&p, end, &range)) {
      fail (error, text, end - text, "is not a set of UIDs");
      return NULL;
    }
    sorted = sorted && (uid_set_is_empty (set) || uid_set_max (set) < range.first - 1);
    g_array_append_val (set->ranges, range);
  } while (p < end);
  if (!sorted)
    normalize (set);
  return g_steal_pointer (&set);
}

static int
compare_uids (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
  return (x > y) - (x < y);
}

static gboolean
has_repeats (const GArray *list)
{
  g_autofree guint32 *sorted = g_memdup2 (list->data, list->len * sizeof *sorted);

  qsort (sorted, list->len, sizeof *sorted, compare_uids);
  for (guint i = 1; i < list->len; i++)
    if (sorted[i - 1] == sorted[i])
      return TRUE;
  return FALSE;
}

static gboolean
scan_list (GArray *list, const char *text, gsize length, gsize max, GError **error)
{
  const char *p = text, *end = text + length;

  do {
    UidRange range;

    if (!scan_range (&p, end, &range))
      return fail (error, text, length, "is not a list of UIDs");
    if ((guint64)range.last - range.first >= max - list->len)
      return fail (error, text, length, "lists more UIDs than there can be");
    for (guint64 uid = range.first; uid <= range.last; uid++) {
      guint32 value = uid;
      g_array_append_val (list, value);
    }
  } while (p < end);
  return !has_repeats (list) || fail (error, text, length, "lists a UID twice");
}

GArray *
uid_list_parse (const char *text, gssize length, gsize max, GError **error)
{
  g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (guint32));

  if (!scan_list (list, text, length < 0 ? strlen (text) : (gsize)length, max, error))
    return NULL;
  return g_steal_pointer (&list);
}
