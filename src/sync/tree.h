/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "records.h"

G_BEGIN_DECLS

/* The mailbox tree as a pure function (design, section 5, step 1): two listed trees and the saved
 * one in; decisions and questions out. No I/O. Called again with the answers until it has no
 * questions.
 *
 * Names are in the program's form (imap/mailbox-name.h). Trees are whole: selection decides only
 * what is copied.
 *
 * What it decides where two people disagree:
 * - renamed on both sides to different names: the local name wins;
 * - renamed on one side and deleted on the other: it stays, under the new name, and that is a
 *   conflict "mailbox-delete-vs-change". A mailbox that only moved along with a parent was not
 *   renamed itself;
 * - renamed onto a name that the other side created or renamed something else to meanwhile: nothing
 *   is renamed. What now has that name on both sides is one new mailbox, whose messages are matched
 *   by identity; the old name is gone on one side and is treated as deleted there;
 * - a name counts from the parent mailbox: a parent renamed here and a child renamed there add up;
 * - subscribed here and unsubscribed there in the same time: subscribed.
 */

/* One mailbox of a side's LIST. */
typedef struct {
  char *name;
  gboolean selectable; /* neither \Noselect nor \NonExistent */
  gboolean unusable; /* its name cannot be brought to the program's form, @name is the wire's: never
                        mirrored, but what was renamed to it is not taken for deleted */
  gboolean no_inferiors;
  gboolean subscribed;
  gboolean left_out; /* of a LIST of everything: it was named by that of what is subscribed alone */
  gboolean renamed_from_known; /* NOTIFY's OLDNAME said so */
  char *old_name;              /* with renamed_from_known: its name in the saved tree */
  gboolean recreated;          /* NOTIFY's \NonExistent told that the mailbox saved under this name
                                  was deleted before this one was made */
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
  guint64 pairs; /* with 0 nothing can be sampled: recognized by MAILBOXID and OLDNAME alone */
} TreeSaved;

void tree_saved_free (TreeSaved *saved);

/* What only a server can say. */
typedef enum {
  TREE_ASK_EXISTS, /* STATUS of its own: does @name exist on @side? A NO that speaks of rights or of
                      trouble ([NOPERM], [UNAVAILABLE], [INUSE], ...) is no answer: UNKNOWN */
  TREE_ASK_IDENTITY, /* do sampled messages of saved mailbox @saved_id lie in @name on @side under
                        the same UIDs? */
  TREE_ASK_CHANGED,  /* has @name on @side new or changed messages since the agreed state of
                        @saved_id? Not asked where it holds more messages than there are pairs */
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
  gint64 saved_id; /* 0 for TREE_ASK_EXISTS of a mailbox that was never saved; an answer about
                      existence holds for the name, whatever stands here */
  TreeAnswer answer;
} TreeQuestion;

void tree_question_free (TreeQuestion *question);

typedef enum {
  TREE_CREATE, /* CREATE name on side */
  TREE_RENAME, /* RENAME name to new_name on side, with its children; temporary: new_name or name is
                  the middle name of a swap */
  TREE_DELETE, /* DELETE name on side: leaf first, after emptying it of its paired messages */
  TREE_SUBSCRIBE,   /* SUBSCRIBE name on side */
  TREE_UNSUBSCRIBE, /* UNSUBSCRIBE name on side; a NO to it is not worth a word */
  TREE_SAVE,   /* the saved tree: name exists on both sides (saved_id 0: insert), under new_name if
                  that is set. Record name, listed and subscribed[] of both sides, and the MAILBOXID
                  that LIST or CREATE told */
  TREE_FORGET, /* the saved tree: saved_id is gone on both sides */
  TREE_RESET, /* the saved tree: saved_id stays, its pairs are not believed: match again. Remove its
                 pairs; UIDNEXT and HIGHESTMODSEQ of both sides become 0; on a side where it is
                 fresh[], UIDVALIDITY becomes 0 and MAILBOXID NULL */
} TreeActionKind;

/* How a plan is carried out. One transaction records every action on a server (R9), in this order;
 * they are done, in this order on each side. An action that fails takes those with it that depend
 * on it (tree_action_depends()); what the server refused for good goes into TreeInput.refused of
 * the next call. Then tree_plan_settle() says what of the rest can be recorded: one transaction
 * does that, in this order (names are unique at each step), and removes all intents but those that
 * tree_plan_keeps_intent(): half a swap, or messages that were expunged before a DELETE that
 * failed, are nobody's wish. Intents that are left, of a pass that was killed or not, go into
 * TreeInput.intents of the next call, the older ones first.
 *
 * Messages are then synchronized only in saved mailboxes that are not in TreePlan.unsettled: the
 * names of others may stand for another mailbox on one side. */
typedef struct {
  TreeActionKind kind;
  Side side; /* of the effect; not for TREE_SAVE, TREE_FORGET, TREE_RESET */
  gint64 saved_id;
  char *name;
  char *new_name;
  gboolean temporary;
  gboolean subscribed[N_SIDES]; /* TREE_SAVE: what to record; TREE_CREATE: what it will be when
                                   all is done, on both sides */
  gboolean fresh[N_SIDES];      /* TREE_RESET: another mailbox than the saved one */
} TreeAction;

void tree_action_free (TreeAction *action);

/* Is the command @action, which comes later in the plan, void because @failed was not done? What
 * depends on @action then is void too. */
gboolean tree_action_depends (const TreeAction *action, const TreeAction *failed);

typedef struct {
  char *kind; /* "mailbox-delete-vs-change", "mass-deletion", "uidvalidity", "mailbox-name" */
  char *name;
  Side side;    /* where it was deleted, renumbered or refused */
  char *reason; /* for logs */
} TreeConflict;

void tree_conflict_free (TreeConflict *conflict);

typedef struct {
  GPtrArray *actions;   /* TreeAction, in the order in which they must be done */
  GPtrArray *questions; /* TreeQuestion, with answer NONE; when not empty, the other two are: names
                           depend on each other too much to begin */
  GPtrArray *conflicts; /* TreeConflict; those that wait or are refused are in every plan */
  GArray *unsettled; /* gint64: saved mailboxes that are not, or not surely, on both sides under one
                        name when all is done */
  GPtrArray *away[N_SIDES]; /* names under which such were found, unlike the saved ones: perhaps
                               nothing but an intent tells that they are these */
} TreePlan;

void tree_plan_free (TreePlan *plan);

/* After the commands: adds to @failed (TreeAction, not owned) what cannot be recorded because of
 * it, wherever it stands in the plan, and to @plan->unsettled the mailboxes concerned. */
void tree_plan_settle (TreePlan *plan, GPtrArray *failed);

/* After that: whether @intent, of this pass or of an older one, is not to be removed yet. */
gboolean
tree_plan_keeps_intent (const TreePlan *plan, const GPtrArray *failed, const TreeAction *intent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TreePlan, tree_plan_free)

typedef struct {
  GPtrArray *listed[N_SIDES]; /* TreeNode, any order */
  GPtrArray *saved;           /* TreeSaved, any order */
  GPtrArray *answers;         /* TreeQuestion with an answer, of earlier calls; or NULL */
  GPtrArray *shared[N_SIDES]; /* char*: names (without a separator at the end) which, with all below
                                 them, belong to others on this side: what is there is not in
                                 @listed, and what is saved under such a name is left alone; or
                                 NULL */
  GPtrArray *intents; /* TreeAction on servers, in their order, that an interrupted pass recorded:
                         any of them may have happened; or NULL */
  GPtrArray *refused; /* TreeAction: what a server refuses: not planned again, nor what needs it; or
                         NULL */
  /* What the person chose for a waiting mass-deletion. */
  gboolean mass_deletion_applied;  /* `apply`: delete */
  gboolean mass_deletion_restored; /* `restore`: all of it comes back */
  gboolean mass_deletion_asked;    /* nothing yet: what is gone waits, however many there are now */
} TreeInput;

/* (transfer full) */
TreePlan *tree_plan (const TreeInput *input);

G_END_DECLS
