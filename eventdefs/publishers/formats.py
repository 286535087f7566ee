"""The forms in which publishers write events and samples, by the name that an option has for them.

CloudEvents is made here and not in encode.py, since it says the key that items are ordered by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from eventdefs.encode import (
    UNWRITABLE,
    ceilometer_event,
    ceilometer_sample,
    cropped,
    event_document,
    monasca_event,
    monasca_metric,
    write_json,
)
from eventdefs.errors import PermanentDeliveryError
from eventdefs.publishers.naming import key_of, resource_of, tenant_of, type_of
from eventdefs.times import utc_text
from eventdefs.types import Batch, Event, Item, Period, Record, Refusal, Sample, Usage, kind_of

FormatName = Literal["native", "ceilometer", "cloudevents", "monasca"]


def _array(documents: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(documents) + b"]"


class Format(NamedTuple):
    """How each kind of value becomes what is written as JSON; None where a form has none for it.

    Attributes:
        content_type, batch_content_type: the media types of one document and of several in one body.
        join: makes the body of several.
        alone: whether one document is a body as it is; else `join` makes the body of one as well.
    """

    event: Callable[[Event], Any]
    sample: Callable[[Sample], Any]
    period: Callable[[Period], Any] | None
    record: Callable[[Record], Any] | None
    content_type: str = "application/json"
    batch_content_type: str = "application/json"
    join: Callable[[Sequence[bytes]], bytes] = _array
    alone: bool = True


def _itself(value: Any) -> Any:
    return value


# What no attribute of a CloudEvent may have: control characters, surrogates that stand alone, noncharacters.
_ILLEGAL = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))
    + "]"
)


def _legal(text: str) -> str:
    """Return *text* with what CloudEvents does not allow in an attribute percent-encoded."""
    return _ILLEGAL.sub(lambda found: quote(found[0], errors="surrogatepass"), text)


def _time_of(item: Item) -> datetime:
    if isinstance(item, Event):
        return item.generated
    return item.timestamp if isinstance(item, (Sample, Period, Usage)) else item.recorded_at


def cloudevent_headers(item: Item) -> dict[str, str]:
    """Return the attributes of the CloudEvent that *item* is, for the binary mode of a transport.

    The names have no prefix, and the values are text that is not encoded. Over HTTP the prefix is ``ce-``, and the
    transport percent-encodes blanks, quotes, percent signs and what is not ASCII. Over Kafka it is ``ce_``, and
    values are UTF-8 as they are. `datacontenttype` is the content type of the message: ``application/json``. The
    body is *item* in our own form.

    `id` is unique in `source`, which names tenant and kind: two tenants may have one message_id, and usage and its
    sample have one id.
    """
    kind, tenant, resource = kind_of(item), tenant_of(item), resource_of(item)
    place = f"/projects/{quote(tenant, safe='', errors='surrogatepass')}" if tenant else ""
    attributes = {
        "id": item.message_id if isinstance(item, Event) else item.id,
        "source": f"{place}/{kind}",
        "specversion": "1.0",
        "type": (item.event_type if isinstance(item, Event) else f"eventdefs.{kind}.{type_of(item)}") or "event",
        "time": utc_text(_time_of(item)),
        "partitionkey": key_of(item),
    }
    if resource:
        attributes["subject"] = resource
    if tenant:
        attributes["tenantid"] = tenant
    if isinstance(item, Event):
        attributes["priority"] = item.priority or "info"
        if request := item.traits.get("request_id"):
            attributes["correlationid"] = str(request)
    elif isinstance(item, (Period, Refusal)):
        attributes["causationid"] = item.message_id
    return {name: _legal(value) for name, value in attributes.items()}


def cloudevent(item: Item) -> dict[str, Any]:
    """Return *item* as a CloudEvent 1.0 in structured JSON; `data` is *item* in our own form."""
    data = event_document(item) if isinstance(item, Event) else item
    return {**cloudevent_headers(item), "datacontenttype": "application/json", "data": data}


class _MonascaTime(msgspec.Struct):
    timestamp: str


class _MonascaEvent(msgspec.Struct):
    event: _MonascaTime | None = None


_read_monasca = msgspec.json.Decoder(_MonascaEvent).decode


def _monasca_body(documents: Sequence[bytes]) -> bytes:
    """Return the body that Monasca takes: of events with the time of the latest one, of metrics an array."""
    events = [found.event for found in map(_read_monasca, documents) if found.event is not None]
    if not events:
        return _array(documents)
    if len(events) < len(documents):
        raise PermanentDeliveryError("Monasca takes events and metrics at different URLs, not in one body")
    latest = max(event.timestamp for event in events)
    return b'{"timestamp":' + write_json(latest) + b',"events":' + _array(documents) + b"}"


FORMATS: dict[str, Format] = {
    "native": Format(event_document, _itself, _itself, _itself),
    "ceilometer": Format(ceilometer_event, ceilometer_sample, None, None),
    "cloudevents": Format(
        cloudevent,
        cloudevent,
        cloudevent,
        cloudevent,
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ),
    "monasca": Format(monasca_event, monasca_metric, None, None, join=_monasca_body, alone=False),
}


def format_of(name: str, crop_text: int | None = None) -> Format:
    """Return the form *name*, with text traits cut to *crop_text* code points where a target keeps no more."""
    form = FORMATS[name]
    if crop_text is None:
        return form
    return form._replace(event=lambda event: form.event(cropped(event, crop_text)))


def encode_items(form: Format, batch: Batch) -> list[tuple[Item, bytes]]:
    """Return the items of *batch* that *form* has a form for, each as one line of JSON without the line end.

    Raises:
        PermanentDeliveryError: a value cannot be written as JSON.
    """
    try:
        encoded: list[tuple[Item, bytes]] = [(event, write_json(form.event(event))) for event in batch.events]
        encoded += [(sample, write_json(form.sample(sample))) for sample in batch.samples]
        if form.period is not None:
            encoded += [(period, write_json(form.period(period))) for period in batch.periods]
        if form.record is not None:
            encoded += [(record, write_json(form.record(record))) for record in batch.records]
    except UNWRITABLE as error:
        raise PermanentDeliveryError(f"cannot be written as JSON: {error}") from error
    return encoded


def encode_lines(form: Format, batch: Batch) -> list[bytes]:
    """Return *batch* as lines of JSON, without the line ends; raises as `encode_items`."""
    return [line for _, line in encode_items(form, batch)]
