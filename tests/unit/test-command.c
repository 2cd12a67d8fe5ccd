/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/command.h"

#include <string.h>

/* All that goes over the wire, as one string. */
static GString *
wire_of (const ImapCommand *command, gboolean literal_plus)
{
  GString *wire = g_string_new (NULL);

  for (gsize i = 0; i < imap_command_n_pieces (command); i++) {
    g_autoptr (GBytes) piece = imap_command_piece (command, i, literal_plus);
    gsize length;
    const char *bytes = g_bytes_get_data (piece, &length);

    g_string_append_len (wire, bytes, length);
  }
  return wire;
}

static void
assert_wire (const ImapCommand *command, const char *expected)
{
  g_autoptr (GString) wire = wire_of (command, TRUE);
  g_assert_cmpstr (wire->str, ==, expected);
}

static void
assert_described (const ImapCommand *command, const char *expected)
{
  g_autofree char *text = imap_command_describe (command);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_astring_takes_the_plainest_form (void)
{
  static const char *const cases[][2] = {
      {"INBOX", "INBOX"},
      {"&AOk-/x.y", "&AOk-/x.y"},
      {"a+b", "a+b"},
      {"", "\"\""},
      {"NIL", "\"NIL\""},
      {"nil", "\"nil\""},
      {"NILS", "NILS"},
      {"a b", "\"a b\""},
      {"*", "\"*\""},
      {"%", "\"%\""},
      {"a[x]", "\"a[x]\""},
      {"(a)", "\"(a)\""},
      {"{3}", "\"{3}\""},
      {"~{3}", "\"~{3}\""},
      {"{3+}", "\"{3+}\""},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"back\\slash", "\"back\\\\slash\""},
      {"\\", "\"\\\\\""},
      {"\xc3\xa9", "{2+}\r\n\xc3\xa9"},
      {"a\r\nb LOGOUT\r\n", "{13+}\r\na\r\nb LOGOUT\r\n"},
      {"\n", "{1+}\r\n\n"},
      {"\t", "{1+}\r\n\t"},
      {"\x7f", "{1+}\r\n\x7f"},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ImapCommand) command = imap_command_new ("CREATE");
    g_autofree char *expected = g_strconcat ("CREATE ", cases[i][1], NULL);

    imap_command_astring (command, cases[i][0]);
    assert_wire (command, expected);
  }
}

static void
assert_piece (const ImapCommand *command, gsize i, gboolean literal_plus, const char *expected)
{
  g_autoptr (GBytes) piece = imap_command_piece (command, i, literal_plus);

  g_assert_cmpmem (g_bytes_get_data (piece, NULL), g_bytes_get_size (piece), expected,
                   strlen (expected));
}

static void
test_pieces_end_where_a_literal_begins (void)
{
  g_autoptr (ImapCommand) command = imap_command_new ("RENAME");

  g_assert_cmpuint (imap_command_n_pieces (command), ==, 1);
  imap_command_astring (command, "\xc3\xa9");
  imap_command_astring (command, "\r");
  imap_command_raw (command, "x");
  g_assert_cmpuint (imap_command_n_pieces (command), ==, 3);
  assert_piece (command, 0, FALSE, "RENAME {2}\r\n");
  assert_piece (command, 1, FALSE, "\xc3\xa9 {1}\r\n");
  assert_piece (command, 2, FALSE, "\r x");
  assert_piece (command, 0, TRUE, "RENAME {2+}\r\n");
  assert_piece (command, 1, TRUE, "\xc3\xa9 {1+}\r\n");
  assert_piece (command, 2, TRUE, "\r x");
  assert_described (command, "RENAME {2} {1} x");
}

static void
test_log_hides_secrets (void)
{
  static const char *const secrets[] = {"hunter2", "with space", "", "p\xc3\xa4ss", "line\nfeed"};

  for (gsize i = 0; i < G_N_ELEMENTS (secrets); i++) {
    g_autoptr (ImapCommand) command = imap_command_new ("LOGIN");

    imap_command_astring (command, "alice");
    imap_command_secret (command, secrets[i]);
    assert_described (command, "LOGIN alice ***");
  }
}

static void
test_secrets_are_sent (void)
{
  g_autoptr (ImapCommand) command = imap_command_new ("AUTHENTICATE");

  imap_command_raw (command, "PLAIN");
  imap_command_secret (command, "AGFsaWNlAHNlY3JldA==");
  assert_wire (command, "AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==");
}

static void
test_log_is_cut (void)
{
  g_autoptr (ImapCommand) command = imap_command_new ("UID FETCH");
  g_autofree char *text = NULL;

  for (guint i = 0; i < 1000; i++)
    imap_command_raw_printf (command, "%u", i);
  text = imap_command_describe (command);
  g_assert_cmpuint (strlen (text), ==, 2000);
  g_assert_true (g_str_has_prefix (text, "UID FETCH 0 1 2 3"));
  g_assert_true (g_str_has_suffix (text, "..."));
}

static void
test_flag_validity (void)
{
  static const char *const good[] = {"\\Seen", "\\X", "$Junk", "a+b", "a/b",   "a:b",
                                     "a'b",    "1",   "NIL",   "[x",  "x}~&-", "\\Forwarded"};
  static const char *const bad[] = {
      "",    "\\",   "\\\\Seen", "a\\",  "\\*",      "*",        "%",
      "(",   ")",    "{",        "\"",   "]",        "[x]",      "a b",
      "a\r", "a\nb", "\x01",     "\x7f", "\xc3\xa9", "\\Recent", "\\RECENT",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    g_test_message ("\"%s\"", good[i]);
    g_assert_true (imap_flag_is_valid (good[i]));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_test_message ("\"%s\"", bad[i]);
    g_assert_false (imap_flag_is_valid (bad[i]));
  }
}

static void
test_flags_leave_out_what_is_crafted (void)
{
  static const struct {
    const char *text;
    const char *expected;
    gboolean whole;
  } cases[] = {
      {"", "()", TRUE},
      {"\\Seen", "(\\Seen)", TRUE},
      {"\\Seen work $x", "(\\Seen work $x)", TRUE},
      {"a) b", "(b)", FALSE},
      {"x {3+}\r\n", "(x)", FALSE},
      {"]", "()", FALSE},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ImapCommand) command = imap_command_new ("X");
    g_autofree char *expected = g_strconcat ("X ", cases[i].expected, NULL);

    g_assert_cmpint (imap_command_flags (command, cases[i].text), ==, cases[i].whole);
    assert_wire (command, expected);
  }
}

static void
test_whole_command (void)
{
  g_autoptr (ImapCommand) command = imap_command_new ("UID STORE");
  g_autoptr (UidSet) set = uid_set_new_range (3, 7);

  uid_set_add (set, 9);
  imap_command_uids (command, set);
  imap_command_raw_printf (command, "(UNCHANGEDSINCE %u)", 12);
  imap_command_raw (command, "FLAGS.SILENT");
  g_assert_true (imap_command_flags (command, "\\Seen work"));
  assert_wire (command, "UID STORE 3:7,9 (UNCHANGEDSINCE 12) FLAGS.SILENT (\\Seen work)");
  assert_described (command, "UID STORE 3:7,9 (UNCHANGEDSINCE 12) FLAGS.SILENT (\\Seen work)");
}

static void
test_date_time (void)
{
  static const struct {
    gint64 seconds;
    const char *expected;
  } cases[] = {
      {836732665, "\" 7-Jul-1996 09:44:25 +0000\""},
      {1732372489, "\"23-Nov-2024 14:34:49 +0000\""},
      {951782400, "\"29-Feb-2000 00:00:00 +0000\""},
      {1, "\" 1-Jan-1970 00:00:01 +0000\""},
      {0, "\" 1-Jan-1970 00:00:01 +0000\""},
      {-5, "\" 1-Jan-1970 00:00:01 +0000\""},
      {G_MININT64, "\" 1-Jan-1970 00:00:01 +0000\""},
      {2147483647, "\"19-Jan-2038 03:14:07 +0000\""},
      {2147483648, "\"19-Jan-2038 03:14:07 +0000\""},
      {G_MAXINT64, "\"19-Jan-2038 03:14:07 +0000\""},
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = imap_format_date_time (cases[i].seconds);
    g_assert_cmpstr (text, ==, cases[i].expected);
  }
}

/* What a server makes of the wire, written apart from the encoder. Ends the test on a control or
 * 8-bit byte outside of a literal. */

static const char *
read_literal (const char *p, GString *argument)
{
  char *end;
  guint64 size = g_ascii_strtoull (p + 1, &end, 10);

  g_assert_true (g_str_has_prefix (end, "+}\r\n"));
  end += 4;
  g_string_append_len (argument, end, size);
  return end + size;
}

static const char *
read_quoted (const char *p, GString *argument)
{
  for (p++; *p != '"'; p++) {
    if (*p == '\\') {
      p++;
      g_assert_true (*p == '"' || *p == '\\');
    }
    g_assert_true (*p >= 0x20 && *p <= 0x7e);
    g_string_append_c (argument, *p);
  }
  return p + 1;
}

static GPtrArray *
read_arguments (const GString *wire)
{
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);
  const char *p = wire->str + strcspn (wire->str, " ");

  while (*p != '\0') {
    GString *argument = g_string_new (NULL);

    g_assert_cmpint (*p++, ==, ' ');
    if (*p == '{') {
      p = read_literal (p, argument);
    } else if (*p == '"') {
      p = read_quoted (p, argument);
    } else if (*p == '(') {
      for (; argument->len == 0 || p[-1] != ')'; p++) {
        g_assert_true (*p >= 0x20 && *p <= 0x7e && strchr ("{\"", *p) == NULL);
        g_string_append_c (argument, *p);
      }
    } else {
      for (; *p != ' ' && *p != '\0'; p++) {
        g_assert_true (*p > 0x20 && *p <= 0x7e && strchr ("(){%*\"\\[]", *p) == NULL);
        g_string_append_c (argument, *p);
      }
    }
    g_ptr_array_add (arguments, g_string_free (argument, FALSE));
  }
  return arguments;
}

static char *
random_bytes (void)
{
  static const char evil[] = "\r\n\"\\{}()[]+*% &~-NIL0123456789abc\x80\xff\x7f\x01";
  int length = g_test_rand_int_range (0, 24);
  char *bytes = g_malloc0 (length + 1);

  for (int i = 0; i < length; i++)
    bytes[i] = g_test_rand_bit () ? g_test_rand_int_range (1, 256)
                                  : evil[g_test_rand_int_range (0, strlen (evil))];
  return bytes;
}

static void
assert_flags_are_from (const char *list, const char *text)
{
  g_autofree char *inner = g_strndup (list + 1, strlen (list) - 2);
  g_auto (GStrv) sent = g_strsplit (inner, " ", -1), given = g_strsplit (text, " ", -1);

  g_assert_true (g_str_has_prefix (list, "(") && g_str_has_suffix (list, ")"));
  for (char **flag = sent; *flag != NULL; flag++)
    g_assert_true (g_strv_contains ((const char *const *)given, *flag));
}

static void
test_nothing_can_be_injected (void)
{
  for (guint round = 0; round < 100000; round++) {
    g_autoptr (ImapCommand) command = imap_command_new ("X");
    g_autofree char *a = random_bytes ();
    g_autofree char *secret = random_bytes ();
    g_autofree char *flags = random_bytes ();
    g_autofree char *b = random_bytes ();
    g_autofree char *log = NULL;
    g_autoptr (GString) wire = NULL;
    g_autoptr (GPtrArray) arguments = NULL;

    imap_command_astring (command, a);
    imap_command_secret (command, secret);
    imap_command_flags (command, flags);
    imap_command_astring (command, b);
    wire = wire_of (command, TRUE);
    g_assert_cmpuint (strlen (wire->str), ==, wire->len);
    arguments = read_arguments (wire);
    g_assert_cmpuint (arguments->len, ==, 4);
    g_assert_cmpstr (arguments->pdata[0], ==, a);
    g_assert_cmpstr (arguments->pdata[1], ==, secret);
    assert_flags_are_from (arguments->pdata[2], flags);
    g_assert_cmpstr (arguments->pdata[3], ==, b);
    log = imap_command_describe (command);
    for (const char *p = log; *p != '\0'; p++)
      g_assert_true (*p >= 0x20 && *p <= 0x7e);
  }
}

static void
test_raw_refuses_line_ends (void)
{
  g_autoptr (ImapCommand) command = imap_command_new ("X");

  g_test_expect_message ("imapsync-imap", G_LOG_LEVEL_CRITICAL, "*imap_command_raw*");
  imap_command_raw (command, "a\r\nb");
  g_test_assert_expected_messages ();
  assert_wire (command, "X");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/command/astring-takes-the-plainest-form",
                   test_astring_takes_the_plainest_form);
  g_test_add_func ("/command/pieces-end-where-a-literal-begins",
                   test_pieces_end_where_a_literal_begins);
  g_test_add_func ("/command/log-hides-secrets", test_log_hides_secrets);
  g_test_add_func ("/command/secrets-are-sent", test_secrets_are_sent);
  g_test_add_func ("/command/log-is-cut", test_log_is_cut);
  g_test_add_func ("/command/flag-validity", test_flag_validity);
  g_test_add_func ("/command/flags-leave-out-what-is-crafted",
                   test_flags_leave_out_what_is_crafted);
  g_test_add_func ("/command/whole-command", test_whole_command);
  g_test_add_func ("/command/date-time", test_date_time);
  g_test_add_func ("/command/nothing-can-be-injected", test_nothing_can_be_injected);
  g_test_add_func ("/command/raw-refuses-line-ends", test_raw_refuses_line_ends);
  return g_test_run ();
}
