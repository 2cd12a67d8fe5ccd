/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "wording.h"

#include <glib/gi18n.h>
#include <string.h>

/* --- titles ---------------------------------------------------------------------------------- */

char *
wording_conflict_title (const Conflict *conflict, guint n)
{
  gulong many = n;

  if (g_str_equal (conflict->kind, "mass-deletion"))
    return g_strdup (_ ("Many messages vanished"));
  if (g_str_equal (conflict->kind, "mailbox-delete-vs-change"))
    return g_strdup (ngettext ("A deleted mailbox came back", "Deleted mailboxes came back", many));
  if (g_str_equal (conflict->kind, "refused"))
    return g_strdup_printf (ngettext ("A message was refused", "%lu messages were refused", many),
                            many);
  if (g_str_equal (conflict->kind, "unreadable"))
    return g_strdup_printf (
        ngettext ("A message cannot be read", "%lu messages cannot be read", many), many);
  if (g_str_equal (conflict->kind, "read-only"))
    return g_strdup (ngettext ("A mailbox is read-only", "Some mailboxes are read-only", many));
  if (g_str_equal (conflict->kind, "mailbox-name"))
    return g_strdup (ngettext ("A mailbox’s name is not possible",
                               "Some mailboxes’ names are not possible", many));
  if (g_str_equal (conflict->kind, "uidvalidity"))
    return g_strdup (ngettext ("A mailbox was renumbered", "Some mailboxes were renumbered", many));
  if (g_str_equal (conflict->kind, "flags"))
    return g_strdup (_ ("Marks were changed on both sides"));
  if (g_str_equal (conflict->kind, "delete-vs-change"))
    return g_strdup (_ ("Deleted here, changed there"));
  return g_strdup (_ ("Both sides disagree"));
}

/* --- sentences ------------------------------------------------------------------------------- */

/* The server where @conflict happened, as a person knows it. */
static const char *
server_of (const Account *account, const Conflict *conflict)
{
  gboolean local = g_strcmp0 (conflict->side, "local") == 0;
  const char *at = strrchr (local ? account->local : account->remote, '@');

  if (at != NULL && at[1] != '\0')
    return at + 1;
  /* Translators: a server without a name, which a command connects to. */
  return local ? _ ("the local server") : _ ("the remote server");
}

static char *
word_mass_deletion (const Account *account, const Conflict *conflict)
{
  gulong n = (gulong)conflict->count;
  const char *server = server_of (account, conflict);

  if (n == 0)
    return g_strdup_printf (_ ("Very many messages of “%s” vanished from %s. They are kept on the "
                               "other side until you decide."),
                            conflict->mailbox, server);
  return g_strdup_printf (
      /* Translators: the first %s is a mailbox, the second a server. */
      ngettext ("%lu message of “%s” vanished from %s. It is kept on the other side until you "
                "decide.",
                "%lu messages of “%s” vanished from %s. They are kept on the other side until you "
                "decide.",
                n),
      n, conflict->mailbox, server);
}

/* "“Subject” in INBOX", or the mailbox alone. */
static char *
word_message (const Conflict *conflict)
{
  if (conflict->subject == NULL || conflict->subject[0] == '\0')
    return g_strdup_printf (_ ("A message in “%s”"), conflict->mailbox);
  /* Translators: a message's subject and the mailbox that it is in. */
  return g_strdup_printf (_ ("“%s” in “%s”"), conflict->subject, conflict->mailbox);
}

static char *
word_held (const Conflict *conflict)
{
  g_autofree char *message = word_message (conflict);

  if (conflict->reason == NULL || conflict->reason[0] == '\0')
    return g_steal_pointer (&message);
  /* Translators: a message, and the server's own words about it. */
  return g_strdup_printf (_ ("%s: %s"), message, conflict->reason);
}

static char *
word_flags (const Conflict *conflict)
{
  return g_strdup_printf (_ ("“%s”: messages were marked on both sides (read, flagged and the "
                             "like). They have the marks of both now."),
                          conflict->mailbox);
}

char *
wording_conflict (const Account *account, const Conflict *conflict)
{
  const char *mailbox = conflict->mailbox;

  if (g_str_equal (conflict->kind, "mass-deletion"))
    return word_mass_deletion (account, conflict);
  if (g_str_equal (conflict->kind, "refused") || g_str_equal (conflict->kind, "unreadable"))
    return word_held (conflict);
  if (g_str_equal (conflict->kind, "flags"))
    return word_flags (conflict);
  if (g_str_equal (conflict->kind, "mailbox-delete-vs-change"))
    return g_strdup_printf (_ ("“%s” was deleted on one side while new mail came in on the other; "
                               "nothing was deleted."),
                            mailbox);
  if (g_str_equal (conflict->kind, "read-only"))
    return g_strdup_printf (_ ("“%s” cannot be changed on %s; your changes do not get there."),
                            mailbox, server_of (account, conflict));
  if (g_str_equal (conflict->kind, "mailbox-name"))
    return g_strdup_printf (_ ("“%s” cannot have this name on the other server. Rename it to have "
                               "it synchronized."),
                            mailbox);
  if (g_str_equal (conflict->kind, "uidvalidity"))
    return g_strdup_printf (_ ("“%s” got new numbers on %s; its messages were recognized, nothing "
                               "is lost."),
                            mailbox, server_of (account, conflict));
  if (g_str_equal (conflict->kind, "delete-vs-change"))
    return g_strdup_printf (_ ("A message in “%s” was deleted on one side and marked on the "
                               "other. It is deleted now."),
                            mailbox);
  return g_strdup_printf ("“%s” (%s)", mailbox, conflict->kind);
}

/* --- choices --------------------------------------------------------------------------------- */

const char *
wording_choice (const char *kind, const char *choice)
{
  /* Translators: buttons. These answer to messages that vanished from one side. */
  if (g_str_equal (choice, "apply"))
    return _ ("Delete them");
  if (g_str_equal (choice, "restore"))
    return _ ("Bring them back");
  if (g_str_equal (choice, "later"))
    return _ ("Ask me later");
  /* Translators: buttons. These answer to a mailbox that was deleted on one side. */
  if (g_str_equal (choice, "keep"))
    return _ ("Keep it");
  if (g_str_equal (choice, "delete"))
    return _ ("Delete it");
  /* Translators: buttons. These answer to a message or mailbox that a server refused. */
  if (g_str_equal (choice, "retry"))
    return _ ("Try again");
  if (g_str_equal (choice, "skip"))
    return _ ("Skip");
  return _ ("Got it");
}
