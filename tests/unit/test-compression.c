/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/compression.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two ends of a socket; nothing on either blocks. */
typedef struct {
  GIOStream *stream[2];
} Line;

static GIOStream *
end_of (int fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);

  g_assert_nonnull (socket);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

static void
line_open (Line *line)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  for (int i = 0; i < 2; i++)
    line->stream[i] = end_of (fds[i]);
}

static void
line_close (Line *line)
{
  for (int i = 0; i < 2; i++) {
    g_io_stream_close (line->stream[i], NULL, NULL);
    g_object_unref (line->stream[i]);
  }
}

static gboolean
would_block (GError **error)
{
  gboolean result = g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);

  g_clear_error (error);
  return result;
}

static GBytes *
random_bytes (gsize length, guint32 alphabet)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (42);
  guint8 *bytes = g_malloc (length);

  for (gsize i = 0; i < length; i++)
    bytes[i] = g_rand_int_range (random, 0, alphabet);
  return g_bytes_new_take (bytes, length);
}

/* Writes all, in pieces, to one end while reading what came from the other. */
static void
transfer (Compression *from, Compression *to, GBytes *bytes, gsize piece)
{
  gsize length, sent = 0, received = 0, blocked = 0;
  const guint8 *data = g_bytes_get_data (bytes, &length);
  g_autofree guint8 *buffer = g_malloc (length + 1);

  while (received < length) {
    GError *error = NULL;
    gssize n;

    if (sent < length) {
      n = compression_write (from, data + sent, MIN (piece, length - sent), &error);
      if (n >= 0)
        sent += n;
      else
        g_assert_true (would_block (&error));
    }
    n = compression_read (to, buffer + received, MIN (1000, length + 1 - received), &error);
    if (n < 0) {
      g_assert_true (would_block (&error));
      g_assert_cmpuint (++blocked, <, 1000000);
      continue;
    }
    g_assert_cmpint (n, >, 0);
    received += n;
  }
  g_assert_cmpmem (buffer, received, data, length);
}

static void
test_what_is_written_is_read (void)
{
  static const gsize pieces[] = {1, 63 * 1024, 5000};

  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++) {
    for (guint alphabet = 2; alphabet <= 256; alphabet += 127) {
      g_autoptr (GBytes) bytes = random_bytes (pieces[i] == 1 ? 3000 : 2000000, alphabet);
      g_autoptr (Compression) left = NULL;
      g_autoptr (Compression) right = NULL;
      Line line;

      line_open (&line);
      left = compression_new (line.stream[0], NULL, 0);
      right = compression_new (line.stream[1], NULL, 0);
      transfer (left, right, bytes, pieces[i]);
      transfer (right, left, bytes, pieces[i]);
      line_close (&line);
    }
  }
}

static void
test_what_came_with_the_answer_is_read_first (void)
{
  g_autoptr (Compression) left = NULL;
  g_autoptr (Compression) right = NULL;
  guint8 raw[200];
  char text[100];
  gssize n;
  Line line;

  line_open (&line);
  left = compression_new (line.stream[0], NULL, 0);
  g_assert_cmpint (compression_write (left, "* OK hello\r\n", 12, NULL), ==, 12);
  n = g_pollable_input_stream_read_nonblocking (
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (line.stream[1])), raw, sizeof raw,
      NULL, NULL);
  g_assert_cmpint (n, >, 0);
  right = compression_new (line.stream[1], raw, n);
  n = compression_read (right, text, sizeof text, NULL);
  g_assert_cmpmem (text, n, "* OK hello\r\n", 12);
  line_close (&line);
}

static gboolean
on_ready (GObject *stream, gpointer data)
{
  (*(guint *)data)++;
  return G_SOURCE_CONTINUE;
}

static void
test_the_source_knows_what_was_held_back (void)
{
  g_autoptr (GBytes) zeros = g_bytes_new_take (g_malloc0 (60000), 60000);
  g_autoptr (Compression) left = NULL;
  g_autoptr (Compression) right = NULL;
  g_autoptr (GSource) source = NULL;
  guint ready = 0;
  char text[1000];
  gsize total = 0;
  Line line;

  line_open (&line);
  left = compression_new (line.stream[0], NULL, 0);
  right = compression_new (line.stream[1], NULL, 0);
  source = compression_read_source (right);
  g_source_set_callback (source, G_SOURCE_FUNC (on_ready), &ready, NULL);
  g_source_attach (source, NULL);
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (ready, ==, 0);

  g_assert_cmpint (compression_write (left, g_bytes_get_data (zeros, NULL), 60000, NULL), ==,
                   60000);
  while (total < 60000) {
    gssize n;

    ready = 0;
    g_main_context_iteration (NULL, FALSE);
    g_assert_cmpuint (ready, ==, 1);
    n = compression_read (right, text, sizeof text, NULL);
    g_assert_cmpint (n, >, 0);
    total += n;
  }
  g_assert_cmpint (compression_read (right, text, sizeof text, NULL), ==, -1);
  ready = 0;
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (ready, ==, 0);
  g_source_destroy (source);
  line_close (&line);
}

static void
test_garbage_is_an_error (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Compression) right = NULL;
  char text[100];
  Line line;

  line_open (&line);
  right = compression_new (line.stream[1], "\xff\xff\xff\xff", 4);
  g_assert_cmpint (compression_read (right, text, sizeof text, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  line_close (&line);
}

static void
test_nothing_without_end_does_not_hold_us (void)
{
  static const guint8 empty_block[] = {0x00, 0x00, 0x00, 0xff, 0xff};
  g_autoptr (Compression) right = NULL;
  GByteArray *blocks = g_byte_array_new ();
  char text[100];
  Line line;

  line_open (&line);
  right = compression_new (line.stream[1], NULL, 0);
  for (int i = 0; i < 2000; i++)
    g_byte_array_append (blocks, empty_block, sizeof empty_block);
  for (int i = 0; i < 20; i++) {
    GError *error = NULL;

    g_assert_cmpint (g_pollable_output_stream_write_nonblocking (
                         G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (line.stream[0])),
                         blocks->data, blocks->len, NULL, NULL),
                     ==, blocks->len);
    g_assert_cmpint (compression_read (right, text, sizeof text, &error), ==, -1);
    g_assert_true (would_block (&error));
  }
  g_byte_array_unref (blocks);
  line_close (&line);
}

static void
test_the_end (void)
{
  static const guint8 final_block[] = {0x01, 0x02, 0x00, 0xfd, 0xff, 'h', 'i'};
  g_autoptr (Compression) right = NULL;
  char text[100];
  Line line;

  g_test_message ("the stream's own end, whatever comes behind it");
  line_open (&line);
  right = compression_new (line.stream[1], final_block, sizeof final_block);
  g_assert_cmpint (compression_read (right, text, sizeof text, NULL), ==, 2);
  g_assert_cmpint (compression_read (right, text, sizeof text, NULL), ==, 0);
  g_clear_pointer (&right, compression_free);

  g_test_message ("the connection's, without a final block");
  right = compression_new (line.stream[1], NULL, 0);
  g_io_stream_close (line.stream[0], NULL, NULL);
  g_assert_cmpint (compression_read (right, text, sizeof text, NULL), ==, 0);
  line_close (&line);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/compression/what-is-written-is-read", test_what_is_written_is_read);
  g_test_add_func ("/compression/what-came-with-the-answer-is-read-first",
                   test_what_came_with_the_answer_is_read_first);
  g_test_add_func ("/compression/the-source-knows-what-was-held-back",
                   test_the_source_knows_what_was_held_back);
  g_test_add_func ("/compression/garbage-is-an-error", test_garbage_is_an_error);
  g_test_add_func ("/compression/nothing-without-end-does-not-hold-us",
                   test_nothing_without_end_does_not_hold_us);
  g_test_add_func ("/compression/the-end", test_the_end);
  return g_test_run ();
}
