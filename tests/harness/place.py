# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: the source, private folders, free ports, child processes that end with us."""

import atexit
import ctypes
import fcntl
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
TESTS = SOURCE / "tests"
ROOT = os.geteuid() == 0
KEEP = os.environ.get("IMAPSYNC_KEEP") == "1"
SEED = int(os.environ.get("IMAPSYNC_SEED", "1"))

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_port_locks = []
_folders = []
_processes = []


def _temporary_root():
    # Unix socket paths end at 108 bytes, and as root the servers' unprivileged processes have to
    # get into the folder.
    root = tempfile.gettempdir()
    open_to_all = all(os.stat(p).st_mode & stat.S_IXOTH for p in [root, *map(str, Path(root).parents)])
    return root if len(root) <= 40 and (open_to_all or not ROOT) else "/tmp"


def folder(name="t"):
    """A new private folder, removed at exit unless tests/run got --keep."""
    path = Path(tempfile.mkdtemp(prefix=f"is-{name}-", dir=_temporary_root()))
    path.chmod(0o755 if ROOT else 0o700)
    _folders.append(path)
    return path


def remove(path):
    if not KEEP:
        shutil.rmtree(path, ignore_errors=True)


@atexit.register
def _clean_up():
    for process in _processes:
        stop(process)
    for path in _folders:
        if KEEP and path.exists():
            print(f"# kept: {path}")
        else:
            remove(path)


def free_port():
    """A loopback port nobody listens on, reserved among all test processes of this user.

    Below the kernel's range for outgoing connections, so that none of those takes it meanwhile."""
    locks = Path(_temporary_root()) / f"imapsync-ports-{os.geteuid()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    for _ in range(500):
        port = random.SystemRandom().randrange(15000, 32000)
        lock = open(locks / str(port), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _port_locks.append(lock)
        return port
    raise RuntimeError("no free loopback port found")


def end_with_parent():
    """For preexec_fn: SIGTERM when the thread that started the child ends (so: the main thread)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def spawn(command, **options):
    """subprocess.Popen, for a program that ends when we do."""
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(list(map(str, command)), preexec_fn=end_with_parent, **options)
    _processes.append(process)
    return process


def own(path, user="nobody"):
    """Gives @path to the user that the servers' mail processes run as (root only)."""
    if ROOT:
        shutil.chown(path, user, "nogroup")


def stop(process, seconds=8):
    """SIGTERM, then SIGKILL, to the process that was started here. Returns its exit status."""
    if process is None or process.poll() is not None:
        return None if process is None else process.returncode
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until(condition, seconds=10.0, what="a condition", step=0.01):
    """Calls @condition until it returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(step)
