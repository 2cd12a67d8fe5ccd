/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "bus-names.h"

#include "errors.h"

char *
bus_account_path (const char *id)
{
  GString *path = g_string_new (BUS_ACCOUNT_PATH);

  if (*id == '\0')
    g_string_append_c (path, '_');
  for (const char *p = id; *p != '\0'; p++) {
    if (g_ascii_isalpha (*p) || (g_ascii_isdigit (*p) && p > id))
      g_string_append_c (path, *p);
    else
      g_string_append_printf (path, "_%02x", (guint)(guchar)*p);
  }
  return g_string_free (path, FALSE);
}

#define ERROR_NAME(name) BUS_NAME ".Error." name

static const GDBusErrorEntry entries[] = {
    {BUS_ERROR_FAILED, ERROR_NAME ("Failed")},
    {BUS_ERROR_INVALID_ARGUMENT, ERROR_NAME ("InvalidArgument")},
    {BUS_ERROR_PAUSED, ERROR_NAME ("Paused")},
    {BUS_ERROR_ENDED, ERROR_NAME ("Ended")},
    {BUS_ERROR_CONFIG, ERROR_NAME ("Config")},
    {BUS_ERROR_CERTIFICATE, ERROR_NAME ("Certificate")},
    {BUS_ERROR_AUTH, ERROR_NAME ("Auth")},
    {BUS_ERROR_KEYRING, ERROR_NAME ("Keyring")},
    {BUS_ERROR_DNS, ERROR_NAME ("Dns")},
    {BUS_ERROR_REFUSED, ERROR_NAME ("Refused")},
    {BUS_ERROR_TIMEOUT, ERROR_NAME ("Timeout")},
    {BUS_ERROR_PORTAL, ERROR_NAME ("Portal")},
    {BUS_ERROR_CAPABILITY, ERROR_NAME ("Capability")},
    {BUS_ERROR_PROTOCOL, ERROR_NAME ("Protocol")},
    {BUS_ERROR_DATABASE, ERROR_NAME ("Database")},
    {BUS_ERROR_LOCKED, ERROR_NAME ("Locked")},
    {BUS_ERROR_DISK_FULL, ERROR_NAME ("DiskFull")},
};

GQuark
bus_error_quark (void)
{
  static gsize quark;

  g_dbus_error_register_error_domain ("imapsync-bus-error", &quark, entries,
                                      G_N_ELEMENTS (entries));
  return (GQuark)quark;
}

BusError
bus_error_from (const GError *error)
{
  static const struct {
    const char *code;
    BusError error;
  } codes[] = {
      {"config", BUS_ERROR_CONFIG},
      {"certificate", BUS_ERROR_CERTIFICATE},
      {"auth", BUS_ERROR_AUTH},
      {"keyring", BUS_ERROR_KEYRING},
      {"dns", BUS_ERROR_DNS},
      {"refused", BUS_ERROR_REFUSED},
      {"timeout", BUS_ERROR_TIMEOUT},
      {"portal", BUS_ERROR_PORTAL},
      {"capability", BUS_ERROR_CAPABILITY},
      {"protocol", BUS_ERROR_PROTOCOL},
      {"database", BUS_ERROR_DATABASE},
      {"disk-full", BUS_ERROR_DISK_FULL},
  };
  const char *code = imapsync_error_code (error);

  if (error->domain == BUS_ERROR)
    return error->code;
  if (g_error_matches (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_LOCKED))
    return BUS_ERROR_LOCKED;
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++) {
    if (g_str_equal (codes[i].code, code))
      return codes[i].error;
  }
  return BUS_ERROR_FAILED;
}

void
bus_return_error (GDBusMethodInvocation *invocation, const GError *error)
{
  g_autofree char *message = g_utf8_make_valid (error->message, -1);

  g_dbus_method_invocation_return_error_literal (invocation, BUS_ERROR, bus_error_from (error),
                                                 message);
}
