"""What a memory database makes of another's catalogue, and the steps that make it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastload.adapter import SchemaSpec
from fastload.model import (
    Catalog,
    Column,
    Fit,
    Inspection,
    NotCarried,
    Step,
    Steps,
    Table,
)
from fastload.testing.memory.source import DIALECT
from fastload.testing.memory.statements import (
    Create,
    Declare,
    Drop,
    Empty,
    MakeSequence,
    Rename,
    write_down,
)

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_TEXTS = ("string", "large_string", "string_view")


def translate(catalog: Catalog) -> Catalog:
    """Return the catalogue with Arrow's types as types; see ``Target.translate``."""
    if catalog.dialect == DIALECT:
        return catalog
    reason = "its expression is in another database's words"
    left: list[NotCarried] = []
    for table in catalog.tables:
        left += [NotCarried("check", table.name.member(c.name), reason) for c in table.checks]
        left += [NotCarried("index", table.name.member(i.name), reason) for i in table.indexes]
        left += [
            NotCarried("default", table.name.member(c.name), reason)
            for c in table.columns
            if c.default is not None
        ]
    left += [NotCarried("type", str(e.name), "labels become text") for e in catalog.enums]
    return msgspec.structs.replace(
        catalog,
        dialect=DIALECT,
        tables=tuple(_translated(t) for t in catalog.tables),
        enums=(),
        not_carried=(*catalog.not_carried, *left),
    )


def _translated(table: Table) -> Table:
    columns = tuple(
        Column(name=c.name, type=c.arrow, arrow=c.arrow, nullable=c.nullable, generated=c.generated)
        for c in table.columns
    )
    return msgspec.structs.replace(
        table, columns=columns, indexes=(), checks=(), wires=(), extra={}
    )


def fit(source: Column, target: Column) -> Fit:
    """Say how values of one column fit another; see ``Target.fit``."""
    here, there = source.arrow, target.arrow
    if target.generated is not None:
        return Fit(possible=False, reason="the target generates this column itself")
    if here == there or all(t in _INTEGERS for t in (here, there)):
        return Fit(same=here == there)
    if all(t in _TEXTS for t in (here, there)) or (here, there) == ("float", "double"):
        return Fit()
    if (here, there) == ("double", "float"):
        return Fit(loss="digits beyond the seventh")
    return Fit(possible=False, reason=f"{here} is not written into {there}")


def render(catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
    """Return the steps before and after the rows; see ``Target.render``."""
    before: list[Step] = []
    after: list[Step] = []
    for table in catalog.tables:
        is_new = want.mode == "replace" or existing.table(table.name) is None
        before += _before(table, want.mode, is_new)
        if is_new:
            after += _after(table, want)
    for sequence in catalog.sequences:
        bare = msgspec.structs.replace(sequence, last_value=None)
        made = write_down(MakeSequence(bare))
        before.append(Step(id=f"sequence:{bare.name}", title=str(bare.name), statements=(made,)))
    return Steps(before=tuple(before), after=tuple(after))


def _before(table: Table, mode: str, is_new: bool) -> Iterator[Step]:
    bare = msgspec.structs.replace(table, keys=(), indexes=(), foreign_keys=())
    statements = []
    if mode == "replace":
        statements.append(write_down(Drop(table.name)))
    if is_new:
        statements.append(write_down(Create(bare)))
    if mode == "truncate":
        statements.append(write_down(Empty(table.name)))
    if statements:
        title = f"table {table.name}"
        yield Step(id=f"table:{table.name}", title=title, statements=tuple(statements))


def _after(table: Table, want: SchemaSpec) -> Iterator[Step]:
    names = dict(want.rename_columns.get(table.name, {}))
    declare = Declare(
        table.name,
        keys=table.keys,
        indexes=table.indexes if want.indexes else (),
        foreign_keys=table.foreign_keys if want.foreign_keys else (),
    )
    keys = Step(
        id=f"keys:{table.name}",
        title=f"keys and indexes of {table.name}",
        statements=(write_down(declare),),
        table=table.name,
        weight=table.bytes,
    )
    yield keys
    if names:
        yield Step(
            id=f"rename:{table.name}",
            title=f"column names of {table.name}",
            statements=(write_down(Rename(table.name, names)),),
            needs=(keys.id,),
            table=table.name,
        )
