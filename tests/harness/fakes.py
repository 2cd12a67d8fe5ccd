# SPDX-License-Identifier: GPL-3.0-or-later
"""What the applet meets on the bus, as a test wants it: our service, a panel."""

import functools
import threading

from gi.repository import GLib

from . import place
from .bus import Peer

DATA = place.SOURCE / "data"
SERVICE = "org.imapsync.Sync1"
ROOT = "/org/imapsync/Sync1"
WATCHER = "org.kde.StatusNotifierWatcher"

_MANAGER = """<node><interface name="org.freedesktop.DBus.ObjectManager">
<method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
<signal name="InterfacesAdded"><arg type="o"/><arg type="a{sa{sv}}"/></signal>
<signal name="InterfacesRemoved"><arg type="o"/><arg type="as"/></signal></interface></node>"""
_WATCHER = """<node><interface name="org.kde.StatusNotifierWatcher">
<method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
<property name="RegisteredStatusNotifierItems" type="as" access="read"/>
<property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
<property name="ProtocolVersion" type="i" access="read"/></interface></node>"""

_TYPES = {"Id": "s", "Name": "s", "Local": "s", "Remote": "s", "Database": "s", "Status": "s", "ErrorCode": "s",
          "ErrorMessage": "s", "LastSync": "t", "Progress": "u", "PausedUntil": "t", "NextTry": "t", "Mailboxes": "u",
          "Messages": "t", "Conflicts": "u", "Held": "u", "Remaining": "t"}  # fmt: skip


def _at_once(method):
    """As in a real service, no answer is made while something changes that is told behind it."""

    def call(self, *arguments, **options):
        return self.peer.run(lambda: method(self, *arguments, **options))

    return functools.wraps(method)(call)


class FakeService:
    """org.imapsync.Sync1 with the interface files of the source; self.calls has (path, method, arguments)."""

    def __init__(self, bus):
        self.peer = Peer(bus)
        self.accounts, self.conflicts, self.calls = {}, {}, []
        self._objects, self._lock = {}, threading.Lock()
        xml = (DATA / "org.imapsync.Sync1.xml").read_text()
        self.peer.export(ROOT, xml, lambda m, a: self._called(ROOT, m, a), self._root_property)
        self.peer.export(ROOT, _MANAGER, lambda m, a: self._managed())

    def start(self):
        self.peer.own(SERVICE)
        return self

    def stop(self):
        self.peer.release(SERVICE)

    def close(self):
        self.peer.close()

    def _root_property(self, name):
        return {"Version": GLib.Variant("s", "0"), "Accounts": GLib.Variant("ao", list(self.accounts)),
                "Status": GLib.Variant("s", "watching"), "Conflicts": GLib.Variant("u", 0)}[name]  # fmt: skip

    def _called(self, path, method, arguments):
        with self._lock:
            self.calls.append((path, method, arguments))
        if method == "ListConflicts":
            return GLib.Variant("(a(tsstta{sv}))", (self.conflicts[path],))
        if method.endswith("AndWait"):
            return GLib.Variant("(a{sv})", ({},))
        return None

    def commands(self):
        """The calls without the questions."""
        return [c for c in self.calls if c[1] != "ListConflicts"]

    def _properties(self, path):
        return {name: GLib.Variant(_TYPES[name], value) for name, value in self.accounts[path].items()}

    def _managed(self):
        objects = {p: {SERVICE + ".Account": self._properties(p)} for p in self.accounts}
        return GLib.Variant("(a{oa{sa{sv}}})", (objects,))

    @_at_once
    def add(self, name, **properties):
        path = f"{ROOT}/account/{name}"
        values = {"Id": name, "Name": name, "Local": "ann@localhost", "Remote": f"ann@{name}.example.org",
                  "Status": "watching", "LastSync": 0, "Mailboxes": 12, "Messages": 4210}  # fmt: skip
        self.accounts[path] = {n: ("" if t == "s" else 0) for n, t in _TYPES.items()} | values | properties
        self.conflicts[path] = []
        xml = (DATA / "org.imapsync.Sync1.Account.xml").read_text()
        get = lambda property: self._properties(path)[property]  # noqa: E731
        self._objects[path] = self.peer.export(path, xml, lambda m, a: self._called(path, m, a), get)
        added = GLib.Variant("(oa{sa{sv}})", (path, {SERVICE + ".Account": self._properties(path)}))
        self.peer.emit(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", added)
        return path

    @_at_once
    def remove(self, path):
        del self.accounts[path]
        self.peer.run(lambda: self.peer.connection.unregister_object(self._objects.pop(path)))
        removed = GLib.Variant("(oas)", (path, [SERVICE + ".Account"]))
        self.peer.emit(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", removed)

    @_at_once
    def set(self, path, **properties):
        self.accounts[path].update(properties)
        changed = {n: GLib.Variant(_TYPES[n], v) for n, v in properties.items()}
        arguments = GLib.Variant("(sa{sv}as)", (SERVICE + ".Account", changed, []))
        self.peer.emit(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", arguments)

    @_at_once
    def conflict(self, path, id, kind, mailbox="INBOX", local=0, remote=0, **details):
        packed = {k.replace("_", "-"): GLib.Variant("s", str(v)) for k, v in details.items()}
        self.conflicts[path].append((id, kind, mailbox, local, remote, packed))
        self.peer.emit(path, SERVICE + ".Account", "Conflict",
                       GLib.Variant("(tsstta{sv})", self.conflicts[path][-1]))  # fmt: skip
        self.set(path, Conflicts=len(self.conflicts[path]))

    @_at_once
    def resolved(self, path, id):
        self.conflicts[path] = [c for c in self.conflicts[path] if c[0] != id]
        self.peer.emit(path, SERVICE + ".Account", "ConflictResolved", GLib.Variant("(t)", (id,)))
        self.set(path, Conflicts=len(self.conflicts[path]))

    def finished(self, path, ok=True, **figures):
        packed = {k.replace("_", "-"): GLib.Variant("t", v) for k, v in figures.items()}
        self.peer.emit(path, SERVICE + ".Account", "SyncFinished", GLib.Variant("(ba{sv})", (ok, packed)))


class FakePanel:
    """A StatusNotifierWatcher. @drops: how many registrations it answers well and forgets."""

    def __init__(self, bus, drops=0):
        self.peer, self.drops = Peer(bus), drops
        self.items, self.registrations = [], []
        self.peer.export("/StatusNotifierWatcher", _WATCHER, self._called, self._get)

    def start(self):
        self.items = []
        self.peer.own(WATCHER)
        return self

    def stop(self):
        self.peer.release(WATCHER)

    def close(self):
        self.peer.close()

    def _called(self, method, arguments):
        self.registrations.append(arguments[0])
        if len(self.registrations) > self.drops:
            self.items.append(f"{self.peer.owner('org.imapsync.Applet')}{arguments[0]}")

    def _get(self, name):
        return {"RegisteredStatusNotifierItems": GLib.Variant("as", self.items), "ProtocolVersion": GLib.Variant("i", 0),
                "IsStatusNotifierHostRegistered": GLib.Variant("b", True)}[name]  # fmt: skip
