/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The program from its arguments to its exit status. Runs the default GMainContext; takes over
 * GLib's log, SIGINT, SIGTERM and SIGHUP. */
int run (int argc, const char *const *argv);

G_END_DECLS
