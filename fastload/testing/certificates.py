"""Throw-away certificate authorities, and what they sign, for TLS tests, by openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificates(
    folder: Path, names: str = "DNS:localhost,IP:127.0.0.1", *, days: int = 30
) -> None:
    """Write ca.pem, ca.key, server.pem and server.key.

    Args:
        folder: Where to.
        names: What the server's certificate names, as OpenSSL spells it.
        days: For how long it is valid; less than 0 is for one that has expired.

    Raises:
        FileNotFoundError: There is no openssl.
    """
    authority = ("-subj", "/CN=fastload test authority", "-days", "30", "-x509")
    _openssl(folder, "req", *_NEW_KEY, *authority, "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    _sign(folder, "server", days, "-extfile", "names")


def make_client_certificate(folder: Path) -> None:
    """Write client.pem and client.key beside what ``make_certificates`` has written."""
    _sign(folder, "client", 30)


def _sign(folder: Path, name: str, days: int, *more: str) -> None:
    request = ("-subj", "/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    _openssl(folder, "req", *_NEW_KEY, *request)
    signed = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-days", str(days), *more)
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
