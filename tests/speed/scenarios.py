# SPDX-License-Identifier: GPL-3.0-or-later
"""The work that is measured. Sides: 0 local, 1 remote; @rtt, in milliseconds, is the remote's."""

import random

from harness.imap import Message, uid_set
from harness.seed import Mixer

STATUS = "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)"
LIST = f'LIST "" * RETURN (SUBSCRIBED STATUS {STATUS})'
_WORDS = "stamp envelope postman letter answer quick brown fox archive draft reply forward subject water tower".split()


def message(number, size, name="m"):
    """About @size bytes of text, none like another."""
    r = random.Random(f"{name} {number} {size}")
    head = (f"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: {name} {number}\r\n"
            f"Date: Tue, 10 Jul 2018 10:{number % 60:02}:00 +0200\r\nMessage-ID: <{name}.{number}.{size}@speed.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n").encode()  # fmt: skip
    if size > 100_000:
        block = (" ".join(r.choices(_WORDS, k=9)) + "\r\n").encode() * 64
        body = (block * (size // len(block) + 1))[: size - len(head) - 2] + b"\r\n"
    else:
        lines, left = [], size - len(head)
        while left > 0:
            lines.append((" ".join(r.choices(_WORDS, k=10)) + "\r\n").encode()[-left:])
            left -= len(lines[-1])
        body = b"".join(lines)
    flags = (("\\Seen",), (), ("\\Seen", "\\Answered"), ("\\Flagged",))[number % 4]
    return Message(head + body, flags, f"{1 + number % 28:02}-Jul-2018 10:{number % 60:02}:00 +0000")


class Scenario:
    """One kind of work. `origin` is the side whose mail is copied, or None for what starts from two
    servers in sync; then `script` is the limit's."""

    origin = None
    whole = True  # the limit does all of the work, so the servers can be compared after it
    script = ""

    def __init__(self, title, content, rtt=0, tls=False, bounds=None):
        """@content: {mailbox: (count, size)}. @bounds: {"what": most of it}."""
        self.title, self.content, self.rtt, self.tls, self.bounds = title, content, rtt, tls, bounds or {}
        self.mailboxes = list(content)
        self.bytes = sum(count * size for count, size in content.values())

    def fill(self, client):
        """Puts the content into a fresh store."""
        there = client.list()
        client.pipeline([("CREATE", name) for name in self.mailboxes if name not in there])
        client.subscribe(*self.mailboxes)
        for name, (count, size) in self.content.items():
            for first in range(0, count, 2000 if size < 100_000 else 4):
                part = range(first, min(count, first + (2000 if size < 100_000 else 4)))
                client.append(name, *(message(i, size, name) for i in part), batch_bytes=32 << 20, batch_count=2000)

    def change(self, clients):
        """What happens between the run that makes both equal and the one that is measured."""


class FirstCopy(Scenario):
    def __init__(self, title, content, origin=1, **options):
        super().__init__(title, content, **options)
        self.origin = origin


class Mixed(FirstCopy):
    """Mail as it comes: 8-bit headers, attachments, keywords, odd dates, long lines, twins."""

    def fill(self, client):
        mixer = Mixer(1)
        client.pipeline([("CREATE", name) for name in self.mailboxes if name != "INBOX"])
        client.subscribe(*self.mailboxes)
        for name, (count, _) in self.content.items():
            client.append(name, *mixer.messages(count))


class Nothing(Scenario):
    def change(self, clients):
        self.script = f"0 {LIST}\n1 {LIST}\nwait\n"


class _Change(Scenario):
    """Of INBOX, on the remote side unless @side says so."""

    def __init__(self, title, content, number, side=1, **options):
        super().__init__(title, content, **options)
        self.number, self.side = number, side

    def change(self, clients):
        selects = []
        for client in clients:
            status = client.status("INBOX")
            selects.append(f"SELECT INBOX (QRESYNC ({status['UIDVALIDITY']} {status['HIGHESTMODSEQ']}))")
        changed, other = clients[self.side], clients[1 - self.side]
        changed.select("INBOX")
        other.select("INBOX")
        # Both are filled in the same order, whoever copied.
        pairs = list(zip(changed.uids(), other.uids()))
        random.Random(1).shuffle(pairs)
        pairs = sorted(pairs[: self.number])
        commands = self.apply(changed, [a for a, _ in pairs], [b for _, b in pairs])
        near, far = self.side, 1 - self.side
        self.script = f"0 ENABLE QRESYNC\n1 ENABLE QRESYNC\n0 {LIST}\n1 {LIST}\nwait\n"
        self.script += f"{near} {selects[near]}\n{far} {selects[far]}\nwait\n"
        self.script += "".join(f"{far} {c}\n" for c in commands) + "wait\n"


class Flags(_Change):
    def apply(self, client, uids, others):
        client.store(uids, "", "\\Seen", "\\Draft", "$Forwarded")
        sets = [uid_set(others[i : i + 1000]) for i in range(0, len(others), 1000)]
        return [f"UID STORE {s} FLAGS.SILENT (\\Seen \\Draft $Forwarded)" for s in sets]


class Expunge(_Change):
    def apply(self, client, uids, others):
        client.expunge(uids)
        sets = [uid_set(others[i : i + 1000]) for i in range(0, len(others), 1000)]
        commands = [f"UID STORE {s} +FLAGS.SILENT (\\Deleted)" for s in sets]
        return [*commands, *(f"UID EXPUNGE {s}" for s in sets)]


class Moves(_Change):
    """From INBOX to Box: the least is a COPY and an expunge."""

    def apply(self, client, uids, others):
        client.move(uids, "Box")
        sets = [uid_set(others[i : i + 1000]) for i in range(0, len(others), 1000)]
        commands = [f"UID COPY {s} Box" for s in sets]
        commands += [f"UID STORE {s} +FLAGS.SILENT (\\Deleted)" for s in sets]
        return [*commands, *(f"UID EXPUNGE {s}" for s in sets)]


class NewInMany(Scenario):
    """One new message in each of the first @number mailboxes."""

    whole = False

    def __init__(self, title, content, number, **options):
        super().__init__(title, content, **options)
        self.number = number

    def change(self, clients):
        names = self.mailboxes[: self.number]
        statuses = [client.list(status="UIDVALIDITY UIDNEXT HIGHESTMODSEQ") for client in clients]
        self.script = f"0 ENABLE QRESYNC\n1 ENABLE QRESYNC\n0 {LIST}\n1 {LIST}\nwait\n"
        for side, status in enumerate(statuses):
            for name in names:
                numbers = status[name].status
                self.script += (f"{side} SELECT {name} (QRESYNC ({numbers['UIDVALIDITY']} {numbers['HIGHESTMODSEQ']}))\n"
                                f"{side} UID FETCH {numbers['UIDNEXT']}:4294967295 (UID FLAGS INTERNALDATE BODY.PEEK[])\n")  # fmt: skip
        self.script += "wait\n"
        for i, name in enumerate(names):
            clients[1].append(name, message(i, 4096, f"new-{name}"))


def many(count, messages, size):
    return {("INBOX" if i == 0 else f"Box{i:03}"): (messages, size) for i in range(count)}


def scenarios(quick):
    """Those of the table; @quick: the same, in small."""
    n = 10 if quick else 1
    kib4, mib = 4096, 1 << 20
    inbox = {"INBOX": (10_000 // n, kib4)}
    boxes = 300 // n
    small = {"INBOX": (10_000 // n, 1000)}
    return {
        "copy": FirstCopy("first copy, 10,000 x 4 KiB", inbox, bounds={"wall/limit": 1.3, "cpu/interimap": 0.25}),
        "copy-20": FirstCopy("first copy, 20 mailboxes x 500", many(20, 500 // n, kib4), bounds={"wall/limit": 1.3}),
        "copy-tls": FirstCopy("first copy, 10,000 x 4 KiB, TLS", inbox, tls=True, bounds={"wall/limit": 1.3}),
        "copy-5m": FirstCopy("first copy, 200 x 5 MiB", {"INBOX": (200 // n, 5 * mib)},
                             bounds={"wall/limit": 1.15, "MiB": 24}),
        "copy-200m": FirstCopy("one message of 200 MiB", {"INBOX": (1, 200 * mib // n)},
                               bounds={"wall/limit": 1.3, "MiB": 24}),
        "copy-mixed": Mixed("first copy, 20 mailboxes x 250, mixed", many(20, 250 // n, kib4)),
        "noop": Nothing("nothing to do, 300 mailboxes", many(boxes, 10, 500), bounds={"wall/limit": 2}),
        "flags": Flags("5,000 of 10,000 flags changed", small, 5000 // n, bounds={"wall/limit": 2}),
        "expunge": Expunge("3,000 of 10,000 expunged", small, 3000 // n, bounds={"wall/limit": 2}),
        "moves": Moves("1,000 of 2,000 x 4 KiB moved", {"INBOX": (2000 // n, kib4), "Box": (0, 0)}, 1000 // n,
                       bounds={"wall/limit": 3}),
        "down-40": FirstCopy("copy down, 2,000 x 4 KiB, 40 ms", {"INBOX": (2000 // n, kib4)}, rtt=40,
                             bounds={"wall/limit": 1.4}),
        "up-40": FirstCopy("copy up, 2,000 x 4 KiB, 40 ms", {"INBOX": (2000 // n, kib4)}, 0, rtt=40,
                           bounds={"wall/limit": 1.5}),
        "flags-40": Flags("5,000 flags to store, 40 ms", small, 5000 // n, 0, rtt=40, bounds={"wall/limit": 1.5}),
        "noop-40": Nothing("nothing to do, 300 mailboxes, 40 ms", many(boxes, 10, 500), rtt=40,
                           bounds={"wall/limit": 1.2}),
        "new-100-40": NewInMany("one new in 100 of 300, 40 ms", many(boxes, 10, 500), 100 // n, rtt=40,
                                bounds={"wall/interimap": 0.06}),
    }  # fmt: skip
