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

static const char *
find_proved (const GPtrArray *answers, const TreeQuestion *question)
{
  for (guint i = 0; i < answers->len; i++) {
    const TreeQuestion *one = g_ptr_array_index (answers, i);

    if (one->kind == TREE_ASK_IDENTITY && one->saved_id == question->saved_id &&
        one->side != question->side && one->answer == TREE_ANSWER_YES)
      return one->name;
  }
  return NULL;
}

/* Where the other side has the messages: where it was found; or under the saved name; or an
 * interrupted pass has renamed it there already, to the name in question. NULL: nowhere. What has
 * another UIDVALIDITY than the saved one has other messages, or the same ones under other UIDs:
 * nothing to compare with. */
static gboolean
find_counterpart (SyncEngine *engine, const StoreMailbox *saved, const TreeQuestion *question,
                  const char *proved, const char **name, GError **error)
{
  const char *names[] = {saved->name, question->name};
  Side side = side_other (question->side);

  *name = proved;
  for (gsize i = 0; i < G_N_ELEMENTS (names) && *name == NULL; i++) {
    TreeQuestion other = {.side = side, .name = (char *)names[i]};
    TreeNode node = {0};
    gboolean answered, refused;

    if (!ask_status (engine, &other, &node, &answered, &refused, error))
      return FALSE;
    if (answered ? node.uidvalidity == saved->side[side].uidvalidity : !refused)
      *name = names[i];
  }
  return TRUE;
}

static SyncMailbox *
make_sampled (SyncEngine *engine, const StoreMailbox *saved, const char *const names[N_SIDES])
{
  SyncMailbox *mailbox = sync_tree_mailbox (engine, saved, names);

  for (Side side = 0; side < N_SIDES; side++) {
    mailbox->side[side].delta = sync_delta_new ();
    mailbox->side[side].delta->uidvalidity = saved->side[side].uidvalidity;
  }
  return mailbox;
}

/* Equal ids of the server's own prove it, whatever became of the other side's mailbox. */
static gboolean
answer_by_guids (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question,
                 GError **error)
{
  g_autoptr (GArray) sample = g_array_new (FALSE, FALSE, sizeof (StorePair));
  const char *names[N_SIDES] = {NULL, NULL};
  SyncMailbox *mailbox;
  guint same = 0;
  gboolean ok = TRUE;

  if (saved == NULL || !sample_pairs (engine, saved, sample))
    return TRUE;
  names[question->side] = question->name;
  mailbox = make_sampled (engine, saved, names);
  if (mailbox->side[question->side].wire != NULL)
    ok = sync_gather_guids (engine, mailbox, question->side, sample, &same, error);
  if (same > 0)
    question->answer = TREE_ANSWER_YES;
  sync_mailbox_free (mailbox);
  return ok;
}

/* The messages under the saved UIDs in the mailbox in question are those that the other side has
 * under theirs. Those that are gone from one of them say nothing. With no mailbox to compare with
 * it is not proved, and taken for a new one. */
static gboolean
answer_by_messages (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question,
                    const char *proved, GError **error)
{
  Side side = question->side, other = side_other (side);
  g_autoptr (GArray) sample = g_array_new (FALSE, FALSE, sizeof (StorePair));
  const char *names[N_SIDES];
  SyncMailbox *mailbox;
  guint same, different;
  gboolean told, ok;

  names[side] = question->name;
  if (!find_counterpart (engine, saved, question, proved, &names[other], error))
    return FALSE;
  question->answer = TREE_ANSWER_NO;
  if (names[other] == NULL)
    return TRUE;
  question->answer = TREE_ANSWER_UNKNOWN;
  if (!sample_pairs (engine, saved, sample))
    return TRUE;
  mailbox = make_sampled (engine, saved, names);
  ok = mailbox->side[side].wire == NULL || mailbox->side[other].wire == NULL ||
       sync_gather_sample (engine, mailbox, sample, &same, &different, &told, error);
  if (ok && mailbox->side[side].wire != NULL && mailbox->side[other].wire != NULL && told)
    question->answer = same > 0 && different == 0 ? TREE_ANSWER_YES : TREE_ANSWER_NO;
  sync_mailbox_free (mailbox);
  return ok;
}

static gboolean
answer (SyncEngine *engine, const StoreMailbox *saved, TreeQuestion *question, const char *proved,
        GError **error)
{
  if (question->kind == TREE_ASK_EXISTS)
    return answer_exists (engine, question, error);
  question->answer = TREE_ANSWER_UNKNOWN;
  if (saved == NULL)
    return TRUE;
  if (question->kind == TREE_ASK_CHANGED)
    return answer_changed (engine, saved, question, error);
  return answer_by_messages (engine, saved, question, proved, error);
}

/* What a side can prove alone comes first: the other side's is compared with that. */
gboolean
sync_tree_answer (SyncEngine *engine, GPtrArray *saved, GPtrArray *questions,
                  const GPtrArray *answers, GError **error)
{
  for (guint i = 0; i < questions->len; i++) {
    TreeQuestion *question = g_ptr_array_index (questions, i);
    const StoreMailbox *mailbox = sync_tree_find_saved (saved, question->saved_id);

    if (question->kind == TREE_ASK_IDENTITY && !answer_by_guids (engine, mailbox, question, error))
      return FALSE;
  }
  for (guint i = 0; i < questions->len; i++) {
    TreeQuestion *question = g_ptr_array_index (questions, i);
    const StoreMailbox *mailbox = sync_tree_find_saved (saved, question->saved_id);
    const char *proved = find_proved (questions, question);

    if (proved == NULL)
      proved = find_proved (answers, question);
    if (question->answer == TREE_ANSWER_NONE && !answer (engine, mailbox, question, proved, error))
      return FALSE;
  }
  return TRUE;
}
