/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/landed.h"

#include "sync/plan-flags.h"

/* --- what an intent keeps -------------------------------------------------------------------- */

/* Seven bits in each byte, the lowest first: five or six bytes for a message on the whole. */
static void
put_number (GByteArray *bytes, guint64 number)
{
  guint8 buffer[10];
  guint n = 0;

  for (; number >= 0x80; number >>= 7)
    buffer[n++] = (guint8)(number | 0x80);
  buffer[n++] = (guint8)number;
  g_byte_array_append (bytes, buffer, n);
}

/* FALSE: there is no more, or no sense in it. */
static gboolean
take_number (const guint8 **p, const guint8 *end, guint64 *number)
{
  *number = 0;
  for (guint shift = 0; *p < end && shift < 64; shift += 7) {
    guint8 byte = *(*p)++;

    *number |= (guint64)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0)
      return TRUE;
  }
  return FALSE;
}

void
sync_landed_describe (GByteArray *descriptions, const SyncMessage *message, gint64 *date)
{
  guint64 step = (guint64)message->internaldate - (guint64)*date;

  put_number (descriptions, message->described ? message->size : 0);
  /* Steps back and forth are small numbers both. */
  put_number (descriptions, step >> 63 ? ~(step << 1) : step << 1);
  *date = message->internaldate;
}

static gboolean
take_description (const guint8 **p, const guint8 *end, guint64 *size, gint64 *date)
{
  guint64 step;

  if (!take_number (p, end, size) || !take_number (p, end, &step))
    return FALSE;
  *date = (gint64)((guint64)*date + (step & 1 ? ~(step >> 1) : step >> 1));
  return TRUE;
}

/* --- who is gone ----------------------------------------------------------------------------- */

static UidSet *
listed_uids (const SyncDelta *delta)
{
  UidSet *uids = uid_set_new ();

  for (guint i = 0; i < delta->messages->len; i++)
    uid_set_add (uids, g_array_index (delta->messages, SyncMessage, i).uid);
  return uids;
}

/* What the server is yet to give a UID of was there before a backup was put back: it is lost. */
static UidSet *
gone_uids (const SyncDelta *delta, const UidSet *named)
{
  UidSet *gone = uid_set_copy (named);

  if (delta->full) {
    g_autoptr (UidSet) listed = listed_uids (delta);

    uid_set_subtract (listed, delta->vanished);
    uid_set_subtract (gone, listed);
  } else {
    uid_set_intersect (gone, delta->vanished);
  }
  uid_set_remove_range (gone, delta->uidnext, G_MAXUINT32);
  return gone;
}

static void
add_departed (const SyncParsedIntent *parsed, const StoreIntent *intent, const UidSet *gone,
              GArray *departed)
{
  gsize length;
  const guint8 *p = g_bytes_get_data (intent->descriptions, &length);
  const guint8 *end = length > 0 ? p + length : p;
  SyncDeparted one = {.flags = intent->flags, .from = intent->uidnext};
  UidIter iter;

  uid_iter_init (&iter, parsed->uids);
  while (uid_iter_next (&iter, &one.uid) && take_description (&p, end, &one.size, &one.date)) {
    if (one.size > 0 && uid_set_contains (gone, one.uid))
      g_array_append_val (departed, one);
  }
}

GArray *
sync_landed_departed (const SyncPlanInput *in, Side origin, const UidSet *paired,
                      const UidSet *held)
{
  const SyncDelta *delta = in->delta[origin];
  g_autoptr (GArray) departed = g_array_new (FALSE, FALSE, sizeof (SyncDeparted));

  if (delta->trust != SYNC_TRUST_PROVED)
    return NULL;
  for (guint i = 0; i < in->parsed_intents->len; i++) {
    const SyncParsedIntent *parsed = &g_array_index (in->parsed_intents, SyncParsedIntent, i);
    const StoreIntent *intent = g_ptr_array_index (in->intents, i);
    g_autoptr (UidSet) gone = NULL;

    if (parsed->kind != STORE_INTENT_COPY || parsed->side == origin || parsed->uids == NULL ||
        intent->descriptions == NULL)
      continue;
    gone = gone_uids (delta, parsed->uids);
    uid_set_subtract (gone, paired);
    uid_set_subtract (gone, held);
    if (!uid_set_is_empty (gone))
      add_departed (parsed, intent, gone, departed);
  }
  return departed->len > 0 ? g_steal_pointer (&departed) : NULL;
}

/* --- what has arrived ------------------------------------------------------------------------ */

static int
compare_looks (guint64 size, gint64 date, guint64 other_size, gint64 other_date)
{
  if (size != other_size)
    return size < other_size ? -1 : 1;
  return date < other_date ? -1 : date > other_date;
}

static int
compare_departed (gconstpointer a, gconstpointer b)
{
  const SyncDeparted *x = a, *y = b;
  int order = compare_looks (x->size, x->date, y->size, y->date);

  return order != 0 ? order : x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* By their looks, then by UID. Ones that nobody described look like nothing. */
static GArray *
sorted_looks (const GArray *messages, guint32 from)
{
  GArray *looks = g_array_new (FALSE, TRUE, sizeof (SyncDeparted));

  for (guint i = 0; i < messages->len; i++) {
    const SyncMessage *message = &g_array_index (messages, SyncMessage, i);
    SyncDeparted one = {.uid = message->uid, .size = message->size, .date = message->internaldate};

    if (message->described && message->uid >= from)
      g_array_append_val (looks, one);
  }
  g_array_sort (looks, compare_departed);
  return looks;
}

/* The first of @sorted from *@at on that looks like @departed or comes behind; how many do. */
static guint
count_alike (const GArray *sorted, guint *at, const SyncDeparted *departed)
{
  guint n = 0;

  for (; *at < sorted->len; (*at)++) {
    const SyncDeparted *one = &g_array_index (sorted, SyncDeparted, *at);

    if (compare_looks (one->size, one->date, departed->size, departed->date) >= 0)
      break;
  }
  while (*at + n < sorted->len) {
    const SyncDeparted *one = &g_array_index (sorted, SyncDeparted, *at + n);

    if (compare_looks (one->size, one->date, departed->size, departed->date) != 0)
      break;
    n++;
  }
  return n;
}

static guint32
first_place (const GArray *departed)
{
  guint32 from = G_MAXUINT32;

  for (guint i = 0; i < departed->len; i++)
    from = MIN (from, g_array_index (departed, SyncDeparted, i).from);
  return from;
}

void
sync_landed_match (GArray *departed, Side origin, const GArray *candidates, const GArray *rivals,
                   GArray *matches)
{
  g_autoptr (GArray) arrived = sorted_looks (candidates, first_place (departed));
  g_autoptr (GArray) left = sorted_looks (rivals, 0);
  guint n = 0, at = 0, rival = 0;

  g_array_sort (departed, compare_departed);
  for (guint i = 0; i < departed->len; i += n) {
    guint first = i, n_arrived;
    const SyncDeparted *one = &g_array_index (departed, SyncDeparted, i);

    n = count_alike (departed, &first, one);
    n_arrived = count_alike (arrived, &at, one);
    if (n_arrived > n || count_alike (left, &rival, one) > 0)
      continue;
    for (guint j = 0; j < n_arrived; j++) {
      SyncMatch match = {0};

      match.uid[origin] = g_array_index (departed, SyncDeparted, i + j).uid;
      match.uid[side_other (origin)] = g_array_index (arrived, SyncDeparted, at + j).uid;
      g_array_append_val (matches, match);
    }
  }
}
