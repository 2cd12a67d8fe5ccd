/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "conflict-kinds.h"

static const struct {
  const char *kind;
  const char *group;
  const char *choices[4];
} kinds[] = {
    {"mass-deletion", "mass-deletion", {"restore", "apply", "later"}},
    {"mailbox-delete-vs-change", "mailbox-deleted", {"keep", "delete"}},
    {"refused", "refused", {"retry", "skip"}},
    {"unreadable", "refused", {"retry", "skip"}},
    {"read-only", "mailbox", {"retry", "dismiss"}},
    {"mailbox-name", "mailbox", {"retry", "dismiss"}},
    {"flags", "changed", {"dismiss"}},
    {"delete-vs-change", "changed", {"dismiss"}},
    {"uidvalidity", "changed", {"dismiss"}},
};

/* Kinds that a newer service knows. */
static const char *const unknown_choices[] = {"dismiss", NULL};

const char *const *
conflict_choices (const char *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (g_str_equal (kind, kinds[i].kind))
      return kinds[i].choices;
  }
  return unknown_choices;
}

const char *
conflict_group (const char *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (g_str_equal (kind, kinds[i].kind))
      return kinds[i].group;
  }
  return "changed";
}
