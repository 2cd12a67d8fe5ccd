/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "../parser-dump.h"
#include "fuzz.h"

/* The events must not depend on how the bytes arrive. */

static const ImapParserLimits small = {
    .max_line = 120, .max_literal = 30, .max_nesting = 4, .max_body = 50};

typedef enum { WHOLE, BYTES, PIECES } Way;

static gsize
piece_length (Way way, guint32 *random, gsize left)
{
  if (way == WHOLE)
    return left;
  *random = *random * 1664525u + 1013904223u;
  return MIN (left, way == BYTES ? 1 : (*random >> 24) % 24);
}

static char *
run (const ImapParserLimits *limits, Way way, const uint8_t *data, size_t size)
{
  guint32 random = size > 0 ? size * 31u + data[size / 2] : 0;
  Dump dump;

  dump_begin (&dump, limits, TRUE);
  for (size_t at = 0, length; at < size; at += length) {
    length = piece_length (way, &random, size - at);
    dump_feed (&dump, data + at, length);
  }
  return dump_finish (&dump);
}

static void
check (const ImapParserLimits *limits, const uint8_t *data, size_t size)
{
  g_autofree char *whole = run (limits, WHOLE, data, size);
  g_autofree char *bytes = run (limits, BYTES, data, size);
  g_autofree char *pieces = run (limits, PIECES, data, size);

  g_assert_cmpstr (whole, ==, bytes);
  g_assert_cmpstr (whole, ==, pieces);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  check (NULL, data, size);
  check (&small, data, size);
  return 0;
}
