"""The driver's and the server's errors as fastload's: the only place that knows their numbers.

Sources: MySQL Reference Manual, "Server Error Message Reference" and "Client Error Message
Reference"; MariaDB Knowledge Base, "MariaDB Error Codes".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pymysql import err

from fastload import errors

# An IndexError or a struct.error would be a bug of ours, and stays one.
_DRIVER_ERRORS = (err.Error, OSError, EOFError)


class LocalRefused(errors.TargetError):
    """The server takes no LOAD DATA LOCAL: nothing was sent, and the transaction goes on."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an error number stands for.

    Attributes:
        kind: The error on both sides; None: SourceError or TargetError.
        target: The error on the target, where it is another one.
        retryable: Whether time may heal it; None: as its class says. Likewise ``of_data``.
    """

    kind: type[errors.FastloadError] | None = None
    hint: str | None = None
    target: type[errors.FastloadError] | None = None
    retryable: bool | None = None
    of_data: bool | None = None


_LOST = _Meaning(errors.ConnectionLost, "start the run again: it continues")
_ENDED = _Meaning(errors.ConnectionLost, "the server ended the connection; start the run again")
_LOCKED = _Meaning(
    hint="another session holds a lock; see SHOW PROCESSLIST and SHOW ENGINE INNODB STATUS",
    retryable=True,
)
_STOPPED = _Meaning(hint="somebody stopped the statement; start the run again", retryable=True)
_TOO_MANY = _Meaning(
    errors.TooManyConnections,
    "end other sessions, or raise max_connections, or the user's max_user_connections",
)
_RATIONED = _Meaning(hint="the user may do so much per hour: ALTER USER, or wait")
_CONSTRAINT = _Meaning(target=errors.ConstraintError)
_VALUE = _Meaning(target=errors.EncodeError)
_RAISED = _Meaning(of_data=True)
_FULL = _Meaning(
    target=errors.TargetFull, hint="free space on the server, then start the run again"
)
_RIGHTS = _Meaning(hint="fastload doctor URL prints the GRANT that this user lacks")
_LOGIN = _Meaning(errors.AuthenticationError, "check user and password")
_NO_TABLE = _Meaning(hint="the table was dropped or renamed, or is in another database")
_CHANGED = _Meaning(errors.SnapshotLost, "the table was altered or emptied; start the run again")
_NO_LOCAL = _Meaning(
    hint="SET GLOBAL local_infile = ON on the target, or ask who may", target=LocalRefused
)
_PACKET = _Meaning(hint="raise max_allowed_packet on the server")

_BY_NUMBER: dict[int, _Meaning] = {
    number: meaning
    for numbers, meaning in (
        ((2002, 2003, 2006, 2013, 2055, 4031, 1927), _LOST),
        ((1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 3169, 3032), _ENDED),
        ((1020, 1205, 1213, 1614, 3572, 1637), _LOCKED),
        ((1317, 3024, 1969, 1028), _STOPPED),
        ((1040, 1203, 1226, 1135), _TOO_MANY),
        ((1062, 1586, 1859, 1169, 1022), _CONSTRAINT),  # not unique
        ((1048, 1263, 1364, 3673), _CONSTRAINT),  # NULL in NOT NULL
        ((1216, 1217, 1451, 1452), _CONSTRAINT),  # foreign keys
        ((3819, 4025, 1369, 1748, 1526, 4060), _CONSTRAINT),  # checks and partitions
        ((1264, 1265, 1292, 1366, 1406, 1411, 1416, 1690, 3140, 3141, 3156, 1300), _VALUE),
        ((1261, 1262, 1118, 4079), _VALUE),
        ((1644,), _RAISED),  # SIGNAL, of a trigger
        ((1021, 1030, 1041, 1114, 1026, 1037, 1038, 1878, 3, 28, 136, 3675), _FULL),
        ((1044, 1142, 1143, 1227, 1370, 1410, 3879), _RIGHTS),
        ((1045, 1698, 1130, 1129, 1820, 1862, 3118, 3955, 4151, 1251, 1275, 2059), _LOGIN),
        ((1049,), _Meaning(errors.DatabaseNotFound, "check the database's name in the URL")),
        ((1146, 1051), _NO_TABLE),
        ((1412,), _CHANGED),
        ((1148, 3948, 4166), _NO_LOCAL),
        ((1153, 2020, 1301), _PACKET),
        ((2066,), _Meaning(errors.ConnectError, "leave out compression=zlib", retryable=False)),
        ((1290, 1792, 1836), _Meaning(hint="the server or session is read-only; check read_only")),
    )
    for number in numbers
}
# 1030 and 1026 are errors of the storage engine, whose own number is in the text: 28 and 122 are
# the system's words for a full disk and a full quota, 135 and 136 the engine's for a full file.
_BY_ENGINE = {1030, 1026, 3, 1041, 1037, 1038}
_NO_ROOM = re.compile(r"(?:[Ee]rrcode: |[Ee]rror )\"?(?:28|122|135|136)\b|No space left")
_BAD_JSON, _DEADLOCK = 3140, 1213
_OF_USER = 1226  # several limits of a user
# MySQL names the column alone, MariaDB at times database, table and column.
_COLUMN = re.compile(r"(?:[Cc]olumn|[Ff]ield) (?:'([^']+)'|(?:`[^`]+`\.){0,2}`([^`]+)`)")


@contextmanager
def translated(side: str, table: str | None = None) -> Iterator[None]:
    """Turn driver errors raised inside into fastload's, naming side and table."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        raise translate(error, side, table) from error


def translate(error: BaseException, side: str, table: str | None = None) -> errors.FastloadError:
    """Return fastload's error for a driver's; the driver's text has no credentials in it."""
    if isinstance(error, errors.FastloadError):
        return error
    if isinstance(error, err.Error) and error.args and isinstance(error.args[0], int):
        text = str(error.args[1]) if len(error.args) > 1 else ""
        # What the driver says without a number is that the connection is closed.
        return refusal(error.args[0] or 2006, text, side, table)
    return refusal(2006, str(error) or type(error).__name__, side, table)


def is_deadlock(error: errors.FastloadError) -> bool:
    """Say whether the server has ended the transaction for another's sake."""
    cause = error.__cause__
    return isinstance(cause, err.Error) and cause.args[:1] == (_DEADLOCK,)


def refusal(number: int, message: str, side: str, table: str | None = None) -> errors.FastloadError:
    """Return fastload's error for one that the server told by its number."""
    meaning = _meaning(number, message)
    default = errors.SourceError if side == "source" else errors.TargetError
    kind = meaning.kind or default
    if side == "target" and meaning.target:
        kind = meaning.target
    made = kind(f"{side}: {message} ({number})", side=side, table=table, hint=meaning.hint)
    if kind in (errors.ConstraintError, errors.EncodeError):
        found = _COLUMN.search(message)
        made.column = (found[1] or found[2]) if found else None
        if number == _BAD_JSON and made.column:  # it alone is told as table.column
            made.column = made.column.removeprefix(f"{(table or '').rpartition('.')[2]}.")
    made.retryable = kind.retryable if meaning.retryable is None else meaning.retryable
    made.of_data = kind.of_data if meaning.of_data is None else side == "target"
    return made


def _meaning(number: int, message: str) -> _Meaning:
    meaning = _BY_NUMBER.get(number, _Meaning())
    if number == _OF_USER and "max_user_connections" not in message:
        return _RATIONED
    if number in _BY_ENGINE and not _NO_ROOM.search(message):
        return _Meaning()
    return meaning
