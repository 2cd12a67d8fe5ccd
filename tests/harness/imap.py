# SPDX-License-Identifier: GPL-3.0-or-later
"""A small, fast IMAP client for tests: over TCP, TLS or a command's pipes.

Mailbox names go in and come out as ordinary strings (modified UTF-7 is done here), with the
server's delimiter between the levels. Strings from the wire are bytes, atoms are str."""

import base64
import calendar
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass, field

from . import place

_TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|((?:[^\s()"\[]|\[[^\]\r\n]*\]|\[)+))')
_LITERAL = re.compile(rb"~?\{(\d+)\+?\}\r\n\Z")
_STATUS = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DATE = re.compile(r"\s*(\d+)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
DEBUG = False


class ImapError(Exception):
    """A NO or a BAD; `reply` has the whole answer."""

    def __init__(self, message, reply=None):
        super().__init__(message)
        self.reply = reply


class Disconnected(ImapError):
    pass


def encode_name(name):
    """Modified UTF-7 (RFC 3501, section 5.1.3)."""
    out, pending = [], []

    def flush():
        if pending:
            raw = base64.b64encode("".join(pending).encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(b"&" + raw + b"-")
            pending.clear()

    for c in name:
        if " " <= c <= "~":
            flush()
            out.append(b"&-" if c == "&" else c.encode())
        else:
            pending.append(c)
    flush()
    return b"".join(out)


def decode_name(wire):
    def piece(match):
        raw = match.group(1)
        if not raw:
            return "&"
        return base64.b64decode(raw.replace(",", "/") + "=" * (-len(raw) % 4)).decode("utf-16-be")

    return re.sub(r"&([^-]*)-", piece, wire.decode("latin-1"))


def quote(name):
    """A mailbox name for the wire, quoted."""
    raw = encode_name(name) if isinstance(name, str) else name
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def uid_set(uids):
    """1,2,3,7 -> "1:3,7"."""
    ranges = []
    for uid in sorted(set(uids)):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(f"{a}" if a == b else f"{a}:{b}" for a, b in ranges)


def uid_list(text):
    """ "1:3,7" -> [1, 2, 3, 7], in the order of the wire."""
    uids = []
    for part in text.split(",") if text else []:
        first, _, last = part.partition(":")
        first, last = int(first), int(last or first)
        uids += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return uids


def date_to_epoch(text):
    m = _DATE.match(text)
    if not m:
        raise ValueError(f"not a date-time: {text!r}")
    day, month, year, hour, minute, second, sign, zh, zm = m.groups()
    zone = (int(zh) * 60 + int(zm)) * 60 * (1 if sign == "+" else -1)
    moment = (int(year), _MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), int(second))
    return calendar.timegm(moment) - zone


@dataclass
class Message:
    """A message to append: `date` is an IMAP date-time (without the quotes) or None for now."""

    body: bytes
    flags: tuple = ()
    date: str = None


@dataclass
class Mailbox:
    """One line of LIST with its STATUS."""

    name: str
    attributes: set
    delimiter: str
    status: dict = field(default_factory=dict)

    @property
    def selectable(self):
        return not self.attributes & {"\\noselect", "\\nonexistent"}

    @property
    def subscribed(self):
        return "\\subscribed" in self.attributes


class Response:
    """One response line with its literals. `kind` is "*", "+" or a tag; `name` the word that says
    what it is; `number` what stands before FETCH, EXISTS...; `code` the inside of [...]."""

    __slots__ = ("parts", "kind", "name", "number", "_tokens")

    def __init__(self, parts):
        self.parts = parts
        words = parts[0].split(None, 3)
        self.kind = words[0].decode("latin-1") if words else ""
        self.number, self.name, self._tokens = None, "", None
        if self.kind == "*" and len(words) > 1 and words[1].isdigit():
            self.number = int(words[1])
            words = words[1:]
        if len(words) > 1:
            self.name = words[1].decode("latin-1").upper()

    @property
    def line(self):
        return b"{literal}".join(self.parts[::2]).decode("utf-8", "replace").rstrip("\r\n")

    @property
    def code(self):
        m = re.match(rb"\S+ (?:OK|NO|BAD|BYE|PREAUTH) \[([^\]]*)\]", self.parts[0], re.I)
        return m.group(1).decode("latin-1") if m else None

    def code_value(self, name):
        code = self.code or ""
        word, _, rest = code.partition(" ")
        return rest if word.upper() == name else None

    @property
    def tokens(self):
        """What follows the name, as nested lists."""
        if self._tokens is None:
            self._tokens = self._parse()
        return self._tokens

    def _parse(self):
        stack = [[]]
        for index, part in enumerate(self.parts):
            if index % 2:
                stack[-1].append(part)
                continue
            cut = _LITERAL.search(part)
            end = cut.start() if cut and index + 1 < len(self.parts) else len(part)
            position = 0
            while match := _TOKEN.match(part, position, end):
                position = match.end()
                if match.lastindex == 4:
                    stack[-1].append(match.group(4).decode("latin-1"))
                elif match.lastindex == 3:
                    stack[-1].append(re.sub(rb"\\(.)", rb"\1", match.group(3)))
                elif match.lastindex == 1:
                    stack.append([])
                elif len(stack) > 1:
                    done = stack.pop()
                    stack[-1].append(done)
        return stack[0][3 if self.number is not None else 2 :]

    def fetch(self):
        """The items of a FETCH: UID and MODSEQ as int, FLAGS as set, bodies as bytes."""
        items = self.tokens[0]
        result = {}
        for key, value in zip(items[::2], items[1::2]):
            key = key.upper()
            if key in ("UID", "RFC822.SIZE"):
                value = int(value)
            elif key == "MODSEQ":
                value = int(value[0])
            elif key == "FLAGS":
                value = frozenset(value)
            elif key == "INTERNALDATE":
                value = date_to_epoch(value.decode())
            result[key] = value
        return result


@dataclass
class Reply:
    """The answer to one command: its tagged line and all that came untagged before it."""

    tagged: Response
    untagged: list

    @property
    def status(self):
        return self.tagged.name

    @property
    def ok(self):
        return self.status == "OK"

    @property
    def line(self):
        return self.tagged.line

    def all(self, name):
        return [r for r in self.untagged if r.name == name]

    def value(self, code):
        """The value of a response code, from the tagged line or an untagged one; else None."""
        for response in [self.tagged, *reversed(self.untagged)]:
            value = response.code_value(code)
            if value is not None:
                return value
        return None


class Client:
    def __init__(self, reader, send, close, tls=False):
        self._reader, self._send, self._close, self.tls = reader, send, close, tls
        self._count = 0
        self._pending = {}
        self.capabilities = set()
        self.delimiter = None
        self.enabled = set()
        self.greeting = self.read()
        self._note(self.greeting)

    # Connections

    @classmethod
    def tcp(cls, host, port, tls=None, starttls=False, timeout=120, name="localhost"):
        """@tls: an ssl.SSLContext, or None for plain text."""
        raw = socket.create_connection((host, port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls and not starttls:
            raw = tls.wrap_socket(raw, server_hostname=name)
        client = cls._on_socket(raw, bool(tls) and not starttls)
        if starttls:
            client.command("STARTTLS")
            client._reader.close()
            secure = (tls or ssl.create_default_context()).wrap_socket(raw, server_hostname=name)
            client._use(secure)
            client.tls = True
            client.capability()
        return client

    def _use(self, sock):
        self._reader = sock.makefile("rb", 1 << 18)
        self._send = sock.sendall

        def close():
            self._reader.close()
            sock.close()

        self._close = close

    @classmethod
    def _on_socket(cls, sock, tls):
        reader = sock.makefile("rb", 1 << 18)

        def close():
            reader.close()
            sock.close()

        return cls(reader, sock.sendall, close, tls)

    @classmethod
    def tunnel(cls, command):
        """Speaks with the standard input and output of @command (a line for the shell)."""
        process = place.spawn(["/bin/sh", "-c", f"exec {command}" if command.startswith(("env ", "setpriv ")) else command],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              bufsize=1 << 18)  # fmt: skip

        def send(data):
            process.stdin.write(data)
            process.stdin.flush()

        def close():
            for stream in (process.stdin, process.stdout):
                try:
                    stream.close()
                except OSError:
                    pass
            place.stop(process, 5)

        return cls(process.stdout, send, close, True)

    def close(self):
        if self._close:
            self._close()
            self._close = None

    def logout(self):
        try:
            if self._close:
                self.command("LOGOUT")
        except (ImapError, OSError):
            pass
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.logout()

    # The wire

    def read(self):
        """The next response line, whatever it is."""
        parts = []
        while True:
            line = self._reader.readline()
            if not line.endswith(b"\r\n"):
                raise Disconnected(f"the server closed the connection (after {line!r})")
            parts.append(line)
            match = _LITERAL.search(line)
            if not match:
                break
            size = int(match.group(1))
            data = self._reader.read(size)
            if len(data) != size:
                raise Disconnected("the server closed the connection in a literal")
            parts.append(data)
        if DEBUG:
            print("S:", Response(parts).line[:300])
        return Response(parts)

    def _note(self, response):
        code = response.code or ""
        if code.upper().startswith("CAPABILITY "):
            self.capabilities = set(code.upper().split()[1:])
        elif response.kind == "*" and response.name == "CAPABILITY":
            self.capabilities = {str(t).upper() for t in response.tokens}
        elif response.kind == "*" and response.name == "ENABLED":
            self.enabled |= {str(t).upper() for t in response.tokens}

    def send(self, *parts):
        """Queues one command: str and bytes go out as they are, a tuple (bytes,) as a literal.
        Returns the tag; see wait()."""
        self._count += 1
        tag = f"h{self._count}"
        out = [tag.encode()]
        for part in parts:
            if isinstance(part, tuple):
                data = part[0]
                if "LITERAL+" in self.capabilities:
                    out.append(b" {%d+}\r\n" % len(data))
                else:
                    out.append(b" {%d}\r\n" % len(data))
                    self._write(out)
                    out = []
                    while (response := self.read()).kind != "+":
                        if response.kind == tag:
                            raise ImapError(response.line)
                out.append(data)
            else:
                out += [b" ", part.encode() if isinstance(part, str) else part]
        out.append(b"\r\n")
        self._write(out)
        self._pending[tag] = None
        return tag

    def _write(self, out):
        data = b"".join(out)
        if DEBUG:
            print("C:", data[:300])
        self._send(data)

    def wait(self, tag):
        """The Reply to @tag; what comes untagged meanwhile belongs to it."""
        untagged = []
        while self._pending[tag] is None:
            response = self.read()
            self._note(response)
            if response.kind in ("*", "+"):
                untagged.append(response)
                if response.kind == "*" and response.name == "BYE" and "LOGOUT" not in self._bye_expected:
                    raise Disconnected(response.line)
            elif response.kind in self._pending:
                self._pending[response.kind] = response
            else:
                raise ImapError(f"unknown tag: {response.line}")
        return Reply(self._pending.pop(tag), untagged)

    _bye_expected = ()

    def command(self, *parts, check=True):
        if parts and parts[0] == "LOGOUT":
            self._bye_expected = ("LOGOUT",)
        reply = self.wait(self.send(*parts))
        if check and not reply.ok:
            shown = " ".join(p if isinstance(p, str) else "{…}" if isinstance(p, tuple) else p.decode("latin-1")
                             for p in parts)  # fmt: skip
            raise ImapError(f"{shown[:200]}: {reply.line}", reply)
        return reply

    def pipeline(self, commands, check=True):
        """Sends all of @commands (tuples of parts without synchronizing literals) in one write; list
        of Reply."""
        write, out = self._write, []
        self._write = out.extend
        tags = [self.send(*c) for c in commands]
        self._write = write
        if out:
            self._write(out)
        replies = [self.wait(tag) for tag in tags]
        for reply in replies if check else []:
            if not reply.ok:
                raise ImapError(reply.line, reply)
        return replies

    # Commands

    def capability(self):
        self.command("CAPABILITY")
        return self.capabilities

    def login(self, user, password="pass"):
        if self.greeting.name != "PREAUTH":
            self.command("LOGIN", quote(user.encode()), quote(password.encode()))
            if not {"UIDPLUS"} & self.capabilities:
                self.capability()
        return self

    def enable(self, *names):
        return self.command("ENABLE", *names)

    def list(self, pattern="*", status="", selection=""):
        """{name: Mailbox}, each with `status` items where asked for ("MESSAGES UIDNEXT ...")."""
        options = "SUBSCRIBED" + (f" STATUS ({status})" if status else "")
        parts = ["LIST", *([f"({selection})"] if selection else []), '""', quote(pattern), f"RETURN ({options})"]
        reply = self.command(*parts)
        found = {}
        for r in reply.all("LIST"):
            attributes, delimiter, name = r.tokens[:3]
            name = decode_name(name if isinstance(name, bytes) else name.encode("latin-1"))
            if name.upper() == "INBOX":
                name = "INBOX"
            delimiter = None if delimiter == "NIL" else delimiter.decode()
            found[name] = Mailbox(name, {a.lower() for a in attributes}, delimiter)
            self.delimiter = delimiter or self.delimiter
        for r in reply.all("STATUS"):
            name, items = _status(r)
            if name in found:
                found[name].status = items
        return found

    def subscriptions(self):
        return set(self.list(selection="SUBSCRIBED"))

    def status(self, mailbox, items="MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ"):
        return _status(self.command("STATUS", quote(mailbox), f"({items})").all("STATUS")[-1])[1]

    def create(self, mailbox, subscribe=True):
        self.command("CREATE", quote(mailbox))
        if subscribe:
            self.subscribe(mailbox)

    def delete(self, mailbox):
        self.command("DELETE", quote(mailbox))

    def rename(self, old, new):
        self.command("RENAME", quote(old), quote(new))

    def subscribe(self, *mailboxes):
        self.pipeline([("SUBSCRIBE", quote(m)) for m in mailboxes])

    def unsubscribe(self, *mailboxes):
        self.pipeline([("UNSUBSCRIBE", quote(m)) for m in mailboxes])

    def select(self, mailbox, readonly=False, options=""):
        """The Reply; reply.value("UIDVALIDITY") and so on."""
        parts = ["EXAMINE" if readonly else "SELECT", quote(mailbox), *([f"({options})"] if options else [])]
        return self.command(*parts)

    def unselect(self):
        self.command("UNSELECT")

    def uids(self, criteria="ALL"):
        tag = self.send("UID SEARCH RETURN (ALL)", criteria)
        reply = self.wait(tag)
        if not reply.ok:
            raise ImapError(reply.line, reply)
        for r in reply.all("ESEARCH"):
            tokens = r.tokens
            if "ALL" in tokens:
                return uid_list(tokens[tokens.index("ALL") + 1])
        return []

    def fetch(self, uids="1:*", items="(FLAGS INTERNALDATE BODY.PEEK[])"):
        """{uid: items}; several FETCH of one UID are merged."""
        text = uids if isinstance(uids, str) else uid_set(uids)
        found = {}
        if text:
            for r in self.command("UID FETCH", text, items).all("FETCH"):
                data = r.fetch()
                if "UID" in data:
                    found.setdefault(data["UID"], {}).update(data)
        return found

    def flags(self, uids="1:*"):
        """{uid: flags without \\Recent}."""
        return {uid: item["FLAGS"] - {"\\Recent"} for uid, item in self.fetch(uids, "(UID FLAGS)").items()}

    def store(self, uids, operation, *flags):
        """operation: "+", "-" or "" (replace)."""
        text = uids if isinstance(uids, str) else uid_set(uids)
        return self.command("UID STORE", text, f"{operation}FLAGS.SILENT", f"({' '.join(flags)})")

    def expunge(self, uids):
        """\\Deleted and UID EXPUNGE."""
        self.store(uids, "+", "\\Deleted")
        return self.command("UID EXPUNGE", uids if isinstance(uids, str) else uid_set(uids))

    def copy(self, uids, mailbox):
        return self.command("UID COPY", uid_set(uids), quote(mailbox))

    def move(self, uids, mailbox):
        return self.command("UID MOVE", uid_set(uids), quote(mailbox))

    def append(self, mailbox, *messages, batch_bytes=4 << 20, batch_count=500):
        """Appends Message or bytes, with MULTIAPPEND where offered; the new UIDs in order."""
        messages = [m if isinstance(m, Message) else Message(m) for m in messages]
        if "MULTIAPPEND" not in self.capabilities:
            batch_count = 1
        uids, batch, size = [], [], 0
        for message in messages:
            if batch and (size + len(message.body) > batch_bytes or len(batch) >= batch_count):
                uids += self._append(mailbox, batch)
                batch, size = [], 0
            batch.append(message)
            size += len(message.body)
        return uids + (self._append(mailbox, batch) if batch else [])

    def _append(self, mailbox, batch):
        parts = ["APPEND", quote(mailbox)]
        for m in batch:
            parts.append(f"({' '.join(m.flags)})")
            if m.date:
                parts.append(f'"{m.date}"')
            parts.append((m.body,))
        value = self.command(*parts).value("APPENDUID")
        return uid_list(value.split()[1]) if value else []


def _status(response):
    name, items = response.tokens[:2]
    name = decode_name(name if isinstance(name, bytes) else name.encode("latin-1"))
    return ("INBOX" if name.upper() == "INBOX" else name), dict(zip(items[::2], map(int, items[1::2])))
