"""Routes: what of a batch goes to a sink, by the patterns and projects of the sources that name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventdefs.definitions.patterns import Pattern, PatternIndex
from eventdefs.publishers.naming import tenant_of, type_of
from eventdefs.types import Batch, Event, Item

MEMO = 10_000
"""Of how many types and projects a route remembers what it does with them: senders choose both."""


class Source(NamedTuple):
    """What a source of a pipeline file lets through.

    Attributes:
        events: the event types, None for no events.
        meters: the meters of samples, periods and records, None for none of them.
        projects: whose, None for everybody's. What says no project goes through only where this is None.
    """

    events: Pattern | None
    meters: Pattern | None
    projects: frozenset[str] | None = None


class Route:
    """The sources that name a sink: an item goes where one of them lets it through."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._events = _Side([(one.events, one.projects) for one in sources if one.events is not None])
        self._meters = _Side([(one.meters, one.projects) for one in sources if one.meters is not None])

    def takes(self, item: Item) -> bool:
        """Tell whether *item* goes this way."""
        side = self._events if isinstance(item, Event) else self._meters
        return side.takes(type_of(item), tenant_of(item))

    def part_of(self, batch: Batch) -> Batch:
        """Return what of *batch* goes this way."""
        if self._events.takes_all and self._meters.takes_all:
            return batch
        items = [item for item in batch if self.takes(item)]
        return batch if len(items) == len(batch) else batch.part(items)


class _Side:
    """The patterns over events, or those over meters, each with the projects it is for."""

    def __init__(self, rows: list[tuple[Pattern | None, frozenset[str] | None]]) -> None:
        patterns = [pattern for pattern, _ in rows if pattern is not None]
        self._projects = [projects for _, projects in rows]
        self._index = PatternIndex(patterns)
        self._memo: dict[tuple[str, str | None], bool] = {}
        self.takes_all = any(pattern.is_catchall and projects is None for pattern, projects in rows if pattern)

    def takes(self, name: str, project: str | None) -> bool:
        if self.takes_all:
            return True
        known = self._memo.get((name, project))
        if known is None:
            matching, _ = self._index.all(name)
            known = any(self._is_for(self._projects[number], project) for number in matching)
            if len(self._memo) >= MEMO:
                self._memo.clear()
            self._memo[name, project] = known
        return known

    @staticmethod
    def _is_for(projects: frozenset[str] | None, project: str | None) -> bool:
        return projects is None or project in projects
