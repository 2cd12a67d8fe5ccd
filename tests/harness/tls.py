# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority of our own, made with openssl."""

import hashlib
import ssl
import subprocess
from pathlib import Path


def _openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.strip()}")
    return done.stdout


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Certificate:
    def __init__(self, pem, key):
        self.pem, self.key = Path(pem), Path(key)

    @property
    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.pem.read_text()[self.pem.read_text().index("-----BEGIN") :])

    def fingerprint(self, algorithm="sha256"):
        """Hexadecimal digest of the certificate: what SSL_fingerprint pins."""
        return hashlib.new(algorithm, self.der).hexdigest()


class Authority:
    """`pem` is the CA's certificate, `folder` a folder that trusts it alone (SSL_ca_path)."""

    def __init__(self, directory, name="imapsync test CA"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.pem, self._key = self.directory / "ca.pem", self.directory / "ca.key"
        _openssl("req", "-x509", *_KEY, "-keyout", self._key, "-out", self.pem, "-days", 30,
                 "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        self.folder = self.directory / "trusted"
        self.folder.mkdir()
        digest = _openssl("x509", "-in", self.pem, "-noout", "-subject_hash").strip()
        (self.folder / "ca.pem").write_bytes(self.pem.read_bytes())
        (self.folder / f"{digest}.0").symlink_to("ca.pem")

    def issue(self, name="server", names=("DNS:localhost", "IP:127.0.0.1"), expired=False):
        """A server certificate for @names (subjectAltName entries)."""
        request, key = self.directory / f"{name}.csr", self.directory / f"{name}.key"
        pem, extensions = self.directory / f"{name}.pem", self.directory / f"{name}.ext"
        _openssl("req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(
            f"[v3]\nsubjectAltName={','.join(names)}\nbasicConstraints=CA:FALSE\n"
            "[ca]\ndefault_ca=this\n[this]\ndatabase=%(dir)s/index-%(name)s\nnew_certs_dir=%(dir)s\n"
            "default_md=sha256\npolicy=any\nrand_serial=yes\nunique_subject=no\n[any]\ncommonName=supplied\n"
            % {"dir": self.directory, "name": name}
        )
        (self.directory / f"index-{name}").write_text("")
        dates = ("20200101000000Z", "20200201000000Z") if expired else ("20200101000000Z", "20491231000000Z")
        _openssl("ca", "-batch", "-notext", "-config", extensions, "-extensions", "v3", "-in", request,
                 "-out", pem, "-cert", self.pem, "-keyfile", self._key,
                 "-startdate", dates[0], "-enddate", dates[1])  # fmt: skip
        key.chmod(0o600)
        return Certificate(pem, key)

    def context(self):
        """For a client in Python that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.pem))
