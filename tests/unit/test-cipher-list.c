/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "cipher-list.h"
#include "errors.h"

#include <gio/gio.h>
#include <gnutls/gnutls.h>
#include <string.h>

static void
expect (const char *list, const char *suite, gboolean allowed)
{
  if (cipher_list_allows (list, suite) != allowed)
    g_error ("\"%s\" should%s allow %s", list, allowed ? "" : " not", suite);
}

static void
test_spellings (void)
{
  expect ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", TRUE);
  expect ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", TRUE);
  expect ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_AES_256_GCM_SHA384", TRUE);
  expect ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_AES_128_CBC_SHA1", TRUE);
  expect ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", TRUE);
  expect ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_CHACHA20_POLY1305", TRUE);
  expect ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TRUE);
  expect ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", FALSE);
  expect ("ALL", "TLS_OF_TOMORROW", FALSE);
}

static void
test_signs (void)
{
  expect ("HIGH:!aNULL", "ADH-AES128-SHA", FALSE);
  expect ("HIGH:!aNULL:ADH-AES128-SHA", "ADH-AES128-SHA", FALSE);
  expect ("HIGH:-aNULL:ADH-AES128-SHA", "ADH-AES128-SHA", TRUE);
  expect ("HIGH:-aNULL", "ADH-AES128-SHA", FALSE);
  expect ("HIGH:+AES128:@STRENGTH", "AES128-SHA", TRUE);
  expect ("AES256:+AES128", "AES128-SHA", FALSE);
  expect ("ECDHE+AESGCM", "ECDHE-RSA-AES128-GCM-SHA256", TRUE);
  expect ("ECDHE+AESGCM", "DHE-RSA-AES128-GCM-SHA256", FALSE);
  expect ("ALL", "NULL-SHA256", FALSE);
  expect ("ALL:eNULL", "NULL-SHA256", TRUE);
  expect ("HIGH, !MD5 !RC4;!kRSA", "AES128-SHA", FALSE);
}

static void
expect_error (const char *list, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (imap_cipher_list_check (list, &error));
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG);
  if (strstr (error->message, text) == NULL)
    g_error ("expected \"...%s...\", got \"%s\"", text, error->message);
}

static void
test_errors (void)
{
  static const char *const good[] = {"HIGH", "DEFAULT:!aNULL", "ECDHE+AESGCM:@STRENGTH",
                                     "TLS_AES_128_GCM_SHA256",
                                     "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:AES128-SHA"};
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    imap_cipher_list_check (good[i], &error);
    g_assert_no_error (error);
  }
  expect_error ("HIHG", "did you mean \"HIGH\"");
  expect_error ("HIGH:ECDHE-RSA-AES256-GCM-SHA385", "\"ECDHE-RSA-AES256-GCM-SHA384\"");
  expect_error ("HIGH:!", "\"\"");
  expect_error ("HIGH:@SECLEVEL=0", "@SECLEVEL=0");
  expect_error ("ECDHE+", "");
  expect_error ("HIGH:!ALL", "allows no suite");
  expect_error ("", "allows no suite");
  expect_error (" : ", "allows no suite");
}

/* Whatever GnuTLS may negotiate has to be known, or a list that allows it would refuse it. */
static void
test_suites_of_gnutls_are_known (void)
{
  gnutls_protocol_t version;
  const char *name;

  for (gsize i = 0; (name = gnutls_cipher_suite_info (i, NULL, NULL, NULL, NULL, &version)); i++) {
    gboolean modern = strstr (name, "AES") != NULL || strstr (name, "CHACHA20") != NULL ||
                      strstr (name, "CAMELLIA") != NULL;

    if (!modern || strstr (name, "PSK") != NULL || strstr (name, "SRP") != NULL ||
        strstr (name, "CAMELLIA_128_GCM") != NULL || strstr (name, "CAMELLIA_256_GCM") != NULL ||
        version > GNUTLS_TLS1_3)
      continue;
    expect ("ALL:aNULL", name, TRUE);
  }
}

/* As openssl(1) reads the same list. */
static void
test_lists_mean_what_openssl_means (void)
{
  static const char *const lists[] = {
      "DEFAULT",       "HIGH:!aNULL:!MD5",      "ALL",   "ECDHE+AESGCM:DHE+AESGCM:!DSS",
      "kRSA",          "ALL:COMPLEMENTOFALL",   "eNULL", "HIGH:-AES256:!CAMELLIA:!ARIA",
      "TLSv1.2+ECDHE", "COMPLEMENTOFDEFAULT",   "PSK",   "EECDH+CHACHA20:EDH+CHACHA20",
      "SHA1",          "AES128+SHA256:aECDSA",  "SRP",   "ADH:AECDH",
      "AESCCM",        "HIGH:!kRSA:!PSK:!kDHE", "ARIA",  "DEFAULT:-ECDHE:+SHA256:@STRENGTH"};
  g_autofree char *openssl = g_find_program_in_path ("openssl");
  g_autofree char *all = NULL;
  g_auto (GStrv) suites = NULL;

  if (openssl == NULL) {
    g_test_skip ("no openssl(1)");
    return;
  }
  g_assert_true (
      g_spawn_command_line_sync ("openssl ciphers ALL:eNULL:@SECLEVEL=0", &all, NULL, NULL, NULL));
  suites = g_strsplit (g_strchomp (all), ":", -1);
  g_assert_cmpuint (g_strv_length (suites), >, 50);
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autofree char *command = g_strdup_printf ("openssl ciphers '%s:@SECLEVEL=0'", lists[i]);
    g_autofree char *output = NULL;
    g_auto (GStrv) expected = NULL;

    g_assert_true (g_spawn_command_line_sync (command, &output, NULL, NULL, NULL));
    expected = g_strsplit (g_strchomp (output), ":", -1);
    for (char **suite = suites; *suite != NULL; suite++)
      if (!g_str_has_prefix (*suite, "TLS_"))
        expect (lists[i], *suite, g_strv_contains ((const char *const *)expected, *suite));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cipher-list/spellings", test_spellings);
  g_test_add_func ("/cipher-list/signs", test_signs);
  g_test_add_func ("/cipher-list/errors", test_errors);
  g_test_add_func ("/cipher-list/suites-of-gnutls-are-known", test_suites_of_gnutls_are_known);
  g_test_add_func ("/cipher-list/lists-mean-what-openssl-means",
                   test_lists_mean_what_openssl_means);
  return g_test_run ();
}
