# SPDX-License-Identifier: GPL-3.0-or-later
"""`--setup`: from an e-mail address to a configuration that works."""

import http.server
import os
import pty
import select
import subprocess
import threading
import time

from harness import place
from harness.dovecot import PASSWORD, Dovecot
from harness.imapsync import binary
from harness.local_store import as_user
from harness.seed import simple
from server.test_local_store import StoreCase

_XML = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="example.org"><domain>example.org</domain>
<incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>clear.example.org</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<incomingServer type="imap"><hostname>127.0.0.1</hostname><port>{port}</port><socketType>SSL</socketType>
<authentication>password-cleartext</authentication><username>%EMAILLOCALPART%</username></incomingServer>
</emailProvider></clientConfig>
"""  # fmt: skip


class Setup(StoreCase):
    def setUp(self):
        super().setUp()
        self.account = self.make()
        self.account.config.unlink()
        (self.account.dir / "config" / "imapsync").rmdir()
        self.ca = self.account.dir / "ca.pem"
        self.ca.write_text(self.server.authority.pem.read_text())
        self.account.give()
        with self.server.connect(self.user) as client:
            client.append("INBOX", simple("first"), simple("second"))

    @property
    def conf(self):
        return self.account.dir / "config" / "imapsync" / "example.org.conf"

    def answers(self, server=None, **changes):
        given = {"address": f"{self.user}@example.org", "host": f"127.0.0.1:{(server or self.server).tls_port}",
                 "user": self.user, "ca-file": self.ca, "password-in": "file", **changes}  # fmt: skip
        return ["--setup", *(f"--{k}={v}" for k, v in given.items() if v is not None)]

    def script(self, arguments, password=PASSWORD, status=0, **env):
        """As a script runs it: the password comes on standard input."""
        done = subprocess.run([*as_user(), binary(), *arguments], input=password + "\n", capture_output=True, text=True,
                              cwd=self.account.dir, env={**self.account.environment(), **env}, timeout=120)  # fmt: skip
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotRegex(done.stderr, "Sanitizer")
        self.assertNotIn(PASSWORD + "\n", done.stderr)
        return done

    def works(self):
        self.account.config = self.conf
        self.sync(self.account)
        mail = self.account.dir / "data" / "imapsync" / "example.org" / "mail" / "INBOX"
        self.assertEqual(len([p for p in mail.glob("*/*") if p.parent.name in ("cur", "new")]), 2)

    def test_from_a_script(self):
        "with all answers as options it looks at the server, writes a file of mode 0600, and that works"
        done = self.script(self.answers())
        self.assertIn("a new store", done.stdout)
        self.assertIn("it can be synchronized", done.stdout)
        self.assertRegex(done.stdout, r"INBOX: 2 messages")
        self.assertEqual(self.conf.stat().st_mode & 0o777, 0o600)
        self.assertIn("type=store", self.conf.read_text())
        self.works()

    def test_nothing_is_written_for_a_server_that_cannot_be_synchronized(self):
        "a wrong password, or a server without QRESYNC: it says so, and no file is left"
        self.script(self.answers(), "wrong", 3)
        self.assertFalse(self.conf.exists())
        poor = Dovecot("maildir", extra="protocol imap {\n imap_capability = IMAP4rev1 ENABLE UIDPLUS IDLE\n}",
                       authority=self.server.authority)  # fmt: skip
        self.addCleanup(poor.close)
        poor.start()
        done = self.script(self.answers(poor), status=3)
        self.assertIn("QRESYNC", done.stdout)
        self.assertIn("mbsync", done.stdout)
        self.assertFalse(self.conf.exists())

    def test_gmail_is_refused_before_a_password_is_asked_for(self):
        "for Gmail and Outlook it says at once that they cannot be synchronized"
        for host, name in (("imap.gmail.com", "Gmail"), ("outlook.office365.com", "Outlook")):
            done = self.script(self.answers(host=host), "", 3)
            self.assertIn(f"{name} does not offer QRESYNC", done.stdout)

    def test_the_password_is_kept_nowhere_without_being_told_so(self):
        "without a keyring and without a terminal the file is written without the password, and it says what to do"
        done = self.script(self.answers(**{"password-in": None}), status=1, DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")
        self.assertIn("--store-password=remote", done.stderr)
        self.assertNotIn("password", self.conf.read_text())
        self.conf.unlink()
        self.script(self.answers(**{"password-in": "none"}))
        self.assertNotIn("password", self.conf.read_text())

    def test_the_provider_says_what_its_server_is(self):
        "host, port and user come from the autoconfig file, whose servers without encryption do not count"
        port = self.server.tls_port

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = _XML.format(port=port).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as web:
            threading.Thread(target=web.serve_forever, daemon=True).start()
            self.addCleanup(web.shutdown)
            url = f"http://127.0.0.1:{web.server_port}/mail/config-v1.1.xml"
            self.script(self.answers(host=None, user=None, autoconfig=url))
            web.shutdown()
        self.assertIn(f"port={port}\n", self.conf.read_text())
        self.assertIn(f"username={self.user}\n", self.conf.read_text())
        self.works()

    def test_nothing_is_overwritten_and_mistakes_are_named(self):
        "an account of that name, the file of a single account, a bad address, a missing Dovecot"
        self.script(self.answers())
        self.assertIn("exists already", self.script(self.answers(), status=2).stderr)
        self.script(self.answers(name="second"))
        self.assertIn("no e-mail address", self.script(self.answers(address="nobody"), status=2).stderr)
        self.assertIn("needs an e-mail address", self.script(["--setup"], status=2).stderr)
        done = self.script(self.answers(name="third"), status=2, IMAPSYNC_DOVECOT_PATH="/nowhere")
        self.assertIn("dovecot-imapd", done.stdout)
        self.assertEqual(self.script(self.answers(**{"password-in": "nowhere"}), status=2).stdout, "")

    def test_on_a_terminal(self):
        "on a terminal it asks, guesses, does not show the password, and asks before it goes into the file"
        arguments = ["--setup", f"--host=127.0.0.1:{self.server.tls_port}", f"--ca-file={self.ca}"]
        env = {**self.account.environment(), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
        master, slave = pty.openpty()
        process = subprocess.Popen([*as_user(), binary(), *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   cwd=self.account.dir, env=env, start_new_session=True)  # fmt: skip
        os.close(slave)
        self.addCleanup(place.stop, process)
        dialog = [(b"E-mail address: ", f"{self.user}@example.org"), (b"User [", self.user), (b"Password of ", PASSWORD),
                  (b"(y/n): ", "y")]  # fmt: skip
        screen, end = b"", time.monotonic() + 60
        while time.monotonic() < end:
            if dialog and dialog[0][0] in screen:
                time.sleep(0.2)
                os.write(master, dialog.pop(0)[1].encode() + b"\n")
            if select.select([master], [], [], 0.1)[0]:
                try:
                    screen += os.read(master, 65536)
                except OSError:
                    break
        self.assertEqual(process.wait(10), 0, screen.decode(errors="replace"))
        os.close(master)
        self.assertEqual(dialog, [], screen.decode(errors="replace"))
        self.assertNotIn(f"Password of {self.user}: {PASSWORD}".encode(), screen)
        self.assertIn(f"password={PASSWORD}\n", self.conf.read_text())
        self.assertEqual(self.conf.stat().st_mode & 0o777, 0o600)
        self.works()
