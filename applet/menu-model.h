/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "action.h"
#include "state.h"

G_BEGIN_DECLS

typedef struct {
  gint32 id;
  char *label; /* NULL: a separator */
  gboolean disabled;
  char *spoken; /* for those who hear the menu, where the label is too short; or NULL */
  Action *action;
  GPtrArray *children; /* MenuItem; NULL: no submenu */
} MenuItem;

/* Numbers for items. An item keeps its number as long as the program runs, whatever comes and goes
 * around it: a menu that is open changes in place. */
typedef struct _MenuIds MenuIds;

MenuIds *menu_ids_new (void);
void menu_ids_free (MenuIds *ids);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MenuIds, menu_ids_free)

/* The whole menu; the root has the number 0. Pure but for the numbers. */
MenuItem *menu_model_build (const State *state, Clock now, MenuIds *ids);
void menu_item_free (MenuItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MenuItem, menu_item_free)

/* NULL: no such item. */
const MenuItem *menu_item_find (const MenuItem *root, gint32 id);

G_END_DECLS
