"""Dead letters: what was not published, or not whole, kept where it can be read, put right and tried again.

`letters` says what a letter is, `places` what every place does that keeps them: a file (`files`), a table (`sql`) or a
topic (`kafka`). `recording` keeps what a process could not publish, `choosing` finds and groups letters, and
`replaying` converts and delivers them again.
"""

from __future__ import annotations

import logging

from eventdefs.deadletters.letters import DeadLetter, Fate
from eventdefs.deadletters.places import DeadLetterPlace, How, Warn
from eventdefs.errors import PublisherURLError
from eventdefs.publishers.urls import parse_url

SCHEMES = ("file", "kafka", "mysql", "postgresql", "sqlite")

_log = logging.getLogger(__name__)


def open_dead_letters(url: str, *, create: bool = True, warn: Warn = _log.warning) -> DeadLetterPlace:
    """Open the place that *url* names: a path, ``file://path``, ``kafka://host/topic``, ``sqlite:///dead.db``, ...

    Where *create* is false, what is not there is not made. *warn* is told what cannot be read.

    Raises:
        PublisherURLError: the URL names no place.
        RetryableDeliveryError: the file cannot be opened.
        InputError: there is no such file, and it is not to be made.
    """
    if "://" not in url:
        return _file(url, warn, create)
    parsed = parse_url(url)
    if parsed.scheme == "file":
        if parsed.options:
            raise PublisherURLError(f"{parsed.text}: a file of dead letters has no options")
        return _file(parsed.target, warn, create)
    if parsed.scheme == "kafka":
        from eventdefs.deadletters.kafka import KafkaPlace  # a client library, which few need

        return KafkaPlace(url, warn)
    if parsed.scheme in SCHEMES:
        from eventdefs.deadletters.sql import SQLPlace  # SQLAlchemy takes 0.2 s, and only databases need it

        return SQLPlace(url, warn, create=create)
    raise PublisherURLError(f"{parsed.text} keeps no dead letters, known are a path and {', '.join(SCHEMES)}")


def _file(path: str, warn: Warn, create: bool) -> DeadLetterPlace:
    from eventdefs.deadletters.files import FilePlace

    if not path:
        raise PublisherURLError("file:// names no file")
    return FilePlace(path, warn, create=create)


__all__ = ["DeadLetter", "DeadLetterPlace", "Fate", "How", "open_dead_letters"]
