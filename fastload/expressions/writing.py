"""Words for terms that all families share; every operation stands in parentheses of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastload.expressions.term import Refused, Term

SHARED: Mapping[str, str] = {
    "abs": "ABS({})",
    "add": "({} + {})",
    "and": "({} AND {})",
    "bool_to_integer": "CAST({} AS INTEGER)",
    "byte_length": "OCTET_LENGTH({})",
    "ceil": "CEILING({})",
    "char_length": "CHAR_LENGTH({})",
    "eq": "({} = {})",
    "floor": "FLOOR({})",
    "ge": "({} >= {})",
    "gt": "({} > {})",
    "is_false": "({} IS FALSE)",
    "is_null": "({} IS NULL)",
    "is_true": "({} IS TRUE)",
    "le": "({} <= {})",
    "lower": "LOWER({})",
    "lt": "({} < {})",
    "mul": "({} * {})",
    "ne": "({} <> {})",
    "neg": "(- {})",
    "not": "(NOT {})",
    "null": "NULL",
    "or": "({} OR {})",
    "quotient": "({} / {})",
    "remainder": "({} % {})",
    "round": "ROUND({}, {})",
    "sub": "({} - {})",
    "text_byte_length": "OCTET_LENGTH({})",
    "to_date": "CAST({} AS DATE)",
    "upper": "UPPER({})",
}


class Writing:
    """The words of one family.

    Args:
        templates: By operation, over those that are shared; ``{}`` are the arguments.
        special: By operation, what no template says.
    """

    def __init__(
        self, templates: Mapping[str, str], special: Mapping[str, Callable[[Term], str]]
    ) -> None:
        self._templates = {**SHARED, **templates}
        self._special = {
            "case": self._case,
            "coalesce": self._function("COALESCE"),
            "greatest": self._function("GREATEST"),
            "in": self._in,
            "least": self._function("LEAST"),
            "number": _number,
            "to_decimal": self._to_decimal,
            **special,
        }

    def __call__(self, term: Term) -> str:
        """Say the term; Refused where this family has no words for it."""
        if special := self._special.get(term.op):
            return special(term)
        template = self._templates.get(term.op)
        if template is None:
            raise Refused(f"the target has no words for {term.op.replace('_', ' ')}")
        return template.format(*map(self, term.args))

    def listed(self, terms: tuple[Term, ...]) -> str:
        """Say terms with commas between them."""
        return ", ".join(map(self, terms))

    def _function(self, name: str) -> Callable[[Term], str]:
        return lambda term: f"{name}({self.listed(term.args)})"

    def _in(self, term: Term) -> str:
        return f"({self(term.args[0])} IN ({self.listed(term.args[1:])}))"

    def _case(self, term: Term) -> str:
        *pairs, last = map(self, term.args)
        whens = "".join(f" WHEN {c} THEN {v}" for c, v in zip(pairs[::2], pairs[1::2], strict=True))
        return f"CASE{whens} ELSE {last} END"

    def _to_decimal(self, term: Term) -> str:
        return f"CAST({self(term.args[0])} AS DECIMAL({term.value}))"


def _number(term: Term) -> str:
    return f"({term.value})" if term.value.startswith("-") else term.value
