/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-config.h"
#include "fuzz.h"

#include <string.h>

static void
check_server (const ServerSettings *server)
{
  g_assert_true (!server_type_is_network (server->type) == (server->host == NULL));
  g_assert_true ((server->type == SERVER_TUNNEL) == (server->command != NULL));
  g_assert_true (!server_type_is_network (server->type) == (server->port == 0));
  g_assert_cmpuint (server->auth->len, >, 0);
  g_assert_cmpuint (server->timeout, >, 0);
  g_assert_true (server->password == NULL || *password_text (server->password) != '\0');
  for (guint i = 0; i < server->fingerprints->len; i++) {
    const Fingerprint *pin = &g_array_index (server->fingerprints, Fingerprint, i);
    g_assert_cmpuint (g_bytes_get_size (pin->digest), ==,
                      (gsize)g_checksum_type_get_length (pin->algorithm));
  }
}

/* Anything is either a whole account or one error in one line that names the file. */
int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AccountConfig) config =
      account_config_parse ("/fuzz.conf", (const char *)bytes, length, &error);

  g_assert_true ((config == NULL) == (error != NULL));
  if (config == NULL) {
    g_assert_true (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG));
    g_assert_true (g_str_has_prefix (error->message, "/fuzz.conf:"));
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_assert_true (g_path_is_absolute (config->database));
  for (guint side = 0; side < N_SIDES; side++)
    check_server (config->server[side]);
  return 0;
}
