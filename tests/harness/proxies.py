# SPDX-License-Identifier: GPL-3.0-or-later
"""A SOCKS5 (RFC 1928, 1929) and an HTTP CONNECT proxy on loopback, which write down what they are asked."""

import base64
import re
import socket
import struct
import threading

from . import place


class _Relay:
    """@names: {host: port on 127.0.0.1}, the world that the proxy can reach. @user, @password: who may use
    it; None: everybody. @silent: takes connections and says nothing."""

    def __init__(self, names, user=None, password=None, silent=False):
        self.names, self.user, self.password, self.silent = names, user, password, silent
        self.asked = []  # (host, port)
        self.logins = []  # (user, password)
        self.port = place.free_port()
        self._sockets = []
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))

    def __enter__(self):
        self._socket.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in [self._socket, *self._sockets]:
            for action in (lambda: each.shutdown(socket.SHUT_RDWR), each.close):
                try:
                    action()
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.silent:
                client.recv(1)
                return
            target = self.negotiate(client)
            if target is None:
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", target))
            self._sockets.append(server)
            self.accepted(client)
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
            self._copy(client, server)
        except (OSError, ValueError):
            client.close()

    @staticmethod
    def _copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _read(client, n):
        data = b""
        while len(data) < n:
            part = client.recv(n - len(data))
            if not part:
                raise ValueError("closed")
            data += part
        return data


class Socks5(_Relay):
    scheme = "socks5"

    def negotiate(self, client):
        version, n = self._read(client, 2)
        methods = self._read(client, n)
        wanted = 2 if self.user else 0
        if version != 5 or wanted not in methods:
            client.sendall(b"\x05\xff")
            return None
        client.sendall(bytes([5, wanted]))
        if wanted == 2:
            _, length = self._read(client, 2)
            user = self._read(client, length).decode()
            password = self._read(client, self._read(client, 1)[0]).decode()
            self.logins.append((user, password))
            good = (user, password) == (self.user, self.password)
            client.sendall(bytes([1, 0 if good else 1]))
            if not good:
                return None
        _, command, _, kind = self._read(client, 4)
        if kind == 3:
            host = self._read(client, self._read(client, 1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, self._read(client, size))
        (port,) = struct.unpack("!H", self._read(client, 2))
        self.asked.append((host, port))
        if command != 1 or host not in self.names:
            client.sendall(b"\x05\x04\x00\x01\0\0\0\0\0\0")  # host unreachable
            return None
        return self.names[host]

    def accepted(self, client):
        client.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")


class HttpConnect(_Relay):
    scheme = "http"

    def negotiate(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(client, 1)
        target = re.match(rb"CONNECT ([^ ]+):(\d+) HTTP/1\.[01]\r\n", head)
        if not target:
            return None
        host = target[1].decode()
        self.asked.append((host, int(target[2])))
        if self.user:
            found = re.search(rb"(?im)^Proxy-Authorization: Basic (\S+)\r$", head)
            login = tuple(base64.b64decode(found[1]).decode().split(":", 1)) if found else ("", "")
            self.logins.append(login)
            if login != (self.user, self.password):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return None
        if host not in self.names:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return None
        return self.names[host]

    def accepted(self, client):
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
