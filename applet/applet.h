/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs the applet on the default main context until somebody quits it, another instance is there
 * already, or the session's bus is gone for good. The exit status. */
int applet_run (void);

G_END_DECLS
