# SPDX-License-Identifier: GPL-3.0-or-later
"""How the applet lives: one instance, restarts of all around it, memory, and rest."""

import signal
import time
from pathlib import Path

from harness import place
from harness.applet import NAME, AppletCase
from harness.bus import Peer
from harness.fakes import FakePanel, FakeService


class Life(AppletCase):
    def test_a_second_instance_ends_at_once(self):
        "the second one exits with 0 and leaves the first alone"
        second = self.make_applet().launch()
        self.assertEqual(second.wait(60), 0)
        self.assertIsNone(self.applet.process.poll())
        self.assertTrue(self.applet.menu().children)

    def test_the_service_comes_and_goes(self):
        "accounts go with the service and come back with it"
        work = self.service.add("work")
        for _ in range(3):
            self.eventually("All mail in sync", self.applet.first_line)
            self.service.stop()
            self.eventually("imapsync is not running", self.applet.first_line)
            self.assertFalse(self.applet.menu().has("work"))
            self.service.start()
        self.eventually("All mail in sync", self.applet.first_line)
        self.service.set(work, Status="paused")
        self.eventually("Paused", self.applet.first_line)

    def test_accounts_come_and_go(self):
        "no account, two, one: the menu follows"
        self.eventually("No account is configured", self.applet.first_line)
        self.service.add("work")
        private = self.service.add("private")
        self.eventually(True, lambda: self.applet.menu().has("private") and self.applet.menu().has("work"))
        self.service.remove(private)
        self.eventually(False, lambda: self.applet.menu().has("private"))

    def test_the_bus_restarts(self):
        "after a restart of the session's bus everything is there again"
        self.service.add("work")
        self.eventually("All mail in sync", self.applet.first_line)
        self.bus.stop()
        time.sleep(0.5)
        self.assertIsNone(self.applet.process.poll(), "the applet does not end with the bus")
        self.bus.start()
        peer, service, panel = Peer(self.bus), FakeService(self.bus), FakePanel(self.bus)
        for one in (peer, service, panel):
            self.addCleanup(one.close)
        service.start().add("other")
        panel.start()
        peer.wait_owner(NAME)
        self.applet.peer = peer
        self.eventually(True, lambda: self.applet.menu().has("other"))
        self.eventually(1, lambda: len(panel.items))

    def test_signals_end_it(self):
        "SIGTERM, SIGINT and SIGHUP end it within a second, with status 0"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            applet = self.applet if number == signal.SIGTERM else self.make_applet().start(self.peer)
            applet.process.send_signal(number)
            self.assertEqual(applet.process.wait(60), 0)
            place.wait_until(lambda: not self.peer.owner(NAME), 60, "the name is free")

    def test_garbage_from_a_service(self):
        "values of a wrong type are left out, unknown ones kept apart"
        from gi.repository import GLib

        work = self.service.add("work")
        self.eventually("All mail in sync", self.applet.first_line)
        wrong = GLib.Variant("(sa{sv}as)", ("org.imapsync.Sync1.Account", {
            "Status": GLib.Variant("u", 7), "Name": GLib.Variant("i", 1), "LastSync": GLib.Variant("s", "x"),
            "Progress": GLib.Variant("t", 1), "Other": GLib.Variant("s", "x"),
        }, []))  # fmt: skip
        self.service.peer.emit(work, "org.freedesktop.DBus.Properties", "PropertiesChanged", wrong)
        self.service.peer.emit(work, "org.freedesktop.DBus.Properties", "PropertiesChanged", GLib.Variant("(s)", ("x",)))
        self.service.peer.emit(work, "org.imapsync.Sync1.Account", "SyncFinished", GLib.Variant("(s)", ("x",)))
        self.service.set(work, LastSync=2**63, PausedUntil=2**64 - 1, Status="paused", Progress=2**32 - 1)
        self.eventually(True, lambda: self.applet.first_line().startswith("Paused until"))
        self.service.conflict(work, 1, "from the future", "Box")
        self.eventually(True, lambda: self.applet.menu().has("1 thing to look at", "Box", "Got it"))


class NoBus(AppletCase):
    def test_without_a_bus_it_ends(self):
        "no session bus: one sentence, exit status 1"
        applet = self.make_applet()
        applet.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
        self.assertEqual(applet.launch().wait(60), 1)
        self.assertIn("there is no session bus", applet.err)


class Rest(AppletCase):
    builds = ("gcc",)
    plain = True

    def wakeups(self):
        total = 0
        for path in Path(f"/proc/{self.applet.process.pid}/task").iterdir():
            text = (path / "status").read_text()
            total += sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)
        return total

    def test_it_sleeps_when_nothing_changes(self):
        "no wake-up in ten seconds without news, and less than 15 MiB"
        panel = FakePanel(self.bus).start()
        self.addCleanup(panel.close)
        for name in ("work", "private", "third"):
            self.service.add(name)
        self.eventually(True, lambda: self.applet.menu().has("third"))
        self.applet.icon(), self.applet.property("IconPixmap")
        for _ in range(6):  # the panel is looked at, and GDBus's threads start
            before = self.wakeups()
            time.sleep(10)
            if self.wakeups() - before <= 1:
                break
        else:
            self.fail("wake-ups in each of six times ten seconds")
        rollup = Path(f"/proc/{self.applet.process.pid}/smaps_rollup").read_text()
        memory = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
        self.assertLess(memory["Rss"], 15 * 1024, "KiB, with all libraries")
