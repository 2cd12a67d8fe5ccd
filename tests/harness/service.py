# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on a private session bus, and clients of it.

Signals and replies of a Client are delivered while a test waits: Client.wait(), Client.spin()."""

import os
import subprocess
import time
import unittest
from pathlib import Path

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from . import place  # noqa: E402
from .bus import Bus  # noqa: E402
from .imapsync import Account, binary, format_config  # noqa: E402

NAME = "org.imapsync.Sync1"
ROOT = "/org/imapsync/Sync1"
ACCOUNT = "org.imapsync.Sync1.Account"
ERROR = "org.imapsync.Sync1.Error."
PROPERTIES = "org.freedesktop.DBus.Properties"

def account_path(name):
    """As sd_bus_path_encode()."""
    out = []
    for i, byte in enumerate(name.encode()):
        c = chr(byte)
        plain = c.isascii() and (c.isalpha() or (c.isdigit() and i > 0))
        out.append(c if plain else f"_{byte:02x}")
    return f"{ROOT}/account/{''.join(out) or '_'}"


def fake_engine(plain=False):
    """imapsync with an engine that does what a test asks for, from the same build as binary()."""
    path = Path(binary(plain)).resolve().parent.parent / "tests" / "imapsync-fake-engine"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built")
    return str(path)


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Client:
    """One connection to a bus."""

    def __init__(self, address):
        self.address, self.context = address, GLib.MainContext.default()
        self.connection = place.wait_until(self._connect, 10, "a connection to the bus")
        self.connection.set_exit_on_close(False)

    def _connect(self):
        flags = Gio.DBusConnectionFlags
        try:
            return Gio.DBusConnection.new_for_address_sync(
                self.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)  # fmt: skip
        except GLib.Error as error:
            if not error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED):
                raise
            return None  # the socket is there before its daemon listens

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)

    # Waiting

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while self.context.iteration(False):
                pass
            time.sleep(0.005)

    def wait(self, condition, seconds=60.0, what="a condition"):
        end = time.monotonic() + seconds
        while True:
            while self.context.iteration(False):
                pass
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
            time.sleep(0.005)

    def wait_for_name(self, name=NAME, seconds=60.0, there=True):
        self.wait(lambda: self.has_name(name) == there, seconds, f"{name} {'on' if there else 'to leave'} the bus")

    def has_name(self, name=NAME):
        return self.call("/org/freedesktop/DBus", "NameHasOwner", "(s)", name, iface="org.freedesktop.DBus",
                         to="org.freedesktop.DBus")[0]  # fmt: skip

    def pid_of(self, name=NAME):
        return self.call("/org/freedesktop/DBus", "GetConnectionUnixProcessID", "(s)", name,
                         iface="org.freedesktop.DBus", to="org.freedesktop.DBus")[0]  # fmt: skip

    # Calling

    def start(self, path, method, signature=None, *arguments, iface=None, to=NAME, timeout=30):
        """Sends a call; returns a list that gets one element, the reply or a BusError, while we wait."""
        answer = []
        parameters = GLib.Variant(signature, arguments) if signature else None

        def done(connection, result):
            try:
                answer.append(connection.call_finish(result).unpack())
            except GLib.Error as error:
                answer.append(self.failure(error))

        iface = iface or (NAME if path == ROOT else ACCOUNT)
        self.connection.call(to, path, iface, method, parameters, None, Gio.DBusCallFlags.NO_AUTO_START,
                             int(timeout * 1000), None, done)  # fmt: skip
        return answer

    @staticmethod
    def failure(error):
        name = Gio.dbus_error_get_remote_error(error) or f"{error.domain}:{error.code}"
        message = error.message
        prefix = f"GDBus.Error:{name}: "
        return BusError(name, message[len(prefix) :] if message.startswith(prefix) else message)

    def call(self, path, method, signature=None, *arguments, iface=None, to=NAME, timeout=30):
        """The reply as a tuple; raises BusError."""
        answer = self.start(path, method, signature, *arguments, iface=iface, to=to, timeout=timeout)
        self.wait(lambda: answer, timeout + 1, f"the reply to {method}")
        if isinstance(answer[0], BusError):
            raise answer[0]
        return answer[0]

    def get(self, path, name):
        return self.call(path, "Get", "(ss)", NAME if path == ROOT else ACCOUNT, name, iface=PROPERTIES)[0]

    def get_all(self, path):
        return self.call(path, "GetAll", "(s)", NAME if path == ROOT else ACCOUNT, iface=PROPERTIES)[0]

    def wait_for(self, path, name, value, seconds=60.0):
        values = value if isinstance(value, (tuple, list, set)) else (value,)
        try:
            return self.wait(lambda: self.get(path, name) in values, seconds, name)
        except TimeoutError:
            raise TimeoutError(f"waited {seconds:g} s in vain for {name} to be {value!r}; "
                               f"it is {self.get_all(path)}") from None  # fmt: skip

    def objects(self):
        return self.call(ROOT, "GetManagedObjects", iface="org.freedesktop.DBus.ObjectManager")[0]

    def listen(self, member=None, path=None, iface=None, sender=NAME):
        """A list that gets (time, path, member, arguments) for each signal."""
        heard = []

        def callback(connection, sender, path, iface, member, parameters):
            heard.append((time.monotonic(), path, member, parameters.unpack()))

        self.connection.signal_subscribe(sender, iface, member, path, None, Gio.DBusSignalFlags.NONE, callback)
        self.has_name()  # the match rule is in force when the bus answers
        return heard


class BusCase(unittest.TestCase):
    """A private bus for each test. By default the program has the fake engine (tests/bus/fake-engine.c)."""

    fake = True
    plain = False  # True: needs the build without sanitizers (memory, time)
    cost = 3
    builds = ("gcc", "sanitized")
    maxDiff = None

    def setUp(self):
        self.bus = self.make_bus()
        self.peer = self.connect()

    def make_bus(self, *services, env=None):
        bus = Bus(*services, env=env)
        self.addCleanup(bus.close)
        return bus.start()

    def connect(self, bus=None):
        peer = Client((bus or self.bus).address)
        self.addCleanup(peer.close)
        return peer

    def make_home(self, *names, local=None, remote=None):
        """An Account whose configuration is a folder with one file for each of @names; see write()."""
        home = Account(local or {"type": "tunnel", "command": "x"}, remote or {"host": "localhost"})
        self.addCleanup(home.close)
        home.config.unlink()
        home.config.mkdir(mode=0o700)
        for name in names:
            self.write(home, name)
        return home

    def write(self, home, name, local=None, remote=None, **options):
        path = home.config / f"{name}.conf"
        options = {"database": f"{name}.db", **options}
        remote = home.remote if remote is None else remote
        path.write_text(format_config(options, local or home.local, remote))
        path.chmod(0o600)

    def environment(self, **more):
        none = f"unix:path={self.bus.dir}/none"
        return {"DBUS_SESSION_BUS_ADDRESS": self.bus.address, "DBUS_SYSTEM_BUS_ADDRESS": none, **more}

    def tool(self, *command, timeout=30):
        """A command-line tool on the bus; returns subprocess.CompletedProcess."""
        env = {**os.environ, **self.environment(), "LC_ALL": "C.UTF-8"}
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, env=env)

    def start(self, home, *arguments, wait=True, env=None, prefix=(), plain=False):
        """The program on the bus, stopped at the end of the test."""
        running = home.start(*arguments, env={**self.environment(), **(env or {})}, prefix=prefix, plain=plain,
                             program=fake_engine(self.plain) if self.fake else None)  # fmt: skip
        self.addCleanup(self.stop, running)
        if wait:
            self.peer.wait(lambda: running.process.poll() is not None or self.peer.has_name(), 20, "the service")
            if running.process.poll() is not None:
                self.fail(f"the service ended with status {running.process.returncode}:\n{running.err}")
        return running

    def run_program(self, home, *arguments, timeout=60, env=None):
        return home.start(*arguments, env={**self.environment(), **(env or {})},
                          program=fake_engine(self.plain) if self.fake else None).wait(timeout)  # fmt: skip

    def stop(self, running):
        """SIGTERM, and what the sanitizers have to say at the end."""
        if running.result is None:
            running.kill(15)
            running.wait(20)

    def wait_for_log(self, running, text, seconds=60.0, count=1):
        try:
            self.peer.wait(lambda: running.err.count(text) >= count, seconds, text)
        except TimeoutError:
            self.fail(f"expected {text!r} {count} time(s) in the log, got:\n{running.err}")

    def assertBusError(self, name, call, *arguments, says=(), **options):
        try:
            reply = call(*arguments, **options)
        except BusError as error:
            full = name if "." in name else ERROR + name
            self.assertEqual(error.name, full, str(error))
            for word in [says] if isinstance(says, str) else says:
                self.assertIn(word, error.message)
            return error
        self.fail(f"expected the error {name}, got the reply {reply}")
