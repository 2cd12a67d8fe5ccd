/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "account-config.h"

G_BEGIN_DECLS

/* A look at one server, for --check and --setup: who it is, what it can do, what it holds. Changes
 * nothing there. */

typedef struct {
  char *name; /* for people, as the server spells it */
  gboolean selectable;
  gboolean subscribed;
  gboolean has_size;
  guint64 messages;
  guint64 size; /* bytes, where has_size */
} InspectedMailbox;

typedef struct {
  GError *error;   /* NULL: it can be synchronized. IMAPSYNC_ERROR_CAPABILITY names what it lacks */
  gboolean is_new; /* a local store that is still to be made: nothing below is known */
  char *capabilities; /* "" where it did not come that far */
  /* Of its certificate; NULL without TLS, or where it did not come that far. */
  char *subject;
  char *issuer;
  char *expires;        /* the day, YYYY-MM-DD */
  char *fingerprint;    /* as SSL_fingerprint wants it */
  const char *tls;      /* "TLS 1.3"; static */
  GPtrArray *mailboxes; /* InspectedMailbox, by name */
} Inspection;

/* An empty one. (transfer full) */
Inspection *inspection_new (void);
void inspection_free (Inspection *inspection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Inspection, inspection_free)

/* Connects, logs in, lists, and logs out; returns when that is done, after @server->timeout at the
 * latest where nothing answers. The password is @server's. Uses a GMainContext of its own. @trace:
 * the traffic as debug messages. (transfer full) */
Inspection *inspect_server (const ServerSettings *server, gboolean trace);

G_END_DECLS
