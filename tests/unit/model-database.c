/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model.h"

void
model_database_init (Model *m)
{
  m->db->pairs = g_array_new (FALSE, FALSE, sizeof (StorePair));
  m->db->intents = g_ptr_array_new_with_free_func ((GDestroyNotify)store_intent_free);
  m->db->holds = g_ptr_array_new_with_free_func ((GDestroyNotify)store_hold_free);
}

void
model_database_clear (Model *m)
{
  g_array_unref (m->db->pairs);
  g_ptr_array_unref (m->db->intents);
  g_ptr_array_unref (m->db->holds);
}

StorePair *
model_pair (Model *m, Side side, guint32 uid)
{
  for (guint i = 0; i < m->db->pairs->len; i++) {
    StorePair *pair = &g_array_index (m->db->pairs, StorePair, i);

    if (pair->uid[side] == uid)
      return pair;
  }
  return NULL;
}

guint32
model_partner (Model *m, Side side, guint32 uid)
{
  const StorePair *pair = model_pair (m, side, uid);

  return pair != NULL ? pair->uid[side_other (side)] : 0;
}

void
model_pair_insert (Model *m, const StorePair *pair)
{
  guint at = 0;

  for (Side side = 0; side < N_SIDES; side++) {
    if (model_pair (m, side, pair->uid[side]) != NULL)
      model_fail (m, "%s %u is paired twice", side_name (side), pair->uid[side]);
  }
  while (at < m->db->pairs->len &&
         g_array_index (m->db->pairs, StorePair, at).uid[SIDE_LOCAL] < pair->uid[SIDE_LOCAL])
    at++;
  g_array_insert_vals (m->db->pairs, at, pair, 1);
  m->db->writes++;
  model_trace (m, "  database: pair %u=%u (%s)", pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE],
               model_text (model_bits (pair->flags)));
}

void
model_pair_delete (Model *m, const StorePair *pair)
{
  StorePair *known = model_pair (m, SIDE_LOCAL, pair->uid[SIDE_LOCAL]);

  if (known == NULL || known->uid[SIDE_REMOTE] != pair->uid[SIDE_REMOTE]) {
    model_fail (m, "pair %u=%u is deleted, but not there", pair->uid[SIDE_LOCAL],
                pair->uid[SIDE_REMOTE]);
    return;
  }
  model_trace (m, "  database: no pair %u=%u", pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE]);
  g_array_remove_index (m->db->pairs, known - &g_array_index (m->db->pairs, StorePair, 0));
  m->db->writes++;
}

void
model_pair_set_flags (Model *m, const SyncFlagChange *change, FlagsId flags)
{
  StorePair *pair = model_pair (m, SIDE_LOCAL, change->uid[SIDE_LOCAL]);

  if (pair == NULL || pair->uid[SIDE_REMOTE] != change->uid[SIDE_REMOTE]) {
    model_fail (m, "flags of %u=%u, which is no pair", change->uid[SIDE_LOCAL],
                change->uid[SIDE_REMOTE]);
    return;
  }
  if (pair->flags != flags)
    model_trace (m, "  database: %u=%u agreed (%s)", pair->uid[SIDE_LOCAL], pair->uid[SIDE_REMOTE],
                 model_text (model_bits (flags)));
  pair->flags = flags;
  m->db->writes++;
}
