"""Texts that servers would send as others: bytes without a character, and an enum's error value."""

from __future__ import annotations

import pytest

import fastload
from fastload.errors import FastloadError, Unrepresentable

pytestmark = pytest.mark.mysql

# Character set: a text of which a byte has no character in Unicode, and one that is whole.
BROKEN = {
    "cp1251": ("CF98", "CFF0E83F"), "cp1250": ("8141", "E1E83F"), "gbk": ("FE50", "D6D03F"),
    "sjis": ("8540", "83BF3F"), "tis620": ("DB", "A1A23F"), "greek": ("3FFF", "E1E23F"),
    "hebrew": ("BF", "E0E13F"), "big5": ("C8FE", "A4A43F"), "euckr": ("A2E8", "B0A13F"),
    "cp1257": ("81", "E03F"), "ujis": ("8FA1A1", "A4A23F"), "dec8": ("A4", "E93F"),
}  # fmt: skip
# Two codes for one character, of which a server writes the other.
TWO_CODES = {
    "sjis": ("A15C", "41"), "cp932": ("8790", "41"), "big5": ("A15A", "41"),
    "armscii8": ("AE", "41"),
}  # fmt: skip


def fill(database, charset, *digits, type_="varchar(9)"):
    values = ", ".join(f"({i}, _binary X'{text}')" for i, text in enumerate(digits, 1))
    database.execute(
        f"CREATE TABLE t (id int PRIMARY KEY, v {type_} CHARACTER SET {charset});"
        f"SET sql_mode = ''; INSERT INTO t VALUES {values}"
    )
    assert hexed(database) == list(digits)


def hexed(database):
    return [row[0] for row in database.execute("SELECT HEX(v) FROM t ORDER BY id")]


def fill_all(database, sets):
    """Make a column for each set, a row of whole texts, and one for each column's broken text."""
    columns = ", ".join(f"{c} varchar(9) CHARACTER SET {c}" for c in sets)
    rows = [[whole for _, whole in sets.values()]]
    rows += [
        [*rows[0][:i], broken, *rows[0][i + 1 :]] for i, (broken, _) in enumerate(sets.values())
    ]
    texts = [", ".join(f"_binary X'{d}'" for d in row) for row in rows]
    values = ", ".join(f"({i}, {row})" for i, row in enumerate(texts))
    database.execute(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns});"
        f"SET sql_mode = ''; INSERT INTO t VALUES {values}"
    )
    return rows


def hexed_all(database, sets):
    columns = ", ".join(f"HEX({c})" for c in sets)
    return [list(row) for row in database.execute(f"SELECT {columns} FROM t ORDER BY id")]


@pytest.mark.postgres
async def test_no_question_mark_takes_the_place_of_a_byte(database, target):
    rows = fill_all(database, BROKEN)
    assert hexed_all(database, BROKEN) == rows
    result = await fastload.copy(database.url, target.url, on_unrepresentable="null")
    assert result.nulled == len(BROKEN)
    whole = list(database.execute(f"SELECT {', '.join(BROKEN)} FROM t WHERE id = 0")[0])
    found = target.psql(f"SELECT {', '.join(BROKEN)} FROM t ORDER BY id").splitlines()
    assert [line.split("|") for line in found] == [
        whole, *([*whole[:i], "", *whole[i + 1 :]] for i in range(len(whole))),
    ]  # fmt: skip


@pytest.mark.postgres
async def test_the_error_names_the_row_and_what_it_has(database, target):
    fill(database, "gbk", "D6D03F", "FE50")
    with pytest.raises(Unrepresentable) as raised:
        await fastload.copy(database.url, target.url)
    assert (raised.value.key, raised.value.column) == ("id=2", "v")
    assert "0xfe50" in raised.value.message
    assert "'binary'" in raised.value.hint


@pytest.mark.postgres
async def test_the_policy_and_the_type_that_the_hint_names(database, target):
    fill(database, "cp1251", "CF", "98", "3F", type_="text")
    result = await fastload.copy(database.url, target.url, on_unrepresentable="null")
    assert result.nulled == 1
    assert target.psql("SELECT id, v FROM t ORDER BY id").splitlines() == ["1|П", "2|", "3|?"]
    options = {"mode": "replace", "fresh": True}
    types = {f"{database.name}.t.v": "binary"}
    await fastload.copy(database.url, target.url, types=types, **options)
    assert target.psql("SELECT v FROM t WHERE id = 2") == "\\x98"
    types = {f"{database.name}.t.v": "char"}
    with pytest.raises(Unrepresentable):
        await fastload.copy(database.url, target.url, types=types, **options)


@pytest.mark.parametrize("both", [("in_mysql", "in_mariadb"), ("in_mariadb", "in_mysql")])
async def test_a_column_of_the_same_set_gets_the_bytes(both, request):
    source, target = map(request.getfixturevalue, both)
    sets = {c: BROKEN[c] for c in ("cp1251", "gbk", "tis620")} | TWO_CODES
    rows = fill_all(source, sets)
    assert hexed_all(source, sets) == rows
    await fastload.copy(source.url, target.url)
    assert hexed_all(target, sets) == rows
    assert (await fastload.verify(source.url, target.url)).equal


async def test_another_set_does_not(in_mysql, in_mariadb):
    fill(in_mysql, "cp1251", "41", "98")
    in_mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) CHARACTER SET cp1250)")
    with pytest.raises(Unrepresentable) as raised:
        await fastload.copy(in_mysql.url, in_mariadb.url, mode="append")
    assert raised.value.key == "id=2"


async def test_a_key_without_characters_is_told_by_its_bytes(database):
    database.execute(
        "CREATE TABLE t (id varchar(9) CHARACTER SET cp1251 COLLATE cp1251_bin PRIMARY KEY);"
        "INSERT INTO t VALUES (_binary X'98')"
    )
    with pytest.raises(Unrepresentable) as raised:
        async with fastload.read(database.url, f"{database.name}.t") as reading:
            await reading.table()
    assert "0x98" in raised.value.key


@pytest.mark.parametrize("into", ["in_mysql", "in_mariadb", "target"])
async def test_an_enums_error_value_becomes_no_label(in_mysql, request, into):
    if into == "in_mysql":
        target = request.getfixturevalue("mysql").url_for("fastload_pair_2")
        request.getfixturevalue("mysql").execute("CREATE DATABASE IF NOT EXISTS fastload_pair_2")
    else:
        target = request.getfixturevalue(into).url
    in_mysql.execute(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, e enum('a','','b'));"
        "INSERT INTO t VALUES (1, 'a'), (2, 'c'), (3, NULL), (4, 'b')"
    )
    with pytest.raises(Unrepresentable) as raised:
        await fastload.copy(in_mysql.url, target, fresh=True, mode="replace")
    assert (raised.value.key, raised.value.column) == ("id=2", "e")
    options = {"fresh": True, "mode": "replace", "on_unrepresentable": "null"}
    result = await fastload.copy(in_mysql.url, target, **options)
    assert result.nulled == 1


async def test_an_error_value_that_becomes_null_is_counted(in_mysql, in_mariadb):
    """Of an enum without an empty label, whose error value the target finds."""
    in_mysql.execute(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, e enum('a'));"
        "INSERT INTO t VALUES (1, 'a'), (2, 'c')"
    )
    result = await fastload.copy(in_mysql.url, in_mariadb.url, on_unrepresentable="null")
    assert result.nulled == 1
    assert in_mariadb.execute("SELECT e FROM t ORDER BY id") == [("a",), (None,)]


@pytest.mark.postgres
async def test_an_empty_label_stays_one(database, target):
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, e enum('a','','b'));"
        "INSERT INTO t VALUES (1, ''), (2, 'b'), (3, NULL)"
    )
    await fastload.copy(database.url, target.url)
    assert target.psql("SELECT id, e, e IS NULL FROM t ORDER BY id").splitlines() == [
        "1||f", "2|b|f", "3||t",
    ]  # fmt: skip


@pytest.mark.postgres
async def test_no_null_is_offered_where_there_is_none(database, target):
    database.execute(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, d date NOT NULL);"
        "INSERT INTO t VALUES (1, '2024-01-01'), (2, '0000-00-00')"
    )
    for policy in ("error", "null"):
        with pytest.raises(Unrepresentable) as raised:
            await fastload.copy(
                database.url, target.url, mode="replace", fresh=True, on_unrepresentable=policy
            )
        assert (raised.value.key, raised.value.column) == ("id=2", "d")
        assert "'null'" not in raised.value.hint
        assert "types=" in raised.value.hint
    types = {f"{database.name}.t.d": "char"}
    with pytest.raises(FastloadError) as mismatch:
        await fastload.copy(database.url, target.url, types=types, fresh=True)
    assert "mode='replace'" in mismatch.value.hint
    await fastload.copy(database.url, target.url, types=types, mode="replace", fresh=True)
    assert target.psql("SELECT d FROM t WHERE id = 2") == "0000-00-00"


@pytest.mark.postgres
async def test_the_option_for_numbers_beyond_bigint(database, target):
    database.execute(
        "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY);"
        "INSERT INTO t VALUES (18446744073709551615)"
    )
    with pytest.raises(FastloadError) as raised:
        await fastload.copy(database.url, target.url)
    types = {f"{database.name}.t.id": "decimal(20,0)"}
    assert f"types={types}" in raised.value.hint
    await fastload.copy(database.url, target.url, types=types, mode="replace", fresh=True)
    assert target.psql("SELECT id FROM t") == "18446744073709551615"
