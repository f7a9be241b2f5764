"""Another database's columns, and the sequences inside them, as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fastload.model import Column, QualifiedName, Sequence
from fastload_postgres.declaration import INTEGER_BOUNDS, Declared, Place
from fastload_postgres.names import Wanted
from fastload_postgres.wording import Wording


def tell_folding(words: Wording) -> None:
    """Tell of columns whose texts were equal and no longer are."""
    for column in words.table.columns:
        if column.folds is not None:
            reason = f"comparisons and unique keys no longer ignore {column.folds}"
            words.tell("collation", column.name, reason)


def translate_column(column: Column, words: Wording, found: Declared) -> Column:
    """Return the column as it is declared here; what its type loses is told."""
    if found.lost:
        words.tell("type", column.name, found.lost)
    if column.members:
        listed = ", ".join(column.members)
        words.tell("members", column.name, f"any text is taken, not only lists of {listed}")
    type_, forms = found.type, found.forms
    return msgspec.structs.replace(
        column,
        type=type_,
        arrow=forms.arrow,
        exact=forms.exact,
        default=_default(column, words, forms.arrow),
        identity=_identity(column, words, type_),
        generated=_generated(column, words, forms.arrow),
        virtual=False,
        members=(),
        on_update=_on_update(column, words, forms.arrow),
        length=column.length if type_.startswith("character varying") else None,
        labels=column.labels if forms.encode == "enum" else (),
        collation=None,
        folds=None,
        padded=False,
        extra=forms.codecs(),
    )


def _default(column: Column, words: Wording, arrow: str) -> str | None:
    if column.default is None or column.identity or column.generated is not None:
        return None
    return words.say_of_column(column.default, "default", "default", column.name, arrow).text


def _on_update(column: Column, words: Wording, arrow: str) -> str | None:
    """Return what every update sets the column to; whether one does is the plan's choice."""
    if column.on_update is None:
        return None
    return words.say_of_column(column.on_update, "default", "on update", column.name, arrow).text


def _identity(column: Column, words: Wording, type_: str) -> str | None:
    if column.identity and type_ not in INTEGER_BOUNDS:
        words.tell("identity", column.name, f"PostgreSQL has none of type {type_}")
        return None
    return column.identity


def _generated(column: Column, words: Wording, arrow: str) -> str | None:
    """Return what the server computes the column from; None makes a column that is copied."""
    if column.generated is None:
        return None
    kind = "generated column"
    if column.labels:
        words.tell(kind, column.name, "PostgreSQL computes no enum: its values are copied")
        return None
    said = words.say_of_column(column.generated, "generated", kind, column.name, arrow)
    if said.columns & {c.name for c in words.table.columns if c.generated is not None}:
        words.tell(kind, column.name, "it is computed from one that is: its values are copied")
        return None
    if column.virtual and said.text is not None:
        words.tell("virtual column", column.name, "its values are stored")
    return said.text


def sequence_wanted(sequence: Sequence) -> tuple[str, Wanted] | None:
    """Return the schema and the wish for the name of an identity's sequence."""
    if sequence.owner is None or not sequence.identity:
        return None
    table, column = sequence.owner
    usual = f"{table.name}_{column}_seq"
    first = sequence.name.name
    return table.schema, Wanted(table.name, "sequence", column, first=first, second=usual)


def translate_sequence(
    sequence: Sequence,
    columns: Mapping[Place, Column],
    names: Mapping[str, Mapping[Wanted, str]],
) -> Sequence | None:
    """Return the sequence within what its type holds; None where its column is no identity."""
    name, type_ = sequence.name, sequence.type
    if wish := sequence_wanted(sequence):
        assert sequence.owner is not None
        column = columns.get(Place(*sequence.owner))
        if column is None or column.identity is None:
            return None
        name, type_ = QualifiedName(wish[0], names[wish[0]][wish[1]]), column.type
    type_ = type_ if type_ in INTEGER_BOUNDS else "bigint"
    low, high = INTEGER_BOUNDS[type_]
    low, high = max(low, sequence.minimum), min(high, sequence.maximum)
    last = sequence.last_value
    return msgspec.structs.replace(
        sequence,
        name=name,
        type=type_,
        start=max(low, min(high, sequence.start)),
        minimum=low,
        maximum=high,
        last_value=None if last is None else max(low, min(high, last)),
    )
