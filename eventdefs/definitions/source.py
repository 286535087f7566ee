"""YAML text to plain nodes that know where they stand.

The only module that knows YAML. PyYAML's parser gives the events (libyaml where it is there), and this builds
nodes of them without recursion: depth and size are bounded, aliases share one node and are never copied, and a
merge of merges is resolved once. Scalars are what PyYAML's safe loader makes of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.resolver import Resolver

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.yamltraps import find_trap
from eventdefs.errors import Fix
from eventdefs.hints import nearest
from eventdefs.types import Place

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 2_000_000
MAX_NUMBER = 1_000
MAX_VALUE_NODES = 100_000
"""How many nodes one free-form value (a plugin's parameters) may unfold to, aliases counted each time."""

MAX_ANCHORS = 200
"""Of how many anchors it is guessed which was meant, which takes longer than all the rest."""
MAX_ERRORS = 20
"""After how many syntax errors of a file no more are looked for."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node:
    """A piece of a YAML file: where it stands and what it holds."""

    __slots__ = ("place",)

    def __init__(self, place: Place) -> None:
        self.place = place


class Scalar(Node):
    """A text, number, truth value, date or null.

    Attributes:
        text: how it is written, without quotes.
        value: what it means.
        column: at which `text` begins, 0 where it does not stand in the file in one piece.
        last_line: on which it ends, 0 where that is the line of its place.
    """

    __slots__ = ("column", "last_line", "text", "value")

    def __init__(self, place: Place, text: str, value: Any, column: int = 0, last_line: int = 0) -> None:
        super().__init__(place)
        self.text = text
        self.value = value
        self.column = column
        self.last_line = last_line


class Sequence(Node):
    __slots__ = ("items",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.items: list[Node] = []


class Mapping(Node):
    """Keys and values. `pairs` is as written; `entries()` has merges resolved and the last of equal keys."""

    __slots__ = ("_entries", "pairs")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.pairs: list[tuple[Node, Node]] = []
        self._entries: dict[Any, tuple[Scalar, Node]] | None = None

    def entries(self) -> dict[Any, tuple[Scalar, Node]]:
        """Return key value -> (key, value) in the order that counts: what is merged first, then what is written."""
        if self._entries is None:
            self._entries = {}  # A mapping that merges itself finds itself empty.
            merged: dict[Any, tuple[Scalar, Node]] = {}
            written: list[tuple[Scalar, Node]] = []
            for key, value in self.pairs:
                if isinstance(key, Scalar) and key.value is MERGE:
                    # In a list of merges the first wins, so that the later ones are laid down first.
                    sources = reversed(value.items) if isinstance(value, Sequence) else [value]
                    for source in sources:
                        if isinstance(source, Mapping):
                            _lay(merged, source.entries().values())
                elif isinstance(key, Scalar):
                    written.append((key, value))
            _lay(merged, written)
            self._entries = merged
        return self._entries

    def get(self, key: str) -> Node | None:
        found = self.entries().get(key)
        return None if found is None else found[1]

    def key(self, key: str) -> Node:
        """Return the node of the key itself, for its place."""
        return self.entries()[key][0]


def _lay(entries: dict[Any, tuple[Scalar, Node]], pairs: Any) -> None:
    for key, value in pairs:
        entries[key.value] = (key, value)


class _Merge:
    def __repr__(self) -> str:
        return "<<"


MERGE = _Merge()


Once = Callable[[str, str, Findings, set[str]], tuple[Node | None, tuple[int, ...]]]


def parse_yaml(
    text: str, file: str, findings: Findings, *, go_on: bool = False, once: Once | None = None
) -> Node | None:
    """Read *text* as one YAML document; None where it is none, which *findings* then says.

    *go_on*: after a syntax error, read what is left without the item of the list that has it. *once*: what parses in
    place of `parse_once`, and gives the same.
    """
    text = text.removeprefix("\ufeff")
    findings.add_file(file, text)
    if len(text) > MAX_BYTES:
        findings.add("E003", f"{len(text):,} characters", Place(file), f"at most {MAX_BYTES:,} are read")
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - text.rfind("\n", 0, error.start)
        findings.add("E001", f"not YAML: a lone surrogate U+{ord(text[error.start]):04X}", Place(file, line, column))
        return None
    lost: set[str] = set()
    is_cut = False
    for _ in range(MAX_ERRORS if go_on else 1):
        root, lines = (once or parse_once)(text, file, findings, lost)
        cut = _without_item(text, lines) if go_on else None
        if cut is None:
            return _without_leftovers(root, findings) if is_cut else root
        is_cut = True
        lost |= _anchors_of(text, cut)
        text = cut
    return None


def _without_leftovers(root: Node | None, findings: Findings) -> Node | None:
    """Return *root* without what is empty only because all items of its list were left out."""
    if isinstance(root, Mapping):
        for _, value in root.pairs:
            if isinstance(value, Scalar) and value.value is None:
                findings.say_nothing_at(value.place)
    return None if isinstance(root, Scalar) and root.value is None else root


def parse_once(text: str, file: str, findings: Findings, lost: set[str]) -> tuple[Node | None, tuple[int, ...]]:
    """Return the document, or None and the lines of which one is in the item that is at fault.

    *lost*: anchors of items that were left out; who refers to them is not complained of.
    """
    builder = _Builder(file, text, findings, lost)
    lines: tuple[int, ...] = ()
    try:
        return builder.build(yaml.parse(text, Loader=_Loader)), ()
    except _TooMuch as error:
        findings.add("E003", str(error), error.place)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        found = ", ".join(part for part in (error.problem, error.context) if part)
        begin = error.context_mark.line + 1 if error.context_mark is not None else place.line
        lines = (place.line, begin)
        at, hint, fix = _explained(text, place, error)
        findings.add("E001", f"not YAML: {found}", at, hint, fix=fix)
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes.
        before = text.encode()[: error.position].decode(errors="ignore") if _Loader is not yaml.SafeLoader else text
        position = min(len(before), error.position)
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        character = error.character if isinstance(error.character, int) else ord(error.character[:1] or "\0")
        findings.add(
            "E001", f"not YAML: the character U+{character:04X} is not allowed", Place(file, line, column), "remove it"
        )
        lines = (line,)
    except yaml.YAMLError as error:
        findings.add("E001", f"not YAML: {error}", Place(file))
    return None, lines


_ITEM = re.compile(r"( *)-(?=[ \w])")


def _without_item(text: str, at: tuple[int, ...]) -> str | None:
    """Return *text* with empty lines for an item of its outermost list, so that as much as can be is YAML.

    The item has one of the lines *at*, or is the one before it: what is never closed is noticed in the next. None
    where there is no such item.
    """
    lines = text.split("\n")
    starts = [(number, found[1]) for number, row in enumerate(lines) if (found := _ITEM.match(row))]
    outermost = min((mark for _, mark in starts), key=len, default="")
    items = [number for number, mark in starts if mark == outermost]
    candidates = {index for line in at for index in (_index(items, line), _index(items, line) - 1) if index >= 0}
    cuts = []
    for index in sorted(candidates):
        end = items[index + 1] if index + 1 < len(items) else len(lines)
        cuts.append("\n".join([*lines[: items[index]], *[""] * (end - items[index]), *lines[end:]]))
    return max(cuts, key=_readable, default=None)


def _index(items: list[int], line: int) -> int:
    """Return which of *items* has *line*, -1 for none."""
    return bisect_left(items, line) - 1


def _readable(text: str) -> int:
    """Return up to which line *text* is YAML."""
    try:
        for _ in yaml.parse(text, Loader=_Loader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return mark.line if mark is not None else 0
    except yaml.YAMLError:
        return 0
    return len(text)


def _anchors_of(text: str, cut: str) -> set[str]:
    """Return the anchors that *text* has and *cut* has not."""
    anchors = re.compile(r"&([\w.-]+)")
    return set(anchors.findall(text)) - set(anchors.findall(cut))


def _explained(text: str, place: Place, error: yaml.MarkedYAMLError) -> tuple[Place, str, Fix | None]:
    """Return where the syntax *error*, which was noticed at *place*, is to be put right, and how."""
    if _OTHER_BREAKS.search(text):  # which the parser counts as lines, and nobody else
        return place, "", None
    rows = text.split("\n")
    said = f"{error.problem}, {error.context}"
    begin = error.context_mark
    if begin is not None and begin.line + 1 < place.line and re.search("flow|quoted", error.context or ""):
        row = rows[place.line - 1] if place.line <= len(rows) else ""
        ends_before = len(row) - len(row.lstrip()) <= len(rows[begin.line]) - len(rows[begin.line].lstrip())
        if ends_before or "quoted" in (error.context or ""):
            at = Place(place.file, begin.line + 1, begin.column + 1)
            return at, f"it is never closed, which is noticed on line {place.line}", None
        return place, f"it begins on line {begin.line + 1}: is it closed?", None
    trap = find_trap(rows, place.line, place.column, said)
    if trap is None:
        return place, "", None
    at = Place(place.file, trap.line, trap.column, trap.end_column)
    return at, trap.hint, None if trap.text is None else Fix(f"write {trap.text.strip()}", at, trap.text)


_OTHER_BREAKS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


class _TooMuch(Exception):
    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


class _Builder:
    """Builds nodes from the parser's events."""

    def __init__(self, file: str, text: str, findings: Findings, lost: set[str]) -> None:
        self._file = file
        self._lost = lost
        self._lines = text.split("\n")
        self._findings = findings
        self._anchors: dict[str, Node] = {}
        self._scalars = _Scalars()
        self._laid = 0

    def build(self, events: Iterator[Event]) -> Node | None:
        root: Node | None = None
        open_nodes: list[Sequence | Mapping] = []
        keys: list[Node | None] = []  # for each open mapping: the key that waits for its value
        documents = 0
        nodes = 0
        for event in events:
            if isinstance(event, (SequenceEndEvent, MappingEndEvent)):
                done = open_nodes.pop()
                keys.pop()
                if isinstance(done, Mapping):
                    self._check_keys(done)
                continue
            if isinstance(event, DocumentEndEvent):
                documents += 1
                continue
            node = self._node(event)
            if node is None:
                continue
            if documents:
                self._findings.add("E001", "a second YAML document", node.place, "one document a file; remove the ---")
                return None
            nodes += 1
            if nodes > MAX_NODES or len(open_nodes) >= MAX_DEPTH:
                raise _TooMuch(
                    f"more than {MAX_NODES:,} nodes" if nodes > MAX_NODES else f"nested deeper than {MAX_DEPTH} levels",
                    node.place,
                )
            if not open_nodes:
                root = node
            elif isinstance(parent := open_nodes[-1], Sequence):
                parent.items.append(node)
            elif (key := keys[-1]) is None:
                keys[-1] = node
            else:
                parent.pairs.append((key, node))
                keys[-1] = None
            if isinstance(event, (SequenceStartEvent, MappingStartEvent)):
                assert isinstance(node, (Sequence, Mapping))
                open_nodes.append(node)
                keys.append(None)
        return root or Scalar(Place(self._file), "", None)

    def _say_undefined(self, anchor: str, place: Place) -> None:
        known = sorted(self._anchors) if len(self._anchors) <= MAX_ANCHORS else []
        near = nearest(anchor, known)
        meant = f" (did you mean '{near}'?)" if near else ""
        listed = ", ".join(known) or (f"{len(self._anchors):,}" if self._anchors else "none")
        fix = Fix(f"write *{near}", place, f"*{near}") if near else None
        hint = f"anchors before this line: {listed}{meant}"
        self._findings.add("E001", f"undefined alias *{anchor}", place, hint, fix=fix)

    def _node(self, event: Event) -> Node | None:
        """Return the node that *event* begins; None for events that begin none."""
        place = self._place(event)
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, AliasEvent):
            known = self._anchors.get(str(event.anchor))
            if known is None:
                if str(event.anchor) in self._lost:
                    self._findings.say_nothing_at(place)
                else:
                    self._say_undefined(str(event.anchor), place)
                return Scalar(place, "", None)
            return known
        elif isinstance(event, SequenceStartEvent):
            node = Sequence(place)
        elif isinstance(event, MappingStartEvent):
            node = Mapping(place)
        else:
            return None
        if not isinstance(event, ScalarEvent) and event.tag and event.tag not in _COLLECTION_TAGS:
            self._findings.add("E004", f"the tag {event.tag} cannot be used", place, "remove it")
        if event.anchor:
            other = self._anchors.get(event.anchor)
            if other is not None:
                hint = "the later one counts from here on; give them different names"
                said = f"the anchor &{event.anchor} is also on line {other.place.line}"
                self._findings.add("W002", said, place, hint, related=(other.place,))
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: ScalarEvent, place: Place) -> Scalar:
        try:
            value, column = self._scalars.value(event), self._text_column(event, place)
            return Scalar(place, event.value, value, column, _last_line(event, place))
        # With a tag such as !!int, PyYAML's constructors raise whatever they run into.
        except (ConstructorError, ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
            if isinstance(error, ConstructorError) and str(event.tag).startswith("!"):
                text = f"'{event.tag} {event.value}'".replace(" '", "'")
                fix = Fix(f"write {text}", place, text) if "'" not in text[1:-1] and place.end_column else None
                self._findings.add("E004", f"the tag {event.tag} cannot be used", place, f"quote it: {text}", fix=fix)
                return Scalar(place, text[1:-1], text[1:-1])
            reason = error.problem if isinstance(error, ConstructorError) else error
            code = "E004" if isinstance(error, ConstructorError) else "E101"
            self._findings.add(code, f"{event.value[:40]!r} cannot be read: {reason}", place, "quote it if it is text")
            return Scalar(place, event.value, event.value)

    def _text_column(self, event: ScalarEvent, place: Place) -> int:
        """Return where the text of a scalar begins: after an anchor, a tag or a quote, and if nothing is escaped."""
        end = place.end_column - 1 - (event.style in ("'", '"'))
        begin = end - len(event.value)
        line = self._lines[place.line - 1] if 0 < place.line <= len(self._lines) else ""
        return begin + 1 if begin >= 0 and line[begin:end] == event.value else 0

    def _place(self, event: Event) -> Place:
        start, end = event.start_mark, event.end_mark
        if start is None:
            return Place(self._file)
        column = start.column + 1
        end_column = end.column + 1 if end is not None and end.line == start.line else column + 1
        return Place(self._file, start.line + 1, column, end_column)

    def _check_keys(self, mapping: Mapping) -> None:
        seen: dict[Any, Place] = {}
        for key, value in mapping.pairs:
            if not isinstance(key, Scalar):
                self._findings.add("E101", "a key that is a list or a mapping", key.place, "expected text")
            elif key.value is MERGE:
                sources = value.items if isinstance(value, Sequence) else [value]
                for source in sources:
                    if not isinstance(source, Mapping):
                        self._findings.add(
                            "E005", "<< needs a mapping or a list of mappings", source.place, "write <<: *anchor"
                        )
            elif key.value in seen:
                self._findings.add(
                    "W001",
                    f"the key {key.text!r} is also on line {seen[key.value].line}",
                    key.place,
                    "the last one counts",
                    related=(seen[key.value],),
                )
            else:
                seen[key.value] = key.place
        # Here, where every mapping that it merges is complete, so that chains of merges never recurse.
        self._laid += len(mapping.entries())
        if self._laid > MAX_NODES:
            raise _TooMuch(f"merge keys that unfold to more than {MAX_NODES:,} nodes", mapping.place)


_COLLECTION_TAGS = {"!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}


def _last_line(event: ScalarEvent, place: Place) -> int:
    """Return the last line of a text of several lines, 0 for one of one line."""
    end = event.end_mark
    line = 0 if end is None else end.line + (end.column > 0)  # a text after | ends at the beginning of the next line
    return line if line > place.line else 0


class _Scalars:
    """Gives scalars the value that PyYAML's safe loader gives them."""

    def __init__(self) -> None:
        self._resolver: Any = Resolver()
        self._constructor: Any = SafeConstructor()
        self._plain: dict[str, Any] = {}

    def value(self, event: ScalarEvent) -> Any:
        if event.tag is None and not event.implicit[0]:
            return event.value
        if event.tag is None or event.tag == "!":
            known = self._plain
            if event.value in known:
                return known[event.value]
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, (True, False))
            value = self._construct(tag, event)
            known[event.value] = value
            return value
        return self._construct(event.tag, event)

    def _construct(self, tag: str, event: ScalarEvent) -> Any:
        if tag == "tag:yaml.org,2002:str":
            return event.value
        if tag == "tag:yaml.org,2002:merge":
            return MERGE
        if len(event.value) > MAX_NUMBER and tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            raise ValueError(f"a number of more than {MAX_NUMBER:,} characters")
        node = yaml.ScalarNode(tag, event.value)
        return self._constructor.construct_object(node, deep=True)


def plain_value(node: Node) -> Any:
    """Return *node* as Python values: what a YAML loader would give.

    Raises:
        ValueError: it unfolds to more than `MAX_VALUE_NODES`, or contains itself.
    """
    budget = [MAX_VALUE_NODES]
    return _unfold(node, budget, ())


def _unfold(node: Node, budget: list[int], above: tuple[Node, ...]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError(f"unfolds to more than {MAX_VALUE_NODES:,} values")
    if isinstance(node, Scalar):
        return node.value
    if node in above:
        raise ValueError("contains itself")
    above = (*above, node)
    if isinstance(node, Sequence):
        return [_unfold(item, budget, above) for item in node.items]
    assert isinstance(node, Mapping)
    return {key: _unfold(value, budget, above) for key, (_, value) in node.entries().items()}
