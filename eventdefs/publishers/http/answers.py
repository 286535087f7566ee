"""What an answer says of the items that were posted.

An answer is for all of a post, by its status, unless options say where it speaks of each item. Nothing in this module
touches a socket or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from eventdefs.decode import read_json
from eventdefs.encode import write_json
from eventdefs.errors import (
    AccessDeniedError,
    DecodeError,
    PartialDeliveryError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from eventdefs.publishers.http.tokens import shown_url
from eventdefs.types import Batch, Delivered, Event, Item, Refused

LATER = frozenset({408, 425, 429})
"""Statuses below 500 after which the same may be accepted later."""
DENIED = frozenset({401, 403, 407})
LONGEST_WAIT = 3600.0
"""Seconds; no target makes us wait longer than that for one attempt."""
PHRASES = {status.value: status.phrase for status in HTTPStatus}
EXCERPT = 200
"""How many characters of an answer a reason quotes."""

Fate = Literal["delivered", "duplicate", "later", "denied", "refused"]
_GROWING: tuple[Fate, ...] = ("delivered", "duplicate", "refused", "later", "denied")
"""By how much is left to be done."""
Path = tuple[str, ...]


class Answer(NamedTuple):
    """What the target answered.

    Attributes:
        headers: without regard to case, as urllib3 has them.
        body: as much of it as is kept.
        whole: whether that is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def parse_path(text: str) -> Path:
    """Return the keys of *text*, as ``$.errors.0.code``; a number is also a position, ``*`` is any key.

    Raises:
        ValueError: a key is empty.
    """
    keys = tuple(text.removeprefix("$").removeprefix(".").split("."))
    if keys == ("",):
        return ()
    if "" in keys:
        raise ValueError(f"{text!r} is no path, as $.errors.0.code is")
    return keys


def values_at(document: Any, path: Path) -> Iterator[Any]:
    """Yield what stands at *path* in *document*."""
    if not path:
        yield document
        return
    key, rest = path[0], path[1:]
    if key == "*" and isinstance(document, (dict, list)):
        for one in document.values() if isinstance(document, dict) else document:
            yield from values_at(one, rest)
    elif isinstance(document, dict) and key in document:
        yield from values_at(document[key], rest)
    elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
        yield from values_at(document[int(key)], rest)


class Already(NamedTuple):
    """Says which answers mean that an item was there already: by status, and by a value at a path."""

    status: int
    path: Path = ()
    value: str | None = None

    def holds(self, status: int, document: Any) -> bool:
        if status != self.status:
            return False
        return self.value is None or self.value in map(_text, values_at(document, self.path))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else write_json(value).decode(errors="replace")


def parse_already(text: str) -> tuple[Already, ...]:
    """Return the rules of *text*: ``409``, or ``422:$.code=exists``, several separated by commas.

    Raises:
        ValueError: one of them is not written so.
    """
    return tuple(_parse_rule(one.strip()) for one in text.split(",")) if text else ()


def _parse_rule(text: str) -> Already:
    status, colon, where = text.partition(":")
    path, equals, value = where.partition("=")
    if bool(colon) != bool(equals):
        raise ValueError(f"{text!r} is no rule, as 409 or 422:$.code=exists is")
    return Already(parse_status(status), parse_path(path), value if equals else None)


def parse_status(text: str) -> int:
    """Return the status that *text* is.

    Raises:
        ValueError: it is none from 300 to 599.
    """
    if not re.fullmatch("[345][0-9][0-9]", text):
        raise ValueError(f"{text!r} is no status of an answer from 300 to 599")
    return int(text)


class Each(NamedTuple):
    """Says where an answer speaks of each item.

    Attributes:
        path: where the entries stand: a list in the order of the items, or a mapping by position or id.
        only_failures: whether items without an entry were accepted.
        id: the key of an entry that has the position or id of its item, '' where the order or the mapping says it.
        status: where the status stands in an entry; an entry may be a number itself.
    """

    path: Path
    only_failures: bool
    id: str
    status: Path


class Rules(NamedTuple):
    """How answers are read.

    Attributes:
        name: the target, as it may be shown.
        already: what means that an item was there.
        later: more statuses after which the same may be accepted later.
        each: where an answer speaks of each item, None where it does not.
    """

    name: str
    already: tuple[Already, ...] = ()
    later: frozenset[int] = frozenset()
    each: Each | None = None

    def fate(self, status: int, document: Any) -> Fate:
        """Return what *status* means, of a whole answer or of the entry of an item."""
        if any(rule.holds(status, document) for rule in self.already):
            return "duplicate"
        if 200 <= status < 300:
            return "delivered"
        if status in LATER or status in self.later or status >= 500 or status < 200:
            return "later"
        return "denied" if status in DENIED else "refused"

    def settle(self, answer: Answer, batch: Batch, now: datetime, hidden: Callable[[str], str]) -> Delivered:
        """Return what became of *batch*, which was one post; *hidden* takes secrets out of what is quoted.

        Raises:
            RetryableDeliveryError, PermanentDeliveryError, PartialDeliveryError: as of a publisher.
        """
        if 200 <= answer.status < 300 and (self.each is not None or answer.status == 207):
            return self._settle_each(answer, batch, now, hidden)
        document = _read(answer.body) if self.already else None
        fate = self.fate(answer.status, document)
        if fate == "delivered":
            return Delivered(len(batch))
        if fate == "duplicate" and len(batch) == 1:
            return Delivered(1, 1)
        reason = self.reason(answer, hidden)
        if fate == "duplicate":  # Of which of them? Halved, until it is one.
            raise PermanentDeliveryError(f"{reason}: it does not say which of {len(batch)} items it has already")
        if 300 <= answer.status < 400:  # Nothing that waits is at fault.
            raise RetryableDeliveryError(reason)
        if fate == "refused":
            raise PermanentDeliveryError(reason)
        raise _error(fate, reason, wait_of(answer, now))

    def reason(self, answer: Answer, hidden: Callable[[str], str]) -> str:
        """Return *answer* in one line."""
        status = f"{answer.status} {PHRASES.get(answer.status, '')}".rstrip()
        where = answer.headers.get("location")
        if 300 <= answer.status < 400 and where:
            return (
                f"{self.name} answers {status} and points to {_line(hidden(shown_url(where)))}, which is not followed"
            )
        said = _line(hidden(answer.body.decode(errors="replace")))
        return f"{self.name} answers {status}" + (f": {said}" if said else "")

    def _settle_each(self, answer: Answer, batch: Batch, now: datetime, hidden: Callable[[str], str]) -> Delivered:
        if self.each is None:
            raise RetryableDeliveryError(
                f"{self.name} answers 207 Multi-Status: say with items= or errors= where it speaks of each item"
            )
        items = list(batch)
        try:
            entries = self._entries(self.each, answer, items)
        except ValueError as error:
            raise RetryableDeliveryError(
                f"{self.name} answers {answer.status}, and not what became of each item: {error}"
            ) from error
        fates: list[Fate] = []
        refused: list[Refused] = []
        again: list[Item] = []
        why: list[tuple[Fate, str]] = []
        for item, (status, entry) in zip(items, entries, strict=True):
            fate = "delivered" if status is None else self.fate(status, entry)
            fates.append(fate)
            if fate in ("delivered", "duplicate"):
                continue
            reason = f"{self.name} says of an item: {_line(hidden(_text(entry)))}"
            if fate == "refused":
                refused.append(Refused(item, reason))
            else:
                again.append(item)
                why.append((fate, reason))
        delivered = Delivered(len(items) - len(again) - len(refused), fates.count("duplicate"))
        if not again and not refused:
            return delivered
        # Credentials that are refused have to be said, whatever else there is.
        worst = min(why, key=lambda one: one[0] != "denied", default=None)
        later = None if worst is None else _error(*worst, wait_of(answer, now))
        if later is not None and len(again) == len(items):
            raise later
        raise PartialDeliveryError(delivered, batch.part(again), later, refused)

    def _entries(self, each: Each, answer: Answer, items: Sequence[Item]) -> list[tuple[int | None, Any]]:
        """Return for each of *items* the status and the entry; None and None of one that was accepted without a word.

        Raises:
            ValueError: the answer does not say what became of each item, in words.
        """
        if not answer.whole:
            raise ValueError("it is longer than is read, or broke off")
        document = _read(answer.body)
        if document is None and answer.body.strip() not in (b"", b"null"):
            raise ValueError("it is no JSON")
        found = next(values_at(document, each.path), None)
        if found is None and each.only_failures:
            found = []
        if not isinstance(found, (list, dict)):
            raise ValueError(f"there is no list or mapping at $.{'.'.join(each.path)}")
        words: dict[int, list[Any]] = {}
        places = {id_of(item): place for place, item in enumerate(items)}
        if isinstance(found, dict):
            for key, entry in found.items():
                words.setdefault(_place(key, places, len(items)), []).append(entry)
        elif each.id:
            for entry in found:
                key = entry.get(each.id) if isinstance(entry, dict) else None
                words.setdefault(_place(key, places, len(items)), []).append(entry)
        elif each.only_failures and found:
            raise ValueError("its errors name no items; say with item_id= which key does")
        else:
            words = {place: [entry] for place, entry in enumerate(found)}
        if not each.only_failures and (missing := len(items) - len(words)):
            raise ValueError(f"it speaks of {len(words)} items of {len(items)}" if missing > 0 else "of too many")
        return [self._worst(each, words[place]) if place in words else (None, None) for place in range(len(items))]

    def _worst(self, each: Each, entries: Sequence[Any]) -> tuple[int, Any]:
        """Return what stands in that one of the *entries* of an item which leaves most to be done."""
        said = [(_status_of(each, entry), entry) for entry in entries]
        return max(said, key=lambda one: _GROWING.index(self.fate(*one)))


def id_of(item: Item) -> str:
    """Return what a target calls *item* in an answer."""
    return item.message_id if isinstance(item, Event) else item.id


_POSITION = re.compile("[0-9]{1,9}")


def is_like_a_position(id: str) -> bool:
    """Tell whether *id*, which its sender chose, reads like the position of some other item."""
    return _POSITION.fullmatch(id) is not None


def _place(key: Any, places: Mapping[str, int], count: int) -> int:
    """Return the position of the item that *key* names by its id or its position."""
    if isinstance(key, str) and key in places:
        return places[key]
    if isinstance(key, (int, str)) and _POSITION.fullmatch(str(key)) and int(key) < count:
        return int(key)
    raise ValueError(f"it speaks of {_line(str(key))!r}, which was not posted")


def _status_of(each: Each, entry: Any) -> int:
    """Return the status of *entry*; of a failure that has none, one that says that the item is refused."""
    found = entry if isinstance(entry, (int, str)) else next(values_at(entry, each.status), None)
    if not isinstance(found, bool) and re.fullmatch("[1-5][0-9][0-9]", str(found)):
        return int(str(found))
    if each.only_failures:
        return 400
    raise ValueError(f"an entry has no status at {'.'.join(each.status)}")


def _read(body: bytes) -> Any:
    try:
        return read_json(body)
    except DecodeError:
        return None


def _error(fate: Fate, reason: str, after: float | None) -> RetryableDeliveryError:
    return (AccessDeniedError if fate == "denied" else RetryableDeliveryError)(reason, after=after)


def wait_of(answer: Answer, now: datetime) -> float | None:
    """Return how many seconds *answer* asks us to wait; a date counts from when the target says that it is *now*."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT)
    until = _date(text)
    if until is None:
        return None
    since = _date(answer.headers.get("date", "")) or now
    return min(max((until - since).total_seconds(), 0.0), LONGEST_WAIT)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


def _line(text: str) -> str:
    """Return *text* as one short line that a terminal does not obey."""
    words = " ".join(text[: 4 * EXCERPT].split())
    line = "".join(letter if letter.isprintable() else "?" for letter in words)
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
