"""A table of the model out of what the catalogue and SHOW CREATE TABLE tell of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastload.model import Column, QualifiedName, Table
from fastload_mysql.collations import ignored
from fastload_mysql.create_column import ColumnText
from fastload_mysql.create_table import CreateTable
from fastload_mysql.quoting import literal
from fastload_mysql.retyping import retyped
from fastload_mysql.sound_texts import sound, with_bytes
from fastload_mysql.typemap import ColumnFacts, Forms, forms

# Engines whose tables are elsewhere: their options may hold passwords.
_REMOTE = ("FEDERATED", "CONNECT", "SPIDER")
_ENCODINGS = {
    "utf8mb4": "utf-8", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be",
}  # fmt: skip
_BARE_CHARSET = re.compile(r"\bCHARSET=\w+\b(?! COLLATE=)")

Row = Mapping[str, Any]
Types = Mapping[tuple[str, str, str], str]


def table_of(
    name: QualifiedName,
    facts: Row,
    columns: Sequence[Row],
    create: CreateTable,
    text: str,
    types: Types,
) -> Table:
    """Return the table.

    Args:
        name: As the caller wants it named.
        facts: Its row of ``TABLES``.
        columns: Its rows of ``COLUMNS``, in order.
        create: The text of SHOW CREATE TABLE, read.
        text: That text.
        types: Types to read columns as.
    """
    texts = {c.name: c for c in create.columns}
    return Table(
        name=name,
        columns=tuple(
            _column(name, r, texts[r["name"]], types.get((name.schema, name.name, r["name"])))
            for r in columns
        ),
        keys=create.keys,
        indexes=create.indexes,
        foreign_keys=create.foreign_keys,
        checks=create.checks,
        comment=facts["comment"] or None,
        rows=int(facts["rows"] or 0),
        bytes=int(facts["bytes"] or 0),
        partitioned=create.partitioning is not None,
        extra=_extra(facts, create, text),
    )


def _extra(facts: Row, create: CreateTable, text: str) -> dict[str, str]:
    engine = facts["engine"] or ""
    remote = engine.upper() in _REMOTE
    primary = any(k.primary for k in create.keys)
    found = {
        "engine": engine,
        "options": "" if remote else _collated_options(create.options, facts["collation"]),
        "create": "" if remote else text,
        "partitioning": create.partitioning,
        "row_format": facts["row_format"],
        "collation": facts["collation"],
        "signature": f"{create.fingerprint} {facts['made'] or ''}".strip(),
        "clustered": "yes" if engine.upper() == "INNODB" and primary else None,
        "periods": "\n".join(create.periods) or None,
        "versioned": "yes" if create.versioned else None,
        "remote": "yes" if remote else None,
    }
    return {k: v for k, v in found.items() if v is not None}


def _collated_options(options: str, collation: str | None) -> str:
    """Name the collation: older servers leave out what is another one's default no longer."""
    return _BARE_CHARSET.sub(rf"\g<0> COLLATE={collation}", options, 1) if collation else options


def _collated_definition(definition: str, row: Row) -> str:
    bare = f"{row['type']} CHARACTER SET {row['charset']}"
    rest = definition.removeprefix(bare)
    if rest == definition or rest.startswith(" COLLATE"):
        return definition
    return f"{bare} COLLATE {row['collation']}{rest}"


def _column(table: QualifiedName, row: Row, text: ColumnText, wanted: str | None) -> Column:
    facts = ColumnFacts(type=row["type"], json=text.json, table=str(table), column=row["name"])
    if wanted is not None:
        type_, found = retyped(facts, wanted)
        return _retyped(row, text, type_, sound(found, facts, row["charset"]))
    found = with_bytes(sound(forms(facts), facts, row["charset"]), facts, row["charset"])
    return Column(
        name=row["name"],
        type=row["type"],
        arrow=found.arrow,
        exact=found.exact,
        nullable=row["nullable"] == "YES",
        default=_default(text.default, row["charset"]),
        identity="by default" if text.auto_increment else None,
        generated=text.generated,
        on_update=text.on_update,
        length=found.length,
        virtual=text.generated is not None and not text.stored,
        labels=found.labels,
        members=tuple(found.members),
        collation=row["collation"],
        folds=_folds(row, found, text),
        padded=facts.base == "char",
        dated=text.period is not None,
        comment=row["comment"] or None,
        extra=_column_extra(found, row, text),
    )


def _folds(row: Row, found: Forms, text: ColumnText) -> str | None:
    """Return what comparisons ignore; labels differ in more than that, and documents are none."""
    if row["collation"] is None or found.labels or text.json:
        return None
    return ignored(row["collation"])


def _default(text: str | None, charset: str | None) -> str | None:
    """Return a default; MySQL writes the digits of a text that its catalogue cannot hold."""
    if text is None or charset not in _ENCODINGS or not text.startswith("0x"):
        return text
    return literal(bytes.fromhex(text[2:]).decode(_ENCODINGS[charset]))


def _retyped(row: Row, text: ColumnText, type_: str, found: Forms) -> Column:
    extra = {**codecs(found), "retyped": "yes"}
    counts = text.auto_increment and type_.startswith("bigint")
    if text.auto_increment and not counts:
        extra["uncounted"] = "yes"
    return Column(
        name=row["name"],
        type=type_,
        arrow=found.arrow,
        nullable=row["nullable"] == "YES",
        identity="by default" if counts else None,
        length=found.length,
        comment=row["comment"] or None,
        extra=extra,
    )


def codecs(found: Forms) -> dict[str, str]:
    """Return the codec words and casts there are, by name."""
    words = ("decode", "decode_exact", "encode", "encode_exact", "cast", "cast_exact")
    return {w: getattr(found, w) for w in words if getattr(found, w) is not None}


def _column_extra(found: Forms, row: Row, text: ColumnText) -> dict[str, str]:
    facts = {
        "definition": _collated_definition(text.definition, row),
        "charset": row["charset"],
        "invisible": "yes" if text.invisible else None,
        "srid": text.srid,
        "members": ",".join(found.members) if found.members else None,
        "generated": ("stored" if text.stored else "virtual") if text.generated else None,
        "period": text.period,
        "check": text.check if not text.json else None,
        "json": "yes" if text.json else None,
    }
    return {**codecs(found), **{k: v for k, v in facts.items() if v is not None}}
