# SPDX-License-Identifier: GPL-3.0-or-later
"""A second process, when the name on the bus is taken."""

import signal

from harness import place
from harness.service import ROOT, BusCase, account_path, fake_engine


class Handover(BusCase):
    def setUp(self):
        super().setUp()
        self.home = self.make_home("work")
        self.service = self.start(self.home)
        self.peer.wait_for(account_path("work"), "Status", "watching")

    def line(self, result, *words):
        for line in result.err.splitlines():
            if all(w in line for w in words):
                return line
        self.fail(f"expected a line with {words}\n{result}")

    def test_oneshot_is_done_by_the_running_one(self):
        "--oneshot is handed over, its figures are told, its result is the exit status"
        result = self.run_program(self.home, "--oneshot")
        self.wait_for_log(self.service, "sync all")
        self.line(result, str(self.service.pid), "work", "does the work")
        self.line(result, "copied 1 local, 2 remote", "moved 3 local, 4 remote", "expunged 7 local, 8 remote", "1.5 s")
        self.line(result, "problems: 11")
        self.assertEqual(result.status, 1)
        self.assertEqual(result.out, "")
        self.assertNotIn("started", result.err)

    def test_mailboxes_and_repair(self):
        "MAILBOX arguments and --repair go along, also without --oneshot"
        for arguments, said in ((("--oneshot", "a", "ä/b"), "sync a|ä/b"), (("--repair", "x"), "repair x"),
                                (("--repair",), "repair all"), (("INBOX",), "sync INBOX")):  # fmt: skip
            result = self.run_program(self.home, *arguments)
            self.wait_for_log(self.service, said)
            self.assertEqual(result.status, 1, str(result))
            self.assertNotIn("started", result.err)

    def test_failures_are_the_exit_status(self):
        "each error of the pass has its exit status"
        for code, status in (("config", 2), ("database", 2), ("disk-full", 2), ("refused", 3), ("auth", 3),
                             ("certificate", 3), ("other", 3)):  # fmt: skip
            result = self.run_program(self.home, "--oneshot", f"fail={code}")
            self.assertEqual(result.status, status, str(result))
            self.line(result, "work", f"it failed: {code}")
        self.peer.call(account_path("work"), "Pause")
        result = self.run_program(self.home, "--oneshot")
        self.assertEqual(result.status, 1, str(result))
        self.line(result, "the account is paused")

    def test_a_person_is_told(self):
        "without anything to do it says who does the work, with exit status 4"
        result = self.run_program(self.home)
        self.assertEqual(result.status, 4)
        self.line(result, f"process {self.service.pid} has this account already")
        self.assertNotIn("started", result.err)

    def test_systemd_and_the_bus_are_content(self):
        "activated, it ends with 0"
        result = self.run_program(self.home, env={"DBUS_STARTER_BUS_TYPE": "session"})
        self.assertEqual(result.status, 0, str(result))
        script = 'SYSTEMD_EXEC_PID=$$ exec "$0"'
        result = self.home.start(program="sh", env=self.environment(),
                                 prefix=("env",), *("-c", script, fake_engine())).wait(60)  # fmt: skip
        self.assertEqual(result.status, 0, str(result))
        result = self.run_program(self.home, env={"SYSTEMD_EXEC_PID": "1"})
        self.assertEqual(result.status, 4, "a variable that was inherited")

    def test_other_accounts(self):
        "a process with other accounts warns, and works without the bus"
        other = self.make_home("work")  # the same name, another database
        second = self.start(other, wait=False)
        self.wait_for_log(second, "work: started" if "work: started" in second.err else "started")
        self.assertIn(f"process {self.service.pid} has the name org.imapsync.Sync1", second.err)
        self.assertEqual(self.peer.pid_of(), self.service.pid)
        second.kill(signal.SIGTERM)
        self.assertEqual(second.wait(60).status, 0)
        result = self.run_program(other, "--oneshot")
        self.assertEqual(result.status, 0, str(result))
        self.assertIn("started, mode 1", result.err)
        self.assertNotIn("sync all", self.service.err)

    def test_some_accounts(self):
        "--oneshot of two accounts, one of which another process has, does both"
        self.write(self.home, "more")
        result = self.run_program(self.home, "--oneshot")
        self.line(result, "more: started, mode 1")
        self.line(result, "work: copied 1 local")
        self.assertNotIn("work: started", result.err)
        self.assertEqual(result.status, 1)
        second = self.start(self.home, wait=False)
        self.wait_for_log(second, "more: started")
        self.assertIn("has the name", second.err)

    def test_a_link_to_the_database_is_the_database(self):
        "the account is recognized by its database, by whatever path"
        link = self.home.dir / "link"
        link.symlink_to(self.home.dir / "data")
        (self.home.dir / "data" / "imapsync").mkdir(exist_ok=True)
        (self.home.dir / "data" / "imapsync" / "work.db").touch()
        result = self.run_program(self.home, "--oneshot", env={"XDG_DATA_HOME": str(link)})
        self.line(result, "does the work")

    def test_the_running_one_ends_meanwhile(self):
        "what it did not finish is done here"
        second = self.start(self.home, "--oneshot", "hang", wait=False)
        self.wait_for_log(self.service, "sync hang")
        self.service.kill(signal.SIGTERM)
        result = second.wait(60)
        self.line(result, "ended meanwhile")
        self.line(result, "started, mode 1")
        self.assertEqual(result.status, 0)

    def test_the_running_one_dies_meanwhile(self):
        "a crash of the running one does not keep it from the work"
        second = self.start(self.home, "--oneshot", "hang", wait=False)
        self.wait_for_log(self.service, "sync hang")
        self.service.kill(signal.SIGKILL)
        self.service.result = True  # there is nothing to wait for
        result = second.wait(60)
        self.assertEqual(result.status, 0, str(result))

    def test_a_signal_while_it_waits(self):
        "SIGTERM ends who waits, not who works"
        second = self.start(self.home, "--oneshot", "hang", wait=False)
        self.wait_for_log(self.service, "sync hang")
        second.kill(signal.SIGTERM)
        self.assertEqual(second.wait(3).status, -signal.SIGTERM)
        self.assertIsNone(self.service.process.poll())

    def test_the_name_is_free_at_the_end(self):
        "SIGTERM gives the name back; the next one gets it"
        self.service.kill(signal.SIGTERM)
        self.assertEqual(self.service.wait(60).status, 0)
        self.assertFalse(self.peer.has_name())
        third = self.start(self.home)
        self.assertEqual(self.peer.pid_of(), third.pid)


class Stopped(BusCase):
    def test_one_that_does_not_answer(self):
        "a stopped process with the name holds nobody up for long"
        home = self.make_home("work")
        service = self.start(home)
        service.kill(signal.SIGSTOP)
        try:
            result = self.run_program(home, "--oneshot")
            self.assertIn("started, mode 1", result.err)
            self.assertLess(result.seconds, 25, "as long as a call waits by default")
        finally:
            service.kill(signal.SIGCONT)


class NoBus(BusCase):
    def test_without_a_bus(self):
        "no session bus, no system bus: it runs all the same, and starts none"
        home = self.make_home("work")
        for address in (None, "", "unix:path=/nonexistent/bus", "nonsense"):
            env = {"DBUS_SESSION_BUS_ADDRESS": address} if address is not None else {}
            env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={self.bus.dir}/none"
            env["DISPLAY"] = ":99"  # where GLib would start a bus
            running = home.start(program=fake_engine(), env=env)
            self.addCleanup(self.stop, running)
            place.wait_until(lambda: "started" in running.err, 60, "the account")
            self.assertLess(running.err.count("\n"), 5, running.err)
            running.kill(signal.SIGTERM)
            result = running.wait(60)
            self.assertEqual(result.status, 0, str(result))
            result = home.start("--oneshot", program=fake_engine(), env=env).wait(60)
            self.assertEqual(result.status, 0, str(result))

    def test_a_bus_that_never_answers(self):
        "a socket where nobody speaks delays the start by seconds only"
        import socket

        home = self.make_home("work")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(self.bus.dir / "silent"))
            silent.listen()
            env = {**self.environment(), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.bus.dir}/silent"}
            running = home.start(program=fake_engine(), env=env)
            self.addCleanup(self.stop, running)
            place.wait_until(lambda: "started" in running.err, 60, "the account")
            running.kill(signal.SIGTERM)
            self.assertEqual(running.wait(60).status, 0)

    def test_the_root_object_is_there_with_the_name(self):
        "who asks as soon as the name is there finds the accounts"
        home = self.make_home("work", "home")
        seen = []
        self.start(home, wait=False)
        self.peer.wait_for_name()
        seen = sorted(self.peer.objects())
        self.assertEqual(seen, [account_path("home"), account_path("work")])
        self.assertEqual(self.peer.get(ROOT, "Accounts"), seen)
