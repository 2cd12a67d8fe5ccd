# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes and messages of every sort, the same for the same seed."""

import base64
import random
import textwrap
from dataclasses import replace

from .imap import Message, quote

_WORDS = (
    "mail server flag mailbox letter answer quick brown fox stamp envelope postman archive draft "
    "sent reply forward subject header body wire literal sequence number water tower Zürich café "
    "naïve Straße Привет 日本 gruß"
).split()

KEYWORDS = ("$Forwarded", "$MDNSent", "Junk", "NonJunk", "$label1", "work", "a+b", "1", "todo'x", "NIL")
SYSTEM_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft")

# Within and outside what a 32-bit time_t holds; zones other than ours; the days when clocks change.
ODD_DATES = (
    "01-Jan-1970 00:00:01 +0000", "19-Jan-2038 03:14:06 +0000", "29-Feb-2000 23:59:59 -1200",
    "31-Dec-1999 23:59:59 +1400", "25-Mar-2018 02:30:00 +0100", " 1-Jul-2012 00:00:00 +0530",
    "01-Jan-1960 12:00:00 +0000", "01-Jan-2040 00:00:00 +0000", "14-Dec-1901 00:00:00 +0000",
)  # fmt: skip

_NAMES = (
    "INBOX", "Archive", "Archive/2019", "Archive/2019/Summer", "Sent Messages", "Drafts", "Trash",
    "Entwürfe", "Entwürfe/Über uns", "Lists/imap protocol", "Lists/R&D", "日本語", "日本語/メール", "tilde~ and & more",
    'He said "no"', "It's", "[Gmail]/All Mail", "UPPER/lower/MiXed", "Семья", "a-b_c+d=e,f;g#h!",
)  # fmt: skip
# Without what Cyrus refuses in names.
_PLAIN_NAMES = {'He said "no"': "He said no", "a-b_c+d=e,f;g#h!": "a-b_c+d=e,f#g"}


def mailbox_names(count=20, plain=False):
    names = [(_PLAIN_NAMES.get(n, n) if plain else n) for n in _NAMES[:count]]
    return names + [f"More/Box {i}" for i in range(len(names), count)]


def _text(r, lines, eight_bit=False):
    out = []
    for _ in range(lines):
        words = [r.choice(_WORDS if eight_bit else _WORDS[:21]) for _ in range(r.randint(3, 11))]
        out.append(" ".join(words))
    return out


def _zone_date(r):
    year, month = r.randint(1995, 2025), r.choice("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
    zone = r.choice(("+0000", "+0100", "-0700", "+0530", "+0900", "-0330"))
    return f"{r.randint(1, 28):02}-{month}-{year} {r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02} {zone}"


def _message(headers, body, end=True):
    """@headers, @body: lines, str or bytes."""
    raw = [h if isinstance(h, bytes) else h.encode() for h in headers]
    raw += [b"", *(b if isinstance(b, bytes) else b.encode() for b in body)]
    return b"\r\n".join(raw) + (b"\r\n" if end else b"")


class Mixer:
    """Makes messages; every one is unique unless it is meant to be a copy."""

    def __init__(self, seed):
        self.r = random.Random(f"imapsync {seed}")
        self.seed, self.count, self.last_id = seed, 0, "<first@seed.example>"

    def headers(self, subject=None, message_id=True):
        self.count += 1
        r = self.r
        lines = [
            f"Received: from h{r.randrange(999)}.example by mx.example; Mon, 1 Jan 2018 00:00:00 +0000",
            f"From: {r.choice(('Ann', 'Bob', 'Cleo'))} <u{r.randrange(99)}@example.org>",
            "To: someone@example.net",
            f"Subject: {subject or ' '.join(_text(r, 1))}",
            f"X-Seed: {self.seed}.{self.count}",
        ]
        if r.random() < 0.9:
            lines.append("Date: Tue, 10 Jul 2018 10:%02d:%02d +0200" % (r.randrange(60), r.randrange(60)))
        if message_id:
            self.last_id = f"<{self.seed}.{self.count}.{r.getrandbits(48):x}@seed.example>"
            lines.append(f"Message-ID: {self.last_id}")
        return lines

    def small(self):
        return _message(self.headers(), _text(self.r, self.r.randint(1, 30)))

    def eight_bit(self):
        raw = "Überraschung für Jürgen – ça va".encode(self.r.choice(("utf-8", "cp1252")), "replace")
        headers = [*self.headers(), b"X-Raw: " + raw, "MIME-Version: 1.0",
                   "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]  # fmt: skip
        return _message(headers, [*_text(self.r, self.r.randint(2, 40), True), raw, bytes(range(128, 256))])

    def attachment(self, size=None):
        size = size or int(10 ** self.r.uniform(3.5, 5.4))
        mark = f"=_{self.r.getrandbits(64):x}"
        data = base64.encodebytes(self.r.randbytes(size)).replace(b"\n", b"\r\n").rstrip()
        headers = [*self.headers(), "MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{mark}"']
        body = ["preamble", f"--{mark}", "Content-Type: text/plain", "", *_text(self.r, 5), f"--{mark}",
                "Content-Type: application/octet-stream; name*=utf-8''%C3%BCber.bin",
                "Content-Transfer-Encoding: base64", "", data, f"--{mark}--"]  # fmt: skip
        return _message(headers, body)

    def long_lines(self):
        return _message(self.headers(), ["x" * self.r.randint(998, 20000) + str(self.count), "short"])

    def no_id(self):
        return _message(self.headers(message_id=False), _text(self.r, 4))

    def same_id(self):
        headers = [h for h in self.headers(message_id=False)] + [f"Message-ID: {self.last_id}"]
        return _message(headers, _text(self.r, self.r.randint(1, 9)))

    def empty_body(self):
        return _message(self.headers("no body"), [], end=self.r.random() < 0.5)

    def headers_only(self):
        return b"\r\n".join(h.encode() for h in self.headers("no blank line")) + b"\r\n"

    def no_final_newline(self):
        return _message(self.headers(), ["the last line has no end"], end=False)

    def big_header(self):
        folded = "\r\n".join(" " + "y" * 70 for _ in range(2800))
        return _message([*self.headers(), "X-Big:" + folded], ["after 200 kB of header"])

    def many_headers(self):
        return _message([*self.headers(), *(f"X-{i}: {self.r.random()}" for i in range(300))], ["many headers"])

    def dots(self):
        return _message(self.headers(), [".", "..", ".leading", "From the beginning of a line", ">From quoted",
                                         "\x1a", "tab\there", " ", "-- ", "{100}", "a OK FETCH completed)"])  # fmt: skip

    def from_line(self):
        return b"From someone Mon Jan  1 00:00:00 2018\r\n" + _message(self.headers(), ["mbox line first"])

    def folded(self):
        headers = [*self.headers(), "References: <1@x>", "\t<2@x>", "   <3@x>", "Subject: a second subject"]
        return _message(headers, textwrap.wrap(" ".join(_text(self.r, 9)), 60))

    KINDS = (
        (500, small), (120, eight_bit), (45, attachment), (25, long_lines), (60, no_id), (40, same_id),
        (25, empty_body), (12, headers_only), (15, no_final_newline), (2, big_header), (8, many_headers),
        (40, dots), (8, from_line), (70, folded),
    )  # fmt: skip

    def message(self):
        r = self.r
        kind = r.choices([k for _, k in self.KINDS], [w for w, _ in self.KINDS])[0]
        flags = [f for f in SYSTEM_FLAGS if r.random() < 0.3]
        flags += r.sample(KEYWORDS, r.choice((0, 0, 0, 1, 1, 2, 4)))
        date = r.choice(ODD_DATES) if r.random() < 0.03 else _zone_date(r)
        return Message(kind(self), tuple(flags), date)

    def messages(self, count):
        """@count messages; about one in forty is there twice, byte for byte."""
        made = []
        while len(made) < count:
            made.append(self.message())
            if len(made) < count and self.r.random() < 0.025:
                twin = made[-1]
                other_flags = self.r.random() < 0.5
                made.append(Message(twin.body, () if other_flags else twin.flags, twin.date))
        return made


def fill(server, user, content, subscribe=True):
    """Puts {mailbox: [Message]} into the store of @user, creating what lacks. The names' levels are
    separated by "/" here, whatever the server's delimiter is."""
    with server.connect(user) as client:
        there = client.list()
        names = {name: name.replace("/", client.delimiter or "/") for name in content}
        client.pipeline([("CREATE", quote(n)) for n in names.values() if n not in there])
        if subscribe:
            client.subscribe(*names.values())
        for name, messages in content.items():
            if server.kind == "cyrus":  # it refuses dates before 1970
                messages = [m if m.date != "14-Dec-1901 00:00:00 +0000" and "-1960" not in (m.date or "")
                            else replace(m, date=None) for m in messages]  # fmt: skip
            client.append(names[name], *messages)


def _shares(r, names, messages):
    """{mailbox: number of messages}: few large ones, many small ones, none empty if there is enough."""
    counts = {name: 1 if messages >= len(names) else 0 for name in names}
    weights = [1 / (i + 1) for i in range(len(names))]
    for name in r.choices(names, weights, k=messages - sum(counts.values())):
        counts[name] += 1
    return counts


def seed(server, user, mailboxes=20, messages=5000, seed=1):
    """One populated store. Returns {mailbox: number of messages}."""
    mixer = Mixer(seed)
    content = {name: [] for name in mailbox_names(mailboxes, server.kind == "cyrus")}
    names = list(content)
    for name, count in _shares(mixer.r, names, messages).items():
        content[name] = mixer.messages(count)
    fill(server, user, content)
    return {name: len(v) for name, v in content.items()}


def seed_both(sides, mailboxes=20, messages=5000, seed=1, common=0.02):
    """Spreads them over two sides [(server, user), (server, user)]: mailboxes on both or on one
    only, messages on one side or, @common of them, on both (then with flags of their own)."""
    mixer = Mixer(seed)
    r = mixer.r
    plain = any(server.kind == "cyrus" for server, _ in sides)
    names = mailbox_names(mailboxes, plain)
    where = {n: (0, 1) if n == "INBOX" else r.choice(((0, 1), (0, 1), (0,), (1,))) for n in names}
    contents = [{n: [] for n in names if side in where[n]} for side in (0, 1)]
    for name, count in _shares(r, names, messages).items():
        for message in mixer.messages(count):
            first = r.choice(where[name])
            contents[first][name].append(message)
            # A date after 2038 becomes the moment of the APPEND, another one on each server.
            if len(where[name]) == 2 and r.random() < common and "2040" not in message.date:
                flags = tuple(f for f in SYSTEM_FLAGS if r.random() < 0.3)
                contents[1 - first][name].append(Message(message.body, flags, message.date))
    for (server, user), content in zip(sides, contents):
        fill(server, user, content)
    return contents


def simple(subject, body="text", flags=(), date="07-Jul-2020 09:44:25 +0000", message_id=None):
    """One small message with a Message-ID made from its subject, for tests that name theirs."""
    message_id = message_id or f"<{subject.replace(' ', '.')}@simple.example>"
    lines = [f"From: a@example.org\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\n\r\n{body}\r\n"]
    return Message("".join(lines).encode(), tuple(flags), date)
