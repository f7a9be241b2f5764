"""Another database's catalogue as this server would declare it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from fastload.model import (
    Catalog,
    Column,
    ForeignKey,
    Index,
    Key,
    NotCarried,
    QualifiedName,
    Table,
)
from fastload.model import Sequence as SequenceModel
from fastload_mysql import indexing, numbering
from fastload_mysql.declaring import declare
from fastload_mysql.dialect import DIALECT
from fastload_mysql.engines import with_transactions
from fastload_mysql.expressing import default_of, in_words
from fastload_mysql.flavours import Server, server_of
from fastload_mysql.naming import stored, with_distinct_names
from fastload_mysql.quoting import literal
from fastload_mysql.translation_own import carried
from fastload_mysql.widths import ROW_BYTES, key_room, row_bytes, width_bytes

_LONGEST_TABLE_COMMENT = 2048
_BY_BYTES = re.compile(r"\b(C|POSIX)\b")  # as standard C calls it
_WITH_ZONE = re.compile(r"(timestamp\[\w+), tz=.+\]")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_WIDEST_DECIMAL128 = 38


def translate(
    catalog: Catalog, *, flavour: str, version: str, lower_case_table_names: int = 0
) -> Catalog:
    """Return the catalogue in this server's own words; what has none is added to not_carried.

    Raises:
        PlanError: A name or a type has no counterpart.
    """
    server = server_of(flavour, version, lower_case_table_names)
    catalog = stored(catalog, server)
    if catalog.dialect == DIALECT:
        return carried(with_transactions(catalog), server)
    return _Translation(catalog, server).catalog()


class _Translation:
    """The translation of one catalogue; collects what is left behind."""

    def __init__(self, source: Catalog, server: Server) -> None:
        self._source = source
        self._read = source.dialect
        self._server = server
        self._left: list[NotCarried] = []
        self._counting = {s.owner: s for s in source.sequences if s.owner is not None}
        self._referred: defaultdict[QualifiedName, list[tuple[str, ...]]] = defaultdict(list)
        # By table, the columns that stored ones are generated from.
        self._bases: defaultdict[QualifiedName, frozenset[str]] = defaultdict(frozenset)
        for table in source.tables:
            for foreign in table.foreign_keys:
                self._referred[foreign.references].append(foreign.referenced_columns)

    def catalog(self) -> Catalog:
        """Return the catalogue in this server's words."""
        source = self._source
        tables = [self._table(t) for t in source.tables]
        tables = self._with_foreign_keys(tables)
        tables = [self._with_checks(t, s) for t, s in zip(tables, source.tables, strict=True)]
        tables = with_distinct_names(tables)
        sequences = self._sequences(tables)
        for enum in source.enums:
            if enum.comment is not None:
                self._leave("comment of type", str(enum.name), "MySQL has no types of its own")
        return msgspec.structs.replace(
            source,
            dialect=DIALECT,
            tables=tuple(tables),
            enums=(),
            sequences=sequences,
            not_carried=(*source.not_carried, *self._left),
            extra={"flavour": self._server.flavour},
        )

    def _leave(self, kind: str, name: str, reason: str | None) -> None:
        self._left.append(NotCarried(kind, name, reason or "it has no counterpart"))

    def _table(self, source: Table) -> Table:
        room = key_room(
            source,
            self._declared(source),
            self._referred[source.name],
            part_bytes=self._server.index_part_bytes,
        )
        columns = [self._column(source, c, room.get(c.name)) for c in source.columns]
        columns = self._within_row(source, columns, room)
        made = Table(
            name=source.name,
            columns=tuple(columns),
            foreign_keys=source.foreign_keys,
            rows=source.rows,
            bytes=source.bytes,
            comment=self._table_comment(source),
        )
        made = msgspec.structs.replace(made, keys=self._keys(source, made))
        made = msgspec.structs.replace(made, indexes=self._indexes(source, made))
        made = self._with_counting(source, made)
        counting = numbering.counting_column(made)
        columns = [self._with_expressions(source, c, counting) for c in made.columns]
        return msgspec.structs.replace(
            made, columns=tuple(columns), extra={"options": self._options(made)}
        )

    def _declared(self, table: Table) -> Callable[[Column], Column]:
        def declared(column: Column) -> Column:
            found = declare(column, server=self._server, table=str(table.name))
            return msgspec.structs.replace(column, type=found.type, collation=found.collation)

        return declared

    def _column(self, table: Table, column: Column, longest: int | None) -> Column:
        name = table.name.member(column.name)
        found = declare(column, server=self._server, table=str(table.name), longest=longest)
        if found.note:
            self._leave(found.note[0], name, found.note[1])
        if column.collation and not _BY_BYTES.search(column.collation):
            reason = f"texts are compared by their bytes, and not by {column.collation}"
            self._leave("collation of column", name, reason)
        comment = indexing.short(column.comment)
        if comment != column.comment:
            self._leave("comment of column", name, "it is longer than 1024 characters")
        extra = {"encode": found.encode}
        if found.charset:
            extra["charset"] = found.charset
        if found.encode == "json" and self._server.is_mariadb:
            extra["json"] = "yes"
        return Column(
            name=column.name,
            type=found.type,
            arrow=_arrow_here(column, found.type),
            nullable=column.nullable,
            default=column.default,
            identity=column.identity,
            generated=column.generated,
            on_update=column.on_update,
            length=column.length if found.type.startswith("var") else None,
            labels=column.labels if found.type.startswith("enum") else (),
            collation=found.collation,
            comment=comment,
            extra=extra,
        )

    def _within_row(
        self, table: Table, columns: list[Column], room: Mapping[str, int]
    ) -> list[Column]:
        """Store the longest texts outside of the row, where a row would be too long."""
        free = [c for c in columns if c.type.startswith("var") and c.name not in room]
        free.sort(key=width_bytes)
        while free and row_bytes(columns) > ROW_BYTES:
            moved = free.pop()
            long = "longblob" if moved.type.startswith("varbinary") else "longtext"
            made = msgspec.structs.replace(moved, type=long, length=None)
            columns = [made if c is moved else c for c in columns]
            reason = f"made as {long}: a row has no room for {moved.type}"
            self._leave("length of column", table.name.member(moved.name), reason)
        return columns

    def _table_comment(self, table: Table) -> str | None:
        if table.comment is not None and len(table.comment) > _LONGEST_TABLE_COMMENT:
            reason = f"it is longer than {_LONGEST_TABLE_COMMENT} characters"
            self._leave("comment of table", str(table.name), reason)
            return None
        return table.comment

    def _options(self, table: Table) -> str:
        collation = self._server.binary_collation
        options = f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={collation}"
        return options + (f" COMMENT={literal(table.comment)}" if table.comment else "")

    def _keys(self, source: Table, here: Table) -> tuple[Key, ...]:
        made = []
        for key in source.keys:
            kind, name = (
                ("primary key" if key.primary else "unique key"),
                here.name.member(key.name),
            )
            with self._leaving(kind, name):
                made.append(indexing.key(key, here))
                self._comment(kind, name, key)
                if not key.nulls_distinct:
                    self._leave("NULL in unique key", name, "MySQL takes it more than once")
                if key.deferrable:
                    self._leave(f"deferral of {kind}", name, "MySQL checks it with every row")
                if key.include:
                    reason = f"its index has no column but its own: {', '.join(key.include)}"
                    self._leave(f"further columns of {kind}", name, reason)
        return tuple(made)

    def _indexes(self, source: Table, here: Table) -> tuple[Index, ...]:
        made = []
        for index in source.indexes:
            name = here.name.member(index.name)
            with self._leaving("unique index" if index.unique else "index", name):
                made.append(indexing.index(index, here, source, self._read, self._server))
                self._comment("index", name, index)
                if short := [c for c in made[-1].columns if c.prefix is not None]:
                    reason = f"only the first {short[0].prefix} of {short[0].name} are indexed"
                    self._leave("width of index", name, reason)
        return tuple(made)

    def _comment(self, kind: str, name: str, found: Key | Index) -> None:
        if indexing.short(found.comment) != found.comment:
            reason = f"it is longer than {indexing.LONGEST_COMMENT} characters"
            self._leave(f"comment of {kind}", name, reason)

    @contextmanager
    def _leaving(self, kind: str, name: str) -> Iterator[None]:
        """Note what the server has no counterpart of."""
        try:
            yield
        except indexing.Refused as refused:
            self._leave(kind, name, str(refused))

    def _with_counting(self, source: Table, here: Table) -> Table:
        """Make one column AUTO_INCREMENT, where the source counts one up."""
        columns, counting = [], False
        for column in here.columns:
            sequence = self._counting.get((source.name, column.name))
            if column.identity or sequence is not None:
                column, made = self._counted(here, column, sequence, first=not counting)
                counting = counting or made
            columns.append(column)
        return msgspec.structs.replace(here, columns=tuple(columns))

    def _counted(
        self, here: Table, column: Column, sequence: SequenceModel | None, *, first: bool
    ) -> tuple[Column, bool]:
        name = here.name.member(column.name)
        why = numbering.obstacle(here, column, sequence)
        if why is None and not first:
            why = "a table has one AUTO_INCREMENT column"
        if why is not None:
            self._leave("numbering of column", name, why)
            return msgspec.structs.replace(column, identity=None, default=None), False
        if column.identity == "always":
            self._leave("identity of column", name, "AUTO_INCREMENT takes values that are given")
        if sequence is not None:
            self._left += numbering.told(here.name, column.name, sequence)
        made = msgspec.structs.replace(column, identity="by default", default=None, nullable=False)
        return made, True

    def _with_expressions(self, source: Table, column: Column, counting: str | None) -> Column:
        """Say defaults and generated values in this server's words."""
        name = source.name.member(column.name)
        if column.on_update is not None:
            self._leave("ON UPDATE of column", name, "it is in another database's words")
            column = msgspec.structs.replace(column, on_update=None)
        if column.generated is not None:
            return self._generated(source, column, name, counting)
        if column.default is None:
            return column
        words = in_words(column.default, source, read=self._read, use="default", into=column)
        if words.text is not None:
            words = default_of(words.text, column, self._server)
        if words.text is None:
            self._leave("default", name, words.reason)
        default = None if (words.text or "").upper() == "NULL" else words.text
        return msgspec.structs.replace(column, default=default)

    def _generated(self, source: Table, column: Column, name: str, counting: str | None) -> Column:
        """Generate the column here too; where that cannot be, its values are copied."""
        words = in_words(
            column.generated or "", source, read=self._read, use="generated", into=column
        )
        text = words.text if self._server.has_generated_columns else None
        if words.text is not None and text is None:
            reason = "this server has no generated columns: its values are copied"
            self._leave("generation of column", name, reason)
        elif text is None:
            self._leave("generation of column", name, words.reason)
        elif counting in words.columns:
            self._leave("generation of column", name, "it may not name an AUTO_INCREMENT column")
            text = None
        if text is not None:
            self._bases[source.name] |= words.columns
        return msgspec.structs.replace(column, generated=text)

    def _with_foreign_keys(self, tables: Sequence[Table]) -> list[Table]:
        """Keep the foreign keys that can be, each with the index that it needs."""
        here, made = {t.name: t for t in tables}, []
        for table in tables:
            kept: list[ForeignKey] = []
            bases = self._bases[table.name]
            for foreign in table.foreign_keys:
                name = table.name.member(foreign.name)
                with self._leaving("foreign key", name):
                    key, told = indexing.foreign_key(foreign, table, here, bases)
                    self._left += told
                    kept.append(key)
                if foreign.comment is not None:
                    self._leave("comment of foreign key", name, "MySQL has none")
            table = msgspec.structs.replace(table, foreign_keys=tuple(kept))
            for foreign in kept:
                if (index := indexing.supporting(foreign, table)) is not None:
                    table = msgspec.structs.replace(table, indexes=(*table.indexes, index))
            made.append(table)
        return made

    def _with_checks(self, here: Table, source: Table) -> Table:
        made = []
        for check in source.checks:
            name = here.name.member(check.name)
            with self._leaving("check", name):
                made.append(indexing.check(check, here, source, self._read, self._server))
                if check.comment is not None:
                    self._leave("comment of check", name, "MySQL has none")
        return msgspec.structs.replace(here, checks=tuple(made))

    def _sequences(self, tables: Sequence[Table]) -> tuple[SequenceModel, ...]:
        """Keep the sequences of counting columns, and those of none where the server has any."""
        counting = {(t.name, c.name) for t in tables for c in t.columns if c.identity}
        kept = []
        for sequence in self._source.sequences:
            if sequence.owner in counting:
                kept.append(msgspec.structs.replace(sequence, identity=True))
            elif sequence.owner is None and self._server.has_sequences:
                kept.append(sequence)
            elif sequence.owner is None:
                self._leave("sequence", str(sequence.name), "MySQL has no sequences of their own")
        return tuple(kept)


def _arrow_here(column: Column, type_: str) -> str:
    """Return the native form of the values as this server reads them back."""
    arrow = _WITH_ZONE.sub(r"\1]", column.arrow)
    if type_.startswith(("varchar", "char", "enum")) or type_ == "longtext":
        return "string"
    if type_.startswith(("varbinary", "binary")) or type_ == "longblob":
        return "binary"
    if type_ == "json":
        return "arrow.json"
    if match := _DECIMAL.fullmatch(type_):
        width = 128 if int(match[1]) <= _WIDEST_DECIMAL128 else 256
        return f"decimal{width}({match[1]}, {match[2]})"
    return "duration[us]" if type_.startswith("time(") or type_ == "time" else arrow
