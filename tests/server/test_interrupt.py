# SPDX-License-Identifier: GPL-3.0-or-later
"""R4 and R9: interrupted anywhere, the next run ends with both sides equal: nothing lost, doubled,
forgotten or undone."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from harness import compare
from harness.imapsync import killable
from harness.seed import simple
from harness.stores import StoreCase

WORKERS = 6


def contents(snapshot):
    """All that a client can see, as one comparable value."""
    return {"/".join(name): Counter((r.subject, r.digest, r.flags, r.date) for r in records)
            for name, records in snapshot.mailboxes.items()}  # fmt: skip


class Scenario(StoreCase):
    """A synchronized account, then changes of all kinds on both sides: some 200 effects."""

    cost = 30

    def base(self):
        self.fill(0, "INBOX", *(simple(f"m{i}", flags=("\\Seen",) if i % 3 == 2 else ()) for i in range(20)))
        self.fill(0, "Box", *(simple(f"b{i}") for i in range(6)))
        self.fill(1, "Old", *(simple(f"o{i}") for i in range(3)))
        self.fill(1, "Gone", *(simple(f"g{i}") for i in range(2)))
        self.sync()
        self.assertIdentical()

    def changes(self):
        local, remote = self.select(0), self.select(1)
        uid = {}
        for client, side in ((local, 0), (remote, 1)):
            uid[side] = {s[0].subject: s[0].uid for s in self.records(compare.snapshot(self.servers[side], self.user)).values()}

        def uids(side, *names):
            return [uid[side][n] for n in names]

        local.append("INBOX", *(simple(f"new local {i}", flags=("\\Draft", "work")) for i in range(5)))
        remote.append("INBOX", *(simple(f"new remote {i}") for i in range(4)))
        local.store(uids(0, "m0", "m1"), "+", "\\Flagged")
        local.store(uids(0, "m2"), "-", "\\Seen")
        remote.store(uids(1, "m3"), "+", "\\Answered")
        remote.store(uids(1, "m4"), "+", "keyword")
        local.store(uids(0, "m5"), "+", "\\Flagged")
        remote.store(uids(1, "m5"), "+", "\\Answered")
        local.expunge(uids(0, "m6", "m7"))
        remote.expunge(uids(1, "m8"))
        local.expunge(uids(0, "m9"))
        remote.expunge(uids(1, "m9"))
        local.create("New")
        local.append("New", *(simple(f"n{i}") for i in range(2)))
        remote.create("Neu/Kind")
        remote.append("Neu/Kind", simple("k"))
        local.rename("Old", "Renamed")
        local.subscribe("Renamed")
        local.unsubscribe("Old")
        remote.delete("Gone")
        remote.unsubscribe("Gone")
        remote.append("Box", simple("new box"))
        local.select("Box")
        local.store([2, 3], "+", "\\Seen")
        local.logout()
        remote.logout()

    def prepare(self):
        """(the state to begin with, what has to come out of it)"""
        self.base()
        self.changes()
        state = self.keep_state()
        self.load_state(state)
        log = self.account.dir / "effects"
        result = self.account.once(program=killable(), env={"IMAPSYNC_EFFECTS": str(log)})
        self.assertEqual(result.status, 0, result)
        expected = self.assertIdentical()
        self.assertNoop()
        self.effects = log.read_text().splitlines()
        return state, expected

    def check(self, expected, noop=True):
        """Resumes, compares completely, and runs again."""
        result = self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(contents(snapshot), contents(expected))
        self.assertEqual(snapshot.subscribed, expected.subscribed)
        if noop:
            self.assertNoop()
        return result

    def kill_at(self, n):
        return self.account.once(program=killable(), env={"IMAPSYNC_KILL_AT": str(n)})

    def each(self, state, numbers, attempt, name):
        """Calls attempt(a fork of this test in @state, n) for all @numbers, some at a time: much of it is
        waiting. $IMAPSYNC_ONLY=N does one."""
        if only := os.environ.get("IMAPSYNC_ONLY"):
            numbers = [int(only)]

        def one(n):
            fork = self.forked(state)
            try:
                attempt(fork, n)
                return None
            except Exception as error:
                return n, f"{name(n)}: {error}"
            finally:
                fork.drop_state()

        with ThreadPoolExecutor(WORKERS) as pool:
            failures = [f for f in pool.map(one, numbers) if f]
        if failures:
            self.fail(f"{len(failures)} of {len(numbers)} failed: {[n for n, _ in failures]}; IMAPSYNC_ONLY={failures[0][0]} "
                      "does the first alone\n" + "\n\n".join(text for _, text in failures[:3]))  # fmt: skip


class KilledAtEachEffect(Scenario):
    def test_every_effect(self):
        "killed after each of some 200 effects, resumed, compared completely, run again: nothing to do"
        state, expected = self.prepare()
        kinds = Counter(self.effects)
        self.assertGreater(len(self.effects), 150, kinds)

        def attempt(fork, n):
            killed = fork.kill_at(n)
            self.assertIn(killed.status, (0, -9), killed)
            try:
                fork.check(expected)
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the killed run ---\n{killed}") from None

        self.each(state, range(1, len(self.effects) + 1), attempt,
                  lambda n: f"killed after effect {n} ({self.effects[n - 1]}) of {len(self.effects)}")  # fmt: skip
        print(f"{len(self.effects)} effects: {dict(kinds)}")
