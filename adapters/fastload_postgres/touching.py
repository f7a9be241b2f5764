"""Columns that every update of their row sets: triggers that do it here, or what is told instead.

A column that an update sets itself is left alone, as is a row in which nothing changes. A trigger
sees values and no statements: setting the column to the value that it has counts as not setting it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fastload.model import Catalog, Column, NotCarried, QualifiedName, Step, Table
from fastload.schema_work import Renames, several
from fastload_postgres.names import Wanted, unique_names
from fastload_postgres.quoting import ident, literal, qualified

_GROUP = 40  # tables per step, as in ddl_after
_OURS = "Sets what every update of a row of {} sets; made by fastload."


def touching(
    catalog: Catalog, made: Sequence[Table], new_names: Renames, needs: tuple[str, ...]
) -> Iterator[Step]:
    """Yield the steps that make the triggers of tables that are made.

    Args:
        catalog: In PostgreSQL's words.
        made: Its tables that are made.
        new_names: Of their columns; they have them by then.
        needs: Steps that come before.
    """
    names = _names(catalog)
    touched = [t for t in made if _set_columns(t)]
    for start in range(0, len(touched), _GROUP):
        group = touched[start : start + _GROUP]
        yield Step(
            id=f"touch:{qualified(group[0].name)}",
            title=f"triggers that stand for ON UPDATE of {several([t.name for t in group])}",
            statements=tuple(
                s for t in group for s in _statements(t, names[t.name], new_names.get(t.name, {}))
            ),
            needs=needs,
        )


def untouched(tables: Sequence[Table], reason: str) -> Iterator[NotCarried]:
    """Yield what is told of such columns where no trigger is made; ``{}`` is the expression."""
    for table in tables:
        for column in _set_columns(table):
            told = reason.format(column.on_update)
            yield NotCarried("on update", table.name.member(column.name), told)


def _set_columns(table: Table) -> list[Column]:
    return [c for c in table.columns if c.on_update is not None]


def _names(catalog: Catalog) -> dict[QualifiedName, str]:
    """Return a name for each table's function, and its trigger."""
    found: dict[QualifiedName, str] = {}
    for schema in {t.name.schema for t in catalog.tables}:
        wanted = {
            t.name: Wanted(t.name.name, "touch", "", name, f"{name}_row")
            for t in catalog.tables
            if t.name.schema == schema and _set_columns(t)
            for name in [f"{t.name.name}_touch"]
        }
        names = unique_names(wanted.values(), ())
        found |= {table: names[w] for table, w in wanted.items()}
    return found


def _statements(table: Table, name: str, new_names: Mapping[str, str]) -> Iterator[str]:
    function = f"{qualified(QualifiedName(table.name.schema, name))}()"
    comment = literal(_OURS.format(table.name))
    # One of ours may be left of a table that was dropped; anybody else's is not replaced.
    yield (f"DO {literal(_drop_ours(function, comment))}")
    yield (
        f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
        f"{literal(_body(table, new_names))}"
    )
    yield f"COMMENT ON FUNCTION {function} IS {comment}"
    plain = [ident(new_names.get(c.name, c.name)) for c in table.columns if c.generated is None]
    old, new = (f"ROW({', '.join(f'{row}.{c}' for c in plain)})::record" for row in ("OLD", "NEW"))
    # By their bytes: not every type can be compared, and a change of case is one. Without the casts
    # the server would compare the columns one by one.
    yield (
        f"CREATE TRIGGER {ident(name)} BEFORE UPDATE ON {qualified(table.name)} FOR EACH ROW "
        f"WHEN ({old} *<> {new}) EXECUTE PROCEDURE {function}"
    )


def _drop_ours(function: str, comment: str) -> str:
    there = f"obj_description(to_regprocedure({literal(function)}), 'pg_proc')"
    return f"BEGIN IF {there} = {comment} THEN DROP FUNCTION {function}; END IF; END"


def _body(table: Table, new_names: Mapping[str, str]) -> str:
    lines = []
    for column in _set_columns(table):
        name = ident(new_names.get(column.name, column.name))
        lines.append(f"IF NEW.{name} IS NOT DISTINCT FROM OLD.{name} THEN")
        lines.append(f"NEW.{name} := {column.on_update}; END IF;")
    return " ".join(["BEGIN", *lines, "RETURN NEW; END"])
