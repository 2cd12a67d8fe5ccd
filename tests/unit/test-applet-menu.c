/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "applet-fixture.h"
#include "icons.h"
#include "menu-model.h"

#include <gio/gio.h>
#include <locale.h>
#include <string.h>

static void
write_item (GString *text, const MenuItem *item)
{
  for (guint i = 0; item->children != NULL && i < item->children->len; i++) {
    const MenuItem *child = g_ptr_array_index (item->children, i);

    g_string_append (text, i > 0 ? ", " : "");
    g_string_append (text, child->label != NULL ? child->label : "-");
    if (child->children != NULL) {
      g_string_append (text, " [");
      write_item (text, child);
      g_string_append (text, "]");
    }
  }
}

static void
assert_menu (const State *state, const char *expected)
{
  g_autoptr (MenuIds) ids = menu_ids_new ();
  g_autoptr (MenuItem) root = menu_model_build (state, now, ids);
  g_autoptr (GString) text = g_string_new (NULL);

  write_item (text, root);
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_lives (void)
{
  g_autoptr (State) state = fixture_state ();

  assert_menu (state, "No account is configured, -, _Quit");
  state->life = LIFE_STARTING;
  assert_menu (state, "Starting…, -, _Quit");
  state->life = LIFE_ABSENT;
  assert_menu (state, "imapsync is not running, -, _Start synchronizing, -, _Quit");
}

static void
test_an_account (void)
{
  g_autoptr (State) state = fixture_state ();
  Account *work = fixture_add (state, "wo_rk", STATUS_WATCHING);

  assert_menu (state, "All mail in sync, -, wo__rk: in sync [ann@mail.example.org, -, _Sync now, "
                      "_Pause], -, _Sync now, _Pause [Until I resume, For an hour, "
                      "Until tomorrow morning], -, _Quit");
  fixture_set (work, STATUS_PAUSED, "", AWAKE);
  work->mailboxes = 1;
  work->messages = 2;
  assert_menu (state, "Paused, -, wo__rk: paused [ann@mail.example.org, 2 messages in 1 mailbox, "
                      "-, _Resume], -, _Resume, -, _Quit");
  fixture_set (work, STATUS_KEYRING_LOCKED, "keyring", AWAKE);
  work->next_try = NOW + 60;
  work->mailboxes = 0;
  assert_menu (state, "wo__rk: the keyring is locked, -, wo__rk: the keyring is locked "
                      "[ann@mail.example.org, Next try: 14:06, -, _Unlock keyring…, _Sync now, "
                      "_Pause], -, _Unlock keyring…, _Sync now, _Pause [Until I resume, For an "
                      "hour, Until tomorrow morning], -, _Quit");
}

static void
test_conflicts_are_not_endless (void)
{
  g_autoptr (State) state = fixture_state ();
  g_autoptr (MenuIds) ids = menu_ids_new ();
  g_autoptr (MenuItem) root = NULL;
  Account *work = fixture_add (state, "work", STATUS_WATCHING);
  const MenuItem *menu;

  for (guint i = 0; i < 40; i++)
    fixture_conflict (work, i, "flags", "INBOX");
  root = menu_model_build (state, now, ids);
  menu = g_ptr_array_index (root->children, 4);
  g_assert_cmpstr (menu->label, ==, "40 things to look at");
  g_assert_cmpuint (menu->children->len, ==, 13);
  g_assert_cmpstr (((const MenuItem *)g_ptr_array_index (menu->children, 12))->label, ==,
                   "and 28 more");
}

static void
collect (const MenuItem *item, GHashTable *seen)
{
  g_assert_true (g_hash_table_add (seen, GINT_TO_POINTER (item->id)));
  for (guint i = 0; item->children != NULL && i < item->children->len; i++)
    collect (g_ptr_array_index (item->children, i), seen);
}

static void
test_numbers_are_unique_and_stay (void)
{
  g_autoptr (State) state = fixture_state ();
  g_autoptr (MenuIds) ids = menu_ids_new ();
  g_autoptr (MenuItem) before = NULL;
  g_autoptr (MenuItem) after = NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  const MenuItem *quit;

  fixture_conflict (fixture_add (state, "work", STATUS_WATCHING), 1, "refused", "INBOX");
  fixture_conflict (fixture_add (state, "private", STATUS_KEYRING_LOCKED), 1, "refused", "INBOX");
  before = menu_model_build (state, now, ids);
  collect (before, seen);
  state_remove_account (state, "/org/imapsync/Sync1/account/work");
  after = menu_model_build (state, now, ids);
  quit = g_ptr_array_index (after->children, after->children->len - 1);
  g_assert_cmpstr (menu_item_find (before, quit->id)->label, ==, quit->label);
  g_assert_null (menu_item_find (before, 9999));
}

static void
test_long_names_are_cut_between_characters (void)
{
  g_autoptr (State) state = fixture_state ();
  g_autoptr (MenuIds) ids = menu_ids_new ();
  g_autoptr (MenuItem) root = NULL;
  Account *work = fixture_add (state, "work", STATUS_WATCHING);
  const MenuItem *item;

  g_free (work->name);
  work->name = g_strnfill (200, 'a');
  memcpy (work->name + 70, "ä\xff€", 6);
  root = menu_model_build (state, now, ids);
  item = g_ptr_array_index (root->children, 2);
  g_assert_true (g_utf8_validate (item->label, -1, NULL));
  g_assert_cmpint (g_utf8_strlen (item->label, -1), ==, 72);
}

static void
test_tomorrow (void)
{
  g_autoptr (GDateTime) afternoon = g_date_time_new_from_unix_utc (action_tomorrow (NOW));
  g_autoptr (GDateTime) night =
      g_date_time_new_from_unix_utc (action_tomorrow (NOW - 14 * 3600 + 3 * 3600));

  assert_takes ("2020-07-15 08:00", g_date_time_format (afternoon, "%F %R"));
  assert_takes ("2020-07-14 08:00", g_date_time_format (night, "%F %R"));
}

static void
test_pictures_are_drawn (void)
{
  g_autofree guint8 *square = icon_draw ("M4 4 H12 V12 H4 Z", 16);
  g_autofree guint8 *ring = icon_draw ("M0,0 L16,0 16,16 0,16 Z M4 4 H12 V12 H4 Z", 16);

  g_assert_cmpuint (square[0], ==, 0);
  g_assert_cmpuint (square[8 * 16 + 8], ==, 255);
  g_assert_cmpuint (square[4 * 16 + 4], ==, 255);
  g_assert_cmpuint (ring[8 * 16 + 8], ==, 0);
  g_assert_cmpuint (ring[0], ==, 255);
  g_assert_null (icon_draw ("M4 4 Q 1 2 3 4 Z", 16));
  g_assert_null (icon_draw ("4 4", 16));
  g_assert_null (icon_draw ("M4 4 Z 5 5", 16));
  g_assert_null (icon_draw ("M4", 16));
}

static void
test_every_mood_has_a_picture (void)
{
  for (Mood mood = MOOD_IN_SYNC; mood <= MOOD_ATTENTION; mood++) {
    g_autofree char *path = g_strdup_printf ("/org/imapsync/Applet/%s.svg", icon_name (mood));
    g_autoptr (GBytes) svg = g_resources_lookup_data (path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_autofree char *text = g_strndup (g_bytes_get_data (svg, NULL), g_bytes_get_size (svg));
    g_autofree char *data = icon_path_data (text);
    g_autofree guint8 *coverage = icon_draw (data, 22);
    guint covered = 0;

    g_assert_nonnull (coverage);
    for (guint i = 0; i < 22 * 22; i++)
      covered += coverage[i] > 127;
    g_assert_cmpuint (covered, >, 22 * 22 / 6);
    g_assert_cmpuint (covered, <, 22 * 22 * 2 / 3);
  }
}

int
main (int argc, char **argv)
{
  fixture_init ();
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/applet/menu/lives", test_lives);
  g_test_add_func ("/applet/menu/an-account", test_an_account);
  g_test_add_func ("/applet/menu/conflicts-are-not-endless", test_conflicts_are_not_endless);
  g_test_add_func ("/applet/menu/numbers-are-unique-and-stay", test_numbers_are_unique_and_stay);
  g_test_add_func ("/applet/menu/long-names-are-cut", test_long_names_are_cut_between_characters);
  g_test_add_func ("/applet/action/tomorrow", test_tomorrow);
  g_test_add_func ("/applet/icons/pictures-are-drawn", test_pictures_are_drawn);
  g_test_add_func ("/applet/icons/every-mood-has-a-picture", test_every_mood_has_a_picture);
  return g_test_run ();
}
