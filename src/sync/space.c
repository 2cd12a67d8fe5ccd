/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/space.h"

#include <sys/statvfs.h>

#define LEAST_FREE (100 * G_GUINT64_CONSTANT (1024) * 1024)

/* A tunnel or a store of the local side is here; a tunnel to the other side may be ssh. */
static gboolean
is_on_this_machine (const ServerSettings *server)
{
  if (!server_type_is_network (server->type))
    return server->side == SIDE_LOCAL;
  return server_settings_is_loopback (server);
}

/* Where it cannot be known, there is room. */
static guint64
free_bytes (const char *folder)
{
  struct statvfs info;

  if (statvfs (folder, &info) != 0)
    return G_MAXUINT64;
  return (guint64)info.f_bavail * info.f_frsize;
}

void
sync_space_hold_back (SyncEngine *engine, SyncMailbox *mailbox)
{
  g_autofree char *folder = g_path_get_dirname (engine->config->database);

  for (Side origin = 0; origin < N_SIDES; origin++) {
    GArray *copy = mailbox->plan->copy[origin];
    Side target = side_other (origin);

    if (copy->len == 0 || !is_on_this_machine (engine->config->server[target]) ||
        free_bytes (folder) >= LEAST_FREE)
      continue;
    if (!engine->short_of_space)
      g_warning ("less than 100 MiB are free on the disk of %s: until there is more room, nothing "
                 "is copied to the %s server",
                 folder, side_name (target));
    engine->short_of_space = TRUE;
    mailbox->figures.problems++;
    g_array_set_size (copy, 0);
    mailbox->plan->waiting = TRUE;
  }
}
