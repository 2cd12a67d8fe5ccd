# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual and the shells' completions know what the program knows."""

import re
import shutil
import subprocess
import unittest

from harness import place

DATA = place.SOURCE / "data"
MAN = DATA / "man"
# Functions whose literal texts come before people, alone or as the reason within another one.
_CALLS = (
    "g_set_error_literal|g_set_error|g_error_new_literal|g_error_new|g_warning|config_file_error|session_fail_printf|"
    "log_mailbox_warning|fail|fail_missing|store_set_errno|store_set_damaged|imap_scanner_fail|sync_mailbox_fail|"
    "imapsync_fail"
)
_LITERALS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)+')
# Parts that are no message of their own.
_PARTS = {"remote", "local", "without", "a code", "nothing yet", "this account", "these accounts", "a folder", "TLS 1.2",
          "TLS 1.3", "(unknown)", "stopped"}  # fmt: skip


def page(name):
    return (MAN / name).read_text()


def table(path, name):
    """The names in the first column of a table of C."""
    text = (place.SOURCE / path).read_text()
    body = re.search(rf"{name}\[\] = \{{\n(.*?)\n\}};", text, re.S)[1]
    return re.findall(r'(?m)^    (?:\[\w+\] = )?\{"([\w-]+)"', body)


def arguments(text, start):
    """What stands between the parentheses of a call."""
    depth, i, quoted = 1, start, False
    while depth and i < len(text):
        if quoted:
            i += text[i] == "\\"
            quoted = text[i] != '"' or text[i - 1] == "\\"
        elif text[i] == '"':
            quoted = True
        else:
            depth += (text[i] == "(") - (text[i] == ")")
        i += 1
    return text[start : i - 1]


def plain(message):
    """With "…" for what is different each time."""
    message = re.sub(r"%(?:\.\*|[-.0-9*])*l*[a-z%]|%(?= |$)", "…", message)
    message = message.replace('\\"', '"').replace("\\\\", "\\").split("\\n")[0]
    return re.sub(r"…+", "…", message).strip()


def messages():
    """{message: file}: all that the program can say when something is wrong."""
    found = {}
    for path in sorted([*(place.SOURCE / "src").rglob("*.c"), *(place.SOURCE / "service").glob("*.c")]):
        text = path.read_text()
        text = re.sub(r'"\s*G_G\w+_FORMAT(\s*")?', lambda m: "d" if m[1] else 'd"', text)
        for name, value in re.findall(r'(?m)^#define (\w+) (".*")$', text):
            text = re.sub(rf"(?<!define )\b{name}\b", lambda m: value, text)
        for call in re.finditer(rf"\b(?:{_CALLS})\s*\(", text):
            for literal in _LITERALS.findall(arguments(text, call.end())):
                prefix = "%s: " if "log_mailbox" in call[0] else ""
                message = plain(prefix + "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)))
                if message not in _PARTS:
                    found.setdefault(message, path.name)
    return found


class Manual(unittest.TestCase):
    def test_pages_are_right(self):
        "scdoc reads each page, and man finds nothing to warn of"
        for path in sorted(MAN.glob("*.scd")):
            done = subprocess.run(["scdoc"], stdin=path.open("rb"), capture_output=True)
            self.assertEqual(done.returncode, 0, f"{path.name}: {done.stderr.decode()}")
            warned = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", "-"], input=done.stdout,
                                    capture_output=True)  # fmt: skip
            self.assertEqual(warned.stderr.decode(), "", path.name)

    def test_every_option_of_the_command_line(self):
        "imapsync(1) has each option of the program, with its letter, and no other"
        names = table("service/options.c", "options_table")
        self.assertIn("oneshot", names)
        described = set(re.findall(r"(?m)^(?:\*-\w\*, )?\*--([\w-]+)\*", page("imapsync.1.scd")))
        self.assertEqual(described, set(names))

    def test_every_option_of_the_configuration(self):
        "imapsync.conf(5) has each option of the program, and no other; so has the example"
        names = table("src/account-options.c", "options")
        self.assertIn("SSL_fingerprint", names)
        found = re.findall(r"(?m)^(\*[\w-]+\*=.*)$", page("imapsync.conf.5.scd"))
        described = {name for line in found for name in re.findall(r"\*([\w-]+)\*=", line)}
        self.assertEqual(described, set(names))
        example = (DATA / "imapsync.conf.example").read_text()
        aliases = {"SSL_verify", "SSL_CApath"}
        self.assertEqual(set(re.findall(r"(?m)^#?([\w-]+)=", example)) | aliases, set(names))

    def test_every_message_is_explained(self):
        "imapsync-troubleshooting(7) has each error and warning that the program can print, and no other"
        text = page("imapsync-troubleshooting.7.scd")
        shown = [line for block in re.findall(r"(?ms)^```\n(.*?)^```", text) for line in block.splitlines()]
        told = messages()
        self.assertGreater(len(told), 200)
        folded = {re.sub(r"[….]+", "…", line) for line in shown}
        missing = [f"{file}: {m}" for m, file in told.items()
                   if len(re.findall("[A-Za-z]", m)) > 4 and re.sub(r"[….]+", "…", m) not in folded]  # fmt: skip
        self.assertEqual(missing, [], "messages without an explanation")
        known = {re.sub(r"[….]+", "…", m) for m in told}
        self.assertEqual([line for line in shown if re.sub(r"[….]+", "…", line) not in known], [],
                         "explanations of messages that do not exist")  # fmt: skip

    def test_every_member_of_the_bus(self):
        "org.imapsync.Sync1(5), made from the XML, has each member"
        files = [DATA / "org.imapsync.Sync1.xml", DATA / "org.imapsync.Sync1.Account.xml"]
        made = subprocess.run([MAN / "dbus-to-scdoc.py", *files], capture_output=True, text=True, check=True).stdout
        done = subprocess.run(["scdoc"], input=made, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in files:
            for kind, name in re.findall(r'<(method|property|signal) name="(\w+)"', path.read_text()):
                entry = re.search(rf"(?m)^\*{name}\*.*\n\n?\t\S", made)
                self.assertTrue(entry, f"{kind} {name} is not described")


class Completion(unittest.TestCase):
    FILES = ("imapsync.bash", "_imapsync", "imapsync.fish")

    def test_every_option(self):
        "each shell completes each option, and no other"
        names = set(table("service/options.c", "options_table"))
        for file in self.FILES:
            text = (DATA / "completions" / file).read_text().replace("imapsync-applet", "")
            pattern = r"-l ([\w-]+)" if file.endswith(".fish") else r"(?<![\w-])--([\w][\w-]+)"
            self.assertEqual(set(re.findall(pattern, text)), names, file)

    def test_bash(self):
        "bash loads its file and completes options and accounts"
        script = (
            f"source {DATA}/completions/imapsync.bash; COMP_WORDS=(imapsync --dr); COMP_CWORD=1; _imapsync; "
            'echo "${COMPREPLY[@]}"; mkdir -p "$XDG_CONFIG_HOME/imapsync"; touch "$XDG_CONFIG_HOME/imapsync/work.conf"; '
            'COMP_WORDS=(imapsync --config = ima); COMP_CWORD=3; _imapsync; echo "${COMPREPLY[0]}"'
        )
        home = place.folder("bash")
        self.addCleanup(place.remove, home)
        done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, cwd=home,
                              env={"PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": str(home), "HOME": str(home)})  # fmt: skip
        self.assertEqual((done.stdout, done.stderr), ("--dry-run\nimapsync/work.conf\n", ""))

    def test_zsh_and_fish(self):
        "zsh and fish read their files; fish completes an option"
        self.assertTrue(shutil.which("zsh") and shutil.which("fish"))
        done = subprocess.run(["zsh", "-n", DATA / "completions" / "_imapsync"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        home = place.folder("fish")
        self.addCleanup(place.remove, home)
        script = f"source {DATA}/completions/imapsync.fish; complete -C 'imapsync --dr'"
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(home)})  # fmt: skip
        self.assertIn("--dry-run", done.stdout, done.stderr)
