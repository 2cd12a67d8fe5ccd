# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what is printed where, and with which exit status."""

import base64
import fcntl
import re
import shutil
import signal

from harness import place
from harness.case import ServerCase
from harness.imap import Message
from harness.imapsync import Account
from harness.seed import simple


class CommandLine(ServerCase):
    formats, links = ("maildir", "sdbox"), ("imap", "imaps")

    def test_help(self):
        "--help tells of every option on standard output, exit status 0"
        for option in ("--help", "-h"):
            result = self.account.run(option)
            self.assertEqual((result.status, result.err), (0, ""), result)
            for word in ("--config", "--oneshot", "-1", "--repair", "--quiet", "-q", "--debug", "--version", "MAILBOX"):
                self.assertIn(word, result.out)

    def test_version(self):
        "--version says name and version on standard output, exit status 0"
        result = self.account.run("--version")
        self.assertEqual((result.status, result.err), (0, ""), result)
        self.assertRegex(result.out, r"^imapsync \d+\.\d+")

    def test_unknown_option(self):
        "an unknown option is named, exit status 2, nothing on standard output"
        result = self.account.run("--oneshoot")
        self.assertEqual((result.status, result.out), (2, ""), result)
        self.assertSays(result, "--oneshoot")

    def test_option_without_its_value(self):
        "--config without a value is a usage error"
        result = self.account.run("--oneshot", "--config")
        self.assertEqual(result.status, 2, result)
        self.assertSays(result, "--config")

    def test_all_in_sync_is_status_0(self):
        "a run that synchronizes everything ends with 0; standard output stays empty"
        self.local.append("INBOX", simple("x"))
        result = self.sync()
        self.assertEqual(result.out, "")

    def test_short_option(self):
        "-1 is --oneshot"
        self.local.append("INBOX", simple("x"))
        self.assertEqual(self.account.run("-1").status, 0)
        self.assertIdentical()

    def test_partial_failure_is_status_1(self):
        "one mailbox that cannot be synchronized: exit status 1, the others are in sync"
        self.local.create("No Such Place")
        self.local.append("INBOX", simple("x"))
        result = self.account.once("INBOX", "Nowhere")
        self.assertEqual(result.status, 1, result)
        self.assertSays(result, "Nowhere")
        self.assertIdentical(["INBOX"])

    def test_quiet_is_silent(self):
        "--quiet prints nothing at all when all is well, in a first and in a second run"
        self.local.append("INBOX", simple("x"))
        self.remote.create("New")
        for option in ("--quiet", "-q"):
            result = self.sync(option)
            self.assertEqual((result.out, result.err), ("", ""))

    def test_debug_shows_no_credential_and_no_literal(self):
        "--debug shows the traffic, but neither password nor any byte of a message"
        secret_body = "only-in-the-body-of-a-message"
        self.local.append("INBOX", simple("subject-inside", body=secret_body))
        for mechanism in ("PLAIN", "LOGIN"):
            self.account.remote["auth"] = mechanism
            self.account.write()
            self.local.append("INBOX", simple(f"subject-inside-{mechanism}", body=secret_body))
            result = self.sync("--debug")
            self.assertEqual(result.out, "")
            self.assertTrue(any(c == ("remote", "APPEND") for c in result.commands()), result)
            credentials = [f"\0{self.user}\0pass", "pass"]
            for text in [*credentials, secret_body, "subject-inside"]:
                self.assertNotIn(base64.b64encode(text.encode()).decode(), result.err)
            self.assertNotIn(secret_body, result.err)
            self.assertNotIn("subject-inside", "\n".join(result.traffic()))
            self.assertIsNone(re.search(r"\bpass\b", result.err), result)

    def test_debug_hides_control_characters(self):
        "what a server or a message says cannot move the terminal's cursor"
        self.local.append("INBOX", Message(b"Subject: \x1b[31mred\r\nMessage-ID: <\x1b[2J@x>\r\n\r\nx\r\n"))
        self.sync("--debug")
        local = self.local
        local.select("INBOX")
        local.expunge(local.uids())
        result = self.sync("--debug")
        self.assertNotIn("\x1b", result.err)

    def test_config_option(self):
        "--config takes an absolute path, or one relative to XDG_CONFIG_HOME"
        self.local.append("INBOX", simple("x"))
        other = self.account.dir / "config" / "sub" / "mine.conf"
        other.parent.mkdir()
        shutil.move(self.account.config, other)
        self.assertEqual(self.account.once("--config=sub/mine.conf").status, 0)
        self.assertEqual(self.account.once(f"--config={other}").status, 0)
        self.assertEqual(self.account.once("--config", "sub/mine.conf").status, 0)
        self.assertIdentical()

    def test_folder_of_accounts(self):
        "a folder of *.conf files is one account each"
        text = self.account.config.read_text()
        user = self.user
        self.account.config.unlink()
        self.account.config.mkdir()
        (self.account.config / "one.conf").write_text("database = one.db\n" + text)
        second = f"{user}b"
        (self.account.config / "two.conf").write_text("database = two.db\n" + text.replace(user, second))
        (self.account.config / "ignored.txt").write_text("this is no configuration\n")
        for path in self.account.config.iterdir():
            path.chmod(0o600)
        self.local.append("INBOX", simple("one"))
        with self.servers[1].connect(second) as client:
            client.subscribe("INBOX")
            client.append("INBOX", simple("two"))
        result = self.account.once()
        self.assertEqual(result.status, 0, result)
        self.assertIdentical()
        self.user = second
        self.assertIdentical()

    def test_missing_configuration(self):
        "without a configuration: exit status 2, and the file that was looked for is named"
        self.account.config.unlink()
        result = self.account.once()
        self.assertEqual(result.status, 2, result)
        self.assertSays(result, str(self.account.config))

    def test_second_instance_is_status_4(self):
        "while one instance holds the database a second ends with 4, before it connects anywhere"
        self.sync()
        lock = open(f"{self.account.database}.lock", "r+")
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.local.append("INBOX", simple("x"))
        before = self.fingerprints(), self.account.database_state()
        result = self.account.once("--debug")
        lock.close()
        self.assertEqual(result.status, 4, result)
        self.assertEqual(result.traffic(), [])
        self.assertSays(result, self.account.database.name)
        self.assertEqual((self.fingerprints(), self.account.database_state()), before)
        self.sync()
        self.assertIdentical()

    def test_two_instances_at_once(self):
        "of two real instances one synchronizes and the other ends with 0 or 4, nothing is doubled"
        self.local.append("INBOX", *(simple(f"m{i}") for i in range(300)))
        before = self.snapshots()
        running = [self.account.start("--oneshot") for _ in range(3)]
        statuses = sorted(r.wait().status for r in running)
        self.assertEqual(statuses[0], 0)
        self.assertLessEqual(set(statuses), {0, 4})
        self.sync()
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)

    def test_closed_standard_error(self):
        "a closed standard error does not keep the program from its work"
        self.local.append("INBOX", simple("x"))
        result = self.account.once(prefix=("/bin/sh", "-c", 'exec "$@" 2>&-', "sh"))
        self.assertEqual(result.status, 0, result)
        self.assertIdentical()

    def test_sigterm(self):
        "SIGTERM in the middle ends it within two seconds in a consistent state"
        self.local.append("INBOX", *(simple(f"m{i}", body="x" * 20000) for i in range(1500)))
        before = self.snapshots()
        running = self.account.start("--oneshot")
        place.wait_until(lambda: self.client(1).status("INBOX")["MESSAGES"] > 0 or running.process.poll() is not None,
                         60, "the first messages to arrive")  # fmt: skip
        running.kill(signal.SIGTERM)
        running.wait(4)
        self.sync()
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)

    def test_another_account_of_the_same_database(self):
        "what another account left in the database is not believed; nobody's mail is harmed"
        self.local.append("INBOX", simple("x"))
        self.sync()
        user = self.user
        for server in self.servers:
            with server.connect(user + "x") as client:
                client.subscribe("INBOX")
                client.append("INBOX", simple("y"))
        other = Account(self.servers[0].settings(user + "x", "imap"), self.servers[1].settings(user + "x", "imaps"),
                        database=self.account.database)  # fmt: skip
        self.addCleanup(other.close)
        before = self.fingerprints()
        result = other.once()
        self.assertIn(result.status, (0, 2), result)
        self.assertUntouched(before)
        self.user = user + "x"
        for snapshot in self.snapshots():
            self.assertEqual({r.subject for r in snapshot.mailboxes[("INBOX",)]}, {"y"}, result)
