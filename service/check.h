/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/account.h"
#include "sync/inspect.h"

G_BEGIN_DECLS

/* --check: looks at both servers of each of @configs (AccountConfig), says on standard output what
 * they are, can do and hold, and changes nothing. The result is that of the worst. */
SyncResult check_accounts (const GPtrArray *configs, gboolean trace);

/* What was found out about one server, for people, on standard output. */
void check_print (const ServerSettings *server, const Inspection *inspection);

/* Why a server that lacks something cannot be synchronized, in plain words; "" where there is
 * nothing to add. Static. */
const char *check_advice (const ServerSettings *server, const Inspection *inspection);

/* The exit status that an inspection means. */
SyncResult check_result (const Inspection *inspection);

G_END_DECLS
