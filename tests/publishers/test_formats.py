"""Formats: what each form writes of an item, and that those for whom it is written read it."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from eventdefs import Batch, decode_notification
from eventdefs.decode import decode_event, decode_item, decode_notifications
from eventdefs.encode import (
    ceilometer_event,
    counter_sample,
    cropped,
    monasca_metric,
    plain,
    sg_core_event,
    sg_core_sample,
    signed,
    write_json,
)
from eventdefs.errors import PermanentDeliveryError
from eventdefs.publishers.formats import FORMATS, cloudevent_headers, encode_items, encode_lines, format_of
from eventdefs.types import Item
from tests.making import closure, event, gap, period, refusal, sample, usage
from tests.publishers.oracles import ceilometer

AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
EVERYTHING = Batch(
    [event("m-1", size=4, ratio=0.5, name="é", at=AT, request_id="req-1", resource_id="v-1"), event("m-2", None)],
    [sample()],
    [period()],
    [usage(), gap(), refusal(), closure()],
)


def documents(name: str, batch: Batch) -> list[Any]:
    return [json.loads(line) for line in encode_lines(FORMATS[name], batch)]


class TestCeilometer:
    """Ceilometer's forms: the counter shape, and signatures."""

    def test_the_counter_shape(self) -> None:
        """A sample has the keys of Ceilometer's notifier, in their order; the host stands there where it is said."""
        document = {
            "source": "openstack",
            "counter_name": "volume.size",
            "counter_type": "gauge",
            "counter_unit": "GiB",
            "counter_volume": 4,
            "user_id": "u-1",
            "user_name": None,
            "project_id": "p-1",
            "project_name": None,
            "resource_id": "v-1",
            "timestamp": "2026-08-01T01:02:03+00:00",
            "resource_metadata": {"status": "available"},
            "message_id": "s-1",
            "monotonic_time": None,
        }
        assert counter_sample(sample()) == document
        assert list(counter_sample(sample())) == list(document)
        assert counter_sample(sample(), "host-1") == {**document, "publisher_id": "host-1"}

    SIGNED = (
        counter_sample(sample()),
        counter_sample(
            sample(metadata={"b": {"y": 1.5, "x": None, "z": {}}, "a": ["é", {"l": [1, True], "k": "v"}], "at": AT})
        ),
        counter_sample(sample(volume=10**30, resource_id="", metadata={"message_signature": "x", "a:b": {"c": []}})),
        plain(ceilometer_event(event("m-1", size=4, ratio=0.5, name="é \"q\" 'p'", at=AT))),
        plain(ceilometer_event(msgspec.structs.replace(event(), raw={"payload": {"list": [{"b": [], "a": None}]}}))),
    )

    def test_signatures(self) -> None:
        """What is signed has Ceilometer's signature, which does not cover itself; without a secret it is empty."""
        signature = signed(self.SIGNED[0], "secret")["message_signature"]
        assert signature == "4860653cf49780e378589489d90192a979b62bb99cbffb4ad30c670b03624bb3"
        assert signed(signed(self.SIGNED[0], "secret"), "secret")["message_signature"] == signature
        assert signed(self.SIGNED[0], "other")["message_signature"] != signature
        assert signed(self.SIGNED[0], "") == {**self.SIGNED[0], "message_signature": ""}

    def test_ceilometer_verifies_the_signatures(self) -> None:
        """Ceilometer's own code accepts each of our signatures, and none that is of something else."""
        code = (
            "import json, sys; from ceilometer.publisher import utils\n"
            "print([utils.verify_signature(document, 'sécret') for document in json.load(sys.stdin)])"
        )
        given = [signed(document, "sécret") for document in self.SIGNED]
        given.append({**given[0], "counter_volume": 5})
        asked = subprocess.run(
            [ceilometer(), "-c", code], input=write_json(given), capture_output=True, check=True, timeout=60
        )
        assert asked.stdout.decode().strip() == str([True] * len(self.SIGNED) + [False])

    def test_cropping(self) -> None:
        """Text traits are cut to so many code points where it is asked for, and nothing else is."""
        long = event("m-1", text="é" * 300, size=10**300, short="x")
        assert cropped(long, 255).traits == {"text": "é" * 255, "size": 10**300, "short": "x"}
        assert cropped(long, 300) is long
        whole, cut = (encode_lines(format_of("ceilometer", length), Batch([long])) for length in (None, 255))
        assert [len(json.loads(line)["traits"][0][2]) for line in whole + cut] == [300, 255]
        assert format_of("native") is FORMATS["native"]


class TestSgCore:
    """What sg-core reads without failing."""

    def test_events(self) -> None:
        """Only ints are not text, and no quote or backslash is left, which it would read for the end of a text."""
        given = msgspec.structs.replace(
            event("m-1", size=4, ratio=0.5, name='a "b" c\\', at=AT), raw={"payload": {'"': ['"', 1.5]}}
        )
        assert sg_core_event(plain(ceilometer_event(given))) == {
            "message_id": "m-1",
            "event_type": "volume.create.end",
            "generated": "2026-08-01T01:02:03",
            "traits": [
                ["size", 2, 4],
                ["ratio", 1, "0.5"],
                ["name", 1, "a 'b' c/"],
                ["at", 1, "2026-08-01T12:00:00"],
            ],
            "raw": {"payload": {"'": ["'", 1.5]}},
        }

    def test_samples(self) -> None:
        """What it declares as text is text."""
        given = sample(
            resource_id=7,
            project_id=None,
            metadata={"host": 1, "name": None, "display_name": 'a "b"', "user_metadata": {"k": 1}, "size": 2},
        )
        assert sg_core_sample(counter_sample(given, "host-1")) == {
            **counter_sample(given, "host-1"),
            "resource_id": "7",
            "resource_metadata": {"host": "1", "display_name": "a 'b'", "size": 2, "user_metadata": {"k": "1"}},
        }


class TestCloudEvents:
    """CloudEvents 1.0."""

    def test_an_event(self) -> None:
        """An event is a CloudEvent of its type, whose data is the event in our own form."""
        assert documents("cloudevents", EVERYTHING)[0] == {
            "id": "m-1",
            "source": "/projects/p-1/event",
            "specversion": "1.0",
            "type": "volume.create.end",
            "time": "2026-08-01T01:02:03Z",
            "partitionkey": "p-1:v-1",
            "subject": "v-1",
            "tenantid": "p-1",
            "priority": "info",
            "correlationid": "req-1",
            "datacontenttype": "application/json",
            "data": documents("native", EVERYTHING)[0],
        }

    def test_the_attributes_of_every_kind(self) -> None:
        """All else is of a type that says kind and meter; what is derived says what from where the item knows."""
        names = ("id", "source", "type", "subject", "partitionkey", "causationid")
        found = [tuple(cloudevent_headers(item).get(name) for name in names) for item in EVERYTHING]
        assert found[1:] == [
            ("m-2", "/event", "volume.create.end", None, ":m-2", None),
            ("s-1", "/projects/p-1/sample", "eventdefs.sample.volume.size", "v-1", "p-1:v-1", None),
            ("c-1", "/projects/p-1/period", "eventdefs.period.database.uptime", "db-1", "p-1:db-1", "m-1"),
            ("u-1", "/projects/p-1/usage", "eventdefs.usage.database.uptime", "db-1", "p-1:db-1", None),
            ("g-1", "/gap", "eventdefs.gap.database.uptime", "db-1", ":db-1", None),
            ("r-1", "/projects/p-1/refusal", "eventdefs.refusal.database.uptime", "db-1", "p-1:db-1", "m-1"),
            ("k-1", "/closure", "eventdefs.closure.database.uptime", None, ":database.uptime", None),
        ]

    def test_ids_are_unique_in_their_source(self) -> None:
        """One message_id of two tenants, a usage and its sample, a tenant with a slash: each is another CloudEvent."""
        items: list[Item] = [event("x", "a"), event("x", "b"), event("x", None), event("x", "a/event"), usage("x")]
        items += [sample("x"), sample("x", project_id=None), event("x", "p-1"), event("x", "%2F"), event("x", "/")]
        assert len({(found["source"], found["id"]) for found in map(cloudevent_headers, items)}) == len(items)

    HOSTILE = (
        event("m-\x00\ud800\uffff", "t\n\ud800/ä?#", request_id="\x1b[31m", resource_id="\r\nX: y\U0001ffff"),
        event("m-1", "p-1", resource_id="", request_id=""),
        msgspec.structs.replace(event("m-1"), event_type="", priority=""),
        sample(resource_id=7, project_id={"a": 1}, name=""),
    )

    @pytest.mark.parametrize("item", [*EVERYTHING, *HOSTILE], ids=lambda item: type(item).__name__)
    def test_it_is_valid(self, item: Item) -> None:
        """The CloudEvents SDK reads and validates what is written, structured and binary, whatever senders put in."""
        http = pytest.importorskip("cloudevents.core.bindings.http")
        from cloudevents.core.formats.json import JSONFormat

        line = encode_lines(FORMATS["cloudevents"], Batch().part([item]))[0]
        read = JSONFormat().read(None, line)
        headers = cloudevent_headers(item)
        native = encode_lines(FORMATS["native"], Batch().part([item]))[0]
        assert read.get_data() == json.loads(native)
        assert written(read.get_attributes()) == {**headers, "datacontenttype": "application/json"}
        for value in headers.values():
            assert value
            assert {"Cc", "Cs"}.isdisjoint(map(unicodedata.category, value))
        sent = http.HTTPMessage(
            {"content-type": "application/json", **{f"ce-{name}": http.quote(text) for name, text in headers.items()}},
            native,
        )
        binary = http.from_http(sent, JSONFormat())
        assert binary.get_attributes() == read.get_attributes()

    def test_it_is_read_back(self) -> None:
        """The data is what `decode_item` reads; and as a notification it keeps type, id, tenant and time."""
        lines = encode_lines(FORMATS["cloudevents"], EVERYTHING)
        assert [decode_item(json.dumps(json.loads(line)["data"])) for line in lines] == list(EVERYTHING)
        found = decode_notification(lines[0])
        assert (found.event_type, found.message_id, found.priority) == ("volume.create.end", "m-1", "info")
        assert (found.body["ctxt"]["project_id"], found.timestamp) == ("p-1", EVERYTHING.events[0].generated)
        assert decode_event(json.dumps(found.body["payload"])) == EVERYTHING.events[0]

    def test_bodies(self) -> None:
        """One is a body by itself, several are an array, each with its media type."""
        form = FORMATS["cloudevents"]
        assert form.content_type == "application/cloudevents+json"
        assert form.batch_content_type == "application/cloudevents-batch+json"
        assert form.alone
        lines = encode_lines(form, EVERYTHING)
        assert json.loads(form.join(lines)) == [json.loads(line) for line in lines]


class TestMonasca:
    """Bodies of Monasca's APIs."""

    def test_events(self) -> None:
        """A body has the time of its latest event, and events that are notifications with the traits as payload."""
        earlier = msgspec.structs.replace(event("m-0"), generated=datetime(2025, 1, 1, tzinfo=UTC))
        form = FORMATS["monasca"]
        body = json.loads(form.join(encode_lines(form, Batch([EVERYTHING.events[0], earlier]))))
        assert body == {
            "timestamp": "2026-08-01 01:02:03",
            "events": [
                {
                    "dimensions": {"service": "volume", "topic": "notifications.info", "hostname": "host-1"},
                    "project_id": "p-1",
                    "event": {
                        "event_type": "volume.create.end",
                        "message_id": "m-1",
                        "publisher_id": "volume.host-1",
                        "priority": "INFO",
                        "timestamp": "2026-08-01 01:02:03",
                        "payload": {
                            "size": 4,
                            "ratio": 0.5,
                            "name": "é",
                            "at": "2026-08-01T12:00:00Z",
                            "request_id": "req-1",
                            "resource_id": "v-1",
                        },
                    },
                },
                documents("monasca", Batch([earlier]))[0],
            ],
        }
        assert not form.alone
        assert json.loads(form.join(encode_lines(form, Batch([earlier]))))["timestamp"] == "2025-01-01 00:00:00"

    def test_events_are_read_back(self) -> None:
        """Its events are notifications, with the ids, types, times and traits that were published."""
        lines = documents("monasca", Batch(EVERYTHING.events))
        found: Any = decode_notifications(json.dumps([line["event"] for line in lines]))
        assert [(one.message_id, one.event_type, one.publisher_id, one.priority, one.timestamp) for one in found] == [
            (one.message_id, one.event_type, one.publisher_id, one.priority, one.generated) for one in EVERYTHING.events
        ]

    def test_metrics(self) -> None:
        """A sample is a metric in milliseconds, within what Monasca allows; several are an array."""
        assert documents("monasca", EVERYTHING)[2:] == [
            {
                "name": "volume.size",
                "dimensions": {
                    "resource_id": "v-1",
                    "project_id": "p-1",
                    "user_id": "u-1",
                    "type": "gauge",
                    "unit": "GiB",
                },
                "timestamp": 1785546123000,
                "value": 4,
                "value_meta": {"id": "s-1", "status": "available"},
            }
        ]
        form = FORMATS["monasca"]
        lines = encode_lines(form, Batch(samples=[sample(), sample("s-2")]))
        assert json.loads(form.join(lines)) == [json.loads(line) for line in lines]

    def test_what_monasca_refuses_is_left_out(self) -> None:
        """Names lose what they may not have, empty dimensions and metadata that is too much are left out."""
        given = sample(
            name="a{b} (c)",
            resource_id="r" * 300,
            project_id=None,
            user_id="",
            metadata={"": 1, "id": "other", "size": 4, "list": [1], **{f"k{number}": number for number in range(20)}},
        )
        metric = monasca_metric(given)
        assert metric["name"] == "a_b___c_"
        assert metric["dimensions"] == {"resource_id": "r" * 255, "type": "gauge", "unit": "GiB"}
        assert list(metric["value_meta"].items())[:3] == [("id", "s-1"), ("size", "4"), ("list", "[1]")]
        assert len(metric["value_meta"]) == 16
        long = monasca_metric(sample(metadata={"a": "x" * 1900, "b": "y" * 200}))
        assert list(long["value_meta"]) == ["id", "a"]
        assert len(json.dumps(long["value_meta"])) <= 2048

    def test_events_and_metrics_apart(self) -> None:
        """One body cannot have both, and the error says so."""
        form = FORMATS["monasca"]
        with pytest.raises(PermanentDeliveryError, match="different URLs"):
            form.join(encode_lines(form, EVERYTHING))


KINDS: dict[str, tuple[str, ...]] = {
    "native": ("event", "event", "sample", "period", "usage", "gap", "refusal", "closure"),
    "cloudevents": ("event", "event", "sample", "period", "usage", "gap", "refusal", "closure"),
    "ceilometer": ("event", "event", "sample"),
    "monasca": ("event", "event", "sample"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_has_no_form_is_left_out(name: str) -> None:
    """Every form says of a batch which items it has written, each as one line."""
    found = encode_items(FORMATS[name], EVERYTHING)
    assert tuple(str(item.__struct_config__.tag) for item, _ in found) == KINDS[name]
    assert [line for _, line in found if b"\n" in line] == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_json_has_not(name: str) -> None:
    """Floats that are not finite and lone surrogates leave valid JSON in every form."""
    odd = event("m-\ud800", "p-\udfff", ratio=float("inf"), none=float("nan"), text="\ud800")
    refuse: Callable[[str], Any] = lambda word: pytest.fail(f"{word} is no JSON")  # noqa: E731
    for line in encode_lines(FORMATS[name], Batch([odd], [sample(metadata={"x": float("inf")})])):
        json.loads(line, parse_constant=refuse)


def written(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes as text, a time as it is written."""
    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in attributes.items()
    }
