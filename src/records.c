/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "records.h"

#include <string.h>

static void
fingerprint_clear (gpointer data)
{
  Fingerprint *fingerprint = data;
  g_clear_pointer (&fingerprint->digest, g_bytes_unref);
}

ServerSettings *
server_settings_new (Side side)
{
  static const AuthMechanism auth[] = {AUTH_PLAIN, AUTH_LOGIN};
  ServerSettings *server = g_new0 (ServerSettings, 1);

  server->side = side;
  server->type = SERVER_IMAPS;
  server->host = g_strdup ("localhost");
  server->starttls = TRUE;
  server->auth = g_array_new (FALSE, FALSE, sizeof (AuthMechanism));
  g_array_append_vals (server->auth, auth, G_N_ELEMENTS (auth));
  server->fingerprints = g_array_new (FALSE, FALSE, sizeof (Fingerprint));
  g_array_set_clear_func (server->fingerprints, fingerprint_clear);
  server->verify = TRUE;
  server->timeout = 60;
  return server;
}

ServerSettings *
server_settings_copy (const ServerSettings *server)
{
  ServerSettings *copy = g_new (ServerSettings, 1);

  *copy = *server;
  copy->host = g_strdup (server->host);
  copy->command = g_strdup (server->command);
  copy->auth = g_array_copy (server->auth);
  copy->username = g_strdup (server->username);
  copy->password = g_strdup (server->password);
  copy->cipher_list = g_strdup (server->cipher_list);
  copy->fingerprints = g_array_copy (server->fingerprints);
  g_array_set_clear_func (copy->fingerprints, fingerprint_clear); /* is not copied */
  for (guint i = 0; i < copy->fingerprints->len; i++)
    g_bytes_ref (g_array_index (copy->fingerprints, Fingerprint, i).digest);
  copy->ca_path = g_strdup (server->ca_path);
  return copy;
}

void
server_settings_free (ServerSettings *server)
{
  if (server == NULL)
    return;
  if (server->password != NULL)
    explicit_bzero (server->password, strlen (server->password));
  g_free (server->password);
  g_free (server->host);
  g_free (server->command);
  g_array_unref (server->auth);
  g_free (server->username);
  g_free (server->cipher_list);
  g_array_unref (server->fingerprints);
  g_free (server->ca_path);
  g_free (server);
}

char *
server_settings_describe (const ServerSettings *server)
{
  guint16 own_port = server->type == SERVER_IMAPS ? 993 : 143;
  gboolean is_ipv6 = server->host != NULL && strchr (server->host, ':') != NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  if (server->type == SERVER_TUNNEL)
    return g_strconcat ("tunnel ", server->command, NULL);
  if (server->username != NULL)
    g_string_append_printf (text, "%s@", server->username);
  g_string_append_printf (text, is_ipv6 ? "[%s]" : "%s", server->host);
  if (server->port != 0 && server->port != own_port)
    g_string_append_printf (text, ":%u", server->port);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
