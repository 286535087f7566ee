"""`folder://PATH` writes each event, sample, period and record into a file of its own, once."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import msgspec

from eventdefs.errors import PartialDeliveryError, PermanentDeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import Batch, BatchLimits, Delivered, PublisherURL
from eventdefs.publishers.formats import FORMATS, FormatName, encode_items
from eventdefs.types import Item, Refused, identity_of


class FolderOptions(msgspec.Struct, frozen=True):
    """Options of `folder://`.

    Attributes:
        format: what a file has in it.
        largest: bytes; what is larger is refused.
    """

    format: FormatName = "native"
    largest: int = 16 * 2**20


class FolderPublisher:
    """Writes into a folder that is there: ``folder:///var/lib/events``, or ``folder://events`` in the current one."""

    Options = FolderOptions
    LIMITS = BatchLimits(items=1000)

    def __init__(self, url: PublisherURL, options: FolderOptions) -> None:
        if not url.target:
            raise PublisherURLError(f"{url.text} names no folder, as folder:///var/lib/events does")
        self._folder = Path(url.target)
        self._form = FORMATS[options.format]
        self._largest = options.largest

    def publish(self, batch: Batch) -> Delivered:
        """Write what of *batch* is not there yet."""
        published = duplicates = 0
        refused: list[Refused] = []
        items = encode_items(self._form, batch)
        for position, (item, line) in enumerate(items):
            if len(line) > self._largest:
                refused.append(Refused(item, f"{len(line):,} bytes are more than {self._largest:,}"))
                continue
            try:
                duplicates += not self._write(self._path_of(item), line, batch.replace)
            except OSError as error:
                reason = RetryableDeliveryError(f"{self._folder}: {error.strerror}")
                again = batch.part(left for left, _ in items[position:])
                raise PartialDeliveryError(Delivered(published, duplicates), again, reason, refused) from error
            published += 1
        if refused:
            raise PartialDeliveryError(Delivered(published, duplicates), batch.part(()), None, refused)
        return Delivered(published, duplicates)

    def _path_of(self, item: Item) -> Path:
        """Return where *item* stands: ids may have any characters and any length, and so have no place in a name."""
        name = sha256("\0".join(identity_of(item)).encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{name}.json"

    def _write(self, path: Path, line: bytes, replace: bool) -> bool:
        """Write a file whole or not at all; tell whether it was not there."""
        there = path.exists()
        if there and not replace:
            return False
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        return not there

    def check(self) -> None:
        """See whether the folder is there and may be written."""
        if not self._folder.is_dir():
            raise RetryableDeliveryError(f"{self._folder} is no folder")
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermanentDeliveryError(f"{self._folder} may not be written")

    def close(self) -> None:
        """Nothing waits."""
