"""The linter: `lint.txt` holds definitions and, below each, what it says of them, to the character.

`EVENTDEFS_UPDATE=1 pytest tests/test_lint.py` writes the reports anew; what changed is for a person to read.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import Finding
from eventdefs.cli import COULD_NOT, FINDINGS, FINE, main
from eventdefs.definitions.findings import CODES
from eventdefs.definitions.lint import lint_texts
from eventdefs.definitions.lint.globs import MAX_WORK, Work, covers, overlap
from eventdefs.definitions.loader import shipped_definitions
from tests.conformance.data import ABSENT, FOLDER
from tests.golden import FILE, Case, read_cases, write_cases

GOLDEN = Path(__file__).with_name("lint.txt")
CASES = read_cases(GOLDEN)


def found(text: str) -> tuple[Finding, ...]:
    return lint_texts([(FILE, text)]).findings


@pytest.mark.skipif("EVENTDEFS_UPDATE" not in os.environ, reason="EVENTDEFS_UPDATE is not set")
def test_update() -> None:
    write_cases(GOLDEN, CASES, found)


@pytest.mark.skipif("EVENTDEFS_UPDATE" in os.environ, reason="the reports are being written")
@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_golden(case: Case) -> None:
    """What is said of each piece, and of those without a code in their title nothing."""
    findings = found(case.text)
    assert "\n".join(map(str, findings)) == case.report
    assert sorted({finding.code for finding in findings}) == case.codes


def apply_fix(text: str, finding: Finding) -> str:
    """Return *text* with the fix of *finding*."""
    assert finding.fix is not None
    place, lines = finding.fix.place, text.split("\n")
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column - 1] + finding.fix.text + line[place.end_column - 1 :]
    return "\n".join(lines)


FIXED = [
    (case, finding)
    for cases in (CASES, read_cases(GOLDEN.with_name("findings.txt")))
    for case in cases
    for finding in found(case.text)
    if finding.fix is not None
]


@pytest.mark.parametrize(("case", "finding"), FIXED, ids=[f"{case.title} {one.place.line}" for case, one in FIXED])
def test_a_fix_puts_its_finding_right(case: Case, finding: Finding) -> None:
    """After the edit the finding is gone, and nothing is there that was not before, unless it could not be read."""
    before = Counter((one.code, one.place.line) for one in found(case.text))
    after = Counter((one.code, one.place.line) for one in found(apply_fix(case.text, finding)))
    key = (finding.code, finding.place.line)
    assert after[key] < before[key]
    assert after <= before or finding.code in ("E001", "E004")


def test_there_are_fixes() -> None:
    """Of each kind of finding with a certain edit, the cases have one."""
    certain = "E001 E004 E101 E103 E104 E105 E201 E202 E301 E302 W003 W101 W201 W202 W204 W205 W304 W307"
    assert {finding.code for _, finding in FIXED} >= {*certain.split(" ")}


# --- globs -----------------------------------------------------------------------------------------------------------

_ALPHABET = "ab."
_TEXTS = ["".join(letters) for length in range(5) for letters in itertools.product(_ALPHABET + "c[", repeat=length)]
_GLOB = st.text("ab.*?", max_size=5) | st.sampled_from(["[ab]*", "[!a].b", "a[!b]", "*[a-c]", "[b"])


@given(globs=st.lists(_GLOB, min_size=1, max_size=3), glob=_GLOB)
def test_covers_is_what_trying_says(globs: list[str], glob: str) -> None:
    """A glob is covered when no text is found that it alone matches; where one is found, it is not."""
    alone = [
        text
        for text in _TEXTS
        if fnmatch.fnmatchcase(text, glob) and not any(fnmatch.fnmatchcase(text, one) for one in globs)
    ]
    if covers(tuple(globs), glob):
        assert alone == []
    elif len(glob) <= 3 and all(len(one) <= 3 for one in globs):
        assert alone  # texts of four characters tell such short globs apart


@given(left=_GLOB, right=_GLOB)
def test_overlap_is_what_trying_says(left: str, right: str) -> None:
    """Two globs overlap when a text is found that both match."""
    both = [text for text in _TEXTS if fnmatch.fnmatchcase(text, left) and fnmatch.fnmatchcase(text, right)]
    if both:
        assert overlap(left, right)
    elif len(left) + len(right) <= 4:
        assert not overlap(left, right)


def test_hostile_globs_are_given_up() -> None:
    """Work is bounded; what would take too long is not said."""
    hard = "*" + "?*a" * 60
    assert covers((hard.replace("a", "b"),), hard) is False
    assert overlap(hard, hard[::-1]) is True


def test_work_that_is_used_up() -> None:
    """All questions about some files share what work there is; when it is used up, nothing is said."""
    work = Work()
    assert covers(["a*"], "ab*", work)
    assert 0 < work.left < MAX_WORK
    work.left = 0
    assert not covers(["a*"], "ab*", work)
    assert overlap("a", "b", work)


def test_a_definition_of_thousands_of_patterns() -> None:
    """Nobody wrote them by hand; they are looked at up to a number, and nothing is said of what is never covered."""
    assert found(f"- {{event_type: {[f'*.{number}.x' for number in range(3000)]}, traits: {{}}}}") == ()


def test_many_definitions_are_looked_at_in_time_that_is_theirs() -> None:
    """Two thousand definitions with nothing in common, and one in the middle that a later one covers."""
    lines = [f"- {{event_type: 'service{number}.*', traits: {{}}}}" for number in range(2000)]
    lines[500] = "- {event_type: service1999.create, traits: {}}"
    assert [(one.code, one.place.line) for one in found("\n".join(lines))] == [("W302", 501)]


# --- going on after an error -----------------------------------------------------------------------------------------

BREAKS = ["  x: [", '  x: "', "\tx: 1", "  x: }", " - x", "  x: 'it''s", "  ? [", "  x: *nowhere", "  x: y: z"]
WRONG = "- {event_type: a.b.c, traits: {x: {fields: payload.x, type: integer}}}"


@pytest.mark.parametrize("seed", range(40))
def test_one_broken_definition_hides_no_other(seed: int) -> None:
    """Of the shipped file, one entry is broken and three others get a wrong type: each of these is still said."""
    chance = random.Random(seed)
    entries = re.split(r"^(?=- )", shipped_definitions()[0].read_text(), flags=re.MULTILINE)
    plain = [number for number, entry in enumerate(entries) if number and "&" not in entry]
    broken, *wrong = chance.sample(plain, 4)
    for number in wrong:
        entries[number] = WRONG + "\n" * entries[number].count("\n")
    entries[broken] = entries[broken].rstrip("\n") + "\n" + chance.choice(BREAKS) + "\n"
    findings = found("".join(entries))
    assert "E001" in {one.code for one in findings}
    lines = [1 + "".join(entries[:number]).count("\n") for number in sorted(wrong)]
    assert [one.place.line for one in findings if one.code == "E104"] == lines


@pytest.mark.parametrize("seed", range(20))
def test_one_broken_sample_definition_hides_no_other(seed: int) -> None:
    """The same of the shipped sample definitions."""
    chance = random.Random(seed)
    entries = re.split(r"^(?=  - )", shipped_definitions()[1].read_text(), flags=re.MULTILINE)
    plain = [number for number, entry in enumerate(entries) if number and "&" not in entry and " type: " in entry]
    broken, *wrong = chance.sample(plain, 4)
    for number in wrong:
        entries[number] = re.sub(r"( type: ).*", r"\1gage", entries[number], count=1)
    entries[broken] = entries[broken].rstrip("\n") + "\n  " + chance.choice(BREAKS) + "\n"
    findings = found("".join(entries))
    assert "E001" in {one.code for one in findings}
    lines = [
        1 + ("".join(entries[:number]) + entries[number].partition(" type: ")[0]).count("\n")
        for number in sorted(wrong)
    ]
    assert [one.place.line for one in findings if one.code in ("E401", "E403")] == lines


def test_a_character_that_yaml_has_not_hides_nothing_else() -> None:
    """It takes its definition with it, and no more."""
    findings = found(
        "- {event_type: a, traits: {x: \x07}}\n- {event_type: b, traits: {x: {fields: payload.x, type: no}}}\n"
    )
    assert [(one.code, one.place.line) for one in findings] == [("E001", 1), ("E104", 2)]


@given(st.text("-:[]{}'\"#&*!|> \n\tab", max_size=60))
def test_any_text_is_looked_at(text: str) -> None:
    """Whatever a file holds, the linter says something or nothing, and ends."""
    found(text)


# --- files that are right --------------------------------------------------------------------------------------------


def test_the_shipped_definitions_are_clean() -> None:
    """There is nothing to say of what we ship."""
    assert lint_texts([(str(path), path.read_text()) for path in shipped_definitions()]).findings == ()


CEILOMETERS = {
    "events-ceilometer-2014-04": "",
    "events-ceilometer-2015-10": "W001 435, W204 142 142 150 249 251 255 257 406, W302 208",
    "events-ceilometer-2016-10": "W001 454, W204 137 137 145 259 261 425, W302 220",
    "events-ceilometer-2019-04": "W204 504, W302 269",
    "events-ceilometer-27": "W204 457, W302 263",
    "events-ceilometer-example-osprofiler": "",
    "events-stacktach-sandbox": "W204 7 11 18 19",
    "events-yagi-tests": "W204 7 11 18 19 95 97 99",
    "meters-ceilometer-2015-10": "W204 40 307 317 327 337 347 358 359 367 368",
    "meters-ceilometer-2016-10": "W204 267",
    "meters-ceilometer-2017-08": "W001 117",
    "meters-ceilometer-2019-04": "",
    "meters-ceilometer-27": "",
    "meters-ceilometer-example-loadbalancer-v2": "",
}
"""What is said of the definition files of Ceilometer's releases and of others: codes and lines. Each was looked at."""


@pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("name", CEILOMETERS)
def test_no_false_alarm(name: str) -> None:
    """Of files that are in use, only what their maintainers would agree with is said."""
    findings = lint_texts([(name, (FOLDER / "definitions" / f"{name}.yaml").read_text())]).findings
    lines: dict[str, list[str]] = {}
    for one in findings:
        lines.setdefault(one.code, []).append(str(one.place.line))
    assert ", ".join(" ".join([code, *lines[code]]) for code in sorted(lines)) == CEILOMETERS[name]


# --- the command -----------------------------------------------------------------------------------------------------

BAD = """\
- event_type: volume.*
  traits:
    size: {fields: payload.size, type: integer}
    name: display_name
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(BAD)
    Path("good.yaml").write_text("- {event_type: volume.*, traits: {size: payload.size}}\n")
    Path("note.yaml").write_text("- {event_type: a, traits: {service: publisher_id}}\n")
    Path("volume.json").write_text(
        json.dumps({"message_id": "1", "event_type": "volume.create.end", "timestamp": "2026-01-02", "payload": {}})
    )
    Path("warned.yaml").write_text("- {event_type: image.*, traits: {name: display_name}}\n")
    return tmp_path


ENDS = {
    "nothing": (["good.yaml"], FINE, "nothing to say in 1 file\n"),
    "errors": (["bad.yaml"], FINDINGS, "1 error, 1 warning in 1 file\n"),
    "several files": (["good.yaml", "warned.yaml"], FINDINGS, "1 warning in 2 files\n"),
    "ignored": (["warned.yaml", "--ignore", "W2"], FINE, "nothing to say in 1 file\n"),
    "an error is not ignored": (["bad.yaml", "--ignore", "E104"], FINDINGS, "1 error, 1 warning in 1 file\n"),
    "selected": (["bad.yaml", "--select", "W204"], FINDINGS, "1 warning in 1 file\n"),
    "selected with commas": (["bad.yaml", "--select", "w204,E3"], FINDINGS, "1 warning in 1 file\n"),
    "quiet": (["good.yaml", "--quiet"], FINE, ""),
    "a note": (["note.yaml"], FINE, "1 note in 1 file\n"),
    "a note, strictly": (["note.yaml", "--strict"], FINDINGS, "1 note in 1 file\n"),
    "a corpus": (["good.yaml", "--corpus", "volume.json"], FINDINGS, "1 warning in 1 file\n"),
    "a corpus that is not there": (["good.yaml", "--corpus", "none"], COULD_NOT, "eventdefs: "),
    "a code that is none": (["bad.yaml", "--ignore", "W299"], COULD_NOT, "eventdefs: there is no finding W299"),
    "a file that is not there": (["none.yaml"], COULD_NOT, "1 error in 0 files\n"),
    "the shipped ones": ([], FINE, "nothing to say in 2 files\n"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "status", "said"), ENDS.values(), ids=ENDS)
def test_how_it_ends(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    """Exit status and closing line."""
    assert main(["lint", *arguments]) == status
    assert capsys.readouterr().err.startswith(said)


def test_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any) -> None:
    """`-` is standard input, which findings call by the name that is given."""
    with Path("bad.yaml").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert main(["lint", "-", "--stdin-filename", "mine.yaml", "--quiet"]) == FINDINGS
    assert capsysbinary.readouterr().out.startswith(b"mine.yaml:3:40: error[E104]: unknown trait type 'integer'\n")


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One finding a line, whole."""
    assert main(["lint", "bad.yaml", "--format", "json"]) == FINDINGS
    first = json.loads(capsys.readouterr().out.split("\n")[0])
    place = {"file": "bad.yaml", "line": 3, "column": 40, "end_column": 47}
    assert first == {
        "code": "E104",
        "severity": "error",
        "message": "unknown trait type 'integer'",
        **place,
        "hint": "expected text, int, float, datetime (did you mean 'int'?)",
        "excerpt": "    size: {fields: payload.size, type: integer}",
        "related": [],
        "fix": {"title": "write int", **place, "text": "int"},
    }


URIS = ("bad.yaml", "a%20shadow.yaml", "none.yaml")


def test_sarif(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log of SARIF 2.1.0: rules with help, results with places and fixes that point into them."""
    Path("a shadow.yaml").write_text("- {event_type: a, traits: {}}\n- {event_type: '*', traits: {}}\n")
    files = ["bad.yaml", str(folder / "a shadow.yaml"), "none.yaml"]
    assert main(["lint", *files, "--format", "sarif"]) == COULD_NOT
    log = json.loads(capsys.readouterr().out)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in run["results"]})
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            region = location["physicalLocation"].get("region", {"startLine": 1, "startColumn": 1, "endColumn": 2})
            assert 1 <= region["startColumn"] < region["endColumn"]
            assert location["physicalLocation"]["artifactLocation"]["uri"] in URIS
    [fix] = next(result for result in run["results"] if result["ruleId"] == "E104")["fixes"]
    assert fix["artifactChanges"] == [
        {
            "artifactLocation": {"uri": "bad.yaml"},
            "replacements": [
                {
                    "deletedRegion": {"startLine": 3, "startColumn": 40, "endColumn": 47},
                    "insertedContent": {"text": "int"},
                }
            ],
        }
    ]


@pytest.mark.parametrize("code", CODES)
def test_explain(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every code is explained, with what it means and more than that."""
    assert main(["lint", "--explain", code.lower()]) == FINE
    out = capsys.readouterr().out
    assert out.startswith(f"{code}: {CODES[code][0].upper()}{CODES[code][1:]}.")
    assert out.count("\n") > 2


def test_explain_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A code that is none is said, with those that are."""
    assert main(["lint", "--explain", "E9999"]) == COULD_NOT
    assert "known are E001, " in capsys.readouterr().err


def test_colours(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal severity and carets are coloured; without the colours it is the plain text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["lint", "bad.yaml", "--quiet"]) == FINDINGS
    plain = capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["lint", "bad.yaml", "--quiet"]) == FINDINGS
    coloured = capsys.readouterr().out
    assert "\x1b[31;1merror[E104]\x1b[0m" in coloured
    assert "\x1b[31;1m^^^^^^^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_silenced_finding_of_a_corpus_is_not_unused() -> None:
    """What is said only with recorded notifications may be silenced; without them the comment is not in vain."""
    assert found("- {event_type: a, traits: {x: payload.x}}  # eventdefs: ignore[W501]") == ()


def test_what_a_terminal_would_obey_is_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A definition file of somebody else does not steer the terminal."""
    Path("evil.yaml").write_text('- {event_type: "a\\e[2J", traits: {x: 3, "\\e[31m": {typ: 1}}}\n')
    assert main(["lint", "evil.yaml"]) == FINDINGS
    assert "\x1b[" not in capsys.readouterr().out
