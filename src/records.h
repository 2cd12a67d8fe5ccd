/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

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

/* How a server is reached: the plain record that the configuration fills and the wire reads. */
typedef enum {
  SERVER_IMAP,   /* plain TCP, by default with STARTTLS */
  SERVER_IMAPS,  /* TLS from the first byte */
  SERVER_TUNNEL, /* a command that speaks IMAP on its standard input and output */
} ServerType;

typedef enum {
  AUTH_PLAIN,
  AUTH_LOGIN,
} AuthMechanism;

/* One `ALGO$HEX` of SSL_fingerprint. */
typedef struct {
  GChecksumType algorithm;
  GBytes *digest;
} Fingerprint;

typedef struct {
  Side side;
  ServerType type;
  char *host;           /* not for SERVER_TUNNEL */
  guint16 port;         /* not for SERVER_TUNNEL */
  char *command;        /* SERVER_TUNNEL: run by /bin/sh -c */
  gboolean starttls;    /* SERVER_IMAP: upgrade, or give up */
  GArray *auth;         /* AuthMechanism, most preferred first */
  char *username;       /* NULL: none configured */
  char *password;       /* NULL: none configured */
  char *cipher_list;    /* NULL: the library's default */
  GArray *fingerprints; /* Fingerprint; empty: no pin */
  gboolean verify;      /* chain and name */
  char *ca_path;        /* folder of CA certificates; NULL: the system's */
  guint timeout;        /* seconds without an answer before the connection is given up */
} ServerSettings;

/* Every option at its default; port 0 is "the type's own" until the configuration fills it in. */
ServerSettings *server_settings_new (Side side);
ServerSettings *server_settings_copy (const ServerSettings *server);

/* Wipes the password too. */
void server_settings_free (ServerSettings *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ServerSettings, server_settings_free)

/* "user@host", "user@host:port" where the port is not the type's own, or "tunnel COMMAND": what a
 * person calls this server. (transfer full) */
char *server_settings_describe (const ServerSettings *server);

G_END_DECLS
