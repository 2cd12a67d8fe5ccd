# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the memory of a process a secret is."""

import base64


def found_in_memory(pid, *needles):
    """{needle: in which mappings, once for each time} of all that the process @pid can write."""
    found = {needle: [] for needle in needles}
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            first, last = (int(n, 16) for n in line.split()[0].split("-"))
            if line.split()[1][1] != "w":
                continue
            memory.seek(first)
            try:
                content = memory.read(last - first)
            except OSError:  # of a device
                continue
            for needle in needles:
                found[needle] += [line.strip()] * content.count(needle)
    return found


def forms(secret):
    """What programs make of it: itself, in base64 behind any other bytes, and as an array of characters."""
    raw = secret.encode()
    coded = [base64.b64encode(b"\0" * n + raw)[4 if n else 0 : -4] for n in range(3)]
    return [raw, *coded, secret.encode("utf-32-le")]


def assert_secret(case, pid, secret, times):
    """@secret is in the memory of @pid as often as that, and in no other form."""
    needles = forms(secret)
    found = found_in_memory(pid, *needles)
    expected = dict.fromkeys(needles, 0) | {needles[0]: times}
    got = {needle: len(places) for needle, places in found.items()}
    case.assertEqual(got, expected, "\n".join(f"{n!r}: {p}" for n, p in found.items() if p))
