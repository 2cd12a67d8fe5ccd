/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What every target defines; called by libFuzzer or by standalone.c. Returns 0; aborts, or is
 * stopped by a sanitizer, on what must not be. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
