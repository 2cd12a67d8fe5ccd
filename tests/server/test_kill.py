# SPDX-License-Identifier: GPL-3.0-or-later
"""R4: killed at any instant, the next runs end with both sides equal, nothing lost, nothing doubled."""

import random

from harness import compare, seed
from harness.case import SEED, ServerCase
from harness.seed import simple


class Killed(ServerCase):
    formats, links = ("maildir", "mdbox"), ("tunnel", "imaps")
    plain = True
    cost = 40
    timeout = 1200

    def reference_seconds(self, fill):
        """How long the uninterrupted run takes on the same content, with a user and account of its own."""
        user, account = self.user, self.account
        self.user += "-reference"
        self.account = self.make_account()
        fill()
        seconds = self.sync(timeout=300).seconds
        self.assertIdentical()
        self.user, self.account = user, account
        return seconds

    def killed_runs(self, times, seconds):
        """Starts the run again until it was killed @times in the middle; the moments are spread so that
        the work is not done before the last. False: it was, because the machine is faster now."""
        r = random.Random(SEED)
        for _ in range(times):
            moment = seconds * (0.1 + 0.9 * r.random()) / (times / 3)
            result = self.account.once(kill_after=moment, plain=self.plain, timeout=300)
            if result.status != -9:
                self.assertEqual(result.status, 0, result)
                return False
        return True

    def all_ten(self, fill):
        seconds = self.reference_seconds(fill)
        for attempt in range(5):
            fill()
            before = self.snapshots()
            if self.killed_runs(10, seconds):
                break
            seconds /= 2
            self.user += "-again"
            self.account = self.make_account()
        else:
            self.fail("the run was always over before it could be killed ten times")
        self.sync(timeout=300)
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertNoop()

    def test_ten_kills_one_way(self):
        "5,000 messages in 20 mailboxes, ten SIGKILLs in the first run: identical, nothing doubled"
        self.all_ten(lambda: seed.seed(self.servers[0], self.user, seed=SEED))

    def test_ten_kills_both_ways(self):
        "the same with the messages spread over both sides"
        self.all_ten(lambda: seed.seed_both([(s, self.user) for s in self.servers], seed=SEED + 2, common=0.03))

    def test_kills_while_changes_are_mirrored(self):
        "killed while flags and expunges are mirrored, no change is undone and none is invented"
        local = self.local
        local.append("INBOX", *(simple(f"m{i}") for i in range(600)))
        self.sync()
        remote = self.remote
        local.select("INBOX")
        remote.select("INBOX")
        mine, theirs = local.uids(), remote.uids()
        local.store(mine[:200], "+", "\\Flagged")
        remote.store(theirs[200:400], "+", "\\Seen", "work")
        local.expunge(mine[400:450])
        remote.expunge(theirs[450:500])
        local.append("INBOX", *(simple(f"new local {i}") for i in range(100)))
        remote.append("INBOX", *(simple(f"new remote {i}") for i in range(100)))
        r = random.Random(SEED)
        for _ in range(12):
            result = self.account.once(kill_after=0.005 + 0.25 * r.random() ** 2, plain=True)
            self.assertIn(result.status, (0, -9), result)
        self.sync()
        snapshot = self.assertIdentical()
        records = {r.subject: r for r in snapshot.mailboxes[("INBOX",)]}
        self.assertEqual(len(snapshot.mailboxes[("INBOX",)]), 700)
        self.assertEqual(len(records), 700)
        for i in range(200):
            self.assertEqual(records[f"m{i}"].flags, {"\\flagged"}, i)
        for i in range(200, 400):
            self.assertEqual(records[f"m{i}"].flags, {"\\seen", "work"}, i)
        self.assertNoop()

    def test_database_after_a_kill(self):
        "a kill leaves a database that the next run can open, and the snapshot of one side is never worse"
        seed.seed(self.servers[0], self.user, mailboxes=5, messages=400, seed=SEED)
        before = compare.snapshot(self.servers[0], self.user)
        for moment in (0.01, 0.03, 0.06, 0.1, 0.15):
            self.account.once(kill_after=moment, plain=True)
            after = compare.snapshot(self.servers[0], self.user)
            self.assertEqual(compare.count_differences(before.counts(), after.counts()), [])
        self.sync()
        self.assertIdentical()
