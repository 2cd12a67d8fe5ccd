# SPDX-License-Identifier: GPL-3.0-or-later
"""The applet on a real desktop: Xfce's panel and dunst under Xvfb."""

import time
import unittest

from harness import place
from harness.applet import Applet
from harness.desktop import Xfce
from harness.fakes import FakeService


class OnXfce(unittest.TestCase):
    builds = ("sanitized",)
    cost = 20

    def setUp(self):
        self.desktop = Xfce()
        self.addCleanup(self.desktop.close)
        self.desktop.start_dunst()
        self.desktop.start_panel()
        self.service = FakeService(self.desktop.bus)
        self.addCleanup(self.service.close)
        self.work = self.service.add("work", LastSync=int(time.time()))
        self.service.start()
        self.applet = Applet(self.desktop.bus, self.desktop.env)
        self.addCleanup(self.applet.stop)
        self.applet.start(self.desktop.peer)
        place.wait_until(self.desktop.has_item, 60, "the item in the panel")
        time.sleep(1)

    def wait_calls(self, *expected):
        try:
            place.wait_until(lambda: [c[1:] for c in self.service.commands()] == list(expected), 15, "the calls")
            return True
        except TimeoutError:
            return False

    def choose(self, *keys):
        """Opens the menu with a click on the icon, and types the items' letters."""
        self.desktop.open_menu()
        self.desktop.screen.key(*keys)

    def choose_until(self, key, call):
        """On a busy machine a letter can come before the menu is there: then it goes nowhere."""
        for _ in range(4):
            self.choose(key)
            if self.wait_calls(call):
                return
            self.assertEqual(self.service.commands(), [])
            self.desktop.screen.key("Escape")
        self.fail(f"four times {key} in the menu, and no {call}")

    def test_click_and_choose(self):
        "a click on the icon opens the menu; Sync now in it synchronizes; so it is after the panel's restart"
        for _ in range(2):
            self.choose_until("s", ("Sync", ()))
            self.service.calls.clear()
            self.desktop.stop_panel()
            self.desktop.start_panel()
            place.wait_until(self.desktop.has_item, 60, "the item in the new panel")
            time.sleep(1)

    def test_a_conflict_on_the_screen(self):
        "dunst shows the conflict; its button resolves it; resolved, the notification is gone"
        self.service.conflict(self.work, 5, "mass-deletion", "Archive & <more>", gone_on="remote", count=450)
        place.wait_until(lambda: self.desktop.displayed() == 1, 60, "a notification")
        self.desktop.press("Bring them back")
        self.assertTrue(self.wait_calls(("Resolve", (5, "restore"))), self.service.commands())
        self.service.resolved(self.work, 5)
        place.wait_until(lambda: self.desktop.displayed() == 0, 60, "no notification")
        summary, body = self.desktop.notifications()[0]
        self.assertEqual(summary, "work: Many messages vanished")
        self.assertIn("“Archive &amp; &lt;more&gt;”", body)

    def test_dunst_restarts(self):
        "a new daemon shows what still needs attention"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        place.wait_until(lambda: self.desktop.displayed() == 1, 60, "a notification")
        place.stop(self.desktop.daemon)
        self.desktop.start_dunst()
        place.wait_until(lambda: self.desktop.displayed() == 1, 60, "the notification again")
