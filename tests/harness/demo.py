# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: two Dovecots, one synchronization, changes on both sides, another one."""

import os
import signal
import sys

from . import build, compare, place, seed
from .dovecot import Dovecot
from .imapsync import Account
from .seed import simple

USER = "demo"
DISPUTED = "Star it or answer it"


class Failed(Exception):
    pass


def say(text=""):
    print(text, flush=True)


def step(number, text):
    say(f"\n\033[1m{number}. {text}\033[0m" if sys.stdout.isatty() else f"\n{number}. {text}")


def show(result):
    for line in result.err.splitlines():
        say(f"    {line}")


def synchronize(account):
    say("    $ imapsync --oneshot")
    result = account.once()
    show(result)
    if result.status != 0:
        raise Failed(f"imapsync ended with exit status {result.status}")
    return result


def check(servers):
    left, right = (compare.snapshot(server, USER) for server in servers)
    lines = compare.differences(left, right)
    if lines:
        raise Failed("the servers differ: " + compare.report(lines))
    say(f"    Compared completely: {len(left.mailboxes)} mailboxes, {len(left.subscribed)} subscriptions, {left.total()} "
        "messages\n    (every byte, flag and date). Both servers are the same.")  # fmt: skip
    return left


def count(server):
    snapshot = compare.snapshot(server, USER)
    return f"{snapshot.total()} messages in {len(snapshot.mailboxes)} mailboxes"


def change(servers):
    """Changes on both sides, told one by one. Returns what has to be found afterwards."""
    with servers[0].connect(USER) as local, servers[1].connect(USER) as remote:
        local.select("INBOX")
        remote.select("INBOX")
        mine, theirs = local.uids(), remote.uids()
        local.store(mine[:5], "+", "\\Flagged")
        say("    local:  five messages of INBOX get a star")
        remote.store(theirs[5:9], "", "\\Seen", "\\Answered", "work")
        say("    remote: four others are read, answered and labelled \"work\"")
        local.expunge(mine[10:13])
        say("    local:  three messages are deleted")
        remote.expunge(theirs[14:16])
        say("    remote: two messages are deleted")
        local.append("Entwürfe", simple("Written on the local side", flags=("\\Draft",)))
        remote.append("INBOX", simple("News from the remote side"), simple("More news", flags=("$label1",)))
        say("    local:  a draft is written;  remote: two messages arrive")
        remote.create("Holidays/Norderney & Juist")
        remote.append("Holidays/Norderney & Juist", simple("Ferry times"))
        say("    remote: a mailbox \"Holidays/Norderney & Juist\" is made, with one message")
        for client, flag in ((local, "\\Flagged"), (remote, "\\Answered")):
            client.store(client.uids(f'HEADER SUBJECT "{DISPUTED}"'), "+", flag)
        say("    both:   one message gets a star on one side and is answered on the other: a conflict")


def main():
    say("imapsync: a demonstration with two private mail servers on this machine.")
    servers, account = [], None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        step(1, "Building imapsync")
        if "IMAPSYNC" not in os.environ:
            build.compile("gcc", werror=False)
            os.environ["IMAPSYNC"] = str(build.program("gcc"))
        say(f"    {os.environ['IMAPSYNC']}")

        step(2, "Starting two Dovecots and filling them")
        for format in ("maildir", "mdbox"):
            servers.append(Dovecot(format))
            servers[-1].start()
        seed.seed_both([(server, USER) for server in servers], mailboxes=12, messages=400, seed=place.SEED)
        with servers[0].connect(USER) as client:
            client.append("INBOX", simple(DISPUTED))
        say(f"    local:  maildir, reached through a command (tunnel): {count(servers[0])}")
        say(f"    remote: mdbox, reached by imaps on port {servers[1].tls_port}, with a CA of its own: {count(servers[1])}")

        account = Account(servers[0].settings(USER, "tunnel"), servers[1].settings(USER, "imaps"))
        step(3, "The configuration, ~/.config/imapsync")
        for line in account.config.read_text().strip().splitlines():
            say(f"    {line}")

        step(4, "The first synchronization, both ways at once")
        before = [compare.snapshot(server, USER) for server in servers]
        synchronize(account)
        after = check(servers)
        lines = compare.count_differences(compare.union(*before), after.counts())
        if lines:
            raise Failed("messages were lost or doubled: " + compare.report(lines))

        step(5, "Changes on both sides")
        change(servers)

        step(6, "The second synchronization")
        synchronize(account)
        check(servers)

        step(7, "A third one, with nothing left to do")
        fingerprints = [compare.fingerprint(server, USER) for server in servers]
        synchronize(account)
        if fingerprints != [compare.fingerprint(server, USER) for server in servers]:
            raise Failed("the third run changed something")
        say("    Nothing was changed on either server.")
        say("\nBoth servers are equal. All that was made here is removed again.")
        return 0
    except (Failed, build.BuildError, OSError, RuntimeError) as error:
        say(f"\nThe demonstration failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        for part in [*servers, account]:
            if part:
                part.close()


if __name__ == "__main__":
    sys.exit(main())
