"""An adapter as somebody else may write it, of which only the expressions are there: SQLite's."""

from __future__ import annotations

from typing import Any

from fastload.errors import ConfigError
from fastload.expressions import Dialect
from fastload.expressions.term import Refused, Term, kind_of
from fastload.expressions.writing import Writing
from fastload.model import Column


def _exact_text(column: Column) -> None:
    if column.collation not in (None, "BINARY"):
        raise Refused(f"texts are compared by the collation {column.collation}")


def _text(term: Term) -> str:
    return "'" + term.value.replace("'", "''") + "'"


def _column(term: Term) -> str:
    return '"' + term.value.replace('"', '""') + '"'


def _changes(reading: Any, node: Any) -> Term:
    raise Refused("what the session did before")


_write = Writing(
    {
        "bool_to_integer": "{}",
        "eq_text": "({} = {})",
        "ne_text": "({} <> {})",
        "same": "({} IS {})",
    },
    {
        "bool": lambda term: "TRUE" if term.value == "1" else "FALSE",
        "column": _column,
        "text": _text,
    },
)
_EXPRESSIONS = Dialect(
    grammar="sqlite",
    clean=lambda text: text.removeprefix("CHECK"),
    readers={},
    functions={"total_changes": _changes},
    kind=lambda column: kind_of(column.arrow),
    exact_text=_exact_text,
    text_bytes=_exact_text,
    folds_names=True,
    clamps_casts=True,
    timestamp_digits=3,
    decimal_digits=None,
    underflows_to_zero=True,
    widens_singles=True,
    write=_write,
    default=_write,
    check=_write,
)


class _Adapter:
    # Catalogues may call a dialect otherwise than sqlglot does.
    schemes = ("sqlite",)
    dialect = "lite"

    def expressions(self) -> Dialect:
        return _EXPRESSIONS

    def accepts(self, client: object) -> bool:
        return False

    def room(self, endpoint: Any) -> int | None:
        return None

    def source(self, endpoint: Any, *, connections: int) -> Any:
        raise ConfigError("it only has expressions")

    target = source


ADAPTER = _Adapter()
