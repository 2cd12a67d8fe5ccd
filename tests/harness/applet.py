# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs imapsync-applet on a private bus, and reads its menu and its item as a panel does."""

import os
import re
import unittest
from pathlib import Path

from gi.repository import GLib

from . import imapsync, place
from .bus import Bus, Peer
from .fakes import FakeService

NAME = "org.imapsync.Applet"
MENU_PATH = "/org/imapsync/Applet/Menu"
MENU = "com.canonical.dbusmenu"
ITEM_PATH = "/StatusNotifierItem"
ITEM = "org.kde.StatusNotifierItem"
_SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


def binary(plain=False):
    """$IMAPSYNC_APPLET, else the one that was built beside the imapsync under test."""
    chosen = os.environ.get("IMAPSYNC_APPLET")
    path = Path(chosen) if chosen else Path(imapsync.binary(plain)).parents[1] / "applet" / "imapsync-applet"
    if not path.exists():
        raise FileNotFoundError(f"no applet to test at {path}; tests/run builds it, or set IMAPSYNC_APPLET")
    return path


def environment(folder, **more):
    """Of a session with a home of its own below @folder."""
    kept = ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "GIO_USE_PROXY_RESOLVER", "TZ", "LD_LIBRARY_PATH")
    env = {k: v for k, v in os.environ.items() if k in kept}
    for name in ("config", "data", "cache", "state", "run"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        **env, "HOME": str(folder), "LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder / "run"),
        "GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1", "GTK_A11Y": "none", **more,
    }  # fmt: skip


def icon_theme(env):
    """Puts the icons of the source where XDG_DATA_HOME has them."""
    target = Path(env["XDG_DATA_HOME"]) / "icons" / "hicolor"
    for source in (place.SOURCE / "data" / "icons").glob("*.svg"):
        folder = target / ("symbolic" if source.stem.endswith("-symbolic") else "scalable") / "apps"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / source.name).symlink_to(source)


class Item:
    """One item of the menu."""

    def __init__(self, layout):
        self.id, self.properties, children = layout
        self.children = [Item(c) for c in children]
        self.label = self.properties.get("label", "").replace("__", "\0").replace("_", "").replace("\0", "_")
        self.enabled = self.properties.get("enabled", True)
        self.separator = self.properties.get("type") == "separator"

    def lines(self, depth=0):
        """The menu as text, for people."""
        out = []
        for child in self.children:
            text = "---" if child.separator else child.label + ("" if child.enabled else " (-)")
            out += ["  " * depth + text, *child.lines(depth + 1)]
        return out

    def find(self, *labels):
        """The item to be chosen that is called so, by the labels on the way to it."""
        for child in self.children:
            if child.label.startswith(labels[0]) and child.enabled and not child.separator:
                return child.find(*labels[1:]) if len(labels) > 1 else child
        raise KeyError(f"no {labels[0]!r} in the menu:\n" + "\n".join(self.lines()))

    def has(self, *labels):
        try:
            return bool(self.find(*labels))
        except KeyError:
            return False


class Applet:
    """A running imapsync-applet. @peer asks it what a panel would."""

    def __init__(self, bus, env, plain=False):
        self.bus, self.plain = bus, plain
        self.env = {**env, "DBUS_SESSION_BUS_ADDRESS": bus.address}
        self.errors = place.folder("applet") / "err"
        self.process, self.peer = None, None

    def start(self, peer=None):
        self.launch()
        self.peer = peer or Peer(self.bus)
        self.peer.wait_owner(NAME)
        place.wait_until(self._answers, 10, "the applet's menu")
        return self

    def launch(self):
        with open(self.errors, "ab") as errors:
            self.process = place.spawn([binary(self.plain)], env=self.env, stderr=errors)
        return self.process

    def _answers(self):
        try:
            return self.menu()
        except GLib.Error:
            return None

    @property
    def err(self):
        return self.errors.read_text(errors="replace") if self.errors.exists() else ""

    def stop(self):
        """Ends it as a session does, and returns its exit status; what a sanitizer found is an error."""
        status = place.stop(self.process)
        if _SANITIZER.search(self.err):
            raise AssertionError(f"the sanitizer speaks:\n{self.err[:5000]}")
        return status

    # What a panel asks

    def menu(self, id=0, depth=-1, names=()):
        reply = self.peer.call(NAME, MENU_PATH, MENU, "GetLayout", GLib.Variant("(iias)", (id, depth, list(names))))
        return Item(reply[1])

    def event(self, id, event="clicked"):
        arguments = GLib.Variant("(isvu)", (id, event, GLib.Variant("i", 0), 0))
        self.peer.call(NAME, MENU_PATH, MENU, "Event", arguments)

    def choose(self, *labels):
        self.event(self.menu().find(*labels).id)

    def first_line(self):
        return self.menu().children[0].label

    def property(self, name):
        return self.peer.get(NAME, ITEM_PATH, ITEM, name)

    def icon(self):
        return self.property("IconName").removeprefix(NAME + "-").removesuffix("-symbolic")

    def tooltip(self):
        return self.property("ToolTip")[2:]


class AppletCase(unittest.TestCase):
    """A private bus with our service faked and the applet running; `with_service`, `services` (names of
    activation files that the bus has) and `plain` are for subclasses."""

    builds = ("sanitized",)
    services = ()
    plain = False
    with_service = True
    language = None
    maxDiff = None

    def setUp(self):
        self.dir = place.folder("home")
        self.addCleanup(place.remove, self.dir)
        self.env = environment(self.dir)
        if self.language:
            self.env |= {"LANGUAGE": self.language}
        self.bus = Bus(*self.services, env=self.env).start()
        self.addCleanup(self.bus.close)
        self.peer = Peer(self.bus)
        self.addCleanup(self.peer.close)
        self.service = None
        if self.with_service:
            self.service = FakeService(self.bus)
            self.addCleanup(self.service.close)
            self.service.start()
        self.prepare()
        self.applet = self.make_applet()
        self.applet.start(self.peer)

    def prepare(self):
        """What has to be there before the applet starts."""

    def make_applet(self):
        applet = Applet(self.bus, self.env, self.plain)
        self.addCleanup(applet.stop)
        return applet

    def eventually(self, expected, get, seconds=60):
        """@get() becomes @expected."""
        try:
            place.wait_until(lambda: get() == expected, seconds, "it", 0.05)
        except TimeoutError:
            self.assertEqual(get(), expected, f"after {seconds} s\n{self.applet.err}")

    def assertCalls(self, *expected):
        """The service got these commands, (account's name or None, method, arguments), since the last time."""
        def got():
            return [(None if p.count("/") < 4 else p.rpartition("/")[2], m, a) for p, m, a in self.service.commands()]

        self.eventually(list(expected), got)
        self.service.calls.clear()
