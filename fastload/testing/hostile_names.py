"""Names that break what puts them into SQL, shell lines, reports or files without care."""

from __future__ import annotations

from collections.abc import Iterator

HOSTILE = (
    'quo"te',
    '""',
    "apo'strophe",
    "back`tick",
    "``",
    "back\\slash",
    "\\",
    "\\'",
    "line\nbreak",
    "car\rriage",
    "tab\tulator",
    "\x1b[31mred",
    "bell\x07",
    "del\x7f",
    " leading",
    "per%cent",
    "%s",
    "%(x)s",
    "{}",
    "{0.__class__}",
    "$1",
    "$(touch canary)",
    "`touch canary`",
    "${HOME}",
    "$$",
    "; DROP TABLE canary; --",
    '"; DROP TABLE canary; --',
    "'; DROP TABLE canary; --",
    "`; DROP TABLE canary; --",
    "*/ DROP TABLE canary /*",
    "--",
    "/* a",
    "# a",
    "<script>alert(1)</script>",
    "&amp;",
    "dot.ted",
    "...",
    "../../etc",
    "/abs",
    "a*b",
    "a?b",
    "a=b",
    "a,b",
    "(a)",
    "[a]",
    ":a",
    "@a",
    "?",
    "\u202eright to left",
    "zero\u200bwidth",
    "\ufeffmark",
    "next\u2028line",
    "soft\u00adhyphen",
    "no\u00a0break",
    "n\u0303",
    "Ünïcödé",
    "名前",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u2603\ufe0f",
    "select",
    "NULL",
    "Case",
    "case",
    "CASE",
    "1",
    "1e5",
    "-1",
    "_",
    "__",
    "oid",
)
BEYOND_MYSQL = ("emo\U0001f600ji", "trailing ", "\U0001f468\u200d\U0001f469")
"""Names that PostgreSQL alone can have."""


def hostile_names(count: int, *, longest_bytes: int = 63) -> Iterator[str]:
    """Yield different names, the same on each call: those above, then them with each other."""
    given = 0
    for turn in range(count):
        for place, start in enumerate(HOSTILE):
            more = "" if turn == 0 else HOSTILE[(place * 7 + turn) % len(HOSTILE)] + str(turn)
            text = (start + more).encode()[:longest_bytes].decode(errors="ignore").rstrip(" ")
            if given == count:
                return
            given += 1
            yield text
