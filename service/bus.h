/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* The service's name on the session bus, its root object and its object manager. */
typedef struct _Bus Bus;

typedef enum {
  BUS_ABSENT, /* there is none */
  BUS_OWNED,  /* the name is ours */
  BUS_TAKEN,  /* another process has it */
} BusState;

typedef struct {
  /* First after bus_start(), then at each change; never from inside a function of ours. */
  void (*state) (BusState state, gpointer data);
  void (*sync) (gpointer data);
  void (*pause) (gint64 until, gpointer data);
  void (*resume) (gpointer data);
  /* Answers @invocation: bus_complete_reload() or an error. */
  void (*reload) (GDBusMethodInvocation *invocation, gpointer data);
} BusHandlers;

Bus *bus_new (const BusHandlers *handlers, gpointer data);

/* Gives the name back; what was said before still goes out. */
void bus_free (Bus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bus, bus_free)

/* Connects, exports and asks for the name. A bus that goes away is looked for again. */
void bus_start (Bus *bus);

/* Connects no more; the objects stay for nobody. */
void bus_leave (Bus *bus);

/* NULL: none. (transfer none) */
GDBusConnection *bus_connection (Bus *bus);

void bus_add (Bus *bus, GDBusObjectSkeleton *object);
void bus_remove (Bus *bus, GDBusObjectSkeleton *object);

/* The root object's properties; @paths in the order of the configuration. */
void bus_set_summary (Bus *bus, const char *const *paths, SyncStatus worst, guint conflicts);

void bus_complete_reload (GDBusMethodInvocation *invocation);

G_END_DECLS
