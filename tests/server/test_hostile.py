# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that lies, floods or injects: the error is clear, memory stays small, the other server sees
nothing of it, and nothing is expunged because of it. Each test looks at the bytes that were received."""

from harness.case import ServerCase
from harness.imapsync import Account
from harness.scripted import CLOSE, Scripted
from harness.seed import simple

NO_CONNECTION = 3
LIMIT = 64 * 1024  # KiB
_NUMBERS = """\
* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] ok
* %d EXISTS
* OK [UIDVALIDITY 1000] ok
* OK [UIDNEXT %d] ok
* OK [HIGHESTMODSEQ 9] ok
"""


def mailbox(messages=0, uidnext=1):
    status = f"(MESSAGES {messages} UIDNEXT {uidnext} UIDVALIDITY 1000 HIGHESTMODSEQ 9)"
    return '* LIST (\\Subscribed) "/" INBOX\n* STATUS INBOX ' + status + "\n{tag} OK listed"


class Hostile(ServerCase):
    """The remote side is hostile; the local one holds a message that must stay as it is."""

    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")
    plain = True  # memory

    def setUp(self):
        super().setUp()
        self.local.append("INBOX", simple("must stay"))

    def against(self, rules, status=(NO_CONNECTION,), words=(), **options):
        before = self.fingerprints()[:1]
        with Scripted(rules, **options) as server:
            self.account = Account(self.account.local, server.settings(timeout=4))
            self.addCleanup(self.account.close)
            result = self.account.once("--debug", timeout=90, plain=True)
            self.assertIn(result.status, status, result)
            self.assertLess(result.rss_kib, LIMIT, "memory has to stay below 64 MiB")
            self.assertEqual(before, self.fingerprints()[:1], "the other server was changed")
            for word in words:
                self.assertSays(result, word)
            for word in ("CRITICAL", "(null)", "assertion"):
                self.assertNotIn(word, result.err)
            self.assertEqual([c for c in result.changes() if "local C:" in c], [])
            self.assertEqual([c for c in server.commands if "EXPUNGE" in c.upper() or "STORE" in c.upper()], [])
            self.assertEqual(len(server.logins()), 1, server.commands)
            return result, server

    def test_a_line_of_100_mib(self):
        "a line of 100 MiB is cut off, and nothing is sent behind the command that it answers"

        def flood(connection, tag, line):
            connection.send_raw(b"* LIST () \"/\" \"")
            for _ in range(1600):
                connection.send_raw(b"x" * 65536)

        _, server = self.against([("LIST", flood)])
        self.assertEqual([c for c in server.commands if c.startswith(("SELECT", "APPEND", "CREATE"))], [])

    def test_a_literal_of_4_gib(self):
        "the announcement of 4 GiB where a name belongs is an error"
        for size in (4294967295, 4294967296, 18446744073709551616):
            with self.subTest(size):
                self.against([("LIST", b'* LIST () "/" {%d}\r\nINBOX' % size)])

    def test_deep_nesting(self):
        "parentheses without end are an error"
        self.against([("LIST", b"* LIST " + b"(" * 1000000 + b"\r\n{tag} OK done\r\n")])

    def test_everything_vanished(self):
        "VANISHED 1:4294967295 for what was never there expunges nothing"
        select = _NUMBERS % (0, 1) + "* VANISHED (EARLIER) 1:4294967295\n{tag} OK [READ-WRITE] selected"
        self.against([("LIST", mailbox()), ("SELECT|EXAMINE", select), ("APPEND", "{tag} NO not here")], (0, 1, 3))

    def test_unknown_uids(self):
        "FETCH of UIDs that nobody asked for copies nothing to the other server"
        fetch = "* 1 FETCH (UID 4000000000 FLAGS (\\Deleted) MODSEQ (9))\n" * 1000
        select = _NUMBERS % (0, 1) + fetch + "{tag} OK [READ-WRITE] selected"
        self.against([("LIST", mailbox()), ("SELECT|EXAMINE", select), ("APPEND", "{tag} NO not here")], (0, 1, 3))

    def test_a_body_that_nobody_asked_for(self):
        "a message that comes by itself does not reach the other server"
        body = b"* 1 FETCH (UID 1 FLAGS () MODSEQ (9) BODY[] {26}\r\nSubject: uninvited\r\n\r\nbody)\r\n"
        self.against([("LIST", [body, mailbox()]), ("APPEND", "{tag} NO not here")], (0, 1, 3))

    def test_bye_in_a_literal(self):
        "a connection that ends in the middle of a literal is an error; what had come goes nowhere"
        self.against([("LIST", [b'* LIST () "/" {100}\r\n* BYE cut\r\n', CLOSE])])

    def test_8_bit_everywhere(self):
        "bytes above 127 and words in no encoding are told in valid UTF-8"
        result, _ = self.against([("LIST", b"* OK \xff\xfe\x80 hello\r\n{tag} NO \xc3\x28 \xff no\r\n")], (1, 3))
        result.err.encode("utf-8")

    def test_no_command_can_be_injected(self):
        "a name with a line break or a quote does not become a command for the other server"
        for name in (b"{31}\r\nx\r\na1 DELETE INBOX\r\nb2 CREATE y", b'"a\\" DELETE INBOX \\""', b"{7}\r\na\0b\r\nxy"):
            with self.subTest(name):
                reply = b'* LIST (\\Subscribed) "/" INBOX\r\n* LIST (\\Subscribed) "/" ' + name
                result, _ = self.injects(reply + b"\r\n{tag} OK listed\r\n")
                for line in result.err.splitlines():
                    self.assertFalse("local C:" in line and ("DELETE" in line.split("local C:")[1].split()[1:2]), line)

    def injects(self, reply):
        with Scripted([("LIST", reply), ("APPEND|SELECT|STATUS", "{tag} NO not here")]) as server:
            self.account = Account(self.account.local, server.settings(timeout=4))
            self.addCleanup(self.account.close)
            result = self.account.once("--debug", timeout=90, plain=True)
            self.assertIn(result.status, (0, 1, NO_CONNECTION), result)
            self.assertLess(result.rss_kib, LIMIT)
            with self.servers[0].connect(self.user, "tunnel") as client:
                client.select("INBOX")
            return result, server
