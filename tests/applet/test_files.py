# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed beside the programs: desktop files, metainfo, icons, translations."""

import configparser
import os
import re
import subprocess
import unittest
import xml.etree.ElementTree as xml

from harness import build, place

ID = "org.imapsync.Applet"
PO = place.SOURCE / "po"
# As meson's preset for GLib has them.
_KEYWORDS = ("_", "N_", "C_:1c,2", "NC_:1c,2", "g_dcgettext:2", "g_dngettext:2,3", "g_dpgettext2:2c,3")


class Files(unittest.TestCase):
    builds = ("sanitized",)

    def setUp(self):
        self.data = build.folder("sanitized") / "data"

    def check(self, *command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{command[0]}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def test_desktop_files(self):
        "desktop-file-validate has nothing to say; the autostart file has the keys that desktops want"
        files = self.data / f"{ID}.desktop", self.data / "autostart" / f"{ID}.desktop"
        self.assertEqual(self.check("desktop-file-validate", *files), "")
        autostart = configparser.ConfigParser(interpolation=None)
        autostart.optionxform = str
        autostart.read(files[1])
        entry = autostart["Desktop Entry"]
        self.assertTrue(entry["Exec"].endswith("/imapsync-applet"))
        self.assertEqual((entry["NoDisplay"], entry["X-GNOME-UsesNotifications"]), ("true", "true"))
        self.assertFalse([k for k in entry if k.startswith("X-GNOME-Autostart")], "systemd would make no unit of it")
        self.assertIn("Comment[de]", entry)

    def test_metainfo(self):
        "appstreamcli finds no fault"
        self.check("appstreamcli", "validate", "--no-net", "--strict", self.data / f"{ID}.metainfo.xml")

    def test_icons(self):
        "symbolic icons are filled paths on 16 units, all of them are part of the program, and all are installed"
        folder = place.SOURCE / "data" / "icons"
        svg = "{http://www.w3.org/2000/svg}"
        names = sorted(p.name for p in folder.glob("*-symbolic.svg"))
        self.assertEqual(len(names), 5)
        for name in names:
            root = xml.parse(folder / name).getroot()
            self.assertEqual(root.get("viewBox"), "0 0 16 16")
            shapes = [e for e in root if e.tag != svg + "style"]
            self.assertTrue(all(e.tag == svg + "path" and e.get("class") == "ColorScheme-Text" for e in shapes), name)
            self.assertNotIn("stroke", (folder / name).read_text())
        listed = [e.text for e in xml.parse(folder / "icons.gresource.xml").iter("file")]
        self.assertEqual(sorted(listed), names)
        installed = (folder / "meson.build").read_text()
        for name in names:
            self.assertIn(f"'{name.removeprefix(ID + '-').removesuffix('-symbolic.svg')}'", installed)


class Translations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = place.folder("po")
        cls.addClassCleanup(place.remove, cls.dir)
        keywords = [f"--keyword={k}" for k in _KEYWORDS]
        subprocess.run(["xgettext", "--from-code=UTF-8", *keywords, f"--files-from={PO}/POTFILES", "-o", cls.dir / "pot"],
                       cwd=place.SOURCE, check=True, env={**os.environ, "GETTEXTDATADIRS": str(PO)})  # fmt: skip
        cls.languages = [w for w in (PO / "LINGUAS").read_text().splitlines() if w and not w.startswith("#")]

    def each(self):
        for language in self.languages:
            with self.subTest(language):
                yield language, PO / f"{language}.po"

    def test_languages(self):
        "the five languages are there, and no file that LINGUAS does not name"
        self.assertEqual(self.languages, ["de", "es", "fr", "ja", "zh_CN"])
        self.assertEqual(sorted(p.stem for p in PO.glob("*.po")), self.languages)

    def test_complete(self):
        "no string is untranslated or fuzzy in any language"
        for language, path in self.each():
            done = subprocess.run(["msgcmp", path, self.dir / "pot"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr[:3000])

    def test_formats(self):
        "translations have the same conversions, and plural forms as their language needs"
        for language, path in self.each():
            done = subprocess.run(["msgfmt", "--check-format", "--check-domain", "-o", "/dev/null", path],
                                  capture_output=True, text=True)  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            text = path.read_text()
            self.assertIn(f'"Language: {language}\\n"', text)
            forms = int(re.search(r"nplurals=(\d)", text)[1])
            found = {int(n) for n in re.findall(r"^msgstr\[(\d)\]", text, re.M)}
            self.assertEqual(found, set(range(forms)))

    def test_mnemonics(self):
        "a letter to press is there where the original has one, once"
        for language, path in self.each():
            for original, translated in re.findall(r'^msgid "([^"]*)"\nmsgstr "([^"]+)"$', path.read_text(), re.M):
                if re.match("_[A-Z]", original):
                    self.assertEqual(translated.count("_"), 1, translated)
                    self.assertEqual(original.endswith("…"), "…" in translated, translated)
