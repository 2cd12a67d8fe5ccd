/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/auth.h"

#include <string.h>

struct _ImapAuth {
  AuthMechanism mechanism;
  char *username;
  char *password;
  guint step;
};

const char *
auth_mechanism_name (AuthMechanism mechanism)
{
  switch (mechanism) {
  case AUTH_PLAIN:
    return "PLAIN";
  case AUTH_LOGIN:
    return "LOGIN";
  }
  g_return_val_if_reached ("");
}

ImapAuth *
imap_auth_new (AuthMechanism mechanism, const char *username, const char *password)
{
  ImapAuth *auth = g_new0 (ImapAuth, 1);

  auth->mechanism = mechanism;
  auth->username = g_strdup (username);
  auth->password = g_strdup (password);
  return auth;
}

void
imap_auth_wipe (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
imap_auth_free (ImapAuth *auth)
{
  g_free (auth->username);
  imap_auth_wipe (auth->password);
  g_free (auth);
}

gboolean
imap_auth_is_client_first (const ImapAuth *auth)
{
  return auth->mechanism == AUTH_PLAIN;
}

/* RFC 4616: no authorization identity, NUL, user, NUL, password. */
static char *
plain_response (const ImapAuth *auth)
{
  gsize user_length = strlen (auth->username);
  gsize password_length = strlen (auth->password);
  gsize length = user_length + password_length + 2;
  g_autofree guchar *message = g_malloc (length);
  char *response;

  message[0] = '\0';
  memcpy (message + 1, auth->username, user_length);
  message[user_length + 1] = '\0';
  memcpy (message + user_length + 2, auth->password, password_length);
  response = g_base64_encode (message, length);
  explicit_bzero (message, length);
  return response;
}

char *
imap_auth_respond (ImapAuth *auth)
{
  guint step = auth->step++;

  switch (auth->mechanism) {
  case AUTH_PLAIN:
    return step == 0 ? plain_response (auth) : NULL;
  case AUTH_LOGIN:
    /* Not standardized: servers ask "Username:", then "Password:", in words of their own. */
    if (step > 1)
      return NULL;
    {
      const char *answer = step == 0 ? auth->username : auth->password;

      return g_base64_encode ((const guchar *)answer, strlen (answer));
    }
  }
  g_return_val_if_reached (NULL);
}
