# SPDX-License-Identifier: GPL-3.0-or-later
"""The library tests itself: what it says has to be right before anything else is believed."""

import os
import re
import shutil
import subprocess
import time
import unittest

from harness import compare, imap, place, seed, tolerances
from harness.cyrus import Cyrus, Unavailable
from harness.dovecot import FORMATS, Dovecot
from harness.imap import Client, Disconnected, ImapError, Message
from harness.imapsync import Account, Result, format_config
from harness.proxy import Proxy
from harness.scripted import CLOSE, Scripted
from harness.seed import simple


class PureClient(unittest.TestCase):
    """The parts of the client that need no server."""

    def test_names(self):
        "mailbox names survive modified UTF-7 and are what RFC 3501 says"
        for name in (*seed.mailbox_names(), "~peter/mail/台北/日本語", "&", "&-", "a&b", "\U0001f4e7"):
            self.assertEqual(imap.decode_name(imap.encode_name(name)), name)
        self.assertEqual(imap.encode_name("~peter/mail/台北/日本語"), b"~peter/mail/&U,BTFw-/&ZeVnLIqe-")
        self.assertEqual(imap.encode_name("R&D"), b"R&-D")

    def test_dates(self):
        "date-times of both servers become the right seconds"
        self.assertEqual(imap.date_to_epoch("01-Jan-1970 00:00:01 +0000"), 1)
        self.assertEqual(imap.date_to_epoch(" 7-Jul-1996 02:44:25 -0700"), imap.date_to_epoch("07-Jul-1996 09:44:25 +0000"))
        self.assertEqual(imap.date_to_epoch("13-Dec-1901 20:45:52 +0000"), -(2**31))

    def test_sets(self):
        "UID sets are written as ranges and read in the order of the wire"
        self.assertEqual(imap.uid_set([5, 1, 2, 3, 9, 8]), "1:3,5,8:9")
        self.assertEqual(imap.uid_list("9,1:3,7:6"), [9, 1, 2, 3, 7, 6])
        self.assertEqual(imap.uid_set([]), "")

    def test_parser(self):
        "literals, quoted strings, brackets and nested lists are taken apart"
        r = imap.Response([
            b'* 3 FETCH (FLAGS (\\Seen a+b) UID 7 BODY[HEADER.FIELDS (X-A "b")] {3}\r\n', b")(\r", b' MODSEQ (12) X "q\\"\\\\")\r\n'])
        self.assertEqual(r.fetch(), {"FLAGS": {"\\Seen", "a+b"}, "UID": 7, 'BODY[HEADER.FIELDS (X-A "B")]': b")(\r",
                                     "MODSEQ": 12, "X": b'q"\\'})  # fmt: skip
        self.assertEqual(imap.Response([b"* LIST (\\HasChildren) \"/\" [Gmail]\r\n"]).tokens, [["\\HasChildren"], b"/", "[Gmail]"])
        self.assertEqual(imap.Response([b"a OK [APPENDUID 5 1:3] done (yes\r\n"]).code_value("APPENDUID"), "5 1:3")

    def test_traffic_of_debug(self):
        "changing commands are found in what --debug prints, others are not"
        lines = ["imapsync: local C: a1 SELECT x", "imapsync: acc: remote C: a2 UID STORE 1 +FLAGS.SILENT (\\Deleted)",
                 "imapsync: local S: a1 OK APPEND C: b STORE", "imapsync: local C: a3 uid expunge 1", "imapsync: local C: a4 UID FETCH 1 (BODY[])"]  # fmt: skip
        result = Result((), 0, "", "\n".join(lines), 0, 0)
        self.assertEqual(result.changes(), [lines[1], lines[3]])
        self.assertEqual([c for _, c in result.commands()], ["SELECT", "STORE", "EXPUNGE", "FETCH"])


class Servers(unittest.TestCase):
    def test_every_storage_and_connection(self):
        "Dovecot starts with each storage, and each connection reaches the same store"
        for format in FORMATS:
            with self.subTest(format), Dovecot(format) as server:
                for number, link in enumerate(("imap", "starttls", "imaps", "tunnel"), 1):
                    with server.connect("u", link) as client:
                        self.assertEqual(client.append("INBOX", simple(link)), [number])
                        self.assertEqual(client.status("INBOX")["MESSAGES"], number)
                        self.assertIn("QRESYNC", client.capabilities)
                with server.connect("other") as client:
                    self.assertEqual(client.status("INBOX")["MESSAGES"], 0)

    def test_wrong_password(self):
        "a wrong password is refused, at once"
        with Dovecot() as server:
            client = Client.tcp("127.0.0.1", server.port)
            start = time.monotonic()
            with self.assertRaises(ImapError):
                client.login("u", "wrong")
            self.assertLess(time.monotonic() - start, 1.5)
            client.close()

    def test_tunnel_that_refuses_sockets(self):
        "the refusing tunnel speaks over pipes, and over a socket it refuses as Dovecot does as root"
        import socket

        with Dovecot() as server:
            command = server.tunnel("u", refuses_sockets=True)
            with Client.tunnel(command) as client:
                self.assertEqual(client.greeting.name, "PREAUTH")
            ours, theirs = socket.socketpair()
            process = subprocess.Popen(["/bin/sh", "-c", command], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
            theirs.close()
            ours.settimeout(5)
            self.assertIn(b"must not be started from inetd", ours.recv(1000))
            ours.close()
            process.wait(5)

    def test_restart_and_kill(self):
        "a restarted server has the same port and mail; a stopped one is gone"
        with Dovecot() as server:
            with server.connect("u") as client:
                client.append("INBOX", simple("x"))
            port = server.port
            server.restart()
            self.assertEqual(server.port, port)
            with server.connect("u") as client:
                self.assertEqual(client.status("INBOX")["MESSAGES"], 1)
            server.kill()
            server.start()
        with self.assertRaises(OSError):
            Client.tcp("127.0.0.1", port)
        self.assertFalse(server.dir.exists() and not place.KEEP)

    def test_seed_is_the_same_for_the_same_number(self):
        "the same seed gives the same messages, another one others, all of them unique but the twins"
        one, again, other = (seed.Mixer(n).messages(300) for n in (1, 1, 2))
        self.assertEqual(one, again)
        self.assertFalse({m.body for m in one} & {m.body for m in other})
        self.assertTrue(280 < len({m.body for m in one}) < 300)
        self.assertTrue(all(b"\n" not in m.body.replace(b"\r\n", b"") and b"\0" not in m.body for m in one))

    def test_5000_messages_are_read_fast(self):
        "5,000 messages are read and digested in a few seconds at most"
        with Dovecot("mdbox") as server:
            seed.seed(server, "u")
            start = time.monotonic()
            snapshot = compare.snapshot(server, "u")
            self.assertEqual(snapshot.total(), 5000)
            self.assertEqual(len(snapshot.mailboxes), 20)
            self.assertLess(time.monotonic() - start, 8)


class Comparison(unittest.TestCase):
    """Each kind of difference is found; equal servers are equal."""

    @classmethod
    def setUpClass(cls):
        cls.servers = [Dovecot("maildir"), Dovecot("sdbox")]
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            server.start()

    def setUp(self):
        self.user = re.sub(r"\W", "", self.id()[-20:])
        for server in self.servers:
            seed.seed(server, self.user, mailboxes=6, messages=60, seed=7)
        self.client = self.servers[1].connect(self.user)
        self.addCleanup(self.client.logout)

    def lines(self):
        return compare.differences(*(compare.snapshot(s, self.user) for s in self.servers))

    def assertFound(self, *words):
        lines = self.lines()
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_equal(self):
        "two servers filled with the same are equal"
        self.assertEqual(self.lines(), [])

    def test_extra_mailbox(self):
        "a mailbox of one side alone"
        self.client.create("More", subscribe=False)
        self.assertFound("'More'", "only remote")

    def test_missing_mailbox(self):
        "a mailbox that one side lacks"
        self.client.unsubscribe("Drafts")
        self.client.delete("Drafts")
        lines = self.lines()
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("only local has it", lines[0])
        self.assertIn("subscribed only on local", lines[1])

    def test_subscription(self):
        "a subscription of one side alone"
        self.client.unsubscribe("Drafts")
        self.assertFound("'Drafts'", "subscribed only on local")

    def test_flags(self):
        "another flag"
        self.client.append("Drafts", simple("mark", flags=("\\Seen",)))
        with self.servers[0].connect(self.user) as client:
            client.append("Drafts", simple("mark"))
        self.assertFound("'mark'", "\\seen", "no flags")

    def test_date(self):
        "another INTERNALDATE, but not outside of what servers keep"
        for server, year in zip(self.servers, (2001, 2002)):
            with server.connect(self.user) as client:
                client.append("Drafts", simple("dated", date=f"01-Jan-{year} 00:00:00 +0000"))
        self.assertFound("'dated'", "978307200", "1009843200")
        a, b = (compare.Record(b"d", frozenset(), date) for date in (-5, 2**31 - 1))
        self.assertTrue(tolerances.equal(a, b, ("dovecot", "dovecot")))
        self.assertFalse(tolerances.equal(compare.Record(b"e", frozenset(), -5), b, ("dovecot", "dovecot")))

    def test_body(self):
        "one byte of a body"
        for server, text in zip(self.servers, ("text one", "text two")):
            with server.connect(self.user) as client:
                client.append("Drafts", simple("body", body=text))
        lines = self.lines()
        self.assertEqual(len(lines), 2, lines)

    def test_doubled(self):
        "one of the messages twice"
        self.client.select("INBOX")
        self.client.copy(self.client.uids()[:1], "INBOX")
        self.assertFound("'INBOX'", "only remote has")

    def test_lost(self):
        "a message that is gone, also when it was one of two identical ones"
        self.client.append("Drafts", simple("twin"), simple("twin"))
        with self.servers[0].connect(self.user) as client:
            client.append("Drafts", simple("twin"), simple("twin"))
        self.assertEqual(self.lines(), [])
        self.client.select("Drafts")
        self.client.expunge(self.client.uids()[-1:])
        self.assertFound("'twin'", "only local has")

    def test_counts(self):
        "lost and doubled messages are counted against what has to be there"
        before = [compare.snapshot(s, self.user) for s in self.servers]
        expected = compare.union(*before)
        self.assertEqual(compare.count_differences(expected, before[0].counts()), [])
        self.client.append("Drafts", simple("more"))
        after = compare.snapshot(self.servers[1], self.user)
        count = len(before[0].mailboxes[("Drafts",)])
        self.assertEqual(compare.count_differences(expected, after.counts()),
                         [f"'Drafts': 1 messages too many (expected {count})"])  # fmt: skip

    def test_delimiters(self):
        "another delimiter is no difference"
        with Dovecot("mdbox", separator=".") as dotted:
            seed.seed(dotted, self.user, mailboxes=6, messages=60, seed=7)
            both = (compare.snapshot(s, self.user) for s in (self.servers[0], dotted))
            self.assertEqual(compare.differences(*both), [])

    def test_fingerprint(self):
        "any change moves the fingerprint, reading does not"
        before = compare.fingerprint(self.servers[1], self.user)
        compare.snapshot(self.servers[1], self.user)
        self.assertEqual(compare.fingerprint(self.servers[1], self.user), before)
        self.client.select("INBOX")
        self.client.store(self.client.uids()[:1], "+", "odd")
        self.assertNotEqual(compare.fingerprint(self.servers[1], self.user), before)


class OtherServer(unittest.TestCase):
    cost = 3

    def test_cyrus(self):
        "Cyrus starts from unpacked packages, in both layouts, and holds what was put there but for what is tolerated"
        for modern in (True, False):
            try:
                server = Cyrus(modern)
            except Unavailable as error:
                self.skipTest(str(error))
            with server, Dovecot() as dovecot:
                for link in ("imap", "starttls", "imaps"):
                    with server.connect("u", link) as client:
                        client.append("INBOX", simple(link))
                        client.list()
                        self.assertEqual(client.delimiter, "/" if modern else ".")
                if modern:
                    for one in (server, dovecot):
                        mixer = seed.Mixer(3)
                        seed.fill(one, "v", {"INBOX": mixer.messages(150), "Entwürfe/Über uns": mixer.messages(20)})
                    left, right = (compare.snapshot(one, "v") for one in (server, dovecot))
                    left.mailboxes = {k: v for k, v in left.mailboxes.items() if k in right.mailboxes}
                    self.assertEqual(compare.differences(left, right, subscriptions=False), [])
                    self.assertTrue(any(r.digest != r.masked for r in right.mailboxes[("INBOX",)]))


class Program(unittest.TestCase):
    """How the program is run, with scripts in its place."""

    def run_script(self, text, *arguments, **options):
        folder = place.folder("fake")
        path = folder / "imapsync"
        path.write_text(f"#!/usr/bin/python3\nimport os, sys, time\n{text}\n")
        path.chmod(0o755)
        before = os.environ.get("IMAPSYNC"), os.environ.pop("IMAPSYNC_PLAIN", None)
        os.environ["IMAPSYNC"] = str(path)
        try:
            account = Account({"type": "tunnel"}, {"host": "h"})
            return account.run(*arguments, **options)
        finally:
            for name, value in zip(("IMAPSYNC", "IMAPSYNC_PLAIN"), before):
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def test_outputs_and_status(self):
        "status, both outputs, arguments and the environment are what they should be"
        result = self.run_script("print(sys.argv[1:]); print(os.environ['HOME'] + '/config' == os.environ['XDG_CONFIG_HOME'],"
                                 " 'DBUS_SESSION_BUS_ADDRESS' in os.environ, file=sys.stderr); sys.exit(3)", "-1")  # fmt: skip
        self.assertEqual((result.status, result.out, result.err), (3, "['-1']\n", "True False\n"))

    def test_memory(self):
        "the largest resident set is measured, that of the test's own Python is not counted"
        small = self.run_script("time.sleep(0.3)").rss_kib
        large = self.run_script("x = bytearray(100 << 20)\ntime.sleep(0.3)").rss_kib
        self.assertTrue(4000 < small < 30000, small)
        self.assertTrue(100 * 1024 < large < 140 * 1024, large)

    def test_kill_and_timeout(self):
        "a run is killed when asked for, and one that does not end is a failure"
        result = self.run_script("time.sleep(30)", kill_after=0.2)
        self.assertEqual(result.status, -9)
        self.assertLess(result.seconds, 5)
        with self.assertRaises(AssertionError):
            self.run_script("time.sleep(30)", timeout=0.3)

    def test_sanitizer(self):
        "a sanitizer's report is a failure whatever the exit status"
        with self.assertRaises(AssertionError):
            self.run_script("print('x.c:1: runtime error: bad', file=sys.stderr)")


class InterIMAP(unittest.TestCase):
    """A reality check: a synchronizer known to work passes under the comparer, where it is installed."""

    @unittest.skipUnless(shutil.which("interimap"), "interimap is not installed")
    def test_interimap_makes_two_servers_equal(self):
        "two seeded servers differ before, and not after, InterIMAP; a later change is seen"
        home = place.folder("ii")
        with Dovecot("maildir") as a, Dovecot("mdbox") as b:
            seed.seed_both([(a, "u"), (b, "u")], mailboxes=8, messages=150, common=0, seed=place.SEED)
            before = [compare.snapshot(s, "u") for s in (a, b)]
            self.assertTrue(compare.differences(*before))
            sections = []
            for server, link in ((a, "imap"), (b, "imaps")):
                section = server.settings("u", link)
                if "SSL_ca_path" in section:
                    section["SSL_CApath"] = section.pop("SSL_ca_path")
                sections.append(section)
            config = home / "config"
            config.write_text(format_config({"database": home / "db"}, *sections))

            def interimap():
                done = subprocess.run(["interimap", f"--config={config}"], capture_output=True, text=True,
                                      env={"HOME": str(home), "PATH": os.environ["PATH"]})  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stderr)

            interimap()
            after = [compare.snapshot(s, "u") for s in (a, b)]
            self.assertEqual(compare.differences(*after), [])
            for snapshot in after:
                # It copies what both sides had in common once more, but it loses nothing.
                lines = compare.count_differences(compare.union(*before), snapshot.counts())
                self.assertEqual([line for line in lines if "lost" in line], [])
            with b.connect("u") as client:
                client.append("INBOX", simple("later", flags=("\\Flagged",)))
            self.assertEqual(len(compare.differences(*(compare.snapshot(s, "u") for s in (a, b)), subscriptions=False)), 1)
            interimap()
            self.assertEqual(compare.differences(*(compare.snapshot(s, "u") for s in (a, b)), subscriptions=False), [])


class Faults(unittest.TestCase):
    def test_scripted_server(self):
        "rules come before the defaults, apply as often as they say, and every byte is recorded"
        rules = [(r"NOOP", "* 1 EXISTS\n{tag} NO [X] never"), (r"CHECK", CLOSE), (r"STATUS", "{tag} BAD once", 1)]
        with Scripted(rules) as server:
            client = Client.tcp("127.0.0.1", server.port)
            self.assertFalse(server.saw_secret("me", "hidden"))
            client.login("me", "hidden")
            self.assertTrue(server.saw_secret("me", "hidden"))
            self.assertIn("INBOX", client.list(status="MESSAGES"))
            reply = client.command("NOOP", check=False)
            self.assertEqual((reply.status, reply.all("EXISTS")[0].number), ("NO", 1))
            self.assertEqual([client.command('STATUS INBOX (MESSAGES)', check=False).status for _ in range(2)], ["BAD", "OK"])
            client.command("APPEND", "x", (b"two\r\nlines",))
            self.assertIn(b"two\r\nlines", server.received)
            with self.assertRaises(Disconnected):
                client.command("CHECK")
            client.close()

    def test_scripted_steps(self):
        "an exact dialogue notes the line that was not expected"
        with Scripted(steps=[("CAPABILITY", "* CAPABILITY IMAP4rev1\n{tag} OK x")]) as server:
            client = Client.tcp("127.0.0.1", server.port)
            client.capability()
            with self.assertRaises(Disconnected):
                client.command("NOOP")
            self.assertEqual(server.errors, ["expected 'nothing more', got 'NOOP'"])
            client.close()

    def test_scripted_tls(self):
        "the scripted server speaks TLS from the first byte and after STARTTLS"
        from harness import tls

        authority = tls.Authority(place.folder("ca"))
        for implicit in (True, False):
            with Scripted(certificate=authority.issue(f"s{implicit}"), implicit_tls=implicit) as server:
                client = Client.tcp("127.0.0.1", server.port, authority.context(), starttls=not implicit)
                client.login("me", "x")
                client.close()

    def test_expired_and_foreign_certificates(self):
        "bad certificates are bad"
        import ssl

        from harness import tls

        authority = tls.Authority(place.folder("ca"))
        for name, change in (("expired", {"expired": True}), ("foreign", {"names": ("DNS:elsewhere.example",)})):
            with Scripted(certificate=authority.issue(name, **change), implicit_tls=True) as server:
                with self.assertRaises(ssl.SSLError, msg=name):
                    Client.tcp("127.0.0.1", server.port, authority.context())

    def test_proxy_counts_delays_and_cuts(self):
        "the proxy counts bytes, round trips and commands, delays, and cuts at the byte"
        with Dovecot() as server, Proxy(server.port) as proxy:
            def connect():
                return Client.tcp("127.0.0.1", proxy.port).login("u")

            client = connect()
            proxy.reset()
            client.pipeline([("NOOP",)] * 5)
            client.append("INBOX", Message(b"Subject: a\r\n\r\nz STORE 1\r\n"))
            self.assertEqual(proxy.round_trips, 2)
            self.assertEqual([line.split()[1] for line in proxy.commands], ["NOOP"] * 5 + ["APPEND"])
            proxy.delay = 0.05
            start = time.monotonic()
            client.command("NOOP")
            self.assertGreater(time.monotonic() - start, 0.1)
            proxy.delay = 0
            client.logout()

            for cut in ({"up": 25}, {"down": 40}, {"commands": 2}):
                proxy.cut_after(**cut)
                with self.assertRaises((ImapError, OSError), msg=cut):
                    for _ in range(5):
                        connect().command("NOOP")
            self.assertEqual(proxy.cuts, 3)
            connect().logout()
