/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/transport.h"

#include "errors.h"
#include "imap/compression.h"
#include "imap/local-store.h"
#include "imap/tls.h"
#include "imap/tunnel.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

struct _Transport {
  guint refs; /* ours and one for each GIO operation under way */
  GMainContext *context;
  const ServerSettings *server; /* not after transport_close() */
  char *name;
  gboolean pipes;
  gboolean closed;

  Tunnel *tunnel;
  GIOStream *base;   /* the socket or the tunnel */
  GIOStream *stream; /* base, or TLS on top of it */
  TlsPolicy *policy;
  Compression *compression; /* on top of stream, or NULL */
  gboolean proxied;
  gboolean handshaking; /* in a thread of GIO's that uses base */

  /* The stage under way. */
  TransportCallback callback;
  gpointer callback_data;
  GCancellable *cancellable;
  GSource *timer;
  const char *stage;
};

Transport *
transport_new (const ServerSettings *server, gboolean pipes)
{
  Transport *transport = g_new0 (Transport, 1);

  transport->refs = 1;
  transport->context = g_main_context_ref_thread_default ();
  transport->server = server;
  transport->name = server_settings_describe (server);
  transport->pipes = pipes;
  return transport;
}

static void
transport_unref (Transport *transport)
{
  if (--transport->refs > 0)
    return;

  g_clear_pointer (&transport->policy, tls_policy_free);
  g_clear_pointer (&transport->compression, compression_free);
  g_clear_object (&transport->stream);
  g_clear_object (&transport->base);
  g_clear_object (&transport->cancellable);
  g_main_context_unref (transport->context);
  g_free (transport->name);
  g_free (transport);
}

/* TLS is not asked to say goodbye: that could block, and IMAP has LOGOUT. */
static void
transport_close_base (Transport *transport)
{
  if (transport->tunnel != NULL)
    g_clear_pointer (&transport->tunnel, tunnel_close);
  else if (transport->base != NULL)
    g_io_stream_close (transport->base, NULL, NULL);
}

static void
transport_clear_timer (Transport *transport)
{
  if (transport->timer != NULL)
    g_source_destroy (transport->timer);
  g_clear_pointer (&transport->timer, g_source_unref);
}

void
transport_close (Transport *transport)
{
  transport->closed = TRUE;
  transport->callback = NULL;
  transport_clear_timer (transport);
  if (transport->cancellable != NULL)
    g_cancellable_cancel (transport->cancellable);
  if (!transport->handshaking)
    transport_close_base (transport);
  transport_unref (transport);
}

static void
transport_begin (Transport *transport, TransportCallback callback, gpointer data)
{
  g_return_if_fail (transport->callback == NULL);

  transport->callback = callback;
  transport->callback_data = data;
}

/* Ends the stage; what arrives for it later finds no callback. */
static void
transport_end (Transport *transport, const GError *error)
{
  TransportCallback callback = g_steal_pointer (&transport->callback);

  transport_clear_timer (transport);
  if (callback != NULL)
    callback (transport, error, transport->callback_data);
}

static gboolean
on_deadline (gpointer data)
{
  Transport *transport = data;
  g_autoptr (GError) error =
      g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_TIMEOUT, "%s: no %s within %u seconds",
                   transport->name, transport->stage, transport->server->timeout);

  g_cancellable_cancel (transport->cancellable);
  transport_end (transport, error);
  return G_SOURCE_REMOVE;
}

static void
transport_set_deadline (Transport *transport, const char *stage)
{
  transport_clear_timer (transport);
  transport->stage = stage;
  g_clear_object (&transport->cancellable);
  transport->cancellable = g_cancellable_new ();
  transport->timer = g_timeout_source_new (MAX (transport->server->timeout, 1) * 1000);
  g_source_set_callback (transport->timer, on_deadline, transport, NULL);
  g_source_attach (transport->timer, transport->context);
}

static gboolean
transport_prepare_tls (Transport *transport, GError **error)
{
  if (transport->policy == NULL)
    transport->policy = tls_policy_new (transport->server, error);
  return transport->policy != NULL;
}

static void
on_handshake (GObject *object, GAsyncResult *result, gpointer data)
{
  Transport *transport = data;
  GTlsConnection *connection = G_TLS_CONNECTION (object);
  g_autoptr (GError) local = NULL;
  g_autoptr (GError) error = NULL;

  transport->handshaking = FALSE;
  if (transport->closed)
    transport_close_base (transport);
  if (transport->callback == NULL) {
    transport_unref (transport);
    return;
  }

  if (!g_tls_connection_handshake_finish (connection, result, &local))
    error = tls_policy_handshake_error (transport->policy, connection, local);
  else if (tls_policy_check (transport->policy, connection, &error))
    g_set_object (&transport->stream, G_IO_STREAM (connection));
  transport_end (transport, error);
  transport_unref (transport);
}

static void
transport_handshake (Transport *transport)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsConnection) connection =
      tls_policy_wrap (transport->policy, transport->base, &error);

  if (connection == NULL) {
    transport_end (transport, error);
    return;
  }
  transport_set_deadline (transport, "TLS handshake");
  transport->handshaking = TRUE;
  transport->refs++;
  g_main_context_push_thread_default (transport->context);
  g_tls_connection_handshake_async (connection, G_PRIORITY_DEFAULT, transport->cancellable,
                                    on_handshake, transport);
  g_main_context_pop_thread_default (transport->context);
}

static void
set_socket_options (const Transport *transport, GSocket *socket)
{
  guint seconds = MAX (transport->server->timeout, 4);

  g_socket_set_keepalive (socket, TRUE);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPINTVL, seconds / 4, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPCNT, 4, NULL);
  /* Twice the time, as a server may stop taking bytes because we paused reading its own. */
  g_socket_set_option (socket, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 2000, NULL);
}

static guint16
transport_port (const Transport *transport)
{
  if (transport->server->port != 0)
    return transport->server->port;
  return transport->server->type == SERVER_IMAPS ? 993 : 143;
}

static GError *
connect_error (const Transport *transport, const GError *error)
{
  ImapsyncError code = IMAPSYNC_ERROR_REFUSED;

  if (error->domain == G_RESOLVER_ERROR ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND))
    code = IMAPSYNC_ERROR_DNS;
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    code = IMAPSYNC_ERROR_TIMEOUT;
  return g_error_new (IMAPSYNC_ERROR, code, "%s: %s (port %u)", transport->name, error->message,
                      transport_port (transport));
}

static void
on_connected (GObject *client, GAsyncResult *result, gpointer data)
{
  Transport *transport = data;
  g_autoptr (GError) local = NULL;
  g_autoptr (GSocketConnection) connection =
      g_socket_client_connect_finish (G_SOCKET_CLIENT (client), result, &local);

  g_signal_handlers_disconnect_by_data (client, transport);
  if (transport->callback == NULL) {
    transport_unref (transport);
    return;
  }

  if (connection == NULL) {
    g_autoptr (GError) error = connect_error (transport, local);

    transport_end (transport, error);
  } else {
    set_socket_options (transport, g_socket_connection_get_socket (connection));
    g_set_object (&transport->base, G_IO_STREAM (connection));
    g_set_object (&transport->stream, G_IO_STREAM (connection));
    if (transport->server->type == SERVER_IMAPS)
      transport_handshake (transport);
    else
      transport_end (transport, NULL);
  }
  transport_unref (transport);
}

static void
on_client_event (GSocketClient *client, GSocketClientEvent event, GSocketConnectable *connectable,
                 GIOStream *connection, gpointer data)
{
  if (event == G_SOCKET_CLIENT_PROXY_NEGOTIATING)
    ((Transport *)data)->proxied = TRUE;
}

static void
transport_set_proxy (Transport *transport, GSocketClient *client)
{
  const ServerSettings *server = transport->server;
  g_autoptr (GProxyResolver) resolver = NULL;

  if (server->proxy == NULL) {
    /* A desktop's proxy is for the world outside. */
    g_socket_client_set_enable_proxy (client, !server_settings_is_loopback (server));
    return;
  }
  resolver = g_simple_proxy_resolver_new (server->proxy, NULL);
  g_socket_client_set_proxy_resolver (client, resolver);
}

static void
transport_connect_socket (Transport *transport)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnectable) address =
      g_network_address_new (transport->server->host, transport_port (transport));

  transport_set_proxy (transport, client);
  g_signal_connect (client, "event", G_CALLBACK (on_client_event), transport);
  transport_set_deadline (transport, "connection");
  transport->refs++;
  g_main_context_push_thread_default (transport->context);
  g_socket_client_connect_async (client, address, transport->cancellable, on_connected, transport);
  g_main_context_pop_thread_default (transport->context);
}

static gboolean
transport_start_tunnel (Transport *transport, GError **error)
{
  g_autofree char *command = transport->server->type == SERVER_STORE
                                 ? local_store_prepare (transport->server, error)
                                 : g_strdup (transport->server->command);

  if (command == NULL)
    return FALSE;
  g_main_context_push_thread_default (transport->context);
  transport->tunnel = tunnel_start (command, transport->pipes, error);
  g_main_context_pop_thread_default (transport->context);
  if (transport->tunnel == NULL)
    return FALSE;

  transport->base = g_object_ref (tunnel_stream (transport->tunnel));
  transport->stream = g_object_ref (transport->base);
  return TRUE;
}

void
transport_connect (Transport *transport, TransportCallback callback, gpointer data)
{
  const ServerSettings *server = transport->server;
  g_autoptr (GError) error = NULL;

  transport_begin (transport, callback, data);
  if (!server_type_is_network (server->type)) {
    transport_start_tunnel (transport, &error);
    transport_end (transport, error);
    return;
  }
  /* What TLS will need is known to be there before a packet is sent. */
  if ((server->type == SERVER_IMAPS || server->starttls) &&
      !transport_prepare_tls (transport, &error))
    transport_end (transport, error);
  else
    transport_connect_socket (transport);
}

void
transport_starttls (Transport *transport, TransportCallback callback, gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_return_if_fail (transport->tunnel == NULL && transport->stream == transport->base);

  transport_begin (transport, callback, data);
  if (transport_prepare_tls (transport, &error))
    transport_handshake (transport);
  else
    transport_end (transport, error);
}

gboolean
transport_is_encrypted (const Transport *transport)
{
  return G_IS_TLS_CONNECTION (transport->stream);
}

GTlsConnection *
transport_tls (const Transport *transport)
{
  return transport_is_encrypted (transport) ? G_TLS_CONNECTION (transport->stream) : NULL;
}

gboolean
transport_is_private (Transport *transport)
{
  g_autoptr (GSocketAddress) address = NULL;

  if (transport_is_encrypted (transport) || transport->tunnel != NULL)
    return TRUE;
  if (transport->proxied || !G_IS_SOCKET_CONNECTION (transport->base))
    return FALSE;
  address = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (transport->base), NULL);
  return G_IS_INET_SOCKET_ADDRESS (address) &&
         g_inet_address_get_is_loopback (
             g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

char *
transport_binding (Transport *transport, gboolean *is_unique)
{
  if (!transport_is_encrypted (transport))
    return NULL;
  return tls_binding (G_TLS_CONNECTION (transport->stream), is_unique);
}

void
transport_compress (Transport *transport, const void *received, gsize length)
{
  g_return_if_fail (transport->compression == NULL);
  transport->compression = compression_new (transport->stream, received, length);
}

gboolean
transport_is_compressed (const Transport *transport)
{
  return transport->compression != NULL;
}

static void
set_broken (const Transport *transport, const GError *error, GError **out)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    g_propagate_error (out, g_error_copy (error));
  else if (transport->compression != NULL &&
           g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA))
    g_set_error (out, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                 "%s: what the server sends is not compressed as it should be", transport->name);
  else
    g_set_error (out, IMAPSYNC_ERROR,
                 g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ? IMAPSYNC_ERROR_TIMEOUT
                                                                           : IMAPSYNC_ERROR_REFUSED,
                 "%s: the connection broke: %s", transport->name, error->message);
}

gssize
transport_read (Transport *transport, void *buffer, gsize length, GError **error)
{
  GPollableInputStream *input =
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (transport->stream));
  g_autoptr (GError) local = NULL;
  gssize n = transport->compression != NULL
                 ? compression_read (transport->compression, buffer, length, &local)
                 : g_pollable_input_stream_read_nonblocking (input, buffer, length, NULL, &local);

  if (n >= 0)
    return n;
  /* Many servers leave TLS without close_notify; what IMAP was owed is the session's to judge. */
  if (g_error_matches (local, G_TLS_ERROR, G_TLS_ERROR_EOF))
    return 0;
  set_broken (transport, local, error);
  return -1;
}

gssize
transport_write (Transport *transport, const void *bytes, gsize length, GError **error)
{
  GPollableOutputStream *output =
      G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (transport->stream));
  g_autoptr (GError) local = NULL;
  gssize n = transport->compression != NULL
                 ? compression_write (transport->compression, bytes, length, &local)
                 : g_pollable_output_stream_write_nonblocking (output, bytes, length, NULL, &local);

  if (n < 0)
    set_broken (transport, local, error);
  return n;
}

GSource *
transport_read_source (Transport *transport)
{
  if (transport->compression != NULL)
    return compression_read_source (transport->compression);
  return g_pollable_input_stream_create_source (
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (transport->stream)), NULL);
}

GSource *
transport_write_source (Transport *transport)
{
  return g_pollable_output_stream_create_source (
      G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (transport->stream)), NULL);
}

gsize
transport_unconfirmed (Transport *transport)
{
  int n = 0;

  if (!G_IS_SOCKET_CONNECTION (transport->base) ||
      ioctl (
          g_socket_get_fd (g_socket_connection_get_socket (G_SOCKET_CONNECTION (transport->base))),
          SIOCOUTQ, &n) < 0)
    return 0;
  return MAX (n, 0);
}

static void
on_tunnel_ended (gpointer data)
{
  Transport *transport = data;
  g_autofree char *end = tunnel_describe_end (transport->tunnel);
  g_autoptr (GError) error =
      g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED, "%s: it %s", transport->name, end);

  transport_end (transport, error);
}

void
transport_explain_end (Transport *transport, TransportCallback callback, gpointer data)
{
  transport_begin (transport, callback, data);
  if (transport->tunnel != NULL) {
    tunnel_await_end (transport->tunnel, on_tunnel_ended, transport);
  } else {
    g_autoptr (GError) error = g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                                            "%s: the server ended the connection", transport->name);

    transport_end (transport, error);
  }
}

char *
transport_last_words (Transport *transport)
{
  return transport->tunnel != NULL ? tunnel_last_words (transport->tunnel) : NULL;
}

gboolean
transport_may_use_pipes (const Transport *transport)
{
  return transport->tunnel != NULL && !transport->pipes && !tunnel_not_found (transport->tunnel);
}
