"""What a dead letter is: a readable record of what was not published, or not whole, with all it takes to try again.

A letter is known by what it is about, so that the same thing dead-lettered twice is one letter with a count. Nothing in
this module reads a clock or a file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec

from eventdefs.decode import decode_item, decode_notification, decode_notifications
from eventdefs.definitions.tenants import find_tenant
from eventdefs.encode import UNWRITABLE, encode_event, error_record, write_json
from eventdefs.errors import DecodeError
from eventdefs.publishers.naming import tenant_of, type_of
from eventdefs.types import (
    REASON,
    Conversion,
    Event,
    Item,
    Notification,
    Place,
    Problem,
    Refused,
    excerpt,
    identity_of,
    kind_of,
)

VERSION = 1
"""Of the form of a letter; it grows when a reader would have to change."""

SHOWN = 10_000
"""How many characters are kept of a value that JSON has no form for."""

Fate = Literal["undecodable", "rejected", "partial", "undelivered"]
FATES: tuple[Fate, ...] = get_args(Fate)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What was not published, or not whole.

    Attributes:
        version: of the form of the letter.
        id: the same for the same notification, bytes, or item and publisher.
        fate: `undecodable`: what came is no notification; `rejected`: nothing of the notification is published;
            `partial`: something of it is missing; `undelivered`: a publisher did not take an item.
        reason: why, in a line.
        place: where it came from, file and line; '' where that is not known.
        message_id, event_type, tenant: of the notification, or of the item; '' and None where there is none. The event
            type of a sample, period or record is its meter.
        first, last: when it was dead-lettered; None of letters that were kept before that was written down.
        count: how often it was.
        attempts: how often a replay of it failed.
        definitions: the fingerprint of the definitions that were used, '' where it is not known.
        errors: what is wrong, each with a `reason`, and of definitions the record that `encode.error_record` makes.
        publisher: of an undelivered item: who did not take it, as its URL may be shown.
        kind: of an undelivered item: `event`, `sample`, `period`, `usage` and so on.
        item: the undelivered item in our own form.
        encoding: `base64` where `original` is, since what came is no text.
        original: the body of the notification, credentials taken out; of what is undecodable the text that came,
            credentials masked; None of an item whose notification was not at hand.
    """

    version: int = VERSION
    id: str
    fate: Fate
    reason: str
    place: str = ""
    message_id: str = ""
    event_type: str = ""
    tenant: str | None = None
    first: datetime | None
    last: datetime | None
    count: int = 1
    attempts: int = 0
    definitions: str = ""
    errors: list[dict[str, Any]] = []
    publisher: str = ""
    kind: str = ""
    item: dict[str, Any] | None = None
    encoding: Literal["", "base64"] = ""
    original: Any = None

    @property
    def raw(self) -> bytes:
        """What came, of a letter that is undecodable."""
        return base64.b64decode(self.original) if self.encoding else str(self.original).encode()

    def notifications(self) -> list[Notification | DecodeError]:
        """Return what `original` is when it is read today; [] where there is none."""
        if self.original is None:
            return []
        if self.fate == "undecodable":
            return decode_notifications(self.raw)
        try:
            return [decode_notification(self.original)]
        except DecodeError as error:
            return [error]

    def read_item(self) -> Item:
        """Return the undelivered item.

        Raises:
            DecodeError: this release does not read it.
        """
        return decode_item(write_json(self.item))

    def plus(self, later: DeadLetter) -> DeadLetter:
        """Return one letter of two with the same id: what *later* says, and what both count."""
        return msgspec.structs.replace(
            later,
            first=_least(self.first, later.first),
            last=max((one for one in (self.last, later.last) if one), default=None),
            count=self.count + later.count,
            attempts=self.attempts + later.attempts,
        )


def _least(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else min(one, other)


def _id_of(*about: object) -> str:
    return blake2b(write_json(about), digest_size=16).hexdigest()


def told(problem: Problem | Mapping[str, Any]) -> str:
    """Return *problem* in a line: ``trait size: not an int: ...``."""
    if isinstance(problem, Problem):
        return f"{problem.kind} {problem.name}: {problem.reason}"
    name = f"{problem.get('kind', '')} {problem.get('name', '')}".strip()
    return ": ".join(part for part in (name, str(problem.get("reason", ""))) if part)


def _reason(reasons: Sequence[str]) -> str:
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return excerpt(reasons[0] if reasons else "", REASON) + more


def letter_of_conversion(
    place: Place | str, notification: Notification, conversion: Conversion, when: datetime | None, definitions: str = ""
) -> DeadLetter:
    """Return the letter about *notification*, which stood at *place* and gave *conversion*, which has problems."""
    definition = "" if conversion.definition is None else str(conversion.definition)
    event = conversion.event
    return DeadLetter(
        id=_id_of("notification", notification.body),
        fate="rejected" if conversion.rejected else "partial",
        reason=_reason([told(problem) for problem in conversion.problems]),
        place=str(place),
        message_id=notification.message_id,
        event_type=notification.event_type,
        tenant=find_tenant(notification.event_type, notification.body) if event is None else event.tenant,
        first=when,
        last=when,
        definitions=definitions,
        errors=[error_record(notification, problem, definition) for problem in conversion.problems],
        original=notification.body,
    )


def letter_of_bytes(place: Place | str, error: DecodeError, when: datetime | None, definitions: str = "") -> DeadLetter:
    """Return the letter about what stood at *place* and is no notification, as *error* says."""
    try:
        original, encoding = error.data.decode(), ""
    except UnicodeDecodeError:
        original, encoding = base64.b64encode(error.data).decode(), "base64"
    return DeadLetter(
        id=_id_of("undecodable", original),
        fate="undecodable",
        reason=excerpt(error.reason, REASON),
        place=str(place),
        first=when,
        last=when,
        definitions=definitions,
        errors=[{"reason": error.reason}],
        encoding="base64" if encoding else "",
        original=original,
    )


def letter_of_item(
    publisher: str, refused: Refused, origin: Notification | None, when: datetime | None, definitions: str = ""
) -> DeadLetter:
    """Return the letter about the item that *publisher* did not take; *origin* is what it was made of, if at hand."""
    item, reason = refused
    message_id = getattr(item, "message_id", "")
    return DeadLetter(
        id=_id_of("item", publisher, *identity_of(item)),
        fate="undelivered",
        reason=excerpt(" ".join(reason.split()), REASON),
        message_id=message_id or ("" if origin is None else origin.message_id),
        event_type=type_of(item),
        tenant=tenant_of(item),
        first=when,
        last=when,
        definitions=definitions,
        errors=[{"reason": reason}],
        publisher=publisher,
        kind=kind_of(item),
        item=_document_of(item),
        original=None if origin is None else origin.body,
    )


def _document_of(item: Item) -> dict[str, Any]:
    """Return *item* in our own form; what cannot be written, for which it may have been refused, as it is shown."""
    try:
        return read_document(encode_event(item) if isinstance(item, Event) else write_json(item))
    except UNWRITABLE as error:
        return {"kind": kind_of(item), "unwritable": str(error), "shown": excerpt(item, SHOWN)}


def merged(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Return *letters*, those with the same id as one."""
    found: dict[str, DeadLetter] = {}
    for letter in letters:
        known = found.pop(letter.id, None)
        found[letter.id] = letter if known is None else known.plus(letter)
    return list(found.values())


# --- as JSON ---------------------------------------------------------------------------------------------------------


class Unreadable(ValueError):
    """Why something is no letter."""


def write_letter(letter: DeadLetter) -> bytes:
    """Return *letter* as one line of JSON, without its line end; an original that cannot be written as it is shown."""
    try:
        return write_json(letter)
    except UNWRITABLE:
        return write_json(msgspec.structs.replace(letter, original=excerpt(letter.original, SHOWN)))


def read_letter(data: bytes) -> DeadLetter:
    """Return the letter that *data* is; a line that `run --dead-letters` wrote before letters had ids is one too.

    Raises:
        Unreadable: it is none.
    """
    return letter_of_document(read_document(data))


_read = msgspec.json.Decoder().decode


def read_document(data: bytes) -> dict[str, Any]:
    """Return the JSON object that *data* is. A body nests as deep as may be, so a letter may nest deeper.

    Raises:
        Unreadable: it is none.
    """
    try:
        document = _read(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        try:  # which takes lone surrogates
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise Unreadable("no JSON") from None
    if not isinstance(document, dict):
        raise Unreadable("no JSON object")
    return document


def letter_of_document(document: dict[str, Any]) -> DeadLetter:
    """Return the letter that *document* is; raises as `read_letter`."""
    version = document.get("version")
    if version is None:
        return _old_letter(document)
    if version != VERSION:
        raise Unreadable(f"of version {excerpt(version, 20)}, this release reads {VERSION}")
    try:
        return msgspec.convert(document, DeadLetter)
    except msgspec.ValidationError as error:
        raise Unreadable(f"no dead letter: {error}") from None


def _old_letter(document: dict[str, Any]) -> DeadLetter:
    fate, original, errors = (document.get(key) for key in ("fate", "original", "errors"))
    named = isinstance(original, str if fate == "undecodable" else dict)
    if fate not in FATES[:3] or not named or not isinstance(errors, list):
        raise Unreadable("no dead letter: it has neither a version nor fate, errors and original")
    found = [error for error in errors if isinstance(error, dict)]
    event_type = str(original.get("event_type", "")) if isinstance(original, dict) else ""
    return DeadLetter(
        id=_id_of("undecodable" if fate == "undecodable" else "notification", original),
        fate=fate,
        reason=_reason([told(error) for error in found]),
        place=str(document.get("place", "")),
        message_id=str(found[0].get("message_id", "")) if found else "",
        event_type=event_type,
        tenant=find_tenant(event_type, original) if isinstance(original, dict) else None,
        first=None,
        last=None,
        errors=found,
        original=original,
    )
