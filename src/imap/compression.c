/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/compression.h"

#include <string.h>

#define INPUT_SIZE 16384

struct _Compression {
  GPollableInputStream *input;
  GPollableOutputStream *output;

  GConverter *inflater;
  GByteArray *received; /* compressed, from first on */
  gsize first;
  gboolean holds_back; /* the inflater had no room for all that it has */
  gboolean ended;

  GConverter *deflater;
  GByteArray *pending; /* compressed, of what the caller still offers; from written on */
  gsize written;
};

Compression *
compression_new (GIOStream *stream, const void *received, gsize length)
{
  Compression *self = g_new0 (Compression, 1);

  self->input = g_object_ref (G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream)));
  self->output = g_object_ref (G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (stream)));
  self->inflater = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW));
  self->deflater = G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW, -1));
  self->received = g_byte_array_sized_new (INPUT_SIZE);
  self->pending = g_byte_array_new ();
  if (length > 0)
    g_byte_array_append (self->received, received, length);
  return self;
}

void
compression_free (Compression *self)
{
  g_object_unref (self->input);
  g_object_unref (self->output);
  g_object_unref (self->inflater);
  g_object_unref (self->deflater);
  g_byte_array_unref (self->received);
  g_byte_array_unref (self->pending);
  g_free (self);
}

static gboolean
has_input (const Compression *self)
{
  return !self->ended && (self->first < self->received->len || self->holds_back);
}

/* Bytes inflated; 0: more has to be received; -1. */
static gssize
inflate_received (Compression *self, void *buffer, gsize length, GError **error)
{
  g_autoptr (GError) local = NULL;
  gsize consumed = 0, produced = 0;
  GConverterResult result = g_converter_convert (
      self->inflater, self->received->data + self->first, self->received->len - self->first, buffer,
      length, G_CONVERTER_NO_FLAGS, &consumed, &produced, &local);

  if (result == G_CONVERTER_ERROR) {
    self->holds_back = FALSE;
    if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)) {
      self->first = self->received->len;
      return 0;
    }
    g_propagate_error (error, g_steal_pointer (&local));
    return -1;
  }
  self->first += consumed;
  self->holds_back = produced == length;
  self->ended = result == G_CONVERTER_FINISHED;
  return produced;
}

/* Bytes received; 0 at the end; -1. */
static gssize
receive (Compression *self, GError **error)
{
  gssize n;

  g_byte_array_set_size (self->received, INPUT_SIZE);
  n = g_pollable_input_stream_read_nonblocking (self->input, self->received->data, INPUT_SIZE, NULL,
                                                error);
  g_byte_array_set_size (self->received, MAX (n, 0));
  self->first = 0;
  return n;
}

gssize
compression_read (Compression *self, void *buffer, gsize length, GError **error)
{
  /* Once only: a peer may send without end what inflates to nothing. */
  for (gboolean received = FALSE;; received = TRUE) {
    gssize n;

    while (has_input (self)) {
      n = inflate_received (self, buffer, length, error);
      if (n != 0)
        return n;
    }
    if (self->ended)
      return 0;
    if (received) {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "nothing yet");
      return -1;
    }
    n = receive (self, error);
    if (n <= 0)
      return n;
  }
}

static gboolean
deflate_all (Compression *self, const guint8 *bytes, gsize length, GError **error)
{
  guint8 block[8192];
  gsize produced;

  g_byte_array_set_size (self->pending, 0);
  self->written = 0;
  do {
    g_autoptr (GError) local = NULL;
    gsize consumed = produced = 0;
    GConverterResult result =
        g_converter_convert (self->deflater, bytes, length, block, sizeof block, G_CONVERTER_FLUSH,
                             &consumed, &produced, &local);

    if (result == G_CONVERTER_ERROR) {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
    g_byte_array_append (self->pending, block, produced);
    bytes += consumed;
    length -= consumed;
    if (result == G_CONVERTER_FLUSHED)
      break;
  } while (length > 0 || produced == sizeof block);
  return TRUE;
}

gssize
compression_write (Compression *self, const void *bytes, gsize length, GError **error)
{
  if (self->pending->len == 0 && !deflate_all (self, bytes, length, error))
    return -1;
  while (self->written < self->pending->len) {
    gssize n = g_pollable_output_stream_write_nonblocking (
        self->output, self->pending->data + self->written, self->pending->len - self->written, NULL,
        error);

    if (n < 0)
      return -1;
    self->written += n;
  }
  g_byte_array_set_size (self->pending, 0);
  return length;
}

typedef struct {
  GSource source;
  Compression *compression;
} ReadSource;

static gboolean
read_source_check (GSource *source)
{
  return has_input (((ReadSource *)source)->compression);
}

static gboolean
read_source_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return read_source_check (source);
}

static gboolean
read_source_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  GPollableSourceFunc func = (GPollableSourceFunc)(void (*) (void))callback;

  return func (G_OBJECT (((ReadSource *)source)->compression->input), data);
}

static GSourceFuncs read_source_funcs = {
    .prepare = read_source_prepare,
    .check = read_source_check,
    .dispatch = read_source_dispatch,
};

GSource *
compression_read_source (Compression *self)
{
  GSource *source = g_source_new (&read_source_funcs, sizeof (ReadSource));
  g_autoptr (GSource) child = g_pollable_input_stream_create_source (self->input, NULL);

  ((ReadSource *)source)->compression = self;
  g_source_set_dummy_callback (child);
  g_source_add_child_source (source, child);
  return source;
}
