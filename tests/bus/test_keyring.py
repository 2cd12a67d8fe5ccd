# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords from the real gnome-keyring: unlocked, locked, cold, absent, changed, and its prompts."""

import os
import subprocess

from harness import place
from harness.service import BusCase, account_path

SECRETS, SECRETS_PATH = "org.freedesktop.secrets", "/org/freedesktop/secrets"
SERVICE, LOGIN = "org.freedesktop.Secret.Service", SECRETS_PATH + "/collection/login"
GUILT = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
MASTER = b"master"
ASKED = {"host": "imap.example.org", "username": "me@example.org"}
WORK = account_path("work")


class KeyringCase(BusCase):
    def setUp(self):
        super().setUp()
        self.keyring_home = place.folder("keyring")
        self.addCleanup(place.remove, self.keyring_home)
        self.daemon = None

    def unlocked_keyring(self):
        self.start_keyring("--unlock", stdin=MASTER)

    def start_keyring(self, *arguments, stdin=b""):
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG")}
        env.update(HOME=str(self.keyring_home), XDG_DATA_HOME=str(self.keyring_home / "data"),
                   XDG_RUNTIME_DIR=str(self.keyring_home), DBUS_SESSION_BUS_ADDRESS=self.bus.address)  # fmt: skip
        log = open(self.keyring_home / "log", "ab")
        self.addCleanup(log.close)
        self.daemon = place.spawn(["gnome-keyring-daemon", "--foreground", "--components=secrets", *arguments],
                                  stdin=subprocess.PIPE, stdout=log, stderr=log, env=env)  # fmt: skip
        self.addCleanup(place.stop, self.daemon)
        self.daemon.stdin.write(stdin)
        self.daemon.stdin.close()
        self.peer.wait_for_name(SECRETS)

    def stop_keyring(self):
        place.stop(self.daemon)
        self.peer.wait_for_name(SECRETS, there=False)

    def secret(self, method, signature, *arguments, path=SECRETS_PATH, iface=SERVICE):
        return self.peer.call(path, method, signature, *arguments, iface=iface, to=SECRETS)

    def session(self):
        from gi.repository import GLib

        return self.secret("OpenSession", "(sv)", "plain", GLib.Variant("s", ""))[1]

    def store(self, password, account="work", side="remote"):
        from gi.repository import GLib

        attributes = {"application": "imapsync", "account": account, "side": side}
        properties = {"org.freedesktop.Secret.Item.Label": GLib.Variant("s", f"imapsync {account}"),
                      "org.freedesktop.Secret.Item.Attributes": GLib.Variant("a{ss}", attributes)}  # fmt: skip
        return self.secret("CreateItem", "(a{sv}(oayays)b)", properties,
                           (self.session(), b"", password.encode(), "text/plain"), True,
                           path=LOGIN, iface="org.freedesktop.Secret.Collection")[0]  # fmt: skip

    def lock(self):
        self.secret("Lock", "(ao)", [LOGIN])

    def unlock(self):
        self.secret("UnlockWithMasterPassword", "(o(oayays))", LOGIN, (self.session(), b"", MASTER, "text/plain"),
                    iface=GUILT)  # fmt: skip

    def begin(self, *names):
        home = self.make_home(*(names or ["work"]), remote=ASKED)
        return self.start(home)


class Keyring(KeyringCase):
    def test_unlocked(self):
        "the password comes from the keyring at once"
        self.unlocked_keyring()
        self.store("sécret")
        service = self.begin()
        self.wait_for_log(service, "password of remote: sécret")
        self.peer.wait_for(WORK, "Status", "watching")
        self.peer.spin(1.5)
        self.assertEqual(service.err.count("password of"), 1, "told once")

    def test_locked_then_unlocked(self):
        "locked means waiting without a prompt, and the unlock is noticed"
        self.unlocked_keyring()
        self.store("secret")
        self.lock()
        service = self.begin()
        self.peer.wait_for(WORK, "Status", "keyring-locked")
        self.assertIn("password of remote: none, locked", service.err)
        self.unlock()
        self.wait_for_log(service, "password of remote: secret")
        self.peer.wait_for(WORK, "Status", "watching")

    def test_cold(self):
        "a keyring that was never open in this session is locked, not empty"
        self.unlocked_keyring()
        self.store("secret")
        self.stop_keyring()
        self.start_keyring()
        service = self.begin()
        self.peer.wait_for(WORK, "Status", "keyring-locked")
        self.unlock()
        self.wait_for_log(service, "password of remote: secret")

    def test_no_password_stored(self):
        "an open keyring without the password says so; storing it is noticed, changing it too"
        self.unlocked_keyring()
        self.store("other", account="another")
        self.store("other", side="local")
        service = self.begin()
        self.peer.wait_for(WORK, "Status", "auth-failed")
        self.wait_for_log(service, "password of remote: none\n")
        self.store("wrong")
        self.wait_for_log(service, "password of remote: wrong")
        self.store("right")
        self.wait_for_log(service, "password of remote: right")

    def test_no_service(self):
        "without a keyring there is no password, until one appears"
        service = self.begin()
        self.peer.wait_for(WORK, "Status", "auth-failed")
        self.unlocked_keyring()
        self.store("late")
        self.wait_for_log(service, "password of remote: late")

    def test_the_keyring_restarts(self):
        "a new daemon is asked, when the old one has gone"
        self.unlocked_keyring()
        self.store("first")
        service = self.begin()
        self.wait_for_log(service, "password of remote: first")
        self.stop_keyring()
        self.unlocked_keyring()
        self.store("second")
        self.wait_for_log(service, "password of remote: second")

    def test_unlock_that_nobody_can_answer(self):
        "UnlockKeyring without a prompter is an error for all who asked, and the daemon lives"
        self.unlocked_keyring()
        self.store("secret")
        self.store("secret", account="home")
        self.lock()
        service = self.begin("work", "home")
        paths = [WORK, account_path("home")]
        for path in paths:
            self.peer.wait_for(path, "Status", "keyring-locked")
        answers = [self.peer.start(path, "UnlockKeyring", timeout=60) for path in paths * 2]
        self.peer.wait(lambda: all(answers), 60)
        self.assertEqual({a[0].name for a in answers}, {"org.imapsync.Sync1.Error.Keyring"})
        self.assertIsNone(self.daemon.poll(), "gnome-keyring died")
        self.unlock()
        self.wait_for_log(service, "password of remote: secret", count=2)
        self.assertEqual(self.peer.call(WORK, "UnlockKeyring"), ())

    def test_no_password_on_the_bus_or_in_a_property(self):
        "no property and no conflict shows the password"
        self.unlocked_keyring()
        self.store("verysecret")
        service = self.begin()
        self.wait_for_log(service, "password of remote: verysecret")
        self.assertNotIn("verysecret", repr(self.peer.objects()))

    def test_the_bus_goes_away(self):
        "after a restart of the bus the keyring is asked again"
        self.unlocked_keyring()
        self.store("before")
        service = self.begin()
        self.wait_for_log(service, "password of remote: before")
        self.bus.stop()
        place.stop(self.daemon)
        place.wait_until(lambda: "the session bus went away" in service.err, 60, "the end of the bus")
        self.bus.start()
        self.peer = self.connect()
        self.unlocked_keyring()
        self.store("after")
        self.peer.wait_for_name()
        self.wait_for_log(service, "password of remote: after")


class NoKeyring(BusCase):
    def test_no_bus_at_all(self):
        "without a session bus there is no password, at once"
        home = self.make_home("work", remote=ASKED)
        service = self.start(home, wait=False, env={"DBUS_SESSION_BUS_ADDRESS": ""})
        self.wait_for_log(service, "password of remote: none\n")
