"""`kafka://`, by both clients, against a real broker."""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest

from eventdefs.decode import decode_item
from eventdefs.encode import encode_event, write_json
from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers import open_publisher
from eventdefs.publishers.formats import FORMATS
from eventdefs.publishers.kafka.messages import Message, Outcome, Topics, encode_name, settle
from eventdefs.publishers.kafka.publisher import client_of
from eventdefs.publishers.kafka.settings import KafkaOptions, read_settings
from eventdefs.publishers.naming import key_of
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.testing import (
    PublisherContract,
    Target,
    a_period,
    a_sample,
    a_usage,
    an_event,
    everything,
    free_port,
    written,
)
from eventdefs.types import Batch, Delivered, Event, Item, identity_of
from tests.servers import (
    PASSWORD,
    USER,
    Certificates,
    NotInstalled,
    SecureKafka,
    Server,
    certificates,
    folder_of,
    kafka_broker,
    kafka_server,
    unavailable,
)
from tests.servers import free_port as server_port

CLIENTS = ("confluent-kafka", "kafka-python")
both = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    """A broker of our own, since it is stopped; it makes no topics by itself."""
    try:
        with kafka_server({"auto.create.topics.enable": "false"}) as server:
            yield server
    except NotInstalled as error:
        unavailable(str(error))


def make_topic(address: str, name: str = "", partitions: int = 4, **config: str) -> str:
    """Make a topic and return its name; keys of *config* have _ for the dot."""
    from confluent_kafka.admin import AdminClient, NewTopic

    name = name or f"events-{uuid.uuid4().hex[:8]}"
    topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([topic])[name].result()
    return name


class Read(NamedTuple):
    """A message as it is in a topic."""

    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def read_by_confluent(address: str, topic: str) -> list[Read]:
    """Return all of *topic*, partition by partition, as confluent-kafka reads it."""
    from confluent_kafka import Consumer, TopicPartition

    found: list[Read] = []
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False})
    with closing(consumer):
        for number in sorted(consumer.list_topics(topic, 10).topics[topic].partitions):
            place = TopicPartition(topic, number, 0)
            _, end = consumer.get_watermark_offsets(place, 10)
            consumer.assign([place])
            for _ in range(end):
                message = consumer.poll(30)
                assert message is not None
                assert message.error() is None
                found.append(Read(number, message.key(), message.value(), message.headers()))
    return found


def read_by_kafka_python(address: str, topic: str) -> list[Read]:
    """Return all of *topic*, partition by partition, as kafka-python reads it."""
    from kafka import KafkaConsumer, TopicPartition

    found: list[Read] = []
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        for number in sorted(consumer.partitions_for_topic(topic)):
            place = TopicPartition(topic, number)
            end = consumer.end_offsets([place])[place]
            consumer.assign([place])
            consumer.seek(place, 0)
            messages = itertools.islice(consumer, end)
            found += [Read(number, message.key, message.value, list(message.headers)) for message in messages]
    return found


read = read_by_kafka_python  # which is quicker with what is empty
READERS = {"confluent-kafka": read_by_confluent, "kafka-python": read_by_kafka_python}


def url_of(address: str, topic: str, client: str, **options: object) -> str:
    written = {"client": client, "timeout": 10, **options}
    return f"kafka://{address}/{topic}?" + "&".join(f"{name}={quote(str(value))}" for name, value in written.items())


def publish(url: str, batch: Batch) -> Delivered:
    with closing(open_publisher(url)) as publisher:
        return publisher.publish(batch)


def ids(found: Sequence[Read]) -> list[str]:
    return [dict(message.headers).get("message_id", b"").decode() for message in found]


LARGE = msgspec.structs.replace(an_event("large"), raw={"payload": "x" * 2**20})


class Contract(PublisherContract):
    """What every publisher owes, by one client."""

    client = ""

    @pytest.fixture
    def target(self, broker: Server) -> Target:
        topic = make_topic(broker.address)

        def received() -> list[Item]:
            return [decode_item(message.value) for message in read(broker.address, topic)]

        nobody = f"127.0.0.1:{free_port()}"
        secret = f"kafka://s3cr3t:s3cr3t@{nobody}/events?client={self.client}&timeout=1&security=sasl_plaintext"
        return Target(
            url_of(broker.address, topic, self.client, timeout=6),
            received,
            once=False,
            replaces=False,
            counts_duplicates=False,
            refused=LARGE,
            stop=broker.stop,
            start=broker.start,
            away=f"kafka://{nobody}/events?client={self.client}&timeout=1",
            secret=secret,
        )


class TestConfluent(Contract):
    """`client=confluent-kafka`."""

    client = "confluent-kafka"


class TestKafkaPython(Contract):
    """`client=kafka-python`."""

    client = "kafka-python"


# What is written


@both
@pytest.mark.parametrize("reader", CLIENTS)
def test_messages(client: str, reader: str, broker: Server) -> None:
    """Key, headers and value are what the reference says, whoever writes and reads them."""
    topic = make_topic(broker.address, partitions=1)
    items: list[Item] = [
        an_event("m-1", resource_id="v-1", name="é"),
        an_event("m-2", None),
        a_sample("s-1"),
        a_period("c-1"),
        a_usage("u-1"),
        next(item for item in everything() if identity_of(item) == ("closure", "k-1")),
    ]
    assert publish(url_of(broker.address, topic, client), Batch().part(items)) == Delivered(6)
    schema = ("eventdefs-schema", b"1")
    expected = [
        (
            b"p-1:v-1",
            [
                ("kind", b"event"),
                ("message_id", b"m-1"),
                ("event_type", b"volume.create.end"),
                ("tenant", b"p-1"),
                schema,
            ],
        ),
        (b":m-2", [("kind", b"event"), ("message_id", b"m-2"), ("event_type", b"volume.create.end"), schema]),
        (b"p-1:v-1", [("kind", b"sample"), ("id", b"s-1"), ("meter", b"volume.size"), ("tenant", b"p-1"), schema]),
        (
            b"p-1:db-1",
            [("kind", b"period"), ("id", b"c-1"), ("meter", b"database.uptime"), ("tenant", b"p-1"), schema],
        ),
        (b"p-1:db-1", [("kind", b"usage"), ("id", b"u-1"), ("meter", b"database.uptime"), ("tenant", b"p-1"), schema]),
        (b":database.uptime", [("kind", b"closure"), ("id", b"k-1"), ("meter", b"database.uptime"), schema]),
    ]
    assert READERS[reader](broker.address, topic) == [
        Read(0, key, written(item), headers) for (key, headers), item in zip(expected, items, strict=True)
    ]


@both
def test_cloudevents(client: str, broker: Server) -> None:
    """CloudEvents are structured, or binary: attributes as headers, and the value in our own form."""
    topic = make_topic(broker.address, partitions=1)
    event = an_event("m-1", "p-é", resource_id="v-1", size=4)
    for mode in ("structured", "binary"):
        publish(url_of(broker.address, topic, client, format="cloudevents", mode=mode), Batch([event]))
    structured, binary = read(broker.address, topic)
    document = FORMATS["cloudevents"].event(event)
    attributes = {name: value for name, value in document.items() if name not in ("data", "datacontenttype")}
    assert structured.value == write_json(document)
    assert dict(structured.headers)["content-type"] == b"application/cloudevents+json"
    assert binary.value == encode_event(event)
    headers = dict(binary.headers)
    assert headers["content-type"] == b"application/json"
    assert {name: headers[f"ce_{name}"].decode() for name in attributes} == attributes
    assert structured.key == binary.key == "p-é:v-1".encode()


@both
def test_ceilometers_form(client: str, broker: Server) -> None:
    """What a form has no place for is left out, and is no error."""
    topic = make_topic(broker.address, partitions=1)
    batch = Batch([an_event("m-1")], [a_sample("s-1")], [a_period("c-1")], [a_usage("u-1")])
    assert publish(url_of(broker.address, topic, client, format="ceilometer"), batch) == Delivered(2)
    values = [json.loads(message.value) for message in read(broker.address, topic)]
    assert [value.get("message_id") or value["id"] for value in values] == ["m-1", "s-1"]


@both
def test_topics(client: str, broker: Server) -> None:
    """Kinds have topics of their own where the options say so, and names are made of what items say."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    topics = [
        make_topic(broker.address, f"{prefix}-{end}")
        for end in ("p--1", "none", "-6eone", "volume.size", "periods", "usage")
    ]
    url = url_of(
        broker.address,
        f"{prefix}-{{tenant}}",
        client,
        samples_topic=f"{prefix}-{{meter}}",
        periods_topic=f"{prefix}-periods",
        usage_topic=f"{prefix}-usage",
    )
    events = [an_event("m-1"), an_event("m-2", None), an_event("m-3", "none")]
    batch = Batch(events, [a_sample("s-1")], [a_period("c-1")], [a_usage("u-1")])
    with closing(open_publisher(url)) as publisher:
        publisher.check()
        publisher.publish(batch)
    found = {
        topic.removeprefix(prefix): [decode_item(message.value) for message in read(broker.address, topic)]
        for topic in topics
    }
    assert found == {
        "-p--1": [events[0]],
        "-none": [events[1]],
        "--6eone": [events[2]],
        "-volume.size": [a_sample("s-1")],
        "-periods": [a_period("c-1")],
        "-usage": [a_usage("u-1")],
    }


NAMES = {
    "p1": "p1",
    "compute.instance.resize_confirm": "compute.instance.resize_confirm",
    "a-b": "a--b",
    "a b/c": "a-20b-2fc",
    "é": "-c3-a9",
    "\ud800": "-ed-a0-80",
    "": "-empty",
    "none": "-6eone",
    ".": "-2e",
    "..": "-2e.",
    "-empty": "--empty",
    "-6eone": "--6eone",
}


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_names(text: str, name: str) -> None:
    """What a topic may not have is written in what it may, differently for what differs."""
    assert encode_name(text) == name


def test_a_tenant_has_letters_and_digits() -> None:
    """Kafka makes no topic that differs from another by ``.`` and ``_`` only: a tenant could keep out another one."""
    names = {"a.b": "e-a-2eb", "a_b": "e-a-5fb", "a-b": "e-a--b", "a": "e-a", "none": "e--6eone", "": "e--empty"}
    topics = Topics("kafka://", "e-{tenant}")
    assert {tenant: topics.name(an_event(tenant=tenant)) for tenant in names} == names
    assert topics.name(an_event(tenant=None)) == "e-none"


@pytest.mark.parametrize("text", ["e-{tenant}.{event_type}", "{event_type}_x_{tenant}", "{tenant}-.-{event_type}"])
def test_no_two_tenants_have_one_topic(text: str) -> None:
    """Whatever senders choose for tenant and event type, topics of different tenants are different."""
    topics = Topics("kafka://", text)
    parts = ["".join(letters) for size in (1, 2, 3) for letters in itertools.product("a-._", repeat=size)]
    owners: dict[str, str] = {}
    for tenant, event_type in itertools.product(parts, repeat=2):
        event = msgspec.structs.replace(an_event(tenant=tenant), event_type=event_type)
        assert owners.setdefault(topics.name(event), tenant) == tenant


def test_long_names() -> None:
    """A name that is too long ends in a digest, which no other name does."""
    topics = Topics("kafka://", "events-{tenant}")
    names = [topics.name(an_event(tenant="x" * 300 + end)) for end in "ab"]
    assert [len(name) for name in names] == [249, 249]
    assert names[0] != names[1]
    assert all("-h" in name for name in names)
    assert topics.name(an_event(tenant="x" * 242)) == "events-" + "x" * 242


# Order


VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""Keys, and what Java's client makes of them, of its own tests."""


def murmur2(data: bytes) -> int:
    """Return what Java's client makes of *data*, as an unsigned number."""
    factor, bits = 0x5BD1E995, 0xFFFFFFFF
    found = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * factor & bits
        found = (found * factor & bits) ^ ((word ^ word >> 24) * factor & bits)
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * factor & bits
    found = (found ^ found >> 13) * factor & bits
    return found ^ found >> 15


def test_murmur2() -> None:
    """What the next test compares with is Java's."""
    assert {key: murmur2(key) for key in VECTORS} == {key: number & 0xFFFFFFFF for key, number in VECTORS.items()}


def test_partitions(broker: Server) -> None:
    """A key has one partition, from both clients, and it is the one that Java's client takes."""
    events = [an_event(f"m-{number}", f"p-{number % 7}é", resource_id="v" * (number % 9)) for number in range(60)]
    events += [an_event(f"m-{number}", None) for number in range(60, 200)]
    expected = {key_of(event).encode(): (murmur2(key_of(event).encode()) & 0x7FFFFFFF) % 7 for event in events}
    assert len(set(expected.values())) == 7
    for client in CLIENTS:
        topic = make_topic(broker.address, partitions=7)
        publish(url_of(broker.address, topic, client), Batch(events))
        assert {message.key: message.partition for message in read(broker.address, topic)} == expected


@both
def test_order_of_keys(client: str, broker: Server) -> None:
    """What is said of a resource stays in order among what is said of others, over batches too."""
    topic = make_topic(broker.address)
    events = [an_event(f"m-{number}", resource_id=f"v-{number % 17}", number=number) for number in range(3000)]
    with closing(open_publisher(url_of(broker.address, topic, client))) as publisher:
        for first in range(0, 3000, 1000):
            publisher.publish(Batch(events[first : first + 1000]))
    found: dict[bytes, list[str]] = {}
    for message in read(broker.address, topic):
        found.setdefault(message.key, []).extend(ids([message]))
    assert found == {
        f"p-1:v-{resource}".encode(): [f"m-{number}" for number in range(resource, 3000, 17)] for resource in range(17)
    }


def test_a_broker_that_hangs(broker: Server) -> None:
    """What a hanging broker was given before the time-out is not taken by it later, after what came then."""
    topic = make_topic(broker.address, partitions=1)
    with closing(open_publisher(url_of(broker.address, topic, "confluent-kafka", timeout=2))) as publisher:
        publisher.publish(Batch([an_event("first", resource_id="v-1")]))
        broker.pause()
        try:
            with pytest.raises(RetryableDeliveryError, match="does not answer"):
                publisher.publish(Batch([an_event("hung", resource_id="v-1")]))
        finally:
            broker.resume()
        publisher.publish(Batch([an_event("hung", resource_id="v-1"), an_event("after", resource_id="v-1")]))
    found = ids(read(broker.address, topic))
    assert found[-2:] == ["hung", "after"]
    assert found[:-2] in (["first"], ["first", "hung"])


@both
def test_nothing_goes_out_later(client: str, broker: Server) -> None:
    """What was undelivered is forgotten: it is sent when it is published again, and not before."""
    topic = make_topic(broker.address, partitions=1)
    with closing(open_publisher(url_of(broker.address, topic, client, timeout=4))) as publisher:
        publisher.publish(Batch([an_event("before")]))
        broker.stop()
        try:
            with pytest.raises(RetryableDeliveryError, match="refuses the connection"):
                publisher.publish(Batch([an_event("forgotten")]))
        finally:
            broker.start()
        publisher.publish(Batch([an_event("after")]))
    assert ids(read(broker.address, topic)) == ["before", "after"]


AGAIN, NO = RetryableDeliveryError("later"), PermanentDeliveryError("never")
SETTLED: dict[str, tuple[str, Mapping[int, Outcome], Mapping[int, Outcome], list[Outcome], list[int]]] = {
    # keys; what was said together; what is said alone; what is settled; what is sent alone
    "all is well": ("aab", {}, {}, [None, None, None], []),
    "one is to blame": ("aab", {0: NO, 1: NO}, {1: NO}, [None, NO, None], [0, 1]),
    "order": ("aab", {0: NO}, {}, [None, None, None], [0, 1]),
    "refused before others": ("aab", {0: NO}, {0: NO}, [NO, None, None], [0]),
    "what follows waits": ("aab", {0: AGAIN}, {}, [AGAIN, AGAIN, None], []),
    "what came before is there": ("aab", {1: AGAIN}, {}, [None, AGAIN, None], []),
    "refused or not is seen when its turn comes": ("aab", {0: AGAIN, 1: NO}, {}, [AGAIN, AGAIN, None], []),
    "away meanwhile": ("abb", {0: NO, 1: NO}, {0: AGAIN}, [AGAIN, AGAIN, AGAIN], [0]),
    "alone already": ("a", {0: NO}, {}, [NO], []),
}


@pytest.mark.parametrize("name", SETTLED)
def test_settling(name: str) -> None:
    """Only what was refused alone is refused, and the last message of a key is the last that is sent of it."""
    keys, together, alone, expected, sent = SETTLED[name]
    messages = [Message("t", key.encode(), str(number).encode(), []) for number, key in enumerate(keys)]
    asked: list[int] = []

    def send(message: Message) -> Outcome:
        asked.append(int(message.value))
        return alone.get(asked[-1])

    assert settle(messages, [together.get(number) for number in range(len(keys))], send) == expected
    assert asked == sent


# What is refused, and what may come later


@both
def test_what_the_topic_refuses(client: str, broker: Server) -> None:
    """A broker refuses messages as they come, many at once; only the one that is at fault is refused."""
    topic = make_topic(broker.address, partitions=1, max_message_bytes="20000")
    events = [an_event(f"m-{number}", resource_id=f"v-{number % 3}", number=number) for number in range(9)]
    large = an_event("large", resource_id="v-1", text="x" * 30_000)
    url = url_of(broker.address, topic, client, compression="none")
    with closing(open_publisher(url)) as publisher:
        with pytest.raises(PartialDeliveryError) as caught:
            publisher.publish(Batch([*events[:5], large, *events[5:]]))
        publisher.publish(Batch([an_event("after", resource_id="v-1")]))
    reason = f"kafka://{broker.address}/{topic}: the message is larger than the topic takes (max.message.bytes)"
    assert caught.value.refused == ((large, reason),)
    assert (caught.value.delivered, len(caught.value.again), caught.value.error) == (Delivered(9), 0, None)
    found = ids(read(broker.address, topic))
    assert {*found} == {*(event.message_id for event in events), "after"}
    for number in range(3):
        of_one = {f"m-{other}" for other in range(number, 9, 3)}
        assert [one for one in found if one in of_one][-1] == f"m-{6 + number}"


@both
def test_what_cannot_be_written(client: str, broker: Server) -> None:
    """An item that has no JSON is refused alone."""
    topic = make_topic(broker.address)
    broken = a_sample("broken", metadata={"key": object()})
    with pytest.raises(PartialDeliveryError) as caught:
        publish(url_of(broker.address, topic, client), Batch([an_event("m-1")], [broken, a_sample("s-1")]))
    assert [one.item for one in caught.value.refused] == [broken]
    assert "cannot be written as JSON" in caught.value.refused[0].reason
    assert caught.value.delivered == Delivered(2)
    assert len(read(broker.address, topic)) == 2


@both
def test_what_is_too_large(client: str, broker: Server) -> None:
    """An item beyond `max_bytes` is refused before it is sent; nothing is sent twice for it."""
    topic = make_topic(broker.address, partitions=1)
    event = an_event("m-1", text="é" * 1000)
    with pytest.raises(PartialDeliveryError) as caught:
        publish(url_of(broker.address, topic, client, max_bytes=1024), Batch([an_event("m-0"), event, an_event("m-2")]))
    size = (
        len(encode_event(event))
        + len(b"p-1:m-1")
        + len(b"kindeventmessage_idm-1event_typevolume.create.endtenantp-1eventdefs-schema1")
    )
    reason = f"kafka://{broker.address}/{topic}: {size} bytes are more than max_bytes=1024"
    assert caught.value.refused == ((event, reason),)
    assert ids(read(broker.address, topic)) == ["m-0", "m-2"]


@both
def test_what_a_client_does_not_take(client: str, broker: Server) -> None:
    """A message that the client itself refuses is refused, and the others of its batch go out."""
    topic = make_topic(broker.address)
    url = parse_url(url_of(broker.address, topic, client, max_bytes=2048))
    with closing(client_of(read_settings(url, read_options(url, KafkaOptions)))) as one:
        messages = [Message(topic, b"k", b"x" * size, []) for size in (10, 20_000, 30)]
        sent = settle(messages, one.send(messages), lambda message: one.send([message])[0])
    assert [type(outcome) for outcome in sent] == [type(None), PermanentDeliveryError, type(None)]
    assert {len(message.value) for message in read(broker.address, topic)} == {10, 30}


@both
def test_a_topic_that_is_missing(client: str, broker: Server) -> None:
    """A topic that is not there is said, holds up no other, and is found when it is made."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    there = make_topic(broker.address, f"{prefix}-p--1")
    events = [an_event("m-1"), an_event("m-2", "p-2"), an_event("m-3")]
    with closing(open_publisher(url_of(broker.address, f"{prefix}-{{tenant}}", client))) as publisher:
        with pytest.raises(PartialDeliveryError) as caught:
            publisher.publish(Batch(events))
        assert list(caught.value.again) == [events[1]]
        reason = f"kafka://{broker.address}/{prefix}-{{tenant}}: there is no topic '{prefix}-p--2'"
        assert str(caught.value.error) == reason
        missing = make_topic(broker.address, f"{prefix}-p--2")
        assert publisher.publish(caught.value.again) == Delivered(1)
    assert (sorted(ids(read(broker.address, there))), ids(read(broker.address, missing))) == (["m-1", "m-3"], ["m-2"])


# check


@both
def test_checking(client: str, broker: Server) -> None:
    """`check` says what is wrong, in words of the broker, and makes no topic."""
    missing = f"t{uuid.uuid4().hex[:8]}"
    nobody = free_port()
    cases = {
        f"kafka://{broker.address}/{missing}": f"there is no topic {missing!r}",
        f"kafka://127.0.0.1:{nobody}/events": f"127.0.0.1:{nobody} refuses the connection",
        "kafka://no-such-name.invalid:9092/events": "no-such-name.invalid:9092 has a name that is not resolved: "
        "Name or service not known",
    }
    for url, said in cases.items():
        with closing(open_publisher(f"{url}?client={client}")) as publisher:
            for _ in range(2):  # looking has made nothing
                with pytest.raises(RetryableDeliveryError) as caught:
                    publisher.check()
                assert str(caught.value) == f"{url}: {said}"


@both
def test_checking_what_has_no_name_yet(client: str, broker: Server) -> None:
    """Where names are made of items, there is no topic to look for; the broker is."""
    with closing(open_publisher(url_of(broker.address, "events-{tenant}", client))) as publisher:
        publisher.check()
    publisher = open_publisher(f"kafka://127.0.0.1:{free_port()}/{{tenant}}?client={client}&timeout=2")
    with closing(publisher), pytest.raises(RetryableDeliveryError, match="refuses the connection"):
        publisher.check()


@both
def test_checking_a_broker_that_hangs(client: str, broker: Server) -> None:
    """A broker that takes connections and says nothing is away."""
    with closing(open_publisher(url_of(broker.address, "events", client, timeout=2))) as publisher:
        broker.pause()
        try:
            with pytest.raises(RetryableDeliveryError, match="does not answer"):
                publisher.check()
        finally:
            broker.resume()


# Who we are


@pytest.fixture
def secured(secure_kafka: SecureKafka) -> Callable[..., str]:
    """Makes the URL of the secure broker, with a topic of its own."""
    topic = make_topic(secure_kafka.server.address)

    def url(client: str, place: str = "", user: str = "", **options: object) -> str:
        return url_of(f"{user}{'@' if user else ''}{place or secure_kafka.sasl}", topic, client, **options)

    return url


@both
@pytest.mark.parametrize("sasl", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", ""])
def test_users(client: str, sasl: str, secured: Callable[..., str], secure_kafka: SecureKafka) -> None:
    """TLS with each way of saying who we are; where the URL has a user, that is what it means."""
    options = {"sasl": sasl} if sasl else {}
    url = secured(client, user=f"{USER}:{quote(PASSWORD)}", ca_file=secure_kafka.ca, **options)
    with closing(open_publisher(url)) as publisher:
        publisher.check()
        assert publisher.publish(everything()) == Delivered(len(everything()))


@both
def test_tls(client: str, secured: Callable[..., str], secure_kafka: SecureKafka) -> None:
    """TLS without a user, with the certificate checked, or not where we are told so."""
    for options in ({"ca_file": secure_kafka.ca}, {"verify": "false"}):
        with closing(open_publisher(secured(client, secure_kafka.tls, security="ssl", **options))) as publisher:
            publisher.check()
            assert publisher.publish(Batch([an_event()])) == Delivered(1)


@both
@pytest.mark.parametrize("sasl", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password(
    client: str,
    sasl: str,
    secured: Callable[..., str],
    secure_kafka: SecureKafka,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who is not let in is told so, by `publish` and by `check`; no word of it shows the password or the user."""
    caplog.set_level(logging.DEBUG)
    url = secured(client, user="us3r-s3cr3t:p4ss-s3cr3t", ca_file=secure_kafka.ca, sasl=sasl, timeout=3)
    said = []
    with closing(open_publisher(url)) as publisher:
        with pytest.raises(AccessDeniedError) as caught:
            publisher.check()
        said.append(str(caught.value))
        with pytest.raises(AccessDeniedError) as caught:
            publisher.publish(Batch([an_event()]))
        said += [str(caught.value), repr(publisher), repr(vars(publisher)), repr(vars(publisher._client))]  # type: ignore[attr-defined]
    said += caplog.messages
    assert [text for text in said if "s3cr3t" in text] == []


@both
def test_who_is_not_trusted(client: str, secured: Callable[..., str], secure_kafka: SecureKafka) -> None:
    """A certificate that nobody vouches for, and what is spoken wrongly, are said as what they are."""
    host = secure_kafka.tls
    cases = [
        (secured(client, host, security="ssl", timeout=2), f"{host} has a certificate that is not trusted: "),
        (secured(client, host, timeout=2), f"{host} speaks TLS: security=ssl or sasl_ssl"),
        (
            secured(client, secure_kafka.server.address, security="ssl", verify="false", timeout=2),
            f"{secure_kafka.server.address} does not speak TLS with us",
        ),
    ]
    for url, reason in cases:
        with closing(open_publisher(url)) as publisher:
            for ask in (publisher.check, lambda: publisher.publish(Batch([an_event()]))):
                with pytest.raises(RetryableDeliveryError) as caught:
                    ask()
                assert reason in str(caught.value)


@pytest.fixture(scope="module")
def certified() -> Iterator[tuple[Server, str, Certificates]]:
    """A broker on whose listener SSL everybody shows a certificate; that listener, and files that do."""
    ports = {"PLAINTEXT": server_port(), "SSL": server_port()}
    try:
        with folder_of("kafka") as folder:
            files = certificates(folder)
            keys = folder / "broker.pem"
            keys.write_text(files.key.read_text() + files.certificate.read_text())
            settings = {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(keys),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(files.ca),
                "ssl.client.auth": "required",
            }
            with kafka_broker(folder, ports, settings) as server:
                yield server, f"127.0.0.1:{ports['SSL']}", files
    except NotInstalled as error:
        unavailable(str(error))


@both
def test_our_certificate(client: str, certified: tuple[Server, str, Certificates], tmp_path: Path) -> None:
    """Who is known by a certificate shows it, with its key beside it or in the same file; who has none is told so."""
    server, place, files = certified
    topic = make_topic(server.address)
    both_in_one = tmp_path / "both.pem"
    both_in_one.write_text(files.key.read_text() + files.certificate.read_text())
    for shown in ({"cert_file": files.certificate, "key_file": files.key}, {"cert_file": both_in_one}):
        with closing(
            open_publisher(url_of(place, topic, client, security="ssl", ca_file=files.ca, **shown))
        ) as publisher:
            publisher.check()
            assert publisher.publish(Batch([an_event()])) == Delivered(1)
    with closing(
        open_publisher(url_of(place, topic, client, security="ssl", ca_file=files.ca, timeout=2))
    ) as publisher:
        for ask in (publisher.check, lambda: publisher.publish(Batch([an_event()]))):
            with pytest.raises(RetryableDeliveryError, match=f"{place} does not speak TLS with us: "):
                ask()


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Server, str]]:
    """A broker on whose listener SASL_PLAINTEXT a user may write nowhere; that listener."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    ports = {"PLAINTEXT": server_port(), "SASL_PLAINTEXT": server_port()}
    settings = {
        "auto.create.topics.enable": "false",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{module} required user_{USER}="{PASSWORD}";',
    }
    try:
        with folder_of("kafka") as folder, kafka_broker(folder, ports, settings) as server:
            yield server, f"127.0.0.1:{ports['SASL_PLAINTEXT']}"
    except NotInstalled as error:
        unavailable(str(error))


@both
def test_rights(client: str, guarded: tuple[Server, str]) -> None:
    """Who is let in and may not write is told so; nothing is refused for it."""
    server, place = guarded
    topic = make_topic(server.address)
    url = url_of(f"{USER}:{PASSWORD}@{place}", topic, client, security="sasl_plaintext", sasl="PLAIN", timeout=5)
    reason = f"kafka://{place}/{topic}: we may not write to topic {topic!r}"
    with closing(open_publisher(url)) as publisher:
        for ask in (publisher.check, lambda: publisher.publish(Batch([an_event(), an_event("m-2")]))):
            with pytest.raises(AccessDeniedError) as caught:
                ask()
            assert str(caught.value) == reason


# The URL


WRONG = {
    "kafka://h": "names no topic",
    "kafka://h/": "names no topic",
    "kafka://h/a/b": "names no topic",
    "kafka:///events": "'' is no host:port",
    "kafka://h,/events": "'' is no host:port",
    "kafka://h:port/events": "'h:port' is no host:port",
    "kafka://h/a%20b": "no topic is called 'a b'",
    "kafka://h/..": "no topic is called '..'",
    f"kafka://h/{'x' * 250}": "a topic has 249 characters at most, this has 250",
    "kafka://h/{project}": "has {project}, known are {tenant}",
    "kafka://h/{tenant}-{event_type}": "'{tenant}-{event_type}': tenants could have one topic: ",
    "kafka://h/{event_type}{tenant}": "'{event_type}{tenant}': tenants could have one topic: ",
    "kafka://h/{event_type}.{tenant}.{meter}": "{tenant} is the first field or the last one",
    "kafka://h/t?samples_topic=a/b": "no topic is called 'a/b'",
    "kafka://h/t?client=other": "Invalid enum value 'other'",
    "kafka://h/t?compression=best": "Invalid enum value 'best'",
    "kafka://h/t?timeout=0": "Expected `float` >= 1.0",
    "kafka://h/t?timeout=1&linger=2": "linger=2 is not less than timeout=1",
    "kafka://h/t?max_bytes=1": "Expected `int` >= 1024",
    "kafka://h/t?mode=binary": "mode=binary is of use with format=cloudevents",
    "kafka://s3cr3t:s3cr3t@h/t?security=ssl": "security=ssl has no use for a user",
    "kafka://s3cr3t@h/t": "security=sasl_ssl needs user:password@",
    "kafka://h/t?security=sasl_ssl": "security=sasl_ssl needs user:password@",
    "kafka://h/t?ca_file=/dev/null": "ca_file is of use with security=ssl",
    "kafka://h/t?verify=false": "verify is of use with security=ssl",
    "kafka://h/t?security=ssl&ca_file=/no/such": "ca_file: there is no file /no/such",
    "kafka://h/t?security=ssl&key_file=KEY": "key_file needs cert_file",
    "kafka://h/t?security=ssl&cert_file=KEY": "cert_file: KEY cannot be used",
    "kafka://h/t?security=ssl&ca_file=KEY": "ca_file: KEY cannot be used",
    "kafka://h/t?acks=1": "unknown option 'acks', known are client, format",
}


@pytest.mark.parametrize("url", WRONG)
def test_urls(url: str, tmp_path: Path) -> None:
    """What is wrong with a URL is said when it is opened, without what nobody is to see."""
    key = tmp_path / "key.pem"
    key.write_text("no key\n")
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(url.replace("KEY", str(key)))
    assert WRONG[url].replace("KEY", str(key)) in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_nothing_is_opened_too_early() -> None:
    """Nobody is asked for when a publisher is made; brokers have a port by default, and IPv6 its brackets."""
    for client in CLIENTS:
        open_publisher(f"kafka://a.invalid,b.invalid:19092,[::1]:1/events?client={client}").close()


FOUND = {
    # asked for, installed, what is said
    ("auto", ""): "pip install eventdefs[confluent-kafka] or pip install eventdefs[kafka]",
    ("confluent-kafka", "kafka"): "pip install eventdefs[confluent-kafka]",
    ("kafka-python", "confluent_kafka"): "pip install eventdefs[kafka]",
}


@pytest.mark.parametrize(("asked", "installed"), FOUND)
def test_a_client_that_is_missing(asked: str, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is named with what installs it."""
    find = importlib.util.find_spec
    clients = {"kafka", "confluent_kafka"} - {installed}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in clients else find(name))
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(f"kafka://h/t?client={asked}")
    assert str(caught.value) == f"kafka://h/t: no client for Kafka is installed: {FOUND[asked, installed]}"


def test_the_client_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """confluent-kafka is taken where it is installed, else kafka-python."""
    find = importlib.util.find_spec
    taken: list[Any] = [open_publisher("kafka://h/t")]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "confluent_kafka" else find(name))
    taken.append(open_publisher("kafka://h/t"))
    assert [type(publisher._client).__name__ for publisher in taken] == ["ConfluentClient", "KafkaPythonClient"]


@both
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression(client: str, compression: str, broker: Server) -> None:
    """Each compression is read back whole, by the other client where it can; what needs a package says so."""
    from kafka import codec

    topic = make_topic(broker.address)
    events: list[Event] = [an_event(f"m-{number}", text="text " * 100) for number in range(100)]
    url = url_of(broker.address, topic, client, compression=compression)
    knows = getattr(codec, f"has_{compression}", lambda: True)()
    if client == "kafka-python" and not knows:
        with pytest.raises(PublisherURLError, match=f"compression={compression} needs .* pip install "):
            open_publisher(url)
        return
    publish(url, Batch(events))
    other = read_by_kafka_python if client == "confluent-kafka" and knows else read_by_confluent
    assert sorted(ids(other(broker.address, topic))) == sorted(event.message_id for event in events)


def test_every_error_is_a_delivery_error(broker: Server) -> None:
    """A publisher that was closed opens again, as after a failure."""
    topic = make_topic(broker.address)
    for client in CLIENTS:
        publisher = open_publisher(url_of(broker.address, topic, client))
        publisher.close()
        assert publisher.publish(Batch([an_event()])) == Delivered(1)
        publisher.close()
        with pytest.raises(DeliveryError):
            publish(f"kafka://127.0.0.1:{free_port()}/t?client={client}&timeout=1", Batch([an_event()]))
