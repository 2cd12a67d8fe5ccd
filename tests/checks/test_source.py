# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the source itself."""

import ast
import json
import os
import re
import shlex
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import includes
from harness import build, place

_TRANSLATABLE = re.compile(r"(?<![A-Za-z0-9_])(_|N_|C_|NC_|Q_|P_|ngettext|gettext|dgettext|g_dgettext|g_dpgettext2?)\s*\(")
# Spelled so that this file does not match itself.
_PRIVATE = re.compile("|".join((
    r"(?<![\w.])/wor[k]/", r"/roo[t]/", r"/hom[e]/[a-z]\w+/", r"/tmp/[b]-[a-z]", r"\.\./share[d]/", r"/var/fol[d]ers",
)))  # fmt: skip
_TEXT = (".c", ".h", ".py", ".sh", ".build", ".md", ".in", ".txt", ".xml", ".scd", ".options", ".1", ".po", ".pot")


def tracked():
    """The files of the source, relative to its root: git's where it is a clone, else all."""
    done = subprocess.run(["git", "-c", f"safe.directory={place.SOURCE}", "-C", place.SOURCE, "ls-files", "-z",
                           "--cached", "--others", "--exclude-standard"], capture_output=True)  # fmt: skip
    if done.returncode == 0:
        names = [n for n in done.stdout.decode().split("\0") if n]
    else:
        names = [str(p.relative_to(place.SOURCE)) for p in place.SOURCE.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith((".git/", "_build")) and "__pycache__" not in n]
    return sorted({n for n in names if (place.SOURCE / n).is_file()})


def text(name):
    return (place.SOURCE / name).read_text(errors="replace")


def first_line_of_script(name):
    with open(place.SOURCE / name, "rb") as file:
        return file.readline(200)


class Source(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tracked()
        cls.c_files = [n for n in cls.files if n.endswith((".c", ".h"))]

    def none(self, lines, what):
        if lines:
            self.fail(f"{what}:\n" + "\n".join(f"  {line}" for line in lines))

    def test_includes_point_the_right_way(self):
        "no part includes what it must not know"
        self.assertGreater(len(self.c_files), 10, "no source was found")
        sources = {n: text(n) for n in self.c_files}
        self.none(includes.violations(sources), "includes that point the wrong way")

    def test_wrong_includes_are_found(self):
        "the include rule finds each kind of violation"
        files = {
            "src/imap/a.c": '#include "config.h"\n#include "store/store.h"\n#include "errors.h"\n',
            "src/store/store.h": '#include "sync/plan.h"\n',
            "src/sync/plan.h": '#include "imap/a.h"\n#include "account-config.h"\n',
            "src/sync/bus.c": '#include "imapsync-dbus.h"\n',
            "src/imap/a.h": '#  include "../flags.h"\n',
            "src/account-config.h": "", "src/errors.h": "", "src/flags.h": "",
            "service/main.c": '#include "imap/a.h"\n#include "sync/plan.h"\n',
            "applet/main.c": '#include "errors.h"\n#include "imapsync-dbus.h"\n',
            "src/misc/a.c": "",
        }  # fmt: skip
        found = [line.split(":")[0] for line in includes.violations(files)]
        expected = ["applet/main.c", "service/main.c", "src/imap/a.c", "src/imap/a.h", "src/misc/a.c",
                    "src/store/store.h", "src/sync/bus.c"]  # fmt: skip
        # "../flags.h" is found under its real name or, written that way, refused: names start at src/.
        self.assertEqual(found, expected)

    def test_c_files_are_formatted(self):
        "clang-format has nothing to change"
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", *self.c_files], cwd=place.SOURCE,
                              capture_output=True, text=True)  # fmt: skip
        bad = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: error", done.stderr, re.M)))
        self.none(bad, "run clang-format -i on")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_source_file_names_its_licence(self):
        "an SPDX line stands in the first lines of every source file"
        bad = []
        for name in self.files:
            if name.endswith((".c", ".h", ".py", ".sh")) or first_line_of_script(name).startswith(b"#!"):
                head = text(name).splitlines()[:4]
                if not any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in head):
                    bad.append(name)
        self.none(bad, "no SPDX line in")

    def test_the_licence_itself_is_there(self):
        "the text of the GPL version 3 comes along"
        found = [n for n in ("COPYING", "LICENSE", "LICENSES/GPL-3.0-or-later.txt") if n in self.files]
        self.assertTrue(found, "no COPYING")
        self.assertIn("GNU GENERAL PUBLIC LICENSE", text(found[0]))

    def test_no_file_names_a_developers_folder(self):
        "no path of a developer's machine stands in any file"
        bad = []
        for name in self.files:
            if name.endswith(_TEXT) or first_line_of_script(name).startswith(b"#!"):
                for number, line in enumerate(text(name).splitlines(), 1):
                    if _PRIVATE.search(line):
                        bad.append(f"{name}:{number}: {line.strip()[:100]}")
        self.none(bad, "private paths")

    def test_every_translatable_file_is_in_potfiles(self):
        "POTFILES lists each file with strings to translate, and no file that is gone"
        listing = next((n for n in ("po/POTFILES", "po/POTFILES.in") if n in self.files), None)
        having = []
        for name in self.files:
            if name.endswith((".c", ".h")) and not name.startswith("tests/"):
                code = re.sub(r"^\s*#\s*define.*$|//.*$|/\*.*?\*/", "", text(name), flags=re.M | re.S)
                if _TRANSLATABLE.search(code):
                    having.append(name)
            elif re.search(r"\.(desktop|metainfo\.xml|appdata\.xml)(\.in)*$", name):
                having.append(name)
        listed = []
        if listing:
            listed = [w for w in text(listing).splitlines() if w.strip() and not w.startswith("#")]
        self.none(sorted(set(having) - set(listed)), "not in po/POTFILES")
        self.none(sorted(set(listed) - set(self.files)), "in po/POTFILES, but not there")

    def test_python_and_shell_files_parse(self):
        "every script can be read by its interpreter"
        for name in self.files:
            shebang = first_line_of_script(name)
            if name.endswith(".py"):
                ast.parse(text(name), name)
            elif name.endswith(".sh") or re.match(rb"#!\s*\S*/(env )?(ba)?sh\b", shebang):
                shell = "bash" if b"bash" in shebang else "sh"
                done = subprocess.run([shell, "-n", place.SOURCE / name], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_ci_runs_the_test_command(self):
        "the CI's script calls tests/run and is executable"
        self.assertRegex(text(".ci/run"), r"(?m)^\s*(exec )?.*tests/run\b")
        for name in (".ci/run", "tests/run", "tests/demo"):
            self.assertTrue(os.access(place.SOURCE / name, os.X_OK), f"{name} is not executable")


class Headers(unittest.TestCase):
    builds = ("sanitized",)
    cost = 3

    def test_each_header_compiles_alone(self):
        "every header can be included first and alone"
        folder = build.setup("sanitized")
        commands = json.loads((folder / "compile_commands.json").read_text())
        flags = {}
        for entry in commands:
            kept, words = [], shlex.split(entry["command"])
            for word in words[1:]:
                if re.match(r"-([IDU]|isystem|std=|pthread)", word) and "G_LOG_DOMAIN" not in word:
                    kept.append(word)
            source = Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
            if source.is_relative_to(place.SOURCE):
                flags.setdefault(source.relative_to(place.SOURCE).parts[0], []).extend(
                    f for f in kept if f not in flags.get(source.relative_to(place.SOURCE).parts[0], []))  # fmt: skip
        headers = [n for n in tracked() if n.endswith(".h")]
        self.assertGreater(len(headers), 5)
        every = [f for part in flags.values() for f in part]

        def check(name):
            own = flags.get(Path(name).parts[0], every)
            done = subprocess.run(
                ["gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", *own, "-x", "c", "-"],
                input=f'#include "config.h"\n#include "{place.SOURCE / name}"\n', capture_output=True, text=True,
                cwd=folder,
            )  # fmt: skip
            return None if done.returncode == 0 else f"{name}:\n{done.stderr}"

        with ThreadPoolExecutor(2) as pool:
            bad = [line for line in pool.map(check, headers) if line]
        if bad:
            self.fail("\n".join(bad))
