"""fastload moves whole databases: partitioned, parallel, exact.

``await fastload.copy(source, target)`` copies a database; ``fastload.blocking.copy`` does the
same for scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastload import blocking, errors
    from fastload.api import copy, plan, read, verify, write
    from fastload.errors import (
        AdapterNotFound,
        AuthenticationError,
        ConfigError,
        ConnectError,
        ConnectionLost,
        ConstraintError,
        DatabaseNotFound,
        DecodeError,
        EncodeError,
        FastloadError,
        InsecureConnectionWarning,
        LossyType,
        NotVerified,
        PlanError,
        RejectLimit,
        ResumeRefused,
        SchemaMismatch,
        SnapshotLost,
        SourceError,
        StateError,
        TableNotFound,
        TargetChanged,
        TargetError,
        TargetFull,
        TargetNotEmpty,
        TlsError,
        TooManyConnections,
        Unrepresentable,
        UnsupportedType,
        VerificationError,
    )
    from fastload.model import Plan
    from fastload.progress import display
    from fastload.report import CopyResult, Progress, describe
    from fastload.secret import Secret
    from fastload.url import Url
    from fastload.verification.result import VerifyResult

_HOMES = {
    "fastload.api": ("copy", "plan", "read", "verify", "write"),
    "fastload.errors": (
        "AdapterNotFound",
        "AuthenticationError",
        "ConfigError",
        "ConnectError",
        "ConnectionLost",
        "ConstraintError",
        "DatabaseNotFound",
        "DecodeError",
        "EncodeError",
        "FastloadError",
        "InsecureConnectionWarning",
        "LossyType",
        "NotVerified",
        "PlanError",
        "RejectLimit",
        "ResumeRefused",
        "SchemaMismatch",
        "SnapshotLost",
        "SourceError",
        "StateError",
        "TableNotFound",
        "TargetError",
        "TargetChanged",
        "TargetFull",
        "TargetNotEmpty",
        "TlsError",
        "TooManyConnections",
        "Unrepresentable",
        "UnsupportedType",
        "VerificationError",
    ),
    "fastload.model": ("Plan",),
    "fastload.progress": ("display",),
    "fastload.report": ("CopyResult", "Progress", "describe"),
    "fastload.secret": ("Secret",),
    "fastload.url": ("Url",),
    "fastload.verification.result": ("VerifyResult",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [
    "AdapterNotFound",
    "AuthenticationError",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "ConstraintError",
    "CopyResult",
    "DatabaseNotFound",
    "DecodeError",
    "EncodeError",
    "FastloadError",
    "InsecureConnectionWarning",
    "LossyType",
    "NotVerified",
    "Plan",
    "PlanError",
    "Progress",
    "RejectLimit",
    "ResumeRefused",
    "SchemaMismatch",
    "Secret",
    "SnapshotLost",
    "SourceError",
    "StateError",
    "TableNotFound",
    "TargetChanged",
    "TargetError",
    "TargetFull",
    "TargetNotEmpty",
    "TlsError",
    "TooManyConnections",
    "Unrepresentable",
    "UnsupportedType",
    "Url",
    "VerificationError",
    "VerifyResult",
    "blocking",
    "copy",
    "describe",
    "display",
    "errors",
    "plan",
    "read",
    "verify",
    "write",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: ``import fastload`` alone stays fast."""
    from importlib import import_module

    if name in ("blocking", "errors"):
        return import_module(f"fastload.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'fastload' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
