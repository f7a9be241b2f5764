"""Hints of the library as the command line writes them: ``--fresh`` for ``fresh=True``."""

from __future__ import annotations

import ast
import re
import shlex

from fastload.naming import spelled

_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_OPTIONS = [
    "tables",
    "exclude",
    "mode",
    "parallel",
    "memory",
    "partition_by",
    "route",
    "on_unrepresentable",
    "types",
    "where",
    "rename",
    "indexes",
    "foreign_keys",
    "statistics",
    "triggers",
    "on_update",
    "run",
    "fresh",
    "verify",
    "on_error",
    "reject_limit",
    "rejects",
    "limit",
    "report",
    "live",
    "lag_s",
    "columns",
]
_NAMES = "|".join(_OPTIONS)
_OPTION = re.compile(
    rf"(?<![\w.?&])(?P<name>{_NAMES})=(?P<value>True|False|\d+|{_TEXT}"
    rf"|\[(?:{_TEXT}|[^\[\]'\"])*\]|\{{(?:{_TEXT}|[^{{}}'\"])*\}})"
)
_WORD = re.compile(rf"`({_NAMES})`")


def for_command_line(hint: str) -> str:
    """Return a hint with Python's options as words that a shell takes as they are."""
    return _WORD.sub(lambda found: _flag(found[1]), _OPTION.sub(_as_words, hint))


def _as_words(found: re.Match[str]) -> str:
    flag = _flag(found["name"])
    try:
        value = ast.literal_eval(found["value"])
    except (ValueError, SyntaxError):
        return found[0]
    if value is True:
        return flag
    if value is False:
        return flag.replace("--", "--no-", 1)
    if isinstance(value, dict):
        values = [f"{_name(key)}={v}" for key, v in value.items()]
    else:
        values = list(map(str, value)) if isinstance(value, list) else [str(value)]
    return " ".join(f"{flag} {shlex.quote(v)}" for v in values)


def _name(key: object) -> str:
    return spelled(*key) if isinstance(key, tuple) else str(key)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
