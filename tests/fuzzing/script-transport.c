/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "script-transport.h"

#include "errors.h"
#include "listener.h"

#include <string.h>

#define FEW 7

/* The only one there is. */
struct _Transport {
  const ServerSettings *server;
  GMainContext *context;
  gboolean encrypted;
  GSource *pending;
  TransportCallback callback;
  gpointer data;
  GError *error; /* for it */
};

static struct {
  const uint8_t *at, *end;
  ScriptOptions options;
  GByteArray *incoming; /* said, and not read */
  gboolean ended;
  guint writes;
} script;

void
script_begin (const uint8_t *bytes, size_t length, const ScriptOptions *options)
{
  script.at = bytes;
  script.end = bytes + length;
  script.options = *options;
  script.incoming = g_byte_array_new ();
  script.ended = FALSE;
  script.writes = 0;
}

void
script_end (void)
{
  g_byte_array_unref (script.incoming);
}

gboolean
script_next_turn (void)
{
  g_autofree char *tag = g_strdup_printf ("a%u", listener_last_tag ());

  if (script.at >= script.end) {
    gboolean had_ended = script.ended;

    script.ended = TRUE;
    return !had_ended;
  }
  while (script.at < script.end && *script.at != 0x1e) {
    if (*script.at == 0x1d)
      g_byte_array_append (script.incoming, (const guint8 *)tag, strlen (tag));
    else
      g_byte_array_append (script.incoming, script.at, 1);
    script.at++;
  }
  script.at += script.at < script.end ? 1 : 0;
  return TRUE;
}

/* --- the transport --------------------------------------------------------------------------- */

Transport *
transport_new (const ServerSettings *server, gboolean pipes)
{
  Transport *transport = g_new0 (Transport, 1);

  transport->server = server;
  transport->context = g_main_context_ref_thread_default ();
  transport->encrypted = server->type == SERVER_IMAPS;
  return transport;
}

static void
forget_pending (Transport *transport)
{
  if (transport->pending != NULL)
    g_source_destroy (transport->pending);
  g_clear_pointer (&transport->pending, g_source_unref);
}

void
transport_close (Transport *transport)
{
  forget_pending (transport);
  g_clear_error (&transport->error);
  g_main_context_unref (transport->context);
  g_free (transport);
}

static gboolean
on_pending (gpointer data)
{
  Transport *transport = data;
  g_autoptr (GError) error = g_steal_pointer (&transport->error);

  forget_pending (transport);
  transport->callback (transport, error, transport->data);
  return G_SOURCE_REMOVE;
}

static void
call_later (Transport *transport, TransportCallback callback, gpointer data)
{
  g_assert_null (transport->pending);
  transport->callback = callback;
  transport->data = data;
  transport->pending = g_idle_source_new ();
  g_source_set_callback (transport->pending, on_pending, transport, NULL);
  g_source_attach (transport->pending, transport->context);
}

void
transport_connect (Transport *transport, TransportCallback callback, gpointer data)
{
  call_later (transport, callback, data);
}

void
transport_starttls (Transport *transport, TransportCallback callback, gpointer data)
{
  g_assert_false (transport->encrypted);
  /* What came in the clear and was not read is no handshake. */
  if (script.incoming->len > 0)
    transport->error = g_error_new_literal (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE, "no TLS");
  else
    listener_set_mode (LISTENER_PRIVATE);
  transport->encrypted = transport->error == NULL;
  call_later (transport, callback, data);
}

gboolean
transport_is_encrypted (const Transport *transport)
{
  return transport->encrypted;
}

GTlsConnection *
transport_tls (const Transport *transport)
{
  return NULL;
}

gboolean
transport_is_private (Transport *transport)
{
  return transport->encrypted || transport->server->type == SERVER_TUNNEL;
}

char *
transport_binding (Transport *transport, gboolean *is_unique)
{
  return NULL;
}

void
transport_compress (Transport *transport, const void *received, gsize length)
{
  g_byte_array_prepend (script.incoming, received, length);
}

gboolean
transport_is_compressed (const Transport *transport)
{
  return FALSE;
}

gssize
transport_read (Transport *transport, void *buffer, gsize length, GError **error)
{
  gsize n = MIN (script.incoming->len, length);

  if (script.options.dribble)
    n = MIN (n, FEW);
  if (n == 0 && !script.ended) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "nothing yet");
    return -1;
  }
  if (n > 0) {
    memcpy (buffer, script.incoming->data, n);
    g_byte_array_remove_range (script.incoming, 0, n);
  }
  return (gssize)n;
}

gssize
transport_write (Transport *transport, const void *bytes, gsize length, GError **error)
{
  if (script.options.slow && script.writes++ % 2 == 0) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "not now");
    return -1;
  }
  if (script.options.slow)
    length = MIN (length, FEW);
  listener_feed (bytes, length);
  return (gssize)length;
}

static gboolean
is_readable (GSource *source)
{
  return script.incoming->len > 0 || script.ended;
}

static gboolean
prepare_read (GSource *source, int *timeout)
{
  *timeout = -1;
  return is_readable (source);
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  return ((GPollableSourceFunc)(void (*) (void))callback) (NULL, data);
}

static gboolean
is_writable (GSource *source)
{
  return TRUE;
}

static gboolean
prepare_write (GSource *source, int *timeout)
{
  *timeout = 0;
  return TRUE;
}

GSource *
transport_read_source (Transport *transport)
{
  static GSourceFuncs funcs = {.prepare = prepare_read, .check = is_readable, .dispatch = dispatch};

  return g_source_new (&funcs, sizeof (GSource));
}

GSource *
transport_write_source (Transport *transport)
{
  static GSourceFuncs funcs = {
      .prepare = prepare_write, .check = is_writable, .dispatch = dispatch};

  return g_source_new (&funcs, sizeof (GSource));
}

gsize
transport_unconfirmed (Transport *transport)
{
  return 0;
}

void
transport_explain_end (Transport *transport, TransportCallback callback, gpointer data)
{
  transport->error =
      g_error_new_literal (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED, "the script has ended");
  call_later (transport, callback, data);
}

char *
transport_last_words (Transport *transport)
{
  return NULL;
}

gboolean
transport_may_use_pipes (const Transport *transport)
{
  return FALSE;
}
