# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: imapsync, what its field has besides, and the limit. Each knows its
configuration, and keeps everything of its own in one folder that can be copied and put back."""

import re
import shutil
import sqlite3
from dataclasses import dataclass

from harness import build, imapsync, place
from harness.dovecot import PASSWORD


@dataclass(frozen=True)
class Side:
    """How one server is reached: what is behind the port may be a proxy."""

    server: object
    user: str
    port: int
    tls: bool

    def limit(self):
        return f"{'+' if self.tls else ''}{self.port}:{self.user}"


class Program:
    name = ""
    takes_part = True
    adds = None  # a header of its own that is no difference

    def environment(self, folder):
        places = {v: str(folder / v.lower()) for v in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
                                                       "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}  # fmt: skip
        for path in places.values():
            (folder / path).mkdir(mode=0o700, parents=True, exist_ok=True)
        return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder), **places}

    def prepare(self, folder, sides):
        """Writes the configuration for @sides; what an earlier run left stays."""

    def command(self, folder, sides, scenario):
        raise NotImplementedError


class Ours(Program):
    name = "imapsync"

    def __init__(self, program):
        self.program = program

    def prepare(self, folder, sides):
        self.environment(folder)
        sections = []
        for side in sides:
            section = side.server.settings(side.user, "imaps" if side.tls else "imap", port=side.port)
            sections.append(section)
        config = folder / "xdg_config_home" / "imapsync"
        config.write_text(imapsync.format_config({"database": "account.db"}, *sections))
        config.chmod(0o600)
        database = folder / "xdg_data_home" / "imapsync" / "account.db"
        if database.exists():  # another port is another server to it
            connection = sqlite3.connect(database)
            for number, side in enumerate(sides):
                connection.execute("UPDATE identity SET port = ? WHERE side = ?", (side.port, number))
            connection.commit()
            connection.close()

    def command(self, folder, sides, scenario):
        return [self.program, "--oneshot", "--quiet"]


class InterIMAP(Program):
    name = "interimap"

    def __init__(self):
        self.takes_part = shutil.which("interimap") is not None

    def prepare(self, folder, sides):
        self.environment(folder)
        (folder / "xdg_config_home" / "interimap").mkdir(exist_ok=True)
        sections = []
        for side in sides:
            section = {"type": "imaps" if side.tls else "imap", "host": "127.0.0.1", "port": side.port,
                       "username": side.user, "password": PASSWORD, "compress": "NO"}  # fmt: skip
            section |= {"SSL_CAfile": side.server.authority.pem} if side.tls else {"STARTTLS": "NO"}
            sections.append(section)
        config = folder / "xdg_config_home" / "interimap" / "config"
        config.write_text(imapsync.format_config({"database": "account.db"}, *sections))
        config.chmod(0o600)

    def command(self, folder, sides, scenario):
        return ["interimap", "--quiet"]


class Mbsync(Program):
    name = "mbsync"
    adds = re.compile(rb"^X-TUID: .{12}\r\n", re.M)  # to each message that it copies

    def __init__(self):
        self.takes_part = shutil.which("mbsync") is not None

    def prepare(self, folder, sides):
        (folder / "state").mkdir(exist_ok=True)
        text = "FSync no\n\n"
        for name, side in zip(("near", "far"), sides):
            text += (f"IMAPAccount {name}\nHost 127.0.0.1\nPort {side.port}\nUser {side.user}\nPass {PASSWORD}\n"
                     f"SSLType {'IMAPS' if side.tls else 'None'}\nAuthMechs LOGIN\n")  # fmt: skip
            text += f"CertificateFile {side.server.certificate.pem}\n" if side.tls else ""
            text += f"\nIMAPStore {name}\nAccount {name}\n\n"
        text += ("Channel all\nNear :near:\nFar :far:\nPatterns * INBOX\nSync Full\nCreate Both\nExpunge Both\n"
                 f"CopyArrivalDate yes\nSyncState {folder}/state/\n")  # fmt: skip
        (folder / "mbsyncrc").write_text(text)

    def command(self, folder, sides, scenario):
        return ["mbsync", "-q", "-c", folder / "mbsyncrc", "-a"]


class OfflineIMAP(Program):
    name = "offlineimap"

    def __init__(self):
        self.takes_part = shutil.which("offlineimap") is not None

    def prepare(self, folder, sides):
        text = (f"[general]\naccounts = all\nmetadata = {folder}/metadata\nfsync = False\n\n"
                "[Account all]\nlocalrepository = local\nremoterepository = remote\n")  # fmt: skip
        for name, side in zip(("local", "remote"), sides):
            text += (f"\n[Repository {name}]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {side.port}\n"
                     f"remoteuser = {side.user}\nremotepass = {PASSWORD}\nstarttls = no\n"
                     f"ssl = {'yes' if side.tls else 'no'}\n")  # fmt: skip
            text += f"sslcacertfile = {side.server.authority.pem}\n" if side.tls else ""
        (folder / "offlineimaprc").write_text(text)

    def command(self, folder, sides, scenario):
        return ["offlineimap", "-o", "-u", "quiet", "-c", folder / "offlineimaprc"]


class Dsync(Program):
    """Its own protocol between two processes on the mail itself: no IMAP, no delay of a network."""

    name = "dsync"

    def __init__(self):
        self.takes_part = shutil.which("doveadm") is not None

    def command(self, folder, sides, scenario):
        near, far = (["doveadm", "-c", side.server.dir / "dovecot.conf"] for side in sides)
        user = ["-u", sides[0].user]
        # With the environment it inherits, the second would read the configuration of the first.
        return [*near, "sync", *user, "env", "-i", "PATH=/usr/bin:/bin", *far, "dsync-server", *user]


class Limit(Program):
    name = "limit"

    def __init__(self, tool):
        self.tool = tool

    def command(self, folder, sides, scenario):
        if scenario.origin is not None:
            origin, target = sides[scenario.origin], sides[1 - scenario.origin]
            return [self.tool, "copy", origin.limit(), target.limit(), *scenario.mailboxes]
        (folder / "script").write_text(scenario.script)
        return [self.tool, "script", folder / "script", *(side.limit() for side in sides)]


def release_build():
    """Compiled as a distribution would, with the tools of the measurement."""
    build.KINDS.setdefault("release", ("gcc", ("-Dbuildtype=release",)))
    return build.compile("release", werror=False)


def tools(path):
    return {name: str(path / "tests" / "speed" / f"speed-{name}") for name in ("limit", "measure", "proxy")}


def folder():
    return place.folder("speed")
