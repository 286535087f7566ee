"""`notifier://` over a real RabbitMQ: what is on the wire, and that Aodh's and Ceilometer's own code reads it."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest

from eventdefs import Batch, Event, PublisherURLError, RetryableDeliveryError, Sample, open_publisher
from eventdefs.delivery import open_delivery
from eventdefs.encode import ceilometer_event, counter_sample, plain, write_json
from eventdefs.errors import AccessDeniedError, DeliveryError, PermanentDeliveryError
from eventdefs.publishers import Delivered
from eventdefs.testing import PublisherContract, Target, an_event, everything, free_port, written
from eventdefs.times import parse_time
from eventdefs.types import Item, TraitType, identity_of, kind_of
from tests.making import event, period, sample, usage
from tests.publishers.oracles import aodh, ceilometer
from tests.servers import Certificates, Server, certificates, folder_of, give, rabbitmq_server, session

amqp = pytest.importorskip("amqp")
pytest.importorskip("oslo_messaging")

WAIT = 60.0
LARGEST = 4_000_000


class Secure(NamedTuple):
    """Where the server speaks TLS, and the files of its certificate."""

    port: int
    files: Certificates


@pytest.fixture(scope="module")
def secure() -> Iterator[Secure]:
    with folder_of("certificates", "rabbitmq") as folder:
        files = certificates(folder)
        give(folder, "rabbitmq")
        yield Secure(free_port(), files)


@pytest.fixture(scope="module")
def server(secure: Secure) -> Iterator[Server]:
    """A RabbitMQ that may be stopped, takes no message above 4 MB, and speaks TLS at another port too."""
    settings = {
        "max_message_size": str(LARGEST),
        "listeners.ssl.1": f"127.0.0.1:{secure.port}",
        "listeners.ssl.2": f"127.0.0.2:{secure.port}",
        "ssl_options.cacertfile": str(secure.files.ca),
        "ssl_options.certfile": str(secure.files.certificate),
        "ssl_options.keyfile": str(secure.files.key),
    }
    yield from session(lambda: rabbitmq_server(settings))


class Broker:
    """An exchange of its own on the server, and what its queues have."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = uuid.uuid4().hex[:8]
        self._seen: dict[str, list[dict[str, Any]]] = {}

    def url(self, options: str = "", target: str = "") -> str:
        target = target or self.server.address.removeprefix("rabbit://")
        names = f"exchange=x-{self.name}&event_topic={self.name}.event&metering_topic={self.name}.metering"
        return f"notifier://{target}?{names}{options}"

    def channel(self) -> Any:
        parts = urlsplit(self.server.address)
        connection = amqp.Connection(f"{parts.hostname}:{parts.port}", parts.username, parts.password)
        connection.connect()
        return connection.channel()

    def messages(self, topic: str) -> list[dict[str, Any]]:
        """Return all that came to the queue of *topic*, opened as oslo.messaging's readers do."""
        seen = self._seen.setdefault(topic, [])
        channel = self.channel()
        try:
            while message := channel.basic_get(f"{self.name}.{topic}.sample", no_ack=True):
                seen.append(json.loads(json.loads(message.body)["oslo.message"]))
        except amqp.NotFound:  # nobody has declared it
            return seen
        finally:
            channel.connection.close()
        return seen

    def payloads(self, topic: str) -> list[Any]:
        return [document for message in self.messages(topic) for document in message["payload"]]


@pytest.fixture
def broker(server: Server) -> Broker:
    return Broker(server)


@pytest.fixture(autouse=True)
def nothing_is_left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test opened: heartbeats of a connection go on after its broker is gone."""
    from eventdefs.publishers.notifier import NotifierPublisher  # which needs the extra

    opened: list[NotifierPublisher] = []
    begin = NotifierPublisher.__init__

    def beginning(publisher: NotifierPublisher, *arguments: Any) -> None:
        opened.append(publisher)
        begin(publisher, *arguments)

    monkeypatch.setattr(NotifierPublisher, "__init__", beginning)
    yield
    for publisher in opened:
        if "_transport" in vars(publisher):  # what was refused has none
            publisher.close()


def event_of(document: dict[str, Any]) -> Event:
    """Return the event of Ceilometer's form, which knows no tenant."""
    kinds = {row.code: row for row in TraitType}
    traits = {name: value if value is None else kinds[code].coerce(value) for name, code, value in document["traits"]}
    at = parse_time(document["generated"])
    return Event(document["message_id"], document["event_type"], at, None, "info", None, traits, raw=document["raw"])


def sample_of(document: dict[str, Any]) -> Sample:
    return Sample(
        document["counter_name"],
        document["counter_type"],
        document["counter_unit"],
        document["counter_volume"],
        document["resource_id"],
        document["project_id"],
        document["user_id"],
        datetime.fromisoformat(document["timestamp"]),
        document["resource_metadata"],
        document["message_id"],
    )


class CeilometerTarget(Target):
    """A target that keeps of an item what Ceilometer's form has of it."""

    def expected(self, items: Iterable[Item]) -> list[bytes]:
        kept: list[Item] = []
        for item in items:
            if isinstance(item, Event):
                kept.append(event_of(json.loads(write_json(plain(ceilometer_event(item))))))
            elif isinstance(item, Sample):
                kept.append(item)
        return sorted(written(item) for item in kept)


class TestContract(PublisherContract):
    """What every publisher owes; RabbitMQ keeps whatever comes."""

    @pytest.fixture
    def target(self, broker: Broker, server: Server) -> Target:
        def received() -> list[Item]:
            found: list[Item] = [event_of(document) for document in broker.payloads("event")]
            return found + [sample_of(document) for document in broker.payloads("metering")]

        here = urlsplit(server.address).netloc.partition("@")[2]
        return CeilometerTarget(
            broker.url("&amqp_durable_queues=true"),
            received,
            frozenset({"event", "sample"}),
            once=False,
            replaces=False,
            counts_duplicates=False,
            refused=msgspec.structs.replace(an_event("large"), raw={"payload": "x" * LARGEST}),
            stop=server.stop,
            start=server.start,
            away=broker.url(target=f"guest:guest@127.0.0.1:{free_port()}/"),
            secret=f"notifier://s3cr3t:s3cr3t@{here}/?telemetry_secret=s3cr3t",
        )

    def test_identities_survive(self, target: Target) -> None:
        """Ids survive; whose an event is, Ceilometer's form does not say."""
        target.open().publish(everything())
        kept = [identity_of(item)[-1] for item in everything() if kind_of(item) in target.kinds]
        assert sorted(identity_of(item)[-1] for item in target.received()) == sorted(kept)


AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
EVENT = event("m-1", size=4, ratio=0.5, name="é", at=AT)


def test_the_messages(broker: Broker) -> None:
    """A batch is a message of events and one of samples, in Ceilometer's envelope and form; nothing else is sent."""
    publisher = open_publisher(broker.url("&publisher_id=telemetry.publisher.h&telemetry_secret=secret"))
    batch = Batch([EVENT, event("m-2")], [sample()], [period()], [usage()])
    assert publisher.publish(batch) == Delivered(3)
    (events,), (samples,) = broker.messages("event"), broker.messages("metering")
    assert [(parse_time(one.pop("timestamp")).tzinfo, one.pop("_unique_id") != "") for one in (events, samples)] == [
        (UTC, True)
    ] * 2
    assert events == {
        "message_id": "f82ed493-aeba-5c73-978e-cee02abe2c92",
        "publisher_id": "telemetry.publisher.h",
        "event_type": "event",
        "priority": "SAMPLE",
        "payload": [
            {
                "message_id": "m-1",
                "event_type": "volume.create.end",
                "generated": "2026-08-01T01:02:03",
                "traits": [
                    ["size", 2, 4],
                    ["ratio", 3, 0.5],
                    ["name", 1, "é"],
                    ["at", 4, "2026-08-01T12:00:00"],
                ],
                "raw": {},
                "message_signature": "d248548d223980779a1d76cff89014e178ea26d901fbe3905e410400ba9090ad",
            },
            {
                "message_id": "m-2",
                "event_type": "volume.create.end",
                "generated": "2026-08-01T01:02:03",
                "traits": [],
                "raw": {},
                "message_signature": "f3182d0d1ed8ac41830f12669d1d524472f62dc95a56ff704e10fe7624bd2d15",
            },
        ],
    }
    assert samples == {
        "message_id": "d63f6506-a0d3-5e6e-a7bf-5fe71b334326",
        "publisher_id": "telemetry.publisher.h",
        "event_type": "metering",
        "priority": "SAMPLE",
        "payload": [
            {
                **counter_sample(sample()),
                "message_signature": "4860653cf49780e378589489d90192a979b62bb99cbffb4ad30c670b03624bb3",
            }
        ],
    }


def test_ids_of_messages(broker: Broker) -> None:
    """The same items are the same message, however often they are sent; others are another."""
    for batch in (Batch([EVENT]), Batch([EVENT]), Batch([event("m-2")])):
        open_publisher(broker.url()).publish(batch)
    first, again, other = (message["message_id"] for message in broker.messages("event"))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("options", "batch", "expected"),
    [
        ("", Batch(samples=[sample("s-1")]), {"metering": [("metering", ["s-1"])]}),
        (
            "&per_meter_topic=true",
            Batch(samples=[sample("s-1", name="b"), sample("s-2", name="a"), sample("s-3", name="b")]),
            {
                "metering": [
                    ("metering", ["s-1", "s-2", "s-3"]),
                    ("metering.a", ["s-2"]),
                    ("metering.b", ["s-1", "s-3"]),
                ]
            },
        ),
        (
            "&topic={0}.alarm.all,{0}.other",
            Batch([event("m-1")], [sample("s-1")]),
            {
                "alarm.all": [("event", ["m-1"]), ("metering", ["s-1"])],
                "other": [("event", ["m-1"]), ("metering", ["s-1"])],
                "event": [],
                "metering": [],
            },
        ),
        ("&max_retry=3&max_queue_length=5&policy=drop", Batch([event("m-1")]), {"event": [("event", ["m-1"])]}),
    ],
)
def test_topics(options: str, batch: Batch, expected: dict[str, Any], broker: Broker) -> None:
    """Everything goes to the topics that are named, samples for each meter once more where that is asked for."""
    open_publisher(broker.url(options.format(broker.name))).publish(batch)
    found = {
        topic: [
            (message["event_type"], [document["message_id"] for document in message["payload"]])
            for message in broker.messages(topic)
        ]
        for topic in expected
    }
    assert found == expected


def test_what_sinks_need(broker: Broker) -> None:
    """Text is cropped where it is asked for, and sg-core gets only what it reads."""
    given = Batch([event("m-1", text='"' * 300, ratio=0.5)], [sample(resource_id=7)])
    open_publisher(broker.url("&crop_text=255&compat=sg-core")).publish(given)
    assert broker.payloads("event")[0]["traits"] == [["text", 1, "'" * 255], ["ratio", 1, "0.5"]]
    assert broker.payloads("metering")[0]["resource_id"] == "7"


def test_a_configuration_file(broker: Broker, tmp_path: Path) -> None:
    """What the URL does not say is as a file of Ceilometer's says; what the URL says counts."""
    file = tmp_path / "ceilometer.conf"
    file.write_text(
        f"[DEFAULT]\ntransport_url = {broker.server.address}\n[publisher]\ntelemetry_secret = secret\n"
        f"[publisher_notifier]\nevent_topic = {broker.name}.event\nmetering_topic = {broker.name}.metering\n"
    )
    publisher = open_publisher(f"notifier://?config_file={file}&metering_topic={broker.name}.other")
    publisher.check()
    assert publisher.publish(Batch([event()], [sample()])) == Delivered(2)
    (message,) = broker.messages("event")
    assert (message["event_type"], len(message["payload"][0]["message_signature"])) == (f"{broker.name}.event", 64)
    assert [message["event_type"] for message in broker.messages("other")] == [f"{broker.name}.metering"]
    file.write_text("[DEFAULT]\ntransport_url = rabbit://s3cr3t:s3cr3t@127.0.0.1:1/\n")
    with pytest.raises(RetryableDeliveryError) as caught:
        open_publisher(f"notifier://?config_file={file}").check()
    assert str(caught.value) == "notifier://127.0.0.1:1: refused, nobody listens there"


CEILOMETER_SENDS = """
import json, sys
from urllib.parse import urlsplit
from ceilometer import sample, service
from ceilometer.event import models
from ceilometer.publisher import messaging
from oslo_utils import timeutils

file, topics, events, samples = json.load(sys.stdin)
conf = service.prepare_service([], [file])
conf.set_override("host", "h")
conf.set_override("telemetry_secret", "secret", "publisher")
def read(text):
    return timeutils.normalize_time(timeutils.parse_isotime(text))
made = [models.Event(e["message_id"], e["event_type"], read(e["generated"]),
                     [models.Trait(n, c, read(v) if c == 4 else v) for n, c, v in e["traits"]], e["raw"])
        for e in events]
messaging.EventNotifierPublisher(conf, urlsplit("notifier://?topic=" + topics[0])).publish_events(made)
made = [sample.Sample(s["name"], s["type"], s["unit"], s["volume"], s["user_id"], s["project_id"], s["resource_id"],
                      s["timestamp"].replace("Z", "+00:00"), s["metadata"], id=s["id"]) for s in samples]
url = urlsplit("notifier://?per_meter_topic=1&topic=" + topics[1])
messaging.SampleNotifierPublisher(conf, url).publish_samples(made)
"""


def test_the_same_messages_as_ceilometer(broker: Broker, tmp_path: Path) -> None:
    """Ceilometer's own publisher sends the same for the same, but for times and ids of messages."""
    batch = Batch([EVENT, event("m-2", text="x")], [sample(), sample("s-2", name="a", metadata={"é": [1, {"b": "c"}]})])
    topics = [f"{broker.name}.event", f"{broker.name}.metering"]
    file = tmp_path / "ceilometer.conf"
    file.write_text(f"[DEFAULT]\ntransport_url = {broker.server.address}\n")
    given = write_json([str(file), topics, [plain(ceilometer_event(one)) for one in batch.events], batch.samples])
    run(ceilometer(), CEILOMETER_SENDS, given)
    theirs = [broker.messages("event"), broker.messages("metering")]
    other = Broker(broker.server)
    options = "&per_meter_topic=1&telemetry_secret=secret&publisher_id=telemetry.publisher.h"
    open_publisher(other.url(options)).publish(batch)
    ours = [other.messages("event"), other.messages("metering")]
    assert [len(messages) for messages in ours] == [1, 3]
    for messages in (*ours, *theirs):
        for message in messages:
            for name in ("message_id", "timestamp", "_unique_id"):
                assert message.pop(name)
    assert ours == theirs


CEILOMETER_READS = """
import json, sys, threading
import oslo_messaging
from ceilometer import messaging, service
from ceilometer.publisher import utils

url, topics, count = json.load(sys.stdin)
conf = service.prepare_service([], [])
found, done = [], threading.Event()
class Endpoint:
    def sample(self, notifications):
        for notification in notifications:
            found.extend(notification["payload"])
        if len(found) >= count:
            done.set()
listener = messaging.get_batch_notification_listener(
    messaging.get_transport(conf, url), [oslo_messaging.Target(topic=topic) for topic in topics], [Endpoint()])
listener.start()
done.wait(50)
listener.stop()
listener.wait()
print(json.dumps([[one["message_id"], utils.verify_signature(one, "secret")] for one in found]))
"""


def test_ceilometer_reads_it(broker: Broker) -> None:
    """Ceilometer's own listener gets what was sent before it came, with signatures that hold."""
    publisher = open_publisher(broker.url("&telemetry_secret=secret"))
    publisher.publish(Batch([EVENT, event("m-2", text='a "b"')], [sample(metadata={"é": [1, {"b": "c"}]})]))
    given = write_json([broker.server.address, [f"{broker.name}.event", f"{broker.name}.metering"], 3])
    assert sorted(json.loads(run(ceilometer(), CEILOMETER_READS, given))) == [
        ["m-1", True],
        ["m-2", True],
        ["s-1", True],
    ]


AODH = """
import datetime, json, sys, time
from aodh import event, service, storage
from aodh.storage import models

file, rules = json.load(sys.stdin)
conf = service.prepare_service([], config_files=[file])
connection = storage.get_connection_from_config(conf)
connection.upgrade()
now = datetime.datetime(2026, 8, 1)
for name, rule in rules.items():
    connection.create_alarm(models.Alarm(
        alarm_id=name, type="event", enabled=True, name=name, description="", timestamp=now, user_id="u",
        project_id="p-1", state="insufficient data", state_timestamp=now, state_reason="", ok_actions=[],
        alarm_actions=[], insufficient_data_actions=[], repeat_actions=False, time_constraints=[], severity="low",
        rule=rule))
listener = event.EventAlarmEvaluationService(1, conf)
def states():
    return {alarm.alarm_id: alarm.state for alarm in connection.get_alarms()}
until = time.monotonic() + 50
while states()["last"] != "alarm" and time.monotonic() < until:
    time.sleep(0.05)
listener.terminate()
print(json.dumps(states()))
"""


def test_aodh_fires_its_alarms(broker: Broker, tmp_path: Path) -> None:
    """Aodh's own event alarm service reads the events and compares traits of every type, of the project only."""
    publisher = open_publisher(broker.url(f"&topic={broker.name}.alarm.all"))
    mine = {"project_id": "p-1", "size": 4, "ratio": 0.5, "at": AT, "name": "é"}
    publisher.publish(Batch([event("m-1", **mine), event("m-2", project_id="p-2", size=9)]))
    publisher.publish(Batch([event("m-3", project_id="p-1", last="yes")]))

    def rule(field: str, op: str, value: Any, kind: str) -> dict[str, Any]:
        query = [{"field": f"traits.{field}", "op": op, "value": value, "type": kind}]
        return {"event_type": "volume.*", "query": query}

    rules = {
        "int": rule("size", "gt", 3, "integer"),
        "not of this project": rule("size", "eq", 9, "integer"),
        "float": rule("ratio", "lt", 0.6, "float"),
        "datetime": rule("at", "eq", "2026-08-01T12:00:00", "datetime"),
        "text": rule("name", "eq", "é", "string"),
        "other type": {**rule("size", "gt", 3, "integer"), "event_type": "compute.*"},
        "last": rule("last", "eq", "yes", "string"),
    }
    file = tmp_path / "aodh.conf"
    file.write_text(
        f"[DEFAULT]\ntransport_url = {broker.server.address}\n[database]\nconnection = sqlite:///{tmp_path}/aodh.db\n"
        f"[listener]\nevent_alarm_topic = {broker.name}.alarm.all\n"
    )
    assert json.loads(run(aodh(), AODH, write_json([str(file), rules]))) == {
        "int": "alarm",
        "not of this project": "insufficient data",
        "float": "alarm",
        "datetime": "alarm",
        "text": "alarm",
        "other type": "insufficient data",
        "last": "alarm",
    }


def run(python: str, code: str, given: bytes) -> str:
    """Run *code* in another environment, and return the last line that it prints."""
    done = subprocess.run([python, "-c", code], input=given, capture_output=True, timeout=2 * WAIT)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return (done.stdout.decode().strip().splitlines() or [""])[-1]


def test_a_queue_that_somebody_deleted(broker: Broker) -> None:
    """A message that no queue takes does not count as sent: the queue is declared again, and has it."""
    publisher = open_publisher(broker.url())
    publisher.publish(Batch([event("m-1")]))
    channel = broker.channel()
    for number in (2, 3):
        channel.queue_delete(f"{broker.name}.event.sample")
        assert publisher.publish(Batch([event(f"m-{number}")])) == Delivered(1)
    assert publisher.publish(Batch([event("m-4")])) == Delivered(1)
    assert [document["message_id"] for document in broker.payloads("event")] == ["m-3", "m-4"]
    channel.connection.close()


def test_who_listens_declares_otherwise(broker: Broker) -> None:
    """A queue that others declared as durable is said to be so, and nothing is dead-lettered for it."""
    open_publisher(broker.url("&amqp_durable_queues=true")).publish(Batch([event()]))
    with pytest.raises(
        RetryableDeliveryError, match=r"declared otherwise by others, see amqp_durable_queues: .*'durable'"
    ):
        open_publisher(broker.url("&amqp_durable_queues=false")).publish(Batch([event()]))


def test_too_large(broker: Broker) -> None:
    """A message beyond the broker's limit never will be taken, and its reason says the size."""
    large = msgspec.structs.replace(event(), raw={"payload": "x" * LARGEST})
    publisher = open_publisher(broker.url())
    with pytest.raises(PermanentDeliveryError, match=r"message size .* is larger than configured max size 4000000"):
        publisher.publish(Batch([large]))
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1)


@pytest.mark.parametrize(
    ("target", "kind", "said"),
    [
        ("guest:s3cr3t@{here}/", AccessDeniedError, "the broker does not let us: ACCESS_REFUSED"),
        (
            "guest:guest@{here}/nothing",
            AccessDeniedError,
            "the broker does not let us: NOT_ALLOWED - vhost nothing not",
        ),
        ("s3cr3t:s3cr3t@127.0.0.1:1/", RetryableDeliveryError, "refused, nobody listens there"),
        ("s3cr3t:s3cr3t@no-such-host.invalid/", RetryableDeliveryError, "the name cannot be resolved: Name or service"),
        ("guest:guest@{here}/?ssl=true", RetryableDeliveryError, "no TLS: "),
    ],
)
def test_what_is_wrong(
    target: str, kind: type[DeliveryError], said: str, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """`check` and `publish` say what is wrong and with whom, and neither they nor the log say a secret."""
    caplog.set_level(logging.DEBUG)
    here = urlsplit(server.address).netloc.partition("@")[2]
    publisher = open_publisher("notifier://" + target.format(here=here))
    with pytest.raises(kind) as published:
        publisher.publish(Batch([event()]))
    with pytest.raises(kind) as checked:
        publisher.check()
    for error in (published.value, checked.value):
        assert said in str(error)
        assert str(error).startswith(f"notifier://{target.format(here=here).partition('@')[2].partition('?')[0]}: ")
        assert "\n" not in str(error)
    assert "s3cr3t" not in "".join([str(published.value), str(checked.value), repr(publisher), caplog.text])


def test_tls(broker: Broker, secure: Secure) -> None:
    """A certificate that `ssl_ca_file` signed for this host is accepted, and no other."""
    target = f"guest:guest@127.0.0.1:{secure.port}/"
    ours = f"&ssl=true&ssl_ca_file={secure.files.ca}"
    publisher = open_publisher(broker.url(ours, target))
    publisher.check()
    assert publisher.publish(Batch([event()])) == Delivered(1)
    assert len(broker.payloads("event")) == 1
    for options, host in (("&ssl=true", "127.0.0.1"), (ours, "127.0.0.2")):
        publisher = open_publisher(broker.url(options, target.replace("127.0.0.1", host)))
        with pytest.raises(RetryableDeliveryError, match="the certificate is not accepted: "):
            publisher.check()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("notifier://", "names no host, as notifier://user:password@host:5672/ does"),
        ("notifier://user:s3cr3t@host:port/", "notifier://host:port/: "),
        ("notifier://host/?driver=kafka", "Invalid enum value 'kafka'"),
        ("notifier://host/?telemetry_secret=s3cr3t&topics=x", "unknown option 'topics' (did you mean 'topic'?)"),
        ("notifier://host/?timeout=1", "Expected `int` >= 2"),
        ("notifier://host/?config_file=/no/such/file", "Failed to find some config files: /no/such/file"),
    ],
)
def test_what_is_no_url(url: str, said: str) -> None:
    """What is wrong with a URL is said before anything is opened, and secrets are not."""
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(url)
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_broker_that_does_not_answer(broker: Broker) -> None:
    """A broker that takes a message and does not confirm it has not got it; it is sent again, once or more."""
    publisher = open_publisher(broker.url("&timeout=2&amqp_durable_queues=true"))
    publisher.publish(Batch([event("m-1")]))
    broker.server.pause()
    try:
        with pytest.raises(RetryableDeliveryError, match="the broker does not answer"):
            publisher.publish(Batch([event("m-2")]))
    finally:
        broker.server.resume()
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1)
    assert {document["message_id"] for document in broker.payloads("event")} == {"m-1", "m-2"}


def test_a_broker_that_is_killed_in_the_middle(broker: Broker) -> None:
    """While batches are published the broker is killed and comes back: everything is there, once or more, in order."""
    delivery = open_delivery(broker.url("&amqp_durable_queues=true&retry_for=60s"))
    begun = threading.Event()
    failed: list[BaseException] = []

    def publish() -> None:
        try:
            for number in range(300):
                delivery.publish(Batch([event(f"m-{number}-{item}", number=number) for item in range(10)]))
                if number == 50:
                    begun.set()
        except BaseException as error:
            failed.append(error)
            begun.set()

    publishing = threading.Thread(target=publish)
    publishing.start()
    assert begun.wait(WAIT)
    broker.server.kill()
    broker.server.start()
    publishing.join(2 * WAIT)
    delivery.close()
    assert failed == []
    found = broker.payloads("event")
    assert {document["message_id"] for document in found} == {
        f"m-{number}-{item}" for number in range(300) for item in range(10)
    }
    numbers = [document["traits"][0][2] for document in found]
    assert numbers == sorted(numbers)


START = b"\x00\x0a\x00\x0a\x00\x09" + b"\x00\x00\x00\x00" + b"\x00\x00\x00\x05PLAIN" + b"\x00\x00\x00\x05en_US"
"""What a broker begins with: the method 10.10, a version, no properties, mechanisms and locales."""


def framed(payload: bytes, channel: int = 0) -> bytes:
    return b"\x01" + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


GREETINGS = {
    "another protocol": b"220 mail.example ESMTP\r\n",
    "another version": b"AMQP\x00\x00\x09\x02",
    "nothing in it": framed(b""),
    "half of a method": framed(START[:9]),
    "no method": framed(b"\x00\x63\x00\x63"),
    "no channel": framed(START, 207),
    "no end": framed(START)[:-1] + b"x",
    "no text": framed(START.replace(b"PLAIN", b"\xff\xfe\xff\xfe\xff")),
}


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_what_is_no_broker(greeting: bytes) -> None:
    """Whatever somebody says who is no broker, no item is at fault for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as connection:
                        connection.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        where = f"127.0.0.1:{listening.getsockname()[1]}/"
        with closing(open_publisher(f"notifier://guest:guest@{where}?timeout=2")) as publisher:
            for call in (lambda: publisher.publish(Batch([event()])), publisher.check):
                with pytest.raises(RetryableDeliveryError, match=f"^notifier://{where}: "):
                    call()
        listening.shutdown(socket.SHUT_RDWR)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library it says what to install."""
    monkeypatch.setitem(sys.modules, "oslo_messaging", None)
    monkeypatch.delitem(sys.modules, "eventdefs.publishers.notifier", raising=False)
    with pytest.raises(PublisherURLError, match=r"pip install eventdefs\[messaging\]"):
        open_publisher("notifier://h/")
