# SPDX-License-Identifier: GPL-3.0-or-later
"""Real desktops on a screen that nobody sees: panels that show the applet's item, and daemons that show
its notifications."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from gi.repository import GLib

from . import applet, place
from .bus import Bus, Peer

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"

_XFCE_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="symbolic-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"""

_DUNST = """[global]
    font = Sans 10
    width = 360
    height = 200
    origin = top-right
    offset = 16x48
    frame_width = 1
    corner_radius = 6
    padding = 12
    horizontal_padding = 14
    idle_threshold = 0
    show_indicators = no
    history_length = 50
    markup = full
    format = "<b>%s</b>\\n%b"
    icon_path = {icons}
    min_icon_size = 48
    max_icon_size = 48
    dmenu = {dmenu}
[urgency_low]
    timeout = 0
    background = "#2e3440"
    foreground = "#e5e9f0"
    frame_color = "#4c566a"
[urgency_normal]
    timeout = 0
    background = "#2e3440"
    foreground = "#eceff4"
    frame_color = "#5e81ac"
"""

_LXQT_PANEL = """[General]
__userfile__=true
panels=panel1

[panel1]
alignment=-1
iconSize=22
lineCount=1
lockPanel=true
panelSize=32
plugins=statusnotifier
position=Top
width=100
width-percent=true

[statusnotifier]
alignment=Left
type=statusnotifier
"""

_GNOME_SETTINGS = """[org/gnome/shell]
enabled-extensions=['ubuntu-appindicators@ubuntu.com']
disable-user-extensions=false
welcome-dialog-last-shown-version='99.0'

[org/gnome/desktop/interface]
enable-animations=false

[org/gnome/desktop/background]
picture-options='none'
primary-color='#2b5876'
"""


class Screen:
    """An X server without a screen."""

    def __init__(self, size="1280x600"):
        read, write = os.pipe()
        self.process = place.spawn(["Xvfb", "-displayfd", write, "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(write,))  # fmt: skip
        os.close(write)
        if not select.select([read], [], [], 20)[0]:
            raise TimeoutError("Xvfb does not start")
        with open(read) as line:  # whole: an X server that cannot write its line end dies
            self.display = ":" + line.readline().strip()

    def xdotool(self, *arguments):
        return subprocess.run(["xdotool", *map(str, arguments)], env={**os.environ, "DISPLAY": self.display},
                              check=True, capture_output=True, text=True).stdout  # fmt: skip

    def click(self, x, y, button=1):
        self.xdotool("mousemove", x, y, "click", button)

    def key(self, *names):
        if not names:
            return
        self.xdotool("key", "--delay", 80, *names)

    def picture(self, path, crop=None):
        """A screenshot; @crop: ImageMagick's WxH+X+Y."""
        command = ["import", "-window", "root", *(["-crop", crop, "+repage"] if crop else []), str(path)]
        subprocess.run(command, env={**os.environ, "DISPLAY": self.display}, check=True)

    def close(self):
        place.stop(self.process)


class Desktop:
    """A session: screen, bus, home with our icons. A subclass starts the panel; icon_at is where its item is."""

    icon_at = (20, 16)
    bus_services = ()
    programs = ()  # that it needs

    def __init__(self, size="1280x600", **env):
        self.dir = place.folder("desk")
        self.screen = Screen(size)
        self.env = applet.environment(self.dir, DISPLAY=self.screen.display, LIBGL_ALWAYS_SOFTWARE="1",
                                      XDG_SESSION_TYPE="x11", **env)  # fmt: skip
        applet.icon_theme(self.env)
        self.configure()
        self.bus = Bus(*self.bus_services, env=self.env).start()
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.peer = Peer(self.bus)
        self.panel = self.daemon = None

    @classmethod
    def is_there(cls):
        return all(shutil.which(p) for p in cls.programs)

    def configure(self):
        pass

    def write(self, path, text):
        path = Path(self.env["XDG_CONFIG_HOME"]) / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *command, **env):
        with open(self.dir / "err", "ab") as errors:
            return place.spawn(command, env={**self.env, **env}, stdout=errors, stderr=errors)

    def start_panel(self):
        self.panel = self.run(*self.panel_command)
        self.peer.wait_owner(WATCHER, 60)

    def stop_panel(self):
        """With its plugins: they are processes of their own, and may outlive it for a moment."""
        place.stop(self.panel)
        place.wait_until(lambda: not self.peer.owner(WATCHER), 60, "the end of the watcher")

    def items(self):
        return self.peer.get(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems")

    def has_item(self):
        """The panel lists the applet, by one of the names that panels make."""
        owner = self.peer.owner(applet.NAME)
        return bool(owner) and any(re.match(re.escape(owner) + r"\b", i) for i in self.items())

    def open_menu(self):
        self.screen.click(*self.icon_at)
        time.sleep(1)

    def open_submenus(self, *downs):
        """With keys alone: pointers open and close submenus by clocks of their own."""
        for n in downs:
            self.screen.key(*["Down"] * n)
            self.screen.key("Right")
            time.sleep(0.5)

    def close(self):
        for process in (self.panel, self.daemon):
            place.stop(process, 3)
        self.peer.close()
        self.bus.close()
        self.screen.close()
        place.remove(self.dir)

    # dunst, for desktops without a daemon of their own

    def start_dunst(self):
        chooser = self.dir / "choose"
        chooser.write_text(f"#!/bin/sh\ngrep \"^#$(cat {self.dir}/button) \"\n")
        chooser.chmod(0o755)
        icons = Path(self.env["XDG_DATA_HOME"]) / "icons/hicolor/scalable/apps"
        config = self.write("dunst/dunstrc", _DUNST.format(dmenu=chooser, icons=icons))
        self.daemon = self.run("dunst", "-conf", config)
        self.peer.wait_owner(NOTIFICATIONS)

    def dunstctl(self, *arguments):
        return subprocess.run(["dunstctl", *arguments], env=self.env, check=True, capture_output=True, text=True).stdout

    def displayed(self):
        return int(self.dunstctl("count", "displayed"))

    def notifications(self):
        """(summary, body) of all that were shown; closes those that are."""
        self.dunstctl("close-all")
        time.sleep(0.3)
        data = json.loads(self.dunstctl("history"))["data"][0]
        return [(n["summary"]["data"], n["body"]["data"]) for n in data]

    def press(self, label):
        """The button of a notification, through dunst's context menu."""
        (self.dir / "button").write_text(label)
        self.dunstctl("context")


class Xfce(Desktop):
    programs = ("xfce4-panel", "Xvfb", "xdotool", "dunst")
    bus_services = ("org.xfce.Xfconf.service",)
    panel_command = ("xfce4-panel", "--disable-wm-check")

    def configure(self):
        self.write("xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml", _XFCE_PANEL)


class Lxqt(Desktop):
    programs = ("lxqt-panel", "Xvfb", "xdotool", "dunst")
    panel_command = ("lxqt-panel",)
    icon_at = (16, 16)

    def configure(self):
        self.write("lxqt/panel.conf", _LXQT_PANEL)
        self.write("lxqt/lxqt.conf", "[General]\nicon_theme=Adwaita\ntheme=dark\n")

    def open_menu(self):
        self.screen.click(*self.icon_at, button=3)  # the left button is Activate there
        time.sleep(1)


class Gnome(Desktop):
    icon_at = (1209, 14)
    programs = ("gnome-shell", "gjs", "Xvfb", "xdotool")
    bus_services = ("org.gnome.Shell.Notifications.service",)
    panel_command = ("gnome-shell", "--x11")

    def configure(self):
        self.write("glib-2.0/settings/keyfile", _GNOME_SETTINGS)
        self.env["GSETTINGS_BACKEND"] = "keyfile"
        self.env["GNOME_SHELL_SESSION_MODE"] = "user"

    def start_panel(self):
        # logind and what else the shell wants of a system, on the same bus
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus.address
        self.logind = self.run(sys.executable, "-m", "dbusmock", "--system", "--template", "logind")
        self.peer.wait_owner("org.freedesktop.login1")
        super().start_panel()
        self.peer.wait_owner(NOTIFICATIONS, 60)
        time.sleep(3)
        self.leave_overview()
        for x in range(4):  # the shell's words about its missing display manager go when somebody is there
            self.screen.xdotool("mousemove", 300 + x, 500)
            time.sleep(3)

    def leave_overview(self):
        """The shell starts with it, and not before it has the time."""
        shell = ("org.gnome.Shell", "/org/gnome/Shell")
        no = GLib.Variant("(ssv)", ("org.gnome.Shell", "OverviewActive", GLib.Variant("b", False)))

        def left():
            self.peer.call(*shell, "org.freedesktop.DBus.Properties", "Set", no)
            time.sleep(1)
            return not self.peer.get(*shell, "org.gnome.Shell", "OverviewActive")

        place.wait_until(left, 60, "the shell without its overview")

    def open_menu(self):
        self.leave_overview()
        super().open_menu()

    def close(self):
        place.stop(getattr(self, "logind", None))
        super().close()
