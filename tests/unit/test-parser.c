/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "../parser-dump.h"

#include "errors.h"

/* Every case is fed whole, one byte at a time, and split in two at every position; the events must
 * always be the same. */

typedef struct {
  const char *input;
  gsize length;
  const char *expected;
} Case;

#define CASE(input, expected)                                                                      \
  {                                                                                                \
    input, sizeof input - 1, expected                                                              \
  }

static char *
run (const ImapParserLimits *limits, gboolean lines, const char *input, gsize length, gsize first,
     gsize piece)
{
  Dump dump;

  dump_begin (&dump, limits, lines);
  dump_feed (&dump, (const guint8 *)input, first);
  for (gsize at = first; at < length; at += piece)
    dump_feed (&dump, (const guint8 *)input + at, MIN (piece, length - at));
  return dump_finish (&dump);
}

static void
check_limited (const ImapParserLimits *limits, gboolean lines, const char *input, gsize length,
               const char *expected)
{
  g_autofree char *whole = run (limits, lines, input, length, length, 1);
  g_autofree char *bytes = run (limits, lines, input, length, 0, 1);

  g_test_message ("%s", whole);
  g_assert_cmpstr (whole, ==, expected);
  g_assert_cmpstr (bytes, ==, expected);
  for (gsize i = 0; i < length; i++) {
    g_autofree char *split = run (limits, lines, input, length, i, length);

    g_assert_cmpstr (split, ==, expected);
  }
}

static void
check_cases (gconstpointer data)
{
  for (const Case *each = data; each->input; each++)
    check_limited (NULL, FALSE, each->input, each->length, each->expected);
}

/* What is wrong is an error that says so and shows the line. */
static void
check_errors (gconstpointer data)
{
  for (const Case *each = data; each->input; each++) {
    g_autofree char *shown = g_strndup (each->input, strcspn (each->input, "\r\n"));
    g_autofree char *expected =
        each->expected[0] == '\n'
            ? g_strdup (each->expected + 1)
            : g_strdup_printf ("error The server sent what makes no sense, %s: \"%s\"\n",
                               each->expected, shown);

    check_limited (NULL, FALSE, each->input, each->length, expected);
  }
}

static const Case status_cases[] = {
    CASE ("* OK Dovecot ready.\r\n", "OK Dovecot ready.\n"),
    CASE ("* OK\r\n", "OK \n"),
    CASE ("* OK \r\n", "OK \n"),
    CASE ("* ok [alert] Hi\r\n", "OK [ALERT] Hi\n"),
    CASE ("* OK Still here\n", "OK Still here\n"),
    CASE ("* OK Lone LF\na1 OK done\n", "OK Lone LF\na1 OK done\n"),
    CASE ("* PREAUTH [CAPABILITY IMAP4rev1 SASL-IR] Logged in as me\r\n",
          "PREAUTH [CAPABILITY words=(IMAP4rev1 SASL-IR)] Logged in as me\n"),
    CASE ("* OK [CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE STARTTLS AUTH=PLAIN ] localhost ready\r\n",
          "OK [CAPABILITY words=(IMAP4rev1 LITERAL+ ID ENABLE STARTTLS AUTH=PLAIN)] "
          "localhost ready\n"),
    CASE ("* BYE IMAP session state is inconsistent, please relogin.\r\n",
          "BYE IMAP session state is inconsistent, please relogin.\n"),
    CASE ("* BAD [ALERT] imap binary must not be started from inetd, use imap-login instead.\r\n",
          "BAD [ALERT] imap binary must not be started from inetd, use imap-login instead.\n"),
    CASE ("* NO Mailbox doesn't exist: p\r\n", "NO Mailbox doesn't exist: p\n"),
    CASE ("a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n",
          "a NO [AUTHENTICATIONFAILED] Authentication failed.\n"),
    CASE ("12 BAD Error in IMAP command FOO: Unknown command (0.001 + 0.000 secs).\r\n",
          "12 BAD Error in IMAP command FOO: Unknown command (0.001 + 0.000 secs).\n"),
    CASE ("* OK [CLOSED] Previous mailbox closed.\r\n", "OK [CLOSED] Previous mailbox closed.\n"),
    CASE ("* OK [CLOSED] Ok\r\n", "OK [CLOSED] Ok\n"),
    CASE ("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags "
          "permitted.\r\n",
          "OK [PERMANENTFLAGS words=(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags "
          "permitted.\n"),
    CASE ("* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n",
          "OK [PERMANENTFLAGS words=()] Read-only mailbox.\n"),
    CASE ("* OK [PERMANENTFLAGS (\\Seen a] [x] ]y ] \\*)] Ok\r\n",
          "OK [PERMANENTFLAGS words=(\\Seen a] [x] ]y ] \\*)] Ok\n"),
    CASE ("* OK [PERMANENTFLAGS  ( NIL  1 a+b ) ] Ok\r\n",
          "OK [PERMANENTFLAGS words=(NIL 1 a+b)] Ok\n"),
    CASE ("* OK [UNSEEN 1] First unseen.\r\n", "OK [?UNSEEN] First unseen.\n"),
    CASE ("* OK [UIDVALIDITY 1795437452] UIDs valid\r\n",
          "OK [UIDVALIDITY 1795437452] UIDs valid\n"),
    CASE ("* OK [UIDNEXT 4294967295] Predicted next UID\r\n",
          "OK [UIDNEXT 4294967295] Predicted next UID\n"),
    CASE ("* OK [HIGHESTMODSEQ 9223372036854775807] Highest\r\n",
          "OK [HIGHESTMODSEQ 9223372036854775807] Highest\n"),
    CASE ("* OK [HIGHESTMODSEQ 1]\r\n", "OK [HIGHESTMODSEQ 1] \n"),
    CASE ("* OK [MAILBOXID (8a3f-d_2)] Ok\r\n", "OK [MAILBOXID id=\"8a3f-d_2\"] Ok\n"),
    CASE ("* OK [URLMECH INTERNAL] Ok\r\n", "OK [?URLMECH] Ok\n"),
    CASE ("* OK [ANNOTATIONS 65536] Ok\r\n", "OK [?ANNOTATIONS] Ok\n"),
    CASE ("* OK rename a a2\r\n", "OK rename a a2\n"),
    CASE ("d1 OK [READ-WRITE] Select completed (0.001 + 0.000 secs).\r\n",
          "d1 OK [READ-WRITE] Select completed (0.001 + 0.000 secs).\n"),
    CASE ("d1 OK [READ-ONLY] Examine completed.\r\n", "d1 OK [READ-ONLY] Examine completed.\n"),
    CASE ("d2 OK [MODIFIED 1:2] Conditional store failed.\r\n",
          "d2 OK [MODIFIED set=1:2] Conditional store failed.\n"),
    CASE ("a OK [APPENDUID 1795437452 1:3] Append completed.\r\n",
          "a OK [APPENDUID 1795437452 uids=\"1:3\"] Append completed.\n"),
    CASE ("a OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n",
          "a OK [COPYUID 38505 uids=\"304,319:320\" to=\"3956:3958\"] Done\n"),
    CASE ("* OK [COPYUID 7 9,1,5 8:10] Moved UIDs.\r\n",
          "OK [COPYUID 7 uids=\"9,1,5\" to=\"8:10\"] Moved UIDs.\n"),
    CASE ("a NO [TRYCREATE] Mailbox doesn't exist: none\r\n",
          "a NO [TRYCREATE] Mailbox doesn't exist: none\n"),
    CASE ("a NO [BADEVENT (MessageNew MessageExpunge)] Unsupported NOTIFY events\r\n",
          "a NO [BADEVENT] Unsupported NOTIFY events\n"),
    CASE ("a NO [BADCHARSET (US-ASCII {5}\r\n", "a NO [BADCHARSET (US-ASCII {5}\n"),
    CASE ("a NO [LIMIT] Maximum number of connections from user+IP exceeded\r\n",
          "a NO [LIMIT] Maximum number of connections from user+IP exceeded\n"),
    CASE ("a OK [X-FOO bar \"(\" {] ) } ~{3}\r\n", "a OK [?X-FOO] ) } ~{3}\n"),
    CASE ("a OK [x-foo]bar\r\n", "a OK [?X-FOO] bar\n"),
    CASE ("a OK [this is no code\r\n", "a OK [this is no code\n"),
    CASE ("a OK [] none\r\n", "a OK [] none\n"),
    CASE ("a OK [ ] none\r\n", "a OK [ ] none\n"),
    CASE ("a OK [ALERT\r\n", "a OK [ALERT\n"),
    CASE ("a OK \"quote ( { ) {3}\r\n", "a OK \"quote ( { ) {3}\n"),
    CASE ("a OK 8-bit \303\244 \344 \302\233 \033[31m \342\200\256 \rcr\r\n",
          "a OK 8-bit \303\244 \\xe4 \\xc2\\x9b \\x1b[31m \\xe2\\x80\\xae \\x0dcr\n"),
    CASE ("+ \r\n", "+ \n"),
    CASE ("+\r\n", "+ \n"),
    CASE ("+ OK\r\n", "+ OK\n"),
    CASE ("+ go ahead {5}\r\n", "+ go ahead {5}\n"),
    CASE ("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", "+ eyJzdGF0dXMiOiI0MDEifQ==\n"),
    {NULL},
};

static const Case mailbox_cases[] = {
    CASE ("* LIST (\\HasNoChildren) \"/\" INBOX\r\n",
          "LIST hasnochildren delimiter=/ mailbox=\"INBOX\"\n"),
    CASE ("* LIST (\\Subscribed \\NonExistent) \".\" \"INBOX.a b\"\r\n",
          "LIST noselect nonexistent subscribed delimiter=. mailbox=\"INBOX.a b\"\n"),
    CASE ("* LIST (\\noselect \\haschildren \\Noinferiors \\Remote \\Archive) NIL x\r\n",
          "LIST noselect noinferiors haschildren remote mailbox=\"x\"\n"),
    CASE ("* LIST () \"/\" nfr2 (\"OLDNAME\" (nfnew))\r\n",
          "LIST delimiter=/ mailbox=\"nfr2\" oldname=\"nfnew\"\n"),
    CASE ("* LIST () \"/\" b (oldname ({3}\r\na b))\r\n",
          "LIST delimiter=/ mailbox=\"b\" oldname=\"a b\"\n"),
    CASE ("* LIST (\\HasChildren) \"/\" p (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
          "LIST haschildren delimiter=/ mailbox=\"p\"\n"),
    CASE ("* LIST () \"/\" p (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"q r\") X 1)\r\n",
          "LIST delimiter=/ mailbox=\"p\" oldname=\"q r\"\n"),
    CASE ("* LIST () \"\\\\\" \"a\\\\b\\\"c\"  \r\n",
          "LIST delimiter=\\ mailbox=\"a\\\\b\\\"c\"\n"),
    CASE ("* LIST () \"/\" {7}\r\na\"b\\c d\r\n", "LIST delimiter=/ mailbox=\"a\\\"b\\\\c d\"\n"),
    CASE ("* LIST () \"/\" {0}\r\n\r\n", "LIST delimiter=/ mailbox=\"\"\n"),
    CASE ("* LIST () \"/\" ~{4+}\r\na{5}\r\n", "LIST delimiter=/ mailbox=\"a{5}\"\n"),
    CASE ("* LIST (\\Noselect) \"/\" \"\"\r\n", "LIST noselect delimiter=/ mailbox=\"\"\n"),
    CASE ("* LIST () \"/\" NIL\r\n", "LIST delimiter=/ mailbox=\"NIL\"\n"),
    CASE ("* LIST () \"/\" 123\r\n", "LIST delimiter=/ mailbox=\"123\"\n"),
    CASE ("* LIST () \"/\" [x]\r\n", "LIST delimiter=/ mailbox=\"[x]\"\n"),
    CASE ("* LIST () \"/\" &AOk-\r\n", "LIST delimiter=/ mailbox=\"&AOk-\"\n"),
    CASE ("* LIST () \"/\" ~\r\n* LIST () \"/\" ~foo\r\n* LIST () \"/\" tilde~\r\n",
          "LIST delimiter=/ mailbox=\"~\"\nLIST delimiter=/ mailbox=\"~foo\"\n"
          "LIST delimiter=/ mailbox=\"tilde~\"\n"),
    CASE ("* LIST () \"/\" \"\303\244\"\r\n", "LIST delimiter=/ mailbox=\"\\303\\244\"\n"),
    CASE ("* LIST() \"/\" a\r\n", "LIST delimiter=/ mailbox=\"a\"\n"),
    CASE ("* STATUS nfa (MESSAGES 2 UIDNEXT 3 UNSEEN 2 HIGHESTMODSEQ 3)\r\n",
          "STATUS mailbox=\"nfa\" messages=2 uidnext=3 unseen=2 highestmodseq=3\n"),
    CASE ("* STATUS nfb (HIGHESTMODSEQ 7)\r\n", "STATUS mailbox=\"nfb\" highestmodseq=7\n"),
    CASE ("* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1795437452 HIGHESTMODSEQ 1 )  \r\n",
          "STATUS mailbox=\"INBOX\" messages=0 uidnext=1 uidvalidity=1795437452 "
          "highestmodseq=1\n"),
    CASE ("* STATUS \"a b\" (MAILBOXID (4f2e) SIZE 12345678901 APPENDLIMIT NIL X (a (b)) "
          "messages 7)\r\n",
          "STATUS mailbox=\"a b\" messages=7 mailboxid=\"4f2e\"\n"),
    CASE ("* STATUS [x] ()\r\n", "STATUS mailbox=\"[x]\"\n"),
    CASE ("* STATUS {3}\r\na b (UIDVALIDITY 4294967295)\r\n",
          "STATUS mailbox=\"a b\" uidvalidity=4294967295\n"),
    CASE ("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n",
          "NAMESPACE prefix=\"INBOX.\" delimiter=.\n"),
    CASE ("* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared Folders/\" \"/\"))\r\n",
          "NAMESPACE prefix=\"\" delimiter=/ shared=\"Other Users/\" delimiter=/ shared=\"Shared "
          "Folders/\" delimiter=/\n"),
    CASE (
        "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) nil nil\r\n",
        "NAMESPACE prefix=\"\" delimiter=/ personal=\"#mh/\" delimiter=/\n"),
    CASE ("* NAMESPACE ((\"\" NIL)) NIL NIL\r\n", "NAMESPACE prefix=\"\"\n"),
    CASE ("* NAMESPACE NIL NIL NIL\r\n", "NAMESPACE prefix=\"\"\n"),
    CASE ("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded a] NIL \\*)\r\n",
          "FLAGS words=(\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded a] NIL \\*)\n"),
    CASE ("* CAPABILITY IMAP4rev1  AUTH=PLAIN RIGHTS=kxten X-QUOTA=STORAGE \r\n",
          "CAPABILITY words=(IMAP4rev1 AUTH=PLAIN RIGHTS=kxten X-QUOTA=STORAGE)\n"),
    CASE ("* CAPABILITY\r\n", "CAPABILITY words=()\n"),
    CASE ("* ENABLED CONDSTORE QRESYNC\r\n", "ENABLED words=(CONDSTORE QRESYNC)\n"),
    CASE ("* ENABLED\r\n", "ENABLED words=()\n"),
    CASE ("* 0 EXISTS\r\n* 0 RECENT\r\n* 12 EXPUNGE\r\n", "EXISTS 0\nRECENT 0\nEXPUNGE 12\n"),
    CASE ("* 4294967295 EXISTS \r\n", "EXISTS 4294967295\n"),
    CASE ("*  5   EXISTS\r\n", "EXISTS 5\n"),
    CASE ("* VANISHED 8\r\n", "VANISHED uids=8\n"),
    CASE ("* VANISHED (EARLIER) 3:4,7:8\r\n", "VANISHED earlier uids=3:4,7:8\n"),
    CASE ("* VANISHED (earlier) 9,1:4294967295,5 \r\n", "VANISHED earlier uids=1:4294967295\n"),
    CASE ("* SEARCH\r\n* SEARCH 1 2 3 (MODSEQ 9)\r\n", "SEARCH\nSEARCH\n"),
    CASE ("* ESEARCH (TAG \"d79\") UID MIN 1 MAX 5 ALL 1:2,5 COUNT 3 MODSEQ 40\r\n",
          "ESEARCH tag=\"d79\" uid all=1:2,5 count=3 modseq=40\n"),
    CASE ("* ESEARCH (TAG \"x\") UID\r\n", "ESEARCH tag=\"x\" uid all=\n"),
    CASE ("* ESEARCH (TAG x) UID COUNT 0\r\n", "ESEARCH tag=\"x\" uid all= count=0\n"),
    CASE ("* ESEARCH\r\n", "ESEARCH all=\n"),
    CASE ("* ESEARCH (TAG \"p\") UID PARTIAL (1:2 1:2) ALL 7\r\n", "ESEARCH tag=\"p\" uid all=7\n"),
    CASE ("* ID (\"name\" \"Dovecot\")\r\n", "OTHER ID words=(name Dovecot)\n"),
    CASE ("* id (\"name\" \"Cyrus IMAPD\" \"os\" NIL)\r\n",
          "OTHER ID words=(name Cyrus IMAPD os )\n"),
    CASE ("* ID NIL\r\n", "OTHER ID words=()\n"),
    CASE ("* ID (\"name\" \"unclosed\r\n", "OTHER ID\n"),
    CASE ("* QUOTA \"\" (STORAGE 10 512)\r\n", "OTHER QUOTA\n"),
    CASE ("* LSUB () \"/\" {3}\r\na b\r\n* OK x\r\n", "OTHER LSUB\nOK x\n"),
    CASE ("* X-ODD ((( \"\\ {x} {3}\r\n\000)\n ~{1}\r\n\r tail {+}\r\n* 99999999999 WHAT\r\n",
          "OTHER X-ODD\nOTHER WHAT\n"),
    CASE ("* METADATA \"\" (/comment {4}\r\na\r\nb)\r\n", "OTHER METADATA\n"),
    {NULL},
};

static const Case fetch_cases[] = {
    CASE ("* 1 FETCH (UID 1 FLAGS () MODSEQ (24))\r\n", "FETCH 1 uid=1 flags=() modseq=24\n"),
    CASE ("* 2 FETCH (UID 2 MODSEQ (18) FLAGS (\\Seen \\Recent $Junk))\r\n",
          "FETCH 2 uid=2 flags=(\\Seen \\Recent $Junk) modseq=18\n"),
    CASE ("* 1 FETCH (FLAGS (\\Flagged) UID 1 MODSEQ (23))\r\n",
          "FETCH 1 uid=1 flags=(\\Flagged) modseq=23\n"),
    CASE ("* 1 FETCH (UID 1 MODSEQ (22))\r\n", "FETCH 1 uid=1 modseq=22\n"),
    CASE ("* 4 FETCH (FLAGS (NIL 1 a+b a/b a:b a'b $ a] [x] BODY[] UID))\r\n",
          "FETCH 4 uid=0 flags=(NIL 1 a+b a/b a:b a'b $ a] [x] BODY[] UID)\n"),
    CASE ("* 4294967295 fetch (uid 4294967295 modseq (9223372036854775807))\r\n",
          "FETCH 4294967295 uid=4294967295 modseq=9223372036854775807\n"),
    CASE ("* 1 FETCH ()\r\n", "FETCH 1 uid=0\n"),
    CASE ("*  1  FETCH  ( UID  5  FLAGS  ( \\Seen )  )  \r\n", "FETCH 1 uid=5 flags=(\\Seen)\n"),
    CASE ("* 1 FETCH (FLAGS(\\Seen)UID 5)\n", "FETCH 1 uid=5 flags=(\\Seen)\n"),
    CASE (
        "* 1 FETCH (UID 1 RFC822.SIZE 4294967296 INTERNALDATE \"07-Jul-1996 09:44:25 +0000\")\r\n",
        "FETCH 1 uid=1 date=836732665 size=4294967296\n"),
    CASE ("* 1 FETCH (INTERNALDATE \" 7-Jul-1996 02:44:25 -0700\" RFC822.SIZE 0)\r\n",
          "FETCH 1 uid=0 date=836732665 size=0\n"),
    CASE ("* 1 FETCH (UID 9 X-GUID 1f8b3c0a5d6e7f00aabbccdd)\r\n",
          "FETCH 1 uid=9 guid=\"1f8b3c0a5d6e7f00aabbccdd\"\n"),
    CASE ("* 1 FETCH (UID 9 EMAILID (M6d99ac3275bb4e) THREADID NIL)\r\n",
          "FETCH 1 uid=9 guid=\"M6d99ac3275bb4e\"\n"),
    CASE ("* 1 FETCH (UID 9 EMAILID NIL THREADID (T1))\r\n", "FETCH 1 uid=9\n"),
    CASE (
        "* 1 FETCH (UID 3 ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" {3}\r\na\"b "
        "((\"T\" NIL \"t\" \"h\")(NIL NIL \"u\" \"h\")) NIL) BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" "
        "(\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 23)(\"a\" \"b\" NIL) \"MIXED\") "
        "BODY (\"TEXT\" \"PLAIN\") SAVEDATE \"x\" DIGEST.SHA1 4af BINARY.SIZE[1.2] 7 FLAGS ())\r\n",
        "FETCH 1 uid=3 flags=()\n"),
    CASE (
        "* 1 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <a@b>\r\n\r\n)\r\n",
        "FETCH 1 uid=7 header=Message-ID: <a@b>\\015\\012\\015\\012\n"),
    CASE ("* 1 FETCH (BODY[HEADER] {2}\r\n\r\n UID 7)\r\n", "FETCH 1 uid=7 header=\\015\\012\n"),
    CASE ("* 1 FETCH (BODY[HEADER] NIL UID 7)\r\n", "FETCH 1 uid=7\n"),
    CASE ("* 1 FETCH (RFC822.HEADER {3}\r\na:b RFC822.TEXT {3}\r\nabc RFC822.SIZE 9 UID 7)\r\n",
          "FETCH 1 uid=7 size=9 header=a:b\n"),
    CASE ("* 1 FETCH (BODY[HEADER.FIELDS (\"X]\\\"(\" Y)] \"\" UID 7)\r\n",
          "FETCH 1 uid=7 header=\n"),
    CASE ("* 1 FETCH (BODY[HEADER.FIELDS (A {3}\r\n)]( \"{9}\" {4}B)] \"x\" UID 7)\r\n",
          "FETCH 1 uid=7 header=x\n"),
    CASE ("* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\nA {1}\r\nB)]<0> \"x\" UID 7)\r\n",
          "FETCH 1 uid=7 header=x\n"),
    CASE ("* 1 FETCH (BODY[1.MIME] {1}\r\nx UID 7)\r\n", "FETCH 1 uid=7 header=x\n"),
    CASE ("* 1 FETCH (UID 7 BODY[HEADER] ~{3}\r\na\000b)\r\n", "FETCH 1 uid=7 header=a\\000b\n"),
    {NULL},
};

static const Case body_cases[] = {
    CASE ("* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {5}\r\nhello)\r\n* 2 EXISTS\r\n",
          "begin 5 FETCH 1 uid=5 flags=(\\Seen)\ndata hello\nend\n"
          "FETCH 1 uid=5 flags=(\\Seen) body\nEXISTS 2\n"),
    CASE ("* 1 FETCH (BODY[] {5}\r\nhello UID 5 FLAGS (\\Seen))\r\n",
          "begin 5 FETCH 1 uid=0\ndata hello\nend\nFETCH 1 uid=5 flags=(\\Seen) body\n"),
    CASE ("* 1 FETCH (UID 5 BODY[] {11}\r\n)\r\na OK {3}\r\n MODSEQ (6))\r\n",
          "begin 11 FETCH 1 uid=5\ndata )\\015\\012a OK {3}\nend\n"
          "error The server sent what makes no sense, a parenthesis that is not closed: "
          "\"* 1 FETCH (UID 5 BODY[] {11}\"\n"),
    CASE ("* 1 FETCH (UID 5 BODY[] {13}\r\n)\r\na OK {3}\r\n MODSEQ (6))\r\n",
          "begin 13 FETCH 1 uid=5\ndata )\\015\\012a OK {3}\\015\\012\nend\n"
          "FETCH 1 uid=5 modseq=6 body\n"),
    CASE ("* 1 FETCH (BODY[] {0}\r\n UID 5)\r\n",
          "begin 0 FETCH 1 uid=0\nend\nFETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (UID 5 BODY[] ~{14}\r\nSubject: \000\r\n\r\n)\r\n",
          "begin 14 FETCH 1 uid=5\ndata Subject: \\000\\015\\012\\015\\012\nend\n"
          "FETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (UID 5 BODY[]<0> {3}\r\nabc)\n",
          "begin 3 FETCH 1 uid=5\ndata abc\nend\nFETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (UID 5 BINARY[] ~{3}\r\nabc)\r\n",
          "begin 3 FETCH 1 uid=5\ndata abc\nend\nFETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (UID 5 RFC822 {3}\r\nabc)\r\n",
          "begin 3 FETCH 1 uid=5\ndata abc\nend\nFETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (body[] \"\" UID 5)\r\n", "begin 0 FETCH 1 uid=0\nend\nFETCH 1 uid=5 body\n"),
    CASE ("* 1 FETCH (UID 5 BODY[] \"a\\\\b\\\"c)\" FLAGS (x))\r\n",
          "begin 6 FETCH 1 uid=5\ndata a\\134b\"c)\nend\nFETCH 1 uid=5 flags=(x) body\n"),
    CASE ("* 1 FETCH (UID 5 BODY[] NIL)\r\n", "FETCH 1 uid=5 nil\n"),
    CASE ("* 1 FETCH (UID 5 BODY[HEADER] {1}\r\nh BODY[] {1}\r\nb RFC822.SIZE 1)\r\n",
          "begin 1 FETCH 1 uid=5 header=h\ndata b\nend\nFETCH 1 uid=5 size=1 header=h body\n"),
    {NULL},
};

#define DATE   "INTERNALDATE is no date and time"
#define NUMBER "is no number from "

static const Case error_cases[] = {
    CASE ("\r\n", "no tag at the beginning of the line"),
    CASE ("\n", "no tag at the beginning of the line"),
    CASE ("*\r\n", "a response without a name"),
    CASE ("* \r\n", "a response without a name"),
    CASE ("* (x)\r\n", "a response without a name"),
    CASE ("* 5\r\n", "a response without a name"),
    CASE ("+OK POP3 ready\r\n", "no tag at the beginning of the line"),
    CASE ("welcome to host\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("HTTP/1.1 400 Bad Request\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("220 mail.example.org ESMTP\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("a1\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("a1 BYE\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("a1 PREAUTH\r\n", "neither OK, NO nor BAD behind the tag"),
    CASE ("a\"1 OK x\r\n", "no tag at the beginning of the line"),
    CASE ("* FETCH (UID 1)\r\n", "FETCH without a number"),
    CASE ("* EXISTS\r\n", "EXISTS without a number"),
    CASE ("* 5 OK x\r\n", "OK with a number"),
    CASE ("* 4294967296 EXISTS\r\n", "EXISTS with a number that is out of range"),
    CASE ("* 0 EXPUNGE\r\n", "EXPUNGE of message 0"),
    CASE ("* 0 FETCH (UID 1)\r\n", "FETCH of message 0"),
    CASE ("* 1 EXISTS 2\r\n", "something behind the response"),
    CASE ("* 1 FETCH\r\n", "FETCH is no single list"),
    CASE ("* 1 FETCH UID 5\r\n", "FETCH is no single list"),
    CASE ("* 1 FETCH (UID 5) (UID 6)\r\n", "FETCH is no single list"),
    CASE ("* 1 FETCH (UID 5\r\n", "a parenthesis that is not closed"),
    CASE ("* 1 FETCH (UID 5))\r\n", "a parenthesis that closes nothing"),
    CASE ("* 1 FETCH (UID 0)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (UID 4294967296)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (UID -1)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (UID 1x)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (UID 99999999999999999999999)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (UID \"1\")\r\n", "UID is no number"),
    CASE ("* 1 FETCH (UID (1))\r\n", "UID is no number"),
    CASE ("* 1 FETCH (UID 1 UID 2)\r\n", "two UIDs in one FETCH"),
    CASE ("* 1 FETCH (UID)\r\n", "an item of FETCH without name or value"),
    CASE ("* 1 FETCH (\"UID\" 1)\r\n", "an item of FETCH without name or value"),
    CASE ("* 1 FETCH ((UID) 1)\r\n", "an item of FETCH without name or value"),
    CASE ("* 1 FETCH (MODSEQ 5)\r\n", "MODSEQ is no number"),
    CASE ("* 1 FETCH (MODSEQ ())\r\n", "MODSEQ is no number"),
    CASE ("* 1 FETCH (MODSEQ (5 6))\r\n", "MODSEQ is more than one"),
    CASE ("* 1 FETCH (MODSEQ (9223372036854775808))\r\n",
          "MODSEQ " NUMBER "0 to 9223372036854775807"),
    CASE ("* 1 FETCH (RFC822.SIZE x)\r\n", "RFC822.SIZE " NUMBER "0 to 9223372036854775807"),
    CASE ("* 1 FETCH (FLAGS \\Seen)\r\n", "FLAGS is no list"),
    CASE ("* 1 FETCH (FLAGS (\"a\"))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS ((a)))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (\\*))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (\\))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (a\\b))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (a%))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (a{))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (FLAGS (\303\244))\r\n", "a flag that cannot be one"),
    CASE ("* 1 FETCH (INTERNALDATE \"30-Feb-1996 02:44:25 -0700\")\r\n", DATE),
    CASE ("* 1 FETCH (INTERNALDATE NIL)\r\n", DATE),
    CASE ("* 1 FETCH (X-GUID \"\")\r\n", "X-GUID or EMAILID without an id"),
    CASE ("* 1 FETCH (EMAILID (a b))\r\n", "X-GUID or EMAILID without an id"),
    CASE ("* 1 FETCH (EMAILID ())\r\n", "X-GUID or EMAILID without an id"),
    CASE ("* 1 FETCH (BODY[] 5)\r\n", "BODY[] is no string"),
    CASE ("* 1 FETCH (BODY[] ({3}\r\nabc))\r\n",
          "\nerror The server sent what makes no sense, "
          "BODY[] is no string: \"* 1 FETCH (BODY[] ({3}))\"\n"),
    CASE ("* 1 FETCH (BODY[]<5> {3}\r\nabc)\r\n",
          "\nerror The server sent what makes no sense, "
          "a part of a body that nobody asked for: \"* 1 FETCH (BODY[]<5> {3})\"\n"),
    CASE ("* 1 FETCH (BODY[HEADER] 5)\r\n", "a section of a body is no string"),
    CASE ("* 1 FETCH (BODY[HEADER 5)\r\n", "a section that does not end"),
    CASE ("* 1 FETCH (BODY[\"HEADER]\r\n", "a section that does not end"),
    CASE ("* 1 FETCH (BODY[HEADER.FIELDS (A] 5)\r\n", "a section that does not end"),
    CASE ("* 1 FETCH (UID 0 BODY[] {3}\r\nabc)\r\n", "UID " NUMBER "1 to 4294967295"),
    CASE ("* 1 FETCH (BODY[] {3}\r\nabc BODY[] {3}\r\nabc)\r\n",
          "\nbegin 3 FETCH 1 uid=0\ndata abc\nend\nerror The server sent what makes no sense, two "
          "bodies in one FETCH: \"* 1 FETCH (BODY[] {3} BODY[] {3}\"\n"),
    CASE ("* 1 FETCH (BODY[] {4294967296}\r\n", "a body of 4294967296 bytes, too many"),
    CASE ("* 1 FETCH (BODY[] {9223372036854775808}\r\n", "a literal without a proper length"),
    CASE ("* 1 FETCH (BODY[] {}\r\n", "a literal without a proper length"),
    CASE ("* 1 FETCH (BODY[] {-1}\r\n", "a literal without a proper length"),
    CASE ("* 1 FETCH (BODY[] {1 \r\n", "a literal without a proper length"),
    CASE ("* 1 FETCH (BODY[] {1} UID 5)\r\n", "a literal without a proper length"),
    CASE ("* 1 FETCH (BODY[HEADER] {262145}\r\n", "a literal of 262145 bytes, too many"),
    CASE ("* X {262145}\r\n", "a literal of 262145 bytes, too many"),
    CASE ("* 1 FETCH (UID \"5\r\n", "a quoted string that does not end"),
    CASE ("* 1 FETCH (UID \"5\\\r\n", "a quoted string that does not end"),
    CASE ("* 1 FETCH (UID\r 5)\r\n", "\nerror The server sent what makes no sense, a CR that ends "
                                     "no line: \"* 1 FETCH (UID\\x0d 5)\"\n"),
    CASE ("* 1 FETCH (UID\000 5)\r\n", "\nerror The server sent what makes no sense, a NUL byte: "
                                       "\"* 1 FETCH (UID\\x00 5)\"\n"),
    CASE ("* OK \000\r\n", "\nerror The server sent what makes no sense, a NUL byte: "
                           "\"* OK \\x00\"\n"),
    CASE ("* LIST () \"/\" {3}\r\na\000b\r\n", "a NUL byte in a literal"),
    CASE ("* LIST\r\n", "LIST without attributes"),
    CASE ("* LIST \"/\" x\r\n", "LIST without attributes"),
    CASE ("* LIST () \"//\" x\r\n", "a hierarchy delimiter that is no single character"),
    CASE ("* LIST ()\r\n", "a hierarchy delimiter that is no single character"),
    CASE ("* LIST () \"/\"\r\n", "LIST without a mailbox"),
    CASE ("* LIST () \"/\" (x)\r\n", "LIST without a mailbox"),
    CASE ("* LIST () \"/\" a b\r\n", "something behind the mailbox's name"),
    CASE ("* LIST () \"/\" a () b\r\n", "something behind the LIST"),
    CASE ("* LIST () \"/\" a (\"OLDNAME\" ())\r\n", "OLDNAME without a name"),
    CASE ("* STATUS\r\n", "STATUS without a mailbox"),
    CASE ("* STATUS x\r\n", "STATUS without items"),
    CASE ("* STATUS x y\r\n", "STATUS without items"),
    CASE ("* STATUS x (MESSAGES)\r\n", "an item of STATUS without name or value"),
    CASE ("* STATUS x (MESSAGES 4294967296)\r\n", "MESSAGES " NUMBER "0 to 4294967295"),
    CASE ("* STATUS x (UIDNEXT 0)\r\n", "UIDNEXT " NUMBER "1 to 4294967295"),
    CASE ("* STATUS x (UIDVALIDITY 0)\r\n", "UIDVALIDITY " NUMBER "1 to 4294967295"),
    CASE ("* STATUS x (HIGHESTMODSEQ NIL)\r\n", "HIGHESTMODSEQ " NUMBER "0 to 9223372036854775807"),
    CASE ("* STATUS x (MAILBOXID ())\r\n", "MAILBOXID without an id"),
    CASE ("* NAMESPACE\r\n", "NAMESPACE without namespaces"),
    CASE ("* NAMESPACE x\r\n", "namespaces that are no list"),
    CASE ("* NAMESPACE (())\r\n", "a namespace without a prefix"),
    CASE ("* FLAGS \\Seen\r\n", "FLAGS is no list"),
    CASE ("* VANISHED\r\n", "VANISHED without UIDs"),
    CASE ("* VANISHED (EARLIER)\r\n", "VANISHED without UIDs"),
    CASE ("* VANISHED (LATER) 1\r\n", "VANISHED with something else than (EARLIER)"),
    CASE ("* VANISHED \"1\"\r\n", "VANISHED without UIDs"),
    CASE ("* VANISHED 1 2\r\n", "something behind the UIDs"),
    CASE ("* ESEARCH (X \"x\") UID\r\n", "ESEARCH with something else than (TAG \"...\")"),
    CASE ("* ESEARCH UID ALL\r\n", "an item of ESEARCH without name or value"),
    CASE ("* ESEARCH UID ALL (1)\r\n", "ALL of ESEARCH is no set"),
    CASE ("* ESEARCH UID COUNT x\r\n", "COUNT " NUMBER "0 to 4294967295"),
    CASE ("a OK [UIDVALIDITY 0] x\r\n", "UIDVALIDITY " NUMBER "1 to 4294967295"),
    CASE ("a OK [UIDNEXT] x\r\n", "UIDNEXT " NUMBER "1 to 4294967295"),
    CASE ("a OK [UIDNEXT 5 6] x\r\n", "UIDNEXT with something behind it"),
    CASE ("a OK [UIDNEXT 5\r\n", "UIDNEXT that is not closed by a bracket"),
    CASE ("a OK [HIGHESTMODSEQ -1] x\r\n", "HIGHESTMODSEQ " NUMBER "0 to 9223372036854775807"),
    CASE ("a OK [MODIFIED] x\r\n", "MODIFIED without a set"),
    CASE ("a OK [APPENDUID 5] x\r\n", "APPENDUID without UIDs"),
    CASE ("a OK [APPENDUID 0 5] x\r\n", "APPENDUID " NUMBER "1 to 4294967295"),
    CASE ("a OK [APPENDUID 5 1 2] x\r\n", "APPENDUID with something behind it"),
    CASE ("a OK [COPYUID 5 1:2] x\r\n", "COPYUID without UIDs"),
    CASE ("a OK [PERMANENTFLAGS \\Seen] x\r\n", "PERMANENTFLAGS without a list"),
    CASE ("a OK [PERMANENTFLAGS (\\Seen] x\r\n", "PERMANENTFLAGS with a list that is not closed"),
    CASE ("a OK [PERMANENTFLAGS (\"a\")] x\r\n", "a flag that cannot be one"),
    CASE ("a OK [MAILBOXID ()] x\r\n", "MAILBOXID is no single id"),
    CASE ("a OK [CAPABILITY IMAP4rev1\r\n", "CAPABILITY that is not closed by a bracket"),
    {NULL},
};

/* What is wrong inside of a set is told by those who read sets. */
static void
test_bad_sets (void)
{
  static const char *const lines[] = {
      "* VANISHED 0\r\n",
      "* VANISHED (EARLIER) 1:*\r\n",
      "* VANISHED 1,\r\n",
      "* VANISHED 4294967296\r\n",
      "* ESEARCH (TAG \"a\") UID ALL 5:x\r\n",
      "a OK [MODIFIED 1:] x\r\n",
      "a OK [APPENDUID 5 0] x\r\n",
      "a OK [COPYUID 5 1:2 *] x\r\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_autofree char *events = run (NULL, FALSE, lines[i], strlen (lines[i]), 0, 1);

    g_test_message ("%s -> %s", lines[i], events);
    g_assert_true (g_str_has_prefix (events, "error The server sent what makes no sense, "));
    check_limited (NULL, FALSE, lines[i], strlen (lines[i]), events);
  }
}

static void
check_line (const char *input, const char *expected)
{
  check_limited (NULL, TRUE, input, strlen (input), expected);
}

static void
test_line_is_shown_without_literals (void)
{
  check_line ("* 1 FETCH (BODY[HEADER] {2}\r\nhh BODY[] {3}\r\n(\r\n UID 5)\r\n",
              "begin 3 FETCH 1 uid=0 header=hh\n<* 1 FETCH (BODY[HEADER] {2} BODY[] {3}>\n"
              "data (\\015\\012\nend\n"
              "FETCH 1 uid=5 header=hh body\n<* 1 FETCH (BODY[HEADER] {2} BODY[] {3} UID 5)>\n");
  check_line ("* 1 FETCH (BODY[] \"a\\\\b\" X {2}\r\nxx UID 5)\r\n",
              "begin 3 FETCH 1 uid=0\n<* 1 FETCH (BODY[] {3} X {2}>\ndata a\\134b\nend\n"
              "FETCH 1 uid=5 body\n<* 1 FETCH (BODY[] {3} X {2} UID 5)>\n");
  check_line ("a OK \344 \"\\\033\r\n", "a OK \\xe4 \"\\\\x1b\n<a OK \\xe4 \"\\\\x1b>\n");
}

/* STARTTLS and COMPRESS depend on it. */
static void
test_bytes_behind_the_response_are_not_consumed (void)
{
  static const char input[] = "a1 OK Begin TLS negotiation now\r\n\026\003\001";
  g_autoptr (ImapParser) parser = imap_parser_new (NULL);
  g_autoptr (GError) error = NULL;
  ImapParserOutput out;
  gsize consumed;

  g_assert_cmpint (
      imap_parser_next (parser, (const guint8 *)input, sizeof input - 1, &consumed, &out, &error),
      ==, IMAP_PARSER_RESPONSE);
  g_assert_cmpuint (consumed, ==, strlen ("a1 OK Begin TLS negotiation now\r\n"));
  g_assert_cmpint (
      imap_parser_next (parser, (const guint8 *)input + consumed, 0, &consumed, &out, &error), ==,
      IMAP_PARSER_MORE);
  g_assert_cmpuint (consumed, ==, 0);
}

static void
test_body_pieces_point_into_the_callers_bytes (void)
{
  static const char input[] = "* 1 FETCH (BODY[] {5}\r\nhello)\r\n";
  g_autoptr (ImapParser) parser = imap_parser_new (NULL);
  ImapParserOutput out;
  gsize consumed, used;

  imap_parser_next (parser, (const guint8 *)input, sizeof input - 1, &used, &out, NULL);
  g_assert_cmpint (imap_parser_next (parser, (const guint8 *)input + used, sizeof input - 1 - used,
                                     &consumed, &out, NULL),
                   ==, IMAP_PARSER_BODY_DATA);
  g_assert_true (out.data == (const guint8 *)input + used);
  g_assert_cmpuint (out.length, ==, 5);
}

static void
test_limits_hold (void)
{
  ImapParserLimits limits = {.max_line = 40, .max_literal = 10, .max_nesting = 3, .max_body = 4};
  static const Case cases[] = {
      CASE ("* OK 4567890123456789012345678901234567\n", "OK 4567890123456789012345678901234567\n"),
      CASE ("* OK 45678901234567890123456789012345678\n",
            "error The server sent what makes no sense, a line of more than 40 bytes: "
            "\"* OK 45678901234567890123456789012345678\"\n"),
      CASE ("* LIST () \"/\" {10}\r\n0123456789\r\n", "LIST delimiter=/ mailbox=\"0123456789\"\n"),
      CASE ("* LIST () \"/\" {11}\r\n0123456789\r\n",
            "error The server sent what makes no sense, a literal of 11 bytes, too many: "
            "\"* LIST () \"/\" {11}\"\n"),
      CASE ("* 1 FETCH (A {10}\r\n0123456789 B {10}\r\n",
            "error The server sent what makes no sense, a literal of 10 bytes, too many: "
            "\"* 1 FETCH (A {10} B {10}\"\n"),
      CASE ("* 1 FETCH (A ((B)))\r\n", "FETCH 1 uid=0\n"),
      CASE ("* 1 FETCH (A (((B))))\r\n",
            "error The server sent what makes no sense, more than 3 nested parentheses: "
            "\"* 1 FETCH (A (((B))))\"\n"),
      CASE ("* 1 FETCH (BODY[] {4}\r\nabcd)\r\n",
            "begin 4 FETCH 1 uid=0\ndata abcd\nend\nFETCH 1 uid=0 body\n"),
      CASE ("* 1 FETCH (BODY[] {5}\r\nabcde)\r\n",
            "error The server sent what makes no sense, a body of 5 bytes, too many: "
            "\"* 1 FETCH (BODY[] {5}\"\n"),
      CASE ("* 1 FETCH (BODY[] \"abcde\")\r\n",
            "error The server sent what makes no sense, a body of 5 bytes, too many: "
            "\"* 1 FETCH (BODY[] {5})\"\n"),
      {NULL},
  };

  for (const Case *each = cases; each->input; each++)
    check_limited (&limits, FALSE, each->input, each->length, each->expected);
}

static void
test_errors_show_200_bytes_and_are_final (void)
{
  g_autoptr (ImapParser) parser = imap_parser_new (NULL);
  g_autofree char *many = g_strnfill (1000, 'x');
  g_autofree char *line = g_strdup_printf ("* 1 FETCH (UID 0 %s)\r\n", many);
  g_autofree char *shown = g_strdup_printf (": \"%.200s...\"", line);
  ImapParserOutput out;
  gsize consumed;

  for (int i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (imap_parser_next (parser, (const guint8 *)line, i ? 0 : strlen (line),
                                       &consumed, &out, &error),
                     ==, IMAP_PARSER_ERROR);
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_PROTOCOL);
    g_assert_true (g_str_has_suffix (error->message, shown));
  }
}

/* Long lines, byte by byte: a parser that looks at a line again for each byte would take hours. */
static void
test_long_lines_take_linear_time (void)
{
  g_autoptr (GString) line = g_string_new ("* VANISHED (EARLIER) 1");
  g_autofree char *events = NULL;

  for (guint uid = 3; line->len < 900000; uid += 2)
    g_string_append_printf (line, ",%u", uid);
  g_string_append (line, "\r\n* 1 FETCH (FLAGS (");
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf (line, "k%u ", i);
  g_string_append (line, "))\r\n");
  events = run (NULL, FALSE, line->str, line->len, 0, 1);
  g_assert_true (g_str_has_prefix (events, "VANISHED earlier uids=1,3,5,7,"));
  g_assert_true (g_str_has_suffix (events, " k99998 k99999)\n"));
}

static void
test_plain_fetch_lines_are_fast (void)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (ImapParser) parser = imap_parser_new (NULL);
  ImapParserOutput out;
  guint64 sum = 0;
  guint count = g_test_perf () ? 1000000 : 20000;
  double seconds;

  for (guint i = 1; i <= count; i++)
    g_string_append_printf (lines,
                            "* %u FETCH (UID %u FLAGS (\\Seen \\Answered $Forwarded) "
                            "MODSEQ (%u))\r\n",
                            i, i, i + 7);
  g_test_timer_start ();
  for (gsize at = 0, consumed; at < lines->len; at += consumed) {
    if (imap_parser_next (parser, (const guint8 *)lines->str + at, MIN (65536, lines->len - at),
                          &consumed, &out, NULL) == IMAP_PARSER_RESPONSE)
      sum += out.response.fetch.uid + out.response.fetch.n_flags;
  }
  seconds = g_test_timer_elapsed ();
  g_test_message ("%u lines in %.3f s", count, seconds);
  if (g_test_perf ())
    g_test_minimized_result (seconds, "1,000,000 FETCH lines");
  g_assert_cmpuint (sum, ==, (guint64)count * (count + 1) / 2 + 3 * (guint64)count);
}

static void
test_date_time (void)
{
  static const struct {
    const char *text;
    gint64 seconds;
  } good[] = {
      {" 7-Jul-1996 02:44:25 -0700", 836732665},
      {"07-Jul-1996 02:44:25 -0700", 836732665},
      {"7-jul-1996 09:44:25 +0000", 836732665},
      {"17-JUL-1996 02:44:25 -0700", 837596665},
      {"01-Jan-1970 00:00:00 +0000", 0},
      {"13-Dec-1901 20:45:52 +0000", -2147483648LL},
      {"29-Feb-2000 23:59:60 +1400", 951818400},
      {"31-Dec-9999 23:59:59 -0000", 253402300799},
      {"01-Jan-0001 00:00:00 +0530", -62135616600},
  };
  static const char *const bad[] = {
      "",
      "x",
      "7-Jul-1996",
      "  7-Jul-1996 02:44:25 -0700",
      "007-Jul-1996 02:44:25 -0700",
      "7-Jul-1996 02:44:25",
      "7-Jul-1996 02:44:25 0700",
      "7-Jul-1996 02:44:25 -0700 ",
      "7-Jul-96 02:44:25 -0700",
      "7-Foo-1996 02:44:25 -0700",
      "30-Feb-1996 02:44:25 -0700",
      "29-Feb-1900 02:44:25 -0700",
      "0-Jul-1996 02:44:25 -0700",
      "32-Jul-1996 02:44:25 -0700",
      "7-Jul-0000 02:44:25 -0700",
      "7-Jul-1996 24:44:25 -0700",
      "7-Jul-1996 02:60:25 -0700",
      "7-Jul-1996 02:44:61 -0700",
      "7-Jul-1996 02:44:25 -2400",
      "7-Jul-1996 02:44:25 -0760",
      "7-Jul-1996 2:44:25 -0700",
  };
  gint64 seconds;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    g_test_message ("%s", good[i].text);
    g_assert_true (imap_parse_date_time (good[i].text, &seconds));
    g_assert_cmpint (seconds, ==, good[i].seconds);
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_test_message ("%s", bad[i]);
    g_assert_false (imap_parse_date_time (bad[i], &seconds));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/parser/status-responses", status_cases, check_cases);
  g_test_add_data_func ("/parser/mailbox-data", mailbox_cases, check_cases);
  g_test_add_data_func ("/parser/fetch", fetch_cases, check_cases);
  g_test_add_data_func ("/parser/bodies", body_cases, check_cases);
  g_test_add_data_func ("/parser/errors-say-what-was-wrong", error_cases, check_errors);
  g_test_add_func ("/parser/bad-sets-are-errors", test_bad_sets);
  g_test_add_func ("/parser/line-is-shown-without-literals", test_line_is_shown_without_literals);
  g_test_add_func ("/parser/bytes-behind-the-response-are-not-consumed",
                   test_bytes_behind_the_response_are_not_consumed);
  g_test_add_func ("/parser/body-pieces-point-into-the-callers-bytes",
                   test_body_pieces_point_into_the_callers_bytes);
  g_test_add_func ("/parser/limits-hold", test_limits_hold);
  g_test_add_func ("/parser/errors-show-200-bytes-and-are-final",
                   test_errors_show_200_bytes_and_are_final);
  g_test_add_func ("/parser/long-lines-take-linear-time", test_long_lines_take_linear_time);
  g_test_add_func ("/parser/plain-fetch-lines-are-fast", test_plain_fetch_lines_are_fast);
  g_test_add_func ("/parser/date-time", test_date_time);
  return g_test_run ();
}
