"""MySQL's types and their forms, and the lines of SHOW CREATE TABLE, without a server."""

from __future__ import annotations

import pytest
from fastload_mysql.catalog import check_columns
from fastload_mysql.create_table import parse
from fastload_mysql.create_text import text_of
from fastload_mysql.retyping import retyped
from fastload_mysql.rows_decode import RowsDecoder
from fastload_mysql.typemap import ColumnFacts, forms

from fastload import typemap
from fastload.errors import ConfigError, SourceError, UnsupportedType
from fastload.model import QualifiedName

NAME = QualifiedName("db", "t")
# Types as servers from 5.6 on spell them: Arrow's form, and words of the decoder and encoder.
TYPES = {
    "tinyint(4)": ("int8", "tiny", "tiny"),
    "tinyint": ("int8", "tiny", "tiny"),
    "tinyint(1)": ("int8", "tiny", "tiny"),
    "TINYINT(1) UNSIGNED": ("uint8", "utiny", "utiny"),
    "smallint(6)": ("int16", "short", "short"),
    "mediumint(8) unsigned": ("uint32", "ulong", "umedium"),
    "int(10) unsigned zerofill": ("uint32", "ulong", "ulong"),
    "int(5) zerofill": ("uint32", "ulong", "ulong"),
    "bigint": ("int64", "longlong", "longlong"),
    "bit(1)": ("bool", "bit1", "bit:1"),
    "bit(2)": ("uint64", "bit", "bit:2"),
    "float unsigned": ("float", "float", "float"),
    "float(7,3)": ("float", "float", "float"),
    "double(10,2) unsigned zerofill": ("double", "double", "double"),
    "decimal(10,0)": ("decimal128(10, 0)", "decimal:10,0", "decimal:10,0"),
    "decimal(38,10) unsigned": ("decimal128(38, 10)", "decimal:38,10", "decimal:38,10"),
    "decimal(39,30)": ("decimal256(39, 30)", "decimal:39,30", "decimal:39,30"),
    "date": ("date32[day]", "date", "date"),
    "datetime": ("timestamp[us]", "datetime", "datetime:0"),
    "datetime(6)": ("timestamp[us]", "datetime", "datetime:6"),
    "timestamp(3)": ("timestamp[us, tz=UTC]", "timestamp", "timestamp:3"),
    "time(1)": ("duration[us]", "time", "time:1"),
    "year(4)": ("uint16", "year", "year"),
    "char(36)": ("string", "text", "char:36"),
    "varchar(0)": ("string", "text", "text:0"),
    "tinytext": ("string", "text", "text:255"),
    "longtext": ("string", "text", "text:4294967295"),
    "binary(16)": ("binary", "blob", "binary:16"),
    "varbinary(65533)": ("binary", "blob", "blob:65533"),
    "mediumblob": ("binary", "blob", "blob:16777215"),
    "json": ("arrow.json", "json", "json"),
    "enum('a','bc')": ("string", "text", "text:2"),
    "set('a','bc')": ("string", "text", "text:4"),
    "geomcollection": ("opaque[geometry, MySQL, binary]", "raw:geometry", "geometry"),
    "vector(2048)": ("opaque[vector, MySQL, binary]", "raw:vector", "raw"),
    "uuid": ("arrow.uuid", "uuid", "uuid"),
    "inet6": ("opaque[inet6, MySQL, string]", "opaque_text:inet6", "text:45"),
}


@pytest.mark.parametrize("type_", TYPES)
def test_types_have_forms(type_):
    found = forms(ColumnFacts(type=type_))
    assert (found.arrow, found.decode, found.encode) == TYPES[type_]


@pytest.mark.parametrize("type_", TYPES)
def test_decoders_make_the_forms_that_are_told(type_):
    found = forms(ColumnFacts(type=type_))
    for arrow, word in ((found.arrow, found.decode), (found.exact, found.decode_exact)):
        if arrow is not None:
            decoder = RowsDecoder([("x", word)])
            decoder.feed(b"\5\0\0\0\xfe\0\0\0\0")
            assert pa_type(decoder) == typemap.parse(arrow)


def pa_type(decoder):
    import pyarrow as pa

    return pa.record_batch(decoder.take()).schema.field(0).type


def test_moments_have_an_exact_form_as_text():
    for base in ("date", "datetime", "timestamp", "time"):
        found = forms(ColumnFacts(type=base))
        assert found.exact == f"opaque[{base}, MySQL, string]"
        assert found.decode_exact == f"opaque_text:{base}"
        assert found.cast_exact.format("`c`") == "CAST(`c` AS CHAR)"
        assert found.cast is None


def test_mariadb_json_is_json():
    assert forms(ColumnFacts(type="longtext", json=True)).arrow == "arrow.json"


def test_labels_mean_what_they_quote():
    found = forms(ColumnFacts(type=r"enum('it''s','a\\b','new\nline','),(','')"))
    assert found.labels == ("it's", "a\\b", "new\nline", "),(", "")
    assert forms(ColumnFacts(type="set('x','y''')")).members == ("x", "y'")


def test_an_unknown_type_names_the_column_and_the_remedy():
    facts = ColumnFacts(type="xmltype", table="db.t", column="c")
    with pytest.raises(UnsupportedType, match="xmltype") as caught:
        forms(facts)
    assert caught.value.column == "c"
    assert "{'db.t.c': 'char'}" in caught.value.hint
    assert retyped(facts, "char")[1].arrow == "string"


EXACT = [
    ("tinyint(1)", "boolean", "bool"), ("tinyint(4) unsigned", "boolean", "bool"),
    ("int(10) unsigned", "signed", "int64"), ("int", "decimal(10)", "decimal128(10, 0)"),
    ("bigint unsigned", "decimal(20,0)", "decimal128(20, 0)"), ("float", "double", "double"),
    ("decimal(10,2)", "DECIMAL(12, 4)", "decimal128(12, 4)"), ("mediumint", "double", "double"),
    ("bit(63)", "signed", "int64"), ("bit(64)", "unsigned", "uint64"),
    ("year(4)", "char", "string"), ("varchar(36)", "uuid", "arrow.uuid"),
    ("text", "json", "arrow.json"),
    ("text", "binary", "binary"), ("json", "char", "string"), ("double", "char", "string"),
    ("inet6", "char", "string"), ("datetime(6)", " Char ", "string"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "wanted", "arrow"), EXACT)
def test_casts_that_keep_every_value(type_, wanted, arrow):
    assert retyped(ColumnFacts(type=type_), wanted)[1].arrow == arrow


@pytest.mark.parametrize(
    ("type_", "wanted"),
    [("int", "boolean"), ("bigint unsigned", "signed"), ("bit(64)", "signed"), ("int", "unsigned"),
     ("bigint unsigned", "decimal(19,0)"), ("decimal(10,2)", "decimal(10,3)"), ("int", "date"),
     ("decimal(10,2)", "decimal(11,1)"), ("float", "char"), ("bigint", "double"), ("", "char); --"),
     ("blob", "char"), ("point", "char"), ("char(35)", "uuid"), ("decimal(10,2)", "double"),
     ("int", "decimal(66,2)"), ("int", "decimal(0,0)"), ("int", "decimal(5,10)")],
)  # fmt: skip
def test_casts_that_may_change_values_are_refused(type_, wanted):
    with pytest.raises(ConfigError, match="would not keep"):
        retyped(ColumnFacts(type=type_, table="db.t", column="c"), wanted)


def lines(*inner: str, tail: str = ") ENGINE=InnoDB"):
    return parse("CREATE TABLE `t` (\n  " + ",\n  ".join(inner) + f"\n{tail}", NAME)


@pytest.mark.parametrize(
    "line",
    ["`a` int NEWWORD", "`a` int DEFAULT", "`a`", "`a` int DEFAULT (1", "NEW KEY `k` (`a`)",
     "KEY `k` (`a`) STRANGE", "KEY `k` (`a` SIDEWAYS)", "CONSTRAINT `c` UNIQUE (`a`)", "KEY `k`",
     "CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `o` (`b`) ON DELETE EXPLODE",
     "CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `o` (`b`) ON TRUNCATE CASCADE",
     "CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `o` (`b`) MATCH ODD", "CHECK (1) MAYBE",
     "`a` int GENERATED ALWAYS AS (1) SOMEHOW", "`a` int COMMENT 5", "PERIOD FOR `p` (`a`) LONG"],
)  # fmt: skip
def test_a_line_that_is_not_understood_is_named(line):
    with pytest.raises(SourceError, match="does not know") as caught:
        lines("`ok` int", line)
    assert caught.value.table == "db.t"
    assert line.split()[0] in caught.value.message


@pytest.mark.parametrize(
    "text", ["CREATE VIEW `v` AS SELECT 1", "", "CREATE TABLE `t` (\n `a` int"]
)
def test_what_is_no_table_is_refused(text):
    with pytest.raises(SourceError):
        parse(text, NAME)


def test_lines_of_older_and_other_servers():
    found = lines(
        "`a` timestamp /* 5.5 binary format */ NOT NULL DEFAULT '0000-00-00 00:00:00'",
        "`b` int(11) GENERATED ALWAYS AS (`a` + 1) PERSISTENT",
        "`c` varchar(5) COLLATE utf8_bin DEFAULT NULL COMMENT 'x,\\'y'",
        "`d` blob COMPRESSION='zlib'",
        "`e` double DEFAULT -1.5e-10",
        "PRIMARY KEY (`a` DESC,`b`) /*!80000 INVISIBLE */",
        "KEY `k` (`c`) KEY_BLOCK_SIZE=4 USING BTREE",
        "VECTOR KEY `v` (`d`) `M`=6 `DISTANCE`=cosine",
        "CONSTRAINT `f` FOREIGN KEY (`a`, `b`) REFERENCES `o.db`.`o` (`x`, `y`)",
        tail=") ENGINE=InnoDB AUTO_INCREMENT=7 CONNECTION='x' COMMENT='AUTO_INCREMENT=8'",
    )
    default = {c.name: c.default for c in found.columns}
    assert (default["a"], default["e"]) == ("'0000-00-00 00:00:00'", "-1.5e-10")
    assert found.columns[1].stored
    assert found.columns[2].comment == "x,'y"
    [primary] = found.keys
    assert (primary.columns, primary.extra["descending"]) == (("a", "b"), "yes,no")
    assert [i.kind for i in found.indexes] == ["sorted", "vector"]
    assert found.foreign_keys[0].references == QualifiedName("o.db", "o")
    assert found.options == "ENGINE=InnoDB CONNECTION='x' COMMENT='AUTO_INCREMENT=8'"


def test_a_check_within_a_column_makes_way_for_one_of_that_name():
    found = lines(
        "`a` int(11) DEFAULT NULL CHECK (`a` > 1) COMMENT 'x'",
        "`j` longtext DEFAULT NULL CHECK (json_valid(`j`))",
        "`k` longtext DEFAULT NULL CHECK (json_valid(`j`))",
        "CONSTRAINT `a` CHECK (`a` < 9)",
    )
    checks = [(c.name, c.definition) for c in found.checks]
    assert checks == [
        ("a", "CHECK (`a` < 9)"),
        ("a_check", "CHECK (`a` > 1)"),
        ("k", "CHECK (json_valid(`j`))"),
    ]
    assert found.columns[0].definition == "int(11) DEFAULT NULL COMMENT 'x'"
    assert [c.json for c in found.columns] == [False, True, False]


def test_bytes_that_are_no_text_become_digits():
    raw = (
        b"CREATE TABLE `t` (\n `\xc3\xa9` binary(4) DEFAULT '\\0\xff''\\\\',\n `b` int COMMENT 'y')"
    )
    text = text_of(raw)
    assert "`é` binary(4) DEFAULT x'00ff275c'," in text
    assert parse(text, NAME).columns[0].default == "x'00ff275c'"
    assert text_of("as it is") == "as it is"


@pytest.mark.parametrize("seen", ["a", "abc", "ba", "ac", ""])
def test_columns_that_two_queries_tell_differently_are_refused(seen):
    told = lines("`a` int", "`b` int")
    check_columns(NAME, [{"name": "a"}, {"name": "b"}], told)
    with pytest.raises(SourceError, match=r"differ in db\.t"):
        check_columns(NAME, [{"name": c} for c in seen], told)
