# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a person can decide is kept, told with its number, and decided from the command line."""

import re

from harness.seed import simple
from harness.stores import StoreCase


class MassDeletion(StoreCase):
    def vanish(self):
        """25 of 30 messages are gone on the remote side, and nothing proves that it was meant. The id."""
        self.fill(0, "INBOX", *(simple(f"m{i}") for i in range(30)))
        self.fill(0, "Box", simple("b"))
        self.sync()
        with self.servers[1].connect(self.user) as remote:
            remote.select("INBOX")
            remote.expunge(range(1, 26))
        self.servers[1].lose_index(self.user)
        result = self.sync(status=1)
        line = self.assertSays(result, "INBOX", "25 messages are gone", ":apply", ":restore")
        self.assertEqual(self.totals(), [30, 5])
        return int(re.search(r"--resolve=(\d+):apply", line).group(1))

    def totals(self):
        return [s.total() for s in self.snapshots(["INBOX"])]

    def test_apply(self):
        "--resolve=ID:apply deletes them on the other side too, and that is the end of it"
        number = self.vanish()
        self.account.run(f"--resolve={number}:apply", plain=True)
        self.assertEqual(self.totals(), [5, 5])
        self.assertIdentical()
        self.assertNoop()
        self.assertEqual(self.edit_database("SELECT * FROM conflict WHERE kind = 'mass-deletion'"), [])

    def test_restore(self):
        "--resolve=ID:restore copies them back"
        number = self.vanish()
        result = self.account.run(f"--resolve={number}:restore", plain=True)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(self.totals(), [30, 30])
        self.assertIdentical()
        self.assertNoop()

    def test_later(self):
        "until it is answered, every run asks again with the same number, and the rest goes on"
        number = self.vanish()
        self.fill(1, "Box", simple("b2"))
        result = self.account.run(f"--resolve={number}:later", plain=True)
        self.assertEqual(result.status, 1, result)
        self.assertSays(result, f"--resolve={number}:apply")
        self.assertIdentical(["Box"])
        self.assertEqual(self.totals(), [30, 5])

    def test_wrong_answers(self):
        "a number that is none, a choice that the kind does not have: one sentence, exit 2, nothing happens"
        number = self.vanish()
        for choice, words in ((f"{number}:retry", ("apply", "restore", "later")), ("4711:apply", ("4711",)),
                              ("apply", ("ID:CHOICE",)), (f"{number}:", ("ID:CHOICE",)), (":apply", ("ID:CHOICE",))):  # fmt: skip
            result = self.account.run(f"--resolve={choice}", plain=True)
            self.assertEqual(result.status, 2, result)
            self.assertSays(result, *words)
        self.assertEqual(self.totals(), [30, 5])
