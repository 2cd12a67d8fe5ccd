# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail stores without a daemon, which can be copied, put back and damaged, and the same for the
account's database: what servers and disks do to people, done to them here."""

import copy
import itertools
import re
import shutil
import sqlite3
import subprocess
import types

from . import place
from .case import ServerCase
from .dovecot import Dovecot
from .imap import encode_name

_copies = itertools.count(1)


class Server(Dovecot):
    """A Dovecot whose mail can be copied and damaged."""

    def folder(self, user, mailbox="INBOX"):
        """Of a maildir, whose levels are parted by dots."""
        base = self.home(user) / "Maildir"
        name = encode_name(mailbox.replace(self.separator, ".")).decode()
        return base if mailbox == "INBOX" else base / f".{name}"

    def clone(self, user, other):
        """Makes @other's mail an exact copy of @user's, UIDs, flags and MODSEQs included."""
        self.forget(other)
        subprocess.run(["cp", "-a", self.home(user), self.dir / "mail" / other], check=True)

    # Damage; nothing may be connected meanwhile

    def lose_index(self, user, mailbox="INBOX"):
        """All index files go: flags and UIDs stay, MODSEQs begin anew."""
        for path in self.folder(user, mailbox).glob("dovecot.*index*"):
            path.unlink()

    def renumber(self, user, mailbox="INBOX", uidvalidity=None):
        """Another UIDVALIDITY, and other UIDs."""
        self.lose_index(user, mailbox)
        path = self.folder(user, mailbox) / "dovecot-uidlist"
        old = int(re.search(r" V(\d+)", path.read_text()).group(1))
        new = uidvalidity or old + 1
        path.write_text(f"3 V{new} N1\n")
        place.own(path)
        return new


class Store(Server):
    """One reached by tunnels alone: nothing listens, a session costs 10 ms."""

    def __init__(self, format="maildir", separator="/", extra=""):
        none = types.SimpleNamespace(pem="", key="", folder="")
        super().__init__(format, separator, extra, authority=none, certificate=none)

    def start(self):
        self._write_config()
        return self

    def connect(self, user, link="tunnel"):
        return super().connect(user, "tunnel")


class StoreCase(ServerCase):
    """Two maildirs behind tunnels: the fastest base there is."""

    formats, links = ("maildir", "maildir"), ("tunnel", "tunnel")
    options = {"database": "account.db"}
    plain = True

    @classmethod
    def make_servers(cls):
        return [Store(format) for format in cls.formats]

    # The database, while nobody has it open

    def database_files(self):
        name = self.account.database.name
        return [p for p in self.account.database.parent.iterdir() if p.name in (name, name + "-wal", name + "-shm")]

    def save_database(self):
        """A copy to be put back by restore_database()."""
        folder = self.account.dir / f"saved-{next(_copies)}"
        folder.mkdir()
        for path in self.database_files():
            shutil.copy2(path, folder / path.name)
        return folder

    def restore_database(self, folder):
        self.account.database.parent.mkdir(mode=0o700, exist_ok=True)
        self.lose_database()
        for path in folder.iterdir():
            shutil.copy2(path, self.account.database.parent / path.name)

    def lose_database(self):
        for path in self.database_files():
            path.unlink()

    def edit_database(self, *statements):
        """Executes SQL; returns the rows of the last statement."""
        connection = sqlite3.connect(self.account.database)
        try:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    # One state of everything, to be started from many times

    def keep_state(self):
        """What load_state() wants: both stores and the database as they are now."""
        return self.user, self.save_database()

    def load_state(self, state):
        """Gives the test a user of its own with a copy of everything. Whatever server process of an
        earlier one is still busy cannot disturb it."""
        user, database = state
        self.user = f"{user}-{next(_copies)}"
        for server in self.servers:
            server.clone(user, self.user)
        for section, server, link in ((self.account.local, *self.ends[0]), (self.account.remote, *self.ends[1])):
            section.update(server.settings(self.user, link))
        self.adapt_settings()
        self.account.write()
        self.restore_database(database)
        if self.account.database.exists():
            ports = [section.get("port", 0) for section in (self.account.local, self.account.remote)]
            self.edit_database(f"UPDATE identity SET username = replace(username, '{user}', '{self.user}'), "
                               f"host = replace(host, '{user}', '{self.user}')",
                               *(f"UPDATE identity SET port = {p} WHERE side = {i}" for i, p in enumerate(ports)))  # fmt: skip

    def forked(self, state):
        """A copy of this test with an account and a user of its own, in @state, for a thread."""
        other = copy.copy(self)
        other.user = state[0]
        other.account = self.make_account()
        other.load_state(state)
        return other

    @property
    def ends(self):
        return tuple(zip(self.servers, self.links))

    def adapt_settings(self):
        """For a test whose way to the servers is another one."""

    def drop_state(self):
        """Frees what load_state() took."""
        self.account.close()
        for server in self.servers:
            server.forget(self.user)

    def new_user(self):
        """Begins anew, with empty stores."""
        self.user = f"{self.user}-{next(_copies)}"
        self.account = self.make_account()
        for server in self.servers:
            with server.connect(self.user) as client:
                client.subscribe("INBOX")

    # Mail

    def fill(self, side, mailbox, *messages):
        with self.servers[side].connect(self.user) as client:
            if mailbox != "INBOX" and mailbox not in client.list():
                client.create(mailbox)
            return client.append(mailbox, *messages)

    def select(self, side, mailbox="INBOX"):
        client = self.client(side)
        client.select(mailbox)
        return client

    def records(self, snapshot, mailbox="INBOX"):
        """{subject: [Record]} of one mailbox."""
        found = {}
        for record in snapshot.mailboxes[tuple(mailbox.split("/"))]:
            found.setdefault(record.subject, []).append(record)
        return found
