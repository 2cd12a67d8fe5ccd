/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What a server hears: aborts on a byte that a careful client does not say. */

typedef enum {
  LISTENER_PRIVATE,   /* nobody listens in */
  LISTENER_EXPOSED,   /* everybody does: no password may be seen */
  LISTENER_BEFORE_TLS /* they do, and STARTTLS is wanted: nothing else may be asked for */
} ListenerMode;

void listener_begin (ListenerMode mode);
void listener_set_mode (ListenerMode mode);
void listener_feed (const guint8 *bytes, gsize length);
/* The number in the last tag. */
guint listener_last_tag (void);
void listener_end (void);
