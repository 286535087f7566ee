"""`elasticsearch://` and `opensearch://` against real servers, which keep what they are given once and whole."""

from __future__ import annotations

import json
import math
import threading
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import msgspec
import pytest

from eventdefs import open_publisher
from eventdefs.delivery import open_delivery
from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers.elasticsearch.cluster import silence
from eventdefs.publishers.elasticsearch.documents import item_of
from eventdefs.publishers.elasticsearch.elastic import ElasticsearchOptions, ElasticsearchPublisher
from eventdefs.publishers.elasticsearch.naming import code_of, document_id
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.testing import (
    SENT,
    PublisherContract,
    Target,
    a_period,
    a_sample,
    a_usage,
    an_event,
    everything,
    written,
)
from eventdefs.types import Batch, Delivered, Event, Item, identity_of
from tests.publishers.between import Between
from tests.servers import (
    SecureElasticsearch,
    Server,
    elasticsearch9,
    elasticsearch_server,
    free_port,
    opensearch,
    secure_elasticsearch,
    session,
)

__all__ = ["elasticsearch9", "opensearch", "secure_elasticsearch"]


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    """Ask a server by other means than ours; return its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as answer:
        return json.load(answer)


class Indices:
    """Indices of one test on one server.

    Attributes:
        scheme, http: of the publisher, and of the server.
        name: what the names of all indices begin with.
    """

    def __init__(self, scheme: str, http: str, server: Server | None = None) -> None:
        self.scheme = scheme
        self.http = http
        self.server = server
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.opened: list[Any] = []

    def url(self, options: str = "own_index_tenants=0", http: str = "") -> str:
        hosts = (http or self.http).removeprefix("http://")
        names = f"samples={self.name}-samples&usage={self.name}-usage&replicas=0"
        return f"{self.scheme}://{hosts}/{self.name}-events?{names}&{options}"

    def open(self, options: str = "own_index_tenants=0", http: str = "") -> Any:
        publisher = open_publisher(self.url(options, http))
        self.opened.append(publisher)
        return publisher

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        return ask(f"{self.http}/{path}", method, body)

    def names(self) -> list[str]:
        """Return the indices that are there, sorted."""
        found = self.ask("_cat/indices?format=json&expand_wildcards=all&h=index")
        return sorted(one["index"] for one in found if self.name in one["index"])

    def hits(self, pattern: str = "*", **query: Any) -> list[dict[str, Any]]:
        """Return the documents of the indices that match *pattern* behind the name of the test."""
        indices = quote(f"{self.name}-{pattern}")
        self.ask(f"{indices}/_refresh", "POST")
        found = self.ask(f"{indices}/_search", "POST", {"size": 10_000, **query})
        hits: list[dict[str, Any]] = found["hits"]["hits"]
        return hits

    def received(self, pattern: str = "*") -> list[Item]:
        return [item_of(hit["_source"]) for hit in self.hits(pattern)]

    def close(self) -> None:
        for publisher in self.opened:
            publisher.close()
        for name in self.names():
            self.ask(name, "DELETE")
        for one in self.ask("_index_template")["index_templates"]:
            if self.name in one["name"]:
                self.ask(f"_index_template/{one['name']}", "DELETE")


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    """An Elasticsearch 8 with nothing but defaults, which may be stopped and started."""
    yield from session(elasticsearch_server)


SERVERS = ("Elasticsearch 8", "Elasticsearch 9", "OpenSearch")


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> tuple[str, str, Server | None]:
    """Scheme and address of each server in turn."""
    if request.param == "OpenSearch":
        return "opensearch", request.getfixturevalue("opensearch"), None
    if request.param == "Elasticsearch 9":
        return "elasticsearch", request.getfixturevalue("elasticsearch9"), None
    server = request.getfixturevalue("node")
    return "elasticsearch", server.address, server


@pytest.fixture
def indices(place: tuple[str, str, Server | None]) -> Iterator[Indices]:
    """Indices that are not there yet; they are deleted at the end."""
    made = Indices(*place)
    yield made
    made.close()


everywhere = pytest.mark.parametrize("place", SERVERS, indirect=True)
once = pytest.mark.parametrize("place", SERVERS[:1], indirect=True)


def in_year(item: Event, year: int, **values: Any) -> Event:
    return msgspec.structs.replace(item, generated=item.generated.replace(year=year), **values)


@everywhere
class TestContract(PublisherContract):
    """What every publisher owes, on each server."""

    @pytest.fixture
    def target(self, indices: Indices) -> Target:
        # Nothing there is an answer as well, until the first index is made.
        def received() -> list[Item]:
            return indices.received() if indices.names() else []

        server = indices.server
        return Target(
            indices.url(),
            received,
            ordered=False,
            refused=in_year(an_event("far"), 9999),
            stop=None if server is None else server.stop,
            start=None if server is None else server.start,
            away=f"{indices.scheme}://127.0.0.1:{free_port()}/events",
            secret=f"{indices.scheme}://s3cr3t:s3cr3t@127.0.0.1:{free_port()}/events",
        )


# What is written, and where


@everywhere
def test_a_document(indices: Indices) -> None:
    """An event is one document under the digest of its identity: traits by type, and what no type takes as text."""
    event = msgspec.structs.replace(
        an_event(
            "m-1",
            name="é",
            size=4,
            huge=2**70,
            ratio=0.5,
            infinite=math.inf,
            at=datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        ),
        raw={"payload": {"big": 2**70, "list": [1, {"a.b": None}]}},
    )
    assert indices.open().publish(Batch([event])) == Delivered(1)
    (hit,) = indices.hits()
    assert (hit["_index"], hit["_id"], hit["_routing"]) == (
        f"{indices.name}-events-shared-2026.08",
        "fdcbec36a7e24a1dbb05b3f7b414d3e465f611ca",
        "p_2d1",
    )
    assert hit["_source"] == {
        "kind": "event",
        "message_id": "m-1",
        "event_type": "volume.create.end",
        "generated": "2026-08-01T01:02:03.000004Z",
        "tenant": "p-1",
        "priority": "info",
        "publisher_id": "volume.host-1",
        "@timestamp": "2026-08-01T01:02:03.000004Z",
        "micros": 1785546123000004,
        "traits": [
            {"name": "name", "type": "text", "text": "é"},
            {"name": "size", "type": "int", "int": 4},
            {"name": "huge", "type": "int", "text": "1180591620717411303424"},
            {"name": "ratio", "type": "float", "float": 0.5},
            {"name": "infinite", "type": "float", "text": "inf"},
            {"name": "at", "type": "datetime", "datetime": "0001-01-01T00:00:00.000001Z", "micros": -62135596799999999},
        ],
        "raw": {"payload": {"big": 2**70, "list": [1, {"a.b": None}]}},
    }


@everywhere
def test_traits_are_found_by_type(indices: Indices) -> None:
    """A trait is found by its name and a value of its type; the name of one and the value of another are not."""
    events = [
        an_event("small", size=4, other=9),
        an_event("large", size=9, other=4),
        an_event("text", size="9"),
        an_event("late", at=datetime(2026, 8, 1, 12, tzinfo=UTC)),
    ]
    indices.open().publish(Batch(events))

    def found(name: str, **condition: Any) -> list[str]:
        must = [{"term": {"traits.name": name}}, *({kind: value} for kind, value in condition.items())]
        query = {"nested": {"path": "traits", "query": {"bool": {"filter": must}}}}
        return sorted(hit["_source"]["message_id"] for hit in indices.hits(query=query))

    assert found("size", range={"traits.int": {"gt": 5}}) == ["large"]
    assert found("size", term={"traits.text": "9"}) == ["text"]
    assert found("at", range={"traits.datetime": {"gte": "2026-08-01T12:00:00Z"}}) == ["late"]
    assert found("at", range={"traits.micros": {"gt": 1785585600000000}}) == []


@everywhere
def test_payloads_are_found(indices: Indices) -> None:
    """A value of the payload is found by its path."""
    event = msgspec.structs.replace(an_event(), raw={"payload": {"host": {"name": "node-1"}}})
    indices.open().publish(Batch([event, an_event("m-2")]))
    (hit,) = indices.hits(query={"term": {"raw.payload.host.name": "node-1"}})
    assert hit["_source"]["message_id"] == "m-1"


@once
def test_indices(indices: Indices) -> None:
    """Who is listed has indices of his own, a month and kind each; all others share, and so does what is nobody's."""
    publisher = indices.open("own_index_tenants=0&tenants=p-1,P-1,shared")
    events = [
        an_event("m-1"),
        an_event("m-1", "P-1"),
        an_event("m-1", "p-2"),
        an_event("m-1", "shared"),
        an_event("m-1", None),
        in_year(an_event("m-2"), 2025),
    ]
    publisher.publish(Batch(events, [a_sample()], [a_period()], [a_usage(project_id=None)]))
    kept = {(hit["_index"].removeprefix(f"{indices.name}-"), hit.get("_routing")) for hit in indices.hits()}
    assert kept == {
        ("events-p_2d1-2026.08", None),
        ("events-p_2d1-2025.08", None),
        ("events-_50_2d1-2026.08", None),
        ("events-_73hared-2026.08", None),
        ("events-shared-2026.08", "p_2d2"),
        ("events-shared-2026.08", "none"),
        ("samples-p_2d1-2026.08", None),
        ("usage-p_2d1-2026.08", None),
        ("usage-shared-2026.08", "none"),
    }


HOSTILE = (
    "a",
    "a-b",
    "a-b-c",
    "A",
    "a_2db",
    "_",
    "",
    "shared",
    "none",
    "..",
    ".",
    "-x",
    "_x",
    "+x",
    "*",
    "a*",
    "a,b",
    "a-2026.08",
    "a-*",
    "../../_all",
    "/_cluster/settings",
    "a b",
    "a\\b",
    'a"b',
    "a\nb",
    "a\x00b",
    "<a{now/d}>",
    "a:b",
    "a#b",
    "é",
    "e\u0301",
    "東京",
    "\ud800",
    "x" * 300,
    "x" * 299 + "y",
    "_h" + "0" * 40,
    "{tenant}",
)


def test_codes() -> None:
    """The name of a tenant is of small letters, digits and `_`, at most 64, and nobody else's; ids stay as they are."""
    codes = [code_of(text) for text in HOSTILE]
    assert len(set(codes)) == len(HOSTILE)
    assert [code for code in codes if not code.isascii() or not 1 <= len(code) <= 64 or code != code.lower()] == []
    assert [code for code in codes if not code.replace("_", "a").isalnum()] == []
    project = "5d3f0a1b2c3d4e5f60718293a4b5c6d7"
    assert [code_of(text) for text in (project, "a-b", "shared", "")] == [project, "a_2db", "_73hared", "_"]


def test_ids() -> None:
    """No two identities have one id, wherever tenant and message_id are parted."""
    items: list[Item] = [
        an_event("b", "a"),
        an_event("", "ab"),
        an_event("ab", ""),
        an_event("1:b", "a"),
        an_event("b", "a1:"),
        a_sample("b"),
        a_period("b"),
        a_usage("b"),
    ]
    assert len({document_id(item) for item in items}) == len(items)


@everywhere
def test_wildcards_read_one_tenant(indices: Indices) -> None:
    """Whatever tenants are called, all indices of one hold his events and nobody else's."""
    events = [an_event("m-1", tenant) for tenant in HOSTILE]
    publisher = indices.open(f"own_index_tenants={len(HOSTILE)}")
    assert publisher.publish(Batch(events)) == Delivered(len(HOSTILE))
    for event in events:
        assert event.tenant is not None
        assert indices.received(f"events-{code_of(event.tenant)}-*") == [event]
    assert Counter(map(identity_of, indices.received("events-*"))) == Counter(map(identity_of, events))


@once
def test_one_index_by_name(indices: Indices) -> None:
    """`index=` names where everything goes, with values in place of its fields; its fields are fixed as well."""
    name = f"{indices.name}-{{tenant}}-{{event_type}}{{meter}}"
    publisher = open_publisher(f"elasticsearch://{indices.http[7:]}?index={quote(name)}")
    indices.opened.append(publisher)
    publisher.check()
    assert publisher.publish(Batch([an_event(), an_event("m-1", None)], [a_sample()])) == Delivered(3)
    assert indices.names() == [
        f"{indices.name}-none-volume_2ecreate_2eendnone",
        f"{indices.name}-p_2d1-nonevolume_2esize",
        f"{indices.name}-p_2d1-volume_2ecreate_2eendnone",
    ]
    found = indices.ask(f"{indices.name}-*/_mapping")
    assert {one["mappings"]["dynamic"] for one in found.values()} == {"false"}


@everywhere
def test_fields_do_not_grow(indices: Indices) -> None:
    """10,000 names of traits and of keys in payloads, with types that clash, add no field."""
    publisher = indices.open()
    publisher.publish(Batch([an_event("first")], [a_sample()], [a_period()], [a_usage()]))
    mapping = indices.ask(f"{indices.name}-*/_mapping")
    values = [1, "one", 1.5, SENT, 2**70, math.nan, ""]
    events = []
    for number in range(1000):
        traits = {f"trait {(number * 10 + n) % 9000}": values[(number + n) % 7] for n in range(10)}
        traits |= {f"name.{number}.{n}": values[n % 7] for n in range(10)}
        raw = {"payload": {"same": [{}, 1, "a", None, {"b": [1]}][number % 5], f"key {number}": {"x": number}}}
        events.append(msgspec.structs.replace(an_event(f"m-{number}", **traits), raw=raw))
    assert publisher.publish(Batch(events)) == Delivered(1000)
    assert indices.ask(f"{indices.name}-*/_mapping") == mapping
    assert len(indices.hits()) == 1004


@once
def test_two_thousand_tenants(indices: Indices) -> None:
    """A node of defaults takes events of 2,000 tenants in a year: nothing is lost, and it has shards to spare."""
    publisher = indices.open("own_index_tenants=10")
    events = [
        in_year(an_event(f"m-{year}", f"p-{tenant}"), year) for year in (2024, 2025, 2026) for tenant in range(2000)
    ]
    for first in range(0, len(events), 2000):
        assert publisher.publish(Batch(events[first : first + 2000])) == Delivered(2000)
    counts = Counter(hit["_source"]["tenant"] for hit in indices.hits("events-*-2026.08"))
    assert counts == Counter(f"p-{tenant}" for tenant in range(2000))
    indices.ask(f"{indices.name}-*/_refresh", "POST")
    assert indices.ask(f"{indices.name}-events-*/_count")["count"] == 6000
    assert len(indices.names()) == 3 * 11 + 1  # ten who came first, those who share, and who they are


# Who has indices of his own


@everywhere
def test_processes_agree(indices: Indices) -> None:
    """Who came first is the same for all, however many publish at once, and for those who come later."""
    events = [an_event("m-1", f"p-{number}") for number in range(12)]
    publishers = [open_delivery(f"{indices.url('own_index_tenants=4')}&retry_first=0.01") for _ in range(4)]
    indices.opened += publishers
    delivered: list[Delivered] = []

    def publish(publisher: Any, first: int) -> None:
        delivered.append(publisher.publish(Batch([*events[first:], *events[:first]])))

    threads = [threading.Thread(target=publish, args=(publisher, 3 * n)) for n, publisher in enumerate(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = indices.names()
    assert sum(one.published - one.duplicates for one in delivered) == 12
    assert len([name for name in names if "-events-" in name]) == 5
    assert indices.open("own_index_tenants=4").publish(Batch(events)) == Delivered(12, 12)
    assert indices.names() == names
    assert Counter(map(identity_of, indices.received("events-*"))) == Counter(map(identity_of, events))


@contextmanager
def full(indices: Indices, room: int) -> Iterator[None]:
    """Let the cluster take *room* shards more."""
    taken = indices.ask("_cluster/health?level=cluster")
    shards = taken["active_shards"] + taken["unassigned_shards"] + taken["initializing_shards"]
    setting = "cluster.max_shards_per_node"
    indices.ask("_cluster/settings", "PUT", {"persistent": {setting: shards + room}})
    try:
        yield
    finally:
        indices.ask("_cluster/settings", "PUT", {"persistent": {setting: None}})


@everywhere
def test_a_full_cluster(indices: Indices) -> None:
    """Where no more indices can be made, who would have his own shares, for good: nothing waits, nothing is twice."""
    options = "own_index_tenants=0&tenants=p-1,p-2"
    events = [an_event("m-1"), an_event("m-1", "p-2"), an_event("m-1", "p-3")]
    with full(indices, 2):
        assert indices.open(options).publish(Batch(events)) == Delivered(3)
    assert [name.removeprefix(f"{indices.name}-") for name in indices.names()] == [
        "events-p_2d1-2026.08",
        "events-shared-2026.08",
    ]
    assert indices.open(options).publish(Batch(events)) == Delivered(3, 3)
    assert indices.received("events-p_2d2-*") == [events[1]]
    assert Counter(map(identity_of, indices.received())) == Counter(map(identity_of, events))


@everywhere
def test_a_cluster_too_full_for_the_month(indices: Indices) -> None:
    """What has no index waits and says why; what has one does not wait for it."""
    old, new = in_year(an_event("m-1"), 2025), an_event("m-2")
    publisher = indices.open()
    publisher.publish(Batch([old]))
    with full(indices, 0), pytest.raises(PartialDeliveryError) as caught:
        publisher.publish(Batch([new, old]))
    assert (caught.value.delivered, list(caught.value.again), caught.value.refused) == (Delivered(1, 1), [new], ())
    assert "maximum" in str(caught.value.error)
    assert "shards" in str(caught.value.error)
    assert publisher.publish(Batch([new])) == Delivered(1)


# What is refused, and what waits


def at(indices: Indices, now: datetime, options: str = "") -> ElasticsearchPublisher:
    """Open a publisher whose clock says *now*."""
    url = parse_url(indices.url(f"own_index_tenants=0{options}"))
    publisher = ElasticsearchPublisher(url, read_options(url, ElasticsearchOptions), clock=lambda: now)
    indices.opened.append(publisher)
    return publisher


@once
def test_dates(indices: Indices) -> None:
    """What is dated too far ahead, or longer ago than is kept, is refused alone, and makes no index."""
    publisher = at(indices, SENT, "&ahead=1h&retention=7d")
    events = [
        msgspec.structs.replace(an_event(f"{distance}"), generated=SENT + distance)
        for distance in (timedelta(), timedelta(hours=1), timedelta(hours=1, seconds=1), -timedelta(days=7, seconds=1))
    ]
    with pytest.raises(PartialDeliveryError) as caught:
        publisher.publish(Batch(events))
    assert (caught.value.delivered, len(caught.value.again), caught.value.error) == (Delivered(2), 0, None)
    prefix = f"elasticsearch://{indices.http[7:]}/{indices.name}-events: dated "
    assert [(one.item, one.reason) for one in caught.value.refused] == [
        (events[2], f"{prefix}2026-08-01T02:02:04.000004Z, more than 1:00:00 ahead of now"),
        (events[3], f"{prefix}2026-07-25T01:02:02.000004Z, longer ago than 7 days, 0:00:00"),
    ]
    assert indices.names() == [f"{indices.name}-events-shared-2026.08"]


@everywhere
def test_one_bad_item(indices: Indices) -> None:
    """What the server refuses is refused alone, with its reason; its neighbours are there."""
    bad = an_event("bad", **{f"trait {number}": number for number in range(100_001)})
    with pytest.raises(PartialDeliveryError) as caught:
        indices.open().publish(Batch([an_event("before"), bad, an_event("after")]))
    assert (caught.value.delivered, len(caught.value.again), caught.value.error) == (Delivered(2), 0, None)
    ((item, reason),) = caught.value.refused
    assert item is bad
    assert "nested documents has exceeded the allowed limit" in reason
    assert {hit["_source"]["message_id"] for hit in indices.hits()} == {"before", "after"}


PAYLOADS: dict[str, Any] = {
    "a long text": {"x": "y" * 40_000},
    "a long key": {"k" * 40_000: "v"},
    "a deep one": json.loads('{"a":' * 190 + "1" + "}" * 190),
    "odd keys": {"a\0b": 1, "": 2, " ": 3, ".": 4, "a..b": {"": {}}, "*": {"_source": 5}},
    "a long number": {"n": 10**1500},
    "half a character": {"s": "a\ud800b"},
    "lists": {"a": [], "b": {}, "c": None, "d": [[1], [2, [3]]], "e": [{"a": 1}, {"a": {"b": 2}}]},
}


@everywhere
@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads(name: str, indices: Indices) -> None:
    """No payload keeps an event out, and none changes; its traits are found even where the payload is not."""
    event = msgspec.structs.replace(an_event("m-1", size=4), raw=PAYLOADS[name])
    publisher = indices.open()
    for duplicates in (0, 1):
        assert publisher.publish(Batch([event])) == Delivered(1, duplicates)
    nested = {"nested": {"path": "traits", "query": {"term": {"traits.int": 4}}}}
    (hit,) = indices.hits(query=nested)
    assert written(item_of(hit["_source"])) == written(event)


@everywhere
def test_odd_samples(indices: Indices) -> None:
    """Values of odd types, as odd payloads have them, and what has no room in an index, come back as they were."""
    samples = [
        a_sample("ids", resource_id={"a": [1]}, user_id=7, project_id=["p"]),
        a_sample("volume", volume=10**400),
        a_sample("metadata", metadata={"k" * 40_000: "x" * 40_000, "n": 2**70}),
        a_sample("name", name="n" * 40_000),
    ]
    assert indices.open().publish(Batch(samples=samples)) == Delivered(4)
    assert sorted(map(written, indices.received())) == sorted(map(written, samples))


@once
def test_a_closed_index(indices: Indices) -> None:
    """An index that somebody closed, or shut against writing, is no fault of an event: it waits."""
    publisher = indices.open()
    publisher.publish(Batch([an_event("m-1")]))
    name = f"{indices.name}-events-shared-2026.08"
    indices.ask(f"{name}/_close", "POST")
    with pytest.raises(RetryableDeliveryError, match="closed"):
        publisher.publish(Batch([an_event("m-2")]))
    indices.ask(f"{name}/_open", "POST")
    indices.ask(f"{name}/_settings", "PUT", {"index.blocks.write": True})
    with pytest.raises(RetryableDeliveryError, match="blocked"):
        publisher.publish(Batch([an_event("m-2")]))
    with pytest.raises(RetryableDeliveryError, match=f"{name} cannot be written to: write, somebody has set that"):
        at(indices, SENT).check()
    indices.ask(f"{name}/_settings", "PUT", {"index.blocks.write": None})
    assert publisher.publish(Batch([an_event("m-2")])) == Delivered(1)


@once
def test_a_full_disk(indices: Indices) -> None:
    """What the server sets when a disk is nearly full makes events wait, and `check` say so."""
    publisher = indices.open()
    publisher.publish(Batch([an_event("m-1")]))
    name = f"{indices.name}-events-shared-2026.08"
    indices.ask(f"{name}/_settings", "PUT", {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(RetryableDeliveryError):
        publisher.publish(Batch([an_event("m-2")]))
    with pytest.raises(RetryableDeliveryError, match="read_only_allow_delete, a disk is nearly full"):
        at(indices, SENT).check()


@everywhere
def test_what_is_deleted_is_made_again(indices: Indices) -> None:
    """An index that was deleted comes back with fixed fields, the template too when the next index is made."""
    publisher = indices.open()
    publisher.publish(Batch([an_event("m-1")]))
    indices.ask(f"{indices.name}-events-shared-2026.08", "DELETE")
    assert publisher.publish(Batch([an_event("m-2")])) == Delivered(1)
    indices.ask(f"_index_template/eventdefs-{indices.name}-events", "DELETE")
    assert publisher.publish(Batch([in_year(an_event("m-3"), 2025)])) == Delivered(1)
    found = indices.ask(f"{indices.name}-*/_mapping")
    assert [one["mappings"]["dynamic"] for one in found.values()] == ["false", "false"]


@once
def test_a_later_template(indices: Indices) -> None:
    """The template of a later release is left as it is."""
    path = f"_index_template/eventdefs-{indices.name}-events"
    later = {"index_patterns": [f"{indices.name}-*"], "priority": 200, "version": 99}
    indices.ask(path, "PUT", {**later, "template": {"mappings": {"dynamic": False}}})
    indices.open().publish(Batch([an_event()]))
    assert indices.ask(path)["index_templates"][0]["index_template"]["version"] == 99


@everywhere
def test_an_index_that_is_not_ours(indices: Indices) -> None:
    """An index whose fields grow is not written to: it is said, and what belongs elsewhere is not held up."""
    indices.ask(f"{indices.name}-events-shared-2026.08", "PUT")
    old, new = in_year(an_event("m-1"), 2025), an_event("m-2")
    with pytest.raises(PartialDeliveryError, match="its fields are not fixed: it was not made by us") as caught:
        indices.open().publish(Batch([old, new]))
    assert (caught.value.delivered, list(caught.value.again)) == (Delivered(1), [new])


# Between us and the server


@once
def test_busy_for_half_of_the_items(indices: Indices) -> None:
    """What the server has no room for waits, and only that; asked again and again, it gets everything once."""
    events = [an_event(f"m-{number}") for number in range(100)]
    with Between(indices.http) as between:
        between.bulk = between.half
        with pytest.raises(PartialDeliveryError) as caught:
            indices.open(http=between.url).publish(Batch(events))
        assert (caught.value.delivered, caught.value.refused) == (Delivered(50), ())
        assert list(caught.value.again) == events[::2]
        assert "429 es_rejected_execution_exception: rejected execution" in str(caught.value.error)
        assert isinstance(caught.value.error, RetryableDeliveryError)

        def better(lines: list[bytes]) -> tuple[int, bytes]:
            return between.half(lines) if len(lines) > 2 else between.forward("/_bulk", lines)

        between.bulk = better
        delivery = open_delivery(f"{indices.url(http=between.url)}&retry_for=60s&retry_first=0.001")
        assert delivery.publish(Batch(events)) == Delivered(100, 50)
        delivery.close()
    assert sorted(map(written, indices.received())) == sorted(map(written, events))


@once
def test_an_answer_that_is_lost(indices: Indices) -> None:
    """What the server took without our hearing of it is there once when it comes again."""
    events = [an_event(f"m-{number}") for number in range(10)]
    with Between(indices.http) as between:

        def lost(lines: list[bytes]) -> None:
            between.forward("/_bulk", lines)

        between.bulk = lost
        publisher = indices.open(http=between.url)
        with pytest.raises(RetryableDeliveryError):
            publisher.publish(Batch(events))
        between.bulk = lambda lines: between.forward("/_bulk", lines)
        assert publisher.publish(Batch(events)) == Delivered(10, 10)
    assert len(indices.hits()) == 10


@once
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PermanentDeliveryError),
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (413, PermanentDeliveryError),
        (429, RetryableDeliveryError),
        (502, RetryableDeliveryError),
        (503, RetryableDeliveryError),
    ],
)
def test_answers_to_the_whole(status: int, error: type[DeliveryError], indices: Indices) -> None:
    """The status of a whole answer says whether the batch may be accepted later; nothing is asked twice."""
    with Between(indices.http) as between:
        between.bulk = lambda lines: (status, b'{"error": {"type": "a_reason", "reason": "in words"}}')
        with pytest.raises(DeliveryError) as caught:
            indices.open(http=between.url).publish(Batch([an_event()]))
        assert type(caught.value) is error
        assert str(caught.value).endswith(f"{status} a_reason: in words")
        assert len([one for one in between.requests if "_bulk" in one]) == 1


@once
def test_another_host(indices: Indices) -> None:
    """Where one of several hosts is not there, the next one is asked."""
    hosts = f"127.0.0.1:{free_port()},{indices.http.removeprefix('http://')}"
    publisher = indices.open(http=hosts)
    publisher.check()
    for number in range(4):
        assert publisher.publish(Batch([an_event(f"m-{number}")])) == Delivered(1)


@everywhere
@pytest.mark.parametrize("options", ["compression=true", "refresh=wait_for", "refresh=true", "shards=2&replicas=1"])
def test_options(options: str, indices: Indices) -> None:
    """Options change how things are delivered, not what is there."""
    url = indices.url().replace("&replicas=0", "") + f"&{options}"
    publisher = open_publisher(url)
    indices.opened.append(publisher)
    assert publisher.publish(everything()) == Delivered(15)
    if options.startswith("refresh"):
        found = indices.ask(f"{indices.name}-*/_search", "POST", {"size": 100})["hits"]["hits"]
        assert len(found) == 15
    assert sorted(map(written, indices.received())) == sorted(map(written, everything()))


# Who may, and what check says


def secure_url(secure: SecureElasticsearch, login: str, options: str = "") -> str:
    return f"elasticsearch://{login}@{secure.url.removeprefix('https://')}/events?tls=true{options}"


def test_users(secure_elasticsearch: SecureElasticsearch) -> None:
    """Who may write does, over TLS; everybody else is told what is missing, and no password is."""
    secure = secure_elasticsearch
    login, ca = f"{secure.user}:{secure.password}", f"&ca_file={secure.ca}"
    publisher = open_publisher(secure_url(secure, login, ca))
    publisher.check()
    assert publisher.publish(everything()) == Delivered(15)
    publisher.close()
    trusting = open_publisher(secure_url(secure, login, "&verify=false"))
    assert trusting.publish(everything()) == Delivered(15, 15)
    trusting.close()
    wrong = f"{secure.user}:s3cr3t"
    hosts = secure.url.removeprefix("https://")
    denied = {
        secure_url(secure, wrong, ca): "401 security_exception: unable to authenticate user [tester]",
        f"elasticsearch://{hosts}/events?tls=true{ca}": "401 security_exception: missing authentication credentials",
        f"elasticsearch://{hosts}/events?tls=true{ca}&api_key=czNjcjN0OnMzY3IzdA==": "401 security_exception",
        secure_url(secure, f"{secure.reader}:{secure.password}", ca): "",
    }
    for url, said in denied.items():
        publisher = open_publisher(url)
        for call in (publisher.check, lambda publisher=publisher: publisher.publish(everything())):
            with pytest.raises(AccessDeniedError) as caught:
                call()
            assert said in str(caught.value)
            assert [secret for secret in ("s3cr3t", secure.password, "czNj") if secret in str(caught.value)] == []
        publisher.close()
    reader = open_publisher(secure_url(secure, f"{secure.reader}:{secure.password}", ca))
    with pytest.raises(AccessDeniedError) as caught:
        reader.check()
    said = str(caught.value).partition("we lack the rights ")[2]
    lacking = {f"{right} on {name}-*" for right in ("index", "manage") for name in ("events", "samples", "usage")}
    lacking |= {f"{right} on eventdefs_tenants_events" for right in ("index", "manage")}
    assert set(said.split(", ")) - {"read on eventdefs_tenants_events"} == {"manage_index_templates", *lacking}
    reader.close()


def test_certificates(secure_elasticsearch: SecureElasticsearch) -> None:
    """A certificate of somebody unknown, and one that has no certificate at all, are told apart."""
    secure = secure_elasticsearch
    login = f"{secure.user}:{secure.password}"
    plain = f"elasticsearch://{login}@{secure.url.removeprefix('https://')}/events"
    for url, said in {
        secure_url(secure, login): "its certificate is not accepted: unable to get local issuer certificate",
        plain: r"closed without an answer \(where TLS is spoken, tls=true is needed\)",
    }.items():
        publisher = open_publisher(url)
        with pytest.raises(RetryableDeliveryError, match=said):
            publisher.check()
        publisher.close()


@pytest.mark.parametrize("scheme", ["elasticsearch", "opensearch"])
def test_nobody_there(scheme: str) -> None:
    """Of a server that is not there it is said why."""
    for host, said in {
        f"127.0.0.1:{free_port()}": "refused, nobody listens there",
        "no-such-host.invalid": "the name cannot be resolved",
    }.items():
        publisher = open_publisher(f"{scheme}://{host}/events")
        with pytest.raises(RetryableDeliveryError, match=f"^{scheme}://{host}/events: {said}"):
            publisher.check()
        publisher.close()


@pytest.mark.parametrize("scheme", ["elasticsearch", "opensearch"])
def test_a_server_that_says_nothing(scheme: str, node: Server) -> None:
    """A server that takes the connection and does not answer is not waited for longer than `timeout` says."""
    publisher = open_publisher(f"{scheme}://{node.address[7:]}/events?timeout=0.2")
    node.pause()
    try:
        with pytest.raises(RetryableDeliveryError, match=r"no answer within 0\.2 s"):
            publisher.check()
    finally:
        node.resume()
    publisher.close()


def test_the_other_product(opensearch: str) -> None:
    """OpenSearch under elasticsearch:// is said to be what it is."""
    publisher = open_publisher(f"elasticsearch://{opensearch[7:]}/events")
    with pytest.raises(RetryableDeliveryError, match="no Elasticsearch; OpenSearch is reached by opensearch://"):
        publisher.check()
    publisher.close()


@everywhere
def test_checking_leaves_nothing(indices: Indices) -> None:
    """`check` makes no index and no template, before and after there are some."""
    publisher = indices.open()
    publisher.check()
    assert indices.names() == []
    with pytest.raises(HTTPError):
        indices.ask(f"_index_template/eventdefs-{indices.name}-events")
    publisher.publish(everything())
    publisher.check()
    assert len(indices.hits()) == 15


# URLs


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("elasticsearch://", "names no host, as elasticsearch://localhost:9200 does"),
        ("elasticsearch://h:x/events", "Port could not be cast"),
        ("elasticsearch://h,/events", "names no host"),
        ("elasticsearch://h/Events", "'Events' cannot begin the name of an index"),
        ("elasticsearch://h/a/b", "'a/b' cannot begin the name of an index"),
        ("elasticsearch://h/_events", "'_events' cannot begin the name of an index"),
        ("elasticsearch://h/samples", "indices named after samples, samples, usage cannot be told apart"),
        ("elasticsearch://h/events?samples=events-samples", "cannot be told apart"),
        ("elasticsearch://h/events?index=x", "index=x names all indices"),
        ("elasticsearch://h?index=x&tenants=a", "index=x names all indices"),
        ("elasticsearch://h?index={tenant}", "'{tenant}' names no index"),
        ("elasticsearch://h?index=X-{tenant}", "'X-{tenant}' names no index"),
        ("elasticsearch://h?index=x-{user}", r"has \{user\}, known are \{tenant\}, \{event_type\}, \{meter\}"),
        ("elasticsearch://h?index=x-{tenant}{meter}{event_type}{tenant}", "255 characters at most"),
        ("elasticsearch://h?index=x-{tenant}_{event_type}", "tenants could have one index: "),
        ("elasticsearch://h?index=x-{event_type}{tenant}", "tenants could have one index: "),
        ("elasticsearch://h?ahead=1", "ahead, retention: '1' is no time"),
        ("elasticsearch://h?retention=x", "ahead, retention: 'x' is no time"),
        ("elasticsearch://h?retention=999999999d", "ahead, retention: "),
        ("elasticsearch://h?own_index_tenants=-1", "own_index_tenants"),
        ("elasticsearch://h?shards=0", "shards"),
        ("elasticsearch://h?refresh=yes", "refresh"),
        ("elasticsearch://h?verify=false", "of use with tls=true"),
        ("elasticsearch://h?tls=true&ca_file=/no/such.pem", "cannot be used"),
        ("elasticsearch://s3cr3t:s3cr3t@h?api_key=s3cr3t", "a user and api_key, where one of them is needed"),
        ("opensearch://h?api_key=s3cr3t", "unknown option 'api_key'"),
        ("opensearch://h?tls=true&ca_file=/no/such.pem", "cannot be used"),
    ],
)
def test_urls(url: str, said: str) -> None:
    """What is wrong in a URL is said before anything is opened, and no secret of it."""
    with pytest.raises(PublisherURLError, match=said) as caught:
        open_publisher(url)
    assert "s3cr3t" not in str(caught.value)


def test_reasons_of_silence() -> None:
    """Of an error that says nothing its type is told."""
    assert str(silence("x://h", OSError(), 1, False)) == "x://h: OSError"
