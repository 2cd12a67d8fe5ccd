# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that lies, floods or injects: the error is clear, memory stays small, the other server sees
nothing of it, and nothing is expunged because of it. Each test looks at the bytes that were received."""

import re

from harness.case import ServerCase
from harness.imapsync import CHANGING, Account
from harness.proxy import _Commands
from harness.scripted import CAPABILITIES, CLOSE, Scripted
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

    def facing(self, server):
        """The account with @server as its remote side; what the local one hears goes into a file.

        (cat: so that the server does not make the socket of tee non-blocking.)"""
        local = self.account.local
        self.account = Account({}, server.settings(timeout=4))
        self.addCleanup(self.account.close)
        self.heard_file = self.account.dir / "heard"
        self.account.local.update(local, command=f"tee -a {self.heard_file} | {self.plain_command(local)} | cat")
        self.account.write()

    @staticmethod
    def plain_command(local):
        """Without the tee of a facing() before."""
        return re.sub(r"^tee -a \S+ \| (.*) \| cat$", r"\1", local["command"])

    def heard(self):
        """The lines that the local server received, literals left out."""
        cut = _Commands()
        if self.heard_file.exists():
            cut.feed(self.heard_file.read_bytes())
        return cut.lines

    def changes_heard(self):
        return [line for line in self.heard() if CHANGING & set(line.upper().split()[1:3])]

    def against(self, rules, status=(NO_CONNECTION,), words=(), **options):
        before = self.fingerprints()[:1]
        with Scripted(rules, **options) as server:
            self.facing(server)
            result = self.account.once("--debug", timeout=90, plain=True)
            self.assertIn(result.status, status, result)
            self.assertLess(result.rss_kib, LIMIT, "memory has to stay below 64 MiB")
            self.assertEqual(before, self.fingerprints()[:1], "the other server was changed")
            for word in words:
                self.assertSays(result, word)
            for word in ("CRITICAL", "(null)", "assertion"):
                self.assertNotIn(word, result.err)
            self.assertEqual([c for c in result.changes() if "local C:" in c], [])
            self.assertEqual(self.changes_heard(), [], "the other server was asked to change something")
            self.assertEqual([c for c in server.commands if "EXPUNGE" in c.upper() or "STORE" in c.upper()], [])
            self.assertEqual(len(server.logins()), 1, f"{server.commands}\n{result}")
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
            self.facing(server)
            result = self.account.once("--debug", timeout=90, plain=True)
            self.assertIn(result.status, (0, 1, NO_CONNECTION), result)
            self.assertLess(result.rss_kib, LIMIT)
            with self.servers[0].connect(self.user, "tunnel") as client:
                client.select("INBOX")
            return result, server

    # Codes, and data, where they do not belong

    def test_codes_for_other_commands(self):
        "a code on the answer to another command makes no pair, advances nothing and expunges nothing"
        codes = ("APPENDUID 1000 1", "COPYUID 1000 1 1", "MODIFIED 1:4294967295", "UIDVALIDITY 7", "UIDNEXT 4294967295",
                 "HIGHESTMODSEQ 9223372036854775807", "CLOSED", "NOMODSEQ", "EXPUNGEISSUED", "CAPABILITY IMAP4rev1")  # fmt: skip
        for code in codes:
            with self.subTest(code):
                listed = mailbox().replace("{tag} OK", f"* OK [{code}] by itself\n{{tag}} OK [{code}]")
                select = _NUMBERS % (0, 1) + f"{{tag}} OK [{code}] selected"
                self.against([("LIST", listed), ("SELECT|EXAMINE", select), ("ENABLE", [
                    f"* ENABLED QRESYNC\n{{tag}} OK [{code}] enabled"]), ("APPEND", "{tag} NO not here")], (0, 1, 3))  # fmt: skip

    def test_an_append_answered_with_another_code(self):
        "what APPEND is answered with has to be one UID of this mailbox: else the next run deletes nothing"
        for code in ("COPYUID 1000 1 1", "APPENDUID 7 1", "APPENDUID 1000 1:4294967295", "APPENDUID 1000 1,2",
                     "MODIFIED 1", "TRYCREATE", "UIDNEXT 2"):  # fmt: skip
            with self.subTest(code):
                selected = _NUMBERS % (0, 1) + "{tag} OK [READ-WRITE] selected"
                rules = [("LIST", mailbox()), ("SELECT|EXAMINE", selected), ("APPEND", f"{{tag}} OK [{code}] done")]
                before = self.fingerprints()[:1]
                with Scripted(rules) as server:
                    self.facing(server)
                    for _ in range(2):
                        result = self.account.once("--debug", timeout=90, plain=True)
                        self.assertIn(result.status, (0, 1, NO_CONNECTION), result)
                        self.assertLess(result.rss_kib, LIMIT)
                    self.assertEqual([c for c in server.commands if re.match("UID (STORE|EXPUNGE|MOVE|COPY)", c)], [])
                self.assertEqual(self.changes_heard(), [])
                self.assertEqual(before, self.fingerprints()[:1])

    def test_data_at_the_wrong_time(self):
        "mail, expunges and mailboxes before the login, within it and behind the last answer mean nothing"
        data = (
            "* 1 EXISTS\n* VANISHED 1:4294967295\n* VANISHED (EARLIER) 1:5\n* 1 EXPUNGE\n"
            "* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (99))\n* LIST () \"/\" ZZINJECT\n"
            "* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1 HIGHESTMODSEQ 1)\n"
            "* 2 FETCH (UID 2 BODY[] {2}\nhi)\n"
        )
        quiet = [("APPEND", "{tag} NO not here")]
        for rule in (("AUTHENTICATE", data + "{tag} OK [CAPABILITY %s] in" % CAPABILITIES),
                     ("ENABLE", data + "* ENABLED QRESYNC\n{tag} OK done"),
                     ("NAMESPACE", data + "{tag} OK done"),
                     ("LOGOUT", [data + "* BYE\n{tag} OK done\n" + data, CLOSE])):  # fmt: skip
            with self.subTest(rule[0]):
                self.against([rule, *quiet], (0, 1, 3))
                self.assertNotIn("ZZINJECT", "\n".join(self.heard()))
        greeting = "* OK [CAPABILITY %s] ready\n" % CAPABILITIES + data.rstrip("\n")
        self.against(quiet, (0, 1, 3), greeting=greeting)

    # A message that would be copied to the other server

    def offers(self, fetched, body=b"Subject: offered\r\n\r\nbody\r\n", cut=0):
        """The remote side has one message, whose FETCH says @fetched besides; -> (result, lines heard)."""
        numbers = (_NUMBERS % (1, 2)).replace("\n", "\r\n").encode()
        head = b"* 1 FETCH (UID 1 MODSEQ (5) RFC822.SIZE %d " % len(body) + fetched

        def fetch(connection, tag, line):
            if "BODY" not in line.upper():
                return head + b")\r\n{tag} OK done\r\n"
            if "HEADER" in line.upper():
                name = re.search(r"HEADER(?:\.FIELDS \([^)]*\))?", line)[0].encode()
                header = b"Subject: offered\r\nMessage-ID: <offered@example>\r\n\r\n"
                return head + b" BODY[%s] {%d}\r\n%s)\r\n{tag} OK done\r\n" % (name, len(header), header)
            announced = len(body) + cut
            part = head + b" BODY[] {%d}\r\n" % announced + body
            if cut:
                return [part + b"* BYE in the middle\r\n", CLOSE]
            return part + b")\r\n{tag} OK done\r\n"

        def select(connection, tag, line):
            again = [c for c in connection.commands[:-1] if " SELECT " in c]
            closed = b"* OK [CLOSED] the one before\r\n" if again else b""
            return closed + numbers + head + b")\r\n{tag} OK [READ-WRITE] selected\r\n"

        rules = [("LIST", mailbox(1, 2)), ("SELECT|EXAMINE", select),
                 ("UID FETCH|FETCH", fetch), ("APPEND", "{tag} NO not here"),
                 ("UID SEARCH", '* ESEARCH (TAG "{tag}") UID ALL 1\n{tag} OK done')]  # fmt: skip
        with Scripted(rules) as server:
            self.facing(server)
            result = self.account.once("--debug", timeout=90, plain=True)
            self.assertIn(result.status, (0, 1, NO_CONNECTION), result)
            self.assertLess(result.rss_kib, LIMIT, "memory has to stay below 64 MiB")
            for word in ("CRITICAL", "(null)", "assertion"):
                self.assertNotIn(word, result.err)
            return result, self.heard()

    DATE = b'INTERNALDATE " 7-Jul-2026 02:44:25 +0000"'

    def test_the_offer_itself(self):
        "the message that the next tests tamper with reaches the other server"
        result, heard = self.offers(b"FLAGS (\\Seen) " + self.DATE)
        self.assertTrue([line for line in heard if " APPEND " in line], f"{heard}\n{result}")

    def test_no_flag_can_inject(self):
        "a flag with quotes, parentheses, line breaks or 8-bit bytes does not leave its list"
        for flags in (b'(x) "7-Jul-2026" {3} ZZINJECT', b'"x) ZZINJECT INBOX"', b"{24}\r\nx)\r\na1 DELETE ZZINJECT\r\n",
                      b"(\\Seen ZZ\rINJECT)", b"(\\Seen \xff\xfeZZINJECT)", b"(\\Seen ZZINJECT{9})", b"(\\*)",
                      b"(\\Seen\0ZZINJECT)", b"(\\ \\\\ZZINJECT)"):  # fmt: skip
            with self.subTest(flags):
                _, heard = self.offers(b"FLAGS " + flags + b" " + self.DATE)
                self.assertNotIn("ZZINJECT", "\n".join(heard))
                self.assertEqual([line for line in heard if re.search(r"\b(DELETE|RENAME|EXPUNGE|STORE)\b", line)], [])

    def test_no_date_can_inject(self):
        "a date is a number in between: what is none does not reach the other server"
        for date in (b'" 7-Jul-2026 02:44:25 +0000\\" ZZINJECT"', b'"ZZINJECT"', b"{10}\r\n\r\nZZINJECT",
                     b'"99-Zzz-9999 99:99:99 +9999"', b"NIL", b'" 7-Jul-2026 02:44:25 +0000 {5}"'):  # fmt: skip
            with self.subTest(date):
                _, heard = self.offers(b"FLAGS () INTERNALDATE " + date)
                self.assertNotIn("ZZINJECT", "\n".join(heard))
                for line in heard:
                    if " APPEND " in line:
                        self.assertRegex(line, r'APPEND INBOX \([^()"]*\) "[ \d]\d-[A-Z][a-z]{2}-\d{4} [\d:]{8} \+0000" ~?\{')

    def test_a_message_that_is_cut(self):
        "BYE in the middle of a message: the other server stores nothing of it"
        before = self.fingerprints()[:1]
        for missing in (1000, 4294967295 - 100):
            result, _ = self.offers(b"FLAGS () " + self.DATE, cut=missing)
            self.assertNotEqual(result.status, 0)
            self.assertEqual(before, self.fingerprints()[:1], "a part of the message was stored")
