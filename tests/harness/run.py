# SPDX-License-Identifier: GPL-3.0-or-later
"""The test command: builds, runs the unit tests of meson and every test_*.py below tests/, counts.

Prints one line for each test, for a failed one what was expected, what came and how to run it alone,
and last `N passed, N failed, N skipped`. Exit status 1 when something failed, or was skipped in CI."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from dataclasses import dataclass, field

from . import build, place

BUILDS = {
    "build.gcc": ("gcc", "it compiles with gcc without a warning"),
    "build.sanitized": ("sanitized", "it compiles with clang and the sanitizers without a warning"),
}


@dataclass
class Outcome:
    name: str
    result: str  # passed, failed, skipped
    detail: str = ""
    seconds: float = 0
    title: str = ""


@dataclass
class Job:
    """One process: the tests of a class, or all unit tests."""

    names: list
    command: list
    env: dict
    cost: float = 1
    timeout: float = 900
    is_meson: bool = False
    process: subprocess.Popen = None
    started: float = 0
    report: object = None
    output: object = None
    titles: dict = field(default_factory=dict)


class Runner:
    def __init__(self, options):
        self.options = options
        self.outcomes = []
        self.broken = {}  # build kind: why
        self.color = sys.stdout.isatty()

    # What there is

    def wanted(self, name):
        return not self.options.names or any(part in name for part in self.options.names)

    def python_tests(self):
        """{class: [(id, title)]} of all test_*.py below tests/, in the order of the files."""
        found = {}
        for path in sorted(place.TESTS.glob("*/test_*.py")):
            module = ".".join(path.relative_to(place.TESTS).with_suffix("").parts)
            for test in _flatten(unittest.defaultTestLoader.loadTestsFromName(module)):
                name = test.id()
                if isinstance(test, unittest.loader._FailedTest):
                    name = module
                if self.wanted(name):
                    found.setdefault(type(test), []).append((name, test.shortDescription() or ""))
        return found

    def meson_tests(self):
        """Names ("unit.uid-set") of meson's tests; configures the build where that was not done."""
        path = build.setup("sanitized")
        listed = json.loads(subprocess.run(["meson", "introspect", "--tests", str(path)], check=True,
                                           capture_output=True, text=True).stdout)  # fmt: skip
        names = {}
        for test in listed:
            suite = (test["suite"] or ["meson"])[0].rpartition(":")[2]
            names[f"{suite}.{test['name']}"] = test["name"]
        return {full: name for full, name in names.items() if self.wanted(full)}

    # Telling

    def tell(self, outcome):
        self.outcomes.append(outcome)
        word = {"passed": "ok", "failed": "not ok", "skipped": "skip"}[outcome.result]
        if self.color:
            word = {"ok": "\033[32mok\033[0m", "not ok": "\033[31mnot ok\033[0m"}.get(word, word)
        title = f": {outcome.title}" if outcome.title else ""
        print(f"{word} {len(self.outcomes)} {outcome.name}{title} ({outcome.seconds:.1f} s)", flush=True)
        if outcome.result == "skipped":
            print(f"    skipped: {outcome.detail}", flush=True)
        if outcome.result == "failed":
            print("".join(f"    {line}\n" for line in outcome.detail.rstrip().splitlines()), end="")
            print(f"    run it alone: tests/run {outcome.name}", flush=True)

    # Running

    def run(self):
        if self.options.list:
            return self.list()
        python = self.python_tests()
        needs = set() if not self.options.names else self._needed_builds(python)
        for name, (kind, title) in BUILDS.items():
            if not self.options.names or self.wanted(name) or kind in needs:
                self.compile(name, kind, title)
        jobs = self.jobs(python)
        try:
            self.work(jobs)
        finally:
            for job in jobs:
                place.stop(job.process)
        counts = {r: sum(o.result == r for o in self.outcomes) for r in ("passed", "failed", "skipped")}
        failed = [o.name for o in self.outcomes if o.result == "failed"]
        if failed and len(self.outcomes) > 10:
            print("\nFailed:\n" + "\n".join(f"  tests/run {name}" for name in failed) + "\n")
        if not self.outcomes:
            print(f"no test is called {' or '.join(self.options.names)}; tests/run --list shows all")
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
        forbidden = counts["skipped"] and os.environ.get("CI") == "true"
        return 1 if counts["failed"] or forbidden or not self.outcomes else 0

    def list(self):
        for name, (_, title) in BUILDS.items():
            if self.wanted(name):
                print(f"{name}: {title}")
        try:
            for name in self.meson_tests():
                print(name)
        except build.BuildError as error:
            print(f"(meson's tests: {error})", file=sys.stderr)
        for tests in self.python_tests().values():
            for name, title in tests:
                print(f"{name}: {title}" if title else name)
        return 0

    @staticmethod
    def builds_of(cls):
        """The builds that the tests of @cls need; a class may say so in `builds`."""
        if hasattr(cls, "builds"):
            return set(cls.builds)
        if not cls.__module__.startswith("server") or "IMAPSYNC" in os.environ:
            return set()
        return {"gcc"} if getattr(cls, "plain", False) else {"gcc", "sanitized"}

    def _needed_builds(self, python):
        needs = set()
        for cls in python:
            needs |= self.builds_of(cls)
        try:
            if self.meson_tests():
                needs.add("sanitized")
        except build.BuildError:
            needs.add("sanitized")
        return needs

    def compile(self, name, kind, title):
        start = time.monotonic()
        try:
            build.compile(kind)
            outcome = Outcome(name, "passed")
        except (build.BuildError, OSError) as error:
            self.broken[kind] = str(error)
            outcome = Outcome(name, "failed", str(error))
        outcome.seconds, outcome.title = time.monotonic() - start, title
        self.tell(outcome)

    def environment(self):
        env = {**build.SANITIZER_ENV, "PYTHONPATH": str(place.TESTS), "PYTHONDONTWRITEBYTECODE": "1",
               "IMAPSYNC_BUILD_DIR": str(build.root())}  # fmt: skip
        if "IMAPSYNC" not in os.environ:
            env["IMAPSYNC"] = str(build.program("sanitized"))
            env["IMAPSYNC_PLAIN"] = str(build.program("gcc"))
        if self.options.keep:
            env["IMAPSYNC_KEEP"] = "1"
        return {**os.environ, **env}

    def jobs(self, python):
        env = self.environment()
        jobs = []
        if "sanitized" not in self.broken:
            meson = self.meson_tests()
            if meson:
                command = ["meson", "test", "-C", build.folder("sanitized"), "--no-rebuild", "--num-processes", "2"]
                jobs.append(Job(list(meson), [*map(str, command), *meson.values()], env, cost=50, timeout=1800,
                                is_meson=True))  # fmt: skip
        for cls, tests in python.items():
            names = [name for name, _ in tests]
            if broken := self.builds_of(cls) & self.broken.keys():
                for name, title in tests:
                    self.tell(Outcome(name, "failed", f"not run: no build ({', '.join(sorted(broken))})", title=title))
                continue
            command = [sys.executable, "-B", "-m", "harness.worker", *names]
            jobs.append(Job(names, command, env, getattr(cls, "cost", 1), getattr(cls, "timeout", 900),
                            titles=dict(tests)))  # fmt: skip
        return sorted(jobs, key=lambda job: -job.cost)

    def work(self, jobs):
        waiting, running = list(jobs), []
        scratch = place.folder("run")
        while waiting or running:
            while waiting and len(running) < self.options.jobs:
                job = waiting.pop(0)
                self.start(job, scratch / str(len(waiting)))
                running.append(job)
            time.sleep(0.05)
            for job in list(running):
                late = time.monotonic() - job.started > job.timeout
                if job.process.poll() is not None or late:
                    if late:
                        place.stop(job.process)
                    running.remove(job)
                    self.finish(job, late)

    def start(self, job, path):
        job.report, job.output = open(f"{path}.report", "w+"), open(f"{path}.output", "w+")
        job.started = time.monotonic()

        def prepare(report=job.report.fileno()):
            place.end_with_parent()
            os.dup2(report, 3)
            os.set_inheritable(3, True)  # where it was 3 already, dup2 does nothing

        job.process = subprocess.Popen(job.command, stdin=subprocess.DEVNULL, stdout=job.output, close_fds=False,
                                       stderr=subprocess.STDOUT, env=job.env, preexec_fn=prepare)  # fmt: skip

    def finish(self, job, late):
        for stream in (job.report, job.output):
            stream.seek(0)
        output, report = job.output.read(), job.report.read()
        job.report.close()
        job.output.close()
        outcomes = self.meson_outcomes(job) if job.is_meson else [
            Outcome(e["id"], e["result"], e["detail"], e["seconds"]) for e in map(json.loads, report.splitlines())
        ]  # fmt: skip
        told = set()
        for outcome in outcomes:
            outcome.title = job.titles.get(outcome.name, "")
            if outcome.result == "failed" and output.strip() and not job.is_meson:
                outcome.detail += f"\n--- printed meanwhile ---\n{output[-3000:]}"
            told.add(outcome.name)
            self.tell(outcome)
        for name in job.names:
            if name not in told:
                why = f"not finished after {job.timeout:g} s" if late else (
                    f"the process ended with status {job.process.returncode} before this test")  # fmt: skip
                self.tell(Outcome(name, "failed", f"{why}\n{output[-6000:]}", title=job.titles.get(name, "")))

    def meson_outcomes(self, job):
        words = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}
        by_name = {full.partition(".")[2]: full for full in job.names}
        outcomes = []
        path = build.folder("sanitized") / "meson-logs" / "testlog.json"
        for line in path.read_text().splitlines() if path.exists() else []:
            entry = json.loads(line)
            name = entry["name"].rpartition(" / ")[2].strip()
            if name in by_name:
                detail = f"{entry['result']}\n{entry.get('stdout') or ''}\n{entry.get('stderr') or ''}"[-12000:]
                outcomes.append(Outcome(by_name[name], words.get(entry["result"], "failed"), detail, entry["duration"]))
        return outcomes


def _flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__.split("\n")[0], epilog=(
        "IMAPSYNC=PROGRAM tests another binary; IMAPSYNC_SEED=N other random content; IMAPSYNC_BUILD_DIR=DIR "
        "says where to build; CI=true makes a skipped test a failure."))  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="only tests whose name contains it")
    parser.add_argument("--list", action="store_true", help="show the tests' names and what they prove")
    parser.add_argument("--keep", action="store_true", help="leave the tests' folders in place")
    parser.add_argument("--jobs", type=int, default=min(4, (os.cpu_count() or 1) + 1), help="processes at once")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return Runner(options).run()
    except build.BuildError as error:
        print(error, file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
