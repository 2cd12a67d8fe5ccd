# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a new user, as the README prints it."""

import subprocess
import unittest

from harness import place


class FirstRun(unittest.TestCase):
    cost, timeout = 40, 1800

    def test_from_nothing_to_mail(self):
        "tests/first-run: every command of the README, from the source to mail and a call on the bus"
        done = subprocess.run([place.TESTS / "first-run"], capture_output=True, text=True, timeout=1700)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-3000:])
        self.assertIn("New mail at the provider is in the store", done.stdout)
