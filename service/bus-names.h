/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What the service is called on the session bus, and which of its errors mean what. */
#define BUS_NAME         "org.imapsync.Sync1"
#define BUS_PATH         "/org/imapsync/Sync1"
#define BUS_ACCOUNT_PATH BUS_PATH "/account/"

/* The object of the account @id, escaped as sd_bus_path_encode() does. (transfer full) */
char *bus_account_path (const char *id);

#define BUS_ERROR (bus_error_quark ())
GQuark bus_error_quark (void);

/* org.imapsync.Sync1.Error.NAME. Using the quark registers the names for both directions. */
typedef enum {
  BUS_ERROR_FAILED,
  BUS_ERROR_INVALID_ARGUMENT,
  BUS_ERROR_PAUSED,
  BUS_ERROR_ENDED, /* the account is not at work any more */
  BUS_ERROR_CONFIG,
  BUS_ERROR_CERTIFICATE,
  BUS_ERROR_AUTH,
  BUS_ERROR_KEYRING,
  BUS_ERROR_DNS,
  BUS_ERROR_REFUSED,
  BUS_ERROR_TIMEOUT,
  BUS_ERROR_PORTAL,
  BUS_ERROR_CAPABILITY,
  BUS_ERROR_PROTOCOL,
  BUS_ERROR_DATABASE,
  BUS_ERROR_LOCKED,
  BUS_ERROR_DISK_FULL,
} BusError;

/* The word of the bus for an error of the engine; BUS_ERROR_FAILED where it has none. */
BusError bus_error_from (const GError *error);

/* Answers @invocation with @error. (transfer full): @invocation */
void bus_return_error (GDBusMethodInvocation *invocation, const GError *error);

G_END_DECLS
