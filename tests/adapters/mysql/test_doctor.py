"""What doctor finds: granting what it prints ends a finding, and a copy then works."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pyarrow as pa
import pytest
from fastload_mysql.rights import parse

import fastload
from fastload.model import Finding
from fastload.registry import open_source, open_target
from fastload.testing.mysql_servers import MysqlServer
from fastload.url import Url

USER = "o'brien"
PASSWORD = "hunter2secret"
ACCOUNT = "'o''brien'@'%'"
SETTINGS = {
    "local_infile": "OFF",
    "binlog_row_metadata": "MINIMAL",
    "max_user_connections": "5",
    "lower_case_table_names": "1",
    "max_allowed_packet": str(1 << 20),
    "character_set_server": "latin1",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "2",
}


@pytest.fixture
def user(server) -> Iterator[str]:
    """A user who may only log in."""
    server.execute(f"CREATE USER {ACCOUNT} IDENTIFIED BY '{PASSWORD}'")
    yield ACCOUNT
    server.execute(f"DROP USER {ACCOUNT}")


def url_of(server: MysqlServer, database: str = "") -> str:
    return f"{server.flavour}://{quote(USER)}:{PASSWORD}@127.0.0.1:{server.port}/{database}"


async def examined(side: str, url: str) -> dict[str, Finding]:
    opening = open_source if side == "source" else open_target
    async with opening(Url.parse(url), connections=1) as opened:
        return {found.subject: found for found in await opened.examine()}


def grant(server: MysqlServer, finding: Finding) -> None:
    """Run exactly what the finding says."""
    assert finding.hint
    assert finding.hint.startswith("GRANT ")
    server.execute(finding.hint)


async def test_granting_what_is_printed_mends_a_source(server, database, user):
    # A right over what is not meant: the database's name is no pattern.
    server.execute(f"GRANT TRIGGER ON `{database.name.replace('_', 'x')}`.* TO {user}")
    database.execute(
        "CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 2);"
        "CREATE PROCEDURE p() SELECT 1;"
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 3;"
        f"GRANT SELECT (a) ON {database.name}.t TO {user}"
    )
    url = url_of(server, database.name)
    found = await examined("source", url)
    assert found["rights"].level == "bad"
    grants = [f for f in found.values() if f.hint and f.hint.startswith("GRANT")]
    subjects = {"rights", "one moment", "rights to see", "rights to the log"}
    assert {f.subject for f in grants} == subjects
    for finding in grants:
        grant(server, finding)
    found = await examined("source", url)
    assert {s: f.level for s, f in found.items() if s in subjects} == {
        "rights": "ok",
        "one moment": "ok",
    }
    async with open_source(Url.parse(url), connections=1) as opened:
        async with fastload.read(url, "t") as reading:
            table = await reading.table()
        left = (await opened.catalog(fastload.adapter.Selection())).not_carried
    assert table.to_pylist() == [{"a": 1, "b": 2}]
    assert {"trigger", "procedure"} <= {n.kind for n in left}


async def test_a_source_of_single_tables(server, database, user):
    database.execute(
        "CREATE TABLE t (a int); CREATE TABLE u (a int);"
        f"GRANT SELECT ON {database.name}.t TO {user}"
    )
    rights = (await examined("source", url_of(server, database.name)))["rights"]
    assert rights.level == "warn"
    assert f"{database.name}.t" in rights.text
    assert ".u" not in rights.text
    grant(server, rights)
    assert (await examined("source", url_of(server, database.name)))["rights"].level == "ok"


async def test_locks_of_tables_will_do(server, database, user):
    server.execute(f"GRANT SELECT, LOCK TABLES ON `{database.name}`.* TO {user}")
    database.execute("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    url = url_of(server, database.name)
    assert (await examined("source", url))["one moment"].level == "ok"
    with server.database(f"{database.name}_there") as target:
        assert (await fastload.copy(url, target)).consistent


async def test_granting_what_is_printed_mends_a_target(server, database, user):
    with server.database(f"{database.name}_there") as whole:
        name = whole.rsplit("/", 1)[1]
        server.execute(f"GRANT SELECT ON `{name}`.* TO {user}")
        url = url_of(server, name)
        found = await examined("target", url)
        assert found["rights"].level == "bad"
        for finding in [f for f in found.values() if f.hint and f.hint.startswith("GRANT")]:
            grant(server, finding)
        found = await examined("target", url)
        assert found["rights"].level == "ok"
        assert "rights to see" not in found
        database.execute(
            "CREATE TABLE p (a int PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
            "CREATE TABLE t (a int PRIMARY KEY AUTO_INCREMENT, p int, KEY (p),"
            "FOREIGN KEY (p) REFERENCES p (a)); INSERT INTO t VALUES (1, 1), (7, 2)"
        )
        for mode in ("create", "append", "truncate", "replace", "upsert"):
            if mode == "append":
                server.execute("DELETE FROM t; DELETE FROM p", name)
            result = await fastload.copy(database.url, url, mode=mode)
            assert result.rows == 4


SHOP = (
    "CREATE TABLE p (a int PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
    "CREATE TABLE t (a int PRIMARY KEY AUTO_INCREMENT, p int, KEY (p),"
    "FOREIGN KEY (p) REFERENCES p (a)); INSERT INTO t VALUES (1, 1), (7, 2)"
)


def rights_in(hint: str) -> list[str]:
    return hint.removeprefix("GRANT ").split(" ON ")[0].split(", ")


async def first_error(source: str, target: str) -> fastload.FastloadError | None:
    for mode in ("replace", "truncate", "upsert"):
        try:
            await fastload.copy(source, target, mode=mode, fresh=True)
        except fastload.FastloadError as error:
            return error
    return None


async def test_a_target_with_one_right_fewer_says_which(server, database, user):
    """What is printed is enough, and all of it is needed by one mode or another."""
    database.execute(SHOP)
    with server.database(f"{database.name}_there") as whole:
        name = whole.rsplit("/", 1)[1]
        # Without any right over it, nobody gets into a database.
        server.execute(f"GRANT SHOW VIEW ON `{name}`.* TO {user}")
        url = url_of(server, name)
        hint = (await examined("target", url))["rights"].hint
        assert hint
        server.execute(hint)
        over = hint.split(" ON ")[1].split(".*")[0]
        spare = set()
        for right in set(rights_in(hint)) - {"SHOW VIEW"}:
            server.execute(f"REVOKE {right} ON {over}.* FROM {user}")
            assert (await examined("target", url))["rights"].hint.startswith(f"GRANT {right}")
            told = await first_error(database.url, url)
            if told is None:
                spare.add(right)
            else:
                assert told.hint, right
            server.execute(f"GRANT {right} ON {over}.* TO {user}")
        assert spare == set()
        await fastload.copy(database.url, url, mode="replace", fresh=True)


async def test_a_source_without_the_right_names_the_statement_that_gives_it(server, database, user):
    database.execute(SHOP + f"; GRANT SELECT (a) ON {database.name}.p TO {user}")
    url = url_of(server, database.name)
    with server.database(f"{database.name}_there") as target:
        with pytest.raises(fastload.SourceError) as caught:
            await fastload.copy(url, target)
        statement = caught.value.hint.removeprefix("as an administrator: ").split(";")[0]
        server.execute(statement)
        assert (await fastload.copy(url, target, tables=["p"])).rows == 2


async def test_rights_by_a_role(server, database, user):
    server.execute(f"CREATE ROLE reader; GRANT SELECT ON `{database.name}`.* TO reader")
    server.execute(f"GRANT reader TO {user}")
    by = "FOR" if server.flavour == "mariadb" else "TO"
    server.execute(f"SET DEFAULT ROLE reader {by} {user}")
    database.execute("CREATE TABLE t (a int)")
    try:
        found = await examined("source", url_of(server, database.name))
    finally:
        server.execute("DROP ROLE reader")
    assert found["rights"].level == "ok"


async def test_who_may_everything_has_nothing_to_grant(database):
    for side in ("source", "target"):
        found = await examined(side, database.url)
        assert not [f for f in found.values() if f.level == "bad"]
        assert not [f for f in found.values() if f.hint and f.hint.startswith("GRANT")]
        assert "this machine" in found["clock"].text


async def test_tables_without_transactions_are_named(database):
    database.execute("CREATE TABLE good (a int); CREATE TABLE old (a int) ENGINE = MyISAM")
    for side in ("source", "target"):
        found = (await examined(side, database.url))["engines"]
        assert "old (MyISAM)" in found.text
        assert "good" not in found.text


async def test_settings_in_the_way(server):
    options = dict(SETTINGS)
    if server.flavour == "mysql":
        options["sql_require_primary_key"] = "ON"
        options["gtid_mode"] = "OFF"
        options["enforce_gtid_consistency"] = "OFF"
    with MysqlServer.start(server.flavour, options=options) as strange:
        strange.create_database("shop")
        strange.execute(f"CREATE USER {ACCOUNT} IDENTIFIED BY '{PASSWORD}'")
        strange.execute(f"GRANT ALL ON shop.* TO {ACCOUNT}")
        source = await examined("source", strange.url_for("shop"))
        target = await examined("target", strange.url_for("shop"))
        restricted = await examined("target", url_of(strange, "shop"))
        strange.execute("SET GLOBAL read_only = ON")
        closed = await examined("target", url_of(strange, "shop"))
        strange.execute(restricted["durability"].hint)
        durable = await examined("source", url_of(strange, "shop"))
    assert source["connections"].level == "warn"
    assert "binlog_row_metadata = MINIMAL" in source["binary log"].text
    assert source["names"].level == source["packets"].level == "warn"
    assert target["local_infile"].level == "warn"
    assert target["characters"].level == "warn"
    assert target["durability"].level == "ok"
    assert restricted["durability"].level == "warn"
    assert closed["read_only"].level == "bad"
    assert durable["one moment"].level == "ok"
    if server.flavour == "mysql":
        assert target["sql_require_primary_key"].level == "bad"
        assert "gtid_mode = OFF" in source["binary log"].text


def test_rights_are_read_as_the_server_writes_them():
    rights = parse(
        "'u'@'%'",
        [
            "GRANT `r`@`%` TO `u`@`%`",
            "GRANT SELECT, RELOAD ON *.* TO `u`@`%` WITH GRANT OPTION",
            "REVOKE SELECT ON `secret`.* FROM `u`@`%`",
            "GRANT ALL PRIVILEGES ON `a\\_b`.* TO `u`@`%`",
            "GRANT INSERT ON `x%`.* TO `u`@`%`",
            "GRANT SELECT (`a`, `b`), INSERT (`a`), UPDATE ON `q``q`.`t` TO `u`@`%`",
        ],
    )
    assert rights.may("SELECT", "any")
    assert not rights.may("SELECT", "secret")
    assert rights.may("DROP", "a_b")
    assert not rights.may("DROP", "axb")
    assert rights.may("INSERT", "xyz")
    assert not rights.may("INSERT", "yxz")
    assert rights.tables == {("q`q", "t"): frozenset({"UPDATE"})}
    assert rights.grant(["DROP"], "a_b%") == "GRANT DROP ON `a\\_b\\%`.* TO 'u'@'%'"


async def test_a_copy_tells_that_tables_may_be_unseen(server, database, user):
    """Of what the user has no right on, no name is known."""
    database.execute(
        "CREATE TABLE t (a int); CREATE TABLE u (a int); INSERT INTO t VALUES (1);"
        f"GRANT SELECT ON {database.name}.t TO {user}"
    )
    url = url_of(server, database.name)
    with server.database(f"{database.name}_there") as there:
        told = (await fastload.plan(url, there)).notes
        assert any("only tables granted one by one are seen" in n for n in told)
        assert set(told) <= set((await fastload.copy(url, there)).notes)
        # What is asked for by name was seen.
        server.execute(f"GRANT SELECT ON `{database.name}`.* TO {user}")
        told = (await fastload.plan(url, there, mode="replace")).notes
        assert not any("one by one" in n for n in told)


@pytest.mark.parametrize("mode", ["create", "write"])
async def test_rights_are_asked_before_anything_is_made(server, database, user, mode):
    database.execute(
        "CREATE TABLE t (a int PRIMARY KEY, KEY (a)); INSERT INTO t VALUES (1), (2), (3)"
    )

    async def start(url):
        if mode == "create":
            return await fastload.copy(database.url, url)
        return await fastload.write(pa.table({"a": [1, 2, 3]}), url, "fastload_rights.t")

    with server.database("fastload_rights"):
        server.execute(f"GRANT SELECT, INSERT, CREATE ON `fastload\\_rights`.* TO {user}")
        url = url_of(server, "fastload_rights")
        with pytest.raises(fastload.TargetError, match="DROP") as caught:
            await start(url)
        assert server.execute("SHOW TABLES", "fastload_rights") == []
        assert caught.value.hint.startswith("GRANT ")
        server.execute(caught.value.hint)
        assert (await start(url)).rows == 3
        assert [name for (name,) in server.execute("SHOW TABLES", "fastload_rights")] == ["t"]
