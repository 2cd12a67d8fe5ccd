# SPDX-License-Identifier: GPL-3.0-or-later
"""The first run on two populated servers, over every kind of connection and storage."""

from harness import compare, seed
from harness.case import SEED, ServerCase
from harness.dovecot import Dovecot
from harness.seed import simple


class _Copy(ServerCase):
    """Both directions at once, then the run that does nothing."""

    def copy(self, messages=250):
        seed.seed_both([(s, self.user) for s in self.servers], mailboxes=20, messages=messages, seed=SEED)
        before = self.snapshots()
        self.sync()
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertNoop()


class TunnelToImaps(_Copy):
    formats, links = ("maildir", "mdbox"), ("tunnel", "imaps")

    def test_first_copy_in_both_directions(self):
        "maildir behind a tunnel and mdbox by imaps are identical after one run"
        self.copy()

    def test_new_messages_after_the_first_run(self):
        "messages that arrive later on either side, with flags, keywords and dates, are copied"
        self.local.append("INBOX", simple("old"))
        self.sync()
        self.local.append("INBOX", simple("from local", flags=("\\Seen", "$Forwarded")))
        self.remote.append("INBOX", simple("from remote", flags=("\\Flagged", "work"), date="31-Dec-1999 23:59:59 +1400"))
        self.sync()
        snapshot = self.assertIdentical()
        self.assertEqual(sorted(r.subject for r in snapshot.mailboxes[("INBOX",)]), ["from local", "from remote", "old"])
        self.assertNoop()

    def test_figures_at_the_end(self):
        "a run ends with a line for each mailbox that changed and one in all"
        self.local.append("INBOX", simple("one"), simple("two"))
        self.local.create("Quiet Box")
        result = self.sync()
        line = self.assertSays(result, "INBOX", "2")
        self.assertNotIn("Quiet Box", line)
        second = self.sync()
        self.assertFalse([m for m in second.messages() if "INBOX" in m and "copied" in m.lower()],
                         f"the second run had nothing to tell of INBOX\n{second}")  # fmt: skip


class TunnelToStarttls(_Copy):
    formats, links = ("sdbox", "maildir"), ("tunnel", "starttls")

    def test_first_copy_in_both_directions(self):
        "sdbox behind a tunnel and maildir by STARTTLS are identical after one run"
        self.copy()


class PlainToImaps(_Copy):
    formats, links = ("mdbox", "sdbox"), ("imap", "imaps")

    def test_first_copy_in_both_directions(self):
        "mdbox by plain imap and sdbox by imaps are identical after one run"
        self.copy()


class TunnelToTunnel(_Copy):
    formats, links = ("maildir", "maildir"), ("tunnel", "tunnel")
    options = {"database": "two-tunnels.db"}  # neither has a host to name it after

    def test_first_copy_in_both_directions(self):
        "two maildirs behind tunnels are identical after one run"
        self.copy()


class PipesToImaps(_Copy):
    formats, links = ("maildir", "sdbox"), ("tunnel-pipes", "imaps")

    def test_a_tunnel_that_refuses_a_socket(self):
        "a command that refuses a socket pair is given pipes"
        self.copy(60)


class FilteredTunnel(_Copy):
    formats, links = ("mdbox", "maildir"), ("tunnel", "imap")

    def test_a_tunnel_through_other_programs(self):
        "a pipeline of ordinary programs, which know nothing of non-blocking descriptors, is a tunnel, too"
        self.account.local["command"] = f"cat | {self.account.local['command']} | cat"
        self.account.write()
        self.copy(200)


class OtherDelimiter(_Copy):
    """A dot between the levels on one side, a slash on the other."""

    links = ("tunnel", "imaps")

    @classmethod
    def make_servers(cls):
        return [Dovecot("mdbox", separator="."), Dovecot("mdbox", separator="/")]

    def test_levels_are_kept_apart_from_delimiters(self):
        "nested mailboxes are the same on servers with different delimiters"
        local, remote = self.local, self.remote
        local.create("Lists.imap")
        local.append("Lists.imap", simple("from dots"))
        remote.create("Clients/A & B/2020")
        remote.append("Clients/A & B/2020", simple("from slashes"))
        self.sync()
        self.assertIdentical()
        self.assertIn("Lists/imap", self.remote.list())
        self.assertIn("Clients.A & B.2020", self.local.list())
        self.assertNoop()


class Large(_Copy):
    """The size that the program is measured with."""

    formats, links = ("maildir", "mdbox"), ("tunnel", "imaps")
    cost = 30

    def test_5000_messages_on_one_side(self):
        "20 mailboxes with 5,000 mixed messages arrive identical on an empty server"
        seed.seed(self.servers[0], self.user, seed=SEED)
        before = self.snapshots()
        self.sync(plain=True, timeout=300)
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertNoop(plain=True)

    def test_5000_messages_on_both_sides(self):
        "5,000 mixed messages spread over both servers, some on both, are identical after one run"
        seed.seed_both([(s, self.user) for s in self.servers], seed=SEED + 1, common=0.05)
        before = self.snapshots()
        self.assertTrue(compare.differences(*before))
        self.sync(plain=True, timeout=300)
        self.assertIdentical()
        self.assertNothingLostOrDoubled(before)
        self.assertNoop(plain=True)
