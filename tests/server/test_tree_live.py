# SPDX-License-Identifier: GPL-3.0-or-later
"""What NOTIFY tells of names while imapsync is connected proves what nothing else could."""

from harness.seed import simple
from server.test_live import _Live


class Told(_Live):
    """Dovecot on both sides."""

    def setUp(self):
        super().setUp()
        self.here, self.there = self.local, self.remote
        for name in ("a", "a/kid", "b", "c"):
            self.there.create(name)
        self.running = self.start()
        self.until_told(self.running)

    def lines(self, word):
        return [line for line in self.running.err.splitlines() if "local C: " in line and f" {word} " in line]

    def end(self):
        self.rest(1)
        self.stop(self.running)
        self.assertIdentical()

    def test_empty_one_renamed(self):
        "an empty mailbox with its children is renamed, not deleted and made, and its subscription moves along"
        self.there.rename("a", "x")
        self.until(lambda: "x/kid" in self.here.list() and "a" not in self.here.list(), "the rename", self.running)
        self.until(lambda: "x" in self.here.subscriptions(), "its subscription", self.running)
        self.assertEqual(self.lines("DELETE"), [])
        self.assertTrue(self.lines("RENAME"))
        self.end()

    def test_deleted_and_made_anew(self):
        "deleted and made anew is mirrored as both: the old mail does not come back"
        self.there.append("b", simple("old"))
        self.until(lambda: len(self.uids(self.here, "b")) == 1, "the message", self.running)
        self.here.unselect()
        self.there.delete("b")
        self.there.create("b")
        self.there.append("b", simple("new"))
        self.until(lambda: self.subjects("b") == ["new"], "the new one in its place", self.running)
        self.end()
