# SPDX-License-Identifier: GPL-3.0-or-later
"""`--import-interimap`: the configuration and the database of the real InterIMAP are carried over."""

import os
import sqlite3
import subprocess

from harness import imapsync
from harness.case import ServerCase
from harness.imapsync import Account
from harness.seed import simple


class Import(ServerCase):
    def make_account(self, **options):
        account = Account(**options)
        account.config.unlink()
        self.addCleanup(account.close)
        return account

    def theirs(self, account, text=None, name="config", **options):
        """InterIMAP's configuration of both servers."""
        sections = []
        for server in self.servers:
            section = server.settings(self.user)
            section["SSL_CAfile"] = server.authority.pem
            del section["SSL_ca_path"]
            sections.append(section)
        folder = account.dir / "config" / "interimap"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text or imapsync.format_config(options, *sections))
        (folder / name).chmod(0o600)
        (account.dir / "data" / "interimap").mkdir(exist_ok=True, mode=0o700)
        return folder / name

    def interimap(self, account, *arguments):
        env = {**account.environment(), "PATH": os.environ["PATH"]}
        done = subprocess.run(["interimap", *arguments], env=env, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])

    def moved(self, *arguments, **options):
        """An account that InterIMAP kept, moved to imapsync."""
        account = self.account
        result = account.run("--import-interimap", *arguments, **options)
        self.assertEqual(result.status, 0, str(result))
        return result

    def test_the_first_pass_copies_nothing(self):
        "after InterIMAP's work is carried over, the first pass appends and expunges nothing, the second does nothing"
        for name in ("Archive", "Archive/2019", "Entwürfe/Über uns", "R&D"):
            self.local.create(name)
            self.local.append(name, *(simple(f"{name} {n}", flags=("\\Seen", "work")[: n % 3]) for n in range(20)))
        for n in range(50):
            self.remote.append("INBOX", simple(f"message {n}", flags=("\\Flagged",)[: n % 2]))
        self.theirs(self.account)
        self.interimap(self.account)
        self.interimap(self.account)
        before = self.fingerprints()
        result = self.moved()
        self.assertSays(result, "messages: 130")
        config = self.account.dir / "config" / "imapsync" / "interimap.conf"
        self.assertEqual(config.stat().st_mode & 0o777, 0o600)
        self.assertUntouched(before)
        first = self.sync("--debug")
        self.assertEqual(first.changes(), [], "the first pass changed something")
        self.assertUntouched(before)
        self.assertIdentical()
        self.assertNoop()

    def test_what_happened_since_is_carried_out(self):
        "new mail, deletions and flags since InterIMAP's last run are synchronized, and no message is doubled"
        for n in range(30):
            self.local.append("INBOX", simple(f"message {n}"))
        self.theirs(self.account)
        self.interimap(self.account)
        remote = self.remote
        remote.append("INBOX", simple("new there"))
        remote.select("INBOX")
        remote.store("3", "+", "\\Flagged")
        remote.store("5", "+", "\\Deleted")
        remote.expunge("5")
        remote.unselect()
        self.local.append("INBOX", simple("new here"))
        self.moved("--name=mail")
        result = self.sync()
        self.assertRegex(result.err, r"to local: 1 copied \(.*\), 1 flags changed, 1 expunged; to remote: 1 copied")
        after = self.assertIdentical()
        self.assertEqual(len(after.mailboxes[("INBOX",)]), 31)
        self.assertNoop()

    def test_every_option_of_its_manual(self):
        "all options of interimap(1) are taken over, translated, or named in a comment; the result is valid"
        text = "\n".join((
            "database = kept.db", "list-mailbox = * \"with space\"", "list-select-opts = SUBSCRIBED",
            "ignore-mailbox = ^virtual(?:\\x00|$)", "logfile = /var/log/x", "log-prefix = %n", "[local]", "type = tunnel",
            "command = /usr/lib/dovecot/imap", "null-stderr = YES", "list-reference = perso/", "compress = NO", "[remote]",
            "type = imaps", "host = imap.example.org", "port = 1993", "proxy = socks5h://[::1]:9050", "STARTTLS = YES",
            "auth = PLAIN LOGIN", "username = me", "password = secret #1", "compress = YES", "SSL_protocols = !SSLv3",
            "SSL_protocol_min = TLSv1", "SSL_protocol_max = TLSv1.3", "SSL_cipherlist = HIGH:!aNULL",
            "SSL_ciphersuites = TLS_AES_256_GCM_SHA384",
            "SSL_fingerprint = " + "ab" * 32 + " sha1$" + "cd" * 20, "SSL_verify = YES",
            "SSL_CAfile = /etc/passwd", "SSL_CApath = /etc", "SSL_hostname = mail.example.org", "",
        ))  # fmt: skip
        self.theirs(self.account, text, "work.conf")
        database = sqlite3.connect(self.account.dir / "data" / "interimap" / "kept.db")
        for table in ("mailboxes (idx, mailbox, subscribed)", "local (idx, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ)",
                      "remote (idx, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ)", "mapping (idx, lUID, rUID)"):  # fmt: skip
            database.execute(f"CREATE TABLE {table}")
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO mailboxes VALUES (1, x'26414f512d00612662', 1)")  # &AOQ- NUL a&b: not canonical
        database.commit()
        self.assertEqual(self.account.run("--import-interimap=work.conf").status, 0)  # no row of local: not imported
        made = (self.account.dir / "config" / "imapsync" / "work.conf").read_text()
        for line in ("database=kept.db", "list-select-opts=SUBSCRIBED", "ignore-mailbox=^virtual(?:\\x00|$)",
                     "command=/usr/lib/dovecot/imap", "list-reference=perso/", "password=secret #1", "port=1993",
                     "SSL_cipher_list=HIGH:!aNULL", "SSL_protocol_max=TLSv1.3", "SSL_hostname=mail.example.org",
                     "SSL_fingerprint=spki-sha256$" + "ab" * 32 + " spki-sha1$" + "cd" * 20):  # fmt: skip
            self.assertIn(f"\n{line}\n", made)
        for dropped in ("logfile", "log-prefix", "null-stderr", "SSL_ciphersuites", "STARTTLS", "SSL_protocol_min"):
            self.assertRegex(made, rf"(?m)^# {dropped}=.*: ")

    def test_nothing_is_overwritten(self):
        "an account or a database that is there stays as it is; a wrong file or schema is named"
        self.theirs(self.account)
        self.interimap(self.account)
        self.moved()
        again = self.account.run("--import-interimap")
        self.assertEqual(again.status, 2)
        self.assertSays(again, "interimap.conf", "exists already")
        other = self.account.run("--import-interimap", "--name=other")
        self.assertEqual(other.status, 2)
        self.assertSays(other, "database", "exists already")
        self.assertFalse((self.account.dir / "config" / "imapsync" / "other.conf").exists())
        self.assertEqual(self.account.run("--import-interimap=none").status, 2)
        self.theirs(self.account, name="foreign", database=str(self.account.dir / "run-1.err"))
        foreign = self.account.run("--import-interimap=foreign")
        self.assertEqual(foreign.status, 2)
        self.assertSays(foreign, "InterIMAP", "cannot be read")
