# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins, keys, versions of TLS, compression and password commands, with real Dovecots."""

import hashlib
import subprocess
import zlib

from harness.case import ServerCase
from harness.dovecot import PASSWORD, Dovecot
from harness.imapsync import preload
from harness.scripted import CAPABILITIES, SELECTED, Scripted
from harness.seed import simple

MECHANISMS = "auth_mechanisms = plain login scram-sha-256 scram-sha-1 oauthbearer xoauth2"
NO_CONNECTION, CONFIG = 3, 2


class _Trust(ServerCase):
    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")
    extra = MECHANISMS

    @classmethod
    def make_servers(cls):
        return [Dovecot(format="maildir"), Dovecot(format="maildir", extra=cls.extra)]

    def setUp(self):
        super().setUp()
        self.local.append("INBOX", simple("travels"))

    def remote_is(self, **changes):
        self.account.remote.update(changes)
        for name in [k for k, v in self.account.remote.items() if v is None]:
            del self.account.remote[name]
        self.account.write()

    def login_of(self, result):
        lines = [line for line in result.err.splitlines() if "AUTHENTICATE" in line and "remote C:" in line]
        self.assertEqual(len(lines), 1, f"expected one login\n{result}")
        return lines[0].split("AUTHENTICATE ")[1].split()[0]

    def refused(self, status, *words, env=None):
        before = self.fingerprints()
        result = self.account.once("--debug", env=env, plain=self.plain)
        self.assertEqual(result.status, status, result)
        self.assertSays(result, *words)
        self.assertNotIn(("remote", "AUTHENTICATE"), result.commands(), "no login may be tried")
        self.assertUntouched(before)
        return result


class Logins(_Trust):
    def test_the_default_does_not_show_the_password(self):
        "SCRAM-SHA-256 comes before PLAIN"
        result = self.sync("--debug")
        self.assertEqual(self.login_of(result), "SCRAM-SHA-256")
        self.assertNotIn(PASSWORD, [word.strip('"') for word in result.err.split()])
        self.assertIdentical()

    def test_each_by_name(self):
        "each mechanism that the configuration names alone logs in"
        for name in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"):
            with self.subTest(name):
                self.remote_is(auth=name)
                self.assertEqual(self.login_of(self.sync("--debug")), name)

    def test_order(self):
        "the configuration's order is kept"
        self.remote_is(auth="LOGIN SCRAM-SHA-256")
        self.assertEqual(self.login_of(self.sync("--debug")), "LOGIN")

    def test_a_wrong_password(self):
        "a wrong password is refused by SCRAM, once"
        self.remote_is(password="wrong")
        result = self.account.once("--debug")
        self.assertEqual(result.status, NO_CONNECTION, result)
        self.assertEqual(self.login_of(result), "SCRAM-SHA-256")

    def test_clear_text_on_loopback(self):
        "without TLS, SCRAM is what is used"
        section = self.servers[1].settings(self.user, "imap")
        self.account.remote.clear()
        self.account.remote.update(section)
        self.account.write()
        self.assertEqual(self.login_of(self.sync("--debug")), "SCRAM-SHA-256")


class Commands(_Trust):
    def test_password_command(self):
        "a password comes from the first line of a command, and from nowhere else"
        self.remote_is(password=None, **{"password-command": f"echo {PASSWORD}; echo more; exit 0"})
        result = self.sync("--debug")
        self.assertIdentical()
        self.assertNotIn("more", result.err.split())

    def test_commands_that_fail(self):
        "a command that fails, prints nothing or does not end is told, and nobody is asked"
        for command, words in (("exit 7", "status 7"), ("echo; echo x", "no password"), ("kill -9 $$", "signal 9"),
                               ("sleep 60", "within 2 seconds"), ("head -c 100000 /dev/zero | tr '\\0' x", "too long"),
                               ("/no/such/command", "status 127")):  # fmt: skip
            with self.subTest(command):
                self.remote_is(password=None, timeout=2, **{"password-command": command})
                result = self.refused(NO_CONNECTION, "password-command", words)
                self.assertEqual(result.commands("remote"), [])


class Keys(_Trust):
    def key_pin(self, algorithm="sha256"):
        pem = self.servers[1].certificate.pem
        public = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.stdout, check=True,
                             capture_output=True)  # fmt: skip
        return f"spki-{algorithm}${hashlib.new(algorithm, der.stdout).hexdigest()}"

    def test_several_pins(self):
        "one of several pins is enough, a key as well as a certificate"
        wrong = "00" * 32
        for pins in (self.key_pin(), self.key_pin("sha512"), f"{wrong} {self.key_pin()}",
                     f"spki-{wrong} {self.servers[1].certificate.fingerprint()}"):  # fmt: skip
            with self.subTest(pins):
                self.remote_is(SSL_fingerprint=pins)
                self.sync()
        self.assertIdentical()

    def test_wrong_pins(self):
        "no match ends the connection before a login, and shows what to compare"
        self.remote_is(SSL_fingerprint=f"spki-{'00' * 32} {'11' * 32}")
        self.refused(NO_CONNECTION, self.servers[1].certificate.fingerprint(), self.key_pin().split("$")[1])

    def test_a_pin_does_not_replace_the_ca(self):
        "a right pin does not make an unknown CA right"
        self.remote_is(SSL_fingerprint=self.key_pin(), SSL_ca_path=None)
        self.refused(NO_CONNECTION, "not signed by a trusted CA")
        self.remote_is(SSL_verify="NO")
        self.sync()

    def test_ca_file(self):
        "SSL_CAfile trusts what is in a file"
        self.remote_is(SSL_ca_path=None, SSL_CAfile=self.servers[1].authority.pem)
        self.sync()
        self.remote_is(SSL_CAfile="/etc/hostname")
        self.refused(CONFIG, "/etc/hostname", "no certificate")

    def test_another_name(self):
        "SSL_hostname is the name that the certificate has to have"
        self.remote_is(SSL_hostname="localhost")
        self.sync()
        self.remote_is(SSL_hostname="mail.example")
        self.refused(NO_CONNECTION, 'its name is not "mail.example"')


class SystemTrust(_Trust):
    plain = True

    def test_without_options(self):
        "without any option it is the system's CA certificates that are trusted"
        self.remote_is(SSL_ca_path=None)
        self.refused(NO_CONNECTION, "not signed by a trusted CA")
        authority = str(self.servers[1].authority.pem)
        self.sync(env={"LD_PRELOAD": preload("system-trust"), "SYSTEM_TRUST": authority})
        self.assertIdentical()


class Versions(_Trust):
    extra = MECHANISMS + "\nssl_min_protocol = TLSv1.2\nssl_cipher_list = ECDHE-ECDSA-AES128-GCM-SHA256"

    def test_version_and_suites(self):
        "only the versions and suites that are wanted are offered; the outcome is checked"
        for options in (dict(SSL_protocol_min="TLSv1.3"), dict(SSL_protocol_max="TLSv1.2"),
                        dict(SSL_protocol_max="TLSv1.2", SSL_cipher_list="ECDHE-ECDSA-AES128-GCM-SHA256")):  # fmt: skip
            with self.subTest(options):
                self.remote_is(SSL_protocol_min=None, SSL_protocol_max=None, SSL_cipher_list=None)
                self.remote_is(**options)
                self.sync()
        self.remote_is(SSL_protocol_max="TLSv1.2", SSL_cipher_list="ECDHE-ECDSA-AES256-GCM-SHA384")
        self.refused(NO_CONNECTION, "SSL_cipher_list")
        self.refused(NO_CONNECTION, "suite", "that the server chose is not in SSL_cipher_list",
                     env={"G_TLS_GNUTLS_PRIORITY": "NORMAL:-VERS-TLS1.3"})  # fmt: skip

    def test_a_server_of_another_version(self):
        "a server that picks another version than is wanted is refused, also where it could be offered"
        self.remote_is(SSL_protocol_max="TLSv1.2")
        self.refused(NO_CONNECTION, "the server chose TLS 1.3", "TLS 1.2 is needed",
                     env={"G_TLS_GNUTLS_PRIORITY": "NORMAL"})  # fmt: skip


class Compression(_Trust):
    extra = MECHANISMS + "\nprotocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}"

    def test_compressed(self):
        "COMPRESS=DEFLATE is used where it is offered, and both sides end identical"
        for i in range(50):
            self.local.append("INBOX", simple(f"number {i}", "line of text\r\n" * 2000))
            self.remote.append("INBOX", simple(f"back {i}", bytes(range(32, 127)).decode() * 50))
        result = self.sync("--debug")
        self.assertIn(("remote", "COMPRESS"), result.commands())
        self.assertIdentical()
        self.assertNoop()

    def test_a_large_one_each_way(self):
        "tens of megabytes go through both ways, with pressure from the slower side"
        self.local.append("INBOX", simple("large there", "0123456789abcdef" * 65536 * 10))
        self.remote.append("INBOX", simple("large back", "fedcba9876543210" * 65536 * 10))
        self.sync()
        self.assertIdentical()

    def test_what_is_left_in_the_inflater(self):
        "a server that forgets what it has read and not inflated (Cyrus 3.6) is reminded"
        def wait_for_more(connection, tag, line):
            connection.wait_for(b"NOOP")
            return SELECTED

        rules = [("COMPRESS", lambda connection, tag, line: connection.compress()), ("SELECT", wait_for_more)]
        with Scripted(rules, capabilities=CAPABILITIES + " COMPRESS=DEFLATE") as server:
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=10))
            self.account.write()
            result = self.account.once("--debug", timeout=60)
            words = [command.split()[0] for command in server.commands]
            self.assertEqual(words.count("NOOP"), words.count("SELECT"), result)
            self.assertIn("APPEND", words[words.index("NOOP"):], result)

    def test_not_wanted(self):
        "compress=NO leaves it"
        self.remote_is(compress="NO")
        self.assertNotIn(("remote", "COMPRESS"), self.sync("--debug").commands())


class Tokens(_Trust):
    def against(self, rules, capabilities, **changes):
        with Scripted(rules, capabilities=capabilities) as server:
            self.account.options["database"] = f"{server.port}.db"
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=3, **changes))
            del self.account.remote["password"]
            self.account.write()
            return self.account.once("--debug", timeout=60), server

    def test_a_token_is_asked_for_again(self):
        "a token that is refused is asked for once more, and then used"
        for name in ("OAUTHBEARER", "XOAUTH2"):
            with self.subTest(name):
                counter = self.account.dir / f"count-{name}"
                command = f"echo x >>{counter}; echo token-$(wc -l <{counter})"
                refuse = ("AUTHENTICATE", "{tag} NO [AUTHENTICATIONFAILED] expired", 1)
                result, server = self.against([refuse], CAPABILITIES + f" AUTH={name}", auth=name,
                                              **{"password-command": command})  # fmt: skip
                self.assertEqual(counter.read_text(), "x\nx\n", result)
                self.assertEqual(len(server.logins()), 2)
                self.assertTrue([c for c in server.commands if c.startswith("LIST")], result)
                self.assertNotIn("token-", result.err)

    def test_the_same_token_is_not_tried_again(self):
        "a command that has no other token ends it after one attempt"
        refuse = ("AUTHENTICATE", "{tag} NO [AUTHENTICATIONFAILED] expired")
        result, server = self.against([refuse], CAPABILITIES + " AUTH=XOAUTH2", auth="XOAUTH2",
                                      **{"password-command": "echo stale"})  # fmt: skip
        self.assertEqual(result.status, NO_CONNECTION, result)
        self.assertSays(result, "has no other")
        self.assertEqual(len(server.logins()), 1)
        self.assertNotIn("stale", result.err.split())

    def test_done_without_proof(self):
        "a server that says OK to SCRAM without having proved itself gets nothing"
        accept = ("AUTHENTICATE", "{tag} OK welcome")
        with Scripted([accept], capabilities=CAPABILITIES + " AUTH=SCRAM-SHA-256") as server:
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=3))
            self.account.write()
            before = self.fingerprints()[:1]
            result = self.account.once("--debug", timeout=60)
            self.assertEqual(result.status, NO_CONNECTION, result)
            self.assertSays(result, "without having proved")
            self.assertEqual(len(server.commands), 1, "the login is the last that the server hears")
            self.assertNotIn(b"secret-word", server.received)
            self.assertEqual(before, self.fingerprints()[:1])


class Bombs(_Trust):
    def test_decompression_bomb(self):
        "a gigabyte in a megabyte is read no further than the limits, and needs no memory"
        capabilities = CAPABILITIES + " COMPRESS=DEFLATE"

        def bomb(connection, tag, line):
            connection.send(f"{tag} OK DEFLATE active")
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            connection.send_raw(packer.compress(b"* ") + b"")
            for _ in range(1024):
                connection.send_raw(packer.compress(b"x" * 1048576))
            connection.send_raw(packer.flush())

        with Scripted([("COMPRESS", bomb)], capabilities=capabilities) as server:
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=5))
            self.account.write()
            before = self.fingerprints()[:1]
            result = self.account.once("--debug", timeout=60, plain=True)
            self.assertEqual(result.status, NO_CONNECTION, result)
            self.assertLess(result.rss_kib, 64 * 1024, "memory has to stay below 64 MiB")
            self.assertEqual(before, self.fingerprints()[:1], "the other server was changed")
            for word in (b"EXPUNGE", b"STORE", b"APPEND"):
                self.assertNotIn(word, server.received)

    def test_no_deflate_at_all(self):
        "what is not compressed behind the answer is an error in one sentence"
        def plain(connection, tag, line):
            connection.send(f"{tag} OK DEFLATE active")
            connection.send_raw(b"\xff\xff\xff\xff not compressed")

        with Scripted([("COMPRESS", plain)], capabilities=CAPABILITIES + " COMPRESS=DEFLATE") as server:
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=3))
            self.account.write()
            result = self.account.once("--debug", timeout=60)
            self.assertEqual(result.status, NO_CONNECTION, result)
            self.assertSays(result, "not compressed as it should be")
