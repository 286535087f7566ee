"""What stands at a place of a text, what could be written there and what it means: the parts of the language server.

In texts `‸` is the cursor.
"""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import pytest

from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.lint import lint_texts
from eventdefs.errors import Finding
from eventdefs.language_server.anchors import anchor_of, read_signs, references_of, sign_at
from eventdefs.language_server.completion import Completion, complete
from eventdefs.language_server.documents import Document
from eventdefs.language_server.explaining import explain_at
from eventdefs.language_server.fixing import Edit, fix_of, silence_of
from eventdefs.language_server.lines import Lines, Span
from eventdefs.language_server.outline import outline
from eventdefs.language_server.recordings import NONE, Recordings, read_recordings
from eventdefs.language_server.settings import Settings, SettingsError
from eventdefs.language_server.tokens import read_tokens, token_at
from eventdefs.types import Place

from .making import notification

TOP = Path(__file__).resolve().parent.parent

CORPUS = Recordings(
    Corpus.of(
        [
            notification(
                {"id": "v-1", "size": 4, "volume.type": "ssd", "links": [{"rel": "self"}], "password": "x"},
                event_type="volume.create.end",
            ),
            notification({"id": "v-2", "size": 8, "links": []}, event_type="volume.delete.end"),
            notification({"name": "web-1"}, event_type="server.create.end"),
        ]
    )
)


def cursor(text: str) -> tuple[list[str], int, int]:
    """Return the lines of *text* without the sign of the cursor, and where that was."""
    before, sign, after = text.partition("‸")
    assert sign
    line = before.count("\n")
    return (before + after).split("\n"), line, len(before) - before.rfind("\n") - 1


def completed(text: str, recordings: Recordings = NONE) -> Completion | None:
    rows, line, column = cursor(text)
    return complete(rows, line, column, read_signs("\n".join(rows)), recordings)


def labels(text: str, recordings: Recordings = NONE) -> list[str]:
    answer = completed(text, recordings)
    return [] if answer is None else [proposal.label for proposal in answer.proposals]


def written(text: str, label: str, recordings: Recordings = NONE) -> str:
    """Return *text* after the proposal *label* was taken."""
    rows, line, _ = cursor(text)
    answer = completed(text, recordings)
    assert answer is not None
    (proposal,) = (one for one in answer.proposals if one.label == label)
    rows[line] = rows[line].ljust(answer.begin)
    rows[line] = rows[line][: answer.begin] + proposal.text + rows[line][answer.end :]
    return "\n".join(rows)


# --- what is proposed -------------------------------------------------------------------------------------------------

EVENT = ["event_type", "traits", "description"]
TRAIT = ["fields", "type", "plugin", "description", "required", "on_error"]
BODY = ["ctxt", "publisher_id", "event_type", "payload", "metadata", "priority"]
SAMPLE = ["name", "event_type", "type", "unit", "volume", "resource_id", "project_id", "user_id", "timestamp"]
SAMPLE += ["metadata", "user_metadata", "lookup", "required", "period", "dimensions", "description"]
LOOKUP = ["name", "type", "volume", "unit", "timestamp", "user_id", "project_id", "resource_id", "metadata"]

PROPOSED = {
    # None of these is complete YAML, and many are none at all: somebody is typing.
    "an empty file": ("‸", ["- event_type:", "metric:"]),
    "the next definition": ("- event_type: a\n  traits: {}\n‸", ["- event_type:"]),
    "a definition": ("- ‸", EVENT),
    "half a key": ("- event_type: a\n  tra‸", ["traits", "description"]),
    "a key before its colon": ("- event_type: a\n  ‸: {}", ["traits", "description"]),
    "a definition in brackets": ("- {event_type: a, ‸}", ["traits", "description"]),
    "a trait": ("- event_type: a\n  traits:\n    x:\n      ‸", TRAIT + BODY),
    "a trait in brackets": ("- event_type: a\n  traits:\n    x: {‸", TRAIT),
    "a trait with keys": ("- event_type: a\n  traits:\n    x: {fields: payload.a, ‸}", [*TRAIT[1:]]),
    "keys that stand below": (
        "- event_type: a\n  traits:\n    x:\n      ‸\n      type: int\n",
        [TRAIT[0], *TRAIT[2:], *BODY],
    ),
    "a bracket that is never closed": (
        "- event_type: a\n  traits:\n    x: {fields: [payload.a, ‸\n    y: payload.b\n- event_type: b\n  traits: {}",
        ["payload.a", "payload.b", *BODY],
    ),
    "a quote that is never closed": (
        "- event_type: a\n  traits:\n    x: {type: 'i‸\n",
        ["text", "int", "float", "datetime"],
    ),
    "types": ("- event_type: a\n  traits:\n    x:\n      type: ‸\n", ["text", "int", "float", "datetime"]),
    "types, half written": ("- event_type: a\n  traits: {x: {type: i‸}}", ["text", "int", "float", "datetime"]),
    "what an error does": ("- event_type: a\n  traits: {x: {on_error: ‸}}", ["drop", "reject"]),
    "a flag": ("- event_type: a\n  traits: {x: {required: ‸}}", ["true", "false"]),
    "plugins": ("- event_type: a\n  traits: {x: {plugin: ‸}}", ["bitfield", "map", "split", "timedelta"]),
    "plugins by name": (
        "- event_type: a\n  traits: {x: {plugin: {name: ‸}}}",
        ["bitfield", "map", "split", "timedelta"],
    ),
    "a plugin": ("- event_type: a\n  traits: {x: {plugin: {‸}}}", ["name", "parameters"]),
    "parameters": (
        "- event_type: a\n  traits:\n    x:\n      plugin:\n        name: split\n        parameters:\n          ‸",
        ["separator", "segment", "max_split"],
    ),
    "a parameter's words": (
        "- event_type: a\n  traits: {x: {plugin: {name: timedelta, parameters: {unit: ‸}}}}",
        ["s", "min", "h"],
    ),
    "a flag of a bitfield": (
        "- event_type: a\n  traits: {x: {plugin: {name: bitfield, parameters: {flags: [{bit: 1, ‸}]}}}}",
        ["path", "value"],
    ),
    "the first sample definition": ("metric:\n‸", ["- name:"]),
    "a sample definition": ("metric:\n  - ‸", SAMPLE),
    "a sample definition, no deeper": ("metric:\n- name: a\n  ‸", SAMPLE[1:]),
    "the next sample definition": ("metric:\n  - name: a\n  ‸", ["- name:"]),
    "sample types": ("metric:\n  - type: ‸", ["gauge", "delta", "cumulative"]),
    "the type of usage": ("metric:\n  - type: ‸\n    period: {}", ["delta"]),
    "the unit of usage": ("metric:\n  - unit: ‸\n    period: {}", ["s", "min", "h", "d"]),
    "attributes": ("metric:\n  - lookup: [name, ‸]", LOOKUP),
    "a period": (
        "metric:\n  - period:\n      end: $.payload.e\n      ‸",
        ["begin", "length", "not_before", "not_after", "while", "closes"],
    ),
    "an alias": ("- event_type: a\n  traits: &t {}\n- event_type: b\n  traits: *‸", ["*t"]),
    "what is merged": ("- event_type: a\n  traits: &t {}\n- event_type: b\n  traits:\n    <<: ‸", ["*t"]),
    "a merge key": ("- event_type: a\n  traits: &t {}\n- event_type: b\n  traits:\n    ‸", ["<<: *t"]),
    "a comment": ("- event_type: a # ‸", []),
    "a block of text": ("- event_type: a\n  description: |\n    tr‸\n", []),
    "a description": ("- event_type: a\n  description: ‸", []),
    "an unknown key": ("- event_type: a\n  unknown: ‸", []),
    "a tab": ("- event_type: a\n\t‸", ["traits", "description"]),
}


@pytest.mark.parametrize(("text", "expected"), PROPOSED.values(), ids=PROPOSED)
def test_what_is_proposed(text: str, expected: list[str]) -> None:
    """At each place what may stand there and is not there yet, also where the file is no YAML at the moment."""
    assert labels(text) == expected


RECORDED = {
    "event types": (
        "- event_type: ‸",
        ["volume.*", "server.create.end", "volume.create.end", "volume.delete.end"],
    ),
    "event types, half written": ("- event_type: [volume.de‸", ["volume.delete.end"]),
    "event types as expressions": (
        "metric:\n  - event_type: ‸",
        ["server\\.create\\.end$", "volume\\.create\\.end$", "volume\\.delete\\.end$"],
    ),
    "paths": (
        "- event_type: server.*\n  traits:\n    name: payload.‸",
        ["payload.name"],
    ),
    "paths of several event types": (
        "- event_type: [server.*, volume.delete.*]\n  traits:\n    x: {fields: payload.‸",
        ["payload.id", "payload.size", "payload.links", "payload.name"],
    ),
    "paths in a list": (
        "- event_type: server.*\n  traits:\n    x:\n      fields:\n        - payload.a\n        - payload.‸",
        ["payload.name", "payload.a"],
    ),
    "traits": ("- event_type: server.*\n  traits:\n    nam‸", ["name"]),
    "paths of a sample": (
        "metric:\n  - event_type: server\n    volume: $.payload.‸",
        ["$.payload.name"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), RECORDED.values(), ids=RECORDED)
def test_what_recorded_notifications_propose(text: str, expected: list[str]) -> None:
    """Event types and paths come from the notifications that the definition takes."""
    found = [
        label
        for label in labels(text, CORPUS)
        if label.removeprefix("$.").split(".")[0] in ("payload", "volume", "server", "name") or "\\" in label
    ]
    assert found == expected


WRITTEN = {
    "a key": ("- event_type: a\n  tra‸", "traits", NONE, "- event_type: a\n  traits:"),
    "a key with a value": ("- {ev‸", "event_type", NONE, "- {event_type: "),
    "a key that has its colon": ("- event_typ‸: a", "event_type", NONE, "- event_type: a"),
    "in the middle of a word": (
        "- event_type: a\n  traits: {x: {type: i‸xx}}",
        "float",
        NONE,
        "- event_type: a\n  traits: {x: {type: float}}",
    ),
    "a key that needs quotes of the path": (
        "- event_type: volume.*\n  traits:\n    t: payload.v‸",
        "payload.'volume.type'",
        CORPUS,
        "- event_type: volume.*\n  traits:\n    t: payload.'volume.type'",
    ),
    "the same in quotes": (
        "- event_type: volume.*\n  traits:\n    t: 'payload.v‸'",
        "payload.'volume.type'",
        CORPUS,
        "- event_type: volume.*\n  traits:\n    t: 'payload.''volume.type'''",
    ),
    "a path with brackets, in brackets": (
        "- event_type: volume.*\n  traits: {l: payload.l‸}",
        "payload.links[*].rel",
        CORPUS,
        "- event_type: volume.*\n  traits: {l: 'payload.links[*].rel'}",
    ),
    "a path with brackets, elsewhere": (
        "- event_type: volume.*\n  traits:\n    l: payload.l‸",
        "payload.links[*].rel",
        CORPUS,
        "- event_type: volume.*\n  traits:\n    l: payload.links[*].rel",
    ),
    "a trait": (
        "- event_type: volume.*\n  traits:\n    si‸",
        "size",
        CORPUS,
        "- event_type: volume.*\n  traits:\n    size: payload.size",
    ),
    "a condition": (
        "metric:\n  - event_type: server\n    period:\n      while: {$.pay‸",
        "$.payload.name",
        CORPUS,
        "metric:\n  - event_type: server\n    period:\n      while: {$.payload.name: ",
    ),
    "a unit that needs quotes": ("metric:\n  - unit: ‸", "%", NONE, "metric:\n  - unit: '%'"),
}


@pytest.mark.parametrize(("text", "label", "recordings", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_what_a_proposal_writes(text: str, label: str, recordings: Recordings, expected: str) -> None:
    """A proposal replaces the word that it is proposed for, in the quotes that it stands in or needs."""
    assert written(text, label, recordings) == expected


def test_many_event_types_are_narrowed_while_typing() -> None:
    """Of more than a list can show it is said that there are more, and those that fit are found."""
    many = Recordings(Corpus.of(notification({}, event_type=f"a{number:04}.end") for number in range(600)))
    answer = completed("- event_type: ‸", many)
    assert answer is not None
    assert (len(answer.proposals), answer.whole) == (400, False)
    assert "a0599.end" in labels("- event_type: a059‸", many)


# --- what is explained ------------------------------------------------------------------------------------------------


def explained(text: str, recordings: Recordings = NONE) -> str | None:
    rows, line, column = cursor(text)
    said = explain_at(rows, line, column, read_signs("\n".join(rows)), recordings)
    return None if said is None else said.text


EXPLAINED = {
    "a key": (
        "- event_type: a\n  tra‸its: {}",
        NONE,
        "**traits** (a mapping of names to traits, required)\n\nA mapping",
    ),
    "a key of a trait": (
        "- event_type: a\n  traits: {x: {on‸_error: drop}}",
        NONE,
        "- `reject`: The notification is rejected",
    ),
    "a type": ("- event_type: a\n  traits: {x: {type: DATE‸TIME}}", NONE, "**datetime**: A time in ISO 8601"),
    "a plugin": (
        "- event_type: a\n  traits: {x: {plugin: {name: sp‸lit}}}",
        NONE,
        "- `segment`: The number of the piece",
    ),
    "a parameter": (
        "- event_type: a\n  traits: {x: {plugin: {name: map, parameters: {case_sen‸sitive: false",
        NONE,
        "Default: true.",
    ),
    "a merge key": ("- event_type: a\n  traits: {<‸<: *t}", NONE, "Lays a mapping"),
    "a merge key's alias": (
        "- event_type: a\n  traits: &t\n    x: payload.a\n- event_type: b\n  traits: *‸t",
        NONE,
        "`&t`, line 2\n\n```yaml\ntraits: &t\n  x: payload.a\n```",
    ),
    "an alias of nothing": ("- event_type: b\n  traits: *‸t", NONE, "no anchor `&t` stands before this"),
    "a glob": (
        "- event_type: vol‸ume.*",
        CORPUS,
        "matches 2 of 3 recorded event types\n\n- `volume.create.end` (1)\n- `volume.delete.end` (1)",
    ),
    "a glob that excludes": ("- event_type: ['*', '!vol‸ume.*']", CORPUS, "excludes 2 of 3 recorded event types"),
    "a glob of nothing": ("- event_type: net‸work.*", CORPUS, "matches no event type of the 3 recorded notifications"),
    "an expression": ("metric:\n  - event_type: server\\.‸", CORPUS, "matches 1 of 3 recorded event types"),
    "a path": (
        "- event_type: volume.*\n  traits:\n    size: {fields: payload.si‸ze, type: int}",
        CORPUS,
        "`payload.size` finds\n\n- `4` in `volume.create.end`\n- `8` in `volume.delete.end`",
    ),
    "a path of a broken file": (
        "- event_type: volume.delete.*\n  traits:\n    size: {fields: payload.si‸ze, type: [\n",
        CORPUS,
        "`payload.size` finds\n\n- `8` in `volume.delete.end`",
    ),
    "a path that finds nothing": (
        "- event_type: volume.*\n  traits: {x: payload.na‸me}",
        CORPUS,
        "`payload.name` finds nothing in 2 recorded notifications of this definition",
    ),
    "a path of no notification": (
        "- event_type: network.*\n  traits: {x: payload.na‸me}",
        CORPUS,
        "no recorded notification has an event type that this definition takes",
    ),
    "a path of a sample": (
        "metric:\n  - event_type: volume\n    volume: $.payload.si‸ze",
        CORPUS,
        "`$.payload.size` finds\n\n- `4`",
    ),
    "a secret": ("- event_type: volume.*\n  traits: {x: payload.pass‸word}", CORPUS, "- `***` in"),
}


@pytest.mark.parametrize(("text", "recordings", "expected"), EXPLAINED.values(), ids=EXPLAINED)
def test_what_is_explained(text: str, recordings: Recordings, expected: str) -> None:
    """A key what it means, a glob which event types it takes, a path which values it finds."""
    said = explained(text, recordings)
    assert said is not None
    assert expected in said


NOT_EXPLAINED = {
    "a name": "- event_type: a\n  traits: {si‸ze: payload.size}",
    "a path without recorded notifications": "- event_type: a\n  traits: {x: payload.si‸ze}",
    "a comment": "- event_type: a # ev‸ent_type",
    "nothing": "- event_type: a\n\n‸\n",
    "an unknown key": "- event_type: a\n  tra‸it: {}",
}


@pytest.mark.parametrize("text", NOT_EXPLAINED.values(), ids=NOT_EXPLAINED)
def test_what_is_not_explained(text: str) -> None:
    """Of what there is nothing to say, nothing is said."""
    assert explained(text) is None


def test_text_of_payloads_is_shown_as_it_is_and_does_no_harm() -> None:
    """What somebody sent is no Markdown, and shows on one line."""
    recordings = Recordings(Corpus.of([notification({"a": "`x` **y**\n# z"})]))
    assert explained("- event_type: volume.*\n  traits: {x: payload.‸a}", recordings) == (
        "`payload.a` finds\n\n- `'x' **y** # z` in `volume.create.end`"
    )


# --- words and anchors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["event_definitions.yaml", "meters.yaml"])
def test_words_stand_where_they_are_said_to(name: str) -> None:
    """Each word of the shipped files is the text at its place, and in no place are two."""
    rows = (TOP / name).read_text().split("\n")
    tokens = list(read_tokens(rows))
    assert len(tokens) > 1000
    assert [
        token for token in tokens if not token.quote and rows[token.line][token.begin : token.end] != token.text
    ] == []
    spans = [(token.line, token.begin, token.end) for token in tokens]
    assert spans == sorted(spans)
    assert all(one[:1] != other[:1] or one[2] <= other[1] for one, other in itertools.pairwise(spans))
    assert token_at(tokens, tokens[5].line, tokens[5].begin) == tokens[5]


@pytest.mark.parametrize("name", ["event_definitions.yaml", "meters.yaml"])
def test_any_part_of_a_file_is_read(name: str) -> None:
    """A file that breaks off anywhere has words as well, the same as before but for the last lines."""
    text = (TOP / name).read_text()[:6000]
    whole = list(read_tokens(text.split("\n")))
    for end in range(0, len(text), 37):
        rows = text[:end].split("\n")
        part = list(read_tokens(rows))
        before = [token for token in whole if token.line < len(rows) - 1]
        assert part[: len(before)] == before or any(token.flow for token in part[len(before) - 1 :])


def test_anchors_and_aliases() -> None:
    """An alias names the last anchor of its name before it; behind an error they are found as well."""
    text = "- event_type: &a x\n  traits: &t {}\n- {event_type: *a, traits: *t}\n"
    text += "- event_type: &a [y, '&no']\n  x: *a\n- [\n  b: *a"
    signs = read_signs(text)
    assert [(sign.name, sign.is_anchor, sign.line) for sign in signs] == [
        ("a", True, 0),
        ("t", True, 1),
        ("a", False, 2),
        ("t", False, 2),
        ("a", True, 3),
        ("a", False, 4),
        ("a", False, 6),
    ]
    at = sign_at(signs, 2, 17)
    assert at is not None
    assert anchor_of(signs, at) == signs[0]
    assert references_of(signs, signs[0]) == [signs[2]]
    assert references_of(signs, signs[4]) == signs[5:]
    assert sign_at(signs, 0, 0) is None


def test_no_glob_is_taken_for_an_alias() -> None:
    """A star in a text is no alias, though it looks like one to the eye."""
    text = "- event_type: ['*a', \"*b\"] # *c\n  traits: {x: payload.size *2}\n  description: [\n"
    assert [sign.name for sign in read_signs(text)] == []


def test_outline() -> None:
    """Definitions with their traits or attributes, and how far they reach."""
    text = (
        "# head\n- event_type: [a.*, '!a.b']\n  description: All of a.\n  traits:\n    x: payload.x\n"
        "    y:\n      fields: payload.y\n      type: int\n\n# next\n- {event_type: b, traits: {}}\n"
    )
    entries = outline(text.split("\n"))
    assert [(one.name, one.detail, one.kind, one.line, one.last) for one in entries] == [
        ("a.*, !a.b", "All of a.", "event", 1, 7),
        ("b", "", "event", 10, 10),
    ]
    assert [(one.name, one.detail, one.kind, one.line, one.last) for one in entries[0].children] == [
        ("x", "payload.x", "trait", 4, 4),
        ("y", "payload.y", "trait", 5, 7),
    ]
    meters = outline(["metric:", "  - name: size", "    type: gauge", "    unit: GB", "  - {na"])
    assert [(one.name, one.detail, one.kind) for one in meters] == [
        ("size", "gauge GB", "sample"),
        ("(no name)", "", "sample"),
    ]
    assert [one.name for one in meters[0].children] == ["name", "type", "unit"]


# --- lines and columns ------------------------------------------------------------------------------------------------

UNITS = {
    "utf-8": [(0, 0), (0, 1), (0, 3), (0, 7), (0, 8)],
    "utf-16": [(0, 0), (0, 1), (0, 2), (0, 4), (0, 5)],
    "utf-32": [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)],
}


@pytest.mark.parametrize(("encoding", "expected"), UNITS.items(), ids=UNITS)
def test_columns_are_counted_as_the_editor_does(encoding: str, expected: list[tuple[int, int]]) -> None:
    """A character takes as many columns as it has code units; there and back is the same column."""
    lines = Lines("aé😀b", encoding)
    assert [lines.position(0, column) for column in range(5)] == expected
    assert [lines.column(0, units) for _, units in expected] == list(range(5))
    assert lines.column(0, 99) == 4
    assert lines.column(7, 1) == 0


def test_lines_end_where_the_editor_has_them_end() -> None:
    """YAML ends lines at more characters than editors do, and places count YAML's lines."""
    lines = Lines("a\r\nb\u2028c: 1\rd\x85e\n")
    assert lines.rows == ["a", "b\u2028c: 1", "d\x85e", ""]
    assert lines.span(Place("f", 3, 1, 2)) == Span((1, 2), (1, 3))
    assert lines.span(Place("f", 5, 1, 2)) == Span((2, 2), (2, 3))
    assert lines.span(Place("f")) == Span((0, 0), (0, 1))
    assert lines.span(Place("f", 99, 1)) == Span((0, 0), (0, 1))


# --- edits ------------------------------------------------------------------------------------------------------------


@cache
def findings(text: str) -> tuple[Finding, ...]:
    return lint_texts([("definitions.yaml", text)]).findings


def edited(text: str, edit: Edit) -> str:
    rows = text.split("\n")
    row = rows[edit.place.line - 1]
    rows[edit.place.line - 1] = row[: edit.place.column - 1] + edit.text + row[edit.place.end_column - 1 :]
    return "\n".join(rows)


_DOTTED = "payload.nova_object.data.host"
SILENCED = {
    "at the end of the line": f"- event_type: a\n  traits: {{x: {_DOTTED}}}\n",
    "in a comment that is there": f"- event_type: a\n  traits: {{x: {_DOTTED}}} # eventdefs: ignore[W204]\n",
    "behind another comment": f"- event_type: a\n  traits: {{x: {_DOTTED}}} # later\n",
    "before a text over several lines": "- event_type: a\n  traits:\n    x: payload.nova_object.data\n     .host\n",
}


@pytest.mark.parametrize("text", SILENCED.values(), ids=SILENCED)
def test_a_finding_is_silenced(text: str) -> None:
    """After the edit the finding is not said any more, and the file means what it did."""
    (finding,) = (one for one in findings(text) if one.code == "W201")
    edit = silence_of(finding, text)
    assert edit is not None
    after = edited(text, edit)
    assert "W201" not in {one.code for one in findings(after)}
    assert "eventdefs: ignore[" in after


def test_errors_are_not_silenced() -> None:
    """An error is put right, not silenced; nor is what is wrong about silencing."""
    text = "- event_type: a\n  traits: {x: {fields: payload.a, type: integer}} # eventdefs: ignore[W201]\n"
    assert {one.code for one in findings(text)} == {"E104", "W901"}
    assert [silence_of(one, text) for one in findings(text)] == [None, None]


def test_a_fix_puts_a_finding_right() -> None:
    """After the edit of a finding it is gone."""
    text = "- event_type: a\n  traits: {x: payload.nova_object.data.host}\n"
    (finding,) = findings(text)
    edit = fix_of(finding)
    assert edit is not None
    assert findings(edited(text, edit)) == ()


# --- files ------------------------------------------------------------------------------------------------------------

LOOKED_AT = {
    "a list": "- event_type: a\n",
    "behind comments": "# x\n\n- {event_type: a}",
    "as JSON": '[{"event_type": "a"}]',
    "another key first": "- traits: {}\n  event_type: a\n",
    "another key first, in braces": "- {traits: {}, event_type: a}\n",
    "with an anchor": "- &x\n  event_type: a",
    "with the sign of a document": "---\n- event_type: a\n",
    "samples": "metric:\n",
}
LEFT_ALONE = {
    "a workflow": "on: push\njobs:\n  event_type: x\n",
    "a playbook": "- name: a\n  hosts: b\n",
    "a text": '- a: b\n  c: "event_type: x"\n',
    "nothing": "\n",
}


@pytest.mark.parametrize("text", LOOKED_AT.values(), ids=LOOKED_AT)
def test_files_of_definitions_are_known(text: str) -> None:
    """By what is in them."""
    assert Document("file:///f.yaml", "/f.yaml", text, 1, "utf-16").is_definitions()
    assert not Document("file:///f.test.yaml", "/f.test.yaml", text, 1, "utf-16").is_definitions()


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_other_files_are_known(text: str) -> None:
    """What an editor hands over besides is none of ours, unless its name says otherwise."""
    assert not Document("file:///f.yaml", "/f.yaml", text, 1, "utf-16").is_definitions()
    named = Document("file:///etc/meters.yaml", "/etc/meters.yaml", text, 1, "utf-16")
    assert named.is_definitions() == bool(text.strip())


# --- settings and recorded notifications ------------------------------------------------------------------------------


def test_settings_are_laid_over_each_other() -> None:
    """A later setting replaces an earlier one; paths are relative to the folder, nothing changes nothing."""
    settings = Settings().changed({"corpus": "a", "definitions": ["b", "/c"]}, "/folder")
    assert settings == Settings(("/folder/a",), ("/folder/b", "/c"))
    assert settings.changed({"corpus": [], "definitions": None}, "/other") == Settings((), ("/folder/b", "/c"))
    assert settings.changed(None, None) == settings


REFUSED = {
    "unknown": (
        {"corpsu": "a"},
        "unknown setting eventdefs.corpsu; known are corpus, definitions (did you mean 'corpus'?)",
    ),
    "a number": ({"corpus": 5}, "the setting eventdefs.corpus is 5, expected a path or a list of paths"),
    "a list of numbers": (
        {"definitions": [5]},
        "the setting eventdefs.definitions is [5], expected a path or a list of paths",
    ),
    "no mapping": ("a", "the settings of eventdefs are 'a', expected a mapping"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_settings_that_are_none(given: object, message: str) -> None:
    """What is not known is said, with what is."""
    with pytest.raises(SettingsError) as error:
        Settings().changed(given, None)
    assert str(error.value) == message


def test_recorded_notifications_are_read(tmp_path: Path) -> None:
    """From files and folders; what cannot be read is said, and the rest is there."""
    (tmp_path / "bad.json").write_text('{"no": "notification"}')
    (tmp_path / "broken.json.gz").write_bytes(b"\x1f\x8bno gzip")
    recordings = read_recordings([str(TOP / "samples" / "cinder"), str(tmp_path), str(tmp_path / "nowhere")])
    assert "volume.create.end" in recordings.corpus.event_types
    assert len(recordings.problems) == 2
    assert recordings.problems[1] == f"{tmp_path}/nowhere: there is no such file"
    assert bool(recordings)
    assert not NONE
