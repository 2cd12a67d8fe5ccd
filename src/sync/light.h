/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* The option "metered=light": on a network that counts bytes, large messages wait. They are held
 * without a conflict, since nobody has to decide anything, and copied once engine->light is off. */

/* Takes what is too large out of mailbox->plan, and holds it. */
void sync_light_hold (SyncEngine *engine, SyncMailbox *mailbox);

G_END_DECLS
