"""Every error fastload raises: what happened, where, and what to do next.

One class per thing a caller may want to catch. ``str(error)`` is what, where and the hint on
three lines at most. No text here ever holds credentials: adapters hand over only what their
``connection`` module has cleaned.
"""

from __future__ import annotations

from fastload.wording import visible

# What hints offer where the target's column takes NULL.
NULL_INSTEAD = "on_unrepresentable='null' makes it NULL"


class FastloadError(Exception):
    """Something fastload can name.

    Attributes:
        code: A stable word for programs, such as ``"table_not_found"``.
        side: ``"source"``, ``"target"`` or None.
        table: The table, as ``schema.name``, where one is concerned.
        column: The column, where one is concerned.
        partition: Index of the partition within its table, where one is concerned.
        key: The key of the row, as text, where one row is concerned.
        hint: What to do next.
        retryable: Whether the same call may succeed when nothing but time has changed.
        of_data: Whether rows are at fault, so that others may be taken where these are not.
    """

    code = "error"
    retryable = False
    of_data = False

    def __init__(
        self,
        message: str,
        *,
        side: str | None = None,
        table: str | None = None,
        column: str | None = None,
        partition: int | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.side = side
        self.table = table
        self.column = column
        self.partition = partition
        self.key = key
        self.hint = hint
        self.details: tuple[str, ...] = ()

    def where(self) -> str:
        """Return the place in words, such as ``source, table public.t, column c``."""
        places = [self.side] if self.side else []
        for word in ("table", "partition", "key", "column"):
            value = getattr(self, word)
            if value is not None:
                places.append(f"{word} {value}")
        return ", ".join(places)

    def __str__(self) -> str:
        where, hint = self.where(), self.hint
        lines = [self.message]
        if where:
            lines.append(f"  where: {where}")
        if hint:
            lines.append(f"  hint: {hint}")
        lines += [f"  {line}" for line in self.details]
        return "\n".join(map(visible, lines))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(
    kind: type[FastloadError], args: tuple[object, ...], state: dict[str, object]
) -> FastloadError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(FastloadError):
    """An option or URL is wrong; nothing was contacted."""

    code = "config"


class AdapterNotFound(ConfigError):
    """No installed adapter speaks this scheme, or its driver is missing."""

    code = "adapter_not_found"


class PlanError(FastloadError):
    """The copy cannot be planned; nothing was changed."""

    code = "plan"


class UnsupportedType(PlanError):
    """A column's type has no form on the way or on the target."""

    code = "unsupported_type"


class SchemaMismatch(PlanError):
    """The target's table does not fit what would be written."""

    code = "schema_mismatch"


class LossyType(PlanError):
    """The target's type cannot hold every value of the source's."""

    code = "lossy_type"


class TargetNotEmpty(PlanError):
    """The target table holds rows and the mode does not say what to do with them."""

    code = "target_not_empty"


class ConnectError(FastloadError):
    """No connection could be made."""

    code = "connect"
    retryable = True


class TooManyConnections(ConnectError):
    """The server lets in no more connections, of all users or of this one."""

    code = "too_many_connections"


class AuthenticationError(ConnectError):
    """The server refused user or password."""

    code = "authentication"
    retryable = False


class DatabaseNotFound(ConnectError):
    """The server has no database of this name."""

    code = "database_not_found"
    retryable = False


class TlsError(ConnectError):
    """The encrypted connection was refused or is not trusted."""

    code = "tls"
    retryable = False


class InsecureConnectionWarning(UserWarning):
    """What passes to and from a server can be read and changed on the way, as its URL allows."""


class ConnectionLost(FastloadError):
    """A connection that worked has ended."""

    code = "connection_lost"
    retryable = True


class SourceError(FastloadError):
    """Reading failed."""

    code = "source"


class TableNotFound(SourceError):
    """No such table, or none that this user may see."""

    code = "table_not_found"


class DecodeError(SourceError):
    """Bytes from the source are not what its protocol promises.

    Attributes:
        offset: Bytes from the start of the stream to the field that failed.
        column_index: Zero-based column, or -1 for the row's own framing.
    """

    code = "decode"

    def __init__(
        self, message: str, *, offset: int = -1, column_index: int = -1, **where: object
    ) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.offset = offset
        self.column_index = column_index


class SnapshotLost(SourceError):
    """The common view of the source has ended or no longer covers a table."""

    code = "snapshot_lost"


class LogLost(SourceError):
    """The source no longer keeps the log from where the tail stands."""

    code = "log_lost"


class TargetError(FastloadError):
    """Writing failed; the partition's transaction was rolled back."""

    code = "target"


class EncodeError(TargetError):
    """A value or column cannot be written in the target column's type.

    Attributes:
        row: Zero-based row within the record batch, or -1.
        column_index: Zero-based column, or -1.
    """

    code = "encode"
    of_data = True

    def __init__(
        self, message: str, *, row: int = -1, column_index: int = -1, **where: object
    ) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.row = row
        self.column_index = column_index


class ConstraintError(TargetError):
    """A constraint of the target refused the data."""

    code = "constraint"
    of_data = True


class Unrepresentable(TargetError):
    """A value exists on the source that the chosen form cannot hold.

    Attributes:
        row: Zero-based row within the partition, or -1.
        column_index: Zero-based column, or -1.
        value: The value as text.
    """

    code = "unrepresentable"
    of_data = True

    def __init__(
        self,
        message: str,
        *,
        row: int = -1,
        column_index: int = -1,
        value: str | None = None,
        **where: object,
    ) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.row = row
        self.column_index = column_index
        self.value = value


class TargetFull(TargetError):
    """The target has no room; never retried."""

    code = "target_full"


class RejectLimit(TargetError):
    """More rows are refused than ``reject_limit`` lets be rejected."""

    code = "reject_limit"


class TargetChanged(TargetError):
    """A table of the target is not what it was when the run was prepared."""

    code = "target_changed"

    @classmethod
    def of(cls, table: str, what: str) -> TargetChanged:
        """Return the error of a table that was, as ``what`` says, changed by somebody else."""
        return cls(
            f"the target's {table} was {what} by somebody else while the run fills it",
            side="target",
            table=table,
            hint="find out who did it; then forget the run with fresh=True, and mode='replace' or "
            "'truncate' copies the table anew",
        )


class StateError(FastloadError):
    """The stored state of a run does not allow this."""

    code = "state"


class ResumeRefused(StateError):
    """The run was started differently; the message prints the difference."""

    code = "resume_refused"


class VerificationError(FastloadError):
    """Source and target differ.

    Attributes:
        result: The verification result with every difference found.
        copied: The result of the copy, which is complete.
    """

    code = "verification"

    def __init__(
        self, message: str, *, result: object = None, copied: object = None, **where: object
    ) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.result = result
        self.copied = copied


class NotVerified(FastloadError):
    """A copy is complete, and could not be compared with its source.

    Attributes:
        copied: The result of the copy.
    """

    code = "not_verified"

    def __init__(self, message: str, *, copied: object = None, **where: object) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.copied = copied
