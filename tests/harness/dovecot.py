# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Dovecot on loopback, as root or as an ordinary user.

Any user name logs in with the password `pass`; each new name is a fresh store."""

import grp
import os
import pwd
import shlex
import shutil
import signal
import socket
import time
from pathlib import Path

from . import place, tls
from .imap import Client

PASSWORD = "pass"
FORMATS = ("maildir", "sdbox", "mdbox")
IMAP = "/usr/lib/dovecot/imap"
_REFUSAL = "* BAD [ALERT] imap binary must not be started from inetd, use imap-login instead."

_CONFIG = """\
base_dir = {run}
state_dir = {run}/state
log_path = {dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
first_valid_uid = 1
mail_fsync = never
mail_location = {location}
mail_max_userip_connections = 1000
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_verbose = yes
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
{user_settings}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
{extra}
"""

_TUNNEL_CONFIG = """\
protocols = imap
ssl = no
mail_fsync = never
mail_location = {location}
{identity}
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
{extra}
"""


def _end_group(group):
    """Ends what is left of a process group that was started here, and waits for it."""
    for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                return
            time.sleep(0.02)


class Dovecot:
    """kind "dovecot"; `port` plain with STARTTLS, `tls_port` TLS; `authority` the CA."""

    kind = "dovecot"

    def __init__(self, format="maildir", separator="/", extra="", authority=None, certificate=None):
        self.dir = place.folder("dc")
        self.format, self.separator, self.extra = format, separator, extra
        self.authority = authority or tls.Authority(self.dir / "ca")
        self.certificate = certificate or self.authority.issue()
        self.process = None
        self.port = self.tls_port = None
        (self.dir / "mail").mkdir()
        place.own(self.dir / "mail")

    # Running

    def start(self):
        for attempt in range(3):
            self.port, self.tls_port = self.port or place.free_port(), self.tls_port or place.free_port()
            self._write_config()
            with open(self.dir / "stderr", "ab") as errors:
                self.process = place.spawn(["/usr/sbin/dovecot", "-F", "-c", self.dir / "dovecot.conf"],
                                           stdout=errors, stderr=errors, start_new_session=True)  # fmt: skip
            try:
                place.wait_until(self._answers, 15, "Dovecot's greeting")
                return self
            except (TimeoutError, RuntimeError):
                log = self.log()
                self.stop()
                self.port = self.tls_port = None
        raise RuntimeError(f"Dovecot does not start: {log}")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("Dovecot ended")
        try:
            for port in (self.port, self.tls_port):
                with socket.create_connection(("127.0.0.1", port), 1) as probe:
                    probe.settimeout(5)
                    if port == self.port and not probe.recv(4):
                        return False
        except OSError:
            return False
        return True

    def _write_config(self):
        location = f"{self.format}:~/{'Maildir' if self.format == 'maildir' else 'mail'}"
        user, group = self._owner()
        values = dict(
            dir=self.dir, run=self.dir / "r", location=location, certificate=self.certificate.pem,
            key=self.certificate.key, port=self.port, tls_port=self.tls_port, separator=self.separator,
            password=PASSWORD, user=user, group=group, extra=self.extra, chroot="", user_settings="",
        )  # fmt: skip
        if not place.ROOT:
            values["chroot"] = "chroot ="
            values["user_settings"] = (
                f"default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}"
            )
        (self.dir / "dovecot.conf").write_text(_CONFIG.format(**values))
        for name, identity in (("tunnel", ""), ("tunnel-root", f"mail_uid = {user}\nmail_gid = {group}")):
            (self.dir / f"{name}.conf").write_text(
                _TUNNEL_CONFIG.format(location=location, identity=identity, separator=self.separator,
                                      extra=self.extra))  # fmt: skip

    @staticmethod
    def _owner():
        if place.ROOT:
            return "nobody", "nogroup"
        return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name

    def stop(self):
        place.stop(self.process)
        self.process = None

    def kill(self):
        """The master gets SIGKILL; its children, which are its process group, SIGTERM: killed in the
        middle of a write, a Maildir's lock files would stop the next server for minutes."""
        if self.process:
            self.process.kill()
            self.process.wait()
            _end_group(self.process.pid)
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.stop()
        place.remove(self.dir)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def log(self):
        return "".join(p.read_text(errors="replace") for p in (self.dir / "dovecot.log", self.dir / "stderr")
                       if p.exists())  # fmt: skip

    # Users

    def home(self, user):
        """The user's home; mail is in ~/Maildir or ~/mail."""
        path = self.dir / "mail" / user
        if not path.exists():
            path.mkdir(mode=0o700)
            place.own(path)
        return path

    def forget(self, user):
        shutil.rmtree(self.dir / "mail" / user, ignore_errors=True)

    def connect(self, user, link="imap"):
        """A logged-in Client; link: imap, starttls, imaps or tunnel."""
        if link == "tunnel":
            return Client.tunnel(self.tunnel(user))
        context = self.authority.context() if link != "imap" else None
        port = self.tls_port if link == "imaps" else self.port
        return Client.tcp("127.0.0.1", port, context, link == "starttls").login(user, PASSWORD)

    def tunnel(self, user, refuses_sockets=False):
        """A command line that speaks IMAP, already authenticated, over the same store.

        @refuses_sockets: what Dovecot's imap does when run as root; acted where it would not."""
        home = self.home(user)
        environment = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={home}", f"USER={user}"]
        if refuses_sockets and place.ROOT:
            return shlex.join([*environment, IMAP, "-c", f"{self.dir}/tunnel-root.conf"])
        command = [*environment, IMAP, "-c", f"{self.dir}/tunnel.conf"]
        if place.ROOT:
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        if refuses_sockets:
            return f"if [ -S /dev/stdin ]; then echo {shlex.quote(_REFUSAL)}; exit 1; fi; exec {shlex.join(command)}"
        return shlex.join(command)

    def settings(self, user, link="imaps", **changes):
        """A configuration section for imapsync (also InterIMAP's, but for the CA folder)."""
        if link == "tunnel":
            return {"type": "tunnel", "command": self.tunnel(user), **changes}
        if link == "tunnel-pipes":
            return {"type": "tunnel", "command": self.tunnel(user, True), **changes}
        section = {"type": "imaps" if link == "imaps" else "imap", "host": "127.0.0.1"}
        section["port"] = self.tls_port if link == "imaps" else self.port
        if link == "imap":
            section["STARTTLS"] = "NO"
        else:
            section["SSL_ca_path"] = self.authority.folder
        return {**section, "username": user, "password": PASSWORD, **changes}
