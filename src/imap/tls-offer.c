/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "cipher-list.h"
#include "imap/tls.h"

#include <gnutls/gnutls.h>
#include <string.h>

/* What one of them may use, all are offered: each is held against its own settings after the
 * handshake. */
static void
widen (ServerSettings *offer, const ServerSettings *server)
{
  offer->tls_min = MIN (offer->tls_min, server->tls_min);
  offer->tls_max = MAX (offer->tls_max, server->tls_max);
  if (g_strcmp0 (offer->cipher_list, server->cipher_list) != 0)
    g_clear_pointer (&offer->cipher_list, g_free);
}

static void
add_once (GString *priority, const char *prefix, const char *name)
{
  g_autofree char *word = g_strconcat (":+", prefix, name, NULL);
  const char *found = strstr (priority->str, word);

  if (found == NULL || (found[strlen (word)] != ':' && found[strlen (word)] != '\0'))
    g_string_append (priority, word);
}

/* GnuTLS has no word for one suite of TLS 1.2, only for its parts: what they can be combined to
 * may still be more than the list, and is checked after the handshake. */
static void
add_suites (GString *priority, const ServerSettings *server)
{
  unsigned char id[2];
  gnutls_kx_algorithm_t kx;
  gnutls_cipher_algorithm_t cipher;
  gnutls_mac_algorithm_t mac;
  gnutls_protocol_t version;
  const char *name;

  g_string_append (priority, ":-CIPHER-ALL:-MAC-ALL:-KX-ALL");
  for (gsize i = 0; (name = gnutls_cipher_suite_info (i, id, &kx, &cipher, &mac, &version)) != NULL;
       i++) {
    const gboolean is_1_3 = version == GNUTLS_TLS1_3;

    if (is_1_3 ? server->tls_max < TLS_VERSION_1_3
               : version > GNUTLS_TLS1_2 || server->tls_min > TLS_VERSION_1_2 ||
                     !cipher_list_allows (server->cipher_list, name))
      continue;
    if (!is_1_3)
      add_once (priority, "", gnutls_kx_get_name (kx));
    add_once (priority, "", gnutls_cipher_get_name (cipher));
    add_once (priority, "", gnutls_mac_get_name (mac));
  }
}

static gboolean
is_valid_priority (const char *text)
{
  gnutls_priority_t priority;

  if (gnutls_priority_init (&priority, text, NULL) != GNUTLS_E_SUCCESS)
    return FALSE;
  gnutls_priority_deinit (priority);
  return TRUE;
}

static char *
describe_offer (const ServerSettings *server)
{
  static const char *const bases[] = {"@SYSTEM", "NORMAL"};

  for (gsize i = 0; i < G_N_ELEMENTS (bases); i++) {
    g_autoptr (GString) priority = g_string_new (bases[i]);

    g_string_append (priority, ":%COMPAT:-VERS-ALL");
    if (server->tls_max >= TLS_VERSION_1_3)
      g_string_append (priority, ":+VERS-TLS1.3");
    if (server->tls_min <= TLS_VERSION_1_2)
      g_string_append (priority, ":+VERS-TLS1.2");
    if (server->cipher_list != NULL)
      add_suites (priority, server);
    if (is_valid_priority (priority->str))
      return g_string_free (g_steal_pointer (&priority), FALSE);
  }
  return NULL;
}

void
tls_offer_only (const ServerSettings *const *servers, gsize n)
{
  g_autoptr (ServerSettings) all = NULL;
  g_autofree char *offer = NULL;

  for (gsize i = 0; i < n; i++) {
    if (!server_type_is_network (servers[i]->type) ||
        (servers[i]->type == SERVER_IMAP && !servers[i]->starttls))
      continue;
    if (all == NULL)
      all = server_settings_copy (servers[i]);
    else
      widen (all, servers[i]);
  }
  if (all == NULL || (offer = describe_offer (all)) == NULL)
    return;
  g_debug ("TLS: %s", offer);
  g_setenv ("G_TLS_GNUTLS_PRIORITY", offer, FALSE);
}
