"""Everything that eventdefs raises.

EventdefsError
 |-- DefinitionErrors            what an operator wrote cannot be used; carries every finding at once
 |-- InputError                  a file or stream of notifications cannot be read
 |-- DecodeError                 bytes that are no notification; carries them and says why
 |-- PathSyntaxError             text that is no path, with the column
 |-- PathEvaluationError         a path that fails on a document
 |-- PublisherURLError           a publisher's URL or options
 |-- SettingsError               a settings file
 |-- LedgerError                 what is asked of a ledger cannot be done
 `-- DeliveryError               a batch was not delivered
      |-- RetryableDeliveryError    the same batch may be accepted later
      |    `-- AccessDeniedError        when somebody has put our credentials or rights in order
      |-- PermanentDeliveryError    it never will
      |    `-- ReaderGoneError          whoever read our output has enough
      `-- PartialDeliveryError      some of it was delivered; says what may be later, and what never will

Bad data inside a notification raises nothing: it is a `Problem` beside the result (see types.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from eventdefs.types import Batch, Delivered, Place, Refused


class EventdefsError(Exception):
    """The root of all errors of this package."""


class Fix(NamedTuple):
    """An edit that puts a finding right: what stands from `place.column` to `place.end_column` becomes `text`."""

    title: str
    place: Place
    text: str


class Finding(NamedTuple):
    """One thing to say about a definition file.

    Attributes:
        code: a row of `definitions.findings.CODES`; E is an error, W a warning, N a note.
        message: what is wrong, with what was found.
        place: where.
        hint: what was expected, and how to put it right.
        excerpt: the line it stands on.
        related: other places that it is about, such as what shadows a definition.
        fix: the edit that puts it right, where one is known.
    """

    code: str
    message: str
    place: Place
    hint: str = ""
    excerpt: str = ""
    related: tuple[Place, ...] = ()
    fix: Fix | None = None

    @property
    def severity(self) -> Literal["error", "warning", "note"]:
        return _SEVERITIES[self.code[0]]

    def __str__(self) -> str:
        head = f"{self.place}: {self.severity}[{self.code}]: {self.message}"
        if not self.excerpt:
            return f"{head}\n   = {self.hint}" if self.hint else head
        number = str(self.place.line)
        margin = " " * len(number)
        start, line = _window(self.excerpt, self.place.column)
        width = max(1, min(self.place.end_column - self.place.column, len(line) - start))
        return f"{head}\n {margin} |\n {number} | {line}\n {margin} | {' ' * start}{'^' * width} {self.hint}".rstrip()


_SEVERITIES: dict[str, Literal["error", "warning", "note"]] = {"E": "error", "W": "warning", "N": "note"}


def _window(line: str, column: int, width: int = 120) -> tuple[int, str]:
    """Cut a long *line* to what stands around *column*; return where the column is in it, and the cut."""
    line = line.replace("\t", " ")
    start = max(0, column - 1)
    if len(line) <= width:
        return min(start, len(line)), line
    left = max(0, start - width // 2)
    return start - left, line[left : left + width]


class DefinitionErrors(EventdefsError):
    """Definitions that cannot be used: every error of every file, in file order.

    Attributes:
        findings: the errors, and the warnings found on the way.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class InputError(EventdefsError):
    """Notifications cannot be read: the file is missing, is no gzip file, or fails half-way."""


class DecodeError(EventdefsError):
    """What was received is not a notification.

    Attributes:
        reason: why not.
        data: what was received, with credentials masked where it could be read at all.
    """

    def __init__(self, reason: str, data: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.data = data


class PathSyntaxError(EventdefsError):
    """Text that is not a path.

    Attributes:
        reason: what is wrong.
        column: of the character at fault, counted from 1.
        hint: how it is written right, '' where nothing is known.
    """

    def __init__(self, reason: str, column: int, hint: str = "") -> None:
        super().__init__(f"{reason} at column {column}")
        self.reason = reason
        self.column = column
        self.hint = hint


class PathEvaluationError(EventdefsError):
    """A path fails on a document, for example an index below the start of a list."""


class PublisherURLError(EventdefsError):
    """A publisher's URL names an unknown scheme or option, or a value that the option does not take."""


class SettingsError(EventdefsError):
    """A settings file cannot be read, or has an option that is unknown or has a value that it does not take."""


class LedgerError(EventdefsError):
    """What is asked of a ledger cannot be done: its URL names none, a month is not over, hours are no longer kept."""


class DeliveryError(EventdefsError):
    """A batch was not delivered."""


class RetryableDeliveryError(DeliveryError):
    """The same batch may be accepted later: time-out, disk full, broker away.

    Attributes:
        after: how many seconds the target asks us to wait, None where it does not say.
    """

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class AccessDeniedError(RetryableDeliveryError):
    """The target does not let us in, or lets us in without the rights that we need (401, 403).

    Nothing that waits is at fault, so nothing is dead-lettered for it: it is said loudly, and tried again slowly.
    """


class PermanentDeliveryError(DeliveryError):
    """The batch never will be accepted: too large, not to be serialised, refused."""


class ReaderGoneError(PermanentDeliveryError):
    """Whoever read our output has closed it, as `head` does; no fault of anybody."""


class PartialDeliveryError(DeliveryError):
    """Some of a batch was delivered, and some was not.

    Attributes:
        delivered: how many were, and how many of them were there already.
        again: what may be accepted later, empty where there is nothing of that.
        error: why *again* was not accepted, None where it is empty.
        refused: what never will be accepted, each with the reason.
    """

    def __init__(
        self,
        delivered: Delivered,
        again: Batch,
        error: RetryableDeliveryError | None,
        refused: Sequence[Refused] = (),
    ) -> None:
        self.delivered = delivered
        self.again = again
        self.error = error
        self.refused = tuple(refused)
        reasons = [str(error)] if error is not None else []
        reasons += dict.fromkeys(one.reason for one in self.refused[:3])
        super().__init__(
            f"{delivered.published} delivered, {len(again)} not yet, {len(self.refused)} refused: {'; '.join(reasons)}"
        )
