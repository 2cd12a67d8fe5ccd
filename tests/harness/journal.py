# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program sends to the journal: journald's sockets, in a mount namespace of the program's own.

Inside of it: /usr/bin/python3 journal.py COMMAND... prints each record as a line of JSON."""

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

FOLDER = Path("/run/systemd/journal")


def records(command, env):
    """Runs @command with its standard error at the journal; (exit status, [dict])."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount -t tmpfs none /run && exec "$0" "$@"'
    done = subprocess.run(["unshare", "--mount", *user, "sh", "-c", script, "/usr/bin/python3", __file__, *command],
                          env=env, capture_output=True, text=True, timeout=120)  # fmt: skip
    if not done.stdout:
        raise RuntimeError(f"no journal to be had: {done.stderr}")
    *lines, status = [json.loads(line) for line in done.stdout.splitlines()]
    return status, lines


def _fields(data):
    """The journal's native protocol."""
    fields = {}
    while data:
        name, _, data = data.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
        else:
            (length,) = struct.unpack_from("<Q", data)
            value, data = data[8 : 8 + length], data[9 + length :]
        fields[name.decode()] = value.decode("utf-8", "replace")
    return fields


def _main(command):
    FOLDER.mkdir(parents=True)
    native = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    native.bind(str(FOLDER / "socket"))
    native.settimeout(0.2)
    stdout = socket.socket(socket.AF_UNIX)
    stdout.bind(str(FOLDER / "stdout"))
    stdout.listen()
    stderr = socket.socket(socket.AF_UNIX)
    stderr.connect(str(FOLDER / "stdout"))
    process = subprocess.Popen(command, stderr=stderr.fileno(), stdout=subprocess.DEVNULL)
    while True:
        ended = process.poll() is not None
        try:
            print(json.dumps(_fields(native.recv(1 << 20))))
        except TimeoutError:
            if ended:
                break
    print(json.dumps(process.returncode))


if __name__ == "__main__":
    _main(sys.argv[1:])
