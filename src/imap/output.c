/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/output.h"

#include <string.h>

#define CHUNK_SIZE (64 * 1024 - 64)

typedef struct {
  gsize start;
  gsize end;
  gboolean offered;
  gboolean secret;
  guint8 bytes[CHUNK_SIZE];
} Chunk;

struct _Output {
  GQueue chunks;
  Chunk *spare; /* one kept, so that a steady flow allocates nothing */
  gsize size;
};

Output *
output_new (void)
{
  Output *output = g_new0 (Output, 1);

  g_queue_init (&output->chunks);
  return output;
}

static void
chunk_free (gpointer data)
{
  Chunk *chunk = data;

  if (chunk->secret)
    explicit_bzero (chunk->bytes, chunk->end);
  g_free (chunk);
}

void
output_free (Output *output)
{
  g_queue_clear_full (&output->chunks, chunk_free);
  g_free (output->spare);
  g_free (output);
}

static Chunk *
output_open_chunk (Output *output)
{
  Chunk *chunk = g_queue_peek_tail (&output->chunks);

  if (chunk != NULL && !chunk->offered && chunk->end < CHUNK_SIZE)
    return chunk;

  chunk = output->spare != NULL ? g_steal_pointer (&output->spare) : g_new (Chunk, 1);
  chunk->start = chunk->end = 0;
  chunk->offered = chunk->secret = FALSE;
  g_queue_push_tail (&output->chunks, chunk);
  return chunk;
}

static void
output_append (Output *output, const void *bytes, gsize length, gboolean secret)
{
  const guint8 *from = bytes;

  output->size += length;
  while (length > 0) {
    Chunk *chunk = output_open_chunk (output);
    gsize part = MIN (length, CHUNK_SIZE - chunk->end);

    chunk->secret = chunk->secret || secret;
    memcpy (chunk->bytes + chunk->end, from, part);
    chunk->end += part;
    from += part;
    length -= part;
  }
}

void
output_add (Output *output, const void *bytes, gsize length)
{
  output_append (output, bytes, length, FALSE);
}

void
output_add_secret (Output *output, const void *bytes, gsize length)
{
  output_append (output, bytes, length, TRUE);
}

void
output_take (Output *output, Output *other)
{
  Chunk *chunk;

  while ((chunk = g_queue_pop_head (&other->chunks)) != NULL)
    g_queue_push_tail (&output->chunks, chunk);
  output->size += other->size;
  other->size = 0;
}

gsize
output_size (const Output *output)
{
  return output->size;
}

const guint8 *
output_head (Output *output, gsize *length)
{
  Chunk *chunk = g_queue_peek_head (&output->chunks);

  if (chunk == NULL)
    return NULL;

  chunk->offered = TRUE;
  *length = chunk->end - chunk->start;
  return chunk->bytes + chunk->start;
}

void
output_advance (Output *output, gsize length)
{
  Chunk *chunk = g_queue_peek_head (&output->chunks);

  g_return_if_fail (chunk != NULL && length <= chunk->end - chunk->start);

  if (chunk->secret)
    explicit_bzero (chunk->bytes + chunk->start, length);
  chunk->start += length;
  output->size -= length;
  if (chunk->start < chunk->end)
    return;

  g_queue_pop_head (&output->chunks);
  if (output->spare == NULL)
    output->spare = chunk;
  else
    g_free (chunk);
}
