/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

void sync_figures_add (SyncFigures *sum, const SyncFigures *figures);
gboolean sync_figures_is_zero (const SyncFigures *figures);

/* How far the running pass has come, 0 to 100. */
guint sync_figures_percent (const SyncEngine *engine);

/* Whether @message, which @side got from the other one, is mail that the person has not heard of.
 */
gboolean sync_figures_is_new_mail (SyncEngine *engine, const SyncMailbox *mailbox, Side side,
                                   const SyncMessage *message);

/* One line for each mailbox of the run that changed, and one in all. @quiet: not even that one when
 * nothing changed; a pass that found only our own echo is not worth a line. */
void sync_figures_tell (SyncEngine *engine, gboolean quiet);

G_END_DECLS
