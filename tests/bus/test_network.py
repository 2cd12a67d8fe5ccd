# SPDX-License-Identifier: GPL-3.0-or-later
"""Sleep as logind announces it, and the network as NetworkManager sees it: both are python3-dbusmock's."""

import signal
import time

from harness import place
from harness.bus import Bus
from harness.service import BusCase, Client, account_path

LOGIND, LOGIND_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
NM, NM_PATH = "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"
MOCK = "org.freedesktop.DBus.Mock"
ROUTED, HERE = {"host": "imap.example.invalid"}, {"host": "127.0.0.1"}


def add_metered(boss):
    """The template has no such property: 0 is unknown."""
    from gi.repository import GLib

    boss.call(NM_PATH, "AddProperty", "(ssv)", NM, "Metered", GLib.Variant("u", 0), iface=MOCK, to=NM)


class SystemBus(BusCase):
    def setUp(self):
        super().setUp()
        self.system = Bus().start()
        self.addCleanup(self.system.close)
        self.boss = Client(self.system.address)
        self.addCleanup(self.boss.close)

    def environment(self, **more):
        return super().environment(DBUS_SYSTEM_BUS_ADDRESS=self.system.address, **more)

    def mock(self, template, name):
        log = open(self.system.dir / f"{template}.log", "w")
        self.addCleanup(log.close)
        process = place.spawn(["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", template], stdout=log,
                              stderr=log, env={"PATH": "/usr/bin:/bin", "DBUS_SYSTEM_BUS_ADDRESS": self.system.address})  # fmt: skip
        self.addCleanup(place.stop, process)
        self.boss.wait_for_name(name)
        return process


class Sleep(SystemBus):
    def setUp(self):
        super().setUp()
        self.logind = self.mock("logind", LOGIND)

    def announce(self, sleeping):
        from gi.repository import GLib

        self.boss.call(LOGIND_PATH, "EmitSignal", "(sssav)", f"{LOGIND}.Manager", "PrepareForSleep", "b",
                       [GLib.Variant("b", sleeping)], iface=MOCK, to=LOGIND)  # fmt: skip

    def test_sleep(self):
        "sleep closes the sessions, waking opens them; each account is told once"
        service = self.start(self.make_home("a", "b"))
        for name in "ab":
            self.peer.wait_for(account_path(name), "Status", "watching")
        self.wait_for_signal_to_be_watched(service)
        for sleeping in (True, True, False, False, True, False):
            self.announce(sleeping)
        self.wait_for_log(service, "sleep 1", count=4)
        self.wait_for_log(service, "sleep 0", count=4)
        self.peer.spin(0.3)
        self.assertEqual(service.err.count("sleep 1"), 4)
        self.peer.wait_for(account_path("a"), "Status", "watching")
        self.announce(True)
        self.peer.wait_for(account_path("a"), "Status", "offline")

    def wait_for_signal_to_be_watched(self, service):
        """The log of the mock has the call for a lock that delays the sleep."""
        path = self.system.dir / "logind.log"
        self.peer.wait(lambda: "Inhibit" in path.read_text() or "sleep" in path.read_text(), 10, "Inhibit()")

    def test_logind_goes_away(self):
        "the end of logind is no end of anything"
        service = self.start(self.make_home("a"))
        self.wait_for_signal_to_be_watched(service)
        place.stop(self.logind)
        self.logind = self.mock("logind", LOGIND)
        self.peer.spin(0.5)
        self.announce(True)
        self.wait_for_log(service, "sleep 1")

    def test_the_system_bus_goes_away(self):
        "nor is the end of the system bus"
        service = self.start(self.make_home("a"))
        self.wait_for_signal_to_be_watched(service)
        self.system.stop()
        time.sleep(0.5)
        self.assertIsNone(service.process.poll(), service.err)
        service.kill(signal.SIGTERM)
        self.assertEqual(service.wait(60).status, 0)


class Network(SystemBus):
    CONNECTED, LOST = (70, 4), (20, 1)

    def setUp(self):
        super().setUp()
        self.mock("networkmanager", NM)
        add_metered(self.boss)
        home = self.make_home()
        self.write(home, "far", remote=ROUTED)
        self.write(home, "here", remote=HERE)
        self.set(*self.CONNECTED)
        self.service = self.start(home)
        self.wait_for_log(self.service, "far: network full")

    def set(self, state, connectivity, metered=2):
        from gi.repository import GLib

        values = {"State": GLib.Variant("u", state), "Connectivity": GLib.Variant("u", connectivity),
                  "Metered": GLib.Variant("u", metered)}  # fmt: skip
        self.boss.call(NM_PATH, "UpdateProperties", "(sa{sv})", NM, values, iface=MOCK, to=NM)

    def test_network_lost_and_found(self):
        "an account that needs the network is told when it goes and comes; one on this machine goes on"
        self.set(*self.LOST)
        self.wait_for_log(self.service, "far: network none")
        begun = self.service.err.count("far: network full")
        self.set(*self.CONNECTED)
        self.wait_for_log(self.service, "far: network full", count=begun + 1)
        self.assertNotIn("here: network none", self.service.err)

    def test_a_captive_portal_is_no_network(self):
        "behind a captive portal nothing is tried"
        self.set(70, 2)
        self.wait_for_log(self.service, "far: network portal")
        self.assertNotIn("here: network portal", self.service.err)

    def test_a_metered_network(self):
        "what a network costs is told to who needs it"
        self.set(*self.CONNECTED, metered=1)
        self.wait_for_log(self.service, "far: network metered")
        self.set(*self.CONNECTED, metered=4)
        self.wait_for_log(self.service, "far: network full", count=2)
        self.assertNotIn("here: network metered", self.service.err)

    def test_bursts_are_one(self):
        "many changes within a second are one"
        self.peer.spin(1.5)
        before = self.service.err.count("far: network")
        begun = time.monotonic()
        for _ in range(10):
            self.set(*self.LOST)
            self.set(*self.CONNECTED)
        seconds = time.monotonic() - begun
        self.peer.spin(2.5)
        self.assertLessEqual(self.service.err.count("far: network") - before, 3 + 2 * seconds)
