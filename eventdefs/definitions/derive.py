"""What is derived from a notification beside its event: samples, and claims that something ran.

Where Ceilometer raises, or drops with a line in a log, there is a `Problem` and no sample; the other samples of the
notification are not touched. Ids are functions of what is derived and from what, so that a redelivery or a replay
gives the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha1
from itertools import repeat
from typing import Any, Literal
from uuid import UUID

from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.options import Options
from eventdefs.definitions.periods import PeriodDefinition, check_span
from eventdefs.definitions.samples import ATTRIBUTES, LITERALS, SampleDefinition
from eventdefs.encode import write_json
from eventdefs.errors import EventdefsError
from eventdefs.times import parse_time
from eventdefs.types import REASON, SAMPLE_TYPES, Notification, Period, Problem, Sample, excerpt

_NAMESPACE = UUID("5b0c6f0e-52f4-4c8e-9d0a-6f2f8f3b7a11").bytes
"""Of the ids of what is derived from notifications. It is never changed: ids would change with it."""


FEW = 100
MAX_METADATA = 64 * 1024 * 1024
"""Bytes that the metadata of one definition's samples may come to, where they are the whole payload each time."""


def derived_id(*parts: object) -> str:
    """Return the uuid5 of what something was derived from and what it is: always the same for the same."""
    digest = bytearray(sha1(_NAMESPACE + write_json(parts)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class _Failed(Exception):
    """A sample cannot be made: which attribute, and why."""

    def __init__(self, attribute: str, reason: str, path: str = "", value: Any = None) -> None:
        super().__init__(reason)
        self.attribute = attribute
        self.path = path
        self.value = value


_FALLBACKS: dict[str, tuple[str, ...]] = {
    "user_id": ("user_id", "user"),
    "project_id": ("project_id", "tenant_id", "tenant"),
}


def _acting(body: Mapping[str, Any], attribute: str) -> Any:
    """Return who acted, for a notification whose definition does not say whose the resource is."""
    ctxt = body.get("ctxt")
    if isinstance(ctxt, dict):
        for key in _FALLBACKS[attribute]:
            if ctxt.get(key) is not None:
                return ctxt[key]
    return None


class _Reader:
    """Reads the attributes of a sample definition from a notification."""

    KIND: Literal["sample", "period"]

    def __init__(self, definition: SampleDefinition) -> None:
        self.definition = definition
        self._reads = {name: _reading(name, definition.fields.get(name)) for name in ATTRIBUTES}

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


def _reading(attribute: str, fields: Fields | None) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that reads *attribute*: decided once, since it is called for every notification."""
    acts = attribute in _FALLBACKS
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
            found: list[Any] = []
            if fields is not None:
                try:
                    found = fields.all(body)
                except EventdefsError as error:
                    raise _Failed(attribute, str(error), fields.text) from error
            if found or (fields is not None and attribute in lookup):
                columns[attribute] = found
            elif fields is not None and (attribute in LITERALS or not fields.paths):
                columns[attribute] = [fields.literal]
            else:
                columns[attribute] = [_acting(body, attribute) if attribute in _FALLBACKS else None]
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
            claim = self._claim(notification)
        except _Failed as failed:
            problems.append(self._problem(failed))
        else:
            if claim is not None:
                periods.append(claim)

    def _claim(self, notification: Notification) -> Period | None:
        """Return the claim; None where the conditions do not hold or the period is empty."""
        body = notification.body
        for path, values in self._period.conditions:
            try:
                if path.first(body) not in values:
                    return None
            except EventdefsError as error:
                raise _Failed("while", str(error), path.text) from error
        resource_id = self._read("resource_id", body)
        if resource_id is None or resource_id == "":
            raise _Failed("resource_id", "no value", self.definition.fields["resource_id"].text)
        begin = self._time("begin", self._period.begin, body)
        end = self._time("end", self._period.end, body)
        if begin is None or end is None:
            missing, fields = ("begin", self._period.begin) if begin is None else ("end", self._period.end)
            raise _Failed(missing, "no value", fields.text)
        if wrong := check_span(begin, end):
            raise _Failed("end", wrong, self._period.end.text, end.isoformat())
        if begin == end:
            return None
        not_before = self._period.not_before
        meter, project_id = str(self._read("name", body)), _as_text(self._read("project_id", body))
        dimensions = {}
        for name, fields in self._period.dimensions.items():
            value = _first(f"dimensions.{name}", fields, body)
            dimensions[name] = "" if value is None else str(value)
        return Period(
            meter,
            self._read("unit", body),
            str(resource_id),
            project_id,
            _as_text(self._read("user_id", body)),
            begin,
            end,
            None if not_before is None else self._time("not_before", not_before, body),
            notification.timestamp,
            dimensions,
            notification.message_id,
            derived_id("period", notification.message_id, meter, resource_id, project_id),
        )

    def _time(self, attribute: str, fields: Fields, body: Mapping[str, Any]) -> datetime | None:
        value = _first(attribute, fields, body)
        if value is None or value == "":
            return None
        try:
            return parse_time(value)
        except ValueError as error:
            raise _Failed(attribute, str(error), fields.text, value) from error
