/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* The mailbox tree as a pure function (design, section 5, step 1): two listed trees and the saved
 * one in; decisions and questions out. No I/O. Called again with the answers until it has no
 * questions.
 *
 * Names are in the program's form (imap/mailbox-name.h). Trees are whole: selection decides only
 * what is copied. */

/* One mailbox of a side's LIST. */
typedef struct {
  char *name;
  gboolean selectable; /* neither \Noselect nor \NonExistent */
  gboolean no_inferiors;
  gboolean subscribed;
  gboolean personal;           /* in a personal namespace */
  gboolean renamed_from_known; /* NOTIFY's OLDNAME said so */
  char *old_name;              /* with renamed_from_known */
  guint32 uidvalidity;         /* 0: not told (no STATUS answer) */
  guint32 uidnext;
  guint64 highestmodseq;
  guint32 messages;
  char *mailboxid; /* or NULL */
} TreeNode;

void tree_node_free (TreeNode *node);

/* One mailbox of the saved tree. */
typedef struct {
  gint64 id;
  char *name;
  struct {
    gboolean listed;
    gboolean subscribed;
    guint32 uidvalidity;
    guint32 uidnext;
    guint64 highestmodseq;
    char *mailboxid;
  } side[N_SIDES];
  guint64 pairs;
  gboolean temporary;  /* the middle name of a swap that was cut: finished, never mirrored */
  char *intended_name; /* with temporary: where it was going */
} TreeSaved;

void tree_saved_free (TreeSaved *saved);

/* What only a server can say. */
typedef enum {
  TREE_ASK_EXISTS,   /* STATUS of its own: does @name exist on @side? */
  TREE_ASK_IDENTITY, /* do sampled messages of saved mailbox @saved_id lie in @name on @side under
                        the same UIDs? */
  TREE_ASK_CHANGED,  /* has @name on @side new or changed messages since the agreed state of
                        @saved_id? */
} TreeQuestionKind;

typedef enum {
  TREE_ANSWER_NONE, /* not asked yet */
  TREE_ANSWER_YES,
  TREE_ANSWER_NO,
  TREE_ANSWER_UNKNOWN, /* the server would not say: nothing is deleted or renamed on it */
} TreeAnswer;

typedef struct {
  TreeQuestionKind kind;
  Side side;
  char *name;
  gint64 saved_id; /* 0 for TREE_ASK_EXISTS of a mailbox that was never saved */
  TreeAnswer answer;
} TreeQuestion;

void tree_question_free (TreeQuestion *question);

typedef enum {
  TREE_CREATE,    /* CREATE name on side (also a parent that has to exist first) */
  TREE_RENAME,    /* RENAME name to new_name on side, with its children; temporary: a swap's middle
                     name */
  TREE_DELETE,    /* DELETE name on side: leaf first, after emptying it of its paired messages */
  TREE_SUBSCRIBE, /* SUBSCRIBE name on side */
  TREE_UNSUBSCRIBE,
  TREE_SAVE, /* the saved tree: name exists on both sides (new, or under another name: saved_id and
                new_name) */
  TREE_FORGET, /* the saved tree: saved_id is gone on both sides */
  TREE_RESET,  /* the saved tree: saved_id stays, its pairs are not believed: recreated, match again
                */
} TreeActionKind;

typedef struct {
  TreeActionKind kind;
  Side side; /* of the effect; not for TREE_SAVE, TREE_FORGET, TREE_RESET */
  gint64 saved_id;
  char *name;
  char *new_name;
  gboolean temporary;
} TreeAction;

void tree_action_free (TreeAction *action);

typedef struct {
  char *kind; /* "mailbox-delete-vs-change", "mass-deletion", "uidvalidity", "mailbox-name" */
  char *name;
  Side side;    /* where it was deleted, renumbered or refused */
  char *reason; /* for logs */
} TreeConflict;

void tree_conflict_free (TreeConflict *conflict);

typedef struct {
  GPtrArray *actions;   /* TreeAction, in the order in which they must be done */
  GPtrArray *questions; /* TreeQuestion, with answer NONE; when not empty, actions only holds what
                           does not depend on them */
  GPtrArray *conflicts; /* TreeConflict */
} TreePlan;

void tree_plan_free (TreePlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TreePlan, tree_plan_free)

typedef struct {
  GPtrArray *listed[N_SIDES];     /* TreeNode, any order */
  GPtrArray *saved;               /* TreeSaved, any order */
  GPtrArray *answers;             /* TreeQuestion with an answer, of earlier calls */
  gboolean mass_deletion_applied; /* the person chose `apply` for a waiting mass-deletion */
} TreeInput;

/* (transfer full) */
TreePlan *tree_plan (const TreeInput *input);

G_END_DECLS
