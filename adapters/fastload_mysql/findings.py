"""One line each of what an examination found."""

from __future__ import annotations

from fastload.model import Finding


def ok(subject: str, text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(level="ok", subject=subject, text=text)


def warn(subject: str, text: str, hint: str) -> Finding:
    """Return what a copy can do without."""
    return Finding(level="warn", subject=subject, text=text, hint=hint)


def bad(subject: str, text: str, hint: str) -> Finding:
    """Return what stops a copy."""
    return Finding(level="bad", subject=subject, text=text, hint=hint)
