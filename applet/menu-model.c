/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "menu-model.h"

#include "conflict-kinds.h"
#include "wording.h"

#include <glib/gi18n.h>

enum {
  LABEL_LENGTH = 72, /* characters; menus do not wrap */
  LISTED_CONFLICTS = 12,
};

struct _MenuIds {
  GHashTable *by_key; /* char * -> gint32 */
};

MenuIds *
menu_ids_new (void)
{
  MenuIds *ids = g_new (MenuIds, 1);

  ids->by_key = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return ids;
}

void
menu_ids_free (MenuIds *ids)
{
  g_hash_table_unref (ids->by_key);
  g_free (ids);
}

static gint32
find_id (MenuIds *ids, const char *key)
{
  gpointer id = g_hash_table_lookup (ids->by_key, key);

  if (id == NULL) {
    id = GINT_TO_POINTER ((gint)g_hash_table_size (ids->by_key) + 1);
    g_hash_table_insert (ids->by_key, g_strdup (key), id);
  }
  return GPOINTER_TO_INT (id);
}

/* --- items ----------------------------------------------------------------------------------- */

static void
free_item (gpointer item)
{
  menu_item_free (item);
}

void
menu_item_free (MenuItem *item)
{
  if (item == NULL)
    return;
  g_free (item->label);
  g_free (item->spoken);
  action_free (item->action);
  g_clear_pointer (&item->children, g_ptr_array_unref);
  g_free (item);
}

const MenuItem *
menu_item_find (const MenuItem *root, gint32 id)
{
  const MenuItem *found = root->id == id ? root : NULL;

  for (guint i = 0; root->children != NULL && i < root->children->len && found == NULL; i++)
    found = menu_item_find (g_ptr_array_index (root->children, i), id);
  return found;
}

/* Labels have mnemonics, which an underscore marks; a real one is written twice. */
static char *
make_label (const char *text)
{
  g_autoptr (GString) label = g_string_new (NULL);
  g_autofree char *line = g_utf8_make_valid (text, -1);

  g_strdelimit (line, "\n\r\t", ' ');
  if (g_utf8_strlen (line, -1) > LABEL_LENGTH) {
    g_string_append_len (label, line, g_utf8_offset_to_pointer (line, LABEL_LENGTH - 1) - line);
    g_string_append (label, "…");
  } else {
    g_string_append (label, line);
  }
  g_string_replace (label, "_", "__", 0);
  return g_string_free (g_steal_pointer (&label), FALSE);
}

typedef struct {
  const State *state;
  Clock now;
  MenuIds *ids;
} Builder;

/* Takes @text, a plain text. */
static MenuItem *
add (Builder *b, MenuItem *parent, const char *key, char *text)
{
  MenuItem *item = g_new0 (MenuItem, 1);

  item->id = find_id (b->ids, key);
  item->label = text != NULL ? make_label (text) : NULL;
  g_free (text);
  if (parent->children == NULL)
    parent->children = g_ptr_array_new_with_free_func (free_item);
  g_ptr_array_add (parent->children, item);
  return item;
}

static void
add_line (Builder *b, MenuItem *parent, const char *key, char *text)
{
  add (b, parent, key, text)->disabled = TRUE;
}

/* @label has a mnemonic. Takes @action. */
static MenuItem *
add_command (Builder *b, MenuItem *parent, const char *key, const char *label, Action *action)
{
  MenuItem *item = add (b, parent, key, g_strdup (""));

  g_free (item->label);
  item->label = g_strdup (label);
  item->action = action;
  return item;
}

static void
add_separator (Builder *b, MenuItem *parent, const char *key)
{
  add (b, parent, key, NULL);
}

/* --- an account ------------------------------------------------------------------------------ */

static char *
account_key (const Account *account, const char *name)
{
  return g_strconcat (account->path, "\n", name, NULL);
}

static void
add_account_command (Builder *b, MenuItem *parent, const Account *account, const char *name,
                     const char *label, Verb verb)
{
  g_autofree char *key = account_key (account, name);

  add_command (b, parent, key, label, action_new (verb, account->path));
}

static void
add_account_line (Builder *b, MenuItem *parent, const Account *account, const char *name,
                  char *text)
{
  g_autofree char *key = account_key (account, name);

  add_line (b, parent, key, text);
}

static char *
word_contents (const Account *account)
{
  gulong messages = (gulong)account->messages, mailboxes = account->mailboxes;
  g_autofree char *m =
      g_strdup_printf (ngettext ("%'lu message", "%'lu messages", messages), messages);
  g_autofree char *b =
      g_strdup_printf (ngettext ("%lu mailbox", "%lu mailboxes", mailboxes), mailboxes);

  /* Translators: "1,024 messages in 12 mailboxes": two parts that are translated above. */
  return g_strdup_printf (_ ("%s in %s"), m, b);
}

static void
add_facts (Builder *b, MenuItem *parent, const Account *account)
{
  if (account->remote[0] != '\0')
    add_account_line (b, parent, account, "remote", g_strdup (account->remote));
  if (account->mailboxes > 0)
    add_account_line (b, parent, account, "contents", word_contents (account));
  if (account->next_try != 0 && (gint64)account->next_try > b->now.wall) {
    g_autofree char *when = wording_clock ((gint64)account->next_try, b->now.wall);

    add_account_line (b, parent, account, "next",
                      /* Translators: %s is a time, "14:05" or "tomorrow at 08:00". */
                      g_strdup_printf (_ ("Next try: %s"), when));
  }
}

static void
add_account (Builder *b, MenuItem *root, const Account *account)
{
  g_autofree char *key = account_key (account, "");
  g_autofree char *separator = account_key (account, "separator");
  g_autofree char *phrase = wording_account (account, b->now);
  MenuItem *menu =
      add (b, root, key, g_strdup_printf (C_ ("account", "%s: %s"), account->name, phrase));

  add_facts (b, menu, account);
  if (menu->children != NULL)
    add_separator (b, menu, separator);
  if (account->status == STATUS_KEYRING_LOCKED)
    add_account_command (b, menu, account, "unlock", _ ("_Unlock keyring…"), VERB_UNLOCK);
  if (account->status == STATUS_PAUSED) {
    add_account_command (b, menu, account, "resume", _ ("_Resume"), VERB_RESUME);
  } else {
    add_account_command (b, menu, account, "sync", _ ("_Sync now"), VERB_SYNC);
    add_account_command (b, menu, account, "pause", _ ("_Pause"), VERB_PAUSE);
  }
}

/* --- conflicts ------------------------------------------------------------------------------- */

static void
add_choices (Builder *b, MenuItem *menu, const Account *account, const Conflict *conflict)
{
  const char *const *choices = conflict_choices (conflict->kind);

  for (guint i = 0; choices[i] != NULL; i++) {
    g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT "/%s", conflict->id, choices[i]);
    g_autofree char *key = account_key (account, name);
    Action *action = action_new_resolve (account->path, choices[i]);

    action_add_conflict (action, conflict->id);
    add (b, menu, key, g_strdup (wording_choice (conflict->kind, choices[i])))->action = action;
  }
}

/* Title and mailbox; the whole sentence is spoken, and told by the notification. */
static void
add_conflict (Builder *b, MenuItem *parent, const Account *account, const Conflict *conflict)
{
  g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT, conflict->id);
  g_autofree char *key = account_key (account, name);
  g_autofree char *title = wording_conflict_title (conflict, 1);
  MenuItem *item;

  if (b->state->accounts->len > 1)
    /* Translators: an account, one of its mailboxes, what happened there. */
    item = add (b, parent, key,
                g_strdup_printf (_ ("%s, %s: %s"), account->name, conflict->mailbox, title));
  else
    /* Translators: a mailbox, what happened there. */
    item =
        add (b, parent, key, g_strdup_printf (C_ ("mailbox", "%s: %s"), conflict->mailbox, title));
  item->spoken = wording_conflict (account, conflict);
  add_choices (b, item, account, conflict);
}

static void
add_conflicts (Builder *b, MenuItem *root)
{
  gulong n = state_count_conflicts (b->state);
  guint listed = 0;
  MenuItem *menu;

  if (n == 0)
    return;
  menu = add (b, root, "conflicts",
              g_strdup_printf (ngettext ("%lu thing to look at", "%lu things to look at", n), n));
  for (guint i = 0; i < b->state->accounts->len; i++) {
    const Account *account = g_ptr_array_index (b->state->accounts, i);

    for (guint j = 0; j < account->open->len && listed < LISTED_CONFLICTS; j++, listed++)
      add_conflict (b, menu, account, g_ptr_array_index (account->open, j));
  }
  if (listed < n)
    add_line (b, menu, "conflicts/more",
              g_strdup_printf (ngettext ("and %lu more", "and %lu more", n - listed), n - listed));
}

/* --- everything ------------------------------------------------------------------------------ */

static void
add_pause (Builder *b, MenuItem *root)
{
  MenuItem *menu = add_command (b, root, "pause", _ ("_Pause"), NULL);

  /* Translators: below "Pause": for how long. */
  add_command (b, menu, "pause/forever", _ ("Until I resume"), action_new (VERB_PAUSE, NULL));
  add_command (b, menu, "pause/hour", _ ("For an hour"), action_new (VERB_PAUSE_HOUR, NULL));
  add_command (b, menu, "pause/tomorrow", _ ("Until tomorrow morning"),
               action_new (VERB_PAUSE_TOMORROW, NULL));
}

static guint
count_status (const State *state, Status status)
{
  guint n = 0;

  for (guint i = 0; i < state->accounts->len; i++)
    n += ((const Account *)g_ptr_array_index (state->accounts, i))->status == status;
  return n;
}

static void
add_commands (Builder *b, MenuItem *root)
{
  guint paused = count_status (b->state, STATUS_PAUSED);

  if (b->state->life == LIFE_ABSENT) {
    add_command (b, root, "start", _ ("_Start synchronizing"), action_new (VERB_START, NULL));
    return;
  }
  if (b->state->accounts->len == 0)
    return;
  if (count_status (b->state, STATUS_KEYRING_LOCKED) > 0)
    add_command (b, root, "unlock", _ ("_Unlock keyring…"), action_new (VERB_UNLOCK, NULL));
  if (paused < b->state->accounts->len) {
    add_command (b, root, "sync", _ ("_Sync now"), action_new (VERB_SYNC, NULL));
    add_pause (b, root);
  }
  if (paused > 0)
    add_command (b, root, "resume", _ ("_Resume"), action_new (VERB_RESUME, NULL));
}

MenuItem *
menu_model_build (const State *state, Clock now, MenuIds *ids)
{
  Builder b = {state, now, ids};
  MenuItem *root = g_new0 (MenuItem, 1);

  root->label = g_strdup ("");
  add_line (&b, root, "status", wording_summary (state, now));
  add_separator (&b, root, "separator/status");
  for (guint i = 0; i < state->accounts->len; i++)
    add_account (&b, root, g_ptr_array_index (state->accounts, i));
  if (state->accounts->len > 0)
    add_separator (&b, root, "separator/accounts");
  add_conflicts (&b, root);
  add_commands (&b, root);
  if (state->life == LIFE_ABSENT || state->accounts->len > 0)
    add_separator (&b, root, "separator/commands");
  add_command (&b, root, "quit", _ ("_Quit"), action_new (VERB_QUIT, NULL))->spoken =
      g_strdup (_ ("Quit this icon; mail is still synchronized"));
  return root;
}
