"""Publishing to a real Elasticsearch, beside a bare `_bulk` of ready bodies through the same client in the same run.

The server is the one that EVENTDEFS_ELASTICSEARCH_URL names, else one that is started for the run.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from elasticsearch import Elasticsearch

from bench.measure import compare_publishing
from eventdefs.decode import decode_notification
from eventdefs.definitions import load_definitions
from eventdefs.publishers import open_publisher
from eventdefs.publishers.elasticsearch.documents import document_of
from eventdefs.publishers.elasticsearch.naming import document_id
from eventdefs.types import Batch, Event
from tests.servers import elasticsearch_server

BATCH = 2_000
ROUNDS = 15


@contextmanager
def server() -> Iterator[str]:
    if given := os.environ.get("EVENTDEFS_ELASTICSEARCH_URL"):
        yield given
        return
    with elasticsearch_server() as started:
        yield started.address


def events_of(notification: Path, definitions: Path) -> Iterator[Event]:
    """Yield the event of *notification* without end, each time with another message_id and of another tenant."""
    event = load_definitions(definitions).convert(decode_notification(notification.read_bytes())).event
    assert event is not None
    for number in range(10**9):
        yield msgspec.structs.replace(event, message_id=str(uuid.uuid4()), tenant=f"{number % 50:032x}")


def body_of(index: str, events: list[Event]) -> bytes:
    """Return the body of a bulk request that creates *events* in *index*."""
    lines = (
        b'{"create":{"_index":"%b","_id":"%b"}}\n%b\n' % (index.encode(), i.encode(), d) for i, d in map(_of, events)
    )
    return b"".join(lines)


def _of(event: Event) -> tuple[str, bytes]:
    return document_id(event), document_of(event)


def bench_elasticsearch(notification: Path, definitions: Path) -> Iterator[str]:
    """Events a second, and what part of what the bare client reaches."""
    events = events_of(notification, definitions)
    name = f"bench{uuid.uuid4().hex[:8]}"
    with server() as http:
        publisher = open_publisher(
            f"elasticsearch://{http.removeprefix('http://')}/{name}?own_index_tenants=0&replicas=0&samples={name}s&usage={name}u"
        )
        bare = Elasticsearch(http, max_retries=0)
        first = next(events)
        publisher.publish(Batch([first]))
        month = f"{first.generated:%Y.%m}"
        bare.indices.create(index=f"{name}-bare-{month}")  # the same template, thus the same work for the server

        def ours() -> float:
            batch = Batch([next(events) for _ in range(BATCH)])
            began = time.perf_counter()
            publisher.publish(batch)
            return time.perf_counter() - began

        def reference() -> float:
            body: Any = body_of(f"{name}-bare-{month}", [next(events) for _ in range(BATCH)])
            began = time.perf_counter()
            answer = bare.bulk(operations=body)
            assert not answer["errors"]
            return time.perf_counter() - began

        for _ in range(3):  # a server that has just begun compiles as it goes
            ours(), reference()
        ratio = compare_publishing(ours, reference, ROUNDS)
        publisher.close()
        found = bare.cat.indices(index=f"{name}-*", h="index", format="json")
        for one in found:
            bare.indices.delete(index=dict(one)["index"])
        bare.indices.delete_index_template(name=f"eventdefs-{name}")
        bare.close()
    what = f"elasticsearch, {BATCH:,} events of {len(document_of(first)):,} bytes"
    figures = f"{ratio.median:.2f} of bare _bulk ({ratio.least:.2f} to {ratio.most:.2f})"
    yield f"{what}: {BATCH / ratio.ours:,.0f}/s, {figures}   goal 0.8"


if __name__ == "__main__":
    top = Path(__file__).resolve().parent.parent
    for line in bench_elasticsearch(
        top / "samples/nova/compute.instance.create.end.json", top / "event_definitions.yaml"
    ):
        print(line)
