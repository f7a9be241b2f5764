"""An expression of one dialect in the words of another, or the reason why it has none there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from fastload.expressions import flavours, mysql, postgres
from fastload.expressions.literals import assigned, bare
from fastload.expressions.reading import Reading
from fastload.expressions.term import (
    FRESH,
    LITERALS,
    NUMBERS,
    Refused,
    Term,
    as_bool,
    as_number,
    every,
    kind_of,
)

if TYPE_CHECKING:
    from fastload.expressions.dialect import Dialect
    from fastload.model import Column

Use: TypeAlias = Literal["default", "generated", "check", "index", "unique"]

_DIALECTS = {d.name: d for d in (mysql.DIALECT, postgres.DIALECT)}
# Letters of other alphabets have other cases elsewhere; an index that only finds may have them.
_LOCAL = frozenset({"lower", "upper"})


class Translated(NamedTuple):
    """The answer: the text, or None and the reason in words.

    Attributes:
        columns: Names of the columns that a translated expression is made of.
    """

    text: str | None
    reason: str | None = None
    columns: frozenset[str] = frozenset()


def translate(
    text: str,
    *,
    read: str,
    write: str,
    use: Use,
    columns: Mapping[str, Column],
    column: str | None = None,
    into: str | None = None,
) -> Translated:
    """Return an expression in another dialect.

    Wherever the source yields a value, the target yields the same. Where the source fails, as on
    an overflow, the target may yield a value. The time of a statement stands for that of its
    transaction, which MySQL does not keep, and one fresh UUID for another.

    Args:
        text: The expression as the source's catalogue shows it; PostgreSQL's ``CHECK (...)`` may
            stand around it.
        read: Dialect of the text, as sqlglot calls it: ``mysql`` (also MariaDB) or ``postgres``.
        write: Dialect of the answer.
        use: What it is for; ``unique`` is a key of a unique index.
        columns: The source table's columns by name.
        column: Whose default it is, or whose values it generates.
        into: Arrow type of that column on the target; without it, as on the source.
    """
    if read == write:
        return Translated(text)
    there = _DIALECTS.get(write)
    if read not in _DIALECTS or there is None:
        return Translated(None, f"expressions are not translated from {read} to {write}")
    owner = columns.get(column) if column is not None else None
    arrow = into or (owner.arrow if owner else None)
    try:
        term = _read(text, _DIALECTS[read], columns)
        _check_use(term, use)
        term = _fitted(term, use, owner, arrow)
        say = {"default": there.default, "check": there.check}.get(use, there.write)
        return Translated(say(term), columns=_columns_of(term))
    except Refused as refused:
        return Translated(None, str(refused))


def keep(
    text: str,
    *,
    use: Use,
    columns: Mapping[str, Column],
    here: Mapping[str, Column],
    column: str | None = None,
) -> Translated:
    """Return an expression of MySQL for MariaDB, or the other way round, as it is; or why not.

    Args:
        text: The expression as the source's catalogue shows it.
        use: What it is for.
        columns: The source table's columns by name.
        here: The same columns as the target has them.
        column: Whose default it is, or whose values it generates.
    """
    owner = columns.get(column) if column is not None else None
    arrow = here[column].arrow if column is not None else None
    try:
        term = _read(text, flavours.both(here, trusted=use != "check"), columns)
        if use != "default" or not _columns_of(term):
            _check_use(term, use)
        flavours.check_literals(term)
        _fitted(term, use, owner, arrow)
        return Translated(text, columns=_columns_of(term))
    except Refused as refused:
        return Translated(None, str(refused))


def translate_literal(text: str, *, write: str, into: str) -> Translated:
    """Return a default that a catalogue shows as bare text, without quotes.

    Args:
        text: The value, such as ``it's``, ``0`` or ``b'1'``.
        write: Dialect of the answer.
        into: Arrow type of the column on the target.
    """
    there = _DIALECTS.get(write)
    if there is None:
        return Translated(None, f"expressions are not translated to {write}")
    try:
        if "?" in text:
            raise Refused("a question mark, which may stand for what the catalogue cannot show")
        return Translated(there.default(bare(text, kind_of(into))))
    except Refused as refused:
        return Translated(None, str(refused))


def _columns_of(term: Term) -> frozenset[str]:
    return frozenset(t.value for t in every(term) if t.op == "column")


def _read(text: str, dialect: Dialect, columns: Mapping[str, Column]) -> Term:
    return Reading(dialect, columns).term(_parsed(dialect.clean(text.strip()), dialect.name))


def _parsed(text: str, dialect: str) -> Any:
    try:
        import sqlglot
    except ImportError:
        raise Refused("sqlglot, which reads expressions, is not installed") from None
    try:
        return sqlglot.parse_one(text, read=dialect, into=sqlglot.exp.Condition)
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise Refused("sqlglot cannot read it as one expression") from None


def _check_use(term: Term, use: Use) -> None:
    ops = {t.op for t in every(term)}
    if use == "default" and "column" in ops:
        raise Refused("a default made of other columns, which PostgreSQL has not")
    if use != "default" and ops & FRESH:
        raise Refused("it yields something else each time")
    if use != "index" and ops & _LOCAL:
        raise Refused("which letters LOWER and UPPER know depends on the server's locale")


def _fitted(term: Term, use: Use, owner: Column | None, arrow: str | None) -> Term:
    if use == "check":
        return as_bool(term)
    if use in ("index", "unique") or arrow is None:
        return term
    if term.op in LITERALS:
        return assigned(term, kind_of(arrow))
    if term.op in FRESH:
        return _fresh(term, kind_of(owner.arrow) if owner else kind_of(arrow), arrow)
    return _stored(term, kind_of(arrow))


def _fresh(term: Term, source: str, arrow: str) -> Term:
    """Return a moment or a UUID as the target's column takes it."""
    target = kind_of(arrow)
    if term.op == "uuid" and target in ("uuid", "text"):
        return term if target == "uuid" else term._replace(op="uuid_text", kind="text")
    if term.op == "today" and target == "date":
        return term
    if term.op in ("now", "utc_now"):
        _check_digits(term, arrow)
        if source == target and target in ("timestamp", "timestamptz"):
            if term.op == "utc_now" and target == "timestamptz":
                raise Refused("a time of UTC that the session takes for its own")
            return term
        if (source, target, term.kind) == ("timestamptz", "timestamp", "timestamptz"):
            return term._replace(op="utc_now", kind="timestamp")
    raise Refused(f"a {term.kind} for a column of kind {target}")


def _check_digits(term: Term, arrow: str) -> None:
    units = {"0": ("s", "ms", "us", "ns"), "3": ("ms", "us", "ns"), "6": ("us", "ns")}
    if not arrow.startswith(tuple(f"timestamp[{u}" for u in units.get(term.value, ("us", "ns")))):
        raise Refused("a time of more digits than the column has")


def _stored(term: Term, kind: str) -> Term:
    """Return a computed value as the column of this kind stores it."""
    if term.kind == "bool" and kind in NUMBERS:
        term = as_number(term)
    exact = term.kind in ("integer", "unsigned", "decimal")
    if kind == term.kind and kind != "other":
        return term
    if exact and kind in NUMBERS - {"single"}:
        return term
    if term.kind == "single" and kind == "float":
        return term
    raise Refused(f"a value of kind {term.kind} for a column of kind {kind}")
