/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/collect.h"

#include "log-account.h"
#include "sync/gather.h"
#include "sync/named.h"

static TreeNode *
find_node (GHashTable *nodes, const char *name)
{
  return g_hash_table_lookup (nodes, name);
}

static GHashTable *
index_tree (GPtrArray *tree)
{
  GHashTable *nodes = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < tree->len; i++) {
    TreeNode *node = g_ptr_array_index (tree, i);

    if (!node->unusable)
      g_hash_table_insert (nodes, node->name, node);
  }
  return nodes;
}

static gboolean
numbers_differ (const SyncMailbox *mailbox, Side side, const TreeNode *node, guint64 expected)
{
  const StoreMailbox *saved = mailbox->saved;

  return node == NULL || node->uidvalidity == 0 || node->highestmodseq == 0 ||
         node->uidvalidity != saved->side[side].uidvalidity ||
         node->uidnext != saved->side[side].uidnext ||
         node->highestmodseq != saved->side[side].highestmodseq || node->messages != expected;
}

static gboolean
is_due (const SyncEngine *engine, const StoreHold *hold, gint64 now)
{
  if (hold->uid == 0)
    return FALSE;
  if (hold->kind == STORE_HOLD_METERED)
    return !engine->light;
  return engine->repair || (hold->retry_at != 0 && hold->retry_at <= now);
}

gboolean
sync_collect_holds (SyncEngine *engine, SyncMailbox *mailbox, guint64 held[N_SIDES], GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  held[SIDE_LOCAL] = held[SIDE_REMOTE] = 0;
  g_clear_pointer (&mailbox->holds, g_ptr_array_unref);
  mailbox->holds = store_holds (engine->store, mailbox->saved->id, error);
  if (mailbox->holds == NULL)
    return FALSE;
  for (guint i = 0; i < mailbox->holds->len;) {
    const StoreHold *hold = g_ptr_array_index (mailbox->holds, i);

    if (hold->uid != 0 && hold->kind != STORE_HOLD_FLAGS && hold->kind != STORE_HOLD_EXPUNGE)
      held[hold->side]++;
    if (!is_due (engine, hold, now)) {
      i++;
      continue;
    }
    if (mailbox->due[hold->side] == NULL)
      mailbox->due[hold->side] = uid_set_new ();
    uid_set_add (mailbox->due[hold->side], hold->uid);
    g_ptr_array_remove_index (mailbox->holds, i);
  }
  return TRUE;
}

static gboolean
judge (SyncEngine *engine, SyncMailbox *mailbox, GHashTable *nodes[N_SIDES],
       GHashTable *with_intents, GError **error)
{
  guint64 held[N_SIDES];

  if (!sync_collect_holds (engine, mailbox, held, error) ||
      !store_pairs_count (engine->store, mailbox->saved->id, &mailbox->n_pairs, error))
    return FALSE;
  mailbox->dirty = engine->repair || engine->full_check || mailbox->due[SIDE_LOCAL] != NULL ||
                   mailbox->due[SIDE_REMOTE] != NULL ||
                   g_hash_table_contains (with_intents, &mailbox->saved->id);
  for (Side side = 0; side < N_SIDES; side++) {
    const TreeNode *node = find_node (nodes[side], mailbox->name);

    mailbox->side[side].uidvalidity = mailbox->saved->side[side].uidvalidity;
    mailbox->side[side].uidnext = mailbox->saved->side[side].uidnext;
    mailbox->side[side].highestmodseq = mailbox->saved->side[side].highestmodseq;
    mailbox->side[side].full = engine->repair || engine->full_check;
    mailbox->side[side].expect_new =
        node == NULL || node->uidnext != mailbox->saved->side[side].uidnext;
    mailbox->side[side].exists = (gint64)(mailbox->n_pairs + held[side]);
    mailbox->dirty |= numbers_differ (mailbox, side, node, mailbox->n_pairs + held[side]);
  }
  return TRUE;
}

static SyncMailbox *
make_mailbox (SyncEngine *engine, StoreMailbox *saved)
{
  SyncMailbox *mailbox = g_new0 (SyncMailbox, 1);

  mailbox->name = g_strdup (saved->name);
  mailbox->display = mailbox_name_display (saved->name, engine->peer[SIDE_LOCAL]->naming.delimiter);
  mailbox->saved = saved;
  for (Side side = 0; side < N_SIDES; side++) {
    g_autoptr (GError) error = NULL;

    mailbox->side[side].wire =
        mailbox_name_to_wire (&engine->peer[side]->naming, saved->name, &error);
    if (error != NULL)
      sync_mailbox_fail (engine, mailbox, side, error->message);
  }
  return mailbox;
}

static gboolean
is_selectable (GHashTable *nodes[N_SIDES], const char *name)
{
  for (Side side = 0; side < N_SIDES; side++) {
    const TreeNode *node = find_node (nodes[side], name);

    if (node != NULL && !node->selectable)
      return FALSE;
  }
  return TRUE;
}

/* A dry run has not created, renamed or deleted what is on one side alone: that was told. */
static gboolean
is_pending (const SyncEngine *engine, GHashTable *nodes[N_SIDES], const char *name)
{
  return engine->dry_run && (find_node (nodes[SIDE_LOCAL], name) == NULL ||
                             find_node (nodes[SIDE_REMOTE], name) == NULL);
}

/* Its names may stand for another mailbox on one side. */
static gboolean
is_unsettled (SyncEngine *engine, const StoreMailbox *saved)
{
  return engine->unsettled != NULL && g_hash_table_contains (engine->unsettled, &saved->id);
}

static GHashTable *
mailboxes_with_intents (SyncEngine *engine, GError **error)
{
  g_autoptr (GArray) ids = store_intent_mailboxes (engine->store, error);
  GHashTable *set;

  if (ids == NULL)
    return NULL;
  set = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < ids->len; i++)
    g_hash_table_add (set, g_memdup2 (&g_array_index (ids, gint64, i), sizeof (gint64)));
  return set;
}

static gboolean
collect_listed (SyncEngine *engine, SyncChoice *choice, const char *const *mailboxes,
                GPtrArray *trees[N_SIDES], GError **error)
{
  g_autoptr (GPtrArray) saved = store_mailboxes (engine->store, error);
  g_autoptr (GHashTable) with_intents = NULL;
  g_autoptr (GHashTable) local = index_tree (trees[SIDE_LOCAL]);
  g_autoptr (GHashTable) remote = index_tree (trees[SIDE_REMOTE]);
  GHashTable *nodes[N_SIDES] = {local, remote};

  if (saved == NULL || (with_intents = mailboxes_with_intents (engine, error)) == NULL)
    return FALSE;
  for (guint i = 0; i < saved->len; i++) {
    StoreMailbox *one = g_steal_pointer (&g_ptr_array_index (saved, i));
    gboolean subscribed = one->side[SIDE_LOCAL].subscribed || one->side[SIDE_REMOTE].subscribed;
    SyncMailbox *mailbox;

    if (!one->side[SIDE_LOCAL].listed || !one->side[SIDE_REMOTE].listed ||
        is_unsettled (engine, one) || !is_selectable (nodes, one->name) ||
        is_pending (engine, nodes, one->name) ||
        !sync_choice_includes (choice, one->name, subscribed)) {
      store_mailbox_free (one);
      continue;
    }
    mailbox = make_mailbox (engine, one);
    g_ptr_array_add (engine->mailboxes, mailbox);
    if (!mailbox->failed && !judge (engine, mailbox, nodes, with_intents, error))
      return FALSE;
  }
  return engine->dry_run || sync_named_tell (engine, choice, mailboxes, trees, error);
}

gboolean
sync_collect_listed (SyncEngine *engine, SyncChoice *choice, const char *const *mailboxes,
                     GPtrArray *trees[N_SIDES], GError **error)
{
  gboolean ok;

  store_begin_reading (engine->store);
  ok = collect_listed (engine, choice, mailboxes, trees, error);
  store_end_reading (engine->store);
  return ok;
}

gboolean
sync_collect_marked (SyncEngine *engine, const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) saved = store_mailboxes (engine->store, error);

  if (saved == NULL)
    return FALSE;
  for (guint i = 0; i < saved->len; i++) {
    StoreMailbox *one = g_steal_pointer (&g_ptr_array_index (saved, i));
    SyncMailbox *mailbox;

    if (!g_strv_contains (names, one->name) || !one->side[SIDE_LOCAL].listed ||
        !one->side[SIDE_REMOTE].listed || is_unsettled (engine, one)) {
      store_mailbox_free (one);
      continue;
    }
    mailbox = make_mailbox (engine, one);
    g_ptr_array_add (engine->mailboxes, mailbox);
    mailbox->dirty = !mailbox->failed;
    for (Side side = 0; side < N_SIDES; side++) {
      mailbox->side[side].uidvalidity = one->side[side].uidvalidity;
      mailbox->side[side].uidnext = one->side[side].uidnext;
      mailbox->side[side].highestmodseq = one->side[side].highestmodseq;
      mailbox->side[side].exists = -1;
      mailbox->side[side].expect_new = TRUE;
    }
  }
  return TRUE;
}

SyncMailbox *
sync_collect_other (SyncEngine *engine, gint64 id, GError **error)
{
  g_autoptr (GPtrArray) saved = NULL;
  SyncMailbox *mailbox = NULL;

  for (guint i = 0; i < engine->mailboxes->len; i++) {
    mailbox = g_ptr_array_index (engine->mailboxes, i);
    if (mailbox->saved->id == id)
      return mailbox->failed ? NULL : mailbox;
  }
  if ((saved = store_mailboxes (engine->store, error)) == NULL)
    return NULL;
  for (guint i = 0; i < saved->len; i++) {
    const StoreMailbox *one = g_ptr_array_index (saved, i);

    if (one->id != id)
      continue;
    if (!one->side[SIDE_LOCAL].listed || !one->side[SIDE_REMOTE].listed)
      return NULL;
    mailbox = make_mailbox (engine, g_ptr_array_steal_index (saved, i));
    g_ptr_array_add (engine->mailboxes, mailbox);
    return mailbox->failed ? NULL : mailbox;
  }
  return NULL;
}
