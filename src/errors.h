/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What went wrong, in the words of the D-Bus property ErrorCode. A GError of this domain carries a
 * message that stands alone: one sentence that names what and where, for a person or a log. */
#define IMAPSYNC_ERROR (imapsync_error_quark ())
GQuark imapsync_error_quark (void);

typedef enum {
  IMAPSYNC_ERROR_CONFIG,      /* a configuration file or an argument */
  IMAPSYNC_ERROR_CERTIFICATE, /* chain, name, pin, protocol version or suite */
  IMAPSYNC_ERROR_AUTH,        /* the server refused the login, or no mechanism fits */
  IMAPSYNC_ERROR_KEYRING,     /* no password to be had */
  IMAPSYNC_ERROR_DNS,         /* the host name does not resolve */
  IMAPSYNC_ERROR_REFUSED,     /* nothing listens, or the connection ended */
  IMAPSYNC_ERROR_TIMEOUT,     /* the server is silent */
  IMAPSYNC_ERROR_PORTAL,      /* a captive portal is in the way */
  IMAPSYNC_ERROR_METERED,     /* the network is, and the configuration says to wait */
  IMAPSYNC_ERROR_CAPABILITY,  /* the server lacks an extension that is needed */
  IMAPSYNC_ERROR_PROTOCOL,    /* the server said something that makes no sense */
  IMAPSYNC_ERROR_COMMAND,     /* a tagged NO: reach MAILBOX or MESSAGE, by the caller's knowledge */
  IMAPSYNC_ERROR_DATABASE,    /* unreadable, unwritable, corrupt, newer, of another account */
  IMAPSYNC_ERROR_LOCKED,      /* another process holds the database */
  IMAPSYNC_ERROR_DISK_FULL,
} ImapsyncError;

/* R7: how far the damage goes. */
typedef enum {
  REACH_MESSAGE,
  REACH_MAILBOX,
  REACH_SESSION, /* this connection; another one may do */
  REACH_ACCOUNT, /* until something changes: configuration, password, disk */
} Reach;

/* The ErrorCode of the D-Bus interface for @error ("certificate", "auth", ...); "" for none that it
 * has a word for. Static. */
const char *imapsync_error_code (const GError *error);

Reach imapsync_error_reach (const GError *error);

/* True for an error that a later attempt may mend without anybody's doing (network, server). */
gboolean imapsync_error_is_transient (const GError *error);

/* Sets @error to the formatted text; FALSE, so that it can be returned. */
gboolean imapsync_fail (GError **error, ImapsyncError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

G_END_DECLS
