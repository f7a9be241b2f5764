"""Servers on another machine: who they are is proved, or the URL says that it need not be.

Every way leads over an address of this machine that is not loopback.
"""

from __future__ import annotations

import ssl
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import fastload
from fastload import transport
from fastload.registry import open_source
from fastload.testing import tls_proxy
from fastload.testing.certificates import make_certificates, make_client_certificate
from fastload.testing.mysql_fake_server import fake_server
from fastload.testing.tls_proxy import own_address, way_to
from fastload.url import Url

MISSING = {"postgres": "sslrootcert=", "mysql": "ssl_ca=", "mariadb": "ssl_ca="}


class Certificates:
    """What a server shows, and the authority that signed it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = str(folder / "ca.pem")

    def context(self, *, asks: bool = False) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        if asks:
            made.load_verify_locations(self.ca)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Certificates]:
    """Certificates by what is wrong with them."""
    here = f"IP:{own_address()}"
    ways = {"good": (here, 30), "name": ("DNS:db.example,IP:203.0.113.9", 30), "date": (here, -1)}
    found = {}
    for wrong, (names, days) in ways.items():
        folder = tmp_path_factory.mktemp(wrong)
        make_certificates(folder, names, days=days)
        make_client_certificate(folder)
        found[wrong] = Certificates(folder)
    return found


class Place:
    """A server of one kind that can be reached over an address that is not loopback."""

    def __init__(self, kind, url: str, server) -> None:
        self.kind, self.server = kind, server
        self._url = Url.parse(url)

    @asynccontextmanager
    async def reached(
        self, certificates: Certificates | None, *, asks: bool = False
    ) -> AsyncIterator[Url]:
        """Lead a way there that shows this certificate, and may ask for one; None has no TLS."""
        family = "postgres" if self.kind == "postgres" else "mysql"
        begin = getattr(tls_proxy, f"stripping_{family}")
        if certificates:
            begin = getattr(tls_proxy, f"ending_{family}")(certificates.context(asks=asks))
        async with way_to(self._url.port, begin) as self.way:
            yield replace(self._url, host=self.way.host, port=self.way.port)

    def options(self, **words: str) -> dict[str, str]:
        """Spell options as this kind does."""
        family = {"mode": "ssl_mode", "ca": "ssl_ca", "cert": "ssl_cert", "key": "ssl_key"}
        libpq = {"mode": "sslmode", "ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}
        names = libpq if self.kind == "postgres" else family
        return {names.get(word, word): value for word, value in words.items()}


@pytest.fixture(params=["postgres", "mysql", "mariadb"])
def place(request) -> Iterator[Place]:
    if request.param == "postgres":
        database = request.getfixturevalue("source")
        database.psql("CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
        yield Place("postgres", database.url, database.server)
        return
    server = request.getfixturevalue(request.param)
    with server.database("fastload_tls") as url:
        server.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)", "fastload_tls")
        yield Place(request.param, url, server)


async def works(url: Url) -> None:
    async with fastload.read(url, "t") as reading:
        assert (await reading.table()).num_rows == 1


async def refused(url: Url) -> fastload.FastloadError:
    began = time.perf_counter()
    with pytest.raises(fastload.TlsError) as caught:
        await fastload.copy(url, url, mode="append")
    # What is promised to users; an answer that was tried again would take longer.
    assert time.perf_counter() - began < 1
    assert f"{url.host}:{url.port}" in str(caught.value)
    assert caught.value.side in ("source", "target")  # they connect side by side
    assert caught.value.hint
    return caught.value


async def test_a_server_that_proves_who_it_is(place, made):
    async with place.reached(made["good"]) as url:
        await works(replace(url, options=place.options(ca=made["good"].ca)))


async def test_an_authority_that_nobody_here_knows(place, made):
    async with place.reached(made["good"]) as url:
        error = await refused(url)
        assert "certificate" in str(error)
        assert MISSING[place.kind] in error.hint
        other = await refused(replace(url, options=place.options(ca=made["name"].ca)))
    assert MISSING[place.kind] in other.hint


async def test_another_name(place, made):
    async with place.reached(made["name"]) as url:
        error = await refused(replace(url, options=place.options(ca=made["name"].ca)))
    assert "names in the server's certificate" in error.hint
    assert url.host in str(error)


@pytest.mark.parametrize("word", [{}, {"mode": "verify"}])
async def test_an_expired_certificate(place, made, word):
    """Its authority is the one that the URL names: the date alone is wrong."""
    if word:
        word = {"mode": "verify-full" if place.kind == "postgres" else "VERIFY_IDENTITY"}
    async with place.reached(made["date"]) as url:
        error = await refused(replace(url, options=place.options(ca=made["date"].ca, **word)))
    assert "expired" in str(error)
    assert "renew" in error.hint


@pytest.mark.parametrize("word", [{}, {"tls": "verify"}, {"mode": "verify"}, {"mode": "require"}])
async def test_tls_that_is_taken_away_on_the_way(place, made, word):
    modes = {
        "verify": "verify-full" if place.kind == "postgres" else "VERIFY_IDENTITY",
        "require": "require" if place.kind == "postgres" else "REQUIRED",
    }
    if mode := word.get("mode"):
        word = {"mode": modes[mode]}
    async with place.reached(None) as url:
        error = await refused(replace(url, options=place.options(**word)))
    assert "no encrypted connections" in str(error)
    assert "tls=off" in error.hint
    assert bytes(place.way.received) == b""


async def test_off_has_to_be_written_and_warns_once(place):
    transport._warned.clear()
    async with place.reached(None) as url:
        url = replace(url, options={"tls": "off"})
        if place.kind == "postgres":
            # The proxy waits for a question that is not asked.
            async with way_to(place.server.port) as way:
                await warns_once(replace(url, host=way.host, port=way.port))
        else:
            await warns_once(url)


async def warns_once(url: Url) -> None:
    async def twice() -> None:
        await works(url)
        await works(url)

    with pytest.warns(fastload.InsecureConnectionWarning, match="not encrypted") as seen:
        await twice()
    assert len(seen) == 1
    assert f"{url.host}:{url.port}" in str(seen[0].message)


async def test_what_the_url_asks_for_less_is_done(place, made):
    mode = "require" if place.kind == "postgres" else "REQUIRED"
    async with place.reached(made["date"]) as url:
        await works(replace(url, options=place.options(mode=mode)))
    mode = "verify-ca" if place.kind == "postgres" else "VERIFY_CA"
    async with place.reached(made["name"]) as url:
        await works(replace(url, options=place.options(mode=mode, ca=made["name"].ca)))


async def test_the_environment_asks_for_nothing_less(place, made, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGSSLNEGOTIATION", "postgres")
    async with place.reached(made["good"]) as url:
        await refused(url)
    async with place.reached(None) as url:
        await refused(url)


async def test_loopback_needs_no_proof(place):
    url = replace(place._url, options={})
    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        await works(replace(url, host=host))


async def test_words_that_do_not_go_together(place):
    mode = "require" if place.kind == "postgres" else "REQUIRED"
    for options, told in (
        ({"tls": "on"}, "tls=on"),
        (place.options(tls="off", mode=mode), "both tls=off"),
        (place.options(key="/dev/null"), "no file"),
    ):
        with pytest.raises(fastload.ConfigError, match=told) as caught:
            await works(replace(place._url, options=options))
        assert caught.value.hint


async def test_a_clients_certificate(place, made):
    good = made["good"]
    own = {"cert": str(good.folder / "client.pem"), "key": str(good.folder / "client.key")}
    async with place.reached(good, asks=True) as url:
        await works(replace(url, options=place.options(ca=good.ca, **own)))
        with pytest.raises(fastload.FastloadError):
            await works(replace(url, options=place.options(ca=good.ca)))


async def test_a_key_that_stands_alone_or_is_encrypted(place, made, tmp_path):
    folder = made["good"].folder
    openssl(folder, "ec", "-in", "client.key", "-aes256", "-passout", "pass:x", "-out", "locked")
    own = {"ca": made["good"].ca, "key": str(folder / "client.key")}
    with pytest.raises(fastload.ConfigError, match="stands alone"):
        await works(replace(place._url, options=place.options(**own)))
    own |= {"cert": str(folder / "client.pem"), "key": str(folder / "locked")}
    with pytest.raises(fastload.ConfigError, match="cannot be used"):
        await works(replace(place._url, options=place.options(**own)))


# Logins by RSA, where there is no TLS: the key is offered by whoever answers.


@pytest.fixture
def sha2(mysql) -> Iterator[Url]:
    """A user whom the server does not remember, so that the whole password is asked for."""
    with mysql.database("fastload_sha2") as url:
        mysql.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)", "fastload_sha2")
        mysql.execute(
            "CREATE USER rsa@'%' IDENTIFIED WITH caching_sha2_password BY 'hunter2secret';"
            "GRANT ALL ON fastload_sha2.* TO rsa@'%'"
        )
        yield replace(Url.parse(url), user="rsa").with_password("hunter2secret")
        mysql.execute("DROP USER rsa@'%'")


async def test_an_offered_key_is_not_trusted(sha2):
    transport._warned.clear()
    async with way_to(sha2.port, tls_proxy.stripping_mysql) as way:
        url = replace(sha2, host=way.host, port=way.port, options={"ssl_mode": "PREFERRED"})
        with pytest.warns(fastload.InsecureConnectionWarning, match="only if who answers"):
            error = await refused(url)
    assert "tls=off" in error.hint


async def test_a_key_that_the_url_names_is_used_and_no_other(sha2, mysql, tmp_path):
    key = mysql.execute("SHOW STATUS LIKE 'Caching_sha2_password_rsa_public_key'")[0][1]
    (tmp_path / "right.pem").write_text(key)
    other = ("rsa", "-in", "private.pem", "-pubout", "-out", "wrong.pem")
    openssl(tmp_path, "genrsa", "-out", "private.pem", "2048")
    openssl(tmp_path, *other)
    transport._warned.clear()
    async with way_to(sha2.port, tls_proxy.stripping_mysql) as way:
        url = replace(sha2, host=way.host, port=way.port)
        options = {"ssl-mode": "PREFERRED", "server-public-key-path": f"{tmp_path}/wrong.pem"}
        with (
            pytest.warns(fastload.InsecureConnectionWarning),
            pytest.raises(fastload.FastloadError),
        ):
            await works(replace(url, options=options))
        options["server-public-key-path"] = f"{tmp_path}/right.pem"
        await works(replace(url, options=options))


async def test_off_trusts_what_is_offered(sha2, mysql):
    transport._warned.clear()
    mysql.execute("FLUSH PRIVILEGES")
    async with way_to(sha2.port) as way:
        url = replace(sha2, host=way.host, port=way.port, options={"tls": "off"})
        with pytest.warns(fastload.InsecureConnectionWarning):
            await works(url)


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


LOOPBACK = ["127.0.0.1", "127.9.8.7", "::1", "localhost", "Localhost.", None, "", "/run/x"]
LOOPBACK += ["::ffff:127.0.0.1"]
ELSEWHERE = ["10.0.0.1", "db", "localhost.example", "127.1", "::2", "fe80::1%lo", "0.0.0.0"]
ELSEWHERE += ["127.0.0.1.example", "::ffff:10.0.0.1"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_what_is_this_machine(host):
    assert transport.is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_what_may_be_another(host):
    assert not transport.is_loopback(host)


async def test_a_fake_server_elsewhere_hears_no_password():
    async with fake_server() as fake, way_to(fake.port) as way:
        url = replace(Url.parse(fake.url), host=way.host, port=way.port)
        await refused(url)
    assert b"hunter2secret" not in bytes(way.received)


async def test_warnings_are_repeated_where_they_are_errors():
    """A program that makes them errors must not get through with the second attempt."""
    transport._warned.clear()
    url = Url.parse("mysql://u@db.invalid/d?tls=off&connect_timeout=0.2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(fastload.InsecureConnectionWarning):
                async with open_source(url, connections=1):
                    pass
