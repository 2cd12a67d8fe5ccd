/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"

G_BEGIN_DECLS

typedef struct {
  guint mailboxes;
  guint64 pairs;
} ImportFigures;

/* Makes the database of @config, which must not exist yet, from InterIMAP's in @path, so that the
 * first pass finds every message paired. As InterIMAP keeps no flags, that pass compares them all,
 * and unites those that differ. IMAPSYNC_ERROR_DATABASE, _LOCKED or _CONFIG. */
gboolean import_interimap (const AccountConfig *config, const char *path, ImportFigures *figures,
                           GError **error);

G_END_DECLS
