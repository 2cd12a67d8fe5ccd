/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Flag lists as numbers.
 *
 * A FlagTable gives each distinct list of flags and keywords (RFC 9051, section 2.3.2) a number, so
 * that a million messages cost four bytes each and equality is an integer comparison. Lists are
 * sets: order, repetition and the case of letters do not distinguish them, \Recent is never part of
 * one (it is no property of the message). The first spelling seen is the one given back. Number 0
 * is the empty list. Numbers are never reused; the store saves them, so they are the same in the
 * next run. Not thread-safe: a table belongs to its account's thread. */
typedef guint32 FlagsId;
typedef struct _FlagTable FlagTable;

/* What a side can keep: PERMANENTFLAGS (RFC 9051, section 7.1) less what it refused before. */
typedef struct {
  gboolean any_keyword; /* PERMANENTFLAGS has \* */
  FlagsId permitted;
  FlagsId refused;
} FlagMask;

FlagTable *flag_table_new (void);
void flag_table_free (FlagTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FlagTable, flag_table_free)

/* The number of the list of @n strings @flags, which need not be NUL-terminated vectors of a known
 * order. Cheap for a list seen before. */
FlagsId flag_table_intern (FlagTable *table, const char *const *flags, gsize n);

/* The same from flags separated by single spaces, as flag_table_text() returns them. */
FlagsId flag_table_intern_text (FlagTable *table, const char *text);

/* Puts @text in at @id, as read from the database. FALSE where @id is taken by another list, or the
 * list already has another number: the database contradicts itself. */
gboolean flag_table_load (FlagTable *table, FlagsId id, const char *text);

/* The largest number given so far. */
FlagsId flag_table_max (const FlagTable *table);

/* The flags separated by spaces, sorted without regard to case; "" for 0. Owned by the table. */
const char *flag_table_text (const FlagTable *table, FlagsId id);

gboolean flag_table_contains (const FlagTable *table, FlagsId id, const char *flag);
FlagsId flag_table_union (FlagTable *table, FlagsId a, FlagsId b);
FlagsId flag_table_minus (FlagTable *table, FlagsId a, FlagsId b);
FlagsId flag_table_intersect (FlagTable *table, FlagsId a, FlagsId b);

/* The part of @id that a side with @mask can keep. System flags (backslash) are kept when permitted
 * names them, keywords when permitted names them or any_keyword; never what refused names. */
FlagsId flag_table_mask (FlagTable *table, FlagsId id, const FlagMask *mask);

G_END_DECLS
