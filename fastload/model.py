"""What fastload knows of databases: plain, frozen, serialisable data.

Everything here can be written to JSON by msgspec and read back equal, since plans are stored in
the target and may be continued by another process. Adapters put facts that only they understand
under ``extra``; the core carries them and never looks inside.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import msgspec

from fastload.naming import spelled
from fastload.wording import visible

PLAN_VERSION = 4


class QualifiedName(msgspec.Struct, frozen=True, order=True):
    """The name of a table, type or sequence within its schema."""

    schema: str
    name: str

    def __str__(self) -> str:
        return spelled(self.schema, self.name)

    def member(self, name: str) -> str:
        """Return the name of a column, key or index of the table, as it is printed."""
        return spelled(self.schema, self.name, name)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column as its own database declares it.

    Attributes:
        type: The database's own spelling with modifiers, such as ``numeric(12,2)``.
        arrow: Native Arrow form, spelled as ``typemap.spell`` does.
        exact: Exact Arrow form (``opaque``), for values that the native form cannot hold;
            None where the native form holds every value.
        default: Expression in the dialect of the database.
        identity: ``"always"``, ``"by default"`` or None.
        generated: Expression of a generated column; its values are never copied.
        on_update: Expression that every update of the row sets the column to.
        length: Most characters of a text, or bytes of a binary; None without a limit.
        virtual: Whether generated values are computed when they are read, and not stored.
        labels: Those of an enumerated type, in order.
        members: Words of which a text may list several, with commas between them; empty where
            any text is taken.
        folds: What comparisons of its texts ignore, in words, such as ``"case and accents"``;
            None where every character counts.
        padded: Whether spaces at the end of its texts are filling that means nothing.
        dated: Whether the server itself writes the time of a change into it.
    """

    name: str
    type: str
    arrow: str
    exact: str | None = None
    nullable: bool = True
    default: str | None = None
    identity: str | None = None
    generated: str | None = None
    on_update: str | None = None
    length: int | None = None
    virtual: bool = False
    labels: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    collation: str | None = None
    folds: str | None = None
    padded: bool = False
    dated: bool = False
    comment: str | None = None
    extra: dict[str, str] = {}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A primary or unique key.

    Attributes:
        deferrable: Whether it may be checked as late as the commit.
        include: Further columns that its index holds.
        nulls_distinct: Whether a unique key takes rows that are equal but for their NULLs.
    """

    name: str
    columns: tuple[str, ...]
    primary: bool
    deferrable: bool = False
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True
    comment: str | None = None
    extra: dict[str, str] = {}


class IndexColumn(msgspec.Struct, frozen=True, kw_only=True):
    """What an index sorts by in one place.

    Attributes:
        name: The column; None for an expression.
        expression: In the dialect of the database.
        prefix: Only this many characters, or bytes of a binary, are indexed.
    """

    name: str | None = None
    expression: str | None = None
    descending: bool = False
    prefix: int | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An index that is not the index of a key.

    Attributes:
        definition: What follows the table's name in the database's own statement.
        columns: The same in words that every database shares; empty where it has none.
        where: Condition of a partial index, in the dialect of the database.
        kind: ``"sorted"``, or the database's own word for another kind.
    """

    name: str
    unique: bool
    definition: str
    columns: tuple[IndexColumn, ...] = ()
    where: str | None = None
    kind: str = "sorted"
    comment: str | None = None
    extra: dict[str, str] = {}


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key.

    Attributes:
        actions: What follows the referenced columns in the database's own statement.
        on_delete: ``"NO ACTION"``, ``"RESTRICT"``, ``"CASCADE"``, ``"SET NULL"`` or
            ``"SET DEFAULT"``.
        on_update: Likewise.
    """

    name: str
    columns: tuple[str, ...]
    references: QualifiedName
    referenced_columns: tuple[str, ...]
    actions: str = ""
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    comment: str | None = None
    extra: dict[str, str] = {}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A check constraint; ``definition`` is the database's own clause."""

    name: str
    definition: str
    comment: str | None = None


class EnumType(msgspec.Struct, frozen=True, kw_only=True):
    """An enumerated type with its labels in order."""

    name: QualifiedName
    labels: tuple[str, ...]
    comment: str | None = None


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """A sequence with the value it stands at.

    Attributes:
        owner: The table and column it belongs to, if any.
        identity: Whether it is the sequence inside an identity column.
        last_value: Where it stands, or None when that may not be read.
        is_called: Whether ``last_value`` was handed out; otherwise it is the next one.
    """

    name: QualifiedName
    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycle: bool
    last_value: int | None = None
    is_called: bool = False
    owner: tuple[QualifiedName, str] | None = None
    identity: bool = False
    comment: str | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table with everything that belongs to it.

    Attributes:
        rows: Estimated number of rows.
        bytes: Estimated size of the data in bytes.
        wires: Wire formats this table can be read in without a change of meaning, best first.
        partitioned: Whether its database keeps its rows apart by their values.
    """

    name: QualifiedName
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    comment: str | None = None
    rows: int = 0
    bytes: int = 0
    wires: tuple[str, ...] = ()
    partitioned: bool = False
    extra: dict[str, str] = {}

    @property
    def primary_key(self) -> Key | None:
        """The primary key, or None."""
        return next((k for k in self.keys if k.primary), None)

    def column(self, name: str) -> Column:
        """Return the column of this name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class NotCarried(msgspec.Struct, frozen=True, order=True):
    """An object of the source that the target will not have, and why."""

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return visible(f"{self.kind} {self.name}: {self.reason}")


class Catalog(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The selected part of a database.

    Attributes:
        dialect: The family whose spellings ``type``, ``default`` and definitions use, by the
            name that sqlglot has for it.
        not_carried: Objects seen that have no form in this model.
        notes: What there is to know of what was seen, such as that others may not be, in words.
    """

    dialect: str
    tables: tuple[Table, ...]
    schemas: tuple[str, ...] = ()
    enums: tuple[EnumType, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    not_carried: tuple[NotCarried, ...] = ()
    notes: tuple[str, ...] = ()
    extra: dict[str, str] = {}

    def table(self, name: QualifiedName) -> Table:
        """Return the table of this name; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[QualifiedName, Table]:
        return {t.name: t for t in self.tables}


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """Every row of the table."""


class KeyRange(msgspec.Struct, frozen=True, tag="keys"):
    """Rows with ``lower <= columns < upper``, compared as a row, in the server's own order.

    Attributes:
        lower: Inclusive bound as the database's own text, one per column; None is unbounded.
        upper: Exclusive bound likewise.
    """

    columns: tuple[str, ...]
    lower: tuple[str, ...] | None = None
    upper: tuple[str, ...] | None = None


class NullKeys(msgspec.Struct, frozen=True, tag="nulls"):
    """Rows in which any of the columns is NULL, which no key range contains."""

    columns: tuple[str, ...]


class PhysicalRange(msgspec.Struct, frozen=True, tag="physical"):
    """Rows stored in blocks ``first <= block < end``; meaningful within one snapshot only.

    Attributes:
        end: None reaches past whatever the table has grown to.
    """

    first: int
    end: int | None = None


Extent: TypeAlias = Whole | KeyRange | NullKeys | PhysicalRange


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a table that is read, written and receipted as one.

    Attributes:
        rows: Estimated rows.
        bytes: Estimated bytes.
    """

    table: QualifiedName
    index: int
    extent: Extent = Whole()
    rows: int = 0
    bytes: int = 0


class Position(msgspec.Struct, frozen=True):
    """A place in a source's log; opaque to everyone but its adapter."""

    token: str


class Cut(msgspec.Struct, frozen=True):
    """What a reader saw.

    Attributes:
        visible: The source's own visibility token, such as a transaction snapshot.
        position: Where the source's log stood; None where it keeps none.
        inconsistent_because: Why rows of this cut may be of several moments; None where not.
    """

    visible: str
    position: Position | None = None
    inconsistent_because: str | None = None


class Seal(msgspec.Struct, frozen=True):
    """What a reading has delivered, known only after its last item.

    Attributes:
        rows: Rows by the source's own count; None for a stream that does not say.
        bytes: Bytes that came over the wire, or of the Arrow buffers.
        nulled: Values delivered as NULL because the native form cannot hold them.
    """

    rows: int
    bytes: int
    nulled: int = 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that a partition is in the target, written in the partition's own transaction.

    Attributes:
        rows: Rows that the target has, which source and target agreed on; None until sealed.
        nulled: Values that became NULL on the way, as the user has asked for.
        rejected: Rows that the target refused, as the user has asked for; the source sent these
            beside ``rows``.
        rejects: The file that they are in.
    """

    run: str
    epoch: int
    table: QualifiedName
    partition: int
    rows: int | None = None
    bytes: int | None = None
    cut: Cut | None = None
    nulled: int = 0
    rejected: int = 0
    rejects: str | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a target durably has of a run: how many complete receipts, and steps."""

    receipts: int
    steps: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of schema work.

    Attributes:
        id: Unique within the plan and equal in every plan of the same catalogue.
        needs: Ids of steps that must be done first.
        statements: The target's own statements, run in one transaction where it has them.
        title: What it does, for people.
        weight: Relative cost; heavier steps start earlier.
        alone: The one statement runs in no transaction, which it refuses; repeating it must be
            harmless, as it may be done and its receipt lost.
        done: One query per statement, for servers that commit each by itself: the statement is
            left out where its query returns 1, since its work is there and its receipt was lost.
            ``""`` where repeating the statement is harmless.
        refuted_by: Queries that follow the statements. A row that one returns contradicts what
            the step declares; its values are those that do, by column.
    """

    id: str
    title: str
    statements: tuple[str, ...]
    needs: tuple[str, ...] = ()
    table: QualifiedName | None = None
    weight: int = 0
    alone: bool = False
    done: tuple[str, ...] = ()
    refuted_by: tuple[str, ...] = ()


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Schema work before and after the rows.

    Attributes:
        before: In order; done before the first row.
        after: A graph by ``needs``; begun when every row is in.
    """

    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    not_carried: tuple[NotCarried, ...] = ()


class ExistingTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that the target already has.

    Attributes:
        obstacles: What would change or hide rows on their way in, such as enabled triggers.
        unsafe: Why rows cannot be written into it as the target promises, and what mends it.
    """

    table: Table
    empty: bool
    obstacles: tuple[str, ...] = ()
    unsafe: str | None = None


class Occupied(msgspec.Struct, frozen=True):
    """What a table takes of its server's room.

    Attributes:
        bytes: Its indexes included, and the pages of rows that were rolled back or deleted.
        emptying: The statement that gives the room back: it empties the table, or drops it.
    """

    table: QualifiedName
    bytes: int
    emptying: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the target has of the names a plan wants.

    Attributes:
        enums: Enumerated types that are there under names of the catalogue's.
        sequences: Names of the catalogue's sequences that are taken.
        missing_types: Types the catalogue uses that the target does not know and no step makes.
        relations: What has a name in the catalogue's schemas, with the table it belongs to, where
            tables share their names with indexes and the like.
    """

    tables: tuple[ExistingTable, ...] = ()
    enums: tuple[EnumType, ...] = ()
    sequences: tuple[QualifiedName, ...] = ()
    missing_types: tuple[str, ...] = ()
    relations: tuple[tuple[QualifiedName, QualifiedName], ...] = ()

    def table(self, name: QualifiedName) -> ExistingTable | None:
        """Return what is there under this name, or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[QualifiedName, ExistingTable]:
        return {e.table.name: e for e in self.tables}


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of a source column fit a target column.

    Attributes:
        possible: Whether any value can go there at all.
        same: Whether both declare the same type, so that wire bytes mean the same.
        native: Whether the target takes the source column's native form.
        exact: Whether the target takes the source column's exact form.
        loss: What some values would lose, in words; None when nothing is lost.
        reason: Why it is impossible.
    """

    possible: bool = True
    same: bool = False
    native: bool = True
    exact: bool = False
    loss: str | None = None
    reason: str | None = None


class TablePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one table is copied.

    Attributes:
        source: The table as the source has it.
        target: The table as the target has it while rows are written. Its data columns that are
            written stand in the order of ``columns``.
        columns: Names of the source columns that are read, in order.
        target_columns: Names of the target columns they are written to, in the same order.
        route: ``"wire"`` or ``"arrow"``.
        wire: Name of the wire format, on the wire route.
        why: Why this route, in words.
        exact: Source columns read in their exact form from the start.
        exactable: Source columns whose exact form the target takes too, should a value need it.
        where: Filter in the source's dialect.
        level: Tables of a lower level are complete in the target before this one starts.
        restartable: Whether the table may be emptied to start over: nothing in it is not ours.
        merge_by: Target columns of the key to upsert by; empty inserts.
        nulls_instead: Target columns in which a value that they cannot hold becomes NULL.
    """

    source: Table
    target: Table
    columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    route: str
    why: str
    wire: str | None = None
    exact: tuple[str, ...] = ()
    exactable: tuple[str, ...] = ()
    where: str | None = None
    level: int = 0
    restartable: bool = True
    merge_by: tuple[str, ...] = ()
    nulls_instead: tuple[str, ...] = ()
    partitions: tuple[Partition, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything a run will do, decided before the first row; stored in the target.

    Attributes:
        run: Name of the run.
        guarantee: ``"L3"`` exactly once, ``"L2"`` idempotent, ``"L1"`` at least once.
        options: The options that shape the outcome, as plain data.
        losses: Lossy pairs the user has accepted, in words.
        notes: What the user should know of how the rows go, in words.
        begun: When the run was begun, in UTC, with a random number that tells it from others of
            its name; ``""`` until then.
        version: Version of this stored form.
    """

    run: str
    source: str
    target: str
    mode: str
    guarantee: str
    tables: tuple[TablePlan, ...]
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    not_carried: tuple[NotCarried, ...] = ()
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    options: dict[str, str] = {}
    begun: str = ""
    version: int = PLAN_VERSION

    def _repr_html_(self) -> str:
        from fastload.report_html import plan_fragment

        return plan_fragment(self)

    @property
    def begun_at(self) -> str:
        """When the run was begun, such as ``2026-01-31 23:59 UTC``; ``""`` until then."""
        told = self.begun
        return f"{told[:4]}-{told[4:6]}-{told[6:8]} {told[9:11]}:{told[11:13]} UTC" if told else ""

    def table(self, name: QualifiedName) -> TablePlan:
        """Return the plan of the source table of this name; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[QualifiedName, TablePlan]:
        return {t.source.name: t for t in self.tables}


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the target remembers it.

    Attributes:
        epoch: Epoch of the process that claimed it last.
        receipts: Completed partitions.
        steps: Ids of completed after-data steps.
    """

    plan: Plan
    epoch: int
    receipts: tuple[Receipt, ...] = ()
    steps: tuple[str, ...] = ()


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What a target shows of a process that works for a run.

    Attributes:
        told: What it is, in the target's words: a session, and where it comes from.
        silent_s: How long ago it gave its last sign of life, perhaps in whole seconds; None where
            this user may not see that.
    """

    told: str
    silent_s: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what ``doctor`` found.

    Attributes:
        level: ``"ok"``, ``"warn"`` or ``"bad"``.
    """

    level: str
    subject: str
    text: str
    hint: str | None = None
