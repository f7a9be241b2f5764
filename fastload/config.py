"""Options of a copy: frozen, checked before anything is contacted, plain data."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from fastload.errors import ConfigError
from fastload.model import QualifiedName
from fastload.naming import parsed, spelled

MODES = ("create", "append", "truncate", "replace", "upsert")
ROUTES = ("auto", "wire", "arrow")
POLICIES = ("error", "null")
PARTITIONINGS = ("auto", "physical", "keys")
TRIGGERS = ("stop", "fire")
ON_UPDATE = ("list", "trigger")
ON_ERROR = ("stop", "reject")
MINIMUM_MEMORY_BYTES = 16 << 20
_MAXIMUM_LANES = 256
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"\s*(\d{1,18}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*", re.ASCII)
_SHAPES = {1: '"table"', 2: '"schema.table"', 3: '"schema.table.column"'}
_DOTS = "a part with a dot in double quotes, or a tuple of the parts"
_BY_NAME = (
    "partition_by",
    "on_unrepresentable",
    "types",
    "where",
    "rename_tables",
    "rename_columns",
)
_FREE = frozenset(
    {"parallel", "memory_bytes", "run", "fresh", "verify", "on_error", "reject_limit", "rejects"}
)

TableName: TypeAlias = tuple[str, str]
ColumnName: TypeAlias = tuple[str, str, str]
Name: TypeAlias = str | tuple[str, ...]
"""A dotted name, as ``fastload.naming`` reads it, or a tuple of its parts."""


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Every option of ``fastload.copy``, checked.

    Attributes:
        tables: Patterns; None is every user table, unless ``names`` has some.
        names: Exact names, from tuples in ``tables``.
        parallel: Lanes, each with a source and a target connection.
        memory_bytes: Bound of all lanes' buffers together.
        partition_by: ``"auto"``, ``"physical"``, ``"keys"``, or columns by source table.
        on_unrepresentable: ``"error"`` or ``"null"`` by source column; ``None`` is all others,
            ``"error"`` where it is missing.
        types: Types in the source's spelling by source column.
        where: Filters in the source's dialect by source table.
        triggers: ``"stop"`` refuses targets whose triggers would fire; ``"fire"`` lets them.
        on_update: ``"list"`` tells columns that every update sets on the source alone;
            ``"trigger"`` makes triggers that do it on the target.
        fresh: Forget a stored run of this name and begin anew.
        verify: Compare the target with the source in the end.
        on_error: ``"stop"`` ends the run at the first row that is refused; ``"reject"`` sets such
            rows aside.
        reject_limit: Rows of the run that may be set aside.
        rejects: The folder that they go to.
        schemas: Schemas of the target by those of the source, where they differ; ``between``.
    """

    tables: tuple[str, ...] | None = None
    names: tuple[QualifiedName, ...] = ()
    exclude: tuple[str, ...] = ()
    mode: str = "create"
    parallel: int = 2
    memory_bytes: int = 192 << 20
    partition_by: str | dict[TableName, str] = "auto"
    route: str = "auto"
    on_unrepresentable: dict[ColumnName | None, str] = {}
    types: dict[ColumnName, str] = {}
    where: dict[TableName, str] = {}
    rename_tables: dict[TableName, TableName] = {}
    rename_columns: dict[ColumnName, str] = {}
    indexes: bool = True
    foreign_keys: bool = True
    statistics: bool = True
    triggers: str = "stop"
    on_update: str = "list"
    run: str | None = None
    fresh: bool = False
    verify: bool = False
    on_error: str = "stop"
    reject_limit: int = 1000
    rejects: str | None = None
    schemas: dict[str, str] = {}

    @staticmethod
    def make(
        *,
        tables: Iterable[Name] | str | None = None,
        exclude: Iterable[str] | str = (),
        mode: str = "create",
        parallel: int | None = None,
        memory: str | int = "192MiB",
        partition_by: str | Mapping[Name, str] = "auto",
        route: str = "auto",
        on_unrepresentable: str | Mapping[Name, str] = "error",
        types: Mapping[Name, str] | None = None,
        where: Mapping[Name, str] | None = None,
        rename: Mapping[Name, Name] | None = None,
        indexes: bool = True,
        foreign_keys: bool = True,
        statistics: bool = True,
        triggers: str = "stop",
        on_update: str = "list",
        run: str | None = None,
        fresh: bool = False,
        verify: bool = False,
        on_error: str = "stop",
        reject_limit: int = 1000,
        rejects: str | os.PathLike[str] | None = None,
    ) -> CopyOptions:
        """Return checked options.

        Raises:
            ConfigError: With the option, the value and what is allowed.
        """
        patterns, names = _selected(tables)
        renamed_tables, renamed_columns = _renames(rename or {})
        return CopyOptions(
            tables=patterns,
            names=names,
            exclude=_patterns("exclude", exclude),
            mode=_one_of("mode", mode, MODES),
            parallel=_lanes(parallel),
            memory_bytes=parse_size("memory", memory),
            partition_by=_partitioning(partition_by),
            route=_one_of("route", route, ROUTES),
            on_unrepresentable=_policies(on_unrepresentable),
            types=_by_column("types", types or {}),
            where=_by_table("where", where or {}),
            rename_tables=renamed_tables,
            rename_columns=renamed_columns,
            indexes=_flag("indexes", indexes),
            foreign_keys=_flag("foreign_keys", foreign_keys),
            statistics=_flag("statistics", statistics),
            triggers=_one_of("triggers", triggers, TRIGGERS),
            on_update=_one_of("on_update", on_update, ON_UPDATE),
            run=_run(run),
            fresh=_flag("fresh", fresh),
            verify=_verified(verify, mode),
            on_error=_on_error(on_error, mode),
            reject_limit=_reject_limit(reject_limit),
            rejects=_rejects(rejects, on_error),
        )

    def shape(self) -> dict[str, str]:
        """Return the options that decide the outcome, as text that compares equal if they do.

        Speed, memory and the run's name are left out: they may change between two starts.
        """
        return {f: _stable(getattr(self, f)) for f in self.__struct_fields__ if f not in _FREE}

    def partitioning(self, table: QualifiedName) -> str:
        """Return how this source table is to be partitioned: a word, or a column's name."""
        if isinstance(self.partition_by, str):
            return self.partition_by
        return self.partition_by.get((table.schema, table.name), "auto")

    def filter(self, table: QualifiedName) -> str | None:
        """Return the filter of this source table."""
        return self.where.get((table.schema, table.name))

    def target_name(self, table: QualifiedName) -> QualifiedName:
        """Return the name of this source table on the target."""
        schema, name = self.rename_tables.get((table.schema, table.name), ("", table.name))
        return QualifiedName(schema or self.target_schema(table.schema), name)

    def target_schema(self, schema: str) -> str:
        """Return the schema of the target for one of the source's."""
        return self.schemas.get(schema, schema)

    def between(self, source: str, target: str) -> CopyOptions:
        """Return these options for a copy from one default schema to another; "" is none.

        Names without a schema are the source's default schema's.

        Raises:
            ConfigError: There are such names and no such schema.
        """
        schemas = {source: target} if source and target and source != target else {}
        whole = {name: _within(name, getattr(self, name), source) for name in _BY_NAME}
        return msgspec.structs.replace(self, schemas=schemas, **whole)

    def narrowed(self, names: Sequence[QualifiedName]) -> CopyOptions:
        """Return these options for some tables alone; only of what ``between`` has returned.

        A name without its schema would be lost, and with it a filter, or the new name of a table
        whose rows are then written elsewhere.
        """
        given = (key for option in _BY_NAME for key in _keys(getattr(self, option)))
        assert all(schema for schema, *_ in given), "names without a schema"
        keep = {(n.schema, n.name) for n in names}

        def some(by_name: dict[Any, Any]) -> dict[Any, Any]:
            return {k: v for k, v in by_name.items() if k is None or k[:2] in keep}

        return msgspec.structs.replace(
            self,
            tables=None,
            names=tuple(names),
            exclude=(),
            where=some(self.where),
            rename_tables=some(self.rename_tables),
            rename_columns=some(self.rename_columns),
            types=some(self.types),
            on_unrepresentable=some(self.on_unrepresentable),
        )

    def target_columns(self, table: QualifiedName) -> dict[str, str]:
        """Return new names by old ones for the columns of this source table that get one."""
        return _of_table(self.rename_columns, table)

    def policies(self, table: QualifiedName) -> dict[str, str]:
        """Return what ``ReadSpec.on_unrepresentable`` takes for this source table."""
        named = {k: v for k, v in self.on_unrepresentable.items() if k is not None}
        return {"": self.on_unrepresentable.get(None, "error"), **_of_table(named, table)}

    def policy(self, table: QualifiedName, column: str) -> str:
        """Return what becomes of a value that the target cannot hold."""
        policies = self.policies(table)
        return policies.get(column, policies[""])


def qualified_name(
    name: Name | QualifiedName, option: str = "table", schema: str | None = None
) -> QualifiedName:
    """Return the name that ``schema.table`` or a tuple spells.

    Args:
        name: The name, as ``fastload.naming`` reads it.
        option: What it was given as.
        schema: That of a name without one; None where each must have its own.

    Raises:
        ConfigError: It is no name, or has no schema.
    """
    if isinstance(name, QualifiedName):
        return name
    if schema is None:
        return QualifiedName(*_parts(option, name, (2,)))
    parts = _parts(option, name, (1, 2))
    if len(parts) == 1 and not schema:
        raise _without_schema(option, parts)
    return QualifiedName(parts[0] if len(parts) == 2 else schema, parts[-1])


def parse_size(option: str, value: str | int) -> int:
    """Return the bytes of ``"192MiB"``, ``"1 GB"`` or a plain number."""
    match = None if isinstance(value, bool) else _SIZE.fullmatch(str(value))
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise ConfigError(
            f"{option}={value!r} is not a size",
            hint='write it as "192MiB", "1GB" or a number of bytes',
        )
    size_bytes = int(float(match[1]) * unit)
    if size_bytes < MINIMUM_MEMORY_BYTES:
        raise ConfigError(
            f"{option}={value!r} is too little", hint=f"at least {MINIMUM_MEMORY_BYTES >> 20}MiB"
        )
    return size_bytes


def _selected(
    tables: Iterable[Name] | str | None,
) -> tuple[tuple[str, ...] | None, tuple[QualifiedName, ...]]:
    if tables is None:
        return None, ()
    given = _several("tables", tables)
    if not given:
        raise ConfigError("tables is empty", hint="leave it out to copy every user table")
    names = tuple(qualified_name(t, "tables") for t in given if isinstance(t, tuple))
    return _patterns("tables", (t for t in given if not isinstance(t, tuple))), names


def _several(option: str, value: Iterable[Any] | str) -> tuple[Any, ...]:
    if isinstance(value, Iterable):
        return (value,) if isinstance(value, str) else tuple(value)
    raise ConfigError(f"{option}={value!r} is no list of names", hint='such as ["public.*"]')


def _patterns(option: str, value: Iterable[Any] | str) -> tuple[str, ...]:
    patterns = _several(option, value)
    for pattern in patterns:
        if not isinstance(pattern, str) or not 1 <= len(_dotted(option, pattern)) <= 2:
            raise ConfigError(
                f"{option} holds {pattern!r}",
                hint=f'"table", "schema.table" or a pattern such as "public.*"; {_DOTS}',
            )
    return patterns


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value in allowed:
        return value
    near = difflib.get_close_matches(str(value), allowed, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"{option}={value!r} is not known", hint=f"one of {', '.join(allowed)}{guess}"
    )


def _flag(option: str, value: bool) -> bool:
    if value is True or value is False:
        return value
    raise ConfigError(f"{option}={value!r} is neither True nor False", hint="write one of them")


def _verified(verify: bool, mode: str) -> bool:
    if _flag("verify", verify) and mode in ("append", "upsert"):
        raise ConfigError(
            f"verify=True compares whole tables, and mode={mode!r} keeps rows that the source "
            "does not have",
            hint="leave verify out, and call fastload.verify afterwards: it names what is extra",
        )
    return verify


def _on_error(on_error: str, mode: str) -> str:
    if _one_of("on_error", on_error, ON_ERROR) == "reject" and mode == "upsert":
        raise ConfigError(
            "on_error='reject' tries rows piece by piece, and mode='upsert' would take a key that "
            "comes twice in different pieces for a change",
            hint="leave on_error out; or load into a table of its own, and merge that",
        )
    return on_error


def _reject_limit(limit: int) -> int:
    if type(limit) is int and limit >= 0:
        return limit
    raise ConfigError(f"reject_limit={limit!r} is not a number of rows", hint="0 or more")


def _rejects(folder: str | os.PathLike[str] | None, on_error: str) -> str | None:
    if folder is None and on_error == "reject":
        raise ConfigError(
            "on_error='reject' needs a folder for the rows", hint="rejects='folder' names it"
        )
    if folder is not None and on_error != "reject":
        raise ConfigError(
            f"rejects={os.fspath(folder)!r} is given, and no row is rejected",
            hint="on_error='reject' sets rows aside",
        )
    return None if folder is None else os.fspath(folder)


def _lanes(parallel: int | None) -> int:
    if parallel is None:
        return max(2, min(8, os.cpu_count() or 2))
    if type(parallel) is not int or not 1 <= parallel <= _MAXIMUM_LANES:
        raise ConfigError(
            f"parallel={parallel!r} is not a number of lanes", hint=f"1 to {_MAXIMUM_LANES}"
        )
    return parallel


def _run(name: str | None) -> str | None:
    if name is None or (isinstance(name, str) and name.isprintable() and 0 < len(name) <= 200):
        return name
    raise ConfigError(f"run={name!r} is not a name", hint="1 to 200 printable characters")


def _partitioning(value: str | Mapping[Name, str]) -> str | dict[TableName, str]:
    if isinstance(value, str):
        return _one_of("partition_by", value, PARTITIONINGS)
    return _by_table("partition_by", value)


def _policies(value: str | Mapping[Name, str]) -> dict[ColumnName | None, str]:
    given = {"": value} if isinstance(value, str) else _mapping("on_unrepresentable", value)
    policies: dict[ColumnName | None, str] = {None: "error"}
    for name, policy in given.items():
        key = None if name == "" else _column("on_unrepresentable", name)
        policies[key] = _one_of("on_unrepresentable", policy, POLICIES)
    return policies


def _renames(
    rename: Mapping[Name, Name],
) -> tuple[dict[TableName, TableName], dict[ColumnName, str]]:
    tables: dict[TableName, TableName] = {}
    columns: dict[ColumnName, str] = {}
    for key, new in _mapping("rename", rename).items():
        old = _parts("rename", key, (1, 2, 3))
        if len(old) < 3:
            tables[_table_key(old)] = _new_table(new)
        else:
            columns[old[0], old[1], old[2]] = _text("rename", key, new)
    _distinct("tables", [(new[0] or old[0], new[1]) for old, new in tables.items()])
    _distinct("columns", [(*key[:2], new) for key, new in columns.items()])
    return tables, columns


def _new_table(new: Name) -> TableName:
    """Return a table's new name; its schema is empty where it stays."""
    return _table_key(_parts("rename", new, (1, 2)))


def _distinct(what: str, names: list[tuple[str, ...]]) -> None:
    twice = sorted({spelled(*name) for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"rename gives two {what} the name {twice[0]}", hint="give each a name of its own"
        )


def _by_table(option: str, given: Mapping[Name, str]) -> dict[TableName, str]:
    return {
        _table_key(_parts(option, key, (1, 2))): _text(option, key, value)
        for key, value in _mapping(option, given).items()
    }


def _by_column(option: str, given: Mapping[Name, str]) -> dict[ColumnName, str]:
    return {_column(option, k): _text(option, k, v) for k, v in _mapping(option, given).items()}


def _mapping(option: str, given: Mapping[Name, Any]) -> Mapping[Name, Any]:
    if isinstance(given, Mapping):
        return given
    raise ConfigError(
        f"{option}={given!r} is not a mapping of names to values",
        hint=f"write {option}={{name: value}}",
    )


def _text(option: str, key: Name, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ConfigError(
        f"{option}[{key!r}]={value!r} is not text", hint="give it as text that is not empty"
    )


def _column(option: str, key: Name) -> ColumnName:
    parts = _parts(option, key, (2, 3))
    return (parts[0] if len(parts) == 3 else "", parts[-2], parts[-1])


def _table_key(parts: tuple[str, ...]) -> TableName:
    """Return schema and name; the schema is empty where it is not given."""
    return (parts[0] if len(parts) == 2 else "", parts[-1])


def _keys(given: Any) -> list[tuple[str, ...]]:
    return [key for key in given if key] if isinstance(given, dict) else []


def _within(option: str, given: Any, schema: str) -> Any:
    """Return a mapping by names with this schema in those that have none."""
    if not isinstance(given, dict):
        return given
    bare = [key for key in _keys(given) if not key[0]]
    if bare and not schema:
        raise _without_schema(option, bare[0])
    whole = {(schema, *key[1:]) if key in bare else key: value for key, value in given.items()}
    if len(whole) < len(given):
        raise ConfigError(
            f"{option} names one table or column with its schema and without", hint="keep one"
        )
    return whole


def _without_schema(option: str, parts: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"{option} has the name {spelled(*parts)} without a schema, and the URL names no database",
        hint="write the schema before it: schema.table",
    )


def _dotted(option: str, text: str) -> tuple[str, ...]:
    try:
        return parsed(text)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error.message}", hint=error.hint) from None


def _parts(option: str, name: Any, lengths: tuple[int, ...]) -> tuple[str, ...]:
    parts = _dotted(option, name) if isinstance(name, str) else name
    if (
        isinstance(parts, tuple)
        and len(parts) in lengths
        and all(isinstance(p, str) and p for p in parts)
    ):
        return parts
    raise ConfigError(
        f"{option} has the name {name!r}",
        hint=f"{' or '.join(_SHAPES[n] for n in lengths)}; {_DOTS}",
    )


def _of_table(by_column: Mapping[ColumnName, str], table: QualifiedName) -> dict[str, str]:
    return {c: v for (s, t, c), v in by_column.items() if (s, t) == (table.schema, table.name)}


def _stable(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted(value.items(), key=lambda item: repr(item[0])))
    return repr(sorted(value)) if isinstance(value, tuple) else repr(value)
