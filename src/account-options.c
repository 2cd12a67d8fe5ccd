/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-options.h"
#include "cipher-list.h"

#include <gio/gio.h>
#include <string.h>

static const char *const type_names[] = {
    [SERVER_IMAP] = "imap",
    [SERVER_IMAPS] = "imaps",
    [SERVER_TUNNEL] = "tunnel",
    [SERVER_STORE] = "store",
};

static const char *const format_names[] = {
    [STORE_FORMAT_MAILDIR] = "maildir",
    [STORE_FORMAT_SDBOX] = "sdbox",
};

static const char *const mechanism_names[] = {
    [AUTH_PLAIN] = "PLAIN",
    [AUTH_LOGIN] = "LOGIN",
    [AUTH_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [AUTH_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
    [AUTH_SCRAM_SHA_1] = "SCRAM-SHA-1",
    [AUTH_EXTERNAL] = "EXTERNAL",
    [AUTH_OAUTHBEARER] = "OAUTHBEARER",
    [AUTH_XOAUTH2] = "XOAUTH2",
};

static const char *const version_names[] = {
    [TLS_VERSION_1_2] = "TLSv1.2",
    [TLS_VERSION_1_3] = "TLSv1.3",
};

static const char *const digest_names[] = {
    [G_CHECKSUM_MD5] = "md5",       [G_CHECKSUM_SHA1] = "sha1",     [G_CHECKSUM_SHA256] = "sha256",
    [G_CHECKSUM_SHA512] = "sha512", [G_CHECKSUM_SHA384] = "sha384",
};

/* The index of @value among @names, without regard to case; else an error that names them all. */
static gboolean
parse_name (const ConfigFile *file, const ConfigEntry *entry, const char *what, const char *value,
            const char *const *names, gsize n, guint *index, GError **error)
{
  g_autoptr (GString) valid = g_string_new (NULL);
  g_autofree char *quoted = config_quote (value);

  for (gsize i = 0; i < n; i++) {
    if (g_ascii_strcasecmp (value, names[i]) == 0) {
      *index = i;
      return TRUE;
    }
    g_string_append_printf (valid, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", names[i]);
  }
  return config_file_error (file, entry->line, error,
                            "%s has to be %s, not %s; did you mean \"%s\"?", what, valid->str,
                            quoted, config_nearest (value, names, n));
}

static gboolean
parse_boolean (const ConfigFile *file, const ConfigEntry *entry, gboolean *result, GError **error)
{
  static const char *const names[] = {"YES", "NO"};
  /* As other programs call them: by distance alone "on" would be taken for NO. */
  static const char *const others[][2] = {{"true", "false"}, {"on", "off"}, {"1", "0"}};
  const char *value = entry->value;
  guint index;

  for (guint i = 0; i < G_N_ELEMENTS (others); i++) {
    for (guint j = 0; j < G_N_ELEMENTS (names); j++) {
      if (g_ascii_strcasecmp (value, others[i][j]) == 0)
        return config_file_error (file, entry->line, error,
                                  "%s has to be YES or NO, not \"%s\"; did you mean \"%s\"?",
                                  entry->name, value, names[j]);
    }
  }
  if (!parse_name (file, entry, entry->name, value, names, G_N_ELEMENTS (names), &index, error))
    return FALSE;
  *result = index == 0;
  return TRUE;
}

static gboolean
parse_number (const ConfigFile *file, const ConfigEntry *entry, guint smallest, guint largest,
              guint *result, GError **error)
{
  g_autofree char *quoted = config_quote (entry->value);
  guint64 number;

  if (!g_ascii_string_to_unsigned (entry->value, 10, smallest, largest, &number, NULL))
    return config_file_error (file, entry->line, error,
                              "%s has to be a number from %u to %u, not %s", entry->name, smallest,
                              largest, quoted);
  *result = number;
  return TRUE;
}

static void
take_string (char **place, char *value)
{
  g_free (*place);
  *place = value;
}

static gboolean
parse_type (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
            GError **error)
{
  guint index;

  if (!parse_name (file, entry, entry->name, entry->value, type_names, G_N_ELEMENTS (type_names),
                   &index, error))
    return FALSE;
  server->type = index;
  return TRUE;
}

/* NULL for what can be looked up or connected to; else what is wrong with it. The name also becomes
 * that of a file: the database. */
static const char *
host_fault (const char *host)
{
  if (strlen (host) > 253)
    return "is too long for a host's name";
  if (strstr (host, "://") != NULL)
    return "is an address of the web, not a host's name";
  for (const char *p = host; *p != '\0'; p++) {
    if (g_ascii_isspace (*p) || (g_ascii_ispunct (*p) && strchr (".-_:%", *p) == NULL))
      return "is no host's name";
  }
  if (strchr (host, ':') != NULL) {
    g_auto (GStrv) parts = g_strsplit (host, "%", 2); /* fe80::1%eth0 */
    g_autoptr (GInetAddress) address = g_inet_address_new_from_string (parts[0]);
    return address != NULL ? NULL : "is no IPv6 address; a port has an option of its own";
  }
  if (!g_str_is_ascii (host)) {
    g_autofree char *ascii = g_hostname_to_ascii (host);
    return ascii != NULL ? NULL : "is no host's name";
  }
  return NULL;
}

static gboolean
parse_host_name (const ConfigFile *file, const ConfigEntry *entry, char **name, GError **error)
{
  gsize length = strlen (entry->value);
  gboolean brackets = length > 2 && entry->value[0] == '[' && entry->value[length - 1] == ']';
  g_autofree char *host =
      brackets ? g_strndup (entry->value + 1, length - 2) : g_strdup (entry->value);
  g_autofree char *quoted = config_quote (entry->value);
  const char *fault = host_fault (host);

  if (fault != NULL)
    return config_file_error (file, entry->line, error, "%s: %s %s", entry->name, quoted, fault);
  take_string (name, g_steal_pointer (&host));
  return TRUE;
}

static gboolean
parse_host (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
            GError **error)
{
  return parse_host_name (file, entry, &server->host, error);
}

static gboolean
parse_tls_host (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                GError **error)
{
  return parse_host_name (file, entry, &server->tls_host, error);
}

static gboolean
parse_port (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
            GError **error)
{
  guint port;

  if (!parse_number (file, entry, 1, G_MAXUINT16, &port, error))
    return FALSE;
  server->port = port;
  return TRUE;
}

static gboolean
parse_command (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
               GError **error)
{
  take_string (&server->command, g_strdup (entry->value));
  return TRUE;
}

static gboolean
parse_starttls (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                GError **error)
{
  return parse_boolean (file, entry, &server->starttls, error);
}

static gboolean
parse_auth (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
            GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (entry->value, " \t", -1);
  g_autoptr (GArray) auth = g_array_new (FALSE, FALSE, sizeof (AuthMechanism));

  for (char **word = words; *word != NULL; word++) {
    guint index;

    if (**word == '\0')
      continue;
    if (!parse_name (file, entry, "a mechanism of auth", *word, mechanism_names,
                     G_N_ELEMENTS (mechanism_names), &index, error))
      return FALSE;
    for (guint i = 0; i < auth->len; i++) {
      if (g_array_index (auth, AuthMechanism, i) == index)
        return config_file_error (file, entry->line, error, "%s names %s twice", entry->name,
                                  mechanism_names[index]);
    }
    g_array_append_val (auth, (AuthMechanism){index});
  }
  g_array_unref (server->auth);
  server->auth = g_steal_pointer (&auth);
  server->auth_chosen = TRUE;
  return TRUE;
}

static gboolean
parse_username (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                GError **error)
{
  take_string (&server->username, g_strdup (entry->value));
  return TRUE;
}

static gboolean
parse_password (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                GError **error)
{
  password_unref (server->password);
  server->password = password_new (entry->value);
  return TRUE;
}

static gboolean
parse_password_command (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                        GError **error)
{
  take_string (&server->password_command, g_strdup (entry->value));
  return TRUE;
}

static gboolean
parse_cipher_list (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                   GError **error)
{
  g_autoptr (GError) reason = NULL;

  if (!imap_cipher_list_check (entry->value, &reason))
    return config_file_error (file, entry->line, error, "%s: %s", entry->name, reason->message);
  take_string (&server->cipher_list, g_strdup (entry->value));
  return TRUE;
}

/* Hexadecimal digits, with or without a colon between the bytes ("openssl x509 -fingerprint" prints
 * them). NULL for anything else. */
static GByteArray *
parse_hex (const char *text)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gboolean colons = strchr (text, ':') != NULL;

  while (*text != '\0') {
    guint8 byte;

    if (bytes->len > 0 && colons && *text++ != ':')
      return NULL;
    if (!g_ascii_isxdigit (text[0]) || !g_ascii_isxdigit (text[1]))
      return NULL;
    byte = g_ascii_xdigit_value (text[0]) << 4 | g_ascii_xdigit_value (text[1]);
    g_byte_array_append (bytes, &byte, 1);
    text += 2;
  }
  return g_steal_pointer (&bytes);
}

static gboolean
parse_fingerprint (const ConfigFile *file, const ConfigEntry *entry, const char *word,
                   ServerSettings *server, GError **error)
{
  const gboolean of_key = g_ascii_strncasecmp (word, "spki-", 5) == 0;
  const char *text = of_key ? word + 5 : word;
  const char *dollar = strchr (text, '$');
  const char *hex = dollar != NULL ? dollar + 1 : text;
  g_autofree char *name = dollar != NULL ? g_strndup (text, dollar - text) : g_strdup ("sha256");
  g_autoptr (GByteArray) digest = NULL;
  guint algorithm, expected;

  if (!parse_name (file, entry, "the algorithm of SSL_fingerprint", name, digest_names,
                   G_N_ELEMENTS (digest_names), &algorithm, error))
    return FALSE;
  expected = g_checksum_type_get_length (algorithm);
  digest = parse_hex (hex);
  if (digest == NULL || digest->len != expected) {
    g_autofree char *quoted = config_quote (hex);
    return config_file_error (file, entry->line, error,
                              "%s: a %s digest is %u hexadecimal digits, not %s", entry->name,
                              digest_names[algorithm], expected * 2, quoted);
  }
  g_array_append_val (
      of_key ? server->key_pins : server->fingerprints,
      ((Fingerprint){algorithm, g_byte_array_free_to_bytes (g_steal_pointer (&digest))}));
  return TRUE;
}

static gboolean
parse_fingerprints (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                    GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (entry->value, " \t", -1);

  g_array_set_size (server->fingerprints, 0);
  g_array_set_size (server->key_pins, 0);
  for (char **word = words; *word != NULL; word++) {
    if (**word != '\0' && !parse_fingerprint (file, entry, *word, server, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
parse_version (const ConfigFile *file, const ConfigEntry *entry, TlsVersion *version,
               GError **error)
{
  guint index;

  if (!parse_name (file, entry, entry->name, entry->value, version_names,
                   G_N_ELEMENTS (version_names), &index, error))
    return FALSE;
  *version = index;
  return TRUE;
}

static gboolean
parse_protocol_min (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                    GError **error)
{
  return parse_version (file, entry, &server->tls_min, error);
}

static gboolean
parse_protocol_max (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                    GError **error)
{
  return parse_version (file, entry, &server->tls_max, error);
}

static gboolean
parse_verify (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
              GError **error)
{
  return parse_boolean (file, entry, &server->verify, error);
}

char *
account_options_path (const char *value, const char *base)
{
  g_autofree char *start = g_canonicalize_filename (base, NULL);

  if (g_str_has_prefix (value, "~/"))
    return g_canonicalize_filename (value + 2, g_get_home_dir ());
  return g_canonicalize_filename (value, start);
}

static gboolean
parse_ca_path (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
               GError **error)
{
  g_autofree char *base = g_path_get_dirname (file->path);
  g_autofree char *path = account_options_path (entry->value, base);

  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return config_file_error (file, entry->line, error, "%s: there is no folder \"%s\"",
                              entry->name, path);
  take_string (&server->ca_path, g_steal_pointer (&path));
  return TRUE;
}

static gboolean
parse_file (const ConfigFile *file, const ConfigEntry *entry, char **place, GError **error)
{
  g_autofree char *base = g_path_get_dirname (file->path);
  g_autofree char *path = account_options_path (entry->value, base);

  if (!g_file_test (path, G_FILE_TEST_EXISTS) || g_file_test (path, G_FILE_TEST_IS_DIR))
    return config_file_error (file, entry->line, error, "%s: there is no file \"%s\"", entry->name,
                              path);
  take_string (place, g_steal_pointer (&path));
  return TRUE;
}

static gboolean
parse_ca_file (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
               GError **error)
{
  return parse_file (file, entry, &server->ca_file, error);
}

static gboolean
parse_client_certificate (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                          GError **error)
{
  return parse_file (file, entry, &server->client_certificate, error);
}

static gboolean
parse_compress (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                GError **error)
{
  return parse_boolean (file, entry, &server->compress, error);
}

/* http means CONNECT. GIO's socks5 lets the proxy look names up, which is what others call socks5h.
 * The value may hold a password and is not shown. */
static gboolean
parse_proxy (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
             GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (entry->value, G_URI_FLAGS_HAS_PASSWORD, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : "";
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;

  const gboolean is_http = strcmp (scheme, "http") == 0;

  if ((!is_http && strcmp (scheme, "socks5") != 0 && strcmp (scheme, "socks5h") != 0) ||
      host == NULL || *host == '\0' || strlen (g_uri_get_path (uri)) > 1 ||
      g_uri_get_query (uri) != NULL)
    return config_file_error (
        file, entry->line, error,
        "%s has to be socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT", entry->name);
  take_string (&server->proxy,
               g_strconcat (is_http ? "http" : "socks5", entry->value + strlen (scheme), NULL));
  return TRUE;
}

static gboolean
parse_timeout (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
               GError **error)
{
  return parse_number (file, entry, 1, 24 * 60 * 60, &server->timeout, error);
}

static gboolean
parse_store_format (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                    GError **error)
{
  guint index;

  if (!parse_name (file, entry, entry->name, entry->value, format_names,
                   G_N_ELEMENTS (format_names), &index, error))
    return FALSE;
  server->store_format = index;
  return TRUE;
}

/* As the option has it: what it means on the wire, the session will know. */
static gboolean
parse_list_reference (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                      GError **error)
{
  take_string (&server->list_reference, g_strdup (entry->value));
  return TRUE;
}

/* Where an option makes sense. */
enum {
  IN_IMAP = 1 << SERVER_IMAP,
  IN_IMAPS = 1 << SERVER_IMAPS,
  IN_TUNNEL = 1 << SERVER_TUNNEL,
  IN_STORE = 1 << SERVER_STORE,
  IN_NETWORK = IN_IMAP | IN_IMAPS,
  IN_SERVER = IN_NETWORK | IN_TUNNEL,
  IN_ANY = IN_SERVER | IN_STORE,
};

typedef struct {
  const char *name;
  guint where; /* 0: the account's, only before the first section */
  gboolean (*parse) (const ConfigFile *file, const ConfigEntry *entry, ServerSettings *server,
                     GError **error);
} Option;

static const Option options[] = {
    {"type", IN_ANY, parse_type},
    {"host", IN_NETWORK, parse_host},
    {"port", IN_NETWORK, parse_port},
    {"command", IN_TUNNEL, parse_command},
    {"store-format", IN_STORE, parse_store_format},
    {"STARTTLS", IN_IMAP, parse_starttls},
    {"auth", IN_SERVER, parse_auth},
    {"username", IN_SERVER, parse_username},
    {"password", IN_SERVER, parse_password},
    {"password-command", IN_SERVER, parse_password_command},
    {"SSL_cipher_list", IN_NETWORK, parse_cipher_list},
    {"SSL_fingerprint", IN_NETWORK, parse_fingerprints},
    {"SSL_verify_trusted_peer", IN_NETWORK, parse_verify},
    {"SSL_verify", IN_NETWORK, parse_verify},
    {"SSL_ca_path", IN_NETWORK, parse_ca_path},
    {"SSL_CApath", IN_NETWORK, parse_ca_path},
    {"SSL_CAfile", IN_NETWORK, parse_ca_file},
    {"SSL_hostname", IN_NETWORK, parse_tls_host},
    {"SSL_protocol_min", IN_NETWORK, parse_protocol_min},
    {"SSL_protocol_max", IN_NETWORK, parse_protocol_max},
    {"SSL_client_certificate", IN_NETWORK, parse_client_certificate},
    {"proxy", IN_NETWORK, parse_proxy},
    {"compress", IN_SERVER, parse_compress},
    {"timeout", IN_ANY, parse_timeout},
    {"list-reference", IN_ANY, parse_list_reference},
    {"database", 0, NULL},
    {"poll", 0, NULL},
    {"idle", 0, NULL},
    {"metered", 0, NULL},
    {"notify-new-mail", 0, NULL},
    {"list-mailbox", 0, NULL},
    {"list-select-opts", 0, NULL},
    {"ignore-mailbox", 0, NULL},
};

static const Option *
find_option (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    if (g_str_equal (options[i].name, name))
      return &options[i];
  }
  return NULL;
}

static gboolean
fail_unknown_option (const ConfigFile *file, const ConfigSection *section, const ConfigEntry *entry,
                     GError **error)
{
  const char *names[G_N_ELEMENTS (options)];
  g_autofree char *quoted = config_quote (entry->name);
  gsize n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    if (options[i].where != 0 || *section->name == '\0')
      names[n++] = options[i].name;
  }
  return config_file_error (file, entry->line, error, "unknown option %s; did you mean \"%s\"?",
                            quoted, config_nearest (entry->name, names, n));
}

static gboolean
check_section (const ConfigFile *file, const ConfigSection *section, GError **error)
{
  static const char *const names[] = {"local", "remote"};
  gboolean known = *section->name == '\0';

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    known |= g_str_equal (section->name, names[i]);
  if (!known) {
    g_autofree char *quoted = config_quote (section->name);
    return config_file_error (file, section->line, error,
                              "unknown section %s; did you mean \"%s\"?", quoted,
                              config_nearest (section->name, names, G_N_ELEMENTS (names)));
  }
  for (guint i = 0; i < section->entries->len; i++) {
    const ConfigEntry *entry = g_ptr_array_index (section->entries, i);
    const Option *option = find_option (entry->name);

    if (option == NULL)
      return fail_unknown_option (file, section, entry, error);
    if (option->where == 0 && *section->name != '\0')
      return config_file_error (file, entry->line, error,
                                "%s is the account's, not a server's: it has to stand before the "
                                "first section",
                                entry->name);
    if (*entry->value == '\0' && !g_str_equal (option->name, "list-select-opts") &&
        !g_str_equal (option->name, "idle"))
      return config_file_error (file, entry->line, error, "%s has no value", entry->name);
  }
  return TRUE;
}

gboolean
account_options_check (const ConfigFile *file, GError **error)
{
  const ConfigSection *defaults = config_file_section (file, "");
  g_autoptr (ServerSettings) scratch = server_settings_new (SIDE_LOCAL);

  for (guint i = 0; i < file->sections->len; i++) {
    if (!check_section (file, g_ptr_array_index (file->sections, i), error))
      return FALSE;
  }
  for (guint i = 0; i < defaults->entries->len; i++) {
    const ConfigEntry *entry = g_ptr_array_index (defaults->entries, i);
    const Option *option = find_option (entry->name);

    if (option->where != 0 && !option->parse (file, entry, scratch, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
apply_section (const ConfigFile *file, const ConfigSection *section, ServerSettings *server,
               GError **error)
{
  gboolean own = *section->name != '\0';

  for (guint i = 0; i < section->entries->len; i++) {
    const ConfigEntry *entry = g_ptr_array_index (section->entries, i);
    const Option *option = find_option (entry->name);

    if (option->parse == parse_type)
      continue; /* decided before everything else */
    if ((option->where & 1u << server->type) != 0) {
      if (!option->parse (file, entry, server, error))
        return FALSE;
    } else if (own) {
      return config_file_error (file, entry->line, error, "%s makes no sense for type %s",
                                entry->name, type_names[server->type]);
    }
  }
  return TRUE;
}

gboolean
account_options_apply (const ConfigFile *file, ServerSettings *server, GError **error)
{
  const ConfigSection *defaults = config_file_section (file, "");
  const ConfigSection *own = config_file_section (file, side_name (server->side));
  const ConfigEntry *type = config_section_entry (own, "type");

  if (type == NULL)
    type = config_section_entry (defaults, "type");
  if (type != NULL && !parse_type (file, type, server, error))
    return FALSE;
  if (server->type == SERVER_STORE && server->side != SIDE_LOCAL)
    return config_file_error (file, type->line, error,
                              "type = store is for [local] alone: the mail of [%s] is on a server",
                              side_name (server->side));
  if (!server_type_is_network (server->type))
    g_clear_pointer (&server->host, g_free);
  if (!apply_section (file, defaults, server, error) || !apply_section (file, own, server, error))
    return FALSE;
  if (server->tls_min > server->tls_max)
    return config_file_error (file, own != NULL ? own->line : 0, error,
                              "[%s]: SSL_protocol_min is above SSL_protocol_max",
                              side_name (server->side));
  return TRUE;
}

gboolean
account_options_number (const ConfigFile *file, const char *name, guint smallest, guint largest,
                        guint *number, GError **error)
{
  const ConfigEntry *entry = config_section_entry (config_file_section (file, ""), name);

  return entry == NULL || parse_number (file, entry, smallest, largest, number, error);
}

gboolean
account_options_name (const ConfigFile *file, const char *name, const char *const *names, gsize n,
                      guint *index, GError **error)
{
  const ConfigEntry *entry = config_section_entry (config_file_section (file, ""), name);

  return entry == NULL ||
         parse_name (file, entry, entry->name, entry->value, names, n, index, error);
}

gboolean
account_options_boolean (const ConfigFile *file, const char *name, gboolean *value, GError **error)
{
  const ConfigEntry *entry = config_section_entry (config_file_section (file, ""), name);

  return entry == NULL || parse_boolean (file, entry, value, error);
}
