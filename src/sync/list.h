/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Step 1 of a pass, the asking: LIST ... RETURN (SUBSCRIBED STATUS (...)) on both sides at once. */

/* Untagged LIST, STATUS and NAMESPACE of a session come here. */
void sync_list_receive (SyncPeer *peer, const ImapResponse *response);

/* Lists both trees, whole. @trees[side]: TreeNode; names that cannot be brought to the program's
 * form are the wire's there, and the node is unusable. (transfer full) */
gboolean sync_list (SyncEngine *engine, GPtrArray *trees[N_SIDES], GError **error);

/* The local delimiter, '/' where there is none. */
gboolean sync_learn_delimiter (SyncEngine *engine, char *delimiter, GError **error);

/* What NOTIFY told of names until now is recorded, or not worth anything any more. */
void sync_list_forget_heard (SyncPeer *peer);

/* A fresh STATUS of @mailbox: TRUE in @answered when the server gave one; the caller looks at
 * @node's numbers. TRUE in @refused when it says that there is no such mailbox; a NO that speaks of
 * rights or of trouble is neither. */
gboolean sync_list_status (SyncEngine *engine, Side side, const char *wire, TreeNode *node,
                           gboolean *answered, gboolean *refused, GError **error);

G_END_DECLS
