# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the program under test with a HOME of its own."""

import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import place

# Commands that change a server.
CHANGING = {"STORE", "EXPUNGE", "APPEND", "COPY", "MOVE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE",
            "UNSUBSCRIBE", "CLOSE", "REPLACE", "SETACL", "SETMETADATA"}  # fmt: skip
_TRAFFIC = re.compile(r"^imapsync: (?:[^:]*: )?(local|remote) ([CS]): ")
_SENT = re.compile(r"^imapsync: (?:[^:]*: )?(local|remote) C: (\S+) (?:UID )?([A-Za-z]+)", re.I)
_SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


def binary(plain=False):
    """$IMAPSYNC; tests/run points it to the sanitized build and $IMAPSYNC_PLAIN to the other."""
    path = (plain and os.environ.get("IMAPSYNC_PLAIN")) or os.environ.get("IMAPSYNC")
    if not path:
        path = next((p for p in (place.SOURCE / "_build/service/imapsync", place.SOURCE / "_build/imapsync")
                     if p.exists()), None)  # fmt: skip
    if not path or not Path(path).exists():
        raise FileNotFoundError(f"no imapsync to test at {path or '_build'}; tests/run builds it, or set IMAPSYNC")
    return str(path)


def killable():
    """The build that dies after its n-th effect."""
    return str(Path(binary(True)).parents[1] / "tests" / "imapsync-killable")


def preload(name):
    """For LD_PRELOAD: what tests/preload/NAME.c became. A program with sanitizers must have its own library first."""
    library = Path(binary(True)).parents[1] / "tests" / f"lib{name}.so"
    if not library.exists():
        raise FileNotFoundError(f"{library} is not built")
    return str(library)


@dataclass
class Result:
    arguments: tuple
    status: int  # negative: the signal that ended it
    out: str
    err: str
    seconds: float
    rss_kib: int  # the largest resident set, of imapsync alone
    cpu: float = 0.0  # seconds, of imapsync alone, to a hundredth or two

    def commands(self, side=None):
        """[(side, command)] that --debug shows as sent."""
        found = [(m.group(1), m.group(3).upper()) for m in map(_SENT.search, self.err.splitlines()) if m]
        return [c for c in found if side in (None, c[0])]

    def changes(self):
        """The lines of --debug that sent a command which changes something."""
        lines = []
        for line in self.err.splitlines():
            m = _SENT.search(line)
            if m and m.group(3).upper() in CHANGING:
                lines.append(line)
        return lines

    def traffic(self):
        return [line for line in self.err.splitlines() if _SENT.search(line)]

    def messages(self):
        """Standard error without the traffic of --debug."""
        return [line for line in self.err.splitlines() if not _TRAFFIC.search(line)]

    def __str__(self):
        tail = self.err[-4000:]
        return (f"imapsync {' '.join(self.arguments)}: exit status {self.status} after {self.seconds:.2f} s\n"
                f"--- standard output ---\n{self.out[-1000:]}\n--- standard error (its end) ---\n{tail}")  # fmt: skip


class Running:
    """A program that was started and not waited for."""

    def __init__(self, account, arguments, plain=False, env=None, prefix=(), program=None):
        account.runs += 1
        self.arguments, self.result = tuple(map(str, arguments)), None
        base = account.dir / f"run-{account.runs}"
        self._files = (base.with_suffix(".out"), base.with_suffix(".err"))
        self._start = time.monotonic()
        with open(self._files[0], "wb") as out, open(self._files[1], "wb") as err:
            self.process = place.spawn([*prefix, program or binary(plain), *self.arguments], stdout=out, stderr=err,
                                       env={**account.environment(), **(env or {})}, cwd=account.dir)  # fmt: skip
        self.pid, self._rss, self._cpu, self._ended = self.process.pid, 0, 0.0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        # ru_maxrss also counts the Python that forked it; VmHWM belongs to the new program alone.
        me = None
        while not self._ended.is_set():
            try:
                text = Path(f"/proc/{self.pid}/status").read_text()
                times = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            except OSError:
                return
            name = text.split("\n", 1)[0]
            me = me or ("python" in name and name)
            if name != me and (found := re.search(r"VmHWM:\s+(\d+)", text)):
                self._rss = max(self._rss, int(found.group(1)))
            self._cpu = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
            self._ended.wait(0.01)

    @property
    def err(self):
        return self._files[1].read_text(errors="replace")

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout=120):
        late = None
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            late = error
            self.kill(signal.SIGABRT)
            status = place.stop(self.process, 2)
        self._ended.set()
        out = self._files[0].read_text(errors="replace")
        self.result = result = Result(self.arguments, status, out, self.err, time.monotonic() - self._start, self._rss,
                                      self._cpu)  # fmt: skip
        if late:
            raise AssertionError(f"not finished after {timeout} s\n{result}")
        if _SANITIZER.search(result.err):
            at = _SANITIZER.search(result.err).start()
            raise AssertionError(f"the sanitizer speaks:\n{result.err[max(0, at - 200):at + 4000]}")
        return result


def format_config(options, local, remote):
    lines = [f"{k} = {v}" for k, v in options.items()]
    for name, section in (("local", local), ("remote", remote)):
        lines += ["", f"[{name}]"] + [f"{k} = {v}" for k, v in section.items()]
    return "\n".join(lines) + "\n"


class Account:
    """One configuration: a home, the file, the database.

    @local and @remote: dictionaries of options, as from Dovecot.settings()."""

    def __init__(self, local=None, remote=None, **options):
        self.dir = place.folder("home")
        self.runs = 0
        self.local, self.remote, self.options = local or {}, remote or {}, options
        for name in ("config", "data", "cache", "state", "run"):
            (self.dir / name).mkdir(mode=0o700)
        self.config = self.dir / "config" / "imapsync"
        self.write()

    def write(self, text=None):
        """Writes the configuration: @text, or what the sections say."""
        if text is None:
            text = format_config(self.options, self.local, self.remote)
        self.config.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.config.chmod(0o600)

    @property
    def database(self):
        """Where the configuration puts it."""
        data = self.dir / "data" / "imapsync"
        host = self.remote.get("host") or self.local.get("host") or "localhost"
        return data / self.options.get("database", f"{host}.db")

    def environment(self):
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "GIO_USE_PROXY_RESOLVER", "TZ",
                        "LD_LIBRARY_PATH")}  # fmt: skip
        return {
            **env, "HOME": str(self.dir), "LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(self.dir / "config"),
            "XDG_DATA_HOME": str(self.dir / "data"), "XDG_CACHE_HOME": str(self.dir / "cache"),
            "XDG_STATE_HOME": str(self.dir / "state"), "XDG_RUNTIME_DIR": str(self.dir / "run"),
            "GSETTINGS_BACKEND": "memory",
        }  # fmt: skip

    def start(self, *arguments, plain=False, env=None, prefix=(), program=None):
        return Running(self, arguments, plain, env, prefix, program)

    def run(self, *arguments, timeout=120, kill_after=None, plain=False, env=None, prefix=(), program=None):
        """Runs to the end and returns a Result. @kill_after: SIGKILL after so many seconds."""
        running = self.start(*arguments, plain=plain, env=env, prefix=prefix, program=program)
        timer = threading.Timer(kill_after, running.kill) if kill_after is not None else None
        if timer:
            timer.start()
        try:
            return running.wait(timeout)
        finally:
            if timer:
                timer.cancel()

    def once(self, *arguments, **options):
        """imapsync --oneshot"""
        return self.run("--oneshot", *arguments, **options)

    def database_state(self):
        """A digest of what the database holds: its file and, where it is not empty, its WAL."""
        state = {}
        for suffix in ("", "-wal"):
            path = self.database.with_name(self.database.name + suffix)
            if path.exists() and path.stat().st_size:
                state[suffix] = hashlib.sha256(path.read_bytes()).hexdigest()
        return state

    def close(self):
        place.remove(self.dir)
