/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "notify-policy.h"

#include "conflict-kinds.h"
#include "wording.h"

#include <glib/gi18n.h>

enum {
  UNREACHED_FOR = 10 * 60, /* seconds: before that it mends itself */
  LOCKED_FOR = 5,          /* the login may be about to unlock it */
  TOLD_CONFLICTS = 3,      /* as many sentences fit into a body */
};

static void
button_free (gpointer data)
{
  NoticeButton *button = data;

  g_free (button->label);
  action_free (button->action);
  g_free (button);
}

static void
notice_clear (gpointer data)
{
  Notice *notice = data;

  g_free (notice->key);
  g_free (notice->path);
  g_free (notice->account);
  g_free (notice->summary);
  g_free (notice->body);
  g_ptr_array_unref (notice->buttons);
}

Notice *
notice_ref (Notice *notice)
{
  return g_rc_box_acquire (notice);
}

void
notice_unref (Notice *notice)
{
  g_rc_box_release_full (notice, notice_clear);
}

/* Takes @summary and @body. */
static Notice *
notice_new (const Account *account, const char *kind, guint rank, char *summary, char *body)
{
  Notice *notice = g_rc_box_new0 (Notice);

  notice->key = g_strdup_printf ("%s/%s", account->path, kind);
  notice->path = g_strdup (account->path);
  notice->kind = kind;
  notice->account = g_strdup (account->name);
  notice->rank = rank;
  notice->summary = summary;
  notice->body = body;
  notice->urgency = URGENCY_NORMAL;
  notice->category = "transfer.error";
  notice->buttons = g_ptr_array_new_with_free_func (button_free);
  return notice;
}

/* Takes @action. */
static void
add_button (Notice *notice, const char *label, Action *action)
{
  NoticeButton *button = g_new0 (NoticeButton, 1);

  button->label = g_strdup (label);
  button->action = action;
  g_ptr_array_add (notice->buttons, button);
}

/* --- an account's trouble -------------------------------------------------------------------- */

typedef struct {
  GPtrArray *notices;
  const Account *account;
  Clock now;
  guint *again_in;
} Policy;

/* Whether @since is @seconds ago; if not, when to look again. */
static gboolean
is_old (Policy *policy, gint64 since, gint64 seconds)
{
  gint64 left = since + seconds - policy->now.awake;

  if (left <= 0)
    return TRUE;
  if (*policy->again_in == 0 || left < *policy->again_in)
    *policy->again_in = (guint)left;
  return FALSE;
}

static char *
title_for (const Account *account, char *title)
{
  char *summary = g_strdup_printf (C_ ("account", "%s: %s"), account->name, title);

  g_free (title);
  return summary;
}

static Notice *
add_trouble (Policy *policy, const char *kind, guint rank)
{
  const Account *account = policy->account;
  Notice *notice = notice_new (account, kind, rank, title_for (account, wording_trouble (account)),
                               wording_trouble_body (account));

  notice->serial = account->trouble_serial;
  notice->lasting = TRUE;
  g_ptr_array_add (policy->notices, notice);
  return notice;
}

static void
tell_unreached (Policy *policy)
{
  const Account *account = policy->account;
  Notice *notice;

  if (!is_old (policy, account->unreached_since, UNREACHED_FOR))
    return;
  notice = add_trouble (policy, "offline", 7);
  notice->serial = (guint64)account->unreached_since;
  notice->category = "network.error";
  notice->urgency = URGENCY_LOW;
}

static void
tell_trouble (Policy *policy)
{
  const Account *account = policy->account;
  Notice *notice;

  switch (account->trouble) {
  case STATUS_AUTH_FAILED:
    notice = add_trouble (policy, "password", 1);
    add_button (notice, _ ("Try again"), action_new (VERB_SYNC, account->path));
    break;
  case STATUS_KEYRING_LOCKED:
    if (!is_old (policy, account->trouble_since, LOCKED_FOR))
      break;
    notice = add_trouble (policy, "keyring", 3);
    notice->click = TRUE;
    /* Translators: a button that asks for the keyring's password. */
    add_button (notice, _ ("Unlock…"), action_new (VERB_UNLOCK, account->path));
    break;
  case STATUS_OFFLINE:
    tell_unreached (policy);
    break;
  case STATUS_ERROR:
    if (account_is_unreached (account))
      tell_unreached (policy);
    else if (g_str_equal (account->trouble_code, "certificate"))
      add_trouble (policy, "certificate", 2);
    else
      add_trouble (policy, "error", 4);
    break;
  case STATUS_UNKNOWN:
  case STATUS_CONNECTING:
  case STATUS_SYNCING:
  case STATUS_WATCHING:
  case STATUS_PAUSED:
    break;
  }
}

/* --- its conflicts --------------------------------------------------------------------------- */

static const struct {
  const char *group;
  guint rank;
} groups[] = {
    {"mass-deletion", 0}, {"mailbox-deleted", 5}, {"refused", 6}, {"mailbox", 6}, {"changed", 8},
};

static gboolean
is_common_kind (const GPtrArray *conflicts)
{
  const Conflict *first = g_ptr_array_index (conflicts, 0);

  for (guint i = 1; i < conflicts->len; i++) {
    if (!g_str_equal (((const Conflict *)g_ptr_array_index (conflicts, i))->kind, first->kind))
      return FALSE;
  }
  return TRUE;
}

static char *
word_conflicts_title (const GPtrArray *conflicts)
{
  gulong n = conflicts->len;

  if (is_common_kind (conflicts))
    return wording_conflict_title (g_ptr_array_index (conflicts, 0), conflicts->len);
  return g_strdup_printf (ngettext ("%lu thing to look at", "%lu things to look at", n), n);
}

/* The newest first: they are news. */
static char *
word_conflicts (const Account *account, const GPtrArray *conflicts)
{
  GString *body = g_string_new (NULL);
  gulong more;

  for (guint i = 0; i < MIN (conflicts->len, TOLD_CONFLICTS); i++) {
    g_autofree char *sentence =
        wording_conflict (account, g_ptr_array_index (conflicts, conflicts->len - 1 - i));

    g_string_append_printf (body, "%s%s", i > 0 ? "\n" : "", sentence);
  }
  if (conflicts->len > TOLD_CONFLICTS) {
    more = conflicts->len - TOLD_CONFLICTS;
    g_string_append_c (body, '\n');
    g_string_append_printf (body, ngettext ("and %lu more", "and %lu more", more), more);
  }
  return g_string_free (body, FALSE);
}

static void
add_choices (Notice *notice, const Account *account, const GPtrArray *conflicts)
{
  const Conflict *first = g_ptr_array_index (conflicts, 0);
  const char *const *choices = conflict_choices (first->kind);

  for (guint i = 0; choices[i] != NULL; i++) {
    Action *action = action_new_resolve (account->path, choices[i]);

    for (guint j = 0; j < conflicts->len; j++)
      action_add_conflict (action, ((const Conflict *)g_ptr_array_index (conflicts, j))->id);
    add_button (notice, wording_choice (first->kind, choices[i]), action);
  }
}

static void
tell_conflicts (Policy *policy, const char *group, guint rank)
{
  const Account *account = policy->account;
  g_autoptr (GPtrArray) conflicts = g_ptr_array_new ();
  const Conflict *newest;
  Notice *notice;

  for (guint i = 0; i < account->open->len; i++) {
    Conflict *conflict = g_ptr_array_index (account->open, i);

    if (g_str_equal (conflict_group (conflict->kind), group))
      g_ptr_array_add (conflicts, conflict);
  }
  if (conflicts->len == 0)
    return;
  newest = g_ptr_array_index (conflicts, conflicts->len - 1);
  notice = notice_new (account, group, rank, title_for (account, word_conflicts_title (conflicts)),
                       word_conflicts (account, conflicts));
  notice->serial = newest->id;
  notice->lasting = conflict_is_waiting (newest) || g_str_equal (group, "mailbox-deleted");
  if (!notice->lasting) {
    notice->urgency = URGENCY_LOW;
    notice->category = "transfer.complete";
  }
  add_choices (notice, account, conflicts);
  g_ptr_array_add (policy->notices, notice);
}

static void
tell_new_mail (Policy *policy)
{
  const Account *account = policy->account;
  gulong n = (gulong)account->new_mail;
  Notice *notice;

  if (n == 0)
    return;
  notice = notice_new (account, NOTICE_NEW_MAIL, 9,
                       g_strdup_printf (ngettext ("%lu new message", "%lu new messages", n), n),
                       g_strdup (account->name));
  notice->category = "email.arrived";
  notice->serial = account->new_mail_serial;
  g_ptr_array_add (policy->notices, notice);
}

static gint
compare_notices (gconstpointer a, gconstpointer b)
{
  const Notice *left = *(Notice *const *)a, *right = *(Notice *const *)b;

  if (left->rank != right->rank)
    return left->rank < right->rank ? -1 : 1;
  return g_strcmp0 (left->key, right->key);
}

GPtrArray *
notify_policy (const State *state, Clock now, guint *again_in)
{
  GPtrArray *notices = g_ptr_array_new_with_free_func ((GDestroyNotify)notice_unref);

  *again_in = 0;
  for (guint i = 0; i < state->accounts->len; i++) {
    Policy policy = {notices, g_ptr_array_index (state->accounts, i), now, again_in};

    tell_trouble (&policy);
    for (guint j = 0; j < G_N_ELEMENTS (groups); j++)
      tell_conflicts (&policy, groups[j].group, groups[j].rank);
    tell_new_mail (&policy);
  }
  g_ptr_array_sort (notices, compare_notices);
  return notices;
}
