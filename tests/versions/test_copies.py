"""Sample schemas between other releases and today's servers, there and back."""

from __future__ import annotations

import fastload


def rows(server, database, table):
    names = ", ".join(table.columns)
    return server.execute(f"SELECT {names} FROM {table.name} ORDER BY {names}", database)


def stamps(server, database, table):
    return server.execute(f"SELECT last_update FROM {table.name} ORDER BY 1", database)


def equal(schema, one, other):
    """Compare the tables of two servers, as their database of the same schema has them."""
    for table in schema.tables:
        assert sorted(rows(*one, table), key=repr) == sorted(rows(*other, table), key=repr)
        if schema.name == "rental":
            assert stamps(*one, table) == stamps(*other, table)


async def copied(one, other):
    result = await fastload.copy(one[0].url_for(one[1]), other[0].url_for(other[1]), parallel=3)
    assert result.consistent
    return result


async def test_to_postgres_and_back(release, made, schema, target):
    first, second = (release, made(release)), (release, made(release))
    schema.load(*first)
    there = await copied(first, (target.server, target.name))
    back = await copied((target.server, target.name), second)
    assert there.rows == back.rows == sum(len(list(t.rows(1))) for t in schema.tables)
    equal(schema, first, second)


async def test_to_the_newest_mysql_and_back(release, made, schema, mysql):
    first, there, back = ((s, made(s)) for s in (release, mysql, release))
    schema.load(*first)
    await copied(first, there)
    await copied(there, back)
    equal(schema, first, there)
    equal(schema, first, back)


async def test_to_mariadb_and_back(mysql56, made, schema, mariadb):
    first, there, back = ((s, made(s)) for s in (mysql56, mariadb, mysql56))
    schema.load(*first)
    await copied(first, there)
    await copied(there, back)
    equal(schema, first, there)
    equal(schema, first, back)


async def test_between_equals_nothing_is_left_but_programs(mysql56, made, schema):
    first, second = (mysql56, made(mysql56)), (mysql56, made(mysql56))
    schema.load(*first)
    result = await copied(first, second)
    assert {n.kind for n in result.not_carried} <= {"view", "trigger", "function"}
    equal(schema, first, second)
    for table in schema.tables:
        shown = [s.execute(f"SHOW CREATE TABLE {table.name}", d) for s, d in (first, second)]
        assert shown[0] == shown[1]


async def test_collations_that_an_old_server_takes_for_granted_are_kept(mysql56, made, mysql):
    first, there = (mysql56, made(mysql56)), (mysql, made(mysql))
    mysql56.execute(
        """CREATE TABLE a (k varchar(9) PRIMARY KEY, other varchar(9) CHARACTER SET utf8,
  own varchar(9) COLLATE utf8mb4_unicode_ci, bare char(3) CHARACTER SET latin1);
CREATE TABLE b (k varchar(9) CHARACTER SET utf8mb4) CHARSET=latin1 COMMENT='CHARSET=utf8'""",
        first[1],
    )
    await copied(first, there)
    query = (
        "SELECT table_name, column_name, REPLACE(collation_name, 'utf8mb3', 'utf8') "
        "FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2"
    )
    assert there[0].execute(query, there[1]) == first[0].execute(query, first[1])
    tables = query.replace("columns", "tables").replace("column_name, ", "")
    tables = tables.replace("collation_name", "table_collation").replace("1, 2", "1")
    assert there[0].execute(tables, there[1]) == first[0].execute(tables, first[1])
