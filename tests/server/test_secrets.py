# SPDX-License-Identifier: GPL-3.0-or-later
"""Where passwords are, and where they are not: in the memory of the program while it runs, in what it
starts, on disk and in the log."""

import base64
import os
import re
import subprocess
import unittest
from pathlib import Path

from harness import memory, place
from harness.imapsync import Account, binary
from harness.local_store import as_user
from harness.scram import Scram
from harness.scripted import CAPABILITIES, CLOSE, SILENCE, Scripted
from harness.tls import Authority

NO_CONNECTION = 3
WAIT = [("NOTIFY", SILENCE)]  # the state in which it stays: logged in, and following


class SecretCase(unittest.TestCase):
    """Two scripted servers; what is looked for is the remote one's password."""

    plain = True  # memory
    secret = "Winter-unter-Wurzeln-71"
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = place.folder("secrets")
        cls.addClassCleanup(place.remove, cls.folder)
        cls.authority = Authority(cls.folder / "ca")
        cls.certificate = cls.authority.issue()

    def server(self, rules=(), **options):
        server = Scripted([*rules, *WAIT], **options).start()
        self.addCleanup(server.close)
        return server

    def over_tls(self, *rules, auth="PLAIN"):
        return self.server(rules, certificate=self.certificate, implicit_tls=True,
                           capabilities=CAPABILITIES.replace("AUTH=PLAIN AUTH=LOGIN", f"AUTH={auth}"))  # fmt: skip

    def start(self, remote, *arguments, env=None, local=None, comment="", **changes):
        local = local or self.server().settings(password="other-word")
        section = {**remote.settings(password=self.secret, timeout=20), **changes}
        if remote.context:
            section["SSL_CAfile"] = self.authority.pem
        account = Account(local, {k: v for k, v in section.items() if v is not None}, database="secrets.db")
        self.addCleanup(account.close)
        account.write(account.config.read_text() + comment)
        running = account.start(*arguments, plain=True, env=env)
        self.addCleanup(running.kill)
        self.account = account
        return running

    def wait_for(self, running, server, command, times=1):
        def heard():
            return len([c for c in server.commands if re.match(command, c)]) >= times

        try:
            place.wait_until(heard, 30, command)
        except TimeoutError as error:
            self.fail(f"{error}\nheard: {server.commands}\n{running.err}")

    def assertMemory(self, pid, times):
        memory.assert_secret(self, pid, self.secret, times)

    def follow(self, server, times, *arguments, **options):
        """Runs until it follows changes, and looks at its memory then."""
        running = self.start(server, *arguments, **options)
        self.wait_for(running, server, "NOTIFY")
        self.assertMemory(running.pid, times)
        running.kill()
        self.assertNotIn(self.secret, running.wait(20).err)


class Memory(SecretCase):
    """One copy of a password that cannot be got again, none of what a command says."""

    cost = 8

    def command(self, text):
        """A command that prints @text from a file, so that it is not in the configuration."""
        file = self.folder / f"{self.id()}.secret"
        file.write_text(text + "\n")
        return f"cat {file}"

    def test_the_search_finds_what_is_there(self):
        "the search itself finds a password in the environment of a process, where it is twice on purpose"
        process = place.spawn(["sleep", "60"], env={"A": self.secret, "B": self.secret})
        self.addCleanup(place.stop, process)
        place.wait_until(lambda: b"sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        self.assertEqual(len(memory.found_in_memory(process.pid, self.secret.encode())[self.secret.encode()]), 2)

    def test_of_the_configuration(self):
        "from the file: in one place, whatever the mechanism made of it"
        for auth in ("PLAIN", "LOGIN"):
            with self.subTest(auth):
                self.follow(self.over_tls(auth=auth), 1, comment=f"# password = {self.secret}\n")

    def test_with_scram(self):
        "SCRAM hashes it, and leaves no more of it"
        for name, algorithm in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
            with self.subTest(name):
                scram = Scram(self.secret, algorithm)
                self.follow(self.over_tls(("AUTHENTICATE", scram), auth=name), 1)
                self.assertTrue(scram.proved)

    def test_of_a_command(self):
        "from a command: in no place once the login is done"
        for auth in ("PLAIN", "XOAUTH2", "OAUTHBEARER"):
            with self.subTest(auth):
                self.follow(self.over_tls(auth=auth), 0, password=None, auth=auth,
                            **{"password-command": self.command(self.secret)})  # fmt: skip

    def test_refused(self):
        "a login that was refused leaves the configuration's alone"
        server = self.over_tls(("AUTHENTICATE", "{tag} NO [AUTHENTICATIONFAILED] wrong"))
        running = self.start(server)
        self.wait_for(running, server, "AUTHENTICATE")
        place.wait_until(lambda: "refused the login" in running.err, 20, "the refusal")
        self.assertMemory(running.pid, 1)

    def test_of_standard_input(self):
        "what was typed is in one place while the server is looked at"
        server = self.over_tls(("LIST", SILENCE))
        home, ca = place.folder("home"), self.folder / "ca.pem"
        self.addCleanup(place.remove, home)
        ca.write_bytes(self.authority.pem.read_bytes())
        for path in (home, self.folder, ca):
            place.own(path)
        process = subprocess.Popen(
            [*as_user(), binary(True), "--setup", "--address=user@example.org", f"--host=127.0.0.1:{server.port}", "--user=user",
             f"--ca-file={ca}", "--password-in=file"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"})  # fmt: skip
        self.addCleanup(place.stop, process)
        process.stdin.write(self.secret.encode() + b"\n")
        process.stdin.close()
        try:
            place.wait_until(lambda: [c for c in server.commands if c.startswith("LIST")], 30)
            self.assertMemory(process.pid, 1)
        except TimeoutError:
            process.kill()
            self.fail(f"no LIST: {server.commands}\n{process.stdout.read().decode()}")


class Log(SecretCase):
    """No level of the log has the password, nor what would let somebody find it."""

    cost = 6

    def once(self, server, **changes):
        running = self.start(server, "--oneshot", "--debug", env={"G_MESSAGES_DEBUG": "all"}, **changes)
        result = running.wait(60)
        self.assertTrue([c for c in server.commands if c.startswith("AUTHENTICATE")], f"no login was tried\n{result}")
        for form in memory.forms(self.secret):
            self.assertNotIn(form.decode("latin-1"), result.err)
        return result

    def test_of_a_server_that_repeats_it(self):
        "a server that says the password, or what it was sent, is not quoted"
        coded = base64.b64encode(f"\0user\0{self.secret}".encode()).decode()
        for answer in (f"{{tag}} NO [AUTHENTICATIONFAILED] {self.secret} is wrong", f"{{tag}} BAD unknown: PLAIN {coded}",
                       f"{{tag}} NO unknown: PLAIN {coded[:30]}...", f"* OK [ALERT] {self.secret}\n{{tag}} NO no",
                       f"* BYE {self.secret}", f"AUTHENTICATE PLAIN {coded}", f"{coded} OK in", f"+ {coded}",
                       f"* {self.secret}", f"* NO [{coded}] no\n{{tag}} NO [{coded}] no"):  # fmt: skip
            with self.subTest(answer):
                result = self.once(self.over_tls(("AUTHENTICATE", [answer, CLOSE])))
                self.assertEqual(result.status, NO_CONNECTION, result)
        server = self.over_tls(("AUTHENTICATE", f"{{tag}} NO [AUTHENTICATIONFAILED] {self.secret} is wrong"))
        self.assertIn("refused the login: [AUTHENTICATIONFAILED] (words", self.once(server).err)

    def test_of_scram(self):
        "neither challenges nor proofs of SCRAM are shown, with which passwords could be tried"
        scram = Scram(self.secret)
        result = self.once(self.over_tls(("AUTHENTICATE", scram), auth="SCRAM-SHA-256"))
        self.assertTrue(scram.proved, result)
        for text in (*scram.says, *scram.said):
            coded = base64.b64encode(text.encode()).decode()
            self.assertTrue(not coded or coded not in result.err, f"{text!r} is in the log\n{result}")
        self.assertIn("remote S: + ***", result.err)

    def test_an_alert_in_the_clear(self):
        "what is said before STARTTLS is not shown as the server's"
        server = self.server(certificate=self.certificate, greeting="* OK [ALERT] call 0900 to go on")
        result = self.start(server, "--oneshot").wait(60)
        self.assertTrue([c for c in server.commands if c.startswith("AUTHENTICATE")], f"no login was tried\n{result}")
        self.assertNotIn("0900", result.err)


class Children(SecretCase):
    """What it starts knows nothing of passwords."""

    cost = 2

    def test_tunnel_and_command(self):
        "environment and arguments of a tunnel, of a password-command and of the program itself"
        files = [self.folder / name for name in ("tunnel", "command")]
        dump = "cat /proc/self/environ /proc/self/cmdline /proc/$PPID/environ /proc/$PPID/cmdline >{}"
        server = self.over_tls()
        commanded = self.over_tls()
        tunnel = {"type": "tunnel", "command": f"{dump.format(files[0])}; exit 7", "username": "user",
                  "password": self.secret}  # fmt: skip
        running = self.start(server, "--oneshot", local=tunnel)
        self.assertEqual(running.wait(60).status, NO_CONNECTION)
        word = self.folder / "word"
        word.write_text(self.secret)
        running = self.start(commanded, "--oneshot", password=None,
                             **{"password-command": f"{dump.format(files[1])}; cat {word}"})  # fmt: skip
        running.wait(60)
        self.assertEqual(len(commanded.logins()), 1)
        for file in files:
            content = file.read_bytes()
            self.assertIn(b"HOME=", content)
            self.assertIn(b"imapsync", content)
            for form in memory.forms(self.secret):
                self.assertNotIn(form, content)

    def test_nothing_is_kept_on_disk(self):
        "after a run nothing that it has written holds the password"
        server = self.over_tls()
        running = self.start(server, "--oneshot")
        running.wait(60)
        self.assertEqual(len(server.logins()), 1)
        files = [p for p in self.account.dir.rglob("*") if p.is_file() and p != self.account.config]
        self.assertIn(self.account.database, files)
        for form in memory.forms(self.secret):
            self.assertEqual([p for p in files if form in p.read_bytes()], [])
