/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* main() for a fuzz target without a fuzzer. It takes what libFuzzer takes, as far as the tests
 * need it:
 *
 *     fuzz-NAME [-runs=N] [-seed=N] [-max_len=N] [FILE|FOLDER]...
 *
 * runs every file as it is, then N inputs made from them by a few random changes each. An input
 * that fails is left in the working folder as crash-TARGET. */

#define MAX_CHANGES 8

static struct {
  const guint8 *data;
  gsize length;
  char crash_file[64];
} current;

/* Called in a signal handler. */
static void
save_current (void)
{
  int fd = open (current.crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  for (gsize done = 0; fd >= 0 && done < current.length;) {
    ssize_t n = write (fd, current.data + done, current.length - done);
    if (n <= 0)
      break;
    done += n;
  }
  if (fd >= 0)
    close (fd);
}

static void
on_signal (int number)
{
  save_current ();
  signal (number, SIG_DFL);
  raise (number);
}

/* Sanitizers end the process by themselves. */
void __sanitizer_set_death_callback (void (*callback) (void)) __attribute__ ((weak));

static void
catch_crashes (const char *program)
{
  g_autofree char *name = g_path_get_basename (program);

  g_snprintf (current.crash_file, sizeof current.crash_file, "crash-%s", name);
  if (__sanitizer_set_death_callback != NULL)
    __sanitizer_set_death_callback (save_current);
  else
    signal (SIGSEGV, on_signal);
  signal (SIGABRT, on_signal);
}

static void
run (const guint8 *data, gsize length)
{
  /* A block of its own size, so that reading past its end is seen. */
  g_autofree guint8 *block = g_malloc (MAX (length, 1));

  if (length > 0)
    memcpy (block, data, length);
  current.data = block;
  current.length = length;
  LLVMFuzzerTestOneInput (block, length);
  current.length = 0;
}

static void
load (const char *path, GPtrArray *inputs)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) folder = NULL;
  char *contents;
  gsize length;
  const char *name;

  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    folder = g_dir_open (path, 0, &error);
    while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
      g_autofree char *child = g_build_filename (path, name, NULL);
      load (child, inputs);
    }
  } else if (g_file_get_contents (path, &contents, &length, &error)) {
    g_ptr_array_add (inputs, g_bytes_new_take (contents, length));
  }
  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    exit (2);
  }
}

/* The order of a folder is the file system's, but the same seed shall make the same inputs. */
static int
compare_inputs (gconstpointer a, gconstpointer b)
{
  return g_bytes_compare (*(GBytes *const *)a, *(GBytes *const *)b);
}

static guint
below (GRand *random, guint limit)
{
  return limit > 1 ? (guint)g_rand_int_range (random, 0, (gint32)limit) : 0;
}

/* Numbers and syntax that protocols break on. */
static void
insert_token (GRand *random, GByteArray *input, guint at)
{
  static const char *const tokens[] = {
      "\r\n",
      "\n",
      "\r",
      "\"",
      "\\",
      "(",
      ")",
      "{",
      "}",
      "{0}\r\n",
      "{4294967296}\r\n",
      "[",
      "]",
      "*",
      "%",
      ":",
      ",",
      " ",
      "0",
      "1",
      "4294967295",
      "4294967296",
      "18446744073709551616",
      "-1",
      "&",
      "-",
      "&-",
      "NIL",
      "INBOX",
      "\x1f",
      "\xff",
      "\xc3\xa9",
  };
  const char *token = tokens[below (random, G_N_ELEMENTS (tokens))];
  gsize length = strlen (token);
  guint old = input->len;

  g_byte_array_set_size (input, old + length);
  memmove (input->data + at + length, input->data + at, old - at);
  memcpy (input->data + at, token, length);
}

static void
repeat_part (GByteArray *input, guint from, guint length, guint at)
{
  g_autofree guint8 *part = g_memdup2 (input->data + from, length);
  guint old = input->len;

  g_byte_array_set_size (input, old + length);
  memmove (input->data + at + length, input->data + at, old - at);
  memcpy (input->data + at, part, length);
}

static void
change (GRand *random, GByteArray *input, const GPtrArray *inputs)
{
  guint at = below (random, input->len), n = 1 + below (random, 16);

  if (input->len == 0) {
    insert_token (random, input, 0);
    return;
  }
  n = MIN (n, input->len - at);
  switch (below (random, 7)) {
  case 0:
    input->data[at] ^= 1u << below (random, 8);
    break;
  case 1:
    input->data[at] = below (random, 256);
    break;
  case 2:
    g_byte_array_remove_range (input, at, n);
    break;
  case 3:
    repeat_part (input, at, n, below (random, input->len));
    break;
  case 4: {
    GBytes *other = inputs->pdata[below (random, inputs->len)];
    guint length = g_bytes_get_size (other), from = below (random, length);

    g_byte_array_set_size (input, at);
    if (length > 0)
      g_byte_array_append (input, (const guint8 *)g_bytes_get_data (other, NULL) + from,
                           length - from);
    break;
  }
  default:
    insert_token (random, input, at);
  }
}

static void
run_changed (GRand *random, const GPtrArray *inputs, gsize max_length)
{
  GBytes *origin = inputs->pdata[below (random, inputs->len)];
  g_autoptr (GByteArray) input = g_byte_array_new ();
  gsize length;
  const guint8 *data = g_bytes_get_data (origin, &length);

  if (length > 0)
    g_byte_array_append (input, data, length);
  for (guint i = 1 + below (random, MAX_CHANGES); i > 0; i--)
    change (random, input, inputs);
  run (input->data, MIN (input->len, max_length));
}

static gboolean
read_option (const char *argument, const char *name, guint64 *value)
{
  g_autofree char *prefix = g_strdup_printf ("-%s=", name);

  if (!g_str_has_prefix (argument, prefix))
    return FALSE;
  if (!g_ascii_string_to_unsigned (argument + strlen (prefix), 10, 0, G_MAXUINT32, value, NULL)) {
    g_printerr ("%s: not a number\n", argument);
    exit (2);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  g_autoptr (GRand) random = NULL;
  guint64 runs = 0, seed = 0, max_length = 65536;

  catch_crashes (argv[0]);
  for (int i = 1; i < argc; i++)
    if (!read_option (argv[i], "runs", &runs) && !read_option (argv[i], "seed", &seed) &&
        !read_option (argv[i], "max_len", &max_length))
      load (argv[i], inputs);
  if (seed == 0)
    seed = g_random_int_range (1, G_MAXINT32);
  g_ptr_array_sort (inputs, compare_inputs);
  printf ("%u files, then %" G_GUINT64_FORMAT " changed ones: -seed=%" G_GUINT64_FORMAT "\n",
          inputs->len, runs, seed);
  fflush (stdout);
  if (inputs->len == 0)
    g_ptr_array_add (inputs, g_bytes_new_static ("", 0));
  for (guint i = 0; i < inputs->len; i++)
    run (g_bytes_get_data (inputs->pdata[i], NULL), g_bytes_get_size (inputs->pdata[i]));
  random = g_rand_new_with_seed ((guint32)seed);
  for (guint64 i = 0; i < runs; i++)
    run_changed (random, inputs, max_length);
  return 0;
}
