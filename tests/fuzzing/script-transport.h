/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/transport.h"

#include <stddef.h>
#include <stdint.h>

/* Stands in for imap/transport.c at link time: the other end says what a script has, in turns.
 *
 * Between two turns stands \x1e; the next one comes when the session has done all that it can. \x1d
 * in one is the tag of the last command heard. After the last one the connection ends. */
typedef struct {
  gboolean dribble; /* a few bytes at a time */
  gboolean slow;    /* takes a few bytes at a time, and not always */
} ScriptOptions;

void script_begin (const uint8_t *bytes, size_t length, const ScriptOptions *options);
/* FALSE: there was none left, and the connection has ended already. */
gboolean script_next_turn (void);
void script_end (void);
