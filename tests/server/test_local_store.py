# SPDX-License-Identifier: GPL-3.0-or-later
"""`type = store`: the mail is kept here, without a server."""

import itertools
import subprocess
import unittest

from harness import compare, place, seed
from harness.dovecot import Dovecot
from harness.imapsync import Account
from harness.local_store import StoreAccount
from harness.seed import simple

_users = itertools.count(1)


class StoreCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Dovecot("mdbox")
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def setUp(self):
        self.user = f"stored{next(_users)}"
        with self.server.connect(self.user) as client:
            client.subscribe("INBOX")

    def make(self, **options):
        account = StoreAccount(self.server.settings(self.user), **options)
        self.addCleanup(account.close)
        return account

    def client(self, server):
        client = server.connect(self.user)
        self.addCleanup(client.logout)
        return client

    def sync(self, account, *arguments, status=0, **options):
        result = account.once(*arguments, **options)
        self.assertEqual(result.status, status, str(result))
        self.assertNotIn("assertion '", result.err)  # GLib's criticals
        return result

    def assertIdentical(self, account):
        left, right = compare.snapshot(account, self.user), compare.snapshot(self.server, self.user)
        lines = compare.differences(left, right)
        if lines:
            self.fail("store and server differ: " + compare.report(lines))
        return left

    def assertNoop(self, account):
        before = account.database_state()
        result = self.sync(account, "--debug")
        self.assertTrue(result.traffic(), str(result))
        self.assertEqual(result.changes(), [])
        self.assertEqual(before, account.database_state())


class LocalStore(StoreCase):
    def fill(self):
        remote = self.client(self.server)
        for name in ("Archive", "Archive/2019", "dots.in.names", "Entwürfe", "He said \"no\" & more"):
            remote.create(name)
            remote.append(name, simple(f"in {name}"))
        for n in range(30):
            remote.append("INBOX", simple(f"message {n}"))

    def both_ways(self, format):
        account = self.make(format=format)
        self.fill()
        self.sync(account)
        self.assertIdentical(account)
        self.assertNoop(account)
        local = self.client(account)
        local.create("Made here")
        local.append("Made here", simple("from here"))
        local.select("INBOX")
        local.command("UID STORE 3 +FLAGS.SILENT (\\Flagged $label1)")
        local.command("UID STORE 4 +FLAGS.SILENT (\\Deleted)")
        local.command("UID EXPUNGE 4")
        self.sync(account)
        after = self.assertIdentical(account)
        self.assertEqual(len(after.mailboxes[("INBOX",)]), 29)
        self.assertIn(("Made here",), after.mailboxes)
        self.assertNoop(account)
        return account

    def test_the_store_is_a_maildir_that_stays_identical(self):
        "a store without a server is filled, follows both ways, and is a Maildir at the place that the manual names"
        account = self.both_ways(None)
        mail = account.folder / "mail"
        self.assertEqual(mail.stat().st_mode & 0o777, 0o700)
        self.assertEqual(len(list((mail / "INBOX" / "cur").iterdir()) + list((mail / "INBOX" / "new").iterdir())), 29)
        self.assertEqual(len(list((mail / "Archive" / "2019").glob("*/*"))), 1)

    def test_the_store_can_be_sdbox(self):
        "store-format = sdbox: the same with Dovecot's own format"
        account = self.both_ways("sdbox")
        self.assertTrue((account.folder / "mail" / "mailboxes" / "INBOX" / "dbox-Mails").is_dir())

    def test_all_sorts_of_mail(self):
        "the whole seed goes into the store and is complete there"
        seed.seed(self.server, self.user, 20, 200)
        account = self.make()
        self.sync(account)
        self.assertIdentical(account)
        self.assertNoop(account)

    def test_what_is_written_is_on_the_disk(self):
        "the configuration that Dovecot gets has mail_fsync = always, as Dovecot itself reads it"
        account = self.make()
        self.sync(account)
        path = account.folder / "dovecot.conf"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        said = subprocess.run(["doveconf", "-n", "-c", path], capture_output=True, text=True, check=True).stdout
        self.assertRegex(said, r"(?m)^mail_fsync = always$")
        self.assertNotRegex(said, r"(?m)^listen")

    def test_the_folder_may_be_called_anything_but_with_a_colon(self):
        "blanks, quotes, percent and dollar signs in the name are taken as they are; a colon is refused"
        account = self.make(name='it\'s "50%" of $HOME #1')
        self.fill()
        self.sync(account)
        self.assertIdentical(account)
        self.assertTrue((account.folder / "mail" / "INBOX").is_dir())
        refused = self.make(name="a:b")
        self.assertIn("no colon", self.sync(refused, status=2).err)

    def test_missing_dovecot_is_named_with_its_package(self):
        "without Dovecot's imap program the message says which package has it, and nothing is written"
        account = self.make()
        result = self.sync(account, status=2, env={"IMAPSYNC_DOVECOT_PATH": str(account.dir / "none")})
        self.assertRegex(result.err, r"package dovecot-imapd")
        self.assertFalse(account.folder.exists())

    def test_the_format_cannot_be_changed_under_the_mail(self):
        "another store-format over mail that is there is refused: it would look deleted"
        account = self.make()
        self.fill()
        self.sync(account)
        account.local["store-format"] = "sdbox"
        account.write()
        self.assertIn("keeps its mail as maildir", self.sync(account, status=2).err)
        account.local["store-format"] = "maildir"
        account.write()
        self.assertNoop(account)

    def test_a_lost_store_is_filled_again(self):
        "mail that went with its whole folder is copied back, and nothing is deleted on the server"
        account = self.make()
        self.fill()
        self.sync(account)
        before = compare.snapshot(self.server, self.user).counts()
        subprocess.run(["rm", "-rf", account.folder / "mail"], check=True)
        result = account.once()
        self.assertIn(result.status, (0, 1), str(result))
        self.assertEqual(before, compare.snapshot(self.server, self.user).counts())

    def test_root_is_told_to_be_somebody_else(self):
        "as root it says that Dovecot opens no mail of root's; an ordinary user is served"
        if place.ROOT:
            account = Account({"type": "store"}, self.server.settings(self.user))
            self.addCleanup(account.close)
            result = self.sync(account, status=2)
            self.assertIn("as root", result.err)
            self.assertFalse((account.dir / "data" / "imapsync" / "imapsync").exists())
        self.sync(self.make())

    def test_store_is_for_the_local_side(self):
        "a remote store is an error of the configuration, as are a server's options in a store's section"
        account = self.make()
        for text, expected in (
            ("[local]\nhost=a\n[remote]\ntype=store\n", r"work\.conf:4: type = store is for \[local\] alone"),
            ("[local]\ntype=store\nusername=me\n[remote]\nhost=a\n", r"work\.conf:3: username makes no sense"),
            ("[local]\ntype=store\nstore-format=mbox\n[remote]\nhost=a\n", r"work\.conf:3: store-format has to be"),
            ("[local]\ntype=imap\nstore-format=sdbox\n[remote]\nhost=a\n", r"work\.conf:3: store-format makes no sense"),
        ):  # fmt: skip
            account.write(text)
            self.assertRegex(self.sync(account, status=2).err, expected)


class StoreAlive(StoreCase):
    def test_a_running_imapsync_sees_what_others_do_to_the_store(self):
        "a mail program over Dovecot's imap, and one that writes into the Maildir, are both followed without any poll"
        account = self.make(poll=3600)
        running = account.start()
        self.addCleanup(running.kill)
        place.wait_until((account.folder / "mail" / "INBOX" / "cur").is_dir, 30, "the store")
        local = self.client(account)
        local.append("INBOX", simple("over imap"))

        def subjects():
            found = compare.snapshot(self.server, self.user).mailboxes[("INBOX",)]
            return {record.subject for record in found}

        place.wait_until(lambda: "over imap" in subjects(), 30, "the message in the copy")
        path = account.folder / "mail" / "INBOX" / "new" / "1700000000.M1P1.here"
        path.write_bytes(simple("into the folder").body)
        place.own(path)
        place.wait_until(lambda: "into the folder" in subjects(), 30, "the message of the Maildir")
        running.kill(15)
        self.assertIn(running.wait(30).status, (0, 1))
