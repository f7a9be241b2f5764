"""Catalogues and partitions of other releases."""

from __future__ import annotations

import aiomysql
import pytest
from fastload_mysql import ADAPTER
from fastload_mysql.predicate import predicate

import fastload
from fastload import Url
from fastload.adapter import PartitionSpec, Selection
from fastload.model import NullKeys, QualifiedName

ROWS = 4096
TYPES = {
    "id": ("bigint(20) unsigned", "uint64"),
    "tiny": ("tinyint(1)", "int8"),
    "price": ("decimal(12,4)", "decimal128(12, 4)"),
    "born": ("year(4)", "uint16"),
    "at": ("datetime(6)", "timestamp[us]"),
    "seen": ("timestamp", "timestamp[us, tz=UTC]"),
    "long": ("time(3)", "duration[us]"),
    "word": ("varchar(20)", "string"),
    "kind": ("enum('a','b''c')", "string"),
    "bits": ("bit(9)", "uint64"),
    "place": ("point", "opaque[geometry, MySQL, binary]"),
}
TABLE = """CREATE TABLE t (id bigint(20) unsigned NOT NULL AUTO_INCREMENT, tiny tinyint(1),
  price decimal(12,4) DEFAULT '1.5', born year, at datetime(6), long_ int, `long` time(3),
  seen timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  word varchar(20) DEFAULT 'it''s' COMMENT 'ä', kind enum('a','b''c'), bits bit(9), place point,
  PRIMARY KEY (id), UNIQUE KEY one (word, tiny), KEY short (word(3)))"""


def filled(server, database):
    server.execute(
        f"{TABLE}; INSERT INTO t (tiny, at, word) VALUES (1, '2020-01-01', '0')", database
    )
    copy = (
        "INSERT INTO t (tiny, at, word) SELECT id % 100, "
        "IF(id % 7 = 0, NULL, at + INTERVAL id DAY), id + (SELECT MAX(id) FROM t x) FROM t"
    )
    while server.execute("SELECT COUNT(*) FROM t", database) != [(ROWS,)]:
        server.execute(copy, database)
    server.execute("ANALYZE TABLE t", database)


def rows(server, database, where):
    return server.execute(f"SELECT COUNT(*) FROM t WHERE {where}", database)[0][0]


async def test_catalogue(release, made):
    name = made(release)
    release.execute(TABLE, name)
    async with ADAPTER.source(Url.parse(release.url_for(name)), connections=1) as source:
        catalog = await source.catalog(Selection())
        signature = [(await source.catalog(Selection())).tables[0].extra["signature"]]
    (table,) = catalog.tables
    assert catalog.extra["flavour"] == release.flavour
    assert release.execute("SELECT VERSION()")[0][0].startswith(catalog.extra["version"])
    assert {c.name: (c.type, c.arrow) for c in table.columns if c.name in TYPES} == TYPES
    assert table.column("seen").on_update.lower().startswith("current_timestamp")
    assert table.column("word").default == "'it''s'"
    assert table.column("word").comment == "ä"
    assert table.column("word").collation == "utf8mb4_general_ci"
    assert table.column("kind").labels == ("a", "b'c")
    assert table.column("id").identity == "by default"
    assert {k.name: k.columns for k in table.keys} == {"PRIMARY": ("id",), "one": ("word", "tiny")}
    assert [(i.name, i.columns[0].prefix) for i in table.indexes] == [("short", 3)]
    assert "COLLATE=utf8mb4_general_ci" in table.extra["options"]
    assert signature == [table.extra["signature"]]


@pytest.mark.parametrize("by", ["auto", "at", "tiny"])
async def test_partitions_hold_every_row_once(release, made, by):
    name = made(release)
    filled(release, name)
    async with ADAPTER.source(Url.parse(release.url_for(name)), connections=2) as source:
        (table,) = (await source.catalog(Selection(names=(QualifiedName(name, "t"),)))).tables
        async with source.snapshot([table], 2) as at:
            assert at.cut.inconsistent_because is None
            assert at.cut.position is not None
            parts = await source.partitions(table, at, PartitionSpec(want=4, by=by))
    counts = {p.extent: rows(release, name, predicate(table, p.extent) or "TRUE") for p in parts}
    assert sum(counts.values()) == ROWS
    keyed = [n for extent, n in counts.items() if not isinstance(extent, NullKeys)]
    assert len(keyed) == 4
    assert max(keyed) < 2 * sum(keyed) / 4


async def test_a_pool_has_its_own_settings_again(mysql56, made, target):
    name = made(mysql56)
    filled(mysql56, name)
    login = {"user": "fastload", "password": mysql56.password, "unix_socket": str(mysql56.socket)}
    async with aiomysql.create_pool(db=name, charset="utf8mb4", maxsize=3, **login) as pool:
        assert (await fastload.copy(pool, target.url)).rows == ROWS
        assert (await fastload.copy(pool, target.url, mode="replace")).rows == ROWS
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("SELECT @@net_read_timeout, @@group_concat_max_len")
            assert await cursor.fetchone() == (30, 1024)


async def test_a_lock_waits_for_what_is_not_committed(release, made):
    """MySQL 5.6 locks InnoDB's tables only in sessions that do not commit by themselves."""
    name = made(release)
    release.execute("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)", name)
    release.execute("CREATE USER locking@'%' IDENTIFIED BY 'secret'")
    release.execute(f"GRANT SELECT, LOCK TABLES ON {name}.* TO locking@'%'")
    url = Url.parse(f"{release.flavour}://locking:secret@127.0.0.1:{release.port}/{name}")
    try:
        with release.connect(database=name) as other, other.cursor() as cursor:
            cursor.execute("START TRANSACTION; UPDATE t SET i = 2")
            async with ADAPTER.source(url, connections=2) as source:
                tables = (await source.catalog(Selection())).tables
                async with source.snapshot(tables, 2) as at:
                    assert "LOCK TABLES waited 4 times" in at.cut.inconsistent_because
            other.rollback()
    finally:
        release.execute("DROP USER locking@'%'")


async def test_keys_that_differ_late_are_covered_once(release, made):
    """Servers without window functions sort by the beginnings of keys, too."""
    name = made(release)
    release.execute("CREATE TABLE t (i int PRIMARY KEY, k longtext)", name)
    release.execute("INSERT INTO t VALUES (1, CONCAT(REPEAT('x', 9000), SHA2(1, 256)))", name)
    for n in range(9):
        copy = f"SELECT i + {1 << n}, CONCAT(REPEAT('x', 9000), SHA2(i + {1 << n}, 256)) FROM t"
        release.execute(f"INSERT INTO t {copy}", name)
    async with ADAPTER.source(Url.parse(release.url_for(name)), connections=1) as source:
        (table,) = (await source.catalog(Selection())).tables
        async with source.snapshot([table], 1) as at:
            parts = await source.partitions(table, at, PartitionSpec(want=4, by="k"))
    counts = [rows(release, name, predicate(table, p.extent) or "TRUE") for p in parts]
    assert sum(counts) == 512
