# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may include whom. Reads the #includes; knows no build.

    applet  -> generated D-Bus code only
    service -> sync, config, generated D-Bus code
    sync    -> imap, store, and what all share at the top of src/
    store   -> nothing of ours but the plain records
    imap    -> nothing of ours but errors and the plain records"""

import re
from pathlib import Path

# What stands by itself at the top of src/ and knows no part: records, and words that two parts share.
PLAIN = {"src/effect.h", "src/errors.h", "src/records.h", "src/flags.h", "src/cipher-list.h", "src/password.h"}
_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
GENERATED = "generated"

# part: what it may include besides itself; "core" is src/*.h, all of it.
MAY = {
    "imap": {"plain"},
    "store": {"plain"},
    "sync": {"plain", "core", "imap", "store"},
    "core": {"plain"},
    "service": {"plain", "core", "sync", GENERATED},
    "applet": {GENERATED},
}


def part(path):
    """The part that a file, relative to the source's root, belongs to; None for tests and the like."""
    folders = Path(path).parts
    if folders[0] in ("service", "applet"):
        return folders[0]
    if folders[0] == "src":
        return folders[1] if len(folders) > 2 else "core"
    return None


def resolve(includer, name, files):
    """Where `#include "name"` leads: a file of the source, else generated."""
    for base in (Path(includer).parent, Path("src"), Path(".")):
        path = str((base / name)) if base != Path(".") else name
        if path in files:
            return path
    return None


def violations(files):
    """@files: {path relative to the root: its text}. One line for each include that points the wrong way."""
    lines = []
    for path, text in sorted(files.items()):
        own = part(path)
        if own is None or not path.endswith((".c", ".h")):
            continue
        if own not in MAY:
            lines.append(f"{path}: src/{own} is no part of the design")
            continue
        for name in _INCLUDE.findall(text):
            if name == "config.h":
                continue
            target = resolve(path, name, files)
            kind = GENERATED if target is None else "plain" if target in PLAIN else part(target)
            if kind != own and kind not in MAY[own]:
                lines.append(f'{path}: {own} must not include "{name}" ({kind or "tests"})')
    return lines
