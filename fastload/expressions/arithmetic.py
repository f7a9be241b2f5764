"""Arithmetic, as far as both servers compute the same digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastload.expressions.term import MOST_SCALE, Refused, Term, combined, number

if TYPE_CHECKING:
    from fastload.expressions.dialect import Reader
    from fastload.expressions.reading import Reading


def computed(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        left, right = reading.operand(node.this), reading.operand(node.expression)
        pair = {left.kind, right.kind}
        if "unsigned" in pair and (op == "sub" or not _not_negative(left, right)):
            raise Refused("it computes without a sign, which fails below 0 on some servers")
        if pair & {"single", "float"}:
            _check_floats(reading, op, pair)
        return combined(op, left, right)

    return read


def _not_negative(*terms: Term) -> bool:
    return all(
        t.kind == "unsigned" or (t.op == "number" and not t.value.startswith("-")) for t in terms
    )


def _check_floats(reading: Reading, op: str, kinds: set[str]) -> None:
    if reading.dialect.underflows_to_zero and op == "mul":
        raise Refused("a product of floats too small for one is 0 there, an error elsewhere")
    if not reading.dialect.widens_singles and "single" in kinds:
        raise Refused("it computes with floats in single precision, and others in double")


def integer_division(op: str) -> Reader:
    """Read a division of whole numbers; by 0 it is NULL on some servers, an error on others."""

    def read(reading: Reading, node: Any) -> Term:
        left, right = reading.operand(node.this), reading.operand(node.expression)
        if {left.kind, right.kind} - {"integer", "unsigned"}:
            raise Refused("a division that both do not compute to the same digits")
        if right.op != "number" or int(right.value) == 0:
            raise Refused("a division by what may be 0: NULL on some servers, an error on others")
        if "unsigned" in (left.kind, right.kind) and not _not_negative(left, right):
            raise Refused("it computes without a sign, which fails below 0 on some servers")
        return Term(op, left.kind, (left, right), digits=left.digits)

    return read


quotient = integer_division("quotient")


def negative(reading: Reading, node: Any) -> Term:
    inner = reading.operand(node.this)
    if inner.op == "number" and not inner.value.startswith("-"):
        return number(f"-{inner.value}")
    if inner.kind == "unsigned":
        raise Refused("it negates a number that has no sign")
    return inner._replace(op="neg", args=(inner,), value="")


def absolute(reading: Reading, node: Any) -> Term:
    """Read ABS of a number."""
    inner = reading.number(node.this)
    return inner._replace(op="abs", args=(inner,), value="")


def rounded(reading: Reading, node: Any) -> Term:
    """Read ROUND of a decimal number; of floats, servers round halves differently."""
    inner = reading.term(node.this)
    places = node.args.get("decimals")
    digits = reading.term(places) if places else number("0")
    if inner.kind != "decimal":
        raise Refused("ROUND of what is no decimal number rounds halves differently")
    if (
        digits.op != "number"
        or digits.kind != "integer"
        or not 0 <= int(digits.value) <= MOST_SCALE
    ):
        raise Refused(f"ROUND to digits that are not a literal from 0 to {MOST_SCALE}")
    kept = (inner.digits[0] + 1, min(inner.digits[1], int(digits.value)))
    return Term("round", "decimal", (inner, digits), digits=kept)


def whole(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        inner = reading.term(node.this)
        if inner.kind != "decimal":
            raise Refused(f"{op.upper()} of what is no decimal number")
        return Term(op, "decimal", (inner,), digits=(inner.digits[0] + 1, 0))

    return read
