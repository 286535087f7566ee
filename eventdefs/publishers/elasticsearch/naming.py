"""Which index an item is in. The name follows from the item and the URL alone, so that what comes again meets itself.

A tenant stands in names with letters, digits and `_` only, so that `events-{tenant}-*` reads nobody else's indices.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import permutations
from typing import NamedTuple, Protocol

from eventdefs.errors import PublisherURLError
from eventdefs.publishers.naming import NONE, Template, tenant_of
from eventdefs.types import Closure, Event, Item, Period, Sample, Usage, identity_of

SHARED = "shared"
"""Stands where a tenant would, in the indices of those who have none of their own."""

LONGEST = 64
"""Characters that a tenant, event type or meter takes in a name at most. A name has at most 255 bytes."""

_CHANGED = re.compile(rb"[^a-z0-9]")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}").fullmatch
_TEMPLATE = re.compile(r"[a-z0-9]([a-z0-9._-]|\{[^{}]*\})*").fullmatch
_FIELD = re.compile(r"\{[^{}]*\}")


@lru_cache(maxsize=10_000)
def code_of(text: str) -> str:
    """Return *text* as it stands in the name of an index. Different texts have different codes.

    Small letters and digits stay, each other byte of the UTF-8 is `_` and two hexadecimal digits; what gets too long
    is `_h` and its digest.

    >>> code_of("5d3f"), code_of("A-b"), code_of("shared")
    ('5d3f', '_41_2db', '_73hared')
    """
    data = text.encode("utf-8", "surrogatepass")
    if text in (SHARED, NONE, ""):
        return f"_{data[0]:02x}{text[1:]}" if text else "_"
    code = _CHANGED.sub(lambda found: b"_%02x" % found[0][0], data).decode()
    return code if len(code) <= LONGEST else f"_h{blake2b(data, digest_size=20).hexdigest()}"


def document_id(item: Item) -> str:
    """Return the `_id` of *item*: the digest of its identity, of which the tenant of an event is a part."""
    first, second, *rest = identity_of(item)
    text = f"{first}:{len(second)}:{second}{''.join(rest)}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def time_of(item: Item) -> datetime:
    """Return the time that *item* is of, which decides its month."""
    if isinstance(item, Event):
        return item.generated
    if isinstance(item, (Sample, Period)):
        return item.timestamp
    return item.period_start if isinstance(item, (Usage, Closure)) else item.begin


class Home(NamedTuple):
    """Where an item is kept.

    Attributes:
        name: of the index that is written to.
        routing: the code of the tenant where an index is shared, else None.
        instead: the shared index that takes it where its own cannot be made, None where there is none.
    """

    name: str
    routing: str | None = None
    instead: str | None = None


class Layout(Protocol):
    """Says where items are kept.

    Attributes:
        patterns: what the names of all indices match.
    """

    patterns: tuple[str, ...]

    def home(self, item: Item) -> Home: ...

    def now(self, time: datetime) -> tuple[str, ...]:
        """Return patterns of those indices that take items of *time*."""


class Monthly:
    """One index a month, for all who share it or for a tenant alone: ``events-shared-2026.08``."""

    def __init__(self, events: str, samples: str, usage: str, has_own: Callable[[str], bool]) -> None:
        """Name indices after these three; *has_own* tells whether the tenant of this code shares none.

        Raises:
            PublisherURLError: a name is none, or two would name one index.
        """
        self._names = (events, samples, usage)
        self._has_own = has_own
        for name in self._names:
            if not _NAME(name):
                raise PublisherURLError(
                    f"{name!r} cannot begin the name of an index: small letters, digits and . _ - can, up to 100"
                )
        if any(f"{one}-".startswith(f"{other}-") for one, other in permutations(self._names, 2)):
            raise PublisherURLError(f"indices named after {', '.join(self._names)} cannot be told apart")
        self.patterns = tuple(f"{name}-*" for name in self._names)

    def home(self, item: Item) -> Home:
        name = self._names[0 if isinstance(item, Event) else 1 if isinstance(item, Sample) else 2]
        time, tenant = time_of(item), tenant_of(item)
        month = f"{time.year:04}.{time.month:02}"
        shared = f"{name}-{SHARED}-{month}"
        if tenant is None:
            return Home(shared, NONE)
        code = code_of(tenant)
        return Home(f"{name}-{code}-{month}", None, shared) if self._has_own(code) else Home(shared, code)

    def now(self, time: datetime) -> tuple[str, ...]:
        return tuple(f"{pattern}-{time:%Y.%m}" for pattern in self.patterns)


class Templated:
    """One index for each name that a template makes: ``index=events-{tenant}``."""

    def __init__(self, text: str) -> None:
        """Raises PublisherURLError where *text* makes no names of indices."""
        self._template = Template(text, code_of)
        longest = len(_FIELD.sub("x" * LONGEST, text))
        if not _TEMPLATE(text) or longest > 255:
            raise PublisherURLError(
                f"{text!r} names no index: it begins with a small letter or digit, has these and . _ - beside "
                f"{{tenant}}, {{event_type}} and {{meter}}, and makes names of 255 characters at most"
            )
        if not self._template.keeps_apart("-."):
            raise PublisherURLError(
                f"{text!r}: tenants could have one index: '-' or '.' goes between {{tenant}} and others"
            )
        self.patterns: tuple[str, ...] = (_FIELD.sub("*", text),)

    def home(self, item: Item) -> Home:
        return Home(self._template.name(item))

    def now(self, time: datetime) -> tuple[str, ...]:
        return self.patterns
