/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/figures.h"

#include "log-account.h"

void
sync_figures_add (SyncFigures *sum, const SyncFigures *figures)
{
  for (Side side = 0; side < N_SIDES; side++) {
    sum->copied[side] += figures->copied[side];
    sum->flags[side] += figures->flags[side];
    sum->expunged[side] += figures->expunged[side];
    sum->bytes[side] += figures->bytes[side];
  }
  sum->matched += figures->matched;
  sum->new_mail += figures->new_mail;
  sum->problems += figures->problems;
}

gboolean
sync_figures_is_zero (const SyncFigures *figures)
{
  for (Side side = 0; side < N_SIDES; side++) {
    if (figures->copied[side] + figures->flags[side] + figures->expunged[side] > 0)
      return FALSE;
  }
  return figures->matched + figures->problems == 0;
}

/* Below the UIDNEXT that was saved is what waited, was restored, or is of a mailbox that was not
 * synchronized before: old mail. */
gboolean
sync_figures_is_new_mail (SyncEngine *engine, const SyncMailbox *mailbox, Side side,
                          const SyncMessage *message)
{
  static const char *const known[] = {"\\Seen", "\\Draft", "\\Deleted"};
  guint32 uidnext = mailbox->saved->side[SIDE_REMOTE].uidnext;

  if (!engine->config->notify_new_mail || side != SIDE_LOCAL || uidnext == 0 ||
      message->uid < uidnext)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
    if (flag_table_contains (engine->flags, message->flags, known[i]))
      return FALSE;
  }
  return TRUE;
}

static void
append_part (GString *line, const char *between, guint64 count, const char *what)
{
  if (count > 0)
    g_string_append_printf (line, "%s%" G_GUINT64_FORMAT " %s", between, count, what);
}

static void
append_side (GString *line, const SyncFigures *figures, Side side)
{
  gsize start;

  if (figures->copied[side] + figures->flags[side] + figures->expunged[side] == 0)
    return;
  g_string_append_printf (line, "%sto %s: ", line->len > 0 ? "; " : "", side_name (side));
  start = line->len;
  append_part (line, "", figures->copied[side], "copied");
  if (figures->copied[side] > 0) {
    g_autofree char *size = g_format_size_full (figures->bytes[side], G_FORMAT_SIZE_IEC_UNITS);

    g_string_append_printf (line, " (%s)", size);
  }
  append_part (line, line->len > start ? ", " : "", figures->flags[side], "flags changed");
  append_part (line, line->len > start ? ", " : "", figures->expunged[side], "expunged");
}

static void
append_figures (GString *line, const SyncFigures *figures)
{
  append_side (line, figures, SIDE_LOCAL);
  append_side (line, figures, SIDE_REMOTE);
  append_part (line, line->len > 0 ? "; " : "", figures->matched, "found on both sides");
  append_part (line, line->len > 0 ? "; problems: " : "problems: ", figures->problems, "");
  if (line->len > 0 && line->str[line->len - 1] == ' ')
    g_string_truncate (line, line->len - 1);
}

void
sync_figures_tell (SyncEngine *engine, gboolean quiet)
{
  g_autoptr (GString) sum = g_string_new (NULL);
  guint changed = 0;

  for (guint i = 0; i < engine->mailboxes->len; i++) {
    const SyncMailbox *mailbox = g_ptr_array_index (engine->mailboxes, i);
    g_autoptr (GString) line = g_string_new (NULL);

    if (sync_figures_is_zero (&mailbox->figures))
      continue;
    append_figures (line, &mailbox->figures);
    log_mailbox_message (mailbox->display, "%s", line->str);
    sync_figures_add (&engine->figures, &mailbox->figures);
    changed++;
  }
  if (quiet && sync_figures_is_zero (&engine->figures))
    return;
  append_figures (sum, &engine->figures);
  g_message ("%u of %u mailboxes changed%s%s in %.2f seconds", changed, engine->mailboxes->len,
             sum->len > 0 ? ": " : "", sum->str, engine->seconds);
}

guint
sync_figures_percent (const SyncEngine *engine)
{
  /* A message costs a server about as much as some kilobytes. */
  guint64 total = engine->bytes_total + engine->messages_total * 4096;
  guint64 done = engine->bytes_done + engine->messages_done * 4096;

  return total > 0 ? (guint)MIN (100, done * 100 / total) : 0;
}
