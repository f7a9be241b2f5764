"""The catalogue of a database with everything in it, against what was declared."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiomysql
import msgspec
import pymysql
import pytest
from fastload_mysql.catalog import read_catalog, read_tables
from fastload_mysql.counters import read_sequences

from fastload import typemap
from fastload.adapter import Selection
from fastload.errors import ConfigError, SourceError, TableNotFound
from fastload.model import Catalog, IndexColumn, NotCarried, QualifiedName
from fastload.naming import spelled
from fastload.testing.mysql_servers import MysqlServer

pytestmark = pytest.mark.mysql

HERE = Path(__file__).parent
DB = "tor`ture.é"
LONG = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
ALL = Selection()


class Session:
    """The driver's connection with what the catalogue asks of one."""

    def __init__(self, raw):
        self.raw = raw
        self.asked = 0

    async def fetch_named(self, sql, args=()):
        self.asked += 1
        await self.execute(sql, args)
        result = self.raw._result
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.rows or ()]

    async def execute(self, sql, args=()):
        try:
            return await self.raw.query(sql % args if args else sql)
        except pymysql.err.OperationalError as error:
            raise SourceError(str(error), side="source") from error


def using(server, work, **options):
    """Run work with a session."""

    async def run():
        given = {"user": "fastload", "password": server.password, **options}
        raw = await aiomysql.connect(
            unix_socket=str(server.socket), charset="utf8mb4", autocommit=True, **given
        )
        try:
            return await work(Session(raw))
        finally:
            await raw.ensure_closed()

    return asyncio.run(run())


def catalog_of(server, select=ALL, default_schema=DB, **options) -> Catalog:
    return using(
        server, lambda s: read_catalog(s, select, default_schema=default_schema), **options
    )


def q(name):
    return QualifiedName(DB, name)


@pytest.fixture(scope="module")
def tortured(server):
    scripts = ["torture.sql", f"torture_{server.flavour}.sql"]
    with server.database(DB):
        server.execute("\n".join((HERE / s).read_text() for s in scripts), DB)
        yield server


@pytest.fixture(scope="module")
def catalog(tortured):
    return catalog_of(tortured)


@pytest.fixture
def table(catalog):
    return lambda name: catalog.table(q(name))


@pytest.fixture
def is_mysql(server):
    return server.flavour == "mysql"


def test_it_survives_json(catalog):
    assert msgspec.json.decode(msgspec.json.encode(catalog), type=Catalog) == catalog


def test_the_server_is_known(catalog, server):
    assert catalog.dialect == "mysql"
    assert catalog.extra["flavour"] == server.flavour
    assert server.execute("SELECT VERSION()")[0][0].startswith(catalog.extra["version"])
    assert catalog.schemas == (DB,)


def test_every_table_is_there(catalog, tortured):
    rows = tortured.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')",
        DB,
    )
    assert {t.name.name for t in catalog.tables} == {name for (name,) in rows}


TYPES = {
    "a": ("int8", "tiny", "tiny"),
    "a1": ("int8", "tiny", "tiny"),
    "a4": ("uint8", "utiny", "utiny"),
    "b": ("uint16", "ushort", "ushort"),
    "c": ("int32", "long", "medium"),
    "cu": ("uint32", "ulong", "umedium"),
    "d": ("int32", "long", "long"),
    "e": ("uint32", "ulong", "ulong"),
    "f": ("uint64", "ulonglong", "ulonglong"),
    "g": ("uint64", "ulonglong", "ulonglong"),
    "h": ("bool", "bit1", "bit:1"),
    "i": ("uint64", "bit", "bit:64"),
    "j": ("float", "float", "float"),
    "k": ("float", "float", "float"),
    "l": ("double", "double", "double"),
    "m": ("double", "double", "double"),
    "n": ("decimal128(10, 0)", "decimal:10,0", "decimal:10,0"),
    "o": ("decimal256(65, 30)", "decimal:65,30", "decimal:65,30"),
    "p": ("decimal128(5, 0)", "decimal:5,0", "decimal:5,0"),
    "q": ("date32[day]", "date", "date"),
    "r": ("timestamp[us]", "datetime", "datetime:0"),
    "s": ("timestamp[us]", "datetime", "datetime:6"),
    "t": ("timestamp[us, tz=UTC]", "timestamp", "timestamp:0"),
    "u": ("timestamp[us, tz=UTC]", "timestamp", "timestamp:3"),
    "v": ("duration[us]", "time", "time:0"),
    "w": ("duration[us]", "time", "time:6"),
    "x": ("uint16", "year", "year"),
    "ca": ("string", "text", "char:1"),
    "cb": ("string", "text", "char:255"),
    "cc": ("string", "text", "text:20"),
    "cd": ("string", "checked_text", "text:300"),
    "ce": ("string", "text", "text:65535"),
    "cf": ("string", "text", "text:255"),
    "cg": ("string", "text", "text:16777215"),
    "ch": ("string", "text", "text:4294967295"),
    "ci": ("string", "checked_text", "char:10"),
    "ba": ("binary", "blob", "binary:1"),
    "bb": ("binary", "blob", "binary:16"),
    "bc": ("binary", "blob", "blob:100"),
    "bd": ("binary", "blob", "blob:255"),
    "be": ("binary", "blob", "blob:65535"),
    "bf": ("binary", "blob", "blob:16777215"),
    "bg": ("binary", "blob", "blob:4294967295"),
    "en": ("string", "text", "text:10"),
    "se": ("string", "text", "text:7"),
    "js": ("arrow.json", "json", "json"),
    **dict.fromkeys(
        ("gg", "gp", "gl", "gpo", "gmp", "gml", "gmpo", "ggc"),
        ("opaque[geometry, MySQL, binary]", "raw:geometry", "geometry"),
    ),
}


def test_types(table):
    columns = table("types").columns
    assert [c.name for c in columns] == list(TYPES)
    for column in columns:
        found = (column.arrow, column.extra["decode"], column.extra["encode"])
        assert found == TYPES[column.name], column.name
        typemap.parse(column.arrow)


def test_types_are_spelled_as_the_server_does(table, is_mysql):
    types = {c.name: c.type for c in table("types").columns}
    assert types["d"] == ("int" if is_mysql else "int(11)")
    assert types["e"] == "int(10) unsigned zerofill"
    assert types["js"] == ("json" if is_mysql else "longtext")
    assert types["o"] == "decimal(65,30)"


def test_lengths_labels_and_charsets(table):
    column = table("types").column
    lengths = {c.name: c.length for c in table("types").columns if c.length is not None}
    assert lengths == {
        "ca": 1, "cb": 255, "cc": 20, "cd": 300, "ci": 10, "ba": 1, "bb": 16, "bc": 100,
    }  # fmt: skip
    assert column("en").labels == ("a", "it's", "back\\slash", "com,ma", "new\nline", "é", "()")
    assert column("se").extra["members"] == "x,y's,z"
    charsets = [column(c).extra["charset"] for c in ("cc", "cd", "ce", "cg", "ci", "en")]
    assert charsets == ["latin1", "gbk", "utf16", "utf8mb3", "ascii", "utf8mb4"]
    assert column("cd").collation == "gbk_bin"
    assert column("bb").collation is None


def test_exact_forms(table):
    exact = {c.name: c.exact for c in table("types").columns if c.exact is not None}
    assert list(exact) == ["q", "r", "s", "t", "u", "v", "w", "cd", "ci"]
    assert exact["cd"] == "opaque[gbk, MySQL, binary]"
    assert exact["s"] == "opaque[datetime, MySQL, string]"
    column = table("types").column("s")
    assert column.extra["decode_exact"] == "opaque_text:datetime"
    assert column.extra["cast_exact"] == "CAST({} AS CHAR)"


def test_defaults(table, is_mysql):
    found = {c.name: c.default for c in table("defaults").columns}
    both = {
        "t": r"'it''s \\ a\nline, `('", "e": "''", "nn": None, "nul": None, "b": "b'101'",
        "l": "'é'", "dd": "'2020-01-01'", "en": "'b'", "se": "'a,b'", "mark": "'why?'",
    }  # fmt: skip
    assert {name: found[name] for name in both} == both
    mysql = {
        "i": "'5'", "n": "'-7'", "d": "'1.50'", "f": "'1.5e100'", "h": "0x00FF", "bo": "'1'",
        "ts": "CURRENT_TIMESTAMP", "dt": "CURRENT_TIMESTAMP(6)", "x1": "((1 + 2))",
        "x2": "(uuid())", "x3": "(_utf8mb4'abc')", "x5": "(json_array())", "x7": "(curdate())",
        "x4": "(concat(_utf8mb4'a)',_utf8mb4'(b'))",
        "x6": "((case when (1 = 1) then _utf8mb4'a,b' else _utf8mb4'`' end))",
    }  # fmt: skip
    mariadb = {
        "i": "5", "n": "-7", "d": "1.50", "f": "1.5e100", "h": "x'00ff'", "bo": "1",
        "ts": "current_timestamp()", "dt": "current_timestamp(6)", "x1": "(1 + 2)",
        "x2": "uuid()", "x3": "'abc'", "x5": "json_array()", "x7": "curdate()",
        "x4": "concat('a)','(b')", "x6": "(case when 1 = 1 then 'a,b' else '`' end)",
    }  # fmt: skip
    wanted = mysql if is_mysql else mariadb
    assert {name: found[name] for name in wanted} == wanted
    assert set(found) == set(both) | set(wanted)


def test_defaults_mean_the_same_again(tortured, table):
    """The server itself reads every default back, and then tells it in the same words."""
    definitions = [f"`{c.name}` {c.extra['definition']}" for c in table("defaults").columns]
    with tortured.database("again"):
        tortured.execute(f"CREATE TABLE `defaults` ({', '.join(definitions)})", "again")
        again = catalog_of(tortured, default_schema="again").tables[0]
    assert again.columns == table("defaults").columns


def test_updates_set_columns(table, is_mysql):
    found = {c.name: c.on_update for c in table("defaults").columns if c.on_update}
    word = "CURRENT_TIMESTAMP" if is_mysql else "current_timestamp"
    assert found == {"ts": word if is_mysql else f"{word}()", "dt": f"{word}(6)"}


def test_comments(table):
    assert table("defaults").comment == "ta'ble \\ with\nnewline, AUTO_INCREMENT=3"
    odd = table("we`ird.na me é")
    assert odd.columns[0].comment == 'col\'s \\ "c"\nnewline, comma'
    assert odd.indexes[0].comment == "index's"
    assert odd.column("b c").comment is None


def test_odd_names(table):
    odd = table("we`ird.na me é")
    assert [c.name for c in odd.columns] == [
        "i`d.", "b c", "é", "new\nline", "key", LONG, "gs", "gv",
    ]  # fmt: skip
    assert odd.primary_key.columns == ("i`d.",)
    assert odd.indexes[0].name == "in`dex."
    assert table(LONG).primary_key.columns == ("id",)


def test_generated_columns(table, is_mysql):
    odd = table("we`ird.na me é")
    stored, virtual = odd.column("gs"), odd.column("gv")
    assert stored.generated == ("(`b c` + 1)" if is_mysql else "`b c` + 1")
    mark = "_utf8mb4" if is_mysql else ""
    assert virtual.generated == rf"concat(`é`,{mark}',`)\'',{mark}'x\\')"
    assert (stored.extra["generated"], virtual.extra["generated"]) == ("stored", "virtual")
    assert virtual.comment == "gen"
    assert not {"gs", "gv"} & {c.name for c in odd.columns if c.generated is None}


def test_counters(tortured, catalog):
    found = {s.owner[0].name: s for s in catalog.sequences if s.identity}
    assert set(found) == {"types", "we`ird.na me é", LONG, "isam"}
    odd = found["we`ird.na me é"]
    assert (odd.last_value, odd.is_called, odd.maximum) == (99, True, 2**32 - 1)
    assert odd.name == q("we`ird.na me é_i`d._seq")
    assert (found[LONG].last_value, found[LONG].maximum) == (None, 127)
    assert found["types"].maximum == 2**64 - 1
    assert catalog.table(q("isam")).column("id").identity == "by default"
    tortured.execute(f"INSERT INTO `{LONG}` VALUES (7)", DB)
    sequences = using(tortured, lambda s: read_sequences(s, catalog))
    assert {s.owner[0].name: s.last_value for s in sequences if s.owner}[LONG] == 7
    tortured.execute(f"TRUNCATE TABLE `{LONG}`", DB)


def test_keys(table):
    keys = {k.name: k.columns for k in table("parent").keys}
    assert keys == {
        "PRIMARY": ("id",), "both_": ("code", "sub"), "sub": ("sub",), "nulls": ("boss", "sub"),
    }  # fmt: skip
    assert table("parent").keys[1].extra["definition"] == "UNIQUE KEY `both_` (`code`,`sub`)"
    assert {k.name for k in table("indexes").keys} == {"PRIMARY", "u"}
    assert table("prefixed").keys == ()
    primary = table("prefixed").indexes[0]
    assert (primary.name, primary.unique) == ("PRIMARY", True)
    assert primary.columns == (IndexColumn(name="b", prefix=20),)


def test_indexes(table):
    found = {i.name: i for i in table("indexes").indexes}
    assert {n: (i.unique, i.kind) for n, i in found.items()} == {
        "up": (True, "sorted"), "ud": (True, "sorted"), "p": (False, "sorted"),
        "ab": (False, "sorted"), "de": (False, "sorted"), "ft": (False, "fulltext"),
        "sp": (False, "spatial"),
    }  # fmt: skip
    assert found["up"].columns == (IndexColumn(name="b", prefix=10),)
    assert found["p"].columns == (IndexColumn(name="c", prefix=20), IndexColumn(name="a"))
    assert found["de"].columns == (IndexColumn(name="a", descending=True), IndexColumn(name="d"))
    assert [c.name for c in found["ft"].columns] == ["b", "c"]
    assert found["de"].definition == "KEY `de` (`a` DESC,`d`)"
    assert table("mem").indexes[0].extra["using"] == "HASH"


def test_foreign_keys(table, is_mysql):
    [own] = table("parent").foreign_keys
    assert (own.columns, own.references, own.referenced_columns) == (
        ("boss",),
        q("parent"),
        ("id",),
    )
    assert (own.on_delete, own.on_update) == ("SET NULL", "CASCADE")
    found = {f.name: f for f in table("child").foreign_keys}
    assert found["f2"].columns == ("b", "c")
    assert found["f2"].referenced_columns == ("code", "sub")
    # MariaDB takes RESTRICT for what is done where nothing is said, and does not say it.
    restrict = "RESTRICT" if is_mysql else "NO ACTION"
    actions = {n: (f.on_delete, f.on_update) for n, f in found.items()}
    assert actions == {
        "f1": ("CASCADE", "NO ACTION"),
        "f2": ("NO ACTION", "NO ACTION"),
        "f3": (restrict, "SET NULL"),
    }
    assert found["f1"].actions == "ON DELETE CASCADE"
    assert found["f1"].extra["definition"] == (
        "CONSTRAINT `f1` FOREIGN KEY (`a`) REFERENCES `parent` (`id`) ON DELETE CASCADE"
    )


def test_checks(table, is_mysql):
    checks = {c.name: c.definition for c in table("child").checks}
    if is_mysql:
        assert checks["ck"].startswith("CHECK (((`d` > 0) and (`e` <> ")
        assert set(checks) == {"ck", "child_chk_1"}
    else:
        assert checks == {
            "ck": r"CHECK (`d` > 0 and `e` <> ',`)(' and `e` <> 'it\'s')",
            "CONSTRAINT_1": "CHECK (`d` in (1,2,3))",
        }
    [own] = table("own_check").checks
    assert own.definition == ("CHECK ((`a` > 1))" if is_mysql else "CHECK (`a` > 1)")
    assert "CHECK" not in table("own_check").column("a").extra["definition"]


def test_tables_tell_how_they_are_stored(table):
    extra = {n: table(n).extra for n in ("parts", "isam", "packed", "latin", "indexes", "types")}
    assert extra["isam"]["engine"] == "MyISAM"
    assert "clustered" not in extra["isam"]
    assert extra["indexes"]["clustered"] == "yes"
    assert "clustered" not in extra["types"]
    assert extra["packed"]["row_format"] == "Compressed"
    assert extra["packed"]["options"].endswith("ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8")
    assert extra["latin"]["collation"] == "latin1_swedish_ci"
    assert "PARTITION" not in extra["parts"]["options"].replace("PARTITION BY'", "")
    assert "COMMENT='AUTO_INCREMENT=7 PARTITION BY'" in extra["parts"]["options"]
    partitioning = extra["parts"]["partitioning"]
    assert partitioning.startswith("PARTITION BY RANGE (year(`y`))")
    assert partitioning.endswith("ENGINE = InnoDB)")
    odd = table("we`ird.na me é").extra
    assert "AUTO_INCREMENT" not in odd["options"]
    assert odd["create"].startswith("CREATE TABLE `we``ird.na me é` (")


def test_the_signature_changes_with_the_table_only(tortured, catalog):
    name = Selection(names=(q("latin"), q(LONG)))

    def signatures():
        tables = catalog_of(tortured, name).tables
        return [t.extra["signature"].split()[0] for t in tables]

    before = signatures()
    tortured.execute(f"INSERT INTO `{LONG}` VALUES (9); INSERT INTO latin VALUES ('a')", DB)
    assert signatures() == before
    tortured.execute("ALTER TABLE latin ADD b int", DB)
    assert [a == b for a, b in zip(signatures(), before, strict=True)] == [True, False]
    tortured.execute(f"ALTER TABLE latin DROP b; TRUNCATE `{LONG}`; TRUNCATE latin", DB)


def test_what_stays_behind_is_told(catalog, server):
    found = {(n.kind, n.name.removeprefix(f"{spelled(DB)}.")) for n in catalog.not_carried}
    wanted = {
        ("view", "seen"), ("trigger", "parent.trig"), ("procedure", "proc"), ("function", "func"),
        ("event", "ev"), ("spelling in column", "defaults.mark"),
    }  # fmt: skip
    if server.flavour == "mariadb":
        wanted |= {("history", "versioned"), ("history", "timed")}
    assert found == wanted


@pytest.mark.parametrize("server", ["mysql"], indirect=True)
def test_mysql_has_its_own(table):
    own = table("own")
    assert own.column("a").extra["invisible"] == "yes"
    assert own.column("g").extra["srid"] == "4326"
    assert own.column("v").arrow == "opaque[vector, MySQL, binary]"
    assert (own.column("face").default, own.column("wide").default) == ("'😀'", "'😀é'")
    found = {i.name: i for i in own.indexes}
    assert found["fx"].columns == (IndexColumn(expression="(`b` + 1)"),)
    assert found["uf"].columns == (IndexColumn(expression="lower(`c`)", descending=True),)
    assert found["uf"].unique
    assert found["mv"].columns[0].expression.endswith(" as unsigned array)")
    assert found["iv"].extra["invisible"] == "yes"
    assert (found["ng"].kind, found["ng"].extra["parser"]) == ("fulltext", "ngram")
    [check] = own.checks
    assert check.definition == "CHECK ((`e` > 0)) /*!80016 NOT ENFORCED */"
    assert "AUTOEXTEND_SIZE" in table("attributes").extra["options"]
    assert table("archived").extra["engine"] == "ARCHIVE"


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_mariadb_has_its_own(catalog, table):
    own = table("own")
    arrow = {c.name: c.arrow for c in own.columns}
    assert (arrow["u"], arrow["j"]) == ("arrow.uuid", "arrow.json")
    assert arrow["i6"] == "opaque[inet6, MySQL, string]"
    assert (arrow["bb"], arrow["c"]) == ("string", "binary")
    assert own.column("a").extra["invisible"] == "yes"
    assert [(c.name, c.definition) for c in own.checks] == [("b", "CHECK (`b` > 0)")]
    assert own.column("b").extra["definition"] == "int(11) DEFAULT NULL COMMENT 'x'"
    assert "json_valid" in own.column("j").extra["definition"]
    assert {i.name: i.extra.get("invisible") for i in own.indexes} == {"ig": "yes"}
    assert [k.extra["using"] for k in own.keys] == ["HASH"]
    timed = table("timed")
    assert timed.primary_key.columns == ("id",)
    assert [c.name for c in timed.columns if c.generated is None] == ["id"]
    assert timed.extra["periods"] == "PERIOD FOR SYSTEM_TIME (`s`, `e`)"
    assert table("spans").indexes[0].kind == "without overlaps"
    assert table("versioned").extra["versioned"] == "yes"
    [drawn] = [s for s in catalog.sequences if not s.identity]
    assert (drawn.name, drawn.start, drawn.increment) == (q("drawn"), 10, 5)
    assert (drawn.cache, drawn.last_value, drawn.is_called) == (20, 10, False)
    assert "nextval(" in table("drawing").column("i").default


def test_estimates(tortured):
    tortured.execute("INSERT INTO isam (t) VALUES ('one'), ('two'), ('three')", DB)
    [isam] = catalog_of(tortured, Selection(tables=("isam",))).tables
    tortured.execute("TRUNCATE isam", DB)
    assert isam.rows == 3
    assert 0 < isam.bytes < 1000


def test_reads_tables_by_name(tortured, catalog):
    wanted = [q("parent"), q("no such"), q("types"), q("seen"), q("parent")]
    found = using(tortured, lambda s: read_tables(s, wanted))
    assert found == [catalog.table(q("parent")), catalog.table(q("types"))]
    assert using(tortured, lambda s: read_tables(s, [])) == []


def test_a_selection_leaves_out_what_it_does_not_mean(tortured):
    found = catalog_of(tortured, Selection(tables=("child", "lat*")))
    assert [t.name.name for t in found.tables] == ["child", "latin"]
    assert found.tables[0].foreign_keys == ()
    name, parent = spelled(DB, "child", "f1"), spelled(DB, "parent")
    assert NotCarried("foreign key", name, f"{parent} is not selected") in found.not_carried
    assert {n.kind for n in found.not_carried} == {"foreign key"}
    assert found.sequences == ()


def test_without_a_database_every_user_database_is_there(tortured):
    with tortured.database("another"):
        tortured.execute("CREATE TABLE t (i int)", "another")
        found = catalog_of(tortured, Selection(exclude=("tor`*.*",)), None)
        assert [str(t.name) for t in found.tables] == ["another.t"]
        everything = catalog_of(tortured, ALL, None)
        assert {t.name.schema for t in everything.tables} >= {"another", DB}
        system = {"mysql", "sys", "information_schema", "performance_schema"}
        assert not {t.name.schema for t in everything.tables} & system


def test_a_wrong_name_has_help(tortured):
    with pytest.raises(TableNotFound, match=r"did you mean.*parent.*no right") as caught:
        catalog_of(tortured, Selection(tables=("parents",)))
    assert "no right are not seen" in caught.value.hint
    with pytest.raises(TableNotFound, match="seen is a view"):
        catalog_of(tortured, Selection(tables=("seen",)))


@pytest.fixture
def reader(tortured):
    tortured.execute("CREATE USER reader IDENTIFIED BY 'r'")
    yield {"user": "reader", "password": "r"}
    tortured.execute("DROP USER reader")


def grant(server, what):
    server.execute(f"GRANT {what} TO reader")


QUOTED = "`tor``ture.é`"


def test_tables_without_any_right_are_not_seen(tortured, reader):
    grant(tortured, f"SELECT ON {QUOTED}.parent")
    assert [t.name.name for t in catalog_of(tortured, **reader).tables] == ["parent"]
    with pytest.raises(TableNotFound, match="no right are not seen"):
        catalog_of(tortured, Selection(tables=("types",)), **reader)


@pytest.mark.parametrize("right", ["INSERT", "SELECT (id)", "SELECT (id), INSERT"])
def test_tables_that_may_not_be_read_are_refused(tortured, reader, right):
    grant(tortured, f"{right} ON {QUOTED}.parent")
    with pytest.raises(SourceError, match=r"GRANT SELECT ON `tor``ture.é`.`parent`"):
        catalog_of(tortured, **reader)


def test_grants_stay_behind(tortured, reader):
    grant(tortured, f"SELECT ON {QUOTED}.parent")
    grant(tortured, f"UPDATE ON {QUOTED}.*")
    found = {n.name for n in catalog_of(tortured).not_carried if n.kind == "grants"}
    assert found == {DB, f"{DB}.parent"}


RETYPED = {
    "a1": ("boolean", "bool", "bool1", None),
    "a": ("decimal(3,0)", "decimal128(3, 0)", "decimal:3,0", "CAST({} AS DECIMAL(3,0))"),
    "f": ("Decimal( 22, 2 )", "decimal128(22, 2)", "decimal:22,2", "CAST({} AS DECIMAL(22,2))"),
    "b": ("signed", "int64", "longlong", "CAST(({} | 0) AS SIGNED)"),
    "i": ("unsigned", "uint64", "ulonglong", "({} | 0)"),
    "j": ("double", "double", "double", "({} + 0E0)"),
    "q": ("char", "string", "text", "CAST({} AS CHAR)"),
    "en": ("char", "string", "text", "CAST({} AS CHAR)"),
    "ch": ("json", "arrow.json", "json", None),
    "cb": ("uuid", "arrow.uuid", "uuid", None),
    "cd": ("binary", "binary", "blob", "CAST({} AS BINARY)"),
}


def test_columns_are_read_as_other_types(tortured):
    types = {(DB, "types", name): wanted for name, (wanted, *_) in RETYPED.items()}
    [found] = catalog_of(tortured, Selection(tables=("types",), types=types)).tables
    for name, (_, *wanted) in RETYPED.items():
        column = found.column(name)
        assert [column.arrow, column.extra["decode"], column.extra.get("cast")] == wanted, name
        assert column.extra["retyped"] == "yes"
        assert "definition" not in column.extra
    casts = [found.column(n).extra.get("cast", "{}").format(f"`{n}`") for n in RETYPED]
    tortured.execute(f"SELECT {', '.join(casts)} FROM types", DB)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [("f", "signed"), ("a", "unsigned"), ("j", "char"), ("l", "decimal(10,2)"), ("o", "double"),
     ("d", "decimal(9,0)"), ("d", "decimal(10,1)"), ("en", "signed"), ("q", "datetime"),
     ("gg", "char"), ("i", "signed"), ("d", "boolean"), ("d", "int; DROP"), ("ci", "uuid")],
)  # fmt: skip
def test_types_that_would_change_values_are_refused(tortured, column, wanted):
    select = Selection(tables=("types",), types={(DB, "types", column): wanted})
    with pytest.raises(ConfigError, match="would not keep every value") as caught:
        catalog_of(tortured, select)
    assert caught.value.column == column
    assert "read as one of" in caught.value.hint


def test_types_for_columns_that_are_not_there_are_refused(tortured):
    with pytest.raises(ConfigError, match=r"'aa'.*\n.*did you mean a"):
        catalog_of(tortured, Selection(tables=("types",), types={(DB, "types", "aa"): "char"}))


def test_it_asks_once_per_table_and_a_handful_besides(tortured, catalog):
    async def count(session):
        await read_catalog(session, ALL, default_schema=DB)
        return session.asked

    assert using(tortured, count) <= len(catalog.tables) + 10


def test_the_session_is_left_as_it_was(tortured):
    async def charsets(session):
        await read_catalog(session, ALL, default_schema=DB)
        return await session.fetch_named("SELECT @@character_set_results AS c, 'é😀' AS t")

    assert using(tortured, charsets) == [{"c": "utf8mb4", "t": "é😀"}]


def test_servers_that_fold_names_find_tables_in_any_case(server):
    wanted = [QualifiedName("Shop", "Orders"), QualifiedName("shop", "NONE")]
    with MysqlServer.start(server.flavour, options={"lower_case_table_names": 1}) as folding:
        folding.execute("CREATE DATABASE Shop; CREATE TABLE Shop.Orders (Id int PRIMARY KEY)")
        found = using(folding, lambda s: read_tables(s, wanted))
        whole = catalog_of(folding, default_schema="Shop")
    assert [(t.name, t.columns[0].name) for t in found] == [(wanted[0], "Id")]
    assert [str(t.name) for t in whole.tables] == ["shop.orders"]


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_a_table_that_the_server_cannot_open_is_named(database):
    folder = database.server.data / database.name
    database.execute("CREATE TABLE good (i int); CREATE TABLE bad (i int) ENGINE=MyISAM")
    (folder / "bad.MYI").unlink()
    database.execute("FLUSH TABLES")
    with pytest.raises(SourceError, match=r"cannot open .*bad"):
        catalog_of(database.server, default_schema=database.name)
    select = Selection(exclude=("bad",))
    found = catalog_of(database.server, select, database.name)
    assert [t.name.name for t in found.tables] == ["good"]
