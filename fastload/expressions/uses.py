"""What an expression is for, and whether it is fit for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from fastload.expressions.literals import assigned
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
    from fastload.model import Column

Use: TypeAlias = Literal["default", "generated", "check", "index", "unique"]

# Letters of other alphabets have other cases elsewhere; an index that only finds may have them.
_LOCAL = frozenset({"lower", "upper"})


def check_use(term: Term, use: Use) -> None:
    """Refuse what may not stand in an expression for this use."""
    ops = {t.op for t in every(term)}
    if use == "default" and "column" in ops:
        raise Refused("a default made of other columns, which not every server has")
    if use != "default" and ops & FRESH:
        raise Refused("it yields something else each time")
    if use != "index" and ops & _LOCAL:
        raise Refused("which letters LOWER and UPPER know depends on the server's locale")


def fitted(term: Term, use: Use, owner: Column | None, arrow: str | None) -> Term:
    """Return a term as its use takes it.

    Args:
        term: What the expression means.
        use: What it is for.
        owner: Column whose default or whose values it is, as the source has it.
        arrow: Arrow type of that column on the target.
    """
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
