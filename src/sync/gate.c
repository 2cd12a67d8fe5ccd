/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/gate.h"

#define FIRST_DELAY 2 /* seconds */
#define SLOW_DELAY  5
#define LAST_DELAY  (15 * 60)
#define PART        4  /* of an outage, which the next wait is */
#define LASTING     10 /* seconds that make a connection one that lasts */

void
sync_gate_init (SyncGate *gate, const AccountConfig *config)
{
  gate->config = config;
  gate->network = SYNC_NETWORK_FULL;
}

static gboolean
needs_network (const SyncGate *gate)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const ServerSettings *server = gate->config->server[side];

    if (server_type_is_network (server->type) && !server_settings_is_loopback (server))
      return TRUE;
  }
  return FALSE;
}

static SyncNetwork
network_of (const SyncGate *gate)
{
  return needs_network (gate) ? gate->network : SYNC_NETWORK_FULL;
}

gboolean
sync_gate_is_overdue (const SyncGate *gate)
{
  return gate->paused && gate->paused_until > 0 &&
         gate->paused_until <= g_get_real_time () / G_USEC_PER_SEC;
}

SyncGateState
sync_gate_state (const SyncGate *gate)
{
  SyncNetwork network = network_of (gate);

  if (gate->paused)
    return SYNC_GATE_PAUSED;
  if (gate->sleeping || network == SYNC_NETWORK_NONE)
    return SYNC_GATE_OFFLINE;
  if (network == SYNC_NETWORK_PORTAL)
    return SYNC_GATE_PORTAL;
  if (network == SYNC_NETWORK_METERED && gate->config->metered == ACCOUNT_METERED_PAUSE &&
      !gate->despite)
    return SYNC_GATE_METERED;
  return SYNC_GATE_OPEN;
}

gboolean
sync_gate_is_light (const SyncGate *gate)
{
  return gate->config->metered == ACCOUNT_METERED_LIGHT &&
         network_of (gate) == SYNC_NETWORK_METERED;
}

gboolean
sync_gate_set_network (SyncGate *gate, SyncNetwork network)
{
  gboolean changed = gate->asked && needs_network (gate);

  gate->asked = TRUE;
  gate->network = network;
  if (network != SYNC_NETWORK_METERED)
    gate->despite = FALSE;
  return changed;
}

void
sync_gate_set_sleeping (SyncGate *gate, gboolean sleeping)
{
  gate->sleeping = sleeping;
  if (!sleeping)
    sync_gate_forget_failures (gate);
}

void
sync_gate_passed (SyncGate *gate)
{
  gate->up = g_get_monotonic_time ();
}

static void
begin_outage (SyncGate *gate, gint64 now)
{
  if (gate->up > 0) {
    gate->flaps = now - gate->up < LASTING * G_USEC_PER_SEC ? gate->flaps + 1 : 0;
    gate->failures = 0;
    gate->since = now;
  } else if (gate->since == 0) {
    gate->since = now;
  }
  gate->up = 0;
}

void
sync_gate_delay (SyncGate *gate, gboolean transient)
{
  const gint64 now = g_get_monotonic_time ();
  guint seconds;

  begin_outage (gate, now);
  if (transient)
    seconds =
        MAX (FIRST_DELAY << MIN (gate->flaps, 10), (now - gate->since) / G_USEC_PER_SEC / PART);
  else
    seconds = SLOW_DELAY << MIN (gate->failures, 10);
  gate->failures += !transient;
  seconds = MIN (seconds, LAST_DELAY);
  gate->next_try = now + (gint64)(seconds * g_random_double_range (0.7, 1.3) * G_USEC_PER_SEC);
}

void
sync_gate_forget_failures (SyncGate *gate)
{
  gate->since = 0;
  gate->flaps = gate->failures = 0;
  gate->next_try = 0;
}
