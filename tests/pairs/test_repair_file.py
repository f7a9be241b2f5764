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
from tests.pairs.test_verify import MYSQL_TABLE, PG_TABLE

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
    program = "psql" if isinstance(database.server, GivenServer) else database.server.program("psql")
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
        f"UPDATE t SET label = {_pg(NASTY)}, document = to_json({_pg(NASTY)}::text), double = 'NaN',"
        " moment = '-infinity', free = 'NaN', clock = '24:00', day = '4713-01-01 BC' WHERE id = 7;"
        "UPDATE t SET single = 1.1754944e-38, double = 5e-324, amount = -0.01 WHERE id = 8;"
    )
    await fastload.copy(source.url, target.url)
    target.psql(ON_POSTGRES)
    text = await mended_by_file(
        source.url, target.url, lambda f: psql(target, f), tmp_path, 7
    )
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


def _pg(text: str) -> str:
    return "U&'" + "".join(f"\\+{ord(c):06x}" for c in text) + "'"
