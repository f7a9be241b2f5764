"""Text that people read: nothing in it hides, moves the cursor or ends a line."""

from __future__ import annotations

# Letters and signs by Unicode's word, though they show nothing.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def shows(character: str) -> bool:
    """Say whether a character can be seen, or is a plain space."""
    return character.isprintable() and character not in _BLANK


def visible(text: str) -> str:
    r"""Return one line of text with escapes for what does not show, such as ``\n``.

    That is control characters, ends of lines, what turns the direction of writing, and characters
    without width. Texts that people read go through here as they are put together.
    """
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text
    return "".join(c if shows(c) else ascii(c)[1:-1] for c in text)


def visible_lines(text: str) -> str:
    """Return text of several lines, each of them visible."""
    return "\n".join(map(visible, text.split("\n")))
