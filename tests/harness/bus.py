# SPDX-License-Identifier: GPL-3.0-or-later
"""Private session buses, and a peer on one: calls, signals, and objects that a test makes."""

import os
import socket
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from . import place  # noqa: E402

_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_SYSTEM_SERVICES = Path("/usr/share/dbus-1/services")


class Bus:
    """A session bus of its own, which starts nothing but the services that are named."""

    def __init__(self, *services, env=None):
        self.dir = place.folder("bus")
        self.env = env
        self.socket = self.dir / "socket"
        self.address = f"unix:path={self.socket}"
        (self.dir / "services").mkdir()
        for name in services:
            (self.dir / "services" / name).symlink_to(_SYSTEM_SERVICES / name)
        (self.dir / "config").write_text(_CONFIG.format(socket=self.socket, services=self.dir / "services"))
        self.process = None

    def activatable(self, name, command):
        """The bus will start @command for @name."""
        text = f"[D-BUS Service]\nName={name}\nExec={command}\n"
        (self.dir / "services" / f"{name}.service").write_text(text)

    def start(self):
        with open(self.dir / "err", "ab") as errors:
            self.process = place.spawn(["dbus-daemon", f"--config-file={self.dir}/config", "--nofork", "--nopidfile"],
                                       stderr=errors, env={**os.environ, **(self.env or {})})  # fmt: skip
        place.wait_until(self._answers, 20, "the bus")
        return self

    def _answers(self):
        """The socket's file is there before anybody listens at it."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self):
        place.stop(self.process)
        self.process = None
        self.socket.unlink(missing_ok=True)

    def close(self):
        self.stop()
        place.remove(self.dir)


class Peer:
    """A connection with a main loop in a thread of its own."""

    def __init__(self, bus):
        self.signals = []  # (time, sender, path, interface, member, arguments)
        self.context = GLib.MainContext()
        self.loop = GLib.MainLoop.new(self.context, False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.connection = self.run(lambda: Gio.DBusConnection.new_for_address_sync(bus.address, flags, None, None))
        self.connection.set_exit_on_close(False)

    def _run(self):
        self.context.push_thread_default()
        self.loop.run()
        self.context.pop_thread_default()

    def run(self, function):
        """Calls @function in the thread of the loop and returns its result."""
        if threading.current_thread() is self._thread:
            return function()
        done, box = threading.Event(), []

        def work(*_):
            try:
                box.append((function(), None))
            except BaseException as error:
                box.append((None, error))
            done.set()
            return False

        source = GLib.idle_source_new()
        source.set_callback(work)
        source.attach(self.context)
        if not done.wait(30):
            raise TimeoutError("the peer's loop does not answer")
        result, error = box[0]
        if error:
            raise error
        return result

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)
        self.loop.quit()

    # Others' objects

    def call(self, name, path, interface, method, arguments=None, timeout=30):
        """The unpacked reply: None, a value, or a tuple of values."""
        reply = self.connection.call_sync(name, path, interface, method, arguments, None,
                                          Gio.DBusCallFlags.NO_AUTO_START, timeout * 1000, None)  # fmt: skip
        values = reply.unpack()
        return None if not values else values[0] if len(values) == 1 else values

    def get(self, name, path, interface, property):
        return self.call(name, path, "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", (interface, property)))  # fmt: skip

    def owner(self, name):
        """The unique name, or None."""
        try:
            return self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner",
                             GLib.Variant("(s)", (name,)))  # fmt: skip
        except GLib.Error:
            return None

    def wait_owner(self, name, seconds=60):
        return place.wait_until(lambda: self.owner(name), seconds, f"{name} on the bus")

    def listen(self, interface=None, member=None):
        """Puts others' signals into self.signals."""

        def received(_, sender, path, interface, member, parameters):
            self.signals.append((time.monotonic(), sender, path, interface, member, parameters.unpack()))

        self.run(lambda: self.connection.signal_subscribe(None, interface, member, None, None,
                                                          Gio.DBusSignalFlags.NONE, received))  # fmt: skip

    # Own objects

    def own(self, name):
        flags = 0x4  # do not queue
        reply = self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName",
                          GLib.Variant("(su)", (name, flags)))  # fmt: skip
        if reply != 1:
            raise RuntimeError(f"{name} is taken")

    def release(self, name):
        self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ReleaseName", GLib.Variant("(s)", (name,)))

    def export(self, path, xml, called, get=None):
        """@called(method, arguments) returns a GVariant or None; @get(property) a GVariant."""
        interface = Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0]

        def on_call(connection, sender, path, interface, method, parameters, invocation):
            try:
                invocation.return_value(called(method, parameters.unpack()))
            except Exception as error:
                invocation.return_dbus_error("org.freedesktop.DBus.Error.Failed", str(error))

        def on_get(connection, sender, path, interface, name):
            return get(name)

        return self.run(lambda: self.connection.register_object(path, interface, on_call, on_get, None))

    def emit(self, path, interface, member, arguments=None):
        self.connection.emit_signal(None, path, interface, member, arguments)
        self.connection.flush_sync(None)
