"""From sqlglot's tree of an expression to terms, by a list of what is known; the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any

from fastload.expressions.casts import cast
from fastload.expressions.literals import literal
from fastload.expressions.term import (
    EXACT_NUMBERS,
    NUMBERS,
    Refused,
    Term,
    arithmetic,
    as_bool,
    as_number,
    digits_of,
    kind_of,
    number,
    one_kind,
    text,
    truth,
    unlike,
)

if TYPE_CHECKING:
    from fastload.expressions.dialect import Dialect, Reader
    from fastload.model import Column

_DATES = frozenset({"date", "timestamp"})
_USUAL = frozenset({"this", "expression", "expressions"})
# What a node may carry beside; anything else would change its meaning and is refused.
_BESIDE = {
    "Between": {"low", "high"},
    "Case": {"ifs", "default"},
    "Cast": {"to"},
    "Ceil": set(),
    "Coalesce": set(),
    "Column": set(),
    "Concat": {"safe", "coalesce"},
    "CurrentTimestamp": set(),
    "DPipe": {"safe"},
    "Div": {"typed", "safe"},
    "Identifier": {"quoted"},
    "If": {"true", "false"},
    "Length": {"binary"},
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
            raise Refused(f"{_shown(node)} is not known to mean the same in both")
        beside = {k for k, v in node.args.items() if v} - _USUAL - _BESIDE.get(name, set())
        if beside:
            raise Refused(f"{_shown(node)} has {', '.join(sorted(beside))} of its own")
        return read(self, node)

    def terms(self, nodes: list[Any]) -> list[Term]:
        """Return what each node means."""
        return [self.term(n) for n in nodes]

    def number(self, node: Any) -> Term:
        """Return a node that stands for a number."""
        return as_number(self.term(node))

    def operand(self, node: Any) -> Term:
        """Return a number beside an operator, which no comparison without parentheses is."""
        _check_order(node, _WITHOUT_ORDER)
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
        return name.casefold() if self.dialect.folds else name


def _shown(node: Any) -> str:
    """Return the node's own words, cut short."""
    words = str(node.sql())
    return words if len(words) <= 60 else words[:57] + "..."


def _column(reading: Reading, node: Any) -> Term:
    if type(node.this).__name__ != "Identifier":
        raise Refused(f"{_shown(node)} is not a column")
    column = reading.column(node.this.this)
    kind = kind_of(column.arrow)
    # Servers differ in whether the spaces that fill such a column up are there.
    if kind == "text" and column.type.startswith(("character(", "bpchar")):
        kind = "other"
    return Term("column", kind, value=column.name, digits=digits_of(column.arrow))


def _literal(reading: Reading, node: Any) -> Term:
    return text(node.this) if node.is_string else literal(node.this, "float")


def _negative(reading: Reading, node: Any) -> Term:
    inner = reading.operand(node.this)
    if inner.op == "number" and not inner.value.startswith("-"):
        return number(f"-{inner.value}")
    if inner.kind == "unsigned":
        raise Refused("it negates a number that has no sign")
    return inner._replace(op="neg", args=(inner,), value="")


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
        return Term("is_null", "bool", (reading.term(node.this),))
    if kind == "Boolean":
        op = "is_true" if node.expression.this else "is_false"
        return Term(op, "bool", (reading.bool(node.this),))
    raise Refused(f"{_shown(node)} is not known to mean the same in both")


def _comparison(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        # Servers take comparisons from left to right, sqlglot some before others.
        _check_order(node.expression, _WITHOUT_ORDER)
        _check_order(node.this, _WITHOUT_ORDER - _FROM_LEFT)
        array = _array(node.expression)
        if array is not None:
            if (op, _quantifier(node.expression)) not in (("eq", "any"), ("ne", "all")):
                raise Refused(f"{_shown(node)} is not known to mean the same in both")
            found = one_of(reading, reading.term(node.this), reading.terms(array))
            return found if op == "eq" else Term("not", "bool", (found,))
        return compared(reading, op, reading.term(node.this), reading.term(node.expression))

    return read


def _array(node: Any) -> list[Any] | None:
    """Return the elements of ``ANY (ARRAY[...])``, through parentheses and a cast of the whole."""
    quantifier = _quantifier(node)
    if quantifier is None:
        return None
    inner = node.this if quantifier == "any" else node.expressions[0]
    while type(inner).__name__ in ("Paren", "Cast"):
        if type(inner).__name__ == "Cast" and not _is_text_array(inner.to):
            raise Refused(f"a cast of the list to {inner.to}")
        inner = inner.this
    return inner.expressions if type(inner).__name__ == "Array" else []


def _check_order(node: Any, unclear: Set[str]) -> None:
    if type(node).__name__ in unclear:
        raise Refused("which operation comes first differs; parentheses would say it")


def _quantifier(node: Any) -> str | None:
    if type(node).__name__ == "Any":
        return "any"
    known = type(node).__name__ == "Anonymous" and len(node.expressions) == 1
    return "all" if known and str(node.this).lower() == "all" else None


def _is_text_array(to: Any) -> bool:
    inner = to.expressions
    return bool(to.this.name == "ARRAY" and inner and str(inner[0]).upper() in ("TEXT", "VARCHAR"))


def compared(reading: Reading, op: str, left: Term, right: Term) -> Term:
    """Return a comparison, where both servers compare such values alike."""
    left, right = _alike(left, right)
    if "text" in (left.kind, right.kind):
        if op not in ("eq", "ne", "same"):
            raise Refused("which of two texts comes first depends on the collation")
        for term in (left, right):
            _check_text(reading, term)
        op += "_text"
    return Term(op, "bool", (left, right))


def _alike(left: Term, right: Term) -> tuple[Term, Term]:
    if "null" in (left.kind, right.kind):
        raise Refused("it compares with NULL, which is never true")
    if left.kind == right.kind and left.kind in _COMPARABLE:
        return left, right
    if {left.kind, right.kind} <= NUMBERS | {"bool"}:
        return as_number(left), as_number(right)
    if {left.kind, right.kind} <= _DATES:
        return left, right
    for here, there in ((left, right), (right, left)):
        if here.op == "text" and there.kind in (*_DATES, "timestamptz"):
            longer = there.kind == "date" and len(here.value) > len("2000-01-01")
            found = literal(here.value, "timestamp" if longer else there.kind)
            return (found, right) if here is left else (left, found)
    raise unlike(left, right)


_COMPARABLE = NUMBERS | _DATES | {"bool", "text", "timestamptz"}


def _check_text(reading: Reading, term: Term) -> None:
    if term.op == "text":
        return
    if term.op != "column":
        raise Refused("how a computed text is compared depends on its collation")
    reading.dialect.exact_text(reading.column(term.value))


def one_of(reading: Reading, left: Term, choices: list[Term]) -> Term:
    """Return whether a term equals one of some others."""
    if not choices:
        raise Refused("a list that is not written out")
    pairs = [compared(reading, "eq", left, c) for c in choices]
    subjects = {p.args[0] for p in pairs}
    if len(subjects) != 1 or len({p.op for p in pairs}) != 1:
        raise Refused("it compares with a list of several kinds")
    op = "in_text" if pairs[0].op == "eq_text" else "in"
    return Term(op, "bool", (pairs[0].args[0], *(p.args[1] for p in pairs)))


def _in(reading: Reading, node: Any) -> Term:
    _check_order(node.this, _WITHOUT_ORDER)
    return one_of(reading, reading.term(node.this), reading.terms(node.expressions))


def _between(reading: Reading, node: Any) -> Term:
    for side in (node.this, node.args["low"], node.args["high"]):
        _check_order(side, _WITHOUT_ORDER)
    middle = reading.term(node.this)
    low = compared(reading, "ge", middle, reading.term(node.args["low"]))
    high = compared(reading, "le", middle, reading.term(node.args["high"]))
    return Term("and", "bool", (low, high))


def _arithmetic(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        left, right = reading.operand(node.this), reading.operand(node.expression)
        pair = {left.kind, right.kind}
        if "unsigned" in pair and (op == "sub" or not _not_negative(left, right)):
            raise Refused("MySQL computes without a sign here, and fails below 0")
        if pair & {"single", "float"}:
            _check_floats(reading, op, pair)
        return arithmetic(op, left, right)

    return read


def _not_negative(*terms: Term) -> bool:
    return all(
        t.kind == "unsigned" or (t.op == "number" and not t.value.startswith("-")) for t in terms
    )


def _check_floats(reading: Reading, op: str, kinds: set[str]) -> None:
    if reading.dialect.clamps and op == "mul":
        raise Refused("a product of floats too small for one is 0 in MySQL, an error in PostgreSQL")
    if not reading.dialect.clamps and "single" in kinds:
        raise Refused("PostgreSQL computes with real in single precision, MySQL in double")


def _integer_division(op: str) -> Reader:
    """Read a division of whole numbers; by what may be 0 it is NULL here and an error there."""

    def read(reading: Reading, node: Any) -> Term:
        left, right = reading.operand(node.this), reading.operand(node.expression)
        if {left.kind, right.kind} - {"integer", "unsigned"}:
            raise Refused("a division that both do not compute to the same digits")
        if right.op != "number" or int(right.value) == 0:
            raise Refused("a division by what may be 0: NULL in MySQL, an error in PostgreSQL")
        if "unsigned" in (left.kind, right.kind) and not _not_negative(left, right):
            raise Refused("MySQL computes without a sign here, and fails below 0")
        return Term(op, left.kind, (left, right), digits=left.digits)

    return read


quotient = _integer_division("quotient")


def _coalesce(reading: Reading, node: Any) -> Term:
    terms, like = one_kind(reading.terms([node.this, *node.expressions]))
    if any(t.kind == "null" for t in terms):
        raise Refused("COALESCE of a literal NULL")
    return like._replace(op="coalesce", args=tuple(terms))


def _nullif(reading: Reading, node: Any) -> Term:
    pair = compared(reading, "eq", reading.term(node.this), reading.term(node.expression))
    left = pair.args[0]
    return left._replace(op="case", args=(pair, Term("null", "null"), left), value="")


def _case(reading: Reading, node: Any) -> Term:
    subject = reading.term(node.this) if node.this else None
    conditions = []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(reading.bool(branch.this))
        else:
            conditions.append(compared(reading, "eq", subject, reading.term(branch.this)))
    values = [branch.args["true"] for branch in node.args["ifs"]]
    return _branches(reading, conditions, values, node.args.get("default"))


def _if(reading: Reading, node: Any) -> Term:
    return _branches(
        reading, [reading.bool(node.this)], [node.args["true"]], node.args.get("false")
    )


def _branches(reading: Reading, conditions: list[Term], values: list[Any], last: Any) -> Term:
    found = reading.terms(values) + [reading.term(last) if last else Term("null", "null")]
    found, like = one_kind(found)
    pairs = [t for pair in zip(conditions, found[:-1], strict=True) for t in pair]
    return like._replace(op="case", args=(*pairs, found[-1]), value="")


def _length(reading: Reading, node: Any) -> Term:
    inner = reading.term(node.this)
    if inner.kind == "binary":
        return Term("byte_length", "integer", (inner,), digits=(10, 0))
    if node.args.get("binary"):
        return byte_length(reading, node.this)
    if inner.kind != "text":
        raise Refused("the length of what is not text")
    return Term("char_length", "integer", (inner,), digits=(10, 0))


def byte_length(reading: Reading, node: Any) -> Term:
    """Return the length in bytes of what a node means, where its bytes are the same everywhere."""
    inner = reading.term(node)
    if inner.op not in ("column", "text") or inner.kind not in ("text", "binary"):
        raise Refused("the bytes of a computed text")
    if inner.kind == "text" and inner.op == "column":
        reading.dialect.text_bytes(reading.column(inner.value))
    op = "byte_length" if inner.kind == "binary" else "text_byte_length"
    return Term(op, "integer", (inner,), digits=(10, 0))


def _letters(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        inner = reading.term(node.this)
        if inner.kind != "text":
            raise Refused(f"{op} of what is not text")
        return Term(op, "text", (inner,))

    return read


def _absolute(reading: Reading, node: Any) -> Term:
    inner = reading.number(node.this)
    return inner._replace(op="abs", args=(inner,), value="")


def _round(reading: Reading, node: Any) -> Term:
    inner = reading.term(node.this)
    places = node.args.get("decimals")
    digits = reading.term(places) if places else number("0")
    if inner.kind != "decimal":
        raise Refused("ROUND of what is no decimal number rounds halves differently")
    if digits.op != "number" or digits.kind != "integer" or not 0 <= int(digits.value) <= 30:
        raise Refused("ROUND to digits that are not a literal from 0 to 30")
    kept = (inner.digits[0] + 1, min(inner.digits[1], int(digits.value)))
    return Term("round", "decimal", (inner, digits), digits=kept)


def _whole(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        inner = reading.term(node.this)
        if inner.kind != "decimal":
            raise Refused(f"{op.upper()} of what is no decimal number")
        return Term(op, "decimal", (inner,), digits=(inner.digits[0] + 1, 0))

    return read


def extremes(op: str, *, ignores_null: bool) -> Reader:
    """Return a reader of GREATEST or LEAST; servers differ in what a NULL among them does."""

    def read(reading: Reading, node: Any) -> Term:
        terms, like = one_kind(reading.terms([node.this, *node.expressions]))
        if like.kind not in EXACT_NUMBERS | _DATES:
            raise Refused("which of these values comes first may differ")
        nullable = [t for t in terms if not _never_null(reading, t)]
        if nullable and ignores_null:
            raise Refused("it passes over NULL, which MySQL does not")
        found = like._replace(op=op, args=tuple(terms))
        for term in reversed(nullable):
            null = Term("is_null", "bool", (term,))
            found = like._replace(op="case", args=(null, Term("null", "null"), found))
        return found

    return read


def _never_null(reading: Reading, term: Term) -> bool:
    if term.op == "column":
        return not reading.column(term.value).nullable
    return term.op in ("number", "text", "date", "timestamp")


def joined(reading: Reading, nodes: list[Any]) -> Term:
    """Return texts one after the other; NULL if any is."""
    terms = [cast(reading, t, "TEXT", []) for t in reading.terms(nodes)]
    return Term("concat", "text", tuple(terms))


def _part(op: str) -> Callable[[Reading, Any], Term]:
    def read(reading: Reading, node: Any) -> Term:
        inner = node.this
        if type(inner).__name__ == "TsOrDsToDate":
            inner = inner.this
        return part(reading, op, inner)

    return read


def part(reading: Reading, name: str, node: Any) -> Term:
    """Return the year, month, ... of a date or a timestamp without zone."""
    inner = reading.term(node)
    allowed = {"timestamp": ("year", "month", "day", "hour", "minute")}
    allowed["date"] = allowed["timestamp"][:3]
    if name not in allowed.get(inner.kind, ()):
        raise Refused(f"the {name} of a value of kind {inner.kind}")
    return Term("part", "integer", (inner,), value=name.upper(), digits=(4, 0))


def _extract(reading: Reading, node: Any) -> Term:
    return part(reading, str(node.this).lower(), node.expression)


def _cast(reading: Reading, node: Any) -> Term:
    to = node.to
    beside = {k for k, v in to.args.items() if v} - {"this", "expressions", "kind"}
    if type(to).__name__ != "DataType" or beside:
        raise Refused(f"a cast to {_shown(to)}")
    name, modifiers = to.this.name, [str(p) for p in to.expressions]
    if name == "CHARACTER_SET" and str(to.args["kind"]).startswith("utf8"):
        name = "TEXT"
    if not all(m.isdecimal() for m in modifiers):
        raise Refused(f"a cast to {_shown(to)}")
    return cast(reading, reading.term(node.this), name, modifiers)


def _anonymous(reading: Reading, node: Any) -> Term:
    name = str(node.this)
    read = reading.dialect.functions.get(name.lower())
    if read is None:
        raise Refused(f"the function {name} is not known to mean the same in both")
    return read(reading, node)


def _differing(reading: Reading, node: Any) -> Term:
    same = compared(reading, "same", reading.term(node.this), reading.term(node.expression))
    return Term("not", "bool", (same,))


def _date_today(reading: Reading, node: Any) -> Term:
    return Term("today", "date")


_WITHOUT_ORDER = frozenset(
    {"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "Is", "In", "Between", "Not", "And", "Or"}
)
_FROM_LEFT = _WITHOUT_ORDER - {"Between", "Not"}
_READERS: dict[str, Reader] = {
    "Abs": _absolute,
    "Add": _arithmetic("add"),
    "And": _logical("and"),
    "Anonymous": _anonymous,
    "Between": _between,
    "Boolean": lambda reading, node: truth(node.this),
    "Case": _case,
    "Cast": _cast,
    "Ceil": _whole("ceil"),
    "Coalesce": _coalesce,
    "Column": _column,
    "CurrentDate": _date_today,
    "Day": _part("day"),
    "DayOfMonth": _part("day"),
    "EQ": _comparison("eq"),
    "Extract": _extract,
    "Floor": _whole("floor"),
    "GT": _comparison("gt"),
    "GTE": _comparison("ge"),
    "Hour": _part("hour"),
    "If": _if,
    "In": _in,
    "Is": _is,
    "LT": _comparison("lt"),
    "LTE": _comparison("le"),
    "Length": _length,
    "Literal": _literal,
    "Lower": _letters("lower"),
    "Minute": _part("minute"),
    "Mod": _integer_division("remainder"),
    "Month": _part("month"),
    "Mul": _arithmetic("mul"),
    "NEQ": _comparison("ne"),
    "Neg": _negative,
    "Not": _not,
    "Null": lambda reading, node: Term("null", "null"),
    "NullSafeEQ": _comparison("same"),
    "NullSafeNEQ": _differing,
    "Nullif": _nullif,
    "Or": _logical("or"),
    "Paren": _paren,
    "Round": _round,
    "Sub": _arithmetic("sub"),
    "Upper": _letters("upper"),
    "Year": _part("year"),
}
