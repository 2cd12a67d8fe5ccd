# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything real: two Dovecots, the service that the bus starts for the applet, Xfce's panel, dunst."""

import os
import shlex
import signal
import time

from gi.repository import GLib

from harness import imapsync, place
from harness.applet import Applet
from harness.case import ServerCase
from harness.desktop import Xfce

MESSAGE = b"Subject: %s\r\nMessage-ID: <%s@applet.example>\r\nFrom: a@example.org\r\n\r\nBody\r\n"


class WholeDesktop(ServerCase):
    builds = ("sanitized",)
    cost = 30

    def setUp(self):
        super().setUp()
        self.desktop = Xfce()
        self.addCleanup(self.desktop.close)
        env = {**self.account.environment(), "DBUS_SESSION_BUS_ADDRESS": self.desktop.bus.address,
               "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}  # fmt: skip
        starter = self.account.dir / "start"
        words = [shlex.quote(f"{k}={v}") for k, v in env.items()]
        starter.write_text(f"#!/bin/sh\nexec env -i {' '.join(words)} {imapsync.binary()} 2>{self.account.dir}/err\n")
        starter.chmod(0o755)
        self.desktop.bus.activatable("org.imapsync.Sync1", starter)
        self.desktop.peer.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ReloadConfig")
        self.addCleanup(self.end_service)
        self.desktop.start_dunst()
        self.desktop.start_panel()
        self.applet = Applet(self.desktop.bus, self.desktop.env)
        self.addCleanup(self.applet.stop)
        self.applet.start(self.desktop.peer)
        self.wait_line("All mail in sync")
        place.wait_until(self.desktop.has_item, 60, "the item in the panel")
        time.sleep(1)

    def end_service(self):
        """The bus started it, so it is no child of ours."""
        pid = self.desktop.peer.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                                     GLib.Variant("(s)", ("org.imapsync.Sync1",)))  # fmt: skip
        os.kill(pid, signal.SIGTERM)
        place.wait_until(lambda: not self.desktop.peer.owner("org.imapsync.Sync1"), 60, "the service's end")
        said = (self.account.dir / "err").read_text(errors="replace")
        self.assertNotIn("Sanitizer", said)

    def wait_line(self, start, seconds=60):
        try:
            place.wait_until(lambda: self.applet.first_line().startswith(start), seconds, start, 0.1)
        except TimeoutError:
            said = (self.account.dir / "err").read_text(errors="replace")
            self.fail("\n".join([f"expected {start!r}, got:", *self.applet.menu().lines(), said[-3000:]]))

    def choose(self, *keys, until):
        """On a busy machine a letter can come before the menu is there: then it goes nowhere."""
        for _ in range(4):
            self.desktop.open_menu()
            self.desktop.screen.key(*keys)
            try:
                place.wait_until(until, 15, f"what {keys} leads to", 0.3)
                return
            except TimeoutError:
                self.desktop.screen.key("Escape", "Escape")
        self.fail("\n".join([f"four times {keys} in the menu, in vain:", *self.applet.menu().lines()]))

    def shows(self, start):
        return lambda: self.applet.first_line().startswith(start)

    def numbers(self):
        """How many messages each side has."""
        return [sum(sum(c.values()) for c in s.counts().values()) for s in self.snapshots()]

    def eventually(self, numbers):
        place.wait_until(lambda: self.numbers() == numbers, 60, f"{numbers} messages", 0.3)

    def test_a_day_with_the_applet(self):
        "started by the applet; paused, resumed and synchronized by clicks; a conflict is seen in dunst"
        self.choose("p", "Return", until=self.shows("Paused"))  # Pause, Until I resume
        self.remote.append("INBOX", MESSAGE % (b"one", b"1"))
        time.sleep(2)
        self.assertEqual(self.numbers(), [0, 1], "paused is paused")
        self.choose("r", until=self.shows("All mail in sync"))
        self.eventually([1, 1])

        self.desktop.stop_panel()
        self.desktop.start_panel()
        place.wait_until(self.desktop.has_item, 60, "the item in the new panel")
        time.sleep(1)
        self.remote.append("INBOX", MESSAGE % (b"two", b"2"))
        self.choose("s", until=lambda: self.numbers() == [2, 2])

        self.choose("p", "Return", until=self.shows("Paused"))
        for side, flag in ((self.local, r"\Flagged"), (self.remote, r"\Seen")):
            side.select("INBOX")
            side.store("1:*", "+", flag)
        self.choose("r", until=lambda: self.desktop.displayed() == 1)
        self.wait_line("All mail in sync")
        self.applet.choose("1 thing to look at", "INBOX", "Got it")
        place.wait_until(lambda: self.desktop.displayed() == 0, 60, "no notification")
        self.assertTrue(self.desktop.notifications()[0][0].endswith("Marks were changed on both sides"))
        self.assertIdentical()
