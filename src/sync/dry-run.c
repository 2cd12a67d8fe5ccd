/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/dry-run.h"

#include "sync/figures.h"

void
sync_dry_run_tell_action (SyncEngine *engine, const TreeAction *action, guint64 messages)
{
  static const char *const words[] = {
      [TREE_CREATE] = "create",       [TREE_RENAME] = "rename",           [TREE_DELETE] = "delete",
      [TREE_SUBSCRIBE] = "subscribe", [TREE_UNSUBSCRIBE] = "unsubscribe",
  };
  char delimiter = engine->peer[SIDE_LOCAL]->naming.delimiter;
  g_autofree char *name = mailbox_name_display (action->name, delimiter);
  g_autofree char *new_name =
      action->new_name != NULL ? mailbox_name_display (action->new_name, delimiter) : NULL;

  g_print ("%s: on %s: %s", name, side_name (action->side), words[action->kind]);
  if (new_name != NULL)
    g_print (" to %s", new_name);
  if (action->kind == TREE_CREATE) {
    g_print (", %" G_GUINT64_FORMAT " to copy", messages);
    engine->figures.copied[action->side] += messages;
  } else if (action->kind == TREE_DELETE) {
    g_print (", messages: %" G_GUINT64_FORMAT, messages);
  }
  g_print ("\n");
}

void
sync_dry_run_count (SyncMailbox *mailbox)
{
  const SyncPlan *plan = mailbox->plan;
  SyncFigures *figures = &mailbox->figures;

  figures->matched += plan->pairs->len;
  for (Side side = 0; side < N_SIDES; side++) {
    const GArray *copy = plan->copy[side_other (side)];

    figures->copied[side] += copy->len + plan->move[side_other (side)]->len;
    figures->expunged[side] += plan->expunge[side]->len;
    for (guint i = 0; i < copy->len; i++)
      figures->bytes[side] += g_array_index (copy, SyncMessage, i).size;
    for (guint i = 0; i < plan->flags->len; i++)
      figures->flags[side] += g_array_index (plan->flags, SyncFlagChange, i).send[side] ? 1 : 0;
  }
}

static void
append_side (GString *line, const SyncFigures *figures, Side side)
{
  const struct {
    guint64 count;
    const char *what;
  } parts[] = {
      {figures->copied[side], "to copy"},
      {figures->flags[side], "flags to change"},
      {figures->expunged[side], "to expunge"},
  };
  const char *between = "";

  if (parts[0].count + parts[1].count + parts[2].count == 0)
    return;
  g_string_append_printf (line, "%sto %s: ", line->len > 0 ? "; " : "", side_name (side));
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++) {
    if (parts[i].count == 0)
      continue;
    g_string_append_printf (line, "%s%" G_GUINT64_FORMAT " %s", between, parts[i].count,
                            parts[i].what);
    if (i == 0 && figures->bytes[side] > 0) {
      g_autofree char *size = g_format_size_full (figures->bytes[side], G_FORMAT_SIZE_IEC_UNITS);

      g_string_append_printf (line, " (%s)", size);
    }
    between = ", ";
  }
}

static char *
describe (const SyncFigures *figures)
{
  GString *line = g_string_new (NULL);

  append_side (line, figures, SIDE_LOCAL);
  append_side (line, figures, SIDE_REMOTE);
  if (figures->matched > 0)
    g_string_append_printf (line, "%s%" G_GUINT64_FORMAT " are on both sides already",
                            line->len > 0 ? "; " : "", figures->matched);
  return g_string_free (line, FALSE);
}

void
sync_dry_run_tell (SyncEngine *engine)
{
  g_autofree char *sum = NULL;

  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);
    g_autofree char *line = describe (&mailbox->figures);

    if (*line != '\0')
      g_print ("%s: %s\n", mailbox->display, line);
    sync_figures_add (&engine->figures, &mailbox->figures);
  }
  sum = describe (&engine->figures);
  g_print ("would do: %s\n", *sum != '\0' ? sum : "nothing");
}
