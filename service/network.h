/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"
#include "sync/account.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* The network as the desktop sees it (NetworkManager, else the kernel's routes), and the machine's
 * sleep as logind announces it. What is not there is taken for "available" and "awake". */
typedef struct _Network Network;

typedef struct {
  /* It came, went or changed: network_ask() anew. Bursts are one. */
  void (*changed) (gpointer data);
  /* The machine is about to sleep, or woke up. */
  void (*sleep) (gboolean sleeping, gpointer data);
} NetworkListener;

Network *network_new (const NetworkListener *listener, gpointer data);
void network_free (Network *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Network, network_free)

/* All sessions are closed: the machine may sleep. It does so by itself after a second, too. */
void network_ready_to_sleep (Network *network);

typedef void (*NetworkAnswer) (SyncNetwork network, gpointer data);

/* How both servers of @config can be reached as far as the machine itself knows; what is on this
 * machine always can, without any cost. @answer comes once and never from inside, unless
 * @cancellable was cancelled. */
void network_ask (Network *network, const AccountConfig *config, GCancellable *cancellable,
                  NetworkAnswer answer, gpointer data);

/* Whether @server is on this machine. */
gboolean network_is_here (const ServerSettings *server);

G_END_DECLS
