# SPDX-License-Identifier: GPL-3.0-or-later
"""Under systemd the log goes to the journal, with fields by which it can be searched."""

from harness import journal
from harness.case import ServerCase
from harness.imapsync import binary
from harness.seed import simple


class Journal(ServerCase):
    links = ("imap", "imap")
    INFO, NOTICE, WARNING = "6", "5", "4"

    def run_it(self, *arguments):
        status, records = journal.records([binary(), "--oneshot", *arguments], self.account.environment())
        for record in records:
            self.assertEqual(record["SYSLOG_IDENTIFIER"], "imapsync", record)
            self.assertEqual(record["IMAPSYNC_ACCOUNT"], "imapsync", record)
        return status, records

    def test_fields_for_account_and_mailbox(self):
        "each record has the account; one about a mailbox has that mailbox, by the name that people see"
        self.local.create("Box/Ünder")
        self.local.subscribe("Box/Ünder")
        self.local.append("Box/Ünder", simple("one"), simple("two"))
        status, records = self.run_it()
        self.assertEqual(status, 0, records)
        about = [r for r in records if r.get("IMAPSYNC_MAILBOX") == "Box/Ünder"]
        copied = [r for r in about if r["MESSAGE"].startswith("Box/Ünder: to remote: 2 copied")]
        self.assertEqual([r["PRIORITY"] for r in copied], [self.NOTICE], records)
        summary = [r for r in records if "mailboxes changed" in r["MESSAGE"]]
        self.assertEqual([r.get("IMAPSYNC_MAILBOX") for r in summary], [None])

    def test_levels(self):
        "a warning is one in the journal; an expunge is told at the level of information"
        self.local.append("INBOX", simple("gone soon"), simple("stays"))
        self.run_it()
        with self.servers[0].connect(self.user) as client:
            client.select("INBOX")
            client.expunge([1])
        _, records = self.run_it()
        expunged = [r for r in records if "expunged on the remote server" in r["MESSAGE"]]
        self.assertEqual([(r["PRIORITY"], r["IMAPSYNC_MAILBOX"]) for r in expunged], [(self.INFO, "INBOX")], records)
        status, records = self.run_it("No such mailbox")
        self.assertEqual(status, 1)
        warnings = [r for r in records if r["PRIORITY"] == self.WARNING]
        self.assertEqual([r["IMAPSYNC_MAILBOX"] for r in warnings], ["No such mailbox"], records)
