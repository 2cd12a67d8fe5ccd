/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "tree-model.h"

/* The named cases of two mailbox trees. Each is a line of a table: what both sides have and agreed
 * on, what users did since, the plan that is expected, and the tree that both sides have when it is
 * done. It is played three times: as it stands, with the sides exchanged, and killed after each
 * command of its plan in turn. */

enum {
  IDS = 1 << 0,    /* both servers know MAILBOXID */
  NOTIFY = 1 << 1, /* both told OLDNAME and \NonExistent */
  EMPTY = 1 << 2,  /* no messages in any mailbox */
  CYRUS = 1 << 3,  /* the remote server makes parents, and deletes none with children */
  STRICT = 1 << 4, /* the remote server renames onto no level that has children */
  ASYM = 1 << 5,   /* the local side is preferred: not played with sides exchanged */
  MORE = 1 << 6,   /* one plan is not enough */
  WAITS = 1 << 7,  /* the person has not answered about a mass deletion */
  RESTORE = 1 << 8,
  MUTE = 1 << 9,     /* no server says what exists */
  UNEQUAL = 1 << 10, /* the trees stay unequal; @tree is that of `l` */
  FORBID = 1 << 11,  /* the remote server takes no name with "bad" */
  SHARED = 1 << 12,  /* "Shared" is another namespace of the remote server */
  ONCE = 1 << 13,    /* a kill changes the outcome: not played */
};

typedef struct {
  const char *name;
  const char *both; /* "a* b": mailboxes, with a message each; the star: subscribed */
  const char *acts; /* "l rename a b, r delete c" */
  const char *plan;
  const char *tree;
  guint flags;
} Row;

static const Row rows[] = {
    /* --- new ones --- */
    {"created-here-is-created-there", "", "l create a", "remote CREATE a; save a", "INBOX a", 0},
    {"created-and-subscribed-here-is-subscribed-there", "", "l create a, l sub a",
     "remote CREATE a; remote SUBSCRIBE a; save a", "INBOX a*", 0},
    {"created-on-both-sides-is-saved", "", "l create a, r create a", "save a", "INBOX a", 0},
    {"created-on-both-sides-subscribed-on-one", "", "l create a, r create a, r sub a",
     "local SUBSCRIBE a; save a", "INBOX a*", 0},
    {"parents-are-created-first", "", "l create a/b/c, l create a, l create a/b",
     "remote CREATE a; remote CREATE a/b; remote CREATE a/b/c; save a; save a/b; save a/b/c",
     "INBOX a a/b a/b/c", ONCE},
    {"levels-are-not-created", "", "l create a/b/c", "remote CREATE a/b/c; save a/b/c",
     "INBOX a/b/c", 0},
    {"Cyrus-creates-parents-as-mailboxes-and-they-stay", "", "l create a/b/c",
     "remote CREATE a/b/c; save a/b/c", "INBOX a a/b a/b/c", CYRUS | MORE},
    {"names-that-differ-in-case-are-two", "a", "l create A", "remote CREATE A; save A", "A INBOX a",
     0},
    {"children-of-INBOX", "", "l create INBOX/kid", "remote CREATE INBOX/kid; save INBOX/kid",
     "INBOX INBOX/kid", 0},

    /* --- deletions --- */
    {"deleted-here-is-deleted-there", "a b", "l delete a", "remote DELETE a; forget a", "INBOX b",
     0},
    {"a-deleted-one-is-unsubscribed", "a* b", "l delete a, l unsub a",
     "remote DELETE a; remote UNSUBSCRIBE a; forget a", "INBOX b", 0},
    {"deleted-on-both-sides-is-forgotten", "a b", "l delete a, r delete a", "forget a", "INBOX b",
     0},
    {"leaf-first", "a a/b a/b/c d e f g h", "l delete a/b/c, l delete a/b, l delete a",
     "remote DELETE a/b/c; remote DELETE a/b; remote DELETE a; forget a; forget a/b; forget a/b/c",
     "INBOX d e f g h", 0},
    {"a-parent-deleted-before-its-children", "a a/b c", "l delete a", "remote DELETE a; forget a",
     "INBOX a/b c", 0},
    {"Cyrus-keeps-a-parent-that-has-children", "a a/b c", "l delete a", "remote DELETE a; forget a",
     "INBOX a a/b c", CYRUS | MORE | ASYM},
    {"deleted-here-and-new-mail-there-comes-back", "a b", "l delete a, r append a",
     "local CREATE a; reset a; save a; ! mailbox-delete-vs-change local a", "INBOX a b", 0},
    {"deleted-here-and-flags-there-comes-back", "a b", "l delete a, r flag a",
     "local CREATE a; reset a; save a; ! mailbox-delete-vs-change local a", "INBOX a b", 0},
    {"it-comes-back-subscribed", "a* b", "l delete a, l unsub a, r append a",
     "local CREATE a; local SUBSCRIBE a; reset a; save a; ! mailbox-delete-vs-change local a",
     "INBOX a* b", ONCE},
    {"deleted-here-and-expunged-there-is-deleted", "a b", "l delete a, r expunge a",
     "remote DELETE a; forget a", "INBOX b", 0},
    {"missing-from-LIST-is-not-deleted", "a b", "l hide a", "", "INBOX a b", 0},
    {"children-missing-from-LIST-are-not-deleted", "a a/b", "l hide a/b", "", "INBOX a a/b", 0},
    {"a-server-that-does-not-answer-deletes-nothing", "a b", "l delete a", "", "INBOX b",
     MUTE | UNEQUAL | ONCE},
    {"a-LIST-without-INBOX-is-not-believed", "a b", "l hide INBOX, l delete a", "", "INBOX b",
     UNEQUAL},
    {"more-than-half-waits", "a b c d", "l delete a, l delete b, l delete c",
     "! mass-deletion local", "INBOX d", WAITS | UNEQUAL},
    {"more-than-half-waits-with-those-that-changed", "a b c d",
     "l delete a, l delete b, l delete c, r append a", "! mass-deletion local", "INBOX d",
     WAITS | UNEQUAL},
    {"more-than-half-is-deleted-when-told", "a b c d", "l delete a, l delete b, l delete c",
     "remote DELETE a; remote DELETE b; remote DELETE c; forget a; forget b; forget c", "INBOX d",
     0},
    {"more-than-half-comes-back-when-told", "a b c d", "l delete a, l delete b, l delete c",
     "local CREATE a; local CREATE b; local CREATE c; reset a; reset b; reset c; save a; save b; "
     "save c",
     "INBOX a b c d", WAITS | RESTORE},
    {"two-of-two-need-no-answer", "a b", "l delete a, l delete b",
     "remote DELETE a; remote DELETE b; forget a; forget b", "INBOX", WAITS},
    {"half-needs-no-answer", "a b c d e", "l delete a, l delete b, l delete c",
     "remote DELETE a; remote DELETE b; remote DELETE c; forget a; forget b; forget c", "INBOX d e",
     WAITS},

    /* --- deleted and made again --- */
    {"recreated-proved-by-MAILBOXID", "a b", "l delete a, l create a, l append a",
     "remote DELETE a; remote CREATE a; forget a; save a", "INBOX a b", IDS},
    {"recreated-proved-by-NonExistent", "a b", "l delete a, l create a, l append a",
     "remote DELETE a; remote CREATE a; forget a; save a", "INBOX a b", NOTIFY | ONCE},
    {"recreated-without-proof-is-merged", "a b", "l delete a, l create a, l append a", "",
     "INBOX a b", 0},
    {"recreated-and-changed-there-is-merged", "a b", "l delete a, l create a, r append a",
     "reset a; save a; ! mailbox-delete-vs-change local a", "INBOX a b", IDS},
    {"renumbered-is-matched-again", "a b", "l renumber a", "", "INBOX a b", 0},
    {"INBOX-renumbered-is-matched-again", "", "l renumber INBOX", "", "INBOX", IDS},

    /* --- renames --- */
    {"renamed-proved-by-messages", "a b", "l rename a c", "remote RENAME a -> c; save a -> c",
     "INBOX b c", 0},
    {"renamed-proved-by-MAILBOXID", "a b", "l rename a c", "remote RENAME a -> c; save a -> c",
     "INBOX b c", IDS | EMPTY},
    {"renamed-proved-by-OLDNAME", "a b", "l rename a c", "remote RENAME a -> c; save a -> c",
     "INBOX b c", NOTIFY | EMPTY},
    {"an-empty-one-has-no-sample", "a b", "l rename a c",
     "remote DELETE a; remote CREATE c; forget a; save c", "INBOX b c", EMPTY | ONCE},
    {"UIDVALIDITY-alone-proves-nothing", "a b", "l delete a, l create c, l append c, l number c a",
     "remote DELETE a; remote CREATE c; forget a; save c", "INBOX b c", ONCE},
    {"a-parent-with-children-is-one-command", "a a/x a/y/z b", "l rename a c",
     "remote RENAME a -> c; save a -> c; save a/x -> c/x; save a/y/z -> c/y/z",
     "INBOX b c c/x c/y/z", 0},
    {"a-level-with-children-is-renamed-child-by-child", "a/x a/y b", "l rename a c",
     "remote RENAME a/x -> c/x; remote RENAME a/y -> c/y; save a/x -> c/x; save a/y -> c/y",
     "INBOX b c/x c/y", 0},
    {"moved-into-another", "a b", "l rename a b/a", "remote RENAME a -> b/a; save a -> b/a",
     "INBOX b b/a", 0},
    {"moved-into-a-new-one", "a", "l create b, l rename a b/a",
     "remote CREATE b; remote RENAME a -> b/a; save a -> b/a; save b", "INBOX b b/a", 0},
    {"moved-out-of-its-parent-that-is-deleted", "a a/x b", "l rename a/x x, l delete a",
     "remote RENAME a/x -> x; remote DELETE a; forget a; save a/x -> x", "INBOX b x", 0},
    {"moved-below-itself", "a b", "l rename a t, l rename t a/x",
     "remote RENAME a -> imapsync-swap-1; remote RENAME imapsync-swap-1 -> a/x; save a -> a/x",
     "INBOX a/x b", 0},
    {"moved-above-itself", "a/x b", "l rename a/x t, l rename t a",
     "remote RENAME a/x -> imapsync-swap-1; remote RENAME imapsync-swap-1 -> a; save a/x -> a",
     "INBOX a b", 0},
    {"a-child-takes-its-parent-s-place", "a a/x b", "l delete a, l rename a/x t, l rename t a",
     "remote RENAME a/x -> imapsync-swap-1; remote DELETE a; remote RENAME imapsync-swap-1 -> a; "
     "forget a; save a/x -> a",
     "INBOX a b", 0},
    {"renamed-onto-one-just-deleted", "a b", "l delete b, l rename a b",
     "remote DELETE b; remote RENAME a -> b; forget b; save a -> b", "INBOX b", 0},
    {"renamed-and-a-new-one-in-its-place", "a", "l rename a b, l create a",
     "remote RENAME a -> b; remote CREATE a; save a -> b; save a", "INBOX a b", 0},
    {"in-a-row", "a b c", "l rename c d, l rename b c, l rename a b",
     "remote RENAME c -> d; remote RENAME b -> c; remote RENAME a -> b; save c -> d; save b -> c; "
     "save a -> b",
     "INBOX b c d", 0},
    {"renamed-onto-what-the-other-side-created", "a c", "l rename a b, r create b, r append b",
     "remote DELETE a; forget a; save b", "INBOX b c", ONCE},
    {"renamed-onto-what-the-other-side-created-and-changed", "a c",
     "l rename a b, r create b, r append a",
     "local CREATE a; reset a; save a; save b; ! mailbox-delete-vs-change local a", "INBOX a b c",
     ONCE},
    {"two-renamed-to-one-name", "a b c", "l rename a d, r rename b d",
     "local DELETE b; remote DELETE a; forget a; forget b; save d", "INBOX c d", ONCE},
    {"swap", "a b", "l rename a t, l rename b a, l rename t b",
     "remote RENAME a -> imapsync-swap-1; remote RENAME b -> a; remote RENAME imapsync-swap-1 -> "
     "b; "
     "save a -> imapsync-swap-2; save b -> a; save imapsync-swap-2 -> b",
     "INBOX a b", 0},
    {"swap-of-empty-ones", "a b", "l rename a t, l rename b a, l rename t b",
     "remote RENAME a -> imapsync-swap-1; remote RENAME b -> a; remote RENAME imapsync-swap-1 -> "
     "b; "
     "save a -> imapsync-swap-2; save b -> a; save imapsync-swap-2 -> b",
     "INBOX a b", NOTIFY | EMPTY},
    {"swap-with-children", "a a/x b b/y", "l rename a t, l rename b a, l rename t b",
     "remote RENAME a -> imapsync-swap-1; remote RENAME b -> a; remote RENAME imapsync-swap-1 -> "
     "b; "
     "save a/x -> b/x; save b/y -> a/y; save a -> imapsync-swap-2; save b -> a; "
     "save imapsync-swap-2 -> b",
     "INBOX a a/y b b/x", 0},
    {"in-a-ring", "a b c", "l rename a t, l rename b a, l rename c b, l rename t c",
     "remote RENAME a -> imapsync-swap-1; remote RENAME b -> a; remote RENAME c -> b; "
     "remote RENAME imapsync-swap-1 -> c; save a -> imapsync-swap-2; save b -> a; save c -> b; "
     "save imapsync-swap-2 -> c",
     "INBOX a b c", 0},
    {"parent-and-child-exchanged", "a a/x", "l rename a t, l rename t/x a, l rename t a/x",
     "remote RENAME a -> imapsync-swap-1; remote RENAME imapsync-swap-1/x -> a; "
     "remote RENAME imapsync-swap-1 -> a/x; save a -> imapsync-swap-2; save a/x -> a; "
     "save imapsync-swap-2 -> a/x",
     "INBOX a a/x", 0},
    {"already-renamed-on-both-sides", "a b", "l rename a c, r rename a c", "save a -> c",
     "INBOX b c", 0},
    {"an-empty-one-already-renamed-on-both-sides", "a b", "l rename a c, r rename a c",
     "forget a; save c", "INBOX b c", EMPTY},
    {"renamed-on-both-sides-to-different-names", "a b", "l rename a c, r rename a d",
     "remote RENAME d -> c; save a -> c", "INBOX b c", ASYM},
    {"swapped-on-both-sides", "a b",
     "l rename a t, l rename b a, l rename t b, r rename a t, r rename b a, r rename t b",
     "save a -> imapsync-swap-1; save b -> a; save imapsync-swap-1 -> b", "INBOX a b", 0},
    {"renamed-here-and-deleted-there", "a b", "l rename a c, r delete a",
     "remote CREATE c; reset a; save a -> c; ! mailbox-delete-vs-change remote c", "INBOX b c",
     ONCE},
    {"its-parent-renamed-here-and-it-deleted-there", "a a/x b", "l rename a c, r delete a/x",
     "local DELETE c/x; remote RENAME a -> c; forget a/x; save a -> c", "INBOX b c", 0},
    {"its-parent-renamed-here-and-it-renamed-there", "a a/x b", "l rename a c, r rename a/x a/y",
     "local RENAME c/x -> c/y; remote RENAME a -> c; save a -> c; save a/x -> c/y", "INBOX b c c/y",
     0},
    {"its-parent-renamed-here-and-it-created-there", "a b", "l rename a c, r create a/x",
     "local CREATE c/x; remote RENAME a -> c; save a -> c; save c/x", "INBOX b c c/x", ONCE},
    {"its-parent-renamed-here-and-it-subscribed-there", "a* b",
     "l rename a c, l unsub a, l sub c, r create a/x, r sub a/x",
     "local CREATE c/x; remote RENAME a -> c; remote SUBSCRIBE c; local SUBSCRIBE c/x; remote "
     "SUBSCRIBE c/x; "
     "local UNSUBSCRIBE a; remote UNSUBSCRIBE a; remote UNSUBSCRIBE a/x; save a -> c; save c/x",
     "INBOX b c* c/x*", 0},
    {"moved-into-each-other", "a b", "l rename a b/a, r rename b a/b",
     "remote RENAME a/b -> b; remote RENAME a -> b/a; save a -> b/a", "INBOX b b/a", ASYM},
    {"a-child-that-stays", "a a/x", "l rename a c, l rename c/x a/x",
     "remote RENAME a -> c; remote RENAME c/x -> a/x; save a -> c", "INBOX a/x c", 0},
    {"children-that-would-meet-others", "a a/x b/x", "l rename b/x t, l rename a b, l rename t b/y",
     "remote RENAME b/x -> b/y; remote RENAME a -> b; save a -> b; save b/x -> b/y; save a/x -> "
     "b/x",
     "INBOX b b/x b/y", 0},
    {"renamed-onto-a-level-that-has-children", "a b/x c", "l rename a b",
     "remote RENAME a -> b; save a -> b", "INBOX b b/x c", 0},
    {"renamed-onto-a-level-where-the-server-refuses-it", "a b/x c", "l rename a b",
     "remote RENAME a -> b; save a -> b", "INBOX b b/x c", STRICT | MORE | ASYM | ONCE},

    /* --- subscriptions --- */
    {"subscribed-here-is-subscribed-there", "a", "l sub a", "remote SUBSCRIBE a; save a",
     "INBOX a*", 0},
    {"unsubscribed-here-is-unsubscribed-there-and-not-deleted", "a*", "l unsub a",
     "remote UNSUBSCRIBE a; save a", "INBOX a", 0},
    {"subscribed-on-both-sides-is-saved", "a", "l sub a, r sub a", "save a", "INBOX a*", 0},
    {"INBOX-is-subscribed-too", "", "l sub INBOX", "remote SUBSCRIBE INBOX; save INBOX", "INBOX*",
     0},
    {"a-subscription-moves-along", "a* b", "l rename a c",
     "remote RENAME a -> c; local SUBSCRIBE c; remote SUBSCRIBE c; local UNSUBSCRIBE a; "
     "remote UNSUBSCRIBE a; save a -> c",
     "INBOX b c*", 0},
    {"a-client-moved-the-subscription-along", "a* b", "l rename a c, l unsub a, l sub c",
     "remote RENAME a -> c; remote SUBSCRIBE c; local UNSUBSCRIBE a; remote UNSUBSCRIBE a; "
     "save a -> c",
     "INBOX b c*", 0},
    {"swapped-subscriptions", "a* b", "l rename a t, l rename b a, l rename t b",
     "remote RENAME a -> imapsync-swap-1; remote RENAME b -> a; remote RENAME imapsync-swap-1 -> "
     "b; "
     "local SUBSCRIBE b; remote SUBSCRIBE b; local UNSUBSCRIBE a; remote UNSUBSCRIBE a; "
     "save a -> imapsync-swap-2; save b -> a; save imapsync-swap-2 -> b",
     "INBOX a b*", 0},
    {"renamed-and-then-subscribed", "a b", "l rename a c, l sub c",
     "remote RENAME a -> c; remote SUBSCRIBE c; save a -> c", "INBOX b c*", 0},

    /* --- other people's mailboxes --- */
    {"a-shared-one-is-not-created", "", "r create Shared/a, r sub Shared/a", "", "INBOX",
     SHARED | ASYM | UNEQUAL},
    {"a-shared-one-is-not-deleted", "Shared/a b", "l delete Shared/a", "", "INBOX b",
     SHARED | ASYM | UNEQUAL},
    {"a-shared-one-that-went-away-stays-here", "Shared/a b", "r delete Shared/a", "",
     "INBOX Shared/a b", SHARED | ASYM | UNEQUAL},
    {"a-shared-one-is-not-renamed", "Shared/a b", "l rename Shared/a c", "remote CREATE c; save c",
     "INBOX b c", SHARED | ASYM | UNEQUAL | ONCE},
    {"a-shared-one-is-not-unsubscribed", "Shared/a*", "l unsub Shared/a", "", "INBOX Shared/a",
     SHARED | ASYM | UNEQUAL},
    {"a-new-one-under-the-name-of-a-shared-one", "Shared/a* b",
     "r delete Shared/a, r create Shared/a", "", "INBOX Shared/a* b", SHARED | ASYM | UNEQUAL},

    /* --- names that one server does not take --- */
    {"a-refused-name-and-the-rest-goes-on", "", "l create bad, l create good",
     "remote CREATE bad; remote CREATE good; save bad; save good", "INBOX bad good",
     FORBID | ASYM | MORE | UNEQUAL | ONCE},
    {"renamed-to-a-refused-name", "a b", "l rename a bad, l rename b c",
     "remote RENAME a -> bad; remote RENAME b -> c; save a -> bad; save b -> c", "INBOX bad c",
     FORBID | ASYM | MORE | UNEQUAL | ONCE},
};

/* --- the players --- */

static void
do_number (World *world, Side side, const char *name, const char *saved)
{
  box_at (&world->server[side], name)->uidvalidity =
      saved_at (world, saved)->tree->side[side].uidvalidity;
}

static void
act (World *world, Side side, char **words)
{
  g_autofree char *name = g_strdup (n (words[2]));
  g_autofree char *other = words[3] != NULL ? g_strdup (n (words[3])) : NULL;
  const char *verb = words[1];

  if (strcmp (verb, "create") == 0)
    g_assert_true (user_create (world, side, name));
  else if (strcmp (verb, "delete") == 0)
    g_assert_true (user_delete (world, side, name));
  else if (strcmp (verb, "rename") == 0)
    g_assert_true (user_rename (world, side, name, other));
  else if (strcmp (verb, "append") == 0)
    user_append (world, side, name);
  else if (strcmp (verb, "flag") == 0)
    user_flag (world, side, name);
  else if (strcmp (verb, "expunge") == 0)
    user_expunge (world, side, name);
  else if (strcmp (verb, "sub") == 0 || strcmp (verb, "unsub") == 0)
    user_subscribe (world, side, name, *verb == 's');
  else if (strcmp (verb, "hide") == 0)
    g_hash_table_add (world->server[side].hidden, g_strdup (name));
  else if (strcmp (verb, "renumber") == 0)
    renumber (world, side, name);
  else if (strcmp (verb, "number") == 0)
    do_number (world, side, name, other);
  else
    g_assert_not_reached ();
}

static void
act_all (World *world, const char *acts, gboolean exchanged)
{
  g_auto (GStrv) all = g_strsplit (acts, ", ", -1);

  for (guint i = 0; all[i] != NULL && *all[i] != '\0'; i++) {
    g_auto (GStrv) words = g_strsplit (all[i], " ", -1);
    Side side = *words[0] == 'l' ? SIDE_LOCAL : SIDE_REMOTE;

    act (world, exchanged ? side_other (side) : side, words);
  }
}

static void
settle (World *world)
{
  for (guint i = 0;; i++) {
    TreePlan *plan = world_plan (world, NULL);
    gboolean empty = plan->actions->len == 0;

    g_assert_cmpuint (i, <, 8);
    g_assert_true (world_apply (world, plan));
    tree_plan_free (plan);
    world_sync (world);
    if (empty)
      return;
  }
}

static World *
begin (const Row *row, gboolean exchanged)
{
  g_auto (GStrv) names = g_strsplit (row->both, " ", -1);
  World *world = world_new (1);

  for (Side side = 0; side < N_SIDES; side++) {
    world->server[side].ids = (row->flags & IDS) != 0;
    world->server[side].notify = (row->flags & NOTIFY) != 0;
    server_make (world, side, "INBOX");
  }
  for (guint i = 0; names[i] != NULL && *names[i] != '\0'; i++) {
    g_autofree char *bare = g_strdelimit (g_strdup (names[i]), "*", '\0');
    g_autofree char *name = g_strdup (n (bare));

    for (Side side = 0; side < N_SIDES; side++) {
      server_make (world, side, name);
      user_subscribe (world, side, name, strchr (names[i], '*') != NULL);
    }
    if (!(row->flags & EMPTY))
      user_append (world, SIDE_LOCAL, name);
  }
  settle (world);
  for (Side side = 0; side < N_SIDES; side++) {
    gboolean far = side == (exchanged ? SIDE_LOCAL : SIDE_REMOTE);

    world->server[side].cyrus = far && (row->flags & CYRUS);
    world->server[side].strict = far && (row->flags & STRICT);
    world->server[side].mute = (row->flags & MUTE) != 0;
  }
  if (row->flags & SHARED)
    g_ptr_array_add (world->shared[SIDE_REMOTE], (gpointer) "Shared");
  world->forbidden = row->flags & FORBID ? "bad" : NULL;
  world->apply = !(row->flags & WAITS);
  world->restore = (row->flags & RESTORE) != 0;
  return world;
}

static GHashTable *
all_mail (World *world)
{
  GHashTable *all = g_hash_table_new (NULL, NULL);

  for (Side side = 0; side < N_SIDES; side++)
    for (guint i = 0; i < world->server[side].boxes->len; i++) {
      const Box *box = g_ptr_array_index (world->server[side].boxes, i);

      for (guint j = 0; j < box->mail->len; j++)
        g_hash_table_add (all, GUINT_TO_POINTER (g_array_index (box->mail, Mail, j).content));
    }
  return all;
}

static void
check_end (World *world, const Row *row, Side user, GHashTable *mail)
{
  g_autofree char *near = tree_text (&world->server[user]);
  g_autofree char *far = tree_text (&world->server[side_other (user)]);
  GHashTableIter iter;
  gpointer content;

  g_assert_cmpstr (near, ==, row->tree);
  if (!(row->flags & UNEQUAL))
    g_assert_cmpstr (far, ==, row->tree);
  g_hash_table_iter_init (&iter, mail);
  while (g_hash_table_iter_next (&iter, &content, NULL))
    if (!g_hash_table_contains (world->deleted, content))
      g_assert_true (holds (&world->server[SIDE_LOCAL], GPOINTER_TO_UINT (content)) ||
                     holds (&world->server[SIDE_REMOTE], GPOINTER_TO_UINT (content)));
}

static guint
n_commands (const TreePlan *plan)
{
  guint commands = 0;

  for (guint i = 0; i < plan->actions->len; i++)
    commands += ((const TreeAction *)g_ptr_array_index (plan->actions, i))->kind < TREE_SAVE;
  return commands;
}

/* Returns how many commands the plan had. */
static guint
play (const Row *row, gboolean exchanged)
{
  g_autoptr (World) world = begin (row, exchanged);
  g_autoptr (GHashTable) mail = NULL;
  g_autoptr (TreePlan) plan = NULL;
  g_autofree char *text = NULL;

  act_all (world, row->acts, exchanged);
  mail = all_mail (world);
  plan = world_plan (world, NULL);
  text = plan_text (plan);
  if (!exchanged)
    g_assert_cmpstr (text, ==, row->plan);
  g_assert_true (world_apply (world, plan));
  world_sync (world);
  if (!(row->flags & MORE)) {
    g_autoptr (TreePlan) second = world_plan (world, NULL);

    g_assert_cmpuint (second->actions->len, ==, 0);
  }
  settle (world);
  check_end (world, row, exchanged ? SIDE_REMOTE : SIDE_LOCAL, mail);
  return n_commands (plan);
}

static void
play_killed (const Row *row, guint after)
{
  g_autoptr (World) world = begin (row, FALSE);
  g_autoptr (GHashTable) mail = NULL;
  g_autoptr (TreePlan) plan = NULL;

  act_all (world, row->acts, FALSE);
  mail = all_mail (world);
  plan = world_plan (world, NULL);
  world->crash_after = after;
  g_assert_false (world_apply (world, plan));
  world->crash_after = 0;
  settle (world);
  check_end (world, row, SIDE_LOCAL, mail);
}

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  guint commands = play (row, FALSE);

  if (!(row->flags & ASYM))
    play (row, TRUE);
  for (guint after = 1; !(row->flags & ONCE) && after <= commands + 1 && commands > 0; after++)
    play_killed (row, after);
}

/* --- what a line cannot say --- */

static const Row plain = {"", "a b c", "", "", "", 0};

static void
expect_plan (World *world, const char *expected)
{
  g_autoptr (TreePlan) plan = world_plan (world, NULL);
  g_autofree char *text = plan_text (plan);

  g_assert_cmpstr (text, ==, expected);
}

static void
expect_trees (World *world, const char *expected)
{
  for (Side side = 0; side < N_SIDES; side++) {
    g_autofree char *text = tree_text (&world->server[side]);

    g_assert_cmpstr (text, ==, expected);
  }
}

/* Plans, does @commands of it, and is killed. */
static void
kill_after (World *world, guint commands)
{
  g_autoptr (TreePlan) plan = world_plan (world, NULL);

  world->crash_after = commands + 1;
  g_assert_false (world_apply (world, plan));
  world->crash_after = 0;
}

static void
test_renamed_on_after_a_kill (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);

  act_all (world, "l rename a d", FALSE);
  kill_after (world, 1);
  act_all (world, "r rename d e", FALSE);
  expect_plan (world, "local RENAME d -> e; save a -> e");
  settle (world);
  expect_trees (world, "INBOX b c e");
}

static void
test_renamed_back_after_a_kill (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);

  act_all (world, "l rename a d", FALSE);
  kill_after (world, 1);
  act_all (world, "l rename d a", FALSE);
  expect_plan (world, "remote RENAME d -> a");
  settle (world);
  expect_trees (world, "INBOX a b c");
}

static void
test_deleted_after_a_kill (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);

  act_all (world, "l create d", FALSE);
  kill_after (world, 1);
  act_all (world, "l delete d", FALSE);
  expect_plan (world, "remote DELETE d");
  settle (world);
  expect_trees (world, "INBOX a b c");
}

static void
test_deleted_after_a_kill_and_mail_came (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);

  act_all (world, "l create d", FALSE);
  kill_after (world, 1);
  act_all (world, "l delete d, r append d", FALSE);
  expect_plan (world, "local CREATE d; save d");
}

/* LIST shows again what STATUS had denied: what we emptied meanwhile nobody expunged. */
static void
test_a_deletion_that_was_a_mistake (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);
  g_autoptr (GHashTable) mail = all_mail (world);
  Box *lost = box_at (&world->server[SIDE_LOCAL], "a");

  g_ptr_array_find (world->server[SIDE_LOCAL].boxes, lost, NULL);
  g_ptr_array_set_free_func (world->server[SIDE_LOCAL].boxes, NULL);
  g_ptr_array_remove_fast (world->server[SIDE_LOCAL].boxes, lost);
  g_ptr_array_set_free_func (world->server[SIDE_LOCAL].boxes, box_free);
  g_hash_table_add (world->touched, GUINT_TO_POINTER (lost->mailbox));
  g_hash_table_add (world->deleted, GUINT_TO_POINTER (g_array_index (lost->mail, Mail, 0).content));
  expect_plan (world, "remote DELETE a; forget a");
  kill_after (world, 1);
  g_ptr_array_add (world->server[SIDE_LOCAL].boxes, lost);
  g_hash_table_remove_all (world->deleted);
  expect_plan (world, "remote CREATE a; reset a; save a; ! mailbox-delete-vs-change remote a");
  settle (world);
  expect_trees (world, "INBOX a b c");
  check_end (world, &(Row){.tree = "INBOX a b c"}, SIDE_LOCAL, mail);
}

static void
test_mail_that_comes_before_DELETE_survives (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);
  g_autoptr (TreePlan) plan = NULL;

  act_all (world, "l delete a", FALSE);
  plan = world_plan (world, NULL);
  world->deliver_one_in = 1;
  g_assert_true (world_apply (world, plan));
  world->deliver_one_in = 0;
  world_sync (world);
  expect_plan (world, "local CREATE a; reset a; save a; ! mailbox-delete-vs-change local a");
  settle (world);
  expect_trees (world, "INBOX a b c");
  g_assert_cmpuint (box_at (&world->server[SIDE_LOCAL], "a")->mail->len, ==, 1);
}

/* After any command of a swap, and whatever the user does next, no middle name goes to the other
 * side, and it is finished. */
static void
test_a_middle_name_is_never_mirrored (void)
{
  static const char *const next[] = {"", "l append a", "l sub b", "l rename c d", "r create e"};

  for (gsize i = 0; i < G_N_ELEMENTS (next); i++)
    for (guint after = 1; after <= 3; after++) {
      g_autoptr (World) world = begin (&plain, FALSE);
      g_autoptr (TreePlan) plan = NULL;
      g_autofree char *tree = NULL;

      act_all (world, "l rename a t, l rename b a, l rename t b", FALSE);
      kill_after (world, after);
      act_all (world, next[i], FALSE);
      plan = world_plan (world, NULL);
      for (guint j = 0; j < plan->actions->len; j++) {
        const TreeAction *action = g_ptr_array_index (plan->actions, j);

        g_assert_true (action->kind >= TREE_SAVE || action->side == SIDE_REMOTE ||
                       strstr (action->name, "swap") == NULL);
      }
      settle (world);
      tree = tree_text (&world->server[SIDE_LOCAL]);
      g_assert_null (strstr (tree, "swap"));
    }
}

/* A swap of three steps whose second is refused leaves nothing half recorded, and is finished
 * later. */
static void
test_a_swap_that_fails_in_the_middle (void)
{
  g_autoptr (World) world = begin (&plain, FALSE);
  g_autoptr (TreePlan) plan = NULL;
  g_autoptr (GPtrArray) failed = g_ptr_array_new ();

  act_all (world, "l rename a t, l rename b a, l rename t b", FALSE);
  plan = world_plan (world, NULL);
  g_ptr_array_add (failed, g_ptr_array_index (plan->actions, 1));
  g_assert_true (tree_action_depends (g_ptr_array_index (plan->actions, 2),
                                      g_ptr_array_index (plan->actions, 1)));
  tree_plan_settle (plan, failed);
  g_assert_cmpuint (failed->len, ==, 4); /* and the three of the saved tree */
  g_assert_cmpuint (plan->unsettled->len, ==, 2);
  g_assert_true (tree_plan_keeps_intent (plan, failed, g_ptr_array_index (plan->actions, 0)));
}

static void
test_commands_that_depend (void)
{
  const struct {
    TreeAction failed, later;
    gboolean depends;
  } pairs[] = {
      {{TREE_CREATE, .name = (char *)"a"}, {TREE_SUBSCRIBE, .name = (char *)"a"}, TRUE},
      {{TREE_CREATE, .name = (char *)"a"},
       {TREE_CREATE, .name = (char *)"a\x1f"
                                     "b"},
       FALSE},
      {{TREE_CREATE, .name = (char *)"a"}, {TREE_CREATE, .name = (char *)"ab"}, FALSE},
      {{TREE_CREATE, SIDE_LOCAL, .name = (char *)"a"},
       {TREE_DELETE, SIDE_REMOTE, .name = (char *)"a"},
       FALSE},
      {{TREE_DELETE, .name = (char *)"a\x1f"
                                     "b"},
       {TREE_DELETE, .name = (char *)"a"},
       TRUE},
      {{TREE_DELETE, .name = (char *)"a"}, {TREE_CREATE, .name = (char *)"a"}, TRUE},
      {{TREE_RENAME, .name = (char *)"a", .new_name = (char *)"c"},
       {TREE_RENAME,
        .name = (char *)"c\x1f"
                        "x",
        .new_name = (char *)"d"},
       TRUE},
      {{TREE_RENAME, SIDE_LOCAL, 7, (char *)"a", (char *)"b"},
       {TREE_SUBSCRIBE, SIDE_REMOTE, 7, (char *)"z"},
       TRUE},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    g_assert_cmpint (tree_action_depends (&pairs[i].later, &pairs[i].failed), ==, pairs[i].depends);
}

static const struct {
  const char *name;
  void (*test) (void);
} tests[] = {
    {"killed-and-then-renamed-on", test_renamed_on_after_a_kill},
    {"killed-and-then-renamed-back", test_renamed_back_after_a_kill},
    {"killed-and-then-deleted", test_deleted_after_a_kill},
    {"killed-then-deleted-and-mail-came", test_deleted_after_a_kill_and_mail_came},
    {"a-deletion-that-was-a-mistake", test_a_deletion_that_was_a_mistake},
    {"mail-that-comes-before-DELETE-survives", test_mail_that_comes_before_DELETE_survives},
    {"a-middle-name-is-never-mirrored", test_a_middle_name_is_never_mirrored},
    {"a-swap-that-fails-in-the-middle", test_a_swap_that_fails_in_the_middle},
    {"commands-that-depend", test_commands_that_depend},
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strconcat ("/tree/", tests[i].name, NULL);

    g_test_add_func (path, tests[i].test);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strconcat ("/tree/", rows[i].name, NULL);

    g_test_add_data_func (path, &rows[i], test_row);
  }
  return g_test_run ();
}
