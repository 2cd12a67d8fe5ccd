# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyrus as one side and as both: what holds between two Dovecots holds there, too."""

from harness import seed
from harness.case import ServerCase
from harness.cyrus import Cyrus
from harness.dovecot import Dovecot
from harness.imap import quote
from harness.imapsync import killable
from harness.seed import simple
from server import (test_adoption, test_creation, test_expunge, test_first_copy, test_flags, test_large, test_live, test_names,
                    test_noop, test_tree)  # fmt: skip


class _Cyrus:
    """Mixed into a class of tests; there is no tunnel into Cyrus."""

    links = ("imaps", "imaps")
    cost = 3

    def client(self, side):
        client = self.servers[side].connect(self.user, "imap")
        self.addCleanup(client.logout)
        return client


class _Remote(_Cyrus):
    """Cyrus on the remote side, Dovecot on the local one."""

    links = ("tunnel", "imaps")

    @classmethod
    def make_servers(cls):
        return [Dovecot("maildir"), Cyrus()]


class _Local(_Cyrus):
    """Cyrus on the local side."""

    @classmethod
    def make_servers(cls):
        return [Cyrus(), Dovecot("mdbox")]


class _Both(_Cyrus):
    """Cyrus on both sides."""

    @classmethod
    def make_servers(cls):
        return [Cyrus(), Cyrus()]


class _Plain:
    """Where a test looks at the wire."""

    links = ("imap", "imap")


def _only(base, *names):
    """@base with these of its tests alone."""
    return type(base.__name__, (base,), {n: None for n in dir(base) if n.startswith("test_") and n not in names})


class DovecotToCyrusCopy(_Remote, test_first_copy.TunnelToImaps):
    pass


class CyrusToDovecotCopy(_Local, test_first_copy.TunnelToImaps):
    pass


class CyrusToCyrusCopy(_Both, test_first_copy.TunnelToImaps):
    pass


class DovecotToCyrusFlags(_Remote, test_flags.Flags):
    pass


class CyrusToCyrusFlags(_Both, test_flags.Flags):
    pass


class DovecotToCyrusExpunge(_Remote, test_expunge.Expunge):
    pass


class CyrusToCyrusExpunge(_Both, test_expunge.Expunge):
    pass


def _refused(name):
    return set(name) & set('"\\%!')


class _Shared:
    """Mixed into a class whose remote side is Cyrus: a mailbox of another user, and one of everybody."""

    def check_shared(self, team, boards, mine):
        with self.servers[1].connect(f"{self.user}x") as other, self.servers[1].connect("cyrus") as everybody:
            wire = mine.format("team")
            other.create(wire)
            other.command("SETACL", quote(wire), self.user, "lrswipkxtecdan")
            other.append(wire, simple("theirs"))
            everybody.create("boards", subscribe=False)
            everybody.command("SETACL", "boards", "anyone", "lrswipkxtecdan")
            self.addCleanup(self.drop_boards)
        here, there = self.client(0), self.client(1)
        there.append(boards, simple("everybody's"))
        there.subscribe(team, boards)
        for name in ("a", "b"):
            here.create(name)
            here.append(name, simple(name))
        self.sync()
        self.assertEqual(set(here.list()), {"INBOX", "a", "b"})
        self.assertNoop()
        there.rename(mine.format("a"), f"{team}{self.servers[1].separator}a")
        there.unsubscribe(mine.format("a"))
        there.append(team, simple("more"))
        here.create("Shared", subscribe=True)
        subscribed = there.subscriptions() - {mine.format(n) for n in ("a", "b")}
        result = self.sync("--debug")
        self.assertEqual(set(here.list()), {"INBOX", "b", "Shared"})
        told = [line for line in result.traffic() if "boards" in line or "team" in line]
        self.assertEqual(told, [])
        self.assertEqual([there.status(n)["MESSAGES"] for n in (team, f"{team}{self.servers[1].separator}a", boards)], [2, 1, 1])
        self.assertIn(boards, subscribed)
        self.assertLessEqual(subscribed, there.subscriptions())
        self.assertNoop()

    def drop_boards(self):
        with self.servers[1].connect("cyrus") as everybody:
            everybody.command("SETACL", "boards", "cyrus", "lrswipkxtecdan")
            everybody.delete("boards")


class DovecotToCyrusCreation(_Shared, _Remote, test_creation.Creation):
    def test_what_is_shared(self):
        "mailboxes of other users and of everybody are left alone, and so is what was moved among them"
        self.check_shared(f"Other Users/{self.user}x/team", "Shared Folders/boards", "{}")

    def test_all_sorts_of_names(self):
        "names that Cyrus refuses are told, and all others come through"
        names = [n for n in seed.mailbox_names(20) if n != "INBOX"]
        good = [n for n in names if not _refused(n)]
        self.assertLess(len(good), len(names))
        self.local.pipeline([("CREATE", quote(n)) for n in names])
        self.local.subscribe(*names)
        result = self.sync(status=1)
        for name in set(names) - set(good):
            self.assertSays(result, name, "remote")
        self.assertIdentical(["INBOX", *good])


class CyrusToCyrusCreation(_Both, test_creation.Creation):
    def test_all_sorts_of_names(self):
        "all names that Cyrus can have come through"
        names = [n for n in seed.mailbox_names(20) if n != "INBOX" and not _refused(n)]
        self.local.pipeline([("CREATE", quote(n)) for n in names])
        self.local.subscribe(*names)
        self.sync()
        self.assertIdentical()
        self.assertNoop()


class DovecotToCyrusNoop(_Plain, _Remote, test_noop.Noop):
    pass


class CyrusToCyrusNoop(_Plain, _Both, test_noop.Noop):
    pass


class CyrusToCyrusBinary(_Both, ServerCase):
    def test_message_with_nul(self):
        "a message that holds NUL, which only literal8 can carry, is copied as it is"
        data = (b"Subject: nul\r\nMessage-ID: <nul@simple.example>\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\r\n")  # fmt: skip
        self.local.command("APPEND", quote("INBOX"), b"~{%d+}\r\n%s" % (len(data), data))
        self.local.append("INBOX", simple("after it"))
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(len(snapshot.mailboxes[("INBOX",)]), 2)
        self.assertNoop()


class DovecotToCyrusRefused(_Remote, ServerCase):
    """What Dovecot has and Cyrus takes not."""

    def test_content(self):
        "what Cyrus refuses for its content is held with its reason, the neighbours of the same batch pass; so the next run"
        names = [f"good {i}" for i in range(6)]
        good = [simple(name) for name in names]
        bad = [seed.Message(b"x", (), good[0].date), seed.Message(b"no header at all\r\n", (), good[0].date)]
        nul = seed.Message(b"Subject: nul\r\n\r\na\0b\r\n", (), good[0].date)
        self.local.append("INBOX", *good[:2], bad[0], *good[2:4], nul, bad[1], *good[4:])
        for _ in range(2):
            result = self.sync(status=1)
            for uid in (3, 7):
                self.assertSays(result, "INBOX", f"local UID {uid}", "invalid header")
        remote = self.snapshots(["INBOX"])[1]
        self.assertEqual(sorted(r.subject for r in remote.mailboxes[("INBOX",)]), [*names, "nul"])


class CyrusLive(_Remote, test_live._Live):
    """NOTIFY on one side; on Cyrus IDLE for INBOX, and polls."""

    options = {"poll": 2}

    def test_inbox_and_another(self):
        "what changes in INBOX and elsewhere on Cyrus, and on the other side, is followed"
        local, remote = self.local, self.remote
        remote.create("Other")
        running = self.start()
        remote.append("INBOX", simple("pushed"))
        self.until(lambda: len(self.uids(local)) == 1, "the message in INBOX", running)
        remote.append("Other", simple("polled"))
        self.until(lambda: len(self.uids(local, "Other")) == 1, "the message in Other", running)
        local.append("INBOX", simple("back"))
        self.until(lambda: len(self.uids(remote)) == 2, "the message from local", running)
        local.select("INBOX")
        local.store(local.uids()[:1], "+", "\\Flagged")
        self.until(lambda: any("\\flagged" in f for f in self.flags(remote).values()), "the flag", running)
        self.stop(running)
        self.assertIdentical()


    def test_status_of_another_mailbox(self):
        "a STATUS that Cyrus answers for the mailbox which had the name before keeps nobody busy"
        local, remote = self.local, self.remote
        for name in "abc":
            local.create(name)
            local.append(name, simple(name))
        running = self.start()
        with self.servers[0].connect(self.user) as client:
            client.delete("b")
            client.rename("a", "b")
            client.unsubscribe("a")
        self.until(lambda: "a" not in remote.list(), "the rename", running)
        self.rest()
        before = running.err.count(" remote C: ")
        self.rest(4)
        self.assertLess(running.err.count(" remote C: ") - before, 40, "commands in four seconds, with two polls")
        remote.append("b", simple("news"))
        self.until(lambda: len(self.uids(local, "b")) == 2, "a message in it", running)
        self.stop(running)
        self.assertEqual(len(self.uids(remote, "b")), 2)


class DovecotToCyrusRenames(_Remote, test_tree.Renames):
    """Cyrus knows MAILBOXID: what is renamed is known by it."""

    cost = 12
    # What is about maildirs; and levels, which are mailboxes on Cyrus.
    test_to_another_mailbox_of_the_same_uidvalidity = test_level_with_children = None
    test_swap_of_empty_ones = None  # which are known here: see below

    def test_empty_one(self):
        "an empty one that was renamed on Cyrus is known by its MAILBOXID: renamed, not deleted and made"
        self.assertEqual(self.play("a: b", "r rename a c", "c: b"), ["RENAME"])

    def test_swap_of_empty_ones_on_cyrus(self):
        "two empty ones that were swapped on Cyrus are swapped on the other side"
        self.assertEqual(self.play("a: b: c", "r swap a b", "a: b: c"), ["RENAME"] * 3)

    def test_recreated(self):
        "deleted and made anew on Cyrus, proved by its MAILBOXID, is mirrored as both: the old mail does not come back"
        self.play("a b c", "r delete a, r create a, r append a new", "a:new b c", carried=True)


class CyrusToCyrusTree(_Both, test_tree.TreeCase):
    def test_while_it_was_not_running(self):
        "created, deleted, renamed, moved, swapped and subscribed on both sides: no message travels but new ones"
        self.make(0, "a b c d e f f/g h u- i j")
        self.sync()
        self.act("l create n, l append n n, r create m, l delete c, r rename d x, l swap a b, r unsubscribe e, l subscribe u, "
                 "l rename f k, r rename h i/h, r delete j")  # fmt: skip
        result = self.sync("--debug")
        carried = [line.split()[5] for line in result.traffic() if any(f" {c} " in line for c in test_tree.CARRYING)]
        self.assertEqual(sorted(carried), ["n", "u"], result)
        self.assertTree("a:b b:a x:d e- k:f k/g:f/g i i/h:h u n m:")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_rename_on_both_sides(self):
        "renamed on both sides to different names, the local one stands; renamed here and deleted there it stays"
        self.play("a b c", "l rename a x, r rename a y, r rename b z, l delete b, l unsubscribe b, r unsubscribe b, r subscribe z",
                  "x:a z:b c", carried=True, conflicts=[("mailbox-delete-vs-change", "z")])  # fmt: skip

    def test_recreated(self):
        "deleted and made anew is mirrored as both, and what comes and goes between two runs is not even seen"
        self.play("a b", "r delete a, r create a, r append a new, l create x, l delete x", "a:new b", carried=True)


class CyrusToCyrusTreeLive(_Both, test_live._Live):
    options = {"poll": 1}

    def test_while_it_is_running(self):
        "created, renamed, swapped, unsubscribed and deleted on either side while connected"
        local, remote = self.local, self.remote
        for name in "abcd":
            local.create(name)
            local.append(name, simple(name))
        running = self.start()
        local.create("new")
        self.until(lambda: "new" in remote.subscriptions(), "the new one", running)
        remote.rename("a", "x")
        self.until(lambda: "x" in local.list() and "x" in local.subscriptions(), "the rename", running)
        for old, new in (("b", "t"), ("c", "b"), ("t", "c")):
            local.rename(old, new)
        local.unsubscribe("d")
        self.until(lambda: "d" not in remote.subscriptions(), "the subscription", running)
        remote.delete("new")
        remote.unsubscribe("new")
        self.until(lambda: "new" not in local.list() and "new" not in local.subscriptions(), "the deletion", running)
        self.stop(running)
        self.assertIdentical()
        self.assertEqual(set(local.list()), {"INBOX", "x", "b", "c", "d"})
        self.assertEqual([c for c in running.err.splitlines() if " C: " in c and " COPY " in c], [])
        self.assertNoop()


class KilledWithCyrus(_Remote, test_tree.TreeCase):
    """Killed after some of the effects of a run that changes both trees and messages in them."""

    cost = 12
    plain = True
    ACTS = ("l create new, l append new n, r delete gone, l rename old newer, r swap a b, r append c more, l flag c, "
            "r create theirs, r append theirs t")  # fmt: skip
    TREE = "a:b b:a c:c+more newer:old new:n theirs:t"

    def prepare(self):
        self.make(0, "a b c old gone")
        self.sync()
        self.act(self.ACTS)

    def run_killable(self, **environment):
        return self.account.once(program=killable(), env=environment)

    def effects(self):
        log = self.account.dir / "effects"
        result = self.run_killable(IMAPSYNC_EFFECTS=str(log))
        self.assertEqual(result.status, 0, result)
        self.assertTree(self.TREE)
        return log.read_text().splitlines()

    def test_some_effects(self):
        "killed at each eighth effect, the next run comes to the same, with nothing lost or doubled"
        self.prepare()
        effects = self.effects()
        for number in range(4, len(effects), max(8, len(effects) // 8)):
            with self.subTest(number=number, effect=effects[number - 1]):
                self.new_user()
                self.prepare()
                killed = self.run_killable(IMAPSYNC_KILL_AT=str(number))
                self.assertIn(killed.status, (0, -9), killed)
                self.sync()
                self.assertTree(self.TREE)
                self.assertEqual(self.intents(), [])
                self.assertNoop()

    def test_created_and_given_up(self):
        "killed after the CREATE, what it was made for deleted: the new one goes, unless there is mail in it"
        for mail in (False, True):
            with self.subTest(mail=mail):
                self.new_user()
                self.make(0, "a b")
                self.sync()
                self.act("l create x")
                for number in range(1, 60):
                    killed = self.run_killable(IMAPSYNC_KILL_AT=str(number))
                    with self.servers[1].connect(self.user) as client:
                        if "x" in client.list():
                            break
                self.assertEqual(killed.status, -9, killed)
                self.act("l delete x" + (", r append x mail" if mail else ""))
                self.sync()
                self.assertTree("a b x:mail" if mail else "a b", subscribed=False)
                self.assertNoop()


class CyrusToDovecotAdoption(_Local, _only(test_adoption.Adoption, "test_two_populated_servers", "test_multisets",
                                           "test_without_message_id", "test_message_id_alone_is_nothing")):  # fmt: skip
    pass


class LargeWithCyrus(_Remote, _only(test_large.LargeMessage)):
    size = 64 << 20

    def test_to_cyrus(self):
        "a message of 64 MiB goes to Cyrus in less than 40 MiB of memory"
        self.through(0)

    def test_from_cyrus(self):
        "a message of 64 MiB comes from Cyrus in less than 40 MiB of memory"
        self.through(1)


class DovecotToCyrusDeletions(_Remote, test_tree.Deletions):
    cost = 10
    test_recreated = None  # it is proved there: DovecotToCyrusRenames.test_recreated


class ClassicCyrus(_Shared, _Remote, test_names.Prefix):
    """altnamespace: no: everything below INBOX, dots between the levels."""

    @classmethod
    def make_servers(cls):
        return [Dovecot("mdbox"), Cyrus(modern=False)]

    def test_what_is_shared(self):
        "mailboxes of other users and of everybody, which have no prefix here, are left alone"
        self.check_shared(f"user.{self.user}x.team", "boards", "INBOX.{}")
