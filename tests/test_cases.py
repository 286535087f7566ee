"""Test files: how they are read, what a case expects, what differs and why, and what of the definitions is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from eventdefs.cases import reading
from eventdefs.cases.comparing import ABSENT, Difference, compare
from eventdefs.cases.coverage import KINDS, Coverage, Item, as_document, as_lcov, as_text, used_paths
from eventdefs.cases.edits import EditError, apply, parse_steps
from eventdefs.cases.reading import Cases, parse_cases
from eventdefs.cases.reporting import details
from eventdefs.cases.running import Broken, Result, Runner, Suite, find_test_files
from eventdefs.cases.values import same, written
from eventdefs.definitions import load_definitions, parse_definitions
from eventdefs.definitions.findings import CODES, Findings
from eventdefs.definitions.plugins import Split
from eventdefs.errors import InputError, PathSyntaxError
from tests.making import notification

VOLUMES = """\
- event_type: [volume.*, "!volume.secret"]
  traits:
    resource_id: {fields: payload.id, required: true}
    size: {type: int, fields: payload.size}
    ratio: {type: float, fields: payload.ratio}
    name: {fields: [payload.display_name, payload.name]}
    created_at: {type: datetime, fields: payload.created_at}
    zone:
      plugin: {name: split, parameters: {segment: 1, separator: "@"}}
      fields:
        - payload.host
        - payload.zone
"""
METERS = r"""
metric:
  - name: volume.size
    event_type: ['volume\.create', 'volume\.resize']
    type: gauge
    unit: GiB
    volume: $.payload.size
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    metadata: {state: $.payload.state}
  - {name: '$.payload.parts[*].name', event_type: 'volume\.parts', type: gauge, unit: GiB,
     volume: '$.payload.parts[*].size', resource_id: '$.payload.parts[*].id', lookup: [volume, resource_id, name]}
  - name: volume.uptime
    event_type: volume\.exists
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {begin: $.payload.begin, end: $.payload.end}
    dimensions: {state: $.payload.state}
"""
CREATED = """{event_type: volume.create.end, payload: {id: v-1, tenant_id: p-1, size: "4", ratio: 1, name: data,
      created_at: 2026-08-01T01:02:03Z, host: a@b, zone: c@d, state: available}}"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("volumes.yaml").write_text(VOLUMES)
    Path("meters.yaml").write_text(METERS)
    return tmp_path


def cases(*texts: str) -> str:
    """Return a test file; each of *texts* is a case without its name."""
    bodies = ["\n".join(f"    {line}" for line in text.splitlines()) for text in texts]
    named = "\n".join(f"  - name: case {number}\n{body}" for number, body in enumerate(bodies, 1))
    return f"definitions: [volumes.yaml, meters.yaml]\ncases:\n{named}\n"


def results(text: str) -> list[Result]:
    """Run the test file *text*."""
    runner = Runner()
    suite = runner.open_text("t.test.yaml", text)
    assert isinstance(suite, Suite), "\n".join(map(str, suite.findings))
    return [runner.run(suite, case) for case in suite.cases.cases]


def differences(expectation: str, given: str = CREATED) -> list[tuple[str, str, str, Any, Any]]:
    """Return the differences of one case."""
    (result,) = results(cases(f"notification: {given}\n{expectation}"))
    assert result.outcome == ("failed" if result.differences else "passed"), result.error
    return [one[:5] for one in result.differences]


def codes(text: str) -> list[tuple[str, int, int]]:
    findings = Findings()
    assert parse_cases(text, "t.test.yaml", findings) is None
    return [(one.code, one.place.line, one.place.column) for one in findings.in_order()]


# --- what is expected -------------------------------------------------------------------------------------------------

PASSES = {
    "an event": "event: {}",
    "attributes": "event: {event_type: volume.create.end, tenant: p-1, message_id: m-1, priority: info}",
    "when": "event: {generated: 2000-01-01T00:00:00Z, publisher_id: test}",
    "traits of each type": "event: {traits: {size: 4, ratio: 1.0, name: data, created_at: 2026-08-01T01:02:03Z}}",
    "a time without a zone": "event: {traits: {created_at: 2026-08-01 01:02:03}}",
    "a time in another zone": "event: {traits: {created_at: 2026-08-01T03:02:03+02:00}}",
    "missing": "missing: [display_name, nothing]",
    "a trait that is null": "event: {traits: {nothing: null}}",
    "all traits": "event: {traits: {resource_id: v-1, size: 4, ratio: 1.0, name: data, zone: b, service: test, "
    "project_id: p-1, tenant_id: p-1, created_at: 2026-08-01T01:02:03Z}}\nexactly: [traits]",
    "a sample": "samples: [{name: volume.size, volume: 4, unit: GiB, type: gauge, metadata: {state: available}}]",
    "the only sample": "samples: [{name: volume.size}]\nexactly: [samples]",
    "no periods": "periods: []\nproblems: []",
}


@pytest.mark.parametrize("expectation", PASSES.values(), ids=PASSES)
def test_what_is_as_expected(expectation: str) -> None:
    """What is named is equal, and the rest is free."""
    assert differences(expectation) == []


T = datetime(2026, 8, 1, 1, 2, 3, tzinfo=UTC)
FAILS: dict[str, tuple[str, list[tuple[str, str, str, Any, Any]]]] = {
    "a text for a number": ('event: {traits: {size: "4"}}', [("traits", "", "size", "4", 4)]),
    "a float for a number": ("event: {traits: {size: 4.0}}", [("traits", "", "size", 4.0, 4)]),
    "a number for a float": ("event: {traits: {ratio: 1}}", [("traits", "", "ratio", 1, 1.0)]),
    "a truth value for a number": ("event: {traits: {ratio: true}}", [("traits", "", "ratio", True, 1.0)]),
    "a text for a time": (
        'event: {traits: {created_at: "2026-08-01T01:02:03Z"}}',
        [("traits", "", "created_at", "2026-08-01T01:02:03Z", T)],
    ),
    "a time for a text": (
        "event: {traits: {name: 2026-08-01}}",
        [("traits", "", "name", T.replace(hour=0, minute=0, second=0), "data")],
    ),
    "no such trait": ("event: {traits: {sise: 4}}", [("traits", "", "sise", 4, ABSENT)]),
    "a trait that should be missing": ("missing: name", [("traits", "", "name", ABSENT, "data")]),
    "a trait that should be null": ("event: {traits: {name: null}}", [("traits", "", "name", ABSENT, "data")]),
    "the tenant": ("event: {tenant: p-2}", [("event", "", "tenant", "p-2", "p-1")]),
    "no tenant": ("event: {tenant: null}", [("event", "", "tenant", None, "p-1")]),
    "an event where none should be": ("no_event: true", [("event", "", "", ABSENT, "volume.create.end")]),
    "an event that should be rejected": ("rejected: true", [("event", "", "", "rejected", "volume.create.end")]),
    "a sample of another volume": (
        'samples: [{name: volume.size, volume: "4"}]',
        [("samples", "volume.size", "volume", "4", 4)],
    ),
    "a sample that is not there": (
        "samples: [{name: volume.sise}]",
        [("samples", "volume.sise", "", {"name": "volume.sise"}, ABSENT)],
    ),
    "metadata that is not there": (
        "samples: [{name: volume.size, metadata: {status: x}}]",
        [("samples", "volume.size", "metadata", {"status": "x"}, {"state": "available"})],
    ),
}


@pytest.mark.parametrize(("expectation", "expected"), FAILS.values(), ids=FAILS)
def test_what_differs(expectation: str, expected: list[tuple[str, str, str, Any, Any]]) -> None:
    """A difference is the value that was expected and the one that is there, each with its type."""
    found = differences(expectation)
    assert found == expected
    assert [type(one[3]) for one in found] == [type(one[3]) for one in expected]


def test_traits_exactly() -> None:
    """What is not named must not be there either."""
    found = differences("event: {traits: {size: 4, service: test, project_id: p-1, tenant_id: p-1}}\nexactly: true")
    assert [one[:3] for one in found] == [
        *(("traits", "", name) for name in ("resource_id", "ratio", "name", "created_at", "zone")),
        ("samples", "volume.size", ""),
    ]


def test_no_samples() -> None:
    """An empty list says that there are none."""
    ((part, row, key, expected, got),) = differences("samples: []")
    assert (part, row, key, expected, got["volume"]) == ("samples", "volume.size", "", ABSENT, 4)


PARTS = """{event_type: volume.parts, payload: {id: v-1, parts: [{name: part.size, id: a, size: 1},
      {name: part.size, id: b, size: 2}, {name: part.size, id: b, size: 3}]}}"""
MATCHES = {
    "in any order": ("[{volume: 3}, {volume: 1}, {volume: 2}]", 0),
    "the vague one gives way": ("[{resource_id: b}, {volume: 3}, {resource_id: a}]", 0),
    "and once more": ("[{}, {resource_id: b}, {volume: 3}]", 0),
    "one too few": ("[{volume: 1}, {volume: 2}, {volume: 3}, {volume: 4}]", 1),
    "one twice": ("[{volume: 1}, {volume: 1}]", 1),
}


@pytest.mark.parametrize(("rows", "count"), MATCHES.values(), ids=MATCHES)
def test_samples_of_one_meter(rows: str, count: int) -> None:
    """Each row finds a sample of its own, whatever the order, where that is possible for all."""
    named = [{"name": "part.size", **row} for row in yaml.safe_load(rows)]
    found = differences(f"samples: {written(named)}", PARTS)
    assert len(found) == count


def test_rejected() -> None:
    """A notification that its definition rejects gives no event, for either expectation."""
    given = "{event_type: volume.create.end, payload: {size: 4}}"
    assert differences("rejected: true\nproblems: [{name: resource_id, reason: required}]", given) == []
    assert differences("no_event: true", given) == []
    assert differences("event: {}", given) == [("event", "", "", "an event", "rejected")]


def test_problems() -> None:
    """A problem is known by its name; of its reason a part is enough."""
    given = "{event_type: volume.create.end, payload: {id: v-1, size: big}}"
    assert differences("problems: [{name: size, kind: trait, path: payload.size, reason: not an int}]", given) == []
    assert differences("problems: [{name: size}, {name: volume.size.volume}]\nexactly: [problems]", given) == []
    assert [one[:3] for one in differences("problems: []", given)] == [
        ("problems", "size", ""),
        ("problems", "volume.size.volume", ""),
    ]


def test_periods() -> None:
    """A claim is compared with all its times."""
    given = """{event_type: volume.exists, payload: {id: v-1, tenant_id: p-1, begin: 2026-08-01T00:00:00Z,
      end: 2026-08-01T01:00:00Z, state: available}}"""
    row = "meter: volume.uptime, begin: 2026-08-01T00:00:00Z, not_before: null, dimensions: {state: available}"
    assert differences(f"periods: [{{{row}, status: running}}]\nexactly: [periods]", given) == []
    assert differences(f"periods: [{{{row}, status: idle}}]", given) == [
        ("periods", "volume.uptime", "status", "idle", "running")
    ]


def test_options() -> None:
    """Options of definitions are those of the file."""
    text = cases("notification: {event_type: port.create.end}\nno_event: true")
    assert [one.outcome for one in results(text)] == ["failed"]
    assert [one.outcome for one in results(f"options: {{drop_unmatched_notifications: true}}\n{text}")] == ["passed"]


# --- values ----------------------------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *(0, -4, 10**30, 1.0, 1e300, -0.5, math.inf, True, False, None, T, T.replace(microsecond=4)),
    *("", "4", "4.0", "yes", "no", "null", "~", "on", "2026-08-01", "2026-08-01T01:02:03Z", "a: b", "# c", "- x"),
    *(
        "<size>",
        "'",
        '"',
        "a\nb",
        "\x1b[31m",
        "é",
        "\u2028",
        "12:30:45",
        "0x10",
        "1e3",
        ".inf",
        "!",
        "&a",
        "*a",
        "{",
        " a ",
    ),
    *([], {}, [1, "1", 1.0], {"a": {"b": [None]}, "4": 4}),
)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_again(value: Any) -> None:
    """A value on one line of YAML is the same value of the same type, alone and in braces and below a key."""
    assert "\n" not in written(value)
    for text in (f"v: {written(value)}", f"v: {{a: {written(value)}}}", written({"v": value})):
        read = yaml.safe_load(text)["v"]
        assert same(value, read["a"] if text == f"v: {{a: {written(value)}}}" else read), text


def test_same() -> None:
    """Equal and of one type, all the way down; not a number is itself."""
    for number, one in enumerate(VALUES):
        assert [same(one, other) for other in VALUES] == [place == number for place in range(len(VALUES))], one
    assert same(math.nan, math.nan)
    assert not same([1], [1.0])
    assert not same({"a": True}, {"a": 1})


def test_keys_are_text() -> None:
    """What YAML takes for a number or a time is a key as it is written, in what is given and what is expected."""
    Path("odd.yaml").write_text("- {event_type: x, traits: {'1': payload.'1', '2026-08-01': payload.'2026-08-01'}}\n")
    text = cases(
        "notification: {event_type: x, payload: {1: a, 2026-08-01: b, null: c}, 4: e}\n"
        "event: {traits: {1: a, 2026-08-01: b}}"
    )
    assert [one.outcome for one in results(text.replace("volumes.yaml", "odd.yaml"))] == ["passed"]


# --- edits -----------------------------------------------------------------------------------------------------------

BODY = {"payload": {"size": 4, "a.b": {"c": 1}, "nics": [{"ip": "x"}, {"ip": "y"}], "text": "t"}}
EDITS: dict[str, tuple[str, str, Any]] = {
    "set": ("set", "{payload.size: 5}", ("size", 5)),
    "set what is not there": ("set", "{payload.new.deep: 5}", ("new", {"deep": 5})),
    "set under a key with a dot": ("set", "{\"payload.'a.b'.c\": 2}", ("a.b", {"c": 2})),
    "set in a list": ("set", "{'payload.nics[1].ip': z}", ("nics", [{"ip": "x"}, {"ip": "z"}])),
    "set a time": ("set", "{payload.size: 2026-08-01 01:02:03}", ("size", "2026-08-01 01:02:03")),
    "set a mapping": ("set", "{payload.size: {a: [1, 2026-08-01]}}", ("size", {"a": [1, "2026-08-01"]})),
    "remove an item": ("remove", "'payload.nics[0]'", ("nics", [{"ip": "y"}])),
    "append": ("append", "{payload.nics: {ip: z}}", ("nics", [{"ip": "x"}, {"ip": "y"}, {"ip": "z"}])),
    "append to what is not there": ("append", "{payload.new: 1}", ("new", [1])),
}


def edited(kind: str, text: str) -> dict[str, Any]:
    findings = Findings()
    read = parse_cases(cases(f"notification: {{event_type: x}}\n{kind}: {text}\nevent: {{}}"), "t.test.yaml", findings)
    assert read is not None, findings.in_order()
    return apply(read.cases[0].edits, BODY)


@pytest.mark.parametrize(("kind", "text", "expected"), EDITS.values(), ids=EDITS)
def test_edits(kind: str, text: str, expected: tuple[str, Any]) -> None:
    """An edit changes one place of a copy."""
    before = repr(BODY)
    assert edited(kind, text)["payload"] == {**BODY["payload"], expected[0]: expected[1]}
    assert repr(BODY) == before


def test_remove_a_key() -> None:
    """What is removed is not there any more."""
    assert "size" not in edited("remove", "payload.size")["payload"]


BAD_EDITS = {
    "a key that is not there": (
        "remove",
        "payload.sise",
        "payload has no key 'sise'",
        "size, a.b, nics, text (did you",
    ),
    "into a text": ("set", "{payload.text.x: 1}", "payload.text is a text, so that it has no key 'x'", ""),
    "into a list": ("set", "{payload.nics.x: 1}", "payload.nics is a list, so that it has no key 'x'", ""),
    "beyond a list": ("set", "{'payload.nics[2]': 1}", "payload.nics has 2 items, so that there is no [2]", ""),
    "an index of a mapping": ("remove", "'payload[0]'", "payload is a mapping, no list", ""),
    "append to a text": (
        "append",
        "{payload.text: 1}",
        "payload.text is a text, and nothing can be appended to it",
        "",
    ),
}


@pytest.mark.parametrize(("kind", "text", "message", "hint"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_edits_that_do_not_fit(kind: str, text: str, message: str, hint: str) -> None:
    """What a recorded notification does not have is said, with what it has."""
    with pytest.raises(EditError) as caught:
        edited(kind, text)
    assert str(caught.value) == message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "path", ["payload.nics[*]", "$", "payload..x", "payload.a|payload.b", "payload.`len`", "a[1:2]"]
)
def test_paths_of_edits(path: str) -> None:
    """An edit names one place."""
    with pytest.raises(PathSyntaxError):
        parse_steps(path)


def test_metadata_can_be_edited() -> None:
    """Paths begin where definitions look, and the notification is read again after the edits."""
    text = cases(
        f"notification: {CREATED}\nset: {{metadata.message_id: m-9, event_type: volume.resize.end, priority: error,"
        " metadata.timestamp: 2026-08-02 00:00:00, ctxt.request_id: r-1}\n"
        "event: {message_id: m-9, event_type: volume.resize.end, priority: error, generated: 2026-08-02,"
        " traits: {request_id: r-1}}"
    )
    assert [one.outcome for one in results(text)] == ["passed"]


# --- each ------------------------------------------------------------------------------------------------------------


def test_each() -> None:
    """Values keep their types, names fill in texts, and each row is a case with a name of its own."""
    text = cases(
        f"""\
each:
  - {{size: "1", want: 1, at: 2026-08-01T00:00:00Z, label: a}}
  - {{size: 2, want: 2, at: 2026-08-02T00:00:00Z, label: b}}
  - {{size: big, want: null, at: 2026-08-03T00:00:00Z, label: c}}
notification: {CREATED}
set: {{payload.size: <size>, payload.created_at: <at>, payload.display_name: "n-<label>"}}
event: {{traits: {{size: <want>, created_at: <at>, name: n-<label>}}}}"""
    ).replace("case 1", "of <size> GiB")
    found = results(text)
    assert [(one.case.name, one.outcome) for one in found] == [
        ("of 1 GiB", "passed"),
        ("of 2 GiB", "passed"),
        ("of big GiB", "passed"),
    ]
    assert [one.conversion and one.conversion.event and one.conversion.event.traits["name"] for one in found] == [
        *("n-a", "n-b", "n-c")
    ]


def test_names_of_each() -> None:
    """Without a value in its name a case has them added; what is in angle brackets and no name stays as it is."""
    text = cases("each: [{a: 1}, {a: 2}]\nnotification: {event_type: volume.x, payload: {id: <id>, n: <a>}}\nevent: {}")
    read = parse_cases(text, "t.test.yaml", Findings())
    assert isinstance(read, Cases)
    assert [one.name for one in read.cases] == ["case 1 [a=1]", "case 1 [a=2]"]
    assert [one.notification["payload"] for one in read.cases if isinstance(one.notification, dict)] == [
        {"id": "<id>", "n": 1},
        {"id": "<id>", "n": 2},
    ]


# --- files with errors -----------------------------------------------------------------------------------------------

N = "notification: {event_type: a}"
ERRORS = {
    "empty": ("", [("E601", 0, 0)]),
    "definitions": ("- event_type: a\n  traits: {}\n", [("E601", 1, 1)]),
    "no cases": ("case: []\n", [("E601", 1, 1)]),
    "no YAML": ("cases: [\n", [("E001", 2, 1)]),
    "cases that are no list": ("cases: {a: b}\n", [("E101", 1, 8)]),
    "a key of the file": ("cases: []\ndefinition: a.yaml\n", [("E602", 2, 1)]),
    "an option": ("options: {drop_unmatched: true}\ncases: []\n", [("E602", 1, 11)]),
    "a value of an option": ("options: {reserved_metadata_length: x}\ncases: []\n", [("E101", 1, 10)]),
    "no name": (f"cases:\n  - {N}\n    event: {{}}\n", [("E102", 2, 5)]),
    "a name that is no text": (f"cases:\n  - {N}\n    event: {{}}\n    name: no\n", [("E101", 4, 11)]),
    "no notification": (cases("event: {}"), [("E102", 3, 5)]),
    "a notification that is none": (cases("notification: 4\nevent: {}"), [("E101", 4, 19)]),
    "a notification without a name": (cases("notification: ''\nevent: {}"), [("E101", 4, 19)]),
    "a name that no file has": (cases('notification: "a\\0b"\nevent: {}'), [("E101", 4, 19)]),
    "definitions that no file has": ('definitions: ["a\\0b"]\ncases: []\n', [("E101", 1, 15)]),
    "a number of an inline one": (cases(f"{N}\nnumber: 1\nevent: {{}}"), [("E101", 5, 13)]),
    "a number below 1": (cases("notification: a.json\nnumber: 0\nevent: {}"), [("E101", 5, 13)]),
    "nothing is expected": (cases(N), [("E603", 3, 5)]),
    "a key of a case": (cases(f"{N}\nevents: {{}}\nevent: {{}}"), [("E602", 5, 5)]),
    "a key of an event": (cases(f"{N}\nevent: {{trait: {{}}}}"), [("E602", 5, 13)]),
    "a key of a sample": (cases(f"{N}\nsamples: [{{name: a, volum: 1}}]"), [("E602", 5, 25)]),
    "a sample without a name": (cases(f"{N}\nsamples: [{{volume: 1}}]"), [("E102", 5, 15)]),
    "a sample that is a text": (cases(f"{N}\nsamples: [a]"), [("E101", 5, 15)]),
    "samples that are no list": (cases(f"{N}\nsamples: {{name: a}}"), [("E101", 5, 14)]),
    "traits that are no mapping": (cases(f"{N}\nevent: {{traits: [a]}}"), [("E101", 5, 21)]),
    "two of one name": (cases(f"{N}\nevent: {{}}", f"{N}\nevent: {{}}").replace("e 2", "e 1"), [("E604", 6, 5)]),
    "no event and an event": (cases(f"{N}\nno_event: true\nevent: {{}}"), [("E605", 6, 5)]),
    "rejected and samples": (cases(f"{N}\nrejected: true\nsamples: []"), [("E605", 6, 5)]),
    "there and missing": (cases(f"{N}\nevent: {{traits: {{a: b}}}}\nmissing: [a]"), [("E605", 6, 15)]),
    "no flag": (cases(f"{N}\nno_event: maybe"), [("E101", 5, 15)]),
    "exactly what": (cases(f"{N}\nevent: {{}}\nexactly: [trait]"), [("E105", 6, 15)]),
    "a path of an edit": (cases(f"{N}\nset: {{'payload.a[*]': 1}}\nevent: {{}}"), [("E606", 5, 11)]),
    "a path that is none": (cases(f"{N}\nremove: 'payload.['\nevent: {{}}"), [("E606", 5, 13)]),
    "each that is no list": (cases(f"{N}\neach: {{a: 1}}\nevent: {{}}"), [("E101", 5, 11)]),
    "each that is empty": (cases(f"{N}\neach: []\nevent: {{}}"), [("E101", 5, 11)]),
    "each of two kinds": (cases(f"{N}\neach: [{{a: 1}}, {{b: 1}}]\nevent: {{}}"), [("E101", 5, 20)]),
    "a name of each": (
        cases(f"{N}\neach: [{{size: 1}}]\nevent: {{traits: {{a: <sise>}}}}"),
        [("E602", 6, 25)],
    ),
    "what contains itself": (
        cases("notification: &a {event_type: x, payload: *a}\nevent: {}"),
        [("E003", 4, 19), ("E101", 4, 19)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_errors(text: str, expected: list[tuple[str, int, int]]) -> None:
    """Every error of a test file is said, at its place."""
    assert codes(text) == expected


def test_an_error_shows_its_line() -> None:
    """As any finding: the line, a caret and what was probably meant."""
    findings = Findings()
    parse_cases(cases(f"notifcation: a.json\n{N}\nevent: {{}}"), "t.test.yaml", findings)
    (finding,) = findings.in_order()
    assert str(finding).splitlines()[:3] == [
        "t.test.yaml:4:5: error[E602]: unknown key 'notifcation' in the case 'case 1'",
        "   |",
        " 4 |     notifcation: a.json",
    ]
    assert "(did you mean 'notification'?)" in finding.hint


UNREADABLE = {
    "a file that is not there": ("notification: nothing.json", "nothing.json: No such file or directory"),
    "a file without a notification": ("notification: empty.json", "empty.json has 0 notifications"),
    "several": ("notification: two.jsonl", "two.jsonl has 2 notifications"),
    "one too many": (
        "notification: two.jsonl\nnumber: 3",
        "two.jsonl has 2 notifications, and no number 3",
    ),
    "no notification": ("notification: broken.json", "broken.json: not a notification: no message_id"),
    "an inline one": ("notification: {payload: {}}", "not a notification: no event_type"),
    "one that an edit took away": (
        f"notification: {CREATED}\nremove: metadata.message_id",
        "not a notification: no message_id",
    ),
    "an edit": (f"notification: {CREATED}\nremove: payload.nothing", "payload has no key 'nothing'"),
}


@pytest.mark.parametrize(("given", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_notifications_that_cannot_be_read(given: str, message: str) -> None:
    """Such a case could not run, which is no failure; the other cases of the file do."""
    Path("empty.json").write_text("")
    Path("two.jsonl").write_text('{"message_id": "1", "event_type": "a", "timestamp": "2026-08-01"}\n' * 2)
    Path("broken.json").write_text('{"event_type": "a", "timestamp": "2026-08-01"}')
    first, second = results(cases(f"{given}\nevent: {{}}", f"notification: {CREATED}\nevent: {{}}"))
    assert (first.outcome, second.outcome) == ("error", "passed")
    assert first.error is not None
    assert (first.error.code, first.error.message) == ("E608" if "no key" in message else "E607", message)
    assert first.error.place.line > 3


def test_every_code_of_tests_occurs() -> None:
    """There is no code of test files that no test has seen."""
    seen = {code for _, found in ERRORS.values() for code, *_ in found} | {"E607", "E608"}
    assert {code for code in CODES if code.startswith("E6")} <= seen


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("latin.test.yaml", b"cases: [\xe9]", "E002"),
        ("wrong.test.yaml", b"definitions: wrong.yaml\ncases: []\n", "E101"),
        ("none.test.yaml", b"definitions: none.yaml\ncases: []\n", "E002"),
    ],
)
def test_files_that_cannot_run(file: str, text: bytes, code: str) -> None:
    """A file that cannot be read, or whose definitions cannot be used, is said with all that is wrong."""
    Path("wrong.yaml").write_text("- event_type: 4\n  traits: {}\n")
    Path(file).write_bytes(text)
    broken = Runner().open(file)
    assert isinstance(broken, Broken)
    assert [one.code for one in broken.findings] == [code]


def test_find_test_files() -> None:
    """Directories are searched, sorted; hidden folders are not; a file that is named is taken whatever its name."""
    for name in ("b/z.test.yaml", "b/a.test.yaml", ".tox/x.test.yaml", "b/definitions.yaml", "c.test.yaml", "odd.yml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("cases: []\n")
    assert find_test_files(["."]) == ["c.test.yaml", "b/a.test.yaml", "b/z.test.yaml"]
    assert find_test_files(["odd.yml", "b", "b/a.test.yaml"]) == ["odd.yml", "b/a.test.yaml", "b/z.test.yaml"]
    with pytest.raises(InputError, match="nothing: there is no such file"):
        find_test_files(["nothing"])
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no file ends with \.test\.yaml"):
        find_test_files(["empty"])


def test_a_directory_of_definitions_may_have_tests() -> None:
    """Loading passes test files over."""
    Path("t.test.yaml").write_text(cases(f"{N}\nevent: {{}}"))
    assert len(load_definitions(".").events) == 1


# --- causes ----------------------------------------------------------------------------------------------------------

CAUSES = {
    "a key that is not there": (
        "event: {traits: {name: x}}",
        "volumes.yaml:6:5: trait name: payload.display_name finds nothing: payload has no key 'display_name'",
    ),
    "the path that counts": ("event: {traits: {name: x}}", "volumes.yaml:6:5: trait name: payload.name gives data"),
    "a plugin": ("event: {traits: {zone: x}}", "volumes.yaml:8:5: trait zone: payload.host gives a@b to split"),
    "a trait that no definition has": (
        "event: {traits: {sise: 4}}",
        "volumes.yaml:1:3: volume.* !volume.secret has no trait sise (did you mean 'size'?)",
    ),
    "a meter of other events": ("samples: [{name: volume.uptime}]", "volume.uptime is not for volume.create.end"),
    "a meter that is none": (
        "samples: [{name: volume.sise}]",
        "no sample definition is called volume.sise (did you mean",
    ),
    "an attribute": (
        "samples: [{name: volume.size, unit: GB}]",
        "meters.yaml:6:11: volume.size.unit: it is GiB, as the definition says",
    ),
}


@pytest.mark.parametrize(("expectation", "line"), CAUSES.values(), ids=CAUSES)
def test_causes(expectation: str, line: str) -> None:
    """A failure says which definition the value comes from, and what its paths met."""
    (result,) = results(cases(f"notification: {CREATED}\n{expectation}"))
    assert line in "\n".join(details(result))


def test_a_failure() -> None:
    """What is expected and what there is, the cause, and problems that are not said yet."""
    given = "{event_type: volume.create.end, payload: {id: v-1, size: big, ratio: x}}"
    (result,) = results(cases(f"notification: {given}\nevent: {{tenant: p-1, traits: {{size: 4}}}}"))
    assert details(result) == [
        "  --- expected",
        "  +++ got",
        "    event:",
        "  -   tenant: p-1",
        "  +   tenant: null",
        "    traits:",
        "  -   size: 4",
        "  because",
        "    no tenant is found in the notification",
        "    volumes.yaml:4:5: trait size: not an int: invalid literal for int() with base 10: 'big' [payload.size]",
        "  problems",
        "    volumes.yaml:5:5: trait ratio: not a float: could not convert string to float: 'x'",
        "    meters.yaml:7:13: sample volume.size.volume: not a number",
    ]


# --- coverage --------------------------------------------------------------------------------------------------------


def covered(*texts: str) -> Coverage:
    """Return what cases with these notifications reach."""
    coverage = Coverage()
    definitions = load_definitions("volumes.yaml", "meters.yaml")
    coverage.add_definitions(definitions)
    for text in texts:
        document = yaml.load(text, Loader=yaml.BaseLoader)
        one = notification(document.get("payload"), event_type=document["event_type"])
        coverage.add(definitions, one, definitions.convert(one))
    return coverage


def reached(coverage: Coverage, kind: str) -> list[str]:
    return [item.name for item, hits in coverage.hits.items() if item.kind == kind and hits]


def test_nothing_is_reached() -> None:
    """Definitions that no case is about are all there, and none of them is reached."""
    coverage = covered()
    assert coverage.counts() == {
        "definitions": (0, 1),
        "patterns": (0, 6),
        "traits": (0, 6),
        "alternatives": (0, 4),
        "meters": (0, 2),
        "attributes": (0, 20),
        "periods": (0, 1),
    }
    assert coverage.percent == 0
    assert Coverage().percent == 100


def test_what_is_reached() -> None:
    """A trait that the event has, the path that gave it, the glob that matched, the meter that gave a sample."""
    coverage = covered(CREATED)
    assert {kind: reached(coverage, kind) for kind in KINDS} == {
        "definitions": ["volume.* !volume.secret"],
        "patterns": ["volume.*", r"volume\.create"],
        "traits": ["resource_id", "size", "ratio", "name", "created_at", "zone"],
        "alternatives": ["name: payload.name", "zone: payload.host"],
        "meters": ["volume.size"],
        "attributes": ["name", "type", "volume", "unit", "project_id", "resource_id", "metadata.state"],
        "periods": [],
    }


def test_what_was_kept_away() -> None:
    """An exclusion is reached where it excludes; nothing else of its definition is then."""
    coverage = covered("{event_type: volume.secret, payload: {id: v-1, size: 4}}")
    assert [item.name for item, hits in coverage.hits.items() if hits] == ["!volume.secret"]


def test_what_is_rejected() -> None:
    """A definition that rejects is reached; its traits are not."""
    coverage = covered("{event_type: volume.create.end, payload: {size: 4}}")
    assert [item.name for item, hits in coverage.hits.items() if hits] == ["volume.* !volume.secret", "volume.*"]


def test_periods_and_lookups_are_reached() -> None:
    """A claim reaches its definition, and several samples of one notification theirs."""
    exists = "{event_type: volume.exists, payload: {id: v-1, begin: 2026-08-01T00:00:00Z, end: 2026-08-01T01:00:00Z}}"
    coverage = covered(PARTS, exists)
    assert (reached(coverage, "meters"), reached(coverage, "periods")) == (
        ["$.payload.parts[*].name"],
        ["volume.uptime"],
    )
    missed = [item.name for item in coverage.missed() if item.of == "volume.uptime"]
    assert missed == ["project_id", "dimensions.state"]


ALTERNATIVES: dict[str, tuple[str, dict[str, Any], Sequence[int]]] = {
    "the first that is there": ("[payload.a, payload.b]", {"a": 1, "b": 2}, (0,)),
    "the second": ("[payload.a, payload.b]", {"a": None, "b": 2}, (1,)),
    "none": ("[payload.a, payload.b]", {}, ()),
    "a constant": ("4", {}, ()),
    "a path that fails": ("['payload.a.`sub(/x/, )`', payload.b]", {"b": 2}, (1,)),
    "a plugin, the first value": ("[payload.a, payload.b], plugin: split", {"a": "x.y", "b": "z"}, (0,)),
    "a plugin, the second": ("[payload.a, payload.b], plugin: split", {"b": "z"}, (1,)),
    "a plugin, a later value": (
        "[payload.a, payload.b], plugin: {name: split, parameters: {segment: 1}}",
        {"a": "x", "b": "y.z"},
        (1,),
    ),
    "a plugin of all": (
        "[payload.a, payload.b], plugin: timedelta",
        {"a": "2026-08-01T00:00:00", "b": "2026-08-01T01:00:00"},
        (0, 1),
    ),
    "a plugin of all, one missing": ("[payload.a, payload.b], plugin: timedelta", {"a": "2026-08-01T00:00:00"}, ()),
    "a plugin with one value of several": (
        "[payload.a, payload.b], plugin: {name: bitfield, parameters: {flags: [{path: payload.a, bit: 1}]}}",
        {"a": 1, "b": 2},
        (0, 1),
    ),
    "a map": (
        "[payload.a, payload.b], plugin: {name: map, parameters: {values: {x: 1}}}",
        {"a": "q", "b": "x"},
        (1,),
    ),
    "a plugin that fails": (
        "[payload.a, payload.b], plugin: {name: map, parameters: {values: {x: 1}}}",
        {"a": [], "b": "x"},
        (),
    ),
}


@pytest.mark.parametrize(("fields", "payload", "expected"), ALTERNATIVES.values(), ids=ALTERNATIVES)
def test_which_path_gave_the_value(fields: str, payload: dict[str, Any], expected: Sequence[int]) -> None:
    """The path is the one whose value the trait has; without the others the trait stays the same."""
    definitions = parse_definitions(f"- event_type: x\n  traits:\n    t: {{fields: {fields}}}\n")
    (trait,) = (one for one in definitions.events[0].traits if one.name == "t")
    body = {"payload": payload}
    used = used_paths(trait.fields, body)
    assert used == tuple(expected)
    if used:
        alone = trait.fields._replace(paths=tuple(trait.fields.paths[number] for number in used))
        assert trait.fields.first(body) == alone.first(body)


class Third:
    """A third party's plugin, which fails as it likes."""

    several: ClassVar[bool] = True
    fields: ClassVar[int | None] = None

    def trait_values(self, matches: Any) -> Any:
        raise KeyError("oops")


def test_a_plugin_of_a_third_party() -> None:
    """One that fails reaches nothing; one that gives no list of values neither."""
    definitions = parse_definitions(
        "- event_type: x\n  traits:\n    t: {fields: [payload.a, payload.b], plugin: split}\n"
    )
    (trait,) = (one for one in definitions.events[0].traits if one.name == "t")
    assert isinstance(trait.fields.plugin, Split)
    assert used_paths(trait.fields._replace(plugin=Third()), {"payload": {"a": "x"}}) == ()


def test_coverage_is_counted_once_for_an_anchor() -> None:
    """What stands once in the file is one thing, and reached through any of its definitions."""
    text = "- event_type: a\n  traits: &t {x: payload.x}\n- event_type: b\n  traits: *t\n"
    definitions = parse_definitions(text)
    coverage = Coverage()
    one = notification({"x": 1}, event_type="b")
    coverage.add(definitions, one, definitions.convert(one))
    assert coverage.counts()["traits"] == (1, 1)
    assert coverage.counts()["definitions"] == (1, 2)
    assert [(item.kind, item.name, item.place.line) for item in coverage.missed()] == [
        ("definitions", "a", 1),
        ("patterns", "a", 1),
    ]


def test_lcov() -> None:
    """Each line counts what begins on it; alternatives and patterns of which there are several are branches."""
    text = as_lcov(covered(CREATED, CREATED)).split("end_of_record\n")
    assert text[0].splitlines() == [
        "TN:",
        "SF:volumes.yaml",
        "FN:1,volume.* !volume.secret",
        "FNDA:2,volume.* !volume.secret",
        "FNF:1",
        "FNH:1",
        *("BRDA:1,0,0,2", "BRDA:1,0,1,0", "BRDA:6,1,0,0", "BRDA:6,1,1,2", "BRDA:11,2,0,2", "BRDA:11,2,1,0"),
        "BRF:6",
        "BRH:3",
        *("DA:1,2", "DA:3,2", "DA:4,2", "DA:5,2", "DA:6,2", "DA:7,2", "DA:8,2", "DA:11,2", "DA:12,0"),
        "LF:9",
        "LH:8",
    ]
    assert "FNDA:0,$.payload.parts[*].name" in text[1].splitlines()


def test_coverage_as_text_and_document() -> None:
    """The table and the document say the same, and what was not reached."""
    coverage = covered(CREATED)
    text, document = as_text(coverage, shown=2), as_document(coverage)
    assert "  traits            6 of 6      100 %\n  alternatives      2 of 4      50 %\n" in text
    assert "  volumes.yaml:1:26: pattern !volume.secret of volume.* !volume.secret\n" in text
    assert f"  and {len(coverage.missed()) - 2} more" in text
    assert document["files"]["volumes.yaml"]["alternatives"] == {"reached": 2, "all": 4}
    assert sum(item["hits"] > 0 for item in document["items"]) / len(document["items"]) == pytest.approx(
        document["percent"] / 100, abs=0.0001
    )


def test_only_all_is_all() -> None:
    """99.99 % is not written as 100."""
    coverage = covered(CREATED)
    item = next(iter(coverage.hits))
    assert isinstance(item, Item)
    assert "100 %" not in as_text(coverage).splitlines()[-1]


def test_the_keys_of_a_case_are_those_of_what_is_compared() -> None:
    """What an expectation may name, the value has."""
    assert set(reading.NAMED) == set(reading.LISTS) < set(reading.PARTS)
    assert {*reading.EXPECTATIONS} <= {*reading.CASE_KEYS}
    (result,) = results(cases(f"notification: {CREATED}\nevent: {{}}"))
    assert result.conversion is not None
    assert result.case.expected is not None
    assert compare(result.case.expected, result.conversion) == ()
    assert Difference("traits", "", "a", ABSENT, 1).got == 1
