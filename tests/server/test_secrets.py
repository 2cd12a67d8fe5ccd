# SPDX-License-Identifier: GPL-3.0-or-later
"""Where passwords are, and where they are not: in the memory of the program while it runs, in what it
starts, on disk and in the log."""

import os
import re
import subprocess
import unittest
from pathlib import Path

from harness import memory, place
from harness.imapsync import Account, binary
from harness.local_store import as_user
from harness.scram import Scram
from harness.scripted import CAPABILITIES, SILENCE, Scripted
from harness.tls import Authority

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
        running.kill(15)
        result = running.wait(20)
        self.assertNotIn(self.secret, result.err)
        return result


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
        running.kill(15)
        running.wait(20)

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
