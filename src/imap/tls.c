/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/tls.h"

#include "cipher-list.h"
#include "errors.h"

#include <glib/gstdio.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEEN_KEY "imapsync-seen"

struct _TlsPolicy {
  const ServerSettings *server;
  char *name;
  GTlsDatabase *database; /* of ca_path and ca_file; NULL: the system's */
  GTlsCertificate *own;   /* to be shown, or NULL */
  int memfd;              /* what database reads, at every handshake anew */
};

/* What GIO found wrong with the peer's certificate; it does not come with the error. */
typedef struct {
  gboolean verify;
  GTlsCertificateFlags flags;
  GTlsCertificate *certificate;
} Seen;

void
tls_policy_free (TlsPolicy *policy)
{
  g_clear_object (&policy->database);
  g_clear_object (&policy->own);
  if (policy->memfd >= 0)
    close (policy->memfd);
  g_free (policy->name);
  g_free (policy);
}

/* The certificates of one file of the folder, PEM or DER; files that hold none are no error, as
 * such folders also have README, lists of revocations and the like. */
static GList *
read_certificates (const char *path)
{
  GList *list = g_tls_certificate_list_new_from_file (path, NULL);
  g_autofree char *contents = NULL;
  gsize length;
  g_autoptr (GByteArray) der = NULL;
  GTlsCertificate *certificate;

  if (list != NULL || !g_file_get_contents (path, &contents, &length, NULL))
    return list;
  if (length < 4 || length > 1024 * 1024 || contents[0] != 0x30)
    return NULL;

  der = g_byte_array_append (g_byte_array_new (), (const guint8 *)contents, length);
  certificate = g_initable_new (g_tls_backend_get_certificate_type (g_tls_backend_get_default ()),
                                NULL, NULL, "certificate", der, NULL);
  return certificate != NULL ? g_list_prepend (NULL, certificate) : NULL;
}

static void
add_certificates (GString *bundle, GHashTable *known, const char *path)
{
  GList *list = read_certificates (path);

  for (GList *l = list; l != NULL; l = l->next) {
    char *pem = NULL;

    g_object_get (l->data, "certificate-pem", &pem, NULL);
    /* Folders made by c_rehash name each certificate twice. */
    if (pem != NULL && g_hash_table_add (known, pem))
      g_string_append (bundle, pem);
  }
  g_list_free_full (list, g_object_unref);
}

static gboolean
add_ca_folder (const TlsPolicy *policy, GString *bundle, GHashTable *known, GError **error)
{
  const char *folder = policy->server->ca_path;
  const gsize before = bundle->len;
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &local);
  const char *name;

  if (dir == NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s: the folder of CA certificates cannot be read: %s", policy->name,
                 local->message);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
      add_certificates (bundle, known, path);
  }
  if (bundle->len > before)
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "%s: the folder of CA certificates \"%s\" holds no certificate", policy->name,
               folder);
  return FALSE;
}

/* NULL with @error, else all that SSL_CAfile and SSL_CApath trust. */
static GString *
read_authorities (const TlsPolicy *policy, GError **error)
{
  const ServerSettings *server = policy->server;
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GString) bundle = g_string_new (NULL);

  if (server->ca_file != NULL)
    add_certificates (bundle, known, server->ca_file);
  if (server->ca_file != NULL && bundle->len == 0) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s: the file of CA certificates \"%s\" holds no certificate", policy->name,
                 server->ca_file);
    return NULL;
  }
  if (server->ca_path != NULL && !add_ca_folder (policy, bundle, known, error))
    return NULL;
  return g_steal_pointer (&bundle);
}

static gboolean
write_all (int fd, const char *bytes, gsize length)
{
  while (length > 0) {
    gssize n = write (fd, bytes, length);

    if (n <= 0)
      return FALSE;
    bytes += n;
    length -= n;
  }
  return TRUE;
}

/* GIO has no API for a folder, and its file database reads its file again at every handshake: a
 * file in memory can neither be changed nor vanish meanwhile. */
static gboolean
load_authorities (TlsPolicy *policy, GError **error)
{
  g_autoptr (GError) local = NULL;
  GString *bundle = read_authorities (policy, error);
  g_autofree char *path = NULL;

  if (bundle == NULL)
    return FALSE;

  policy->memfd = memfd_create ("imapsync-ca", MFD_CLOEXEC);
  if (policy->memfd >= 0 && write_all (policy->memfd, bundle->str, bundle->len)) {
    path = g_strdup_printf ("/proc/self/fd/%d", policy->memfd);
    policy->database = g_tls_file_database_new (path, &local);
  }
  g_string_free (bundle, TRUE);
  if (policy->database != NULL)
    return TRUE;

  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "%s: the CA certificates in \"%s\" cannot be used: %s", policy->name,
               policy->server->ca_path != NULL ? policy->server->ca_path : policy->server->ca_file,
               local != NULL ? local->message : g_strerror (errno));
  return FALSE;
}

static gboolean
load_own (TlsPolicy *policy, GError **error)
{
  const char *path = policy->server->client_certificate;
  g_autoptr (GError) local = NULL;

  policy->own = g_tls_certificate_new_from_file (path, &local);
  if (policy->own != NULL)
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "%s: the certificate to show in \"%s\" cannot be used: %s", policy->name, path,
               local->message);
  return FALSE;
}

TlsPolicy *
tls_policy_new (const ServerSettings *server, GError **error)
{
  g_autoptr (TlsPolicy) policy = g_new0 (TlsPolicy, 1);

  policy->server = server;
  policy->name = server_settings_describe (server);
  policy->memfd = -1;

  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ())) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                 "%s: TLS is not available on this machine: the package glib-networking is missing",
                 policy->name);
    return NULL;
  }
  if (server->verify && (server->ca_path != NULL || server->ca_file != NULL) &&
      !load_authorities (policy, error))
    return NULL;
  if (server->client_certificate != NULL && !load_own (policy, error))
    return NULL;
  return g_steal_pointer (&policy);
}

static void
seen_free (gpointer data)
{
  Seen *seen = data;

  g_clear_object (&seen->certificate);
  g_free (seen);
}

static gboolean
on_accept_certificate (GTlsConnection *connection, GTlsCertificate *certificate,
                       GTlsCertificateFlags flags, gpointer data)
{
  Seen *seen = data;

  seen->flags = flags;
  g_set_object (&seen->certificate, certificate);
  return !seen->verify;
}

/* What the certificate has to be for. */
static const char *
policy_host (const TlsPolicy *policy)
{
  return policy->server->tls_host != NULL ? policy->server->tls_host : policy->server->host;
}

/* A literal address is no name that a server may be asked for (RFC 6066, section 3); GIO sends no
 * name for one of its own type, and checks the certificate for it all the same. */
static GSocketConnectable *
policy_identity (const TlsPolicy *policy)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (policy_host (policy));

  if (address != NULL)
    return G_SOCKET_CONNECTABLE (g_inet_socket_address_new (address, policy->server->port));
  return g_network_address_new (policy_host (policy), policy->server->port);
}

GTlsConnection *
tls_policy_wrap (TlsPolicy *policy, GIOStream *base, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GSocketConnectable) identity = policy_identity (policy);
  GIOStream *stream = g_tls_client_connection_new (base, identity, &local);
  Seen *seen;

  if (stream == NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE, "%s: TLS cannot be used: %s",
                 policy->name, local->message);
    return NULL;
  }

  seen = g_new0 (Seen, 1);
  seen->verify = policy->server->verify;
  g_object_set_data_full (G_OBJECT (stream), SEEN_KEY, seen, seen_free);
  g_signal_connect (stream, "accept-certificate", G_CALLBACK (on_accept_certificate), seen);
  if (policy->database != NULL)
    g_tls_connection_set_database (G_TLS_CONNECTION (stream), policy->database);
  if (policy->own != NULL)
    g_tls_connection_set_certificate (G_TLS_CONNECTION (stream), policy->own);
  return G_TLS_CONNECTION (stream);
}

static GBytes *
digest_of (GChecksumType algorithm, const guint8 *bytes, gsize length)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (algorithm);
  guint8 digest[64];
  gsize size = sizeof digest;

  g_checksum_update (checksum, bytes, length);
  g_checksum_get_digest (checksum, digest, &size);
  return g_bytes_new (digest, size);
}

static GBytes *
certificate_digest (GTlsCertificate *certificate, GChecksumType algorithm)
{
  g_autoptr (GByteArray) der = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  return digest_of (algorithm, der->data, der->len);
}

/* The SubjectPublicKeyInfo, for which GIO has nothing. NULL if there is none to be found. */
static GBytes *
key_digest (GTlsCertificate *certificate, GChecksumType algorithm)
{
  g_autoptr (GByteArray) der = NULL;
  gnutls_x509_crt_t crt = NULL;
  gnutls_pubkey_t key = NULL;
  gnutls_datum_t datum, spki = {NULL, 0};
  GBytes *digest = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  datum = (gnutls_datum_t){der->data, der->len};
  if (gnutls_x509_crt_init (&crt) == 0 && gnutls_pubkey_init (&key) == 0 &&
      gnutls_x509_crt_import (crt, &datum, GNUTLS_X509_FMT_DER) == 0 &&
      gnutls_pubkey_import_x509 (key, crt, 0) == 0 &&
      gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &spki) == 0)
    digest = digest_of (algorithm, spki.data, spki.size);
  gnutls_free (spki.data);
  if (key != NULL)
    gnutls_pubkey_deinit (key);
  if (crt != NULL)
    gnutls_x509_crt_deinit (crt);
  return digest;
}

/* "sha256$hex", as SSL_fingerprint wants it. */
static char *
describe_digest (const char *prefix, GBytes *digest)
{
  GString *text = g_string_new (prefix);
  gsize length = 0;
  const guint8 *bytes = digest != NULL ? g_bytes_get_data (digest, &length) : NULL;

  if (bytes == NULL)
    return g_string_free (g_string_assign (text, "unknown"), FALSE);
  for (gsize i = 0; i < length; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
}

static char *
describe_fingerprint (GTlsCertificate *certificate)
{
  g_autoptr (GBytes) digest =
      certificate != NULL ? certificate_digest (certificate, G_CHECKSUM_SHA256) : NULL;

  return describe_digest ("sha256$", digest);
}

static char *
describe_key (GTlsCertificate *certificate)
{
  g_autoptr (GBytes) digest =
      certificate != NULL ? key_digest (certificate, G_CHECKSUM_SHA256) : NULL;

  return describe_digest ("spki-sha256$", digest);
}

static char *
describe_flags (GTlsCertificateFlags flags, const char *host)
{
  GPtrArray *reasons = g_ptr_array_new_with_free_func (g_free);
  char *text;

  if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA)
    g_ptr_array_add (reasons, g_strdup ("it is not signed by a trusted CA"));
  if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY)
    g_ptr_array_add (reasons, g_strdup_printf ("its name is not \"%s\"", host));
  if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
    g_ptr_array_add (reasons, g_strdup ("it is not valid yet"));
  if (flags & G_TLS_CERTIFICATE_EXPIRED)
    g_ptr_array_add (reasons, g_strdup ("it has expired"));
  if (flags & G_TLS_CERTIFICATE_REVOKED)
    g_ptr_array_add (reasons, g_strdup ("it was revoked"));
  if (flags & G_TLS_CERTIFICATE_INSECURE)
    g_ptr_array_add (reasons, g_strdup ("its algorithm is insecure"));
  if (reasons->len == 0)
    g_ptr_array_add (reasons, g_strdup ("it cannot be verified"));
  g_ptr_array_add (reasons, NULL);

  text = g_strjoinv (", ", (char **)reasons->pdata);
  g_ptr_array_unref (reasons);
  return text;
}

static GError *
certificate_error (TlsPolicy *policy, const Seen *seen)
{
  g_autofree char *reasons = describe_flags (seen->flags, policy_host (policy));
  g_autofree char *fingerprint = describe_fingerprint (seen->certificate);

  return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                      "%s: the certificate of %s is refused: %s (fingerprint %s)", policy->name,
                      policy_host (policy), reasons, fingerprint);
}

static const char *
version_name (TlsVersion version)
{
  return version == TLS_VERSION_1_2 ? "TLS 1.2" : "TLS 1.3";
}

/* "TLS 1.2 or newer", "TLS 1.3" or "TLS 1.2". */
static char *
describe_versions (const ServerSettings *server)
{
  return g_strconcat (version_name (server->tls_min),
                      server->tls_min < server->tls_max ? " or newer" : "", NULL);
}

static gboolean
policy_is_narrow (const TlsPolicy *policy)
{
  const ServerSettings *server = policy->server;

  return server->cipher_list != NULL || server->tls_min > TLS_VERSION_1_2 ||
         server->tls_max < TLS_VERSION_1_3;
}

GError *
tls_policy_handshake_error (TlsPolicy *policy, GTlsConnection *connection, const GError *error)
{
  const Seen *seen = g_object_get_data (G_OBJECT (connection), SEEN_KEY);
  g_autofree char *versions = describe_versions (policy->server);

  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
    return certificate_error (policy, seen);
  /* NOT_TLS is what GIO calls a connection that ends before a word of TLS. */
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_EOF) ||
      g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                        "%s: the server ended the connection during the TLS handshake%s (%s)",
                        policy->name,
                        policy_is_narrow (policy)
                            ? "; it may have nothing that SSL_protocol_min, SSL_protocol_max and "
                              "SSL_cipher_list leave"
                            : "",
                        error->message);
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_HANDSHAKE) ||
      g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_CERTIFICATE_REQUIRED))
    return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                        "%s: the TLS handshake failed (%s is needed%s): %s", policy->name, versions,
                        policy->server->cipher_list != NULL ? ", and a suite of SSL_cipher_list"
                                                            : "",
                        error->message);
  if (error->domain == G_TLS_ERROR)
    return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
                        "%s: the TLS handshake failed; does that port speak TLS? (%s)",
                        policy->name, error->message);
  return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                      "%s: the connection broke during the TLS handshake: %s", policy->name,
                      error->message);
}

static gboolean
check_version (TlsPolicy *policy, GTlsConnection *connection, GError **error)
{
  const ServerSettings *server = policy->server;
  const GTlsProtocolVersion version = g_tls_connection_get_protocol_version (connection);
  const gboolean is_1_2 = version == G_TLS_PROTOCOL_VERSION_TLS_1_2;
  const gboolean is_1_3 = version == G_TLS_PROTOCOL_VERSION_TLS_1_3;
  g_autofree char *wanted = NULL;

  if ((is_1_2 && server->tls_min <= TLS_VERSION_1_2) ||
      (is_1_3 && server->tls_max >= TLS_VERSION_1_3))
    return TRUE;
  wanted = describe_versions (server);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
               "%s: the server chose %s; %s is needed", policy->name,
               is_1_2   ? "TLS 1.2"
               : is_1_3 ? "TLS 1.3"
                        : "an outdated version of TLS",
               wanted);
  return FALSE;
}

static gboolean
is_pinned (const GArray *pins, GTlsCertificate *certificate,
           GBytes *(*get_digest) (GTlsCertificate *certificate, GChecksumType algorithm))
{
  for (guint i = 0; i < pins->len; i++) {
    const Fingerprint *pin = &g_array_index (pins, Fingerprint, i);
    g_autoptr (GBytes) digest = get_digest (certificate, pin->algorithm);

    if (digest != NULL && g_bytes_equal (digest, pin->digest))
      return TRUE;
  }
  return FALSE;
}

static gboolean
check_pins (TlsPolicy *policy, GTlsConnection *connection, GError **error)
{
  GTlsCertificate *certificate = g_tls_connection_get_peer_certificate (connection);
  const ServerSettings *server = policy->server;
  g_autofree char *fingerprint = NULL;
  g_autofree char *key = NULL;

  if (server->fingerprints->len == 0 && server->key_pins->len == 0)
    return TRUE;
  if (certificate != NULL && (is_pinned (server->fingerprints, certificate, certificate_digest) ||
                              is_pinned (server->key_pins, certificate, key_digest)))
    return TRUE;

  fingerprint = describe_fingerprint (certificate);
  key = describe_key (certificate);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
               "%s: the certificate of %s is refused: neither its fingerprint %s nor its key's %s "
               "is in SSL_fingerprint",
               policy->name, policy_host (policy), fingerprint, key);
  return FALSE;
}

/* GIO lets nobody choose the suites of one connection, so the list is held against the outcome. */
static gboolean
check_cipher (TlsPolicy *policy, GTlsConnection *connection, GError **error)
{
  const char *list = policy->server->cipher_list;
  g_autofree char *suite = NULL;

  if (list == NULL ||
      g_tls_connection_get_protocol_version (connection) == G_TLS_PROTOCOL_VERSION_TLS_1_3)
    return TRUE;
  suite = g_tls_connection_get_ciphersuite_name (connection);
  if (suite != NULL && cipher_list_allows (list, suite))
    return TRUE;

  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
               "%s: the cipher suite %s that the server chose is not in SSL_cipher_list (%s)",
               policy->name, suite != NULL ? suite : "(unknown)", list);
  return FALSE;
}

gboolean
tls_policy_check (TlsPolicy *policy, GTlsConnection *connection, GError **error)
{
  return check_version (policy, connection, error) && check_pins (policy, connection, error) &&
         check_cipher (policy, connection, error);
}

/* --- channel binding ------------------------------------------------------------------------- */

/* G_TLS_CHANNEL_BINDING_TLS_EXPORTER is newer than the GLib that we ask for; what does not know the
 * number says no. Before GLib 2.74 glib-networking had one of its own for it. */
#define BINDING_EXPORTER     2
#define BINDING_EXPORTER_OLD 100500

static char *
get_binding (GTlsConnection *connection, int type)
{
  g_autoptr (GByteArray) data = g_byte_array_new ();

  if (!g_tls_connection_get_channel_binding_data (connection, (GTlsChannelBindingType)type, data,
                                                  NULL) ||
      data->len == 0)
    return NULL;
  return g_base64_encode (data->data, data->len);
}

char *
tls_binding (GTlsConnection *connection, gboolean *is_unique)
{
  char *binding;

  /* RFC 9266: tls-unique does not exist in TLS 1.3. */
  *is_unique = g_tls_connection_get_protocol_version (connection) == G_TLS_PROTOCOL_VERSION_TLS_1_2;
  if (*is_unique)
    return get_binding (connection, G_TLS_CHANNEL_BINDING_TLS_UNIQUE);
  binding = get_binding (connection, BINDING_EXPORTER);
  return binding != NULL ? binding : get_binding (connection, BINDING_EXPORTER_OLD);
}
