"""Names, texts and the clauses of LOAD DATA."""

from __future__ import annotations

import pytest
from fastload_mysql.load_statement import load_columns, load_statement
from fastload_mysql.quoting import ident, idents, literal, qualified

from fastload.errors import ConfigError
from fastload.model import QualifiedName


def test_names_are_quoted() -> None:
    assert ident("a`b") == "`a``b`"
    assert idents(["a", "\u00e9 x"]) == "`a`, `\u00e9 x`"
    assert qualified(QualifiedName("s", "t")) == "`s`.`t`"


@pytest.mark.parametrize("name", ["", "a\0", "a ", "x" * 65, "\U0001f600"])
def test_what_no_server_takes_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        ident(name)


def test_texts_are_quoted() -> None:
    assert literal('it\'s \\ "x"') == "'it''s \\\\ \"x\"'"


def test_texts_of_other_sets_go_through_variables() -> None:
    columns = [("a", "long"), ("b`", "text:5"), ("c", "text"), ("d", "json"), ("e", "blob")]
    assert load_columns(columns, {"b`": "utf8mb4", "c": "utf16", "d": "utf8mb4"}) == (
        "(`a`, `b```, @c2, @c3, `e`)",
        "SET `c` = CONVERT(@c2 USING utf8mb4), `d` = CONVERT(@c3 USING utf8mb4)",
    )
    assert load_columns([("b", "char:3")]) == ("(@c0)", "SET `b` = CONVERT(@c0 USING utf8mb4)")
    assert load_columns([("a", "long"), ("u", "uuid")]) == ("(`a`, `u`)", "")


def test_the_statement_is_whole() -> None:
    assert load_statement("'f'", "`t`", [("a", "long")]) == (
        "LOAD DATA LOCAL INFILE 'f' INTO TABLE `t` CHARACTER SET binary FIELDS TERMINATED BY "
        "'\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`a`)"
    )
