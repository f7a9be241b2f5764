"""What a call means: the source's selected tables, and what the target calls and makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastload import planner
from fastload.selection import selection_of

if TYPE_CHECKING:
    from fastload.adapter import Source, Target
    from fastload.config import CopyOptions
    from fastload.model import Catalog


class Resolved(NamedTuple):
    """Options between two databases, and the catalogues that they mean.

    Attributes:
        options: Those given, which now know the default schemas of both sides.
        catalog: The source's.
        wanted: The same in the target's names and words, tables in the same order.
    """

    options: CopyOptions
    catalog: Catalog
    wanted: Catalog


async def resolved(source: Source, target: Target, options: CopyOptions) -> Resolved:
    """Return what the options mean between these two.

    Copies, comparisons and repairs ask nobody else, so they mean the same tables.

    Raises:
        TableNotFound: A name without wildcards matches no table.
        PlanError: Something has no counterpart on the target.
    """
    options = options.between(source.default_schema, target.default_schema)
    catalog = await source.catalog(selection_of(options))
    return Resolved(options, catalog, planner.translated(catalog, target, options))
