"""What could be written at the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from eventdefs.definitions import keys
from eventdefs.definitions.corpus import PathSeen
from eventdefs.definitions.keys import Key, Shape
from eventdefs.definitions.plugins import builtin_plugins, find_plugin, plugin_names
from eventdefs.language_server.anchors import Sign
from eventdefs.language_server.explaining import described, event_types_of, plugin_text, seen_text
from eventdefs.language_server.recordings import Recordings
from eventdefs.language_server.tokens import CURSOR, Token, read_tokens, token_at, with_cursor
from eventdefs.language_server.vocabulary import (
    NOTHING,
    Expected,
    definition_of,
    expected_at,
)

MAX_PROPOSED = 400
UNITS = ("B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "s", "min", "h", "d", "ns", "%")
"""Units that are proposed beside those that the file has already."""

_PATH = re.compile(r"(?:\$\.)?(?:payload|ctxt|metadata)\.\S+|(?:\$\.)?publisher_id")
_PLAIN = re.compile(r"[A-Za-z0-9$_(][^#:\n]*(?:(?::(?! )|(?<! )#)[^#:\n]*)*", re.ASCII)
_IN_FLOW = frozenset(",[]{}")

Kind = Literal["key", "word", "path", "event", "anchor", "plugin", "snippet"]


class Proposal(NamedTuple):
    """One thing that could be written.

    Attributes:
        label: what a list shows.
        text: what replaces what is there.
        kind: which sign the list shows.
        detail: beside the label.
        documentation: Markdown.
    """

    label: str
    text: str
    kind: Kind
    detail: str = ""
    documentation: str = ""


class Completion(NamedTuple):
    """Proposals, and which columns of the line they replace.

    Attributes:
        whole: whether these are all; else there are more when more is written.
    """

    begin: int
    end: int
    proposals: tuple[Proposal, ...]
    whole: bool


def complete(
    rows: Sequence[str], line: int, column: int, signs: Sequence[Sign], recordings: Recordings
) -> Completion | None:
    """Return what could be written at *column* of *line*, both from 0; None within comments and the like."""
    tokens = list(read_tokens(with_cursor(rows, line, column)))
    token = token_at(tokens, line, column)
    if token is None or CURSOR not in token.text:
        return None
    row = rows[line] if line < len(rows) else ""
    asked = _Asked(tokens, token, row[token.end - 1 :], signs, recordings)
    end = max(column, token.end - len(CURSOR))
    proposals = tuple(islice(asked.proposals(), MAX_PROPOSED + 1))
    return Completion(token.begin, end, proposals[:MAX_PROPOSED], len(proposals) <= MAX_PROPOSED)


class _Asked:
    """One question: the words of a file, and the one that the cursor is in."""

    def __init__(
        self, tokens: Sequence[Token], token: Token, after: str, signs: Sequence[Sign], recordings: Recordings
    ) -> None:
        self._tokens = tokens
        self._token = token
        self._typed = token.text.partition(CURSOR)[0]
        self._after = after
        self._signs = signs
        self._recordings = recordings
        self._definition = definition_of(token.trail)

    def proposals(self) -> Iterator[Proposal]:
        token = self._token
        if self._typed.startswith("*") and not token.quote:
            yield from self._aliases()
            return
        expected = expected_at(token.trail, self._tokens)
        if not token.trail and token.role in ("open", "item", "key"):
            yield from self._at_top()
            return
        if token.role == "item":
            yield from self._items(expected)
            return
        if token.role in ("key", "open"):
            yield from self._keys(expected)
        if token.role in ("value", "open"):
            yield from self._values(expected)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def _at_top(self) -> Iterator[Proposal]:
        lists = any(token.trail and isinstance(token.trail[0], int) for token in self._tokens)
        if not any(token.text == "metric" and not token.trail for token in self._tokens):
            yield Proposal(
                "- event_type:", "- event_type: ", "snippet", "an event definition", described(keys.EVENT[0])
            )
        if any(token.trail[:1] == ("metric",) for token in self._tokens):
            return
        if any(token.text == "metric" for token in self._tokens):
            yield Proposal("- name:", "- name: ", "snippet", "a sample definition", described(keys.SAMPLE[0]))
        elif not lists:
            yield Proposal("metric:", "metric:", "snippet", "a file of sample definitions", described(keys.FILE[0]))

    def _items(self, expected: Expected) -> Iterator[Proposal]:
        if expected.key is not None and expected.key.shape is Shape.SAMPLES:
            yield Proposal("- name:", "- name: ", "snippet", "a sample definition", described(keys.SAMPLE[0]))

    def _keys(self, expected: Expected) -> Iterator[Proposal]:
        there = {token.text for token in self._tokens if token.role == "key" and token.trail == self._token.trail}
        for row in sorted(expected.rows, key=lambda row: not row.required):
            if row.name not in there:
                yield Proposal(row.name, self._as_key(row), "key", _detail(row), described(row))
        if expected.key is not None and expected.key.shape is Shape.TRAITS:
            yield from self._traits(there)
        if expected.key is not None and expected.key.shape in (Shape.CONDITIONS, Shape.CLOSES):
            yield from self._paths(as_key=True)
        anchors = {sign.name for sign in self._signs if sign.is_anchor}
        if anchors and (expected.rows or expected.below) and expected.what != "a definition file" and not self._colon():
            for name in sorted(anchors):
                yield Proposal(f"<<: *{name}", f"<<: *{name}", "anchor", "lays the mapping under this one")

    def _colon(self) -> bool:
        return self._after.lstrip().startswith(":")

    def _as_key(self, row: Key) -> str:
        if self._colon():
            return row.name
        deep = row.shape in (Shape.TRAITS, Shape.NAMED, Shape.PERIOD, Shape.SAMPLES, Shape.CONDITIONS)
        return f"{row.name}:" if deep and not self._token.flow else f"{row.name}: "

    def _traits(self, there: set[str]) -> Iterator[Proposal]:
        """Propose traits with the names that values have in recorded notifications."""
        if self._colon():
            return
        known = set(there)
        for seen in self._seen():
            name = seen.steps[-1]
            if len(seen.steps) > 1 and isinstance(name, str) and name.isidentifier() and name not in known:
                known.add(name)
                text = f"{name}: {_quoted(seen.text, '', self._token.flow)}"
                yield Proposal(name, text, "path", seen.text, seen_text(seen))

    # --- values -------------------------------------------------------------------------------------------------------

    def _values(self, expected: Expected) -> Iterator[Proposal]:
        row = expected.key
        if row is None or expected is NOTHING:
            return
        if row.name == "<<":
            yield from self._aliases()
        elif row.words and not (row.name == "type" and self._has("period")):
            yield from (self._word(word, text) for word, text in row.words.items())
        elif row.name == "type":
            yield self._word("delta", keys.SAMPLE_TYPE_WORDS["delta"])
        elif row.name == "unit":
            yield from self._units()
        elif row.shape is Shape.FLAG or row.shape is Shape.CLOSES:
            yield from (self._word(word, row.description) for word in ("true", "false"))
        elif row.shape is Shape.PLUGIN or (row.name == "name" and "plugin" in self._token.trail):
            yield from self._plugins()
        elif row.shape is Shape.ATTRIBUTES:
            yield from (self._word(word, "") for word in keys.LOOKUP)
        elif row.shape in (Shape.GLOBS, Shape.EXPRESSIONS):
            yield from self._event_types(row.shape)
        elif row.shape in (Shape.PATHS, Shape.FIELDS):
            yield from self._paths()

    def _word(self, word: str, text: str) -> Proposal:
        return Proposal(word, word, "word", "", text)

    def _has(self, key: str) -> bool:
        return any(
            token.role == "key" and token.text == key and token.trail == self._definition for token in self._tokens
        )

    def _units(self) -> Iterator[Proposal]:
        if self._has("period"):
            yield from (self._word(word, text) for word, text in keys.USAGE_UNIT_WORDS.items())
            return
        there = [token.text for token in self._tokens if token.trail[-1:] == ("unit",) and token.role == "value"]
        for unit in dict.fromkeys((*there, *UNITS)):
            if CURSOR not in unit:
                yield Proposal(unit, _quoted(unit, self._token.quote, self._token.flow), "word")

    def _plugins(self) -> Iterator[Proposal]:
        for name in plugin_names():
            ours = name in builtin_plugins()
            yield Proposal(
                name, name, "plugin", "" if ours else "a third party's", plugin_text(name, find_plugin(name))
            )

    def _aliases(self) -> Iterator[Proposal]:
        anchors = {sign.name: sign for sign in self._signs if sign.is_anchor and sign.line <= self._token.line}
        for name, sign in anchors.items():
            yield Proposal(f"*{name}", f"*{name}", "anchor", f"line {sign.line + 1}")

    def _event_types(self, shape: Shape) -> Iterator[Proposal]:
        typed = self._typed.replace("\\", "").rstrip("*")
        names = [name for name in sorted(self._recordings.corpus.event_types) if typed in name]
        groups: dict[str, int] = {}
        for name in names:
            for head in _heads(name):
                groups[head] = groups.get(head, 0) + 1
        counts = {name: self._recordings.corpus.event_types[name].count for name in names}
        as_glob = shape is Shape.GLOBS
        for head, count in groups.items():
            if count > 1 and as_glob:
                yield self._event(f"{head}.*", f"{count} event types")
        for name in names:
            yield self._event(name if as_glob else re.escape(name) + "$", f"recorded {counts[name]} times")

    def _event(self, text: str, detail: str) -> Proposal:
        return Proposal(text, _quoted(text, self._token.quote, self._token.flow), "event", detail)

    # --- paths --------------------------------------------------------------------------------------------------------

    def _seen(self) -> Sequence[PathSeen]:
        if not self._recordings:
            return ()
        types = event_types_of(self._token.trail, self._tokens, self._recordings) or ()
        typed = self._typed.removeprefix("$.").rpartition(".")[0]
        found = [one for one in self._recordings.paths(types) if one.kinds != {"mapping"} and typed in one.text]
        return sorted(found, key=lambda one: one.steps[0] != "payload")

    def _paths(self, as_key: bool = False) -> Iterator[Proposal]:
        dollar = (
            "$." if self._typed.startswith("$") or (not self._typed and self._definition[:1] == ("metric",)) else ""
        )
        seen = self._seen()
        colon = ": " if as_key and not self._colon() else ""
        for one in seen:
            text = dollar + one.text
            written = _quoted(text, self._token.quote, self._token.flow) + colon
            yield Proposal(text, written, "path", _examples(one), seen_text(one))
        known = {dollar + one.text for one in seen}
        for text in self._written_paths():
            if text not in known and text.startswith("$") == bool(dollar):
                yield Proposal(text, _quoted(text, self._token.quote, self._token.flow) + colon, "path")
        if not seen:
            for name, description in keys.BODY.items():
                yield Proposal(dollar + name, dollar + name + colon, "path", "", description)

    def _written_paths(self) -> Iterable[str]:
        """Return the paths that the file has already."""
        texts = (token.text for token in self._tokens if CURSOR not in token.text and _PATH.fullmatch(token.text))
        return list(dict.fromkeys(texts))


def _detail(row: Key) -> str:
    return "required" if row.required else row.shape.value


def _examples(seen: PathSeen) -> str:
    return ", ".join(repr(value)[:30] for value in seen.examples[:1])


def _heads(name: str) -> Iterator[str]:
    """Yield what *name* begins with, at its dots: `compute`, `compute.instance`."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        yield ".".join(parts[:count])


def _quoted(text: str, quote: str, flow: bool) -> str:
    """Write *text* as a YAML scalar: in the quotes that it stands in already, else in those that it needs."""
    if not quote:
        plain = _PLAIN.fullmatch(text) is not None and text == text.strip() and not text.isdigit()
        if plain and not (flow and _IN_FLOW.intersection(text)):
            return text
        quote = "'" if "'" not in text else '"'
    if quote == "'":
        return "'" + text.replace("'", "''") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
