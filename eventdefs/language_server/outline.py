"""The outline of a definition file: its definitions, and the traits and attributes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eventdefs.language_server.tokens import Token, Trail, read_tokens
from eventdefs.language_server.vocabulary import value_of, values_below


class Entry(NamedTuple):
    """One line of the outline; lines and columns count from 0.

    Attributes:
        kind: `event` and `sample` are definitions, `trait` and `attribute` stand in them.
        last: the last line that belongs to it.
    """

    name: str
    detail: str
    kind: str
    line: int
    begin: int
    end: int
    last: int
    children: tuple[Entry, ...] = ()


def outline(rows: Sequence[str]) -> list[Entry]:
    """Return the definitions of a file in their order."""
    tokens = list(read_tokens(rows))
    heads = _heads(tokens)
    entries = []
    for number, (trail, first, mine) in enumerate(heads):
        last = (heads[number + 1][1].line if number + 1 < len(heads) else len(rows)) - 1
        while last > first.line and (not rows[last].strip() or rows[last].lstrip().startswith("#")):
            last -= 1
        entries.append(_entry(trail, first, mine, last))
    return entries


def _heads(tokens: Sequence[Token]) -> list[tuple[Trail, Token, list[Token]]]:
    """Return (trail, first token, tokens) of each definition."""
    heads: list[tuple[Trail, Token, list[Token]]] = []
    for token in tokens:
        depth = 2 if token.trail[:1] == ("metric",) else 1
        trail = token.trail[:depth]
        if len(trail) < depth or not isinstance(trail[-1], int):
            continue
        if heads and heads[-1][0] == trail:
            heads[-1][2].append(token)
        else:
            heads.append((trail, token, [token]))
    return heads


def _entry(trail: Trail, first: Token, mine: Sequence[Token], last: int) -> Entry:
    is_event = len(trail) == 1
    if is_event:
        name = ", ".join(values_below((*trail, "event_type"), mine))
        detail = value_of((*trail, "description"), mine)
    else:
        name = value_of((*trail, "name"), mine)
        detail = " ".join(filter(None, (value_of((*trail, key), mine) for key in ("type", "unit"))))
    children = tuple(_children(trail, mine, last, is_event))
    kind = "event" if is_event else "sample"
    return Entry(name or "(no name)", detail, kind, first.line, first.begin, first.end, last, children)


def _children(trail: Trail, mine: Sequence[Token], last: int, is_event: bool) -> Iterator[Entry]:
    parent = (*trail, "traits") if is_event else trail
    inner = [token for token in mine if token.role == "key" and token.trail == parent]
    for number, token in enumerate(inner):
        ends = inner[number + 1].line - 1 if number + 1 < len(inner) else last
        at = (*parent, token.text)
        detail = value_of((*at, "fields"), mine) or value_of(at, mine)
        yield Entry(
            token.text,
            detail,
            "trait" if is_event else "attribute",
            token.line,
            token.begin,
            token.end,
            max(ends, token.line),
        )
