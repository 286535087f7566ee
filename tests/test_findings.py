"""Findings: `findings.txt` holds definitions and, below each, what loading says of them, to the character.

`EVENTDEFS_UPDATE=1 pytest tests/test_findings.py` writes the reports anew; what changed is for a person to read.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventdefs import DefinitionErrors, Finding, load_definitions, parse_definitions
from eventdefs.definitions.findings import CODES
from eventdefs.definitions.source import MAX_BYTES
from eventdefs.types import Place
from tests.golden import FILE, Case, read_cases, write_cases

GOLDEN = Path(__file__).with_name("findings.txt")
CASES = read_cases(GOLDEN)


def found(text: str) -> tuple[Finding, ...]:
    """Return what loading *text* says, warnings or errors."""
    try:
        return parse_definitions(text, file=FILE).warnings
    except DefinitionErrors as errors:
        return errors.findings


def places(text: str) -> list[tuple[str, int, int]]:
    return [(finding.code, finding.place.line, finding.place.column) for finding in found(text)]


@pytest.mark.skipif("EVENTDEFS_UPDATE" not in os.environ, reason="EVENTDEFS_UPDATE is not set")
def test_update() -> None:
    write_cases(GOLDEN, CASES, found)


@pytest.mark.skipif("EVENTDEFS_UPDATE" in os.environ, reason="the reports are being written")
@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_golden(case: Case) -> None:
    """Loading reports every problem at once, in file order, with place, caret and hint."""
    findings = found(case.text)
    assert "\n".join(map(str, findings)) == case.report
    assert sorted({finding.code for finding in findings}) == case.codes


# What does not fit into a file of texts: how the definitions are made, and what is found.
MADE = {
    "nothing": ("", [("E100", 0, 0, "the file is empty")]),
    "only a comment": ("# later\n", [("E100", 0, 0, "the file is empty")]),
    "a control character": (
        "- event_type: a\x07b\n",
        [("E001", 1, 16, "not YAML: the character U+0007 is not allowed")],
    ),
    "a control character after letters of several bytes": (
        "# é\n- event_type: é\x07b\n",
        [("E001", 2, 16, "not YAML: the character U+0007 is not allowed")],
    ),
    "too deep": ("[" * 60 + "]" * 60, [("E003", 1, 51, "nested deeper than 50 levels")]),
    "too long": (" " * (MAX_BYTES + 1), [("E003", 0, 0, "16,777,217 characters")]),
    "a path with too many steps": (
        "- {event_type: a, traits: {x: " + ".".join("a" * 200) + "}}",
        [("E203", 1, 330, "the path of the trait x cannot be read: a path of more than 300 words and signs")],
    ),
    "a path that is too long": (
        "- {event_type: a, traits: {x: " + "a" * 4001 + "}}",
        [("E203", 1, 31, "the path of the trait x cannot be read: a path of 4,001 characters; at most 4,000 are read")],
    ),
    "a regular expression that is too long": (
        "metric: [{name: n, event_type: " + "a" * 1001 + ", type: gauge, unit: B, volume: 1, resource_id: $.a}]",
        [("E202", 1, 32, f"event_type '{'a' * 80}' is longer than 1,000 characters")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MADE.values(), ids=MADE)
def test_made(text: str, expected: list[tuple[str, int, int, str]]) -> None:
    """Texts that no editor would write are refused in the same way."""
    assert [
        (finding.code, finding.place.line, finding.place.column, finding.message) for finding in found(text)
    ] == expected


ELSEWHERE = ("5", "6", "7")
"""Families of codes that other tests see: of a corpus, of test files, and of pipeline files."""


def test_every_code_occurs() -> None:
    """There is no finding that no test has seen."""
    seen = {code for case in (*CASES, *read_cases(GOLDEN.with_name("lint.txt"))) for code in case.codes}
    seen |= {code for _, expected in MADE.values() for code, *_ in expected}
    seen |= {"E002"}  # test_files_that_cannot_be_read
    assert seen == {code for code in CODES if code[1] not in ELSEWHERE}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Every file of every directory is looked at before anything is refused, and each is named."""
    empty = tmp_path / "empty"
    empty.mkdir()
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"- event_type: a\n  description: caf\xe9\n  traits: {}\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("- event_type: a\n")
    missing = tmp_path / "missing.yaml"
    with pytest.raises(DefinitionErrors) as raised:
        load_definitions(missing, empty, latin, bad)
    assert [(finding.code, str(finding.place), finding.message) for finding in raised.value.findings] == [
        ("E002", str(missing), "cannot be read: No such file or directory"),
        ("E002", str(empty), "no .yaml file is in this directory"),
        ("E002", f"{latin}:2", "byte 34 is not UTF-8: invalid continuation byte"),
        ("E102", f"{bad}:1:3", "an event definition has no `traits`"),
    ]


def test_findings_of_several_files_stand_in_their_order(tmp_path: Path) -> None:
    """Files are reported in the order in which they were given, not in that of their names."""
    later, earlier = tmp_path / "z.yaml", tmp_path / "a.yaml"
    for file in (later, earlier):
        file.write_text("- {event_type: a, traits: {x: {type: integer, fields: payload.x}}}\n")
    with pytest.raises(DefinitionErrors) as raised:
        load_definitions(later, earlier)
    assert [finding.place.file for finding in raised.value.findings] == [str(later), str(earlier)]


def test_warnings_are_kept() -> None:
    """Definitions with warnings load, and say them."""
    definitions = parse_definitions("- {event_type: a, traits: {}, colour: red}", file=FILE)
    assert definitions.warnings == (
        Finding(
            "W101",
            "unknown key 'colour' in an event definition",
            Place(FILE, 1, 31, 37),
            "known keys are event_type, traits, description",
            "- {event_type: a, traits: {}, colour: red}",
        ),
    )
    assert [finding.severity for finding in definitions.warnings] == ["warning"]


def test_errors_carry_warnings_too() -> None:
    """Who puts the errors right sees the warnings in the same run."""
    text = "- {event_type: a, traits: {}, colour: red}\n- {event_type: b, traits: 5}\n"
    assert places(text) == [("W101", 1, 31), ("E101", 2, 27)]


def test_the_error_is_its_findings() -> None:
    """A program that lets the error through shows its user all that is to be done."""
    with pytest.raises(DefinitionErrors) as raised:
        parse_definitions("- {event_type: a}\n- {traits: {}}\n", file=FILE)
    assert str(raised.value) == "\n".join(map(str, raised.value.findings))
    assert len(raised.value.findings) == 2


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return *text* without its `¦`, and where they stood: the (line, column) of what follows them."""
    plain, *rest = text.split("¦")
    stood = []
    for part in rest:
        stood.append((plain.count("\n") + 1, len(plain) - plain.rfind("\n")))
        plain += part
    return plain, stood


ANCHORED = {
    "a trait under one name": (
        """
- event_type: a
  traits: &t {x: payload.¦}
- event_type: b
  traits: *t
- event_type: c
  traits: {<<: *t, y: payload.y}
""",
        ["E201"],
    ),
    "a trait under several names": (
        """
- event_type: a
  traits: {x: &p [payload.a, payload.¦], y: *p, z: *p}
""",
        ["E201"],
    ),
    "a name that is no text": (
        """
- event_type: a
  traits: &t {¦on: payload.a}
- event_type: b
  traits: *t
""",
        ["E103"],
    ),
    "a regular expression": (
        """
metric:
- {name: a, event_type: &e [¦'(a'], type: gauge, unit: B, volume: 1, resource_id: $.a}
- {name: b, event_type: *e, type: gauge, unit: B, volume: 1, resource_id: $.a}
""",
        ["E202"],
    ),
    "an attribute of samples": (
        """
metric:
- {name: a, event_type: a, type: gauge, unit: B, volume: &v {fields: $.¦}, resource_id: $.a}
- {name: b, event_type: b, type: gauge, unit: B, volume: *v, resource_id: $.a}
""",
        ["E201"],
    ),
    "metadata of samples": (
        """
metric:
- {name: a, event_type: a, type: gauge, unit: B, volume: 1, resource_id: $.a, metadata: &m {k: $.¦}}
- {name: b, event_type: b, type: gauge, unit: B, volume: 1, resource_id: $.a, metadata: *m}
""",
        ["E201"],
    ),
}


@pytest.mark.parametrize(("text", "codes"), ANCHORED.values(), ids=ANCHORED)
def test_what_an_anchor_repeats_is_said_once(text: str, codes: list[str]) -> None:
    """A mistake that is written once is reported once, however many definitions share it."""
    plain, at = marked(text)
    assert places(plain) == [(code, *place) for code, place in zip(codes, at, strict=True)]


METER = "{name: m, event_type: a, type: gauge, unit: B, resource_id: $.a, "
USAGE = "{name: m, event_type: a, type: delta, unit: h, resource_id: $.a, "
SEVERAL = {
    "fields of a trait": (
        "- {event_type: a, traits: {x: [payload.¦, payload.b, payload.x.¦]}}",
        ["E201", "E201"],
    ),
    "metadata": (
        f"metric: [{METER}volume: 1, metadata: {{a: $.x.¦, b: $.y, c: $.z.¦}}}}]",
        ["E201", "E201"],
    ),
    "dimensions": (
        f"metric: [{USAGE}period: {{begin: $.b, end: $.e}}, dimensions: {{a: $.x.¦, b: $.y, c: $.z.¦}}}}]",
        ["E201", "E201"],
    ),
    "conditions": (
        f"metric: [{USAGE}period: {{begin: $.b, end: $.e, while: {{$.x.¦: [1], $.y: ¦[], $.z.¦: [2]}}}}}}]",
        ["E201", "E101", "E201"],
    ),
    "conditions of the end": (
        f"metric: [{USAGE}period: {{begin: $.b, end: $.e, closes: {{$.x.¦: [1], $.y: ¦[], $.z.¦: [2]}}}}}}]",
        ["E201", "E101", "E201"],
    ),
    "a period and its dimensions": (
        f"metric: [{USAGE}period: ¦{{begin: $.b.¦, while: ¦5}}, dimensions: ¦6}}]",
        ["E402", "E201", "E101", "E101"],
    ),
    "all keys of a period": (
        f"metric: [{USAGE}period: {{end: $.e.¦, length: ¦1, not_before: $.b.¦, not_after: a.¦, closes: ¦5, ¦x: 5}}}}]",
        ["E201", "E101", "E201", "E201", "E101", "W101"],
    ),
    "a period that is no usage": (
        "metric: [{name: m, event_type: a, type: ¦gauge, unit: ¦B, resource_id: $.a, period: ¦{begin: $.b}}]",
        ["E403", "E403", "E402"],
    ),
    "an event definition without an event_type": (
        "- ¦{description: ¦5, ¦colour: red, traits: {x: {type: ¦integer, fields: $.¦, plugin: ¦nope}}}",
        ["E102", "E101", "W101", "E104", "E201", "E301"],
    ),
}


@pytest.mark.parametrize(("text", "codes"), SEVERAL.values(), ids=SEVERAL)
def test_every_problem_is_said_at_once(text: str, codes: list[str]) -> None:
    """Nobody mends one thing only to be told of the next."""
    plain, at = marked(text)
    assert places(plain) == [(code, *place) for code, place in zip(codes, at, strict=True)]


CARETS = {
    "plain": "x: payload.a b",
    "single quotes": "x: 'payload.a b'",
    "double quotes": 'x: "payload.a b"',
    "anchored": "x: &p payload.a b",
    "anchored in quotes": "x: &p 'payload.a b'",
    "tagged": "x: !!str payload.a b",
    "after letters of several bytes": "{display: payload.é, x: payload.a b}",
    "a key of quotes": "x: payload.'a' b",
}


@pytest.mark.parametrize("trait", CARETS.values(), ids=CARETS)
def test_the_caret_is_under_the_character_at_fault(trait: str) -> None:
    """However a path is written, the caret stands under the character that is wrong."""
    line = f"    {trait}" if trait.startswith("{") else f"    {{{trait}}}"
    shown = [finding for finding in found(f"- event_type: a\n  traits:\n{line}\n") if "'b'" in finding.message]
    assert [(finding.place.line, finding.place.column) for finding in shown] == [(3, line.rindex("b") + 1)]
    _, _, quoted, caret = str(shown[0]).split("\n")
    assert quoted[caret.index("^")] == "b"


def test_a_byte_order_mark_moves_no_caret() -> None:
    """The mark that some editors write is not part of the first line."""
    plain = "- {event_type: a, traits: {x: payload.a b}}"
    assert found("\ufeff" + plain) == found(plain)


def test_a_long_line_is_cut_around_its_caret() -> None:
    """What is shown of a line fits on a screen, wherever in it the problem is."""
    for before in (0, 30, 100, 5_000):
        names = "".join(f"t{number}: payload.a, " for number in range(before))
        line = (
            f"- {{event_type: a, traits: {{{names}x: {{type: integer, fields: payload.x}}, z: payload.{'z' * 500}}}}}"
        )
        (finding,) = found(line)
        _, _, shown, caret = str(finding).split("\n")
        at = caret.index("^")
        assert shown[at : at + 7] == "integer"
        assert caret[at : at + 8] == "^^^^^^^ "
        assert len(shown) <= 120 + len(" 1 | ")
