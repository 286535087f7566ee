"""`eventdefs diff`: each kind of difference between two sets of definitions, counted, with examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eventdefs import Definitions, parse_definitions
from eventdefs.cli import COULD_NOT, FINDINGS, FINE, main
from eventdefs.definitions import load_definitions
from eventdefs.definitions.compare import EXAMPLES, MAX_CHANGES, Change, ConversionComparison
from eventdefs.definitions.options import Options
from eventdefs.types import Place
from tests.making import notification

OLD = "- {event_type: volume.*, traits: {size: {fields: payload.size, type: int}, name: payload.name}}"
METER = (
    "metric: [{name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size,"
    " resource_id: $.payload.id}]"
)
PAYLOAD = {"size": 4, "name": "n", "id": "v-1", "tenant_id": "p-1", "more": "5"}

# What is written instead of `OLD`, and what that changes: (kind, name, what, old, new).
EVENT_CHANGES: dict[str, tuple[str, list[tuple[str, str, str, str, str]]]] = {
    "nothing": (OLD, []),
    "a comment": (f"# later\n{OLD}", []),
    "a trait that is gone": (OLD.replace(", name: payload.name", ""), [("trait", "name", "lost", "n", "")]),
    "a trait that is new": (OLD.replace("name:", "more: payload.more, name:"), [("trait", "more", "gained", "", "5")]),
    "another value": (OLD.replace("payload.name", "payload.id"), [("trait", "name", "value", "n", "v-1")]),
    "another type": (OLD.replace("type: int", "type: text"), [("trait", "size", "type", "int 4", "text 4")]),
    "another tenant": (
        OLD.replace("name:", "tenant_id: payload.id, name:"),
        [("tenant", "", "value", "p-1", "v-1"), ("trait", "tenant_id", "value", "p-1", "v-1")],
    ),
    "another definition": (
        f"{OLD}\n{OLD.replace('volume.*', 'volume.create.*')}",
        [("definition", "", "another applies", "volume.*", "volume.create.*")],
    ),
    "a problem": (
        OLD.replace("payload.size", "payload.name"),
        [("problem", "trait size not an int", "gained", "", "n"), ("trait", "size", "lost", "4", "")],
    ),
    "a rejection": (
        OLD.replace("payload.size, type: int", "payload.none, required: true"),
        [
            ("event", "", "lost", "volume.create.end", "rejected: size"),
            ("problem", "trait size required, and not there", "gained", "", ""),
        ],
    ),
}


def changes(old: Definitions, new: Definitions, *bodies: Any) -> list[tuple[str, str, str, str, str]]:
    comparison = ConversionComparison(old, new)
    for number, body in enumerate(bodies):
        comparison.add(notification(body, message_id=f"m-{number}"), Place("c.json", number + 1))
    return sorted(
        (one.change.kind, one.change.name, one.change.what, one.examples[0].old, one.examples[0].new)
        for one in comparison.found()
    )


@pytest.mark.parametrize(("new", "expected"), EVENT_CHANGES.values(), ids=EVENT_CHANGES)
def test_events(new: str, expected: list[tuple[str, str, str, str, str]]) -> None:
    """Each change of an event is told, and nothing else; the other way round it is its opposite."""
    one, other = parse_definitions(OLD), parse_definitions(new)
    assert changes(one, other, PAYLOAD) == expected
    opposite = {"gained": "lost", "lost": "gained"}
    assert changes(other, one, PAYLOAD) == sorted(
        (kind, name, opposite.get(what, what), after, before) for kind, name, what, before, after in expected
    )


def test_what_no_definition_takes() -> None:
    """An event that was dropped is gained, and says why it was not there."""
    options = Options(drop_unmatched_notifications=True)
    none, some = parse_definitions("[]", options=options), parse_definitions(OLD, options=options)
    assert changes(none, some, PAYLOAD) == [("event", "", "gained", "no definition", "volume.create.end")]


SAMPLE_CHANGES = {
    "nothing": (METER, []),
    "gone": ("metric: []", [("sample", "size", "lost", "4 GiB", "")]),
    "a volume": (METER.replace("$.payload.size", "5"), [("sample", "size", "volume", "4", "5")]),
    "a type of number": (METER.replace("$.payload.size", "4.0"), [("sample", "size", "volume", "4", "4.0")]),
    "a unit": (METER.replace("GiB", "GB"), [("sample", "size", "unit", "GiB", "GB")]),
    "a resource": (METER.replace("payload.id", "payload.name"), [("sample", "size", "resource_id", "v-1", "n")]),
}


@pytest.mark.parametrize(("new", "expected"), SAMPLE_CHANGES.values(), ids=SAMPLE_CHANGES)
def test_samples(new: str, expected: list[tuple[str, str, str, str, str]]) -> None:
    """Samples are compared meter by meter, attribute by attribute."""
    assert changes(parse_definitions(METER), parse_definitions(new), PAYLOAD) == expected


def test_what_is_counted() -> None:
    """Notifications are counted, and of each change the first few are kept."""
    comparison = ConversionComparison(
        parse_definitions(OLD), parse_definitions(OLD.replace("payload.name", "payload.id"))
    )
    for number in range(10):
        comparison.add(notification({**PAYLOAD, "name": "v-1" if number % 2 else "n"}), Place("c.jsonl", number + 1))
    [found] = comparison.found()
    assert (comparison.notifications, comparison.changed, found.notifications) == (10, 5, 5)
    assert found.change == Change("trait", "volume.*", "name", "value")
    assert [example.place.line for example in found.examples] == [1, 3, 5]
    assert len(found.examples) == EXAMPLES


def test_what_senders_choose_does_not_fill_the_memory() -> None:
    """Changes are remembered up to a number; the rest is counted together."""
    comparison = ConversionComparison(
        parse_definitions("[{event_type: t*, traits: {a: payload.a}}]"), parse_definitions("[]")
    )
    for number in range(MAX_CHANGES + 50):
        comparison.add(notification({"a": 1}, event_type=f"t{number}"), Place("c"))
    found = comparison.found()
    assert len(found) <= MAX_CHANGES + 3
    assert sum(one.notifications for one in found if one.change.kind == "definition") == MAX_CHANGES + 50


def test_changes_are_gathered_by_definition() -> None:
    """However many event types a definition is for, a trait of it changes once; a meter changes once, wherever used."""
    new = OLD.replace("type: int", "type: text")
    comparison = ConversionComparison(parse_definitions(OLD), parse_definitions(new))
    for kind in ("volume.create.end", "volume.delete.end", "volume.exists"):
        comparison.add(notification(PAYLOAD, event_type=kind), Place("c", 1))
    [found] = comparison.found()
    assert (found.change, found.notifications) == (Change("trait", "volume.*", "size", "type"), 3)
    assert [one.event_type for one in found.examples] == ["volume.create.end", "volume.delete.end", "volume.exists"]
    comparison = ConversionComparison(parse_definitions(METER), parse_definitions(METER.replace("GiB", "GB")))
    for kind in ("volume.create.end", "volume.delete.end"):
        comparison.add(notification(PAYLOAD, event_type=kind), Place("c", 1))
    assert [(one.change, one.notifications) for one in comparison.found()] == [
        (Change("sample", "", "size", "unit"), 2)
    ]


def test_times_are_shown_as_they_are_written() -> None:
    """Not as Python has them."""
    old = "- {event_type: volume.*, traits: {at: {fields: payload.at, type: datetime}}}"
    body = {"at": "2026-08-01 01:02:03", "tenant_id": "p-1"}
    of = [
        parse_definitions(text)
        for text in (old, old.replace("datetime", "text"), old.replace("payload.at", "payload.no"))
    ]
    assert changes(of[0], of[1], body) == [
        ("trait", "at", "type", "datetime 2026-08-01T01:02:03Z", "text 2026-08-01 01:02:03")
    ]
    assert changes(of[0], of[2], body) == [("trait", "at", "lost", "2026-08-01T01:02:03Z", "")]


# --- the command -----------------------------------------------------------------------------------------------------

UPTIME = """\
metric:
  - name: uptime
    event_type: exists
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {begin: $.payload.begin, end: $.payload.end}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(OLD)
    Path("new.yaml").write_text(OLD.replace("type: int", "type: text"))
    Path("old_meters.yaml").write_text(UPTIME)
    Path("new_meters.yaml").write_text(UPTIME.replace("payload.begin", "payload.launched"))
    span = {"begin": "2026-08-01T01:00:00", "launched": "2026-08-01T01:30:00", "end": "2026-08-01T02:00:00"}
    rows = [
        {"message_id": "m-1", "event_type": "volume.create", "timestamp": "2026-08-01T01:00:00", "payload": PAYLOAD},
        {
            "message_id": "m-2",
            "event_type": "exists",
            "timestamp": "2026-08-01T02:00:00",
            "payload": {**PAYLOAD, **span},
        },
    ]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, and a line that says how much was compared."""
    assert main(["diff", "old.yaml", "old.yaml", "--corpus", "c.jsonl"]) == FINE
    assert capsys.readouterr().out == "0 of 2 notifications come out otherwise\n"


def test_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changes with an example each, hours in sum."""
    arguments = ["diff", "old.yaml,old_meters.yaml", "new.yaml,new_meters.yaml", "--corpus", "c.jsonl"]
    assert main(arguments) == FINDINGS
    assert capsys.readouterr().out == (
        "traits\n"
        "  volume.* size type: 1 notification\n"
        "      int 4 -> text 4  in c.jsonl:1, m-1, volume.create\n"
        "hours\n"
        "meter   tenant  old  new  change  unit  hours\n"
        "uptime  p-1       1  0.5    -0.5  h         1\n"
        "2 of 2 notifications come out otherwise\n"
    )


def test_as_many_examples_as_are_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each; none with 0. What is no number is refused."""
    first = Path("c.jsonl").read_text().splitlines()[0]
    Path("many.jsonl").write_text(f"{first}\n{first}\n")
    arguments = ["diff", "old.yaml", "new.yaml", "--corpus", "many.jsonl"]
    for count, shown in (("0", 0), ("1", 1), ("9", 2)):
        assert main([*arguments, "--examples", count]) == FINDINGS
        assert capsys.readouterr().out.count("in many.jsonl:") == shown
    assert main([*arguments, "--limit", "0"]) == FINDINGS
    assert "  and 1 more changes; --limit shows more, --format json all\n" in capsys.readouterr().out
    for option in ("--limit", "--examples"):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, option, "-3"])
        assert ended.value.code == COULD_NOT


def test_sets_are_named_with_commas(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file whose name has a comma is that file; `shipped` may be one of several; nothing is no set."""
    Path("a,b.yaml").write_text(OLD)
    assert main(["diff", "old.yaml", "a,b.yaml", "--corpus", "c.jsonl"]) == FINE
    assert main(["diff", "shipped", "shipped,", "--corpus", "c.jsonl"]) == FINE
    assert main(["diff", ",", "old.yaml", "--corpus", "c.jsonl"]) == COULD_NOT
    assert capsys.readouterr().err == "eventdefs: ',' names no definitions\n"


def test_without_a_corpus(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Definitions are compared as they are written, in text and JSON; `--only` asks for what notifications tell."""
    assert main(["diff", "old.yaml,old_meters.yaml", "new.yaml,new_meters.yaml"]) == FINDINGS
    assert capsys.readouterr().out == (
        "new.yaml:1:3: event definition volume.* changed: trait size: type\n"
        "new_meters.yaml:2:5: sample definition uptime changed: period.begin\n"
        "2 definitions written otherwise; --corpus says what that does to notifications\n"
    )
    assert main(["diff", "old.yaml", "new.yaml", "--format", "json"]) == FINDINGS
    [row] = json.loads(capsys.readouterr().out)["definitions"]
    assert row == {
        "what": "event definition",
        "change": "changed",
        "name": "volume.*",
        "place": "new.yaml:1:3",
        "details": ["trait size: type"],
    }
    assert main(["diff", "old.yaml", "old.yaml"]) == FINE
    assert main(["diff", "old.yaml", "new.yaml", "--only", "hours"]) == COULD_NOT


def test_json_and_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document; `--only` leaves the other kinds out, also of the exit status."""
    both = ["old.yaml,old_meters.yaml", "new.yaml,new_meters.yaml", "--corpus", "c.jsonl", "--format", "json"]
    assert main(["diff", *both]) == FINDINGS
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "notifications": 2,
        "changed": 2,
        "changes": [
            {
                "kind": "trait",
                "subject": "volume.*",
                "name": "size",
                "what": "type",
                "notifications": 1,
                "examples": [
                    {
                        "message_id": "m-1",
                        "event_type": "volume.create",
                        "place": "c.jsonl:1",
                        "old": "int 4",
                        "new": "text 4",
                    }
                ],
            }
        ],
        "hours": [
            {"meter": "uptime", "tenant": "p-1", "old": "1", "new": "0.5", "change": "-0.5", "unit": "h", "hours": "1"}
        ],
    }
    assert main(["diff", *both, "--only", "sample", "tenant"]) == FINE
    assert main(["diff", *both, "--only", "hours"]) == FINDINGS


def test_what_cannot_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Definitions with an error, a corpus that is not there: status 2. A line that is no notification is said."""
    Path("bad.yaml").write_text("- {event_type: a}")
    assert main(["diff", "old.yaml", "bad.yaml", "--corpus", "c.jsonl"]) == COULD_NOT
    assert "bad.yaml:1:3: error[E102]" in capsys.readouterr().err
    assert main(["diff", "old.yaml", "new.yaml", "--corpus", "none.jsonl"]) == COULD_NOT
    assert "none.jsonl" in capsys.readouterr().err
    Path("odd.jsonl").write_text('{"a": 1}\n')
    assert main(["diff", "old.yaml", "new.yaml", "--corpus", "odd.jsonl"]) == FINE
    assert "1 message cannot be read" in capsys.readouterr().err


def test_the_shipped_ones_compare_equal_to_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """`shipped` is what comes with eventdefs; over all samples nothing differs, and no second reading does."""
    samples = str(Path(__file__).resolve().parent.parent / "samples")
    assert main(["diff", "shipped", "shipped", "--corpus", samples]) == FINE
    assert load_definitions().fingerprint == load_definitions().fingerprint
