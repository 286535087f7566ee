"""Values from anybody, through definitions that are right, to every publisher: problems, never exceptions."""

from __future__ import annotations

import contextlib
import json
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import (
    Batch,
    Conversion,
    DecodeError,
    Definitions,
    Ledger,
    Notification,
    Options,
    PathEvaluationError,
    Publisher,
    Usage,
    decode_notification,
    open_publisher,
    parse_definitions,
)
from eventdefs.definitions.paths import parse_path
from eventdefs.metering.records import sample_of
from tests.property import examples

from .bounds import below, within

EVENTS = r"""
- event_type: '*'
  traits:
    text: payload.a
    int: {type: int, fields: payload.b}
    float: {type: float, fields: payload.c}
    time: {type: datetime, fields: payload.d}
    split: {fields: payload.a, plugin: {name: split}}
    map: {fields: payload.a, plugin: {name: map, parameters: {values: {x: y}, case_sensitive: false}}}
    bits: {type: int, fields: [payload.a, payload.b],
      plugin: {name: bitfield, parameters: {flags: [{path: payload.a, bit: 1}]}}}
    delta: {type: float, fields: [payload.d, payload.e], plugin: timedelta}
    product: {type: int, fields: payload.b * payload.b}
    sum: payload.b + payload.c
    sub: 'payload.a.`sub(/a+/, b)`'
    cut: 'payload.a.`split(., 1, 1)`'
    any: payload..a
    filter: payload.l[?a > 1].a
    sorted: 'payload.l.`sorted`'
    whole: payload
"""
METERS = r"""
metric:
  - {name: $.payload.a, event_type: '.*', type: gauge, unit: $.payload.u, volume: $.payload.b, resource_id: $.payload.e,
     timestamp: $.payload.d, metadata: {m: payload.l, '': payload.a}, user_metadata: $.payload.m}
  - {name: one, event_type: '.*', type: gauge, unit: B, volume: 1, resource_id: $.payload.a, project_id: $.payload.b,
     user_id: $.payload.l}
  - {name: product, event_type: '.*', type: delta, unit: B, volume: $.payload.b * $.payload.b, resource_id: $.payload.a}
  - {name: '$.payload.l[*].n', event_type: '.*', type: gauge, unit: B, volume: '$.payload.l[*].v',
     resource_id: $.payload.a, lookup: [name, volume]}
  - {name: $.payload.a, event_type: '.*', type: delta, unit: h, resource_id: $.payload.a,
     project_id: $.payload.b, dimensions: {d: payload.l, e: payload.b},
     period: {begin: $.payload.d, end: $.payload.e, not_before: $.payload.d, while: {$.payload.b: [1, x]}}}
  - {name: two, event_type: '.*', type: delta, unit: s, resource_id: $.payload.a, user_id: $.payload.u,
     period: {end: $.payload.e, length: 366d, not_before: $.payload.u, not_after: $.payload.d,
       closes: {'$.payload.l[0]': [null, x], $.payload.a: x}}}
  - {name: two, event_type: '.*', type: delta, unit: s, resource_id: payload.b, project_id: $.payload.tenant_id,
     period: {begin: $.payload.d, end: $.payload.e, closes: true}}
"""
OPTIONS = Options(store_raw=("info",))

_texts = st.one_of(
    st.text(max_size=8),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Lu"]), max_size=6),
    st.sampled_from(
        (
            "\ud800",
            "\udfff",
            "\x00",
            "\x1b[2J",
            "\u202e",
            "\u2028",
            "nan",
            "-inf",
            "1e999",
            "1_0",
            "9" * 5000,
            "2026-08-01",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-01:00",
            "metering.a",
            "%s",
            "{}",
            "'; DROP TABLE events;--",
        )
    ),
)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    _texts,
    _texts,
    st.sampled_from((10**4000, -(10**4000), 2**63, 2**64, 1e308)),
)
_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=5,
)
_rows = st.lists(st.dictionaries(st.sampled_from("anv"), _scalars, max_size=3), max_size=3)
_payloads = st.dictionaries(
    st.sampled_from(("a", "b", "c", "d", "e", "l", "m", "u", "tenant_id")),
    st.one_of(_values, _scalars, _rows),
    max_size=8,
)
WIRES = st.fixed_dictionaries(
    {
        "message_id": _texts,
        "event_type": st.one_of(_texts, st.just("a.b")),
        "timestamp": st.sampled_from(("2026-08-01", "0001-01-01", "9999-12-31T23:59:59.999999Z")),
        "payload": st.one_of(_payloads, _payloads, _values),
    },
    optional={
        "publisher_id": _values,
        "priority": st.sampled_from(("info", "INFO", "error", "sample")),
        "ctxt": st.one_of(st.dictionaries(st.sampled_from(("project_id", "user_id", "tenant")), _values), _values),
    },
)


@pytest.fixture(scope="module")
def everything() -> tuple[Definitions, ...]:
    return parse_definitions(EVENTS, options=OPTIONS), parse_definitions(METERS, options=OPTIONS)


URLS = (
    "memory://",
    "file://{}/native.jsonl",
    "file://{}/ceilometer.jsonl?format=ceilometer",
    "sqlite:///{}/events.db",
    "stdout://",
    "stdout://?format=ceilometer",
    "stdout://?format=table",
)


@pytest.fixture(scope="module")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Publisher]]:
    """Every publisher in every form."""
    folder = tmp_path_factory.mktemp("out")
    opened = [open_publisher(url.format(folder)) for url in URLS]
    yield opened
    for publisher in opened:
        publisher.close()
    for url in URLS:  # and what was written is read back
        open_publisher(url.format(folder)).close()


def convert(definitions: tuple[Definitions, ...], wire: Any) -> list[Conversion]:
    """Return the conversions of *wire*, none where it is no notification; every problem is short."""
    try:
        notification = decode_notification(wire)
    except DecodeError:
        return []
    conversions = [one.convert(notification) for one in definitions]
    for conversion in conversions:
        for problem in conversion.problems:
            assert len(problem.value) + len(problem.reason) < 1_000, problem.name
    return conversions


def publish_all(publishers: list[Publisher], conversions: list[Conversion]) -> None:
    """Publish to each, and a second time, when every publisher that can tell knows it all."""
    events = [each.event for each in conversions if each.event is not None]
    batch = Batch(
        events,
        [one for each in conversions for one in each.samples],
        [one for each in conversions for one in each.periods],
    )
    publish_twice(publishers, batch)


def publish_twice(publishers: list[Publisher], batch: Batch) -> None:
    for publisher in publishers:
        publisher.publish(batch)
        delivered = publisher.publish(batch)
        if type(publisher).__name__ != "StdoutPublisher":
            assert delivered.duplicates == delivered.published


@given(st.lists(WIRES, min_size=1, max_size=3))
@examples(150)
def test_any_values_are_converted_and_published(
    everything: tuple[Definitions, ...], publishers: list[Publisher], wires: list[Any]
) -> None:
    """What can be decoded can be converted, and what was converted is accepted by every publisher."""
    publish_all(publishers, [conversion for wire in wires for conversion in convert(everything, wire)])


_times = st.sampled_from(
    (
        "2026-08-01T00:00:00",
        "2026-08-01T00:59:59.999999",
        "2026-08-01T01:30:00+05:45",
        "2026-08-02",
        "1969-12-31T23:59:59.5",
        "0001-01-01",
        "0001-01-01T00:00:00.000001",
        "9999-12-31T23:59:59.999999",
        "3000-01-01",
        "",
        None,
    )
)
CLAIMS = st.fixed_dictionaries(
    {
        "message_id": _texts,
        "event_type": st.just("a.b"),
        "timestamp": st.sampled_from(("2026-08-01T01:00:00", "2026-08-02", "0001-01-01", "9999-12-31T23:59:59.999999")),
        "payload": st.fixed_dictionaries(
            {"a": _texts, "b": st.one_of(st.just(1), _texts), "d": _times, "e": _times},
            optional={"u": _times, "l": st.one_of(_scalars, st.lists(_scalars, max_size=2)), "tenant_id": _values},
        ),
    }
)


@given(st.lists(CLAIMS, min_size=1, max_size=4))
@examples(150)
def test_any_claims_are_counted_and_published(
    everything: tuple[Definitions, ...], publishers: list[Publisher], wires: list[Any]
) -> None:
    """A ledger counts or refuses what can be claimed, and what it records is accepted by every publisher."""
    ledger = Ledger()
    for wire in wires:
        ledger.add([period for conversion in convert(everything, wire) for period in conversion.periods])
    ledger.finish()
    while records := ledger.pending():
        samples = [sample_of(record) for record in records if isinstance(record, Usage)]
        publish_twice(publishers, Batch(samples=samples, records=records))
        ledger.confirm(records)


def _nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


LARGE: list[tuple[str, Any]] = [
    ("a text of a megabyte", "x" * 1_000_000),
    ("a list of ten thousand", list(range(10_000))),
    ("ten thousand keys", {f"k{n}": n for n in range(10_000)}),
    ("a thousand mappings", [{"a": n, "n": f"n{n}", "v": n} for n in range(1_000)]),
    ("4,000 digits", 10**4_000),
    ("text of 5,000 digits", "9" * 5_000),
    *((f"nested {depth} deep", _nested(depth)) for depth in (50, 200, 300, 450, 700, 900)),
]


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in LARGE])
@pytest.mark.parametrize("key", ["a", "b", "d", "e", "l", "m", "u", "tenant_id"])
def test_a_large_value_is_converted_and_published(
    everything: tuple[Definitions, ...], publishers: list[Publisher], key: str, value: Any
) -> None:
    """In time, whatever stands there; it harms nobody else's notification either."""
    payload = {"a": "r-1", "b": 2, "d": "2026-08-01", "e": "2026-08-02", key: value}
    wire = {"message_id": f"m-{key}", "event_type": "a", "timestamp": "2026-08-01", "payload": payload}
    with within():
        publish_all(publishers, convert(everything, json.dumps(wire)))


def test_one_notification_does_not_become_gigabytes(tmp_path: Any) -> None:
    """Samples of one notification share its payload as metadata; what is written is bounded all the same."""
    definitions = parse_definitions(
        "metric: [{name: '$.payload.l[*].n', event_type: a, type: gauge, unit: B, volume: '$.payload.l[*].v',"
        " resource_id: $.payload.a, lookup: [name, volume]}]"
    )
    wire = json.dumps([{"n": f"n{n}", "v": n} for n in range(3_000)])
    conversion = definitions.convert(notification_of({"a": "r-1", "l": json.loads(wire)}))
    file = tmp_path / "out.jsonl"
    publisher = open_publisher(f"file://{file}")
    with below(100):
        publisher.publish(Batch((), conversion.samples))
    publisher.close()
    assert file.stat().st_size < 100 << 20


PATHS = (
    "payload..a",
    "payload..*",
    "payload.*",
    "$..*..*",
    "payload..a..a",
    "payload[*]",
    "payload.l[*].`parent`[*]",
    "payload.l[*].`parent`.`parent`.l[*].v",
    "payload.l[*].$.payload.l[*]",
    "payload..* where a",
    "payload.l[?a > 1].a",
    "payload.l[/a, \\n].n",
    "payload.l[*] * 1000",
    "payload.l[*].n * 100000",
    "payload.l + payload.l",
    "payload.*.*",
    "payload.(a|b|l|m)[*]..*",
    "payload.l.`sorted`",
    "$.*..`parent`..*",
    "payload.l[*].v * payload.l[*].v",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in LARGE])
def test_no_path_takes_more_than_its_time(path: str, value: Any) -> None:
    """A path finds, or says that it would visit too much."""
    parsed = parse_path(path)
    with within(), contextlib.suppress(PathEvaluationError):
        parsed.first({"payload": {"l": value, "a": value}})
        parsed.find({"payload": value})


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("payload.l[*].`parent`[*]", {"l": list(range(2_000))}),
        ("payload.l[*].$.payload.l[*]", {"l": list(range(2_000))}),
        ("payload.l[*] * payload.n[*]", {"l": ["x" * 100] * 300, "n": [10_000] * 300}),
        ("payload.l[*] * 10000", {"l": ["x" * 100] * 300}),
        ("payload..* where *..*", {"l": {str(n): {str(m): m for m in range(30)} for n in range(300)}}),
        ("payload.l[*] + payload.n", {"l": [[0]] * 100, "n": [0] * 100_000}),
        ("payload.l[*].`sub(/x/, yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy)`", {"l": ["x" * 10_000] * 300}),
        ("payload.l[?(@ ~ 'x*')]", {"l": ["x" * 10_000] * 300}),
    ],
)
def test_a_path_does_not_fill_the_memory(path: str, payload: Any) -> None:
    """Matches are counted while they are found, and what is made of them is bounded together."""
    parsed = parse_path(path)
    with below(100), within(20), contextlib.suppress(PathEvaluationError):
        parsed.find({"payload": payload})


CATASTROPHES = ("(a+)+$", "(a|aa)+$", "(a|a)*b", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b", r"(\\w+\\s?)*$")
HOSTILE_TEXT = "a" * 900 + "!"


@pytest.mark.parametrize("regex", CATASTROPHES)
def test_a_regular_expression_is_stopped(regex: str) -> None:
    """In filters, in `sub` and as the event type of a sample: a problem, in time, and nobody else's."""
    definitions = parse_definitions(
        json.dumps(
            [
                {
                    "event_type": "*",
                    "traits": {
                        "f": f"payload.l[?a ~ '{regex}'].a",
                        "s": f"payload.a.`sub(/{regex}/, x)`",
                        "o": "payload.o",
                    },
                }
            ]
        )
    )
    meter = {
        "event_type": regex.replace("\\\\", "\\"),
        "type": "gauge",
        "unit": "B",
        "volume": 1,
        "resource_id": "payload.o",
    }
    meters = parse_definitions(
        json.dumps({"metric": [{"name": "bad", **meter}, {**meter, "name": "good", "event_type": "a"}]})
    )
    notification = decode_notification(
        {
            "message_id": "m",
            "event_type": HOSTILE_TEXT,
            "timestamp": "2026-08-01",
            "payload": {"a": HOSTILE_TEXT, "l": [{"a": HOSTILE_TEXT}] * 50, "o": "fine"},
        }
    )
    with within():
        event = definitions.convert(notification).event
        samples = meters.convert(notification).samples
    assert event is not None
    assert event.traits["o"] == "fine"
    assert "good" in [sample.name for sample in samples]


def test_slow_expressions_share_one_bound() -> None:
    """Each just below the limit, ten thousand of them are not ten thousand times the limit."""
    rows = [{"a": "a" * size + "!"} for size in range(14, 30) for _ in range(200)]
    path = parse_path("payload.l[?a ~ '(a|a)*b'].a")
    with within(10), contextlib.suppress(PathEvaluationError):
        path.find({"payload": {"l": rows}})


@pytest.mark.parametrize(
    "event_type", ["x" * 1_000_000, "compute.instance." * 50_000, ".".join("ab" * 200_000), "*" * 100_000]
)
def test_an_event_type_of_a_megabyte_is_no_notification(event_type: str) -> None:
    """It is refused where it enters, so that no pattern meets it."""
    with within(), pytest.raises(DecodeError, match="event_type has"):
        notification_of({}, event_type=event_type)


def test_a_long_event_type_is_looked_up() -> None:
    """Among a thousand patterns with stars."""
    globs = [f"*{chr(97 + n % 26)}*{chr(97 + n // 26 % 26)}*" for n in range(1_000)]
    definitions = parse_definitions(json.dumps([{"event_type": [glob, "compute.*"], "traits": {}} for glob in globs]))
    with within():
        definitions.convert(notification_of({}, event_type=("compute.instance." * 60)[:1_000]))


def notification_of(payload: Any, **words: Any) -> Notification:
    return decode_notification(
        {"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "payload": payload, **words}
    )


def test_many_threads_give_what_one_gives(everything: tuple[Definitions, ...]) -> None:
    """Definitions compile what they need when it is needed first, in whichever thread."""
    notifications = [
        notification_of(
            {"a": f"r-{n % 7}", "b": n % 5, "l": [{"a": n, "n": "x", "v": 1}]},
            event_type=f"type.{n % 40}",
            message_id=f"m-{n}",
        )
        for n in range(400)
    ]

    def fresh() -> Definitions:
        rows = [{"event_type": f"type.{n}", "traits": {f"t{n}": ["payload.a", "payload.b"]}} for n in range(40)]
        return parse_definitions(json.dumps(rows))

    sets = [fresh(), *everything]
    one = fresh()
    expected = [[each.convert(notification) for each in (one, *everything)] for notification in notifications]
    results: list[Any] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        results.append([[each.convert(notification) for each in sets] for notification in notifications])

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(repr(result) == repr(expected) for result in results)


@pytest.mark.parametrize(("count", "length"), [(40_000, 10), (300, 200_000)])
def test_memory_stays_flat_over_ever_new_event_types(count: int, length: int) -> None:
    """Senders choose event types: what is remembered of them is bounded in number and in size."""
    definitions = parse_definitions(
        "- {event_type: 'a.*', traits: {x: payload.a}}", options=Options(drop_unmatched_notifications=length > 100)
    )
    notification = notification_of({"a": 1})

    def convert_many(start: int, stop: int) -> None:
        for number in range(start, stop):
            name = f"{'a' if number % 2 and length < 100 else 'b'}.{number:0{length}d}"
            definitions.convert(
                Notification(f"m-{number}", name, None, "info", notification.timestamp, notification.body)
            )

    convert_many(0, 100 if length > 100 else 30_000)
    tracemalloc.start()
    try:
        convert_many(count, 2 * count)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20 << 20, f"{grown >> 20} MB more"
