"""The driver's errors as fastload's: the only place that knows them, beside connecting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from fastload import errors
from fastload.naming import spelled

# An InternalClientError is what asyncpg (0.32) raises where an answer is not what it waited for,
# as after a connection that was lost in the middle of a COPY.
_DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


@contextmanager
def translated(side: str, table: str | None = None) -> Iterator[None]:
    """Turn driver errors raised inside into fastload's, naming side and table."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        raise translate(error, side, table) from error


_BY_CLASS: dict[str, tuple[type[errors.FastloadError], str | None]] = {
    "08": (errors.ConnectionLost, "start the run again: it continues"),
    "23": (errors.ConstraintError, None),
    "57P": (errors.ConnectionLost, "the server ended the connection; start the run again"),
    "53100": (errors.TargetFull, "free space on the target, then start the run again"),
    "42501": (
        errors.FastloadError,
        "`fastload doctor SOURCE TARGET` prints the GRANTs",
    ),
    "28": (errors.AuthenticationError, None),
    "53300": (
        errors.TooManyConnections,
        "end other sessions, or raise max_connections, or the CONNECTION LIMIT of user or database",
    ),
    "53200": (
        errors.FastloadError,
        "raise max_locks_per_transaction on the server, or copy fewer tables at a time",
    ),
    "55P03": (errors.FastloadError, "another session holds a lock; see pg_stat_activity"),
}
# What servers refuse a row for: its values, constraints, views' conditions, a limit of an index or
# of a page, and what triggers say. A COPY of another form (22P04) would be a mistake of ours.
_OF_DATA = ("22", "23", "44000", "54000", "P0001")
_NOT_OF_DATA = ("22P04",)
_RETRYABLE = ("40001", "40P01", "55P03", "53300", "08", "57P")


def translate(error: BaseException, side: str, table: str | None = None) -> errors.FastloadError:
    """Return fastload's error for a driver's; the driver's text has no credentials in it."""
    if isinstance(error, errors.FastloadError):
        return error
    state = getattr(error, "sqlstate", None) or ""
    kind: type[errors.FastloadError]
    kind, hint = errors.SourceError if side == "source" else errors.TargetError, None
    if not state:
        kind, hint = errors.ConnectionLost, "start the run again: it continues"
    for prefix, (mapped, advice) in _BY_CLASS.items():
        if state.startswith(prefix):
            kind = mapped if mapped is not errors.FastloadError else kind
            hint = advice
    made = kind(_message(error, side), side=side, table=table or _table_of(error), hint=hint)
    made.column = getattr(error, "column_name", None)
    made.of_data = (
        side == "target" and state.startswith(_OF_DATA) and not state.startswith(_NOT_OF_DATA)
    )
    made.retryable = kind.retryable or state.startswith(_RETRYABLE)
    return made


def _message(error: BaseException, side: str) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    detail = getattr(error, "detail", None)
    context = getattr(error, "context", None)
    parts = [f"{side}: {text}"]
    parts += [str(part) for part in (detail, context) if part]
    advice = getattr(error, "hint", None)
    return "; ".join(parts + ([f"server's hint: {advice}"] if advice else []))


def _table_of(error: BaseException) -> str | None:
    schema, table = getattr(error, "schema_name", None), getattr(error, "table_name", None)
    return spelled(schema, table) if schema and table else None
