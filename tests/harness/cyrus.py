# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Cyrus IMAP, with the interface of dovecot.Dovecot, from Debian's packages without
installing them (cyrus-imapd and dovecot-imapd exclude each other).

Every password is right here; there is no tunnel."""

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from . import place, tls
from .dovecot import PASSWORD
from .imap import Client

PACKAGES = ("cyrus-imapd cyrus-common cyrus-admin cyrus-clients libclamav12 libical3 libxapian30 "
            "libzephyr4 libidn12 libmspack0 libcyrus-imap-perl").split()  # fmt: skip

_IMAPD = """\
configdirectory: {dir}/conf
partition-default: {dir}/spool
defaultpartition: default
admins: cyrus
servername: localhost
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
autocreate_quota: 0
autocreate_post: yes
altnamespace: {modern}
unixhierarchysep: {modern}
virtdomains: off
skiplist_unsafe: yes
conversations: no
statuscache: on
idlesocket: {dir}/conf/socket/idle
tls_server_cert: {certificate}
tls_server_key: {key}
tls_sessions_db: skiplist
{extra}
"""
_CYRUS = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {dir}/imapd.conf" listen="127.0.0.1:{port}" prefork=0
  imaps cmd="{bin}/imapd -s -C {dir}/imapd.conf" listen="127.0.0.1:{tls_port}" prefork=0
}}
DAEMON {{
  idled cmd="{bin}/idled -C {dir}/imapd.conf"
}}
"""


class Unavailable(Exception):
    """The packages can neither be found in the cache nor be downloaded."""


def unpacked():
    """The folder with the unpacked packages; downloads them once for this user."""
    cache = Path(os.environ.get("IMAPSYNC_CYRUS", f"/var/tmp/imapsync-cyrus-{os.geteuid()}"))
    done = cache / "complete"
    if done.exists():
        return cache / "root"
    work = cache.with_name(f"{cache.name}.{os.getpid()}")
    work.mkdir(parents=True, mode=0o755)
    try:
        got = subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=work, capture_output=True, text=True,
                             timeout=180)  # fmt: skip
        if got.returncode:
            raise Unavailable(f"apt-get download: {(got.stderr or got.stdout).strip()[-600:]}")
        for package in work.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, work / "root"], check=True, capture_output=True)
            package.unlink()
        (work / "root").chmod(0o755)
        (work / "complete").touch()
        try:
            work.rename(cache)
        except OSError:  # another process was faster
            if not done.exists():
                raise
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(str(error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return cache / "root"


class Cyrus:
    """@modern: the layout of 3.x ("/", no prefix); else "INBOX." and dots."""

    kind = "cyrus"

    def __init__(self, modern=True, extra="", authority=None, certificate=None):
        self.root = unpacked()
        self.dir = place.folder("cy")
        self.modern, self.extra = modern, extra
        self.separator = "/" if modern else "."
        self.authority = authority or tls.Authority(self.dir / "ca")
        self.certificate = certificate or self.authority.issue()
        self.process = self.port = self.tls_port = None
        self.user = "nobody" if place.ROOT else pwd.getpwuid(os.geteuid()).pw_name
        for name in ("conf", "conf/socket", "conf/db", "conf/proc", "conf/log", "conf/lock", "spool"):
            (self.dir / name).mkdir(mode=0o755)
            place.own(self.dir / name)
        place.own(self.certificate.key)

    def start(self):
        for _ in range(3):
            self.port, self.tls_port = self.port or place.free_port(), self.tls_port or place.free_port()
            values = dict(dir=self.dir, bin=self.root / "usr/lib/cyrus/bin", port=self.port, tls_port=self.tls_port,
                          certificate=self.certificate.pem, key=self.certificate.key, extra=self.extra,
                          modern="yes" if self.modern else "no")  # fmt: skip
            (self.dir / "imapd.conf").write_text(_IMAPD.format(**values))
            (self.dir / "cyrus.conf").write_text(_CYRUS.format(**values))
            libraries = ":".join(str(p) for p in [*self.root.glob("usr/lib/*-linux-gnu*"), self.root / "usr/lib"])
            with open(self.dir / "stderr", "ab") as errors:
                self.process = place.spawn(
                    [self.root / "usr/lib/cyrus/bin/master", "-C", self.dir / "imapd.conf", "-M", self.dir / "cyrus.conf",
                     "-p", self.dir / "conf/pid", "-D"],
                    env={**os.environ, "LD_LIBRARY_PATH": libraries, "CYRUS_USER": self.user}, stdout=errors,
                    stderr=errors, start_new_session=True,  # on SIGTERM it tells its whole process group
                )  # fmt: skip
            try:
                place.wait_until(self._answers, 20, "Cyrus' greeting", 0.05)
                return self
            except (TimeoutError, RuntimeError):
                log = self.log()
                self.stop()
                self.port = self.tls_port = None
        raise RuntimeError(f"Cyrus does not start: {log}")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("Cyrus ended")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.settimeout(5)
                return bool(probe.recv(4))
        except OSError:
            return False

    def stop(self):
        place.stop(self.process)
        self.process = None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
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
        path = self.dir / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def connect(self, user, link="imap"):
        context = self.authority.context() if link != "imap" else None
        port = self.tls_port if link == "imaps" else self.port
        return Client.tcp("127.0.0.1", port, context, link == "starttls").login(user, PASSWORD)

    def settings(self, user, link="imaps", **changes):
        section = {"type": "imaps" if link == "imaps" else "imap", "host": "127.0.0.1"}
        section["port"] = self.tls_port if link == "imaps" else self.port
        if link == "imap":
            section["STARTTLS"] = "NO"
        else:
            section["SSL_ca_path"] = self.authority.folder
        return {**section, "username": user, "password": PASSWORD, **changes}
