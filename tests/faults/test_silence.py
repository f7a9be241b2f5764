"""Servers that fall silent while their sockets stay open, and servers that only take their time."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress

import anyio
import pytest

import fastload
from fastload import partition, watching
from fastload.copier import Copier
from fastload.errors import ConnectionLost
from fastload.registry import open_source, open_target
from fastload.socket_facts import facts_of
from fastload.testing.faults import Fault, proxy
from fastload.testing.links import hear_nothing
from fastload.url import Url
from tests.faults.loads import through

ROWS, PARTS = 8000, 4
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v varchar(40), filler text)"
FILL = "INSERT INTO t SELECT n, concat('v', n), repeat('x', 400) FROM {}"
SAME = "SELECT id, v, length(filler) FROM t"
PAIRS = [("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto")]
pytestmark = pytest.mark.faults
few_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
both_ends = pytest.mark.parametrize("end", ["source", "target"])
# Into the rows of a lane: past what is said before them.
IN_ROWS = 300_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for name, value_s in {"QUIET_S": 0.4, "ANSWER_S": 0.4, "UNHEARD_S": 0.8, "LOOK_S": 0.1}.items():
        monkeypatch.setattr(watching, name, value_s)


@pytest.fixture
def filled(pair, monkeypatch):
    monkeypatch.setattr(partition, "wanted", lambda *sizes: PARTS)
    pair.source.run(f"{TABLE}; {FILL.format(pair.source.numbers(ROWS))}")
    pair.source.analyse("t")
    return pair


@pytest.fixture
def given_up(monkeypatch):
    """How often a connection was given up."""
    counted: Counter[str] = Counter()
    give_up = watching.Watch._give_up

    def counting(self, connection):
        counted[self._driver.side] += 1
        give_up(self, connection)

    monkeypatch.setattr(watching.Watch, "_give_up", counting)
    return counted


def urls(pair, end, port):
    side = pair.source if end == "source" else pair.target
    return {"source": pair.source.url, "target": pair.target.url, end: through(side, port)}


@few_pairs
@both_ends
async def test_a_server_that_falls_silent_is_noticed_and_the_copy_goes_on(
    filled, end, given_up, monkeypatch
):
    """What the client sends is acknowledged by the proxy, and goes nowhere."""
    side = filled.source if end == "source" else filled.target
    once, begun = Copier._once, Counter()

    async def silencing(self, table, part, *rest):
        begun[part.index] += 1
        if sum(begun.values()) == 2:
            between.silent = True
        return await once(self, table, part, *rest)

    monkeypatch.setattr(Copier, "_once", silencing)

    async def speak_again():
        while not given_up[end]:
            await asyncio.sleep(0.01)
        between.silent = False

    async with proxy(side.port) as between:
        both = urls(filled, end, between.port).values()
        speaking = asyncio.create_task(speak_again())
        with anyio.fail_after(30):
            result = await fastload.copy(*both, parallel=1, route=filled.route, partition_by="keys")
            await speaking
    assert result.rows == ROWS
    assert sum(begun.values()) > PARTS
    await filled.same(SAME)


@few_pairs
async def test_one_connection_on_which_rows_get_lost_is_replaced(filled, given_up, monkeypatch):
    """No packet comes through, nor an acknowledgement of one; new connections do.

    Keepalives notice it where nothing is under way: of fewer rows, buffers would take all.
    """
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 1)
    filled.source.run("UPDATE t SET filler = repeat('x', 3000)")
    async with proxy(filled.target.port) as between:
        between.faults = [Fault("vanish", "server", IN_ROWS)]
        with anyio.fail_after(30):
            result = await fastload.copy(
                *urls(filled, "target", between.port).values(), parallel=1, route=filled.route
            )
        assert between.struck == 1
    assert given_up["target"] >= 1
    assert result.rows == ROWS
    await filled.same(SAME)


SLOW = {
    True: "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW "
    "IF NEW.id = 7 THEN DO SLEEP(2); END IF",
    False: "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN PERFORM pg_sleep(2); RETURN NEW; END$$; CREATE TRIGGER slow BEFORE INSERT ON t "
    "FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION slow()",
}


@few_pairs
async def test_a_server_that_takes_its_time_is_waited_for(filled, given_up, monkeypatch):
    """Nothing moves, neither here nor at the source, whose reader waits for the target."""
    asked = Counter()
    answers = watching.Watch._answers

    async def counting(self):
        asked[self._driver.side] += 1
        return await answers(self)

    monkeypatch.setattr(watching.Watch, "_answers", counting)
    filled.target.run(f"{TABLE};")
    filled.target.run(SLOW[not filled.target.url.startswith("postgres")])
    with anyio.fail_after(30):
        result = await fastload.copy(
            filled.source.url, filled.target.url, mode="append", triggers="fire", parallel=1
        )
    assert asked["target"] >= 2
    assert given_up == {}
    assert result.rows == ROWS
    await filled.same(SAME)


@few_pairs
async def test_a_slow_service_of_passwords_is_not_a_silent_server(filled, given_up, monkeypatch):
    """The login by which a server is asked waits for a password that does not come in time."""
    answers, asking = watching.Watch._answers, Counter()
    url = Url.parse(filled.target.url)
    plain = await url.password.fetch()

    async def asked(self):
        asking[self._driver.side] += 1
        return await answers(self)

    async def bring():
        if asking["target"]:
            await asyncio.sleep(2 * watching.ANSWER_S)
        return plain

    monkeypatch.setattr(watching.Watch, "_answers", asked)
    filled.target.run(f"{TABLE};")
    filled.target.run(SLOW[not filled.target.url.startswith("postgres")])
    with anyio.fail_after(30):
        result = await fastload.copy(
            filled.source.url,
            url.with_password(bring),
            mode="append",
            triggers="fire",
            parallel=1,
        )
    assert asking["target"]
    assert given_up == {}
    assert result.rows == ROWS


@pytest.mark.parametrize("kind", ["postgres16", "mariadb", "mysql"])
async def test_sockets_notice_that_the_other_end_is_gone(kind, request):
    """Where rows are sent, a server that reads none for a while is not gone."""
    url = fastload.Url.parse(request.getfixturevalue(kind).url)
    for end, opened in (("source", open_source), ("target", open_target)):
        async with (
            opened(url, connections=1) as side,
            side._sessions.lend() as connection,
        ):
            found = side._sessions._driver.socket(connection)
            assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            times = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
            idle_s, interval_s, count = (found.getsockopt(socket.IPPROTO_TCP, t) for t in times)
            assert idle_s + interval_s * count <= 30
            user_timeout = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert user_timeout == (25_000 if end == "source" else 0)
            if kind == "postgres16":
                there = await connection.fetchval("SHOW tcp_user_timeout")
                assert there == ("0" if end == "source" else "30000")


def sessions_of(url):
    from fastload_mysql import driver
    from fastload_postgres import connection

    return connection.open_sessions if url.startswith("postgres") else driver.open_sessions


@few_pairs
async def test_who_watches_goes_on_whatever_a_login_raises(pair, given_up, monkeypatch):
    """As where this process may open no more files for a while."""
    refused = []
    async with proxy(pair.target.port) as between:
        url = through(pair.target, between.port)
        made = sessions_of(url)(fastload.Url.parse(url), side="target", limit=1)
        async with made as sessions:
            open_ = sessions._driver.open

            async def refuse_one(endpoint):
                if not refused:
                    refused.append(endpoint)
                    raise OSError("too many open files")
                return await open_(endpoint)

            async def ask():
                async with sessions.lend() as connection:
                    monkeypatch.setattr(sessions._driver, "open", refuse_one)
                    between.silent = True
                    await connection.execute("SELECT 1")

            with anyio.fail_after(20), pytest.raises(ConnectionLost, match="fallen silent"):
                await ask()
    assert len(refused) == 1
    assert given_up == {"target": 1}


async def test_an_end_that_had_no_room_and_is_gone_is_missed():
    """Nothing is under way to it, and no keepalive asks about it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        here = socket.create_connection(listening.getsockname())
        there, _ = listening.accept()
    with here, there:
        here.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                here.send(bytes(1 << 20))
        with anyio.fail_after(20):
            while facts_of(here).unheard_s:  # until all that has room there is acknowledged
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)  # it answers that it has none
            assert facts_of(here).unheard_s == 0
            hear_nothing(there)
            while not facts_of(here).unheard_s:
                await asyncio.sleep(0.05)
