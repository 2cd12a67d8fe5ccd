/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"
#include "sync/account.h"

G_BEGIN_DECLS

/* What an account has to wait for before it connects, and what ends a connection that is up: a
 * pause, sleep, the network, the time of the next try. It knows neither sessions nor database. */
typedef struct {
  const AccountConfig *config;
  SyncNetwork network;
  gboolean asked;    /* somebody told of the network: what comes next is a change */
  gboolean sleeping; /* the machine is about to */
  gboolean paused;
  gint64 paused_until; /* seconds since 1970; 0: until it is resumed */
  gboolean despite;    /* the person wants it in spite of a metered network */
  gboolean kicked;     /* try now, whatever the back-off or an old refusal says */
  guint failures;      /* in a row */
  gint64 next_try;     /* monotonic; 0: now */
} SyncGate;

typedef enum {
  SYNC_GATE_OPEN,
  SYNC_GATE_PAUSED,
  SYNC_GATE_METERED,
  SYNC_GATE_PORTAL,
  SYNC_GATE_OFFLINE,
} SyncGateState;

void sync_gate_init (SyncGate *gate, const AccountConfig *config);

SyncGateState sync_gate_state (const SyncGate *gate);

/* The time of the pause is over: somebody has to resume. */
gboolean sync_gate_is_overdue (const SyncGate *gate);

/* Large messages wait. */
gboolean sync_gate_is_light (const SyncGate *gate);

/* TRUE: it is another one than before, and may have cut what was connected. */
gboolean sync_gate_set_network (SyncGate *gate, SyncNetwork network);
void sync_gate_set_sleeping (SyncGate *gate, gboolean sleeping);

/* After a failure: the next try, exponentially later and with jitter. */
void sync_gate_delay (SyncGate *gate);
/* What stood in the way is gone: the next try is now, and a failure the first one. */
void sync_gate_forget_failures (SyncGate *gate);

G_END_DECLS
