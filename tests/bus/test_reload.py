# SPDX-License-Identifier: GPL-3.0-or-later
"""Reload() and SIGHUP: what changed is applied, what did not is left alone."""

import signal

from harness.service import ACCOUNT, ROOT, BusCase, account_path


class Reload(BusCase):
    def setUp(self):
        super().setUp()
        self.home = self.make_home("a", "b")
        self.service = self.start(self.home)
        for name in "ab":
            self.wait_for_log(self.service, f"{name}: started")
        self.seen = len(self.service.err)

    def reload(self):
        self.peer.call(ROOT, "Reload")

    def news(self):
        """What the engine was told since the last time, but for the network."""
        text = self.service.err[self.seen :]
        self.seen += len(text)
        return [line.removeprefix("imapsync: ") for line in text.splitlines()
                if line.endswith(("stopping", "started, mode 0"))]  # fmt: skip

    def accounts(self):
        return [path.rpartition("/")[2] for path in self.peer.get(ROOT, "Accounts")]

    def test_nothing_changed(self):
        "accounts whose configuration is the same are not disturbed, also when only comments changed"
        pause = self.peer.start(account_path("a"), "SyncAndWait", "(as)", ["hang"])
        self.reload()
        path = self.home.config / "a.conf"
        path.write_text("# a comment\n\n" + path.read_text().replace(" = ", "="))
        self.reload()
        self.assertEqual(self.news(), [])
        self.assertEqual(pause, [])

    def test_changed(self):
        "an account that changed ends and begins anew, before the call returns"
        heard = self.peer.listen(iface="org.freedesktop.DBus.ObjectManager")
        self.write(self.home, "b", timeout=7)
        self.reload()
        self.assertEqual(self.news(), ["b: stopping", "b: started, mode 0"])
        self.peer.wait(lambda: len(heard) == 2)
        self.assertEqual([(s[2], s[3][0]) for s in heard],
                         [("InterfacesRemoved", account_path("b")), ("InterfacesAdded", account_path("b"))])  # fmt: skip
        self.assertEqual(self.accounts(), ["a", "b"])
        self.peer.wait_for(account_path("b"), "Status", "watching")

    def test_added_and_removed(self):
        "accounts come and go, in the order of the configuration"
        self.write(self.home, "aa")
        self.reload()
        self.assertEqual(self.news(), ["aa: started, mode 0"])
        self.assertEqual(self.accounts(), ["a", "aa", "b"])
        (self.home.config / "a.conf").unlink()
        self.reload()
        self.assertEqual(self.news(), ["a: stopping"])
        self.assertEqual(self.accounts(), ["aa", "b"])
        self.assertEqual(set(self.peer.objects()), {account_path("aa"), account_path("b")})

    def test_renamed(self):
        "a database changes hands only when the old account has ended"
        (self.home.config / "a.conf").rename(self.home.config / "c.conf")
        self.reload()
        self.assertEqual(self.news(), ["a: stopping", "c: started, mode 0"])

    def test_all_change(self):
        "the service does not end while it has no account"
        for name in "ab":
            self.write(self.home, name, timeout=9)
        self.reload()
        self.assertEqual(sorted(self.news()), sorted(f"{n}: {w}" for n in "ab" for w in ("stopping", "started, mode 0")))

    def test_an_error(self):
        "an error in the configuration is the reply, and nothing changes"
        (self.home.config / "a.conf").unlink()
        path = self.home.config / "b.conf"
        good = path.read_text()
        path.write_text(good.replace("host", "hots"))
        self.assertBusError("Config", self.peer.call, ROOT, "Reload", says=("b.conf:", "hots", "host"))
        self.assertEqual(self.news(), [])
        self.assertEqual(self.accounts(), ["a", "b"])
        for other in self.home.config.iterdir():
            other.unlink()
        self.assertBusError("Config", self.peer.call, ROOT, "Reload", says="no *.conf")
        path.write_text(good)
        self.reload()
        self.assertEqual(self.news(), ["a: stopping"])

    def test_several_at_once(self):
        "calls while an account still ends are all answered, and the last configuration counts"
        answers = []
        for timeout in (11, 12, 13):
            self.write(self.home, "a", timeout=timeout)
            answers.append(self.peer.start(ROOT, "Reload"))
            self.peer.spin(0.02)
        self.peer.wait(lambda: all(answers))
        self.assertEqual([a[0] for a in answers], [()] * 3)
        news = self.news()
        self.assertEqual(news, ["a: stopping", "a: started, mode 0"] * (len(news) // 2))
        self.reload()
        self.assertEqual(self.news(), [], "the last one was not applied")

    def test_an_account_that_ended_gets_another_chance(self):
        "an account that gave up begins again"
        self.peer.call(account_path("a"), "Sync", "(as)", ["end=2"])
        self.peer.wait_for(account_path("a"), "Status", "error")
        self.reload()
        self.assertEqual(self.news(), ["a: started, mode 0"])
        self.peer.wait_for(account_path("a"), "Status", "watching")
        self.service.kill(signal.SIGTERM)
        self.assertEqual(self.service.wait(60).status, 0)

    def test_a_call_meanwhile(self):
        "who waits for a pass of an account that goes is answered"
        answer = self.peer.start(account_path("a"), "SyncAndWait", "(as)", ["hang"])
        self.write(self.home, "a", timeout=5)
        self.reload()
        self.peer.wait(lambda: answer)
        self.assertEqual(answer[0].name, "org.imapsync.Sync1.Error.Ended")

    def test_sighup(self):
        "SIGHUP does the same, and a wrong configuration is a warning"
        self.write(self.home, "b", timeout=8)
        self.service.kill(signal.SIGHUP)
        self.wait_for_log(self.service, "b: started", count=2)
        self.assertEqual(self.news(), ["b: stopping", "b: started, mode 0"])
        (self.home.config / "b.conf").write_text("nonsense")
        self.service.kill(signal.SIGHUP)
        self.wait_for_log(self.service, "the configuration stays as it was")
        self.assertEqual(self.news(), [])
        self.assertIsNone(self.service.process.poll())

    def test_the_end_meanwhile(self):
        "a reload that the end overtakes is answered"
        self.write(self.home, "a", timeout=5)
        answer = self.peer.start(ROOT, "Reload")
        self.peer.spin(0.02)
        self.service.kill(signal.SIGTERM)
        self.peer.wait(lambda: answer)
        self.assertEqual(self.service.wait(60).status, 0)


class OneFile(BusCase):
    def test_options_of_the_command_line_stay(self):
        "what --config named is read again"
        home = self.make_home("a", "b")
        service = self.start(home, "--config", home.config / "a.conf")
        self.assertEqual(self.peer.get(ROOT, "Accounts"), [account_path("a")])
        self.peer.call(ROOT, "Reload")
        self.assertEqual(self.peer.get(ROOT, "Accounts"), [account_path("a")])
        self.assertEqual(self.peer.call(account_path("a"), "GetAll", "(s)", ACCOUNT,
                                        iface="org.freedesktop.DBus.Properties")[0]["Id"], "a")  # fmt: skip
        self.assertNotIn("stopping", service.err)
