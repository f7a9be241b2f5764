"""What a copy says that was to be verified, and is not equal to its source, or may not be."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from fastload.errors import FastloadError, NotVerified, VerificationError
from fastload.report import CopyResult, rejected_lines
from fastload.verification.result import VerifyResult, summary

T = TypeVar("T")


async def verified(work: Awaitable[VerifyResult], copied: CopyResult) -> VerifyResult:
    """Await the verification of a copy that is complete, and that nothing continues any more.

    Raises:
        NotVerified: The verification has failed.
        VerificationError: Source and target differ.
    """
    try:
        result = await work
    except FastloadError as error:
        raise NotVerified(
            f"the copy is complete; not verified: {error.message}",
            copied=copied,
            side=error.side,
            table=error.table,
            column=error.column,
            hint="compare when the reason is gone: fastload.verify(source, target), with the "
            "options of the copy; on the command line, fastload verify",
        ) from error
    raise_unequal(result, copied)
    return result


def raise_unequal(result: VerifyResult, copied: CopyResult) -> None:
    """Raise what a copy says whose target is not equal to its source."""
    if result.equal:
        return
    rejected = rejected_lines(copied)
    told = f"; rejected rows are missing: {'; '.join(rejected)}" if rejected else ""
    raise VerificationError(
        f"the copy is complete and differs from its source: {summary(result)}{told}",
        result=result,
        copied=copied,
        hint="error.result names the rows; fastload.verify, with the options of the copy, and "
        "repair() on what it returns mend them (fastload verify --repair). Where the source is "
        "being written to, rows that changed since the copy differ too",
    )
