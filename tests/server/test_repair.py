# SPDX-License-Identifier: GPL-3.0-or-later
"""--repair: the database is compared with both servers completely; what is wrong is listed, then mended."""

from harness.seed import simple
from harness.stores import StoreCase


class Repair(StoreCase):
    def populate(self, n=30):
        self.fill(0, "INBOX", *(simple(f"m{i:02}", flags=("\\Seen",) if i % 3 == 0 else ()) for i in range(n)))
        self.fill(1, "Box", *(simple(f"b{i}") for i in range(4)))
        self.sync()
        return {f"m{i:02}": 1 for i in range(n)}

    def repair(self, expected, *said, status=0):
        """imapsync --repair makes INBOX @expected {subject: count} on both sides, and says @said, each of
        them before anything is done."""
        result = self.account.run("--repair", plain=True)
        self.assertEqual(result.status, status, result)
        for words in said:
            self.assertSays(result, *words)
        records = self.records(self.assertIdentical())
        self.assertEqual({s: len(r) for s, r in records.items()}, expected)
        self.assertNoop()
        return result, records

    def assertUncopied(self, result):
        self.assertNotIn(" copied (", result.err)

    def test_nothing_wrong(self):
        "a healthy database: nothing is listed, nothing changes"
        expected = self.populate()
        before = self.account.database_state()
        result, _ = self.repair(expected)
        self.assertEqual([line for line in result.messages() if "UID" in line], [])
        self.assertEqual(self.account.database_state(), before)

    def test_rows_missing(self):
        "messages whose pair the database has lost are found again, not copied"
        expected = self.populate()
        self.edit_database("DELETE FROM pair WHERE local_uid IN (3, 5, 7)")
        result, _ = self.repair(expected, ("INBOX", "local UID 3 ", "missing"), ("INBOX", "remote UID 3 ", "missing"))
        self.assertUncopied(result)

    def test_everything_missing(self):
        "all pairs are gone, the numbers are not"
        expected = self.populate()
        self.edit_database("DELETE FROM pair")
        result, _ = self.repair(expected, ("INBOX", "local UID 30 ", "missing"))
        self.assertUncopied(result)

    def test_rows_too_many(self):
        "pairs of messages that are on neither server go"
        expected = self.populate()
        with self.servers[0].connect(self.user) as local, self.servers[1].connect(self.user) as remote:
            for client in (local, remote):
                client.append("INBOX", simple("short-lived"))
                client.select("INBOX")
                client.expunge([31])
        self.edit_database("INSERT INTO pair SELECT id, 31, 31, 0, NULL, NULL FROM mailbox WHERE name = 'INBOX'")
        self.repair(expected, ("INBOX", "neither", "31"))
        self.assertEqual(self.edit_database("SELECT * FROM pair WHERE local_uid = 31"), [])

    def test_wrong_rows(self):
        "pairs of two different messages are matched anew: what is deleted afterwards is the right one"
        expected = self.populate()
        # local 4 with remote 5, local 5 with remote 4
        self.edit_database("UPDATE pair SET remote_uid = 9004 WHERE remote_uid = 4 AND mailbox = (SELECT id FROM mailbox WHERE name = 'INBOX')",
                           "UPDATE pair SET remote_uid = 4 WHERE remote_uid = 5 AND mailbox = (SELECT id FROM mailbox WHERE name = 'INBOX')",
                           "UPDATE pair SET remote_uid = 5 WHERE remote_uid = 9004")  # fmt: skip
        result, records = self.repair(expected, ("INBOX", "local UID 4 ", "remote UID 5 ", "two messages"))
        self.assertUncopied(result)
        self.select(0).expunge([4])
        self.sync()
        self.assertNotIn("m03", self.records(self.assertIdentical()))
        self.assertIn("m04", self.records(self.assertIdentical()))

    def test_wrong_flags(self):
        "an agreed list that neither side has: the union of both, and it is listed"
        expected = self.populate()
        self.edit_database("INSERT OR IGNORE INTO flag_list VALUES (4711, '\\Draft')",
                           "UPDATE pair SET flags = 4711 WHERE local_uid IN (2, 4) AND mailbox = (SELECT id FROM mailbox WHERE name = 'INBOX')")  # fmt: skip
        self.select(0).store([2], "+", "\\Flagged")
        self.select(1).store([2], "+", "\\Answered")
        _, records = self.repair(expected, ("INBOX", "flags", "local UID 2 ", "\\Flagged", "\\Answered", "\\Draft"))
        self.assertEqual(records["m01"][0].flags, {"\\flagged", "\\answered"})
        self.assertEqual(records["m03"][0].flags, {"\\seen"})

    def test_changes_of_people(self):
        "changes since the last run are mirrored by a repair as by any other run"
        expected = self.populate()
        local, remote = self.select(0), self.select(1)
        local.store([1], "-", "\\Seen")
        remote.expunge([2, 3])
        remote.append("INBOX", simple("new"))
        del expected["m01"], expected["m02"]
        _, records = self.repair({**expected, "new": 1}, ("INBOX", "local UID 2 ", "counterpart"))
        self.assertEqual(records["m00"][0].flags, frozenset())

    def test_older_database(self):
        "with an older copy of the database"
        expected = self.populate()
        saved = self.save_database()
        local = self.select(0)
        local.append("INBOX", *(simple(f"late {i}") for i in range(5)))
        local.expunge([1, 2])
        self.sync()
        self.restore_database(saved)
        del expected["m00"], expected["m01"]
        result, _ = self.repair({**expected, **{f"late {i}": 1 for i in range(5)}}, ("INBOX", "neither", "local UID 1"))
        self.assertUncopied(result)

    def test_many_gone(self):
        "more messages gone on one side than can be believed: nothing is deleted, and it is asked"
        self.populate()
        self.servers[1].lose_index(self.user)
        self.select(1).expunge(range(1, 26))
        result = self.account.run("--repair", plain=True)
        self.assertEqual(result.status, 1, result)
        self.assertSays(result, "INBOX", "25 messages are gone")
        self.assertEqual([s.total() for s in self.snapshots(["INBOX"])], [30, 5])
