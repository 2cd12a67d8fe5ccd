/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes that wait to be written, as a queue of chunks. Small pieces share a chunk, so that many
 * commands become one write; but once a chunk was offered to the stream it is closed, because after
 * WOULD_BLOCK a TLS stream must be offered the very same bytes again. */
typedef struct _Output Output;

Output *output_new (void);
void output_free (Output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Output, output_free)

void output_add (Output *output, const void *bytes, gsize length);

/* The same, and what shares a chunk with it is wiped when it is written, or given up. */
void output_add_secret (Output *output, const void *bytes, gsize length);

/* Moves everything of @other to the end of @output. */
void output_take (Output *output, Output *other);

gsize output_size (const Output *output);

/* What to write next; the same bytes until output_advance(). NULL when there is nothing. */
const guint8 *output_head (Output *output, gsize *length);
void output_advance (Output *output, gsize length);

G_END_DECLS
