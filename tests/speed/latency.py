# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/latency: live mode, measured against two real Dovecots.

changes: from a change on one server to its visibility on the other, one change of a kind after the other, beside
interimap --watch=60 --notify on the same servers; each kind and direction has an account of its own, and they run
at the same time (100 of each in less than ten minutes on two cores at rest). rest: processor time, wake-ups and memory of
three accounts of 100 mailboxes each. recovery: after a restart of a server and a network that was cut (as
root: it needs a network namespace)."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness import place
from harness.dovecot import Dovecot
from harness.imap import Client
from harness.imapsync import Account
from harness.seed import simple

from . import programs

SIDES = ("local", "remote")
STEP = 0.01  # seconds between two looks


def wait_until(condition, seconds):
    """How long it took; None: in vain."""
    begun = time.monotonic()
    while True:
        if condition():
            return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(STEP)


def spread(values):
    """Median, 90th percentile and worst in milliseconds, and how many were lost."""
    seen = sorted(v * 1000 for v in values if v is not None)
    if not seen:
        return f"{'-':>8} {'-':>8} {'-':>8} {len(values):>5}"
    ninetieth = seen[min(len(seen) - 1, int(len(seen) * 0.9))]
    return f"{statistics.median(seen):8.0f} {ninetieth:8.0f} {seen[-1]:8.0f} {len(values) - len(seen):5}"


# --- the programs ---


class Program:
    """One program that stays, between two stores of its own."""

    def __init__(self, servers, user, prefix=()):
        self.servers, self.user = servers, user
        for server in servers:
            with server.connect(user) as client:
                client.subscribe("INBOX")
        self.start(prefix)

    def tail(self):
        return Path(self.log).read_text(errors="replace")[-2000:]

    def stop(self):
        place.stop(self.process)


class Ours(Program):
    name = "imapsync"
    program = None

    def start(self, prefix):
        self.account = Account(*(s.settings(self.user, "imap") for s in self.servers), database="account.db")
        running = self.account.start(program=self.program, prefix=prefix)
        self.process, self.log = running.process, running._files[1]
        if wait_until(lambda: "mailboxes changed" in running.err, 60) is None:
            raise RuntimeError(f"no first pass:\n{running.err}")
        time.sleep(1)

    def stop(self):
        super().stop()
        self.account.close()


class InterIMAP(Program):
    name = "interimap --watch=60 --notify"

    def start(self, prefix):
        self.folder = place.folder("latency")
        tool = programs.InterIMAP()
        tool.prepare(self.folder, [programs.Side(s, self.user, s.port, False) for s in self.servers])
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            # With --watch it does not make its database.
            subprocess.run([*prefix, "interimap", "--quiet"], env=tool.environment(self.folder), stdout=log, stderr=log,
                           check=True, timeout=60)  # fmt: skip
            self.process = place.spawn([*prefix, "interimap", "--watch=60", "--notify"], stdout=log, stderr=log,
                                       env=tool.environment(self.folder))  # fmt: skip
        time.sleep(4)
        if self.process.poll() is not None:
            raise RuntimeError(self.tail())

    def stop(self):
        super().stop()
        place.remove(self.folder)


# --- changes ---


class Eyes:
    """A client that changes things, or sees whether they have changed."""

    def __init__(self, server, user):
        self.client = server.connect(user)
        self.client.select("INBOX")

    def uids(self):
        self.client.command("NOOP")  # else a server may show what was there before
        return self.client.uids()

    def close(self):
        self.client.close()


def new(here, there, n):
    count = len(there.uids())
    here.client.append("INBOX", simple(f"new {time.monotonic_ns()}"))
    return lambda: len(there.uids()) > count


def flagged(here, there, n):
    mine, theirs = here.uids()[-1], there.uids()[-1]
    operation = "+" if n % 2 == 0 else "-"
    here.client.store([mine], operation, "\\Flagged")

    def seen():
        there.client.command("NOOP")
        flags = there.client.flags(str(theirs))[theirs]
        return ("\\Flagged" in flags) == (operation == "+")

    return seen


def expunged(here, there, n):
    count = len(there.uids())
    here.client.expunge([here.uids()[-1]])
    return lambda: len(there.uids()) < count


def created(here, there, n):
    name = f"Box {n}"
    here.client.create(name)
    return lambda: name in there.client.list()


def renamed(here, there, n):
    old, name = f"Box {n}", f"Renamed {n}"
    here.client.rename(old, name)

    def seen():
        names = there.client.list()
        return name in names and old not in names

    return seen


def deleted(here, there, n):
    name = f"Box {n}"
    here.client.delete(name)
    return lambda: name not in there.client.list()


KINDS = (new, flagged, expunged, created, renamed, deleted)


@dataclass
class Series:
    """Changes of one kind on one side, in an account of its own."""

    cls: type
    kind: object
    side: int
    count: int
    patience: float

    def user(self):
        return f"{self.cls.__name__.lower()}-{self.kind.__name__}-{self.side}"

    def prepare(self, servers):
        """What the changes are made to is there before the program."""
        with servers[self.side].connect(self.user()) as client:
            client.subscribe("INBOX")
            if self.kind in (flagged, expunged):
                client.append("INBOX", *(simple(f"before {n}") for n in range(self.count + 5)))
            if self.kind in (renamed, deleted):
                for n in range(self.count):
                    client.create(f"Box {n}")
                    client.append(f"Box {n}", simple(f"in box {n}"))

    def run(self, servers):
        """Seconds of each change; None: lost."""
        self.prepare(servers)
        program = self.cls(servers, self.user())
        eyes = [Eyes(server, self.user()) for server in servers]
        took = []
        try:
            for n in range(self.count):
                seen = self.kind(eyes[self.side], eyes[1 - self.side], n)
                took.append(wait_until(seen, self.patience))
                time.sleep(0.05)
                if took.count(None) >= 5 and took.count(None) == len(took):
                    break
        except Exception as error:
            print(f"  {self.kind.__name__} on {SIDES[self.side]} ended: {error}\n{program.tail()}", file=sys.stderr)
            took.append(None)
        finally:
            for one in eyes:
                one.close()
            program.stop()
        return took


def changes(cls, servers, count, patience):
    series = [Series(cls, kind, side, count, patience) for kind in KINDS for side in (0, 1)]
    begun = time.monotonic()
    with ThreadPoolExecutor(len(series)) as pool:
        results = list(pool.map(lambda one: one.run(servers), series))
    print(f"\n{cls.name}: {count} changes of each kind in {time.monotonic() - begun:.0f} s (milliseconds)")
    print(f"  {'change':<12} {'made on':<8} {'median':>8} {'90th':>8} {'worst':>8} {'lost':>5}")
    for one, took in zip(series, results):
        print(f"  {one.kind.__name__:<12} {SIDES[one.side]:<8} {spread(took)}")
    sys.stdout.flush()


# --- rest ---


def usage(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        switches += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text()).group(1))
    memory = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), switches, memory


def rest(servers, program, seconds):
    home = Account()
    home.config.unlink()
    home.config.mkdir(mode=0o700)
    for number in range(3):
        user = f"rest{number}"
        for server in servers:
            with server.connect(user) as client:
                client.subscribe("INBOX")
        with servers[0].connect(user) as client:
            client.pipeline([("CREATE", f'"Box {i}"') for i in range(99)])
            client.pipeline([("SUBSCRIBE", f'"Box {i}"') for i in range(99)])
            client.append("INBOX", *(simple(f"message {i}") for i in range(100)))
        text = f"database = {user}.db\n"
        for side, server in zip(SIDES, servers):
            text += f"\n[{side}]\n" + "".join(f"{k} = {v}\n" for k, v in server.settings(user, "imap").items())
        (home.config / f"{user}.conf").write_text(text)
        (home.config / f"{user}.conf").chmod(0o600)
    running = home.start(program=program)
    try:
        if wait_until(lambda: running.err.count("mailboxes changed") >= 3, 120) is None:
            raise RuntimeError(running.err)
        time.sleep(5)
        before = usage(running.pid)
        time.sleep(seconds)
        after = usage(running.pid)
        print(f"\nat rest for {seconds} s, 3 accounts of 100 mailboxes: processor {after[0] - before[0]:.2f} s "
              f"({(after[0] - before[0]) / seconds * 100:.3f} %), wake-ups {after[1] - before[1]}, "
              f"memory {after[2] / 1024:.1f} MiB", flush=True)  # fmt: skip
    finally:
        running.kill(15)
        running.wait(20)
        home.close()


# --- recovery ---


def restart(servers, rounds):
    program = Ours(servers, "restart")
    took = []
    for away in (1, 5, 20)[:rounds]:
        time.sleep(12)  # so that this is an outage, and not the same one
        servers[1].stop()
        time.sleep(away)
        servers[1].start()
        with servers[1].connect("restart") as client:
            client.append("INBOX", simple(f"after {time.monotonic_ns()}"))
        with servers[0].connect("restart") as client:
            client.select("INBOX")
            count = len(took) + 1
            took.append((away, wait_until(lambda: len(client.uids()) >= count, 120)))
    program.stop()
    for away, seconds in took:
        print(f"a server that was away for {away} s: {told(seconds)} after it was back", flush=True)


def told(seconds):
    return "nothing came within two minutes" if seconds is None else f"in sync {seconds:.1f} s"


def cut(servers, rounds):
    """In a network namespace of our own the loopback device goes down and up again."""
    program = Ours(servers, "cut")
    delivery = Client.tunnel(servers[1].tunnel("cut"))
    reader = Client.tunnel(servers[0].tunnel("cut"))
    reader.select("INBOX")
    took = []
    for away in (5, 30)[:rounds]:
        time.sleep(12)
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
        time.sleep(away / 2)
        delivery.append("INBOX", simple(f"cut {time.monotonic_ns()}"))
        time.sleep(away / 2)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        count = len(took) + 1
        took.append((away, wait_until(lambda: len(reader.uids()) >= count, 180)))
    for client in (delivery, reader):
        client.close()
    program.stop()
    for away, seconds in took:
        print(f"a network that was cut for {away} s, and mail came meanwhile: {told(seconds)} after it was back",
              flush=True)  # fmt: skip


def in_namespace():
    """Again, in a network namespace with a loopback device."""
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, "-B",
                          "-m", "speed.latency", *sys.argv[1:], "--in-namespace"])  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="tests/latency", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="changes, rest, recovery; all by default")
    parser.add_argument("--count", type=int, default=100, help="changes of each kind (100)")
    parser.add_argument("--patience", type=float, default=90, help="seconds until a change is lost (90)")
    parser.add_argument("--seconds", type=int, default=600, help="of rest (600)")
    parser.add_argument("--rounds", type=int, default=3, help="of recovery (3)")
    parser.add_argument("--program", metavar="FILE", help="another imapsync than a release build of this source")
    parser.add_argument("--other-count", type=int, default=2,
                        help="the same for interimap, which may take a minute for each; 0: none (2)")  # fmt: skip
    parser.add_argument("--in-namespace", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    parts = options.parts or ["changes", "rest", "recovery"]
    options.program = options.program or str(programs.release_build() / "service" / "imapsync")
    Ours.program = options.program
    if "recovery" in parts and os.geteuid() == 0 and not options.in_namespace:
        in_namespace()
    servers = [Dovecot("maildir").start(), Dovecot("mdbox").start()]
    try:
        if "changes" in parts:
            for cls, count in ((Ours, options.count), (InterIMAP, options.other_count)):
                if count > 0:
                    changes(cls, servers, count, options.patience)
        if "rest" in parts:
            rest(servers, options.program, options.seconds)
        if "recovery" in parts:
            restart(servers, options.rounds)
            if options.in_namespace:
                cut(servers, options.rounds)
    finally:
        for server in servers:
            server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
