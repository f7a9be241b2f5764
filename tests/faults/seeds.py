"""What servers really send, kept so that it can be damaged: columns, options and bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fastload_mysql.rows_decode
import fastload_postgres.copy_decode

import fastload

POSTGRES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE seeds (a bool, b int2, c int4, d int8, e oid, f float4, g float8, h numeric(12,2),
  i numeric, j numeric(38,10), k text, l bytea, m uuid, n json, o jsonb, p date, q time,
  r timestamp, s timestamptz, t interval, u mood, v int4[], w text[], x inet, y char(5),
  z numeric(60,20), aa timestamptz[], ab bool[], ac numeric[], ad varchar(9), ae text, af bit(5),
  ag point, ah int4range, ai money, aj macaddr, ak varchar[], al name);
INSERT INTO seeds (a) VALUES (NULL);
INSERT INTO seeds VALUES (true, -32768, 7, -9223372036854775808, 4294967295, 'NaN', 'Infinity',
  12.34, 123456789012345.000, -0.0000000001, 'héllo', '\\x00ff', gen_random_uuid(), '{"a": 1}',
  '[1, null]', '2024-02-29', '23:59:59.999999', '1999-12-31 12:00', '2024-01-01 00:00+00',
  '1 mon 2 days 00:00:00.000003', 'happy', '{1,NULL,3}', '{"a","",NULL}', '10.0.0.1/8', 'ab',
  -123456789012345678901234567890.12345678901234567890, '{2024-01-01 00:00+00}', '{t,f,NULL}',
  '{1.5,-2,NaN}', 'x', '<a/>', B'10101', '(1,2)', '[1,5)', '1.50', '08:00:2b:01:02:03',
  '{x,y}', 'n');
INSERT INTO seeds SELECT * FROM seeds; INSERT INTO seeds SELECT * FROM seeds"""
MYSQL = """
CREATE TABLE seeds (a tinyint, b tinyint(1), c smallint unsigned, d mediumint, e int,
  f int unsigned, g bigint, h bigint unsigned, i bit(1), j bit(64), k float, l double,
  m decimal(15,2), n decimal(65,30), o date, p datetime, q datetime(6), r timestamp NULL,
  s time, t time(6), u year, v char(5), w varchar(300), x longtext, y binary(16), z varbinary(100),
  aa longblob,
  ab enum('a','b'), ac set('x','y'), ad json, ae decimal(38,0));
INSERT INTO seeds (a) VALUES (NULL);
INSERT INTO seeds VALUES (-128, 1, 65535, -8388608, -2147483648, 4294967295, -9223372036854775808,
  18446744073709551615, b'1', b'1010101', -0.5, 1e300, -1234567890123.45,
  12345678901234567890.123456789, '9999-12-31', '2024-02-29 23:59:59', '1000-01-01 00:00:00.000001',
  '2024-01-01', '-838:59:59', '12:00:00.000001', 2155, 'ab', repeat('é', 150), repeat('x', 600),
  'y', x'00ff', repeat('z', 300), 'b', 'x,y', '{"a": [1]}', 99999999999999999999999999999999999999);
INSERT INTO seeds SELECT * FROM seeds; INSERT INTO seeds SELECT * FROM seeds"""


@dataclass(frozen=True)
class Seed:
    """One stream.

    Attributes:
        kind: ``copy`` or ``rows``.
        columns: Names and codecs.
        options: Of the decoder.
        stream: All its bytes.
    """

    kind: str
    columns: list[tuple[str, str]]
    options: dict[str, Any]
    stream: bytes


class _Recorder:
    """Stands before a decoder, and keeps what it is fed."""

    def __init__(self, decoder: Any, pieces: list[bytes]) -> None:
        self._decoder, self._pieces = decoder, pieces

    def feed(self, data: Any) -> Any:
        self._pieces.append(bytes(data))
        return self._decoder.feed(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


@contextmanager
def _recording(module: Any, name: str, kind: str) -> Iterator[list[Seed]]:
    plain, made, kept = getattr(module, name), [], []

    def record(columns: Any, **options: Any) -> Any:
        pieces: list[bytes] = []
        columns = [tuple(c) for c in columns]
        made.append((columns, options, pieces))
        return _Recorder(plain(columns, **options), pieces)

    setattr(module, name, record)
    try:
        yield kept
    finally:
        setattr(module, name, plain)
        kept += [Seed(kind, c, {**o, "nulls_instead": []}, b"".join(p)) for c, o, p in made]


async def _read(url: str, table: str) -> None:
    async with fastload.read(url, table, parallel=1) as reading:
        async for _ in reading:
            pass


async def recorded(postgres_url: str, family_urls: dict[str, str]) -> list[Seed]:
    """Read the seeds' tables and return what the servers sent."""
    with _recording(fastload_postgres.copy_decode, "CopyDecoder", "copy") as copies:
        await _read(postgres_url, "public.seeds")
    with _recording(fastload_mysql.rows_decode, "RowsDecoder", "rows") as rows:
        for name, url in family_urls.items():
            await _read(url, f"{name}.seeds")
    return copies + rows


def store(path: Path, seeds: list[Seed]) -> None:
    """Write seeds into a file."""
    plain = [{**asdict(s), "stream": base64.b64encode(s.stream).decode()} for s in seeds]
    path.write_text(json.dumps(plain))


def stored(path: Path) -> list[Seed]:
    """Return the seeds of a file."""
    plain = json.loads(path.read_text())
    return [
        Seed(s["kind"], [tuple(c) for c in s["columns"]], s["options"],
             base64.b64decode(s["stream"]))
        for s in plain
    ]  # fmt: skip
