# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's session around the real engine: networks that cost or want a login, what the applet is
told, and an end that does not wait."""

import signal
import socket
import threading
import time

from harness import place
from harness.bus import Bus
from harness.dovecot import Dovecot
from harness.seed import simple
from harness.service import Client, account_path
from harness.tamper import Tamper

from bus.test_network import MOCK, NM, NM_PATH, add_metered
from bus.test_real import RealCase

WORK = account_path("work")
LARGE = "x" * 78 + "\r\n"


class Socks:
    """A SOCKS5 proxy that leads every name to one port here: so a server can have a name of the network."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, client.makefile("rb") as stream:
            stream.read(stream.read(2)[1])
            client.sendall(b"\5\0")
            kind = stream.read(4)[3]
            stream.read({1: 4, 4: 16}.get(kind) or stream.read(1)[0])
            stream.read(2)
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
                threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
                self.pump(client, server)

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Session(RealCase):
    """The remote server is behind a proxy that can refuse in its name."""

    remote = {}

    def setUp(self):
        super().setUp()
        self.tamper = Tamper(self.servers[1].port).start()
        self.addCleanup(self.tamper.close)

    def setup_account(self, **options):
        local, remote = self.servers[0].settings(self.user, "tunnel"), self.servers[1].settings(self.user, "imap")
        remote["port"] = self.tamper.port
        options = {name.replace("_", "-"): value for name, value in options.items()}
        self.write(self.home, "work", local, {**remote, **self.remote}, **options)

    def wait_watching(self, seconds=60):
        self.peer.wait_for(WORK, "Status", "watching", seconds)


class Told(Session):
    def test_new_mail_is_counted_where_it_is_asked_for(self):
        "notify-new-mail: unread and new on the remote server; not the first copy, not read mail, not local mail"
        for wanted in (True, False):
            self.setup_account(notify_new_mail="YES" if wanted else "NO", database=f"{wanted}.db")
            self.append(1, f"old {wanted}")
            service = self.start(self.home)
            self.wait_watching()
            heard = self.peer.listen("SyncFinished")
            self.append(0, "local")
            with self.servers[1].connect(self.user) as client:
                client.append("INBOX", simple(f"read {wanted}", flags=("\\Seen",)))
                client.append("INBOX", simple(f"new {wanted}"), simple(f"new too {wanted}"))
            self.peer.wait(self.identical)
            self.peer.wait(lambda: sum(s[3][1]["copied-local"] for s in heard) == 3)
            self.assertEqual(sum(s[3][1]["new-mail"] for s in heard), 2 if wanted else 0)
            self.stop(service)

    def test_remaining(self):
        "Remaining counts down while messages are copied"
        self.setup_account()
        with self.servers[1].connect(self.user) as client:
            client.append("INBOX", *(simple(f"m{i}", body=LARGE * 2000) for i in range(60)))
        self.tamper.reply = lambda data: (time.sleep(0.02), data)[1]  # or it is done before anything is told
        changed = self.peer.listen("PropertiesChanged", WORK)
        self.start(self.home)
        self.wait_watching(60)
        self.peer.wait(lambda: any(s[3][1].get("Status") == "watching" for s in changed))
        seen = [s[3][1]["Remaining"] for s in changed if "Remaining" in s[3][1]]
        self.assertTrue(seen and seen == sorted(seen, reverse=True), seen)
        self.assertEqual(seen[-1], 0)
        self.assertLessEqual(seen[0], 60)

    def test_a_refused_message_has_its_subject_and_size(self):
        "who decides about a message has to know which one it is"
        self.tamper.command = lambda data: b"NO [TOOBIG] Too large" if b"_bad?= day" in data else None
        self.setup_account()
        with self.servers[0].connect(self.user) as client:
            client.append("INBOX", simple("good"),
                          simple("=?utf-8?q?Gr=C3=BC=C3=9Fe=2C?= =?utf-8?q?_bad?= day", message_id="<bad@simple>"))  # fmt: skip
        heard = self.peer.listen("Conflict")
        self.start(self.home)
        self.peer.wait_for(WORK, "Conflicts", 1)
        self.wait_watching()
        ((_, kind, mailbox, local, remote, details),) = self.peer.call(WORK, "ListConflicts")[0]
        self.assertEqual((kind, mailbox, local, remote), ("refused", "INBOX", 2, 0))
        self.assertEqual(details["subject"], "Grüße, bad day")
        self.assertIn("Too large", details["reason"])
        self.assertGreater(int(details["size"]), 50)
        self.peer.wait(lambda: heard)
        self.assertEqual([s[3][5] for s in heard], [details], "told once, with everything")
        self.assertEqual(self.peer.get(WORK, "Held"), 1)


class Networked(Session):
    """NetworkManager is python3-dbusmock's."""

    def setUp(self):
        super().setUp()
        self.socks = Socks(self.tamper.port)
        self.addCleanup(self.socks.close)
        self.remote = {"host": "imap.test", "proxy": f"socks5://127.0.0.1:{self.socks.port}", "auth": "PLAIN"}
        self.system = Bus().start()
        self.addCleanup(self.system.close)
        self.boss = Client(self.system.address)
        self.addCleanup(self.boss.close)
        log = open(self.system.dir / "nm.log", "w")
        self.addCleanup(log.close)
        process = place.spawn(["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "networkmanager"],
                              stdout=log, stderr=log,
                              env={"PATH": "/usr/bin:/bin", "DBUS_SYSTEM_BUS_ADDRESS": self.system.address})  # fmt: skip
        self.addCleanup(place.stop, process)
        self.boss.wait_for_name(NM)
        add_metered(self.boss)

    def environment(self, **more):
        return super().environment(DBUS_SYSTEM_BUS_ADDRESS=self.system.address, **more)

    def network(self, connectivity=4, metered=False):
        from gi.repository import GLib

        values = {"State": GLib.Variant("u", 70 if connectivity else 20), "Connectivity": GLib.Variant("u", connectivity),
                  "Metered": GLib.Variant("u", 1 if metered else 2)}  # fmt: skip
        self.boss.call(NM_PATH, "UpdateProperties", "(sa{sv})", NM, values, iface=MOCK, to=NM)

    def large_and_small(self, client, mark):
        client.append("INBOX", simple(f"large {mark}", body=LARGE * 14000), simple(f"small {mark}"))

    def subjects(self, side):
        with self.servers[side].connect(self.user) as client:
            client.select("INBOX")
            return len(client.uids())

    def test_light(self):
        "metered=light: no message above 1 MiB is copied, either way, until the network is another one"
        self.network(metered=True)
        self.setup_account(metered="light")
        for server, mark in zip(self.servers, "lr"):
            with server.connect(self.user) as client:
                self.large_and_small(client, mark)
        service = self.start(self.home)
        self.wait_watching()
        self.assertEqual([self.subjects(0), self.subjects(1)], [3, 3])
        self.assertEqual(self.peer.get(WORK, "Waiting"), 2)
        self.assertEqual((self.peer.get(WORK, "Held"), self.peer.get(WORK, "Conflicts")), (0, 0))
        # In the second run nothing is done: R8; nor is a repair no matter what it costs.
        figures = self.peer.call(WORK, "SyncAndWait", "(as)", [])[0]
        self.assertEqual(figures["copied-local"] + figures["copied-remote"], 0, figures)
        self.peer.call(WORK, "RepairAndWait", "(as)", [])
        self.assertEqual([self.subjects(0), self.subjects(1)], [3, 3])
        # One that its owner deletes waits no more; a restart changes nothing.
        with self.servers[0].connect(self.user) as client:
            client.select("INBOX")
            client.expunge([1])
        self.peer.wait_for(WORK, "Waiting", 1)
        self.stop(service)
        self.start(self.home)
        self.wait_watching()
        self.assertEqual(self.peer.get(WORK, "Waiting"), 1)
        self.network()
        self.peer.wait(self.identical)
        self.peer.wait_for(WORK, "Waiting", 0)
        self.assertEqual(self.subjects(0), 3)
        self.network(metered=True)
        self.peer.spin(3)  # changes of the network are gathered for a second
        with self.servers[1].connect(self.user) as client:
            self.large_and_small(client, "again")
        self.peer.wait_for(WORK, "Waiting", 1)
        self.assertEqual(self.subjects(0), 4)

    def test_full(self):
        "without the option a metered network is a network"
        self.network(metered=True)
        self.setup_account()
        with self.servers[1].connect(self.user) as client:
            self.large_and_small(client, "r")
        self.start(self.home)
        self.wait_watching()
        self.assertTrue(self.identical())

    def test_pause(self):
        "metered=pause: no connection while it is metered, but for who resumes; with another network it goes on"
        self.network(metered=True)
        self.setup_account(metered="pause")
        self.append(1, "new")
        self.start(self.home)
        self.peer.wait_for(WORK, "Status", "paused")
        self.assertEqual((self.peer.get(WORK, "ErrorCode"), self.peer.get(WORK, "PausedUntil")), ("metered", 0))
        self.assertBusError("Paused", self.peer.call, WORK, "SyncAndWait", "(as)", [])
        self.assertFalse(self.identical())
        self.network()
        self.wait_watching()
        self.assertTrue(self.identical())
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "")
        self.network(metered=True)
        self.peer.wait_for(WORK, "Status", "paused")
        self.peer.call(WORK, "Resume")
        self.wait_watching()
        self.append(1, "in spite of it")
        self.peer.wait(self.identical)
        self.network()
        self.peer.spin(3)
        self.network(metered=True)
        self.peer.wait_for(WORK, "Status", "paused")

    def test_captive_portal(self):
        "behind a captive portal nothing is tried, and the code says so; behind it, it goes on at once"
        self.network(connectivity=2)
        self.setup_account()
        self.append(1, "new")
        self.start(self.home)
        self.peer.wait_for(WORK, "ErrorCode", "portal")
        self.assertEqual(self.peer.get(WORK, "Status"), "offline")
        self.assertEqual(self.peer.get(WORK, "NextTry"), 0)
        self.assertFalse(self.identical())
        self.network()
        self.wait_watching()
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "")
        self.assertTrue(self.identical())
        self.network(connectivity=0)
        self.peer.wait_for(WORK, "Status", "offline")
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "")
        self.network()
        self.wait_watching()


class Slow:
    """A TCP proxy that lets @rate bytes a second pass in each direction; 0: none, and the connection stays open."""

    def __init__(self, port):
        self.target, self.rate = port, None
        self.passed = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.closed = False
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.closed = True
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                begun = time.monotonic()
                while not self.closed and self.rate is not None and (
                    self.rate == 0 or time.monotonic() - begun < len(data) / self.rate):
                    time.sleep(0.01)
                target.sendall(data)
                self.passed += len(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            for sock in (source, target):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class End(Session):
    """SIGTERM has two seconds. On a busy machine everything takes longer; what these tests prove is that it
    waits for no transfer and no server, which would take minutes here."""

    cost = 30
    plain = True
    builds = ("gcc",)
    MIB = 1 << 20
    SIZE, RATE, LIMIT = 200 * MIB, MIB, 10

    def setUp(self):
        super().setUp()
        self.slow = Slow(self.servers[1].port)
        self.addCleanup(self.slow.close)
        self.remote = {"port": self.slow.port}

    def end(self, service, signal_number=signal.SIGTERM):
        begun = time.monotonic()
        service.kill(signal_number)
        result = service.wait(120)
        took = time.monotonic() - begun
        self.assertEqual(result.status, 0, result)
        self.assertLess(took, self.LIMIT, "the promise is two seconds")

    def huge(self, side):
        line = b"x" * 78 + b"\r\n"
        with self.servers[side].connect(self.user) as client:
            client.append("INBOX", simple("huge").body + line * (self.SIZE // len(line)))

    def check_continues(self):
        self.slow.rate = None
        self.start(self.home)
        self.wait_watching(120)
        self.assertTrue(self.identical())
        self.assertEqual(self.peer.get(WORK, "Messages"), 1)

    def in_the_middle(self, side, rate):
        """Ends it while the message is on its way from @side, @rate from the middle on."""
        self.setup_account()
        self.huge(side)
        self.slow.rate = 100 * self.MIB
        service = self.start(self.home)
        self.peer.wait(lambda: self.slow.passed > self.SIZE // 10, 60, "a tenth of the message")
        self.slow.rate = rate
        self.peer.spin(1)
        self.assertEqual(self.peer.get(WORK, "Status"), "syncing")
        self.assertLess(self.slow.passed, self.SIZE * 9 // 10)
        self.end(service)
        self.check_continues()

    def test_in_the_middle_of_a_large_message_to_the_local_server(self):
        "200 MiB come slowly: it ends at once, and the next start has the message once"
        self.in_the_middle(1, self.RATE)

    def test_in_the_middle_of_a_large_message_to_the_remote_server(self):
        "200 MiB go slowly: it ends at once, and the next start has the message once"
        self.in_the_middle(0, self.RATE)

    def test_a_server_that_fell_silent_in_the_middle_of_a_message(self):
        "nothing comes any more: it ends at once"
        self.in_the_middle(1, 0)

    def test_a_server_that_fell_silent_in_the_middle_of_our_message(self):
        "nothing is taken any more: it ends at once"
        self.in_the_middle(0, 0)

    def test_a_server_that_is_silent_while_it_rests(self):
        "no answer to LOGOUT, or to a command that a person asked for: it ends at once, by SIGINT too"
        self.setup_account()
        for number, sync in ((signal.SIGTERM, False), (signal.SIGINT, True)):
            self.slow.rate = None
            service = self.start(self.home)
            self.wait_watching()
            self.slow.rate = 0
            if sync:
                self.peer.call(WORK, "Sync", "(as)", [])
                self.peer.wait_for(WORK, "Status", "syncing")
            self.end(service, number)

    def test_a_server_that_never_greets(self):
        "the connection is there and nobody speaks: it ends at once"
        self.setup_account()
        self.slow.rate = 0
        service = self.start(self.home)
        self.peer.wait_for(WORK, "Status", "connecting")
        self.peer.spin(0.5)
        self.end(service)


class Full(Session):
    def test_a_disk_that_is_full_at_the_start(self):
        "it stays, says so, tries again by itself, and goes on as soon as there is room"
        self.setup_account()
        self.append(1, "new")
        data = self.home.dir / "data" / "imapsync"
        data.mkdir(exist_ok=True)
        user = [] if place.ROOT else ["--map-current-user", "--keep-caps"]
        script = 'mount -t tmpfs -o size=128m none "$1" && head -c 200M /dev/zero >"$1/fill"; shift; exec "$@"'
        service = self.start(self.home, prefix=["unshare", "--mount", *user, "sh", "-c", script, "sh", str(data)])
        self.peer.wait_for(WORK, "ErrorCode", "disk-full")
        self.assertEqual(self.peer.get(WORK, "Status"), "error")
        self.assertGreater(self.peer.get(WORK, "NextTry"), time.time() - 1)
        self.assertBusError("DiskFull", self.peer.call, WORK, "SyncAndWait", "(as)", [])
        self.peer.call(WORK, "Pause")
        (place.Path(f"/proc/{service.pid}/root{data}") / "fill").unlink()
        self.peer.call(WORK, "Resume")
        self.wait_watching(60)
        self.assertEqual(self.peer.get(WORK, "ErrorCode"), "")
        self.assertTrue(self.identical())

    def test_a_disk_that_is_full_all_the_time(self):
        "--oneshot ends with 2, and the staying one with 0 at SIGTERM"
        self.setup_account()
        data = self.home.dir / "data" / "imapsync"
        data.mkdir(exist_ok=True)
        user = [] if place.ROOT else ["--map-current-user", "--keep-caps"]
        script = 'mount -t tmpfs -o size=64k none "$1" && head -c 5M /dev/zero >"$1/fill"; shift; exec "$@"'
        prefix = ["unshare", "--mount", *user, "sh", "-c", script, "sh", str(data)]
        result = self.home.start("--oneshot", env=self.environment(), prefix=prefix).wait(60)
        self.assertEqual(result.status, 2, result)
        service = self.start(self.home, prefix=prefix)
        self.peer.wait_for(WORK, "ErrorCode", "disk-full")
        service.kill(signal.SIGTERM)
        self.assertEqual(service.wait(60).status, 0)
