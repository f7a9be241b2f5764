"""The texts of SHOW CREATE TABLE as their servers have them.

MariaDB, and MySQL before 8, write the default of a binary column as its bare bytes, which no
charset reads: the texts are fetched as bytes, and such a default becomes a literal of hexadecimal
digits that means the same.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from fastload.errors import FastloadError, SourceError, TargetError
from fastload.model import QualifiedName
from fastload_mysql.catalog_queries import Session
from fastload_mysql.create_scanner import unquoted
from fastload_mysql.quoting import qualified
from fastload_mysql.rights import login

_QUOTED = re.compile(r"`(?:[^`]|``)+`|'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_LONE = re.compile("[\ud800-\udfff]")
_AS_BEFORE = "SET SESSION character_set_results = utf8mb4"


async def create_texts(
    connection: Session, names: Iterable[QualifiedName]
) -> dict[QualifiedName, str]:
    """Return the text of each table."""
    found = {}
    async with _bytes_as_they_are(connection):
        for name in names:
            found[name] = text_of(await _told(connection, name))
    return found


async def _told(connection: Session, name: QualifiedName) -> bytes | str:
    try:
        row = (await connection.fetch_named(f"SHOW CREATE TABLE {qualified(name)}"))[0]
    except (SourceError, TargetError) as error:
        error.table = error.table or str(name)
        if "denied" in error.message:
            (row,) = await connection.fetch_named("SELECT CURRENT_USER() AS account")
            account = login(text_of(row["account"]))
            error.hint = f"as an administrator: GRANT SELECT ON {qualified(name)} TO {account}"
        raise
    text: bytes | str = row["Create Table"]
    return text


@asynccontextmanager
async def _bytes_as_they_are(connection: Session) -> AsyncIterator[None]:
    await connection.execute("SET SESSION character_set_results = binary")
    try:
        yield
    except BaseException:
        # A cancelled statement has closed the connection: that is not what is to be told.
        with suppress(FastloadError):
            await connection.execute(_AS_BEFORE)
        raise
    await connection.execute(_AS_BEFORE)


def text_of(raw: bytes | str) -> str:
    """Return the text of these bytes."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    return _QUOTED.sub(_spelled, text) if _LONE.search(text) else text


def _spelled(match: re.Match[str]) -> str:
    quoted = match[0]
    if quoted[0] == "`" or not _LONE.search(quoted):
        return quoted
    return f"x'{unquoted(quoted).encode('utf-8', 'surrogateescape').hex()}'"
