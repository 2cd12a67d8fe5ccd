# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes that are created, deleted, renamed, moved into each other, swapped and subscribed on two
real servers. What the planner makes of it is proved by the unit tests; here it happens."""

from harness import compare
from harness.dovecot import Dovecot
from harness.imap import ImapError
from harness.seed import simple
from harness.stores import Store, StoreCase

CARRYING = {"APPEND", "COPY", "MOVE"}
TREE = {"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"}


class TreeCase(StoreCase):
    """Names have "/" between their levels here, whatever a server's delimiter is.

    A tree is written "a b/c d:x+y": d holds the messages x and y, all others the one of their name; a
    name with "-" behind is not subscribed, one with ":" alone is empty."""

    # Names and trees

    def wire(self, side, name):
        server = self.servers[side]
        name = name.replace("/", server.separator)
        return name if name == "INBOX" or server.separator == "/" or server.kind != "cyrus" else f"INBOX.{name}"

    @staticmethod
    def parse(text):
        """{name: ({message}, subscribed)}"""
        tree = {}
        for word in text.split():
            name, colon, messages = word.partition(":")
            bare = name.rstrip("-")
            tree[bare] = set(filter(None, messages.split("+"))) if colon else {bare}, not name.endswith("-")
        return tree

    def make(self, side, text):
        with self.servers[side].connect(self.user) as client:
            for name, (messages, subscribed) in self.parse(text).items():
                client.create(self.wire(side, name), subscribe=subscribed)
                for message in sorted(messages):
                    client.append(self.wire(side, name), simple(message))

    def assertTree(self, text, subscribed=True):
        """Both sides are the same, and as @text says."""
        snapshot = self.assertIdentical()
        wanted = self.parse(text)
        found = {"/".join(n): {r.subject for r in records} for n, records in snapshot.mailboxes.items() if n != ("INBOX",)}
        self.assertEqual(found, {name: messages for name, (messages, _) in wanted.items()})
        if subscribed:
            self.assertEqual({"/".join(n) for n in snapshot.subscribed} - {"INBOX"}, {n for n, (_, s) in wanted.items() if s})

    # Acting

    def act(self, acts):
        """ "l rename a b, r delete c, l append a x": what people do, l on the local side, r on the remote."""
        for one in filter(None, acts.split(", ")):
            side, verb, *names = one.split()
            side = "lr".index(side)
            with self.servers[side].connect(self.user) as client:
                wire = [self.wire(side, n) for n in names]
                if verb == "create":
                    client.create(wire[0])
                elif verb == "delete":
                    self.delete(client, wire[0])
                elif verb == "append":
                    client.append(wire[0], simple(names[1]))
                elif verb == "flag":
                    client.select(wire[0])
                    client.store(client.uids(), "+", "\\Flagged")
                elif verb == "expunge":
                    client.select(wire[0])
                    client.expunge(client.uids())
                elif verb == "swap":
                    for old, new in ((wire[0], wire[0] + "t"), (wire[1], wire[0]), (wire[0] + "t", wire[1])):
                        client.rename(old, new)
                else:
                    getattr(client, verb)(*wire)

    @staticmethod
    def delete(client, name):
        """As mail programs do."""
        client.delete(name)
        client.unsubscribe(name)

    def conflicts(self):
        rows = self.edit_database("SELECT kind, mailbox FROM conflict")
        return {(kind, name.replace("\x1f", "/")) for kind, name in rows}

    def intents(self):
        return self.edit_database("SELECT kind, name, new_name FROM intent")

    def play(self, both, acts, tree, carried=False, status=0, conflicts=()):
        """@both on both sides, then @acts, then @tree. @carried: messages travel. The commands."""
        self.make(0, both)
        self.sync()
        self.assertTree(both)
        self.act(acts)
        result = self.sync("--debug", status=status)
        self.assertTree(tree)
        commands = [command for _, command in result.commands()]
        self.assertEqual(bool(CARRYING & set(commands)), carried, result)
        self.assertEqual(self.conflicts(), set(conflicts))
        self.assertEqual(self.intents(), [])
        self.assertNoop(status=status)
        return [command for command in commands if command in TREE - {"SUBSCRIBE", "UNSUBSCRIBE"}]


class Renames(TreeCase):
    def test_renamed(self):
        "a rename is a RENAME on the other side, no message travels, and the subscription moves along"
        for side, acts in ((0, "l rename a c"), (1, "r rename a c")):
            with self.subTest(side=side):
                self.assertEqual(self.play("a b", acts, "c:a b"), ["RENAME"])
                self.new_user()

    def test_renamed_with_its_subscription(self):
        "where the mail program has moved the subscription itself, too"
        self.play("a b", "l rename a c, l unsubscribe a, l subscribe c", "c:a b")

    def test_renamed_and_changed(self):
        "what was changed, expunged and received meanwhile is mirrored in the renamed mailbox"
        self.make(0, "a:1+2+3 b")
        self.sync()
        self.act("r rename a c, r append c 4, l append a 5")
        with self.servers[0].connect(self.user) as client:
            client.select("a")
            client.store([1], "+", "\\Flagged")
            client.expunge([2])
        result = self.sync("--debug")
        self.assertIn(("local", "RENAME"), result.commands())
        snapshot = self.assertIdentical()
        records = {r.subject: r.flags for r in snapshot.mailboxes[("c",)]}
        self.assertEqual(set(records), set("1345"))
        self.assertEqual({s for s, f in records.items() if "\\flagged" in f}, {"1"})
        self.assertNoop()

    def test_parent_with_children(self):
        "the rename of a parent with children is one RENAME"
        self.assertEqual(self.play("a a/x a/y/z b", "l rename a c", "c:a c/x:a/x c/y/z:a/y/z b"), ["RENAME"])

    def test_level_with_children(self):
        "a level that is no mailbox is renamed with its children"
        self.play("a/x a/y b", "l rename a/x c/x, l rename a/y c/y", "c/x:a/x c/y:a/y b")

    def test_moved_into_another(self):
        "a mailbox is moved into another, and out of it"
        self.play("a b", "l rename a b/a", "b b/a:a")
        self.act("r rename b/a a")
        self.sync()
        self.assertTree("a b")
        self.assertNoop()

    def test_onto_a_name_just_deleted(self):
        "renamed onto a name that was just deleted"
        self.play("a b c", "l delete b, l rename a b, l subscribe b, l unsubscribe a", "b:a c")

    def test_onto_a_name_that_the_other_side_created(self):
        "renamed onto a name that the other side created meanwhile: one mailbox with what both had"
        self.play("a c", "l rename a b, l unsubscribe a, l subscribe b, r create b, r append b new", "b:a+new c", carried=True)

    def test_new_one_in_its_place(self):
        "renamed, and a new one made in its place"
        self.play("a b", "l rename a c, l subscribe c, l create a, l append a new", "a:new b c:a", carried=True)

    def test_in_a_row(self):
        "each takes the name that the next had"
        self.play("a b c", "l rename c d, l rename b c, l rename a b", "b:a c:b d:c")

    def test_swap(self):
        "two names are swapped, and no message travels"
        for acts in ("l swap a b", "r swap a b"):
            with self.subTest(acts=acts):
                self.assertEqual(self.play("a b c", acts, "a:b b:a c"), ["RENAME"] * 3)
                self.new_user()

    def test_swap_of_empty_ones(self):
        "two empty ones that were swapped, which nothing can prove, are what they were to everybody, with nothing to do"
        for acts in ("l swap a b", "r swap a b"):
            with self.subTest(acts=acts):
                self.assertEqual(self.play("a: b: c", acts, "a: b: c"), [])
                self.act("l append a x, r append b y")
                self.sync()
                self.assertTree("a:x b:y c")
                self.assertNoop()
                self.new_user()

    def test_swap_with_children(self):
        "two names with children are swapped"
        self.play("a a/x b b/y", "l swap a b", "a:b a/y:b/y b:a b/x:a/x")

    def test_ring(self):
        "three names in a ring"
        self.play("a b c", "l rename a t, l rename b a, l rename c b, l rename t c", "a:b b:c c:a")

    def test_same_name_on_both(self):
        "already renamed on both sides to the same name"
        self.assertEqual(self.play("a b", "l rename a c, r rename a c", "c:a b"), [])

    def test_other_names_on_both(self):
        "renamed on both sides to different names: the local one stands"
        self.assertEqual(self.play("a b", "l rename a c, r rename a d", "c:a b"), ["RENAME"])

    def test_parent_here_and_child_there(self):
        "a parent renamed here and its child renamed there add up"
        self.play("a a/x b", "l rename a c, r rename a/x a/y", "b c:a c/y:a/x")

    def test_parent_here_and_new_child_there(self):
        "a parent renamed here takes along what was just created below it there, with its subscription"
        self.play("a b", "l rename a c, r create a/x", "b c:a c/x:")

    def test_renamed_here_deleted_there(self):
        "renamed here and deleted there: it stays, with its mail, and that is told"
        self.play("a b", "l rename a c, l unsubscribe a, l subscribe c, r delete a", "b c:a", carried=True,
                  conflicts=[("mailbox-delete-vs-change", "c")])  # fmt: skip

    def test_empty_one(self):
        "an empty one has no sample: what is not proved is deleted and made"
        self.assertCountEqual(self.play("a: b", "l rename a c, l subscribe c, l unsubscribe a", "c: b"), ["CREATE", "DELETE"])

    def test_to_another_mailbox_of_the_same_uidvalidity(self):
        "UIDVALIDITY alone proves nothing: other messages under the same number are another mailbox"
        self.make(0, "a b")
        self.sync()
        self.act("l delete a, l create c, l append c other")
        number = self.edit_database("SELECT local_uidvalidity FROM mailbox WHERE name = 'a'")[0][0]
        self.servers[0].renumber(self.user, "c", uidvalidity=number)
        result = self.sync("--debug")
        self.assertNotIn(("remote", "RENAME"), result.commands())
        self.assertTree("b c:other")
        self.assertNoop()


class Deletions(TreeCase):
    def test_deleted(self):
        "deleted here is deleted there, its subscription too"
        for acts in ("l delete a", "r delete a"):
            with self.subTest(acts=acts):
                self.assertEqual(self.play("a b", acts, "b"), ["DELETE"])
                self.new_user()

    def test_named(self):
        "an argument that names what is deleted or renamed by this run is no mistake; in the next run it is"
        self.make(0, "a b c")
        self.sync()
        self.act("l delete a, r rename b d")
        result = self.sync("a", "b")
        self.assertEqual([line for line in result.messages() if "no such" in line], [])
        self.assertTree("d:b c")
        self.assertSays(self.sync("a", status=1), "a:", "no such mailbox")

    def test_leaf_first(self):
        "a whole branch goes leaf first"
        self.make(0, "a a/b a/b/c d e f")
        self.sync()
        self.act("l delete a/b/c, l delete a/b, l delete a")
        result = self.sync("--debug")
        deleted = [line.split()[-1] for line in result.traffic() if "remote C:" in line and " DELETE " in line]
        self.assertEqual(deleted, ["a/b/c", "a/b", "a"])
        self.assertTree("d e f")
        self.assertNoop()

    def test_with_new_mail(self):
        "deleted here, new mail there: it comes back with all of it, and that is told"
        self.play("a b", "l delete a, r append a new", "a:a+new b", carried=True,
                  conflicts=[("mailbox-delete-vs-change", "a")])  # fmt: skip

    def test_with_other_flags(self):
        "deleted here, flags changed there: it comes back"
        self.play("a b", "r delete a, l flag a", "a b", carried=True, conflicts=[("mailbox-delete-vs-change", "a")])

    def test_with_expunges(self):
        "deleted here, expunged there: that is no reason to keep it"
        self.make(0, "a:1+2 b")
        self.sync()
        self.act("l delete a, r expunge a")
        self.sync()
        self.assertTree("b")
        self.assertNoop()

    def choose(self, choice):
        number = self.edit_database("SELECT id FROM conflict")[0][0]
        return self.account.run(f"--resolve={number}:{choice}", plain=True)

    def test_decided_to_keep(self):
        "--resolve=ID:keep ends the matter"
        self.test_with_new_mail()
        self.assertEqual(self.choose("keep").status, 0)
        self.assertTree("a:a+new b")
        self.assertEqual(self.conflicts(), set())

    def test_decided_to_delete(self):
        "--resolve=ID:delete deletes it on both sides"
        self.test_with_new_mail()
        self.assertEqual(self.choose("delete").status, 0)
        self.assertNotIn(("a",), self.assertIdentical().mailboxes)
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_deleted_on_both(self):
        "deleted on both sides is forgotten"
        self.assertEqual(self.play("a b", "l delete a, r delete a", "b"), [])

    def test_recreated(self):
        "deleted and made anew, with nothing to prove it: merged, the old mail comes back, and that is told"
        self.play("a b", "l delete a, l create a, l append a new", "a:a+new b", carried=True, conflicts=[("uidvalidity", "a")])

    def test_unsubscribed_is_not_deleted(self):
        "unsubscribing stops the synchronization and deletes nothing; subscribing again resumes without doubles"
        self.make(0, "a b")
        self.sync()
        self.act("l unsubscribe a")
        self.sync()
        self.assertTree("a- b")
        self.assertNoop()
        self.act("l append a here, r append a there")
        self.sync()
        left, right = self.snapshots()
        self.assertEqual([{r.subject for r in s.mailboxes[("a",)]} for s in (left, right)], [{"a", "here"}, {"a", "there"}])
        self.assertNoop()
        self.act("r subscribe a")
        self.sync()
        self.assertTree("a:a+here+there b")
        self.assertNoop()


class Subscriptions(TreeCase):
    def test_three_way(self):
        "subscribed here, unsubscribed there, in different mailboxes: each change stands"
        self.make(0, "a b c d")
        self.sync()
        self.act("l unsubscribe a, r unsubscribe b, l unsubscribe c, r unsubscribe c")
        self.sync()
        self.assertTree("a- b- c- d")
        self.assertNoop()
        self.act("l subscribe a, r subscribe b, l subscribe c, r unsubscribe d")
        self.sync()
        self.assertTree("a b c d-")
        self.assertNoop()


class MassDeletion(TreeCase):
    """More than half of all, three at least, wait for an answer."""

    def vanish(self):
        self.make(0, "a b c d")
        self.sync()
        self.act("r delete a, r delete b, r delete c, r append d new, r create e")
        result = self.sync(status=1)
        self.assertSays(result, "3 mailboxes are gone", "remote", ":apply", ":restore")
        with self.servers[0].connect(self.user) as client:
            self.assertLessEqual({"a", "b", "c", "d", "e"}, set(client.list()))
        self.assertIdentical(["d", "e"])
        state = self.account.database_state(), self.fingerprints()
        result = self.sync(status=1)
        self.assertEqual(state, (self.account.database_state(), self.fingerprints()))
        return self.edit_database("SELECT id FROM conflict WHERE kind = 'mass-deletion' AND mailbox = ''")[0][0]

    def test_named(self):
        "an argument that names one of them is told of what it waits for"
        number = self.vanish()
        self.assertSays(self.sync("b", status=1), "b:", f"conflict {number}", "mass-deletion")

    def test_apply(self):
        "--resolve=ID:apply deletes them on the other side too"
        result = self.account.run(f"--resolve={self.vanish()}:apply", plain=True)
        self.assertEqual(result.status, 0, result)
        self.assertTree("d:d+new e:")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_restore(self):
        "--resolve=ID:restore makes them again, with all that was in them"
        result = self.account.run(f"--resolve={self.vanish()}:restore", plain=True)
        self.assertEqual(result.status, 0, result)
        self.assertTree("a b c d:d+new e:")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_back_by_themselves(self):
        "where they come back by themselves nothing is left to ask"
        self.vanish()
        self.act("r create a, r create b, r create c")
        self.sync()
        self.assertTree("a b c d:d+new e:")
        self.assertEqual(self.conflicts() - {("uidvalidity", n) for n in "abc"}, set())

    def test_two_are_not_many(self):
        "two of two mailboxes need no answer"
        self.play("a b", "l delete a, l delete b", "")
