# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: other delimiters, prefixes, references, and all that a name can hold."""

import sqlite3

from harness import compare
from harness.case import ServerCase
from harness.dovecot import Dovecot
from harness.imap import quote
from harness.seed import simple

PREFIX = "namespace inbox {\n  prefix = INBOX.\n}\n"


class _Names(ServerCase):
    def setUp(self):
        super().setUp()
        self.here, self.there = self.client(0), self.client(1)

    def make(self, client, *names):
        client.pipeline([("CREATE", quote(n)) for n in names])
        client.subscribe(*names)
        for name in names:
            client.append(name, simple(f"in {name}"))

    def conflicts(self):
        """{(kind, name)} of the database; levels joined by "/"."""
        with sqlite3.connect(f"file:{self.account.database}?immutable=1", uri=True) as database:
            rows = database.execute("SELECT kind, mailbox FROM conflict").fetchall()
        return {(kind, name.replace("\x1f", "/")) for kind, name in rows}


class Corners(_Names):
    """Both sides can have all of them (mdbox keeps names as they are)."""

    formats = ("mdbox", "mdbox")
    NAMES = (
        "two words", 'quo"te', "back\\slash", "[brackets]", "{5}", "{5+}", "star*", "per%cent", "amp&", "&-", "a&-b",
        "-dash", "NIL", "(paren", "til~de", "+plus", "#hash", "Case", "case", "CASE", "Ümläut", "日本語", "😀 smile",
        "e\u0301 combining", "x.y", "deep/er/&/est", "-" * 20, "ﬁ", "a'b;c`d$e", "..b", " lead",
    )  # fmt: skip

    def test_all_that_a_name_can_hold(self):
        "spaces, quotes, backslashes, brackets, {5}, *, %, &-, a leading -, other alphabets and cases come through"
        half = len(self.NAMES) // 2
        self.make(self.here, *self.NAMES[:half])
        self.make(self.there, *self.NAMES[half:])
        self.sync()
        snapshot = self.assertIdentical()
        self.assertLessEqual({compare.levels(n, "/") for n in self.NAMES}, set(snapshot.mailboxes))
        self.assertNoop()

    def test_renamed_and_deleted(self):
        "names with wildcards, quotes and ampersands are renamed and deleted as they are, nothing beside them"
        self.make(self.here, "a*", "ab", "a%", 'q"', "&-", "x")
        self.sync()
        self.there.rename("a*", "b&*")
        self.there.rename('q"', 'new "q" \\')
        self.here.delete("&-")
        self.here.unsubscribe("&-")
        self.there.subscribe("b&*", 'new "q" \\')
        self.there.unsubscribe("a*", 'q"')
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(set(snapshot.mailboxes), {("INBOX",), ("ab",), ("a%",), ("b&*",), ('new "q" \\',), ("x",)})
        self.assertNoop()

    def test_longest_names(self):
        "names of 255 bytes, as long as a file's may be, come through"
        self.make(self.here, "n" * 255, "ü" * 90)
        self.sync()
        self.assertIdentical()
        self.assertNoop()

    def test_noselect_parents(self):
        "a parent that is no mailbox is not made one"
        self.make(self.here, "p/child")
        self.sync()
        self.assertIdentical()
        self.assertFalse(self.there.list()["p"].selectable)
        self.assertNoop()

    def test_name_as_argument(self):
        "a name with wildcards in it, as an argument, means itself"
        self.make(self.here, 'odd "*" \\ %', "other")
        self.sync('odd "*" \\ %')
        self.assertIdentical(['odd "*" \\ %'])
        self.assertNotIn("other", self.there.list())


class Delimiters(_Names):
    """Slashes here, which allow dots within a level, and dots there."""

    @classmethod
    def make_servers(cls):
        return [Dovecot("mdbox"), Dovecot("mdbox", separator=".")]

    def test_levels_stay_levels(self):
        "a/b here is a.b there"
        self.make(self.here, "a/b", "a/b/c", "ü/&")
        self.make(self.there, "x.y.z", "inbox.kid")
        self.sync()
        self.assertIdentical()
        self.assertIn("a.b.c", self.there.list())
        self.assertIn("x/y/z", self.here.list())
        self.assertNoop()

    def test_the_others_delimiter(self):
        "a name that holds the other server's delimiter is a conflict of that mailbox alone, status 1, and no phantom"
        self.make(self.here, "v1.2", "top/v1.2/sub", "good")
        self.make(self.there, "well")
        for _ in range(2):
            result = self.sync(status=1)
            self.assertSays(result, "v1.2", 'holds "."')
            self.assertIdentical(["INBOX", "good", "well"])
            self.assertNotIn("v1", self.there.list())
        self.assertEqual({n for k, n in self.conflicts() if k == "mailbox-name"}, {"v1.2", "top/v1.2/sub"})
        state = self.account.database_state(), self.fingerprints()
        self.sync(status=1)
        self.assertEqual(state, (self.account.database_state(), self.fingerprints()))

    def test_bad_name_as_argument(self):
        "an argument that names a mailbox which waits is told what it waits for, not that there is none"
        self.make(self.here, "v1.2", "level/kid")
        result = self.sync("v1.2", "level", "none", status=1)
        self.assertSays(result, "v1.2", "not synchronized", "conflict", "mailbox-name")
        self.assertSays(result, "level:", "only a level")
        self.assertSays(result, "none:", "no such mailbox")
        self.assertEqual(sum("no such" in line for line in result.messages()), 1, result)

    def test_renamed_to_a_good_name(self):
        "renamed to what both can have, it is synchronized and the conflict is gone"
        self.make(self.here, "v1.2")
        self.sync(status=1)
        self.here.rename("v1.2", "v1_2")
        self.here.subscribe("v1_2")
        self.here.unsubscribe("v1.2")
        self.sync()
        self.assertIdentical()
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_renamed_to_a_bad_name(self):
        "renamed to what the other cannot have, nothing is deleted; renamed again, all is well"
        self.make(self.here, "good")
        self.sync()
        self.here.rename("good", "go.od")
        self.here.subscribe("go.od")
        self.here.unsubscribe("good")
        self.sync(status=1)
        self.assertEqual(self.there.status("good")["MESSAGES"], 1)
        self.here.rename("go.od", "better")
        self.here.subscribe("better")
        self.here.unsubscribe("go.od")
        self.sync()
        self.assertIdentical()
        self.assertEqual(self.there.status("better")["MESSAGES"], 1)
        self.assertNoop()


class Prefix(_Names):
    """The INBOX. layout on the remote side."""

    @classmethod
    def make_servers(cls):
        return [Dovecot("mdbox"), Dovecot("maildir", separator=".", extra=PREFIX)]

    def names(self, side):
        return set((self.here, self.there)[side].list())

    def test_prefix_is_not_a_level(self):
        "work/a here is INBOX.work.a there, INBOX is INBOX, and INBOX/kid is INBOX.INBOX.kid"
        self.make(self.here, "work/a", "INBOX/kid")
        self.make(self.there, "INBOX.sent", "INBOX.lists.glib")
        for client in (self.here, self.there):
            client.append("INBOX", simple(f"{client is self.here}"))
        self.sync()
        self.assertLessEqual({"work/a", "INBOX/kid", "sent", "lists/glib"}, self.names(0))
        self.assertLessEqual({"INBOX.work.a", "INBOX.INBOX.kid", "INBOX.sent", "INBOX.lists.glib"}, self.names(1))
        self.assertEqual([c.status("INBOX")["MESSAGES"] for c in (self.here, self.there)], [2, 2])
        self.assertEqual(self.there.status("INBOX.work.a")["MESSAGES"], 1)
        self.assertEqual(self.here.status("lists/glib")["MESSAGES"], 1)
        self.assertIn("INBOX.work.a", self.there.subscriptions())
        self.assertNoop()

    def test_tree_changes(self):
        "renames and deletions go through the prefix"
        self.make(self.here, "a", "b/c")
        self.sync()
        self.there.rename("INBOX.b", "INBOX.d")
        self.there.subscribe("INBOX.d.c")
        self.there.unsubscribe("INBOX.b.c")
        self.here.delete("a")
        self.here.unsubscribe("a")
        self.sync()
        self.assertIn("d/c", self.names(0))
        self.assertNotIn("INBOX.a", self.names(1))
        self.assertEqual(self.here.status("d/c")["MESSAGES"], 1)
        self.assertNoop()


class Reference(_Names):
    """list-reference: the remote tree below perso/ here."""

    formats = ("mdbox", "maildir")

    def setUp(self):
        super().setUp()
        self.refer("perso/")

    def refer(self, reference):
        self.account.local["list-reference"] = reference
        self.account.write()

    def test_branch(self):
        "the other side's mailboxes, INBOX too, live below the reference; nothing else is touched"
        self.make(self.here, "own", "perso/work")
        self.make(self.there, "lists/glib")
        self.here.append("INBOX", simple("mine alone"))
        self.there.append("INBOX", simple("theirs"))
        self.sync()
        self.assertLessEqual({"perso/INBOX", "perso/work", "perso/lists/glib", "own"}, set(self.here.list()))
        self.assertEqual(self.here.status("INBOX")["MESSAGES"], 1)
        self.assertEqual(self.here.status("perso/INBOX")["MESSAGES"], 1)
        self.assertEqual(self.there.status("INBOX")["MESSAGES"], 1)
        self.assertEqual(self.there.status("work")["MESSAGES"], 1)
        self.assertNotIn("own", self.there.list())
        self.assertFalse([n for n in self.there.list() if n.startswith("perso")])
        self.assertNoop()
        self.there.rename("lists/glib", "glib")
        self.there.subscribe("glib")
        self.there.unsubscribe("lists/glib")
        self.here.append("perso/INBOX", simple("reply"))
        self.sync()
        self.assertEqual(self.here.status("perso/glib")["MESSAGES"], 1)
        self.assertEqual(self.there.status("INBOX")["MESSAGES"], 2)
        self.assertNoop()

    def test_without_delimiter_and_in_utf8(self):
        "the delimiter at the end may be left out, and other alphabets are written as they are"
        self.refer("Büro & Co")
        self.make(self.there, "a")
        self.sync()
        self.assertLessEqual({"Büro & Co/INBOX", "Büro & Co/a"}, set(self.here.list()))
        self.assertNoop()

    def test_another_reference_is_another_account(self):
        "the database of one branch is refused for another"
        self.sync()
        self.refer("other/")
        result = self.account.once()
        self.assertEqual(result.status, 2, result)
        self.assertNotIn("other/INBOX", self.here.list())


class Refused(_Names):
    """maildir refuses "." in a name."""

    formats = ("maildir", "mdbox")

    def test_refused_name(self):
        "a name that the other server refuses is told, with its words, and all others go on"
        self.make(self.there, "v1.2", "good")
        for _ in range(2):
            result = self.sync(status=1)
            self.assertSays(result, "v1.2", "local")
            self.assertIdentical(["INBOX", "good"])
        self.assertIn(("mailbox-name", "v1.2"), self.conflicts())
