# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the fuzz targets of tests/fuzzing with libFuzzer, one after the other, with AddressSanitizer and
UndefinedBehaviorSanitizer. Inputs that reach something new are kept beside the programs, for the next time.
Exit status 1 when something was found; the input is then in a file, and a line says how to run it again."""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import build, place

FUZZING = place.TESTS / "fuzzing"
# Bytes of an input: long enough for every limit that is reached sooner than by a whole mailbox.
LONGEST = {"config": 4096, "mailbox-name": 512, "parser": 4096, "response": 2048, "session": 8192, "uid-set": 512}
# No allocation may be sized by a number from the wire; what takes so long hangs.
LIMITS = ("-malloc_limit_mb=16", "-rss_limit_mb=512", "-timeout=100")
ASAN = "quarantine_size_mb=16:handle_abort=0"


class Run:
    """One target, for some seconds."""

    def __init__(self, name, programs, seconds, seed=None):
        self.name, self.seconds = name, seconds
        self.program = programs / f"fuzz-{name}"
        self.corpus, self.finding = programs / f"corpus-{name}", programs / f"finding-{name}-"
        self.corpus.mkdir(exist_ok=True)
        self.command = [
            self.program, f"-max_total_time={seconds}", f"-max_len={LONGEST[name]}", *LIMITS, "-print_final_stats=1",
            f"-dict={FUZZING / 'dictionaries' / name}", f"-artifact_prefix={self.finding}",
            *([f"-seed={seed}"] if seed is not None else []), self.corpus, FUZZING / "corpus" / name,
        ]  # fmt: skip
        self.output, self.status, self.took = "", None, 0

    def work(self):
        env = {**os.environ, **build.SANITIZER_ENV}
        env["ASAN_OPTIONS"] += ":" + ASAN
        start = time.monotonic()
        with tempfile.TemporaryFile("w+", errors="replace") as out:
            process = place.spawn(self.command, stdout=out, stderr=out, env=env)
            try:
                self.status = process.wait(self.seconds * 2 + 120)
            finally:
                place.stop(process)
            out.seek(0)
            self.output = out.read()
        self.took = time.monotonic() - start
        return self.status == 0

    def _last(self, pattern):
        found = re.findall(pattern, self.output)
        return int(found[-1]) if found else 0

    def figures(self):
        executions = self._last(r"number_of_executed_units: +(\d+)")
        return (f"{self.name}: {self.took:.0f} s, {executions} executions, {self._last(r' cov: ([0-9]+)')} edges and "
                f"{self._last(r' ft: ([0-9]+)')} features covered, {self._last(r' corp: ([0-9]+)')} inputs kept, "
                f"memory {self._last(r'peak_rss_mb: +([0-9]+)')} MiB")  # fmt: skip

    def report(self):
        files = re.findall(r"Test unit written to (\S+)", self.output)
        again = "".join(f"\nrun it again: {self.program} {path}" for path in files)
        return f"{self.name}: found something (status {self.status})\n{self.output[-8000:]}{again}"


def targets():
    return sorted(path.stem.removeprefix("fuzz-") for path in FUZZING.glob("fuzz-*.c"))


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(targets())}")
    parser.add_argument("--minutes", type=float, default=10, help="for each target (10)")
    parser.add_argument("--seconds", type=int, help="the same, for those in a hurry")
    parser.add_argument("--seed", type=int, help="of the fuzzer's random numbers")
    parser.add_argument("--programs", type=Path, help="the folder of programs that are built already")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if unknown := set(options.names) - set(targets()):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(targets())}")
    programs = options.programs
    if programs is None:
        programs = build.compile("sanitized") / "tests" / "fuzzing"
    seconds = options.seconds or max(1, round(options.minutes * 60))
    ok = True
    for name in options.names or targets():
        run = Run(name, programs, seconds, options.seed)
        if run.work():
            print(run.figures(), flush=True)
        else:
            ok = False
            print(run.report(), flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except build.BuildError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
