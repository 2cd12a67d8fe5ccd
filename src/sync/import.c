/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/import.h"

#include "imap/mailbox-name.h"
#include "store/interimap.h"
#include "sync/live-store.h"

#include <glib/gstdio.h>
#include <string.h>

static char *
make_name (const char *wire, GError **error)
{
  g_auto (GStrv) levels = g_strsplit (wire, (char[]){MAILBOX_NAME_SEPARATOR, '\0'}, -1);

  for (char **level = levels; *level != NULL; level++) {
    char *decoded = mailbox_name_decode (*level, error);

    if (decoded == NULL)
      return NULL;
    g_free (*level);
    *level = decoded;
  }
  if (levels[0] != NULL && g_ascii_strcasecmp (levels[0], "INBOX") == 0)
    memcpy (levels[0], "INBOX", strlen ("INBOX"));
  return g_strjoinv ((char[]){MAILBOX_NAME_SEPARATOR, '\0'}, levels);
}

/* HIGHESTMODSEQ stays 0: everything is looked at once, as nobody wrote down flags. */
static StoreMailbox *
make_mailbox (const InterimapMailbox *old, GError **error)
{
  g_autoptr (StoreMailbox) mailbox = g_new0 (StoreMailbox, 1);

  mailbox->name = make_name (old->name, error);
  if (mailbox->name == NULL)
    return NULL;
  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].uidvalidity = old->uidvalidity[side];
    mailbox->side[side].uidnext = old->uidnext[side];
    mailbox->side[side].listed = TRUE;
    mailbox->side[side].subscribed = old->subscribed;
  }
  return g_steal_pointer (&mailbox);
}

static gboolean
save_mailbox (Store *store, const InterimapMailbox *old, GError **error)
{
  g_autoptr (StoreMailbox) mailbox = make_mailbox (old, error);

  return mailbox != NULL && store_mailbox_save (store, mailbox, error) &&
         (old->pairs->len == 0 ||
          store_pairs_insert (store, mailbox->id, (const StorePair *)(gpointer)old->pairs->data,
                              old->pairs->len, error));
}

static gboolean
save_all (Store *store, GPtrArray *mailboxes, ImportFigures *figures, GError **error)
{
  if (!store_begin (store, error))
    return FALSE;
  for (guint i = 0; i < mailboxes->len; i++) {
    const InterimapMailbox *old = g_ptr_array_index (mailboxes, i);

    if (!save_mailbox (store, old, error)) {
      store_rollback (store);
      return FALSE;
    }
    figures->mailboxes++;
    figures->pairs += old->pairs->len;
  }
  return store_commit (store, error);
}

gboolean
import_interimap (const AccountConfig *config, const char *path, ImportFigures *figures,
                  GError **error)
{
  g_autoptr (GPtrArray) mailboxes = NULL;
  Store *store;
  gboolean ok;

  *figures = (ImportFigures){0};
  if (g_file_test (config->database, G_FILE_TEST_EXISTS)) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "the database %s exists already: move it away to import another one",
                 config->database);
    return FALSE;
  }
  mailboxes = interimap_load (path, error);
  store = mailboxes != NULL ? sync_live_open_store (config, FALSE, error) : NULL;
  if (store == NULL)
    return FALSE;
  ok = save_all (store, mailboxes, figures, error);
  store_close (store);
  if (!ok)
    g_unlink (config->database);
  return ok;
}
