/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "check.h"

#include "secrets.h"

#include <glib/gi18n.h>
#include <string.h>

#define PATIENCE 60 /* seconds, for the keyring */

/* --- passwords ------------------------------------------------------------------------------- */

typedef struct {
  ServerSettings *server;
  gboolean answered;
  gboolean locked;
} Wanted;

static void
on_secret (const char *account, Side side, Password *password, gboolean locked, gpointer data)
{
  Wanted *wanted = data;

  wanted->answered = TRUE;
  wanted->locked = locked;
  if (password != NULL && wanted->server->password == NULL)
    wanted->server->password = password_ref (password);
}

static gboolean
on_patience (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

/* From the keyring, where the configuration does not say it. */
static GError *
find_password (const char *account, ServerSettings *server)
{
  Wanted wanted = {.server = server};
  g_autoptr (Secrets) secrets = NULL;
  gboolean over = FALSE;
  guint timer;

  if (!server_settings_lacks_password (server))
    return NULL;
  secrets = secrets_new (on_secret, &wanted);
  secrets_want (secrets, account, server->side);
  timer = g_timeout_add_seconds (PATIENCE, on_patience, &over);
  while (!wanted.answered && !over)
    g_main_context_iteration (NULL, TRUE);
  if (!over)
    g_source_remove (timer);
  if (server->password != NULL)
    return NULL;
  return g_error_new (IMAPSYNC_ERROR, IMAPSYNC_ERROR_KEYRING,
                      wanted.locked
                          ? "the keyring with the password of the %s server is locked"
                          : "there is no password for the %s server: neither in the configuration "
                            "nor in the keyring",
                      side_name (server->side));
}

/* --- words ----------------------------------------------------------------------------------- */

static gboolean
is_host_of (const ServerSettings *server, const char *const *domains)
{
  for (; server->host != NULL && *domains != NULL; domains++) {
    gsize host = strlen (server->host), domain = strlen (*domains);

    if (host >= domain && g_ascii_strcasecmp (server->host + host - domain, *domains) == 0 &&
        (host == domain || server->host[host - domain - 1] == '.'))
      return TRUE;
  }
  return FALSE;
}

const char *
check_advice (const ServerSettings *server, const Inspection *inspection)
{
  static const char *const google[] = {"gmail.com", "googlemail.com", "google.com", NULL};
  static const char *const microsoft[] = {"outlook.com", "office365.com", "hotmail.com", "live.com",
                                          NULL};

  if (is_host_of (server, google))
    return _ ("Gmail does not offer QRESYNC, by which imapsync learns what changed: it cannot be\n"
              "synchronized. mbsync and OfflineIMAP work with Gmail.");
  if (is_host_of (server, microsoft))
    return _ (
        "Outlook does not offer QRESYNC, by which imapsync learns what changed: it cannot be\n"
        "synchronized. mbsync and OfflineIMAP work with Outlook.");
  if (g_error_matches (inspection->error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CAPABILITY))
    return _ ("imapsync learns from these extensions what changed, and cannot do without them.\n"
              "Dovecot and Cyrus have them all; mbsync and OfflineIMAP do without.");
  return "";
}

static void
print_mailbox (const InspectedMailbox *mailbox)
{
  g_autofree char *size = NULL;

  if (!mailbox->selectable) {
    g_print ("    %s\n", mailbox->name);
    return;
  }
  size = mailbox->has_size ? g_format_size_full (mailbox->size, G_FORMAT_SIZE_IEC_UNITS) : NULL;
  g_print ("    %s: ", mailbox->name);
  g_print (ngettext ("%'lu message", "%'lu messages", (gulong)mailbox->messages),
           (gulong)mailbox->messages);
  g_print ("%s%s%s\n", size != NULL ? ", " : "", size != NULL ? size : "",
           mailbox->subscribed ? "" : _ (", not subscribed"));
}

static void
print_certificate (const Inspection *inspection)
{
  if (inspection->tls == NULL)
    return;
  g_print (_ ("  encryption: %s\n"), inspection->tls);
  g_print (_ ("  certificate: %s\n"), inspection->subject != NULL ? inspection->subject : "?");
  g_print (_ ("    issued by %s, valid until %s\n"),
           inspection->issuer != NULL ? inspection->issuer : "?",
           inspection->expires != NULL ? inspection->expires : "?");
  if (inspection->fingerprint != NULL)
    g_print ("    SSL_fingerprint=%s\n", inspection->fingerprint);
}

void
check_print (const ServerSettings *server, const Inspection *inspection)
{
  g_autofree char *name = server_settings_describe (server);
  const char *advice = check_advice (server, inspection);

  g_print ("[%s] %s\n", side_name (server->side), name);
  if (inspection->is_new) {
    g_print ("%s", _ ("  a new store: it is made by the first synchronization\n"));
    return;
  }
  print_certificate (inspection);
  if (inspection->capabilities != NULL && *inspection->capabilities != '\0')
    g_print (_ ("  capabilities: %s\n"), inspection->capabilities);
  if (inspection->error == NULL) {
    g_print ("%s", _ ("  it can be synchronized\n"));
    g_print (_ ("  mailboxes: %u\n"), inspection->mailboxes->len);
    for (guint i = 0; i < inspection->mailboxes->len; i++)
      print_mailbox (g_ptr_array_index (inspection->mailboxes, i));
    return;
  }
  g_print (_ ("  it cannot be synchronized: %s\n"), inspection->error->message);
  if (*advice != '\0') {
    g_auto (GStrv) lines = g_strsplit (advice, "\n", -1);

    for (char **line = lines; *line != NULL; line++)
      g_print ("  %s\n", *line);
  }
}

SyncResult
check_result (const Inspection *inspection)
{
  if (inspection->error == NULL)
    return SYNC_RESULT_OK;
  return g_error_matches (inspection->error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG)
             ? SYNC_RESULT_CONFIG
             : SYNC_RESULT_CONNECTION;
}

/* --- what is asked for ----------------------------------------------------------------------- */

static SyncResult
check_server (const AccountConfig *config, Side side, gboolean trace)
{
  g_autoptr (ServerSettings) server = server_settings_copy (config->server[side]);
  GError *error = find_password (config->id, server);
  g_autoptr (Inspection) inspection = NULL;

  if (error == NULL) {
    inspection = inspect_server (server, trace);
  } else {
    inspection = inspection_new ();
    inspection->error = error;
  }
  check_print (server, inspection);
  return check_result (inspection);
}

SyncResult
check_accounts (const GPtrArray *configs, gboolean trace)
{
  SyncResult worst = SYNC_RESULT_OK;

  for (guint i = 0; i < configs->len; i++) {
    const AccountConfig *config = g_ptr_array_index (configs, i);

    g_print ("%s%s\n", i > 0 ? "\n" : "", config->path);
    for (Side side = 0; side < N_SIDES; side++) {
      SyncResult result = check_server (config, side, trace);

      worst = MAX (worst, result);
    }
  }
  return worst;
}
