"""Another database's catalogue made on a server, and what that server then says it has."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import msgspec
import pyarrow as pa
import pytest
from fastload_postgres import ADAPTER
from fastload_postgres.sequences import advance
from fastload_postgres.translation import translate

import fastload
from fastload.adapter import SchemaSpec, Selection
from fastload.errors import EncodeError
from fastload.model import (
    Catalog,
    Check,
    Column,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    QualifiedName,
    Sequence,
    Table,
)
from fastload.testing import memory
from fastload.url import Url

pytestmark = pytest.mark.postgres
SHOP = QualifiedName("shop", "order")
LINES = QualifiedName("shop", "order_line")
# A type of this name is wanted for a column of the first table too.
STATUS = QualifiedName("shop", "order_status")


def column(name: str, arrow: str, *, nullable: bool = True, **facts: object) -> Column:
    return Column(name=name, type="own", arrow=arrow, nullable=nullable, **facts)  # type: ignore[arg-type]


def index(name: str, *columns: IndexColumn, **facts: object) -> Index:
    given = {"unique": False, "definition": "own", "columns": columns, **facts}
    return Index(name=name, **given)  # type: ignore[arg-type]


ORDERS = Table(
    name=SHOP,
    columns=(
        column("id", "uint64", nullable=False, identity="by default"),
        column("Note", "string", length=20, collation="utf8mb4_general_ci", folds="case"),
        column("long", "string", comment="it's long"),
        column("status", "string", labels=("new", "it's"), default="'new'", nullable=False),
        column("small", "int8", default="-7"),
        column("year", "uint16"),
        column("big", "uint64", default="18446744073709551615"),
        column("paid", "bool", default="TRUE"),
        column("price", "decimal256(65, 30)"),
        column("half", "float"),
        column("whole", "double"),
        column("day", "date32[day]", exact="opaque[date, Other, string]"),
        column("at", "timestamp[us]", on_update="CURRENT_TIMESTAMP", default="CURRENT_TIMESTAMP"),
        column("seen", "timestamp[us, tz=UTC]"),
        column("took", "duration[us]"),
        column("hash", "binary", length=16),
        column("body", "arrow.json"),
        column("token", "arrow.uuid"),
        column("address", "opaque[inet6, Other, string]"),
        column("place", "opaque[geometry, Other, binary]"),
        column("next", "int64", generated="(`small` + 1)"),
        column("after_next", "int64", generated="(`next` + 1)"),
    ),
    keys=(
        Key(name="PRIMARY", columns=("id",), primary=True),
        Key(name="shared", columns=("token", "small"), primary=False, comment="a key"),
    ),
    indexes=(
        index("by_year", IndexColumn(name="year", descending=True), IndexColumn(name="small")),
        index("start", IndexColumn(name="long", prefix=5), unique=True),
        index("note_start", IndexColumn(name="Note", prefix=5), IndexColumn(name="hash", prefix=4)),
        index("computed", IndexColumn(expression="(`small` + 1)"), comment="an index"),
        index("some", IndexColumn(name="year"), where="`small` > 0"),
        index("words", IndexColumn(name="long"), kind="fulltext"),
    ),
    checks=(
        Check(name="positive", definition="CHECK (`year` > 0)", comment="a check"),
        Check(name="odd", definition="CHECK (nonsense(`year`))"),
    ),
    comment="orders",
    rows=3,
)
LINE = Table(
    name=LINES,
    columns=(
        column("order_id", "uint64", nullable=False, default="7"),
        column("line", "uint8", nullable=False),
        column("status", "string", labels=("new", "it's")),
        column("state", "string", length=3),
    ),
    keys=(Key(name="PRIMARY", columns=("order_id", "line"), primary=True),),
    indexes=(index("shared", IndexColumn(name="state")),),
    foreign_keys=(
        ForeignKey(
            name="of_order",
            columns=("order_id",),
            references=SHOP,
            referenced_columns=("id",),
            on_delete="CASCADE",
            on_update="SET DEFAULT",
        ),
        ForeignKey(
            name="of_status",
            columns=("state",),
            references=STATUS,
            referenced_columns=("code",),
            on_update="RESTRICT",
            on_delete="SET NULL",
        ),
        ForeignKey(
            name="of_name",
            columns=("state",),
            references=STATUS,
            referenced_columns=("name",),
        ),
    ),
)
STATUSES = Table(
    name=STATUS,
    columns=(column("code", "string", length=9, nullable=False), column("name", "string")),
    keys=(Key(name="PRIMARY", columns=("code",), primary=True),),
)
FOREIGN = Catalog(
    dialect="mysql",
    tables=(ORDERS, LINE, STATUSES),
    schemas=("shop",),
    sequences=(
        Sequence(
            name=QualifiedName("shop", "order_id_seq"),
            type="bigint unsigned",
            start=1,
            increment=1,
            minimum=1,
            maximum=2**64 - 1,
            cache=1,
            cycle=False,
            last_value=41,
            is_called=True,
            owner=(SHOP, "id"),
            identity=True,
        ),
    ),
)


async def make(database, catalog):
    """Run all steps of a catalogue, and return the translated one."""
    async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
        wanted = target.translate(catalog)
        there = await target.inspect(wanted)
        steps = target.render(wanted, there, SchemaSpec(mode="create"))
    for step in (*steps.before, *steps.after):
        if step.alone:
            database.psql(*step.statements)
        else:
            database.psql(";\n".join(("BEGIN", *step.statements, "COMMIT")))
    return wanted


async def read(database):
    async with ADAPTER.source(Url.parse(database.url), connections=1) as source:
        return await source.catalog(Selection())


TYPES = """
id bigint, Note character varying(20), long text, status shop.order_status_type, small smallint,
year integer, big numeric(20,0), paid boolean, price numeric(65,30), half real,
whole double precision, day date, at timestamp without time zone, seen timestamp with time zone,
took interval, hash bytea, body json, token uuid, address text, place bytea, next bigint,
after_next bigint"""


@pytest.fixture(params=["source", "target"])
def server(request):
    """A database on the older and on the newer server."""
    return request.getfixturevalue(request.param)


async def test_a_server_makes_all_that_is_said(server):
    wanted = await make(server, FOREIGN)
    there = await read(server)
    orders, lines, statuses = (there.table(t.name) for t in wanted.tables)
    assert [f"{c.name} {c.type}" for c in orders.columns] == TYPES.replace("\n", " ").strip().split(
        ", "
    )
    assert [(e.name.name, e.labels) for e in there.enums] == [
        ("order_line_status", ("new", "it's")),
        ("order_status_type", ("new", "it's")),
    ]
    assert [c.name for c in orders.columns if not c.nullable] == ["id", "status"]
    assert orders.comment == "orders"
    assert orders.column("long").comment == "it's long"
    assert [k.name for t in (orders, lines, statuses) for k in t.keys] == [
        "order_pkey",
        "order_shared",
        "order_line_pkey",
        "order_status_pkey",
    ]
    assert orders.keys[1].comment == "a key"
    assert [i.name for i in lines.indexes] == ["order_line_shared"]


async def test_the_server_has_the_defaults_and_computes_columns(server):
    await make(server, FOREIGN)
    orders = (await read(server)).table(SHOP)
    assert {c.name: c.default for c in orders.columns if c.default} == {
        "status": "'new'::shop.order_status_type",
        "small": "'-7'::integer",
        "big": "'18446744073709551615'::numeric",
        "paid": "true",
        "at": "date_trunc('second'::text, statement_timestamp())",
    }
    server.psql('INSERT INTO shop."order" (year, after_next) VALUES (1, 0)')
    assert server.psql('SELECT id, small, next, big, paid FROM shop."order"') == (
        "1|-7|-6|18446744073709551615|t"
    )


async def test_the_server_has_the_indexes(server):
    await make(server, FOREIGN)
    orders = (await read(server)).table(SHOP)
    found = {i.name: (i.unique, i.definition) for i in orders.indexes}
    assert found.pop("computed")[1].startswith("USING btree ((")
    assert found == {
        "by_year": (False, "USING btree (year DESC, small)"),
        "start": (True, 'USING btree ("left"(long, 5))'),
        "note_start": (
            False,
            'USING btree ("left"(("Note")::text, 5), SUBSTRING(hash FROM 1 FOR 4))',
        ),
        "some": (False, "USING btree (year) WHERE (small > 0)"),
    }
    assert {i.name: i.comment for i in orders.indexes}["computed"] == "an index"


async def test_the_server_has_the_constraints(server):
    await make(server, FOREIGN)
    there = await read(server)
    (check,) = there.table(SHOP).checks
    assert (check.name, check.definition, check.comment) == (
        "positive",
        "CHECK ((year > 0))",
        "a check",
    )
    found = [(f.name, f.on_delete, f.on_update) for f in there.table(LINES).foreign_keys]
    assert found == [
        ("of_order", "CASCADE", "SET DEFAULT"),
        ("of_status", "SET NULL", "RESTRICT"),
    ]
    (numbers,) = there.sequences
    assert (numbers.name.name, numbers.type, numbers.maximum) == (
        "order_id_seq",
        "bigint",
        2**63 - 1,
    )
    assert there.table(SHOP).column("id").identity == "by default"


async def test_the_sequence_goes_on_from_where_the_source_stands(server):
    wanted = await make(server, FOREIGN)
    connection = await asyncpg.connect(server.url)
    await advance(connection, wanted.sequences, keep_higher=False)
    await connection.close()
    server.psql('INSERT INTO shop."order" (after_next) VALUES (0)')
    assert server.psql('SELECT id FROM shop."order"') == "42"


def test_what_the_server_will_not_have_is_told():
    told = [(n.kind, n.name) for n in translate(FOREIGN).not_carried]
    assert told == [
        ("type", "shop.order.address"),
        ("type", "shop.order.place"),
        ("generated column", "shop.order.after_next"),
        ("collation", "shop.order.Note"),
        ("index", "shop.order.words"),
        ("check", "shop.order.odd"),
        ("foreign key", "shop.order_line.of_name"),
    ]


async def test_what_is_there_already_is_not_made_again(server):
    await make(server, FOREIGN)
    async with ADAPTER.target(Url.parse(server.url), connections=1) as target:
        wanted = target.translate(FOREIGN)
        steps = target.render(wanted, await target.inspect(wanted), SchemaSpec(mode="create"))
    assert steps.before == ()
    said = [s for step in steps.after for s in step.statements if "ANALYZE" not in s]
    # What is computed is spelled anew by the server, so that it cannot be known again.
    assert [s.split(" ON ")[0] for s in said if "COMMENT" not in s] == [
        'CREATE INDEX "order_computed"'
    ]


VALUES = {
    "id": (pa.uint64(), [1, 2**63 - 1]),
    "status": (pa.string(), ["new", "it's"]),
    "took": (pa.duration("us"), [-3_020_399_000_000, 3_020_399_999_999]),
    "big": (pa.uint64(), [2**64 - 1, None]),
    "price": (pa.decimal256(65, 30), [Decimal("1") / 8, Decimal(-(10**34))]),
    "paid": (pa.bool_(), [True, None]),
    "address": (pa.opaque(pa.string(), "inet6", "Other"), ["::1", None]),
    "place": (pa.opaque(pa.binary(), "geometry", "Other"), [b"\0\1", None]),
    "body": (pa.json_(), ['{"a": 1,  "a": 2}', None]),
}


def stored(values):
    """Return a memory database with a table of such columns."""
    name = QualifiedName("shop", "order")
    columns = tuple(msgspec.structs.replace(ORDERS.column(c), default=None) for c in values)
    fields = [pa.field(c.name, values[c.name][0], c.nullable) for c in columns]
    arrays = [pa.array(rows, type_) for type_, rows in values.values()]
    database = memory.database("translated")
    table = Table(name=name, columns=columns, keys=ORDERS.keys[:1])
    database.tables[name] = memory.StoredTable(table, pa.table(arrays, pa.schema(fields)))
    return database


@pytest.fixture
def forgotten():
    yield
    memory.forget("translated")


@pytest.mark.usefixtures("forgotten")
async def test_values_are_written_as_they_are(server):
    await fastload.copy(stored(VALUES), server.url)
    first, second = server.psql('SELECT * FROM shop."order" ORDER BY id').splitlines()
    assert first == (
        "1|new|-838:59:59|18446744073709551615|0.125000000000000000000000000000|t|::1|\\x0001|"
        '{"a": 1,  "a": 2}'
    )
    assert second == f"{2**63 - 1}|it's|838:59:59.999999||-1{'0' * 34}.{'0' * 30}||||"


@pytest.mark.usefixtures("forgotten")
async def test_a_number_beyond_an_identity_is_refused_with_its_row(server):
    values = {"id": (pa.uint64(), [1, 2**63]), "year": (pa.uint16(), [0, 1])}
    with pytest.raises(EncodeError, match="9223372036854775808 is out of range") as caught:
        await fastload.copy(stored(values), server.url)
    assert caught.value.key == "id=9223372036854775808"


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "00:00:00"), (86_399_999_999, "23:59:59.999999"), (-1, None), (86_400_000_001, None)],
)
@pytest.mark.usefixtures("forgotten")
async def test_a_duration_within_a_day_goes_into_a_column_of_time(target, micros, text):
    values = {"id": (pa.uint64(), [1]), "took": (pa.duration("us"), [micros])}
    target.psql('CREATE SCHEMA shop; CREATE TABLE shop."order" (id bigint, took time)')
    copying = fastload.copy(stored(values), target.url, mode="append")
    if text is None:
        with pytest.raises(EncodeError, match="out of range for time"):
            await copying
    else:
        await copying
        assert target.psql('SELECT took FROM shop."order"') == text
