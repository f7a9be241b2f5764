"""What a verification costs beside the copy itself, with the ratios to reach."""

from __future__ import annotations

from benchmarks.works import Work, ours

_COPY, _VERIFIED = "copy", "fastload, verified copy"


def _verified(
    database: str, table: str, reach: float, *, source: str = "postgresql 16", target: str
) -> Work:
    return Work(
        source=source,
        target=target,
        database=database,
        tables=(table,),
        contenders={_COPY: ours("auto", 2), _VERIFIED: ours("auto", 2, "all, verified")},
        reach=((_VERIFIED, _COPY, reach),),
        gates=((_VERIFIED, 300),),
    )


WORKS = {
    "verified narrow": _verified("narrow", "narrow", 1.35, target="postgresql 18"),
    "verified lineitem": _verified("lineitem", "lineitem", 1.35, target="postgresql 18"),
    "verified PostgreSQL to MySQL": _verified("narrow_key", "narrow", 1.6, target="mysql"),
    "verified MySQL to PostgreSQL": _verified(
        "narrow", "narrow", 1.6, source="mysql", target="postgresql 18"
    ),
}
