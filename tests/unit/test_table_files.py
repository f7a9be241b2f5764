"""Tables in files: what goes in comes out, and a failure leaves no half file."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from fastload import table_files
from fastload.channel import Waits
from fastload.errors import ConfigError, ConnectionLost
from fastload.model import Cut, Seal
from fastload.testing.cases import CASES

FORMS = ["t.parquet", "t.csv", "t.arrow", "t.feather", "t.ipc", "T.PARQUET"]
PLAIN = pa.table({"id": [1, 2, 3], "name": ["a", None, 'b "q", x\ny'], "empty": ["x", "", None]})
UUIDS = [uuid.UUID(int=1), None, uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")]


class Batches:
    """A reading of given batches, which may end with an error."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = list(batches)
        self.schema = schema
        self.cut = Cut(visible="now")
        self.error: Exception | None = None

    async def __aiter__(self):
        for batch in self._batches:
            yield batch
        if self.error:
            raise self.error

    async def seal(self) -> Seal:
        return Seal(rows=sum(b.num_rows for b in self._batches), bytes=0)

    def waits(self) -> Waits:
        return Waits()


def reading(table: pa.Table, rows_per_batch: int = 2) -> Batches:
    return Batches(table.to_batches(rows_per_batch), table.schema)


async def saved(table: pa.Table, file: Path) -> pa.Table:
    """Return what is read back of a table that was saved to this file."""
    assert await table_files.saver(file)(reading(table)) == table.num_rows
    if file.suffix == ".csv":
        return csv_table(file, empty_lines=table.num_columns == 1)
    with table_files.opened(file) as stream:
        return stream.read_all()


def csv_table(file: Path, *, empty_lines: bool) -> pa.Table:
    """Read a CSV file in which nothing is NULL and "" is an empty text."""
    return csv.read_csv(
        file,
        parse_options=csv.ParseOptions(ignore_empty_lines=not empty_lines, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


@pytest.mark.parametrize("name", FORMS)
async def test_every_form_gives_back_what_went_in(tmp_path, name):
    assert (await saved(PLAIN, tmp_path / name)).to_pydict() == PLAIN.to_pydict()
    assert [f.name for f in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMS[:3])
@pytest.mark.parametrize("rows", [0, 1, 7])
async def test_any_number_of_rows(tmp_path, name, rows):
    table = pa.table({"id": pa.array(range(rows), pa.int64()), "b": ["x"] * rows})
    back = await saved(table, tmp_path / name)
    assert (back.num_rows, back.column_names) == (rows, ["id", "b"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
async def test_arrow_files_keep_every_type_and_value(tmp_path, case):
    table = pa.table({"c": case.column()})
    back = await saved(table, tmp_path / "t.arrow")
    assert back.schema == table.schema
    assert repr(back["c"].to_pylist()) == repr(table["c"].to_pylist())


async def test_nulls_and_empty_texts_differ_in_a_csv_of_one_column(tmp_path):
    table = pa.table({"c": ["a", None, "", None]})
    assert (await saved(table, tmp_path / "t.csv")).to_pydict() == table.to_pydict()


def test_a_csv_is_not_written_with_guessed_types(tmp_path):
    (tmp_path / "t.csv").write_text("code\n007\n")
    with pytest.raises(ConfigError, match="does not say the types") as caught:
        open_and_read(tmp_path / "t.csv")
    assert "fastload.write" in caught.value.hint


async def test_words_in_a_csv_are_no_nulls(tmp_path):
    table = pa.table({"country": ["NA", "NULL", "nan", "#N/A"], "n": [1, 2, 3, 4]})
    assert (await saved(table, tmp_path / "t.csv")).to_pydict() == table.to_pydict()


async def test_uuids_are_text_in_a_csv(tmp_path):
    column = pa.array([u and u.bytes for u in UUIDS], pa.binary(16)).cast(pa.uuid())
    table = pa.table({"id": column, "n": [1, 2, 3]})
    back = await saved(table.slice(1), tmp_path / "t.csv")
    assert back["id"].to_pylist() == [None, str(UUIDS[2])]
    back = await saved(table, tmp_path / "t.csv")
    assert back["id"].to_pylist() == [u and str(u) for u in UUIDS]


async def test_exact_texts_are_text_in_a_csv(tmp_path):
    type_ = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    column = pa.array(["1e400", "NaN"]).cast(type_.storage_type)
    table = pa.table({"n": pa.ExtensionArray.from_storage(type_, column)})
    await saved(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == '"n"\n"1e400"\n"NaN"\n'


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("t.csv", pa.array([[1]])),
        ("t.csv", pa.array([b"\xff"])),
        ("t.csv", pa.array([(1, 2, 3)], pa.month_day_nano_interval())),
        ("t.parquet", pa.array([(1, 2, 3)], pa.month_day_nano_interval())),
    ],
)
async def test_what_a_form_cannot_hold_is_refused_with_one_that_can(tmp_path, name, column):
    with pytest.raises(ConfigError, match="cannot hold every column") as caught:
        await saved(pa.table({"c": column}), tmp_path / name)
    assert ".arrow" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMS[:3])
async def test_a_failure_leaves_what_was_there_before(tmp_path, name):
    file = tmp_path / name
    await saved(PLAIN, file)
    before = file.read_bytes()
    broken = reading(PLAIN.slice(0, 1))
    broken.error = ConnectionLost("gone")
    with pytest.raises(ConnectionLost):
        await table_files.saver(file)(broken)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["t.xlsx", "t", ".parquet"])
def test_an_unknown_suffix_is_refused_with_the_known(tmp_path, name):
    for call in (table_files.saver, table_files.form_of):
        with pytest.raises(ConfigError, match="suffix") as caught:
            call(tmp_path / name)
        assert ".parquet, .csv, .arrow" in caught.value.hint


def test_a_missing_folder_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        table_files.saver(tmp_path / "no" / "t.csv")


def open_and_read(file: Path) -> pa.Table:
    with table_files.opened(file) as stream:
        return stream.read_all()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no file .*t\.csv"):
        open_and_read(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_a_file_of_another_form_is_named(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"neither the one nor the other, but long enough to look at")
    with pytest.raises(ConfigError, match="cannot be read as"):
        open_and_read(file)


def test_a_stream_without_a_footer_is_an_arrow_file_too(tmp_path):
    file = tmp_path / "t.arrow"
    with pa.ipc.new_stream(file, PLAIN.schema) as writer:
        writer.write_table(PLAIN)
    assert open_and_read(file) == PLAIN


def test_a_file_is_read_batch_by_batch(tmp_path):
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": range(200_000)}), file)
    with table_files.opened(file) as stream:
        assert stream.read_next_batch().num_rows < 100_000


async def test_a_preview_is_a_table_of_the_first_rows():
    table = pa.table(
        {
            "id": [1, 20, 3],
            "text": ["a\nb", None, "c"],
            "day": [datetime.date(2024, 1, 1)] * 3,
        }
    )
    assert await table_files.preview(reading(table), 2) == (
        "id  text  day\n1   a\\nb  2024-01-01\n20  NULL  2024-01-01"
    )


async def test_a_preview_cuts_long_values():
    text = await table_files.preview(reading(pa.table({"c": ["x" * 1000]})), 5)
    assert text == "c\n" + "x" * 31 + "…"


async def test_a_preview_of_nothing_has_the_names():
    assert await table_files.preview(reading(PLAIN.slice(0, 0)), 5) == "id  name  empty"
