# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's side of SCRAM (RFC 5802, 7677), as an answer of a Scripted to AUTHENTICATE."""

import base64
import hashlib
import hmac
import os


def _decode(text):
    return base64.b64decode(text).decode()


def _fields(message):
    return dict(field.split("=", 1) for field in message.split(",") if "=" in field)


class Scram:
    """@says: the messages of the client, as it sent them; @said: ours; @proved: its proof was right. With
    @binding(connection) the client has to be bound to what that returns."""

    def __init__(self, password, algorithm="sha256", iterations=4096, binding=None):
        self.password, self.algorithm, self.iterations, self.binding = password, algorithm, iterations, binding
        self.says, self.said, self.proved = [], [], False

    def _hmac(self, key, text):
        return hmac.new(key, text, self.algorithm).digest()

    def _ask(self, connection, text):
        self.said.append(text)
        connection.send("+ " + base64.b64encode(text.encode()).decode())
        self.says.append(_decode(connection.read_line()))
        return self.says[-1]

    def __call__(self, connection, tag, line):
        words = line.split()
        if len(words) > 2:
            self.says.append(_decode(words[2]))
        else:
            connection.send("+ ")
            self.says.append(_decode(connection.read_line()))
        first = self.says[-1]
        flag, _, bare = first.split(",", 2)
        head = f"{flag},,"
        salt, nonce = os.urandom(12), _fields(bare)["r"] + base64.b64encode(os.urandom(9)).decode()
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={self.iterations}"
        final = self._ask(connection, challenge)
        without, proof = final.rsplit(",p=", 1)
        bound = self.binding(connection) if self.binding else b""
        salted = hashlib.pbkdf2_hmac(self.algorithm, self.password.encode(), salt, self.iterations)
        spoken = f"{bare},{challenge},{without}".encode()
        key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self.algorithm, key).digest(), spoken)
        self.proved = (
            bytes(a ^ b for a, b in zip(key, signature)) == base64.b64decode(proof)
            and base64.b64decode(_fields(without)["c"]) == head.encode() + bound
            and _fields(without)["r"] == nonce
        )
        if not self.proved:
            return "{tag} NO [AUTHENTICATIONFAILED] wrong"
        self._ask(connection, "v=" + base64.b64encode(self._hmac(self._hmac(salted, b"Server Key"), spoken)).decode())
        return "{tag} OK [CAPABILITY %s] logged in" % connection.capabilities
