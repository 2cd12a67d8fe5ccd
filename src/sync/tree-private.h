/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/tree.h"

G_BEGIN_DECLS

/* What the parts of the tree's planner share. A call of tree_plan() is one or more rounds:
 * match (who is who on each side), decide (what becomes of each), merge (who gives way where two
 * want one name), order (the commands), save (subscriptions and the saved tree). A round that finds
 * an obstacle adds a fact and everything begins anew, so that no part has to undo another's work;
 * facts are only ever added, which ends it. */

typedef struct _TreeEntity TreeEntity;

/* One real mailbox of a side's list. */
typedef struct {
  const TreeNode *listed;
  const char *name;
  Side side;
  gboolean real;   /* a mailbox, not only a level of others' names */
  gboolean unsure; /* may be another mailbox renamed, or nothing at all */
  TreeEntity *entity;
  const char *now;  /* its name after the commands so far; NULL: deleted */
  gboolean stepped; /* has been moved out of the way */
} TreePlace;

typedef enum {
  TREE_ABSENT,  /* never was there */
  TREE_PRESENT, /* at place[] */
  TREE_GONE,    /* proved */
  TREE_UNSURE,
} TreePresence;

typedef enum {
  TREE_KEEP,  /* shall be on both sides, at target */
  TREE_DROP,  /* deleted on one side: delete it on the other */
  TREE_LOST,  /* gone on both sides */
  TREE_LEAVE, /* nothing is done, but it may move along with a parent */
  TREE_FREEZE /* who it is is not sure: nothing is done with it or around it */
} TreeFate;

/* How a side's saved name looks at home. */
typedef enum {
  TREE_HOME_HERE,
  TREE_HOME_EMPTY,      /* nothing there */
  TREE_HOME_OTHER,      /* proved to be another mailbox */
  TREE_HOME_RENUMBERED, /* another UIDVALIDITY: the same one, unless it is found elsewhere */
  TREE_HOME_NAME, /* only the name says so: the same one, unless its MAILBOXID is found elsewhere */
} TreeHome;

/* A mailbox that both sides shall have: saved, or new. */
struct _TreeEntity {
  const TreeSaved *saved; /* NULL: new */
  TreePlace *place[N_SIDES];
  TreePresence presence[N_SIDES];
  TreeHome home[N_SIDES];
  gboolean maybe_elsewhere[N_SIDES]; /* a server would not say whether it is */
  gboolean changed[N_SIDES];         /* renamed itself */
  int leads;                    /* the side that says where it shall be; N_SIDES: where it was */
  gboolean renumbered[N_SIDES]; /* another UIDVALIDITY: its pairs are not believed */
  gboolean rematch;             /* emptied by ourselves on a side */
  gboolean fresh[N_SIDES];      /* made anew there to come back */
  gboolean came_back;           /* deleted on one side, changed on the other */
  TreeFate fate;
  const char *target;
  gboolean created[N_SIDES];
  gboolean busy;
};

typedef enum {
  TREE_FACT_ANSWER,         /* + TreeQuestionKind; value: TreeAnswer */
  TREE_FACT_REFUSED = 10,   /* + TreeActionKind */
  TREE_FACT_DISSOLVED = 20, /* a saved mailbox's rename on a side does not count */
  TREE_FACT_WAITS,          /* what is left of it is not deleted yet */
  TREE_FACT_ABSOLUTE,       /* its name does not follow its parent */
  TREE_FACT_NAMED,          /* where it lies on a side is its name, for want of another */
  TREE_FACT_HELD,           /* left alone */
} TreeFactKind;

typedef struct {
  int kind;
  Side side;
  gint64 id;
  const char *name;
  const char *other;
} TreeFact;

typedef struct {
  const TreeInput *input;
  GHashTable *facts;     /* TreeFact -> int */
  GStringChunk *strings; /* names that are made here */
  GPtrArray *lasting;    /* TreeConflict found while beginning anew */
  gboolean again;
  guint n_steps; /* middle names given out */

  /* One round's. */
  TreePlan *plan;
  GPtrArray *places[N_SIDES];   /* TreePlace, by name */
  GHashTable *by_name[N_SIDES]; /* name -> TreePlace */
  GHashTable *by_now[N_SIDES];  /* the same after the commands so far, real ones only */
  GHashTable *by_saved;         /* saved name -> TreeEntity */
  GPtrArray *entities;          /* TreeEntity: saved ones by name, then new ones */
} TreeContext;

#define TREE_SEPARATOR '\x1f'

/* --- tree-records.c --- */

gboolean tree_name_is_below (const char *name, const char *ancestor);
/* @name with @from, itself or an ancestor, replaced by @to; NULL where that is neither. (transfer
 * full) */
char *tree_name_move (const char *name, const char *from, const char *to);
/* Cuts the last level off: FALSE at the top. */
gboolean tree_name_parent (GString *name);
guint tree_name_depth (const char *name);
gboolean tree_name_is_step (const char *name); /* a middle name, or below one */

void tree_add_conflict (GPtrArray *conflicts, const char *kind, const char *name, Side side,
                        const char *reason);

/* --- tree.c --- */

int
tree_fact (TreeContext *tree, int kind, Side side, gint64 id, const char *name, const char *other);
/* TRUE: it is news. */
gboolean tree_add_fact (TreeContext *tree, int kind, Side side, gint64 id, const char *name,
                        const char *other, int value);
TreeAnswer
tree_ask (TreeContext *tree, TreeQuestionKind kind, Side side, const char *name, gint64 saved_id);
TreeAction *tree_add_action (TreeContext *tree, TreeActionKind kind, Side side,
                             const TreeEntity *entity, const char *name, const char *new_name);
const char *tree_intern (TreeContext *tree, const char *name);
/* Leaves @entity alone from now on and begins anew; FALSE: it was already. */
gboolean tree_hold (TreeContext *tree, const TreeEntity *entity);
gboolean tree_is_held (TreeContext *tree, const TreeEntity *entity);
gboolean tree_is_shared_name (const TreeContext *tree, Side side, const char *name);
/* On either side. */
gboolean tree_is_shared (const TreeContext *tree, const TreeSaved *saved);
/* A name that nobody has, below nothing that could move or go. */
const char *tree_step_name (TreeContext *tree);
/* The names that recorded renames on @side may have given a mailbox once called @name, the last of
 * them last. (transfer full), NULL for none. */
GPtrArray *tree_intended_names (const TreeContext *tree, Side side, const char *name);
TreePlace *tree_place_at (const TreeContext *tree, Side side, const char *name);
TreeEntity *tree_new_entity (TreeContext *tree, const TreeSaved *saved);

void tree_match (TreeContext *tree);
void tree_decide (TreeContext *tree);
void tree_find_targets (TreeContext *tree);
void tree_merge (TreeContext *tree);
void tree_order (TreeContext *tree, Side side);
/* What its subscription shall be on both sides; its target must be known. */
gboolean tree_wishes_subscription (const TreeContext *tree, const TreeEntity *entity);
void tree_subscribe (TreeContext *tree, const TreeEntity *entity, gboolean subscribed[N_SIDES]);
void tree_unsubscribe_left (TreeContext *tree);
void tree_save (TreeContext *tree);

G_END_DECLS
