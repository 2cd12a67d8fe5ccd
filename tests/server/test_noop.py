# SPDX-License-Identifier: GPL-3.0-or-later
"""R8: the next run does nothing."""

from harness import compare, seed
from harness.case import SEED, ServerCase
from harness.imapsync import CHANGING
from harness.proxy import Proxy


class Noop(ServerCase):
    formats, links = ("mdbox", "maildir"), ("imap", "imap")

    def setUp(self):
        super().setUp()
        self.proxies = []
        for side, server in enumerate(self.servers):
            proxy = Proxy(server.port).start()
            self.addCleanup(proxy.close)
            self.proxies.append(proxy)
            (self.account.local, self.account.remote)[side]["port"] = proxy.port
        self.account.write()
        seed.seed_both([(s, self.user) for s in self.servers], mailboxes=20, messages=300, seed=SEED)

    def sent(self):
        words = [line.upper().split() for proxy in self.proxies for line in proxy.commands]
        return [w for w in words if len(w) > 1 and (w[1] in CHANGING or w[1] == "UID" and w[2] in CHANGING)]

    def test_second_run_changes_nothing(self):
        "a second run sends nothing that changes a server and leaves the database's file as it is"
        self.sync()
        self.assertTrue(self.sent(), "the proxies have to see what the first run sends")
        self.assertIdentical()
        for proxy in self.proxies:
            proxy.reset()
        self.assertNoop()
        self.assertEqual(self.sent(), [], "seen on the wire in the second run")

    def test_second_run_is_short(self):
        "a second run needs a few round trips, whatever the number of mailboxes"
        self.sync()
        for proxy in self.proxies:
            proxy.reset()
        self.sync()
        for name, proxy in zip(("local", "remote"), self.proxies):
            self.assertLessEqual(proxy.round_trips, 10, f"round trips on {name}")
            self.assertLess(proxy.bytes["up"], 4000, f"bytes sent on {name}")

    def test_lost_database(self):
        "with the database gone, nothing is copied twice"
        self.sync()
        before = self.snapshots()
        for suffix in ("", "-wal", "-shm"):
            self.account.database.with_name(self.account.database.name + suffix).unlink(missing_ok=True)
        self.sync()
        self.assertIdentical()
        for before_side, after in zip(before, self.snapshots()):
            self.assertEqual(compare.count_differences(before_side.counts(), after.counts()), [])
        self.assertNoop()
