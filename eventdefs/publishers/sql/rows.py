"""Rows of items, in the order of the columns of `tables`. Nothing in this module touches a database.

JSON is text with everything escaped that a database may not take. What stands in a column of its own is the sender's
text: see `storable` for what cannot be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from math import isfinite
from sys import float_info
from typing import Any

from eventdefs.encode import event_document, write_json
from eventdefs.types import Batch, Closure, Event, Gap, Period, Refusal, Sample, TraitValue, Usage, begin_of, kind_of

Row = tuple[Any, ...]
TEXT = 255
"""How many characters of a trait's text are there to be searched by."""
_EXACT, _LARGEST = 2**53, 2**63


def rows_of(batch: Batch, *, digests: bool) -> dict[str, list[Row]]:
    """Return the rows of *batch* by table, without their sequences; those of events with their traits as last value.

    *digests* says whether events have the column of that name.

    Raises:
        TypeError, ValueError, RecursionError: a value has no form in JSON.
    """
    return {
        "events": (
            [(event_key(event.tenant or "", event.message_id), *event_row(event)) for event in batch.events]
            if digests
            else [event_row(event) for event in batch.events]
        ),
        "samples": [sample_row(sample) for sample in batch.samples],
        "periods": [period_row(period) for period in batch.periods],
        "usage": [usage_row(record) for record in batch.records if isinstance(record, Usage)],
        "usage_notes": [note_row(record) for record in batch.records if not isinstance(record, Usage)],
    }


def stored_time(value: datetime | None) -> str | None:
    """Return a time as the columns have it: in UTC, with microseconds, so that it sorts as text."""
    return None if value is None else value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def event_key(tenant: str, message_id: str) -> str:
    """Return what an event is known by where its names may be too long for an index."""
    parts = f"{len(tenant)}:{tenant}{message_id}"
    return blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def storable(value: Any) -> Any:
    """Return *value* without what a database has no character for: a lone surrogate, NUL; written as an escape."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def without_surrogates(value: Any) -> Any:
    """Return *value* with lone surrogates written as escapes. SQLite takes NUL."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _json(value: Any) -> str:
    return write_json(value).decode()


def _text(value: Any) -> str | None:
    """Return an id, which is text but for rare payloads."""
    return value if value is None or isinstance(value, str) else str(value)


def event_row(event: Event) -> Row:
    document = event_document(event)
    return (
        event.tenant or "",
        event.message_id,
        event.event_type,
        stored_time(event.generated),
        event.priority,
        event.publisher_id,
        _json(document.traits),
        _json(document.types) if document.types else None,
        _json(document.raw) if document.raw else None,
        trait_rows(event.traits),
    )


def trait_rows(traits: Mapping[str, TraitValue]) -> list[Row]:
    """Return name, type, text and number of each trait: what it can be searched by, not what it is."""
    rows: list[Row] = []
    for name, value in traits.items():
        kind = type(value)
        if kind is str:
            rows.append((name, "text", value[:TEXT], None))  # type: ignore[index]
        else:
            rows.append((name, *_searched(value)))
    return rows


def _searched(value: TraitValue) -> tuple[str, str | None, float | None]:
    if isinstance(value, datetime):
        return "datetime", stored_time(value), None
    if isinstance(value, int):
        return ("int", None, float(value)) if -_EXACT <= value <= _EXACT else ("int", str(value)[:TEXT], _near(value))
    if isinstance(value, float):
        return ("float", None, value) if isfinite(value) else ("float", str(value), None)
    return "text", str(value)[:TEXT], None


def _near(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float_info.max if value > 0 else -float_info.max


def _volume(value: float) -> tuple[int | float, str | None]:
    """Return a volume as the number that a column holds, and as text where the column does not show what it was.

    A column shows whole numbers as integers; some have those of more than 53 bits as the nearest that they have.

    Raises:
        ValueError: it is not finite.
    """
    if isinstance(value, int):
        if -_EXACT <= value <= _EXACT:
            return value, None
        return value if -_LARGEST <= value < _LARGEST else _near(value), str(value)
    if not isfinite(value):
        raise ValueError(f"a volume of {value} is no measurement")
    return value, repr(value) if value.is_integer() else None


def sample_row(sample: Sample) -> Row:
    volume, exact = _volume(sample.volume)
    return (
        sample.id,
        _text(sample.name),
        sample.type,
        _text(sample.unit),
        volume,
        _text(sample.resource_id),
        _text(sample.project_id),
        _text(sample.user_id),
        stored_time(sample.timestamp),
        _json(sample.metadata),
        exact,
    )


def period_row(period: Period) -> Row:
    return (
        period.id,
        period.meter,
        _text(period.unit),
        period.resource_id,
        _text(period.project_id),
        _text(period.user_id),
        stored_time(period.begin),
        stored_time(period.end),
        stored_time(period.not_before),
        stored_time(period.timestamp),
        _json(period.dimensions),
        period.message_id,
        stored_time(period.not_after),
        period.status,
    )


def usage_row(usage: Usage) -> Row:
    return (
        usage.id,
        usage.meter,
        usage.unit,
        usage.resource_id,
        usage.project_id,
        _json(usage.dimensions),
        stored_time(usage.period_start),
        stored_time(usage.period_end),
        stored_time(usage.timestamp),
        usage.quantity,
        usage.delta,
        usage.seconds,
        usage.revision,
        usage.supersedes,
        usage.state,
        usage.closed_by,
        usage.reason,
        _json(usage.evidence),
        stored_time(usage.recorded_at),
        usage.sequence,
    )


def note_row(record: Gap | Refusal | Closure) -> Row:
    return record.id, kind_of(record), record.meter, stored_time(begin_of(record)), _json(record)


def cleaned(rows: Mapping[str, Sequence[Row]], clean: Callable[[Any], Any]) -> dict[str, list[Row]]:
    """Return *rows* with each value as *clean* returns it, those of traits too."""

    def one(value: Any) -> Any:
        return [tuple(map(clean, trait)) for trait in value] if isinstance(value, list) else clean(value)

    return {table: [tuple(map(one, row)) for row in found] for table, found in rows.items()}
