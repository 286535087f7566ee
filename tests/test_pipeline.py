"""Pipelines and the bus: everything reaches everyone who is there for it, whoever else fails."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from eventdefs import (
    Batch,
    DeliveryError,
    Event,
    EventBus,
    Ledger,
    Notification,
    PermanentDeliveryError,
    Pipeline,
    RetryableDeliveryError,
    Sink,
    Usage,
    open_ledger,
    open_publisher,
    parse_definitions,
)
from eventdefs.metering.ledger import Counts
from eventdefs.publishers import Delivered
from eventdefs.types import identity_of, kind_of
from tests.making import event, notification, period, sample

EVENTS = parse_definitions("[]")
METERS = parse_definitions("""
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size, resource_id: $.payload.id}
  - {name: up, event_type: volume, type: delta, unit: h, resource_id: $.payload.id,
     period: {begin: $.payload.begin, end: $.payload.end}}
""")
PAYLOAD = {"id": "v-1", "size": 4, "begin": "2026-08-01T00:00:00", "end": "2026-08-01T01:00:00"}


class Recorder:
    """A publisher that remembers its batches, and fails at some of them."""

    Options: ClassVar[type[msgspec.Struct]] = msgspec.Struct

    def __init__(self, *failures: DeliveryError | None, close: DeliveryError | None = None) -> None:
        self.batches: list[tuple[list[str], list[str], list[str]]] = []
        self.closed = 0
        self._failures = list(failures)
        self._close = close

    def publish(self, batch: Batch) -> Delivered:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        events = [event.message_id for event in batch.events]
        self.batches.append((events, [one.name for one in batch.samples], [one.meter for one in batch.periods]))
        return Delivered(len(batch), 0)

    def check(self) -> None:
        """Nothing is wrong."""

    def close(self) -> None:
        self.closed += 1
        if self._close is not None:
            raise self._close


def counts(sink: Sink) -> tuple[int, int, int, str | None]:
    return sink.published, sink.duplicates, sink.undelivered, None if sink.error is None else str(sink.error)


def run(definitions: Any, sinks: list[Sink], count: int, **options: Any) -> Pipeline:
    with Pipeline(definitions, sinks, **options) as pipeline:
        for number in range(count):
            pipeline.process(notification(PAYLOAD, message_id=f"m-{number}"))
    return pipeline


def test_a_notification_reaches_every_sink() -> None:
    """Events, samples and periods go to all publishers, in batches, and closing delivers what waits."""
    recorders = [Recorder(), Recorder()]
    sinks = [Sink(recorder, name) for recorder, name in zip(recorders, "ab", strict=True)]
    run(METERS, sinks, 3, batch_size=4)
    for recorder, sink in zip(recorders, sinks, strict=True):
        assert recorder.batches == [
            (["m-0", "m-1"], ["size"] * 2, ["up"] * 2),
            (["m-2"], ["size"], ["up"]),
        ]
        assert (recorder.closed, counts(sink)) == (1, (9, 0, 0, None))


def test_what_process_gives() -> None:
    """`process` gives the conversion, whatever is delivered and when."""
    with Pipeline(METERS, [Sink(Recorder())]) as pipeline:
        assert pipeline.process(notification(PAYLOAD)) == METERS.convert(notification(PAYLOAD))


SIZES = {
    "one": (1, [1, 1, 1, 1, 1]),
    "two": (2, [2, 2, 1]),
    "all": (5, [5]),
    "more": (100, [5]),
}


@pytest.mark.parametrize(("batch_size", "sizes"), SIZES.values(), ids=SIZES)
def test_batches(batch_size: int, sizes: list[int]) -> None:
    """A batch goes out when it has so many, and the rest at the end."""
    recorder = Recorder()
    run(EVENTS, [Sink(recorder)], 5, batch_size=batch_size)
    assert [len(events) for events, _, _ in recorder.batches] == sizes


def test_batches_of_periods() -> None:
    """Definitions that give claims only do not gather them for ever."""
    definitions = parse_definitions(
        """
metric:
  - {name: up, event_type: volume, type: delta, unit: h, resource_id: $.payload.id,
     period: {begin: $.payload.begin, end: $.payload.end}}
"""
    )
    recorder = Recorder()
    with Pipeline(definitions, [Sink(recorder)], batch_size=2) as pipeline:
        for number in range(4):
            pipeline.process(notification(PAYLOAD, message_id=f"m-{number}", priority="sample"))
        assert [len(periods) for _, _, periods in recorder.batches] == [2, 2]


def test_flush() -> None:
    """What waits can be delivered at any time, and nothing is delivered where nothing waits."""
    recorder = Recorder()
    with Pipeline(EVENTS, [Sink(recorder)]) as pipeline:
        pipeline.flush()
        pipeline.process(notification())
        assert recorder.batches == []
        pipeline.flush()
        pipeline.flush()
        assert recorder.batches == [(["m-1"], [], [])]
    assert len(recorder.batches) == 1


def test_one_failing_sink_does_not_stop_the_other() -> None:
    """What a sink did not take is counted, and it takes nothing after that: later events must not overtake."""
    bad, good = Recorder(None, RetryableDeliveryError("away")), Recorder()
    sinks = [Sink(bad, "bad"), Sink(good, "good")]
    pipeline = run(EVENTS, sinks, 5, batch_size=2)
    assert bad.batches == [(["m-0", "m-1"], [], [])]
    assert good.batches == [(["m-0", "m-1"], [], []), (["m-2", "m-3"], [], []), (["m-4"], [], [])]
    assert [counts(sink) for sink in sinks] == [(2, 0, 3, "away"), (5, 0, 0, None)]
    assert (pipeline.failed, bad.closed, good.closed) == (False, 1, 1)


class Refusing(Recorder):
    """A publisher that takes no batch in which one of some items is."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self._refused = set(refused)

    def publish(self, batch: Batch) -> Delivered:
        if self._refused & {identity_of(item)[-1] for item in batch}:
            raise PermanentDeliveryError("too large")
        return super().publish(batch)


def test_one_refused_item_does_not_stop_the_sink() -> None:
    """It is counted with the reason, and neither its batch nor what comes later is held up by it."""
    recorder = Refusing("m-2")
    sink = Sink(recorder)
    run(EVENTS, [sink], 5, batch_size=4)
    assert recorder.batches == [(["m-0", "m-1"], [], []), (["m-3"], [], []), (["m-4"], [], [])]
    assert (counts(sink), sink.tally.reasons) == ((4, 0, 1, None), ["too large"])


def test_a_publisher_that_raises_anything() -> None:
    """What a third party's code raises is said, of the items for which it does."""

    class Broken(Recorder):
        def publish(self, batch: Batch) -> Delivered:
            if any(event.message_id == "m-1" for event in batch.events):
                raise KeyError("size")
            return super().publish(batch)

    sink = Sink(Broken())
    run(EVENTS, [sink], 3)
    assert (counts(sink), sink.tally.reasons) == ((2, 0, 1, None), ["KeyError: 'size'"])


def test_failed() -> None:
    """A pipeline that delivers to nobody any more says so."""
    sinks = [Sink(Recorder(RetryableDeliveryError("one"))), Sink(Recorder(RetryableDeliveryError("two")))]
    with Pipeline(EVENTS, sinks, batch_size=1) as pipeline:
        assert not pipeline.failed
        pipeline.process(notification())
        assert pipeline.failed
    assert not Pipeline(EVENTS, []).failed


def test_closing_that_fails() -> None:
    """An error of closing is the sink's, and the others are closed all the same."""
    bad, good = Recorder(close=RetryableDeliveryError("away")), Recorder()
    sinks = [Sink(bad), Sink(good)]
    run(EVENTS, sinks, 1)
    assert [counts(sink) for sink in sinks] == [(1, 0, 0, "away"), (1, 0, 0, None)]
    assert (bad.closed, good.closed) == (1, 1)


def test_the_first_error_is_kept() -> None:
    """It is the one that explains the others."""
    sink = Sink(Recorder(RetryableDeliveryError("first"), close=RetryableDeliveryError("second")))
    run(EVENTS, [sink], 1)
    assert counts(sink) == (0, 0, 1, "first")


def test_closing_after_a_failure_inside() -> None:
    """What the caller raises does not keep from delivering what was processed."""
    recorder = Recorder()
    with contextlib.suppress(ZeroDivisionError), Pipeline(EVENTS, [Sink(recorder)]) as pipeline:
        pipeline.process(notification())
        raise ZeroDivisionError
    assert (recorder.batches, recorder.closed) == ([(["m-1"], [], [])], 1)


class Broken:
    """A third party's publisher, which raises what it must not."""

    Options: ClassVar[type[msgspec.Struct]] = msgspec.Struct

    def publish(self, batch: Batch) -> Delivered:
        raise ValueError("a mistake")

    def close(self) -> None:
        raise ValueError("another")


def test_a_broken_publisher_does_not_stop_the_other() -> None:
    """Whatever a publisher raises is its own failure."""
    good = Recorder()
    sinks = [Sink(Broken()), Sink(good)]  # type: ignore[arg-type]
    run(EVENTS, sinks, 3, batch_size=1)
    assert [events for events, _, _ in good.batches] == [["m-0"], ["m-1"], ["m-2"]]
    assert (good.closed, sinks[0].undelivered) == (1, 3)


def test_duplicates_are_counted() -> None:
    """What a publisher had already is counted as published and as a duplicate."""
    sink = Sink(open_publisher("memory://"))
    sink.publish(Batch([event("m-1"), event("m-2")], [sample("s-1")], [period("c-1")]))
    sink.publish(Batch([event("m-2"), event("m-3")], [sample("s-1")], [period("c-1")]))
    assert counts(sink) == (8, 3, 0, None)


def test_the_name_of_a_sink() -> None:
    """For reports: what it is called, else what it is."""
    assert (Sink(Recorder()).name, Sink(Recorder(), "mine").name) == ("Recorder", "mine")


def test_several_threads() -> None:
    """Nothing is lost or delivered twice where many threads process."""
    publisher: Any = open_publisher("memory://")
    sink = Sink(publisher)
    with Pipeline(METERS, [sink], batch_size=7) as pipeline:

        def work(worker: int) -> None:
            for number in range(200):
                pipeline.process(notification(PAYLOAD, message_id=f"m-{worker}-{number}"))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(publisher.events), len(publisher.samples), len(publisher.periods)) == (800, 800, 800)
    assert counts(sink) == (2400, 0, 0, None)


# --- the bus ---------------------------------------------------------------------------------------------------------

TYPES = ("volume.create.start", "volume.create.end", "volume.delete.end", "port.create.end")
PATTERNS = {
    "one": (["volume.create.end"], [1]),
    "all": (["*"], [0, 1, 2, 3]),
    "a glob": (["volume.*"], [0, 1, 2]),
    "several": (["*.delete.end", "port.*"], [2, 3]),
    "an exclusion": (["volume.*", "!*.start"], [1, 2]),
    "only exclusions": (["!volume.*"], [3]),
    "an exclusion wins": (["!volume.create.end", "volume.create.end"], []),
    "letter case": (["Volume.*"], []),
    "a set": (["[pv]o*.create.end"], [1, 3]),
}


def typed(event_type: str, tenant: str | None = "p-1") -> Event:
    return msgspec.structs.replace(event(tenant=tenant), event_type=event_type)


@pytest.mark.parametrize(("globs", "expected"), PATTERNS.values(), ids=PATTERNS)
def test_patterns(globs: list[str], expected: list[int]) -> None:
    """A subscriber gets the events that its globs match and do not exclude."""
    bus, seen = EventBus(), []
    bus.subscribe(*globs, lambda event: seen.append(event.event_type))
    emitted = [bus.emit(typed(event_type)) for event_type in TYPES]
    assert seen == [TYPES[number] for number in expected]
    assert emitted == [int(number in expected) for number in range(len(TYPES))]


def test_tenants() -> None:
    """With a tenant, only its events; without, all of them."""
    bus = EventBus()
    seen: dict[str | None, list[str | None]] = {"p-1": [], None: []}
    for tenant, into in seen.items():
        bus.subscribe("*", lambda event, into=into: into.append(event.tenant), tenant=tenant)
    for tenant in ("p-1", "p-2", None):
        bus.emit(typed("a", tenant))
    assert seen == {"p-1": ["p-1"], None: ["p-1", "p-2", None]}


def test_a_raising_subscriber_does_not_stop_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is counted and logged; the others get the event."""
    bus, seen = EventBus(), []

    def fail(event: Event) -> None:
        raise ValueError("mine")

    failing = bus.subscribe("*", fail)
    bus.subscribe("*", seen.append)
    with caplog.at_level(logging.ERROR):
        assert [bus.emit(typed("a")), bus.emit(typed("b"))] == [2, 2]
    assert ([event.event_type for event in seen], failing.failures) == (["a", "b"], 2)
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber failed on a (m-1)",
        "a subscriber failed on b (m-1)",
    ]


def test_close() -> None:
    """A subscription that was closed, once or twice, gets nothing more."""
    bus, seen = EventBus(), []
    with bus.subscribe("*", seen.append) as subscription:
        bus.emit(typed("a"))
    assert bus.emit(typed("b")) == 0
    subscription.close()
    assert [event.event_type for event in seen] == ["a"]


def test_a_subscriber_may_subscribe_and_close() -> None:
    """What changes while an event is emitted counts for the next one."""
    bus, seen = EventBus(), []

    def once(event: Event) -> None:
        subscription.close()
        bus.subscribe("*", seen.append)

    subscription = bus.subscribe("*", once)
    assert [bus.emit(typed("a")), bus.emit(typed("b"))] == [1, 1]
    assert [event.event_type for event in seen] == ["b"]


@pytest.mark.parametrize("arguments", [(), ("*",), (print,), ("*", 5, print), ("*", "b")], ids=repr)
def test_wrong_subscriptions(arguments: tuple[Any, ...]) -> None:
    """Globs and then a function, or an error."""
    with pytest.raises(TypeError, match=r"subscribe takes one or more globs and then a function"):
        EventBus().subscribe(*arguments)


def test_the_bus_of_a_pipeline() -> None:
    """Events are emitted as they are converted; what gives no event emits none."""
    bus, seen = EventBus(), []
    bus.subscribe("volume.*", seen.append)
    with Pipeline(METERS, [], bus=bus) as pipeline:
        pipeline.process(notification(PAYLOAD))
        pipeline.process(notification(PAYLOAD, message_id="m-2", priority="sample"))
        assert [event.message_id for event in seen] == ["m-1"]


def test_a_bus_of_several_threads() -> None:
    """Subscribing and emitting in many threads loses nothing."""
    bus, seen = EventBus(), []
    bus.subscribe("*", seen.append)

    def work() -> None:
        for _ in range(200):
            with bus.subscribe("*", lambda event: None):
                bus.emit(typed("a"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), bus.emit(typed("b"))) == (800, 1)


# --- a pipeline with a ledger ----------------------------------------------------------------------------------------

CLAIMS = parse_definitions(
    """
metric:
  - {name: up, event_type: volume, type: delta, unit: h, resource_id: $.payload.id,
     period: {begin: $.payload.begin, end: $.payload.end}}
"""
)


def claim(begin: str, end: str, id: str = "v-1") -> Notification:
    payload = {"id": id, "begin": f"2026-08-01T{begin}", "end": f"2026-08-01T{end}"}
    return notification(payload, message_id=f"m-{id}-{end}", timestamp=payload["end"], priority="sample")


CLAIMED = [claim("00:00", "01:00"), claim("00:30", "01:30")]


class Listener(Recorder):
    """A recorder that also remembers of usage what it was given: kinds of records, and volumes of samples."""

    def __init__(self, *failures: DeliveryError | None) -> None:
        super().__init__(*failures)
        self.heard: list[tuple[list[str], list[float]]] = []

    def publish(self, batch: Batch) -> Delivered:
        delivered = super().publish(batch)
        if batch.records:
            kinds = [kind_of(record) for record in batch.records]
            self.heard.append((kinds, [float(sample.volume) for sample in batch.samples]))
        return delivered


def ledgered(ledger: Ledger, sinks: list[Sink], *given: Notification, batch_size: int = 1000) -> Pipeline:
    with Pipeline(CLAIMS, sinks, batch_size=batch_size, ledger=ledger) as pipeline:
        for one in given:
            pipeline.process(one)
        pipeline.finish()
    return pipeline


def test_usage_reaches_every_sink() -> None:
    """What the ledger records goes to all publishers with its delta samples, and is counted; then it is done with."""
    listeners, ledger = [Listener(), Listener()], Ledger()
    sinks = [Sink(listener) for listener in listeners]
    pipeline = ledgered(ledger, sinks, *CLAIMED, batch_size=1)
    for listener, sink in zip(listeners, sinks, strict=True):
        assert listener.heard == [(["usage"], [1.0]), (["usage", "closure", "closure"], [0.5])]
        assert [periods for _, _, periods in listener.batches if periods] == [["up"], ["up"]]
        assert counts(sink) == (8, 0, 0, None)
    assert pipeline.counts == Counts(claims=2, usage=2, closures=2)
    assert (ledger.pending(), pipeline.ledger_error, pipeline.failed) == ([], None, False)


def test_closing_does_not_finish() -> None:
    """Without `finish` an hour that only time would close stays open for whoever continues the ledger."""
    ledger = Ledger()
    for given, heard in ((CLAIMED, [(["usage"], [1.0])]), ([], [])):
        listener = Listener()
        with Pipeline(CLAIMS, [Sink(listener)], ledger=ledger) as pipeline:
            for one in given:
                pipeline.process(one)
        assert listener.heard == heard
    listener = Listener()
    ledgered(ledger, [Sink(listener)])
    assert listener.heard == [(["usage", "closure", "closure"], [0.5])]


def test_records_wait_for_every_sink() -> None:
    """Where one sink fails, nothing is forgotten; the next pipeline on the ledger delivers it, to all."""
    ledger, good = Ledger(), Listener()
    bad = Listener(RetryableDeliveryError("away"))
    pipeline = ledgered(ledger, [Sink(bad, "bad"), Sink(good, "good")], *CLAIMED)
    assert (len(ledger.pending()), good.heard, pipeline.failed) == (4, [], False)
    listeners = [Listener(), Listener()]
    ledgered(ledger, [Sink(listener) for listener in listeners])
    assert [listener.heard for listener in listeners] == [
        [(["usage", "usage", "closure", "closure"], [1.0, 0.5])],
    ] * 2
    assert ledger.pending() == []


def test_records_that_are_refused_are_not_confirmed() -> None:
    """Nobody forgets usage that a sink refused and that is kept nowhere else; it is not asked again in this run."""
    ledger = Ledger()
    usage = [record.id for record in _recorded(*CLAIMED)]
    refusing = Refusing(usage[0])
    sink = Sink(refusing)
    ledgered(ledger, [sink], *CLAIMED)
    assert (sink.undelivered, sink.error) == (2, None)  # the record and its sample, which have one id
    assert [record.id for record in ledger.pending()] == usage


def _recorded(*claims: Any) -> list[Any]:
    ledger = Ledger()
    ledgered(ledger, [], *claims)
    return list(ledger.pending())


def test_a_sink_that_fails_at_records() -> None:
    """A batch of records that one sink did not take is given to the others, and stays in the outbox all the same."""
    ledger, good = Ledger(), Listener()
    bad = Sink(Listener(None, RetryableDeliveryError("away")), "bad")
    ledgered(ledger, [bad, Sink(good)], *CLAIMED)
    heard = [(["usage"], [1.0])]
    assert (good.heard, counts(bad), len(ledger.pending())) == (heard, (2, 0, 2, "away"), 4)


def test_a_ledger_without_sinks() -> None:
    """Nobody has the records, so they wait."""
    ledger = Ledger()
    ledgered(ledger, [], *CLAIMED)
    assert [kind_of(record) for record in ledger.pending()] == ["usage", "usage", "closure", "closure"]


def test_more_records_than_are_delivered_at_once() -> None:
    """All of them are delivered, in the order of their sequence, each once."""
    publisher: Any = open_publisher("memory://")
    sink = Sink(publisher)
    ledger = Ledger()
    ledgered(ledger, [sink], *(claim("00:00", "01:00", f"v-{number}") for number in range(2_500)))
    sequences = [record.sequence for record in publisher.records]
    assert (sequences, ledger.pending()) == (list(range(1, 2_502)), [])
    assert (len({one.id for one in publisher.samples}), sink.duplicates) == (2_500, 0)


def test_a_ledger_that_fails(tmp_path: Path) -> None:
    """The pipeline says so and why; events still go out, no hour does, and a ledger that works again has it all."""
    url = f"sqlite:///{tmp_path}/l.db"
    ledger, listener = open_ledger(url), Listener()
    with contextlib.closing(sqlite3.connect(tmp_path / "l.db")) as connection:
        connection.execute("ALTER TABLE ledger_hours RENAME TO away")
        pipeline = ledgered(ledger, [Sink(listener)], *CLAIMED)
        connection.execute("ALTER TABLE away RENAME TO ledger_hours")
    ledger.close()
    assert isinstance(pipeline.ledger_error, RetryableDeliveryError)
    assert str(pipeline.ledger_error).startswith(f"the ledger {url}: no such table")
    assert (pipeline.failed, pipeline.counts, listener.heard) == (True, Counts(), [])
    assert [periods for _, _, periods in listener.batches] == [["up", "up"]]
    ledger = open_ledger(url)
    ledgered(ledger, [Sink(listener)], *CLAIMED)
    ledger.close()
    assert listener.heard == [(["usage"], [1.0]), (["usage", "closure", "closure"], [0.5])]


def test_several_threads_with_a_ledger() -> None:
    """Nothing is counted twice or lost where many threads process."""
    publisher: Any = open_publisher("memory://")
    ledger = Ledger()
    with Pipeline(CLAIMS, [Sink(publisher)], batch_size=7, ledger=ledger) as pipeline:

        def work(worker: int) -> None:
            for minute in range(60):
                pipeline.process(claim("00:00", f"00:{minute:02}:30", f"v-{worker % 2}"))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipeline.finish()
    usage = [record for record in publisher.records if isinstance(record, Usage)]
    assert {one.resource_id: one.seconds for one in usage} == {"v-0": "3570", "v-1": "3570"}
    assert (pipeline.counts.claims, ledger.pending()) == (240, [])
