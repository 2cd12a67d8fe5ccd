# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy that counts, delays and cuts. Put it before a server's port and use its own.

"up" is from the client to the server, "down" the other way. In front of a plain-text server it also
lists the commands that pass."""

import queue
import re
import socket
import threading
import time

from . import place

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n\Z")


class _Commands:
    """Cuts the client's stream into command lines, leaving literals out."""

    def __init__(self):
        self.lines, self._rest, self._skip, self._line = [], b"", 0, b""

    def feed(self, data):
        self._rest += data
        while self._rest:
            if self._skip:
                n = min(self._skip, len(self._rest))
                self._rest, self._skip = self._rest[n:], self._skip - n
                continue
            line, found, rest = self._rest.partition(b"\r\n")
            if not found:
                return
            self._rest = rest
            self._line += line + b"\r\n"
            if match := _LITERAL.search(self._line):
                self._skip = int(match.group(1))
                self._line = self._line[:-2] + b" ..."
            else:
                self.lines.append(self._line.rstrip().decode("utf-8", "replace"))
                self._line = b""


class Proxy:
    """@delay: seconds added in each direction (a round trip takes twice that)."""

    def __init__(self, port, delay=0.0, host="127.0.0.1"):
        self.target, self.delay = (host, port), delay
        self.bytes = {"up": 0, "down": 0}
        self.round_trips = 0  # how often the client spoke after the server had
        self.connections = 0
        self.cuts = 0
        self.kept = None  # [{"up": bytes, "down": bytes}] of all connections, once keep() was called
        self._commands = []
        self._cut = None
        self._refuse = False
        self._lock = threading.Lock()
        self._sockets = set()
        self._last = "down"
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = place.free_port()
        self._socket.bind(("127.0.0.1", self.port))

    def keep(self):
        """Keeps what passes from now on, for who wants to know what is where."""
        self.kept = []
        return self

    # Faults

    def cut_after(self, up=None, down=None, commands=None, times=1):
        """Ends the connection once so many more bytes (or commands) passed, exactly at that byte;
        @times connections in a row, each counted from its own beginning."""
        with self._lock:
            self._cut = dict(up=up, down=down, commands=commands, times=times)

    def refuse(self, refuse=True):
        """While on, a new connection is closed at once."""
        self._refuse = refuse

    def cut_now(self):
        for sock in list(self._sockets):
            _abort(sock)

    # Running

    def start(self):
        self._socket.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def close(self):
        for action in (lambda: self._socket.shutdown(socket.SHUT_RDWR), self._socket.close):
            try:
                action()
            except OSError:
                pass
        self.cut_now()

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    @property
    def commands(self):
        """The commands of all connections, with their tags, without literals."""
        return [line for one in self._commands for line in one.lines]

    def reset(self):
        """Forgets what was counted."""
        with self._lock:
            self.bytes, self.round_trips, self._last = {"up": 0, "down": 0}, 0, "down"
            for one in self._commands:
                one.lines.clear()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            if self._refuse:
                client.close()
                continue
            try:
                server = socket.create_connection(self.target, 10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            passed = {"up": 0, "down": 0, "cut": False}
            commands = _Commands()
            self._commands.append(commands)
            kept = {"up": bytearray(), "down": bytearray()} if self.kept is not None else None
            if kept is not None:
                self.kept.append(kept)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.add(sock)
            for source, sink, way in ((client, server, "up"), (server, client, "down")):
                line = queue.Queue(256)
                threading.Thread(target=self._read, args=(source, line), daemon=True).start()
                threading.Thread(
                    target=self._write, args=(source, sink, line, way, passed, commands, kept), daemon=True
                ).start()

    def _read(self, source, line):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            line.put((time.monotonic() + self.delay, data))
            if not data:
                return

    def _write(self, source, sink, line, way, passed, commands, kept):
        while True:
            due, data = line.get()
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            if not data:
                try:
                    sink.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self._sockets.discard(source)
                return
            with self._lock:
                # Once cut in one direction, nothing passes in the other either.
                keep = 0 if passed["cut"] else self._allowed(way, data, passed, commands)
                data, cut = data[:keep], keep < len(data) or self._reached(way, passed, keep, commands)
                passed[way] += len(data)
                if kept is not None:
                    kept[way] += data
                self.bytes[way] += len(data)
                if way == "up" and self._last == "down" and data:
                    self.round_trips += 1
                if data:
                    self._last = way
                if cut and not passed["cut"]:
                    passed["cut"] = True
                    self.cuts += 1
                    self._cut["times"] -= 1
            try:
                sink.sendall(data)
            except OSError:
                cut = True
            if cut:
                _abort(sink)
                _abort(source)
                self._sockets -= {sink, source}
                # The reader may wait for room in the queue.
                while line.get()[1]:
                    pass
                return

    def _active(self):
        return self._cut is not None and self._cut["times"] > 0

    def _allowed(self, way, data, passed, commands):
        if self._active() and self._cut[way] is not None:
            return max(0, min(len(data), self._cut[way] - passed[way]))
        if way == "up":
            commands.feed(data)
        return len(data)

    def _reached(self, way, passed, keep, commands):
        if not self._active():
            return False
        if self._cut[way] is not None:
            return passed[way] + keep >= self._cut[way]
        limit = self._cut["commands"]
        return way == "up" and limit is not None and len(commands.lines) >= limit


def _abort(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
