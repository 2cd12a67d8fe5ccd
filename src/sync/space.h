/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* The disk of this machine is nearly full (less than 100 MiB free where the database lies): what
 * would be copied to a server on this machine is taken out of the plan of @mailbox, and told once
 * in a run. Flags, expunges and what goes to the other server go on. The numbers are not saved, so
 * the copies are planned again by the next run. */
void sync_space_hold_back (SyncEngine *engine, SyncMailbox *mailbox);

G_END_DECLS
