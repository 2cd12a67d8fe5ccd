/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* How moves and copies are carried out that a server makes itself: UID COPY, in the first chain. */

/* What is to be copied out of one mailbox on one server, by that server. */
typedef struct _SyncDepartures SyncDepartures;

/* All that leaves @source on @side for one of @mailboxes; NULL: nothing does. */
SyncDepartures *
sync_departures_new (SyncEngine *engine, GPtrArray *mailboxes, SyncMailbox *source, Side side);
void sync_departures_free (SyncDepartures *departures);

/* The mailboxes on @side that something of @mailboxes' plans leaves: SyncMailbox.
 * (transfer container) */
GPtrArray *sync_departures_sources (GPtrArray *mailboxes, Side side);

/* Messages that are moved: their expunge has to wait for sync_departures_arrived(). */
const UidSet *sync_departures_moved (const SyncDepartures *departures);

/* Queues UID COPY behind @selection, the SELECT of the source. */
void sync_departures_queue (SyncDepartures *departures, SyncWait *wait, SyncSelection *selection);

/* When all is answered: those of sync_departures_moved() whose copies are paired. What was copied
 * out of a mailbox that took the source's name meanwhile is taken back with commands in @wait. */
const UidSet *sync_departures_arrived (SyncDepartures *departures, SyncWait *wait);

G_END_DECLS
