# SPDX-License-Identifier: GPL-3.0-or-later
"""list-mailbox, list-select-opts, ignore-mailbox and patterns as arguments. What falls out of the
selection is left alone, not deleted."""

from harness.case import ServerCase
from harness.seed import simple

NAMES = ("INBOX", "work", "work/a", "work/b", "work/b/deep", "virtual", "virtual/all", "virtually", "Entwürfe")


class Selection(ServerCase):
    def setUp(self):
        super().setUp()
        client = self.here = self.client(0)
        self.there = self.client(1)
        for name in NAMES:
            if name != "INBOX":
                client.create(name, subscribe=name != "work/a")
            client.append(name, simple(f"in {name}"))

    def choose(self, **options):
        self.account.options = {k.replace("_", "-"): v for k, v in options.items()}
        self.account.write()

    def copied(self):
        """The names of what has messages on the other side."""
        listed = self.there.list(status="MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ")
        return {name for name, mailbox in listed.items() if mailbox.status and mailbox.status["MESSAGES"]}

    def assertCopied(self, *names):
        self.assertEqual(self.copied(), set(names))
        for name in set(self.there.list()) - set(names) - {"INBOX"}:
            self.assertTrue(any(n.startswith(name + "/") for n in names), f"{name} was created for nothing")

    def test_subscribed_by_default(self):
        "without options it is the subscribed mailboxes"
        self.sync()
        self.assertCopied(*(set(NAMES) - {"work/a"}))

    def test_list_select_opts_empty(self):
        "list-select-opts without a word selects what nobody subscribed to, too"
        self.choose(list_select_opts="")
        self.sync()
        self.assertCopied(*NAMES)
        self.assertIdentical(subscriptions=False)
        self.assertNoop()

    def test_recursivematch(self):
        "RECURSIVEMATCH selects what is above something subscribed, too"
        self.here.create("up/down")
        self.here.unsubscribe("work")
        self.choose(list_select_opts="SUBSCRIBED", list_mailbox="work*")
        self.sync()
        self.assertCopied("work/b", "work/b/deep")
        self.choose(list_select_opts="SUBSCRIBED RECURSIVEMATCH", list_mailbox="work*")
        self.sync()
        self.assertCopied("work", "work/b", "work/b/deep")

    def test_list_mailbox(self):
        "list-mailbox has patterns: % stays within a level, * does not, and \\x00 is between levels"
        self.choose(list_mailbox=r'inbox "work\x00%"', list_select_opts="")
        self.sync()
        self.assertCopied("INBOX", "work/a", "work/b")
        self.assertNoop()
        self.choose(list_mailbox=r"INBOX work/* Entw&APw-rfe", list_select_opts="")
        self.sync()
        self.assertCopied("INBOX", "work/a", "work/b", "work/b/deep", "Entwürfe")
        self.assertNoop()

    def test_ignore_mailbox(self):
        "ignore-mailbox is a regular expression over the name, with NUL between its levels"
        self.choose(ignore_mailbox=r"^virtual(?:\x00|$)|^Entw&APw-")
        self.sync()
        self.assertCopied("INBOX", "work", "work/b", "work/b/deep", "virtually")
        self.assertNoop()

    def test_ignored_later(self):
        "a mailbox that falls out of the selection is left alone on both sides, and resumes without doubles"
        self.sync()
        self.choose(ignore_mailbox="^(virtual|work)")
        self.here.append("work", simple("new here"))
        self.there.append("work", simple("new there"))
        self.here.delete("virtual/all")
        self.here.unsubscribe("virtual/all")
        self.there.rename("virtually", "virtuous")
        self.here.append("INBOX", simple("wanted"))
        self.sync()
        self.assertIdentical(["INBOX", "Entwürfe"])
        self.assertIn("virtual/all", self.there.list())
        self.assertIn("virtually", self.here.list())
        self.assertEqual(self.there.status("work")["MESSAGES"], 2)
        self.assertNoop()
        self.choose()
        self.sync()
        self.assertIdentical(["INBOX", "work", "work/b", "virtual", "virtuous", "Entwürfe"])
        self.assertNotIn("virtual/all", self.there.list())
        self.assertIn("virtuous", self.here.list())
        self.assertEqual(self.there.status("work")["MESSAGES"], 3)
        self.assertNoop()

    def test_arguments_are_patterns(self):
        "arguments have wildcards, and come before all options"
        self.choose(ignore_mailbox="work", list_mailbox="INBOX")
        self.sync("work/%")
        self.assertCopied("work/a", "work/b")
        self.sync("work*", "inbox")
        self.assertCopied("INBOX", "work", "work/a", "work/b", "work/b/deep")
        self.assertNoop("work*")

    def test_argument_that_matches_nothing(self):
        "a pattern that matches nothing is told, and the status is 1"
        result = self.sync("nothing*", "INBOX", status=1)
        self.assertSays(result, "nothing*")
        self.assertCopied("INBOX")

    def test_arguments_leave_the_rest_alone(self):
        "what was deleted or renamed elsewhere waits for a run that means it"
        self.sync()
        self.here.delete("virtual/all")
        self.here.rename("virtually", "virtuous")
        self.sync("INBOX")
        self.assertIn("virtual/all", self.there.list())
        self.assertIn("virtually", self.there.list())
        self.sync()
        self.assertNotIn("virtual/all", self.there.list())
        self.assertIn("virtuous", self.there.list())
        self.assertNotIn("virtually", self.there.list())
        self.assertNoop()
