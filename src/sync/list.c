/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/list.h"

#include <string.h>

#define STATUS_ITEMS "MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ"

/* One LIST line and what STATUS said of it. */
typedef struct {
  char *wire;
  ImapListFlags flags;
  char delimiter;
  gboolean has_status;
  gboolean left_out; /* by the first LIST */
  ImapStatus status; /* its strings are not used */
  char *mailboxid;
} SyncListed;

static void
listed_free (gpointer data)
{
  SyncListed *listed = data;

  g_free (listed->wire);
  g_free (listed->mailboxid);
  g_free (listed);
}

static void
listing_begin (SyncPeer *peer)
{
  g_clear_pointer (&peer->listing, g_ptr_array_unref);
  g_clear_pointer (&peer->listing_index, g_hash_table_unref);
  peer->listing = g_ptr_array_new_with_free_func (listed_free);
  peer->listed_all = FALSE;
  peer->listing_index = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

static void
listing_end (SyncPeer *peer)
{
  g_clear_pointer (&peer->listing, g_ptr_array_unref);
  g_clear_pointer (&peer->listing_index, g_hash_table_unref);
}

/* INBOX in any case is one and the same, and STATUS echoes the spelling that was asked for. */
static char *
listing_key (const char *wire)
{
  return g_strdup (g_ascii_strcasecmp (wire, "INBOX") == 0 ? "INBOX" : wire);
}

static SyncListed *
listing_add (SyncPeer *peer, const char *wire)
{
  SyncListed *listed = g_new0 (SyncListed, 1);

  listed->wire = g_strdup (wire);
  g_ptr_array_add (peer->listing, listed);
  g_hash_table_insert (peer->listing_index, listing_key (wire), listed);
  return listed;
}

static SyncListed *
listing_find (SyncPeer *peer, const char *wire)
{
  g_autofree char *key = listing_key (wire);

  return g_hash_table_lookup (peer->listing_index, key);
}

/* The second LIST, of what is subscribed, only adds to the first: Dovecot forgets to say that an
 * INBOX is subscribed which nobody has opened yet. */
static void
receive_list (SyncPeer *peer, const ImapList *list)
{
  SyncListed *listed = listing_find (peer, list->mailbox);

  if (listed != NULL) {
    listed->flags |= list->flags & IMAP_LIST_SUBSCRIBED;
    return;
  }
  if (list->flags & IMAP_LIST_SUBSCRIBED && list->flags & IMAP_LIST_NONEXISTENT)
    return; /* a subscription that outlived its mailbox */
  listed = listing_add (peer, list->mailbox);
  listed->left_out = peer->listed_all;
  listed->flags = list->flags;
  listed->delimiter = list->delimiter;
}

static void
receive_status (SyncPeer *peer, const ImapStatus *status)
{
  SyncListed *listed = listing_find (peer, status->mailbox);

  if (listed == NULL)
    return;
  if (status->items & IMAP_STATUS_MAILBOXID) {
    g_free (listed->mailboxid);
    listed->mailboxid = g_strdup (status->mailboxid);
  }
  if (!(status->items & ~IMAP_STATUS_MAILBOXID))
    return;
  listed->has_status = TRUE;
  listed->status = *status;
}

/* --- what NOTIFY tells of names (RFC 5465, section 5.4) -------------------------------------- */

/* Since the tree was saved last. */
typedef struct {
  char *old;          /* wire: it was called so then */
  gboolean gone;      /* what had this name then was deleted or renamed */
  gboolean recreated; /* and this one was made after that */
} SyncHeard;

static void
heard_free (gpointer data)
{
  SyncHeard *heard = data;

  g_free (heard->old);
  g_free (heard);
}

static SyncHeard *
find_heard (SyncPeer *peer, const char *wire)
{
  SyncHeard *heard;

  if (peer->heard == NULL)
    peer->heard = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, heard_free);
  if ((heard = g_hash_table_lookup (peer->heard, wire)) != NULL)
    return heard;
  heard = g_new0 (SyncHeard, 1);
  g_hash_table_insert (peer->heard, g_strdup (wire), heard);
  return heard;
}

static void
hear_gone (SyncHeard *heard)
{
  g_clear_pointer (&heard->old, g_free);
  heard->gone = TRUE;
  heard->recreated = FALSE;
}

static void
hear_renamed (SyncPeer *peer, const char *from, const char *to)
{
  SyncHeard *source = find_heard (peer, from);
  g_autofree char *old = source->recreated     ? NULL
                         : source->old != NULL ? g_strdup (source->old)
                                               : g_strdup (from);
  SyncHeard *target;

  hear_gone (source);
  target = find_heard (peer, to);
  g_free (target->old);
  target->old = g_steal_pointer (&old);
  target->recreated = target->gone && target->old == NULL;
}

static void
hear (SyncPeer *peer, const ImapList *list)
{
  SyncHeard *heard;

  if (list->oldname != NULL) {
    hear_renamed (peer, list->oldname, list->mailbox);
  } else if (list->flags & IMAP_LIST_NONEXISTENT) {
    hear_gone (find_heard (peer, list->mailbox));
  } else if (peer->heard != NULL &&
             (heard = g_hash_table_lookup (peer->heard, list->mailbox)) != NULL &&
             heard->old == NULL) {
    heard->recreated = heard->gone;
  }
}

void
sync_list_forget_heard (SyncPeer *peer)
{
  g_clear_pointer (&peer->heard, g_hash_table_unref);
}

/* What it was called when a parent of it was renamed: servers tell of the parent alone. */
static char *
old_name_of_child (SyncPeer *peer, const char *wire)
{
  g_autoptr (GString) above = g_string_new (wire);
  const MailboxNamespace *space = mailbox_naming_find (&peer->naming, wire);
  const char delimiter = space != NULL ? space->delimiter : peer->naming.delimiter;
  const char *end;

  while (delimiter != 0 && (end = strrchr (above->str, delimiter)) != NULL) {
    const SyncHeard *heard;

    g_string_truncate (above, end - above->str);
    heard = g_hash_table_lookup (peer->heard, above->str);
    if (heard != NULL && heard->old != NULL)
      return g_strconcat (heard->old, wire + above->len, NULL);
  }
  return NULL;
}

static void
add_heard (SyncPeer *peer, const char *wire, TreeNode *node)
{
  g_autofree char *old = NULL;
  const SyncHeard *heard;

  if (peer->heard == NULL)
    return;
  heard = g_hash_table_lookup (peer->heard, wire);
  node->recreated = heard != NULL && heard->recreated;
  if (heard == NULL || !heard->recreated)
    old = heard != NULL && heard->old != NULL ? g_strdup (heard->old)
                                              : old_name_of_child (peer, wire);
  if (old != NULL)
    node->old_name = mailbox_name_from_wire (&peer->naming, old, NULL);
  node->renamed_from_known = node->old_name != NULL;
}

/* --- namespaces ------------------------------------------------------------------------------ */

/* What all names begin with there: the option may have it in UTF-8, and without the delimiter at
 * its end. */
static char *
make_reference (const char *option, char delimiter)
{
  g_autofree char *decoded = mailbox_name_decode (option, NULL);
  g_autofree char *wire = mailbox_name_encode (decoded != NULL ? decoded : option);
  const char end[] = {delimiter, '\0'};

  return g_strconcat (wire, g_str_has_suffix (wire, end) ? "" : end, NULL);
}

static void
set_naming (SyncPeer *peer, const char *prefix, char delimiter)
{
  const char *reference = peer->engine->config->server[peer->side]->list_reference;

  g_free (peer->naming.prefix);
  peer->naming.prefix =
      reference != NULL ? make_reference (reference, delimiter) : g_strdup (prefix);
  peer->naming.delimiter = delimiter;
  peer->naming.is_reference = reference != NULL;
}

static void
receive_namespace (SyncPeer *peer, const ImapNamespace *namespace)
{
  set_naming (peer, namespace->prefix, namespace->delimiter);
  g_clear_pointer (&peer->naming.others, g_ptr_array_unref);
  peer->naming.others = g_ptr_array_new_with_free_func ((GDestroyNotify)mailbox_namespace_free);
  for (gsize i = 0; i < namespace->n_others; i++) {
    const ImapOtherNamespace *other = &namespace->others[i];

    /* Below a reference there is one tree, wherever it lies. */
    if (other->shared || !peer->naming.is_reference)
      g_ptr_array_add (peer->naming.others,
                       mailbox_namespace_new (other->prefix, other->delimiter, other->shared));
  }
}

void
sync_list_receive (SyncPeer *peer, const ImapResponse *response)
{
  if (response->type == IMAP_RESPONSE_NAMESPACE)
    receive_namespace (peer, &response->namespace);
  if (response->type == IMAP_RESPONSE_LIST &&
      (peer->listing == NULL || response->list.oldname != NULL))
    hear (peer, &response->list);
  if (peer->listing == NULL) {
    if (peer->notice != NULL)
      peer->notice (peer, response, peer->notice_data);
    return;
  }
  if (response->type == IMAP_RESPONSE_LIST)
    receive_list (peer, &response->list);
  else if (response->type == IMAP_RESPONSE_STATUS)
    receive_status (peer, &response->status);
}

/* --- listing --------------------------------------------------------------------------------- */

/* A reference into a shared namespace is somebody's choice. */
static gboolean
is_personal (SyncPeer *peer, const char *wire)
{
  const MailboxNamespace *space = mailbox_naming_find (&peer->naming, wire);

  if (peer->naming.is_reference && !g_str_has_prefix (wire, peer->naming.prefix))
    return FALSE;
  return space == NULL || !space->shared;
}

static TreeNode *
make_node (SyncPeer *peer, const SyncListed *listed)
{
  g_autofree char *name = mailbox_name_from_wire (&peer->naming, listed->wire, NULL);
  TreeNode *node = g_new0 (TreeNode, 1);

  node->unusable = name == NULL;
  node->name = name != NULL ? g_steal_pointer (&name) : g_strdup (listed->wire);
  node->selectable = !(listed->flags & (IMAP_LIST_NOSELECT | IMAP_LIST_NONEXISTENT));
  node->no_inferiors = (listed->flags & IMAP_LIST_NOINFERIORS) != 0;
  node->subscribed = (listed->flags & IMAP_LIST_SUBSCRIBED) != 0;
  node->left_out = listed->left_out;
  if (listed->has_status) {
    node->uidvalidity = listed->status.uidvalidity;
    node->uidnext = listed->status.uidnext;
    node->highestmodseq = listed->status.highestmodseq;
    node->messages = listed->status.messages;
    node->mailboxid = g_strdup (listed->mailboxid);
  }
  add_heard (peer, listed->wire, node);
  return node;
}

static GPtrArray *
make_tree (SyncPeer *peer)
{
  GPtrArray *tree = g_ptr_array_new_with_free_func ((GDestroyNotify)tree_node_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < peer->listing->len; i++) {
    const SyncListed *listed = g_ptr_array_index (peer->listing, i);
    TreeNode *node = is_personal (peer, listed->wire) ? make_node (peer, listed) : NULL;

    /* Some servers list INBOX twice, once for each namespace. */
    if (node != NULL && g_hash_table_add (seen, node->name))
      g_ptr_array_add (tree, node);
    else if (node != NULL)
      tree_node_free (node);
  }
  return tree;
}

/* Without NAMESPACE, or where it says NIL, the delimiter is what LIST says. */
static void
settle_naming (SyncPeer *peer)
{
  for (guint i = 0; peer->naming.delimiter == 0 && i < peer->listing->len; i++)
    set_naming (peer, "", ((SyncListed *)g_ptr_array_index (peer->listing, i))->delimiter);
}

/* What is listed has to be looked through where the option does not end with the delimiter. */
static void
add_reference (SyncPeer *peer, ImapCommand *command)
{
  const char *option = peer->engine->config->server[peer->side]->list_reference;
  g_autofree char *wire = option != NULL ? make_reference (option, '\0') : g_strdup ("");

  imap_command_astring (command, wire);
}

static void
on_listed_all (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  SyncPeer *peer = data;

  peer->listed_all = error == NULL;
  if (tagged != NULL && error != NULL)
    g_message ("%s", error->message);
}

static void
queue_list (SyncPeer *peer, SyncWait *wait)
{
  ImapCommand *command;

  listing_begin (peer);
  if (imap_session_has (peer->session, IMAP_CAP_NAMESPACE))
    sync_peer_queue (peer, wait, imap_command_new ("NAMESPACE"), NULL, NULL, NULL);
  command = imap_command_new ("LIST");
  add_reference (peer, command);
  imap_command_raw (command, "\"*\" RETURN (SUBSCRIBED STATUS (" STATUS_ITEMS "))");
  sync_peer_queue (peer, wait, command, on_listed_all, peer, NULL);
  command = imap_command_new ("LIST");
  imap_command_raw (command, "(SUBSCRIBED)");
  add_reference (peer, command);
  imap_command_raw (command, "\"*\"");
  sync_peer_queue (peer, wait, command, NULL, NULL, NULL);
  if (!imap_session_has (peer->session, IMAP_CAP_OBJECTID))
    return;
  /* Alone: together with other items Cyrus 3.6 tells rubbish of a mailbox that it has to open. */
  command = imap_command_new ("LIST");
  add_reference (peer, command);
  imap_command_raw (command, "\"*\" RETURN (STATUS (MAILBOXID))");
  sync_peer_queue (peer, wait, command, NULL, NULL, NULL);
}

gboolean
sync_list (SyncEngine *engine, GPtrArray *trees[N_SIDES], GError **error)
{
  SyncWait wait = {.engine = engine};
  gboolean ok;

  for (Side side = 0; side < N_SIDES; side++)
    queue_list (engine->peer[side], &wait);
  ok = sync_wait (&wait, error);
  for (Side side = 0; side < N_SIDES; side++) {
    if (ok) {
      settle_naming (engine->peer[side]);
      trees[side] = make_tree (engine->peer[side]);
    }
    listing_end (engine->peer[side]);
  }
  return ok;
}

gboolean
sync_learn_delimiter (SyncEngine *engine, char *delimiter, GError **error)
{
  SyncPeer *peer = engine->peer[SIDE_LOCAL];
  SyncWait wait = {.engine = engine};
  ImapCommand *command = imap_command_new ("LIST");
  gboolean ok;

  imap_command_raw (command, "\"\" \"\"");
  listing_begin (peer);
  sync_peer_queue (peer, &wait, command, NULL, NULL, NULL);
  ok = sync_wait (&wait, error);
  if (ok)
    settle_naming (peer);
  *delimiter = peer->naming.delimiter != 0 ? peer->naming.delimiter : '/';
  listing_end (peer);
  return ok;
}

typedef struct {
  gboolean refused;
  gboolean nonexistent;
} StatusAnswer;

/* R6: a NO that has another reason than that there is none says nothing. */
static gboolean
says_nonexistent (ImapCodeType code)
{
  return code == IMAP_CODE_NONE || code == IMAP_CODE_NONEXISTENT || code == IMAP_CODE_TRYCREATE ||
         code == IMAP_CODE_CANNOT;
}

static void
on_status (ImapSession *session, const ImapResponse *tagged, const GError *error, gpointer data)
{
  StatusAnswer *answer = data;

  answer->refused = tagged != NULL && error != NULL;
  answer->nonexistent = answer->refused && says_nonexistent (tagged->code.type);
}

gboolean
sync_list_status (SyncEngine *engine, Side side, const char *wire, TreeNode *node,
                  gboolean *answered, gboolean *refused, GError **error)
{
  SyncPeer *peer = engine->peer[side];
  SyncWait wait = {.engine = engine};
  StatusAnswer answer = {0};
  SyncListed *listed;
  ImapCommand *command = imap_command_new ("STATUS");
  gboolean ok;

  imap_command_astring (command, wire);
  imap_command_raw (command, "(" STATUS_ITEMS ")");
  listing_begin (peer);
  listed = listing_add (peer, wire);
  sync_peer_queue (peer, &wait, command, on_status, &answer, NULL);
  ok = sync_wait (&wait, error);
  *answered = ok && listed->has_status && !answer.refused;
  *refused = ok && answer.nonexistent;
  if (*answered) {
    node->uidvalidity = listed->status.uidvalidity;
    node->uidnext = listed->status.uidnext;
    node->highestmodseq = listed->status.highestmodseq;
    node->messages = listed->status.messages;
  }
  listing_end (peer);
  return ok;
}
