"""PostgreSQL's catalogue as fastload's model, in a handful of set-based queries."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from fastload import partition
from fastload.adapter import Selection
from fastload.errors import ConfigError
from fastload.model import (
    Catalog,
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    NotCarried,
    QualifiedName,
    Table,
)
from fastload.model import Sequence as SequenceModel
from fastload.naming import column_of, spelled
from fastload.selection import without_unselected
from fastload_postgres import catalog_queries as queries
from fastload_postgres.connection import Connection
from fastload_postgres.dialect import DIALECT
from fastload_postgres.quoting import literal, qualified
from fastload_postgres.relations import read_relations
from fastload_postgres.typemap import BINARY, TEXT, TypeFacts, forms

if TYPE_CHECKING:
    from asyncpg import Record

_ROW_BYTES_GUESS = 100
_USER_OID = 16384
_PADDED_OID = 1042  # bpchar
_PLACES = ("column_names", "expressions", "descending")
_ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}


async def read_catalog(connection: Connection, select: Selection) -> Catalog:
    """Return the selected tables with what belongs to them; see ``Source.catalog``."""
    relations = await read_relations(connection, select)
    whole = select.tables is None and not select.names
    schemas = sorted({r.name.schema for r in relations})
    names = {r.oid: r.name for r in relations}
    tables = await read_tables(connection, names, select.types)
    oids = list(names)
    in_whole_schemas = schemas if whole else []
    enums = await connection.fetch(queries.ENUMS, oids, in_whole_schemas)
    sequences = await read_sequences(connection, oids, in_whole_schemas)
    tables, dropped = without_unselected(tables)
    return Catalog(
        dialect=DIALECT,
        tables=tuple(tables),
        schemas=tuple(schemas),
        enums=tuple(_enum(r) for r in enums),
        sequences=sequences,
        not_carried=(
            *dropped,
            *(_unread(s) for s in sequences if s.last_value is None),
            *await _left_behind(connection, oids, schemas if whole else [], whole, tables),
        ),
    )


async def read_tables(
    connection: Connection,
    names: Mapping[int, QualifiedName],
    types: Mapping[tuple[str, str, str], str] | None = None,
) -> list[Table]:
    """Return the tables of these oids, in this order, with columns, keys and estimates."""
    if not names:
        return []
    oids, version = list(names), connection.get_server_version().major
    retyped = await _retyped(connection, types or {})
    columns = _by_oid(await connection.fetch(queries.for_version(queries.COLUMNS, version), oids))
    constraints = _by_oid(
        await connection.fetch(queries.for_version(queries.CONSTRAINTS, version), oids)
    )
    indexes = _by_oid(await connection.fetch(queries.for_version(queries.INDEXES, version), oids))
    facts = {r["oid"]: r for r in await connection.fetch(queries.TABLES, oids)}
    signatures = dict(await connection.fetch(queries.SIGNATURES, oids))
    made = [
        _table(names[oid], facts[oid], columns[oid], constraints[oid], indexes[oid], retyped)
        for oid in oids
    ]
    _check_retyped(made, types or {})
    # Only tables that may be partitioned: pg_stats takes 0.7 ms per table.
    large = [o for o, t in zip(oids, made, strict=True) if t.bytes > partition.SMALLEST_BYTES]
    correlations = dict(await connection.fetch(queries.CORRELATIONS, large)) if large else {}
    return [
        msgspec.structs.replace(
            table,
            extra={
                **table.extra,
                "signature": signatures.get(oid, ""),
                **({"correlation": str(correlations[oid])} if oid in correlations else {}),
            },
        )
        for oid, table in zip(oids, made, strict=True)
    ]


def _by_oid(rows: Iterable[Record]) -> defaultdict[int, list[Record]]:
    grouped: defaultdict[int, list[Record]] = defaultdict(list)
    for row in rows:
        grouped[row["oid"]].append(row)
    return grouped


def _table(
    name: QualifiedName,
    facts: Record,
    columns: Sequence[Record],
    constraints: Sequence[Record],
    indexes: Sequence[Record],
    retyped: Mapping[tuple[str, str, str], TypeFacts],
) -> Table:
    made = tuple(
        _column(name, r, retyped.get((name.schema, name.name, r["name"]))) for r in columns
    )
    data = [c for c in made if c.generated is None]
    wires = tuple(w for w in (BINARY, TEXT) if all(w in c.extra["wires"].split() for c in data))
    size_bytes = facts["total_bytes"]
    guess = size_bytes // _ROW_BYTES_GUESS
    return Table(
        name=name,
        columns=made,
        keys=tuple(_key(r) for r in constraints if r["kind"] in "pu" and not r["exclusion"]),
        indexes=(
            *(_index(r) for r in indexes if r["valid"]),
            *(_constraint_index(r) for r in constraints if r["kind"] == "x" or r["exclusion"]),
        ),
        foreign_keys=tuple(_foreign_key(r) for r in constraints if r["kind"] == "f"),
        checks=tuple(
            Check(name=r["name"], definition=r["definition"], comment=r["comment"])
            for r in constraints
            if r["kind"] == "c"
        ),
        comment=facts["comment"],
        rows=guess if facts["unknown"] else int(facts["rows"] or 0),
        bytes=size_bytes,
        wires=wires,
        extra=_facts(facts, [r["name"] for r in indexes if not r["valid"]]),
    )


def _facts(facts: Record, invalid: list[str]) -> dict[str, str]:
    found = {
        "oid": str(facts["oid"]),
        "relkind": facts["kind"],
        "persistence": facts["persistence"],
        "pages": str(facts["bytes"] // 8192),
        "options": facts["options"],
        "inherits": "yes" if facts["inherits"] else None,
        "row_security": "yes" if facts["row_security"] else None,
        "invalid_indexes": "\n".join(invalid) or None,
        "replica_identity": facts["identity"] if facts["identity"] in "nf" else None,
    }
    return {k: v for k, v in found.items() if v is not None}


def _column(table: QualifiedName, row: Record, retyped: TypeFacts | None) -> Column:
    facts = retyped or TypeFacts(
        oid=row["base"],
        name=row["base_name"],
        kind=row["kind"],
        typmod=row["typmod"],
        element=row["element"],
        element_kind=row["element_kind"],
        binary=row["binary"],
    )
    found = forms(facts)
    user_type = facts.oid >= _USER_OID and "e" not in (facts.kind, facts.element_kind)
    cast = f"::{retyped.name}" if retyped else "::text" if found.cast else None
    extra = {
        "decode": found.decode,
        "decode_exact": found.decode_exact,
        "encode": found.encode,
        "encode_exact": found.encode_exact,
        "cast": cast,
        "retyped": "yes" if retyped else None,
        "wires": " ".join(found.wires),
        "oid": str(facts.oid),
        "user_type": row["type"] if user_type else None,
        "domain": row["domain"],
        "storage": row["storage"],
        "compression": row["compression"],
        "generated": row["generated"],
    }
    generated = row["generated"] is not None
    return Column(
        name=row["name"],
        type=retyped.name if retyped else row["type"],
        arrow=found.arrow,
        exact=found.exact,
        nullable=not row["not_null"],
        default=None if generated or retyped else row["default"],
        identity={"a": "always", "d": "by default"}.get(row["identity"] or ""),
        generated=row["default"] if generated else None,
        length=row["length"] if facts.oid == row["base"] else None,
        labels=tuple(row["labels"] or ()) if facts.kind == "e" and not retyped else (),
        collation=None if retyped else row["collation"],
        padded=facts.oid == _PADDED_OID,
        comment=row["comment"],
        extra={k: v for k, v in extra.items() if v is not None},
    )


def _key(row: Record) -> Key:
    extra = {"tail": row["tail"]}
    if row["deferrable"]:
        extra["deferrable"] = "INITIALLY DEFERRED" if row["deferred"] else "INITIALLY IMMEDIATE"
    if row["replica_identity"]:
        extra["replica_identity"] = "yes"
    return Key(
        name=row["name"],
        columns=tuple(row["columns"]),
        primary=row["kind"] == "p",
        deferrable=row["deferrable"],
        include=tuple(row["include"] or ()),
        nulls_distinct=" NULLS NOT DISTINCT" not in (row["tail"] or ""),
        comment=row["comment"],
        extra=extra,
    )


def _index(row: Record) -> Index:
    extra = {fact: "yes" for fact in ("replica_identity", "expression") if row[fact]}
    return Index(
        name=row["name"],
        unique=row["unique"],
        definition=row["definition"],
        columns=tuple(_index_column(c) for c in zip(*(row[f] for f in _PLACES), strict=True)),
        where=row["condition"],
        kind="sorted" if row["method"] == "btree" else row["method"],
        comment=row["comment"],
        extra=extra,
    )


def _index_column(place: tuple[str | None, str, bool]) -> IndexColumn:
    name, expression, descending = place
    if name is not None:
        return IndexColumn(name=name, descending=descending)
    return IndexColumn(expression=expression, descending=descending)


def _constraint_index(row: Record) -> Index:
    return Index(
        name=row["name"],
        unique=False,
        definition=row["definition"],
        comment=row["comment"],
        extra={"constraint": "yes"},
    )


def _foreign_key(row: Record) -> ForeignKey:
    definition: str = row["definition"]
    tail = definition[_end_of_references(definition) :].replace(" NOT VALID", "").strip()
    return ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        references=QualifiedName(row["ref_schema"], row["ref_name"]),
        referenced_columns=tuple(row["ref_columns"]),
        actions=tail,
        on_delete=_ACTIONS[row["on_delete"]],
        on_update=_ACTIONS[row["on_update"]],
        comment=row["comment"],
        extra={} if row["validated"] else {"not_valid": "yes"},
    )


def _end_of_references(definition: str) -> int:
    """Return where the referenced columns end, by skipping quoted names and brackets."""
    at = definition.index(" REFERENCES ")
    while definition[at : at + 12] == " REFERENCES " and definition.count('"', 0, at) % 2:
        at = definition.index(" REFERENCES ", at + 1)
    quoted = False
    for position in range(at, len(definition)):
        if definition[position] == '"':
            quoted = not quoted
        elif definition[position] == ")" and not quoted:
            return position + 1
    return len(definition)


def _enum(row: Record) -> EnumType:
    return EnumType(
        name=QualifiedName(row["schema"], row["name"]),
        labels=tuple(row["labels"] or ()),
        comment=row["comment"],
    )


async def read_sequences(
    connection: Connection, oids: list[int], schemas: list[str]
) -> tuple[SequenceModel, ...]:
    """Return the sequences of these tables and schemas, with the values they stand at now."""
    rows = await connection.fetch(queries.SEQUENCES, oids, schemas)
    readable = [r for r in rows if r["readable"]]
    values = await _sequence_values(
        connection, [QualifiedName(r["schema"], r["name"]) for r in readable]
    )
    return tuple(_sequence(r, values) for r in rows)


async def current_sequences(
    connection: Connection, sequences: Sequence[SequenceModel]
) -> list[SequenceModel]:
    """Return those sequences that may be read, with the values they stand at now."""
    readable = [s for s in sequences if s.last_value is not None]
    values = await _sequence_values(connection, [s.name for s in readable])
    return [
        msgspec.structs.replace(s, last_value=values[s.name][0], is_called=values[s.name][1])
        for s in readable
    ]


async def _sequence_values(
    connection: Connection, names: Sequence[QualifiedName]
) -> dict[QualifiedName, tuple[int, bool]]:
    """Read every sequence's own row: what setval left is only there."""
    values: dict[QualifiedName, tuple[int, bool]] = {}
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        query = " UNION ALL ".join(
            f"SELECT {i} AS i, last_value, is_called FROM {qualified(n)}"
            for i, n in enumerate(part)
        )
        for row in await connection.fetch(query):
            values[part[row["i"]]] = (row["last_value"], row["is_called"])
    return values


def _sequence(row: Record, values: Mapping[QualifiedName, tuple[int, bool]]) -> SequenceModel:
    name = QualifiedName(row["schema"], row["name"])
    last, called = values.get(name, (None, False))
    owner = None
    if row["owner_table"]:
        owner = (QualifiedName(row["owner_schema"], row["owner_table"]), row["owner_column"])
    return SequenceModel(
        name=name,
        type=row["type"],
        start=row["start"],
        increment=row["increment"],
        minimum=row["minimum"],
        maximum=row["maximum"],
        cache=row["cache"],
        cycle=row["cycle"],
        last_value=last,
        is_called=called,
        owner=owner,
        identity=row["dependency"] == "i",
        comment=row["comment"],
    )


def _unread(sequence: SequenceModel) -> NotCarried:
    return NotCarried("value of sequence", str(sequence.name), "this user may not read it")


async def _left_behind(
    connection: Connection,
    oids: list[int],
    schemas: list[str],
    whole: bool,
    tables: Sequence[Table],
) -> list[NotCarried]:
    rows = list(await connection.fetch(queries.LEFT_BEHIND_OF_TABLES, oids))
    rows += await connection.fetch(queries.LEFT_BEHIND, schemas)
    if whole:
        rows += await connection.fetch(queries.LEFT_BEHIND_OF_DATABASE)
    found = [NotCarried(r["kind"], r["name"], r["reason"]) for r in rows]
    for table in tables:
        found += _left_behind_of(table)
    return found


def _left_behind_of(table: Table) -> list[NotCarried]:
    name, extra = str(table.name), table.extra
    found = []
    if extra["relkind"] == "p":
        found.append(NotCarried("partitioning", name, "made as one plain table with all rows"))
    if "inherits" in extra:
        found.append(NotCarried("inheritance", name, "made as a table of its own"))
    if "row_security" in extra:
        found.append(NotCarried("row security", name, "not switched on at the target"))
    for index in filter(None, extra.get("invalid_indexes", "").split("\n")):
        found.append(NotCarried("index", column_of(name, index), "it is invalid on the source"))
    for column in table.columns:
        if "domain" in column.extra:
            reason = f"made as {column.type}, without the domain {column.extra['domain']}"
            found.append(NotCarried("domain of column", column_of(name, column.name), reason))
    return found


async def _retyped(
    connection: Connection, types: Mapping[tuple[str, str, str], str]
) -> dict[tuple[str, str, str], TypeFacts]:
    """Look up the types that the user asked for instead."""
    found = {}
    for key, text in types.items():
        row = await connection.fetchrow(
            "SELECT t.oid, t.typname, t.typtype::text AS kind, "
            "CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8 AS element, "
            "coalesce(e.typtype::text, '') AS element_kind, "
            "t.typsend <> 0 AND t.typreceive <> 0 AS binary, format_type(t.oid, NULL) AS plain "
            "FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem "
            f"WHERE t.oid = to_regtype({literal(text)})"
        )
        if row is None or not re.fullmatch(r"[\w\s.\"(),\[\]]+", text):
            raise ConfigError(
                f"types names {text!r}, which is no type of the source",
                side="source",
                table=spelled(*key[:2]),
                column=key[2],
                hint="write a PostgreSQL type, such as text or numeric(12,2)",
            )
        found[key] = TypeFacts(
            oid=row["oid"],
            name=text,
            kind=row["kind"],
            typmod=_typmod(row["plain"], text),
            element=row["element"],
            element_kind=row["element_kind"],
            binary=row["binary"],
        )
    return found


def _typmod(plain: str, text: str) -> int:
    match = re.search(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", text)
    if plain != "numeric" or not match:
        return -1
    return ((int(match[1]) << 16) | int(match[2] or 0)) + 4


def _check_retyped(tables: Sequence[Table], types: Mapping[tuple[str, str, str], str]) -> None:
    for schema, name, column in types:
        table = next((t for t in tables if t.name == QualifiedName(schema, name)), None)
        if table and column not in {c.name for c in table.columns}:
            near = difflib.get_close_matches(column, [c.name for c in table.columns], 3, 0.3)
            raise ConfigError(
                f"types names a column that {table.name} does not have: {column!r}",
                hint=f"did you mean {', '.join(map(spelled, near))}?" if near else None,
            )


async def current_signatures(connection: Connection, oids: list[int]) -> dict[int, str]:
    """Return the columns of each table as one text, to see whether it was altered."""
    return dict(await connection.fetch(queries.SIGNATURES, oids))


async def storage(connection: Connection, oids: list[int]) -> dict[int, tuple[str, str]]:
    """Return per table the storage that the transaction's snapshot sees, and the current one."""
    rows = await connection.fetch(queries.FILENODES, oids)
    return {r["oid"]: (r["seen"], r["now"]) for r in rows}
