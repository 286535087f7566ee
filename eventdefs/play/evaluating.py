"""What the page is told of its texts: findings, what the notification gives, and why.

Nothing here reads a file: texts come in, a document goes out. What was read of the last definitions is kept, since of
two questions that follow each other only the notification may be another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from eventdefs.cases.writing import case_text
from eventdefs.cli.lint import as_document
from eventdefs.decode import decode_notification, read_json
from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.explain import explain
from eventdefs.definitions.lint import Report, lint_texts
from eventdefs.definitions.lint.corpus import lint_corpus
from eventdefs.encode import event_document
from eventdefs.errors import DecodeError, Finding
from eventdefs.play.sessions import File, body_text, json_text
from eventdefs.play.spots import find_spots, in_document
from eventdefs.types import Notification

MAX_FINDINGS = 1_000
"""How many findings the page is given; who has more begins with these."""

_JSON_PLACE = re.compile(r"not JSON: .* at line (\d+), column (\d+)", re.DOTALL).fullmatch


class Evaluate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts as they stand on the page."""

    files: tuple[File, ...]
    notification: str


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Definitions as they stand on the page."""

    files: tuple[File, ...]


@lru_cache(maxsize=4)
def _read(files: tuple[File, ...]) -> Report:
    return lint_texts([(file.name, file.text) for file in files])


def evaluate(asked: Evaluate) -> dict[str, Any]:
    """Return what is to say about the texts: findings, and what came of the notification or why it is none."""
    report = _read(asked.files)
    answer: dict[str, Any] = {
        **_findings(report.findings),
        "decode_error": None,
        "explanation": None,
        "event": None,
        "samples": (),
        "periods": (),
        "problems": (),
        "spots": {},
    }
    try:
        document = read_json(asked.notification)
        notification = decode_notification(asked.notification)
    except DecodeError as error:
        place = _JSON_PLACE(error.reason)
        line, column = (int(place[1]), int(place[2])) if place else (0, 0)
        return answer | {"decode_error": {"reason": error.reason, "line": line, "column": column}}
    conversion = report.definitions.convert(notification)
    explained = plain(explain(report.definitions, notification))
    return answer | {
        "explanation": explained,
        "event": None if conversion.event is None else event_document(conversion.event),
        "samples": conversion.samples,
        "periods": conversion.periods,
        "problems": plain(conversion.problems),
        "spots": _spots(explained, notification, document),
    }


def compare(asked: Files, corpus: Corpus) -> dict[str, Any]:
    """Return what the notifications of *corpus* show about the definitions, which takes longer than all else."""
    # Notes on the corpus as a whole (which event types have no definition) are of no line that one could edit.
    found = lint_corpus(_read(asked.files), corpus) if corpus.count else []
    return _findings([one for one in found if one.place.line or one.severity != "note"])


def _findings(found: Sequence[Finding]) -> dict[str, Any]:
    return {
        "findings": [as_document(one) for one in found[:MAX_FINDINGS]],
        "more_findings": max(0, len(found) - MAX_FINDINGS),
    }


def _spots(explained: Any, notification: Notification, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each path of the explanation where its values stand in the text."""
    spots: dict[str, Any] = {}
    for path in _paths(explained):
        if path not in spots:
            found = [in_document(steps, document) for steps in find_spots(path, notification.body)]
            spots[path] = [steps for steps in dict.fromkeys(found) if steps]
    return spots


def _paths(explained: Any) -> Iterator[str]:
    """Yield every path that stands in an explanation."""
    waiting = [explained]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            for key, item in value.items():
                if key in ("path", "tenant_path") and isinstance(item, str) and item:
                    yield item
                elif key != "value":
                    waiting.append(item)
        elif isinstance(value, (list, tuple)):
            waiting += value


def plain(value: Any) -> Any:
    """Return *value* with each struct and named tuple as a mapping, so that what is what can be read in JSON."""
    if isinstance(value, msgspec.Struct):
        return {field.encode_name: plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def open_text(text: str) -> str:
    """Return the notification that *text* is as its paths see it, or *text* indented where it is another document.

    Raises:
        DecodeError: it is no JSON.
    """
    document = read_json(text)
    try:
        return body_text(decode_notification(text))
    except DecodeError:
        return json_text(document)


def write_case(asked: Evaluate) -> str:
    """Return a test file that expects what the texts give now.

    Raises:
        DecodeError: the notification is none.
    """
    report = _read(asked.files)
    notification = decode_notification(asked.notification)
    case = case_text(notification.event_type, dict(notification.body), report.definitions.convert(notification))
    names = ", ".join(msgspec.json.encode(file.name).decode() for file in asked.files)
    return f"definitions: [{names}]\ncases:\n{case}"
