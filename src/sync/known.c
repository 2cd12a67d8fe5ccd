/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/known.h"

#include <string.h>

static void
known_free (gpointer data)
{
  SyncKnown *known = data;

  g_free (known->name);
  g_free (known);
}

GHashTable *
sync_known_table_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, known_free);
}

static const char *
key_of (const char *wire)
{
  return g_ascii_strcasecmp (wire, "INBOX") == 0 ? "INBOX" : wire;
}

SyncKnown *
sync_known_find (GHashTable *table, const char *wire)
{
  return g_hash_table_lookup (table, key_of (wire));
}

/* --- from a run ------------------------------------------------------------------------------ */

/* @before: what was known of it until now, or NULL. */
static SyncKnown *
known_new (const SyncMailbox *mailbox, Side side, const SyncKnown *before)
{
  SyncKnown *known = g_new0 (SyncKnown, 1);

  known->name = g_strdup (mailbox->name);
  known->uidvalidity = mailbox->side[side].uidvalidity;
  known->uidnext = mailbox->side[side].uidnext;
  known->highestmodseq = mailbox->side[side].highestmodseq;
  known->exists = mailbox->side[side].exists;
  known->passed = mailbox->touched ? g_get_monotonic_time () : 0;
  if (before != NULL) {
    known->status = before->status;
    known->idle = before->idle;
  }
  return known;
}

void
sync_known_learn (GHashTable **table, const SyncEngine *engine, Side side, gboolean whole,
                  GPtrArray *touched)
{
  g_autoptr (GHashTable) before = g_hash_table_ref (*table);

  if (whole) {
    g_hash_table_unref (*table);
    *table = sync_known_table_new ();
  }
  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);
    const char *wire = mailbox->side[side].wire;

    if (wire == NULL || mailbox->failed)
      continue;
    g_hash_table_replace (*table, g_strdup (key_of (wire)),
                          known_new (mailbox, side, sync_known_find (before, wire)));
    if (mailbox->touched)
      g_ptr_array_add (touched, g_strdup (wire));
  }
}

/* --- from notices ---------------------------------------------------------------------------- */

/* The count too: a server that is about to expunge may have told the MODSEQ of that in a SELECT
 * which still shows the messages. */
static gboolean
status_differs (const ImapStatus *status, const SyncKnown *known)
{
  return (status->items & IMAP_STATUS_UIDVALIDITY && status->uidvalidity != known->uidvalidity) ||
         (status->items & IMAP_STATUS_UIDNEXT && status->uidnext != known->uidnext) ||
         (status->items & IMAP_STATUS_HIGHESTMODSEQ &&
          status->highestmodseq != known->highestmodseq) ||
         (status->items & IMAP_STATUS_MESSAGES && known->exists >= 0 &&
          status->messages != known->exists);
}

static gboolean
same_status (const ImapStatus *status, const ImapStatus *last)
{
  return status->items == last->items && status->uidvalidity == last->uidvalidity &&
         status->uidnext == last->uidnext && status->messages == last->messages &&
         status->highestmodseq == last->highestmodseq;
}

gboolean
sync_known_take_status (SyncKnown *known, const ImapStatus *status)
{
  if (!status_differs (status, known) || same_status (status, &known->status))
    return FALSE;
  known->status = *status;
  known->status.mailbox = known->status.mailboxid = NULL;
  return TRUE;
}

/* Older numbers than ours are from before the pass. */
gboolean
sync_known_take_numbers (SyncKnown *known, const SyncIdleNumbers *numbers)
{
  const SyncIdleNumbers *last = &known->idle;

  if (numbers->uidvalidity == known->uidvalidity && numbers->uidnext <= known->uidnext &&
      numbers->highestmodseq <= known->highestmodseq)
    return FALSE;
  if (numbers->uidvalidity == last->uidvalidity && numbers->uidnext == last->uidnext &&
      numbers->highestmodseq == last->highestmodseq)
    return FALSE;
  known->idle = *numbers;
  return TRUE;
}
