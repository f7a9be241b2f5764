"""What every source promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pyarrow as pa
import pytest

from fastload.adapter import (
    Counting,
    Endpoint,
    Expressing,
    Fingerprinting,
    PartitionSpec,
    ReadSpec,
    Selection,
    Snapshot,
    Source,
)
from fastload.errors import DecodeError, SourceError, TableNotFound
from fastload.model import Partition, Table
from fastload.testing.suite_hooks import NAME, Hooks, items, tuples

_ROWS = 5000


class SourceSuite(Hooks):
    """Tests of ``Source``, ``Snapshot`` and ``Reading``."""

    @pytest.fixture
    async def filled(self, endpoint: Endpoint) -> Endpoint:
        """Return a database that has the table of items."""
        await self.fill(endpoint, NAME, items(_ROWS), ("id",))
        return endpoint

    async def test_identity_is_the_same_after_connecting_again(self, filled: Endpoint) -> None:
        """Identities survive."""
        async with self.adapter.source(filled, connections=1) as one:
            first = one.identity
        async with self.adapter.source(filled, connections=1) as two:
            assert two.identity == first

    async def test_catalog_describes_the_table(self, filled: Endpoint) -> None:
        """Names, columns and key are those that were declared."""
        async with self.adapter.source(filled, connections=1) as source:
            table = await _table(source)
        assert table.name == NAME
        assert [c.name for c in table.columns] == ["id", "name"]
        assert [c.arrow for c in table.columns] == ["int64", "string"]
        assert table.primary_key is not None
        assert table.primary_key.columns == ("id",)

    async def test_an_offered_dialect_is_that_of_the_catalogue(self, filled: Endpoint) -> None:
        """An adapter that is ``Expressing`` is found by the name that its catalogues have."""
        if isinstance(self.adapter, Expressing):
            async with self.adapter.source(filled, connections=1) as source:
                catalog = await source.catalog(Selection(names=(NAME,)))
            assert catalog.dialect == self.adapter.dialect
            assert self.adapter.expressions() is self.adapter.expressions()

    async def test_a_missing_table_is_named_with_its_neighbours(self, filled: Endpoint) -> None:
        """The hint holds the nearest name."""
        async with self.adapter.source(filled, connections=1) as source:
            with pytest.raises(TableNotFound) as caught:
                await source.catalog(Selection(tables=("public.itemz",)))
        assert str(NAME) in (caught.value.hint or "")

    async def test_rows_are_counted_at_the_snapshots_moment(self, filled: Endpoint) -> None:
        """Sources that are ``Counting`` count a whole table, or what a filter leaves of it."""
        async with self._opened(filled) as (source, at, table):
            if source.capabilities.counts:
                counting = cast("Counting", source)
                assert await counting.count(table, at, None) == (_ROWS, at.cut)
                assert await counting.count(table, at, "id < 5 OR id < 7") == (7, at.cut)

    async def test_catalogues_and_partitions_are_plain_data(self, filled: Endpoint) -> None:
        """Both read back equal from JSON."""
        async with self._opened(filled) as (source, at, table):
            parts = await source.partitions(table, at, PartitionSpec(want=4))
        assert _again(table) == table
        assert [_again(p) for p in parts] == parts

    @pytest.mark.parametrize("by", ["auto", "physical", "keys", "id", "name"])
    @pytest.mark.parametrize("want", [1, 4, 50])
    async def test_partitions_hold_every_row_once(
        self, filled: Endpoint, by: str, want: int
    ) -> None:
        """Together they are the table, NULL keys included."""
        async with self._opened(filled) as (source, at, table):
            parts = await source.partitions(table, at, PartitionSpec(want=want, by=by))
            read = [await _read(source, p, at, _spec(table)) for p in parts]
        assert [p.index for p in parts] == list(range(len(parts)))
        assert tuples(pa.concat_tables(read)) == tuples(items(_ROWS))

    async def test_batches_have_the_schema_and_the_order_that_was_asked(
        self, filled: Endpoint
    ) -> None:
        """``ReadSpec.columns`` decides the order."""
        async with self._opened(filled) as (source, at, table):
            spec = msgspec.structs.replace(_spec(table), columns=("name", "id"))
            found = await _read(source, Partition(table=NAME, index=0), at, spec)
        assert found.schema.names == ["name", "id"]
        assert tuples(found.select(["id", "name"])) == tuples(items(_ROWS))

    async def test_batches_are_cut_by_bytes(self, filled: Endpoint) -> None:
        """A small ``batch_bytes`` makes several batches."""
        async with self._opened(filled) as (source, at, table):
            spec = msgspec.structs.replace(_spec(table), batch_bytes=1 << 14)
            async with source.open(Partition(table=NAME, index=0), at, spec) as reading:
                batches = [batch async for batch in reading]
        assert len(batches) > 3
        assert max(b.nbytes for b in batches) < 1 << 16

    async def test_a_seal_counts_what_was_delivered(self, filled: Endpoint) -> None:
        """It has the source's own row count."""
        async with self._opened(filled) as (source, at, table):
            part = Partition(table=NAME, index=0)
            async with source.open(part, at, _spec(table)) as reading:
                rows = sum([batch.num_rows async for batch in reading])
                seal = await reading.seal()
        assert seal.rows == rows == _ROWS

    async def test_a_reading_that_has_not_ended_has_no_seal(self, filled: Endpoint) -> None:
        """A cut reading can never be taken for complete."""
        async with self._opened(filled) as (source, at, table):
            spec = msgspec.structs.replace(_spec(table), batch_bytes=1 << 14)
            async with source.open(Partition(table=NAME, index=0), at, spec) as reading:
                async for _ in reading:
                    break
                with pytest.raises(SourceError):
                    await reading.seal()

    async def test_leaving_a_reading_early_leaves_the_source_usable(self, filled: Endpoint) -> None:
        """The next reading of the same snapshot is whole."""
        async with self._opened(filled) as (source, at, table):
            part = Partition(table=NAME, index=0)
            for _ in range(3):
                async with source.open(part, at, _spec(table)) as reading:
                    async for _ in reading:
                        break
            found = await _read(source, part, at, _spec(table))
        assert found.num_rows == _ROWS

    async def test_a_snapshot_is_one_moment(self, filled: Endpoint) -> None:
        """Rows that come after it are not in any of its readings."""
        async with self._opened(filled) as (source, at, table):
            await self.fill(filled, NAME, items(100, first=_ROWS), ("id",))
            part = Partition(table=NAME, index=0)
            found = await _read(source, part, at, _spec(table))
            async with source.open(part, at, _spec(table)) as reading:
                assert reading.cut == at.cut
        assert found.num_rows == _ROWS
        assert len(await self.rows(filled, NAME)) == _ROWS + 100

    async def test_a_server_s_hashes_add_up(self, filled: Endpoint) -> None:
        """Over any partitions to the same, and with another row to another sum."""
        whole = Partition(table=NAME, index=0)
        async with self._opened(filled) as (source, at, table):
            if source.capabilities.fingerprint is None:
                return
            server, spec = cast("Fingerprinting", source), _spec(table)
            first = await server.fingerprint(whole, at, spec)
            parts = await source.partitions(table, at, PartitionSpec(want=4, by="keys"))
            found = [await server.fingerprint(p, at, spec) for p in parts]
        assert len(parts) > 1
        assert first.rows == sum(f.rows for f in found) == _ROWS
        assert first.sum == sum(f.sum for f in found) % 2**64
        await self.fill(filled, NAME, items(1, first=_ROWS), ("id",))
        async with self._opened(filled) as (source, at, table):
            second = await cast("Fingerprinting", source).fingerprint(whole, at, _spec(table))
        assert second.rows == _ROWS + 1
        assert second.sum != first.sum

    async def test_a_wire_is_hashed_in_any_pieces(self, filled: Endpoint) -> None:
        """Over any partitions to the same; bytes that have not all come are an error."""
        async with self._opened(filled) as (source, at, table):
            server = cast("Fingerprinting", source)
            wires = table.wires
            if source.capabilities.fingerprint is None or not wires:
                return
            spec = msgspec.structs.replace(_spec(table), wire=wires[0])
            parts = await source.partitions(table, at, PartitionSpec(want=4, by="keys"))
            sums = []
            for some, size in (([Partition(table=NAME, index=0)], 1 << 30), (parts, 7)):
                hashers = []
                for part in some:
                    hasher = server.wire_hasher(wires[0])
                    assert hasher is not None
                    async with source.open(part, at, spec) as reading:
                        data = b"".join([bytes(item) async for item in reading])
                    for begin in range(0, len(data), size):
                        hasher.feed(data[begin : begin + size])
                    hasher.finish()
                    hashers.append(hasher)
                sums.append((sum(h.rows for h in hashers), sum(h.sum for h in hashers) % 2**64))
            cut = server.wire_hasher(wires[0])
            assert cut is not None
            cut.feed(data[:-1])
            with pytest.raises(DecodeError):
                cut.finish()
        assert sums[0] == sums[1]
        assert sums[0][0] == _ROWS

    @asynccontextmanager
    async def _opened(self, endpoint: Endpoint) -> AsyncIterator[tuple[Source, Snapshot, Table]]:
        async with self.adapter.source(endpoint, connections=2) as source:
            table = await _table(source)
            async with source.snapshot([table], 2) as at:
                yield source, at, table


async def _table(source: Source) -> Table:
    (table,) = (await source.catalog(Selection(names=(NAME,)))).tables
    return table


def _spec(table: Table) -> ReadSpec:
    return ReadSpec(table=table, columns=tuple(c.name for c in table.columns))


async def _read(source: Source, part: Partition, at: Snapshot, want: ReadSpec) -> pa.Table:
    async with source.open(part, at, want) as reading:
        batches = [batch async for batch in reading]
        schema = reading.schema
        await reading.seal()
    assert isinstance(schema, pa.Schema)
    return pa.Table.from_batches(batches, schema)


def _again(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))
