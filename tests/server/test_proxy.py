# SPDX-License-Identifier: GPL-3.0-or-later
"""Through proxies, with real TLS to a real Dovecot behind them; and IPv6."""

import socket

from harness import place
from harness.case import ServerCase
from harness.dovecot import Dovecot
from harness.proxies import HttpConnect, Socks5
from harness.scripted import CAPABILITIES, Scripted
from harness.seed import simple

NO_CONNECTION = 3
WORLD = "imap.proxied.example"  # only the proxy knows it


class Proxies(ServerCase):
    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")

    @classmethod
    def make_servers(cls):
        return [Dovecot(format="maildir"), Dovecot(format="maildir")]

    def setUp(self):
        super().setUp()
        self.local.append("INBOX", simple("travels"))
        self.port = int(self.account.remote["port"])

    def through(self, proxy, login="", **changes):
        """The account goes to WORLD; @login: "user:password@"."""
        self.account.remote.update(host=WORLD, SSL_hostname="localhost", **changes)
        if proxy is not None:
            self.account.remote["proxy"] = f"{proxy.scheme}://{login}127.0.0.1:{proxy.port}"
        self.account.write()

    def each(self, **options):
        for kind in (Socks5, HttpConnect):
            with kind({WORLD: self.port}, **options) as proxy:
                yield proxy

    def assertEnds(self, *words):
        result = self.account.once("--debug", timeout=60)
        self.assertEqual(result.status, NO_CONNECTION, result)
        self.assertSays(result, WORLD, *words)
        self.assertNotIn(("remote", "AUTHENTICATE"), result.commands())
        return result

    def test_the_proxy_finds_the_server(self):
        "socks5 and http: the proxy gets the server's name, and TLS goes through to the server"
        for proxy in self.each():
            self.through(proxy)
            self.sync()
            self.assertEqual(set(proxy.asked), {(WORLD, self.port)})
        self.assertIdentical()

    def test_a_proxy_that_wants_a_password(self):
        "name and password of the option go to the proxy; they are not in the log"
        for proxy in self.each(user="me", password="geheim"):
            self.through(proxy, "me:geheim@")
            result = self.sync("--debug")
            self.assertEqual(set(proxy.logins), {("me", "geheim")})
            self.assertNotIn("geheim", result.err)

    def test_a_wrong_password_for_the_proxy(self):
        "a proxy that refuses us is told, without what was tried"
        for proxy in self.each(user="me", password="geheim"):
            self.through(proxy, "me:falsch@")
            self.assertNotIn("falsch", self.assertEnds("authentication").err)

    def test_the_proxy_cannot_reach_the_server(self):
        "what the proxy refuses is the error"
        for proxy in self.each():
            proxy.names = {}
            self.through(proxy)
            self.assertEnds()
            self.assertEqual(proxy.asked, [(WORLD, self.port)])

    def test_a_proxy_that_is_silent_or_not_there(self):
        "the deadline is that of every connection, and nobody goes around the proxy"
        for proxy in self.each(silent=True):
            self.through(proxy, timeout=2)
            self.assertEnds("within 2 seconds")
        self.account.remote["proxy"] = f"socks5://127.0.0.1:{place.free_port()}"
        self.account.write()
        self.assertEnds("refused")

    def test_the_name_is_checked_behind_a_proxy(self):
        "the certificate has to be for the server, not for the proxy"
        for proxy in self.each():
            self.through(proxy)
            self.account.remote["SSL_hostname"] = WORLD
            self.account.write()
            self.assertEnds(f'its name is not "{WORLD}"')

    def test_no_clear_text_through_a_proxy(self):
        "a server on loopback is not private when a proxy stands in between: no password is shown"
        with Scripted(capabilities=CAPABILITIES) as server, Socks5({"127.0.0.1": server.port}) as proxy:
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=3, proxy=f"socks5://127.0.0.1:{proxy.port}"))
            self.account.write()
            result = self.account.once("--debug", timeout=60)
            self.assertEqual(result.status, NO_CONNECTION, result)
            self.assertSays(result, "would show the password")
            self.assertEqual(len(proxy.asked), 1)
            self.assertFalse(server.saw_secret("user", "secret-word"), server.received)

    def test_the_desktops_proxy(self):
        "without the option, what the desktop's settings say is used; not for this machine itself"
        settings = self.account.dir / "config" / "glib-2.0" / "settings"
        settings.mkdir(parents=True)
        env = {"GIO_USE_PROXY_RESOLVER": "gnome", "GSETTINGS_BACKEND": "keyfile", "XDG_CURRENT_DESKTOP": "GNOME"}
        direct = dict(self.account.remote)
        with Socks5({WORLD: self.port}) as proxy:
            (settings / "keyfile").write_text(
                "[system/proxy]\nmode='manual'\n"
                f"[system/proxy/socks]\nhost='127.0.0.1'\nport={proxy.port}\n"
            )
            self.through(None)
            self.sync(env=env, plain=True)
            self.assertEqual(set(proxy.asked), {(WORLD, self.port)})
            before = len(proxy.asked)
            self.account.remote.clear()
            self.account.remote.update(direct)
            self.account.options["database"] = "direct.db"
            self.account.write()
            self.sync(env=env, plain=True)
            self.assertEqual(len(proxy.asked), before, "loopback needs no proxy")


class IPv6(ServerCase):
    formats, links = ("maildir", "maildir"), ("tunnel", "imaps")

    def test_an_address_of_ipv6(self):
        "a server with nothing but an address of IPv6 is reached, and on loopback it is private"
        with Scripted() as server:
            listener = socket.socket(socket.AF_INET6)
            self.addCleanup(listener.close)
            listener.bind(("::1", 0))
            server._socket.close()
            server._socket, server.port = listener, listener.getsockname()[1]
            server.start()
            self.account.remote.clear()
            self.account.remote.update(server.settings(timeout=5, host="::1"))
            self.account.write()
            result = self.account.once("--debug", timeout=60)
            self.assertTrue([c for c in server.commands if c.startswith("LIST")], result)
            self.assertEqual(len(server.logins()), 1)
