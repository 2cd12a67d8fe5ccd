/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "pace.h"

#define INTERVAL (G_TIME_SPAN_SECOND / 4)

/* The skeleton's notifications are frozen all the time: generated code stores a value when it is
 * set, but collects what to tell when the notification comes. */
struct _Pace {
  GDBusInterfaceSkeleton *skeleton;
  gint64 told; /* monotonic */
  guint timer;
};

Pace *
pace_new (GDBusInterfaceSkeleton *skeleton)
{
  Pace *pace = g_new0 (Pace, 1);

  pace->skeleton = g_object_ref (skeleton);
  pace->told = g_get_monotonic_time () - INTERVAL;
  g_object_freeze_notify (G_OBJECT (skeleton));
  return pace;
}

static void
tell (Pace *pace)
{
  pace->told = g_get_monotonic_time ();
  g_object_thaw_notify (G_OBJECT (pace->skeleton));
  g_dbus_interface_skeleton_flush (pace->skeleton);
  g_object_freeze_notify (G_OBJECT (pace->skeleton));
}

void
pace_free (Pace *pace)
{
  if (pace == NULL)
    return;
  g_clear_handle_id (&pace->timer, g_source_remove);
  g_object_thaw_notify (G_OBJECT (pace->skeleton));
  g_object_unref (pace->skeleton);
  g_free (pace);
}

static gboolean
on_timer (gpointer data)
{
  Pace *pace = data;

  pace->timer = 0;
  tell (pace);
  return G_SOURCE_REMOVE;
}

void
pace_changed (Pace *pace)
{
  gint64 wait = pace->told + INTERVAL - g_get_monotonic_time ();

  if (pace->timer != 0)
    return;
  if (wait <= 0)
    tell (pace);
  else
    pace->timer = g_timeout_add ((guint)((wait + 999) / 1000), on_timer, pace);
}
