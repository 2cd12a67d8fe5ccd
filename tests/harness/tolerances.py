# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparer lets pass, and why. Between two Dovecots only the dates remain.

A tolerance gets two records (compare.Record) that differ, and the kinds of their servers; it
returns them made equal in the one field that it is about, or None where it has nothing to say.

made_parent() is about mailboxes: CREATE a/b makes a mailbox of a on Cyrus, unsubscribed and empty, so
that nobody wants it on the other side."""

from dataclasses import replace

_OLDEST, _NEWEST = 0, 2**31 - 1
# Keywords that Cyrus refuses (more than 100 in a mailbox, which no test makes) or Dovecot does
# (characters, more than 50 bytes).
_DOVECOT_REFUSES = set("[]{}()*%\\\"")


def _outside(date):
    return not _OLDEST < date < _NEWEST


def dates_outside(a, b, kinds):
    if a.date != b.date and (_outside(a.date) or _outside(b.date)):
        return replace(a, date=0), replace(b, date=0)
    return None


def masked_headers(a, b, kinds):
    if "cyrus" in kinds and a.digest != b.digest and a.masked == b.masked:
        return replace(a, digest=a.masked), replace(b, digest=b.masked)
    return None


def refused_keywords(a, b, kinds):
    def kept(flags):
        return frozenset(f for f in flags if len(f) <= 50 and not set(f[1:]) & _DOVECOT_REFUSES)

    if set(kinds) == {"dovecot", "cyrus"} and a.flags != b.flags and kept(a.flags) == kept(b.flags):
        return replace(a, flags=kept(a.flags)), replace(b, flags=kept(b.flags))
    return None


def made_parent(name, left, right):
    """Is @name a parent that only Cyrus made a mailbox? @left has it and is a Snapshot as @right."""
    return (left.kind == "cyrus" and right.kind != "cyrus" and not left.mailboxes[name] and name not in left.subscribed
            and any(other[: len(name)] == name for other in right.mailboxes))  # fmt: skip


# (what, why): the order does not matter.
TOLERANCES = (
    (dates_outside, "dates outside 1970..2038: Dovecot clamps older ones to 1901 and stores newer "
     "ones as the time of arrival, Cyrus refuses the older; imapsync sends the nearest that both keep"),
    (masked_headers, "Cyrus replaces each 8-bit byte in a header by X (munge8bit)"),
    (refused_keywords, "Dovecot refuses keywords above 50 bytes or with brackets, Cyrus takes them"),
)  # fmt: skip


def equal(a, b, kinds):
    """Are both records the same message but for what is tolerated?"""
    for tolerate, _reason in TOLERANCES:
        if changed := tolerate(a, b, kinds):
            a, b = changed
    return (a.digest, a.flags, a.date) == (b.digest, b.flags, b.date)
