"""A repair changes no row that was not named: not by a foreign key's action, either."""

from __future__ import annotations

import re

import pytest

import fastload
from tests.conftest import MysqlDatabase
from tests.pairs.test_repair_file import client, psql

PARENT = "CREATE TABLE parent (id int PRIMARY KEY, code varchar(20) NOT NULL UNIQUE, v int)"
CHILD = (
    "CREATE TABLE child (id int PRIMARY KEY, code varchar(20) DEFAULT 'b', v varchar(20), "
    "CONSTRAINT of_parent FOREIGN KEY (code) REFERENCES parent (code) {action})"
)
ROWS = (
    "INSERT INTO parent VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3); "
    "INSERT INTO child VALUES (10, 'a', 'x'), (11, 'a', 'y'), (12, 'c', 'z'); "
    "CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)"
)
# The parent of two rows gets another id, and nothing else.
OTHER_ID = (
    "INSERT INTO parent VALUES (9, 'tmp', 0); UPDATE child SET code = 'tmp' WHERE code = 'a'; "
    "DELETE FROM parent WHERE id = 1; INSERT INTO parent VALUES (7, 'a', 1); "
    "UPDATE child SET code = 'a' WHERE code = 'tmp'; DELETE FROM parent WHERE id = 9"
)
ALL = "SELECT id, code, v FROM child ORDER BY id"
DROP = {
    "postgres": "ALTER TABLE child DROP CONSTRAINT of_parent",
    "mysql": "ALTER TABLE child DROP FOREIGN KEY of_parent",
}
# Two rows of parent have each a code that another is to have, and row 12 of child is as it should.
OTHER_CODE = (
    "UPDATE child SET code = 'a' WHERE id = 12; UPDATE parent SET code = 'z' WHERE id = 3; "
    "UPDATE parent SET code = 'c' WHERE id = 2; UPDATE child SET code = 'c' WHERE id = 12"
)
pytestmark = pytest.mark.mysql


@pytest.fixture(params=["postgres", "mysql"])
def there(request, target, server):
    """Yield a target, and what runs statements and a file in it."""
    if request.param == "postgres":
        yield request.param, target.url, target.psql, lambda file: psql(target, file)
        return
    name = f"{target.name}_there"
    with server.database(name):
        found = MysqlDatabase(server, name)
        yield request.param, found.url, found.execute, lambda file: client(found, file)


async def copied(source, there, action: str) -> None:
    source.psql(f"{PARENT}; {CHILD.format(action=action)}; {ROWS}")
    await fastload.copy(source.url, there[1])


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
async def test_rows_that_refer_to_what_is_to_go_stay(source, there, action, tmp_path):
    kind, url, run, run_file = there
    await copied(source, there, f"ON DELETE {_known(kind, action)}")
    run(OTHER_ID)
    before = run(ALL)
    told = "2 rows of .*child refer to what is to be deleted .foreign key of_parent, ON DELETE"
    found = await fastload.verify(source.url, url)
    with pytest.raises(fastload.SchemaMismatch, match=told) as caught:
        await found.repair()
    assert "drop the foreign key" in str(caught.value.hint)
    run("DELETE FROM other")
    found = await fastload.verify(source.url, url, report=tmp_path)
    mended = await found.repair()
    assert run(ALL) == before
    checks = {t.name: t for t in mended.tables}
    assert {n: t.equal for n, t in checks.items()} == {
        "public.child": True, "public.other": True, "public.parent": False,
    }  # fmt: skip
    assert re.search(told, checks["public.parent"].left)
    run("DELETE FROM other")
    text = (tmp_path / "repair.sql").read_text()
    assert re.search(f"NOT HERE: public.parent: rows of .*{told}", text)
    assert text.count("INSERT") == 1
    run_file(tmp_path / "repair.sql")
    assert run(ALL) == before
    # As the hint says.
    run(DROP[kind])
    mended = await (await fastload.verify(source.url, url)).repair()
    assert mended.equal, str(mended)
    assert len(mended.tables) == 3
    assert run(ALL) == before


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
async def test_rows_that_refer_to_what_is_to_change_stay(source, there, action, tmp_path):
    kind, url, run, run_file = there
    await copied(source, there, f"ON UPDATE {_known(kind, action)}")
    run(OTHER_CODE)
    run("DELETE FROM other")
    before = run(ALL)
    told = "1 row of .*child refers to what is to be changed .foreign key of_parent, ON UPDATE"
    found = await fastload.verify(source.url, url, report=tmp_path)
    assert {d.table for d in found.differences} == {"public.parent", "public.other"}
    mended = await found.repair()
    assert run(ALL) == before
    checks = {t.name: t for t in mended.tables}
    assert re.search(told, checks["public.parent"].left)
    assert checks["public.other"].equal
    run("DELETE FROM other")
    text = (tmp_path / "repair.sql").read_text()
    assert re.search(f"NOT HERE: public.parent: rows of .*{told}", text)
    run_file(tmp_path / "repair.sql")
    assert run(ALL) == before
    run(DROP[kind])
    mended = await (await fastload.verify(source.url, url)).repair()
    assert mended.equal, str(mended)
    assert run(ALL) == before


@pytest.mark.parametrize("action", ["NO ACTION", "CASCADE"])
async def test_what_refers_moves_before_what_it_referred_to_goes(source, there, action):
    """Rows go when nobody refers to them any more, those of a table's own among them."""
    kind, url, run, _ = there
    await copied(source, there, f"ON DELETE {action}")
    source.psql(
        f"CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE {action}); "
        "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3)"
    )
    await fastload.copy(source.url, url, tables=["tree"])
    run(
        "INSERT INTO parent VALUES (8, 'd', 1), (9, 'e', 2); "
        "INSERT INTO child VALUES (20, 'd', 'extra'); DELETE FROM parent WHERE id = 2; "
        "UPDATE child SET code = 'e' WHERE id = 12; DELETE FROM parent WHERE id = 3; "
        "INSERT INTO tree VALUES (6, 4), (7, 6), (8, 7), (9, NULL); "
        "UPDATE tree SET up = 9 WHERE id = 3"
    )
    if (kind, action) != ("mysql", "NO ACTION"):
        # InnoDB deletes no row that refers to itself, if others could not.
        run("INSERT INTO tree VALUES (5, 5)")
    mended = await (await fastload.verify(source.url, url)).repair()
    assert mended.equal, str(mended)
    again = await fastload.verify(source.url, url)
    assert (again.equal, again.rows) == (True, 11)


def _known(kind: str, action: str) -> str:
    """Return the action, or another where InnoDB does not have it."""
    return "CASCADE" if (kind, action) == ("mysql", "SET DEFAULT") else action
