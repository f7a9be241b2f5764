"""From sqlglot's tree to terms, by a list of what is known; the rest is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastload.expressions import arithmetic, comparisons, functions
from fastload.expressions.casts import cast
from fastload.expressions.literals import literal
from fastload.expressions.nodes import WITHOUT_ORDER, check_order, shown
from fastload.expressions.term import (
    Refused,
    Term,
    as_bool,
    as_number,
    digits_of,
    text,
    truth,
)

if TYPE_CHECKING:
    from fastload.expressions.dialect import Dialect, Reader
    from fastload.model import Column

_USUAL = frozenset({"this", "expression", "expressions"})
# What a node may carry beside; anything else would change its meaning and is refused.
_BESIDE = {
    "Between": {"low", "high"},
    "Case": {"ifs", "default"},
    "Cast": {"to"},
    "Concat": {"safe", "coalesce"},
    "DPipe": {"safe"},
    "Div": {"typed", "safe"},
    "Identifier": {"quoted"},
    "If": {"true", "false"},
    "Is": {"negate"},
    "Length": {"binary"},
    "Like": {"negate"},
    "Literal": {"is_string"},
    "Round": {"decimals"},
    "Uuid": {"is_string"},
    "AtTimeZone": {"zone"},
    "Greatest": {"ignore_nulls"},
    "Least": {"ignore_nulls"},
}


class Reading:
    """One expression being read."""

    def __init__(self, dialect: Dialect, columns: Mapping[str, Column]) -> None:
        self.dialect = dialect
        self._columns = {self._folded(name): column for name, column in columns.items()}

    def term(self, node: Any) -> Term:
        """Return what a node means."""
        name = type(node).__name__
        read = self.dialect.readers.get(name) or _READERS.get(name)
        if read is None:
            raise Refused(f"{shown(node)} is not known to mean the same in both")
        beside = {k for k, v in node.args.items() if v} - _USUAL - _BESIDE.get(name, set())
        if beside:
            raise Refused(f"{shown(node)} has {', '.join(sorted(beside))} of its own")
        return read(self, node)

    def terms(self, nodes: list[Any]) -> list[Term]:
        """Return what each node means."""
        return [self.term(n) for n in nodes]

    def number(self, node: Any) -> Term:
        """Return a node that stands for a number."""
        return as_number(self.term(node))

    def operand(self, node: Any) -> Term:
        """Return a number beside an operator, which no comparison without parentheses is."""
        check_order(node, WITHOUT_ORDER)
        return self.number(node)

    def bool(self, node: Any) -> Term:
        """Return a node that stands for true or false."""
        return as_bool(self.term(node))

    def column(self, name: str) -> Column:
        """Return the column of this name."""
        try:
            return self._columns[self._folded(name)]
        except KeyError:
            raise Refused(f"{name} is not a column of the table") from None

    def _folded(self, name: str) -> str:
        return name.casefold() if self.dialect.folds_names else name


def _column(reading: Reading, node: Any) -> Term:
    if type(node.this).__name__ != "Identifier":
        raise Refused(f"{shown(node)} is not a column")
    column = reading.column(node.this.this)
    kind = reading.dialect.kind(column)
    return Term("column", kind, value=column.name, digits=digits_of(column.arrow))


def _literal(reading: Reading, node: Any) -> Term:
    return text(node.this) if node.is_string else literal(node.this, "float")


def _paren(reading: Reading, node: Any) -> Term:
    return reading.term(node.this)


def _logical(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        return Term(op, "bool", (reading.bool(node.this), reading.bool(node.expression)))

    return read


def _not(reading: Reading, node: Any) -> Term:
    return Term("not", "bool", (reading.bool(node.this),))


def _is(reading: Reading, node: Any) -> Term:
    kind = type(node.expression).__name__
    if kind == "Null":
        found = Term("is_null", "bool", (reading.term(node.this),))
    elif kind == "Boolean":
        op = "is_true" if node.expression.this else "is_false"
        found = Term(op, "bool", (reading.bool(node.this),))
    else:
        raise Refused(f"{shown(node)} is not known to mean the same in both")
    return Term("not", "bool", (found,)) if node.args.get("negate") else found


def cast_of(reading: Reading, node: Any) -> Term:
    """Return what a cast yields."""
    to = node.to
    beside = {k for k, v in to.args.items() if v} - {"this", "expressions", "kind"}
    if type(to).__name__ != "DataType" or beside:
        raise Refused(f"a cast to {shown(to)}")
    name, modifiers = to.this.name, [str(p) for p in to.expressions]
    if name == "CHARACTER_SET" and str(to.args["kind"]).startswith("utf8"):
        name = "TEXT"
    if not all(m.isdecimal() for m in modifiers):
        raise Refused(f"a cast to {shown(to)}")
    return cast(reading, reading.term(node.this), name, modifiers)


def _anonymous(reading: Reading, node: Any) -> Term:
    name = str(node.this)
    read = reading.dialect.functions.get(name.lower())
    if read is None:
        raise Refused(f"the function {name} is not known to mean the same in both")
    return read(reading, node)


def _date_today(reading: Reading, node: Any) -> Term:
    return Term("today", "date")


_READERS: dict[str, Reader] = {
    "Abs": arithmetic.absolute,
    "Add": arithmetic.computed("add"),
    "And": _logical("and"),
    "Anonymous": _anonymous,
    "Between": comparisons.between,
    "Boolean": lambda reading, node: truth(node.this),
    "Case": functions.case,
    "Cast": cast_of,
    "Ceil": arithmetic.whole("ceil"),
    "Coalesce": functions.coalesce,
    "Column": _column,
    "CurrentDate": _date_today,
    "Day": functions.part_of("day"),
    "DayOfMonth": functions.part_of("day"),
    "EQ": comparisons.comparison("eq"),
    "Extract": functions.extract,
    "Floor": arithmetic.whole("floor"),
    "GT": comparisons.comparison("gt"),
    "GTE": comparisons.comparison("ge"),
    "Hour": functions.part_of("hour"),
    "If": functions.either,
    "In": comparisons.is_in,
    "Is": _is,
    "LT": comparisons.comparison("lt"),
    "LTE": comparisons.comparison("le"),
    "Length": functions.length,
    "Literal": _literal,
    "Lower": functions.letters("lower"),
    "Minute": functions.part_of("minute"),
    "Mod": arithmetic.integer_division("remainder"),
    "Month": functions.part_of("month"),
    "Mul": arithmetic.computed("mul"),
    "NEQ": comparisons.comparison("ne"),
    "Neg": arithmetic.negative,
    "Not": _not,
    "Null": lambda reading, node: Term("null", "null"),
    "NullSafeEQ": comparisons.comparison("same"),
    "NullSafeNEQ": comparisons.differing,
    "Nullif": comparisons.nullif,
    "Or": _logical("or"),
    "Paren": _paren,
    "Round": arithmetic.rounded,
    "Sub": arithmetic.computed("sub"),
    "Upper": functions.letters("upper"),
    "Year": functions.part_of("year"),
}
