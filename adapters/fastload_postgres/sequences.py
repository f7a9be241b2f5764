"""Sequences of the target, set to where the source's stand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fastload.model import Sequence as SequenceModel
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import literal, qualified

_PER_QUERY = 500


async def advance(
    connection: Connection, sequences: Sequence[SequenceModel], *, keep_higher: bool
) -> None:
    """Set every sequence that has a value here and whose value is known."""
    known = [s for s in sequences if s.last_value is not None]
    for start in range(0, len(known), _PER_QUERY):
        part = known[start : start + _PER_QUERY]
        wanted = ", ".join(f"({i}, {_name(s)})" for i, s in enumerate(part))
        rows = await connection.fetch(
            "SELECT i, format('%I.%I', n.nspname, c.relname) AS name, seqmin, seqmax "
            f"FROM (VALUES {wanted}) AS w (i, found) JOIN pg_class c ON c.oid = w.found "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_sequence ON seqrelid = c.oid ORDER BY i"
        )
        calls = [
            _call(_within(part[r["i"]], r["seqmin"], r["seqmax"]), r["name"], keep_higher)
            for r in rows
        ]
        if calls:
            await connection.fetch(" UNION ALL ".join(calls))


def _within(sequence: SequenceModel, low: int, high: int) -> SequenceModel:
    """Return the sequence where this server's can stand: at its end it hands out no more."""
    assert sequence.last_value is not None
    last = max(low, min(high, sequence.last_value))
    return msgspec.structs.replace(sequence, last_value=last)


def _name(sequence: SequenceModel) -> str:
    """Return an expression for the sequence that serves here; NULL where there is none."""
    if sequence.owner is not None:
        table, column = sequence.owner
        return f"{_owned(qualified(table), column)}"
    return f"to_regclass({literal(qualified(sequence.name))})"


def _owned(table: str, column: str) -> str:
    return (
        f"(SELECT pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass "
        f"FROM pg_attribute a WHERE a.attrelid = to_regclass({literal(table)}) "
        f"AND a.attname = {literal(column)} AND NOT a.attisdropped)"
    )


def _call(sequence: SequenceModel, name: str, keep_higher: bool) -> str:
    value, called = f"({sequence.last_value}::int8)", str(sequence.is_called).lower()
    set_to = f"SELECT setval({literal(name)}, {value}, {called})"
    if not keep_higher:
        return set_to
    sign = "" if sequence.increment > 0 else "-"
    # A sequence that was not called yet hands out the value where it stands.
    order = f"({sign}last_value::numeric, is_called) < ({sign}{value}::numeric, {called})"
    return f"{set_to} FROM {name} WHERE {order}"
