# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips grow neither with the mailboxes nor with the messages."""

import re

from harness.case import ServerCase
from harness.imap import quote
from harness.proxy import Proxy
from harness.seed import simple

MAILBOXES, FEW = 300, 3
DELAY = 0.1  # each way, in seconds: long enough for a second command of a burst to come before the answer
_TAGGED = re.compile(r"^imapsync: (?:[^:\n]*: )?(local|remote) ([CS]): (a\d+) ", re.M)


class RoundTrips(ServerCase):
    formats, links = ("mdbox", "mdbox"), ("imap", "imap")
    plain = True
    cost = 10

    def setUp(self):
        super().setUp()
        for side, server in enumerate(self.servers):
            proxy = Proxy(server.port, DELAY).start()
            self.addCleanup(proxy.close)
            (self.account.local, self.account.remote)[side]["port"] = proxy.port
        self.account.write()

    def counted(self):
        """The round trips of one run, by side: how often it spoke with nothing unanswered there."""
        unanswered, trips = {"local": set(), "remote": set()}, {"local": 0, "remote": 0}
        for side, speaker, tag in _TAGGED.findall(self.sync("--debug").err):
            if speaker == "C":
                trips[side] += not unanswered[side]
                unanswered[side].add(tag)
            else:
                unanswered[side].discard(tag)
        return [trips["local"], trips["remote"]]

    def assertNotMore(self, few, many, what):
        print(f"# round trips (local, remote) with {what[0]}: {few}, with {what[1]}: {many}")
        for side, a, b in zip(("local", "remote"), few, many):
            self.assertLessEqual(b, a + 3, f"on {side}: {a} round trips with {what[0]}, {b} with {what[1]}")

    def test_mailboxes(self):
        "a pass over 300 changed mailboxes takes no more round trips than one over 3, whatever changed"
        names = [f"Box{i:03}" for i in range(MAILBOXES)]
        remote = self.remote
        remote.pipeline([("CREATE", quote(n)) for n in names])
        remote.subscribe(*names)
        for name in names:
            remote.append(name, simple(f"seen in {name}"), simple(f"gone from {name}"), simple(f"kept in {name}"))
        self.sync()
        counts = []
        for dirty in (FEW, MAILBOXES):
            for name in names[:dirty]:
                remote.append(name, simple(f"new in {name}, {dirty}"))
                remote.select(name)
                uids = remote.uids()
                remote.store(uids[:1], "+" if dirty == FEW else "-", "\\Flagged")
                remote.store(uids[2:3], "+", "\\Answered", f"round{dirty}")
                remote.expunge(uids[1:2])
            remote.unselect()
            counts.append(self.counted())
        self.assertNotMore(*counts, (f"{FEW} mailboxes", f"{MAILBOXES} mailboxes"))
        self.assertIdentical()

    def test_messages(self):
        "5,000 changed flags take no more round trips than 5, and 500 messages no more than 5"
        remote = self.remote
        remote.append("INBOX", *(simple(f"message {i}") for i in range(5000)))
        self.sync()
        remote.select("INBOX")
        uids = remote.uids()
        counts = []
        for number in (5, 5000):
            remote.store(uids[:number:1], "", "\\Flagged", f"round{number}")
            counts.append(self.counted())
        self.assertNotMore(*counts, ("5 flags", "5,000 flags"))
        counts = []
        for number in (5, 500):
            remote.append("INBOX", *(simple(f"new {number} {i}") for i in range(number)))
            counts.append(self.counted())
        self.assertNotMore(*counts, ("5 messages", "500 messages"))
        self.assertIdentical()
