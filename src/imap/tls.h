/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* What a server's TLS has to satisfy before a byte of ours goes to it: CA and name, pins, protocol
 * version and cipher suites, as its settings say. */
typedef struct _TlsPolicy TlsPolicy;

/* Reads the CA folder, if one is set. IMAPSYNC_ERROR_CONFIG for a folder without certificates,
 * IMAPSYNC_ERROR_CERTIFICATE when GLib has no TLS. @server must outlive the policy. */
TlsPolicy *tls_policy_new (const ServerSettings *server, GError **error);
void tls_policy_free (TlsPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TlsPolicy, tls_policy_free)

/* A client connection on top of @base, before its handshake. (transfer full) */
GTlsConnection *tls_policy_wrap (TlsPolicy *policy, GIOStream *base, GError **error);

/* Puts what GIO says about a failed handshake into our words. (transfer full) */
GError *
tls_policy_handshake_error (TlsPolicy *policy, GTlsConnection *connection, const GError *error);

/* After a handshake that went well: protocol version, pins, cipher list.
 * IMAPSYNC_ERROR_CERTIFICATE. */
gboolean tls_policy_check (TlsPolicy *policy, GTlsConnection *connection, GError **error);

/* What binds a login to this very connection, in base64: tls-unique with TLS 1.2 (RFC 5929), else
 * tls-exporter (RFC 9266). NULL where GIO has none. (transfer full) */
char *tls_binding (GTlsConnection *connection, gboolean *is_unique);

/* What none of @servers may use, a version or a suite, is offered to none of them. GIO knows this
 * only for the whole process: to be called before the first TLS connection and the first thread.
 * What the user put into G_TLS_GNUTLS_PRIORITY stays. */
void tls_offer_only (const ServerSettings *const *servers, gsize n);

G_END_DECLS
