/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fuzz.h"
#include "imap/mailbox-name.h"

#include <string.h>

static void
check_utf7 (const char *text)
{
  g_autofree char *decoded = mailbox_name_decode (text, NULL);
  g_autofree char *again = NULL;

  if (decoded == NULL)
    return;
  g_assert_true (g_utf8_validate (decoded, -1, NULL));
  again = mailbox_name_encode (decoded);
  g_assert_cmpstr (again, ==, text);
}

/* What a server may say: the name goes back as the same mailbox. */
static void
check_from_wire (const MailboxNaming *naming, const char *text)
{
  g_autofree char *name = mailbox_name_from_wire (naming, text, NULL);
  g_autofree char *wire = NULL;
  g_autofree char *again = NULL;

  if (name == NULL)
    return;
  wire = mailbox_name_to_wire (naming, name, NULL);
  g_assert_nonnull (wire);
  g_assert_true (g_ascii_strcasecmp (wire, text) == 0);
  again = mailbox_name_from_wire (naming, wire, NULL);
  g_assert_cmpstr (again, ==, name);
}

/* What a person may say: a name that can be written comes back. */
static void
check_argument (const MailboxNaming *naming, const char *text)
{
  g_autofree char *name = mailbox_name_from_argument (text, '/', NULL);
  g_autofree char *wire = NULL;
  g_autofree char *again = NULL;

  if (name == NULL)
    return;
  wire = mailbox_name_to_wire (naming, name, NULL);
  if (wire == NULL)
    return;
  again = mailbox_name_from_wire (naming, wire, NULL);
  g_assert_cmpstr (again, ==, name);
}

/* One that has other namespaces, too. */
static GPtrArray *
make_spaces (void)
{
  GPtrArray *spaces = g_ptr_array_new ();

  g_ptr_array_add (spaces, mailbox_namespace_new ("a.", '.', FALSE));
  g_ptr_array_add (spaces, mailbox_namespace_new ("#b/", '/', FALSE));
  g_ptr_array_add (spaces, mailbox_namespace_new ("c.", '.', TRUE));
  return spaces;
}

/* The first byte chooses how the server writes names, the rest is a name. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static MailboxNaming namings[] = {
      {'/', (char *)""},      {'.', (char *)""}, {0, (char *)""},   {'.', (char *)"INBOX."},
      {'/', (char *)"Mail/"}, {'-', (char *)""}, {'.', (char *)""}, {'.', (char *)"INBOX."},
  };
  const MailboxNaming *naming;
  g_autofree char *text = NULL;
  g_autofree char *shown = NULL;

  if (size == 0)
    return 0;
  if (namings[6].others == NULL)
    namings[6].others = namings[7].others = make_spaces ();
  naming = &namings[data[0] % G_N_ELEMENTS (namings)];
  text = g_strndup ((const char *)data + 1, size - 1);
  check_utf7 (text);
  check_from_wire (naming, text);
  check_argument (naming, text);
  shown = mailbox_name_display (text, naming->delimiter);
  g_assert_true (g_utf8_validate (shown, -1, NULL));
  return 0;
}
