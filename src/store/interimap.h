/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/store.h"

G_BEGIN_DECLS

/* The database of InterIMAP (schema version 1), read and never written: which UIDs are the same
 * message. It knows no flags. */

typedef struct {
  char *name; /* on the wire's form (modified UTF-7), MAILBOX_NAME_SEPARATOR between levels */
  gboolean subscribed;
  guint32 uidvalidity[N_SIDES];
  guint32 uidnext[N_SIDES];
  GArray *pairs; /* StorePair, ascending local UID, without flags and guids */
} InterimapMailbox;

/* (transfer full) (element-type InterimapMailbox) Errors are IMAPSYNC_ERROR_DATABASE. */
GPtrArray *interimap_load (const char *path, GError **error);

G_END_DECLS
