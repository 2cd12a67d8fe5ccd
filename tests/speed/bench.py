# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/bench: this build beside interimap, mbsync and the limit (what the servers themselves take).

Every program works on its own copy of the same stores, all in turn, again and again; after each
measured run the two servers are compared completely. The first round goes through counting proxies
and is not timed. Only ratios within one run of this command mean something."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time

from harness import compare, place
from harness.dovecot import Dovecot

from . import million, programs
from .picture import draw
from .scenarios import scenarios


class Wrong(Exception):
    pass


def snapshot(server, user, step, adds=None):
    """compare.snapshot(), @step messages at a time, without the header that matches @adds."""
    found = {}
    with server.connect(user) as client:
        for name, mailbox in client.list(status="MESSAGES").items():
            records = []
            if mailbox.selectable and mailbox.status and mailbox.status["MESSAGES"]:
                client.select(name, readonly=True)
                uids = client.uids()
                for first in range(0, len(uids), step):
                    for uid, item in client.fetch(uids[first : first + step]).items():
                        if adds:
                            item["BODY[]"] = adds.sub(b"", item["BODY[]"], count=1)
                        records.append(compare.record(uid, item))
            found[compare.levels(name, client.delimiter)] = records
    return compare.Snapshot(found, set())


class Bench:
    def __init__(self, options):
        self.options = options
        if options.program:
            path, program = None, options.program
        else:
            path = programs.release_build()
            program = str(path / "service" / "imapsync")
        if options.tools:
            self.tools = {n: f"{options.tools}/speed-{n}" for n in ("limit", "measure", "proxy")}
        else:
            path = path or programs.release_build()
            self.tools = programs.tools(path)
            subprocess.run(["ninja", "-C", path, *(f"tests/speed/speed-{n}" for n in self.tools)], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
        everyone = [programs.Ours(program), programs.InterIMAP(), programs.Mbsync(), programs.OfflineIMAP(),
                    programs.Dsync(), programs.Limit(self.tools["limit"])]
        self.programs = [p for p in everyone if p.takes_part and p.name in options.programs]
        self.ours, self.limit = everyone[0], everyone[-1]
        self.folder = programs.folder()
        self.servers = [Dovecot("mdbox").start() for _ in range(2)]
        self.results = {}

    def close(self):
        for server in self.servers:
            server.close()
        place.remove(self.folder)

    # Stores: one user for each scenario; what he has is put back before each run

    def _mail(self, side, user):
        return self.servers[side].dir / "mail" / user

    def _kept(self, key, part):
        return self.folder / f"kept-{key}-{part}"

    def _put_back(self, template, side, user):
        mail = self._mail(side, user)
        if mail.exists():
            gone = mail.with_name(f"{user}.gone")
            mail.rename(gone)
            shutil.rmtree(gone)
        if template is None:
            self.servers[side].home(user)
            return
        subprocess.run(["cp", "-a", template, mail], check=True)

    def _keep(self, key, program, user):
        for side in (0, 1):
            subprocess.run(["cp", "-a", self._mail(side, user), self._kept(key, f"{program}-{side}")], check=True)

    def _sides(self, user, ports, tls):
        return [programs.Side(s, user, p, tls) for s, p in zip(self.servers, ports)]

    def _ports(self, tls):
        return [s.tls_port if tls else s.port for s in self.servers]

    def prepare(self, key, scenario):
        """The state that each program starts from."""
        user = key
        origin = scenario.origin if scenario.origin is not None else 1
        for side in (0, 1):
            self.servers[side].home(user)
        with self.servers[origin].connect(user) as client:
            scenario.fill(client)
        with self.servers[1 - origin].connect(user) as client:
            client.subscribe("INBOX")
        if scenario.origin is not None:
            self._keep(key, "", user)
            scenario.digest = snapshot(self.servers[origin], user, self._step(scenario))
            return
        self._keep(key, "first", user)
        for program in self.programs:
            if program is self.limit:
                continue
            for side in (0, 1):
                self._put_back(self._kept(key, f"first-{side}"), side, user)
            folder = self.state(key, program, fresh=True)
            sides = self._sides(user, self._ports(scenario.tls), scenario.tls)
            for _ in range(2):  # the second has nothing to do
                self._run(program, folder, sides, scenario)
            clients = [s.connect(user) for s in self.servers]
            scenario.change(clients)
            for client in clients:
                client.logout()
            program.script = scenario.script
            self._keep(key, program.name, user)
            subprocess.run(["cp", "-a", folder, self._kept(key, f"{program.name}-state")], check=True)

    def state(self, key, program, fresh=False):
        """The program's folder, as it was."""
        folder = self.folder / f"state-{program.name}"
        shutil.rmtree(folder, ignore_errors=True)
        kept = self._kept(key, f"{program.name}-state")
        if kept.exists() and not fresh:
            subprocess.run(["cp", "-a", kept, folder], check=True)
        else:
            folder.mkdir()
        return folder

    def put_back(self, key, scenario, program):
        if scenario.origin is not None:
            # A copy leaves its origin as it is.
            self._put_back(self._kept(key, f"-{1 - scenario.origin}"), 1 - scenario.origin, key)
            return
        whose = self.ours if program is self.limit else program
        for side in (0, 1):
            self._put_back(self._kept(key, f"{whose.name}-{side}"), side, key)
        scenario.script = whose.script

    @staticmethod
    def _step(scenario):
        return 2000 if scenario.bytes < 100 << 20 else 4

    # Running

    def _run(self, program, folder, sides, scenario):
        program.prepare(folder, sides)
        report = self.folder / "report"
        command = [self.tools["measure"], report, *program.command(folder, sides, scenario)]
        with open(self.folder / "said", "wb+") as said:
            process = place.spawn(command, env=program.environment(folder), cwd=folder, stdout=said, stderr=said)
            try:
                process.wait(600)
            except subprocess.TimeoutExpired:
                place.stop(process)
                raise Wrong(f"{program.name} took more than 600 s") from None
            said.seek(0)
            text = said.read()[-2000:].decode("utf-8", "replace")
        result = json.loads(report.read_text())
        if result["status"]:
            raise Wrong(f"{program.name} ended with status {result['status']}: {text}")
        return {"wall": result["wall"], "cpu": result["user"] + result["system"], "MiB": result["kib"] / 1024}

    def _proxy(self, target, milliseconds):
        port = place.free_port()
        process = place.spawn([self.tools["proxy"], port, target, milliseconds], stdout=subprocess.PIPE)
        process.stdout.readline()
        return port, process

    def measure(self, key, scenario, program, counting):
        """One run, from the same start as ever, and the comparison of both servers after it."""
        self.put_back(key, scenario, program)
        folder = self.state(key, program)
        ports, proxies = self._ports(scenario.tls), {}
        for side, delay in ((0, 0), (1, scenario.rtt / 2)):
            if counting or delay:
                ports[side], proxies[side] = self._proxy(ports[side], delay)
        try:
            result = self._run(program, folder, self._sides(key, ports, scenario.tls), scenario)
        finally:
            for process in proxies.values():
                process.terminate()
        for side, process in proxies.items():
            counts = json.loads(process.stdout.read())
            process.wait()
            result |= {f"{what}-{side}": number for what, number in counts.items()}
        if program is not self.limit or scenario.whole:
            self.check(key, scenario, program)
        return result

    def check(self, key, scenario, program):
        step = self._step(scenario)
        if scenario.origin is not None:
            left, right = scenario.digest, snapshot(self.servers[1 - scenario.origin], key, step, program.adds)
        else:
            left, right = (snapshot(s, key, step, program.adds) for s in self.servers)
        if lines := compare.differences(left, right, subscriptions=False):
            raise Wrong(f"{scenario.title}: after {program.name} the servers differ: {compare.report(lines, 5)}")

    def run(self, key, scenario):
        start = time.monotonic()
        self.prepare(key, scenario)
        runs = {p.name: [] for p in self.programs}
        counts = {}
        wrong = {}
        for number in range(self.options.repeat + 1):
            # Another order each time, so that none always follows the same one.
            turn = number % len(self.programs)
            for program in self.programs[turn:] + self.programs[:turn]:
                if program.name in wrong:
                    continue
                try:
                    result = self.measure(key, scenario, program, number == 0)
                except Wrong as error:
                    wrong[program.name] = str(error)
                    continue
                if number == 0:
                    counts[program.name] = result
                else:
                    runs[program.name].append(result)
        for side in (0, 1):
            self.servers[side].forget(key)
        for path in self.folder.glob(f"kept-{key}-*"):
            shutil.rmtree(path)
        self.results[key] = self.summary(scenario, runs, counts, wrong)
        self.tell(key, time.monotonic() - start)

    # Telling

    def summary(self, scenario, runs, counts, wrong):
        rows = {}
        for name, results in runs.items():
            row = {"wrong": wrong[name]} if name in wrong else {}
            if results and name not in wrong:
                for what in ("wall", "cpu", "MiB"):
                    values = [r[what] for r in results]
                    row[what] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
                row["counts"] = {k: v for k, v in counts[name].items() if "-" in k}
            rows[name] = row
        ours, bounds = rows.get("imapsync", {}), {}
        for what, most in scenario.bounds.items():
            measure, _, than = what.partition("/")
            if measure not in ours or (than and measure not in rows.get(than, {})):
                continue
            value = ours[measure]["median"] / (rows[than][measure]["median"] if than else 1)
            bounds[what] = {"value": value, "most": most, "reached": value <= most}
        return {"title": scenario.title, "rtt": scenario.rtt, "programs": rows, "bounds": bounds}

    def tell(self, key, seconds):
        result = self.results[key]
        print(f"\n{result['title']}  [{key}, {seconds:.0f} s]")
        print(f"  {'':10} {'wall s':>8} {'min':>8} {'max':>8} {'CPU s':>7} {'MiB':>6}  round trips  bytes up/down (local; remote)")
        for name, row in result["programs"].items():
            if "wrong" in row:
                print(f"  {name:10} WRONG: {row['wrong']}")
            elif "wall" in row:
                c = row["counts"]
                print(f"  {name:10} {row['wall']['median']:8.3f} {row['wall']['min']:8.3f} {row['wall']['max']:8.3f} "
                      f"{row['cpu']['median']:7.3f} {row['MiB']['median']:6.1f}  {c['round_trips-0']:5}+{c['round_trips-1']:<5}  "
                      f"{c['up-0']}/{c['down-0']}; {c['up-1']}/{c['down-1']}")  # fmt: skip
        for what, b in result["bounds"].items():
            print(f"  {what:15} {b['value']:7.2f}, to reach {b['most']:g}: {'reached' if b['reached'] else 'NOT REACHED'}")
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="show the scenarios")
    parser.add_argument("--quick", action="store_true", help="everything in small, once: does it work, is all of it right?")
    parser.add_argument("--repeat", type=int, help="measured runs of each program (5)")
    parser.add_argument("--programs", default="imapsync,interimap,mbsync,limit",
                        help="which, separated by commas; there are offlineimap and dsync too")
    parser.add_argument("--program", help="another imapsync than the one built here")
    parser.add_argument("--tools", help="the folder of the measuring tools, where they are built already")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--picture", metavar="FILE.svg", help="draw them there, with gnuplot")
    parser.add_argument("--million", metavar="N", type=int, nargs="?", const=1_000_000,
                        help="instead: one mailbox of so many messages (a million; takes half an hour)")  # fmt: skip
    options = parser.parse_args()
    if options.million:
        return million.run(options.million, options.program)
    options.programs = options.programs.split(",")
    options.repeat = options.repeat or (1 if options.quick else 5)
    known = scenarios(options.quick)
    if options.list:
        for key, scenario in known.items():
            print(f"{key}: {scenario.title}")
        return 0
    if unknown := [k for k in options.scenarios if k not in known]:
        parser.error(f"no scenario is called {unknown[0]}; there are {', '.join(known)}")
    bench = Bench(options)
    try:
        for key in options.scenarios or known:
            bench.run(key, known[key])
    finally:
        bench.close()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"quick": options.quick, "repeat": options.repeat, "scenarios": bench.results}, file, indent=1)
    if options.picture:
        draw(bench.results, options.picture)
    programs_ = [row for r in bench.results.values() for row in r["programs"].values()]
    bounds = [b for r in bench.results.values() for b in r["bounds"].values()]
    print(f"\n{sum(b['reached'] for b in bounds)} of {len(bounds)} bounds reached")
    return 1 if any("wrong" in row for r in bench.results.values() for n, row in r["programs"].items()
                    if n in ("imapsync", "limit")) or not programs_ else 0  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
