"""Recorded notifications, asked as an editor asks: of the event types that a definition takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from eventdefs.consumers.files import find_files, read_messages
from eventdefs.decode import decode_notifications
from eventdefs.definitions.corpus import Corpus, Found, PathSeen
from eventdefs.definitions.patterns import parse_pattern
from eventdefs.errors import InputError, PathSyntaxError
from eventdefs.regexes import RegexError, compile_regex
from eventdefs.types import Notification


class Recordings:
    """What recorded notifications show. Does not change.

    Attributes:
        corpus: the notifications.
        problems: why some files could not be read.
    """

    def __init__(self, corpus: Corpus, problems: Sequence[str] = ()) -> None:
        self.corpus = corpus
        self.problems = tuple(problems)
        self.paths = lru_cache(maxsize=64)(self._paths)

    def __bool__(self) -> bool:
        return self.corpus.count > 0

    def taken_by_globs(self, globs: Sequence[str]) -> dict[str, int]:
        """Return the event types that *globs* match, with how many notifications each has."""
        return {name: seen.count for name, seen in self.corpus.matching(parse_pattern(list(globs))).items()}

    def taken_by_expressions(self, expressions: Sequence[str]) -> dict[str, int]:
        """Return the same for regular expressions; those that are none match nothing."""
        found = self.corpus.matching_expressions([text for text in expressions if _is_expression(text)])
        return {name: seen.count for name, seen in found.items()}

    def _paths(self, event_types: tuple[str, ...]) -> list[PathSeen]:
        return self.corpus.paths(event_types or None)

    def values(self, path: str, event_types: Sequence[str], limit: int) -> list[Found] | None:
        """Return values that *path* gives in notifications of *event_types*; None where it is no path."""
        try:
            return self.corpus.values(path, event_types, limit)
        except PathSyntaxError:
            return None


NONE = Recordings(Corpus())


def read_recordings(paths: Sequence[str]) -> Recordings:
    """Read the notifications in files and folders; what cannot be read is said and passed over."""
    problems: list[str] = []
    corpus = Corpus()
    for path in paths:
        try:
            files = find_files([path])
        except InputError as error:
            problems.append(str(error))
            continue
        for file in files:
            try:
                for message in read_messages(file):
                    for notification in _readable(message.data):
                        corpus.add(notification, message.place)
            except InputError as error:
                problems.append(str(error))
    return Recordings(corpus, problems)


def _readable(data: bytes) -> Iterator[Notification]:
    for decoded in decode_notifications(data):
        if isinstance(decoded, Notification):
            yield decoded


def _is_expression(text: str) -> bool:
    try:
        compile_regex(text)
    except RegexError:
        return False
    return True
