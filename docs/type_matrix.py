"""What becomes of each type on its way: the tables of ``docs/reference/types.md``, from the code.

``python docs/type_matrix.py`` prints them; with ``--write`` it puts them into the page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastload_mysql import fitting as mysql_fitting
from fastload_mysql.flavours import server_of
from fastload_mysql.translation import translate as to_mysql
from fastload_mysql.typemap import ColumnFacts
from fastload_mysql.typemap import forms as mysql_forms
from fastload_postgres import fitting as postgres_fitting
from fastload_postgres.translation import translate as to_postgres
from fastload_postgres.typemap import TypeFacts
from fastload_postgres.typemap import forms as postgres_forms

from fastload.errors import PlanError
from fastload.model import Catalog, Column, Fit, QualifiedName, Table

PAGE = Path(__file__).parent / "reference" / "types.md"
BEGIN, END = "<!-- printed by docs/type_matrix.py -->", "<!-- end -->"
VERSIONS = {"mysql": "8.4.0", "mariadb": "10.11.0"}
TITLES = {"postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "arrow": "Arrow"}
LABELS = ("new", "paid")
_TABLE = QualifiedName("shop", "t")


def _modifier(precision: int, scale: int) -> int:
    return ((precision << 16) | (scale & 0x7FF)) + 4


# Type, and what the catalogue knows of it.
POSTGRES: dict[str, TypeFacts] = {
    "boolean": TypeFacts(oid=16, name="bool"),
    "smallint": TypeFacts(oid=21, name="int2"),
    "integer": TypeFacts(oid=23, name="int4"),
    "bigint": TypeFacts(oid=20, name="int8"),
    "oid": TypeFacts(oid=26, name="oid"),
    "real": TypeFacts(oid=700, name="float4"),
    "double precision": TypeFacts(oid=701, name="float8"),
    "numeric(12,2)": TypeFacts(oid=1700, name="numeric", typmod=_modifier(12, 2)),
    "numeric(60,10)": TypeFacts(oid=1700, name="numeric", typmod=_modifier(60, 10)),
    "numeric(70,10)": TypeFacts(oid=1700, name="numeric", typmod=_modifier(70, 10)),
    "numeric": TypeFacts(oid=1700, name="numeric"),
    "money": TypeFacts(oid=790, name="money"),
    "text": TypeFacts(oid=25, name="text"),
    "character varying(40)": TypeFacts(oid=1043, name="varchar", typmod=44),
    "character(8)": TypeFacts(oid=1042, name="bpchar", typmod=12),
    "name": TypeFacts(oid=19, name="name"),
    "citext": TypeFacts(oid=20000, name="citext"),
    "an enum": TypeFacts(oid=20001, name="mood", kind="e"),
    "bytea": TypeFacts(oid=17, name="bytea"),
    "uuid": TypeFacts(oid=2950, name="uuid"),
    "json": TypeFacts(oid=114, name="json"),
    "jsonb": TypeFacts(oid=3802, name="jsonb"),
    "xml": TypeFacts(oid=142, name="xml"),
    "date": TypeFacts(oid=1082, name="date"),
    "time": TypeFacts(oid=1083, name="time"),
    "time with time zone": TypeFacts(oid=1266, name="timetz"),
    "timestamp": TypeFacts(oid=1114, name="timestamp"),
    "timestamp with time zone": TypeFacts(oid=1184, name="timestamptz"),
    "interval": TypeFacts(oid=1186, name="interval"),
    "bit(8), bit varying": TypeFacts(oid=1562, name="varbit"),
    "inet": TypeFacts(oid=869, name="inet"),
    "cidr": TypeFacts(oid=650, name="cidr"),
    "macaddr": TypeFacts(oid=829, name="macaddr"),
    "point": TypeFacts(oid=600, name="point"),
    "tsvector": TypeFacts(oid=3614, name="tsvector"),
    "int4range": TypeFacts(oid=3904, name="int4range", kind="r"),
    "regclass": TypeFacts(oid=2205, name="regclass"),
    "integer[]": TypeFacts(oid=1007, name="_int4", element=23, element_kind="b"),
    "text[]": TypeFacts(oid=1009, name="_text", element=25, element_kind="b"),
    "numeric[]": TypeFacts(oid=1231, name="_numeric", element=1700, element_kind="b"),
    "inet[]": TypeFacts(oid=1041, name="_inet", element=869, element_kind="b"),
    "a composite type": TypeFacts(oid=20002, name="pair", kind="c"),
}
_LENGTHS = {"character varying(40)": 40, "character(8)": 8}
_OF_BOTH = (
    "tinyint(1)", "tinyint", "smallint", "mediumint", "int", "bigint", "tinyint unsigned",
    "smallint unsigned", "mediumint unsigned", "int unsigned", "bigint unsigned", "float",
    "double", "decimal(12,2)", "decimal(65,30)", "bit(1)", "bit(8)", "date", "datetime",
    "datetime(6)", "timestamp", "time", "time(6)", "year", "char(8)", "varchar(40)", "text",
    "longtext", "binary(16)", "varbinary(40)", "blob", "longblob", "enum('new','paid')",
    "set('a','b')", "json", "geometry", "point",
)  # fmt: skip
MYSQL = (*_OF_BOTH, "vector(3)")
MARIADB = (*_OF_BOTH, "uuid", "inet4", "inet6")
ARROW = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "halffloat", "float", "double", "decimal128(12, 2)", "decimal256(60, 10)", "string",
    "large_string", "string_view", "dictionary<values=string, indices=int32, ordered=0>",
    "binary", "large_binary", "fixed_size_binary[16]", "arrow.uuid", "arrow.json",
    "date32[day]", "date64[ms]", "time32[s]", "time64[us]", "timestamp[s]", "timestamp[us]",
    "timestamp[ns]", "timestamp[us, tz=UTC]", "duration[us]", "month_day_nano_interval",
    "list<int32>", "list<string>", "null",
)  # fmt: skip
_CHARACTER = re.compile(r"(?:var)?char|.*text|enum|set")


@dataclass
class Notes:
    """Remarks of a table, each with a number."""

    found: dict[str, int] = field(default_factory=dict)

    def mark(self, reason: str) -> str:
        """Return the mark of a remark."""
        number = self.found.setdefault(reason, len(self.found) + 1)
        return f" [{number}]"

    def lines(self) -> list[str]:
        """Return them in order."""
        return [f"{number}. {reason}" for reason, number in self.found.items()]


def tables() -> str:
    """Return all tables, as the page has them."""
    sections = [
        _section("postgres", {t: _of_postgres(t, f) for t, f in POSTGRES.items()}),
        _section("mysql", {t: _of_mysql(t) for t in MYSQL}),
        _section("mariadb", {t: _of_mysql(t) for t in MARIADB}),
        _section("arrow", {t: Column(name="c", type=t, arrow=t) for t in ARROW}),
    ]
    return "\n\n".join(sections)


def page(text: str) -> str:
    """Return the page's text with the tables as they are now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


def _section(kind: str, columns: Mapping[str, Column]) -> str:
    notes = Notes()
    targets = [t for t in ("postgres", "mysql", "mariadb") if t != kind]
    arrow = [] if kind == "arrow" else ["Arrow", "beyond it"]
    head = [TITLES[kind], *arrow, *(TITLES[t] for t in targets)]
    rows = [head, ["---"] * len(head)]
    for type_, column in columns.items():
        forms = [_spelled(column.arrow), _beyond(column)] if arrow else []
        made = [_made(column, kind, target, notes) for target in targets]
        rows.append([_code(type_), *forms, *made])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"### From {TITLES[kind]}", "", *lines, "", *notes.lines()])


def _made(column: Column, kind: str, target: str, notes: Notes) -> str:
    """Return the type that a column is made as on a target, with remarks."""
    source = Catalog(
        dialect=_dialect(kind),
        tables=(Table(name=_TABLE, columns=(column,), extra={"engine": "InnoDB"}),),
        schemas=(_TABLE.schema,),
        extra={"flavour": kind, "version": VERSIONS.get(kind, "")},
    )
    try:
        wanted = _translated(source, target)
    except PlanError as error:
        return "refused" + notes.mark(error.message.removeprefix(f"{column.type} "))
    made = wanted.tables[0].columns[0]
    told = [n for n in wanted.not_carried if n not in source.not_carried]
    marks = "".join(notes.mark(f"{n.kind}: {n.reason}") for n in told)
    fit = _fit(column, made, kind, target)
    if not fit.possible or fit.loss:
        return "refused" + notes.mark(fit.reason or f"would lose {fit.loss}")
    own_enum = target == "postgres" and bool(made.labels)
    return ("an enum of its own" if own_enum else _code(made.type)) + marks


def _translated(source: Catalog, target: str) -> Catalog:
    if target == "postgres":
        return to_postgres(source)
    return to_mysql(source, flavour=target, version=VERSIONS[target])


def _fit(column: Column, made: Column, kind: str, target: str) -> Fit:
    if target == "postgres":
        return postgres_fitting.fit(column, made, _dialect(kind))
    server = server_of(target, VERSIONS[target])
    return mysql_fitting.fit(column, made, _dialect(kind), server)


def _dialect(kind: str) -> str:
    return "mysql" if kind == "mariadb" else kind


def _of_postgres(type_: str, facts: TypeFacts) -> Column:
    found = postgres_forms(facts)
    return Column(
        name="c",
        type=type_,
        arrow=found.arrow,
        exact=found.exact,
        length=_LENGTHS.get(type_),
        labels=LABELS if facts.kind == "e" else (),
        extra=found.codecs(),
    )


def _of_mysql(type_: str) -> Column:
    found = mysql_forms(ColumnFacts(type=type_))
    words = ("decode", "decode_exact", "encode", "encode_exact", "cast", "cast_exact")
    extra = {w: getattr(found, w) for w in words if getattr(found, w) is not None}
    if found.members:
        extra["members"] = ",".join(found.members)
    text = _CHARACTER.match(type_) is not None
    if text:
        extra["charset"] = "utf8mb4"
    return Column(
        name="c",
        type=type_,
        arrow=found.arrow,
        exact=found.exact,
        length=found.length,
        labels=found.labels,
        collation="utf8mb4_bin" if text else None,
        extra=extra,
    )


def _beyond(column: Column) -> str:
    if column.exact is None:
        return ""
    return "as text" if column.exact.endswith("string]") else "as bytes"


def _spelled(arrow: str) -> str:
    opaque = re.fullmatch(r"opaque\[(.+), ([^,]+), ([^,]+)\]", arrow)
    if opaque is None:
        return _code(arrow)
    return f"opaque {'text' if opaque[3] == 'string' else 'bytes'}"


def _code(type_: str) -> str:
    return type_ if type_.startswith(("a ", "an ")) else f"`{type_}`"


def main(arguments: Iterable[str]) -> None:
    """Print the tables, or write them into the page."""
    if "--write" in arguments:
        PAGE.write_text(page(PAGE.read_text()))
    else:
        print(tables())


if __name__ == "__main__":
    main(sys.argv[1:])
