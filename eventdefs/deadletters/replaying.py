"""Tries letters again: originals are converted with today's definitions, and what they give is delivered.

A letter is settled when every publisher that it is for has confirmed all that it gives, and not before: who is killed
in the middle and begins again loses nothing, and since ids are deterministic, a store has nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from eventdefs.deadletters.choosing import plain
from eventdefs.deadletters.letters import DeadLetter, letter_of_conversion, told
from eventdefs.deadletters.places import DeadLetterPlace
from eventdefs.definitions import Definitions
from eventdefs.encode import write_json
from eventdefs.errors import DecodeError, DeliveryError, PartialDeliveryError
from eventdefs.metering import Ledger
from eventdefs.metering.records import sample_of
from eventdefs.pipeline import Route
from eventdefs.publishers import Publisher
from eventdefs.publishers.naming import meter_of, resource_of
from eventdefs.types import (
    Batch,
    Conversion,
    Delivered,
    Identity,
    Item,
    Notification,
    Period,
    Usage,
    identity_of,
    kind_of,
)

LETTERS, ITEMS, BYTES = 200, 1000, 32 * 2**20
"""How many letters are tried together at most, and about how many items and bytes of originals that may be."""


class Again(NamedTuple):
    """What today's definitions make of a letter.

    Attributes:
        items: what is to be published.
        periods: those of them that a ledger counts.
        origins: what they were made of, as far as that is at hand.
        reason: why the letter stays, even when all of that is published; '' where it does not.
        left: the letters that are to be kept of it then, in its place.
    """

    letter: DeadLetter
    items: tuple[Item, ...] = ()
    periods: tuple[Period, ...] = ()
    origins: Mapping[Identity, Notification] = {}
    reason: str = ""
    left: tuple[DeadLetter, ...] = ()


NOTHING = "today's definitions make nothing of it"
GONE = "today's definitions no longer give it"


def convert_again(letter: DeadLetter, definitions: Definitions) -> Again:
    """Return what *definitions* make of *letter*. Nothing is published and nothing changes.

    What still has problems is not published again, unless there is more of it than there was.
    """
    if letter.fate == "undelivered":
        return _item_again(letter, definitions)
    items: list[Item] = []
    periods: list[Period] = []
    left: list[DeadLetter] = []
    origins: dict[Identity, Notification] = {}
    for notification in letter.notifications():
        if isinstance(notification, DecodeError):
            return Again(letter, reason=notification.reason)
        conversion = definitions.convert(notification)
        if conversion.problems:
            left.append(_still(letter, notification, conversion, definitions))
        given = _items_of(conversion)
        origins |= dict.fromkeys(map(identity_of, given), notification)
        items += given
        periods += conversion.periods
    if not left:
        return Again(letter, tuple(items), tuple(periods), origins, "" if items else NOTHING)
    if not items or not _is_more(letter, left):
        return Again(letter, reason=left[0].reason)
    return Again(letter, tuple(items), tuple(periods), origins, left[0].reason, tuple(left))


def _items_of(conversion: Conversion) -> list[Item]:
    event: list[Item] = [] if conversion.event is None else [conversion.event]
    return [*event, *conversion.samples, *conversion.periods]


def _still(
    letter: DeadLetter, notification: Notification, conversion: Conversion, definitions: Definitions
) -> DeadLetter:
    """Return the letter that is left of *letter*, seen as often as it was and tried once more."""
    new = letter_of_conversion(letter.place, notification, conversion, letter.last, definitions.fingerprint)
    count = 0 if new.id == letter.id else letter.count
    return msgspec.structs.replace(new, first=letter.first, count=count, attempts=1)


def _is_more(letter: DeadLetter, left: Sequence[DeadLetter]) -> bool:
    """Tell whether something of *letter* can be published that was not, though something is *left*."""
    if letter.fate != "partial":
        return any(one.fate == "partial" for one in left)
    before, now = ({told(error) for error in one.errors} for one in (letter, left[0]))
    return now < before


def _item_again(letter: DeadLetter, definitions: Definitions) -> Again:
    """Return the item of *letter*, converted again where its notification is at hand."""
    try:
        item = letter.read_item()
    except DecodeError as error:
        return Again(letter, reason=error.reason)
    for origin in letter.notifications():
        if isinstance(origin, DecodeError):
            return Again(letter, reason=origin.reason)
        found = _items_of(definitions.convert(origin))
        same = [one for one in found if identity_of(one) == identity_of(item)]
        # What makes an id of it, such as its tenant, may be what was put right.
        like = [one for one in found if kind_of(one) == kind_of(item) and meter_of(one) == meter_of(item)]
        near = [one for one in like if resource_of(one) == resource_of(item)]
        items = tuple(same or near or like)
        return Again(letter, items, (), dict.fromkeys(map(identity_of, items), origin), "" if items else GONE)
    return Again(letter, (item,))


class Target(NamedTuple):
    """A publisher that letters are replayed to, by its name as it is shown, and what goes there: None for all."""

    name: str
    publisher: Publisher
    route: Route | None = None


class Report:
    """What became of letters.

    Attributes:
        letters: how many were tried.
        replayed: how many of them are settled.
        reasons: why the others are not, with how many.
        published: what each target took.
        error: why it ended early, '' where it did not.
    """

    def __init__(self, targets: Sequence[Target] = ()) -> None:
        self.letters = 0
        self.replayed = 0
        self.reasons: Counter[str] = Counter()
        self.published = {target.name: Delivered(0) for target in targets}
        self.error = ""

    @property
    def failing(self) -> int:
        """How many letters stay."""
        return self.letters - self.replayed

    def stays(self, reason: str) -> None:
        """Count a letter that stays for *reason*."""
        self.letters += 1
        key = plain(reason)
        self.reasons[key if key in self.reasons or len(self.reasons) < 10_000 else "..."] += 1

    def goes(self) -> None:
        """Count a letter that is settled."""
        self.letters += 1
        self.replayed += 1


def rehearse(letters: Iterable[DeadLetter], definitions: Definitions) -> Report:
    """Return what a replay would do, as far as that can be known without publishers."""
    report = Report()
    for letter in letters:
        again = convert_again(letter, definitions)
        if again.reason:
            report.stays(again.reason)
        else:
            report.goes()
    return report


class _Outcome:
    """What became of what was published together.

    Attributes:
        taken: of each item, how many targets were given it.
        failed: why a target did not take an item.
        ended: why a target takes nothing more now, '' where it does.
    """

    def __init__(self) -> None:
        self.taken: Counter[Identity] = Counter()
        self.failed: dict[Identity, str] = {}
        self.ended = ""


class Replay:
    """Delivers letters again to *targets*, counts their periods in *ledger*, and settles those that are delivered."""

    def __init__(
        self,
        place: DeadLetterPlace,
        definitions: Definitions,
        targets: Sequence[Target],
        *,
        ledger: Ledger | None = None,
        replace: bool = False,
    ) -> None:
        """With *replace*, stores take what is delivered instead of what they have."""
        self._place = place
        self._definitions = definitions
        self._targets = tuple(targets)
        self._ledger = ledger
        self._replace = replace
        self._sequence = 0
        self.report = Report(targets)

    def run(self, letters: Iterable[DeadLetter]) -> Report:
        """Try *letters*, a bounded number at a time; stop where a target, the ledger or the place is away.

        Raises:
            RetryableDeliveryError: the place cannot be read or written; what was settled is.
        """
        for some in self._chunks(letters):
            try:
                self._try(some)
            except _Ended as ended:
                self.report.error = str(ended)
                break
        return self.report

    def _chunks(self, letters: Iterable[DeadLetter]) -> Iterator[list[Again]]:
        some: list[Again] = []
        items = size = 0
        for letter in letters:
            again = convert_again(letter, self._definitions)
            some.append(again)
            items += len(again.items)
            size += len(write_json(letter.original))
            if len(some) >= LETTERS or items >= ITEMS or size >= BYTES:
                yield some
                some, items, size = [], 0, 0
        if some:
            yield some

    def _try(self, some: Sequence[Again]) -> None:
        """Deliver *some*, then settle what is delivered.

        Raises:
            _Ended: a target or the ledger takes nothing more now.
        """
        outcome = _Outcome()
        self._count([period for again in some for period in again.periods])
        for target in self._targets:
            self._publish(target, some, outcome)
        settled: list[str] = []
        tried: list[DeadLetter] = []
        left: list[DeadLetter] = []
        for again in some:
            letter = again.letter
            reason = self._why_not(again, outcome)
            if reason is None:  # a target was away: nothing is known of it
                continue
            if not reason and again.left:
                left += again.left
                if all(one.id != letter.id for one in again.left):
                    settled.append(letter.id)
                self.report.stays(again.reason)
            elif reason or again.reason:
                tried.append(letter)
                self.report.stays(reason or again.reason)
            else:
                settled.append(letter.id)
                self.report.goes()
        self._place.add(left)  # before what they are left of is settled
        self._place.settle(settled, "replayed")
        self._place.tried(tried)
        if outcome.ended:
            raise _Ended(outcome.ended)
        self._publish_records()

    def _why_not(self, again: Again, outcome: _Outcome) -> str | None:
        """Return why *again* was not delivered, '' where it was, None where that is not known."""
        identities = [identity_of(item) for item in again.items]
        reasons = [outcome.failed[identity] for identity in identities if identity in outcome.failed]
        if reasons:
            return None if outcome.ended in reasons else reasons[0]
        if identities and not any(outcome.taken[identity] for identity in identities):
            return None if outcome.ended else "it goes to none of the publishers"
        return ""

    def _publish(self, target: Target, some: Sequence[Again], outcome: _Outcome) -> None:
        """Deliver what of *some* is for *target*; note what became of it."""
        batch = self._batch_for(target, some)
        if not len(batch):
            return
        outcome.taken.update(identity_of(item) for item in batch)
        try:
            self._took(target, target.publisher.publish(batch))
        except PartialDeliveryError as error:
            self._took(target, error.delivered)
            outcome.failed |= {identity_of(one.item): one.reason for one in error.refused}
            if error.error is not None:
                outcome.ended = str(error.error)
                outcome.failed |= {identity_of(item): outcome.ended for item in error.again}
        except DeliveryError as error:
            outcome.ended = str(error)
            outcome.failed |= {identity_of(item): outcome.ended for item in batch}

    def _took(self, target: Target, delivered: Delivered) -> None:
        self.report.published[target.name] = self.report.published[target.name].plus(delivered)

    def _batch_for(self, target: Target, some: Sequence[Again]) -> Batch:
        """Return what of *some* is for *target*: an item that it did not take is not for the others."""
        names = {one.name for one in self._targets}
        items: dict[Identity, Item] = {}
        origins: dict[Identity, Notification] = {}
        for again in some:
            refused_by = again.letter.publisher
            if refused_by in names and refused_by != target.name:
                continue
            origins |= again.origins
            for item in again.items:
                if target.route is None or target.route.takes(item):
                    items[identity_of(item)] = item
        return Batch(origins=origins, replace=self._replace).part(items.values())

    def _count(self, periods: Sequence[Period]) -> None:
        if self._ledger is not None and periods:
            try:
                self._ledger.add(periods)
            except DeliveryError as error:
                raise _Ended(str(error)) from error

    def _publish_records(self) -> None:
        """Deliver what the ledger recorded; what a target does not take waits for whoever uses the ledger next."""
        if self._ledger is None:
            return
        try:
            while records := self._ledger.pending(after=self._sequence):
                usage = [sample_of(record) for record in records if isinstance(record, Usage)]
                batch = Batch(samples=usage, records=records)
                for target in self._targets:
                    part = batch if target.route is None else target.route.part_of(batch)
                    if len(part):
                        self._took(target, target.publisher.publish(part))
                self._sequence = records[-1].sequence
                self._ledger.confirm(records)
        except DeliveryError as error:
            raise _Ended(str(error)) from error


class _Ended(Exception):
    """Why no more letters are tried now."""


__all__ = ["Again", "Replay", "Report", "Target", "convert_again", "rehearse"]
