"""What people get wrong first: each answer is quick, names the place, and hides the password."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import traceback

import pytest

import fastload
from fastload.testing.private_server import free_port

SECRET = "hunter2secret"


async def refused(source: str, target: str, **options: object) -> fastload.FastloadError:
    began = time.perf_counter()
    with pytest.raises(fastload.FastloadError) as caught:
        await fastload.copy(source, target, **options)
    # What is promised to users; an answer that was tried again would take longer.
    assert time.perf_counter() - began < 1
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert caught.value.hint
    return caught.value


def with_password(url: str) -> str:
    return re.sub(r"postgres(:[^@]*)?@", f"postgres:{SECRET}@", url)


async def test_unknown_scheme(target):
    error = await refused(f"postgrsql://u:{SECRET}@h/d", target.url)
    assert isinstance(error, fastload.AdapterNotFound)
    assert "postgresql" in error.hint


async def test_closed_port(target):
    port = free_port()
    error = await refused(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", target.url)
    assert isinstance(error, fastload.ConnectError)
    assert str(port) in str(error)
    assert error.side == "source"


async def test_unknown_host(target):
    error = await refused(f"postgresql://u:{SECRET}@no-such-host.invalid/d", target.url)
    assert isinstance(error, fastload.ConnectError)
    assert "no-such-host.invalid" in str(error)


async def test_wrong_database(source, target):
    error = await refused(with_password(source.server.url_for("nowhere")), target.url)
    assert isinstance(error, fastload.DatabaseNotFound)
    assert "nowhere" in str(error)


async def test_missing_table(source, target):
    source.psql("CREATE TABLE orders (); CREATE TABLE orders_old (); CREATE TABLE other ()")
    error = await refused(with_password(source.url), target.url, tables=["public.ordres"])
    assert isinstance(error, fastload.TableNotFound)
    assert "public.orders" in error.hint


OPTIONS = {
    "sslmode=require": (fastload.TlsError, "takes no encrypted connections"),
    "sslmode=always": (fastload.ConfigError, "sslmode=always"),
    "sslrootcert=/no/such/file": (fastload.ConfigError, "/no/such/file"),
    "sslmod=require": (fastload.ConfigError, "unknown option in the URL: sslmod"),
    "connect_timeout=soon": (fastload.ConfigError, "connect_timeout=soon"),
    "connect_timeout=0": (fastload.ConfigError, "connect_timeout=0"),
}


@pytest.mark.parametrize(("option", "told"), OPTIONS.items(), ids=OPTIONS.keys())
async def test_wrong_options_of_the_url(source, target, option, told):
    error = await refused(f"{with_password(source.url)}?{option}", target.url)
    assert isinstance(error, told[0])
    assert told[1] in str(error)
    assert error.side == "source"


async def test_a_certificate_that_is_none(source, target, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    error = await refused(f"{source.url}?sslrootcert={tmp_path}/ca.pem", target.url)
    assert isinstance(error, fastload.ConfigError)
    assert "sslrootcert" in error.hint


@pytest.mark.parametrize("mode", ["create", "append", "replace", "truncate", "upsert"])
async def test_a_database_into_itself(source, mode):
    source.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    error = await refused(source.url, source.url.replace("127.0.0.1", "localhost"), mode=mode)
    assert isinstance(error, fastload.PlanError)
    assert "into itself" in str(error)
    assert source.psql("SELECT count(*) FROM t") == "1"
    await fastload.copy(source.url, source.url, rename={"public.t": "other.t"})
    assert source.psql("SELECT count(*) FROM other.t") == "1"


async def test_a_database_without_tables(source, target):
    error = await refused(source.url, target.url)
    assert isinstance(error, fastload.PlanError)
    assert "no tables" in str(error)


@pytest.mark.parametrize("side", ["source", "target"])
async def test_wrong_password(guarded, target, side):
    wrong = f"postgresql://postgres:{SECRET}@127.0.0.1:{guarded.port}/postgres"
    urls = (wrong, target.url) if side == "source" else (target.url, wrong)
    error = await refused(*urls)
    assert isinstance(error, fastload.AuthenticationError)
    assert error.side == side
    assert f"127.0.0.1:{guarded.port}" in str(error)


async def test_right_password(guarded, target):
    guarded.psql("CREATE TABLE right_password AS SELECT 1 AS n")
    result = await fastload.copy(guarded.url, target.url, tables=["public.right_password"])
    assert result.rows == 1


def test_missing_driver(target):
    """In a process of its own, whose asyncpg cannot be imported."""
    script = (
        "import sys, asyncio; sys.modules['asyncpg'] = None; import fastload\n"
        f"asyncio.run(fastload.copy('postgresql://u:{SECRET}@h/d', '{target.url}'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "pip install 'fastload[postgres]'" in done.stderr
    assert SECRET not in done.stderr
