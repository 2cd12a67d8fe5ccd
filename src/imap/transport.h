/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* Where the bytes go: a TCP connection, with or without TLS, or a tunnel. Lives on the
 * thread-default GMainContext. Every error is of the domain IMAPSYNC_ERROR, names the server and
 * stands alone. */
typedef struct _Transport Transport;

/* @error is NULL when all is well. May come from inside the function that took it. */
typedef void (*TransportCallback) (Transport *transport, const GError *error, gpointer data);

/* @server must outlive the transport. @pipes: see tunnel_start(). */
Transport *transport_new (const ServerSettings *server, gboolean pipes);

/* Closes at once, without blocking, and gives @transport back: no callback comes any more. */
void transport_close (Transport *transport);

/* Connects, with TLS where the type is SERVER_IMAPS. Name resolution and connecting have
 * @server->timeout seconds, the handshake has as many again. */
void transport_connect (Transport *transport, TransportCallback callback, gpointer data);

/* Upgrades to TLS; no source of the transport may be attached meanwhile. */
void transport_starttls (Transport *transport, TransportCallback callback, gpointer data);

gboolean transport_is_encrypted (const Transport *transport);

/* NULL where there is no TLS (yet). */
GTlsConnection *transport_tls (const Transport *transport);

/* Nobody else can read along: TLS, a tunnel, or this very machine. */
gboolean transport_is_private (Transport *transport);

/* See tls_binding(). (transfer full) */
char *transport_binding (Transport *transport, gboolean *is_unique);

/* From now on both directions are compressed (RFC 4978); @received: what came already. No source
 * of the transport may be attached. */
void transport_compress (Transport *transport, const void *received, gsize length);
gboolean transport_is_compressed (const Transport *transport);

/* Non-blocking. Bytes read or written; 0 at the end of the file (not for writing); -1 with
 * G_IO_ERROR_WOULD_BLOCK, or any of ours. */
gssize transport_read (Transport *transport, void *buffer, gsize length, GError **error);
gssize transport_write (Transport *transport, const void *bytes, gsize length, GError **error);

/* Ready when reading or writing may go on; not attached. */
GSource *transport_read_source (Transport *transport);
GSource *transport_write_source (Transport *transport);

/* Bytes that the kernel has taken and the peer has not confirmed; 0 where that is not known. */
gsize transport_unconfirmed (Transport *transport);

/* The other side ended the connection: tells why, as an error. For a tunnel that takes until the
 * command's exit status is known, a second at most. */
void transport_explain_end (Transport *transport, TransportCallback callback, gpointer data);

/* What a tunnel that is silent said last on its standard error. (transfer full); NULL: nothing, or
 * there is none. */
char *transport_last_words (Transport *transport);

/* After transport_explain_end(): a tunnel that may fare better over pipes. */
gboolean transport_may_use_pipes (const Transport *transport);

G_END_DECLS
