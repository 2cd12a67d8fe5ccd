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
  gint64 up;           /* monotonic: when a connection had its first pass; 0: none is up */
  gint64 since;        /* monotonic: of the first failure after that; 0: none */
  guint flaps;         /* connections in a row that did not last */
  guint failures;      /* in a row that do not mend by themselves */
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

/* It is connected, and a pass went well. */
void sync_gate_passed (SyncGate *gate);

/* After a failure: the next try, with jitter, in a quarter of an hour at most. Where it may mend by
 * itself (@transient), after two seconds, and then after a quarter of the time that it has been
 * going on: what was away for long is back not much later. Where not, and where connections come up
 * and never last, after twice the time of the last try. */
void sync_gate_delay (SyncGate *gate, gboolean transient);
/* What stood in the way is gone: the next try is now, and a failure the first one. */
void sync_gate_forget_failures (SyncGate *gate);

G_END_DECLS
