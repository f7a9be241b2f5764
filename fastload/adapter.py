"""The seam between the core and databases: everything an adapter promises, in words.

The core calls these Protocols and knows no database; an adapter implements them and knows no
other adapter. ``fastload.testing.AdapterSuite`` is the executable form of this file, and the
memory adapter in ``fastload.testing.memory`` its reference.

Rules for every method here:

* **Cancellation** may arrive at any await. A cancelled call leaves nothing half committed, and
  whatever connection it used is closed, not returned; no server-side work outlives it by 2 s.
  What was committed stays: a partition has its receipt then, ``write_once`` says more.
* **Errors** are ``fastload.errors``; driver exceptions never pass. No message holds credentials.
* **Concurrency**: methods of one Source or Target may be called from several tasks of one event
  loop at once, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import msgspec

from fastload import typemap
from fastload.channel import Waits
from fastload.model import (
    Catalog,
    Column,
    Cut,
    Finding,
    Fit,
    Inspection,
    Kept,
    Occupied,
    Partition,
    Plan,
    QualifiedName,
    Receipt,
    Seal,
    Step,
    Steps,
    StoredRun,
    Table,
    TablePlan,
    Worker,
)
from fastload.model import Sequence as SequenceModel
from fastload.url import Url

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.expressions import Dialect
    from fastload.written import Written

Endpoint: TypeAlias = Url | Any
"""A parsed URL, or the caller's own pool or client of the adapter's driver."""

Item: TypeAlias = Any
"""What a reading delivers: ``pyarrow.RecordBatch``, or bytes on the wire route."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which tables, and which types their columns are to have instead of their own.

    Attributes:
        tables: Patterns or names; None is every user table in every schema. A pattern is
            ``schema.table`` with ``*`` and ``?``; one without a dot matches in every schema.
        exclude: Patterns taken out again.
        types: ``(schema, table, column)`` to a type in the source's spelling; the source casts.
        names: Exact names, taken without any pattern matching, beside ``tables``.
    """

    tables: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    types: dict[tuple[str, str, str], str] = {}
    names: tuple[QualifiedName, ...] = ()


class SourceCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a source can do.

    Attributes:
        snapshot: ``"shared"`` (all readers see one cut), ``"per_reader"`` or ``"none"``.
        tail: Whether its log can be followed.
        replayable: Whether a partition can be read again; a caller's stream cannot.
        casts: Whether it reads columns as other types, as ``Selection.types`` asks.
        fingerprint: Name of the hash that ``Fingerprinting.fingerprint`` sums, and of all that
            its values depend on; None where the server has none.
        counts: Whether it is ``Counting``.
    """

    snapshot: str = "shared"
    tail: bool = False
    replayable: bool = True
    casts: bool = True
    fingerprint: str | None = None
    counts: bool = False


class TargetCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a target can do.

    Attributes:
        guarantee: ``"L3"`` rows and receipt in one transaction, ``"L2"`` idempotent, ``"L1"``.
        ddl: Whether it makes tables.
        merge: Whether it can upsert by primary key.
        wires: Wire formats it takes undecoded.
        notes: What a plan says of how this target writes, such as what makes it slow here.
        clusters: Whether it stores rows by their primary key, so that it takes them faster in
            that order.
        mend: Whether it is ``Mending``.
        writes_repairs: Whether it is ``RepairWriting``.
        rejects: Whether it is ``Sifting``.
    """

    guarantee: str = "L3"
    ddl: bool = True
    merge: bool = True
    wires: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    clusters: bool = False
    mend: bool = False
    writes_repairs: bool = False
    rejects: bool = False


class Fingerprint(msgspec.Struct, frozen=True):
    """What rows come to, in any order.

    Attributes:
        rows: How many there are.
        sum: Sum of their 64-bit hashes, modulo 2^64.
    """

    rows: int
    sum: int


class PartitionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is to be partitioned.

    Attributes:
        want: Partitions wanted; a source may make fewer, or a few more for NULL keys.
        by: ``"auto"``, ``"physical"``, ``"keys"`` (never physical), or a column's name.
        where: The filter that readings of this table will have.
    """

    want: int
    by: str = "auto"
    where: str | None = None


class ReadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How a partition is to be read.

    Attributes:
        table: The table as the catalogue described it.
        columns: Names of columns, in the order wanted.
        wire: Deliver this wire format's bytes; None delivers record batches.
        exact: Columns to deliver in their exact form.
        where: Filter in the source's dialect.
        on_unrepresentable: Column to ``"error"``, ``"null"`` or ``"note"``: what to do with a value
            that the column's Arrow form cannot hold; ``""`` is the policy for all others.
            ``"note"`` makes it NULL and tells it with the batch, as ``fastload.misfits`` says; a
            source that does not know it raises as for ``"error"``.
        batch_bytes: Size to cut record batches at.
        buffer_bytes: Bound of what the reading may hold ready for its consumer.
        order_by: Columns in whose order rows are better delivered, for the target's sake. No
            promise: comparisons of the source need not be the target's.
    """

    table: Table
    columns: tuple[str, ...]
    wire: str | None = None
    exact: tuple[str, ...] = ()
    where: str | None = None
    on_unrepresentable: dict[str, str] = {}
    batch_bytes: int = 4 << 20
    buffer_bytes: int = 8 << 20
    order_by: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Schema of the record batches that are asked for."""
        return typemap.schema_of([self.table.column(c) for c in self.columns], self.exact)

    def policy(self, column: str) -> str:
        """Return what becomes of a value that the column's Arrow form cannot hold."""
        policies = self.on_unrepresentable
        return policies.get(column, policies.get("", "error"))


class SchemaSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made around the rows of a copy.

    Attributes:
        mode: The copy's mode, which says what becomes of tables that are there.
        indexes: Whether to make indexes other than keys.
        foreign_keys: Whether to declare foreign keys.
        statistics: Whether to gather statistics.
        on_update: Where columns have no ``on_update`` of their own, ``"trigger"`` makes triggers
            that stand for it, and ``"list"`` tells each in ``not_carried``.
        rename_columns: New names of columns, by table; they are given after the rows.
    """

    mode: str
    indexes: bool = True
    foreign_keys: bool = True
    statistics: bool = True
    on_update: str = "list"
    rename_columns: Mapping[QualifiedName, Mapping[str, str]] = msgspec.field(default_factory=dict)


@runtime_checkable
class Reading(Protocol):
    """An open read of one partition; its items come in the source's order, once.

    Iteration happens inside the ``async with`` that opened it. Breaking out early is allowed:
    leaving the context stops the server.
    """

    @property
    def schema(self) -> pa.Schema | str:
        """Arrow schema of the batches, which is ``ReadSpec.schema``, or the wire's name."""

    @property
    def cut(self) -> Cut:
        """What this reading sees."""

    def __aiter__(self) -> AsyncIterator[Item]:
        """Deliver the items.

        Raises:
            Unrepresentable: A value that the native form cannot hold, with its column; nothing
                after it is delivered and the partition has to be read anew.
            DecodeError, ConnectionLost, SourceError: The reading has failed.
        """

    async def seal(self) -> Seal:
        """Return what was delivered, by the source's own count.

        Only after the last item; raises SourceError before it, so that a reading that was cut
        off can never be taken for complete.
        """

    def waits(self) -> Waits:
        """Return how long the reader waited for room and the consumer for data, so far."""


class Snapshot(Protocol):
    """A consistent view of the source, alive as long as its context."""

    @property
    def cut(self) -> Cut:
        """What every reader of this snapshot sees."""

    @property
    def readers(self) -> int:
        """How many readings can be open at once: those asked for, or as many as were to be had."""

    @property
    def token(self) -> str | None:
        """What another process can join with; None if readers must live in this one."""


class Source(Protocol):
    """A database to read from."""

    @property
    def capabilities(self) -> SourceCapabilities:
        """What it can do."""

    @property
    def identity(self) -> str:
        """A name that survives restarts and moves, and differs between databases."""

    @property
    def namespace(self) -> str:
        """What tables' names are unique in: one name in one namespace is one table.

        The identity, or that of the server where a session can name tables of all databases.
        """

    @property
    def default_schema(self) -> str:
        """The schema of names without one; a copy's tables go from one side's to the other's.

        ``""`` where a URL names none: schemas then keep their names.
        """

    async def catalog(self, select: Selection) -> Catalog:
        """Return the selected tables and what belongs to them, in a handful of queries.

        Every table that a name or pattern without wildcards asks for is in the answer.

        Raises:
            TableNotFound: A name matches nothing; the hint has the nearest names.
            UnsupportedType: A column's type has no form; names column and remedy.
        """

    async def sequences(self, catalog: Catalog) -> Sequence[SequenceModel]:
        """Return the catalogue's sequences with the values they stand at now.

        Sequences are outside every snapshot: asked after the rows were read, they stand at or
        beyond every value that a row of the snapshot has drawn.
        """

    def snapshot(
        self, tables: Sequence[Table], readers: int
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Open a view that up to ``readers`` readings at once can share.

        One at least: TooManyConnections otherwise, where the server gives no connection.

        No table in it can be truncated, rewritten or altered while it is open; where one was,
        between ``catalog`` and now, SnapshotLost is raised on entry.
        """

    async def partitions(self, table: Table, at: Snapshot, want: PartitionSpec) -> list[Partition]:
        """Return partitions that together hold every row of the table once, NULL keys included.

        Balanced to within a factor of two on whatever the server knows; indexes count from 0.
        """

    def open(
        self, part: Partition, at: Snapshot, want: ReadSpec
    ) -> AbstractAsyncContextManager[Reading]:
        """Open a reading of this partition.

        Leaving the context before the last item stops the server's work within 2 s.
        """

    async def examine(self) -> Sequence[Finding]:
        """Return what a user should know or grant before reading from here."""


class WireHasher(Protocol):
    """Hashes the rows of one reading, whose bytes come in any pieces."""

    @property
    def rows(self) -> int:
        """Rows that were whole so far."""

    @property
    def sum(self) -> int:
        """Sum of their hashes, modulo 2^64."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """Check that all bytes have come; DecodeError otherwise."""


class Fingerprinting(Protocol):
    """A source whose server hashes rows by itself; ``SourceCapabilities.fingerprint`` says so.

    Two sources that name the same hash give the same sum for the same values of the same types,
    and values that are told apart in any way, as 1.0 and 1.00 or 0.0 and -0.0, hash otherwise.
    """

    async def fingerprint(self, part: Partition, at: Any, want: ReadSpec) -> Fingerprint:
        """Return what the rows of a partition come to, hashed over the columns wanted."""

    def wire_hasher(self, wire: str) -> WireHasher | None:
        """Return what hashes a reading of this wire as it passes; None where nothing does.

        The bytes of a row are hashed as they stand: sums of two sides are equal where the wire
        brought the same rows, in any order and any partitions.
        """


class Count(NamedTuple):
    """How many rows a table has, and the moment at which it has them."""

    rows: int
    cut: Cut


class Counting(Protocol):
    """A source whose server counts rows; ``SourceCapabilities.counts`` says so.

    What was read in partitions is checked by it: ranges that overlap, or that leave keys out, look
    whole from inside.
    """

    async def count(self, table: Table, at: Any, where: str | None) -> Count:
        """Return the rows of a whole table under a filter, counted without any partitions."""


class Target(Protocol):
    """A database to write to."""

    @property
    def capabilities(self) -> TargetCapabilities:
        """What it can do."""

    @property
    def identity(self) -> str:
        """A name that survives restarts and differs between databases."""

    @property
    def namespace(self) -> str:
        """As ``Source.namespace``."""

    @property
    def default_schema(self) -> str:
        """As ``Source.default_schema``."""

    def translate(self, catalog: Catalog) -> Catalog:
        """Return the catalogue, under the target's names, as this target would declare it; pure.

        Its own dialect comes back unchanged. What has no counterpart is added to
        ``not_carried``; a column type without one raises UnsupportedType.
        """

    async def inspect(self, catalog: Catalog) -> Inspection:
        """Return what the target already has under the names of a translated catalogue."""

    def fit(self, source: Column, target: Column, dialect: str) -> Fit:
        """Say how values of a source column (of this dialect) fit a target column; pure."""

    def render(self, catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
        """Return the schema work around the rows of a translated catalogue; pure.

        Repeating the before-data steps when nothing is prepared yet is harmless.
        """

    async def prepare(self, plan: Plan) -> int:
        """Run the before-data steps, store the plan, and return the epoch of this process.

        It is ``stored_plan.first_epoch``: one that no run of this name had before, so that who
        stood still since then is refused like any earlier owner.

        With a transactional catalogue the stored plan commits no earlier than the last step.
        Durable when it returns. Other stored runs that fill one of its tables are judged by
        ``resume.others``: some refuse this one, the rest are forgotten, which fences them off.

        Raises:
            StateError: Another process has stored a plan for this run meanwhile, or another
                run is filling one of its tables.
        """

    async def run_step(self, step: Step, run: str, epoch: int, *, width: int = 1) -> None:
        """Run an after-data step once: its receipt commits with it. Done before: no effect.

        A step that is ``alone`` runs before its receipt, and again where that was lost. Lanes
        run steps side by side; a server that could run parts of one step side by side does so
        up to its ``width``, the lanes that the step has to itself.

        Raises:
            ConstraintError: The rows do not satisfy what the step declares.
            StateError: The run's epoch has moved on.
        """

    async def advance(
        self, sequences: Sequence[SequenceModel], run: str, epoch: int, *, keep_higher: bool
    ) -> None:
        """Set sequences to these values; durable after ``barrier``, and harmless to repeat.

        A sequence with an owner is the one that the owning column has here, whatever its name.

        Args:
            sequences: Under the target's names; those without a ``last_value`` are passed over.
            run: The run.
            epoch: Of this process.
            keep_higher: Never set one back behind where it stands here.

        Raises:
            StateError: The run's epoch has moved on: rows may have been added since.
        """

    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        """Write one partition and its receipt in one transaction; return the full receipt.

        The receipt row goes in first, so that a second writer of the same partition waits for
        it and then finds it done: it returns the stored receipt and writes nothing. After the
        last item the reading is sealed and its rows compared with what the server accepted,
        before the commit. The commit may be asynchronous: durable only after ``barrier``.

        Raises:
            ConstraintError, EncodeError, Unrepresentable: With table and key where known.
            TargetError: Row counts differ, or the server refused; everything is rolled back.
            TargetChanged: The table is not what it was when the run was prepared.
            StateError: The run's epoch has moved on.
        """

    async def write_once(
        self, plan: Plan, table: TablePlan, reading: Reading, receipt: Receipt
    ) -> Receipt:
        """Do a plan of one table and one partition in one transaction, and store nothing of it.

        Before-data steps, the rows as in ``write``, after-data steps but those that are
        ``alone``: all of it or nothing. Durable when it returns; a commit whose answer was lost
        is looked up before anything is raised. A cancellation that comes before the commit leaves
        nothing. One that comes later is raised when the server has done with the commit, within
        half a minute, and what was committed stays.

        Raises:
            As ``write``.
        """

    async def restart(self, run: str, epoch: int, table: TablePlan) -> None:
        """Forget a table's receipts, empty it if ``restartable``, and store its new plan.

        In one transaction. For partitions that mean nothing under another snapshot.

        Raises:
            ResumeRefused: The table to be emptied holds other rows than those of its receipts.
        """

    async def barrier(self, run: str) -> Kept:
        """Make durable all that was committed before, and return what is left of the run.

        A server that crashed meanwhile has forgotten its last asynchronous commits: only what
        is counted here will stay.

        Raises:
            TargetChanged: A table of the run was emptied, altered or dropped meanwhile.
        """

    async def occupied(self, tables: Sequence[QualifiedName]) -> Sequence[Occupied]:
        """Return what tables take; those that are not there are left out.

        Asked of a server that has no room left, which may not be able to say.
        """

    async def rest(self) -> None:
        """Close the connections that are not in use: somebody else may need them."""

    def state(self) -> StateStore:
        """Return where this target remembers runs."""

    async def examine(self) -> Sequence[Finding]:
        """Return what a user should know or grant before writing to here."""


class Referring(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that refer to others, which were left as they are because of it.

    Attributes:
        key: Name of their foreign key.
        table: Their table.
        event: ``"DELETE"`` or ``"UPDATE"``, which is what was not done.
        action: What the foreign key does then, such as ``"CASCADE"``.
        rows: How many there are; None where this user may not see all of them.
    """

    key: str
    table: QualifiedName
    event: str
    action: str
    rows: int | None


class Mending(Protocol):
    """A target whose rows can be made another's; ``TargetCapabilities.mend`` says so."""

    async def mend(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Delete rows by key, and merge others, in one transaction.

        No other row is changed by it: rows to which others refer are not deleted, nor are their
        values changed where a foreign key would then change what refers to them. They stay as they
        are, all else is done, and what refers to them is returned.

        It has committed when this returns, as durably as the server commits by its own settings
        or better: what is mended is compared again, and nothing else is told to be durable by it.

        Args:
            table: A plan to upsert by.
            rows: Rows to merge, under the names of the target's columns.
            extra: A plan of the key's columns alone.
            keys: Keys of the rows to delete.
        """


class RepairWriting(Protocol):
    """A target that writes down what would mend its rows, in its own words.

    ``TargetCapabilities.writes_repairs`` says so.
    """

    async def repair_statements(
        self, change: str, table: TablePlan, rows: Reading, columns: Sequence[str]
    ) -> Sequence[str | None]:
        """Return a statement for each row; nothing is changed.

        Every value stands in it as a literal that means this value exactly; where there is no
        such literal, or the statement would be longer than a server may take, there is None.

        Args:
            change: ``"delete"``, ``"update"`` or ``"insert"``.
            table: A plan to upsert by; to delete, a plan of the key's columns alone.
            rows: Under the names of the target's columns.
            columns: Target columns to update.
        """

    async def referring(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Return what refers to rows in such a way that statements would change it, too.

        That is what foreign keys with an action other than refusing would do. Nothing is changed.

        Args:
            table: As in ``Mending.mend``.
            rows: Likewise.
            extra: Likewise.
            keys: Likewise.
        """

    def repair_file(self, statements: Sequence[str], notes: Sequence[str]) -> str:
        """Return a file of statements that commits all of them or none; pure.

        Args:
            statements: As ``repair_statements`` returns them.
            notes: Lines that tell the reader something, without line breaks.
        """


class Attempt(Protocol):
    """Writes some rows of a partition within its transaction."""

    async def __call__(self, rows: Reading) -> Written:
        """Write all of these rows.

        An error that is ``of_data`` has left nothing of them, and the transaction goes on; after
        any other it is over. What constraints forbid is refused here and not at the commit.
        """


Work: TypeAlias = Callable[[Attempt], Awaitable[Receipt]]
"""What is done with attempts; returns the full receipt."""


class Sifting(Protocol):
    """A target that can go on after rows it refused; ``TargetCapabilities.rejects`` says so."""

    async def sift(self, table: TablePlan, receipt: Receipt, work: Work) -> Receipt:
        """Do the work in one transaction with the receipt that it returns.

        As ``Target.write``: the receipt row goes in first, and where it is complete already it is
        returned and no work is done.

        Raises:
            As ``work``; everything is rolled back.
        """

    async def sift_once(
        self, plan: Plan, table: TablePlan, receipt: Receipt, work: Work
    ) -> Receipt:
        """Do the work in one transaction with the rest of its plan, as ``Target.write_once``."""


class StateStore(Protocol):
    """What the target remembers of runs. All answers are of committed state."""

    async def claim(self, run: str) -> StoredRun | None:
        """Take over a stored run: raise its epoch and return it, or None if there is none.

        From here on writes of every earlier epoch are refused. Waits no longer than the
        adapter's lock timeout for a transaction of the earlier owner.
        """

    async def show(self, run: str, epoch: int) -> None:
        """Let others see that this process works for a run, as ``worker`` tells it.

        Of one run at a time. From a moment later on, as well as it goes, until the run is
        discarded with this epoch or the target is closed, by whatever ends its process. Takes
        nothing that anybody waits for, neither a lock nor a connection, and raises nothing.
        """

    async def worker(self, run: str, epoch: int) -> Worker | None:
        """Return who shows that it works for a run with this epoch; None where nobody does.

        Whoever lives gives a sign every few seconds. A process that has ended is gone at once;
        one that stands still, or whose network does, stays, and is silent.
        """

    async def runs(self) -> Sequence[StoredRun]:
        """Return every stored run."""

    async def discard(self, run: str, epoch: int | None = None) -> None:
        """Forget a run, durably; rows stay where they are. Unknown names have no effect.

        Args:
            run: Its name.
            epoch: Of the process that has done the run; None forgets it whoever owns it.

        Raises:
            StateError: The run has another epoch; nothing is forgotten.
        """


class Adapter(Protocol):
    """What the entry point group ``fastload.adapters`` names."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """URL schemes it answers to."""

    def accepts(self, client: object) -> bool:
        """Say whether this is a pool or client of its driver, without importing the driver."""

    def room(self, endpoint: Endpoint) -> int | None:
        """Return how many connections the caller's pool can give; None for a URL."""

    def source(
        self, endpoint: Endpoint, *, connections: int
    ) -> AbstractAsyncContextManager[Source]:
        """Connect to read, with at most this many connections beside one for control."""

    def target(
        self, endpoint: Endpoint, *, connections: int
    ) -> AbstractAsyncContextManager[Target]:
        """Connect to write, with at most this many connections beside one for control."""


@runtime_checkable
class Expressing(Protocol):
    """An adapter whose database has expressions that others are to understand.

    An adapter without these two has none: defaults, checks, generated columns and indexed
    expressions from or to its database are then told as not carried.
    """

    @property
    def dialect(self) -> str:
        """The dialect of its catalogues, by their name for it; no other adapter has the same."""

    def expressions(self) -> Dialect:
        """Return what expressions mean there, and how they are said; imported only now."""
