#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the D-Bus interface as a manual page in scdoc, from the XML that the program is made from."""

import re
import sys
import xml.etree.ElementTree as xml


def escape(text):
    return re.sub(r"([\\*_#~])", r"\\\1", text)


def prose(text):
    """A documentation comment's paragraphs; #references and @arguments in bold."""
    paragraphs = []
    for part in re.split(r"\n\s*\n", text.strip()):
        words = escape(" ".join(part.split()))
        words = re.sub(r"\\#([\w.:]*\w)(\(\))?", lambda m: f"*{re.split('[.:]', m[1])[-1]}*", words)
        words = re.sub(r"(?<!\w)@(\w+)", r"_\1_", words)
        paragraphs.append(words)
    return paragraphs


def comments(path):
    """{name: comment}: what the comments say, by the name in their first line."""
    found = {}
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for comment in re.findall(r"<!--(.*?)-->", text, re.S):
        lines = comment.strip("\n").splitlines()
        head = next((line.strip() for line in lines if line.strip()), "")
        if head.endswith(":"):
            body = lines[lines.index(next(line for line in lines if line.strip() == head)) + 1 :]
            found[head[:-1]] = "\n".join(line.strip() for line in body)
    return found


def split(comment):
    """Arguments ([(name, text)]) and the text behind them."""
    arguments, rest, current = [], [], None
    for line in comment.splitlines():
        m = re.match(r"@(\w+): (.*)", line)
        if m and not rest:
            arguments.append([m[1], m[2]])
            current = arguments[-1]
        elif not line:
            current = None
            rest.append("")
        elif current is not None:
            current[1] += " " + line
        else:
            rest.append(line)
    return [a for a in arguments if a[0] != "short_description"], "\n".join(rest).strip()


def signature(member):
    if member.tag == "property":
        return f"*{member.get('name')}* {member.get('type')} (property)"
    usual = "out" if member.tag == "signal" else "in"
    ways = {"in": [], "out": []}
    for argument in member.iter("arg"):
        ways[argument.get("direction", usual)].append(f"{argument.get('type')} _{argument.get('name')}_")
    into, out = ways["in"], ways["out"]
    if member.tag == "signal":
        return f"*{member.get('name')}*({', '.join(out)}) (signal)"
    return f"*{member.get('name')}*({', '.join(into)})" + (f" -> {', '.join(out)}" if out else "")


def interface(path):
    node = next(xml.parse(path).getroot().iter("interface"))
    name, said = node.get("name"), comments(path)
    print(f"# {name}\n")
    for paragraph in prose(split(said.get(name, ""))[1]):
        print(paragraph + "\n")
    for member in node:
        if member.tag not in ("method", "property", "signal"):
            continue
        arguments, text = split(said.get(member.get("name"), ""))
        print(signature(member))
        paragraphs = prose(text) + [f"_{a}_: {' '.join(prose(b))}" for a, b in arguments]
        print("\n\n".join("\t" + p for p in paragraphs) + "\n")


def main():
    print("""org.imapsync.Sync1(5)

# NAME

org.imapsync.Sync1 - imapsync on the session bus

# DESCRIPTION

A running *imapsync*(1) owns the name *org.imapsync.Sync1* on the session bus; who
calls it starts it. The object */org/imapsync/Sync1* is about all accounts, the
objects */org/imapsync/Sync1/account/ID* are one account each. ID is the name of
the configuration without *.conf*, escaped as *sd_bus_path_encode*(3) does.

```
busctl --user tree org.imapsync.Sync1
busctl --user call org.imapsync.Sync1 /org/imapsync/Sync1 org.imapsync.Sync1 Sync
busctl --user get-property org.imapsync.Sync1 /org/imapsync/Sync1/account/work org.imapsync.Sync1.Account Status
gdbus monitor --session --dest org.imapsync.Sync1
```
""")
    for path in sys.argv[1:]:
        interface(path)
    print("# SEE ALSO\n\n*imapsync*(1), *imapsync-sync*(7), *busctl*(1), *gdbus*(1)")


main()
