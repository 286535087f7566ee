"""Reading a text again that changed a little, as an editor asks after each key.

Of a list of definitions, the items that are as they were and where they were are not parsed again. What comes out is
what `source.parse_yaml` gives, which a property test holds: where the text has anything that could reach from one item
into another, it is parsed whole.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.source import Node, Sequence, parse_once, parse_yaml
from eventdefs.errors import Fix
from eventdefs.types import Place

MAX_FILES = 200
"""Of how many files the items are remembered."""

MAX_LENGTH = 1_000_000
"""Up to how many characters items are remembered; what bounds there are is told of the whole of a larger text."""

_REACHES_OUT = re.compile("[\r\x85\u2028\u2029\t\0]|[|>][0-9]*\\+|^(?:---|\\.\\.\\.|%)", re.MULTILINE)
"""Other line ends than one, texts that keep the empty lines after them, several documents, directives."""
_SIGN = re.compile(r"(?:^|(?<=[\s\[\]{},:?]))[&*]([\w-]+)")
"""An anchor or an alias, or what looks like one."""
_PLACEHOLDER = "- 0"


class _Said(NamedTuple):
    """The arguments of a call of `Findings.add`."""

    code: str
    message: str
    place: Place
    hint: str
    related: tuple[Place, ...]
    fix: Fix | None


class _Heard(Findings):
    """Findings that are kept, to be said again."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[_Said] = []

    def add(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str = "",
        *,
        related: tuple[Place, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        self.said.append(_Said(code, message, place, hint, related, fix))


class _Piece(NamedTuple):
    """An item of the list as it is written.

    Attributes:
        line: its first, from 0.
        text: its lines, without empty ones at the end.
        context: all items that it has anchors and aliases in common with, at one or more removes.
    """

    line: int
    text: str
    context: tuple[Any, ...] = ()


class _Item(NamedTuple):
    """What was read of a piece, and what was found while it was."""

    node: Node
    said: tuple[_Said, ...]


class Rereader:
    """Reads texts, and remembers of each file the items that it has. Not for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[_Piece, _Item]] = {}

    def parse(self, text: str, file: str, findings: Findings, *, go_on: bool = False) -> Node | None:
        """Return what `parse_yaml` returns for the same arguments, and say what it says."""
        return parse_yaml(text, file, findings, go_on=go_on, once=self._once)

    def _once(self, text: str, file: str, findings: Findings, lost: set[str]) -> tuple[Node | None, tuple[int, ...]]:
        pieces = _pieces(text)
        items = None if pieces is None else self._items(pieces, text, file)
        if items is None:
            return parse_once(text, file, findings, lost)
        for item in items:
            for said in item.said:
                findings.add(said.code, said.message, said.place, said.hint, related=said.related, fix=said.fix)
        assert pieces
        root = Sequence(Place(file, pieces[0].line + 1, 1, 1))
        root.items = [item.node for item in items]
        return root, ()

    def _items(self, pieces: list[_Piece], text: str, file: str) -> list[_Item] | None:
        """Return the items of *pieces*; None where they are not what they look like."""
        known = self._known.pop(file, {})
        new = [piece for piece in pieces if piece not in known]
        if new:
            read = _read(new, pieces, text, file)
            if read is None:
                self._remember(file, {piece: known[piece] for piece in pieces if piece in known})
                return None
            known = {**known, **read}
        self._remember(file, {piece: known[piece] for piece in pieces})
        return [known[piece] for piece in pieces]

    def _remember(self, file: str, items: dict[_Piece, _Item]) -> None:
        self._known[file] = items
        while len(self._known) > MAX_FILES:
            del self._known[next(iter(self._known))]


def _pieces(text: str) -> list[_Piece] | None:
    """Cut *text* into the items of its list; None where it is no plain list of items."""
    if len(text) > MAX_LENGTH or _REACHES_OUT.search(text) is not None:
        return None
    rows = text.split("\n")
    starts = []
    for number, row in enumerate(rows):
        if row[:2] == "- ":
            starts.append(number)
        elif (row and row[0] not in " #") or (row and not starts and row.lstrip()[:1] not in ("", "#")):
            return None
    if not starts:
        return None
    ends = [*starts[1:], len(rows)]
    texts = ["\n".join(rows[begin:end]).rstrip() for begin, end in zip(starts, ends, strict=True)]
    pieces = [_Piece(line, piece) for line, piece in zip(starts, texts, strict=True)]
    return _with_contexts(pieces)


def _with_contexts(pieces: list[_Piece]) -> list[_Piece]:
    """Return *pieces* with those that anchors and aliases tie them to."""
    names = [set(_SIGN.findall(piece.text)) if "&" in piece.text or "*" in piece.text else set() for piece in pieces]
    group: dict[str, list[int]] = {}  # by name, the numbers of the pieces that hang together
    for number, mine in enumerate(names):
        if mine:
            together = [number]
            for others in {id(group[name]): group[name] for name in mine if name in group}.values():
                together += others
            tied = mine.union(*(names[other] for other in together))
            group.update(dict.fromkeys(tied, together))
    contexts: dict[int, tuple[_Piece, ...]] = {}
    for together in group.values():
        if id(together) not in contexts:
            contexts[id(together)] = tuple(pieces[number] for number in sorted(together))
    return [
        piece._replace(context=contexts[id(group[next(iter(mine))])]) if mine else piece
        for piece, mine in zip(pieces, names, strict=True)
    ]


def _read(new: list[_Piece], pieces: list[_Piece], text: str, file: str) -> dict[_Piece, _Item] | None:
    """Parse *new* with everything else left out; None where that is not one item for each."""
    rows = text.split("\n")
    wanted = {piece.line for piece in new}
    for number, piece in enumerate(pieces):
        if piece.line not in wanted:
            end = pieces[number + 1].line if number + 1 < len(pieces) else len(rows)
            rows[piece.line : end] = [_PLACEHOLDER, *[""] * (end - piece.line - 1)]
    heard = _Heard()
    root, _ = parse_once("\n".join(rows), file, heard, set())
    if not isinstance(root, Sequence) or len(root.items) != len(pieces):
        return None
    if any(one.code == "E001" for one in heard.said):  # an alias of nothing, of which is said which anchors there are
        return None
    said: dict[int, list[_Said]] = {}
    lines = [piece.line + 1 for piece in pieces]
    at = -1
    for one in sorted(heard.said, key=lambda one: one.place.line):
        while at + 1 < len(lines) and lines[at + 1] <= one.place.line:
            at += 1
        said.setdefault(lines[max(at, 0)], []).append(one)
    return {
        piece: _Item(node, tuple(said.get(piece.line + 1, ())))
        for piece, node in zip(pieces, root.items, strict=True)
        if piece.line in wanted
    }
