"""Reading a text again after an edit gives what reading it anew gives: nodes, places and findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdefs.definitions.lint import lint_texts
from eventdefs.definitions.rereading import Rereader, _pieces
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence

SHIPPED = (Path(__file__).resolve().parent.parent / "event_definitions.yaml").read_text()
TEXT = """\
# head
- event_type: &types [volume.*, '!volume.usage']
  traits: &volume
    size: {fields: payload.size, type: int}
    host: payload.nova_object.data.host
# between

- event_type: *types
  description: |
    Two lines
    of text.

  traits:
    <<: *volume
    tpe: {fields: payload.x, tpe: int}
- event_type: snapshot.*
  traits:
    a: [payload.a, payload.a]
    a: payload.b
- {event_type: backup.*, traits: {x: {fields: payload.x, plugin: splt}}}
- event_type: "image.*"
  traits: &other
    n: payload.name
- event_type: share.*
  traits: {<<: *other}
"""


def shown(node: Node | None, above: tuple[Node | None, ...] = ()) -> Any:
    """Return all that *node* is; one that contains itself says where."""
    if node in above:
        return above.index(node)
    above = (*above, node)
    if isinstance(node, Scalar):
        return tuple(getattr(node, name) for name in ("place", *Scalar.__slots__))
    if isinstance(node, Sequence):
        return node.place, [shown(item, above) for item in node.items]
    if isinstance(node, Mapping):
        return node.place, [(shown(key, above), shown(value, above)) for key, value in node.pairs]
    return None


def assert_same(text: str, rereader: Rereader) -> None:
    again = lint_texts([("f.yaml", text)], rereader=rereader)
    anew = lint_texts([("f.yaml", text)])
    assert again.findings == anew.findings
    assert [shown(root) for root in again.reading.roots] == [shown(root) for root in anew.reading.roots]
    assert [one.ref for one in again.reading.events] == [one.ref for one in anew.reading.events]


_SIGNS = [*" x{}[],:\"'#!%@`0~\n\t\u2028é😀", "  ", "\n\n", "\r\n", ": "]
_WORDS = ["- ", "- 0\n", "- event_type: x\n", "&a ", "*a", "&volume ", "*other", "<<: *other\n", "|\n", "|+\n", ">-\n"]
WRITTEN = st.sampled_from([*_SIGNS, *_WORDS, "---\n", "...\n"])
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(WRITTEN, st.integers(1, 60))),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(EDITS)
def test_a_text_that_is_edited_is_read_as_if_it_were_new(edits: list[tuple[float, str | int]]) -> None:
    """Whatever is written or taken away, one edit after the other."""
    text = TEXT
    rereader = Rereader()
    assert_same(text, rereader)
    for where, what in edits:
        at = round(where * len(text))
        text = text[:at] + what + text[at:] if isinstance(what, str) else text[:at] + text[at + what :]
        assert_same(text, rereader)


EDITED = {
    "a word in an item": TEXT.replace("payload.b", "payload.c"),
    "an anchor that others use": TEXT.replace("payload.size", "payload.sizes"),
    "an anchor that is gone": TEXT.replace("&other", ""),
    "an anchor that is there twice": TEXT.replace("&other", "&volume"),
    "an item less": TEXT.replace("- {event_type: backup.*, traits: {x: {fields: payload.x, plugin: splt}}}\n", ""),
    "an item that is no YAML": TEXT.replace("plugin: splt}}}", "plugin: splt"),
    "an item that swallows the next": TEXT.replace('"image.*"', '"image.*'),
    "a comment that silences": TEXT.replace(
        "payload.nova_object.data.host", "payload.nova_object.data.host # eventdefs: ignore[W201]"
    ),
    "another kind of file": "metric: []\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", EDITED.values(), ids=EDITED)
def test_edits(text: str) -> None:
    """There and back."""
    rereader = Rereader()
    for one in (TEXT, text, TEXT):
        assert_same(one, rereader)


def test_what_is_as_it_was_is_not_read_again() -> None:
    """Of a file that changed in one item, the nodes of the others are the same."""
    rereader = Rereader()
    before = lint_texts([("f.yaml", TEXT)], rereader=rereader).reading.roots[0]
    after = lint_texts([("f.yaml", TEXT.replace("payload.b", "payload.c"))], rereader=rereader).reading.roots[0]
    assert isinstance(before, Sequence)
    assert isinstance(after, Sequence)
    same = [one is other for one, other in zip(before.items, after.items, strict=True)]
    assert same == [True, True, False, True, True, True]
    anchored = lint_texts([("f.yaml", TEXT.replace("payload.size", "payload.z"))], rereader=rereader).reading.roots[0]
    assert isinstance(anchored, Sequence)
    # The first two hang together by their anchors; the third is again what it was at first.
    same = [one is other for one, other in zip(after.items, anchored.items, strict=True)]
    assert same == [False, False, False, True, True, True]


def test_the_shipped_definitions_are_cut_into_items() -> None:
    """The way that is quick is the one that a large file of ours takes."""
    pieces = _pieces(SHIPPED)
    assert pieces is not None
    assert len(pieces) == SHIPPED.count("\n- ") + SHIPPED.startswith("- ")
    assert_same(SHIPPED, Rereader())


def test_few_files_are_remembered() -> None:
    """A rereader does not grow with the files that it has seen."""
    rereader = Rereader()
    for number in range(300):
        lint_texts([(f"{number}.yaml", "- {event_type: a, traits: {}}\n")], rereader=rereader)
    assert len(rereader._known) == 200
