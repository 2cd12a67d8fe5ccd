# SPDX-License-Identifier: GPL-3.0-or-later
"""The D-Bus interface, member by member, with an engine that does what the test asks for."""

import os
import re
import shlex
import time
import xml.etree.ElementTree as xml

from gi.repository import Gio
from harness import place
from harness.service import ACCOUNT, NAME, PROPERTIES, ROOT, BusCase, account_path

FIGURES = {
    "copied-local": 1, "copied-remote": 2, "moved-local": 3, "moved-remote": 4, "flags-local": 5, "flags-remote": 6,
    "expunged-local": 7, "expunged-remote": 8, "bytes-local": 9, "bytes-remote": 10, "seconds": 1.5, "problems": 11, "new-mail": 12,
}  # fmt: skip
WORK = account_path("work")
ERRORS = {
    "certificate": "Certificate", "auth": "Auth", "keyring": "Keyring", "dns": "Dns", "refused": "Refused",
    "timeout": "Timeout", "portal": "Portal", "capability": "Capability", "protocol": "Protocol",
    "database": "Database", "disk-full": "DiskFull", "something else": "Failed",
}  # fmt: skip


class Documented(BusCase):
    def members(self, node):
        return {(kind, e.get("name")): e for kind in ("method", "signal", "property") for e in node.iter(kind)}

    def test_the_xml_is_what_is_there(self):
        "the documented members are those of the running service, each with a comment"
        home = self.make_home("work")
        self.start(home)
        for interface, path in ((NAME, ROOT), (ACCOUNT, WORK)):
            text = (place.SOURCE / "data" / f"{interface}.xml").read_text()
            written = next(n for n in xml.fromstring(text).iter("interface"))
            live = self.peer.call(path, "Introspect", iface="org.freedesktop.DBus.Introspectable")[0]
            running = next(n for n in xml.fromstring(live).iter("interface") if n.get("name") == interface)
            described = self.members(written)
            self.assertEqual(set(described), set(self.members(running)))
            for (kind, name), element in described.items():
                other = self.members(running)[kind, name]
                self.assertEqual(element.get("type"), other.get("type"), name)
                self.assertEqual([a.get("type") for a in element.iter("arg")], [a.get("type") for a in other.iter("arg")])
                comment = re.search(rf"<!--\s*\n\s+{name}:\n(.*?)-->\s*<{kind} name=\"{name}\"", text, re.S)
                self.assertTrue(comment, f"no comment before {kind} {name}")
                for arg in element.iter("arg"):
                    self.assertIn(f"@{arg.get('name')}:", comment.group(1), f"{name} says nothing of an argument")

    def test_every_member_can_be_read_by_busctl(self):
        "busctl introspect shows the value of each property of an account: all are flat"
        self.start(self.make_home("work"))
        self.peer.wait_for(WORK, "Status", "watching")
        done = self.tool("busctl", "--user", "introspect", NAME, WORK, ACCOUNT)
        values = {line.split()[0][1:]: line.split()[3] for line in done.stdout.splitlines() if " property " in line}
        self.assertEqual(len(values), 18, done.stdout + done.stderr)
        self.assertNotIn("-", values.values(), done.stdout)


class Account(BusCase):
    def setUp(self):
        super().setUp()
        self.home = self.make_home("work")
        self.service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "watching")

    def call(self, method, *arguments, **options):
        return self.peer.call(WORK, method, *arguments, **options)

    def act(self, *names):
        """The engine does what the mailboxes say."""
        return self.call("SyncAndWait", "(as)", list(names))

    def test_properties(self):
        "each property has the engine's value"
        values = self.peer.get_all(WORK)
        self.assertEqual(values, {
            "Id": "work", "Name": "work", "Local": "tunnel x", "Remote": "localhost", "Status": "watching",
            "Database": str(self.home.dir / "data" / "imapsync" / "work.db"), "ErrorCode": "", "ErrorMessage": "",
            "LastSync": 1600000000, "Progress": 0, "Remaining": 0, "PausedUntil": 0, "NextTry": 0, "Mailboxes": 3, "Messages": 1234,
            "Conflicts": 2, "Held": 1, "Waiting": 4})  # fmt: skip

    def test_properties_cannot_be_set(self):
        "there is nothing to write"
        done = self.tool("busctl", "--user", "set-property", NAME, WORK, ACCOUNT, "Status", "s", "watching")
        self.assertNotEqual(done.returncode, 0)

    def test_each_status(self):
        "every status has its name, and the root object the worst"
        names = "watching syncing connecting paused offline keyring-locked auth-failed error".split()
        for number, name in enumerate(names):
            if name == "paused":
                continue
            self.act(f"status={number}")
            self.assertEqual(self.peer.get(WORK, "Status"), name)
            self.peer.wait_for(ROOT, "Status", name)

    def test_errors_as_properties(self):
        "a code and a sentence, of which what is no UTF-8 is replaced"
        self.act("error=certificate")
        self.assertEqual(self.peer.get(WORK, "Status"), "error")
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "certificate")
        self.assertEqual(self.peer.get(WORK, "ErrorMessage"), "what \N{REPLACEMENT CHARACTER} went wrong")
        self.act("error=")
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "")

    def test_sync(self):
        "Sync returns at once and takes mailboxes"
        for arguments, said in (((["hang"],), "sync hang"), (([],), "sync all"), ((["a/b", "ä"],), "sync a/b|ä")):
            self.assertEqual(self.call("Sync", "(as)", *arguments), ())
            self.wait_for_log(self.service, said)

    def test_sync_and_wait(self):
        "SyncAndWait returns the figures when the pass has ended"
        self.assertEqual(self.act(), (FIGURES,))
        answer = self.peer.start(WORK, "SyncAndWait", "(as)", ["hang"])
        self.peer.spin(0.5)
        self.assertEqual(answer, [])

    def test_repair(self):
        "Repair and RepairAndWait"
        self.assertEqual(self.call("Repair", "(as)", ["a"]), ())
        self.wait_for_log(self.service, "repair a")
        self.assertEqual(self.call("RepairAndWait", "(as)", []), (FIGURES,))
        self.wait_for_log(self.service, "repair all")

    def test_a_pass_that_fails_is_an_error(self):
        "each of the engine's errors has a name on the bus, and the message stands alone"
        for code, name in ERRORS.items():
            self.assertBusError(name, self.act, f"fail={code}", says=f"it failed: {code}")
        self.assertBusError("InvalidArgument", self.act, "fail=config", says="it failed: config")

    def test_pause_and_resume(self):
        "Pause, PauseUntil and Resume; what cannot be done while paused says so"
        self.call("Pause")
        self.wait_for_log(self.service, "pause 0")
        self.peer.wait_for(WORK, "Status", "paused")
        for method in ("Sync", "SyncAndWait", "Repair", "RepairAndWait"):
            self.assertBusError("Paused", self.call, method, "(as)", [], says="paused")
        self.call("Resume")
        self.peer.wait_for(WORK, "Status", "watching")
        until = int(time.time()) + 100
        self.call("PauseUntil", "(t)", until)
        self.peer.wait_for(WORK, "PausedUntil", until)
        self.call("Resume")
        self.call("PauseUntil", "(t)", 0)
        self.peer.wait_for(WORK, "Status", "paused")
        self.assertEqual(self.peer.get(WORK, "PausedUntil"), 0)

    def test_wrong_arguments(self):
        "a wrong argument is InvalidArgument, and the text says which"
        for mailboxes, number in ((["a", ""], 2), ([""], 1)):
            for method in ("Sync", "SyncAndWait", "Repair", "RepairAndWait"):
                self.assertBusError("InvalidArgument", self.call, method, "(as)", mailboxes,
                                    says=("mailboxes", str(number)))  # fmt: skip
        for moment in (1, int(time.time()) - 1, 2**63, 2**64 - 1):
            self.assertBusError("InvalidArgument", self.call, "PauseUntil", "(t)", moment, says=("time", str(moment)))
        self.assertBusError("InvalidArgument", self.call, "Resolve", "(ts)", 7, "", says="choice")
        self.assertBusError("InvalidArgument", self.call, "Resolve", "(ts)", 7, "later", says="later")
        self.assertBusError("InvalidArgument", self.call, "Resolve", "(ts)", 8, "apply", says="8")
        self.assertNotIn("pause", self.service.err)

    def test_wrong_types(self):
        "calls whose types are wrong, unknown methods and unknown objects do no harm"
        wrong = "org.freedesktop.DBus.Error.InvalidArgs"
        self.assertBusError(wrong, self.call, "Sync", "(s)", "INBOX")
        self.assertBusError(wrong, self.call, "Sync")
        self.assertBusError(wrong, self.call, "PauseUntil", "(i)", 1)
        self.assertBusError(wrong, self.call, "Pause", "(b)", True)
        self.assertBusError(wrong, self.call, "Resolve", "(us)", 7, "apply")
        self.assertBusError("org.freedesktop.DBus.Error.UnknownMethod", self.call, "Syncc")
        self.assertBusError("org.freedesktop.DBus.Error.UnknownMethod", self.peer.call, account_path("other"), "Pause")
        self.assertEqual(self.act(), (FIGURES,))

    def test_conflicts(self):
        "ListConflicts has each conflict with its details as texts"
        self.assertEqual(self.call("ListConflicts"), ([
            (7, "mass-deletion", "INBOX", 0, 0, {"time": 1600000001, "messages": "20"}),
            (9, "refused", "Lists/ä", 12, 0, {"time": 1600000002, "reason": 'too "big"\nreally', "size": "9"}),
            (2**64 - 1, "flags", "a", 1, 2, {"time": 0, "bad": "\N{REPLACEMENT CHARACTER}"}),
        ],))  # fmt: skip

    def test_resolve(self):
        "Resolve reaches the engine, and ConflictResolved tells everybody"
        heard = self.peer.listen("ConflictResolved")
        self.call("Resolve", "(ts)", 7, "apply")
        self.peer.wait(lambda: heard)
        self.assertEqual([s[1:] for s in heard], [(WORK, "ConflictResolved", (7,))])

    def test_signals(self):
        "Conflict and SyncFinished, with all they carry"
        heard = self.peer.listen(iface=ACCOUNT)
        self.act("conflict", "passed", "unwell")
        self.peer.wait(lambda: len(heard) == 3)
        self.assertEqual([s[1:] for s in heard], [
            (WORK, "Conflict", (9, "refused", "Lists/ä", 12, 0,
                                {"time": 1600000002, "reason": 'too "big"\nreally', "size": "9"})),
            (WORK, "SyncFinished", (True, FIGURES)),
            (WORK, "SyncFinished", (False, FIGURES)),
        ])  # fmt: skip

    def test_changes_are_told_four_times_a_second(self):
        "hundred changes a second are at most four signals, the first at once and the last always"
        heard = self.peer.listen("PropertiesChanged", WORK)
        everything = self.peer.listen("PropertiesChanged")
        self.peer.spin(0.5)
        heard.clear()
        begun = time.monotonic()
        self.act("progress")
        self.peer.wait_for(WORK, "Status", "syncing")
        fresh, remaining = set(), []
        while self.peer.get(WORK, "Status") == "syncing":
            fresh.add(self.peer.get(WORK, "Progress"))
            remaining.append(self.peer.get(WORK, "Remaining"))
        lasted = time.monotonic() - begun
        self.peer.spin(0.6)
        self.assertGreater(lasted, 2.5)
        self.assertLess(heard[0][3][1].get("Progress", 0), 10, "the first change waits")
        for path in (WORK, ROOT):  # in all: where this process has to wait, they come in heaps
            times = [round(s[0] - begun, 3) for s in everything if s[1] == path and s[0] >= begun]
            self.assertLessEqual(len(times), lasted * 4 + 3, f"signals of {path} at {times}")
        self.assertGreaterEqual(len(heard), 4)
        self.assertEqual(heard[-1][3][1].get("Status"), "watching")
        self.assertEqual(heard[-1][3][1].get("Progress"), 100)
        self.assertEqual(remaining, sorted(remaining, reverse=True))
        self.assertGreater(remaining[0], remaining[-1])
        self.assertGreater(len(fresh), 30, "who asks gets the newest value")
        for _, _, _, (interface, changed, invalidated) in heard:
            self.assertEqual((interface, invalidated), (ACCOUNT, []))
            self.assertTrue(changed)

    def test_nothing_is_told_when_nothing_changed(self):
        "a snapshot like the last one is no signal"
        heard = self.peer.listen("PropertiesChanged")
        self.peer.spin(0.5)
        heard.clear()
        for _ in range(5):
            self.act("status=0")
            self.peer.spin(0.3)
        self.assertEqual(heard, [])

    def test_unlock_where_nothing_is_locked(self):
        "UnlockKeyring of an account with nothing locked returns"
        self.assertEqual(self.call("UnlockKeyring"), ())

    def test_an_account_that_ended(self):
        "who waits is answered, and so is every later call; the status tells"
        self.write(self.home, "other")
        self.peer.call(ROOT, "Reload")
        waiting = self.peer.start(WORK, "SyncAndWait", "(as)", ["hang"])
        self.call("Sync", "(as)", ["end=4"])
        self.peer.wait(lambda: waiting)
        self.assertBusError("Ended", lambda: (_ for _ in ()).throw(waiting[0]))
        self.assertEqual(self.peer.get(WORK, "Status"), "error")
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "database")
        for method, *arguments in (("Sync", "(as)", []), ("SyncAndWait", "(as)", []), ("Repair", "(as)", []), ("Pause",),
                                   ("PauseUntil", "(t)", 0), ("Resume",), ("UnlockKeyring",), ("ListConflicts",),
                                   ("Resolve", "(ts)", 7, "apply")):  # fmt: skip
            self.assertBusError("Ended", self.call, method, *arguments)
        self.assertEqual(self.peer.get(account_path("other"), "Status"), "watching")
        self.peer.call(ROOT, "Sync")
        self.wait_for_log(self.service, "other: sync all")

    # Many, and those who go away

    def test_two_clients(self):
        "two clients at once each get their own answers, and both hear what happens"
        other = self.connect()
        heard, also = self.peer.listen("SyncFinished"), other.listen("SyncFinished")
        answers = [p.start(WORK, "SyncAndWait", "(as)", ["passed"]) for p in (self.peer, other) * 20]
        self.peer.wait(lambda: all(answers))
        self.assertEqual([a[0] for a in answers], [(FIGURES,)] * 40)
        self.peer.wait(lambda: len(heard) == 40 and len(also) == 40)

    def test_a_client_that_goes_away(self):
        "nobody misses who left without waiting for the answer"
        for _ in range(10):
            other = self.connect()
            other.start(WORK, "SyncAndWait", "(as)", ["progress"])
            other.start(WORK, "SyncAndWait", "(as)", ["hang"])
            other.connection.flush_sync(None)
            other.close()
        self.assertEqual(self.act(), (FIGURES,))

    def test_the_bus_goes_away(self):
        "the work goes on without the bus, and the name comes back with it"
        self.bus.stop()
        self.wait_for_log_without_bus("the session bus went away")
        self.assertIsNone(self.service.process.poll())
        self.bus.start()
        self.peer = self.connect()
        self.peer.wait_for_name()
        self.assertEqual(self.act(), (FIGURES,))
        self.assertEqual(self.peer.pid_of(), self.service.pid)
        self.assertEqual(self.service.err.count("started"), 1)

    def test_the_bus_goes_away_for_good(self):
        "without the bus it ends like always"
        self.bus.stop()
        self.wait_for_log_without_bus("the session bus went away")
        self.service.kill(15)
        self.assertEqual(self.service.wait(60).status, 0)

    def wait_for_log_without_bus(self, text):
        place.wait_until(lambda: text in self.service.err, 10, text)


class Flood(BusCase):
    plain = True

    def setUp(self):
        super().setUp()
        self.service = self.start(self.make_home("work"))
        self.peer.wait_for(WORK, "Status", "watching")

    def test_a_thousand_calls_a_second(self):
        "1000 calls cost less than a second of processor time, are all answered, and memory stays"
        self.flood(1000)
        before = self.memory()
        begun = self.processor()
        self.flood(1000)
        self.assertLess(self.processor() - begun, 1, "seconds of processor time")
        self.flood(5000)
        self.assertLess(self.memory() - before, 20000, "KiB more after 6000 calls")
        self.assertEqual(self.peer.call(WORK, "SyncAndWait", "(as)", []), (FIGURES,))

    def flood(self, count):
        for _ in range(count // 100):  # the bus allows 128 calls under way
            answers = [self.peer.start(WORK, "Sync", "(as)", ["quietly"]) for _ in range(50)]
            answers += [self.peer.start(WORK, "Get", "(ss)", ACCOUNT, "Status", iface=PROPERTIES) for _ in range(50)]
            self.peer.wait(lambda: all(answers), 60)
            self.assertEqual({type(a[0]) for a in answers}, {tuple}, answers[0])

    def processor(self):
        fields = (place.Path("/proc") / str(self.service.pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        text = (place.Path("/proc") / str(self.service.pid) / "status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


class Root(BusCase):
    def setUp(self):
        super().setUp()
        self.home = self.make_home("b", "a", "1 ä_")
        self.service = self.start(self.home)
        self.paths = [account_path(n) for n in ("1 ä_", "a", "b")]
        for path in self.paths:
            self.peer.wait_for(path, "Status", "watching")

    def test_properties(self):
        "version, accounts in the order of the configuration, the worst status, all conflicts"
        self.peer.wait_for(ROOT, "Status", "watching")
        values = self.peer.get_all(ROOT)
        self.assertRegex(values.pop("Version"), r"^\d+\.\d+\.\d+$")
        self.assertEqual(values, {"Accounts": self.paths, "Status": "watching", "Conflicts": 6})

    def test_paths_are_escaped_as_systemd_does(self):
        "a script can write a path down"
        self.assertEqual(self.paths[0], ROOT + "/account/_31_20_c3_a4_5f")
        self.assertEqual(self.peer.get(self.paths[0], "Id"), "1 ä_")

    def test_object_manager(self):
        "Gio's object manager client sees the accounts and calls them"
        client = Gio.DBusObjectManagerClient.new_sync(self.peer.connection, 0, NAME, ROOT, None, None, None)
        self.assertEqual(sorted(o.get_object_path() for o in client.get_objects()), sorted(self.paths))
        proxy = client.get_interface(self.paths[1], ACCOUNT)
        self.assertEqual(proxy.get_cached_property("Id").unpack(), "a")
        self.assertEqual(proxy.SyncAndWait("(as)", []), FIGURES)

    def test_sync_pause_resume_for_all(self):
        "each method reaches every account; who is paused stays so"
        self.peer.call(self.paths[0], "Pause")
        self.peer.wait_for(self.paths[0], "Status", "paused")
        self.peer.call(ROOT, "Sync")
        self.wait_for_log(self.service, "sync all", count=2)
        self.assertNotIn("1 ä_: sync all", self.service.err)
        self.peer.call(ROOT, "Pause")
        self.wait_for_log(self.service, "pause 0", count=4)
        until = int(time.time()) + 50
        self.peer.call(ROOT, "PauseUntil", "(t)", until)
        self.wait_for_log(self.service, f"pause {until}", count=3)
        self.peer.call(ROOT, "Resume")
        self.wait_for_log(self.service, "resume", count=3)
        self.assertBusError("InvalidArgument", self.peer.call, ROOT, "PauseUntil", "(t)", 5, says="time 5")

    def test_the_worst_status_wins(self):
        "an error of one account is the root's status until it is gone"
        self.peer.call(self.paths[1], "SyncAndWait", "(as)", ["status=6"])
        self.peer.wait_for(ROOT, "Status", "auth-failed")
        self.peer.call(self.paths[2], "SyncAndWait", "(as)", ["error=dns"])
        self.peer.wait_for(ROOT, "Status", "error")
        self.peer.call(self.paths[2], "SyncAndWait", "(as)", ["error="])
        self.peer.wait_for(ROOT, "Status", "auth-failed")

    def test_tools(self):
        "what the documentation shows works with busctl and gdbus"
        account = self.paths[1]
        for command, expected in (
            (f"busctl --user call {NAME} {ROOT} {NAME} Sync", ""),
            (f"busctl --user --timeout=600 call {NAME} {account} {ACCOUNT} SyncAndWait as 0", 'a{sv} 13 "copied-local" t 1 '),
            (f"busctl --user get-property {NAME} {account} {ACCOUNT} Status", 's "watching"'),
            (f"busctl --user call {NAME} {account} {ACCOUNT} Resolve ts 7 apply", ""),
            (f"busctl --user -j call {NAME} {account} {ACCOUNT} ListConflicts", '{"type":"a(tsstta{sv})","data":[[[7,'),
            (f"gdbus call --session --dest {NAME} --object-path {account} --method {ACCOUNT}.SyncAndWait []", "({'copied-local': <uint64 1>"),
            (f"gdbus call --session --dest {NAME} --object-path {ROOT} --method {NAME}.PauseUntil 0", "()"),
        ):  # fmt: skip
            done = self.tool(*shlex.split(command))
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
            self.assertTrue(done.stdout.startswith(expected), f"{command}\n{done.stdout}")
        done = self.tool("busctl", "--user", "call", NAME, account, ACCOUNT, "Resolve", "ts", "1", "apply")
        self.assertIn("there is no conflict 1", done.stderr)
