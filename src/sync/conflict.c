/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/conflict.h"

#include "log-account.h"
#include "sync/commit.h"
#include "sync/describe.h"

#define MAX_STRIKES 3

static char *
format_flags (SyncEngine *engine, FlagsId flags)
{
  return g_strdup_printf ("(%s)", flag_table_text (engine->flags, flags));
}

/* "key=value" lines, as StoreConflict.details wants them. */
static void
add_detail (GString *details, const char *key, const char *value)
{
  g_autofree char *escaped = g_strescape (value, NULL);

  g_string_append_printf (details, "%s=%s\n", key, escaped);
}

static gboolean
is_same_subject (const StoreConflict *a, const StoreConflict *b)
{
  return g_str_equal (a->kind, b->kind) && g_str_equal (a->mailbox, b->mailbox) &&
         a->uid[SIDE_LOCAL] == b->uid[SIDE_LOCAL] && a->uid[SIDE_REMOTE] == b->uid[SIDE_REMOTE];
}

gint64
sync_conflict_save (SyncEngine *engine, const char *kind, const char *mailbox,
                    const guint32 uid[N_SIDES], const char *details)
{
  g_autoptr (GPtrArray) open = NULL;
  StoreConflict conflict = {
      .time = g_get_real_time () / G_USEC_PER_SEC,
      .kind = (char *)kind,
      .mailbox = (char *)mailbox,
      .uid = {uid[SIDE_LOCAL], uid[SIDE_REMOTE]},
      .details = (char *)details,
  };

  if (engine->fatal != NULL || (open = store_conflicts (engine->store, &engine->fatal)) == NULL)
    return 0;
  for (guint i = 0; i < open->len; i++) {
    const StoreConflict *known = g_ptr_array_index (open, i);

    if (!is_same_subject (known, &conflict))
      continue;
    /* Told already, perhaps even answered: R8 and the answer both want it left as it is. */
    if (known->details != NULL && g_str_has_prefix (known->details, details))
      return known->id;
    conflict.choice = known->choice;
  }
  sync_commit_conflict (engine, &conflict);
  if (sync_describe_is_late (kind))
    g_array_append_val (engine->untold, conflict.id);
  else if (engine->conflict != NULL && engine->fatal == NULL)
    engine->conflict (engine, &conflict, engine->conflict_data);
  return conflict.id;
}

static gint64
save_conflict (SyncEngine *engine, SyncMailbox *mailbox, const char *kind,
               const guint32 uid[N_SIDES], GString *details)
{
  return sync_conflict_save (engine, kind, mailbox->name, uid, details->str);
}

void
sync_conflict_drop (SyncEngine *engine, gint64 id)
{
  if (!sync_commit_drop_conflict (engine, id))
    return;
  if (engine->resolved != NULL)
    engine->resolved (engine, id, engine->conflict_data);
}

/* Its message is paired, or gone; what is not to be expunged has no pair any more. */
static gboolean
is_outdated_hold (SyncEngine *engine, const SyncMailbox *mailbox, const StoreHold *hold)
{
  StorePair pair;
  gboolean found = FALSE;

  if (hold->uid == 0 || hold->kind == STORE_HOLD_FLAGS)
    return FALSE;
  if (sync_delta_is_gone (mailbox->side[hold->side].delta, hold->uid))
    return TRUE;
  return store_pair_find (engine->store, mailbox->saved->id, hold->side, hold->uid, &pair, &found,
                          NULL) &&
         found == (hold->kind != STORE_HOLD_EXPUNGE);
}

void
sync_conflict_sweep_holds (SyncEngine *engine, SyncMailbox *mailbox)
{
  g_autoptr (GPtrArray) holds = NULL;
  g_autoptr (GPtrArray) conflicts = NULL;

  if (engine->fatal != NULL ||
      (holds = store_holds (engine->store, mailbox->saved->id, &engine->fatal)) == NULL ||
      holds->len == 0 || (conflicts = store_conflicts (engine->store, &engine->fatal)) == NULL)
    return;
  for (guint i = 0; i < holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (holds, i);

    if (!is_outdated_hold (engine, mailbox, hold) || !sync_commit_drop_hold (engine, hold->id))
      continue;
    for (guint j = 0; j < conflicts->len; j++) {
      const StoreConflict *conflict = g_ptr_array_index (conflicts, j);

      if (g_str_equal (conflict->mailbox, mailbox->name) &&
          conflict->uid[hold->side] == hold->uid && conflict->uid[side_other (hold->side)] == 0)
        sync_conflict_drop (engine, conflict->id);
    }
  }
}

void
sync_conflict_sweep (SyncEngine *engine, SyncMailbox *mailbox)
{
  g_autoptr (GPtrArray) conflicts = NULL;

  sync_conflict_sweep_holds (engine, mailbox);
  if (engine->fatal != NULL ||
      (conflicts = store_conflicts (engine->store, &engine->fatal)) == NULL)
    return;
  for (guint i = 0; i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (!mailbox->plan->waiting && g_str_equal (conflict->mailbox, mailbox->name) &&
        (g_str_equal (conflict->kind, "mass-deletion") ||
         g_str_equal (conflict->kind, "read-only")))
      sync_conflict_drop (engine, conflict->id);
  }
}

void
sync_conflict_sweep_names (SyncEngine *engine, GHashTable *still)
{
  g_autoptr (GPtrArray) conflicts = NULL;

  if (engine->fatal != NULL ||
      (conflicts = store_conflicts (engine->store, &engine->fatal)) == NULL)
    return;
  for (guint i = 0; i < conflicts->len; i++) {
    const StoreConflict *conflict = g_ptr_array_index (conflicts, i);

    if (g_str_equal (conflict->kind, "mailbox-name") &&
        !g_hash_table_contains (still, conflict->mailbox))
      sync_conflict_drop (engine, conflict->id);
  }
}

/* --- flags ----------------------------------------------------------------------------------- */

/* The messages of one mailbox whose lists met in the same way. */
typedef struct {
  const SyncConflict *first;
  UidSet *uids[N_SIDES];
} FlagConflicts;

static void
flag_conflicts_clear (gpointer data)
{
  FlagConflicts *group = data;

  uid_set_free (group->uids[SIDE_LOCAL]);
  uid_set_free (group->uids[SIDE_REMOTE]);
}

static GArray *
group_flag_conflicts (const SyncPlan *plan)
{
  GArray *groups = g_array_new (FALSE, TRUE, sizeof (FlagConflicts));

  g_array_set_clear_func (groups, flag_conflicts_clear);
  for (guint i = 0; i < plan->conflicts->len; i++) {
    const SyncConflict *conflict = g_ptr_array_index (plan->conflicts, i);
    FlagConflicts *group = NULL;

    if (!g_str_equal (conflict->kind, "flags"))
      continue;
    for (guint j = 0; j < groups->len && group == NULL; j++) {
      group = &g_array_index (groups, FlagConflicts, j);
      if (memcmp (group->first->flags, conflict->flags, sizeof conflict->flags) != 0 ||
          group->first->result != conflict->result)
        group = NULL;
    }
    if (group == NULL) {
      g_array_set_size (groups, groups->len + 1);
      group = &g_array_index (groups, FlagConflicts, groups->len - 1);
      group->first = conflict;
      group->uids[SIDE_LOCAL] = uid_set_new ();
      group->uids[SIDE_REMOTE] = uid_set_new ();
    }
    for (Side side = 0; side < N_SIDES; side++)
      uid_set_add (group->uids[side], conflict->uid[side]);
  }
  return groups;
}

static void
tell_flags (SyncEngine *engine, SyncMailbox *mailbox)
{
  g_autoptr (GArray) groups = group_flag_conflicts (mailbox->plan);
  g_autoptr (GString) details = g_string_new (NULL);
  guint32 uid[N_SIDES] = {0, 0};

  for (guint i = 0; i < groups->len; i++) {
    const FlagConflicts *group = &g_array_index (groups, FlagConflicts, i);
    g_autofree char *local = format_flags (engine, group->first->flags[SIDE_LOCAL]);
    g_autofree char *remote = format_flags (engine, group->first->flags[SIDE_REMOTE]);
    g_autofree char *result = format_flags (engine, group->first->result);
    g_autofree char *local_uids = uid_set_to_string (group->uids[SIDE_LOCAL]);
    g_autofree char *remote_uids = uid_set_to_string (group->uids[SIDE_REMOTE]);

    log_mailbox_warning (
        mailbox->display,
        "flags changed on both sides, local UID %s %s, remote UID %s %s: both get %s", local_uids,
        local, remote_uids, remote, result);
    add_detail (details, "local-uids", local_uids);
    add_detail (details, "remote-uids", remote_uids);
    add_detail (details, "local-flags", local);
    add_detail (details, "remote-flags", remote);
    add_detail (details, "result", result);
  }
  if (groups->len > 0) {
    save_conflict (engine, mailbox, "flags", uid, details);
    mailbox->figures.problems += groups->len;
  }
}

/* --- everything else ------------------------------------------------------------------------- */

static void
tell_delete_vs_change (SyncEngine *engine, SyncMailbox *mailbox, const SyncConflict *conflict)
{
  g_autoptr (GString) details = g_string_new (NULL);
  Side kept = side_other (conflict->side);
  g_autofree char *flags = format_flags (engine, conflict->flags[kept]);
  g_autofree char *agreed = format_flags (engine, conflict->flags[conflict->side]);

  log_mailbox_warning (
      mailbox->display,
      "local UID %u, remote UID %u was deleted on the %s side and changed on the %s side "
      "(flags %s, before %s): it is deleted",
      conflict->uid[SIDE_LOCAL], conflict->uid[SIDE_REMOTE], side_name (conflict->side),
      side_name (kept), flags, agreed);
  add_detail (details, "deleted-on", side_name (conflict->side));
  add_detail (details, "flags", flags);
  add_detail (details, "agreed-flags", agreed);
  save_conflict (engine, mailbox, conflict->kind, conflict->uid, details);
}

static void
tell_mass_deletion (SyncEngine *engine, SyncMailbox *mailbox, const SyncConflict *conflict)
{
  g_autoptr (GString) details = g_string_new (NULL);
  g_autofree char *count = g_strdup_printf ("%" G_GUINT64_FORMAT, conflict->count);
  gint64 id;

  add_detail (details, "gone-on", side_name (conflict->side));
  add_detail (details, "count", count);
  id = save_conflict (engine, mailbox, conflict->kind, conflict->uid, details);
  log_mailbox_warning (
      mailbox->display,
      "%s messages are gone on the %s side, more than can be believed without proof: "
      "nothing is deleted until you say so; --resolve=%" G_GINT64_FORMAT
      ":apply deletes them on the %s side too, --resolve=%" G_GINT64_FORMAT
      ":restore copies them back",
      count, side_name (conflict->side), id, side_name (side_other (conflict->side)), id);
}

static void
tell_mailbox (SyncEngine *engine, SyncMailbox *mailbox, const SyncConflict *conflict)
{
  g_autoptr (GString) details = g_string_new (NULL);

  if (g_str_equal (conflict->kind, "uidvalidity"))
    log_mailbox_warning (mailbox->display,
                         "the %s server has renumbered the mailbox; its messages are matched again",
                         side_name (conflict->side));
  else
    log_mailbox_warning (mailbox->display,
                         "the mailbox is read-only on the %s server; changes do not reach it",
                         side_name (conflict->side));
  add_detail (details, "side", side_name (conflict->side));
  save_conflict (engine, mailbox, conflict->kind, conflict->uid, details);
}

void
sync_conflict_tell_plan (SyncEngine *engine, SyncMailbox *mailbox)
{
  const SyncPlan *plan = mailbox->plan;

  tell_flags (engine, mailbox);
  for (guint i = 0; i < plan->conflicts->len; i++) {
    const SyncConflict *conflict = g_ptr_array_index (plan->conflicts, i);

    if (g_str_equal (conflict->kind, "flags"))
      continue;
    if (g_str_equal (conflict->kind, "delete-vs-change"))
      tell_delete_vs_change (engine, mailbox, conflict);
    else if (g_str_equal (conflict->kind, "mass-deletion"))
      tell_mass_deletion (engine, mailbox, conflict);
    else
      tell_mailbox (engine, mailbox, conflict);
    mailbox->figures.problems++;
  }
  for (Side side = 0; side < N_SIDES; side++) {
    UidIter iter;
    guint32 uid;

    uid_iter_init (&iter, plan->unstable[side]);
    while (uid_iter_next (&iter, &uid))
      sync_conflict_hold (engine, mailbox, side, uid, STORE_HOLD_UNSTABLE, 0,
                          "it was planned three times in one run and never settled");
  }
}

void
sync_conflict_hold (SyncEngine *engine, SyncMailbox *mailbox, Side origin, guint32 uid,
                    StoreHoldKind kind, gint64 retry_at, const char *reason)
{
  g_autoptr (GString) details = g_string_new (NULL);
  guint32 uids[N_SIDES] = {0, 0};
  StoreHold hold = {
      .mailbox = mailbox->saved->id,
      .side = origin,
      .uid = uid,
      .kind = kind,
      .reason = (char *)reason,
      .since = g_get_real_time () / G_USEC_PER_SEC,
      .retry_at = retry_at,
      .attempts = 1,
  };
  gint64 id;

  uids[origin] = uid;
  add_detail (details, "reason", reason);
  sync_commit_hold (engine, &hold);
  id = save_conflict (engine, mailbox, kind == STORE_HOLD_UNREADABLE ? "unreadable" : "refused",
                      uids, details);
  log_mailbox_warning (mailbox->display,
                       "%s UID %u is held: %s (--resolve=%" G_GINT64_FORMAT
                       ":retry tries it again)",
                       side_name (origin), uid, reason, id);
  mailbox->figures.problems++;
}

static guint
count_strikes (SyncEngine *engine, const SyncMailbox *mailbox, Side origin, guint32 uid)
{
  g_autoptr (GPtrArray) holds = store_holds (engine->store, mailbox->saved->id, NULL);

  for (guint i = 0; holds != NULL && i < holds->len; i++) {
    const StoreHold *hold = g_ptr_array_index (holds, i);

    if (hold->kind == STORE_HOLD_CUT && hold->side == origin && hold->uid == uid)
      return hold->attempts;
  }
  return 0;
}

void
sync_conflict_strike (SyncEngine *engine, SyncMailbox *mailbox, Side origin, guint32 uid,
                      Side where)
{
  guint strikes = count_strikes (engine, mailbox, origin, uid) + 1;
  g_autofree char *reason = g_strdup_printf (
      "the connection to the %s server ended while it was copied", side_name (where));
  StoreHold hold = {
      .mailbox = mailbox->saved->id,
      .side = origin,
      .uid = uid,
      .kind = STORE_HOLD_CUT,
      .reason = reason,
      .since = g_get_real_time () / G_USEC_PER_SEC,
      .retry_at = strikes < MAX_STRIKES ? 1 : 0,
      .attempts = strikes,
  };
  guint32 uids[N_SIDES] = {0, 0};
  g_autoptr (GString) details = g_string_new (NULL);
  gint64 id;

  sync_commit_hold (engine, &hold);
  if (strikes < MAX_STRIKES)
    return;
  uids[origin] = uid;
  add_detail (details, "reason", reason);
  id = save_conflict (engine, mailbox, where == origin ? "unreadable" : "refused", uids, details);
  log_mailbox_warning (mailbox->display,
                       "%s UID %u is held: %s, %u times (--resolve=%" G_GINT64_FORMAT
                       ":retry tries it again)",
                       side_name (origin), uid, reason, strikes, id);
  mailbox->figures.problems++;
}

gboolean
sync_conflict_refuse_keywords (SyncEngine *engine, SyncMailbox *mailbox, Side side, FlagsId flags,
                               const char *reason)
{
  FlagMask *mask = &mailbox->side[side].delta->mask;
  FlagsId unknown = flag_table_minus (engine->flags, flags, mask->permitted);
  FlagsId refused = flag_table_union (engine->flags, mask->refused, unknown);

  if (refused == mask->refused)
    return FALSE;
  log_mailbox_warning (
      mailbox->display,
      "the %s server refuses the keywords (%s): %s; they are kept on the %s side only",
      side_name (side), flag_table_text (engine->flags, unknown), reason,
      side_name (side_other (side)));
  mask->refused = refused;
  mailbox->figures.problems++;
  sync_commit_refused_flags (engine, mailbox, side, refused);
  return TRUE;
}
