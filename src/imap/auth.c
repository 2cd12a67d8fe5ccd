/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/auth.h"

#include "errors.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gsasl.h>
#include <string.h>

/* A server must neither make the password cheap to guess from what it is answered (RFC 7677,
 * section 4), nor keep us busy for hours. */
#define MIN_ITERATIONS 4096
#define MAX_ITERATIONS 1000000
#define MAX_CHALLENGE  8192

typedef struct {
  const char *name;
  gboolean client_first;
  gboolean shows_secret;
  gboolean has_token;
  gboolean is_bound;
  gboolean is_scram;
} Mechanism;

static const Mechanism mechanisms[N_AUTH_MECHANISMS] = {
    [AUTH_PLAIN] = {.name = "PLAIN", .client_first = TRUE, .shows_secret = TRUE},
    [AUTH_LOGIN] = {.name = "LOGIN", .shows_secret = TRUE},
    [AUTH_SCRAM_SHA_256_PLUS] = {"SCRAM-SHA-256-PLUS", TRUE, .is_bound = TRUE, .is_scram = TRUE},
    [AUTH_SCRAM_SHA_256] = {"SCRAM-SHA-256", TRUE, .is_scram = TRUE},
    [AUTH_SCRAM_SHA_1_PLUS] = {"SCRAM-SHA-1-PLUS", TRUE, .is_bound = TRUE, .is_scram = TRUE},
    [AUTH_SCRAM_SHA_1] = {"SCRAM-SHA-1", TRUE, .is_scram = TRUE},
    [AUTH_EXTERNAL] = {"EXTERNAL", TRUE},
    [AUTH_OAUTHBEARER] = {"OAUTHBEARER", TRUE, .shows_secret = TRUE, .has_token = TRUE},
    [AUTH_XOAUTH2] = {"XOAUTH2", TRUE, .shows_secret = TRUE, .has_token = TRUE},
};

struct _ImapAuth {
  AuthMechanism mechanism;
  char *username;
  Password *password;
  char *host;
  guint16 port;
  guint step;
  gboolean proven;
  GPtrArray *said; /* the answers that hold the password */

  Gsasl *library;
  Gsasl_session *scram;
};

const char *
auth_mechanism_name (AuthMechanism mechanism)
{
  return mechanisms[mechanism].name;
}

gboolean
auth_mechanism_shows_secret (AuthMechanism mechanism)
{
  return mechanisms[mechanism].shows_secret;
}

gboolean
auth_mechanism_needs_password (AuthMechanism mechanism)
{
  return mechanism != AUTH_EXTERNAL;
}

gboolean
auth_mechanism_needs_binding (AuthMechanism mechanism)
{
  return mechanisms[mechanism].is_bound;
}

gboolean
auth_mechanism_has_token (AuthMechanism mechanism)
{
  return mechanisms[mechanism].has_token;
}

/* --- SCRAM (RFC 5802, 7677), by libgsasl ----------------------------------------------------- */

static gboolean
scram_start (ImapAuth *auth, const AuthCredentials *credentials)
{
  const gboolean bound = auth_mechanism_needs_binding (auth->mechanism);

  if (gsasl_init (&auth->library) != GSASL_OK ||
      gsasl_client_start (auth->library, auth_mechanism_name (auth->mechanism), &auth->scram) !=
          GSASL_OK ||
      gsasl_property_set (auth->scram, GSASL_AUTHID, auth->username) != GSASL_OK)
    return FALSE;
  /* Only the bound forms are told: with a binding that it shall not use, libgsasl 2.2.0 cannot say
   * "y" (RFC 5802, section 6), and fails. */
  if (!bound)
    return TRUE;
  return credentials->binding != NULL &&
         gsasl_property_set (auth->scram,
                             credentials->binding_is_unique ? GSASL_CB_TLS_UNIQUE
                                                            : GSASL_CB_TLS_EXPORTER,
                             credentials->binding) == GSASL_OK;
}

static void
scram_end (ImapAuth *auth)
{
  char *kept = auth->scram != NULL
                   ? (char *)gsasl_property_fast (auth->scram, GSASL_SCRAM_SALTED_PASSWORD)
                   : NULL;

  if (kept != NULL)
    explicit_bzero (kept, strlen (kept));
  if (auth->scram != NULL)
    gsasl_finish (auth->scram);
  if (auth->library != NULL)
    gsasl_done (auth->library);
}

/* The server's first message: "r=NONCE,s=SALT,i=ITERATIONS". What else is wrong with it the library
 * sees. */
static gboolean
scram_parse (const char *challenge, char **salt, guint64 *iterations, GError **error)
{
  gsize length;
  g_autofree guchar *bytes = g_base64_decode (challenge, &length);
  g_autofree char *text = g_strndup ((const char *)bytes, length);
  g_auto (GStrv) fields = g_strsplit (text, ",", 10);

  for (char **field = fields; *field != NULL; field++) {
    if (g_str_has_prefix (*field, "s=") && *salt == NULL)
      *salt = g_strdup (*field + 2);
    if (!g_str_has_prefix (*field, "i=") ||
        g_ascii_string_to_unsigned (*field + 2, 10, MIN_ITERATIONS, MAX_ITERATIONS, iterations,
                                    NULL))
      continue;
    return imapsync_fail (
        error, IMAPSYNC_ERROR_PROTOCOL,
        "the server wants the password hashed %.20s times, and only %u to %u make sense",
        *field + 2, MIN_ITERATIONS, MAX_ITERATIONS);
  }
  return TRUE;
}

/* SASLprep (RFC 4013) leaves what can be typed in ASCII as it is. (transfer full); NULL: the
 * password has characters that no password may have. */
static char *
scram_prepare (const char *password)
{
  const char *p = password;
  char *prepared = NULL;

  while (*p >= 0x20 && *p <= 0x7e)
    p++;
  if (*p == '\0')
    return g_strdup (password);
  if (gsasl_saslprep (password, 0, &prepared, NULL) != GSASL_OK)
    return NULL;
  /* Each is freed by its own. */
  char *copy = g_strdup (prepared);
  explicit_bzero (prepared, strlen (prepared));
  gsasl_free (prepared);
  return copy;
}

/* The library would hash it too, but from copies that it frees as they are. */
static gboolean
scram_hash (ImapAuth *auth, const char *salt, guint64 iterations)
{
  const gboolean is_sha_1 =
      auth->mechanism == AUTH_SCRAM_SHA_1 || auth->mechanism == AUTH_SCRAM_SHA_1_PLUS;
  const gsize size = is_sha_1 ? 20 : 32;
  gsize length;
  g_autofree guchar *bytes = g_base64_decode (salt, &length);
  char *prepared = scram_prepare (password_text (auth->password));
  guint8 hash[32];
  char hex[2 * sizeof hash + 1];
  gboolean ok = FALSE;

  if (prepared != NULL) {
    const gnutls_datum_t key = {(guchar *)prepared, strlen (prepared)};
    const gnutls_datum_t grain = {bytes, length};

    ok = gnutls_pbkdf2 (is_sha_1 ? GNUTLS_MAC_SHA1 : GNUTLS_MAC_SHA256, &key, &grain, iterations,
                        hash, size) == GNUTLS_E_SUCCESS;
    for (gsize i = 0; ok && i < size; i++)
      g_snprintf (hex + 2 * i, 3, "%02x", hash[i]);
    ok = ok && gsasl_property_set (auth->scram, GSASL_SCRAM_SALTED_PASSWORD, hex) == GSASL_OK;
  }
  secret_wipe (prepared);
  explicit_bzero (hash, sizeof hash);
  explicit_bzero (hex, sizeof hex);
  return ok;
}

static gboolean
scram_take_challenge (ImapAuth *auth, const char *challenge, GError **error)
{
  g_autofree char *salt = NULL;
  guint64 iterations = 0;

  if (!scram_parse (challenge, &salt, &iterations, error))
    return FALSE;
  if (salt == NULL || iterations == 0 || scram_hash (auth, salt, iterations))
    return TRUE;
  return imapsync_fail (error, IMAPSYNC_ERROR_AUTH, "the password cannot be used with %s",
                        auth_mechanism_name (auth->mechanism));
}

static char *
scram_respond (ImapAuth *auth, guint step, const char *challenge, GError **error)
{
  char *answer = NULL;
  char *copy;
  int result;

  if (step == 1 && !scram_take_challenge (auth, challenge, error))
    return NULL;
  result = gsasl_step64 (auth->scram, step == 0 ? NULL : challenge, &answer);
  if (result == GSASL_OK || result == GSASL_NEEDS_MORE) {
    auth->proven = result == GSASL_OK;
    copy = g_strdup (answer != NULL ? answer : "");
    gsasl_free (answer);
    return copy;
  }
  if (step >= 2)
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "the server did not prove that it knows the password (%s)",
                 gsasl_strerror (result));
  else
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL, "%s does not go on: %s",
                 auth_mechanism_name (auth->mechanism), gsasl_strerror (result));
  return NULL;
}

/* --- the others ------------------------------------------------------------------------------ */

static char *
encode (const char *bytes, gsize length)
{
  return g_base64_encode ((const guchar *)bytes, length);
}

static char *
encode_and_wipe (GString *message)
{
  char *text = encode (message->str, message->len);

  secret_wipe_string (message);
  return text;
}

/* Big enough from the start: what grows leaves copies behind. */
static GString *
new_message (const ImapAuth *auth)
{
  return g_string_sized_new (2 * (strlen (auth->username) * 3 +
                                  strlen (password_text (auth->password)) +
                                  (auth->host != NULL ? strlen (auth->host) : 0) + 100));
}

/* RFC 4616: no authorization identity, NUL, user, NUL, password. */
static char *
plain_response (const ImapAuth *auth)
{
  GString *message = new_message (auth);

  g_string_append_c (message, '\0');
  g_string_append (message, auth->username);
  g_string_append_c (message, '\0');
  g_string_append (message, password_text (auth->password));
  return encode_and_wipe (message);
}

/* RFC 7628, section 3.1; the user as in RFC 5801, section 4. */
static char *
oauthbearer_response (const ImapAuth *auth)
{
  GString *message = new_message (auth);

  g_string_append (message, "n,a=");
  for (const char *p = auth->username; *p != '\0'; p++) {
    if (*p == ',' || *p == '=')
      g_string_append_printf (message, "=%02X", *p);
    else
      g_string_append_c (message, *p);
  }
  g_string_append (message, ",\1");
  if (auth->host != NULL)
    g_string_append_printf (message, "host=%s\1port=%u\1", auth->host, auth->port);
  g_string_append (message, "auth=Bearer ");
  g_string_append (message, password_text (auth->password));
  g_string_append (message, "\1\1");
  return encode_and_wipe (message);
}

/* developers.google.com/gmail/imap/xoauth2-protocol */
static char *
xoauth2_response (const ImapAuth *auth)
{
  GString *message = new_message (auth);

  g_string_append (message, "user=");
  g_string_append (message, auth->username);
  g_string_append (message, "\1auth=Bearer ");
  g_string_append (message, password_text (auth->password));
  g_string_append (message, "\1\1");
  return encode_and_wipe (message);
}

/* NULL: nothing left to say. */
static char *
respond (ImapAuth *auth, guint step)
{
  switch (auth->mechanism) {
  case AUTH_PLAIN:
    return step == 0 ? plain_response (auth) : NULL;
  case AUTH_LOGIN:
    /* Not standardized: servers ask "Username:", then "Password:", in words of their own. */
    if (step > 1)
      return NULL;
    return step == 0
               ? encode (auth->username, strlen (auth->username))
               : encode (password_text (auth->password), strlen (password_text (auth->password)));
  case AUTH_EXTERNAL:
    return step == 0 ? encode (auth->username, strlen (auth->username)) : NULL;
  case AUTH_OAUTHBEARER:
    /* A challenge is the error's details, which have to be acknowledged before the NO comes. */
    if (step > 1)
      return NULL;
    return step == 0 ? oauthbearer_response (auth) : encode ("\1", 1);
  case AUTH_XOAUTH2:
    if (step > 1)
      return NULL;
    return step == 0 ? xoauth2_response (auth) : g_strdup ("");
  default:
    g_return_val_if_reached (NULL);
  }
}

/* --- the interface --------------------------------------------------------------------------- */

/* The framing of these mechanisms has no way to say such bytes, so they would say something else.
 */
static gboolean
check_credentials (AuthMechanism mechanism, const AuthCredentials *credentials, GError **error)
{
  const gboolean is_token = auth_mechanism_has_token (mechanism);
  const char *what = NULL;

  if (is_token && strpbrk (credentials->username, "\1\r\n") != NULL)
    what = "user name";
  for (const char *p = credentials->password; is_token && p != NULL && *p != '\0'; p++)
    if (*p <= 0x20 || *p > 0x7e)
      what = "token";
  if (what == NULL)
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_AUTH,
               "the %s holds characters that cannot be used with %s", what,
               auth_mechanism_name (mechanism));
  return FALSE;
}

static void
wipe_answer (gpointer answer)
{
  secret_wipe (answer);
}

ImapAuth *
imap_auth_new (AuthMechanism mechanism, const AuthCredentials *credentials, GError **error)
{
  g_autoptr (ImapAuth) auth = g_new0 (ImapAuth, 1);

  auth->mechanism = mechanism;
  auth->username = g_strdup (credentials->username != NULL ? credentials->username : "");
  auth->password = password_new (credentials->password != NULL ? credentials->password : "");
  auth->host = g_strdup (credentials->host);
  auth->port = credentials->port;
  auth->said = g_ptr_array_new_with_free_func (wipe_answer);
  auth->proven = !mechanisms[mechanism].is_scram;
  if (!check_credentials (mechanism, credentials, error))
    return NULL;
  if (mechanisms[mechanism].is_scram && !scram_start (auth, credentials)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_AUTH, "%s does not work on this machine",
                 auth_mechanism_name (mechanism));
    return NULL;
  }
  return g_steal_pointer (&auth);
}

void
imap_auth_free (ImapAuth *auth)
{
  scram_end (auth);
  g_free (auth->username);
  g_free (auth->host);
  g_ptr_array_unref (auth->said);
  password_unref (auth->password);
  g_free (auth);
}

gboolean
imap_auth_is_client_first (const ImapAuth *auth)
{
  return mechanisms[auth->mechanism].client_first;
}

/* Some cut what they repeat, so the beginning of it is enough. */
static gboolean
begins_in (const char *text, const char *secret)
{
  char beginning[13];
  gboolean found;

  g_strlcpy (beginning, secret, sizeof beginning);
  found = *beginning != '\0' && strstr (text, beginning) != NULL;
  explicit_bzero (beginning, sizeof beginning);
  return found;
}

gboolean
imap_auth_is_repeated (const ImapAuth *auth, const char *text)
{
  gboolean found = begins_in (text, password_text (auth->password));

  for (guint i = 0; i < auth->said->len; i++)
    found = found || begins_in (text, g_ptr_array_index (auth->said, i));
  return found;
}

gboolean
imap_auth_hides_challenges (const ImapAuth *auth)
{
  return mechanisms[auth->mechanism].is_scram;
}

gboolean
imap_auth_is_proven (const ImapAuth *auth)
{
  return auth->proven;
}

char *
imap_auth_respond (ImapAuth *auth, const char *challenge, GError **error)
{
  const guint step = auth->step++;
  char *answer;

  if (challenge != NULL && strlen (challenge) > MAX_CHALLENGE) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "the server asks with more words than %s needs",
                 auth_mechanism_name (auth->mechanism));
    return NULL;
  }
  if (mechanisms[auth->mechanism].is_scram && !(step > 0 && auth->proven))
    return scram_respond (auth, step, challenge != NULL ? challenge : "", error);
  answer = mechanisms[auth->mechanism].is_scram ? NULL : respond (auth, step);
  if (answer == NULL)
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "the server asks for more than %s has to say",
                 auth_mechanism_name (auth->mechanism));
  else if (auth_mechanism_shows_secret (auth->mechanism))
    g_ptr_array_add (auth->said, g_strdup (answer));
  return answer;
}
