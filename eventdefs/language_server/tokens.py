"""What stands where in a YAML text that somebody is typing, and that may therefore be none.

YAML's own parsers stop at the first error, which is where the cursor is. This reads lines by their indentation and
brackets by counting them, and knows of each word in which mapping it stands and whether it is a key. It is no judge:
what is wrong is for the linter to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

CURSOR = "\ue000"
"""Stands in a text where the cursor is; a character that nobody writes."""

Trail = tuple[str | int, ...]
"""The keys, and in lists the numbers, on the way from the top to a mapping, a list or a value."""

_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'{}\[\],&*!|>%@`\#](?:[^\#]|(?<=\S)\#)*?)[ \t]*:(?=[ \t]|$)"""
)
_PLAIN = re.compile(r"(?:[^ \t#]|(?<=[^ \t])#|[ \t]+(?=[^ \t#]))+")
_PROPERTY = re.compile(r"[&!][^\s,\[\]{}]*[ \t]*")
_FLOW_PLAIN = re.compile(r"(?:(?!:(?:[\s,\[\]{}]|$))[^\s,\[\]{}]|[ \t]+(?![\s,\[\]{}#:]|$))+")
_QUOTED = {'"': re.compile(r'"((?:[^"\\]|\\.)*)("?)'), "'": re.compile(r"'((?:[^']|'')*)('?)")}
_COLON = re.compile(r"[ \t]*:(?=[\s,\[\]{}]|$)")
_QUOTED_COLON = re.compile(r"[ \t]*:")


class Token(NamedTuple):
    """A word of a definition file.

    Attributes:
        text: without quotes.
        quote: ' or " where it is in quotes, else ''.
        line, begin, end: where it stands, from 0, quotes included.
        trail: of a key, to the mapping that it is in; else to where the word is.
        role: `open` is what may be a key as well as a value, `item` what stands where a list goes on.
        flow: whether it stands in brackets.
    """

    text: str
    quote: str
    line: int
    begin: int
    end: int
    trail: Trail
    role: Literal["key", "value", "open", "item"]
    flow: bool


class _Level:
    """A mapping or list that is open."""

    __slots__ = ("indent", "is_list", "key", "number")

    def __init__(self, indent: int, is_list: bool) -> None:
        self.indent = indent
        self.is_list = is_list
        self.key: str | None = None
        self.number = 0

    @property
    def step(self) -> str | int | None:
        return self.number if self.is_list else self.key


def read_tokens(lines: Sequence[str]) -> Iterator[Token]:
    """Yield the words of *lines* in their order."""
    return _Reader(lines).tokens()


def token_at(tokens: Sequence[Token], line: int, column: int) -> Token | None:
    """Return the token that *column* is in or at the end of."""
    for token in tokens:
        if token.line == line and token.begin <= column <= token.end:
            return token
    return None


def with_cursor(lines: Sequence[str], line: int, column: int) -> list[str]:
    """Return *lines* with the sign of the cursor in them."""
    written = list(lines)
    while len(written) <= line:
        written.append("")
    written[line] = written[line][:column].ljust(column) + CURSOR + written[line][column:]
    return written


class _Reader:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._line = 0
        self._block: list[_Level] = []
        self._flow: list[_Level] = []

    def tokens(self) -> Iterator[Token]:
        while self._line < len(self._lines):
            row = self._lines[self._line]
            if row.strip() and not row.lstrip().startswith("#"):
                yield from self._read_row(row)
            self._line += 1

    def _trail(self) -> Trail:
        steps = (level.step for level in (*self._block, *self._flow))
        return tuple("" if step is None else step for step in steps)

    def _token(
        self, text: str, quote: str, begin: int, end: int, trail: Trail, role: Literal["key", "value", "open", "item"]
    ) -> Token:
        return Token(text, quote, self._line, begin, end, trail, role, bool(self._flow))

    def _close(self, column: int) -> None:
        while self._block and self._block[-1].indent > column:
            self._block.pop()

    # --- lines --------------------------------------------------------------------------------------------------------

    def _read_row(self, row: str) -> Iterator[Token]:
        column = len(row) - len(row.lstrip(" \t"))
        dashed = False
        while row[column : column + 1] == "-" and row[column + 1 : column + 2] in ("", " ", "\t"):
            self._enter_item(column)
            dashed = True
            column += 1
            column += len(row[column:]) - len(row[column:].lstrip(" \t"))
        if column >= len(row) or row[column] == "#":
            return
        found = _KEY.match(row, column)
        if found is not None:
            yield self._enter_key(found, column, dashed)
            yield from self._read_value(row, found.end(), self._block[-1].indent)
        else:
            yield from self._read_alone(row, column, dashed)

    def _enter_item(self, column: int) -> None:
        self._close(column)
        top = self._block[-1] if self._block else None
        if top is not None and top.is_list and top.indent == column:
            top.number += 1
        else:
            self._block.append(_Level(column, is_list=True))

    def _enter_key(self, found: re.Match[str], column: int, dashed: bool) -> Token:
        self._close(column)
        # A list may stand no deeper than the key that it belongs to, which ends it.
        while not dashed and self._block and self._block[-1].is_list and self._block[-1].indent == column:
            self._block.pop()
        top = self._block[-1] if self._block else None
        if top is None or top.is_list or top.indent < column:
            top = _Level(column, is_list=False)
            self._block.append(top)
        trail = self._trail()[:-1]
        top.key, quote = _unquoted(found[1])
        return self._token(top.key, quote, column, found.end(1), trail, "key")

    def _read_alone(self, row: str, column: int, dashed: bool) -> Iterator[Token]:
        """Read what stands on a line without being a key: an item, a value on a line of its own, half a key."""
        if dashed:
            yield from self._read_value(row, column, self._block[-1].indent, alone=True)
            return
        self._close(column)
        top = self._block[-1] if self._block else None
        if top is None or top.indent < column:
            yield from self._read_value(row, column, top.indent if top else -1, alone=True)
            return
        below = self._block[-2] if len(self._block) > 1 else None
        role: Literal["key", "item"] = "key"
        if top.is_list and below is not None and below.indent == column:
            self._block.pop()
        elif top.is_list:
            role = "item"
        text, quote, end = _scalar(row, column)
        yield self._token(text, quote, column, end, self._trail()[:-1], role)

    def _read_value(self, row: str, column: int, indent: int, alone: bool = False) -> Iterator[Token]:
        """Read what stands after a key or a dash; *indent* is that of the key or dash."""
        column += len(row[column:]) - len(row[column:].lstrip(" \t"))
        while (found := _PROPERTY.match(row, column)) is not None:
            column = found.end()
        if column >= len(row) or row[column] == "#":
            return
        if row[column] in "|>":
            self._skip_block_scalar(indent)
        elif row[column] in "[{":
            yield from self._read_flow(column, indent)
        else:
            text, quote, end = _scalar(row, column)
            yield self._token(text, quote, column, end, self._trail(), "open" if alone else "value")
            if quote and not _closed(row, column):
                self._skip_quoted(quote)

    def _skip_block_scalar(self, indent: int) -> None:
        while self._line + 1 < len(self._lines):
            row = self._lines[self._line + 1]
            if row.strip() and len(row) - len(row.lstrip(" ")) <= indent:
                break
            self._line += 1

    def _skip_quoted(self, quote: str) -> None:
        """Go to the line where a text in quotes ends; nowhere if none of the next few has its end."""
        for ahead in range(self._line + 1, min(self._line + 50, len(self._lines))):
            if quote in self._lines[ahead]:
                self._line = ahead
                return

    # --- brackets -----------------------------------------------------------------------------------------------------

    def _read_flow(self, column: int, indent: int) -> Iterator[Token]:
        """Read from a bracket to the one that closes it, or to the line where it cannot go on any more."""
        while True:
            row = self._lines[self._line]
            while column < len(row):
                char = row[column]
                if char in " \t":
                    column += 1
                elif char == "#" and (column == 0 or row[column - 1] in " \t"):
                    break
                elif char in "[{":
                    self._flow.append(_Level(-1, is_list=char == "["))
                    column += 1
                elif char in "]}":
                    self._flow.pop()
                    column += 1
                    if not self._flow:
                        return
                elif char == ",":
                    self._flow[-1].key = None
                    self._flow[-1].number += 1
                    column += 1
                elif char in "&!":
                    found = _PROPERTY.match(row, column)
                    column = found.end() if found else column + 1
                elif char == ":":
                    column += 1
                else:
                    token, column = self._flow_token(row, column)
                    yield token
            following = self._lines[self._line + 1] if self._line + 1 < len(self._lines) else None
            if following is None or (
                following.strip() and following[:1] not in "]}" and len(following) - len(following.lstrip()) <= indent
            ):
                self._flow.clear()
                return
            self._line += 1
            column = 0

    def _flow_token(self, row: str, column: int) -> tuple[Token, int]:
        quoted = row[column] in "'\""
        if quoted:
            text, quote, end = _scalar(row, column)
        else:
            found = _FLOW_PLAIN.match(row, column)
            end = found.end() if found else column + 1
            text, quote = row[column:end], ""
        top = self._flow[-1]
        colon = (_QUOTED_COLON if quoted else _COLON).match(row, end)
        if not top.is_list and top.key is None:
            token = self._token(text, quote, column, end, self._trail()[:-1], "key")
            if colon is not None:
                top.key = text
                end = colon.end()
            return token, end
        return self._token(text, quote, column, end, self._trail(), "value"), end


def _scalar(row: str, column: int) -> tuple[str, str, int]:
    """Return the text of the scalar at *column*, its quote, and where it ends."""
    pattern = _QUOTED.get(row[column])
    if pattern is not None:
        found = pattern.match(row, column)
        assert found is not None
        return _inner(found[1], row[column]), row[column], found.end()
    plain = _PLAIN.match(row, column)
    end = plain.end() if plain else column + 1
    text = row[column:end].rstrip()
    return text, "", column + len(text)


def _closed(row: str, column: int) -> bool:
    found = _QUOTED[row[column]].match(row, column)
    return found is not None and bool(found[2])


def _unquoted(text: str) -> tuple[str, str]:
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return _inner(text[1:-1], text[0]), text[0]
    return text, ""


def _inner(text: str, quote: str) -> str:
    return text.replace("''", "'") if quote == "'" else re.sub(r"\\(.)", r"\1", text)
