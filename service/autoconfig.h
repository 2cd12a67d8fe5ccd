/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The server of an e-mail address, from the autoconfig file that its domain publishes (as
 * Thunderbird reads it). Nothing of the address but its domain leaves this machine. */

typedef struct {
  char *host;
  guint port;
  gboolean starttls; /* else TLS from the first byte; what is neither does not count */
  char *username;    /* with the address filled in; NULL: it does not say */
} Autoconfig;

void autoconfig_free (Autoconfig *found);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Autoconfig, autoconfig_free)

/* Asks @url (http or https), or, where it is NULL, the two usual places of @address's domain.
 * Blocks for some seconds. NULL where there is none, or nothing that can be used. (transfer full)
 */
Autoconfig *autoconfig_find (const char *address, const char *url);

/* The first usual IMAP server in @length bytes of @text. (transfer full) */
Autoconfig *autoconfig_parse (const char *address, const char *text, gsize length);

G_END_DECLS
