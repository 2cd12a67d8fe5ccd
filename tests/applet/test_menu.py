# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu on the bus, as panels ask for it, against a service that only pretends."""

import time

from gi.repository import GLib

from harness import place
from harness.applet import MENU, MENU_PATH, NAME, AppletCase


class Menu(AppletCase):
    def prepare(self):
        self.work = self.service.add("work", LastSync=int(time.time()) - 125)

    def test_the_whole_menu(self):
        "status, accounts and commands stand where they belong"
        self.eventually("All mail in sync, 2 minutes ago", self.applet.first_line)
        self.assertEqual(self.applet.menu().lines(), [
            "All mail in sync, 2 minutes ago (-)", "---",
            "work: in sync, 2 minutes ago", "  ann@work.example.org (-)", "  4210 messages in 12 mailboxes (-)",
            "  ---", "  Sync now", "  Pause",
            "---", "Sync now", "Pause", "  Until I resume", "  For an hour", "  Until tomorrow morning", "---", "Quit",
        ])  # fmt: skip

    def test_commands_reach_the_service(self):
        "each command becomes the call that it says"
        self.eventually(True, lambda: self.applet.menu().has("work"))
        self.applet.choose("Sync now")
        self.assertCalls((None, "Sync", ()))
        self.applet.choose("work", "Sync now")
        self.assertCalls(("work", "Sync", ([],)))
        self.applet.choose("work", "Pause")
        self.assertCalls(("work", "Pause", ()))
        self.applet.choose("Pause", "Until I resume")
        self.assertCalls((None, "Pause", ()))
        self.service.set(self.work, Status="paused")
        self.eventually(True, lambda: self.applet.menu().has("work", "Resume"))
        self.assertFalse(self.applet.menu().has("Sync now"), "every account is paused")
        self.applet.choose("work", "Resume")
        self.assertCalls(("work", "Resume", ()))
        self.applet.choose("Resume")
        self.assertCalls((None, "Resume", ()))
        self.service.set(self.work, Status="keyring-locked", ErrorCode="keyring")
        self.eventually(True, lambda: self.applet.menu().has("Unlock keyring…"))
        self.applet.choose("Unlock keyring…")
        self.assertCalls(("work", "UnlockKeyring", ()))

    def test_pauses_end_when_they_say(self):
        "an hour is an hour, and tomorrow is eight in the morning"
        self.eventually(True, lambda: self.applet.menu().has("Pause", "For an hour"))
        now = time.time()
        self.applet.choose("Pause", "For an hour")
        place.wait_until(self.service.commands, 60, "PauseUntil")
        self.assertAlmostEqual(self.service.commands()[0][2][0], now + 3600, delta=3)
        self.service.calls.clear()
        self.applet.choose("Pause", "Until tomorrow morning")
        place.wait_until(self.service.commands, 60, "PauseUntil")
        end = self.service.commands()[0][2][0]
        self.assertEqual(time.localtime(end)[3:6], (8, 0, 0))
        self.assertTrue(now < end < now + 48 * 3600)

    def test_conflicts_are_answered(self):
        "a conflict's submenu offers the choices of its kind, and sends the chosen one"
        self.service.conflict(self.work, 7, "mass-deletion", "Archive", gone_on="remote", count=450)
        self.eventually(True, lambda: self.applet.menu().has("1 thing to look at"))
        item = self.applet.menu().find("1 thing to look at", "Archive")
        self.assertEqual(item.label, "Archive: Many messages vanished")
        self.assertEqual([c.label for c in item.children], ["Bring them back", "Delete them", "Ask me later"])
        self.assertIn("450 messages of “Archive” vanished from work.example.org", item.properties["accessible-desc"])
        self.applet.event(item.children[0].id)
        self.assertCalls(("work", "Resolve", (7, "restore")))
        self.service.resolved(self.work, 7)
        self.eventually(False, lambda: self.applet.menu().has("1 thing to look at"))

    def test_an_open_menu_changes_in_place(self):
        "only properties are sent while no item comes or goes, and numbers stay"
        self.eventually(True, lambda: self.applet.menu().has("work"))
        before = self.applet.menu()
        self.applet.event(0, "opened")
        self.peer.listen(MENU)
        self.service.set(self.work, Status="syncing", Progress=40)
        place.wait_until(lambda: self.peer.signals, 60, "a signal")
        time.sleep(0.3)
        self.assertEqual({s[4] for s in self.peer.signals}, {"ItemsPropertiesUpdated"})
        updated = {id: p for s in self.peer.signals for id, p in s[5][0]}
        self.assertEqual(updated[before.children[0].id], {"label": "Synchronizing, 40 %"})
        self.assertEqual(updated[before.find("work").id], {"label": "work: synchronizing, 40 %"})
        other = self.service.add("private")
        self.eventually(True, lambda: self.applet.menu().has("private"))
        after = self.applet.menu()
        for labels in (("work",), ("Sync now",), ("Pause", "For an hour"), ("Quit",)):
            self.assertEqual(before.find(*labels).id, after.find(*labels).id, labels)
        self.assertIn(("LayoutUpdated", 0), [(s[4], s[5][1]) for s in self.peer.signals])
        self.peer.signals.clear()
        self.service.set(self.work, Status="keyring-locked")
        place.wait_until(lambda: "LayoutUpdated" in {s[4] for s in self.peer.signals}, 60, "a new layout")
        updated = {id: p for s in self.peer.signals if s[4] == "ItemsPropertiesUpdated" for id, p in s[5][0]}
        self.assertEqual(updated[before.children[0].id], {"label": "work: the keyring is locked"},
                         "what stays is told although items came, because GNOME does not ask again")  # fmt: skip
        self.service.remove(other)
        self.eventually(False, lambda: self.applet.menu().has("private"))

    def test_panels_that_ask_in_groups(self):
        "AboutToShowGroup, EventGroup and GetGroupProperties answer for each number"
        self.eventually(True, lambda: self.applet.menu().has("work"))
        menu = self.applet.menu()
        call = lambda method, *variant: self.peer.call(NAME, MENU_PATH, MENU, method, GLib.Variant(*variant))  # noqa: E731
        self.assertEqual(call("AboutToShowGroup", "(ai)", ([0, 99],)), ([], [99]))
        zero = GLib.Variant("i", 0)
        sync = menu.find("Sync now").id
        self.assertEqual(call("EventGroup", "(a(isvu))", ([(sync, "clicked", zero, 0), (99, "clicked", zero, 0)],)), [99])
        self.assertCalls((None, "Sync", ()))
        some = call("GetGroupProperties", "(aias)", ([sync, 99], ["label"]))
        self.assertEqual(some, [(sync, {"label": "_Sync now"})])
        every = call("GetGroupProperties", "(aias)", ([], []))
        self.assertEqual(len(every), 1 + len(menu.lines()), "no number means all")
        self.assertEqual(call("GetProperty", "(is)", (sync, "enabled")), True)
        shallow = self.applet.menu(depth=1)
        self.assertFalse(shallow.find("work").children, "a depth of 1 has no submenus")
        self.assertEqual(shallow.find("work").properties["children-display"], "submenu")
        only = self.applet.menu(id=menu.find("Pause").id, depth=1, names=["label"])
        self.assertEqual([c.properties for c in only.children][1], {"label": "For an hour"})
        for method, variant in (("GetLayout", ("(iias)", (99, -1, []))), ("AboutToShow", ("(i)", (99,))),
                                ("GetProperty", ("(is)", (99, "label")))):  # fmt: skip
            with self.assertRaisesRegex(GLib.Error, "no item has the number 99"):
                call(method, *variant)
        self.assertEqual(self.peer.get(NAME, MENU_PATH, MENU, "Version"), 3)

    def test_a_name_with_markup_or_underscores_is_shown_as_it_is(self):
        "underscores are no mnemonics, long lines are cut, line ends are spaces"
        self.service.set(self.work, Name="my_work <b>&\nmail " + "x" * 200)
        self.eventually(True, lambda: self.applet.menu().has("my_work <b>& mail"))
        item = self.applet.menu().find("my_work")
        self.assertIn("my__work", item.properties["label"])
        self.assertEqual(len(item.label), 72)
        self.assertTrue(item.label.endswith("…"))

    def test_quit(self):
        "Quit ends the applet well, and only the applet"
        self.applet.choose("Quit")
        self.assertEqual(self.applet.process.wait(60), 0)
        self.assertEqual(self.service.commands(), [])
