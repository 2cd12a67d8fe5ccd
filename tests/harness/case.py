# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of server tests: two private Dovecots for the class, a fresh user and account for each test."""

import itertools
import unittest

from . import compare, place
from .dovecot import Dovecot
from .imapsync import Account

_users = itertools.count(1)


class ServerCase(unittest.TestCase):
    formats = ("maildir", "mdbox")
    links = ("tunnel", "imaps")
    options = {}  # of the account's default section
    plain = False  # True: needs the build without sanitizers (memory, time)
    maxDiff = None

    @classmethod
    def make_servers(cls):
        return [Dovecot(format) for format in cls.formats]

    @classmethod
    def setUpClass(cls):
        cls.servers = cls.make_servers()
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            server.start()

    def setUp(self):
        self.user = f"user{next(_users)}"
        self.account = self.make_account()
        for server in self.servers:  # a new store has no subscription, not even INBOX's
            with server.connect(self.user) as client:
                client.subscribe("INBOX")

    def make_account(self, **options):
        sections = [s.settings(self.user, link) for s, link in zip(self.servers, self.links)]
        account = Account(*sections, **{**self.options, **options})
        self.addCleanup(account.close)
        return account

    # The two sides, 0 local and 1 remote

    def client(self, side):
        """A logged-in client, logged out at the end of the test."""
        client = self.servers[side].connect(self.user, "tunnel" if side == 0 else "imap")
        self.addCleanup(client.logout)
        return client

    @property
    def local(self):
        return self.client(0)

    @property
    def remote(self):
        return self.client(1)

    def snapshots(self, mailboxes=None):
        return [compare.snapshot(server, self.user, mailboxes) for server in self.servers]

    # Running and asserting

    def sync(self, *arguments, status=0, **options):
        """imapsync --oneshot, which has to end with @status."""
        result = self.account.once(*arguments, **{"plain": self.plain, **options})
        self.assertEqual(result.status, status, f"expected exit status {status}\n{result}")
        return result

    def assertIdentical(self, mailboxes=None, subscriptions=True):
        """Both servers are the same in all that a client can see."""
        left, right = self.snapshots(mailboxes)
        lines = compare.differences(left, right, subscriptions=subscriptions)
        if lines:
            self.fail("the servers differ: " + compare.report(lines))
        return left

    def assertNothingLostOrDoubled(self, before):
        """@before: snapshots() of both sides before the first run, from which nothing was deleted."""
        masked = any(server.kind == "cyrus" for server in self.servers)  # see tolerances.py
        expected = compare.union(*before, masked)
        for name, after in zip(("local", "remote"), self.snapshots()):
            lines = compare.count_differences(expected, after.counts(masked))
            if lines:
                self.fail(f"messages lost or doubled on {name}: " + compare.report(lines))

    def assertNoop(self, *arguments, **options):
        """The next run sends no command that changes a server, and leaves the database as it is (R8)."""
        before = [compare.fingerprint(s, self.user) for s in self.servers], self.account.database_state()
        result = self.sync("--debug", *arguments, **options)
        self.assertTrue(result.traffic(), f"--debug showed no traffic, so this test could prove nothing\n{result}")
        self.assertEqual(result.changes(), [], "expected no command that changes anything in a second run")
        after = [compare.fingerprint(s, self.user) for s in self.servers], self.account.database_state()
        self.assertEqual(before[0], after[0], "the second run changed a server")
        self.assertEqual(before[1], after[1], "the second run changed the database")
        return result

    def assertSays(self, result, *words):
        """One line of standard error holds all of @words."""
        for line in result.messages():
            if all(str(w).lower() in line.lower() for w in words):
                return line
        self.fail(f"expected one line with all of {words}, got:\n" + "\n".join(result.messages()[-40:]))

    def assertUntouched(self, before):
        """@before: [compare.fingerprint()] of the servers that must not have changed."""
        self.assertEqual(before, [compare.fingerprint(s, self.user) for s in self.servers], "a server was changed")

    def fingerprints(self):
        return [compare.fingerprint(s, self.user) for s in self.servers]


SEED = place.SEED
