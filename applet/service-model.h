/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "action.h"
#include "state.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define SERVICE_NAME "org.imapsync.Sync1"
#define SERVICE_PATH "/org/imapsync/Sync1"

/* Follows the service over the bus, through all its restarts. Never blocks. */
typedef struct _ServiceModel ServiceModel;

/* Starts the service if the bus can. @changed: called whenever the state is another one. */
ServiceModel *
service_model_new (GDBusConnection *bus, void (*changed) (gpointer data), gpointer data);
void service_model_free (ServiceModel *model);

const State *service_model_state (const ServiceModel *model);

/* Asks the service for what @action says; returns at once. A refusal is logged. */
void service_model_act (ServiceModel *model, const Action *action);

/* The person has seen what was told about new mail. */
void service_model_forget_new_mail (ServiceModel *model, const char *path);

G_END_DECLS
