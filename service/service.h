/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"

G_BEGIN_DECLS

/* All accounts at work, and what the session has for them: bus, keyring, network, signals. */
typedef struct _Service Service;

/* @paths: the configuration as given on the command line, to be read again; @configs: what it says
 * now. Takes over SIGINT and SIGTERM, and SIGHUP where the accounts stay. */
Service *service_new (const char *const *paths, GPtrArray *configs, const SyncRequest *request);
void service_free (Service *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Service, service_free)

/* Until all accounts have ended; the worst of their results, or what a process that has this very
 * account already makes of it. Runs the default GMainContext. */
SyncResult service_run (Service *service);

G_END_DECLS
