"""Where dead letters are kept: what every such place does, and how one that is only appended to is read.

Of each letter an index keeps where its newest record stands and what all records of it count, some 300 bytes; the
letters themselves are read one at a time. So a hundred thousand of them take little memory, whatever their size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from eventdefs.deadletters.letters import DeadLetter

MODE = 0o600
"""Of a file that we make: originals hold what tenants sent."""

How = Literal["replayed", "dropped"]
"""How a letter was settled."""

Warn = Callable[[str], None]
"""Is told what of a place cannot be read; the rest is."""


class DeadLetterPlace(Protocol):
    """Where dead letters are kept, for as long as they are open. It is used by one thread at a time.

    All of it raises RetryableDeliveryError where the place cannot be reached or written, and says why.

    Attributes:
        name: the place, as it may be shown.
    """

    @property
    def name(self) -> str: ...

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep *letters*, and return when they are durable. A letter that was settled before is open again."""

    def read(self) -> Iterator[DeadLetter]:
        """Yield the open letters that there are now, each once, with all that was counted of it."""

    def tried(self, letters: Sequence[DeadLetter]) -> None:
        """Count one more attempt of each of *letters*."""

    def settle(self, ids: Collection[str], how: How) -> None:
        """Close the letters of *ids*, durably: `read` yields them no more."""

    def purge(self) -> int:
        """Give up the room of what is settled; return how many records that is."""

    def close(self) -> None:
        """Let go."""


class Seen(NamedTuple):
    """What is known of an open letter: where its newest record stands, and what all of them count."""

    position: Any
    times: int
    attempts: int
    first: datetime | None
    last: datetime | None


class Index:
    """Which letters are open, of records that were read in the order in which they were written."""

    def __init__(self) -> None:
        self._open: dict[bytes, Seen] = {}

    def add(self, position: Any, head: Head) -> None:
        """Take in the record at *position*, which begins with *head*."""
        key = _key(head.id)
        seen = Seen(position, head.count, head.attempts, head.first, head.last)
        known = self._open.get(key)
        if known is not None:
            first = None if known.first is None or head.first is None else min(known.first, head.first)
            last = max((one for one in (known.last, head.last) if one), default=None)
            seen = Seen(position, known.times + head.count, known.attempts + head.attempts, first, last)
        self._open[key] = seen

    def tried(self, id: str) -> None:
        """Count an attempt."""
        known = self._open.get(_key(id))
        if known is not None:
            self._open[_key(id)] = known._replace(attempts=known.attempts + 1)

    def settle(self, id: str) -> None:
        """Take in that the letter is settled."""
        self._open.pop(_key(id), None)

    def positions(self) -> list[Any]:
        """Return where the newest records stand, in order."""
        return sorted(seen.position for seen in self._open.values())

    def whole(self, position: Any, letter: DeadLetter) -> DeadLetter | None:
        """Return *letter*, which stands at *position*, with all that was counted; None where it is not the newest."""
        seen = self._open.get(_key(letter.id))
        if seen is None or seen.position != position:
            return None
        return msgspec.structs.replace(
            letter, count=seen.times, attempts=seen.attempts, first=seen.first, last=seen.last
        )


class Head(msgspec.Struct, frozen=True):
    """What an index needs of a letter."""

    id: str
    count: int = 1
    attempts: int = 0
    first: datetime | None = None
    last: datetime | None = None


def head_of(letter: DeadLetter) -> Head:
    """Return what an index needs of *letter*."""
    return Head(letter.id, letter.count, letter.attempts, letter.first, letter.last)


def _key(id: str) -> bytes:
    try:
        return bytes.fromhex(id)
    except ValueError:
        return id.encode("utf-8", "surrogatepass")
