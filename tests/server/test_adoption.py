# SPDX-License-Identifier: GPL-3.0-or-later
"""R5 and R6: messages without a pair on both sides are matched by identity, once, in one place."""

import random
from dataclasses import replace

from harness import seed
from harness.case import SEED
from harness.imap import Message
from harness.seed import simple
from harness.stores import StoreCase


def raw(subject, body, message_id=None, date="07-Jul-2020 09:44:25 +0000", flags=()):
    lines = [f"From: a@example.org\r\nSubject: {subject}\r\n"]
    lines += [f"Message-ID: {message_id}\r\n"] if message_id else []
    return Message("".join([*lines, "\r\n", body, "\r\n"]).encode(), tuple(flags), date)


class Adoption(StoreCase):
    def subjects(self, snapshot, mailbox="INBOX"):
        return {s: len(records) for s, records in self.records(snapshot, mailbox).items()}

    def assertAdopted(self, expected, copied=(0, 0), mailbox="INBOX"):
        """One run makes both sides hold @expected {subject: count}, with so many copies to local and
        remote; a second does nothing."""
        before = [s.total() for s in self.snapshots()]
        result = self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(self.subjects(snapshot, mailbox), expected)
        after = [s.total() for s in self.snapshots()]
        self.assertEqual([b - a for a, b in zip(before, after)], list(copied), result)
        self.assertNoop()
        return result, snapshot

    def test_two_populated_servers(self):
        "what both sides have is found, not copied; flags become the union, silently, in one line"
        both = [simple(f"both {i}") for i in range(40)]
        self.fill(0, "INBOX", *(replace(m, flags=("\\Seen",)) for m in both), *(simple(f"mine {i}") for i in range(5)))
        self.fill(1, "INBOX", *(replace(m, flags=("\\Flagged", "work")) for m in reversed(both)), simple("theirs"))
        expected = {f"both {i}": 1 for i in range(40)} | {f"mine {i}": 1 for i in range(5)} | {"theirs": 1}
        result, snapshot = self.assertAdopted(expected, (1, 5))
        for record in snapshot.mailboxes[("INBOX",)]:
            if record.subject.startswith("both"):
                self.assertEqual(record.flags, {"\\seen", "\\flagged", "work"})
        self.assertSays(result, "INBOX", "40 found on both sides")
        self.assertEqual(self.edit_database("SELECT * FROM conflict"), [], "adoption is no conflict")
        self.assertEqual([line for line in result.messages() if "INBOX" in line and "found" not in line], [])

    def test_everything_is_there(self):
        "two servers with the same mixed content, in another order: nothing is copied"
        messages = seed.Mixer(SEED).messages(300)
        for i, m in enumerate(messages):
            if m.date in seed.ODD_DATES:  # some become the time of arrival, which is not the same twice
                messages[i] = replace(m, date="07-Jul-2020 09:44:25 +0000")
        self.fill(0, "INBOX", *messages)
        random.Random(SEED).shuffle(messages)
        self.fill(1, "INBOX", *messages)
        before = self.snapshots()
        self.sync()
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertEqual([s.total() for s in self.snapshots()], [300, 300])
        self.assertNoop()

    def test_multisets(self):
        "three equal messages here and two there are three on both sides, not two and not five"
        message = simple("copy")
        self.fill(0, "INBOX", message, message, message)
        self.fill(1, "INBOX", message, message)
        self.assertAdopted({"copy": 3}, (0, 1))

    def test_without_message_id(self):
        "messages without a Message-ID are known by what they say"
        a, b = raw("none", "the first text"), raw("none", "the other one!")
        self.assertEqual(len(a.body), len(b.body))
        self.fill(0, "INBOX", a, b, raw("mine", "x"))
        self.fill(1, "INBOX", b, raw("theirs", "y"), a)
        self.assertAdopted({"none": 2, "mine": 1, "theirs": 1}, (1, 1))

    def test_other_dates(self):
        "a server that gave every message the time of its arrival"
        messages = [simple(f"m{i}") for i in range(20)]
        self.fill(0, "INBOX", *messages)
        self.fill(1, "INBOX", *(replace(m, date=None) for m in messages))
        self.sync()
        self.assertEqual([s.total() for s in self.snapshots()], [20, 20])
        self.assertNoop()

    def test_line_ends(self):
        "LF here and CRLF there is the same message"
        messages = [simple(f"m{i}", body="one\r\ntwo") for i in range(5)] + [raw("no id", "one\r\ntwo")]
        self.fill(0, "INBOX", *messages)
        self.fill(1, "INBOX", *(replace(m, body=m.body.replace(b"\r\n", b"\n")) for m in messages))
        self.assertAdopted({f"m{i}": 1 for i in range(5)} | {"no id": 1})

    def test_message_id_alone_is_nothing(self):
        "one Message-ID, two texts: both stay, on both sides"
        self.fill(0, "INBOX", raw("s", "a text", "<same@x>"))
        self.fill(1, "INBOX", raw("s", "another text", "<same@x>"))
        self.assertAdopted({"s": 2}, (1, 1))

    def test_ambiguous_ones_are_told_apart(self):
        "two messages of one Message-ID, size and date are paired by their text: what is deleted later is the right one"
        a, b = raw("a", "text of one", "<same@x>"), raw("b", "text of two", "<same@x>")
        self.fill(0, "INBOX", a, b)
        self.fill(1, "INBOX", b, a)
        self.assertAdopted({"a": 1, "b": 1})
        local = self.select(0)
        local.expunge([1])
        self.assertAdopted({"b": 1}, (0, -1))

    def test_equal_looks_are_copied(self):
        "one Message-ID, size and date but three texts: none is taken for another"
        a, b, c = (raw("s", f"text of {n}", "<same@x>") for n in ("one", "two", "six"))
        self.fill(0, "INBOX", a, b)
        self.fill(1, "INBOX", c)
        self.assertAdopted({"s": 3}, (1, 2))

    def test_many_mailboxes(self):
        "several mailboxes, some on one side only, a fifth of the messages on both"
        seed.seed_both([(s, self.user) for s in self.servers], 12, 500, seed=SEED, common=0.2)
        before = self.snapshots()
        self.sync()
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertNoop()


class LostDatabase(StoreCase):
    def populate(self, n=60):
        self.fill(0, "INBOX", *(simple(f"m{i}") for i in range(n)))
        self.fill(1, "Box", *(simple(f"b{i}", flags=("\\Seen",)) for i in range(10)))
        self.sync()
        return self.assertIdentical()

    def test_lost(self):
        "the database is gone: one run finds all again, new mail and new flags of both sides besides"
        self.populate()
        self.lose_database()
        local, remote = self.select(0), self.select(1)
        local.store([1, 2], "+", "\\Flagged")
        remote.store([2, 3], "+", "\\Answered")
        local.append("INBOX", simple("new local"))
        remote.append("INBOX", simple("new remote"))
        self.sync()
        snapshot = self.assertIdentical()
        records = self.records(snapshot)
        self.assertEqual({len(r) for r in records.values()}, {1})
        self.assertEqual(len(records), 62)
        self.assertEqual(records["m1"][0].flags, {"\\flagged", "\\answered"})
        self.assertNoop()

    def test_older(self):
        "an older copy of the database: what happened since is neither undone nor done twice"
        self.populate()
        saved = self.save_database()
        local, remote = self.select(0), self.select(1)
        local.append("INBOX", *(simple(f"late {i}") for i in range(20)))
        local.expunge([1, 2, 3])
        remote.expunge([10, 11])
        local.store([20, 21], "+", "\\Flagged")
        remote.append("Box", simple("late box"))
        self.sync()
        before = self.assertIdentical()
        self.restore_database(saved)
        local.store([22], "+", "\\Seen")
        remote.expunge([30])
        remote.append("INBOX", simple("last"))
        self.sync()
        after = self.assertIdentical()
        self.assertEqual(len(after.mailboxes[("INBOX",)]), 75)
        self.assertEqual(len(before.mailboxes[("INBOX",)]), 75)
        records = self.records(after)
        self.assertEqual({len(r) for r in records.values()}, {1})
        self.assertEqual(records["m21"][0].flags, {"\\seen"})
        self.assertEqual(records["m19"][0].flags, {"\\flagged"})
        for gone in ("m0", "m1", "m2", "m9", "m10", "m29"):
            self.assertNotIn(gone, records)
        self.assertNoop()

    def test_flags_cleared_since(self):
        "an older database, and a flag that was mirrored and cleared since then stays cleared"
        self.populate()
        local, remote = self.select(0), self.select(1)
        local.store([5], "+", "\\Flagged")
        self.sync()
        saved = self.save_database()
        remote.store([5], "-", "\\Flagged")
        self.sync()
        self.restore_database(saved)
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(self.records(snapshot)["m4"][0].flags, frozenset())
        self.assertNoop()


class Renumbered(StoreCase):
    def populate(self):
        self.fill(0, "INBOX", *(simple(f"m{i}", flags=("\\Seen",) if i % 2 else ()) for i in range(50)))
        self.fill(0, "Box", *(simple(f"b{i}") for i in range(5)))
        self.sync()

    def check(self, expected):
        result = self.sync()
        snapshot = self.assertIdentical()
        records = self.records(snapshot)
        self.assertEqual({s: len(r) for s, r in records.items()}, expected)
        self.assertNoop()
        return result, records

    def everything(self):
        return {f"m{i}": 1 for i in range(50)}

    def test_either_side(self):
        "a changed UIDVALIDITY on either side, or both: matched again, nothing copied, one line says so"
        self.populate()
        for sides in ((0,), (1,), (0, 1)):
            with self.subTest(sides=sides):
                for side in sides:
                    self.servers[side].renumber(self.user)
                result, records = self.check(self.everything())
                self.assertSays(result, "INBOX", "renumbered")
                self.assertEqual(records["m1"][0].flags, {"\\seen"})
                self.assertEqual(result.messages()[-1].count("copied"), 0, result)

    def test_with_changes(self):
        "flags and new mail of both sides survive a changed UIDVALIDITY; a cleared flag stays cleared"
        self.populate()
        with self.servers[0].connect(self.user) as local:
            local.select("INBOX")
            local.store([1, 2], "+", "\\Flagged")
            local.append("INBOX", simple("new local"))
        self.servers[0].renumber(self.user)
        with self.servers[1].connect(self.user) as remote:
            remote.select("INBOX")
            remote.store([3], "+", "\\Answered")
            remote.store([6], "-", "\\Seen")
            remote.append("INBOX", simple("new remote"))
        _, records = self.check({**self.everything(), "new local": 1, "new remote": 1})
        self.assertEqual(records["m0"][0].flags, {"\\flagged"})
        self.assertEqual(records["m2"][0].flags, {"\\answered"})
        self.assertEqual(records["m5"][0].flags, frozenset())

    def test_lost_messages_come_back(self):
        "messages that are missing after a renumbering were lost, not deleted: they are copied back"
        self.populate()
        with self.servers[1].connect(self.user) as remote:
            remote.select("INBOX")
            remote.expunge(range(1, 11))
        self.servers[1].renumber(self.user)
        self.check(self.everything())

    def test_smaller_uidvalidity(self):
        "a UIDVALIDITY that goes back is a changed one"
        self.populate()
        self.servers[1].renumber(self.user, uidvalidity=7)
        self.check(self.everything())

    def test_recreated(self):
        "a mailbox that another client deleted and filled again with the same mail"
        self.populate()
        with self.servers[1].connect(self.user) as remote:
            remote.delete("Box")
            remote.create("Box")
            remote.append("Box", *(simple(f"b{i}") for i in (4, 3, 2, 1, 0, 5)))
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual({s: len(r) for s, r in self.records(snapshot, "Box").items()}, {f"b{i}": 1 for i in range(6)})
        self.assertNoop()
