"""Expectations written anew in the text of a test file, and nothing else of it touched.

Each value that differs is replaced where it stands; what is gone or new takes its lines away or adds some. Comments,
blank lines, quotes and order stay as they are. Nothing here reads or writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import yaml

from eventdefs.cases.comparing import pair_rows, row_matches, rows_of
from eventdefs.cases.reading import LISTS, Expected
from eventdefs.cases.running import Result
from eventdefs.cases.values import same, written
from eventdefs.cases.writing import block, entry, expectations_of, item_text, row_of
from eventdefs.types import Conversion

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Updated(NamedTuple):
    """The text with what could be written anew.

    Attributes:
        left: names of cases that stay as they are, each with the reason.
    """

    text: str
    left: tuple[tuple[str, str], ...]


class _CannotEdit(Exception):
    """The text is written in a way in which this cannot be changed without touching more than it should."""


def update(text: str, results: Sequence[Result]) -> Updated:
    """Return *text*, a test file, with the expectations of those *results* that failed as definitions gave them."""
    root = yaml.compose(text, Loader=_Loader)
    entries = _value(root, "cases").value
    edits: list[tuple[int, int, str]] = []
    left: list[tuple[str, str]] = []
    for result in results:
        if result.outcome != "failed" or result.conversion is None:
            continue
        if result.case.each:
            left.append((result.case.name, "its values come from `each`"))
            continue
        try:
            writer = _Writer(text, entries[result.case.entry])
            writer.case(result.case.expected, result.conversion)
            edits += writer.edits
        except _CannotEdit as error:
            left.append((result.case.name, str(error)))
    line_end = "\r\n" if "\r\n" in text else "\n"
    done = text
    # From the end, so that what stands before keeps its place; of two insertions at one place the first comes first.
    for (start, end, new), _ in sorted(zip(edits, range(len(edits)), strict=True), key=_late_first, reverse=True):
        done = done[:start] + new.replace("\n", line_end) + done[end:]
    return Updated(done, tuple(left))


def _late_first(numbered: tuple[tuple[int, int, str], int]) -> tuple[int, int, int]:
    (start, end, _), number = numbered
    return start, end, number


def _value(node: Any, key: str) -> Any:
    found = None
    for one, value in node.value:
        if isinstance(one, yaml.ScalarNode) and one.value == key:
            found = value
    if found is None:
        raise _CannotEdit(f"`{key}` comes from an anchor")
    return found


class _Writer:
    """Collects the edits of one case: (start, end, new text)."""

    def __init__(self, text: str, node: Any) -> None:
        self._text = text
        self._node = node
        self.edits: list[tuple[int, int, str]] = []

    def case(self, expected: Expected | None, conversion: Conversion) -> None:
        if self._node.flow_style:
            raise _CannotEdit("the case is written in braces")
        if expected is None:
            for key, value in expectations_of(conversion).items():
                self._insert(self._node, key, value)
            return
        self._event(expected, conversion)
        for part in LISTS:
            self._rows(part, expected, conversion)

    # --- the event ---

    def _event(self, expected: Expected, conversion: Conversion) -> None:
        event = conversion.event
        was_there = not (expected.no_event or expected.rejected)
        asked = expected.event is not None or bool(expected.missing) or "traits" in expected.exactly
        if event is None:
            if was_there and not asked:
                return
            self._remove_keys("event", "missing", *(("no_event", "rejected") if not was_there else ()))
            self._insert(self._node, "rejected" if conversion.rejected else "no_event", True)
            return
        if not was_there:
            self._remove_keys("no_event", "rejected")
            self._insert(self._node, "event", expectations_of(conversion)["event"])
            return
        gone = [name for name in expected.missing if name in event.traits]
        if gone:
            left = [name for name in expected.missing if name not in gone]
            if left:
                self._replace(self._node, "missing", left)
            else:
                self._remove_keys("missing")
        if expected.event is None:
            if "traits" in expected.exactly and event.traits:
                self._insert(self._node, "event", {"traits": dict(event.traits)})
            return
        wanted = dict(expected.event)
        node = self._own(self._node, "event")
        if node.flow_style:
            new = {key: getattr(event, key) for key in wanted}
            if expected.traits is not None or "traits" in expected.exactly:
                new["traits"] = self._new_traits(expected, event.traits)
            self._replace(self._node, "event", new)
            return
        for key, value in wanted.items():
            if not same(value, getattr(event, key)):
                self._replace(node, key, getattr(event, key))
        traits = self._new_traits(expected, event.traits)
        if expected.traits is not None:
            self._mapping(node, "traits", expected.traits, traits)
        elif "traits" in expected.exactly and traits:
            self._insert(node, "traits", traits)

    def _new_traits(self, expected: Expected, given: Mapping[str, Any]) -> dict[str, Any]:
        wanted = expected.traits or {}
        kept = {name: given.get(name) for name, value in wanted.items() if name in given or value is None}
        if "traits" not in expected.exactly:
            return kept
        return kept | {name: value for name, value in given.items() if name not in kept}

    def _mapping(self, parent: Any, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Make *old*, which stands under *key* of *parent*, to *new*."""
        if old.keys() == new.keys() and all(same(value, new[name]) for name, value in old.items()):
            return
        node = self._own(parent, key)
        if node.flow_style or not new or not node.value:
            self._replace(parent, key, new)
            return
        for name, value in old.items():
            if name not in new:
                self._remove(node, name)
            elif not same(value, new[name]):
                self._replace(node, name, new[name])
        for name, value in new.items():
            if name not in old:
                self._insert(node, name, value)

    # --- samples, periods and problems ---

    def _rows(self, part: str, expected: Expected, conversion: Conversion) -> None:
        wanted, exact = expected.rows(part), part in expected.exactly
        if wanted is None and not exact:
            return
        given = rows_of(conversion, part)
        rows: list[dict[str, Any]] = []
        moved = False
        for mine, other in pair_rows(part, wanted or (), given, exact):
            if mine is not None and other is not None:
                assert wanted is not None
                old, got = wanted[mine], given[other]
                rows.append(dict(old) if row_matches(old, got, exact) else {key: got[key] for key in old})
            elif other is not None and (exact or not wanted):
                rows.append(row_of(part, given[other]))
                moved = True
            elif mine is not None:
                moved = True
        if wanted is None:
            if rows:
                self._insert(self._node, part, rows)
            return
        if not rows and wanted and (exact or given):  # `[]` would say that there are none at all
            self._remove_keys(part)
            return
        if not rows and not wanted:
            return
        node = self._own(self._node, part)
        if moved and (_is_flow(node) or not rows or not self._has_own_lines(node)):
            self._replace(self._node, part, rows)
            return
        end = self._line_end(self._end(node))
        for mine, other in pair_rows(part, wanted, given, exact):
            if mine is None:
                if other is not None and (exact or not wanted):
                    dash = self._dash(node.value[0])
                    indent = dash - self._text.rfind("\n", 0, dash) - 1
                    new = item_text(row_of(part, given[other]), indent)
                    self.edits.append((end, end, f"\n{' ' * indent}- {new}"))
            elif other is None:
                self._remove_lines(self._dash(node.value[mine]), self._end(node.value[mine]))
            elif not row_matches(wanted[mine], given[other], exact):
                self._row(part, node, node.value[mine], wanted[mine], given[other], exact)

    def _row(
        self, part: str, node: Any, row: Any, wanted: Mapping[str, Any], given: Mapping[str, Any], exact: bool
    ) -> None:
        if row.start_mark.index < node.start_mark.index:
            raise _CannotEdit(f"a row of {part} is an alias")
        for key, value in wanted.items():
            if not row_matches({key: value}, given, exact):
                self._replace(row, key, given[key])

    def _dash(self, item: Any) -> int:
        """Return where the `-` before *item* stands."""
        return self._text.rfind("-", 0, item.start_mark.index)

    def _has_own_lines(self, node: Any) -> bool:
        """Tell whether every item of a list begins its line."""
        return all(
            item.start_mark.index >= node.start_mark.index
            and not self._text[self._text.rfind("\n", 0, self._dash(item)) + 1 : self._dash(item)].strip()
            and not self._text[self._dash(item) + 1 : item.start_mark.index].strip()
            for item in node.value
        )

    # --- entries of mappings ---

    def _own(self, parent: Any, key: str) -> Any:
        """Return the value of *key*, which must stand there itself."""
        node = _value(parent, key)
        if node.start_mark.index < parent.start_mark.index:
            raise _CannotEdit(f"`{key}` is an alias")
        return node

    def _replace(self, parent: Any, key: str, value: Any) -> None:
        node = self._own(parent, key)
        key_node = next(one for one, _ in reversed(parent.value) if one.value == key)
        if node.start_mark.index < key_node.end_mark.index:
            raise _CannotEdit(f"`{key}` is an alias")
        value = _plain(value)
        simple = not isinstance(value, (dict, list)) or not value
        scalar = isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">")
        there = node.end_mark.index > node.start_mark.index
        if (scalar and there and simple) or parent.flow_style or _is_flow(node):
            self.edits.append((node.start_mark.index, node.end_mark.index, written(value)))
            return
        start = key_node.end_mark.index
        start += self._text[start:].index(":") + 1
        self.edits.append((start, self._end(node), block(value, key_node.start_mark.column + 2)))

    def _has(self, parent: Any, key: str) -> bool:
        return any(isinstance(one, yaml.ScalarNode) and one.value == key for one, _ in parent.value)

    def _insert(self, parent: Any, key: str, value: Any) -> None:
        """Add *key* after all that *parent* has."""
        indent = parent.value[0][0].start_mark.column
        at = self._line_end(self._end(parent))
        self.edits.append((at, at, f"\n{' ' * indent}{entry(key, _plain(value), indent)}"))

    def _remove_keys(self, *keys: str) -> None:
        for key in keys:
            if self._has(self._node, key):
                self._remove(self._node, key)

    def _remove(self, parent: Any, key: str) -> None:
        """Take the lines of *key* away."""
        _value(parent, key)
        for one, value in parent.value:
            if one.value == key:
                own = value.start_mark.index > one.end_mark.index
                self._remove_lines(one.start_mark.index, self._end(value) if own else one.end_mark.index)

    def _remove_lines(self, first: int, last: int) -> None:
        """Take the lines away from that of *first* to that of *last*, with the line end before them."""
        start = self._text.rfind("\n", 0, first) + 1
        if not start or self._text[start:first].strip():
            raise _CannotEdit("what is to be removed does not begin its line")
        before = start - 2 if self._text[start - 2 : start] == "\r\n" else start - 1
        self.edits.append((before, self._line_end(last), ""))

    def _end(self, node: Any) -> int:
        """Return where *node* ends, without the blank lines and comments after it."""
        if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
            text = self._text[node.start_mark.index : node.end_mark.index]
            return int(node.start_mark.index + len(text.rstrip("\r\n ")))
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (None, last)
        if key is not None and value.start_mark.index < key.end_mark.index:
            return self._line_end(key.end_mark.index)
        if key is None and value.start_mark.index < node.start_mark.index:
            raise _CannotEdit("the last item is an alias")
        return self._end(value)

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1 : end] == "\r" else end


def _is_flow(node: Any) -> bool:
    return not isinstance(node, yaml.ScalarNode) and bool(node.flow_style)


def _plain(value: Any) -> Any:
    """Return *value* as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
