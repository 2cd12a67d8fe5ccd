/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a menu item or a notification's button asks for. */

typedef enum {
  VERB_NONE,
  VERB_START, /* the service itself */
  VERB_SYNC,
  VERB_PAUSE,
  VERB_PAUSE_HOUR,
  VERB_PAUSE_TOMORROW,
  VERB_RESUME,
  VERB_UNLOCK,
  VERB_RESOLVE,
  VERB_QUIT,
} Verb;

typedef struct {
  Verb verb;
  char *path;        /* the account's; NULL: every account */
  GArray *conflicts; /* guint64; NULL unless VERB_RESOLVE */
  char *choice;      /* "" unless VERB_RESOLVE */
} Action;

Action *action_new (Verb verb, const char *path);

/* Gives @choice as the answer to the conflicts that are added. */
Action *action_new_resolve (const char *path, const char *choice);
void action_add_conflict (Action *action, guint64 id);

Action *action_copy (const Action *action);
void action_free (Action *action);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Action, action_free)

/* When "until tomorrow" ends, in seconds since 1970: at eight in the morning, after a night. */
gint64 action_tomorrow (gint64 now);

G_END_DECLS
