"""What people get wrong first: each answer is quick, names the place, and hides the password."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from urllib.parse import quote

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


@pytest.fixture
def there(server) -> Iterator[str]:
    """The URL of another database."""
    with server.database("mistakes_there") as url:
        yield url


@pytest.fixture
def user(server) -> Iterator[str]:
    """A user who may only log in; the URL of the server with it."""
    server.execute(f"CREATE USER newcomer@'%' IDENTIFIED BY '{SECRET}'")
    yield f"{server.flavour}://newcomer:{SECRET}@127.0.0.1:{server.port}"
    server.execute("DROP USER newcomer@'%'")


async def test_unknown_scheme(there):
    error = await refused(f"mysq://u:{SECRET}@h/d", there)
    assert isinstance(error, fastload.AdapterNotFound)
    assert "mysql" in error.hint


async def test_closed_port(there):
    port = free_port()
    error = await refused(f"mysql://u:{SECRET}@127.0.0.1:{port}/d", there)
    assert isinstance(error, fastload.ConnectError)
    assert str(port) in str(error)
    assert error.side == "source"


async def test_unknown_host(there):
    error = await refused(f"mysql://u:{SECRET}@no-such-host.invalid/d", there)
    assert isinstance(error, fastload.ConnectError)
    assert "no-such-host.invalid" in str(error)


async def test_no_such_socket(there):
    error = await refused(f"mysql://u:{SECRET}@localhost/d?unix_socket=/no/such", there)
    assert isinstance(error, fastload.ConnectError)
    assert "/no/such" in str(error)
    assert "path" in error.hint


@pytest.mark.parametrize("side", ["source", "target"])
async def test_wrong_database(server, database, side):
    urls = [database.url, database.url]
    urls[side == "target"] = server.url_for("nowhere")
    error = await refused(*urls)
    assert isinstance(error, fastload.DatabaseNotFound)
    assert error.side == side
    assert "nowhere" in str(error)


@pytest.mark.parametrize("side", ["source", "target"])
async def test_wrong_password(server, database, side):
    wrong = f"mysql://fastload:{SECRET}@127.0.0.1:{server.port}/{database.name}"
    urls = (wrong, database.url) if side == "source" else (database.url, wrong)
    error = await refused(*urls)
    assert isinstance(error, fastload.AuthenticationError)
    assert error.side == side
    assert f"127.0.0.1:{server.port}" in str(error)


async def test_right_password(server, database, there):
    database.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    result = await fastload.copy(database.url, there)
    assert result.rows == 1
    told = str(result.to_dict())
    assert server.password not in told
    assert quote(server.password, safe="") not in told


async def test_no_user_at_all(server, there):
    error = await refused(f"mysql://127.0.0.1:{server.port}/mistakes_there", there)
    assert isinstance(error, fastload.AuthenticationError)
    assert "without a user" in str(error)


async def test_a_database_that_the_user_may_not_enter(database, user):
    error = await refused(database.url, f"{user}/{database.name}")
    assert isinstance(error, fastload.AuthenticationError)
    assert "not into database" in str(error)
    assert "password" not in error.hint


async def test_missing_table(database, there):
    database.execute("CREATE TABLE orders (a int); CREATE TABLE other (a int)")
    error = await refused(database.url, there, tables=["ordres"])
    assert isinstance(error, fastload.TableNotFound)
    assert f"{database.name}.orders" in error.hint


async def test_a_view(database, there):
    database.execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t")
    error = await refused(database.url, there, tables=["v"])
    assert isinstance(error, fastload.TableNotFound)
    assert "is a view" in error.hint


async def test_a_target_without_rights(server, database, there, user):
    database.execute("CREATE TABLE t (a int)")
    server.execute("GRANT SELECT ON mistakes_there.* TO newcomer@'%'")
    error = await refused(database.url, f"{user}/mistakes_there")
    assert isinstance(error, fastload.TargetError)
    assert error.hint.startswith("GRANT ")
    assert "mistakes_there" in str(error)


async def test_a_source_whose_tables_are_not_seen(server, database, there, user):
    database.execute("CREATE TABLE t (a int)")
    server.execute(f"GRANT INSERT ON {database.name}.* TO newcomer@'%'")
    error = await refused(f"{user}/{database.name}", there)
    assert isinstance(error, fastload.SourceError)
    assert "GRANT SELECT" in error.hint


async def test_a_database_without_tables(database, there):
    error = await refused(database.url, there)
    assert isinstance(error, fastload.PlanError)
    assert "no tables" in str(error)


OPTIONS = {
    "ssl_mode=always": (fastload.ConfigError, "ssl_mode=always"),
    "ssl_ca=/no/such/file": (fastload.ConfigError, "/no/such/file"),
    "ssl_mode=VERIFY_IDENTITY": (fastload.TlsError, "certificate"),
    "sslmode=require": (fastload.ConfigError, "unknown option in the URL: sslmod"),
    "charset=latin1": (fastload.ConfigError, "charset=latin1"),
    "connect_timeout=soon": (fastload.ConfigError, "connect_timeout=soon"),
    "connect_timeout=0": (fastload.ConfigError, "connect_timeout=0"),
}


@pytest.mark.parametrize(("option", "told"), OPTIONS.items(), ids=OPTIONS.keys())
async def test_wrong_options_of_the_url(database, there, option, told):
    error = await refused(f"{database.url}?{option}", there)
    assert isinstance(error, told[0])
    assert told[1] in str(error)
    assert error.side == "source"


async def test_a_certificate_that_is_none(database, there, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    error = await refused(f"{database.url}?ssl_ca={tmp_path}/ca.pem", there)
    assert isinstance(error, fastload.ConfigError)
    assert "ssl_ca" in error.hint


@pytest.mark.parametrize("mode", ["create", "append", "replace", "truncate", "upsert"])
async def test_a_database_into_itself(server, database, mode):
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    again = database.url.replace("127.0.0.1", "localhost")
    error = await refused(database.url, again, mode=mode)
    assert isinstance(error, fastload.PlanError)
    assert "into itself" in str(error)
    assert database.execute("SELECT count(*) FROM t") == [(1,)]


async def test_another_kind_of_server(server, source):
    error = await refused(f"postgresql://u:{SECRET}@127.0.0.1:{server.port}/d", source.url)
    assert isinstance(error, fastload.ConnectError)
    assert error.hint.startswith("check host and port: a PostgreSQL server")
    silent = f"mysql://u:{SECRET}@127.0.0.1:{source.server.port}/d?connect_timeout=0.3"
    with pytest.raises(fastload.ConnectError, match="says nothing") as caught:
        await fastload.copy(silent, source.url)
    assert "may not be MySQL" in caught.value.hint


async def test_a_target_without_a_database(server, database):
    """Tables keep the names of their databases, which are made."""
    database.execute("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    for mode in ("create", "replace", "truncate"):
        for urls in ((database.url, server.url), (server.url, database.url)):
            error = await refused(*urls, tables=[f"{database.name}.t"], mode=mode)
            assert "into itself" in str(error)
    await fastload.copy(database.url, server.url, rename={f"{database.name}.t": "mistakes_made.t"})
    try:
        assert server.execute("SELECT count(*) FROM mistakes_made.t") == [(1,)]
    finally:
        assert database.execute("SELECT count(*) FROM t") == [(1,)]
        server.drop_database("mistakes_made")
        server.drop_database("_fastload")


@pytest.mark.parametrize("module", ["aiomysql", "pymysql"])
def test_missing_driver(module):
    """In a process of its own, whose driver cannot be imported."""
    script = (
        f"import sys, asyncio; sys.modules['{module}'] = None; import fastload\n"
        f"asyncio.run(fastload.copy('mysql://u:{SECRET}@h/d', 'mysql://u:{SECRET}@h/d'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "pip install 'fastload[mysql]'" in done.stderr
    assert SECRET not in done.stderr
