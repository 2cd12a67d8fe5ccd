/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The subject that a header field "Subject: ..." has, for people: unfolded, encoded words decoded
 * (RFC 2047), one line of valid UTF-8 without anything invisible, at most 200 characters. "" where
 * there is none. (transfer full) */
char *sync_subject_text (const guint8 *header, gsize length);

G_END_DECLS
