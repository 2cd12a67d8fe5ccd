# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds outside of the source: one with gcc, one with clang and the sanitizers."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from . import place

# name: (compiler, options)
KINDS = {
    "gcc": ("gcc", ("-Dbuildtype=debugoptimized",)),
    "sanitized": ("clang", ("-Ddebug=true", "-Doptimization=1", "-Db_sanitize=address,undefined",
                            "-Db_lundef=false")),
}  # fmt: skip
SANITIZER_ENV = {
    # intercept_tls_get_addr: the leak check of clang 14 crashes in a thread's TLS block with glibc 2.36.
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:exitcode=99:"
    "intercept_tls_get_addr=0",
    # libproxy throws C++ exceptions, which a sanitizer in a C program takes for its own end.
    "GIO_USE_PROXY_RESOLVER": "dummy",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "LSAN_OPTIONS": f"suppressions={place.TESTS}/lsan.supp:print_suppressions=0",
}


class BuildError(Exception):
    pass


def root():
    """The folder of all builds of this source by this user; IMAPSYNC_BUILD_DIR chooses another."""
    chosen = os.environ.get("IMAPSYNC_BUILD_DIR")
    if chosen:
        path = Path(chosen)
        path.mkdir(parents=True, exist_ok=True)
        return path
    key = hashlib.sha256(str(place.SOURCE).encode()).hexdigest()[:10]
    path = Path(tempfile.gettempdir()) / f"imapsync-build-{os.geteuid()}-{key}"
    path.mkdir(mode=0o755, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise BuildError(f"{path} belongs to somebody else; set IMAPSYNC_BUILD_DIR")
    return path


def folder(kind):
    return root() / kind


def _run(command, env=None):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env={**os.environ, **(env or {})})  # fmt: skip
    if done.returncode:
        said = done.stdout
        said = said[said.index("FAILED: ") :] if "FAILED: " in said else said
        raise BuildError(f"{' '.join(map(str, command))}\n{said[:12000]}")
    return done.stdout


def setup(kind, werror=True):
    path = folder(kind)
    if not (path / "build.ninja").exists():
        compiler, options = KINDS[kind]
        _run(["meson", "setup", path, place.SOURCE, *options, *(["-Dwerror=true"] if werror else [])],
             {"CC": compiler})  # fmt: skip
    return path


def compile(kind, werror=True):
    """Sets up and compiles; BuildError has the output. Returns the folder."""
    path = setup(kind, werror)
    _run(["ninja", "-C", path])
    return path


def program(kind):
    path = folder(kind)
    return next((p for p in (path / "service/imapsync", path / "imapsync") if p.exists()), path / "service/imapsync")
