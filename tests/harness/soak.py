# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes by other clients on both servers, passes, kills and cut connections; after each round
both servers are compared completely, and every message is accounted for.

    tests/soak --minutes 60 --seed 7
    tests/soak --cuts            the connections cut in and after every line, command and literal
    tests/soak --cuts --each     at every byte of lines (hours); with --minutes so long, at points
                                 that --seed chooses
    tests/soak --kills 200       SIGKILL at random moments of a copy of 2,000 messages

What failed is repeated by the seed that is printed (as far as two processes' timing can be)."""

import argparse
import os
import random
import signal
import sys
import threading
import time
import unittest
from collections import Counter, defaultdict

from . import build, compare, seed
from .imap import ImapError
from .imapsync import killable
from .proxy import Proxy
from .stores import Server, Store, StoreCase

FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "work", "$Forwarded")
NAMES = ("Box", "Lists", "Lists/a", "Lists/b", "Archive", "Archive/2020", "Entwürfe", "Trash", "Sent", "More")


class Ledger:
    """How often each message may and must be there: digest -> [least, most]."""

    def __init__(self):
        self.bounds = defaultdict(lambda: [0, 0])
        self.figures = Counter()

    def add(self, digest, sure=True):
        self.bounds[digest][0] += sure
        self.bounds[digest][1] += 1

    def may_go(self, digest):
        self.bounds[digest][0] = 0

    def check(self, snapshot):
        counts = Counter(r.digest for records in snapshot.mailboxes.values() for r in records)
        lost = [d for d, (least, _) in self.bounds.items() if counts[d] < least]
        doubled = [d for d, n in counts.items() if n > self.bounds[d][1]]
        self.figures["lost"] += len(lost)
        self.figures["doubled"] += len(doubled)
        lines = [f"a message is lost: {d.hex()}, there {counts[d]} times of {self.bounds[d]}" for d in lost]
        for name, records in snapshot.mailboxes.items():
            lines += [f"doubled: {'/'.join(name)} {r}, there {counts[r.digest]} times of {self.bounds[r.digest]}"
                      for r in records if r.digest in doubled]  # fmt: skip
        return lines


class Hand:
    """A client of one side, at random work."""

    def __init__(self, soak, side):
        self.soak, self.side, self.r = soak, side, soak.r
        self.client = soak.servers[side].connect(soak.user)

    def close(self):
        self.client.logout()

    def mailboxes(self):
        return sorted(n for n, m in self.client.list().items() if m.selectable)

    def some(self, name, most=4):
        """{uid: digest} of a few messages."""
        self.client.select(name)
        uids = self.client.uids()
        chosen = self.r.sample(uids, min(len(uids), self.r.randint(1, most)))
        return {u: compare.record(u, i).digest for u, i in self.client.fetch(chosen).items()} if chosen else {}

    def act(self):
        what = self.r.choices(list(self.WORK), [w for w, _ in self.WORK.values()])[0]
        try:
            name = self.r.choice(self.mailboxes())
            said = self.WORK[what][1](self, name)
            self.soak.log.append(f"{('local', 'remote')[self.side]}: {what} {said or name}")
        except ImapError as error:  # a name that exists, a mailbox that another one has deleted
            self.soak.log.append(f"{('local', 'remote')[self.side]}: {what} refused: {error}")
            if "closed" in str(error) or "BYE" in str(error) or "goodbye" in str(error):
                self.client.close()
                self.client = self.soak.servers[self.side].connect(self.soak.user)

    def append(self, name):
        messages = self.soak.mixer.messages(self.r.choice((1, 1, 2, 5, 12)))
        for m in messages:  # dates outside what a server keeps, and copies, would need tolerances
            m.date = None if m.date in seed.ODD_DATES else m.date
        digests = [compare.record(0, {"BODY[]": m.body, "FLAGS": (), "INTERNALDATE": 0}).digest for m in messages]
        with self.soak.lock:
            for digest in digests:
                self.soak.ledger.add(digest, sure=False)
        self.client.append(name, *messages)
        with self.soak.lock:
            for digest in digests:
                self.soak.ledger.bounds[digest][0] += 1
        self.soak.ledger.figures["appended"] += len(messages)

    def flag(self, name):
        if chosen := self.some(name, 8):
            self.client.store(chosen, self.r.choice("+-"), *self.r.sample(FLAGS, self.r.randint(1, 2)))
            self.soak.ledger.figures["flags"] += len(chosen)

    def expunge(self, name):
        if chosen := self.some(name, 3):
            with self.soak.lock:
                for digest in chosen.values():
                    self.soak.ledger.may_go(digest)
            self.client.expunge(chosen)
            self.soak.ledger.figures["expunged"] += len(chosen)

    def copy(self, name):
        if chosen := self.some(name, 3):
            with self.soak.lock:
                for digest in chosen.values():
                    self.soak.ledger.add(digest, sure=False)
            self.client.copy(chosen, self.r.choice(self.mailboxes()))
            self.soak.ledger.figures["copied by clients"] += len(chosen)

    def move(self, name):
        """Moved to two places from both sides, or deleted here and moved there: both are right."""
        if chosen := self.some(name, 3):
            target = self.r.choice(self.mailboxes())
            if target == name:
                return
            with self.soak.lock:
                for digest in chosen.values():
                    self.soak.ledger.bounds[digest][1] += 1
                    if digest in self.soak.contested:
                        self.soak.ledger.may_go(digest)
                    self.soak.contested.add(digest)
            self.client.move(chosen, target)
            self.soak.ledger.figures["moved by clients"] += len(chosen)
            return f"{name} -> {target}"

    def create(self, name):
        new = self.r.choice(NAMES) + self.r.choice(("", "", " 2", "/x"))
        self.client.create(new)
        return new

    def rename(self, name):
        """Subscriptions stay behind, and what is not subscribed is not synchronized."""
        if name == "INBOX":
            return
        new = f"{self.r.choice(NAMES)} {self.r.randrange(100)}"
        self.client.rename(name, new)
        below = [n for n in self.mailboxes() if n == new or n.startswith(new + "/")]
        self.client.subscribe(*below)
        self.client.unsubscribe(*(name + n[len(new) :] for n in below))
        return f"{name} -> {new}"

    def delete(self, name):
        if name == "INBOX" or len(self.mailboxes()) < 8:
            return
        # What lies below stays, as on most servers; what is in it goes, unless the other side adds to it.
        self.client.select(name)
        uids = self.client.uids()
        with self.soak.lock:
            for uid, item in (self.client.fetch(uids) if uids else {}).items():
                self.soak.ledger.may_go(compare.record(uid, item).digest)
            self.soak.deleted.add(name)
        self.client.unselect()
        self.client.delete(name)

    def subscription(self, name):
        (self.client.subscribe if self.r.random() < 0.5 else self.client.unsubscribe)(name)

    WORK = {"append": (8, append), "flag": (8, flag), "expunge": (4, expunge), "copy": (2, copy), "move": (3, move),
            "create": (1.5, create), "rename": (0.7, rename), "delete": (0.4, delete)}  # fmt: skip


class Soak(StoreCase):
    """One account at it. tests/soak makes it run long, tests/server/test_soak.py for a minute."""

    links = ("tunnel", "imap")

    @classmethod
    def make_servers(cls):
        return [Store("maildir"), Server("mdbox" if cls.formats[1] == "mdbox" else "maildir")]

    def runTest(self):
        "never by itself"

    def begin(self, number):
        self.number = number
        self.r, self.mixer = random.Random(number), seed.Mixer(number)
        self.ledger, self.lock = Ledger(), threading.Lock()
        self.log, self.contested, self.deleted = [], set(), set()
        self.proxy = Proxy(self.servers[1].port).start()
        self.addCleanup(self.proxy.close)
        self.account.remote["port"] = self.proxy.port
        self.account.write()
        self.hands = [Hand(self, side) for side in (0, 1)]
        for name in NAMES[:8]:
            self.hands[self.r.randrange(2)].client.create(name)
        for hand in self.hands:
            for _ in range(3):
                hand.append("INBOX")
        self.settle()

    def work(self, n):
        for _ in range(n):
            self.r.choice(self.hands).act()

    def interrupted_run(self):
        """One run, killed, cut or left in peace, while the clients work."""
        kind = self.r.choice(("kill", "kill", "cut", "cut", "sigkill", "peace"))
        env, program = {}, None
        if kind == "kill":
            env, program = {"IMAPSYNC_KILL_AT": str(int(3 ** self.r.uniform(1, 5.3)))}, killable()
        elif kind == "cut":
            self.proxy.cut_after(**{self.r.choice(("up", "down")): int(10 ** self.r.uniform(2, 4.6))})
        running = self.account.start("--oneshot", env=env, program=program)
        if kind == "sigkill":
            timer = threading.Timer(self.r.uniform(0.02, 0.4), running.kill)
            timer.start()
        if self.r.random() < 0.7:
            self.work(self.r.randint(1, 4))
        result = running.wait(120)
        self.proxy.cut_after(up=1, times=0)
        self.log.append(f"{kind}: exit status {result.status}" + "".join(
            f"\n      {line[:160]}" for line in result.messages() if "is renamed" in line or "is deleted" in line or
            "is created" in line or "found" in line or "conflict" in line or "deleted there" in line))  # fmt: skip
        self.ledger.figures[{"kill": "kill points", "sigkill": "kills"}.get(kind, kind + "s")] += (
            result.status == -9 if "kill" in kind else result.status != 0 if kind == "cut" else 1)  # fmt: skip
        return result

    def settle(self):
        """Until it says that all is in sync."""
        for attempt in range(6):
            result = self.account.once(timeout=120)
            self.log.append(f"settling: exit status {result.status}" + "".join(
                f"\n      {line[:160]}" for line in result.messages()))  # fmt: skip
            if result.status == 0:
                return result
        self.fail(f"not in sync after six runs that nobody disturbed\n{result}")

    def round(self, number, idle):
        self.log.clear()
        self.contested.clear()
        self.work(self.r.randint(2, 8))
        for _ in range(self.r.randint(1, 3)):
            self.interrupted_run()
        self.settle()
        snapshot = self.assertIdentical(subscriptions=False)
        if lines := self.ledger.check(snapshot):
            self.fail(compare.report(lines))
        if idle:
            result = self.sync("--debug")
            self.assertEqual(result.changes(), [], "expected no command that changes anything")
        self.ledger.figures["rounds"] += 1
        self.ledger.figures["messages"] = snapshot.total()

    def soak(self, number, minutes):
        end = time.monotonic() + minutes * 60
        self.begin(number)
        n = 0
        while time.monotonic() < end:
            n += 1
            try:
                self.round(n, idle=n % 3 == 0)
            except Exception as error:
                steps = "\n  ".join(self.log)
                raise AssertionError(f"tests/soak --seed {number} repeats it; round {n}:\n  {steps}\n{error}") from error
        for hand in self.hands:
            hand.close()
        return self.ledger.figures


def _run(case, function):
    """Runs function(case) with the fixtures of a test."""
    failures = []

    class Once(case):
        def runTest(self):
            try:
                function(self)
            except Exception as error:
                failures.append(error)
                raise

    suite = unittest.TestSuite([Once("runTest")])
    result = unittest.TextTestRunner(verbosity=0, stream=sys.stderr).run(suite)
    return result.wasSuccessful()


def main():
    parser = argparse.ArgumentParser(prog="tests/soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--cuts", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if "IMAPSYNC" not in os.environ:
        build.compile("gcc")
        os.environ["IMAPSYNC"] = os.environ["IMAPSYNC_PLAIN"] = str(build.program("gcc"))
    number = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 30)
    start = time.monotonic()
    if options.cuts or options.kills:
        from server import test_interrupt

        if options.kills:
            return not _run(test_interrupt.KilledAtRandom, lambda t: t.copy_under_fire(2000, options.kills, number))

        def everywhere(test):
            state, sizes, expected = test.prepare()
            points = test.telling_points(sizes, options.each)
            print(f"seed {number}: {len(points)} points in {sizes}", flush=True)
            end = None
            if options.minutes is not None:
                random.Random(number).shuffle(points)
                end = time.monotonic() + options.minutes * 60
            print(test.cut_each(state, points, expected, end), "cuts")

        return not _run(test_interrupt.CutConnections, everywhere)
    total, ok, minutes = Counter(), True, options.minutes if options.minutes is not None else 30
    while ok and time.monotonic() - start < minutes * 60:
        left = minutes - (time.monotonic() - start) / 60

        def one(test, number=number, left=left):
            total.update(test.soak(number, min(left, 10)))

        print(f"seed {number}", flush=True)
        ok = _run(Soak, one)
        number += 1
    print(f"{(time.monotonic() - start) / 60:.1f} minutes: " + ", ".join(f"{k} {v}" for k, v in sorted(total.items())))
    return not ok


if __name__ == "__main__":
    sys.exit(main())
