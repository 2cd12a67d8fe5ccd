# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus in front of the real engine and two real Dovecots."""

import itertools
import signal
import time

from harness import compare, memory
from harness.seed import simple
from harness.service import ROOT, account_path
from harness.stores import Server

from bus.test_keyring import KeyringCase

WORK = account_path("work")
_users = itertools.count(1)


class RealCase(KeyringCase):
    fake = False
    cost = 8

    @classmethod
    def setUpClass(cls):
        cls.servers = [Server("maildir"), Server("mdbox")]
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            server.start()

    def setUp(self):
        super().setUp()
        self.user = f"user{next(_users)}"
        for server in self.servers:
            with server.connect(self.user) as client:
                client.subscribe("INBOX")
        self.home = self.make_home()

    def configure(self, name="work", **changes):
        """@changes: of the remote server's section; None takes an option out."""
        remote = {**self.servers[1].settings(self.user), **changes}
        remote = {k: v for k, v in remote.items() if v is not None}
        self.write(self.home, name, self.servers[0].settings(self.user, "tunnel"), remote)

    def append(self, side, text):
        with self.servers[side].connect(self.user) as client:
            client.append("INBOX", simple(text))

    def identical(self):
        return not compare.differences(*(compare.snapshot(s, self.user) for s in self.servers))


class Real(RealCase):
    def test_a_pass_over_the_bus(self):
        "SyncAndWait copies what is new, and its figures and the properties say so"
        self.configure()
        self.append(0, "there before")
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.peer.wait_for(WORK, "Messages", 1)
        self.assertTrue(self.identical())
        self.assertGreater(self.peer.get(WORK, "LastSync"), time.time() - 60)
        self.assertEqual(self.peer.get(WORK, "Mailboxes"), 1)
        finished = self.peer.listen("SyncFinished")
        figures = self.peer.call(WORK, "SyncAndWait", "(as)", ["INBOX"])[0]
        self.assertEqual((figures["copied-local"], figures["copied-remote"], figures["problems"]), (0, 0, 0))
        self.peer.wait(lambda: finished)
        self.assertIs(finished[0][3][0], True)
        self.append(1, "while it watches")
        self.peer.wait_for(WORK, "Messages", 2)
        self.peer.wait(self.identical)

    def test_oneshot_is_handed_over(self):
        "--oneshot beside the running one exits with 0 when all is in sync"
        self.configure()
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.append(1, "new")
        result = self.run_program(self.home, "--oneshot")
        self.assertEqual(result.status, 0, str(result))
        self.assertIn(str(service.pid), result.err)
        self.assertTrue(self.identical())
        result = self.run_program(self.home, "--repair")
        self.assertEqual(result.status, 0, str(result))

    def test_a_resolution_is_handed_over(self):
        "--resolve beside the running one is carried out by it, and a wrong one is refused in its words"
        self.configure()
        with self.servers[1].connect(self.user) as client:
            client.append("INBOX", *(simple(f"m{i}") for i in range(30)))
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.peer.wait_for(WORK, "Messages", 30)
        self.stop(service)
        with self.servers[0].connect(self.user) as client:
            client.select("INBOX")
            client.expunge(range(1, 26))
        self.servers[0].lose_index(self.user)
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Conflicts", 1)
        self.peer.wait_for(WORK, "Status", "watching")
        (conflict,) = self.peer.call(WORK, "ListConflicts")[0]
        result = self.run_program(self.home, f"--resolve={conflict[0]}:retry")
        self.assertEqual(result.status, 2, str(result))
        self.assertIn("restore", result.err)
        result = self.run_program(self.home, f"--resolve={conflict[0]}:restore")
        self.assertEqual(result.status, 0, str(result))
        self.assertIn(str(service.pid), result.err)
        self.peer.wait(self.identical)
        self.assertEqual([compare.snapshot(s, self.user).total() for s in self.servers], [30, 30])
        self.assertEqual(self.peer.call(WORK, "ListConflicts"), ([],))

    def test_pause_survives_a_restart(self):
        "a paused account stays paused over a restart, and resumes by itself at its time"
        self.configure()
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.peer.call(WORK, "Pause")
        self.peer.wait_for(WORK, "Status", "paused")
        self.assertBusError("Paused", self.peer.call, WORK, "SyncAndWait", "(as)", [])
        service.kill(signal.SIGTERM)
        self.assertEqual(service.wait(60).status, 0)
        self.append(1, "meanwhile")
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "paused")
        self.assertFalse(self.identical())
        until = int(time.time()) + 3
        self.peer.call(ROOT, "PauseUntil", "(t)", until)
        self.peer.wait_for(WORK, "PausedUntil", until)
        self.peer.wait_for(WORK, "Status", "watching")
        self.assertGreaterEqual(time.time(), until)
        self.assertTrue(self.identical())

    def test_a_mailbox_that_cannot_be(self):
        "a name that no mailbox can have is InvalidArgument"
        self.configure()
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.assertBusError("InvalidArgument", self.peer.call, WORK, "Resolve", "(ts)", 99, "dismiss")
        self.assertEqual(self.peer.call(WORK, "ListConflicts"), ([],))

    def test_sigterm(self):
        "SIGTERM ends it, without waiting for a server, and the name is free"
        self.configure()
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        service.kill(signal.SIGTERM)
        self.assertEqual(service.wait(60).status, 0)
        self.assertFalse(self.peer.has_name())


class RealKeyring(RealCase):
    def setUp(self):
        super().setUp()
        self.unlocked_keyring()
        self.configure(password=None)

    def test_the_login_has_the_password_of_the_keyring(self):
        "an account without a configured password synchronizes with that of the keyring"
        self.store("pass")
        self.append(1, "hello")
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")
        self.assertTrue(self.identical())

    def test_locked_then_unlocked(self):
        "a locked keyring is waited for; after the unlock it goes on by itself"
        self.store("pass")
        self.lock()
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "keyring-locked")
        self.unlock()
        self.peer.wait_for(WORK, "Status", "watching")

    def test_a_wrong_password_is_tried_once(self):
        "a refused login is not repeated until the keyring has another password, which is in one place until then"
        wrong = "Winter-unter-Wurzeln-72"
        self.store(wrong)
        running = self.start(self.home, plain=True)
        self.peer.wait_for(WORK, "Status", "auth-failed")
        memory.assert_secret(self, running.pid, wrong, 1)
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "auth")
        tried = self.servers[1].log().count("auth failed")
        self.peer.spin(4)
        self.assertEqual(self.servers[1].log().count("auth failed"), tried)
        self.store("pass")
        self.peer.wait_for(WORK, "Status", "watching")
        memory.assert_secret(self, running.pid, wrong, 0)

    def test_no_password(self):
        "without one stored no login is tried; storing it is enough"
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "auth-failed")
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "keyring")
        self.store("pass")
        self.peer.wait_for(WORK, "Status", "watching")

    def test_oneshot(self):
        "--oneshot without a running service has the keyring, too; locked, it ends with 3"
        self.store("pass")
        self.assertEqual(self.run_program(self.home, "--oneshot").status, 0)
        self.lock()
        result = self.run_program(self.home, "--oneshot")
        self.assertEqual(result.status, 3, str(result))
