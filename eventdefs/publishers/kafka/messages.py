"""Items as messages: topic, key, value, headers; and what became of a message.

Nothing in this module knows a client library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers.naming import NONE, Template, tenant_of, type_of
from eventdefs.types import Event, Item, kind_of

SCHEMA = ("eventdefs-schema", b"1")
"""The header that says how the value is written; the number grows when a reader would have to change."""

TOPIC_LENGTH = 249

FRAME = 4096
"""How many bytes more than its own a message may take in what a client sends."""

Header = tuple[str, bytes]

_EVENT: Header = ("kind", b"event")


class Message(NamedTuple):
    """What a client sends; without a value, what was said under the key is no longer to be kept."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[Header]

    @property
    def size(self) -> int:
        """How many bytes it has, as brokers count them but for a few."""
        return len(self.value or b"") + len(self.key) + sum(len(name) + len(value) for name, value in self.headers)


Outcome = DeliveryError | None
"""What became of a message: None when the broker has it.

A `PermanentDeliveryError` is certain only of a message that was sent alone, or that never left: a broker refuses
messages as they come, many at once.
"""


class Client(Protocol):
    """A client library, used by one thread at a time."""

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send *messages* and return what became of each; none of them is under way any more."""

    def check(self, topics: Sequence[str]) -> None:
        """See whether the broker lets us in and has *topics*; make none.

        Raises:
            DeliveryError: what is wrong.
        """

    def close(self) -> None:
        """Let go; nothing waits."""


def headers_of(item: Item) -> list[Header]:
    """Return what can be known of *item* without reading the value."""
    if isinstance(item, Event):
        tenant = item.tenant
        headers = [_EVENT, ("message_id", bytes_of(item.message_id)), ("event_type", bytes_of(item.event_type))]
    else:
        tenant = tenant_of(item)
        headers = [("kind", kind_of(item).encode()), ("id", bytes_of(item.id)), ("meter", bytes_of(type_of(item)))]
    if tenant is not None:
        headers.append(("tenant", bytes_of(tenant)))
    headers.append(SCHEMA)
    return headers


def bytes_of(text: str) -> bytes:
    """Return *text* in UTF-8."""
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate has no UTF-8


# Topics


def encode_name(text: str) -> str:
    """Return *text* with the characters that a topic may have; different texts are written differently.

    What a topic may not have is written as ``-`` and two digits for each byte of UTF-8, ``-`` itself as ``--``.
    """
    return _encoded(text, _ILLEGAL)


def encode_tenant(text: str) -> str:
    """Return *text* as `encode_name` does, ``.`` and ``_`` written as what a topic may not have.

    Kafka makes no topic that differs from another only by these two, and they part a tenant from other fields.
    """
    return _encoded(text, _NO_TENANT)


_ILLEGAL = re.compile(r"[^a-zA-Z0-9._]")
_NO_TENANT = re.compile(r"[^a-zA-Z0-9]")


def _encoded(text: str, illegal: re.Pattern[str]) -> str:
    if not text:
        return "-empty"
    if text in (NONE, ".", ".."):  # what stands for nothing, and what a topic may not be called
        return f"-{ord(text[0]):02x}{illegal.sub(_escaped, text[1:])}"
    return illegal.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "-":
        return "--"
    return "".join(f"-{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


class Topics:
    """The name of a topic, as ``events-{tenant}``.

    Attributes:
        fixed: the name, None where it depends on the item.
    """

    def __init__(self, where: str, text: str) -> None:
        """Read *text*.

        Raises:
            PublisherURLError: no topic can be called so.
        """
        try:
            self._template = Template(text, encode_name, encode_tenant)
        except PublisherURLError as error:
            raise PublisherURLError(f"{where}: {error}") from None
        if not self._template.keeps_apart("._") or "tenant" in self._template.fields[1:-1]:
            raise PublisherURLError(
                f"{where}: {text!r}: tenants could have one topic: {{tenant}} is the first field or the last one, "
                "with a '.' or '_' between it and the other"
            )
        plain = re.sub(r"\{[^{}]*\}", "", text)
        if not re.fullmatch(r"[a-zA-Z0-9._-]*", plain) or text in (".", ".."):
            raise PublisherURLError(f"{where}: no topic is called {text!r}: it may have letters, digits, '.', '_', '-'")
        if len(plain) > TOPIC_LENGTH:
            raise PublisherURLError(f"{where}: a topic has {TOPIC_LENGTH} characters at most, this has {len(plain)}")
        self.fixed = None if self._template.fields else text

    def name(self, item: Item) -> str:
        """Return the topic of *item*; a name that is too long ends in a digest of itself."""
        if self.fixed is not None:
            return self.fixed
        name = self._template.name(item)
        if len(name) <= TOPIC_LENGTH:
            return name
        tail = f"-h{blake2b(name.encode(), digest_size=16).hexdigest()}"
        return name[: TOPIC_LENGTH - len(tail)].rstrip("-") + tail  # a '-' before it would be that of an escape


# What brokers and clients say, by the codes of the Kafka protocol.

_REFUSED = {
    10: "the message is larger than the topic takes (max.message.bytes)",
    17: "the broker allows no topic of this name",
    18: "the message is larger than a segment of the topic",
    32: "the topic does not take the time of the message",
    43: "the topic is of a format that has no headers",
    87: "the topic does not take such a message, as a compacted topic takes none without a key",
}
_DENIED = {
    29: "we may not write to topic {topic!r}",
    31: "we may not write with idempotence to this cluster",
    33: "the broker does not know this sasl mechanism",
    34: "the broker asks nobody who they are: security=ssl or plaintext",
    58: "user or password are wrong",
    65: "the user may not write for others",
}
_AGAIN = {
    3: "there is no topic {topic!r}",
    5: "the partition has no leader now",
    6: "the leader of the partition has changed",
    7: "the broker timed out",
    19: "not enough replicas are in sync (min.insync.replicas)",
    20: "not enough replicas are in sync (min.insync.replicas)",
}


def failure(where: str, code: int, topic: str, said: str) -> DeliveryError:
    """Return the error that *code* stands for; *said* is what the client says, for codes that are not expected."""
    for table, error in (_REFUSED, PermanentDeliveryError), (_DENIED, AccessDeniedError):
        if code in table:
            return error(f"{where}: {table[code].format(topic=topic)}")
    return RetryableDeliveryError(f"{where}: {_AGAIN[code].format(topic=topic) if code in _AGAIN else one_line(said)}")


def one_line(text: str) -> str:
    """Return *text* with blanks for its line ends."""
    return " ".join(text.split())


# Order


def settle(messages: Sequence[Message], outcomes: list[Outcome], send: Callable[[Message], Outcome]) -> list[Outcome]:
    """Return what became of *messages*, of which *outcomes* was said when they were sent together.

    What was refused in company is sent once more by *send*, alone: only then is it refused for certain. What follows
    a message of the same key that comes later than it should is sent after it again, now or by whoever sends the batch
    again, so that the last message of a key is the last in the log.
    """
    if len(messages) == 1 or not any(outcomes):
        return outcomes
    settled: list[Outcome] = []
    late: set[tuple[str, bytes]] = set()
    waits: dict[tuple[str, bytes], RetryableDeliveryError] = {}
    away: RetryableDeliveryError | None = None
    for message, said in zip(messages, outcomes, strict=True):
        key = message.topic, message.key
        outcome = said
        if key in waits:
            outcome = waits[key]
        elif isinstance(said, PermanentDeliveryError) or (said is None and key in late):
            outcome = send(message) if away is None else away
            if isinstance(outcome, RetryableDeliveryError):
                away = outcome
            if outcome is None:
                late.add(key)
        if isinstance(outcome, RetryableDeliveryError):
            waits[key] = outcome
        settled.append(outcome)
    return settled
