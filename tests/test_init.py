"""Proposed definitions: what they say, that they lint clean and convert what they were made of, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import (
    Definitions,
    Notification,
    decode_notification,
    decode_notifications,
    parse_definitions,
)
from eventdefs.cases.running import Runner, Suite
from eventdefs.consumers.files import find_files, read_messages
from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.lint import lint_texts
from eventdefs.definitions.lint.corpus import lint_corpus
from eventdefs.definitions.propose import Proposal, propose
from eventdefs.definitions.propose.grouping import escaped, resource_of
from eventdefs.definitions.propose.meters import expression
from tests.conformance.data import ABSENT, FOLDER
from tests.making import notification
from tests.property import examples
from tests.property.strategies import scalars
from tests.test_cli import line, run

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def propose_for(*rows: Notification, **options: Any) -> Proposal:
    return propose(Corpus.of(rows), **options)


def body(text: str) -> str:
    """Return *text* without the comment at its head and without comments that stand alone."""
    return "".join(f"{line}\n" for line in text.splitlines() if line and not line.startswith("#"))


def read_file(file: str) -> list[Notification]:
    found = [one for message in read_messages(file) for one in decode_notifications(message.data)]
    return [one for one in found if isinstance(one, Notification)]


def check(rows: Iterable[Notification], **options: Any) -> None:
    """Check that what is proposed for *rows* has no finding and no problem, and covers them."""
    rows = list(rows)
    corpus = Corpus.of(rows)
    proposal = propose(corpus, **options)
    texts = [(name, text) for name, text in (("d.yaml", proposal.events), ("m.yaml", proposal.meters)) if text]
    report = lint_texts(texts)
    said = [*report.findings, *lint_corpus(report, corpus)]
    unsaid = {name for name in corpus.event_types if name not in proposal.event_types}
    found = [str(one) for one in said if not (one.code == "N502" and any(name in one.message for name in unsaid))]
    assert found == [], proposal.events + proposal.meters
    for one in rows:
        if one.event_type in proposal.event_types:
            conversion = report.definitions.convert(one)
            assert (conversion.unmatched, conversion.problems) == (False, ())
            # What a test of it would expect is what the notification gives again.
            assert report.definitions.convert(one) == conversion


# --- what is proposed ---

VOLUME = {
    "volume_id": "5e3e9a94-2a9e-4642-b3c8-f0f0eefef251",
    "tenant_id": "p-1",
    "user_id": "u-1",
    "size": 4,
    "display_name": "data",
    "created_at": "2026-08-01 09:59:58",
    "launched_at": "",
    "service": "cinder",
    "bootable": True,
    "ratio": 1.5,
    "admin_password": "s3cret",
    "description": "x" * 2000,
    "metadata": {"anything": "goes"},
    "nodes": [{"name": "a"}],
    "nothing": None,
    "type": {"id": "t-1", "name": "fast"},
}


def test_types_names_and_what_is_left_out() -> None:
    """Ids and truth values stay text; secrets, lists, long texts and what users fill in are left out."""
    rows = [
        notification({**VOLUME, "launched_at": "2026-08-01T10:00:00Z"}, event_type="volume.create.end"),
        notification(VOLUME, event_type="volume.create.start"),
    ]
    assert (
        propose_for(*rows).events
        == """\
# Event definitions proposed by `eventdefs init` from 2 notifications of 2 event types.
# Read them before you use them: names, types and what is worth keeping are for you to decide. The comment
# beside a trait is a recorded value, and how often there is one where that is not always.

# volume: 2 notifications of 2 event types.
# Left out, a secret: payload.admin_password.
# Left out, long text: payload.description.
# Left out, filled by users: payload.metadata.
# Left out, a list: payload.nodes.
- event_type: volume.*
  traits:
    resource_id: payload.volume_id  # 5e3e9a94-2a9e-4642-b3c8-f0f0eefef251
    size: {fields: payload.size, type: int}  # 4
    display_name: payload.display_name  # data
    created_at: {fields: payload.created_at, type: datetime}  # 2026-08-01 09:59:58
    launched_at: {fields: payload.launched_at, type: datetime}  # 2026-08-01T10:00:00Z; in 1 of 2
    volume_service: payload.service  # cinder
    bootable: payload.bootable  # True
    ratio: {fields: payload.ratio, type: float}  # 1.5
    type_id: payload.type.id  # t-1
    type_name: payload.type.name  # fast
"""
    )


TYPES: dict[str, tuple[list[Any], str]] = {
    "whole numbers": ([1, 2], "int"),
    "whole numbers and null": ([1, None], "int"),
    "whole numbers and nothing": ([1, ""], "int"),
    "numbers": ([1, 2.5], "float"),
    "a number too large for a float": ([10**400], "text"),
    "truth values": ([True, False], "text"),
    "a truth value and a number": ([True, 2], "text"),
    "digits in texts": (["1", "2"], "text"),
    "a number and a text": ([1, "one"], "text"),
    "times": (["2026-08-01 01:02:03", "2026-08-01T01:02:03.5+02:00"], "datetime"),
    "a time and a date": (["2026-08-01 01:02:03", "2026-08-01"], "text"),
    "years": (["2026", "2025"], "text"),
    "times and null": (["2026-08-01 01:02:03", None, ""], "datetime"),
    "no number": ([float("nan"), 1], "float"),
}


@pytest.mark.parametrize(("values", "expected"), TYPES.values(), ids=TYPES)
def test_types_hold_every_value(values: list[Any], expected: str) -> None:
    """The type is decided by all values that were seen."""
    rows = [notification({"x": value}) for value in values]
    [definition] = parse_definitions(propose_for(*rows).events).events
    assert {trait.name: trait.type.word for trait in definition.traits}["x"] == expected
    check(rows)


NAMED_TYPES = {
    "size_gb": (["4", "8"], "int"),
    "instance_type_id": ([7, 8], "text"),
    "disk_size": (["4", "much"], "text"),
    "used_gb": (["0.5", 1], "float"),
    "memory_mb": (["007"], "text"),
}


@pytest.mark.parametrize("name", NAMED_TYPES)
def test_names_say_what_digits_are(name: str) -> None:
    """Amounts are numbers even as texts, ids are texts even as numbers."""
    values, expected = NAMED_TYPES[name]
    [definition] = parse_definitions(propose_for(*(notification({name: value}) for value in values)).events).events
    assert {trait.name: trait.type.word for trait in definition.traits}[name] == expected


def test_event_types_of_a_resource_share_traits() -> None:
    """A definition of all, and one that adds to it for an event type that has more."""
    common = {"instance_id": "i-1", "host": "cmp-1"}
    rows = [
        notification(common, event_type="compute.instance.create.start"),
        notification({**common, "fault": "no host"}, event_type="compute.instance.create.error"),
        notification({**common, "audit": 1}, event_type="compute.instance.exists"),
        notification({"volume": 2}, event_type="compute.instances.count"),
    ]
    assert (
        body(propose_for(*rows).events)
        == """\
- event_type: compute.instance.*
  traits: &compute_instance
    resource_id: payload.instance_id  # i-1
    host: payload.host  # cmp-1
- event_type: compute.instance.create.error
  traits:
    <<: *compute_instance
    fault: payload.fault  # no host
- event_type: compute.instance.exists
  traits:
    <<: *compute_instance
    audit: {fields: payload.audit, type: int}  # 1
- event_type: compute.instances.count
  traits:
    volume: {fields: payload.volume, type: int}  # 2
"""
    )
    assert "compute.instance.*" not in propose_for(*rows, per_event_type=True).events


def test_one_trait_at_different_places() -> None:
    """Legacy and versioned, wrapped and bare: the paths of a trait are tried in order."""
    rows = [
        notification({"volume_id": "v-1", "host": "h", "tenant_id": "p"}, event_type="volume.exists"),
        notification(
            {"nova_object.name": "X", "nova_object.data": {"volume_id": "v-1", "host": "h", "project_id": "p"}},
            event_type="volume.usage",
            ctxt={"project_id": "acting"},
        ),
    ]
    assert (
        body(propose_for(*rows).events)
        == """\
- event_type: volume.*
  traits:
    resource_id: [payload.volume_id, payload.'nova_object.data'.volume_id]  # v-1
    project_id: [payload.tenant_id, payload.'nova_object.data'.project_id, ctxt.project_id]  # p
    host: [payload.host, payload.'nova_object.data'.host]  # h
"""
    )


RESOURCES: dict[str, tuple[str, dict[str, Any], str]] = {
    "its own id": ("port.create.end", {"port": {"id": "1", "network_id": "2"}}, "payload.port.id"),
    "named after it": ("volume.create.end", {"id": "0", "volume_id": "1"}, "payload.volume_id"),
    "uuid": ("baremetal.node.update.end", {"uuid": "1"}, "payload.uuid"),
    "an audit": ("identity.user.created", {"typeURI": "t", "id": "e", "target": {"id": "1"}}, "payload.target.id"),
    "keystone": ("identity.user.created", {"resource_info": "1"}, "payload.resource_info"),
}


@pytest.mark.parametrize(("event_type", "payload", "path"), RESOURCES.values(), ids=RESOURCES)
def test_the_resource(event_type: str, payload: dict[str, Any], path: str) -> None:
    """The id of what the event is about is its resource_id; that of an audited event is not."""
    text = propose_for(notification(payload, event_type=event_type)).events
    [definition] = yaml.safe_load(text)
    assert definition["traits"]["resource_id"] == path


def test_names_never_clash() -> None:
    """Not with each other, nor with the traits that every event has."""
    payload = {
        "a-b": 1,
        "a_b": 2,
        "aB": 3,
        "request_id": "r",
        "x": {"name": "n", "user_id": "u"},
        "y": {"name": "m", "deep": {"name": "o", "only": 4}},
        "on": 5,
        "1st": 6,
    }
    text = propose_for(notification(payload)).events
    [definition] = yaml.safe_load(text)
    assert definition["traits"] == {
        "a_b": {"fields": "payload.a-b", "type": "int"},
        "a_b_2": {"fields": "payload.a_b", "type": "int"},
        "a_b_3": {"fields": "payload.aB", "type": "int"},
        "volume_request_id": "payload.request_id",
        "x_name": "payload.x.name",
        "x_user_id": "payload.x.user_id",
        "y_name": "payload.y.name",
        "deep_name": "payload.y.deep.name",
        "only": {"fields": "payload.y.deep.only", "type": "int"},
        "on": {"fields": "payload.on", "type": "int"},
        "_1st": {"fields": "payload.'1st'", "type": "int"},
    }


GROUPS = {
    "volume.create.start": "volume",
    "compute.instance.live_migration.pre.end": "compute.instance",
    "identity.OS-TRUST:trust.created": "identity.OS-TRUST:trust",
    "objectstore.http.request": "objectstore.http",
    "image": "image",
    "create": "create",
    "": "",
    "..": ".",
}


@pytest.mark.parametrize("event_type", GROUPS)
def test_what_an_event_type_is_about(event_type: str) -> None:
    assert resource_of(event_type) == GROUPS[event_type]


@examples(200)
@given(st.text(st.sampled_from("ab.*?[]!^-\\(|)"), max_size=8), st.text(st.sampled_from("ab.*?[]!^-\\(|)"), max_size=8))
def test_escaped_event_types_match_themselves_alone(event_type: str, other: str) -> None:
    """What a sender calls an event is no pattern; a `!` at its begin may be a blank too."""
    glob, regex = escaped(event_type), expression(event_type)
    text = f"- event_type: {json.dumps(glob)}\n  traits: {{}}\n"
    definitions = parse_definitions(text)
    assert definitions.find(event_type) == definitions.events[0].ref
    assert (definitions.find(other) == definitions.events[0].ref) == (event_type == other)
    meters = Definitions([], parse_definitions(METER.format(json.dumps(regex))).samples, definitions.options)
    assert bool(meters.find_samples(event_type))
    assert bool(meters.find_samples(other)) == (event_type == other)


METER = "metric: [{{name: x, event_type: {}, type: gauge, unit: B, volume: 1, resource_id: $.a}}]"


# --- meters ---


def test_meters_of_amounts_and_periods() -> None:
    """Amounts that are always there are gauges; an audit period is a claim; a life is for a person to decide."""
    audited = {
        "volume_id": "v-1",
        "tenant_id": "p-1",
        "size": 4,
        "status": "in-use",
        "created_at": "2026-08-01 00:00:00",
        "audit_period_beginning": "2026-08-01 00:00:00",
        "audit_period_ending": "2026-08-01 01:00:00",
    }
    deleted = {
        "volume_id": "v-1",
        "tenant_id": "p-1",
        "size": None,
        "created_at": "2026-08-01 00:00:00",
        "deleted_at": "2026-08-01 03:00:00",
    }
    rows = [
        notification(audited, event_type="volume.exists"),
        notification(deleted, event_type="volume.delete.end"),
    ]
    proposal = propose_for(*rows)
    assert (
        proposal.meters
        == r"""# Sample definitions proposed by `eventdefs init`. What to measure, in which unit, and which states count
# is for you to decide.
metric:

  - name: volume.size  # 4
    event_type: volume\.exists$
    type: gauge
    unit: GiB
    volume: $.payload.size
    resource_id: $.payload.volume_id
    project_id: $.payload.tenant_id
  - name: volume.uptime
    event_type: volume\.exists$
    type: delta
    unit: h
    resource_id: $.payload.volume_id
    project_id: $.payload.tenant_id
    period:
      begin: $.payload.audit_period_beginning
      end: $.payload.audit_period_ending
      not_before: $.payload.created_at
      # Which states count? Without this, all do:
      # while: {$.payload.status: [in-use]}
  # The whole life of what is gone. If you bill by it, add `closes: true` to its period:
  # - name: volume.uptime
  #   event_type: volume\.delete\.end$
  #   type: delta
  #   unit: h
  #   resource_id: $.payload.volume_id
  #   project_id: $.payload.tenant_id
  #   period:
  #     begin: $.payload.created_at
  #     end: $.payload.deleted_at
"""
    )
    # What stands in comments can be used as it is.
    uncommented = proposal.meters.replace("  # - name", "  - name").replace("  #   ", "    ")
    assert len(parse_definitions(uncommented.replace("      # while", "      while")).samples) == 3
    check(rows)


def test_a_meter_that_would_fail_is_not_proposed() -> None:
    """A period that ends before it begins, or is longer than a year, is none; nor is an amount without a resource."""
    rows = [
        notification(
            {"id": "1", "audit_period_beginning": "2026-08-02 00:00:00", "audit_period_ending": "2026-08-01 00:00:00"},
            event_type="volume.exists",
        ),
        notification({"size": 4}, event_type="image.exists"),
    ]
    assert propose_for(*rows).meters == ""


# --- clean and right ---


@pytest.mark.parametrize("per_event_type", [False, True], ids=["grouped", "per event type"])
@pytest.mark.parametrize("service", sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
def test_samples_of_every_service(service: str, per_event_type: bool) -> None:
    """What is proposed has no finding, with or without the notifications, and gives no problem."""
    rows = [one for file in find_files([str(SAMPLES / service)]) for one in read_file(file)]
    assert rows
    check(rows, per_event_type=per_event_type)


@pytest.mark.skipif(not (FOLDER / "corpus.jsonl").is_file(), reason=ABSENT)
@pytest.mark.parametrize("per_event_type", [False, True], ids=["grouped", "per event type"])
def test_the_conformance_corpus(per_event_type: bool) -> None:
    """The same of all notifications that Ceilometer was tried on."""
    check(read_file(str(FOLDER / "corpus.jsonl")), per_event_type=per_event_type)


HOSTILE = """a.b it's say"x" a\\b é * true 1st $ where on null 1.0 #x {y} `len` 😀 %a &a !a @a | > ? a,b ~ = <<
tenant_id project_id user_id service request_id id resource_id event_type password metadata size memory_mb state
audit_period_beginning audit_period_ending created_at deleted_at launched_at nova_object.data nova_object.name typeURI
""".split()  # noqa: SIM905
KEYS = [*HOSTILE, "", "a\nb", "- a", "a: b", "\u2028", "\x00", "\ud800", "x" * 200, "eventdefs: ignore[W501]"]
VALUES = [
    *("2026-08-01 01:02:03", "2026-08-01T01:02:03Z", "4", "0012", "5.5", "", "True", "2026", "x" * 2000, "a # b"),
    *("eventdefs: ignore[W501]", "\x1b[31m", "\ud800", "12fbb7f4-be2d-4784-8cb2-506605e03d90"),
]
EVENT_TYPES = [
    *("volume.create.start", "volume.create.end", "volume.delete.end", "volume.exists", "volume", "a", "a.b", "a.b.c"),
    *("compute.instance.exists", "a.[x].c", "!a", "!a.b", "*", "a.*", "?", "^a$", "a\\.b\\..*", "on", "null", ""),
    *("1.0", "#", "a b", "é.x", "\ud800.x", "(a|b).c", "x.create\n.end", "{a}.b", "a,b"),
]
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=3))
leaves = st.one_of(scalars, st.sampled_from(VALUES), st.text(max_size=5))
payloads = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=6)),
    max_leaves=20,
)
messages = st.fixed_dictionaries(
    {
        "message_id": st.sampled_from(("m-1", "m-2")),
        "event_type": st.one_of(st.sampled_from(EVENT_TYPES), st.text(max_size=6)),
        "publisher_id": st.just("x.h"),
        "priority": st.sampled_from(("info", "error", "warn")),
        "timestamp": st.just("2026-08-01 01:02:03"),
        "payload": st.one_of(st.dictionaries(keys, payloads, max_size=8), payloads),
    },
    optional={"ctxt": payloads},
)


@examples(100)
@given(st.lists(messages.map(decode_notification), min_size=1, max_size=6), st.booleans())
def test_any_notifications(rows: list[Notification], per_event_type: bool) -> None:
    """Whatever senders send, what is proposed for it has no finding, gives no problem and covers what YAML can have."""
    check(rows, per_event_type=per_event_type)
    corpus = Corpus.of(rows)
    proposal = propose(corpus, per_event_type=per_event_type)
    left = {name for name in corpus.event_types if name not in proposal.event_types}
    assert all("\ud800" <= min(char for char in name if char >= "\ud800") <= "\udfff" for name in left)
    assert propose(Corpus.of(rows), per_event_type=per_event_type) == proposal


# --- the command ---


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [
        line("m-1", event_type="volume.create.end", payload={"volume_id": "v-1", "size": 4}),
        line("m-2", event_type="volume.delete.end", payload={"volume_id": "v-1", "password": "s3cret"}),
        line("m-3", event_type="port.create.end", payload={"port": {"id": "n-1", "name": "web\x1b[31m"}}),
    ]
    Path("r.jsonl").write_bytes(b"".join(lines))
    return tmp_path


def test_prints_definitions() -> None:
    """To standard output; what was read is said on standard error."""
    ran = run("init", "r.jsonl")
    assert (ran.status, ran.err) == (0, "3 notifications of 3 event types\n")
    assert [definition["event_type"] for definition in yaml.safe_load(ran.out)] == ["port.create.end", "volume.*"]
    assert "\x1b" not in ran.out
    assert run("init", "--quiet", given=Path("r.jsonl").read_bytes()) == ran._replace(err="")


def test_writes_files_whose_tests_pass() -> None:
    """Definitions, meters and tests lint clean and pass; secrets are not among them."""
    ran = run("init", "r.jsonl", "-o", "d.yaml", "--meters", "m.yaml", "--tests", "d.test.yaml")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "3 notifications of 3 event types\nwritten: d.yaml, m.yaml, d.test.yaml\n"
    assert run("lint", "d.yaml", "m.yaml", "--corpus", "r.jsonl").status == 0
    tested = run("test", "d.test.yaml")
    assert (tested.status, tested.out[:8]) == (0, "3 passed"), tested
    assert "s3cret" not in Path("d.test.yaml").read_text()
    [size] = [case for case in yaml.safe_load(Path("d.test.yaml").read_text())["cases"] if "samples" in case]
    assert [(row["name"], row["volume"]) for row in size["samples"]] == [("volume.size", 4)]


def test_tests_of_every_sample_pass(folder: Path) -> None:
    """What is written for the samples of all services is what the definitions make of them."""
    ran = run("init", str(SAMPLES), "-o", "d.yaml", "--meters", "m.yaml", "--tests", "sub.test.yaml", "--quiet")
    assert (ran.status, ran.err) == (0, "")
    runner = Runner()
    suite = runner.open("sub.test.yaml")
    assert isinstance(suite, Suite)
    assert len(suite.cases.cases) > 370
    assert [case.name for case in suite.cases.cases if runner.run(suite, case).outcome != "passed"] == []


def test_what_yaml_cannot_have_is_no_case() -> None:
    """It is said, and the other cases are written."""
    strange = line("m-4", event_type="volume.create.end", payload={"volume_id": "v-1", "x": "SURROGATE"})
    with Path("r.jsonl").open("ab") as file:
        file.write(strange.replace(b"SURROGATE", b"\\ud800"))
    ran = run("init", "r.jsonl", "-o", "d.yaml", "--tests", "d.test.yaml")
    assert ran.status == 0
    assert "1 notification left out of d.test.yaml: YAML cannot have what is in there\n" in ran.err
    assert run("test", "d.test.yaml").status == 0


def test_what_is_no_notification_is_said() -> None:
    """Each with its place, up to a number; the others are used."""
    with Path("r.jsonl").open("ab") as file:
        file.write(b"{}\nnot json\n" + b'{"a\x1b": 1}\n' * 10)
    ran = run("init", "r.jsonl")
    assert ran.status == 1
    lines = ran.err.splitlines()
    assert lines[0] == "r.jsonl:4: not a notification: no event_type"
    assert lines[1].startswith("r.jsonl:5: not a notification: not JSON")
    assert lines[10:] == ["and 2 more are not notifications", "3 notifications of 3 event types"]
    assert len(yaml.safe_load(ran.out)) == 2


def test_only_what_is_not_covered() -> None:
    """Event types of other definitions are left to them, and no pattern takes more than it was made of."""
    Path("mine.yaml").write_text("- {event_type: volume.create.*, traits: {}}\n")
    ran = run("init", "r.jsonl", "--merge", "mine.yaml")
    assert [definition["event_type"] for definition in yaml.safe_load(ran.out)] == [
        "port.create.end",
        "volume.delete.end",
    ]
    Path("mine.yaml").write_text("- {event_type: '*', traits: {}}\n")
    ran = run("init", "r.jsonl", "--merge", "mine.yaml", "-o", "d.yaml", "--tests", "t.test.yaml")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "3 notifications of 3 event types; the definitions cover all of them\n"
    assert not Path("d.yaml").exists()


def test_tests_of_what_is_merged() -> None:
    """They name the definitions that were there before, which come first."""
    Path("sub").mkdir()
    Path("sub/mine.yaml").write_text("- {event_type: volume.*, traits: {}}\n")
    ran = run("init", "r.jsonl", "--merge", "sub", "-o", "d.yaml", "--tests", "sub/d.test.yaml")
    assert ran.status == 0
    assert yaml.safe_load(Path("sub/d.test.yaml").read_text())["definitions"] == [".", "../d.yaml"]
    assert run("test", "sub/d.test.yaml").out.startswith("1 passed")


def test_as_json() -> None:
    ran = run("init", "r.jsonl", "--format", "json", "--quiet", "--per-event-type")
    document = json.loads(ran.out)
    assert document["event_types"] == ["port.create.end", "volume.create.end", "volume.delete.end"]
    assert (document["notifications"], document["undecodable"], document["written"]) == (3, 0, [])
    assert len(yaml.safe_load(document["definitions"])) == 3
    assert document["meters"].startswith("# Sample definitions")


REFUSED = {
    "a file that is there": (("-o", "r.jsonl"), "r.jsonl is there already; --force writes over it"),
    "a meters file that is there": (("--meters", "r.jsonl"), "r.jsonl is there already; --force writes over it"),
    "tests without definitions": (("--tests", "t.yaml"), "--tests needs --output"),
    "one file for two": (("-o", "x.yaml", "--meters", "./x.yaml"), "./x.yaml is named twice"),
    "a directory": (("-o", "."), ". is a directory"),
    "no directory": (("-o", "no/x.yaml"), "no/x.yaml: there is no directory no"),
    "no definitions": (("--merge", "no.yaml"), "no.yaml: error[E002]"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(arguments: tuple[str, ...], said: str) -> None:
    """Before anything is read, and nothing is written over."""
    before = Path("r.jsonl").read_bytes()
    ran = run("init", "r.jsonl", *arguments)
    assert ran.status == 2
    assert said in ran.err
    assert (ran.out, "Traceback" in ran.err) == ("", False)
    assert Path("r.jsonl").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["r.jsonl"]


def test_nothing_to_propose_from() -> None:
    Path("empty.jsonl").write_text("")
    ran = run("init", "empty.jsonl")
    assert (ran.status, ran.out) == (2, "")
    assert "there is no notification to propose definitions from" in ran.err
    assert run("init", "nowhere.jsonl").status == 2


def test_force_writes_over() -> None:
    Path("d.yaml").write_text("old")
    assert run("init", "r.jsonl", "-o", "d.yaml", "--force").status == 0
    assert "volume.*" in Path("d.yaml").read_text()
