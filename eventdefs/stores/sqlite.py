"""The SQLite file that `sqlite://` writes, asked while others write it. It is opened to be read, and never made.

SQL narrows, Python decides: the database finds keys by an index, in order, and leaves out what it can tell exactly
as we do; the rows of these keys are fetched some hundreds at once, and what is left of the question is asked of them
here. So nothing but keys is ever sorted, and no table is in the memory.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from eventdefs.definitions.patterns import Pattern, PatternIndex
from eventdefs.errors import EventdefsError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers.sql import SCHEMA_VERSION
from eventdefs.publishers.sql.rows import stored_time
from eventdefs.publishers.urls import PublisherURL, read_options
from eventdefs.sqlitefile import SQLiteOptions, path_of
from eventdefs.stores import EventQuery, Kind, SampleQuery
from eventdefs.stores.conditions import Condition
from eventdefs.times import parse_time
from eventdefs.types import TRAIT_TYPES, Event, Sample

ROWS = 500
"""How many rows are fetched at once."""
T = TypeVar("T")


class _Table(NamedTuple):
    """A table, its columns in the order in which rows are read, and what its columns are for."""

    name: Kind
    columns: str
    called: str
    time: str
    tenant: str
    nobody: str


_EVENTS = _Table(
    "events",
    "sequence, message_id, event_type, generated, tenant, priority, publisher_id, traits, types, raw",
    "event_type",
    "generated",
    "tenant",
    "tenant = ''",
)
_SAMPLES = _Table(
    "samples",
    "sequence, name, type, unit, volume, resource_id, project_id, user_id, timestamp, metadata, id, volume_text",
    "name",
    "timestamp",
    "project_id",
    "project_id IS NULL",
)
_BEFORE_3 = _SAMPLES._replace(columns=_SAMPLES.columns.replace("volume_text", "NULL"))
"""The table in a file of an earlier release that no process has written since."""


class SQLiteStore:
    """The events and samples of one file."""

    def __init__(self, url: PublisherURL) -> None:
        timeout = read_options(url, SQLiteOptions).timeout
        self._name = path_of(url)
        if not Path(self._name).is_file():
            raise PublisherURLError(f"{url.text}: there is no such file")
        self._still: tuple[int, int] | None = None
        self._samples = _SAMPLES
        try:
            self._file = _identity(self._name)
            self._connection = self._connect("mode=ro", timeout)
            try:
                self._check(url)
            except sqlite3.OperationalError:
                if not self._is_at_rest():
                    raise
                self._connection.close()
                self._still = _state(self._name)
                self._connection = self._connect("mode=ro&immutable=1", timeout)
                self._check(url)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise PublisherURLError(f"{url.text} cannot be read: {error}") from error
        except PublisherURLError:
            self.close()
            raise

    def _connect(self, how: str, timeout: float) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(self._name)}?{how}", uri=True, timeout=timeout, check_same_thread=False)

    def _is_at_rest(self) -> bool:
        """Tell whether nobody has the file open who may write it.

        Reading beside a writer needs files that stand beside the file; where we may not make them, and none are
        there, it can be read as it is, as long as nobody begins to write it.
        """
        return not os.access(os.path.dirname(self._name) or ".", os.W_OK) and not os.path.exists(f"{self._name}-wal")

    def _see_that_it_rested(self) -> None:
        if self._still is not None and (not self._is_at_rest() or _state(self._name) != self._still):
            raise RetryableDeliveryError(f"{self._name} was written meanwhile: ask again")

    def _check(self, url: PublisherURL) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
        if not {"events", "samples"} <= tables:
            raise PublisherURLError(f"{url.text} is no store of events: eventdefs run --to {url.text} makes one")
        if version > SCHEMA_VERSION:
            raise PublisherURLError(f"{url.text} has schema {version}, this release reads up to {SCHEMA_VERSION}")
        self._samples = _SAMPLES if version >= 3 else _BEFORE_3

    def events(self, query: EventQuery) -> Iterator[tuple[int, Event]]:
        """Yield the events that *query* asks for, each with its sequence.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: a row is none that eventdefs wrote.
        """
        keys = _Keys(_EVENTS, query, query.types)
        if query.message_id is not None:
            keys.find_id("message_id", query.message_id)
        matches = _matcher(query.types)

        def wanted(row: Sequence[Any]) -> Event | None:
            if not matches(row[2]):
                return None
            event = _event(row)
            return event if _all_hold(query.conditions, event.traits.get) else None

        return self._find(_EVENTS, keys, query.newest, wanted)

    def samples(self, query: SampleQuery) -> Iterator[tuple[int, Sample]]:
        """Yield the samples that *query* asks for, each with its sequence.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: a row is none that eventdefs wrote.
        """
        keys = _Keys(self._samples, query, query.meters)
        if query.resource_id is not None:
            keys.add("resource_id = ?", query.resource_id)
        matches = _matcher(query.meters)

        def wanted(row: Sequence[Any]) -> Sample | None:
            if not matches(row[1]):
                return None
            sample = _sample(row)
            return sample if _all_hold(query.conditions, lambda name: _value(sample, name)) else None

        return self._find(self._samples, keys, query.newest, wanted)

    def _find(
        self, table: _Table, keys: _Keys, newest: int | None, wanted: Callable[[Sequence[Any]], T | None]
    ) -> Iterator[tuple[int, T]]:
        found = self._rows(table, keys, wanted)
        if newest is None:
            yield from found
        else:  # they come newest first
            yield from reversed(list(islice(found, newest)))

    def _rows(self, table: _Table, keys: _Keys, wanted: Callable[[Sequence[Any]], T | None]) -> Iterator[tuple[int, T]]:
        execute = self._connection.execute
        try:
            cursor = execute(*keys.question())
            while chunk := [key[0] for key in cursor.fetchmany(ROWS)]:
                marks = ", ".join("?" * len(chunk))
                fetched = execute(f"SELECT {table.columns} FROM {table.name} WHERE sequence IN ({marks})", chunk)
                rows = {row[0]: row for row in fetched}
                for sequence in chunk:
                    if sequence in rows:  # else somebody deleted it just now
                        value = self._read(table, rows[sequence], wanted)
                        if value is not None:
                            yield sequence, value
            self._see_that_it_rested()
        except sqlite3.Error as error:
            raise RetryableDeliveryError(f"{self._name}: {error}") from error

    def _read(self, table: _Table, row: Sequence[Any], wanted: Callable[[Sequence[Any]], T | None]) -> T | None:
        try:
            return wanted(row)
        except (msgspec.MsgspecError, ValueError, TypeError, LookupError, AttributeError) as error:
            told = f"row {row[0]} of {table.name} is none that eventdefs wrote: {type(error).__name__}: {error}"
            raise EventdefsError(f"{self._name}: {told}") from error

    def last(self, kind: Kind) -> int:
        """Return the last sequence of *kind*.

        Raises:
            RetryableDeliveryError: the file cannot be read now.
            EventdefsError: there is another file in its place, which nothing more of this one will come to.
        """
        try:
            if _identity(self._name) != self._file:
                raise EventdefsError(f"{self._name} is another file now: ask again")
            self._see_that_it_rested()
            (last,) = self._connection.execute(f"SELECT coalesce(max(sequence), 0) FROM {kind}").fetchone()
        except OSError as error:
            raise EventdefsError(f"{self._name} is gone: {error.strerror}") from error
        except sqlite3.Error as error:
            raise RetryableDeliveryError(f"{self._name}: {error}") from error
        return int(last)

    def close(self) -> None:
        connection = getattr(self, "_connection", None)  # which there is not where it could not be opened
        if connection is not None:
            connection.close()


def _state(name: str) -> tuple[int, int]:
    """Return what is another whenever a file was written."""
    found = os.stat(name)
    return found.st_mtime_ns, found.st_size


def _identity(name: str) -> tuple[int, int]:
    """Return what a file is, whatever it is called."""
    found = os.stat(name)
    return found.st_dev, found.st_ino


# --- finding keys ----------------------------------------------------------------------------------------------------


class _Keys:
    """Finds the sequences of rows, in order, by one index that is chosen here.

    A column with a plus before it is looked at but not searched by. Values are given apart from the text.
    """

    def __init__(self, table: _Table, query: EventQuery | SampleQuery, names: Pattern | None) -> None:
        self._table = table
        self._query = query
        self._texts: list[str] = []
        self._values: list[Any] = []
        self._each_tenant = False
        self._narrow(_Names(names))
        if query.after:
            self.add(f"{self._sequence} > ?", query.after)
        if query.through is not None:
            self.add(f"{self._sequence} <= ?", query.through)

    @property
    def _sequence(self) -> str:
        return "sequence" if self._query.by == "sequence" else "+sequence"

    def add(self, text: str, *values: Any) -> None:
        self._texts.append(text)
        self._values += values

    def find_id(self, column: str, value: str) -> None:
        """Ask for one id, which is unique in a tenant."""
        self.add(f"{column} = ?", value)
        self._each_tenant = not any(text.startswith(self._table.tenant) for text in self._texts)

    def _narrow(self, names: _Names) -> None:
        table, query, tenant = self._table, self._query, self._query.tenant
        timed = query.begin is not None or query.end is not None
        by_name_after_tenant = table.name == "samples"  # whose index has tenant, name and time, in this order
        if tenant is not None:
            searched = names.is_narrow and by_name_after_tenant
            if tenant:
                self.add(f"{table.tenant} = ?", tenant)
            else:
                self.add(table.nobody)
        elif by_name_after_tenant:
            searched = self._each_tenant = names.is_narrow
        else:
            searched = bool(names.exact) or (names.is_narrow and not timed)
            self._each_tenant = timed and not searched
        names.narrow(self, table.called, searched)
        for bound, sign in ((query.begin, ">="), (query.end, "<")):
            if bound is not None:
                self.add(f"{table.time} {sign} ?", stored_time(bound))

    def question(self) -> tuple[str, list[Any]]:
        """Return the statement and its values."""
        table, query = self._table, self._query
        way = "ASC" if query.newest is None else "DESC"
        if query.by == "sequence":
            where = " AND ".join(self._texts) or "1"
            return f"SELECT sequence FROM {table.name} NOT INDEXED WHERE {where} ORDER BY sequence {way}", self._values
        select = f"SELECT sequence, {table.time} FROM {table.name} WHERE"
        order = f"ORDER BY 2 {way}, 1 {way}"
        where = " AND ".join(self._texts) or "1"
        if not self._each_tenant:
            return f"{select} {where} {order}", self._values
        tenants = _EACH_TENANT.format(table=table.name, tenant=table.tenant)
        statement = f"{tenants} {select} {table.tenant} IN each_tenant AND {where}"
        if table.nobody.endswith("NULL"):  # which IN never finds
            return f"{statement} UNION ALL {select} {table.nobody} AND {where} {order}", [*self._values, *self._values]
        return f"{statement} {order}", self._values


_EACH_TENANT = (
    "WITH RECURSIVE each_tenant(found) AS (SELECT min({tenant}) FROM {table} UNION ALL"
    " SELECT (SELECT min({tenant}) FROM {table} WHERE {tenant} > found) FROM each_tenant WHERE found IS NOT NULL)"
)
"""All tenants, by as many steps in an index that begins with them."""


class _Names:
    """What SQL can tell of a pattern: names, the range that a glob begins with, and globs that mean the same there.

    Attributes:
        exact: all names there are, () where there is a glob.
        is_narrow: whether an index finds what the pattern can match.
    """

    def __init__(self, pattern: Pattern | None) -> None:
        included = () if pattern is None else pattern.included
        self._globs = () if any("[" in glob for glob in included) else included
        self.exact = included if included and not any(set(glob) & set("*?[") for glob in included) else ()
        self._prefix = "" if len(included) != 1 or self.exact else _before_signs(included[0])
        self.is_narrow = bool(self.exact or self._prefix)

    def narrow(self, keys: _Keys, column: str, searched: bool) -> None:
        """Add to *keys* what can be told of *column*, to search by it or only to look at."""
        looked = column if searched else f"+{column}"
        if self.exact:
            keys.add(f"{looked} IN ({', '.join('?' * len(self.exact))})", *self.exact)
            return
        if self._prefix:
            keys.add(f"{looked} >= ?", self._prefix)
            if (after := _following(self._prefix)) is not None:
                keys.add(f"{looked} < ?", after)
        if self._globs and "*" not in self._globs:
            # GLOB stops at a NUL, where we do not
            globs = " OR ".join([f"{column} GLOB ?"] * len(self._globs))
            keys.add(f"({globs} OR instr({column}, char(0)))", *self._globs)


def _before_signs(glob: str) -> str:
    return glob[: min((glob.find(sign) for sign in "*?[" if sign in glob), default=len(glob))]


def _following(prefix: str) -> str | None:
    """Return the first text after all that begin with *prefix*; None where there is none."""
    last = ord(prefix[-1])
    if last == 0x10FFFF:
        return None
    return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)


def _matcher(pattern: Pattern | None) -> Callable[[Any], bool]:
    if pattern is None:
        return lambda name: True
    index = PatternIndex([pattern])
    return lambda name: index.last(str(name)) is not None


# --- reading rows ----------------------------------------------------------------------------------------------------

_read_json = msgspec.json.Decoder().decode


def _event(row: Sequence[Any]) -> Event:
    _, message_id, event_type, generated, tenant, priority, publisher_id, traits, types, raw = row
    values = _read_json(traits)
    for name, kind in ({} if types is None else _read_json(types)).items():
        values[name] = TRAIT_TYPES[kind].coerce(values[name])
    return Event(
        message_id,
        event_type,
        parse_time(generated),
        tenant or None,
        priority,
        publisher_id,
        values,
        raw={} if raw is None else _read_json(raw),
    )


def _sample(row: Sequence[Any]) -> Sample:
    _, name, kind, unit, volume, resource_id, project_id, user_id, timestamp, metadata, own_id, exact = row
    return Sample(
        name,
        kind,
        unit,
        _volume(volume, exact),
        resource_id,
        project_id,
        user_id,
        parse_time(timestamp),
        _read_json(metadata),
        own_id,
    )


def _volume(volume: Any, exact: str | None) -> Any:
    if exact is not None:
        return _read_json(exact)
    return int(volume) if isinstance(volume, str) else volume  # as releases wrote one beyond 64 bits that had no text


_ATTRIBUTES = ("volume", "unit", "type", "user_id")
"""What a condition on samples may name besides metadata."""


def _value(sample: Sample, name: str) -> Any:
    """Return what a condition on *sample* is about: an attribute, or a value in its metadata, None where there is none.

    Keys of metadata may have dots in them, and may stand in each other.
    """
    if name in _ATTRIBUTES:
        return getattr(sample, name)
    value: Any = sample.metadata
    if name in value:
        return value[name]
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _all_hold(conditions: Sequence[Condition], value_named: Callable[[str], Any]) -> bool:
    return all(condition.holds(value_named(condition.name)) for condition in conditions)
