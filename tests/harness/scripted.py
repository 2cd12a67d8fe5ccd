# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that does what a test says, for what no real server can be made to do.

    server = Scripted([(r"SELECT", "{tag} NO [SERVERBUG] not today"), (r"LIST", CLOSE)])

Rules are tried in order, the regular expression against the command without its tag, in any case
of letters; what no rule names is answered by a small well-behaved server (DEFAULTS). An answer is
text ({tag} is filled in, line ends become CRLF), bytes as they are, CLOSE, SILENCE, a function
(connection, tag, line) -> answer, or a list of these. A rule (regex, answer, n) applies n times."""

import base64
import re
import socket
import ssl
import threading
import zlib

from . import place

CLOSE, SILENCE = object(), object()
CAPABILITIES = (
    "IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ MULTIAPPEND UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "CONDSTORE QRESYNC ESEARCH LIST-STATUS MOVE NOTIFY AUTH=PLAIN AUTH=LOGIN"
)
_STATUS = "(MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1000 HIGHESTMODSEQ 1)"
SELECTED = """\
* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] ok
* 0 EXISTS
* 0 RECENT
* OK [UIDVALIDITY 1000] ok
* OK [UIDNEXT 1] ok
* OK [HIGHESTMODSEQ 1] ok
{tag} OK [READ-WRITE] selected"""


def _authenticate(connection, tag, line):
    words = line.split()
    if words[1].upper() == "LOGIN":
        for prompt in ("Username:", "Password:"):
            if prompt == "Username:" and len(words) > 2:
                continue
            connection.send("+ " + base64.b64encode(prompt.encode()).decode())
            connection.read_line()
    elif len(words) < 3:
        connection.send("+ ")
        connection.read_line()
    return "{tag} OK [CAPABILITY %s] logged in" % connection.capabilities


def _list(connection, tag, line):
    mailbox = '* LIST (\\Subscribed) "/" INBOX'
    status = f"\n* STATUS INBOX {_STATUS}" if "STATUS" in line.upper() else ""
    return f"{mailbox}{status}\n{{tag}} OK listed"


DEFAULTS = (
    (r"CAPABILITY", lambda c, t, li: f"* CAPABILITY {c.capabilities}\n{{tag}} OK done"),
    (r"STARTTLS", lambda c, t, li: c.start_tls()),
    (r"LOGIN", lambda c, t, li: "{tag} OK [CAPABILITY %s] logged in" % c.capabilities),
    (r"AUTHENTICATE", _authenticate),
    (r"ID", '* ID ("name" "Scripted")\n{tag} OK done'),
    (r"ENABLE", "* ENABLED CONDSTORE QRESYNC\n{tag} OK enabled"),
    (r"NAMESPACE", '* NAMESPACE (("" "/")) NIL NIL\n{tag} OK done'),
    (r"LIST", _list),
    (r"STATUS", f"* STATUS INBOX {_STATUS}\n{{tag}} OK done"),
    (r"SELECT|EXAMINE", SELECTED),
    (r"LOGOUT", ["* BYE until next time\n{tag} OK done", CLOSE]),
    (r"", "{tag} OK done"),
)


class _Deflated:
    """A socket and its file, as far as Connection needs them."""

    def __init__(self, sock):
        self.sock, self.inflated = sock, b""
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def sendall(self, data):
        self.sock.sendall(self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH))

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.inflated += self.inflate.decompress(data)

    def read(self, length):
        while len(self.inflated) < length:
            self.fill()
        data, self.inflated = self.inflated[:length], self.inflated[length:]
        return data

    def readline(self):
        while b"\n" not in self.inflated:
            self.fill()
        return self.read(self.inflated.index(b"\n") + 1)

    def shutdown(self, how):
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()


class Connection:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.received = b""  # every byte, without TLS
        self.commands = []  # each with its tag and literals, as text
        self.tls = False
        self.closed = threading.Event()

    @property
    def capabilities(self):
        offer = " STARTTLS" if self.server.context and not self.tls else ""
        return self.server.capabilities + offer

    def start_tls(self):
        self.send_raw(self._tag.encode() + b" OK begin TLS\r\n")
        self.secure()
        return []

    def secure(self):
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.reader = self.sock.makefile("rb")
        self.tls = True

    def compress(self):
        """RFC 4978, from here on."""
        self.send_raw(self._tag.encode() + b" OK DEFLATE active\r\n")
        self.sock = _Deflated(self.sock)
        self.reader = self.sock
        return []

    def wait_for(self, words):
        """Until @words are there to be read; of a compressed connection."""
        while words not in self.sock.inflated:
            self.sock.fill()

    def send(self, text):
        self.send_raw("".join(line + "\r\n" for line in text.split("\n")).encode())

    def send_raw(self, data):
        self.sock.sendall(data)

    def read_line(self):
        line = self.reader.readline()
        self.received += line
        if not line.endswith(b"\n"):
            raise ConnectionError("closed")
        return line.rstrip(b"\r\n").decode("utf-8", "replace")

    def _read_command(self):
        line = self.read_line()
        while match := re.search(r"\{(\d+)(\+?)\}$", line):
            if not match.group(2):
                self.send("+ go ahead")
            data = self.reader.read(int(match.group(1)))
            self.received += data
            line += "\n" + data.decode("latin-1") + self.read_line()
        return line

    def run(self):
        try:
            if self.server.implicit_tls:
                self.secure()
            else:
                self.reader = self.sock.makefile("rb")
            self._answer(self.server.greeting)
            while not self.closed.is_set():
                line = self._read_command()
                self.commands.append(line)
                self._tag, _, command = line.partition(" ")
                self._answer(self.server.answer_for(command), command)
        except (OSError, ValueError):  # cut, or closed under our feet
            pass
        finally:
            self.close()

    def _answer(self, answer, line=""):
        for part in answer if isinstance(answer, list) else [answer]:
            if callable(part):
                self._answer(part(self, getattr(self, "_tag", "*"), line), line)
            elif part is CLOSE:
                self.close()
            elif isinstance(part, bytes):
                self.send_raw(part.replace(b"{tag}", getattr(self, "_tag", "*").encode()))
            elif part is not SILENCE and part is not None:
                self.send(part.replace("{tag}", getattr(self, "_tag", "*")))

    def close(self):
        self.closed.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Scripted:
    """@certificate: a tls.Certificate; with it STARTTLS works, or TLS from the first byte when
    @implicit_tls. @greeting: an answer too. @steps: instead of rules, an exact dialogue
    [(regex, answer), ...]; a line that is not the expected one goes to `errors` and closes."""

    kind = "scripted"

    def __init__(self, rules=(), certificate=None, implicit_tls=False, greeting=None,
                 capabilities=CAPABILITIES, steps=None):  # fmt: skip
        self.rules = [list(rule) + [None] * (3 - len(rule)) for rule in rules]
        self.steps = list(steps) if steps is not None else None
        self.errors = []
        self.capabilities, self.implicit_tls = capabilities, implicit_tls
        self.greeting = greeting or (lambda c, tag, line: f"* OK [CAPABILITY {c.capabilities}] ready")
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.pem, certificate.key)
        self.connections = []
        self._lock = threading.Lock()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = place.free_port()
        self._socket.bind(("127.0.0.1", self.port))

    def start(self):
        self._socket.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock)
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def answer_for(self, command):
        with self._lock:
            if self.steps is not None:
                if not self.steps or not re.match(self.steps[0][0], command, re.I):
                    expected = self.steps[0][0] if self.steps else "nothing more"
                    self.errors.append(f"expected {expected!r}, got {command!r}")
                    return CLOSE
                return self.steps.pop(0)[1]
            for rule in self.rules:
                if rule[2] != 0 and re.match(rule[0], command, re.I):
                    if rule[2] is not None:
                        rule[2] -= 1
                    return rule[1]
        return next(answer for regex, answer in DEFAULTS if re.match(regex, command, re.I))

    def close(self):
        # shutdown() wakes the thread in accept(), close() alone does not.
        for action in (lambda: self._socket.shutdown(socket.SHUT_RDWR), self._socket.close):
            try:
                action()
            except OSError:
                pass
        for connection in self.connections:
            connection.close()

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    # What the client did

    @property
    def received(self):
        return b"".join(c.received for c in self.connections)

    @property
    def commands(self):
        """All commands without their tags."""
        return [line.partition(" ")[2] for c in self.connections for line in c.commands]

    def logins(self):
        return [c for c in self.commands if re.match(r"LOGIN|AUTHENTICATE", c, re.I)]

    def saw_secret(self, user, password):
        """Was a credential sent, plain or in base64?"""
        data = self.received
        forms = [password, base64.b64encode(password.encode()).decode(),
                 base64.b64encode(f"\0{user}\0{password}".encode()).decode()]  # fmt: skip
        return bool(self.logins()) or any(form.encode() in data for form in forms)

    def settings(self, user="user", password="secret-word", **changes):
        """A configuration section for imapsync."""
        section = {"type": "imaps" if self.implicit_tls else "imap", "host": "127.0.0.1", "port": self.port}
        if not self.implicit_tls:
            section["STARTTLS"] = "YES" if self.context else "NO"
        return {**section, "username": user, "password": password, **changes}
