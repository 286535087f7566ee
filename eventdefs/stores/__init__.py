"""Stores: what publishers wrote, asked for again. A store is opened by the URL of its publisher, and never changed.

What is asked for is a value; every store answers the same question in the same order. Each row has the sequence in
which it was committed, so that whoever remembers the last one goes on after it, misses nothing and gets nothing twice.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from eventdefs.definitions.patterns import Pattern
from eventdefs.errors import PublisherURLError
from eventdefs.publishers.urls import parse_url
from eventdefs.stores.conditions import Condition
from eventdefs.types import Event, Sample

Kind = Literal["events", "samples"]
Order = Literal["time", "sequence"]


class EventQuery(NamedTuple):
    """Which events are asked for; what is None or empty does not matter.

    Attributes:
        types: the event type.
        begin, end: of the half-open time in which it was generated.
        tenant: whose it is, '' for nobody's.
        message_id: of the notification.
        conditions: on traits; all must hold.
        after, through: only what has a later sequence than the one, and none later than the other.
        newest: only so many of them, the last ones.
        by: the order, by time, or by sequence as they were committed.
    """

    types: Pattern | None = None
    begin: datetime | None = None
    end: datetime | None = None
    tenant: str | None = None
    message_id: str | None = None
    conditions: tuple[Condition, ...] = ()
    after: int = 0
    through: int | None = None
    newest: int | None = None
    by: Order = "time"


class SampleQuery(NamedTuple):
    """Which samples are asked for; what is None or empty does not matter.

    Attributes:
        meters: the name.
        begin, end: of the half-open time at which it was measured.
        tenant: the project, '' for none.
        resource_id: what was measured.
        conditions: on `volume`, `unit`, `type`, `user_id`, and on the metadata by other names; all must hold.
        after, through, newest, by: as of events.
    """

    meters: Pattern | None = None
    begin: datetime | None = None
    end: datetime | None = None
    tenant: str | None = None
    resource_id: str | None = None
    conditions: tuple[Condition, ...] = ()
    after: int = 0
    through: int | None = None
    newest: int | None = None
    by: Order = "time"


class Store(Protocol):
    """What can be asked. Answers come one by one, each with the sequence in which it was published."""

    def events(self, query: EventQuery) -> Iterator[tuple[int, Event]]: ...

    def samples(self, query: SampleQuery) -> Iterator[tuple[int, Sample]]: ...

    def last(self, kind: Kind) -> int:
        """Return the last sequence of the *kind*; 0 where there is none."""

    def close(self) -> None: ...


_STORES = {"sqlite": "eventdefs.stores.sqlite:SQLiteStore"}


def open_store(url: str) -> Store:
    """Open the store that *url* names, for example ``sqlite:///events.db``, to read it.

    Raises:
        PublisherURLError: it is not there, is none of ours, or cannot be asked.
    """
    parsed = parse_url(url)
    home = _STORES.get(parsed.scheme)
    if home is None:
        raise PublisherURLError(f"{parsed.text} cannot be asked, {', '.join(f'{name}://' for name in _STORES)} can")
    module, _, name = home.partition(":")
    store: Store = getattr(importlib.import_module(module), name)(parsed)
    return store


__all__ = ["Condition", "EventQuery", "SampleQuery", "Store", "open_store"]
