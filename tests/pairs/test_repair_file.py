"""The file of statements is run by each database's own client, and both sides are then equal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import fastload
from fastload.testing.mysql_servers import USER
from fastload.testing.servers import GivenServer
from tests.conftest import Database, MysqlDatabase
from tests.pairs.test_verify import MYSQL_TABLE, PG_TABLE, POINT, SPECIAL

HOSTILE = 'a"b`; DROP TABLE canary; -- \n\\! touch\\'
NASTY = "it''s \\ \\' \" ` ; -- \n\t\r\n\\! x \\q %s %L :x :'y' $1 $$ ä 😀 \u202e \u200b \x01"
ON_POSTGRES = """
DELETE FROM t WHERE id IN (1, 400); INSERT INTO t (id, label) VALUES (1001, 'x'), (-5, NULL);
UPDATE t SET double = 'NaN', single = '-0', label = NULL, raw = '' WHERE id = 7;
UPDATE t SET amount = 0, document = '{"a": "1"}', number_of = NULL, letters = 'x' WHERE id = 8;
UPDATE t SET moment = 'infinity', at = NULL, day = '0044-03-15 BC', clock = '24:00' WHERE id = 9"""
ON_MYSQL = """
DELETE FROM t WHERE id IN (1, 400); INSERT INTO t (id, label) VALUES (1001, 'x'), (-5, NULL);
UPDATE t SET `double` = 0, single = 2, label = NULL, raw = '' WHERE id = 7;
UPDATE t SET amount = 0, document = '{"a": "1"}', letters = 'x', flag = NULL WHERE id = 8;
UPDATE t SET moment = NULL, at = NULL, day = '1000-01-01', clock = '00:00' WHERE id = 9"""


def psql(database: Database, file: Path) -> None:
    """Run the file as a user would, by psql."""
    program = (
        "psql" if isinstance(database.server, GivenServer) else database.server.program("psql")
    )
    done = subprocess.run(
        [program, "-X", "-v", "ON_ERROR_STOP=1", "-f", file, database.url],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def client(database: MysqlDatabase, file: Path) -> None:
    """Run the file as a user would, by the server's own client."""
    server, name = database.server, database.name
    program = server.program("mariadb" if server.flavour == "mariadb" else "mysql")
    options = ["--no-defaults", f"--socket={server.socket}", f"--user={USER}", f"--database={name}"]
    with file.open("rb") as statements:
        done = subprocess.run(
            [*program, *options, "--default-character-set=utf8mb4"],
            stdin=statements,
            env={**os.environ, "MYSQL_PWD": server.password},
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()


async def mended_by_file(source, target, run, folder: Path, differences: int, **options) -> str:
    """Compare, run the file that comes of it, and compare again; return the file."""
    found = await fastload.verify(source, target, report=folder, **options)
    assert len(found.differences) == differences, str(found)
    run(folder / "repair.sql")
    again = await fastload.verify(source, target, **options)
    assert again.equal, str(again)
    return (folder / "repair.sql").read_text(encoding="utf-8")


@pytest.mark.postgres
async def test_on_postgres(source, target, tmp_path):
    source.psql(PG_TABLE)
    source.psql(
        f"UPDATE t SET label = {_pg(NASTY)}, document = to_json({_pg(NASTY)}::text), "
        "double = 'NaN', moment = '-infinity', free = 'NaN', clock = '24:00', "
        "day = '4713-01-01 BC' WHERE id = 7; "
        "UPDATE t SET single = 1.1754944e-38, double = 5e-324, amount = -0.01 WHERE id = 8;"
    )
    await fastload.copy(source.url, target.url)
    target.psql(ON_POSTGRES)
    text = await mended_by_file(source.url, target.url, lambda f: psql(target, f), tmp_path, 7)
    assert text.count("\nDELETE") == 2
    assert text.count("\nUPDATE") == 3
    assert text.count("\nINSERT") == 2
    assert "NOT HERE" not in text


@pytest.mark.mysql
async def test_on_the_mysql_family(source, database, tmp_path):
    source.psql(PG_TABLE.replace("free numeric,", "free numeric(12,3),"))
    source.psql(
        f"UPDATE t SET label = {_pg(NASTY)}, document = to_json({_pg(NASTY)}::text),"
        " raw = '\\x00275c0a0d1aff' WHERE id = 7;"
        "UPDATE t SET single = 1.1754944e-38, double = 5e-324, amount = -0.01 WHERE id = 8;"
    )
    await fastload.copy(source.url, database.url)
    database.execute(ON_MYSQL)
    await mended_by_file(source.url, database.url, lambda f: client(database, f), tmp_path, 7)


@pytest.mark.mysql
async def test_within_the_mysql_family(database, mariadb, tmp_path):
    database.execute(MYSQL_TABLE)
    with mariadb.database("mended"):
        there = MysqlDatabase(mariadb, "mended")
        await fastload.copy(database.url, there.url)
        there.execute(ON_MYSQL + "; UPDATE t SET bits = 5, kind = 'one' WHERE id = 11")
        await mended_by_file(database.url, there.url, lambda f: client(there, f), tmp_path, 8)


@pytest.mark.mysql
async def test_a_column_that_every_update_sets_keeps_its_value(database, server, tmp_path):
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9), at timestamp NULL ON UPDATE "
        "CURRENT_TIMESTAMP); INSERT INTO t VALUES (1, 'one', '2001-02-03 04:05:06')"
    )
    with server.database("dated"):
        there = MysqlDatabase(server, "dated")
        await fastload.copy(database.url, there.url)
        there.execute("UPDATE t SET v = 'two', at = at")
        text = await mended_by_file(
            database.url, there.url, lambda f: client(there, f), tmp_path, 1
        )
        assert "`at` = `at`" in text
        assert list(there.execute("SELECT v, YEAR(at) FROM t")) == [("one", 2001)]


@pytest.mark.postgres
async def test_rows_that_refer_to_rows_that_come_with_them(source, target, tmp_path):
    """A row of the child is changed to refer to a row of the parent that is not there yet."""
    source.psql(
        "CREATE TABLE z_parent (id int PRIMARY KEY); INSERT INTO z_parent VALUES (1), (2); "
        "CREATE TABLE a_child (id int PRIMARY KEY, p int REFERENCES z_parent); "
        "INSERT INTO a_child VALUES (10, 1), (11, 2)"
    )
    await fastload.copy(source.url, target.url)
    target.psql("UPDATE a_child SET p = 1; DELETE FROM z_parent WHERE id = 2")
    await mended_by_file(source.url, target.url, lambda f: psql(target, f), tmp_path, 2)


async def test_every_type_of_postgres_has_its_literals(source, target, tmp_path):
    source.psql(f"{POINT}; {SPECIAL}")
    target.psql(f"CREATE TYPE other AS ENUM (); {POINT}")
    await fastload.copy(source.url, target.url)
    target.psql(
        "DELETE FROM special WHERE id = 'a'; UPDATE special SET at = NULL, day = NULL, "
        "clock = NULL, zoned = NULL, free = NULL, feeling = NULL, feelings = NULL, numbers = NULL, "
        "place = NULL, span = NULL, passing = NULL, money = NULL, bits = NULL, net = NULL, "
        "doc = NULL, words = NULL, filled = NULL WHERE id = 'B'; INSERT INTO special VALUES ('x')"
    )
    await mended_by_file(source.url, target.url, lambda f: psql(target, f), tmp_path, 3)


@pytest.mark.mysql
async def test_keys_of_the_mysql_family_are_found_by_their_literals(server, database, tmp_path):
    """Bits are compared as numbers, bytes and uuids as bytes; of a FLOAT no literal is equal."""
    own = "u uuid, i inet6" if server.flavour == "mariadb" else "u binary(16), i varbinary(16)"
    types = "b bit(40), y varbinary(9), s varchar(9) COLLATE utf8mb4_general_ci, d datetime(6)"
    keys = [f"{t.split()[0]}" for t in f"{types}, {own}".split(", ")]
    there = f"{database.name}_there"
    with server.database(there):
        target = MysqlDatabase(server, there)
        one, two = IDS[server.flavour]
        for key in keys:
            database.execute(
                f"CREATE TABLE by_{key} (n int, {types}, {own}, PRIMARY KEY ({key})); "
                f"INSERT INTO by_{key} VALUES (1, 9, x'0027', 'a', '2020-01-01', {one}), "
                f"(2, 39321, x'5c', 'B''\\\\', '2021-01-01 01:02:03.000004', {two})"
            )
        database.execute("CREATE TABLE by_float (k float PRIMARY KEY, n int)")
        database.execute("INSERT INTO by_float VALUES (1.1, 1), (2.5, 2)")
        await fastload.copy(database.url, target.url)
        for key in keys:
            target.execute(f"DELETE FROM by_{key} WHERE n = 2; UPDATE by_{key} SET n = 3")
        await mended_by_file(
            database.url, target.url, lambda f: client(target, f), tmp_path, 2 * len(keys)
        )
        target.execute("UPDATE by_float SET n = 3 WHERE n = 1; DELETE FROM by_float WHERE n = 2")
        await fastload.verify(database.url, target.url, report=tmp_path)
        text = (tmp_path / "repair.sql").read_text()
    assert "NOT HERE: update of 1 row of" in text
    assert "INSERT" in text


IDS = {
    "mariadb": ("UUID(), '::1'", "'00112233-4455-6677-8899-aabbccddeeff', 'fe80::ff'"),
    "mysql": ("x'00112233445566778899aabbccddeeff', x'00'", "x'ff', x'275c'"),
}


@pytest.mark.mysql
async def test_hostile_names(source, target, database, tmp_path):
    """Names with quotes, line breaks and comments stay names; a canary survives."""
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    source.psql(
        f'CREATE TABLE {quoted} ({quoted} int PRIMARY KEY, "%s" text); '
        f"INSERT INTO {quoted} VALUES (1, 'a'), (2, 'b'); CREATE TABLE canary (a int); "
        'CREATE TABLE "no\n\\! key" (a int); INSERT INTO "no\n\\! key" VALUES (1)'
    )
    await fastload.copy(source.url, target.url)
    change = "UPDATE {0} SET {1} = 'c' WHERE {0} = 1; DELETE FROM {0} WHERE {0} = 2"
    target.psql(change.format(quoted, '"%s"') + '; DELETE FROM "no\n\\! key"')
    found = await fastload.verify(source.url, target.url, report=tmp_path / "pg")
    assert len(found.differences) == 3
    psql(target, tmp_path / "pg" / "repair.sql")
    kept = [tmp_path / "pg", *(tmp_path / "pg").iterdir()]
    assert {p.name: p.stat().st_mode & 0o077 for p in kept} == {p.name: 0 for p in kept}
    left = await fastload.verify(source.url, target.url)
    assert [d.table for d in left.differences] == [r'public."no\n\\! key"']
    assert (
        r'NOT HERE: public."no\n\\! key": rows of' in (tmp_path / "pg" / "repair.sql").read_text()
    )
    await fastload.copy(source.url, database.url)
    assert target.psql("SELECT count(*) FROM canary") == "0"
    ticked = "`" + HOSTILE.replace("`", "``") + "`"
    database.execute(change.format(ticked, "`%s`"))
    await mended_by_file(source.url, database.url, lambda f: client(database, f), tmp_path, 2)
    assert database.execute("SHOW TABLES LIKE 'canary'")


async def test_references_new_names_and_what_is_too_long(source, target, tmp_path):
    source.psql(
        "CREATE TABLE parent (id int PRIMARY KEY, big bytea); INSERT INTO parent VALUES "
        "(1, NULL), (2, decode(repeat('00ff', 400000), 'hex')); "
        "CREATE TABLE child (id int PRIMARY KEY, of_parent int REFERENCES parent); "
        "INSERT INTO child VALUES (1, 1), (2, 1)"
    )
    options = {"rename": {"public.child": "public.a_child", "public.child.of_parent": "of"}}
    await fastload.copy(source.url, target.url, **options)
    target.psql(
        "DELETE FROM a_child WHERE id < 3; DELETE FROM parent WHERE id = 1; "
        "INSERT INTO parent VALUES (7); INSERT INTO a_child VALUES (7, 7)"
    )
    text = await mended_by_file(
        source.url, target.url, lambda f: psql(target, f), tmp_path, 5, **options
    )
    assert text.index('DELETE FROM "public"."a_child"') < text.index(
        'DELETE FROM "public"."parent"'
    )
    target.psql("UPDATE parent SET big = NULL; UPDATE a_child SET of = 2")
    await fastload.verify(source.url, target.url, report=tmp_path, limit=1, **options)
    text = (tmp_path / "repair.sql").read_text()
    assert "NOT HERE: update of 1 row of public.parent" in text
    assert "NOT HERE: other rows of public.child" in text
    assert text.count("UPDATE") == 1


def _pg(text: str) -> str:
    return "U&'" + "".join(f"\\+{ord(c):06x}" for c in text) + "'"
