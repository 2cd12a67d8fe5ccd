/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "state.h"

G_BEGIN_DECLS

#define APPLET_ID "org.imapsync.Applet"

/* The name of the symbolic icon for @mood. (not to be freed) */
const char *icon_name (Mood mood);

/* Where panels find our icons when they lie outside of the places where icons are looked for;
 * else "". (not to be freed) */
const char *icon_theme_path (void);

/* The same icon as pixels, a(iiay), for panels that know no icon theme. Floating. */
GVariant *icon_pixmaps (Mood mood);

/* --- for tests --- */

/* Fills the path @data (of an SVG's path element: absolute M L H V C Z on a grid of 16 by 16,
 * even-odd) into @size by @size bytes of coverage; FALSE: it is something else. (transfer full) */
guint8 *icon_draw (const char *data, guint size);

/* What is behind the d= of each path of @svg, one after the other. (transfer full) */
char *icon_path_data (const char *svg);

G_END_DECLS
