"""The texts of SHOW CREATE TABLE in tokens, and a cursor that takes them one by one.

Relies on: the session has ``sql_quote_show_create`` on and neither ``ANSI_QUOTES`` nor
``NO_BACKSLASH_ESCAPES`` in its ``sql_mode``, so that names stand between backticks and texts
between apostrophes with backslashes as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fastload.errors import SourceError
from fastload.model import QualifiedName

_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*M?!\d*|\*/|/\*.*?\*/)   # versions' own comments count as text
      | (?P<name>`(?:[^`]|``)+`)
      | (?P<text>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
      | (?P<number>0x[0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "Z": "\x1a"}
_ESCAPED = re.compile(r"\\(.)|''", re.DOTALL)
_LONGEST_SHOWN = 200


class Token(NamedTuple):
    """A piece of a text between two places in it."""

    kind: str
    text: str
    start: int
    end: int


END = Token("end", "", -1, -1)


def tokens_of(text: str) -> list[Token]:
    """Return the tokens without spaces and the marks of comments."""
    return [
        Token(m.lastgroup or "", m[0], m.start(), m.end())
        for m in _TOKEN.finditer(text)
        if m.lastgroup != "space"
    ]


def unquoted(text: str) -> str:
    """Return what a quoted text means."""
    return _ESCAPED.sub(_meaning, text[1:-1])


def _meaning(match: re.Match[str]) -> str:
    escaped: str | None = match[1]
    return "'" if escaped is None else _ESCAPES.get(escaped, escaped)


class Cursor:
    """Takes the tokens of one item of a statement; what does not fit is refused by name."""

    def __init__(self, whole: str, tokens: Sequence[Token], end: int, table: QualifiedName) -> None:
        self._whole = whole
        self._tokens = tokens
        self._end = end
        self._at = 0
        self._table = table
        self._line: Cursor | None = None

    @property
    def done(self) -> bool:
        """Whether all tokens were taken."""
        return self._at == len(self._tokens)

    @property
    def next(self) -> Token:
        """The token that comes next; END behind the last."""
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def take(self, *kinds: str) -> Token:
        """Take the next token, which has to be of one of these kinds."""
        token = self.next
        if token.kind not in kinds:
            raise self.refusal()
        self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these words or marks if they come next, all of them or none."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if len(ahead) < len(words):
            return False
        for token, word in zip(ahead, words, strict=True):
            if token.text.upper() != word or token.kind not in ("word", "mark"):
                return False
        self._at += len(words)
        return True

    def name(self) -> str:
        """Take a quoted name and return it."""
        return self.take("name").text[1:-1].replace("``", "`")

    def brackets(self) -> tuple[Token, list[Token], Token]:
        """Take a bracket, what is within, and the bracket that closes it."""
        first, depth = self._at, 0
        while True:
            token = self.take("name", "text", "number", "word", "mark")
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                taken = self._tokens[first : self._at]
                if len(taken) < 2:
                    raise self.refusal()
                return taken[0], list(taken[1:-1]), taken[-1]

    def bracketed(self) -> str:
        """Take a bracket and return the text within."""
        opened, _, closed = self.brackets()
        return self._whole[opened.end : closed.start].strip()

    def names(self) -> tuple[str, ...]:
        """Take names between brackets."""
        return tuple(one.name() for one in self.parts())

    def parts(self) -> list[Cursor]:
        """Take a bracket and return a cursor for each part within, which commas divide."""
        found = self.lines()
        for part in found:
            part._line = self
        return found

    def lines(self) -> list[Cursor]:
        """Do so for the bracket around all lines: a refusal names the line that it is of."""
        _, inner, closed = self.brackets()
        parts: list[list[Token]] = [[]]
        ends = []
        depth = 0
        for token in inner:
            if token.text == "," and depth == 0 and token.kind == "mark":
                ends.append(token.start)
                parts.append([])
                continue
            depth += (token.text == "(") - (token.text == ")")
            parts[-1].append(token)
        ends.append(closed.start)
        return [
            Cursor(self._whole, part, end, self._table)
            for part, end in zip(parts, ends, strict=True)
        ]

    @property
    def place(self) -> int:
        """Where the token that was taken last ends."""
        return self._tokens[self._at - 1].end

    def since(self, start: int) -> str:
        """Return the text from a place on to the end of the token that was taken last."""
        return self._whole[start : self.place]

    def between(self, start: int, end: int) -> str:
        """Return the text between two places."""
        return self._whole[start:end].strip()

    def rest(self, start: int) -> str:
        """Return the text from a place on to the end of the item, comments included."""
        return self._whole[start : self._end].strip()

    def whole(self) -> str:
        """Return the text of the item."""
        return self.rest(self._tokens[0].start if self._tokens else self._end)

    def refusal(self) -> SourceError:
        """Return the error that names the line that is not understood."""
        line = (self._line or self).whole()
        at = self.next
        what = f"at {at.text!r}" if at is not END else "at its end"
        return SourceError(
            f"SHOW CREATE TABLE has a line that fastload does not know: "
            f"{line[:_LONGEST_SHOWN]!r}, {what}",
            side="source",
            table=str(self._table),
            hint="leave the table out with exclude, and report the line",
        )
