"""Types that columns are read as instead of their own: those casts that change no value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from fastload.errors import ConfigError
from fastload.model import Table
from fastload.naming import spelled
from fastload_mysql.typemap import BOOLEAN, GEOMETRIES, ColumnFacts, Forms, forms

_WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint")
# Digits of the longest values, signed and unsigned.
_DIGITS = {
    "tinyint": (3, 3), "smallint": (5, 5), "mediumint": (7, 8), "int": (10, 10),
    "bigint": (19, 20), "year": (4, 4),
}  # fmt: skip
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_NO_TEXT = (
    "binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob", "bit", "float",
    "vector",
)  # fmt: skip
_DECIMAL = re.compile(r"decimal ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)")


def retyped(facts: ColumnFacts, wanted: str) -> tuple[str, Forms]:
    """Return the type that a column is read as, and its forms.

    Raises:
        ConfigError: The type is none of those that keep every value of this column.
    """
    word = re.sub(r"\s+", " ", wanted.strip().lower())
    if match := _DECIMAL.fullmatch(word):
        precision, scale = int(match[1]), int(match[2] or 0)
        if _fits_decimal(facts, precision, scale):
            type_ = f"decimal({precision},{scale})"
            found = _cast(type_, f"CAST({{}} AS DECIMAL({precision},{scale}))")
            return type_, found
    elif word in _choices(facts):
        return _CHOICES[word]
    raise ConfigError(
        f"types asks for {wanted!r}, which would not keep every value of {facts.type}",
        side="source",
        table=facts.table,
        column=facts.column,
        hint=f"it is read as one of: {', '.join(_told_choices(facts)) or 'its own type only'}",
    )


def _cast(type_: str, template: str | None) -> Forms:
    found = forms(ColumnFacts(type=type_))
    values = {f: getattr(found, f) for f in ("arrow", "decode", "encode", "length")}
    return Forms(**values, cast=template)


# Word: the type that every server of the family has, and the forms of its values. A bitwise
# operator's result has eight bytes on the wire; a cast's own may have fewer (MariaDB 10.11).
_CHOICES: dict[str, tuple[str, Forms]] = {
    "boolean": (BOOLEAN, _cast(BOOLEAN, None)),
    "char": ("longtext", _cast("longtext", "CAST({} AS CHAR)")),
    "signed": ("bigint", _cast("bigint", "CAST(({} | 0) AS SIGNED)")),
    "unsigned": ("bigint unsigned", _cast("bigint unsigned", "({} | 0)")),
    "double": ("double", _cast("double", "({} + 0E0)")),
    "binary": ("longblob", _cast("longblob", "CAST({} AS BINARY)")),
    "json": ("json", _cast("json", None)),
    "uuid": ("char(36)", _cast("uuid", None)),
}


def _choices(facts: ColumnFacts) -> list[str]:
    """Return the words of the types that keep every value."""
    base, unsigned = facts.base, facts.unsigned
    is_text = base in _TEXTS and not facts.json
    is_json = base == "json" or facts.json
    holds = {
        "boolean": base == "tinyint",
        "char": base not in _NO_TEXT and base not in GEOMETRIES,
        "signed": base in (*_WHOLE, "year", "bit") and not _exceeds_signed(facts),
        "unsigned": (base in _WHOLE and unsigned) or base in ("year", "bit"),
        "double": base == "float" or (base in _WHOLE[:4]) or base == "year",
        "binary": is_text or is_json,
        "json": is_text,
        "uuid": base in ("char", "varchar") and facts.modifiers >= (36,),
    }
    return [word for word, kept in holds.items() if kept]


def _exceeds_signed(facts: ColumnFacts) -> bool:
    if facts.base == "bit":
        return facts.modifiers >= (64,)
    return facts.base == "bigint" and facts.unsigned


def _fits_decimal(facts: ColumnFacts, precision: int, scale: int) -> bool:
    if not (scale <= precision <= 65 and scale <= 30 and precision):
        return False
    if facts.base in _DIGITS:
        return precision - scale >= _DIGITS[facts.base][facts.unsigned]
    if facts.base != "decimal":
        return False
    own_precision, own_scale = (*(facts.modifiers or (10,)), 0)[:2]
    return scale >= own_scale and precision - scale >= own_precision - own_scale


def _told_choices(facts: ColumnFacts) -> list[str]:
    choices = _choices(facts)
    if facts.base in _DIGITS:
        choices.append(f"decimal({_DIGITS[facts.base][facts.unsigned]},0) or wider")
    elif facts.base == "decimal":
        choices.append("a wider decimal")
    return choices


def check_retyped(tables: Sequence[Table], types: Mapping[tuple[str, str, str], str]) -> None:
    """Refuse types for columns that their tables do not have."""
    by_name = {(t.name.schema, t.name.name): t for t in tables}
    for schema, name, column in types:
        table = by_name.get((schema, name))
        if table and column not in {c.name for c in table.columns}:
            near = difflib.get_close_matches(column, [c.name for c in table.columns], 3, 0.3)
            raise ConfigError(
                f"types names a column that {table.name} does not have: {column!r}",
                hint=f"did you mean {', '.join(map(spelled, near))}?" if near else None,
            )
