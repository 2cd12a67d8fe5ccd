# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces: a second personal one is part of the tree, with the prefix as its level; what is shared,
with other users or with everybody, is left alone on both sides."""

from harness.dovecot import Dovecot
from harness.imap import ImapError
from harness.seed import simple
from harness.stores import Store, StoreCase
from server.test_live import _Live
from server.test_names import PREFIX

SHARED = """
namespace public {{
  type = public
  prefix = Public{separator}
  separator = {separator}
  location = maildir:~/public
  subscriptions = {subscriptions}
}}
namespace others {{
  type = shared
  prefix = Others{separator}%%u{separator}
  separator = {separator}
  location = maildir:{mail}/%%u/Maildir
  list = children
  subscriptions = {subscriptions}
}}
"""
ARCHIVE = """
namespace archive {
  prefix = Archive.
  separator = .
  location = maildir:~/archive
}
"""


def _shared(store, subscriptions):
    store.extra += SHARED.format(separator=store.separator, mail=store.dir / "mail", subscriptions=subscriptions)
    return store


class Namespaces(StoreCase):
    """No prefix and slashes on the local side; "INBOX.", "Archive." and dots on the remote one. Both
    have namespaces of other users and of everybody."""

    @classmethod
    def make_servers(cls):
        return [_shared(Store("maildir", "/"), "no"), _shared(Store("maildir", ".", PREFIX + ARCHIVE), "yes")]

    def setUp(self):
        super().setUp()
        self.here, self.there = self.local, self.remote

    def put(self, client, *names):
        for name in names:
            client.create(name)
            client.append(name, simple(f"in {name}"))

    def counts(self, client):
        """{name: messages}"""
        listed = client.list(status="MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ")
        return {name: m.status["MESSAGES"] for name, m in listed.items() if m.status}

    def conflicts(self):
        rows = self.edit_database("SELECT kind, mailbox FROM conflict")
        return {(kind, name.replace("\x1f", "/")) for kind, name in rows}

    def assertTrees(self, *names):
        """These and no others; each has a message but INBOX."""
        personal = {n: c for n, c in self.counts(self.here).items() if not n.startswith(("Public", "Others"))}
        self.assertEqual(personal, {"INBOX": 0} | dict.fromkeys(names, 1))
        wire = {n.replace("/", ".") if n.startswith("Archive") else "INBOX." + n.replace("/", ".") for n in names}
        personal = {n: c for n, c in self.counts(self.there).items() if not n.startswith(("Public", "Others"))}
        self.assertEqual(personal, {"INBOX": 0} | dict.fromkeys(wire, 1))
        self.assertEqual({n for n in self.here.subscriptions() if not n.startswith("Public")}, {"INBOX", *names})
        self.assertEqual({n for n in self.there.subscriptions() if not n.startswith("Public")}, {"INBOX", *wire})

    # A second personal namespace

    def test_second_personal_namespace(self):
        "what is in a second personal namespace is there on the other side, too, below a level of its name, and back"
        self.put(self.here, "work", "Archive/old", "Archive/2024/q1")
        self.put(self.there, "INBOX.sent", "Archive.new")
        self.sync()
        self.assertTrees("work", "Archive/old", "Archive/2024/q1", "sent", "Archive/new")
        self.assertNoop()

    def test_changes_in_a_second_personal_namespace(self):
        "renames, deletions and subscriptions there are mirrored both ways, and no message travels"
        self.put(self.here, "Archive/a", "Archive/b", "Archive/c/d", "e")
        self.sync()
        self.there.rename("Archive.a", "Archive.x")
        self.there.subscribe("Archive.x")
        self.there.unsubscribe("Archive.a")
        self.here.rename("Archive/c/d", "Archive/d")
        self.here.subscribe("Archive/d")
        self.here.unsubscribe("Archive/c/d")
        self.here.delete("Archive/b")
        self.here.unsubscribe("Archive/b")
        result = self.sync("--debug")
        self.assertEqual({c for _, c in result.commands()} & {"APPEND", "COPY", "CREATE"}, set())
        self.assertTrees("Archive/x", "Archive/d", "e")
        self.assertNoop()

    def test_from_one_namespace_to_the_other(self):
        "a mailbox that is moved into the other personal namespace, or out of it, is moved on the other side"
        self.put(self.here, "a", "b", "Archive/c", "d")
        self.sync()
        self.here.rename("a", "Archive/a")
        self.here.subscribe("Archive/a")
        self.here.unsubscribe("a")
        self.there.rename("Archive.c", "INBOX.c")
        self.there.subscribe("INBOX.c")
        self.there.unsubscribe("Archive.c")
        self.sync()
        self.assertTrees("Archive/a", "b", "c", "d")
        self.assertNoop()

    def test_two_that_would_have_one_name(self):
        "what cannot be told from a mailbox in the other namespace is told, and left alone"
        self.put(self.there, "Archive.x", "INBOX.Archive.x", "INBOX.y")
        for _ in range(2):
            result = self.sync(status=1)
            self.assertSays(result, "INBOX.Archive.x", "another namespace")
            self.assertEqual(self.counts(self.here), {"INBOX": 0, "Archive/x": 1, "y": 1})
            self.assertEqual(self.counts(self.there)["INBOX.Archive.x"], 1)

    # What is shared

    def put_shared(self):
        """The same names on both sides, with other mail; another user's are subscribed, too."""
        for client, slash in ((self.here, "/"), (self.there, ".")):
            for name in ("gone", "moved", "unwanted", "kept"):
                self.put(client, f"Public{slash}{name}")
            client.append(f"Public{slash}kept", simple("more"), simple("yet more"))
        for side, slash in ((0, "/"), (1, ".")):
            with self.servers[side].connect(f"{self.user}x") as other:
                self.put(other, "team" if side == 0 else "INBOX.team")
        self.here.subscribe(f"Others/{self.user}x/team")
        self.there.subscribe(f"Others.{self.user}x.team")

    def test_shared_ones_are_left_alone(self):
        "what is shared is neither copied nor created, deleted, renamed or subscribed, there or on the other side"
        self.put_shared()
        self.put(self.here, "mine")
        self.assertIn(f"Others/{self.user}x/team", self.here.subscriptions())
        self.assertIn(f"Others.{self.user}x.team", self.there.list())
        self.assertEqual(self.counts(self.here)["Public/kept"], 3)
        before = self.counts(self.there)
        self.assertSpeaksOfNoneShared(self.sync("--debug"))
        self.assertEqual(self.counts(self.there), before | {"INBOX.mine": 1})
        self.assertNoop()
        before = self.counts(self.there), self.there.subscriptions()
        self.here.delete("Public/gone")
        self.here.rename("Public/moved", "Public/elsewhere")
        self.here.unsubscribe("Public/gone", "Public/moved", "Public/unwanted")
        self.put(self.here, "Public/another")
        self.assertSpeaksOfNoneShared(self.assertNoop())
        self.assertEqual((self.counts(self.there), self.there.subscriptions()), before)
        self.assertEqual(self.conflicts(), set())
        self.assertSays(self.sync("Public/kept", status=1), "Public/kept:", "shared")

    def assertSpeaksOfNoneShared(self, result):
        spoken = [line for line in result.traffic() if "Public" in line or "Others" in line]
        self.assertEqual(spoken, [])

    def test_name_of_a_shared_one(self):
        "a mailbox whose name belongs to others on the other server is told, and stays where it is"
        self.put(self.there, "INBOX.Public.mine", "INBOX.good")
        for _ in range(2):
            result = self.sync(status=1)
            self.assertSays(result, "Public/mine", "local", "shared")
            self.assertEqual(self.counts(self.here), {"INBOX": 0, "good": 1})
            self.assertEqual(self.conflicts(), {("mailbox-name", "Public/mine")})
        self.there.rename("INBOX.Public.mine", "INBOX.mine")
        self.there.subscribe("INBOX.mine")
        self.there.unsubscribe("INBOX.Public.mine")
        self.sync()
        self.assertTrees("mine", "good")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_name_that_became_a_shared_one(self):
        "where a saved name belongs to others since the last run, nothing is deleted on the other side"
        self.put(self.here, "a", "b")
        self.sync()
        self.edit_database("UPDATE mailbox SET name = 'Public\x1fa' WHERE name = 'a'")
        self.there.rename("INBOX.a", "INBOX.Public.a")
        self.there.subscribe("INBOX.Public.a")
        self.here.delete("a")
        result = self.sync(status=1)
        self.assertSays(result, "Public/a", "local", "shared")
        self.assertEqual(self.counts(self.there)["INBOX.Public.a"], 1)
        self.assertNotIn("Public/a", self.counts(self.here))

    def test_reference_into_a_shared_one(self):
        "list-reference may name a shared namespace: that is somebody's choice"
        self.account.local["list-reference"] = "Public/team"
        self.account.write()
        self.put(self.there, "INBOX.x", "Archive.y")
        self.put(self.here, "own", "Public/other")
        self.sync()
        self.assertEqual({n for n in self.counts(self.here) if n.startswith("Public")},
                         {"Public/other", "Public/team/INBOX", "Public/team/x", "Public/team/Archive/y"})  # fmt: skip
        self.assertNotIn("INBOX.own", self.counts(self.there))
        self.assertNoop()


class LiveInSecondNamespace(_Live):
    """Dovecot on both sides, with NOTIFY."""

    plain = True

    @classmethod
    def make_servers(cls):
        return [Dovecot("maildir"), Dovecot("maildir", ".", PREFIX + ARCHIVE)]

    def test_followed(self):
        "what happens in a second personal namespace while connected is followed"
        here, there = self.local, self.remote
        there.create("Archive.a")
        running = self.start()
        there.append("Archive.a", simple("told"))
        self.until(lambda: len(self.uids(here, "Archive/a")) == 1, "the message", running)
        here.unselect()
        there.rename("Archive.a", "Archive.b")
        self.until(lambda: "Archive/b" in here.list() and "Archive/a" not in here.list(), "the rename", running)
        self.stop(running)
        self.assertEqual([line for line in self.changes(running) if "local C: " in line and " DELETE " in line], [])
        self.assertEqual(here.status("Archive/b")["MESSAGES"], 1)
        with self.assertRaises(ImapError):
            there.status("INBOX.Archive.b")
