"""What is derived from a notification beside its event: samples, and claims that something ran.

Where Ceilometer raises, or drops with a line in a log, there is a `Problem` and no sample; the other samples of the
notification are not touched. Ids are functions of what is derived and from what, so that a redelivery or a replay
gives the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, Literal

from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.options import Options
from eventdefs.definitions.periods import Conditions, PeriodDefinition, check_span
from eventdefs.definitions.samples import ATTRIBUTES, LITERALS, SampleDefinition
from eventdefs.encode import write_json
from eventdefs.errors import EventdefsError
from eventdefs.ids import derived_id
from eventdefs.times import parse_time
from eventdefs.types import REASON, SAMPLE_TYPES, Notification, Period, Problem, Sample, excerpt

FEW = 100
MAX_METADATA = 64 * 1024 * 1024
"""Bytes that the metadata of one definition's samples may come to, where they are the whole payload each time."""


class _Failed(Exception):
    """A sample cannot be made: which attribute, and why."""

    def __init__(self, attribute: str, reason: str, path: str = "", value: Any = None) -> None:
        super().__init__(reason)
        self.attribute = attribute
        self.path = path
        self.value = value


FALLBACKS: dict[str, tuple[str, ...]] = {
    "user_id": ("user_id", "user"),
    "project_id": ("project_id", "tenant_id", "tenant"),
}


def _acting(body: Mapping[str, Any], attribute: str) -> Any:
    """Return who acted, for a notification whose definition does not say whose the resource is."""
    ctxt = body.get("ctxt")
    if isinstance(ctxt, dict):
        for key in FALLBACKS[attribute]:
            if ctxt.get(key) is not None:
                return ctxt[key]
    return None


class _Reader:
    """Reads the attributes of a sample definition from a notification."""

    KIND: Literal["sample", "period"]

    def __init__(self, definition: SampleDefinition) -> None:
        self.definition = definition
        self._reads = {name: reading(name, definition.fields.get(name)) for name in ATTRIBUTES}

    def _problem(self, failed: _Failed) -> Problem:
        fields = self.definition.fields.get(failed.attribute)
        place = fields.place if fields is not None else self.definition.place
        name = f"{self.definition.name}.{failed.attribute}"
        return Problem(self.KIND, name, failed.path, excerpt(failed.value), excerpt(str(failed), REASON), place)

    def _read(self, attribute: str, body: Mapping[str, Any]) -> Any:
        """Return what the definition says of *attribute*, None where it says nothing or nothing is found."""
        try:
            return self._reads[attribute](body)
        except EventdefsError as error:
            raise _Failed(attribute, str(error), self.definition.fields[attribute].text) from error


def reading(attribute: str, fields: Fields | None) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that reads *attribute*: decided once, since it is called for every notification."""
    acts = attribute in FALLBACKS
    if fields is None:
        return (lambda body: _acting(body, attribute)) if acts else (lambda body: None)
    simple = fields.plugin is None and fields.constant is NO_CONSTANT and len(fields.paths) == 1
    first = fields.paths[0].first if simple else fields.first
    literal = fields.literal if attribute in LITERALS or not fields.paths else None
    if literal is None and not acts:
        return first

    def read(body: Mapping[str, Any]) -> Any:
        value = first(body)
        if value is not None:
            return value
        return _acting(body, attribute) if literal is None else literal

    return read


def column(attribute: str, fields: Fields | None, body: Mapping[str, Any], is_looked_up: bool) -> list[Any]:
    """Return the values of *attribute* for several samples: one for each, or one for all."""
    if fields is not None:
        found = fields.all(body)
        if found or is_looked_up:
            return found
        if attribute in LITERALS or not fields.paths:
            return [fields.literal]
    return [_acting(body, attribute) if attribute in FALLBACKS else None]


def _first(attribute: str, fields: Fields, body: Mapping[str, Any]) -> Any:
    try:
        return fields.first(body)
    except EventdefsError as error:
        raise _Failed(attribute, str(error), fields.text) from error


class SampleConverter(_Reader):
    """A sample definition, ready to be run."""

    KIND = "sample"

    def __init__(self, definition: SampleDefinition, options: Options) -> None:
        super().__init__(definition)
        self._options = options

    def convert(self, notification: Notification, samples: list[Sample], problems: list[Problem]) -> None:
        """Add the samples of *notification* to *samples*, and what could not be read to *problems*."""
        try:
            rows = self._rows(notification.body) if self.definition.lookup else [self._row(notification.body)]
            metadata = self._metadata(notification, len(rows))
        except _Failed as failed:
            problems.append(self._problem(failed))
            return
        for number, row in enumerate(rows):
            if row["volume"] is None and not self.definition.required:
                continue
            try:
                samples.append(self._sample(notification, row, metadata, number))
            except _Failed as failed:
                problems.append(self._problem(failed))

    def _row(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {attribute: read(body) for attribute, read in self._reads.items()}
        except EventdefsError:
            return {attribute: self._read(attribute, body) for attribute in ATTRIBUTES}  # which says where it fails

    def _rows(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the attributes of each of several samples; their numbers must agree."""
        lookup = {*self.definition.lookup, "name"}
        columns: dict[str, list[Any]] = {}
        for attribute in ATTRIBUTES:
            fields = self.definition.fields.get(attribute)
            try:
                columns[attribute] = column(attribute, fields, body, attribute in lookup)
            except EventdefsError as error:
                raise _Failed(attribute, str(error), "" if fields is None else fields.text) from error
        count = len(columns["name"])
        if not count:
            return []
        if "metadata" in lookup and count != 1:
            raise _Failed("metadata", f"there is one for {count} samples; take it out of lookup")
        for attribute, found in columns.items():
            if len(found) != count and (len(found) != 1 or attribute in lookup):
                fields = self.definition.fields.get(attribute)
                raise _Failed(
                    attribute, f"{len(found)} found for {count} samples", "" if fields is None else fields.text
                )
        values = [found if len(found) == count else repeat(found[0]) for found in columns.values()]
        return [dict(zip(columns, row, strict=False)) for row in zip(*values, range(count), strict=False)]

    def _metadata(self, notification: Notification, count: int) -> dict[str, Any]:
        body = notification.body
        kept: dict[str, Any] = {}
        for name, fields in self.definition.metadata.items():
            value = _first(f"metadata.{name}", fields, body)
            if value:
                kept[name] = value
        if self.definition.user_metadata is not None:
            self._add_user_metadata(self.definition.user_metadata, body, kept)
        if kept:
            return kept
        payload = body.get("payload")
        if count > FEW and len(write_json(payload)) * count > MAX_METADATA:
            raise _Failed("metadata", f"the whole payload for each of {count:,} samples is too much; write `metadata`")
        kept = dict(payload) if isinstance(payload, dict) else {}
        kept["event_type"] = notification.event_type
        kept["host"] = notification.publisher_id
        return kept

    def _add_user_metadata(self, fields: Fields, body: Mapping[str, Any], kept: dict[str, Any]) -> None:
        given = _first("user_metadata", fields, body)
        if not given:
            return
        if not isinstance(given, dict):
            raise _Failed("user_metadata", "not a mapping", fields.text, given)
        length = self._options.reserved_metadata_length
        chosen: dict[str, Any] = {}
        for key, value in given.items():
            names = [
                key[len(prefix) :] for prefix in self._options.reserved_metadata_namespace if key.startswith(prefix)
            ]
            if key in self._options.reserved_metadata_keys:
                names.append(key)
            for name in names:
                plain = name.replace(".", "_")
                if plain not in kept:
                    chosen[plain] = value[:length] if isinstance(value, str) else value
        if chosen:
            kept["user_metadata"] = chosen

    def _sample(self, notification: Notification, row: dict[str, Any], metadata: dict[str, Any], number: int) -> Sample:
        name, kind = row["name"], row["type"]
        if name is None or isinstance(name, (list, dict)):
            raise _Failed("name", "no text", self._text("name"), name)
        if not isinstance(kind, str) or kind not in SAMPLE_TYPES:
            raise _Failed("type", f"expected {', '.join(SAMPLE_TYPES)}", self._text("type"), kind)
        volume = self._volume(row["volume"])
        timestamp = self._timestamp(row["timestamp"], notification)
        resource_id, project_id = row["resource_id"], row["project_id"]
        return Sample(
            name,
            kind,
            row["unit"],
            volume,
            resource_id,
            project_id,
            row["user_id"],
            timestamp,
            metadata,
            derived_id("sample", notification.message_id, name, resource_id, project_id, number),
        )

    def _volume(self, value: Any) -> int | float:
        path = self._text("volume")
        if value is None:
            raise _Failed("volume", "no value", path)
        if isinstance(value, str):
            try:
                value = int(value)
            except ValueError:
                try:
                    value = float(value)
                except ValueError:
                    raise _Failed("volume", "not a number", path, value) from None
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            raise _Failed("volume", "not a finite number", path, value)
        raise _Failed("volume", "not a number", path, value)

    def _timestamp(self, value: Any, notification: Notification) -> datetime:
        if not value:
            return notification.timestamp
        try:
            return parse_time(value)
        except ValueError as error:
            raise _Failed("timestamp", str(error), self._text("timestamp"), value) from error

    def _text(self, attribute: str) -> str:
        fields = self.definition.fields.get(attribute)
        return "" if fields is None else fields.text


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)


class PeriodConverter(_Reader):
    """A sample definition with `period`, ready to be run."""

    KIND = "period"

    def __init__(self, definition: SampleDefinition, period: PeriodDefinition) -> None:
        super().__init__(definition)
        self._period = period

    def convert(self, notification: Notification, periods: list[Period], problems: list[Problem]) -> None:
        """Add the claim of *notification* to *periods*, and what could not be read to *problems*."""
        try:
            claim = self._claim(notification, periods)
        except _Failed as failed:
            problems.append(self._problem(failed))
        else:
            if claim is not None:
                periods.append(claim)

    def _claim(self, notification: Notification, others: Sequence[Period]) -> Period | None:
        """Return the claim; None where the period is empty. *others* are the claims of *notification* before it."""
        body = notification.body
        period = self._period
        resource_id = self._read("resource_id", body)
        if resource_id is None or resource_id == "":
            raise _Failed("resource_id", "no value", self.definition.fields["resource_id"].text)
        if period.begin is not None:
            begin, end = self._needed("begin", period.begin, body), self._needed("end", period.end, body)
        else:
            end = self._needed("end", period.end, body)
            begin = self._before(end)
        if wrong := check_span(begin, end):
            raise _Failed("end", wrong, period.end.text, end.isoformat())
        closes = period.closes is not None and self._holds("closes", period.closes, body)
        if begin == end and not closes:
            return None
        not_before = None if period.not_before is None else self._time("not_before", period.not_before, body)
        began = period.not_before is None or not_before is not None
        status: Literal["running", "idle", "ending"] = "running"
        if closes and began:
            status = "ending"
        elif not began or not self._holds("while", period.conditions, body):
            status = "idle"
        if begin == end and status != "ending":
            return None
        meter, project_id = str(self._read("name", body)), _as_text(self._read("project_id", body))
        dimensions = {}
        for name, fields in period.dimensions.items():
            value = _first(f"dimensions.{name}", fields, body)
            dimensions[name] = "" if value is None else str(value)
        whose = (meter, str(resource_id), project_id)
        number = sum((other.meter, other.resource_id, other.project_id) == whose for other in others)
        again = (number,) if number else ()  # not in the id of the first, which was there before there could be more
        return Period(
            meter,
            self._read("unit", body),
            str(resource_id),
            project_id,
            _as_text(self._read("user_id", body)),
            begin,
            end,
            not_before,
            notification.timestamp,
            dimensions,
            notification.message_id,
            derived_id("period", notification.message_id, meter, resource_id, project_id, *again),
            None if period.not_after is None else self._time("not_after", period.not_after, body),
            status,
        )

    def _holds(self, key: str, conditions: Conditions, body: Mapping[str, Any]) -> bool:
        for path, values in conditions:
            try:
                if path.first(body) not in values:
                    return False
            except EventdefsError as error:
                raise _Failed(key, str(error), path.text) from error
        return True

    def _before(self, end: datetime) -> datetime:
        assert self._period.length is not None
        try:
            return end - self._period.length
        except OverflowError:
            raise _Failed("end", "too early", self._period.end.text, end.isoformat()) from None

    def _needed(self, attribute: str, fields: Fields, body: Mapping[str, Any]) -> datetime:
        time = self._time(attribute, fields, body)
        if time is None:
            raise _Failed(attribute, "no value", fields.text)
        return time

    def _time(self, attribute: str, fields: Fields, body: Mapping[str, Any]) -> datetime | None:
        value = _first(attribute, fields, body)
        if value is None or value == "":
            return None
        try:
            return parse_time(value)
        except ValueError as error:
            raise _Failed(attribute, str(error), fields.text, value) from error
