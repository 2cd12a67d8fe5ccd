/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "action.h"

enum { MORNING = 8, STILL_NIGHT = 4 };

Action *
action_new (Verb verb, const char *path)
{
  Action *action = g_new0 (Action, 1);

  action->verb = verb;
  action->path = g_strdup (path);
  action->choice = g_strdup ("");
  return action;
}

Action *
action_new_resolve (const char *path, const char *choice)
{
  Action *action = action_new (VERB_RESOLVE, path);

  g_free (action->choice);
  action->choice = g_strdup (choice);
  action->conflicts = g_array_new (FALSE, FALSE, sizeof (guint64));
  return action;
}

void
action_add_conflict (Action *action, guint64 id)
{
  g_array_append_val (action->conflicts, id);
}

Action *
action_copy (const Action *action)
{
  Action *copy = action_new (action->verb, action->path);

  g_free (copy->choice);
  copy->choice = g_strdup (action->choice);
  if (action->conflicts != NULL)
    copy->conflicts = g_array_copy (action->conflicts);
  return copy;
}

void
action_free (Action *action)
{
  if (action == NULL)
    return;
  g_free (action->path);
  g_free (action->choice);
  g_clear_pointer (&action->conflicts, g_array_unref);
  g_free (action);
}

gint64
action_tomorrow (gint64 now)
{
  g_autoptr (GDateTime) today = g_date_time_new_from_unix_local (now);
  g_autoptr (GDateTime) day = NULL;
  g_autoptr (GDateTime) morning = NULL;

  if (today == NULL)
    return now;
  day = g_date_time_add_days (today, g_date_time_get_hour (today) < STILL_NIGHT ? 0 : 1);
  morning = g_date_time_new_local (g_date_time_get_year (day), g_date_time_get_month (day),
                                   g_date_time_get_day_of_month (day), MORNING, 0, 0);
  return g_date_time_to_unix (morning);
}
