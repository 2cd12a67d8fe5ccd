/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/plan-flags.h"

/* A read-only mailbox has an empty PERMANENTFLAGS, yet its flags are real: what it cannot take is
 * not what it cannot have. */
static FlagsId
mask (const SyncPlanInput *in, Side side, FlagsId flags)
{
  if (in->delta[side]->read_only)
    return flags;
  return flag_table_mask (in->flags, flags, &in->delta[side]->mask);
}

static gboolean
same (const SyncPlanInput *in, Side side, FlagsId a, FlagsId b)
{
  return a == b || mask (in, side, a) == mask (in, side, b);
}

static void
clear_parsed_intent (gpointer data)
{
  SyncParsedIntent *intent = data;

  g_clear_pointer (&intent->uids, uid_set_free);
}

/* The UIDs of an intent to copy are those of the other side. */
static gboolean
is_void (const SyncPlanInput *in, const StoreIntent *intent)
{
  const SyncDelta *origin = in->delta[side_other (intent->side)];

  return intent->uidvalidity != in->delta[intent->side]->uidvalidity ||
         (intent->kind == STORE_INTENT_COPY && origin->trust == SYNC_TRUST_NONE);
}

GArray *
sync_parse_intents (const SyncPlanInput *in)
{
  GArray *parsed = g_array_new (FALSE, FALSE, sizeof (SyncParsedIntent));

  g_array_set_clear_func (parsed, clear_parsed_intent);
  for (guint i = 0; in->intents != NULL && i < in->intents->len; i++) {
    const StoreIntent *intent = g_ptr_array_index (in->intents, i);
    SyncParsedIntent entry = {.kind = intent->kind, .side = intent->side, .flags = intent->flags};

    if (intent->uids != NULL && !is_void (in, intent))
      entry.uids = uid_set_parse (intent->uids, -1, NULL);
    g_array_append_val (parsed, entry);
  }
  return parsed;
}

gboolean
sync_find_intent (const SyncPlanInput *in, StoreIntentKind kind, Side side, guint32 uid,
                  FlagsId *flags)
{
  for (guint i = 0; i < in->parsed_intents->len; i++) {
    const SyncParsedIntent *intent = &g_array_index (in->parsed_intents, SyncParsedIntent, i);

    if (intent->kind != kind || intent->side != side || intent->uids == NULL ||
        !uid_set_contains (intent->uids, uid))
      continue;
    *flags = intent->flags;
    return TRUE;
  }
  return FALSE;
}

gboolean
sync_has_void_copies (const SyncPlanInput *in, Side side)
{
  for (guint i = 0; i < in->parsed_intents->len; i++) {
    const SyncParsedIntent *intent = &g_array_index (in->parsed_intents, SyncParsedIntent, i);

    if (intent->kind == STORE_INTENT_COPY && intent->side == side && intent->uids == NULL)
      return TRUE;
  }
  return FALSE;
}

/* Only what both can hold is compared and merged. */
static FlagsId
common (const SyncPlanInput *in, FlagsId flags)
{
  return mask (in, SIDE_LOCAL, mask (in, SIDE_REMOTE, flags));
}

/* What @side has and the other cannot hold is never taken from it, nor is it news to the other. */
static FlagsId
own (const SyncPlanInput *in, Side side, FlagsId flags)
{
  FlagsId kept = mask (in, side, flags);

  return flag_table_minus (in->flags, kept, mask (in, side_other (side), kept));
}

static void
finish (const SyncPlanInput *in, SyncFlagMerge *merge)
{
  for (Side side = 0; side < N_SIDES; side++) {
    merge->list[side] = mask (in, side, merge->agreed);
    merge->differs[side] = !same (in, side, merge->agreed, merge->flags[side]);
  }
}

static FlagsId
unite (const SyncPlanInput *in, const SyncFlagMerge *merge)
{
  return flag_table_union (in->flags, mask (in, SIDE_LOCAL, merge->flags[SIDE_LOCAL]),
                           mask (in, SIDE_REMOTE, merge->flags[SIDE_REMOTE]));
}

static void
merge_with_base (const SyncPlanInput *in, SyncFlagMerge *merge)
{
  FlagsId flags[N_SIDES], base = common (in, merge->base);

  for (Side side = 0; side < N_SIDES; side++)
    flags[side] = common (in, merge->flags[side]);
  if (flags[SIDE_LOCAL] != base && flags[SIDE_REMOTE] != base) {
    merge->agreed = flag_table_union (in->flags, flags[SIDE_LOCAL], flags[SIDE_REMOTE]);
    merge->conflict = flags[SIDE_LOCAL] != flags[SIDE_REMOTE];
  } else {
    merge->agreed = flags[flags[SIDE_LOCAL] != base ? SIDE_LOCAL : SIDE_REMOTE];
  }
  for (Side side = 0; side < N_SIDES; side++)
    merge->agreed = flag_table_union (in->flags, merge->agreed, own (in, side, merge->flags[side]));
  finish (in, merge);
}

/* R9: a side that equals what an interrupted pass meant to store there is an echo, and then the
 * intent is the base, for the other side too: it had those flags when the intent was made, unless
 * it was to be changed as well and was not reached; then nothing tells its old flags from new ones,
 * and the union it is. */
void
sync_flags_merge_pair (const SyncPlanInput *in, const StorePair *pair,
                       const SyncMessage *const message[N_SIDES], SyncFlagMerge *merge)
{
  gboolean meant[N_SIDES], echo[N_SIDES];
  FlagsId intended = 0;

  merge->base = pair->flags;
  for (Side side = 0; side < N_SIDES; side++) {
    FlagsId flags = 0;

    merge->flags[side] = message[side] != NULL ? message[side]->flags : pair->flags;
    meant[side] = sync_find_intent (in, STORE_INTENT_FLAGS, side, pair->uid[side], &flags);
    echo[side] = meant[side] && message[side] != NULL && same (in, side, flags, merge->flags[side]);
    if (echo[side])
      intended = flags;
  }
  for (Side side = 0; side < N_SIDES; side++) {
    if (!echo[side])
      continue;
    if (!meant[side_other (side)] || echo[side_other (side)]) {
      merge->base = intended;
    } else {
      merge->agreed = flag_table_union (in->flags, unite (in, merge), intended);
      finish (in, merge);
      return;
    }
  }
  merge_with_base (in, merge);
}

void
sync_flags_merge_match (const SyncPlanInput *in, const SyncMatch *match, const StorePair *old,
                        const SyncMessage *const message[N_SIDES], SyncFlagMerge *merge)
{
  gboolean known = old != NULL;

  if (old != NULL)
    merge->base = old->flags;
  for (Side side = 0; side < N_SIDES; side++) {
    merge->flags[side] = message[side]->flags;
    if (!known)
      known = sync_find_intent (in, STORE_INTENT_COPY, side, match->uid[side_other (side)],
                                &merge->base);
  }
  if (known) {
    merge_with_base (in, merge);
    return;
  }
  /* What both have is agreed; if we are cut off, the rest is a change of one side or of both, and
   * becomes the union all the same. */
  merge->base =
      flag_table_intersect (in->flags, merge->flags[SIDE_LOCAL], merge->flags[SIDE_REMOTE]);
  merge->agreed = unite (in, merge);
  finish (in, merge);
}

FlagsId
sync_flags_base (const SyncPlanInput *in, Side side, const StorePair *pair, FlagsId flags)
{
  Side other = side_other (side);
  FlagsId intended, ignored;

  return sync_find_intent (in, STORE_INTENT_FLAGS, side, pair->uid[side], &intended) &&
                 !sync_find_intent (in, STORE_INTENT_FLAGS, other, pair->uid[other], &ignored) &&
                 same (in, side, flags, intended)
             ? intended
             : pair->flags;
}

gboolean
sync_flags_were_changed (const SyncPlanInput *in, Side side, const StorePair *pair, FlagsId flags)
{
  FlagsId intended, deleted = flag_table_intern_text (in->flags, "\\Deleted");

  if (same (in, side, flags, pair->flags))
    return FALSE;
  if (sync_find_intent (in, STORE_INTENT_FLAGS, side, pair->uid[side], &intended) &&
      same (in, side, flags, intended))
    return FALSE;
  /* Our own \Deleted, of a pass that was cut before its UID EXPUNGE. */
  return !sync_find_intent (in, STORE_INTENT_EXPUNGE, side, pair->uid[side], &intended) ||
         !same (in, side, flags, flag_table_union (in->flags, pair->flags, deleted));
}
