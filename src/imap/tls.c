/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/tls.h"

#include "cipher-list.h"
#include "errors.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEEN_KEY "imapsync-seen"

struct _TlsPolicy {
  const ServerSettings *server;
  char *name;
  GTlsDatabase *database; /* of ca_path; NULL: the system's */
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

static GString *
read_ca_folder (const TlsPolicy *policy, GError **error)
{
  const char *folder = policy->server->ca_path;
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &local);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GString *bundle;
  const char *name;

  if (dir == NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s: the folder of CA certificates cannot be read: %s", policy->name,
                 local->message);
    return NULL;
  }

  bundle = g_string_new (NULL);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
      add_certificates (bundle, known, path);
  }
  if (bundle->len == 0) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s: the folder of CA certificates \"%s\" holds no certificate", policy->name,
                 folder);
    g_string_free (bundle, TRUE);
    return NULL;
  }
  return bundle;
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
load_ca_folder (TlsPolicy *policy, GError **error)
{
  g_autoptr (GError) local = NULL;
  GString *bundle = read_ca_folder (policy, error);
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
               policy->server->ca_path, local != NULL ? local->message : g_strerror (errno));
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
  if (server->verify && server->ca_path != NULL && !load_ca_folder (policy, error))
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

GTlsConnection *
tls_policy_wrap (TlsPolicy *policy, GIOStream *base, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GSocketConnectable) identity =
      g_network_address_new (policy->server->host, policy->server->port);
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
  return G_TLS_CONNECTION (stream);
}

static GBytes *
certificate_digest (GTlsCertificate *certificate, GChecksumType algorithm)
{
  g_autoptr (GByteArray) der = NULL;
  g_autoptr (GChecksum) checksum = g_checksum_new (algorithm);
  guint8 digest[64];
  gsize length = sizeof digest;

  g_object_get (certificate, "certificate", &der, NULL);
  g_checksum_update (checksum, der->data, der->len);
  g_checksum_get_digest (checksum, digest, &length);
  return g_bytes_new (digest, length);
}

/* "sha256$hex", as SSL_fingerprint wants it. */
static char *
describe_fingerprint (GTlsCertificate *certificate)
{
  g_autoptr (GBytes) digest = NULL;
  GString *text = g_string_new ("sha256$");
  const guint8 *bytes;
  gsize length;

  if (certificate == NULL)
    return g_string_free (g_string_assign (text, "unknown"), FALSE);

  digest = certificate_digest (certificate, G_CHECKSUM_SHA256);
  bytes = g_bytes_get_data (digest, &length);
  for (gsize i = 0; i < length; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
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
  g_autofree char *reasons = describe_flags (seen->flags, policy->server->host);
  g_autofree char *fingerprint = describe_fingerprint (seen->certificate);

  return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                      "%s: the certificate of %s is refused: %s (fingerprint %s)", policy->name,
                      policy->server->host, reasons, fingerprint);
}

GError *
tls_policy_handshake_error (TlsPolicy *policy, GTlsConnection *connection, const GError *error)
{
  const Seen *seen = g_object_get_data (G_OBJECT (connection), SEEN_KEY);

  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
    return certificate_error (policy, seen);
  /* NOT_TLS is what GIO calls a connection that ends before a word of TLS. */
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_EOF) ||
      g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                        "%s: the server ended the connection during the TLS handshake (%s)",
                        policy->name, error->message);
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_HANDSHAKE) ||
      g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_CERTIFICATE_REQUIRED))
    return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                        "%s: the TLS handshake failed (TLS 1.2 or newer is needed): %s",
                        policy->name, error->message);
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
  switch (g_tls_connection_get_protocol_version (connection)) {
  case G_TLS_PROTOCOL_VERSION_TLS_1_2:
  case G_TLS_PROTOCOL_VERSION_TLS_1_3:
    return TRUE;
  default:
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
                 "%s: the server speaks an outdated version of TLS; TLS 1.2 or newer is needed",
                 policy->name);
    return FALSE;
  }
}

static gboolean
check_pins (TlsPolicy *policy, GTlsConnection *connection, GError **error)
{
  GTlsCertificate *certificate = g_tls_connection_get_peer_certificate (connection);
  const GArray *pins = policy->server->fingerprints;
  g_autofree char *seen = NULL;

  if (pins == NULL || pins->len == 0)
    return TRUE;
  for (guint i = 0; certificate != NULL && i < pins->len; i++) {
    const Fingerprint *pin = &g_array_index (pins, Fingerprint, i);
    g_autoptr (GBytes) digest = certificate_digest (certificate, pin->algorithm);

    if (g_bytes_equal (digest, pin->digest))
      return TRUE;
  }

  seen = describe_fingerprint (certificate);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CERTIFICATE,
               "%s: the certificate of %s is refused: its fingerprint %s is not the one of "
               "SSL_fingerprint",
               policy->name, policy->server->host, seen);
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
