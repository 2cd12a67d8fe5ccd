/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"
#include "records.h"

#include <gio/gio.h>

typedef struct {
  int code;
  const char *word;
  Reach reach;
  gboolean transient;
} Expected;

static void
test_own (void)
{
  static const Expected all[] = {
      {IMAPSYNC_ERROR_CONFIG, "config", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_CERTIFICATE, "certificate", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_AUTH, "auth", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_KEYRING, "keyring", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_DNS, "dns", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_REFUSED, "refused", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_TIMEOUT, "timeout", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_PORTAL, "portal", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_METERED, "metered", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_CAPABILITY, "capability", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_PROTOCOL, "protocol", REACH_SESSION, TRUE},
      {IMAPSYNC_ERROR_COMMAND, "protocol", REACH_MAILBOX, TRUE},
      {IMAPSYNC_ERROR_DATABASE, "database", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_LOCKED, "database", REACH_ACCOUNT, FALSE},
      {IMAPSYNC_ERROR_DISK_FULL, "disk-full", REACH_ACCOUNT, FALSE},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++) {
    g_autoptr (GError) error = g_error_new_literal (IMAPSYNC_ERROR, all[i].code, "x");

    g_test_message ("code %d", all[i].code);
    g_assert_cmpint (all[i].code, ==, (int)i);
    g_assert_cmpstr (imapsync_error_code (error), ==, all[i].word);
    g_assert_cmpint (imapsync_error_reach (error), ==, all[i].reach);
    g_assert_cmpint (imapsync_error_is_transient (error), ==, all[i].transient);
  }
}

static void
assert_foreign (GQuark domain, int code, const char *word, gboolean transient)
{
  g_autoptr (GError) error = g_error_new_literal (domain, code, "x");

  g_test_message ("%s %d", g_quark_to_string (domain), code);
  g_assert_cmpstr (imapsync_error_code (error), ==, word);
  g_assert_cmpint (imapsync_error_reach (error), ==, REACH_SESSION);
  g_assert_cmpint (imapsync_error_is_transient (error), ==, transient);
}

static void
test_foreign (void)
{
  assert_foreign (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "disk-full", FALSE);
  assert_foreign (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "timeout", TRUE);
  assert_foreign (G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED, "refused", TRUE);
  assert_foreign (G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, "refused", TRUE);
  assert_foreign (G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND, "dns", TRUE);
  assert_foreign (G_IO_ERROR, G_IO_ERROR_CANCELLED, "", FALSE);
  assert_foreign (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "dns", TRUE);
  assert_foreign (G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, "certificate", FALSE);
  assert_foreign (G_TLS_ERROR, G_TLS_ERROR_EOF, "", TRUE);
  assert_foreign (G_FILE_ERROR, G_FILE_ERROR_NOENT, "", FALSE);
  assert_foreign (IMAPSYNC_ERROR, 99, "", FALSE);
  g_assert_cmpstr (imapsync_error_code (NULL), ==, "");
}

static void
test_server_defaults (void)
{
  g_autoptr (ServerSettings) server = server_settings_new (SIDE_REMOTE);

  g_assert_cmpint (server->side, ==, SIDE_REMOTE);
  g_assert_cmpint (server->type, ==, SERVER_IMAPS);
  g_assert_cmpstr (server->host, ==, "localhost");
  g_assert_cmpint (server->port, ==, 0);
  g_assert_true (server->starttls);
  g_assert_true (server->verify);
  /* What does not show the password comes first; PLAIN and LOGIN keep their order. */
  g_assert_cmpint (server->auth->len, ==, 6);
  g_assert_cmpint (g_array_index (server->auth, AuthMechanism, 0), ==, AUTH_SCRAM_SHA_256_PLUS);
  g_assert_cmpint (g_array_index (server->auth, AuthMechanism, 4), ==, AUTH_PLAIN);
  g_assert_cmpint (g_array_index (server->auth, AuthMechanism, 5), ==, AUTH_LOGIN);
  g_assert_cmpint (server->fingerprints->len, ==, 0);
  g_assert_cmpint (server->timeout, ==, 60);
  g_assert_null (server->username);
  g_assert_null (server->password);
}

static void
test_server_copy_outlives_the_original (void)
{
  g_autoptr (ServerSettings) copy = NULL;
  Fingerprint fingerprint = {G_CHECKSUM_SHA256, g_bytes_new_static ("abc", 3)};
  const Fingerprint *copied;

  {
    g_autoptr (ServerSettings) server = server_settings_new (SIDE_LOCAL);

    server->username = g_strdup ("alice");
    server->password = password_new ("secret");
    g_array_append_val (server->fingerprints, fingerprint);
    copy = server_settings_copy (server);
  }
  g_assert_cmpstr (copy->host, ==, "localhost");
  g_assert_cmpstr (copy->username, ==, "alice");
  g_assert_cmpstr (password_text (copy->password), ==, "secret");
  g_assert_cmpint (copy->auth->len, ==, 6);
  g_assert_cmpint (copy->fingerprints->len, ==, 1);
  copied = &g_array_index (copy->fingerprints, Fingerprint, 0);
  g_assert_cmpint (copied->algorithm, ==, G_CHECKSUM_SHA256);
  g_assert_cmpmem (g_bytes_get_data (copied->digest, NULL), g_bytes_get_size (copied->digest),
                   "abc", 3);
}

static void
assert_described (ServerType type, const char *user, const char *host, guint16 port,
                  const char *expected)
{
  g_autoptr (ServerSettings) server = server_settings_new (SIDE_LOCAL);
  g_autofree char *text = NULL;

  g_free (server->host);
  server->host = g_strdup (host);
  server->type = type;
  server->port = port;
  server->username = g_strdup (user);
  server->command = g_strdup ("/bin/imap -x");
  text = server_settings_describe (server);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_server_describe (void)
{
  assert_described (SERVER_IMAPS, "a", "h", 0, "a@h");
  assert_described (SERVER_IMAPS, "a", "h", 993, "a@h");
  assert_described (SERVER_IMAPS, "a", "h", 143, "a@h:143");
  assert_described (SERVER_IMAP, "a", "h", 143, "a@h");
  assert_described (SERVER_IMAP, NULL, "h", 993, "h:993");
  assert_described (SERVER_IMAP, "a", "::1", 1143, "a@[::1]:1143");
  assert_described (SERVER_TUNNEL, "a", "h", 1, "tunnel /bin/imap -x");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/errors/own", test_own);
  g_test_add_func ("/errors/foreign", test_foreign);
  g_test_add_func ("/records/server-defaults", test_server_defaults);
  g_test_add_func ("/records/server-copy-outlives-the-original",
                   test_server_copy_outlives_the_original);
  g_test_add_func ("/records/server-describe", test_server_describe);
  return g_test_run ();
}
