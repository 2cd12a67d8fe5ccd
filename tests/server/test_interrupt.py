# SPDX-License-Identifier: GPL-3.0-or-later
"""R4 and R9: interrupted anywhere, the next run ends with both sides equal: nothing lost, doubled,
forgotten or undone."""

import os
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from harness import compare
from harness.case import SEED
from harness.imapsync import killable
from harness.place import wait_until
from harness.proxy import Proxy
from harness.seed import simple
from harness.stores import Server, StoreCase

WORKERS = 6  # at once: much of the time goes by in waiting for a cut APPEND that may still land


def contents(snapshot):
    """All that a client can see, as one comparable value."""
    return {"/".join(name): Counter((r.subject, r.digest, r.flags, r.date) for r in records)
            for name, records in snapshot.mailboxes.items()}  # fmt: skip


class Scenario(StoreCase):
    """A synchronized account, then changes of all kinds on both sides: some 200 effects."""

    cost = 30

    def base(self):
        self.fill(0, "INBOX", *(simple(f"m{i}", flags=("\\Seen",) if i % 3 == 2 else ()) for i in range(20)))
        self.fill(0, "Box", *(simple(f"b{i}") for i in range(6)))
        self.fill(1, "Old", *(simple(f"o{i}") for i in range(3)))
        self.fill(1, "Gone", *(simple(f"g{i}") for i in range(2)))
        self.sync()
        self.assertIdentical()

    def changes(self):
        local, remote = self.select(0), self.select(1)
        uid = {}
        for client, side in ((local, 0), (remote, 1)):
            uid[side] = {s[0].subject: s[0].uid for s in self.records(compare.snapshot(self.servers[side], self.user)).values()}

        def uids(side, *names):
            return [uid[side][n] for n in names]

        local.append("INBOX", *(simple(f"new local {i}", flags=("\\Draft", "work")) for i in range(5)))
        remote.append("INBOX", *(simple(f"new remote {i}") for i in range(4)))
        local.store(uids(0, "m0", "m1"), "+", "\\Flagged")
        local.store(uids(0, "m2"), "-", "\\Seen")
        remote.store(uids(1, "m3"), "+", "\\Answered")
        remote.store(uids(1, "m4"), "+", "keyword")
        local.store(uids(0, "m5"), "+", "\\Flagged")
        remote.store(uids(1, "m5"), "+", "\\Answered")
        local.expunge(uids(0, "m6", "m7"))
        remote.expunge(uids(1, "m8"))
        local.expunge(uids(0, "m9"))
        remote.expunge(uids(1, "m9"))
        local.create("New")
        local.append("New", *(simple(f"n{i}") for i in range(2)))
        remote.create("Neu/Kind")
        remote.append("Neu/Kind", simple("k"))
        local.rename("Old", "Renamed")
        local.subscribe("Renamed")
        local.unsubscribe("Old")
        remote.delete("Gone")
        remote.unsubscribe("Gone")
        remote.append("Box", simple("new box"))
        local.move(uids(0, "m13", "m14"), "Box")
        remote.move(uids(1, "m15", "m16"), "Box")
        local.move(uids(0, "m17"), "New")
        remote.store(uids(1, "m13", "m17"), "+", "\\Flagged")
        local.copy(uids(0, "m18"), "New")
        local.select("Box")
        local.store([2, 3], "+", "\\Seen")
        local.logout()
        remote.logout()

    def prepare(self):
        """(the state to begin with, what has to come out of it)"""
        self.base()
        self.changes()
        state = self.keep_state()
        self.load_state(state)
        log = self.account.dir / "effects"
        result = self.account.once(program=killable(), env={"IMAPSYNC_EFFECTS": str(log)})
        self.assertEqual(result.status, 0, result)
        expected = self.assertIdentical()
        self.assertNoop()
        self.effects = log.read_text().splitlines()
        return state, expected

    def check(self, expected, noop=True):
        """Resumes, compares completely, and runs again."""
        result = self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(contents(snapshot), contents(expected))
        self.assertEqual(snapshot.subscribed, expected.subscribed)
        if noop:
            self.assertIdle()
        return result

    def assertIdle(self):
        """R8, at the least cost: no command that could change anything, and the database as it was."""
        before = self.account.database_state()
        result = self.sync("--debug")
        self.assertTrue(result.traffic(), result)
        self.assertEqual(result.changes(), [], "expected no command that changes anything in a second run")
        self.assertEqual(self.account.database_state(), before, "the second run changed the database")

    def kill_at(self, n):
        return self.account.once(program=killable(), env={"IMAPSYNC_KILL_AT": str(n)})

    def each(self, state, numbers, attempt, name, end=None):
        """Calls attempt(a fork of this test in @state, n) for all @numbers, some at a time, until @end.
        $IMAPSYNC_ONLY=N does one."""
        if only := os.environ.get("IMAPSYNC_ONLY"):
            numbers = [int(only)]

        def one(n):
            if end is not None and time.monotonic() > end:
                return None
            fork = self.forked(state)
            try:
                attempt(fork, n)
                return None
            except Exception as error:
                return n, f"{name(n)}: {error}"
            finally:
                fork.drop_state()

        with ThreadPoolExecutor(WORKERS) as pool:
            failures = [f for f in pool.map(one, numbers) if f]
        if failures:
            self.fail(f"{len(failures)} of {len(numbers)} failed: {[n for n, _ in failures]}; IMAPSYNC_ONLY={failures[0][0]} "
                      "does the first alone\n" + "\n\n".join(text for _, text in failures[:3]))  # fmt: skip


class KilledAtEachEffect(Scenario):
    def test_every_effect(self):
        "killed after each of some 200 effects, resumed, compared completely, run again: nothing to do"
        state, expected = self.prepare()
        kinds = Counter(self.effects)
        self.assertGreater(len(self.effects), 150, kinds)

        def attempt(fork, n):
            killed = fork.kill_at(n)
            self.assertIn(killed.status, (0, -9), killed)
            try:
                fork.check(expected)
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the killed run ---\n{killed}") from None

        self.each(state, range(1, len(self.effects) + 1), attempt,
                  lambda n: f"killed after effect {n} ({self.effects[n - 1]}) of {len(self.effects)}")  # fmt: skip
        print(f"{len(self.effects)} effects: {dict(kinds)}")


class KilledWhileOthersWork(Scenario):
    """What other clients do between the kill and the next run is a change like any other, also to
    messages whose copies may have arrived without our knowing."""

    gone = {"m11", "m12", "new local 1", "new remote 1", "new local 2", "new remote 2"}
    moved = {"new local 2", "new remote 2"}
    new = {"during local", "during remote"}

    def interfere(self):
        with self.servers[0].connect(self.user) as local, self.servers[1].connect(self.user) as remote:
            for client in (local, remote):
                client.select("INBOX")
            at = [{r.subject: r.uid for r in s.mailboxes[("INBOX",)]} for s in self.snapshots(["INBOX"])]
            local.store([at[0]["m0"]], "-", "\\Flagged")
            remote.store([at[1]["m4"]], "-", "keyword")
            remote.store([at[1]["m10"]], "+", "\\Draft")
            local.expunge([at[0]["m11"]])
            remote.expunge([at[1]["m12"]])
            local.expunge([at[0]["new local 1"]])
            remote.expunge([at[1]["new remote 1"]])
            local.store([at[0]["new local 0"]], "-", "\\Draft")
            remote.store([at[1]["new remote 0"]], "+", "\\Answered")
            local.move([at[0]["new local 2"]], "Box")
            remote.move([at[1]["new remote 2"]], "Box")
            local.append("INBOX", simple("during local", "longer", flags=("\\Seen",)))
            remote.append("INBOX", simple("during remote", "longer"))

    def check_flags(self, before):
        """@before: {subject: [Record]} of a run that nobody disturbed."""
        snapshot = self.assertIdentical()
        records = self.records(snapshot)
        self.assertEqual({s: len(r) for s, r in records.items()},
                         {s: 1 for s in before.keys() - self.gone | self.new})  # fmt: skip
        flags = {s: r[0].flags for s, r in before.items()} | {
            "m0": set(), "m4": set(), "m10": {"\\draft"}, "during local": {"\\seen"}, "during remote": set(),
            "new local 0": {"work"}, "new remote 0": {"\\answered"}}  # fmt: skip
        for subject, found in records.items():
            self.assertEqual(found[0].flags, flags[subject], f"flags of {subject!r}")
        box = self.records(snapshot, "Box")
        self.assertEqual({s: len(box.get(s, ())) for s in self.moved}, {s: 1 for s in self.moved})

    def test_changes_during_the_interruption(self):
        "flags set, mirrored and cleared by their owner, expunges and new mail between a kill and the next run: all hold"
        state, expected = self.prepare()
        before = self.records(expected)
        r = random.Random(SEED)

        def attempt(fork, n):
            killed = fork.kill_at(n)
            fork.interfere()
            if n % 2:  # and once more
                fork.kill_at(n % 50 + 1)
            fork.sync()
            try:
                fork.check_flags(before)
                fork.assertIdle()
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the killed run ---\n{killed}") from None

        points = sorted(r.sample(range(1, len(self.effects) + 1), 60))
        self.each(state, points, attempt,
                  lambda n: f"killed after effect {n} ({self.effects[n - 1]}) of {len(self.effects)}")  # fmt: skip


class Proxied(Scenario):
    """Two servers that are reached by TCP, each through a proxy."""

    links = ("imap", "imap")

    @classmethod
    def make_servers(cls):
        return [Server(format) for format in cls.formats]

    proxies = ()

    def adapt_settings(self):
        self.proxies = [Proxy(server.port).start() for server in self.servers]
        for section, proxy in zip((self.account.local, self.account.remote), self.proxies):
            section["port"] = proxy.port

    def drop_state(self):
        for proxy in self.proxies:
            proxy.close()
        super().drop_state()


def bytes_of_lines(stream, each):
    """After how many bytes to cut: see telling_points()."""
    points, at = set(), 0
    while at < len(stream):
        end = stream.find(b"\n", at) + 1 or len(stream)
        points.update(range(at + 1, end + 1) if each else (at + 1, (at + end) // 2, end - 1, end))
        match = re.search(rb"\{(\d+)\+?\}\r\n\Z", stream[at:end])
        size = int(match.group(1)) if match else 0
        points.update(end + n for n in (1, size // 2, size - 1) if 0 < n < size)
        at = end + size
    return sorted(p for p in points if 0 < p <= len(stream))


class CutConnections(Proxied):
    samples = 300

    def measure(self, state):
        """What passes in a run that nobody cuts: [{"up": bytes, "down": bytes, "commands": number}]."""
        self.load_state(state)
        for proxy in self.proxies:
            proxy.keep()
        self.account.once()
        self.assertIdentical()
        self.streams = [max(proxy.kept, key=lambda kept: len(kept["down"])) for proxy in self.proxies]
        return [{**proxy.bytes, "commands": len(proxy.commands)} for proxy in self.proxies]

    def all_points(self, sizes):
        return [(side, what, at) for side in (0, 1) for what in ("up", "down", "commands")
                for at in range(1, sizes[side][what] + 1)]  # fmt: skip

    def telling_points(self, sizes, each=False):
        """Every command, and of each literal the first byte, one in the middle and the last but one. Of
        each line, which neither side acts on before its end, the same and the whole; or @each byte."""
        points = [(side, "commands", at) for side in (0, 1) for at in range(1, sizes[side]["commands"] + 1)]
        for side in (0, 1):
            for way, stream in self.streams[side].items():
                points += [(side, way, at) for at in bytes_of_lines(stream, each)]
        return points

    def prepare(self):
        self.base()
        self.changes()
        state = self.keep_state()
        sizes = self.measure(state)
        return state, sizes, self.assertIdentical()

    def cut_each(self, state, points, expected, end=None):
        """How many were cut; none after @end."""
        cuts = []

        def attempt(fork, n):
            side, what, at = points[n]
            fork.proxies[side].cut_after(**{what: at})
            cut = fork.account.once()
            cuts.append(fork.proxies[side].cuts)
            self.assertIn(cut.status, (0, 3) if fork.proxies[side].cuts else (0,), cut)
            fork.proxies[side].cut_after(up=1, times=0)
            try:
                fork.check(expected)
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- the run that was cut ---\n{cut}") from None

        def name(n):
            side, what, at = points[n]
            return f"{('local', 'remote')[side]} connection cut after {at} " + (what if what == "commands" else f"bytes {what}")

        self.each(state, range(len(points)), attempt, name, end)
        return sum(cuts)

    def test_cut_anywhere(self):
        "either connection cut at seeded bytes and command boundaries of both directions: resumed, equal, idle"
        state, sizes, expected = self.prepare()
        points = self.all_points(sizes)
        r = random.Random(SEED)
        boundaries = [p for p in points if p[1] == "commands"]
        up = [p for p in points if p[1] == "up"]
        down = [p for p in points if p[1] == "down"]
        chosen = r.sample(boundaries, 60) + r.sample(up, (self.samples - 60) * 2 // 3) + r.sample(down, (self.samples - 60) // 3)
        cuts = self.cut_each(state, chosen, expected)
        print(f"{cuts} cuts of {len(points)} possible ones: {sizes}")
        self.assertGreater(cuts, len(chosen) * 3 // 4)

    def test_server_restarted(self):
        "a server that is killed and started again in the middle of a run"
        self.base()
        self.changes()
        state = self.keep_state()
        self.load_state(state)
        self.account.once()
        expected = self.assertIdentical()
        r = random.Random(SEED)
        for side in (0, 1, 0, 1):
            self.load_state(state)
            running = self.account.start("--oneshot")
            time.sleep(0.02 + 0.2 * r.random())
            self.servers[side].kill()
            self.servers[side].start()
            cut = running.wait()
            self.assertIn(cut.status, (0, 3), cut)
            self.assertEqual(self.account.once().status, 0, cut)
            self.check(expected)


class LandedCopies(StoreCase):
    """The program dies before it hears that the server has the messages; meanwhile their owner goes on."""

    def lands_unnoticed(self, origin, *messages):
        """They are in INBOX of @origin, and after a run that was killed on the other side too."""
        self.fill(origin, "INBOX", *messages)
        killed = self.account.once(program=killable(), env={"IMAPSYNC_KILL_NAMED": "half a literal"})
        self.assertEqual(killed.status, -9, killed)
        self.fill(1 - origin, "INBOX", *messages)  # as if the network had kept what was sent

    def uids(self, side):
        return {s: r[0].uid for s, r in self.records(compare.snapshot(self.servers[side], self.user)).items()}

    def owner_goes_on(self, origin):
        owner, other, uid = self.select(origin), self.select(1 - origin), self.uids(origin)
        owner.expunge([uid["expunged"], uid["changed"]])
        owner.store([uid["stays"]], "+", "\\Flagged")
        owner.store([uid["cleared"]], "-", "\\Seen")
        owner.move([uid["moved"]], "Box")
        other.store([self.uids(1 - origin)["changed"]], "+", "\\Answered")

    def check_outcome(self, origin):
        result = self.sync("--debug")
        snapshot = self.assertIdentical()
        self.assertEqual({s: [r.flags for r in found] for s, found in self.records(snapshot).items()},
                         {"m0": [set()], "m1": [set()], "stays": [{"\\flagged"}], "cleared": [set()]})  # fmt: skip
        self.assertEqual({s: [r.flags for r in found] for s, found in self.records(snapshot, "Box").items()},
                         {"b": [set()], "moved": [{"work"}]})  # fmt: skip
        other = ("remote", "local")[origin]
        self.assertSays(result, f"expunged on the {other} server", "<expunged@")
        self.assertNotIn((other, "APPEND"), result.commands(), "the moved one was sent again")
        self.assertNoop()

    def test_owner_goes_on_with_what_was_being_copied(self):
        "expunged, moved, flagged by its owner after its copy had arrived unnoticed: the copy follows, both ways"
        for origin in (0, 1):
            with self.subTest(origin=("local", "remote")[origin]):
                self.new_user()
                self.fill(0, "Box", simple("b"))
                self.fill(0, "INBOX", *(simple(f"m{i}") for i in range(2)))
                self.sync()
                self.lands_unnoticed(origin, simple("stays"), simple("expunged"), simple("cleared", flags=("\\Seen",)),
                                     simple("moved", flags=("work",)), simple("changed"))  # fmt: skip
                self.owner_goes_on(origin)
                self.check_outcome(origin)

    def test_emptied_after_an_interrupted_first_copy(self):
        "the first copy of all is interrupted, the owner deletes everything: it stays deleted on both sides"
        self.lands_unnoticed(0, *(simple(f"m{i}") for i in range(5)))
        local = self.select(0)
        local.expunge(local.uids())
        self.sync()
        self.assertEqual([len(s.mailboxes[("INBOX",)]) for s in self.snapshots()], [0, 0])
        self.assertNoop()


class LateAppend(StoreCase):

    def test_cut_append_that_lands_later(self):
        "an APPEND that the server completes a second after we are back is not doubled"
        self.fill(0, "INBOX", *(simple(f"m{i}") for i in range(3)))
        self.sync()
        self.fill(0, "INBOX", simple("late"))
        state = self.keep_state()
        for delay in (0.3, 0.8):
            with self.subTest(delay=delay):
                self.load_state(state)
                done = self.cut_and_complete_later(delay)
                self.sync()
                done.join()
                self.sync()
                snapshot = self.assertIdentical()
                self.assertEqual({s: len(r) for s, r in self.records(snapshot).items()},
                                 {**{f"m{i}": 1 for i in range(3)}, "late": 1})  # fmt: skip
                self.assertNoop()

    def cut_and_complete_later(self, delay):
        """Kills the program in the middle of the literal; another hand then says to the server what the
        program would have said, as if the network had kept it."""
        killed = self.account.once(program=killable(), env={"IMAPSYNC_KILL_NAMED": "half a literal"})
        self.assertEqual(killed.status, -9, killed)

        def complete():
            time.sleep(delay)
            with self.servers[1].connect(self.user) as remote:
                remote.append("INBOX", simple("late"))

        thread = threading.Thread(target=complete)
        thread.start()
        return thread


class KilledAtRandom(StoreCase):
    """SIGKILL at random moments of a copy of many messages, while other clients work."""

    cost = 25
    messages, kills = 2000, 12

    def test_random_kills(self):
        "2,000 messages both ways, killed again and again, other clients changing both sides: nothing lost, doubled or undone"
        self.copy_under_fire(self.messages, self.kills, SEED)

    def copy_under_fire(self, messages, kills, seed):
        r = random.Random(seed)
        self.fill(0, "INBOX", *(simple(f"base {i}") for i in range(200)))
        self.sync()
        half = messages // 2
        self.fill(0, "INBOX", *(simple(f"local {i}", body="x" * r.randint(1, 3000)) for i in range(half)))
        self.fill(1, "INBOX", *(simple(f"remote {i}", body="x" * r.randint(1, 3000)) for i in range(half)))
        world = World(self, r)
        killed = 0
        while killed < kills:
            result = self.account.once(kill_after=0.03 + 0.35 * r.random())
            killed += result.status == -9
            self.assertIn(result.status, (0, -9), result)
            for _ in range(r.randint(1, 4)):
                world.change()
            if result.status == 0 and not world.more(half // 2):
                break
        self.sync(timeout=300)
        snapshot = self.assertIdentical()
        world.check(self.records(snapshot))
        self.assertNoop()
        print(f"{killed} kills, {len(world.expected)} messages in the end")


class World:
    """What other clients do, and what has to come out of it. Expunges and flags touch the messages of
    the first synchronization, each once and on one side, so that there is one right answer."""

    def __init__(self, test, r):
        self.test, self.r = test, r
        self.left = list(range(200))
        r.shuffle(self.left)
        self.flags, self.gone, self.count = {}, set(), 0
        self.clients = [test.select(side) for side in (0, 1)]
        snapshots = test.snapshots(["INBOX"])
        self.uid = [{x.subject: x.uid for x in s.mailboxes[("INBOX",)]} for s in snapshots]
        self.expected = Counter(x.subject for s in snapshots for x in s.mailboxes[("INBOX",)])
        self.expected = dict.fromkeys(self.expected, 1)

    def change(self):
        side = self.r.randrange(2)
        client = self.clients[side]
        what = self.r.choice(("flag", "flag", "expunge", "append"))
        if what == "append" or not self.left:
            return self.more(1, side)
        subject = f"base {self.left.pop()}"
        uid = self.uid[side][subject]
        if what == "flag":
            flag = self.r.choice(("\\Seen", "\\Flagged", "work"))
            client.store([uid], "+", flag)
            self.flags[subject] = {flag.lower()}
        else:
            client.expunge([uid])
            self.gone.add(subject)
            del self.expected[subject]

    def more(self, n, side=0):
        names = [f"later {self.count + i}" for i in range(n)]
        self.count += n
        self.clients[side].append("INBOX", *(simple(name) for name in names))
        self.expected.update(dict.fromkeys(names, 1))
        return True

    def check(self, records):
        found = {s: len(r) for s, r in records.items()}
        self.test.assertEqual(found, self.expected)
        for subject, flags in self.flags.items():
            self.test.assertEqual(records[subject][0].flags, flags, subject)
