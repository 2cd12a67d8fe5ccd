# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages are streamed, never held."""

from harness import compare
from harness.case import ServerCase
from harness.dovecot import Dovecot
from harness.imap import Message
from harness.seed import simple

MIB = 1 << 20


class LargeMessage(ServerCase):
    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")
    plain = True
    cost = 20
    size = 200 * MIB
    limit_kib = 40 * 1024

    def body(self):
        head = b"Subject: large\r\nMessage-ID: <large@example>\r\n\r\n"
        line = b"0123456789abcdef" * 4 + b"\r\n"
        return head + line * ((self.size - len(head)) // len(line))

    def through(self, source):
        client = self.client(source)
        client.append("INBOX", Message(self.body(), ("\\Seen",), "07-Jul-2020 09:44:25 +0000"))
        result = self.sync(timeout=300)
        snapshot = self.assertIdentical()
        self.assertGreater(snapshot.mailboxes[("INBOX",)][0].size, self.size - MIB)
        self.assertLess(result.rss_kib, self.limit_kib, f"{result.rss_kib} KiB of memory for a message of {self.size} bytes")
        self.assertGreater(result.rss_kib, 1000, "the measurement cannot be right")

    def test_200_mib_to_remote(self):
        "a message of 200 MiB goes from local to remote in less than 40 MiB of memory"
        self.through(0)

    def test_200_mib_to_local(self):
        "a message of 200 MiB goes from remote to local in less than 40 MiB of memory"
        self.through(1)

    def test_refused_for_its_size(self):
        "a server that refuses a message for its size costs that message alone, told, exit status 1"
        quota = "mail_plugins = quota\nplugin {\n  quota = count:User quota\n  quota_vsizes = yes\n"
        with Dovecot("mdbox", extra=quota + "  quota_max_mail_size = 1M\n}") as small:
            self.servers = [self.servers[0], small]
            self.account.remote = small.settings(self.user, "imaps")
            self.account.write()
            self.local.append("INBOX", simple("before"), simple("too big", body="x" * 2 * MIB), simple("after"))
            result = self.sync(status=1)
            self.assertSays(result, "INBOX", "size")
            there = compare.snapshot(small, self.user).mailboxes[("INBOX",)]
            self.assertEqual(sorted(r.subject for r in there), ["after", "before"])
            again = self.sync("--debug", status=1)
            self.assertSays(again, "INBOX")
