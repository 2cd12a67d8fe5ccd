# SPDX-License-Identifier: GPL-3.0-or-later
"""The item for the panel, against a watcher that only pretends."""

import time
import xml.etree.ElementTree as xml

from harness import place
from harness.applet import ITEM, ITEM_PATH, NAME, AppletCase
from harness.fakes import FakePanel


class Tray(AppletCase):
    def test_the_icon_shows_the_worst_account(self):
        "never all well while one account is not"
        work, private = self.service.add("work"), self.service.add("private")
        self.eventually("in-sync", self.applet.icon)
        steps = (
            (work, dict(Status="syncing"), "syncing"),
            (private, dict(Status="paused"), "paused"),
            (work, dict(Status="offline"), "offline"),
            (work, dict(Status="connecting"), "offline"),  # it is not there yet
            (work, dict(Status="watching"), "paused"),
            (private, dict(Status="watching"), "in-sync"),
            (private, dict(Held=1), "attention"),
            (private, dict(Held=0), "in-sync"),
            (work, dict(Status="auth-failed", ErrorCode="auth"), "attention"),
            (work, dict(Status="error", ErrorCode="timeout"), "offline"),
            (work, dict(Status="error", ErrorCode="certificate"), "attention"),
            (work, dict(Status="from the future", ErrorCode=""), "attention"),
            (work, dict(Status="watching"), "in-sync"),
        )
        for path, properties, icon in steps:
            with self.subTest(properties):
                self.service.set(path, **properties)
                self.eventually(icon, self.applet.icon)
                self.assertEqual(self.applet.property("Status"), "NeedsAttention" if icon == "attention" else "Active")
        self.service.stop()
        self.eventually("offline", self.applet.icon)

    def test_every_property_is_there(self):
        "all properties have a value of the type that panels know; pictures come with the names"
        self.service.add("work")
        self.eventually("in-sync", self.applet.icon)
        source = xml.parse(place.SOURCE / "applet" / f"{ITEM}.xml")
        names = [p.get("name") for p in source.iter("property")]
        self.assertGreater(len(names), 15)
        values = {name: self.applet.property(name) for name in names}
        self.assertEqual(values["Id"], NAME)
        self.assertTrue(values["ItemIsMenu"])
        self.assertEqual(values["Menu"], "/org/imapsync/Applet/Menu")
        self.assertEqual(values["IconAccessibleDesc"], "All mail in sync")
        self.assertEqual(values["Title"], "All mail in sync")
        for name in ("IconPixmap", "AttentionIconPixmap"):
            self.assertEqual([(w, h, len(b)) for w, h, b in values[name]], [(22, 22, 22 * 22 * 4), (44, 44, 44 * 44 * 4)])
            alpha = bytes(values[name][0][2])[::4]
            self.assertEqual((alpha[0], max(alpha)), (0, 255), "a picture on nothing")
        self.assertEqual(values["OverlayIconPixmap"], [])
        for name in (values["IconName"], values["AttentionIconName"], NAME):
            self.assertTrue((place.SOURCE / "data" / "icons" / f"{name}.svg").exists(), name)

    def test_signals_come_in_the_order_that_panels_need(self):
        "the status is told before the icons"
        work = self.service.add("work")
        self.eventually("in-sync", self.applet.icon)
        self.peer.listen(ITEM)
        self.service.set(work, Status="auth-failed", ErrorCode="auth")
        place.wait_until(lambda: any(s[4] == "NewToolTip" for s in self.peer.signals), 60, "NewToolTip")
        self.assertEqual([s[4] for s in self.peer.signals],
                         ["NewStatus", "NewAttentionIcon", "NewIcon", "NewTitle", "NewToolTip"])  # fmt: skip
        self.assertEqual(self.peer.signals[0][5], ("NeedsAttention",))

    def test_the_tooltip(self):
        "says how every account is, with times that do not grow old, and no markup of its own"
        work = self.service.add("work", Name="w<o>rk")
        self.eventually(("All mail in sync", ""), self.applet.tooltip)
        self.service.add("private", Status="offline")
        title, text = "private: offline", "private: offline\nw&lt;o&gt;rk: in sync"
        self.eventually((title, text), self.applet.tooltip)
        at = int(time.time()) - 60
        self.service.set(work, LastSync=at)
        clock = time.strftime("%H:%M", time.localtime(at))
        if time.localtime(at).tm_mday == time.localtime().tm_mday:
            self.eventually((title, f"private: offline\nw&lt;o&gt;rk: in sync, {clock}"), self.applet.tooltip)

    def test_progress_is_told_at_leisure(self):
        "many changes a second are few signals to the panel, and the last one is told"
        work = self.service.add("work", Status="syncing")
        self.eventually("syncing", self.applet.icon)
        self.peer.listen(ITEM, "NewToolTip")
        begun = time.monotonic()
        for percent in range(1, 101):
            self.service.set(work, Progress=percent)
            time.sleep(0.01)
        self.eventually(("Synchronizing, 100 %", ""), self.applet.tooltip)
        self.assertLess(len(self.peer.signals), 8 + 4 * (time.monotonic() - begun))

    def test_a_click_that_opens_no_menu(self):
        "Activate and SecondaryActivate synchronize; scrolling does nothing"
        from gi.repository import GLib

        self.service.add("work")
        for method, calls in (("Activate", 1), ("SecondaryActivate", 2), ("ContextMenu", 2)):
            self.peer.call(NAME, ITEM_PATH, ITEM, method, GLib.Variant("(ii)", (0, 0)))
            self.eventually([("/org/imapsync/Sync1", "Sync", ())] * calls, self.service.commands)
        self.peer.call(NAME, ITEM_PATH, ITEM, "Scroll", GLib.Variant("(is)", (1, "vertical")))


class Panels(AppletCase):
    def panel(self, **options):
        panel = FakePanel(self.bus, **options)
        self.addCleanup(panel.close)
        return panel

    def test_each_panel_gets_the_item(self):
        "the item is registered by its path, once for each panel that appears"
        panel = self.panel().start()
        self.eventually(["/StatusNotifierItem"], lambda: panel.registrations)
        time.sleep(2.5)
        self.assertEqual(panel.registrations, ["/StatusNotifierItem"], "what is there is not registered again")
        panel.stop()
        panel.start()
        self.eventually(2, lambda: len(panel.registrations))
        other = self.panel()
        panel.stop()
        other.start()
        self.eventually(1, lambda: len(other.items))

    def test_a_panel_that_drops_the_item(self):
        "after two seconds the applet looks, and registers again until it is there"
        panel = self.panel(drops=1).start()
        self.eventually(1, lambda: len(panel.registrations))
        self.eventually(1, lambda: len(panel.items))
        self.assertEqual(len(panel.registrations), 2)


class NoPanelNoService(AppletCase):
    with_service = False

    def test_nobody_is_there(self):
        "without service, panel and notifications the applet waits, and offers to start the service"
        self.eventually(["imapsync is not running (-)", "---", "Start synchronizing", "---", "Quit"],
                        lambda: self.applet.menu().lines())  # fmt: skip
        self.eventually("offline", self.applet.icon)
        self.applet.choose("Start synchronizing")  # refused by the bus, and logged
        self.eventually(True, lambda: "Sync was refused" in self.applet.err)
        self.assertIsNone(self.applet.process.poll())
