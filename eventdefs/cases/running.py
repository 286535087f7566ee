"""Runs the cases of test files: finds the files, loads definitions and notifications once each, converts, compares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple

from eventdefs.cases.comparing import Difference, compare
from eventdefs.cases.edits import EditError, apply
from eventdefs.cases.reading import Case, Cases, parse_cases
from eventdefs.consumers.files import read_messages
from eventdefs.decode import decode_notification, decode_notifications
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.loader import TESTS, load_definitions, shipped_definitions
from eventdefs.definitions.options import Options
from eventdefs.definitions.registry import Definitions
from eventdefs.definitions.source import MAX_BYTES
from eventdefs.errors import DecodeError, DefinitionErrors, Finding, InputError
from eventdefs.types import Conversion, Notification, Place

Outcome = Literal["passed", "failed", "error"]
"""`error`: it could not run."""


class Result(NamedTuple):
    """What came of a case.

    Attributes:
        file: the test file.
        differences: what is not as expected.
        notification, conversion: what was converted, and to what; None where it could not run.
        definitions: that converted it.
        error: why it could not run.
        seconds: how long it took.
    """

    file: str
    case: Case
    outcome: Outcome
    differences: tuple[Difference, ...] = ()
    notification: Notification | None = None
    conversion: Conversion | None = None
    definitions: Definitions | None = None
    error: Finding | None = None
    seconds: float = 0.0

    @property
    def id(self) -> str:
        return f"{self.file}::{self.case.name}"


class Broken(NamedTuple):
    """A test file of which no case can run, and why."""

    file: str
    findings: tuple[Finding, ...]


def is_test_file(name: str) -> bool:
    return name.endswith(TESTS)


def find_test_files(paths: Sequence[str]) -> list[str]:
    """Return *paths* with each directory replaced by the test files below it, sorted; hidden folders are passed over.

    Raises:
        InputError: a path is not there, or none of them has a test file.
    """
    found: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            for folder, below, names in os.walk(path):
                below[:] = sorted(name for name in below if not name.startswith("."))
                found += [os.path.normpath(os.path.join(folder, name)) for name in sorted(names) if is_test_file(name)]
        elif os.path.exists(path):
            found.append(path)
        else:
            raise InputError(f"{path}: there is no such file")
    if not found:
        raise InputError(f"{', '.join(paths)}: no file ends with {TESTS}")
    return list(dict.fromkeys(found))


def read_text(file: str) -> str:
    """Return the text of *file*, line ends as they are.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open(file, "rb") as stream:
            return stream.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start} is not UTF-8: {error.reason}") from error


State = tuple[int, int] | None
"""When a file was changed, and how long it is; None where it is not there."""


def state_of(file: str) -> State:
    """Return what tells whether *file* was changed."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Suite(NamedTuple):
    """A test file that can run: its cases, its text and the definitions that it is about."""

    cases: Cases
    text: str
    definitions: Definitions


class Runner:
    """Runs test files. Definitions and files of notifications are read once, however many cases name them.

    Attributes:
        read: every file and directory that was looked at, and its `state_of` just before.
    """

    def __init__(self, definitions: Sequence[str] = (), unfinished: bool = False) -> None:
        self._given = tuple(definitions)
        self._unfinished = unfinished
        self._loaded: dict[tuple[tuple[str, ...], Options], Definitions | DefinitionErrors] = {}
        self._notifications: dict[str, list[Notification | DecodeError]] = {}
        self.read: dict[str, State] = {}

    def open(self, file: str) -> Suite | Broken:
        """Return the cases of *file*, or why none of them can run."""
        self.read[file] = state_of(file)
        try:
            text = read_text(file)
        except InputError as error:
            why = str(error).removeprefix(f"{file}: ")
            return Broken(file, (Finding("E002", f"cannot be read: {why}", Place(file)),))
        return self.open_text(file, text)

    def open_text(self, file: str, text: str) -> Suite | Broken:
        """Return what `open` does, of a file whose text is known."""
        findings = Findings()
        cases = parse_cases(text, file, findings, self._unfinished)
        if cases is None:
            return Broken(file, findings.in_order())
        definitions = self._definitions(cases)
        if isinstance(definitions, DefinitionErrors):
            return Broken(file, definitions.findings)
        return Suite(cases, text, definitions)

    def _definitions(self, cases: Cases) -> Definitions | DefinitionErrors:
        if cases.definitions:
            paths = tuple(_beside(cases.file, name) for name in cases.definitions)
        else:
            paths = self._given or tuple(_shown(str(path)) for path in shipped_definitions())
        key = (paths, cases.options)
        if key not in self._loaded:
            self.read |= {file: state_of(file) for file in _files(paths)}
            try:
                self._loaded[key] = load_definitions(*paths, options=cases.options)
            except DefinitionErrors as errors:
                self._loaded[key] = errors
        return self._loaded[key]

    def run(self, suite: Suite, case: Case) -> Result:
        """Run *case* of *suite*."""
        started = perf_counter()
        file = suite.cases.file
        try:
            notification = self._notification(file, case)
        except (EditError, _NoNotification) as error:
            code = "E608" if isinstance(error, EditError) else "E607"
            found = Findings()
            found.add_file(file, suite.text)
            found.add(code, str(error), error.place, error.hint)
            return Result(file, case, "error", error=found.in_order()[0], seconds=perf_counter() - started)
        conversion = suite.definitions.convert(notification)
        differences = () if case.expected is None else compare(case.expected, conversion)
        outcome: Outcome = "failed" if differences or case.expected is None else "passed"
        seconds = perf_counter() - started
        return Result(file, case, outcome, differences, notification, conversion, suite.definitions, seconds=seconds)

    def _notification(self, file: str, case: Case) -> Notification:
        if isinstance(case.notification, dict):
            notification = _decoded(_complete(case.notification), case)
        else:
            notification = self._from_file(_beside(file, case.notification), case)
        if not case.edits:
            return notification
        return _decoded(apply(case.edits, notification.body), case)

    def _from_file(self, path: str, case: Case) -> Notification:
        if path not in self._notifications:
            self.read[path] = state_of(path)
            try:
                self._notifications[path] = [
                    found for message in read_messages(path) for found in decode_notifications(message.data)
                ]
            except InputError as error:
                raise _NoNotification(str(error), case, "names are relative to the test file") from error
        found = self._notifications[path]
        if case.number is None and len(found) != 1:
            hint = f"say which with number: 1 to {len(found)}" if found else ""
            raise _NoNotification(f"{path} has {len(found)} notifications", case, hint)
        number = case.number or 1
        if number > len(found):
            raise _NoNotification(f"{path} has {len(found)} notifications, and no number {number}", case)
        one = found[number - 1]
        if isinstance(one, DecodeError):
            raise _NoNotification(f"{path}: not a notification: {one.reason}", case)
        return one


class _NoNotification(Exception):
    def __init__(self, message: str, case: Case, hint: str = "") -> None:
        super().__init__(message)
        self.place = case.source
        self.hint = hint


def _decoded(document: dict[str, Any], case: Case) -> Notification:
    try:
        return decode_notification(document)
    except DecodeError as error:
        raise _NoNotification(f"not a notification: {error.reason}", case) from error


DEFAULTS = {"message_id": "m-1", "publisher_id": "test", "priority": "info", "timestamp": "2000-01-01 00:00:00"}
"""What a notification that is written in a test file has where it does not say otherwise."""


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return *document* with what every notification has; only where it is no other form than the plain one."""
    if "event_type" not in document or "metadata" in document or "specversion" in document:
        return document
    return {**DEFAULTS, "payload": {}, **document}


def _beside(file: str, name: str) -> str:
    return _shown(os.path.join(os.path.dirname(file), name))


def _shown(path: str) -> str:
    """Return *path* in its shortest form: from here, where it is below."""
    path = os.path.normpath(path)
    here = os.getcwd() + os.sep
    return path.removeprefix(here) if os.path.isabs(path) else path


def _files(paths: Sequence[str]) -> Iterator[str]:
    """Yield *paths*, and the files in those that are directories."""
    for path in paths:
        yield path
        if os.path.isdir(path):
            yield from (str(file) for file in sorted(Path(path).glob("*.yaml")))


def run_files(
    runner: Runner, files: Sequence[str], wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[Result | Broken]:
    """Yield what comes of each case of *files* whose id is *wanted*, and the files that cannot run."""
    for file in files:
        suite = runner.open(file)
        if isinstance(suite, Broken):
            yield suite
            continue
        for case in suite.cases.cases:
            if wanted(f"{file}::{case.name}"):
                yield runner.run(suite, case)
