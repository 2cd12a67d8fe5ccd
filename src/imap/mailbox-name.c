/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/mailbox-name.h"

#include "errors.h"

#include <string.h>

#define INBOX "INBOX"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static inline gboolean
is_direct (gunichar c)
{
  return c >= 0x20 && c <= 0x7e;
}

static inline gboolean
is_surrogate (guint32 unit, guint32 base)
{
  return (unit & 0xfc00) == base;
}

void
mailbox_naming_clear (MailboxNaming *naming)
{
  g_clear_pointer (&naming->prefix, g_free);
  g_clear_pointer (&naming->others, g_ptr_array_unref);
  naming->delimiter = 0;
  naming->is_reference = FALSE;
}

/* Modified UTF-7: bits of UTF-16 between "&" and "-", six to a digit. */

typedef struct {
  GString *text;
  guint32 bits;
  guint n_bits;
  gboolean shifted;
} Encoder;

static void
encoder_put_unit (Encoder *encoder, guint32 unit)
{
  if (!encoder->shifted)
    g_string_append_c (encoder->text, '&');
  encoder->shifted = TRUE;
  encoder->bits = encoder->bits << 16 | unit;
  for (encoder->n_bits += 16; encoder->n_bits >= 6; encoder->n_bits -= 6)
    g_string_append_c (encoder->text, base64_digits[encoder->bits >> (encoder->n_bits - 6) & 0x3f]);
}

static void
encoder_unshift (Encoder *encoder)
{
  if (encoder->n_bits > 0)
    g_string_append_c (encoder->text, base64_digits[encoder->bits << (6 - encoder->n_bits) & 0x3f]);
  if (encoder->shifted)
    g_string_append_c (encoder->text, '-');
  encoder->shifted = FALSE;
  encoder->bits = encoder->n_bits = 0;
}

static void
encoder_put (Encoder *encoder, gunichar c)
{
  if (is_direct (c)) {
    encoder_unshift (encoder);
    g_string_append_c (encoder->text, c);
    if (c == '&')
      g_string_append_c (encoder->text, '-');
  } else if (c < 0x10000) {
    encoder_put_unit (encoder, c);
  } else {
    encoder_put_unit (encoder, 0xd800 | (c - 0x10000) >> 10);
    encoder_put_unit (encoder, 0xdc00 | ((c - 0x10000) & 0x3ff));
  }
}

char *
mailbox_name_encode (const char *utf8)
{
  Encoder encoder = {0};

  g_return_val_if_fail (g_utf8_validate (utf8, -1, NULL), NULL);
  encoder.text = g_string_sized_new (strlen (utf8) + 1);
  for (const char *p = utf8; *p != '\0'; p = g_utf8_next_char (p))
    encoder_put (&encoder, g_utf8_get_char (p));
  encoder_unshift (&encoder);
  return g_string_free (encoder.text, FALSE);
}

/* What follows an "&", up to and with its "-". */
static gboolean
decode_shift (const char **p, GString *utf8)
{
  guint32 bits = 0, high = 0;
  guint n_bits = 0;

  for (; **p != '-'; (*p)++) {
    const char *digit = **p != '\0' ? strchr (base64_digits, **p) : NULL;
    guint32 unit;

    if (digit == NULL)
      return FALSE;
    bits = bits << 6 | (guint32)(digit - base64_digits);
    n_bits += 6;
    if (n_bits < 16)
      continue;
    n_bits -= 16;
    unit = bits >> n_bits & 0xffff;
    if (unit == 0 || (high != 0) != is_surrogate (unit, 0xdc00))
      return FALSE;
    if (is_surrogate (unit, 0xd800)) {
      high = unit;
    } else if (high != 0) {
      g_string_append_unichar (utf8, 0x10000 + ((high & 0x3ff) << 10 | (unit & 0x3ff)));
      high = 0;
    } else {
      g_string_append_unichar (utf8, unit);
    }
  }
  (*p)++;
  return high == 0;
}

/* Takes more than is canonical: two shifts in a row, printable characters in base64, odd bits. */
static gboolean
decode_loosely (const char *wire, GString *utf8)
{
  for (const char *p = wire; *p != '\0';) {
    if (!is_direct ((guchar)*p))
      return FALSE;
    if (*p != '&') {
      g_string_append_c (utf8, *p++);
    } else if (p[1] == '-') {
      g_string_append_c (utf8, '&');
      p += 2;
    } else {
      p++;
      if (!decode_shift (&p, utf8))
        return FALSE;
    }
  }
  return TRUE;
}

char *
mailbox_name_decode (const char *wire, GError **error)
{
  g_autoptr (GString) utf8 = g_string_sized_new (strlen (wire) + 1);
  g_autofree char *canonical = NULL;
  g_autofree char *shown = NULL;

  if (decode_loosely (wire, utf8)) {
    canonical = mailbox_name_encode (utf8->str);
    if (strcmp (canonical, wire) == 0)
      return g_string_free (g_steal_pointer (&utf8), FALSE);
  }
  shown = mailbox_name_display (wire, 0);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL,
               "the mailbox name \"%s\" is not valid modified UTF-7", shown);
  return NULL;
}

/* What no name in the program's form may be, wherever it came from; NULL: nothing. */
static const char *
find_fault (const char *name)
{
  static const char two[] = {MAILBOX_NAME_SEPARATOR, MAILBOX_NAME_SEPARATOR, '\0'};
  const gsize length = strlen (name);

  if (!g_utf8_validate (name, length, NULL))
    return "is not valid UTF-8";
  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    if (*p != MAILBOX_NAME_SEPARATOR && g_unichar_iscntrl (g_utf8_get_char (p)))
      return "has a control character";
  if (length == 0 || name[0] == two[0] || name[length - 1] == two[0] || strstr (name, two) != NULL)
    return "has an empty level";
  return NULL;
}

/* A delimiter that can stand for itself in modified UTF-7; else 0. */
static char
usable_delimiter (char delimiter)
{
  return delimiter > 0x20 && delimiter < 0x7f && delimiter != '&' ? delimiter : 0;
}

static void
replace_bytes (char *text, char from, char to)
{
  for (char *p = text; *p != '\0'; p++)
    if (*p == from)
      *p = to;
}

static gboolean
is_inbox (const char *level, gsize length)
{
  return length == strlen (INBOX) && g_ascii_strncasecmp (level, INBOX, length) == 0;
}

static gsize
first_level_length (const char *name)
{
  return strchrnul (name, MAILBOX_NAME_SEPARATOR) - name;
}

static void
normalize_inbox (char *name)
{
  if (is_inbox (name, first_level_length (name)))
    memcpy (name, INBOX, strlen (INBOX));
}

/* From levels joined by @delimiter; @name is taken. */
static char *
join_levels (char *name, char delimiter, const char **fault)
{
  g_autofree char *own = name;

  if (strchr (own, MAILBOX_NAME_SEPARATOR) != NULL) {
    *fault = "has a control character";
    return NULL;
  }
  if (delimiter != 0)
    replace_bytes (own, delimiter, MAILBOX_NAME_SEPARATOR);
  *fault = find_fault (own);
  if (*fault != NULL)
    return NULL;
  return g_steal_pointer (&own);
}

MailboxNamespace *
mailbox_namespace_new (const char *prefix, char delimiter, gboolean shared)
{
  MailboxNamespace *space = g_new0 (MailboxNamespace, 1);
  g_autofree char *root = g_strdup (prefix);
  const gsize length = strlen (root);
  const char *fault = NULL;
  char *decoded;

  if (delimiter != 0 && length > 0 && root[length - 1] == delimiter)
    root[length - 1] = '\0';
  decoded = mailbox_name_decode (root, NULL);
  space->prefix = g_strdup (prefix);
  space->delimiter = delimiter;
  space->shared = shared;
  if (decoded != NULL)
    space->root = join_levels (decoded, usable_delimiter (delimiter), &fault);
  return space;
}

void
mailbox_namespace_free (MailboxNamespace *space)
{
  if (space == NULL)
    return;
  g_free (space->prefix);
  g_free (space->root);
  g_free (space);
}

/* @wire behind the prefix, in which a first level INBOX has no case; NULL for a name outside. */
static const char *
skip_prefix (const MailboxNaming *naming, const char *wire)
{
  const char *prefix = naming->prefix != NULL ? naming->prefix : "";
  const gsize inbox = strlen (INBOX);

  if (g_ascii_strncasecmp (prefix, INBOX, inbox) == 0 && naming->delimiter != 0 &&
      prefix[inbox] == naming->delimiter && g_ascii_strncasecmp (wire, INBOX, inbox) == 0) {
    prefix += inbox;
    wire += inbox;
  }
  return g_str_has_prefix (wire, prefix) ? wire + strlen (prefix) : NULL;
}

/* The level that a namespace begins with belongs to it, too. */
static gboolean
is_in_space (const MailboxNamespace *space, const char *wire)
{
  const gsize length = strlen (space->prefix);

  if (strncmp (wire, space->prefix, length) == 0)
    return TRUE;
  return length > 1 && space->prefix[length - 1] == space->delimiter &&
         strlen (wire) == length - 1 && strncmp (wire, space->prefix, length - 1) == 0;
}

const MailboxNamespace *
mailbox_naming_find (const MailboxNaming *naming, const char *wire)
{
  const MailboxNamespace *found = NULL;
  gssize longest = -1;

  if (is_inbox (wire, strlen (wire)) && !naming->is_reference)
    return NULL;
  if (skip_prefix (naming, wire) != NULL)
    longest = naming->prefix != NULL ? (gssize)strlen (naming->prefix) : 0;
  for (guint i = 0; naming->others != NULL && i < naming->others->len; i++) {
    const MailboxNamespace *space = g_ptr_array_index (naming->others, i);

    if ((gssize)strlen (space->prefix) > longest && is_in_space (space, wire)) {
      longest = strlen (space->prefix);
      found = space;
    }
  }
  return found;
}

static gboolean
is_at_or_below (const char *name, const char *root)
{
  const gsize length = strlen (root);

  return strncmp (name, root, length) == 0 &&
         (name[length] == '\0' || name[length] == MAILBOX_NAME_SEPARATOR);
}

/* The personal one that a name in the program's form goes to. */
static const MailboxNamespace *
find_for_name (const MailboxNaming *naming, const char *name)
{
  const MailboxNamespace *found = NULL;
  gsize longest = 0;

  for (guint i = 0; naming->others != NULL && i < naming->others->len; i++) {
    const MailboxNamespace *space = g_ptr_array_index (naming->others, i);
    gsize length = space->root != NULL ? strlen (space->root) : 0;

    if (length > longest && !space->shared && is_at_or_below (name, space->root)) {
      longest = length;
      found = space;
    }
  }
  return found;
}

/* Under a prefix, INBOX and a level of that name below the prefix are two mailboxes: only the
 * children of INBOX, in capitals, have a form of their own. Under a reference, only the one in
 * capitals is INBOX. */
static gboolean
is_ambiguous (const MailboxNaming *naming, const char *name)
{
  gsize length = first_level_length (name);

  if (naming->prefix == NULL || naming->prefix[0] == '\0' || !is_inbox (name, length))
    return FALSE;
  return (name[length] == '\0' && !naming->is_reference) || strncmp (name, INBOX, length) != 0;
}

/* Its form would be written as another name: one that begins as another namespace does. */
static gboolean
is_taken (const MailboxNaming *naming, const MailboxNamespace *space, const char *name,
          const char *wire)
{
  g_autofree char *back = NULL;

  if (find_for_name (naming, name) == space)
    return FALSE;
  back = mailbox_name_to_wire (naming, name, NULL);
  return g_strcmp0 (back, wire) != 0;
}

static char *
bring_here (const MailboxNaming *naming, const char *wire, const char **fault, GError **error)
{
  const MailboxNamespace *space = mailbox_naming_find (naming, wire);
  const char *rest = space != NULL ? wire : skip_prefix (naming, wire);
  char delimiter = space != NULL ? space->delimiter : naming->delimiter;
  g_autofree char *name = NULL;
  char *decoded;

  if (space != NULL && space->shared)
    *fault = "is in a namespace that is shared with others";
  else if (rest == NULL)
    *fault = "is outside of the personal namespace";
  if (*fault != NULL || (decoded = mailbox_name_decode (rest, error)) == NULL)
    return NULL;
  name = join_levels (decoded, usable_delimiter (delimiter), fault);
  if (name == NULL)
    return NULL;
  if (space == NULL && is_ambiguous (naming, name))
    *fault = "cannot be told from INBOX";
  else if (is_taken (naming, space, name, wire))
    *fault = "cannot be told from one in another namespace";
  return *fault == NULL ? g_steal_pointer (&name) : NULL;
}

char *
mailbox_name_from_wire (const MailboxNaming *naming, const char *wire, GError **error)
{
  g_autofree char *shown = NULL;
  const char *fault = NULL;
  char *name;

  if (is_inbox (wire, strlen (wire)) && !naming->is_reference)
    return g_strdup (INBOX);
  name = bring_here (naming, wire, &fault, error);
  if (fault != NULL) {
    shown = mailbox_name_display (wire, 0);
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL, "the mailbox name \"%s\" %s",
                 shown, fault);
    return NULL;
  }
  if (name != NULL)
    normalize_inbox (name);
  return name;
}

/* Why a server with @delimiter cannot have @name; NULL: it can. (transfer full) */
static char *
find_obstacle (const char *name, char delimiter)
{
  const char *fault = find_fault (name);

  if (fault != NULL)
    return g_strdup (fault);
  if (delimiter == 0 && strchr (name, MAILBOX_NAME_SEPARATOR) != NULL)
    return g_strdup ("has more than one level, and the server has no hierarchy");
  if (delimiter != 0 && strchr (name, delimiter) != NULL)
    return g_strdup_printf ("holds \"%c\" within a level, which the server puts between levels",
                            delimiter);
  return NULL;
}

static char *
bring_there (const MailboxNaming *naming, const char *name, char **obstacle)
{
  const MailboxNamespace *found, *space = find_for_name (naming, name);
  const char delimiter = usable_delimiter (space != NULL ? space->delimiter : naming->delimiter);
  const char *prefix = space == NULL && naming->prefix != NULL ? naming->prefix : "";
  g_autofree char *joined = g_strdup (name);
  g_autofree char *encoded = NULL;
  g_autofree char *wire = NULL;

  *obstacle = find_obstacle (name, delimiter);
  if (*obstacle != NULL)
    return NULL;
  normalize_inbox (joined);
  replace_bytes (joined, MAILBOX_NAME_SEPARATOR, delimiter);
  encoded = mailbox_name_encode (joined);
  wire = g_strconcat (prefix, encoded, NULL);
  found = mailbox_naming_find (naming, wire);
  if (found == space)
    return g_steal_pointer (&wire);
  *obstacle = g_strdup (found != NULL && found->shared
                            ? "would be in a namespace that is shared with others"
                            : "would be in another namespace");
  return NULL;
}

char *
mailbox_name_to_wire (const MailboxNaming *naming, const char *name, GError **error)
{
  g_autofree char *obstacle = NULL;
  g_autofree char *shown = NULL;
  char *wire;

  if (is_inbox (name, strlen (name)) && !naming->is_reference)
    return g_strdup (INBOX);
  wire = bring_there (naming, name, &obstacle);
  if (wire != NULL)
    return wire;
  shown = mailbox_name_display (name, 0);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND, "the mailbox name \"%s\" %s", shown,
               obstacle);
  return NULL;
}

gboolean
mailbox_naming_shares (const MailboxNaming *naming, const char *name)
{
  for (guint i = 0; naming->others != NULL && i < naming->others->len; i++) {
    const MailboxNamespace *space = g_ptr_array_index (naming->others, i);
    g_autofree char *wire = NULL;

    if (!space->shared || space->root == NULL || !is_at_or_below (name, space->root))
      continue;
    wire = mailbox_name_to_wire (naming, space->root, NULL);
    if (wire == NULL)
      return TRUE;
  }
  return FALSE;
}

char *
mailbox_name_display (const char *name, char delimiter)
{
  g_autoptr (GString) text = g_string_sized_new (strlen (name) + 1);

  for (const char *p = name; *p != '\0';) {
    gunichar c = g_utf8_get_char_validated (p, -1);
    gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
    gsize length = valid ? (gsize)(g_utf8_next_char (p) - p) : 1;

    if (*p == MAILBOX_NAME_SEPARATOR)
      g_string_append_c (text, delimiter != 0 ? delimiter : '/');
    else if (valid && g_unichar_isprint (c))
      g_string_append_len (text, p, length);
    else
      for (gsize i = 0; i < length; i++)
        g_string_append_printf (text, "\\x%02x", (guchar)p[i]);
    p += length;
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
mailbox_name_from_argument (const char *argument, char delimiter, GError **error)
{
  const char *fault = NULL;
  g_autofree char *name = join_levels (g_strdup (argument), usable_delimiter (delimiter), &fault);

  if (name == NULL) {
    g_autofree char *shown = mailbox_name_display (argument, 0);

    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "the mailbox name \"%s\" %s", shown,
                 fault);
    return NULL;
  }
  normalize_inbox (name);
  return g_steal_pointer (&name);
}
