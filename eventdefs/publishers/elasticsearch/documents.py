"""The documents that items become, the fields that are indexed of them, and the way back.

No field is ever added: what names the world has, of traits and of payloads, are values here. A document holds its item
whole; what cannot be indexed, such as an integer beyond 64 bits, is in it all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from eventdefs.decode import decode_item
from eventdefs.encode import event_document, write_json
from eventdefs.errors import DecodeError
from eventdefs.publishers.elasticsearch.naming import time_of
from eventdefs.publishers.naming import tenant_of
from eventdefs.times import utc_text
from eventdefs.types import TRAIT_TYPES, Event, Item, TraitValue, kind_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAST, _MOST = -(2**63), 2**63 - 1


class Trait(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A trait as a document has it: its value under the name of its type, or as text where that takes it not.

    Attributes:
        text: of text, of an integer beyond 64 bits, and of a float that is not finite.
        micros: of a time, microseconds since 1970: an index keeps times to the millisecond.
    """

    name: str
    type: str
    text: str | None = None
    integer: int | None = msgspec.field(default=None, name="int")
    number: float | None = msgspec.field(default=None, name="float")
    time: str | None = msgspec.field(default=None, name="datetime")
    micros: int | None = None

    def value(self) -> TraitValue:
        """Return the value that it was made of; raises ValueError and TypeError where it has none."""
        found = next(one for one in (self.text, self.integer, self.number, self.time, "") if one is not None)
        return TRAIT_TYPES[self.type].coerce(found)


class EventDocument(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="event"):
    """An event as a document has it; `at` and `micros` are its `generated`."""

    message_id: str
    event_type: str
    generated: datetime
    tenant: str | None
    priority: str
    publisher_id: str | None
    at: str = msgspec.field(name="@timestamp")
    micros: int
    traits: list[Trait]
    raw: Mapping[str, Any] = {}


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _trait(name: str, value: TraitValue) -> Trait:
    if isinstance(value, str):
        return Trait(name, "text", value)
    if isinstance(value, datetime):
        return Trait(name, "datetime", time=utc_text(value), micros=_micros(value))
    if isinstance(value, float):
        return Trait(name, "float", number=value) if math.isfinite(value) else Trait(name, "float", str(value))
    return Trait(name, "int", integer=value) if _LEAST <= value <= _MOST else Trait(name, "int", str(value))


def document_of(item: Item) -> bytes:
    """Return *item* as a document, one line of JSON.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: a value cannot be written as JSON.
    """
    if not isinstance(item, Event):
        return b"%b,%b" % (_head(item), write_json(item)[1:])
    traits = [  # most are text, and a call for each of those is a fifth of the whole
        Trait(name, "text", value) if type(value) is str else _trait(name, value) for name, value in item.traits.items()
    ]
    return write_json(
        EventDocument(
            item.message_id,
            item.event_type,
            item.generated,
            item.tenant,
            item.priority,
            item.publisher_id,
            utc_text(item.generated),
            _micros(item.generated),
            traits,
            item.raw,
        )
    )


def _head(item: Item) -> bytes:
    time = time_of(item)
    return write_json({"tenant": tenant_of(item), "@timestamp": utc_text(time), "micros": _micros(time)})[:-1]


def unread_document_of(item: Item) -> bytes:
    """Return *item* as a document in which payloads are not looked into: it is there whole, as text.

    An event is found by all but its payload, what is no event by tenant, time, kind and id.
    """
    if isinstance(item, Event):
        known = document_of(msgspec.structs.replace(item, raw={}))
        whole: Item = event_document(item)
    else:
        known = b"%b,%b" % (_head(item), write_json({"kind": kind_of(item), "id": item.id})[1:])
        whole = item
    return b'%b,"document":%b}' % (known[:-1], write_json(write_json(whole).decode()))


def item_of(source: Mapping[str, Any]) -> Item:
    """Return the item that was made the document *source*, equal to what it was.

    Raises:
        DecodeError: it is none of ours.
    """
    if "document" in source:
        return decode_item(source["document"])
    if source.get("kind") != "event":
        return decode_item(write_json(source))
    try:
        document = msgspec.convert(source, EventDocument)
        traits = {trait.name: trait.value() for trait in document.traits}
    except (msgspec.ValidationError, KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"not a document of ours: {error}", write_json(source)) from None
    return Event(
        document.message_id,
        document.event_type,
        document.generated,
        document.tenant,
        document.priority,
        document.publisher_id,
        traits,
        raw=document.raw,
    )


def mappings(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are indexed; *flat* is the type that the server has for payloads of any shape.

    A number or time that a field does not take is left out of the index, not refused.
    """
    word = {"type": "keyword", "ignore_above": 8191}  # characters; an index takes 32,766 bytes
    long, double, time = ({"type": kind, "ignore_malformed": True} for kind in ("long", "double", "date"))
    words = "kind tenant message_id event_type priority publisher_id id name meter type unit resource_id project_id"
    words += " user_id status supersedes state closed_by reason digest"
    times = "@timestamp generated timestamp begin end not_before not_after period_start period_end recorded_at"
    doubles, longs = "volume quantity delta seconds", "micros revision sequence count"
    kinds = (words, word), (times, time), (doubles, double), (longs, long), ("raw metadata dimensions", flat)
    return {
        "dynamic": False,
        "properties": {name: kind for names, kind in kinds for name in names.split()}
        | {
            "traits": {
                "type": "nested",
                "dynamic": False,
                "properties": {"name": word, "type": word, "text": word, "int": long, "float": double}
                | {"datetime": time, "micros": long},
            },
            "evidence": {
                "dynamic": False,
                "properties": {"claims": long, "witnesses": word, "digest": word, "definitions": word},
            },
        },
    }
