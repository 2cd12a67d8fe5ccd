# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server hears until somebody is logged in, byte by byte: the offer of TLS, STARTTLS, each mechanism."""

import base64
import socket
import struct
import subprocess
import sys
import threading

from harness import place
from harness.imapsync import Account
from harness.proxies import Socks5
from harness.scram import Scram
from harness.scripted import CAPABILITIES, CLOSE, SILENCE, Scripted
from server.test_secrets import NO_CONNECTION, SecretCase

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
ECDSA_AES128_GCM, ECDSA_AES256_GCM = 0xC02B, 0xC02C


def read_hello(data):
    """{"versions", "suites", "name"} of a ClientHello (RFC 8446, section 4.1.2)."""
    assert data[0] == 22 and data[5] == 1, f"no ClientHello: {data[:60]!r}"
    at = 9
    legacy = struct.unpack_from(">H", data, at)[0]
    at += 34
    at += 1 + data[at]
    length = struct.unpack_from(">H", data, at)[0]
    suites = set(struct.unpack_from(f">{length // 2}H", data, at + 2))
    at += 2 + length
    at += 1 + data[at]
    end = at + 2 + struct.unpack_from(">H", data, at)[0]
    at += 2
    versions, name = {legacy}, None
    while at < end:
        kind, length = struct.unpack_from(">HH", data, at)
        body = data[at + 4 : at + 4 + length]
        if kind == 43:
            versions = set(struct.unpack_from(f">{body[0] // 2}H", body, 1))
        elif kind == 0:
            name = body[5:].decode()
        at += 4 + length
    return {"versions": versions, "suites": suites, "name": name}


class Listener:
    """Takes one connection, and keeps what it hears until it has heard a ClientHello."""

    def __init__(self, greeting=b"", answer=b""):
        self.heard, self.greeting, self.answer = b"", greeting, answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            client, _ = self._socket.accept()
            with client:
                client.settimeout(5)
                client.sendall(self.greeting)
                if self.answer:
                    self.heard += client.recv(65536)
                    client.sendall(self.answer)
                self.heard += client.recv(65536)
        except OSError:
            pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._thread.join(10)

    def settings(self, type="imaps", **changes):
        return {"type": type, "host": "127.0.0.1", "port": self.port, "username": "user", "password": "secret-word",
                "timeout": 5, **changes}  # fmt: skip


class WireCase(SecretCase):
    secret = "pencil+42"

    def between(self, local, remote, *arguments):
        account = Account(local, {k: v for k, v in remote.items() if v is not None}, database="wire.db")
        self.addCleanup(account.close)
        return account.run("--oneshot", *arguments, timeout=60)

    def once(self, server, **changes):
        """What @server was logged in to by."""
        return self.start(server, "--oneshot", **changes).wait(60)


class Offers(WireCase):
    cost = 4

    def hellos(self, **options):
        """What two servers are offered, of which each has its own @options."""
        with Listener() as a, Listener() as b:
            self.between(a.settings(**options.get("local", {})), b.settings(**options.get("remote", {})))
        return read_hello(a.heard), read_hello(b.heard)

    def test_where_all_agree(self):
        "versions and suites that no server of the process may use are not offered"
        only = dict(SSL_protocol_min="TLSv1.3")
        for hello in self.hellos(local=only, remote=only):
            self.assertEqual(hello["versions"], {TLS_1_3})
        only = dict(SSL_protocol_max="TLSv1.2", SSL_cipher_list="ECDHE-ECDSA-AES128-GCM-SHA256")
        for hello in self.hellos(local=only, remote=only):
            self.assertEqual(hello["versions"], {TLS_1_2})
            self.assertEqual(hello["suites"] - {0x00FF, 0x5600}, {ECDSA_AES128_GCM})

    def test_where_they_differ(self):
        "each is offered what one of them may use, which the outcome is held against, and nothing older"
        for hello in self.hellos(local=dict(SSL_protocol_min="TLSv1.3")):
            self.assertEqual(hello["versions"], {TLS_1_2, TLS_1_3})
        only = dict(SSL_protocol_max="TLSv1.2", SSL_cipher_list="ECDHE-ECDSA-AES128-GCM-SHA256")
        for hello in self.hellos(local=only, remote=dict(SSL_protocol_max="TLSv1.2")):
            self.assertEqual(hello["versions"], {TLS_1_2})
            self.assertIn(ECDSA_AES256_GCM, hello["suites"])

    def test_by_default(self):
        "nothing older than TLS 1.2; no name for an address, and the one of SSL_hostname"
        hello, named = self.hellos(remote=dict(SSL_hostname="mail.example"))
        self.assertEqual(hello["versions"], {TLS_1_2, TLS_1_3})
        self.assertEqual((hello["name"], named["name"]), (None, "mail.example"))


class StartTls(WireCase):
    cost = 5
    GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR LITERAL+ AUTH=PLAIN] hi\r\n"

    def hear(self, greeting, answer):
        other = self.server().settings()
        with Listener(greeting, answer) as listener:
            result = self.between(other, listener.settings(type="imap", STARTTLS="YES"))
        self.assertEqual(result.status, NO_CONNECTION, result)
        return listener.heard, result

    def test_then_nothing_but_tls(self):
        "the command in clear, and behind the OK the ClientHello at once"
        heard, _ = self.hear(self.GREETING, b"a1 OK go\r\n")
        self.assertEqual(heard[:13], b"a1 STARTTLS\r\n")
        self.assertEqual(read_hello(heard[13:])["versions"], {TLS_1_2, TLS_1_3})

    def test_never_without(self):
        "whatever the answer is, nothing else is said in clear"
        for greeting, answer, said in (
            (self.GREETING, b"a1 OK go\r\n* CAPABILITY IMAP4rev1\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING, b"a1 OK go\r\na2 OK [CAPABILITY IMAP4rev1] done\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING, b"a1 NO not now\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING, b"a1 BAD what\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING, b"* BYE\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING, b"+ go on\r\n", b"a1 STARTTLS\r\n"),
            (self.GREETING + b"a1 OK go\r\n", b"x", b""),
            (b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", b"", b""),
            (b"* OK hi\r\n", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n", b"a1 CAPABILITY\r\n"),
        ):
            with self.subTest(greeting=greeting, answer=answer):
                heard, _ = self.hear(greeting, answer)
                self.assertEqual(heard, said)

    def test_what_was_offered_in_clear_is_forgotten(self):
        "behind the handshake a server that offers neither SASL-IR nor LITERAL+ any more gets neither"
        name = "M\\u00fcll"
        after = CAPABILITIES.replace("SASL-IR ", "").replace("LITERAL+ ", "").replace("AUTH=LOGIN", "")

        def start_tls(connection, tag, line):
            connection.server.capabilities = after
            return connection.start_tls()

        server = self.server([("STARTTLS", start_tls)], certificate=self.certificate)
        result = self.start(server, "--oneshot", local=self.server().settings(username=name)).wait(60)
        received = server.connections[0].received
        self.assertEqual(received.split(b"\r\n")[:4], [
            b"a1 STARTTLS", b"a2 CAPABILITY", b"a3 AUTHENTICATE PLAIN",
            base64.b64encode(b"\0user\0" + self.secret.encode())], result)  # fmt: skip
        self.assertNotIn(b"+}\r\n", received)


class Mechanisms(WireCase):
    cost = 8

    def received(self, server, lines=1):
        """The first @lines that the server heard of its first connection."""
        return server.connections[0].received.split(b"\r\n")[:lines]

    def offering(self, *rules, auth, **options):
        capabilities = CAPABILITIES.replace("AUTH=PLAIN AUTH=LOGIN", f"AUTH={auth}")
        return self.server(rules, certificate=self.certificate, implicit_tls=True,
                           **{"capabilities": capabilities, **options})  # fmt: skip

    def code(self, text):
        return base64.b64encode(text.encode())

    def test_plain_and_login(self):
        "PLAIN in one line where SASL-IR is offered; LOGIN in answer to what is asked"
        server = self.offering(auth="PLAIN")
        self.once(server)
        self.assertEqual(self.received(server), [b"a1 AUTHENTICATE PLAIN " + self.code(f"\0user\0{self.secret}")])
        server = self.offering(auth="LOGIN")
        self.once(server)
        self.assertEqual(self.received(server, 3), [b"a1 AUTHENTICATE LOGIN", self.code("user"), self.code(self.secret)])

    def test_tokens(self):
        "OAUTHBEARER and XOAUTH2 say what RFC 7628 and Google say; refused, the next token once"
        file = self.folder / "count"
        command = f"echo x >>{file}; echo token-$(wc -l <{file})"
        port = "{port}"
        forms = {"OAUTHBEARER": "n,a=user,\1host=127.0.0.1\1port=" + port + "\1auth=Bearer {token}\1\1",
                 "XOAUTH2": "user=user\1auth=Bearer {token}\1\1"}  # fmt: skip
        for name, form in forms.items():
            with self.subTest(name):
                file.unlink(missing_ok=True)
                refuse = ("AUTHENTICATE", [b"+ e30=\r\n", lambda c, t, li: [c.read_line()] and None,
                                           "{tag} NO [AUTHENTICATIONFAILED] expired"], 1)  # fmt: skip
                server = self.offering(refuse, auth=name)
                result = self.once(server, auth=name, password=None, **{"password-command": command})
                said = [form.format(token=f"token-{i}", port=server.port) for i in (1, 2)]
                acknowledged = self.code("\1") if name == "OAUTHBEARER" else b""
                self.assertEqual(self.received(server, 3), [
                    f"a1 AUTHENTICATE {name} ".encode() + self.code(said[0]), acknowledged,
                    f"a2 AUTHENTICATE {name} ".encode() + self.code(said[1])], result)  # fmt: skip

    def test_external(self):
        "EXTERNAL shows the client's certificate, and says who it is"
        mine = self.authority.issue("client", names=("DNS:client.example",))
        both = self.folder / "client-both.pem"
        both.write_bytes(mine.pem.read_bytes() + mine.key.read_bytes())
        server = self.offering(auth="EXTERNAL")
        server.context.load_verify_locations(self.authority.pem)
        server.context.verify_mode = 1  # asks for one
        shown = []
        server.rules.insert(0, ["AUTHENTICATE", lambda c, t, li: shown.append(c.sock.getpeercert()) or CLOSE, None])
        result = self.once(server, auth="EXTERNAL", password=None, SSL_client_certificate=both)
        self.assertEqual(self.received(server), [b"a1 AUTHENTICATE EXTERNAL " + self.code("user")], result)
        self.assertEqual(shown[0]["subjectAltName"], (("DNS", "client.example"),))

    def test_scram(self):
        "SCRAM says that it is not bound, and never says the password"
        for name, algorithm in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
            with self.subTest(name):
                scram = Scram(self.secret, algorithm)
                server = self.offering(("AUTHENTICATE", scram), auth=name)
                self.once(server)
                self.assertTrue(scram.proved, scram.says)
                self.assertTrue(scram.says[0].startswith("n,,n=user,r="), scram.says)
                self.assertNotIn(self.secret.encode(), server.received)

    def test_scram_of_a_password_beyond_ascii(self):
        "SASLprep: what looks the same is the same, on both sides"
        self.secret = "Stra\u00dfe\u00a0\u2168"
        scram = Scram("Stra\u00dfe IX")
        self.once(self.offering(("AUTHENTICATE", scram), auth="SCRAM-SHA-256"))
        self.assertTrue(scram.proved, scram.says)

    def test_scram_bound_to_tls_1_2(self):
        "-PLUS comes first where it is offered, and is bound by tls-unique to what Python sees of the connection"
        for name, algorithm in (("SCRAM-SHA-256-PLUS", "sha256"), ("SCRAM-SHA-1-PLUS", "sha1")):
            with self.subTest(name):
                scram = Scram(self.secret, algorithm, binding=lambda c: c.sock.get_channel_binding("tls-unique"))
                server = self.offering(("AUTHENTICATE", scram), auth=f"PLAIN AUTH=SCRAM-SHA-256 AUTH={name}")
                if algorithm == "sha1":
                    server.capabilities = server.capabilities.replace("AUTH=SCRAM-SHA-256 ", "")
                server.context.maximum_version = TLS_1_2
                result = self.once(server)
                self.assertTrue(scram.proved, f"{scram.says}\n{result}")
                self.assertTrue(scram.says[0].startswith("p=tls-unique,,n=user,r="), scram.says)

    def test_somebody_in_between_is_found(self):
        "a login that is bound to another connection does not prove itself to the server"
        scram = Scram(self.secret, binding=lambda c: b"of another connection"[:12])
        server = self.offering(("AUTHENTICATE", scram), auth="SCRAM-SHA-256-PLUS")
        server.context.maximum_version = TLS_1_2
        result = self.once(server)
        self.assertEqual(len(scram.says), 2)
        self.assertFalse(scram.proved)
        self.assertEqual(result.status, NO_CONNECTION, result)

    def test_scram_bound_to_tls_1_3(self):
        "with TLS 1.3 it is bound by tls-exporter (RFC 9266), to what OpenSSL exports"
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", self.certificate.pem, "-key", self.certificate.key,
             "-tls1_3", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        self.addCleanup(place.stop, process)
        peer = OpenSslPeer(process)
        scram = Scram(self.secret, binding=lambda c: c.exported)
        thread = threading.Thread(target=peer.run, args=(scram,), daemon=True)
        remote = {"type": "imaps", "host": "127.0.0.1", "port": peer.read_port(), "username": "user", "timeout": 10,
                  "password": self.secret, "SSL_CAfile": self.authority.pem}  # fmt: skip
        thread.start()
        result = self.between(self.server().settings(), remote)
        thread.join(10)
        self.assertTrue(scram.proved, f"{scram.says}\n{peer.lines}\n{result}")
        self.assertTrue(scram.says[0].startswith("p=tls-exporter,,n=user,r="), scram.says)


class OpenSslPeer:
    """One login, spoken through s_server; also what Scram takes for a connection."""

    capabilities = "IMAP4rev1"

    def __init__(self, process):
        self.process, self.exported, self.lines = process, None, []

    def read_port(self):
        for line in self.process.stdout:
            if line.startswith(b"ACCEPT"):
                return int(line.rsplit(b":", 1)[1])

    def send(self, text):
        self.process.stdin.write(text.encode() + b"\r\n")
        self.process.stdin.flush()

    def read_line(self):
        line = self.process.stdout.readline()
        self.lines.append(line)
        return line.strip().decode()

    def run(self, scram):
        while line := self.process.stdout.readline():
            self.lines.append(line)
            if b"Keying material:" in line:
                self.exported = bytes.fromhex(line.split(b":")[1].strip().decode())
                self.send(f"* OK [CAPABILITY {CAPABILITIES} AUTH=SCRAM-SHA-256-PLUS] hi")
            elif line.startswith(b"a1 AUTHENTICATE"):
                self.send(scram(self, "a1", line.decode().split(" ", 1)[1]).replace("{tag}", "a1"))
                self.send("* BYE that was all")


class ClearText(WireCase):
    "A server on loopback behind a proxy is not private any more."

    cost = 4

    def through_proxy(self, server, **changes):
        with Socks5({"127.0.0.1": server.port}) as proxy:
            return self.once(server, proxy=f"socks5://127.0.0.1:{proxy.port}", **changes)

    def test_refused_for_each_that_shows_the_secret(self):
        "PLAIN, LOGIN and tokens: the server hears no word; SCRAM is fine"
        for name in ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"):
            with self.subTest(name):
                server = self.server(capabilities=CAPABILITIES.replace("AUTH=PLAIN AUTH=LOGIN", f"AUTH={name}"))
                result = self.through_proxy(server, **({"auth": name, "STARTTLS": "YES"} if "AUTH" in name else {}))
                self.assertEqual(result.status, NO_CONNECTION, result)
                self.assertNotIn(b"AUTHENTICATE", server.received)
        scram = Scram(self.secret)
        server = self.server([("AUTHENTICATE", scram)], capabilities=f"{CAPABILITIES} AUTH=SCRAM-SHA-256")
        self.through_proxy(server)
        self.assertTrue(scram.proved)

    def test_allowed_by_the_configuration(self):
        "auth=PLAIN with STARTTLS=NO says that it may be shown"
        server = self.server()
        self.through_proxy(server, auth="PLAIN")
        self.assertEqual(server.logins(), [f"AUTHENTICATE PLAIN {base64.b64encode(f'{chr(0)}user{chr(0)}{self.secret}'.encode()).decode()}"])

    def test_on_loopback_and_through_a_tunnel(self):
        "nobody listens there"
        server = self.server()
        self.once(server)
        self.assertEqual(len(server.logins()), 1)
        other = self.server()
        relay = (
            "import socket, sys, threading, os\n"
            "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
            "def up():\n"
            "    while data := os.read(0, 65536): s.sendall(data)\n"
            "threading.Thread(target=up, daemon=True).start()\n"
            "while data := s.recv(65536): os.write(1, data)\n"
        )
        script = self.folder / "relay.py"
        script.write_text(relay)
        tunnel = {"type": "tunnel", "command": f"{sys.executable} {script} {other.port}", "username": "user",
                  "password": self.secret}  # fmt: skip
        result = self.between(self.server().settings(), tunnel)
        self.assertEqual(len(other.logins()), 1, result)

    def test_login_disabled(self):
        "LOGINDISABLED in clear: nothing is tried, not even what shows nothing"
        server = self.server(capabilities=f"{CAPABILITIES} LOGINDISABLED AUTH=SCRAM-SHA-256")
        result = self.once(server)
        self.assertEqual(result.status, NO_CONNECTION, result)
        self.assertEqual(server.received.replace(b"a1 CAPABILITY\r\n", b""), b"")
        self.assertIn("LOGINDISABLED", result.err)


class Deadlines(WireCase):
    cost = 6

    def test_a_tunnel_that_hangs(self):
        "what it said last on standard error is in the error, also a question without the end of its line"
        for words in ("echo too late >&2; printf 'Passphrase: ' >&2", "echo 'Passphrase:' >&2"):
            tunnel = {"type": "tunnel", "command": f"{words}; exec sleep 60", "timeout": 2}
            result = self.between(self.server().settings(), tunnel)
            self.assertEqual(result.status, NO_CONNECTION, result)
            line = next(line for line in result.err.splitlines() if "within 2 seconds" in line)
            self.assertIn("Passphrase:", line)

    def test_silence_after_the_login(self):
        "a server that takes a command and does not answer is given up, and hears no more"
        server = self.server([("LIST", SILENCE)])
        result = self.once(server, timeout=2)
        self.assertEqual(result.status, NO_CONNECTION, result)
        self.assertIn("for 2 seconds", result.err)
        self.assertTrue(server.commands[-1].startswith(("LIST", "NAMESPACE")), server.commands)
