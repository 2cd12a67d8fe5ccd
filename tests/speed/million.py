# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/bench --million [N]: one mailbox of a million messages on two servers. What the database takes
for each pair; time and memory of the run that finds them all to be the same, of one with nothing to do,
of one change and of 10,000."""

import os
import sys
import unittest

from harness.seed import Message
from harness.stores import Store, StoreCase

from . import programs

CHUNK = 5000


class Million(StoreCase):
    formats = ("mdbox", "mdbox")
    number = 1_000_000

    @classmethod
    def make_servers(cls):
        return [Store(format) for format in cls.formats]

    def fill_both(self):
        """The messages on one side, and the other as a copy of it."""
        with self.servers[0].connect(self.user) as client:
            for first in range(0, self.number, CHUNK):
                client.append("INBOX", *(message(i) for i in range(first, min(first + CHUNK, self.number))),
                              batch_bytes=8 << 20, batch_count=CHUNK)  # fmt: skip
        self.servers[1].forget(self.user)
        os.system(f"cp -a '{self.servers[0].home(self.user)}' '{self.servers[1].dir / 'mail'}'")

    def tell(self, what, *arguments):
        result = self.sync(*arguments, timeout=7200)
        print(f"  {what:24} {result.seconds:8.2f} s, CPU {result.cpu:7.2f} s {result.rss_kib / 1024:8.1f} MiB", flush=True)
        return result

    def runTest(self):
        "one mailbox of a million messages"
        self.fill_both()
        print(f"{self.number} messages in one mailbox, alike on both sides", flush=True)
        self.tell("the first run")
        pairs = self.edit_database("SELECT count(*) FROM pair")[0][0]
        size = sum(path.stat().st_size for path in self.database_files())
        print(f"  {pairs} pairs, {size} bytes: {size / pairs:.1f} for each", flush=True)
        self.assertEqual(pairs, self.number)
        for _ in range(3):
            result = self.tell("nothing to do")
        change = min(10_000, self.number // 4)
        client = self.select(0)
        for what, uids, flag in (("one flag", [self.number], "\\Flagged"),
                                 (f"{change} flags", range(1, change + 1), "work")):  # fmt: skip
            client.store(uids, "+", flag)
            self.tell(what)
        client.append("INBOX", message(self.number))
        self.tell("one new message")
        client.append("INBOX", *(message(self.number + 1 + i) for i in range(change)))
        self.tell(f"{change} new messages")
        client.expunge(range(change + 1, 2 * change + 1))
        self.tell(f"{change} expunged")
        result = self.sync("--debug", timeout=7200)
        self.assertEqual(result.changes(), [])


def message(number):
    text = f"Message-ID: <{number}@million.example>\r\nSubject: {number}\r\n\r\n{number}\r\n"
    return Message(text.encode(), (("\\Seen",), ())[number % 2], "07-Jul-2020 09:44:25 +0000")


def run(number, program=None):
    path = program or str(programs.release_build() / "service" / "imapsync")
    os.environ["IMAPSYNC"] = os.environ["IMAPSYNC_PLAIN"] = path
    Million.number = number
    result = unittest.TextTestRunner(verbosity=0, stream=sys.stderr).run(unittest.TestSuite([Million()]))
    return 0 if result.wasSuccessful() else 1
