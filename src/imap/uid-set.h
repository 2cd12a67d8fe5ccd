/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A set of UIDs as sorted, disjoint, non-adjacent ranges (sequence-set of RFC 9051, without "*"):
 * 1:4294967295 costs one range, nothing is ever expanded. 0 is no UID and never a member. */
typedef struct {
  guint32 first;
  guint32 last;
} UidRange;

typedef struct _UidSet UidSet;

UidSet *uid_set_new (void);
UidSet *uid_set_new_range (guint32 first, guint32 last);
UidSet *uid_set_copy (const UidSet *set);
void uid_set_free (UidSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UidSet, uid_set_free)

/* Parses a sequence-set of @length bytes (-1: NUL-terminated). Ranges may come in any order,
 * overlap and be reversed; 0, "*", numbers above 2^32-1, empty text and anything else is
 * IMAPSYNC_ERROR_PROTOCOL. (transfer full) */
UidSet *uid_set_parse (const char *text, gssize length, GError **error);

/* Appending above the last member is O(1) amortized. @first <= @last, both >= 1. */
void uid_set_add (UidSet *set, guint32 uid);
void uid_set_add_range (UidSet *set, guint32 first, guint32 last);
void uid_set_remove_range (UidSet *set, guint32 first, guint32 last);
void uid_set_clear (UidSet *set);

void uid_set_union (UidSet *set, const UidSet *other);
void uid_set_subtract (UidSet *set, const UidSet *other);
void uid_set_intersect (UidSet *set, const UidSet *other);

gboolean uid_set_contains (const UidSet *set, guint32 uid);
gboolean uid_set_is_empty (const UidSet *set);
gboolean uid_set_equal (const UidSet *a, const UidSet *b);
guint64 uid_set_count (const UidSet *set); /* members */
guint32 uid_set_min (const UidSet *set);   /* 0 when empty */
guint32 uid_set_max (const UidSet *set);   /* 0 when empty */

/* The ranges themselves, ascending; valid until the set changes. */
const UidRange *uid_set_ranges (const UidSet *set, gsize *n_ranges);

/* "1:3,7"; "" when empty. (transfer full) */
char *uid_set_to_string (const UidSet *set);

/* Cuts the set into strings of at most @max_length bytes each (>= 21), for commands whose line must
 * stay short (RFC 7162, section 4). Empty array for an empty set. (transfer full) (element-type
 * char*) */
GPtrArray *uid_set_split (const UidSet *set, gsize max_length);

/* Walks the members one by one, ascending. The set must not change meanwhile. */
typedef struct {
  const UidSet *set;
  gsize range;
  guint64 next;
} UidIter;

void uid_iter_init (UidIter *iter, const UidSet *set);
gboolean uid_iter_next (UidIter *iter, guint32 *uid);

/* The UIDs of APPENDUID and COPYUID (RFC 4315) *in the order of the wire*: a pair made from the
 * wrong order deletes the wrong mail later. Reversed ranges are ascending all the same (RFC 9051:
 * 4:2 is 2:4). A list of more than @max members, a repeated member or bad syntax is
 * IMAPSYNC_ERROR_PROTOCOL. (transfer full) (element-type guint32) */
GArray *uid_list_parse (const char *text, gssize length, gsize max, GError **error);

G_END_DECLS
