/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/identity.h"

#include <string.h>

/* --- matching -------------------------------------------------------------------------------- */

typedef enum {
  RANK_GUID,
  RANK_MESSAGE_ID,
  RANK_DIGEST,
} Rank;

static gboolean
has_key (const SyncIdentity *identity, Rank rank)
{
  switch (rank) {
  case RANK_GUID:
    return identity->guid != 0;
  case RANK_MESSAGE_ID:
    return identity->message_id != 0;
  default:
    return identity->digested;
  }
}

static int
compare_numbers (guint64 a, guint64 b)
{
  return a < b ? -1 : a > b;
}

static int
compare_keys (const SyncIdentity *a, const SyncIdentity *b, Rank rank)
{
  int order;

  switch (rank) {
  case RANK_GUID:
    return compare_numbers (a->guid, b->guid);
  case RANK_MESSAGE_ID:
    if ((order = compare_numbers (a->message_id, b->message_id)) != 0)
      return order;
    if ((order = compare_numbers (a->size, b->size)) != 0)
      return order;
    return compare_numbers ((guint64)a->date, (guint64)b->date);
  default:
    return memcmp (a->digest, b->digest, sizeof a->digest);
  }
}

static int
compare_entries (gconstpointer a, gconstpointer b, gpointer rank)
{
  const SyncIdentity *x = *(const SyncIdentity *const *)a, *y = *(const SyncIdentity *const *)b;
  int order = compare_keys (x, y, GPOINTER_TO_INT (rank));

  return order != 0 ? order : compare_numbers (x->uid, y->uid);
}

/* Those of @left that have the rank's key, by key and then UID. */
static GPtrArray *
sorted_by (const GPtrArray *left, Rank rank)
{
  GPtrArray *sorted = g_ptr_array_new ();

  for (guint i = 0; i < left->len; i++) {
    if (has_key (g_ptr_array_index (left, i), rank))
      g_ptr_array_add (sorted, g_ptr_array_index (left, i));
  }
  g_ptr_array_sort_with_data (sorted, compare_entries, GINT_TO_POINTER (rank));
  return sorted;
}

static void
drop_matched (GPtrArray *left, const UidSet *matched)
{
  guint kept = 0;

  for (guint i = 0; i < left->len; i++) {
    SyncIdentity *identity = g_ptr_array_index (left, i);

    if (!uid_set_contains (matched, identity->uid))
      left->pdata[kept++] = identity;
  }
  g_ptr_array_set_size (left, kept);
}

static int
compare_matches (gconstpointer a, gconstpointer b)
{
  const SyncMatch *x = a, *y = b;

  return compare_numbers (x->uid[SIDE_LOCAL], y->uid[SIDE_LOCAL]);
}

/* The length of the run of equal keys that begins at @first. */
static guint
count_equal (const GPtrArray *sorted, guint first, Rank rank)
{
  guint end = first + 1;

  while (end < sorted->len && compare_keys (g_ptr_array_index (sorted, first),
                                            g_ptr_array_index (sorted, end), rank) == 0)
    end++;
  return end - first;
}

/* As multisets, in UID order. Where several messages look alike from outside, their text decides:
 * a wrong pair would delete the wrong one some day. */
static void
match_rank (GPtrArray *left[N_SIDES], Rank rank, GArray *matches)
{
  g_autoptr (GPtrArray) local = sorted_by (left[SIDE_LOCAL], rank);
  g_autoptr (GPtrArray) remote = sorted_by (left[SIDE_REMOTE], rank);
  g_autoptr (UidSet) matched_local = uid_set_new ();
  g_autoptr (UidSet) matched_remote = uid_set_new ();
  guint i = 0, j = 0;

  while (i < local->len && j < remote->len) {
    const SyncIdentity *a = g_ptr_array_index (local, i), *b = g_ptr_array_index (remote, j);
    int order = compare_keys (a, b, rank);
    guint n_local = order <= 0 ? count_equal (local, i, rank) : 0;
    guint n_remote = order >= 0 ? count_equal (remote, j, rank) : 0;
    gboolean is_clear = rank != RANK_MESSAGE_ID || (n_local == 1 && n_remote == 1);

    for (guint k = 0; is_clear && k < MIN (n_local, n_remote); k++) {
      a = g_ptr_array_index (local, i + k);
      b = g_ptr_array_index (remote, j + k);
      SyncMatch match = {{a->uid, b->uid}};

      g_array_append_val (matches, match);
      uid_set_add (matched_local, a->uid);
      uid_set_add (matched_remote, b->uid);
    }
    i += n_local;
    j += n_remote;
  }
  drop_matched (left[SIDE_LOCAL], matched_local);
  drop_matched (left[SIDE_REMOTE], matched_remote);
}

/* Only a message that has a counterpart with the same Message-ID (or, like itself, none) is worth
 * reading whole. */
static GHashTable *
message_ids (const GPtrArray *left)
{
  GHashTable *ids = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < left->len; i++)
    g_hash_table_add (ids, &((SyncIdentity *)g_ptr_array_index (left, i))->message_id);
  return ids;
}

static void
find_undecided (const GPtrArray *left, const GPtrArray *other, UidSet *undecided)
{
  g_autoptr (GHashTable) ids = message_ids (other);

  for (guint i = 0; i < left->len; i++) {
    const SyncIdentity *identity = g_ptr_array_index (left, i);

    if (!identity->digested && g_hash_table_contains (ids, &identity->message_id))
      uid_set_add (undecided, identity->uid);
  }
}

void
sync_identity_match (const GArray *const messages[N_SIDES], GArray *matches,
                     UidSet *undecided[N_SIDES])
{
  g_autoptr (GPtrArray) local = g_ptr_array_new ();
  g_autoptr (GPtrArray) remote = g_ptr_array_new ();
  GPtrArray *left[N_SIDES] = {local, remote};

  for (Side side = 0; side < N_SIDES; side++) {
    for (guint i = 0; i < messages[side]->len; i++)
      g_ptr_array_add (left[side], &g_array_index (messages[side], SyncIdentity, i));
  }
  match_rank (left, RANK_GUID, matches);
  match_rank (left, RANK_MESSAGE_ID, matches);
  match_rank (left, RANK_DIGEST, matches);
  find_undecided (local, remote, undecided[SIDE_LOCAL]);
  find_undecided (remote, local, undecided[SIDE_REMOTE]);
  g_array_sort (matches, compare_matches);
}

SyncIdentityVerdict
sync_identity_compare (const SyncIdentity *a, const SyncIdentity *b)
{
  if (a->guid != 0 && a->guid == b->guid)
    return SYNC_IDENTITY_SAME;
  if (a->message_id != b->message_id)
    return SYNC_IDENTITY_OTHER;
  if (has_key (a, RANK_MESSAGE_ID) && compare_keys (a, b, RANK_MESSAGE_ID) == 0)
    return SYNC_IDENTITY_SAME;
  if (!a->digested || !b->digested)
    return SYNC_IDENTITY_UNDECIDED;
  return compare_keys (a, b, RANK_DIGEST) == 0 ? SYNC_IDENTITY_SAME : SYNC_IDENTITY_OTHER;
}

/* --- Message-ID ------------------------------------------------------------------------------ */

/* The value of the first Message-ID field, its white space taken out. (transfer full) (nullable) */
static GString *
find_message_id (const guint8 *header, gsize length)
{
  static const char field[] = "message-id:";
  const char *text = (const char *)header, *end = text + length;
  GString *value;

  while (text < end && ((gsize)(end - text) < strlen (field) ||
                        g_ascii_strncasecmp (text, field, strlen (field)) != 0)) {
    const char *newline = memchr (text, '\n', end - text);

    text = newline != NULL ? newline + 1 : end;
  }
  if (text == end)
    return NULL;
  value = g_string_new (NULL);
  for (text += strlen (field); text < end; text++) {
    if (*text == '\n' && (text + 1 == end || (text[1] != ' ' && text[1] != '\t')))
      break;
    if (!g_ascii_isspace (*text))
      /* As Cyrus does with 8-bit bytes in headers. */
      g_string_append_c (value, (guchar)*text >= 0x80 ? 'X' : *text);
  }
  if (value->len == 0) {
    g_string_free (value, TRUE);
    return NULL;
  }
  return value;
}

guint64
sync_message_id_hash (const guint8 *header, gsize length)
{
  GString *value = find_message_id (header, length);
  g_autoptr (GChecksum) checksum = NULL;
  guint8 digest[32];
  gsize size = sizeof digest;
  guint64 hash;

  if (value == NULL)
    return 0;
  checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (checksum, (const guint8 *)value->str, value->len);
  g_checksum_get_digest (checksum, digest, &size);
  memcpy (&hash, digest, sizeof hash);
  g_string_free (value, TRUE);
  return hash != 0 ? hash : 1;
}

char *
sync_message_id_text (const guint8 *header, gsize length)
{
  GString *value = find_message_id (header, length);
  char *text;

  if (value == NULL)
    return g_strdup ("");
  g_string_truncate (value, MIN (value->len, 250));
  text = g_strescape (value->str, "\"");
  g_string_free (value, TRUE);
  return text;
}

/* --- the digest ------------------------------------------------------------------------------ */

struct _SyncDigest {
  GChecksum *checksum;
  gboolean in_body;
  gboolean line_empty; /* nothing on this line yet */
  gboolean after_cr;
};

SyncDigest *
sync_digest_new (void)
{
  SyncDigest *digest = g_new0 (SyncDigest, 1);

  digest->checksum = g_checksum_new (G_CHECKSUM_SHA256);
  digest->line_empty = TRUE;
  return digest;
}

/* Writes what @byte comes to behind @out, returns how many bytes that are. */
static gsize
normalize (SyncDigest *digest, guint8 byte, guint8 *out)
{
  gsize n = 0;

  if (byte == '\n') {
    out[n++] = '\n';
    digest->in_body |= digest->line_empty;
    digest->line_empty = TRUE;
    digest->after_cr = FALSE;
    return n;
  }
  /* A CR that does not belong to a line end is content. */
  if (digest->after_cr) {
    out[n++] = '\r';
    digest->line_empty = FALSE;
    digest->after_cr = FALSE;
  }
  if (byte == '\r') {
    digest->after_cr = TRUE;
    return n;
  }
  digest->line_empty = FALSE;
  if (byte == 0)
    byte = 0x80; /* what Dovecot serves in its place */
  out[n++] = byte >= 0x80 && !digest->in_body ? 'X' : byte;
  return n;
}

void
sync_digest_update (SyncDigest *digest, const guint8 *bytes, gsize length)
{
  guint8 buffer[4096];
  gsize filled = 0;

  for (gsize i = 0; i < length; i++) {
    filled += normalize (digest, bytes[i], buffer + filled);
    if (filled > sizeof buffer - 2) {
      g_checksum_update (digest->checksum, buffer, filled);
      filled = 0;
    }
  }
  g_checksum_update (digest->checksum, buffer, filled);
}

void
sync_digest_finish (SyncDigest *digest, guint8 out[32])
{
  gsize length = 32;

  if (digest->after_cr)
    g_checksum_update (digest->checksum, (const guint8 *)"\r", 1);
  g_checksum_get_digest (digest->checksum, out, &length);
  g_checksum_free (digest->checksum);
  g_free (digest);
}
