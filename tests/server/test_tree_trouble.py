# SPDX-License-Identifier: GPL-3.0-or-later
"""What may go wrong while mailboxes are mirrored: servers that refuse, hide or will not say, mail that
comes at the wrong moment, and SIGKILL between any two steps."""

import os
import random

from harness.case import SEED
from harness.seed import simple
from harness.stores import Server, Store
from harness.tamper import Tamper
from server.test_interrupt import Scenario
from server.test_tree import CARRYING, TreeCase


class _Tampered(TreeCase):
    """The remote server is reached through a hand that changes what it says."""

    links = ("tunnel", "imap")

    @classmethod
    def make_servers(cls):
        return [Store("maildir"), Server("maildir")]

    def setUp(self):
        super().setUp()
        self.tamper = Tamper(self.servers[1].port).start()
        self.addCleanup(self.tamper.close)
        self.account.remote["port"] = self.tamper.port
        self.account.write()

    def refuse(self, start, answer):
        """The server says @answer to each command that begins so."""
        self.tamper.command = lambda data: answer if data.split(b" ", 1)[1].startswith(start) else None

    def hide(self, *names):
        """LIST leaves them out, and the STATUS that comes with it."""
        names = {n.encode() for n in names}

        def reply(data):
            words = data.split()
            hidden = (words[1:2] == [b"LIST"] and words[-1] in names) or (words[1:2] == [b"STATUS"] and words[2] in names)
            return b"" if hidden else data

        self.tamper.reply = reply

    def hide_from_list(self, *names):
        """The same, but a STATUS of its own is answered."""
        self.hide(*names)
        inner, asked = self.tamper.reply, set()
        self.tamper.command = lambda data: asked.add(data.split()[2]) if data.split()[1] == b"STATUS" else None
        self.tamper.reply = lambda data: data if data.split()[1:3] and data.split()[1] == b"STATUS" and \
            data.split()[2] in asked else inner(data)  # fmt: skip

    def honest(self):
        self.tamper.reply, self.tamper.command = lambda data: data, lambda data: None

    def assertStill(self, status):
        """R8, where something is left to be told: no command, no write."""
        before = self.account.database_state()
        result = self.sync("--debug", status=status)
        self.assertEqual(result.changes(), [], result)
        self.assertEqual(self.account.database_state(), before, "the next run changed the database")
        return result


class Unsure(_Tampered):
    def setUp(self):
        super().setUp()
        self.make(0, "a a/x b c d")
        self.sync()

    def test_missing_from_list_only(self):
        "mailboxes that are only missing from LIST are not deleted, and that is told"
        self.hide_from_list("a", "a/x", "b")
        result = self.assertStill(1)
        self.assertSays(result, "b", "does not list it")
        self.honest()
        self.assertTree("a a/x b c d")
        self.assertNoop()

    def test_list_that_leaves_out(self):
        "a LIST of INBOX alone, beside one of what is subscribed that shows more, proves no deletion"
        begun = set()

        def command(data):
            tag, name, *rest = data.split()
            if name == b"LIST" and rest[0] == b'""':
                begun.add(tag)

        def reply(data):
            words = data.split()
            begun.discard(words[0])
            name = words[-1] if words[1:2] == [b"LIST"] else words[2] if words[1:2] == [b"STATUS"] else b"INBOX"
            return data if not begun or name == b"INBOX" else b""

        self.act("r rename b e")
        self.tamper.command, self.tamper.reply = command, reply
        result = self.assertStill(1)
        self.assertSays(result, "the remote server", "leaves out of its LIST")
        self.assertIn("b", self.local.list(), result)
        self.honest()
        self.sync()
        self.assertTree("a a/x c d e:b")
        self.assertNoop()

    def test_it_will_not_say(self):
        "a NO that speaks of rights or of trouble does not say that there is none"
        for code in ("NOPERM", "UNAVAILABLE", "INUSE", "SERVERBUG", "CONTACTADMIN", "LIMIT", "X-ODD"):
            with self.subTest(code=code):
                self.hide("b")
                self.refuse(b"STATUS b", f"NO [{code}] not now".encode())
                result = self.assertStill(1)
                self.assertSays(result, "b", "does not say")
        self.honest()
        self.assertTree("a a/x b c d")
        self.assertNoop()

    def test_it_says_no(self):
        "a NO to a STATUS of its own says that there is none"
        for code in ("", "[NONEXISTENT] "):
            with self.subTest(code=code):
                self.hide("b")
                self.refuse(b"STATUS b", f"NO {code}no such mailbox".encode())
                result = self.sync("--debug")
                self.assertIn(("local", "DELETE"), result.commands())
                self.honest()
                self.sync()
                self.assertTree("a a/x b c d")

    def test_list_without_inbox(self):
        "a LIST without INBOX is not believed"
        self.act("r delete b")
        self.hide("INBOX")
        self.refuse(b"STATUS INBOX", b"NO no such mailbox")
        result = self.assertStill(1)
        self.assertIn("b", self.local.list())
        self.honest()
        self.sync()
        self.assertTree("a a/x c d")
        self.assertNoop()
        self.assertNotIn("is deleted", result.err)


class Refused(_Tampered):
    def test_create(self):
        "a mailbox that the server refuses to create is told, and asked for once; the rest goes on; a person has it tried again"
        self.refuse(b"CREATE bad", b"NO [NOPERM] not here")
        self.make(0, "bad good")
        result = self.sync("--debug", status=1)
        self.assertSays(result, "bad", "not here")
        self.assertIdentical(["INBOX", "good"])
        self.assertEqual(self.conflicts(), {("mailbox-name", "bad")})
        result = self.assertStill(1)
        self.assertSays(result, "bad", "not here")
        self.honest()
        self.assertStill(1)
        number = self.edit_database("SELECT id FROM conflict")[0][0]
        self.assertEqual(self.account.run(f"--resolve={number}:retry", plain=True).status, 0)
        self.assertTree("bad good")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_create_after_a_day(self):
        "what was refused is tried again after a day"
        self.refuse(b"CREATE bad", b"NO [NOPERM] not here")
        self.make(0, "bad good")
        self.sync(status=1)
        self.honest()
        self.edit_database("UPDATE refusal SET retry_at = retry_at - 24 * 3600 - 60")
        self.sync()
        self.assertTree("bad good")
        self.assertEqual(self.conflicts(), set())
        self.assertNoop()

    def test_trouble(self):
        "what fails for a passing reason is tried again by the next run"
        self.refuse(b"CREATE a", b"NO [UNAVAILABLE] not now")
        self.make(0, "a b")
        self.sync(status=1)
        self.assertIdentical(["INBOX", "b"])
        self.honest()
        self.sync()
        self.assertTree("a b")
        self.assertNoop()

    def test_rename(self):
        "a rename that the server refuses is done as creation and deletion"
        self.make(0, "a b c d")
        self.sync()
        self.refuse(b"RENAME", b"NO [CANNOT] no renames today")
        self.act("l rename a e, l unsubscribe a, l subscribe e")
        result = self.sync("--debug")
        self.assertIn(("remote", "CREATE"), result.commands())
        self.assertTree("b c d e:a")
        self.assertStill(0)

    def test_rename_and_create(self):
        "a name that the server refuses in every way stays as it is there; nothing is deleted or lost"
        self.make(0, "a b c d")
        self.sync()
        self.tamper.command = lambda data: b"NO [CANNOT] no such name" if b" e\r\n" in data and (
            b"RENAME" in data or b"CREATE" in data) else None  # fmt: skip
        self.act("l rename a e, l unsubscribe a, l subscribe e, l append e more")
        for _ in range(2):
            result = self.sync(status=1)
            self.assertSays(result, "e", "no such name")
        self.assertStill(1)
        self.assertIdentical(["INBOX", "b", "c", "d"])
        self.assertEqual(self.remote.status("a")["MESSAGES"], 1)
        self.assertEqual(self.local.status("e")["MESSAGES"], 2)
        self.honest()
        self.act("l rename e f, l subscribe f, l unsubscribe e")
        self.sync()
        self.assertTree("b c d f:a+more")
        self.assertEqual(self.conflicts(), set())

    def test_delete(self):
        "a mailbox that the server refuses to delete comes back on the other side, and that is told"
        self.make(0, "a b c d")
        self.sync()
        self.refuse(b"DELETE", b"NO [NOPERM] it stays")
        self.act("l delete a")
        self.sync()
        self.assertTree("a: b c d", subscribed=False)
        self.assertEqual(self.conflicts(), {("mailbox-delete-vs-change", "a")})
        self.assertNoop()

    def test_subscribe(self):
        "a subscription that the server refuses is asked for once, and the messages are synchronized"
        self.refuse(b"SUBSCRIBE", b"NO [NOPERM] no")
        self.make(0, "a b")
        self.act("l append a more")
        self.sync("--debug", status=None)
        self.assertIdentical(subscriptions=False)
        self.assertStill(0)

    def sync(self, *arguments, status=0, **options):
        if status is not None:
            return super().sync(*arguments, status=status, **options)
        return self.account.once(*arguments, plain=self.plain, **options)

    def test_half_a_swap(self):
        "a swap that stops half-way is finished by the next run, without any mail on the way"
        self.make(0, "a b c")
        self.sync()
        self.act("l swap a b")
        count = []

        def third(data):
            if b" RENAME " in data:
                count.append(data)
                if len(count) == 3:
                    return b"NO [UNAVAILABLE] busy"
            return None

        self.tamper.command = third
        result = self.sync("--debug", status=1)
        self.assertFalse(CARRYING & {c for _, c in result.commands()}, result)
        self.assertTrue([n for n in self.remote.list() if n.startswith("imapsync-swap-")])
        self.assertFalse([n for n in self.local.list() if n.startswith("imapsync-swap-")])
        self.honest()
        result = self.sync("--debug")
        self.assertFalse(CARRYING & {c for _, c in result.commands()}, result)
        self.assertTree("a:b b:a c")
        self.assertEqual(self.intents(), [])
        self.assertNoop()


class Deliveries(_Tampered):
    def test_mail_between_emptying_and_delete(self):
        "mail that comes after the mailbox was emptied survives, and brings the mailbox back"
        self.make(0, "a b c d")
        self.sync()
        self.act("l delete a")
        came = []

        def command(data):
            if b" UID EXPUNGE " in data:
                came.append(False)
            elif b" STATUS a " in data and came == [False]:
                came.append(True)
                with self.servers[1].connect(self.user) as client:
                    client.append("a", simple("late"))
            return None

        self.tamper.command = command
        self.sync()
        self.assertEqual(came, [False, True])
        self.assertTree("a:late b c d", subscribed=False)
        self.assertIn(("mailbox-delete-vs-change", "a"), self.conflicts())
        self.assertNoop()


class KilledInTheTree(Scenario, TreeCase):
    """Every kind of change to both trees at once: killed after each effect of the run."""

    def base(self):
        self.make(0, "one two parent parent/kid parent/kid/deep gone:g1+g2 branch branch/leaf changed away chain1 chain2 moved into")
        self.make(1, "s1 s2 stay1 stay2 stay3 stay4")
        self.sync()
        self.assertIdentical()

    def changes(self):
        self.act(
            "l swap one two, r rename parent family, l delete gone, r delete branch/leaf, r delete branch, l delete changed, "
            "r append changed news, r rename chain2 chain3, r rename chain1 chain2, l rename moved into/moved, "
            "l unsubscribe s1, r unsubscribe s2, l create new/one, l append new/one n, r create neu, r append neu n, "
            "r rename away elsewhere, l append away later, l append one more")  # fmt: skip

    def check(self, expected, noop=True):
        result = super().check(expected, noop)
        self.assertEqual(self.intents(), [])
        return result

    def test_any_effect(self):
        "swaps, renames, deletions, creations and subscriptions, killed after any effect: the next run comes to the same"
        state, expected = self.prepare()
        self.assertGreater(len(self.effects), 200)
        points = range(1, len(self.effects) + 1)
        if "IMAPSYNC_ALL" not in os.environ:
            points = sorted(random.Random(SEED).sample(points, 120))

        def attempt(fork, n):
            killed = fork.kill_at(n)
            self.assertIn(killed.status, (0, -9), killed)
            try:
                fork.check(expected)
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the killed run ---\n{killed}") from None

        self.each(state, points, attempt,
                  lambda n: f"killed after effect {n} ({self.effects[n - 1]}) of {len(self.effects)}")  # fmt: skip
        print(f"{len(points)} of {len(self.effects)} effects")

    def test_killed_again_and_again(self):
        "killed, and killed again while it resumes"
        state, expected = self.prepare()
        r = random.Random(SEED)

        def attempt(fork, n):
            ends = [fork.kill_at(at) for at in points[n]]
            try:
                fork.check(expected)
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the killed runs ---\n" + "\n".join(map(str, ends))) from None

        points = [[r.randint(1, 120) for _ in range(r.randint(2, 4))] for _ in range(40)]
        self.each(state, range(len(points)), attempt, lambda n: f"killed after effects {points[n]}")
