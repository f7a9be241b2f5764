"""Catalogue, target and options become a plan: pure, and the only place where routes are chosen."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from fastload import naming
from fastload.adapter import SchemaSpec
from fastload.config import CopyOptions
from fastload.errors import ConfigError, LossyType, PlanError, SchemaMismatch, TargetNotEmpty
from fastload.model import (
    Catalog,
    Column,
    ExistingTable,
    Fit,
    Inspection,
    Plan,
    QualifiedName,
    Table,
    TablePlan,
)

if TYPE_CHECKING:
    from fastload.adapter import Source, Target

_EXISTING_MODES = ("append", "truncate", "upsert")


def renamed(catalog: Catalog, options: CopyOptions) -> Catalog:
    """Return the source's catalogue under the names that the target is to have."""
    new = options.target_name

    def moved(name: QualifiedName) -> QualifiedName:
        return QualifiedName(options.target_schema(name.schema), name.name)

    tables = tuple(
        msgspec.structs.replace(
            t,
            name=new(t.name),
            foreign_keys=tuple(
                msgspec.structs.replace(f, references=new(f.references)) for f in t.foreign_keys
            ),
        )
        for t in catalog.tables
    )
    sequences = tuple(
        msgspec.structs.replace(
            s, name=moved(s.name), owner=(new(s.owner[0]), s.owner[1]) if s.owner else None
        )
        for s in catalog.sequences
    )
    enums = tuple(msgspec.structs.replace(e, name=moved(e.name)) for e in catalog.enums)
    schemas = tuple(dict.fromkeys(options.target_schema(s) for s in catalog.schemas))
    twice = _repeated(t.name for t in tables)
    if twice:
        raise ConfigError(f"rename makes two tables {twice[0]}")
    return msgspec.structs.replace(
        catalog, tables=tables, sequences=sequences, enums=enums, schemas=schemas
    )


def translated(catalog: Catalog, target: Target, options: CopyOptions) -> Catalog:
    """Return the source's catalogue under the target's names and in its words.

    Raises:
        PlanError: Something has no counterpart; the hint names the source's table, as options do.
    """
    try:
        return target.translate(renamed(catalog, options))
    except PlanError as error:
        for table in catalog.tables:
            new = str(options.target_name(table.name))
            if error.hint and error.table == new:
                error.hint = error.hint.replace(new, str(table.name))
        raise


def make(
    catalog: Catalog,
    wanted: Catalog,
    existing: Inspection,
    *,
    source: Source,
    target: Target,
    options: CopyOptions,
    run: str,
) -> Plan:
    """Return the plan without partitions, which need a snapshot.

    ``wanted`` is the catalogue under the target's names and translated, tables in the same order.

    Raises:
        PlanError: What stands in the way, before anything was changed.
    """
    check_names(catalog, options)
    if not catalog.tables:
        raise PlanError(
            f"{source.identity} has no tables to copy",
            side="source",
            hint="check the database's name in the URL, `exclude`, and that this user may see its "
            "tables: fastload doctor",
        )
    pairs = [*zip(catalog.tables, wanted.tables, strict=True)]
    if source.namespace == target.namespace:
        _check_apart(pairs)
    for table in wanted.tables:
        _check_state(table, existing.table(table.name), options)
    levels = _levels(existing, options)
    tables = tuple(
        _plan_table(here, there, existing, catalog.dialect, source, target, options, levels)
        for here, there in pairs
    )
    schema = SchemaSpec(
        mode=options.mode,
        indexes=options.indexes,
        foreign_keys=options.foreign_keys,
        statistics=options.statistics,
        on_update=options.on_update,
        rename_columns=_column_names(catalog, options),
    )
    steps = target.render(wanted, existing, schema)
    return Plan(
        run=run,
        source=source.identity,
        target=target.identity,
        mode=options.mode,
        guarantee=target.capabilities.guarantee,
        tables=tables,
        before=steps.before,
        after=steps.after,
        not_carried=tuple(dict.fromkeys((*wanted.not_carried, *steps.not_carried))),
        notes=(*catalog.notes, *target.capabilities.notes),
        options=options.shape(),
    )


def _check_apart(pairs: Iterable[tuple[Table, Table]]) -> None:
    """Refuse a copy of a database into itself, unless under other names."""
    for here, there in pairs:
        if here.name == there.name:
            raise PlanError(
                f"source and target are one database, and {here.name} would be copied into itself",
                table=str(here.name),
                hint="check both URLs; or give the copy another name: "
                + naming.option("rename", str(here.name), naming.spelled("other", here.name.name)),
            )


def check_names(catalog: Catalog, options: CopyOptions) -> None:
    """Refuse options that name tables or columns which are not copied: most likely misspelt."""
    tables = {(t.name.schema, t.name.name): t for t in catalog.tables}
    by_table: dict[str, Iterable[tuple[str, str]]] = {
        "where": options.where,
        "rename": options.rename_tables,
        "partition_by": () if isinstance(options.partition_by, str) else options.partition_by,
    }
    for option, names in by_table.items():
        for name in names:
            _known(option, name, name in tables, tables)
    by_column = {
        "types": options.types,
        "rename": options.rename_columns,
        "on_unrepresentable": {k: v for k, v in options.on_unrepresentable.items() if k},
    }
    for option, columns in by_column.items():
        for schema, table, column in columns:
            found = tables.get((schema, table))
            _known(option, (schema, table), found is not None, tables)
            there = [(c.name,) for c in found.columns] if found else []
            _known(option, (schema, table, column), (column,) in there, there)
    for found in catalog.tables:
        _check_new_names(found, options.target_columns(found.name))


def _check_new_names(table: Table, new: Mapping[str, str]) -> None:
    names = [new.get(c.name, c.name) for c in table.columns]
    twice = [n for n in new.values() if names.count(n) > 1]
    if twice:
        raise ConfigError(
            f"rename makes two columns of {table.name} {twice[0]}",
            table=str(table.name),
            hint="give each a name of its own",
        )


def known_columns(option: str, table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return these column names; ConfigError where the table has no such column."""
    there = [c.name for c in table.columns]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigError(f"{option} names {twice[0]} twice", hint="keep one of them")
    for name in names:
        _known(option, (name,), name in there, [(n,) for n in there])
    return names


def _known(
    option: str, name: tuple[str, ...], known: bool, others: Iterable[tuple[str, ...]]
) -> None:
    if not known:
        named, there = naming.spelled(*name), [naming.spelled(*other) for other in others]
        near = difflib.get_close_matches(naming.spelled(name[-1]), there, 3, 0.3)
        near = near or difflib.get_close_matches(named, there, 3, 0.3)
        raise ConfigError(
            f"{option} names {named}, which is not among what is read",
            hint=f"did you mean {', '.join(near)}?" if near else "check the name",
        )


def _check_state(table: Table, there: ExistingTable | None, options: CopyOptions) -> None:
    mode, name = options.mode, str(table.name)
    if there is None:
        if mode in _EXISTING_MODES:
            raise SchemaMismatch(
                f"mode={mode!r} writes into tables that exist, and the target has no {name}",
                side="target",
                table=name,
                hint="mode='create' makes it; or check the name and `rename`",
            )
        return
    if mode == "replace":
        return
    if mode == "create" and not there.empty:
        raise TargetNotEmpty(
            f"the target's {name} holds rows",
            side="target",
            table=name,
            hint="mode='append' adds to them, 'truncate' empties the table first, 'replace' makes "
            "it anew, 'upsert' merges by primary key",
        )
    if there.unsafe:
        raise SchemaMismatch(
            f"rows could arrive twice in the target's {name}: {there.unsafe}",
            side="target",
            table=name,
            hint="mend it on the target; or mode='replace' makes the table anew",
        )
    if there.obstacles and options.triggers == "stop":
        raise SchemaMismatch(
            f"the target's {name} would change or drop rows: {', '.join(there.obstacles)}",
            side="target",
            table=name,
            hint="disable them on the target while the rows are written, or accept their work "
            "with triggers='fire'",
        )


def _plan_table(
    here: Table,
    wanted: Table,
    existing: Inspection,
    dialect: str,
    source: Source,
    target: Target,
    options: CopyOptions,
    levels: Mapping[QualifiedName, int],
) -> TablePlan:
    there = existing.table(wanted.name) if options.mode != "replace" else None
    # Foreign keys of a table that is made come after its rows.
    table = there.table if there else msgspec.structs.replace(wanted, foreign_keys=())
    names = options.target_columns(here.name) if there else {}
    columns = _columns(here, table, names)
    if names and options.mode == "create":
        raise SchemaMismatch(
            f"the target has {table.name} already, and its columns are to be renamed",
            side="target",
            table=str(table.name),
            hint="mode='append' fills it as it is; or drop it there, and it is made anew",
        )
    pairs = [(c, _counterpart(c, names.get(c.name, c.name), here, table)) for c in columns]
    _check_unfed(table, {t.name for _, t in pairs})
    casts = source.capabilities.casts
    anew = there is not None and there.empty and options.mode == "create"
    fits = [_fit(target, c, t, dialect, here, table, casts, anew) for c, t in pairs]
    route, wire, why = _route(here, fits, columns, source, target, options)
    return TablePlan(
        source=here,
        target=table,
        columns=tuple(c.name for c in columns),
        target_columns=tuple(t.name for _, t in pairs),
        route=route,
        wire=wire,
        why=why,
        exact=_exact(columns, fits) if route == "arrow" else (),
        exactable=tuple(c.name for c, f in zip(columns, fits, strict=True) if f.exact),
        where=options.filter(here.name),
        level=levels.get(table.name, 0),
        restartable=_restartable(there, options.mode),
        merge_by=_merge_by(table, {t.name for _, t in pairs}) if options.mode == "upsert" else (),
        nulls_instead=tuple(
            t.name for c, t in pairs if t.nullable and options.policy(here.name, c.name) == "null"
        ),
    )


def _columns(here: Table, table: Table, names: Mapping[str, str]) -> tuple[Column, ...]:
    """Return the columns whose values are copied.

    A generated one is, where the target has it as a plain column: nobody else would fill it.
    """
    plain = {c.name for c in table.columns if c.generated is None}
    return tuple(
        c for c in here.columns if c.generated is None or names.get(c.name, c.name) in plain
    )


def _restartable(there: ExistingTable | None, mode: str) -> bool:
    return there is None or there.empty or mode in ("truncate", "replace")


def _merge_by(table: Table, fed: set[str]) -> tuple[str, ...]:
    if table.primary_key is None:
        raise SchemaMismatch(
            f"mode='upsert' merges by primary key, and the target's {table.name} has none",
            side="target",
            table=str(table.name),
            hint="add a primary key on the target, or use mode='append'",
        )
    for column in table.primary_key.columns:
        if column not in fed:
            raise SchemaMismatch(
                f"mode='upsert' merges by primary key, and the source has no column {column}",
                side="target",
                table=str(table.name),
                column=column,
                hint="rename a source column to it, or use mode='append'",
            )
    return table.primary_key.columns


def _counterpart(column: Column, name: str, here: Table, table: Table) -> Column:
    try:
        return table.column(name)
    except KeyError:
        near = difflib.get_close_matches(name, [c.name for c in table.columns], 1)
        guess = f"{naming.option('rename', _key(here, column), near[0])}, or " if near else ""
        raise SchemaMismatch(
            f"the target's {table.name} has no column {name}",
            side="target",
            table=str(table.name),
            column=name,
            hint=f"{guess}add the column on the target",
        ) from None


def _check_unfed(table: Table, fed: set[str]) -> None:
    for column in table.columns:
        optional = column.nullable or column.default is not None or column.identity
        if column.name not in fed and column.generated is None and not optional:
            raise SchemaMismatch(
                f"the target's column {column.name} takes no NULL, and the source has no such "
                "column",
                side="target",
                table=str(table.name),
                column=column.name,
                hint="give it a default on the target, or rename a source column to it",
            )


def _key(table: Table, column: Column) -> str:
    """Return the column's key of ``types`` and ``rename``."""
    return table.name.member(column.name)


def _fit(
    target: Target,
    source: Column,
    column: Column,
    dialect: str,
    here: Table,
    table: Table,
    casts: bool,
    anew: bool,
) -> Fit:
    fit = target.fit(source, column, dialect)
    remedy = "cast the column first"
    if casts:
        cast = naming.option("types", _key(here, source), column.type)
        remedy = f"{cast} casts it on the source"
    if anew:
        remedy = f"mode='replace' makes the table, which is empty, anew; or {remedy}"
    if not fit.possible:
        raise SchemaMismatch(
            f"column {source.name}: {fit.reason}",
            side="target",
            table=str(table.name),
            column=column.name,
            hint=remedy,
        )
    if fit.loss:
        raise LossyType(
            f"column {source.name} would lose {fit.loss}",
            side="target",
            table=str(table.name),
            column=column.name,
            hint=f"widen the target's column; or, to accept that, {remedy}",
        )
    return fit


def _route(
    here: Table,
    fits: list[Fit],
    columns: tuple[Column, ...],
    source: Source,
    target: Target,
    options: CopyOptions,
) -> tuple[str, str | None, str]:
    """Choose the wire where bytes mean the same on both sides, and say why."""
    if options.route == "arrow":
        _check_arrow(here, fits, columns)
        return "arrow", None, "asked for"
    # What a table's wires take is said of its own data, not of what it computes from them.
    computed = any(c.generated is not None for c in columns)
    shared = [w for w in here.wires if w in target.capabilities.wires and not computed]
    differing = [c.name for c, f in zip(columns, fits, strict=True) if not f.same]
    if shared and not differing:
        return "wire", shared[0], f"both sides take {shared[0]} and all types are equal"
    why = f"types differ: {', '.join(differing[:3])}" if shared else "no wire format in common"
    if options.route == "wire":
        raise ConfigError(
            f"route='wire' is not possible for {here.name}: {why}",
            table=str(here.name),
            hint="route='auto' chooses per table",
        )
    _check_arrow(here, fits, columns)
    return "arrow", None, why


def _check_arrow(here: Table, fits: list[Fit], columns: tuple[Column, ...]) -> None:
    for column, fit in zip(columns, fits, strict=True):
        if not (fit.native or fit.exact):
            raise SchemaMismatch(
                f"column {column.name} of type {column.type} has no way through Arrow",
                table=str(here.name),
                column=column.name,
                hint="route='auto' may send the table's bytes undecoded; or copy the column as "
                f"text: {naming.option('types', _key(here, column), 'text')}",
            )


def _exact(columns: tuple[Column, ...], fits: list[Fit]) -> tuple[str, ...]:
    return tuple(c.name for c, f in zip(columns, fits, strict=True) if f.exact and not f.native)


def _levels(existing: Inspection, options: CopyOptions) -> dict[QualifiedName, int]:
    """Return how deep each existing table stands under those that its foreign keys refer to.

    The rows of tables in a circle of references get one level; the target then decides.
    """
    if options.mode == "replace":
        return {}
    parents = {
        e.table.name: {f.references for f in e.table.foreign_keys} - {e.table.name}
        for e in existing.tables
    }
    levels: dict[QualifiedName, int] = {}
    waiting, level = dict(parents), 0
    while waiting:
        free = [n for n, refs in waiting.items() if not refs & waiting.keys()]
        for name in free or list(waiting):
            levels[name] = level
            del waiting[name]
        level += 1
    return levels


def _column_names(catalog: Catalog, options: CopyOptions) -> dict[QualifiedName, Mapping[str, str]]:
    found = {options.target_name(t.name): options.target_columns(t.name) for t in catalog.tables}
    return {name: columns for name, columns in found.items() if columns}


def _repeated(names: Iterable[QualifiedName]) -> list[QualifiedName]:
    seen: set[QualifiedName] = set()
    return [n for n in names if n in seen or seen.add(n)]  # type: ignore[func-returns-value]
