/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"
#include "imap/auth.h"

#include <gsasl.h>
#include <string.h>

static const AuthCredentials joe = {
    .username = "joe", .password = "pencil", .host = "mail.example", .port = 993};

static char *
decode (const char *text)
{
  gsize length;
  guchar *bytes = g_base64_decode (text, &length);

  for (gsize i = 0; i < length; i++)
    if (bytes[i] < ' ')
      bytes[i] = '|';
  bytes = g_realloc (bytes, length + 1);
  bytes[length] = '\0';
  return (char *)bytes;
}

static void
assert_answer (ImapAuth *auth, const char *challenge, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = imap_auth_respond (auth, challenge, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = decode (answer);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_end (ImapAuth *auth, const char *challenge, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (imap_auth_respond (auth, challenge, &error));
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, words));
  g_assert_null (strstr (error->message, "pencil"));
}

static ImapAuth *
start (AuthMechanism mechanism, const AuthCredentials *credentials)
{
  g_autoptr (GError) error = NULL;
  ImapAuth *auth = imap_auth_new (mechanism, credentials, &error);

  g_assert_no_error (error);
  return auth;
}

static void
test_the_plain_ones (void)
{
  static const struct {
    AuthMechanism mechanism;
    const char *answers[3];
  } cases[] = {
      {AUTH_PLAIN, {"|joe|pencil"}},
      {AUTH_LOGIN, {"joe", "pencil"}},
      {AUTH_EXTERNAL, {"joe"}},
      {AUTH_OAUTHBEARER, {"n,a=joe,|host=mail.example|port=993|auth=Bearer pencil||", "|"}},
      {AUTH_XOAUTH2, {"user=joe|auth=Bearer pencil||", ""}},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ImapAuth) auth = start (cases[i].mechanism, &joe);

    g_test_message ("%s", auth_mechanism_name (cases[i].mechanism));
    g_assert_true (imap_auth_is_proven (auth));
    for (gsize j = 0; cases[i].answers[j] != NULL; j++)
      assert_answer (auth, j > 0 ? "e30=" : NULL, cases[i].answers[j]);
    assert_end (auth, "e30=", "asks for more");
  }
}

static void
test_external_without_a_name (void)
{
  const AuthCredentials nobody = {.username = NULL};
  g_autoptr (ImapAuth) auth = start (AUTH_EXTERNAL, &nobody);

  assert_answer (auth, NULL, "");
}

static void
test_what_framing_cannot_say_is_refused (void)
{
  static const char *const tokens[] = {"a\1b", "a b", "a\r\nb", "\xc3\xa9"};
  AuthCredentials odd = joe;

  for (gsize i = 0; i < G_N_ELEMENTS (tokens); i++) {
    g_autoptr (GError) error = NULL;

    odd.password = tokens[i];
    g_assert_null (imap_auth_new (AUTH_XOAUTH2, &odd, &error));
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_AUTH);
  }
  {
    g_autoptr (ImapAuth) auth = NULL;

    odd = joe;
    odd.username = "a=b,c";
    auth = start (AUTH_OAUTHBEARER, &odd);
    assert_answer (auth, NULL, "n,a=a=3Db=2Cc,|host=mail.example|port=993|auth=Bearer pencil||");
  }
}

/* --- SCRAM, against the library's server ----------------------------------------------------- */

static int
on_property (Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
  const char *const *answers = gsasl_callback_hook_get (library); /* password, binding */

  switch (property) {
  case GSASL_PASSWORD:
    return gsasl_property_set (session, property, answers[0]);
  case GSASL_SCRAM_ITER:
    return gsasl_property_set (session, property, "4096");
  case GSASL_CB_TLS_EXPORTER:
    return answers[1] != NULL ? gsasl_property_set (session, property, answers[1])
                              : GSASL_NO_CB_TLS_EXPORTER;
  default:
    return GSASL_NO_CALLBACK;
  }
}

/* What the server makes of it, and whether it proved itself to us. */
static int
talk (ImapAuth *auth, const char *name, const char *const *answers, gboolean *proven)
{
  Gsasl *library;
  Gsasl_session *server;
  g_autofree char *said = imap_auth_respond (auth, NULL, NULL);
  int result;

  g_assert_cmpint (gsasl_init (&library), ==, GSASL_OK);
  gsasl_callback_set (library, on_property);
  gsasl_callback_hook_set (library, (void *)answers);
  g_assert_cmpint (gsasl_server_start (library, name, &server), ==, GSASL_OK);
  for (;;) {
    char *challenge = NULL;

    result = gsasl_step64 (server, said, &challenge);
    if (result == GSASL_OK || result == GSASL_NEEDS_MORE) {
      g_autoptr (GError) error = NULL;

      if (challenge != NULL && *challenge != '\0') {
        g_free (said);
        said = imap_auth_respond (auth, challenge, &error);
        g_assert_no_error (error);
      }
    }
    gsasl_free (challenge);
    if (result != GSASL_NEEDS_MORE)
      break;
  }
  *proven = imap_auth_is_proven (auth);
  gsasl_finish (server);
  gsasl_done (library);
  return result;
}

static void
test_scram_proves_both_sides (void)
{
  static const AuthMechanism mechanisms[] = {AUTH_SCRAM_SHA_256, AUTH_SCRAM_SHA_1};
  const char *right[] = {"pencil", NULL}, *wrong[] = {"crayon", NULL};

  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++) {
    const char *name = auth_mechanism_name (mechanisms[i]);
    g_autoptr (ImapAuth) good = start (mechanisms[i], &joe);
    g_autoptr (ImapAuth) bad = start (mechanisms[i], &joe);
    gboolean proven;

    g_test_message ("%s", name);
    g_assert_false (imap_auth_is_proven (good));
    g_assert_cmpint (talk (good, name, right, &proven), ==, GSASL_OK);
    g_assert_true (proven);
    assert_end (good, "e30=", "asks for more");
    g_assert_cmpint (talk (bad, name, wrong, &proven), ==, GSASL_AUTHENTICATION_ERROR);
    g_assert_false (proven);
  }
}

static void
test_scram_plus_is_bound_to_its_connection (void)
{
  const char *same[] = {"pencil", "YmluZGluZw=="}, *other[] = {"pencil", "aW50cnVkZXI="};
  AuthCredentials bound = joe;
  gboolean proven;

  bound.binding = same[1];
  for (int i = 0; i < 2; i++) {
    const AuthMechanism mechanism = i == 0 ? AUTH_SCRAM_SHA_256_PLUS : AUTH_SCRAM_SHA_1_PLUS;
    g_autoptr (ImapAuth) good = start (mechanism, &bound);
    g_autoptr (ImapAuth) bad = start (mechanism, &bound);

    g_assert_cmpint (talk (good, auth_mechanism_name (mechanism), same, &proven), ==, GSASL_OK);
    g_assert_true (proven);
    g_assert_cmpint (talk (bad, auth_mechanism_name (mechanism), other, &proven), !=, GSASL_OK);
    g_assert_false (proven);
  }
}

static void
test_scram_says_whether_it_is_bound (void)
{
  AuthCredentials bound = joe;

  bound.binding = "YmluZGluZw==";
  for (int i = 0; i < 2; i++) {
    g_autoptr (ImapAuth) auth =
        start (i == 0 ? AUTH_SCRAM_SHA_256 : AUTH_SCRAM_SHA_256_PLUS, &bound);
    g_autoptr (GError) error = NULL;
    g_autofree char *answer = imap_auth_respond (auth, NULL, &error);
    g_autofree char *text = NULL;

    g_assert_no_error (error);
    text = decode (answer);
    g_assert_true (g_str_has_prefix (text, i == 0 ? "n,,n=joe,r=" : "p=tls-exporter,,n=joe,r="));
  }
}

static void
test_scram_plus_needs_a_binding (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (imap_auth_new (AUTH_SCRAM_SHA_256_PLUS, &joe, &error));
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_AUTH);
}

static void
test_scram_against_impostors (void)
{
  static const struct {
    const char *tail;
    const char *words;
  } cases[] = {
      {"s=c2FsdA==,i=1", "hashed 1 times"},
      {"s=c2FsdA==,i=4294967295", "hashed 4294967295 times"},
      {"s=c2FsdA==,i=99999999999999999999999999", "times"},
      {"s=c2FsdA==,i=-4096", "times"},
      {"s=c2FsdA==", "does not go on"},
      {"", "does not go on"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ImapAuth) auth = start (AUTH_SCRAM_SHA_256, &joe);
    g_autofree char *first = imap_auth_respond (auth, NULL, NULL);
    g_autofree char *text = decode (first);
    g_autofree char *message =
        g_strdup_printf ("r=%sxyz,%s", strstr (text, "r=") + 2, cases[i].tail);
    g_autofree char *challenge = g_base64_encode ((guchar *)message, strlen (message));

    assert_end (auth, challenge, cases[i].words);
    g_assert_false (imap_auth_is_proven (auth));
  }

  g_test_message ("another one's nonce, no base64, the end before the beginning");
  for (int i = 0; i < 3; i++) {
    static const char *const challenges[] = {"cj1hLHM9YzJGc2RBPT0saT00MDk2", "!!!", "dj1hYmM="};
    g_autoptr (ImapAuth) auth = start (AUTH_SCRAM_SHA_256, &joe);
    g_autofree char *first = imap_auth_respond (auth, NULL, NULL);

    g_assert_nonnull (first);
    assert_end (auth, challenges[i], "does not go on");
  }
}

static void
test_scram_wants_the_servers_proof (void)
{
  g_autoptr (ImapAuth) auth = start (AUTH_SCRAM_SHA_256, &joe);
  g_autofree char *first = imap_auth_respond (auth, NULL, NULL);
  g_autofree char *text = decode (first);
  g_autofree char *message = g_strdup_printf ("r=%sxyz,s=c2FsdA==,i=4096", strstr (text, "r=") + 2);
  g_autofree char *challenge = g_base64_encode ((guchar *)message, strlen (message));
  g_autofree char *second = imap_auth_respond (auth, challenge, NULL);

  g_assert_nonnull (second);
  g_assert_false (imap_auth_is_proven (auth));
  assert_end (auth, "dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9",
              "did not prove that it knows the password");
  g_assert_false (imap_auth_is_proven (auth));
}

static void
test_a_challenge_without_end (void)
{
  g_autoptr (ImapAuth) auth = start (AUTH_SCRAM_SHA_256, &joe);
  g_autofree char *first = imap_auth_respond (auth, NULL, NULL);
  g_autofree char *challenge = g_strnfill (100000, 'A');

  g_assert_nonnull (first);
  assert_end (auth, challenge, "more words");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/auth/the-plain-ones", test_the_plain_ones);
  g_test_add_func ("/auth/external-without-a-name", test_external_without_a_name);
  g_test_add_func ("/auth/what-framing-cannot-say-is-refused",
                   test_what_framing_cannot_say_is_refused);
  g_test_add_func ("/auth/scram-proves-both-sides", test_scram_proves_both_sides);
  g_test_add_func ("/auth/scram-plus-is-bound-to-its-connection",
                   test_scram_plus_is_bound_to_its_connection);
  g_test_add_func ("/auth/scram-says-whether-it-is-bound", test_scram_says_whether_it_is_bound);
  g_test_add_func ("/auth/scram-plus-needs-a-binding", test_scram_plus_needs_a_binding);
  g_test_add_func ("/auth/scram-against-impostors", test_scram_against_impostors);
  g_test_add_func ("/auth/scram-wants-the-servers-proof", test_scram_wants_the_servers_proof);
  g_test_add_func ("/auth/a-challenge-without-end", test_a_challenge_without_end);
  return g_test_run ();
}
