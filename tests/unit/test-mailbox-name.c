/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "errors.h"
#include "imap/mailbox-name.h"

#include <string.h>

#define SEP "\x1f"

static void
test_utf7_both_ways (void)
{
  static const char *const cases[][2] = {
      {"", ""},
      {"INBOX", "INBOX"},
      {"&-", "&"},
      {"amp&-x", "amp&x"},
      {"&-&-", "&&"},
      {"&-abc-", "&abc-"},
      {"a-b", "a-b"},
      {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"},
      {"&U,BTFw-a&ZeVnLIqe-", "台北a日本語"},
      {"&Jjo-!", "☺!"},
      {"&Jjo-&-", "☺&"},
      {"&AOk-", "é"},
      {"&AOkA6ADq-", "éèê"},
      {"&2D3eAA-", "😀"},
      {"&2D3eANg93gE-", "😀😁"},
      {"x&2AHcNw-y", "x𐐷y"},
      {"&2AHcNyYw-", "𐐷☰"},
      {"&2,,f,w-", "\xf4\x8f\xbf\xbf"}, /* U+10FFFF */
      {"&2ADcAA-", "\xf0\x90\x80\x80"}, /* U+10000 */
      {"&,,8-", "\xef\xbf\xbf"},        /* U+FFFF */
      {"&,dA-", "\xef\xb7\x90"},        /* U+FDD0 */
      {"&AAEAfw-", "\x01\x7f"},
      {"&AAkACgAN-", "\t\n\r"},
      {" ~", " ~"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *decoded = mailbox_name_decode (cases[i][0], &error);
    g_autofree char *encoded = mailbox_name_encode (cases[i][1]);

    g_assert_no_error (error);
    g_assert_cmpstr (decoded, ==, cases[i][1]);
    g_assert_cmpstr (encoded, ==, cases[i][0]);
  }
}

static void
test_utf7_refuses_what_is_not_canonical (void)
{
  static const char *const cases[] = {
      "&",          "a&",           "&AOk",     "&AOk&-",     "&AOk-&AOk-", /* shifts */
      "&AGE-",      "&ACY-",        "&AOkAYQ-", "&AGEA6Q-",   "&AH4-",      /* printable */
      "&AAA-",      "&AOkAAA-",     "&AAAA6Q-",                             /* NUL */
      "&2D0-",      "&3gA-",        "&2D0AYQ-", "&3gDYPQ-",   "&2D3YPQ-",   /* surrogates */
      "&2D0-&3gA-", "&2D0A6Q-",     "&AOnYPQ-",                             /* the same */
      "&A-",        "&AO-",         "&AOl-",    "&AOkA-",     "&AOkAA-",    /* bits */
      "&AO/k-",     "&AOk=-",       "&AO k-",   "&\xc3\xa9-", "&AO\xe9-",   /* digits */
      "\xc3\xa9",   "\xff",         "a\tb",     "a\r\nb",     "\x7f",       /* bytes */
      "&,-",        "&AOkA6A-&-x&",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *decoded = mailbox_name_decode (cases[i], &error);

    g_test_message ("\"%s\"", cases[i]);
    g_assert_cmpstr (decoded, ==, NULL);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
  }
}

static gunichar
random_char (void)
{
  static const gunichar limits[] = {0x80, 0x80, 0x100, 0x800, 0x10000, 0x110000};
  gunichar c;

  do
    c = g_test_rand_int_range (1, limits[g_test_rand_int_range (0, G_N_ELEMENTS (limits))]);
  while (!g_unichar_validate (c));
  return c;
}

static char *
random_text (int max)
{
  GString *text = g_string_new (NULL);

  for (int i = g_test_rand_int_range (0, max); i > 0; i--)
    g_string_append_unichar (text, random_char ());
  return g_string_free (text, FALSE);
}

static void
test_utf7_random_round_trips (void)
{
  for (guint round = 0; round < 50000; round++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *text = random_text (20);
    g_autofree char *wire = mailbox_name_encode (text);
    g_autofree char *back = mailbox_name_decode (wire, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (back, ==, text);
    for (const char *p = wire; *p != '\0'; p++)
      g_assert_true (*p >= 0x20 && *p <= 0x7e);
  }
}

/* Of all spellings of a name at most one is taken: what decodes at all comes back byte by byte. */
static void
test_utf7_random_bytes_are_canonical_or_refused (void)
{
  static const char alphabet[] = "&&&&&-----AAAAOkD23eg9,+/a ";
  guint taken = 0;

  for (guint round = 0; round < 300000; round++) {
    char wire[14] = "";
    g_autofree char *text = NULL;

    for (int i = g_test_rand_int_range (0, 13); i > 0; i--)
      wire[strlen (wire)] = alphabet[g_test_rand_int_range (0, strlen (alphabet))];
    text = mailbox_name_decode (wire, NULL);
    if (text != NULL) {
      g_autofree char *back = mailbox_name_encode (text);

      g_assert_true (g_utf8_validate (text, -1, NULL));
      g_assert_cmpstr (back, ==, wire);
      taken += strchr (wire, '&') != NULL;
    }
  }
  g_assert_cmpuint (taken, >, 100);
}

typedef struct {
  MailboxNaming naming;
  const char *wire;
  const char *name; /* NULL: refused */
} Case;

#define SLASH                                                                                      \
  {                                                                                                \
    '/', (char *)""                                                                                \
  }
#define DOT                                                                                        \
  {                                                                                                \
    '.', (char *)""                                                                                \
  }
#define FLAT                                                                                       \
  {                                                                                                \
    0, (char *)""                                                                                  \
  }
#define COURIER                                                                                    \
  {                                                                                                \
    '.', (char *)"INBOX."                                                                          \
  }
#define MAIL                                                                                       \
  {                                                                                                \
    '/', (char *)"Mail/"                                                                           \
  }
#define REFERENCE                                                                                  \
  {                                                                                                \
    '/', (char *)"perso/", TRUE                                                                    \
  }

static void
test_names_both_ways (void)
{
  static const Case cases[] = {
      {SLASH, "INBOX", "INBOX"},
      {SLASH, "work/2024/q1", "work" SEP "2024" SEP "q1"},
      {SLASH, "a.b/c", "a.b" SEP "c"},
      {SLASH, "INBOX/kid", "INBOX" SEP "kid"},
      {SLASH, "INBOXES", "INBOXES"},
      {SLASH, "kid/inbox", "kid" SEP "inbox"},
      {SLASH, "amp&-x/&AOk-t&AOk-", "amp&x" SEP "été"},
      {SLASH, "&Jjo-/&Jjo-", "☺" SEP "☺"},
      {SLASH, " a \"b\\ ", " a \"b\\ "},
      {DOT, "a/b.c", "a/b" SEP "c"},
      {DOT, "INBOX.kid", "INBOX" SEP "kid"},
      {FLAT, "a/b.c", "a/b.c"},
      {COURIER, "INBOX", "INBOX"},
      {COURIER, "INBOX.x", "x"},
      {COURIER, "INBOX.x.y", "x" SEP "y"},
      {COURIER, "INBOX.INBOX.x", "INBOX" SEP "x"},
      {COURIER, "INBOX.INBOXES", "INBOXES"},
      {COURIER, "INBOX.a/b", "a/b"},
      {COURIER, "INBOX.&AOk-.x", "é" SEP "x"},
      {MAIL, "INBOX", "INBOX"},
      {MAIL, "Mail/x", "x"},
      {MAIL, "Mail/Mail", "Mail"},
      {MAIL, "Mail/INBOX/x", "INBOX" SEP "x"},
      {REFERENCE, "perso/INBOX", "INBOX"},
      {REFERENCE, "perso/INBOX/kid", "INBOX" SEP "kid"},
      {REFERENCE, "perso/a/b", "a" SEP "b"},
      {REFERENCE, "perso/perso", "perso"},
      {{'&', (char *)""}, "a&-b", "a&b"}, /* no delimiter that can be used */
      {{'/', NULL}, "a/b", "a" SEP "b"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = mailbox_name_from_wire (&cases[i].naming, cases[i].wire, &error);
    g_autofree char *wire = NULL;

    g_test_message ("%s", cases[i].wire);
    g_assert_no_error (error);
    g_assert_cmpstr (name, ==, cases[i].name);
    wire = mailbox_name_to_wire (&cases[i].naming, cases[i].name, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (wire, ==, cases[i].wire);
  }
}

static void
test_inbox_has_no_case (void)
{
  static const Case cases[] = {
      {SLASH, "inbox", "INBOX"},     {SLASH, "InBoX/kid", "INBOX" SEP "kid"},
      {SLASH, "inboxes", "inboxes"}, {COURIER, "Inbox", "INBOX"},
      {COURIER, "inbox.x", "x"},     {FLAT, "iNBOX", "INBOX"},
      {MAIL, "inbox", "INBOX"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = mailbox_name_from_wire (&cases[i].naming, cases[i].wire, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (name, ==, cases[i].name);
  }
}

static void
test_names_without_a_form_are_refused (void)
{
  static const Case cases[] = {
      {SLASH, "", NULL},
      {SLASH, "/", NULL},
      {SLASH, "/a", NULL},
      {SLASH, "a/", NULL},
      {SLASH, "a//b", NULL},
      {SLASH, "&AGE-", NULL},
      {SLASH, "a&AAE-", NULL},    /* U+0001 */
      {SLASH, "a&AB8-b", NULL},   /* the separator itself */
      {SLASH, "a&AAoAfw-", NULL}, /* LF, DEL */
      {SLASH, "a&AIU-", NULL},    /* NEL */
      {SLASH,
       "a\x1f"
       "b",
       NULL},
      {SLASH, "\xc3\xa9", NULL},
      {COURIER, "INBOX.", NULL},
      {COURIER, "INBOX.INBOX", NULL},
      {COURIER, "INBOX.inbox", NULL},
      {COURIER, "INBOX.inbox.x", NULL},
      {COURIER, "INBOX..x", NULL},
      {COURIER, "INBOXx", NULL},
      {COURIER, "INBOX/x", NULL},
      {COURIER, "shared.x", NULL},
      {COURIER, "x", NULL},
      {MAIL, "mail/x", NULL},
      {MAIL, "Mail", NULL},
      {MAIL, "Mail/INBOX", NULL},
      {MAIL, "Mail/inbox/x", NULL},
      {MAIL, "INBOX/x", NULL},
      {REFERENCE, "INBOX", NULL},
      {REFERENCE, "perso", NULL},
      {REFERENCE, "perso/inbox", NULL},
      {REFERENCE, "perso/Inbox/x", NULL},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = mailbox_name_from_wire (&cases[i].naming, cases[i].wire, &error);

    g_test_message ("\"%s\"", cases[i].wire);
    g_assert_cmpstr (name, ==, NULL);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
  }
}

static void
test_names_that_cannot_be_written_are_told (void)
{
  static const struct {
    MailboxNaming naming;
    const char *name;
    const char *told;
  } cases[] = {
      {SLASH, "x" SEP "a/b", "\"x/a/b\" holds \"/\""},
      {DOT, "v1.2" SEP "c", "\"v1.2/c\" holds \".\""},
      {COURIER, "a.b", "\"a.b\" holds \".\""},
      {FLAT, "a" SEP "b", "\"a/b\" has more than one level"},
      {{'&', (char *)""}, "a" SEP "b", "has more than one level"},
      {SLASH, "", "empty level"},
      {SLASH, SEP "a", "empty level"},
      {SLASH, "a" SEP, "empty level"},
      {SLASH, "a" SEP SEP "b", "empty level"},
      {SLASH, "a\nb", "\"a\\x0ab\" has a control character"},
      {SLASH, "a\xff", "\"a\\xff\" is not valid UTF-8"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *wire = mailbox_name_to_wire (&cases[i].naming, cases[i].name, &error);

    g_assert_cmpstr (wire, ==, NULL);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
    if (strstr (error->message, cases[i].told) == NULL)
      g_error ("expected \"%s\" in \"%s\"", cases[i].told, error->message);
  }
}

/* A server with more than one namespace: (@prefix), ("Archive." "."), ("#mh/" "/"), and others'. */
static void
add_spaces (MailboxNaming *naming)
{
  naming->others = g_ptr_array_new_with_free_func ((GDestroyNotify)mailbox_namespace_free);
  g_ptr_array_add (naming->others, mailbox_namespace_new ("Archive.", '.', FALSE));
  g_ptr_array_add (naming->others, mailbox_namespace_new ("Archive.deep.", '.', FALSE));
  g_ptr_array_add (naming->others, mailbox_namespace_new ("#mh/", '/', FALSE));
  g_ptr_array_add (naming->others, mailbox_namespace_new ("Others.", '.', TRUE));
  g_ptr_array_add (naming->others, mailbox_namespace_new ("Archive.team.", '.', TRUE));
}

static void
check_spaces (const MailboxNaming *naming, const char *wire, const char *name, const char *told)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *back = NULL;
  g_autofree char *found = mailbox_name_from_wire (naming, wire, &error);

  g_assert_cmpstr (found, ==, name);
  if (name == NULL) {
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    if (strstr (error->message, told) == NULL)
      g_error ("expected \"%s\" in \"%s\"", told, error->message);
    return;
  }
  g_assert_no_error (error);
  back = mailbox_name_to_wire (naming, name, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (back, ==, wire);
}

static void
test_namespaces_without_a_prefix (void)
{
  MailboxNaming naming = {'.', g_strdup (""), FALSE, NULL};

  add_spaces (&naming);
  check_spaces (&naming, "INBOX", "INBOX", NULL);
  check_spaces (&naming, "a.b", "a" SEP "b", NULL);
  check_spaces (&naming, "Archive", "Archive", NULL);
  check_spaces (&naming, "Archive.x", "Archive" SEP "x", NULL);
  check_spaces (&naming, "Archives.x", "Archives" SEP "x", NULL);
  check_spaces (&naming, "#mh/a.b/c", "#mh" SEP "a.b" SEP "c", NULL);
  check_spaces (&naming, "Others", NULL, "shared");
  check_spaces (&naming, "Others.bob.x", NULL, "shared");
  check_spaces (&naming, "Archive.team.x", NULL, "shared");
  check_spaces (&naming, "Archive.teams", "Archive" SEP "teams", NULL);
  mailbox_naming_clear (&naming);
}

static void
test_namespaces_beside_a_prefix (void)
{
  MailboxNaming naming = {'.', g_strdup ("INBOX."), FALSE, NULL};

  add_spaces (&naming);
  check_spaces (&naming, "INBOX", "INBOX", NULL);
  check_spaces (&naming, "INBOX.x", "x", NULL);
  check_spaces (&naming, "Archive", "Archive", NULL);
  check_spaces (&naming, "Archive.x", "Archive" SEP "x", NULL);
  check_spaces (&naming, "Archive.deep.x", "Archive" SEP "deep" SEP "x", NULL);
  check_spaces (&naming, "#mh/a.b/c", "#mh" SEP "a.b" SEP "c", NULL);
  check_spaces (&naming, "INBOX.Others.x", "Others" SEP "x", NULL);
  check_spaces (&naming, "Others.x", NULL, "shared");
  check_spaces (&naming, "INBOX.Archive.x", NULL, "another namespace");
  check_spaces (&naming, "INBOX.Archive", NULL, "another namespace");
  check_spaces (&naming, "x", NULL, "outside");
  mailbox_naming_clear (&naming);
}

/* Cyrus with altnamespace: no. */
static void
test_namespaces_of_everybody_without_a_prefix (void)
{
  MailboxNaming naming = {'.', g_strdup ("INBOX."), FALSE, NULL};

  naming.others = g_ptr_array_new_with_free_func ((GDestroyNotify)mailbox_namespace_free);
  g_ptr_array_add (naming.others, mailbox_namespace_new ("user.", '.', TRUE));
  g_ptr_array_add (naming.others, mailbox_namespace_new ("", '.', TRUE));
  check_spaces (&naming, "INBOX", "INBOX", NULL);
  check_spaces (&naming, "INBOX.user.x", "user" SEP "x", NULL);
  check_spaces (&naming, "user.bob.x", NULL, "shared");
  check_spaces (&naming, "boards", NULL, "shared");
  mailbox_naming_clear (&naming);
}

/* A reference is somebody's choice, wherever it leads. */
static void
test_namespaces_around_a_reference (void)
{
  MailboxNaming naming = {'.', g_strdup ("Others.bob."), TRUE, NULL};

  naming.others = g_ptr_array_new_with_free_func ((GDestroyNotify)mailbox_namespace_free);
  g_ptr_array_add (naming.others, mailbox_namespace_new ("Others.", '.', TRUE));
  g_ptr_array_add (naming.others, mailbox_namespace_new ("Others.bob.not.", '.', TRUE));
  check_spaces (&naming, "Others.bob.x.y", "x" SEP "y", NULL);
  check_spaces (&naming, "Others.bob.not.x", NULL, "shared");
  check_spaces (&naming, "Others.eve.x", NULL, "shared");
  mailbox_naming_clear (&naming);
}

static void
test_namespaces_refuse_what_would_be_in_them (void)
{
  static const struct {
    const char *prefix, *name, *told;
  } cases[] = {
      {"", "Others" SEP "x", "\"Others/x\" would be in a namespace that is shared"},
      {"", "Others", "shared"},
      {"", "Archive" SEP "team" SEP "x", "shared"},
      {"INBOX.", "Archive" SEP "team" SEP "x", "shared"},
      {"", "Archive" SEP "v1.2", "holds \".\""},
      {"INBOX.", "#mh" SEP "a/b", "holds \"/\""},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    MailboxNaming naming = {'.', g_strdup (cases[i].prefix), FALSE, NULL};
    g_autoptr (GError) error = NULL;
    g_autofree char *wire = NULL;

    add_spaces (&naming);
    wire = mailbox_name_to_wire (&naming, cases[i].name, &error);
    g_assert_cmpstr (wire, ==, NULL);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_COMMAND);
    if (strstr (error->message, cases[i].told) == NULL)
      g_error ("expected \"%s\" in \"%s\"", cases[i].told, error->message);
    mailbox_naming_clear (&naming);
  }
}

/* Whatever name can be written comes back as itself, and two names never become one. */
static void
test_names_random_round_trips (void)
{
  MailboxNaming namings[] = {SLASH, DOT, FLAT, COURIER, MAIL, SLASH, DOT, COURIER};
  static const char *const levels[] = {"INBOX", "inbox",   "Inbox", "a",      "a.b",  "a/b", "é",
                                       "&",     "Archive", "deep",  "Others", "team", "#mh", "-"};
  guint written = 0;

  for (gsize i = 5; i < G_N_ELEMENTS (namings); i++)
    add_spaces (&namings[i]);
  for (guint round = 0; round < 50000; round++) {
    const MailboxNaming *naming = &namings[g_test_rand_int_range (0, G_N_ELEMENTS (namings))];
    g_autoptr (GString) name = g_string_new (NULL);
    g_autofree char *wire = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree char *back = NULL;

    for (int i = g_test_rand_int_range (1, 4); i > 0; i--) {
      g_autofree char *level =
          g_test_rand_bit () ? random_text (4)
                             : g_strdup (levels[g_test_rand_int_range (0, G_N_ELEMENTS (levels))]);
      g_string_append_printf (name, "%s%s", name->len > 0 ? SEP : "", level);
    }
    wire = mailbox_name_to_wire (naming, name->str, NULL);
    if (wire == NULL)
      continue;
    written++;
    back = mailbox_name_from_wire (naming, wire, &error);
    g_assert_no_error (error);
    if (g_ascii_strncasecmp (name->str, "INBOX", 5) == 0 && strchr (SEP, name->str[5]) != NULL)
      memcpy (name->str, "INBOX", 5);
    g_assert_cmpstr (back, ==, name->str);
  }
  for (gsize i = 5; i < G_N_ELEMENTS (namings); i++)
    g_ptr_array_unref (namings[i].others);
  g_assert_cmpuint (written, >, 1000);
}

static void
test_display_and_argument (void)
{
  static const struct {
    const char *argument;
    char delimiter;
    const char *name;
    const char *shown;
  } cases[] = {
      {"a/b", '/', "a" SEP "b", "a/b"},
      {"a.b", '/', "a.b", "a.b"},
      {"a.b/c", '.', "a" SEP "b/c", "a.b/c"},
      {"inbox", '/', "INBOX", "INBOX"},
      {"Inbox/x", '/', "INBOX" SEP "x", "INBOX/x"},
      {"été/日本", '/', "été" SEP "日本", "été/日本"},
      {"a/b", 0, "a/b", "a/b"},
      {"&AOk-", '/', "&AOk-", "&AOk-"},
      {"\xe2\x80\xae"
       "x",
       '/',
       "\xe2\x80\xae"
       "x",
       "\\xe2\\x80\\xaex"}, /* right-to-left override */
  };
  g_autofree char *flat = mailbox_name_display ("a" SEP "b", 0);
  g_autofree char *raw = mailbox_name_display ("\x1b[1m\xff\xc3", '/');

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name =
        mailbox_name_from_argument (cases[i].argument, cases[i].delimiter, &error);
    g_autofree char *shown = mailbox_name_display (cases[i].name, cases[i].delimiter);

    g_assert_no_error (error);
    g_assert_cmpstr (name, ==, cases[i].name);
    g_assert_cmpstr (shown, ==, cases[i].shown);
  }
  g_assert_cmpstr (flat, ==, "a/b");
  g_assert_cmpstr (raw, ==, "\\x1b[1m\\xff\\xc3");
}

static void
test_bad_arguments_are_refused (void)
{
  static const char *const cases[] = {"", "/", "/a", "a/", "a//b", "a\tb", "a" SEP "b", "\xff"};

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = mailbox_name_from_argument (cases[i], '/', &error);

    g_assert_cmpstr (name, ==, NULL);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mailbox-name/utf7-both-ways", test_utf7_both_ways);
  g_test_add_func ("/mailbox-name/utf7-refuses-what-is-not-canonical",
                   test_utf7_refuses_what_is_not_canonical);
  g_test_add_func ("/mailbox-name/utf7-random-round-trips", test_utf7_random_round_trips);
  g_test_add_func ("/mailbox-name/utf7-random-bytes-are-canonical-or-refused",
                   test_utf7_random_bytes_are_canonical_or_refused);
  g_test_add_func ("/mailbox-name/names-both-ways", test_names_both_ways);
  g_test_add_func ("/mailbox-name/inbox-has-no-case", test_inbox_has_no_case);
  g_test_add_func ("/mailbox-name/names-without-a-form-are-refused",
                   test_names_without_a_form_are_refused);
  g_test_add_func ("/mailbox-name/names-that-cannot-be-written-are-told",
                   test_names_that_cannot_be_written_are_told);
  g_test_add_func ("/mailbox-name/namespaces-without-a-prefix", test_namespaces_without_a_prefix);
  g_test_add_func ("/mailbox-name/namespaces-beside-a-prefix", test_namespaces_beside_a_prefix);
  g_test_add_func ("/mailbox-name/namespaces-of-everybody-without-a-prefix",
                   test_namespaces_of_everybody_without_a_prefix);
  g_test_add_func ("/mailbox-name/namespaces-around-a-reference",
                   test_namespaces_around_a_reference);
  g_test_add_func ("/mailbox-name/namespaces-refuse-what-would-be-in-them",
                   test_namespaces_refuse_what_would_be_in_them);
  g_test_add_func ("/mailbox-name/names-random-round-trips", test_names_random_round_trips);
  g_test_add_func ("/mailbox-name/display-and-argument", test_display_and_argument);
  g_test_add_func ("/mailbox-name/bad-arguments-are-refused", test_bad_arguments_are_refused);
  return g_test_run ();
}
