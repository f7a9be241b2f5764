"""Tables of the family, made on a server of their own flavour and on one of the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastload_mysql.ddl import render
from fastload_mysql.translation import translate

from fastload.adapter import SchemaSpec
from fastload.model import (
    Catalog,
    Check,
    Column,
    Index,
    IndexColumn,
    Inspection,
    Key,
    QualifiedName,
    Sequence,
    Table,
)
from fastload.testing.mysql_servers import MysqlServer

SHOP = "shop"
NAME = QualifiedName(SHOP, "t")
OTHER = {"mysql": ("mariadb", "11.8.2"), "mariadb": ("mysql", "9.7.0")}
# What only one flavour has, by the flavour: type, collation, definition, further facts.
COLUMNS: dict[str, list[tuple[str, str, str | None, str, dict[str, Any]]]] = {
    "mysql": [
        ("int unsigned", "uint32", None, "int unsigned NOT NULL AUTO_INCREMENT", {
            "identity": "by default", "nullable": False}),
        ("varchar(20)", "string", "utf8mb4_0900_as_cs",
            "varchar(20) COLLATE utf8mb4_0900_as_cs DEFAULT (concat(_utf8mb4'x',_utf8mb4'y'))",
            {"default": "(concat(_utf8mb4'x',_utf8mb4'y'))", "length": 20}),
        ("varchar(20)", "string", "utf8mb4_sv_0900_ai_ci",
            "varchar(20) COLLATE utf8mb4_sv_0900_ai_ci", {}),
        ("varchar(20)", "string", "utf8mb4_ja_0900_as_cs",
            "varchar(20) COLLATE utf8mb4_ja_0900_as_cs", {}),
        ("text", "string", "utf8mb4_0900_bin",
            "text COLLATE utf8mb4_0900_bin DEFAULT (_utf8mb4'a')", {"default": "(_utf8mb4'a')"}),
        ("json", "arrow.json", None, "json DEFAULT NULL", {}),
        ("int", "int32", None, "int GENERATED ALWAYS AS ((`n` + 1)) VIRTUAL NOT NULL",
            {"generated": "(`n` + 1)", "extra": {"generated": "virtual"}, "nullable": False}),
        ("timestamp(3)", "timestamp[us, tz=UTC]", None,
            "timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
            {"default": "CURRENT_TIMESTAMP(3)", "on_update": "CURRENT_TIMESTAMP(3)"}),
        ("point", "opaque[geometry, MySQL, binary]", None, "point /*!80003 SRID 4326 */",
            {"extra": {"srid": "4326"}}),
        ("int", "int32", None, "int DEFAULT NULL /*!80023 INVISIBLE */",
            {"extra": {"invisible": "yes"}, "comment": "it's"}),
        ("varchar(20)", "string", "utf8mb3_general_ci",
            "varchar(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci", {}),
        ("enum('a','b')", "string", "utf8mb4_0900_ai_ci", "enum('a','b') DEFAULT 'b'",
            {"default": "'b'", "labels": ("a", "b")}),
    ],
    "mariadb": [
        ("bigint(20)", "int64", None, "bigint(20) NOT NULL AUTO_INCREMENT", {
            "identity": "by default", "nullable": False}),
        ("uuid", "arrow.uuid", None, "uuid DEFAULT uuid()", {"default": "uuid()"}),
        ("inet6", "opaque[inet6, MySQL, string]", None, "inet6 DEFAULT NULL", {}),
        ("longtext", "arrow.json", "utf8mb4_bin",
            "longtext COLLATE utf8mb4_bin DEFAULT '{}' CHECK (json_valid(`c3`))",
            {"default": "'{}'", "extra": {"json": "yes"}}),
        ("varchar(20)", "string", "utf8mb4_uca1400_ai_ci",
            "varchar(20) COLLATE utf8mb4_uca1400_ai_ci DEFAULT 'x'", {"default": "'x'"}),
        ("varchar(20)", "string", "utf8mb4_uca1400_swedish_nopad_as_ci",
            "varchar(20) COLLATE utf8mb4_uca1400_swedish_nopad_as_ci", {}),
        ("varchar(20)", "string", "utf8mb4_unicode_nopad_ci",
            "varchar(20) COLLATE utf8mb4_unicode_nopad_ci", {}),
        ("varchar(20)", "string", "latin1_swedish_nopad_ci",
            "varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_nopad_ci", {}),
        ("text", "string", "utf8mb4_nopad_bin", "text COLLATE utf8mb4_nopad_bin DEFAULT 'a'",
            {"default": "'a'"}),
        ("int(11)", "int32", None, "int(11) GENERATED ALWAYS AS (`n` + 1) STORED",
            {"generated": "`n` + 1", "extra": {"generated": "stored"}}),
        ("datetime(6)", "timestamp[us]", None,
            "datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6)",
            {"default": "current_timestamp(6)", "on_update": "current_timestamp(6)"}),
        ("int(11)", "int32", None, "int(11) INVISIBLE DEFAULT 7",
            {"default": "7", "extra": {"invisible": "yes"}}),
        ("year(4)", "uint16", None, "year(4) DEFAULT NULL", {}),
    ],
}  # fmt: skip


@pytest.fixture
def shop(server: MysqlServer) -> Iterator[MysqlServer]:
    yield server
    server.drop_database(SHOP)


def version(server: MysqlServer) -> str:
    return str(server.execute("SELECT VERSION()")[0][0])


def table(flavour: str) -> Table:
    columns = [Column(name="n", type="int", arrow="int32", extra={"definition": "int"})]
    for i, (type_, arrow, collation, definition, given) in enumerate(COLUMNS[flavour]):
        extra = {"definition": definition, **given.get("extra", {})}
        facts = {**given, "extra": extra}
        columns.append(Column(name=f"c{i}", type=type_, arrow=arrow, collation=collation, **facts))
    collation = {"mysql": "utf8mb4_0900_ai_ci", "mariadb": "utf8mb4_uca1400_ai_ci"}[flavour]
    return Table(
        name=NAME,
        columns=tuple(columns),
        keys=(
            Key(
                name="PRIMARY",
                columns=("c0",),
                primary=True,
                extra={"definition": "PRIMARY KEY (`c0`)"},
            ),
        ),
        indexes=(
            Index(
                name="i",
                unique=False,
                definition="KEY `i` (`c4`(3) DESC,`c1`) COMMENT 'x'",
                columns=(
                    IndexColumn(name="c4", prefix=3, descending=True),
                    IndexColumn(name="c1"),
                ),
            ),
        ),
        checks=(Check(name="t_chk_1", definition="CHECK (`n` < 9)"),),
        comment="co",
        extra={
            "engine": "InnoDB",
            "options": f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={collation} COMMENT='co'",
        },
    )


def made(server: MysqlServer, catalog: Catalog) -> str:
    """Make the tables, all of it twice, and return what the server then shows."""
    steps = render(catalog, Inspection(), SchemaSpec(mode="create"))
    for step in (*steps.before, *steps.before, *steps.after):
        for statement in step.statements:
            server.execute(statement)
    return str(server.execute(f"SHOW CREATE TABLE `{SHOP}`.`t`")[0][1])


def catalog_of(flavour: str, number: str, *tables: Table, **given: Any) -> Catalog:
    extra = {"flavour": flavour, "version": number}
    return Catalog(dialect="mysql", tables=tables or (table(flavour),), extra=extra, **given)


def test_a_table_of_the_same_flavour_is_made_from_its_own_text(shop):
    own = table(shop.flavour)
    if shop.flavour == "mariadb":  # collations of a version later than this server's own
        kept = [c for c in own.columns if c.name in ("n", "c0", "c1", "c2", "c3", "c9", "c11")]
        extra = {**own.extra, "options": "ENGINE=InnoDB DEFAULT CHARSET=latin1"}
        own = Table(name=NAME, columns=tuple(kept), keys=own.keys, extra=extra)
    source = catalog_of(shop.flavour, version(shop), own)
    here = translate(source, flavour=shop.flavour, version=version(shop))
    assert here.tables == source.tables
    text = made(shop, here)
    for column in own.columns:
        words = column.extra["definition"].replace("/*!80003 ", "").replace(" */", "")
        assert f"`{column.name}` {words.split()[0]}" in text
    assert "INVISIBLE" in text


def test_a_table_of_the_other_flavour_is_made_with_what_this_one_has(shop):
    flavour, number = OTHER[shop.flavour]
    source = catalog_of(flavour, number)
    here = translate(source, flavour=shop.flavour, version=version(shop))
    text = made(shop, here)
    told = {(n.kind, n.name) for n in here.not_carried}
    if shop.flavour == "mariadb":
        wanted = (
            "`c1` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_cs DEFAULT",
            "`c2` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_swedish_nopad_ai_ci",
            "`c4` text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin DEFAULT",
            "CHECK (json_valid(`c5`))",
            "VIRTUAL",
            "ON UPDATE current_timestamp(3)",
            "INVISIBLE",
        )
        assert ("SRID of column", "shop.t.c8") in told
    else:
        wanted = (
            "`c1` char(36) CHARACTER SET ascii COLLATE ascii_general_ci DEFAULT (uuid())",
            "`c2` varchar(45) CHARACTER SET ascii COLLATE ascii_bin",
            "`c3` json DEFAULT (_utf8mb4'{}')",
            "`c4` varchar(20) DEFAULT 'x'",
            "`c5` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_sv_0900_as_cs",
            "`c6` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            "`c7` varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
            "`c8` text CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            "GENERATED ALWAYS AS ((`n` + 1)) STORED",
            "ON UPDATE CURRENT_TIMESTAMP(6)",
            "INVISIBLE",
        )
        assert ("type of column", "shop.t.c1") in told
        assert ("collation latin1_swedish_nopad_ci", "shop.t") in told
    assert [w for w in wanted if w not in text] == []
    assert "KEY `i` (`c4`(3)" in text
    assert "`n` < 9" in text


def test_an_older_server_of_the_flavour_gets_what_it_knows():
    source = catalog_of("mysql", "9.7.0")
    here = translate(source, flavour="mysql", version="5.7.44")
    assert "utf8mb4_unicode_520_ci" in here.tables[0].extra["options"]
    assert here.tables[0].column("c4").default is None
    assert "definition" not in here.tables[0].column("c0").extra


def test_sequences_go_where_there_are_any(shop):
    alone = Sequence(
        name=QualifiedName(SHOP, "s"), type="bigint", start=5, increment=2, minimum=1,
        maximum=99, cache=10, cycle=True,
    )  # fmt: skip
    source = catalog_of("mariadb", "10.11.6", sequences=(alone,))
    here = translate(source, flavour=shop.flavour, version=version(shop))
    made(shop, here)
    if shop.flavour == "mariadb":
        assert shop.execute(f"SELECT nextval(`{SHOP}`.s)") == [(5,)]
    else:
        assert here.sequences == ()
        assert "sequence" in {n.kind for n in here.not_carried}
