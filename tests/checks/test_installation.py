# SPDX-License-Identifier: GPL-3.0-or-later
"""What `meson install` puts where, and what `meson dist` packs."""

import os
import re
import shutil
import subprocess
import tarfile
import unittest

from harness import build, place


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done.stdout


class Installation(unittest.TestCase):
    builds = ("gcc",)
    cost = 3

    @classmethod
    def setUpClass(cls):
        cls.root = place.folder("install")
        cls.addClassCleanup(place.remove, cls.root)
        cls.build = build.folder("gcc")
        run("meson", "install", "--no-rebuild", "-C", cls.build, env={**os.environ, "DESTDIR": str(cls.root)})
        cls.prefix = cls.root / "usr" / "local"

    def files(self):
        return {str(p.relative_to(self.root)): p for p in self.root.rglob("*") if p.is_file()}

    def test_everything_is_there(self):
        "programs, units, D-Bus and desktop files, icons, translations, manual pages, completions, documents"
        names = "\n".join(sorted(self.files()))
        for pattern in (
            r"usr/local/bin/imapsync", r"usr/local/bin/imapsync-applet", r"usr/.*/systemd/user/imapsync\.service",
            r"usr/local/share/dbus-1/services/org\.imapsync\.Sync1\.service",
            r"usr/local/share/dbus-1/interfaces/org\.imapsync\.Sync1\.xml",
            r"usr/local/share/dbus-1/interfaces/org\.imapsync\.Sync1\.Account\.xml",
            r"usr/local/share/applications/org\.imapsync\.Applet\.desktop",
            r"etc/xdg/autostart/org\.imapsync\.Applet\.desktop",
            r"usr/local/share/metainfo/org\.imapsync\.Applet\.metainfo\.xml",
            r"usr/local/share/icons/hicolor/scalable/apps/org\.imapsync\.Applet\.svg",
            *(rf"usr/local/share/locale/{language}/LC_MESSAGES/imapsync\.mo" for language in
              (place.SOURCE / "po" / "LINGUAS").read_text().split("\n") if language and not language.startswith("#")),
            *(rf"usr/local/share/man/man{page[-1]}/{re.escape(page)}" for page in
              ("imapsync.1", "imapsync-applet.1", "imapsync.conf.5", "org.imapsync.Sync1.5", "imapsync-sync.7",
               "imapsync-troubleshooting.7")),
            r"usr/local/share/bash-completion/completions/imapsync", r"usr/local/share/zsh/site-functions/_imapsync",
            r"usr/local/share/fish/vendor_completions\.d/imapsync\.fish",
            r"usr/local/share/doc/imapsync/imapsync\.conf\.example", r"usr/local/share/doc/imapsync/README\.md",
        ):  # fmt: skip
            self.assertRegex(names, rf"(?m)^{pattern}$")
        for test in ("killable", "fake-engine", "fuzz"):
            self.assertNotIn(test, names)

    def test_nothing_refers_to_the_build_or_the_source(self):
        "no installed file names the folder of the build or of the source, but for the debugger"
        stripped = self.root / "stripped"
        for name, path in self.files().items():
            data = path.read_bytes()
            if data.startswith(b"\x7fELF"):
                run("strip", "-o", stripped, path)
                data = stripped.read_bytes()
                stripped.unlink()
            for folder in (self.build, place.SOURCE):
                self.assertNotIn(str(folder).encode(), data, name)

    def test_what_is_installed_works_by_itself(self):
        "the installed program runs, its library path is the system's, and the files name each other rightly"
        program = self.prefix / "bin" / "imapsync"
        self.assertRegex(run(program, "--version", cwd="/"), r"^imapsync \d")
        dynamic = run("readelf", "-d", program)
        self.assertNotIn("RUNPATH", dynamic)
        self.assertNotIn("RPATH", dynamic)
        for name, path in self.files().items():
            if name.endswith(".service") or name.endswith(".desktop"):
                for command in re.findall(r"(?m)^Exec(?:Start)?=(\S+)", path.read_text()):
                    self.assertTrue((self.root / command.lstrip("/")).exists(), f"{name}: {command}")
        page = self.prefix / "share" / "man" / "man1" / "imapsync.1"
        self.assertIn("--oneshot", run("man", "-l", page, env={**os.environ, "MANWIDTH": "80", "LANG": "C.UTF-8"}))


class Tarball(unittest.TestCase):
    builds = ("gcc",)
    cost, timeout = 40, 1800

    def test_the_tarball_builds_and_passes(self):
        "meson dist packs what builds by itself and passes unit tests"
        folder = place.folder("dist")
        self.addCleanup(place.remove, folder)
        self.assertTrue((place.SOURCE / ".git").exists(), "meson dist packs a git checkout")
        # A clone of its own, as meson wants a commit and its own folder.
        clone = folder / "clone"
        run("git", "-c", "safe.directory=*", "clone", "-q", place.SOURCE, clone)
        setup = folder / "setup"
        run("meson", "setup", setup, clone)
        run("meson", "dist", "-C", setup, "--no-tests", "--formats", "xztar")
        packed = next((setup / "meson-dist").glob("imapsync-*.tar.xz"))
        with tarfile.open(packed) as archive:
            archive.extractall(folder)
        source = folder / packed.name.removesuffix(".tar.xz")
        for name in ("COPYING", "README.md", "NEWS", "tests/run", "po/de.po"):
            self.assertTrue((source / name).exists(), name)
        work = folder / "build"
        run("meson", "setup", work, source, "-Dwerror=true")
        run("ninja", "-C", work)
        run("meson", "test", "-C", work, "--suite", "unit", "config", "flags", "uid-set", "command", "errors", "plan",
            "tree", "parser", "store", "service")  # fmt: skip
        shutil.rmtree(work)
