# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete comparison of two servers: mailboxes, subscriptions, and in each mailbox the multiset
of (bytes of the body, flags, INTERNALDATE)."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from . import tolerances

_EIGHT_BIT = bytes(range(128)) + b"X" * 128


@dataclass(frozen=True)
class Record:
    digest: bytes
    flags: frozenset
    date: int
    masked: bytes = field(default=b"", compare=False, hash=False)
    uid: int = field(default=0, compare=False, hash=False)
    subject: str = field(default="", compare=False, hash=False)
    size: int = field(default=0, compare=False, hash=False)

    def __str__(self):
        flags = " ".join(sorted(self.flags)) or "no flags"
        return f"UID {self.uid} ({self.subject!r}, {self.size} bytes, {flags}, date {self.date})"


@dataclass
class Snapshot:
    """One side. Names are tuples of levels, so that delimiters do not matter."""

    mailboxes: dict
    subscribed: set
    kind: str = "dovecot"
    status: dict = field(default_factory=dict)

    def counts(self, masked=False):
        """{mailbox: Counter of digests}; @masked: without the 8-bit bytes of headers."""
        return {name: Counter(r.masked if masked else r.digest for r in records)
                for name, records in self.mailboxes.items()}  # fmt: skip

    def total(self):
        return sum(map(len, self.mailboxes.values()))


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def record(uid, item):
    body = item.get("BODY[]") or b""
    if isinstance(body, str):  # NIL
        body = b""
    head, separator, rest = body.partition(b"\r\n\r\n")
    digest = _digest(body)
    masked = digest if head.isascii() else _digest(head.translate(_EIGHT_BIT) + separator + rest)
    start = head.find(b"Subject: ")
    subject = head[start + 9 : start + 49].partition(b"\r")[0].decode("utf-8", "replace") if start >= 0 else ""
    flags = frozenset(f.lower() for f in item["FLAGS"]) - {"\\recent"}
    return Record(digest, flags, item["INTERNALDATE"], masked, uid, subject, len(body))


def levels(name, delimiter):
    parts = tuple(name.split(delimiter)) if delimiter else (name,)
    return ("INBOX", *parts[1:]) if parts[0].upper() == "INBOX" else parts


def snapshot(server, user, mailboxes=None):
    """Reads everything of @user; @mailboxes (names with "/" between levels) limits it."""
    wanted = None if mailboxes is None else {levels(m, "/") for m in mailboxes}
    with server.connect(user) as client:
        listed = client.list(status="MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ")
        delimiter = client.delimiter
        found, status = {}, {}
        for name, mailbox in listed.items():
            key = levels(name, delimiter)
            if not mailbox.selectable or not mailbox.status or (wanted is not None and key not in wanted):
                continue
            status[key] = mailbox.status
            found[key] = []
            # Cyrus' STATUS may speak of a mailbox that had the name before.
            if mailbox.status["MESSAGES"] or server.kind == "cyrus":
                client.select(name, readonly=True)
                found[key] = [record(uid, item) for uid, item in client.fetch().items()]
        subscribed = {levels(n, delimiter) for n in client.subscriptions()}
    if wanted is not None:
        subscribed &= wanted
    return Snapshot(found, subscribed, server.kind, status)


def _name(key):
    return repr("/".join(key))


def _records(name, left, right, kinds, labels):
    """The differences in one mailbox."""
    excess = [[], []]
    counts = Counter(left), Counter(right)
    for side, records in enumerate((left, right)):
        spare = counts[side] - counts[1 - side]
        for r in reversed(records):  # the later ones of equal messages are the surplus
            if spare[r] > 0:
                spare[r] -= 1
                excess[side].append(r)
    others = defaultdict(list)
    for r in excess[1]:
        others[r.masked].append(r)
    lines = []
    for a in sorted(excess[0], key=lambda r: r.uid):
        candidates = others[a.masked]
        match = next((b for b in candidates if tolerances.equal(a, b, kinds)), None)
        if match is None and candidates:
            match = candidates[0]
            lines.append(f"{name}: {labels[0]} has {a}, {labels[1]} has {match}")
        elif match is None:
            lines.append(f"{name}: only {labels[0]} has {a}")
        if match is not None:
            candidates.remove(match)
    lines += [f"{name}: only {labels[1]} has {b}" for group in others.values() for b in group]
    return lines


def differences(left, right, labels=("local", "remote"), subscriptions=True):
    """Readable lines, one for each difference; empty when both are the same."""
    lines = []
    kinds = (left.kind, right.kind)
    for side, (a, b) in enumerate(((left, right), (right, left))):
        for key in sorted(a.mailboxes.keys() - b.mailboxes.keys()):
            if tolerances.made_parent(key, a, b):
                continue
            lines.append(f"mailbox {_name(key)} ({len(a.mailboxes[key])} messages): only {labels[side]} has it")
        if subscriptions:
            for key in sorted(a.subscribed - b.subscribed):
                lines.append(f"mailbox {_name(key)}: subscribed only on {labels[side]}")
    for key in sorted(left.mailboxes.keys() & right.mailboxes.keys()):
        lines += _records(_name(key), left.mailboxes[key], right.mailboxes[key], kinds, labels)
    return lines


def report(lines, limit=25):
    more = f"\n  ... and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"{len(lines)} difference(s):\n  " + "\n  ".join(lines[:limit]) + more


def union(left, right, masked=False):
    """What both must hold after a first run: {mailbox: Counter of digests}, where the same message on
    both sides is one message."""
    counts = left.counts(masked)
    for name, other in right.counts(masked).items():
        counts[name] = counts.get(name, Counter()) | other
    return counts


def count_differences(expected, got):
    """Lost and doubled messages: two {mailbox: Counter of digests} compared."""
    lines = []
    for name in sorted(expected.keys() | got.keys()):
        want, have = expected.get(name, Counter()), got.get(name, Counter())
        if lost := sum((want - have).values()):
            lines.append(f"{_name(name)}: {lost} of {sum(want.values())} messages lost")
        if extra := sum((have - want).values()):
            lines.append(f"{_name(name)}: {extra} messages too many (expected {sum(want.values())})")
    return lines


def fingerprint(server, user):
    """All numbers that any change on the server would move: {mailbox: (UIDVALIDITY, UIDNEXT,
    HIGHESTMODSEQ, MESSAGES)} and the subscriptions."""
    with server.connect(user) as client:
        listed = client.list(status="MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ")
        # \\Subscribed in this LIST is not to be believed: Dovecot leaves it out for a new store's INBOX.
        return {name: tuple(sorted(m.status.items())) for name, m in listed.items()}, client.subscriptions()
