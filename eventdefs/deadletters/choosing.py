"""Which letters are meant, and what they have in common. Nothing in this module reads a clock or a place."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from eventdefs.deadletters.letters import DeadLetter

MOST_GROUPS = 10_000
"""How many groups are told apart: senders choose what is in a reason."""

# What differs between two reasons that are the same: quoted texts, ids, places in a text and large numbers.
_PARTICULAR = re.compile(
    r"""'[^']*' | "[^"]*"
      | \b[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\b
      | (?<=\bline\ )\d+ | (?<=\bcolumn\ )\d+ | (?<=\bbyte\ )\d+
      | \b\d[\d,]{4,}\b""",
    re.VERBOSE,
)


class Choice(NamedTuple):
    """What is asked for; all of it must hold.

    Attributes:
        ids: ids, or how they begin.
        fates, tenants: any of these; '' is nobody's.
        reasons, event_types: globs, of which one must match.
        since, until: when the letter was dead-lettered last: then or later, and before then.
    """

    ids: Sequence[str] = ()
    fates: Sequence[str] = ()
    tenants: Sequence[str] = ()
    reasons: Sequence[str] = ()
    event_types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Tell whether *letter* is meant."""
        return (
            (not self.ids or any(letter.id.startswith(one) for one in self.ids))
            and (not self.fates or letter.fate in self.fates)
            and (not self.tenants or (letter.tenant or "") in self.tenants)
            and (not self.event_types or _any_matches(self.event_types, [letter.event_type]))
            and (not self.reasons or _any_matches(self.reasons, reasons_of(letter)))
            and (self.since is None or (letter.last is not None and letter.last >= self.since))
            and (self.until is None or (letter.last is not None and letter.last < self.until))
        )

    def of(self, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        """Yield those of *letters* that are meant."""
        return filter(self.takes, letters)


def _any_matches(globs: Sequence[str], texts: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, glob) for glob in globs for text in texts)


def reasons_of(letter: DeadLetter) -> list[str]:
    """Return all that is wrong with *letter*, in words."""
    return [letter.reason, *(str(error.get("reason", "")) for error in letter.errors)]


class Key(NamedTuple):
    """What letters of a group have in common.

    Attributes:
        fate: of the letters.
        reason: what is wrong, without what is particular to one letter.
        definition: the file and the line of what could not be read, '' where it is about none.
        name: the trait, or the meter and its attribute, with its kind; '' as well.
        publisher: who did not take it, '' as well.
    """

    fate: str
    reason: str
    definition: str = ""
    name: str = ""
    publisher: str = ""


class Group:
    """How many letters there are of a kind, how often they were dead-lettered, and when first and last."""

    def __init__(self) -> None:
        self.letters = 0
        self.count = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, letter: DeadLetter) -> None:
        self.letters += 1
        self.count += letter.count
        if letter.first is not None:
            self.first = letter.first if self.first is None else min(self.first, letter.first)
        if letter.last is not None:
            self.last = letter.last if self.last is None else max(self.last, letter.last)


def group(letters: Iterable[DeadLetter]) -> tuple[Group, list[tuple[Key, Group]]]:
    """Return the group of all *letters*, and that of each reason, the largest first.

    A letter with several reasons is in the group of each.
    """
    everything = Group()
    groups: dict[Key, Group] = {}
    for letter in letters:
        everything.add(letter)
        for key in dict.fromkeys(_keys(letter)):
            if key not in groups and len(groups) >= MOST_GROUPS:
                key = Key("...", "...")
            groups.setdefault(key, Group()).add(letter)
    return everything, sorted(groups.items(), key=lambda pair: (-pair[1].letters, pair[0]))


def _keys(letter: DeadLetter) -> Iterator[Key]:
    for error in letter.errors or [{"reason": letter.reason}]:
        reason = str(error.get("reason", ""))
        if "kind" not in error:
            yield Key(letter.fate, plain(reason), publisher=letter.publisher)
        else:
            place = ":".join(str(part) for part in (error.get("file"), error.get("line")) if part)
            name = f"{error['kind']} {error.get('name', '')}"
            yield Key(letter.fate, plain(reason.partition(":")[0]), place, name)


def plain(reason: str) -> str:
    """Return *reason* without what is particular to one case.

    >>> plain("timestamp 'yesterday': not an ISO 8601 time at line 7, column 12")
    'timestamp …: not an ISO 8601 time at line …, column …'
    """
    return _PARTICULAR.sub("…", reason)[:300]


def as_document(key: Key, found: Group) -> dict[str, Any]:
    """Return a group as it is written as JSON."""
    times = {"letters": found.letters, "count": found.count, "first": found.first, "last": found.last}
    return {"kind": "group", **key._asdict(), **times}
