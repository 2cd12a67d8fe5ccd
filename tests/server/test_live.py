# SPDX-License-Identifier: GPL-3.0-or-later
"""Without --oneshot: after the first pass both servers are followed."""

import re
import time
from pathlib import Path

from harness.case import ServerCase
from harness.imap import ImapError
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
            result = running.wait(timeout=30)
            self.assertEqual(result.status, 0, result)

    def until(self, condition, what, running, limit=60):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if condition():
                return
            self.assertIsNone(running.process.poll(), f"it ended while {what} was waited for\n{running.err[-3000:]}")
            time.sleep(0.02)
        self.fail(f"{what} did not come within {limit} s\n{running.err[-4000:]}")

    def until_told(self, running):
        """Until both servers were asked for NOTIFY: they do not tell of what happens before that."""
        for side in ("local", "remote"):
            asked = rf"{side} C: (\w+) NOTIFY SET[^\0]*{side} S: \1 OK"
            self.until(lambda: re.search(asked, running.err), f"NOTIFY of the {side} server", running)

    def subjects(self, mailbox):
        """On the local side; None while it is not there, or is deleted while it is read (Dovecot says BYE then)."""
        with self.servers[0].connect(self.user) as client:
            try:
                client.select(mailbox, readonly=True)
                items = client.fetch(items="(BODY.PEEK[])") if client.uids() else {}
            except ImapError:
                return None
            return [bytes(i["BODY[]"]).split(b"Subject: ")[1].split(b"\r\n")[0].decode() for i in items.values()]

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

        for _ in range(6):  # it may still have to do with the start
            before = ticks()
            self.rest(5)
            if ticks() - before <= 2:
                return
        self.fail("more than two hundredths of a second in each of six times five seconds")

    def test_a_server_that_restarts(self):
        "the connection that a restarted server ended comes back, and what happened meanwhile arrives"
        running = self.start()
        self.servers[1].stop()
        self.local.append("INBOX", simple("while it was away"))
        self.rest(1)
        self.servers[1].start()
        self.until(lambda: len(self.uids(self.remote)) == 1, "the message", running)
        self.stop(running)
        self.assertIdentical()

    def test_one_mailbox_is_followed(self):
        "with a MAILBOX argument only that one is followed"
        self.local.create("Other")
        running = self.start("INBOX")
        self.local.append("Other", simple("not for it"))
        self.local.append("INBOX", simple("for it"))
        self.until(lambda: len(self.uids(self.remote)) == 1, "the message", running)
        passes = running.err.count("C: ")
        self.rest()
        self.assertLess(running.err.count("C: ") - passes, 10, "commands at rest")
        self.stop(running)
        self.assertNotIn("Other", self.remote.list())


def connections(port):
    """How many are open to a server on loopback."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(fields[1].split(":")[1], 16) == port and fields[3] == "01" for fields in lines)


class Told(_Live):
    """What the server on the other end may say, and leave out."""

    links = ("tunnel", "imap")

    @classmethod
    def make_servers(cls):
        from harness.dovecot import Dovecot

        return [Dovecot("maildir"), Dovecot("sdbox")]

    def test_an_expunge_that_only_the_count_shows(self):
        "a STATUS that has a lower MESSAGES and no number that is news is a change"
        from harness.tamper import Tamper

        self.remote.append("INBOX", *(simple(f"message {i}") for i in range(3)))

        def reply(data):
            if not data.startswith(b"* STATUS"):
                return data
            return re.sub(rb"(UIDNEXT|UNSEEN|HIGHESTMODSEQ) \d+ ?", b"", data).replace(b" )", b")")

        with Tamper(self.servers[1].port) as tamper:
            self.account.remote["port"] = str(tamper.port)
            self.account.write()
            running = self.start()
            tamper.reply = reply
            client = self.remote
            client.expunge([self.uids(client)[0]])
            self.until(lambda: len(self.uids(self.local)) == 2, "the expunge", running)
            self.stop(running)

    def test_made_anew_and_told_late(self):
        "that a mailbox is another one now is told when it is left: until then nothing is made of it"
        from harness.tamper import Tamper

        self.remote.create("Box")
        held, released = [], []

        def reply(data):
            if data.startswith(b"* LIST") and not released:
                held.append(data)
                return b""
            if held and b"OK Unselect" in data:
                released.extend(held)
                held.clear()
                return data + b"".join(released)
            return data

        with Tamper(self.servers[1].port) as tamper:
            self.account.remote["port"] = str(tamper.port)
            self.account.write()
            running = self.start()
            self.remote.append("Box", simple("old"))
            self.until(lambda: len(self.uids(self.local, "Box")) == 1, "the old message", running)
            self.until_told(running)
            self.rest()
            tamper.reply = reply
            self.remote.delete("Box")
            self.remote.create("Box")
            self.remote.append("Box", simple("new"))
            self.until(lambda: released, "what was held back", running)
            self.until(lambda: self.subjects("Box") == ["new"], "the new one in its place", running)
            self.rest()
            self.stop(running)
        self.assertIdentical()
        self.assertEqual(self.subjects("Box"), ["new"])

    def test_notices_that_overflow(self):
        "a server that gives up NOTIFY is looked at whole, and asked for NOTIFY anew"
        from harness.tamper import Tamper

        self.remote.create("Box")
        given_up, asked = [], []

        def reply(data):
            if given_up or not data.startswith(b"* STATUS"):
                return data
            given_up.append(data)
            return b"* OK [NOTIFICATIONOVERFLOW] too much happens here\r\n"

        def command(data):
            if given_up and b" NOTIFY " in data:
                asked.append(data.split(b" ", 1)[1])
            return None

        with Tamper(self.servers[1].port) as tamper:
            self.account.remote["port"] = str(tamper.port)
            self.account.write()
            running = self.start()
            self.until_told(running)
            tamper.command = command
            tamper.reply = reply
            self.remote.append("Box", simple("in a notice that is not sent"))
            self.until(lambda: len(self.uids(self.local, "Box")) == 1, "the message", running)
            self.until(lambda: len(asked) > 1, "NOTIFY once more", running)
            self.assertEqual(asked[0], b"NOTIFY NONE\r\n", "Dovecot is silent without it")
            self.assertTrue(asked[1].startswith(b"NOTIFY SET "), asked)
            self.remote.append("INBOX", simple("told again"))
            self.until(lambda: len(self.uids(self.local)) == 1, "the next message", running)
            self.stop(running)
        self.assertIdentical()


WITHOUT_NOTIFY = """protocol imap {
  imap_capability = IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT LIST-EXTENDED CONDSTORE QRESYNC ESEARCH LIST-STATUS MULTIAPPEND
}
"""  # fmt: skip


class Polled(_Live):
    """A server without NOTIFY: IDLE on INBOX, and a poll for the rest."""

    options = {"poll": "1"}

    @classmethod
    def make_servers(cls):
        from harness.dovecot import Dovecot

        return [Dovecot("maildir"), Dovecot("mdbox", extra=WITHOUT_NOTIFY)]

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


class Idled(_Live):
    """The option idle, and a server without NOTIFY that is asked for nothing else in time."""

    links = ("tunnel", "imap")
    options = {"poll": "3600", "idle": 'INBOX Box "Other one"'}

    @classmethod
    def make_servers(cls):
        from harness.dovecot import Dovecot

        return [Dovecot("maildir"), Dovecot("mdbox", extra=WITHOUT_NOTIFY)]

    def setUp(self):
        super().setUp()
        for name in ("Box", "Other one"):
            self.local.create(name)

    def watched(self, running, side):
        return len(re.findall(rf"{side} S: \+ idling", running.err))

    def test_each_named_mailbox_is_heard_of_at_once(self):
        "each mailbox of idle has a connection where nothing else tells of it, on both sides, and our own writes are no news"
        running = self.start()
        # On the remote server the session itself waits in INBOX; where there is NOTIFY too, all three are besides.
        self.until(lambda: self.watched(running, "remote") == 3 and self.watched(running, "local") == 3, "six IDLE", running)
        for number, name in enumerate(("Box", "INBOX", "Other one"), 1):
            count = len(self.uids(self.local, name))
            self.remote.append(name, simple(f"message {number}"))
            self.until(lambda: len(self.uids(self.local, name)) == count + 1, f"the message in {name}", running)
        client = self.local
        client.expunge([self.uids(client, "Box")[0]])
        self.until(lambda: not self.uids(self.remote, "Box"), "the expunge", running)
        self.rest(4)
        before = self.changes(running)
        passes = running.err.count("mailboxes changed")
        self.rest(2)
        self.assertEqual(self.changes(running), before)
        self.assertEqual(running.err.count("mailboxes changed"), passes, "passes at rest")
        client.unsubscribe("Other one")
        client.delete("Other one")
        self.until(lambda: "Other one" not in self.remote.list(), "a mailbox that is watched can be deleted", running)
        self.remote.append("Box", simple("still heard of"))
        self.until(lambda: len(self.uids(self.local, "Box")) == 1, "the next message", running)
        self.stop(running)
        self.assertIdentical()

    def test_it_ends_with_the_account(self):
        "where the account ends, no connection is left behind"
        before = connections(self.servers[1].port)
        running = self.start()
        self.until(lambda: self.watched(running, "remote") == 3, "IDLE", running)
        self.assertEqual(connections(self.servers[1].port), before + 3)
        self.stop(running)
        end = time.monotonic() + 20
        while connections(self.servers[1].port) > before and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(connections(self.servers[1].port), before)


class Counted(_Live):
    """A server that counts connections."""

    links = ("tunnel", "imap")
    options = {"poll": "1", "idle": "INBOX Box"}

    @classmethod
    def make_servers(cls):
        from harness.dovecot import Dovecot

        return [Dovecot("maildir"), Dovecot("mdbox", extra=WITHOUT_NOTIFY)]

    def test_a_refused_connection_is_left_alone(self):
        "the account goes on, the mailbox is found by the poll, and the server is asked once"
        from harness.tamper import Tamper

        self.local.create("Box")
        logins = []

        def command(data):
            if b" LOGIN " in data or b" AUTHENTICATE " in data:
                logins.append(data)
                if len(logins) > 1:
                    return b"NO [LIMIT] Maximum number of connections from user+IP exceeded"
            return None

        with Tamper(self.servers[1].port) as tamper:
            tamper.command = command
            self.account.remote["port"] = str(tamper.port)
            self.account.write()
            running = self.start()
            self.until(lambda: "is tried again in 3600 seconds" in running.err, "a word about it", running)
            self.remote.append("Box", simple("found"))
            self.until(lambda: len(self.uids(self.local, "Box")) == 1, "the message", running)
            self.stop(running)
        self.assertEqual(len(logins), 2)
        self.assertIdentical()
