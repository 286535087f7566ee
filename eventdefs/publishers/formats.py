"""The forms in which publishers write events and samples, by the name that an option has for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from eventdefs.encode import ceilometer_event, ceilometer_sample, event_document, write_json
from eventdefs.errors import PermanentDeliveryError
from eventdefs.publishers import Batch
from eventdefs.types import Event, Period, Record, Sample

FormatName = Literal["native", "ceilometer"]


class Format(NamedTuple):
    """How each kind of value becomes what is written as JSON; None where a form has none for it."""

    event: Callable[[Event], Any]
    sample: Callable[[Sample], Any]
    period: Callable[[Period], Any] | None
    record: Callable[[Record], Any] | None


def _itself(value: Any) -> Any:
    return value


FORMATS: dict[str, Format] = {
    "native": Format(event_document, _itself, _itself, _itself),
    "ceilometer": Format(ceilometer_event, ceilometer_sample, None, None),
}


def encode_lines(form: Format, batch: Batch) -> list[bytes]:
    """Return *batch* as lines of JSON, without the line ends.

    Raises:
        PermanentDeliveryError: a value cannot be written as JSON.
    """
    try:
        lines = [write_json(form.event(event)) for event in batch.events]
        lines += [write_json(form.sample(sample)) for sample in batch.samples]
        if form.period is not None:
            lines += [write_json(form.period(period)) for period in batch.periods]
        if form.record is not None:
            lines += [write_json(form.record(record)) for record in batch.records]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PermanentDeliveryError(f"cannot be written as JSON: {error}") from error
    return lines
