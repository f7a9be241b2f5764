"""What people get wrong first: each answer is quick, names the place, and hides the password."""

from __future__ import annotations

import traceback

import pytest

import fastload
from fastload.testing.servers import free_port

SECRET = "hunter2secret"


async def refused(source: str, target: str, **options: object) -> fastload.FastloadError:
    with pytest.raises(fastload.FastloadError) as caught:
        await fastload.copy(source, target, **options)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert caught.value.hint
    return caught.value


def with_password(url: str) -> str:
    return url.replace("postgres@", f"postgres:{SECRET}@")


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
