# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the applet on real desktops: for the README, and to be looked at after each change."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from . import build, place
from .applet import Applet
from .desktop import Gnome, Lxqt, Xfce
from .fakes import FakeService

MINUTE, HOUR, DAY = 60, 3600, 86400


class Session:
    """A desktop with dunst, the faked service with two accounts, and the applet."""

    def __init__(self, desktop, program, **env):
        self.desktop = desktop
        if not isinstance(desktop, Gnome):
            desktop.start_dunst()
        subprocess.run(["xsetroot", "-solid", "#2b5876"], env=desktop.env, check=False)
        desktop.start_panel()
        self.service = FakeService(desktop.bus)
        now = int(time.time())
        self.work = self.service.add("work", Name="Work", Remote="ann@imap.example.org", LastSync=now - 125,
                                     Messages=41210, Mailboxes=23)  # fmt: skip
        self.home = self.service.add("home", Name="Home", Remote="ann@mail.example.net", LastSync=now - 5,
                                     Messages=8034, Mailboxes=11)  # fmt: skip
        self.service.start()
        os.environ["IMAPSYNC_APPLET"] = str(program)
        self.applet = Applet(desktop.bus, {**desktop.env, **env}).start(desktop.peer)
        place.wait_until(desktop.has_item, 30, "the item in the panel")
        time.sleep(2)

    def look(self, path, crop=None):
        self.desktop.screen.xdotool("mousemove", 700, 500)
        time.sleep(0.6)
        self.desktop.screen.picture(path, crop)

    def close(self):
        self.applet.stop()
        self.service.close()
        self.desktop.close()

    # Scenes

    def in_sync(self):
        self.desktop.open_menu()

    def syncing(self):
        self.service.set(self.work, Status="syncing", Progress=40, Remaining=312)
        time.sleep(1)
        self.desktop.open_menu()

    def conflict(self):
        self.service.conflict(self.work, 1, "mass-deletion", "Archive/2019", gone_on="remote", count=450)
        time.sleep(2)

    def keyring(self):
        self.service.set(self.home, Status="keyring-locked", ErrorCode="keyring")
        time.sleep(7)

    def close_menu(self):
        self.desktop.screen.key("Escape", "Escape", "Escape")
        time.sleep(0.5)


def shoot(name, make, program, folder, **env):
    session = Session(make(), program, **env)
    try:
        session.in_sync()
        session.look(folder / f"{name}-in-sync.png")
        session.close_menu()
        session.syncing()
        session.look(folder / f"{name}-syncing.png")
        session.close_menu()
        session.service.set(session.work, Status="watching", Progress=0, Remaining=0)
        session.conflict()
        session.look(folder / f"{name}-conflict.png")
        session.keyring()
        session.desktop.open_menu()
        session.look(folder / f"{name}-attention.png")
        session.desktop.open_submenus(3, 0)
        session.look(folder / f"{name}-choices.png")
        session.close_menu()
        moods = (("paused", dict(Status="paused", PausedUntil=int(time.time()) + HOUR)), ("offline", dict(Status="offline")))
        session.service.resolved(session.work, 1)
        for mood, properties in moods:
            for path in (session.work, session.home):
                session.service.set(path, ErrorCode="", **properties)
            time.sleep(1)
            session.desktop.open_menu()
            session.look(folder / f"{name}-{mood}.png")
            session.close_menu()
    finally:
        session.close()


def main():
    parser = argparse.ArgumentParser(prog="tests/desktop", description=__doc__)
    parser.add_argument("--screenshots", metavar="DIR", required=True, help="where the pictures go")
    parser.add_argument("--only", metavar="NAME", help="one desktop: xfce, xfce-dark, xfce-de, lxqt, gnome")
    parser.add_argument("--program", metavar="FILE", help="another imapsync-applet than the one built here")
    parser.add_argument("--no-install", action="store_true", help="leave out the desktops that are not installed")
    options = parser.parse_args()
    folder = Path(options.screenshots)
    folder.mkdir(parents=True, exist_ok=True)
    program = options.program or build.compile("gcc") / "applet" / "imapsync-applet"
    desktops = {
        "xfce": (Xfce, {}), "xfce-dark": (lambda: Xfce(GTK_THEME="Adwaita:dark"), {}),
        "lxqt": (Lxqt, {}), "gnome": (Gnome, {}),
    }  # fmt: skip
    for name, (make, env) in desktops.items():
        if options.only not in (None, name):
            continue
        cls = make if isinstance(make, type) else Xfce
        if not cls.is_there():
            print(f"{name}: not installed", file=sys.stderr)
            continue
        print(name, flush=True)
        shoot(name, make, program, folder, **env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
