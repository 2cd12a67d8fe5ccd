# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves travel as moves, and copies as copies: the other server makes them itself, and no text of a
message is sent."""

from harness.case import ServerCase
from harness.proxy import Proxy
from harness.seed import simple
from harness.stores import StoreCase

COUNT, SIZE = 1000, 4096


FILTER = """
import os, sys
for line in sys.stdin.buffer:
    words = line.split(b" ")
    refused = open(sys.argv[1]).read().split()
    if any(word.decode() in refused for word in words[1:3]):
        line = b" ".join([words[0], b"REFUSED", *words[1:]])
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""


def sends(result):
    """The commands that carry a message's text."""
    return [line for line in result.traffic() if " APPEND " in line or "BODY.PEEK[]" in line]


class MovesBase(StoreCase):
    def assertNothingSent(self, result):
        self.assertTrue(result.traffic(), result)
        self.assertEqual(sends(result), [], "expected no command that carries a message's text")

    def assertContents(self, **expected):
        """mailbox=[subjects] on both sides, which are identical."""
        snapshot = self.assertIdentical()
        found = {name: sorted(self.records(snapshot, name)) for name in expected}
        self.assertEqual(found, {name: sorted(subjects) for name, subjects in expected.items()})
        for name in expected:
            for subject, records in self.records(snapshot, name).items():
                self.assertEqual(len(records), 1, f"{subject!r} is there {len(records)} times in {name}")
        return snapshot

    def start(self, origin, count=4, **kwargs):
        """@count messages in INBOX and an empty Box, on both sides; they came from @origin."""
        self.fill(origin, "INBOX", *(simple(f"m{i}", **kwargs) for i in range(count)))
        with self.servers[origin].connect(self.user) as client:
            client.create("Box")
        self.sync()


class Moves(MovesBase):
    def test_moved(self):
        "a move on either side, of messages that came from either side, is a COPY and an expunge on the other"
        for origin in (0, 1):
            for side in (0, 1):
                with self.subTest(origin=origin, side=side):
                    self.new_user()
                    self.start(origin)
                    self.select(side).move([1, 3], "Box")
                    self.assertNothingSent(self.sync("--debug"))
                    self.assertContents(INBOX=["m1", "m3"], Box=["m0", "m2"])
                    self.assertNoop()

    def test_flags_go_along(self):
        "flags changed on the other side meanwhile reach the moved message, and those changed here too; no conflict is told"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                self.start(0, flags=("\\Seen",))
                self.select(1 - side).store([1], "+", "\\Flagged")
                self.select(1 - side).store([2], "-", "\\Seen")
                self.select(side).move([1, 2, 3], "Box")
                self.select(side, "Box").store([3], "+", "\\Answered")
                result = self.sync("--debug")
                self.assertNothingSent(result)
                self.assertNotIn("was deleted on", result.err)
                records = self.records(self.assertContents(INBOX=["m3"], Box=["m0", "m1", "m2"]), "Box")
                flags = {subject: set(found[0].flags) for subject, found in records.items()}
                self.assertEqual(flags, {"m0": {"\\seen", "\\flagged"}, "m1": set(), "m2": {"\\seen", "\\answered"}})
                self.assertNoop()

    def test_new_mailbox(self):
        "a move into a mailbox that the other side does not have yet"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                self.start(1)
                client = self.select(side)
                client.create("New/Child")
                client.move([1, 2], "New/Child")
                self.assertNothingSent(self.sync("--debug"))
                self.assertContents(**{"INBOX": ["m2", "m3"], "New/Child": ["m0", "m1"]})
                self.assertNoop()

    def test_both_ways(self):
        "moves from one mailbox to another and back, on both sides at once"
        self.start(0)
        self.fill(0, "Box", *(simple(f"b{i}") for i in range(4)))
        self.sync()
        self.select(0).move([1], "Box")
        self.select(1).move([2], "Box")
        self.select(0, "Box").move([1], "INBOX")
        self.select(1, "Box").move([2], "INBOX")
        self.assertNothingSent(self.sync("--debug"))
        self.assertContents(INBOX=["b0", "b1", "m2", "m3"], Box=["b2", "b3", "m0", "m1"])
        self.assertNoop()

    def test_within_a_mailbox(self):
        "a message that went and came back has another UID, and that is all"
        self.start(0)
        self.select(0).move([2], "Box")
        self.select(0, "Box").move([1], "INBOX")
        self.assertNothingSent(self.sync("--debug"))
        self.assertContents(INBOX=["m0", "m1", "m2", "m3"], Box=[])
        self.assertNoop()

    def test_the_same_move_on_both_sides(self):
        "what was moved on both sides to the same place is there once"
        self.start(0)
        for side in (0, 1):
            self.select(side).move([1, 2], "Box")
        self.assertEqual([line for line in sends(self.sync("--debug")) if " APPEND " in line], [])
        self.assertContents(INBOX=["m2", "m3"], Box=["m0", "m1"])
        self.assertNoop()

    def test_moved_and_expunged(self):
        "a message that was moved here and expunged there is kept where it went"
        self.start(0)
        self.select(0).move([1], "Box")
        self.select(1).expunge([1])
        self.sync()
        self.assertContents(INBOX=["m1", "m2", "m3"], Box=["m0"])
        self.assertNoop()

    def test_one_of_two_that_are_the_same(self):
        "of two messages that nobody can tell apart one is moved: one is here and one is there"
        for origin in (0, 1):
            for side in (0, 1):
                with self.subTest(origin=origin, side=side):
                    self.new_user()
                    self.fill(origin, "INBOX", simple("twin"), simple("other"), simple("twin"))
                    with self.servers[origin].connect(self.user) as client:
                        client.create("Box")
                    self.sync()
                    self.select(side).move([3], "Box")
                    self.assertNothingSent(self.sync("--debug"))
                    snapshot = self.assertContents(INBOX=["twin", "other"], Box=["twin"])
                    self.assertEqual(len(self.records(snapshot)["twin"]), 1)
                    self.assertNoop()

    def test_two_that_are_the_same(self):
        "both of two messages that nobody can tell apart are moved, from and to different places"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                self.start(0, count=1)
                self.fill(0, "Box", simple("m0"))
                with self.servers[0].connect(self.user) as client:
                    client.create("Third")
                self.sync()
                self.select(side).move([1], "Third")
                self.select(side, "Box").move([1], "Third")
                self.sync()
                snapshot = self.assertIdentical()
                self.assertEqual({s: len(r) for s, r in self.records(snapshot, "Third").items()}, {"m0": 2})
                self.assertNoop()

    def test_only_the_message_id_is_the_same(self):
        "another message with the Message-ID, the size and not the date of one that is gone is sent"
        self.start(0)
        self.select(1).expunge([1])
        self.fill(1, "Box", simple("m0", date="08-Jul-2020 09:44:25 +0000"))
        self.assertEqual(len([line for line in sends(self.sync("--debug")) if " APPEND " in line]), 1)
        self.assertContents(INBOX=["m1", "m2", "m3"], Box=["m0"])
        self.assertNoop()

    def test_deleted_goes_not_along(self):
        "what was marked \\Deleted there, perhaps by us, and is moved here is sent, and not marked"
        self.start(0)
        self.select(1).store([1], "+", "\\Deleted")
        self.select(0).move([1], "Box")
        self.sync()
        records = self.records(self.assertContents(INBOX=["m1", "m2", "m3"], Box=["m0"]), "Box")
        self.assertEqual(set(records["m0"][0].flags), set())
        self.assertNoop()

    def test_copied(self):
        "a copy of a message that both servers have is made by the other server, in the same run and in a later one"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                self.start(side)
                client = self.select(side)
                client.store([2], "+", "\\Flagged")
                self.sync()
                client.copy([1, 2, 3], "Box")
                self.assertNothingSent(self.sync("--debug"))
                self.assertContents(INBOX=["m0", "m1", "m2", "m3"], Box=["m0", "m1", "m2"])
                self.assertNoop()

    def test_copied_and_moved(self):
        "one message copied to one place and moved to another"
        self.start(0)
        client = self.select(0)
        client.create("Third")
        client.copy([1], "Third")
        client.move([1], "Box")
        self.assertNothingSent(self.sync("--debug"))
        self.assertContents(INBOX=["m1", "m2", "m3"], Box=["m0"], Third=["m0"])
        self.assertNoop()


class RefusedCopies(MovesBase):
    """Between us and each server stands something that can make commands unknown to it."""

    def new_user(self):
        super().new_user()
        self.stand_between()

    def setUp(self):
        super().setUp()
        self.stand_between()

    def stand_between(self):
        (self.account.dir / "filter.py").write_text(FILTER)
        for side, section in enumerate((self.account.local, self.account.remote)):
            self.refuse(side)
            section["command"] = (f"/usr/bin/python3 {self.account.dir}/filter.py {self.account.dir}/refused{side} | "
                                  f"{self.servers[side].tunnel(self.user)} | cat")  # fmt: skip
        self.account.write()

    def refuse(self, side, *commands):
        (self.account.dir / f"refused{side}").write_text(" ".join(commands))

    def test_refused_copy(self):
        "a COPY that the other server refuses loses nothing: the messages are sent, then the old ones go"
        for side in (0, 1):
            with self.subTest(side=side):
                self.new_user()
                self.start(0)
                self.refuse(1 - side, "COPY")
                self.select(side).move([1, 3], "Box")
                self.select(side).copy([2], "Box")
                result = self.sync("--debug")
                self.assertIn("they are sent", result.err)
                self.assertContents(INBOX=["m1", "m3"], Box=["m0", "m1", "m2"])
                self.assertNoop()

    def test_nothing_arrives(self):
        "a mailbox that takes neither a copy nor the message: it is held, and the old one stays"
        self.start(0)
        self.refuse(1, "COPY", "APPEND")
        self.select(0).move([1], "Box")
        self.account.once()
        remote = self.records(self.snapshots()[1])
        self.assertEqual(sorted(remote), ["m0", "m1", "m2", "m3"], "expected the old one where it was")
        self.refuse(1)
        for _ in range(2):
            self.account.once()
            remote = self.records(self.snapshots()[1])
            self.assertEqual(sorted(remote), ["m0", "m1", "m2", "m3"], "expected the old one where it was")
        for number, in self.edit_database("SELECT id FROM conflict"):
            self.account.once(f"--resolve={number}:retry")
        self.account.once()
        self.assertContents(INBOX=["m1", "m2", "m3"], Box=["m0"])
        self.assertNoop()


class ThousandMoves(ServerCase):
    formats, links = ("mdbox", "mdbox"), ("imap", "imap")
    plain = True
    cost = 10

    def test_thousand(self):
        "1,000 messages moved: not one body byte, and the round trips of a few"
        proxies = []
        for side, server in enumerate(self.servers):
            proxy = Proxy(server.port).start()
            self.addCleanup(proxy.close)
            (self.account.local, self.account.remote)[side]["port"] = proxy.port
            proxies.append(proxy)
        self.account.write()
        remote = self.remote
        remote.create("Box")
        remote.append("INBOX", *(simple(f"message {i}", body="x" * SIZE) for i in range(COUNT)))
        self.sync()
        for side, source, target in ((1, "INBOX", "Box"), (0, "Box", "INBOX")):
            client = self.client(side)
            client.select(source)
            client.move(client.uids(), target)
            for proxy in proxies:
                proxy.reset()
            result = self.sync("--debug")
            self.assertEqual(sends(result), [])
            total = sum(proxy.bytes[way] for proxy in proxies for way in ("up", "down"))
            trips = [proxy.round_trips for proxy in proxies]
            print(f"# {COUNT} messages of {SIZE} bytes moved on {('local', 'remote')[side]}: {total} bytes, round trips {trips}")
            self.assertLess(total, COUNT * 1000)
            self.assertIdentical()
        self.assertNoop()
