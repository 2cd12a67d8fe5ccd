/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "secrets.h"
#include "sync/account.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* An account on the bus: calls become commands of the engine, what it tells becomes properties and
 * signals. Exists with and without a bus. */
typedef struct _AccountObject AccountObject;

/* @account and @secrets have to live until account_object_ended() or _free(). */
AccountObject *
account_object_new (const AccountConfig *config, SyncAccount *account, Secrets *secrets);
void account_object_free (AccountObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AccountObject, account_object_free)

/* What goes to the object manager. (transfer none) */
GDBusObjectSkeleton *account_object_skeleton (AccountObject *object);

/* From the engine's listener. */
void account_object_changed (AccountObject *object, const SyncSnapshot *snapshot);
void account_object_passed (AccountObject *object, const SyncReport *report);
void account_object_conflict (AccountObject *object, const SyncConflictRecord *conflict);
void account_object_resolved (AccountObject *object, guint64 id);
/* Who still waits is answered; from here on every call is. */
void account_object_ended (AccountObject *object, SyncResult result);

/* For what is said of all accounts. */
SyncStatus account_object_status (AccountObject *object);
guint account_object_conflicts (AccountObject *object);

/* The figures of SyncFinished. (transfer floating) */
GVariant *account_figures (const SyncReport *report);

/* A record's details and time as a{sv}. (transfer floating) */
GVariant *account_details (const SyncConflictRecord *conflict);

/* Whether @time can be the end of a pause. */
gboolean account_check_time (guint64 time, GError **error);

G_END_DECLS
