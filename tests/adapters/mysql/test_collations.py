"""What is said of collations, beside what servers do under each of theirs."""

from __future__ import annotations

import re

import pytest
from fastload_mysql.collations import ignored

import fastload
from fastload.testing.mysql_schemas import RENTAL

PAIRS = {"case": ("a", "A"), "accents": ("e", "é"), "spaces at the end": ("a", "a ")}
# Languages in which é is a letter of its own, though most other accents are ignored.
_OWN_LETTERS = re.compile(r".+(icelandic|vietnamese|_is_0900).+")


@pytest.mark.parametrize(
    ("collation", "words"),
    [
        ("utf8mb4_0900_ai_ci", "case and accents"),
        ("utf8mb4_general_ci", "case, accents and spaces at the end"),
        ("utf8mb4_unicode_520_nopad_ci", "case and accents"),
        ("utf8mb4_uca1400_as_ci", "case and spaces at the end"),
        ("utf8mb4_uca1400_swedish_nopad_ai_cs", "accents"),
        ("utf8mb4_de_pb_0900_as_ci", "case"),
        ("ascii_general_ci", "case and spaces at the end"),
        ("utf8mb4_bin", "spaces at the end"),
        ("latin1_general_cs", "spaces at the end"),
        ("utf8mb4_nopad_bin", None),
        ("utf8mb4_0900_bin", None),
        ("utf8mb4_ja_0900_as_cs_ks", None),
        ("binary", None),
    ],
)
def test_what_comparisons_ignore(collation, words):
    assert ignored(collation) == words


def collations(server):
    """Return the names that columns may have, each with its character set."""
    where = "table_name = 'collation_character_set_applicability'"
    columns = server.execute(
        f"SELECT LOWER(column_name) FROM information_schema.columns WHERE {where}"
    )
    name = "full_collation_name" if ("full_collation_name",) in columns else "collation_name"
    return server.execute(
        f"SELECT {name}, character_set_name "
        f"FROM information_schema.collation_character_set_applicability WHERE {name} <> 'binary'"
    )


@pytest.mark.mysql
def test_servers_do_what_is_said_of_each(server):
    known = collations(server)
    assert len(known) > 250
    wrong = {}
    with server.connect() as connection, connection.cursor() as cursor:
        for name, charset in known:
            for word, pair in PAIRS.items():
                one, other = (f"CONVERT(_utf8mb4'{text}' USING {charset})" for text in pair)
                lost = f"{other} = CONVERT('?' USING {charset})"
                cursor.execute(f"SELECT {one} COLLATE {name} = {other}, {lost}")
                equal, is_lost = cursor.fetchone()
                if not is_lost and equal != (word in (ignored(name) or "")):
                    wrong[name] = word
    assert {n for n, word in wrong.items() if word != "accents" or not _OWN_LETTERS.match(n)} == (
        set()
    )


@pytest.mark.mysql
async def test_the_plan_tells_it_of_each_column_and_shows_it_once(database, target):
    RENTAL.load(database.server, database.name, 0.1)
    plan = await fastload.plan(database.url, target.url)
    told = {n.name: n.reason for n in plan.not_carried if n.kind == "collation"}
    plain = {"film_actor", "inventory", "rental", "payment", "store"}
    tables = {name.rpartition(".")[0] for name in told}
    assert tables == {f"public.{t.name}" for t in RENTAL.tables if t.name not in plain}
    mysql = database.server.flavour == "mysql"
    folds = "case and accents" if mysql else "case, accents and spaces at the end"
    reason = f"comparisons and unique keys no longer ignore {folds}"
    assert told["public.actor.first_name"] == told["public.actor.last_name"] == reason
    assert any(told[n].endswith("spaces at the end") for n in told if ".staff." in n)
    assert "public.film.rating" not in told
    assert fastload.describe(plan).count(reason) == 1
