/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"

#include <gio/gio.h>

G_DEFINE_QUARK (imapsync - error - quark, imapsync_error)

typedef struct {
  const char *code;
  Reach reach;
  gboolean transient;
} Kind;

static const Kind kinds[] = {
    [IMAPSYNC_ERROR_CONFIG] = {"config", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_CERTIFICATE] = {"certificate", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_AUTH] = {"auth", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_KEYRING] = {"keyring", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_DNS] = {"dns", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_REFUSED] = {"refused", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_TIMEOUT] = {"timeout", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_PORTAL] = {"portal", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_METERED] = {"metered", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_CAPABILITY] = {"capability", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_PROTOCOL] = {"protocol", REACH_SESSION, TRUE},
    [IMAPSYNC_ERROR_COMMAND] = {"protocol", REACH_MAILBOX, TRUE},
    [IMAPSYNC_ERROR_DATABASE] = {"database", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_LOCKED] = {"database", REACH_ACCOUNT, FALSE},
    [IMAPSYNC_ERROR_DISK_FULL] = {"disk-full", REACH_ACCOUNT, FALSE},
};

static const Kind foreign = {"", REACH_SESSION, FALSE};

static Kind
kind_of_io_error (int code)
{
  switch (code) {
  case G_IO_ERROR_NO_SPACE:
    return (Kind){"disk-full", REACH_SESSION, FALSE};
  case G_IO_ERROR_TIMED_OUT:
    return (Kind){"timeout", REACH_SESSION, TRUE};
  case G_IO_ERROR_HOST_NOT_FOUND:
    return (Kind){"dns", REACH_SESSION, TRUE};
  case G_IO_ERROR_CONNECTION_REFUSED:
  case G_IO_ERROR_CONNECTION_CLOSED:
  case G_IO_ERROR_NOT_CONNECTED:
  case G_IO_ERROR_HOST_UNREACHABLE:
  case G_IO_ERROR_NETWORK_UNREACHABLE:
  case G_IO_ERROR_PROXY_FAILED:
    return (Kind){"refused", REACH_SESSION, TRUE};
  case G_IO_ERROR_FAILED:
  case G_IO_ERROR_PARTIAL_INPUT:
  case G_IO_ERROR_ADDRESS_IN_USE:
  case G_IO_ERROR_TOO_MANY_OPEN_FILES:
    return (Kind){"", REACH_SESSION, TRUE};
  default:
    return foreign;
  }
}

static Kind
kind_of (const GError *error)
{
  if (error == NULL)
    return foreign;
  if (error->domain == IMAPSYNC_ERROR)
    return error->code >= 0 && error->code < (int)G_N_ELEMENTS (kinds) ? kinds[error->code]
                                                                       : foreign;
  if (error->domain == G_IO_ERROR)
    return kind_of_io_error (error->code);
  if (error->domain == G_RESOLVER_ERROR)
    return (Kind){"dns", REACH_SESSION, TRUE};
  if (error->domain == G_TLS_ERROR && error->code == G_TLS_ERROR_BAD_CERTIFICATE)
    return (Kind){"certificate", REACH_SESSION, FALSE};
  if (error->domain == G_TLS_ERROR)
    return (Kind){"", REACH_SESSION, error->code != G_TLS_ERROR_UNAVAILABLE};
  return foreign;
}

const char *
imapsync_error_code (const GError *error)
{
  return kind_of (error).code;
}

Reach
imapsync_error_reach (const GError *error)
{
  return kind_of (error).reach;
}

gboolean
imapsync_error_is_transient (const GError *error)
{
  return kind_of (error).transient;
}

gboolean
imapsync_fail (GError **error, ImapsyncError code, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (IMAPSYNC_ERROR, code, format, arguments);
  va_end (arguments);
  return FALSE;
}
