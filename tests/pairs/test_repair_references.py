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


@pytest.fixture(params=["postgres", "mariadb", pytest.param("mysql", marks=pytest.mark.long)])
def there(request, target):
    """Yield a target's family and URL, and what runs statements and a file in it."""
    if request.param == "postgres":
        yield request.param, target.url, target.psql, lambda file: psql(target, file)
        return
    server, name = request.getfixturevalue(request.param), f"{target.name}_there"
    with server.database(name):
        found = MysqlDatabase(server, name)
        yield "mysql", found.url, found.execute, lambda file: client(found, file)


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


@pytest.mark.parametrize("null", ["NULL", "NOT NULL"])
async def test_rows_that_exchange_values_of_a_unique_key_are_mended(source, there, null):
    kind, url, run, _ = there
    source.psql(
        f"CREATE TABLE t (id int PRIMARY KEY, u varchar(20) {null} UNIQUE, v int); "
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4)"
    )
    await fastload.copy(source.url, url)
    exchanged = (
        "UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2; "
        "UPDATE t SET u = 'b' WHERE id = 1; DELETE FROM t WHERE id = 4; "
        "INSERT INTO t VALUES (5, 'd', 4)"
    )
    run(exchanged)
    mended = await (await fastload.verify(source.url, url)).repair()
    assert mended.equal, str(mended)
    # Not where more would be lost or changed than was named.
    run("ALTER TABLE t ADD COLUMN own int DEFAULT 0; UPDATE t SET own = id")
    await _left(source, url, run, exchanged.replace("'d', 4)", "'d', 4, 5)"))
    run("DELETE FROM t; ALTER TABLE t DROP COLUMN own")
    await (await fastload.verify(source.url, url)).repair()
    run(TRIGGER[kind])
    await _left(source, url, run, exchanged)


TRIGGER = {
    "postgres": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END'; "
    "CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "mysql": "CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW SET @seen = 1",
}


async def _left(source, url: str, run, change: str) -> None:
    """Change the target; a repair is refused, and has changed nothing."""
    run(change)
    before = run("SELECT * FROM t ORDER BY id")
    with pytest.raises(fastload.ConstraintError) as caught:
        await (await fastload.verify(source.url, url)).repair()
    assert "exchange values of a unique key" in str(caught.value.hint)
    assert run("SELECT * FROM t ORDER BY id") == before


async def test_what_refers_to_partitions_or_is_not_seen_stays(source, target):
    """Partitions have rows that others refer to, directly or not; some tables may not be read."""
    parted = (
        'CREATE TABLE parent (id int, code text COLLATE "C", PRIMARY KEY (id, code)) '
        "PARTITION BY LIST (id); "
        "CREATE TABLE part_1 PARTITION OF parent FOR VALUES IN (1); "
        "CREATE TABLE part_2 PARTITION OF parent FOR VALUES IN (2); "
        "INSERT INTO parent VALUES (1, 'a')"
    )
    source.psql(parted)
    target.psql(parted)
    target.psql(
        "INSERT INTO parent VALUES (1, 'b'), (2, 'c'), (2, 'd'); "
        "CREATE TABLE whole (id bigint, code varchar(9), "
        "FOREIGN KEY (id, code) REFERENCES parent ON DELETE CASCADE); "
        "INSERT INTO whole VALUES (1, 'b'); "
        "CREATE TABLE of_part (id int, code text, "
        "FOREIGN KEY (id, code) REFERENCES part_2 ON DELETE SET NULL); "
        "INSERT INTO of_part VALUES (2, 'c')"
    )
    found = await fastload.verify(source.url, target.url)
    mended = await found.repair()
    assert "1 row of public.of_part refers" in mended.tables[0].left
    assert "1 row of public.whole refers" in mended.tables[0].left
    assert target.psql("SELECT * FROM parent ORDER BY 1, 2").split() == ["1|a", "1|b", "2|c"]
    assert target.psql("SELECT * FROM whole UNION ALL SELECT * FROM of_part").split() == [
        "1|b", "2|c",
    ]  # fmt: skip
    target.psql(
        "DROP TABLE whole; DELETE FROM of_part; CREATE ROLE mender LOGIN; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON parent, part_1, part_2 TO mender"
    )
    try:
        url = target.url_of("mender")
        with pytest.raises(fastload.SchemaMismatch, match=r"may not see of public\.of_part refer"):
            await (await fastload.verify(source.url, url)).repair()
        target.psql("GRANT SELECT ON of_part TO mender")
        mended = await (await fastload.verify(source.url, url)).repair()
        assert mended.equal, str(mended)
    finally:
        target.psql("DROP OWNED BY mender; DROP ROLE mender")


def _known(kind: str, action: str) -> str:
    """Return the action, or another where InnoDB does not have it."""
    return "CASCADE" if (kind, action) == ("mysql", "SET DEFAULT") else action
