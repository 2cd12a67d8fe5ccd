/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "autoconfig.h"

#include <gio/gio.h>
#include <string.h>

#define PATIENCE   5 /* seconds */
#define MAX_ANSWER (256 * 1024)

void
autoconfig_free (Autoconfig *found)
{
  if (found == NULL)
    return;
  g_free (found->host);
  g_free (found->username);
  g_free (found);
}

/* --- the file -------------------------------------------------------------------------------- */

typedef struct {
  const char *address;
  Autoconfig *found; /* complete */
  Autoconfig *open;  /* within an incomingServer of type imap */
  gboolean encrypted;
  GString *text;
} Reader;

static void
on_start (GMarkupParseContext *context, const char *element, const char **names,
          const char **values, gpointer data, GError **error)
{
  Reader *reader = data;

  g_string_truncate (reader->text, 0);
  if (!g_str_equal (element, "incomingServer") || reader->found != NULL)
    return;
  for (; *names != NULL; names++, values++) {
    if (g_str_equal (*names, "type") && g_str_equal (*values, "imap")) {
      reader->open = g_new0 (Autoconfig, 1);
      reader->encrypted = FALSE;
    }
  }
}

static char *
fill_in (const char *text, const char *address)
{
  const char *at = strrchr (address, '@');
  g_autofree char *local = g_strndup (address, at - address);
  GString *filled = g_string_new (text);

  g_string_replace (filled, "%EMAILADDRESS%", address, 0);
  g_string_replace (filled, "%EMAILLOCALPART%", local, 0);
  g_string_replace (filled, "%EMAILDOMAIN%", at + 1, 0);
  return g_string_free (filled, FALSE);
}

static void
take_value (Reader *reader, const char *element)
{
  Autoconfig *open = reader->open;
  const char *value = g_strstrip (reader->text->str);

  if (g_str_equal (element, "hostname") && open->host == NULL) {
    open->host = fill_in (value, reader->address);
  } else if (g_str_equal (element, "port")) {
    open->port = (guint)g_ascii_strtoull (value, NULL, 10);
  } else if (g_str_equal (element, "socketType")) {
    open->starttls = g_str_equal (value, "STARTTLS");
    reader->encrypted = open->starttls || g_str_equal (value, "SSL");
  } else if (g_str_equal (element, "username") && open->username == NULL) {
    open->username = fill_in (value, reader->address);
  }
}

static void
on_end (GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
  Reader *reader = data;

  if (reader->open == NULL)
    return;
  take_value (reader, element);
  g_string_truncate (reader->text, 0);
  if (!g_str_equal (element, "incomingServer"))
    return;
  if (reader->encrypted && reader->open->host != NULL && *reader->open->host != '\0' &&
      reader->open->port > 0 && reader->open->port <= G_MAXUINT16)
    reader->found = g_steal_pointer (&reader->open);
  g_clear_pointer (&reader->open, autoconfig_free);
}

static void
on_text (GMarkupParseContext *context, const char *text, gsize length, gpointer data,
         GError **error)
{
  g_string_append_len (((Reader *)data)->text, text, (gssize)length);
}

Autoconfig *
autoconfig_parse (const char *address, const char *text, gsize length)
{
  static const GMarkupParser parser = {
      .start_element = on_start, .end_element = on_end, .text = on_text};
  Reader reader = {.address = address, .text = g_string_new (NULL)};
  g_autoptr (GMarkupParseContext) context = NULL;
  g_autoptr (GError) error = NULL;

  if (strrchr (address, '@') != NULL) {
    context = g_markup_parse_context_new (&parser, 0, &reader, NULL);
    if (!g_markup_parse_context_parse (context, text, (gssize)length, &error) ||
        !g_markup_parse_context_end_parse (context, &error))
      g_debug ("autoconfig: %s", error->message);
  }
  g_clear_pointer (&reader.open, autoconfig_free);
  g_string_free (reader.text, TRUE);
  return reader.found;
}

/* --- getting it ------------------------------------------------------------------------------ */

/* HTTP/1.0 spares us chunks. (transfer full) */
static GByteArray *
get (const char *url, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, error);
  gboolean tls = uri != NULL && g_str_equal (g_uri_get_scheme (uri), "https");
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  g_autofree char *request = NULL;
  guint8 buffer[4096];
  gssize n = 0;

  if (uri == NULL)
    return NULL;
  g_socket_client_set_timeout (client, PATIENCE);
  g_socket_client_set_tls (client, tls);
  connection = g_socket_client_connect_to_uri (client, url, tls ? 443 : 80, NULL, error);
  if (connection == NULL)
    return NULL;
  request = g_strdup_printf (
      "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: " PACKAGE_NAME "\r\nAccept: */*\r\n\r\n",
      *g_uri_get_path (uri) != '\0' ? g_uri_get_path (uri) : "/", g_uri_get_host (uri));
  if (!g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), request,
                                  strlen (request), NULL, NULL, error))
    return NULL;
  while (answer->len < MAX_ANSWER &&
         (n = g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (connection)), buffer,
                                   sizeof buffer, NULL, error)) > 0)
    g_byte_array_append (answer, buffer, (guint)n);
  return n < 0 ? NULL : g_steal_pointer (&answer);
}

static Autoconfig *
ask (const char *address, const char *url)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) answer = get (url, &error);
  const char *body;

  if (answer == NULL) {
    g_debug ("autoconfig: %s: %s", url, error->message);
    return NULL;
  }
  g_byte_array_append (answer, (const guint8 *)"", 1);
  body = strstr ((const char *)answer->data, "\r\n\r\n");
  if (body == NULL || !g_str_has_prefix ((const char *)answer->data, "HTTP/1.") ||
      strncmp ((const char *)answer->data + strlen ("HTTP/1.x"), " 200", 4) != 0)
    return NULL;
  return autoconfig_parse (address, body + 4, strlen (body + 4));
}

Autoconfig *
autoconfig_find (const char *address, const char *url)
{
  static const char *const places[] = {"https://autoconfig.%s/mail/config-v1.1.xml",
                                       "https://%s/.well-known/autoconfig/mail/config-v1.1.xml"};
  const char *at = strrchr (address, '@');
  Autoconfig *found = NULL;

  if (at == NULL || url != NULL)
    return url != NULL ? ask (address, url) : NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (places) && found == NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (places[i], "%s", 2);
    g_autofree char *place = g_strconcat (parts[0], at + 1, parts[1], NULL);

    found = ask (address, place);
  }
  return found;
}
