"""Sessions: how they are opened, what they are set to, and how they end."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
import traceback
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiomysql
import anyio
import pytest
from fastload_mysql.connecting import arguments
from fastload_mysql.create_text import create_texts
from fastload_mysql.driver import MysqlDriver, open_sessions
from fastload_mysql.handshake import ServerConnection

from fastload import errors
from fastload.model import QualifiedName
from fastload.secret import Secret
from fastload.testing import private_server
from fastload.testing.mysql_fake_server import fake_server, listening
from fastload.testing.mysql_programs import spec_of
from fastload.testing.private_server import free_port
from fastload.url import Url

pytestmark = pytest.mark.mysql

SECRET = "hunter2secret"
CIPHER = "SELECT variable_value FROM {}.session_status WHERE variable_name = 'Ssl_cipher'"
STATUS = {"mysql": "performance_schema", "mariadb": "information_schema"}


def url_of(database, **options):
    return replace(Url.parse(database.url), options=options)


@asynccontextmanager
async def lent(url, side="source"):
    url = Url.parse(url) if isinstance(url, str) else url
    async with open_sessions(url, side=side, limit=1) as sessions, sessions.lend() as connection:
        yield connection


# Who answers, and what its sessions are set to.


async def test_flavour_and_version(database):
    async with lent(database.url) as connection:
        assert connection.flavour == database.server.flavour
        known = spec_of(database.server.flavour).version()
        assert ".".join(map(str, connection.version)) == known


SETTINGS = {
    "time_zone": "+00:00",
    "autocommit": 1,
    "wait_timeout": 2_147_483,
    "net_write_timeout": 3600,
    "net_read_timeout": 3600,
    "innodb_lock_wait_timeout": 30,
    "lock_wait_timeout": 30,
    "character_set_results": "utf8mb4",
    "character_set_client": "utf8mb4",
    "sql_select_limit": 18446744073709551615,
}


@pytest.mark.parametrize("side", ["source", "target"])
async def test_settings(database, side):
    query = ", ".join(f"@@{name}" for name in SETTINGS)
    async with lent(database.url, side) as connection:
        assert await connection.fetchrow(f"SELECT {query}") == tuple(SETTINGS.values())


LIMITS = {
    "sql_select_limit": 1,
    "wait_timeout": 5,
    "group_concat_max_len": 4,
    "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH",
    "time_zone": "+05:00",
    "max_join_size": 1,
    "sql_safe_updates": 1,
}


@pytest.fixture
def limited(database):
    """A server whose own settings would change, or cut short, what is read."""
    server = database.server
    known = [n for n in LIMITS if server.execute(f"SHOW GLOBAL VARIABLES LIKE '{n}'")]
    was = server.execute("SELECT " + ", ".join(f"@@global.{name}" for name in known))[0]
    database.execute("CREATE TABLE t (i INT); INSERT INTO t VALUES (1), (2)")
    server.execute("; ".join(f"SET GLOBAL {name} = {LIMITS[name]!r}" for name in known))
    yield database
    values = dict(zip(known, was, strict=True))
    server.execute("; ".join(f"SET GLOBAL {name} = {value!r}" for name, value in values.items()))


async def test_a_servers_own_limits_do_not_apply(limited):
    async with lent(limited.url) as connection:
        assert await connection.fetch("SELECT 1 UNION ALL SELECT 2") == [(1,), (2,)]
        assert await connection.fetchval("SELECT GROUP_CONCAT('long enough')") == "long enough"
        assert await connection.fetchval('SELECT "\\\'"') == "'"
        assert await connection.fetchval("SELECT HOUR(FROM_UNIXTIME(0))") == 0
        assert await connection.fetchval("SELECT COUNT(*) FROM t AS a, t AS b, t AS c") == 8
    async with lent(limited.url, "target") as connection:
        assert await connection.execute("DELETE FROM t") == 2


async def test_a_source_is_read_only(database):
    database.execute("CREATE TABLE t (i int)")
    with pytest.raises(errors.SourceError, match="1792"):
        async with lent(database.url) as connection:
            await connection.execute("INSERT INTO t VALUES (1)")


async def test_dates_that_only_this_family_has(database):
    database.execute("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, d date)")
    async with lent(database.url, "target") as connection:
        rows = "(0, '0000-00-00'), (7, '2020-02-31'), (8, '2020-00-01')"
        assert await connection.execute(f"INSERT INTO t VALUES {rows}") == 3
    async with lent(database.url) as connection:
        found = await connection.fetch("SELECT id, CAST(d AS char) FROM t")
    assert found == [(0, "0000-00-00"), (7, "2020-02-31"), (8, "2020-00-01")]


@pytest.mark.parametrize("value", ["it's", "a\\b", 'say "x"', "%s", "é😀", b"\x00\xff'", None, 7])
async def test_arguments_are_written_as_they_are(database, value):
    async with lent(database.url) as connection:
        assert await connection.fetchval("SELECT %s", [value]) == value
        assert await connection.fetch_named("SELECT %s AS v", [value]) == [{"v": value}]


# Encryption.


def tls(database, *options):
    return url_of(database, **dict(option.split("=", 1) for option in options))


async def cipher(url, flavour):
    async with lent(url) as connection:
        return await connection.fetchval(CIPHER.format(STATUS[flavour]))


@pytest.mark.parametrize(
    ("options", "encrypted"),
    [
        ([], True),
        (["ssl_mode=DISABLED"], False),
        (["ssl_mode=preferred"], True),
        (["ssl_mode=REQUIRED"], True),
        (["ssl_mode=VERIFY_CA", "ssl_ca={ca}"], True),
        (["ssl_mode=VERIFY_IDENTITY", "ssl_ca={ca}"], True),
        (["ssl_ca={ca}"], True),
    ],
)
async def test_tls(database, options, encrypted):
    chosen = [option.format(ca=database.server.ca_file) for option in options]
    assert bool(await cipher(tls(database, *chosen), database.server.flavour)) == encrypted


async def test_another_authority_is_not_trusted(database, tmp_path):
    private_server.make_certificates(tmp_path)
    for options in ([f"ssl_ca={tmp_path}/ca.pem"], ["ssl_mode=VERIFY_CA"]):
        error = await refused(tls(database, *options))
        assert isinstance(error, errors.TlsError)
        assert "certificate" in str(error)


async def test_another_host_is_not_trusted(database):
    url = tls(database, "ssl_mode=VERIFY_IDENTITY", f"ssl_ca={database.server.ca_file}")
    error = await refused(replace(url, host="127.1"))
    assert isinstance(error, errors.TlsError)


async def test_no_password_goes_to_a_server_without_tls():
    async with fake_server() as fake:
        error = await refused(f"{fake.url}?ssl_mode=REQUIRED&connect_timeout=0.5")
        await fake.closed.wait()
    assert isinstance(error, errors.TlsError)
    assert "no encrypted connections" in str(error)
    assert fake.received == []


async def test_preferred_takes_what_there_is():
    async with fake_server() as fake:
        connection = await MysqlDriver("source").open(Url.parse(fake.url))
        await connection.close()
        await fake.closed.wait()


# Logins.


@pytest.fixture
def user(database, request):
    """A user of its own that logs in by the plugin of the test."""
    plugin, password = request.param
    name = f"u{database.name[-8:]}"
    if database.server.flavour == "mariadb":
        how = f"VIA {plugin} USING PASSWORD('{password}')"
    else:
        how = f"WITH {plugin} BY '{password}'"
    database.execute(
        f"CREATE USER '{name}'@'%' IDENTIFIED {how}; GRANT ALL ON {database.name}.* TO '{name}'@'%'"
    )
    yield replace(Url.parse(database.url), user=name, password=Secret(password))
    database.execute(f"DROP USER '{name}'@'%'")


PASSWORDS = ["plain", "é😀 %s", "x" * 60]


@pytest.mark.parametrize("mode", ["DISABLED", "REQUIRED"])
@pytest.mark.parametrize("user", [("caching_sha2_password", p) for p in PASSWORDS], indirect=True)
@pytest.mark.parametrize("server", ["mysql"], indirect=True)
async def test_caching_sha2_in_full_and_fast(user, mode):
    """The server knows nobody at first; the second login is answered from what it remembers."""
    for _ in range(2):
        async with lent(replace(user, options={"ssl_mode": mode})) as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("user", [("mysql_native_password", p) for p in PASSWORDS], indirect=True)
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
async def test_native_password(user):
    async with lent(user) as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.fixture
def ed25519(server):
    server.execute("INSTALL SONAME 'auth_ed25519'")
    yield
    server.execute("UNINSTALL SONAME 'auth_ed25519'")


@pytest.mark.usefixtures("ed25519")
@pytest.mark.parametrize("user", [("ed25519", p) for p in PASSWORDS], indirect=True)
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
async def test_ed25519(user):
    async with lent(user) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    error = await refused(replace(user, password=Secret("another")))
    assert isinstance(error, errors.AuthenticationError)


async def test_ed25519_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "nacl", None)
    monkeypatch.setattr("pymysql._auth._nacl_bindings", None)  # which it keeps once it has it
    switch = b"\xfeclient_ed25519\0" + bytes(range(32))
    async with fake_server(login=switch) as fake:
        error = await refused(fake.url)
        await fake.closed.wait()
    assert isinstance(error, errors.AuthenticationError)
    assert "pip install 'fastload[mysql-ed25519]'" in str(error)


async def test_a_password_is_not_shown_without_tls():
    async with fake_server(login=b"\xfemysql_clear_password\0") as fake:
        error = await refused(fake.url)
        await fake.closed.wait()
    assert isinstance(error, errors.AuthenticationError)
    assert not any(SECRET.encode() in sent for sent in fake.received)


@pytest.mark.parametrize("by_option", [True, False])
async def test_unix_socket(database, by_option):
    url, path = Url.parse(database.url), str(database.server.socket)
    url = replace(url, options={"unix_socket": path}) if by_option else replace(url, host=path)
    assert not await cipher(url, database.server.flavour)


# What people get wrong first.


async def refused(url):
    url = Url.parse(url) if isinstance(url, str) else url
    began = time.perf_counter()
    with pytest.raises(errors.FastloadError) as caught:
        async with lent(url):
            pass
    # What is promised to users.
    assert time.perf_counter() - began < 1
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert url.password is None or url.password.reveal() not in told
    assert caught.value.hint
    assert caught.value.side == "source"
    return caught.value


async def test_closed_port():
    port = free_port()
    error = await refused(f"mysql://u:{SECRET}@127.0.0.1:{port}/d")
    assert type(error) is errors.ConnectError
    assert f"127.0.0.1:{port}" in str(error)


async def test_no_socket(tmp_path):
    error = await refused(f"mysql://u:{SECRET}@h/d?unix_socket={tmp_path}/none")
    assert type(error) is errors.ConnectError
    assert f"{tmp_path}/none" in str(error)


async def test_unknown_host():
    error = await refused(f"mysql://u:{SECRET}@no-such-host.invalid/d")
    assert type(error) is errors.ConnectError
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize("mode", ["DISABLED", "REQUIRED"])
async def test_wrong_password(database, mode):
    url = replace(url_of(database, ssl_mode=mode), password=Secret(SECRET))
    error = await refused(url)
    assert isinstance(error, errors.AuthenticationError)
    assert f"127.0.0.1:{database.server.port}" in str(error)


async def test_no_password(database):
    error = await refused(replace(url_of(database), password=None))
    assert isinstance(error, errors.AuthenticationError)


async def test_unknown_database(server):
    error = await refused(server.url_for("nowhere"))
    assert isinstance(error, errors.DatabaseNotFound)
    assert "nowhere" in str(error)


async def test_a_server_that_takes_tls_only(server):
    server.execute("SET GLOBAL require_secure_transport = ON")
    try:
        error = await refused(f"{server.url}?ssl_mode=DISABLED")
    finally:
        server.execute("SET GLOBAL require_secure_transport = OFF")
    # MariaDB says only that it refuses the user.
    kind = errors.TlsError if server.flavour == "mysql" else errors.AuthenticationError
    assert type(error) is kind
    assert "ssl_mode=DISABLED" in error.hint


async def test_too_many_connections(server):
    """The first connection of a side is waited for some seconds: others may go."""
    was = server.execute("SELECT @@global.max_connections")[0][0]
    server.execute("SET GLOBAL max_connections = 10")
    held = [server.connect() for _ in range(11)]
    try:
        with pytest.raises(errors.TooManyConnections) as caught:
            async with lent(Url.parse(server.url)):
                pass
    finally:
        for connection in held:
            connection.close()
        server.execute(f"SET GLOBAL max_connections = {was}")
    assert caught.value.retryable
    assert "max_connections" in caught.value.hint


@pytest.mark.parametrize(("says", "told"), [(b"", "says nothing"), (b"HTTP/1.1 400 \r\n", "")])
async def test_another_kind_of_server(says, told):
    async def serve(reader, writer):
        writer.write(says)
        await reader.read()

    async with listening(serve) as port:
        error = await refused(f"mysql://u:{SECRET}@127.0.0.1:{port}/d?connect_timeout=0.3")
    assert type(error) is errors.ConnectError
    assert told in str(error)


async def test_a_server_that_hangs_up_at_once():
    async def serve(reader, writer):
        pass

    async with listening(serve) as port:
        error = await refused(f"mysql://u:{SECRET}@127.0.0.1:{port}/d")
    assert type(error) is errors.ConnectError
    assert "before the login was over" in str(error)


async def test_nobody_accepts():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(0)
        port = held.getsockname()[1]
        error = await refused(f"mysql://u:{SECRET}@127.0.0.1:{port}/d?connect_timeout=0.3")
    assert "says nothing" in str(error) or "did not answer" in str(error)


OPTIONS = {
    "ssl_mode=always": "ssl_mode=always",
    "ssl_ca=/no/such/file": "/no/such/file",
    "sslmode=require": "unknown option in the URL: sslmode",
    "connect_timeout=soon": "connect_timeout=soon",
    "connect_timeout=0": "connect_timeout=0",
    "charset=latin1": "charset=latin1",
    "unix_socket=/s&ssl_mode=REQUIRED": "unix socket",
}


@pytest.mark.parametrize(("option", "told"), OPTIONS.items(), ids=OPTIONS.keys())
def test_wrong_options_of_the_url(option, told):
    with pytest.raises(errors.ConfigError, match=re.escape(told)) as caught:
        arguments(Url.parse(f"mysql://u:{SECRET}@h/d?{option}"), "source")
    assert caught.value.hint
    assert SECRET not in str(caught.value)


def test_a_certificate_that_is_none(tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(errors.ConfigError, match="cannot be used"):
        arguments(Url.parse(f"mysql://u@h/d?ssl_ca={tmp_path}/ca.pem"), "source")


# Lending and taking back.


async def test_a_connection_at_rest_is_lent_again(database):
    async with open_sessions(url_of(database), side="source", limit=1) as sessions:
        seen = set()
        for _ in range(3):
            async with sessions.lend() as connection:
                seen.add(await connection.fetchval("SELECT CONNECTION_ID()"))
    assert len(seen) == 1
    await database.none_left()


@pytest.mark.parametrize("state", ["error", "transaction"])
async def test_a_connection_in_another_state_is_not(database, state):
    async with open_sessions(url_of(database), side="target", limit=1) as sessions:
        try:
            async with sessions.lend() as connection:
                first = connection.thread_id
                await connection.execute(
                    "START TRANSACTION" if state == "transaction" else "SELEKT"
                )
        except errors.TargetError:
            assert state == "error"
        async with sessions.lend() as connection:
            assert connection.thread_id != first
    await database.none_left()


async def test_an_idle_connection_that_was_ended_is_replaced(database):
    async with open_sessions(url_of(database), side="source", limit=1) as sessions:
        async with sessions.lend() as connection:
            first = connection.thread_id
        database.server.execute(f"KILL {first}")
        await asyncio.sleep(0.1)
        async with sessions.lend() as connection:
            assert connection.thread_id != first


@pytest.mark.faults
async def test_a_connection_that_is_ended_at_work_is_lost(database):
    async def end():
        database.server.execute(f"KILL {await database.running('SELECT SLEEP%')}")

    ending = asyncio.create_task(end())
    with pytest.raises(errors.ConnectionLost) as caught:
        async with lent(database.url) as connection:
            await connection.fetch("SELECT SLEEP(20)")
    await ending
    assert caught.value.retryable


WORK = {
    "sleep": "SELECT SLEEP(20)",
    "count": "SELECT count(*) FROM {d} AS a, {d} AS b, {d} AS c, {d} AS d, {d} AS e",
}
DIGITS = "(SELECT 1 AS n" + "".join(f" UNION ALL SELECT {n}" for n in range(2, 101)) + ")"


@pytest.mark.faults
@pytest.mark.parametrize("way", ["url", "pool"])
@pytest.mark.parametrize("work", WORK)
async def test_a_cancelled_statement_does_not_run_on(database, work, way):
    async def run(endpoint):
        async with lent(endpoint) as connection:
            await connection.fetch(WORK[work].format(d=DIGITS))

    async with endpoint_of(database, way) as endpoint:
        task = asyncio.create_task(run(endpoint))
        await database.running("SELECT%")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await database.none_left()


@pytest.mark.faults
async def test_a_cancelled_catalog_is_told_as_cancelled(database):
    """And not by the error of what is then said to a connection that is closed already."""
    database.execute("CREATE TABLE t (n int)")
    name = QualifiedName(database.name, "t")
    for steps in range(1, 12):
        with suppress(errors.ConnectionLost):
            async with lent(database.url) as connection:
                task = asyncio.create_task(create_texts(connection, [name]))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled() or task.exception() is None


# The caller's pool.


@asynccontextmanager
async def endpoint_of(database, way):
    url = url_of(database)
    if way == "url":
        yield url
        return
    own = {"host": url.host, "port": url.port, "user": url.user, "db": url.database}
    password = url.password.reveal()
    async with aiomysql.create_pool(password=password, maxsize=3, minsize=0, **own) as pool:
        yield pool


async def test_a_callers_pool_gets_its_connections_back_as_they_were(database):
    state = "SELECT @@time_zone, @@sql_mode, @@autocommit, @@lock_wait_timeout, CONNECTION_ID()"

    async def ask(pool):
        async with pool.acquire() as raw, raw.cursor() as cursor:
            await cursor.execute(state)
            return await cursor.fetchone()

    async with endpoint_of(database, "pool") as pool:
        before = await ask(pool)
        async with lent(pool, "target") as connection:
            assert (await connection.fetchrow(state))[:4] != before[:4]
            assert connection.thread_id == before[4]
        assert await ask(pool) == before
        pool.terminate()
        await pool.wait_closed()
    await database.none_left()


# What the server refuses.

REFUSALS = {
    "INSERT INTO t VALUES (1, 'x')": (errors.ConstraintError, 1062, None),
    "INSERT INTO t VALUES (2, NULL)": (errors.ConstraintError, 1048, "s"),
    "INSERT INTO t VALUES (2, 'xxxxxx')": (errors.EncodeError, 1406, "s"),
    "INSERT INTO t VALUES (3000000000, 'x')": (errors.EncodeError, 1264, "id"),
    "INSERT INTO t VALUES ('x', 'x')": (errors.EncodeError, 1366, "id"),
    "INSERT INTO u VALUES (5)": (errors.ConstraintError, 1452, None),
    "DELETE FROM t": (errors.ConstraintError, 1451, None),
    "SELECT * FROM nothing": (errors.TargetError, 1146, None),
    "SELEKT": (errors.TargetError, 1064, None),
}


@pytest.mark.parametrize(("sql", "told"), REFUSALS.items(), ids=REFUSALS.keys())
async def test_refusals(database, sql, told):
    database.execute(
        """CREATE TABLE t (id int PRIMARY KEY, s varchar(3) NOT NULL);
        CREATE TABLE u (id int REFERENCES t, FOREIGN KEY (id) REFERENCES t (id));
        INSERT INTO t VALUES (1, 'x'); INSERT INTO u VALUES (1)"""
    )
    kind, number, column = told
    with pytest.raises(errors.FastloadError, match=str(number)) as caught:
        async with lent(database.url, "target") as connection:
            await connection.execute(sql)
    assert type(caught.value) is kind
    assert caught.value.column == column
    assert not caught.value.retryable


async def test_a_right_that_is_missing(database):
    database.execute(
        f"""CREATE TABLE t (i int); CREATE USER nobody@'%' IDENTIFIED BY '{SECRET}';
        GRANT SELECT ON {database.name}.t TO nobody@'%'"""
    )
    url = replace(Url.parse(database.url), user="nobody", password=Secret(SECRET))
    try:
        with pytest.raises(errors.TargetError) as caught:
            async with lent(url, "target") as connection:
                await connection.execute("INSERT INTO t VALUES (1)")
    finally:
        database.execute("DROP USER nobody@'%'")
    assert "GRANT" in caught.value.hint


@pytest.mark.parametrize("way", ["wait", "deadlock"])
async def test_locks_are_worth_another_attempt(database, way):
    database.execute("CREATE TABLE t (i int PRIMARY KEY, n int); INSERT INTO t VALUES (1,0), (2,0)")
    update = "UPDATE t SET n = n + 1 WHERE i = %s"
    caught = []

    async def take(connection, own, others, ready, go):
        try:
            await connection.execute("SET innodb_lock_wait_timeout = 1")
            await connection.execute("START TRANSACTION")
            await connection.execute(update, [own])
            ready.set()
            await go.wait()
            if way == "deadlock" or own == 1:
                await connection.execute(update, [others])
        except errors.TargetError as error:
            caught.append(error)

    first, second = asyncio.Event(), asyncio.Event()
    async with (
        lent(database.url, "target") as one,
        lent(database.url, "target") as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(take, one, 1, 2, first, second)
        group.start_soon(take, two, 2, 1, second, first)
    (error,) = caught
    assert error.retryable
    assert "lock" in error.hint


@pytest.mark.faults
async def test_a_connection_that_has_ended_by_the_time_it_is_there_is_lost(database, monkeypatch):
    """Its socket takes no options any more."""
    login = ServerConnection.login

    async def login_and_end(self):
        await login(self)
        self._writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = self._writer.get_extra_info("socket")
        with pytest.raises(OSError, match="Bad file"):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    monkeypatch.setattr(ServerConnection, "login", login_and_end)
    url = Url.parse(f"{database.url}?ssl_mode=DISABLED")
    async with open_sessions(url, side="source", limit=1) as sessions:
        with pytest.raises(errors.ConnectionLost):
            await sessions.acquire()
    await database.none_left()
