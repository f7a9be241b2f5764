"""Where tables go that come from a default schema, or from none."""

from __future__ import annotations

import pytest

import fastload


async def test_tables_go_from_default_schema_to_default_schema(database, target):
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    plan = await fastload.plan(database.url, target.url)
    assert [str(t.target.name) for t in plan.tables] == ["public.t"]
    await fastload.copy(database.url, target.url, rename={f"{database.name}.t": "u"})
    assert target.psql("SELECT id FROM public.u").strip() == "1"


async def test_a_server_without_a_database_in_its_url_keeps_all_names(server, target):
    with server.database("one"), server.database("two"):
        for name in ("one", "two"):
            server.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)", name)
        result = await fastload.copy(server.url, target.url, tables=["one.*", "two.*"])
        assert sorted(t.name for t in result.tables) == ["one.t", "two.t"]
        assert target.psql("SELECT count(*) FROM one.t JOIN two.t USING (id)").strip() == "1"


async def test_another_schema_than_the_default_is_found_again(source, mariadb):
    """It becomes a database beside the URL's, which is compared and mended there."""
    source.psql(
        "CREATE SCHEMA fastload_other; CREATE TABLE t (id int PRIMARY KEY); "
        "CREATE TABLE fastload_other.t (id int PRIMARY KEY, v text); "
        "INSERT INTO fastload_other.t VALUES (7, 'x')"
    )
    try:
        with mariadb.database("x9") as there:
            await fastload.copy(source.url, there, verify=True)
            assert (await fastload.verify(source.url, there)).equal
            mariadb.execute("UPDATE fastload_other.t SET v = 'y'")
            found = await fastload.verify(source.url, there)
            assert [str(d.table) for d in found.differences] == ["fastload_other.t"]
            assert (await found.repair()).equal
    finally:
        mariadb.execute("DROP DATABASE IF EXISTS fastload_other")


async def test_a_sequence_of_its_own_goes_on_in_the_other_schema(source, mariadb):
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE sq; "
        "SELECT setval('sq', 41, true); INSERT INTO t VALUES (1)"
    )
    with mariadb.database("x9") as there:
        await fastload.copy(source.url, there)
        assert mariadb.execute("SELECT NEXTVAL(sq)", "x9") == [(42,)]
        mariadb.execute("DROP SEQUENCE sq", "x9")
        # One that is not there any more is not set.
        await fastload.copy(source.url, there, mode="upsert")


async def test_a_target_without_a_database_in_its_url_makes_databases(source, server):
    source.psql("CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY)")
    source.psql("INSERT INTO shop.t VALUES (7)")
    try:
        await fastload.copy(source.url, server.url)
        assert server.execute("SELECT id FROM shop.t") == [(7,)]
    finally:
        server.execute("DROP DATABASE IF EXISTS shop; DROP DATABASE IF EXISTS _fastload")


@pytest.mark.parametrize("name", ["od%d", "100%s", "a%%b`'c"])
async def test_a_percent_sign_in_names(server, name):
    with server.database("percent") as here, server.database(name):
        quoted = "`" + name.replace("`", "``") + "`"
        server.execute(
            f"CREATE TABLE {quoted[:-1]}t` (id int AUTO_INCREMENT PRIMARY KEY, {quoted} int "
            f"DEFAULT 7); INSERT INTO {quoted[:-1]}t` (id) VALUES (1), (2)",
            "percent",
        )
        there = server.url_for(name)
        for mode in ("create", "truncate", "upsert"):
            result = await fastload.copy(
                here, there, mode=mode, parallel=2, verify=mode != "upsert"
            )
            assert result.rows == 2
        assert server.execute(f"SELECT * FROM {quoted[:-1]}t`", name) == [(1, 7), (2, 7)]
