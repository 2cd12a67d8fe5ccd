# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full, or nearly so: nothing is lost, nothing doubled, and it goes on when there is room."""

from harness.imapsync import preload
from harness.seed import simple
from harness.stores import Server, StoreCase

MIB = 1024 * 1024


class FullDisk(StoreCase):
    plain = True  # a program with sanitizers must have its own library first
    links = ("tunnel", "tunnel")  # the remote one could be ssh

    @classmethod
    def make_servers(cls):
        return [Server(format) for format in cls.formats]

    def sync_with(self, status, **disk):
        """One run on such a disk: free, room (see preload/full-disk.c)."""
        names = {f"DISK_{name.upper()}": str(value) for name, value in disk.items()}
        return self.sync(status=status, env={"LD_PRELOAD": preload("full-disk"), **names})

    def subjects(self, side):
        return sorted(self.records(self.snapshots()[side]))

    def populate(self):
        self.fill(0, "INBOX", *(simple(f"m{i}") for i in range(6)))
        self.sync()

    def test_little_room(self):
        "less than 100 MiB free: nothing is copied to the server on this machine, all else goes on; later it comes"
        self.populate()
        self.fill(0, "INBOX", simple("up"))
        self.fill(1, "INBOX", simple("down"))
        self.fill(1, "New", simple("new"))
        self.select(0).store([1], "+", "\\Flagged")
        self.select(1).store([2], "+", "\\Seen")
        self.select(1).expunge([3])
        result = self.sync_with(1, free=99 * MIB)
        self.assertSays(result, "100 MiB", "local")
        self.assertEqual(sum("100 MiB" in line for line in result.messages()), 1)
        local, remote = (self.records(s) for s in self.snapshots())
        self.assertNotIn("down", local)
        self.assertNotIn("m2", local)
        self.assertIn("up", remote)
        self.assertEqual(remote["m0"][0].flags, {"\\flagged"})
        self.assertEqual(local["m1"][0].flags, {"\\seen"})
        writes = self.account.database_state()
        self.assertEqual(self.sync_with(1, free=99 * MIB).status, 1)
        self.assertEqual(self.account.database_state(), writes, "a run that can do nothing wrote to the database")
        self.sync_with(0, free=101 * MIB)
        self.assertIdentical()
        self.assertNoop()

    def test_full_at_any_write(self):
        "the disk of the database is full after so many bytes: one sentence; with room, equal and nothing doubled"
        self.populate()
        self.fill(0, "INBOX", *(simple(f"a{i}") for i in range(20)))
        self.fill(1, "INBOX", *(simple(f"b{i}") for i in range(20)))
        self.fill(1, "Box", *(simple(f"c{i}") for i in range(20)))
        self.select(0).store([1], "+", "\\Flagged")
        self.select(1).expunge([2])
        state = self.keep_state()
        for room in (0, 100, 5000, 13000, 30000, 60000):
            with self.subTest(room=room):
                self.load_state(state)
                result = self.account.once(plain=True, env={"LD_PRELOAD": preload("full-disk"), "DISK_ROOM": str(room)})
                self.assertIn(result.status, (0, 2), result)
                if result.status != 0:
                    self.assertSays(result, "account.db", "no space")
                self.sync()
                snapshot = self.assertIdentical()
                self.assertEqual(len(self.records(snapshot)), 45)
                self.assertEqual({len(r) for r in self.records(snapshot).values()}, {1})
                self.assertNoop()

    def test_full_when_it_is_created(self):
        "no room for a new database: one sentence, no server is touched; with room all is well"
        self.fill(0, "INBOX", simple("m"))
        before = self.fingerprints()
        result = self.sync_with(2, room=0)
        said = self.assertSays(result, "no space is left on the disk for the database", "account.db")
        self.assertNotIn("Schema", said)
        self.assertUntouched(before)
        self.sync()
        self.assertIdentical()
