# SPDX-License-Identifier: GPL-3.0-or-later
"""mutt and neomutt on top of a local store, with the lines that the README shows."""

import os
import pty
import re
import select
import subprocess
import time

from harness import compare, place
from harness.local_store import as_user
from harness.seed import simple
from server.test_local_store import StoreCase


def shown():
    """The configurations that the README shows, in its order: over Dovecot, from the folder."""
    return re.findall(r"```muttrc\n(.*?)```", (place.SOURCE / "README.md").read_text(), re.S)


class MailPrograms(StoreCase):
    def use(self, account, program, lines, keys):
        """Runs @program on a terminal with @lines as its whole configuration, and pushes @keys."""
        rc = account.dir / f"{program}rc"
        rc.write_text(lines)
        path = account.dir / ".local" / "share"
        if not path.exists():  # where the README's lines look
            path.parent.mkdir()
            path.symlink_to(account.dir / "data")
        account.give()
        env = {k: v for k, v in account.environment().items() if not k.startswith("XDG_")}
        quiet = "set wait_key = no; set quit = yes; set delete = yes; set move = no; set beep = no"
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [*as_user(), program, "-n", "-F", rc, "-e", quiet, "-e", f'push "{keys}"'], stdin=slave, stdout=slave,
            stderr=slave, cwd=account.dir, env={**env, "TERM": "vt100"}, start_new_session=True)  # fmt: skip
        os.close(slave)
        self.addCleanup(place.stop, process)
        screen, end = b"", time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    screen += os.read(master, 65536)
                except OSError:
                    break
        os.close(master)
        self.assertEqual(process.wait(10), 0, f"{program} says:\n{screen.decode(errors='replace')[-3000:]}")

    def flagged(self):
        records = compare.snapshot(self.server, self.user).mailboxes[("INBOX",)]
        return {r.subject for r in records if "\\flagged" in r.flags}, {r.subject for r in records}

    def check(self, program, block):
        with self.server.connect(self.user) as client:
            client.append("INBOX", *(simple(f"{program} {word}") for word in ("stays", "flag", "delete")))
        account = self.make(name="example.org")
        self.sync(account)
        keys = (f"<limit>~s flag<enter><flag-message><limit>~s delete<enter><delete-message>"
                f"<limit>~A<enter><sync-mailbox><quit>")  # fmt: skip
        self.use(account, program, shown()[block], keys)
        self.sync(account)
        flagged, there = self.flagged()
        self.assertEqual(flagged, {f"{program} flag"})
        self.assertEqual(there, {f"{program} stays", f"{program} flag"})
        self.assertIdentical(account)
        self.assertNoop(account)

    def test_mutt_over_dovecot(self):
        "mutt, with the lines of the README: a flag and a deletion made there reach the server"
        self.check("mutt", 0)

    def test_neomutt_over_dovecot(self):
        "neomutt, with the lines of the README: a flag and a deletion made there reach the server"
        self.check("neomutt", 0)

    def test_mutt_on_the_folder(self):
        "mutt on the Maildir itself: a flag and a deletion made there reach the server"
        self.check("mutt", 1)

    def test_neomutt_on_the_folder(self):
        "neomutt on the Maildir itself: a flag and a deletion made there reach the server"
        self.check("neomutt", 1)

    def test_notmuch_finds_the_mail(self):
        "notmuch indexes the store where it lies"
        with self.server.connect(self.user) as client:
            client.append("INBOX", simple("found by notmuch"))
        account = self.make()
        self.sync(account)
        (account.dir / ".notmuch-config").write_text(
            f"[database]\npath={account.folder / 'mail'}\n[user]\nname=a\nprimary_email=a@example.org\n[new]\ntags=new\n")
        account.give()
        env = {**account.environment(), "NOTMUCH_CONFIG": str(account.dir / ".notmuch-config")}
        for command in (["new", "--quiet"], ["count", "subject:notmuch"]):
            done = subprocess.run([*as_user(), "notmuch", *command], env=env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.strip(), "1")
