# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server that misbehaves: a proxy in front of it that changes what is said.

    with Tamper(server.port) as tamper:
        tamper.reply = lambda data: data.replace(b"APPENDUID", b"X-NOTHING")
        tamper.command = lambda data: b"NO [TOOBIG] no" if b"huge" in data else None

`reply` gets each response with its literals and returns what the client sees (b"" for nothing);
`command` each command with its literals (LITERAL+ only), and returns the answer that the client
gets in the server's place, CUT to end the connection, or None to pass it on."""

import re
import socket
import threading

from . import place

CUT = object()
_LITERAL = re.compile(rb"~?\{(\d+)\+?\}\r\n\Z")


class Tamper:
    def __init__(self, port, host="127.0.0.1"):
        self.target = (host, port)
        self.reply = lambda data: data
        self.command = lambda data: None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = place.free_port()
        self._socket.bind(("127.0.0.1", self.port))
        self._open = set()

    def start(self):
        self._socket.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def close(self):
        for sock in [self._socket, *self._open]:
            _abort(sock)

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(self.target, 10)
            except OSError:
                return
            server.settimeout(None)
            lock = threading.Lock()
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(sock)
            for run in (self._up, self._down):
                threading.Thread(target=self._run, args=(run, client, server, lock), daemon=True).start()

    @staticmethod
    def _run(run, client, server, lock):
        try:
            run(client, server, lock)
        except OSError:
            pass
        finally:
            _abort(client)
            _abort(server)

    def _up(self, client, server, lock):
        for data in _whole(client.makefile("rb")):
            answer = self.command(data)
            if answer is CUT:
                return
            if answer is None:
                server.sendall(data)
            else:
                with lock:
                    client.sendall(data.split(b" ", 1)[0] + b" " + answer + b"\r\n")

    def _down(self, client, server, lock):
        for data in _whole(server.makefile("rb")):
            with lock:
                client.sendall(self.reply(data))


def _whole(stream):
    """Lines, each with the literals that it announces and what follows them."""
    while line := stream.readline():
        data = line
        while match := _LITERAL.search(line):
            data += stream.read(int(match.group(1)))
            line = stream.readline()
            data += line
        yield data


def _abort(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
