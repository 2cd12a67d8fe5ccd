# SPDX-License-Identifier: GPL-3.0-or-later
"""The test library: private servers, seeds, comparison, a scripted server, a proxy, the program.

How to write a server test, tests/server/test_THING.py:

    from harness.case import ServerCase
    from harness.seed import simple

    class Thing(ServerCase):
        def test_what_it_proves(self):
            "a new message on the local side reaches the remote one"
            self.local.append("INBOX", simple("hello", flags=("\\\\Seen",)))
            self.sync()  # imapsync --oneshot, exit status 0
            self.assertIdentical()  # both servers, completely
            self.assertNoop()  # R8: the next run changes nothing

    tests/run Thing        (any part of a name; --list shows them all; --keep leaves the folders)

Each class has two Dovecots of its own (`formats`, `links` choose kinds and connections), each test a
fresh user on both and an account (HOME, configuration, database). self.local and self.remote are
imap.Client; self.servers[side], self.account.run(...) and self.client(side) give the rest.
"""
