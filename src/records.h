/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "password.h"

G_BEGIN_DECLS

/* Everything that exists twice is an array of two indexed by the side. */
typedef enum {
  SIDE_LOCAL,
  SIDE_REMOTE,
} Side;

#define N_SIDES 2

static inline Side
side_other (Side side)
{
  return side == SIDE_LOCAL ? SIDE_REMOTE : SIDE_LOCAL;
}

/* "local" or "remote". */
static inline const char *
side_name (Side side)
{
  return side == SIDE_LOCAL ? "local" : "remote";
}

/* Stands between the levels of a mailbox's name inside the program: a byte that no server allows in
 * one. */
#define MAILBOX_NAME_SEPARATOR '\x1f'

/* How a server is reached: the plain record that the configuration fills and the wire reads. */
typedef enum {
  SERVER_IMAP,   /* plain TCP, by default with STARTTLS */
  SERVER_IMAPS,  /* TLS from the first byte */
  SERVER_TUNNEL, /* a command that speaks IMAP on its standard input and output */
  SERVER_STORE,  /* mail that is kept here: Dovecot's imap over a tunnel, imap/local-store.h */
} ServerType;

/* True for what is reached through the network, and has host and port. */
static inline gboolean
server_type_is_network (ServerType type)
{
  return type == SERVER_IMAP || type == SERVER_IMAPS;
}

/* How a local store keeps mail. */
typedef enum {
  STORE_FORMAT_MAILDIR,
  STORE_FORMAT_SDBOX,
} StoreFormat;

typedef enum {
  AUTH_PLAIN,
  AUTH_LOGIN,
  AUTH_SCRAM_SHA_256_PLUS, /* bound to the TLS connection */
  AUTH_SCRAM_SHA_256,
  AUTH_SCRAM_SHA_1_PLUS,
  AUTH_SCRAM_SHA_1,
  AUTH_EXTERNAL, /* by the client's certificate, or what the tunnel knows */
  AUTH_OAUTHBEARER,
  AUTH_XOAUTH2,
} AuthMechanism;

#define N_AUTH_MECHANISMS (AUTH_XOAUTH2 + 1)

/* Versions of TLS that may be chosen between; older ones never are. */
typedef enum {
  TLS_VERSION_1_2,
  TLS_VERSION_1_3,
} TlsVersion;

/* One `ALGO$HEX` of SSL_fingerprint. */
typedef struct {
  GChecksumType algorithm;
  GBytes *digest;
} Fingerprint;

typedef struct {
  Side side;
  ServerType type;
  char *host;         /* of the network types */
  guint16 port;       /* of the network types */
  char *command;      /* SERVER_TUNNEL: run by /bin/sh -c */
  char *store_folder; /* SERVER_STORE: absolute; the mail is in "mail" below it */
  StoreFormat store_format;
  gboolean starttls;      /* SERVER_IMAP: upgrade, or give up */
  GArray *auth;           /* AuthMechanism, most preferred first */
  gboolean auth_chosen;   /* by the configuration, which so may allow a password in clear text */
  char *username;         /* NULL: none configured */
  Password *password;     /* or token; NULL: none configured */
  char *password_command; /* prints it; run by /bin/sh -c; NULL: none */
  char *cipher_list;      /* NULL: the library's default */
  GArray *fingerprints;   /* Fingerprint, of the certificate */
  GArray *key_pins;       /* Fingerprint, of its public key; both empty: no pin */
  TlsVersion tls_min;
  TlsVersion tls_max;
  gboolean verify;          /* chain and name */
  char *tls_host;           /* the name to verify and to ask for; NULL: host */
  char *ca_path;            /* folder of CA certificates */
  char *ca_file;            /* file of them; both NULL: the system's */
  char *client_certificate; /* PEM file with certificate and key, or NULL */
  char *proxy;              /* its URI; NULL: what the desktop says */
  gboolean compress;        /* COMPRESS=DEFLATE where it is offered */
  char *list_reference;     /* what comes before all names there, as the option has it; or NULL */
  guint timeout;            /* seconds without an answer before the connection is given up */
} ServerSettings;

/* Every option at its default; port 0 is "the type's own" until the configuration fills it in. */
ServerSettings *server_settings_new (Side side);
ServerSettings *server_settings_copy (const ServerSettings *server);

void server_settings_free (ServerSettings *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ServerSettings, server_settings_free)

/* The server is reached by a host name, and that is the loopback interface's: no network is needed.
 * FALSE for a tunnel and a store, which have none. */
gboolean server_settings_is_loopback (const ServerSettings *server);

/* Whether a login may need a password that the configuration does not know how to get. */
gboolean server_settings_lacks_password (const ServerSettings *server);

/* "user@host", "user@host:port" where the port is not the type's own, "tunnel COMMAND" or "store
 * FOLDER": what a person calls this server. (transfer full) */
char *server_settings_describe (const ServerSettings *server);

G_END_DECLS
