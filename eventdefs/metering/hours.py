"""The arithmetic of usage: an hour of a resource as a function of the set of claims.

A covered moment belongs to the claim with the smallest end that covers it: the first observation after it, so that a
claim that reaches back over a change cannot repaint what was before. Of two claims with one end the smaller label
decides. What is kept is exactly that function, as segments; since it is a minimum, the order of claims, their
repetition and how they are split into batches cannot change it.

Nothing in this module reads a clock or a store. All times are microseconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from eventdefs.encode import write_json
from eventdefs.metering.claims import HOUR, SECOND, Group, Status, parse_label


class Segment(NamedTuple):
    """Covered time that belongs to one claim.

    Attributes:
        start, stop: within the hour.
        end: of the claim, which may lie after the hour.
        label: of the claim.
    """

    start: int
    stop: int
    end: int
    label: str


class Witnesses(NamedTuple):
    """The first and the last claim of a label that touch an hour: end and message_id of each, maybe shortened.

    The last is, of those that reach the end of the hour, the one that ends first; else the one that ends last.
    """

    first_end: int
    first_id: str | bytes
    last_end: int
    last_id: str | bytes


class Edges(NamedTuple):
    """Where the covered time of an hour begins and ends.

    Attributes:
        start, stop: of the first and the last segment.
        tail: end and label of the claim of the last segment.
        largest: the largest end and label of all; None where there are holes between segments.
    """

    start: int
    stop: int
    tail: tuple[int, str]
    largest: tuple[int, str] | None


def _edges_of(segments: list[Segment]) -> Edges:
    largest: tuple[int, str] | None = (0, "")
    position = segments[0].start
    for start, stop, end, label in segments:
        if start != position:
            largest = None
            break
        position = stop
        if largest is not None and (end, label) > largest:
            largest = (end, label)
    last = segments[-1]
    return Edges(segments[0].start, last.stop, (last.end, last.label), largest)


class Span(NamedTuple):
    """Time that counts, from start to stop, for a group."""

    start: int
    stop: int
    group: Group


class Counted(NamedTuple):
    """What an hour counts for a group.

    Attributes:
        micros: the time, in microseconds.
        digest: of meter, resource, hour, group and spans.
        claims: how many claims own a part of it.
        witnesses: message_ids.
    """

    micros: int
    digest: str
    claims: int
    witnesses: tuple[str, ...]


class HourState:
    """What all claims together say of one hour of one resource.

    Attributes:
        begin: of the hour.
        witnesses: by label.
    """

    __slots__ = ("_edges", "_packed", "_segments", "begin", "witnesses")

    def __init__(
        self,
        begin: int,
        segments: list[Segment] | None = None,
        witnesses: dict[str, Witnesses] | None = None,
        packed: Packed | None = None,
        edges: Edges | None = None,
    ) -> None:
        """Make the state of *segments*; or of what was stored of it, which is unfolded when it is needed."""
        self.begin = begin
        self.witnesses: dict[str, Witnesses] = {} if witnesses is None else witnesses
        self._segments = [] if segments is None and packed is None else segments
        self._packed = packed
        self._edges = edges

    def copy(self) -> HourState:
        """Return the same of its own, which another store may keep."""
        return HourState(self.begin, list(self.segments), dict(self.witnesses))

    @property
    def segments(self) -> list[Segment]:
        """The covered time: sorted, not overlapping; neighbours differ in claim."""
        if self._segments is None:
            assert self._packed is not None
            self._segments = self._packed.segments(self.begin)
        return self._segments

    @property
    def edges(self) -> Edges | None:
        """Where it begins and ends; None where nothing is covered."""
        if self._edges is None and self.segments:
            self._edges = _edges_of(self.segments)
        return self._edges

    @property
    def complete(self) -> bool:
        """Whether all of the hour is covered."""
        edges = self.edges
        if edges is None or edges.start > self.begin or edges.stop < self.begin + HOUR:
            return False
        return edges.largest is not None

    def add(self, begin: int, end: int, label: str, message_id: str) -> bool:
        """Count a claim; return whether that changed anything."""
        hour_end = self.begin + HOUR
        start = begin if begin > self.begin else self.begin
        stop = end if end < hour_end else hour_end
        if start >= stop:
            return False
        changed = self._witness(end, label, message_id, hour_end)
        edges = self.edges
        key = (end, label)
        if edges is None:
            self._drop_packed()
            self.segments.append(Segment(start, stop, end, label))
            self._edges = Edges(start, stop, key, key)
            return True
        if edges.largest is None or key < edges.largest or start > edges.stop or stop < edges.start:
            return self._insert(start, stop, end, label) or changed
        # The common case, claims in the order of their ends: nothing that is there gives way.
        if start < edges.start:
            self._drop_packed()
            self._put_before(Segment(start, edges.start, end, label))
            tail = key if len(self.segments) == 1 else edges.tail
            edges = self._edges = Edges(start, edges.stop, tail, key)
            changed = True
        if stop > edges.stop:
            self._put_after(edges, Segment(edges.stop, stop, end, label))
            self._edges = Edges(edges.start, stop, key, key)
            changed = True
        return changed

    def _put_before(self, segment: Segment) -> None:
        segments = self.segments
        first = segments[0]
        if (first.end, first.label) == (segment.end, segment.label):
            segments[0] = first._replace(start=segment.start)
        else:
            segments.insert(0, segment)

    def _put_after(self, edges: Edges, segment: Segment) -> None:
        if edges.tail == (segment.end, segment.label):
            self._drop_packed()
            self.segments[-1] = self.segments[-1]._replace(stop=segment.stop)
            return
        if self._packed is not None and not (
            segment.label == edges.tail[1] and self._packed.append(self.begin, segment)
        ):
            self._drop_packed()
        if self._segments is not None:
            self._segments.append(segment)

    def _drop_packed(self) -> None:
        """Unfold what was stored, and forget it."""
        self._segments = self.segments
        self._packed = None

    def _witness(self, end: int, label: str, message_id: str, hour_end: int) -> bool:
        known = self.witnesses.get(label)
        if known is None:
            self.witnesses[label] = Witnesses(end, message_id, end, message_id)
            return True
        first_end, first_id, last_end, last_id = known
        changed = False
        if end < first_end or (end == first_end and message_id < lengthen(first_id)):
            first_end, first_id, changed = end, message_id, True
        if end == last_end:
            if message_id < lengthen(last_id):
                last_id, changed = message_id, True
        elif (hour_end <= end < last_end) if last_end >= hour_end else (end > last_end):
            last_end, last_id, changed = end, message_id, True
        if changed:
            self.witnesses[label] = Witnesses(first_end, first_id, last_end, last_id)
        return changed

    def _insert(self, start: int, stop: int, end: int, label: str) -> bool:
        """Count a claim that may take from segments, or lie apart from them."""
        key = (end, label)
        segments = self.segments
        left = bisect_left(segments, start, key=lambda segment: segment.stop)
        made: list[Segment] = []
        position, right = start, left
        while right < len(segments) and segments[right].start <= stop:
            segment = segments[right]
            if position < segment.start:
                made.append(Segment(position, min(segment.start, stop), end, label))
            low, high = max(segment.start, start), min(segment.stop, stop)
            if (segment.end, segment.label) <= key or low >= high:
                made.append(segment)
            else:
                if segment.start < low:
                    made.append(Segment(segment.start, low, segment.end, segment.label))
                made.append(Segment(low, high, end, label))
                if high < segment.stop:
                    made.append(Segment(high, segment.stop, segment.end, segment.label))
            position = max(position, segment.stop)
            right += 1
        if position < stop:
            made.append(Segment(position, stop, end, label))
        made = list(_joined(made))
        if made == segments[left:right]:
            return False
        segments[left:right] = made
        self._packed = None
        self._edges = None
        return True

    def holes(self, cap: int | None) -> Iterator[tuple[int, int]]:
        """Yield the holes between the segments, up to *cap*."""
        for before, after in pairwise(self.segments):
            end = after.start if cap is None else min(after.start, cap)
            if before.stop < end:
                yield before.stop, end

    def spans(self, cap: int | None, before: Callable[[], bool | None]) -> list[Span]:
        """Return what counts, nothing after *cap*.

        What ends the resource counts where what stands directly before it counts; *before* is asked for that of the
        hour before, and answers None where nothing is there. With nothing before it, it counts.
        """
        spans: list[Span] = []
        stop = -1
        counts: bool | None = None
        for segment in self.segments:
            label = parse_label(segment.label)
            if label.status is Status.ENDING:
                if segment.start != stop:
                    counts = before() if segment.start == self.begin else None
                    counts = True if counts is None else counts
            else:
                counts = label.status is Status.RUNNING
            stop = segment.stop
            upto = stop if cap is None else min(stop, cap)
            if not counts or upto <= segment.start:
                continue
            if spans and spans[-1].stop == segment.start and spans[-1].group == label.group:
                spans[-1] = spans[-1]._replace(stop=upto)
            else:
                spans.append(Span(segment.start, upto, label.group))
        return spans

    def counts_at(self, end: int) -> bool | Literal["as before"] | None:
        """Return whether what stands directly before *end* counts, None where nothing does.

        Where all of the hour up to there belongs to what ends the resource, that is as it was before the hour.
        """
        position = end
        for start, stop, _, text in reversed(self.segments):
            if stop != position:
                return None if position == end else True
            status = parse_label(text).status
            if status is not Status.ENDING:
                return status is Status.RUNNING
            position = start
        if position == end:
            return None
        return "as before" if position == self.begin else True

    def count(
        self, meter: str, resource_id: str, cap: int | None, before: Callable[[], bool | None]
    ) -> dict[Group, Counted]:
        """Return what the hour counts, by group."""
        spans: dict[Group, list[tuple[int, int]]] = {}
        for start, stop, group in self.spans(cap, before):
            spans.setdefault(group, []).append((start, stop))
        if not spans:
            return {}
        owners: dict[Group, set[tuple[int, str]]] = {group: set() for group in spans}
        for segment in self.segments:
            label = parse_label(segment.label)
            counts = label.status is not Status.IDLE and (cap is None or segment.start < cap)
            if counts and label.group in owners:
                owners[label.group].add((segment.end, segment.label))
        return {
            group: Counted(
                sum(stop - start for start, stop in parts),
                digest_of_spans(meter, resource_id, self.begin, group, parts),
                len(owners[group]),
                self._witnesses_of(group),
            )
            for group, parts in spans.items()
        }

    def _witnesses_of(self, group: Group) -> tuple[str, ...]:
        known = [
            witnesses
            for label, witnesses in self.witnesses.items()
            if (parsed := parse_label(label)).group == group and parsed.status is not Status.IDLE
        ]
        first = min(((one.first_end, lengthen(one.first_id)) for one in known), default=None)
        last = max(((one.last_end, lengthen(one.last_id)) for one in known), default=None)
        if first is None or last is None:
            return ()
        return tuple(dict.fromkeys((first[1], last[1])))


def counts_before(
    begin: int,
    hour_at: Callable[[int], HourState | None],
    until: tuple[int, bool | None] | None,
    known: dict[int, bool | None] | None = None,
) -> bool | None:
    """Return whether what stands directly before *begin*, that of an hour, counts; None where nothing does.

    *hour_at* gives the state of the hour that begins then; *until* says where what is no longer kept ended, and whether
    it counted; *known* keeps answers.
    """
    first, answer = begin, None
    while True:
        if known is not None and begin in known:
            answer = known[begin]
            break
        state = hour_at(begin - HOUR)
        found = None if state is None else state.counts_at(begin)
        if found != "as before":
            answer = found
            if found is None and until is not None and until[0] == begin:
                answer = until[1]
            break
        begin -= HOUR
    if begin != first and answer is None:
        answer = True  # it ends the resource, and nothing was before it
    if known is not None:
        known[first] = answer
    return answer


def _joined(segments: list[Segment]) -> Iterator[Segment]:
    """Yield *segments*, those of one claim that touch as one."""
    held: Segment | None = None
    for segment in segments:
        if held is None:
            held = segment
        elif held.stop == segment.start and held.end == segment.end and held.label == segment.label:
            held = Segment(held.start, segment.stop, held.end, held.label)
        else:
            yield held
            held = segment
    if held is not None:
        yield held


def digest_of_spans(meter: str, resource_id: str, hour: int, group: Group, spans: list[tuple[int, int]]) -> str:
    """Return the digest of what counts for *group* in an hour."""
    text = write_json((meter, resource_id, hour, group.project_id, group.dimensions, spans))
    return blake2b(text, digest_size=16).hexdigest()


# --- as it is stored -------------------------------------------------------------------------------------------------


class Packed:
    """Segments as a list of numbers.

    A segment that follows the one before, has its label and ends where its claim does (nearly all are such) is one
    number, its length; any other is 0 and four numbers. Whole seconds are written as seconds, and labels as numbers of
    the store's.

    Attributes:
        scale: microseconds of one unit.
        numbers: the list.
    """

    __slots__ = ("_label_of", "_last_label", "numbers", "scale")

    def __init__(self, scale: int, numbers: list[int], last_label: int, label_of: Callable[[int], str]) -> None:
        self.scale = scale
        self.numbers = numbers
        self._last_label = last_label
        self._label_of = label_of

    def segments(self, begin: int) -> list[Segment]:
        """Return the segments of the hour that begins at *begin*."""
        segments: list[Segment] = []
        scale, numbers = self.scale, self.numbers
        stop, label = begin, ""
        index, count = 0, len(numbers)
        while index < count:
            length = numbers[index]
            if length:
                start, stop = stop, stop + length * scale
                segments.append(Segment(start, stop, stop, label))
                index += 1
            else:
                start, stop, end = (begin + number * scale for number in numbers[index + 1 : index + 4])
                label = self._label_of(numbers[index + 4])
                segments.append(Segment(start, stop, end, label))
                index += 5
        return segments

    def append(self, begin: int, segment: Segment) -> bool:
        """Add a segment that follows the last one and has its label; return False where the scale is too coarse."""
        scale, (start, stop, end, _) = self.scale, segment
        if start % scale or stop % scale or end % scale:
            return False
        if stop == end:
            self.numbers.append((stop - start) // scale)
        else:
            begin //= scale
            self.numbers += (0, start // scale - begin, stop // scale - begin, end // scale - begin, self._last_label)
        return True


def _pack_segments(begin: int, segments: list[Segment], number_of: Callable[[str], int]) -> tuple[int, list[int]]:
    scale = 1 if any(value % SECOND for segment in segments for value in segment[:3]) else SECOND
    packed: list[int] = []
    position, current = -1, ""
    for start, stop, end, label in segments:
        if start == position and stop == end and label == current:
            packed.append((stop - start) // scale)
        else:
            packed += (0, (start - begin) // scale, (stop - begin) // scale, (end - begin) // scale, number_of(label))
        position, current = stop, label
    return scale, packed


def pack(state: HourState, number_of: Callable[[str], int]) -> list[Any]:
    """Return *state* as lists of numbers and texts; *number_of* gives a label's number."""
    begin, edges = state.begin, state.edges
    if state._packed is not None:
        scale, numbers = state._packed.scale, state._packed.numbers
    else:
        scale, numbers = _pack_segments(begin, state.segments, number_of)
    border: list[int] = []
    if edges is not None:
        end, label = edges.tail
        border = [edges.start - begin, edges.stop - begin, end - begin, number_of(label)]
        if edges.largest is not None and edges.largest != edges.tail:
            border += [edges.largest[0] - begin, number_of(edges.largest[1])]
        elif edges.largest is None:
            border += [0]
    witnesses = [
        [number_of(label), first - begin, shorten(first_id), last - begin, shorten(last_id)]
        for label, (first, first_id, last, last_id) in state.witnesses.items()
    ]
    return [scale, numbers, border, witnesses]


def unpack(begin: int, packed: list[Any], label_of: Callable[[int], str]) -> HourState:
    """Return the state that `pack` wrote; *label_of* gives the label of a number."""
    scale, numbers, border, kept = packed
    edges, last_label = None, 0
    if border:
        start, stop, end, last_label, *rest = border
        tail = (begin + end, label_of(last_label))
        largest = (begin + rest[0], label_of(rest[1])) if len(rest) == 2 else None if rest else tail
        edges = Edges(begin + start, begin + stop, tail, largest)
    witnesses = {
        label_of(number): Witnesses(begin + first, first_id, begin + last, last_id)
        for number, first, first_id, last, last_id in kept
    }
    return HourState(begin, None, witnesses, Packed(scale, numbers, last_label, label_of), edges)


def shorten(message_id: str | bytes) -> str | bytes:
    """Return *message_id* in 16 bytes where it is a UUID, as nearly all are."""
    if isinstance(message_id, str) and len(message_id) == 36:
        try:
            short = bytes.fromhex(message_id.replace("-", ""))
        except ValueError:
            return message_id
        if lengthen(short) == message_id:
            return short
    return message_id


def lengthen(short: str | bytes) -> str:
    """Return the message_id that `shorten` made shorter."""
    if isinstance(short, str):
        return short
    text = short.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
