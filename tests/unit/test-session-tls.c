/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CAPS "IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS"
#define PREAUTH                                                                                    \
  "S: * PREAUTH [CAPABILITY " CAPS "] hi\nC: a1 ENABLE QRESYNC\n"                                  \
  "S: * ENABLED QRESYNC\nS: a1 OK done\n"

/* Made once by openssl(1), in a folder of its own: ca/ca.pem, and for each certificate NAME.pem
 * with its key. */
static char *folder;

static void run (const char *format, ...) G_GNUC_PRINTF (1, 2);

static void
run (const char *format, ...)
{
  g_autofree char *command = NULL;
  g_autofree char *output = NULL;
  const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
  int status = 0;
  va_list args;

  va_start (args, format);
  argv[2] = command = g_strdup_vprintf (format, args);
  va_end (args);
  g_spawn_sync (folder, (char **)argv, NULL, 0, NULL, NULL, NULL, &output, &status, NULL);
  if (status != 0)
    g_error ("%s: %s", command, output);
}

static void
make_certificate (const char *name, const char *subject, const char *names, const char *options)
{
  run ("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '%s' "
       "-keyout %s.key -out %s.csr && printf 'subjectAltName=%s' >%s.ext && "
       "openssl x509 -req -in %s.csr -CA ca/ca.pem -CAkey ca.key -CAcreateserial -extfile %s.ext "
       "-out %s.crt %s && cat %s.crt %s.key >%s.pem",
       subject, name, name, names, name, name, name, name, options, name, name, name);
}

static void
make_certificates (void)
{
  folder = g_dir_make_tmp ("imapsync-tls-XXXXXX", NULL);
  run ("mkdir ca empty other && openssl req -x509 -newkey ec -pkeyopt "
       "ec_paramgen_curve:prime256v1 -nodes -days 3 -subj '/CN=Test CA' "
       "-addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca/ca.pem && "
       "echo not a certificate >ca/README && cp ca/ca.pem ca/0123abcd.0");
  run ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 "
       "-subj '/CN=Other CA' -keyout other.key -out other.crt && "
       "openssl x509 -in other.crt -outform DER -out other/other.der");
  make_certificate ("good", "/CN=server", "IP:127.0.0.1,DNS:localhost", "-days 2");
  make_certificate ("elsewhere", "/CN=elsewhere", "DNS:elsewhere.example", "-days 2");
  make_certificate ("expired", "/CN=server", "IP:127.0.0.1", "-days -1");
}

static GTlsCertificate *
load (const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/%s.pem", folder, name);
  g_autoptr (GError) error = NULL;
  GTlsCertificate *certificate = g_tls_certificate_new_from_file (path, &error);

  g_assert_no_error (error);
  return certificate;
}

static void
tls_fixture (Fixture *fixture, const char *certificate)
{
  fixture_init (fixture);
  fixture->server->type = SERVER_IMAPS;
  fixture->server->ca_path = g_build_filename (folder, "ca", NULL);
  fixture->script.certificate = load (certificate);
}

static char *
fingerprint (const char *name, GChecksumType algorithm)
{
  g_autoptr (GTlsCertificate) certificate = load (name);
  g_autoptr (GByteArray) der = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  return g_compute_checksum_for_data (algorithm, der->data, der->len);
}

static void
pin (Fixture *fixture, const char *name, GChecksumType algorithm)
{
  g_autofree char *hex = fingerprint (name, algorithm);
  GByteArray *bytes = g_byte_array_new ();
  Fingerprint pin;

  for (const char *p = hex; *p != '\0'; p += 2) {
    guint8 byte = g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1]);

    g_byte_array_append (bytes, &byte, 1);
  }
  pin.algorithm = algorithm;
  pin.digest = g_byte_array_free_to_bytes (bytes);
  g_array_append_val (fixture->server->fingerprints, pin);
}

static void
expect_ready (Fixture *fixture, const char *script)
{
  fixture_start (fixture, script);
  fixture_run_ready (fixture);
  fixture_clear (fixture);
}

static void
expect_error (Fixture *fixture, const char *script, int code, const char *text)
{
  fixture_start (fixture, script);
  fixture_run_error (fixture, code, text);
  fixture_clear (fixture);
}

static void
test_a_good_certificate (void)
{
  Fixture fixture;

  tls_fixture (&fixture, "good");
  expect_ready (&fixture, "TLS\n" PREAUTH "EOF");

  g_test_message ("by another of its names");
  tls_fixture (&fixture, "good");
  g_free (fixture.server->host);
  fixture.server->host = g_strdup ("localhost");
  expect_ready (&fixture, "TLS\n" PREAUTH "EOF");
}

static void
test_what_is_wrong_with_a_certificate_is_told (void)
{
  g_autofree char *seen = fingerprint ("good", G_CHECKSUM_SHA256);
  g_autofree char *shown =
      g_strdup_printf ("not signed by a trusted CA (fingerprint sha256$%s)", seen);
  Fixture fixture;

  tls_fixture (&fixture, "elsewhere");
  expect_error (&fixture, "TLS-REFUSED", IMAPSYNC_ERROR_CERTIFICATE,
                "its name is not \"127.0.0.1\"");
  tls_fixture (&fixture, "expired");
  expect_error (&fixture, "TLS-REFUSED", IMAPSYNC_ERROR_CERTIFICATE, "it has expired");
  tls_fixture (&fixture, "good");
  g_clear_pointer (&fixture.server->ca_path, g_free);
  expect_error (&fixture, "TLS-REFUSED", IMAPSYNC_ERROR_CERTIFICATE, shown);
  tls_fixture (&fixture, "good");
  g_free (fixture.server->ca_path);
  fixture.server->ca_path = g_build_filename (folder, "other", NULL);
  expect_error (&fixture, "TLS-REFUSED", IMAPSYNC_ERROR_CERTIFICATE, shown);
}

static void
test_verification_can_be_off (void)
{
  Fixture fixture;

  tls_fixture (&fixture, "expired");
  fixture.server->verify = FALSE;
  expect_ready (&fixture, "TLS\n" PREAUTH "EOF");
}

static void
test_a_pin_is_asked_besides_the_ca (void)
{
  Fixture fixture;

  g_test_message ("wrong, though the CA is right: nothing is sent");
  tls_fixture (&fixture, "good");
  pin (&fixture, "elsewhere", G_CHECKSUM_SHA256);
  expect_error (&fixture, "TLS\nS: * OK [CAPABILITY " CAPS " SASL-IR AUTH=PLAIN] hi\nEOF",
                IMAPSYNC_ERROR_CERTIFICATE, "SSL_fingerprint");

  g_test_message ("wrong, and no verification");
  tls_fixture (&fixture, "good");
  fixture.server->verify = FALSE;
  pin (&fixture, "elsewhere", G_CHECKSUM_SHA1);
  expect_error (&fixture, "TLS\nEOF", IMAPSYNC_ERROR_CERTIFICATE, "SSL_fingerprint");

  g_test_message ("right, but the CA is not: a pin replaces nothing");
  tls_fixture (&fixture, "elsewhere");
  pin (&fixture, "elsewhere", G_CHECKSUM_SHA256);
  expect_error (&fixture, "TLS-REFUSED", IMAPSYNC_ERROR_CERTIFICATE, "its name");

  g_test_message ("right, and no verification");
  tls_fixture (&fixture, "expired");
  fixture.server->verify = FALSE;
  pin (&fixture, "expired", G_CHECKSUM_SHA512);
  expect_ready (&fixture, "TLS\n" PREAUTH "EOF");

  g_test_message ("one of several");
  tls_fixture (&fixture, "good");
  pin (&fixture, "elsewhere", G_CHECKSUM_SHA256);
  pin (&fixture, "good", G_CHECKSUM_SHA1);
  expect_ready (&fixture, "TLS\n" PREAUTH "EOF");
}

static void
expect_bad_folder (const char *path, const char *text)
{
  Fixture fixture;

  tls_fixture (&fixture, "good");
  g_free (fixture.server->ca_path);
  fixture.server->ca_path = g_strdup (path);
  fixture.server->port = 9;
  expect_error (&fixture, NULL, IMAPSYNC_ERROR_CONFIG, text);
}

static void
test_a_ca_folder_without_certificates_is_named (void)
{
  g_autofree char *empty = g_build_filename (folder, "empty", NULL);

  expect_bad_folder (empty, empty);
  expect_bad_folder ("/no/such/folder", "/no/such/folder");
}

static void
test_servers_without_tls (void)
{
  Fixture fixture;

  tls_fixture (&fixture, "good");
  expect_error (&fixture, "S: * OK hello, this is plain IMAP\nWAIT 100", IMAPSYNC_ERROR_PROTOCOL,
                "does that port speak TLS?");
  tls_fixture (&fixture, "good");
  expect_error (&fixture, "WAIT 1", IMAPSYNC_ERROR_REFUSED, "during the TLS handshake");
  tls_fixture (&fixture, "good");
  fixture.server->timeout = 1;
  expect_error (&fixture, "WAIT 3000", IMAPSYNC_ERROR_TIMEOUT, "no TLS handshake within 1 seconds");
}

static void
test_much_through_tls (void)
{
  const gsize size = 8 * 1024 * 1024;
  g_autofree guint8 *block = g_malloc0 (size);
  Fixture fixture;
  Reply fetch = {0}, append = {0};
  ImapAppend *message;

  tls_fixture (&fixture, "good");
  fixture_start (&fixture,
                 "TLS\nS: * PREAUTH [CAPABILITY " CAPS " LITERAL+] hi\nC: a1 ENABLE QRESYNC\n"
                 "S: * ENABLED QRESYNC\nS: a1 OK done\nC: a2 UID FETCH\nFLOOD a2 8388608\n"
                 "C: a3 APPEND Sent () \" 9-Sep-2001 01:46:40 +0000\" {8388608+}\n"
                 "BYTES 8388608\nC: \nS: a3 OK done\nEOF");
  fixture_run_ready (&fixture);
  queue (&fixture, "UID FETCH", &fetch);
  message = imap_session_append_begin (fixture.session, "Sent");
  imap_append_message (message, "", 1000000000, size, FALSE);
  imap_append_data (message, block, size);
  imap_append_finish (message, on_reply, &append, on_reply_destroyed);
  run_until (append.calls > 0);
  g_assert_no_error (append.error);
  g_assert_cmpuint (fixture.body_bytes, ==, size);
  reply_clear (&fetch);
  reply_clear (&append);
  fixture_clear (&fixture);
}

static void
test_logout_waits_for_nobody (void)
{
  Fixture fixture;

  tls_fixture (&fixture, "good");
  fixture_start (&fixture, "TLS\n" PREAUTH "C: a2 LOGOUT\nEOF");
  fixture_run_ready (&fixture);
  imap_session_logout (fixture.session);
  run_until (fixture.closed > 0);
  g_assert_null (imap_session_error (fixture.session));
  fixture_clear (&fixture);
}

/* While the handshake runs in a thread of GIO's, too. */
static void
test_it_may_end_at_any_moment (void)
{
  for (guint i = 0; i < 24; i++) {
    Fixture fixture;

    tls_fixture (&fixture, "good");
    fixture.script.any_end = TRUE;
    fixture_start (&fixture, "TLS\n" PREAUTH "EOF");
    for (guint j = 0; j < i; j++)
      g_main_context_iteration (NULL, j < 6);
    if (i % 2 == 0) {
      imap_session_close (fixture.session);
      run_until (fixture.closed > 0);
      g_assert_null (imap_session_error (fixture.session));
    } else {
      g_clear_pointer (&fixture.session, imap_session_unref);
    }
    fixture_clear (&fixture);
  }
}

static void
starttls_fixture (Fixture *fixture)
{
  tls_fixture (fixture, "good");
  fixture->server->type = SERVER_IMAP;
  fixture->server->starttls = TRUE;
}

static void
test_starttls (void)
{
  Fixture fixture;

  g_test_message ("what was said in clear is forgotten");
  starttls_fixture (&fixture);
  fixture_start (&fixture, "S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED NOTIFY] hi\n"
                           "C: a1 STARTTLS\nS: a1 OK go\nTLS\n"
                           "C: a2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\n"
                           "S: a2 OK done\n"
                           "C: a3 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\n"
                           "S: a3 OK [CAPABILITY " CAPS "] in\n"
                           "C: a4 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: a4 OK done\nEOF");
  fixture_run_ready (&fixture);
  g_assert_false (imap_session_has (fixture.session, IMAP_CAP_NOTIFY));
  fixture_clear (&fixture);

  g_test_message ("offered only when asked");
  starttls_fixture (&fixture);
  expect_error (&fixture,
                "S: * OK hi\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 STARTTLS\n"
                "S: a1 OK done\nC: a2 STARTTLS\nS: a2 OK go\nTLS\nC: a3 CAPABILITY\n"
                "S: * BYE enough\n",
                IMAPSYNC_ERROR_REFUSED, "enough");
}

static void
test_starttls_or_nothing (void)
{
  Fixture fixture;

  starttls_fixture (&fixture);
  expect_error (&fixture,
                "S: * OK hi\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
                "S: a1 OK done\nEOF",
                IMAPSYNC_ERROR_CAPABILITY, "does not offer STARTTLS");
  starttls_fixture (&fixture);
  expect_error (&fixture,
                "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nC: a1 STARTTLS\n"
                "S: a1 NO not today\nEOF",
                IMAPSYNC_ERROR_CAPABILITY, "not today");
  starttls_fixture (&fixture);
  expect_error (&fixture, "S: * PREAUTH [CAPABILITY " CAPS " STARTTLS] hi\nEOF",
                IMAPSYNC_ERROR_PROTOCOL, "STARTTLS");
  starttls_fixture (&fixture);
  pin (&fixture, "elsewhere", G_CHECKSUM_SHA256);
  expect_error (&fixture,
                "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nC: a1 STARTTLS\n"
                "S: a1 OK go\nTLS\nEOF",
                IMAPSYNC_ERROR_CERTIFICATE, "SSL_fingerprint");
}

static void
test_starttls_with_an_injection (void)
{
  Fixture fixture;

  starttls_fixture (&fixture);
  expect_error (&fixture,
                "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nC: a1 STARTTLS\n"
                "S- a1 OK go\r|* CAPABILITY IMAP4rev1 AUTH=PLAIN\r|\nEOF",
                IMAPSYNC_ERROR_PROTOCOL, "not to be trusted");
}

/* openssl(1) as a server that speaks what is chosen here. */
typedef struct {
  GSubprocess *process;
  guint16 port;
} OpenSsl;

static void
end_with_us (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static void
openssl_start (OpenSsl *server, const char *options)
{
  g_autofree char *command = g_strdup_printf (
      "cd %s && exec openssl s_server -accept 127.0.0.1:0 -cert good.crt -key good.key %s", folder,
      options);
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GDataInputStream) output = NULL;
  GOutputStream *input;
  char *line;

  launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                 G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_set_child_setup (launcher, end_with_us, NULL, NULL);
  server->process = g_subprocess_launcher_spawn (launcher, NULL, "/bin/sh", "-c", command, NULL);
  input = g_subprocess_get_stdin_pipe (server->process);
  g_output_stream_write_all (input, "* BYE welcome\r\n", 15, NULL, NULL, NULL);
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (server->process));
  while ((line = g_data_input_stream_read_line (output, NULL, NULL, NULL)) != NULL) {
    const char *colon = strrchr (line, ':');

    if (g_str_has_prefix (line, "ACCEPT") && colon != NULL)
      server->port = atoi (colon + 1);
    g_free (line);
    if (server->port != 0)
      break;
  }
  g_assert_cmpuint (server->port, >, 0);
}

static void
expect_openssl (const char *options, const char *cipher_list, int code, const char *text)
{
  OpenSsl server = {NULL, 0};
  Fixture fixture;

  openssl_start (&server, options);
  tls_fixture (&fixture, "good");
  fixture.server->port = server.port;
  fixture.server->cipher_list = g_strdup (cipher_list);
  expect_error (&fixture, NULL, code, text);
  g_subprocess_force_exit (server.process);
  g_subprocess_wait (server.process, NULL, NULL);
  g_object_unref (server.process);
}

static void
test_the_cipher_list_is_held_against_the_suite (void)
{
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "HIGH:!aNULL",
                  IMAPSYNC_ERROR_REFUSED, "welcome");
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
                  IMAPSYNC_ERROR_REFUSED, "welcome");
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE+CHACHA20",
                  IMAPSYNC_ERROR_REFUSED, "welcome");
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", "AES128-SHA:ECDHE+SHA1",
                  IMAPSYNC_ERROR_REFUSED, "welcome");
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "HIGH:!AES256",
                  IMAPSYNC_ERROR_CERTIFICATE, "not in SSL_cipher_list (HIGH:!AES256)");
  expect_openssl ("-tls1_3", "AES128-SHA", IMAPSYNC_ERROR_REFUSED, "welcome");
}

static void
test_outdated_tls_is_refused (void)
{
  expect_openssl ("-tls1_2 -cipher ECDHE-ECDSA-ARIA128-GCM-SHA256", NULL, IMAPSYNC_ERROR_PROTOCOL,
                  "TLS handshake failed");
  expect_openssl ("-tls1_1 -cipher ALL:@SECLEVEL=0", NULL, IMAPSYNC_ERROR_CERTIFICATE, "TLS 1.2");
}

static void
test_no_tls_backend (void)
{
  Fixture fixture;

  if (g_test_subprocess ()) {
    fixture_init (&fixture);
    fixture.server->type = SERVER_IMAPS;
    fixture.server->port = 9;
    expect_error (&fixture, NULL, IMAPSYNC_ERROR_CERTIFICATE, "glib-networking");
    return;
  }
  g_setenv ("GIO_USE_TLS", "dummy", TRUE);
  g_test_trap_subprocess (NULL, 0, 0);
  g_unsetenv ("GIO_USE_TLS");
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_certificates ();
  g_test_add_func ("/tls/a-good-certificate", test_a_good_certificate);
  g_test_add_func ("/tls/what-is-wrong-with-a-certificate-is-told",
                   test_what_is_wrong_with_a_certificate_is_told);
  g_test_add_func ("/tls/verification-can-be-off", test_verification_can_be_off);
  g_test_add_func ("/tls/a-pin-is-asked-besides-the-ca", test_a_pin_is_asked_besides_the_ca);
  g_test_add_func ("/tls/a-ca-folder-without-certificates-is-named",
                   test_a_ca_folder_without_certificates_is_named);
  g_test_add_func ("/tls/servers-without-tls", test_servers_without_tls);
  g_test_add_func ("/tls/much-through-tls", test_much_through_tls);
  g_test_add_func ("/tls/logout-waits-for-nobody", test_logout_waits_for_nobody);
  g_test_add_func ("/tls/it-may-end-at-any-moment", test_it_may_end_at_any_moment);
  g_test_add_func ("/tls/starttls", test_starttls);
  g_test_add_func ("/tls/starttls-or-nothing", test_starttls_or_nothing);
  g_test_add_func ("/tls/starttls-with-an-injection", test_starttls_with_an_injection);
  g_test_add_func ("/tls/the-cipher-list-is-held-against-the-suite",
                   test_the_cipher_list_is_held_against_the_suite);
  g_test_add_func ("/tls/outdated-tls-is-refused", test_outdated_tls_is_refused);
  g_test_add_func ("/tls/no-tls-backend", test_no_tls_backend);
  status = g_test_run ();
  run ("cd / && rm -r %s", folder);
  /* The leak checker of gcc 12 stumbles over a thread that is just ending. */
  g_thread_pool_stop_unused_threads ();
  g_usleep (100 * 1000);
  g_free (folder);
  return status;
}
