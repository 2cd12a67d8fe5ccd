/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"
#include "config-file.h"

G_BEGIN_DECLS

/* list-mailbox, list-select-opts and ignore-mailbox, as InterIMAP has them, and idle: from before
 * the first section of @file into @config. */
gboolean account_selection_parse (const ConfigFile *file, AccountConfig *config, GError **error);

G_END_DECLS
