# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear sentence, the right exit status, no credential sent where none may be, both
servers and the database as they were."""

import os
import socket
import sqlite3
import threading
import time

from harness import place, tls
from harness.case import ServerCase
from harness.dovecot import Dovecot
from harness.imapsync import Account
from harness.scripted import CAPABILITIES, CLOSE, SILENCE, Scripted
from harness.seed import simple

NO_CONNECTION, CONFIG = 3, 2


class _Bad(ServerCase):
    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")

    def setUp(self):
        super().setUp()
        self.local.append("INBOX", simple("must not move"))
        self.before = self.fingerprints()

    def use(self, remote):
        """Another remote side, and so another account: a database belongs to one pair of servers."""
        self.account = Account(self.account.local, remote)
        self.addCleanup(self.account.close)

    def assertSentence(self, result, *words):
        """One line says it; nothing crashed, and nothing more than a few lines came."""
        line = self.assertSays(result, *words)
        self.assertTrue(line.startswith("imapsync: "), line)
        self.assertLessEqual(len(result.messages()), 4, f"expected one clear sentence\n{result}")
        for word in ("assertion", "CRITICAL", "(null)", "Segmentation"):
            self.assertNotIn(word, result.err)

    def fails(self, status, *words, arguments=(), **options):
        """The run ends with @status and one sentence with @words; both servers are untouched."""
        result = self.account.once(*arguments, **options)
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.out, "")
        self.assertSentence(result, *words)
        self.assertUntouched(self.before)
        return result


class BadConfiguration(_Bad):
    def config(self, text, *words):
        self.account.write(text)
        result = self.fails(CONFIG, str(self.account.config.name), *words, arguments=("--debug",))
        self.assertEqual(result.traffic(), [], "nobody is asked before the configuration is understood")
        self.assertFalse(self.account.database.exists())

    def edited(self, old, new):
        text = self.account.config.read_text()
        self.assertIn(old, text)
        return text.replace(old, new, 1)

    def test_unknown_option(self):
        "an unknown option is an error with file, line and the nearest valid name"
        text = self.edited("\nusername", "\nusernme")
        line = next(i for i, t in enumerate(text.splitlines(), 1) if t.startswith("usernme"))
        self.config(text, f":{line}:", "usernme", "username")

    def test_unknown_section(self):
        "an unknown section is an error with file, line and the nearest valid name"
        text = self.edited("[remote]", "[remotte]")
        line = text.splitlines().index("[remotte]") + 1
        self.config(text, f":{line}:", "remotte", "remote")

    def test_unknown_value(self):
        "an unknown value is an error with file, line and the nearest valid one"
        text = self.edited("type = imaps", "type = imps")
        line = text.splitlines().index("type = imps") + 1
        self.config(text, f":{line}:", "imps", "imaps")

    def test_malformed_line(self):
        "a line that is none is an error with file and line"
        text = "# a comment\n; another\nwhat is this\n" + self.account.config.read_text()
        self.config(text, ":3:")

    def test_bad_port(self):
        "a port that is none is an error"
        for port in ("0", "65536", "12x", "-1", ""):
            with self.subTest(port):
                self.config(self.edited(f"port = {self.servers[1].tls_port}", f"port = {port}"), "port")
                self.account.write()

    def test_bad_fingerprint(self):
        "an unknown algorithm, bad hexadecimal digits and a wrong length are errors"
        for pin in ("sha257$00", "sha256$xyz", "sha256$abcd", "md5"):
            with self.subTest(pin):
                self.account.remote["SSL_fingerprint"] = pin
                self.account.write()
                self.config(self.account.config.read_text(), "SSL_fingerprint")

    def test_bad_cipher_list(self):
        "a cipher list that means nothing is an error"
        self.account.remote["SSL_cipher_list"] = "HIGH:NO-SUCH-CIPHER"
        self.account.write()
        self.config(self.account.config.read_text(), "NO-SUCH-CIPHER")

    def test_rubbish(self):
        "a file of random bytes is an error, not a crash"
        self.config(bytes(range(256)) * 8)

    def test_missing_section(self):
        "a configuration without [remote] is an error that says so"
        self.config(self.account.config.read_text().split("[remote]")[0], "remote")

    def test_missing_ca_folder(self):
        "a folder of certificates that does not exist is named"
        self.account.remote["SSL_ca_path"] = "/nonexistent/certificates"
        self.account.write()
        result = self.account.once()
        self.assertIn(result.status, (CONFIG, NO_CONNECTION), result)
        self.assertSentence(result, "/nonexistent/certificates")
        self.assertUntouched(self.before)

    def test_one_database_for_two_accounts(self):
        "two accounts with one database are an error that names both files"
        other = self.account.dir / "config" / "other"
        other.write_text(self.account.config.read_text())
        other.chmod(0o600)
        arguments = (f"--config={self.account.config}", f"--config={other}")
        self.fails(CONFIG, str(self.account.config), str(other), arguments=arguments)

    def test_readable_by_others(self):
        "a file with a password that others can read is warned about, and used"
        self.account.config.chmod(0o644)
        result = self.sync("--quiet")
        self.assertSays(result, str(self.account.config))
        self.assertIdentical()


class BadDatabase(_Bad):
    def test_newer_database(self):
        "a database of a newer version is refused and left alone"
        self.sync()
        self.before = self.fingerprints()
        with sqlite3.connect(self.account.database) as database:
            database.execute("PRAGMA user_version = 9999")
        database.close()
        state = self.account.database_state()
        self.fails(CONFIG, self.account.database.name)
        self.assertEqual(self.account.database_state(), state)

    def test_corrupt_database(self):
        "a file that is no database is refused and left alone"
        self.account.database.parent.mkdir(mode=0o700, exist_ok=True)
        self.account.database.write_bytes(b"this is not SQLite" * 500)
        state = self.account.database_state()
        self.fails(CONFIG, self.account.database.name)
        self.assertEqual(self.account.database_state(), state)

    def test_damaged_database(self):
        "a database with a damaged page is refused, and no server is changed by what it says"
        self.local.append("INBOX", *(simple(f"m{i}") for i in range(300)))
        self.sync()
        with sqlite3.connect(self.account.database) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        self.before = self.fingerprints()
        data = bytearray(self.account.database.read_bytes())
        for start in range(4096, len(data), 4096):
            data[start : start + 4096] = os.urandom(4096)
        self.account.database.write_bytes(data)
        for suffix in ("-wal", "-shm"):
            self.account.database.with_name(self.account.database.name + suffix).unlink(missing_ok=True)
        self.fails(CONFIG, self.account.database.name)

    def test_another_accounts_database(self):
        "the database of another account is refused in words, and nothing happens"
        self.sync()
        self.before, state = self.fingerprints(), self.account.database_state()
        self.account.remote["username"] = self.user + "-other"
        self.account.write()
        self.fails(CONFIG, self.account.database.name, "belongs to", self.user + "-other")
        self.assertEqual(self.account.database_state(), state)

    def test_unwritable_database(self):
        "a database that cannot be written is refused before anything is sent"
        self.account.options["database"] = "/proc/imapsync.db" if place.ROOT else "/imapsync.db"
        self.account.write()
        result = self.fails(CONFIG, "imapsync.db", arguments=("--debug",))
        self.assertEqual(result.traffic(), [])

    def test_database_is_a_folder(self):
        "a folder in the database's place is refused"
        self.account.database.mkdir(mode=0o700, parents=True)
        self.fails(CONFIG, self.account.database.name)


class BadNetwork(_Bad):
    def test_refused_connection(self):
        "a port where nobody listens: exit status 3, server named"
        self.account.remote["port"] = place.free_port()
        self.account.write()
        self.fails(NO_CONNECTION, "127.0.0.1")

    def test_unknown_host(self):
        "a host name that does not exist: exit status 3, name named"
        self.account.remote["host"] = "no-such-host.invalid"
        self.account.write()
        self.fails(NO_CONNECTION, "no-such-host.invalid", timeout=90)

    def test_missing_tunnel_command(self):
        "a tunnel command that does not exist: exit status 3, command named"
        self.account.local["command"] = "/nonexistent/imap --server"
        self.account.write()
        self.fails(NO_CONNECTION, "/nonexistent/imap")

    def test_dying_tunnel_command(self):
        "a tunnel command that ends at once: exit status 3"
        self.account.local["command"] = "exit 7"
        self.account.write()
        self.fails(NO_CONNECTION, "exit 7")

    def test_tunnel_that_prints_a_motd(self):
        "a tunnel that greets with something else than IMAP is refused in words"
        self.account.local["command"] = f"echo welcome to this host; exec {self.servers[0].tunnel(self.user)}"
        self.account.write()
        self.fails(NO_CONNECTION, "welcome to this host")

    def test_wrong_password(self):
        "a wrong password is tried once, exit status 3, user named"
        with Dovecot("maildir") as strict:
            self.use(strict.settings(self.user, "imaps", password="wrong-secret"))
            result = self.account.once("--debug")
            self.assertEqual(result.status, NO_CONNECTION, result)
            self.assertSays(result, self.user)
            self.assertNotIn("wrong-secret", result.err)
            place.wait_until(lambda: "Password mismatch" in strict.log(), 5, "Dovecot's log")
            self.assertEqual(strict.log().count("Password mismatch"), 1, "one attempt")
        self.assertUntouched(self.before)

    def test_silent_server(self):
        "a server that accepts and says nothing is given up after the timeout"
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(5)
            self.account.remote.update(type="imap", port=silent.getsockname()[1], STARTTLS="NO", timeout=2)
            self.account.write()
            start = time.monotonic()
            self.fails(NO_CONNECTION, "127.0.0.1")
            self.assertLess(time.monotonic() - start, 20)

    def test_server_silent_in_the_tls_handshake(self):
        "a server that says nothing to a TLS handshake is given up after the timeout"
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(5)
            self.account.remote.update(port=silent.getsockname()[1], timeout=2)
            self.account.write()
            self.fails(NO_CONNECTION, "127.0.0.1")


class BadCertificate(_Bad):
    """No credential may leave before the certificate was found good."""

    def setUp(self):
        super().setUp()
        self.authority = tls.Authority(place.folder("ca"))

    def refused(self, certificate, *words, implicit=True, **changes):
        with Scripted(certificate=certificate, implicit_tls=implicit) as server:
            self.use(server.settings(SSL_ca_path=self.authority.folder, **changes))
            self.fails(NO_CONNECTION, *words)
            self.assertFalse(server.saw_secret("user", "secret-word"), "a credential was sent")

    def accepted(self, certificate, implicit=True, **changes):
        with Scripted(certificate=certificate, implicit_tls=implicit) as server:
            self.use(server.settings(SSL_ca_path=self.authority.folder, **changes))
            self.account.once()
            self.assertTrue(server.saw_secret("user", "secret-word"), "expected a login")

    def test_good_certificate(self):
        "a good certificate is accepted, or the tests below could not fail"
        for implicit in (True, False):
            self.accepted(self.authority.issue("good"), implicit)

    def test_expired(self):
        "an expired certificate is refused"
        for implicit in (True, False):
            self.refused(self.authority.issue("expired", expired=True), "certificate", implicit=implicit)

    def test_wrong_name(self):
        "a certificate of another host is refused"
        self.refused(self.authority.issue("other", names=("DNS:elsewhere.example",)), "certificate")

    def test_unknown_authority(self):
        "a certificate of an unknown authority is refused"
        for implicit in (True, False):
            stranger = tls.Authority(place.folder("ca"), "stranger")
            self.refused(stranger.issue(), "certificate", implicit=implicit)

    def test_pin_that_does_not_match(self):
        "a good certificate with another fingerprint is refused"
        for algorithm, length in (("sha256", 64), ("sha1", 40), ("", 64)):
            pin = (f"{algorithm}$" if algorithm else "") + "ab" * (length // 2)
            self.refused(self.authority.issue(f"pin{algorithm}"), "fingerprint", SSL_fingerprint=pin)

    def test_pin_that_matches(self):
        "the right fingerprint is accepted, in each spelling"
        certificate = self.authority.issue("pinned")
        for pin in (f"sha256${certificate.fingerprint()}", certificate.fingerprint().upper(),
                    f"sha512${certificate.fingerprint('sha512')}"):  # fmt: skip
            self.accepted(certificate, SSL_fingerprint=pin)

    def test_pin_does_not_replace_the_authority(self):
        "the right fingerprint of a certificate of an unknown authority is refused, unless not verified"
        stranger = tls.Authority(place.folder("ca"), "stranger")
        certificate = stranger.issue("mine")
        pin = f"sha256${certificate.fingerprint()}"
        self.refused(certificate, "certificate", SSL_fingerprint=pin)
        self.accepted(certificate, SSL_fingerprint=pin, SSL_verify_trusted_peer="NO")
        self.refused(certificate, "fingerprint", SSL_fingerprint="ab" * 32, SSL_verify_trusted_peer="NO")

    def test_starttls_not_offered(self):
        "where STARTTLS is required and not offered, no credential is sent"
        with Scripted() as server:
            self.use(server.settings(STARTTLS="YES"))
            self.fails(NO_CONNECTION, "STARTTLS")
            self.assertFalse(server.saw_secret("user", "secret-word"))

    def test_starttls_refused(self):
        "where STARTTLS is refused, no credential is sent"
        certificate = self.authority.issue()
        with Scripted([("STARTTLS", "{tag} NO not now")], certificate) as server:
            self.use(server.settings(SSL_ca_path=self.authority.folder))
            self.fails(NO_CONNECTION, "STARTTLS")
            self.assertFalse(server.saw_secret("user", "secret-word"))

    def test_injected_plaintext(self):
        "what comes in plain text behind the answer to STARTTLS is not believed"
        certificate = self.authority.issue()

        def inject(connection, tag, line):
            connection.send_raw(f"{tag} OK begin\r\n* CAPABILITY IMAP4rev1 X-INJECTED\r\n".encode())
            try:
                connection.secure()
            except OSError:
                return CLOSE

        with Scripted([("STARTTLS", inject)], certificate) as server:
            self.use(server.settings(SSL_ca_path=self.authority.folder))
            self.fails(NO_CONNECTION)
            self.assertFalse(server.saw_secret("user", "secret-word"))

    def test_preauth_before_starttls(self):
        "a PREAUTH greeting where STARTTLS is required is refused: it cannot be made secure"
        with Scripted(certificate=self.authority.issue(), greeting="* PREAUTH [CAPABILITY IMAP4rev1] welcome") as server:
            self.use(server.settings(SSL_ca_path=self.authority.folder))
            self.fails(NO_CONNECTION)
            self.assertFalse(server.saw_secret("user", "secret-word"))

    def test_plain_text_where_tls_is_expected(self):
        "a server that speaks plain IMAP on the TLS port is refused"
        with Scripted() as server:
            plain = server.settings(SSL_ca_path=self.authority.folder)
            self.use({**{k: v for k, v in plain.items() if k != "STARTTLS"}, "type": "imaps"})
            self.fails(NO_CONNECTION, "127.0.0.1")


class BadServer(_Bad):
    """A server that misbehaves: the other one and the database stay as they are."""

    def setUp(self):
        super().setUp()
        self.sync()  # the local side and the database hold something that could be harmed
        self.before = self.fingerprints()

    def against(self, rules=(), status=NO_CONNECTION, words=(), logged_in=True, **options):
        with Scripted(rules, **options) as server:
            self.use(server.settings(timeout=3))
            result = self.account.once("--debug", timeout=60)
            allowed = (status,) if isinstance(status, int) else status
            self.assertIn(result.status, allowed, result)
            for word in words:
                self.assertSays(result, word)
            self.assertTrue([m for m in result.messages() if m.startswith("imapsync: ")], "not a word of explanation")
            for word in ("CRITICAL", "(null)"):
                self.assertNotIn(word, result.err)
            self.assertNotIn("secret-word", result.err)
            self.assertEqual(bool(server.logins()), logged_in)
            self.assertLessEqual(len(server.logins()), 1, "one attempt to log in")
            self.assertUntouched(self.before)
            return result

    def test_well_behaved(self):
        "the scripted server by itself is good enough to log in, or these tests would prove nothing"
        with Scripted() as server:
            self.use(server.settings(timeout=3))
            self.account.once(timeout=60)
            self.assertTrue([c for c in server.commands if c.startswith("LIST")], server.commands)

    def test_missing_capabilities(self):
        "a required capability that is missing is named, and nothing is touched"
        for name in ("ENABLE", "QRESYNC", "LIST-EXTENDED", "LIST-STATUS", "UIDPLUS"):
            with self.subTest(name):
                words = [c for c in CAPABILITIES.split() if c != name]
                self.against(words=(name,), capabilities=" ".join(words))

    def test_refused_login(self):
        "NO to the login: one attempt, exit status 3"
        self.against([("LOGIN|AUTHENTICATE", "{tag} NO [AUTHENTICATIONFAILED] go away")], words=("go away",))

    def test_no_mechanism(self):
        "a server without any mechanism that is allowed gets no credential"
        bare = " ".join(c for c in CAPABILITIES.split() if not c.startswith("AUTH=")) + " LOGINDISABLED AUTH=GSSAPI"
        self.against(capabilities=bare, logged_in=False)

    def test_bye_greeting(self):
        "BYE instead of a greeting is told in the server's words"
        self.against(greeting=["* BYE too many connections today", CLOSE], words=("too many connections today",),
                     logged_in=False)  # fmt: skip

    def test_garbage_greeting(self):
        "garbage instead of a greeting is no IMAP"
        for garbage in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00\x01\r\n",
                        b"\r\n\r\n\r\n", b"\0" * 5000 + b"\r\n"):  # fmt: skip
            with self.subTest(garbage[:20]):
                self.against(greeting=[garbage, CLOSE], logged_in=False)

    def test_endless_line(self):
        "a line without an end is cut off at a limit"

        def flood(connection, tag, line):
            for _ in range(600):
                connection.send_raw(b"x" * 65536)

        self.against([("LIST", ["* ", flood])])

    def test_absurd_numbers(self):
        "numbers out of range are refused, whatever they are"
        for line in ("* 99999999999999999999 EXISTS", "* LIST () \"/\" {99999999999}", "* STATUS INBOX (UIDNEXT -1)",
                     "* STATUS INBOX (UIDVALIDITY 4294967296)", "* VANISHED 1:99999999999",
                     "* STATUS INBOX (HIGHESTMODSEQ 99999999999999999999999)", "* 1 FETCH (UID 0)"):  # fmt: skip
            with self.subTest(line):
                self.against([("LIST", f"{line}\n{{tag}} OK done")], status=(NO_CONNECTION, 1))

    def test_deep_nesting(self):
        "parentheses without end are refused at a limit"
        self.against([("LIST", b"* LIST " + b"(" * 100000 + b"\r\n{tag} OK\r\n")])

    def test_huge_literal(self):
        "the announcement of a huge literal where none belongs allocates nothing"
        result = self.against([("LIST", b'* LIST () "/" {4000000000}\r\nshort'), ])
        self.assertLess(result.rss_kib, 300 * 1024)

    def test_unknown_tag(self):
        "an answer to nothing that was asked ends the session"
        self.against([("LIST", "zz99 OK surprise")])

    def test_bad_answer(self):
        "BAD to a command ends the session, in the server's words"
        self.against([("LIST", "{tag} BAD what do you mean")], words=("what do you mean",))

    def test_enable_without_qresync(self):
        "a server that does not enable QRESYNC is refused"
        self.against([("ENABLE", "{tag} OK done nothing")], words=("QRESYNC",))

    def test_closes_in_the_middle(self):
        "a connection that is closed in any command, or in the middle of a line, is an error"
        for command in ("LOGIN|AUTHENTICATE", "ENABLE", "LIST"):
            for end in ([CLOSE], [b"* LIST (\\Subsc", CLOSE], ["* BYE enough", CLOSE]):
                with self.subTest(command=command, end=end[0] if isinstance(end[0], (bytes, str)) else "close"):
                    self.against([(command, end)])

    def test_silence_in_the_middle(self):
        "a server that falls silent in a command is given up after the timeout"
        for command in ("LOGIN|AUTHENTICATE", "LIST"):
            with self.subTest(command):
                self.against([(command, SILENCE)])

    def test_names_that_are_none(self):
        "mailbox names that nobody may have are no way out of anything"
        for name in ('"../../etc"', '"a//b"', '"&BROKEN"', '"\\"\\\\"', '""', '"{5}"'):
            with self.subTest(name):
                rules = [("LIST", f'* LIST (\\Subscribed) "/" INBOX\n* LIST (\\Subscribed) "/" {name}\n{{tag}} OK x'),
                         ("SELECT|EXAMINE|STATUS", "{tag} NO no")]  # fmt: skip
                with Scripted(rules) as server:
                    self.use(server.settings(timeout=3))
                    result = self.account.once(timeout=60)
                    self.assertIn(result.status, (0, 1, NO_CONNECTION), result)
                    self.assertNotIn("CRITICAL", result.err)

    def test_hostile_literal_to_login(self):
        "a server that never stops sending while we log in is given up"
        stop = threading.Event()
        self.addCleanup(stop.set)

        def endless(connection, tag, line):
            while not stop.wait(0.005):
                connection.send_raw(b"* OK still here\r\n" * 50)

        self.against([("LOGIN|AUTHENTICATE", endless)])
