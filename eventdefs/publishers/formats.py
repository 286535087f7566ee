"""The forms in which publishers write events and samples, by the name that an option has for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from eventdefs.encode import ceilometer_event, ceilometer_sample, event_document, write_json
from eventdefs.errors import PermanentDeliveryError
from eventdefs.types import Batch, Event, Item, Period, Record, Sample

FormatName = Literal["native", "ceilometer"]


def _array(documents: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(documents) + b"]"


class Format(NamedTuple):
    """How each kind of value becomes what is written as JSON; None where a form has none for it.

    Attributes:
        content_type, batch_content_type: the media types of one document and of several in one body.
        join: makes the body of several.
    """

    event: Callable[[Event], Any]
    sample: Callable[[Sample], Any]
    period: Callable[[Period], Any] | None
    record: Callable[[Record], Any] | None
    content_type: str = "application/json"
    batch_content_type: str = "application/json"
    join: Callable[[Sequence[bytes]], bytes] = _array


def _itself(value: Any) -> Any:
    return value


FORMATS: dict[str, Format] = {
    "native": Format(event_document, _itself, _itself, _itself),
    "ceilometer": Format(ceilometer_event, ceilometer_sample, None, None),
}


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
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PermanentDeliveryError(f"cannot be written as JSON: {error}") from error
    return encoded


def encode_lines(form: Format, batch: Batch) -> list[bytes]:
    """Return *batch* as lines of JSON, without the line ends; raises as `encode_items`."""
    return [line for _, line in encode_items(form, batch)]
