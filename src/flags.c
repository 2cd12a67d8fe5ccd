/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "flags.h"

#include <stdlib.h>
#include <string.h>

/* Two levels: each flag has a number by its case-folded name, each list is its flags' numbers in
 * ascending order. So lists compare, hash and merge as integers, and only the text, made once,
 * knows the alphabet. */

typedef struct {
  const char *name; /* NUL-terminated only in the table */
  gsize length;
  guint32 number;
} Flag;

typedef struct {
  FlagsId id;
  guint32 n;
  const guint32 *flags;
  char *text;
} List;

/* What the operations gave of late: a mailbox's messages have few lists among them, and each of
 * them is compared and merged many times in a row. */
#define N_RESULTS 256

/* The same for the spelling of lists, in which servers are constant. What is longer than any sane
 * list is not kept: it may be megabytes. */
#define N_SPELLINGS  64
#define MAX_SPELLING 1024

typedef struct {
  char *text; /* the flags, each with a space behind it; NULL: none */
  gsize length;
  FlagsId id;
} Spelling;

typedef enum { OP_NONE, OP_COMBINE, OP_MASK } Op;

typedef struct {
  Op op;
  guint32 a, b, c, how;
  FlagsId id;
} Result;

struct _FlagTable {
  GPtrArray *flags;         /* Flag, by number */
  GHashTable *flag_by_name; /* Flag, itself */
  GHashTable *list_by_id;   /* FlagsId -> List */
  GHashTable *list_by_body; /* List, itself */
  List empty;
  GArray *scratch; /* guint32: the list that is being looked for */
  FlagsId max;
  Result results[N_RESULTS];
  GString *spelled; /* the list that is being looked for */
  Spelling spellings[N_SPELLINGS];
};

/* A number read from a database must leave room for all those still to come. */
#define MAX_LOADED ((FlagsId)G_MAXINT32)

static guint
flag_hash (gconstpointer data)
{
  const Flag *flag = data;
  guint hash = 5381;

  for (gsize i = 0; i < flag->length; i++)
    hash = hash * 33 + (guchar)g_ascii_tolower (flag->name[i]);
  return hash;
}

static gboolean
flag_equal (gconstpointer a, gconstpointer b)
{
  const Flag *x = a, *y = b;
  return x->length == y->length && g_ascii_strncasecmp (x->name, y->name, x->length) == 0;
}

static void
flag_free (gpointer data)
{
  Flag *flag = data;
  g_free ((char *)flag->name);
  g_free (flag);
}

static guint
list_hash (gconstpointer data)
{
  const List *list = data;
  guint hash = 2166136261u;

  for (guint32 i = 0; i < list->n; i++)
    hash = (hash ^ list->flags[i]) * 16777619u;
  return hash;
}

static gboolean
list_equal (gconstpointer a, gconstpointer b)
{
  const List *x = a, *y = b;
  return x->n == y->n && (x->n == 0 || memcmp (x->flags, y->flags, x->n * sizeof *x->flags) == 0);
}

static void
list_free (gpointer data)
{
  List *list = data;
  g_free (list->text);
  g_free (list);
}

FlagTable *
flag_table_new (void)
{
  FlagTable *table = g_new0 (FlagTable, 1);

  table->flags = g_ptr_array_new_with_free_func (flag_free);
  table->flag_by_name = g_hash_table_new (flag_hash, flag_equal);
  table->list_by_id = g_hash_table_new_full (NULL, NULL, NULL, list_free);
  table->list_by_body = g_hash_table_new (list_hash, list_equal);
  table->empty.text = (char *)"";
  table->scratch = g_array_new (FALSE, FALSE, sizeof (guint32));
  table->spelled = g_string_new (NULL);
  return table;
}

void
flag_table_free (FlagTable *table)
{
  if (table == NULL)
    return;
  g_hash_table_unref (table->list_by_body);
  g_hash_table_unref (table->list_by_id);
  g_hash_table_unref (table->flag_by_name);
  g_ptr_array_unref (table->flags);
  g_array_unref (table->scratch);
  g_string_free (table->spelled, TRUE);
  for (guint i = 0; i < N_SPELLINGS; i++)
    g_free (table->spellings[i].text);
  g_free (table);
}

static const List *
get_list (const FlagTable *table, FlagsId id)
{
  const List *list = NULL;

  if (id != 0)
    list = g_hash_table_lookup (table->list_by_id, GUINT_TO_POINTER (id));
  g_return_val_if_fail (id == 0 || list != NULL, &table->empty);
  return list != NULL ? list : &table->empty;
}

static const Flag *
intern_flag (FlagTable *table, const char *name, gsize length)
{
  Flag key = {name, length, 0};
  Flag *flag = g_hash_table_lookup (table->flag_by_name, &key);

  if (flag != NULL)
    return flag;
  flag = g_new (Flag, 1);
  *flag = (Flag){g_strndup (name, length), length, table->flags->len};
  g_ptr_array_add (table->flags, flag);
  g_hash_table_add (table->flag_by_name, flag);
  return flag;
}

static void
collect_text (FlagTable *table, const char *text)
{
  static const Flag recent = {"\\Recent", 7, 0};

  for (const char *p = text + strspn (text, " "); *p != '\0'; p += strspn (p, " ")) {
    Flag key = {p, strcspn (p, " "), 0};

    p += key.length;
    if (!flag_equal (&key, &recent))
      g_array_append_val (table->scratch, intern_flag (table, key.name, key.length)->number);
  }
}

static int
compare_numbers (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
  return (x > y) - (x < y);
}

/* Brings the scratch list into a set's one form. Lists are short and come in the same order again
 * and again, which insertion likes best; qsort() is for those that somebody crafted. */
static void
normalize_scratch (FlagTable *table)
{
  guint32 *v = (guint32 *)(void *)table->scratch->data;
  guint n = table->scratch->len, kept = 0;

  if (n > 32) {
    qsort (v, n, sizeof *v, compare_numbers);
  } else {
    for (guint i = 1; i < n; i++) {
      guint32 value = v[i];
      guint j = i;

      for (; j > 0 && v[j - 1] > value; j--)
        v[j] = v[j - 1];
      v[j] = value;
    }
  }
  for (guint i = 0; i < n; i++)
    if (kept == 0 || v[kept - 1] != v[i])
      v[kept++] = v[i];
  g_array_set_size (table->scratch, kept);
}

static int
compare_flags (gconstpointer a, gconstpointer b)
{
  return g_ascii_strcasecmp ((*(const Flag *const *)a)->name, (*(const Flag *const *)b)->name);
}

static char *
format_list (const FlagTable *table, const List *list)
{
  g_autofree const Flag **flags = g_new (const Flag *, list->n);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint32 i = 0; i < list->n; i++)
    flags[i] = g_ptr_array_index (table->flags, list->flags[i]);
  qsort (flags, list->n, sizeof *flags, compare_flags);
  for (guint32 i = 0; i < list->n; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", flags[i]->name);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static const List *
find_scratch (FlagTable *table)
{
  List key = {.n = table->scratch->len, .flags = (const guint32 *)(void *)table->scratch->data};
  return key.n == 0 ? &table->empty : g_hash_table_lookup (table->list_by_body, &key);
}

static void
add_scratch (FlagTable *table, FlagsId id)
{
  guint32 n = table->scratch->len;
  List *list = g_malloc (sizeof *list + n * sizeof *list->flags);

  memcpy (list + 1, table->scratch->data, n * sizeof *list->flags);
  *list = (List){.id = id, .n = n, .flags = (const guint32 *)(list + 1)};
  list->text = format_list (table, list);
  g_hash_table_insert (table->list_by_id, GUINT_TO_POINTER (id), list);
  g_hash_table_add (table->list_by_body, list);
  table->max = MAX (table->max, id);
}

/* The scratch list is in a set's one form already. */
static FlagsId
intern_scratch (FlagTable *table)
{
  const List *list = find_scratch (table);

  if (list != NULL)
    return list->id;
  add_scratch (table, table->max + 1);
  return table->max;
}

/* Where the list of these words, spelled like this and in this order, is remembered. */
static Spelling *
find_spelling (FlagTable *table, const char *const *flags, gsize n)
{
  guint hash = 5381;

  g_string_truncate (table->spelled, 0);
  for (gsize i = 0; i < n; i++) {
    g_string_append (table->spelled, flags[i]);
    g_string_append_c (table->spelled, ' ');
  }
  for (gsize i = 0; i < table->spelled->len; i++)
    hash = hash * 33 + (guchar)table->spelled->str[i];
  return &table->spellings[hash % N_SPELLINGS];
}

FlagsId
flag_table_intern (FlagTable *table, const char *const *flags, gsize n)
{
  Spelling *spelling = find_spelling (table, flags, n);

  if (spelling->text != NULL && spelling->length == table->spelled->len &&
      memcmp (spelling->text, table->spelled->str, spelling->length) == 0)
    return spelling->id;
  g_array_set_size (table->scratch, 0);
  for (gsize i = 0; i < n; i++)
    collect_text (table, flags[i]);
  normalize_scratch (table);
  if (table->spelled->len > MAX_SPELLING)
    return intern_scratch (table);
  g_free (spelling->text);
  spelling->length = table->spelled->len;
  spelling->text = g_strndup (table->spelled->str, spelling->length);
  return spelling->id = intern_scratch (table);
}

FlagsId
flag_table_intern_text (FlagTable *table, const char *text)
{
  return flag_table_intern (table, &text, 1);
}

gboolean
flag_table_load (FlagTable *table, FlagsId id, const char *text)
{
  const List *list;

  g_array_set_size (table->scratch, 0);
  collect_text (table, text);
  normalize_scratch (table);
  list = find_scratch (table);
  if (list != NULL)
    return list->id == id;
  if (id == 0 || id > MAX_LOADED ||
      g_hash_table_contains (table->list_by_id, GUINT_TO_POINTER (id)))
    return FALSE;
  add_scratch (table, id);
  return TRUE;
}

FlagsId
flag_table_max (const FlagTable *table)
{
  return table->max;
}

const char *
flag_table_text (const FlagTable *table, FlagsId id)
{
  return get_list (table, id)->text;
}

gboolean
flag_table_contains (const FlagTable *table, FlagsId id, const char *flag)
{
  const List *list = get_list (table, id);
  Flag key = {flag, strlen (flag), 0};
  const Flag *known = g_hash_table_lookup (table->flag_by_name, &key);

  return known != NULL && list->n > 0 &&
         bsearch (&known->number, list->flags, list->n, sizeof *list->flags, compare_numbers) !=
             NULL;
}

/* Where the result of an operation on its operands is kept, or will be. */
static Result *
find_result (FlagTable *table, const Result *key, gboolean *known)
{
  guint32 hash = (((key->a * 31 + key->b) * 31 + key->c) * 31 + key->how) * 7 + (guint32)key->op;
  Result *result = &table->results[(hash ^ hash >> 8) % N_RESULTS];

  *known = result->op == key->op && result->a == key->a && result->b == key->b &&
           result->c == key->c && result->how == key->how;
  if (!*known)
    *result = *key;
  return result;
}

/* Walks two lists together and keeps what is only in @a, only in @b, in both. */
static FlagsId
combine (FlagTable *table, FlagsId a, FlagsId b, gboolean only_a, gboolean only_b, gboolean both)
{
  const Result key = {OP_COMBINE, a, b, 0, (guint32)(only_a << 2 | only_b << 1 | both), 0};
  const List *x, *y;
  guint32 i = 0, j = 0;
  gboolean known;
  Result *result = find_result (table, &key, &known);

  if (known)
    return result->id;
  x = get_list (table, a);
  y = get_list (table, b);
  g_array_set_size (table->scratch, 0);
  while (i < x->n || j < y->n) {
    gboolean in_a = j == y->n || (i < x->n && x->flags[i] <= y->flags[j]);
    gboolean in_b = i == x->n || (j < y->n && y->flags[j] <= x->flags[i]);
    guint32 number = in_a ? x->flags[i] : y->flags[j];

    if (in_a && in_b ? both : in_a ? only_a : only_b)
      g_array_append_val (table->scratch, number);
    i += in_a;
    j += in_b;
  }
  return result->id = intern_scratch (table);
}

FlagsId
flag_table_union (FlagTable *table, FlagsId a, FlagsId b)
{
  return a == b ? a : combine (table, a, b, TRUE, TRUE, TRUE);
}

FlagsId
flag_table_minus (FlagTable *table, FlagsId a, FlagsId b)
{
  return b == 0 ? a : combine (table, a, b, TRUE, FALSE, FALSE);
}

FlagsId
flag_table_intersect (FlagTable *table, FlagsId a, FlagsId b)
{
  return a == b ? a : combine (table, a, b, FALSE, FALSE, TRUE);
}

/* The walk of @i up to the first of @list that is not below @number. */
static gboolean
advance_to (const List *list, guint32 *i, guint32 number)
{
  while (*i < list->n && list->flags[*i] < number)
    (*i)++;
  return *i < list->n && list->flags[*i] == number;
}

static FlagsId
make_mask (FlagTable *table, FlagsId id, const FlagMask *mask)
{
  const List *list = get_list (table, id);
  const List *permitted = get_list (table, mask->permitted);
  const List *refused = get_list (table, mask->refused);
  guint32 p = 0, r = 0;

  g_array_set_size (table->scratch, 0);
  for (guint32 i = 0; i < list->n; i++) {
    guint32 number = list->flags[i];
    const Flag *flag = g_ptr_array_index (table->flags, number);
    gboolean named = advance_to (permitted, &p, number);
    gboolean kept = named || (mask->any_keyword && flag->name[0] != '\\');

    if (kept && !advance_to (refused, &r, number))
      g_array_append_val (table->scratch, number);
  }
  return intern_scratch (table);
}

FlagsId
flag_table_mask (FlagTable *table, FlagsId id, const FlagMask *mask)
{
  const Result key = {OP_MASK, id, mask->permitted, mask->refused, !!mask->any_keyword, 0};
  gboolean known;
  Result *result = find_result (table, &key, &known);

  if (!known)
    result->id = make_mask (table, id, mask);
  return result->id;
}
