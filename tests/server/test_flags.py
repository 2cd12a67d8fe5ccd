# SPDX-License-Identifier: GPL-3.0-or-later
"""Flag changes."""

from harness.case import ServerCase
from harness.seed import simple


class Flags(ServerCase):
    def setUp(self):
        super().setUp()
        self.clients = [self.client(0), self.client(1)]
        # Other UIDs on the two sides, so that a mix-up of them shows.
        gone = self.clients[1].append("INBOX", simple("gone"))
        self.clients[1].select("INBOX")
        self.clients[1].expunge(gone)
        self.clients[0].append("INBOX", *(simple(f"m{i}", flags=("\\Seen",) if i % 2 else ()) for i in range(1, 5)))
        self.sync()
        for client in self.clients:
            client.select("INBOX")
        self.uid = [self.uids(side) for side in (0, 1)]

    def uids(self, side):
        found = self.clients[side].fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        key = "BODY[HEADER.FIELDS (SUBJECT)]"
        return {item[key].decode().split()[1]: uid for uid, item in found.items()}

    def flags(self, side, subject):
        return self.clients[side].flags()[self.uid[side][subject]]

    def assertFlags(self, subject, *flags):
        for side in (0, 1):
            self.assertEqual(self.flags(side, subject), set(flags), f"flags of {subject} on {('local', 'remote')[side]}")

    def change(self, side, subject, operation, *flags):
        self.clients[side].store([self.uid[side][subject]], operation, *flags)

    def one_way(self, side):
        self.change(side, "m1", "+", "\\Flagged", "$Forwarded")
        self.change(side, "m2", "", "\\Answered", "\\Draft")
        self.change(side, "m3", "-", "\\Seen")
        self.sync()
        self.assertFlags("m1", "\\Seen", "\\Flagged", "$Forwarded")
        self.assertFlags("m2", "\\Answered", "\\Draft")
        self.assertFlags("m3")
        self.assertFlags("m4")
        self.assertIdentical()
        self.assertNoop()

    def test_local_changes_reach_remote(self):
        "flags added, replaced and removed locally are so remotely"
        self.one_way(0)

    def test_remote_changes_reach_local(self):
        "flags added, replaced and removed remotely are so locally"
        self.one_way(1)

    def test_changes_of_different_messages_meet(self):
        "changes on both sides to different messages are both carried out, without a warning"
        self.change(0, "m1", "+", "\\Flagged")
        self.change(1, "m2", "+", "\\Answered")
        self.assertEqual(self.sync("--quiet").err, "")
        self.assertFlags("m1", "\\Seen", "\\Flagged")
        self.assertFlags("m2", "\\Answered")
        self.assertNoop()

    def test_same_change_on_both_sides(self):
        "the same change on both sides is no conflict"
        for side in (0, 1):
            self.change(side, "m2", "+", "\\Seen", "work")
        self.assertEqual(self.sync("--quiet").err, "")
        self.assertFlags("m2", "\\Seen", "work")
        self.assertNoop()

    def test_conflict_becomes_the_union(self):
        "flags changed on both sides become the union; a warning names mailbox, UIDs, both lists, result"
        self.change(0, "m1", "", "\\Seen", "\\Flagged")
        self.change(1, "m1", "", "\\Answered", "work")
        result = self.sync("--quiet")
        self.assertFlags("m1", "\\Seen", "\\Flagged", "\\Answered", "work")
        line = self.assertSays(result, "INBOX", self.uid[0]["m1"], self.uid[1]["m1"], "\\Flagged", "\\Seen",
                               "\\Answered", "work")  # fmt: skip
        # Both lists and the result: the flags of each side stand there twice.
        for flag in ("\\Seen", "\\Flagged", "\\Answered", "work"):
            self.assertGreaterEqual(line.count(flag), 2, f"{flag} is to be seen in a list and in the result: {line}")
        self.assertIdentical()
        self.assertNoop()

    def test_deleted_flag_without_expunge(self):
        "\\Deleted alone is a flag like the others and expunges nothing"
        self.change(0, "m4", "+", "\\Deleted")
        self.sync()
        self.assertFlags("m4", "\\Deleted")
        self.assertNoop()

    def test_letters_of_keywords(self):
        "a keyword in other letters is the same keyword"
        self.change(0, "m1", "+", "Label")
        self.change(1, "m1", "+", "label")
        self.sync()
        self.assertIdentical()
        self.assertNoop()

    def test_many_messages_with_few_lists(self):
        "hundreds of changes go out as one command for each distinct flag list"
        self.clients[0].append("INBOX", *(simple(f"bulk {i}") for i in range(300)))
        self.sync()
        self.clients[0].select("INBOX")
        uids = self.clients[0].uids()
        self.clients[0].store(uids[4:154], "+", "\\Seen")
        self.clients[0].store(uids[154:], "+", "\\Flagged")
        result = self.sync("--debug")
        stores = [c for c in result.commands("remote") if c[1] == "STORE"]
        self.assertTrue(1 <= len(stores) <= 4, f"expected a few STOREs, got {len(stores)}")
        self.assertIdentical()
