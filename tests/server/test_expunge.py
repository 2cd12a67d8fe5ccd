# SPDX-License-Identifier: GPL-3.0-or-later
"""Expunges: what was deleted on one side goes on the other, nothing else ever does."""

from harness.case import ServerCase
from harness.seed import simple


class Expunge(ServerCase):
    def setUp(self):
        super().setUp()
        self.clients = [self.client(0), self.client(1)]
        gone = self.clients[1].append("INBOX", simple("gone"))
        self.clients[1].select("INBOX")
        self.clients[1].expunge(gone)
        self.clients[0].append("INBOX", *(simple(f"m{i}") for i in range(1, 7)))
        self.sync()
        for client in self.clients:
            client.select("INBOX")
        self.uid = [dict(zip((f"m{i}" for i in range(1, 7)), client.uids())) for client in self.clients]

    def subjects(self, side):
        self.clients[side].command("NOOP")
        return {name for name, uid in self.uid[side].items() if uid in self.clients[side].uids()}

    def assertThere(self, *names):
        for side in (0, 1):
            self.assertEqual(self.subjects(side), set(names), f"messages on {('local', 'remote')[side]}")

    def one_way(self, side):
        self.clients[side].expunge([self.uid[side]["m2"], self.uid[side]["m5"]])
        result = self.sync()
        self.assertThere("m1", "m3", "m4", "m6")
        for name in ("m2", "m5"):
            self.assertSays(result, "INBOX", self.uid[0][name], self.uid[1][name], f"<{name}@simple.example>")
        self.assertIdentical()
        self.assertNoop()

    def test_local_expunge_reaches_remote(self):
        "an expunge is mirrored remotely and logged with mailbox, both UIDs and Message-ID"
        self.one_way(0)

    def test_remote_expunge_reaches_local(self):
        "an expunge is mirrored locally and logged with mailbox, both UIDs and Message-ID"
        self.one_way(1)

    def test_expunged_on_both(self):
        "what both sides expunged asks for nothing"
        for side in (0, 1):
            self.clients[side].expunge([self.uid[side]["m1"]])
        result = self.sync("--debug")
        self.assertEqual([c for c in result.commands() if c[1] in ("STORE", "EXPUNGE", "APPEND")], [])
        self.assertThere("m2", "m3", "m4", "m5", "m6")
        self.assertNoop()

    def test_different_expunges_meet(self):
        "each side's expunge reaches the other in one run"
        self.clients[0].expunge([self.uid[0]["m1"]])
        self.clients[1].expunge([self.uid[1]["m6"]])
        self.sync()
        self.assertThere("m2", "m3", "m4", "m5")
        self.assertNoop()

    def deletion_wins(self, side):
        other = 1 - side
        self.clients[side].expunge([self.uid[side]["m3"]])
        self.clients[other].store([self.uid[other]["m3"]], "+", "\\Flagged", "work")
        result = self.sync()
        self.assertThere("m1", "m2", "m4", "m5", "m6")
        self.assertSays(result, "INBOX", self.uid[other]["m3"], "\\Flagged")
        self.assertIdentical()
        self.assertNoop()

    def test_deleted_locally_changed_remotely(self):
        "deletion wins over a remote change, and that is reported"
        self.deletion_wins(0)

    def test_deleted_remotely_changed_locally(self):
        "deletion wins over a local change, and that is reported"
        self.deletion_wins(1)

    def test_others_deleted_messages_stay(self):
        "a message that another client only marked \\Deleted is not expunged along"
        self.clients[1].store([self.uid[1]["m1"]], "+", "\\Deleted")
        self.clients[0].expunge([self.uid[0]["m2"]])
        self.sync()
        self.assertThere("m1", "m3", "m4", "m5", "m6")
        self.assertIdentical()
        self.assertNoop()

    def test_a_twin_stays(self):
        "of two identical messages only the expunged one goes"
        for client in (self.clients[0],):
            client.append("INBOX", simple("twin"), simple("twin"))
        self.sync()
        self.clients[0].select("INBOX")
        twins = self.clients[0].uids('HEADER SUBJECT "twin"')
        self.clients[0].expunge(twins[:1])
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual([r.subject for r in snapshot.mailboxes[("INBOX",)]].count("twin"), 1)
        self.assertNoop()

    def test_emptied_mailbox(self):
        "a mailbox emptied by its owner is emptied on the other side"
        self.clients[0].expunge(list(self.uid[0].values()))
        self.sync()
        self.assertThere()
        self.assertIdentical()
        self.assertNoop()

    def test_expunge_and_arrival_in_one_run(self):
        "an expunge here and new messages here and there are done in one run"
        self.clients[0].expunge([self.uid[0]["m4"]])
        self.clients[0].append("INBOX", simple("new local"))
        self.clients[1].append("INBOX", simple("new remote"))
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(sorted(r.subject for r in snapshot.mailboxes[("INBOX",)]),
                         ["m1", "m2", "m3", "m5", "m6", "new local", "new remote"])  # fmt: skip
        self.assertNoop()
