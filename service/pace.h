/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The pace at which an interface tells that its properties changed: at once, then at most four
 * times a second, and the last change always. Who asks for a property gets the newest value. */
typedef struct _Pace Pace;

Pace *pace_new (GDBusInterfaceSkeleton *skeleton);
void pace_free (Pace *pace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pace, pace_free)

/* Properties of the skeleton were set. */
void pace_changed (Pace *pace);

G_END_DECLS
