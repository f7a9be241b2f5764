"""The family's own catalogues, between its flavours and from newer versions to older ones.

Between equals nothing is translated: tables are made from the text that the source shows of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from fastload.expressions import Use
from fastload.model import Catalog, Check, Column, Index, NotCarried, Table
from fastload.model import Sequence as SequenceModel
from fastload_mysql.clauses import definition
from fastload_mysql.collations import counterpart
from fastload_mysql.declaring import FLOATS, NO_NEGATIVE_ZERO
from fastload_mysql.expressing import Words, default_of, is_plain
from fastload_mysql.expression_flavours import keep
from fastload_mysql.flavours import Server, server_of
from fastload_mysql.narrowing import narrowed
from fastload_mysql.quoting import literal
from fastload_mysql.table_model import codecs
from fastload_mysql.typemap import ColumnFacts, forms

_ROW_FORMAT = re.compile(r"\bROW_FORMAT=(DYNAMIC|COMPACT|REDUNDANT|COMPRESSED)\b", re.I)
_CHARSET = re.compile(r"\bCHARSET=(\w+)")
_COLLATE = re.compile(r"\bCOLLATE=(\w+)")
_NOT_ENFORCED = re.compile(r"\bNOT ENFORCED(\s*\*/)?\s*$", re.I)
_REPLACED = ("uuid", "inet4", "inet6", "vector")  # by another type, where there is none
_RETOLD = (
    "documents go as text: decimals become doubles, and dates, times and binaries in them strings"
)
_NO_DIGITS = "spacing, order of members, repeated members and digits beyond a double's go"
_UUID_CHARACTERS, _INET4_CHARACTERS, _INET6_CHARACTERS = 36, 15, 45


def carried(catalog: Catalog, server: Server) -> Catalog:
    """Return a catalogue of the family as this server of it declares it."""
    flavour = catalog.extra.get("flavour", server.flavour)
    source = server_of(flavour, catalog.extra.get("version", "0"))
    if source.flavour == server.flavour and source.version <= server.version:
        return _told(catalog, server)
    return _Carrying(catalog, server, other=source.flavour != server.flavour).catalog()


def _told(catalog: Catalog, server: Server) -> Catalog:
    """Return a catalogue that is carried as it is, and say which values change nevertheless."""
    left = [
        NotCarried("numbers and moments of column", f"{table.name}.{column.name}", _RETOLD)
        for table in catalog.tables
        for column in table.columns
        if column.arrow == "arrow.json" and column.generated is None
    ]
    if server.is_mariadb or not left:
        return catalog
    return msgspec.structs.replace(catalog, not_carried=(*catalog.not_carried, *left))


def _in_forms_of(column: Column) -> Column:
    """Return the column with the forms of the type that it has here instead of its own."""
    found = forms(ColumnFacts(type=column.type))
    extra = {**column.extra, **codecs(found)}
    return msgspec.structs.replace(
        column, arrow=found.arrow, exact=found.exact, length=found.length, extra=extra
    )


class _Carrying:
    """The way of one catalogue to a server that does not know all of its words."""

    def __init__(self, source: Catalog, server: Server, *, other: bool) -> None:
        self._source = source
        self._server = server
        self._other = other
        self._left: list[NotCarried] = []

    def catalog(self) -> Catalog:
        tables = tuple(self._table(t) for t in self._source.tables)
        sequences = tuple(s for s in self._source.sequences if self._has(s))
        return msgspec.structs.replace(
            self._source,
            tables=tables,
            sequences=sequences,
            not_carried=tuple(dict.fromkeys((*self._source.not_carried, *self._left))),
            extra={"flavour": self._server.flavour},
        )

    def _leave(self, kind: str, name: object, reason: str | None) -> None:
        self._left.append(NotCarried(kind, str(name), reason or "it has no counterpart"))

    def _has(self, sequence: SequenceModel) -> bool:
        if sequence.owner is None and not self._server.has_sequences:
            self._leave("sequence", sequence.name, "MySQL has no sequences of their own")
            return False
        return True

    def _table(self, table: Table) -> Table:
        columns = tuple(self._column(table, c) for c in table.columns)
        columns = tuple(self._with_expressions(table, c, columns) for c in columns)
        made = msgspec.structs.replace(
            table,
            columns=columns,
            keys=tuple(msgspec.structs.replace(k, extra={}) for k in table.keys),
            foreign_keys=tuple(msgspec.structs.replace(f, extra={}) for f in table.foreign_keys),
            indexes=tuple(i for i in (self._index(table, i) for i in table.indexes) if i),
            checks=tuple(c for c in (self._check(table, c, columns) for c in table.checks) if c),
            wires=(),
        )
        made = narrowed(made, self._server, self._left)
        return msgspec.structs.replace(made, extra={"options": self._options(table)})

    def _options(self, table: Table) -> str:
        """Return the options that both flavours have."""
        given = table.extra.get("options", "")
        if (engine := table.extra.get("engine", "InnoDB")) != "InnoDB":
            self._leave("engine", table.name, f"InnoDB instead of {engine}")
        if table.extra.get("partitioning"):
            self._leave("partitioning", table.name, "made as one plain table with all rows")
        options = ["ENGINE=InnoDB"]
        collation = _COLLATE.search(given)
        if collation:
            found = self._collation(table, collation[1])
            options.append(f"DEFAULT CHARSET={found.split('_')[0]} COLLATE={found}")
        elif charset := _CHARSET.search(given):
            options.append(f"DEFAULT CHARSET={charset[1]}")
        if row_format := _ROW_FORMAT.search(given):
            options.append(row_format[0])
        if table.comment:
            options.append(f"COMMENT={literal(table.comment)}")
        return " ".join(options)

    def _collation(self, table: Table, collation: str) -> str:
        found, change = counterpart(collation, self._server)
        if change:
            self._leave(f"collation {collation}", table.name, f"{found} instead: {change}")
        return found

    def _column(self, table: Table, column: Column) -> Column:
        name = table.name.member(column.name)
        type_, collation, note = self._type(column)
        if note:
            self._leave("type of column", name, note)
        if self._other and self._server.is_mariadb and column.arrow in FLOATS:
            self._leave("sign of zero in column", name, NO_NEGATIVE_ZERO)
        if collation:
            collation = self._collation(table, collation)
        extra = {k: v for k, v in column.extra.items() if k != "definition"}
        if collation:
            extra["charset"] = collation.split("_")[0]
        if extra.pop("period", None):  # nobody else would fill it
            column = msgspec.structs.replace(column, generated=None, default=None, dated=False)
        if "srid" in extra and not self._server.has_srids:
            self._leave("SRID of column", name, "this server checks none")
            del extra["srid"]
        if "invisible" in extra and not self._server.has_invisible_columns:
            self._leave("invisibility of column", name, "this server has no invisible columns")
            del extra["invisible"]
        if column.generated is not None and not self._server.has_generated_columns:
            self._leave("generated column", name, "this server has none: its values are copied")
            column = msgspec.structs.replace(column, generated=None)
        made = msgspec.structs.replace(column, type=type_, collation=collation, extra=extra)
        if column.type.split("(")[0] in _REPLACED and type_ != column.type:
            made = _in_forms_of(made)
        return made

    def _with_expressions(self, table: Table, column: Column, here: Sequence[Column]) -> Column:
        """Keep the column's expressions, as far as they mean the same to the other flavour."""
        name = f"{table.name}.{column.name}"
        if column.generated is not None:
            words = self._kept(column.generated, "generated", table, here, column)
            if words.text is None:
                reason = f"{words.reason}: its values are copied"
                self._leave("generation of column", name, reason)
            column = msgspec.structs.replace(column, generated=words.text)
        if (check := column.extra.get("check")) is not None:
            words = self._kept(check, "check", table, here)
            if words.text is None:
                self._leave("check", name, words.reason)
                extra = {k: v for k, v in column.extra.items() if k != "check"}
                column = msgspec.structs.replace(column, extra=extra)
        if column.default is not None and not is_plain(column.default, column):
            words = self._kept(column.default, "default", table, here, column)
            if words.text is None:
                self._leave("default", name, words.reason)
                return msgspec.structs.replace(column, default=None)
        return self._with_default(column, name)

    def _kept(
        self,
        text: str,
        use: Use,
        table: Table,
        here: Sequence[Column],
        column: Column | None = None,
    ) -> Words:
        """Return an expression as it is, or why the other flavour is not known to mean the same."""
        if not self._other:
            return Words(text)
        words = keep(
            text,
            use=use,
            columns={c.name: c for c in table.columns},
            here={c.name: c for c in here},
            column=column.name if column else None,
        )
        counting = next((c.name for c in table.columns if c.identity), None)
        if counting in words.columns and not self._server.is_mariadb:
            return Words(None, "it may not name an AUTO_INCREMENT column")
        return words

    def _with_default(self, column: Column, name: str) -> Column:
        if column.default is None:
            return self._with_plain_timestamp(column, name)
        words = default_of(column.default, column, self._server)
        if words.text is None:
            self._leave("default", name, words.reason or "it has no counterpart")
        return msgspec.structs.replace(column, default=words.text)

    def _with_plain_timestamp(self, column: Column, name: str) -> Column:
        """Give a timestamp zero as this server might, which else may have it follow the clock."""
        stamp = column.type.startswith("timestamp") and not column.nullable
        if not stamp or self._server.has_plain_timestamps or column.on_update is not None:
            return column
        self._leave("default", name, "zero, as this server has no timestamp without a default")
        return msgspec.structs.replace(column, default="'0000-00-00 00:00:00'")

    def _type(self, column: Column) -> tuple[str, str | None, str | None]:
        """Return type and collation here, and what changes with them."""
        server, type_ = self._server, column.type
        if column.arrow == "arrow.json":  # to MariaDB a long text, with a check
            if not server.has_json:
                return "longtext", server.binary_collation, "this server has no json"
            if self._other and not server.is_mariadb:
                return "json", None, f"json keeps documents and not their text: {_NO_DIGITS}"
            return "json", None, None if server.is_mariadb else _RETOLD
        if type_ == "uuid" and not server.has_uuid:
            return f"char({_UUID_CHARACTERS})", "ascii_general_ci", "MySQL has no type uuid"
        if type_ == "inet4" and not server.has(mysql=None, mariadb=(10, 10, 1)):
            return f"varchar({_INET4_CHARACTERS})", "ascii_bin", "it has no type inet4"
        if type_ == "inet6" and not server.has(mysql=None, mariadb=(10, 5, 1)):
            return f"varchar({_INET6_CHARACTERS})", "ascii_bin", "it has no type inet6"
        if type_.startswith("vector") and not server.has(mysql=(9, 0, 0), mariadb=(11, 7, 1)):
            return "longblob", None, "this server has no vectors"
        if not server.is_mariadb:  # MariaDB shows what MySQL 8.0.17 no longer takes
            return re.sub(r"^year\(4\)", "year", type_), column.collation, None
        return type_, column.collation, None

    def _index(self, table: Table, index: Index) -> Index | None:
        name = table.name.member(index.name)
        if index.kind not in ("sorted", "hash", "btree", "fulltext", "spatial"):
            self._leave("index", name, f"this server has no index of kind {index.kind}")
            return None
        if index.kind == "spatial" and not self._server.has_spatial_indexes:
            self._leave("index", name, "this server's InnoDB has no spatial indexes")
            return None
        functional = any(c.name is None for c in index.columns)
        if functional and not self._server.has_functional_indexes:
            self._leave("index", name, "this server has no indexes over expressions")
            return None
        descending = any(c.descending for c in index.columns)
        if descending and not self._server.has_descending_indexes:
            self._leave("order of index", name, "this server sorts every column upwards")
        if "PARSER" in index.definition:
            self._leave("parser of index", name, "the server's own is used")
        if "invisible" in index.extra:
            self._leave("invisibility of index", name, "made as one that is used")
        return msgspec.structs.replace(index, definition=definition(index.columns), extra={})

    def _check(self, table: Table, check: Check, here: Sequence[Column]) -> Check | None:
        name = table.name.member(check.name)
        if not self._server.has_checks:
            self._leave("check", name, "this server reads checks and forgets them")
            return None
        if _NOT_ENFORCED.search(check.definition) and self._server.is_mariadb:
            self._leave("check", name, "it is not enforced on the source")
            return None
        words = self._kept(check.definition, "check", table, here)
        if words.text is None:
            self._leave("check", name, words.reason)
            return None
        return check
