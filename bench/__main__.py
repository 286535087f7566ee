"""All figures: `python -m bench [NAME ...]`.

Definitions and payload are Ceilometer's own where the folder with its files is there (EVENTDEFS_CONFORMANCE, else
../shared/conformance), so that both sides do the same work; else ours, which Ceilometer reads as well.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from bench import commands, http, kafka, language_server, ledger, sql
from bench.elasticsearch import bench_elasticsearch as elasticsearch_lines
from bench.measure import compare, seconds_of, timed
from bench.oracle import Ceilometer
from eventdefs.decode import decode_notification
from eventdefs.definitions import Definitions, load_definitions, parse_definitions
from eventdefs.encode import encode_event

TOP = Path(__file__).resolve().parent.parent
CONFORMANCE = Path(os.environ.get("EVENTDEFS_CONFORMANCE", TOP.parent / "shared" / "conformance"))
BODY = ("ctxt", "publisher_id", "event_type", "payload", "metadata")


ROWS = (
    "searchlight/instance-update-error-final",
    "ceilometer-tests/compute.instance.finish_resize.end",
    "notigen/compute.instance.update",
    "designate-samples/compute.instance.create.start",
)
"""Notifications of the conformance data, small to large; goals are held against the second, which is
Ceilometer's own; the third has the median size."""


class Case:
    """What is measured: definition files of events and of samples, and a notification as Ceilometer's body in JSON."""

    def __init__(self, name: str = ROWS[1]) -> None:
        if CONFORMANCE.is_dir():
            self.events = CONFORMANCE / "definitions" / "events-ceilometer-27.yaml"
            self.meters = CONFORMANCE / "definitions" / "meters-ceilometer-27.yaml"
            with (CONFORMANCE / "corpus.jsonl").open() as lines:
                body = next(row for row in map(json.loads, lines) if row["name"] == name)
        else:
            self.events, self.meters = TOP / "event_definitions.yaml", TOP / "meters.yaml"
            body = decode_notification((TOP / "samples/nova/compute.instance.create.end.json").read_bytes()).body
        self.data = orjson.dumps({key: body[key] for key in BODY})

    def __str__(self) -> str:
        return f"{len(self.data):,} bytes of {decode_notification(self.data).event_type}, {self.events.name}"


@contextmanager
def ceilometer(case: Case) -> Iterator[Ceilometer]:
    with Ceilometer() as reference:
        reference.ask("load", file=str(case.events))
        reference.ask("notification", text=case.data.decode())
        yield reference


def show(what: str, result: object, goal: str = "") -> None:
    print(f"{what:46} {result}" + (f"   goal {goal}" if goal else ""), flush=True)


def bench_convert(case: Case) -> None:
    """`convert` against Ceilometer's `to_event`."""
    notification, definitions = decode_notification(case.data), load_definitions(case.events)
    with ceilometer(case) as reference:
        ratio = compare(timed(lambda: definitions.convert(notification)), partial(reference.ask, "convert"))
    show("convert / to_event", ratio, "40x")


def bench_bytes(case: Case) -> None:
    """JSON bytes to event bytes, against Ceilometer and against reading and writing alone."""
    definitions = load_definitions(case.events)
    data = case.data

    def ours() -> bytes:
        event = definitions.convert_json(data).event
        assert event is not None
        return encode_event(event)

    ours()  # the first of an event type prepares what the others use
    with ceilometer(case) as reference:
        show("bytes to bytes / Ceilometer", compare(timed(ours), partial(reference.ask, "bytes")), "25x")
    bare = compare(timed(ours), timed(lambda: orjson.dumps(orjson.loads(data))), 21)
    show("bytes to bytes / orjson loads and dumps", f"{1 / bare.median:7.2f} times as long", "at most 2.5")


def bench_sizes(case: Case) -> None:
    """The first two for the other payloads, from small to large."""
    for name in (ROWS[0], *ROWS[2:]) if CONFORMANCE.is_dir() else ():
        each = Case(name)
        print(each)
        bench_convert(each)
        bench_bytes(each)


def bench_samples(case: Case) -> None:
    """Event and samples together, against Ceilometer doing both."""
    definitions = load_definitions(case.events, case.meters)
    notification = decode_notification(case.data)
    count = len(definitions.convert(notification).samples)
    with ceilometer(case) as reference, tempfile.TemporaryDirectory() as folder:
        shutil.copy(case.meters, folder)
        reference.ask("meters", folder=folder)
        ratio = compare(timed(lambda: definitions.convert(notification)), partial(reference.ask, "samples"))
    show(f"event and {count} samples / Ceilometer", ratio)


def bench_load(case: Case) -> None:
    """Loading the definition file."""
    load_definitions(case.events)
    with ceilometer(case) as reference:
        ours = partial(seconds_of, lambda: load_definitions(case.events), 1)
        ratio = compare(ours, partial(reference.ask, "load", file=str(case.events)), 5)
    show(f"load {len(case.events.read_text().splitlines())} lines / Ceilometer", ratio, "30x")


def bench_matching(case: Case) -> None:
    """Converting event types never seen before: 5,000 definitions against 50."""

    def many(count: int) -> Definitions:
        kinds = ["svc{0}.resource{0}.*", "svc{0}.thing.create.end", "*.op{0}.start", "svc{0}.*.error"]
        lines = [f"- {{event_type: '{kinds[n % 4].format(n)}', traits: {{a: payload.a}}}}" for n in range(count)]
        return parse_definitions("\n".join(lines))

    def unseen(definitions: Definitions, count: int = 2000) -> Callable[[], float]:
        rounds = iter(range(10**9))

        def measure() -> float:
            number = next(rounds)
            names = [f"svc{n % 60}.resource{n % 50}.new{n}x{number}" for n in range(count)]
            names += [f"other{n}.x{number}.op{n % 50}.start" for n in range(count)]
            return seconds_of(lambda: [definitions.find(name) for name in names], 1) / len(names)

        return measure

    few, lots = unseen(many(50)), unseen(many(5000))
    ratio = compare(few, lots)
    show("matching unseen types: 5,000 / 50 definitions", f"{ratio.median:7.2f} times as long", "flat")


def bench_large(case: Case) -> None:
    """A payload of 100 KB: what conversion adds to reading it."""
    document = orjson.loads(case.data)
    document["payload"]["more"] = {f"key_{n}": {"text": "x" * 40, "number": n, "list": [n, n]} for n in range(1200)}
    data = orjson.dumps(document)
    definitions = load_definitions(case.events)

    def ours() -> bytes:
        event = definitions.convert_json(data).event
        assert event is not None
        return encode_event(event)

    ours()
    ratio = compare(timed(ours), timed(lambda: orjson.loads(data)))
    show(f"{len(data):,} bytes / orjson loads alone", f"{1 / ratio.median:7.2f} times as long")


def bench_memory(case: Case) -> None:
    """Memory after a million conversions, every tenth of an event type never seen before."""
    definitions = load_definitions(case.events)
    notification = decode_notification(case.data)
    body: Any = dict(notification.body)

    def some(begin: int, end: int) -> None:
        for number in range(begin, end):
            if number % 10:
                definitions.convert(notification)
            else:
                body["event_type"] = f"a.new.type.{number}"
                definitions.convert(decode_notification(body))

    some(0, 200_000)
    gc.collect()
    tracemalloc.start()
    some(200_000, 300_000)
    gc.collect()
    early, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    some(300_000, 900_000)
    gc.collect()
    tracemalloc.start()
    some(900_000, 1_000_000)
    gc.collect()
    late, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = f"{early:,} bytes at first, {late:,} at the end of a million"
    show("memory kept by 100,000 conversions", kept, "flat")


def bench_ledger(case: Case) -> None:
    """Claims a second, in memory and durable; the state over a year."""
    for bench in (ledger.bench_memory, ledger.bench_durable, ledger.bench_year):
        for line in bench():
            print(line, flush=True)


def bench_commands(case: Case) -> None:
    """What a person waits for: `eventdefs lint` and `explain` as whole processes."""
    for lines in (commands.bench_lint(case.events), commands.bench_explain(case.events, case.data)):
        for line in lines:
            print(line, flush=True)


def bench_edit(case: Case) -> None:
    """What somebody waits for who types: an edit, and the findings of the language server."""
    for line in language_server.bench_edit(TOP / "event_definitions.yaml"):
        print(line, flush=True)


def bench_http(case: Case) -> None:
    """Publishing over HTTP, beside bare posts of ready bodies."""
    for line in http.bench_http():
        print(line, flush=True)


def bench_kafka(case: Case) -> None:
    """Publishing to Kafka, beside the bare clients with ready bytes."""
    for line in kafka.bench_kafka():
        print(line, flush=True)


def bench_elasticsearch(case: Case) -> None:
    """Publishing to Elasticsearch, beside a bare `_bulk` of ready bodies."""
    for line in elasticsearch_lines(TOP / "samples/nova/compute.instance.create.end.json", case.events):
        print(line, flush=True)


def bench_sql(case: Case) -> None:
    """Publishing to SQL databases, beside ready rows through the bare drivers."""
    for line in sql.bench_sql():
        print(line, flush=True)


BENCHES = {
    "convert": bench_convert,
    "bytes": bench_bytes,
    "sizes": bench_sizes,
    "samples": bench_samples,
    "load": bench_load,
    "matching": bench_matching,
    "large": bench_large,
    "memory": bench_memory,
    "ledger": bench_ledger,
    "commands": bench_commands,
    "edit": bench_edit,
    "kafka": bench_kafka,
    "http": bench_http,
    "sql": bench_sql,
    "elasticsearch": bench_elasticsearch,
}


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHES)
    if unknown:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(BENCHES)}\n")
        return 2
    case = Case()
    print(case)
    for name in names or BENCHES:
        BENCHES[name](case)
    return 0


sys.exit(main(sys.argv[1:]))
