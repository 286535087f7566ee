"""A set of definitions, ready to convert notifications."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from eventdefs.decode import MAX_ID, NotANotification, decode_notification, projected_notification
from eventdefs.definitions.converters import Convert, compile_event
from eventdefs.definitions.derive import PeriodConverter, SampleConverter
from eventdefs.definitions.events import EventDefinition, catch_all
from eventdefs.definitions.options import Options, lowered
from eventdefs.definitions.patterns import PatternIndex, RegexIndex
from eventdefs.definitions.projection import project
from eventdefs.definitions.samples import SampleDefinition
from eventdefs.errors import Finding
from eventdefs.types import Conversion, DefinitionRef, Event, Notification, Period, Problem, Sample

MEMO = 10_000
"""How many event types are remembered. Senders choose them, so that there is no end of them."""


PROJECTED = 500
"""For how many event types `convert_json` keeps a decoder, or knows that there is none."""
# A guess: the answer is compared with what is read.
_EVENT_TYPE = re.compile(rb'"event_type": ?"([^"]{1,200})"').search


class Definitions:
    """Event and sample definitions that belong together. Does not change; safe to use from several threads.

    Attributes:
        events: the event definitions in the order of the files; the last that matches applies.
        samples: the sample definitions that are used.
        warnings: what loading found that is no error.
        options: what applies to all of them.
        fingerprint: of the texts they were read from; usage records name it.
    """

    def __init__(
        self,
        events: Sequence[EventDefinition],
        samples: Sequence[SampleDefinition],
        options: Options,
        warnings: tuple[Finding, ...] = (),
        fingerprint: str = "",
    ) -> None:
        self.events = tuple(events)
        self.samples = tuple(samples)
        self.options = options
        self.warnings = warnings
        self.fingerprint = fingerprint
        has_catch_all = any(definition.pattern.is_catchall for definition in events)
        added = () if options.drop_unmatched_notifications or has_catch_all else (catch_all(),)
        self._all_events = (*added, *self.events)
        self._patterns = PatternIndex([definition.pattern for definition in self._all_events])
        self._regexes = RegexIndex([list(definition.event_types) for definition in self.samples])
        self._event_priorities = lowered(options.event_priorities)
        self._sample_priorities = lowered(options.sample_priorities)
        self._raw_priorities = lowered(options.store_raw)
        self._compiled: dict[int, Convert] = {}
        self._converters: dict[int, SampleConverter | PeriodConverter] = {}
        self._memo: dict[str, Convert] = {}
        # () for event types that are read whole, so that it is asked once
        self._projected: dict[bytes, tuple[Callable[[bytes], dict[str, Any]], Convert, str] | tuple[()]] = {}

    def __repr__(self) -> str:
        return f"<Definitions: {len(self.events)} of events, {len(self.samples)} of samples>"

    def convert(self, notification: Notification) -> Conversion:
        """Return the event, the samples and the periods of *notification*, and what could not be read of it.

        The same definitions and notification give the same answer, in any process. Nothing is raised for bad data.
        """
        convert = self._memo.get(notification.event_type)
        if convert is None:
            convert = self._plan(notification.event_type)
        return convert(notification)

    def convert_json(self, data: bytes) -> Conversion:
        """Return what `convert` returns for the notification that *data* is.

        Where only keys are looked at, only they are read, which is faster; what is wrong with the JSON of a value that
        nobody looks at is then not noticed.

        Raises:
            DecodeError: *data* is no notification.
        """
        found = _EVENT_TYPE(data)
        key = b"" if found is None else found[1]
        projected = self._projected.get(key)
        if projected:
            decode, convert, event_type = projected
            try:
                document = decode(data)
                if document.get("event_type") == event_type:
                    return convert(projected_notification(document))
            except (msgspec.MsgspecError, UnicodeError, RecursionError, NotANotification, ValueError):
                pass  # the whole is read, and that says what is wrong, if anything is
        notification = decode_notification(data)
        event_type = notification.event_type
        if projected is None and key and key == event_type.encode("utf-8", "surrogatepass"):
            if len(self._projected) >= PROJECTED:
                self._projected = {}
            self._projected[key] = self._project(event_type) or ()
        return self.convert(notification)

    def _project(self, event_type: str) -> tuple[Callable[[bytes], dict[str, Any]], Convert, str] | None:
        """Return what `convert_json` needs for *event_type*; None where it gives more than an event of some keys."""
        number = self._patterns.last(event_type)
        if number is None or self._raw_priorities or any(self._regexes.all(event_type)):
            return None
        decode = project(self._all_events[number], event_type)
        return None if decode is None else (decode, self._event_converter(number), event_type)

    def find(self, event_type: str) -> DefinitionRef | None:
        """Return which event definition applies to *event_type*; None where none does."""
        number = self._patterns.last(event_type)
        return None if number is None else self._all_events[number].ref

    def find_all(self, event_type: str) -> tuple[list[EventDefinition], list[EventDefinition]]:
        """Return the event definitions that match *event_type*, of which the last applies, and those that exclude it.

        The catch-all is among them where nobody wrote one.
        """
        matching, excluding = self._patterns.all(event_type)
        return [self._all_events[number] for number in matching], [self._all_events[number] for number in excluding]

    def find_samples(self, event_type: str) -> tuple[SampleDefinition, ...]:
        """Return the sample definitions that apply to *event_type*."""
        numbers, _ = self._regexes.all(event_type)
        return tuple(self.samples[number] for number in numbers)

    def _plan(self, event_type: str) -> Convert:
        """Decide once how notifications of *event_type* are converted."""
        number = self._patterns.last(event_type)
        convert_event = _no_event if number is None else self._event_converter(number)
        numbers, unfinished = self._regexes.all(event_type)
        problems = tuple(
            Problem(
                "sample", definition.name, "", event_type[:120], "event_type did not finish in time", definition.place
            )
            for definition in (self.samples[number] for number in unfinished)
        )
        convert = convert_event
        if numbers or problems:
            converters = [self._sample_converter(number) for number in numbers]
            convert = _with_samples(convert_event, converters, self._sample_priorities, problems)
        # What did not finish once may do so the next time; what is very long is not worth its memory.
        if not problems and len(event_type) <= MAX_ID:
            if len(self._memo) >= MEMO:
                self._memo = {}
            self._memo[event_type] = convert
        return convert

    def _event_converter(self, number: int) -> Convert:
        convert = self._compiled.get(number)
        if convert is None:
            convert = compile_event(self._all_events[number], self._event_priorities, self._raw_priorities)
            self._compiled[number] = convert
        return convert

    def _sample_converter(self, number: int) -> SampleConverter | PeriodConverter:
        converter = self._converters.get(number)
        if converter is None:
            definition = self.samples[number]
            if definition.period is None:
                converter = SampleConverter(definition, self.options)
            else:
                converter = PeriodConverter(definition, definition.period)
            self._converters[number] = converter
        return converter


def _no_event(notification: Notification) -> Conversion:
    return Conversion()


def _with_samples(
    convert_event: Convert,
    converters: Sequence[SampleConverter | PeriodConverter],
    priorities: frozenset[str],
    always: tuple[Problem, ...],
) -> Callable[[Notification], Conversion]:
    def convert(notification: Notification) -> Conversion:
        conversion = convert_event(notification)
        if conversion.rejected or notification.priority not in priorities:
            return conversion
        samples: list[Sample] = []
        periods: list[Period] = []
        problems: list[Problem] = [*conversion.problems, *always]
        for converter in converters:
            if isinstance(converter, SampleConverter):
                converter.convert(notification, samples, problems)
            else:
                converter.convert(notification, periods, problems)
        event: Event | None = conversion.event
        return Conversion(event, tuple(samples), tuple(periods), tuple(problems), conversion.definition)

    return convert
