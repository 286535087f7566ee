"""`stdout://` writes lines of JSON, or a table for reading."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec

from eventdefs.encode import one_line
from eventdefs.errors import ReaderGoneError, RetryableDeliveryError
from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.publishers.formats import FORMATS, encode_lines
from eventdefs.times import utc_text
from eventdefs.types import DEFAULT_TRAITS, Closure, Event, Gap, Period, Refusal, Sample, Usage


class StdoutOptions(msgspec.Struct, frozen=True):
    """Options of `stdout://`.

    Attributes:
        format: `native`, `ceilometer`, `cloudevents` and `monasca` are lines of JSON, `table` is for people.
    """

    format: Literal["native", "ceilometer", "cloudevents", "monasca", "table"] = "native"


class StdoutPublisher:
    """Writes to the standard output of the process. Nobody waits for a full disk behind it unless he is told to."""

    RETRY_FOR: ClassVar[float] = 0.0

    Options: ClassVar[type[msgspec.Struct]] = StdoutOptions

    def __init__(self, url: PublisherURL, options: StdoutOptions) -> None:
        self._form = FORMATS.get(options.format)

    def publish(self, batch: Batch) -> Delivered:
        lines = self._table(batch) if self._form is None else encode_lines(self._form, batch)
        try:
            sys.stdout.buffer.write(b"".join([line + b"\n" for line in lines]))
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError("standard output is closed") from error
        except OSError as error:
            raise RetryableDeliveryError(f"standard output: {error.strerror}") from error
        return Delivered(len(lines))

    @staticmethod
    def _table(batch: Batch) -> list[bytes]:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        lines = (line if not width or len(line) <= width else line[: width - 1] + "…" for line in lines_of(batch))
        return [line.encode("utf-8", "backslashreplace") for line in lines]

    def check(self) -> None:
        """There is nothing that could be wrong."""

    def close(self) -> None:
        """Nothing waits."""


def lines_of(batch: Batch) -> Iterator[str]:
    """Yield a batch as lines for a person, in the order of time: when, what, whose, and then what it says."""
    rows: list[tuple[datetime, str]] = [(event.generated, _event(event)) for event in batch.events]
    usage = {record.id for record in batch.records}  # whose samples say the same
    rows += [(sample.timestamp, _sample(sample)) for sample in batch.samples if sample.id not in usage]
    rows += [(period.timestamp, _period(period)) for period in batch.periods]
    rows += [(record.recorded_at, _note(record)) for record in batch.records if not isinstance(record, Usage)]
    rows += [(record.timestamp, _usage(record)) for record in batch.records if isinstance(record, Usage)]
    for time, text in sorted(rows, key=lambda row: row[0]):
        yield one_line(f"{time:%Y-%m-%d %H:%M:%S}  {text}")


def _event(event: Event) -> str:
    # What every event has comes last: a line is cut at the width of the terminal.
    traits = sorted(event.traits.items(), key=lambda trait: trait[0] in DEFAULT_TRAITS)
    text = " ".join(f"{name}={_value(value)}" for name, value in traits)
    return f"event   {event.event_type:32}  {(event.tenant or '-')[:8]:8}  {text}"


def _sample(sample: Sample) -> str:
    amount = f"{_value(sample.volume)} {sample.unit}"
    return f"sample  {sample.name:32}  {str(sample.project_id or '-')[:8]:8}  {amount} of {sample.resource_id}"


def _period(period: Period) -> str:
    span = f"{_value(period.begin)} to {_value(period.end)}"
    status = "" if period.status == "running" else f", {period.status}"
    return f"period  {period.meter:32}  {str(period.project_id or '-')[:8]:8}  {span} of {period.resource_id}{status}"


def _usage(usage: Usage) -> str:
    again = f", revision {usage.revision}" if usage.revision > 1 else ""
    amount = f"{usage.quantity} {usage.unit} of {usage.resource_id}{again}"
    return f"usage   {usage.meter:32}  {str(usage.project_id or '-')[:8]:8}  {amount}"


def _note(record: Gap | Refusal | Closure) -> str:
    if isinstance(record, Closure):
        text = f"{record.quantity} in {record.count} from {_value(record.period_start)}"
        return f"closure {record.meter:32}  {'-':8}  {text}"
    span = f"{_value(record.begin)} to {_value(record.end)}"
    if isinstance(record, Gap):
        return f"gap     {record.meter:32}  {'-':8}  {span} of {record.resource_id}, {record.state}"
    reason = record.reason.replace("_", " ")
    return f"refused {record.meter:32}  {str(record.project_id or '-')[:8]:8}  {span} of {record.resource_id}, {reason}"


def _value(value: Any) -> str:
    return utc_text(value) if isinstance(value, datetime) else str(value)
