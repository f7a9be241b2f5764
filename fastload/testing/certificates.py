"""A throw-away certificate authority and a server's certificate for TLS tests, by openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificates(folder: Path) -> None:
    """Write ca.pem, ca.key, server.pem and server.key, for localhost and 127.0.0.1.

    Raises:
        FileNotFoundError: There is no openssl.
    """
    authority = ("-subj", "/CN=fastload test authority", "-days", "30", "-x509")
    _openssl(folder, "req", *_NEW_KEY, *authority, "-keyout", "ca.key", "-out", "ca.pem")
    request = ("-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    _openssl(folder, "req", *_NEW_KEY, *request)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = ("-in", "server.csr", "-out", "server.pem", "-days", "30", "-extfile", "names")
    _openssl(folder, "x509", "-req", *signed, "-CA", "ca.pem", "-CAkey", "ca.key")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")
