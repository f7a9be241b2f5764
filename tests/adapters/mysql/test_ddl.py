"""What real servers make of the statements around the rows, run once and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import msgspec
import pytest
from fastload_mysql.ddl import render
from fastload_mysql.flavours import server_of
from fastload_mysql.numbering import advances, standing
from fastload_mysql.translation import translate

from fastload.adapter import SchemaSpec
from fastload.model import (
    Catalog,
    Check,
    Column,
    ExistingTable,
    ForeignKey,
    Index,
    IndexColumn,
    Inspection,
    Key,
    QualifiedName,
    Sequence,
    Step,
    Steps,
    Table,
)
from fastload.testing.mysql_servers import MysqlServer

SHOP = "shop d'été"
USERS, ORDERS = QualifiedName(SHOP, "users"), QualifiedName(SHOP, "or`ders")


@pytest.fixture
def shop(server: MysqlServer) -> Iterator[MysqlServer]:
    yield server
    server.drop_database(SHOP)


def facts(server: MysqlServer) -> dict[str, str]:
    version = str(server.execute("SELECT VERSION()")[0][0])
    return {"flavour": server.flavour, "version": version}


def column(name: str, type_: str, arrow: str, **given: Any) -> Column:
    return Column(name=name, type=type_, arrow=arrow, **given)


def users() -> Table:
    return Table(
        name=USERS,
        columns=(
            column("id", "bigint", "int64", nullable=False, identity="always"),
            column("email", "text", "string", nullable=False),
            column("name", "character varying(40)", "string", length=40, default="'it''s'::text"),
            column("bio", "text", "string", default="'none'::text", comment="it's \\ long"),
            column("mood", "mood", "string", labels=("so-so", "it's", "Ok", "ok")),
            column("token", "uuid", "arrow.uuid"),
            column("seen", "timestamp with time zone", "timestamp[us, tz=UTC]", default="now()"),
            column("made", "timestamp without time zone", "timestamp[us]"),
            column("paid", "numeric(30,12)", "decimal128(30, 12)", default="0.5"),
            column("active", "boolean", "bool", nullable=False, default="true"),
            column("tags", "text[]", "list<string>"),
            column("data", "jsonb", "arrow.json"),
            column("photo", "bytea", "binary"),
            column("digest", "bytea", "binary", nullable=False),
            column("lasts", "interval", "month_day_nano_interval"),
            column("score", "integer", "int32"),
            column("twice", "integer", "int32", generated="(score * 2)"),
        ),
        keys=(
            Key(name="users_pkey", columns=("id",), primary=True),
            Key(name="users_email_key", columns=("email", "digest"), primary=False, comment="one"),
        ),
        indexes=(
            index("users_bio", "bio"),
            index("USERS_BIO", "name", descending=True),
            Index(name="users_part", unique=True, definition="...", where="active", columns=NAME),
            Index(name="users_tags", unique=False, definition="...", kind="gin", columns=NAME),
        ),
        checks=(Check(name="positive", definition="CHECK ((score > 0))"),),
        comment="who's who",
        rows=1_000_000,
        bytes=100 << 20,
    )


NAME = (IndexColumn(name="name"),)


def index(name: str, on: str, **given: Any) -> Index:
    columns = (IndexColumn(name=on, **given),)
    return Index(name=name, unique=False, definition=f"USING btree ({on})", columns=columns)


def orders() -> Table:
    refers = ForeignKey(
        name="orders_user",
        columns=("user_id",),
        references=USERS,
        referenced_columns=("id",),
        on_delete="CASCADE",
    )
    return Table(
        name=ORDERS,
        columns=(
            column("id", "bigint", "int64", nullable=False, default="nextval('s'::regclass)"),
            column("user_id", "bigint", "int64"),
            column("key", "text", "string", nullable=False),
        ),
        keys=(Key(name="orders_pkey", columns=("key",), primary=True),),
        indexes=(index("orders_id", "id"),),
        foreign_keys=(refers,),
        checks=(Check(name="positive", definition="CHECK ((user_id > 0))"),),
        rows=10,
    )


def counter(table: QualifiedName, last: int) -> Sequence:
    return Sequence(
        name=QualifiedName(table.schema, f"{table.name}_seq"), type="bigint", start=1,
        increment=1, minimum=1, maximum=1 << 62, cache=1, cycle=False, last_value=last,
        is_called=True, owner=(table, "id"), identity=True,
    )  # fmt: skip


def foreign(server: MysqlServer) -> Catalog:
    source = Catalog(
        dialect="postgres",
        tables=(users(), orders()),
        sequences=(counter(USERS, 41), counter(ORDERS, 6)),
    )
    return translate(source, **facts(server))


def rendered(catalog: Catalog, **given: Any) -> Steps:
    there = given.pop("existing", Inspection())
    return render(catalog, there, SchemaSpec(**{"mode": "create", **given}))


def run(server: MysqlServer, *steps: Step) -> None:
    """Run steps as the target does, each in a session of its own."""
    for step in steps:
        with server.connect() as connection:
            for statement, done in zip_longest(step.statements, step.done, fillvalue=""):
                if not (done and rows(connection, done)[0][0]):
                    rows(connection, statement)
            for query in step.refuted_by:
                assert rows(connection, query) == []


def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def run_all(server: MysqlServer, steps: Steps) -> None:
    """Run everything, and everything again, as after a crash that took the receipts."""
    run(server, *steps.before)
    run(server, *steps.before)
    for step in steps.after:
        run(server, step, step)
    run(server, *steps.after)


def shown(server: MysqlServer, name: QualifiedName) -> str:
    quoted = ".".join("`" + p.replace("`", "``") + "`" for p in (name.schema, name.name))
    return str(server.execute(f"SHOW CREATE TABLE {quoted}")[0][1])


def types_of(server: MysqlServer, name: QualifiedName) -> Mapping[str, str]:
    with server.connect() as connection:
        found = rows(
            connection,
            "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
            f"WHERE TABLE_SCHEMA = {connection.escape(name.schema)} "
            f"AND TABLE_NAME = {connection.escape(name.name)}",
        )
    return dict(found)


def test_a_foreign_catalogue_is_made_whole(shop):
    catalog = foreign(shop)
    run_all(shop, rendered(catalog))
    mariadb = shop.flavour == "mariadb"
    types = types_of(shop, USERS)
    assert {c.name: c.type for c in catalog.tables[0].columns} == {
        **types,
        "id": "bigint",
        "score": "int",
        "twice": "int",
        "data": "json",
        "tags": "json",
    }
    assert types["email"] == "varchar(384)"
    assert types["digest"] == "varbinary(1536)"
    assert types["token"] == ("uuid" if mariadb else "char(36)")
    text = shown(shop, USERS)
    assert "AUTO_INCREMENT" in text
    assert "UNIQUE KEY `users_email_key` (`email`,`digest`) COMMENT 'one'" in text
    assert "KEY `users_bio` (`bio`(768))" in text
    assert "KEY `USERS_BIO_2` (`name`" in text
    assert "COMMENT='who''s who'" in text
    assert "DEFAULT 'it''s'" in text
    assert "utc_timestamp(6)" in text
    assert "`score` > 0" in text
    assert "`score` * 2" in text
    collation = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
    assert f"COLLATE={collation}" in text
    text = shown(shop, ORDERS)
    assert "PRIMARY KEY (`key`)" in text
    assert "KEY `orders_id` (`id`)" in text
    assert "KEY `orders_user` (`user_id`)" in text
    assert "REFERENCES `users` (`id`) ON DELETE CASCADE" in text


def test_spaces_and_case_tell_keys_apart_as_on_the_source(shop):
    run(shop, *rendered(foreign(shop)).before)
    shop.execute(f"INSERT INTO `{SHOP}`.`or``ders` (`key`) VALUES ('a'), ('a '), ('A'), ('á')")
    assert shop.execute(f"SELECT max(id) FROM `{SHOP}`.`or``ders`") == [(4,)]


def test_rows_without_a_counterpart_are_found(shop):
    steps = rendered(foreign(shop))
    run(shop, *steps.before)
    shop.execute(f"INSERT INTO `{SHOP}`.`or``ders` (`key`, user_id) VALUES ('a', NULL), ('b', 7)")
    checks = [s for s in steps.after if s.refuted_by]
    run(shop, *(s for s in steps.after if s not in checks))
    with shop.connect() as connection:
        assert [rows(connection, q) for s in checks for q in s.refuted_by] == [[(7,)]]


def test_sequences_go_on_where_the_source_stands(shop):
    catalog = foreign(shop)
    run(shop, *rendered(catalog).before)
    server = server_of(**facts(shop))

    def advance(keep_higher: bool) -> list[int]:
        with shop.connect() as connection:
            if shop.flavour == "mysql":
                rows(connection, "SET information_schema_stats_expiry = 0")
            query = standing([USERS, ORDERS])
            for statement in advances(
                catalog.sequences, rows(connection, query), server, keep_higher=keep_higher
            ):
                rows(connection, statement)
            return sorted(row[3] for row in rows(connection, query))

    assert advance(keep_higher=False) == [7, 42]
    shop.execute(f"ALTER TABLE `{SHOP}`.users AUTO_INCREMENT = 99")
    assert advance(keep_higher=True) == [7, 99]
    assert advance(keep_higher=False) == [7, 42]


def test_what_is_there_already_is_not_made_again(shop):
    catalog = foreign(shop)
    run(shop, *rendered(catalog).before)
    there = Inspection(
        tables=tuple(
            ExistingTable(
                table=msgspec.structs.replace(
                    t, keys=t.keys[:1], indexes=t.indexes[:1], foreign_keys=()
                ),
                empty=True,
            )
            for t in catalog.tables
        )
    )
    shop.execute(f"CREATE INDEX users_bio ON `{SHOP}`.users (bio(768))")
    steps = rendered(catalog, existing=there)
    assert steps.before == ()
    run_all(shop, steps)
    assert shown(shop, USERS).count("KEY `users_bio") == 1
    assert "KEY `users_email_key`" in shown(shop, USERS)


@pytest.mark.parametrize("mode", ["truncate", "replace"])
def test_tables_that_refer_to_each_other_are_cleared(shop, mode):
    catalog = foreign(shop)
    run_all(shop, rendered(catalog))
    shop.execute(f"INSERT INTO `{SHOP}`.`or``ders` (`key`) VALUES ('a')")
    there = Inspection(tables=tuple(ExistingTable(table=t, empty=False) for t in catalog.tables))
    run(shop, *rendered(catalog, existing=there, mode=mode).before)
    assert shop.execute(f"SELECT count(*) FROM `{SHOP}`.`or``ders`") == [(0,)]


def test_columns_get_their_last_names_with_all_that_speaks_of_them(shop):
    names = {"score": "made", "made": "score", "name": "na`me", "id": "number"}
    steps = rendered(foreign(shop), rename_columns={USERS: names})
    run_all(shop, steps)
    text = shown(shop, USERS)
    assert "`made` > 0" in text
    assert "`made` * 2" in text
    assert types_of(shop, USERS)["score"] == "datetime(6)"
    assert "(`na``me`" in text
    assert "PRIMARY KEY (`number`)" in text
    assert "REFERENCES `users` (`number`)" in shown(shop, ORDERS)


def test_names_that_the_server_made_up_follow_the_table(shop):
    """Two tables of a database cannot share the name of a check or a foreign key."""
    there = QualifiedName(SHOP, "copy")
    made = [
        Table(
            name=name,
            columns=(
                column("id", "int(11)", "int32", extra={"definition": "int NOT NULL"}),
                column("up", "int(11)", "int32", extra={"definition": "int"}),
            ),
            keys=(Key(name="PRIMARY", columns=("id",), primary=True),),
            checks=(Check(name="t_chk_1", definition="CHECK (`id` <> 3)"),),
            foreign_keys=(
                ForeignKey(
                    name="t_ibfk_1",
                    columns=("up",),
                    references=USERS,
                    referenced_columns=("id",),
                ),
            ),
        )
        for name in (USERS, there)
    ]
    catalog = Catalog(dialect="mysql", tables=tuple(made), extra=facts(shop))
    run_all(shop, rendered(translate(catalog, **facts(shop))))
    assert "CONSTRAINT `copy_chk_1` CHECK" in shown(shop, there)
    assert "CONSTRAINT `copy_ibfk_1` FOREIGN KEY" in shown(shop, there)
