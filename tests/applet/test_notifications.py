# SPDX-License-Identifier: GPL-3.0-or-later
"""What the notification daemon is asked for, word for word: python-dbusmock is the daemon."""

import json
import subprocess
import sys
import time

from gi.repository import GLib

from harness import place
from harness.applet import NAME, AppletCase

DAEMON = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
MOCK = "org.freedesktop.DBus.Mock"


class NotificationsCase(AppletCase):
    capabilities = "actions body body-markup persistence"

    def prepare(self):
        self.work = self.service.add("work")
        self.daemon = None
        self.start_daemon()

    def start_daemon(self):
        parameters = json.dumps({"capabilities": self.capabilities})
        env = {**self.env, "DBUS_SESSION_BUS_ADDRESS": self.bus.address}
        self.daemon = place.spawn([sys.executable, "-m", "dbusmock", "--session", "--template", "notification_daemon",
                                   "-p", parameters], env=env, stdout=subprocess.DEVNULL)  # fmt: skip
        self.addCleanup(place.stop, self.daemon)
        self.peer.wait_owner(DAEMON)

    def mock(self, method, signature, *arguments):
        return self.peer.call(DAEMON, PATH, MOCK, method, GLib.Variant(signature, arguments))

    def calls(self, method="Notify"):
        return [arguments for _, arguments in self.mock("GetMethodCalls", "(s)", method)]

    def forget(self):
        self.mock("ClearCalls", "()")

    def notified(self, n=1):
        """The arguments of @n calls of Notify, and no more."""
        self.eventually(n, lambda: len(self.calls()))
        time.sleep(0.7)
        self.assertEqual(len(self.calls()), n, self.calls())
        return self.calls()

    def act(self, id, key):
        self.mock("EmitSignal", "(sssav)", DAEMON, "ActionInvoked", "us",
                  [GLib.Variant("u", id), GLib.Variant("s", key)])  # fmt: skip

    def close_by_person(self, id):
        self.mock("EmitSignal", "(sssav)", DAEMON, "NotificationClosed", "uu",
                  [GLib.Variant("u", id), GLib.Variant("u", 2)])  # fmt: skip


class Notifications(NotificationsCase):
    def test_a_refused_password(self):
        "exact arguments; told once; Try again reaches the service; gone when it is right"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        (app, replaces, icon, summary, body, actions, hints, timeout), = self.notified()
        self.assertEqual((app, replaces, icon, timeout), ("imapsync", 0, NAME, 0))
        self.assertEqual((summary, body), ("work: Password refused",
                                           "Nothing is synchronized until the password is right."))  # fmt: skip
        self.assertEqual(actions, ["0", "Try again"])
        hints.pop("sender-pid", None)
        self.assertEqual(hints, {"category": "transfer.error", "urgency": 1, "desktop-entry": NAME,
                                 "x-kde-origin-name": "work"})  # fmt: skip
        self.service.set(self.work, ErrorMessage="another text for logs", NextTry=int(time.time()) + 100)
        self.notified(1)
        self.act(1, "0")
        self.assertCalls(("work", "Sync", ([],)))
        self.service.set(self.work, Status="connecting", ErrorCode="")
        time.sleep(0.7)
        self.assertEqual(self.calls("CloseNotification"), [], "not proved to be gone yet")
        self.service.set(self.work, Status="watching")
        self.eventually([[1]], lambda: self.calls("CloseNotification"))

    def test_what_a_person_closed_does_not_come_back(self):
        "closed: not told again until it is news again"
        self.service.set(self.work, Status="error", ErrorCode="certificate")
        self.notified(1)
        self.close_by_person(1)
        self.service.set(self.work, ErrorMessage="again")
        self.service.set(self.work, Status="connecting")
        self.service.set(self.work, Status="error", ErrorCode="certificate")
        self.notified(1)
        self.service.set(self.work, Status="watching", ErrorCode="")
        time.sleep(0.7)
        self.service.set(self.work, Status="error", ErrorCode="certificate")
        self.notified(2)

    def test_a_password_that_was_tried_again(self):
        "refused again after somebody asked for it, it is told again"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        self.notified(1)
        self.act(1, "0")
        self.close_by_person(1)  # as GNOME does after an action
        self.service.set(self.work, Status="connecting", ErrorCode="")
        self.notified(1)
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        self.notified(2)

    def test_a_locked_keyring(self):
        "told after a moment, and a click unlocks"
        self.service.set(self.work, Status="keyring-locked", ErrorCode="keyring")
        time.sleep(2)
        self.assertEqual(self.calls(), [], "the login may be about to unlock it")
        (_, _, _, summary, _, actions, _, _), = self.notified()
        self.assertEqual((summary, actions), ("work: The keyring is locked", ["default", "Unlock…", "0", "Unlock…"]))
        self.act(1, "default")
        self.assertCalls(("work", "UnlockKeyring", ()))

    def test_conflicts_are_one_notification(self):
        "the second conflict of a group changes the first one's notification; both are answered"
        self.service.conflict(self.work, 3, "refused", "INBOX", 17, 0, reason="<too> big & fat", subject="Big", side="remote")
        (_, replaces, _, summary, body, actions, hints, timeout), = self.notified()
        self.assertEqual((replaces, summary), (0, "work: A message was refused"))
        self.assertEqual(body, "“Big” in “INBOX”: &lt;too&gt; big &amp; fat")
        self.assertEqual(actions, ["0", "Try again", "1", "Skip"])
        self.service.conflict(self.work, 4, "refused", "Archive", 9, 0)
        (_, replaces, _, summary, body, *_) = self.notified(2)[-1]
        self.assertEqual((replaces, summary), (1, "work: 2 messages were refused"))
        self.assertEqual(body.splitlines()[0], "A message in “Archive”")
        self.service.calls.clear()
        self.act(1, "1")
        self.assertCalls(("work", "Resolve", (3, "skip")), ("work", "Resolve", (4, "skip")))
        self.service.resolved(self.work, 3)
        self.service.resolved(self.work, 4)
        self.eventually([[1]], lambda: self.calls("CloseNotification"))

    def test_a_mass_deletion(self):
        "says how many, where, and offers what may be answered, the mildest first"
        self.service.conflict(self.work, 1, "mass-deletion", "Archive", gone_on="remote", count=450)
        (_, _, _, summary, body, actions, _, timeout), = self.notified()
        self.assertEqual(summary, "work: Many messages vanished")
        self.assertEqual(body, "450 messages of “Archive” vanished from work.example.org. "
                               "They are kept on the other side until you decide.")  # fmt: skip
        self.assertEqual(actions, ["0", "Bring them back", "1", "Delete them", "2", "Ask me later"])
        self.assertEqual(timeout, 0, "it stays")

    def test_three_at_most(self):
        "of four causes the three most important are told; the fourth follows when one is gone"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        self.service.conflict(self.work, 1, "flags")
        self.service.conflict(self.work, 2, "refused")
        self.eventually(3, lambda: len(self.calls()))
        self.service.conflict(self.work, 3, "mass-deletion", gone_on="local", count=30)
        self.eventually(4, lambda: len(self.calls()))
        self.eventually(1, lambda: len(self.calls("CloseNotification")))
        told = {c[3] for c in self.calls()}
        self.assertEqual(told, {"work: Password refused", "work: Marks were changed on both sides",
                                "work: A message was refused", "work: Many messages vanished"})  # fmt: skip
        self.assertEqual(self.calls("CloseNotification")[0], [1 + [c[3] for c in self.calls()].index(
            "work: Marks were changed on both sides")])  # fmt: skip
        self.service.resolved(self.work, 3)
        self.eventually("work: Marks were changed on both sides", lambda: self.calls()[-1][3])

    def test_nothing_for_what_mends_itself(self):
        "offline, connecting, a server that does not answer: silence, before ten minutes"
        for status, code in (("offline", ""), ("connecting", ""), ("error", "timeout"), ("error", "dns"),
                             ("error", "refused"), ("syncing", ""), ("paused", "")):  # fmt: skip
            self.service.set(self.work, Status=status, ErrorCode=code)
            time.sleep(0.1)
        time.sleep(1)
        self.assertEqual(self.calls(), [])

    def test_new_mail_is_gathered(self):
        "one notification counts up; closed, it starts again"
        self.service.finished(self.work, copied_local=3)
        time.sleep(0.7)
        self.assertEqual(self.calls(), [], "not asked for")
        self.service.finished(self.work, new_mail=1)
        (_, _, _, summary, body, _, hints, _), = self.notified()
        self.assertEqual((summary, body, hints["category"]), ("1 new message", "work", "email.arrived"))
        self.service.finished(self.work, new_mail=4)
        (_, replaces, _, summary, *_) = self.notified(2)[-1]
        self.assertEqual((replaces, summary), (1, "5 new messages"))
        self.close_by_person(1)
        self.service.finished(self.work, new_mail=2)
        self.assertEqual(self.notified(3)[-1][3], "2 new messages")

    def test_the_daemon_restarts(self):
        "the next daemon gets what is still alive, with numbers of its own"
        self.service.set(self.work, Status="error", ErrorCode="disk-full")
        self.notified(1)
        place.stop(self.daemon)
        self.service.set(self.work, ErrorMessage="x")
        self.start_daemon()
        (_, replaces, _, summary, *_), = self.notified(1)
        self.assertEqual((replaces, summary), (0, "work: The disk is full"))

    def test_the_service_ends(self):
        "what only the service could mend is withdrawn with it"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        self.notified(1)
        self.service.stop()
        self.eventually([[1]], lambda: self.calls("CloseNotification"))

    def test_quit_withdraws(self):
        "buttons that nobody hears any more are taken away"
        self.service.set(self.work, Status="auth-failed", ErrorCode="auth")
        self.notified(1)
        self.applet.choose("Quit")
        self.applet.process.wait(60)
        self.assertEqual(self.calls("CloseNotification"), [[1]])


class PlainDaemon(NotificationsCase):
    capabilities = "body"

    def test_without_markup_and_actions(self):
        "a daemon that knows neither gets plain text and no button"
        self.service.conflict(self.work, 3, "refused", reason="<too> big & fat", subject="Big")
        (_, _, _, _, body, actions, _, _), = self.notified()
        self.assertEqual((body, actions), ("“Big” in “INBOX”: <too> big & fat", []))
