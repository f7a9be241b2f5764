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


async def test_a_second_copy_finds_names_of_indexes_taken(mariadb, target):
    """Indexes share a schema in PostgreSQL: those of another table keep their names."""
    made = (
        "CREATE TABLE {0} (id int PRIMARY KEY, a int, b int, UNIQUE KEY u (b), KEY k (a)); "
        "INSERT INTO {0} VALUES (1, 2, 3)"
    )
    with mariadb.database("one") as one, mariadb.database("two") as two:
        mariadb.execute(made.format("t1"), "one")
        mariadb.execute(made.format("t2"), "two")
        await fastload.copy(one, target.url)
        result = await fastload.copy(two, target.url)
        told = {(n.kind, n.name, n.reason.split(":")[0]) for n in result.not_carried}
        assert {t for t in told if "name" in t[0]} == {
            ("name of key", "public.t2.u", "made as t2_u"),
            ("name of index", "public.t2.k", "made as t2_k"),
        }
        # Its own names are free again where it is made anew, and no other's where it is kept.
        for mode in ("replace", "append"):
            mariadb.execute("UPDATE t2 SET id = id + 1, b = b + 1", "two")
            await fastload.copy(two, target.url, mode=mode)
    names = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    assert target.psql(names).split() == ["k", "t1_pkey", "t2_k", "t2_pkey", "t2_u", "u"]


async def test_indexes_of_another_schema_do_not_take_names(source, target):
    target.psql("CREATE TABLE other (a int); CREATE INDEX k ON other (a); CREATE SCHEMA s")
    source.psql("CREATE TABLE t (id int, a int); CREATE INDEX k ON t (a); CREATE SCHEMA s")
    source.psql("CREATE TABLE s.t (id int PRIMARY KEY, a int); CREATE INDEX k ON s.t (a)")
    result = await fastload.copy(source.url, target.url)
    assert [(n.kind, n.name) for n in result.not_carried] == [("name of index", "public.t.k")]
    names = "SELECT schemaname || '.' || indexname FROM pg_indexes WHERE tablename = 't' ORDER BY 1"
    assert target.psql(names).split() == ["public.t_k", "s.k", "s.t_pkey"]
