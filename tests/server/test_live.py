# SPDX-License-Identifier: GPL-3.0-or-later
"""Without --oneshot: after the first pass both servers are followed."""

import time
from pathlib import Path

from harness.case import ServerCase
from harness.imapsync import Running
from harness.seed import simple


class _Live(ServerCase):
    def start(self, *arguments):
        running = Running(self.account, ["--debug", *arguments])
        self.addCleanup(self.stop, running)
        self.until(lambda: "mailboxes changed" in running.err, "the first pass", running)
        return running

    def stop(self, running):
        if running.process.poll() is None:
            running.kill(15)
            start = time.monotonic()
            result = running.wait(timeout=30)
            self.assertLess(time.monotonic() - start, 4, "SIGTERM has to end it within two seconds or so")
            self.assertEqual(result.status, 0, result)

    def until(self, condition, what, running, limit=20):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if condition():
                return
            self.assertIsNone(running.process.poll(), f"it ended while {what} was waited for\n{running.err[-3000:]}")
            time.sleep(0.02)
        self.fail(f"{what} did not come within {limit} s\n{running.err[-4000:]}")

    def uids(self, client, mailbox="INBOX"):
        client.select(mailbox)
        return client.uids()

    def flags(self, client, mailbox="INBOX"):
        client.select(mailbox)
        return {uid: {f.lower() for f in flags} - {"\\recent"} for uid, flags in client.flags().items()}

    def changes(self, running):
        return [line for line in running.err.splitlines() if " C: " in line and any(
            f" {word} " in line for word in ("STORE", "EXPUNGE", "APPEND", "CREATE", "DELETE", "RENAME", "SUBSCRIBE"))]

    def rest(self, seconds=1.5):
        time.sleep(seconds)


class Notified(_Live):
    """Dovecot on both sides, which has NOTIFY."""

    def test_every_kind_of_change_in_each_direction(self):
        "new, flagged, expunged, created, subscribed: each is on the other side a moment later"
        local, remote = self.local, self.remote
        running = self.start()
        for here, there in ((local, remote), (remote, local)):
            count = len(self.uids(there))
            here.append("INBOX", simple(f"new {time.monotonic()}", flags=("\\Flagged",)))
            self.until(lambda: len(self.uids(there)) == count + 1, "the new message", running)
            uid = self.uids(here)[-1]
            here.store([uid], "+", "\\Seen", "work")
            self.until(lambda: self.flags(there)[self.uids(there)[-1]] == {"\\seen", "\\flagged", "work"}, "the flags", running)
            here.expunge([uid])
            self.until(lambda: len(self.uids(there)) == count, "the expunge", running)
            side = "remote" if here is local else "local"
            self.until(lambda: f"expunged on the {side} server: UID" in running.err, "a word about it (R6)", running)
            name = "Made locally" if here is local else "Made remotely"
            here.create(name)
            here.append(name, simple(f"in {name}"))
            self.until(lambda: name in there.list() and len(self.uids(there, name)) == 1, "the new mailbox", running)
            self.until(lambda: name in there.subscriptions(), "its subscription", running)
        self.stop(running)
        self.assertIdentical()

    def test_an_echo_leads_to_nothing(self):
        "what it wrote itself comes back as a notice, and changes nothing more"
        running = self.start()
        self.local.append("INBOX", *(simple(f"echo {i}") for i in range(5)))
        self.until(lambda: len(self.uids(self.remote)) == 5, "the messages", running)
        self.rest()
        before = self.changes(running)
        self.rest(2)
        self.assertEqual(self.changes(running), before)
        self.stop(running)
        self.assertIdentical()
        self.assertNoop()

    def test_bursts(self):
        "fifty changes in a row on both sides all arrive, once"
        running = self.start()
        local, remote = self.local, self.remote
        for i in range(25):
            local.append("INBOX", simple(f"local {i}"))
            remote.append("INBOX", simple(f"remote {i}"))
        self.until(lambda: len(self.uids(local)) == 50 and len(self.uids(remote)) == 50, "all fifty", running)
        self.rest()
        self.stop(running)
        self.assertEqual(len(self.assertIdentical().mailboxes[("INBOX",)]), 50)

    def test_at_rest_it_rests(self):
        "with nothing to do it uses no processor time"
        running = self.start()
        self.rest(2)

        def ticks():
            fields = Path(f"/proc/{running.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        before = ticks()
        self.rest(5)
        self.assertLessEqual(ticks() - before, 2, "hundredths of a second in five seconds")

    def test_a_server_that_restarts(self):
        "the connection that a restarted server ended comes back, and what happened meanwhile arrives"
        running = self.start()
        self.servers[1].stop()
        self.local.append("INBOX", simple("while it was away"))
        self.rest(1)
        self.servers[1].start()
        self.until(lambda: len(self.uids(self.remote)) == 1, "the message", running, limit=40)
        self.stop(running)
        self.assertIdentical()

    def test_one_mailbox_is_followed(self):
        "with a MAILBOX argument only that one is followed"
        self.local.create("Other")
        running = self.start("INBOX")
        self.local.append("Other", simple("not for it"))
        self.local.append("INBOX", simple("for it"))
        self.until(lambda: len(self.uids(self.remote)) == 1, "the message", running)
        self.rest()
        self.stop(running)
        self.assertNotIn("Other", self.remote.list())


class Polled(_Live):
    """A server without NOTIFY: IDLE on INBOX, and a poll for the rest."""

    options = {"poll": "1"}

    @classmethod
    def make_servers(cls):
        from harness.dovecot import Dovecot

        without = "protocol imap {\n  imap_capability = IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT LIST-EXTENDED CONDSTORE QRESYNC ESEARCH LIST-STATUS MULTIAPPEND\n}\n"
        return [Dovecot("maildir"), Dovecot("mdbox", extra=without)]

    def test_inbox_and_another(self):
        "INBOX is told of by IDLE, another mailbox is found by the poll"
        self.local.create("Box")
        running = self.start()
        self.assertNotIn("remote C: NOTIFY", running.err)
        self.remote.append("INBOX", simple("told"))
        self.until(lambda: len(self.uids(self.local)) == 1, "the message in INBOX", running)
        self.remote.append("Box", simple("found"))
        self.until(lambda: len(self.uids(self.local, "Box")) == 1, "the message in Box", running)
        self.local.append("Box", simple("back"))
        self.until(lambda: len(self.uids(self.remote, "Box")) == 2, "the message of the other side", running)
        self.assertIn("IDLE", running.err)
        self.stop(running)
        self.assertIdentical()
