/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/describe.h"

#include "sync/commit.h"
#include "sync/subject.h"

gboolean
sync_describe_is_late (const char *kind)
{
  return g_str_equal (kind, "refused") || g_str_equal (kind, "unreadable");
}

/* One message, and what its server says of it. */
typedef struct {
  StoreConflict *conflict;
  guint32 uid;
  SyncSelection *selection;
  char *subject;
  guint64 size;
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;

  sync_selection_release (&question->selection);
  g_free (question->subject);
  g_free (question);
}

static void
on_fetch (SyncSelection *selection, const ImapFetch *fetch, gpointer data)
{
  Question *question = data;

  if (fetch->uid != question->uid)
    return;
  if (fetch->items & IMAP_FETCH_SIZE)
    question->size = fetch->size;
  if (fetch->items & IMAP_FETCH_HEADER) {
    g_free (question->subject);
    question->subject = sync_subject_text (fetch->header, fetch->header_length);
  }
}

static const SyncSelectionFuncs funcs = {
    .fetch = on_fetch,
};

static SyncMailbox *
find_mailbox (SyncEngine *engine, const char *name)
{
  for (guint i = 0; i < engine->mailboxes->len; i++) {
    SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);

    if (g_str_equal (mailbox->name, name))
      return mailbox;
  }
  return NULL;
}

/* What a refusal has to say is known already. */
static void
on_answered (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
}

static void
ask (SyncEngine *engine, SyncWait *wait, StoreConflict *conflict, GPtrArray *questions)
{
  Side side = conflict->uid[SIDE_LOCAL] != 0 ? SIDE_LOCAL : SIDE_REMOTE;
  SyncMailbox *mailbox = find_mailbox (engine, conflict->mailbox);
  SyncPeer *peer = engine->peer[side];
  ImapCommand *command;
  Question *question;

  if (conflict->uid[side] == 0 || mailbox == NULL || mailbox->failed ||
      mailbox->side[side].wire == NULL)
    return;
  question = g_new0 (Question, 1);
  question->conflict = conflict;
  question->uid = conflict->uid[side];
  question->selection = sync_peer_select (peer, wait, mailbox, 0, 0, &funcs, question);
  g_ptr_array_add (questions, question);
  command = imap_command_new ("UID FETCH");
  imap_command_raw_printf (command, "%u", question->uid);
  imap_command_raw (command, "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
  sync_peer_queue_selected (peer, wait, command, on_answered, NULL, NULL);
}

static void
complete (SyncEngine *engine, const Question *question)
{
  g_autoptr (GString) details = g_string_new (question->conflict->details);

  if (question->size > 0)
    g_string_append_printf (details, "size=%" G_GUINT64_FORMAT "\n", question->size);
  if (question->subject != NULL && *question->subject != '\0') {
    g_autofree char *escaped = g_strescape (question->subject, NULL);

    g_string_append_printf (details, "subject=%s\n", escaped);
  }
  g_free (question->conflict->details);
  question->conflict->details = g_strdup (details->str);
  sync_commit_conflict (engine, question->conflict);
}

static gboolean
is_untold (SyncEngine *engine, gint64 id)
{
  for (guint i = 0; i < engine->untold->len; i++) {
    if (g_array_index (engine->untold, gint64, i) == id)
      return TRUE;
  }
  return FALSE;
}

static gboolean
ask_all (SyncEngine *engine, GPtrArray *conflicts, GError **error)
{
  g_autoptr (GPtrArray) questions = g_ptr_array_new_with_free_func (question_free);
  SyncWait wait = {.engine = engine};
  gboolean ok;

  for (guint i = 0; i < conflicts->len; i++) {
    StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (is_untold (engine, conflict->id))
      ask (engine, &wait, conflict, questions);
  }
  ok = sync_wait (&wait, error);
  for (guint i = 0; i < questions->len; i++)
    complete (engine, g_ptr_array_index (questions, i));
  return ok;
}

gboolean
sync_describe_tell (SyncEngine *engine, gboolean may_ask, GError **error)
{
  g_autoptr (GPtrArray) conflicts = NULL;
  gboolean ok = TRUE;

  if (engine->untold == NULL || engine->untold->len == 0)
    return TRUE;
  if (engine->fatal != NULL ||
      (conflicts = store_conflicts (engine->store, &engine->fatal)) == NULL)
    return sync_check_store (engine, error);
  if (may_ask)
    ok = ask_all (engine, conflicts, error);
  for (guint i = 0; engine->conflict != NULL && i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (is_untold (engine, conflict->id))
      engine->conflict (engine, conflict, engine->conflict_data);
  }
  g_array_set_size (engine->untold, 0);
  return ok && sync_check_store (engine, error);
}
