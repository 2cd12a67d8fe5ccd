/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/tree-run.h"

G_BEGIN_DECLS

/* What the parts of one look at the trees share: what goes in (tree-input.c), what people are told
 * (tree-tell.c), the commands (tree-do.c), and the order of all that and the saving (tree-run.c).
 */
typedef struct {
  SyncEngine *engine;
  SyncChoice *choice;
  GPtrArray **trees;    /* TreeNode: as listed, then as the commands change them */
  GPtrArray *saved;     /* StoreMailbox */
  GPtrArray *intents;   /* TreeAction: of interrupted passes */
  GPtrArray *refused;   /* TreeAction: not to be asked of a server again */
  GPtrArray *refusals;  /* StoreRefusal, saved ones: their reasons */
  GPtrArray *conflicts; /* StoreConflict that are open */
  TreePlan *plan;
  GPtrArray *failed;   /* TreeAction (not owned): not done, with all that depends on it */
  GPtrArray *refusing; /* StoreRefusal of this pass, to be saved */
  GHashTable *named;   /* what a conflict "mailbox-name" of this pass is about */
  GHashTable *told;    /* what was told in this run, by an earlier pass of it */
  gboolean again;      /* the servers are not as planned: list and plan anew */
  gboolean troubled;   /* something could not be synchronized */
  GArray *emptied;     /* gint64: saved mailboxes that were, to be deleted */
  GArray *wished;      /* gint64: conflicts whose deletion a person chose, and this pass did */
} SyncTreeRun;

/* The node of that name, or NULL. */
TreeNode *sync_tree_find_node (GPtrArray *tree, const char *name);
/* Whether a command is not to be given because of what failed. */
gboolean sync_tree_is_void (SyncTreeRun *run, const TreeAction *action);
gboolean sync_tree_is_command (const TreeAction *action);

/* --- tree-input.c --- */

/* A tree's intent as the planner's; NULL for another one. (transfer full) */
TreeAction *sync_tree_action_of_intent (const StoreIntent *intent);
/* The other way: it borrows from @action. */
void sync_tree_fill_intent (StoreIntent *intent, const TreeAction *action);
/* Fills what @run reads from the database, and @input from that. */
gboolean sync_tree_load (SyncTreeRun *run, TreeInput *input, GError **error);
void sync_tree_input_clear (TreeInput *input);

/* --- tree-tell.c --- */

/* R7: only what has such a name is left out. @name: program's form, or fit to be shown. */
void sync_tree_tell_name (SyncTreeRun *run, const char *name, Side side, const char *reason);
/* Mailboxes that would be synchronized if they had other names. */
void sync_tree_tell_unusable (SyncTreeRun *run);
/* Mailboxes whose saved name belongs to others on one side now. */
void sync_tree_tell_shared (SyncTreeRun *run);
void sync_tree_tell_conflicts (SyncTreeRun *run);
/* A LIST that is not believed. */
void sync_tree_tell_lists (SyncTreeRun *run);
/* A server that would not answer a question. */
void sync_tree_tell_unsure (SyncTreeRun *run, const TreeQuestion *question);
void sync_tree_tell_action (SyncTreeRun *run, const TreeAction *action);
/* What a person decided about is done, or is not in question any more. */
void sync_tree_sweep_conflicts (SyncTreeRun *run);

/* --- tree-do.c --- */

/* Carries the commands of the plan out; what was not done is in run->failed. */
gboolean sync_tree_do (SyncTreeRun *run, GError **error);

G_END_DECLS
