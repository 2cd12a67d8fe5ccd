/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What may be answered to a conflict of @kind: NULL-terminated, the first is the mildest.
 * (not to be freed) */
const char *const *conflict_choices (const char *kind);

/* Conflicts that are told and answered together have the same group. (not to be freed) */
const char *conflict_group (const char *kind);

G_END_DECLS
