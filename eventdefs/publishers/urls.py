"""The URLs of publishers: scheme, target, options. An unknown option is an error; secrets are never shown."""

from __future__ import annotations

from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.hints import did_you_mean

T = TypeVar("T", bound=msgspec.Struct)


class PublisherURL(NamedTuple):
    """A URL in its parts.

    Attributes:
        text: as it may be shown: without user and password, and without options.
        target: what stands between ``://`` and the options, undecoded.
        options: names and values as written.
    """

    scheme: str
    target: str
    options: dict[str, str]

    @property
    def text(self) -> str:
        return f"{self.scheme}://{self.target.rpartition('@')[2]}"


def parse_url(url: str) -> PublisherURL:
    """Read *url*; an option without a value is `true`, as Ceilometer's `file:///out?json`.

    Raises:
        PublisherURLError: it has no scheme, or an option is written twice.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isascii() or not scheme:
        raise PublisherURLError(f"{url.partition('?')[0]!r} is no URL of a publisher, as sqlite:///events.db is")
    target, _, query = rest.partition("?")
    parts = query.split("&") if query else []
    if not all(part.partition("=")[0] for part in parts):
        raise PublisherURLError(f"{scheme}://...: an option has no name")
    pairs = [pair for part in parts for pair in parse_qsl(part if "=" in part else f"{part}=true", True)]
    options = dict(pairs)
    if len(options) != len(pairs):
        twice = next(name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1)
        raise PublisherURLError(f"{scheme}://...: the option {twice} is written twice")
    return PublisherURL(scheme.lower(), target, options)


def read_options(url: PublisherURL, options: type[T]) -> T:
    """Return the options of *url* as *options* declares them.

    Raises:
        PublisherURLError: an option is unknown or has a value it does not take.
    """
    known = [field.encode_name for field in msgspec.structs.fields(options)]
    for name in url.options:
        if name not in known:
            meant = did_you_mean(name, known)
            raise PublisherURLError(
                f"{url.text}: unknown option {name!r}{meant}, known are {', '.join(known) or 'none'}"
            )
    try:
        return msgspec.convert(url.options, options, strict=False)
    except msgspec.ValidationError as error:
        raise PublisherURLError(f"{url.text}: {error}") from None
