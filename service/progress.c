/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "progress.h"

#include "log.h"

#include <glib/gi18n.h>

#define PATIENCE (G_USEC_PER_SEC)
#define INTERVAL (G_USEC_PER_SEC / 10)

struct _Progress {
  GHashTable *states; /* SyncAccount to SyncProgress */
  guint accounts;
  gint64 begun; /* monotonic; 0: nothing is going on */
  gint64 drawn;
};

Progress *
progress_new (guint accounts)
{
  Progress *progress = g_new0 (Progress, 1);
  progress->states = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  progress->accounts = accounts;
  return progress;
}

void
progress_free (Progress *progress)
{
  if (progress == NULL)
    return;
  log_set_status (NULL);
  g_hash_table_unref (progress->states);
  g_free (progress);
}

static const char *
phase_text (const char *phase)
{
  static const struct {
    const char *phase;
    const char *text;
  } texts[] = {
      {"connect", N_ ("connecting")},         {"list", N_ ("listing mailboxes")},
      {"gather", N_ ("looking for changes")}, {"plan", N_ ("comparing")},
      {"apply", N_ ("synchronizing")},        {"confirm", N_ ("confirming")},
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    if (g_strcmp0 (texts[i].phase, phase) == 0)
      return _ (texts[i].text);
  }
  return phase != NULL ? phase : "";
}

/* Several accounts are rarely at the same point. */
static const char *
common_phase (const SyncProgress *states, guint n)
{
  for (guint i = 1; i < n; i++) {
    if (g_strcmp0 (states[i].phase, states[0].phase) != 0)
      return "apply";
  }
  return states[0].phase;
}

char *
progress_text (const SyncProgress *states, guint n, guint accounts)
{
  g_autoptr (GString) text = g_string_new (NULL);
  SyncProgress sum = {0};

  if (n == 0)
    return g_strdup ("");
  for (guint i = 0; i < n; i++) {
    sum.percent += MIN (states[i].percent, 100);
    sum.messages_done += states[i].messages_done;
    sum.messages_total += states[i].messages_total;
    sum.bytes_done += states[i].bytes_done;
    sum.bytes_total += states[i].bytes_total;
  }
  if (accounts > 1) {
    g_string_append_printf (text, ngettext ("%u of %u account", "%u of %u accounts", accounts), n,
                            accounts);
    g_string_append (text, ": ");
  }
  g_string_append_printf (text, "%s %u %%", phase_text (common_phase (states, n)), sum.percent / n);
  if (sum.messages_total > 0) {
    g_autofree char *done = g_strdup_printf ("%" G_GUINT64_FORMAT, sum.messages_done);
    g_autofree char *total = g_strdup_printf ("%" G_GUINT64_FORMAT, sum.messages_total);
    g_autofree char *bytes_done = g_format_size (sum.bytes_done);
    g_autofree char *bytes_total = g_format_size (sum.bytes_total);

    g_string_append (text, ", ");
    /* Translators: so many of so many messages, so much of so much data. */
    g_string_append_printf (text, _ ("%s of %s messages, %s of %s"), done, total, bytes_done,
                            bytes_total);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
draw (Progress *progress, gint64 now)
{
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (SyncProgress));
  g_autofree char *text = NULL;
  GHashTableIter iter;
  gpointer state;

  g_hash_table_iter_init (&iter, progress->states);
  while (g_hash_table_iter_next (&iter, NULL, &state))
    g_array_append_vals (states, state, 1);
  text =
      progress_text ((const SyncProgress *)(void *)states->data, states->len, progress->accounts);
  progress->drawn = now;
  log_set_status (text);
}

void
progress_update (Progress *progress, SyncAccount *account, const SyncProgress *state)
{
  gint64 now = g_get_monotonic_time ();

  if (!log_has_status ())
    return;
  g_hash_table_replace (progress->states, account, g_memdup2 (state, sizeof *state));
  if (progress->begun == 0)
    progress->begun = now;
  if (now - progress->begun >= PATIENCE && now - progress->drawn >= INTERVAL)
    draw (progress, now);
}

void
progress_remove (Progress *progress, SyncAccount *account)
{
  g_hash_table_remove (progress->states, account);
  if (g_hash_table_size (progress->states) > 0)
    return;
  progress->begun = 0;
  log_set_status (NULL);
}
