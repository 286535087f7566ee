"""What a playground begins with: definition files, the notifications to choose from, and the saved form of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.definitions import shipped_definitions
from eventdefs.definitions.corpus import Corpus, Example
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.loader import read_files
from eventdefs.definitions.source import MAX_BYTES
from eventdefs.errors import DecodeError, DefinitionErrors, InputError
from eventdefs.types import Notification

PAGE = Path(__file__).with_name("page")
EXAMPLE = PAGE / "example.eventdefs.json"
"""What the page opens as its example: a saved playground."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A definition file: the name that reports give it, and its text."""

    name: str
    text: str


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="playground"):
    """A playground as one file, which can be sent to somebody else.

    Attributes:
        definitions: its files.
        notification: the text of the notification, which need not be one.
        version: of this form.
    """

    definitions: tuple[File, ...]
    notification: str
    version: Literal[1] = 1


class Session(msgspec.Struct, frozen=True):
    """What the page is given when it is opened.

    Attributes:
        files: the definitions.
        notification: the text that is shown at first.
        examples: of the corpus, one of each shape of each event type.
        undecodable: how much of the corpus is no notification.
        count: how many notifications the corpus has.
    """

    files: tuple[File, ...]
    notification: str
    examples: tuple[Example, ...] = ()
    count: int = 0
    undecodable: int = 0


def read_saved(path: str | Path) -> Saved:
    """Read the playground that was saved as the file *path*.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(2 * MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if len(data) > 2 * MAX_BYTES:
        raise InputError(f"{path}: larger than {2 * MAX_BYTES:,} bytes")
    try:
        return msgspec.json.decode(data, type=Saved)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a saved playground: {error}; definitions are opened with --definitions, "
            "notifications with --corpus"
        ) from error


def begin(definitions: Sequence[str], corpus: Sequence[str], saved: Saved | None = None) -> Session:
    """Return the session of definition files (the shipped ones without any) or of *saved*, and of a corpus.

    Definitions with errors can be opened as well: they are what one comes for.

    Raises:
        DefinitionErrors: a file of definitions cannot be read.
        InputError: a file of the corpus cannot be read.
    """
    files = _read_definitions(definitions) if saved is None else saved.definitions
    examples, count, undecodable = _read_corpus(corpus)
    if saved is not None:
        notification = saved.notification
    elif examples:
        notification = body_text(examples[0].notification)
    else:
        notification = read_saved(EXAMPLE).notification
    return Session(files, notification, examples, count, undecodable)


def _read_definitions(paths: Sequence[str]) -> tuple[File, ...]:
    findings = Findings()
    texts = read_files(list(paths) or shipped_definitions(), findings)
    found = findings.in_order()
    if found:
        raise DefinitionErrors(found)
    names = _short_names([name for name, _ in texts])
    return tuple(File(name, text.replace("\r\n", "\n")) for name, (_, text) in zip(names, texts, strict=True))


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return what tells the files apart: their last names, where they are different."""
    last = [Path(path).name for path in paths]
    return last if len(set(last)) == len(last) else list(paths)


def _read_corpus(paths: Sequence[str]) -> tuple[tuple[Example, ...], int, int]:
    corpus = Corpus()
    undecodable = 0
    for file in find_files(paths):
        for place, notification in read_notifications(file):
            if isinstance(notification, DecodeError):
                undecodable += 1
            else:
                corpus.add(notification, place)
    examples = [example for name in sorted(corpus.event_types) for example in corpus.event_types[name].examples]
    return tuple(examples), corpus.count, undecodable


def body_text(notification: Notification) -> str:
    """Return *notification* as its paths see it: the envelope opened, credentials taken out, indented."""
    return json_text(notification.body)


def json_text(document: Any) -> str:
    """Return *document* indented, numbers whole, as JSON that `decode.read_json` reads."""
    return json.dumps(document, indent=2, ensure_ascii=False)
