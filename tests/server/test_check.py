# SPDX-License-Identifier: GPL-3.0-or-later
"""`--check`: who the servers are, whether they can be synchronized, and what they hold."""

from harness import place
from harness.case import ServerCase
from harness.dovecot import Dovecot
from harness.imapsync import Account
from harness.local_store import StoreAccount
from harness.seed import simple


class Check(ServerCase):
    def files(self, account):
        data = account.dir / "data"
        return sorted(str(p.relative_to(data)) for p in data.rglob("*"))

    def check(self, account, status=0, **options):
        before = self.fingerprints(), self.files(account)
        result = account.run("--check", "--debug", **options)
        self.assertEqual(result.status, status, str(result))
        self.assertEqual(result.changes(), [])
        self.assertUntouched(before[0])
        self.assertEqual(before[1], self.files(account), "--check wrote something")
        return result

    def test_both_servers_are_described(self):
        "certificate with its pin, capabilities, mailboxes with messages and sizes; nothing is changed"
        self.local.append("INBOX", simple("a"))
        remote = self.remote
        remote.create("Entwürfe/Über uns")
        remote.append("Entwürfe/Über uns", simple("b"), simple("c"))
        remote.create("Alone", subscribe=False)
        out = self.check(self.account).out
        local, _, remote = out.partition("[remote]")
        self.assertIn("[local] tunnel", local)
        self.assertRegex(local, r"INBOX: 1 message, \d+.bytes\n")
        self.assertRegex(remote, r"(?m)^  encryption: TLS 1\.3$")
        self.assertRegex(remote, r"(?m)^    SSL_fingerprint=sha256\$[0-9a-f]{64}$")
        self.assertRegex(remote, r"(?m)^  certificate: .+$")
        self.assertRegex(remote, r"capabilities: IMAP4rev1.* QRESYNC")
        self.assertRegex(remote, r"(?m)^    Entwürfe/Über uns: 2 messages, ")
        self.assertRegex(remote, r"(?m)^    Alone: 0 messages.*, not subscribed$")
        self.assertEqual(out.count("it can be synchronized"), 2, out)

    def test_the_pin_that_is_shown_fits(self):
        "what is shown as SSL_fingerprint can be put into the configuration as it is"
        out = self.check(self.account).out
        pin = next(line.strip().partition("=")[2] for line in out.splitlines() if "SSL_fingerprint=" in line)
        self.account.remote["SSL_fingerprint"] = pin
        self.account.write()
        self.sync()

    def test_a_server_without_qresync(self):
        "what is missing is named, in plain words, with programs that do without; exit status 3"
        server = Dovecot("maildir", extra="protocol imap {\n imap_capability = IMAP4rev1 ENABLE UIDPLUS IDLE\n}")
        self.addCleanup(server.close)
        server.start()
        account = Account(self.account.local, server.settings(self.user))
        self.addCleanup(account.close)
        result = self.check(account, status=3)
        self.assertIn("it cannot be synchronized", result.out)
        self.assertIn("QRESYNC, LIST-EXTENDED, LIST-STATUS", result.out)
        self.assertIn("mbsync", result.out)
        self.assertIn("SSL_fingerprint=sha256$", result.out)
        self.assertNotIn("INBOX:", result.out.partition("[remote]")[2])

    def test_gmail_and_outlook_are_named(self):
        "for Gmail and Outlook it says outright that they cannot be synchronized, whatever went wrong"
        for host, name in (("imap.gmail.com", "Gmail"), ("outlook.office365.com", "Outlook")):
            self.account.remote["host"] = host
            self.account.remote["proxy"] = f"socks5://127.0.0.1:{place.free_port()}"  # nothing leaves this machine
            self.account.write()
            self.assertIn(f"{name} does not offer QRESYNC", self.check(self.account, status=3).out)

    def test_a_wrong_password_and_nobody_there(self):
        "a refused login and a closed port are said for the server that it is about; the other one is described"
        self.account.remote["password"] = "wrong"
        self.account.write()
        out = self.check(self.account, status=3).out
        self.assertIn("it can be synchronized", out.partition("[remote]")[0])
        self.assertRegex(out.partition("[remote]")[2], "it cannot be synchronized: .*refused the login")
        self.account.remote["port"] = place.free_port()
        self.account.write()
        self.assertIn("it cannot be synchronized", self.check(self.account, status=3).out)

    def test_a_store_that_does_not_exist_yet(self):
        "a new local store is said to be new, and not made"
        account = StoreAccount(self.servers[1].settings(self.user))
        self.addCleanup(account.close)
        self.assertIn("a new store", self.check(account).out)
        self.assertEqual(self.files(account), [])
