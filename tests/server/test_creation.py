# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mailboxes take part: the subscribed ones, or those named."""

from harness import seed
from harness.case import ServerCase
from harness.imap import quote
from harness.seed import simple


class Creation(ServerCase):
    def test_mailbox_of_one_side_is_created_and_subscribed(self):
        "a subscribed mailbox that the other side lacks is created and subscribed there, each way"
        self.local.create("Only Here")
        self.local.append("Only Here", simple("a"))
        self.remote.create("Nur dort/Ümläute & mehr")
        self.remote.append("Nur dort/Ümläute & mehr", simple("b"))
        self.sync()
        self.assertIdentical()
        self.assertIn("Only Here", self.remote.subscriptions())
        self.assertIn("Nur dort/Ümläute & mehr", self.local.subscriptions())
        self.assertNoop()

    def test_empty_mailbox_is_created(self):
        "an empty subscribed mailbox is created, too"
        self.remote.create("Empty")
        self.sync()
        self.assertIdentical()
        self.assertIn("Empty", self.local.list())
        self.assertNoop()

    def test_all_sorts_of_names(self):
        "names with spaces, quotes, brackets, ampersands and other alphabets come through"
        names = seed.mailbox_names(20)
        self.local.pipeline([("CREATE", quote(n)) for n in names if n != "INBOX"])
        self.local.subscribe(*names)
        self.sync()
        self.assertIdentical()
        self.assertEqual(self.remote.subscriptions() & set(names), set(names))
        self.assertNoop()

    def test_unsubscribed_mailbox_is_left_alone(self):
        "what nobody subscribed to is neither copied nor created"
        self.local.create("Private", subscribe=False)
        self.local.append("Private", simple("mine"))
        self.local.append("INBOX", simple("shared"))
        self.sync()
        self.assertNotIn("Private", self.remote.list())
        self.assertIdentical(["INBOX"])
        self.assertNoop()

    def test_argument_names_an_unsubscribed_mailbox(self):
        "a mailbox named as argument is synchronized though unsubscribed, and nothing else is"
        self.local.create("Private/Sub", subscribe=False)
        self.local.append("Private/Sub", simple("mine"))
        self.local.append("INBOX", simple("not asked for"))
        self.sync("Private/Sub")
        self.assertIdentical(["Private/Sub"], subscriptions=False)
        self.assertEqual(self.remote.status("INBOX")["MESSAGES"], 0)

    def test_subscribed_on_one_side_only(self):
        "a mailbox that both have and only one subscribed to is synchronized"
        self.local.create("Half")
        self.remote.create("Half", subscribe=False)
        self.local.append("Half", simple("x"))
        self.sync()
        self.assertIdentical(["Half"], subscriptions=False)
        self.assertNoop()

    def test_argument_that_does_not_exist(self):
        "an argument that names no mailbox of either side is an error that says so"
        result = self.account.once("No Such Box")
        self.assertEqual(result.status, 1, result)
        self.assertSays(result, "No Such Box")
        self.assertNotIn("No Such Box", self.remote.list())

    def test_inbox_in_other_letters(self):
        "inbox as argument is INBOX"
        self.remote.append("INBOX", simple("x"))
        self.sync("inbox")
        self.assertIdentical(["INBOX"])
