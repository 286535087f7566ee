"""A queue on disk between the input and a publisher, so that an input goes on for days while a target is away.

What `Spool.publish` has taken is on the disk: it survives that the process is killed or the machine fails. A thread
delivers it in the order in which it came, and how far that got is on the disk too. `SpoolFiles` is the work on files
and has no thread; a batch is one record there.

The folder has segments, each named by how many items came before it, and `settled`. A record is a head (`_HEAD`) and
its payload. The checksum covers where the record stands, so that nothing that a sender put into a notification, and
no block of an older file, is ever taken for a record.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from eventdefs.delivery.settling import PATIENCE, STUCK, Settling, Undelivered
from eventdefs.errors import (
    DecodeError,
    DeliveryError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.types import (
    Batch,
    Closure,
    Delivered,
    Event,
    Evidence,
    Gap,
    Item,
    Notification,
    Period,
    Refusal,
    Refused,
    Sample,
    Usage,
    identity_of,
)

_log = logging.getLogger(__name__)

# --- batches as bytes ------------------------------------------------------------------------------------------------

_KINDS: dict[str, Any] = {
    str(kind.__struct_config__.tag): kind for kind in (Event, Sample, Period, Usage, Gap, Refusal, Closure)
}
_INTEGER, _TEXT, _MAPPING = 1, 2, 3
"""What MessagePack has no form for: integers beyond 64 bits, lone surrogates, and mappings with such keys."""


def _plain_mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form on disk")


def _extension(code: int, data: memoryview) -> Any:
    if code == _INTEGER:
        return int(bytes(data), 16)
    if code == _TEXT:
        return str(data, "utf-8", "surrogatepass")
    if code == _MAPPING:
        return dict(_decode(data))
    raise ValueError(f"unknown extension {code}")


_encode = msgspec.msgpack.Encoder(enc_hook=_plain_mapping).encode
_decode = msgspec.msgpack.Decoder(ext_hook=_extension).decode


def encode_batch(batch: Batch) -> bytes:
    """Return *batch* as bytes that `decode_batch` reads back equal: what JSON knows, and times.

    Of the origins those of its items are kept.

    Raises:
        PermanentDeliveryError: something in it is neither.
    """
    notifications: dict[int, Notification] = {}
    places: dict[int, int] = {}
    origins = []
    if batch.origins:
        for identity in dict.fromkeys(map(identity_of, batch)):
            origin = batch.origins.get(identity)
            if origin is not None:
                place = places.setdefault(id(origin), len(places))
                notifications[place] = origin
                origins.append((place, *identity))
    document = {
        "items": list(batch),
        "notifications": list(notifications.values()),
        "origins": origins,
        "replace": batch.replace,
    }
    try:
        try:
            return _encode(document)
        except (OverflowError, UnicodeError):
            return _encode(_extended(document))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PermanentDeliveryError(f"cannot be written to a spool: {error}") from error


def _extended(value: Any) -> Any:
    """Return *value* with extensions where MessagePack has no form."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        return _extended(({} if tag is None else {"kind": tag}) | msgspec.structs.asdict(value))
    if isinstance(value, Mapping):
        pairs = [(_extended(key), _extended(item)) for key, item in value.items()]
        if any(isinstance(key, msgspec.msgpack.Ext) for key, _ in pairs):
            return msgspec.msgpack.Ext(_MAPPING, _encode(pairs))
        return dict(pairs)
    if isinstance(value, (list, tuple)):
        return [_extended(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_INTEGER, f"{value:x}".encode())
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeError:
            return msgspec.msgpack.Ext(_TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def decode_batch(payload: bytes) -> Batch:
    """Return the batch that `encode_batch` wrote.

    Raises:
        DecodeError: it is none, or one of a later release.
    """
    try:
        document = _decode(payload)
        notifications = [Notification(**found) for found in document["notifications"]]
        origins = {tuple(identity): notifications[place] for place, *identity in document["origins"]}
        items = [_item(found) for found in document["items"]]
        return Batch(origins=origins, replace=document["replace"]).part(items)
    except (msgspec.MsgspecError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise DecodeError(f"not a batch: {type(error).__name__}: {error}", b"") from error


def _item(found: dict[str, Any]) -> Any:
    kind = _KINDS[found.pop("kind")]
    if kind is Usage:
        evidence = found["evidence"]
        found["evidence"] = Evidence(**{**evidence, "witnesses": tuple(evidence["witnesses"])})
    return kind(**found)


# --- files -----------------------------------------------------------------------------------------------------------

_HEAD = struct.Struct("<4sIIId")
"""Mark, checksum, bytes of the payload, items in it, when it came in seconds."""
_MARK = b"\xffsp\xff"
"""How a record begins. No text has 0xff in it."""
SEGMENT_BYTES = 16 * 2**20


class Cursor(NamedTuple):
    """A place between two records: segment, bytes into it, and how many items stand before it in all."""

    segment: int = 0
    offset: int = 0
    items: int = 0


class Record(NamedTuple):
    """What was appended at once.

    Attributes:
        items: how many items it was said to have.
        at: when it was appended, in seconds.
        begin, end: where it stands.
    """

    payload: bytes
    items: int
    at: float
    begin: Cursor
    end: Cursor


def _checksum(place: Cursor, head: bytes, payload: bytes) -> int:
    return crc32(payload, crc32(head[8:], crc32(b"%d %d" % (place.segment, place.offset))))


class SpoolFiles:
    """Records on disk: appended by any number of threads, read and settled by one. One process has them at a time.

    Attributes:
        corrupt_bytes: how much could not be read and was set aside, since it was opened.
        cut_bytes: how much of that was the end of the last segment: a record that was being written when the process
            was killed, as a rule.
    """

    def __init__(self, folder: str | Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the spool in *folder*, which is made; hold *max_bytes* of records, and begin a segment after so many.

        Raises:
            PublisherURLError: it cannot be opened, or another process has it.
        """
        self._folder = Path(folder)
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._changed = threading.Condition(threading.Lock())
        self._finishing = False
        self._syncing = False
        self._losses = 0
        self._loss = ""
        self._bad: set[tuple[int, int]] = set()
        self.corrupt_bytes = 0
        self.cut_bytes = 0
        self._file = -1
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PublisherURLError(f"the spool {folder} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._recover()
        except BlockingIOError:
            os.close(self._lock)
            raise PublisherURLError(f"the spool {folder} is being used by another publisher or process") from None
        except OSError as error:
            self._release()
            raise PublisherURLError(f"the spool {folder} cannot be opened: {error.strerror}") from error

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:020}.segment"

    def _recover(self) -> None:
        """Find where records end and how far they are settled; cut off what was not finished."""
        names = [path.stem for path in self._folder.glob("*.segment")]
        self._sizes = {
            segment: self._path(segment).stat().st_size
            for segment in sorted(int(name) for name in names if name.isdigit() and len(name) == 20)
        }
        """The bytes of each segment, by name, in order; those of the last one grow."""
        settled = self._read_settled()
        if settled.segment not in self._sizes:
            later = [segment for segment in self._sizes if segment > settled.segment]
            begin = later[0] if later else settled.items
            settled = Cursor(begin, 0, begin)
        self._settled = settled
        self._drop_settled()
        last = max(self._sizes, default=settled.segment)
        self._sizes.setdefault(last, 0)
        self._file = self._open(last)
        end = settled if last == settled.segment else Cursor(last, 0, last)
        self._end = self._durable = self._cut_off(end, os.fstat(self._file).st_size)
        if self._settled > self._end:
            self._settled = self._end
        self._sizes[last] = self._end.offset
        self._sync_folder()

    def _open(self, segment: int) -> int:
        return os.open(self._path(segment), os.O_RDWR | os.O_CREAT, 0o600)

    def _cut_off(self, cursor: Cursor, size: int) -> Cursor:
        """Return where the last record after *cursor* ends, and cut off what follows it in the last segment."""
        if cursor.offset > size:  # somebody cut off what was settled
            return cursor._replace(offset=size)
        while cursor.offset < size:
            record = _record_at(self._file, cursor, size) or _record_after(self._file, cursor, size)
            if record is None:
                self._set_aside(cursor, size, self._file)
                self._bad.discard(cursor[:2])  # something else will stand there
                self.cut_bytes += size - cursor.offset
                os.ftruncate(self._file, cursor.offset)
                os.fsync(self._file)
                break
            cursor = record.end
        return cursor

    def _read_settled(self) -> Cursor:
        try:
            text = (self._folder / "settled").read_bytes()
        except FileNotFoundError:
            return Cursor()
        *numbers, checksum = text.split() or [b""]
        if len(numbers) != 3 or checksum != b"%08x" % crc32(b" ".join(numbers)):
            _log.warning("%s/settled cannot be read: what the spool still has is delivered again", self._folder)
            return Cursor()
        return Cursor(*map(int, numbers))

    @property
    def settled(self) -> Cursor:
        """How far records were delivered."""
        return self._settled

    @property
    def end(self) -> Cursor:
        """Where what is on the disk ends."""
        return self._durable

    @property
    def waiting(self) -> tuple[int, int]:
        """How many items and bytes wait."""
        with self._changed:
            return max(0, self._end.items - self._settled.items), self._waiting_bytes()

    def _waiting_bytes(self) -> int:
        return sum(self._sizes.values()) - self._settled.offset

    def append(self, payload: bytes, items: int, at: float) -> Cursor:
        """Keep *payload*, of so many *items*, which comes *at* so many seconds; return its end once it is on the disk.

        Threads that append at the same time share the wait for the disk.

        Raises:
            RetryableDeliveryError: there is no room, on the disk or within `max_bytes`; nothing of it is kept.
            PermanentDeliveryError: it is larger than all of the spool.
        """
        size = _HEAD.size + len(payload)
        if size > self._max_bytes or len(payload) >= 2**32:
            raise PermanentDeliveryError(f"{size:,} bytes are more than the spool {self._folder} holds")
        with self._changed:
            self._make_room(size)
            try:
                mine = self._place(payload, items, at)
            except RetryableDeliveryError:
                if self._settled != self._end or not self._end.offset or self._syncing:
                    raise
                self._begin_segment()  # all of this one is delivered, and the disk has need of its room
                self._settled = self._end
                self._drop_settled()
                mine = self._place(payload, items, at)
            self._sync(mine)
            return mine

    def _place(self, payload: bytes, items: int, at: float) -> Cursor:
        """Write a record after `_end`; return where it ends."""
        begin = self._end
        head = _HEAD.pack(_MARK, 0, len(payload), items, at)
        head = _HEAD.pack(_MARK, _checksum(begin, head, payload), len(payload), items, at)
        self._write(head + payload, begin)
        self._end = Cursor(begin.segment, begin.offset + len(head) + len(payload), begin.items + items)
        self._sizes[begin.segment] = self._end.offset
        return self._end

    def _make_room(self, size: int) -> None:
        """See that *size* bytes may be written after `_end`, in a new segment where this one is full or was removed."""
        while True:
            if self._file < 0:
                raise RetryableDeliveryError(f"the spool {self._folder} is closed")
            waiting = self._waiting_bytes()
            if waiting + size > self._max_bytes:
                raise RetryableDeliveryError(
                    f"the spool {self._folder} is full: {waiting:,} of {self._max_bytes:,} bytes wait"
                )
            removed = os.fstat(self._file).st_nlink == 0
            full = self._end.offset > 0 and self._end.offset + size > self._segment_bytes
            if not removed and not full:
                return
            if self._syncing:
                self._changed.wait()
                continue
            if removed:
                _log.error("%s was removed while it was in use", self._path(self._end.segment))
            self._begin_segment()

    def _begin_segment(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._take_back(error)
            raise RetryableDeliveryError(f"the spool {self._folder}: {error.strerror}") from error
        segment = self._end.items
        try:
            file = self._open(segment)
            self._sync_folder()
        except OSError as error:
            raise RetryableDeliveryError(f"the spool {self._folder}: {error.strerror}") from error
        os.close(self._file)
        self._file = file
        self._sizes[segment] = 0
        self._end = self._durable = Cursor(segment, 0, segment)
        self._changed.notify_all()

    def _write(self, data: bytes, place: Cursor) -> None:
        try:
            view, offset = memoryview(data), place.offset
            while view:
                written = os.pwrite(self._file, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            with contextlib.suppress(OSError):  # what stays is overwritten, or cut off when it is opened next
                os.ftruncate(self._file, place.offset)
            raise RetryableDeliveryError(f"the spool {self._folder}: {error.strerror}") from error

    def _sync(self, mine: Cursor) -> None:
        """Return when all up to *mine* is on the disk. One thread waits for the disk, the others for that one."""
        losses = self._losses
        while self._losses == losses and self._durable < mine:
            if self._syncing:
                self._changed.wait()
                continue
            written, failure = self._end, None
            self._syncing = True
            self._changed.release()
            try:
                os.fdatasync(self._file)
            except OSError as error:
                failure = error
            finally:
                self._changed.acquire()
                self._syncing = False
                self._changed.notify_all()
            if failure is None:
                self._durable = written
            else:
                self._take_back(failure)
        if self._losses != losses:
            raise RetryableDeliveryError(f"the spool {self._folder}: {self._loss}")

    def _take_back(self, error: OSError) -> None:
        """Forget what the disk may not have: nobody was told that it has."""
        self._losses += 1
        self._loss = error.strerror or str(error)
        self._end = self._durable
        self._sizes[self._end.segment] = self._end.offset
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._end.offset)

    def read_from(self, cursor: Cursor) -> Iterator[Record]:
        """Yield the records after *cursor* that are on the disk, in order.

        What cannot be read is set aside in a file of its own beside the segments, counted and logged, once.
        """
        end = self._durable
        while cursor < end:
            last = cursor.segment == end.segment
            try:
                file = os.open(self._path(cursor.segment), os.O_RDONLY)
            except FileNotFoundError:
                _log.error("%s was removed before it was delivered", self._path(cursor.segment))
            else:
                try:
                    size = end.offset if last else os.fstat(file).st_size
                    while cursor.offset < size:
                        record = _record_at(file, cursor, size)
                        if record is None:
                            record = _record_after(file, cursor, size)
                            self._set_aside(cursor, record.begin.offset if record is not None else size, file)
                        if record is None:
                            break
                        yield record
                        cursor = record.end
                finally:
                    os.close(file)
            with self._changed:
                later = [segment for segment in self._sizes if cursor.segment < segment <= end.segment]
            if not later:
                return
            cursor = Cursor(later[0], 0, later[0])

    def set_aside(self, record: Record) -> None:
        """Keep *record*, of which nothing can be made, where somebody can look at it."""
        with contextlib.closing(_Opened(self._path(record.begin.segment))) as opened:
            self._set_aside(record.begin, record.end.offset, opened.file)

    def _set_aside(self, begin: Cursor, end: int, file: int) -> None:
        """Copy what stands from *begin* to *end* into a file of its own, once."""
        with self._changed:
            if begin[:2] in self._bad:
                return
            self._bad.add(begin[:2])
            self.corrupt_bytes += end - begin.offset
        try:
            data = os.pread(file, end - begin.offset, begin.offset)
            path = self._folder / f"{begin.segment:020}-{begin.offset}-{crc32(data):08x}.corrupt"
            _log.error("%d bytes in the spool cannot be read, they are set aside in %s", len(data), path)
            _write_durably(path, data)
        except OSError as error:
            _log.error("what cannot be read in the spool %s cannot be set aside: %s", self._folder, error.strerror)

    def settle(self, cursor: Cursor) -> None:
        """Remember that all up to *cursor* was delivered, and remove segments that are done.

        Where the disk is full, removing them makes the room; where that is not enough, it is remembered in memory.
        """
        with self._changed:
            later = [segment for segment in self._sizes if segment > cursor.segment]
            if later and cursor.offset == self._sizes.get(cursor.segment):
                cursor = Cursor(later[0], 0, later[0])
            self._settled = cursor
        failure = self._write_settled(cursor)
        with self._changed:
            self._drop_settled()
        if failure is not None and self._write_settled(cursor) is not None:
            _log.warning("%s/settled cannot be written: %s", self._folder, failure.strerror)

    def _write_settled(self, cursor: Cursor) -> OSError | None:
        numbers = b"%d %d %d" % cursor
        new = self._folder / "settled.new"
        try:
            _write_durably(new, b"%s %08x\n" % (numbers, crc32(numbers)))
            new.replace(self._folder / "settled")
            self._sync_folder()
        except OSError as error:
            return error
        return None

    def _drop_settled(self) -> None:
        for segment in [segment for segment in self._sizes if segment < self._settled.segment]:
            with contextlib.suppress(OSError):
                self._path(segment).unlink()
            del self._sizes[segment]

    def _sync_folder(self) -> None:
        with contextlib.closing(_Opened(self._folder)) as opened:
            os.fsync(opened.file)

    def await_more(self, cursor: Cursor, seconds: float | None = None) -> bool:
        """Wait until there is something after *cursor*; tell whether there is, and stop waiting at `finish`."""
        with self._changed:
            self._changed.wait_for(lambda: self._durable > cursor or self._finishing, seconds)
            return self._durable > cursor

    def finish(self) -> None:
        """Let nobody wait for more."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def check(self) -> None:
        """See that the folder is there and can be written.

        Raises:
            RetryableDeliveryError: it is not.
        """
        probe = self._folder / "probe"
        try:
            _write_durably(probe, b"")
            probe.unlink()
        except OSError as error:
            raise RetryableDeliveryError(f"the spool {self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """Let another process have the spool. What was not delivered stays."""
        self.finish()
        with self._changed:
            while self._syncing:
                self._changed.wait()
            if self._file >= 0:
                self._release()

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        os.close(self._lock)


class _Opened:
    """A file or folder that is open for reading, until it is closed."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        os.close(self.file)


def _write_durably(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(file)


def _record_at(file: int, place: Cursor, end: int) -> Record | None:
    """Return the record that stands at *place* and ends before *end*, None where there is none."""
    head = os.pread(file, _HEAD.size, place.offset)
    if len(head) < _HEAD.size:
        return None
    mark, checksum, length, items, at = _HEAD.unpack(head)
    stop = place.offset + _HEAD.size + length
    if mark != _MARK or stop > end:
        return None
    payload = os.pread(file, length, place.offset + _HEAD.size)
    if _checksum(place, head, payload) != checksum:
        return None
    return Record(payload, items, at, place, Cursor(place.segment, stop, place.items + items))


def _record_after(file: int, place: Cursor, end: int) -> Record | None:
    """Return the first record that stands after *place*, where there is none."""
    rest = os.pread(file, end - place.offset, place.offset)
    at = rest.find(_MARK, 1)
    while at >= 0:
        record = _record_at(file, place._replace(offset=place.offset + at), end)
        if record is not None:
            return record
        at = rest.find(_MARK, at + 1)
    return None


# --- a publisher -----------------------------------------------------------------------------------------------------


class SpoolState(NamedTuple):
    """What a spool has.

    Attributes:
        items, bytes: how much waits.
        oldest: for how many seconds the first of it has waited, None where nothing waits.
        corrupt_bytes, cut_bytes: as of `SpoolFiles`.
        overflow: how many items there was no room for.
    """

    items: int
    bytes: int
    oldest: float | None
    corrupt_bytes: int
    cut_bytes: int
    overflow: int


class _Taken(NamedTuple):
    """A record that is being delivered, and what it has."""

    record: Record
    batch: Batch


class Spool:
    """A publisher that takes what it is given to the disk, and delivers it in a thread of its own, in order.

    Attributes:
        tally: what became of it.
        overflow: how many items there was no room for.
    """

    def __init__(
        self,
        publisher: Settling,
        files: SpoolFiles,
        undelivered: Undelivered,
        *,
        required: bool = True,
        items: int = 1000,
        bytes: int = 4 * 2**20,
        linger: float = 0.0,
        max_age: float,
        close_for: float,
        stop: threading.Event,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        """Deliver to *publisher* what *files* have, in batches of so many *items* and *bytes* or one record more.

        A batch waits *linger* seconds to be filled. What has waited longer than *max_age* seconds goes to
        *undelivered*, and so does what there is no room for, unless it is *required*: then the caller waits. At the
        end *close_for* seconds are spent on what waits. *wait* lets seconds go by and tells whether *stop* is set,
        which is set at the end; *clock* gives seconds that go on between processes. A publisher that does not return
        within *patience* seconds after the end is left alone.
        """
        self.tally = publisher.tally
        self.overflow = 0
        self._publisher = publisher
        self._files = files
        self._undelivered = undelivered
        self._required = required
        self._items = items
        self._bytes = bytes
        self._linger = linger
        self._max_age = max_age
        self._close_for = close_for
        self._stop = stop
        self._pause = wait
        self._clock = clock
        self._patience = patience
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return self._files.waiting[0]

    @property
    def state(self) -> SpoolState:
        """What waits, and what could not be kept."""
        items, size = self._files.waiting
        first = next(self._files.read_from(self._files.settled), None)
        oldest = None if first is None else max(0.0, self._clock() - first.at)
        return SpoolState(items, size, oldest, self._files.corrupt_bytes, self._files.cut_bytes, self.overflow)

    def start(self) -> None:
        """Begin to deliver what an earlier process left; the first batch does so too."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name="spool", daemon=True)
            self._thread.start()

    def publish(self, batch: Batch) -> Delivered:
        """Take *batch*, and return when it is on the disk. What has no form on disk is dead-lettered at once.

        Raises:
            RetryableDeliveryError: there is no room, and it is required; or it cannot be dead-lettered.
            PartialDeliveryError: the same of some of it, the rest is taken.
        """
        if not len(batch):
            return Delivered(0)
        try:
            self._files.append(encode_batch(batch), len(batch), self._clock())
        except RetryableDeliveryError as error:
            self.overflow += len(batch)
            if self._required:
                raise
            return self._dead_letter(batch, str(error))
        except PermanentDeliveryError as error:
            if len(batch) == 1:
                return self._dead_letter(batch, str(error))
            items = list(batch)
            parts = items[: len(items) // 2], items[len(items) // 2 :]
            return self._publish_both(batch.part(parts[0]), batch.part(parts[1]))
        self.start()
        return Delivered(0)

    def _publish_both(self, first: Batch, second: Batch) -> Delivered:
        """Take *first* and then *second*; what was taken is not given back."""
        try:
            taken = self.publish(first)
        except PartialDeliveryError as error:
            again = first.part([*error.again, *second])
            raise PartialDeliveryError(error.delivered, again, error.error) from error
        try:
            return taken.plus(self.publish(second))
        except PartialDeliveryError as error:
            raise PartialDeliveryError(taken.plus(error.delivered), error.again, error.error) from error
        except RetryableDeliveryError as error:
            raise PartialDeliveryError(taken, second, error) from error

    def _dead_letter(self, batch: Batch, reason: str) -> Delivered:
        self._undelivered(batch, [Refused(item, reason) for item in batch])
        dead = Delivered(0, 0, len(batch))
        self.tally.add(dead)
        self.tally.note(reason)
        return dead

    def _deliver(self) -> None:
        while not self._stop.is_set():
            try:
                if not self.deliver_next() and not self._files.await_more(self._files.settled):
                    return
            except BaseException:  # nothing is lost by trying again, and all by ending this thread
                _log.exception("the spool cannot be delivered")
                self._pause(1.0)

    def deliver_next(self) -> bool:
        """Deliver the next records and settle them; tell whether that was done.

        It was not where there is nothing, or where *wait* told to stop before the target had everything.
        """
        end = self._files.end
        taken = self._gather()
        if taken:
            end = taken[-1].record.end
            if not self._send(taken):
                return False
        elif self._files.settled == end:
            return False
        self._files.settle(end)  # where nothing was taken, nothing up to there can be read
        return True

    def _gather(self) -> list[_Taken]:
        """Return the next records: as many as make a batch, either all too old or none."""
        taken: list[_Taken] = []
        items = size = 0
        while True:
            for record in self._files.read_from(taken[-1].record.end if taken else self._files.settled):
                batch = self._batch_of(record)
                if taken and (batch.replace, self._is_old(record)) != (
                    taken[0].batch.replace,
                    self._is_old(taken[0].record),
                ):
                    return taken
                taken.append(_Taken(record, batch))
                items += len(batch)
                size += len(record.payload)
                if items >= self._items or size >= self._bytes:
                    return taken
            patience = taken[0].record.at + self._linger - self._clock() if taken else 0.0
            if patience <= 0 or not self._files.await_more(taken[-1].record.end, patience):
                return taken

    def _batch_of(self, record: Record) -> Batch:
        try:
            return decode_batch(record.payload)
        except DecodeError as error:
            _log.error("the spool has a record of %d items that cannot be read: %s", record.items, error)
            self._files.set_aside(record)
            return Batch()

    def _is_old(self, record: Record) -> bool:
        return self._clock() - record.at > self._max_age

    def _send(self, taken: Sequence[_Taken]) -> bool:
        """Publish what was *taken* until all of it is settled; tell whether it is."""
        batch = _joined([one.batch for one in taken])
        while True:
            old = self._old_items(taken, batch)
            if old:
                reason = f"it waited in the spool for more than {self._max_age:,.0f} seconds"
                if not self._bury(batch.part(old), reason):
                    return False
                gone = set(map(id, old))
                batch = batch.part(item for item in batch if id(item) not in gone)
            if not len(batch):
                return True
            try:
                self._publisher.publish(batch)
                return True
            except PartialDeliveryError as error:
                if error.error is None:
                    return True
                batch, after = error.again, error.error.after
            except RetryableDeliveryError as error:
                after = error.after
            except DeliveryError as error:
                return self._bury(batch, str(error))
            if self._pause(after or 1.0):
                return False

    def _old_items(self, taken: Sequence[_Taken], batch: Batch) -> list[Item]:
        """Return what of *batch* came with a record that is too old by now."""
        if not self._is_old(taken[0].record):
            return []
        old = {id(item) for one in taken if self._is_old(one.record) for item in one.batch}
        return [item for item in batch if id(item) in old]

    def _bury(self, batch: Batch, reason: str) -> bool:
        """Dead-letter *batch*; tell whether that was done before we were told to stop."""
        while True:
            try:
                self._dead_letter(batch, reason)
                return True
            except RetryableDeliveryError as error:
                _log.error("%d items are neither delivered (%s) nor dead-lettered: %s", len(batch), reason, error)
                if self._pause(1.0):
                    return False

    def check(self) -> None:
        self._files.check()
        self._publisher.check()

    def close(self) -> None:
        """Deliver what waits, as long as *close_for* says. What is left stays on the disk for the next time.

        Raises:
            RetryableDeliveryError: the publisher does not return from what it was given. Its thread may settle that
                yet, so the spool is this process's until its end.
        """
        self._files.finish()
        if self._thread is not None:
            self._thread.join(self._close_for)
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._patience)
            if self._thread.is_alive():
                raise RetryableDeliveryError(STUCK)
        try:
            self._publisher.close()
        finally:
            self._files.close()


def _joined(batches: Sequence[Batch]) -> Batch:
    """Return what *batches* have as one, in order."""
    if len(batches) == 1:
        return batches[0]
    origins = {identity: origin for batch in batches for identity, origin in batch.origins.items()}
    replace = any(batch.replace for batch in batches)
    return Batch(origins=origins, replace=replace).part(item for batch in batches for item in batch)
