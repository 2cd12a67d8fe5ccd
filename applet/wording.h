/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "state.h"

G_BEGIN_DECLS

/* States and codes in the words of a person's language. Pure: nothing here looks at a clock of its
 * own. All results are to be freed. */

/* "just now", "5 minutes ago", "yesterday at 14:05". */
char *wording_ago (gint64 then, gint64 now);

/* "14:05", "tomorrow at 08:00", "Monday, 14:05", a date: says the same however long it is shown. */
char *wording_clock (gint64 then, gint64 now);

/* The menu's first line, about everything. */
char *wording_summary (const State *state, Clock now);

/* The same without relative times, for what is shown without being asked for: the tooltip. */
char *wording_summary_lasting (const State *state, Clock now);

/* "in sync, 5 minutes ago": goes after the account's name and a colon. */
char *wording_account (const Account *account, Clock now);
char *wording_account_lasting (const Account *account, Clock now);

/* What the trouble is, as a title: "Password refused"; NULL when there is none. */
char *wording_trouble (const Account *account);

/* The same as whole sentences: what it means and what helps. */
char *wording_trouble_body (const Account *account);

/* A conflict, or @n of the same kind, as a title; and one of them in a sentence. */
char *wording_conflict_title (const Conflict *conflict, guint n);
char *wording_conflict (const Account *account, const Conflict *conflict);

/* The button for one of the choices of Resolve(). (not to be freed) */
const char *wording_choice (const char *kind, const char *choice);

/* For those who hear the icon. (not to be freed) */
const char *wording_mood (Mood mood);

G_END_DECLS
