"""Publishers send batches out of the process. What is published is values; a publisher does not know definitions.

A publisher is opened by URL. Third parties add theirs as entry points of the namespace `eventdefs.publishers`, where
ours stand too; the name of the entry point is the scheme of the URL.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.publishers.urls import PublisherURL, parse_url, read_options
from eventdefs.thirdparty import registered
from eventdefs.types import Batch, Delivered

NAMESPACE = "eventdefs.publishers"

_BUILTIN = {
    "file": "eventdefs.publishers.file:FilePublisher",
    "memory": "eventdefs.publishers.memory:MemoryPublisher",
    "sqlite": "eventdefs.publishers.sqlite:SQLitePublisher",
    "stdout": "eventdefs.publishers.stdout:StdoutPublisher",
}


class BatchLimits(NamedTuple):
    """How large a batch a publisher is given at most: so many items, and so many bytes of JSON; None for no bound."""

    items: int | None = None
    bytes: int | None = None


class Publisher(Protocol):
    """What a publisher is: a class whose instances are made of a URL and of options of its type `Options`.

    An instance that was made works; what is wrong with the URL is said before anything is opened. A target across a
    network is not waited for: it is reached when the first batch is published, and again whenever it was away.
    A publisher may say its `LIMITS`, of type `BatchLimits`. It is called by one thread at a time.
    """

    Options: ClassVar[type[msgspec.Struct]]

    def __init__(self, url: PublisherURL, options: Any) -> None: ...

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch* whole, and return only when the target has it, durably.

        Raises:
            RetryableDeliveryError: the same batch may be accepted later.
            PermanentDeliveryError: it never will.
            PartialDeliveryError: some of it was accepted; it says what was not, item by item.
        """

    def check(self) -> None:
        """See whether a batch would be accepted; send none.

        Raises:
            DeliveryError: what is wrong, in words of the target.
        """

    def close(self) -> None:
        """Deliver what waits, and let go."""


def open_publisher(url: str) -> Publisher:
    """Open the publisher that *url* names, for example ``sqlite:///events.db``.

    Raises:
        PublisherURLError: the scheme, the target or an option is not what the publisher takes, or cannot be opened.
    """
    parsed = parse_url(url)
    publisher = _find(parsed.scheme)
    options = read_options(parsed, publisher.Options)
    opened: Publisher = publisher(parsed, options)
    return opened


def _find(scheme: str) -> Any:
    if scheme in _BUILTIN:
        module, _, name = _BUILTIN[scheme].partition(":")
        return getattr(importlib.import_module(module), name)
    others = registered(NAMESPACE)
    if scheme not in others.loaded:
        known = ", ".join(sorted({*_BUILTIN, *others.loaded}))
        raise PublisherURLError(others.why(scheme) or f"no publisher for {scheme}://, known are {known}")
    return others.loaded[scheme]


__all__ = ["Batch", "BatchLimits", "Delivered", "Publisher", "PublisherURL", "open_publisher"]
