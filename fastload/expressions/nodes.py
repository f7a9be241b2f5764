"""What is asked of sqlglot's nodes themselves, whatever they mean."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from fastload.expressions.term import Refused

# Without parentheses, sqlglot and the servers differ in which of these comes first.
WITHOUT_ORDER = frozenset(
    {"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "Is", "In", "Between", "Not", "And", "Or"}
)
FROM_LEFT = WITHOUT_ORDER - {"Between", "Not"}


def shown(node: Any) -> str:
    """Return the node's own words, cut short."""
    words = str(node.sql())
    return words if len(words) <= 60 else words[:57] + "..."


def check_order(node: Any, unclear: Set[str]) -> None:
    if type(node).__name__ in unclear:
        raise Refused("which operation comes first differs; parentheses would say it")


def quantifier(node: Any) -> str | None:
    if type(node).__name__ == "Any":
        return "any"
    known = type(node).__name__ == "Anonymous" and len(node.expressions) == 1
    return "all" if known and str(node.this).lower() == "all" else None


def listed(node: Any) -> list[Any] | None:
    """Return the elements of ``ANY (ARRAY[...])``, through parentheses and a cast of the whole."""
    word = quantifier(node)
    if word is None:
        return None
    inner = node.this if word == "any" else node.expressions[0]
    while type(inner).__name__ in ("Paren", "Cast"):
        if type(inner).__name__ == "Cast" and not _is_text_array(inner.to):
            raise Refused(f"a cast of the list to {inner.to}")
        inner = inner.this
    return inner.expressions if type(inner).__name__ == "Array" else []


def _is_text_array(to: Any) -> bool:
    inner = to.expressions
    return bool(to.this.name == "ARRAY" and inner and str(inner[0]).upper() in ("TEXT", "VARCHAR"))
