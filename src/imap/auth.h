/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* The client's side of one SASL exchange (RFC 4422): what to answer to which challenge. Knows
 * neither the session nor where passwords come from. */
typedef struct _ImapAuth ImapAuth;

/* "PLAIN", "LOGIN": what follows "AUTH=" in the capabilities. */
const char *auth_mechanism_name (AuthMechanism mechanism);

ImapAuth *imap_auth_new (AuthMechanism mechanism, const char *username, const char *password);
void imap_auth_free (ImapAuth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImapAuth, imap_auth_free)

/* The client speaks first, and may do so in the command itself where SASL-IR (RFC 4959) is offered.
 */
gboolean imap_auth_is_client_first (const ImapAuth *auth);

/* The next answer in base64, a secret; NULL when the mechanism has nothing left to say.
 * (transfer full): imap_auth_wipe() it. */
char *imap_auth_respond (ImapAuth *auth);

void imap_auth_wipe (char *secret);

G_END_DECLS
