# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the named tests of one class in a process of their own; one JSON line for each on file
descriptor 3."""

import faulthandler
import json
import os
import signal
import sys
import time
import unittest


class _Result(unittest.TestResult):
    def __init__(self, out, names):
        super().__init__()
        self._out, self._names, self._start, self._details, self._reason = out, names, {}, {}, {}
        self._said, self._whole = set(), None

    def _say(self, name, result, detail=""):
        name = name if name in self._names or len(self._names) > 1 else self._names[0]
        seconds = time.monotonic() - self._start.get(name, time.monotonic())
        self._said.add(name)
        self._out.write(json.dumps({"id": name, "result": result, "detail": detail, "seconds": seconds}) + "\n")
        self._out.flush()

    def finish(self):
        """What befell the whole class befell each test that did not run."""
        if self._whole:
            for name in self._names:
                if name not in self._said:
                    self._say(name, *self._whole)
                    self._whole = (self._whole[0], "as above, before any test of this class")

    def startTest(self, test):
        super().startTest(test)
        self._start[test.id()] = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        name = test.id()
        if name in self._details:
            self._say(name, "failed", "\n".join(self._details[name]))
        elif name in self._reason:
            self._say(name, "skipped", self._reason[name])
        else:
            self._say(name, "passed")

    def _failure(self, test, error):
        text = self._exc_info_to_string(error, test)
        if test.id() in self._start:
            self._details.setdefault(test.id(), []).append(text)
        else:  # setUpClass or its cleanup
            self._whole = ("failed", text)

    def addError(self, test, err):
        self._failure(test, err)

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._details.setdefault(test.id(), []).append(
                f"in {subtest._subDescription()}:\n{self._exc_info_to_string(err, subtest)}"
            )

    def addSkip(self, test, reason):
        if test.id() in self._start:
            self._reason[test.id()] = reason
        else:
            self._whole = ("skipped", reason)

    def addUnexpectedSuccess(self, test):
        self._details.setdefault(test.id(), []).append("expected to fail, and passed")


def main():
    faulthandler.enable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers and folders go, too
    names = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    with os.fdopen(3, "w") as out:
        result = _Result(out, names)
        try:
            suite.run(result)
        except KeyboardInterrupt:
            sys.exit(130)
        result.finish()


if __name__ == "__main__":
    main()
