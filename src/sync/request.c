/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/request.h"

#include "sync/list.h"

static void
request_free (gpointer data)
{
  SyncPassRequest *request = data;

  g_strfreev (request->mailboxes);
  g_free (request);
}

GPtrArray *
sync_requests_new (void)
{
  return g_ptr_array_new_with_free_func (request_free);
}

void
sync_requests_add (GPtrArray *requests, char **mailboxes, gboolean repair, gpointer tag)
{
  SyncPassRequest *request = g_new0 (SyncPassRequest, 1);

  *request = (SyncPassRequest){mailboxes, repair, tag};
  g_ptr_array_add (requests, request);
}

gboolean
sync_requests_want_repair (const GPtrArray *requests)
{
  for (guint i = 0; i < requests->len; i++) {
    if (((const SyncPassRequest *)g_ptr_array_index (requests, i))->repair)
      return TRUE;
  }
  return FALSE;
}

/* MAILBOX arguments have the local delimiter, which only the server tells. */
static gboolean
parse_mailboxes (SyncEngine *engine, char **arguments, GStrvBuilder *names, GError **error)
{
  char delimiter;

  if (!sync_learn_delimiter (engine, &delimiter, error))
    return FALSE;
  for (gsize i = 0; arguments[i] != NULL; i++) {
    g_autofree char *name = mailbox_name_from_argument (arguments[i], delimiter, error);

    if (name == NULL)
      return FALSE;
    g_strv_builder_add (names, name);
  }
  return TRUE;
}

gboolean
sync_requests_names (SyncEngine *engine, const GPtrArray *requests, gboolean everything,
                     char **configured, char ***names, GError **error)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  gboolean all = everything || requests->len == 0;

  *names = NULL;
  for (guint i = 0; i < requests->len; i++)
    all |= ((const SyncPassRequest *)g_ptr_array_index (requests, i))->mailboxes == NULL;
  if (all && configured == NULL)
    return TRUE;
  if (all && !parse_mailboxes (engine, configured, builder, error))
    return FALSE;
  for (guint i = 0; i < requests->len; i++) {
    const SyncPassRequest *request = g_ptr_array_index (requests, i);

    if (request->mailboxes != NULL && !parse_mailboxes (engine, request->mailboxes, builder, error))
      return FALSE;
  }
  *names = g_strv_builder_end (builder);
  return TRUE;
}
