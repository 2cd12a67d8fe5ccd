# SPDX-License-Identifier: GPL-3.0-or-later
"""R6: servers that lose their memory, or never had one. Nothing is deleted because of it."""

import re

from harness.seed import simple
from harness.stores import Server, StoreCase
from harness.tamper import Tamper


class Memory(StoreCase):
    def populate(self, n=40):
        self.fill(0, "INBOX", *(simple(f"m{i:02}") for i in range(n)))
        self.fill(0, "Box", *(simple(f"b{i}") for i in range(3)))
        self.sync()
        return {f"m{i:02}": 1 for i in range(n)}

    def check(self, expected, **options):
        result = self.sync(**options)
        records = self.records(self.assertIdentical())
        self.assertEqual({s: len(r) for s, r in records.items()}, expected, result)
        self.assertNoop()
        return result, records

    def test_index_lost(self):
        "index files lost: HIGHESTMODSEQ falls, all MODSEQs are new; changes of both sides are found all the same"
        expected = self.populate()
        for _ in range(5):  # so that the number really falls
            self.select(1).store([1], "+", "\\Flagged")
            self.select(1).store([1], "-", "\\Flagged")
        self.sync()
        with self.servers[1].connect(self.user) as remote:
            remote.select("INBOX")
            remote.store([3], "+", "\\Seen")
            remote.expunge([5])
        self.servers[1].lose_index(self.user)
        with self.servers[0].connect(self.user) as local:
            local.select("INBOX")
            local.store([4], "+", "\\Answered")
            local.expunge([6])
        del expected["m04"], expected["m05"]
        _, records = self.check(expected)
        self.assertEqual(records["m02"][0].flags, {"\\seen"})
        self.assertEqual(records["m03"][0].flags, {"\\answered"})

    def test_backup_put_back(self):
        "a server is put back to last week's backup: nothing on the healthy side is deleted, all of it comes back"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                expected = self.populate()
                server = self.servers[side]
                server.clone(self.user, f"{self.user}-backup")
                with self.servers[1 - side].connect(self.user) as client:
                    client.append("INBOX", *(simple(f"late {i}") for i in range(30)))
                    client.select("INBOX")
                    client.expunge([1])
                    client.store([2], "+", "\\Flagged")
                self.sync()
                server.clone(f"{self.user}-backup", self.user)
                with server.connect(self.user) as client:
                    client.append("INBOX", simple("after the backup"))
                late = {f"late {i}": 1 for i in range(30)}
                result, records = self.check({**expected, **late, "after the backup": 1})
                # The message that was expunged since then is back with the backup: it is there, and no one can know.
                self.assertNotIn("expunged on", result.err)

    def test_backup_then_renewed(self):
        "the same, but new mail has carried UIDNEXT past the saved one before we look: UIDs mean other messages"
        expected = self.populate()
        server = self.servers[1]
        server.clone(self.user, f"{self.user}-backup")
        self.fill(0, "INBOX", *(simple(f"late {i}") for i in range(3)))
        self.sync()
        server.clone(f"{self.user}-backup", self.user)
        with server.connect(self.user) as client:
            client.append("INBOX", *(simple(f"other {i}") for i in range(8)))
        result = self.sync()  # all numbers may go on as if nothing had been: only --repair can know
        self.assertNotIn("expunged on", result.err)
        self.assertEqual(self.account.run("--repair", plain=True).status, 0)
        records = self.records(self.assertIdentical())
        wanted = {**expected, **{f"late {i}": 1 for i in range(3)}, **{f"other {i}": 1 for i in range(8)}}
        self.assertEqual({s: len(r) for s, r in records.items()}, wanted, result)

    def test_backup_then_renewed_where_mail_arrives(self):
        "the same with mail that came in at that server: the next run sees that UIDs mean other messages, loses and doubles nothing"
        for more in (3, 8):  # UIDNEXT as it was, and beyond
            with self.subTest(more=more):
                self.new_user()
                expected = self.populate()
                server = self.servers[1]
                server.clone(self.user, f"{self.user}-backup")
                self.fill(1, "INBOX", *(simple(f"late {i}") for i in range(3)))
                self.sync()
                server.clone(f"{self.user}-backup", self.user)
                self.fill(1, "INBOX", *(simple(f"other {i}") for i in range(more)))
                with server.connect(self.user) as client:
                    client.select("INBOX")
                    client.store([client.uids()[-1]], "+", "\\Flagged")
                new = {f"late {i}": 1 for i in range(3)} | {f"other {i}": 1 for i in range(more)}
                result, _ = self.check({**expected, **new})
                self.assertNotIn("expunged on", result.err)

    def test_mailbox_renamed_away_and_made_anew(self):
        "a mailbox renamed away and an empty one of its name: the messages stay"
        self.populate()
        with self.servers[1].connect(self.user) as remote:
            remote.rename("Box", "Elsewhere")
            remote.subscribe("Elsewhere")
            remote.create("Box")
        self.sync()
        snapshot = self.assertIdentical()
        found = sum((list(self.records(snapshot, name)) for name in ("Box", "Elsewhere")), [])
        self.assertEqual(sorted(set(found)), ["b0", "b1", "b2"])

    def test_emptied(self):
        "a mailbox that was really emptied is emptied on the other side, without a question"
        self.populate()
        self.select(1).expunge(range(1, 41))
        self.check({})

    def test_emptied_while_the_index_was_lost(self):
        "a mailbox that is empty after an index was lost: that is no proof, and it is asked"
        self.populate()
        self.select(1).expunge(range(1, 41))
        self.servers[1].lose_index(self.user)
        result = self.sync(status=1)
        self.assertSays(result, "INBOX", "40 messages are gone")
        self.assertEqual([s.total() for s in self.snapshots(["INBOX"])], [40, 0])


class Quirks(StoreCase):
    """A real server behind a proxy that changes its words."""

    links = ("tunnel", "imap")
    cost = 4

    @classmethod
    def make_servers(cls):
        return [Server(format) for format in cls.formats]

    def setUp(self):
        super().setUp()
        self.tamper = Tamper(self.servers[1].port).start()
        self.addCleanup(self.tamper.close)
        self.account.remote["port"] = self.tamper.port
        self.account.write()

    def populate(self, n=20):
        self.fill(0, "INBOX", *(simple(f"m{i:02}") for i in range(n)))
        self.fill(0, "Box", simple("b"))
        return {f"m{i:02}": 1 for i in range(n)}

    def check(self, expected, noop=True, **options):
        result = self.sync(timeout=30, **options)
        records = self.records(self.assertIdentical())
        self.assertEqual({s: len(r) for s, r in records.items()}, expected, result)
        if noop:
            again = self.sync("--debug", timeout=30, **options)
            self.assertEqual(again.changes(), [], again)
        return result, records

    def change(self, expected):
        """Flags, expunges and new mail on both sides."""
        local, remote = self.select(0), self.select(1)
        local.store([2], "+", "\\Flagged")
        remote.store([3], "+", "\\Seen", "work")
        local.expunge([4])
        remote.expunge([5])
        local.append("INBOX", simple("new local"))
        remote.append("INBOX", simple("new remote"))
        changed = {s: n for s, n in expected.items() if s not in ("m03", "m04")}
        return {**changed, "new local": 1, "new remote": 1}

    def test_nomodseq(self):
        "NOMODSEQ: full lists and +FLAGS, everything is mirrored both ways"
        # A server without MODSEQs would say so in every place.
        def reply(data):
            data = re.sub(rb"\* OK \[HIGHESTMODSEQ \d+\]", b"* OK [NOMODSEQ]", data)
            data = re.sub(rb" MODSEQ \(\d+\)", b"", data)
            return re.sub(rb" ?HIGHESTMODSEQ \d+", b"", data) if data.startswith(b"* STATUS") else data

        self.tamper.reply = reply
        expected = self.populate()
        self.check(expected)
        stores = []

        def command(data):
            if b" UID STORE " in data:
                stores.append(data.split(b" ", 1)[1].strip())

        self.tamper.command = command
        expected = self.change(expected)
        self.select(0).store([1], "+", "\\Answered")
        self.select(0).store([7], "+", "\\Seen", "\\Flagged")
        self.sync()
        self.select(0).store([7], "-", "\\Seen")
        _, records = self.check(expected)
        self.assertEqual(records["m01"][0].flags, {"\\flagged"})
        self.assertEqual(records["m02"][0].flags, {"\\seen", "work"})
        self.assertEqual(records["m06"][0].flags, {"\\flagged"})
        self.assertIn(b"UID STORE 7 -FLAGS.SILENT (\\Seen)", stores)
        self.assertEqual([s for s in stores if b" FLAGS" in s or b"UNCHANGEDSINCE" in s], [])

    def test_uidnotsticky(self):
        "UIDNOTSTICKY: that mailbox is refused by name, the others go on"
        self.populate()
        self.fill(1, "Other", simple("o"))
        box = []

        def command(data):
            if b" SELECT " in data:
                box.append(b"Box" in data)

        def reply(data):
            if b"[UIDVALIDITY" in data and box and box[0]:
                data += b"* OK [UIDNOTSTICKY] not for long\r\n"
            if b"[READ-WRITE]" in data:
                box.pop(0)
            return data

        self.tamper.command, self.tamper.reply = command, reply
        result = self.sync(status=1)
        self.assertSays(result, "Box", "UIDNOTSTICKY")
        self.assertIdentical(["INBOX", "Other"])

    def test_without_uidnext(self):
        "a SELECT without UIDNEXT: that mailbox is refused, nothing is deleted"
        self.populate()
        self.sync()
        self.tamper.reply = lambda data: b"" if b"[UIDNEXT" in data else data
        self.select(0).store([1], "+", "\\Seen")
        result = self.sync(status=1)
        self.assertSays(result, "INBOX", "UIDNEXT")
        self.assertEqual([s.total() for s in self.snapshots(["INBOX"])], [20, 20])

    def test_without_appenduid(self):
        "APPEND without APPENDUID: identity finds the copies, each is copied once"
        self.tamper.reply = lambda data: re.sub(rb"\[APPENDUID [^]]*\] ", b"", data)
        expected = self.populate()
        self.check(expected)

    def test_wrong_appenduid(self):
        "an APPENDUID of another UIDVALIDITY, or of too few UIDs, is not believed"
        for wrong in (rb"[APPENDUID 77 \2]", rb"[APPENDUID \1 1]"):
            with self.subTest(wrong=wrong):
                self.new_user()
                self.account.remote["port"] = self.tamper.port
                self.account.write()
                self.tamper.reply = lambda data: re.sub(rb"\[APPENDUID (\d+) ([^]]*)\]", wrong, data)
                expected = self.populate()
                self.check(expected)

    def test_fetch_omits_messages(self):
        "a FETCH that leaves messages out proves nothing: they are asked for again, and nothing is deleted"
        expected = self.populate()
        self.check(expected)
        self.tamper.reply = lambda data: b"" if re.match(rb"\* \d+ FETCH .*\bUID (2[1-9]|7)\b", data) else data
        self.fill(1, "INBOX", *(simple(f"late {i}") for i in range(4)))
        self.account.run("--repair", plain=True, timeout=30)
        self.assertEqual(self.snapshots(["INBOX"])[1].total(), 24)
        self.assertGreaterEqual(self.snapshots(["INBOX"])[0].total(), 20)
        self.tamper.reply = lambda data: data
        self.check({**expected, **{f"late {i}": 1 for i in range(4)}})

    def test_exists_unlike_the_count(self):
        "an EXISTS that does not match our count: everything is compared, nothing is deleted"
        expected = self.populate()
        self.check(expected)
        self.tamper.reply = lambda data: b"* 3 EXISTS\r\n" if re.match(rb"\* \d+ EXISTS", data) else data
        self.select(0).store([1], "+", "\\Seen")
        self.account.once(plain=True, timeout=30)
        self.assertEqual([s.total() for s in self.snapshots(["INBOX"])], [20, 20])
        self.tamper.reply = lambda data: data
        _, records = self.check(expected)
        self.assertEqual(records["m00"][0].flags, {"\\seen"})

    def test_absurd_highestmodseq(self):
        "a HIGHESTMODSEQ out of this world: one sentence or a full list, nothing is deleted; it heals"
        expected = self.populate()
        self.check(expected)
        for absurd in (b"18446744073709551615", b"9223372036854775807", b"99999999999999999999999", b"0"):
            with self.subTest(absurd=absurd):
                self.tamper.reply = lambda data: re.sub(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ " + absurd, data)
                result = self.account.once(plain=True, timeout=30)
                self.assertIn(result.status, (0, 1, 3), result)
                self.assertEqual([s.total() for s in self.snapshots(["INBOX"])], [20, 20])
                self.tamper.reply = lambda data: data
                self.select(0).store([1], "+", "\\Flagged")
                self.select(1).store([2], "+", "\\Flagged")
                _, records = self.check(expected, noop=False)
                self.assertEqual({records[s][0].flags for s in ("m00", "m01")}, {frozenset({"\\flagged"})})
                self.select(0).store([1, 2], "-", "\\Flagged")
                self.check(expected)
