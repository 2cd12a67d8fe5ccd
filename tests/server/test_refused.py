# SPDX-License-Identifier: GPL-3.0-or-later
"""R7: what one side refuses is held, told, and tried again when that makes sense; it blocks nothing."""

import re

from harness.seed import simple
from harness.stores import Server, StoreCase
from harness.tamper import CUT, Tamper


class Refused(StoreCase):
    """The remote server is a real one; a proxy refuses in its name."""

    links = ("tunnel", "imap")

    @classmethod
    def make_servers(cls):
        return [Server(format) for format in cls.formats]

    def setUp(self):
        super().setUp()
        self.tamper = Tamper(self.servers[1].port).start()
        self.addCleanup(self.tamper.close)
        self.account.remote["port"] = self.tamper.port
        self.account.write()
        self.appends = 0

    def refuse(self, answer, mark=b"Subject: bad", what=b"APPEND"):
        def command(data):
            if not re.match(rb"\S+ (UID )?" + what + rb"\b", data, re.I):
                return None
            self.appends += 1
            return answer if mark in data else None

        self.tamper.command = command

    def fill_some(self, *bad):
        self.fill(0, "INBOX", *(simple(f"m{i:02}") for i in range(20)), *bad, *(simple(f"n{i:02}") for i in range(20)))
        self.fill(0, "Box", simple("b"))

    def holds(self):
        return self.edit_database("SELECT uid, retry_at FROM hold")

    def subjects(self, side):
        return sorted(self.records(self.snapshots()[side]))

    def check_held(self, *words):
        """Everything else passed, and each run says what is held, with exit 1 and without trying."""
        first = self.sync(status=1)
        self.assertSays(first, "INBOX", "local UID 21", *words)
        self.assertEqual(len(self.subjects(1)), 40)
        self.assertIdentical(["Box"])
        tries, writes = self.appends, self.account.database_state()
        again = self.sync(status=1)
        self.assertEqual([line for line in again.messages() if "local UID 21" in line and "still held" in line],
                         [self.assertSays(again, "INBOX", "local UID 21", "still held", *words)])  # fmt: skip
        self.assertEqual(self.appends, tries, "it was tried again at once")
        self.assertEqual(self.account.database_state(), writes)
        self.assertEqual(len(self.edit_database("SELECT * FROM conflict")), 1)

    def test_one_in_a_batch(self):
        "of a MULTIAPPEND with one message that is too big all others pass; that one is held, and a repair tries it again"
        self.fill_some(simple("bad"))
        self.refuse(b"NO [TOOBIG] Not that one")
        self.check_held("Not that one")
        self.account.run("--repair", plain=True)
        self.assertEqual(len(self.subjects(1)), 40)
        self.refuse(None, b"nothing")
        self.assertEqual(self.account.run("--repair", plain=True).status, 0)
        self.assertIdentical()
        self.assertNoop()
        self.assertEqual(self.edit_database("SELECT * FROM hold"), [])
        self.assertEqual(self.edit_database("SELECT * FROM conflict"), [])

    def test_resolved(self):
        "--resolve=ID:retry tries it again at once"
        self.fill_some(simple("bad"))
        self.refuse(b"NO [LIMIT] No")
        line = self.assertSays(self.sync(status=1), "local UID 21", ":retry")
        number = re.search(r"--resolve=(\d+):retry", line).group(1)
        self.refuse(None, b"nothing")
        result = self.account.run(f"--resolve={number}:retry", plain=True)
        self.assertEqual(result.status, 0, result)
        self.assertIdentical()
        self.assertNoop()

    def test_several_at_once(self):
        "a server that answers BAD to some: each of them is held, the others pass"
        self.fill_some(simple("bad 1"), simple("bad 2"), simple("bad 3"))
        self.refuse(b"BAD What is this")
        self.sync(status=1)
        self.assertEqual(len(self.subjects(1)), 40)
        self.assertEqual(sorted(uid for uid, _ in self.holds()), [21, 22, 23])

    def test_quota(self):
        "over quota: held with a time to try again; flags and expunges go on; when there is room, it passes"
        self.fill_some(simple("bad"))
        self.refuse(b"NO [OVERQUOTA] Quota exceeded")
        self.check_held("Quota exceeded")
        ((uid, retry_at),) = self.holds()
        self.assertEqual(uid, 21)
        self.assertGreater(retry_at, 0)
        local = self.select(0)
        local.store([1], "+", "\\Flagged")
        local.expunge([2])
        self.sync(status=1)
        records = self.records(self.snapshots()[1])
        self.assertEqual(records["m00"][0].flags, {"\\flagged"})
        self.assertNotIn("m01", records)
        self.refuse(None, b"nothing")
        self.edit_database("UPDATE hold SET retry_at = 1")
        self.sync()
        self.assertIdentical()
        self.assertNoop()

    def test_gone_from_its_origin(self):
        "a held message that its owner expunges is held no longer"
        self.fill_some(simple("bad"))
        self.refuse(b"NO [TOOBIG] No")
        self.sync(status=1)
        self.select(0).expunge([21])
        self.sync()
        self.assertEqual(self.holds(), [])
        self.assertEqual(self.edit_database("SELECT * FROM conflict"), [])
        self.assertIdentical()

    def test_empty_and_missing_text(self):
        "NIL for a body, and an empty one: held with the reason, the others pass"
        self.fill_some()
        self.fill(1, "INBOX", simple("nil"), simple("empty"), simple("good"))

        def reply(data):
            if re.match(rb"\* \d+ FETCH .*BODY\[\] \{", data):
                if b"Subject: nil" in data:
                    return re.sub(rb"BODY\[\] \{\d+\}\r\n.*\)\r\n\Z", b"BODY[] NIL)\r\n", data, flags=re.S)
                if b"Subject: empty" in data:
                    return re.sub(rb"BODY\[\] \{\d+\}\r\n.*\)\r\n\Z", b'BODY[] "")\r\n', data, flags=re.S)
            return data

        self.tamper.reply = reply
        result = self.sync(status=1)
        self.assertSays(result, "remote UID 1", "still held")
        self.assertSays(result, "remote UID 2", "still held")
        self.assertIn("good", self.subjects(0))
        self.assertEqual(len(self.subjects(0)), 41)

    def test_size_unlike_the_literal(self):
        "an RFC822.SIZE that is not the literal's length: the literal counts"
        self.tamper.reply = lambda data: re.sub(rb"RFC822\.SIZE \d+", b"RFC822.SIZE 7", data)
        self.fill(1, "INBOX", *(simple(f"r{i}", body="x" * 999) for i in range(5)))
        self.fill_some()
        self.sync()
        self.assertIdentical()
        self.tamper.reply = lambda data: re.sub(rb"RFC822\.SIZE \d+", b"RFC822.SIZE 4294967295", data)
        self.fill(1, "INBOX", *(simple(f"s{i}", body="x" * 999) for i in range(5)))
        self.sync()
        self.assertIdentical()

    def test_keyword(self):
        "a keyword that a server cannot store is dropped for that server alone, told once, and stays at its origin"
        self.fill_some(simple("with it", flags=("\\Seen", "strange")))
        self.fill(1, "INBOX", simple("remote"))

        def command(data):
            return b"NO [CANNOT] Invalid keyword" if b"strange" in data else None

        self.tamper.command = command
        result = self.sync()
        self.assertSays(result, "strange", "remote")
        local, remote = (self.records(s) for s in self.snapshots())
        self.assertEqual(local["with it"][0].flags, {"\\seen", "strange"})
        self.assertEqual(remote["with it"][0].flags, {"\\seen"})
        again = self.sync("--debug")
        self.assertEqual(again.changes(), [])
        self.assertFalse([line for line in again.messages() if "strange" in line])
        self.select(0).store([1], "+", "strange", "\\Flagged")
        self.select(1).store([21], "+", "\\Answered")
        self.sync()
        local, remote = (self.records(s) for s in self.snapshots())
        self.assertEqual(local["m00"][0].flags, {"\\flagged", "strange"})
        self.assertEqual(remote["m00"][0].flags, {"\\flagged"})

    def test_keyword_dropped_in_silence(self):
        "a keyword that a server takes with OK and does not keep was not cleared by anybody: it stays at its origin"
        self.fill_some(simple("with it", flags=("\\Seen", "strange")))
        self.tamper.reply = lambda data: data.replace(b" strange", b"").replace(b"strange", b"")
        self.assertSays(self.sync(), "strange", "remote", "does not keep")
        self.select(0).store([1], "+", "strange")
        self.select(1).store([21], "+", "\\Answered")
        self.assertFalse([line for line in self.sync().messages() if "strange" in line])
        self.select(1).store([1], "+", "\\Flagged")
        self.sync()
        local = self.records(self.snapshots()[0])
        self.assertEqual(local["with it"][0].flags, {"\\seen", "\\answered", "strange"})
        self.assertEqual(local["m00"][0].flags, {"\\flagged", "strange"})
        self.assertNoop()

    def test_connection_ends_with_one_message(self):
        "a message with which the connection ends each time is held after the third, and the others pass"
        self.fill_some(simple("bad"))
        self.refuse(CUT)
        for _ in range(3):
            self.assertEqual(self.account.once(plain=True).status, 3)
        result = self.sync(status=1)
        self.assertSays(result, "local UID 21", "still held")
        self.assertEqual(len(self.subjects(1)), 40)
        self.assertEqual([uid for uid, _ in self.holds()], [21])

    def test_gone_before_it_was_tried_again(self):
        "a message that waits for another attempt and is expunged by its owner is held no longer, whatever else there is to do"
        self.fill_some(simple("bad"))
        self.refuse(CUT)
        self.assertEqual(self.account.once(plain=True).status, 3)
        self.assertIn(21, [uid for uid, _ in self.holds()])
        self.refuse(None, b"nothing")
        self.select(0).expunge([21])
        self.fill(0, "INBOX", simple("good"))
        self.sync()
        self.assertEqual(self.holds(), [])
        self.assertIdentical()
        self.assertNoop()
