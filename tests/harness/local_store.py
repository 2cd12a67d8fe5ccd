# SPDX-License-Identifier: GPL-3.0-or-later
"""An account whose [local] is of type store, run by an ordinary user: Dovecot opens no mail of root's."""

import shlex
import shutil

from . import place
from .dovecot import IMAP
from .imap import Client
from .imapsync import Account


def as_user():
    """What a command begins with so that it runs as an ordinary user."""
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups") if place.ROOT else ()


class StoreAccount(Account):
    """@name: the configuration is config/imapsync/NAME.conf, and the mail lies in data/imapsync/NAME."""

    kind = "dovecot"

    def __init__(self, remote, name="work", format=None, **options):
        self.name = name
        local = {"type": "store", **({"store-format": format} if format else {})}
        super().__init__(local, remote, **options)
        shutil.rmtree(self.dir / "config")
        (self.dir / "config" / "imapsync").mkdir(parents=True, mode=0o700)
        self.config = self.dir / "config" / "imapsync" / f"{name}.conf"
        self.write()
        self.give()

    def give(self):
        """All of it belongs to the user."""
        for path in (self.dir, *self.dir.rglob("*")):
            place.own(path)

    @property
    def folder(self):
        return self.dir / "data" / "imapsync" / self.name

    def environment(self):
        return {**super().environment(), "USER": "tester"}

    def start(self, *arguments, prefix=(), **options):
        return super().start(*arguments, prefix=(*as_user(), *prefix), **options)

    def command(self):
        """Speaks IMAP over the store, as mail programs do it."""
        environment = ("env", "-i", "PATH=/usr/bin:/bin", f"HOME={self.dir}", "USER=tester")
        return shlex.join((*as_user(), *environment, IMAP, "-c", str(self.folder / "dovecot.conf")))

    # As a server, for compare.py

    def connect(self, user=None, link="tunnel"):
        return Client.tunnel(self.command())
