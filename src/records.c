/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "records.h"

#include <gio/gio.h>
#include <string.h>

static void
fingerprint_clear (gpointer data)
{
  Fingerprint *fingerprint = data;
  g_clear_pointer (&fingerprint->digest, g_bytes_unref);
}

static GArray *
fingerprints_new (void)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (Fingerprint));

  g_array_set_clear_func (list, fingerprint_clear);
  return list;
}

static GArray *
fingerprints_copy (const GArray *list)
{
  GArray *copy = fingerprints_new ();

  for (guint i = 0; i < list->len; i++) {
    Fingerprint fingerprint = g_array_index (list, Fingerprint, i);

    g_bytes_ref (fingerprint.digest);
    g_array_append_val (copy, fingerprint);
  }
  return copy;
}

ServerSettings *
server_settings_new (Side side)
{
  /* What does not show the password to the server comes first. */
  static const AuthMechanism auth[] = {
      AUTH_SCRAM_SHA_256_PLUS, AUTH_SCRAM_SHA_256, AUTH_SCRAM_SHA_1_PLUS,
      AUTH_SCRAM_SHA_1,        AUTH_PLAIN,         AUTH_LOGIN};
  ServerSettings *server = g_new0 (ServerSettings, 1);

  server->side = side;
  server->type = SERVER_IMAPS;
  server->host = g_strdup ("localhost");
  server->starttls = TRUE;
  server->auth = g_array_new (FALSE, FALSE, sizeof (AuthMechanism));
  g_array_append_vals (server->auth, auth, G_N_ELEMENTS (auth));
  server->fingerprints = fingerprints_new ();
  server->key_pins = fingerprints_new ();
  server->tls_min = TLS_VERSION_1_2;
  server->tls_max = TLS_VERSION_1_3;
  server->verify = TRUE;
  server->compress = side == SIDE_REMOTE;
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
  copy->store_folder = g_strdup (server->store_folder);
  copy->auth = g_array_copy (server->auth);
  copy->username = g_strdup (server->username);
  copy->password = password_ref (server->password);
  copy->cipher_list = g_strdup (server->cipher_list);
  copy->password_command = g_strdup (server->password_command);
  copy->fingerprints = fingerprints_copy (server->fingerprints);
  copy->key_pins = fingerprints_copy (server->key_pins);
  copy->tls_host = g_strdup (server->tls_host);
  copy->ca_path = g_strdup (server->ca_path);
  copy->ca_file = g_strdup (server->ca_file);
  copy->client_certificate = g_strdup (server->client_certificate);
  copy->proxy = g_strdup (server->proxy);
  copy->list_reference = g_strdup (server->list_reference);
  return copy;
}

void
server_settings_free (ServerSettings *server)
{
  if (server == NULL)
    return;
  password_unref (server->password);
  secret_wipe (server->password_command);
  secret_wipe (server->proxy); /* its URI may have a password */
  g_free (server->host);
  g_free (server->command);
  g_free (server->store_folder);
  g_array_unref (server->auth);
  g_free (server->username);
  g_free (server->cipher_list);
  g_array_unref (server->fingerprints);
  g_array_unref (server->key_pins);
  g_free (server->tls_host);
  g_free (server->ca_path);
  g_free (server->ca_file);
  g_free (server->client_certificate);
  g_free (server->list_reference);
  g_free (server);
}

gboolean
server_settings_lacks_password (const ServerSettings *server)
{
  gboolean needed = FALSE;

  for (guint i = 0; i < server->auth->len; i++)
    needed = needed || g_array_index (server->auth, AuthMechanism, i) != AUTH_EXTERNAL;
  return needed && server_type_is_network (server->type) && server->username != NULL &&
         server->password == NULL && server->password_command == NULL;
}

gboolean
server_settings_is_loopback (const ServerSettings *server)
{
  g_autoptr (GInetAddress) address = NULL;

  if (server->host == NULL)
    return FALSE;
  address = g_inet_address_new_from_string (server->host);
  return address != NULL ? g_inet_address_get_is_loopback (address)
                         : g_ascii_strcasecmp (server->host, "localhost") == 0;
}

char *
server_settings_describe (const ServerSettings *server)
{
  guint16 own_port = server->type == SERVER_IMAPS ? 993 : 143;
  gboolean is_ipv6 = server->host != NULL && strchr (server->host, ':') != NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  if (server->type == SERVER_TUNNEL)
    return g_strconcat ("tunnel ", server->command, NULL);
  if (server->type == SERVER_STORE)
    return g_strconcat ("store ", server->store_folder, NULL);
  if (server->username != NULL)
    g_string_append_printf (text, "%s@", server->username);
  g_string_append_printf (text, is_ipv6 ? "[%s]" : "%s", server->host);
  if (server->port != 0 && server->port != own_port)
    g_string_append_printf (text, ":%u", server->port);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
