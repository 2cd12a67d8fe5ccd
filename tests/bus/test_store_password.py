# SPDX-License-Identifier: GPL-3.0-or-later
"""--store-password, and --oneshot with what it stored: the real keyring, the real engine, real servers."""

import os
import pty
import select
import signal
import subprocess
import termios

from harness import compare, place
from harness.dovecot import PASSWORD
from harness.imapsync import binary
from harness.local_store import StoreAccount, as_user

from bus.test_keyring import LOGIN
from bus.test_real import RealCase

USAGE, NO_LOGIN = 2, 3
ITEM = "org.freedesktop.Secret.Item"
PROMPTER, PROMPTERS = "org.gnome.keyring.SystemPrompter", "/org/gnome/keyring/Prompter"
_PROMPTER_XML = """<node><interface name="org.gnome.keyring.internal.Prompter">
<method name="BeginPrompting"><arg type="o" direction="in"/></method>
<method name="PerformPrompt"><arg type="o" direction="in"/><arg type="s" direction="in"/>
<arg type="a{sv}" direction="in"/><arg type="s" direction="in"/></method>
<method name="StopPrompting"><arg type="o" direction="in"/></method></interface></node>"""


class Terminal:
    """imapsync on a terminal of its own, with a person at it."""

    def __init__(self, arguments, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT):  # ignored where the tests run in the background
                signal.signal(number, signal.SIG_DFL)
            os.execve(arguments[0], arguments, env)
        self.shown, self.status = b"", None

    def read(self, seconds=0.2):
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 4096)
            except OSError:  # it has ended
                return self.shown
            if not data:
                break
            self.shown += data
        return self.shown

    def wait_for(self, text):
        place.wait_until(lambda: text in self.read(), 60, f"{text!r} on the terminal, which shows {self.shown!r}")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text)

    def wait(self):
        """The exit status, or minus the signal."""

        def ended():
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return pid and (os.waitstatus_to_exitcode(status),)

        if self.status is None:
            self.status = place.wait_until(ended, 60, "the end of imapsync")[0]
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class StoreCase(RealCase):
    def setUp(self):
        super().setUp()
        self.configure(password=None)

    def items(self):
        """{path: (attributes, label, secret)} of ours."""
        found = {}
        for path in self.secret("SearchItems", "(a{ss})", {"application": "imapsync"})[0]:
            properties = self.secret("GetAll", "(s)", ITEM, path=path, iface="org.freedesktop.DBus.Properties")[0]
            value = self.secret("GetSecret", "(o)", self.session(), path=path, iface=ITEM)[0]
            attributes = {k: v for k, v in properties["Attributes"].items() if k != "xdg:schema"}
            found[path] = (attributes, properties["Label"], bytes(value[2]).decode())
        return found

    def command(self, *arguments):
        env = {**self.home.environment(), **self.environment()}
        env.pop("DISPLAY", None)
        return [binary(self.plain), *arguments], env

    def store_by_pipe(self, text, *arguments):
        """Standard error and exit status of --store-password with @text on standard input."""
        command, env = self.command(*(arguments or ["--store-password=remote"]))
        done = subprocess.run(command, input=text, env=env, capture_output=True, timeout=60)
        self.assertEqual(done.stdout, b"")
        self.assertNotIn(b"Sanitizer", done.stderr, done.stderr.decode())
        return done.stderr.decode(), done.returncode

    def on_terminal(self, *arguments):
        terminal = Terminal(*self.command(*(arguments or ["--store-password=remote"])))
        self.addCleanup(terminal.close)
        return terminal

    def assertRefused(self, text, status, *words, arguments=()):
        err, got = self.store_by_pipe(text, *arguments)
        self.assertEqual(got, status, err)
        for word in words:
            self.assertIn(word, err)


class Stored(StoreCase):
    def setUp(self):
        super().setUp()
        self.unlocked_keyring()

    def test_then_oneshot_logs_in_with_it(self):
        "what was piped in is the password that --oneshot logs in with, on both sides"
        for side, server in zip(("local", "remote"), self.servers):
            self.assertEqual(self.store_by_pipe(PASSWORD.encode() + b"\n", f"--store-password={side}")[1], 0)
        local = {k: v for k, v in self.servers[0].settings(self.user, "imap").items() if k != "password"}
        remote = {k: v for k, v in self.servers[1].settings(self.user).items() if k != "password"}
        self.write(self.home, "work", local, remote)
        self.append(0, "there")
        self.append(1, "here")
        result = self.run_program(self.home, "--oneshot", "--debug")
        self.assertEqual(result.status, 0, str(result))
        self.assertTrue(self.identical())
        self.assertNotIn(PASSWORD, [word.strip('"') for word in result.err.split()])

    def test_what_is_stored(self):
        "an item with application, account and side, in the default keyring, and no other"
        err, status = self.store_by_pipe("sécret with blanks \n".encode())
        self.assertEqual(status, 0, err)
        attributes = {"application": "imapsync", "account": "work", "side": "remote"}
        (path, (had, label, secret)), *others = self.items().items()
        self.assertEqual((had, secret, others), (attributes, "sécret with blanks ", []))
        self.assertTrue(path.startswith(LOGIN + "/"), path)
        self.assertTrue(label.startswith("imapsync: "), label)
        self.assertIn(self.user, label)
        self.assertNotIn("/", label)
        self.assertIn("in the keyring", err)
        self.assertNotIn("sécret", err)

    def test_a_new_one_takes_the_place_of_the_old(self):
        "whoever stored the old one, there is one password afterwards, the new one"
        self.store("old, by another program")
        self.assertEqual(len(self.items()), 1)
        for text in (b"first\n", b"second\n"):
            self.assertEqual(self.store_by_pipe(text)[1], 0)
            self.assertEqual([item[2] for item in self.items().values()], [text.decode().strip()])
        self.assertEqual(self.store_by_pipe(b"third\n", "--store-password=local")[1], 0)
        self.assertEqual({(i[0]["side"], i[2]) for i in self.items().values()},
                         {("remote", "second"), ("local", "third")})  # fmt: skip

    def test_one_line_without_its_end(self):
        "the first line is the password, with or without a line end; the rest is left"
        for text in (b"pass word", b"pass word\nmore\n"):
            self.assertEqual(self.store_by_pipe(text)[1], 0)
            self.assertEqual([item[2] for item in self.items().values()], ["pass word"])

    def test_what_is_no_password(self):
        "nothing, too much, and what is no text are told, and nothing is stored"
        for text, words in ((b"", "no password"), (b"\n", "no password"), (b"x" * 5000, "too long"),
                            (b"\xff\xfe\n", "UTF-8"), (b"a\0b\n", "UTF-8")):  # fmt: skip
            with self.subTest(text[:10]):
                self.assertRefused(text, USAGE, words)
        self.assertEqual(self.items(), {})

    def test_a_password_that_will_not_be_used(self):
        "where the configuration has one itself, or needs none, that is said"
        self.configure()
        err, status = self.store_by_pipe(b"other\n")
        self.assertEqual(status, 0, err)
        self.assertIn("not used", err)
        err, status = self.store_by_pipe(b"other\n", "--store-password=local")
        self.assertIn("needs no password", err)

    def test_usage(self):
        "a side that there is not, and more than one account, are usage errors"
        self.assertRefused(b"x\n", USAGE, "local or remote", arguments=["--store-password=both"])
        self.assertRefused(b"x\n", USAGE, "needs a value", arguments=["--store-password"])
        self.configure("other", password=None)
        self.assertRefused(b"x\n", USAGE, "--config=FILE")
        config = self.home.config / "other.conf"
        self.assertEqual(self.store_by_pipe(b"x\n", f"--config={config}", "--store-password=remote")[1], 0)
        self.assertEqual([item[0]["account"] for item in self.items().values()], ["other"])

    def test_the_running_service_notices(self):
        "an account that had no password goes on as soon as one is stored"
        self.append(1, "waits")
        self.start(self.home)
        self.peer.wait_for("/org/imapsync/Sync1/account/work", "Status", "auth-failed")
        self.assertEqual(self.store_by_pipe(PASSWORD.encode() + b"\n")[1], 0)
        self.peer.wait_for("/org/imapsync/Sync1/account/work", "Status", "watching")
        self.peer.wait(self.identical)

    # On a terminal

    def test_on_a_terminal(self):
        "it asks for whom, shows nothing of what is typed, and leaves the terminal as it was"
        terminal = self.on_terminal()
        terminal.wait_for(b"(remote): ")
        self.assertIn(self.user.encode(), terminal.shown)
        self.assertFalse(terminal.echoes())
        terminal.type(b"typed\n")
        self.assertEqual(terminal.wait(), 0, terminal.shown)
        self.assertNotIn(b"typed", terminal.shown)
        self.assertTrue(terminal.echoes())
        self.assertEqual([item[2] for item in self.items().values()], ["typed"])

    def test_ctrl_c_and_ctrl_d(self):
        "both end it, nothing is stored, and the terminal shows again what is typed"
        for keys, status in ((b"half\x03", -signal.SIGINT), (b"\x04", USAGE), (b"\n", USAGE)):
            with self.subTest(keys):
                terminal = self.on_terminal()
                terminal.wait_for(b"(remote): ")
                terminal.type(keys)
                self.assertEqual(terminal.wait(), status, terminal.shown)
                self.assertTrue(terminal.echoes())
        self.assertEqual(self.items(), {})

    def test_asked_again_after_a_stop(self):
        "Ctrl-Z shows what is typed again while it is stopped; then it asks once more"
        terminal = self.on_terminal()
        terminal.wait_for(b"(remote): ")
        terminal.type(b"half\x1a")  # no shell here could continue it, so it goes on at once
        place.wait_until(lambda: terminal.read().count(b"(remote): ") == 2, 60, "the second question")
        self.assertFalse(terminal.echoes())
        terminal.type(b"later\n")
        self.assertEqual(terminal.wait(), 0, terminal.shown)
        self.assertTrue(terminal.echoes())
        self.assertEqual([item[2] for item in self.items().values()], ["later"])

    # As it is printed

    def test_as_the_readme_says(self):
        "the README's line stores the password of ~/.config/imapsync, and --oneshot finds it"
        line = next(x for x in (place.SOURCE / "README.md").read_text().splitlines() if "    imapsync --store" in x)
        text = (self.home.config / "work.conf").read_text()
        place.remove(self.home.config)
        self.home.write(text)
        self.append(1, "new")
        self.assertEqual(self.store_by_pipe(PASSWORD.encode() + b"\n", *line.split()[1:])[1], 0)
        self.assertEqual([i[0]["account"] for i in self.items().values()], ["imapsync"])
        result = self.run_program(self.home, "--oneshot")
        self.assertEqual(result.status, 0, str(result))
        self.assertTrue(self.identical())


class SetUp(RealCase):
    """--setup makes a local store, which is no user's but an ordinary one's: so is who runs it here."""

    def test_then_oneshot_logs_in_with_it(self):
        "--setup puts the password into the keyring and into no file, and --oneshot synchronizes with it"
        self.unlocked_keyring()
        self.append(1, "from the provider")
        account = StoreAccount({}, name="example.org")
        self.addCleanup(account.close)
        account.config.unlink()
        authority = account.dir / "ca.pem"
        authority.write_text(self.servers[1].authority.pem.read_text())
        account.give()
        answers = {"address": f"{self.user}@example.org", "host": f"127.0.0.1:{self.servers[1].tls_port}",
                   "user": self.user, "ca-file": authority, "password-in": "keyring"}  # fmt: skip
        env = {**account.environment(), **self.environment()}
        command = [*as_user(), binary(), "--setup", *(f"--{k}={v}" for k, v in answers.items())]
        done = subprocess.run(command, input=f"{PASSWORD}\n", env=env, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertNotIn("password", account.config.read_text())
        path, = self.secret("SearchItems", "(a{ss})", {"application": "imapsync", "account": "example.org", "side": "remote"})[0]
        secret = self.secret("GetSecret", "(o)", self.session(), path=path, iface=ITEM)[0]
        self.assertEqual(bytes(secret[2]).decode(), PASSWORD)
        result = account.once(env=self.environment())
        self.assertEqual(result.status, 0, str(result))
        self.assertEqual(compare.differences(compare.snapshot(account, self.user), compare.snapshot(self.servers[1], self.user)), [])
        self.assertEqual(len(list((account.folder / "mail" / "INBOX").glob("[cn]*/*,*"))), 1)


class NotStored(StoreCase):
    def test_no_session_bus(self):
        "without a session bus there is no keyring, which is said before anybody types"
        command, env = self.command("--store-password=remote")
        env["DBUS_SESSION_BUS_ADDRESS"] = ""
        done = subprocess.run(command, input=b"x\n", env=env, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, NO_LOGIN, done.stderr)
        self.assertIn(b"no session bus", done.stderr)

    def test_no_secret_service(self):
        "a bus without a keyring is told, and nobody is asked for a password"
        self.assertRefused(b"x\n", NO_LOGIN, "no keyring answers")
        terminal = self.on_terminal()
        self.assertEqual(terminal.wait(), NO_LOGIN, terminal.shown)
        self.assertNotIn(b"(remote): ", terminal.shown)

    def test_locked_and_nobody_to_ask(self):
        "a locked keyring that cannot show its question stays locked, and lives"
        self.unlocked_keyring()
        self.lock()
        self.assertRefused(b"x\n", NO_LOGIN, "stays locked")
        self.assertIsNone(self.daemon.poll(), "gnome-keyring died")
        self.unlock()
        self.assertEqual(self.items(), {})

    def test_the_question_is_dismissed(self):
        "a person who dismisses the keyring's question is told that it stays locked"
        asked = self.dismissing_prompter()
        self.unlocked_keyring()
        self.lock()
        command, env = self.command("--store-password=remote")
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.peer.wait(lambda: process.poll() is not None, 30, "the end of imapsync")
        _, err = process.communicate()
        self.assertEqual(process.returncode, NO_LOGIN, err)
        self.assertIn(b"stays locked", err)
        self.assertEqual(len(asked), 1, "one question")
        self.assertIsNone(self.daemon.poll(), "gnome-keyring died")

    def dismissing_prompter(self):
        """A desktop's prompter whose person always says no. Returns what it was asked."""
        from gi.repository import Gio, GLib

        asked = []

        def ready(path, reply):
            self.peer.connection.call(asked[0][0], path, "org.gnome.keyring.internal.Prompter.Callback", "PromptReady",
                                      GLib.Variant("(sa{sv}s)", (reply, {}, "")), None, 0, -1, None, None)  # fmt: skip

        def called(connection, sender, path, iface, method, parameters, invocation):
            values = parameters.unpack()
            invocation.return_value(None)
            if method == "BeginPrompting":
                asked.append((sender, values[0]))
                ready(values[0], "")
            elif method == "PerformPrompt":
                ready(values[0], "no")

        interface = Gio.DBusNodeInfo.new_for_xml(_PROMPTER_XML).interfaces[0]
        self.peer.connection.register_object(PROMPTERS, interface, called, None, None)
        self.peer.call("/org/freedesktop/DBus", "RequestName", "(su)", PROMPTER, 4, iface="org.freedesktop.DBus",
                       to="org.freedesktop.DBus")  # fmt: skip
        return asked


class OneshotWithout(StoreCase):
    def refused(self, words):
        before = [compare.fingerprint(server, self.user) for server in self.servers]
        result = self.run_program(self.home, "--oneshot", "--debug")
        self.assertEqual(result.status, NO_LOGIN, str(result))
        self.assertIn(words, result.err)
        self.assertNotIn(("remote", "AUTHENTICATE"), result.commands())
        self.assertEqual(before, [compare.fingerprint(server, self.user) for server in self.servers])

    def test_no_keyring(self):
        "--oneshot without a keyring says that there is no password, and tries no login"
        self.refused("there is no password for the remote server")

    def test_another_ones_password(self):
        "the password of another account or side is not taken"
        self.unlocked_keyring()
        self.store("x", account="other")
        self.store("x", side="local")
        self.refused("there is no password for the remote server")

    def test_locked(self):
        "--oneshot does not wait for a locked keyring"
        self.unlocked_keyring()
        self.store(PASSWORD)
        self.lock()
        self.refused("is locked")
