/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* The client's side of one SASL exchange (RFC 4422): what to answer to which challenge. Knows
 * neither the session nor where passwords come from. */
typedef struct _ImapAuth ImapAuth;

/* What the mechanisms need to know; all of it is copied, the secrets are wiped. */
typedef struct {
  const char *username;
  const char *password; /* or token */
  const char *host;
  guint16 port;
  const char *binding;        /* base64 of the TLS channel's, NULL: there is none */
  gboolean binding_is_unique; /* it is tls-unique (RFC 5929), else tls-exporter (RFC 9266) */
} AuthCredentials;

/* "PLAIN", "LOGIN": what follows "AUTH=" in the capabilities. */
const char *auth_mechanism_name (AuthMechanism mechanism);

/* Whoever can read the connection learns the password, or the token. */
gboolean auth_mechanism_shows_secret (AuthMechanism mechanism);
gboolean auth_mechanism_needs_password (AuthMechanism mechanism);
gboolean auth_mechanism_needs_binding (AuthMechanism mechanism);
/* What it sends for a password is a token that expires. */
gboolean auth_mechanism_has_token (AuthMechanism mechanism);

/* IMAPSYNC_ERROR_AUTH, as a part of a sentence, for a mechanism or a name that does not work. */
ImapAuth *
imap_auth_new (AuthMechanism mechanism, const AuthCredentials *credentials, GError **error);
void imap_auth_free (ImapAuth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImapAuth, imap_auth_free)

/* The client speaks first, and may do so in the command itself where SASL-IR (RFC 4959) is offered.
 */
gboolean imap_auth_is_client_first (const ImapAuth *auth);

/* The next answer in base64, a secret, to @challenge (base64 too; NULL or "" for none yet).
 * (transfer full): secret_wipe() it. NULL with IMAPSYNC_ERROR_PROTOCOL, a part of a sentence,
 * when the server asks for more than there is to say, or is found to be another one. */
char *imap_auth_respond (ImapAuth *auth, const char *challenge, GError **error);

/* A log must not show @text, a line of the server's: it repeats the password or what was answered.
 */
gboolean imap_auth_is_repeated (const ImapAuth *auth, const char *text);

/* Nor the challenges: with them, passwords could be tried at leisure. */
gboolean imap_auth_hides_challenges (const ImapAuth *auth);

/* Where the mechanism makes the server prove that it knows the password: whether it did. A server
 * that says OK before that is not to be believed. */
gboolean imap_auth_is_proven (const ImapAuth *auth);

G_END_DECLS
