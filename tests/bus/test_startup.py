# SPDX-License-Identifier: GPL-3.0-or-later
"""What meson install puts where, and that the bus starts the service with it."""

import os
import subprocess
import unittest
from pathlib import Path

from harness import build, place
from harness.service import ROOT, BusCase, account_path, fake_engine


class Files(unittest.TestCase):
    builds = ("gcc",)
    cost = 5

    @classmethod
    def setUpClass(cls):
        cls.dir = place.folder("install")
        cls.addClassCleanup(place.remove, cls.dir)
        plain = os.environ.get("IMAPSYNC_PLAIN") or os.environ.get("IMAPSYNC")
        folder = Path(plain).resolve().parent.parent if plain else build.folder("gcc")
        done = subprocess.run(["meson", "install", "-C", folder, "--no-rebuild", "--destdir", cls.dir],
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        cls.prefix = next(p.parent.parent for p in cls.dir.rglob("bin/imapsync"))

    def test_the_files_are_where_they_are_looked_for(self):
        "the unit, the activation file and the interfaces are installed"
        for name in ("lib/systemd/user/imapsync.service", "share/dbus-1/services/org.imapsync.Sync1.service",
                     "share/dbus-1/interfaces/org.imapsync.Sync1.xml",
                     "share/dbus-1/interfaces/org.imapsync.Sync1.Account.xml"):  # fmt: skip
            self.assertTrue((self.prefix / name).is_file(), f"{name} is not below {self.prefix}")

    def test_the_activation_file_names_program_and_unit(self):
        "the name, the program's path and the systemd unit"
        text = (self.prefix / "share/dbus-1/services/org.imapsync.Sync1.service").read_text()
        program = "/" + str((self.prefix / "bin/imapsync").relative_to(self.dir))
        self.assertEqual(text.split(), ["[D-BUS", "Service]", "Name=org.imapsync.Sync1", f"Exec={program}",
                                        "SystemdService=imapsync.service"])  # fmt: skip

    def test_systemd_accepts_the_unit(self):
        "systemd-analyze --user verify has nothing to say, and the unit says what it has to"
        text = (self.prefix / "lib/systemd/user/imapsync.service").read_text()
        self.assertRegex(text, r"(?m)^ExecStart=/\S+/bin/imapsync$")
        for line in ("Type=dbus", "BusName=org.imapsync.Sync1", "Restart=on-failure", "RestartPreventExitStatus=2 4",
                     "NoNewPrivileges=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "RestrictRealtime=yes",
                     "RestrictSUIDSGID=yes", "RestrictNamespaces=yes", "SystemCallFilter=@system-service",
                     "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK", "SystemCallArchitectures=native",
                     "UMask=0077", "WantedBy=default.target"):  # fmt: skip
            self.assertIn(f"\n{line}\n", text)
        copy = self.dir / "imapsync.service"
        copy.write_text(text.replace("ExecStart=", f"ExecStart={self.dir}"))
        env = {**os.environ, "HOME": str(self.dir), "XDG_RUNTIME_DIR": str(self.dir), "SYSTEMD_LOG_LEVEL": "warning"}
        done = subprocess.run(["systemd-analyze", "--user", "verify", "--man=no", str(copy)], capture_output=True,
                              text=True, env=env)  # fmt: skip
        said = [line for line in done.stderr.splitlines() if "imapsync" in line]
        self.assertEqual((done.returncode, said), (0, []), done.stderr)


class Activation(BusCase):
    def test_the_bus_starts_the_service(self):
        "a call to the name starts it with its accounts; no second one comes"
        home = self.make_home("work")
        env = {k: v for k, v in home.environment().items() if k.startswith(("HOME", "XDG", "LANG", "GSETTINGS"))}
        env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={self.bus.dir}/none"
        bus = self.make_bus(env=env)
        bus.activatable("org.imapsync.Sync1", fake_engine())
        bus.stop()
        bus.start()
        self.bus, self.peer = bus, self.connect(bus)
        done = self.tool("busctl", "--user", "call", "org.imapsync.Sync1", ROOT, "org.imapsync.Sync1", "Sync")
        self.assertEqual(done.returncode, 0, done.stderr)
        pid = self.peer.pid_of()
        self.addCleanup(lambda: os.kill(pid, 15))
        self.peer.wait_for(account_path("work"), "Status", "watching")
        done = self.tool("busctl", "--user", "call", "org.imapsync.Sync1", ROOT, "org.imapsync.Sync1", "Sync")
        self.assertEqual((done.returncode, self.peer.pid_of()), (0, pid))
