/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Somebody asked for a pass, and may wait for it. All that are open are covered by the next pass
 * that begins. */
typedef struct {
  char **mailboxes; /* UTF-8 arguments; NULL: all */
  gboolean repair;
  gpointer tag; /* of who waits; NULL: nobody */
} SyncPassRequest;

/* (transfer full) (element-type SyncPassRequest) */
GPtrArray *sync_requests_new (void);

/* @mailboxes is taken. */
void sync_requests_add (GPtrArray *requests, char **mailboxes, gboolean repair, gpointer tag);

gboolean sync_requests_want_repair (const GPtrArray *requests);

/* The names (program's form) that a pass for @requests has to look at, in @names; NULL there for
 * all. Who asks for everything gets @configured, the arguments of the program, where there are any.
 * The local delimiter is learned from the server. */
gboolean sync_requests_names (SyncEngine *engine, const GPtrArray *requests, gboolean everything,
                              char **configured, char ***names, GError **error);

G_END_DECLS
