# SPDX-License-Identifier: GPL-3.0-or-later
"""`--dry-run` says what a pass would do, and does nothing."""

import os
import time

from harness import place
from harness.case import ServerCase
from harness.seed import simple


class DryRun(ServerCase):
    def files(self):
        """All that is in the data folder, byte by byte, but for the lock, which says who had it last."""
        data = self.account.dir / "data"
        return {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*")
                if p.is_file() and not p.name.endswith(".lock")}  # fmt: skip

    def dry(self, *arguments, status=0):
        """Runs it and proves that it changed nothing; its lines on standard output."""
        before = self.fingerprints(), self.files()
        result = self.account.run("--dry-run", "--debug", *arguments)
        self.assertEqual(result.status, status, str(result))
        self.assertTrue(result.traffic(), str(result))
        self.assertEqual(result.changes(), [], "a dry run sent a command that changes something")
        self.assertEqual([c for c in result.commands() if c[1] == "SELECT"], [], "EXAMINE leaves \\Recent alone")
        self.assertUntouched(before[0])
        self.assertEqual(before[1], self.files(), "a dry run changed the data folder")
        self.assertFalse([n for n in os.listdir(os.environ.get("TMPDIR", "/tmp")) if n.startswith("imapsync-")
                          and len(n) == 15 and os.path.exists(f"/tmp/{n}/copy.db")], "its copy is left over")  # fmt: skip
        return result.out.splitlines()

    def test_first_run(self):
        "before a first run: what would be copied where, and what would be created, without even a database"
        self.local.append("INBOX", simple("a"), simple("b"))
        self.remote.append("INBOX", simple("c"))
        self.remote.create("Archive")
        self.remote.append("Archive", simple("d"), simple("e"), simple("f"))
        lines = self.dry()
        self.assertRegex(lines[0], r"^Archive: on local: create, 3 to copy$")
        inbox = next(line for line in lines if line.startswith("INBOX:"))
        self.assertRegex(inbox, r"^INBOX: to local: 1 to copy \(.*\); to remote: 2 to copy \(.*\)$")
        self.assertRegex(lines[-1], r"^would do: to local: 4 to copy \(.*\); to remote: 2 to copy")
        self.assertEqual(self.files(), {})
        self.sync()
        self.assertIdentical()

    def test_it_says_what_the_pass_then_does(self):
        "copies, flags, expunges and the tree: what is said is what the next pass does"
        for n in range(6):
            self.local.append("INBOX", simple(f"message {n}"))
        self.local.create("Old")
        self.local.append("Old", simple("in a mailbox that is renamed"))
        self.local.create("Gone")
        self.local.append("Gone", simple("in a mailbox that goes"))
        self.sync()
        remote = self.remote
        remote.select("INBOX")
        remote.store("1:2", "+", "\\Flagged")
        remote.store("3", "+", "\\Deleted")
        remote.expunge("3")
        remote.append("INBOX", simple("new there"))
        remote.unselect()
        remote.rename("Old", "New")
        remote.unsubscribe("Old")
        remote.subscribe("New")
        remote.unsubscribe("Gone")
        remote.delete("Gone")
        self.local.append("INBOX", simple("new here"))
        lines = self.dry()
        self.assertIn("INBOX: to local: 1 to copy (89 bytes), 2 flags to change, 1 to expunge; "
                      "to remote: 1 to copy (87 bytes)", [self.plain_size(line) for line in lines])  # fmt: skip
        self.assertIn("Old: on local: rename to New", lines)
        self.assertTrue([line for line in lines if line.startswith("Gone: on local: delete, messages: 1")], lines)
        said = self.sync().err
        self.assertRegex(said, r"INBOX: to local: 1 copied \(.*\), 2 flags changed, 1 expunged; to remote: 1 copied")
        self.assertIdentical()

    @staticmethod
    def plain_size(line):
        return line.replace("\u00a0", " ")

    def test_nothing_to_do(self):
        "when all is in sync it says so, and with another run of the real program nothing was lost"
        self.local.append("INBOX", simple("a"))
        self.sync()
        self.assertEqual(self.dry(), ["would do: nothing"])
        self.assertNoop()

    def test_a_mailbox_without_a_subscription(self):
        "messages of a mailbox that would be subscribed count, too"
        self.remote.append("INBOX", simple("a"), simple("b"))
        self.local.unsubscribe("INBOX")
        lines = self.dry()
        self.assertIn("INBOX: on local: subscribe", lines)
        self.assertRegex(lines[-1], "^would do: to local: 2 to copy")

    def test_only_named_mailboxes(self):
        "arguments choose mailboxes, as for a real pass"
        self.local.create("A")
        self.local.append("A", simple("a"))
        self.local.append("INBOX", simple("b"))
        lines = self.dry("A")
        self.assertEqual([line.split(":")[0] for line in lines], ["A", "would do"])

    def test_after_an_interruption(self):
        "what an interrupted pass left open is part of the answer, and stays open"
        for n in range(40):
            self.local.append("INBOX", simple(f"message {n}"))
        self.account.once(kill_after=0.15, plain=True)
        self.dry()
        self.sync()
        self.assertIdentical()

    def test_repair(self):
        "--repair --dry-run lists what a repair would do"
        self.local.append("INBOX", simple("a"), simple("b"))
        self.sync()
        self.assertEqual(self.dry("--repair"), ["would do: nothing"])

    def test_while_another_has_the_database(self):
        "the database of a running imapsync is not read: exit status 4 names the process"
        running = self.account.start()
        self.addCleanup(running.kill)
        place.wait_until(self.account.database.exists, 20, "the database")
        time.sleep(0.5)
        result = self.account.run("--dry-run")
        self.assertEqual(result.status, 4, str(result))
        self.assertSays(result, str(running.pid))
        running.kill(15)
        running.wait(20)
