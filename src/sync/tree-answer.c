/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/tree-answer.h"

#include "sync/gather.h"
#include "sync/list.h"
#include "sync/match.h"

#define SAMPLES 8 /* messages that prove that a mailbox is the one it was */

StoreMailbox *
sync_tree_find_saved (GPtrArray *saved, gint64 id)
{
  for (guint i = 0; i < saved->len; i++) {
    StoreMailbox *mailbox = g_ptr_array_index (saved, i);

    if (mailbox->id == id)
      return mailbox;
  }
  return NULL;
}

static StoreMailbox *
copy_saved (const StoreMailbox *saved)
{
  StoreMailbox *copy = g_memdup2 (saved, sizeof *saved);

  copy->name = g_strdup (saved->name);
  for (Side side = 0; side < N_SIDES; side++)
    copy->side[side].mailboxid = g_strdup (saved->side[side].mailboxid);
  return copy;
}

SyncMailbox *
sync_tree_mailbox (SyncEngine *engine, const StoreMailbox *saved, const char *const names[N_SIDES])
{
  SyncMailbox *mailbox = g_new0 (SyncMailbox, 1);

  mailbox->name = g_strdup (saved->name);
  mailbox->display = mailbox_name_display (saved->name, engine->peer[SIDE_LOCAL]->naming.delimiter);
  mailbox->saved = copy_saved (saved);
  for (Side side = 0; side < N_SIDES; side++) {
    if (names[side] != NULL)
      mailbox->side[side].wire =
          mailbox_name_to_wire (&engine->peer[side]->naming, names[side], NULL);
    mailbox->side[side].uidvalidity = saved->side[side].uidvalidity;
    mailbox->side[side].uidnext = saved->side[side].uidnext;
    mailbox->side[side].highestmodseq = saved->side[side].highestmodseq;
  }
  return mailbox;
}

static gboolean
ask_status (SyncEngine *engine, TreeQuestion *question, TreeNode *node, gboolean *answered,
            gboolean *refused, GError **error)
{
  g_autofree char *wire =
      mailbox_name_to_wire (&engine->peer[question->side]->naming, question->name, NULL);

  *answered = *refused = FALSE;
  if (wire == NULL)
    return TRUE;
  return sync_list_status (engine, question->side, wire, node, answered, refused, error);
}

static gboolean
answer_exists (SyncEngine *engine, TreeQuestion *question, GError **error)
{
  TreeNode node = {0};
  gboolean answered, refused;

  if (!ask_status (engine, question, &node, &answered, &refused, error))
    return FALSE;
  question->answer = answered ? TREE_ANSWER_YES : refused ? TREE_ANSWER_NO : TREE_ANSWER_UNKNOWN;
  return TRUE;
}

/* R9: an interrupted pass was about to empty and delete it there. */
static gboolean
is_being_deleted (SyncEngine *engine, const TreeQuestion *question)
{
  g_autoptr (GPtrArray) intents = store_intents (engine->store, 0, NULL);

  for (guint i = 0; intents != NULL && i < intents->len; i++) {
    const StoreIntent *intent = g_ptr_array_index (intents, i);

    if (intent->kind == STORE_INTENT_DELETE && intent->side == question->side &&
        g_strcmp0 (intent->name, question->name) == 0)
      return TRUE;
  }
  return FALSE;
}

/* What is left of it is what the pass would have expunged: as agreed, or with our \Deleted. */
static gboolean
is_remnant (SyncEngine *engine, const StoreMailbox *saved, Side side, const SyncDelta *delta,
            GError **error)
{
  FlagsId deleted = flag_table_intern_text (engine->flags, "\\Deleted");

  if (delta->trust == SYNC_TRUST_NONE)
    return FALSE;
  for (guint i = 0; i < delta->messages->len; i++) {
    const SyncMessage *message = &g_array_index (delta->messages, SyncMessage, i);
    StorePair pair;
    gboolean found;

    if (!store_pair_find (engine->store, saved->id, side, message->uid, &pair, &found, error))
      return FALSE;
    if (!found || flag_table_union (engine->flags, message->flags, deleted) !=
                      flag_table_union (engine->flags, pair.flags, deleted))
      return FALSE;
  }
  return TRUE;
}

gboolean
sync_tree_examine (SyncEngine *engine, const StoreMailbox *saved, Side side, const char *name,
                   SyncMailbox **mailbox, TreeAnswer *changed, GError **error)
{
  const char *names[N_SIDES] = {NULL, NULL};
  SyncMailbox *examined;
  GError *failure = NULL;

  *changed = TREE_ANSWER_UNKNOWN;
  names[side] = name;
  *mailbox = examined = sync_tree_mailbox (engine, saved, names);
  examined->side[side].full = TRUE;
  if (examined->side[side].wire != NULL && sync_gather_side (engine, examined, side, &failure) &&
      examined->side[side].delta != NULL)
    *changed = is_remnant (engine, saved, side, examined->side[side].delta, &failure)
                   ? TREE_ANSWER_NO
                   : TREE_ANSWER_YES;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
answer_interrupted (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question,
                    GError **error)
{
  SyncMailbox *mailbox;
  gboolean ok = sync_tree_examine (engine, saved, question->side, question->name, &mailbox,
                                   &question->answer, error);

  sync_mailbox_free (mailbox);
  return ok;
}

static gboolean
answer_changed (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question,
                GError **error)
{
  TreeNode node = {0};
  gboolean answered, refused;

  if (!ask_status (engine, question, &node, &answered, &refused, error))
    return FALSE;
  if (!answered)
    question->answer = TREE_ANSWER_UNKNOWN;
  else if (node.uidvalidity == saved->side[question->side].uidvalidity &&
           node.uidnext == saved->side[question->side].uidnext && node.highestmodseq != 0 &&
           node.highestmodseq == saved->side[question->side].highestmodseq)
    question->answer = TREE_ANSWER_NO;
  else if (is_being_deleted (engine, question))
    return answer_interrupted (engine, saved, question, error);
  else
    question->answer = TREE_ANSWER_YES;
  return TRUE;
}

/* Up to SAMPLES pairs, from the newest ones and spread over the rest. */
static gboolean
sample_pairs (SyncEngine *engine, const StoreMailbox *saved, GArray *sample)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  GError *error = NULL;
  guint step;

  if (!store_pairs_range (engine->store, saved->id, SIDE_LOCAL, 1, G_MAXUINT32, pairs, &error)) {
    g_clear_error (&engine->fatal);
    engine->fatal = error;
    return FALSE;
  }
  step = MAX (1, pairs->len / SAMPLES);
  for (guint i = 0; i < pairs->len && sample->len < SAMPLES; i += step)
    g_array_append_val (sample, g_array_index (pairs, StorePair, pairs->len - 1 - i));
  return sample->len > 0;
}

/* Where the other side has the messages: under the saved name; or an interrupted pass has renamed
 * it there already, to the name in question. NULL: nowhere. */
static gboolean
find_counterpart (SyncEngine *engine, const StoreMailbox *saved, const TreeQuestion *question,
                  const char **name, GError **error)
{
  const char *names[] = {saved->name, question->name};

  *name = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names) && *name == NULL; i++) {
    TreeQuestion other = {
        .kind = TREE_ASK_EXISTS, .side = side_other (question->side), .name = (char *)names[i]};

    if (!answer_exists (engine, &other, error))
      return FALSE;
    if (other.answer != TREE_ANSWER_NO)
      *name = names[i];
  }
  return TRUE;
}

/* The messages under the saved UIDs in the mailbox in question are those that the other side has
 * under theirs. Those that are gone from one of them say nothing. With no mailbox to compare with
 * it is not proved, and taken for a new one. */
static gboolean
answer_identity (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question,
                 GError **error)
{
  Side side = question->side, other = side_other (side);
  const char *names[N_SIDES];
  g_autoptr (GArray) sample = g_array_new (FALSE, FALSE, sizeof (StorePair));
  SyncMailbox *mailbox;
  guint same, different;
  gboolean told, ok;

  names[side] = question->name;
  if (!find_counterpart (engine, saved, question, &names[other], error))
    return FALSE;
  question->answer = TREE_ANSWER_NO;
  if (names[other] == NULL)
    return TRUE;
  question->answer = TREE_ANSWER_UNKNOWN;
  if (!sample_pairs (engine, saved, sample))
    return TRUE;
  mailbox = sync_tree_mailbox (engine, saved, names);
  for (Side s = 0; s < N_SIDES; s++) {
    mailbox->side[s].delta = sync_delta_new ();
    mailbox->side[s].delta->uidvalidity = saved->side[s].uidvalidity;
  }
  ok = mailbox->side[side].wire == NULL || mailbox->side[other].wire == NULL ||
       sync_gather_sample (engine, mailbox, sample, &same, &different, &told, error);
  if (ok && mailbox->side[side].wire != NULL && mailbox->side[other].wire != NULL && told)
    question->answer = same > 0 && different == 0 ? TREE_ANSWER_YES : TREE_ANSWER_NO;
  sync_mailbox_free (mailbox);
  return ok;
}

gboolean
sync_tree_answer (SyncEngine *engine, GPtrArray *saved, TreeQuestion *question, GError **error)
{
  const StoreMailbox *mailbox = sync_tree_find_saved (saved, question->saved_id);

  if (question->kind == TREE_ASK_EXISTS)
    return answer_exists (engine, question, error);
  if (mailbox == NULL) {
    question->answer = TREE_ANSWER_UNKNOWN;
    return TRUE;
  }
  if (question->kind == TREE_ASK_CHANGED)
    return answer_changed (engine, mailbox, question, error);
  return answer_identity (engine, mailbox, question, error);
}
