/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Cipher lists as in ciphers(1ssl): elements separated by ":", "," or spaces, each a suite in
 * OpenSSL's or IANA's spelling or a group such as HIGH, DEFAULT, ALL, aNULL, eNULL, several joined
 * by "+" (and), with "!" (never), "-" (take away) or "+" (move to the end) in front; "@STRENGTH".
 * TLS 1.3 suites may be named, but no list says anything about them. */

/* IMAPSYNC_ERROR_CONFIG for an element that is none of these, and for a list that allows nothing.
 * The message names the element, and the nearest valid one. */
gboolean imap_cipher_list_check (const char *list, GError **error);

/* @suite in OpenSSL's, IANA's or GnuTLS's spelling. FALSE for one that is not known. */
gboolean cipher_list_allows (const char *list, const char *suite);

G_END_DECLS
