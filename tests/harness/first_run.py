# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to mail: what the README prints, run line by line by an ordinary user, with a private Dovecot as the
provider. Only the example's names are replaced. Prints each command and, last, how long it took."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

from . import compare, place, seed
from .dovecot import PASSWORD, Dovecot
from .imap import Client
from .local_store import as_user

USER, MAILBOXES, MESSAGES = "me", 8, 300
DOMAIN = "localhost"  # what is asked of a domain stays on this machine


class Failed(Exception):
    pass


def commands():
    """The README's shell lines, in its order."""
    text = (place.SOURCE / "README.md").read_text()
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", text):
        yield from block.replace("\\\n", " ").splitlines()


class NewUser:
    """A person with nothing but the source and an account at a provider."""

    def __init__(self, provider):
        self.provider = provider
        self.home = place.folder("new")
        self.installed = self.home / "installed"
        for name in ("run", "source"):
            (self.home / name).mkdir(mode=0o700)
        self.fetch()
        self.bus = None
        self.service = None

    def fetch(self):
        """The source, without what is not part of it."""
        git = ["git", "-c", "safe.directory=*", "-C", place.SOURCE]
        listed = subprocess.run([*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True)
        if listed.returncode:
            shutil.copytree(place.SOURCE, self.home / "source", dirs_exist_ok=True)
        for name in filter(None, listed.stdout.decode().split("\0")):
            target = self.home / "source" / name
            if (place.SOURCE / name).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(place.SOURCE / name, target)
        shutil.copy(self.provider.authority.pem, self.home / "ca.pem")
        for path in (self.home, *self.home.rglob("*")):
            place.own(path)

    def environment(self):
        # Installed below a folder of the user's own: DESTDIR is the one thing that the README does not say.
        env = {"HOME": self.home, "USER": USER, "LANG": "C.UTF-8", "DESTDIR": self.installed, "TERM": "dumb",
               "XDG_RUNTIME_DIR": self.home / "run", "PATH": f"{self.installed}/usr/local/bin:/usr/bin:/bin:/sbin",
               "GSETTINGS_BACKEND": "memory", "GIO_USE_PROXY_RESOLVER": "dummy"}  # fmt: skip
        if self.bus:
            env["DBUS_SESSION_BUS_ADDRESS"] = self.address
        return {k: str(v) for k, v in env.items()}

    def run(self, command, **options):
        print(f"    $ {command}", flush=True)
        done = subprocess.run([*as_user(), "sh", "-ec", command], cwd=self.home / "source", env=self.environment(),
                              capture_output=True, text=True, timeout=900, **options)  # fmt: skip
        if done.returncode:
            raise Failed(f"status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout, done.stderr

    def packages(self, command):
        """What the README wants installed has to be, or is."""
        print(f"    $ {command}", flush=True)
        names = [w for w in command.split()[2:]]
        missing = [n for n in names if subprocess.run(["dpkg-query", "-W", "-f", "${Status}", n], capture_output=True,
                                                      text=True).stdout != "install ok installed"]  # fmt: skip
        if missing and not place.ROOT:
            raise Failed(f"not installed: {' '.join(missing)}")
        if missing:
            subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], check=True,
                           env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})  # fmt: skip

    def setup(self, command):
        """The dialog, on a terminal."""
        # The provider of this test has no certificate of a public authority.
        command = f"{command} --ca-file={self.home}/ca.pem"
        print(f"    $ {command}", flush=True)
        dialog = [("E-mail address: ", f"{USER}@{DOMAIN}"), ("IMAP server [", f"127.0.0.1:{self.provider.tls_port}"),
                  ("User [", USER), ("Password of ", PASSWORD), ("(y/n): ", "y")]  # fmt: skip
        master, slave = pty.openpty()
        process = subprocess.Popen([*as_user(), "sh", "-ec", command], cwd=self.home, env=self.environment(), stdin=slave,
                                   stdout=slave, stderr=slave, start_new_session=True)  # fmt: skip
        os.close(slave)
        screen, end = "", time.monotonic() + 120
        while time.monotonic() < end:
            if dialog and dialog[0][0] in screen:
                time.sleep(0.1)
                os.write(master, f"{dialog.pop(0)[1]}\n".encode())
            if select.select([master], [], [], 0.1)[0]:
                try:
                    screen += os.read(master, 65536).decode(errors="replace")
                except OSError:
                    break
        place.stop(process)
        os.close(master)
        for line in screen.splitlines():
            print(f"      {line}")
        if process.returncode or dialog:
            raise Failed(f"the dialog ended with status {process.returncode}; not asked: {dialog}")

    def session(self):
        """The user service, as systemd would start it."""
        self.address = f"unix:path={self.home}/run/bus"
        self.bus = place.spawn([*as_user(), "dbus-daemon", "--session", "--nofork", "--nopidfile", "--address", self.address],
                               stderr=subprocess.DEVNULL)  # fmt: skip
        place.wait_until((self.home / "run" / "bus").exists, 20, "the bus")
        self.service = place.spawn([*as_user(), self.installed / "usr/local/bin/imapsync"], env=self.environment(),
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        place.wait_until(self.on_the_bus, 30, "the service on the bus")

    def on_the_bus(self):
        done = subprocess.run([*as_user(), "busctl", "--user", "status", "org.imapsync.Sync1"], env=self.environment(),
                              capture_output=True)  # fmt: skip
        return done.returncode == 0

    def connect(self, user, link=None):
        """The store, as mail programs use it: for compare.py."""
        path = self.home / ".local/share/imapsync" / DOMAIN / "dovecot.conf"
        return Client.tunnel(" ".join((*as_user(), "env", "-i", f"HOME={self.home}", f"USER={USER}",
                                       f"/usr/lib/dovecot/imap -c {path}")))  # fmt: skip

    kind = "dovecot"

    def close(self):
        if self.service:
            self.service.send_signal(signal.SIGTERM)
            self.service.wait(20)
        if self.bus:
            place.stop(self.bus)
        place.remove(self.home)


def walk(user, provider):
    """All commands of the README. Returns the standard error of the second --oneshot."""
    for command in commands():
        # The example's names become ours; paths on the bus have no dots.
        command = command.replace("example_2eorg", DOMAIN).replace("example.org", DOMAIN)
        if command.startswith("apt install"):
            user.packages(command)
        elif command == "imapsync --setup":
            user.setup(command)
        elif command.startswith("busctl"):
            if not user.service:
                user.session()
            out, _ = user.run(command)
            print("".join(f"      {line}\n" for line in out.splitlines()[:6]), end="")
        else:
            out, err = user.run(command)
            tail = (out if "dry-run" in command else err).splitlines()[-2:]
            print("".join(f"      {line}\n" for line in tail), end="")
            if command == "imapsync --oneshot":
                check(user, provider)
                _, again = user.run(command)
                if " 0 of " not in again:
                    raise Failed(f"the second run did something:\n{again}")


def check(user, provider):
    left, right = compare.snapshot(user, USER), compare.snapshot(provider, USER)
    lines = compare.differences(left, right)
    if lines:
        raise Failed("store and provider differ: " + compare.report(lines))
    print(f"      Compared completely: {len(left.mailboxes)} mailboxes, {left.total()} messages.")


def follow(user, provider):
    """New mail at the provider is here a moment later, without any command."""
    with provider.connect(USER) as client:
        client.append("INBOX", seed.simple("while it runs"))
    subjects = lambda: {r.subject for r in compare.snapshot(user, USER).mailboxes[("INBOX",)]}  # noqa: E731
    place.wait_until(lambda: "while it runs" in subjects(), 30, "new mail in the store")
    print("      New mail at the provider is in the store.")


def main():
    start = time.monotonic()
    provider = Dovecot("mdbox")
    user = None
    try:
        provider.start()
        seed.seed(provider, USER, MAILBOXES, MESSAGES)
        start = time.monotonic()
        user = NewUser(provider)
        walk(user, provider)
        follow(user, provider)
        print(f"From the source to synchronized mail and a call on the bus: {time.monotonic() - start:.1f} s")
        return 0
    except (Failed, TimeoutError) as error:
        print(f"first-run: {error}", file=sys.stderr)
        return 1
    finally:
        if user:
            user.close()
        provider.close()


if __name__ == "__main__":
    sys.exit(main())
