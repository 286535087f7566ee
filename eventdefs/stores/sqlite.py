"""The SQLite file that `sqlite://` writes, asked while others write it. It is opened to be read, and never made."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec

from eventdefs.definitions.patterns import Pattern, PatternIndex
from eventdefs.errors import EventdefsError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers.sqlite import SCHEMA_VERSION, SQLiteOptions
from eventdefs.publishers.urls import PublisherURL, read_options
from eventdefs.stores import EventQuery, SampleQuery
from eventdefs.times import parse_time
from eventdefs.types import Event, Sample

ROWS = 500
"""How many rows are fetched at once."""

_EVENTS = (
    "SELECT sequence, message_id, event_type, generated, tenant, priority, publisher_id, traits, types, raw FROM events"
)
_SAMPLES = (
    "SELECT sequence, name, type, unit, volume, resource_id, project_id, user_id, timestamp, metadata, id FROM samples"
)

T = TypeVar("T")
_TABLES = {"events": "events", "samples": "samples"}


class SQLiteStore:
    """The events and samples of one file."""

    def __init__(self, url: PublisherURL) -> None:
        timeout = read_options(url, SQLiteOptions).timeout
        path = unquote(url.target)
        if not path.startswith("/") or len(path) == 1:
            raise PublisherURLError(f"{url.text} names no file, as sqlite:///events.db does")
        self._name = path[1:]
        if not Path(self._name).is_file():
            raise PublisherURLError(f"{url.text}: there is no such file")
        try:
            self._file = _identity(self._name)
            self._connection = sqlite3.connect(
                f"file:{quote(self._name)}?mode=ro", uri=True, timeout=timeout, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise PublisherURLError(f"{url.text} cannot be opened: {error}") from error
        try:
            self._check(url)
        except sqlite3.Error as error:
            self._connection.close()
            raise PublisherURLError(f"{url.text} cannot be read: {error}") from error
        except PublisherURLError:
            self._connection.close()
            raise

    def _check(self, url: PublisherURL) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
        if not {"events", "samples"} <= tables:
            raise PublisherURLError(f"{url.text} is no store of events: eventdefs run --to {url.text} makes one")
        if version > SCHEMA_VERSION:
            raise PublisherURLError(f"{url.text} has schema {version}, this release reads up to {SCHEMA_VERSION}")

    def events(self, query: EventQuery) -> Iterator[tuple[int, Event]]:
        """Yield the events that *query* asks for, in the order in which they were published.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: a row is none that eventdefs wrote.
        """
        where = _Where(query.after)
        where.equal("tenant", query.tenant)
        where.equal("message_id", query.message_id)
        where.within("generated", query.begin, query.end)
        matches = where.matching("event_type", query.types)
        found = self._rows(_EVENTS, where, query.newest is not None)
        answer = (
            (row[0], event)
            for row in found
            if matches(row[2])
            for event in [self._read("events", row, _event)]
            if all(condition.holds(event.traits.get(condition.name)) for condition in query.conditions)
        )
        return _last(answer, query.newest)

    def samples(self, query: SampleQuery) -> Iterator[tuple[int, Sample]]:
        """Yield the samples that *query* asks for, in the order in which they were published.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: a row is none that eventdefs wrote.
        """
        where = _Where(query.after)
        where.equal("project_id", query.tenant)
        where.equal("resource_id", query.resource_id)
        where.within("timestamp", query.begin, query.end)
        matches = where.matching("name", query.meters)
        found = self._rows(_SAMPLES, where, query.newest is not None)
        answer = (
            (row[0], sample)
            for row in found
            if matches(row[1])
            for sample in [self._read("samples", row, _sample)]
            if all(condition.holds(_value(sample, condition.name)) for condition in query.conditions)
        )
        return _last(answer, query.newest)

    def _rows(self, select: str, where: _Where, backwards: bool) -> Iterator[Sequence[Any]]:
        order = "DESC" if backwards else "ASC"
        try:
            cursor = self._connection.execute(f"{select} WHERE {where.text} ORDER BY sequence {order}", where.values)
            cursor.arraysize = ROWS
            while rows := cursor.fetchmany():
                yield from rows
        except sqlite3.Error as error:
            raise RetryableDeliveryError(f"{self._name}: {error}") from error

    def _read(self, table: str, row: Sequence[Any], read: Callable[[Sequence[Any]], T]) -> T:
        try:
            return read(row)
        except (msgspec.MsgspecError, ValueError, TypeError, LookupError, AttributeError) as error:
            told = f"{type(error).__name__}: {error}"
            raise EventdefsError(
                f"{self._name}: row {row[0]} of {table} is none that eventdefs wrote: {told}"
            ) from error

    def last(self, kind: str) -> int:
        """Return the last sequence of *kind*.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: there is another file in its place, which nothing more of this one will come to.
        """
        try:
            if _identity(self._name) != self._file:
                raise EventdefsError(f"{self._name} is another file now: ask again")
            (last,) = self._connection.execute(f"SELECT coalesce(max(sequence), 0) FROM {_TABLES[kind]}").fetchone()
        except OSError as error:
            raise EventdefsError(f"{self._name} is gone: {error.strerror}") from error
        except sqlite3.Error as error:
            raise RetryableDeliveryError(f"{self._name}: {error}") from error
        return int(last)

    def close(self) -> None:
        self._connection.close()


def _identity(name: str) -> tuple[int, int]:
    """Return what a file is, whatever it is called."""
    found = os.stat(name)
    return found.st_dev, found.st_ino


def _last(answer: Iterator[Any], newest: int | None) -> Iterator[Any]:
    """Return *answer*, or the first *newest* of what came backwards, in order."""
    if newest is None:
        return answer
    kept = [one for _, one in zip(range(newest), answer, strict=False)]
    return iter(kept[::-1])


class _Where:
    """The conditions of a query: texts of our own, and the values that others gave."""

    def __init__(self, after: int) -> None:
        self._texts = ["sequence > ?"]
        self.values: list[Any] = [after]

    @property
    def text(self) -> str:
        return " AND ".join(self._texts)

    def add(self, text: str, *values: Any) -> None:
        self._texts.append(text)
        self.values += values

    def equal(self, column: str, value: str | None) -> None:
        if value == "" and column == "project_id":
            self.add("project_id IS NULL")
        elif value is not None:
            self.add(f"{column} = ?", value)

    def within(self, column: str, begin: datetime | None, end: datetime | None) -> None:
        if begin is not None:
            self.add(f"{column} >= ?", _time(begin))
        if end is not None:
            self.add(f"{column} < ?", _time(end))

    def matching(self, column: str, pattern: Pattern | None) -> Any:
        """Let the database leave out what it can tell; return what tells the rest."""
        if pattern is None:
            return lambda name: True
        plain = [glob for glob in pattern.included if not set(glob) & set("*?[")]
        if plain and len(plain) == len(pattern.included):
            self.add(f"{column} IN ({', '.join('?' * len(plain))})", *plain)
        index = PatternIndex([pattern])
        return lambda name: index.last(str(name)) is not None


def _time(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_READ: dict[str, Callable[[Any], Any]] = {"datetime": parse_time, "float": float}


def _event(row: Sequence[Any]) -> Event:
    _, message_id, event_type, generated, tenant, priority, publisher_id, traits, types, raw = row
    values = msgspec.json.decode(traits)
    hidden = {} if types is None else msgspec.json.decode(types)
    for name, kind in hidden.items():
        values[name] = _READ[kind](values[name])
    return Event(
        message_id,
        event_type,
        parse_time(generated),
        tenant or None,
        priority,
        publisher_id,
        values,
        hidden,
        {} if raw is None else msgspec.json.decode(raw),
    )


def _sample(row: Sequence[Any]) -> Sample:
    _, name, kind, unit, volume, resource_id, project_id, user_id, timestamp, metadata, own_id = row
    number = int(volume) if isinstance(volume, str) else volume
    return Sample(
        name,
        kind,
        unit,
        number,
        resource_id,
        project_id,
        user_id,
        parse_time(timestamp),
        msgspec.json.decode(metadata),
        own_id,
    )


def _value(sample: Sample, name: str) -> Any:
    """Return what a condition on a sample is about: its volume, an attribute, or a piece of its metadata."""
    if name in ("volume", "unit", "type", "user_id"):
        return getattr(sample, name)
    value: Any = sample.metadata
    if name in sample.metadata:
        return sample.metadata[name]
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
