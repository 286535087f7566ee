"""Event definitions beyond Ceilometer's: rejection, tenants, options, files, plugins of third parties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import stevedore

from eventdefs import (
    Conversion,
    DefinitionErrors,
    Definitions,
    Notification,
    Options,
    Place,
    Problem,
    load_definitions,
    parse_definitions,
)
from eventdefs.definitions.registry import MEMO
from eventdefs.thirdparty import registered
from tests.making import SENT, notification

FILE = "definitions.yaml"
TYPE = "volume.create.end"


def parse(traits: str, **options: Any) -> Definitions:
    """Return one definition for `volume.*` with *traits*, and no defaults to look past."""
    return parse_definitions(f"- {{event_type: volume.*, traits: {traits}}}", file=FILE, options=Options(**options))


def written(conversion: Conversion) -> dict[str, Any] | None:
    """Return the traits but for `service`, which every notification here gives."""
    if conversion.event is None:
        return None
    return {name: value for name, value in conversion.event.traits.items() if name != "service"}


BAD = "not an int: invalid literal for int() with base 10: 'big'"
MISSING = "required, and not there"
# traits, payload -> traits (None: rejected), [(trait, reason)]
ERRORS = {
    "drop is the default": (
        "{size: {type: int, fields: payload.size}, id: payload.id}",
        {"size": "big", "id": "v"},
        {"id": "v"},
        [("size", BAD)],
    ),
    "drop": (
        "{size: {type: int, fields: payload.size, on_error: drop}, id: payload.id}",
        {"size": "big", "id": "v"},
        {"id": "v"},
        [("size", BAD)],
    ),
    "reject": (
        "{size: {type: int, fields: payload.size, on_error: reject}, id: payload.id}",
        {"size": "big", "id": "v"},
        None,
        [("size", BAD)],
    ),
    "reject, letter case ignored": (
        "{size: {type: int, fields: payload.size, on_error: Reject}}",
        {"size": "big"},
        None,
        [("size", BAD)],
    ),
    "reject looks at failures, not at what is missing": (
        "{size: {type: int, fields: payload.size, on_error: reject}, id: payload.id}",
        {"id": "v"},
        {"id": "v"},
        [],
    ),
    "required and there": ("{id: {fields: payload.id, required: true}}", {"id": ""}, {"id": ""}, []),
    "required and missing": ("{id: {fields: payload.id, required: true}}", {}, None, [("id", MISSING)]),
    "required and null": ("{id: {fields: payload.id, required: true}}", {"id": None}, None, [("id", MISSING)]),
    "not required": ("{id: {fields: payload.id, required: false}}", {}, {}, []),
    "every problem of a rejected one": (
        """{
    size: {type: int, fields: payload.size, on_error: reject},
    id: {fields: payload.id, required: true},
    count: {type: int, fields: payload.count}}""",
        {"size": "big", "count": "big"},
        None,
        [("size", BAD), ("id", MISSING), ("count", BAD)],
    ),
    "a later success does not undo a rejection": (
        "{id: {fields: payload.id, required: true}, size: {type: int, fields: payload.size, on_error: reject}}",
        {"size": 5},
        None,
        [("id", MISSING)],
    ),
    "a path that fails": (
        "{n: {fields: 'payload.n[-2]', on_error: reject}}",
        {"n": [1]},
        None,
        [("n", "list index out of range")],
    ),
    "a path that fails, dropped": ("{n: 'payload.n[-2]'}", {"n": [1]}, {}, [("n", "list index out of range")]),
}


@pytest.mark.parametrize(("traits", "payload", "expected", "problems"), ERRORS.values(), ids=ERRORS)
def test_errors(traits: str, payload: Any, expected: Any, problems: list[tuple[str, str]]) -> None:
    """A trait that fails is dropped, or rejects the notification where its definition says so."""
    conversion = parse(traits).convert(notification(payload))
    assert (written(conversion), [(problem.name, problem.reason) for problem in conversion.problems]) == (
        expected,
        problems,
    )
    assert conversion.rejected is (expected is None)


def test_a_problem_says_all() -> None:
    """What could not be read is told with its place, path, value and reason."""
    conversion = parse("{size: {type: int, fields: [payload.a, payload.size]}}").convert(notification({"size": "big"}))
    assert conversion.problems == (Problem("trait", "size", "payload.size", "big", BAD, Place(FILE, 1, 35, 39)),)


def test_a_required_trait_that_fails_is_one_problem() -> None:
    """A value that cannot be read is not also reported as missing."""
    conversion = parse("{size: {type: int, fields: payload.size, required: true}}").convert(
        notification({"size": "big"})
    )
    assert (conversion.event, conversion.rejected) == (None, True)
    assert [problem.reason for problem in conversion.problems] == [BAD]


def test_a_rejected_notification_gives_nothing(tmp_path: Path) -> None:
    """Neither event nor samples nor periods come of it, whatever could have been read."""
    text = "- {event_type: volume.*, traits: {id: {fields: payload.id, required: true}}}"
    meters = """
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size, resource_id: $.payload.volume}
  - {name: up, event_type: volume, type: delta, unit: h, resource_id: $.payload.volume,
     period: {begin: $.payload.begin, end: $.payload.end}}
"""
    (tmp_path / "events.yaml").write_text(text)
    (tmp_path / "meters.yaml").write_text(meters)
    definitions = load_definitions(tmp_path)
    payload = {"size": 4, "volume": "v-1", "begin": "2026-08-01T00:00:00", "end": "2026-08-01T01:00:00"}
    conversion = definitions.convert(notification(payload))
    assert (conversion.event, conversion.samples, conversion.periods, conversion.rejected) == (None, (), (), True)
    conversion = definitions.convert(notification({**payload, "id": "v-1"}))
    assert (conversion.event is not None, len(conversion.samples), len(conversion.periods)) == (True, 1, 1)


def test_the_definition_that_applied_is_named() -> None:
    """A conversion says which definition it comes from, with its patterns, place and description."""
    definitions = parse_definitions(
        "- event_type: volume.*\n  traits: {}\n"
        "- event_type: ['volume.create.*', '!*.start']\n  description: Made.\n  traits: {}\n",
        file=FILE,
    )
    ref = definitions.convert(notification()).definition
    assert (str(ref), ref.description, ref.place, ref.implicit) == (
        "volume.create.* !*.start",
        "Made.",
        Place(FILE, 3, 3, 3),
        False,
    )
    assert definitions.find(TYPE) == ref
    assert str(definitions.find("volume.create.start")) == "volume.*"
    implicit = definitions.find("port.create.end")
    assert (str(implicit), implicit.place, implicit.implicit) == ("*", Place("built in"), True)


def test_find_samples() -> None:
    """All sample definitions that apply are found, in the order of the file."""
    meter = "{{name: {}, event_type: '{}', type: gauge, unit: B, volume: 1, resource_id: $.a}}"
    definitions = parse_definitions(
        f"metric: [{meter.format('b', 'volume')}, {meter.format('a', 'volume.create')}, {meter.format('c', 'x')}]"
    )
    assert [found.name for found in definitions.find_samples(TYPE)] == ["b", "a"]
    assert [found.name for found in definitions.find_samples("volume.delete.end")] == ["b"]
    assert definitions.find_samples("create.volume") == ()


# --- tenants ---------------------------------------------------------------------------------------------------------

ACTING = {"project_id": "acting", "tenant_id": "acting-2", "tenant": "acting-3"}
DATA = "nova_object.data"
# event type, payload, ctxt -> tenant; the notification's definition writes no trait.
TENANTS: dict[str, tuple[str, Any, Any, str | None]] = {
    "tenant_id": (TYPE, {"tenant_id": "t", "project_id": "p", "owner": "o"}, ACTING, "t"),
    "project_id": (TYPE, {"project_id": "p", DATA: {"tenant_id": "d"}, "owner": "o"}, ACTING, "p"),
    "versioned, tenant_id": ("instance.create.end", {DATA: {"tenant_id": "d", "project_id": "e"}}, ACTING, "d"),
    "versioned, project_id": ("instance.create.end", {DATA: {"project_id": "e"}, "owner": "o"}, ACTING, "e"),
    "owner": ("image.create", {"owner": "o", "image": {"owner": "i"}}, ACTING, "o"),
    "a nested resource": ("port.create.end", {"port": {"tenant_id": "r", "project_id": "q"}}, ACTING, "r"),
    "a nested resource, project_id": ("port.create.end", {"port": {"project_id": "q"}}, ACTING, "q"),
    "a nested resource of two words": (
        "router.interface.create",
        {"router_interface": {"tenant_id": "r"}},
        ACTING,
        "r",
    ),
    "a nested resource with a line": (
        "security_group_rule.create.end",
        {"security_group_rule": {"tenant_id": "r"}},
        ACTING,
        "r",
    ),
    "another resource than the event type's": ("port.create.end", {"network": {"tenant_id": "r"}}, ACTING, "acting"),
    "a bulk list of one tenant": (
        "port.create.end",
        {"ports": [{"tenant_id": "r"}, {"project_id": "r"}]},
        ACTING,
        "r",
    ),
    "a bulk list of two tenants": (
        "port.create.end",
        {"ports": [{"tenant_id": "r"}, {"tenant_id": "s"}]},
        ACTING,
        "acting",
    ),
    "a bulk list, one without": ("port.create.end", {"ports": [{"tenant_id": "r"}, {}]}, ACTING, "acting"),
    "a bulk list of nothing": ("port.create.end", {"ports": []}, ACTING, "acting"),
    "image.owner": ("image.member.create", {"image": {"owner": "i"}}, ACTING, "i"),
    "ctxt.project_id": (TYPE, {}, ACTING, "acting"),
    "ctxt.tenant_id": (TYPE, {}, {"tenant_id": "acting-2", "tenant": "acting-3"}, "acting-2"),
    "ctxt.tenant": (TYPE, {}, {"tenant": "acting-3"}, "acting-3"),
    "the CADF initiator": (
        "identity.user.created",
        {"initiator": {"project_id": "c"}, "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event"},
        {},
        "c",
    ),
    "ctxt before the CADF initiator": ("identity.user.created", {"initiator": {"project_id": "c"}}, ACTING, "acting"),
    "nobody": (TYPE, {}, {}, None),
    "no payload": (TYPE, None, ACTING, "acting"),
    "a payload of text": (TYPE, "failed", ACTING, "acting"),
    "a payload that is a list": (TYPE, [{"tenant_id": "t"}], ACTING, "acting"),
    "no context": (TYPE, {}, None, None),
    "a context of text": (TYPE, {}, "admin", None),
    "empty, null and numbers are none": (
        TYPE,
        {"tenant_id": "", "project_id": None, DATA: {"tenant_id": 5}, "owner": ["o"]},
        {"project_id": "", "tenant_id": "acting-2"},
        "acting-2",
    ),
    "metadata that users set": (
        "compute.instance.create.end",
        {
            "metadata": {"tenant_id": "x", "project_id": "x", "owner": "x"},
            "image_meta": {"owner": "x", "tenant_id": "x"},
            "system_metadata": {"tenant_id": "x"},
            "instance_properties": {"project_id": "x"},
        },
        {},
        None,
    ),
    "user metadata of an image": ("image.update", {"properties": {"owner": "x"}}, ACTING, "acting"),
}


@pytest.mark.parametrize(("event_type", "payload", "ctxt", "expected"), TENANTS.values(), ids=TENANTS)
def test_tenant(event_type: str, payload: Any, ctxt: Any, expected: str | None) -> None:
    """The tenant is who owns what the event is about, else who acted; what users fill in at will never counts."""
    body = notification(event_type=event_type, ctxt=ctxt)
    body.body["payload"] = payload  # type: ignore[index]
    assert parse_definitions("[]").convert(body).event.tenant == expected


WRITTEN = {
    "project_id": ("{project_id: payload.whose}", "w"),
    "tenant_id": ("{tenant_id: payload.whose}", "w"),
    "project_id before tenant_id": ("{tenant_id: payload.other, project_id: payload.whose}", "w"),
    "another trait": ("{owner_id: payload.whose}", "t"),
    "one that finds nothing": ("{project_id: payload.nobody}", "t"),
    "one that finds ''": ("{project_id: payload.empty}", "t"),
    "one that finds '', then the other": ("{project_id: payload.empty, tenant_id: payload.whose}", "w"),
    "one that is no text": ("{project_id: {type: int, fields: payload.number}}", "t"),
}


@pytest.mark.parametrize(("traits", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_tenant_of_written_traits(traits: str, expected: str) -> None:
    """What the definition itself writes as project_id or tenant_id comes before all other places."""
    payload = {"tenant_id": "t", "whose": "w", "other": "o", "empty": "", "number": 7}
    assert parse(traits).convert(notification(payload)).event.tenant == expected


def test_default_traits_do_not_decide_the_tenant() -> None:
    """The trait project_id falls back to who acted; the tenant is the owner all the same."""
    conversion = parse("{}").convert(notification({"project_id": "owner"}, ctxt={"project_id": "acting"}))
    assert (conversion.event.traits["project_id"], conversion.event.tenant) == ("acting", "owner")


# --- files and options -----------------------------------------------------------------------------------------------


def test_the_later_file_wins_among_events(tmp_path: Path) -> None:
    """Files count in the order given, those of a directory in the order of their names."""
    folder = tmp_path / "d"
    folder.mkdir()
    for file, mark in ((tmp_path / "first.yaml", 1), (folder / "b.yaml", 3), (folder / "a.yaml", 2)):
        file.write_text(f"- {{event_type: volume.*, traits: {{mark: {mark}}}}}\n")
    (folder / "c.yml").write_text("no definitions")
    (folder / "d.yaml.orig").write_text("no definitions")
    orders = {
        (tmp_path / "first.yaml", folder): "3",
        (folder, tmp_path / "first.yaml"): "1",
        (folder / "b.yaml", folder / "a.yaml"): "2",
    }
    for paths, mark in orders.items():
        assert load_definitions(*paths).convert(notification()).event.traits["mark"] == mark


def test_the_first_file_wins_among_samples(tmp_path: Path) -> None:
    """As in Ceilometer: the last definition of a name in a file, the first file of all; the others are warned of."""
    meter = "  - {{name: size, event_type: volume, type: gauge, unit: '{}', volume: 1, resource_id: $.payload.id}}\n"
    for name, units in (("a", "12"), ("b", "3")):
        (tmp_path / f"{name}.yaml").write_text("metric:\n" + "".join(meter.format(unit) for unit in units))
    definitions = load_definitions(tmp_path)
    assert [sample.unit for sample in definitions.convert(notification()).samples] == ["2"]
    assert [(warning.code, str(warning.place)) for warning in definitions.warnings] == [
        ("W401", f"{tmp_path}/a.yaml:2:5"),
        ("W401", f"{tmp_path}/b.yaml:2:5"),
    ]


def test_shipped_definitions_load() -> None:
    """What comes with eventdefs has nothing to be warned of."""
    definitions = load_definitions()
    assert definitions.warnings == ()
    assert (len(definitions.events) > 20, len(definitions.samples) > 20) == (True, True)


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors of another system may write the file."""
    file = tmp_path / "d.yaml"
    file.write_bytes(b"\xef\xbb\xbf- {event_type: volume.*, traits: {a: payload.a}}\r\n")
    assert written(load_definitions(file).convert(notification({"a": "1"}))) == {"a": "1"}


METER = "metric: [{name: n, event_type: volume, type: gauge, unit: B, volume: 1, resource_id: $.payload.id}]"
# options, priority of the notification -> events, samples
PRIORITIES = {
    "info": ({}, "INFO", 1, 1),
    "error": ({}, "error", 1, 0),
    "sample": ({}, "SAMPLE", 0, 1),
    "warn": ({}, "warn", 0, 0),
    "audit asked for": ({"event_priorities": ("AUDIT",), "sample_priorities": ("Audit", "info")}, "audit", 1, 1),
    "info not asked for": ({"event_priorities": ("audit",), "sample_priorities": ()}, "info", 0, 0),
}


@pytest.mark.parametrize(("options", "priority", "events", "samples"), PRIORITIES.values(), ids=PRIORITIES)
def test_priorities(options: dict[str, Any], priority: str, events: int, samples: int) -> None:
    """Events and samples are made of notifications of some priorities, letter case ignored."""
    conversion = parse_definitions(METER, options=Options(**options)).convert(notification(priority=priority))
    assert (conversion.event is not None, len(conversion.samples)) == (bool(events), samples)


RAW = {
    "nothing": ((), "info", False),
    "the same": (("info",), "info", True),
    "upper case asked for": (("INFO",), "info", True),
    "upper case sent": (("info",), "INFO", True),
    "another": (("error",), "info", False),
    "several": (("error", "Info"), "info", True),
}


@pytest.mark.parametrize(("store_raw", "priority", "kept"), RAW.values(), ids=RAW)
def test_store_raw(store_raw: tuple[str, ...], priority: str, kept: bool) -> None:
    """The body is kept for the priorities that are asked for, letter case ignored, without credentials."""
    message = notification({"id": "v"}, priority=priority, ctxt={"auth_token": "secret", "user_id": "u"})
    event = parse("{}", store_raw=store_raw).convert(message).event
    assert event.raw == (
        {
            "ctxt": {"user_id": "u"},
            "publisher_id": "volume.host-1",
            "event_type": TYPE,
            "payload": {"id": "v"},
            "metadata": {"message_id": "m-1", "timestamp": "2026-08-01 01:02:03"},
            "priority": "info",
        }
        if kept
        else {}
    )


UNMATCHED = {
    "kept, with the default traits": ("volume.*", {}, {"service": "volume.host-1"}),
    "dropped": ("volume.*", {"drop_unmatched_notifications": True}, None),
    "an own catch-all": ("*", {}, {"service": "volume.host-1", "mark": "own"}),
    "an own catch-all is no default": (
        "*",
        {"drop_unmatched_notifications": True},
        {"service": "volume.host-1", "mark": "own"},
    ),
}


@pytest.mark.parametrize(("glob", "options", "expected"), UNMATCHED.values(), ids=UNMATCHED)
def test_unmatched(glob: str, options: dict[str, Any], expected: dict[str, str] | None) -> None:
    """What no definition is written for gives the default traits, or nothing where that is asked for."""
    definitions = parse_definitions(
        f"- {{event_type: '{glob}', traits: {{mark: payload.mark}}}}", options=Options(**options)
    )
    conversion = definitions.convert(notification({"mark": "own"}, event_type="port.create.end"))
    assert (None if conversion.event is None else conversion.event.traits) == expected
    assert conversion.unmatched is (glob != "*")


# --- plugins of third parties ----------------------------------------------------------------------------------------


class Upper:
    """A third party's plugin."""

    several: ClassVar[bool] = True
    fields: ClassVar[int | None] = None

    def __init__(self, suffix: str = "", most: int = 9) -> None:
        if most < 0:
            raise RuntimeError("most is below zero")
        self._suffix = suffix

    def trait_values(self, matches: Sequence[tuple[str, Any]]) -> Sequence[Any]:
        return [value.upper() + self._suffix for _, value in matches]


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Install `Upper` as `upper`, and `broken`; give the namespaces that are looked up."""
    asked: list[str] = []

    def look_up(namespace: str, _: list[str], on_load_failure_callback: Any, **__: Any) -> list[SimpleNamespace]:
        asked.append(namespace)
        on_load_failure_callback(None, SimpleNamespace(name="broken"), ImportError("No module named 'gone'"))
        return [SimpleNamespace(name="upper", plugin=Upper), SimpleNamespace(name="split", plugin=Upper)]

    monkeypatch.setattr(stevedore, "NamedExtensionManager", look_up)
    registered.cache_clear()
    yield asked
    registered.cache_clear()


def test_third_party_plugin(third_party: list[str]) -> None:
    """Entry points of the namespace are plugins like ours, which they cannot replace."""
    definitions = parse(
        "{a: {fields: payload.a, plugin: {name: upper, parameters: {suffix: '!'}}},"
        " b: {fields: payload.a, plugin: {name: split, parameters: {separator: b}}}}"
    )
    assert written(definitions.convert(notification({"a": "abc"}))) == {"a": "ABC!", "b": "a"}
    assert third_party == ["eventdefs.trait_plugins"]


def test_third_party_plugin_that_fails(third_party: list[str]) -> None:
    """What a plugin raises is a problem of its trait."""
    definitions = parse("{a: {fields: payload.a, plugin: upper}, b: payload.b}")
    conversion = definitions.convert(notification({"a": 5, "b": "kept"}))
    assert written(conversion) == {"b": "kept"}
    assert [problem.reason for problem in conversion.problems] == [
        "the plugin fails: AttributeError: 'int' object has no attribute 'upper'"
    ]


def test_third_party_plugin_that_refuses(third_party: list[str]) -> None:
    """What it raises when it is made, and parameters that it has not, are definition errors."""
    with pytest.raises(DefinitionErrors) as raised:
        parse(
            "{a: {fields: payload.a, plugin: {name: upper, parameters: {most: -1}}},"
            " b: {fields: payload.a, plugin: {name: upper, parameters: {prefix: x}}},"
            " c: {fields: payload.a, plugin: uper}}"
        )
    assert [(finding.code, finding.message, finding.hint) for finding in raised.value.findings] == [
        ("E302", "the plugin upper of the trait a: most is below zero", ""),
        ("E302", "the plugin upper of the trait b has no parameter 'prefix'", "its parameters are suffix, most"),
        (
            "E301",
            "unknown trait plugin 'uper'",
            "expected bitfield, map, split, timedelta, upper (did you mean 'upper'?)",
        ),
    ]


def test_third_party_plugin_that_does_not_load(third_party: list[str]) -> None:
    """Who installed it is told why it is not there."""
    with pytest.raises(DefinitionErrors) as raised:
        parse("{a: {fields: payload.a, plugin: broken}}")
    (finding,) = raised.value.findings
    assert finding.code == "E301"
    assert "ImportError: No module named 'gone'" in str(finding)


def test_our_plugins_need_no_look_up(third_party: list[str]) -> None:
    """Looking entry points up takes longer than loading a file."""
    parse("{a: {fields: payload.a, plugin: split}}")
    assert third_party == []


# --- sameness --------------------------------------------------------------------------------------------------------


def test_the_same_answer_twice() -> None:
    """Converting changes neither the definitions nor the notification."""
    definitions = load_definitions()
    payload = {"volume_id": "v-1", "size": "4", "tenant_id": "p-1", "created_at": "2026-08-01T00:00:00"}
    message = notification(payload)
    before = repr(message)
    first = definitions.convert(message)
    assert definitions.convert(message) == first
    assert load_definitions().convert(notification(payload)) == first
    assert repr(message) == before
    assert (first.event.generated, first.event.traits["created_at"]) == (SENT, datetime(2026, 8, 1, tzinfo=UTC))


def test_senders_cannot_fill_the_memory() -> None:
    """However many event types there are, a bounded number is remembered, and the answers stay right."""
    definitions = parse("{a: payload.a}")
    types = [f"volume.{number}" for number in range(MEMO + 10)]

    def convert(event_type: str) -> dict[str, Any] | None:
        message = Notification("m", event_type, "p", "info", SENT, {"payload": {"a": event_type}})
        return written(definitions.convert(message))

    assert all(convert(event_type) == {"a": event_type} for event_type in [*types, *types[:10]])
    assert len(definitions._memo) <= MEMO
